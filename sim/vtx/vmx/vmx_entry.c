/* VMLAUNCH and VMRESUME: the stages of VM entry in order (SDM Vol 3C "VM Entries"). */
#include <string.h>

#include "sim/base/trace.h"
#include "sim/cpu/event/event.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"

/* SDM "Basic VM-Entry Checks", after those common to all VMX instructions. */
static enum vmx_rule
check_basic(const struct cpu *cpu, bool launch)
{
    const struct vmx *vmx = cpu->vmx;
    const struct vmcs *v = vmx->current;
    REQUIRE(ENTRY_PRE_NO_VMCS, v != NULL);
    REQUIRE(ENTRY_PRE_MOVSS, !cpu->shadow_movss);
    if (launch) {
        REQUIRE(ENTRY_PRE_NOT_CLEAR, v->launch_state == VMCS_CLEAR);
    } else {
        REQUIRE(ENTRY_PRE_NOT_LAUNCHED, v->launch_state == VMCS_LAUNCHED && v->launch_cpu == cpu->index);
        REQUIRE(ENTRY_PRE_AFTER_VMXOFF, v->launch_epoch == vmx->epoch);
    }
    return VMX_RULE_NONE;
}

/* Keeps and traces the broken rule. */
static void
note(struct cpu *cpu, enum vmx_rule rule, uint32_t msr_entry)
{
    const struct vmx_rule_info *info = vmx_rule_info(rule);
    cpu->vmx->last_failed_rule = (uint32_t)rule;
    cpu->vmx->last_msr_entry = msr_entry;
    TRACE(cpu->machine, cpu->now, TRACE_ENTRY_FAIL, cpu->index, rule, info->number, msr_entry);
}

static enum exec_result
refuse(struct cpu *cpu, enum vmx_rule rule)
{
    const struct vmx_rule_info *info = vmx_rule_info(rule);
    note(cpu, rule, 0);
    switch (info->kind) {
    case VMX_FAIL_INVALID: return vmx_fail_invalid(cpu);
    case VMX_FAIL_VALID: return vmx_fail(cpu, (enum vmx_error)info->number);
    case VMX_FAIL_GUEST: return vmx_exit_entry_failure(cpu, VMX_EXIT_REASON_FAIL_GUEST_STATE, info->number);
    case VMX_FAIL_MSR: break; /* has its position: see load_msrs */
    }
    return EXEC_VMEXIT;
}

static enum vmx_rule
check(const struct cpu *cpu, bool launch)
{
    struct vmx_entry_context c = {
        .caps = &cpu->vmx->caps, .vmcs = cpu->vmx->current, .mem = cpu->machine->mem,
        .address = cpu->vmx->address, .lma = cpu->efer & EFER_LMA,
    };
    REQUIRE_ALL(check_basic(cpu, launch));
    REQUIRE_ALL(vmx_check_controls(&c));
    REQUIRE_ALL(vmx_check_host(&c));
    return vmx_check_guest(&c);
}

/* Copies what acts while the guest runs. */
static void
begin_guest(struct cpu *cpu, const struct vmcs *v)
{
    uint32_t secondary = vmcs_secondary(v);
    cpu->vmx->guest = (struct vmx_guest){
        .pin = (uint32_t)v->pin_controls,
        .primary = (uint32_t)v->primary_controls,
        .secondary = secondary,
        .exit = (uint32_t)v->exit_controls,
        .entry = (uint32_t)v->entry_controls,
        .eptp = secondary & VMX_SECONDARY_EPT ? v->ept_pointer : 0,
        .vpid = secondary & VMX_SECONDARY_VPID ? (uint16_t)v->vpid : 0,
    };
    bool offset = (v->primary_controls & VMX_PRIMARY_TSC_OFFSETTING);
    cpu->vtx_tsc_offset = offset ? v->tsc_offset : 0;
    cpu->single_step = v->primary_controls & VMX_PRIMARY_MONITOR_TRAP_FLAG;
}

/* What must hold before the guest's first instruction, in the order of "Special Features of VM Entry". */
static enum exec_result
settle(struct cpu *cpu)
{
    enum exec_result result = vmx_inject(cpu);
    if (result != EXEC_JUMP) {
        return result;
    }
    vmx_apic_entered(cpu);
    if (cpu->pending_db) {
        cpu_attend(cpu, ATTN_DB);
    }
    if (cpu->shadow_sti || cpu->shadow_movss) {
        cpu_attend(cpu, ATTN_SHADOW);
    }
    if (vmx_needs_attention(cpu)) {
        vmx_attend(cpu);
    }
    cpu_event_recheck(cpu);
    return EXEC_JUMP;
}

enum exec_result
vmx_enter(struct cpu *cpu, bool launch)
{
    struct vmx *vmx = cpu->vmx;
    struct vmcs *v = vmx->current;
    enum vmx_rule rule = check(cpu, launch);
    if (rule) {
        return refuse(cpu, rule);
    }
    begin_guest(cpu, v);
    unsigned fields = vmx_load_guest(cpu, v);
    vmx_flush_transition(cpu);
    cpu->nonroot = true;
    cpu_update_mode(cpu);
    mmu_vtx_switched(cpu);
    uint32_t bad = vmx_msr_load(cpu, v->entry_msr_load_address, (uint32_t)v->entry_msr_load_count, &rule);
    if (bad) {
        note(cpu, rule, bad);
        return vmx_exit_entry_failure(cpu, VMX_EXIT_REASON_FAIL_MSR_LOADING, bad);
    }
    v->launch_state = VMCS_LAUNCHED;
    v->launch_cpu = cpu->index;
    v->launch_epoch = vmx->epoch;
    TRACE(cpu->machine, cpu->now, TRACE_VM_ENTRY, cpu->index, v->guest_rip, vmx->guest.vpid, 0);
    time_charge(cpu, CHARGE_VM_ENTRY, fields);
    time_charge(cpu, CHARGE_VM_MSR, (unsigned)v->entry_msr_load_count);
    vmx_timer_start(cpu, v);
    return settle(cpu);
}
