/* Virtio over PCI; see virtio.h. */
#include "sim/platform/virtio.h"

#include <assert.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/machine.h"
#include "spec/platform/virtio.h"

enum {
    BAR_SIZE = 0x4000, BAR_COMMON = 0, BAR_ISR = 0x1000, BAR_DEVICE = 0x2000, BAR_NOTIFY = 0x3000, BAR_NOTIFY_SIZE = 0x800,
    BAR_MSIX_TABLE = 0x3800, BAR_MSIX_PENDING = 0x3C00, NOTIFY_MULTIPLIER = 4, WORK_NS = 2000, TELL_NS = 5000,
};

/* --- interrupts ------------------------------------------------------------------------ */

static void
signal(struct virtio *v, uint8_t isr, uint16_t vector)
{
    if (msix_enabled(&v->msix)) {
        if (vector != VIRTIO_NO_VECTOR) {
            msix_notify(&v->msix, vector);
        }
    } else {
        v->isr |= isr;
        pci_set_intx(v->machine->pci, &v->function, true);
    }
}

/* "Driver Requirements" were not kept. */
static void
broken(struct virtio *v, unsigned queue)
{
    TRACE(v->machine, machine_now(v->machine), TRACE_GUEST_ERROR, v->function.bdf, queue, 0, 0);
    if (!(v->status & VIRTIO_NEEDS_RESET)) {
        v->status |= VIRTIO_NEEDS_RESET;
        signal(v, VIRTIO_ISR_CONFIG, v->config_vector);
    }
}

static void
device_reset(struct virtio *v)
{
    memset(v->queue, 0, sizeof v->queue);
    for (unsigned i = 0; i < v->kind->queue_count; i++) {
        v->queue[i].size = VIRTIO_QUEUE_MAX;
        v->queue[i].vector = VIRTIO_NO_VECTOR;
    }
    v->features = 0;
    v->device_select = v->driver_select = 0;
    v->config_vector = VIRTIO_NO_VECTOR;
    v->queue_select = 0;
    v->status = v->isr = 0;
    event_cancel(v->machine->events, &v->work);
    event_cancel(v->machine->events, &v->tell);
    pci_set_intx(v->machine->pci, &v->function, false);
    if (v->kind->reset) {
        v->kind->reset(v->ctx);
    }
}

/* --- queues ------------------------------------------------------------------------------ */

bool
virtio_ready(const struct virtio *v)
{
    return v->status & VIRTIO_DRIVER_OK && !(v->status & (VIRTIO_NEEDS_RESET | VIRTIO_FAILED));
}

void
virtio_kick(struct virtio *v)
{
    if (!event_is_armed(&v->work)) {
        event_arm(v->machine->events, &v->work, machine_now(v->machine) + machine_ns_to_cycles(WORK_NS));
    }
}

static void
work(void *ctx, uint64_t now)
{
    struct virtio *v = ctx;
    (void)now;
    if (virtio_ready(v)) {
        v->kind->work(v->ctx);
    }
}

static bool
dma_read(struct virtio *v, uint64_t address, void *to, uint32_t size)
{
    return pci_dma_read(v->machine->pci, &v->function, address, to, size);
}

static bool
dma_write(struct virtio *v, uint64_t address, const void *from, uint32_t size)
{
    return pci_dma_write(v->machine->pci, &v->function, address, from, size);
}

/* Adds descriptor 'index' and what follows it.  False: not a chain. */
static bool
follow(struct virtio *v, const struct virtio_queue *q, struct virtio_chain *chain, uint16_t index)
{
    struct { uint64_t address; uint32_t size; uint16_t flags, next; } d;
    _Static_assert(sizeof d == VIRTQ_DESC_SIZE, "struct virtq_desc");
    do {
        if (index >= q->size || chain->count == q->size || !dma_read(v, q->desc + (uint64_t)index * VIRTQ_DESC_SIZE, &d, sizeof d)) {
            return false;
        }
        bool writable = d.flags & VIRTQ_DESC_WRITE;
        uint32_t *bytes = writable ? &chain->writable_bytes : &chain->readable_bytes;
        if (d.flags & VIRTQ_DESC_INDIRECT || (!writable && chain->readable != chain->count) || d.size > VIRTIO_CHAIN_BYTES_MAX - *bytes) {
            return false;
        }
        *bytes += d.size;
        chain->buffer[chain->count].address = d.address;
        chain->buffer[chain->count].size = d.size;
        chain->count++;
        chain->readable += !writable;
        index = d.next;
    } while (d.flags & VIRTQ_DESC_NEXT);
    return true;
}

/* "Available Buffer Notification Suppression": of the next one, whenever it comes. */
static bool
ask_notification(struct virtio *v, unsigned queue)
{
    const struct virtio_queue *q = &v->queue[queue];
    uint64_t at = q->device + VIRTQ_USED_RING + (uint64_t)VIRTQ_USED_ELEMENT * q->size;
    if (v->features & VIRTIO_F_EVENT_IDX && !dma_write(v, at, &q->next, 2)) {
        broken(v, queue);
        return false;
    }
    return true;
}

bool
virtio_take(struct virtio *v, unsigned queue, struct virtio_chain *chain)
{
    struct virtio_queue *q = &v->queue[queue];
    uint16_t available;
    if (!virtio_ready(v) || !q->enabled) {
        return false;
    }
    bool good = dma_read(v, q->driver + VIRTQ_AVAIL_IDX, &available, 2);
    if (good && available == q->next) {
        return false;
    }
    chain->count = chain->readable = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    good = good && (uint16_t)(available - q->next) <= q->size &&
           dma_read(v, q->driver + VIRTQ_AVAIL_RING + 2u * (q->next % q->size), &chain->head, 2) && follow(v, q, chain, chain->head);
    if (!good) {
        broken(v, queue);
        return false;
    }
    q->next++;
    return ask_notification(v, queue);
}

/* Part of a chain: buffers [first, end). */
static bool
transfer(struct virtio *v, const struct virtio_chain *chain, unsigned first, unsigned end, uint8_t *to, const uint8_t *from, uint32_t size)
{
    uint32_t at = 0; /* in buffer 'first' */
    while (first < end && size) {
        uint32_t n = chain->buffer[first].size - at, most = size < MEM_PAGE_SIZE ? size : MEM_PAGE_SIZE;
        n = n < most ? n : most;
        uint64_t address = chain->buffer[first].address + at;
        if (n && !(to ? dma_read(v, address, to, n) : dma_write(v, address, from, n))) {
            broken(v, chain->head);
            return false;
        }
        to = to ? to + n : NULL;
        from = from ? from + n : NULL;
        size -= n;
        at += n;
        if (at == chain->buffer[first].size) {
            first++;
            at = 0;
        }
    }
    return true;
}

bool
virtio_chain_read(struct virtio *v, const struct virtio_chain *chain, void *to, uint32_t size)
{
    assert(size <= chain->readable_bytes);
    return transfer(v, chain, 0, chain->readable, to, NULL, size);
}

bool
virtio_chain_write(struct virtio *v, const struct virtio_chain *chain, const void *from, uint32_t size)
{
    assert(size <= chain->writable_bytes);
    return transfer(v, chain, chain->readable, chain->count, NULL, from, size);
}

void
virtio_give(struct virtio *v, unsigned queue, const struct virtio_chain *chain, uint32_t written)
{
    struct virtio_queue *q = &v->queue[queue];
    const uint32_t element[2] = { chain->head, written };
    if (!dma_write(v, q->device + VIRTQ_USED_RING + (uint64_t)VIRTQ_USED_ELEMENT * (q->used % q->size), element, sizeof element)) {
        broken(v, queue);
        return;
    }
    q->used++;
    if (!dma_write(v, q->device + VIRTQ_USED_IDX, &q->used, 2)) {
        broken(v, queue);
    }
    if (!event_is_armed(&v->tell)) {
        event_arm(v->machine->events, &v->tell, machine_now(v->machine) + machine_ns_to_cycles(TELL_NS));
    }
}

/* "Used Buffer Notification Suppression": has the driver asked for word of [told, used)? */
static bool
interrupt_wanted(struct virtio *v, unsigned queue)
{
    const struct virtio_queue *q = &v->queue[queue];
    bool index = v->features & VIRTIO_F_EVENT_IDX;
    uint64_t at = q->driver + (index ? VIRTQ_AVAIL_RING + 2ull * q->size : 0);
    uint16_t word;
    if (!dma_read(v, at, &word, 2)) {
        broken(v, queue);
        return false;
    }
    return index ? (uint16_t)(q->used - word - 1) < (uint16_t)(q->used - q->told) : !(word & VIRTQ_AVAIL_NO_INTERRUPT);
}

static void
tell(void *ctx, uint64_t now)
{
    struct virtio *v = ctx;
    (void)now;
    for (unsigned i = 0; i < v->kind->queue_count && virtio_ready(v); i++) {
        struct virtio_queue *q = &v->queue[i];
        if (q->used != q->told && interrupt_wanted(v, i)) {
            signal(v, VIRTIO_ISR_QUEUE, q->vector);
        }
        q->told = q->used;
    }
}

/* --- registers ----------------------------------------------------------------------------- */

static uint64_t
offered(const struct virtio *v)
{
    return v->kind->features | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM;
}

static uint32_t
half(uint64_t value, uint32_t select)
{
    return select > 1 ? 0 : (uint32_t)(value >> 32 * select);
}

static struct virtio_queue *
selected(struct virtio *v)
{
    return v->queue_select < v->kind->queue_count ? &v->queue[v->queue_select] : NULL;
}

/* The register that 'offset' lies in, whole. */
static uint64_t
common_value(struct virtio *v, uint64_t offset)
{
    static const struct virtio_queue none = { .size = 0 };
    const struct virtio_queue *q = selected(v);
    q = q ? q : &none;
    switch (offset) {
    case VIRTIO_DEVICE_FEATURE_SELECT: return v->device_select;
    case VIRTIO_DEVICE_FEATURE: return half(offered(v), v->device_select);
    case VIRTIO_DRIVER_FEATURE_SELECT: return v->driver_select;
    case VIRTIO_DRIVER_FEATURE: return half(v->features, v->driver_select);
    case VIRTIO_CONFIG_VECTOR: return v->config_vector;
    case VIRTIO_NUM_QUEUES: return v->kind->queue_count;
    case VIRTIO_DEVICE_STATUS: return v->status;
    case VIRTIO_CONFIG_GENERATION: return 0;
    case VIRTIO_QUEUE_SELECT: return v->queue_select;
    case VIRTIO_QUEUE_SIZE: return q->size;
    case VIRTIO_QUEUE_VECTOR: return q->vector;
    case VIRTIO_QUEUE_ENABLE: return q->enabled;
    case VIRTIO_QUEUE_NOTIFY_OFF: return v->queue_select;
    case VIRTIO_QUEUE_DESC: return q->desc;
    case VIRTIO_QUEUE_DESC + 4: return q->desc >> 32;
    case VIRTIO_QUEUE_DRIVER: return q->driver;
    case VIRTIO_QUEUE_DRIVER + 4: return q->driver >> 32;
    case VIRTIO_QUEUE_DEVICE: return q->device;
    case VIRTIO_QUEUE_DEVICE + 4: return q->device >> 32;
    default: return 0;
    }
}

/* "Device Requirements: Device Status Field": FEATURES_OK only for what was offered, and never without VERSION_1. */
static void
status_write(struct virtio *v, uint8_t value)
{
    if (value == 0) {
        device_reset(v);
        return;
    }
    bool features = !(v->features & ~offered(v)) && v->features & VIRTIO_F_VERSION_1;
    if (value & VIRTIO_FEATURES_OK && !features) {
        value &= (uint8_t)~VIRTIO_FEATURES_OK;
    }
    if (value & VIRTIO_DRIVER_OK && !(value & VIRTIO_FEATURES_OK)) {
        value &= (uint8_t)~VIRTIO_DRIVER_OK;
    }
    v->status = (uint8_t)(value | (v->status & VIRTIO_NEEDS_RESET));
    if (virtio_ready(v)) {
        virtio_kick(v);
    }
}

static uint16_t
known_vector(const struct virtio *v, uint64_t value)
{
    return value < v->msix.count ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void
set_half(uint64_t *field, bool high, unsigned size, uint64_t value)
{
    if (size == 8 && !high) {
        *field = value;
    } else {
        *field = high ? (*field & UINT32_MAX) | value << 32 : (*field & ~(uint64_t)UINT32_MAX) | (uint32_t)value;
    }
}

/* Of the selected queue.  Once it is enabled it stays as it is. */
static void
queue_write(struct virtio *v, struct virtio_queue *q, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset == VIRTIO_QUEUE_VECTOR) {
        q->vector = known_vector(v, value);
        return;
    }
    if (q->enabled) {
        return;
    }
    switch (offset) {
    case VIRTIO_QUEUE_SIZE:
        if (value && value <= VIRTIO_QUEUE_MAX && !(value & (value - 1))) {
            q->size = (uint16_t)value;
        }
        break;
    case VIRTIO_QUEUE_ENABLE: q->enabled = value == 1; break;
    case VIRTIO_QUEUE_DESC: case VIRTIO_QUEUE_DESC + 4: set_half(&q->desc, offset & 4, size, value); break;
    case VIRTIO_QUEUE_DRIVER: case VIRTIO_QUEUE_DRIVER + 4: set_half(&q->driver, offset & 4, size, value); break;
    case VIRTIO_QUEUE_DEVICE: case VIRTIO_QUEUE_DEVICE + 4: set_half(&q->device, offset & 4, size, value); break;
    default: break;
    }
}

static void
common_write(struct virtio *v, uint64_t offset, unsigned size, uint64_t value)
{
    switch (offset) {
    case VIRTIO_DEVICE_FEATURE_SELECT: v->device_select = (uint32_t)value; break;
    case VIRTIO_DRIVER_FEATURE_SELECT: v->driver_select = (uint32_t)value; break;
    case VIRTIO_DRIVER_FEATURE:
        if (v->driver_select < 2 && !(v->status & VIRTIO_FEATURES_OK)) {
            set_half(&v->features, v->driver_select == 1, 4, (uint32_t)value);
        }
        break;
    case VIRTIO_CONFIG_VECTOR: v->config_vector = known_vector(v, value); break;
    case VIRTIO_DEVICE_STATUS: status_write(v, (uint8_t)value); break;
    case VIRTIO_QUEUE_SELECT: v->queue_select = (uint16_t)value; break;
    default:
        if (selected(v)) {
            queue_write(v, selected(v), offset, size, value);
        }
        break;
    }
}

static uint64_t
bar_read(void *ctx, uint64_t offset, unsigned size)
{
    struct virtio *v = ctx;
    if (msix_owns(&v->msix, offset)) {
        return msix_read(&v->msix, offset, size);
    }
    if (offset < BAR_COMMON + VIRTIO_COMMON_SIZE) {
        return common_value(v, offset - BAR_COMMON);
    }
    if (offset == BAR_ISR) { /* reading takes the interrupt back */
        uint8_t isr = v->isr;
        v->isr = 0;
        pci_set_intx(v->machine->pci, &v->function, false);
        return isr;
    }
    return 0;
}

static void
bar_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct virtio *v = ctx;
    if (msix_owns(&v->msix, offset)) {
        msix_write(&v->msix, offset, size, value);
    } else if (offset < BAR_COMMON + VIRTIO_COMMON_SIZE) {
        common_write(v, offset - BAR_COMMON, size, value);
    } else if (offset >= BAR_NOTIFY && offset < BAR_NOTIFY + BAR_NOTIFY_SIZE && virtio_ready(v)) {
        virtio_kick(v);
    }
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct virtio *v = ctx;
    msix_config_written(&v->msix, offset, size);
}

/* --- life -------------------------------------------------------------------------------------- */

static void
add_capability(struct pci_function *f, uint8_t type, uint32_t offset, uint32_t size)
{
    enum { SIZE = 16, SIZE_NOTIFY = 20 };
    bool notify = type == VIRTIO_CAP_NOTIFY;
    unsigned cap = pci_add_capability(f, VIRTIO_CAP, notify ? SIZE_NOTIFY : SIZE);
    pci_set(f, cap + VIRTIO_CAP_LENGTH, 1, notify ? SIZE_NOTIFY : SIZE);
    pci_set(f, cap + VIRTIO_CAP_TYPE, 1, type);
    pci_set(f, cap + VIRTIO_CAP_BAR, 1, 0);
    pci_set(f, cap + VIRTIO_CAP_OFFSET, 4, offset);
    pci_set(f, cap + VIRTIO_CAP_SIZE, 4, size);
    if (notify) {
        pci_set(f, cap + VIRTIO_CAP_MULTIPLIER, 4, NOTIFY_MULTIPLIER);
    }
}

void
virtio_init(struct virtio *v, struct machine *m, pci_bdf bdf, const struct virtio_kind *kind, void *ctx)
{
    struct pci_function *f = &v->function;
    *v = (struct virtio){ .machine = m, .kind = kind, .ctx = ctx };
    assert(kind->queue_count <= VIRTIO_QUEUES_MAX);
    event_init(&v->work, work, v);
    event_init(&v->tell, tell, v);
    *f = (struct pci_function){ .bdf = bdf, .name = kind->name, .ctx = v, .config_written = config_written };
    pci_header_init(f, VIRTIO_PCI_VENDOR, (uint16_t)(VIRTIO_PCI_DEVICE + kind->type), kind->class_code, 1);
    pci_set(f, PCI_SUBSYSTEM_VENDOR, 2, VIRTIO_PCI_VENDOR);
    pci_set(f, PCI_SUBSYSTEM, 2, 0x40);
    pci_set(f, PCI_INTERRUPT_PIN, 1, 1);
    const struct mem_region bar = { kind->name, bar_read, bar_write, v };
    pci_bar_init(f, 0, BAR_SIZE, 0, &bar);
    add_capability(f, VIRTIO_CAP_COMMON, BAR_COMMON, VIRTIO_COMMON_SIZE);
    add_capability(f, VIRTIO_CAP_NOTIFY, BAR_NOTIFY, BAR_NOTIFY_SIZE);
    add_capability(f, VIRTIO_CAP_ISR, BAR_ISR, 1);
    add_capability(f, VIRTIO_CAP_DEVICE, BAR_DEVICE, 4);
    msix_init(&v->msix, m->pci, f, kind->queue_count + 1, 0, BAR_MSIX_TABLE, BAR_MSIX_PENDING);
    pci_add(m->pci, f);
    device_reset(v);
}

static void
queue_state(struct virtio *v, struct virtio_queue *q, struct state *s)
{
    STATE_VISIT(s, q->desc);
    STATE_VISIT(s, q->driver);
    STATE_VISIT(s, q->device);
    STATE_VISIT(s, q->size);
    STATE_VISIT(s, q->vector);
    STATE_VISIT(s, q->next);
    STATE_VISIT(s, q->used);
    STATE_VISIT(s, q->told);
    STATE_VISIT(s, q->enabled);
    bool vector = q->vector < v->msix.count || q->vector == VIRTIO_NO_VECTOR;
    if (!q->size || q->size > VIRTIO_QUEUE_MAX || q->size & (q->size - 1) || !vector) {
        state_fail(s, "%s: a queue of %u entries with vector %u", v->kind->name, q->size, q->vector);
        q->size = VIRTIO_QUEUE_MAX;
        q->vector = VIRTIO_NO_VECTOR;
    }
}

void
virtio_state(struct virtio *v, struct state *s)
{
    for (unsigned i = 0; i < v->kind->queue_count; i++) {
        queue_state(v, &v->queue[i], s);
    }
    STATE_VISIT(s, v->features);
    STATE_VISIT(s, v->device_select);
    STATE_VISIT(s, v->driver_select);
    STATE_VISIT(s, v->config_vector);
    STATE_VISIT(s, v->queue_select);
    STATE_VISIT(s, v->status);
    STATE_VISIT(s, v->isr);
    if (v->config_vector >= v->msix.count && v->config_vector != VIRTIO_NO_VECTOR) {
        state_fail(s, "%s: vector %u", v->kind->name, v->config_vector);
        v->config_vector = VIRTIO_NO_VECTOR;
    }
    msix_state(&v->msix, s);
    event_state(v->machine->events, &v->work, s);
    event_state(v->machine->events, &v->tell, s);
}
