/* Hypercalls: the checks that all share, by every row of the table; then what
 * single calls refuse. */
#include "tests/unit/hv/test.h"

enum { SIMPLE = 0, REP = 1, FAST = 2, VARIABLE = 4 };
static const struct { uint16_t code, in, rep_in, out, rep_out, form; uint64_t privilege; const char *name; } rows[] = {
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) \
    { code, in, rep_in, out, rep_out, form, HV_PRIVILEGE_##privilege, #name },
#include "spec/hv/hypercalls.def"
#undef HV_CALL
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* A control word that passes all common checks. */
static uint64_t good(unsigned i) { return rows[i].code | (rows[i].form & REP ? REPS(1) : 0); }

static void rows_are_sorted_and_fit_a_page(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        assert_true(i == 0 || rows[i - 1].code < rows[i].code);
        assert_true(rows[i].in <= PAGE && rows[i].out <= PAGE);
        assert_true(!(rows[i].form & REP) == !(rows[i].rep_in || rows[i].rep_out)
                    || rows[i].code == HV_CALL_UNMAP_GPA_PAGES);
        assert_true(!(rows[i].form & FAST) || rows[i].in <= 16);
    }
}

static void every_unknown_code_is_refused(void **state)
{
    (void)state;
    world_new(1);
    unsigned known = 0;
    for (unsigned code = 0; code < 0x10000; code++) {
        while (known < ROWS && rows[known].code < code)
            known++;
        if (known < ROWS && rows[known].code == code)
            continue;
        assert_int_equal(world_call(world_root, code, 0, 0), HV_STATUS_INVALID_HYPERCALL_CODE);
    }
}

static void a_child_lacks_the_parents_privileges(void **state)
{
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].privilege & ~c.partition->privileges)
            assert_int_equal(world_call(c.vp, good(i), 0x1000, 0x2000), HV_STATUS_ACCESS_DENIED);
    c.partition->privileges = 0;
    for (unsigned i = 0; i < ROWS; i++)
        if (rows[i].privilege)
            assert_int_equal(world_call(c.vp, good(i), 0x1000, 0x2000), HV_STATUS_ACCESS_DENIED);
}

static void every_reserved_bit_of_the_control_word_is_checked(void **state)
{
    (void)state;
    world_new(1);
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned bit = 27; bit < 64; bit++)
            if (bit <= 31 || (bit >= 44 && bit <= 47) || bit >= 60)
                assert_int_equal(world_call(world_root, good(i) | 1ull << bit, 0x2200000, 0x2201000),
                                 HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void the_form_has_to_fit_the_call(void **state)
{
    (void)state;
    world_new(1);
    for (unsigned i = 0; i < ROWS; i++) {
        uint64_t wrong_reps = rows[i].form & REP ? rows[i].code : rows[i].code | REPS(1);
        assert_int_equal(world_call(world_root, wrong_reps, 0x2200000, 0x2201000), HV_STATUS_INVALID_HYPERCALL_INPUT);
        if (!(rows[i].form & FAST))
            assert_int_equal(world_call(world_root, good(i) | HV_CONTROL_FAST, 0, 0), HV_STATUS_INVALID_HYPERCALL_INPUT);
        if (!(rows[i].form & VARIABLE))
            assert_int_equal(world_call(world_root, good(i) | 1ull << HV_CONTROL_VARIABLE_SHIFT, 0x2200000, 0x2201000),
                             HV_STATUS_INVALID_HYPERCALL_INPUT);
        if (rows[i].form & REP)
            assert_int_equal(world_call(world_root, rows[i].code | REPS(2) | 2ull << HV_CONTROL_REP_START_SHIFT,
                                        0x2200000, 0x2201000),
                             HV_STATUS_INVALID_HYPERCALL_INPUT);
    }
}

static void blocks_are_aligned_within_a_page_and_in_memory(void **state)
{
    (void)state;
    world_new(1);
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned in = rows[i].in + rows[i].rep_in, out = rows[i].out + rows[i].rep_out;
        uint64_t bad_in[] = { 0x2200004, 0x2201000 - (in - in % 8) + 8, 0x100000, 0x9999999000, UINT64_MAX - 7 };
        for (unsigned n = 0; in > 8 && n < 5; n++)
            assert_int_equal(world_call(world_root, good(i), bad_in[n], 0x2203000), HV_STATUS_INVALID_ALIGNMENT);
        uint64_t bad_out[] = { 0x2200001, 0x100000, 0x9999999000, UINT64_MAX - 7 };
        for (unsigned n = 0; out && n < 4; n++)
            assert_int_equal(world_call(world_root, good(i), 0x2202000, bad_out[n]), HV_STATUS_INVALID_ALIGNMENT);
    }
}

static void a_rep_list_must_not_leave_its_page(void **state)
{
    (void)state;
    world_new(1);
    assert_int_equal(world_call(world_root, HV_CALL_DEPOSIT_MEMORY | REPS(512), 0x2200000, 0), HV_STATUS_INVALID_ALIGNMENT);
}

static void long_rep_calls_continue_by_themselves(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct { struct hv_map_gpa_pages header; uint64_t gpfn[300]; } map = {
        { c.id, 0x1000, HV_MAP_READ, 0 }, { 0 } };
    for (unsigned i = 0; i < 300; i++)
        map.gpfn[i] = c.base / PAGE;
    uint64_t result = world_call_block(HV_CALL_MAP_GPA_PAGES | REPS(300), &map, sizeof(map));
    assert_int_equal(STATUS(result), HV_STATUS_SUCCESS);
    assert_int_equal(REPS_DONE(result), 300);
    assert_non_null(gpa_pointer(c.partition, (0x1000 + 299) * PAGE, false));
}

static void a_failing_rep_call_says_how_far_it_came(void **state)
{
    (void)state;
    struct child c = new_child(1);
    struct { struct hv_map_gpa_pages header; uint64_t gpfn[100]; } map = { { c.id, 0x1000, HV_MAP_READ, 0 }, { 0 } };
    for (unsigned i = 0; i < 100; i++)
        map.gpfn[i] = c.base / PAGE;
    map.gpfn[70] = 0x100; /* the hypervisor's page */
    uint64_t result = world_call_block(HV_CALL_MAP_GPA_PAGES | REPS(100), &map, sizeof(map));
    assert_int_equal(STATUS(result), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(REPS_DONE(result), 70);
}

static void deposited_pages_leave_the_parent(void **state)
{
    struct gpa_mapping m;
    (void)state;
    struct child c = new_child(1);
    uint64_t before = c.partition->pool.count, in[2] = { c.id, 0x2800 };
    assert_int_equal(STATUS(world_call_block(HV_CALL_DEPOSIT_MEMORY | REPS(1), in, sizeof(in))), HV_STATUS_SUCCESS);
    assert_int_equal(c.partition->pool.count, before + 1);
    assert_false(gpa_lookup(hv.root, 0x2800000, &m));
    assert_int_equal(STATUS(world_call_block(HV_CALL_DEPOSIT_MEMORY | REPS(1), in, sizeof(in))),
                     HV_STATUS_INVALID_PARAMETER); /* not the parent's any more */

    struct hv_withdraw_memory out = { c.id, 0 };
    uint64_t result = world_call_block(HV_CALL_WITHDRAW_MEMORY | REPS(1), &out, sizeof(out));
    assert_int_equal(STATUS(result), HV_STATUS_SUCCESS);
    assert_int_equal(*(uint64_t *)world_output(), 0x2800);
    assert_true(gpa_lookup(hv.root, 0x2800000, &m));
}

static void map_flags_that_mean_nothing_are_refused(void **state)
{
    static const uint32_t bad[] = { HV_MAP_WRITE, HV_MAP_KERNEL_EXECUTE, 1u << 5, 1u << 30, HV_MAP_READ | 1u << 12 };
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct { struct hv_map_gpa_pages header; uint64_t gpfn; } map = { { c.id, 0x1000, bad[i], 0 }, c.base / PAGE };
        assert_int_equal(STATUS(world_call_block(HV_CALL_MAP_GPA_PAGES | REPS(1), &map, sizeof(map))),
                         HV_STATUS_INVALID_PARAMETER);
    }
}

static void strangers_partitions_cannot_be_named(void **state)
{
    static const uint64_t wrong[] = { 0, 1, 0x1FFFF, 0xFFFFFFFF, UINT64_MAX - 1 };
    (void)state;
    struct child c = new_child(1);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(STATUS(world_call(world_root, HV_CALL_FINALIZE_PARTITION | HV_CONTROL_FAST, wrong[i], 0)),
                         HV_STATUS_INVALID_PARTITION_ID);
        struct hv_get_property in = { wrong[i], HV_PROPERTY_CPU_WEIGHT, 0 };
        assert_int_equal(STATUS(world_call_block(HV_CALL_GET_PARTITION_PROPERTY, &in, sizeof(in))),
                         HV_STATUS_INVALID_PARTITION_ID);
    }
    assert_null(partition_find(c.partition, hv.root->id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_fit_a_page), cmocka_unit_test(every_unknown_code_is_refused),
        cmocka_unit_test(a_child_lacks_the_parents_privileges),
        cmocka_unit_test(every_reserved_bit_of_the_control_word_is_checked),
        cmocka_unit_test(the_form_has_to_fit_the_call),
        cmocka_unit_test(blocks_are_aligned_within_a_page_and_in_memory),
        cmocka_unit_test(a_rep_list_must_not_leave_its_page), cmocka_unit_test(long_rep_calls_continue_by_themselves),
        cmocka_unit_test(a_failing_rep_call_says_how_far_it_came), cmocka_unit_test(deposited_pages_leave_the_parent),
        cmocka_unit_test(map_flags_that_mean_nothing_are_refused),
        cmocka_unit_test(strangers_partitions_cannot_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
