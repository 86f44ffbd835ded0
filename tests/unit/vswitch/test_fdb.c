/* Forwarding database: static entries, learning, ageing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/fdb.h"

static struct vsw_fdb fdb;
enum { A = 0x020000000001, B = 0x020000000002 };

static int start(void **state)
{
    (void)state;
    memset(&fdb, 0, sizeof fdb);
    return 0;
}

static void what_was_learned_is_found_until_it_ages(void **state)
{
    (void)state;
    vsw_fdb_learn(&fdb, A, 3, 1000);
    assert_int_equal(vsw_fdb_find(&fdb, A, 1000), 3);
    assert_int_equal(vsw_fdb_find(&fdb, A, 1000 + VSW_FDB_AGE), 3);
    assert_int_equal(vsw_fdb_find(&fdb, A, 1001 + VSW_FDB_AGE), VSW_FDB_NONE);
    vsw_fdb_learn(&fdb, A, 4, 2000 + VSW_FDB_AGE); /* seen again, elsewhere */
    assert_int_equal(vsw_fdb_find(&fdb, A, 2000 + VSW_FDB_AGE), 4);
    assert_int_equal(vsw_fdb_find(&fdb, B, 1000), VSW_FDB_NONE);
}

static void a_vports_own_address_is_never_learned_elsewhere_and_never_ages(void **state)
{
    (void)state;
    assert_true(vsw_fdb_add(&fdb, A, 1));
    vsw_fdb_learn(&fdb, A, 0, 5);
    assert_int_equal(vsw_fdb_find(&fdb, A, UINT64_MAX), 1);
    assert_false(vsw_fdb_add(&fdb, A, 2));
    vsw_fdb_remove_port(&fdb, 1);
    assert_int_equal(vsw_fdb_find(&fdb, A, 6), VSW_FDB_NONE);
}

static void an_address_learned_before_becomes_the_vports(void **state)
{
    (void)state;
    vsw_fdb_learn(&fdb, A, 0, 5);
    assert_true(vsw_fdb_add(&fdb, A, 2));
    assert_int_equal(vsw_fdb_find(&fdb, A, 6), 2);
}

static void the_zero_address_is_an_address(void **state)
{
    (void)state;
    assert_int_equal(vsw_fdb_find(&fdb, 0, 1), VSW_FDB_NONE);
    assert_true(vsw_fdb_add(&fdb, 0, 7));
    assert_int_equal(vsw_fdb_find(&fdb, 0, 1), 7);
}

static void a_flood_of_sources_never_pushes_a_vport_out(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 16; i++)
        assert_true(vsw_fdb_add(&fdb, A + i, (uint16_t)(1 + i)));
    for (uint64_t i = 0; i < 100000; i++)
        vsw_fdb_learn(&fdb, 0x0A0000000000 + i * 7919, 0, i);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(vsw_fdb_find(&fdb, A + i, 1), 1 + i);
    assert_int_equal(vsw_fdb_find(&fdb, 0x0A0000000000 + 99999 * 7919ull, 100000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_learned_is_found_until_it_ages, start),
        cmocka_unit_test_setup(a_vports_own_address_is_never_learned_elsewhere_and_never_ages, start),
        cmocka_unit_test_setup(an_address_learned_before_becomes_the_vports, start),
        cmocka_unit_test_setup(the_zero_address_is_an_address, start),
        cmocka_unit_test_setup(a_flood_of_sources_never_pushes_a_vport_out, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
