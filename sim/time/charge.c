/* Paying: micro-coded operations, memory references, strings. */
#include "sim/machine.h"
#include "sim/cpu/core.h"
#include "sim/mem/mem.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"
#include "spec_timing_charge.h"

void
time_pay(struct cpu *c, unsigned bucket, uint64_t cost)
{
    c->budget -= (int64_t)cost;
    c->bucket_cycles[bucket] += cost;
}

unsigned
time_bucket(const struct cpu *c)
{
    return c->block ? c->block->bucket : BUCKET_OTHER;
}

struct charge { unsigned base, each; bool transition; }; /* [cycles]; 'each' per n */

static const struct charge charges[CHARGE_KIND_COUNT] = {
    [CHARGE_VM_ENTRY] = { CHARGE_ROW_VM_ENTRY_BASE, CHARGE_ROW_VM_FIELD, true },
    [CHARGE_VM_EXIT] = { CHARGE_ROW_VM_EXIT_BASE, CHARGE_ROW_VM_FIELD, true },
    [CHARGE_VM_MSR] = { 0, CHARGE_ROW_VM_MSR, true },
    [CHARGE_VMREAD] = { 0, CHARGE_ROW_VMREAD, false },
    [CHARGE_VMWRITE] = { 0, CHARGE_ROW_VMWRITE, false },
    [CHARGE_CPUID] = { 0, CHARGE_ROW_CPUID, false },
    [CHARGE_MOV_CR] = { 0, CHARGE_ROW_MOV_CR, false },
    [CHARGE_WRMSR] = { 0, CHARGE_ROW_WRMSR, false },
    [CHARGE_RDMSR] = { 0, CHARGE_ROW_RDMSR, false },
    [CHARGE_INVLPG] = { 0, CHARGE_ROW_INVLPG, false },
    [CHARGE_IRET] = { 0, CHARGE_ROW_IRET, false },
    [CHARGE_SYSCALL] = { 0, CHARGE_ROW_SYSCALL, false },
    [CHARGE_FAR] = { 0, CHARGE_ROW_FAR, false },
    [CHARGE_INTERRUPT] = { 0, CHARGE_ROW_INTERRUPT, false },
    [CHARGE_LOCKED] = { 0, CHARGE_ROW_LOCKED, false },
    [CHARGE_MMIO_READ] = { 0, CHARGE_ROW_MMIO_READ, false },
    [CHARGE_MMIO_WRITE] = { 0, CHARGE_ROW_MMIO_WRITE, false },
    [CHARGE_PORT_IN] = { 0, CHARGE_ROW_PORT_IN, false },
    [CHARGE_PORT_OUT] = { 0, CHARGE_ROW_PORT_OUT, false },
    [CHARGE_WAKE] = { 0, CHARGE_ROW_WAKE, false },
    [CHARGE_INVEPT] = { 0, CHARGE_ROW_INVEPT, false },
    [CHARGE_FENCE] = { 0, CHARGE_ROW_FENCE, false },
};

void
time_charge(struct cpu *c, enum charge_kind kind, unsigned n)
{
    const struct charge *row = &charges[kind];
    if (!c->time)
        return;
    uint64_t cycles = row->base + (uint64_t)row->each * n;
    unsigned bucket = kind == CHARGE_WAKE ? BUCKET_IDLE : row->transition ? BUCKET_EXIT_ENTRY : time_bucket(c);
    time_pay(c, bucket, cycles << TIME_UNIT_SHIFT);
}

void
time_data(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size, bool write)
{
    if (!c->time)
        return;
    uint64_t cost = tlb_data(c, linear) + cache_data(c, spa >> LINE_SHIFT, write);
    if ((spa & 63) + size > 64) {
        cost += (uint64_t)CORE_SPLIT_LINE_CYCLES << TIME_UNIT_SHIFT;
        cost += cache_data(c, (spa >> LINE_SHIFT) + 1, write);
    }
    if (cost)
        time_pay(c, time_bucket(c), cost);
}

void
time_code(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size)
{
    if (!c->time)
        return;
    uint64_t cost = tlb_code(c, linear);
    for (uint64_t line = spa >> LINE_SHIFT; line <= (spa + size - 1) >> LINE_SHIFT; line++) {
        uint64_t *recent = &c->time->recent_code[line % RECENT_CODE];
        if (*recent == line)
            continue;
        *recent = line;
        cost += cache_code(c, line);
    }
    if (cost)
        time_pay(c, time_bucket(c), cost);
}

/* Walks are modelled where the model's own TLBs miss (tlb.c); what the soft TLB misses is the host's affair. */
void
time_walk(struct cpu *c, uint64_t linear, const uint64_t *refs, unsigned count, bool second_level)
{
    (void)c, (void)linear, (void)refs, (void)count, (void)second_level;
}

void
time_string(struct cpu *c, uint64_t bytes)
{
    if (c->time)
        time_pay(c, time_bucket(c), ((bytes << TIME_UNIT_SHIFT) / CHARGE_ROW_STRING_BYTES)
                 + ((uint64_t)CHARGE_ROW_STRING_START << TIME_UNIT_SHIFT));
}

/* Direct cache access: a device's write lands in the L3 and is gone from private caches. */
void
time_dma_write(struct machine *m, uint64_t spa, uint64_t size)
{
    if (!m->timing || !size)
        return;
    for (uint64_t line = spa >> LINE_SHIFT; line <= (spa + size - 1) >> LINE_SHIFT; line++) {
        for (unsigned i = 0; i < m->cpu_count; i++) {
            struct cpu_time *t = m->cpu[i]->time;
            tags_drop(&t->l1d, line);
            tags_drop(&t->l2, line);
            if (t->recent[line % RECENT_LINES] >> 1 == line)
                t->recent[line % RECENT_LINES] = NO_LINE;
        }
        tags_touch(&m->timing->l3, line, NULL);
    }
}
