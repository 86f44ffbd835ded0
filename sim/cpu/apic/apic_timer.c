/* The APIC timer: SDM Vol 3A "APIC Timer".
 *
 * It counts the core crystal clock (CPUID leaf 15H) divided by the divide configuration; in
 * TSC-deadline mode it compares the TSC.  Nothing counts here: the event queue fires when the count
 * would reach zero, and the current count is computed when read. */
#include "sim/cpu/apic/apic_priv.h"
#include "sim/machine.h"
#include "spec/x86/clock.h"

/* TSC cycles per decrement. */
static uint64_t cycles_per_count(const struct apic *a)
{
    /* Bits 3, 1, 0: 000 = 2, 001 = 4, ... 110 = 128, 111 = 1. */
    unsigned code = (a->timer_divide >> 1 & 4) | (a->timer_divide & 3);
    unsigned shift = (code + 1) & 7;

    return (uint64_t)CLOCK_TSC_PER_CRYSTAL << shift;
}

static uint32_t mode_of(const struct apic *a)
{
    return a->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

static void raise_timer(struct cpu *cpu)
{
    uint32_t lvt = cpu->apic->lvt[LVT_TIMER];

    if (!(lvt & LVT_MASKED)) {
        apic_raise(cpu, (uint8_t)lvt, false);
    }
}

static void timer_fire(void *ctx, uint64_t now)
{
    struct cpu *cpu = ctx;
    struct apic *a = cpu->apic;

    if (mode_of(a) == LVT_TIMER_PERIODIC && a->timer_initial) {
        a->timer_start = now;
        event_arm(cpu->machine->events, &a->timer, now + a->timer_initial * cycles_per_count(a));
    } else if (mode_of(a) == LVT_TIMER_DEADLINE) {
        cpu->msr.tsc_deadline = 0;
    }
    raise_timer(cpu);
}

void apic_timer_init(struct cpu *cpu)
{
    event_init(&cpu->apic->timer, timer_fire, cpu);
}

static void disarm(struct cpu *cpu)
{
    event_cancel(cpu->machine->events, &cpu->apic->timer);
    cpu->apic->timer_initial = 0;
    cpu->msr.tsc_deadline = 0;
}

void apic_timer_reset(struct cpu *cpu)
{
    disarm(cpu);
    cpu->apic->timer_divide = 0;
    cpu->apic->timer_start = 0;
}

uint32_t apic_timer_current(const struct cpu *cpu)
{
    const struct apic *a = cpu->apic;

    if (!event_is_armed(&a->timer) || mode_of(a) == LVT_TIMER_DEADLINE) {
        return 0;
    }
    uint64_t counted = cpu->now > a->timer_start ? (cpu->now - a->timer_start) / cycles_per_count(a) : 0;
    return counted >= a->timer_initial ? 0 : a->timer_initial - (uint32_t)counted;
}

/* (Re)starts the count so that 'count' is left now. */
static void start(struct cpu *cpu, uint32_t count)
{
    struct apic *a = cpu->apic;
    uint64_t unit = cycles_per_count(a);

    a->timer_start = cpu->now - (a->timer_initial - count) * unit;
    event_arm(cpu->machine->events, &a->timer, cpu->now + count * unit);
}

void apic_timer_initial_write(struct cpu *cpu, uint32_t count)
{
    struct apic *a = cpu->apic;

    if (mode_of(a) == LVT_TIMER_DEADLINE) {
        return; /* "writes to the initial-count register are ignored" */
    }
    a->timer_initial = count;
    if (count) {
        start(cpu, count);
    } else {
        event_cancel(cpu->machine->events, &a->timer);
    }
}

void apic_timer_divide_write(struct cpu *cpu, uint32_t value)
{
    uint32_t left = apic_timer_current(cpu);

    cpu->apic->timer_divide = value & 0xb;
    if (left) {
        start(cpu, left);
    }
}

/* "Transitioning between TSC-deadline mode and the other timer modes disarms the timer". */
void apic_timer_lvt_write(struct cpu *cpu, uint32_t value)
{
    struct apic *a = cpu->apic;
    uint32_t old = mode_of(a);

    a->lvt[LVT_TIMER] = value;
    if ((old == LVT_TIMER_DEADLINE) != (mode_of(a) == LVT_TIMER_DEADLINE)) {
        disarm(cpu);
    }
}

static void arm_deadline(struct cpu *cpu)
{
    uint64_t deadline = cpu->msr.tsc_deadline;
    uint64_t tsc = cpu->now + cpu->msr.tsc_offset;

    if (tsc >= deadline) {
        event_cancel(cpu->machine->events, &cpu->apic->timer);
        cpu->msr.tsc_deadline = 0;
        raise_timer(cpu);
        return;
    }
    uint64_t left = deadline - tsc;
    event_arm(cpu->machine->events, &cpu->apic->timer,
              left < EVENT_NEVER - 1 - cpu->now ? cpu->now + left : EVENT_NEVER - 1);
}

void apic_deadline_write(struct cpu *cpu, uint64_t tsc)
{
    if (mode_of(cpu->apic) != LVT_TIMER_DEADLINE) {
        return; /* "IA32_TSC_DEADLINE writes are ignored" outside TSC-deadline mode */
    }
    cpu->msr.tsc_deadline = tsc;
    if (tsc) {
        arm_deadline(cpu);
    } else {
        event_cancel(cpu->machine->events, &cpu->apic->timer);
    }
}

uint64_t apic_deadline_read(const struct cpu *cpu)
{
    return mode_of(cpu->apic) == LVT_TIMER_DEADLINE ? cpu->msr.tsc_deadline : 0;
}

void apic_tsc_changed(struct cpu *cpu)
{
    if (mode_of(cpu->apic) == LVT_TIMER_DEADLINE && cpu->msr.tsc_deadline) {
        arm_deadline(cpu);
    }
}
