/* Named registers of a VP (TLFS "Virtual Processor Registers").  The VP is
 * stopped or the caller's own; its VMCS is made current here for the time. */
#include "hv/exits/exits.h"
#include "hv/partition/partition.h"
#include "hv/stimer/stimer.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"
#include "spec/x86/system.h"

enum { SEGMENTS = 8, ATTRIBUTES_MASK = 0xF0FF, ACTIVITY_STARTUP = 1, ACTIVITY_HALT = 2 };

/* Registers that are one VMCS field of 64 bits. */
static const struct { uint32_t name, field; } fields[] = {
    { HV_X64_REGISTER_RSP, VMCS_GUEST_RSP }, { HV_X64_REGISTER_RIP, VMCS_GUEST_RIP },
    { HV_X64_REGISTER_CR3, VMCS_GUEST_CR3 }, { HV_X64_REGISTER_DR7, VMCS_GUEST_DR7 },
    { HV_X64_REGISTER_PAT, VMCS_GUEST_PAT }, { HV_X64_REGISTER_SYSENTER_CS, VMCS_GUEST_SYSENTER_CS },
    { HV_X64_REGISTER_SYSENTER_EIP, VMCS_GUEST_SYSENTER_EIP },
    { HV_X64_REGISTER_SYSENTER_ESP, VMCS_GUEST_SYSENTER_ESP },
};

/* MSRs that are switched with the VP (order of vp->msr). */
static const uint32_t switched[] = {
    HV_X64_REGISTER_STAR, HV_X64_REGISTER_LSTAR, HV_X64_REGISTER_CSTAR,
    HV_X64_REGISTER_SFMASK, HV_X64_REGISTER_KERNEL_GS_BASE,
};

static int synthetic_msr(uint32_t name)
{
    switch (name) {
    case HV_X64_REGISTER_HYPERCALL: return HV_MSR_HYPERCALL;
    case HV_X64_REGISTER_GUEST_OS_ID: return HV_MSR_GUEST_OS_ID;
    case HV_X64_REGISTER_VP_ASSIST_PAGE: return HV_MSR_VP_ASSIST_PAGE;
    case HV_X64_REGISTER_REFERENCE_TSC: return HV_MSR_REFERENCE_TSC;
    case HV_X64_REGISTER_SCONTROL: return HV_MSR_SCONTROL;
    case HV_X64_REGISTER_SVERSION: return HV_MSR_SVERSION;
    case HV_X64_REGISTER_SIEFP: return HV_MSR_SIEFP;
    case HV_X64_REGISTER_SIMP: return HV_MSR_SIMP;
    case HV_X64_REGISTER_EOM: return HV_MSR_EOM;
    case HV_X64_REGISTER_APIC_BASE: return MSR_APIC_BASE;
    }
    if (name - HV_X64_REGISTER_SINT0 < HV_SINT_COUNT)
        return (int)(HV_MSR_SINT0 + (name - HV_X64_REGISTER_SINT0));
    if (name - HV_X64_REGISTER_STIMER0_CONFIG < 2 * HV_STIMER_COUNT)
        return (int)(HV_MSR_STIMER0_CONFIG + (name - HV_X64_REGISTER_STIMER0_CONFIG));
    return -1;
}

static void get_segment(unsigned n, union hv_register_value *v)
{
    uint32_t rights = (uint32_t)arch_vmread(VMCS_GUEST_ES_RIGHTS + 2 * n);
    v->segment.base = arch_vmread(VMCS_GUEST_ES_BASE + 2 * n);
    v->segment.limit = (uint32_t)arch_vmread(VMCS_GUEST_ES_LIMIT + 2 * n);
    v->segment.selector = (uint16_t)arch_vmread(VMCS_GUEST_ES_SELECTOR + 2 * n);
    v->segment.attributes = (uint16_t)(rights & ATTRIBUTES_MASK);
}

/* Not present means unusable. */
static void set_segment(unsigned n, const union hv_register_value *v)
{
    enum { PRESENT = 1 << 7, UNUSABLE = 1 << 16 };
    uint32_t rights = v->segment.attributes & ATTRIBUTES_MASK;
    arch_vmwrite(VMCS_GUEST_ES_BASE + 2 * n, v->segment.base);
    arch_vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, v->segment.limit);
    arch_vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * n, v->segment.selector);
    arch_vmwrite(VMCS_GUEST_ES_RIGHTS + 2 * n, rights & PRESENT ? rights : UNUSABLE);
}

static uint64_t masked(uint32_t field, uint32_t shadow_field, uint32_t mask_field)
{
    uint64_t mask = arch_vmread(mask_field);
    return (arch_vmread(shadow_field) & mask) | (arch_vmread(field) & ~mask);
}

static uint64_t activity(struct vp *vp)
{
    return (vp->suspend & SUSPEND_STARTUP ? ACTIVITY_STARTUP : 0) | (vp->halted ? ACTIVITY_HALT : 0);
}

static bool get_state(struct vp *vp, uint32_t name, uint64_t *value)
{
    switch (name) {
    case HV_REGISTER_EXPLICIT_SUSPEND: *value = vp->suspend & SUSPEND_EXPLICIT ? 1 : 0; return true;
    case HV_REGISTER_INTERCEPT_SUSPEND: *value = vp->suspend & SUSPEND_INTERCEPT ? 1 : 0; return true;
    case HV_REGISTER_INTERNAL_ACTIVITY: *value = activity(vp); return true;
    default: return false;
    }
}

static enum hv_status get_loaded(uint32_t name, union hv_register_value *v)
{
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].name == name) {
            v->u64[0] = arch_vmread(fields[i].field);
            return HV_STATUS_SUCCESS;
        }
    }
    if (name - HV_X64_REGISTER_ES < SEGMENTS) {
        get_segment(name - HV_X64_REGISTER_ES, v);
        return HV_STATUS_SUCCESS;
    }
    switch (name) {
    case HV_X64_REGISTER_RFLAGS: v->u64[0] = arch_vmread(VMCS_GUEST_RFLAGS); break;
    case HV_X64_REGISTER_CR0: v->u64[0] = masked(VMCS_GUEST_CR0, VMCS_CR0_SHADOW, VMCS_CR0_MASK); break;
    case HV_X64_REGISTER_CR4: v->u64[0] = masked(VMCS_GUEST_CR4, VMCS_CR4_SHADOW, VMCS_CR4_MASK); break;
    case HV_X64_REGISTER_EFER: v->u64[0] = arch_vmread(VMCS_GUEST_EFER); break;
    case HV_X64_REGISTER_IDTR:
        v->table.base = arch_vmread(VMCS_GUEST_IDTR_BASE);
        v->table.limit = (uint16_t)arch_vmread(VMCS_GUEST_IDTR_LIMIT);
        break;
    case HV_X64_REGISTER_GDTR:
        v->table.base = arch_vmread(VMCS_GUEST_GDTR_BASE);
        v->table.limit = (uint16_t)arch_vmread(VMCS_GUEST_GDTR_LIMIT);
        break;
    default: return HV_STATUS_UNKNOWN_REGISTER_NAME;
    }
    return HV_STATUS_SUCCESS;
}

static enum hv_status check_long_mode(uint64_t efer)
{
    enum { DEFINED = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE };
    return efer & ~(uint64_t)DEFINED ? HV_STATUS_INVALID_REGISTER_VALUE : HV_STATUS_SUCCESS;
}

static void set_efer(uint64_t efer)
{
    uint64_t entry = arch_vmread(VMCS_ENTRY_CONTROLS) & ~(uint64_t)VMX_ENTRY_GUEST_64;
    arch_vmwrite(VMCS_GUEST_EFER, efer);
    arch_vmwrite(VMCS_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? VMX_ENTRY_GUEST_64 : 0));
}

/* Values that VM entry would refuse for reasons of ours are refused here; what
 * only the guest can get wrong stops that VP at its entry. */
static enum hv_status set_loaded(uint32_t name, const union hv_register_value *v)
{
    uint64_t value = v->u64[0];
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].name == name) {
            arch_vmwrite(fields[i].field, value);
            return HV_STATUS_SUCCESS;
        }
    }
    if (name - HV_X64_REGISTER_ES < SEGMENTS) {
        set_segment(name - HV_X64_REGISTER_ES, v);
        return HV_STATUS_SUCCESS;
    }
    switch (name) {
    case HV_X64_REGISTER_RFLAGS:
        arch_vmwrite(VMCS_GUEST_RFLAGS, (value & RFLAGS_ALL) | RFLAGS_FIXED);
        break;
    case HV_X64_REGISTER_CR0:
        if (value >> 32)
            return HV_STATUS_INVALID_REGISTER_VALUE;
        arch_vmwrite(VMCS_CR0_SHADOW, value);
        arch_vmwrite(VMCS_GUEST_CR0, (value | CR0_NE | CR0_ET) & ~(CR0_CD | CR0_NW));
        break;
    case HV_X64_REGISTER_CR4:
        if (value & ~VP_CR4_GUEST_OWNED)
            return HV_STATUS_INVALID_REGISTER_VALUE;
        arch_vmwrite(VMCS_CR4_SHADOW, value);
        arch_vmwrite(VMCS_GUEST_CR4, value | vmx.cr4_fixed0);
        break;
    case HV_X64_REGISTER_EFER:
        if (check_long_mode(value))
            return HV_STATUS_INVALID_REGISTER_VALUE;
        set_efer(value);
        break;
    case HV_X64_REGISTER_IDTR:
        arch_vmwrite(VMCS_GUEST_IDTR_BASE, v->table.base);
        arch_vmwrite(VMCS_GUEST_IDTR_LIMIT, v->table.limit);
        break;
    case HV_X64_REGISTER_GDTR:
        arch_vmwrite(VMCS_GUEST_GDTR_BASE, v->table.base);
        arch_vmwrite(VMCS_GUEST_GDTR_LIMIT, v->table.limit);
        break;
    default: return HV_STATUS_UNKNOWN_REGISTER_NAME;
    }
    return HV_STATUS_SUCCESS;
}

/* Registers that need no VMCS. True: it was one. */
static bool get_plain(struct vp *vp, uint32_t name, uint64_t *value, enum hv_status *status)
{
    *status = HV_STATUS_SUCCESS;
    if (get_state(vp, name, value))
        return true;
    if (name >= HV_X64_REGISTER_RAX && name <= HV_X64_REGISTER_R15 && name != HV_X64_REGISTER_RSP) {
        *value = vp->context.gpr[name - HV_X64_REGISTER_RAX];
        return true;
    }
    for (unsigned i = 0; i < sizeof(switched) / sizeof(switched[0]); i++) {
        if (switched[i] == name) {
            *value = vp->msr[i]; /* a running VP's own are in the processor */
            return true;
        }
    }
    int msr = synthetic_msr(name);
    bool known;
    if (msr >= 0 && !guest_msr_read(vp, (uint32_t)msr, value, &known))
        *status = HV_STATUS_ACCESS_DENIED;
    if (name == HV_X64_REGISTER_CR2)
        *value = vp->cr2;
    else if (name == HV_X64_REGISTER_CR8)
        *value = vapic_tpr(vp) >> 4;
    else if (name == HV_X64_REGISTER_TSC)
        *value = arch_tsc();
    else if (msr < 0)
        return false;
    return true;
}

static void set_activity(struct vp *vp, uint64_t value)
{
    vp->halted = value & ACTIVITY_HALT;
    vp->halt_takes_interrupts = true;
    if (value & ACTIVITY_STARTUP)
        sched_suspend(vp, SUSPEND_STARTUP);
    else
        sched_resume(vp, SUSPEND_STARTUP);
}

static bool set_plain(struct vp *vp, uint32_t name, uint64_t value, enum hv_status *status)
{
    *status = HV_STATUS_SUCCESS;
    if (name == HV_REGISTER_EXPLICIT_SUSPEND || name == HV_REGISTER_INTERCEPT_SUSPEND) {
        (value & 1 ? sched_suspend : sched_resume)(
            vp, name == HV_REGISTER_EXPLICIT_SUSPEND ? SUSPEND_EXPLICIT : SUSPEND_INTERCEPT);
        return true;
    }
    if (name == HV_REGISTER_INTERNAL_ACTIVITY) {
        set_activity(vp, value);
        return true;
    }
    if (name >= HV_X64_REGISTER_RAX && name <= HV_X64_REGISTER_R15 && name != HV_X64_REGISTER_RSP) {
        vp->context.gpr[name - HV_X64_REGISTER_RAX] = value;
        return true;
    }
    for (unsigned i = 0; i < sizeof(switched) / sizeof(switched[0]); i++) {
        if (switched[i] == name) {
            vp->msr[i] = value;
            return true;
        }
    }
    int msr = synthetic_msr(name);
    bool known;
    if (msr >= 0 && !guest_msr_write(vp, (uint32_t)msr, value, &known))
        *status = HV_STATUS_INVALID_REGISTER_VALUE;
    if (name == HV_X64_REGISTER_CR2)
        vp->cr2 = value;
    else if (name == HV_X64_REGISTER_CR8)
        vapic_set_tpr(vp, (uint8_t)(value << 4));
    else if (msr < 0)
        return false;
    return true;
}

/* Makes the VP's VMCS current, and puts back what was. */
static struct vp *borrow(struct vp *vp)
{
    struct vp *before = lp_self()->loaded;
    if (before != vp && !arch_vmptrld(vp->vmcs))
        hv_panic("VMPTRLD failed for a stopped VP");
    return before;
}

static void give_back(struct vp *vp, struct vp *before)
{
    if (before == vp)
        return;
    arch_vmclear(vp->vmcs);
    vp->context.launched = 0;
    if (before && !arch_vmptrld(before->vmcs))
        hv_panic("VMPTRLD failed for the running VP");
}

enum hv_status vp_register_get(struct vp *vp, uint32_t name, union hv_register_value *v)
{
    enum hv_status status;
    *v = (union hv_register_value){ { 0, 0 } };
    if (get_plain(vp, name, &v->u64[0], &status))
        return status;
    struct vp *before = borrow(vp);
    status = get_loaded(name, v);
    give_back(vp, before);
    return status;
}

enum hv_status vp_register_set(struct vp *vp, uint32_t name, const union hv_register_value *v)
{
    enum hv_status status;
    if (set_plain(vp, name, v->u64[0], &status))
        return status;
    struct vp *before = borrow(vp);
    status = set_loaded(name, v);
    give_back(vp, before);
    return status;
}
