/* A channel's ring buffers and the packets in them.
 *
 * A channel has two rings in one GPADL: to the parent first, to the child
 * behind it.  Each is one header page and a data area; offsets in bytes wrap
 * at the data area's size.
 *
 *      header page                      data area
 *   +---------------------------+   +-------------------------------------+
 *   | write read mask pending ..|   |   packet | packet |  free            |
 *   +---------------------------+   +-------------------------------------+
 *     producer owns `write` and       ^ read            ^ write
 *     `pending`; consumer `read`
 *     and `mask`
 *
 * A packet is a multiple of eight bytes: descriptor, payload, padding, and a
 * trailer that holds the offset at which the packet began.  It is accepted
 * only if it leaves the ring not completely full.
 */
#ifndef SPEC_VMBUS_RING_H
#define SPEC_VMBUS_RING_H

#include <stddef.h>
#include <stdint.h>

struct vmbus_ring_header {
    uint32_t write_index;
    uint32_t read_index;
    uint32_t interrupt_mask;    /* 1 = the consumer is polling, do not signal */
    uint32_t pending_send_size; /* the producer waits until more than this is free */
    uint32_t reserved[12];
    uint32_t feature_bits; /* VMBUS_RING_FEATURE_* */
};
_Static_assert(offsetof(struct vmbus_ring_header, feature_bits) == 64, "wire");

enum {
    VMBUS_RING_FEATURE_PENDING_SEND_SIZE = 1,
    VMBUS_RING_HEADER_SIZE = 4096, /* the header has a page of its own */
    VMBUS_RING_TRAILER_SIZE = 8,   /* 63:32 write index where the packet began */
};

enum vmbus_packet_type {
    VMBUS_PACKET_INBAND = 6,
    VMBUS_PACKET_TRANSFER_PAGES = 7,
    VMBUS_PACKET_GPA_DIRECT = 9,
    VMBUS_PACKET_COMPLETION = 11,
};

enum { VMBUS_PACKET_COMPLETION_REQUESTED = 1 };

struct vmbus_packet_header {
    uint16_t type;     /* enum vmbus_packet_type */
    uint16_t offset8;  /* of the payload, in units of 8 bytes */
    uint16_t length8;  /* without the trailer, in units of 8 bytes */
    uint16_t flags;
    uint64_t transaction;
};
_Static_assert(sizeof(struct vmbus_packet_header) == 16, "wire");

/* Behind the header of a transfer-pages packet; ranges are into the receive buffer. */
struct vmbus_transfer_header {
    uint16_t page_set;
    uint8_t sender_owns;
    uint8_t reserved;
    uint32_t range_count;
};
_Static_assert(sizeof(struct vmbus_transfer_header) == 8, "wire");
struct vmbus_transfer_range {
    uint32_t byte_count;
    uint32_t byte_offset;
};
_Static_assert(sizeof(struct vmbus_transfer_range) == 8, "wire");

/* Behind the header of a GPA-direct packet: ranges of the child's pages. */
struct vmbus_gpa_direct_header {
    uint32_t reserved;
    uint32_t range_count;
};
_Static_assert(sizeof(struct vmbus_gpa_direct_header) == 8, "wire");
struct vmbus_gpa_range_header {
    uint32_t byte_count;
    uint32_t byte_offset; /* in the first page */
    /* uint64_t page numbers follow */
};
_Static_assert(sizeof(struct vmbus_gpa_range_header) == 8, "wire");

#endif
