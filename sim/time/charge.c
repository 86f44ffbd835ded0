/* Paying: micro-coded operations, memory references, strings. */
#include <string.h>

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
    return c->block ? c->block->bucket : c->core->bucket;
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
};

/* A locked operation waits for its own line: what the store buffer would have hidden of it. */
static uint64_t
take_hidden(struct cpu *c)
{
    struct cpu_time *t = c->time;
    uint64_t hidden = t->hidden_at == c->instructions + 1 ? t->hidden : 0;
    t->hidden_at = 0;
    return hidden;
}

void
time_charge(struct cpu *c, enum charge_kind kind, unsigned n)
{
    const struct charge *row = &charges[kind];
    if (!c->time)
        return;
    uint64_t cycles = row->base + (uint64_t)row->each * n;
    if (kind == CHARGE_LOCKED)
        cycles += take_hidden(c);
    unsigned bucket = kind == CHARGE_WAKE ? BUCKET_IDLE : row->transition ? BUCKET_EXIT_ENTRY : time_bucket(c);
    time_pay(c, bucket, cycles << TIME_UNIT_SHIFT);
}

/* --- memory references ---------------------------------------------------------- */

enum { NO_READ = 0 };

/* What the miss stands for: part of a chain, one of many, or the first of many. */
static uint64_t
price(struct cpu *c, uint64_t linear, uint32_t latency, bool write)
{
    struct cpu_time *t = c->time;
    bool dependent = linear - t->chased + CORE_CHASE_REACH < 2 * CORE_CHASE_REACH && t->chased != NO_READ;
    uint32_t overlapped = latency / CORE_LINE_FILL_BUFFERS ? latency / CORE_LINE_FILL_BUFFERS : 1;

    if (dependent && !write)
        return latency;
    if (write) {
        t->hidden = latency - overlapped;
        t->hidden_at = c->instructions + 1;
    }
    if (write || latency <= CORE_WINDOW_CYCLES || c->instructions - t->miss_at < CORE_ROB_ENTRIES)
        return overlapped;
    t->miss_at = c->instructions;
    return latency - CORE_WINDOW_CYCLES;
}

/* What a load found, for the load that follows it. */
static void
remember(struct cpu_time *t, uint64_t at, unsigned size)
{
    t->chased = NO_READ;
    if (size == 8)
        memcpy(&t->chased, t->ram + at, 8);
}

static void
touch_line(struct cpu *c, uint64_t linear, uint64_t at, unsigned size, bool write)
{
    struct cpu_time *t = c->time;
    uint64_t line = at >> LINE_SHIFT, recent = t->recent[line % RECENT_LINES] ^ line << 1;

    if (recent <= 1 && recent >= write)
        return;
    uint32_t latency = tlb_data(c, linear);
    struct miss miss = cache_data(c, line, write);
    latency += miss.latency;
    uint64_t cost = latency ? price(c, linear, latency, write) : 0;
    if (latency && !write)
        remember(t, at, size);
    cost = cost > miss.floor ? cost : miss.floor;
    if (cost)
        time_pay(c, time_bucket(c), cost << TIME_UNIT_SHIFT);
}

/* 'at': offset into RAM. */
static void
touch(struct cpu *c, uint64_t linear, uint64_t at, unsigned size, bool write)
{
    if (at >= mem_ram_size(c->machine->mem))
        return; /* a bounce buffer, or MMIO, which has rows of its own */
    uint64_t first = at >> LINE_SHIFT, last = (at + size - 1) >> LINE_SHIFT;
    touch_line(c, linear, at, size, write);
    for (uint64_t line = first + 1; line <= last; line++)
        touch_line(c, linear + ((line - first) << LINE_SHIFT), line << LINE_SHIFT, 0, write);
    if (last != first && size <= 16)
        time_pay(c, time_bucket(c), (uint64_t)CORE_SPLIT_LINE_CYCLES << TIME_UNIT_SHIFT);
}

void
time_touch_slow(struct cpu *c, uint64_t linear, const void *host, unsigned size, bool write)
{
    touch(c, linear, (uint64_t)((const uint8_t *)host - c->time->ram), size, write);
}

static uint64_t
ram_offset(uint64_t spa)
{
    if (spa >= MEM_HOLE_END)
        return spa - (MEM_HOLE_END - MEM_HOLE_START);
    return spa < MEM_HOLE_START ? spa : UINT64_MAX;
}

void
time_data(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size, bool write)
{
    if (c->time && size)
        touch(c, linear, ram_offset(spa), size, write);
}

void
time_code_slow(struct cpu *c, uint64_t linear, uint64_t first_line, uint64_t last_line)
{
    struct cpu_time *t = c->time;
    uint64_t cost = tlb_code(c, linear);
    for (uint64_t line = first_line; line <= last_line; line++) {
        uint64_t *recent = &t->recent_code[line % RECENT_CODE];
        if (*recent == line)
            continue;
        *recent = line;
        cost += cache_code(c, line);
    }
    if (cost)
        time_pay(c, time_bucket(c), cost << TIME_UNIT_SHIFT);
}

void
time_string(struct cpu *c, uint64_t bytes)
{
    if (c->time)
        time_pay(c, time_bucket(c), ((bytes << TIME_UNIT_SHIFT) / CHARGE_ROW_STRING_BYTES)
                 + ((uint64_t)CHARGE_ROW_STRING_START << TIME_UNIT_SHIFT));
}

void
time_dma_write(struct machine *m, uint64_t spa, uint64_t size)
{
    uint64_t at = ram_offset(spa);
    if (!m->timing || !size || at >= mem_ram_size(m->mem))
        return;
    for (uint64_t line = at >> LINE_SHIFT; line <= (at + size - 1) >> LINE_SHIFT; line++)
        cache_device_wrote(m, line);
}
