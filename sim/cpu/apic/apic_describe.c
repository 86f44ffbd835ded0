/* The local APIC as text, for debuggers.  Changes nothing: registers are not read the way software does. */
#include <inttypes.h>

#include "sim/cpu/apic/apic_priv.h"

static void describe_set(FILE *out, const char *name, const uint32_t set[8])
{
    fprintf(out, "  %s", name);
    for (unsigned vector = 0; vector < 256; vector++) {
        if (set[vector / 32] >> vector % 32 & 1) {
            fprintf(out, " %02x", vector);
        }
    }
    fputc('\n', out);
}

void apic_describe(const struct cpu *cpu, FILE *out)
{
    static const char *const name[LVT_COUNT] = { "timer", "thermal", "perf", "LINT0", "LINT1", "error" };
    static const char *const timer[4] = { "one-shot", "periodic", "TSC deadline", "(reserved)" };
    const struct apic *a = cpu->apic;

    fprintf(out, "cpu%u id %x at %" PRIx64 " %s%s, software %s, TPR %02x PPR %02x ESR %02x\n", cpu->index, apic_id(cpu),
            (uint64_t)(cpu->msr.apic_base & ~0xfffull), !apic_is_enabled(cpu) ? "disabled" : apic_is_x2(cpu) ? "x2APIC" : "xAPIC",
            cpu->msr.apic_base & APIC_BASE_BSP ? ", bootstrap processor" : "", a->svr & SVR_ENABLE ? "enabled" : "disabled", a->tpr & 0xff,
            apic_ppr(cpu), a->esr);
    for (unsigned i = 0; i < LVT_COUNT; i++) {
        fprintf(out, "  LVT %-8s %08x vector %02x%s\n", name[i], a->lvt[i], a->lvt[i] & 0xff, a->lvt[i] & LVT_MASKED ? " masked" : "");
    }
    fprintf(out, "  timer %s, initial count %u, divide register %x, deadline %" PRIx64 "\n", timer[a->lvt[LVT_TIMER] >> 17 & 3],
            a->timer_initial, a->timer_divide, apic_deadline_read(cpu));
    describe_set(out, "requested (IRR):", a->irr);
    describe_set(out, "in service (ISR):", a->isr);
}
