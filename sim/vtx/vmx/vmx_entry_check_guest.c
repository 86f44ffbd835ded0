/* Checks on guest control registers and MSRs, descriptor tables, RIP and RFLAGS (SDM Vol 3C
 * "Checks on the Guest State Area").  Segments and non-register state have files of their own. */
#include "sim/vtx/vmx/vmx_entry.h"

#include "sim/cpu/cpu.h"
#include "spec/x86/system.h"

/* NW and CD are never checked: VM entry does not load them. */
#define CR0_EXEMPT (CR0_NW | CR0_CD)
#define RFLAGS_RESERVED_0 (~0x3fffffull | 1u << 15 | 1u << 5 | 1u << 3)

static bool
guest_64(const struct vmcs *v)
{
    return v->entry_controls & VMX_ENTRY_GUEST_64;
}

static enum vmx_rule
check_control_registers(const struct vmx_caps *caps, const struct vmcs *v)
{
    uint64_t need = caps->cr0_fixed0 & ~CR0_EXEMPT;
    if (vmcs_secondary(v) & VMX_SECONDARY_UNRESTRICTED_GUEST) {
        need &= ~(CR0_PE | CR0_PG);
    }
    REQUIRE(GUEST_CR0_FIXED0, (v->guest_cr0 & need) == need);
    REQUIRE(GUEST_CR0_FIXED1, !(v->guest_cr0 & ~(caps->cr0_fixed1 | CR0_EXEMPT)));
    REQUIRE(GUEST_CR0_PG_PE, !(v->guest_cr0 & CR0_PG) || (v->guest_cr0 & CR0_PE));
    REQUIRE(GUEST_CR4_FIXED0, (v->guest_cr4 & caps->cr4_fixed0) == caps->cr4_fixed0);
    REQUIRE(GUEST_CR4_FIXED1, !(v->guest_cr4 & ~caps->cr4_fixed1));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_mode(const struct vmx_caps *caps, const struct vmcs *v)
{
    bool load_debug = v->entry_controls & VMX_ENTRY_LOAD_DEBUG;
    REQUIRE(GUEST_DEBUGCTL_RSVD, !load_debug || !(v->guest_debugctl & ~caps->debugctl_bits));
    if (guest_64(v)) {
        REQUIRE(GUEST_IA32E_PG, v->guest_cr0 & CR0_PG);
        REQUIRE(GUEST_IA32E_PAE, v->guest_cr4 & CR4_PAE);
    } else {
        REQUIRE(GUEST_CR4_PCIDE, !(v->guest_cr4 & CR4_PCIDE));
    }
    REQUIRE(GUEST_CR3_WIDTH, vmx_within(caps, v->guest_cr3));
    REQUIRE(GUEST_DR7_HIGH, !load_debug || v->guest_dr7 >> 32 == 0);
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_msrs(const struct vmx_caps *caps, const struct vmcs *v)
{
    REQUIRE(GUEST_SYSENTER_ESP_CANON, vmx_canonical(caps, v->guest_sysenter_esp));
    REQUIRE(GUEST_SYSENTER_EIP_CANON, vmx_canonical(caps, v->guest_sysenter_eip));
    REQUIRE(GUEST_PAT_TYPE, !(v->entry_controls & VMX_ENTRY_LOAD_PAT) || vmx_pat_ok(v->guest_pat));
    if (v->entry_controls & VMX_ENTRY_LOAD_EFER) {
        bool lma = v->guest_efer & EFER_LMA, lme = v->guest_efer & EFER_LME;
        REQUIRE(GUEST_EFER_RSVD, !(v->guest_efer & ~caps->efer_bits));
        REQUIRE(GUEST_EFER_LMA, lma == guest_64(v));
        REQUIRE(GUEST_EFER_LME, !(v->guest_cr0 & CR0_PG) || lme == lma);
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_tables(const struct vmx_caps *caps, const struct vmcs *v)
{
    REQUIRE(GUEST_GDTR_BASE_CANON, vmx_canonical(caps, v->guest_gdtr_base));
    REQUIRE(GUEST_IDTR_BASE_CANON, vmx_canonical(caps, v->guest_idtr_base));
    REQUIRE(GUEST_GDTR_LIMIT, v->guest_gdtr_limit >> 16 == 0);
    REQUIRE(GUEST_IDTR_LIMIT, v->guest_idtr_limit >> 16 == 0);
    return VMX_RULE_NONE;
}

/* Bits 63:N identical, N the width of linear addresses: one bit laxer than canonical, so a RIP just past the
 * lower half enters and faults on its fetch. */
static bool
rip_linear_ok(const struct vmx_caps *caps, uint64_t rip)
{
    uint64_t high = rip >> caps->linear_width;
    return high == 0 || high == UINT64_MAX >> caps->linear_width;
}

static enum vmx_rule
check_rip_rflags(const struct vmx_caps *caps, const struct vmcs *v)
{
    bool code64 = guest_64(v) && (v->guest_cs_rights & SEG_L);
    uint32_t info = (uint32_t)v->entry_interruption_info;
    bool external = (info & VMX_EVENT_VALID) && (info >> VMX_EVENT_TYPE_SHIFT & 7) == VMX_EVENT_EXTERNAL;
    REQUIRE(GUEST_RIP_HIGH, code64 || v->guest_rip >> 32 == 0);
    REQUIRE(GUEST_RIP_LINEAR, !code64 || rip_linear_ok(caps, v->guest_rip));
    REQUIRE(GUEST_RFLAGS_RSVD0, !(v->guest_rflags & RFLAGS_RESERVED_0));
    REQUIRE(GUEST_RFLAGS_RSVD1, v->guest_rflags & RFLAGS_FIXED);
    if (v->guest_rflags & RFLAGS_VM) {
        REQUIRE(GUEST_RFLAGS_VM_IA32E, !guest_64(v));
        REQUIRE(GUEST_RFLAGS_VM_REAL, v->guest_cr0 & CR0_PE);
    }
    REQUIRE(GUEST_RFLAGS_IF_EXTINT, !external || (v->guest_rflags & RFLAGS_IF));
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_guest(const struct vmx_entry_context *c)
{
    REQUIRE_ALL(check_control_registers(c->caps, c->vmcs));
    REQUIRE_ALL(check_mode(c->caps, c->vmcs));
    REQUIRE_ALL(check_msrs(c->caps, c->vmcs));
    REQUIRE_ALL(vmx_check_guest_segments(c));
    REQUIRE_ALL(check_tables(c->caps, c->vmcs));
    REQUIRE_ALL(check_rip_rflags(c->caps, c->vmcs));
    return vmx_check_guest_other(c);
}
