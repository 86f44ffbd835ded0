#define _GNU_SOURCE
#include "tests/fakes/svc_fake.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spec/lab/lab.h"
#include "vsp/runtime/svc.h"

enum { PAGE = 4096, EVENTS_MAX = 4096, CONFIG_MAX = 64, BINDINGS_MAX = 64, MESSAGES_MAX = 512,
       MAPPINGS_MAX = 1 << 16, TIMERS_MAX = 64, VECTORS = 64, ALLOCATIONS_MAX = 4096 };

enum event_kind { EVENT_TO_SERVICE, EVENT_TO_GUEST, EVENT_SIGNAL, EVENT_FLAG };
struct event {
    enum event_kind kind;
    unsigned child;
    uint32_t id, size;
    uint8_t payload[256];
};
struct binding {
    unsigned child;
    uint32_t connection;
    void (*handler)(void *);
    void *ctx;
};
struct child {
    bool exists, full;
    int fd;
    uint8_t *memory;
    size_t size;
    struct svc_fake_guest guest;
    unsigned messages; /* on their way */
};

static struct {
    struct child child[SVC_CHILDREN_MAX];
    struct event event[EVENTS_MAX];
    unsigned head, tail;
    struct { const char *key, *value; } config[CONFIG_MAX];
    unsigned config_count;
    struct binding binding[BINDINGS_MAX];
    struct { void (*handler)(void *); void *ctx; } vector[VECTORS];
    void (*child_message)(unsigned, uint32_t, const void *, uint32_t);
    struct svc_work *work_first, *work_last;
    struct svc_timer *timer[TIMERS_MAX];
    uint64_t now;
    uint64_t counter[LAB_COUNTER_COUNT];
    unsigned mappings;
    struct svc_fake_device device;
    uint8_t *arena;
    size_t arena_size, arena_used;
    uint64_t (*clock)(void);
    void *allocation[ALLOCATIONS_MAX];
    unsigned allocations;
} fake;

void svc_fake_start(void)
{
    for (unsigned i = 0; i < SVC_CHILDREN_MAX; i++)
        if (fake.child[i].exists && fake.child[i].fd >= 0) {
            munmap(fake.child[i].memory, fake.child[i].size);
            close(fake.child[i].fd);
        }
    for (unsigned i = 0; i < fake.allocations; i++)
        free(fake.allocation[i]);
    memset(&fake, 0, sizeof fake);
}

void svc_fake_config(const char *key, const char *value)
{
    assert(fake.config_count < CONFIG_MAX);
    fake.config[fake.config_count].key = key;
    fake.config[fake.config_count++].value = value;
}

void svc_fake_arena(void *base, size_t size)
{
    fake.arena = base;
    fake.arena_size = size;
    fake.arena_used = 0;
}

void svc_fake_clock(uint64_t (*now)(void)) { fake.clock = now; }

static void *arena_take(size_t size, size_t align)
{
    size_t at = (fake.arena_used + align - 1) / align * align;
    assert(at + size <= fake.arena_size);
    fake.arena_used = at + size;
    memset(fake.arena + at, 0, size);
    return fake.arena + at;
}

void svc_fake_child(unsigned number, size_t memory, const struct svc_fake_guest *guest)
{
    struct child *child = &fake.child[number];
    assert(!child->exists);
    child->exists = true;
    child->size = memory;
    if (guest)
        child->guest = *guest;
    if (fake.arena) {
        child->fd = -1;
        child->memory = arena_take(memory, PAGE);
        return;
    }
    child->fd = memfd_create("child", 0);
    int truncated = ftruncate(child->fd, (off_t)memory);
    assert(child->fd >= 0 && truncated == 0);
    child->memory = mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_SHARED, child->fd, 0);
    assert(child->memory != MAP_FAILED);
}

void *svc_fake_memory(unsigned child) { return fake.child[child].memory; }
size_t svc_fake_memory_size(unsigned child) { return fake.child[child].size; }
void svc_fake_post_full(unsigned child, bool full) { fake.child[child].full = full; }
uint64_t svc_fake_counter(unsigned counter) { return fake.counter[counter]; }
unsigned svc_fake_mappings(void) { return fake.mappings; }
void svc_fake_device(const struct svc_fake_device *device) { fake.device = *device; }

static struct event *push(enum event_kind kind, unsigned child, uint32_t id)
{
    assert((fake.tail + 1) % EVENTS_MAX != fake.head);
    struct event *event = &fake.event[fake.tail];
    fake.tail = (fake.tail + 1) % EVENTS_MAX;
    *event = (struct event){ .kind = kind, .child = child, .id = id };
    return event;
}

static void push_payload(enum event_kind kind, unsigned child, uint32_t id, const void *payload,
                         uint32_t size)
{
    struct event *event = push(kind, child, id);
    assert(size <= sizeof event->payload);
    event->size = size;
    memcpy(event->payload, payload, size);
}

void svc_fake_guest_post(unsigned child, uint32_t connection, const void *payload, uint32_t size)
{
    push_payload(EVENT_TO_SERVICE, child, connection, payload, size);
}

void svc_fake_guest_signal(unsigned child, uint32_t connection)
{
    push(EVENT_SIGNAL, child, connection);
}

static void dispatch(const struct event *event)
{
    struct child *child = &fake.child[event->child];
    switch (event->kind) {
    case EVENT_TO_SERVICE:
        fake.child_message(event->child, event->id, event->payload, event->size);
        break;
    case EVENT_TO_GUEST:
        child->messages--;
        if (child->guest.message)
            child->guest.message(child->guest.ctx, event->payload, event->size);
        break;
    case EVENT_FLAG:
        if (child->guest.flag)
            child->guest.flag(child->guest.ctx, event->id);
        break;
    case EVENT_SIGNAL:
        for (unsigned i = 0; i < BINDINGS_MAX; i++)
            if (fake.binding[i].handler && fake.binding[i].child == event->child &&
                fake.binding[i].connection == event->id) {
                fake.binding[i].handler(fake.binding[i].ctx);
                break;
            }
        break;
    }
}

unsigned svc_fake_run(void)
{
    unsigned done = 0;
    for (;; done++) {
        assert(done < 10000000 && "the services never become idle");
        if (fake.work_first) {
            struct svc_work *work = fake.work_first;
            fake.work_first = work->next;
            work->pending = false;
            work->run(work->ctx);
        } else if (fake.head != fake.tail) {
            struct event event = fake.event[fake.head];
            fake.head = (fake.head + 1) % EVENTS_MAX;
            dispatch(&event);
        } else {
            return done;
        }
    }
}

void svc_fake_advance(uint64_t by)
{
    uint64_t until = fake.now + by;
    for (;;) {
        svc_fake_run();
        struct svc_timer *first = NULL;
        for (unsigned i = 0; i < TIMERS_MAX; i++)
            if (fake.timer[i] && fake.timer[i]->due <= until && (!first || fake.timer[i]->due < first->due))
                first = fake.timer[i];
        if (!first)
            break;
        if (first->due > fake.now)
            fake.now = first->due;
        svc_timer_cancel(first);
        first->fire(first->ctx);
    }
    fake.now = until;
}

/* --- the runtime ---------------------------------------------------------------- */

void *svc_alloc(size_t size, size_t align)
{
    void *p = NULL;
    if (fake.arena)
        return arena_take(size, align < 16 ? 16 : align);
    assert(fake.allocations < ALLOCATIONS_MAX);
    int error = posix_memalign(&p, align < 16 ? 16 : align, size);
    assert(!error);
    memset(p, 0, size);
    return fake.allocation[fake.allocations++] = p;
}

const char *svc_config(const char *key)
{
    for (unsigned i = 0; i < fake.config_count; i++)
        if (!strcmp(fake.config[i].key, key))
            return fake.config[i].value;
    return NULL;
}

uint64_t svc_config_number(const char *key, uint64_t fallback)
{
    const char *value = svc_config(key);
    return value ? strtoull(value, NULL, 0) : fallback;
}

bool svc_config_mac(const char *key, uint8_t mac[6])
{
    const char *value = svc_config(key);
    return value && sscanf(value, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                           &mac[4], &mac[5]) == 6;
}

void svc_log(const char *format, ...)
{
    if (!getenv("SVC_FAKE_LOG"))
        return;
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
}

void svc_panic(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    abort();
}

void svc_count(unsigned counter, uint64_t n) { fake.counter[counter] += n; }

void *svc_map(unsigned number, const uint64_t *gpfn, unsigned count)
{
    struct child *child = &fake.child[number];
    for (unsigned i = 0; i < count; i++)
        if (gpfn[i] >= child->size / PAGE)
            return NULL;
    if (fake.arena) {
        for (unsigned i = 1; i < count; i++)
            assert(gpfn[i] == gpfn[0] + i);
        fake.mappings++;
        return child->memory + gpfn[0] * PAGE;
    }
    uint8_t *window = mmap(NULL, (size_t)count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(window != MAP_FAILED);
    for (unsigned i = 0, run; i < count; i += run) {
        for (run = 1; i + run < count && gpfn[i + run] == gpfn[i] + run; run++)
            ;
        void *at = mmap(window + (size_t)i * PAGE, (size_t)run * PAGE, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, child->fd, (off_t)(gpfn[i] * PAGE));
        assert(at != MAP_FAILED);
    }
    fake.mappings++;
    return window;
}

void svc_unmap(void *mapping, unsigned count)
{
    assert(fake.mappings > 0);
    fake.mappings--;
    if (!fake.arena)
        munmap(mapping, (size_t)count * PAGE);
}

uint64_t svc_dma_address(const void *p)
{
    return fake.arena ? (uint64_t)((const uint8_t *)p - fake.arena) : (uint64_t)(uintptr_t)p;
}

void svc_copy(void *to, const void *from, size_t size) { memcpy(to, from, size); }

void svc_child_signal(unsigned child, uint32_t vp, uint32_t flag)
{
    (void)vp;
    push(EVENT_FLAG, child, flag);
}

bool svc_child_post(unsigned child, uint32_t vp, const void *payload, uint32_t size)
{
    (void)vp;
    assert(size <= 240);
    if (fake.child[child].full || fake.child[child].messages >= MESSAGES_MAX)
        return false;
    fake.child[child].messages++;
    push_payload(EVENT_TO_GUEST, child, 0, payload, size);
    return true;
}

void svc_on_child_message(void (*handler)(unsigned, uint32_t, const void *, uint32_t))
{
    fake.child_message = handler;
}

void svc_bind_signal(unsigned child, uint32_t connection, void (*handler)(void *), void *ctx)
{
    for (unsigned i = 0; i < BINDINGS_MAX; i++)
        if (!fake.binding[i].handler) {
            fake.binding[i] = (struct binding){ child, connection, handler, ctx };
            return;
        }
    assert(!"too many bindings");
}

void svc_unbind_signal(unsigned child, uint32_t connection)
{
    for (unsigned i = 0; i < BINDINGS_MAX; i++)
        if (fake.binding[i].handler && fake.binding[i].child == child &&
            fake.binding[i].connection == connection)
            fake.binding[i].handler = NULL;
}

void svc_work_queue(struct svc_work *work)
{
    if (work->pending)
        return;
    work->pending = true;
    work->next = NULL;
    if (fake.work_first)
        fake.work_last->next = work;
    else
        fake.work_first = work;
    fake.work_last = work;
}

uint64_t svc_now(void) { return fake.clock ? fake.clock() : fake.now; }

void svc_timer_arm(struct svc_timer *timer, uint64_t due)
{
    svc_timer_cancel(timer);
    timer->due = due;
    timer->armed = true;
    for (unsigned i = 0; i < TIMERS_MAX; i++)
        if (!fake.timer[i]) {
            fake.timer[i] = timer;
            return;
        }
    assert(!"too many timers");
}

void svc_timer_cancel(struct svc_timer *timer)
{
    timer->armed = false;
    for (unsigned i = 0; i < TIMERS_MAX; i++)
        if (fake.timer[i] == timer)
            fake.timer[i] = NULL;
}

uint32_t svc_pci_read(uint16_t bdf, unsigned offset)
{
    if (fake.device.pci_read_at)
        return fake.device.pci_read_at(fake.device.ctx, bdf, offset);
    return fake.device.pci_read ? fake.device.pci_read(fake.device.ctx, offset) : 0xFFFFFFFFu;
}

void svc_pci_write(uint16_t bdf, unsigned offset, uint32_t value)
{
    if (fake.device.pci_write_at)
        fake.device.pci_write_at(fake.device.ctx, bdf, offset, value);
    else if (fake.device.pci_write)
        fake.device.pci_write(fake.device.ctx, offset, value);
}

volatile uint32_t *svc_mmio_map(uint64_t spa, uint64_t size)
{
    return fake.device.mmio ? fake.device.mmio(fake.device.ctx, spa, size) : NULL;
}

bool svc_interrupt_bind(uint16_t bdf, unsigned entry, void (*handler)(void *), void *ctx)
{
    if (entry >= VECTORS)
        return false;
    if (fake.device.bind)
        fake.device.bind(fake.device.ctx, bdf, entry);
    fake.vector[entry].handler = handler;
    fake.vector[entry].ctx = ctx;
    return true;
}

bool svc_fake_interrupt(unsigned entry)
{
    if (!fake.vector[entry].handler)
        return false;
    fake.vector[entry].handler(fake.vector[entry].ctx);
    return true;
}

bool svc_vf_assign(unsigned child, const struct svc_vf *vf)
{
    (void)child;
    (void)vf;
    return true;
}

void svc_vf_revoke(unsigned child, uint16_t bdf)
{
    (void)child;
    (void)bdf;
}
