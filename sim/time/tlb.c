/* TLBs: first level for data and code, a shared second level, and walks.
 *
 * Entries are tagged with the address space they belong to, as VPID and PCID
 * do on silicon; without them a switch finds nothing of its own because the
 * tag changes.  A walk reads the leaf entry of the guest's tables (upper
 * levels hit the paging-structure caches) and, under EPT, also the leaf EPT
 * entries of that table and of the page: three references instead of one.
 * Those references go through the data caches under addresses of their own,
 * eight entries to a line. */
#include "sim/machine.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"
#include "sim/vtx/vtx.h"

enum { ENTRIES_PER_LINE_SHIFT = 3 };
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
walk(struct cpu *c, uint64_t page, uint64_t tag)
{
    const struct vtx_ops *vtx = c->machine->vtx;
    uint64_t cost = (uint64_t)CORE_WALK_CYCLES << TIME_UNIT_SHIFT;
    uint64_t leaf = (page >> ENTRIES_PER_LINE_SHIFT) ^ tag << 36;
    cost += cache_data(c, TABLE_LINES | leaf, false);
    if (vtx && c->nonroot && vtx->second_level(c)) {
        cost += cache_data(c, EPT_LINES | leaf >> 9, false);
        cost += cache_data(c, EPT_LINES | leaf, false);
    }
    return cost;
}

static uint64_t
look_up(struct cpu *c, struct tags *first, uint64_t linear)
{
    uint64_t page = linear >> 12 & ((1ull << 36) - 1), tag = context(c), key = page ^ tag << 40;
    if (tags_touch(first, key, NULL))
        return 0;
    if (tags_touch(&c->time->stlb, key, NULL))
        return (uint64_t)CORE_STLB_CYCLES << TIME_UNIT_SHIFT;
    return walk(c, page, tag);
}

uint64_t
tlb_data(struct cpu *c, uint64_t linear)
{
    return look_up(c, &c->time->dtlb, linear);
}

uint64_t
tlb_code(struct cpu *c, uint64_t linear)
{
    return look_up(c, &c->time->itlb, linear);
}
