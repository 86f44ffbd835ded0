/* The VMX-preemption timer (SDM Vol 3C "VMX-Preemption Timer"): counts down whenever bit
 * VMX_TIMER_SHIFT of the TSC changes, unaffected by TSC offsetting.  It is not a counter here but a TSC
 * value at which it reaches 0.  A running processor asks vmx_next_due(); for a halted one an event of the
 * machine's queue is armed as well, so that idle time ends there. */
#include "sim/machine.h"
#include "sim/vtx/vmx/vmx_priv.h"

static bool
active(const struct cpu *cpu)
{
    return cpu->nonroot && (cpu->vmx->guest.pin & VMX_PIN_PREEMPTION_TIMER);
}

static uint64_t
timer_tsc(const struct cpu *cpu) /* the TSC as it would be had the guest not written it */
{
    return cpu->now + cpu->vmx->guest.timer_tsc_offset;
}

static void
fire(void *ctx, uint64_t now)
{
    (void)now;
    vmx_attend(ctx);
}

void
vmx_timer_init(struct cpu *cpu)
{
    event_init(&cpu->vmx->timer, fire, cpu);
}

void
vmx_timer_start(struct cpu *cpu, const struct vmcs *v)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    if (!active(cpu)) {
        return;
    }
    g->timer_tsc_offset = cpu->msr.tsc_offset;
    g->timer_end = ((timer_tsc(cpu) >> VMX_TIMER_SHIFT) + v->preemption_timer) << VMX_TIMER_SHIFT;
    if (vmx_next_due(cpu) != EVENT_NEVER) {
        event_arm(cpu->machine->events, &cpu->vmx->timer, vmx_next_due(cpu));
    }
}

void
vmx_timer_stop(struct cpu *cpu)
{
    if (event_is_armed(&cpu->vmx->timer)) {
        event_cancel(cpu->machine->events, &cpu->vmx->timer);
    }
}

bool
vmx_timer_expired(const struct cpu *cpu)
{
    return active(cpu) && vmx_timer_value(cpu) == 0;
}

uint32_t
vmx_timer_value(const struct cpu *cpu)
{
    uint64_t end = cpu->vmx->guest.timer_end >> VMX_TIMER_SHIFT, now = timer_tsc(cpu) >> VMX_TIMER_SHIFT;
    return end > now ? (uint32_t)(end - now) : 0;
}

uint64_t
vmx_next_due(const struct cpu *cpu)
{
    if (!active(cpu) || cpu->activity == WAIT_SIPI) { /* an expiry there is latched, without exit */
        return EVENT_NEVER;
    }
    uint64_t due = cpu->vmx->guest.timer_end - cpu->vmx->guest.timer_tsc_offset;
    return vmx_timer_expired(cpu) ? cpu->now : due;
}
