/* Captures in: every odd thing a real file holds is replayed, repaired or refused by name. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/capture.h"

enum { MICROSECONDS = (int)0xA1B2C3D4, NANOSECONDS = (int)0xA1B23C4D, ETHERNET = 1, RAW_IP = 101 };
static const char path[] = "test_capture.pcap";

struct row { uint32_t seconds, fraction, captured, length; uint8_t fill; };

static void write_pcap(uint32_t magic, uint32_t link, const struct row *rows, size_t count)
{
    FILE *out = fopen(path, "wb");
    uint32_t header[6] = { magic, 2 | 4 << 16, 0, 0, 65535, link };
    assert_non_null(out);
    fwrite(header, sizeof header, 1, out);
    for (size_t i = 0; i < count; i++) {
        uint8_t *frame = malloc(rows[i].captured + 1);
        memset(frame, rows[i].fill, rows[i].captured);
        fwrite(&rows[i], 16, 1, out);
        fwrite(frame, rows[i].captured, 1, out);
        free(frame);
    }
    fclose(out);
}

static struct capture *read_back(uint64_t max_gap_ns, double speed, char *error)
{
    error[0] = 0;
    struct capture *c = capture_read(path, max_gap_ns, speed, error, 512);
    unlink(path);
    return c;
}

static void reads_times_of_both_precisions(void **state)
{
    static const struct { uint32_t magic, fraction; } cases[] = { { (uint32_t)MICROSECONDS, 7 }, { (uint32_t)NANOSECONDS, 7000 } };
    char error[512];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct row rows[] = { { 10, 0, 60, 60, 2 }, { 10, cases[i].fraction, 60, 60, 2 } };
        write_pcap(cases[i].magic, ETHERNET, rows, 2);
        struct capture *c = read_back(1000000, 1, error);
        assert_non_null(c);
        assert_int_equal(c->frames[1].at_ns, 7000);
        capture_free(c);
    }
}

static void repairs_times_that_jump_and_counts_it(void **state)
{
    struct row rows[] = { { 100, 0, 60, 60, 2 }, { 40, 0, 60, 60, 2 }, { 40, 5, 60, 60, 2 }, { 999999, 5, 60, 60, 2 } };
    char error[512];
    (void)state;
    write_pcap((uint32_t)MICROSECONDS, ETHERNET, rows, 4);
    struct capture *c = read_back(10000000, 1, error);
    assert_non_null(c);
    assert_int_equal(c->backwards, 1);
    assert_int_equal(c->gaps_shortened, 1);
    assert_int_equal(c->frames[1].at_ns, 0);
    assert_int_equal(c->frames[2].at_ns, 5000);
    assert_int_equal(c->frames[3].at_ns, 5000 + 10000000);
    capture_free(c);
}

static void scales_times_by_speed(void **state)
{
    struct row rows[] = { { 1, 0, 60, 60, 2 }, { 1, 100, 60, 60, 2 } };
    char error[512];
    (void)state;
    write_pcap((uint32_t)MICROSECONDS, ETHERNET, rows, 2);
    struct capture *c = read_back(10000000, 4, error);
    assert_int_equal(c->frames[1].at_ns, 25000);
    capture_free(c);
}

static void fills_frames_cut_by_the_snap_length(void **state)
{
    struct row rows[] = { { 1, 0, 64, 1514, 2 } };
    char error[512];
    (void)state;
    write_pcap((uint32_t)MICROSECONDS, ETHERNET, rows, 1);
    struct capture *c = read_back(10000000, 1, error);
    assert_int_equal(c->filled, 1);
    assert_int_equal(c->frames[0].length, 1514);
    assert_int_equal(c->frames[0].bytes[63], 2);
    assert_int_equal(c->frames[0].bytes[64], 0);
    capture_free(c);
}

static void refuses_what_cannot_be_replayed(void **state)
{
    struct row one[] = { { 1, 0, 60, 60, 2 } };
    char error[512];
    (void)state;

    write_pcap((uint32_t)MICROSECONDS, RAW_IP, one, 1);
    assert_null(read_back(1, 1, error));
    assert_non_null(strstr(error, "link type"));

    write_pcap((uint32_t)MICROSECONDS, ETHERNET, one, 0);
    assert_null(read_back(1, 1, error));
    assert_non_null(strstr(error, "no Ethernet frame"));

    write_pcap((uint32_t)MICROSECONDS, ETHERNET, one, 1);
    assert_int_equal(truncate(path, 24 + 16 + 30), 0);
    assert_null(read_back(1, 1, error));
    assert_non_null(strstr(error, "cut short after frame 0"));

    write_pcap(0x12345678, ETHERNET, one, 1);
    assert_null(read_back(1, 1, error));
    assert_non_null(strstr(error, "no pcap"));

    assert_null(capture_read("/nonexistent/x.pcap", 1, 1, error, sizeof error));
    assert_non_null(strstr(error, "No such file"));
}

static void endpoint_is_the_most_frequent_unicast_destination(void **state)
{
    /* 0x03.. is multicast; 0x04 and 0x02 are equally frequent: the smaller wins. */
    struct row rows[] = { { 1, 0, 60, 60, 3 }, { 1, 0, 60, 60, 3 }, { 1, 0, 60, 60, 3 },
                          { 1, 0, 60, 60, 4 }, { 1, 0, 60, 60, 2 }, { 1, 0, 60, 60, 4 }, { 1, 0, 60, 60, 2 } };
    uint8_t mac[6], expected[6] = { 2, 2, 2, 2, 2, 2 };
    char error[512];
    (void)state;
    write_pcap((uint32_t)MICROSECONDS, ETHERNET, rows, 7);
    struct capture *c = read_back(1, 1, error);
    assert_true(capture_endpoint(c, mac));
    assert_memory_equal(mac, expected, 6);
    capture_free(c);
}

static void a_loopback_capture_has_the_zero_address_as_its_endpoint(void **state)
{
    struct row rows[] = { { 1, 0, 60, 60, 0 } };
    uint8_t mac[6] = { 9 }, zero[6] = { 0 };
    char error[512];
    (void)state;
    write_pcap((uint32_t)MICROSECONDS, ETHERNET, rows, 1);
    struct capture *c = read_back(1, 1, error);
    assert_true(capture_endpoint(c, mac));
    assert_memory_equal(mac, zero, 6);
    capture_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_times_of_both_precisions),
        cmocka_unit_test(repairs_times_that_jump_and_counts_it),
        cmocka_unit_test(scales_times_by_speed),
        cmocka_unit_test(fills_frames_cut_by_the_snap_length),
        cmocka_unit_test(refuses_what_cannot_be_replayed),
        cmocka_unit_test(endpoint_is_the_most_frequent_unicast_destination),
        cmocka_unit_test(a_loopback_capture_has_the_zero_address_as_its_endpoint),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
