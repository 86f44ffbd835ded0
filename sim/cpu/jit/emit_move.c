/* Moves, addresses, stack, SSE moves in machine code. */
#include "sim/cpu/jit/jit_priv.h"

/* --- moves ------------------------------------------------------------------------------- */

static void store_value(struct translation *t, struct insn *r, const struct rule *rule)
{
    if (rule->src == 'i') {
        asm_store_immediate(&t->a, rule->bits, at_base(SCRATCH, 0), r->imm);
        return;
    }
    int from = host_register(r->src);
    if (from == NO_REGISTER) {
        load_slot(t, SCRATCH2, r->src, rule->bits, false);
        from = SCRATCH2;
    }
    asm_store(&t->a, rule->bits, at_base(SCRATCH, 0), from);
}

void emit_move(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int bits = rule->bits, to = host_register(r->dst);

    if (rule->dst != 'r') {
        emit_access(t, r, rule->dst, true, (unsigned)bits / 8);
        store_value(t, r, rule);
        return;
    }
    if (rule->src == 'r' && (bits >= 32 || to != NO_REGISTER)) {
        int from = host_register(r->src);
        if (to != NO_REGISTER && from != NO_REGISTER) {
            asm_mov(a, bits, to, from);
        } else if (to != NO_REGISTER && !is_high_byte(r->src)) {
            asm_load(a, bits, to, slot_place(r->src));
        } else if (from != NO_REGISTER && bits == 64) {
            asm_store(a, 64, slot_place(r->dst), from);
        } else {
            load_slot(t, SCRATCH, r->src, bits, false);
            store_slot(t, r->dst, SCRATCH, bits);
        }
        return;
    }
    if (rule->src == 'i' && to != NO_REGISTER && bits >= 32) {
        asm_immediate(a, to, bits == 32 ? (int64_t)(uint32_t)r->imm : r->imm);
        return;
    }
    if (rule->src == 'r') {
        load_slot(t, SCRATCH, r->src, bits, false);
    } else if (rule->src == 'i') {
        asm_immediate(a, SCRATCH, r->imm);
    } else {
        emit_access(t, r, rule->src, false, (unsigned)bits / 8);
        if (to != NO_REGISTER) {
            asm_load(a, bits, to, at_base(SCRATCH, 0));
            return;
        }
        asm_load(a, bits, SCRATCH, at_base(SCRATCH, 0));
    }
    store_slot(t, r->dst, SCRATCH, bits);
}

/* MOVZX, MOVSX: from 'op' bits to 'bits'. */
void emit_extend(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    int from_bits = rule->op, bits = rule->bits, to = host_register(r->dst), from;
    bool is_signed = rule->producer;
    int into = to == NO_REGISTER || bits == 16 ? SCRATCH : to, wide = bits == 16 ? 32 : bits;

    if (rule->src != 'r') {
        emit_access(t, r, rule->src, false, (unsigned)from_bits / 8);
        asm_extend_load(a, is_signed, from_bits, is_signed ? wide : 32, into, at_base(SCRATCH, 0));
    } else {
        from = host_register(r->src);
        if (from == NO_REGISTER) {
            load_slot(t, SCRATCH, r->src, from_bits, false);
            from = SCRATCH;
        }
        asm_extend(a, is_signed, from_bits, is_signed ? wide : 32, into, from);
    }
    if (into == SCRATCH) {
        store_slot(t, r->dst, SCRATCH, bits);
    }
}

void emit_movabs(struct translation *t, struct insn *r, const struct rule *rule)
{
    int to = host_register(r->dst);

    (void)rule;
    asm_immediate(&t->a, to == NO_REGISTER ? SCRATCH : to, r->imm);
    if (to == NO_REGISTER) {
        store_slot(t, r->dst, SCRATCH, 64);
    }
}

void emit_lea(struct translation *t, struct insn *r, const struct rule *rule)
{
    int base = host_register(r->base), index = host_register(r->index), to = host_register(r->dst);

    if (to != NO_REGISTER && rule->bits >= 32 && base != NO_REGISTER && (rule->src == 'm' || index != NO_REGISTER)) {
        struct place p = { base, rule->src == 'm' ? NO_REGISTER : index, r->scale, r->disp };
        asm_lea(&t->a, rule->bits, to, p);
        return;
    }
    emit_address(t, r, rule->src);
    store_slot(t, r->dst, SCRATCH, rule->bits);
}

/* CWD, CDQ, CQO. */
void emit_widen(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)r;
    if (rule->bits == 16) {
        put8(&t->a, 0x66);
    } else if (rule->bits == 64) {
        put8(&t->a, 0x48);
    }
    put8(&t->a, 0x99);
}

void emit_swap(struct translation *t, struct insn *r, const struct rule *rule)
{
    int host = host_register(r->dst), reg = host == NO_REGISTER ? SCRATCH : host;

    if (host == NO_REGISTER) {
        load_slot(t, SCRATCH, r->dst, rule->bits, false);
    }
    asm_opcode(&t->a, 0x1c8 | (unsigned)(reg & 7), rule->bits, 0, 0, reg, false);
    if (host == NO_REGISTER) {
        store_slot(t, r->dst, SCRATCH, rule->bits);
    }
}

void emit_nop(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)t;
    (void)r;
    (void)rule;
}

/* temp = memory, sign-extended, knowing that a store would succeed. */
void emit_load_for_write(struct translation *t, struct insn *r, const struct rule *rule)
{
    emit_access(t, r, rule->src, true, rule->bits / 8u);
    if (rule->bits == 64) {
        asm_load(&t->a, 64, SCRATCH, at_base(SCRATCH, 0));
    } else {
        asm_extend_load(&t->a, true, rule->bits, 64, SCRATCH, at_base(SCRATCH, 0));
    }
    asm_store(&t->a, 64, FIELD_OF_CPU(temp), SCRATCH);
}

/* --- addresses into cpu->addr ---------------------------------------------------------------- */

/* op 1: with a segment's base; bits: of the address. */
void emit_ea(struct translation *t, struct insn *r, const struct rule *rule)
{
    emit_address(t, r, 'x');
    if (rule->bits == 32) {
        asm_mov(&t->a, 32, SCRATCH, SCRATCH);
    }
    if (rule->op) {
        int32_t base = (int32_t)(offsetof(struct cpu, seg) + r->segment * sizeof(struct segment) + offsetof(struct segment, base));
        asm_alu_load(&t->a, ALU_ADD, 64, SCRATCH, at_base(CPU_REGISTER, base - CPU_BIAS));
    }
    asm_store(&t->a, 64, FIELD_OF_CPU(addr), SCRATCH);
}

/* --- the 64-bit stack --------------------------------------------------------------------------- */

void emit_push(struct translation *t, struct insn *r, const struct rule *rule)
{
    asm_lea(&t->a, 64, SCRATCH, at_base(GUEST_SP, -8));
    emit_check(t, r, true, 8);
    store_value(t, r, rule);
    asm_lea(&t->a, 64, GUEST_SP, at_base(GUEST_SP, -8));
}

void emit_pop(struct translation *t, struct insn *r, const struct rule *rule)
{
    int to = host_register(r->dst);

    (void)rule;
    asm_mov(&t->a, 64, SCRATCH, GUEST_SP);
    emit_check(t, r, false, 8);
    asm_lea(&t->a, 64, GUEST_SP, at_base(GUEST_SP, 8));
    asm_load(&t->a, 64, to == NO_REGISTER ? SCRATCH : to, at_base(SCRATCH, 0));
    if (to == NO_REGISTER) {
        store_slot(t, r->dst, SCRATCH, 64);
    }
}

/* POP to memory: the value into temp. */
void emit_peek(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    asm_mov(&t->a, 64, SCRATCH, GUEST_SP);
    emit_check(t, r, false, 8);
    asm_load(&t->a, 64, SCRATCH, at_base(SCRATCH, 0));
    asm_store(&t->a, 64, FIELD_OF_CPU(temp), SCRATCH);
}

void emit_leave(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    asm_mov(&t->a, 64, SCRATCH, RBP);
    emit_check(t, r, false, 8);
    asm_lea(&t->a, 64, GUEST_SP, at_base(RBP, 8));
    asm_load(&t->a, 64, RBP, at_base(SCRATCH, 0));
}

/* --- SSE moves; 'dst' and 'src' are numbers of xmm registers --------------------------------------- */

static struct place xmm_place(unsigned number, unsigned half)
{
    return at_base(CPU_REGISTER, (int32_t)(offsetof(struct cpu, xmm) + number * sizeof(union xmm) + half * 8) - CPU_BIAS);
}

enum { MOVUPS_LOAD = 0x110, MOVUPS_STORE = 0x111 };

/* 4, 8 and 16 bytes into the low end, the rest zero (op 0); 8 bytes into the low or high half (op 1, 2). */
void emit_sse_load(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    emit_access(t, r, 'x', false, rule->bits / 8u);
    if (rule->op) {
        asm_load(a, 64, SCRATCH, at_base(SCRATCH, 0));
        asm_store(a, 64, xmm_place(r->dst, rule->op - 1u), SCRATCH);
        sse_written(t, r->dst);
        return;
    }
    if (rule->bits == 128) {
        asm_sse(a, 0, MOVUPS_LOAD, 0, at_base(SCRATCH, 0));
    } else {
        asm_sse(a, rule->bits == 64 ? 0xf2 : 0xf3, MOVUPS_LOAD, 0, at_base(SCRATCH, 0)); /* MOVSD, MOVSS */
    }
    asm_sse(a, 0, MOVUPS_STORE, 0, xmm_place(r->dst, 0));
    sse_written(t, r->dst);
}

void emit_sse_store(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    emit_access(t, r, 'x', true, rule->bits / 8u);
    if (rule->bits == 128) {
        asm_sse(a, 0, MOVUPS_LOAD, 0, xmm_place(r->dst, 0));
        asm_sse(a, 0, MOVUPS_STORE, 0, at_base(SCRATCH, 0));
    } else {
        asm_load(a, rule->bits, SCRATCH2, xmm_place(r->dst, rule->op));
        asm_store(a, rule->bits, at_base(SCRATCH, 0), SCRATCH2);
    }
}

enum { SSE_WHOLE, SSE_QUAD, SSE_LOW4, SSE_LOW8, SSE_HIGH_TO_LOW, SSE_LOW_TO_HIGH, SSE_FROM_GPR, SSE_TO_GPR };

static void move_half(struct translation *t, const struct insn *r, int bits, unsigned to, unsigned from)
{
    asm_load(&t->a, bits, SCRATCH, xmm_place(r->src, from));
    asm_store(&t->a, bits, xmm_place(r->dst, to), SCRATCH);
}

/* What is known of an xmm register that a move wrote; 'before' is from before it. */
static void know_moved(struct translation *t, const struct insn *r, unsigned op, struct sse_known before)
{
    if (op == SSE_TO_GPR) {
        return;
    }
    sse_written(t, r->dst);
    if (op == SSE_FROM_GPR) { /* 'src' is a slot */
        return;
    }
    uint16_t bit = (uint16_t)(1u << r->dst);
    bool low64 = before.low64 >> r->src & 1, low32 = before.low32 >> r->src & 1;

    if (op == SSE_WHOLE || op == SSE_QUAD || op == SSE_LOW8) {
        t->known.low64 |= low64 ? bit : 0;
    }
    if (op <= SSE_LOW8) {
        t->known.low32 |= low32 ? bit : 0;
    }
    if (op == SSE_WHOLE) {
        t->known.pd |= before.pd >> r->src & 1 ? bit : 0;
        t->known.ps |= before.ps >> r->src & 1 ? bit : 0;
    }
}

void emit_sse_move(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    struct sse_known before = t->known;

    switch (rule->op) {
    case SSE_WHOLE:
        asm_sse(a, 0, MOVUPS_LOAD, 0, xmm_place(r->src, 0));
        asm_sse(a, 0, MOVUPS_STORE, 0, xmm_place(r->dst, 0));
        break;
    case SSE_QUAD:
        asm_sse(a, 0xf2, MOVUPS_LOAD, 0, xmm_place(r->src, 0));
        asm_sse(a, 0, MOVUPS_STORE, 0, xmm_place(r->dst, 0));
        break;
    case SSE_LOW4: move_half(t, r, 32, 0, 0); break;
    case SSE_LOW8: move_half(t, r, 64, 0, 0); break;
    case SSE_HIGH_TO_LOW: move_half(t, r, 64, 0, 1); break;
    case SSE_LOW_TO_HIGH: move_half(t, r, 64, 1, 0); break;
    case SSE_FROM_GPR:
        load_slot(t, SCRATCH, r->src, rule->bits, false);
        if (rule->bits == 32) {
            asm_mov(a, 32, SCRATCH, SCRATCH);
        }
        asm_store(a, 64, xmm_place(r->dst, 0), SCRATCH);
        asm_store_immediate(a, 64, xmm_place(r->dst, 1), 0);
        break;
    default:
        asm_load(a, rule->bits, SCRATCH, xmm_place(r->src, 0));
        store_slot(t, r->dst, SCRATCH, 64);
        break;
    }
    know_moved(t, r, rule->op, before);
}
