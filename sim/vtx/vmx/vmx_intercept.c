/* Which instructions exit (SDM Vol 3C "Instructions That Cause VM Exits").  The caller has done
 * the checks that come before the exit ("Relative Priority of Faults and VM Exits"). */
#include "sim/machine.h"
#include "sim/vtx/vmx/vmx_priv.h"
#include "spec/x86/system.h"
#include "x86/opcodes.h"

static uint32_t
primary(const struct cpu *cpu)
{
    return cpu->vmx->guest.primary;
}

static uint32_t
secondary(const struct cpu *cpu)
{
    return cpu->vmx->guest.secondary;
}

/* Fault-like exit without qualification, if 'exits'. */
static enum exec_result
exit_if(struct cpu *cpu, bool exits, enum vmx_exit_reason reason, const struct vtx_event *ev)
{
    return exits ? vmx_exit_insn(cpu, reason, ev->insn, 0) : EXEC_OK;
}

/* Address of INVLPG's operand: also from an unusable segment. */
static uint64_t
operand_linear(const struct cpu *cpu, const struct sys_insn *insn)
{
    bool has_base = !vmx_in_64bit_mode(cpu) || insn->segment == FS || insn->segment == GS;
    uint64_t linear = insn->ea + (has_base ? cpu->seg[insn->segment].base : 0);
    return vmx_in_64bit_mode(cpu) ? linear : (uint32_t)linear;
}

static enum exec_result
intercept_invlpg(struct cpu *cpu, const struct vtx_event *ev)
{
    if (!(primary(cpu) & VMX_PRIMARY_INVLPG)) {
        return EXEC_OK;
    }
    return vmx_exit_insn(cpu, VMX_EXIT_REASON_INVLPG, ev->insn, operand_linear(cpu, ev->insn));
}

static enum exec_result
intercept_invpcid(struct cpu *cpu, const struct vtx_event *ev)
{
    if (!(secondary(cpu) & VMX_SECONDARY_INVPCID)) {
        return cpu_raise(cpu, X_UD);
    }
    if (!(primary(cpu) & VMX_PRIMARY_INVLPG)) {
        return EXEC_OK;
    }
    return vmx_exit_operand(cpu, VMX_EXIT_REASON_INVPCID, ev->insn, vmx_info_invalidate(ev->insn));
}

static enum exec_result
intercept_rdtscp(struct cpu *cpu, const struct vtx_event *ev)
{
    if (!(secondary(cpu) & VMX_SECONDARY_RDTSCP)) {
        return cpu_raise(cpu, X_UD);
    }
    return exit_if(cpu, primary(cpu) & VMX_PRIMARY_RDTSC, VMX_EXIT_REASON_RDTSCP, ev);
}

static enum exec_result
intercept_gdtr_idtr(struct cpu *cpu, const struct vtx_event *ev)
{
    static const uint16_t order[] = { OP_SGDT, OP_SIDT, OP_LGDT, OP_LIDT };
    unsigned which = 0;
    if (!(secondary(cpu) & VMX_SECONDARY_DESCRIPTOR_TABLE)) {
        return EXEC_OK;
    }
    while (which < 3 && order[which] != ev->insn->op) {
        which++;
    }
    return vmx_exit_operand(cpu, VMX_EXIT_REASON_GDTR_IDTR, ev->insn, vmx_info_gdtr(cpu, ev->insn, which));
}

static enum exec_result
intercept_ldtr_tr(struct cpu *cpu, const struct vtx_event *ev)
{
    static const uint16_t order[] = { OP_SLDT, OP_STR, OP_LLDT, OP_LTR };
    unsigned which = 0;
    if (!(secondary(cpu) & VMX_SECONDARY_DESCRIPTOR_TABLE)) {
        return EXEC_OK;
    }
    while (which < 3 && order[which] != ev->insn->op) {
        which++;
    }
    return vmx_exit_operand(cpu, VMX_EXIT_REASON_LDTR_TR, ev->insn, vmx_info_ldtr(ev->insn, which));
}

/* 2:0 register, 4 MOV from DR, 11:8 general register. */
static enum exec_result
intercept_dr(struct cpu *cpu, const struct vtx_event *ev)
{
    if (!(primary(cpu) & VMX_PRIMARY_MOV_DR)) {
        return EXEC_OK;
    }
    uint64_t qualification = (ev->number & 7) | (ev->write ? 0 : 1u << 4) | (uint64_t)ev->gpr << 8;
    return vmx_exit_insn(cpu, VMX_EXIT_REASON_MOV_DR, ev->insn, qualification);
}

/* SDM "Exit Qualification for Task Switches": 15:0 selector, 31:30 source. */
static enum exec_result
intercept_task_switch(struct cpu *cpu, const struct vtx_event *ev)
{
    struct vmx_exit x = {
        .reason = VMX_EXIT_REASON_TASK_SWITCH,
        .qualification = (ev->number & 0xffff) | (ev->value & 3) << 30,
        .length = ev->insn ? ev->insn->length : 0,
        .vectored = true,
    };
    return vmx_exit(cpu, &x);
}

/* Signals: INIT keeps pending debug exceptions; a triple fault is not "during event delivery". */
static enum exec_result
intercept_signal(struct cpu *cpu, enum vmx_exit_reason reason, uint64_t qualification)
{
    struct vmx_exit x = {
        .reason = (uint32_t)reason, .qualification = qualification,
        .keeps_pending_debug = reason == VMX_EXIT_REASON_INIT,
    };
    return vmx_exit(cpu, &x);
}

enum exec_result
vmx_intercept(struct cpu *cpu, struct vtx_event *ev)
{
    switch (ev->cause) {
    case VTX_CPUID: return exit_if(cpu, true, VMX_EXIT_REASON_CPUID, ev);
    case VTX_HLT: return exit_if(cpu, primary(cpu) & VMX_PRIMARY_HLT, VMX_EXIT_REASON_HLT, ev);
    case VTX_INVD: return exit_if(cpu, true, VMX_EXIT_REASON_INVD, ev);
    case VTX_WBINVD: return exit_if(cpu, secondary(cpu) & VMX_SECONDARY_WBINVD, VMX_EXIT_REASON_WBINVD, ev);
    case VTX_INVLPG: return intercept_invlpg(cpu, ev);
    case VTX_INVPCID: return intercept_invpcid(cpu, ev);
    case VTX_RDPMC: return exit_if(cpu, primary(cpu) & VMX_PRIMARY_RDPMC, VMX_EXIT_REASON_RDPMC, ev);
    case VTX_RDTSC: return exit_if(cpu, primary(cpu) & VMX_PRIMARY_RDTSC, VMX_EXIT_REASON_RDTSC, ev);
    case VTX_RDTSCP: return intercept_rdtscp(cpu, ev);
    case VTX_PAUSE: return vmx_intercept_pause(cpu, ev);
    case VTX_MONITOR: return exit_if(cpu, primary(cpu) & VMX_PRIMARY_MONITOR, VMX_EXIT_REASON_MONITOR, ev);
    case VTX_MWAIT: /* bit 0: address-range monitoring is armed */
        return primary(cpu) & VMX_PRIMARY_MWAIT
                   ? vmx_exit_insn(cpu, VMX_EXIT_REASON_MWAIT, ev->insn, ev->value & 1) : EXEC_OK;
    case VTX_XSETBV: return exit_if(cpu, true, VMX_EXIT_REASON_XSETBV, ev);
    case VTX_GDTR_IDTR: return intercept_gdtr_idtr(cpu, ev);
    case VTX_LDTR_TR: return intercept_ldtr_tr(cpu, ev);
    case VTX_CR_READ:
    case VTX_CR_WRITE:
    case VTX_CLTS:
    case VTX_LMSW: return vmx_intercept_cr(cpu, ev);
    case VTX_DR: return intercept_dr(cpu, ev);
    case VTX_IO: return vmx_intercept_io(cpu, ev);
    case VTX_RDMSR:
    case VTX_WRMSR: return vmx_intercept_msr(cpu, ev);
    case VTX_TASK_SWITCH: return intercept_task_switch(cpu, ev);
    case VTX_TRIPLE_FAULT: return intercept_signal(cpu, VMX_EXIT_REASON_TRIPLE_FAULT, 0);
    case VTX_INIT: return intercept_signal(cpu, VMX_EXIT_REASON_INIT, 0);
    case VTX_SIPI: return intercept_signal(cpu, VMX_EXIT_REASON_SIPI, ev->number & 0xff);
    case VTX_RDRAND: /* their controls are not offered */
    case VTX_RDSEED: return EXEC_OK;
    case VTX_XSAVES: /* "enable XSAVES/XRSTORS" is not offered, so it is 0 */
    case VTX_XRSTORS: return cpu_raise(cpu, X_UD);
    case VTX_CAUSE_COUNT: break;
    }
    machine_request_stop(cpu->machine, STOP_UNIMPLEMENTED, (uint32_t)ev->cause,
                         "VMX was asked about an intercept it does not know (%d)", (int)ev->cause);
    return EXEC_STOP;
}
