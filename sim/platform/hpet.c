/* The HPET; see hpet.h. */
#include "sim/platform/hpet.h"

#include <stdlib.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "spec/platform/memory_map.h"

enum { REG_CAPABILITIES = 0x00, REG_CONFIG = 0x10, REG_STATUS = 0x20, REG_COUNTER = 0xF0, REG_TIMERS = 0x100 };
enum { TIMER_STRIDE = 0x20, TIMER_CONFIG = 0x00, TIMER_COMPARATOR = 0x08, TIMER_MESSAGE = 0x10 };
enum { CONFIG_ENABLE = 1 << 0, CONFIG_LEGACY = 1 << 1 };

#define CAPABILITIES ((uint64_t)HPET_PERIOD_FS << 32 | 0x8086u << 16 | 1u << 15 | 1u << 13 | (HPET_TIMERS - 1) << 8 | 1)
#define T_LEVEL (1u << 1)
#define T_ENABLE (1u << 2)
#define T_PERIODIC (1u << 3)
#define T_SET_VALUE (1u << 6)
#define T_32BIT (1u << 8)
#define T_ROUTE_SHIFT 9
#define T_MESSAGE (1u << 14)
#define T_WRITABLE (T_LEVEL | T_ENABLE | T_PERIODIC | T_SET_VALUE | T_32BIT | T_MESSAGE | 31u << T_ROUTE_SHIFT)
#define T_CAPABILITIES ((uint64_t)HPET_GSIS << 32 | 1u << 15 | 1u << 5 | 1u << 4)

/* 1e15 / period in femtoseconds = ticks per second; both divide the reference clock. */
enum { CYCLES_PER_TICK = MACHINE_TSC_HZ / (1000000000000000ull / HPET_PERIOD_FS) };
_Static_assert((uint64_t)CYCLES_PER_TICK * (1000000000000000ull / HPET_PERIOD_FS) == MACHINE_TSC_HZ,
               "a tick of the HPET is a whole number of cycles");

struct timer {
    struct hpet *hpet;
    uint64_t config;     /* without the capabilities */
    uint64_t comparator; /* the next match, in counter units */
    uint64_t period;     /* as written last; for periodic mode */
    uint64_t message;    /* 63:32 address, 31:0 data */
    bool high;           /* line as driven last */
    struct event event;
};

struct hpet {
    struct machine *machine;
    struct hpet_wires wires;
    uint64_t config;
    uint64_t status;     /* level-triggered timers' interrupts */
    uint64_t base;       /* the counter when it was enabled, or now while it stands */
    uint64_t since;      /* when it was enabled [cycle] */
    struct timer timer[HPET_TIMERS];
};

/* --- counting ------------------------------------------------------------------------------- */

static bool
is_running(const struct hpet *h)
{
    return h->config & CONFIG_ENABLE;
}

static uint64_t
counter_now(const struct hpet *h)
{
    return is_running(h) ? h->base + (machine_now(h->machine) - h->since) / CYCLES_PER_TICK : h->base;
}

static uint64_t
width_mask(const struct timer *t)
{
    return t->config & T_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* The event at the next match; none when nobody would notice. */
static void
arm(struct timer *t)
{
    struct hpet *h = t->hpet;
    event_cancel(h->machine->events, &t->event);
    if (!is_running(h) || !(t->config & (T_ENABLE | T_LEVEL | T_PERIODIC))) {
        return;
    }
    uint64_t ran = (machine_now(h->machine) - h->since) / CYCLES_PER_TICK;
    uint64_t left = (t->comparator - (h->base + ran)) & width_mask(t);
    if (left == 0) { /* this moment is over: once round */
        left = width_mask(t) == UINT32_MAX ? 1ull << 32 : UINT64_MAX;
    }
    if (left < UINT64_MAX / CYCLES_PER_TICK / 2) { /* else in some thousand years */
        event_arm(h->machine->events, &t->event, h->since + (ran + left) * CYCLES_PER_TICK);
    }
}

/* --- interrupts -------------------------------------------------------------------------------- */

static unsigned
index_of(const struct timer *t)
{
    return (unsigned)(t - t->hpet->timer);
}

static void
drive(struct timer *t, bool high)
{
    struct hpet *h = t->hpet;
    unsigned index = index_of(t);
    if (t->high == high) {
        return;
    }
    t->high = high;
    if (h->config & CONFIG_LEGACY && index < 2) {
        h->wires.legacy(h->wires.ctx, index ? IRQ_RTC : IRQ_TIMER, high);
    } else {
        h->wires.gsi(h->wires.ctx, t->config >> T_ROUTE_SHIFT & 31, high);
    }
}

static void
level_update(struct timer *t)
{
    bool wanted = is_running(t->hpet) && t->config & T_ENABLE && !(t->config & T_MESSAGE);
    if (t->config & T_LEVEL) {
        drive(t, wanted && t->hpet->status >> index_of(t) & 1);
    } else if (!wanted) {
        drive(t, false);
    }
}

static void
interrupt(struct timer *t)
{
    struct hpet *h = t->hpet;
    if (t->config & T_LEVEL) {
        h->status |= 1u << index_of(t);
    }
    if (!(t->config & T_ENABLE)) {
        return;
    }
    if (t->config & T_MESSAGE) {
        h->wires.message(h->wires.ctx, t->message >> 32, (uint32_t)t->message);
    } else if (t->config & T_LEVEL) {
        level_update(t);
    } else {
        drive(t, false);
        drive(t, true);
    }
}

static void
match(void *ctx, uint64_t now)
{
    struct timer *t = ctx;
    (void)now;
    if (t->config & T_PERIODIC) {
        t->comparator = (t->comparator + t->period) & width_mask(t);
    }
    arm(t);
    interrupt(t);
}

/* --- registers ------------------------------------------------------------------------------------ */

static void
config_write(struct hpet *h, uint64_t value)
{
    bool legacy = value & CONFIG_LEGACY, changed = (value ^ h->config) & CONFIG_LEGACY;
    for (unsigned i = 0; i < HPET_TIMERS && changed; i++) {
        drive(&h->timer[i], false); /* before the wires change */
    }
    if ((value ^ h->config) & CONFIG_ENABLE) {
        h->base = counter_now(h);
        h->since = machine_now(h->machine);
    }
    h->config = value & (CONFIG_ENABLE | CONFIG_LEGACY);
    if (changed) {
        h->wires.legacy_changed(h->wires.ctx, legacy);
    }
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        arm(&h->timer[i]);
        level_update(&h->timer[i]);
    }
}

static void
counter_write(struct hpet *h, uint64_t value)
{
    h->base = value;
    h->since = machine_now(h->machine);
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        arm(&h->timer[i]);
    }
}

static void
timer_config_write(struct timer *t, uint64_t value)
{
    uint64_t route = value >> T_ROUTE_SHIFT & 31;
    uint64_t config = value & T_WRITABLE;
    if (!(HPET_GSIS >> route & 1)) { /* "if the value is not supported, the read-back will not match" */
        config = (config & ~(31ull << T_ROUTE_SHIFT)) | (t->config & 31ull << T_ROUTE_SHIFT);
    }
    if ((config ^ t->config) & (31ull << T_ROUTE_SHIFT | T_LEVEL)) {
        drive(t, false);
    }
    t->config = config;
    t->comparator &= width_mask(t);
    t->period &= width_mask(t);
    arm(t);
    level_update(t);
}

static void
comparator_write(struct timer *t, uint64_t value)
{
    value &= width_mask(t);
    if (!(t->config & T_PERIODIC) || t->config & T_SET_VALUE) {
        t->comparator = value;
    }
    t->period = value;
    t->config &= ~(uint64_t)T_SET_VALUE;
    arm(t);
}

static struct timer *
timer_at(struct hpet *h, uint64_t offset)
{
    uint64_t index = (offset - REG_TIMERS) / TIMER_STRIDE;
    return offset >= REG_TIMERS && index < HPET_TIMERS ? &h->timer[index] : NULL;
}

static uint64_t
timer_read(const struct timer *t, uint64_t offset)
{
    switch (offset) {
    case TIMER_CONFIG: return (t->config & ~(uint64_t)T_SET_VALUE) | T_CAPABILITIES;
    case TIMER_COMPARATOR: return t->comparator;
    case TIMER_MESSAGE: return t->message;
    default: return 0;
    }
}

static uint64_t
register_read(struct hpet *h, uint64_t offset)
{
    const struct timer *t = timer_at(h, offset);
    if (t) {
        return timer_read(t, offset % TIMER_STRIDE);
    }
    switch (offset) {
    case REG_CAPABILITIES: return CAPABILITIES;
    case REG_CONFIG: return h->config;
    case REG_STATUS: return h->status;
    case REG_COUNTER: return counter_now(h);
    default: return 0;
    }
}

static void
register_write(struct hpet *h, uint64_t offset, uint64_t value)
{
    struct timer *t = timer_at(h, offset);
    if (t && offset % TIMER_STRIDE == TIMER_CONFIG) {
        timer_config_write(t, value);
    } else if (t && offset % TIMER_STRIDE == TIMER_COMPARATOR) {
        comparator_write(t, value);
    } else if (t && offset % TIMER_STRIDE == TIMER_MESSAGE) {
        t->message = value;
    } else if (offset == REG_CONFIG) {
        config_write(h, value);
    } else if (offset == REG_COUNTER) {
        counter_write(h, value);
    } else if (offset == REG_STATUS) {
        h->status &= ~value;
        for (unsigned i = 0; i < HPET_TIMERS; i++) {
            level_update(&h->timer[i]);
        }
    }
}

/* Registers are 64 bits wide; a narrower access means its part of one. */
uint64_t
hpet_read(void *hpet, uint64_t offset, unsigned size)
{
    (void)size;
    return register_read(hpet, offset & ~7ull) >> (offset & 7) * 8;
}

void
hpet_write(void *hpet, uint64_t offset, unsigned size, uint64_t value)
{
    uint64_t at = offset & ~7ull, shift = (offset & 7) * 8;
    uint64_t mask = size == 8 ? UINT64_MAX : ((1ull << size * 8) - 1) << shift;
    uint64_t rest = at == REG_STATUS ? 0 : register_read(hpet, at); /* status: 1 clears */
    register_write(hpet, at, (rest & ~mask) | (value << shift & mask));
}

/* --- life -------------------------------------------------------------------------------------------- */

struct hpet *
hpet_new(struct machine *m, const struct hpet_wires *wires)
{
    struct hpet *h = calloc(1, sizeof *h);
    if (h) {
        h->machine = m;
        h->wires = *wires;
        for (unsigned i = 0; i < HPET_TIMERS; i++) {
            struct timer *t = &h->timer[i];
            t->hpet = h;
            t->comparator = t->period = UINT64_MAX;
            t->config = (uint64_t)__builtin_ctz(HPET_GSIS) << T_ROUTE_SHIFT;
            event_init(&t->event, match, t);
        }
    }
    return h;
}

void
hpet_free(struct hpet *h)
{
    for (unsigned i = 0; h && i < HPET_TIMERS; i++) {
        event_cancel(h->machine->events, &h->timer[i].event);
    }
    free(h);
}

void
hpet_state(struct hpet *h, struct state *s)
{
    STATE_VISIT(s, h->config);
    STATE_VISIT(s, h->status);
    STATE_VISIT(s, h->base);
    STATE_VISIT(s, h->since);
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        struct timer *t = &h->timer[i];
        STATE_VISIT(s, t->config);
        STATE_VISIT(s, t->comparator);
        STATE_VISIT(s, t->period);
        STATE_VISIT(s, t->message);
        STATE_VISIT(s, t->high);
        event_state(h->machine->events, &t->event, s);
        if (!(HPET_GSIS >> (t->config >> T_ROUTE_SHIFT & 31) & 1)) {
            state_fail(s, "HPET timer %u routed to line %u", i, (unsigned)(t->config >> T_ROUTE_SHIFT & 31));
            t->config &= ~(31ull << T_ROUTE_SHIFT);
        }
    }
}
