/* From jobs whose data are due to frames in packet buffers: the segmenter's
 * turn-taking and the transmit switch's decisions.  One packet at a time; a
 * frame that finds no room waits here, and everything behind it. */
#include "nic-model/nic_priv.h"

static bool
wants_report(const struct nic_tx_job *job)
{
    for (uint32_t i = 0; i < job->count; i++) {
        if (!tx_is_context(&job->desc[i]) && job->desc[i].hi & I82599_TXD_RS) {
            return true;
        }
    }
    return false;
}

static bool
load_payload(struct nic *nic, const struct nic_tx_job *job)
{
    struct nic_tx *tx = &nic->tx;
    tx->payload_size = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        uint32_t length = job->desc[i].hi & I82599_TXD_LENGTH;
        if (tx_is_context(&job->desc[i])) {
            continue;
        }
        if (!dma_read(nic, job->queue, job->desc[i].lo, tx->payload + tx->payload_size, length)) {
            return false;
        }
        tx->payload_size += length;
    }
    return true;
}

static uint64_t
first_address(const struct nic_tx_job *job)
{
    uint32_t i = 0;
    while (i + 1u < job->count && tx_is_context(&job->desc[i])) {
        i++;
    }
    return job->desc[i].lo;
}

/* Takes the oldest job whose data are due into the segmenter. */
bool
tx_begin_packet(struct nic *nic, uint64_t now)
{
    struct nic_tx *tx = &nic->tx;
    if (tx->active >= 0 || tx->order_count == 0 || tx->job[tx->order[tx->order_head]].state != NIC_TX_READ) {
        return false;
    }
    unsigned slot = tx->order[tx->order_head];
    struct nic_tx_job *job = &tx->job[slot];
    tx->order_head = (tx->order_head + 1) % NIC_TX_JOBS;
    tx->order_count--;
    tx->payload_size = tx->payload_done = tx->segment = 0;
    if (tx_is_current(nic, job) && !job->bad && !load_payload(nic, job)) {
        tx_fault(nic, job->queue, NIC_ERROR_DMA, job->queue | 1u << 16);
    }
    if (tx_is_current(nic, job)) {
        uint32_t size = reg(nic, I82599_TDLEN(job->queue)) / I82599_DESC_SIZE;
        reg_set(nic, I82599_TDH(job->queue), size ? (job->first + job->count) % size : 0);
        TRACE(nic->machine, now, TRACE_NIC_TX, first_address(job), job->total, job->queue, 0);
        if (wants_report(job)) {
            job->reporting = 1;
            dma_issue(nic, NIC_DMA_TX_STATUS, slot, 4, now);
        }
    }
    if (tx_is_current(nic, job) && !job->bad) {
        tx->active = (int32_t)slot;
    } else {
        job->emitting = 0;
        tx_release_if_done(job);
    }
    return true;
}

static bool
has_room(const struct nic *nic, const struct nic_route *route, uint32_t size)
{
    uint32_t charge = fifo_charge(size), limit = reg(nic, I82599_TXPBSIZE(0));
    limit = limit > I82599_TX_BUFFER_SIZE ? I82599_TX_BUFFER_SIZE : limit;
    if (route->wire && link_is_up(nic) && nic->tx.fifo.bytes > 0 && nic->tx.fifo.bytes + charge > limit) {
        return false;
    }
    return !route->pools || charge <= rx_free_bytes(nic);
}

/* Checksum status of a switched frame is known only if its sender asked for the checksum. */
static uint64_t
local_status(const struct nic_tx_job *job, const struct nic_packet *p, const uint8_t *frame, uint32_t size)
{
    const uint64_t asked = I82599_TXD_IXSM | I82599_TXD_TXSM;
    uint64_t posted = 0;
    for (uint32_t i = 0; i < job->count; i++) {
        posted |= !tx_is_context(&job->desc[i]) && job->desc[i].hi & I82599_TXD_DEXT ? job->desc[i].hi & asked : 0;
    }
    return I82599_RXD_LB | (posted ? offload_rx_status(p, frame, size) : 0);
}

/* Sends the finished frame on; false: no room yet. */
static bool
forward_frame(struct nic *nic, uint64_t now)
{
    struct nic_tx *tx = &nic->tx;
    const struct nic_tx_job *job = &tx->job[tx->active];
    unsigned pool = vmq_pool_of_tx(nic, job->queue);
    uint32_t size = tx->frame_size;
    if (!l2switch_admits(nic, pool, tx->frame, size)) {
        tx->frame_size = 0;
        return true;
    }
    struct nic_route route = l2switch_route(nic, pool, tx->frame, size);
    if (!has_room(nic, &route, size)) {
        return false;
    }
    if (route.pools) {
        struct nic_frame what = { .packet = NIC_PACKET_NONE, .pools = route.pools, .origin = NIC_FRAME_LOCAL };
        packet_parse(&what.info, tx->frame, size);
        what.status = local_status(job, &what.info, tx->frame, size);
        rx_accept(nic, tx->frame, size, &what, now);
    }
    if (route.wire && link_is_up(nic)) {
        fifo_push(&tx->fifo, tx->frame, size); /* has_room said it fits */
    }
    stats_queue_tx(nic, job->queue, size);
    tx->frame_size = 0;
    return true;
}

bool
tx_emit(struct nic *nic, uint64_t now)
{
    struct nic_tx *tx = &nic->tx;
    bool has_moved = false;
    while (tx->active >= 0) {
        struct nic_tx_job *job = &tx->job[tx->active];
        if (tx->frame_size == 0 && tx->payload_done < tx->payload_size) {
            segment_next(nic, job);
            continue;
        }
        if (tx->frame_size > 0 && !forward_frame(nic, now)) {
            return has_moved;
        }
        has_moved = true;
        if (tx->frame_size == 0 && tx->payload_done == tx->payload_size) {
            tx->active = -1;
            job->emitting = 0;
            tx_release_if_done(job);
        }
    }
    return has_moved;
}
