/* Attribution sums exactly; tag arrays behave as LRU; waits and wire times follow their rows. */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/time/model.h"
#include "sim/time/timing.h"

static void rounding_keeps_every_sum(void **state)
{
    uint64_t random = 88172645463325252u;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint64_t sixteenths[8], cycles[8], total = 0, sum = 0;
        for (int i = 0; i < 8; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            sixteenths[i] = random % 1000;
            total += sixteenths[i];
        }
        sixteenths[7] += (16 - total % 16) % 16; /* whole cycles in all, as processors' times are */
        total += (16 - total % 16) % 16;
        bucket_round(sixteenths, cycles, 8, total / 16);
        for (int i = 0; i < 8; i++) {
            sum += cycles[i];
            assert_true(cycles[i] >= sixteenths[i] / 16 && cycles[i] <= sixteenths[i] / 16 + 1);
        }
        assert_int_equal(sum, total / 16);
    }
}

static void code_belongs_to_the_last_range_that_was_declared(void **state)
{
    struct machine m = { .buckets = buckets_new() };
    (void)state;
    unsigned hv = bucket_add_range(&m, "hv", 0x1000, 0x1000);
    unsigned service = bucket_add_range(&m, "vswitch@hv", 0x1400, 0x100);
    assert_int_equal(bucket_of_code(&m, 0x1000, false), hv);
    assert_int_equal(bucket_of_code(&m, 0x14ff, false), service);
    assert_int_equal(bucket_of_code(&m, 0x1500, false), hv);
    assert_int_equal(bucket_of_code(&m, 0x2000, false), BUCKET_OTHER);
    assert_int_equal(bucket_of_code(&m, 0x2000, true), BUCKET_GUEST);
    assert_int_equal(bucket_add_range(&m, "hv", 0x9000, 1), hv);
    assert_string_equal(bucket_name(&m, service), "vswitch@hv");
    buckets_free(m.buckets);
}

static void tags_evict_the_least_recently_used(void **state)
{
    struct tags t;
    uint64_t evicted = 0;
    (void)state;
    assert_true(tags_new(&t, 2, 2));
    assert_false(tags_touch(&t, 10, NULL));
    assert_false(tags_touch(&t, 12, NULL));
    assert_true(tags_touch(&t, 10, NULL));
    assert_false(tags_touch(&t, 14, &evicted)); /* same set; 12 is the older one */
    assert_int_equal(evicted, 12);
    assert_true(tags_touch(&t, 10, NULL));
    assert_false(tags_touch(&t, 11, NULL)); /* the other set */
    assert_true(tags_drop(&t, 10));
    assert_false(tags_drop(&t, 10));
    assert_false(tags_touch(&t, 10, NULL));
    tags_free(&t);
}

/* The reference: a list per set, searched and reordered the slow way. */
static void tags_agree_with_a_plain_list(void **state)
{
    enum { SETS = 8, WAYS = 4, KEYS = 80, STEPS = 100000 };
    struct tags t;
    uint64_t list[SETS][WAYS], random = 7;
    (void)state;
    memset(list, 0xff, sizeof list);
    assert_true(tags_new(&t, SETS, WAYS));
    for (int i = 0; i < STEPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t key = (random >> 33) % KEYS, *set = list[key % SETS];
        int at = 0;
        while (at < WAYS && set[at] != key)
            at++;
        bool hit = at < WAYS;
        for (int k = hit ? at : WAYS - 1; k > 0; k--)
            set[k] = set[k - 1];
        set[0] = key;
        assert_int_equal(tags_touch(&t, key, NULL), hit);
    }
    tags_free(&t);
}

static void a_frame_takes_its_bits_on_the_wire(void **state)
{
    (void)state;
    /* 64 bytes with FCS are 84 on the wire: 67.2 ns at 10 Gb/s, the 14.88 Mpps of calibration row V01. */
    assert_int_equal(time_wire_cycles(NULL, 60), 67.2 * 2.1);
    assert_in_range(MACHINE_TSC_HZ / time_wire_cycles(NULL, 60), 14800000, 15000000);
    assert_int_equal(time_wire_cycles(NULL, 1514), 1230.4 * 2.1);
}

static void dma_costs_grow_with_bytes(void **state)
{
    (void)state;
    assert_true(time_fabric(NULL, FABRIC_DMA_READ, 64) >= machine_ns_to_cycles(547));
    assert_true(time_fabric(NULL, FABRIC_DMA_READ, 1500) > time_fabric(NULL, FABRIC_DMA_READ, 64));
    assert_true(time_fabric(NULL, FABRIC_DMA_WRITE, 64) < time_fabric(NULL, FABRIC_DMA_READ, 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_keeps_every_sum),
        cmocka_unit_test(code_belongs_to_the_last_range_that_was_declared),
        cmocka_unit_test(tags_evict_the_least_recently_used),
        cmocka_unit_test(tags_agree_with_a_plain_list),
        cmocka_unit_test(a_frame_takes_its_bits_on_the_wire),
        cmocka_unit_test(dma_costs_grow_with_bytes),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
