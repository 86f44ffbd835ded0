/* Pools of queues for children (VMDq): the card reads and writes the child's memory. */
#include "vsp/nic/nicdrv_priv.h"

static unsigned rx_vector(unsigned child) { return NICDRV_VECTOR_POOL + 2 * child; }
static unsigned tx_vector(unsigned child) { return NICDRV_VECTOR_POOL + 2 * child + 1; }

static void pool_poll(void *ctx)
{
    struct nicdrv_pool *pool = ctx;
    struct nicdrv *d = nicdrv_state;
    if (!pool->running)
        return;
    nicdrv_tx_poll(d, &pool->tx, (int)pool->child);
    if (!nicdrv_rx_poll(d, &pool->rx, (int)pool->child))
        svc_work_queue(&pool->work);
    else if (pool->running)
        nicdrv_vector_enable(d, rx_vector(pool->child));
}

static void pool_interrupt(void *ctx)
{
    svc_count(LAB_INTERRUPTS, 1);
    pool_poll(ctx);
}

static void pool_tx_interrupt(void *ctx)
{
    struct nicdrv_pool *pool = ctx;
    svc_count(LAB_INTERRUPTS, 1);
    pool->tx.awaited = false; /* it masked itself */
    if (pool->running)
        nicdrv_tx_poll(nicdrv_state, &pool->tx, (int)pool->child);
}

/* --- operations of the service --------------------------------------------------------- */

bool nicdrv_pool_assign(unsigned child, const uint8_t mac[6], bool lossless)
{
    struct nicdrv *d = nicdrv_state;
    struct nicdrv_pool *pool = &d->pool[child];
    if (!d->present || d->mode != NICDRV_VMDQ)
        return false;
    bool first = pool->work.run == NULL;
    pool->assigned = true;
    pool->child = child;
    pool->pool = 1 + child;
    pool->rx.lossless = lossless;
    bytes_copy(pool->mac, mac, sizeof pool->mac);
    if (!first)
        return true;
    unsigned queue = pool->pool * NICDRV_QUEUES_PER_POOL;
    nicdrv_rxq_prepare(&pool->rx, queue, NICDRV_POOL_RX_SIZE);
    nicdrv_txq_prepare(&pool->tx, queue, tx_vector(child), NICDRV_TX_SIZE);
    pool->work.run = pool_poll;
    pool->work.ctx = pool;
    nicdrv_vector_bind(d, rx_vector(child), pool_interrupt, pool);
    nicdrv_vector_bind(d, tx_vector(child), pool_tx_interrupt, pool);
    nicdrv_queue_vectors(d, queue, rx_vector(child), tx_vector(child));
    return true;
}

void nicdrv_pool_run(unsigned child, bool run)
{
    struct nicdrv *d = nicdrv_state;
    struct nicdrv_pool *pool = &d->pool[child];
    if (!pool->assigned || pool->running == run)
        return;
    pool->running = run;
    if (run) {
        nicdrv_rxq_start(d, &pool->rx);
        nicdrv_txq_start(d, &pool->tx);
        nicdrv_write(d, I82599_VMOLR(pool->pool), I82599_VMOLR_AUPE | I82599_VMOLR_BAM | I82599_VMOLR_MPE);
        nicdrv_pool_enable(d, pool->pool, true);
        nicdrv_address_set(d, 1 + child, pool->mac, 1ull << pool->pool);
        nicdrv_vector_enable(d, rx_vector(child));
        return;
    }
    nicdrv_address_clear(d, 1 + child);
    nicdrv_write(d, I82599_VMOLR(pool->pool), 0);
    nicdrv_pool_enable(d, pool->pool, false);
    nicdrv_rxq_stop(d, &pool->rx);
    nicdrv_txq_stop(d, &pool->tx, (int)child);
}

unsigned nicdrv_pool_post(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct nicdrv *d = nicdrv_state;
    struct nicdrv_pool *pool = &d->pool[child];
    unsigned taken = 0;
    while (pool->running && taken < count && batch[taken].length >= d->buffer_size &&
           nicdrv_rxq_give(&pool->rx, &batch[taken]))
        taken++;
    nicdrv_rxq_show(d, &pool->rx, false);
    return taken;
}

unsigned nicdrv_pool_transmit(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct nicdrv_pool *pool = &nicdrv_state->pool[child];
    if (!pool->running)
        return 0;
    nicdrv_tx_poll(nicdrv_state, &pool->tx, (int)child);
    return nicdrv_tx(batch, count, &pool->tx);
}
