/* The embedded layer-2 switch, transmit side: who may send what, and where a
 * frame from a pool goes ("Tx Packets Switching", "Anti-Spoofing"). */
#include "nic-model/nic_priv.h"

static bool
is_spoofed(const struct nic *nic, unsigned pool, const uint8_t *frame, size_t size)
{
    uint32_t control = reg(nic, I82599_PFVFSPOOF(pool / 8)) >> (pool % 8);
    if (!(control & 1)) {
        return false; /* the VLAN check needs the MAC check */
    }
    if (!(filter_rar_pools(nic, frame + 6) >> pool & 1)) {
        return true;
    }
    struct nic_packet p;
    packet_parse(&p, frame, size);
    return control >> 8 & 1 && p.tagged && !(filter_vlan_pools(nic, p.tci & 0xFFF) >> pool & 1);
}

bool
l2switch_admits(struct nic *nic, unsigned pool, const uint8_t *frame, size_t size)
{
    if (!is_spoofed(nic, pool, frame, size)) {
        return true;
    }
    if (reg(nic, I82599_VMECM(pool / 32)) >> (pool % 32) & 1) {
        stats_add(nic, I82599_SSVPC, 1);
    }
    nic_guest_error(nic, NIC_ERROR_TX_SPOOF, pool);
    return false;
}

struct nic_route
l2switch_route(struct nic *nic, unsigned pool, const uint8_t *frame, size_t size)
{
    bool is_switching = vmq_is_enabled(nic) && reg(nic, I82599_PFDTXGSWC) & I82599_PFDTXGSWC_LBE && link_is_up(nic) &&
                        reg(nic, I82599_RXCTRL) & I82599_RXCTRL_RXEN;
    struct nic_route route = { .pools = 0, .wire = true };
    struct nic_packet p;
    enum nic_drop reason;
    if (!is_switching) {
        return route;
    }
    packet_parse(&p, frame, size);
    /* Tx-switched frames meet the same layer-2 filters as received ones. */
    if (filter_l2(nic, frame, &p) == NIC_DROP_NONE) {
        route.pools = vmq_pools(nic, frame, &p, (int)pool, &reason);
    }
    route.wire = !vmq_is_exact(nic, frame, &p);
    if (!(reg(nic, I82599_VMTXSW(pool / 32)) >> (pool % 32) & 1)) {
        route.pools &= ~(1ull << pool);
    }
    return route;
}
