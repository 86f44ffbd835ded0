/* Descriptors: reading them from GDT and LDT, and what a segment register makes of them.
 *
 * SDM Vol 3A "Segment Descriptors", "Privilege Levels".  Functions that check take the vector to
 * raise (#GP, #TS) and the EXT bit, because event delivery makes the same checks with other errors.
 * Nothing here changes the processor but the seg_commit_* functions.
 */
#ifndef SIM_CPU_SYSTEM_SEGMENT_H
#define SIM_CPU_SYSTEM_SEGMENT_H

#include "sim/cpu/cpu.h"

/* Eight bytes of a descriptor, and what every check asks. */
struct descriptor {
    uint64_t bits;
    uint64_t high;     /* second half of a 16-byte system descriptor, if read */
    uint64_t address;  /* linear, for the accessed or busy flag */
    uint16_t selector;
};

static inline unsigned seg_type(const struct descriptor *d) { return d->bits >> 40 & 0xf; }
static inline bool seg_is_user_type(const struct descriptor *d) { return d->bits >> 44 & 1; } /* S */
static inline unsigned seg_dpl(const struct descriptor *d) { return d->bits >> 45 & 3; }
static inline bool seg_present(const struct descriptor *d) { return d->bits >> 47 & 1; }
static inline bool seg_long(const struct descriptor *d) { return d->bits >> 53 & 1; }
static inline bool seg_big(const struct descriptor *d) { return d->bits >> 54 & 1; }
static inline bool seg_null(uint16_t selector) { return (selector & ~3) == 0; }

/* The descriptor 'selector' names.  Beyond its table's limit: 'vector'(selector | ext). */
enum exec_result seg_read(struct cpu *, uint16_t selector, unsigned vector, uint32_t ext, struct descriptor *);
/* Also the second half, for LDT, TSS and gates in IA-32e mode. */
enum exec_result seg_read_high(struct cpu *, unsigned vector, uint32_t ext, struct descriptor *);
/* The same without a fault, for LAR, LSL, VERR, VERW: false = out of limits (EXEC via *result). */
bool seg_try_read(struct cpu *, uint16_t selector, struct descriptor *, enum exec_result *result);

/* Hidden part as loaded from a descriptor. */
struct segment seg_load(const struct descriptor *);
/* Sets the accessed flag in memory and in 'd' (code and data), if it is clear. */
enum exec_result seg_set_accessed(struct cpu *, struct descriptor *);

/* A NULL SS as loaded on transfers to 64-bit code. */
struct segment seg_null_ss(unsigned cpl);
/* Hidden part of a register that is loaded in real or virtual-8086 mode.  Real mode keeps limit and rights
 * ("unreal mode"), virtual-8086 mode sets them. */
struct segment seg_8086(const struct cpu *, unsigned segment, uint16_t selector);
struct segment seg_v86(uint16_t selector);

/* Code segment as the target of an interrupt or far transfer: 'allow_conforming_above' etc. are the callers';
 * this checks type, presence and the L/D combination.  Errors: #GP or #NP (selector | ext). */
enum exec_result seg_check_code(struct cpu *, const struct descriptor *, uint32_t ext);
/* Stack segment for ring 'cpl' (protected mode, non-null): 'vector' for #TS or #GP, #SS when absent. */
enum exec_result seg_check_stack(struct cpu *, const struct descriptor *, unsigned cpl, unsigned vector,
                                 uint32_t ext);

/* Commits: change registers, mode and TLB context; cannot fail. */
void seg_commit_code(struct cpu *, const struct segment *, unsigned cpl, uint64_t rip);

/* 16-, 32- or 64-bit stack, by SS.B and mode [bytes]; and the mask of its pointer. */
static inline uint64_t seg_stack_mask(const struct cpu *cpu, const struct segment *ss)
{
    return cpu->mode & MODE_LONG64 ? ~0ull : ss->rights & SEG_DB ? 0xffffffffull : 0xffffull;
}

/* Loads ES, SS, DS, FS or GS by MOV, POP, LxS: every check of "MOV - Move", then commits. */
enum exec_result seg_load_register(struct cpu *, unsigned segment, uint16_t selector);

#endif
