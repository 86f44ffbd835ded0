/* HLT, cache and TLB control, fences, FS and GS bases, hints, and the way to VMX. */
#include "sim/base/trace.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"

enum exec_result sys_hlt(struct cpu *cpu, const struct sys_insn *insn)
{
    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_HLT));
    TRACE(cpu->machine, cpu->now, TRACE_HALT, cpu->index, 0, 0, 0);
    cpu->activity = HALTED;
    return sys_leave_block(cpu, insn);
}

enum exec_result sys_pause(struct cpu *cpu, const struct sys_insn *insn)
{
    return sys_intercept_plain(cpu, insn, VTX_PAUSE);
}

/* Memory is strongly ordered here already. */
enum exec_result sys_fence(struct cpu *cpu, const struct sys_insn *insn)
{
    (void)cpu;
    (void)insn;
    return EXEC_OK;
}

/* Faults like a load of one byte; there are no caches to flush. */
enum exec_result sys_clflush(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t linear, spa;
    uint8_t *host;

    TRY(cpu_linear(cpu, insn->segment, insn->ea, 1, ACCESS_READ, &linear));
    return mmu_fill(cpu, linear, 1, ACCESS_READ, &host, &spa);
}

enum exec_result sys_clwb(struct cpu *cpu, const struct sys_insn *insn) /* and CLFLUSHOPT */
{
    return sys_clflush(cpu, insn);
}

static enum exec_result invalidate_caches(struct cpu *cpu, const struct sys_insn *insn, enum vtx_cause cause)
{
    TRY(sys_require_cpl0(cpu));
    return sys_intercept_plain(cpu, insn, cause);
}

enum exec_result sys_invd(struct cpu *cpu, const struct sys_insn *insn)
{
    return invalidate_caches(cpu, insn, VTX_INVD);
}

enum exec_result sys_wbinvd(struct cpu *cpu, const struct sys_insn *insn)
{
    return invalidate_caches(cpu, insn, VTX_WBINVD);
}

/* --- TLB --------------------------------------------------------------------------- */

enum exec_result sys_invlpg(struct cpu *cpu, const struct sys_insn *insn)
{
    bool has_base = !sys_is_long64(cpu) || insn->segment == FS || insn->segment == GS;
    uint64_t linear = (has_base ? cpu->seg[insn->segment].base : 0) + insn->ea;

    TRY(sys_require_cpl0(cpu));
    struct vtx_event event = { .cause = VTX_INVLPG, .value = linear };
    TRY(sys_intercept(cpu, insn, &event));
    sys_charge(cpu, CHARGE_INVLPG);
    if (!(cpu->efer & EFER_LMA)) {
        linear = (uint32_t)linear;
    }
    if (cpu_canonical_base(cpu, linear)) { /* a non-canonical address makes INVLPG a no-operation */
        mmu_invlpg(cpu, linear);
    }
    return sys_leave_block(cpu, insn);
}

enum exec_result sys_invpcid(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t descriptor[2];

    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_INVPCID));
    TRY(sys_memory_read(cpu, insn, 0, descriptor, 16));
    uint64_t type = sys_gpr_read(cpu, insn->reg, sys_is_long64(cpu) ? 8 : 4);
    uint16_t pcid = descriptor[0] & CR3_PCID_MASK;
    if (type > INVPCID_ALL || descriptor[0] >> 12) {
        return sys_gp(cpu);
    }
    if (type <= INVPCID_CONTEXT && pcid && !(cpu->cr4 & CR4_PCIDE)) {
        return sys_gp(cpu);
    }
    if (type == INVPCID_ADDRESS && !cpu_canonical_base(cpu, descriptor[1])) {
        return sys_gp(cpu);
    }
    sys_charge(cpu, CHARGE_INVLPG);
    mmu_invpcid(cpu, (enum mmu_invpcid_type)type, pcid, descriptor[1]);
    return sys_leave_block(cpu, insn);
}

/* --- protection keys -------------------------------------------------------------------- */

/* SDM Vol 2 "RDPKRU", "WRPKRU": ECX and what is not PKRU must be 0. */
static enum exec_result check_pkru(struct cpu *cpu, bool operand_ok)
{
    if (!(cpu->cr4 & CR4_PKE)) {
        return cpu_raise(cpu, X_UD);
    }
    return (uint32_t)cpu->gpr[RCX] || !operand_ok ? sys_gp(cpu) : EXEC_OK;
}

enum exec_result sys_rdpkru(struct cpu *cpu, const struct sys_insn *insn)
{
    (void)insn;
    TRY(check_pkru(cpu, true));
    cpu->gpr[RAX] = cpu->pkru;
    cpu->gpr[RDX] = 0;
    return EXEC_OK;
}

enum exec_result sys_wrpkru(struct cpu *cpu, const struct sys_insn *insn)
{
    (void)insn;
    TRY(check_pkru(cpu, (uint32_t)cpu->gpr[RDX] == 0));
    cpu->pkru = (uint32_t)cpu->gpr[RAX];
    mmu_pkru_written(cpu);
    return EXEC_OK;
}

/* --- FS and GS bases ------------------------------------------------------------------- */

static enum exec_result check_fsgsbase(struct cpu *cpu)
{
    return sys_is_long64(cpu) && cpu->cr4 & CR4_FSGSBASE ? EXEC_OK : cpu_raise(cpu, X_UD);
}

static enum exec_result read_base(struct cpu *cpu, const struct sys_insn *insn, unsigned segment)
{
    TRY(check_fsgsbase(cpu));
    sys_gpr_write(cpu, insn->rm, insn->operand_size, cpu->seg[segment].base);
    return EXEC_OK;
}

static enum exec_result write_base(struct cpu *cpu, const struct sys_insn *insn, unsigned segment)
{
    uint64_t base = sys_gpr_read(cpu, insn->rm, insn->operand_size);

    TRY(check_fsgsbase(cpu));
    if (!cpu_canonical_base(cpu, base)) {
        return sys_gp(cpu);
    }
    cpu->seg[segment].base = base;
    return EXEC_OK;
}

enum exec_result sys_rdfsbase(struct cpu *cpu, const struct sys_insn *insn)
{
    return read_base(cpu, insn, FS);
}

enum exec_result sys_rdgsbase(struct cpu *cpu, const struct sys_insn *insn)
{
    return read_base(cpu, insn, GS);
}

enum exec_result sys_wrfsbase(struct cpu *cpu, const struct sys_insn *insn)
{
    return write_base(cpu, insn, FS);
}

enum exec_result sys_wrgsbase(struct cpu *cpu, const struct sys_insn *insn)
{
    return write_base(cpu, insn, GS);
}

/* --- another module's ---------------------------------------------------------------- */

enum exec_result sys_vmx(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!cpu->machine->vtx || !cpu->machine->config.vtx) {
        return cpu_raise(cpu, X_UD);
    }
    return cpu->machine->vtx->execute(cpu, insn);
}
