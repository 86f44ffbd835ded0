/* VT-x of one machine: capabilities chosen once, VMCS set-up, entry.
 *
 * Everything here is about Intel VMX; AMD's counterpart would be a second file
 * with the same functions (vcpu generic code is in hv/vp).
 */
#ifndef HV_VMX_VMX_H
#define HV_VMX_VMX_H

#include "hv/hv.h"
#include "hv/vp/vp.h"
#include "spec/vmx/vmx.h"

/* Control words as used for every VP: what we need plus what helps and is offered. */
struct vmx_controls {
    uint32_t revision;
    uint32_t pin, primary, secondary, exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    unsigned timer_shift; /* the preemption timer counts TSC >> shift */
    bool has_vpid, has_x2apic_mode, has_unrestricted, has_1g_ept, has_exit_lma;
};

extern struct vmx_controls vmx; /* filled by vmx_init on the boot processor, constant then */

/* What the processor offers, gathered by the caller so that the choice can be tested. */
struct vmx_facts { uint64_t basic, pin, primary, secondary, exit, entry, misc, ept_vpid, cr0_fixed[2], cr4_fixed[2]; };
void vmx_read_facts(struct vmx_facts *);
/* NULL, or the name of what is missing. */
const char *vmx_choose(const struct vmx_facts *, struct vmx_controls *);

/* On each LP: CR4.VMXE, VMXON. */
void vmx_enable(struct lp *);
/* Fills a cleared VMCS that is current: controls, host state independent of the LP, guest reset state. */
void vmx_init_vmcs(struct vp *);
void vmx_set_host_state(struct lp *);

/* Asm: 0 = a VM exit happened, 1 = the entry instruction failed. */
uint64_t vmx_enter(struct vp_context *);
extern char vmx_exit_entry[]; /* HOST_RIP */

void vmx_set_window(struct vp *, bool on);
void vmx_set_preemption_timer(struct vp *, uint64_t tsc_ticks, bool on);

#endif
