#include "vmbus/ring.h"

#include "vmbus/bytes.h"

enum { PACKET_ALIGN = 8, PACKET_SIZE_MIN = sizeof(struct vmbus_packet_header) };

bool vmbus_ring_attach(struct vmbus_ring *ring, void *memory, uint32_t pages)
{
    bytes_zero(ring, sizeof *ring);
    if (pages < 2)
        return false;
    ring->header = memory;
    ring->data = (uint8_t *)memory + VMBUS_RING_HEADER_SIZE;
    ring->size = (pages - 1) * VMBUS_RING_HEADER_SIZE;
    return true;
}

/* The peer's index if it is one, else the ring is broken and looks full to a
 * producer and empty to a consumer (our own index). */
static uint32_t peer_index(struct vmbus_ring *ring, uint32_t shared)
{
    if (shared >= ring->size || shared % PACKET_ALIGN != 0)
        ring->broken = true;
    return ring->broken ? ring->index : shared;
}

static uint32_t distance(const struct vmbus_ring *ring, uint32_t from, uint32_t to)
{
    return to >= from ? to - from : ring->size - from + to;
}

static uint32_t advance(const struct vmbus_ring *ring, uint32_t index, uint32_t by)
{
    index += by;
    return index >= ring->size ? index - ring->size : index;
}

/* --- producer ---------------------------------------------------------------- */

uint32_t vmbus_ring_room(struct vmbus_ring *ring)
{
    uint32_t read = peer_index(ring, ring->header->read_index);
    if (ring->broken)
        return 0;
    return ring->size - distance(ring, read, ring->index);
}

static uint32_t round_up8(uint32_t size)
{
    return (size + PACKET_ALIGN - 1) & ~(uint32_t)(PACKET_ALIGN - 1);
}

uint32_t vmbus_ring_packet_size(uint32_t descriptor_size, uint32_t payload_size)
{
    return PACKET_SIZE_MIN + round_up8(descriptor_size) + round_up8(payload_size) +
           VMBUS_RING_TRAILER_SIZE;
}

static uint32_t write_bytes(struct vmbus_ring *ring, uint32_t at, const void *from, uint32_t size)
{
    uint32_t first = ring->size - at;
    if (first > size)
        first = size;
    bytes_copy(ring->data + at, from, first);
    if (size > first)
        bytes_copy(ring->data, (const uint8_t *)from + first, size - first);
    return advance(ring, at, size);
}

bool vmbus_ring_put(struct vmbus_ring *ring, const struct vmbus_send *send)
{
    uint32_t total = vmbus_ring_packet_size(send->descriptor_size, send->payload_size);
    if (vmbus_ring_room(ring) <= total)
        return false;
    uint32_t payload_at = PACKET_SIZE_MIN + round_up8(send->descriptor_size);
    struct vmbus_packet_header header = {
        .type = send->type,
        .offset8 = (uint16_t)(payload_at / PACKET_ALIGN),
        .length8 = (uint16_t)((total - VMBUS_RING_TRAILER_SIZE) / PACKET_ALIGN),
        .flags = send->flags,
        .transaction = send->transaction,
    };
    uint64_t trailer = (uint64_t)ring->index << 32, padding = 0;
    uint32_t at = write_bytes(ring, ring->index, &header, sizeof header);
    at = write_bytes(ring, at, send->descriptor, send->descriptor_size);
    at = write_bytes(ring, at, send->payload, send->payload_size);
    at = write_bytes(ring, at, &padding, round_up8(send->payload_size) - send->payload_size);
    ring->index = write_bytes(ring, at, &trailer, sizeof trailer);
    if (ring->waiting) {
        ring->header->pending_send_size = 0;
        ring->waiting = false;
    }
    return true;
}

bool vmbus_ring_publish(struct vmbus_ring *ring)
{
    if (ring->index == ring->shown || ring->broken)
        return false;
    uint32_t before = ring->shown;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring->header->write_index = ring->index;
    ring->shown = ring->index;
    /* The index must be visible before we look whether the peer sleeps: it
     * unmasks first and looks at the index afterwards. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring->header->interrupt_mask != 0)
        return false;
    return ring->header->read_index == before;
}

bool vmbus_ring_wait_for_room(struct vmbus_ring *ring, uint32_t size)
{
    ring->header->pending_send_size = size;
    ring->waiting = true;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (vmbus_ring_room(ring) <= size)
        return false;
    ring->header->pending_send_size = 0;
    ring->waiting = false;
    return true;
}

/* --- consumer ---------------------------------------------------------------- */

static void read_bytes(const struct vmbus_ring *ring, uint32_t at, void *to, uint32_t size)
{
    uint32_t first = ring->size - at;
    if (first > size)
        first = size;
    bytes_copy(to, ring->data + at, first);
    if (size > first)
        bytes_copy((uint8_t *)to + first, ring->data, size - first);
}

static enum vmbus_ring_result broken(struct vmbus_ring *ring)
{
    ring->broken = true;
    return VMBUS_RING_BROKEN;
}

enum vmbus_ring_result vmbus_ring_get(struct vmbus_ring *ring, void *packet, uint32_t capacity,
                                      uint32_t *size)
{
    uint32_t write = peer_index(ring, ring->header->write_index);
    if (ring->broken)
        return VMBUS_RING_BROKEN;
    uint32_t available = distance(ring, ring->index, write);
    if (available == 0)
        return VMBUS_RING_EMPTY;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    struct vmbus_packet_header header;
    if (available < sizeof header + VMBUS_RING_TRAILER_SIZE)
        return broken(ring);
    read_bytes(ring, ring->index, &header, sizeof header);
    uint32_t length = (uint32_t)header.length8 * PACKET_ALIGN;
    if (length < sizeof header || length > capacity ||
        length > available - VMBUS_RING_TRAILER_SIZE)
        return broken(ring);
    /* The header is copied once only: the peer may have changed it meanwhile. */
    bytes_copy(packet, &header, sizeof header);
    read_bytes(ring, advance(ring, ring->index, sizeof header),
               (uint8_t *)packet + sizeof header, length - (uint32_t)sizeof header);
    ring->index = advance(ring, ring->index, length + VMBUS_RING_TRAILER_SIZE);
    *size = length;
    return VMBUS_RING_PACKET;
}

bool vmbus_ring_release(struct vmbus_ring *ring)
{
    if (ring->index == ring->shown || ring->broken)
        return false;
    uint32_t before = ring->shown;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* reads of the data before the space is given back */
    ring->header->read_index = ring->index;
    ring->shown = ring->index;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint32_t pending = ring->header->pending_send_size;
    if (pending == 0)
        return false;
    uint32_t write = peer_index(ring, ring->header->write_index);
    if (ring->broken)
        return false;
    uint32_t free_before = ring->size - distance(ring, before, write);
    uint32_t free_now = ring->size - distance(ring, ring->index, write);
    return free_before <= pending && free_now > pending;
}

void vmbus_ring_mask(struct vmbus_ring *ring)
{
    ring->header->interrupt_mask = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool vmbus_ring_unmask(struct vmbus_ring *ring)
{
    ring->header->interrupt_mask = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return peer_index(ring, ring->header->write_index) != ring->index;
}
