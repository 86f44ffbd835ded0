/* Decoded blocks; see code_cache.h. */
#include "sim/cpu/cache/code_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/cpu/core.h"
#include "sim/cpu/decode/decode.h"
#include "sim/cpu/jit/jit.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"
#if __has_include("sim/time/block_cost.h")
#include "sim/time/block_cost.h"
#endif

enum { ARENA_RECORDS = 1 << 20 /* 32 MiB, touched as used */, PAGE_SLOTS_MIN = 8 };

struct block_slot {
    uint16_t offset, bytes; /* in the page; bytes 0 = free slot */
    uint32_t mode;
    struct insn *entry;
};

struct code_page {
    struct block_slot *slot;  /* open addressing */
    uint32_t slots, used;     /* used includes slots of dropped blocks */
    uint64_t lines;           /* bit n: some block has bytes in line n */
    uint64_t byte[64];        /* the same for every byte */
    bool mixed;               /* was written once while it held code */
};

struct observer { uint64_t spa; core_observer_fn *fn; void *ctx; };

struct code_cache {
    struct machine *machine;
    struct code_page **page;  /* per RAM page, or NULL */
    uint64_t page_count;
    struct insn *arena, *next;    /* records from below */
    struct sys_site *sites_end;   /* sites from above */
    struct sys_site *sites;
    struct jit *jit;          /* second tier, or NULL */
    struct observer *observer;
    unsigned observer_count;
    struct code_cache_stats stats;
};

static uint64_t page_spa(uint32_t page)
{
    uint64_t spa = (uint64_t)page * MEM_PAGE_SIZE;
    return spa < MEM_HOLE_START ? spa : spa + (MEM_HOLE_END - MEM_HOLE_START);
}

/* --- life ------------------------------------------------------------------------ */

bool code_cache_open(struct machine *m)
{
    if (m->code) {
        return true;
    }
    struct code_cache *k = calloc(1, sizeof *k);
    if (!k) {
        return false;
    }
    k->machine = m;
    k->page_count = mem_ram_size(m->mem) / MEM_PAGE_SIZE;
    k->page = calloc(k->page_count, sizeof *k->page);
    void *arena = mmap(NULL, ARENA_RECORDS * sizeof(struct insn), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    k->arena = arena == MAP_FAILED ? NULL : arena;
    m->code = k;
    if (!k->page || !k->arena) {
        code_cache_free(m);
        return false;
    }
    k->next = k->arena;
    k->sites_end = k->sites = (struct sys_site *)(k->arena + ARENA_RECORDS);
    if (!m->timing && m->config.tier != TIER_INTERPRETER) {
        k->jit = m->config.tier == TIER_EAGER ? jit_new(1, JIT_BYTES_MIN) : jit_new(JIT_HEAT, JIT_BYTES);
    }
    mem_set_code_hook(m->mem, code_cache_written, m);
    return true;
}

static void page_free(struct code_cache *k, uint64_t index)
{
    if (k->page[index]) {
        free(k->page[index]->slot);
        free(k->page[index]);
        k->page[index] = NULL;
        mem_code_map(k->machine->mem)[index] = 0;
    }
}

void code_cache_free(struct machine *m)
{
    struct code_cache *k = m->code;

    if (!k) {
        return;
    }
    for (uint64_t i = 0; k->page && i < k->page_count; i++) {
        page_free(k, i);
    }
    if (k->arena) {
        munmap(k->arena, ARENA_RECORDS * sizeof(struct insn));
    }
    jit_free(k->jit);
    free(k->page);
    free(k->observer);
    free(k);
    m->code = NULL;
}

static void forget_jumps(struct machine *m)
{
    for (unsigned i = 0; i < MACHINE_CPUS_MAX; i++) {
        struct cpu *c = m->cpu[i];
        if (!c || !c->core) {
            continue;
        }
        for (unsigned n = 0; n < JUMP_ENTRIES; n++) {
            c->jump[n].key = JUMP_NO_KEY;
        }
        c->core->asking = c->core->dead = c->core->middle.entry = NULL;
        c->core->leave = true;
    }
}

/* Only when no block runs. */
void code_cache_drop_all(struct machine *m)
{
    struct code_cache *k = m->code;

    for (uint64_t i = 0; i < k->page_count; i++) {
        page_free(k, i);
    }
    forget_jumps(m);
    if (k->jit) {
        jit_forget(k->jit);
    }
    k->next = k->arena;
    k->sites = k->sites_end;
    k->stats.emptied++;
}

/* --- finding ------------------------------------------------------------------------- */

static uint32_t slot_hash(unsigned offset, uint32_t mode)
{
    return (offset ^ mode << 5) * 2654435761u >> 12;
}

struct insn *code_cache_find(const struct code_cache *k, uint32_t page, unsigned offset, uint32_t mode)
{
    const struct code_page *p = k->page[page];

    if (!p || !p->slots) {
        return NULL;
    }
    for (uint32_t h = slot_hash(offset, mode);; h++) {
        const struct block_slot *s = &p->slot[h & (p->slots - 1)];
        if (!s->entry) {
            return NULL;
        }
        if (s->bytes && s->offset == offset && s->mode == mode) {
            return s->entry;
        }
    }
}

static void slot_put(struct code_page *p, const struct block_slot *block)
{
    uint32_t h = slot_hash(block->offset, block->mode);

    while (p->slot[h & (p->slots - 1)].entry) {
        h++;
    }
    p->slot[h & (p->slots - 1)] = *block;
    p->used++;
}

/* Room for one more; dropped blocks' slots are left behind. */
static bool slots_grow(struct code_page *p)
{
    if (p->used * 2 < p->slots) {
        return true;
    }
    uint32_t live = 0;
    for (uint32_t i = 0; i < p->slots; i++) {
        live += p->slot[i].entry && p->slot[i].bytes;
    }
    uint32_t slots = live * 4 < p->slots ? p->slots : p->slots ? p->slots * 2 : PAGE_SLOTS_MIN;
    struct block_slot *old = p->slot;
    uint32_t count = p->slots;
    p->slot = calloc(slots, sizeof *p->slot);
    if (!p->slot) {
        p->slot = old;
        return false;
    }
    p->slots = slots;
    p->used = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (old[i].entry && old[i].bytes) {
            slot_put(p, &old[i]);
        }
    }
    free(old);
    return true;
}

static struct code_page *page_get(struct code_cache *k, uint32_t page)
{
    if (!k->page[page]) {
        k->page[page] = calloc(1, sizeof *k->page[page]);
    }
    return k->page[page] && slots_grow(k->page[page]) ? k->page[page] : NULL;
}

/* --- making ---------------------------------------------------------------------------- */

static uint64_t lines_of(unsigned offset, unsigned bytes)
{
    unsigned first = offset / 64, last = (offset + bytes - 1) / 64;
    return (last == 63 ? ~0ull : (1ull << (last + 1)) - 1) & ~((1ull << first) - 1);
}

static void bytes_mark(struct code_page *p, unsigned offset, unsigned bytes)
{
    p->lines |= lines_of(offset, bytes);
    for (unsigned at = offset; at < offset + bytes; at++) {
        p->byte[at / 64] |= 1ull << at % 64;
    }
}

/* Does some block have bytes in [from, to)? */
static bool bytes_touched(const struct code_page *p, unsigned from, unsigned to)
{
    if (!(p->lines & lines_of(from, to - from))) {
        return false;
    }
    for (unsigned at = from; at < to; at++) {
        if (p->byte[at / 64] >> at % 64 & 1) {
            return true;
        }
    }
    return false;
}

static void price_block(const struct machine *m, struct insn *entry)
{
    entry->cost = entry->instructions;
    if (m->timing) {
#if __has_include("sim/time/block_cost.h")
        entry->cost = time_block_cost(entry + 1, entry->records - 1u);
#else
        entry->cost = entry->instructions << TIME_UNIT_SHIFT;
#endif
    }
    entry->cost = entry->cost ? entry->cost : 1;
    entry->gate = entry->cost;
}

static bool arena_has_room(const struct code_cache *k)
{
    size_t need = (BLOCK_RECORDS + 1) * sizeof(struct insn) + BLOCK_INSNS * sizeof(struct sys_site);
    return (size_t)((char *)k->sites - (char *)k->next) > need;
}

struct insn *code_cache_make(struct machine *m, struct cpu *c, uint32_t page, unsigned offset, uint32_t mode)
{
    struct code_cache *k = m->code;

    if (!arena_has_room(k)) {
        code_cache_drop_all(m);
    }
    struct insn *entry = k->next + 1;
    entry[-1] = (struct insn){ .fn = core_stub, .gate = GATE_CLOSED };
    const struct decode_request request = {
        .bytes = mem_ram_base(m->mem) + (uint64_t)page * MEM_PAGE_SIZE + offset,
        .size = (unsigned)MEM_PAGE_SIZE - offset, .offset = offset, .features = machine_features(m), .mode = mode, .page = page,
        .limit = BLOCK_INSNS, .stop_before = code_cache_observer_distance(k, page, offset),
        .timed = m->timing != NULL, .sites = k->sites, .entry = entry,
    };
    struct decode_result result = decode_block(&request);
    if (!result.end) {
        return NULL;
    }
    struct code_page *p = page_get(k, page);
    assert(p && "host memory for decoded code");
    k->next = result.end;
    k->sites = result.sites;
    slot_put(p, &(struct block_slot){ .offset = (uint16_t)offset, .bytes = (uint16_t)result.bytes, .mode = mode, .entry = entry });
    bytes_mark(p, offset, result.bytes);
    price_block(m, entry);
    entry->bucket = (uint8_t)bucket_of_code(m, page_spa(page) + offset, mode & MODE_NONROOT);
    if (code_cache_call_observer(k, NULL, page, offset)) {
        entry->fn = core_observed;
        entry->gate = GATE_CLOSED;
    }
    if (k->jit && c->core->chain) {
        jit_block_made(k->jit, entry);
    }
    if (!mem_code_map(m->mem)[page]) {
        mem_code_map(m->mem)[page] = 1;
        mmu_protect_code(m, page_spa(page));
    }
    k->stats.blocks++;
    return entry;
}

/* --- writes -------------------------------------------------------------------------------- */

static void block_drop(struct code_cache *k, struct block_slot *s)
{
    if (k->jit) {
        jit_block_dropped(k->jit, s->entry);
    }
    s->entry->fn = core_dead;
    s->entry->gate = GATE_CLOSED;
    s->bytes = 0;
    k->stats.dropped_blocks++;
}

static void everybody_leaves(struct machine *m)
{
    for (unsigned i = 0; i < MACHINE_CPUS_MAX; i++) {
        if (m->cpu[i] && m->cpu[i]->core) {
            m->cpu[i]->core->leave = true;
        }
    }
}

/* Drops the blocks with bytes in [from, to) of the page. */
static void page_written(struct code_cache *k, uint64_t index, unsigned from, unsigned to)
{
    struct code_page *p = k->page[index];
    bool dropped = false;

    if (!p || (p->mixed && !bytes_touched(p, from, to))) {
        return;
    }
    p->lines = 0;
    memset(p->byte, 0, sizeof p->byte);
    for (uint32_t i = 0; i < p->slots; i++) {
        struct block_slot *s = &p->slot[i];
        if (!s->entry || !s->bytes) {
            continue;
        }
        if (!p->mixed || (s->offset < to && from < (unsigned)s->offset + s->bytes)) {
            block_drop(k, s);
            dropped = true;
        } else {
            bytes_mark(p, s->offset, s->bytes);
        }
    }
    k->stats.dropped_pages += !p->mixed;
    p->mixed = true;
    if (!p->lines) { /* nothing left: stores may be fast again */
        free(p->slot);
        p->slot = NULL;
        p->slots = p->used = 0;
        mem_code_map(k->machine->mem)[index] = 0;
    }
    if (dropped) {
        everybody_leaves(k->machine);
    }
}

void code_cache_written(void *machine, uint64_t spa, size_t size)
{
    struct machine *m = machine;

    while (size) {
        unsigned from = (unsigned)(spa & (MEM_PAGE_SIZE - 1));
        size_t part = MEM_PAGE_SIZE - from < size ? MEM_PAGE_SIZE - from : size;
        uint64_t index = mem_page_index(spa);
        if (index < m->code->page_count) {
            page_written(m->code, index, from, from + (unsigned)part);
        }
        spa += part;
        size -= part;
    }
}

/* --- observers -------------------------------------------------------------------------------- */

void code_cache_observe(struct machine *m, uint64_t spa, core_observer_fn *fn, void *ctx)
{
    struct code_cache *k = m->code;
    unsigned i = 0;

    while (i < k->observer_count && k->observer[i].spa != spa) {
        i++;
    }
    if (i == k->observer_count) {
        struct observer *more = realloc(k->observer, (i + 1) * sizeof *more);
        assert(more && "host memory for observers");
        k->observer = more;
        k->observer_count++;
    }
    k->observer[i] = (struct observer){ spa, fn, ctx };
    if (!fn) {
        k->observer[i] = k->observer[--k->observer_count];
    }
    code_cache_drop_all(m);
}

unsigned code_cache_observer_distance(const struct code_cache *k, uint32_t page, unsigned offset)
{
    uint64_t here = page_spa(page) + offset, best = 0;

    for (unsigned i = 0; i < k->observer_count; i++) {
        uint64_t distance = k->observer[i].spa - here;
        if (distance && distance < MEM_PAGE_SIZE && (!best || distance < best)) {
            best = distance;
        }
    }
    return (unsigned)best;
}

/* Calls the observer of this address (not with c NULL); false: there is none. */
bool code_cache_call_observer(const struct code_cache *k, struct cpu *c, uint32_t page, unsigned offset)
{
    uint64_t here = page_spa(page) + offset;

    for (unsigned i = 0; i < k->observer_count; i++) {
        if (k->observer[i].spa == here) {
            if (c) {
                k->observer[i].fn(k->observer[i].ctx, c);
            }
            return true;
        }
    }
    return false;
}

struct jit *code_cache_jit(const struct code_cache *k)
{
    return k->jit;
}

struct code_cache_stats code_cache_stats(const struct code_cache *k)
{
    return k->stats;
}
