/* A bare PF passes frames both ways. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static void
delivers_a_frame_with_its_write_back(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[256], got[4096];
    struct i82599_desc last;
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    size_t size = frame_make(frame, bench_mac, bench_peer, 0x88B5, 100);
    bench_receive(b, frame, size);
    assert_int_equal(driver_poll(b, &rx, got, &last), 0); /* memory is written by DMA, later */
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx, got, &last), size);
    assert_memory_equal(got, frame, size);
    assert_true(last.hi & I82599_RXD_EOP);
    assert_int_equal(pf_read(b, I82599_RDH(0)), 1);
    assert_int_equal(nic_received(b->nic), 1);
    assert_true(nic_idle(b->nic));
    assert_int_equal(b->errors, 0);
}

static void
spreads_a_jumbo_frame_over_descriptors(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[9014], got[16384];
    pf_set(b, I82599_HLREG0, I82599_HLREG0_JUMBOEN);
    pf_write(b, I82599_MAXFRS, 9018u << 16);
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    for (size_t size = 2044; size <= 2052; size++) { /* around one buffer */
        frame_make(frame, bench_mac, bench_peer, 0x88B5, size);
        bench_receive(b, frame, size);
    }
    frame_make(frame, bench_mac, bench_peer, 0x88B5, sizeof frame);
    bench_receive(b, frame, sizeof frame);
    bench_settle(b);
    for (size_t size = 2044; size <= 2052; size++) {
        uint8_t expected[9014];
        frame_make(expected, bench_mac, bench_peer, 0x88B5, size);
        assert_int_equal(driver_poll(b, &rx, got, NULL), size);
        assert_memory_equal(got, expected, size);
    }
    assert_int_equal(driver_poll(b, &rx, got, NULL), sizeof frame);
    assert_memory_equal(got, frame, sizeof frame);
    assert_int_equal(pf_read(b, I82599_RDH(0)), 5 + 4 * 2 + 5);
}

static void
keeps_order_through_many_ring_turns(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[1600], got[4096];
    driver_rx(b, &rx, -1, 0, 16, SRRCTL_ADVANCED);
    for (unsigned n = 0; n < 500; n++) {
        size_t size = frame_make(frame, bench_mac, bench_peer, 0x88B5, 60 + n % 1400);
        memcpy(frame + 20, &n, 4);
        bench_receive(b, frame, size);
        if (n % 8 == 7) {
            bench_settle(b);
            for (unsigned i = n - 7; i <= n; i++) {
                unsigned seen;
                assert_int_equal(driver_poll(b, &rx, got, NULL), 60 + i % 1400);
                memcpy(&seen, got + 20, 4);
                assert_int_equal(seen, i);
            }
            driver_rx_give(b, &rx, 8);
        }
    }
    assert_int_equal(b->errors, 0);
}

static void
blocks_without_descriptors_and_goes_on_at_the_tail_write(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[64], got[4096];
    driver_rx(b, &rx, -1, 0, 8, SRRCTL_ADVANCED);
    for (unsigned n = 0; n < 10; n++) {
        frame_make(frame, bench_mac, bench_peer, 0x88B5, 60);
        bench_receive(b, frame, 60);
    }
    bench_settle(b);
    assert_int_equal(nic_received(b->nic), 7);
    assert_false(nic_idle(b->nic));
    for (unsigned n = 0; n < 7; n++) {
        assert_int_equal(driver_poll(b, &rx, got, NULL), 60);
    }
    driver_rx_give(b, &rx, 7);
    bench_settle(b);
    assert_int_equal(nic_received(b->nic), 10);
    assert_true(nic_idle(b->nic));
}

static void
drops_without_descriptors_when_told_to(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[64];
    driver_rx(b, &rx, -1, 0, 8, SRRCTL_DROP);
    for (unsigned n = 0; n < 10; n++) {
        frame_make(frame, bench_mac, bench_peer, 0x88B5, 60);
        bench_receive(b, frame, 60);
    }
    bench_settle(b);
    assert_int_equal(nic_received(b->nic), 7);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_NO_DESCRIPTOR), 3);
    assert_int_equal(pf_read(b, I82599_QPRDC(0)), 3);
    assert_int_equal(pf_read(b, I82599_QPRDC(0)), 0); /* reading clears */
    assert_true(nic_idle(b->nic));
}

static void
writes_legacy_descriptors(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[64];
    driver_rx(b, &rx, -1, 0, 8, 2);
    frame_make(frame, bench_mac, bench_peer, 0x88B5, 60);
    bench_receive(b, frame, 60);
    bench_settle(b);
    struct i82599_desc d = driver_desc(b, &rx, 0);
    assert_true(d.lo == rx.buffers);
    assert_int_equal(d.hi & 0xFFFF, 60);
    assert_true((d.hi & (I82599_RXD_LEGACY_DD | I82599_RXD_LEGACY_EOP)) == (I82599_RXD_LEGACY_DD | I82599_RXD_LEGACY_EOP));
}

static void
strips_or_keeps_tag_and_fcs(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[128], got[4096];
    struct i82599_desc last;
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    size_t plain = frame_make(frame, bench_mac, bench_peer, 0x88B5, 80);
    uint8_t original[128];
    memcpy(original, frame, plain);
    size_t size = frame_tag(frame, plain, 0x6123);
    bench_receive(b, frame, size);
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx, got, &last), size); /* kept */
    assert_false(last.hi & I82599_RXD_VP);
    pf_set(b, I82599_RXDCTL(0), I82599_RXDCTL_VME);
    bench_receive(b, frame, size);
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx, got, &last), plain);
    assert_memory_equal(got, original, plain);
    assert_true(last.hi & I82599_RXD_VP);
    assert_int_equal(last.hi >> I82599_RXD_VLAN_SHIFT, 0x6123);
    pf_write(b, I82599_HLREG0, pf_read(b, I82599_HLREG0) & ~I82599_HLREG0_RXCRCSTRP);
    static const uint8_t check[] = { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
    memset(frame, 0, 60);
    memcpy(frame, check, 6);
    bench_receive(b, frame, 60);
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx, got, &last), 64);
    /* CRC-32 of six FF and 54 zero bytes, from an independent implementation (zlib). */
    assert_int_equal(got[60] | got[61] << 8 | got[62] << 16 | (uint32_t)got[63] << 24, 0x42C0941F);
}

static void
sends_frames_in_order_and_reports_them(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[1600];
    driver_tx(b, &tx, -1, 0, 64);
    uint64_t began = b->machine.now;
    for (unsigned n = 0; n < 40; n++) {
        driver_send(b, &tx, frame, frame_make(frame, bench_peer, bench_mac, 0x88B5, 60 + 30 * n), 0);
    }
    bench_settle(b);
    assert_int_equal(b->sent_count, 40);
    uint64_t wire = 0;
    for (unsigned n = 0; n < 40; n++) {
        uint8_t expected[1600];
        assert_int_equal(b->sent[n].size, frame_make(expected, bench_peer, bench_mac, 0x88B5, 60 + 30 * n));
        assert_memory_equal(b->sent[n].bytes, expected, b->sent[n].size);
        assert_true(driver_desc(b, &tx, n).hi & I82599_TXD_DD);
        wire += (60 + 30 * n + 24) * 8 * 21 / 100;
    }
    assert_true(b->sent[39].now - began >= wire); /* no faster than the wire */
    assert_true(b->sent[39].now - began < wire + 10000); /* and nearly as fast: reads overlap */
    assert_int_equal(pf_read(b, I82599_TDH(0)), 40);
    assert_int_equal(nic_transmitted(b->nic), 40);
    assert_int_equal(pf_read(b, I82599_GPTC), 40);
}

static void
pads_short_frames(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[64];
    driver_tx(b, &tx, -1, 0, 64);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, bench_mac, 0x88B5, 30), 0);
    bench_settle(b);
    assert_int_equal(b->sent[0].size, 60);
    assert_memory_equal(b->sent[0].bytes, frame, 30);
    for (unsigned i = 30; i < 60; i++) {
        assert_int_equal(b->sent[0].bytes[i], 0);
    }
}

static void
serves_queues_in_turn(void **state)
{
    struct bench *b = *state;
    struct ring tx[3];
    uint8_t frame[64];
    for (unsigned q = 0; q < 3; q++) {
        driver_tx(b, &tx[q], -1, q * 50, 64);
        for (unsigned n = 0; n < 40; n++) {
            frame_make(frame, bench_peer, bench_mac, (uint16_t)(0x9000 + q), 60);
            memcpy(bench_ram(b, tx[q].buffers + n * BUFFER_SIZE), frame, 60);
            driver_post(b, &tx[q], tx[q].buffers + n * BUFFER_SIZE,
                        60 | I82599_TXD_DTYP_DATA | I82599_TXD_DEXT | I82599_TXD_EOP | I82599_TXD_RS);
        }
    }
    for (unsigned q = 0; q < 3; q++) {
        driver_ring_bell(b, &tx[q]);
    }
    bench_settle(b);
    assert_int_equal(b->sent_count, 120);
    unsigned last[3] = { 0 };
    for (unsigned i = 0; i < 120; i++) {
        last[b->sent[i].bytes[13]] = i;
    }
    for (unsigned q = 0; q < 3; q++) {
        assert_true(last[q] >= 80); /* nobody was served to the end first */
    }
}

static void
writes_the_head_back_instead(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[64];
    uint64_t where = bench_alloc(b, 64);
    driver_tx(b, &tx, -1, 0, 64);
    pf_write(b, I82599_TDWBAL(0), (uint32_t)where | I82599_TDWBAL_HEAD_WB);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, bench_mac, 0x88B5, 60), 0);
    driver_send(b, &tx, frame, 60, 0);
    bench_settle(b);
    assert_int_equal(*bench_ram(b, where), 2);
    assert_false(driver_desc(b, &tx, 0).hi & I82599_TXD_DD);
}

static void
counts_every_frame_once(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[2048];
    static const uint8_t other[6] = { 0x02, 9, 9, 9, 9, 9 }, all[6] = { 255, 255, 255, 255, 255, 255 };
    static const uint8_t pause_address[6] = { 0x01, 0x80, 0xC2, 0, 0, 1 };
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 60));
    bench_receive(b, frame, frame_make(frame, all, bench_peer, 0x88B5, 60));
    bench_receive(b, frame, frame_make(frame, other, bench_peer, 0x88B5, 60));
    bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 1515));
    bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 59));
    bench_receive(b, frame, frame_make(frame, pause_address, bench_peer, 0x8808, 60));
    bench_receive(b, frame, 0);
    bench_settle(b);
    assert_int_equal(nic_received(b->nic), 2);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_FILTER_MAC), 1);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_OVERSIZE), 1);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_UNDERSIZE), 2);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_MAC_CONTROL), 1);
    pf_write(b, I82599_RXCTRL, 0);
    bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 60));
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_LINK_DOWN), 1);
    assert_int_equal(pf_read(b, I82599_ROC), 1);
    assert_int_equal(pf_read(b, I82599_RUC), 2);
}

static void
frames_in_the_buffer_at_reset_are_dropped_by_name(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[64];
    driver_rx(b, &rx, -1, 0, 8, SRRCTL_ADVANCED);
    for (unsigned n = 0; n < 12; n++) {
        bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 60));
    }
    bench_settle(b);
    pf_set(b, I82599_CTRL, I82599_CTRL_RST);
    assert_int_equal(nic_received(b->nic), 7);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_RESET), 5);
    assert_true(nic_idle(b->nic));
}

static void
refused_dma_stops_its_queue_only(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[64];
    driver_rx(b, &rx, -1, 0, 16, SRRCTL_ADVANCED);
    b->refused_from = rx.buffers + 2 * BUFFER_SIZE;
    b->refused_to = rx.buffers + 3 * BUFFER_SIZE;
    for (unsigned n = 0; n < 6; n++) {
        bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 60));
        bench_settle(b);
    }
    assert_int_equal(nic_received(b->nic), 2);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_DMA_FAULT), 4);
    assert_int_equal(b->refusals, 1); /* the queue does not try again */
    assert_true(nic_idle(b->nic));
}

/* The driver's own loopback test: MAC transmitter to receiver, link down or not. */
static void
mac_loopback_returns_every_frame(void **state)
{
    struct bench *b = *state;
    struct ring rx, tx;
    uint8_t frame[1024], got[4096];
    static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
    pf_set(b, I82599_HLREG0, I82599_HLREG0_LPBK);
    pf_write(b, I82599_FCTRL, I82599_FCTRL_BAM | I82599_FCTRL_SBP | I82599_FCTRL_MPE);
    pf_set(b, I82599_AUTOC, I82599_AUTOC_FLU | I82599_AUTOC_AN_RESTART);
    driver_rx(b, &rx, -1, 0, 128, SRRCTL_ADVANCED);
    driver_tx(b, &tx, -1, 0, 128);
    for (unsigned n = 0; n < 64; n++) {
        driver_send(b, &tx, frame, frame_make(frame, all, bench_mac, 0x88B5, sizeof frame), 0);
    }
    bench_run(b, 200000);
    for (unsigned n = 0; n < 64; n++) {
        assert_true(driver_desc(b, &tx, n).hi & I82599_TXD_DD);
        assert_int_equal(driver_poll(b, &rx, got, NULL), sizeof frame);
        assert_memory_equal(got, frame, sizeof frame);
    }
    assert_int_equal(b->sent_count, 0);
    assert_int_equal(nic_received(b->nic) + nic_transmitted(b->nic), 0); /* nothing was on the wire */
    bench_settle(b);
}

static void
a_peer_that_answers_at_once_confuses_nothing(void **state)
{
    struct bench *b = *state;
    struct ring rx, tx;
    uint8_t frame[256], got[4096];
    b->is_echo = true;
    driver_rx(b, &rx, -1, 0, 128, SRRCTL_ADVANCED);
    driver_tx(b, &tx, -1, 0, 128);
    for (unsigned n = 0; n < 50; n++) {
        driver_send(b, &tx, frame, frame_make(frame, bench_mac, bench_mac, 0x88B5, 60 + n), 0);
    }
    bench_settle(b);
    assert_int_equal(b->sent_count, 50);
    for (unsigned n = 0; n < 50; n++) {
        frame_make(frame, bench_mac, bench_mac, 0x88B5, 60 + n);
        assert_int_equal(driver_poll(b, &rx, got, NULL), 60 + n);
        assert_memory_equal(got, frame, 60 + n);
    }
}

static void
a_ring_that_vanishes_under_cached_packets_stops_its_queue(void **state)
{
    struct bench *b = *state;
    struct ring tx, other;
    static uint8_t frame[1514];
    static const uint8_t pause_address[6] = { 0x01, 0x80, 0xC2, 0, 0, 1 };
    driver_tx(b, &tx, -1, 0, 512);
    driver_tx(b, &other, -1, 1, 8);
    pf_write(b, I82599_MFLCN, I82599_MFLCN_RFCE);
    frame_make(frame, pause_address, bench_peer, 0x8808, 60);
    memcpy(frame + 14, (const uint8_t[]){ 0, 1, 0xFF, 0xFF }, 4);
    bench_receive(b, frame, 60);
    for (unsigned n = 0; n < 300; n++) { /* more than packet buffer and jobs hold */
        driver_send(b, &tx, frame, frame_make(frame, bench_peer, bench_mac, 0x88B5, sizeof frame), 0);
    }
    bench_run(b, 1000000);
    assert_int_equal(b->sent_count, 0);
    pf_write(b, I82599_TDLEN(0), 0);
    bench_settle(b);
    assert_true(b->sent_count > 90 && b->sent_count < 300);
    driver_send(b, &other, frame, 60, 0);
    bench_settle(b);
    assert_int_equal(b->sent[b->sent_count - 1].size, 60);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, driver_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(delivers_a_frame_with_its_write_back), CASE(spreads_a_jumbo_frame_over_descriptors),
        CASE(keeps_order_through_many_ring_turns), CASE(blocks_without_descriptors_and_goes_on_at_the_tail_write),
        CASE(drops_without_descriptors_when_told_to), CASE(writes_legacy_descriptors),
        CASE(strips_or_keeps_tag_and_fcs), CASE(sends_frames_in_order_and_reports_them), CASE(pads_short_frames),
        CASE(serves_queues_in_turn), CASE(writes_the_head_back_instead), CASE(counts_every_frame_once),
        CASE(frames_in_the_buffer_at_reset_are_dropped_by_name), CASE(refused_dma_stops_its_queue_only), CASE(mac_loopback_returns_every_frame),
        CASE(a_peer_that_answers_at_once_confuses_nothing),
        CASE(a_ring_that_vanishes_under_cached_packets_stops_its_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
