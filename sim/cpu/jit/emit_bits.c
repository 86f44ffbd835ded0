/* Bits, exchanges, carries, rotates, shifts by CL and division in machine code. */
#include "sim/cpu/jit/jit_priv.h"

/* --- bits and exchanges --------------------------------------------------------------------------- */

/* BT, BTS, BTR, BTC on a slot: CF alone changes. */
void emit_bit_test(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, host = host_register(r->dst), number;

    asm_point(asm_call(a), t->jit->thunk[THUNK_FLAGS]);
    asm_alu_immediate(a, ALU_AND, 32, SCRATCH, ~FLAG_C);
    number = host_register(r->src);
    if (number == NO_REGISTER) {
        load_slot(t, SCRATCH2, r->src, bits, false);
        number = SCRATCH2;
    }
    if (host == NO_REGISTER) { /* the flags wait in cc_a */
        asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH);
        load_slot(t, SCRATCH, r->dst, bits, false);
        asm_rr(a, rule->op == 0 ? 0x1a3 : rule->op == 1 ? 0x1ab : rule->op == 2 ? 0x1b3 : 0x1bb, bits, number, SCRATCH);
        asm_rr(a, 0x190 | CC_B, 8, 0, SCRATCH2);
        asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
        asm_alu_store(a, ALU_OR, 64, FIELD_OF_CPU(cc_a), SCRATCH2);
        if (rule->op != 0) {
            store_slot(t, r->dst, SCRATCH, bits);
        }
    } else {
        asm_rr(a, rule->op == 0 ? 0x1a3 : rule->op == 1 ? 0x1ab : rule->op == 2 ? 0x1b3 : 0x1bb, bits, number, host);
        asm_rr(a, 0x190 | CC_B, 8, 0, SCRATCH2);
        asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
        asm_alu(a, ALU_OR, 32, SCRATCH, SCRATCH2);
        asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH);
    }
    emit_kind(t, CC_RAW, 64);
}

void emit_exchange(struct translation *t, struct insn *r, const struct rule *rule)
{
    load_slot(t, SCRATCH, r->dst, rule->bits, false);
    load_slot(t, SCRATCH2, r->src, rule->bits, false);
    store_slot(t, r->src, SCRATCH, rule->bits);
    store_slot(t, r->dst, SCRATCH2, rule->bits);
}

void emit_exchange_add(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    emit_kind(t, CC_ADD, rule->bits);
    load_slot(t, SCRATCH2, r->src, rule->bits, true);
    load_slot(t, SCRATCH, r->dst, rule->bits, false);
    asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
    asm_alu(a, ALU_ADD, rule->bits == 64 ? 64 : 32, SCRATCH2, SCRATCH);
    store_slot(t, r->src, SCRATCH, rule->bits);
    if (rule->bits < 64) {
        asm_extend(a, true, rule->bits, 64, SCRATCH2, SCRATCH2);
    }
    asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH2);
    store_slot(t, r->dst, SCRATCH2, rule->bits);
}

/* When unequal the destination keeps its value and rAX takes it. */
void emit_cmpxchg(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits;

    emit_kind(t, CC_SUB, bits);
    load_slot(t, SCRATCH, r->dst, bits, true);
    load_slot(t, SCRATCH2, SLOT_GPR, bits, true);
    asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH);
    asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH2);
    asm_alu(a, ALU_CMP, 64, SCRATCH, SCRATCH2);
    uint8_t *unequal = asm_jcc_short(a, CC_NZ);
    load_slot(t, SCRATCH, r->src, bits, false);
    store_slot(t, r->dst, SCRATCH, bits);
    uint8_t *done = asm_jump_short(a);
    asm_point_short(a, unequal);
    store_slot(t, SLOT_GPR, SCRATCH, bits);
    asm_point_short(a, done);
}

/* --- with carry ------------------------------------------------------------------------------------ */

static void note_extended(struct translation *t, int bits, struct place to, int reg, int scratch)
{
    if (bits < 64) {
        asm_extend(&t->a, true, bits, 64, scratch, reg);
        reg = scratch;
    }
    asm_store(&t->a, 64, to, reg);
}

/* ADC and SBB of a register; the kind noted says whether there was a carry to begin with. */
void emit_carry_binary(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, to = host_register(r->dst), from = rule->src == 'r' ? host_register(r->src) : NO_REGISTER;
    bool subtract = rule->op == ALU_SBB;
    unsigned plain = subtract ? CC_SUB : CC_ADD, with = subtract ? CC_SBB : CC_ADC;

    asm_point(asm_call(a), t->jit->thunk[THUNK_CARRY]);
    asm_rr(a, 0x190 | CC_B, 8, 0, SCRATCH2);
    asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
    asm_rr(a, 0x6b, 32, SCRATCH, SCRATCH2);
    put8(a, (with - plain) << 2);
    asm_alu_immediate(a, ALU_ADD, 32, SCRATCH, CC_KIND(plain, bits));
    asm_store(a, 32, FIELD_OF_CPU(cc_kind), SCRATCH);
    t->kind = KIND_UNKNOWN;
    if (rule->src == 'i') {
        asm_store_immediate(a, 64, FIELD_OF_CPU(cc_b), r->imm);
    } else {
        load_slot(t, SCRATCH, r->src, bits, true);
        asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH);
    }
    if (subtract) {
        note_extended(t, bits, FIELD_OF_CPU(cc_a), to, SCRATCH);
    }
    asm_shift(a, SHIFT_SHR, 32, SCRATCH2, 1);
    if (rule->src == 'i') {
        asm_alu_immediate(a, rule->op, bits, to, r->imm);
    } else if (from != NO_REGISTER) {
        asm_alu(a, rule->op, bits, to, from);
    } else {
        asm_alu_load(a, rule->op, bits, to, slot_place(r->src));
    }
    if (!subtract) {
        note_extended(t, bits, FIELD_OF_CPU(cc_a), to, SCRATCH);
    }
}

/* --- shifts and rotates ------------------------------------------------------------------------------ */

/* By CL, 32 and 64 bits: a count of 0 changes no flag. */
void emit_variable_shift(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, to = host_register(r->dst);
    unsigned producer = rule->op == SHIFT_SHL ? CC_SHL : rule->op == SHIFT_SHR ? CC_SHR : CC_SAR;

    if (flags_dead(t, r)) {
        asm_rr(a, 0xd3, bits, rule->op, to);
        if (bits == 32) {
            asm_mov(a, 32, to, to); /* the host, too, clears the upper half only if it shifts */
        }
        return;
    }
    if (bits == 32) {
        asm_mov(a, 32, to, to);
    }
    asm_test_immediate(a, 8, RCX, bits - 1);
    uint8_t *skip = asm_jcc_short(a, CC_Z);
    asm_mov(a, bits, SCRATCH, to);
    asm_lea(a, 64, RCX, at_base(RCX, -1));
    asm_rr(a, 0xd3, bits, rule->op, SCRATCH);
    asm_lea(a, 64, RCX, at_base(RCX, 1));
    if (rule->op == SHIFT_SHR) {
        asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH);
    } else {
        note_extended(t, bits, FIELD_OF_CPU(cc_b), SCRATCH, SCRATCH2);
    }
    asm_shift(a, rule->op, bits, SCRATCH, 1);
    note_extended(t, bits, FIELD_OF_CPU(cc_a), SCRATCH, SCRATCH2);
    asm_mov(a, bits, to, SCRATCH);
    emit_kind(t, producer, bits);
    asm_point_short(a, skip);
    t->kind = KIND_UNKNOWN; /* as before if the count was 0 */
}

/* By an immediate, when nobody asks for CF and OF. */
void emit_rotate(struct translation *t, struct insn *r, const struct rule *rule)
{
    asm_shift(&t->a, rule->op, rule->bits, host_register(r->dst), (unsigned)r->imm % rule->bits);
    if (rule->bits == 32) {
        asm_mov(&t->a, 32, host_register(r->dst), host_register(r->dst));
    }
}

/* --- division ------------------------------------------------------------------------------------------ */

static void compare_divisor(struct translation *t, const struct insn *r, int bits, int with)
{
    int by = host_register(r->src);

    if (by == NO_REGISTER) {
        asm_alu_load(&t->a, ALU_CMP, bits, with, slot_place(r->src));
    } else {
        asm_alu(&t->a, ALU_CMP, bits, with, by);
    }
}

/* What might not fit is left to the handler.  The flags stay as they are. */
void emit_divide(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, by = host_register(r->src);
    bool is_signed = rule->op == 7;

    if (is_signed) { /* the dividend is a sign-extended rAX, the divisor neither 0 nor -1 */
        asm_mov(a, bits, SCRATCH, RAX);
        asm_shift(a, SHIFT_SAR, bits, SCRATCH, (unsigned)bits - 1);
        asm_alu(a, ALU_CMP, bits, SCRATCH, RDX);
        pend(t, PENDING_HANDLER, asm_jcc(a, CC_NZ), r);
        load_slot(t, SCRATCH, r->src, bits, false);
        asm_alu_immediate(a, ALU_ADD, bits, SCRATCH, 1);
        asm_alu_immediate(a, ALU_CMP, bits, SCRATCH, 1);
        pend(t, PENDING_HANDLER, asm_jcc(a, CC_BE), r);
    } else {
        compare_divisor(t, r, bits, RDX);
        pend(t, PENDING_HANDLER, asm_jcc(a, CC_NB), r);
    }
    if (by == NO_REGISTER) {
        asm_rm(a, 0xf7, bits, rule->op, slot_place(r->src));
    } else {
        asm_rr(a, 0xf7, bits, rule->op, by);
    }
}
