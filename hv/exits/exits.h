/* VM exits: what a guest did that the processor leaves to us.
 *
 * exit_handle looks at the reason and calls the handler of exits.def's row.  A
 * handler either does the instruction's work and moves RIP past it, makes the
 * guest fault, blocks it, or sends an intercept to the parent.
 */
#ifndef HV_EXITS_EXITS_H
#define HV_EXITS_EXITS_H

#include "hv/vp/vp.h"

void exit_handle(struct vp *);

void exit_cpuid(struct vp *);
void exit_rdmsr(struct vp *);
void exit_wrmsr(struct vp *);
void exit_io(struct vp *);
void exit_cr_access(struct vp *);
void exit_mov_dr(struct vp *);
void exit_ept_violation(struct vp *);
void exit_vmcall(struct vp *);

/* What CPUID returns to a VP (hv/exits/cpuid.c), without intercepts. */
struct cpuid_result guest_cpuid(struct vp *, uint32_t leaf, uint32_t subleaf);
/* MSRs as the guest sees them. False: #GP. */
bool guest_msr_read(struct vp *, uint32_t msr, uint64_t *value, bool *known);
bool guest_msr_write(struct vp *, uint32_t msr, uint64_t value, bool *known);

#endif
