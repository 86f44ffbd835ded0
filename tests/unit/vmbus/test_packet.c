/* Packets: what the parser takes apart, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmbus/packet.h"

/* A GPA-direct packet as Linux writes it: one range of 3000 bytes at offset 0xF00, two pages; 8 bytes payload. */
static const uint64_t gpa_direct[] = {
    0x0001000800070009, 0x1234,        /* type 9, payload at 7*8, length 8*8, wants completion */
    0x0000000100000000,                /* reserved, one range */
    0x00000F0000000BB8,                /* 3000 bytes at 0xF00 */
    0x1000, 0x2000, 0, 0xAABBCCDD,     /* pages; spare; payload */
};

static void gpa_direct_ranges_are_found(void **state)
{
    (void)state;
    struct vmbus_packet packet;
    assert_true(vmbus_packet_parse(gpa_direct, sizeof gpa_direct, &packet));
    assert_true(packet.wants_completion);
    assert_int_equal(packet.transaction, 0x1234);
    assert_int_equal(packet.payload_size, 8);
    assert_int_equal(packet.range_count, 1);
    const uint8_t *cursor = packet.ranges;
    struct vmbus_gpa_range range = vmbus_packet_gpa_range(&cursor);
    assert_int_equal(range.byte_count, 3000);
    assert_int_equal(range.byte_offset, 0xF00);
    assert_int_equal(range.page_count, 2);
    assert_int_equal(vmbus_gpa_range_page(&range, 0), 0x1000);
    assert_int_equal(vmbus_gpa_range_page(&range, 1), 0x2000);
}

static const struct { const char *what; unsigned word; uint64_t value; } damages[] = {
    { "length beyond the packet", 0, 0x0001000900070009 },
    { "payload beyond the length", 0, 0x0001000800090009 },
    { "payload inside the header", 0, 0x0001000800010009 },
    { "payload before the range header ends", 0, 0x0001000800030009 },
    { "unknown type", 0, 0x0001000800070008 },
    { "no range", 2, 0 },
    { "more ranges than fit", 2, 0x0000000300000000 },
    { "very many ranges", 2, 0xFFFFFFFF00000000 },
    { "offset beyond the first page", 3, 0x0000100000000BB8 },
    { "byte count that needs more pages than there are", 3, 0x00000F00000FFFFF },
    { "byte count that wraps", 3, 0x00000F00FFFFFFFF },
    { "empty range", 3, 0x0000000000000000 },
};

static void every_damage_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        uint64_t copy[8];
        struct vmbus_packet packet;
        memcpy(copy, gpa_direct, sizeof copy);
        copy[damages[i].word] = damages[i].value;
        if (vmbus_packet_parse(copy, sizeof copy, &packet))
            fail_msg("accepted: %s", damages[i].what);
    }
}

static void transfer_ranges_are_found_and_bounded(void **state)
{
    (void)state;
    uint64_t bytes[] = { 0x0001000500050007, 9, 0x000000020000CAFE, 0x0000064000000100, 0x00000C8000000200 };
    struct vmbus_packet packet;
    assert_true(vmbus_packet_parse(bytes, sizeof bytes, &packet));
    assert_int_equal(packet.page_set, 0xCAFE);
    assert_int_equal(packet.range_count, 2);
    assert_int_equal(vmbus_packet_transfer_range(&packet, 1).byte_count, 0x200);
    assert_int_equal(vmbus_packet_transfer_range(&packet, 1).byte_offset, 0xC80);
    bytes[2] = 0x000000030000CAFE;
    assert_false(vmbus_packet_parse(bytes, sizeof bytes, &packet));
}

static void a_packet_shorter_than_a_header_is_refused(void **state)
{
    (void)state;
    struct vmbus_packet packet;
    for (uint32_t size = 0; size < 16; size++)
        assert_false(vmbus_packet_parse(gpa_direct, size, &packet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpa_direct_ranges_are_found),
        cmocka_unit_test(every_damage_is_refused),
        cmocka_unit_test(transfer_ranges_are_found_and_bounded),
        cmocka_unit_test(a_packet_shorter_than_a_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
