/* The memory side of one received frame: data, then write-backs ("Receive
 * Descriptor Write-Back", advanced and legacy formats). */
#include <string.h>

#include "nic-model/nic_priv.h"

enum { TAG_OFFSET = 12, TAG_SIZE = 4, FCS_SIZE = 4, BUFFER_UNIT = 1024 };

struct delivery {
    const uint8_t *bytes; /* as software shall see them */
    uint32_t size;
    bool is_stripped;     /* the tag is in the write-back */
};

static struct delivery
prepare(struct nic *nic, const struct nic_rx_job *job, const struct nic_frame *frame)
{
    const uint8_t *bytes = fifo_bytes(&nic->rx.fifo, frame);
    uint8_t *scratch = nic->rx.scratch;
    struct delivery d = { bytes, frame->size, false };
    bool keeps_fcs = !(reg(nic, I82599_HLREG0) & I82599_HLREG0_RXCRCSTRP);
    d.is_stripped = frame->info.tagged && reg(nic, I82599_RXDCTL(job->queue)) & I82599_RXDCTL_VME;
    if (!d.is_stripped && !keeps_fcs) {
        return d;
    }
    uint32_t crc = keeps_fcs ? offload_crc32(bytes, frame->size) : 0;
    if (d.is_stripped) {
        memcpy(scratch, bytes, TAG_OFFSET);
        memcpy(scratch + TAG_OFFSET, bytes + TAG_OFFSET + TAG_SIZE, frame->size - TAG_OFFSET - TAG_SIZE);
        d.size -= TAG_SIZE;
    } else {
        memcpy(scratch, bytes, frame->size);
    }
    if (keeps_fcs) {
        memcpy(scratch + d.size, &crc, FCS_SIZE);
        d.size += FCS_SIZE;
    }
    d.bytes = scratch;
    return d;
}

/* Low quadword: RSS type, packet type, and hash or fragment checksum. */
static uint64_t
advanced_low(const struct nic *nic, const struct nic_frame *frame)
{
    uint64_t low = frame->rss_type | offload_rx_ptype(&frame->info);
    if (frame->etqf) {
        low = frame->rss_type | I82599_RXD_PTYPE_ETQF | (uint64_t)(frame->etqf - 1) << I82599_RXD_PTYPE_SHIFT;
    }
    if (reg(nic, I82599_RXCSUM) & I82599_RXCSUM_PCSD) {
        return low | (uint64_t)frame->hash << I82599_RXD_HASH_SHIFT;
    }
    if (frame->info.ipv4) {
        const uint8_t *ip = fifo_bytes(&nic->rx.fifo, frame) + frame->info.l3;
        low |= (uint64_t)packet_be16(ip + 4) << I82599_RXD_IP_ID_SHIFT;
        if (frame->info.fragment) {
            const uint8_t *payload = ip + (size_t)(ip[0] & 0xF) * 4;
            low |= (uint64_t)offload_sum(payload, frame->info.l4_size, 0) << I82599_RXD_FRAGMENT_SHIFT;
        }
    }
    return low;
}

static uint64_t
legacy_status(uint64_t status)
{
    static const struct { uint64_t advanced, legacy; } bits[] = {
        { I82599_RXD_UDPCS, I82599_RXD_LEGACY_UDPCS }, { I82599_RXD_L4CS, I82599_RXD_LEGACY_L4CS },
        { I82599_RXD_IPCS, I82599_RXD_LEGACY_IPCS },   { I82599_RXD_PIF, I82599_RXD_LEGACY_PIF },
        { I82599_RXD_TCPE, I82599_RXD_LEGACY_TCPE },   { I82599_RXD_IPE, I82599_RXD_LEGACY_IPE },
        { I82599_RXD_VP, I82599_RXD_LEGACY_VP },
    };
    uint64_t legacy = 0;
    for (unsigned i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        legacy |= status & bits[i].advanced ? bits[i].legacy : 0;
    }
    return legacy;
}

static void
write_back(const struct nic *nic, const struct nic_rx_job *job, const struct nic_frame *frame,
           const struct delivery *d, struct i82599_desc *desc)
{
    unsigned type = (reg(nic, I82599_SRRCTL(job->queue)) & I82599_SRRCTL_DESCTYPE_MASK) >> I82599_SRRCTL_DESCTYPE_SHIFT;
    uint32_t buffer = (reg(nic, I82599_SRRCTL(job->queue)) & I82599_SRRCTL_BSIZEPACKET_MASK) * BUFFER_UNIT;
    uint64_t status = frame->status | (d->is_stripped ? I82599_RXD_VP : 0);
    uint64_t vlan = d->is_stripped ? frame->info.tci : 0;
    for (uint32_t i = 0, left = d->size; i < job->count; i++) {
        uint32_t length = left < buffer ? left : buffer;
        bool is_last = i + 1u == job->count;
        left -= length;
        if (type == I82599_DESCTYPE_LEGACY) {
            desc[i].lo = job->address[i];
            desc[i].hi = length | I82599_RXD_LEGACY_DD;
            desc[i].hi |= is_last ? I82599_RXD_LEGACY_EOP | legacy_status(status) | vlan << I82599_RXD_LEGACY_VLAN_SHIFT : 0;
        } else {
            desc[i].lo = is_last ? advanced_low(nic, frame) : 0;
            desc[i].hi = (uint64_t)length << I82599_RXD_LENGTH_SHIFT | I82599_RXD_DD;
            desc[i].hi |= is_last ? I82599_RXD_EOP | status | vlan << I82599_RXD_VLAN_SHIFT : 0;
        }
    }
}

bool
rx_write_job(struct nic *nic, const struct nic_rx_job *job, struct nic_frame *frame)
{
    struct i82599_desc desc[NIC_RX_SPAN];
    uint32_t buffer = (reg(nic, I82599_SRRCTL(job->queue)) & I82599_SRRCTL_BSIZEPACKET_MASK) * BUFFER_UNIT;
    uint32_t ring = reg(nic, I82599_RDLEN(job->queue)) / I82599_DESC_SIZE;
    uint64_t base = (uint64_t)reg(nic, I82599_RDBAH(job->queue)) << 32 | reg(nic, I82599_RDBAL(job->queue));
    struct delivery d = prepare(nic, job, frame);

    /* Software may have changed ring or buffer size meanwhile: what was taken must still hold the frame. */
    if (job->first + job->count > 2 * ring || (uint64_t)buffer * job->count < d.size) {
        nic_guest_error(nic, NIC_ERROR_RX_RING, (uint64_t)job->queue << 32 | job->count);
        return false;
    }
    for (uint32_t i = 0, done = 0; i < job->count && done < d.size; i++) {
        uint32_t length = d.size - done < buffer ? d.size - done : buffer;
        if (!dma_write(nic, job->queue, job->address[i], d.bytes + done, length)) {
            return false;
        }
        done += length;
    }
    write_back(nic, job, frame, &d, desc);
    uint32_t first = job->first % ring, run = ring - first < job->count ? ring - first : job->count;
    return dma_write(nic, job->queue, base + (uint64_t)first * I82599_DESC_SIZE, desc, run * I82599_DESC_SIZE) &&
           (run == job->count || dma_write(nic, job->queue, base, desc + run, (job->count - run) * I82599_DESC_SIZE));
}
