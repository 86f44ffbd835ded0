/* Interrupt messages: who a destination names, interrupt commands, MSIs.
 * SDM Vol 3A "Issuing Interprocessor Interrupts", "Determining IPI Destination". */
#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/apic/apic_priv.h"
#include "sim/machine.h"
#include "sim/time/timing.h"

#define MSI_ADDRESS_MASK 0xfffffffffff00000ull
#define MSI_ADDRESS 0xfee00000ull

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* --- destinations --------------------------------------------------------------- */

static bool matches_logical_x(const struct apic *a, uint32_t destination)
{
    uint32_t mine = a->ldr >> 24;

    if (a->dfr >> 28 == 0xf) { /* flat model */
        return mine & destination;
    }
    return mine >> 4 == (destination >> 4 & 0xf) && mine & destination & 0xf;
}

static bool matches(const struct cpu *cpu, const struct apic_message *m)
{
    uint32_t all = m->wide ? APIC_BROADCAST_X2 : APIC_BROADCAST_X;

    if (!apic_is_enabled(cpu)) {
        return false;
    }
    if (m->destination == all) {
        return true;
    }
    if (!m->logical) {
        return m->destination == apic_id(cpu);
    }
    if (!apic_is_x2(cpu)) {
        return matches_logical_x(cpu->apic, m->destination & 0xff);
    }
    return m->destination >> 16 == cpu->index >> 4 && m->destination >> (cpu->index & 15) & 1;
}

/* --- one processor takes a message ------------------------------------------------ */

static bool accept(struct cpu *cpu, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        apic_raise(cpu, m->vector, m->level);
        return cpu->apic->svr & SVR_ENABLE;
    case APIC_NMI:
        cpu_attend(cpu, ATTN_NMI);
        return true;
    case APIC_INIT:
        if (!m->deassert) {
            cpu_attend(cpu, ATTN_INIT);
        }
        return true;
    case APIC_STARTUP:
        cpu->sipi_vector = m->vector;
        cpu_attend(cpu, ATTN_SIPI);
        return true;
    case APIC_EXTINT:
        cpu->apic->extint = true;
        cpu_attend(cpu, ATTN_INTR);
        return true;
    default: /* SMI: no SMM here */
        TRACE(cpu->machine, cpu->now, TRACE_GUEST_ERROR, cpu->index, m->mode, m->vector, 0);
        return false;
    }
}

/* Lowest priority goes to the processor with the lowest TPR class, then to the lowest number. */
static struct cpu *lowest_priority(struct machine *machine, const struct apic_message *m, int except)
{
    struct cpu *best = NULL;

    for (unsigned i = 0; i < machine->cpu_count; i++) {
        struct cpu *cpu = machine->cpu[i];
        if ((int)i != except && matches(cpu, m) && cpu->apic->svr & SVR_ENABLE &&
            (!best || apic_ppr(cpu) >> 4 < apic_ppr(best) >> 4)) {
            best = cpu;
        }
    }
    return best;
}

static bool deliver(struct machine *machine, const struct apic_message *m, int except)
{
    bool accepted = false;

    if (m->mode == APIC_LOWEST) {
        struct cpu *cpu = lowest_priority(machine, m, except);
        return cpu && accept(cpu, m);
    }
    for (unsigned i = 0; i < machine->cpu_count; i++) {
        if ((int)i != except && matches(machine->cpu[i], m)) {
            accepted |= accept(machine->cpu[i], m);
        }
    }
    return accepted;
}

bool apic_deliver(struct machine *machine, const struct apic_message *message)
{
    return deliver(machine, message, -1);
}

bool apic_deliver_msi(struct machine *machine, uint64_t address, uint32_t data)
{
    if ((address & MSI_ADDRESS_MASK) != MSI_ADDRESS) {
        return false;
    }
    /* Bit 3, the redirection hint, is one: bit 2 says logical or physical for it too, as software relies on. */
    struct apic_message m = {
        .destination = address >> 12 & 0xff, .vector = (uint8_t)data, .mode = data >> 8 & 7,
        .logical = address >> 2 & 1, .level = data >> 15 & 1,
        .deassert = (data >> 15 & 1) && !(data >> 14 & 1),
    };
    return !m.deassert && apic_deliver(machine, &m);
}

/* --- sending --------------------------------------------------------------------- */

static void ipi_fire(void *ctx, uint64_t now)
{
    struct apic_ipi *ipi = ctx;

    (void)now;
    deliver(ipi->from->machine, &ipi->message, ipi->except);
}

void apic_ipi_init(struct cpu *cpu)
{
    for (unsigned i = 0; i < IPIS_IN_FLIGHT; i++) {
        struct apic_ipi *ipi = &cpu->apic->ipi[i];
        ipi->from = cpu;
        event_init(&ipi->event, ipi_fire, ipi);
    }
}

static void send(struct cpu *cpu, const struct apic_message *m, int except)
{
    struct apic *a = cpu->apic;
    struct apic_ipi *ipi = &a->ipi[a->ipi_next];

    a->ipi_next = (a->ipi_next + 1) % IPIS_IN_FLIGHT;
    if (event_is_armed(&ipi->event)) { /* all slots in flight: the oldest arrives now */
        event_cancel(cpu->machine->events, &ipi->event);
        ipi_fire(ipi, cpu->now);
    }
    ipi->message = *m;
    ipi->except = except;
    TRACE(cpu->machine, cpu->now, TRACE_IPI, cpu->index, m->destination, m->vector, 0);
    event_arm(cpu->machine->events, &ipi->event, cpu->now + time_fabric(cpu->machine, FABRIC_IPI, 0));
}

/* Software gave another processor the same xAPIC id. */
static bool shared_id(const struct cpu *cpu, const struct apic_message *m)
{
    for (unsigned i = 0; !m->wide && i < cpu->machine->cpu_count; i++) {
        if (i != cpu->index && matches(cpu->machine->cpu[i], m)) {
            return true;
        }
    }
    return false;
}

void apic_icr_write(struct cpu *cpu, uint32_t low, uint32_t destination)
{
    unsigned shorthand = low >> 18 & 3;
    struct apic_message m = {
        .destination = destination, .vector = (uint8_t)low, .mode = low >> 8 & 7,
        .logical = low >> 11 & 1, .wide = apic_is_x2(cpu), .level = low >> 15 & 1,
        .deassert = (low >> 15 & 1) && !(low >> 14 & 1),
    };
    bool fixed = m.mode == APIC_FIXED || m.mode == APIC_LOWEST;

    if (fixed && m.vector < 16) {
        apic_error(cpu, ESR_SEND_ILLEGAL);
        return;
    }
    if (fixed) {
        m.level = false; /* "the trigger mode is ignored" but for INIT level de-assert */
    }
    bool own = shorthand == SHORTHAND_NONE && !m.logical && m.destination == apic_id(cpu);
    if (shorthand == SHORTHAND_SELF || own) { /* never leaves the processor */
        accept(cpu, &m);
        if (own && shared_id(cpu, &m)) {
            send(cpu, &m, (int)cpu->index);
        }
        return;
    }
    if (shorthand != SHORTHAND_NONE) {
        m.destination = m.wide ? APIC_BROADCAST_X2 : APIC_BROADCAST_X;
        m.logical = false;
    }
    send(cpu, &m, shorthand == SHORTHAND_OTHERS ? (int)cpu->index : -1);
}

void apic_ipi_state(struct cpu *cpu, struct state *state)
{
    struct apic *a = cpu->apic;

    STATE_VISIT(state, a->ipi_next);
    if (state_is_load(state) && a->ipi_next >= IPIS_IN_FLIGHT) {
        state_fail(state, "IPI slot %u", a->ipi_next);
        a->ipi_next = 0;
    }
    for (unsigned i = 0; i < IPIS_IN_FLIGHT; i++) {
        struct apic_ipi *ipi = &a->ipi[i];
        struct apic_message *m = &ipi->message;
        event_state(cpu->machine->events, &ipi->event, state);
        STATE_VISIT(state, m->destination);
        STATE_VISIT(state, m->vector);
        STATE_VISIT(state, m->mode);
        STATE_VISIT(state, m->logical);
        STATE_VISIT(state, m->wide);
        STATE_VISIT(state, m->level);
        STATE_VISIT(state, m->deassert);
        STATE_VISIT(state, ipi->except);
    }
}
