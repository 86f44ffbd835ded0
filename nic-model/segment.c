/* From a packet in the segmenter to the frames that leave: offload checks,
 * segmentation, checksum and tag insertion ("Transmit Checksum Offloading",
 * "Transmit Segmentation", "VLAN Tag Insertion").
 *
 *   payload:  | MAC | IP | L4 | data ....................... |
 *   frame n:  | MAC | IP'| L4'| data[n*MSS .. (n+1)*MSS) |
 */
#include <string.h>

#include "nic-model/nic_priv.h"

enum { ETHER_MIN = 60, ETHER_HEADER = 14, TAG_OFFSET = 12, TAG_SIZE = 4, IP_CHECKSUM = 10, IPV4_MIN = 20, IPV6_MIN = 40 };
enum { TCP_SEQ = 4, TCP_FLAGS = 12, TCP_CHECKSUM = 16, TCP_MIN = 20, UDP_LENGTH = 4, UDP_CHECKSUM = 6, UDP_MIN = 8,
       SCTP_CHECKSUM = 8, SCTP_MIN = 12 };
enum { VLANA_ALWAYS = 1, VLANA_NEVER = 2 };

/* A packet's offload request, decoded. */
struct request {
    bool is_legacy, has_ip_sum, has_l4_sum, is_tso, is_ipv4;
    uint32_t mac, ip, l4, mss; /* header lengths [bytes] */
    unsigned l4_type;
    uint64_t hi;               /* first data descriptor */
    uint64_t last_hi;          /* the one with EOP */
    uint16_t tag;
};

static struct request
decode(const struct nic_tx_job *job)
{
    struct request r = { 0 };
    uint32_t i = 0;
    while ((job->desc[i].hi & (I82599_TXD_DEXT | I82599_TXD_DTYP_MASK)) == (I82599_TXD_DEXT | I82599_TXD_DTYP_CONTEXT)) {
        i++; /* a job ends with a data descriptor */
    }
    r.hi = job->desc[i].hi;
    r.last_hi = job->desc[job->count - 1].hi;
    r.is_legacy = !(r.hi & I82599_TXD_DEXT);
    if (r.is_legacy) {
        r.tag = (uint16_t)(r.hi >> I82599_TXL_VLAN_SHIFT);
        return r;
    }
    const struct nic_tx_context *c = &job->context;
    r.has_ip_sum = r.hi & I82599_TXD_IXSM;
    r.has_l4_sum = r.hi & I82599_TXD_TXSM;
    r.is_tso = r.hi & I82599_TXD_TSE;
    r.is_ipv4 = c->hi & I82599_TXC_IPV4;
    r.mac = (uint32_t)(c->lo >> I82599_TXC_MACLEN_SHIFT & 0x7F);
    r.ip = (uint32_t)(c->lo & I82599_TXC_IPLEN);
    r.l4 = (uint32_t)(c->hi >> I82599_TXC_L4LEN_SHIFT & 0xFF);
    r.mss = (uint32_t)(c->hi >> I82599_TXC_MSS_SHIFT);
    r.l4_type = (unsigned)(c->hi >> I82599_TXC_L4T_SHIFT & 3);
    r.tag = (uint16_t)(c->lo >> I82599_TXC_VLAN_SHIFT);
    return r;
}

/* --- checks --------------------------------------------------------------------------- */

static uint32_t
l4_minimum(unsigned type)
{
    return type == I82599_L4T_TCP ? TCP_MIN : type == I82599_L4T_UDP ? UDP_MIN : SCTP_MIN;
}

static bool
headers_fit(const struct request *r, uint32_t total)
{
    uint32_t ip_minimum = r->is_ipv4 ? IPV4_MIN : r->is_tso ? IPV6_MIN : 0;
    if ((r->has_ip_sum || r->is_tso) && (r->ip < ip_minimum || r->mac < ETHER_HEADER || r->mac + r->ip > total)) {
        return false;
    }
    if (r->has_l4_sum || r->is_tso) {
        return r->l4_type != I82599_L4T_RSV && r->mac + r->ip + l4_minimum(r->l4_type) <= total;
    }
    return true;
}

static bool
segments_fit(const struct request *r, uint32_t total)
{
    uint32_t header = r->mac + r->ip + r->l4;
    return r->l4_type != I82599_L4T_SCTP && r->l4 >= l4_minimum(r->l4_type) && r->mss > 0 && header < total &&
           header + r->mss <= NIC_TX_BUFFER_MAX && (r->hi >> I82599_TXD_PAYLEN_SHIFT) == total - header &&
           total <= NIC_TX_PAYLOAD_MAX;
}

bool
segment_check(struct nic *nic, const struct nic_tx_job *job)
{
    struct request r = decode(job);
    bool is_length_good = job->total > ETHER_HEADER && (r.is_tso || job->total <= NIC_TX_BUFFER_MAX);
    if (!is_length_good) {
        nic_guest_error(nic, NIC_ERROR_TX_LENGTH, (uint64_t)job->queue << 32 | job->total);
        return false;
    }
    if (!headers_fit(&r, job->total) || (r.is_tso && !segments_fit(&r, job->total))) {
        nic_guest_error(nic, NIC_ERROR_TX_CONTEXT, (uint64_t)job->queue << 32 | (r.mac + r.ip + r.l4));
        return false;
    }
    return true;
}

/* --- checksums ---------------------------------------------------------------------------- */

static void
put_ip_sum(uint8_t *ip, uint32_t size)
{
    packet_put_be16(ip + IP_CHECKSUM, 0);
    packet_put_be16(ip + IP_CHECKSUM, (uint16_t)~offload_sum(ip, size, 0));
}

/* The checksum field already holds the pseudo header's sum (without the length
 * when segmenting: 'extra' is that length then). */
static void
put_l4_sum(uint8_t *l4, uint32_t size, unsigned type, uint32_t extra)
{
    if (type == I82599_L4T_SCTP) {
        memset(l4 + SCTP_CHECKSUM, 0, 4);
        uint32_t crc = offload_crc32c(l4, size);
        memcpy(l4 + SCTP_CHECKSUM, &crc, 4);
        return;
    }
    uint16_t sum = (uint16_t)~offload_sum(l4, size, extra);
    if (type == I82599_L4T_UDP && sum == 0) {
        sum = 0xFFFF;
    }
    packet_put_be16(l4 + (type == I82599_L4T_TCP ? TCP_CHECKSUM : UDP_CHECKSUM), sum);
}

static void
legacy_checksum(uint8_t *frame, uint32_t size, uint64_t hi)
{
    uint32_t offset = hi >> I82599_TXL_CSO_SHIFT & 0xFF, start = hi >> I82599_TXL_CSS_SHIFT & 0xFF;
    if (hi & I82599_TXL_IC && start < size && offset + 2 <= size) {
        packet_put_be16(frame + offset, (uint16_t)~offload_sum(frame + start, size - start, 0));
    }
}

/* --- frames ------------------------------------------------------------------------------------ */

static void
whole_frame(struct nic *nic, const struct request *r)
{
    struct nic_tx *tx = &nic->tx;
    uint32_t size = tx->payload_size;
    memcpy(tx->frame, tx->payload, size);
    tx->frame_size = size;
    tx->payload_done = size;
    if (r->is_legacy) {
        legacy_checksum(tx->frame, size, r->hi);
    }
    if (r->has_ip_sum && r->is_ipv4) {
        put_ip_sum(tx->frame + r->mac, r->ip);
    }
    if (r->has_l4_sum) {
        put_l4_sum(tx->frame + r->mac + r->ip, size - r->mac - r->ip, r->l4_type, 0);
    }
}

/* DTXTCPFLG keeps flags of the first, middle and last segment; an only segment is first and last. */
static uint32_t
tcp_flag_mask(const struct nic *nic, bool is_first, bool is_last)
{
    uint32_t low = reg(nic, I82599_DTXTCPFLGL), mask = 0;
    mask |= is_first ? low & 0xFFF : 0;
    mask |= is_last ? reg(nic, I82599_DTXTCPFLGH) & 0xFFF : 0;
    return is_first || is_last ? mask : low >> 16 & 0xFFF;
}

static void
update_tcp(const struct nic *nic, uint8_t *tcp, uint32_t done, bool is_last)
{
    uint32_t seq = (uint32_t)packet_be16(tcp + TCP_SEQ) << 16 | packet_be16(tcp + TCP_SEQ + 2);
    uint16_t flags = packet_be16(tcp + TCP_FLAGS);
    seq += done;
    packet_put_be16(tcp + TCP_SEQ, (uint16_t)(seq >> 16));
    packet_put_be16(tcp + TCP_SEQ + 2, (uint16_t)seq);
    packet_put_be16(tcp + TCP_FLAGS, (uint16_t)(flags & (0xF000 | tcp_flag_mask(nic, done == 0, is_last))));
}

static void
update_ip(uint8_t *ip, const struct request *r, uint32_t l4_size, uint32_t segment)
{
    if (r->is_ipv4) {
        packet_put_be16(ip + 2, (uint16_t)(r->ip + l4_size));
        packet_put_be16(ip + 4, (uint16_t)(packet_be16(ip + 4) + segment));
        put_ip_sum(ip, r->ip);
    } else {
        packet_put_be16(ip + 4, (uint16_t)(r->ip - IPV6_MIN + l4_size));
    }
}

static void
next_segment(struct nic *nic, const struct request *r)
{
    struct nic_tx *tx = &nic->tx;
    uint32_t header = r->mac + r->ip + r->l4;
    uint32_t done = tx->payload_done ? tx->payload_done - header : 0; /* data bytes already sent */
    uint32_t left = tx->payload_size - header - done, length = left < r->mss ? left : r->mss;
    uint8_t *ip = tx->frame + r->mac, *l4 = ip + r->ip;
    memcpy(tx->frame, tx->payload, header);
    memcpy(tx->frame + header, tx->payload + header + done, length);
    update_ip(ip, r, r->l4 + length, tx->segment);
    if (r->l4_type == I82599_L4T_TCP) {
        update_tcp(nic, l4, done, left == length);
    } else {
        packet_put_be16(l4 + UDP_LENGTH, (uint16_t)(r->l4 + length));
    }
    put_l4_sum(l4, r->l4 + length, r->l4_type, r->l4 + length);
    tx->frame_size = header + length;
    tx->payload_done = header + done + length;
    tx->segment++;
}

/* The tag to insert, or -1; -2: the pool may not send this packet. */
static int
tag_of(const struct nic *nic, const struct request *r, unsigned pool)
{
    uint32_t vmvir = reg(nic, I82599_VMVIR(pool));
    bool is_asked = r->last_hi & I82599_TXD_VLE;
    switch (vmvir >> I82599_VMVIR_VLANA_SHIFT) {
    case VLANA_ALWAYS:
        return is_asked ? -2 : (int)(vmvir & I82599_VMVIR_TAG_MASK);
    case VLANA_NEVER:
        return -1;
    default:
        return is_asked ? r->tag : -1;
    }
}

static void
insert_tag(struct nic *nic, uint16_t tag)
{
    struct nic_tx *tx = &nic->tx;
    memmove(tx->frame + TAG_OFFSET + TAG_SIZE, tx->frame + TAG_OFFSET, tx->frame_size - TAG_OFFSET);
    packet_put_be16(tx->frame + TAG_OFFSET, (uint16_t)(reg(nic, I82599_DMATXCTL) >> I82599_DMATXCTL_VT_SHIFT));
    packet_put_be16(tx->frame + TAG_OFFSET + 2, tag);
    tx->frame_size += TAG_SIZE;
}

void
segment_next(struct nic *nic, const struct nic_tx_job *job)
{
    struct nic_tx *tx = &nic->tx;
    struct request r = decode(job);
    int tag = tag_of(nic, &r, vmq_pool_of_tx(nic, job->queue));
    if (tag == -2) {
        nic_guest_error(nic, NIC_ERROR_TX_SPOOF, vmq_pool_of_tx(nic, job->queue));
        tx->payload_done = tx->payload_size;
        return;
    }
    if (r.is_tso) {
        next_segment(nic, &r);
    } else {
        whole_frame(nic, &r);
    }
    if (tag >= 0) {
        insert_tag(nic, (uint16_t)tag);
    }
    if (tx->frame_size < ETHER_MIN && reg(nic, I82599_HLREG0) & I82599_HLREG0_TXPADEN) {
        memset(tx->frame + tx->frame_size, 0, ETHER_MIN - tx->frame_size);
        tx->frame_size = ETHER_MIN;
    }
}
