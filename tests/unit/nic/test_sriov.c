/* Virtual functions: where they are, the mailbox, their queues, and that they cannot harm others. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { VFS = 4, VF0 = BDF_CARD + 128 };
static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static int
setup(void **state)
{
    struct bench *b = bench_new();
    driver_init(b);
    driver_sriov(b, VFS);
    for (unsigned v = 0; v < VFS; v++) {
        driver_vf_enable(b, v);
    }
    *state = b;
    return 0;
}

static void
functions_appear_at_offset_and_stride(void **state)
{
    struct bench *b = *state;
    struct pci *pci = b->machine.pci;
    for (unsigned v = 0; v < VFS; v++) {
        assert_non_null(pci_find(pci, (uint16_t)(VF0 + 2 * v)));
        assert_int_equal(pci_config_read(pci, (uint16_t)(VF0 + 2 * v), 0, 4), 0xFFFFFFFF);
        assert_int_equal(pci_config_read(pci, (uint16_t)(VF0 + 2 * v), I82599_CAP_MSIX, 1), 0x11);
        assert_int_equal(pci_config_read(pci, (uint16_t)(VF0 + 2 * v), I82599_CAP_MSIX + 2, 2), 2);
        assert_int_equal(pci_config_read(pci, (uint16_t)(VF0 + 2 * v), I82599_CAP_PCIE, 1), 0x10);
    }
    assert_null(pci_find(pci, VF0 + 2 * VFS));
    unsigned control = I82599_CAP_SRIOV + I82599_SRIOV_CONTROL;
    pci_config_write(pci, BDF_CARD, control, 2, 0);
    assert_null(pci_find(pci, VF0));
    assert_int_equal(pci_config_read(pci, BDF_CARD, I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2), 384);
    pci_config_write(pci, BDF_CARD, I82599_CAP_SRIOV + I82599_SRIOV_NUM_VFS, 2, 64);
    pci_config_write(pci, BDF_CARD, control, 2, I82599_SRIOV_ARI);
    pci_config_write(pci, BDF_CARD, control, 2, I82599_SRIOV_ARI | I82599_SRIOV_VFE | I82599_SRIOV_MSE);
    assert_non_null(pci_find(pci, VF0 + 2 * 63));
    assert_int_equal(vf_read(b, 63, I82599_VFLINKS), pf_read(b, I82599_LINKS));
    pci_config_write(pci, BDF_CARD, control, 2, I82599_SRIOV_ARI | I82599_SRIOV_VFE);
    assert_int_equal(vf_read(b, 63, I82599_VFLINKS), 0xFFFFFFFF); /* no memory decoding */
}

static void
vf_sees_only_its_own_queues(void **state)
{
    struct bench *b = *state;
    vf_write(b, 1, I82599_VFRDBAL(0), 0x11111180);
    vf_write(b, 1, I82599_VFTDBAL(1), 0x22222280);
    assert_int_equal(pf_read(b, I82599_RDBAL(2)), 0x11111180);
    assert_int_equal(pf_read(b, I82599_TDBAL(3)), 0x22222280);
    assert_int_equal(vf_read(b, 1, I82599_VFRDBAL(0)), 0x11111180);
    for (unsigned n = 2; n < 8; n++) { /* beyond two queues */
        vf_write(b, 1, I82599_VFRDBAL(n), 0x33333380);
        assert_int_equal(vf_read(b, 1, I82599_VFRDBAL(n)), 0);
        assert_int_equal(pf_read(b, I82599_RDBAL(2 + n)), 0);
    }
    for (uint32_t offset = 0; offset < I82599_VF_BAR_SIZE; offset += 4) { /* nothing in there harms the PF */
        vf_write(b, 3, offset, 0xFFFFFFFF);
        (void)vf_read(b, 3, offset);
    }
    bench_settle(b);
    assert_int_equal(b->machine.stop, STOP_NONE);
    assert_int_equal(pf_read(b, I82599_RDBAL(2)), 0x11111180);
    assert_int_equal(pf_read(b, I82599_RXCTRL), 1);
}

static void
mailbox_hands_a_message_over_and_back(void **state)
{
    struct bench *b = *state;
    assert_int_equal(vf_read(b, 2, I82599_VFMAILBOX), I82599_VFMAILBOX_RSTD); /* the PF is done with its reset */
    assert_int_equal(vf_read(b, 2, I82599_VFMAILBOX), 0);
    msix_unmask(b, -1, 1, 0xFEE00000, 0x31);
    msix_unmask(b, 2, 2, 0xFEE00000, 0x32);
    vf_write(b, 2, I82599_VTIVAR_MISC, 0x82);
    vf_write(b, 2, I82599_VTEIMS, 7);
    vf_write(b, 2, I82599_VFMAILBOX, I82599_VFMAILBOX_VFU);
    assert_true(vf_read(b, 2, I82599_VFMAILBOX) & I82599_VFMAILBOX_VFU);
    pf_write(b, I82599_PFMAILBOX(2), I82599_PFMAILBOX_PFU);
    assert_int_equal(pf_read(b, I82599_PFMAILBOX(2)), I82599_PFMAILBOX_VFU); /* not while the VF holds it */
    vf_write(b, 2, I82599_VFMBMEM(0), I82599_MBX_API_NEGOTIATE);
    vf_write(b, 2, I82599_VFMBMEM(15), 0xCAFE);
    vf_write(b, 2, I82599_VFMAILBOX, I82599_VFMAILBOX_REQ);
    bench_settle(b);
    assert_int_equal(b->message_count, 1);
    assert_int_equal(b->message[0].data, 0x31);
    assert_int_equal(pf_read(b, I82599_EICR) & I82599_EICR_MAILBOX, I82599_EICR_MAILBOX);
    assert_int_equal(pf_read(b, I82599_PFMBICR(0)), 1u << 2);
    pf_write(b, I82599_PFMBICR(0), 1u << 2);
    assert_int_equal(pf_read(b, I82599_PFMBICR(0)), 0);
    assert_int_equal(pf_read(b, I82599_PFMBMEM(2 * 16)), I82599_MBX_API_NEGOTIATE);
    assert_int_equal(pf_read(b, I82599_PFMBMEM(2 * 16 + 15)), 0xCAFE);
    pf_write(b, I82599_PFMAILBOX(2), I82599_PFMAILBOX_PFU);
    assert_int_equal(pf_read(b, I82599_PFMAILBOX(2)), I82599_PFMAILBOX_PFU);
    vf_write(b, 2, I82599_VFMAILBOX, I82599_VFMAILBOX_VFU);
    assert_int_equal(vf_read(b, 2, I82599_VFMAILBOX), I82599_VFMAILBOX_PFU);
    pf_write(b, I82599_PFMBMEM(2 * 16), I82599_MBX_API_NEGOTIATE | I82599_MBX_ACK);
    pf_write(b, I82599_PFMAILBOX(2), I82599_PFMAILBOX_STS);
    bench_settle(b);
    assert_int_equal(b->message_count, 2);
    assert_int_equal(b->message[1].bdf, VF0 + 4);
    assert_int_equal(b->message[1].data, 0x32);
    assert_int_equal(vf_read(b, 2, I82599_VFMAILBOX), I82599_VFMAILBOX_PFSTS);
    assert_int_equal(vf_read(b, 2, I82599_VFMAILBOX), 0); /* a read clears */
    assert_int_equal(vf_read(b, 2, I82599_VFMBMEM(0)), I82599_MBX_API_NEGOTIATE | I82599_MBX_ACK);
    vf_write(b, 2, I82599_VFMAILBOX, I82599_VFMAILBOX_ACK);
    assert_int_equal(pf_read(b, I82599_PFMBICR(0)), 1u << 18);
    assert_int_equal(vf_read(b, 1, I82599_VFMBMEM(15)), 0); /* others have memory of their own */
}

static void
frames_reach_a_vf_with_its_own_requester_id(void **state)
{
    struct bench *b = *state;
    struct ring rx, tx;
    uint8_t frame[128], got[2048], mac[6];
    vf_mac(mac, 3);
    driver_rx(b, &rx, 3, 0, 32, SRRCTL_DROP);
    msix_unmask(b, 3, 0, 0xFEE01000, 0x40);
    vf_write(b, 3, I82599_VTIVAR(0), 0x8180); /* Rx 0: vector 0, Tx 0: vector 1 */
    vf_write(b, 3, I82599_VTEIMS, 1);
    bench_receive(b, frame, frame_make(frame, mac, bench_peer, 0x88B5, 100));
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx, got, NULL), 100);
    assert_memory_equal(got, frame, 100);
    assert_int_equal(b->last_source[1], VF0 + 6);
    assert_int_equal(b->message_count, 1);
    assert_int_equal(b->message[0].bdf, VF0 + 6);
    assert_int_equal(vf_read(b, 3, I82599_VFGPRC), 1);
    assert_int_equal(vf_read(b, 3, I82599_VFGPRC), 1); /* never cleared */
    driver_tx(b, &tx, 3, 1, 32);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, mac, 0x88B5, 100), 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 1);
    assert_memory_equal(b->sent[0].bytes, frame, 100);
    assert_int_equal(b->last_source[0], VF0 + 6);
    assert_int_equal(vf_read(b, 3, I82599_VFGOTC_LSB), 104);
}

static void
vf_without_enable_bits_or_bus_master_is_silent(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[128], mac[6];
    vf_mac(mac, 0);
    pf_write(b, I82599_VFTE(0), pf_read(b, I82599_VFTE(0)) & ~1u);
    driver_tx(b, &tx, 0, 0, 32);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, mac, 0x88B5, 100), 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 0);
    pf_set(b, I82599_VFTE(0), 1);
    bench_settle(b);
    assert_int_equal(b->sent_count, 1);
    pci_config_write(b->machine.pci, VF0, PCI_COMMAND, 2, 0);
    driver_send(b, &tx, frame, 100, 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 1);
}

static void
flr_stops_the_vf_and_tells_the_pf(void **state)
{
    struct bench *b = *state;
    struct ring rx;
    driver_rx(b, &rx, 1, 0, 32, SRRCTL_DROP);
    vf_write(b, 1, I82599_VFTXDCTL(0), 0x20 | I82599_TXDCTL_EN);
    vf_write(b, 1, I82599_VTEIMS, 7);
    pci_config_write(b->machine.pci, VF0 + 2, I82599_CAP_PCIE + 8, 2, 0x8000);
    assert_int_equal(pf_read(b, I82599_VFLRE(0)), 2);
    assert_true(pf_read(b, I82599_EICR) & I82599_EICR_MAILBOX);
    assert_int_equal(pf_read(b, I82599_VFRE(0)) & 2, 0);
    assert_int_equal(pf_read(b, I82599_VFTE(0)) & 2, 0);
    assert_int_equal(pf_read(b, I82599_RXDCTL(2)) & I82599_RXDCTL_EN, 0);
    assert_int_equal(pf_read(b, I82599_TXDCTL(2)), 0x20); /* thresholds stay */
    assert_int_equal(pf_read(b, I82599_RDBAL(2)), rx.base);
    assert_int_equal(vf_read(b, 1, I82599_VTEIMS), 0);
    assert_int_equal(pci_config_read(b->machine.pci, VF0 + 2, PCI_COMMAND, 2), 0);
    pf_write(b, I82599_VFLREC(0), 2);
    assert_int_equal(pf_read(b, I82599_VFLRE(0)), 0);
    pf_set(b, I82599_VFRE(0), 2);
    vf_write(b, 1, I82599_VFCTRL, I82599_VFCTRL_RST);
    assert_int_equal(pf_read(b, I82599_VFLRE(0)), 0); /* VFCTRL.RST is reported by mailbox instead */
    assert_int_equal(pf_read(b, I82599_VFRE(0)) & 2, 0);
}

static void
reset_of_the_pf_shows_in_every_mailbox(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_CTRL, I82599_CTRL_RST);
    assert_int_equal(vf_read(b, 0, I82599_VFMAILBOX), I82599_VFMAILBOX_RSTI);
    assert_int_equal(vf_read(b, 0, I82599_VFMAILBOX), I82599_VFMAILBOX_RSTI);
    pf_set(b, I82599_CTRL_EXT, I82599_CTRL_EXT_PFRSTD);
    assert_int_equal(vf_read(b, 0, I82599_VFMAILBOX), I82599_VFMAILBOX_RSTD);
    assert_int_equal(vf_read(b, 0, I82599_VFMAILBOX), 0);
}

static void
switch_delivers_between_functions(void **state)
{
    struct bench *b = *state;
    struct ring rx[VFS], pf_rx, tx;
    uint8_t frame[128], got[2048], mac[6], other[6];
    struct i82599_desc last;
    vf_mac(mac, 0);
    vf_mac(other, 2);
    for (unsigned v = 0; v < VFS; v++) {
        driver_rx(b, &rx[v], (int)v, 0, 32, SRRCTL_DROP);
    }
    driver_rx(b, &pf_rx, -1, 2 * VFS, 32, SRRCTL_DROP);
    driver_tx(b, &tx, 0, 0, 32);
    driver_send(b, &tx, frame, frame_make(frame, other, mac, 0x88B5, 100), 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 1); /* switch off: everything leaves by the wire */
    pf_write(b, I82599_PFDTXGSWC, I82599_PFDTXGSWC_LBE);
    driver_send(b, &tx, frame, 100, 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 1); /* known here: not on the wire */
    assert_int_equal(driver_poll(b, &rx[2], got, &last), 100);
    assert_memory_equal(got, frame, 100);
    assert_true(last.hi & I82599_RXD_LB);
    driver_send(b, &tx, frame, frame_make(frame, broadcast, mac, 0x88B5, 100), 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 2);
    assert_int_equal(driver_poll(b, &rx[0], got, NULL), 0); /* not back to its sender */
    assert_int_equal(driver_poll(b, &rx[1], got, NULL), 100);
    assert_int_equal(driver_poll(b, &rx[3], got, NULL), 100);
    assert_int_equal(driver_poll(b, &pf_rx, got, NULL), 100);
    pf_write(b, I82599_VMTXSW(0), 1);
    driver_send(b, &tx, frame, 100, 0);
    bench_settle(b);
    assert_int_equal(driver_poll(b, &rx[0], got, NULL), 100);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, mac, 0x88B5, 100), 0);
    bench_settle(b);
    assert_int_equal(b->sent_count, 4); /* unknown: the wire only */
    assert_int_equal(nic_received(b->nic), 0); /* counts frames of the wire */
    assert_int_equal(pf_read(b, I82599_RXLPBK), 1 + 4 + 5);
}

static void
spoofed_frames_stay_inside(void **state)
{
    struct bench *b = *state;
    struct ring tx;
    uint8_t frame[128], mac[6], other[6];
    vf_mac(mac, 1);
    vf_mac(other, 2);
    pf_write(b, I82599_PFVFSPOOF(0), 0x0202); /* VF 1: MAC and VLAN */
    pf_write(b, I82599_VMECM(0), 2);
    pf_write(b, I82599_VLVF(0), I82599_VLVF_VIEN | 100);
    pf_write(b, I82599_VLVFB(0), 2);
    driver_tx(b, &tx, 1, 0, 32);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, mac, 0x88B5, 100), 0);
    driver_send(b, &tx, frame, frame_make(frame, bench_peer, other, 0x88B5, 100), 0); /* not its address */
    frame_make(frame, bench_peer, mac, 0x88B5, 100);
    driver_send(b, &tx, frame, frame_tag(frame, 96, 100), 0);
    frame_make(frame, bench_peer, mac, 0x88B5, 100);
    driver_send(b, &tx, frame, frame_tag(frame, 96, 101), 0); /* not its VLAN */
    bench_settle(b);
    assert_int_equal(b->sent_count, 2);
    assert_int_equal(pf_read(b, I82599_SSVPC), 2);
}

/* VF 0 does everything wrong; VF 1's traffic is untouched. */
static void
a_vf_that_misbehaves_harms_no_other(void **state)
{
    struct bench *b = *state;
    static const struct { uint64_t lo, hi; } bad[] = {
        { 0, 0xF00000 | I82599_TXD_DEXT | I82599_TXD_EOP | 60 },                                      /* unknown type */
        { 0xFFFFFFFFFFFFF000, I82599_TXD_DEXT | I82599_TXD_DTYP_DATA | I82599_TXD_EOP | 60 },         /* no such memory */
        { 0x100000, I82599_TXD_DEXT | I82599_TXD_DTYP_DATA | I82599_TXD_EOP | 0xFFFF },               /* too long */
        { 0x100000, I82599_TXD_DEXT | I82599_TXD_DTYP_DATA | I82599_TXD_TSE | I82599_TXD_EOP | 600 }, /* no context */
    };
    struct ring rx, tx, evil_tx, evil_rx;
    uint8_t frame[128], got[2048], mac0[6], mac1[6];
    unsigned delivered = 0;
    vf_mac(mac0, 0);
    vf_mac(mac1, 1);
    driver_rx(b, &rx, 1, 0, 256, SRRCTL_DROP);
    driver_tx(b, &tx, 1, 0, 256);
    driver_rx(b, &evil_rx, 0, 1, 32, 2 | 1u << 25);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0] + 4; i++) {
        driver_tx(b, &evil_tx, 0, 0, 64);
        driver_rx(b, &evil_rx, 0, 0, 32, SRRCTL_DROP);
        if (i < sizeof bad / sizeof bad[0]) {
            driver_post(b, &evil_tx, bad[i].lo, bad[i].hi);
            driver_ring_bell(b, &evil_tx);
        } else if (i == 4) {
            vf_write(b, 0, I82599_VFTDT(0), 0xFFFF); /* absurd tails */
            vf_write(b, 0, I82599_VFRDT(0), 0xFFFF);
        } else if (i == 5) {
            for (unsigned n = 0; n < 60; n++) { /* never an end of packet */
                driver_post(b, &evil_tx, 0x100000, I82599_TXD_DEXT | I82599_TXD_DTYP_DATA | 60);
            }
            driver_ring_bell(b, &evil_tx);
        } else if (i == 6) {
            vf_write(b, 0, I82599_VFRDLEN(0), 0);
            vf_write(b, 0, I82599_VFTDLEN(0), 0);
        } else {
            vf_write(b, 0, I82599_VFSRRCTL(0), 5u << 25 | I82599_SRRCTL_DROP_EN);
        }
        bench_receive(b, frame, frame_make(frame, mac0, bench_peer, 0x88B5, 100));
        bench_receive(b, frame, frame_make(frame, broadcast, bench_peer, 0x88B5, 100));
        bench_receive(b, frame, frame_make(frame, mac1, bench_peer, 0x88B5, 100));
        unsigned sent = b->sent_count;
        driver_send(b, &tx, frame, frame_make(frame, bench_peer, mac1, 0x88B5, 100), 0);
        bench_settle(b);
        assert_int_equal(b->sent_count, sent + 1);
        assert_memory_equal(b->sent[sent].bytes, frame, 100);
        while (driver_poll(b, &rx, got, NULL)) {
            delivered++;
        }
        assert_int_equal(delivered, 2 * (i + 1));
        assert_int_equal(b->machine.stop, STOP_NONE);
        vf_write(b, 0, I82599_VFCTRL, I82599_VFCTRL_RST);
        pf_set(b, I82599_VFRE(0), 1);
        pf_set(b, I82599_VFTE(0), 1);
    }
}

static void
refused_dma_of_one_vf_is_its_own_problem(void **state)
{
    struct bench *b = *state;
    struct ring rx[2];
    uint8_t frame[128], got[2048], mac[2][6];
    for (unsigned v = 0; v < 2; v++) {
        vf_mac(mac[v], v);
        driver_rx(b, &rx[v], (int)v, 0, 32, SRRCTL_DROP);
    }
    bench_settle(b);
    b->refused_bdf = VF0;
    b->refused_to = UINT64_MAX;
    for (unsigned n = 0; n < 10; n++) {
        bench_receive(b, frame, frame_make(frame, mac[n % 2], bench_peer, 0x88B5, 100));
    }
    bench_settle(b);
    for (unsigned n = 0; n < 5; n++) {
        assert_int_equal(driver_poll(b, &rx[1], got, NULL), 100);
    }
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_DMA_FAULT), 5);
    assert_int_equal(nic_received(b->nic), 5);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(functions_appear_at_offset_and_stride), CASE(vf_sees_only_its_own_queues),
        CASE(mailbox_hands_a_message_over_and_back), CASE(frames_reach_a_vf_with_its_own_requester_id),
        CASE(vf_without_enable_bits_or_bus_master_is_silent), CASE(flr_stops_the_vf_and_tells_the_pf),
        CASE(reset_of_the_pf_shows_in_every_mailbox), CASE(switch_delivers_between_functions),
        CASE(spoofed_frames_stay_inside), CASE(a_vf_that_misbehaves_harms_no_other),
        CASE(refused_dma_of_one_vf_is_its_own_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
