/* MSI-X: entries for our queues, for other causes, and two for each pool. */
#include "vsp/nic/nicdrv_priv.h"

#include "services/vswitch.h"

enum {
    EITR_UNIT_NS = 2048,
    EITR_MAX = I82599_EITR_INTERVAL_MASK >> I82599_EITR_INTERVAL_SHIFT,
    MODERATION_DEFAULT_US = 10,
    MSIX_ENABLE = 1u << 31, /* of the capability's first word */
    MSIX_MASK_ALL = 1 << 30,
};

void nicdrv_vector_enable(struct nicdrv *d, unsigned vector)
{
    nicdrv_write(d, I82599_EIMS_EX(vector / 32), 1u << vector % 32);
}

/* IVAR: two queues per register, receive and transmit of both. */
void nicdrv_queue_vectors(struct nicdrv *d, unsigned queue, unsigned rx, unsigned tx)
{
    uint32_t both = (rx | I82599_IVAR_VALID) | (tx | I82599_IVAR_VALID) << 8;
    unsigned shift = queue % 2 * 16;
    nicdrv_change(d, I82599_IVAR(queue / 2), 0xFFFFu << shift, both << shift);
}

static void moderate(struct nicdrv *d, unsigned vector)
{
    uint64_t units = svc_config_number("moderation_us", MODERATION_DEFAULT_US) * 1000 / EITR_UNIT_NS;
    if (units > EITR_MAX)
        units = EITR_MAX;
    nicdrv_write(d, I82599_EITR(vector), (uint32_t)units << I82599_EITR_INTERVAL_SHIFT | I82599_EITR_CNT_WDIS);
}

/* --- our queue ------------------------------------------------------------------------- */

static void poll(void *ctx)
{
    struct nicdrv *d = ctx;
    nicdrv_tx_poll(d, &d->tx, -1);
    if (nicdrv_rx_poll(d, &d->rx, -1))
        nicdrv_vector_enable(d, NICDRV_VECTOR_RX);
    else
        svc_work_queue(&d->work);
}

static void queue_interrupt(void *ctx)
{
    svc_count(LAB_INTERRUPTS, 1);
    poll(ctx);
}

static void tx_interrupt(void *ctx)
{
    struct nicdrv *d = ctx;
    svc_count(LAB_INTERRUPTS, 1);
    d->tx.awaited = false; /* it masked itself */
    nicdrv_tx_poll(d, &d->tx, -1);
}

/* --- other causes --------------------------------------------------------------------------- */

static void other_interrupt(void *ctx)
{
    struct nicdrv *d = ctx;
    svc_count(LAB_INTERRUPTS, 1);
    uint32_t cause = nicdrv_read(d, I82599_EICR); /* GPIE.OCD: clears the other causes only */
    if (cause & I82599_EICR_MAILBOX)
        nicdrv_vfs_event(d);
    if (cause & I82599_EICR_LSC) {
        d->link = nicdrv_read(d, I82599_LINKS) & I82599_LINKS_UP;
        nicdrv_vfs_ping(d);
    }
}

void nicdrv_vector_bind(struct nicdrv *d, unsigned vector, void (*handler)(void *), void *ctx)
{
    if (!svc_interrupt_bind(d->bdf, vector, handler, ctx))
        svc_panic("nicdrv: interrupt %u of the card cannot be routed\n", vector);
    moderate(d, vector);
}

void nicdrv_interrupts_start(struct nicdrv *d)
{
    d->work.run = poll;
    d->work.ctx = d;
    nicdrv_write(d, I82599_GPIE, I82599_GPIE_MSIX | I82599_GPIE_PBA | I82599_GPIE_EIAME | I82599_GPIE_OCD |
                                     (d->mode == NICDRV_SRIOV ? 3u << I82599_GPIE_VT_MODE_SHIFT : 0));
    nicdrv_write(d, I82599_EIAC, 0xFFFF);
    nicdrv_write(d, I82599_EIAM_EX(0), 0xFFFFFFFF);
    nicdrv_write(d, I82599_EIAM_EX(1), 0xFFFFFFFF);
    nicdrv_vector_bind(d, NICDRV_VECTOR_RX, queue_interrupt, d);
    nicdrv_vector_bind(d, NICDRV_VECTOR_TX, tx_interrupt, d);
    nicdrv_vector_bind(d, NICDRV_VECTOR_OTHER, other_interrupt, d);
    uint32_t msix = svc_pci_read(d->bdf, I82599_CAP_MSIX);
    svc_pci_write(d->bdf, I82599_CAP_MSIX, (msix & ~(uint32_t)MSIX_MASK_ALL) | MSIX_ENABLE);
    nicdrv_queue_vectors(d, d->our_pool * NICDRV_QUEUES_PER_POOL, NICDRV_VECTOR_RX, NICDRV_VECTOR_TX);
    nicdrv_write(d, I82599_IVAR_MISC, (NICDRV_VECTOR_OTHER | I82599_IVAR_VALID) << 8);
    nicdrv_write(d, I82599_EITR(NICDRV_VECTOR_OTHER), 0);
    nicdrv_write(d, I82599_EIMS, I82599_EICR_LSC | I82599_EICR_MAILBOX);
    nicdrv_vector_enable(d, NICDRV_VECTOR_RX);
}
