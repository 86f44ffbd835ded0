/* System-physical memory; see mem.h.
 *
 * Regions live in two tables sorted by address (MMIO, ports) and are found by
 * binary search.  Ids name slots in mapping order, so they survive moves of
 * the sorted rows.
 */
#include "sim/mem/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include "sim/base/state.h"

struct span {
    uint64_t base;
    uint64_t size; /* [bytes] */
    int id;
    struct mem_region region;
};

/* Rows sorted by base, never overlapping. */
struct span_table {
    struct span *row;
    unsigned count;
    unsigned capacity;
    int next_id;
};

struct mem {
    uint8_t *ram;
    uint64_t ram_size;  /* [bytes] */
    uint8_t *code_map;  /* one per RAM page */
    uint8_t *written;        /* one per RAM page: may differ from page_hash */
    uint32_t *written_page;  /* the pages with 'written' set, each once */
    uint32_t written_count;
    uint64_t *page_hash;     /* one per RAM page, as of the last hash; 0: all zeros */
    uint64_t hash_sum;       /* of page_hash */
    struct span_table mmio;
    struct span_table port;
    void (*code_written)(void *ctx, uint64_t spa, size_t size);
    void *code_ctx;
    void (*unclaimed)(void *ctx, uint64_t address, bool is_write, bool is_port);
    void *unclaimed_ctx;
    uint64_t unclaimed_count;
};

#define HOLE_SIZE (MEM_HOLE_END - MEM_HOLE_START)

/* --- life ------------------------------------------------------------------- */

enum { HUGE_FROM = 128 << 20 }; /* smaller machines come and go in tests */

struct mem *
mem_new(uint64_t ram_size)
{
    assert(ram_size && ram_size % MEM_PAGE_SIZE == 0);
    struct mem *m = calloc(1, sizeof *m);
    if (!m) {
        return NULL;
    }
    m->ram_size = ram_size;
    uint64_t pages = ram_size / MEM_PAGE_SIZE;
    m->code_map = calloc(pages, 1);
    m->written = calloc(pages, 1);
    m->written_page = calloc(pages, sizeof *m->written_page);
    m->page_hash = calloc(pages, sizeof *m->page_hash);
    /* Untouched pages cost nothing and read as zero. */
    void *ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    m->ram = ram == MAP_FAILED ? NULL : ram;
    if (m->ram && ram_size >= HUGE_FROM) {
        madvise(ram, ram_size, MADV_HUGEPAGE); /* a wish; fewer faults and TLB misses of the host */
    }
    if (!m->code_map || !m->written || !m->written_page || !m->page_hash || !m->ram) {
        mem_free(m);
        return NULL;
    }
    return m;
}

void
mem_free(struct mem *m)
{
    if (!m) {
        return;
    }
    if (m->ram) {
        munmap(m->ram, m->ram_size);
    }
    free(m->code_map);
    free(m->written);
    free(m->written_page);
    free(m->page_hash);
    free(m->mmio.row);
    free(m->port.row);
    free(m);
}

uint64_t
mem_ram_size(const struct mem *m)
{
    return m->ram_size;
}

const uint8_t *
mem_ram_base(const struct mem *m)
{
    return m->ram;
}

/* Offset of 'spa' in the RAM mapping, or UINT64_MAX. */
static inline uint64_t
ram_offset(const struct mem *m, uint64_t spa)
{
    uint64_t offset = spa;
    if (spa >= MEM_HOLE_START) {
        if (spa < MEM_HOLE_END) {
            return UINT64_MAX;
        }
        offset = spa - HOLE_SIZE;
    }
    return offset < m->ram_size ? offset : UINT64_MAX;
}

const uint8_t *
mem_ram(const struct mem *m, uint64_t spa)
{
    uint64_t offset = ram_offset(m, spa);
    return offset == UINT64_MAX ? NULL : m->ram + offset;
}

static void
note_written(struct mem *m, uint64_t index)
{
    if (!m->written[index]) {
        m->written[index] = 1;
        m->written_page[m->written_count++] = (uint32_t)index;
    }
}

uint8_t *
mem_ram_write(struct mem *m, uint64_t spa)
{
    uint64_t offset = ram_offset(m, spa);
    if (offset == UINT64_MAX) {
        return NULL;
    }
    note_written(m, offset / MEM_PAGE_SIZE);
    return m->ram + offset;
}

bool
mem_page_written(const struct mem *m, uint64_t index)
{
    return m->written[index];
}

uint64_t
mem_page_index(uint64_t spa)
{
    return (spa >= MEM_HOLE_END ? spa - HOLE_SIZE : spa) / MEM_PAGE_SIZE;
}

uint8_t *
mem_code_map(struct mem *m)
{
    return m->code_map;
}

void
mem_set_code_hook(struct mem *m, void (*code_written)(void *ctx, uint64_t spa, size_t size),
                  void *ctx)
{
    m->code_written = code_written;
    m->code_ctx = ctx;
}

void
mem_set_unclaimed_hook(struct mem *m,
                       void (*unclaimed)(void *ctx, uint64_t address, bool is_write, bool is_port),
                       void *ctx)
{
    m->unclaimed = unclaimed;
    m->unclaimed_ctx = ctx;
}

uint64_t
mem_unclaimed(const struct mem *m)
{
    return m->unclaimed_count;
}

/* --- regions ---------------------------------------------------------------- */

/* Index of the first row that ends beyond 'address'. */
static unsigned
span_lower(const struct span_table *t, uint64_t address)
{
    unsigned low = 0, high = t->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct span *row = &t->row[middle];
        if (row->base + (row->size - 1) < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
span_overlaps(const struct span_table *t, uint64_t address, unsigned size)
{
    unsigned i = span_lower(t, address);
    return i < t->count && t->row[i].base <= address + (size - 1);
}

static struct span *
span_find(const struct span_table *t, uint64_t address)
{
    unsigned i = span_lower(t, address);
    return i < t->count && t->row[i].base <= address ? &t->row[i] : NULL;
}

static int
span_add(struct span_table *t, uint64_t base, uint64_t size, const struct mem_region *region)
{
    assert(size && base + (size - 1) >= base && region->read && region->write);
    unsigned at = span_lower(t, base);
    if (at < t->count && t->row[at].base <= base + (size - 1)) {
        return -1;
    }
    if (t->count == t->capacity) {
        unsigned capacity = t->capacity ? 2 * t->capacity : 32;
        struct span *row = realloc(t->row, capacity * sizeof *row);
        if (!row) {
            fputs("hvlab: out of memory for MMIO regions\n", stderr);
            abort();
        }
        t->row = row;
        t->capacity = capacity;
    }
    memmove(&t->row[at + 1], &t->row[at], (t->count - at) * sizeof *t->row);
    t->row[at] = (struct span){ .base = base, .size = size, .id = t->next_id, .region = *region };
    t->count++;
    return t->next_id++;
}

static void
span_remove(struct span_table *t, int id)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (t->row[i].id == id) {
            memmove(&t->row[i], &t->row[i + 1], (t->count - i - 1) * sizeof *t->row);
            t->count--;
            return;
        }
    }
    assert(!"no region has this id");
}

int
mem_mmio_map(struct mem *m, uint64_t base, uint64_t size, const struct mem_region *region)
{
    uint64_t last = base + (size - 1);
    /* RAM is decoded first and would hide the region. */
    uint64_t low_end = m->ram_size < MEM_HOLE_START ? m->ram_size : MEM_HOLE_START;
    uint64_t high_end = m->ram_size > MEM_HOLE_START ? m->ram_size + HOLE_SIZE : MEM_HOLE_END;
    if (base < low_end || (base < high_end && last >= MEM_HOLE_END && high_end > MEM_HOLE_END)) {
        return -1;
    }
    return span_add(&m->mmio, base, size, region);
}

void
mem_mmio_unmap(struct mem *m, int id)
{
    span_remove(&m->mmio, id);
}

int
mem_port_map(struct mem *m, uint16_t base, uint16_t count, const struct mem_region *region)
{
    assert(count && base + (count - 1) <= 0xFFFF);
    return span_add(&m->port, base, count, region);
}

void
mem_port_unmap(struct mem *m, int id)
{
    span_remove(&m->port, id);
}

/* --- accesses --------------------------------------------------------------- */

static uint64_t
all_ones(unsigned size)
{
    return size == 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static void
unclaimed(struct mem *m, uint64_t address, bool is_write, bool is_port)
{
    m->unclaimed_count++;
    if (m->unclaimed) {
        m->unclaimed(m->unclaimed_ctx, address, is_write, is_port);
    }
}

/* An access that lies across a region's edge is made of single bytes. */
static uint64_t
span_read(struct mem *m, const struct span_table *t, uint64_t address, unsigned size)
{
    const struct span *row = span_find(t, address);
    if (row && row->size - (address - row->base) >= size) {
        struct mem_region region = row->region; /* the handler may unmap the row */
        return region.read(region.ctx, address - row->base, size) & all_ones(size);
    }
    if (size == 1 || !span_overlaps(t, address, size)) {
        unclaimed(m, address, false, t == &m->port);
        return all_ones(size);
    }
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= span_read(m, t, address + i, 1) << (8 * i);
    }
    return value;
}

static void
span_write(struct mem *m, const struct span_table *t, uint64_t address, unsigned size,
           uint64_t value)
{
    const struct span *row = span_find(t, address);
    if (row && row->size - (address - row->base) >= size) {
        struct mem_region region = row->region; /* the handler may unmap the row */
        region.write(region.ctx, address - row->base, size, value & all_ones(size));
        return;
    }
    if (size == 1 || !span_overlaps(t, address, size)) {
        unclaimed(m, address, true, t == &m->port);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        span_write(m, t, address + i, 1, value >> (8 * i));
    }
}

/* RAM behind this door is the slow path of the processor (a code page being
 * written), so it must work like any store. */
uint64_t
mem_mmio_read(struct mem *m, uint64_t spa, unsigned size)
{
    uint64_t value = 0;
    if (mem_read(m, spa, &value, size)) {
        return value;
    }
    return span_read(m, &m->mmio, spa, size);
}

void
mem_mmio_write(struct mem *m, uint64_t spa, unsigned size, uint64_t value)
{
    if (!mem_write(m, spa, &value, size)) {
        span_write(m, &m->mmio, spa, size, value);
    }
}

uint64_t
mem_port_read(struct mem *m, uint16_t port, unsigned size)
{
    return span_read(m, &m->port, port, size);
}

void
mem_port_write(struct mem *m, uint16_t port, unsigned size, uint64_t value)
{
    span_write(m, &m->port, port, size, value);
}

/* --- bulk ------------------------------------------------------------------- */

/* Host pointer to [spa, spa + size), or NULL when any byte is not RAM.  A
 * range lies wholly below or wholly above the hole, hence is contiguous. */
static uint8_t *
ram_range(const struct mem *m, uint64_t spa, size_t size)
{
    uint64_t offset = ram_offset(m, spa);
    if (offset == UINT64_MAX || size > m->ram_size - offset) {
        return NULL;
    }
    if (spa < MEM_HOLE_START && size > MEM_HOLE_START - spa) {
        return NULL;
    }
    return m->ram + offset;
}

bool
mem_read(const struct mem *m, uint64_t spa, void *to, size_t size)
{
    if (size == 0) {
        return true;
    }
    const uint8_t *from = ram_range(m, spa, size);
    if (!from) {
        return false;
    }
    memcpy(to, from, size);
    return true;
}

bool
mem_write(struct mem *m, uint64_t spa, const void *from, size_t size)
{
    if (size == 0) {
        return true;
    }
    uint8_t *to = ram_range(m, spa, size);
    if (!to) {
        return false;
    }
    uint64_t end = spa + size;
    for (uint64_t page = spa & -MEM_PAGE_SIZE; page < end; page += MEM_PAGE_SIZE) {
        uint64_t index = mem_page_index(page);
        note_written(m, index);
        if (m->code_map[index] && m->code_written) {
            uint64_t first = page > spa ? page : spa;
            uint64_t last = page + MEM_PAGE_SIZE < end ? page + MEM_PAGE_SIZE : end;
            m->code_written(m->code_ctx, first, last - first);
        }
    }
    memcpy(to, from, size);
    return true;
}

/* --- state ------------------------------------------------------------------ */

static const uint64_t zero_page[MEM_PAGE_SIZE / 8];

static bool
page_is_zero(const uint8_t *page)
{
    return memcmp(page, zero_page, MEM_PAGE_SIZE) == 0;
}

/* Forgets decoded code of a page whose contents a load replaces. */
static void
drop_code(struct mem *m, uint64_t index)
{
    if (m->code_map[index] && m->code_written) {
        uint64_t spa = index * MEM_PAGE_SIZE;
        m->code_written(m->code_ctx, spa < MEM_HOLE_START ? spa : spa + HOLE_SIZE, MEM_PAGE_SIZE);
    }
}

static void
load_pages(struct mem *m, struct state *s)
{
    uint64_t pages = m->ram_size / MEM_PAGE_SIZE;
    for (uint64_t i = 0; i < pages; i++) {
        drop_code(m, i);
    }
    /* Fresh zero pages instead of writing zeros. */
    madvise(m->ram, m->ram_size, MADV_DONTNEED);
    memset(m->page_hash, 0, pages * sizeof *m->page_hash);
    m->hash_sum = 0;
    uint64_t next = 0;
    for (;;) {
        uint64_t index = UINT64_MAX;
        STATE_VISIT(s, index);
        if (state_failed(s) || index == UINT64_MAX) {
            return;
        }
        if (index >= pages || index < next) {
            state_fail(s, "page %llu is out of order or beyond RAM", (unsigned long long)index);
            return;
        }
        note_written(m, index);
        state_bytes(s, m->ram + index * MEM_PAGE_SIZE, MEM_PAGE_SIZE);
        next = index + 1;
    }
}

/* A sum does not care in which order pages were written; the index in each page's hash makes
 * contents that changed places another sum. */
static void
hash_pages(struct mem *m, struct state *s)
{
    for (uint32_t i = 0; i < m->written_count; i++) {
        uint32_t index = m->written_page[i];
        const uint8_t *page = m->ram + index * MEM_PAGE_SIZE;
        uint64_t hash = page_is_zero(page) ? 0 : state_digest(page, MEM_PAGE_SIZE, index);
        m->hash_sum += hash - m->page_hash[index];
        m->page_hash[index] = hash;
        m->written[index] = 0;
    }
    m->written_count = 0;
    STATE_VISIT(s, m->hash_sum);
}

/* Nonzero pages as (index, contents), then UINT64_MAX. */
void
mem_state(struct mem *m, struct state *s)
{
    state_part(s, "mem");
    uint64_t ram_size = m->ram_size;
    STATE_VISIT(s, ram_size);
    if (ram_size != m->ram_size) {
        state_fail(s, "saved with %llu bytes of RAM, this machine has %llu",
                   (unsigned long long)ram_size, (unsigned long long)m->ram_size);
        return;
    }
    if (state_is_load(s)) {
        load_pages(m, s);
        return;
    }
    if (state_mode(s) == STATE_HASH) {
        hash_pages(m, s);
        return;
    }
    for (uint64_t i = 0; i < m->ram_size / MEM_PAGE_SIZE; i++) {
        uint8_t *page = m->ram + i * MEM_PAGE_SIZE;
        if (!page_is_zero(page)) {
            STATE_VISIT(s, i);
            state_bytes(s, page, MEM_PAGE_SIZE);
        }
    }
    uint64_t end = UINT64_MAX;
    STATE_VISIT(s, end);
}
