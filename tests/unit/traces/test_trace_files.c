/* pcapng and CTF out: what we write, our reader and libpcap read back. */
#include "tests/unit/test.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/base/state.h"
#include "traces/pcapng.h"
#include "traces/trace_ctf.h"

static void pcapng_is_read_back_by_libpcap(void **state)
{
    char error[512], pcap_error[PCAP_ERRBUF_SIZE];
    uint8_t frame[61];
    struct pcap_pkthdr *header;
    const u_char *bytes;
    (void)state;
    memset(frame, 0x5a, sizeof frame);
    struct pcapng *out = pcapng_open("test_out.pcapng", "wire", error, sizeof error);
    assert_non_null(out);
    pcapng_write(out, 1234567890123456789u, PCAPNG_INBOUND, frame, sizeof frame);
    pcapng_write(out, 1234567890123456790u, PCAPNG_OUTBOUND, frame, 60);
    assert_int_equal(access("test_out.pcapng", F_OK), -1); /* not before it is whole */
    assert_true(pcapng_close(out, error, sizeof error));

    pcap_t *in = pcap_open_offline_with_tstamp_precision("test_out.pcapng", PCAP_TSTAMP_PRECISION_NANO, pcap_error);
    assert_non_null(in);
    assert_int_equal(pcap_next_ex(in, &header, &bytes), 1);
    assert_int_equal(header->caplen, 61);
    assert_int_equal(header->ts.tv_sec, 1234567890);
    assert_int_equal(header->ts.tv_usec, 123456789);
    assert_memory_equal(bytes, frame, 61);
    assert_int_equal(pcap_next_ex(in, &header, &bytes), 1);
    assert_int_equal(pcap_next_ex(in, &header, &bytes), PCAP_ERROR_BREAK);
    pcap_close(in);
    unlink("test_out.pcapng");
}

static void a_full_disk_leaves_nothing_under_the_final_name(void **state)
{
    char error[512] = "";
    uint8_t frame[1514] = { 0 };
    (void)state;
    if (access("/dev/full", W_OK))
        skip();
    unlink("test_full.pcapng");
    assert_int_equal(symlink("/dev/full", "test_full.pcapng.part"), 0);
    struct pcapng *out = pcapng_open("test_full.pcapng", "wire", error, sizeof error);
    assert_non_null(out);
    for (int i = 0; i < 1000; i++)
        pcapng_write(out, (uint64_t)i, PCAPNG_INBOUND, frame, sizeof frame);
    assert_false(pcapng_close(out, error, sizeof error));
    assert_non_null(strstr(error, "No space left"));
    assert_int_equal(access("test_full.pcapng", F_OK), -1);
    unlink("test_full.pcapng.part");
}

/* Two frames, a snapshot behind the first, the file committed as an interrupt does. */
static void write_and_snapshot(const char *path, uint8_t **snapshot, size_t *size)
{
    char error[512];
    uint8_t frame[60] = { 1 };
    struct pcapng *out = pcapng_open(path, "wire", error, sizeof error);
    assert_non_null(out);
    pcapng_write(out, 1, PCAPNG_INBOUND, frame, sizeof frame);
    struct state *s = state_new_save();
    pcapng_state(out, s);
    state_save_end(s, snapshot, size);
    pcapng_write(out, 2, PCAPNG_INBOUND, frame, sizeof frame); /* to be forgotten: the snapshot does not know it */
    assert_true(pcapng_close(out, error, sizeof error));
}

static char *resume(struct pcapng *out, const uint8_t *snapshot, size_t size)
{
    struct state *s = state_new_load(snapshot, size);
    pcapng_state(out, s);
    return state_load_end(s);
}

static void a_resumed_capture_has_what_was_before_the_snapshot(void **state)
{
    char error[512], pcap_error[PCAP_ERRBUF_SIZE];
    uint8_t frame[60] = { 1 }, *snapshot;
    struct pcap_pkthdr *header;
    const u_char *bytes;
    size_t size;
    (void)state;
    write_and_snapshot("test_resumed.pcapng", &snapshot, &size);
    struct pcapng *out = pcapng_open("test_resumed.pcapng", "wire", error, sizeof error);
    assert_non_null(out);
    assert_null(resume(out, snapshot, size));
    pcapng_write(out, 3, PCAPNG_INBOUND, frame, sizeof frame);
    assert_true(pcapng_close(out, error, sizeof error));
    free(snapshot);

    pcap_t *in = pcap_open_offline_with_tstamp_precision("test_resumed.pcapng", PCAP_TSTAMP_PRECISION_NANO, pcap_error);
    assert_non_null(in);
    for (int at = 1; at <= 3; at += 2) {
        assert_int_equal(pcap_next_ex(in, &header, &bytes), 1);
        assert_int_equal(header->ts.tv_usec, at);
    }
    assert_int_equal(pcap_next_ex(in, &header, &bytes), PCAP_ERROR_BREAK);
    pcap_close(in);
    unlink("test_resumed.pcapng");
}

static void a_capture_that_is_gone_or_shortened_is_named(void **state)
{
    static const struct { bool gone; const char *says; } rows[] = { { true, "No such file" }, { false, "shorter than it was" } };
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char error[512];
        uint8_t *snapshot;
        size_t size;
        write_and_snapshot("test_gone.pcapng", &snapshot, &size);
        assert_int_equal(rows[i].gone ? unlink("test_gone.pcapng") : truncate("test_gone.pcapng", 100), 0);
        struct pcapng *out = pcapng_open("test_gone.pcapng", "wire", error, sizeof error);
        assert_non_null(out);
        char *complaint = resume(out, snapshot, size);
        assert_non_null(complaint);
        assert_non_null(strstr(complaint, "cannot go on with test_gone.pcapng"));
        assert_non_null(strstr(complaint, rows[i].says));
        free(complaint);
        free(snapshot);
        assert_true(pcapng_close(out, error, sizeof error));
        unlink("test_gone.pcapng");
    }
}

struct seen { unsigned count; struct trace_record last; };

static void note(void *ctx, const struct trace_record *r)
{
    struct seen *s = ctx;
    s->count++;
    s->last = *r;
}

static void ctf_is_read_back_over_many_packets(void **state)
{
    enum { EVENTS = 10000 };
    char error[512];
    struct seen seen = { 0 };
    (void)state;
    struct trace *t = trace_ctf_open("test_trace", NULL, NULL, error, sizeof error);
    assert_non_null(t);
    for (uint64_t i = 0; i < EVENTS; i++)
        trace_write(t, i * 10, TRACE_NIC_RX, i, 1, 2, 0xabcd0000 + i);
    assert_true(trace_ctf_close(t, error, sizeof error));
    assert_true(trace_ctf_read("test_trace", note, &seen, error, sizeof error));
    assert_int_equal(seen.count, EVENTS);
    assert_int_equal(seen.last.event, TRACE_NIC_RX);
    assert_int_equal(seen.last.cycle, (EVENTS - 1) * 10);
    assert_int_equal(seen.last.arg[3], 0xabcd0000 + EVENTS - 1);
}

static void a_damaged_trace_is_refused(void **state)
{
    char error[512] = "";
    struct seen seen = { 0 };
    (void)state;
    FILE *f = fopen("test_trace/events", "r+b");
    assert_non_null(f);
    fputc('x', f);
    fclose(f);
    assert_false(trace_ctf_read("test_trace", note, &seen, error, sizeof error));
    assert_non_null(strstr(error, "damaged"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pcapng_is_read_back_by_libpcap),
        cmocka_unit_test(a_full_disk_leaves_nothing_under_the_final_name),
        cmocka_unit_test(a_resumed_capture_has_what_was_before_the_snapshot),
        cmocka_unit_test(a_capture_that_is_gone_or_shortened_is_named),
        cmocka_unit_test(ctf_is_read_back_over_many_packets),
        cmocka_unit_test(a_damaged_trace_is_refused),
    };
    return cmocka_run_group_tests_name("trace_files", tests, NULL, NULL);
}
