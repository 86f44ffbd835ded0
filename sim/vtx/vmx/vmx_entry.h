/* VM entry: may this VMCS be entered, and entering it.
 *
 * Three stages (SDM Vol 3C "VM Entries").  Checks are pure: they read the VMCS,
 * the capabilities and a little memory, and name the first rule that is broken.
 * Loading cannot fail, except for the MSR-load list, which comes after the rest
 * and has its own failure path.  Injection comes last, inside the guest.
 *
 * The order of checks inside a group is open in the manual; ours is pinned to the
 * order of spec/vmx/entry_rules.def.  Groups are fixed by architecture: basic,
 * controls and host state (VMfail), guest state (exit 33), MSR list (exit 34).
 */
#ifndef SIM_VTX_VMX_VMX_ENTRY_H
#define SIM_VTX_VMX_VMX_ENTRY_H

#include "sim/vtx/vmx/vmx_caps.h"
#include "sim/vtx/vmx/vmx_rules.h"

struct cpu;
struct mem;

/* What the checks depend on besides the VMCS. */
struct vmx_entry_context {
    const struct vmx_caps *caps;
    const struct vmcs *vmcs;
    const struct mem *mem; /* for VTPR, the linked VMCS and PDPTEs */
    uint64_t address;      /* of the VMCS */
    bool lma;              /* IA32_EFER.LMA now */
};

/* Each returns the first broken rule of its group, or VMX_RULE_NONE. */
enum vmx_rule vmx_check_controls(const struct vmx_entry_context *);
enum vmx_rule vmx_check_host(const struct vmx_entry_context *);
enum vmx_rule vmx_check_guest(const struct vmx_entry_context *);
enum vmx_rule vmx_check_guest_segments(const struct vmx_entry_context *); /* part of vmx_check_guest */
enum vmx_rule vmx_check_guest_other(const struct vmx_entry_context *);    /* likewise: non-register state on */

/* Would VM entry accept this EPT pointer? (Also asked by INVEPT.) */
enum vmx_rule vmx_check_eptp(const struct vmx_caps *, uint64_t eptp);

/* Shared by the checks. */
static inline bool vmx_within(const struct vmx_caps *caps, uint64_t address)
{
    return address >> caps->physical_width == 0;
}
/* "Canonicality Checking" (SDM Vol 1): fields have the width the processor supports, whatever CR4.LA57 says. */
static inline bool vmx_canonical(const struct vmx_caps *caps, uint64_t address)
{
    unsigned spare = 64 - caps->linear_width;
    return (uint64_t)((int64_t)(address << spare) >> spare) == address;
}
bool vmx_pat_ok(uint64_t pat);

#define REQUIRE(id, condition)            \
    do {                                  \
        if (!(condition)) {               \
            return VMX_RULE_##id;         \
        }                                 \
    } while (0)
#define REQUIRE_RULE(rule, condition)     \
    do {                                  \
        if (!(condition)) {               \
            return (enum vmx_rule)(rule); \
        }                                 \
    } while (0)
/* Passes a broken rule on. */
#define REQUIRE_ALL(check)                \
    do {                                  \
        enum vmx_rule broken = (check);   \
        if (broken) {                     \
            return broken;                \
        }                                 \
    } while (0)

#endif
