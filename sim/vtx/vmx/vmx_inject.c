/* SDM Vol 3C "Event Injection": the last step of VM entry, inside the guest.
 *
 * The injected event itself is never intercepted; faults met while delivering it are, and
 * they report it as IDT-vectoring information.  It does not touch CR2, DR6 or DR7. */
#include "sim/cpu/event/event.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

static struct fault
event_of(const struct cpu *cpu, const struct vmcs *v)
{
    uint32_t info = (uint32_t)v->entry_interruption_info;
    unsigned type = info >> VMX_EVENT_TYPE_SHIFT & 7;
    bool software = type == VMX_EVENT_SOFTWARE_INT || type == VMX_EVENT_PRIVILEGED || type == VMX_EVENT_SOFTWARE_EXC;
    struct fault event = {
        .vector = (uint8_t)info,
        .has_error = info & VMX_EVENT_ERROR,
        .software = software,
        .int_type = (uint8_t)type, /* struct fault uses the same numbers */
        .error = info & VMX_EVENT_ERROR ? (uint32_t)v->entry_exception_error : 0,
        .length = software ? (uint8_t)v->entry_instruction_length : 0,
    };
    /* What delivery writes into CR2 or DR6 is what is there. */
    if (event.vector == X_PF) {
        event.address = cpu->cr2;
    } else if (event.vector == X_DB) {
        event.address = cpu->dr6 & 0xf;
    }
    return event;
}

enum exec_result
vmx_inject(struct cpu *cpu)
{
    struct vmx_guest *g = &cpu->vmx->guest;
    const struct vmcs *v = cpu->vmx->current;
    uint32_t info = (uint32_t)v->entry_interruption_info;
    unsigned type = info >> VMX_EVENT_TYPE_SHIFT & 7;
    if (!(info & VMX_EVENT_VALID)) {
        return EXEC_JUMP;
    }
    if (type == VMX_EVENT_OTHER) { /* vector 0: an MTF VM exit is pending */
        g->mtf_pending = true;
        return EXEC_JUMP;
    }
    struct fault event = event_of(cpu, v);
    if (type == VMX_EVENT_NMI) { /* physical or virtual blocking, by "virtual NMIs" */
        cpu->nmi_blocked = true;
        g->nmi_sticky = (g->pin & VMX_PIN_NMI) && !(g->pin & VMX_PIN_VIRTUAL_NMIS);
    }
    g->injecting = true;
    g->saved_dr7 = cpu->dr7;
    enum exec_result result = cpu_deliver_event(cpu, &event, type == VMX_EVENT_EXTERNAL || type == VMX_EVENT_NMI);
    if (cpu->nonroot) {
        g->injecting = false;
        g->mtf_pending = g->primary & VMX_PRIMARY_MONITOR_TRAP_FLAG;
    }
    return result;
}
