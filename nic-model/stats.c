/* Statistics registers.  Those of the PF clear when read, those of VFs wrap ("Statistics Registers"). */
#include "nic-model/nic_priv.h"

void
stats_add(struct nic *nic, uint32_t offset, uint32_t n)
{
    reg_set(nic, offset, reg(nic, offset) + n);
}

void
stats_add64(struct nic *nic, uint32_t low, uint32_t high, uint64_t n)
{
    uint64_t value = (reg(nic, low) | (uint64_t)reg(nic, high) << 32) + n;
    reg_set(nic, low, (uint32_t)value);
    reg_set(nic, high, (uint32_t)(value >> 32) & 0xF);
}

/* Which of the six size classes, 64 .. 1024-max, with FCS. */
static unsigned
size_class(size_t with_fcs)
{
    unsigned class = 0;
    for (size_t limit = 64; class < 5 && with_fcs > limit; limit = limit == 64 ? 127 : limit * 2 + 1) {
        class++;
    }
    return class;
}

void
stats_wire_rx(struct nic *nic, const uint8_t *frame, size_t size)
{
    size_t octets = size + 4;
    stats_add(nic, I82599_PRC64 + 4 * size_class(octets), 1);
    stats_add(nic, I82599_GPRC, 1);
    stats_add64(nic, I82599_GORCL, I82599_GORCH, octets);
    if (packet_is_broadcast(frame)) {
        stats_add(nic, I82599_BPRC, 1);
    } else if (packet_is_multicast(frame)) {
        stats_add(nic, I82599_MPRC, 1);
    }
}

void
stats_wire_tx(struct nic *nic, const uint8_t *frame, size_t size)
{
    size_t octets = size + 4;
    stats_add(nic, I82599_PTC64 + 4 * size_class(octets), 1);
    stats_add(nic, I82599_GPTC, 1);
    stats_add(nic, I82599_TPT, 1);
    stats_add64(nic, I82599_GOTCL, I82599_GOTCH, octets);
    if (packet_is_broadcast(frame)) {
        stats_add(nic, I82599_BPTC, 1);
    } else if (packet_is_multicast(frame)) {
        stats_add(nic, I82599_MPTC, 1);
    }
}

/* RQSMR, TQSM: a byte per queue names one of 16 sets. */
static unsigned
set_of_queue(const struct nic *nic, uint32_t map, unsigned queue)
{
    return reg(nic, map + (queue & ~3u)) >> (8 * (queue % 4)) & 0xF;
}

void
stats_queue_rx(struct nic *nic, unsigned queue, size_t size, bool is_multicast)
{
    unsigned set = set_of_queue(nic, I82599_RQSMR(0), queue);
    int v = vf_of_queue(nic, queue);
    stats_add(nic, I82599_QPRC(set), 1);
    stats_add64(nic, I82599_QBRC_L(set), I82599_QBRC_H(set), size + 4);
    stats_add(nic, I82599_RXDGPC, 1);
    stats_add64(nic, I82599_RXDGBCL, I82599_RXDGBCH, size + 4);
    if (v >= 0) {
        stats_add(nic, I82599_PVFGPRC(v), 1);
        stats_add(nic, I82599_PVFMPRC(v), is_multicast);
        stats_add64(nic, I82599_PVFGORC_LSB(v), I82599_PVFGORC_MSB(v), size + 4);
    }
}

void
stats_queue_tx(struct nic *nic, unsigned queue, size_t size)
{
    unsigned set = set_of_queue(nic, I82599_TQSM(0), queue);
    int v = vf_of_queue(nic, queue);
    stats_add(nic, I82599_QPTC(set), 1);
    stats_add64(nic, I82599_QBTC_L(set), I82599_QBTC_H(set), size + 4);
    stats_add(nic, I82599_TXDGPC, 1);
    stats_add64(nic, I82599_TXDGBCL, I82599_TXDGBCH, size + 4);
    if (v >= 0) {
        stats_add(nic, I82599_PVFGPTC(v), 1);
        stats_add64(nic, I82599_PVFGOTC_LSB(v), I82599_PVFGOTC_MSB(v), size + 4);
    }
}

void
stats_queue_drop(struct nic *nic, unsigned queue)
{
    stats_add(nic, I82599_QPRDC(set_of_queue(nic, I82599_RQSMR(0), queue)), 1);
}
