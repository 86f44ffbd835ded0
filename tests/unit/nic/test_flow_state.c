/* Pause both ways, and the card's state: saved, loaded, hashed. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"

static void
receive_big(struct bench *b)
{
    uint8_t frame[1514];
    bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, sizeof frame));
}

static void
full_buffer_asks_the_peer_to_stop_and_go_on(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    driver_rx(b, &rx, -1, 0, 16, SRRCTL_ADVANCED);
    pf_write(b, I82599_FCTTV(0), 0xFFFF1000);
    pf_write(b, I82599_FCRTL(0), 0x2000 | I82599_FCRTL_XONE);
    pf_write(b, I82599_FCRTH(0), 0x8000 | I82599_FCRTH_FCEN);
    for (unsigned n = 0; n < 15 + 21; n++) {
        receive_big(b);
        bench_run(b, 3000);
    }
    assert_int_equal(b->pause_count, 0); /* still off in FCCFG */
    pf_write(b, I82599_FCCFG, I82599_FCCFG_TFCE_8023X);
    receive_big(b);
    bench_run(b, 3000);
    assert_int_equal(b->pause_count, 1);
    assert_int_equal(b->pause[0].quanta, 0x1000);
    driver_rx_give(b, &rx, 10);
    bench_run(b, 100000);
    assert_int_equal(b->pause_count, 1); /* between the marks */
    driver_rx_give(b, &rx, 10);
    bench_run(b, 100000);
    assert_int_equal(b->pause_count, 2);
    assert_int_equal(b->pause[1].quanta, 0);
    assert_int_equal(pf_read(b, I82599_LXOFFTXC), 1);
    assert_int_equal(pf_read(b, I82599_LXONTXC), 1);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_NO_BUFFER), 0);
    driver_rx_give(b, &rx, 15);
    bench_settle(b);
}

static void
pause_is_refreshed_while_it_lasts(void **state)
{
    struct bench *b = *state;
    enum { REFRESH = 0x100 };
    struct ring rx;
    driver_rx(b, &rx, -1, 0, 8, SRRCTL_ADVANCED);
    pf_write(b, I82599_FCTTV(0), 0x200);
    pf_write(b, I82599_FCRTV, REFRESH);
    pf_write(b, I82599_FCRTH(0), 0x4000 | I82599_FCRTH_FCEN);
    pf_write(b, I82599_FCCFG, I82599_FCCFG_TFCE_8023X);
    for (unsigned n = 0; n < 7 + 12; n++) {
        receive_big(b);
    }
    uint64_t period = machine_ns_to_cycles(REFRESH * 512 / 10);
    bench_run(b, 5 * period + period / 2);
    assert_in_range(b->pause_count, 5, 7);
    driver_rx_give(b, &rx, 7);
    bench_run(b, period);
    driver_rx_give(b, &rx, 7);
    bench_run(b, period);
    unsigned count = b->pause_count;
    bench_run(b, 20 * period);
    assert_int_equal(b->pause_count, count);
}

static void
received_pause_stops_the_transmitter(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[64] = { 0 };
    static const uint8_t pause_address[6] = { 0x01, 0x80, 0xC2, 0, 0, 1 };
    enum { QUANTA = 1000 };
    uint64_t pause = machine_ns_to_cycles(QUANTA * 512 / 10);
    driver_tx(b, &tx, -1, 0, 64);
    frame_make(frame, pause_address, bench_peer, 0x8808, 60);
    memcpy(frame + 14, (const uint8_t[]){ 0, 1, QUANTA >> 8, QUANTA & 0xFF }, 4);
    bench_receive(b, frame, 60); /* RFCE is off: nothing happens */
    uint8_t data[64];
    driver_send(b, &tx, data, frame_make(data, bench_peer, bench_mac, 0x88B5, 60), 0);
    bench_run(b, pause / 2);
    assert_int_equal(b->sent_count, 1);
    pf_write(b, I82599_MFLCN, I82599_MFLCN_RFCE);
    uint64_t began = b->machine.now;
    bench_receive(b, frame, 60);
    driver_send(b, &tx, data, 60, 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 2);
    assert_true(b->sent[1].now - began >= pause && b->sent[1].now - began < pause + 10000);
    bench_receive(b, frame, 60);
    frame[16] = frame[17] = 0; /* go on */
    driver_send(b, &tx, data, 60, 0);
    bench_run(b, pause / 2);
    assert_int_equal(b->sent_count, 2);
    bench_receive(b, frame, 60);
    bench_run(b, 10000);
    assert_int_equal(b->sent_count, 3);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_MAC_CONTROL), 4);
    bench_settle(b);
}

static void
lossless_with_flow_control_under_overload(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t got[2048];
    unsigned offered = 0, delivered = 0;
    driver_rx(b, &rx, -1, 0, 32, SRRCTL_ADVANCED);
    pf_write(b, I82599_RXPBSIZE(0), 0x10000);
    pf_write(b, I82599_FCTTV(0), 0xFFFF);
    pf_write(b, I82599_FCRTL(0), 0x4000 | I82599_FCRTL_XONE);
    pf_write(b, I82599_FCRTH(0), 0xA000 | I82599_FCRTH_FCEN);
    pf_write(b, I82599_FCCFG, I82599_FCCFG_TFCE_8023X);
    for (unsigned step = 0; step < 3000; step++) {
        bool is_stopped = b->pause_count && b->pause[b->pause_count - 1].quanta;
        if (!is_stopped && offered < 1000) {
            receive_big(b);
            offered++;
        }
        bench_run(b, 2600);
        if (step % 3 == 0 && driver_poll(b, &rx, got, NULL)) { /* slow software */
            delivered++;
            driver_rx_give(b, &rx, 1);
        }
    }
    assert_int_equal(delivered, 1000);
    assert_int_equal(nic_received(b->nic), 1000);
    assert_true(b->pause_count > 2);
}

/* --- state --------------------------------------------------------------------------- */

static void
visit(struct bench *b, struct state *s)
{
    STATE_VISIT(s, b->machine.now);
    mem_state(b->machine.mem, s);
    event_queue_state(b->machine.events, s);
    pci_state(b->machine.pci, s);
    nic_state(b->nic, s);
}

static uint64_t
hash(struct bench *b)
{
    struct state *s = state_new_hash();
    visit(b, s);
    return state_hash_end(s);
}

static void
busy_card(struct bench *b, struct ring *rx, struct ring *tx)
{
    uint8_t frame[1600], mac[6];
    driver_sriov(b, 3);
    pf_write(b, I82599_PFDTXGSWC, 1);
    driver_vf_enable(b, 1);
    vf_mac(mac, 1);
    driver_rx(b, rx, 1, 0, 16, SRRCTL_ADVANCED);
    driver_tx(b, tx, -1, 6, 64);
    msix_unmask(b, 1, 0, 0xFEE00000, 0x77);
    vf_write(b, 1, I82599_VTIVAR(0), 0x80);
    vf_write(b, 1, I82599_VTEIMS, 1);
    vf_write(b, 1, I82599_VTEITR(0), 50 << 3);
    for (unsigned n = 0; n < 30; n++) {
        bench_receive(b, frame, frame_make(frame, mac, bench_peer, 0x88B5, 60 + 40 * n));
        driver_send(b, tx, frame, frame_make(frame, n % 2 ? mac : bench_peer, bench_mac, 0x88B5, 900), 0);
    }
}

static void
a_loaded_card_goes_on_as_the_saved_one(void **state)
{
    struct bench *a = *state;
    struct ring rx, tx;
    busy_card(a, &rx, &tx);
    for (unsigned cut = 0; cut < 40; cut++) { /* in the middle of everything, again and again */
        bench_run(a, 700);
        struct state *s = state_new_save();
        uint8_t *bytes;
        size_t size;
        visit(a, s);
        state_save_end(s, &bytes, &size);
        struct bench *b = bench_new();
        s = state_new_load(bytes, size);
        visit(b, s);
        assert_null(state_load_end(s));
        assert_true(hash(a) == hash(b));
        unsigned sent = a->sent_count, messages = a->message_count;
        struct bench *c = NULL;
        if (cut % 8 == 7) {
            bench_run(b, 400000);
            driver_rx_give(b, &rx, 0);
            c = bench_new(); /* the original goes on only on a copy, to keep cutting it */
            s = state_new_load(bytes, size);
            visit(c, s);
            assert_null(state_load_end(s));
            bench_run(c, 400000);
            driver_rx_give(c, &rx, 0);
            assert_true(hash(c) == hash(b));
            assert_int_equal(b->sent_count, c->sent_count);
            assert_int_equal(b->message_count, c->message_count);
            bench_free(c);
        }
        assert_int_equal(a->sent_count, sent);
        assert_int_equal(a->message_count, messages);
        bench_free(b);
        free(bytes);
    }
    /* And the copy of the first cut would have ended where the original ends. */
}

static void
original_and_copy_end_alike(void **state)
{
    struct bench *a = *state;
    struct ring rx, tx;
    busy_card(a, &rx, &tx);
    bench_run(a, 9000);
    struct state *s = state_new_save();
    uint8_t *bytes;
    size_t size;
    visit(a, s);
    state_save_end(s, &bytes, &size);
    unsigned sent = a->sent_count, messages = a->message_count;
    struct bench *b = bench_new();
    s = state_new_load(bytes, size);
    visit(b, s);
    assert_null(state_load_end(s));
    bench_run(a, 500000);
    bench_run(b, 500000);
    assert_true(hash(a) == hash(b));
    assert_int_equal(a->sent_count - sent, b->sent_count);
    assert_int_equal(a->message_count - messages, b->message_count);
    assert_true(b->sent_count > 5);
    for (unsigned i = 0; i < b->sent_count; i++) {
        assert_int_equal(a->sent[sent + i].now, b->sent[i].now);
    }
    bench_free(b);
    free(bytes);
}

static void
every_visited_byte_changes_the_hash(void **state)
{
    struct bench *b = *state;
    uint64_t before = hash(b);
    static const uint32_t offsets[] = { I82599_FCTRL, I82599_RAL(77), I82599_PFMBMEM(1023), I82599_EITR(128), I82599_VLVFB(127) };
    for (unsigned i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        pf_write(b, offsets[i], 0x100);
        assert_true(hash(b) != before);
        before = hash(b);
    }
    pf_write(b, I82599_QDE, I82599_QDE_WE | 5u << 8 | 1);
    assert_true(hash(b) != before);
}

static void
damaged_state_is_refused_without_harm(void **state)
{
    struct bench *a = *state;
    struct ring rx, tx;
    busy_card(a, &rx, &tx);
    bench_run(a, 9000);
    struct state *s = state_new_save();
    uint8_t *bytes;
    size_t size;
    nic_state(a->nic, s);
    state_save_end(s, &bytes, &size);
    uint64_t random = 12345;
    for (unsigned n = 0; n < 200; n++) {
        struct bench *b = bench_new();
        for (unsigned i = 0; i < 20; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = sizeof(uint32_t) * 0x8000 + (random >> 33) % (size - sizeof(uint32_t) * 0x8000);
            bytes[at] ^= (uint8_t)(random >> 20);
        }
        s = state_new_load(bytes, size);
        nic_state(b->nic, s);
        free(state_load_end(s)); /* refused or accepted: either is fine, memory errors are not */
        bench_free(b);
    }
    free(bytes);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, driver_setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(full_buffer_asks_the_peer_to_stop_and_go_on), CASE(pause_is_refreshed_while_it_lasts),
        CASE(received_pause_stops_the_transmitter), CASE(lossless_with_flow_control_under_overload),
        CASE(a_loaded_card_goes_on_as_the_saved_one), CASE(original_and_copy_end_alike),
        CASE(every_visited_byte_changes_the_hash), CASE(damaged_state_is_refused_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
