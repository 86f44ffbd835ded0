/* Receive: from the packet buffer to memory ("Receive Functionality").
 *
 *   rx_accept    frame passed the filters -> packet buffer, with its pools
 *   issue        oldest unissued frame: one job per pool, if its queue has descriptors
 *   rx_write_done  data, write-back, head, interrupt; frame leaves the buffer
 *                  when its last job is done
 *
 * Frames are issued strictly in order: a queue without descriptors blocks the
 * buffer unless drop is enabled for it (SRRCTL.DROP_EN, QDE), which is why
 * drivers enable it for queues of other software.
 */
#include <assert.h>
#include <string.h>

#include "nic-model/regs.h"

enum { BUFFER_UNIT = 1024 };

bool
rx_init(struct nic *nic)
{
    return fifo_init(&nic->rx.fifo, NIC_RX_STORE, NIC_RX_FRAMES);
}

void
rx_free(struct nic *nic)
{
    fifo_free(&nic->rx.fifo);
}

/* --- descriptors ----------------------------------------------------------------- */

static uint32_t
ring_size(const struct nic *nic, unsigned queue)
{
    return reg(nic, I82599_RDLEN(queue)) / I82599_DESC_SIZE;
}

static uint32_t
buffer_size(const struct nic *nic, unsigned queue)
{
    return (reg(nic, I82599_SRRCTL(queue)) & I82599_SRRCTL_BSIZEPACKET_MASK) * BUFFER_UNIT;
}

/* Bytes software will see of the frame: tag stripped, FCS kept, as configured. */
static uint32_t
delivered_size(const struct nic *nic, const struct nic_frame *frame, unsigned queue)
{
    uint32_t stripped = frame->info.tagged && reg(nic, I82599_RXDCTL(queue)) & I82599_RXDCTL_VME ? 4 : 0;
    return frame->size - stripped + (reg(nic, I82599_HLREG0) & I82599_HLREG0_RXCRCSTRP ? 0 : 4);
}

static bool
is_type_offered(const struct nic *nic, unsigned queue)
{
    uint32_t srrctl = reg(nic, I82599_SRRCTL(queue));
    return (srrctl & I82599_SRRCTL_DESCTYPE_MASK) >> I82599_SRRCTL_DESCTYPE_SHIFT <= I82599_DESCTYPE_ADVANCED_ONE;
}

static bool
is_running(const struct nic *nic)
{
    return reg(nic, I82599_RXCTRL) & I82599_RXCTRL_RXEN && pf_is_master(nic);
}

static void
fetch(struct nic *nic, unsigned queue, uint64_t now)
{
    struct nic_fetcher *r = &nic->rx.queue[queue].ring;
    if (r->fetching || r->cached >= NIC_RX_FETCH_BELOW || !is_running(nic)) {
        return;
    }
    uint32_t n = ring_fetch(r, ring_size(nic, queue), reg(nic, I82599_RDT(queue)), NIC_RX_CACHE - NIC_RX_FETCH_BELOW);
    if (n > 0) {
        dma_issue(nic, NIC_DMA_RX_FETCH, queue, n * I82599_DESC_SIZE, now);
    }
}

static void
fault(struct nic *nic, unsigned queue)
{
    nic->rx.queue[queue].ring.faulted = 1;
    nic_guest_error(nic, NIC_ERROR_DMA, queue);
}

void
rx_fetched(struct nic *nic, unsigned queue, uint64_t now)
{
    struct nic_rx_queue *q = &nic->rx.queue[queue];
    struct nic_fetcher *r = &q->ring;
    struct i82599_desc desc[NIC_RX_CACHE];
    uint32_t size = ring_size(nic, queue), n = ring_arrive(r, size);
    if (n == 0) {
        return;
    }
    uint64_t base = (uint64_t)reg(nic, I82599_RDBAH(queue)) << 32 | reg(nic, I82599_RDBAL(queue));
    if (!dma_read(nic, queue, base + (uint64_t)r->fetch * I82599_DESC_SIZE, desc, n * I82599_DESC_SIZE)) {
        fault(nic, queue);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        q->cache[(r->cache_head + r->cached + i) % NIC_RX_CACHE] = desc[i].lo;
    }
    ring_take_in(r, size, n);
    fetch(nic, queue, now);
}

void
rx_stop_queue(struct nic *nic, unsigned queue)
{
    ring_stop(&nic->rx.queue[queue].ring, reg(nic, I82599_RDH(queue)));
}

static bool
drops_when_empty(const struct nic *nic, unsigned queue)
{
    return reg(nic, I82599_SRRCTL(queue)) & I82599_SRRCTL_DROP_EN || nic->rx.drop_enable[queue / 64] >> queue % 64 & 1;
}

/* --- issue ---------------------------------------------------------------------------- */

static void
note_drop(struct nic_frame *frame, enum nic_drop reason)
{
    if (!frame->reason) {
        frame->reason = (uint8_t)reason;
    }
}

static void
drop_for_queue(struct nic *nic, struct nic_frame *frame, unsigned queue, enum nic_drop reason)
{
    note_drop(frame, reason);
    if (reason == NIC_DROP_NO_DESCRIPTOR) {
        stats_queue_drop(nic, queue);
    }
}

enum issue { ISSUE_DONE, ISSUE_DROPPED, ISSUE_BLOCKED };

static void
take_descriptors(struct nic *nic, struct nic_frame *frame, unsigned queue, unsigned pool, uint32_t need, uint64_t now)
{
    struct nic_rx *rx = &nic->rx;
    struct nic_rx_queue *q = &rx->queue[queue];
    struct nic_rx_job *job = &rx->job[(rx->job_head + rx->job_count++) % NIC_RX_JOBS];
    *job = (struct nic_rx_job){ .frame = fifo_slot(&rx->fifo, rx->issued), .queue = (uint16_t)queue,
                                .pool = (uint16_t)pool, .first = q->ring.take, .count = (uint16_t)need,
                                .generation = q->ring.generation };
    for (uint32_t i = 0; i < need; i++) {
        job->address[i] = q->cache[q->ring.cache_head];
        q->ring.cache_head = (q->ring.cache_head + 1) % NIC_RX_CACHE;
    }
    q->ring.cached = (uint16_t)(q->ring.cached - need);
    q->ring.take = (uint16_t)((q->ring.take + need) % ring_size(nic, queue));
    frame->jobs++;
    dma_issue(nic, NIC_DMA_RX_WRITE, queue, frame->size + need * I82599_DESC_SIZE, now);
}

static enum issue
issue_to_queue(struct nic *nic, struct nic_frame *frame, unsigned queue, unsigned pool, uint64_t now)
{
    struct nic_rx_queue *q = &nic->rx.queue[queue];
    uint32_t buffer = buffer_size(nic, queue), ring = ring_size(nic, queue);
    uint32_t size = delivered_size(nic, frame, queue);
    uint32_t need = buffer ? (size + buffer - 1) / buffer : UINT32_MAX;
    if (!q->ring.enabled || q->ring.faulted) {
        drop_for_queue(nic, frame, queue, q->ring.faulted ? NIC_DROP_DMA_FAULT : NIC_DROP_NO_DESCRIPTOR);
        return ISSUE_DROPPED;
    }
    if (need > NIC_RX_SPAN || need >= ring || !is_type_offered(nic, queue)) { /* could never be satisfied */
        nic_guest_error(nic, NIC_ERROR_RX_RING, (uint64_t)queue << 32 | need);
        drop_for_queue(nic, frame, queue, NIC_DROP_NO_DESCRIPTOR);
        return ISSUE_DROPPED;
    }
    if (q->ring.cached >= need) {
        take_descriptors(nic, frame, queue, pool, need, now);
        fetch(nic, queue, now);
        return ISSUE_DONE;
    }
    fetch(nic, queue, now);
    if (q->ring.fetching) {
        return ISSUE_BLOCKED;
    }
    if (!drops_when_empty(nic, queue)) {
        return ISSUE_BLOCKED; /* until software moves the tail */
    }
    drop_for_queue(nic, frame, queue, NIC_DROP_NO_DESCRIPTOR);
    return ISSUE_DROPPED;
}

/* Gives the frame to its remaining pools, lowest first. */
static bool
issue_frame(struct nic *nic, struct nic_frame *frame, uint64_t now)
{
    while (frame->pools) {
        unsigned pool = (unsigned)__builtin_ctzll(frame->pools);
        if (nic->rx.job_count == NIC_RX_JOBS ||
            issue_to_queue(nic, frame, vmq_queue(nic, frame, pool), pool, now) == ISSUE_BLOCKED) {
            return false;
        }
        frame->pools &= frame->pools - 1;
    }
    return true;
}

/* --- end of a frame ----------------------------------------------------------------------- */

static void
count_frame(struct nic *nic, const struct nic_frame *frame)
{
    if (frame->origin != NIC_FRAME_WIRE) {
        return;
    }
    if (frame->delivered) {
        nic->received++;
    } else {
        nic_drop(nic, frame->packet, frame->reason);
    }
}

static bool
retire(struct nic *nic, uint64_t now)
{
    struct nic_rx *rx = &nic->rx;
    bool has_moved = false;
    while (rx->issued > 0 && fifo_at(&rx->fifo, 0)->jobs == 0) {
        count_frame(nic, fifo_at(&rx->fifo, 0));
        fifo_pop(&rx->fifo);
        rx->issued--;
        has_moved = true;
    }
    if (has_moved) {
        wire_pause_update(nic, now);
    }
    return has_moved;
}

bool
rx_step(struct nic *nic, uint64_t now)
{
    struct nic_rx *rx = &nic->rx;
    bool has_moved = false;
    while (rx->issued < rx->fifo.count && is_running(nic) && issue_frame(nic, fifo_at(&rx->fifo, rx->issued), now)) {
        rx->issued++;
        has_moved = true;
    }
    return retire(nic, now) || has_moved;
}

void
rx_write_done(struct nic *nic, uint64_t now)
{
    struct nic_rx *rx = &nic->rx;
    assert(rx->job_count > 0);
    const struct nic_rx_job *job = &rx->job[rx->job_head];
    struct nic_rx_queue *q = &rx->queue[job->queue];
    struct nic_frame *frame = &rx->fifo.frames[job->frame];
    bool is_valid = job->generation == q->ring.generation && !q->ring.faulted;

    if (is_valid && rx_write_job(nic, job, frame)) {
        uint32_t size = ring_size(nic, job->queue);
        reg_set(nic, I82599_RDH(job->queue), size ? (job->first + job->count) % size : 0);
        frame->delivered = 1;
        stats_queue_rx(nic, job->queue, frame->size, packet_is_multicast(fifo_bytes(&rx->fifo, frame)));
        if (frame->origin == NIC_FRAME_LOCAL) {
            stats_add(nic, I82599_RXLPBK, 1);
        }
        TRACE(nic->machine, now, TRACE_NIC_RX, frame->packet, job->pool, job->queue, job->address[0]);
        interrupts_queue(nic, job->queue, false, now);
    } else {
        if (is_valid) {
            fault(nic, job->queue);
        }
        note_drop(frame, is_valid || q->ring.faulted ? NIC_DROP_DMA_FAULT : NIC_DROP_NO_DESCRIPTOR);
    }
    frame->jobs--;
    rx->job_head = (rx->job_head + 1) % NIC_RX_JOBS;
    rx->job_count--;
}

/* --- arrival -------------------------------------------------------------------------------- */

uint32_t
rx_free_bytes(const struct nic *nic)
{
    uint32_t limit = reg(nic, I82599_RXPBSIZE(0));
    limit = limit > I82599_RX_BUFFER_SIZE ? I82599_RX_BUFFER_SIZE : limit;
    return limit > nic->rx.fifo.bytes ? limit - nic->rx.fifo.bytes : 0;
}

bool
rx_accept(struct nic *nic, const uint8_t *bytes, size_t size, const struct nic_frame *what, uint64_t now)
{
    if (fifo_charge((uint32_t)size) > rx_free_bytes(nic)) {
        return false;
    }
    struct nic_frame *frame = fifo_push(&nic->rx.fifo, bytes, (uint32_t)size);
    if (!frame) {
        return false;
    }
    frame->packet = what->packet;
    frame->pools = what->pools;
    frame->status = what->status;
    frame->origin = what->origin;
    frame->info = what->info;
    int etqf = filter_etqf(nic, &what->info);
    frame->etqf = (uint8_t)(etqf + 1);
    frame->hash = rss_hash(nic, &frame->info, bytes, &frame->rss_type);
    if (filter_rar_match(nic, bytes) < 0 && !packet_is_broadcast(bytes)) {
        frame->status |= I82599_RXD_PIF;
    }
    wire_pause_update(nic, now);
    return true;
}

/* --- registers --------------------------------------------------------------------------------- */

void
rx_rdh_write(struct nic *nic, unsigned queue, uint32_t value)
{
    struct nic_rx_queue *q = &nic->rx.queue[queue];
    reg_set(nic, I82599_RDH(queue), value);
    /* Drivers set the head while the queue is off; some again just after. */
    if (!q->ring.enabled || (q->ring.cached == 0 && q->ring.fetching == 0)) {
        q->ring.fetch = q->ring.take = (uint16_t)value;
        q->ring.cache_head = q->ring.cached = 0;
    }
}

void
rx_rdt_write(struct nic *nic, unsigned queue, uint32_t value)
{
    reg_set(nic, I82599_RDT(queue), value);
    if (nic->rx.queue[queue].ring.enabled && value >= ring_size(nic, queue)) {
        nic_guest_error(nic, NIC_ERROR_TAIL, (uint64_t)queue << 32 | value);
    }
    fetch(nic, queue, nic_now(nic));
}

void
rx_rxdctl_write(struct nic *nic, unsigned queue, uint32_t value)
{
    struct nic_rx_queue *q = &nic->rx.queue[queue];
    bool is_on = value & I82599_RXDCTL_EN;
    reg_set(nic, I82599_RXDCTL(queue), value & ~I82599_RXDCTL_SWFLSH);
    if (is_on && !q->ring.enabled) {
        rx_stop_queue(nic, queue);
        q->ring.enabled = 1;
        fetch(nic, queue, nic_now(nic));
    } else if (!is_on && q->ring.enabled) {
        rx_stop_queue(nic, queue);
    }
}

void
rx_srrctl_write(struct nic *nic, unsigned queue, uint32_t value)
{
    unsigned type = (value & I82599_SRRCTL_DESCTYPE_MASK) >> I82599_SRRCTL_DESCTYPE_SHIFT;
    reg_set(nic, I82599_SRRCTL(queue), value);
    if (type > I82599_DESCTYPE_ADVANCED_ONE) {
        nic_guest_error(nic, NIC_ERROR_RX_TYPE, (uint64_t)queue << 32 | value);
        if (vf_of_queue(nic, queue) == NIC_PF) {
            nic_unoffered(nic, I82599_SRRCTL(queue), "header split (SRRCTL.DESCTYPE)");
        }
    }
}

void
rx_rxctrl_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_RXCTRL, value);
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        fetch(nic, queue, nic_now(nic));
    }
}

uint32_t
rx_qde_read(struct nic *nic, unsigned index)
{
    (void)index;
    uint32_t value = reg(nic, I82599_QDE);
    unsigned queue = (value & I82599_QDE_INDEX_MASK) >> I82599_QDE_INDEX_SHIFT;
    return (value & ~I82599_QDE_ENABLE) | (nic->rx.drop_enable[queue / 64] >> queue % 64 & 1);
}

/* One register for all queues: an index and a write-enable bit. */
void
rx_qde_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    unsigned queue = (value & I82599_QDE_INDEX_MASK) >> I82599_QDE_INDEX_SHIFT;
    reg_set(nic, I82599_QDE, value & ~I82599_QDE_WE);
    if (value & I82599_QDE_WE) {
        uint64_t bit = 1ull << queue % 64;
        nic->rx.drop_enable[queue / 64] &= ~bit;
        nic->rx.drop_enable[queue / 64] |= value & I82599_QDE_ENABLE ? bit : 0;
    }
}

/* --- life ------------------------------------------------------------------------------------------ */

void
rx_reset(struct nic *nic)
{
    struct nic_rx *rx = &nic->rx;
    for (uint32_t i = 0; i < rx->fifo.count; i++) {
        note_drop(fifo_at(&rx->fifo, i), NIC_DROP_RESET);
        count_frame(nic, fifo_at(&rx->fifo, i));
    }
    fifo_clear(&rx->fifo);
    rx->issued = rx->job_head = rx->job_count = 0;
    rx->drop_enable[0] = rx->drop_enable[1] = 0;
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        ring_reset(&rx->queue[queue].ring);
    }
}

static void
queue_state(struct nic_rx_queue *q, struct state *s)
{
    if (!ring_state(&q->ring, NIC_RX_CACHE, s)) {
        state_fail(s, "nic: impossible receive queue");
        *q = (struct nic_rx_queue){ 0 };
    }
    for (unsigned i = 0; i < q->ring.cached; i++) {
        STATE_VISIT(s, q->cache[(q->ring.cache_head + i) % NIC_RX_CACHE]);
    }
}

static bool
job_is_sane(const struct nic_rx_job *job)
{
    return job->frame < NIC_RX_FRAMES && job->queue < I82599_QUEUES && job->count <= NIC_RX_SPAN;
}

void
rx_state(struct nic *nic, struct state *s)
{
    struct nic_rx *rx = &nic->rx;
    fifo_state(&rx->fifo, s);
    STATE_VISIT(s, rx->issued);
    STATE_VISIT(s, rx->job_head);
    STATE_VISIT(s, rx->job_count);
    STATE_VISIT(s, rx->drop_enable);
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        queue_state(&rx->queue[queue], s);
    }
    if (rx->issued > rx->fifo.count || rx->job_head >= NIC_RX_JOBS || rx->job_count > NIC_RX_JOBS) {
        state_fail(s, "nic: impossible receive jobs");
        rx->issued = rx->job_head = rx->job_count = 0;
    }
    for (uint32_t i = 0; i < rx->job_count; i++) {
        struct nic_rx_job *job = &rx->job[(rx->job_head + i) % NIC_RX_JOBS];
        STATE_VISIT(s, *job);
        if (!job_is_sane(job)) {
            state_fail(s, "nic: impossible receive job");
            rx->job_count = 0;
        }
    }
}
