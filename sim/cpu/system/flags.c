/* PUSHF, POPF, STI, CLI, STAC, CLAC: RFLAGS beyond arithmetic. */
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/v86.h"

enum exec_result sys_pushf(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t rflags = cpu_rflags(cpu), image = rflags & ~(RFLAGS_VM | RFLAGS_RF);
    int size = insn->operand_size;

    if (cpu_is_v86(cpu) && v86_if_owner(cpu) != IF_OWN) {
        if (size != 2 || v86_if_owner(cpu) == IF_NONE) {
            return sys_gp(cpu);
        }
        image = (image & ~RFLAGS_IF) | RFLAGS_IOPL | (rflags & RFLAGS_VIF ? RFLAGS_IF : 0);
    }
    TRY(sys_stack_write(cpu, -size, &image, insn->operand_size));
    sys_stack_move(cpu, -size);
    return EXEC_OK;
}

/* Flags that POPF and IRET of 'size' may change at privilege 'cpl'. */
static uint64_t changeable(const struct cpu *cpu, unsigned cpl, unsigned size)
{
    unsigned iopl = cpu->rflags_rest >> RFLAGS_IOPL_SHIFT & 3;
    uint64_t mask = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID;

    mask |= cpl == 0 ? RFLAGS_IOPL : 0;
    mask |= cpl <= iopl ? RFLAGS_IF : 0;
    return size == 2 ? mask & 0xffff : mask;
}

enum exec_result sys_popf(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t image = 0, old = cpu_rflags(cpu), rflags;
    uint64_t mask = changeable(cpu, cpu->cr0 & CR0_PE ? cpu_cpl(cpu) : 0, insn->operand_size);

    if (cpu_is_v86(cpu) && v86_if_owner(cpu) != IF_OWN) {
        if (insn->operand_size != 2 || v86_if_owner(cpu) == IF_NONE) {
            return sys_gp(cpu);
        }
        TRY(sys_stack_read(cpu, 0, &image, 2));
        TRY(v86_virtual_flags(cpu, image, &rflags));
    } else {
        TRY(sys_stack_read(cpu, 0, &image, insn->operand_size));
        rflags = ((old & ~mask) | (image & mask) | RFLAGS_FIXED) & ~RFLAGS_RF;
    }
    sys_stack_move(cpu, insn->operand_size);
    cpu_set_rflags(cpu, rflags);
    return sys_rflags_changed(cpu, insn, old);
}

enum exec_result sys_sti(struct cpu *cpu, const struct sys_insn *insn)
{
    switch (v86_if_owner(cpu)) {
    case IF_NONE:
        return sys_gp(cpu);
    case IF_VIRTUAL:
        if (cpu->rflags_rest & RFLAGS_VIP) {
            return sys_gp(cpu);
        }
        cpu->rflags_rest |= RFLAGS_VIF;
        return EXEC_OK;
    case IF_OWN:
        break;
    }
    if (cpu->rflags_rest & RFLAGS_IF) {
        return EXEC_OK;
    }
    cpu->rflags_rest |= RFLAGS_IF;
    cpu->shadow_sti = true;
    cpu_attend(cpu, ATTN_SHADOW | (cpu->nonroot ? ATTN_VTX : 0));
    cpu_event_recheck(cpu);
    return sys_leave_block(cpu, insn);
}

enum exec_result sys_cli(struct cpu *cpu, const struct sys_insn *insn)
{
    (void)insn;
    switch (v86_if_owner(cpu)) {
    case IF_NONE: return sys_gp(cpu);
    case IF_VIRTUAL: cpu->rflags_rest &= ~RFLAGS_VIF; break;
    case IF_OWN: cpu->rflags_rest &= ~RFLAGS_IF; break;
    }
    return EXEC_OK;
}

static enum exec_result set_ac(struct cpu *cpu, const struct sys_insn *insn, bool ac)
{
    uint64_t old = cpu->rflags_rest;

    if (cpu_cpl(cpu) != 0) {
        return cpu_raise(cpu, X_UD);
    }
    cpu->rflags_rest = ac ? old | RFLAGS_AC : old & ~RFLAGS_AC;
    return sys_rflags_changed(cpu, insn, old);
}

enum exec_result sys_stac(struct cpu *cpu, const struct sys_insn *insn)
{
    return set_ac(cpu, insn, true);
}

enum exec_result sys_clac(struct cpu *cpu, const struct sys_insn *insn)
{
    return set_ac(cpu, insn, false);
}
