/* What the headers of a frame say, as far as filters and offloads care.
 * Nothing in a frame is trusted: every length is checked against its end. */
#include "nic-model/nic_priv.h"

enum { ETHER_VLAN = 0x8100, ETHER_IPV4 = 0x0800, ETHER_IPV6 = 0x86DD, ETHER_TYPE_MIN = 0x600 };
enum { IP_TCP = 6, IP_UDP = 17, IP_SCTP = 132, IP6_HOPOPTS = 0, IP6_ROUTING = 43, IP6_FRAGMENT = 44, IP6_DSTOPTS = 60 };

bool
packet_is_broadcast(const uint8_t *frame)
{
    return (frame[0] & frame[1] & frame[2] & frame[3] & frame[4] & frame[5]) == 0xFF;
}

static bool
protocol_has_checksum(uint8_t protocol)
{
    return protocol == IP_TCP || protocol == IP_UDP || protocol == IP_SCTP;
}

static void
set_l4(struct nic_packet *p, uint8_t protocol, size_t offset, size_t size)
{
    p->l4_protocol = protocol;
    p->l4_size = (uint16_t)size;
    if (protocol_has_checksum(protocol) && !p->fragment) {
        size_t minimum = protocol == IP_TCP ? 20 : protocol == IP_UDP ? 8 : 12;
        p->l4 = size >= minimum ? (uint16_t)offset : 0;
    }
}

static void
parse_ipv4(struct nic_packet *p, const uint8_t *ip, size_t size)
{
    size_t header = (size_t)(ip[0] & 0xF) * 4;
    size_t total = size >= 20 ? packet_be16(ip + 2) : 0;
    if (size < 20 || ip[0] >> 4 != 4 || header < 20 || header > size || total < header || total > size) {
        return;
    }
    p->ipv4 = 1;
    p->ip_options = header > 20;
    p->fragment = (packet_be16(ip + 6) & 0x3FFF) != 0; /* MF or an offset */
    set_l4(p, ip[9], p->l3 + header, total - header);
}

static void
parse_ipv6(struct nic_packet *p, const uint8_t *ip, size_t size)
{
    if (size < 40 || ip[0] >> 4 != 6) {
        return;
    }
    size_t end = 40u + packet_be16(ip + 4);
    size_t at = 40;
    uint8_t next = ip[6];
    if (end > size) {
        return;
    }
    p->ipv6 = 1;
    while (next == IP6_HOPOPTS || next == IP6_ROUTING || next == IP6_DSTOPTS || next == IP6_FRAGMENT) {
        if (at + 8 > end) {
            return;
        }
        p->ip_options = 1;
        p->fragment |= next == IP6_FRAGMENT;
        size_t length = next == IP6_FRAGMENT ? 8 : 8u * (ip[at + 1] + 1u);
        next = ip[at];
        at += length;
        if (at > end) {
            return;
        }
    }
    p->unknown_extension = !protocol_has_checksum(next);
    set_l4(p, next, p->l3 + at, end - at);
}

void
packet_parse(struct nic_packet *p, const uint8_t *frame, size_t size)
{
    *p = (struct nic_packet){ 0 };
    if (size < 14) {
        return;
    }
    size_t at = 12;
    uint16_t type = packet_be16(frame + at);
    if (type == ETHER_VLAN && size >= 18) {
        p->tagged = 1;
        p->tci = packet_be16(frame + 14);
        at = 16;
        type = packet_be16(frame + at);
    }
    p->l3 = (uint16_t)(at + 2);
    p->ether_type = type >= ETHER_TYPE_MIN ? type : 0;
    if (type == ETHER_IPV4) {
        parse_ipv4(p, frame + p->l3, size - p->l3);
    } else if (type == ETHER_IPV6) {
        parse_ipv6(p, frame + p->l3, size - p->l3);
    }
}
