/* Transmit queues. */
#include "vsp/nic/nicdrv_priv.h"

#include "services/netvsp.h"
#include "services/vswitch.h"

enum { PAGE = 4096, QUEUE_WAIT = 100000 /* [100 ns] */ };
enum { PTHRESH = 32, HTHRESH = 1, WTHRESH = 0 /* each report is written back at once */ };

void nicdrv_txq_prepare(struct nicdrv_txq *q, unsigned index, unsigned vector, uint32_t size)
{
    q->index = index;
    q->vector = vector;
    q->size = size;
    q->desc = nicdrv_alloc_contiguous(size * sizeof *q->desc);
    q->slot = svc_alloc(size * sizeof *q->slot, 64);
    q->mark = svc_alloc(size, 64);
}

/* "Transmit Initialization", per queue. */
void nicdrv_txq_start(struct nicdrv *d, struct nicdrv_txq *q)
{
    uint64_t base = svc_dma_address(q->desc);
    unsigned n = q->index;
    q->clean = q->fill = 0;
    nicdrv_write(d, I82599_TXDCTL(n), 0);
    nicdrv_write(d, I82599_TDBAL(n), (uint32_t)base);
    nicdrv_write(d, I82599_TDBAH(n), (uint32_t)(base >> 32));
    nicdrv_write(d, I82599_TDLEN(n), q->size * (uint32_t)sizeof *q->desc);
    nicdrv_write(d, I82599_TDH(n), 0);
    nicdrv_write(d, I82599_TDT(n), 0);
    nicdrv_write(d, I82599_TDWBAL(n), 0);
    nicdrv_write(d, I82599_TXDCTL(n), PTHRESH | HTHRESH << I82599_TXDCTL_HTHRESH_SHIFT |
                                          WTHRESH << I82599_TXDCTL_WTHRESH_SHIFT | I82599_TXDCTL_EN);
    if (!nicdrv_wait(d, I82599_TXDCTL(n), I82599_TXDCTL_EN, I82599_TXDCTL_EN, QUEUE_WAIT))
        svc_log("nicdrv: transmit queue %u does not start\n", n);
    q->on = true;
}

static uint32_t next(uint32_t i, uint32_t size)
{
    return i + 1 == size ? 0 : i + 1;
}

static uint32_t room(const struct nicdrv_txq *q)
{
    return (q->clean + q->size - q->fill - 1) % q->size;
}

static void put(struct nicdrv_txq *q, uint64_t address, uint32_t size, uint32_t total, uint64_t flags)
{
    q->desc[q->fill].lo = address;
    q->desc[q->fill].hi = size | I82599_TXD_DTYP_DATA | I82599_TXD_DEXT | I82599_TXD_IFCS | flags |
                          (uint64_t)total << I82599_TXD_PAYLEN_SHIFT;
    q->mark[q->fill] = 0;
    q->fill = next(q->fill, q->size);
}

static void put_frame(struct nicdrv_txq *q, const struct svc_packet *packet)
{
    uint64_t address = packet->dma;
    uint32_t at = 0, piece = packet->length;
    if (!(packet->flags & SVC_PACKET_CONTIGUOUS)) /* one descriptor for each run of contiguous pages */
        for (piece = PAGE - (uint32_t)((uintptr_t)packet->data % PAGE); at + piece < packet->length; piece += PAGE) {
            uint64_t there = svc_dma_address(packet->data + at + piece);
            if (there == address + piece)
                continue;
            put(q, address, piece, packet->length, 0);
            at += piece;
            address = there;
            piece = 0;
        }
    put(q, address, packet->length - at, packet->length, I82599_TXD_EOP);
    uint32_t last = (q->fill + q->size - 1) % q->size;
    q->slot[last] = *packet;
    q->mark[last] = NICDRV_MARK_LAST;
}

unsigned nicdrv_tx(struct svc_packet *batch, unsigned count, struct nicdrv_txq *q)
{
    unsigned taken = 0;
    while (taken < count && q->on && room(q) >= NICDRV_TX_DESCRIPTORS)
        put_frame(q, &batch[taken++]);
    if (taken == 0)
        return 0;
    uint32_t last = (q->fill + q->size - 1) % q->size; /* one report for the batch */
    q->desc[last].hi |= I82599_TXD_RS;
    q->mark[last] |= NICDRV_MARK_REPORT;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    nicdrv_write(nicdrv_state, I82599_TDT(q->index), q->fill);
    return taken;
}

static void sent(struct svc_packet *batch, unsigned count, int child)
{
    if (count == 0)
        return;
    if (child < 0)
        vsw_output_done(batch, count);
    else
        netvsp_pool_sent(batch, count, (unsigned)child);
}

/* Gives back the frames in [clean, end). */
static void release(struct nicdrv_txq *q, uint32_t end, int child)
{
    struct svc_packet batch[NICDRV_BUDGET];
    unsigned count = 0;
    while (q->clean != end) {
        if (q->mark[q->clean] & NICDRV_MARK_LAST)
            batch[count++] = q->slot[q->clean];
        q->clean = next(q->clean, q->size);
        if (count == NICDRV_BUDGET) {
            sent(batch, count, child);
            count = 0;
        }
    }
    sent(batch, count, child);
}

/* A report that is done says so for everything before it. */
void nicdrv_tx_poll(struct nicdrv *d, struct nicdrv_txq *q, int child)
{
    uint32_t end = q->clean;
    for (uint32_t i = q->clean; i != q->fill; i = next(i, q->size)) {
        if (!(q->mark[i] & NICDRV_MARK_REPORT))
            continue;
        if (!(((volatile struct i82599_desc *)&q->desc[i])->hi & I82599_TXD_DD))
            break;
        end = next(i, q->size);
    }
    release(q, end, child);
    if (child < 0)
        nicdrv_tx_waiting(d);
}

void nicdrv_tx_await(struct nicdrv *d, struct nicdrv_txq *q)
{
    if (q->awaited || q->clean == q->fill)
        return;
    q->awaited = true;
    nicdrv_vector_enable(d, q->vector); /* fires at once if a report came since it fired last */
}

void nicdrv_txq_stop(struct nicdrv *d, struct nicdrv_txq *q, int child)
{
    if (!q->on)
        return;
    q->on = false;
    nicdrv_write(d, I82599_TXDCTL(q->index), I82599_TXDCTL_SWFLSH);
    if (!nicdrv_wait(d, I82599_TXDCTL(q->index), I82599_TXDCTL_EN, 0, QUEUE_WAIT))
        svc_log("nicdrv: transmit queue %u does not stop\n", q->index);
    release(q, q->fill, child);
}

/* --- our queue --------------------------------------------------------------------------------- */

static void wait(struct nicdrv *d, struct svc_packet *batch, unsigned count)
{
    unsigned kept = NICDRV_WAITING_MAX - d->waiting_count;
    if (kept > count)
        kept = count;
    for (unsigned i = 0; i < kept; i++)
        d->waiting[(d->waiting_head + d->waiting_count++) % NICDRV_WAITING_MAX] = batch[i];
    if (kept < count) { /* more than all services together have buffers for */
        svc_count(LAB_DROP_NO_RECEIVE_BUFFER, count - kept);
        vsw_output_done(batch + kept, count - kept);
    }
}

void nicdrv_transmit(struct svc_packet *batch, unsigned count)
{
    struct nicdrv *d = nicdrv_state;
    if (!d->present) {
        svc_count(LAB_DROP_SWITCH_UNKNOWN, count);
        vsw_output_done(batch, count);
        return;
    }
    nicdrv_tx_poll(d, &d->tx, -1);
    unsigned taken = d->waiting_count == 0 ? nicdrv_tx(batch, count, &d->tx) : 0;
    if (taken == count)
        return;
    wait(d, batch + taken, count - taken);
    nicdrv_tx_await(d, &d->tx);
}

void nicdrv_tx_waiting(struct nicdrv *d)
{
    while (d->waiting_count > 0) {
        unsigned run = NICDRV_WAITING_MAX - d->waiting_head;
        if (run > d->waiting_count)
            run = d->waiting_count;
        unsigned taken = nicdrv_tx(d->waiting + d->waiting_head, run, &d->tx);
        d->waiting_head = (d->waiting_head + taken) % NICDRV_WAITING_MAX;
        d->waiting_count -= taken;
        if (taken < run) {
            nicdrv_tx_await(d, &d->tx);
            return;
        }
    }
}

void nicdrv_transmit_awaited(unsigned child)
{
    struct nicdrv *d = nicdrv_state;
    struct nicdrv_pool *pool = &d->pool[child];
    if (!d->present)
        return;
    nicdrv_tx_await(d, &d->tx);
    if (pool->running)
        nicdrv_tx_await(d, &pool->tx);
}
