/* What this processor's VMX can do, and the MSRs that say so.
 *
 * One rule: offer a control only when every check, every effect and every exit
 * it brings is modelled.  The offered sets are the constants in vmx_caps.c;
 * everything else follows from them: the capability MSRs (RDMSR 480H..491H), the
 * existence of VMCS fields, the must-be-1 and must-be-0 checks of VM entry.
 * A hypervisor that believes the MSRs can never reach something we lack.
 *
 * CR4_FIXED1 follows CPUID, so the set is made per processor, once, by
 * vmx_caps_init(); it never changes afterwards and is not machine state.
 *
 * Not offered (and refused by name at VM entry): virtualize APIC accesses, posted
 * interrupts, VMCS shadowing, VM functions, #VE, PML, mode-based execute, TSC
 * scaling, PERF_GLOBAL_CTRL, SMM.
 */
#ifndef SIM_VTX_VMX_VMX_CAPS_H
#define SIM_VTX_VMX_VMX_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/vtx/vmx/vmcs.h"

struct cpu;

/* A 32-bit control word: 'must' bits have to be 1, bits outside 'may' have to be 0. */
struct vmx_allowed { uint32_t must, may; };

struct vmx_caps {
    struct vmx_allowed pin, primary, secondary, exit, entry; /* the TRUE values */
    uint64_t misc, ept_vpid;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t efer_bits;     /* of IA32_EFER that may be 1 */
    uint64_t debugctl_bits; /* of IA32_DEBUGCTL that may be 1 */
    unsigned physical_width; /* MAXPHYADDR [bits] */
    unsigned linear_width;   /* of linear addresses, as CPUID tells [bits] */
    unsigned cr3_targets;   /* [count] */
    uint32_t msr_list_max;  /* entries in an MSR area [count] */
    bool exists[VMCS_SLOT_COUNT];
    uint16_t highest_index; /* of any existing field, for VMCS_ENUM */
};

enum { VMX_TIMER_SHIFT = 5 }; /* the preemption timer counts at TSC >> 5 */

/* Asks CPUID for the features that CR4 bits depend on. */
void vmx_caps_init(struct vmx_caps *, const struct cpu *);

/* The capability MSR 'index'; false if there is none. */
bool vmx_caps_rdmsr(const struct vmx_caps *, uint32_t index, uint64_t *value);

/* Does the VMCS field in this slot exist on this processor? */
static inline bool vmx_caps_field(const struct vmx_caps *caps, enum vmcs_slot slot)
{
    return caps->exists[slot];
}

#endif
