/* Rings: both ends against each other, and against bytes laid out by hand from the specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmbus/packet.h"
#include "vmbus/ring.h"

enum { PAGES = 2, DATA = 4096 };
static uint8_t memory[(PAGES) * 4096] __attribute__((aligned(4096)));

static uint32_t *word(unsigned byte) { return (uint32_t *)(memory + byte); }

struct ends { struct vmbus_ring producer, consumer; };

static struct ends make(uint32_t start)
{
    struct ends ends;
    memset(memory, 0, sizeof memory);
    assert_true(vmbus_ring_attach(&ends.producer, memory, PAGES));
    assert_true(vmbus_ring_attach(&ends.consumer, memory, PAGES));
    ends.producer.index = ends.producer.shown = ends.consumer.index = ends.consumer.shown = start;
    *word(0) = *word(4) = start;
    return ends;
}

static bool put(struct vmbus_ring *ring, uint64_t id, const void *payload, uint32_t size)
{
    return vmbus_ring_put(ring, &(struct vmbus_send){ .type = VMBUS_PACKET_INBAND, .transaction = id,
                                                      .payload = payload, .payload_size = size });
}

static void a_packet_has_the_layout_of_the_specification(void **state)
{
    (void)state;
    struct ends ends = make(0);
    assert_true(vmbus_ring_put(&ends.producer, &(struct vmbus_send){
        .type = 6, .flags = 1, .transaction = 0x1122334455667788, .payload = "hello", .payload_size = 5 }));
    assert_true(vmbus_ring_publish(&ends.producer));
    static const uint8_t expected[] = {
        6, 0, 2, 0, 3, 0, 1, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,
        'h', 'e', 'l', 'l', 'o', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    };
    assert_memory_equal(memory + 4096, expected, sizeof expected);
    assert_int_equal(*word(0), sizeof expected);
    assert_true(put(&ends.producer, 1, NULL, 0));
    vmbus_ring_publish(&ends.producer);
    assert_int_equal(*word(4096 + 32 + 16 + 4), 32); /* trailer: where the second packet began */
}

static void packets_come_out_as_they_went_in_at_every_offset(void **state)
{
    (void)state;
    uint8_t payload[600], out[1024];
    for (unsigned i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7 + 1);
    for (uint32_t start = 0; start < DATA; start += 8) {
        struct ends ends = make(start);
        uint32_t size = start % 601, length;
        assert_true(put(&ends.producer, start, payload, size));
        vmbus_ring_publish(&ends.producer);
        assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_PACKET);
        struct vmbus_packet packet;
        assert_true(vmbus_packet_parse(out, length, &packet));
        assert_int_equal(packet.transaction, start);
        assert_memory_equal(packet.payload, payload, size);
        assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_EMPTY);
        vmbus_ring_release(&ends.consumer);
        assert_int_equal(*word(0), *word(4));
    }
}

static void the_ring_is_never_completely_full(void **state)
{
    (void)state;
    struct ends ends = make(64);
    uint8_t payload[DATA] = { 0 };
    assert_false(put(&ends.producer, 1, payload, DATA - 24));
    assert_true(put(&ends.producer, 1, payload, DATA - 32));
    assert_int_equal(vmbus_ring_room(&ends.producer), 8);
    assert_false(put(&ends.producer, 1, payload, 0));
}

static void only_the_first_packet_after_empty_signals(void **state)
{
    (void)state;
    struct ends ends = make(0);
    uint8_t out[64];
    uint32_t length;
    put(&ends.producer, 1, NULL, 0);
    assert_true(vmbus_ring_publish(&ends.producer));
    assert_false(vmbus_ring_publish(&ends.producer)); /* nothing new */
    put(&ends.producer, 2, NULL, 0);
    assert_false(vmbus_ring_publish(&ends.producer)); /* consumer has not caught up */
    while (vmbus_ring_get(&ends.consumer, out, sizeof out, &length) == VMBUS_RING_PACKET)
        ;
    vmbus_ring_release(&ends.consumer);
    vmbus_ring_mask(&ends.consumer);
    put(&ends.producer, 3, NULL, 0);
    assert_false(vmbus_ring_publish(&ends.producer)); /* masked */
    assert_true(vmbus_ring_unmask(&ends.consumer));   /* but seen by the one who unmasks */
}

static void a_waiting_producer_is_signalled_once_when_room_crosses_its_wish(void **state)
{
    (void)state;
    struct ends ends = make(0);
    uint8_t out[2048], payload[976] = { 0 };
    uint32_t length;
    for (unsigned i = 0; i < 4; i++) /* 4 x 1000 of 4096 */
        assert_true(put(&ends.producer, i, payload, sizeof payload));
    vmbus_ring_publish(&ends.producer);
    assert_false(vmbus_ring_wait_for_room(&ends.producer, 1500));
    assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_PACKET);
    assert_false(vmbus_ring_release(&ends.consumer)); /* 1096 free */
    assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_PACKET);
    assert_true(vmbus_ring_release(&ends.consumer)); /* 2096 free */
    assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_PACKET);
    assert_false(vmbus_ring_release(&ends.consumer));
    assert_true(vmbus_ring_wait_for_room(&ends.producer, 1500));
}

/* One packet of 32 bytes lies in the ring; then the peer damages one 32-bit word. */
static const struct { const char *what; unsigned at; uint32_t value; } damages[] = {
    { "write index beyond the data", 0, DATA },
    { "write index far beyond", 0, 0xFFFFFFF8 },
    { "write index not a multiple of 8", 0, 36 },
    { "length longer than what was written", 4096 + 4, 5 },
    { "length shorter than a header", 4096 + 4, 1 },
    { "length beyond the caller's capacity", 4096 + 4, 0xFFFF },
    { "write index inside the first header", 0, 16 },
};

static void a_damaged_ring_is_broken_for_ever_and_harmless(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct ends ends = make(0);
        uint8_t out[64];
        uint32_t length;
        put(&ends.producer, 1, "1234567", 8);
        vmbus_ring_publish(&ends.producer);
        *word(damages[i].at) = damages[i].value;
        if (vmbus_ring_get(&ends.consumer, out, sizeof out, &length) != VMBUS_RING_BROKEN)
            fail_msg("accepted: %s", damages[i].what);
        *word(0) = 32;
        *word(4096 + 4) = 3;
        assert_int_equal(vmbus_ring_get(&ends.consumer, out, sizeof out, &length), VMBUS_RING_BROKEN);
    }
}

static void a_producer_does_not_believe_a_wrong_read_index(void **state)
{
    (void)state;
    static const uint32_t wrong[] = { DATA, 0xFFFFFFFF, 4, DATA + 8 };
    for (unsigned i = 0; i < 4; i++) {
        struct ends ends = make(0);
        *word(4) = wrong[i];
        assert_int_equal(vmbus_ring_room(&ends.producer), 0);
        assert_true(ends.producer.broken);
        assert_false(put(&ends.producer, 1, NULL, 0));
    }
}

static void our_own_index_is_never_read_back(void **state)
{
    (void)state;
    struct ends ends = make(0);
    put(&ends.producer, 1, NULL, 0);
    vmbus_ring_publish(&ends.producer);
    *word(0) = 1024; /* the peer scribbles over our index */
    put(&ends.producer, 2, NULL, 0);
    vmbus_ring_publish(&ends.producer);
    assert_int_equal(*word(0), 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_has_the_layout_of_the_specification),
        cmocka_unit_test(packets_come_out_as_they_went_in_at_every_offset),
        cmocka_unit_test(the_ring_is_never_completely_full),
        cmocka_unit_test(only_the_first_packet_after_empty_signals),
        cmocka_unit_test(a_waiting_producer_is_signalled_once_when_room_crosses_its_wish),
        cmocka_unit_test(a_damaged_ring_is_broken_for_ever_and_harmless),
        cmocka_unit_test(a_producer_does_not_believe_a_wrong_read_index),
        cmocka_unit_test(our_own_index_is_never_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
