/* AVX in machine code: moves, and the operations on integers whose SSE sister the host has.
 *
 * A ymm register is two vectors in struct cpu, so the host's SSE does: an operation is written once per lane, its
 * results are stored when both are there, and what VEX clears is stored as zeros.
 */
#include "sim/cpu/avx/avx.h"
#include "sim/cpu/jit/jit_priv.h"

enum { X0, X1, X2, X3 }; /* host registers: result and operand of the lower lane, of the upper lane */
enum { MOVUPS_LOAD = 0x110, MOVUPS_STORE = 0x111, MOVD_LOAD = 0x16e, PMOVMSKB = 0xd7, XORPS = 0x57 };

static struct place vector_place(unsigned number, bool upper)
{
    size_t base = upper ? offsetof(struct cpu, ymm_high) : offsetof(struct cpu, xmm);
    return at_base(CPU_REGISTER, (int32_t)(base + number * sizeof(union xmm)) - CPU_BIAS);
}

static void load_vector(struct translation *t, int reg, struct place p) { asm_sse(&t->a, 0, MOVUPS_LOAD, reg, p); }
static void store_vector(struct translation *t, struct place p, int reg) { asm_sse(&t->a, 0, MOVUPS_STORE, reg, p); }

/* Both registers below 8, or 'reg' a general register. */
static void between(struct translation *t, unsigned prefix, unsigned byte, int reg, int rm)
{
    if (prefix) {
        put8(&t->a, prefix);
    }
    if (reg > 7) {
        put8(&t->a, 0x44);
    }
    put8(&t->a, 0x0f);
    put8(&t->a, byte);
    put8(&t->a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)rm);
}

static void clear_upper(struct translation *t, unsigned number)
{
    between(t, 0, XORPS, X3, X3);
    store_vector(t, vector_place(number, true), X3);
}

/* --- moves -------------------------------------------------------------------------------- */

void emit_avx_load(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    emit_access(t, r, 'x', false, rule->bits == 0 ? 32 : rule->bits / 8u);
    if (rule->bits == 32 || rule->bits == 64) {
        asm_sse(a, rule->bits == 64 ? 0xf2 : 0xf3, MOVUPS_LOAD, X0, at_base(SCRATCH, 0)); /* MOVSD, MOVSS */
    } else {
        load_vector(t, X0, at_base(SCRATCH, 0));
    }
    if (rule->bits == 0) {
        load_vector(t, X2, at_base(SCRATCH, 16));
        store_vector(t, vector_place(r->dst, true), X2);
    } else {
        clear_upper(t, r->dst);
    }
    store_vector(t, vector_place(r->dst, false), X0);
    sse_written(t, r->dst);
}

void emit_avx_store(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    emit_access(t, r, 'x', true, 32);
    load_vector(t, X0, vector_place(r->dst, false));
    load_vector(t, X2, vector_place(r->dst, true));
    store_vector(t, at_base(SCRATCH, 0), X0);
    store_vector(t, at_base(SCRATCH, 16), X2);
}

/* Whole registers; 'op': 16 or 32 bytes, 8 for a quadword. */
void emit_avx_move(struct translation *t, struct insn *r, const struct rule *rule)
{
    if (rule->op == 8) {
        asm_sse(&t->a, 0xf2, MOVUPS_LOAD, X0, vector_place(r->src, false));
    } else {
        load_vector(t, X0, vector_place(r->src, false));
    }
    if (rule->op == 32) {
        load_vector(t, X2, vector_place(r->src, true));
        store_vector(t, vector_place(r->dst, true), X2);
    } else {
        clear_upper(t, r->dst);
    }
    store_vector(t, vector_place(r->dst, false), X0);
    sse_written(t, r->dst);
}

void emit_avx_from_gpr(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    load_slot(t, SCRATCH, r->src, rule->bits, false);
    clear_upper(t, r->dst);
    store_vector(t, vector_place(r->dst, false), X3);
    asm_store(a, rule->bits, vector_place(r->dst, false), SCRATCH);
    sse_written(t, r->dst);
}

/* 'imm' registers. */
void emit_avx_zero_upper(struct translation *t, struct insn *r, const struct rule *rule)
{
    (void)rule;
    between(t, 0, XORPS, X3, X3);
    for (unsigned i = 0; i < (unsigned)r->imm; i++) {
        store_vector(t, vector_place(i, true), X3);
    }
}

/* --- operations ------------------------------------------------------------------------------ */

static void operate(struct translation *t, struct insn *r, const struct rule *rule, int result, int operand)
{
    if (rule->dst == 'U') { /* a shift by an immediate */
        between(t, rule->prefix, rule->op, rule->digit, result);
    } else {
        between(t, rule->prefix, rule->op, result, operand);
    }
    if (rule->immediate) {
        put8(&t->a, (uint8_t)(r->imm >> AVX_IMM));
    }
}

/* 'src' is the first source, 'base' the second without memory; 'wide': both lanes. */
void emit_avx_host(struct translation *t, struct insn *r, const struct rule *rule)
{
    bool memory = rule->src == 'm';

    if (memory) {
        emit_access(t, r, 'x', false, rule->wide ? 32 : 16);
    }
    load_vector(t, X0, vector_place(r->src, false));
    load_vector(t, X1, memory ? at_base(SCRATCH, 0) : vector_place(r->base, false));
    operate(t, r, rule, X0, X1);
    if (rule->wide) {
        load_vector(t, X2, vector_place(r->src, true));
        load_vector(t, X3, memory ? at_base(SCRATCH, 16) : vector_place(r->base, true));
        operate(t, r, rule, X2, X3);
        store_vector(t, vector_place(r->dst, true), X2);
    } else {
        clear_upper(t, r->dst);
    }
    store_vector(t, vector_place(r->dst, false), X0);
    sse_written(t, r->dst);
}

/* VPMOVMSKB of 32 bytes. */
void emit_avx_byte_mask(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    (void)rule;
    load_vector(t, X0, vector_place(r->src, false));
    load_vector(t, X2, vector_place(r->src, true));
    between(t, 0x66, PMOVMSKB, SCRATCH, X0);
    between(t, 0x66, PMOVMSKB, SCRATCH2, X2);
    asm_shift(a, SHIFT_SHL, 32, SCRATCH2, 16);
    asm_alu(a, ALU_OR, 32, SCRATCH, SCRATCH2);
    store_slot(t, r->dst, SCRATCH, 64);
}
