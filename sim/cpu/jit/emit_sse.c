/* SSE in machine code.
 *
 * Operations that cannot fault are the host's own: the instruction is written again, with its operands where
 * struct cpu keeps them.  Floating point is the host's too, under the conditions of sim/cpu/sse/ieee_quick.h, which the
 * code checks; what does not meet them is the handler's.  MXCSR must ask for round-to-nearest and have PE set and
 * masked; operands must not be denormal, results be normal or rightly zero.  What was checked once is remembered along the
 * record's way through the block (struct sse_known): code is never entered behind its start but where
 * nothing is assumed, and a record's slow path leads on to the next record's code, so what came from memory is forgotten.
 */
#include "sim/cpu/jit/jit_priv.h"
#include "sim/cpu/sse/ieee.h"

enum { X0, X1, X2, X3, X4, X5, X6, X7 }; /* host registers; none keeps anything between records */
enum { MOVUPS_LOAD = 0x10, MOVUPS_STORE = 0x11, MOVHLPS = 0x12, MOVAPS = 0x28, MOVMSKPS = 0x50, COMI = 0x2e, MOVD_STORE = 0x7e };
enum { PREFIX_OF_PD = 0x66, PREFIX_OF_SS = 0xf3, PREFIX_OF_SD = 0xf2 };

/* --- encoding ------------------------------------------------------------------------------- */

static void opcode(struct assembler *a, unsigned prefix, unsigned map, unsigned byte, bool wide, int reg, int index, int base)
{
    unsigned rex = (wide ? 8u : 0) | (reg > 7 ? 4u : 0) | (index > 7 ? 2u : 0) | (base > 7 ? 1u : 0);

    if (prefix) {
        put8(a, prefix);
    }
    if (rex) {
        put8(a, 0x40 | rex);
    }
    put8(a, 0x0f);
    if (map > 1) {
        put8(a, map == 2 ? 0x38 : 0x3a);
    }
    put8(a, byte);
}

static void with_place(struct assembler *a, unsigned prefix, unsigned byte, int reg, struct place p)
{
    opcode(a, prefix, 1, byte, false, reg, p.index, p.base);
    asm_modrm(a, reg, p);
}

static void with_register(struct assembler *a, unsigned prefix, unsigned byte, int reg, int rm)
{
    opcode(a, prefix, 1, byte, false, reg, 0, rm);
    put8(a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(rm & 7));
}

/* One of the vectors of jit_make_constants(), relative to rip. */
static void with_constant(struct translation *t, unsigned prefix, unsigned byte, int reg, enum jit_constant n)
{
    struct assembler *a = &t->a;

    opcode(a, prefix, 1, byte, false, reg, 0, 0);
    put8(a, 5 | (unsigned)(reg & 7) << 3);
    put32(a, 0);
    asm_point(a->at - 4, t->jit->code + 16 * n);
}

static struct place xmm_place(unsigned number, unsigned offset)
{
    return at_base(CPU_REGISTER, (int32_t)(offsetof(struct cpu, xmm) + number * sizeof(union xmm) + offset) - CPU_BIAS);
}

/* --- what is known ----------------------------------------------------------------------------- */

void jit_make_constants(struct jit *j)
{
    static const uint32_t value[CONSTANT_COUNT] = {
        /* of sim/cpu/sse/quick.h: unsigned compares as signed ones */
        [CONSTANT_MAGNITUDE] = 0x7fffffff, [CONSTANT_DENORMAL] = 0x007fffff ^ 0x80000000,
        [CONSTANT_SAFE_BIAS] = 0x80000000 - 0x01000000, [CONSTANT_SAFE] = (0x7f800000 - 0x01000000) ^ 0x80000000,
        [CONSTANT_ONES] = 0xffffffff,
    };
    for (unsigned i = 0; i < CONSTANT_COUNT * 4; i++) {
        memcpy(j->code + 4 * i, &value[i / 4], 4);
    }
}

void sse_forget(struct translation *t)
{
    t->known = (struct sse_known){ .mxcsr = false };
}

void sse_written(struct translation *t, unsigned xmm)
{
    uint16_t others = (uint16_t)~(1u << xmm);
    t->known.low64 &= others;
    t->known.low32 &= others;
    t->known.pd &= others;
    t->known.ps &= others;
}

/* --- operations on integers ------------------------------------------------------------------------- */

static void host_operation(struct translation *t, const struct rule *rule, int reg, int rm)
{
    opcode(&t->a, rule->prefix, rule->map, rule->op, rule->wide, reg, 0, rm);
    put8(&t->a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(rm & 7));
}

static void put_sse_immediate(struct translation *t, const struct insn *r, const struct rule *rule)
{
    if (rule->immediate) {
        put8(&t->a, (uint8_t)r->imm);
    }
}

/* To a general register; those of SSE4.1 name it in ModRM.rm. */
static void to_general(struct translation *t, struct insn *r, const struct rule *rule)
{
    with_place(&t->a, 0, MOVUPS_LOAD, X0, xmm_place(r->src, 0));
    if (rule->dst == 'R') {
        host_operation(t, rule, X0, SCRATCH);
    } else {
        host_operation(t, rule, SCRATCH, X0);
    }
    put_sse_immediate(t, r, rule);
    store_slot(t, r->dst, SCRATCH, 64);
}

void emit_sse_host(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    if (rule->src == 'm') {
        emit_access(t, r, 'x', false, rule->bits / 8u);
    }
    if (rule->dst == 'G' || rule->dst == 'R') {
        to_general(t, r, rule);
        return;
    }
    with_place(a, 0, MOVUPS_LOAD, X0, xmm_place(r->dst, 0));
    if (rule->dst == 'U') { /* a shift by an immediate: the digit is where reg would be */
        host_operation(t, rule, rule->digit, X0);
    } else if (rule->src == 'm' && rule->bits == 128) {
        with_place(a, 0, MOVUPS_LOAD, X1, at_base(SCRATCH, 0));
        host_operation(t, rule, X0, X1);
    } else if (rule->src == 'e') {
        load_slot(t, SCRATCH, r->src, 64, false);
        host_operation(t, rule, X0, SCRATCH);
    } else {
        struct place p = rule->src == 'm' ? at_base(SCRATCH, 0) : xmm_place(r->src, 0);
        opcode(a, rule->prefix, rule->map, rule->op, rule->wide, X0, p.index, p.base);
        asm_modrm(a, X0, p);
    }
    put_sse_immediate(t, r, rule);
    with_place(a, 0, MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    sse_written(t, r->dst);
}

/* --- conditions of floating point ---------------------------------------------------------------------- */

static void unless(struct translation *t, int cc, struct insn *r)
{
    pend(t, PENDING_HANDLER, asm_jcc(&t->a, cc), r);
}

static void check_mxcsr(struct translation *t, struct insn *r)
{
    if (t->known.mxcsr) {
        return;
    }
    t->known.mxcsr = true;
    asm_load(&t->a, 32, SCRATCH2, FIELD_OF_CPU(mxcsr));
    asm_alu_immediate(&t->a, ALU_AND, 32, SCRATCH2, MXCSR_RC | MXCSR_PE | MXCSR_PM);
    asm_alu_immediate(&t->a, ALU_CMP, 32, SCRATCH2, MXCSR_PE | MXCSR_PM);
    unless(t, CC_NZ, r);
}

/* The number's exponent in SCRATCH2; '*zero': a jump that is taken for zero. */
static uint8_t *load_exponent(struct translation *t, struct place p, unsigned bits)
{
    struct assembler *a = &t->a;

    asm_load(a, (int)bits, SCRATCH2, p);
    asm_alu(a, ALU_ADD, (int)bits, SCRATCH2, SCRATCH2);
    uint8_t *zero = asm_jcc_short(a, CC_Z);
    asm_shift(a, SHIFT_SHR, (int)bits, SCRATCH2, bits == 64 ? 53 : 24);
    return zero;
}

/* No denormal. */
static void check_plain(struct translation *t, struct insn *r, struct place p, unsigned bits)
{
    uint8_t *zero = load_exponent(t, p, bits);

    unless(t, CC_Z, r); /* of the shift */
    asm_point_short(&t->a, zero);
}

static uint16_t *known_low(struct translation *t, unsigned bits)
{
    return bits == 64 ? &t->known.low64 : &t->known.low32;
}

static void check_low(struct translation *t, struct insn *r, unsigned xmm, unsigned bits)
{
    uint16_t *known = known_low(t, bits);

    if (!(*known >> xmm & 1)) {
        check_plain(t, r, xmm_place(xmm, 0), bits);
        *known |= (uint16_t)(1u << xmm);
    }
}

/* Where the second operand is, when it has been checked. */
static struct place source(struct translation *t, struct insn *r, const struct rule *rule, bool plain)
{
    if (rule->src == 'm') {
        emit_access(t, r, 'x', false, rule->bits / 8u);
        if (plain) {
            check_plain(t, r, at_base(SCRATCH, 0), rule->bits);
        }
        return at_base(SCRATCH, 0);
    }
    if (plain) {
        check_low(t, r, r->src, rule->bits);
    }
    return xmm_place(r->src, 0);
}

/* A scalar was written to the low end.  A slow path by memory may have left anything there. */
static void low_written(struct translation *t, unsigned xmm, unsigned bits, bool plain)
{
    uint16_t bit = (uint16_t)(1u << xmm), pd = t->known.pd & bit, ps = t->known.ps & bit;

    sse_written(t, xmm);
    if (plain) {
        *known_low(t, bits) |= bit;
        t->known.pd |= bits == 64 ? pd : 0;
        t->known.ps |= bits == 32 ? ps : 0;
    }
}

static unsigned scalar_prefix(unsigned bits) { return bits == 64 ? PREFIX_OF_SD : PREFIX_OF_SS; }

/* The result of an operation on X0 is normal, the smallest exponent kept out, or a zero that 'zeros' allows:
 * 0 any, 'e' when either operand is one, 'a' when the first is, 'b' when the second is. */
static void check_result(struct translation *t, struct insn *r, unsigned bits, struct place second, char zeros)
{
    struct assembler *a = &t->a;
    uint8_t *not_zero, *first_is_zero = NULL;

    opcode(a, 0x66, 1, MOVD_STORE, bits == 64, X0, 0, SCRATCH2);
    put8(a, 0xc0u | X0 << 3 | (SCRATCH2 & 7));
    asm_alu(a, ALU_ADD, (int)bits, SCRATCH2, SCRATCH2);
    if (!zeros) {
        not_zero = asm_jcc_short(a, CC_Z);
    } else {
        not_zero = asm_jcc_short(a, CC_NZ);
        if (zeros != 'b') {
            asm_load(a, (int)bits, SCRATCH2, xmm_place(r->dst, 0));
            asm_alu(a, ALU_ADD, (int)bits, SCRATCH2, SCRATCH2);
        }
        if (zeros == 'e') {
            first_is_zero = asm_jcc_short(a, CC_Z);
        }
        if (zeros != 'a') {
            asm_load(a, (int)bits, SCRATCH2, second);
            asm_alu(a, ALU_ADD, (int)bits, SCRATCH2, SCRATCH2);
        }
        unless(t, CC_NZ, r);
        uint8_t *done = asm_jump_short(a);
        asm_point_short(a, not_zero);
        not_zero = done;
    }
    asm_shift(a, SHIFT_SHR, (int)bits, SCRATCH2, bits == 64 ? 53 : 24);
    asm_alu_immediate(a, ALU_SUB, 32, SCRATCH2, 2);
    asm_alu_immediate(a, ALU_CMP, 32, SCRATCH2, bits == 64 ? 0x7fc : 0xfc);
    unless(t, CC_NBE, r);
    asm_point_short(a, not_zero);
    if (first_is_zero) {
        asm_point_short(a, first_is_zero);
    }
}

/* --- scalars -------------------------------------------------------------------------------------------- */

/* ADD, SUB, MUL, DIV; 'condition' says which zeros are right. */
void emit_sse_scalar(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    unsigned prefix = scalar_prefix(rule->bits);

    check_mxcsr(t, r);
    check_low(t, r, r->dst, rule->bits);
    struct place second = source(t, r, rule, true);
    with_place(a, prefix, MOVUPS_LOAD, X0, xmm_place(r->dst, 0));
    with_place(a, prefix, rule->op, X0, second);
    check_result(t, r, rule->bits, second, (char)rule->condition);
    with_place(a, prefix, MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    low_written(t, r->dst, rule->bits, rule->src != 'm');
}

/* Positive and normal, or a zero or infinity. */
void emit_sse_root(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    unsigned prefix = scalar_prefix(rule->bits);

    check_mxcsr(t, r);
    struct place from = source(t, r, rule, false);
    asm_load(a, rule->bits, SCRATCH2, from);
    asm_alu(a, ALU_ADD, rule->bits, SCRATCH2, SCRATCH2);
    uint8_t *zero = asm_jcc_short(a, CC_Z);
    unless(t, CC_B, r); /* the sign */
    asm_shift(a, SHIFT_SHR, rule->bits, SCRATCH2, rule->bits == 64 ? 53 : 24);
    asm_alu_immediate(a, ALU_SUB, 32, SCRATCH2, 1);
    asm_alu_immediate(a, ALU_CMP, 32, SCRATCH2, rule->bits == 64 ? 0x7fd : 0xfd);
    unless(t, CC_NBE, r);
    asm_point_short(a, zero);
    with_place(a, prefix, rule->op, X0, from);
    with_place(a, prefix, MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    low_written(t, r->dst, rule->bits, rule->src != 'm');
}

/* Both operands plain and no NaN; the first is in X0, the second at the place returned. */
static struct place ordered_operands(struct translation *t, struct insn *r, const struct rule *rule)
{
    check_low(t, r, r->dst, rule->bits);
    struct place second = source(t, r, rule, true);
    with_place(&t->a, scalar_prefix(rule->bits), MOVUPS_LOAD, X0, xmm_place(r->dst, 0));
    with_place(&t->a, rule->bits == 64 ? PREFIX_OF_PD : 0, COMI, X0, second);
    unless(t, CC_P, r);
    return second;
}

/* MIN, MAX, CMPcc: they raise nothing for numbers. */
void emit_sse_order(struct translation *t, struct insn *r, const struct rule *rule)
{
    unsigned prefix = scalar_prefix(rule->bits);
    struct place second = ordered_operands(t, r, rule);

    with_place(&t->a, prefix, rule->op, X0, second);
    if (rule->immediate) {
        put8(&t->a, r->imm & 7);
    }
    with_place(&t->a, prefix, MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    low_written(t, r->dst, rule->bits, rule->src != 'm' && !rule->immediate);
}

/* UCOMI and COMI: CF and ZF. */
void emit_sse_compare(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;

    _Static_assert(FLAG_C == 1 && FLAG_Z == 64, "as built below");
    ordered_operands(t, r, rule);
    asm_rr(a, 0x190 | CC_Z, 8, 0, SCRATCH);
    asm_rr(a, 0x190 | CC_B, 8, 0, SCRATCH2);
    asm_extend(a, false, 8, 32, SCRATCH, SCRATCH);
    asm_extend(a, false, 8, 32, SCRATCH2, SCRATCH2);
    asm_shift(a, SHIFT_SHL, 32, SCRATCH, 6);
    asm_alu(a, ALU_OR, 32, SCRATCH, SCRATCH2);
    asm_store(a, 64, FIELD_OF_CPU(cc_a), SCRATCH);
    asm_store_immediate(a, 64, FIELD_OF_CPU(cc_b), 0);
    emit_kind(t, CC_RAW, 64);
}

/* --- conversions -------------------------------------------------------------------------------------------- */

/* CVTSS2SD and CVTSD2SS; bits are the operand's. */
void emit_sse_resize(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    bool widen = rule->bits == 32;
    unsigned to_bits = widen ? 64 : 32;

    if (!widen) {
        check_mxcsr(t, r);
    }
    struct place from = source(t, r, rule, widen);
    with_place(a, scalar_prefix(rule->bits), MOVUPS_LOAD, X1, from);
    if (widen) {
        with_register(a, 0, COMI, X1, X1);
        unless(t, CC_P, r);
    }
    with_register(a, scalar_prefix(rule->bits), rule->op, X0, X1);
    if (!widen) { /* a zero only from zero: X1's bits tell */
        opcode(a, 0x66, 1, MOVD_STORE, true, X1, 0, SCRATCH);
        put8(a, 0xc0u | X1 << 3 | (SCRATCH & 7));
        asm_alu(a, ALU_ADD, 64, SCRATCH, SCRATCH);
        uint8_t *zero = asm_jcc_short(a, CC_Z);
        opcode(a, 0x66, 1, MOVD_STORE, false, X0, 0, SCRATCH2);
        put8(a, 0xc0u | X0 << 3 | (SCRATCH2 & 7));
        asm_alu(a, ALU_ADD, 32, SCRATCH2, SCRATCH2);
        asm_shift(a, SHIFT_SHR, 32, SCRATCH2, 24);
        asm_alu_immediate(a, ALU_SUB, 32, SCRATCH2, 2);
        asm_alu_immediate(a, ALU_CMP, 32, SCRATCH2, 0xfc);
        unless(t, CC_NBE, r);
        asm_point_short(a, zero);
    }
    with_place(a, scalar_prefix(to_bits), MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    low_written(t, r->dst, to_bits, rule->src != 'm');
}

/* From a general register or memory: 'condition' bits of the result. */
void emit_sse_from_integer(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    bool exact = rule->bits == 32 && rule->condition == 64;
    unsigned prefix = scalar_prefix(rule->condition);

    if (!exact) {
        check_mxcsr(t, r);
    }
    with_register(a, 0, 0x57, X0, X0); /* XORPS: no dependence on what X0 was */
    if (rule->src == 'm') {
        emit_access(t, r, 'x', false, rule->bits / 8u);
        opcode(a, prefix, 1, rule->op, rule->bits == 64, X0, 0, SCRATCH);
        asm_modrm(a, X0, at_base(SCRATCH, 0));
    } else {
        load_slot(t, SCRATCH, r->src, 64, false);
        opcode(a, prefix, 1, rule->op, rule->bits == 64, X0, 0, SCRATCH);
        put8(a, 0xc0u | X0 << 3 | (SCRATCH & 7));
    }
    with_place(a, prefix, MOVUPS_STORE, X0, xmm_place(r->dst, 0));
    low_written(t, r->dst, rule->condition, rule->src != 'm');
}

/* To a general register, rounded or cut: 'condition' is its width.  The integer indefinite is the handler's. */
void emit_sse_to_integer(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    bool wide = rule->condition == 64;

    check_mxcsr(t, r);
    struct place from = source(t, r, rule, false);
    opcode(a, scalar_prefix(rule->bits), 1, rule->op, wide, SCRATCH, from.index, from.base);
    asm_modrm(a, SCRATCH, from);
    asm_mov(a, wide ? 64 : 32, SCRATCH2, SCRATCH);
    asm_alu_immediate(a, ALU_SUB, wide ? 64 : 32, SCRATCH2, 1); /* overflows for it alone */
    unless(t, CC_O, r);
    store_slot(t, r->dst, SCRATCH, 64);
}

/* --- packed ----------------------------------------------------------------------------------------------------- */

enum { PAND = 0xdb, PADDD = 0xfe, PCMPGTD = 0x66, PCMPEQD = 0x76, PANDN = 0xdf, POR = 0xeb, PXOR = 0xef };

/* 'mask' = the lanes of 'v' that are denormal; 'v' is lost. */
static void denormal_lanes(struct translation *t, int mask, int v)
{
    with_constant(t, 0x66, PAND, v, CONSTANT_MAGNITUDE);
    with_constant(t, 0x66, PADDD, v, CONSTANT_MAGNITUDE);
    with_constant(t, 0, MOVAPS, mask, CONSTANT_DENORMAL);
    with_register(&t->a, 0x66, PCMPGTD, mask, v);
}

/* X4 |= denormal lanes of 'v', unless they are known. */
static void add_denormal_lanes(struct translation *t, int v)
{
    with_register(&t->a, 0, MOVAPS, X2, v);
    denormal_lanes(t, X3, X2);
    with_register(&t->a, 0x66, POR, X4, X3);
}

/* X3 = lanes of 'v' that are zero. */
static void zero_lanes(struct translation *t, int v)
{
    struct assembler *a = &t->a;

    with_register(a, 0, MOVAPS, X3, v);
    with_constant(t, 0x66, PAND, X3, CONSTANT_MAGNITUDE);
    with_register(a, 0x66, PXOR, X2, X2);
    with_register(a, 0x66, PCMPEQD, X3, X2);
}

/* X0 op X1 -> X5, singles; X4 collects lanes that are not as they should be. */
void emit_sse_packed(struct translation *t, struct insn *r, const struct rule *rule)
{
    struct assembler *a = &t->a;
    uint16_t bit = (uint16_t)(1u << r->dst);

    check_mxcsr(t, r);
    if (rule->src == 'm') {
        emit_access(t, r, 'x', false, 16);
    }
    with_place(a, 0, MOVUPS_LOAD, X0, xmm_place(r->dst, 0));
    with_place(a, 0, MOVUPS_LOAD, X1, rule->src == 'm' ? at_base(SCRATCH, 0) : xmm_place(r->src, 0));
    with_register(a, 0, MOVAPS, X5, X0);
    with_register(a, 0, rule->op, X5, X1);
    with_register(a, 0, MOVAPS, X2, X5); /* unsafe results */
    with_constant(t, 0x66, PAND, X2, CONSTANT_MAGNITUDE);
    with_constant(t, 0x66, PADDD, X2, CONSTANT_SAFE_BIAS);
    with_constant(t, 0, MOVAPS, X4, CONSTANT_SAFE);
    with_register(a, 0x66, PCMPGTD, X4, X2); /* safe lanes */
    zero_lanes(t, X5);
    if (rule->condition == 'e' || rule->condition == 'a') {
        with_register(a, 0, MOVMSKPS, SCRATCH2, X3);
        asm_test(a, 32, SCRATCH2, SCRATCH2);
        uint8_t *none = asm_jcc_short(a, CC_Z);
        with_register(a, 0, MOVAPS, X6, X3);
        zero_lanes(t, X0);
        with_register(a, 0, MOVAPS, X7, X3);
        if (rule->condition == 'e') {
            zero_lanes(t, X1);
            with_register(a, 0x66, POR, X7, X3);
        }
        with_register(a, 0, MOVAPS, X3, X6);
        with_register(a, 0x66, PAND, X3, X7);
        asm_point_short(a, none);
    }
    with_register(a, 0x66, POR, X4, X3);
    with_constant(t, 0x66, PXOR, X4, CONSTANT_ONES); /* lanes that are not right */
    if (!(t->known.ps & bit)) {
        add_denormal_lanes(t, X0);
    }
    if (rule->src == 'm' || !(t->known.ps >> r->src & 1)) {
        add_denormal_lanes(t, X1);
    }
    with_register(a, 0, MOVMSKPS, SCRATCH2, X4);
    asm_test(a, 32, SCRATCH2, SCRATCH2);
    unless(t, CC_NZ, r);
    with_place(a, 0, MOVUPS_STORE, X5, xmm_place(r->dst, 0));
    sse_written(t, r->dst);
    if (rule->src != 'm') {
        t->known.ps |= (uint16_t)(bit | 1u << r->src);
        t->known.low32 |= (uint16_t)(bit | 1u << r->src);
    }
}
