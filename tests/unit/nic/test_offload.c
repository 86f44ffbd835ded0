/* RSS hash, receive checksum status, transmit checksum and segmentation. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static struct i82599_desc
receive_one(struct bench *b, struct ring *rx, const uint8_t *frame, size_t size)
{
    uint8_t got[4096];
    struct i82599_desc last = { 0, 0 };
    bench_receive(b, frame, size);
    bench_settle(b);
    assert_int_equal(driver_poll(b, rx, got, &last), size);
    driver_rx_give(b, rx, 1);
    return last;
}

/* Microsoft's "Verifying the RSS Hash Calculation" vectors. */
static void
hash_agrees_with_published_vectors(void **state)
{
    struct bench *b = *state;
    static const uint8_t key[40] = {
        0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
        0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa };
    static const struct { uint8_t addresses[8]; uint16_t sport, dport; uint32_t ip, tcp; } rows[] = {
        { { 66, 9, 149, 187, 161, 142, 100, 80 }, 2794, 1766, 0x323e8fc2, 0x51ccc178 },
        { { 199, 92, 111, 2, 65, 69, 140, 83 }, 14230, 4739, 0xd718262a, 0xc626b0ea },
        { { 24, 19, 198, 95, 12, 22, 207, 184 }, 12898, 38024, 0xd2d0a5de, 0x5c2b394a },
        { { 38, 27, 205, 30, 209, 142, 163, 6 }, 48228, 2217, 0x82989176, 0xafc7327f },
        { { 153, 39, 163, 191, 202, 188, 127, 2 }, 44251, 1303, 0x5d1809c5, 0x10e828a2 },
    };
    struct ring rx;
    uint8_t frame[256];
    for (unsigned i = 0; i < 40; i += 4) {
        pf_write(b, I82599_RSSRK(i / 4), key[i] | key[i + 1] << 8 | key[i + 2] << 16 | (uint32_t)key[i + 3] << 24);
    }
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = frame_ipv4(frame, bench_mac, 6, rows[i].sport, rows[i].dport, 40);
        memcpy(frame + 26, rows[i].addresses, 8);
        pf_write(b, I82599_MRQC, 1 | I82599_MRQC_RSS_TCPIPV4 | I82599_MRQC_RSS_IPV4);
        struct i82599_desc d = receive_one(b, &rx, frame, size);
        assert_int_equal(d.lo >> 32, rows[i].tcp);
        assert_int_equal(d.lo & 0xF, I82599_RSS_TCP_IPV4);
        pf_write(b, I82599_MRQC, 1 | I82599_MRQC_RSS_IPV4);
        d = receive_one(b, &rx, frame, size);
        assert_int_equal(d.lo >> 32, rows[i].ip);
        assert_int_equal(d.lo & 0xF, I82599_RSS_IPV4);
    }
}

#define SUMS (I82599_RXD_IPCS | I82599_RXD_L4CS | I82599_RXD_IPE | I82599_RXD_TCPE)

static void
tells_good_checksums_from_bad(void **state)
{
    struct bench *b = *state;
    static const struct { uint8_t protocol; int damaged; uint64_t expected; } rows[] = {
        { 6, -1, I82599_RXD_IPCS | I82599_RXD_L4CS }, { 17, -1, I82599_RXD_IPCS | I82599_RXD_L4CS },
        { 6, 22, I82599_RXD_IPCS | I82599_RXD_L4CS | I82599_RXD_IPE }, /* TTL */
        { 6, 70, I82599_RXD_IPCS | I82599_RXD_L4CS | I82599_RXD_TCPE },
        { 17, 60, I82599_RXD_IPCS | I82599_RXD_L4CS | I82599_RXD_TCPE },
        { 1, -1, I82599_RXD_IPCS },
    };
    struct ring rx;
    uint8_t frame[256];
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = frame_ipv4(frame, bench_mac, rows[i].protocol, 1000, 2000, 61);
        if (rows[i].damaged >= 0) {
            frame[rows[i].damaged] ^= 0x10;
        }
        assert_true((receive_one(b, &rx, frame, size).hi & SUMS) == rows[i].expected);
    }
    size_t size = frame_ipv4(frame, bench_mac, 17, 1000, 2000, 61);
    frame[40] = frame[41] = 0; /* UDP without a checksum */
    assert_true((receive_one(b, &rx, frame, size).hi & SUMS) == I82599_RXD_IPCS);
    frame[20] = 0x20; /* a fragment: neither type nor checksum of the transport */
    struct i82599_desc d = receive_one(b, &rx, frame, size);
    assert_true((d.hi & SUMS & ~I82599_RXD_IPE) == I82599_RXD_IPCS);
    assert_false(d.lo & I82599_RXD_PTYPE_UDP);
    frame[16] = 0xFF; /* IP says more than there is */
    assert_true((receive_one(b, &rx, frame, size).hi & SUMS) == 0);
}

static void
post_context(struct bench *b, struct ring *tx, unsigned l4t, unsigned l4len, unsigned mss, unsigned vlan)
{
    driver_post(b, tx, 20 | 14u << I82599_TXC_MACLEN_SHIFT | (uint64_t)vlan << I82599_TXC_VLAN_SHIFT,
                I82599_TXD_DEXT | I82599_TXD_DTYP_CONTEXT | I82599_TXC_IPV4 | (uint64_t)l4t << I82599_TXC_L4T_SHIFT |
                    (uint64_t)l4len << I82599_TXC_L4LEN_SHIFT | (uint64_t)mss << I82599_TXC_MSS_SHIFT);
}

/* As a stack hands it over: no IP checksum, pseudo header sum in the transport's. */
static size_t
prepare(uint8_t *frame, uint8_t protocol, size_t payload, bool has_length)
{
    size_t size = frame_ipv4(frame, bench_peer, protocol, 1000, 2000, payload), l4 = protocol == 6 ? 20 : 8;
    uint16_t pseudo = reference_sum(frame + 26, 8, (uint32_t)(protocol + (has_length ? l4 + payload : 0)));
    uint8_t *sum = frame + 34 + (protocol == 6 ? 16 : 6);
    sum[0] = (uint8_t)(pseudo >> 8);
    sum[1] = (uint8_t)pseudo;
    frame[24] = frame[25] = 0;
    return size;
}

static void
inserts_checksums(void **state)
{
    struct bench *b = *state;
    static const struct { uint8_t protocol; unsigned l4t; size_t payload; } rows[] = {
        { 6, I82599_L4T_TCP, 100 }, { 17, I82599_L4T_UDP, 101 }, { 6, I82599_L4T_TCP, 1400 }, { 17, I82599_L4T_UDP, 1 },
    };
    struct ring tx;
    uint8_t frame[2048], expected[2048];
    driver_tx(b, &tx, -1, 0, 64);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = prepare(frame, rows[i].protocol, rows[i].payload, true);
        frame_ipv4(expected, bench_peer, rows[i].protocol, 1000, 2000, rows[i].payload);
        post_context(b, &tx, rows[i].l4t, 0, 0, 0);
        driver_send(b, &tx, frame, size, I82599_TXD_IXSM | I82599_TXD_TXSM);
        bench_settle(b);
        assert_memory_equal(b->sent[i].bytes, expected, size);
    }
}

static unsigned
be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static void
segments_tcp(void **state)
{
    struct bench *b = *state;
    enum { PAYLOAD = 5000, MSS = 1448, HEADER = 54 };
    struct ring tx;
    static uint8_t frame[8192];
    driver_tx(b, &tx, -1, 0, 64);
    size_t size = prepare(frame, 6, PAYLOAD, false);
    frame[47] = 0x19; /* FIN PSH ACK */
    frame[38] = frame[39] = frame[40] = 0xFF; /* sequence wraps */
    frame[41] = 0;
    post_context(b, &tx, I82599_L4T_TCP, 20, MSS, 0);
    driver_send(b, &tx, frame, size, I82599_TXD_TSE | I82599_TXD_IXSM | I82599_TXD_TXSM | (uint64_t)PAYLOAD << I82599_TXD_PAYLEN_SHIFT);
    bench_settle(b);
    assert_int_equal(b->sent_count, 4);
    for (unsigned i = 0, done = 0; i < 4; i++) {
        const uint8_t *f = b->sent[i].bytes;
        unsigned n = PAYLOAD - done < MSS ? PAYLOAD - done : MSS;
        assert_int_equal(b->sent[i].size, HEADER + n);
        assert_memory_equal(f + HEADER, frame + HEADER + done, n);
        assert_int_equal(be16(f + 16), 40 + n);
        assert_int_equal(be16(f + 18), 0x1234 + i);
        assert_int_equal(be16(f + 38) << 16 | be16(f + 40), 0xFFFFFF00u + done);
        assert_int_equal(f[47], i == 3 ? 0x19 : 0x10);
        assert_int_equal(reference_sum(f + 14, 20, 0), 0xFFFF);
        assert_int_equal(reference_sum(f + 34, 20 + n, reference_sum(f + 26, 8, 6 + 20 + n)), 0xFFFF);
        done += n;
    }
}

static void
inserts_tags_from_context_and_port(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[128];
    driver_tx(b, &tx, -1, 0, 64);
    size_t size = frame_make(frame, bench_peer, bench_mac, 0x88B5, 80);
    post_context(b, &tx, 0, 0, 0, 0x2064);
    driver_send(b, &tx, frame, size, I82599_TXD_VLE);
    bench_settle(b);
    assert_int_equal(b->sent[0].size, 84);
    assert_int_equal(be16(b->sent[0].bytes + 12), 0x8100);
    assert_int_equal(be16(b->sent[0].bytes + 14), 0x2064);
    assert_memory_equal(b->sent[0].bytes + 16, frame + 12, size - 12);
    pf_write(b, I82599_VMVIR(0), 1u << 30 | 0x0007); /* the port's tag, always */
    driver_send(b, &tx, frame, size, 0);
    driver_send(b, &tx, frame, size, I82599_TXD_VLE); /* not allowed to bring its own */
    bench_settle(b);
    assert_int_equal(b->sent_count, 2);
    assert_int_equal(be16(b->sent[1].bytes + 14), 7);
    assert_true(driver_desc(b, &tx, tx.tail - 1).hi & I82599_TXD_DD);
}

/* Each row breaks one rule; the packet is dropped, reported done, and the next one leaves. */
static void
drops_offloads_that_do_not_fit(void **state)
{
    struct bench *b = *state;
    static const struct { unsigned l4t, l4len, mss; uint64_t flags; uint64_t paylen; size_t size; } rows[] = {
        { I82599_L4T_TCP, 20, 0, I82599_TXD_TSE, 246, 300 },      /* no MSS */
        { I82599_L4T_TCP, 20, 1000, I82599_TXD_TSE, 245, 300 },   /* PAYLEN is not the payload */
        { I82599_L4T_TCP, 19, 1000, I82599_TXD_TSE, 247, 300 },   /* no TCP header */
        { I82599_L4T_TCP, 255, 1000, I82599_TXD_TSE, 0, 280 },    /* headers beyond the end */
        { I82599_L4T_SCTP, 12, 1000, I82599_TXD_TSE, 254, 300 },  /* not segmentable */
        { I82599_L4T_TCP, 20, 16000, I82599_TXD_TSE, 246, 300 },  /* longer than any frame */
        { I82599_L4T_RSV, 20, 0, I82599_TXD_TXSM, 0, 300 },
        { I82599_L4T_TCP, 20, 0, I82599_TXD_TXSM, 0, 50 },        /* headers beyond the end */
        { I82599_L4T_TCP, 0, 0, 0, 0, 14 },                       /* no frame */
    };
    struct ring tx;
    uint8_t frame[512];
    driver_tx(b, &tx, -1, 0, 64);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t errors = b->errors;
        frame_make(frame, bench_peer, bench_mac, 0x88B5, 300);
        post_context(b, &tx, rows[i].l4t, rows[i].l4len, rows[i].mss, 0);
        driver_send(b, &tx, frame, rows[i].size, rows[i].flags | rows[i].paylen << I82599_TXD_PAYLEN_SHIFT);
        driver_send(b, &tx, frame, 300, 0);
        bench_settle(b);
        assert_int_equal(b->sent_count, i + 1);
        assert_int_equal(b->errors, errors + 1);
        assert_true(driver_desc(b, &tx, tx.tail - 2).hi & I82599_TXD_DD);
    }
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, driver_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(hash_agrees_with_published_vectors), CASE(tells_good_checksums_from_bad), CASE(inserts_checksums),
        CASE(segments_tcp), CASE(inserts_tags_from_context_and_port), CASE(drops_offloads_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
