/* GPA spaces: mapping, splitting, overlays, flushing. */
#include "tests/unit/hv/test.h"

#define RWX (GPA_READ | GPA_WRITE | GPA_EXECUTE)

static struct partition *root(void) { world_new(2); return hv.root; }

static void finds_what_was_mapped(void **state)
{
    static const struct { uint64_t gpa, spa; unsigned shift; } rows[] = {
        { 0x100000000, 0x2200000, 12 }, { 0x140000000, 0x2400000, 21 }, { 0x180001000, 0x2201000, 12 },
        { 0x7FFFFFFFF000, 0x2202000, 12 },
    };
    (void)state;
    struct partition *p = root();
    for (unsigned i = 0; i < 4; i++) {
        struct gpa_mapping m;
        assert_int_equal(gpa_map(p, rows[i].gpa, rows[i].spa, rows[i].shift, RWX), HV_STATUS_SUCCESS);
        assert_true(gpa_lookup(p, rows[i].gpa + 0x123, &m));
        assert_int_equal(m.spa, rows[i].spa + 0x123);
        assert_int_equal(m.shift, rows[i].shift);
        assert_int_equal(m.access, RWX);
    }
}

static void does_not_find_what_was_not(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct partition *p = root();
    assert_false(gpa_lookup(p, 0x100000000, &m));
    assert_false(gpa_lookup(p, 1ull << 48, &m));
    assert_false(gpa_lookup(p, UINT64_MAX, &m));
    assert_false(gpa_lookup(p, 0x100000, &m)); /* the hypervisor's own memory is not the root's */
}

static void splitting_keeps_the_neighbours(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct partition *p = root();
    assert_int_equal(gpa_map(p, 0x140000000, 0x2400000, 21, RWX), HV_STATUS_SUCCESS);
    assert_int_equal(gpa_unmap(p, 0x140003000, 12), HV_STATUS_SUCCESS);
    assert_false(gpa_lookup(p, 0x140003000, &m));
    for (unsigned i = 0; i < 512; i++) {
        if (i == 3)
            continue;
        assert_true(gpa_lookup(p, 0x140000000 + i * PAGE, &m));
        assert_int_equal(m.spa, 0x2400000 + i * PAGE);
        assert_int_equal(m.access, RWX);
        assert_int_equal(m.shift, 12);
    }
}

static void a_large_page_over_small_ones_replaces_all_of_them(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct partition *p = root();
    gpa_map(p, 0x140005000, 0x2200000, 12, RWX);
    assert_int_equal(gpa_map(p, 0x140000000, 0x2600000, 21, GPA_READ), HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < 512; i++) {
        assert_true(gpa_lookup(p, 0x140000000 + i * PAGE, &m));
        assert_int_equal(m.spa, 0x2600000 + i * PAGE);
        assert_int_equal(m.access, GPA_READ);
    }
}

static void an_empty_pool_is_reported_and_changes_nothing(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct partition *p = root();
    while (page_pool_take(&p->pool)) {
    }
    assert_int_equal(gpa_map(p, 0x300000000, 0x2200000, 12, RWX), HV_STATUS_INSUFFICIENT_MEMORY);
    assert_false(gpa_lookup(p, 0x300000000, &m));
    uint64_t neighbour = HV_MEMORY_END + 5 * PAGE; /* within a large page of the root */
    assert_int_equal(gpa_unmap(p, neighbour, 12), HV_STATUS_INSUFFICIENT_MEMORY);
    assert_true(gpa_lookup(p, neighbour, &m));
}

static void pointers_respect_permissions_and_devices(void **state)
{
    (void)state;
    struct partition *p = root();
    gpa_map(p, 0x100000000, 0x2200000, 12, GPA_READ);
    gpa_map(p, 0x100001000, 0x2201000, 12, GPA_READ | GPA_WRITE | GPA_UNCACHED);
    assert_ptr_equal(gpa_pointer(p, 0x100000010, false), world_memory(0x2200010));
    assert_null(gpa_pointer(p, 0x100000010, true));
    assert_null(gpa_pointer(p, 0x100001000, false));
}

static void an_overlay_gives_back_what_it_covered(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct partition *p = root();
    uint64_t gpa = HV_MEMORY_END + 7 * PAGE;
    assert_int_equal(gpa_overlay_set(p, gpa, hv.hypercall_page, GPA_READ | GPA_EXECUTE), HV_STATUS_SUCCESS);
    assert_true(gpa_lookup(p, gpa, &m));
    assert_int_equal(m.spa, hv.hypercall_page);
    assert_int_equal(m.access, GPA_READ | GPA_EXECUTE);
    gpa_overlay_clear(p, gpa);
    assert_true(gpa_lookup(p, gpa, &m));
    assert_int_equal(m.spa, gpa);
    assert_int_equal(m.access, RWX);
}

static void a_flush_brings_guests_out_on_other_processors(void **state)
{
    (void)state;
    struct partition *p = root();
    uint64_t before = p->gpa.generation;
    hv.lp[1]->in_guest = 1;
    gpa_flush(p);
    assert_int_equal(fake.kicks[1], 1);
    assert_int_equal(fake.kicks[0], 0);
    assert_true(p->gpa.generation > before);
}

static void all_tables_return_to_the_pool(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct partition *p = c.partition;
    uint64_t total = p->pool.count + p->gpa.pages;
    for (uint64_t i = 1; i < 5; i++)
        assert_int_equal(gpa_map(p, i << 39, 0x2400000, 12, RWX), HV_STATUS_SUCCESS);
    gpa_destroy(p);
    assert_int_equal(p->pool.count, total);
    assert_int_equal(p->gpa.pages, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_mapped), cmocka_unit_test(does_not_find_what_was_not),
        cmocka_unit_test(splitting_keeps_the_neighbours),
        cmocka_unit_test(a_large_page_over_small_ones_replaces_all_of_them),
        cmocka_unit_test(an_empty_pool_is_reported_and_changes_nothing),
        cmocka_unit_test(pointers_respect_permissions_and_devices),
        cmocka_unit_test(an_overlay_gives_back_what_it_covered),
        cmocka_unit_test(a_flush_brings_guests_out_on_other_processors),
        cmocka_unit_test(all_tables_return_to_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
