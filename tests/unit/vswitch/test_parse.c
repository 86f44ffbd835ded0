/* The parser of Ethernet heads, reserved addresses, and the text of filter rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vswitch/extension.h"
#include "vswitch/parse.h"

static const uint8_t tagged[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0, 0xE0, 0x05, 0x86, 0xDD };

static void a_head_is_taken_apart(void **state)
{
    (void)state;
    struct vsw_frame frame;
    assert_true(vsw_parse(tagged, sizeof tagged, &frame));
    assert_int_equal(frame.destination, 0x010203040506);
    assert_int_equal(frame.source, 0x0708090A0B0C);
    assert_true(frame.tagged);
    assert_int_equal(frame.vid, 5);
    assert_int_equal(frame.type, 0x86DD);
}

static void a_head_is_never_read_beyond_its_end(void **state)
{
    (void)state;
    struct vsw_frame frame;
    for (uint32_t length = 0; length < 14; length++)
        assert_false(vsw_parse(tagged, length, &frame));
    for (uint32_t length = 14; length < 18; length++) {
        assert_true(vsw_parse(tagged, length, &frame));
        assert_false(frame.tagged);
        assert_int_equal(frame.type, 0x8100);
    }
}

static void exactly_the_reserved_addresses_are_reserved(void **state)
{
    (void)state;
    assert_false(vsw_mac_reserved(0x0180C1FFFFFF));
    for (uint64_t i = 0; i <= 0x2F; i++)
        assert_true(vsw_mac_reserved(0x0180C2000000 + i));
    assert_false(vsw_mac_reserved(0x0180C2000030));
    assert_false(vsw_mac_reserved(0));
    assert_false(vsw_mac_reserved(VSW_MAC_BROADCAST));
}

static const struct { const char *text; int rules; } texts[] = {
    { "", 0 },
    { "drop", 1 },
    { "drop type=0x88cc", 1 },
    { "drop src=02:00:00:00:00:01 dst=FF:ff:ff:ff:ff:ff type=2048 vlan=4095 port=3", 1 },
    { "allow vlan=5; drop", 2 },
    { " ; drop ;; allow ", 2 },
    { "deny", -1 },
    { "drop type=", -1 },
    { "drop type=0x10000", -1 },
    { "drop src=02:00:00:00:00", -1 },
    { "drop src=02:00:00:00:00:0g", -1 },
    { "drop colour=red", -1 },
    { "drop type=5x", -1 },
    { "dropp", -1 },
    { "drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop;drop", -1 },
};

static void rule_texts_are_read_or_refused_whole(void **state)
{
    (void)state;
    static uint64_t filter[VSW_FILTER_SIZE / 8];
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (vsw_filter_parse(texts[i].text, filter) != texts[i].rules)
            fail_msg("\"%s\": %d rules", texts[i].text, vsw_filter_parse(texts[i].text, filter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(a_head_is_never_read_beyond_its_end),
        cmocka_unit_test(exactly_the_reserved_addresses_are_reserved),
        cmocka_unit_test(rule_texts_are_read_or_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
