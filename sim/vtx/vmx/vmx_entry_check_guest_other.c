/* SDM Vol 3C "Checks on Guest Non-Register State" and "Checks on Guest
 * Page-Directory-Pointer-Table Entries". */
#include "sim/vtx/vmx/vmx_entry.h"

#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/mem/mem.h"
#include "spec/x86/system.h"

/* B3-B0, enabled breakpoint, BS; the RTM bit needs a CPUID feature we lack. */
#define PENDING_DEFINED ((uint64_t)(VMX_PENDING_B | VMX_PENDING_ENABLED | VMX_PENDING_BS))

struct injected {
    bool valid;
    unsigned type, vector;
};

static struct injected
injected(const struct vmcs *v)
{
    uint32_t info = (uint32_t)v->entry_interruption_info;
    return (struct injected){ info & VMX_EVENT_VALID, info >> VMX_EVENT_TYPE_SHIFT & 7, info & 0xff };
}

static bool
is(struct injected e, enum vmx_event_type type)
{
    return e.valid && e.type == (unsigned)type;
}

static bool
hlt_allows(struct injected e)
{
    return !e.valid || e.type == VMX_EVENT_EXTERNAL || e.type == VMX_EVENT_NMI ||
           (e.type == VMX_EVENT_HARDWARE && (e.vector == X_DB || e.vector == X_MC)) ||
           e.type == VMX_EVENT_OTHER;
}

static bool
shutdown_allows(struct injected e)
{
    return !e.valid || e.type == VMX_EVENT_NMI || (e.type == VMX_EVENT_HARDWARE && e.vector == X_MC);
}

static enum vmx_rule
check_activity(const struct vmcs *v, struct injected e)
{
    uint64_t activity = v->guest_activity;
    REQUIRE(GUEST_ACT_SUPPORTED, activity <= VMX_ACTIVITY_WAIT_SIPI);
    REQUIRE(GUEST_ACT_HLT_DPL, activity != VMX_ACTIVITY_HLT || !(v->guest_ss_rights >> SEG_DPL_SHIFT & 3));
    REQUIRE(GUEST_ACT_BLOCKING, activity == VMX_ACTIVITY_ACTIVE ||
                                    !(v->guest_interruptibility & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS)));
    REQUIRE(GUEST_ACT_HLT_EVENT, activity != VMX_ACTIVITY_HLT || hlt_allows(e));
    REQUIRE(GUEST_ACT_SHUTDOWN_EVENT, activity != VMX_ACTIVITY_SHUTDOWN || shutdown_allows(e));
    REQUIRE(GUEST_ACT_SIPI_EVENT, activity != VMX_ACTIVITY_WAIT_SIPI || !e.valid);
    return VMX_RULE_NONE;
}

/* Injecting an NMI under blocking by STI is accepted: the manual leaves it to the processor. */
static enum vmx_rule
check_interruptibility(const struct vmcs *v, struct injected e)
{
    uint64_t state = v->guest_interruptibility;
    bool sti = state & VMX_BLOCKED_STI, mov_ss = state & VMX_BLOCKED_MOV_SS;
    REQUIRE(GUEST_INT_RSVD, state >> 5 == 0);
    REQUIRE(GUEST_INT_STI_MOVSS, !(sti && mov_ss));
    REQUIRE(GUEST_INT_STI_IF, !sti || (v->guest_rflags & RFLAGS_IF));
    REQUIRE(GUEST_INT_STI_EXTINT, !sti || !is(e, VMX_EVENT_EXTERNAL));
    REQUIRE(GUEST_INT_MOVSS_EXTINT, !mov_ss || !is(e, VMX_EVENT_EXTERNAL));
    REQUIRE(GUEST_INT_MOVSS_NMI, !mov_ss || !is(e, VMX_EVENT_NMI));
    REQUIRE(GUEST_INT_SMI_OUTSIDE, !(state & VMX_BLOCKED_SMI));
    REQUIRE(GUEST_INT_VNMI, !(v->pin_controls & VMX_PIN_VIRTUAL_NMIS) || !is(e, VMX_EVENT_NMI) ||
                                !(state & VMX_BLOCKED_NMI));
    REQUIRE(GUEST_INT_ENCLAVE_SGX, !(state & VMX_BLOCKED_ENCLAVE));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_pending_debug(const struct vmcs *v)
{
    uint64_t pending = v->guest_pending_debug;
    bool stepping = (v->guest_rflags & RFLAGS_TF) && !(v->guest_debugctl & DEBUGCTL_BTF);
    bool held = (v->guest_interruptibility & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS)) ||
                v->guest_activity == VMX_ACTIVITY_HLT;
    REQUIRE(GUEST_PDBG_RSVD, !(pending & ~PENDING_DEFINED));
    if (held) {
        REQUIRE(GUEST_PDBG_BS_SET, !stepping || (pending & VMX_PENDING_BS));
        REQUIRE(GUEST_PDBG_BS_CLEAR, stepping || !(pending & VMX_PENDING_BS));
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_link(const struct vmx_entry_context *c)
{
    uint64_t link = c->vmcs->link_pointer;
    if (link == UINT64_MAX) {
        return VMX_RULE_NONE;
    }
    REQUIRE(GUEST_LINK_ALIGN, (link & 0xfff) == 0);
    REQUIRE(GUEST_LINK_WIDTH, vmx_within(c->caps, link));
    const uint8_t *region = mem_ram(c->mem, link);
    uint32_t revision = UINT32_MAX; /* what is not RAM reads as ones */
    if (region) {
        memcpy(&revision, region, sizeof revision);
    }
    REQUIRE(GUEST_LINK_REVISION, (revision & 0x7fffffff) == VMCS_REVISION);
    REQUIRE(GUEST_LINK_SHADOW, !(revision & 0x80000000));
    REQUIRE(GUEST_LINK_CURRENT, link != c->address);
    return VMX_RULE_NONE;
}

/* Bits 2:1, 8:5 and those above the physical-address width (SDM Vol 3A "PDPTE Registers"). */
static bool
pdpte_ok(const struct vmx_caps *caps, uint64_t pdpte)
{
    return !(pdpte & PTE_P) || (!(pdpte & 0x1e6) && vmx_within(caps, pdpte));
}

static enum vmx_rule
check_pdptes(const struct vmx_entry_context *c)
{
    const struct vmcs *v = c->vmcs;
    if (!(v->guest_cr0 & CR0_PG) || !(v->guest_cr4 & CR4_PAE) || (v->entry_controls & VMX_ENTRY_GUEST_64)) {
        return VMX_RULE_NONE;
    }
    uint64_t pdpte[4];
    if (vmcs_secondary(v) & VMX_SECONDARY_EPT) {
        memcpy(pdpte, &v->slot[SLOT_GUEST_PDPTE0], sizeof pdpte);
    } else if (!mem_read(c->mem, v->guest_cr3 & 0xffffffe0, pdpte, sizeof pdpte)) {
        memset(pdpte, 0xff, sizeof pdpte);
    }
    for (unsigned i = 0; i < 4; i++) {
        REQUIRE(GUEST_PDPTE_RSVD, pdpte_ok(c->caps, pdpte[i]));
    }
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_guest_other(const struct vmx_entry_context *c)
{
    struct injected e = injected(c->vmcs);
    REQUIRE_ALL(check_activity(c->vmcs, e));
    REQUIRE_ALL(check_interruptibility(c->vmcs, e));
    REQUIRE_ALL(check_pending_debug(c->vmcs));
    REQUIRE_ALL(check_link(c));
    return check_pdptes(c);
}
