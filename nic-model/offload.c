/* Checksums: sums and CRCs, and what a received frame's write-back says of
 * them ("Receive Checksum Offloading", "Packet Type" in the advanced receive
 * descriptor). */
#include "nic-model/nic_priv.h"

enum { IP_TCP = 6, IP_UDP = 17, IP_SCTP = 132 };
#define CRC32_POLYNOMIAL 0xEDB88320u  /* IEEE 802.3, reflected */
#define CRC32C_POLYNOMIAL 0x82F63B78u /* Castagnoli, reflected */

uint16_t
offload_sum(const uint8_t *p, size_t size, uint32_t start)
{
    uint64_t sum = start;
    for (; size >= 2; p += 2, size -= 2) {
        sum += packet_be16(p);
    }
    if (size) {
        sum += (uint64_t)p[0] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)sum;
}

static uint32_t
crc_reflected(const uint8_t *p, size_t size, uint32_t crc, uint32_t polynomial)
{
    while (size--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        }
    }
    return crc;
}

uint32_t
offload_crc32(const uint8_t *p, size_t size)
{
    return ~crc_reflected(p, size, 0xFFFFFFFFu, CRC32_POLYNOMIAL);
}

uint32_t
offload_crc32c(const uint8_t *p, size_t size)
{
    return ~crc_reflected(p, size, 0xFFFFFFFFu, CRC32C_POLYNOMIAL);
}

/* SCTP: CRC32c over the chunk list with the checksum field as zero. */
static bool
sctp_is_good(const uint8_t *l4, size_t size)
{
    static const uint8_t zero[4];
    uint32_t stored = (uint32_t)l4[8] | (uint32_t)l4[9] << 8 | (uint32_t)l4[10] << 16 | (uint32_t)l4[11] << 24;
    uint32_t crc = crc_reflected(l4, 8, 0xFFFFFFFFu, CRC32C_POLYNOMIAL);
    crc = crc_reflected(zero, 4, crc, CRC32C_POLYNOMIAL);
    return ~crc_reflected(l4 + 12, size - 12, crc, CRC32C_POLYNOMIAL) == stored;
}

/* Sum of the pseudo header, not folded. */
static uint32_t
pseudo_header(const struct nic_packet *p, const uint8_t *frame)
{
    const uint8_t *addresses = frame + p->l3 + (p->ipv4 ? 12 : 8);
    return (uint32_t)offload_sum(addresses, p->ipv4 ? 8 : 32, 0) + p->l4_protocol + p->l4_size;
}

static uint64_t
l4_status(const struct nic_packet *p, const uint8_t *frame)
{
    const uint8_t *l4 = frame + p->l4;
    if (p->l4_protocol == IP_SCTP) {
        return I82599_RXD_L4CS | (sctp_is_good(l4, p->l4_size) ? 0 : I82599_RXD_TCPE);
    }
    if (p->l4_protocol == IP_UDP && packet_be16(l4 + 6) == 0) {
        /* No checksum: fine over IPv4, an error over IPv6. */
        return p->ipv4 ? 0 : I82599_RXD_L4CS | I82599_RXD_TCPE;
    }
    bool is_good = offload_sum(l4, p->l4_size, pseudo_header(p, frame)) == 0xFFFF;
    return I82599_RXD_L4CS | (p->l4_protocol == IP_UDP ? I82599_RXD_UDPCS : 0) | (is_good ? 0 : I82599_RXD_TCPE);
}

uint64_t
offload_rx_status(const struct nic_packet *p, const uint8_t *frame, size_t size)
{
    uint64_t status = 0;
    (void)size; /* packet_parse checked every length against it */
    if (p->ipv4) {
        size_t header = (size_t)(frame[p->l3] & 0xF) * 4;
        status |= I82599_RXD_IPCS;
        status |= offload_sum(frame + p->l3, header, 0) == 0xFFFF ? 0 : I82599_RXD_IPE;
    }
    if (p->l4 && !p->unknown_extension) {
        status |= l4_status(p, frame);
    }
    return status;
}

uint64_t
offload_rx_ptype(const struct nic_packet *p)
{
    uint64_t type = 0;
    if (p->ipv4) {
        type |= p->ip_options ? I82599_RXD_PTYPE_IPV4_OPT : I82599_RXD_PTYPE_IPV4;
    }
    if (p->ipv6) {
        type |= p->ip_options ? I82599_RXD_PTYPE_IPV6_EXT : I82599_RXD_PTYPE_IPV6;
    }
    if (p->l4) {
        type |= p->l4_protocol == IP_TCP   ? I82599_RXD_PTYPE_TCP
                : p->l4_protocol == IP_UDP ? I82599_RXD_PTYPE_UDP
                                           : I82599_RXD_PTYPE_SCTP;
    }
    return type;
}
