/* Checks on the controls, in the order of the manual (SDM Vol 3C "Checks on VMX Controls"). */
#include "sim/vtx/vmx/vmx_entry.h"

#include "sim/cpu/cpu.h"
#include "sim/mem/mem.h"

static bool
has_musts(uint64_t word, struct vmx_allowed a)
{
    return (word & a.must) == a.must;
}

static bool
has_only_offered(uint64_t word, struct vmx_allowed a)
{
    return (word & ~(uint64_t)a.may) == 0;
}

static bool
page_aligned(uint64_t address)
{
    return (address & 0xfff) == 0;
}

static enum vmx_rule
check_words(const struct vmx_caps *caps, const struct vmcs *v)
{
    REQUIRE(ENTRY_CTL_PIN_MUST1, has_musts(v->pin_controls, caps->pin));
    REQUIRE(ENTRY_CTL_PIN_MUST0, has_only_offered(v->pin_controls, caps->pin));
    REQUIRE(ENTRY_CTL_PRI_MUST1, has_musts(v->primary_controls, caps->primary));
    REQUIRE(ENTRY_CTL_PRI_MUST0, has_only_offered(v->primary_controls, caps->primary));
    REQUIRE(ENTRY_CTL_SEC_MUST0, has_only_offered(vmcs_secondary(v), caps->secondary));
    REQUIRE(ENTRY_CTL_CR3TGT_COUNT, v->cr3_target_count <= caps->cr3_targets);
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_bitmaps(const struct vmx_caps *caps, const struct vmcs *v)
{
    if (v->primary_controls & VMX_PRIMARY_IO_BITMAPS) {
        REQUIRE(ENTRY_CTL_IOBMP_A_ALIGN, page_aligned(v->io_bitmap_a));
        REQUIRE(ENTRY_CTL_IOBMP_A_WIDTH, vmx_within(caps, v->io_bitmap_a));
        REQUIRE(ENTRY_CTL_IOBMP_B_ALIGN, page_aligned(v->io_bitmap_b));
        REQUIRE(ENTRY_CTL_IOBMP_B_WIDTH, vmx_within(caps, v->io_bitmap_b));
    }
    if (v->primary_controls & VMX_PRIMARY_MSR_BITMAPS) {
        REQUIRE(ENTRY_CTL_MSRBMP_ALIGN, page_aligned(v->msr_bitmap));
        REQUIRE(ENTRY_CTL_MSRBMP_WIDTH, vmx_within(caps, v->msr_bitmap));
    }
    return VMX_RULE_NONE;
}

static uint8_t
virtual_tpr(const struct mem *mem, uint64_t page)
{
    const uint8_t *p = mem_ram(mem, page + 0x80);
    return p ? *p : 0xff; /* not RAM: reads all ones */
}

static enum vmx_rule
check_tpr(const struct vmx_entry_context *c, uint32_t secondary)
{
    const struct vmcs *v = c->vmcs;
    if (!(v->primary_controls & VMX_PRIMARY_TPR_SHADOW)) {
        return VMX_RULE_NONE;
    }
    REQUIRE(ENTRY_CTL_VAPIC_ALIGN, page_aligned(v->virtual_apic_address));
    REQUIRE(ENTRY_CTL_VAPIC_WIDTH, vmx_within(c->caps, v->virtual_apic_address));
    if (!(secondary & VMX_SECONDARY_VIRTUAL_INTERRUPTS)) {
        REQUIRE(ENTRY_CTL_TPRTHR_RSVD, v->tpr_threshold >> 4 == 0);
        REQUIRE(ENTRY_CTL_TPRTHR_VTPR,
                (v->tpr_threshold & 0xf) <= (unsigned)virtual_tpr(c->mem, v->virtual_apic_address) >> 4);
    }
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_dependencies(const struct vmcs *v, uint32_t secondary)
{
    uint32_t pin = (uint32_t)v->pin_controls, primary = (uint32_t)v->primary_controls;
    REQUIRE(ENTRY_CTL_VNMI_NEEDS_NMI, !(pin & VMX_PIN_VIRTUAL_NMIS) || (pin & VMX_PIN_NMI));
    REQUIRE(ENTRY_CTL_NMIWIN_NEEDS_VNMI, !(primary & VMX_PRIMARY_NMI_WINDOW) || (pin & VMX_PIN_VIRTUAL_NMIS));
    if (!(primary & VMX_PRIMARY_TPR_SHADOW)) {
        REQUIRE(ENTRY_CTL_X2APIC_NEEDS_TPR, !(secondary & VMX_SECONDARY_X2APIC_MODE));
        REQUIRE(ENTRY_CTL_APICREG_NEEDS_TPR, !(secondary & VMX_SECONDARY_APIC_REGISTERS));
        REQUIRE(ENTRY_CTL_VID_NEEDS_TPR, !(secondary & VMX_SECONDARY_VIRTUAL_INTERRUPTS));
    }
    REQUIRE(ENTRY_CTL_VID_NEEDS_EXTINT,
            !(secondary & VMX_SECONDARY_VIRTUAL_INTERRUPTS) || (pin & VMX_PIN_EXTERNAL_INTERRUPT));
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_eptp(const struct vmx_caps *caps, uint64_t eptp)
{
    unsigned type = eptp & 7;
    REQUIRE(ENTRY_CTL_EPTP_MEMTYPE, type == MEMORY_TYPE_UC || type == MEMORY_TYPE_WB);
    REQUIRE(ENTRY_CTL_EPTP_WALK, (eptp >> EPTP_WALK_SHIFT & 7) == 3);
    REQUIRE(ENTRY_CTL_EPTP_SSS, !(eptp & 1 << 7));
    REQUIRE(ENTRY_CTL_EPTP_RSVD, !(eptp & 0xf00) && vmx_within(caps, eptp));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_translation(const struct vmx_caps *caps, const struct vmcs *v, uint32_t secondary)
{
    REQUIRE(ENTRY_CTL_VPID_ZERO, !(secondary & VMX_SECONDARY_VPID) || v->vpid != 0);
    if (secondary & VMX_SECONDARY_EPT) {
        REQUIRE_ALL(vmx_check_eptp(caps, v->ept_pointer));
    }
    REQUIRE(ENTRY_CTL_UG_NEEDS_EPT,
            !(secondary & VMX_SECONDARY_UNRESTRICTED_GUEST) || (secondary & VMX_SECONDARY_EPT));
    return VMX_RULE_NONE;
}

/* MSR areas: three rules in a row, from 'align' on.  128-bit arithmetic is not
 * needed: address and count * 16 stay far below 2^64 once the width is checked. */
static enum vmx_rule
check_area(const struct vmx_caps *caps, enum vmx_rule align, uint64_t address, uint64_t count)
{
    if (count == 0) {
        return VMX_RULE_NONE;
    }
    REQUIRE_RULE(align, (address & 0xf) == 0);
    REQUIRE_RULE(align + 1, vmx_within(caps, address));
    REQUIRE_RULE(align + 2, vmx_within(caps, address + count * VMX_MSR_ENTRY_SIZE - 1));
    return VMX_RULE_NONE;
}

static enum vmx_rule
check_exit_controls(const struct vmx_caps *caps, const struct vmcs *v)
{
    REQUIRE(ENTRY_CTL_EXIT_MUST1, has_musts(v->exit_controls, caps->exit));
    REQUIRE(ENTRY_CTL_EXIT_MUST0, has_only_offered(v->exit_controls, caps->exit));
    REQUIRE(ENTRY_CTL_SAVETIMER_NEEDS_TIMER,
            !(v->exit_controls & VMX_EXIT_SAVE_PREEMPTION_TIMER) || (v->pin_controls & VMX_PIN_PREEMPTION_TIMER));
    REQUIRE_ALL(check_area(caps, VMX_RULE_ENTRY_CTL_XSTORE_ALIGN, v->exit_msr_store_address, v->exit_msr_store_count));
    REQUIRE_ALL(check_area(caps, VMX_RULE_ENTRY_CTL_XLOAD_ALIGN, v->exit_msr_load_address, v->exit_msr_load_count));
    return VMX_RULE_NONE;
}

/* Exceptions that push an error code (SDM Vol 3A "Exceptions and Interrupts Reference"). */
static bool
pushes_error(unsigned vector)
{
    return vector < 32 && (0x00027d00u >> vector & 1);
}

/* SDM "Checks on VM-Entry Control Fields", fields for event injection. */
static enum vmx_rule
check_injection(const struct vmcs *v, uint32_t secondary)
{
    uint32_t info = (uint32_t)v->entry_interruption_info;
    if (!(info & VMX_EVENT_VALID)) {
        return VMX_RULE_NONE;
    }
    unsigned vector = info & 0xff, type = info >> VMX_EVENT_TYPE_SHIFT & 7;
    bool error = info & VMX_EVENT_ERROR;
    bool real_mode = (secondary & VMX_SECONDARY_UNRESTRICTED_GUEST) && !(v->guest_cr0 & 1);
    REQUIRE(ENTRY_CTL_EVT_TYPE, type != VMX_EVENT_RESERVED);
    REQUIRE(ENTRY_CTL_EVT_NMI_VECTOR, type != VMX_EVENT_NMI || vector == X_NMI);
    REQUIRE(ENTRY_CTL_EVT_HWEXC_VECTOR, type != VMX_EVENT_HARDWARE || vector <= 31);
    REQUIRE(ENTRY_CTL_EVT_OTHER_VECTOR, type != VMX_EVENT_OTHER || vector == 0);
    REQUIRE(ENTRY_CTL_EVT_EC_NOT_HWEXC, !error || type == VMX_EVENT_HARDWARE);
    REQUIRE(ENTRY_CTL_EVT_EC_REALMODE, !error || !real_mode);
    if (type == VMX_EVENT_HARDWARE && !real_mode) {
        REQUIRE(ENTRY_CTL_EVT_EC_MISSING, error || !pushes_error(vector));
        REQUIRE(ENTRY_CTL_EVT_EC_EXTRA, !error || pushes_error(vector));
    }
    REQUIRE(ENTRY_CTL_EVT_RSVD, !(info & 0x7ffff000u));
    REQUIRE(ENTRY_CTL_EVT_EC_VALUE, !error || v->entry_exception_error >> 16 == 0);
    if (type == VMX_EVENT_SOFTWARE_INT || type == VMX_EVENT_PRIVILEGED || type == VMX_EVENT_SOFTWARE_EXC) {
        REQUIRE(ENTRY_CTL_EVT_ILEN, v->entry_instruction_length <= 15);
        REQUIRE(ENTRY_CTL_EVT_ILEN_ZERO, v->entry_instruction_length != 0);
    }
    return VMX_RULE_NONE;
}

enum vmx_rule
vmx_check_controls(const struct vmx_entry_context *c)
{
    const struct vmcs *v = c->vmcs;
    uint32_t secondary = vmcs_secondary(v);
    REQUIRE_ALL(check_words(c->caps, v));
    REQUIRE_ALL(check_bitmaps(c->caps, v));
    REQUIRE_ALL(check_tpr(c, secondary));
    REQUIRE_ALL(check_dependencies(v, secondary));
    REQUIRE_ALL(check_translation(c->caps, v, secondary));
    REQUIRE_ALL(check_exit_controls(c->caps, v));
    REQUIRE(ENTRY_CTL_ENTRY_MUST1, has_musts(v->entry_controls, c->caps->entry));
    REQUIRE(ENTRY_CTL_ENTRY_MUST0, has_only_offered(v->entry_controls, c->caps->entry));
    REQUIRE_ALL(check_injection(v, secondary));
    return check_area(c->caps, VMX_RULE_ENTRY_CTL_NLOAD_ALIGN, v->entry_msr_load_address, v->entry_msr_load_count);
}
