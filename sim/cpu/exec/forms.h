/* Every record form, once.  A row is X(name, memory, bits): its handler, its
 * table entry and its enum constant all come from here.
 *
 * Operand forms: r register slot, i immediate, m [base+disp], x [base+(index<<scale)+disp];
 * destination first.  Instructions with odd addresses (FS, GS, 32-bit address
 * size, segments that are not flat) compute theirs into cpu->addr with an `ea`
 * record and then use an m form with base = SLOT_ADDR.  Rare instructions on
 * memory are several records: lw (load, checking that a store will succeed)
 * into temp, the register form on temp, st (store temp).
 */
#ifndef SIM_CPU_EXEC_FORMS_H
#define SIM_CPU_EXEC_FORMS_H

#include "sim/cpu/decode/insn.h"
#include "sim/cpu/exec/branch.h"

/* What a row touches in guest memory: lets the slow path redo any access. */
enum {
    NONE = 0, AT_M = 1, AT_X = 2, PUSH = 4, POP = 8,
    STORE = 16,   /* needs write permission */
    BLIND = 32,   /* stores without reading first */
    KEEP = 64,    /* needs write permission but does not write (lw) */
    ALIGN = 128,  /* #GP when not aligned to its size */
    FRAME = 256,  /* at rbp (leave) */
};

#define CONDITIONS(X, ...) \
    X(o, 0, __VA_ARGS__) X(no, 1, __VA_ARGS__) X(b, 2, __VA_ARGS__) X(nb, 3, __VA_ARGS__) \
    X(z, 4, __VA_ARGS__) X(nz, 5, __VA_ARGS__) X(be, 6, __VA_ARGS__) X(nbe, 7, __VA_ARGS__) \
    X(s, 8, __VA_ARGS__) X(ns, 9, __VA_ARGS__) X(p, 10, __VA_ARGS__) X(np, 11, __VA_ARGS__) \
    X(l, 12, __VA_ARGS__) X(nl, 13, __VA_ARGS__) X(le, 14, __VA_ARGS__) X(nle, 15, __VA_ARGS__)

#define SIZES(X, n, d, s, mem) X(n, d, s, mem, 8) X(n, d, s, mem, 16) X(n, d, s, mem, 32) X(n, d, s, mem, 64)
#define FORMS(X, n, store) \
    SIZES(X, n, r, r, NONE) SIZES(X, n, r, i, NONE) SIZES(X, n, r, m, AT_M) SIZES(X, n, r, x, AT_X) \
    SIZES(X, n, m, r, AT_M | store) SIZES(X, n, x, r, AT_X | store) \
    SIZES(X, n, m, i, AT_M | store) SIZES(X, n, x, i, AT_X | store)
#define SOURCES(X, n, from, to) X(n, r, NONE, from, to) X(n, m, AT_M, from, to) X(n, x, AT_X, from, to)
#define WIDTHS(X, ...) X(__VA_ARGS__, 8) X(__VA_ARGS__, 16) X(__VA_ARGS__, 32) X(__VA_ARGS__, 64)
#define WORDS(X, ...) X(__VA_ARGS__, 16) X(__VA_ARGS__, 32) X(__VA_ARGS__, 64)

#define ALU_OPS(X) FORMS(X, add, STORE) FORMS(X, or, STORE) FORMS(X, and, STORE) FORMS(X, sub, STORE) FORMS(X, xor, STORE)
#define SHIFT_OPS(X) WIDTHS(X, shl) WIDTHS(X, shr) WIDTHS(X, sar)
/* The same, in the same order, for when nobody can see the flags they would set. */
#define QUIET_ALU_OPS(X) \
    FORMS(X, quiet_add, STORE) FORMS(X, quiet_or, STORE) FORMS(X, quiet_and, STORE) FORMS(X, quiet_sub, STORE) FORMS(X, quiet_xor, STORE)
#define QUIET_SHIFT_OPS(X) WIDTHS(X, quiet_shl) WIDTHS(X, quiet_shr) WIDTHS(X, quiet_sar)
#define COMPARE_OPS(X) FORMS(X, cmp, NONE) FORMS(X, test, NONE)
#define MULTIPLY_OPS(X) \
    SOURCES(X, imul, 16, 2) SOURCES(X, imul, 32, 2) SOURCES(X, imul, 64, 2) \
    SOURCES(X, imul, 16, 3) SOURCES(X, imul, 32, 3) SOURCES(X, imul, 64, 3)
#define UNARY_SIZES(X, n) WIDTHS(X, n, r, NONE) WIDTHS(X, n, m, AT_M | STORE) WIDTHS(X, n, x, AT_X | STORE)
#define NEGATE_OPS(X) UNARY_SIZES(X, neg)
#define CARRY_OPS(X) FORMS(X, adc, STORE) FORMS(X, sbb, STORE)
#define UNARY_OPS(X) UNARY_SIZES(X, inc) UNARY_SIZES(X, dec) UNARY_SIZES(X, not)
#define ROTATE_OPS(X) WIDTHS(X, rol) WIDTHS(X, ror)
/* Count in a slot: CL, or temp2 for the rotates through carry by an immediate. */
#define VARIABLE_OPS(X) \
    WIDTHS(X, shl) WIDTHS(X, shr) WIDTHS(X, sar) WIDTHS(X, rol) WIDTHS(X, ror) WIDTHS(X, rcl) WIDTHS(X, rcr)
#define MOVE_OPS(X) FORMS(X, mov, STORE | BLIND)
#define EXTEND_OPS(X) \
    SOURCES(X, movz, 8, 16) SOURCES(X, movz, 8, 64) SOURCES(X, movz, 16, 64) \
    SOURCES(X, movs, 8, 16) SOURCES(X, movs, 8, 32) SOURCES(X, movs, 16, 32) \
    SOURCES(X, movs, 8, 64) SOURCES(X, movs, 16, 64) SOURCES(X, movs, 32, 64)
#define LEA_OPS(X) WORDS(X, m) WORDS(X, x)
#define LOAD_OPS(X) WIDTHS(X, lw, m, AT_M | STORE | KEEP) WIDTHS(X, lw, x, AT_X | STORE | KEEP)
#define WIDE_OPS(X) /* one operand, rDX:rAX */ WIDTHS(X, mul) WIDTHS(X, imul) WIDTHS(X, div) WIDTHS(X, idiv)
#define BIT_OPS(X) WORDS(X, bt) WORDS(X, bts) WORDS(X, btr) WORDS(X, btc)
#define SCAN_OPS(X) WORDS(X, bsf) WORDS(X, bsr) WORDS(X, popcnt) WORDS(X, tzcnt) WORDS(X, lzcnt)
#define GENERAL(X, ...) X(__VA_ARGS__, 32) X(__VA_ARGS__, 64)
/* BMI1, BMI2, ADX, MOVBE, CRC32 on slots: those that leave the flags alone, and the others. */
#define PLAIN_BIT_OPS(X) \
    WORDS(X, movbe) WIDTHS(X, crc32) GENERAL(X, mulx) GENERAL(X, pdep) GENERAL(X, pext) GENERAL(X, rorx) \
    GENERAL(X, sarx) GENERAL(X, shlx) GENERAL(X, shrx)
#define FLAG_BIT_OPS(X) \
    GENERAL(X, andn) GENERAL(X, bextr) GENERAL(X, blsi) GENERAL(X, blsmsk) GENERAL(X, blsr) GENERAL(X, bzhi) \
    GENERAL(X, adcx) GENERAL(X, adox)
#define DOUBLE_OPS(X) WORDS(X, shld) WORDS(X, shrd)
#define EXCHANGE_OPS(X) WIDTHS(X, xchg) WIDTHS(X, xadd) WIDTHS(X, cmpxchg)
/* Conditional ops exist per flag producer: any, after a subtraction, after a logic result. */
#define PRODUCERS(X) CONDITIONS(X, any) CONDITIONS(X, sub) CONDITIONS(X, logic)

/* A comparison and the jump behind it in one.  Conditions that need more than the operands are left out. */
#define FUSED_SUB(X, ...) \
    X(b, 2, __VA_ARGS__) X(nb, 3, __VA_ARGS__) X(z, 4, __VA_ARGS__) X(nz, 5, __VA_ARGS__) X(be, 6, __VA_ARGS__) \
    X(nbe, 7, __VA_ARGS__) X(l, 12, __VA_ARGS__) X(nl, 13, __VA_ARGS__) X(le, 14, __VA_ARGS__) X(nle, 15, __VA_ARGS__)
#define FUSED_LOGIC(X, ...) \
    X(z, 4, __VA_ARGS__) X(nz, 5, __VA_ARGS__) X(s, 8, __VA_ARGS__) X(ns, 9, __VA_ARGS__) \
    X(l, 12, __VA_ARGS__) X(nl, 13, __VA_ARGS__) X(le, 14, __VA_ARGS__) X(nle, 15, __VA_ARGS__)
#define FUSED_ZERO(X, ...) \
    X(z, 4, __VA_ARGS__) X(nz, 5, __VA_ARGS__) X(s, 8, __VA_ARGS__) X(ns, 9, __VA_ARGS__)
#define FUSED_SIZES(X, list, ...) list(X, __VA_ARGS__, 8) list(X, __VA_ARGS__, 32) list(X, __VA_ARGS__, 64)
#define FUSED_OPS(X) \
    FUSED_SIZES(X, FUSED_SUB, cmp, sub, r, r, NONE) FUSED_SIZES(X, FUSED_SUB, cmp, sub, r, i, NONE) \
    FUSED_SIZES(X, FUSED_SUB, cmp, sub, r, m, AT_M) FUSED_SIZES(X, FUSED_SUB, cmp, sub, r, x, AT_X) \
    FUSED_SIZES(X, FUSED_SUB, cmp, sub, m, r, AT_M) FUSED_SIZES(X, FUSED_SUB, cmp, sub, x, r, AT_X) \
    FUSED_SIZES(X, FUSED_SUB, cmp, sub, m, i, AT_M) FUSED_SIZES(X, FUSED_SUB, cmp, sub, x, i, AT_X) \
    FUSED_SIZES(X, FUSED_LOGIC, test, logic, r, r, NONE) FUSED_SIZES(X, FUSED_LOGIC, test, logic, r, i, NONE) \
    FUSED_SIZES(X, FUSED_LOGIC, test, logic, m, i, AT_M) FUSED_SIZES(X, FUSED_LOGIC, test, logic, x, i, AT_X) \
    FUSED_SIZES(X, FUSED_LOGIC, and, logic, r, i, NONE) FUSED_SIZES(X, FUSED_LOGIC, and, logic, r, r, NONE) \
    FUSED_SIZES(X, FUSED_SUB, sub, sub, r, i, NONE) FUSED_SIZES(X, FUSED_SUB, sub, sub, r, r, NONE) \
    FUSED_SIZES(X, FUSED_ZERO, add, logic, r, i, NONE) FUSED_SIZES(X, FUSED_ZERO, add, logic, r, r, NONE)

#define EA_OPS(X) X(flat) X(seg) X(flat32) X(seg32) X(check)
#define FLAG_OPS(X) X(sahf) X(lahf) X(cmc) X(clc) X(stc) X(cld) X(std) X(salc)
#define LOOP_OPS(X) X(loop, 32) X(loop, 64) X(loope, 32) X(loope, 64) X(loopne, 32) X(loopne, 64) X(jcxz, 32) X(jcxz, 64)

#define PLAIN_OPS(X) \
    X(enter, NONE, 64) X(jump, NONE, 64) X(away, NONE, 64) X(go, NONE, 64) \
    X(call, PUSH | STORE | BLIND, 64) X(call_away, PUSH | STORE | BLIND, 64) X(call_go, PUSH | STORE | BLIND, 64) \
    X(ret, POP, 64) \
    X(push_r, PUSH | STORE | BLIND, 64) X(push_i, PUSH | STORE | BLIND, 64) X(pop_r, POP, 64) X(peek, POP, 64) \
    X(push16_r, PUSH | STORE | BLIND, 16) X(push16_i, PUSH | STORE | BLIND, 16) X(pop16_r, POP, 16) X(peek16, POP, 16) \
    X(leave, FRAME, 64) \
    X(movabs, NONE, 64) X(nop, NONE, 64) X(ud, NONE, 64) X(sys, NONE, 64) X(sse_check, NONE, 64) X(avx_check, NONE, 64) \
    X(cwd_16, NONE, 16) X(cwd_32, NONE, 32) X(cwd_64, NONE, 64) X(bswap_32, NONE, 32) X(bswap_64, NONE, 64) \
    X(ea_bit_16, NONE, 16) X(ea_bit_32, NONE, 32) X(ea_bit_64, NONE, 64) \
    X(cmpxchg8b, AT_M | STORE, 64) X(cmpxchg16b, AT_M | STORE | ALIGN, 128) \
    X(locked, NONE, 64)

#define SSE_MOVE_OPS(X) \
    X(sse_mov_r, NONE, 128) X(sse_movq_r, NONE, 64) \
    X(sse_load_4, AT_X, 32) X(sse_load_8, AT_X, 64) X(sse_load_16, AT_X, 128) X(sse_load_16a, AT_X | ALIGN, 128) \
    X(sse_load_low, AT_X, 64) X(sse_load_high, AT_X, 64) \
    X(sse_store_4, AT_X | STORE | BLIND, 32) X(sse_store_8, AT_X | STORE | BLIND, 64) \
    X(sse_store_16, AT_X | STORE | BLIND, 128) X(sse_store_16a, AT_X | STORE | BLIND | ALIGN, 128) \
    X(sse_store_high, AT_X | STORE | BLIND, 64) \
    X(sse_merge_low4, NONE, 128) X(sse_merge_low8, NONE, 128) X(sse_merge_high_to_low, NONE, 128) X(sse_merge_low_to_high, NONE, 128) \
    X(sse_from_gpr_32, NONE, 32) X(sse_from_gpr_64, NONE, 64) X(sse_to_gpr_32, NONE, 32) X(sse_to_gpr_64, NONE, 64)

/* VEX-encoded moves: they clear what of the ymm register they do not write.  Stores of 16 bytes and less are SSE's. */
#define AVX_MOVE_OPS(X) \
    X(avx_mov_r_16, NONE, 128) X(avx_mov_r_32, NONE, 256) X(avx_movq_r, NONE, 64) \
    X(avx_load_4, AT_X, 32) X(avx_load_8, AT_X, 64) X(avx_load_16, AT_X, 128) X(avx_load_16a, AT_X | ALIGN, 128) \
    X(avx_load_32, AT_X, 256) X(avx_load_32a, AT_X | ALIGN, 256) \
    X(avx_store_32, AT_X | STORE | BLIND, 256) X(avx_store_32a, AT_X | STORE | BLIND | ALIGN, 256) \
    X(avx_from_gpr_32, NONE, 32) X(avx_from_gpr_64, NONE, 64) X(avx_zero_upper, NONE, 64) X(avx_zero_all, NONE, 64) \
    X(avx_byte_mask, NONE, 256) \
    X(avx_store_upper, AT_X | STORE | BLIND, 128) \
    X(avx_spread_1, AT_X, 8) X(avx_spread_2, AT_X, 16) X(avx_spread_4, AT_X, 32) X(avx_spread_8, AT_X, 64) X(avx_spread_16, AT_X, 128)

/* Operations of sim/cpu/avx: they may raise #XM. */
#define AVX_OPS(X) \
    X(avx_r, NONE, 256) X(avx_e, NONE, 64) X(avx_m_1, AT_X, 8) X(avx_m_2, AT_X, 16) X(avx_m_4, AT_X, 32) \
    X(avx_m_8, AT_X, 64) X(avx_m_16, AT_X, 128) X(avx_m_32, AT_X, 256)

#define X87_OPS(X) \
    X(x87_r, NONE, 64) X(x87_load_2, AT_X, 16) X(x87_load_4, AT_X, 32) X(x87_load_8, AT_X, 64) X(x87_load_10, AT_X, 80) \
    X(x87_store_2, AT_X | STORE | BLIND, 16) X(x87_store_4, AT_X | STORE | BLIND, 32) \
    X(x87_store_8, AT_X | STORE | BLIND, 64) X(x87_store_10, AT_X | STORE | BLIND, 80) \
    X(x87_quiet_r, NONE, 64) X(x87_quiet_load, AT_X, 16) X(x87_quiet_store, AT_X | STORE | BLIND, 16) \
    X(x87_wait, NONE, 64) X(x87_check, NONE, 64)

#define MMX_MOVE_OPS(X) \
    X(mmx_mov, NONE, 64) X(mmx_load_4, AT_X, 32) X(mmx_load_8, AT_X, 64) \
    X(mmx_store_4, AT_X | STORE | BLIND, 32) X(mmx_store_8, AT_X | STORE | BLIND, 64) \
    X(mmx_from_gpr_32, NONE, 32) X(mmx_from_gpr_64, NONE, 64) X(mmx_to_gpr_32, NONE, 32) X(mmx_to_gpr_64, NONE, 64) \
    X(mmx_emms, NONE, 64) X(mmx_check, NONE, 64)

#define ROW_FORM(n, d, s, mem, bits) X(n##_##d##s##_##bits, mem, bits)
#define ROW_EXTEND(n, s, mem, from, to) X(n##to##_##s##_##from, mem, from)
#define ROW_MULTIPLY(n, s, mem, bits, operands) X(n##operands##_##s##_##bits, mem, bits)
#define ROW_UNARY(n, bits) X(n##_##bits, NONE, bits)
#define ROW_PLACED(n, p, mem, bits) X(n##_##p##_##bits, mem, bits)
#define ROW_VARIABLE(n, bits) X(n##_v_##bits, NONE, bits)
#define ROW_WIDE(n, bits) X(n##1_##bits, NONE, bits)
#define ROW_LEA(s, bits) X(lea_##s##_##bits, NONE, bits)
#define ROW_EA(n) X(ea_##n, NONE, 64)
#define ROW_FLAG(n) X(n, NONE, 64)
#define ROW_FUSED(cond, n, name, producer, d, s, mem, bits) X(name##_##d##s##_##bits##_j##cond, mem, bits)
#define ROW_JCC(cond, n, producer) X(jcc_##producer##_##cond, NONE, 64)
#define ROW_SET(cond, n, producer) X(set_##producer##_##cond, NONE, 8)
#define ROW_MOVE(cond, n, producer, bits) X(cmov##bits##_##producer##_##cond, NONE, bits)
#define ROW_MOVE16(cond, n, producer) ROW_MOVE(cond, n, producer, 16)
#define ROW_MOVE32(cond, n, producer) ROW_MOVE(cond, n, producer, 32)
#define ROW_MOVE64(cond, n, producer) ROW_MOVE(cond, n, producer, 64)

/* Expects X(name, memory, bits) to be defined by the includer.  The order is
 * used: what sets all flags comes first, then the quiet twins of its head. */
#define ALL_FORMS \
    ALU_OPS(ROW_FORM) SHIFT_OPS(ROW_UNARY) COMPARE_OPS(ROW_FORM) MULTIPLY_OPS(ROW_MULTIPLY) NEGATE_OPS(ROW_PLACED) \
    QUIET_ALU_OPS(ROW_FORM) QUIET_SHIFT_OPS(ROW_UNARY) \
    MOVE_OPS(ROW_FORM) EXTEND_OPS(ROW_EXTEND) LEA_OPS(ROW_LEA) \
    SSE_MOVE_OPS(X) AVX_MOVE_OPS(X) PLAIN_BIT_OPS(ROW_UNARY) \
    CARRY_OPS(ROW_FORM) AVX_OPS(X) UNARY_OPS(ROW_PLACED) ROTATE_OPS(ROW_UNARY) VARIABLE_OPS(ROW_VARIABLE) \
    LOAD_OPS(ROW_PLACED) WIDE_OPS(ROW_WIDE) BIT_OPS(ROW_UNARY) SCAN_OPS(ROW_UNARY) FLAG_BIT_OPS(ROW_UNARY) DOUBLE_OPS(ROW_UNARY) \
    EXCHANGE_OPS(ROW_UNARY) EA_OPS(ROW_EA) FLAG_OPS(ROW_FLAG) LOOP_OPS(ROW_UNARY) PLAIN_OPS(X) X87_OPS(X) MMX_MOVE_OPS(X) \
    PRODUCERS(ROW_JCC) PRODUCERS(ROW_SET) PRODUCERS(ROW_MOVE16) PRODUCERS(ROW_MOVE32) PRODUCERS(ROW_MOVE64)

#define X(name, memory, bits) FORM_##name,
#define SSE_FORM(id, fn, faults, quick, size, to, from) FORM_##id##_r, FORM_##id##_m,
/* Both lanes follow one. */
#define AVX_FORM(id, fn) FORM_##id##_r, FORM_##id##_m, FORM_##id##_r2, FORM_##id##_m2,
#define AVX_FORM_SCALAR(id, fn, size, to, from) FORM_##id##_r, FORM_##id##_m,
#define MMX_FORM(id, fn, faults, size, to, from) FORM_##id##_r, FORM_##id##_m,
enum form {
    ALL_FORMS
#include "x86/sse_forms.def"
#include "x86/mmx_forms.def"
    FORM_AVX, FORM_before_avx = FORM_AVX - 1,
#include "x86/avx_forms.def"
    FORM_exit, FORM_stop, FORM_FUSED,
    FORM_before_fused = FORM_FUSED - 1, /* so that the first fused form is FORM_FUSED */
    FUSED_OPS(ROW_FUSED)
    FORM_COUNT
};
#undef MMX_FORM
#undef SSE_FORM
#undef AVX_FORM
#undef AVX_FORM_SCALAR
#undef X

struct form_info {
    const char *name;
    op_fn *fn;        /* functional handler */
    op_fn *timed;     /* the same with the timing hooks */
    uint16_t memory;  /* [NONE ... FRAME] */
    uint8_t size;     /* of the access [bytes] */
};
extern const struct form_info form_info[FORM_COUNT];

/* Of the instruction whose first record this is. */
enum branch_type form_branch_type(const struct insn *);

/* Sets all six flags (or leaves them undefined) and reads none. */
static inline bool form_sets_flags(unsigned form) { return form < FORM_quiet_add_rr_8; }
static inline bool form_has_quiet(unsigned form) { return form <= FORM_sar_64; }
static inline unsigned form_quiet(unsigned form) { return form + FORM_quiet_add_rr_8; }
/* Of a form that is run alone: with its flags, without the jump it was fused with. */
extern const uint16_t form_unfused[FORM_COUNT - FORM_FUSED];
static inline unsigned form_loud(unsigned form)
{
    if (form >= FORM_FUSED) {
        return form_unfused[form - FORM_FUSED];
    }
    return form >= FORM_quiet_add_rr_8 && form <= FORM_quiet_sar_64 ? form - FORM_quiet_add_rr_8 : form;
}
/* The fused form of this one and a jump on 'condition', or 0. */
unsigned form_fused(unsigned form, unsigned condition);
/* Neither reads nor writes flags and cannot leave the block unless it touches memory. */
static inline bool form_ignores_flags(unsigned form)
{
    return form >= FORM_quiet_add_rr_8 && form < FORM_adc_rr_8;
}

#endif
