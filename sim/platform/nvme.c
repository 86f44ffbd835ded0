/* The NVMe controller: registers, configuration space, life, state; see nvme.h. */
#include "sim/platform/nvme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/platform/nvme_priv.h"

/* BAR 0: registers and doorbells, then MSI-X. */
enum { BAR_SIZE = 0x4000, BAR_MSIX_TABLE = 0x2000, BAR_MSIX_PENDING = 0x3000, DOORBELLS_END = 0x2000 };

static const uint64_t capabilities =
    (NVME_ENTRIES_MAX - 1) | NVME_CAP_CQR | 10ull << NVME_CAP_TO_SHIFT | NVME_CAP_CSS_NVM;

bool
nvme_is_running(const struct nvme *n)
{
    return (n->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == NVME_CSTS_RDY;
}

void
nvme_fail(struct nvme *n)
{
    n->csts |= NVME_CSTS_CFS;
}

uint16_t
nvme_host_failed(struct nvme *n, uint16_t status)
{
    machine_request_stop(n->machine, STOP_UNIMPLEMENTED, 0, "nvme%u: the host fails: %s", n->index, disk_error(n->disk));
    return status;
}

enum { DEVICE_CONTROL = 8, INITIATE_FLR = 1 << 15 }; /* of the PCI Express capability */

/* --- enable, reset, shutdown ---------------------------------------------------------- */

static void
controller_reset(struct nvme *n)
{
    n->csts = 0;
    n->interrupt_mask = 0;
    n->async_count = 0;
    n->async_pending = 0;
    n->async_masked = false;
    n->medium_free = 0;
    nvme_features_reset(n);
    nvme_queue_reset(n);
}

static void
enable(struct nvme *n)
{
    uint32_t submission = (n->aqa & 0xFFF) + 1, completion = (n->aqa >> 16 & 0xFFF) + 1;
    bool usable = !NVME_CC_CSS(n->cc) && !NVME_CC_MPS(n->cc) && !NVME_CC_AMS(n->cc) && submission >= 2 &&
                  completion >= 2;
    if (!usable) {
        nvme_fail(n);
        return;
    }
    n->sq[0] = (struct nvme_sq){ .exists = true, .size = (uint16_t)submission, .base = n->asq };
    n->cq[0] = (struct nvme_cq){ .exists = true, .interrupts = true, .phase = true, .size = (uint16_t)completion,
                                 .base = n->acq };
    n->csts = NVME_CSTS_RDY;
}

static void
write_cc(struct nvme *n, uint32_t value)
{
    uint32_t old = n->cc;
    n->cc = value & NVME_CC_WRITABLE;
    if (old & NVME_CC_EN && !(n->cc & NVME_CC_EN)) {
        controller_reset(n);
    }
    if (!(old & NVME_CC_EN) && n->cc & NVME_CC_EN) {
        enable(n);
    }
    if (NVME_CC_SHN(n->cc) && !NVME_CC_SHN(old)) {
        if (!disk_flush(n->disk)) {
            nvme_host_failed(n, NVME_WRITE_FAULT);
        }
        n->csts |= NVME_CSTS_SHST_DONE;
    }
}

/* --- registers -------------------------------------------------------------------------- */

static uint32_t
register_read(const struct nvme *n, unsigned offset)
{
    switch (offset) {
    case NVME_CAP:
        return (uint32_t)capabilities;
    case NVME_CAP + 4:
        return (uint32_t)(capabilities >> 32);
    case NVME_VS:
        return NVME_VERSION_1_4;
    case NVME_INTMS:
    case NVME_INTMC:
        return n->interrupt_mask;
    case NVME_CC:
        return n->cc;
    case NVME_CSTS:
        return n->csts;
    case NVME_AQA:
        return n->aqa;
    case NVME_ASQ:
        return (uint32_t)n->asq;
    case NVME_ASQ + 4:
        return (uint32_t)(n->asq >> 32);
    case NVME_ACQ:
        return (uint32_t)n->acq;
    case NVME_ACQ + 4:
        return (uint32_t)(n->acq >> 32);
    default:
        return 0; /* features that are not offered, and doorbells */
    }
}

static void
half_write(uint64_t *address, bool high, uint32_t value)
{
    uint64_t half = (uint64_t)value << (high ? 32 : 0);
    *address = ((*address & (high ? 0xFFFFFFFFull : ~0xFFFFFFFFull)) | half) & ~(uint64_t)(NVME_PAGE - 1);
}

static void
register_write(struct nvme *n, unsigned offset, uint32_t value)
{
    bool enabled = n->cc & NVME_CC_EN;
    switch (offset) {
    case NVME_INTMS:
        n->interrupt_mask |= value;
        nvme_queue_interrupts(n);
        break;
    case NVME_INTMC:
        n->interrupt_mask &= ~value;
        nvme_queue_interrupts(n);
        break;
    case NVME_CC:
        write_cc(n, value);
        break;
    case NVME_AQA:
        n->aqa = enabled ? n->aqa : value & 0x0FFF0FFF;
        break;
    case NVME_ASQ:
    case NVME_ASQ + 4:
        if (!enabled) {
            half_write(&n->asq, offset != NVME_ASQ, value);
        }
        break;
    case NVME_ACQ:
    case NVME_ACQ + 4:
        if (!enabled) {
            half_write(&n->acq, offset != NVME_ACQ, value);
        }
        break;
    default:
        if (offset >= NVME_DOORBELLS && offset < DOORBELLS_END) {
            unsigned index = (offset - NVME_DOORBELLS) / 4;
            nvme_queue_doorbell(n, index / 2, index & 1, value & 0xFFFF);
        }
    }
}

static uint64_t
bar_read(void *ctx, uint64_t offset, unsigned size)
{
    struct nvme *n = ctx;
    if (msix_owns(&n->msix, offset)) {
        return msix_read(&n->msix, offset, size);
    }
    uint64_t both = register_read(n, (unsigned)offset & ~3u);
    if (size == 8) {
        both |= (uint64_t)register_read(n, ((unsigned)offset & ~3u) + 4) << 32;
    }
    return both >> (8 * (offset & 3));
}

/* Software writes aligned dwords or quadwords; anything else is ignored. */
static void
bar_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct nvme *n = ctx;
    if (msix_owns(&n->msix, offset)) {
        msix_write(&n->msix, offset, size, value);
    } else if (offset % 4 == 0 && size >= 4) {
        register_write(n, (unsigned)offset, (uint32_t)value);
        if (size == 8) {
            register_write(n, (unsigned)offset + 4, (uint32_t)(value >> 32));
        }
    }
}

/* PCI Express Base Specification "Function Level Reset (FLR)"; what was flushed or acknowledged is on the disk. */
static void
function_reset(struct nvme *n)
{
    controller_reset(n);
    n->cc = n->aqa = 0;
    n->asq = n->acq = 0;
    msix_reset(&n->msix);
    pci_function_reset(n->machine->pci, &n->function);
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct nvme *n = ctx;
    if (pci_get(&n->function, n->express + DEVICE_CONTROL, 2) & INITIATE_FLR) {
        function_reset(n);
    }
    msix_config_written(&n->msix, offset, size);
    nvme_queue_interrupts(n); /* MSI-X on or off */
}

/* --- state ------------------------------------------------------------------------------ */

static void
queues_state(struct nvme *n, struct state *s)
{
    for (unsigned i = 0; i < NVME_QUEUE_COUNT; i++) {
        struct nvme_sq *sq = &n->sq[i];
        struct nvme_cq *cq = &n->cq[i];
        STATE_VISIT(s, sq->exists);
        STATE_VISIT(s, sq->cq);
        STATE_VISIT(s, sq->size);
        STATE_VISIT(s, sq->head);
        STATE_VISIT(s, sq->tail);
        STATE_VISIT(s, sq->base);
        STATE_VISIT(s, cq->exists);
        STATE_VISIT(s, cq->interrupts);
        STATE_VISIT(s, cq->phase);
        STATE_VISIT(s, cq->vector);
        STATE_VISIT(s, cq->size);
        STATE_VISIT(s, cq->head);
        STATE_VISIT(s, cq->tail);
        STATE_VISIT(s, cq->base);
        bool good = (!sq->exists || (sq->cq < NVME_QUEUE_COUNT && sq->size >= 2 && sq->size <= NVME_ADMIN_ENTRIES_MAX &&
                                     sq->head < sq->size && sq->tail < sq->size)) &&
                    (!cq->exists || (cq->size >= 2 && cq->size <= NVME_ADMIN_ENTRIES_MAX && cq->head < cq->size &&
                                     cq->tail < cq->size));
        if (!good) {
            state_fail(s, "nvme%u: queue %u out of range", n->index, i);
        }
    }
}

static void
slots_state(struct nvme *n, struct state *s)
{
    for (unsigned i = 0; i < NVME_SLOTS; i++) {
        struct nvme_slot *slot = &n->slot[i];
        STATE_VISIT(s, slot->busy);
        if (!slot->busy) {
            continue;
        }
        STATE_VISIT(s, slot->done);
        STATE_VISIT(s, slot->sq);
        STATE_VISIT(s, slot->status);
        STATE_VISIT(s, slot->result);
        STATE_VISIT(s, slot->command);
        STATE_VISIT(s, slot->due);
        STATE_VISIT(s, slot->sequence);
        if (slot->sq >= NVME_QUEUE_COUNT || !n->sq[slot->sq].exists || !n->cq[n->sq[slot->sq].cq].exists) {
            state_fail(s, "nvme%u: a command of a queue that is not there", n->index);
            slot->busy = false;
        }
    }
}

static void
log_state(struct nvme *n, struct state *s)
{
    STATE_VISIT(s, n->error_count);
    for (unsigned i = 0; i < NVME_ERRORS; i++) {
        STATE_VISIT(s, n->error[i].count);
        STATE_VISIT(s, n->error[i].sq);
        STATE_VISIT(s, n->error[i].cid);
        STATE_VISIT(s, n->error[i].status);
        STATE_VISIT(s, n->error[i].lba);
    }
    STATE_VISIT(s, n->reads);
    STATE_VISIT(s, n->writes);
    STATE_VISIT(s, n->sectors_read);
    STATE_VISIT(s, n->sectors_written);
}

static void
nvme_state(void *ctx, struct state *s)
{
    struct nvme *n = ctx;
    STATE_VISIT(s, n->cc);
    STATE_VISIT(s, n->csts);
    STATE_VISIT(s, n->aqa);
    STATE_VISIT(s, n->interrupt_mask);
    STATE_VISIT(s, n->asq);
    STATE_VISIT(s, n->acq);
    queues_state(n, s);
    slots_state(n, s);
    STATE_VISIT(s, n->sequence);
    STATE_VISIT(s, n->medium_free);
    STATE_VISIT(s, n->next_sq);
    STATE_VISIT(s, n->feature);
    STATE_VISIT(s, n->vector_feature);
    STATE_VISIT(s, n->async_cid);
    STATE_VISIT(s, n->async_count);
    STATE_VISIT(s, n->async_pending);
    STATE_VISIT(s, n->async_masked);
    log_state(n, s);
    if (n->async_count > NVME_ASYNC_MAX || n->next_sq >= NVME_QUEUE_COUNT) {
        state_fail(s, "nvme%u: counters out of range", n->index);
        n->async_count = 0;
        n->next_sq = 0;
    }
    msix_state(&n->msix, s);
    event_state(n->machine->events, &n->fetch, s);
    event_state(n->machine->events, &n->work, s);
    disk_state(n->disk, s);
}

/* --- life -------------------------------------------------------------------------------- */

/* PCI Express Base Specification "PCI Express Capability Structure": an endpoint. */
static void
express_init(struct nvme *n)
{
    enum { SIZE = 0x3C, FLAGS = 2, DEVICE_CAP = 4, LINK_CAP = 12, LINK_CONTROL = 16, LINK_STATUS = 18,
           VERSION_2 = 2, INTEGRATED = 9 << 4, LINK_8GT_X4 = 3 | 4 << 4, RBER = 1 << 15, FLR = 1 << 28 };
    struct pci_function *f = &n->function;
    bool integrated = f->bdf >> 8 == 0;
    unsigned cap = pci_add_capability(f, PCI_CAP_EXPRESS, SIZE);
    pci_set(f, cap + FLAGS, 2, VERSION_2 | (integrated ? INTEGRATED : 0));
    n->express = (uint16_t)cap;
    pci_set(f, cap + DEVICE_CAP, 4, FLR | RBER | 1); /* 256-byte payloads */
    pci_set_writable(f, cap + DEVICE_CONTROL, 2, INITIATE_FLR | 0x78FF);
    if (!integrated) {
        pci_set(f, cap + LINK_CAP, 4, LINK_8GT_X4);
        pci_set_writable(f, cap + LINK_CONTROL, 2, 0x00FB);
        pci_set(f, cap + LINK_STATUS, 2, LINK_8GT_X4);
    }
}

static void
function_init(struct nvme *n, pci_bdf bdf)
{
    struct pci_function *f = &n->function;
    *f = (struct pci_function){ .bdf = bdf, .name = "nvme", .ctx = n, .config_written = config_written };
    pci_header_init(f, 0x1234, 0x4E56, 0x010802, 1);
    pci_set(f, PCI_SUBSYSTEM_VENDOR, 2, 0x1234);
    pci_set(f, PCI_INTERRUPT_PIN, 1, 1);
    const struct mem_region bar = { "nvme", bar_read, bar_write, n };
    pci_bar_init(f, 0, BAR_SIZE, PCI_BAR_64, &bar);
    msix_init(&n->msix, n->machine->pci, f, NVME_QUEUE_COUNT, 0, BAR_MSIX_TABLE, BAR_MSIX_PENDING);
    express_init(n);
}

struct nvme *
nvme_new(struct machine *m, pci_bdf bdf, unsigned index, struct disk *disk)
{
    struct nvme *n = calloc(1, sizeof *n);
    if (!n || !(n->data = malloc(NVME_DATA_MAX))) {
        free(n);
        return NULL;
    }
    n->machine = m;
    n->index = index;
    n->disk = disk;
    snprintf(n->part_name, sizeof n->part_name, "nvme%u", index);
    event_init(&n->fetch, nvme_queue_fetch, n);
    event_init(&n->work, nvme_queue_work, n);
    nvme_features_reset(n);
    function_init(n, bdf);
    pci_add(m->pci, &n->function);
    machine_add_part(m, n->part_name, nvme_state, n);
    return n;
}

void
nvme_free(struct nvme *n)
{
    if (n) {
        free(n->data);
        free(n);
    }
}
