/* Tags of cached translations, and INVEPT and INVVPID (SDM Vol 3C "Caching Translation
 * Information", "VMX Instruction Reference").
 *
 * The descriptor's reserved upper half is not looked at, as in the manual's pseudo-code.
 * The type is judged before the descriptor is read.  INVVPID types 0 and 3 flush the whole
 * VPID: more than they must, never less. */
#include "sim/cpu/model/model.h"
#include "sim/time/timing.h"
#include "sim/vtx/vmx/vmx_priv.h"

enum invept_type { INVEPT_SINGLE = 1, INVEPT_ALL = 2 };
enum invvpid_type { INVVPID_ADDRESS, INVVPID_SINGLE, INVVPID_ALL, INVVPID_SINGLE_KEEP_GLOBAL };

struct descriptor { uint64_t low, high; };

static uint64_t
type_register(const struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t type = cpu->gpr[insn->reg];
    return vmx_in_64bit_mode(cpu) ? type : (uint32_t)type;
}

static enum exec_result
read_descriptor(struct cpu *cpu, const struct sys_insn *insn, struct descriptor *d)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(cpu, insn->segment, insn->ea, sizeof *d, ACCESS_READ, &linear);
    return result == EXEC_OK ? cpu_read(cpu, linear, d, sizeof *d) : result;
}

enum exec_result
vmx_invept(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t type = type_register(cpu, insn);
    struct descriptor d;
    if (type != INVEPT_SINGLE && type != INVEPT_ALL) {
        return vmx_fail(cpu, VMX_ERROR_INVALID_OPERAND);
    }
    enum exec_result result = read_descriptor(cpu, insn, &d);
    if (result != EXEC_OK) {
        return result;
    }
    if (type == INVEPT_SINGLE && vmx_check_eptp(&cpu->vmx->caps, d.low)) {
        return vmx_fail(cpu, VMX_ERROR_INVALID_OPERAND);
    }
    mmu_flush_ept(cpu, d.low, type == INVEPT_ALL);
    time_charge(cpu, CHARGE_INVEPT, 1);
    return vmx_succeed(cpu);
}

static bool
invvpid_operand_ok(const struct cpu *cpu, uint64_t type, const struct descriptor *d)
{
    bool needs_vpid = type != INVVPID_ALL;
    return d->low >> 16 == 0 && (!needs_vpid || d->low != 0) &&
           (type != INVVPID_ADDRESS || cpu_canonical_base(cpu, d->high));
}

enum exec_result
vmx_invvpid(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t type = type_register(cpu, insn);
    struct descriptor d;
    if (type > INVVPID_SINGLE_KEEP_GLOBAL) {
        return vmx_fail(cpu, VMX_ERROR_INVALID_OPERAND);
    }
    enum exec_result result = read_descriptor(cpu, insn, &d);
    if (result != EXEC_OK) {
        return result;
    }
    if (!invvpid_operand_ok(cpu, type, &d)) {
        return vmx_fail(cpu, VMX_ERROR_INVALID_OPERAND);
    }
    mmu_flush_vpid(cpu, (uint16_t)d.low, type == INVVPID_ALL);
    time_charge(cpu, CHARGE_INVEPT, 1);
    return vmx_succeed(cpu);
}

bool
vmx_second_level(const struct cpu *cpu)
{
    return cpu->nonroot && (cpu->vmx->guest.secondary & VMX_SECONDARY_EPT);
}

uint16_t
vmx_vpid(const struct cpu *cpu)
{
    return cpu->nonroot ? cpu->vmx->guest.vpid : 0;
}

uint64_t
vmx_eptp(const struct cpu *cpu)
{
    return cpu->nonroot ? cpu->vmx->guest.eptp : 0;
}

void
vmx_flush_transition(struct cpu *cpu)
{
    if (!(vmcs_secondary(cpu->vmx->current) & VMX_SECONDARY_VPID)) {
        mmu_flush_vpid(cpu, 0, false);
    }
}
