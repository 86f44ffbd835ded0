/* Transmit: from rings to finished packets ("Transmit Functionality").
 *
 *   tail write -> fetch descriptors into the queue's cache (40)
 *   arbiter    -> a whole packet (its descriptors up to EOP) becomes a job;
 *                 its data are read from memory, several jobs at a time
 *   data read  -> head moves, status is written back, interrupt follows
 *   segmenter  -> in order, one packet at a time: segment.c makes frames,
 *                 l2switch.c says where they go, packet buffers take them
 *
 * A job's slot is free when its data have left the segmenter and its status is
 * written.  Software's mistakes: a packet that makes no sense is dropped and
 * reported done; a ring that makes no sense, or refused DMA, stops its queue
 * until it is disabled.
 */
#include <assert.h>
#include <string.h>

#include "nic-model/regs.h"

bool
tx_init(struct nic *nic)
{
    nic->tx.active = -1;
    return fifo_init(&nic->tx.fifo, NIC_TX_STORE, NIC_TX_FRAMES);
}

void
tx_free(struct nic *nic)
{
    fifo_free(&nic->tx.fifo);
}

/* --- descriptors -------------------------------------------------------------------- */

static uint32_t
ring_size(const struct nic *nic, unsigned queue)
{
    return reg(nic, I82599_TDLEN(queue)) / I82599_DESC_SIZE;
}

static uint64_t
ring_base(const struct nic *nic, unsigned queue)
{
    return (uint64_t)reg(nic, I82599_TDBAH(queue)) << 32 | reg(nic, I82599_TDBAL(queue));
}

static bool
may_transmit(const struct nic *nic, unsigned queue)
{
    if (!(reg(nic, I82599_DMATXCTL) & I82599_DMATXCTL_TE) || !pf_is_master(nic)) {
        return false;
    }
    unsigned pool = vmq_pool_of_tx(nic, queue);
    return !(reg(nic, I82599_MTQC) & I82599_MTQC_VT_ENA) || reg(nic, I82599_VFTE(pool / 32)) >> pool % 32 & 1;
}

static void
fetch(struct nic *nic, unsigned queue, uint64_t now)
{
    struct nic_fetcher *r = &nic->tx.queue[queue].ring;
    if (r->fetching || r->cached == NIC_TX_CACHE || !may_transmit(nic, queue)) {
        return;
    }
    uint32_t n = ring_fetch(r, ring_size(nic, queue), reg(nic, I82599_TDT(queue)), NIC_TX_CACHE - r->cached);
    if (n > 0) {
        dma_issue(nic, NIC_DMA_TX_FETCH, queue, n * I82599_DESC_SIZE, now);
    }
}

void
tx_fault(struct nic *nic, unsigned queue, enum nic_guest_error error, uint64_t detail)
{
    nic->tx.queue[queue].ring.faulted = 1;
    nic_guest_error(nic, error, detail);
}

void
tx_fetched(struct nic *nic, unsigned queue)
{
    struct nic_tx_queue *q = &nic->tx.queue[queue];
    struct nic_fetcher *r = &q->ring;
    struct i82599_desc desc[NIC_TX_CACHE];
    uint32_t size = ring_size(nic, queue), n = ring_arrive(r, size);
    if (n == 0) {
        return;
    }
    if (!dma_read(nic, queue, ring_base(nic, queue) + (uint64_t)r->fetch * I82599_DESC_SIZE, desc, n * I82599_DESC_SIZE)) {
        tx_fault(nic, queue, NIC_ERROR_DMA, queue | 1u << 16);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        q->cache[(r->cache_head + r->cached + i) % NIC_TX_CACHE] = desc[i];
    }
    ring_take_in(r, size, n);
}

void
tx_stop_queue(struct nic *nic, unsigned queue)
{
    ring_stop(&nic->tx.queue[queue].ring, reg(nic, I82599_TDH(queue)));
}

/* --- arbiter: cached descriptors -> jobs ------------------------------------------------ */

bool
tx_is_context(const struct i82599_desc *d)
{
    return d->hi & I82599_TXD_DEXT && (d->hi & I82599_TXD_DTYP_MASK) == I82599_TXD_DTYP_CONTEXT;
}

static bool
is_known(const struct i82599_desc *d)
{
    return !(d->hi & I82599_TXD_DEXT) || tx_is_context(d) || (d->hi & I82599_TXD_DTYP_MASK) == I82599_TXD_DTYP_DATA;
}

/* Descriptors of the next packet, its contexts included; 0 = not complete, or the queue is at fault. */
static uint32_t
packet_length(struct nic *nic, unsigned queue)
{
    struct nic_tx_queue *q = &nic->tx.queue[queue];
    for (uint32_t i = 0; i < q->ring.cached; i++) {
        const struct i82599_desc *d = &q->cache[(q->ring.cache_head + i) % NIC_TX_CACHE];
        if (!is_known(d)) {
            tx_fault(nic, queue, NIC_ERROR_TX_DESCRIPTOR, (uint64_t)queue << 32 | (uint32_t)d->hi);
            return 0;
        }
        if (!tx_is_context(d) && d->hi & I82599_TXD_EOP) {
            return i + 1;
        }
    }
    if (q->ring.cached == NIC_TX_CACHE) {
        tx_fault(nic, queue, NIC_ERROR_TX_EOP, queue);
    }
    return 0;
}

static int
free_job(const struct nic *nic)
{
    for (int i = 0; i < NIC_TX_JOBS; i++) {
        if (nic->tx.job[i].state == NIC_TX_FREE) {
            return i;
        }
    }
    return -1;
}

/* Moves descriptors into the job; contexts take effect in ring order. */
static void
collect(struct nic_tx_queue *q, struct nic_tx_job *job, uint32_t count)
{
    bool has_data = false;
    for (uint32_t i = 0; i < count; i++) {
        struct i82599_desc *d = &job->desc[i];
        *d = q->cache[q->ring.cache_head];
        q->ring.cache_head = (q->ring.cache_head + 1) % NIC_TX_CACHE;
        q->ring.cached--;
        if (tx_is_context(d)) {
            q->context[d->hi >> I82599_TXD_IDX_SHIFT & 1] = (struct nic_tx_context){ d->lo, d->hi };
            continue;
        }
        uint32_t length = d->hi & I82599_TXD_LENGTH;
        job->bad |= length > NIC_TX_BUFFER_MAX;
        job->total += length;
        if (!has_data) {
            job->context = q->context[d->hi >> I82599_TXD_IDX_SHIFT & 1];
            has_data = true;
        }
    }
}

static bool
start_job(struct nic *nic, unsigned queue, uint64_t now)
{
    struct nic_tx *tx = &nic->tx;
    struct nic_tx_queue *q = &tx->queue[queue];
    uint32_t size = ring_size(nic, queue); /* software may have taken the ring away under cached descriptors */
    uint32_t count = q->ring.faulted || size == 0 || !may_transmit(nic, queue) ? 0 : packet_length(nic, queue);
    int slot = count ? free_job(nic) : -1;
    if (slot < 0) {
        return false;
    }
    struct nic_tx_job *job = &tx->job[slot];
    *job = (struct nic_tx_job){ .queue = (uint16_t)queue, .generation = q->ring.generation, .first = q->ring.take,
                                .count = (uint16_t)count, .state = NIC_TX_READING, .emitting = 1 };
    collect(q, job, count);
    q->ring.take = (uint16_t)((q->ring.take + count) % size);
    if (job->bad || !segment_check(nic, job)) {
        job->bad = 1;
        job->total = 0;
        tx->bad_packets++;
    }
    tx->order[(tx->order_head + tx->order_count++) % NIC_TX_JOBS] = (uint8_t)slot;
    dma_issue(nic, NIC_DMA_TX_DATA, (unsigned)slot, job->total, now);
    return true;
}

static bool
has_work(const struct nic *nic, unsigned queue)
{
    const struct nic_fetcher *r = &nic->tx.queue[queue].ring;
    return r->enabled && !r->faulted
        && (r->cached || r->fetching || ring_unfetched(r, ring_size(nic, queue), reg(nic, I82599_TDT(queue))));
}

/* Next queue with its pending bit set, at or after 'from', going round once. */
static int
next_pending(const struct nic *nic, unsigned from)
{
    for (unsigned n = 0; n < I82599_QUEUES; n++) {
        unsigned queue = (from + n) % I82599_QUEUES;
        if (!nic->tx.pending[queue / 64]) {
            n += 63 - queue % 64; /* nothing in the rest of this word */
        } else if (nic->tx.pending[queue / 64] >> queue % 64 & 1) {
            return (int)queue;
        }
    }
    return -1;
}

/* Round robin over queues, one packet each. */
static bool
arbitrate(struct nic *nic, uint64_t now)
{
    struct nic_tx *tx = &nic->tx;
    bool has_moved = false;
    unsigned idle = 0;
    while (idle < I82599_QUEUES) {
        int queue = next_pending(nic, tx->next_queue);
        if (queue < 0) {
            break;
        }
        /* Queues between were not pending: they count as seen. */
        idle += ((unsigned)queue + I82599_QUEUES - tx->next_queue) % I82599_QUEUES + 1;
        bool has_started = start_job(nic, (unsigned)queue, now);
        fetch(nic, (unsigned)queue, now);
        if (!has_work(nic, (unsigned)queue)) {
            tx->pending[queue / 64] &= ~(1ull << queue % 64);
        }
        tx->next_queue = ((unsigned)queue + 1) % I82599_QUEUES;
        if (has_started) {
            has_moved = true;
            idle = 0;
        }
    }
    return has_moved;
}

static void
kick(struct nic *nic, unsigned queue)
{
    nic->tx.pending[queue / 64] |= 1ull << queue % 64;
}

void
tx_kick_all(struct nic *nic)
{
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        if (has_work(nic, queue)) {
            kick(nic, queue);
        }
    }
}

/* --- status ---------------------------------------------------------------------------------- */

bool
tx_is_current(const struct nic *nic, const struct nic_tx_job *job)
{
    const struct nic_tx_queue *q = &nic->tx.queue[job->queue];
    return job->generation == q->ring.generation && !q->ring.faulted;
}

void
tx_release_if_done(struct nic_tx_job *job)
{
    if (job->state == NIC_TX_READ && !job->emitting && !job->reporting) {
        job->state = NIC_TX_FREE;
    }
}

/* The data are due.  They are read into the segmenter when the job's turn
 * comes, which is now unless an earlier packet waits for room. */
void
tx_data_read(struct nic *nic, unsigned slot, uint64_t now)
{
    struct nic_tx_job *job = &nic->tx.job[slot];
    (void)now;
    job->state = NIC_TX_READ;
}

static bool
write_status(struct nic *nic, const struct nic_tx_job *job)
{
    uint32_t size = ring_size(nic, job->queue), wb_low = reg(nic, I82599_TDWBAL(job->queue));
    if (wb_low & I82599_TDWBAL_HEAD_WB) {
        uint64_t address = (uint64_t)reg(nic, I82599_TDWBAH(job->queue)) << 32 | (wb_low & ~3u);
        uint32_t head = reg(nic, I82599_TDH(job->queue));
        return dma_write(nic, job->queue, address, &head, sizeof head);
    }
    for (uint32_t i = 0; i < job->count && size; i++) {
        const struct i82599_desc *d = &job->desc[i];
        if (tx_is_context(d) || !(d->hi & I82599_TXD_RS)) {
            continue;
        }
        /* Only the last dword is written: DD in STA. */
        uint32_t status = (uint32_t)(d->hi >> 32) | (uint32_t)(I82599_TXD_DD >> 32);
        uint64_t address = ring_base(nic, job->queue) + (uint64_t)((job->first + i) % size) * I82599_DESC_SIZE + 12;
        if (!dma_write(nic, job->queue, address, &status, sizeof status)) {
            return false;
        }
    }
    return true;
}

void
tx_reported(struct nic *nic, unsigned slot, uint64_t now)
{
    struct nic_tx_job *job = &nic->tx.job[slot];
    if (tx_is_current(nic, job)) {
        if (write_status(nic, job)) {
            interrupts_queue(nic, job->queue, true, now);
        } else {
            tx_fault(nic, job->queue, NIC_ERROR_DMA, job->queue | 1u << 16);
        }
    }
    job->reporting = 0;
    tx_release_if_done(job);
}

/* --- progress -------------------------------------------------------------------- */

bool
tx_step(struct nic *nic, uint64_t now)
{
    bool has_moved = tx_emit(nic, now);
    while (tx_begin_packet(nic, now)) {
        has_moved = true;
        tx_emit(nic, now);
    }
    return arbitrate(nic, now) || has_moved;
}

/* --- registers --------------------------------------------------------------------------------------- */

void
tx_tdh_write(struct nic *nic, unsigned queue, uint32_t value)
{
    struct nic_tx_queue *q = &nic->tx.queue[queue];
    reg_set(nic, I82599_TDH(queue), value);
    if (!q->ring.enabled) {
        q->ring.fetch = q->ring.take = (uint16_t)value;
    }
}

void
tx_tdt_write(struct nic *nic, unsigned queue, uint32_t value)
{
    reg_set(nic, I82599_TDT(queue), value);
    if (nic->tx.queue[queue].ring.enabled && value >= ring_size(nic, queue)) {
        nic_guest_error(nic, NIC_ERROR_TAIL, (uint64_t)queue << 32 | value);
    }
    kick(nic, queue);
}

void
tx_txdctl_write(struct nic *nic, unsigned queue, uint32_t value)
{
    struct nic_tx_queue *q = &nic->tx.queue[queue];
    bool is_on = value & I82599_TXDCTL_EN;
    reg_set(nic, I82599_TXDCTL(queue), value & ~I82599_TXDCTL_SWFLSH);
    if (is_on && !q->ring.enabled) {
        tx_stop_queue(nic, queue);
        q->ring.enabled = 1;
        kick(nic, queue);
    } else if (!is_on && q->ring.enabled) {
        tx_stop_queue(nic, queue);
    }
}

void
tx_dmatxctl_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_DMATXCTL, value);
    if (value & I82599_DMATXCTL_GDV) {
        nic_unoffered(nic, I82599_DMATXCTL, "double VLAN (DMATXCTL.GDV)");
    }
    tx_kick_all(nic);
}

/* Takes effect only while the descriptor arbiter is off. */
void
tx_mtqc_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    if (!(reg(nic, I82599_RTTDCS) & I82599_RTTDCS_ARBDIS)) {
        nic_guest_error(nic, NIC_ERROR_MTQC, value);
        return;
    }
    reg_set(nic, I82599_MTQC, value);
    if (value & I82599_MTQC_RT_ENA) {
        nic_unoffered(nic, I82599_MTQC, "transmit traffic classes (MTQC.RT_Ena)");
    }
}

void
tx_vfte_write(struct nic *nic, unsigned index, uint32_t value)
{
    reg_set(nic, I82599_VFTE(index), value);
    tx_kick_all(nic);
}

/* --- life ------------------------------------------------------------------------------------------------ */

void
tx_reset(struct nic *nic)
{
    struct nic_tx *tx = &nic->tx;
    fifo_clear(&tx->fifo);
    tx->active = -1;
    tx->payload_size = tx->payload_done = tx->segment = tx->frame_size = 0;
    tx->order_head = tx->order_count = tx->next_queue = 0;
    tx->pending[0] = tx->pending[1] = 0;
    memset(tx->job, 0, sizeof tx->job);
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        ring_reset(&tx->queue[queue].ring);
        memset(tx->queue[queue].context, 0, sizeof tx->queue[queue].context);
    }
}

static void
queue_state(struct nic_tx_queue *q, struct state *s)
{
    bool possible = ring_state(&q->ring, NIC_TX_CACHE, s);
    STATE_VISIT(s, q->context);
    if (!possible) {
        state_fail(s, "nic: impossible transmit queue");
        memset(q, 0, sizeof *q);
    }
    for (unsigned i = 0; i < q->ring.cached; i++) {
        STATE_VISIT(s, q->cache[(q->ring.cache_head + i) % NIC_TX_CACHE]);
    }
}

static void
job_state(struct nic_tx_job *job, struct state *s)
{
    STATE_VISIT(s, job->state);
    if (job->state == NIC_TX_FREE) {
        return;
    }
    STATE_VISIT(s, job->context);
    STATE_VISIT(s, job->total);
    STATE_VISIT(s, job->queue);
    STATE_VISIT(s, job->generation);
    STATE_VISIT(s, job->first);
    STATE_VISIT(s, job->count);
    STATE_VISIT(s, job->emitting);
    STATE_VISIT(s, job->reporting);
    STATE_VISIT(s, job->bad);
    if (job->count > NIC_TX_CACHE || job->queue >= I82599_QUEUES || job->state > NIC_TX_READ) {
        state_fail(s, "nic: impossible transmit job");
        memset(job, 0, sizeof *job);
    }
    state_bytes(s, job->desc, job->count * sizeof job->desc[0]);
}

static void
segmenter_state(struct nic_tx *tx, struct state *s)
{
    STATE_VISIT(s, tx->active);
    STATE_VISIT(s, tx->payload_size);
    STATE_VISIT(s, tx->payload_done);
    STATE_VISIT(s, tx->segment);
    STATE_VISIT(s, tx->frame_size);
    bool is_sane = tx->active >= -1 && tx->active < NIC_TX_JOBS && tx->payload_size <= sizeof tx->payload &&
                   tx->payload_done <= tx->payload_size && tx->frame_size <= sizeof tx->frame;
    if (!is_sane) {
        state_fail(s, "nic: impossible segmenter");
        tx->active = -1;
        tx->payload_size = tx->payload_done = tx->frame_size = 0;
    }
    if (tx->active >= 0) {
        state_bytes(s, tx->payload, tx->payload_size);
        state_bytes(s, tx->frame, tx->frame_size);
    }
}

void
tx_state(struct nic *nic, struct state *s)
{
    struct nic_tx *tx = &nic->tx;
    fifo_state(&tx->fifo, s);
    for (unsigned queue = 0; queue < I82599_QUEUES; queue++) {
        queue_state(&tx->queue[queue], s);
    }
    for (unsigned i = 0; i < NIC_TX_JOBS; i++) {
        job_state(&tx->job[i], s);
    }
    STATE_VISIT(s, tx->order);
    STATE_VISIT(s, tx->order_head);
    STATE_VISIT(s, tx->order_count);
    STATE_VISIT(s, tx->pending);
    STATE_VISIT(s, tx->next_queue);
    STATE_VISIT(s, tx->bad_packets);
    if (tx->order_head >= NIC_TX_JOBS || tx->order_count > NIC_TX_JOBS || tx->next_queue >= I82599_QUEUES) {
        state_fail(s, "nic: impossible transmit order");
        tx->order_head = tx->order_count = tx->next_queue = 0;
    }
    for (unsigned i = 0; i < NIC_TX_JOBS; i++) {
        tx->order[i] %= NIC_TX_JOBS;
    }
    segmenter_state(tx, s);
}
