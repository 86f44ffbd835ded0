/* Which pools, and which queue: a table of frames against one set of filters. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define BIT(n) (1ull << (n))

static const uint8_t src[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };
static const uint8_t zero_mac[6] = { 0 };
static const uint8_t mac5[6] = { 0x02, 0, 0, 0, 0, 5 };      /* RAR 1: pool 5 */
static const uint8_t mac67[6] = { 0x02, 0, 0, 0, 0, 67 };    /* RAR 3: pools 6 and 40 */
static const uint8_t unknown[6] = { 0x02, 0x99, 0, 0, 0, 1 };
static const uint8_t hashed[6] = { 0x02, 0x99, 0, 0, 0x50, 0x12 }; /* UTA bit 0x125 */
static const uint8_t group_hit[6] = { 0x01, 0, 0x5E, 0, 0x10, 0xAB }; /* MTA bit 0xAB1 */
static const uint8_t group_miss[6] = { 0x01, 0, 0x5E, 0, 0x20, 0xAB };
static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static struct ring rings[128];

static int
setup(void **state)
{
    struct bench *b = bench_new();
    driver_init(b);
    driver_vmdq(b, 64);
    pf_write(b, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | I82599_VT_CTL_REPLEN | I82599_VT_CTL_DIS_DEFPL);
    driver_set_rar(b, 1, mac5, BIT(5));
    driver_set_rar(b, 2, zero_mac, BIT(9));
    driver_set_rar(b, 3, mac67, BIT(6) | BIT(40));
    pf_write(b, I82599_MCSTCTRL, I82599_MCSTCTRL_MFE);
    pf_write(b, I82599_MTA(0xAB1 >> 5), 1u << (0xAB1 & 31));
    pf_write(b, I82599_UTA(0x125 >> 5), 1u << (0x125 & 31));
    for (unsigned p = 0; p < 64; p++) {
        pf_write(b, I82599_VMOLR(p), 0);
    }
    pf_write(b, I82599_VMOLR(2), I82599_VMOLR_BAM | I82599_VMOLR_AUPE);
    pf_write(b, I82599_VMOLR(3), I82599_VMOLR_BAM | I82599_VMOLR_ROMPE);
    pf_write(b, I82599_VMOLR(4), I82599_VMOLR_ROPE | I82599_VMOLR_AUPE);
    pf_write(b, I82599_VMOLR(5), I82599_VMOLR_MPE | I82599_VMOLR_AUPE);
    for (unsigned q = 0; q < 128; q += 2) {
        driver_rx(b, &rings[q], -1, q, 16, SRRCTL_DROP);
    }
    *state = b;
    return 0;
}

/* Sends one frame and says which pools' first queues got it. */
static uint64_t
pools_of(struct bench *b, const uint8_t *dst, int tci)
{
    uint8_t frame[128], got[2048];
    uint64_t pools = 0;
    size_t size = frame_make(frame, dst, src, 0x88B5, 64);
    if (tci >= 0) {
        size = frame_tag(frame, size, (uint16_t)tci);
    }
    bench_receive(b, frame, size);
    bench_settle(b);
    assert_true(nic_idle(b->nic));
    for (unsigned p = 0; p < 64; p++) {
        if (driver_poll(b, &rings[2 * p], got, NULL)) {
            assert_memory_equal(got, frame, size);
            pools |= BIT(p);
            driver_rx_give(b, &rings[2 * p], 1);
        }
    }
    return pools;
}

static void
mac_chooses_the_pools(void **state)
{
    struct bench *b = *state;
    pf_set(b, I82599_FCTRL, I82599_FCTRL_BAM);
    static const struct { const uint8_t *dst; uint64_t pools; } rows[] = {
        { mac5, BIT(5) }, { zero_mac, BIT(9) }, { mac67, BIT(6) | BIT(40) }, { unknown, 0 }, { hashed, BIT(4) },
        { group_hit, BIT(3) | BIT(5) }, { group_miss, 0 }, { broadcast, BIT(2) | BIT(3) },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(pools_of(b, rows[i].dst, -1) == rows[i].pools);
    }
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_FILTER_MAC), 2);
    assert_int_equal(nic_received(b->nic), 6); /* replicated frames count once */
    pf_set(b, I82599_FCTRL, I82599_FCTRL_MPE);
    assert_true(pools_of(b, group_miss, -1) == BIT(5));
    pf_write(b, I82599_RAH(2), 0); /* no longer valid */
    assert_true(pools_of(b, zero_mac, -1) == 0);
}

static void
vlan_narrows_them(void **state)
{
    struct bench *b = *state;
    pf_set(b, I82599_VLNCTRL, I82599_VLNCTRL_VFE);
    pf_write(b, I82599_VFTA(0), 1u << 10 | 1u << 11 | 1u << 12);
    pf_write(b, I82599_VLVF(0), I82599_VLVF_VIEN | 10);
    pf_write(b, I82599_VLVFB(0), 1u << 5 | 1u << 6);
    pf_write(b, I82599_VLVF(33), I82599_VLVF_VIEN | 11);
    pf_write(b, I82599_VLVFB(67), 1u << (40 - 32));
    static const struct { const uint8_t *dst; int tci; uint64_t pools; } rows[] = {
        { mac5, -1, BIT(5) },          /* untagged: AUPE */
        { mac67, -1, 0 },              /* untagged, not accepted */
        { mac5, 0xE00A, BIT(5) },      /* priority bits do not matter */
        { mac67, 10, BIT(6) }, { mac67, 11, BIT(40) },
        { mac5, 11, 0 },               /* a VLAN of others */
        { mac5, 12, 0 },               /* nobody's VLAN */
        { mac5, 13, 0 },               /* not even the port's */
        { broadcast, -1, BIT(2) },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(pools_of(b, rows[i].dst, rows[i].tci) == rows[i].pools);
    }
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_FILTER_VLAN), 4);
}

static void
default_pool_takes_what_nobody_wants(void **state)
{
    struct bench *b = *state;
    pf_set(b, I82599_FCTRL, I82599_FCTRL_UPE | I82599_FCTRL_MPE);
    assert_true(pools_of(b, unknown, -1) == 0);
    pf_write(b, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | I82599_VT_CTL_REPLEN | 17u << I82599_VT_CTL_DEF_PL_SHIFT);
    assert_true(pools_of(b, unknown, -1) == BIT(17));
    assert_true(pools_of(b, group_miss, -1) == BIT(5)); /* wanted by MPE */
    pf_write(b, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | 17u << I82599_VT_CTL_DEF_PL_SHIFT); /* no replication */
    assert_true(pools_of(b, mac67, -1) == BIT(6));
    assert_true(pools_of(b, broadcast, -1) == BIT(17));
}

static void
a_pool_without_receive_enable_gets_nothing(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_VFRE(0), ~(1u << 5));
    assert_true(pools_of(b, mac5, -1) == 0);
    assert_true(pools_of(b, mac67, -1) == (BIT(6) | BIT(40)));
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_LINK_DOWN), 1);
}

static void
one_dead_pool_does_not_take_a_broadcast_from_the_others(void **state)
{
    struct bench *b = *state;
    pf_write(b, I82599_RXDCTL(4), 0); /* pool 2's queue is off */
    assert_true(pools_of(b, broadcast, -1) == BIT(3));
    assert_int_equal(nic_received(b->nic), 1);
    assert_int_equal(nic_dropped(b->nic, NIC_DROP_NO_DESCRIPTOR), 0);
}

static void
ether_type_filter_overrides_pool_and_queue(void **state)
{
    struct bench *b = *state;
    uint8_t frame[64];
    pf_write(b, I82599_ETQF(2), I82599_ETQF_EN | I82599_ETQF_POOL_EN | 20u << I82599_ETQF_POOL_SHIFT | 0x88CC);
    pf_write(b, I82599_ETQS(2), I82599_ETQS_EN | 42u << I82599_ETQS_QUEUE_SHIFT);
    bench_receive(b, frame, frame_make(frame, mac5, src, 0x88CC, 60));
    bench_settle(b);
    struct i82599_desc d = driver_desc(b, &rings[42], 0);
    assert_true(d.hi & I82599_RXD_DD);
    assert_true(d.lo & I82599_RXD_PTYPE_ETQF);
    assert_int_equal(d.lo >> 4 & 7, 2);
}

static void
rss_spreads_within_the_pool(void **state)
{
    struct bench *b = *state;
    uint8_t frame[128];
    static struct ring four[4];
    pf_write(b, I82599_MRQC, 0xA | I82599_MRQC_RSS_UDPIPV4); /* 32 pools of 4 queues */
    for (unsigned i = 0; i < 10; i++) {
        pf_write(b, I82599_RSSRK(i), 0x6D5A56DA * (i + 1));
    }
    for (unsigned i = 0; i < 32; i++) {
        pf_write(b, I82599_RETA(i), 0x03020100);
    }
    for (unsigned i = 0; i < 4; i++) {
        driver_rx(b, &four[i], -1, 20 + i, 128, SRRCTL_DROP);
    }
    pf_write(b, I82599_PSRTYPE(5), 1u << I82599_PSRTYPE_RQPL_SHIFT); /* two queues */
    for (uint16_t port = 0; port < 64; port++) {
        bench_receive(b, frame, frame_ipv4(frame, mac5, 17, (uint16_t)(1000 + port * 77), 53, 20));
    }
    bench_settle(b);
    assert_true(pf_read(b, I82599_RDH(20)) > 15 && pf_read(b, I82599_RDH(21)) > 15);
    assert_int_equal(pf_read(b, I82599_RDH(20)) + pf_read(b, I82599_RDH(21)), 64);
    pf_write(b, I82599_PSRTYPE(5), 2u << I82599_PSRTYPE_RQPL_SHIFT);
    for (uint16_t port = 0; port < 64; port++) {
        bench_receive(b, frame, frame_ipv4(frame, mac5, 17, (uint16_t)(1000 + port * 77), 53, 20));
    }
    bench_settle(b);
    assert_true(pf_read(b, I82599_RDH(22)) > 5 && pf_read(b, I82599_RDH(23)) > 5);
}

int
main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, bench_teardown)
    const struct CMUnitTest tests[] = {
        CASE(mac_chooses_the_pools), CASE(vlan_narrows_them), CASE(default_pool_takes_what_nobody_wants),
        CASE(a_pool_without_receive_enable_gets_nothing), CASE(one_dead_pool_does_not_take_a_broadcast_from_the_others),
        CASE(ether_type_filter_overrides_pool_and_queue), CASE(rss_spreads_within_the_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
