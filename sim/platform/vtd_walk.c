/* VT-d DMA translation: context lookup, second-level walk, IOTLB; see vtd.h. */
#include <assert.h>

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/vtd_priv.h"

#define ADDRESS_MASK 0x000FFFFFFFFFF000ull
#define HOST_RESERVED (ADDRESS_MASK & ~((1ull << VTD_HOST_BITS) - 1))

/* --- context ------------------------------------------------------------------- */

struct failure {
    unsigned reason; /* 0: none */
    bool quiet;
};

/* "Root Entry" */
static unsigned
root_check(const uint64_t root[2])
{
    if (!(root[0] & VTD_PRESENT)) {
        return VTD_FAULT_ROOT_NOT_PRESENT;
    }
    return root[0] & (0xFFE | HOST_RESERVED | ~(ADDRESS_MASK | 0xFFF)) || root[1]
               ? VTD_FAULT_ROOT_RESERVED : 0;
}

/* "Context Entry": reserved bits first, then what we cannot do. */
static unsigned
context_check(const uint64_t entry[2])
{
    if (!(entry[0] & VTD_PRESENT)) {
        return VTD_FAULT_CONTEXT_NOT_PRESENT;
    }
    if (entry[0] & (0xFF0 | HOST_RESERVED | ~(ADDRESS_MASK | 0xFFF)) || entry[1] & ~0xFFFF7Full) {
        return VTD_FAULT_CONTEXT_RESERVED;
    }
    unsigned type = entry[0] >> VTD_CONTEXT_TT_SHIFT & 3, width = entry[1] & 7;
    bool ok = type == VTD_TT_PASS_THROUGH
                  ? width == VTD_CONTEXT_AW_4_LEVEL
                  : type == VTD_TT_SECOND_LEVEL &&
                        (width == VTD_CONTEXT_AW_3_LEVEL || width == VTD_CONTEXT_AW_4_LEVEL);
    return ok ? 0 : VTD_FAULT_CONTEXT_INVALID;
}

static struct failure
context_load(struct vtd *v, uint16_t source_id, struct vtd_context *context)
{
    uint64_t root[2], entry[2];
    const struct mem *mem = v->machine->mem;
    if (!mem_read(mem, (v->root & ADDRESS_MASK) + (source_id >> 8) * 16u, root, sizeof root)) {
        return (struct failure){ VTD_FAULT_ROOT_ACCESS, false };
    }
    unsigned reason = root_check(root);
    if (reason) {
        return (struct failure){ reason, false };
    }
    if (!mem_read(mem, (root[0] & ADDRESS_MASK) + (source_id & 0xFF) * 16u, entry, sizeof entry)) {
        return (struct failure){ VTD_FAULT_CONTEXT_ACCESS, false };
    }
    bool quiet = entry[0] & VTD_FPD;
    reason = context_check(entry);
    if (reason) {
        return (struct failure){ reason, quiet };
    }
    bool pass = (entry[0] >> VTD_CONTEXT_TT_SHIFT & 3) == VTD_TT_PASS_THROUGH;
    *context = (struct vtd_context){
        .table = entry[0] & ADDRESS_MASK,
        .source_id = source_id,
        .domain = (uint16_t)(entry[1] >> VTD_CONTEXT_DID_SHIFT),
        .levels = pass ? 0 : (uint8_t)((entry[1] & 7) + 2),
        .valid = true,
        .quiet = quiet,
    };
    return (struct failure){ 0, quiet };
}

static struct failure
context_find(struct vtd *v, uint16_t source_id, struct vtd_context *context)
{
    struct vtd_context *slot = &v->context[source_id % VTD_CONTEXTS];
    if (slot->valid && slot->source_id == source_id) {
        *context = *slot;
        return (struct failure){ 0, slot->quiet };
    }
    v->misses++;
    struct failure failure = context_load(v, source_id, context);
    if (!failure.reason) {
        *slot = *context;
    }
    return failure;
}

/* --- second level -------------------------------------------------------------- */

static unsigned
pte_check(uint64_t entry, unsigned level)
{
    uint64_t reserved = HOST_RESERVED | VTD_PTE_TM;
    if (level == 4) {
        reserved |= VTD_PTE_PS;
    } else if (level > 1 && entry & VTD_PTE_PS) {
        reserved |= ((1ull << (12 + 9 * (level - 1))) - 1) & ~0xFFFull;
    }
    return entry & reserved ? VTD_FAULT_PTE_RESERVED : 0;
}

/* Fills 'found'; rights are those of all levels together. */
static unsigned
walk(struct vtd *v, const struct vtd_context *context, uint64_t address, bool write,
     struct vtd_iotlb_entry *found)
{
    uint64_t table = context->table;
    uint8_t rights = VTD_PTE_R | VTD_PTE_W;
    for (unsigned level = context->levels; level > 0; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t entry;
        if (!mem_read(v->machine->mem, table + (address >> shift & 0x1FF) * 8, &entry, 8)) {
            return VTD_FAULT_TABLE_ACCESS;
        }
        rights &= (uint8_t)entry;
        if (!(entry & (VTD_PTE_R | VTD_PTE_W))) { /* not present; its other bits mean nothing */
            return write ? VTD_FAULT_WRITE : VTD_FAULT_READ;
        }
        unsigned reason = pte_check(entry, level);
        if (reason) {
            return reason;
        }
        if (level == 1 || entry & VTD_PTE_PS) {
            *found = (struct vtd_iotlb_entry){
                .page = address >> shift,
                .spa = (entry & ADDRESS_MASK) >> shift << shift,
                .domain = context->domain,
                .shift = (uint8_t)shift,
                .rights = rights,
            };
            return 0;
        }
        table = entry & ADDRESS_MASK;
    }
    assert(!"the last level ends the walk");
    return VTD_FAULT_TABLE_ACCESS;
}

/* --- IOTLB --------------------------------------------------------------------- */

static unsigned
iotlb_set(uint16_t domain, uint64_t page)
{
    return (unsigned)(page ^ domain * 7u) % VTD_IOTLB_SETS;
}

static struct vtd_iotlb_entry *
iotlb_find(struct vtd *v, uint16_t domain, uint64_t address)
{
    for (unsigned shift = 12; shift <= 30; shift += 9) {
        uint64_t page = address >> shift;
        struct vtd_iotlb_entry *set = v->iotlb[iotlb_set(domain, page)];
        for (unsigned i = 0; i < VTD_IOTLB_WAYS; i++) {
            if (set[i].shift == shift && set[i].page == page && set[i].domain == domain) {
                return &set[i];
            }
        }
    }
    return NULL;
}

static void
iotlb_insert(struct vtd *v, const struct vtd_iotlb_entry *entry)
{
    unsigned set = iotlb_set(entry->domain, entry->page);
    v->iotlb[set][v->iotlb_next[set]] = *entry;
    v->iotlb_next[set] = (v->iotlb_next[set] + 1) % VTD_IOTLB_WAYS;
}

/* --- the translation ------------------------------------------------------------ */

static unsigned
second_level(struct vtd *v, const struct vtd_context *context, uint64_t address, bool write,
             uint64_t *spa, uint64_t *left)
{
    struct vtd_iotlb_entry found, *hit = iotlb_find(v, context->domain, address);
    if (hit) {
        found = *hit;
    } else {
        v->misses++;
        unsigned reason = walk(v, context, address, write, &found);
        if (reason) {
            return reason;
        }
    }
    if (!(found.rights & (write ? VTD_PTE_W : VTD_PTE_R))) {
        return write ? VTD_FAULT_WRITE : VTD_FAULT_READ;
    }
    if (!hit) {
        iotlb_insert(v, &found);
    }
    uint64_t offset = address & ((1ull << found.shift) - 1);
    *spa = found.spa + offset;
    *left = (1ull << found.shift) - offset;
    return 0;
}

bool
vtd_translate(struct vtd *v, uint16_t source_id, uint64_t address, bool write, uint64_t *spa,
              uint64_t *left)
{
    *spa = address;
    *left = MEM_PAGE_SIZE - (address & (MEM_PAGE_SIZE - 1));
    if (!(vtd_get(v, VTD_GSTS) & VTD_GCMD_TE)) {
        return true;
    }
    struct vtd_context context;
    struct failure failure = context_find(v, source_id, &context);
    if (!failure.reason) {
        unsigned width = context.levels == 3 ? 39 : VTD_GUEST_BITS;
        if (address >> width) {
            failure.reason = VTD_FAULT_ADDRESS_WIDTH;
        } else if (context.levels) {
            failure.reason = second_level(v, &context, address, write, spa, left);
        }
    }
    if (failure.reason && !failure.quiet) {
        vtd_fault(v, source_id, failure.reason, address & ~0xFFFull, !write);
    }
    return !failure.reason;
}

/* --- invalidation ---------------------------------------------------------------- */

void
vtd_context_invalidate(struct vtd *v, unsigned granule, uint16_t domain, uint16_t source_id,
                       unsigned function_mask)
{
    /* FM masks 0, 1, 2 or 3 low... function bits: 2; 2:1; 2:0 ("Context-cache Invalidate"). */
    static const uint16_t ignored[4] = { 0, 4, 6, 7 };
    for (unsigned i = 0; i < VTD_CONTEXTS; i++) {
        struct vtd_context *c = &v->context[i];
        bool hit = granule == VTD_GRANULE_GLOBAL || c->domain == domain;
        if (granule == VTD_GRANULE_DEVICE) {
            hit = hit && !((c->source_id ^ source_id) & (uint16_t)~ignored[function_mask]);
        }
        if (hit && c->valid) {
            *c = (struct vtd_context){ 0 };
        }
    }
}

void
vtd_iotlb_invalidate(struct vtd *v, unsigned granule, uint16_t domain, uint64_t address,
                     unsigned address_mask)
{
    uint64_t size = address_mask < 52 ? 1ull << (12 + address_mask) : 0;
    uint64_t first = size ? address & ~(size - 1) : 0, last = first + (size - 1);
    for (unsigned i = 0; i < VTD_IOTLB_SETS * VTD_IOTLB_WAYS; i++) {
        struct vtd_iotlb_entry *e = &v->iotlb[i / VTD_IOTLB_WAYS][i % VTD_IOTLB_WAYS];
        if (!e->shift || (granule != VTD_GRANULE_GLOBAL && e->domain != domain)) {
            continue;
        }
        uint64_t page_first = e->page << e->shift;
        uint64_t page_last = page_first + ((1ull << e->shift) - 1);
        if (granule != VTD_GRANULE_PAGE || (page_first <= last && page_last >= first)) {
            *e = (struct vtd_iotlb_entry){ 0 };
        }
    }
}
