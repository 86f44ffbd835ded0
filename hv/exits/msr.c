/* RDMSR and WRMSR: architectural MSRs, the x2APIC range, synthetic MSRs
 * (spec/hv/msrs.def). */
#include "hv/exits/exits.h"

#include "hv/partition/partition.h"
#include "hv/stimer/stimer.h"
#include "hv/vmx/vmx.h"

enum { CRASH_PARAMETERS = 5, APIC_BASE_ADDRESS = (int)0xFEE00000, MISC_ENABLE_FAST_STRING = 1 };
#define SYNTHETIC_FIRST 0x40000000u
#define SYNTHETIC_LAST 0x400001FFu

/* --- synthetic ------------------------------------------------------------------------ */

enum msr_access { ACCESS_NONE, ACCESS_RW, ACCESS_RO, ACCESS_WO };

/* Indexed by MSR - SYNTHETIC_FIRST; what has no row is ACCESS_NONE. */
static const struct { enum msr_access access; uint64_t privilege; } synthetic[SYNTHETIC_LAST - SYNTHETIC_FIRST + 1] = {
#define HV_MSR(index, name, access, privilege, reset) \
    [index - SYNTHETIC_FIRST] = { ACCESS_##access, HV_PRIVILEGE_##privilege },
#include "spec/hv/msrs.def"
#undef HV_MSR
};

static bool may_access(struct vp *vp, uint32_t msr, bool write)
{
    enum msr_access access = synthetic[msr - SYNTHETIC_FIRST].access;
    uint64_t privilege = synthetic[msr - SYNTHETIC_FIRST].privilege;
    if (access == ACCESS_NONE || (vp->partition->privileges & privilege) != privilege)
        return false;
    if (write)
        return access != ACCESS_RO;
    return access != ACCESS_WO || msr == HV_MSR_EOM;
}

static bool stimer_read(struct vp *vp, uint32_t msr, uint64_t *value)
{
    unsigned n = msr - HV_MSR_STIMER0_CONFIG;
    const struct stimer *t = &vp->stimer[n / 2];
    *value = n % 2 ? t->count : t->config;
    return true;
}

static uint64_t runtime(struct vp *vp)
{
    return hv_tsc_to_reference(vp->runtime + (arch_tsc() - vp->started_at));
}

static bool synthetic_read(struct vp *vp, uint32_t msr, uint64_t *value)
{
    struct partition *p = vp->partition;
    if (msr >= HV_MSR_SCONTROL && msr <= HV_MSR_SINT15)
        return synic_read(vp, msr, value);
    if (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT)
        return stimer_read(vp, msr, value);
    if (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_P4) {
        *value = vp->crash[msr - HV_MSR_CRASH_P0];
        return true;
    }
    switch (msr) {
    case HV_MSR_GUEST_OS_ID: *value = p->guest_os_id; return true;
    case HV_MSR_HYPERCALL: *value = p->hypercall_msr; return true;
    case HV_MSR_VP_INDEX: *value = vp->index; return true;
    case HV_MSR_RESET: *value = 0; return true;
    case HV_MSR_VP_RUNTIME: *value = runtime(vp); return true;
    case HV_MSR_TIME_REF_COUNT: *value = partition_reference_time(p); return true;
    case HV_MSR_REFERENCE_TSC: *value = p->reference_tsc_msr; return true;
    case HV_MSR_TSC_FREQUENCY: *value = hv.tsc_hz; return true;
    case HV_MSR_APIC_FREQUENCY: *value = hv.apic_timer_hz; return true;
    case HV_MSR_ICR: return vapic_read(vp, X2APIC_ICR, value);
    case HV_MSR_TPR: return vapic_read(vp, X2APIC_TPR, value);
    case HV_MSR_VP_ASSIST_PAGE: *value = vp->assist_msr; return true;
    case HV_MSR_GUEST_IDLE:
        *value = 0;
        vp->halted = true;
        vp->halt_takes_interrupts = true;
        return true;
    case HV_MSR_CRASH_CTL: *value = HV_CRASH_NOTIFY; return true;
    case HV_MSR_TSC_INVARIANT_CONTROL: *value = vp->tsc_invariant; return true;
    default: return false;
    }
}

static bool write_crash(struct vp *vp, uint64_t value)
{
    if (value & HV_CRASH_NOTIFY)
        hv_log("child %u VP %u reports a crash: %lx %lx %lx %lx %lx", vp->partition->child_number, vp->index,
               (unsigned long)vp->crash[0], (unsigned long)vp->crash[1], (unsigned long)vp->crash[2],
               (unsigned long)vp->crash[3], (unsigned long)vp->crash[4]);
    return true;
}

static bool write_assist(struct vp *vp, uint64_t value)
{
    if (value & HV_PAGE_MSR_ENABLE) {
        void *page = vp_gpa_pointer(vp, value & HV_PAGE_MSR_GPA, true);
        if (!page)
            return false;
        memset(page, 0, 4096);
    }
    vp->assist_msr = value;
    return true;
}

/* The MSR form of ICR has the destination as in xAPIC mode: bits 63:56. */
static bool write_synthetic_icr(struct vp *vp, uint64_t value)
{
    uint32_t destination = (uint32_t)(value >> 56);
    if (destination == 0xFF)
        destination = UINT32_MAX;
    return vapic_write(vp, X2APIC_ICR, (uint64_t)destination << 32 | (uint32_t)value);
}

static bool synthetic_write(struct vp *vp, uint32_t msr, uint64_t value)
{
    if (msr >= HV_MSR_SCONTROL && msr <= HV_MSR_SINT15)
        return synic_write(vp, msr, value);
    if (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT) {
        unsigned n = msr - HV_MSR_STIMER0_CONFIG;
        (n % 2 ? stimer_count_write : stimer_config_write)(vp, n / 2, value);
        return true;
    }
    if (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_P4) {
        vp->crash[msr - HV_MSR_CRASH_P0] = value;
        return true;
    }
    switch (msr) {
    case HV_MSR_GUEST_OS_ID: case HV_MSR_HYPERCALL: case HV_MSR_REFERENCE_TSC:
        return partition_msr_write(vp, msr, value);
    case HV_MSR_EOI: vapic_eoi(vp); return true;
    case HV_MSR_ICR: return write_synthetic_icr(vp, value);
    case HV_MSR_TPR: return vapic_write(vp, X2APIC_TPR, value);
    case HV_MSR_VP_ASSIST_PAGE: return write_assist(vp, value);
    case HV_MSR_CRASH_CTL: return write_crash(vp, value);
    case HV_MSR_TSC_INVARIANT_CONTROL:
        vp->tsc_invariant = value & 1;
        return value <= 1;
    default: return false;
    }
}

/* --- all ---------------------------------------------------------------------------------- */

bool guest_msr_read(struct vp *vp, uint32_t msr, uint64_t *value, bool *known)
{
    *known = true;
    if (msr >= SYNTHETIC_FIRST && msr <= SYNTHETIC_LAST)
        return may_access(vp, msr, false) && synthetic_read(vp, msr, value);
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
        return vapic_read(vp, msr - MSR_X2APIC_FIRST, value);
    switch (msr) {
    case MSR_TSC: *value = arch_tsc(); return true;
    case MSR_APIC_BASE:
        *value = (uint32_t)APIC_BASE_ADDRESS | APIC_BASE_ENABLE | APIC_BASE_EXTD | (vp->index ? 0 : APIC_BASE_BSP);
        return true;
    case MSR_TSC_DEADLINE: *value = vp->apic.deadline; return true;
    case MSR_PAT: *value = arch_vmread(VMCS_GUEST_PAT); return true;
    case MSR_MISC_ENABLE: *value = MISC_ENABLE_FAST_STRING; return true;
    case MSR_FEATURE_CONTROL: *value = FEATURE_CONTROL_LOCK; return true;
    case MSR_BIOS_SIGN_ID: case MSR_DEBUGCTL: case MSR_TSC_ADJUST: *value = 0; return true;
    default:
        *known = false;
        return false;
    }
}

static bool valid_pat(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = value >> 8 * i & 0xFF;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

bool guest_msr_write(struct vp *vp, uint32_t msr, uint64_t value, bool *known)
{
    *known = true;
    if (msr >= SYNTHETIC_FIRST && msr <= SYNTHETIC_LAST)
        return may_access(vp, msr, true) && synthetic_write(vp, msr, value);
    if (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST)
        return vapic_write(vp, msr - MSR_X2APIC_FIRST, value);
    switch (msr) {
    case MSR_APIC_BASE: { /* mode and address are fixed */
        uint64_t now;
        return guest_msr_read(vp, msr, &now, known) && value == now;
    }
    case MSR_TSC_DEADLINE: vapic_deadline_write(vp, value); return true;
    case MSR_PAT:
        if (!valid_pat(value))
            return false;
        arch_vmwrite(VMCS_GUEST_PAT, value);
        return true;
    case MSR_BIOS_SIGN_ID: case MSR_MISC_ENABLE: return true;
    case MSR_DEBUGCTL: return value == 0;
    default:
        *known = false;
        return false;
    }
}

void exit_rdmsr(struct vp *vp)
{
    uint64_t *gpr = vp->context.gpr, value = 0;
    bool known, ok = guest_msr_read(vp, (uint32_t)gpr[GPR_RCX], &value, &known);
    if (!known && vp->partition->intercepts.msr_access & HV_INTERCEPT_READ) {
        intercept_msr(vp, false);
        return;
    }
    if (!ok && (known || !vp->partition->ignore_unknown_msrs)) {
        vp_inject_gp(vp);
        return;
    }
    gpr[GPR_RAX] = (uint32_t)value;
    gpr[GPR_RDX] = value >> 32;
    vp_skip_instruction(vp);
}

void exit_wrmsr(struct vp *vp)
{
    uint64_t *gpr = vp->context.gpr;
    uint64_t value = gpr[GPR_RDX] << 32 | (uint32_t)gpr[GPR_RAX];
    bool known, ok = guest_msr_write(vp, (uint32_t)gpr[GPR_RCX], value, &known);
    if (!known && vp->partition->intercepts.msr_access & HV_INTERCEPT_WRITE) {
        intercept_msr(vp, true);
        return;
    }
    if (!ok && (known || !vp->partition->ignore_unknown_msrs)) {
        vp_inject_gp(vp);
        return;
    }
    vp_skip_instruction(vp);
}
