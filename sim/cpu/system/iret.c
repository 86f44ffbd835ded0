/* IRET: SDM Vol 2 "IRET/IRETD/IRETQ - Interrupt Return". */
#include "sim/cpu/event/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/task.h"
#include "sim/cpu/system/transfer.h"
#include "sim/cpu/system/v86.h"

/* Flags that the image may change; RF is taken from 32- and 64-bit images. */
static uint64_t iret_mask(const struct cpu *cpu, unsigned cpl, unsigned size)
{
    unsigned iopl = cpu->rflags_rest >> RFLAGS_IOPL_SHIFT & 3;
    uint64_t mask = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

    mask |= size > 2 ? RFLAGS_RF | RFLAGS_AC | RFLAGS_ID : 0;
    mask |= cpl == 0 ? RFLAGS_IOPL : 0;
    mask |= cpl == 0 && size > 2 && cpu_is_protected(cpu) ? RFLAGS_VIF | RFLAGS_VIP : 0;
    mask |= cpl <= iopl ? RFLAGS_IF : 0;
    return mask;
}

/* Privilege is that of the code that executes IRET; called before it changes. */
static uint64_t merged_flags(const struct cpu *cpu, uint64_t image, unsigned size)
{
    uint64_t mask = iret_mask(cpu, cpu->cr0 & CR0_PE ? cpu_cpl(cpu) : 0, size);

    return (cpu_rflags(cpu) & ~(mask | RFLAGS_RF)) | (image & mask) | RFLAGS_FIXED;
}

static enum exec_result finish(struct cpu *cpu, uint64_t rflags)
{
    uint64_t old = cpu->rflags_rest;

    cpu_set_rflags(cpu, rflags);
    if ((old ^ rflags) & RFLAGS_AC) {
        mmu_mode_changed(cpu);
    }
    cpu->nmi_blocked = false;
    if (cpu->nonroot) {
        cpu_attend(cpu, ATTN_VTX);
    }
    cpu_event_recheck(cpu);
    return EXEC_JUMP;
}

/* Real mode, and virtual-8086 mode: its VM, IOPL, VIF and VIP stay. */
static enum exec_result iret_8086(struct cpu *cpu, const struct sys_insn *insn)
{
    int width = insn->operand_size;
    uint64_t rip = 0, selector = 0, image = 0, rflags;
    enum if_owner owner = v86_if_owner(cpu);

    if (owner == IF_NONE || (owner == IF_VIRTUAL && width != 2)) {
        return sys_gp(cpu);
    }
    TRY(sys_stack_read(cpu, 0, &rip, (unsigned)width));
    TRY(sys_stack_read(cpu, width, &selector, (unsigned)width));
    TRY(sys_stack_read(cpu, 2 * width, &image, (unsigned)width));
    if (rip > cpu->seg[CS].limit) {
        return sys_gp(cpu);
    }
    if (owner == IF_VIRTUAL) {
        TRY(v86_virtual_flags(cpu, image, &rflags));
    } else {
        rflags = merged_flags(cpu, image, (unsigned)width);
    }
    sys_stack_move(cpu, 3 * width);
    cpu->seg[CS] = seg_8086(cpu, CS, (uint16_t)selector);
    cpu->rip = rip;
    cpu_update_mode(cpu);
    return finish(cpu, rflags);
}

/* Into virtual-8086 mode: every flag comes from the image. */
static enum exec_result iret_to_v86(struct cpu *cpu, const struct sys_insn *insn, uint64_t image)
{
    TRY(v86_enter(cpu, insn));
    cpu_set_rflags(cpu, (image & RFLAGS_ALL) | RFLAGS_FIXED);
    cpu_update_mode(cpu);
    mmu_mode_changed(cpu);
    return finish(cpu, cpu_rflags(cpu));
}

static enum exec_result iret_protected(struct cpu *cpu, const struct sys_insn *insn)
{
    int width = insn->operand_size;
    uint64_t frame[5] = { 0 }; /* RIP, CS, RFLAGS, RSP, SS */
    struct transfer to;
    struct segment ss;

    for (int i = 0; i < 3; i++) {
        TRY(sys_stack_read(cpu, i * width, &frame[i], (unsigned)width));
    }
    if (!(cpu->efer & EFER_LMA) && frame[2] & RFLAGS_VM && width == 4 && cpu_cpl(cpu) == 0) {
        return iret_to_v86(cpu, insn, frame[2]);
    }
    TRY(transfer_check_return_code(cpu, (uint16_t)frame[1], frame[0], &to));
    /* 64-bit mode always pops the stack pointer; elsewhere only a return to an outer ring does. */
    bool loads_stack = sys_is_long64(cpu) || to.cpl != cpu_cpl(cpu);
    if (loads_stack) {
        TRY(sys_stack_read(cpu, 3 * width, &frame[3], (unsigned)width));
        TRY(sys_stack_read(cpu, 4 * width, &frame[4], (unsigned)width));
        TRY(transfer_check_return_stack(cpu, (uint16_t)frame[4], &to, &ss));
    }
    uint64_t rflags = merged_flags(cpu, frame[2], (unsigned)width);
    bool outward = to.cpl != cpu_cpl(cpu);
    if (!loads_stack) {
        sys_stack_move(cpu, 3 * width);
    }
    seg_commit_code(cpu, &to.cs, to.cpl, to.rip);
    if (loads_stack) {
        transfer_load_stack(cpu, &to, &ss, frame[3]);
    }
    if (outward) {
        transfer_drop_data_segments(cpu, to.cpl);
    }
    cpu_update_mode(cpu);
    return finish(cpu, rflags);
}

static enum exec_result iret_task(struct cpu *cpu, const struct sys_insn *insn)
{
    if (cpu->efer & EFER_LMA) {
        return sys_gp(cpu);
    }
    enum exec_result result = task_return(cpu, insn);
    return result == EXEC_JUMP ? finish(cpu, cpu_rflags(cpu)) : result;
}

static enum exec_result iret(struct cpu *cpu, const struct sys_insn *insn)
{
    sys_charge(cpu, CHARGE_IRET);
    if (!cpu_is_protected(cpu)) {
        return iret_8086(cpu, insn);
    }
    return cpu->rflags_rest & RFLAGS_NT ? iret_task(cpu, insn) : iret_protected(cpu, insn);
}

/* NMIs are unblocked even if IRET faults ("NMI unblocking due to IRET", SDM Vol 3C).  In a guest the fault may
 * become a VM exit that shows them blocked still; it is then the hypervisor that runs IRET again. */
enum exec_result sys_iret(struct cpu *cpu, const struct sys_insn *insn)
{
    enum exec_result result = iret(cpu, insn);

    if (result == EXEC_FAULT && !cpu->nonroot) {
        cpu->nmi_blocked = false;
    }
    return result;
}
