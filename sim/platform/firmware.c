/* See firmware.h. */
#include "sim/platform/firmware.h"

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"

/* SDM Vol 3A "Memory Type Range Registers (MTRRs)" */
enum { TYPE_UC = 0, TYPE_WP = 5, TYPE_WB = 6 };
#define DEF_TYPE_FIXED (1ull << 10)
#define DEF_TYPE_ENABLE (1ull << 11)
#define MASK_VALID (1ull << 11)

static uint64_t
eight_of(uint64_t type)
{
    return type * 0x0101010101010101ull;
}

static void
variable_range(struct cpu *cpu, unsigned index, uint64_t base, uint64_t size)
{
    uint64_t width = (1ull << cpu_physical_bits(cpu)) - 1;
    if (base <= width) {
        cpu->msr.mtrr_phys[2 * index] = base | TYPE_UC;
        cpu->msr.mtrr_phys[2 * index + 1] = (~(size - 1) & width) | MASK_VALID;
    }
}

static void
set_up_mtrrs(struct cpu *cpu)
{
    enum { FIX_64K = 0, FIX_16K_80000 = 1, FIX_16K_A0000 = 2, FIX_4K_C0000 = 3, FIXED = 11 };
    cpu->msr.mtrr_fixed[FIX_64K] = cpu->msr.mtrr_fixed[FIX_16K_80000] = eight_of(TYPE_WB);
    cpu->msr.mtrr_fixed[FIX_16K_A0000] = eight_of(TYPE_UC);
    for (unsigned i = FIX_4K_C0000; i < FIXED; i++) {
        cpu->msr.mtrr_fixed[i] = eight_of(TYPE_WP);
    }
    variable_range(cpu, 0, MEM_HOLE_START, MEM_HOLE_END - MEM_HOLE_START);
    variable_range(cpu, 1, pci_window64(&cpu->machine->config), MMIO64_SIZE);
    cpu->msr.mtrr_def_type = DEF_TYPE_ENABLE | DEF_TYPE_FIXED | TYPE_WB;
}

void
firmware_set_up_processors(struct machine *m)
{
    enum { SVR = 0xF0, LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, SVR_ENABLE = 0x1FF };
    struct cpu *boot = m->cpu[0];
    apic_mmio_write(boot, SVR, 4, SVR_ENABLE);
    apic_mmio_write(boot, LVT_LINT0, 4, APIC_EXTINT << 8);
    apic_mmio_write(boot, LVT_LINT1, 4, APIC_NMI << 8);
    for (unsigned i = 0; i < m->cpu_count; i++) {
        set_up_mtrrs(m->cpu[i]);
    }
}

void
firmware_resume(struct machine *m, uint64_t facs)
{
    enum { WAKING_VECTOR = 12, CACHES_OFF = 3u << 29 };
    uint32_t vector = 0;
    for (unsigned i = 0; i < m->cpu_count; i++) {
        cpu_reset(m->cpu[i], false);
        m->cpu[i]->cr0 &= ~(uint64_t)CACHES_OFF;
    }
    firmware_set_up_processors(m);
    if (!mem_read(m->mem, facs + WAKING_VECTOR, &vector, 4) || vector == 0 || vector > 0xFFFFF) {
        machine_request_stop(m, STOP_RESET, vector, "woken from S3 without a real-mode waking vector (%#x): a reset", vector);
        return;
    }
    struct cpu *boot = m->cpu[0];
    boot->seg[CS].selector = (uint16_t)(vector >> 4);
    boot->seg[CS].base = vector & ~15u;
    boot->rip = vector & 15;
    cpu_update_mode(boot);
}
