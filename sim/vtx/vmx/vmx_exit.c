/* VM exits: recording why, saving the guest, loading the host (SDM Vol 3C "VM Exits").
 *
 * Order of the manual: exit information, guest state, MSR-store list, host state,
 * MSR-load list.  A failure after the first change is a VMX abort: the indicator is
 * written at offset 4 of the VMCS and the processor shuts down, which stops the
 * machine with a message. */
#include <inttypes.h>
#include <string.h>

#include "sim/base/trace.h"
#include "sim/cpu/event/event.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

enum { HOST_FIELDS = 24 }; /* in the host-state area, PAT and EFER apart */
enum vmx_abort { ABORT_STORE_MSR = 1, ABORT_HOST_PDPTE = 2, ABORT_LOAD_MSR = 4 };

static const char *
abort_text(enum vmx_abort code)
{
    switch (code) {
    case ABORT_STORE_MSR: return "saving guest MSRs failed (VM-exit MSR-store list)";
    case ABORT_HOST_PDPTE: return "host page-directory-pointer-table entries are invalid";
    case ABORT_LOAD_MSR: return "loading host MSRs failed (VM-exit MSR-load list)";
    }
    return "?";
}

/* SDM "VMX Aborts". */
static void
vmx_abort(struct cpu *cpu, struct vmcs *v, enum vmx_abort code)
{
    v->abort = (uint32_t)code;
    cpu->activity = SHUTDOWN;
    machine_request_stop(cpu->machine, STOP_TRIPLE_FAULT, cpu->index,
                         "cpu%u: VMX abort %d: %s; VMCS %#" PRIx64 ", exit reason %#" PRIx64, cpu->index, (int)code,
                         abort_text(code), cpu->vmx->address, v->exit_reason);
}

static void
record(struct cpu *cpu, struct vmcs *v, const struct vmx_exit *x)
{
    const struct vmx_vectoring *vectoring = &cpu->vmx->guest.vectoring;
    bool during_event = x->vectored && vectoring->info;
    v->exit_reason = x->reason;
    v->exit_qualification = x->qualification;
    v->exit_interruption_info = x->event;
    v->exit_interruption_error = x->event_error;
    v->idt_vectoring_info = during_event ? vectoring->info : 0;
    v->idt_vectoring_error = during_event ? vectoring->error : 0;
    v->exit_instruction_length = x->length;
    if (during_event && vectoring->length) {
        v->exit_instruction_length = vectoring->length;
    }
    v->exit_instruction_info = x->information;
    v->guest_linear_address = x->linear;
    v->guest_physical_address = x->physical;
    v->entry_interruption_info &= ~(uint64_t)VMX_EVENT_VALID;
    /* IA32_VMX_MISC[5]: EFER.LMA goes into "IA-32e mode guest". */
    v->entry_controls &= ~(uint64_t)VMX_ENTRY_GUEST_64;
    if (cpu->efer & EFER_LMA) {
        v->entry_controls |= VMX_ENTRY_GUEST_64;
    }
}

/* From guest state in struct cpu to the host of 'v'; common to exits and to entry failures. */
static void
enter_root(struct cpu *cpu, struct vmcs *v)
{
    struct vmx *vmx = cpu->vmx;
    enum vmx_rule rule;
    vmx_timer_stop(cpu);
    memset(&vmx->guest, 0, sizeof vmx->guest);
    cpu->single_step = false;
    if (!vmx_load_host(cpu, v)) {
        vmx_abort(cpu, v, ABORT_HOST_PDPTE);
    } else if (vmx_msr_load(cpu, v->exit_msr_load_address, (uint32_t)v->exit_msr_load_count, &rule)) {
        vmx_abort(cpu, v, ABORT_LOAD_MSR);
    }
    vmx_flush_transition(cpu);
    cpu_update_mode(cpu);
    mmu_vtx_switched(cpu);
    cpu_event_recheck(cpu);
}

/* A transition costs its base, every field it moves, and every MSR of its lists. */
static void
charge(struct cpu *cpu, const struct vmcs *v, unsigned fields, unsigned stored)
{
    time_charge(cpu, CHARGE_VM_EXIT, fields);
    time_charge(cpu, CHARGE_VM_MSR, stored + (unsigned)v->exit_msr_load_count);
}

enum exec_result
vmx_exit(struct cpu *cpu, const struct vmx_exit *x)
{
    struct vmx *vmx = cpu->vmx;
    struct vmcs *v = vmx->current;
    TRACE(cpu->machine, cpu->now, TRACE_VM_EXIT, cpu->index, x->reason, x->qualification, cpu->rip);
    vmx->exits[x->reason]++;
    record(cpu, v, x);
    unsigned fields = vmx_save_guest(cpu, v, x);
    bool physical_nmi_blocked = x->blocks_nmi || (!(vmx->guest.pin & VMX_PIN_VIRTUAL_NMIS) &&
                                                  (cpu->nmi_blocked || vmx->guest.nmi_sticky));
    cpu->nonroot = false;
    cpu->vtx_tsc_offset = 0; /* the MSR-store list sees the real TSC */
    cpu->nmi_blocked = physical_nmi_blocked;
    if (!vmx_msr_store(cpu, v->exit_msr_store_address, (uint32_t)v->exit_msr_store_count)) {
        vmx_abort(cpu, v, ABORT_STORE_MSR);
        return EXEC_VMEXIT;
    }
    enter_root(cpu, v);
    charge(cpu, v, fields + HOST_FIELDS, (unsigned)v->exit_msr_store_count);
    return EXEC_VMEXIT;
}

enum exec_result
vmx_exit_insn(struct cpu *cpu, enum vmx_exit_reason reason, const struct sys_insn *insn, uint64_t qualification)
{
    struct vmx_exit x = {
        .reason = (uint32_t)reason, .qualification = qualification, .length = insn ? insn->length : 0,
    };
    return vmx_exit(cpu, &x);
}

enum exec_result
vmx_exit_operand(struct cpu *cpu, enum vmx_exit_reason reason, const struct sys_insn *insn, uint32_t information)
{
    struct vmx_exit x = {
        .reason = (uint32_t)reason, .qualification = vmx_displacement(cpu, insn), .length = insn->length,
        .information = information,
    };
    return vmx_exit(cpu, &x);
}

/* SDM "VM-Entry Failures During or After Loading Guest State": only reason and
 * qualification are written; no guest state is saved, no MSRs are stored. */
enum exec_result
vmx_exit_entry_failure(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
    struct vmcs *v = cpu->vmx->current;
    v->exit_reason = (uint32_t)reason | VMX_EXIT_ENTRY_FAILURE;
    v->exit_qualification = qualification;
    TRACE(cpu->machine, cpu->now, TRACE_VM_EXIT, cpu->index, v->exit_reason, qualification, v->guest_rip);
    cpu->vmx->exits[reason]++;
    cpu->nonroot = false;
    cpu->vtx_tsc_offset = 0;
    enter_root(cpu, v);
    charge(cpu, v, HOST_FIELDS, 0);
    return EXEC_VMEXIT;
}
