/* Capabilities, controls and VMCS set-up (SDM Vol 3C "Virtual Machine Control
 * Structures", "VMX Capability Reporting Facility"). */
#include "hv/vmx/vmx.h"

#include "hv/arch/lp_arch.h"
#include "hv/partition/partition.h"
#include "hv/rt/rt_tables.h"
#include "spec/x86/system.h"

struct vmx_controls vmx;

enum {
    PIN_NEED = VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_PREEMPTION_TIMER,
    PIN_LIKE = VMX_PIN_VIRTUAL_NMIS,
    PRIMARY_NEED = VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_TSC_OFFSETTING | VMX_PRIMARY_HLT | VMX_PRIMARY_MWAIT
        | VMX_PRIMARY_TPR_SHADOW | VMX_PRIMARY_IO_BITMAPS | VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_MONITOR,
    PRIMARY_LIKE = VMX_PRIMARY_MOV_DR, /* until a guest uses debug registers */
    SECONDARY_NEED = VMX_SECONDARY_EPT,
    SECONDARY_LIKE = VMX_SECONDARY_VPID | VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_UNRESTRICTED_GUEST
        | VMX_SECONDARY_RDTSCP | VMX_SECONDARY_INVPCID | VMX_SECONDARY_WBINVD,
    EXIT_NEED = VMX_EXIT_HOST_64 | VMX_EXIT_ACK_INTERRUPT | VMX_EXIT_SAVE_PAT | VMX_EXIT_LOAD_PAT
        | VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER | VMX_EXIT_SAVE_DEBUG,
    ENTRY_NEED = VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER,
};
/* The two are 31st bits and do not fit an enumerator. */
#define PRIMARY_SECONDARY (1u << 31)
#define BASIC_TRUE_MSRS (1ull << 55)
#define MISC_EXIT_SAVES_LMA (1u << 5)

void vmx_read_facts(struct vmx_facts *f)
{
    f->basic = arch_rdmsr(MSR_VMX_BASIC);
    bool exact = f->basic & BASIC_TRUE_MSRS;
    f->pin = arch_rdmsr(exact ? MSR_VMX_TRUE_PINBASED_CTLS : MSR_VMX_PINBASED_CTLS);
    f->primary = arch_rdmsr(exact ? MSR_VMX_TRUE_PROCBASED_CTLS : MSR_VMX_PROCBASED_CTLS);
    f->exit = arch_rdmsr(exact ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS);
    f->entry = arch_rdmsr(exact ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS);
    f->misc = arch_rdmsr(MSR_VMX_MISC);
    bool has_secondary = f->primary >> 63;
    f->secondary = has_secondary ? arch_rdmsr(MSR_VMX_PROCBASED_CTLS2) : 0;
    bool has_ept = f->secondary >> 32 & VMX_SECONDARY_EPT;
    f->ept_vpid = has_ept ? arch_rdmsr(MSR_VMX_EPT_VPID_CAP) : 0;
    f->cr0_fixed[0] = arch_rdmsr(MSR_VMX_CR0_FIXED0);
    f->cr0_fixed[1] = arch_rdmsr(MSR_VMX_CR0_FIXED1);
    f->cr4_fixed[0] = arch_rdmsr(MSR_VMX_CR4_FIXED0);
    f->cr4_fixed[1] = arch_rdmsr(MSR_VMX_CR4_FIXED1);
}

/* A control word: bits that must be 1, what we need, what we like and may have.
 * False if a needed bit may not be 1. */
static bool choose(uint64_t capability, uint32_t need, uint32_t like, uint32_t *word)
{
    uint32_t must = (uint32_t)capability, may = (uint32_t)(capability >> 32);
    *word = must | need | (like & may);
    return (need & ~may) == 0;
}

static bool names_missing(uint64_t capability, uint32_t bit) { return !(capability >> 32 & bit); }

const char *vmx_choose(const struct vmx_facts *f, struct vmx_controls *c)
{
    *c = (struct vmx_controls){ .revision = (uint32_t)f->basic & 0x7FFFFFFF };
    if (names_missing(f->primary, PRIMARY_SECONDARY) || names_missing(f->secondary, VMX_SECONDARY_EPT))
        return "extended page tables (EPT)";
    if (!(f->ept_vpid & EPT_CAP_4_LEVELS) || !(f->ept_vpid & EPT_CAP_WB) || !(f->ept_vpid & EPT_CAP_2M))
        return "EPT with four levels, write-back memory and 2 MiB pages";
    if (!(f->ept_vpid & EPT_CAP_INVEPT) || !(f->ept_vpid & EPT_CAP_INVEPT_SINGLE))
        return "INVEPT of a single context";
    if (names_missing(f->pin, VMX_PIN_PREEMPTION_TIMER))
        return "the VMX-preemption timer";
    if (names_missing(f->primary, VMX_PRIMARY_TPR_SHADOW))
        return "the TPR shadow";
    if (!choose(f->pin, PIN_NEED & ~VMX_PIN_PREEMPTION_TIMER, PIN_LIKE, &c->pin))
        return "external-interrupt and NMI exiting";
    if (!choose(f->primary, PRIMARY_NEED | PRIMARY_SECONDARY, PRIMARY_LIKE, &c->primary))
        return "I/O bitmaps, MSR bitmaps, TSC offsetting and HLT exiting";
    if (c->primary & (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE))
        return "control over CR3 exiting (the TRUE capability MSRs)";
    if (!choose(f->secondary, SECONDARY_NEED, SECONDARY_LIKE, &c->secondary))
        return "extended page tables (EPT)";
    if (!choose(f->exit, EXIT_NEED, 0, &c->exit) || !choose(f->entry, ENTRY_NEED, 0, &c->entry))
        return "loading and saving of IA32_EFER, IA32_PAT and debug controls by VM entry and exit";
    bool invvpid = (f->ept_vpid & VPID_CAP_INVVPID) && (f->ept_vpid & VPID_CAP_SINGLE);
    if (!invvpid)
        c->secondary &= ~(uint32_t)VMX_SECONDARY_VPID;
    c->primary &= ~(uint32_t)VMX_PRIMARY_INTERRUPT_WINDOW; /* switched on when needed */
    c->timer_shift = f->misc & 0x1F;
    c->has_vpid = c->secondary & VMX_SECONDARY_VPID;
    c->has_x2apic_mode = c->secondary & VMX_SECONDARY_X2APIC_MODE;
    c->has_unrestricted = c->secondary & VMX_SECONDARY_UNRESTRICTED_GUEST;
    c->has_1g_ept = f->ept_vpid & EPT_CAP_1G;
    c->has_exit_lma = f->misc & MISC_EXIT_SAVES_LMA;
    c->cr0_fixed0 = f->cr0_fixed[0];
    c->cr0_fixed1 = f->cr0_fixed[1];
    c->cr4_fixed0 = f->cr4_fixed[0];
    c->cr4_fixed1 = f->cr4_fixed[1];
    return NULL;
}

void vmx_enable(struct lp *lp)
{
    uint64_t control = arch_rdmsr(MSR_IA32_FEATURE_CONTROL);
    if (!(control & FEATURE_CONTROL_LOCK))
        arch_wrmsr(MSR_IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
    lp_arch_vmx_control_registers();
    *(uint32_t *)arch_spa_pointer(lp->vmxon_region) = vmx.revision;
    if (!arch_vmxon(lp->vmxon_region))
        hv_panic("VMXON failed on logical processor %u", lp->index);
}

static void set_controls(struct vp *vp)
{
    struct partition *p = vp->partition;
    vp->pin = vmx.pin;
    vp->primary = vmx.primary;
    arch_vmwrite(VMCS_PIN_CONTROLS, vp->pin);
    arch_vmwrite(VMCS_PRIMARY_CONTROLS, vp->primary);
    arch_vmwrite(VMCS_SECONDARY_CONTROLS, vmx.secondary);
    arch_vmwrite(VMCS_EXIT_CONTROLS, vmx.exit);
    arch_vmwrite(VMCS_ENTRY_CONTROLS, vmx.entry);
    arch_vmwrite(VMCS_EXCEPTION_BITMAP, 0);
    arch_vmwrite(VMCS_PF_ERROR_MASK, 0);
    arch_vmwrite(VMCS_PF_ERROR_MATCH, 0);
    arch_vmwrite(VMCS_CR3_TARGET_COUNT, 0);
    arch_vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
    arch_vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    arch_vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    arch_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    arch_vmwrite(VMCS_TSC_OFFSET, 0);
    arch_vmwrite(VMCS_IO_BITMAP_A, p->intercepts.io_bitmap[0]);
    arch_vmwrite(VMCS_IO_BITMAP_B, p->intercepts.io_bitmap[1]);
    arch_vmwrite(VMCS_MSR_BITMAP, p->intercepts.msr_bitmap);
    arch_vmwrite(VMCS_VIRTUAL_APIC_ADDRESS, vp->virtual_apic);
    arch_vmwrite(VMCS_TPR_THRESHOLD, 0);
    arch_vmwrite(VMCS_EPT_POINTER, p->gpa.eptp);
    if (vmx.has_vpid)
        arch_vmwrite(VMCS_VPID, vp->vpid);
    arch_vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
}

static void set_common_host_state(void)
{
    struct lp_arch_host h;
    lp_arch_host(&h);
    arch_vmwrite(VMCS_HOST_CR0, h.cr0);
    arch_vmwrite(VMCS_HOST_CR3, h.cr3);
    arch_vmwrite(VMCS_HOST_CR4, h.cr4);
    arch_vmwrite(VMCS_HOST_EFER, h.efer);
    arch_vmwrite(VMCS_HOST_PAT, h.pat);
    arch_vmwrite(VMCS_HOST_CS_SELECTOR, RT_SELECTOR_CODE);
    arch_vmwrite(VMCS_HOST_SS_SELECTOR, RT_SELECTOR_DATA);
    arch_vmwrite(VMCS_HOST_DS_SELECTOR, RT_SELECTOR_DATA);
    arch_vmwrite(VMCS_HOST_ES_SELECTOR, RT_SELECTOR_DATA);
    arch_vmwrite(VMCS_HOST_FS_SELECTOR, 0);
    arch_vmwrite(VMCS_HOST_GS_SELECTOR, 0);
    arch_vmwrite(VMCS_HOST_TR_SELECTOR, RT_SELECTOR_TSS);
    arch_vmwrite(VMCS_HOST_FS_BASE, 0);
    arch_vmwrite(VMCS_HOST_IDTR_BASE, lp_arch_idt());
    arch_vmwrite(VMCS_HOST_SYSENTER_CS, 0);
    arch_vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
    arch_vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
    arch_vmwrite(VMCS_HOST_RIP, h.exit_entry);
}

void vmx_set_host_state(struct lp *lp)
{
    arch_vmwrite(VMCS_HOST_GS_BASE, (uint64_t)lp);
    arch_vmwrite(VMCS_HOST_TR_BASE, lp_arch_tss(lp));
    arch_vmwrite(VMCS_HOST_GDTR_BASE, lp_arch_gdt(lp));
}

void vmx_init_vmcs(struct vp *vp)
{
    set_controls(vp);
    set_common_host_state();
    vp_reset_registers(vp, true);
}

void vmx_set_window(struct vp *vp, bool on)
{
    if (vp->window_open == on)
        return;
    vp->window_open = on;
    vp->primary ^= VMX_PRIMARY_INTERRUPT_WINDOW;
    arch_vmwrite(VMCS_PRIMARY_CONTROLS, vp->primary);
}

void vmx_set_preemption_timer(struct vp *vp, uint64_t tsc_ticks, bool on)
{
    bool is_on = vp->pin & VMX_PIN_PREEMPTION_TIMER;
    if (on != is_on) {
        vp->pin ^= VMX_PIN_PREEMPTION_TIMER;
        arch_vmwrite(VMCS_PIN_CONTROLS, vp->pin);
    }
    if (on)
        arch_vmwrite(VMCS_PREEMPTION_TIMER, rt_min(tsc_ticks >> vmx.timer_shift, UINT32_MAX));
}
