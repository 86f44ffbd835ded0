/* Far CALL, JMP and RET: SDM Vol 3A "Privilege Checking When Transferring Program Control Between Code
 * Segments". */
#include "sim/cpu/system/transfer.h"

#include <string.h>

#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/task.h"
#include "sim/machine.h"

enum { TSS_RSP0 = 4 };

enum exec_result transfer_check_offset(struct cpu *cpu, const struct transfer *to)
{
    bool ok = transfer_is_64bit(cpu, &to->cs) ? cpu_canonical(cpu, to->rip) : to->rip <= to->cs.limit;

    return ok ? EXEC_OK : sys_gp(cpu);
}

/* A code segment as direct target: privilege rules of JMP and CALL without a gate. */
static enum exec_result check_direct(struct cpu *cpu, struct descriptor *d, uint64_t rip, struct transfer *to)
{
    unsigned cpl = cpu_cpl(cpu), rpl = d->selector & 3;
    uint32_t error = d->selector & ~3u;
    bool conforming = seg_type(d) & TYPE_CONFORMING;

    if (conforming ? seg_dpl(d) > cpl : rpl > cpl || seg_dpl(d) != cpl) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    TRY(seg_check_code(cpu, d, 0));
    if (!seg_present(d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    *to = (struct transfer){ .cs = seg_load(d), .cpl = cpl, .rip = rip };
    TRY(seg_set_accessed(cpu, d));
    to->cs = seg_load(d);
    return EXEC_OK;
}

/* Not a code segment: does it name a task?  There are none in IA-32e mode. */
static bool names_task(const struct cpu *cpu, const struct descriptor *d)
{
    unsigned type = seg_type(d);

    return !(cpu->efer & EFER_LMA) && (type == TYPE_TASK_GATE || (type & ~8u) == TYPE_TSS16 || (type & ~8u) == TYPE_TSS16_BUSY);
}

/* A call gate, read completely. */
struct call_gate {
    uint16_t selector;
    uint64_t offset;
    unsigned width;      /* of what it pushes [bytes] */
    unsigned parameters; /* words copied to an inner stack */
};

static enum exec_result read_gate(struct cpu *cpu, struct descriptor *d, struct call_gate *gate)
{
    bool lma = cpu->efer & EFER_LMA;
    uint32_t error = d->selector & ~3u;
    unsigned type = seg_type(d);

    if (type != TYPE_CALL_GATE && (lma || type != TYPE_CALL_GATE16)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (seg_dpl(d) < cpu_cpl(cpu) || seg_dpl(d) < (d->selector & 3u)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (lma) {
        TRY(seg_read_high(cpu, X_GP, 0, d));
    }
    if (!seg_present(d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    gate->selector = (uint16_t)(d->bits >> 16);
    gate->width = lma ? 8 : type == TYPE_CALL_GATE ? 4 : 2;
    gate->parameters = lma ? 0 : d->bits >> 32 & 0x1f;
    gate->offset = (d->bits & 0xffff) | (type == TYPE_CALL_GATE ? d->bits >> 32 & 0xffff0000 : 0);
    gate->offset |= lma ? d->high << 32 : 0;
    return EXEC_OK;
}

/* The gate's target.  'may_raise': CALL may enter a more privileged ring, JMP may not. */
static enum exec_result check_gate_target(struct cpu *cpu, const struct call_gate *gate, bool may_raise,
                                          struct transfer *to)
{
    unsigned cpl = cpu_cpl(cpu);
    uint32_t error = gate->selector & ~3u;
    struct descriptor d;

    if (seg_null(gate->selector)) {
        return sys_gp(cpu);
    }
    TRY(seg_read(cpu, gate->selector, X_GP, 0, &d));
    bool conforming = seg_type(&d) & TYPE_CONFORMING;
    if (!seg_is_user_type(&d) || !(seg_type(&d) & TYPE_CODE) || seg_dpl(&d) > cpl ||
        (!may_raise && !conforming && seg_dpl(&d) != cpl)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (cpu->efer & EFER_LMA && (!seg_long(&d) || seg_big(&d))) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    TRY(seg_set_accessed(cpu, &d));
    *to = (struct transfer){ .cs = seg_load(&d), .cpl = conforming ? cpl : seg_dpl(&d), .rip = gate->offset };
    return EXEC_OK;
}

/* --- JMP ------------------------------------------------------------------------------ */

static enum exec_result far_operand(struct cpu *cpu, const struct sys_insn *insn, uint16_t *selector,
                                    uint64_t *offset)
{
    if (insn->opcode == 0x9a || insn->opcode == 0xea) {
        *selector = (uint16_t)(insn->imm >> 32);
        *offset = (uint32_t)insn->imm;
        return EXEC_OK;
    }
    *offset = 0;
    TRY(sys_memory_read(cpu, insn, 0, offset, insn->operand_size));
    return sys_memory_read(cpu, insn, insn->operand_size, selector, 2);
}

static enum exec_result jump_real(struct cpu *cpu, uint16_t selector, uint64_t offset)
{
    if (offset > cpu->seg[CS].limit) {
        return sys_gp(cpu);
    }
    cpu->seg[CS] = seg_8086(cpu, CS, selector);
    cpu->rip = offset;
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}

enum exec_result sys_far_jmp(struct cpu *cpu, const struct sys_insn *insn)
{
    uint16_t selector = 0;
    uint64_t offset;
    struct descriptor d;
    struct transfer to;

    TRY(far_operand(cpu, insn, &selector, &offset));
    sys_charge(cpu, CHARGE_FAR);
    if (!cpu_is_protected(cpu)) {
        return jump_real(cpu, selector, offset);
    }
    if (seg_null(selector)) {
        return sys_gp(cpu);
    }
    TRY(seg_read(cpu, selector, X_GP, 0, &d));
    if (seg_is_user_type(&d)) {
        TRY(seg_check_code(cpu, &d, 0));
        TRY(check_direct(cpu, &d, offset, &to));
    } else if (names_task(cpu, &d)) {
        return task_transfer(cpu, insn, &d, TASK_JMP);
    } else {
        struct call_gate gate;
        TRY(read_gate(cpu, &d, &gate));
        TRY(check_gate_target(cpu, &gate, false, &to));
    }
    TRY(transfer_check_offset(cpu, &to));
    seg_commit_code(cpu, &to.cs, to.cpl, to.rip);
    return EXEC_JUMP;
}

/* --- CALL ------------------------------------------------------------------------------ */

static void put(uint8_t *frame, unsigned index, uint64_t value, unsigned width)
{
    memcpy(frame + index * width, &value, width);
}

/* Pushes CS and the return address on the current stack. */
static enum exec_result push_return(struct cpu *cpu, const struct sys_insn *insn, unsigned width)
{
    uint8_t frame[16];

    put(frame, 0, insn->next_rip, width);
    put(frame, 1, cpu->seg[CS].selector, width);
    return sys_stack_write_words(cpu, frame, 2, width);
}

static enum exec_result call_same_ring(struct cpu *cpu, const struct sys_insn *insn, const struct transfer *to,
                                       unsigned width)
{
    TRY(sys_stack_probe_words(cpu, 2, width)); /* "IF stack not large enough" comes before the limit of the target */
    TRY(transfer_check_offset(cpu, to));
    TRY(push_return(cpu, insn, width));
    sys_stack_move(cpu, -2 * (int)width);
    seg_commit_code(cpu, &to->cs, to->cpl, to->rip);
    return EXEC_JUMP;
}

/* Stack pointer and segment of an inner ring, from the TSS. */
static enum exec_result inner_stack(struct cpu *cpu, unsigned cpl, struct segment *ss, uint64_t *rsp)
{
    const struct segment *tr = &cpu->seg[TR];
    bool lma = cpu->efer & EFER_LMA, wide = (tr->rights & SEG_TYPE) >= TYPE_TSS;
    unsigned offset = lma ? TSS_RSP0 + cpl * 8 : wide ? 4 + cpl * 8 : 2 + cpl * 4;
    unsigned size = lma ? 8 : wide ? 6 : 4;
    uint8_t image[8] = { 0 };
    struct descriptor d;

    if (offset + size - 1 > tr->limit) {
        return cpu_raise_error(cpu, X_TS, tr->selector & ~3u);
    }
    TRY(cpu_read_system(cpu, tr->base + offset, image, size));
    *rsp = 0;
    memcpy(rsp, image, lma ? 8 : wide ? 4 : 2);
    if (lma) {
        *ss = seg_null_ss(cpl);
        return cpu_canonical(cpu, *rsp) ? EXEC_OK : cpu_raise_error(cpu, X_SS, 0);
    }
    uint16_t selector;
    memcpy(&selector, image + (wide ? 4 : 2), 2);
    if (seg_null(selector)) {
        return cpu_raise_error(cpu, X_TS, 0);
    }
    TRY(seg_read(cpu, selector, X_TS, 0, &d));
    TRY(seg_check_stack(cpu, &d, cpl, X_TS, 0));
    TRY(seg_set_accessed(cpu, &d));
    *ss = seg_load(&d);
    return EXEC_OK;
}

static enum exec_result call_inner_ring(struct cpu *cpu, const struct sys_insn *insn,
                                        const struct call_gate *gate, const struct transfer *to)
{
    uint8_t frame[(4 + 31) * 8];
    unsigned n = gate->parameters, width = gate->width, size = (4 + n) * width;
    struct segment ss;
    uint64_t rsp;

    TRY(inner_stack(cpu, to->cpl, &ss, &rsp));
    put(frame, 0, insn->next_rip, width);
    put(frame, 1, cpu->seg[CS].selector, width);
    if (n) {
        TRY(sys_stack_read(cpu, 0, frame + 2 * width, n * width));
    }
    put(frame, 2 + n, cpu->gpr[RSP], width);
    put(frame, 3 + n, cpu->seg[SS].selector, width);
    uint64_t mask = cpu->efer & EFER_LMA ? ~0ull : ss.rights & SEG_DB ? 0xffffffffull : 0xffffull;
    uint64_t low = (rsp - size) & mask;
    bool fits = cpu->efer & EFER_LMA ? cpu_canonical(cpu, low)
                : ss.rights & TYPE_EXPAND_DOWN ? low > ss.limit && low + size - 1 <= mask
                                               : low + size - 1 <= ss.limit;
    if (!fits) {
        return cpu_raise_error(cpu, X_SS, ss.selector & ~3u);
    }
    TRY(transfer_check_offset(cpu, to));
    TRY(mmu_write_as(cpu, to->cpl, cpu->efer & EFER_LMA ? low : (uint32_t)(ss.base + low), frame, size));
    seg_commit_code(cpu, &to->cs, to->cpl, to->rip);
    cpu->seg[SS] = ss;
    cpu->gpr[RSP] = (rsp & ~mask) | low;
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}

static enum exec_result call_real(struct cpu *cpu, const struct sys_insn *insn, uint16_t selector,
                                  uint64_t offset)
{
    if (offset > cpu->seg[CS].limit) {
        return sys_gp(cpu);
    }
    TRY(push_return(cpu, insn, insn->operand_size));
    sys_stack_move(cpu, -2 * insn->operand_size);
    return jump_real(cpu, selector, offset);
}

enum exec_result sys_far_call(struct cpu *cpu, const struct sys_insn *insn)
{
    uint16_t selector = 0;
    uint64_t offset;
    struct descriptor d;
    struct transfer to;
    struct call_gate gate;

    TRY(far_operand(cpu, insn, &selector, &offset));
    sys_charge(cpu, CHARGE_FAR);
    if (!cpu_is_protected(cpu)) {
        return call_real(cpu, insn, selector, offset);
    }
    if (seg_null(selector)) {
        return sys_gp(cpu);
    }
    TRY(seg_read(cpu, selector, X_GP, 0, &d));
    if (seg_is_user_type(&d)) {
        TRY(seg_check_code(cpu, &d, 0));
        TRY(check_direct(cpu, &d, offset, &to));
        return call_same_ring(cpu, insn, &to, insn->operand_size);
    }
    if (names_task(cpu, &d)) {
        return task_transfer(cpu, insn, &d, TASK_CALL);
    }
    TRY(read_gate(cpu, &d, &gate));
    TRY(check_gate_target(cpu, &gate, true, &to));
    if (to.cpl == cpu_cpl(cpu)) {
        return call_same_ring(cpu, insn, &to, gate.width);
    }
    return call_inner_ring(cpu, insn, &gate, &to);
}

/* --- returns ----------------------------------------------------------------------------- */

enum exec_result transfer_check_return_code(struct cpu *cpu, uint16_t selector, uint64_t rip,
                                            struct transfer *to)
{
    unsigned rpl = selector & 3;
    uint32_t error = selector & ~3u;
    struct descriptor d;

    if (seg_null(selector)) {
        return sys_gp(cpu);
    }
    TRY(seg_read(cpu, selector, X_GP, 0, &d));
    TRY(seg_check_code(cpu, &d, 0));
    bool conforming = seg_type(&d) & TYPE_CONFORMING;
    if (rpl < cpu_cpl(cpu) || (conforming ? seg_dpl(&d) > rpl : seg_dpl(&d) != rpl)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    *to = (struct transfer){ .cs = seg_load(&d), .cpl = rpl, .rip = rip };
    TRY(transfer_check_offset(cpu, to));
    TRY(seg_set_accessed(cpu, &d));
    to->cs = seg_load(&d);
    return EXEC_OK;
}

enum exec_result transfer_check_return_stack(struct cpu *cpu, uint16_t selector, const struct transfer *to,
                                             struct segment *ss)
{
    struct descriptor d;

    if (seg_null(selector)) {
        if (!transfer_is_64bit(cpu, &to->cs) || to->cpl == 3 || (selector & 3u) != to->cpl) {
            return sys_gp(cpu);
        }
        *ss = seg_null_ss(to->cpl);
        return EXEC_OK;
    }
    TRY(seg_read(cpu, selector, X_GP, 0, &d));
    TRY(seg_check_stack(cpu, &d, to->cpl, X_GP, 0));
    TRY(seg_set_accessed(cpu, &d));
    *ss = seg_load(&d);
    return EXEC_OK;
}

void transfer_load_stack(struct cpu *cpu, const struct transfer *to, const struct segment *ss, uint64_t rsp)
{
    bool wide = transfer_is_64bit(cpu, &to->cs) || ss->rights & SEG_DB;

    cpu->seg[SS] = *ss;
    cpu->gpr[RSP] = wide ? rsp : (cpu->gpr[RSP] & ~0xffffull) | (rsp & 0xffff);
}

void transfer_drop_data_segments(struct cpu *cpu, unsigned cpl)
{
    static const uint8_t data[] = { ES, DS, FS, GS };

    for (unsigned i = 0; i < sizeof(data); i++) {
        struct segment *s = &cpu->seg[data[i]];
        bool conforming = (s->rights & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING);
        if (!(s->rights & SEG_UNUSABLE) && !conforming && (s->rights >> SEG_DPL_SHIFT & 3) < cpl) {
            s->selector = 0;
            s->rights = SEG_UNUSABLE;
        } else if (seg_null(s->selector)) {
            s->selector = 0;
        }
    }
}

static enum exec_result return_real(struct cpu *cpu, const struct sys_insn *insn, unsigned release)
{
    uint64_t rip = 0, selector = 0;

    TRY(sys_stack_read(cpu, 0, &rip, insn->operand_size));
    TRY(sys_stack_read(cpu, insn->operand_size, &selector, insn->operand_size));
    if (rip > cpu->seg[CS].limit) {
        return sys_gp(cpu);
    }
    sys_stack_move(cpu, 2 * insn->operand_size + (int)release);
    return jump_real(cpu, (uint16_t)selector, rip);
}

enum exec_result sys_far_ret(struct cpu *cpu, const struct sys_insn *insn)
{
    int width = insn->operand_size;
    unsigned release = insn->opcode == 0xca ? (uint16_t)insn->imm : 0;
    uint64_t rip = 0, selector = 0, rsp = 0, ss_selector = 0;
    struct transfer to;
    struct segment ss;

    sys_charge(cpu, CHARGE_FAR);
    if (!cpu_is_protected(cpu)) {
        return return_real(cpu, insn, release);
    }
    TRY(sys_stack_read(cpu, width, &selector, (unsigned)width));
    TRY(sys_stack_read(cpu, 0, &rip, (unsigned)width));
    TRY(transfer_check_return_code(cpu, (uint16_t)selector, rip, &to));
    if (to.cpl == cpu_cpl(cpu)) {
        sys_stack_move(cpu, 2 * width + (int)release);
        seg_commit_code(cpu, &to.cs, to.cpl, to.rip);
        return EXEC_JUMP;
    }
    TRY(sys_stack_read(cpu, 2 * width + (int)release, &rsp, (unsigned)width));
    TRY(sys_stack_read(cpu, 3 * width + (int)release, &ss_selector, (unsigned)width));
    TRY(transfer_check_return_stack(cpu, (uint16_t)ss_selector, &to, &ss));
    seg_commit_code(cpu, &to.cs, to.cpl, to.rip);
    transfer_load_stack(cpu, &to, &ss, rsp);
    sys_stack_move(cpu, (int)release);
    transfer_drop_data_segments(cpu, to.cpl);
    cpu_update_mode(cpu);
    return EXEC_JUMP;
}
