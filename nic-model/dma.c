/* The card's side of PCI Express: transfers in flight.
 *
 * One channel for reads, one for posted writes.  A transfer takes the
 * fabric's latency; its payload also occupies the link, so transfers overlap
 * in latency but not in payload, and finish in the order they were issued.
 * Memory is touched when a transfer is due, not when it is issued, always with
 * the requester id of the function that the queue belongs to.
 */
#include <assert.h>

#include "nic-model/nic_priv.h"

static struct nic_dma_channel *
channel_of(struct nic *nic, enum nic_dma_kind kind)
{
    return kind == NIC_DMA_RX_WRITE || kind == NIC_DMA_TX_STATUS ? &nic->writes : &nic->reads;
}

static void
channel_arm(struct nic_dma_channel *c)
{
    struct event_queue *q = c->nic->machine->events;
    if (c->count == 0) {
        event_cancel(q, &c->event);
    } else if (!event_is_armed(&c->event) || c->event.due != c->op[c->head].due) {
        event_arm(q, &c->event, c->op[c->head].due);
    }
}

static void
op_finish(struct nic *nic, const struct nic_dma_op *op, uint64_t now)
{
    switch ((enum nic_dma_kind)op->kind) {
    case NIC_DMA_RX_FETCH:
        rx_fetched(nic, op->index, now);
        break;
    case NIC_DMA_TX_FETCH:
        tx_fetched(nic, op->index);
        break;
    case NIC_DMA_TX_DATA:
        tx_data_read(nic, op->index, now);
        break;
    case NIC_DMA_RX_WRITE:
        rx_write_done(nic, now);
        break;
    case NIC_DMA_TX_STATUS:
        tx_reported(nic, op->index, now);
        break;
    }
}

static void
channel_fire(void *ctx, uint64_t now)
{
    struct nic_dma_channel *c = ctx;
    while (c->count > 0 && c->op[c->head].due <= now) {
        struct nic_dma_op op = c->op[c->head];
        c->head = (c->head + 1) % NIC_DMA_OPS;
        c->count--;
        op_finish(c->nic, &op, now);
    }
    channel_arm(c);
    nic_run(c->nic, now);
}

void
dma_init(struct nic *nic)
{
    nic->reads.nic = nic->writes.nic = nic;
    event_init(&nic->reads.event, channel_fire, &nic->reads);
    event_init(&nic->writes.event, channel_fire, &nic->writes);
}

void
dma_issue(struct nic *nic, enum nic_dma_kind kind, unsigned index, uint32_t bytes, uint64_t now)
{
    struct nic_dma_channel *c = channel_of(nic, kind);
    enum fabric_kind fabric = c == &nic->writes ? FABRIC_DMA_WRITE : FABRIC_DMA_READ;
    uint64_t latency = time_fabric(nic->machine, fabric, bytes);
    uint64_t empty = time_fabric(nic->machine, fabric, 0);
    uint64_t start = now > c->busy_until ? now : c->busy_until;
    uint64_t due = start + latency;

    c->busy_until = start + (latency > empty ? latency - empty : 0);
    if (due < c->last_due) {
        due = c->last_due;
    }
    c->last_due = due;
    /* At most one fetch per ring and one op per job can be in flight. */
    assert(c->count < NIC_DMA_OPS);
    c->op[(c->head + c->count) % NIC_DMA_OPS] = (struct nic_dma_op){ .due = due, .kind = kind, .index = index };
    c->count++;
    channel_arm(c);
}

/* A translation that missed the IOTLB holds up what comes behind it. */
static void
add_latency(struct nic *nic, struct nic_dma_channel *c)
{
    uint64_t latency = pci_dma_latency(nic->machine->pci), now = nic_now(nic);
    if (latency > 0) {
        c->busy_until = (c->busy_until > now ? c->busy_until : now) + latency;
    }
}

bool
dma_read(struct nic *nic, unsigned queue, uint64_t address, void *to, uint32_t size)
{
    bool is_done = pci_dma_read(nic->machine->pci, vf_function_of_queue(nic, queue), address, to, size);
    add_latency(nic, &nic->reads);
    return is_done;
}

bool
dma_write(struct nic *nic, unsigned queue, uint64_t address, const void *from, uint32_t size)
{
    bool is_done = pci_dma_write(nic->machine->pci, vf_function_of_queue(nic, queue), address, from, size);
    add_latency(nic, &nic->writes);
    return is_done;
}

void
dma_reset(struct nic *nic)
{
    struct nic_dma_channel *both[] = { &nic->reads, &nic->writes };
    for (unsigned i = 0; i < 2; i++) {
        both[i]->head = both[i]->count = 0;
        both[i]->busy_until = both[i]->last_due = 0;
        channel_arm(both[i]);
    }
}

bool
dma_idle(const struct nic *nic)
{
    return nic->reads.count == 0 && nic->writes.count == 0;
}

static bool
op_is_sane(const struct nic_dma_op *op)
{
    bool is_job = op->kind == NIC_DMA_TX_DATA || op->kind == NIC_DMA_TX_STATUS;
    return op->kind <= NIC_DMA_TX_STATUS && op->index < (is_job ? (unsigned)NIC_TX_JOBS : (unsigned)I82599_QUEUES);
}

void
dma_state(struct nic *nic, struct state *s)
{
    struct nic_dma_channel *both[] = { &nic->reads, &nic->writes };
    for (unsigned i = 0; i < 2; i++) {
        struct nic_dma_channel *c = both[i];
        STATE_VISIT(s, c->head);
        STATE_VISIT(s, c->count);
        STATE_VISIT(s, c->busy_until);
        STATE_VISIT(s, c->last_due);
        if (c->head >= NIC_DMA_OPS || c->count > NIC_DMA_OPS) {
            state_fail(s, "nic: impossible DMA channel");
            c->head = c->count = 0;
        }
        for (uint32_t n = 0; n < c->count; n++) {
            struct nic_dma_op *op = &c->op[(c->head + n) % NIC_DMA_OPS];
            STATE_VISIT(s, *op);
            if (!op_is_sane(op)) {
                state_fail(s, "nic: impossible DMA operation");
                c->count = 0;
            }
        }
        event_state(nic->machine->events, &c->event, s);
    }
}
