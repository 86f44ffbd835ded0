/* RNDIS control messages: initialize, query, set, keep-alive, halt. */
#include "vsp/net/netvsp_priv.h"
#include "vsp/nic/buffer.h"

enum { LINK_SPEED = 100000000 /* 10 Gbit/s in 100 bit/s */, MULTICAST_LIST_MAX = 64 };

struct answer { /* to a query: up to the size of the biggest object */
    uint8_t bytes[NDIS_OFFLOAD_SIZE_MIN];
    uint32_t size;
};

static uint32_t answer_u32(struct answer *a, uint32_t value)
{
    bytes_copy(a->bytes, &value, sizeof value);
    a->size = sizeof value;
    return RNDIS_STATUS_SUCCESS;
}

static uint32_t answer_bytes(struct answer *a, const void *bytes, uint32_t size)
{
    bytes_copy(a->bytes, bytes, size);
    a->size = size;
    return RNDIS_STATUS_SUCCESS;
}

/* No offload is offered: an object of the right shape, all zero. */
static uint32_t answer_offload(struct answer *a)
{
    struct ndis_object_header header = { .type = NDIS_OBJECT_OFFLOAD, .revision = 1, .size = NDIS_OFFLOAD_SIZE_MIN };
    bytes_zero(a->bytes, NDIS_OFFLOAD_SIZE_MIN);
    answer_bytes(a, &header, sizeof header);
    a->size = NDIS_OFFLOAD_SIZE_MIN;
    return RNDIS_STATUS_SUCCESS;
}

static uint32_t query(struct netvsp *n, uint32_t oid, struct answer *a)
{
    static const uint32_t supported[] = {
        RNDIS_OID_GEN_SUPPORTED_LIST, RNDIS_OID_GEN_HARDWARE_STATUS, RNDIS_OID_GEN_MAXIMUM_FRAME_SIZE,
        RNDIS_OID_GEN_LINK_SPEED, RNDIS_OID_GEN_CURRENT_PACKET_FILTER, RNDIS_OID_GEN_MAXIMUM_TOTAL_SIZE,
        RNDIS_OID_GEN_MEDIA_CONNECT_STATUS, RNDIS_OID_GEN_XMIT_OK, RNDIS_OID_GEN_RCV_OK,
        RNDIS_OID_GEN_XMIT_ERROR, RNDIS_OID_GEN_RCV_ERROR, RNDIS_OID_GEN_RCV_NO_BUFFER,
        RNDIS_OID_802_3_PERMANENT_ADDRESS, RNDIS_OID_802_3_CURRENT_ADDRESS,
        RNDIS_OID_802_3_MAXIMUM_LIST_SIZE, RNDIS_OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
    };
    switch (oid) {
    case RNDIS_OID_GEN_SUPPORTED_LIST:
        return answer_bytes(a, supported, sizeof supported);
    case RNDIS_OID_GEN_HARDWARE_STATUS:
    case RNDIS_OID_GEN_MEDIA_SUPPORTED:
        return answer_u32(a, 0); /* ready; 802.3 */
    case RNDIS_OID_GEN_MEDIA_CONNECT_STATUS:
        return answer_u32(a, 0); /* connected */
    case RNDIS_OID_GEN_MAXIMUM_FRAME_SIZE:
        return answer_u32(a, n->info.mtu);
    case RNDIS_OID_GEN_MAXIMUM_TOTAL_SIZE:
        return answer_u32(a, n->info.mtu + NICDRV_FRAME_OVERHEAD);
    case RNDIS_OID_GEN_LINK_SPEED:
        return answer_u32(a, LINK_SPEED);
    case RNDIS_OID_GEN_CURRENT_PACKET_FILTER:
        return answer_u32(a, n->filter);
    case RNDIS_OID_GEN_XMIT_OK:
        return answer_u32(a, (uint32_t)n->stats.tx_frames);
    case RNDIS_OID_GEN_RCV_OK:
        return answer_u32(a, (uint32_t)n->stats.rx_frames);
    case RNDIS_OID_GEN_XMIT_ERROR:
        return answer_u32(a, (uint32_t)n->stats.tx_errors);
    case RNDIS_OID_GEN_RCV_ERROR:
        return answer_u32(a, 0);
    case RNDIS_OID_GEN_RCV_NO_BUFFER:
        return answer_u32(a, (uint32_t)n->stats.rx_dropped);
    case RNDIS_OID_802_3_PERMANENT_ADDRESS:
    case RNDIS_OID_802_3_CURRENT_ADDRESS:
        return answer_bytes(a, n->info.mac, sizeof n->info.mac);
    case RNDIS_OID_802_3_MAXIMUM_LIST_SIZE:
        return answer_u32(a, MULTICAST_LIST_MAX);
    case RNDIS_OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES:
        return answer_offload(a);
    default:
        return RNDIS_STATUS_NOT_SUPPORTED;
    }
}

static uint32_t set(struct netvsp *n, uint32_t oid, const uint8_t *info, uint32_t size)
{
    switch (oid) {
    case RNDIS_OID_GEN_CURRENT_PACKET_FILTER:
        if (size < sizeof n->filter)
            return RNDIS_STATUS_INVALID_LENGTH;
        n->filter = load32(info);
        if (n->filter != 0)
            netvsp_receive_start(n);
        else
            netvsp_receive_stop(n);
        return RNDIS_STATUS_SUCCESS;
    case RNDIS_OID_802_3_MULTICAST_LIST: /* all multicast frames are given to the child */
    case RNDIS_OID_TCP_OFFLOAD_PARAMETERS:
        return RNDIS_STATUS_SUCCESS;
    default:
        return RNDIS_STATUS_NOT_SUPPORTED;
    }
}

static uint32_t on_initialize(struct netvsp *n, const uint8_t *bytes, uint8_t *response)
{
    struct rndis_initialize request;
    bytes_copy(&request, bytes, sizeof request);
    struct rndis_initialize_complete complete = {
        .header = { RNDIS_INITIALIZE | RNDIS_COMPLETION, sizeof complete },
        .request = request.request,
        .status = RNDIS_STATUS_SUCCESS,
        .major = 1,
        .device_flags = 1,
        .max_packets_per_message = NETVSP_FRAMES_PER_MESSAGE,
        .max_transfer_size = 0x4000,
        .alignment_factor = 3,
    };
    bytes_copy(response, &complete, sizeof complete);
    netvsp_announce_vf(n);
    return sizeof complete;
}

/* The information buffer of a query or set, inside the message; false: it is not. */
static bool info_of(const struct rndis_query *q, uint32_t size, uint32_t *at)
{
    uint64_t start = (uint64_t)sizeof(struct rndis_header) + q->info_offset;
    *at = q->info_length ? (uint32_t)start : 0;
    return q->info_length == 0 || (start >= sizeof *q && start + q->info_length <= size);
}

static uint32_t on_query(struct netvsp *n, const uint8_t *bytes, uint32_t size, uint8_t *response)
{
    struct rndis_query request;
    struct answer answer = { .size = 0 };
    uint32_t at;
    bytes_copy(&request, bytes, sizeof request);
    struct rndis_query_complete complete = {
        .header.type = RNDIS_QUERY | RNDIS_COMPLETION,
        .request = request.request,
        .status = info_of(&request, size, &at) ? query(n, request.oid, &answer) : RNDIS_STATUS_INVALID_DATA,
    };
    if (complete.status == RNDIS_STATUS_SUCCESS) {
        complete.info_length = answer.size;
        complete.info_offset = sizeof complete - sizeof complete.header;
    }
    complete.header.length = (uint32_t)sizeof complete + complete.info_length;
    bytes_copy(response, &complete, sizeof complete);
    bytes_copy(response + sizeof complete, answer.bytes, complete.info_length);
    return complete.header.length;
}

static uint32_t status_answer(uint8_t *response, uint32_t type, uint32_t request, uint32_t status)
{
    struct rndis_status_complete complete = {
        .header = { type | RNDIS_COMPLETION, sizeof complete }, .request = request, .status = status,
    };
    bytes_copy(response, &complete, sizeof complete);
    return sizeof complete;
}

static uint32_t on_set(struct netvsp *n, const uint8_t *bytes, uint32_t size, uint8_t *response)
{
    struct rndis_query request;
    uint32_t at;
    bytes_copy(&request, bytes, sizeof request);
    uint32_t status = info_of(&request, size, &at) ? set(n, request.oid, bytes + at, request.info_length)
                                                   : RNDIS_STATUS_INVALID_DATA;
    return status_answer(response, RNDIS_SET, request.request, status);
}

uint32_t netvsp_rndis_control(struct netvsp *n, const uint8_t *request, uint32_t size, uint8_t *response)
{
    struct rndis_status_complete head; /* type, length, request id: common to all */
    if (size < sizeof(struct rndis_header) + sizeof(uint32_t))
        return 0;
    bytes_zero(&head, sizeof head);
    bytes_copy(&head, request, size < sizeof head ? size : sizeof head);
    if (head.header.length < size)
        size = head.header.length;
    switch (head.header.type) {
    case RNDIS_INITIALIZE:
        return size >= sizeof(struct rndis_initialize) ? on_initialize(n, request, response) : 0;
    case RNDIS_QUERY:
        return size >= sizeof(struct rndis_query) - 4 ? on_query(n, request, size, response) : 0;
    case RNDIS_SET:
        return size >= sizeof(struct rndis_query) - 4 ? on_set(n, request, size, response) : 0;
    case RNDIS_KEEPALIVE:
    case RNDIS_RESET:
        return status_answer(response, head.header.type, head.request, RNDIS_STATUS_SUCCESS);
    case RNDIS_HALT:
        netvsp_receive_stop(n);
        return 0;
    default:
        svc_count(LAB_PROTOCOL_VIOLATIONS, 1);
        return 0;
    }
}
