/* TLBs: first level for data and code, a shared second level, and walks.
 *
 * Entries are tagged with the address space they belong to, as VPID and PCID
 * do on silicon; what software or a transition flushes is dropped by
 * time_flush.  A walk reads the leaf entry of the guest's tables (upper levels
 * hit the paging-structure caches) and, under EPT, also the leaf EPT entries of
 * that table and of the page: three references instead of one.  Those
 * references go through the data caches under addresses of their own, eight
 * entries to a line. */
#include "sim/machine.h"
#include "sim/time/model.h"
#include "sim/vtx/vtx.h"
#include "spec_timing_core.h"

enum { ENTRIES_PER_LINE_SHIFT = 3, TAG_SHIFT = 40 };
/* Lines of page tables are told from lines of memory by high bits no address has. */
#define TABLE_LINES (1ull << 60)
#define EPT_LINES (1ull << 61)

/* Small number that stands for the translation context. */
static uint64_t
context(const struct cpu *c)
{
    const struct vtx_ops *vtx = c->machine->vtx;
    uint64_t tag = (c->cr3 >> 12) * 0x9E3779B97F4A7C15ull;
    if (vtx && c->nonroot)
        tag ^= (vtx->eptp(c) >> 12) * 0xC2B2AE3D27D4EB4Full + 1;
    return tag >> 44;
}

static uint64_t
key_of(uint64_t linear, uint64_t tag)
{
    return (linear >> 12 & ((1ull << 36) - 1)) ^ tag << TAG_SHIFT;
}

static uint32_t
reference(struct cpu *c, uint64_t line)
{
    return CORE_L1D_LATENCY + cache_data(c, line, false).latency;
}

static uint32_t
walk(struct cpu *c, uint64_t linear, uint64_t tag)
{
    const struct vtx_ops *vtx = c->machine->vtx;
    uint64_t page = linear >> 12 & ((1ull << 36) - 1), leaf = (page >> ENTRIES_PER_LINE_SHIFT) ^ tag << 36;
    uint32_t cost = CORE_WALK_CYCLES + reference(c, TABLE_LINES | leaf);
    if (vtx && c->nonroot && vtx->second_level(c))
        cost += reference(c, EPT_LINES | leaf >> 9) + reference(c, EPT_LINES | leaf);
    return cost;
}

static uint32_t
look_up(struct cpu *c, struct tags *first, uint64_t linear)
{
    uint64_t tag = context(c), key = key_of(linear, tag);
    if (tags_touch(first, key, NULL))
        return 0;
    if (tags_touch(&c->time->stlb, key, NULL))
        return CORE_STLB_CYCLES;
    return CORE_STLB_CYCLES + walk(c, linear, tag);
}

uint32_t
tlb_data(struct cpu *c, uint64_t linear)
{
    return look_up(c, &c->time->dtlb, linear);
}

uint32_t
tlb_code(struct cpu *c, uint64_t linear)
{
    return look_up(c, &c->time->itlb, linear);
}

/* --- what flushes ------------------------------------------------------------------ */

static void
forget_filters(struct cpu_time *t)
{
    for (unsigned i = 0; i < RECENT_LINES; i++)
        t->recent[i] = NO_LINE;
    for (unsigned i = 0; i < RECENT_CODE; i++)
        t->recent_code[i] = NO_LINE;
}

/* Keeps the order of what stays. */
static void
drop_tag(struct tags *t, uint64_t tag)
{
    for (uint32_t set = 0; set < t->sets; set++) {
        uint64_t *way = t->tag + (size_t)set * t->ways;
        uint32_t kept = 0;
        for (uint32_t i = 0; i < t->ways; i++)
            if (way[i] >> TAG_SHIFT != tag)
                way[kept++] = way[i];
        while (kept < t->ways)
            way[kept++] = NO_LINE;
    }
}

void
time_flush(struct cpu *c, bool all)
{
    struct cpu_time *t = c->time;
    if (!t)
        return;
    struct tags *each[] = { &t->dtlb, &t->itlb, &t->stlb };
    for (unsigned i = 0; i < 3; i++) {
        if (all)
            tags_clear(each[i]);
        else
            drop_tag(each[i], context(c));
    }
    forget_filters(t);
}

void
time_flush_page(struct cpu *c, uint64_t linear)
{
    struct cpu_time *t = c->time;
    if (!t)
        return;
    uint64_t key = key_of(linear, context(c));
    tags_drop(&t->dtlb, key);
    tags_drop(&t->itlb, key);
    tags_drop(&t->stlb, key);
    forget_filters(t);
}
