/* To the child: sections of the receive buffer.
 *
 * Where a section is:
 *
 *   free ------ a frame is copied in, or control ------> ready ---- announced ---> at the child
 *   posted ---- the card wrote a frame (vmq) ---------->   ^                          |
 *     ^  ^                                                 |                     completion
 *     |  +------------- vmq, section >= ours ----------------------------------------+
 *   free <------------- otherwise ---------------------------------------------------+
 *
 * Frames for which there is no free section wait in rx.waiting, in order; when a
 * section becomes free they are copied first.
 */
#include "vsp/net/netvsp_priv.h"
#include "vsp/nic/buffer.h"

enum { PAGE = 4096, DIRECT_DATA = 2048 /* where the card writes in a section: device-contiguous behind it */ };

/* --- the buffer ----------------------------------------------------------------------------- */

static uint32_t round_up(uint32_t value, uint32_t to)
{
    return (value + to - 1) / to * to;
}

static void layout(struct netvsp *n)
{
    if (netvsp_direct(n)) {
        n->rx.data_offset = DIRECT_DATA;
        n->rx.section_size = round_up(DIRECT_DATA + nicdrv_buffer_size(n->info.mtu), PAGE);
    } else {
        n->rx.data_offset = NETVSP_HEADROOM;
        n->rx.section_size = round_up(NETVSP_HEADROOM + n->info.mtu + NICDRV_FRAME_OVERHEAD, 64);
    }
}

static void sections_reset(struct netvsp *n)
{
    n->rx.free_count = n->rx.ready_count = n->rx.ready_head = 0;
    bytes_zero(n->rx.busy, sizeof n->rx.busy);
    n->rx.ours = n->rx.count;
    if (netvsp_direct(n) && n->rx.count > NETVSP_SECTIONS_OURS)
        n->rx.ours = NETVSP_SECTIONS_OURS;
    for (uint32_t i = n->rx.ours; i > 0; i--)
        n->rx.free[n->rx.free_count++] = (uint16_t)(i - 1);
    n->rx.transfer_free_count = 0;
    for (unsigned i = NETVSP_TRANSFERS_MAX; i > 0; i--) {
        n->rx.transfer[i - 1].count = 0;
        n->rx.transfer_free[n->rx.transfer_free_count++] = (uint16_t)(i - 1);
    }
}

bool netvsp_receive_buffer(struct netvsp *n, uint32_t gpadl, struct nvsp_message *answer)
{
    answer->type = NVSP_SEND_RECEIVE_BUFFER_COMPLETE;
    answer->receive_buffer_complete.status = NVSP_STATUS_FAILURE;
    if (n->rx.base)
        return false;
    n->rx.base = vmbus_channel_map(n->channel, gpadl, &n->rx.size);
    if (!n->rx.base)
        return true; /* the status says it */
    layout(n);
    n->rx.gpadl = gpadl;
    n->rx.count = n->rx.size / n->rx.section_size;
    if (n->rx.count > NETVSP_SECTIONS_MAX)
        n->rx.count = NETVSP_SECTIONS_MAX;
    if (n->rx.count == 0) {
        netvsp_receive_buffer_revoke(n);
        return true;
    }
    sections_reset(n);
    answer->receive_buffer_complete.status = NVSP_STATUS_SUCCESS;
    answer->receive_buffer_complete.sections = 1;
    answer->receive_buffer_complete.section.size = n->rx.section_size;
    answer->receive_buffer_complete.section.count = n->rx.count;
    answer->receive_buffer_complete.section.end = n->rx.section_size * n->rx.count;
    return true;
}

void netvsp_receive_buffer_revoke(struct netvsp *n)
{
    if (!n->rx.base)
        return;
    netvsp_receive_stop(n);
    vmbus_channel_unmap(n->channel, n->rx.gpadl);
    n->rx.base = NULL;
    n->rx.count = 0;
}

static uint8_t *section_data(const struct netvsp *n, uint32_t section)
{
    return n->rx.base + (size_t)section * n->rx.section_size + n->rx.data_offset;
}

/* --- announcing what is ready ------------------------------------------------------------------ */

static void ready_push(struct netvsp *n, uint32_t section, uint32_t size, bool control)
{
    unsigned at = (n->rx.ready_head + n->rx.ready_count++) % NETVSP_SECTIONS_MAX;
    n->rx.ready[at] = (struct netvsp_entry){ (uint16_t)section, control, size };
    n->rx.busy[section] = 1;
}

static void write_header(const struct netvsp *n, uint32_t section, uint32_t length)
{
    struct rndis_packet header = {
        .header = { RNDIS_PACKET, NETVSP_RNDIS_HEADER + length },
        .data_offset = NETVSP_RNDIS_HEADER - sizeof header.header,
        .data_length = length,
    };
    bytes_copy(section_data(n, section) - NETVSP_RNDIS_HEADER, &header, sizeof header);
}

/* One packet with up to NETVSP_RANGES frames, or one control message. False: no room. */
static bool announce(struct netvsp *n)
{
    struct { struct vmbus_transfer_header header; struct vmbus_transfer_range range[NETVSP_RANGES]; } descriptor;
    if (n->rx.transfer_free_count == 0)
        return false;
    unsigned id = n->rx.transfer_free[n->rx.transfer_free_count - 1], count = 0;
    bool control = n->rx.ready[n->rx.ready_head].control;
    while (count < (control ? 1u : NETVSP_RANGES) && count < n->rx.ready_count) {
        const struct netvsp_entry *entry = &n->rx.ready[(n->rx.ready_head + count) % NETVSP_SECTIONS_MAX];
        if (entry->control != control)
            break;
        descriptor.range[count] = (struct vmbus_transfer_range){
            .byte_count = entry->size,
            .byte_offset = entry->section * n->rx.section_size + n->rx.data_offset - NETVSP_RNDIS_HEADER,
        };
        n->rx.transfer[id].section[count++] = entry->section;
    }
    descriptor.header = (struct vmbus_transfer_header){ .page_set = NVSP_RECEIVE_BUFFER_ID, .range_count = count };
    struct nvsp_message message = {
        .type = NVSP_SEND_RNDIS,
        .rndis = { .channel = control ? NVSP_CHANNEL_CONTROL : NVSP_CHANNEL_DATA,
                   .section = (uint32_t)NVSP_SECTION_NONE },
    };
    struct vmbus_send send = {
        .type = VMBUS_PACKET_TRANSFER_PAGES, .flags = VMBUS_PACKET_COMPLETION_REQUESTED,
        .transaction = id + 1, .descriptor = &descriptor,
        .descriptor_size = (uint32_t)(sizeof descriptor.header + count * sizeof descriptor.range[0]),
        .payload = &message, .payload_size = sizeof message,
    };
    if (!vmbus_ring_put(&n->channel->out, &send))
        return false;
    n->rx.transfer_free_count--;
    n->rx.transfer[id].count = (uint16_t)count;
    n->rx.ready_head = (n->rx.ready_head + count) % NETVSP_SECTIONS_MAX;
    n->rx.ready_count -= count;
    return true;
}

static void announce_all(struct netvsp *n)
{
    uint32_t wish = vmbus_ring_packet_size(sizeof(struct vmbus_transfer_header) +
                        NETVSP_RANGES * sizeof(struct vmbus_transfer_range), sizeof(struct nvsp_message));
    while (n->rx.ready_count > 0)
        if (!announce(n) && (n->rx.transfer_free_count == 0 ||
                             !vmbus_ring_wait_for_room(&n->channel->out, wish)))
            break; /* the child's completion, or its signal for room, goes on */
    vmbus_channel_publish(n->channel);
}

/* --- frames --------------------------------------------------------------------------------------- */

static void stall_watch(struct netvsp *n);

static void copy_in(struct netvsp *n, const struct svc_packet *packet)
{
    uint32_t section = n->rx.free[--n->rx.free_count];
    svc_copy(section_data(n, section), packet->data, packet->length);
    write_header(n, section, packet->length);
    ready_push(n, section, NETVSP_RNDIS_HEADER + packet->length, false);
    n->stats.rx_frames++;
}

static bool must_lose(const struct netvsp *n)
{
    return n->stalled || n->rx.waiting_count >= (n->info.lossless ? (unsigned)NETVSP_WAITING_MAX
                                                                  : (unsigned)NETVSP_WAITING_LOSSY);
}

static void wait(struct netvsp *n, struct svc_packet *packet)
{
    if (must_lose(n)) {
        svc_count(LAB_DROP_NO_RECEIVE_BUFFER, 1);
        n->stats.rx_dropped++;
        vsw_output_done(packet, 1);
        return;
    }
    n->rx.waiting[(n->rx.waiting_head + n->rx.waiting_count++) % NETVSP_WAITING_MAX] = *packet;
    stall_watch(n);
}

static void refuse(struct svc_packet *batch, unsigned count, unsigned reason)
{
    svc_count(reason, count);
    vsw_output_done(batch, count);
}

void netvsp_deliver(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct netvsp *n = netvsp_of(child);
    if (!n || n->state != NETVSP_READY || !n->rx.base) {
        refuse(batch, count, LAB_DROP_CHANNEL_CLOSED);
        return;
    }
    uint32_t longest = n->rx.section_size - n->rx.data_offset;
    for (unsigned i = 0, done = 0; i < count; i++, done = i) {
        /* Runs of frames that fit now are copied and given back together. */
        while (i < count && n->rx.waiting_count == 0 && n->rx.free_count > 0 && batch[i].length <= longest)
            copy_in(n, &batch[i++]);
        if (i > done)
            vsw_output_done(batch + done, i - done);
        if (i == count)
            break;
        if (batch[i].length > longest)
            refuse(&batch[i], 1, LAB_DROP_OVERSIZE);
        else
            wait(n, &batch[i]);
    }
    announce_all(n);
}

/* Frames that waited get the sections that became free. */
static void serve_waiting(struct netvsp *n)
{
    while (n->rx.waiting_count > 0 && n->rx.free_count > 0) {
        struct svc_packet *packet = &n->rx.waiting[n->rx.waiting_head];
        n->rx.waiting_head = (n->rx.waiting_head + 1) % NETVSP_WAITING_MAX;
        n->rx.waiting_count--;
        copy_in(n, packet);
        vsw_output_done(packet, 1);
    }
}

void netvsp_pool_received(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct netvsp *n = netvsp_of(child);
    if (!n || n->state != NETVSP_READY)
        return; /* stopped meanwhile: the sections are no longer ours */
    for (unsigned i = 0; i < count; i++) {
        uint32_t section = (uint32_t)(uintptr_t)batch[i].owner;
        write_header(n, section, batch[i].length);
        ready_push(n, section, NETVSP_RNDIS_HEADER + batch[i].length, false);
    }
    n->stats.rx_frames += count;
    announce_all(n);
}

static bool post_section(struct netvsp *n, uint32_t section)
{
    struct svc_packet packet = {
        .data = section_data(n, section),
        .length = nicdrv_buffer_size(n->info.mtu),
        .flags = SVC_PACKET_CONTIGUOUS,
        .owner = (void *)(uintptr_t)section,
    };
    packet.dma = svc_dma_address(packet.data);
    for (uint32_t at = PAGE - (uint32_t)((uintptr_t)packet.data % PAGE); at < packet.length; at += PAGE)
        if (svc_dma_address(packet.data + at) != packet.dma + at)
            return false; /* the child's pages are not contiguous for the card here */
    return nicdrv_pool_post(&packet, 1, n->child) == 1;
}

bool netvsp_receive_completed(struct netvsp *n, uint64_t transaction)
{
    if (transaction == 0 || transaction > NETVSP_TRANSFERS_MAX || !n->rx.base)
        return false;
    struct netvsp_transfer *transfer = &n->rx.transfer[transaction - 1];
    if (transfer->count == 0)
        return false;
    for (unsigned i = 0; i < transfer->count; i++) {
        uint32_t section = transfer->section[i];
        n->rx.busy[section] = 0;
        if (section >= n->rx.ours && n->state == NETVSP_READY)
            post_section(n, section);
        else if (section < n->rx.ours)
            n->rx.free[n->rx.free_count++] = (uint16_t)section;
    }
    transfer->count = 0;
    n->rx.transfer_free[n->rx.transfer_free_count++] = (uint16_t)(transaction - 1);
    n->completed_at = svc_now();
    n->stalled = false;
    return true;
}

void netvsp_receive_control(struct netvsp *n)
{
    if (n->control.response_size == 0 || !n->rx.base || n->rx.free_count == 0)
        return;
    uint32_t section = n->rx.free[--n->rx.free_count], size = n->control.response_size;
    bytes_copy(section_data(n, section) - NETVSP_RNDIS_HEADER, n->control.response, size);
    ready_push(n, section, size, true);
    n->control.response_size = 0;
}

void netvsp_receive_go_on(struct netvsp *n)
{
    if (!n->rx.base)
        return;
    netvsp_receive_control(n);
    if (n->state == NETVSP_READY)
        serve_waiting(n);
    announce_all(n);
}

/* --- start, stop, stall ------------------------------------------------------------------------------ */

static void lose_waiting(struct netvsp *n, unsigned reason)
{
    while (n->rx.waiting_count > 0) {
        struct svc_packet *packet = &n->rx.waiting[n->rx.waiting_head];
        n->rx.waiting_head = (n->rx.waiting_head + 1) % NETVSP_WAITING_MAX;
        n->rx.waiting_count--;
        n->stats.rx_dropped++;
        refuse(packet, 1, reason);
    }
}

static void stall_check(void *ctx)
{
    struct netvsp *n = ctx;
    if (n->rx.waiting_count == 0)
        return;
    if (svc_now() - n->completed_at >= NETVSP_STALL) {
        svc_log("netvsp: child %u takes no frames, %u that waited are dropped\n", n->child, n->rx.waiting_count);
        n->stalled = true;
        lose_waiting(n, LAB_DROP_NO_RECEIVE_BUFFER);
        return;
    }
    svc_timer_arm(&n->stall_timer, n->completed_at + NETVSP_STALL);
}

static void stall_watch(struct netvsp *n)
{
    if (n->stall_timer.armed)
        return;
    if (n->rx.waiting_count == 1)
        n->completed_at = svc_now();
    n->stall_timer.fire = stall_check;
    n->stall_timer.ctx = n;
    svc_timer_arm(&n->stall_timer, svc_now() + NETVSP_STALL);
}

void netvsp_receive_start(struct netvsp *n)
{
    if (n->state != NETVSP_SPEAKING || !n->rx.base)
        return;
    netvsp_transmit_flush(n); /* what was taken so far goes the way it was taken for */
    n->state = NETVSP_READY;
    n->stalled = false;
    if (netvsp_direct(n)) {
        unsigned posted = 0;
        nicdrv_pool_run(n->child, true);
        for (uint32_t section = n->rx.ours; section < n->rx.count; section++)
            posted += !n->rx.busy[section] && post_section(n, section);
        if (posted == 0)
            svc_log("netvsp: child %u has no receive section that the card can write to\n", n->child);
    }
    vsw_port_ready(n->child, true);
}

void netvsp_receive_stop(struct netvsp *n)
{
    netvsp_transmit_flush(n);
    if (n->state == NETVSP_READY) {
        vsw_port_ready(n->child, false);
        if (netvsp_direct(n))
            nicdrv_pool_run(n->child, false);
        n->state = NETVSP_SPEAKING;
    }
    svc_timer_cancel(&n->stall_timer);
    lose_waiting(n, LAB_DROP_CHANNEL_CLOSED);
}
