/* Acceptance, priority, EOI and life of the local APIC. */
#include "sim/cpu/apic/apic.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/cpu/apic/apic_priv.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"

/* --- bit vectors of 256 -------------------------------------------------------- */

static bool test_bit(const uint32_t bits[8], uint8_t vector)
{
    return bits[vector / 32] >> vector % 32 & 1;
}

static void set_bit(uint32_t bits[8], uint8_t vector, bool value)
{
    uint32_t bit = 1u << vector % 32;

    bits[vector / 32] = value ? bits[vector / 32] | bit : bits[vector / 32] & ~bit;
}

/* Highest vector set, or -1. */
static int highest(const uint32_t bits[8])
{
    for (int word = 7; word >= 0; word--) {
        if (bits[word]) {
            return word * 32 + 31 - __builtin_clz(bits[word]);
        }
    }
    return -1;
}

/* --- priority: SDM Vol 3A "Task and Processor Priorities" ------------------------- */

uint8_t apic_ppr(const struct cpu *cpu)
{
    const struct apic *a = cpu->apic;
    int in_service = highest(a->isr);
    uint8_t service = in_service < 0 ? 0 : (uint8_t)in_service & 0xf0;

    return (a->tpr & 0xf0) >= service ? (uint8_t)a->tpr : service;
}

bool apic_pending(const struct cpu *cpu, uint8_t *vector)
{
    int requested = highest(cpu->apic->irr);

    if (apic_extint_pending(cpu)) {
        *vector = 0;
        return true;
    }
    if (requested < 0 || requested >> 4 <= apic_ppr(cpu) >> 4) {
        return false;
    }
    *vector = (uint8_t)requested;
    return apic_is_enabled(cpu) && cpu->apic->svr & SVR_ENABLE;
}

uint8_t apic_acknowledge(struct cpu *cpu)
{
    struct apic *a = cpu->apic;
    uint8_t vector;

    if (apic_extint_pending(cpu)) {
        a->extint = false;
        return a->board.acknowledge(a->board.ctx);
    }
    if (!apic_pending(cpu, &vector)) {
        return (uint8_t)a->svr;
    }
    set_bit(a->irr, vector, false);
    set_bit(a->isr, vector, true);
    return vector;
}

/* Something that holds interrupts back was lowered. */
static void look_again(struct cpu *cpu)
{
    uint8_t vector;

    if (apic_pending(cpu, &vector)) {
        cpu_attend(cpu, ATTN_INTR);
    }
}

void apic_eoi(struct cpu *cpu)
{
    struct apic *a = cpu->apic;
    int vector = highest(a->isr);

    if (vector < 0) {
        return;
    }
    set_bit(a->isr, (uint8_t)vector, false);
    if (test_bit(a->tmr, (uint8_t)vector) && a->board.eoi) {
        a->board.eoi(a->board.ctx, (uint8_t)vector);
    }
    apic_pins_eoi(cpu, (uint8_t)vector);
    look_again(cpu);
}

uint8_t apic_tpr(const struct cpu *cpu)
{
    return (uint8_t)cpu->apic->tpr;
}

void apic_set_tpr(struct cpu *cpu, uint8_t tpr)
{
    cpu->apic->tpr = tpr;
    cpu->cr8 = tpr >> 4;
    look_again(cpu);
}

uint32_t apic_id(const struct cpu *cpu)
{
    return apic_is_x2(cpu) ? cpu->index : cpu->apic->id;
}

/* --- acceptance ------------------------------------------------------------------- */

void apic_raise(struct cpu *cpu, uint8_t vector, bool level)
{
    struct apic *a = cpu->apic;

    if (!apic_is_enabled(cpu) || !(a->svr & SVR_ENABLE)) {
        return;
    }
    if (vector < 16) {
        apic_error(cpu, ESR_RECEIVE_ILLEGAL);
        return;
    }
    set_bit(a->irr, vector, true);
    set_bit(a->tmr, vector, level);
    cpu_attend(cpu, ATTN_INTR);
}

/* SDM Vol 3A "Error Handling": collected until ESR is written; each error asks for the error interrupt. */
void apic_error(struct cpu *cpu, uint32_t esr_bits)
{
    struct apic *a = cpu->apic;
    uint32_t lvt = a->lvt[LVT_ERROR];

    a->esr_pending |= esr_bits;
    TRACE(cpu->machine, cpu->now, TRACE_GUEST_ERROR, cpu->index, esr_bits, 0, 0);
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16) {
        apic_raise(cpu, (uint8_t)lvt, false);
    }
}

/* --- life --------------------------------------------------------------------------- */

/* SDM Vol 3A "Local APIC State After Power-Up or Reset". */
static void reset_registers(struct cpu *cpu)
{
    struct apic *a = cpu->apic;

    a->tpr = 0;
    cpu->cr8 = 0;
    a->ldr = 0;
    a->dfr = 0xffffffffu;
    a->svr = 0xff;
    a->esr = a->esr_pending = 0;
    a->icr = a->icr_high = 0;
    a->extint = false;
    memset(a->irr, 0, sizeof(a->irr));
    memset(a->isr, 0, sizeof(a->isr));
    memset(a->tmr, 0, sizeof(a->tmr));
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        a->lvt[i] = LVT_MASKED;
    }
    apic_timer_reset(cpu);
}

bool apic_new(struct cpu *cpu)
{
    cpu->apic = calloc(1, sizeof(*cpu->apic));
    if (!cpu->apic) {
        return false;
    }
    apic_timer_init(cpu);
    apic_ipi_init(cpu);
    apic_reset(cpu, false);
    return true;
}

void apic_free(struct cpu *cpu)
{
    if (cpu->apic) {
        event_cancel(cpu->machine->events, &cpu->apic->timer);
        for (unsigned i = 0; i < IPIS_IN_FLIGHT; i++) {
            event_cancel(cpu->machine->events, &cpu->apic->ipi[i].event);
        }
    }
    free(cpu->apic);
    cpu->apic = NULL;
}

void apic_reset(struct cpu *cpu, bool init)
{
    if (!init) {
        cpu->apic->id = (uint8_t)cpu->index; /* INIT leaves it: "Local APIC State After It Receives an INIT Reset" */
        cpu->msr.apic_base = APIC_BASE_RESET | APIC_BASE_ENABLE | (cpu->index == 0 ? APIC_BASE_BSP : 0);
    }
    reset_registers(cpu);
}

/* The transitions of SDM Vol 3A "x2APIC State Transitions". */
enum exec_result apic_base_write(struct cpu *cpu, uint64_t value)
{
    uint64_t old = cpu->msr.apic_base;
    uint64_t mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    uint64_t address = ((1ull << cpu_physical_bits(cpu)) - 1) & ~0xfffull;
    bool enable = value & APIC_BASE_ENABLE, x2 = value & APIC_BASE_X2APIC;

    if (value & ~(address | mode | APIC_BASE_BSP) || (x2 && (!enable || !cpu_has(cpu, CPU_X2APIC))) ||
        (x2 && !(old & APIC_BASE_ENABLE)) || (!x2 && enable && old & APIC_BASE_X2APIC)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    cpu->msr.apic_base = value;
    if (!enable && old & APIC_BASE_ENABLE) {
        cpu->apic->id = (uint8_t)cpu->index;
        reset_registers(cpu);
        look_again(cpu); /* LINT0 is INTR now */
    }
    if (x2 && !(old & APIC_BASE_X2APIC)) {
        cpu->apic->icr_high = 0;
    }
    return EXEC_OK;
}

void apic_set_board(struct machine *machine, const struct apic_board *board)
{
    for (unsigned i = 0; i < machine->cpu_count; i++) {
        machine->cpu[i]->apic->board = *board;
    }
}

void apic_state(struct cpu *cpu, struct state *state)
{
    struct apic *a = cpu->apic;

    STATE_VISIT(state, a->id);
    STATE_VISIT(state, a->tpr);
    STATE_VISIT(state, a->ldr);
    STATE_VISIT(state, a->dfr);
    STATE_VISIT(state, a->svr);
    STATE_VISIT(state, a->esr);
    STATE_VISIT(state, a->esr_pending);
    STATE_VISIT(state, a->lvt);
    STATE_VISIT(state, a->irr);
    STATE_VISIT(state, a->isr);
    STATE_VISIT(state, a->tmr);
    STATE_VISIT(state, a->icr);
    STATE_VISIT(state, a->icr_high);
    STATE_VISIT(state, a->pins);
    STATE_VISIT(state, a->extint);
    STATE_VISIT(state, a->timer_initial);
    STATE_VISIT(state, a->timer_divide);
    STATE_VISIT(state, a->timer_start);
    event_state(cpu->machine->events, &a->timer, state);
    apic_ipi_state(cpu, state);
}
