/* Receive queues: descriptors, buffers, frames. */
#include "vsp/nic/nicdrv_priv.h"

#include "services/netvsp.h"
#include "services/vswitch.h"

enum { PAGE = 4096, QUEUE_WAIT = 100000 /* [100 ns] */ };

void nicdrv_rxq_prepare(struct nicdrv_rxq *q, unsigned index, uint32_t size)
{
    q->index = index;
    q->size = size;
    q->desc = nicdrv_alloc_contiguous(size * sizeof *q->desc);
    q->slot = svc_alloc(size * sizeof *q->slot, 64);
}

/* "Receive Initialization", per queue: base, length, SRRCTL, enable, poll, tail. */
void nicdrv_rxq_start(struct nicdrv *d, struct nicdrv_rxq *q)
{
    uint64_t base = svc_dma_address(q->desc);
    unsigned n = q->index;
    q->clean = q->fill = q->shown = 0;
    bytes_zero(q->desc, q->size * sizeof *q->desc);
    nicdrv_write(d, I82599_RDBAL(n), (uint32_t)base);
    nicdrv_write(d, I82599_RDBAH(n), (uint32_t)(base >> 32));
    nicdrv_write(d, I82599_RDLEN(n), q->size * (uint32_t)sizeof *q->desc);
    nicdrv_write(d, I82599_RDH(n), 0);
    nicdrv_write(d, I82599_RDT(n), 0);
    nicdrv_write(d, I82599_SRRCTL(n),
                 d->buffer_size / NICDRV_BUFFER_UNIT << I82599_SRRCTL_BSIZEPACKET_SHIFT |
                     4u << I82599_SRRCTL_BSIZEHEADER_SHIFT |
                     (uint32_t)I82599_DESCTYPE_ADVANCED_ONE << I82599_SRRCTL_DESCTYPE_SHIFT |
                     (q->lossless ? 0 : I82599_SRRCTL_DROP_EN));
    nicdrv_change(d, I82599_DCA_RXCTRL(n), 1u << 12, 0); /* its default is reserved: clear it */
    nicdrv_change(d, I82599_RXDCTL(n), I82599_RXDCTL_VME, I82599_RXDCTL_EN);
    if (!nicdrv_wait(d, I82599_RXDCTL(n), I82599_RXDCTL_EN, I82599_RXDCTL_EN, QUEUE_WAIT))
        svc_log("nicdrv: receive queue %u does not start\n", n);
    q->on = true;
}

void nicdrv_rxq_stop(struct nicdrv *d, struct nicdrv_rxq *q)
{
    if (!q->on)
        return;
    q->on = false;
    nicdrv_change(d, I82599_RXDCTL(q->index), I82599_RXDCTL_EN, 0);
    if (!nicdrv_wait(d, I82599_RXDCTL(q->index), I82599_RXDCTL_EN, 0, QUEUE_WAIT))
        svc_log("nicdrv: receive queue %u does not stop\n", q->index);
}

static uint32_t next(uint32_t i, uint32_t size)
{
    return i + 1 == size ? 0 : i + 1;
}

bool nicdrv_rxq_give(struct nicdrv_rxq *q, const struct svc_packet *packet)
{
    uint32_t after = next(q->fill, q->size);
    if (after == q->clean)
        return false;
    q->desc[q->fill].hi = 0; /* DD */
    q->desc[q->fill].lo = packet->dma;
    q->slot[q->fill] = *packet;
    q->fill = after;
    return true;
}

static uint32_t count(uint32_t from, uint32_t to, uint32_t size)
{
    return to >= from ? to - from : size - from + to;
}

/* Writing the tail costs a register access: it waits for NICDRV_FILL_STEP
 * descriptors, unless the card has few left or 'now' is wanted. */
void nicdrv_rxq_show(struct nicdrv *d, struct nicdrv_rxq *q, bool now)
{
    uint32_t fresh = count(q->shown, q->fill, q->size), left = count(q->clean, q->shown, q->size);
    if (fresh == 0 || (!now && fresh < NICDRV_FILL_STEP && left > q->size / 4))
        return;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    nicdrv_write(d, I82599_RDT(q->index), q->fill);
    q->shown = q->fill;
}

/* A step that traces show, so it is never inlined. */
__attribute__((noinline)) void nicdrv_rx(struct svc_packet *batch, unsigned count, int child)
{
    if (child < 0)
        vsw_input(batch, count, VSW_PORT_UPLINK);
    else
        netvsp_pool_received(batch, count, (unsigned)child);
}

bool nicdrv_rx_poll(struct nicdrv *d, struct nicdrv_rxq *q, int child)
{
    struct svc_packet batch[NICDRV_BUDGET];
    unsigned count = 0, seen = 0;
    for (; seen < NICDRV_BUDGET && q->on; seen++) {
        volatile struct i82599_desc *desc = &q->desc[q->clean];
        uint64_t status = desc->hi;
        if (q->clean == q->fill || !(status & I82599_RXD_DD))
            break;
        struct svc_packet *packet = &batch[count];
        *packet = q->slot[q->clean];
        q->clean = next(q->clean, q->size);
        if (!(status & I82599_RXD_EOP)) { /* cannot be: MAXFRS is below the buffer's size */
            svc_count(LAB_DROP_OVERSIZE, 1);
            nicdrv_rxq_give(q, packet);
            continue;
        }
        packet->length = (uint32_t)(status >> I82599_RXD_LENGTH_SHIFT & 0xFFFF);
        if (status & (I82599_RXD_L4CS | I82599_RXD_IPCS) && !(status & (I82599_RXD_TCPE | I82599_RXD_IPE)))
            packet->flags |= SVC_PACKET_CHECKSUM_OK;
        count++;
    }
    if (count > 0)
        nicdrv_rx(batch, count, child);
    nicdrv_rxq_show(d, q, false);
    return seen < NICDRV_BUDGET;
}

/* --- our buffers ------------------------------------------------------------------------- */

/* Given back by the switch: 'owner' is the buffer, whatever was done to data and length. */
void nicdrv_returned(struct svc_packet *batch, unsigned count)
{
    struct nicdrv *d = nicdrv_state;
    for (unsigned i = 0; i < count; i++) {
        const struct nicdrv_buffer *buffer = batch[i].owner;
        struct svc_packet packet = {
            .data = buffer->data, .dma = buffer->dma, .flags = SVC_PACKET_CONTIGUOUS, .owner = batch[i].owner,
        };
        nicdrv_rxq_give(&d->rx, &packet);
    }
    nicdrv_rxq_show(d, &d->rx, false);
}

static bool contiguous(const uint8_t *data, uint32_t size)
{
    uint64_t dma = svc_dma_address(data);
    for (uint32_t at = PAGE - (uint32_t)((uintptr_t)data % PAGE); at < size; at += PAGE)
        if (svc_dma_address(data + at) != dma + at)
            return false;
    return true;
}

void nicdrv_rx_buffers(struct nicdrv *d)
{
    uint32_t frame = d->mtu + NICDRV_FRAME_OVERHEAD;
    uint32_t stride = NICDRV_HEADROOM + frame <= PAGE / 2
                          ? PAGE / 2 : (NICDRV_HEADROOM + d->buffer_size + PAGE - 1) / PAGE * PAGE;
    uint32_t wanted = d->rx.size - 1, good = 0;
    uint8_t *memory = svc_alloc((size_t)stride * wanted, PAGE);
    struct nicdrv_buffer *buffers = svc_alloc(wanted * sizeof *buffers, 64);
    for (uint32_t i = 0; i < wanted; i++) {
        uint8_t *data = memory + (size_t)i * stride + NICDRV_HEADROOM;
        if (!contiguous(data, stride - NICDRV_HEADROOM))
            continue;
        buffers[good] = (struct nicdrv_buffer){ data, svc_dma_address(data) };
        struct svc_packet packet = { .data = data, .dma = buffers[good].dma, .flags = SVC_PACKET_CONTIGUOUS,
                                     .owner = &buffers[good] };
        good += nicdrv_rxq_give(&d->rx, &packet);
    }
    if (good < wanted / 2)
        svc_panic("nicdrv: only %u of %u receive buffers are contiguous for the card\n", good, wanted);
    nicdrv_rxq_show(d, &d->rx, true);
}
