/* Layer-2 filters: does the port want this frame at all? ("Receive Filtering",
 * "MAC Address Filtering", "VLAN Filtering".)  Which pools get it is vmq.c. */
#include "nic-model/nic_priv.h"

static bool
rar_equals(const struct nic *nic, unsigned n, const uint8_t *mac)
{
    uint32_t low = (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    uint32_t high = (uint32_t)mac[4] | (uint32_t)mac[5] << 8 | I82599_RAH_AV;
    /* Only the valid bit tells; all zeros is an address like any other. */
    return reg(nic, I82599_RAL(n)) == low && reg(nic, I82599_RAH(n)) == high;
}

int
filter_rar_match(const struct nic *nic, const uint8_t *mac)
{
    for (unsigned n = 0; n < I82599_RAR_COUNT; n++) {
        if (rar_equals(nic, n, mac)) {
            return (int)n;
        }
    }
    return -1;
}

uint64_t
filter_rar_pools(const struct nic *nic, const uint8_t *mac)
{
    uint64_t pools = 0;
    for (unsigned n = 0; n < I82599_RAR_COUNT; n++) {
        if (rar_equals(nic, n, mac)) {
            pools |= reg(nic, I82599_MPSAR_LO(n)) | (uint64_t)reg(nic, I82599_MPSAR_HI(n)) << 32;
        }
    }
    return pools;
}

/* 12 of the address's last 16 bits, chosen by MCSTCTRL.MO; 'table' is MTA or UTA. */
bool
filter_hash_hit(const struct nic *nic, uint32_t table, const uint8_t *mac)
{
    static const uint8_t shift[] = { 4, 3, 2, 0 };
    unsigned last = (unsigned)mac[5] << 8 | mac[4];
    unsigned hash = last >> shift[reg(nic, I82599_MCSTCTRL) & I82599_MCSTCTRL_MO_MASK] & 0xFFF;
    return reg(nic, table + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

uint64_t
filter_vlan_pools(const struct nic *nic, uint16_t vid)
{
    for (unsigned n = 0; n < I82599_VLVF_COUNT; n++) {
        uint32_t entry = reg(nic, I82599_VLVF(n));
        if (entry & I82599_VLVF_VIEN && (entry & I82599_VLVF_VLANID_MASK) == vid) {
            return reg(nic, I82599_VLVFB(2 * n)) | (uint64_t)reg(nic, I82599_VLVFB(2 * n + 1)) << 32;
        }
    }
    return 0;
}

static bool
mac_passes(const struct nic *nic, const uint8_t *frame)
{
    uint32_t fctrl = reg(nic, I82599_FCTRL);
    if (packet_is_broadcast(frame)) {
        return fctrl & I82599_FCTRL_BAM;
    }
    if (filter_rar_match(nic, frame) >= 0) {
        return true;
    }
    if (packet_is_multicast(frame)) {
        bool is_hit = reg(nic, I82599_MCSTCTRL) & I82599_MCSTCTRL_MFE && filter_hash_hit(nic, I82599_MTA(0), frame);
        return fctrl & I82599_FCTRL_MPE || is_hit;
    }
    return fctrl & I82599_FCTRL_UPE || (vmq_is_enabled(nic) && filter_hash_hit(nic, I82599_UTA(0), frame));
}

enum nic_drop
filter_l2(const struct nic *nic, const uint8_t *frame, const struct nic_packet *p)
{
    if (!mac_passes(nic, frame)) {
        return NIC_DROP_FILTER_MAC;
    }
    if (p->tagged && reg(nic, I82599_VLNCTRL) & I82599_VLNCTRL_VFE) {
        unsigned vid = p->tci & 0xFFF;
        if (!(reg(nic, I82599_VFTA(vid >> 5)) >> (vid & 31) & 1)) {
            return NIC_DROP_FILTER_VLAN;
        }
    }
    return NIC_DROP_NONE;
}

int
filter_etqf(const struct nic *nic, const struct nic_packet *p)
{
    for (unsigned n = 0; n < I82599_ETQF_COUNT; n++) {
        uint32_t entry = reg(nic, I82599_ETQF(n));
        if (entry & I82599_ETQF_EN && p->ether_type && (entry & I82599_ETQF_ETYPE_MASK) == p->ether_type) {
            return (int)n;
        }
    }
    return -1;
}
