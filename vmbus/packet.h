/* A packet that was copied out of a ring, taken apart.
 *
 * vmbus_packet_parse checks every offset and count against the packet's own
 * size; afterwards the ranges can be walked without further checks.  The
 * structure points into the caller's copy.
 */
#ifndef VMBUS_PACKET_H
#define VMBUS_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/vmbus/ring.h"

struct vmbus_packet {
    uint16_t type; /* enum vmbus_packet_type */
    bool wants_completion;
    uint64_t transaction;
    const uint8_t *payload;
    uint32_t payload_size;
    const uint8_t *ranges; /* GPA direct, transfer pages: the first range */
    uint32_t range_count;
    uint16_t page_set;     /* transfer pages */
};

/* A range of the peer's memory: 'page_count' page numbers, unaligned in memory. */
struct vmbus_gpa_range {
    uint32_t byte_count;
    uint32_t byte_offset; /* in the first page, below 4096 */
    uint32_t page_count;
    const uint8_t *pages;
};

/* False: malformed; the packet must be treated as a protocol violation. */
bool vmbus_packet_parse(const void *bytes, uint32_t size, struct vmbus_packet *);

/* The range at *cursor (start with packet->ranges), and moves the cursor. */
struct vmbus_gpa_range vmbus_packet_gpa_range(const uint8_t **cursor);
uint64_t vmbus_gpa_range_page(const struct vmbus_gpa_range *, uint32_t i);
struct vmbus_transfer_range vmbus_packet_transfer_range(const struct vmbus_packet *, uint32_t i);

#endif
