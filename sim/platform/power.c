/* Power, reset, exit, PM timer; see power.h. */
#include "sim/platform/power.h"

#include <stdlib.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "spec/platform/memory_map.h"

/* ACPI Specification "PM1 Control Registers" */
enum { PM1_SCI_EN = 1 << 0, PM1_SLP_TYP_SHIFT = 10, PM1_SLP_EN = 1 << 13 };
enum { RESET_SYSTEM = 1 << 1, RESET_CPU = 1 << 2 };

struct power {
    struct machine *machine;
    uint16_t pm1_enable;
    uint16_t pm1_control; /* without SLP_EN, which reads as 0 */
    uint8_t reset;        /* CF9H as last written */
};

/* --- PM1 --------------------------------------------------------------------- */

/* Status (offset 0) stays 0: there are no buttons, and the timer's carry is
 * not reported as an event because its interrupt is not offered. */
static uint64_t
event_read(void *ctx, uint64_t offset, unsigned size)
{
    struct power *p = ctx;
    uint64_t block = (uint64_t)p->pm1_enable << 16;
    (void)size;
    return block >> (8 * offset);
}

static void
event_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct power *p = ctx;
    uint32_t block = (uint32_t)p->pm1_enable << 16;
    for (unsigned i = 0; i < size; i++) {
        unsigned shift = 8 * ((unsigned)offset + i);
        block = (block & ~(0xFFu << shift)) | (uint32_t)(value >> (8 * i) & 0xFF) << shift;
    }
    p->pm1_enable = (uint16_t)(block >> 16);
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
    } else {
        machine_request_stop(p->machine, STOP_UNIMPLEMENTED, type,
                             "sleep type %u: only S5 (type %d) is offered", type, ACPI_S5_SLP_TYP);
    }
}

/* --- timer, exit, POST ------------------------------------------------------- */

static uint64_t
timer_read(void *ctx, uint64_t offset, unsigned size)
{
    struct power *p = ctx;
    (void)size;
    uint64_t ticks = (uint64_t)((unsigned __int128)machine_now(p->machine) * PM_TIMER_HZ /
                                MACHINE_TSC_HZ);
    return (uint32_t)ticks >> (8 * offset);
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

/* --- life -------------------------------------------------------------------- */

struct power *
power_new(struct machine *m)
{
    struct power *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->machine = m;
    const struct { uint16_t port, count; struct mem_region region; } row[] = {
        { PORT_PM1A_EVT, 4, { "pm1a-event", event_read, event_write, p } },
        { PORT_PM1A_CNT, 2, { "pm1a-control", control_read, control_write, p } },
        { PORT_PM_TIMER, 4, { "pm-timer", timer_read, ignore_write, p } },
        { PORT_DEBUG_EXIT, 4, { "debug-exit", zero_read, exit_write, p } },
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
    free(p);
}

void
power_state(struct power *p, struct state *s)
{
    STATE_VISIT(s, p->pm1_enable);
    STATE_VISIT(s, p->pm1_control);
    STATE_VISIT(s, p->reset);
}
