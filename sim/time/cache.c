/* Caches: private L1I, L1D and L2 per processor, one shared inclusive L3.
 *
 * Tags only.  Writing takes a line from every other processor; a line that
 * another one has dirty in its private caches costs a transfer.  The line
 * behind the latest miss of a page is taken as prefetched. */
#include "sim/machine.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"

enum { BEYOND_L2 = CORE_L2_LATENCY - CORE_L1D_LATENCY, BEYOND_L3 = CORE_L3_LATENCY - CORE_L1D_LATENCY,
       BEYOND_DRAM = CORE_DRAM_LATENCY - CORE_L1D_LATENCY };
_Static_assert((int)CORE_STREAM_SLOTS == (int)STREAM_SLOTS, "the row and the array agree");

static void
forget(struct cpu_time *t, uint64_t line)
{
    if (t->recent[line % RECENT_LINES] >> 1 == line)
        t->recent[line % RECENT_LINES] = NO_LINE;
}

static bool
take_away(struct cpu_time *t, uint64_t line)
{
    bool had = tags_drop(&t->l1d, line);
    had |= tags_drop(&t->l2, line);
    forget(t, line);
    if (t->recent_code[line % RECENT_CODE] == line)
        t->recent_code[line % RECENT_CODE] = NO_LINE;
    tags_drop(&t->l1i, line);
    return had;
}

static void
take_from_others(const struct cpu *c, uint64_t line)
{
    for (unsigned i = 0; i < c->machine->cpu_count; i++)
        if (c->machine->cpu[i] != c)
            take_away(c->machine->cpu[i]->time, line);
}

static uint64_t *
owner_slot(const struct machine *m, uint64_t line)
{
    return &m->timing->owner[line % OWNER_ENTRIES];
}

/* Makes the access coherent. True: the line comes dirty from another processor's caches. */
static bool
own(struct cpu *c, uint64_t line, bool write)
{
    uint64_t *slot = owner_slot(c->machine, line), mine = line << OWNER_SHIFT | (c->index + 1);
    bool known = *slot >> OWNER_SHIFT == line && *slot & ((1u << OWNER_SHIFT) - 1), dirty = false;

    if (*slot == mine)
        return false;
    if (known) {
        struct cpu_time *other = c->machine->cpu[(*slot & ((1u << OWNER_SHIFT) - 1)) - 1]->time;
        dirty = tags_has(&other->l1d, line) || tags_has(&other->l2, line);
        if (other->recent[line % RECENT_LINES] >> 1 == line)
            other->recent[line % RECENT_LINES] = line << 1;
        *slot = 0;
    }
    if (write) {
        take_from_others(c, line);
        *slot = mine;
    }
    return dirty;
}

/* The L3 is inclusive: what falls out of it falls out of all. */
static bool
touch_l3(struct machine *m, uint64_t line)
{
    uint64_t evicted = NO_LINE;
    bool hit = tags_touch(&m->timing->l3, line, &evicted);
    if (evicted != NO_LINE)
        for (unsigned i = 0; i < m->cpu_count; i++)
            take_away(m->cpu[i]->time, evicted);
    return hit;
}

/* The same for a processor's own access. */
static bool
reference_l3(struct cpu *c, uint64_t line)
{
    bool hit = touch_l3(c->machine, line);
    c->time->events[TIME_LLC_REFERENCES]++;
    c->time->events[TIME_LLC_MISSES] += !hit;
    return hit;
}

/* What an L1 evicts needs not be forgotten: the filter's place of the old line is the new line's. */
_Static_assert((int)CORE_L1D_SETS % (int)RECENT_LINES == 0, "lines of one set share a place in the filter");
_Static_assert((int)CORE_L1I_SETS % (int)RECENT_CODE == 0, "lines of one set share a place in the filter");

static bool
touch_l1(struct cpu_time *t, uint64_t line, bool write)
{
    bool hit = tags_touch(&t->l1d, line, NULL);
    t->recent[line % RECENT_LINES] = line << 1 | write;
    return hit;
}

/* One forward stream per page. */
static bool
is_streaming(struct cpu_time *t, uint64_t line)
{
    uint64_t *latest = &t->stream[(line >> (12 - LINE_SHIFT)) % STREAM_SLOTS];
    bool next = line == *latest + 1;
    *latest = line;
    return next;
}

struct miss
cache_data(struct cpu *c, uint64_t line, bool write)
{
    struct cpu_time *t = c->time;
    bool dirty_elsewhere = c->machine->cpu_count > 1 && own(c, line, write);

    if (touch_l1(t, line, write) && !dirty_elsewhere)
        return (struct miss){ 0, 0 };
    bool streaming = is_streaming(t, line), l2 = tags_touch(&t->l2, line, NULL);
    if (dirty_elsewhere)
        return (struct miss){ BEYOND_L3 + CORE_DIRTY_ELSEWHERE, 0 };
    if (l2)
        return (struct miss){ BEYOND_L2, 0 };
    if (streaming) { /* a prefetch, which the processor's events do not count */
        bool l3 = touch_l3(c->machine, line);
        return (struct miss){ BEYOND_L2, l3 ? 0 : CORE_STREAM_LINE_CYCLES };
    }
    return (struct miss){ reference_l3(c, line) ? BEYOND_L3 : BEYOND_DRAM, 0 };
}

/* Nothing hides what the front end waits for; lines in order are prefetched as data is. */
uint32_t
cache_code(struct cpu *c, uint64_t line)
{
    struct cpu_time *t = c->time;
    if (tags_touch(&t->l1i, line, NULL))
        return 0;
    if (tags_touch(&t->l2, line, NULL))
        return BEYOND_L2;
    return reference_l3(c, line) ? BEYOND_L3 : BEYOND_DRAM;
}

/* Direct cache access: the line lands in the L3 and is gone from private caches. */
void
cache_device_wrote(struct machine *m, uint64_t line)
{
    if (touch_l3(m, line))
        for (unsigned i = 0; i < m->cpu_count; i++)
            take_away(m->cpu[i]->time, line);
    uint64_t *slot = owner_slot(m, line);
    if (*slot >> OWNER_SHIFT == line)
        *slot = 0;
}
