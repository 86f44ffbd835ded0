/* Descriptor tables, local APIC and interrupts of a logical processor; see lp_arch.h. */
#include "hv/arch/lp_arch.h"

#include "hv/iommu/vtd.h"
#include "hv/rt/rt_tables.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

struct lp_arch { struct rt_tables tables; };

static struct rt_gate idt[RT_VECTORS]; /* the same for all; filled at boot */

size_t lp_arch_size(void) { return sizeof(struct lp_arch); }
static struct lp_arch *arch_of(const struct lp *lp) { return lp->arch; }
uint64_t lp_arch_gdt(const struct lp *lp) { return (uint64_t)arch_of(lp)->tables.gdt; }
uint64_t lp_arch_tss(const struct lp *lp) { return (uint64_t)&arch_of(lp)->tables.tss; }
uint64_t lp_arch_idt(void) { return (uint64_t)idt; }

static void enable_x2apic(void)
{
    uint64_t base = arch_rdmsr(MSR_APIC_BASE);
    arch_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    arch_wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_EXTD);
    enum { ENABLE = 1 << 8 };
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_SVR, ENABLE | VECTOR_SPURIOUS);
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_TPR, 0);
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | VECTOR_TIMER);
    arch_barrier(); /* SDM "TSC-Deadline Mode": before the first write of the deadline */
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_LVT_LINT0, LVT_MASKED);
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_LVT_LINT1, LVT_MASKED);
}

void lp_arch_init(struct lp *lp)
{
    if (!idt[0].selector)
        rt_fill_idt(idt);
    rt_tables_load(&arch_of(lp)->tables, idt);
    lp->self = lp;
    arch_wrmsr((uint32_t)MSR_GS_BASE, (uint64_t)lp);
    enable_x2apic();
    lp->apic_id = (uint32_t)arch_rdmsr(MSR_X2APIC_FIRST + X2APIC_ID);
}

static uint64_t read_cr0(void) { uint64_t v; __asm__ volatile("movq %%cr0, %0" : "=r"(v)); return v; }
static uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("movq %%cr3, %0" : "=r"(v)); return v; }
static uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("movq %%cr4, %0" : "=r"(v)); return v; }

void lp_arch_vmx_control_registers(void)
{
    __asm__ volatile("movq %0, %%cr0" : : "r"(read_cr0() | vmx.cr0_fixed0));
    __asm__ volatile("movq %0, %%cr4" : : "r"(read_cr4() | vmx.cr4_fixed0));
}

void lp_arch_host(struct lp_arch_host *h)
{
    *h = (struct lp_arch_host){ read_cr0(), read_cr3(), read_cr4(), arch_rdmsr((uint32_t)MSR_EFER), arch_rdmsr(MSR_PAT),
                                (uint64_t)vmx_exit_entry };
}

void lp_kick(struct lp *lp)
{
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_ICR, (uint64_t)lp->apic_id << 32 | ICR_LEVEL_ASSERT | VECTOR_KICK);
}

void lp_set_deadline(struct lp *lp, uint64_t tsc)
{
    if (lp->deadline == tsc)
        return;
    lp->deadline = tsc;
    arch_wrmsr(MSR_TSC_DEADLINE, tsc);
}

void lp_interrupt(unsigned vector)
{
    struct lp *lp = lp_self();
    if (vector == VECTOR_SPURIOUS)
        return;
    arch_wrmsr(MSR_X2APIC_FIRST + X2APIC_EOI, 0);
    if (vector == VECTOR_TIMER) {
        lp->deadline = 0;
        timer_expire(lp);
    } else if (vector != VECTOR_KICK && !vtd_interrupt(vector)) {
        hv_log("interrupt %x on logical processor %u is nobody's", vector, lp->index);
    }
}

/* Interrupts arrive here only while a logical processor idles, exceptions only when we are broken. */
void rt_interrupt(const struct rt_interrupt_frame *frame)
{
    if (frame->vector == RT_VECTOR_NMI)
        return;
    if (frame->vector < RT_EXCEPTIONS)
        hv_panic("exception %lu in the hypervisor: error %lx RIP %lx RSP %lx CR2 %lx", (unsigned long)frame->vector,
                 (unsigned long)frame->error, (unsigned long)frame->rip, (unsigned long)frame->rsp,
                 (unsigned long)arch_read_cr2());
    lp_interrupt((unsigned)frame->vector);
}

_Noreturn void arch_vmx_failed(const char *instruction, uint64_t operand)
{
    uint64_t error = 0;
    bool current; /* else there is no VMCS to name the error */
    __asm__ volatile("vmread %2, %1" : "=@cca"(current), "+r"(error) : "r"((uint64_t)VMCS_INSTRUCTION_ERROR) : "cc");
    hv_panic("%s of %lx failed: VM-instruction error %lu%s", instruction, (unsigned long)operand, (unsigned long)error,
             current ? "" : " (no current VMCS)");
}
