/* Counting: totals of events, settling, overflow. */
#include "sim/cpu/system/pmu.h"

#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/exec/branch.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "spec/x86/system.h"

enum { SELECT_USR = 1 << 16, SELECT_OS = 1 << 17, SELECT_EDGE = 1 << 18, SELECT_INT = 1 << 20, SELECT_EN = 1 << 22, SELECT_INV = 1 << 23 };
#define SELECT_CMASK 0xff000000ull
enum { FIXED_OS = 1, FIXED_USR = 2, FIXED_PMI = 8, FIXED_FIELD = 4 }; /* four bits a counter */

/* That many happen in a cycle at most, generously. */
static const uint8_t most_per_cycle[PMU_EVENT_COUNT] = {
    [PMU_CYCLES] = 1, [PMU_INSTRUCTIONS] = 16, [PMU_BRANCHES] = 16, [PMU_TAKEN_BRANCHES] = 16, [PMU_MISPREDICTS] = 1,
    [PMU_LLC_REFERENCES] = 16, [PMU_LLC_MISSES] = 16,
};

static const struct { uint8_t vendor; uint16_t select; uint8_t unit, event; } events[] = {
#define PMU_EVENT(vendor, select, unit, event) { CPU_VENDOR_##vendor, select, unit, PMU_##event },
#include "spec/x86/pmu.def"
#undef PMU_EVENT
};
enum { EVENT_ROWS = sizeof events / sizeof *events };

static uint64_t total(const struct cpu *cpu, unsigned event)
{
    switch (event) {
    case PMU_CYCLES: return cpu->now - cpu->halted;
    case PMU_INSTRUCTIONS: return cpu->instructions;
    case PMU_BRANCHES: return cpu->pmu.branches;
    case PMU_TAKEN_BRANCHES: return cpu->pmu.taken_branches;
    case PMU_MISPREDICTS: return time_event_count(cpu, TIME_MISPREDICTS);
    case PMU_LLC_REFERENCES: return time_event_count(cpu, TIME_LLC_REFERENCES);
    case PMU_LLC_MISSES: return time_event_count(cpu, TIME_LLC_MISSES);
    default: return 0;
    }
}

/* --- what counts ---------------------------------------------------------------------- */

uint64_t pmu_global_bit(unsigned counter)
{
    return 1ull << (counter < PMU_GENERAL ? counter : 32 + counter - PMU_GENERAL);
}

static unsigned event_of(const struct cpu *cpu, uint64_t select)
{
    unsigned vendor = cpu_is_amd(cpu) ? CPU_VENDOR_AMD : CPU_VENDOR_INTEL;
    uint64_t number = (select & 0xff) | (select >> 24 & 0xf00);

    for (unsigned i = 0; i < EVENT_ROWS; i++) {
        if (events[i].vendor == vendor && events[i].select == number && events[i].unit == (select >> 8 & 0xff)) {
            return events[i].event;
        }
    }
    return PMU_NOTHING;
}

static struct pmu_use use_general(const struct cpu *cpu, uint64_t select)
{
    bool on = select & SELECT_EN && !(select & (SELECT_EDGE | SELECT_INV | SELECT_CMASK));

    unsigned event = on ? event_of(cpu, select) : PMU_NOTHING;

    return (struct pmu_use){ (uint8_t)event, select & SELECT_USR, select & SELECT_OS, select & SELECT_INT };
}

/* Instructions, core cycles, reference cycles. */
static struct pmu_use use_fixed(const struct cpu *cpu, unsigned n)
{
    uint64_t field = cpu->pmu.fixed_ctrl >> (n * FIXED_FIELD);

    return (struct pmu_use){ n == 0 ? PMU_INSTRUCTIONS : PMU_CYCLES, field & FIXED_USR, field & FIXED_OS, field & FIXED_PMI };
}

void pmu_follow(struct cpu *cpu)
{
    struct pmu *p = &cpu->pmu;
    bool global = pmu_has_global(cpu, 0), counts = false, steps = false;

    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        struct pmu_use use = i < PMU_GENERAL ? use_general(cpu, p->select[i]) : use_fixed(cpu, i - PMU_GENERAL);
        bool enabled = (global ? p->global_ctrl & pmu_global_bit(i) : i < PMU_GENERAL) && (use.user || use.system);
        use.event = enabled ? use.event : PMU_NOTHING;
        cpu->pmu_use[i] = use;
        counts |= use.event != PMU_NOTHING;
        steps |= use.event == PMU_BRANCHES || use.event == PMU_TAKEN_BRANCHES;
    }
    cpu->pmu_counts = counts;
    cpu->pmu_steps = steps || (global && cpu->msr.debugctl & DEBUGCTL_LBR);
    p->user = cpu_cpl(cpu) != 0;
    if (counts || cpu->pmu_steps) {
        cpu_attend(cpu, 0); /* the run loop must ask for a boundary */
    }
}

void pmu_set_debugctl(struct cpu *cpu, uint64_t value)
{
    if (value != cpu->msr.debugctl) {
        pmu_settle(cpu);
        cpu->msr.debugctl = value;
        pmu_follow(cpu);
    }
}

void pmu_reset(struct cpu *cpu)
{
    memset(&cpu->pmu, 0, sizeof cpu->pmu);
    cpu->pmu.global_ctrl = pmu_has_global(cpu, 0) ? (1ull << pmu_general_count(cpu)) - 1 : 0;
    pmu_follow(cpu);
}

/* --- counting ------------------------------------------------------------------------------ */

static bool counts_now(const struct cpu *cpu, unsigned i)
{
    const struct pmu_use *use = &cpu->pmu_use[i];

    return use->event != PMU_NOTHING && (cpu->pmu.user ? use->user : use->system);
}

/* Beyond 48 bits: it has overflowed. */
static uint64_t value_beyond(const struct cpu *cpu, unsigned i)
{
    unsigned event = cpu->pmu_use[i].event;
    uint64_t since = counts_now(cpu, i) ? total(cpu, event) - cpu->pmu.settled[event] : 0;

    return cpu->pmu.counter[i] + since;
}

uint64_t pmu_value(const struct cpu *cpu, unsigned counter)
{
    return value_beyond(cpu, counter) & PMU_MASK;
}

/* SDM Vol 3B "Freezing LBR and Performance Counters on PMI", the legacy way: enable bits are cleared. */
static void interrupt(struct cpu *cpu)
{
    uint64_t *debugctl = &cpu->msr.debugctl;

    cpu->pmu.global_ctrl &= *debugctl & DEBUGCTL_FREEZE_PERFMON_ON_PMI ? 0 : ~0ull;
    *debugctl &= *debugctl & DEBUGCTL_FREEZE_LBRS_ON_PMI ? ~DEBUGCTL_LBR : ~0ull;
    pmu_follow(cpu);
    apic_perf_interrupt(cpu);
}

void pmu_settle(struct cpu *cpu)
{
    struct pmu *p = &cpu->pmu;
    bool interrupts = false;

    for (unsigned i = 0; i < PMU_COUNTERS && cpu->pmu_counts; i++) {
        uint64_t value = value_beyond(cpu, i);
        if (value > PMU_MASK) {
            p->global_status |= pmu_has_global(cpu, 0) ? pmu_global_bit(i) : 0;
            interrupts |= cpu->pmu_use[i].interrupt;
        }
        p->counter[i] = value & PMU_MASK;
    }
    for (unsigned event = 0; event < PMU_EVENT_COUNT; event++) {
        p->settled[event] = total(cpu, event);
    }
    if (interrupts) {
        interrupt(cpu);
    }
}

static uint64_t cycles_until(const struct cpu *cpu, unsigned event, uint64_t left)
{
    uint64_t rate = cpu->machine->timing ? most_per_cycle[event] : 1; /* functional: an instruction takes a cycle */

    return left > rate ? left / rate : 1;
}

uint64_t pmu_overflowed(const struct cpu *cpu)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < PMU_COUNTERS && cpu->pmu_counts; i++) {
        bits |= value_beyond(cpu, i) > PMU_MASK ? pmu_global_bit(i) : 0;
    }
    return bits;
}

static bool overflows(const struct cpu *cpu)
{
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        if (cpu->pmu_use[i].interrupt && value_beyond(cpu, i) > PMU_MASK) {
            return true;
        }
    }
    return false;
}

/* Settles only when something overflows: how often the run loop asks is not the machine's affair. */
uint64_t pmu_boundary(struct cpu *cpu, uint64_t until)
{
    if (overflows(cpu)) {
        pmu_settle(cpu);
    }
    for (unsigned i = 0; i < PMU_COUNTERS; i++) {
        if (!cpu->pmu_use[i].interrupt || !counts_now(cpu, i)) {
            continue;
        }
        uint64_t due = cpu->now + cycles_until(cpu, cpu->pmu_use[i].event, PMU_MASK + 1 - value_beyond(cpu, i));
        until = due < until ? due : until;
    }
    return until;
}

void pmu_look_privilege(struct cpu *cpu)
{
    uint64_t user = cpu_cpl(cpu) != 0;

    if (user != cpu->pmu.user) {
        pmu_settle(cpu);
        cpu->pmu.user = user;
        cpu_attend(cpu, 0);
    }
}

void pmu_branch(struct cpu *cpu, unsigned type, uint64_t from, enum exec_result result, bool taken)
{
    if (result != EXEC_OK && result != EXEC_JUMP) {
        return;
    }
    taken |= type != BRANCH_CONDITIONAL_JUMP; /* a call of the next instruction is one */
    cpu->pmu.branches++;
    cpu->pmu.taken_branches += taken;
    if (taken && cpu->msr.debugctl & DEBUGCTL_LBR) {
        pmu_record(cpu, type, from);
    }
}

void pmu_event_taken(struct cpu *cpu, uint64_t from)
{
    if (cpu->msr.debugctl & DEBUGCTL_LBR) {
        pmu_record(cpu, BRANCH_FAR, from);
    }
}
