/* Registers of performance monitoring: Intel's with their global ones, AMD's in their old place and the new one. */
#include "sim/cpu/system/pmu.h"

#include "sim/cpu/event/event.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"

enum { LEAF_PMU = 0xa, AMD_OLD = 4, AMD_CORE = 6, NUMBER_FIXED = 1 << 30 };
#define AMD_SELECT_WRITABLE 0xfffd7ffffull

/* CPUID leaf 0AH of Intel's; it is the model's, whatever IA32_MISC_ENABLE hides. */
static const struct cpu_leaf *row_of(const struct cpu *cpu)
{
    const struct cpu_model *model = cpu->machine->model ? cpu->machine->model : cpu_model_at(0);

    for (unsigned i = 0; i < model->leaf_count; i++) {
        if (model->leaves[i].leaf == LEAF_PMU) {
            return &model->leaves[i];
        }
    }
    return NULL;
}

unsigned pmu_general_count(const struct cpu *cpu)
{
    if (cpu_is_amd(cpu)) {
        return cpu_has(cpu, CPU_PERFCTR_CORE) ? AMD_CORE : AMD_OLD;
    }
    return row_of(cpu) ? row_of(cpu)->out[0] >> 8 & 0xff : 0;
}

bool pmu_has_counter(const struct cpu *cpu, unsigned n)
{
    return n < pmu_general_count(cpu);
}

bool pmu_has_global(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return !cpu_is_amd(cpu) && pmu_general_count(cpu);
}

static enum exec_result gp(struct cpu *cpu)
{
    return cpu_raise_error(cpu, X_GP, 0);
}

/* --- reading ------------------------------------------------------------------------------ */

uint64_t pmu_read_counter(const struct cpu *cpu, unsigned n)
{
    return pmu_value(cpu, n);
}

uint64_t pmu_read_fixed(const struct cpu *cpu, unsigned n)
{
    return pmu_value(cpu, PMU_GENERAL + n);
}

uint64_t pmu_read_select(const struct cpu *cpu, unsigned n)
{
    return cpu->pmu.select[n];
}

uint64_t pmu_read_core(const struct cpu *cpu, unsigned n)
{
    return n & 1 ? pmu_value(cpu, n / 2) : cpu->pmu.select[n / 2];
}

uint64_t pmu_read_global_status(const struct cpu *cpu, unsigned n)
{
    (void)n;
    return cpu->pmu.global_status | pmu_overflowed(cpu);
}

uint64_t pmu_read_unhalted(const struct cpu *cpu, unsigned n)
{
    return cpu->now - cpu->halted + (n ? cpu->pmu.aperf_offset : cpu->pmu.mperf_offset);
}

/* SDM Vol 2 "RDPMC": bit 30 names the fixed counters; AMD's numbers are plain. */
bool pmu_read_by_number(const struct cpu *cpu, uint32_t number, uint64_t *value)
{
    bool fixed = number & NUMBER_FIXED && pmu_has_global(cpu, 0);
    uint32_t n = fixed ? number & ~(uint32_t)NUMBER_FIXED : number;

    if (n >= (fixed ? (uint32_t)PMU_FIXED : pmu_general_count(cpu))) {
        return false;
    }
    *value = pmu_value(cpu, fixed ? PMU_GENERAL + n : n);
    return true;
}

/* --- writing ------------------------------------------------------------------------------ */

static enum exec_result set(struct cpu *cpu, uint64_t *reg, uint64_t value)
{
    pmu_settle(cpu);
    *reg = value;
    pmu_follow(cpu);
    return EXEC_OK;
}

enum exec_result pmu_write_counter(struct cpu *cpu, unsigned n, uint64_t value)
{
    return set(cpu, &cpu->pmu.counter[n], (uint64_t)(int64_t)(int32_t)value & PMU_MASK);
}

enum exec_result pmu_write_full(struct cpu *cpu, unsigned n, uint64_t value)
{
    return set(cpu, &cpu->pmu.counter[n], value & PMU_MASK);
}

enum exec_result pmu_write_fixed(struct cpu *cpu, unsigned n, uint64_t value)
{
    return pmu_write_full(cpu, PMU_GENERAL + n, value);
}

enum exec_result pmu_write_select(struct cpu *cpu, unsigned n, uint64_t value)
{
    return set(cpu, &cpu->pmu.select[n], value);
}

enum exec_result pmu_write_core(struct cpu *cpu, unsigned n, uint64_t value)
{
    if (n & 1) {
        return pmu_write_full(cpu, n / 2, value);
    }
    return value & ~AMD_SELECT_WRITABLE ? gp(cpu) : pmu_write_select(cpu, n / 2, value);
}

enum exec_result pmu_write_fixed_ctrl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    return set(cpu, &cpu->pmu.fixed_ctrl, value);
}

static bool names_counters(const struct cpu *cpu, uint64_t bits)
{
    return !(bits & 0xff & ~((1ull << pmu_general_count(cpu)) - 1));
}

enum exec_result pmu_write_global_ctrl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    return names_counters(cpu, value) ? set(cpu, &cpu->pmu.global_ctrl, value) : gp(cpu);
}

enum exec_result pmu_write_global_ovf_ctrl(struct cpu *cpu, unsigned n, uint64_t value)
{
    (void)n;
    if (!names_counters(cpu, value)) {
        return gp(cpu);
    }
    pmu_settle(cpu);
    cpu->pmu.global_status &= ~value;
    return EXEC_OK;
}

enum exec_result pmu_write_unhalted(struct cpu *cpu, unsigned n, uint64_t value)
{
    *(n ? &cpu->pmu.aperf_offset : &cpu->pmu.mperf_offset) = value - (cpu->now - cpu->halted);
    return EXEC_OK;
}
