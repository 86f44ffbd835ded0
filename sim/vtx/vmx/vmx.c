/* Life, state and the contract's table of Intel VMX. */
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

static bool
vmx_cpu_new(struct cpu *cpu)
{
    cpu->vmx = calloc(1, sizeof *cpu->vmx);
    if (!cpu->vmx) {
        return false;
    }
    vmx_caps_init(&cpu->vmx->caps, cpu);
    cpu->vmx->vmxon = VMCS_NONE;
    cpu->vmx->address = VMCS_NONE;
    vmx_timer_init(cpu);
    return true;
}

static void
vmx_cpu_free(struct cpu *cpu)
{
    vmx_timer_stop(cpu);
    free(cpu->vmx);
    cpu->vmx = NULL;
}

/* RESET and INIT leave VMX operation.  (INIT never gets here inside it.) */
static void
vmx_cpu_reset(struct cpu *cpu, bool init)
{
    struct vmx *vmx = cpu->vmx;
    (void)init;
    vmx_timer_stop(cpu);
    cpu->single_step = false;
    memset(&vmx->guest, 0, sizeof vmx->guest);
    vmx->vmxon = VMCS_NONE;
    vmx->address = VMCS_NONE;
    vmx->current = NULL;
    cpu->vtx_on = false;
    cpu->nonroot = false;
    cpu->vtx_tsc_offset = 0;
}

static void
guest_state(struct vmx_guest *g, struct state *s)
{
    STATE_VISIT(s, g->pin);
    STATE_VISIT(s, g->primary);
    STATE_VISIT(s, g->secondary);
    STATE_VISIT(s, g->exit);
    STATE_VISIT(s, g->entry);
    STATE_VISIT(s, g->eptp);
    STATE_VISIT(s, g->vpid);
    STATE_VISIT(s, g->trap_reason);
    STATE_VISIT(s, g->trap_qualification);
    STATE_VISIT(s, g->timer_end);
    STATE_VISIT(s, g->timer_tsc_offset);
    STATE_VISIT(s, g->mtf_instructions);
    STATE_VISIT(s, g->ple_first);
    STATE_VISIT(s, g->ple_last);
    STATE_VISIT(s, g->mtf_pending);
    STATE_VISIT(s, g->mtf_watching);
    STATE_VISIT(s, g->ple_seen);
    STATE_VISIT(s, g->nmi_sticky);
    STATE_VISIT(s, g->virtual_interrupt);
    STATE_VISIT(s, g->rvi);
    STATE_VISIT(s, g->svi);
    /* 'injecting', 'vectoring' and 'saved_dr7' live inside one instruction. */
}

static void
vmx_cpu_state(struct cpu *cpu, struct state *s)
{
    struct vmx *vmx = cpu->vmx;
    STATE_VISIT(s, vmx->vmxon);
    STATE_VISIT(s, vmx->address);
    STATE_VISIT(s, vmx->epoch);
    STATE_VISIT(s, vmx->last_failed_rule);
    STATE_VISIT(s, vmx->last_msr_entry);
    guest_state(&vmx->guest, s);
    event_state(cpu->machine->events, &vmx->timer, s);
    /* 'current' is written through at any time: to the memory, behind every hash, its page is one that was written. */
    uint8_t *region = vmx->address == VMCS_NONE ? NULL : mem_ram_write(cpu->machine->mem, vmx->address);
    if (state_is_load(s)) {
        if (vmx->address != VMCS_NONE && (!region || vmx->address & 0xfff)) {
            state_fail(s, "cpu%u: the current VMCS is not in memory", cpu->index);
            vmx->address = VMCS_NONE;
            region = NULL;
        }
        vmx->current = (struct vmcs *)(void *)region;
        vmx->guest.injecting = false;
        cpu->single_step = vmx->guest.primary & VMX_PRIMARY_MONITOR_TRAP_FLAG;
        memset(&vmx->guest.vectoring, 0, sizeof vmx->guest.vectoring);
    }
}

static enum exec_result
vmx_rdmsr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    return vmx_caps_rdmsr(&cpu->vmx->caps, index, value) ? EXEC_OK : EXEC_FAULT;
}

/* SDM Vol 3C "Restrictions on VMX Operation": fixed bits hold in root and non-root operation; an
 * unrestricted guest is free in PE and PG. */
static bool
vmx_cr_allowed(const struct cpu *cpu, unsigned cr, uint64_t value)
{
    const struct vmx_caps *caps = &cpu->vmx->caps;
    if (!cpu->vtx_on || (cr != 0 && cr != 4)) {
        return true;
    }
    uint64_t must = cr == 0 ? caps->cr0_fixed0 : caps->cr4_fixed0;
    uint64_t may = cr == 0 ? caps->cr0_fixed1 : caps->cr4_fixed1;
    if (cr == 0 && cpu->nonroot && (cpu->vmx->guest.secondary & VMX_SECONDARY_UNRESTRICTED_GUEST)) {
        must &= ~(CR0_PE | CR0_PG);
    }
    return (value & must) == must && !(value & ~may);
}

/* "Virtualize APIC accesses" is not offered: no page is special. */
static bool
vmx_is_apic_access(const struct cpu *cpu, uint64_t spa)
{
    (void)cpu, (void)spa;
    return false;
}

const struct vtx_ops vmx_ops = {
    .name = "VT-x",
    .cpu_new = vmx_cpu_new,
    .cpu_free = vmx_cpu_free,
    .cpu_reset = vmx_cpu_reset,
    .cpu_state = vmx_cpu_state,
    .execute = vmx_execute,
    .intercept = vmx_intercept,
    .exception = vmx_exception,
    .pending = vmx_pending,
    .vectoring = vmx_vectoring,
    .second_level = vmx_second_level,
    .translate = vmx_translate,
    .translate_peek = vmx_translate_peek,
    .vpid = vmx_vpid,
    .eptp = vmx_eptp,
    .rdmsr = vmx_rdmsr,
    .cr_allowed = vmx_cr_allowed,
    .virtual_apic_msr = vmx_virtual_apic_msr,
    .next_due = vmx_next_due,
    .is_apic_access = vmx_is_apic_access,
};
