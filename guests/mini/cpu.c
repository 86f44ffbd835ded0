#include "guests/mini/cpu.h"

#include "guests/mini/arch.h"
#include "guests/mini/lab.h"
#include "spec/hv/boot.h"
#include "spec/hv/tlfs.h"

enum {
    MSR_APIC_BASE = 0x1B, APIC_BASE_ENABLE = 1 << 11, APIC_BASE_X2 = 1 << 10,
    MSR_X2APIC_EOI = 0x80B, MSR_X2APIC_SVR = 0x80F, MSR_X2APIC_SELF_IPI = 0x83F,
    SVR_ENABLE = 0x1FF, /* software enable, spurious vector 0xFF */
    EXCEPTIONS = 32,
    PD_COUNT = 12,
};
#define PTE_PRESENT 1ull
#define PTE_WRITE 2ull
#define PTE_UNCACHED (1ull << 4 | 1ull << 3) /* PCD, PWT */
#define PTE_LARGE (1ull << 7)
#define MB2 0x200000ull
#define GB1 0x40000000ull

struct gate { uint16_t offset_low, selector; uint8_t ist, type; uint16_t offset_mid; uint32_t offset_high, zero; };
struct __attribute__((packed)) table_register { uint16_t limit; uint64_t base; };

/* What the interrupt stubs and the page walker need to find without an argument. */
static struct {
    struct gate idt[256];
    uint64_t gdt[4];
    volatile uint8_t fired[256];
    uint8_t auto_eoi[256];
    bool synthetic_eoi;
    unsigned pd_used;
} cpu;
static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[PD_COUNT][512] __attribute__((aligned(4096)));

extern uint8_t mini_vectors[];
void mini_interrupt(uint64_t vector, uint64_t error, uint64_t rip); /* called by entry.S */

/* --- page tables -------------------------------------------------------------------- */

static void map(uint64_t gpa, uint64_t flags)
{
    uint64_t gb = gpa / GB1;
    if (gb >= 512)
        lab_fail("an address above 512 GiB");
    if (!(pdpt[gb] & PTE_PRESENT)) {
        if (cpu.pd_used == PD_COUNT)
            lab_fail("too many page tables");
        pdpt[gb] = (uint64_t)(uintptr_t)pd[cpu.pd_used++] | PTE_PRESENT | PTE_WRITE;
    }
    uint64_t *directory = (uint64_t *)(uintptr_t)(pdpt[gb] & ~0xFFFull);
    directory[gpa / MB2 % 512] = (gpa & ~(MB2 - 1)) | PTE_PRESENT | PTE_WRITE | PTE_LARGE | flags;
}

static void map_everything(const struct boot_info *info)
{
    pml4[0] = (uint64_t)(uintptr_t)pdpt | PTE_PRESENT | PTE_WRITE;
    for (uint64_t gpa = 0; gpa < 4 * GB1; gpa += MB2)
        map(gpa, 0);
    for (unsigned d = 0; d < info->device_count && d < BOOT_DEVICES_MAX; d++)
        for (unsigned b = 0; b < 2; b++)
            for (uint64_t at = 0; at < info->device[d].bar_size[b]; at += 4096)
                map(info->device[d].bar_gpa[b] + at, PTE_UNCACHED);
    arch_load_cr3((uint64_t)(uintptr_t)pml4);
}

/* --- segments and interrupts ------------------------------------------------------------ */

static void load_segments(void)
{
    cpu.gdt[1] = 0x00AF9B000000FFFFull; /* code, 64-bit */
    cpu.gdt[2] = 0x00CF93000000FFFFull; /* data */
    struct table_register gdtr = { sizeof cpu.gdt - 1, (uint64_t)(uintptr_t)cpu.gdt };
    __asm__ volatile("lgdt %0\n\t"
                     "push $0x08\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1: mov $0x10, %%eax\n\t"
                     "mov %%eax, %%ds\n\t"
                     "mov %%eax, %%es\n\t"
                     "mov %%eax, %%ss" : : "m"(gdtr) : "rax", "memory");
}

static void load_idt(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = (uint64_t)(uintptr_t)(mini_vectors + v * 16);
        cpu.idt[v] = (struct gate){ .offset_low = (uint16_t)at, .selector = 8, .type = 0x8E,
                                    .offset_mid = (uint16_t)(at >> 16), .offset_high = (uint32_t)(at >> 32) };
    }
    struct table_register idtr = { sizeof cpu.idt - 1, (uint64_t)(uintptr_t)cpu.idt };
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

void mini_interrupt(uint64_t vector, uint64_t error, uint64_t rip)
{
    if (vector < EXCEPTIONS) {
        lab_log("mini: exception %u, error %x at %lx\n", (unsigned)vector, (unsigned)error, (unsigned long)rip);
        lab_fail("an exception");
    }
    cpu.fired[vector] = 1;
    if (vector == 0xFF || cpu.auto_eoi[vector])
        return;
    if (cpu.synthetic_eoi)
        arch_wrmsr(HV_MSR_EOI, 0);
    else
        arch_wrmsr(MSR_X2APIC_EOI, 0);
}

void cpu_init(const struct boot_info *info)
{
    load_segments();
    load_idt();
    map_everything(info);
    arch_wrmsr(MSR_APIC_BASE, arch_rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    arch_wrmsr(MSR_APIC_BASE, arch_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
    arch_wrmsr(MSR_X2APIC_SVR, SVR_ENABLE);
}

bool cpu_fired(unsigned vector)
{
    bool fired = cpu.fired[vector];
    cpu.fired[vector] = 0;
    return fired;
}

bool cpu_any_fired(void)
{
    return cpu.fired[CPU_VECTOR_SYNIC] || cpu.fired[CPU_VECTOR_TIMER] || cpu.fired[CPU_VECTOR_VF] ||
           cpu.fired[CPU_VECTOR_VF + 1] || cpu.fired[CPU_VECTOR_VF + 2];
}

void cpu_auto_eoi(unsigned vector) { cpu.auto_eoi[vector] = 1; }
void cpu_eoi_by_hypervisor(void) { cpu.synthetic_eoi = true; }
void cpu_send_self(unsigned vector) { arch_wrmsr(MSR_X2APIC_SELF_IPI, vector); }
