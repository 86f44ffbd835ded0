/* RDMSR and WRMSR: reader of the registers' table, and the instructions that read counters. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/msr_registers.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"

static enum exec_result gp(struct cpu *cpu)
{
    return cpu_raise_error(cpu, X_GP, 0);
}

/* --- the table's reader --------------------------------------------------------------- */

static bool is_vtx_range(uint32_t index)
{
    return index >= 0x480 && index <= 0x4bf;
}

static bool is_x2apic_range(uint32_t index)
{
    return index >= 0x800 && index <= 0x8ff;
}

enum exec_result cpu_rdmsr(struct cpu *cpu, uint32_t index, uint64_t *value)
{
    if (is_x2apic_range(index)) {
        return apic_rdmsr(cpu, index, value);
    }
    if (is_vtx_range(index)) {
        bool vtx = cpu->machine->config.vtx && cpu->machine->vtx;
        return vtx && cpu->machine->vtx->rdmsr(cpu, index, value) == EXEC_OK ? EXEC_OK : gp(cpu);
    }
    const struct msr_home *home;
    const struct msr_row *row = msr_find(cpu, index, &home);
    if (!row || !(row->access & MSR_RO)) {
        return gp(cpu);
    }
    unsigned n = index - row->index;
    if (home->read) {
        *value = home->read(cpu, n);
    } else if (home->offset) {
        memcpy(value, (const char *)cpu + home->offset + n * 8, 8);
    } else {
        *value = cpu_model_constant(cpu->machine, index, home->constant);
    }
    return EXEC_OK;
}

static bool are_types(uint64_t value, bool pat)
{
    for (unsigned i = 0; i < 8; i++, value >>= 8) {
        if (!msr_is_mtrr_type(value & 0xff) && !(pat && (value & 0xff) == 7)) {
            return false;
        }
    }
    return true;
}

/* SYSENTER's registers are 32 bits wide for AMD, whatever is in the rest. */
static bool value_is_valid(const struct cpu *cpu, const struct msr_row *row, uint64_t value)
{
    if (value & ~row->writable) {
        return false;
    }
    switch (row->rule) {
    case MSR_CANONICAL: return cpu_canonical_base(cpu, value) || (row->feature == CPU_SEP && cpu_is_amd(cpu));
    case MSR_TYPES: return are_types(value, true);
    case MSR_MTRR: return are_types(value, false);
    default: return true;
    }
}

enum exec_result cpu_wrmsr(struct cpu *cpu, uint32_t index, uint64_t value)
{
    if (is_x2apic_range(index)) {
        return apic_wrmsr(cpu, index, value);
    }
    const struct msr_home *home;
    const struct msr_row *row = msr_find(cpu, index, &home);
    if (!row || !(row->access & MSR_WO) || !value_is_valid(cpu, row, value)) {
        return gp(cpu);
    }
    unsigned n = index - row->index;
    if (row->rule == MSR_SPECIAL) {
        return home->write(cpu, n, value);
    }
    if (home->offset) {
        memcpy((char *)cpu + home->offset + n * 8, &value, 8);
    }
    return EXEC_OK;
}

/* --- instructions ------------------------------------------------------------------------ */

enum exec_result sys_rdmsr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t index = (uint32_t)cpu->gpr[RCX];
    uint64_t value = 0;

    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = { .cause = VTX_RDMSR, .number = index };
    TRY(sys_intercept(cpu, insn, &event));
    sys_charge(cpu, CHARGE_RDMSR);
    enum exec_result result = EXEC_OK;
    if (cpu->nonroot && is_x2apic_range(index)) {
        result = cpu->machine->vtx->virtual_apic_msr(cpu, index, false, &value);
    }
    if (result == EXEC_OK) {
        result = cpu_rdmsr(cpu, index, &value);
    } else if (result == EXEC_JUMP) {
        result = EXEC_OK; /* virtualized */
    }
    TRY(result);
    cpu->gpr[RAX] = (uint32_t)value;
    cpu->gpr[RDX] = value >> 32;
    return EXEC_OK;
}

enum exec_result sys_wrmsr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t index = (uint32_t)cpu->gpr[RCX];
    uint64_t value = (uint32_t)cpu->gpr[RAX] | cpu->gpr[RDX] << 32;

    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = { .cause = VTX_WRMSR, .number = index, .value = value };
    TRY(sys_intercept(cpu, insn, &event));
    sys_charge(cpu, CHARGE_WRMSR);
    enum exec_result result = EXEC_OK;
    if (cpu->nonroot && is_x2apic_range(index)) {
        result = cpu->machine->vtx->virtual_apic_msr(cpu, index, true, &value);
    }
    if (result == EXEC_OK) {
        result = cpu_wrmsr(cpu, index, value);
    } else if (result == EXEC_JUMP) {
        result = EXEC_OK;
    }
    TRY(result);
    return index == 0xc0000080 || cpu->attention ? sys_leave_block(cpu, insn) : EXEC_OK;
}

static enum exec_result read_tsc_checked(struct cpu *cpu, const struct sys_insn *insn, enum vtx_cause cause)
{
    if (cpu->cr4 & CR4_TSD && cpu->cr0 & CR0_PE && cpu_cpl(cpu) != 0) {
        return sys_gp(cpu);
    }
    TRY(sys_intercept_plain(cpu, insn, cause));
    uint64_t tsc = cpu_tsc(cpu);
    cpu->gpr[RAX] = (uint32_t)tsc;
    cpu->gpr[RDX] = tsc >> 32;
    return EXEC_OK;
}

enum exec_result sys_rdtsc(struct cpu *cpu, const struct sys_insn *insn)
{
    return read_tsc_checked(cpu, insn, VTX_RDTSC);
}

enum exec_result sys_rdtscp(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(read_tsc_checked(cpu, insn, VTX_RDTSCP));
    cpu->gpr[RCX] = (uint32_t)cpu->msr.tsc_aux;
    return EXEC_OK;
}

enum exec_result sys_rdpmc(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t number = (uint32_t)cpu->gpr[RCX];

    if (!(cpu->cr4 & CR4_PCE) && cpu->cr0 & CR0_PE && cpu_cpl(cpu) != 0) {
        return sys_gp(cpu);
    }
    TRY(sys_intercept_plain(cpu, insn, VTX_RDPMC));
    uint64_t value;
    if (!pmu_read_by_number(cpu, number, &value)) {
        return sys_gp(cpu);
    }
    cpu->gpr[RAX] = (uint32_t)value;
    cpu->gpr[RDX] = value >> 32;
    return EXEC_OK;
}
