/* Caches: private L1I, L1D and L2 per processor, one shared inclusive L3.
 *
 * A line is physical.  Writing takes the line from every other processor; a
 * line that another one has written since costs a transfer.  The next line of
 * a stream of misses is taken as prefetched.  Of every latency the window
 * hides what the rows say. */
#include "sim/machine.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"

static uint64_t
exposed(unsigned latency, unsigned hidden)
{
    unsigned beyond = latency - CORE_L1D_LATENCY;
    return beyond > hidden ? (uint64_t)(beyond - hidden) << TIME_UNIT_SHIFT : 1u << TIME_UNIT_SHIFT;
}

/* Takes 'line' from processor 'other' (or, for a read, only its right to write). True if it had it in a private cache. */
static bool
snoop(struct cpu *other, uint64_t line, bool write)
{
    struct cpu_time *t = other->time;
    uint64_t *recent = &t->recent[line % RECENT_LINES];
    bool had = *recent == (line << 1 | 1);
    if (*recent >> 1 == line)
        *recent = write ? NO_LINE : line << 1;
    if (!write)
        return had;
    had |= tags_drop(&t->l1d, line);
    had |= tags_drop(&t->l2, line);
    if (t->recent_code[line % RECENT_CODE] == line)
        t->recent_code[line % RECENT_CODE] = NO_LINE;
    tags_drop(&t->l1i, line);
    return had;
}

static bool
snoop_others(struct cpu *c, uint64_t line, bool write)
{
    bool had = false;
    for (unsigned i = 0; i < c->machine->cpu_count; i++)
        if (c->machine->cpu[i] != c)
            had |= snoop(c->machine->cpu[i], line, write);
    return had;
}

/* The L3 is inclusive: what falls out of it falls out of all. */
static bool
touch_shared(struct cpu *c, uint64_t line)
{
    uint64_t evicted = NO_LINE;
    bool hit = tags_touch(&c->machine->timing->l3, line, &evicted);
    if (evicted != NO_LINE)
        for (unsigned i = 0; i < c->machine->cpu_count; i++)
            snoop(c->machine->cpu[i], evicted, true);
    return hit;
}

uint64_t
cache_data(struct cpu *c, uint64_t line, bool write)
{
    struct cpu_time *t = c->time;
    bool elsewhere = c->machine->cpu_count > 1 && snoop_others(c, line, write);
    bool l1 = tags_touch(&t->l1d, line, NULL), streaming = line == t->stream_line + 1;

    t->recent[line % RECENT_LINES] = line << 1 | write;
    if (l1 && !elsewhere)
        return 0;
    bool l2 = tags_touch(&t->l2, line, NULL);
    t->stream_line = line;
    if (elsewhere)
        return exposed(CORE_L3_LATENCY + CORE_DIRTY_ELSEWHERE, CORE_WINDOW_HIDES_LONG);
    if (l2)
        return exposed(CORE_L2_LATENCY, CORE_WINDOW_HIDES);
    bool l3 = touch_shared(c, line);
    if (streaming)
        return exposed(CORE_L2_LATENCY, 0);
    return exposed(l3 ? CORE_L3_LATENCY : CORE_DRAM_LATENCY, CORE_WINDOW_HIDES_LONG);
}

uint64_t
cache_code(struct cpu *c, uint64_t line)
{
    struct cpu_time *t = c->time;
    if (tags_touch(&t->l1i, line, NULL))
        return 0;
    if (tags_touch(&t->l2, line, NULL))
        return (uint64_t)(CORE_L2_LATENCY - CORE_L1D_LATENCY) << TIME_UNIT_SHIFT;
    unsigned latency = touch_shared(c, line) ? CORE_L3_LATENCY : CORE_DRAM_LATENCY;
    return (uint64_t)latency << TIME_UNIT_SHIFT;
}
