/* A packet buffer: frames in order, bytes charged as silicon charges them.
 *
 * The store is larger than the largest packet buffer, so a frame that would
 * wrap simply starts again at the front; whether a frame fits the packet
 * buffer is the caller's question (charged bytes against RXPBSIZE, TXPBSIZE).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nic-model/nic_priv.h"

bool
fifo_init(struct nic_fifo *f, uint32_t store_size, uint32_t frame_capacity)
{
    *f = (struct nic_fifo){ .store_size = store_size, .frame_capacity = frame_capacity };
    f->store = calloc(store_size, 1);
    f->frames = calloc(frame_capacity, sizeof f->frames[0]);
    return f->store && f->frames;
}

void
fifo_free(struct nic_fifo *f)
{
    free(f->store);
    free(f->frames);
}

/* A frame is charged with its FCS, and at least the minimum frame. */
uint32_t
fifo_charge(uint32_t size)
{
    return size + 4 < 64 ? 64 : size + 4;
}

uint32_t
fifo_slot(const struct nic_fifo *f, uint32_t index)
{
    return (f->head + index) % f->frame_capacity;
}

struct nic_frame *
fifo_at(struct nic_fifo *f, uint32_t index)
{
    return &f->frames[fifo_slot(f, index)];
}

const uint8_t *
fifo_bytes(const struct nic_fifo *f, const struct nic_frame *frame)
{
    return f->store + frame->offset;
}

/* Where 'size' contiguous bytes are free, or store_size when nowhere. */
static uint32_t
find_room(const struct nic_fifo *f, uint32_t size)
{
    if (f->count == 0) {
        return size <= f->store_size ? 0 : f->store_size;
    }
    uint32_t oldest = f->frames[f->head].offset;
    if (f->write > oldest) {
        if (f->store_size - f->write >= size) {
            return f->write;
        }
        return size < oldest ? 0 : f->store_size;
    }
    return oldest - f->write > size ? f->write : f->store_size;
}

struct nic_frame *
fifo_push(struct nic_fifo *f, const uint8_t *bytes, uint32_t size)
{
    uint32_t offset = find_room(f, size);
    if (f->count == f->frame_capacity || offset == f->store_size) {
        return NULL;
    }
    struct nic_frame *frame = fifo_at(f, f->count);
    *frame = (struct nic_frame){ .offset = offset, .size = size };
    memcpy(f->store + offset, bytes, size);
    f->write = offset + size;
    f->bytes += fifo_charge(size);
    f->count++;
    return frame;
}

void
fifo_pop(struct nic_fifo *f)
{
    assert(f->count > 0);
    f->bytes -= fifo_charge(f->frames[f->head].size);
    f->head = (f->head + 1) % f->frame_capacity;
    f->count--;
}

void
fifo_clear(struct nic_fifo *f)
{
    f->head = f->count = f->write = f->bytes = 0;
}

static void
frame_state(struct nic_frame *frame, struct state *s)
{
    STATE_VISIT(s, frame->offset);
    STATE_VISIT(s, frame->size);
    STATE_VISIT(s, frame->packet);
    STATE_VISIT(s, frame->hash);
    STATE_VISIT(s, frame->pools);
    STATE_VISIT(s, frame->status);
    STATE_VISIT(s, frame->jobs);
    STATE_VISIT(s, frame->origin);
    STATE_VISIT(s, frame->rss_type);
    STATE_VISIT(s, frame->delivered);
    STATE_VISIT(s, frame->reason);
    STATE_VISIT(s, frame->etqf);
}

void
fifo_state(struct nic_fifo *f, struct state *s)
{
    STATE_VISIT(s, f->head);
    STATE_VISIT(s, f->count);
    STATE_VISIT(s, f->write);
    STATE_VISIT(s, f->bytes);
    if (f->head >= f->frame_capacity || f->count > f->frame_capacity || f->write > f->store_size) {
        state_fail(s, "nic: packet buffer with impossible positions");
        fifo_clear(f);
        return;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        struct nic_frame *frame = fifo_at(f, i);
        frame_state(frame, s);
        if (frame->size > I82599_FRAME_MAX || frame->offset > f->store_size - frame->size) {
            state_fail(s, "nic: frame outside its packet buffer");
            fifo_clear(f);
            return;
        }
        state_bytes(s, f->store + frame->offset, frame->size);
        if (state_is_load(s)) {
            packet_parse(&frame->info, f->store + frame->offset, frame->size);
        }
    }
}
