/* Conditions, jumps, calls, returns in machine code. */
#include "sim/cpu/jit/jit_priv.h"

#include <assert.h>

enum { NEVER = -1, ALWAYS = 16 };
enum { AFTER_ANY, AFTER_SUB, AFTER_LOGIC }; /* order of PRODUCERS in forms.h */

/* --- conditions -------------------------------------------------------------------------- */

/* After a subtraction the operands are there, sign-extended: one compare answers. */
static bool by_operands(unsigned condition)
{
    switch (condition >> 1) {
    case 1: case 2: case 3: case 6: case 7: return true;
    default: return false;
    }
}

/* From the flags themselves, in SCRATCH. */
static int condition_of_flags(struct translation *t, unsigned condition)
{
    static const uint32_t mask[] = { FLAG_O, FLAG_C, FLAG_Z, FLAG_C | FLAG_Z, FLAG_S, FLAG_P, FLAG_S, FLAG_S | FLAG_Z };
    struct assembler *a = &t->a;

    asm_load(a, 64, SCRATCH, FIELD_OF_CPU(cc_a)); /* raw flags stand there */
    asm_alu_place_immediate(a, ALU_CMP, 32, FIELD_OF_CPU(cc_kind), CC_KIND(CC_RAW, 64));
    uint8_t *raw = asm_jcc_short(a, CC_Z);
    asm_point(asm_call(a), t->jit->thunk[THUNK_FLAGS]);
    asm_point_short(a, raw);
    if (condition >> 1 >= 6) { /* S = S ^ O */
        asm_mov(a, 32, SCRATCH2, SCRATCH);
        asm_shift(a, SHIFT_SHR, 32, SCRATCH2, 4); /* O is bit 11, S bit 7 */
        asm_alu_immediate(a, ALU_AND, 32, SCRATCH2, FLAG_S);
        asm_alu(a, ALU_XOR, 32, SCRATCH, SCRATCH2);
    }
    asm_test_immediate(a, 32, SCRATCH, mask[condition >> 1]);
    return condition & 1 ? CC_Z : CC_NZ;
}

int emit_condition(struct translation *t, unsigned producer, unsigned condition)
{
    struct assembler *a = &t->a;
    bool inverted = condition & 1;

    if (t->kind >> 2 == CC_SUB) { /* the operands at their size: the host's flags are the guest's */
        int bits = 8 << (t->kind & 3);
        asm_load(a, 64, SCRATCH, FIELD_OF_CPU(cc_a));
        asm_alu_load(a, ALU_CMP, bits, SCRATCH, FIELD_OF_CPU(cc_b));
        return (int)condition;
    }
    if (producer == AFTER_SUB && by_operands(condition)) {
        asm_load(a, 64, SCRATCH, FIELD_OF_CPU(cc_a));
        asm_alu_load(a, ALU_CMP, 64, SCRATCH, FIELD_OF_CPU(cc_b));
        return (int)condition;
    }
    if (producer == AFTER_LOGIC && condition >> 1 <= 1) {
        return inverted ? ALWAYS : NEVER;
    }
    if (producer == AFTER_LOGIC && condition >> 1 != 5) {
        asm_alu_place_immediate(a, ALU_CMP, 64, FIELD_OF_CPU(cc_a), 0);
        return (int)condition;
    }
    if (condition >> 1 == 1) {
        asm_point(asm_call(a), t->jit->thunk[THUNK_CARRY]);
        return (int)condition;
    }
    return condition_of_flags(t, condition);
}

void emit_set(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int cc = emit_condition(t, rule->producer, rule->condition), host = host_register(r->dst);

    if (cc == NEVER || cc == ALWAYS) {
        asm_immediate(a, SCRATCH, cc == ALWAYS);
    } else if (host != NO_REGISTER) {
        asm_rr(a, 0x190u | (unsigned)cc, 8, 0, host);
        return;
    } else {
        asm_rr(a, 0x190u | (unsigned)cc, 8, 0, SCRATCH);
    }
    store_slot(t, r->dst, SCRATCH, 8);
}

void emit_cmov(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, to = host_register(r->dst), from = host_register(r->src);
    int cc = emit_condition(t, rule->producer, rule->condition);

    if (cc == NEVER || cc == ALWAYS) { /* a 32-bit register loses its upper half in any case */
        load_slot(t, SCRATCH, cc == ALWAYS ? r->src : r->dst, bits, false);
        store_slot(t, r->dst, SCRATCH, bits);
        return;
    }
    if (to == NO_REGISTER) {
        load_slot(t, SCRATCH, r->dst, bits, false); /* moves keep the flags */
        to = SCRATCH;
    }
    if (from != NO_REGISTER) {
        asm_rr(a, 0x140u | (unsigned)cc, bits, to, from);
    } else {
        asm_rm(a, 0x140u | (unsigned)cc, bits, to, slot_place(r->src));
    }
    if (to == SCRATCH) {
        store_slot(t, r->dst, SCRATCH, bits);
    }
}

/* --- leaving the block ---------------------------------------------------------------------- */

/* Continue at the linear address in SCRATCH, as GO of conditions.h. */
static void go(struct translation *t, struct insn *r)
{
    struct assembler *a = &t->a;

    _Static_assert(sizeof(struct jump) == 16 && JUMP_ENTRIES == 16384, "index of the jump cache");
    asm_extend_load(a, false, 8, 32, SCRATCH2, FIELD_OF_CPU(transfer_at));
    asm_rm(a, 0xfe, 8, 0, FIELD_OF_CPU(transfer_at)); /* INC */
    asm_store(a, 64, (struct place){ CPU_REGISTER, SCRATCH2, 3, (int32_t)offsetof(struct cpu, transfer) - CPU_BIAS }, SCRATCH);
    asm_mov(a, 64, SCRATCH2, SCRATCH);
    asm_shift(a, SHIFT_SHR, 64, SCRATCH2, 12);
    asm_alu(a, ALU_XOR, 32, SCRATCH2, SCRATCH);
    asm_alu_immediate(a, ALU_AND, 32, SCRATCH2, JUMP_ENTRIES - 1);
    asm_shift(a, SHIFT_SHL, 32, SCRATCH2, 4);
    asm_alu_load(a, ALU_ADD, 64, SCRATCH2, FIELD_OF_CPU(jump));
    asm_alu_load(a, ALU_XOR, 64, SCRATCH, FIELD_OF_CPU(jump_stamp));
    asm_alu_load(a, ALU_CMP, 64, SCRATCH, at_base(SCRATCH2, offsetof(struct jump, key)));
    pend(t, PENDING_LEAVE, asm_jcc(a, CC_NZ), r);
    asm_alu_load(a, ALU_XOR, 64, SCRATCH, FIELD_OF_CPU(jump_stamp));
    asm_alu_immediate(a, ALU_AND, 64, SCRATCH, -4096);
    asm_store(a, 64, FIELD_OF_CPU(code_page), SCRATCH);
    asm_load(a, 64, SCRATCH2, at_base(SCRATCH2, offsetof(struct jump, entry)));
    asm_load(a, 32, SCRATCH, at_base(SCRATCH2, offsetof(struct insn, gate)));
    asm_alu_store(a, ALU_SUB, 64, FIELD_OF_CPU(budget), SCRATCH);
    asm_point(asm_jcc(a, CC_S), t->jit->thunk[THUNK_CLOSED]);
    asm_rm(a, 0xff, 32, 4, at_base(SCRATCH2, (int32_t)offsetof(struct insn, code) - (int32_t)sizeof(struct insn)));
}

static uint8_t *branch(struct assembler *a, int cc)
{
    return cc == ALWAYS ? asm_jump(a) : asm_jcc(a, cc);
}

void emit_link(struct translation *t, struct insn *r, int cc)
{
    struct insn *to = r->link;

    if (cc == NEVER) {
        return;
    }
    if (to == t->entry) {
        asm_point(branch(&t->a, cc), t->head);
    } else if (jit_has_code(t->jit, to)) {
        asm_point(branch(&t->a, cc), jit_head(t->jit, to));
    } else if (to->form == FORM_away && cc == ALWAYS) {
        emit_away(t, to, NULL);
    } else {
        pend(t, PENDING_LINK, branch(&t->a, cc), r);
    }
}

void emit_jump(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    emit_link(t, r, ALWAYS);
}

void emit_away(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    asm_load(&t->a, 64, SCRATCH, FIELD_OF_CPU(code_page));
    if (r->imm == (int32_t)r->imm) {
        asm_alu_immediate(&t->a, ALU_ADD, 64, SCRATCH, r->imm);
    } else {
        asm_immediate(&t->a, SCRATCH2, r->imm);
        asm_alu(&t->a, ALU_ADD, 64, SCRATCH, SCRATCH2);
    }
    go(t, r);
}

void emit_jcc(struct translation *t, struct insn *r, const struct rule *rule)
{
    int cc = emit_condition(t, rule->producer, rule->condition);

    emit_link(t, r, cc);
    if (cc != ALWAYS) {
        emit_link(t, r + 1, ALWAYS);
    }
}

/* The comparison leaves the host's flags just so. */
void emit_fused(struct translation *t, struct insn *r, const struct rule *rule)
{
    emit_binary(t, r, rule);
    emit_link(t, r + 1, rule->condition);
    emit_link(t, r + 2, ALWAYS);
}

static void load_target(struct translation *t, const struct insn *r, int into)
{
    int from = host_register(r->src);

    if (from == NO_REGISTER) {
        asm_load(&t->a, 64, into, slot_place(r->src));
    } else {
        asm_mov(&t->a, 64, into, from);
    }
}

void emit_go(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    load_target(t, r, SCRATCH);
    go(t, r);
}

enum { CALL_LINK, CALL_AWAY, CALL_GO };

void emit_call(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    asm_lea(a, 64, SCRATCH, at_base(GUEST_SP, -8));
    emit_check(t, r, true, 8);
    if (rule->op == CALL_GO) { /* what may not be canonical is the handler's */
        load_target(t, r, SCRATCH2);
        asm_shift(a, SHIFT_SAR, 64, SCRATCH2, 47);
        asm_alu_immediate(a, ALU_ADD, 64, SCRATCH2, 1);
        asm_alu_immediate(a, ALU_CMP, 64, SCRATCH2, 1);
        pend(t, PENDING_HANDLER, asm_jcc(a, CC_NBE), r);
    }
    asm_load(a, 64, SCRATCH2, FIELD_OF_CPU(code_page));
    asm_alu_immediate(a, ALU_ADD, 64, SCRATCH2, r->offset + r->length);
    asm_store(a, 64, at_base(SCRATCH, 0), SCRATCH2);
    if (rule->op == CALL_GO) {
        load_target(t, r, SCRATCH); /* rSP itself may be it: before it changes */
    }
    asm_lea(a, 64, GUEST_SP, at_base(GUEST_SP, -8));
    switch (rule->op) {
    case CALL_LINK: emit_link(t, r, ALWAYS); break;
    case CALL_AWAY: emit_away(t, r, NULL); break;
    default: go(t, r); break;
    }
}

void emit_ret(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    asm_mov(&t->a, 64, SCRATCH, GUEST_SP);
    emit_check(t, r, false, 8);
    asm_load(&t->a, 64, SCRATCH, at_base(SCRATCH, 0));
    asm_lea(&t->a, 64, GUEST_SP, at_base(GUEST_SP, (int32_t)(8 + r->imm)));
    go(t, r);
}
