/* RNDIS as NVSP carries it: control requests (initialize, query, set) and data packets.
 *
 * Offsets inside a message count from the start of its body, eight bytes
 * behind the start of the message.
 */
#ifndef SPEC_VMBUS_RNDIS_H
#define SPEC_VMBUS_RNDIS_H

#include <stddef.h>
#include <stdint.h>

enum rndis_type {
    RNDIS_PACKET = 1,
    RNDIS_INITIALIZE = 2,
    RNDIS_HALT = 3,
    RNDIS_QUERY = 4,
    RNDIS_SET = 5,
    RNDIS_RESET = 6,
    RNDIS_INDICATE = 7,
    RNDIS_KEEPALIVE = 8,
};
#define RNDIS_COMPLETION 0x80000000u /* ORed to the request's type */

#define RNDIS_STATUS_SUCCESS 0x00000000u
#define RNDIS_STATUS_MEDIA_CONNECT 0x4001000Bu
#define RNDIS_STATUS_MEDIA_DISCONNECT 0x4001000Cu
#define RNDIS_STATUS_FAILURE 0xC0000001u
#define RNDIS_STATUS_NOT_SUPPORTED 0xC00000BBu
#define RNDIS_STATUS_INVALID_LENGTH 0xC0010014u
#define RNDIS_STATUS_INVALID_DATA 0xC0010015u

enum rndis_oid {
    RNDIS_OID_GEN_SUPPORTED_LIST = 0x00010101,
    RNDIS_OID_GEN_HARDWARE_STATUS = 0x00010102,
    RNDIS_OID_GEN_MEDIA_SUPPORTED = 0x00010103,
    RNDIS_OID_GEN_MAXIMUM_FRAME_SIZE = 0x00010106,
    RNDIS_OID_GEN_LINK_SPEED = 0x00010107, /* [100 bit/s] */
    RNDIS_OID_GEN_CURRENT_PACKET_FILTER = 0x0001010E,
    RNDIS_OID_GEN_MAXIMUM_TOTAL_SIZE = 0x00010111,
    RNDIS_OID_GEN_MEDIA_CONNECT_STATUS = 0x00010114, /* 0 = connected */
    RNDIS_OID_GEN_RSS_CAPABILITIES = 0x00010203,
    RNDIS_OID_GEN_FRIENDLY_NAME = 0x00020216,
    RNDIS_OID_GEN_XMIT_OK = 0x00020101,
    RNDIS_OID_GEN_RCV_OK = 0x00020102,
    RNDIS_OID_GEN_XMIT_ERROR = 0x00020103,
    RNDIS_OID_GEN_RCV_ERROR = 0x00020104,
    RNDIS_OID_GEN_RCV_NO_BUFFER = 0x00020105,
    RNDIS_OID_802_3_PERMANENT_ADDRESS = 0x01010101,
    RNDIS_OID_802_3_CURRENT_ADDRESS = 0x01010102,
    RNDIS_OID_802_3_MULTICAST_LIST = 0x01010103,
    RNDIS_OID_802_3_MAXIMUM_LIST_SIZE = 0x01010104,
};
#define RNDIS_OID_TCP_OFFLOAD_PARAMETERS 0xFC01020Cu
#define RNDIS_OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES 0xFC01020Du

enum rndis_filter {
    RNDIS_FILTER_DIRECTED = 0x1,
    RNDIS_FILTER_MULTICAST = 0x2,
    RNDIS_FILTER_ALL_MULTICAST = 0x4,
    RNDIS_FILTER_BROADCAST = 0x8,
    RNDIS_FILTER_PROMISCUOUS = 0x20,
};

struct rndis_header {
    uint32_t type;   /* enum rndis_type */
    uint32_t length; /* of the whole message [bytes] */
};
_Static_assert(sizeof(struct rndis_header) == 8, "wire");

struct rndis_packet {
    struct rndis_header header;
    uint32_t data_offset; /* from this member's own address */
    uint32_t data_length;
    uint32_t oob_offset, oob_length, oob_count;
    uint32_t ppi_offset, ppi_length;
    uint32_t vc_handle, reserved;
};
_Static_assert(sizeof(struct rndis_packet) == 44, "wire");

struct rndis_initialize {
    struct rndis_header header;
    uint32_t request;
    uint32_t major, minor;
    uint32_t max_transfer_size;
};
_Static_assert(sizeof(struct rndis_initialize) == 24, "wire");

struct rndis_initialize_complete {
    struct rndis_header header;
    uint32_t request;
    uint32_t status;
    uint32_t major, minor;
    uint32_t device_flags; /* 1 = connectionless */
    uint32_t medium;       /* 0 = 802.3 */
    uint32_t max_packets_per_message;
    uint32_t max_transfer_size;
    uint32_t alignment_factor; /* log2 */
    uint32_t address_family_offset, address_family_size;
};
_Static_assert(sizeof(struct rndis_initialize_complete) == 52, "wire");

struct rndis_query { /* and SET: the same layout */
    struct rndis_header header;
    uint32_t request;
    uint32_t oid;
    uint32_t info_length;
    uint32_t info_offset; /* from `request` */
    uint32_t vc_handle;
};
_Static_assert(sizeof(struct rndis_query) == 28, "wire");

struct rndis_query_complete {
    struct rndis_header header;
    uint32_t request;
    uint32_t status;
    uint32_t info_length;
    uint32_t info_offset; /* from `request` */
};
_Static_assert(sizeof(struct rndis_query_complete) == 24, "wire");

struct rndis_status_complete { /* SET, KEEPALIVE */
    struct rndis_header header;
    uint32_t request;
    uint32_t status;
};
_Static_assert(sizeof(struct rndis_status_complete) == 16, "wire");

/* NDIS_OFFLOAD as the TCP offload capabilities query carries it: only its
 * header has content here, because no offload is offered. */
struct ndis_object_header {
    uint8_t type;
    uint8_t revision;
    uint16_t size;
};
enum { NDIS_OBJECT_OFFLOAD = 0xA7, NDIS_OFFLOAD_SIZE_MIN = 112 };

#endif
