/* The x87 floating-point unit (SDM Vol 1 "Programming with the x87 FPU") and MMX.
 *
 * This header is for the rest of the processor: state as images show it, reset.
 * state.h has the registers themselves.
 */
#ifndef SIM_CPU_X87_X87_H
#define SIM_CPU_X87_X87_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/cpu.h"

/* Control word. */
enum {
    X87_CW_INIT = 0x37f,     /* FNINIT: all masked, 64 bits of precision, to nearest */
    X87_CW_RESET = 0x40,     /* RESET */
    X87_CW_DEFINED = 0x1f3f, /* the rest is 0, but for */
    X87_CW_ONE = 0x40,       /* ... the bit that reads as 1 */
};

/* Status word.  IE DE ZE OE UE PE have the places of their masks in the control word. */
enum {
    X87_IE = 1 << 0, X87_DE = 1 << 1, X87_ZE = 1 << 2, X87_OE = 1 << 3, X87_UE = 1 << 4, X87_PE = 1 << 5,
    X87_EXCEPTIONS = 0x3f,
    X87_SF = 1 << 6, X87_ES = 1 << 7, X87_C0 = 1 << 8, X87_C1 = 1 << 9, X87_C2 = 1 << 10,
    X87_TOP_SHIFT = 11, X87_C3 = 1 << 14, X87_B = 1 << 15,
    X87_C = X87_C0 | X87_C1 | X87_C2 | X87_C3,
    X87_SW_KEPT = X87_EXCEPTIONS | X87_SF | X87_C, /* what struct x87 keeps */
};

/* An exception that is not masked is waiting for the next instruction that looks. */
static inline bool x87_is_pending(const struct cpu *c)
{
    return c->x87.sw & ~c->x87.cw & X87_EXCEPTIONS;
}

/* CR0.NE = 0 and IGNNE#: it is not looked at. */
static inline bool x87_is_ignored(const struct cpu *c)
{
    return c->x87.ignne && !(c->cr0 & 1u << 5);
}

static inline union x87_register *x87_st(struct cpu *c, unsigned i)
{
    return &c->x87.reg[(c->x87.top + i) & 7];
}

/* What MMX instructions do to the stack. */
static inline void x87_enter_mmx(struct cpu *c)
{
    c->x87.top = 0;
    c->x87.full = 0xff;
}

uint16_t x87_status(const struct cpu *);           /* the whole status word */
void x87_set_status(struct cpu *, uint16_t);
uint16_t x87_tags(const struct cpu *);             /* the whole tag word: valid, zero, special, empty */
void x87_set_tags(struct cpu *, uint16_t);         /* keeps only which are empty */
void x87_set_control(struct cpu *, uint16_t);      /* only bits that exist */

/* Before an instruction that waits.  EXEC_OK; or EXEC_FAULT with #MF; or, when errors go through the
 * interrupt controller (CR0.NE = 0), EXEC_JUMP: rip stays, look at interrupts and try again. */
enum exec_result x87_wait_for_errors(struct cpu *);
/* For the board, with CR0.NE = 0 (SDM Vol 1 "MS-DOS Compatibility Sub-mode"): machine->fpu_error is called with true when
 * an error waits, with false when it is gone; until then the board may have it ignored. */
void x87_errors_changed(struct cpu *);             /* after flags or masks were written */
/* IGNNE#, until FERR# is gone. */
static inline void x87_ignore_errors(struct cpu *c)
{
    c->x87.ignne = c->x87.ferr;
}

void x87_reset(struct cpu *);                      /* RESET: FNINIT's opposite, see SDM */
void x87_init(struct cpu *);                       /* FNINIT; the registers' contents stay */

/* The legacy area of FXSAVE and XSAVE: bytes 0-23 and 32-159 of the image; MXCSR (24-31)
 * is not touched.  'wide': 64-bit instruction and operand pointers without selectors
 * (REX.W in 64-bit mode). */
enum { X87_IMAGE_SIZE = 160 };
void x87_image_put(const struct cpu *, uint8_t image[X87_IMAGE_SIZE], bool wide);
void x87_image_get(struct cpu *, const uint8_t image[X87_IMAGE_SIZE], bool wide);
/* XSAVE's initial configuration: FNINIT, and registers, pointers and opcode zero. */
void x87_image_init(struct cpu *);
bool x87_image_is_initial(const struct cpu *);

#endif
