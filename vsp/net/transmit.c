/* From the child: RNDIS messages in its send buffer or in its pages. */
#include "vsp/net/gather.h"
#include "vsp/net/netvsp_priv.h"
#include "vsp/nic/buffer.h"

enum { PAGE = 4096, FRAME_MIN = 14, PPI_VLAN = 6, PPI_HEADER = 12, VLAN_TAG = 4 };

/* --- the send buffer --------------------------------------------------------------------------- */

bool netvsp_send_buffer(struct netvsp *n, uint32_t gpadl, struct nvsp_message *answer)
{
    answer->type = NVSP_SEND_SEND_BUFFER_COMPLETE;
    answer->send_buffer_complete.status = NVSP_STATUS_FAILURE;
    if (n->tx.base)
        return false;
    n->tx.base = vmbus_channel_map(n->channel, gpadl, &n->tx.size);
    if (!n->tx.base)
        return true; /* the status says it */
    n->tx.gpadl = gpadl;
    n->tx.count = n->tx.size / NETVSP_SEND_SECTION;
    if (n->tx.count == 0) {
        netvsp_send_buffer_revoke(n);
        return true;
    }
    answer->send_buffer_complete.status = NVSP_STATUS_SUCCESS;
    answer->send_buffer_complete.section_size = NETVSP_SEND_SECTION;
    return true;
}

void netvsp_send_buffer_revoke(struct netvsp *n)
{
    if (!n->tx.base)
        return;
    if (netvsp_direct(n))
        netvsp_receive_stop(n); /* the card may be reading from it */
    vmbus_channel_unmap(n->channel, n->tx.gpadl);
    n->tx.base = NULL;
    n->tx.count = 0;
}

/* --- resources ------------------------------------------------------------------------------------ */

static uint32_t buffer_stride(const struct netvsp *n)
{
    uint32_t need = NETVSP_HEADROOM + n->info.mtu + NICDRV_FRAME_OVERHEAD;
    return need <= PAGE / 2 ? PAGE / 2 : (need + PAGE - 1) / PAGE * PAGE;
}

void netvsp_transmit_prepare(struct netvsp *n)
{
    uint32_t stride = buffer_stride(n);
    uint8_t *memory = svc_alloc((size_t)stride * NETVSP_BUFFERS, PAGE);
    struct netvsp_buffer *buffers = svc_alloc(NETVSP_BUFFERS * sizeof *buffers, 64);
    for (unsigned i = NETVSP_BUFFERS; i > 0; i--) {
        buffers[i - 1].bytes = memory + (size_t)(i - 1) * stride;
        buffers[i - 1].next = n->tx.free;
        n->tx.free = &buffers[i - 1];
    }
    n->tx.free_count = NETVSP_BUFFERS;
    struct netvsp_request *requests = svc_alloc(NETVSP_REQUESTS_MAX * sizeof *requests, 64);
    for (unsigned i = NETVSP_REQUESTS_MAX; i > 0; i--) {
        requests[i - 1].next = n->tx.request_free;
        n->tx.request_free = &requests[i - 1];
    }
    n->tx.request_free_count = NETVSP_REQUESTS_MAX;
}

static bool direct_full(const struct netvsp *n)
{
    return n->tx.request_free_count == 0 || n->tx.done_count >= NETVSP_REQUESTS_MAX ||
           n->tx.in_flight + NETVSP_FRAMES_PER_MESSAGE > NETVSP_IN_FLIGHT_MAX;
}

/* vmq: does the child run out of sections, or want its own pages back? */
static bool awaited(const struct netvsp *n)
{
    uint32_t sections = n->tx.count < NETVSP_REQUESTS_MAX ? n->tx.count : NETVSP_REQUESTS_MAX;
    return n->tx.mapped > 0 || n->tx.in_flight * 2 >= sections;
}

bool netvsp_transmit_ready(struct netvsp *n)
{
    if (!netvsp_can_answer(n)) {
        vmbus_ring_wait_for_room(&n->channel->out, vmbus_ring_packet_size(0, sizeof(struct nvsp_message)));
        return netvsp_can_answer(n);
    }
    netvsp_receive_control(n);
    if (n->control.response_size == 0 && n->tx.free_count >= NETVSP_FRAMES_PER_MESSAGE && !direct_full(n))
        return true;
    netvsp_transmit_flush(n); /* what is waited for may still be here */
    nicdrv_transmit_awaited(n->child);
    return false;
}

/* --- one message ------------------------------------------------------------------------------------ */

/* A section of the send buffer, or the packet's own pages. */
static bool locate(struct netvsp *n, const struct nvsp_message *m, const struct vmbus_packet *packet,
                   struct gather *g)
{
    if (packet->type == VMBUS_PACKET_GPA_DIRECT)
        return gather_map(g, n->child, packet);
    if (m->rndis.section >= n->tx.count || m->rndis.section_size > NETVSP_SEND_SECTION || !n->tx.base)
        return false;
    g->piece[0].data = n->tx.base + (size_t)m->rndis.section * NETVSP_SEND_SECTION;
    g->piece[0].size = g->total = m->rndis.section_size;
    g->count = 1;
    g->mapping = NULL;
    return true;
}

struct frame { /* inside a message */
    uint32_t offset, length;
    uint16_t tag; /* 802.1Q tag control to be inserted */
    bool tagged;
};

/* The 802.1Q information that Linux moves out of the frame. */
static void find_tag(const struct gather *g, uint32_t at, const struct rndis_packet *header, struct frame *frame)
{
    uint64_t position = (uint64_t)at + sizeof header->header + header->ppi_offset;
    uint64_t end = position + header->ppi_length, limit = (uint64_t)at + header->header.length;
    while (header->ppi_length != 0 && end <= limit && position + PPI_HEADER <= end) {
        struct { uint32_t size, type, offset; } ppi;
        gather_read(g, (uint32_t)position, &ppi, sizeof ppi);
        if (ppi.size < PPI_HEADER || position + ppi.size > end)
            return;
        if ((ppi.type & 0x7FFFFFFF) == PPI_VLAN && ppi.offset <= ppi.size - 4) {
            uint32_t info;
            gather_read(g, (uint32_t)position + ppi.offset, &info, sizeof info);
            frame->tag = (uint16_t)((info & 7) << 13 | (info >> 3 & 1) << 12 | (info >> 4 & 0xFFF));
            frame->tagged = true;
        }
        position += ppi.size;
    }
}

/* The RNDIS message at *at; moves behind it. False: not a data message, or not inside. */
static bool next_frame(const struct gather *g, uint32_t *at, struct frame *frame)
{
    struct rndis_packet header;
    if (g->total - *at < sizeof header)
        return false;
    gather_read(g, *at, &header, sizeof header);
    uint64_t length = header.header.length, start = (uint64_t)sizeof header.header + header.data_offset;
    if (header.header.type != RNDIS_PACKET || length < sizeof header || length > g->total - *at ||
        start < sizeof header || start + header.data_length > length || header.data_length < FRAME_MIN)
        return false;
    *frame = (struct frame){ .offset = *at + (uint32_t)start, .length = header.data_length };
    find_tag(g, *at, &header, frame);
    *at += (uint32_t)length;
    return true;
}

static bool too_long(struct netvsp *n, const struct frame *frame)
{
    if (frame->length <= n->info.mtu + NICDRV_FRAME_OVERHEAD - (frame->tagged ? VLAN_TAG : 0u))
        return false;
    svc_count(LAB_DROP_OVERSIZE, 1);
    n->stats.tx_errors++;
    return true;
}

static void insert_tag(uint8_t *data, uint16_t tag)
{
    uint8_t addresses[12];
    bytes_copy(addresses, data, sizeof addresses);
    bytes_copy(data - VLAN_TAG, addresses, sizeof addresses);
    data[8] = 0x81;
    data[9] = 0x00;
    data[10] = (uint8_t)(tag >> 8);
    data[11] = (uint8_t)tag;
}

/* Synthetic: into a buffer of ours; the child's memory is not looked at again. */
static void take_copy(struct netvsp *n, const struct gather *g, const struct frame *frame)
{
    struct netvsp_buffer *buffer = n->tx.free;
    n->tx.free = buffer->next;
    n->tx.free_count--;
    struct svc_packet *packet = &n->tx.batch[n->tx.batch_count++];
    *packet = (struct svc_packet){ .data = buffer->bytes + NETVSP_HEADROOM, .length = frame->length, .owner = buffer };
    gather_copy(g, frame->offset, packet->data, frame->length);
    if (frame->tagged) {
        insert_tag(packet->data, frame->tag);
        packet->data -= VLAN_TAG;
        packet->length += VLAN_TAG;
    }
    packet->dma = svc_dma_address(packet->data);
    uint32_t to_page_end = PAGE - (uint32_t)((uintptr_t)packet->data % PAGE);
    packet->flags = packet->length <= to_page_end ? SVC_PACKET_CONTIGUOUS : 0;
    n->stats.tx_frames++;
}

/* vmq: the card reads it where it is. False: not in one piece, or needs a tag. */
static bool take_direct(struct netvsp *n, const struct gather *g, const struct frame *frame,
                        struct netvsp_request *request)
{
    uint8_t *data = frame->tagged ? NULL : gather_flat(g, frame->offset, frame->length);
    if (!data)
        return false;
    struct svc_packet *packet = &n->tx.batch[n->tx.batch_count++];
    *packet = (struct svc_packet){ .data = data, .dma = svc_dma_address(data), .length = frame->length, .owner = request };
    uint32_t to_page_end = PAGE - (uint32_t)((uintptr_t)data % PAGE);
    packet->flags = packet->length <= to_page_end ? SVC_PACKET_CONTIGUOUS : 0;
    request->users++;
    n->tx.in_flight++;
    n->stats.tx_frames++;
    return true;
}

static void complete_rndis(struct netvsp *n, uint64_t transaction)
{
    struct nvsp_message done = { .type = NVSP_SEND_RNDIS_COMPLETE, .rndis_complete.status = NVSP_STATUS_SUCCESS };
    netvsp_complete(n, transaction, &done, sizeof done);
}

static bool take_frames_copied(struct netvsp *n, const struct gather *g)
{
    struct frame frame;
    unsigned count = 0;
    for (uint32_t at = 0; at < g->total;) {
        if (count++ == NETVSP_FRAMES_PER_MESSAGE || !next_frame(g, &at, &frame))
            return false;
        if (!too_long(n, &frame))
            take_copy(n, g, &frame);
        if (n->tx.batch_count + NETVSP_FRAMES_PER_MESSAGE > NETVSP_BUDGET)
            netvsp_transmit_flush(n);
    }
    return true;
}

static void request_free(struct netvsp *n, struct netvsp_request *request)
{
    if (request->mapping) {
        svc_unmap(request->mapping, request->pages);
        n->tx.mapped--;
    }
    request->mapping = NULL;
    request->next = n->tx.request_free;
    n->tx.request_free = request;
    n->tx.request_free_count++;
}

static void request_done(struct netvsp *n, struct netvsp_request *request)
{
    if (--request->users > 0)
        return;
    if (request->wants_completion)
        n->tx.done[(n->tx.done_head + n->tx.done_count++) % NETVSP_DONE_MAX] = request->transaction;
    request_free(n, request);
}

/* A frame that the card cannot take where it is goes through the pool all the same, copied. */
static bool take_frames_direct(struct netvsp *n, struct gather *g, const struct vmbus_packet *packet)
{
    struct netvsp_request *request = n->tx.request_free;
    struct frame frame;
    bool ok = true;
    unsigned count = 0;
    n->tx.request_free = request->next;
    n->tx.request_free_count--;
    *request = (struct netvsp_request){
        .transaction = packet->transaction, .wants_completion = packet->wants_completion, .users = 1,
        .mapping = g->mapping, .pages = g->pages,
    };
    n->tx.mapped += g->mapping != NULL;
    g->mapping = NULL; /* the request's now */
    for (uint32_t at = 0; ok && at < g->total;) {
        ok = count++ < NETVSP_FRAMES_PER_MESSAGE && next_frame(g, &at, &frame);
        if (!ok || too_long(n, &frame))
            continue;
        if (!take_direct(n, g, &frame, request)) {
            netvsp_transmit_flush(n); /* keeps the order */
            take_copy(n, g, &frame);
            vsw_input(n->tx.batch, n->tx.batch_count, VSW_PORT_CHILD + n->child);
            n->tx.batch_count = 0;
        }
        if (n->tx.batch_count + NETVSP_FRAMES_PER_MESSAGE > NETVSP_BUDGET)
            netvsp_transmit_flush(n);
    }
    request_done(n, request);
    return ok;
}

static bool take_control(struct netvsp *n, const struct gather *g)
{
    uint8_t request[NETVSP_CONTROL_MAX];
    if (g->total > sizeof request || n->control.response_size != 0)
        return false;
    bytes_zero(request, sizeof request);
    gather_read(g, 0, request, g->total);
    n->control.response_size = netvsp_rndis_control(n, request, g->total, n->control.response);
    if (!n->rx.base)
        n->control.response_size = 0; /* nowhere to put it */
    netvsp_receive_control(n);
    return true;
}

bool netvsp_transmit_message(struct netvsp *n, const struct nvsp_message *m, const struct vmbus_packet *packet)
{
    struct gather g;
    bool ok;
    if (n->state == NETVSP_OPEN || !locate(n, m, packet, &g))
        return false;
    bool direct = netvsp_direct(n) && n->state == NETVSP_READY && m->rndis.channel == NVSP_CHANNEL_DATA;
    if (m->rndis.channel == NVSP_CHANNEL_CONTROL)
        ok = take_control(n, &g);
    else if (direct)
        ok = take_frames_direct(n, &g, packet);
    else
        ok = take_frames_copied(n, &g);
    gather_unmap(&g);
    if (ok && !direct && packet->wants_completion)
        complete_rndis(n, packet->transaction);
    if (!ok)
        svc_count(LAB_DROP_MALFORMED, 1);
    return ok;
}

/* --- batches, completions ------------------------------------------------------------------------------ */

void netvsp_transmit(struct svc_packet *batch, unsigned count, struct netvsp *n)
{
    if (!netvsp_direct(n) || n->state != NETVSP_READY) {
        vsw_input(batch, count, VSW_PORT_CHILD + n->child);
        return;
    }
    unsigned taken = nicdrv_pool_transmit(batch, count, n->child);
    if (taken < count) { /* the card is being stopped */
        svc_count(LAB_DROP_CHANNEL_CLOSED, count - taken);
        netvsp_pool_sent(batch + taken, count - taken, n->child);
    }
}

void netvsp_transmit_flush(struct netvsp *n)
{
    unsigned count = n->tx.batch_count;
    n->tx.batch_count = 0;
    if (count == 0)
        return;
    netvsp_transmit(n->tx.batch, count, n);
    if (n->tx.in_flight > 0 && awaited(n))
        nicdrv_transmit_awaited(n->child);
}

void netvsp_sent(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct netvsp *n = netvsp_of(child);
    bool was_short = n->tx.free_count < NETVSP_FRAMES_PER_MESSAGE;
    for (unsigned i = 0; i < count; i++) {
        struct netvsp_buffer *buffer = batch[i].owner;
        buffer->next = n->tx.free;
        n->tx.free = buffer;
        n->tx.free_count++;
    }
    if (was_short)
        netvsp_poll_later(n);
}

void netvsp_pool_sent(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct netvsp *n = netvsp_of(child);
    bool was_full = direct_full(n);
    for (unsigned i = 0; i < count; i++) {
        n->tx.in_flight--;
        request_done(n, batch[i].owner);
    }
    netvsp_transmit_answer(n);
    vmbus_channel_publish(n->channel);
    if (was_full)
        netvsp_poll_later(n); /* packets wait in the ring for what became free */
}

void netvsp_transmit_answer(struct netvsp *n)
{
    while (n->tx.done_count > 0 && netvsp_can_answer(n)) {
        complete_rndis(n, n->tx.done[n->tx.done_head]);
        n->tx.done_head = (n->tx.done_head + 1) % NETVSP_DONE_MAX;
        n->tx.done_count--;
    }
}

/* After the card gave the child's frames back. */
void netvsp_transmit_stop(struct netvsp *n)
{
    n->tx.done_count = n->tx.done_head = 0;
    n->tx.in_flight = 0;
    n->control.response_size = 0;
}
