/* Exceptions and external events of a running guest: which of them exit, and in what order
 * (SDM Vol 3C "Other Causes of VM Exits", "Event Blocking", "Special Features of VM Entry").
 *
 * Choices that the manual leaves open: an external interrupt does not exit inside the STI or
 * MOV SS shadow (it does right after); an NMI-window exit does not look at the STI shadow. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/event.h"
#include "sim/machine.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

/* --- exceptions ------------------------------------------------------------------ */

static bool
intercepts_exception(const struct vmcs *v, const struct fault *f)
{
    bool bit = v->exception_bitmap >> f->vector & 1;
    if (f->vector != X_PF) {
        return bit;
    }
    return bit == ((f->error & v->pf_error_mask) == v->pf_error_match);
}

static struct vmx_vectoring
describe(const struct cpu *cpu, const struct fault *f)
{
    bool error = f->has_error && (cpu->cr0 & CR0_PE); /* never in real mode */
    return (struct vmx_vectoring){
        .info = VMX_EVENT_VALID | (uint32_t)f->int_type << VMX_EVENT_TYPE_SHIFT | f->vector |
                (error ? VMX_EVENT_ERROR : 0),
        .error = error ? f->error : 0,
        .length = f->software ? f->length : 0,
    };
}

/* Exceptions that leave RF = 1 in the saved image: faults, but not #DB. */
static bool
is_fault_class(const struct fault *f)
{
    return !f->software && f->vector != X_DB && f->vector != X_DF && f->vector != X_MC;
}

enum exec_result
vmx_exception(struct cpu *cpu, const struct fault *f, const struct fault *nested)
{
    if (!intercepts_exception(cpu->vmx->current, f)) {
        return EXEC_OK;
    }
    struct vmx_vectoring event = describe(cpu, f);
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_EXCEPTION_NMI,
        .qualification = (f->vector == X_PF || f->vector == X_DB) && !f->software ? f->address : 0,
        .length = event.length,
        .event = event.info,
        .event_error = event.error,
        .resume_flag = is_fault_class(f),
        .vectored = nested != NULL,
    };
    if (nested) {
        cpu->vmx->guest.vectoring = describe(cpu, nested);
    }
    return vmx_exit(cpu, &x);
}

void
vmx_vectoring(struct cpu *cpu, const struct fault *f, bool external, bool begin)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    (void)external; /* f->int_type says it */
    if (!begin) {
        memset(&g->vectoring, 0, sizeof g->vectoring);
        return;
    }
    g->vectoring = describe(cpu, f);
    if (g->injecting) { /* an injected #DB leaves DR7.GD alone */
        cpu->dr7 = g->saved_dr7;
        g->injecting = false;
    }
    /* Delivering an event takes the place of an instruction for the monitor trap flag. */
    g->mtf_pending |= (g->primary & VMX_PRIMARY_MONITOR_TRAP_FLAG) != 0;
}

/* --- between instructions ------------------------------------------------------------ */

static bool
shadowed(const struct cpu *cpu)
{
    return cpu->shadow_sti || cpu->shadow_movss;
}

static enum exec_result
exit_event(struct cpu *cpu, enum vmx_exit_reason reason)
{
    struct vmx_exit x = { .reason = (uint32_t)reason };
    return vmx_exit(cpu, &x);
}

static enum exec_result
exit_trap(struct cpu *cpu, uint32_t reason, uint64_t qualification)
{
    struct vmx_exit x = { .reason = reason, .qualification = qualification, .keeps_pending_debug = true };
    return vmx_exit(cpu, &x);
}

/* The first boundary is the one at VM entry, where VMLAUNCH or VMRESUME itself has just been
 * counted: watching begins there. */
static bool
monitor_trap(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    bool retired = g->mtf_watching && cpu->instructions != g->mtf_instructions;
    if (!g->mtf_watching) {
        g->mtf_watching = g->primary & VMX_PRIMARY_MONITOR_TRAP_FLAG;
        g->mtf_instructions = cpu->instructions;
    }
    return cpu->activity <= HALTED && (g->mtf_pending || retired);
}

static bool
nmi_window(const struct cpu *cpu)
{
    return (cpu->vmx->guest.primary & VMX_PRIMARY_NMI_WINDOW) && !cpu->nmi_blocked && !cpu->shadow_movss;
}

static bool
interrupt_window(const struct cpu *cpu)
{
    return (cpu->vmx->guest.primary & VMX_PRIMARY_INTERRUPT_WINDOW) && (cpu->rflags_rest & RFLAGS_IF) &&
           !shadowed(cpu) && cpu->activity <= HALTED;
}

/* With virtual NMIs physical ones are never blocked in non-root operation, MOV SS apart. */
static bool
nmi_exits(const struct cpu *cpu)
{
    const struct vmx_guest *g = &cpu->vmx->guest;
    bool blocked = !(g->pin & VMX_PIN_VIRTUAL_NMIS) && (cpu->nmi_blocked || g->nmi_sticky);
    return (g->pin & VMX_PIN_NMI) && !blocked && !cpu->shadow_movss;
}

static enum exec_result
exit_nmi(struct cpu *cpu)
{
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_EXCEPTION_NMI,
        .event = VMX_EVENT_VALID | VMX_EVENT_NMI << VMX_EVENT_TYPE_SHIFT | X_NMI,
        .blocks_nmi = true,
    };
    cpu->attention &= ~(uint32_t)ATTN_NMI;
    return vmx_exit(cpu, &x);
}

static enum exec_result
exit_interrupt(struct cpu *cpu)
{
    struct vmx_exit x = { .reason = VMX_EXIT_REASON_EXTERNAL_INTERRUPT };
    if (cpu->vmx->guest.exit & VMX_EXIT_ACK_INTERRUPT) {
        x.event = VMX_EVENT_VALID | VMX_EVENT_EXTERNAL << VMX_EVENT_TYPE_SHIFT | apic_acknowledge(cpu);
    }
    return vmx_exit(cpu, &x);
}

bool
vmx_needs_attention(const struct cpu *cpu)
{
    const struct vmx_guest *g = &cpu->vmx->guest;
    uint32_t watched = VMX_PRIMARY_MONITOR_TRAP_FLAG | VMX_PRIMARY_NMI_WINDOW | VMX_PRIMARY_INTERRUPT_WINDOW;
    return g->trap_reason || g->mtf_pending || g->virtual_interrupt || (g->primary & watched) ||
           vmx_timer_expired(cpu);
}

/* Highest priority first. */
static enum exec_result
take_first(struct cpu *cpu, bool interrupt, bool nmi)
{
    const struct vmx_guest *g = &cpu->vmx->guest;
    if (g->trap_reason) {
        return exit_trap(cpu, g->trap_reason, g->trap_qualification);
    }
    if (monitor_trap(cpu)) {
        return exit_trap(cpu, VMX_EXIT_REASON_MONITOR_TRAP_FLAG, 0);
    }
    if (cpu->pending_db && !cpu->shadow_movss) {
        return EXEC_OK; /* debug traps come next: the core delivers them */
    }
    if (vmx_timer_expired(cpu)) {
        return exit_event(cpu, VMX_EXIT_REASON_PREEMPTION_TIMER);
    }
    if (nmi_window(cpu)) {
        return exit_event(cpu, VMX_EXIT_REASON_NMI_WINDOW);
    }
    if (nmi && nmi_exits(cpu)) {
        return exit_nmi(cpu);
    }
    if (interrupt_window(cpu)) {
        return exit_event(cpu, VMX_EXIT_REASON_INTERRUPT_WINDOW);
    }
    if (vmx_apic_deliverable(cpu)) {
        return vmx_apic_deliver(cpu);
    }
    if (interrupt && (g->pin & VMX_PIN_EXTERNAL_INTERRUPT) && !shadowed(cpu) && cpu->activity <= HALTED) {
        return exit_interrupt(cpu);
    }
    return EXEC_OK;
}

enum exec_result
vmx_pending(struct cpu *cpu, bool interrupt, bool nmi)
{
    enum exec_result result = cpu->activity == WAIT_SIPI ? EXEC_OK : take_first(cpu, interrupt, nmi);
    /* While halted nothing of ours changes by itself: NMIs, interrupts and next_due wake it. */
    if (cpu->nonroot && cpu->activity == ACTIVE && vmx_needs_attention(cpu)) {
        vmx_attend(cpu);
    }
    return result;
}
