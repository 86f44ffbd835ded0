/* Causes, masks, moderation and messages. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { ADDRESS = 0xFEE00000, GPIE_LINUX = 0xC0000030 };

static int
setup(void **state)
{
    struct bench *b = bench_new();
    driver_init(b);
    pf_write(b, I82599_GPIE, GPIE_LINUX); /* MSI-X, OCD, EIAME, PBA */
    pf_write(b, I82599_EIAC, 0x4000FFFF);
    for (unsigned n = 0; n < 64; n++) {
        msix_unmask(b, -1, n, ADDRESS, n);
    }
    *state = b;
    return 0;
}

static void
receive_some(struct bench *b, unsigned count)
{
    uint8_t frame[64];
    for (unsigned n = 0; n < count; n++) {
        bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, 60));
    }
}

static void
received_frame_sends_the_vector_of_ivar(void **state)
{
    struct bench *b = *state;
    static const unsigned vectors[] = { 0, 7, 15, 16, 40, 63 };
    struct ring rx;
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        pf_write(b, I82599_IVAR(0), 0x80 | vectors[i]);
        pf_write(b, I82599_EIMS_EX(vectors[i] / 32), 1u << vectors[i] % 32);
        unsigned before = b->message_count;
        receive_some(b, 1);
        bench_settle(b);
        assert_int_equal(b->message_count, before + 1);
        assert_int_equal(b->message[before].data, vectors[i]);
        assert_int_equal(b->message[before].bdf, BDF_CARD);
        assert_int_equal(pf_read(b, I82599_EICR) & 0xFFFF, 0); /* cleared by the message */
    }
}

static void
message_comes_after_the_write_back(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t got[2048];
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    bench_settle(b);
    pf_write(b, I82599_IVAR(0), 0x82);
    pf_write(b, I82599_EIMS, 4);
    receive_some(b, 1);
    while (b->message_count == 0) {
        assert_true(event_queue_next_due(b->machine.events) != EVENT_NEVER);
        bench_run(b, 1);
    }
    assert_int_equal(driver_poll(b, &rx, got, NULL), 60);
}

static void
masked_cause_waits_and_fires_when_unmasked(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    driver_rx(b, &rx, -1, 0, 64, SRRCTL_ADVANCED);
    pf_write(b, I82599_IVAR(0), 0x83);
    receive_some(b, 3);
    bench_settle(b);
    assert_int_equal(b->message_count, 0);
    assert_int_equal(pf_read(b, I82599_EICS), 8); /* pending, and reading does not clear */
    assert_int_equal(pf_read(b, I82599_EICS), 8);
    pf_write(b, I82599_EIMS, 8);
    bench_settle(b);
    assert_int_equal(b->message_count, 1);
}

static void
transmit_report_interrupts(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[64];
    driver_tx(b, &tx, -1, 3, 64);
    pf_write(b, I82599_IVAR(1), 0x85000000); /* Tx of queue 3: vector 5 */
    pf_write(b, I82599_EIMS, 0x20);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, bench_mac, 0x88B5, 60), 0);
    bench_settle(b);
    assert_int_equal(b->message_count, 1);
    assert_int_equal(b->message[0].data, 5);
    assert_true(driver_desc(b, &tx, 0).hi & I82599_TXD_DD);
}

static void
moderation_spaces_messages(void **state)
{
    struct bench *b = *state;
    enum { UNITS = 20 };
    uint64_t interval = machine_ns_to_cycles(UNITS * 2048);
    struct ring rx;
    driver_rx(b, &rx, -1, 0, 512, SRRCTL_ADVANCED);
    pf_write(b, I82599_IVAR(0), 0x81);
    pf_write(b, I82599_EIMS, 2);
    pf_write(b, I82599_EITR(1), UNITS << 3 | I82599_EITR_CNT_WDIS);
    for (unsigned n = 0; n < 100; n++) {
        receive_some(b, 1);
        bench_run(b, interval / 10);
    }
    assert_in_range(b->message_count, 10, 11);
    for (unsigned i = 1; i < b->message_count; i++) {
        assert_true(b->message[i].now - b->message[i - 1].now >= interval);
    }
    pf_write(b, I82599_EITR(1), 0); /* the counter is written: next one at once */
    unsigned before = b->message_count;
    for (unsigned n = 0; n < 10; n++) {
        receive_some(b, 1);
        bench_run(b, interval / 10);
    }
    assert_in_range(b->message_count - before, 10, 11);
}

static void
read_of_the_cause_follows_ocd_and_auto_mask(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_EIAC, 0);
    pf_write(b, I82599_EICS, 0x0014FFFF & ~0x1Fu);
    uint32_t value = pf_read(b, I82599_EICR);
    assert_int_equal(value & 0x0014FFE0, 0x0014FFE0);
    assert_int_equal(pf_read(b, I82599_EICR), 0xFFE0); /* OCD: queue bits stay */
    pf_write(b, I82599_EICR, 0xFF00);
    assert_int_equal(pf_read(b, I82599_EICR), 0x00E0);
    pf_write(b, I82599_GPIE, GPIE_LINUX & ~I82599_GPIE_OCD);
    pf_write(b, I82599_EIAM, 0x00F0);
    pf_write(b, I82599_EIMS, 0x00FF);
    bench_settle(b);
    pf_write(b, I82599_EICS, 0x00E0);
    (void)pf_read(b, I82599_EICR); /* clears, and masks what EIAM says and was set */
    assert_int_equal(pf_read(b, I82599_EICR), 0);
    assert_int_equal(pf_read(b, I82599_EIMS) & 0xFFFF, 0x001F);
    pf_write(b, I82599_EICS, 0x0020);
    assert_int_equal(pf_read(b, I82599_EIMS) & 0xFFFF, 0x003F); /* EICS re-enables what EIAM says */
}

static void
eims_and_eims_ex_are_one(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_EIMS_EX(0), 0x80018001);
    assert_int_equal(pf_read(b, I82599_EIMS), 0x8001);
    pf_write(b, I82599_EIMC, 1);
    assert_int_equal(pf_read(b, I82599_EIMS_EX(0)), 0x80018000);
    pf_write(b, I82599_EIMS, I82599_EICR_LSC | I82599_EICR_OTHER);
    assert_int_equal(pf_read(b, I82599_EIMS), 0x80108000);
    assert_int_equal(pf_read(b, I82599_EIMC), 0x80108000);
}

static void
link_change_reaches_the_other_vector(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_IVAR_MISC, 0x8900);
    pf_write(b, I82599_EIMS, I82599_EICR_LSC);
    pf_write(b, I82599_AUTOC, pf_read(b, I82599_AUTOC) | I82599_AUTOC_AN_RESTART);
    bench_run(b, 10000);
    assert_int_equal(b->message_count, 1);
    assert_int_equal(b->message[0].data, 9);
    assert_int_equal(pf_read(b, I82599_EICR), I82599_EICR_LSC | I82599_EICR_OTHER);
    bench_settle(b);
    assert_int_equal(b->message_count, 2);
}

/* The driver's own interrupt test: masked causes are silent, unmasked ones arrive. */
static void
msi_mode_passes_the_self_test(void **state)
{
    struct bench *b = *state;
    struct pci *pci = b->machine.pci;
    pci_config_write(pci, BDF_CARD, I82599_CAP_MSIX + 2, 2, 0);
    pci_config_write(pci, BDF_CARD, I82599_CAP_MSI + 4, 4, ADDRESS);
    pci_config_write(pci, BDF_CARD, I82599_CAP_MSI + 12, 2, 0x51);
    pci_config_write(pci, BDF_CARD, I82599_CAP_MSI + 2, 2, 1);
    pf_write(b, I82599_GPIE, 0);
    for (unsigned i = 0; i < 10; i++) {
        uint32_t bit = 1u << i;
        pf_write(b, I82599_EIMC, ~bit & 0x7FFF);
        pf_write(b, I82599_EICS, ~bit & 0x7FFF);
        bench_run(b, 100000);
        assert_int_equal(b->message_count, 0);
        (void)pf_read(b, I82599_EICR);
        pf_write(b, I82599_EIMS, bit);
        pf_write(b, I82599_EICS, bit);
        bench_run(b, 100000);
        assert_int_equal(b->message_count, 1);
        assert_int_equal(b->message[0].data, 0x51);
        assert_true(pf_read(b, I82599_EICR) & bit);
        b->message_count = 0;
        pf_write(b, I82599_EIMC, 0xFFFFFFFF);
    }
}

static void
masked_table_entry_keeps_the_message_pending(void **state)
{
    struct bench *b = *state;
    uint64_t table = pci_config_read(b->machine.pci, BDF_CARD, PCI_BAR0 + 16, 4) & ~0xFull;
    table |= (uint64_t)pci_config_read(b->machine.pci, BDF_CARD, PCI_BAR0 + 20, 4) << 32;
    mem_mmio_write(b->machine.mem, table + 16 * 4 + 12, 4, 1);
    pf_write(b, I82599_EIMS, 0x10);
    pf_write(b, I82599_EICS, 0x10);
    bench_settle(b);
    assert_int_equal(b->message_count, 0);
    assert_int_equal(mem_mmio_read(b->machine.mem, table + I82599_MSIX_PBA_OFFSET, 4), 0x10);
    mem_mmio_write(b->machine.mem, table + 16 * 4 + 12, 4, 0);
    assert_int_equal(b->message_count, 1);
}

static void
buffer_overrun_reports_rx_miss(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    uint8_t frame[1514];
    driver_rx(b, &rx, -1, 0, 8, SRRCTL_ADVANCED);
    pf_write(b, I82599_RXPBSIZE(0), 0x4000);
    for (unsigned n = 0; n < 40; n++) {
        bench_receive(b, frame, frame_make(frame, bench_mac, bench_peer, 0x88B5, sizeof frame));
    }
    bench_settle(b);
    uint64_t missed = nic_dropped(b->nic, NIC_DROP_NO_BUFFER);
    assert_int_equal(missed, 40 - 0x4000 / 1518);
    assert_int_equal(pf_read(b, I82599_MPC(0)), missed);
    assert_true(pf_read(b, I82599_EICR) & I82599_EICR_RX_MISS);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(received_frame_sends_the_vector_of_ivar), CASE(message_comes_after_the_write_back),
        CASE(masked_cause_waits_and_fires_when_unmasked), CASE(transmit_report_interrupts), CASE(moderation_spaces_messages),
        CASE(read_of_the_cause_follows_ocd_and_auto_mask), CASE(eims_and_eims_ex_are_one),
        CASE(link_change_reaches_the_other_vector), CASE(msi_mode_passes_the_self_test),
        CASE(masked_table_entry_keeps_the_message_pending), CASE(buffer_overrun_reports_rx_miss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
