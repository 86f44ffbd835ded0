/* Claims about system-physical memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/base/state.h"
#include "sim/mem/mem.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* A device that remembers the last access and reads as its own pattern. */
struct probe {
    uint64_t offset, value, pattern;
    unsigned size, reads, writes;
};

static uint64_t
probe_read(void *ctx, uint64_t offset, unsigned size)
{
    struct probe *p = ctx;
    p->offset = offset;
    p->size = size;
    p->reads++;
    return p->pattern >> (8 * (offset & 7));
}

static void
probe_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct probe *p = ctx;
    p->offset = offset;
    p->size = size;
    p->value = value;
    p->writes++;
}

static struct mem_region
probe_region(struct probe *p)
{
    return (struct mem_region){ "probe", probe_read, probe_write, p };
}

static void
ram_has_a_hole_below_4_gib(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(4 * GIB);
    const uint8_t *base = mem_ram_base(m);
    static const struct { uint64_t spa; int64_t offset; } row[] = {
        { 0, 0 },
        { 0xBFFFFFFF, 0xBFFFFFFF },
        { 0xC0000000, -1 },
        { 0xFFFFFFFF, -1 },
        { 0x100000000, 0xC0000000 },
        { 0x13FFFFFFF, 0xFFFFFFFF },
        { 0x140000000, -1 },
        { UINT64_MAX, -1 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        const uint8_t *expected = row[i].offset < 0 ? NULL : base + row[i].offset;
        assert_ptr_equal(mem_ram(m, row[i].spa), expected);
        if (expected) {
            assert_int_equal(mem_page_index(row[i].spa), row[i].offset / 4096);
        }
    }
    mem_free(m);
}

static void
bulk_access_is_all_or_nothing(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(4 * GIB);
    uint8_t bytes[16], back[16] = { 0 };
    memset(bytes, 0x5A, sizeof bytes);
    assert_true(mem_write(m, 0xBFFFFFF0, bytes, 16));
    assert_true(mem_read(m, 0xBFFFFFF0, back, 16));
    assert_memory_equal(bytes, back, 16);
    memset(bytes, 0xA5, sizeof bytes);
    assert_false(mem_write(m, 0xBFFFFFF8, bytes, 16)); /* into the hole */
    assert_int_equal(*mem_ram(m, 0xBFFFFFF8), 0x5A);
    assert_int_equal(*mem_ram(m, 0x100000000), 0);
    assert_false(mem_write(m, 0x13FFFFFF8, bytes, 16)); /* beyond the end */
    assert_int_equal(*mem_ram(m, 0x13FFFFFF8), 0);
    assert_false(mem_read(m, 0xFFFFFFFFFFFFFFF8, back, 16));
    mem_free(m);
}

static void
mmio_reaches_the_region_with_its_offset(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(MIB);
    struct probe p = { .pattern = 0x8877665544332211 };
    struct mem_region region = probe_region(&p);
    int id = mem_mmio_map(m, 0xD0000000, 0x1000, &region);
    assert_true(id >= 0);
    assert_true(mem_mmio_read(m, 0xD0000010, 8) == 0x8877665544332211);
    assert_true(mem_mmio_read(m, 0xD0000010, 2) == 0x2211);
    mem_mmio_write(m, 0xD0000FFC, 4, 0xFFFFFFFF12345678);
    assert_int_equal(p.offset, 0xFFC);
    assert_true(p.value == 0x12345678);
    mem_mmio_unmap(m, id);
    assert_true(mem_mmio_read(m, 0xD0000010, 8) == UINT64_MAX);
    assert_int_equal(p.reads, 2);
    mem_free(m);
}

static void
overlapping_regions_are_refused(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(4 * GIB);
    struct probe p = { 0 };
    struct mem_region region = probe_region(&p);
    assert_true(mem_mmio_map(m, 0xD0001000, 0x1000, &region) >= 0);
    static const struct { uint64_t base, size; bool fits; } row[] = {
        { 0xD0001000, 0x1000, false }, { 0xD0000000, 0x1001, false }, { 0xD0001FFF, 1, false },
        { 0xD0000000, 0x3000, false }, { 0xD0000000, 0x1000, true },  { 0xD0002000, 0x1000, true },
        { 0x1000, 0x1000, false },         /* RAM */
        { 0x120000000, 0x1000, false },    /* RAM above 4 GiB */
        { 0x140000000, 0x1000, true },
        { 0xBFFFF000, 0x2000, false },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        assert_int_equal(mem_mmio_map(m, row[i].base, row[i].size, &region) >= 0, row[i].fits);
    }
    mem_free(m);
}

static void
moving_a_region_keeps_the_others(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(MIB);
    struct probe p[8] = { 0 };
    int id[8];
    for (unsigned i = 0; i < 8; i++) {
        struct mem_region region = probe_region(&p[i]);
        p[i].pattern = i;
        id[i] = mem_mmio_map(m, 0xD0000000 + ((i * 5) % 8) * 0x1000, 0x1000, &region);
    }
    mem_mmio_unmap(m, id[3]);
    struct mem_region region = probe_region(&p[3]);
    id[3] = mem_mmio_map(m, 0x800000000, 0x1000, &region);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t base = i == 3 ? 0x800000000 : 0xD0000000 + ((i * 5) % 8) * 0x1000;
        assert_int_equal(mem_mmio_read(m, base, 1), i);
    }
    mem_free(m);
}

struct unclaimed_log {
    unsigned count;
    uint64_t address;
    bool is_write, is_port;
};

static void
unclaimed_note(void *ctx, uint64_t address, bool is_write, bool is_port)
{
    struct unclaimed_log *log = ctx;
    *log = (struct unclaimed_log){ log->count + 1, address, is_write, is_port };
}

static void
unclaimed_accesses_read_ones_and_are_told(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(MIB);
    struct unclaimed_log log = { 0 };
    mem_set_unclaimed_hook(m, unclaimed_note, &log);
    assert_true(mem_mmio_read(m, 0xD0000000, 4) == 0xFFFFFFFF);
    assert_true(log.count == 1 && log.address == 0xD0000000 && !log.is_write && !log.is_port);
    mem_port_write(m, 0x80, 1, 0);
    assert_true(log.count == 2 && log.address == 0x80 && log.is_write && log.is_port);
    assert_true(mem_port_read(m, 0xFFFF, 4) == 0xFFFFFFFF);
    assert_int_equal(mem_unclaimed(m), 3);
    mem_free(m);
}

static void
an_access_across_an_edge_is_made_of_bytes(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(MIB);
    struct probe p = { .pattern = 0x4444444444444444 };
    struct mem_region region = probe_region(&p);
    mem_port_map(m, 0x60, 1, &region);
    assert_true(mem_port_read(m, 0x5F, 4) == 0xFFFF44FF);
    mem_port_write(m, 0x5F, 2, 0x1234);
    assert_int_equal(p.value, 0x12);
    assert_int_equal(p.size, 1);
    mem_free(m);
}

struct code_log { unsigned count; uint64_t spa[4]; size_t size[4]; struct mem *m; };

static void
code_note(void *ctx, uint64_t spa, size_t size)
{
    struct code_log *log = ctx;
    if (log->count < 4) {
        log->spa[log->count] = spa;
        log->size[log->count] = size;
    }
    log->count++;
    mem_code_map(log->m)[mem_page_index(spa)] = 0;
}

static void
writes_to_pages_with_code_are_told_once_per_page(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(MIB);
    struct code_log log = { .m = m };
    mem_set_code_hook(m, code_note, &log);
    uint8_t bytes[0x2100] = { 0 };
    mem_code_map(m)[2] = 1;
    mem_code_map(m)[4] = 1;
    assert_true(mem_write(m, 0x2FF0, bytes, 0x10));
    assert_true(log.count == 1 && log.spa[0] == 0x2FF0 && log.size[0] == 0x10);
    assert_true(mem_write(m, 0x2F80, bytes, 0x2100)); /* pages 2 to 5; 2 holds none any more */
    assert_true(log.count == 2 && log.spa[1] == 0x4000 && log.size[1] == 0x1000);
    mem_free(m);
}

static void
state_keeps_ram_and_hashes_it(void **unused)
{
    (void)unused;
    struct mem *a = mem_new(4 * MIB), *b = mem_new(4 * MIB);
    mem_ram_write(a, 0x3000)[17] = 1;
    mem_ram_write(a, 0x3FFFFF)[0] = 2;
    mem_ram_write(b, 0x5000)[0] = 3; /* must be gone after the load */
    struct state *s = state_new_save();
    mem_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    assert_true(size < 3 * 4096);
    s = state_new_load(bytes, size);
    mem_state(b, s);
    assert_null(state_load_end(s));
    assert_memory_equal(mem_ram_base(a), mem_ram_base(b), 4 * MIB);
    struct state *ha = state_new_hash(), *hb = state_new_hash();
    mem_state(a, ha);
    mem_ram_write(b, 0x200000)[0] = 1;
    mem_state(b, hb);
    assert_true(state_hash_end(ha) != state_hash_end(hb));
    free(bytes);
    mem_free(a);
    mem_free(b);
}

static uint64_t
hash_of(struct mem *m)
{
    struct state *s = state_new_hash();
    mem_state(m, s);
    return state_hash_end(s);
}

/* The hash of a fresh memory with the same contents: nothing remembered. */
static uint64_t
full_hash_of(struct mem *m)
{
    struct mem *fresh = mem_new(mem_ram_size(m));
    for (uint64_t spa = 0; spa < mem_ram_size(m); spa += MEM_PAGE_SIZE) {
        mem_write(fresh, spa, mem_ram(m, spa), MEM_PAGE_SIZE);
    }
    uint64_t hash = hash_of(fresh);
    mem_free(fresh);
    return hash;
}

static uint64_t
next_random(uint64_t *x)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return *x >> 33;
}

/* One change of memory by one of its doors; some write zeros again. */
static void
change(struct mem *m, uint64_t *random)
{
    uint8_t bytes[6000] = { 0 };
    uint64_t spa = next_random(random) % (4 * MIB), size = next_random(random) % sizeof bytes;
    if (next_random(random) % 4) {
        memset(bytes, (int)next_random(random), sizeof bytes);
    }
    size = size < 4 * MIB - spa ? size : 4 * MIB - spa;
    switch (next_random(random) % 3) {
    case 0:
        assert_true(mem_write(m, spa, bytes, size));
        break;
    case 1:
        *mem_ram_write(m, spa) = bytes[0];
        break;
    case 2:
        mem_mmio_write(m, spa & -8ull, 8, bytes[0]);
        break;
    }
}

static void
a_hash_of_what_was_written_is_a_hash_of_everything(void **unused)
{
    (void)unused;
    struct mem *m = mem_new(4 * MIB);
    uint64_t random = 1, last = hash_of(m);
    for (unsigned round = 0; round < 200; round++) {
        for (uint64_t n = next_random(&random) % 8; n; n--) {
            change(m, &random);
        }
        assert_true(hash_of(m) == full_hash_of(m));
        assert_false(mem_page_written(m, next_random(&random) % (4 * MIB / MEM_PAGE_SIZE)));
    }
    assert_true(hash_of(m) != last);
    /* A load replaces everything, written or not. */
    struct mem *other = mem_new(4 * MIB);
    *mem_ram_write(other, 0x5000) = 1;
    struct state *s = state_new_save();
    mem_state(other, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    mem_state(m, s);
    assert_null(state_load_end(s));
    assert_true(hash_of(m) == hash_of(other));
    free(bytes);
    mem_free(other);
    mem_free(m);
}

static void
pages_that_change_places_change_the_hash(void **unused)
{
    (void)unused;
    struct mem *a = mem_new(4 * MIB), *b = mem_new(4 * MIB);
    *mem_ram_write(a, 0x1000) = *mem_ram_write(b, 0x2000) = 1;
    *mem_ram_write(a, 0x2000) = *mem_ram_write(b, 0x1000) = 2;
    assert_true(hash_of(a) != hash_of(b));
    *mem_ram_write(b, 0x1000) = 1;
    *mem_ram_write(b, 0x2000) = 2;
    assert_true(hash_of(a) == hash_of(b));
    mem_free(a);
    mem_free(b);
}

static void
state_of_another_ram_size_is_refused(void **unused)
{
    (void)unused;
    struct mem *a = mem_new(4 * MIB), *b = mem_new(8 * MIB);
    struct state *s = state_new_save();
    mem_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    mem_state(b, s);
    char *message = state_load_end(s);
    assert_non_null(message);
    free(message);
    free(bytes);
    mem_free(a);
    mem_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ram_has_a_hole_below_4_gib),
        cmocka_unit_test(bulk_access_is_all_or_nothing),
        cmocka_unit_test(mmio_reaches_the_region_with_its_offset),
        cmocka_unit_test(overlapping_regions_are_refused),
        cmocka_unit_test(moving_a_region_keeps_the_others),
        cmocka_unit_test(unclaimed_accesses_read_ones_and_are_told),
        cmocka_unit_test(an_access_across_an_edge_is_made_of_bytes),
        cmocka_unit_test(writes_to_pages_with_code_are_told_once_per_page),
        cmocka_unit_test(state_keeps_ram_and_hashes_it),
        cmocka_unit_test(a_hash_of_what_was_written_is_a_hash_of_everything),
        cmocka_unit_test(pages_that_change_places_change_the_hash),
        cmocka_unit_test(state_of_another_ram_size_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
