/* Queues of the NVMe controller: doorbells, fetching, slots, completions,
 * interrupts; see nvme_priv.h. */
#include <string.h>

#include "sim/machine.h"
#include "sim/platform/nvme_priv.h"
#include "sim/time/timing.h"

/* --- completions ------------------------------------------------------------------ */

static bool
cq_is_full(const struct nvme_cq *q)
{
    return (q->tail + 1) % q->size == q->head;
}

void
nvme_queue_interrupts(struct nvme *n)
{
    bool high = false;
    for (unsigned i = 0; i < NVME_QUEUE_COUNT; i++) {
        const struct nvme_cq *q = &n->cq[i];
        bool masked = q->vector < 32 && n->interrupt_mask >> q->vector & 1;
        high |= q->exists && q->interrupts && q->head != q->tail && !masked;
    }
    high &= !msix_enabled(&n->msix);
    if (high != n->function.intx) {
        pci_set_intx(n->machine->pci, &n->function, high);
    }
}

/* There is room. */
static void
cq_post(struct nvme *n, unsigned cq, unsigned sq, uint16_t cid, struct nvme_answer a)
{
    struct nvme_cq *q = &n->cq[cq];
    uint32_t entry[4] = {
        a.result, 0, (uint32_t)sq << 16 | n->sq[sq].head, (uint32_t)(a.status << 1 | q->phase) << 16 | cid,
    };
    if (!pci_dma_write(n->machine->pci, &n->function, q->base + (uint64_t)q->tail * NVME_CQE_SIZE, entry, sizeof entry)) {
        nvme_fail(n);
        return;
    }
    if (++q->tail == q->size) {
        q->tail = 0;
        q->phase = !q->phase;
    }
    if (q->interrupts) {
        msix_notify(&n->msix, q->vector);
    }
}

static void
error_log(struct nvme *n, uint16_t sq, uint16_t cid, uint16_t status, uint64_t lba)
{
    n->error[n->error_count % NVME_ERRORS] =
        (struct nvme_error){ .count = n->error_count + 1, .sq = sq, .cid = cid, .status = status, .lba = lba };
    n->error_count++;
}

/* --- slots -------------------------------------------------------------------------- */

static struct nvme_slot *
slot_free(struct nvme *n)
{
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        if (!n->slot[i].busy) {
            return &n->slot[i];
        }
    }
    return NULL;
}

/* A request for events waits outside of the slots; its completion needs one. */
bool
nvme_queue_complete_async(struct nvme *n, uint16_t cid, uint32_t result, uint16_t status)
{
    struct nvme_slot *s = slot_free(n);
    if (s) {
        *s = (struct nvme_slot){ .busy = true, .done = true, .status = status, .result = result,
                                 .command = { (uint32_t)cid << 16 }, .due = machine_now(n->machine),
                                 .sequence = n->sequence++ };
        event_arm(n->machine->events, &n->work, s->due);
    }
    return s != NULL;
}

/* The slot whose turn it is: due by 'now', able to complete; the oldest due. */
static struct nvme_slot *
slot_next(struct nvme *n, uint64_t now)
{
    struct nvme_slot *best = NULL;
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        struct nvme_slot *s = &n->slot[i];
        if (!s->busy || s->due > now || cq_is_full(&n->cq[n->sq[s->sq].cq])) {
            continue;
        }
        if (!best || s->due < best->due || (s->due == best->due && s->sequence < best->sequence)) {
            best = s;
        }
    }
    return best;
}

/* Slots that wait for room in a completion queue are woken by its doorbell. */
static void
work_arm(struct nvme *n)
{
    uint64_t due = EVENT_NEVER, now = machine_now(n->machine);
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        const struct nvme_slot *s = &n->slot[i];
        if (s->busy && !cq_is_full(&n->cq[n->sq[s->sq].cq]) && s->due < due) {
            due = s->due;
        }
    }
    if (due == EVENT_NEVER) {
        event_cancel(n->machine->events, &n->work);
    } else {
        event_arm(n->machine->events, &n->work, due > now ? due : now);
    }
}

static void
fetch_arm(struct nvme *n)
{
    if (nvme_is_running(n) && !event_is_armed(&n->fetch)) {
        event_arm(n->machine->events, &n->fetch,
                  machine_now(n->machine) + time_fabric(n->machine, FABRIC_DISK_COMMAND, 0));
    }
}

/* Copied out, because an admin command may delete the queue it came with. */
static void
slot_finish(struct nvme *n, struct nvme_slot *slot)
{
    struct nvme_slot s = *slot;
    struct nvme_answer a = { .status = s.status, .result = s.result };
    uint16_t cid = (uint16_t)(s.command[0] >> 16);
    slot->busy = false;
    if (!s.done) {
        bool asks_for_event = s.sq == 0 && (uint8_t)s.command[0] == NVME_ADMIN_ASYNC_EVENT;
        a = s.sq ? nvme_io(n, s.command) : nvme_admin(n, s.command);
        if (asks_for_event && a.status == NVME_SUCCESS) {
            return; /* completes when something happens */
        }
    }
    if (a.status & ~NVME_DNR && a.status != NVME_ABORT_REQUESTED && a.status != NVME_ABORTED_SQ_DELETION) {
        error_log(n, s.sq, cid, a.status, s.sq ? nvme_qword(s.command, 10) : 0);
    }
    if (nvme_is_running(n) && n->sq[s.sq].exists) {
        cq_post(n, n->sq[s.sq].cq, s.sq, cid, a);
    }
}

void
nvme_queue_work(void *nvme, uint64_t now)
{
    struct nvme *n = nvme;
    struct nvme_slot *s;
    while (nvme_is_running(n) && (s = slot_next(n, now)) != NULL) {
        slot_finish(n, s);
    }
    if (nvme_is_running(n)) {
        nvme_async_deliver(n);
        work_arm(n);
        fetch_arm(n);
        nvme_queue_interrupts(n);
    }
}

/* --- fetching ----------------------------------------------------------------------- */

static uint64_t
command_due(struct nvme *n, const struct nvme_slot *s, uint64_t now)
{
    if (s->sq == 0) {
        return now + time_fabric(n->machine, FABRIC_DISK_COMMAND, 0);
    }
    uint64_t bytes = nvme_io_bytes(n, s->command);
    uint64_t begin = n->medium_free > now ? n->medium_free : now;
    if (bytes) {
        n->medium_free = begin + time_fabric(n->machine, FABRIC_DISK_BUSY, bytes);
    }
    return (bytes ? n->medium_free : begin) + time_fabric(n->machine, FABRIC_DISK, 0);
}

/* One command from queue 'index' into 's'. */
static void
fetch_one(struct nvme *n, unsigned index, struct nvme_slot *s, uint64_t now)
{
    struct nvme_sq *q = &n->sq[index];
    *s = (struct nvme_slot){ .sq = (uint16_t)index };
    if (!pci_dma_read(n->machine->pci, &n->function, q->base + (uint64_t)q->head * NVME_SQE_SIZE, s->command,
                      NVME_SQE_SIZE)) {
        nvme_fail(n);
        return;
    }
    q->head = (uint16_t)((q->head + 1) % q->size);
    s->busy = true;
    s->sequence = n->sequence++;
    s->due = command_due(n, s, now);
}

/* The next queue in turn that has a command, or NVME_QUEUE_COUNT. */
static unsigned
sq_next(struct nvme *n)
{
    for (unsigned i = 0; i < NVME_QUEUE_COUNT; i++) {
        unsigned index = (n->next_sq + i) % NVME_QUEUE_COUNT;
        if (n->sq[index].exists && n->sq[index].head != n->sq[index].tail) {
            n->next_sq = (uint16_t)((index + 1) % NVME_QUEUE_COUNT);
            return index;
        }
    }
    return NVME_QUEUE_COUNT;
}

void
nvme_queue_fetch(void *nvme, uint64_t now)
{
    struct nvme *n = nvme;
    struct nvme_slot *s;
    while (nvme_is_running(n) && (s = slot_free(n)) != NULL) {
        unsigned index = sq_next(n);
        if (index == NVME_QUEUE_COUNT) {
            break;
        }
        fetch_one(n, index, s, now);
    }
    if (nvme_is_running(n)) {
        work_arm(n);
    }
}

/* --- doorbells ----------------------------------------------------------------------- */

static void
head_doorbell(struct nvme *n, unsigned index, uint32_t value)
{
    struct nvme_cq *q = &n->cq[index];
    /* Only entries that were posted can be consumed. */
    unsigned posted = (q->tail + q->size - q->head) % q->size;
    if (value >= q->size || (value + q->size - q->head) % q->size > posted) {
        nvme_async_event(n, ASYNC_DOORBELL_VALUE);
        return;
    }
    q->head = (uint16_t)value;
    nvme_queue_interrupts(n);
    work_arm(n);
}

void
nvme_queue_doorbell(struct nvme *n, unsigned index, bool completion, uint32_t value)
{
    if (!nvme_is_running(n)) {
        return;
    }
    if (index >= NVME_QUEUE_COUNT || !(completion ? n->cq[index].exists : n->sq[index].exists)) {
        nvme_async_event(n, ASYNC_DOORBELL_QUEUE);
    } else if (completion) {
        head_doorbell(n, index, value);
    } else if (value >= n->sq[index].size) {
        nvme_async_event(n, ASYNC_DOORBELL_VALUE);
    } else {
        n->sq[index].tail = (uint16_t)value;
        fetch_arm(n);
    }
}

/* --- leaving --------------------------------------------------------------------------- */

void
nvme_queue_drop(struct nvme *n, unsigned sq)
{
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        struct nvme_slot *s = &n->slot[i];
        if (s->busy && s->sq == sq) {
            s->busy = false;
            if (!cq_is_full(&n->cq[n->sq[sq].cq])) {
                cq_post(n, n->sq[sq].cq, sq, (uint16_t)(s->command[0] >> 16), nvme_status(NVME_ABORTED_SQ_DELETION));
            }
        }
    }
}

bool
nvme_queue_abort(struct nvme *n, unsigned sq, uint16_t cid)
{
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        struct nvme_slot *s = &n->slot[i];
        if (s->busy && !s->done && s->sq == sq && s->command[0] >> 16 == cid) {
            s->done = true;
            s->status = NVME_ABORT_REQUESTED;
            s->due = machine_now(n->machine);
            return true;
        }
    }
    return false;
}

void
nvme_queue_reset(struct nvme *n)
{
    memset(n->sq, 0, sizeof n->sq);
    memset(n->cq, 0, sizeof n->cq);
    memset(n->slot, 0, sizeof n->slot);
    n->next_sq = 0;
    event_cancel(n->machine->events, &n->fetch);
    event_cancel(n->machine->events, &n->work);
    nvme_queue_interrupts(n);
}
