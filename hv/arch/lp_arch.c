/* Descriptor tables, local APIC and interrupts of a logical processor; see lp_arch.h. */
#include "hv/arch/lp_arch.h"

#include "hv/iommu/vtd.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

enum { VECTORS = 256, STUB_SIZE = 16, EXCEPTIONS = 32, IST_NMI = 1, IST_DF = 2, IST_STACK = 4096, GDT_ENTRIES = 5 };
enum { VECTOR_NMI = 2, VECTOR_DF = 8, GATE_INTERRUPT = 0x8E00, TSS_AVAILABLE = 0x89 };

struct tss { uint32_t reserved0; uint64_t rsp[3]; uint64_t reserved1; uint64_t ist[7]; uint64_t reserved2; uint16_t reserved3, io_map; }
    __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS");

struct lp_arch {
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss;
    uint8_t stack[2][IST_STACK] __attribute__((aligned(16)));
};

struct gate { uint16_t offset_low, selector; uint16_t attributes; uint16_t offset_middle; uint32_t offset_high, reserved; };
struct table_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

static struct gate idt[VECTORS]; /* the same for all; filled at boot */

extern char interrupt_stubs[];
void lp_load_tables(const struct table_pointer *gdt, const struct table_pointer *idt, uint16_t tss);
void interrupt_dispatch(uint64_t vector, const uint64_t *frame);

size_t lp_arch_size(void) { return sizeof(struct lp_arch); }
static struct lp_arch *arch_of(const struct lp *lp) { return lp->arch; }
uint64_t lp_arch_gdt(const struct lp *lp) { return (uint64_t)arch_of(lp)->gdt; }
uint64_t lp_arch_tss(const struct lp *lp) { return (uint64_t)&arch_of(lp)->tss; }
uint64_t lp_arch_idt(void) { return (uint64_t)idt; }

static void fill_idt(void)
{
    for (unsigned v = 0; v < VECTORS; v++) {
        uint64_t stub = (uint64_t)interrupt_stubs + v * STUB_SIZE;
        unsigned ist = v == VECTOR_NMI ? IST_NMI : v == VECTOR_DF ? IST_DF : 0;
        idt[v] = (struct gate){ (uint16_t)stub, SELECTOR_CODE, (uint16_t)(GATE_INTERRUPT | ist), (uint16_t)(stub >> 16),
                                (uint32_t)(stub >> 32), 0 };
    }
}

static void fill_gdt(struct lp_arch *a)
{
    uint64_t base = (uint64_t)&a->tss, limit = sizeof(a->tss) - 1;
    a->gdt[0] = 0;
    a->gdt[1] = 0x00AF9B000000FFFF; /* 64-bit code */
    a->gdt[2] = 0x00CF93000000FFFF; /* data */
    a->gdt[3] = limit | (base & 0xFFFFFF) << 16 | (uint64_t)TSS_AVAILABLE << 40 | (base >> 24 & 0xFF) << 56;
    a->gdt[4] = base >> 32;
    a->tss = (struct tss){ .io_map = sizeof(struct tss) };
    a->tss.ist[IST_NMI - 1] = (uint64_t)(a->stack[0] + IST_STACK);
    a->tss.ist[IST_DF - 1] = (uint64_t)(a->stack[1] + IST_STACK);
}

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
    struct lp_arch *a = arch_of(lp);
    if (!idt[0].selector)
        fill_idt();
    fill_gdt(a);
    struct table_pointer gdt_pointer = { sizeof(a->gdt) - 1, (uint64_t)a->gdt };
    struct table_pointer idt_pointer = { sizeof(idt) - 1, (uint64_t)idt };
    lp_load_tables(&gdt_pointer, &idt_pointer, SELECTOR_TSS);
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

/* Frame: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
void interrupt_dispatch(uint64_t vector, const uint64_t *frame)
{
    if (vector == VECTOR_NMI)
        return;
    if (vector < EXCEPTIONS)
        hv_panic("exception %lu in the hypervisor: error %lx RIP %lx RSP %lx CR2 %lx", (unsigned long)vector,
                 (unsigned long)frame[1], (unsigned long)frame[2], (unsigned long)frame[5],
                 (unsigned long)arch_read_cr2());
    lp_interrupt((unsigned)vector);
}

_Noreturn void arch_vmx_failed(const char *instruction, uint64_t operand)
{
    uint64_t error = 0;
    bool current; /* else there is no VMCS to name the error */
    __asm__ volatile("vmread %2, %1" : "=@cca"(current), "+r"(error) : "r"((uint64_t)VMCS_INSTRUCTION_ERROR) : "cc");
    hv_panic("%s of %lx failed: VM-instruction error %lu%s", instruction, (unsigned long)operand, (unsigned long)error,
             current ? "" : " (no current VMCS)");
}
