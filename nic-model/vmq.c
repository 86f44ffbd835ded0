/* Virtual machine queues: from a frame to its pools, from a pool to its queue
 * ("Rx Queuing in a Virtualized Environment", "Pool Selection").
 *
 *   MAC picks the pools, VLAN narrows them, then the default pool, the
 *   EtherType filter's own pool, pruning and VFRE.
 */
#include "nic-model/nic_priv.h"

bool
vmq_is_enabled(const struct nic *nic)
{
    return reg(nic, I82599_VT_CTL) & I82599_VT_CTL_VT_ENA;
}

static unsigned
mode(const struct nic *nic)
{
    return reg(nic, I82599_MRQC) & I82599_MRQC_MRQE_MASK;
}

unsigned
vmq_pool_count(const struct nic *nic)
{
    return !vmq_is_enabled(nic) ? 1 : mode(nic) == 0xA ? 32 : 64;
}

static unsigned
default_pool(const struct nic *nic)
{
    unsigned pool = (reg(nic, I82599_VT_CTL) & I82599_VT_CTL_DEF_PL_MASK) >> I82599_VT_CTL_DEF_PL_SHIFT;
    return pool % vmq_pool_count(nic);
}

static uint64_t
pools_with(const struct nic *nic, uint32_t vmolr_bits)
{
    uint64_t pools = 0;
    for (unsigned p = 0; p < vmq_pool_count(nic); p++) {
        pools |= (uint64_t)((reg(nic, I82599_VMOLR(p)) & vmolr_bits) != 0) << p;
    }
    return pools;
}

static uint64_t
pools_by_mac(const struct nic *nic, const uint8_t *frame)
{
    if (packet_is_broadcast(frame)) {
        return pools_with(nic, I82599_VMOLR_BAM);
    }
    uint64_t exact = filter_rar_pools(nic, frame);
    if (packet_is_multicast(frame)) {
        bool is_hit = reg(nic, I82599_MCSTCTRL) & I82599_MCSTCTRL_MFE && filter_hash_hit(nic, I82599_MTA(0), frame);
        return exact | pools_with(nic, I82599_VMOLR_MPE) | (is_hit ? pools_with(nic, I82599_VMOLR_ROMPE) : 0);
    }
    if (filter_rar_match(nic, frame) >= 0) {
        return exact;
    }
    return filter_hash_hit(nic, I82599_UTA(0), frame) ? pools_with(nic, I82599_VMOLR_ROPE) : 0;
}

static uint64_t
narrow_by_vlan(const struct nic *nic, const struct nic_packet *p, uint64_t pools)
{
    if (!(reg(nic, I82599_VLNCTRL) & I82599_VLNCTRL_VFE)) {
        return pools;
    }
    return pools & (p->tagged ? filter_vlan_pools(nic, p->tci & 0xFFF) : pools_with(nic, I82599_VMOLR_AUPE));
}

static uint64_t
enabled_pools(const struct nic *nic)
{
    uint64_t all = vmq_pool_count(nic) == 64 ? UINT64_MAX : (1ull << vmq_pool_count(nic)) - 1;
    return all & (reg(nic, I82599_VFRE(0)) | (uint64_t)reg(nic, I82599_VFRE(1)) << 32);
}

/* PFFLP: a pool that asks for it does not get back what it sent itself. */
static uint64_t
prune_senders(const struct nic *nic, const uint8_t *frame, uint64_t pools)
{
    uint64_t pruning = reg(nic, I82599_PFFLP(0)) | (uint64_t)reg(nic, I82599_PFFLP(1)) << 32;
    return pools & pruning ? pools & ~(pruning & filter_rar_pools(nic, frame + 6)) : pools;
}

/* Without replication one pool gets the frame: the default pool for group
 * addresses, else the first. */
static uint64_t
collapse(const struct nic *nic, const uint8_t *frame, uint64_t pools)
{
    if (reg(nic, I82599_VT_CTL) & I82599_VT_CTL_REPLEN || pools == 0) {
        return pools;
    }
    return packet_is_multicast(frame) ? 1ull << default_pool(nic) : pools & -pools;
}

uint64_t
vmq_pools(const struct nic *nic, const uint8_t *frame, const struct nic_packet *p, int source, enum nic_drop *reason)
{
    if (!vmq_is_enabled(nic)) {
        return 1;
    }
    uint64_t by_mac = pools_by_mac(nic, frame);
    uint64_t pools = narrow_by_vlan(nic, p, by_mac);
    *reason = by_mac && !pools ? NIC_DROP_FILTER_VLAN : NIC_DROP_FILTER_MAC;
    if (!pools && source < 0 && !(reg(nic, I82599_VT_CTL) & I82599_VT_CTL_DIS_DEFPL)) {
        pools = 1ull << default_pool(nic);
    }
    pools = collapse(nic, frame, pools);
    int etqf = filter_etqf(nic, p);
    if (etqf >= 0 && reg(nic, I82599_ETQF(etqf)) & I82599_ETQF_POOL_EN) {
        pools = 1ull << ((reg(nic, I82599_ETQF(etqf)) & I82599_ETQF_POOL_MASK) >> I82599_ETQF_POOL_SHIFT);
    }
    pools = prune_senders(nic, frame, pools);
    if (pools && !(pools & enabled_pools(nic))) {
        *reason = NIC_DROP_LINK_DOWN; /* wanted, but its receiver is off */
    }
    return pools & enabled_pools(nic);
}

/* A station address of a pool that is on, in this VLAN: such a frame never leaves by the wire. */
bool
vmq_is_exact(const struct nic *nic, const uint8_t *frame, const struct nic_packet *p)
{
    return !packet_is_multicast(frame) && narrow_by_vlan(nic, p, filter_rar_pools(nic, frame)) & enabled_pools(nic);
}

unsigned
vmq_queue(const struct nic *nic, const struct nic_frame *frame, unsigned pool)
{
    if (frame->etqf) {
        uint32_t etqs = reg(nic, I82599_ETQS(frame->etqf - 1u));
        if (etqs & I82599_ETQS_EN) {
            return (etqs & I82599_ETQS_QUEUE_MASK) >> I82599_ETQS_QUEUE_SHIFT;
        }
    }
    unsigned entry = frame->rss_type ? rss_entry(nic, frame->hash) : 0;
    if (!vmq_is_enabled(nic)) {
        return mode(nic) == 1 ? entry : 0;
    }
    unsigned rqpl = reg(nic, I82599_PSRTYPE(pool)) >> I82599_PSRTYPE_RQPL_SHIFT;
    entry &= (1u << rqpl) - 1;
    switch (mode(nic)) {
    case 0xA:
        return pool * 4 + (entry & 3);
    case 0xB:
        return pool * 2 + (entry & 1);
    default:
        return pool * 2;
    }
}

unsigned
vmq_pool_of_tx(const struct nic *nic, unsigned queue)
{
    uint32_t mtqc = reg(nic, I82599_MTQC);
    if (!(mtqc & I82599_MTQC_VT_ENA)) {
        return 0;
    }
    return (mtqc & I82599_MTQC_NUM_TC_OR_Q_MASK) >> I82599_MTQC_NUM_TC_OR_Q_SHIFT == 2 ? queue / 4 : queue / 2;
}

unsigned
vmq_pool_of_rx(const struct nic *nic, unsigned queue)
{
    return !vmq_is_enabled(nic) ? 0 : mode(nic) == 0xA ? queue / 4 : queue / 2;
}
