/* Receive-Side Scaling: Toeplitz hash and redirection table ("RSS Hash Function", "Redirection Table"). */
#include "nic-model/nic_priv.h"

enum { KEY_SIZE = 40, IP_TCP = 6, IP_UDP = 17 };

static uint8_t
key_byte(const struct nic *nic, unsigned i)
{
    return (uint8_t)(reg(nic, I82599_RSSRK(i / 4)) >> (8 * (i % 4)));
}

static uint32_t
toeplitz(const struct nic *nic, const uint8_t *input, unsigned size)
{
    uint32_t hash = 0, window = 0;
    for (unsigned i = 0; i < 4; i++) {
        window = window << 8 | key_byte(nic, i);
    }
    for (unsigned i = 0; i < size; i++) {
        uint8_t next = key_byte(nic, (i + 4) % KEY_SIZE);
        for (int bit = 7; bit >= 0; bit--) {
            hash ^= input[i] >> bit & 1 ? window : 0;
            window = window << 1 | (next >> bit & 1);
        }
    }
    return hash;
}

static bool
mode_has_rss(const struct nic *nic)
{
    unsigned mode = reg(nic, I82599_MRQC) & I82599_MRQC_MRQE_MASK;
    return mode == 1 || mode == 0xA || mode == 0xB;
}

static uint8_t
hash_type(uint32_t mrqc, const struct nic_packet *p)
{
    bool is_tcp = p->l4 && p->l4_protocol == IP_TCP, is_udp = p->l4 && p->l4_protocol == IP_UDP;
    if (p->ipv4) {
        return is_tcp && mrqc & I82599_MRQC_RSS_TCPIPV4   ? I82599_RSS_TCP_IPV4
               : is_udp && mrqc & I82599_MRQC_RSS_UDPIPV4 ? I82599_RSS_UDP_IPV4
               : mrqc & I82599_MRQC_RSS_IPV4              ? I82599_RSS_IPV4
                                                          : I82599_RSS_NONE;
    }
    if (p->ipv6) {
        return is_tcp && mrqc & I82599_MRQC_RSS_TCPIPV6   ? I82599_RSS_TCP_IPV6
               : is_udp && mrqc & I82599_MRQC_RSS_UDPIPV6 ? I82599_RSS_UDP_IPV6
               : mrqc & I82599_MRQC_RSS_IPV6              ? I82599_RSS_IPV6
                                                          : I82599_RSS_NONE;
    }
    return I82599_RSS_NONE;
}

uint32_t
rss_hash(const struct nic *nic, const struct nic_packet *p, const uint8_t *frame, uint8_t *type)
{
    uint8_t input[36];
    unsigned addresses = p->ipv4 ? 8 : 32, size = addresses;
    *type = mode_has_rss(nic) ? hash_type(reg(nic, I82599_MRQC), p) : I82599_RSS_NONE;
    if (*type == I82599_RSS_NONE) {
        return 0;
    }
    for (unsigned i = 0; i < addresses; i++) {
        input[i] = frame[p->l3 + (p->ipv4 ? 12 : 8) + i];
    }
    if (*type != I82599_RSS_IPV4 && *type != I82599_RSS_IPV6) {
        for (unsigned i = 0; i < 4; i++) {
            input[size++] = frame[p->l4 + i]; /* both ports */
        }
    }
    return toeplitz(nic, input, size);
}

unsigned
rss_entry(const struct nic *nic, uint32_t hash)
{
    unsigned slot = hash & 0x7F;
    return reg(nic, I82599_RETA(slot / 4)) >> (8 * (slot % 4)) & 0xF;
}
