/* Creation, loading and unloading of virtual processors; their reset state. */
#include "hv/vp/vp.h"

#include "hv/arch/lp_arch.h"
#include "hv/partition/partition.h"
#include "hv/stimer/stimer.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

static const uint32_t switched_msr[MSR_SWITCHED_COUNT] = {
    (uint32_t)MSR_STAR, (uint32_t)MSR_LSTAR, (uint32_t)MSR_CSTAR,
    (uint32_t)MSR_FMASK, (uint32_t)MSR_KERNEL_GS_BASE, (uint32_t)MSR_TSC_AUX,
};
enum { PAT_RESET_LOW = 0x00070406, FCW_RESET = 0x37F, MXCSR_RESET = 0x1F80, FXSAVE_MXCSR = 24 };
#define PAT_RESET ((uint64_t)PAT_RESET_LOW << 32 | PAT_RESET_LOW)

_Static_assert(offsetof(struct vp, context) == 0 && offsetof(struct vp_context, host_rsp) == 128
                   && offsetof(struct vp_context, launched) == 136, "vmx_run.S knows this layout");

/* TSC_AUX comes with RDTSCP. */
static unsigned switched_count(void)
{
    return vmx.secondary & VMX_SECONDARY_RDTSCP ? MSR_SWITCHED_COUNT : MSR_SWITCHED_COUNT - 1;
}

/* --- registers that stay in the processor across exits ------------------------------ */

static void registers_save(struct vp *vp)
{
    arch_fxsave(vp->fpu);
    for (unsigned i = 0; i < switched_count(); i++)
        vp->msr[i] = arch_rdmsr(switched_msr[i]);
    if (vp->uses_dr)
        arch_dr_save(vp->dr);
    vp->registers_lp->registers = NULL;
    vp->registers_lp = NULL;
}

static void registers_restore(struct vp *vp, struct lp *lp)
{
    arch_fxrstor(vp->fpu);
    for (unsigned i = 0; i < switched_count(); i++)
        arch_wrmsr(switched_msr[i], vp->msr[i]);
    if (vp->uses_dr)
        arch_dr_load(vp->dr);
    vp->registers_lp = lp;
    lp->registers = vp;
}

/* --- VMCS ------------------------------------------------------------------------------ */

static void make_current(struct vp *vp, struct lp *lp)
{
    if (!arch_vmptrld(vp->vmcs))
        hv_panic("VMPTRLD failed for VP %u of partition %lx", vp->index, (unsigned long)vp->partition->id);
    lp->loaded = vp;
}

void vp_load(struct vp *vp)
{
    struct lp *lp = lp_self();
    if (lp->loaded != vp)
        make_current(vp, lp);
    if (vp->vmcs_lp != lp) {
        RT_ASSERT(!vp->vmcs_lp);
        vp->vmcs_lp = lp;
        vp->context.host_rsp = 0;
        vmx_set_host_state(lp);
        vp->ept_generation = 0; /* this LP may hold old translations: flush before the first entry */
        __atomic_fetch_or(&vp->request, REQUEST_FLUSH, __ATOMIC_RELAXED);
    }
    if (lp->registers != vp) {
        if (lp->registers)
            registers_save(lp->registers);
        registers_restore(vp, lp);
    }
}

void vp_unload(struct vp *vp)
{
    struct lp *lp = lp_self();
    RT_ASSERT(!vp->vmcs_lp || vp->vmcs_lp == lp);
    if (vp->registers_lp == lp)
        registers_save(vp);
    if (vp->vmcs_lp) {
        if (!arch_vmclear(vp->vmcs))
            hv_panic("VMCLEAR failed for VP %u of partition %lx", vp->index, (unsigned long)vp->partition->id);
        vp->context.launched = 0;
        vp->vmcs_lp = NULL;
    }
    if (lp->loaded == vp)
        lp->loaded = NULL;
}

/* --- reset (SDM Vol 3A "Processor State After Reset", table for INIT) ------------------- */

static void reset_segment(unsigned n, uint16_t selector, uint64_t base, uint32_t limit, uint32_t rights)
{
    arch_vmwrite(VMCS_GUEST_ES_SELECTOR + 2 * n, selector);
    arch_vmwrite(VMCS_GUEST_ES_BASE + 2 * n, base);
    arch_vmwrite(VMCS_GUEST_ES_LIMIT + 2 * n, limit);
    arch_vmwrite(VMCS_GUEST_ES_RIGHTS + 2 * n, rights);
}

static void reset_segments(void)
{
    enum { DATA_RIGHTS = 0x93, CODE_RIGHTS = 0x9B, LDT_RIGHTS = 0x82, TSS_RIGHTS = 0x8B };
    for (unsigned n = 0; n < 6; n++)
        reset_segment(n, 0, 0, 0xFFFF, DATA_RIGHTS);
    reset_segment(1, 0xF000, 0xFFFF0000, 0xFFFF, CODE_RIGHTS);
    reset_segment(6, 0, 0, 0xFFFF, LDT_RIGHTS);
    reset_segment(7, 0, 0, 0xFFFF, TSS_RIGHTS);
    arch_vmwrite(VMCS_GUEST_GDTR_BASE, 0);
    arch_vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xFFFF);
    arch_vmwrite(VMCS_GUEST_IDTR_BASE, 0);
    arch_vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xFFFF);
}

static void reset_control_registers(void)
{
    enum { CR0_RESET = 0x60000010 };
    uint64_t cr0 = (CR0_RESET | vmx.cr0_fixed0) & ~(CR0_CD | CR0_NW);
    if (vmx.has_unrestricted)
        cr0 &= ~(CR0_PE | CR0_PG);
    arch_vmwrite(VMCS_CR0_MASK, CR0_NE | CR0_CD | CR0_NW);
    arch_vmwrite(VMCS_CR0_SHADOW, CR0_RESET);
    arch_vmwrite(VMCS_GUEST_CR0, cr0);
    arch_vmwrite(VMCS_GUEST_CR3, 0);
    arch_vmwrite(VMCS_CR4_MASK, ~VP_CR4_GUEST_OWNED);
    arch_vmwrite(VMCS_CR4_SHADOW, 0);
    arch_vmwrite(VMCS_GUEST_CR4, vmx.cr4_fixed0);
    arch_vmwrite(VMCS_GUEST_EFER, 0);
    arch_vmwrite(VMCS_ENTRY_CONTROLS, vmx.entry & ~(uint32_t)VMX_ENTRY_GUEST_64);
}

void vp_reset_registers(struct vp *vp, bool cold)
{
    memset(vp->context.gpr, 0, sizeof(vp->context.gpr));
    vp->context.gpr[GPR_RDX] = arch_cpuid(1, 0).eax;
    vp->cr2 = 0;
    vp->halted = false;
    vp->pending_event = 0;
    vp->nmi_pending = false;
    reset_segments();
    reset_control_registers();
    arch_vmwrite(VMCS_GUEST_RIP, 0xFFF0);
    arch_vmwrite(VMCS_GUEST_RSP, 0);
    arch_vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
    arch_vmwrite(VMCS_GUEST_DR7, DR7_FIXED);
    arch_vmwrite(VMCS_GUEST_DEBUGCTL, 0);
    arch_vmwrite(VMCS_GUEST_PAT, PAT_RESET);
    arch_vmwrite(VMCS_GUEST_SYSENTER_CS, 0);
    arch_vmwrite(VMCS_GUEST_SYSENTER_ESP, 0);
    arch_vmwrite(VMCS_GUEST_SYSENTER_EIP, 0);
    arch_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
    arch_vmwrite(VMCS_GUEST_ACTIVITY, VMX_ACTIVITY_ACTIVE);
    arch_vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
    if (cold) {
        memset(vp->fpu, 0, sizeof(vp->fpu));
        *(uint16_t *)vp->fpu = FCW_RESET;
        *(uint32_t *)(vp->fpu + FXSAVE_MXCSR) = MXCSR_RESET;
        memset(vp->msr, 0, sizeof(vp->msr));
        vp->dr[4] = DR6_FIXED;
    }
    vapic_reset(vp);
}

/* --- life ---------------------------------------------------------------------------------- */

static void init_memory(struct vp *vp)
{
    *(uint32_t *)hv_zero_page(vp->vmcs) = vmx.revision;
    hv_zero_page(vp->virtual_apic);
}

struct vp *vp_create(struct partition *p, uint32_t index)
{
    unsigned n = 0;
    while (n < HV_VPS_MAX && hv.vp_store_used >> n & 1)
        n++;
    if (n == HV_VPS_MAX)
        return NULL;
    struct vp *vp = &hv.vp_store[n];
    uint64_t vmcs = vp->vmcs, apic = vp->virtual_apic;
    struct synic_message *store = vp->synic.store;
    memset(vp, 0, sizeof(*vp));
    vp->vmcs = vmcs;
    vp->virtual_apic = apic;
    vp->synic.store = store;
    vp->partition = p;
    vp->index = index;
    vp->vpid = (uint16_t)(n + 1);
    vp->suspend = SUSPEND_EXPLICIT | (index ? SUSPEND_STARTUP : 0) | (p->suspended ? SUSPEND_PARTITION : 0);
    hv.vp_store_used |= 1ull << n;
    init_memory(vp);
    synic_reset(vp);
    stimer_reset(vp);

    /* The VMCS is set up on this LP, while another VP's may be current here. */
    struct lp *lp = lp_self();
    struct vp *before = lp->loaded;
    if (!arch_vmclear(vp->vmcs))
        hv_panic("VMCLEAR failed for a new VP");
    make_current(vp, lp);
    vmx_init_vmcs(vp);
    arch_vmclear(vp->vmcs);
    lp->loaded = NULL;
    if (before)
        make_current(before, lp);
    sched_init_vp(vp, p->lp_mask);
    vp->exists = true;
    p->vp[index] = vp;
    p->vp_count++;
    return vp;
}

void vp_delete(struct vp *vp)
{
    struct partition *p = vp->partition;
    sched_suspend(vp, SUSPEND_DEAD);
    vapic_stop(vp);
    stimer_reset(vp);
    RT_ASSERT(!vp->vmcs_lp);
    p->vp[vp->index] = NULL;
    p->vp_count--;
    vp->exists = false;
    hv.vp_store_used &= ~(1ull << (vp - hv.vp_store));
}

void vp_die(struct vp *vp, const char *format, ...)
{
    char text[192];
    va_list args;
    va_start(args, format);
    rt_vformat(text, sizeof(text), format, args);
    va_end(args);
    struct partition *p = vp->partition;
    uint64_t rip = arch_vmread(VMCS_GUEST_RIP);
    if (p == hv.root)
        hv_panic("the root partition's VP %u failed: %s; RIP %lx RSP %lx CR3 %lx", vp->index, text,
                 (unsigned long)rip, (unsigned long)arch_vmread(VMCS_GUEST_RSP),
                 (unsigned long)arch_vmread(VMCS_GUEST_CR3));
    if (p->child_number == PARTITION_NO_CHANNEL)
        hv_log("partition %lx VP %u stopped: %s; RIP %lx", (unsigned long)p->id, vp->index, text, (unsigned long)rip);
    else
        hv_log("child %u VP %u stopped: %s; RIP %lx", p->child_number, vp->index, text, (unsigned long)rip);
    sched_suspend(vp, SUSPEND_DEAD);
}

void vp_request(struct vp *vp, uint32_t bits)
{
    __atomic_fetch_or(&vp->request, bits, __ATOMIC_SEQ_CST);
    sched_wake(vp);
}

void *vp_gpa_pointer(struct vp *vp, uint64_t gpa, bool write) { return gpa_pointer(vp->partition, gpa, write); }
