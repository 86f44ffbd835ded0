/* The 8254; see pit.h. */
#include "sim/platform/pit.h"

#include <stdlib.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "spec/platform/memory_map.h"

enum { COUNTERS = 3, REFRESH_TICKS = 18 };
enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
enum { READ_BACK = 3, READ_BACK_NO_COUNT = 1 << 5, READ_BACK_NO_STATUS = 1 << 4 };
enum { STATUS_OUTPUT = 1 << 7, STATUS_NULL = 1 << 6 };
enum { P61_GATE = 1 << 0, P61_WRITABLE = 0x0F, P61_REFRESH = 1 << 4, P61_OUTPUT = 1 << 5 };

#define NEVER UINT64_MAX

struct counter {
    uint8_t mode;        /* 0-5 */
    uint8_t access;      /* [ACCESS_*] */
    bool bcd;
    bool gate;
    bool low_written;    /* ACCESS_BOTH: the next write is the high byte */
    bool high_next;      /* ACCESS_BOTH: the next read is the high byte */
    uint8_t low;         /* first byte of a count being written */
    uint8_t latched;     /* bytes of 'latch' still to be read */
    bool status_latched;
    uint8_t status;
    uint16_t latch;
    bool counting;       /* a count was loaded (and a trigger came, in modes 1 and 5) */
    bool stopped;        /* the gate, or the first of two bytes in mode 0, holds 'held' */
    uint32_t count;      /* N of the running count [ticks]; 1-65536 */
    uint32_t next;       /* N as written last */
    int64_t start;       /* tick at which N was in the counting element; of mode 3 perhaps before power-on */
    uint64_t reload;     /* tick at which 'next' is taken over; NEVER: it is not pending */
    uint64_t held;       /* ticks counted before the stop */
};

struct pit {
    struct machine *machine;
    struct counter counter[COUNTERS];
    uint8_t port61;      /* its writable bits */
    bool output_high;    /* of counter 0, as last told */
    struct event event;  /* next change of counter 0's output */
    void (*output)(void *ctx, bool high);
    void *output_ctx;
};

/* --- time --------------------------------------------------------------------------------- */

static uint64_t
tick_now(const struct pit *p)
{
    return (uint64_t)((unsigned __int128)machine_now(p->machine) * PIT_HZ / MACHINE_TSC_HZ);
}

/* The first cycle of a tick. */
static uint64_t
tick_cycle(uint64_t tick)
{
    return (uint64_t)(((unsigned __int128)tick * MACHINE_TSC_HZ + PIT_HZ - 1) / PIT_HZ);
}

/* --- one counter ---------------------------------------------------------------------------- */

static bool
is_periodic(const struct counter *c)
{
    return c->mode == 2 || c->mode == 3;
}

static bool
needs_trigger(const struct counter *c)
{
    return c->mode == 1 || c->mode == 5;
}

static uint64_t
elapsed(const struct counter *c, uint64_t tick)
{
    int64_t since = (int64_t)tick - c->start;
    return c->stopped ? c->held : since > 0 ? (uint64_t)since : 0;
}

static uint32_t
high_half(uint32_t count)
{
    return (count + 1) / 2; /* mode 3: "for odd counts the output is high for (N + 1) / 2" */
}

static bool
output_at(const struct counter *c, uint64_t tick)
{
    uint64_t t = elapsed(c, tick);
    if (!c->counting) {
        return c->mode != 0;
    }
    switch (c->mode) {
    case 0: case 1: return t >= c->count;
    case 2: return c->stopped || t % c->count != c->count - 1;
    case 3: return c->stopped || t % c->count < high_half(c->count);
    default: return t != c->count || c->stopped;
    }
}

/* Tick of the next change of output, or NEVER. */
static uint64_t
next_change(const struct counter *c, uint64_t tick)
{
    if (!c->counting || c->stopped) {
        return NEVER;
    }
    uint64_t t = elapsed(c, tick), begin = tick - t, in_period = t % c->count;
    if ((int64_t)tick < c->start) {
        begin = (uint64_t)c->start;
    }
    switch (c->mode) {
    case 0: case 1:
        return t < c->count ? begin + c->count : NEVER;
    case 2:
        return in_period < c->count - 1 ? begin + t - in_period + c->count - 1 : begin + t + 1;
    case 3: {
        uint32_t high = high_half(c->count);
        return begin + t - in_period + (in_period < high && high < c->count ? high : c->count);
    }
    default:
        return t < c->count ? begin + c->count : t == c->count ? begin + c->count + 1 : NEVER;
    }
}

/* What the counting element shows. */
static uint16_t
count_at(const struct counter *c, uint64_t tick)
{
    uint64_t t = elapsed(c, tick), value;
    if (!c->counting) {
        return 0;
    }
    if (c->mode == 3) {
        uint64_t in_period = t % c->count, high = high_half(c->count);
        value = (c->count & ~1u) - 2 * (in_period < high ? in_period : in_period - high);
    } else if (c->mode == 2) {
        value = c->count - t % c->count;
    } else {
        uint64_t wrap = c->bcd ? 10000 : 65536;
        value = (c->count + wrap - t % wrap) % wrap;
    }
    if (c->bcd) {
        value %= 10000;
        value = value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
    }
    return (uint16_t)value;
}

/* A count written while modes 2 and 3 run waits for the end of the cycle, or half-cycle. */
static void
take_over(struct counter *c, uint64_t tick)
{
    if (c->reload > tick) {
        return;
    }
    uint64_t ran = c->reload - (uint64_t)c->start;
    bool to_low = c->mode == 3 && ran % c->count != 0;
    c->count = c->next;
    c->start = (int64_t)c->reload - (to_low ? high_half(c->count) : 0);
    c->reload = NEVER;
}

static void
begin_count(struct counter *c, uint64_t tick)
{
    c->count = c->next;
    c->start = (int64_t)tick + 1; /* "loaded on the next CLK pulse" */
    c->reload = NEVER;
    c->held = 0;
    c->counting = true;
    c->stopped = !c->gate && !needs_trigger(c);
}

static void
load(struct counter *c, uint64_t tick, uint16_t value)
{
    uint32_t count = value;
    if (c->bcd) {
        count = (count >> 12) * 1000 + (count >> 8 & 15) * 100 + (count >> 4 & 15) * 10 + (count & 15);
    }
    c->next = count ? count : c->bcd ? 10000 : 65536;
    if (needs_trigger(c)) {
        return;
    }
    if (is_periodic(c) && c->counting && !c->stopped) {
        uint64_t t = elapsed(c, tick), in_period = t % c->count, high = high_half(c->count);
        uint64_t end = c->mode == 3 && in_period < high ? high : c->count;
        uint64_t from = (int64_t)tick < c->start ? (uint64_t)c->start : tick;
        c->reload = from - in_period + end;
        return;
    }
    begin_count(c, tick);
}

static void
set_gate(struct counter *c, uint64_t tick, bool high)
{
    bool rises = high && !c->gate, falls = !high && c->gate;
    take_over(c, tick);
    if (falls && !needs_trigger(c) && c->counting) {
        c->held = elapsed(c, tick);
        c->stopped = true;
    }
    c->gate = high;
    if (!rises) {
        return;
    }
    if (needs_trigger(c) ? c->next != 0 : is_periodic(c) && c->counting) {
        begin_count(c, tick);
    } else if (c->counting && c->stopped) {
        c->start = (int64_t)(tick - c->held);
        c->stopped = false;
    }
}

/* --- the chip ---------------------------------------------------------------------------------- */

static void
output_update(struct pit *p, uint64_t tick)
{
    struct counter *c = &p->counter[0];
    take_over(c, tick);
    bool high = output_at(c, tick);
    uint64_t change = next_change(c, tick);
    uint64_t look = change < c->reload ? change : c->reload;
    if (look == NEVER) {
        event_cancel(p->machine->events, &p->event);
    } else {
        event_arm(p->machine->events, &p->event, tick_cycle(look));
    }
    if (high != p->output_high) {
        p->output_high = high;
        p->output(p->output_ctx, high);
    }
}

static void
fire(void *ctx, uint64_t now)
{
    struct pit *p = ctx;
    output_update(p, (uint64_t)((unsigned __int128)now * PIT_HZ / MACHINE_TSC_HZ));
}

static void
latch_count(struct counter *c, uint64_t tick)
{
    if (!c->latched) { /* "subsequent latch commands are ignored until the count is read" */
        c->latch = count_at(c, tick);
        c->latched = c->access == ACCESS_BOTH ? 2 : 1;
    }
}

static void
latch_status(struct counter *c, uint64_t tick)
{
    if (!c->status_latched) {
        bool null = c->reload != NEVER || !c->counting || (int64_t)tick < c->start;
        c->status_latched = true;
        c->status = (uint8_t)((output_at(c, tick) ? STATUS_OUTPUT : 0) | (null ? STATUS_NULL : 0) | c->access << 4 |
                              c->mode << 1 | c->bcd);
    }
}

static void
command(struct pit *p, uint64_t tick, uint8_t value)
{
    unsigned which = value >> 6, access = value >> 4 & 3;
    for (unsigned i = 0; which == READ_BACK && i < COUNTERS; i++) {
        if (value >> (i + 1) & 1) {
            if (!(value & READ_BACK_NO_COUNT)) {
                latch_count(&p->counter[i], tick);
            }
            if (!(value & READ_BACK_NO_STATUS)) {
                latch_status(&p->counter[i], tick);
            }
        }
    }
    if (which == READ_BACK) {
        return;
    }
    struct counter *c = &p->counter[which];
    if (access == ACCESS_LATCH) {
        latch_count(c, tick);
        return;
    }
    unsigned mode = value >> 1 & 7;
    *c = (struct counter){ .mode = (uint8_t)(mode > 5 ? mode - 4 : mode), .access = (uint8_t)access, .bcd = value & 1,
                           .gate = c->gate, .reload = NEVER };
}

static void
write_count(struct counter *c, uint64_t tick, uint8_t value)
{
    switch (c->access) {
    case ACCESS_LOW: load(c, tick, value); break;
    case ACCESS_HIGH: load(c, tick, (uint16_t)(value << 8)); break;
    default:
        if (c->low_written) {
            load(c, tick, (uint16_t)(value << 8 | c->low));
        } else {
            c->low = value;
            if (c->mode == 0) { /* "writing the first byte disables counting; the output is set low at once" */
                c->counting = false;
            }
        }
        c->low_written = !c->low_written;
    }
}

static uint8_t
read_count(struct counter *c, uint64_t tick)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    uint16_t count = c->latched ? c->latch : count_at(c, tick);
    bool high = c->access == ACCESS_HIGH || (c->access == ACCESS_BOTH && c->high_next);
    if (c->access == ACCESS_BOTH) {
        c->high_next = !c->high_next;
    }
    c->latched -= c->latched > 0;
    return (uint8_t)(high ? count >> 8 : count);
}

/* --- access --------------------------------------------------------------------------------------- */

uint64_t
pit_read(void *pit, uint64_t offset, unsigned size)
{
    struct pit *p = pit;
    machine_slow_access(p->machine);
    uint64_t tick = tick_now(p), value = 0;
    for (unsigned i = 0; i < size; i++) {
        unsigned which = (unsigned)offset + i;
        uint8_t byte = 0; /* "read of control word: no-operation, three-state" */
        if (which < COUNTERS) {
            take_over(&p->counter[which], tick);
            byte = read_count(&p->counter[which], tick);
        }
        value |= (uint64_t)byte << (8 * i);
    }
    return value;
}

void
pit_write(void *pit, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *p = pit;
    machine_slow_access(p->machine);
    uint64_t tick = tick_now(p);
    for (unsigned i = 0; i < COUNTERS; i++) {
        take_over(&p->counter[i], tick);
    }
    for (unsigned i = 0; i < size; i++) {
        unsigned which = (unsigned)offset + i;
        uint8_t byte = (uint8_t)(value >> (8 * i));
        if (which < COUNTERS) {
            write_count(&p->counter[which], tick, byte);
        } else {
            command(p, tick, byte);
        }
    }
    output_update(p, tick);
}

uint64_t
pit_port61_read(void *pit, uint64_t offset, unsigned size)
{
    struct pit *p = pit;
    (void)offset, (void)size;
    machine_slow_access(p->machine);
    uint64_t tick = tick_now(p);
    take_over(&p->counter[2], tick);
    return p->port61 | (tick / REFRESH_TICKS & 1 ? P61_REFRESH : 0) | (output_at(&p->counter[2], tick) ? P61_OUTPUT : 0);
}

void
pit_port61_write(void *pit, uint64_t offset, unsigned size, uint64_t value)
{
    struct pit *p = pit;
    (void)offset, (void)size;
    p->port61 = value & P61_WRITABLE;
    set_gate(&p->counter[2], tick_now(p), value & P61_GATE);
}

/* --- life -------------------------------------------------------------------------------------------- */

struct pit *
pit_new(struct machine *m, void (*output)(void *ctx, bool high), void *ctx)
{
    struct pit *p = calloc(1, sizeof *p);
    if (p) {
        p->machine = m;
        p->output = output;
        p->output_ctx = ctx;
        p->output_high = true;
        event_init(&p->event, fire, p);
        for (unsigned i = 0; i < COUNTERS; i++) { /* modes as firmware leaves them, without a count */
            p->counter[i] = (struct counter){ .mode = i == 1 ? 2 : 3, .access = i == 1 ? ACCESS_LOW : ACCESS_BOTH,
                                              .gate = i != 2, .reload = NEVER };
        }
    }
    return p;
}

void
pit_free(struct pit *p)
{
    if (p) {
        event_cancel(p->machine->events, &p->event);
    }
    free(p);
}

static void
counter_state(struct counter *c, struct state *s)
{
    STATE_VISIT(s, c->mode);
    STATE_VISIT(s, c->access);
    STATE_VISIT(s, c->bcd);
    STATE_VISIT(s, c->gate);
    STATE_VISIT(s, c->low_written);
    STATE_VISIT(s, c->high_next);
    STATE_VISIT(s, c->low);
    STATE_VISIT(s, c->latched);
    STATE_VISIT(s, c->status_latched);
    STATE_VISIT(s, c->status);
    STATE_VISIT(s, c->latch);
    STATE_VISIT(s, c->counting);
    STATE_VISIT(s, c->stopped);
    STATE_VISIT(s, c->count);
    STATE_VISIT(s, c->next);
    STATE_VISIT(s, c->start);
    STATE_VISIT(s, c->reload);
    STATE_VISIT(s, c->held);
    if (c->mode > 5 || c->access > ACCESS_BOTH || c->latched > 2 || (c->counting && (!c->count || c->count > 65536))) {
        state_fail(s, "an 8254 counter in mode %u with count %u", c->mode, c->count);
        *c = (struct counter){ .reload = NEVER };
    }
}

void
pit_state(struct pit *p, struct state *s)
{
    for (unsigned i = 0; i < COUNTERS; i++) {
        counter_state(&p->counter[i], s);
    }
    STATE_VISIT(s, p->port61);
    STATE_VISIT(s, p->output_high);
    event_state(p->machine->events, &p->event, s);
}
