/* The interrupt pins LINT0 and LINT1, and ExtINT.
 *
 * SDM Vol 3A "Local Vector Table", "Valid Interrupt Vectors": an unmasked pin delivers as its LVT entry says.  While
 * the APIC is disabled in IA32_APIC_BASE, LINT0 is the processor's INTR and LINT1 its NMI ("Local APIC Status and
 * Location").  An ExtINT is no vector in the IRR: it is asked for while the pin is high, and the external controller
 * says which when it is taken. */
#include "sim/cpu/apic/apic_priv.h"
#include "sim/cpu/model/model.h"

enum { PINS = 2 };

static bool pin_is_high(const struct apic *a, unsigned pin)
{
    return a->pins >> pin & 1;
}

static uint32_t *lvt_of(struct apic *a, unsigned pin)
{
    return &a->lvt[LVT_LINT0 + pin];
}

bool apic_extint_pending(const struct cpu *cpu)
{
    const struct apic *a = cpu->apic;

    if (!apic_is_enabled(cpu)) {
        return a->pins & 1;
    }
    for (unsigned pin = 0; pin < PINS; pin++) {
        uint32_t lvt = a->lvt[LVT_LINT0 + pin];
        if (pin_is_high(a, pin) && !(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT) {
            return true;
        }
    }
    return a->extint;
}

/* What does not depend on an edge: ExtINT, and level-triggered fixed interrupts that wait for no EOI. */
static void look(struct cpu *cpu, unsigned pin)
{
    uint32_t *lvt = lvt_of(cpu->apic, pin);

    if (!pin_is_high(cpu->apic, pin) || *lvt & LVT_MASKED || !apic_is_enabled(cpu)) {
        return;
    }
    if (LVT_MODE(*lvt) == APIC_EXTINT) {
        cpu_attend(cpu, ATTN_INTR);
    } else if (LVT_MODE(*lvt) == APIC_FIXED && *lvt & LVT_LEVEL && !(*lvt & LVT_REMOTE_IRR)) {
        *lvt |= LVT_REMOTE_IRR;
        apic_raise(cpu, (uint8_t)*lvt, true);
    }
}

static void edge(struct cpu *cpu, unsigned pin)
{
    uint32_t lvt = *lvt_of(cpu->apic, pin);

    if (lvt & LVT_MASKED) {
        return;
    }
    switch (LVT_MODE(lvt)) {
    case APIC_FIXED:
        if (!(lvt & LVT_LEVEL)) {
            apic_raise(cpu, (uint8_t)lvt, false);
        }
        break;
    case APIC_NMI: cpu_attend(cpu, ATTN_NMI); break;
    case APIC_INIT: cpu_attend(cpu, ATTN_INIT); break;
    default: break; /* ExtINT: look(); SMI: no SMM here */
    }
}

void apic_set_pin(struct cpu *cpu, unsigned pin, bool high)
{
    struct apic *a = cpu->apic;
    bool rises = high && !pin_is_high(a, pin);

    a->pins = high ? a->pins | 1u << pin : a->pins & ~(1u << pin);
    if (!rises) {
        return;
    }
    if (!apic_is_enabled(cpu)) {
        cpu_attend(cpu, pin == 0 ? ATTN_INTR : ATTN_NMI);
        return;
    }
    edge(cpu, pin);
    look(cpu, pin);
}

/* SDM Vol 3A "Local Vector Table": Intel's processors mask the entry when it delivers, AMD's do not. */
void apic_perf_interrupt(struct cpu *cpu)
{
    uint32_t *lvt = &cpu->apic->lvt[LVT_PERF];

    if (*lvt & LVT_MASKED || !apic_is_enabled(cpu)) {
        return;
    }
    if (LVT_MODE(*lvt) == APIC_FIXED) {
        apic_raise(cpu, (uint8_t)*lvt, false);
    } else if (LVT_MODE(*lvt) == APIC_NMI) {
        cpu_attend(cpu, ATTN_NMI);
    } else {
        return; /* SMI: no SMM here; what else is reserved for this entry */
    }
    *lvt |= cpu_is_amd(cpu) ? 0 : LVT_MASKED;
}

void apic_pins_look(struct cpu *cpu)
{
    for (unsigned pin = 0; pin < PINS; pin++) {
        look(cpu, pin);
    }
}

void apic_pins_eoi(struct cpu *cpu, uint8_t vector)
{
    for (unsigned pin = 0; pin < PINS; pin++) {
        uint32_t *lvt = lvt_of(cpu->apic, pin);
        if (*lvt & LVT_REMOTE_IRR && (uint8_t)*lvt == vector) {
            *lvt &= ~LVT_REMOTE_IRR;
            look(cpu, pin);
        }
    }
}
