/* One end of a ring buffer (layout: spec/vmbus/ring.h).
 *
 * The peer can write anything into the shared pages at any time, so three
 * rules hold here.  First, our own index lives in this structure; the shared
 * copy is written, never read back.  Second, the peer's index is read once per
 * use and checked; a ring whose peer breaks the rules is `broken` from then on
 * and moves nothing more.  Third, a packet is copied out before anybody looks
 * into it.
 *
 * Producer:  put, put, ..., publish (tells whether to signal the peer).
 * Consumer:  get, get, ..., release (tells whether to signal the peer);
 *            mask while polling, unmask before going to sleep, and poll again
 *            when unmask says that something came in between.
 *
 * Sizes are bytes.  Nothing here allocates, blocks or signals.
 */
#ifndef VMBUS_RING_H
#define VMBUS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spec/vmbus/ring.h"

struct vmbus_ring {
    volatile struct vmbus_ring_header *header; /* shared */
    uint8_t *data;                             /* shared */
    uint32_t size;    /* of the data area */
    uint32_t index;   /* our own: where we write or read next */
    uint32_t shown;   /* our index as the peer knows it */
    bool broken;      /* the peer violated the protocol */
    bool waiting;     /* producer: the peer knows that we wait for room */
};

/* What put writes: header, descriptor (directly behind the header), payload. */
struct vmbus_send {
    uint16_t type;  /* enum vmbus_packet_type */
    uint16_t flags;
    uint64_t transaction;
    const void *descriptor;
    uint32_t descriptor_size; /* a multiple of 8 */
    const void *payload;
    uint32_t payload_size;
};

enum vmbus_ring_result { VMBUS_RING_PACKET, VMBUS_RING_EMPTY, VMBUS_RING_BROKEN };

/* 'memory' is pages*4096 bytes, the header page first. False if there is no room for data. */
bool vmbus_ring_attach(struct vmbus_ring *, void *memory, uint32_t pages);

/* --- producer --- */

/* Free bytes; a packet of vmbus_ring_packet_size() fits if this is larger. */
uint32_t vmbus_ring_room(struct vmbus_ring *);
/* With descriptor, padding and trailer. */
uint32_t vmbus_ring_packet_size(uint32_t descriptor_size, uint32_t payload_size);
/* False: no room (or broken); nothing was written. Not visible before publish. */
bool vmbus_ring_put(struct vmbus_ring *, const struct vmbus_send *);
/* True: the peer sleeps and must be signalled. */
bool vmbus_ring_publish(struct vmbus_ring *);
/* Ask the consumer to signal once more than 'size' is free. True: it is already. */
bool vmbus_ring_wait_for_room(struct vmbus_ring *, uint32_t size);

/* --- consumer --- */

/* Copies the next packet (descriptor and payload, no trailer) out. A packet
 * longer than 'capacity' is a protocol violation. */
enum vmbus_ring_result vmbus_ring_get(struct vmbus_ring *, void *packet, uint32_t capacity,
                                      uint32_t *size);
/* Shows the peer what was consumed. True: it waits for room and must be signalled. */
bool vmbus_ring_release(struct vmbus_ring *);
void vmbus_ring_mask(struct vmbus_ring *);
/* True: there is something to read after all. */
bool vmbus_ring_unmask(struct vmbus_ring *);

#endif
