/* EPT tables of a partition; see gpa.h. */
#include "hv/gpa/gpa.h"

#include "hv/arch/lp_arch.h"
#include "hv/iommu/vtd.h"
#include "hv/partition/partition.h"
#include "hv/sched/sched.h"
#include "spec/vmx/vmx.h"

#define ENTRY_ADDRESS 0x000FFFFFFFFFF000ull
#define ENTRY_PRESENT (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define ENTRY_TABLE (EPT_READ | EPT_WRITE | EPT_EXECUTE)
enum { ENTRIES = 512, TOP_SHIFT = 39, SPACE_BITS = 48 };

static uint64_t *table(uint64_t entry) { return arch_spa_pointer(entry & ENTRY_ADDRESS); }
static unsigned slot(uint64_t gpa, unsigned shift) { return (unsigned)(gpa >> shift) & (ENTRIES - 1); }

static uint64_t leaf(uint64_t spa, unsigned shift, unsigned access)
{
    uint64_t type = access & GPA_UNCACHED ? MEMORY_TYPE_UC : MEMORY_TYPE_WB;
    uint64_t entry = spa | (access & ENTRY_PRESENT);
    if (!(access & ENTRY_PRESENT))
        return 0;
    return entry | type << EPT_TYPE_SHIFT | (shift > GPA_SHIFT_4K ? EPT_LARGE : 0);
}

bool gpa_create(struct partition *p)
{
    uint64_t root = page_pool_take(&p->pool);
    if (!root)
        return false;
    p->gpa = (struct gpa_space){ .root = root, .pages = 1, .generation = 1 };
    p->gpa.eptp = root | MEMORY_TYPE_WB | 3u << EPTP_WALK_SHIFT;
    return true;
}

static void free_tables(struct partition *p, uint64_t spa, unsigned shift)
{
    uint64_t *entries = arch_spa_pointer(spa);
    for (unsigned i = 0; shift > GPA_SHIFT_4K && i < ENTRIES; i++)
        if ((entries[i] & ENTRY_PRESENT) && !(entries[i] & EPT_LARGE))
            free_tables(p, entries[i] & ENTRY_ADDRESS, shift - 9);
    page_pool_put(&p->pool, spa);
    p->gpa.pages--;
}

void gpa_destroy(struct partition *p)
{
    if (p->gpa.root)
        free_tables(p, p->gpa.root, TOP_SHIFT);
    p->gpa.root = 0;
}

/* Replaces a large page by a table of pages one size smaller that say the same. */
static bool split(struct partition *p, uint64_t *entry, unsigned shift)
{
    uint64_t spa = page_pool_take(&p->pool);
    if (!spa)
        return false;
    p->gpa.pages++;
    uint64_t *entries = arch_spa_pointer(spa);
    uint64_t attributes = *entry & ~ENTRY_ADDRESS, base = *entry & ENTRY_ADDRESS;
    if (shift - 9 == GPA_SHIFT_4K)
        attributes &= ~(uint64_t)EPT_LARGE;
    for (uint64_t i = 0; i < ENTRIES; i++)
        entries[i] = (base + (i << (shift - 9))) | attributes;
    __atomic_store_n(entry, spa | ENTRY_TABLE, __ATOMIC_RELEASE);
    return true;
}

/* The entry of size 'shift' for 'gpa'; makes tables on the way. NULL: pool empty. */
static uint64_t *make_entry(struct partition *p, uint64_t gpa, unsigned shift)
{
    uint64_t *entries = arch_spa_pointer(p->gpa.root);
    for (unsigned level = TOP_SHIFT; level > shift; level -= 9) {
        uint64_t *entry = &entries[slot(gpa, level)];
        if (!(*entry & ENTRY_PRESENT)) {
            uint64_t spa = page_pool_take(&p->pool);
            if (!spa)
                return NULL;
            p->gpa.pages++;
            __atomic_store_n(entry, spa | ENTRY_TABLE, __ATOMIC_RELEASE);
        } else if (*entry & EPT_LARGE && !split(p, entry, level)) {
            return NULL;
        }
        entries = table(*entry);
    }
    return &entries[slot(gpa, shift)];
}

/* Writes a leaf. Where a table stands instead, its entries are written, so that
 * no table page is freed while a processor may still walk it. */
static void write_entry(uint64_t *entry, uint64_t spa, unsigned shift, unsigned access)
{
    bool is_table = shift > GPA_SHIFT_4K && (*entry & ENTRY_PRESENT) && !(*entry & EPT_LARGE);
    if (!is_table) {
        __atomic_store_n(entry, leaf(spa, shift, access), __ATOMIC_RELEASE);
        return;
    }
    uint64_t *entries = table(*entry);
    for (uint64_t i = 0; i < ENTRIES; i++)
        write_entry(&entries[i], spa + (i << (shift - 9)), shift - 9, access);
}

enum hv_status gpa_map(struct partition *p, uint64_t gpa, uint64_t spa, unsigned shift, unsigned access)
{
    RT_ASSERT(!((gpa | spa) & ((1ull << shift) - 1)) && gpa >> SPACE_BITS == 0);
    uint64_t *entry = make_entry(p, gpa, shift);
    if (!entry)
        return HV_STATUS_INSUFFICIENT_MEMORY;
    write_entry(entry, spa, shift, access);
    return HV_STATUS_SUCCESS;
}

enum hv_status gpa_unmap(struct partition *p, uint64_t gpa, unsigned shift)
{
    return gpa_map(p, gpa, 0, shift, 0);
}

static unsigned best_shift(uint64_t gpa, uint64_t spa, uint64_t size)
{
    static const unsigned shifts[] = { GPA_SHIFT_1G, GPA_SHIFT_2M };
    for (unsigned i = 0; i < 2; i++)
        if (shifts[i] <= vtd_page_shift_max() && size >> shifts[i] && !((gpa | spa) & ((1ull << shifts[i]) - 1)))
            return shifts[i];
    return GPA_SHIFT_4K;
}

enum hv_status gpa_map_range(struct partition *p, uint64_t gpa, uint64_t spa, uint64_t size, unsigned access)
{
    while (size) {
        unsigned shift = best_shift(gpa, spa, size);
        enum hv_status status = gpa_map(p, gpa, spa, shift, access);
        if (status)
            return status;
        gpa += 1ull << shift;
        spa += 1ull << shift;
        size -= 1ull << shift;
    }
    return HV_STATUS_SUCCESS;
}

bool gpa_lookup(const struct partition *p, uint64_t gpa, struct gpa_mapping *m)
{
    if (gpa >> SPACE_BITS || !p->gpa.root)
        return false;
    const uint64_t *entries = arch_spa_pointer(p->gpa.root);
    for (unsigned shift = TOP_SHIFT;; shift -= 9) {
        uint64_t entry = __atomic_load_n(&entries[slot(gpa, shift)], __ATOMIC_ACQUIRE);
        if (!(entry & ENTRY_PRESENT))
            return false;
        if (shift == GPA_SHIFT_4K || entry & EPT_LARGE) {
            uint64_t mask = (1ull << shift) - 1;
            bool uncached = (entry >> EPT_TYPE_SHIFT & 7) == MEMORY_TYPE_UC;
            *m = (struct gpa_mapping){ (entry & ENTRY_ADDRESS & ~mask) | (gpa & mask),
                                       (unsigned)(entry & ENTRY_PRESENT) | (uncached ? GPA_UNCACHED : 0), shift };
            return true;
        }
        entries = table(entry);
    }
}

void *gpa_pointer(const struct partition *p, uint64_t gpa, bool write)
{
    struct gpa_mapping m;
    if (!gpa_lookup(p, gpa, &m) || m.access & GPA_UNCACHED || !(m.access & GPA_READ))
        return NULL;
    if (write && !(m.access & GPA_WRITE))
        return NULL;
    return arch_spa_pointer(m.spa);
}

enum hv_status gpa_overlay_set(struct partition *p, uint64_t gpa, uint64_t spa, unsigned access)
{
    struct gpa_overlay *free = NULL;
    for (unsigned i = 0; i < GPA_OVERLAYS; i++)
        if (!p->gpa.overlay[i].used)
            free = &p->gpa.overlay[i];
    if (!free || gpa >> SPACE_BITS)
        return HV_STATUS_NO_RESOURCES;
    uint64_t *entry = make_entry(p, gpa, GPA_SHIFT_4K);
    if (!entry)
        return HV_STATUS_INSUFFICIENT_MEMORY;
    *free = (struct gpa_overlay){ gpa, *entry, true };
    write_entry(entry, spa, GPA_SHIFT_4K, access);
    gpa_flush(p);
    return HV_STATUS_SUCCESS;
}

void gpa_overlay_clear(struct partition *p, uint64_t gpa)
{
    for (unsigned i = 0; i < GPA_OVERLAYS; i++) {
        struct gpa_overlay *o = &p->gpa.overlay[i];
        if (!o->used || o->gpa != gpa)
            continue;
        uint64_t *entry = make_entry(p, gpa, GPA_SHIFT_4K);
        RT_ASSERT(entry); /* it was made when the overlay was */
        __atomic_store_n(entry, o->original, __ATOMIC_RELEASE);
        o->used = false;
        gpa_flush(p);
    }
}

/* A processor in a guest may use old translations until it leaves; on its way
 * back in it compares generations (vp_run).  Ours is the other half of that
 * protocol: first the generation, then a look at who is inside. */
void gpa_flush(struct partition *p)
{
    __atomic_fetch_add(&p->gpa.generation, 1, __ATOMIC_SEQ_CST);
    arch_barrier();
    for (unsigned i = 0; i < hv.lp_count; i++) {
        struct lp *lp = hv.lp[i];
        uint64_t entries = lp->entries;
        if (lp == lp_self() || !lp->in_guest)
            continue;
        lp_kick(lp);
        while (lp->in_guest && lp->entries == entries)
            arch_pause();
    }
    if (p->gpa.has_devices)
        vtd_flush(p);
}
