/* Logical processor: descriptor tables, local APIC, interrupts of the
 * hypervisor itself.  Interrupts are taken only while idle or as VM exits. */
#ifndef HV_ARCH_LP_ARCH_H
#define HV_ARCH_LP_ARCH_H

#include "hv/sched/sched.h"

enum {
    VECTOR_KICK = 0xF0,  /* come out of the guest and look */
    VECTOR_TIMER = 0xF1,
    VECTOR_SPURIOUS = 0xFF,
};

struct lp_arch; /* GDT, TSS and stacks */

/* On the processor itself: tables, GS base, local APIC in x2APIC mode. */
void lp_arch_init(struct lp *);
uint64_t lp_arch_gdt(const struct lp *);
uint64_t lp_arch_tss(const struct lp *);
uint64_t lp_arch_idt(void);
size_t lp_arch_size(void);
/* CR0 and CR4 as VMX operation wants them. */
void lp_arch_vmx_control_registers(void);

/* What a VM exit loads that is the same on every LP. */
struct lp_arch_host { uint64_t cr0, cr3, cr4, efer, pat, exit_entry; };
void lp_arch_host(struct lp_arch_host *);

/* Makes another LP leave its guest or its idle loop. */
void lp_kick(struct lp *);
/* An external interrupt was acknowledged on this LP. */
void lp_interrupt(unsigned vector);
/* Programs the TSC deadline [TSC]; 0 = none. */
void lp_set_deadline(struct lp *, uint64_t tsc);

#endif
