/* Power, reset, exit, PM timer; see power.h. */
#include "sim/platform/power.h"

#include <stdlib.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/platform/memory_map.h"

/* ACPI Specification "PM1 Control Registers" */
enum { PM1_TIMER = 1 << 0, PM1_GLOBAL = 1 << 5, PM1_POWER_BUTTON = 1 << 8, PM1_RTC = 1 << 10, PM1_WAKE = 1 << 15 };
enum { PM1_SIGNALS = PM1_TIMER | PM1_POWER_BUTTON | PM1_RTC, PM1_ENABLES = PM1_SIGNALS | PM1_GLOBAL };
enum { PM1_SCI_EN = 1 << 0, PM1_SLP_TYP_SHIFT = 10, PM1_SLP_EN = 1 << 13 };
enum { TIMER_CARRY = 31 }; /* TMR_STS: bit 31 of the timer changes, as TMR_VAL_EXT says */
enum { P92_RESET = 1 << 0, P92_A20 = 1 << 1 };
enum { RESET_SYSTEM = 1 << 1, RESET_CPU = 1 << 2 };

struct power {
    struct machine *machine;
    uint16_t pm1_status;
    uint16_t pm1_enable;
    uint16_t pm1_control; /* without SLP_EN, which reads as 0 */
    uint8_t reset;        /* CF9H as last written */
    bool sci_high;        /* as told last */
    uint64_t seen;        /* timer ticks up to which carries are in pm1_status */
    struct event carry;   /* the next one, when it interrupts */
    bool suspended;       /* in S3 */
    struct event wake;    /* the end of it, once a wake event came */
    struct power_wires wires;
};

static uint64_t
ticks_now(const struct power *p)
{
    return (uint64_t)((unsigned __int128)machine_now(p->machine) * PM_TIMER_HZ / MACHINE_TSC_HZ);
}

/* --- PM1 --------------------------------------------------------------------- */

static void
catch_up(struct power *p)
{
    uint64_t ticks = ticks_now(p);
    if (ticks >> TIMER_CARRY != p->seen >> TIMER_CARRY) {
        p->pm1_status |= PM1_TIMER;
    }
    p->seen = ticks;
}

/* Drives the SCI and waits for the carry if it interrupts. */
static void
sci_update(struct power *p)
{
    bool high = p->pm1_status & p->pm1_enable & PM1_SIGNALS;
    if (p->pm1_enable & PM1_TIMER && !(p->pm1_status & PM1_TIMER)) {
        uint64_t next = ((p->seen >> TIMER_CARRY) + 1) << TIMER_CARRY;
        event_arm(p->machine->events, &p->carry,
                  (uint64_t)(((unsigned __int128)next * MACHINE_TSC_HZ + PM_TIMER_HZ - 1) / PM_TIMER_HZ));
    } else {
        event_cancel(p->machine->events, &p->carry);
    }
    if (high != p->sci_high) {
        p->sci_high = high;
        p->wires.sci(p->wires.ctx, high);
    }
}

/* Power button and clock end S3, after the time that power supplies and firmware take. */
static void
wake_check(struct power *p)
{
    enum { WAKE_NS = 1000000 };
    if (p->suspended && p->pm1_status & p->pm1_enable & (PM1_POWER_BUTTON | PM1_RTC) && !event_is_armed(&p->wake)) {
        event_arm(p->machine->events, &p->wake, machine_now(p->machine) + machine_ns_to_cycles(WAKE_NS));
    }
}

static void
wake(void *ctx, uint64_t now)
{
    struct power *p = ctx;
    (void)now;
    p->suspended = false;
    p->pm1_status |= PM1_WAKE;
    p->wires.resume(p->wires.ctx);
}

static void
carry(void *ctx, uint64_t now)
{
    (void)now;
    catch_up(ctx);
    sci_update(ctx);
}

static void
signal(struct power *p, uint16_t status)
{
    catch_up(p);
    p->pm1_status |= status;
    sci_update(p);
    wake_check(p);
}

void
power_button(struct power *p)
{
    signal(p, PM1_POWER_BUTTON);
}

void
power_clock(struct power *p)
{
    signal(p, PM1_RTC);
}

static uint64_t
event_read(void *ctx, uint64_t offset, unsigned size)
{
    struct power *p = ctx;
    (void)size;
    catch_up(p);
    return ((uint64_t)p->pm1_enable << 16 | p->pm1_status) >> (8 * offset);
}

/* Status bits clear where 1 is written. */
static void
event_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct power *p = ctx;
    uint32_t mask = (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << (8 * offset);
    uint32_t written = (uint32_t)value << (8 * offset) & mask;
    catch_up(p);
    p->pm1_status &= (uint16_t)~written;
    if (mask >> 16) {
        p->pm1_enable = (uint16_t)((p->pm1_enable & ~(mask >> 16)) | (written >> 16 & PM1_ENABLES));
    }
    sci_update(p);
}

static uint64_t
control_read(void *ctx, uint64_t offset, unsigned size)
{
    struct power *p = ctx;
    (void)size;
    return (uint64_t)(p->pm1_control | PM1_SCI_EN) >> (8 * offset);
}

static void
control_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct power *p = ctx;
    uint16_t control = p->pm1_control;
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = 8 * ((unsigned)offset + i);
        control = (uint16_t)((control & ~(0xFFu << shift)) | (value >> (8 * i) & 0xFF) << shift);
    }
    p->pm1_control = control & (uint16_t)~PM1_SLP_EN;
    if (!(control & PM1_SLP_EN)) {
        return;
    }
    unsigned type = control >> PM1_SLP_TYP_SHIFT & 7;
    if (type == ACPI_S5_SLP_TYP) {
        machine_request_stop(p->machine, STOP_POWER_OFF, 0, "powered off by software (ACPI S5)");
    } else if (type == ACPI_S3_SLP_TYP) {
        p->suspended = true;
        p->wires.suspend(p->wires.ctx);
        wake_check(p);
    } else {
        machine_request_stop(p->machine, STOP_UNIMPLEMENTED, type, "sleep type %u: S3 (type %d) and S5 (type %d) are offered",
                             type, ACPI_S3_SLP_TYP, ACPI_S5_SLP_TYP);
    }
}

/* --- timer, exit, POST ------------------------------------------------------- */

static uint64_t
timer_read(void *ctx, uint64_t offset, unsigned size)
{
    struct power *p = ctx;
    (void)size;
    machine_slow_access(p->machine);
    return (uint32_t)ticks_now(p) >> (8 * offset);
}

static void
ignore_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)offset, (void)size, (void)value;
}

static uint64_t
zero_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)offset, (void)size;
    return 0;
}

static void
exit_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct power *p = ctx;
    (void)offset, (void)size;
    machine_request_stop(p->machine, STOP_DEBUG_EXIT, (uint32_t)value,
                         "software wrote %#x to the exit port", (uint32_t)value);
}

/* --- reset ------------------------------------------------------------------- */

uint8_t
power_reset_read(const struct power *p)
{
    return p->reset;
}

void
power_reset_write(struct power *p, uint8_t value)
{
    bool rises = value & RESET_CPU && !(p->reset & RESET_CPU);
    p->reset = value & (uint8_t)~RESET_CPU;
    if (rises) {
        machine_request_stop(p->machine, STOP_RESET, value,
                             "software asked for a %s reset (port 0xCF9 = %#x)",
                             value & RESET_SYSTEM ? "hard" : "soft", value);
    }
}

void
power_reset(struct power *p, const char *by)
{
    machine_request_stop(p->machine, STOP_RESET, 0, "software asked for a reset (%s)", by);
}

void
power_a20_off(struct power *p, const char *by)
{
    machine_request_stop(p->machine, STOP_UNIMPLEMENTED, 0, "software turns the A20 line off (%s): it is always on", by);
}

static uint64_t
port92_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)offset, (void)size;
    return P92_A20;
}

static void
port92_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)offset, (void)size;
    struct power *p = ctx;
    if (value & P92_RESET) {
        power_reset(p, "port 0x92");
    } else if (!(value & P92_A20)) {
        power_a20_off(p, "port 0x92");
    }
}

/* --- life -------------------------------------------------------------------- */

struct power *
power_new(struct machine *m, const struct power_wires *wires)
{
    struct power *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->machine = m;
    p->wires = *wires;
    p->seen = ticks_now(p);
    event_init(&p->carry, carry, p);
    event_init(&p->wake, wake, p);
    const struct { uint16_t port, count; struct mem_region region; } row[] = {
        { PORT_PM1A_EVT, 4, { "pm1a-event", event_read, event_write, p } },
        { PORT_PM1A_CNT, 2, { "pm1a-control", control_read, control_write, p } },
        { PORT_PM_TIMER, 4, { "pm-timer", timer_read, ignore_write, p } },
        { PORT_DEBUG_EXIT, 4, { "debug-exit", zero_read, exit_write, p } },
        { PORT_92, 1, { "port-92", port92_read, port92_write, p } },
        { PORT_POST, 1, { "post", zero_read, ignore_write, p } },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        mem_port_map(m->mem, row[i].port, row[i].count, &row[i].region);
    }
    return p;
}

void
power_free(struct power *p)
{
    if (p) {
        event_cancel(p->machine->events, &p->carry);
        event_cancel(p->machine->events, &p->wake);
    }
    free(p);
}

void
power_state(struct power *p, struct state *s)
{
    STATE_VISIT(s, p->pm1_status);
    STATE_VISIT(s, p->pm1_enable);
    STATE_VISIT(s, p->pm1_control);
    STATE_VISIT(s, p->reset);
    STATE_VISIT(s, p->sci_high);
    STATE_VISIT(s, p->seen);
    event_state(p->machine->events, &p->carry, s);
    STATE_VISIT(s, p->suspended);
    event_state(p->machine->events, &p->wake, s);
}
