/* Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS; and software interrupts. */
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"
#include "sim/cpu/system/v86.h"

enum {
    FLAT_CODE = SEG_G | SEG_P | SEG_S | TYPE_CODE | TYPE_READABLE | TYPE_ACCESSED,
    FLAT_DATA = SEG_G | SEG_DB | SEG_P | SEG_S | TYPE_WRITABLE | TYPE_ACCESSED,
};

static struct segment flat(uint16_t selector, uint32_t rights, unsigned dpl)
{
    return (struct segment){
        .selector = (uint16_t)((selector & ~3u) | dpl), .limit = 0xffffffffu,
        .rights = rights | dpl << SEG_DPL_SHIFT,
    };
}

/* Enters ring 'cpl' with fixed flat segments. */
static void enter(struct cpu *cpu, uint16_t cs, uint16_t ss, bool code64, unsigned cpl, uint64_t rip)
{
    struct segment code = flat(cs, FLAT_CODE | (code64 ? (uint32_t)SEG_L : (uint32_t)SEG_DB), cpl);
    bool same_privilege = (cpu_cpl(cpu) == 3) == (cpl == 3);

    seg_commit_code(cpu, &code, cpl, rip);
    cpu->seg[SS] = flat(ss, FLAT_DATA, cpl);
    cpu_update_mode(cpu);
    if (same_privilege) {
        mmu_mode_changed(cpu); /* RFLAGS.AC may have changed */
    }
}

/* Unlike other instructions these are followed by a single-step trap if they leave TF set, not if they began so. */
static void decide_trap(struct cpu *cpu, uint64_t before)
{
    cpu->trap_decided = before & RFLAGS_TF;
    if (cpu->rflags_rest & RFLAGS_TF) {
        cpu->pending_db |= DR6_BS;
        cpu_attend(cpu, ATTN_DB);
    }
}

/* Intel has these two in 64-bit mode alone, AMD everywhere in protected mode (APM Vol 3 "SYSCALL", "SYSRET"). */
static bool has_syscall(const struct cpu *cpu)
{
    return cpu->efer & EFER_SCE && cpu->cr0 & CR0_PE && (sys_is_long64(cpu) || (cpu_is_amd(cpu) && !(cpu->mode & MODE_V86)));
}

/* AMD outside long mode: EIP from STAR, flags are not kept. */
static enum exec_result syscall_legacy(struct cpu *cpu, const struct sys_insn *insn)
{
    uint16_t selector = (cpu->msr.star >> 32) & 0xfffc;

    sys_charge(cpu, CHARGE_SYSCALL);
    cpu->gpr[RCX] = (uint32_t)insn->next_rip;
    uint64_t before = cpu->rflags_rest;
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(RFLAGS_IF | RFLAGS_VM | RFLAGS_RF));
    enter(cpu, selector, (uint16_t)(selector + 8), false, 0, (uint32_t)cpu->msr.star);
    decide_trap(cpu, before);
    return EXEC_JUMP;
}

enum exec_result sys_syscall(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!has_syscall(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    if (!(cpu->efer & EFER_LMA)) {
        return syscall_legacy(cpu, insn);
    }
    uint16_t selector = (uint16_t)(cpu->msr.star >> 32);
    uint64_t rflags = cpu_rflags(cpu);
    uint64_t target = sys_is_long64(cpu) ? cpu->msr.lstar : cpu->msr.cstar;

    sys_charge(cpu, CHARGE_SYSCALL);
    cpu->gpr[RCX] = insn->next_rip;
    cpu->gpr[R11] = rflags & ~RFLAGS_RF;
    uint64_t masked = (rflags & ~cpu->msr.fmask & ~RFLAGS_RF) | RFLAGS_FIXED;
    cpu_set_rflags(cpu, masked);
    enter(cpu, selector & 0xfffc, (uint16_t)((selector & 0xfffc) + 8), true, 0, target);
    decide_trap(cpu, rflags);
    return EXEC_JUMP;
}

/* A non-canonical RCX: Intel faults here, AMD in the fetch that follows, with the privilege of the user. */
enum exec_result sys_sysret(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!has_syscall(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_require_cpl0(cpu));
    bool to64 = insn->operand_size == 8;
    uint64_t rip = to64 ? cpu->gpr[RCX] : (uint32_t)cpu->gpr[RCX];
    uint16_t selector = (uint16_t)(cpu->msr.star >> 48);

    if (to64 && !cpu_canonical(cpu, rip) && !cpu_is_amd(cpu)) {
        return sys_gp(cpu);
    }
    sys_charge(cpu, CHARGE_SYSCALL);
    uint64_t before = cpu->rflags_rest;
    if (sys_is_long64(cpu)) {
        cpu_set_rflags(cpu, (cpu->gpr[R11] & RFLAGS_ALL & ~(RFLAGS_RF | RFLAGS_VM)) | RFLAGS_FIXED);
    } else {
        cpu_set_rflags(cpu, cpu_rflags(cpu) | RFLAGS_IF);
    }
    enter(cpu, (uint16_t)(selector + (to64 ? 16 : 0)), (uint16_t)(selector + 8), to64, 3, rip);
    decide_trap(cpu, before);
    cpu_event_recheck(cpu);
    return EXEC_JUMP;
}

enum exec_result sys_sysenter(struct cpu *cpu, const struct sys_insn *insn)
{
    uint16_t selector = (uint16_t)cpu->msr.sysenter_cs;
    bool lma = cpu->efer & EFER_LMA;

    (void)insn;
    if (lma && cpu_is_amd(cpu)) {
        return cpu_raise(cpu, X_UD); /* APM Vol 3 "SYSENTER": not in long mode */
    }
    if (!(cpu->cr0 & CR0_PE) || seg_null(selector)) {
        return sys_gp(cpu);
    }
    sys_charge(cpu, CHARGE_SYSCALL);
    cpu_set_rflags(cpu, cpu_rflags(cpu) & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF));
    enter(cpu, selector & 0xfffc, (uint16_t)((selector & 0xfffc) + 8), lma, 0,
          lma ? cpu->msr.sysenter_eip : (uint32_t)cpu->msr.sysenter_eip);
    cpu->gpr[RSP] = lma ? cpu->msr.sysenter_esp : (uint32_t)cpu->msr.sysenter_esp;
    return EXEC_JUMP;
}

enum exec_result sys_sysexit(struct cpu *cpu, const struct sys_insn *insn)
{
    uint16_t selector = (uint16_t)cpu->msr.sysenter_cs;
    bool to64 = insn->operand_size == 8;

    if (cpu->efer & EFER_LMA && cpu_is_amd(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    if (!(cpu->cr0 & CR0_PE) || seg_null(selector) || cpu_cpl(cpu) != 0) {
        return sys_gp(cpu);
    }
    if (to64 && (!cpu_canonical(cpu, cpu->gpr[RDX]) || !cpu_canonical(cpu, cpu->gpr[RCX]))) {
        return sys_gp(cpu);
    }
    sys_charge(cpu, CHARGE_SYSCALL);
    uint64_t rip = to64 ? cpu->gpr[RDX] : (uint32_t)cpu->gpr[RDX];
    cpu->gpr[RSP] = to64 ? cpu->gpr[RCX] : (uint32_t)cpu->gpr[RCX];
    enter(cpu, (uint16_t)(selector + (to64 ? 32 : 16)), (uint16_t)(selector + (to64 ? 40 : 24)), to64, 3, rip);
    return EXEC_JUMP;
}

enum exec_result sys_swapgs(struct cpu *cpu, const struct sys_insn *insn)
{
    (void)insn;
    if (!sys_is_long64(cpu)) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_require_cpl0(cpu));
    uint64_t base = cpu->seg[GS].base;
    cpu->seg[GS].base = cpu->msr.kernel_gs_base;
    cpu->msr.kernel_gs_base = base;
    return EXEC_OK;
}

/* --- software interrupts -------------------------------------------------------------- */

enum exec_result sys_int_n(struct cpu *cpu, const struct sys_insn *insn)
{
    if (cpu_is_v86(cpu)) {
        TRY(v86_int_n(cpu, insn));
    }
    return cpu_raise_software(cpu, (uint8_t)insn->imm, INT_SOFTWARE, insn->length);
}

enum exec_result sys_int3(struct cpu *cpu, const struct sys_insn *insn)
{
    return cpu_raise_software(cpu, X_BP, INT_SOFT_EXCEPTION, insn->length);
}

enum exec_result sys_into(struct cpu *cpu, const struct sys_insn *insn)
{
    if (!(cpu_rflags(cpu) & RFLAGS_OF)) {
        return EXEC_OK;
    }
    return cpu_raise_software(cpu, X_OF, INT_SOFT_EXCEPTION, insn->length);
}

enum exec_result sys_int1(struct cpu *cpu, const struct sys_insn *insn)
{
    return cpu_raise_software(cpu, X_DB, INT_PRIVILEGED, insn->length);
}

enum exec_result sys_bound(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned size = insn->operand_size;
    int64_t low = 0, high = 0;
    unsigned shift = 64 - size * 8;
    int64_t index = (int64_t)(cpu->gpr[insn->reg] << shift) >> shift;

    TRY(sys_memory_read(cpu, insn, 0, &low, size));
    TRY(sys_memory_read(cpu, insn, size, &high, size));
    low = (int64_t)((uint64_t)low << shift) >> shift;
    high = (int64_t)((uint64_t)high << shift) >> shift;
    return index < low || index > high ? cpu_raise(cpu, X_BR) : EXEC_OK;
}
