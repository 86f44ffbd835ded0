/* Hostile rings: the input is a program of register writes, descriptor bytes
 * and wire frames for one VF; whatever it does, the other VF's traffic passes. */
#include "tests/unit/nic/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SRRCTL_VF = 2 | 1u << 25 | 1u << 28, DESCRIPTORS = 64 };

struct input { const uint8_t *p; size_t left; };

static uint64_t
take(struct input *in, size_t n)
{
    uint64_t value = 0;
    n = n < in->left ? n : in->left;
    memcpy(&value, in->p, n);
    in->p += n;
    in->left -= n;
    return value;
}

static void
require(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz_nic_descriptors: %s\n", what);
        abort();
    }
}

/* Descriptors from the input; addresses mostly in RAM, so that packets get far. */
static void
write_descriptors(struct bench *b, struct input *in, const struct ring *r)
{
    for (uint64_t n = take(in, 1) % 16 + 1; n > 0; n--) {
        uint64_t slot = take(in, 1) % DESCRIPTORS, kind = take(in, 1);
        struct i82599_desc d = { take(in, 8), take(in, 8) };
        d.lo = kind & 1 ? r->buffers + d.lo % (DESCRIPTORS * BUFFER_SIZE) : d.lo;
        d.hi |= kind & 2 ? I82599_TXD_DEXT | I82599_TXD_DTYP_DATA | I82599_TXD_EOP | I82599_TXD_RS : 0;
        d.hi = kind & 4 ? (d.hi & ~0xFFFFull) | (d.hi & 0x7FF) : d.hi;
        d.hi = kind & 8 ? (d.hi & ~I82599_TXD_DTYP_MASK) | I82599_TXD_DTYP_CONTEXT | I82599_TXD_DEXT : d.hi;
        memcpy(bench_ram(b, r->base + slot * I82599_DESC_SIZE), &d, sizeof d);
    }
}

static void
step(struct bench *b, struct input *in, struct ring *rx, struct ring *tx)
{
    uint8_t frame[2048];
    size_t n;
    switch (take(in, 1) % 8) {
    case 0:
        write_descriptors(b, in, tx);
        break;
    case 1:
        write_descriptors(b, in, rx);
        break;
    case 2:
        vf_write(b, 0, I82599_VFTDT(0), (uint32_t)take(in, 1));
        break;
    case 3:
        vf_write(b, 0, I82599_VFRDT(0), (uint32_t)take(in, 1));
        break;
    case 4:
        vf_write(b, 0, (uint32_t)take(in, 2) & 0x3FFC, (uint32_t)take(in, 4));
        break;
    case 5:
        n = take(in, 2) % sizeof frame;
        frame_make(frame, (const uint8_t[]){ 2, 0, 0, 0, 1, 0 }, bench_peer, (uint16_t)take(in, 2), n < 60 ? 60 : n);
        bench_receive(b, frame, n);
        break;
    case 6:
        bench_run(b, take(in, 2));
        break;
    default: /* back to a sane ring, so that later descriptors are looked at */
        vf_write(b, 0, I82599_VFCTRL, I82599_VFCTRL_RST);
        driver_vf_enable(b, 0);
        vf_write(b, 0, I82599_VFTDBAL(0), (uint32_t)tx->base);
        vf_write(b, 0, I82599_VFTDBAH(0), 0);
        vf_write(b, 0, I82599_VFTDLEN(0), DESCRIPTORS * I82599_DESC_SIZE);
        vf_write(b, 0, I82599_VFTDH(0), 0);
        vf_write(b, 0, I82599_VFTXDCTL(0), I82599_TXDCTL_EN);
        break;
    }
}

static void
bystander_is_served(struct bench *b, struct ring *rx, struct ring *tx)
{
    uint8_t frame[128], got[BENCH_FRAME_MAX], mac[6];
    vf_mac(mac, 1);
    while (driver_poll(b, rx, got, NULL)) { /* what the hostile VF sent it */
        driver_rx_give(b, rx, 1);
    }
    bench_receive(b, frame, frame_make(frame, mac, bench_peer, 0x88B5, 100));
    bench_settle(b);
    bool has_come = false;
    for (size_t n; (n = driver_poll(b, rx, got, NULL)) != 0;) {
        has_come |= n == 100 && !memcmp(got, frame, 100);
        driver_rx_give(b, rx, 1);
    }
    require(has_come, "the other VF's frame did not arrive");
    b->sent_count = 0;
    driver_send(b, tx, frame, frame_make(frame, bench_peer, mac, 0x88B5, 100), 0);
    bench_settle(b);
    require(b->sent_count > 0 && !memcmp(b->sent[b->sent_count - 1].bytes, frame, 100), "the other VF's frame did not leave");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct bench *b = bench_new();
    struct ring rx, tx, other_rx, other_tx;
    driver_init(b);
    driver_sriov(b, 2);
    pf_write(b, I82599_PFDTXGSWC, 1);
    for (unsigned q = 0; q < 2; q++) { /* as a PF driver protects others from VF 0 */
        pf_write(b, I82599_QDE, I82599_QDE_WE | q << I82599_QDE_INDEX_SHIFT | 1);
    }
    for (unsigned v = 0; v < 2; v++) {
        driver_vf_enable(b, v);
    }
    driver_rx(b, &rx, 0, 0, DESCRIPTORS, SRRCTL_VF);
    driver_tx(b, &tx, 0, 0, DESCRIPTORS);
    driver_rx(b, &other_rx, 1, 0, DESCRIPTORS, SRRCTL_VF);
    driver_tx(b, &other_tx, 1, 0, DESCRIPTORS);
    while (in.left > 0) {
        step(b, &in, &rx, &tx);
        b->sent_count = b->message_count = 0;
    }
    bench_settle(b);
    bystander_is_served(b, &other_rx, &other_tx);
    require(b->machine.stop == STOP_NONE, "a VF stopped the run");
    bench_free(b);
    return 0;
}
