/* Arithmetic and logic: the host does what the guest asks for; the lazy flags get what the handlers would note. */
#include "sim/cpu/jit/jit_priv.h"

/* --- binary operations ------------------------------------------------------------------ */

/* Operands of one instruction where the host can use them. */
struct operands {
    int to;              /* register of the destination, or NO_REGISTER: [SCRATCH] or a slot */
    struct place place;  /* of the destination when it is in memory */
    int from;            /* register of the source, or NO_REGISTER: immediate, or from_place */
    bool immediate;
    int64_t value;
    struct place from_place;
};

static bool fits(int64_t value) { return value == (int32_t)value; }

/* The source of d,s forms.  A source that must be loaded goes to SCRATCH2 (SCRATCH when the destination
 * is a register and the source no memory operand). */
static void take_source(struct translation *t, struct insn *r, const struct rule *rule, struct operands *o)
{
    int spare = rule->dst == 'r' ? SCRATCH : SCRATCH2;

    o->from = NO_REGISTER;
    o->immediate = false;
    switch (rule->src) {
    case 'i':
        o->value = r->imm;
        o->immediate = fits(r->imm) || rule->bits < 64;
        if (!o->immediate) {
            asm_immediate(&t->a, spare, r->imm);
            o->from = spare;
        }
        break;
    case 'r':
        o->from = host_register(r->src);
        if (o->from == NO_REGISTER) {
            load_slot(t, spare, r->src, rule->bits, false);
            o->from = spare;
        }
        break;
    default:
        o->from_place = at_base(SCRATCH, 0);
        break;
    }
}

static void op_to_register(struct translation *t, int op, int bits, int to, const struct operands *o)
{
    if (o->immediate) {
        asm_alu_immediate(&t->a, op, bits, to, o->value);
    } else if (o->from != NO_REGISTER) {
        asm_alu(&t->a, op, bits, to, o->from);
    } else {
        asm_alu_load(&t->a, op, bits, to, o->from_place);
    }
}

static void op_to_place(struct translation *t, int op, int bits, const struct operands *o)
{
    if (o->immediate) {
        asm_alu_place_immediate(&t->a, op, bits, o->place, o->value);
    } else {
        asm_alu_store(&t->a, op, bits, o->place, o->from);
    }
}

/* cc_b = source, sign-extended; may use SCRATCH2 unless the source is there (then it stays). */
static void note_source(struct translation *t, int bits, const struct operands *o)
{
    struct assembler *a = &t->a;

    if (o->immediate) {
        asm_store_immediate(a, 64, FIELD_OF_CPU(cc_b), o->value);
    } else if (o->from == NO_REGISTER) {
        if (bits == 64) {
            asm_load(a, 64, SCRATCH2, o->from_place);
        } else {
            asm_extend_load(a, true, bits, 64, SCRATCH2, o->from_place);
        }
        asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
    } else if (bits == 64) {
        asm_store(a, 64, FIELD_OF_CPU(cc_b), o->from);
    } else {
        int into = o->from == SCRATCH ? SCRATCH : SCRATCH2; /* extending a scratch source in place loses nothing */
        asm_extend(a, true, bits, 64, into, o->from);
        asm_store(a, 64, FIELD_OF_CPU(cc_b), into);
    }
}

/* cc_a = what is in a register; keeps host flags. */
static void note_register(struct translation *t, int bits, int reg, int scratch)
{
    if (bits < 64) {
        asm_extend(&t->a, true, bits, 64, scratch, reg);
        reg = scratch;
    }
    asm_store(&t->a, 64, FIELD_OF_CPU(cc_a), reg);
}

static unsigned producer_of(unsigned op)
{
    return op == ALU_ADD ? CC_ADD : op == ALU_SUB || op == ALU_CMP ? CC_SUB : CC_LOGIC;
}

/* Host register for the destination slot: its own, or SCRATCH2 with the value loaded. */
static int take_destination(struct translation *t, unsigned slot, int bits)
{
    int host = host_register(slot);

    if (host == NO_REGISTER) {
        load_slot(t, SCRATCH2, slot, bits, false);
        return SCRATCH2;
    }
    return host;
}

/* The value behind SCRATCH, sign-extended, in SCRATCH2; keeps host flags. */
static void load_extended(struct translation *t, int bits)
{
    if (bits == 64) {
        asm_load(&t->a, 64, SCRATCH2, at_base(SCRATCH, 0));
    } else {
        asm_extend_load(&t->a, true, bits, 64, SCRATCH2, at_base(SCRATCH, 0));
    }
}

/* All of these leave the host's flags as the operation set them: noting is done with moves. */
static void binary_register(struct translation *t, struct insn *r, const struct rule *rule, const struct operands *o)
{
    int bits = rule->bits, to;
    bool test = rule->op == ALU_TEST, logic = producer_of(rule->op) == CC_LOGIC;

    if (rule->loud && !logic) {
        note_source(t, bits, o);
    }
    to = take_destination(t, r->dst, bits);
    if (rule->loud && producer_of(rule->op) == CC_SUB) {
        /* SCRATCH may hold the source or its address; a destination of its own register needs SCRATCH2 */
        note_register(t, bits, to, SCRATCH2);
    }
    if (test) {
        if (o->from != to || o->immediate) {
            if (to != SCRATCH2) {
                asm_mov(&t->a, bits == 64 ? 64 : 32, SCRATCH2, to);
            }
            op_to_register(t, ALU_AND, bits, SCRATCH2, o);
            note_register(t, bits, SCRATCH2, SCRATCH2);
        } else {
            note_register(t, bits, to, SCRATCH2);
            asm_test(&t->a, bits, to, to);
        }
        return;
    }
    op_to_register(t, rule->op, bits, to, o);
    if (rule->op == ALU_CMP) {
        return;
    }
    if (rule->loud && producer_of(rule->op) != CC_SUB) {
        note_register(t, bits, to, SCRATCH2);
    }
    if (to == SCRATCH2) {
        store_slot(t, r->dst, SCRATCH2, bits);
    }
}

static void binary_memory(struct translation *t, const struct rule *rule, struct operands *o)
{
    struct assembler *a = &t->a;
    int bits = rule->bits;
    unsigned producer = producer_of(rule->op);
    bool source_in_scratch = o->from == SCRATCH2;

    o->place = at_base(SCRATCH, 0);
    if (rule->op == ALU_TEST) {
        if (source_in_scratch) {
            asm_alu_load(a, ALU_AND, bits, SCRATCH2, o->place);
        } else {
            load_extended(t, bits);
            op_to_register(t, ALU_AND, bits, SCRATCH2, o);
        }
        note_register(t, bits, SCRATCH2, SCRATCH2);
        return;
    }
    if (rule->loud && producer != CC_LOGIC) {
        note_source(t, bits, o);
    }
    if (rule->loud && producer == CC_SUB) {
        load_extended(t, bits);
        asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH2);
        if (source_in_scratch) { /* it waits in cc_b */
            asm_load(a, 64, SCRATCH2, FIELD_OF_CPU(cc_b));
        }
    }
    op_to_place(t, rule->op, bits, o);
    if (rule->loud && producer != CC_SUB) {
        load_extended(t, bits);
        asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH2);
    }
}

void emit_binary(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct operands o;
    bool writes = rule->op != ALU_TEST && rule->op != ALU_CMP;

    if (rule->dst != 'r') {
        emit_access(t, r, rule->dst, writes, rule->bits / 8u);
    } else if (rule->src == 'm' || rule->src == 'x') {
        emit_access(t, r, rule->src, false, rule->bits / 8u);
    }
    if (rule->loud) {
        emit_kind(t, producer_of(rule->op), rule->bits);
    }
    take_source(t, r, rule, &o);
    if (rule->dst == 'r') {
        binary_register(t, r, rule, &o);
    } else {
        binary_memory(t, rule, &o);
    }
}

/* --- one operand ---------------------------------------------------------------------------- */

/* Shifts by imm + 1 (handlers_alu.c: the value one step before the end holds the carry). */
void emit_shift(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, host = host_register(r->dst);
    unsigned count = (unsigned)r->imm;

    if (!rule->loud && host != NO_REGISTER) {
        asm_shift(a, rule->op, bits, host, count + 1);
        return;
    }
    load_slot(t, SCRATCH, r->dst, bits, true);
    if (bits < 32 && rule->op == SHIFT_SHR) {
        asm_extend(a, false, bits, 32, SCRATCH, SCRATCH);
    }
    int wide = bits < 32 ? 32 : bits;
    asm_shift(a, rule->op, wide, SCRATCH, count);
    if (rule->loud) {
        bool is_signed = rule->op != SHIFT_SHR;
        unsigned producer = rule->op == SHIFT_SHL ? CC_SHL : rule->op == SHIFT_SHR ? CC_SHR : CC_SAR;
        emit_kind(t, producer, bits);
        if (bits < 64) {
            asm_extend(a, is_signed, bits, 64, SCRATCH2, SCRATCH);
            asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
        } else {
            asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH);
        }
    }
    asm_shift(a, rule->op, wide, SCRATCH, 1);
    if (rule->loud) {
        note_register(t, bits, SCRATCH, SCRATCH2);
    }
    store_slot(t, r->dst, SCRATCH, bits);
}

enum { UNARY_NOT, UNARY_NEG, UNARY_INC, UNARY_DEC };

/* CF as it is, to be kept in cc_b beside INC's and DEC's result. */
static void note_carry(struct translation *t)
{
    if (t->kind != KIND_UNKNOWN && (t->kind >> 2 == CC_INC || t->kind >> 2 == CC_DEC)) {
        return; /* it is there */
    }
    asm_point(asm_call(&t->a), t->jit->thunk[THUNK_CARRY]);
    asm_rr(&t->a, 0x190 | CC_B, 8, 0, SCRATCH);
    asm_extend(&t->a, false, 8, 32, SCRATCH, SCRATCH);
    asm_store(&t->a, 64, FIELD_OF_CPU(cc_b), SCRATCH);
}

/* NOT, NEG, INC and DEC of a value in 'reg'; the second scratch register is 'other'. */
static void unary_value(struct translation *t, const struct rule *rule, int reg, int other)
{
    struct assembler *a = &t->a;
    int bits = rule->bits;

    if (rule->op == UNARY_NEG) {
        emit_kind(t, CC_SUB, bits);
        asm_store_immediate(a, 64, FIELD_OF_CPU(cc_a), 0);
        if (bits < 64) {
            asm_extend(a, true, bits, 64, other, reg);
        }
        asm_store(a, 64, FIELD_OF_CPU(cc_b), bits < 64 ? other : reg);
    }
    if (rule->op == UNARY_NOT || rule->op == UNARY_NEG) {
        asm_rr(a, bits == 8 ? 0xf6 : 0xf7, bits, rule->op == UNARY_NOT ? 2 : 3, reg);
        return;
    }
    asm_rr(a, bits == 8 ? 0xfe : 0xff, bits, rule->op == UNARY_INC ? 0 : 1, reg);
    emit_kind(t, rule->op == UNARY_INC ? CC_INC : CC_DEC, bits);
    note_register(t, bits, reg, other);
}

void emit_unary(struct translation *t, struct insn *r, const struct rule *rule)
{
    int bits = rule->bits, host = rule->dst == 'r' ? host_register(r->dst) : NO_REGISTER;

    if (host != NO_REGISTER && rule->op != UNARY_NOT && flags_dead(t, r)) {
        asm_rr(&t->a, rule->op == UNARY_NEG ? (bits == 8 ? 0xf6 : 0xf7) : bits == 8 ? 0xfe : 0xff, bits,
               rule->op == UNARY_NEG ? 3 : rule->op == UNARY_INC ? 0 : 1, host);
        return;
    }
    if (rule->dst != 'r') { /* the access first: it may fail */
        emit_access(t, r, rule->dst, true, (unsigned)bits / 8);
        if (rule->op == UNARY_INC || rule->op == UNARY_DEC) { /* the thunk gives flags in SCRATCH */
            asm_store(&t->a, 64, FIELD_OF_CPU(temp2), SCRATCH);
            note_carry(t);
            asm_load(&t->a, 64, SCRATCH, FIELD_OF_CPU(temp2));
        }
        load_extended(t, bits);
        if (rule->op == UNARY_NEG) { /* its operand goes to cc_b and no other register is free */
            emit_kind(t, CC_SUB, bits);
            asm_store_immediate(&t->a, 64, FIELD_OF_CPU(cc_a), 0);
            asm_store(&t->a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
            asm_rr(&t->a, 0xf7, 64, 3, SCRATCH2);
        } else if (rule->op == UNARY_NOT) {
            asm_rr(&t->a, 0xf7, 64, 2, SCRATCH2);
        } else {
            asm_alu_immediate(&t->a, ALU_ADD, 64, SCRATCH2, rule->op == UNARY_INC ? 1 : -1);
            emit_kind(t, rule->op == UNARY_INC ? CC_INC : CC_DEC, bits);
            note_register(t, bits, SCRATCH2, SCRATCH2);
        }
        asm_store(&t->a, bits, at_base(SCRATCH, 0), SCRATCH2);
        return;
    }
    if (rule->op == UNARY_INC || rule->op == UNARY_DEC) {
        note_carry(t);
    }
    if (host != NO_REGISTER) {
        unary_value(t, rule, host, SCRATCH2);
        return;
    }
    load_slot(t, SCRATCH, r->dst, bits, false);
    unary_value(t, rule, SCRATCH, SCRATCH2);
    store_slot(t, r->dst, SCRATCH, bits);
}

/* --- multiplication ------------------------------------------------------------------------------ */

/* Two operands (op 2) or three; flags: the low half, and whether the product was longer. */
void emit_multiply(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits;

    if (rule->src == 'r') {
        load_slot(t, SCRATCH, r->src, bits, false);
    } else {
        emit_access(t, r, rule->src, false, (unsigned)bits / 8);
        asm_load(a, bits, SCRATCH, at_base(SCRATCH, 0));
    }
    if (rule->op == 3) {
        asm_rr(a, 0x69, bits, SCRATCH, SCRATCH);
        put_immediate(a, bits, r->imm);
    } else {
        int host = host_register(r->dst);
        if (host == NO_REGISTER) {
            load_slot(t, SCRATCH2, r->dst, bits, false);
            host = SCRATCH2;
        }
        asm_rr(a, 0x1af, bits, SCRATCH, host);
    }
    if (flags_dead(t, r)) {
        store_slot(t, r->dst, SCRATCH, bits);
        return;
    }
    asm_rr(a, 0x190 | CC_O, 8, 0, SCRATCH2);
    asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
    emit_kind(t, CC_MUL, bits);
    store_slot(t, r->dst, SCRATCH, bits);
    if (bits < 64) {
        asm_extend(a, true, bits, 64, SCRATCH, SCRATCH);
    }
    asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH);
    asm_alu(a, ALU_ADD, 64, SCRATCH2, SCRATCH);
    asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
}

/* rDX:rAX = rAX * source, both registers being the host's own; 32 and 64 bits. */
void emit_wide_multiply(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, from = host_register(r->src);

    if (from == NO_REGISTER) {
        load_slot(t, SCRATCH, r->src, bits, false);
        from = SCRATCH;
    }
    asm_rr(a, 0xf7, bits, rule->op, from); /* 32 bits: both halves are zero-extended, as put_r does */
    if (flags_dead(t, r)) {
        return;
    }
    asm_rr(a, 0x190 | CC_O, 8, 0, SCRATCH2);
    asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
    emit_kind(t, CC_MUL, bits);
    if (bits < 64) {
        asm_extend(a, true, bits, 64, SCRATCH, RAX);
    } else {
        asm_mov(a, 64, SCRATCH, RAX);
    }
    asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH);
    asm_alu(a, ALU_ADD, 64, SCRATCH2, SCRATCH);
    asm_store(a, 64, FIELD_OF_CPU(cc_b), SCRATCH2);
}

