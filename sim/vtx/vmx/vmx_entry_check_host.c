/* Checks on the host-state area (SDM Vol 3C "Checks on VMX Controls and Host-State Area"). */
#include "sim/vtx/vmx/vmx_entry.h"

#include "sim/cpu/cpu.h"

/* NW and CD are never checked: VM entry and exit do not load them. */
#define CR0_EXEMPT 0x60000000ull
#define CR4_PAE (1ull << 5)
#define CR4_PCIDE (1ull << 17)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

/* PAT memory types: UC, WC, WT, WP, WB, UC- (SDM Vol 3A "IA32_PAT MSR"). */
bool
vmx_pat_ok(uint64_t pat)
{
    for (; pat; pat >>= 8) {
        unsigned type = pat & 0xff;
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

/* SDM "Checks Related to Address-Space Size": what depends on the mode now. */
static enum vmx_rule
check_size_now(const struct vmx_entry_context *c)
{
    bool host64 = c->vmcs->exit_controls & VMX_EXIT_HOST_64;
    bool guest64 = c->vmcs->entry_controls & VMX_ENTRY_GUEST_64;
    REQUIRE(HOST_SIZE_LMA1, !c->lma || host64);
    REQUIRE(HOST_SIZE_LMA0_HOST, c->lma || !host64);
    REQUIRE(HOST_SIZE_GUEST64_HOST32, host64 || !guest64);
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_control_registers(const struct vmx_caps *caps, const struct vmcs *v)
{
    uint64_t need = caps->cr0_fixed0 & ~CR0_EXEMPT;
    REQUIRE(HOST_CR0_FIXED0, (v->host_cr0 & need) == need);
    REQUIRE(HOST_CR0_FIXED1, !(v->host_cr0 & ~(caps->cr0_fixed1 | CR0_EXEMPT)));
    REQUIRE(HOST_CR4_FIXED0, (v->host_cr4 & caps->cr4_fixed0) == caps->cr4_fixed0);
    REQUIRE(HOST_CR4_FIXED1, !(v->host_cr4 & ~caps->cr4_fixed1));
    REQUIRE(HOST_CR3_WIDTH, vmx_within(caps, v->host_cr3));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_msrs(const struct vmx_caps *caps, const struct vmcs *v)
{
    REQUIRE(HOST_SYSENTER_ESP_CANON, vmx_canonical(caps, v->host_sysenter_esp));
    REQUIRE(HOST_SYSENTER_EIP_CANON, vmx_canonical(caps, v->host_sysenter_eip));
    REQUIRE(HOST_PAT_TYPE, !(v->exit_controls & VMX_EXIT_LOAD_PAT) || vmx_pat_ok(v->host_pat));
    if (v->exit_controls & VMX_EXIT_LOAD_EFER) {
        bool host64 = v->exit_controls & VMX_EXIT_HOST_64;
        REQUIRE(HOST_EFER_RSVD, !(v->host_efer & ~caps->efer_bits));
        REQUIRE(HOST_EFER_LMA, !(v->host_efer & EFER_LMA) == !host64);
        REQUIRE(HOST_EFER_LME, !(v->host_efer & EFER_LME) == !host64);
    }
    return VMX_RULE_NONE;
}

/* SDM "Checks Related to Address-Space Size": what depends on the host to come. */
static enum vmx_rule
check_size_later(const struct vmx_caps *caps, const struct vmcs *v)
{
    if (v->exit_controls & VMX_EXIT_HOST_64) {
        REQUIRE(HOST_CR4_PAE, v->host_cr4 & CR4_PAE);
        REQUIRE(HOST_RIP_CANON, vmx_canonical(caps, v->host_rip));
    } else {
        REQUIRE(HOST_CR4_PCIDE, !(v->host_cr4 & CR4_PCIDE));
        REQUIRE(HOST_RIP_HIGH, v->host_rip >> 32 == 0);
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_segments(const struct vmx_caps *caps, const struct vmcs *v)
{
    enum { HOST_SELECTORS = 7 }; /* ES CS SS DS FS GS TR */
    for (unsigned i = 0; i < HOST_SELECTORS; i++) {
        REQUIRE_RULE(VMX_RULE_HOST_ES_RPL_TI + i, !(v->slot[SLOT_HOST_ES_SELECTOR + i] & 7));
    }
    REQUIRE(HOST_CS_NULL, v->host_cs_selector != 0);
    REQUIRE(HOST_TR_NULL, v->host_tr_selector != 0);
    REQUIRE(HOST_SS_NULL, (v->exit_controls & VMX_EXIT_HOST_64) || v->host_ss_selector != 0);
    REQUIRE(HOST_FS_BASE_CANON, vmx_canonical(caps, v->host_fs_base));
    REQUIRE(HOST_GS_BASE_CANON, vmx_canonical(caps, v->host_gs_base));
    REQUIRE(HOST_GDTR_BASE_CANON, vmx_canonical(caps, v->host_gdtr_base));
    REQUIRE(HOST_IDTR_BASE_CANON, vmx_canonical(caps, v->host_idtr_base));
    REQUIRE(HOST_TR_BASE_CANON, vmx_canonical(caps, v->host_tr_base));
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_host(const struct vmx_entry_context *c)
{
    REQUIRE_ALL(check_size_now(c));
    REQUIRE_ALL(check_control_registers(c->caps, c->vmcs));
    REQUIRE_ALL(check_msrs(c->caps, c->vmcs));
    REQUIRE_ALL(check_size_later(c->caps, c->vmcs));
    return check_segments(c->caps, c->vmcs);
}
