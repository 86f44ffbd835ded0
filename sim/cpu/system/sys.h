/* What every file of system instructions uses: operands, privilege, intercepts, the stack. */
#ifndef SIM_CPU_SYSTEM_SYS_H
#define SIM_CPU_SYSTEM_SYS_H

#include "sim/cpu/cpu.h"
#include "sim/cpu/system/system.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"
#include "spec/x86/system.h"
#include "x86/sys_functions.h"

/* Leaves the function with any result but EXEC_OK. */
#define TRY(expression)                              \
    do {                                             \
        enum exec_result try_result = (expression);  \
        if (try_result != EXEC_OK) {                 \
            return try_result;                       \
        }                                            \
    } while (0)

static inline bool sys_is_register(const struct sys_insn *insn)
{
    return insn->modrm >> 6 == 3;
}
static inline bool sys_is_long64(const struct cpu *cpu)
{
    return cpu->mode & MODE_LONG64;
}

uint64_t sys_gpr_read(const struct cpu *, unsigned gpr, unsigned size);
void sys_gpr_write(struct cpu *, unsigned gpr, unsigned size, uint64_t value); /* 4 bytes zero-extend */

/* The E operand: register rm or memory. */
enum exec_result sys_operand_read(struct cpu *, const struct sys_insn *, unsigned size, uint64_t *value);
enum exec_result sys_operand_write(struct cpu *, const struct sys_insn *, unsigned size, uint64_t value);
/* The memory operand, any size; 'offset' into it. */
enum exec_result sys_memory_read(struct cpu *, const struct sys_insn *, unsigned offset, void *, unsigned size);
enum exec_result sys_memory_write(struct cpu *, const struct sys_insn *, unsigned offset, const void *,
                                  unsigned size);

/* #GP(0) above ring 0. */
enum exec_result sys_require_cpl0(struct cpu *);
enum exec_result sys_check_umip(struct cpu *);
static inline enum exec_result sys_gp(struct cpu *cpu)
{
    return cpu_raise_error(cpu, X_GP, 0);
}

/* Asks the virtualization layer in non-root operation.  EXEC_JUMP ("done on behalf of the instruction")
 * leaves rip behind the instruction. */
enum exec_result sys_intercept(struct cpu *, const struct sys_insn *, struct vtx_event *);
enum exec_result sys_intercept_plain(struct cpu *, const struct sys_insn *, enum vtx_cause);

/* Books a micro-coded operation, in approximate mode. */
void sys_charge(struct cpu *, enum charge_kind);

/* Done, and the block must end: rip moves on. */
enum exec_result sys_leave_block(struct cpu *, const struct sys_insn *);

/* The current stack.  'at' is relative to RSP before the first pop; nothing moves RSP but commit. */
enum exec_result sys_stack_read(struct cpu *, int at, void *to, unsigned size);
enum exec_result sys_stack_write(struct cpu *, int at, const void *from, unsigned size);
void sys_stack_move(struct cpu *, int by);
/* 'count' values of 'width' bytes below the stack pointer, lowest address first; each may lie on either side of the
 * wrap of a 16-bit stack pointer.  All or nothing. */
enum exec_result sys_stack_probe_words(struct cpu *, unsigned count, unsigned width);
enum exec_result sys_stack_write_words(struct cpu *, const void *frame, unsigned count, unsigned width);

/* ZF alone. */
void sys_set_zf(struct cpu *, bool);

/* control.c: after RFLAGS changed by an instruction: alignment checks, interrupts, single steps.
 * EXEC_JUMP when the dispatcher must look. */
enum exec_result sys_rflags_changed(struct cpu *, const struct sys_insn *, uint64_t old);

/* Not implemented: stops the machine with words. */
enum exec_result sys_unimplemented(struct cpu *, const char *what) __attribute__((cold));

#endif
