/* What the translator does for each form, from the lists of forms.h. */
#include "sim/cpu/jit/jit_priv.h"

#define R(form, ...) [FORM_##form] = { __VA_ARGS__ },

/* --- arithmetic ----------------------------------------------------------------------- */

enum { OP_add = ALU_ADD, OP_or = ALU_OR, OP_and = ALU_AND, OP_sub = ALU_SUB, OP_xor = ALU_XOR, OP_cmp = ALU_CMP, OP_test = ALU_TEST,
       OP_adc = ALU_ADC, OP_sbb = ALU_SBB };
enum { LETTER_r = 'r', LETTER_i = 'i', LETTER_m = 'm', LETTER_x = 'x' };

#define BINARY(n, opcode, is_loud, d, s, width) \
    R(n##_##d##s##_##width, .emit = emit_binary, .op = opcode, .bits = width, .dst = LETTER_##d, .src = LETTER_##s, .loud = is_loud)
#define LOUD(n, d, s, mem, bits) BINARY(n, OP_##n, true, d, s, bits)
#define OP_quiet_add OP_add
#define OP_quiet_or OP_or
#define OP_quiet_and OP_and
#define OP_quiet_sub OP_sub
#define OP_quiet_xor OP_xor
#define QUIET(n, d, s, mem, bits) BINARY(n, OP_##n, false, d, s, bits)

#define SHIFT_RULE(n, digit, is_loud, width) R(n##_##width, .emit = emit_shift, .op = digit, .bits = width, .dst = 'r', .loud = is_loud)
#define SHIFTS(width) \
    SHIFT_RULE(shl, SHIFT_SHL, true, width) SHIFT_RULE(shr, SHIFT_SHR, true, width) SHIFT_RULE(sar, SHIFT_SAR, true, width) \
    SHIFT_RULE(quiet_shl, SHIFT_SHL, false, width) SHIFT_RULE(quiet_shr, SHIFT_SHR, false, width) \
    SHIFT_RULE(quiet_sar, SHIFT_SAR, false, width)

enum { UNARY_OP_not, UNARY_OP_neg, UNARY_OP_inc, UNARY_OP_dec };
#define UNARY_RULE(n, p, mem, width) R(n##_##p##_##width, .emit = emit_unary, .op = UNARY_OP_##n, .bits = width, .dst = LETTER_##p)
#define MULTIPLY_RULE(n, s, mem, width, operands) \
    R(n##operands##_##s##_##width, .emit = emit_multiply, .op = operands, .bits = width, .src = LETTER_##s)
#define WIDE_RULE(width) \
    R(mul1_##width, .emit = emit_wide_multiply, .op = 4, .bits = width) R(imul1_##width, .emit = emit_wide_multiply, .op = 5, .bits = width)
#define BIT_RULES(width) \
    R(bt_##width, .emit = emit_bit_test, .op = 0, .bits = width) R(bts_##width, .emit = emit_bit_test, .op = 1, .bits = width) \
    R(btr_##width, .emit = emit_bit_test, .op = 2, .bits = width) R(btc_##width, .emit = emit_bit_test, .op = 3, .bits = width)
#define EXCHANGES(width) \
    R(xchg_##width, .emit = emit_exchange, .bits = width) R(xadd_##width, .emit = emit_exchange_add, .bits = width) \
    R(cmpxchg_##width, .emit = emit_cmpxchg, .bits = width)

#define CARRY_RULE(n, d, s, mem, width) CARRY_##d##s(n, d, s, width)
#define CARRY_rr(n, d, s, width) \
    R(n##_##d##s##_##width, .emit = emit_carry_binary, .op = OP_##n, .bits = width, .dst = 'r', .src = LETTER_##s)
#define CARRY_ri CARRY_rr
#define CARRY_rm(...)
#define CARRY_rx(...)
#define CARRY_mr(...)
#define CARRY_xr(...)
#define CARRY_mi(...)
#define CARRY_xi(...)
#define VARIABLE_RULE(n, digit, width) R(n##_v_##width, .emit = emit_variable_shift, .op = digit, .bits = width, .dst = 'r', .src = 'r')
#define VARIABLE_RULES(width) \
    VARIABLE_RULE(shl, SHIFT_SHL, width) VARIABLE_RULE(shr, SHIFT_SHR, width) VARIABLE_RULE(sar, SHIFT_SAR, width)
#define ROTATE_RULES(width) \
    R(rol_##width, .emit = emit_rotate, .op = SHIFT_ROL, .bits = width) R(ror_##width, .emit = emit_rotate, .op = SHIFT_ROR, .bits = width)

/* --- moves -------------------------------------------------------------------------------- */

#define MOVE_RULE(n, d, s, mem, width) R(n##_##d##s##_##width, .emit = emit_move, .bits = width, .dst = LETTER_##d, .src = LETTER_##s)
enum { SIGNED_movz, SIGNED_movs };
#define EXTEND_RULE(n, s, mem, from, to) \
    R(n##to##_##s##_##from, .emit = emit_extend, .op = from, .bits = to, .src = LETTER_##s, .producer = SIGNED_##n)
#define LEA_RULE(s, width) R(lea_##s##_##width, .emit = emit_lea, .bits = width, .src = LETTER_##s)
#define LOAD_RULE(n, p, mem, width) R(n##_##p##_##width, .emit = emit_load_for_write, .bits = width, .src = LETTER_##p)

/* --- flow ----------------------------------------------------------------------------------- */

enum { PRODUCER_any, PRODUCER_sub, PRODUCER_logic };
#define JCC_RULE(cond, n, p) R(jcc_##p##_##cond, .emit = emit_jcc, .condition = n, .producer = PRODUCER_##p, .ends = true)
#define SET_RULE(cond, n, p) R(set_##p##_##cond, .emit = emit_set, .condition = n, .producer = PRODUCER_##p, .bits = 8)
#define CMOV_RULE(cond, n, p, width) \
    R(cmov##width##_##p##_##cond, .emit = emit_cmov, .condition = n, .producer = PRODUCER_##p, .bits = width)
#define CMOV16(cond, n, p) CMOV_RULE(cond, n, p, 16)
#define CMOV32(cond, n, p) CMOV_RULE(cond, n, p, 32)
#define CMOV64(cond, n, p) CMOV_RULE(cond, n, p, 64)
#define FUSED_RULE(cond, n, name, p, d, s, mem, width) \
    R(name##_##d##s##_##width##_j##cond, .emit = emit_fused, .op = OP_##name, .bits = width, .dst = LETTER_##d, .src = LETTER_##s, \
      .condition = n, .loud = true, .ends = true)

/* --- SSE operations -------------------------------------------------------------------------- */

enum { SOURCE_W = 'r', SOURCE_X = 'r', SOURCE_E = 'e' };
#define SSE_HOST(id, hex, host_prefix, host_map, host_digit, imm, w, size, to, from, needs) \
    R(id##_r, .emit = emit_sse_host, .op = hex, .prefix = host_prefix, .map = host_map, .digit = host_digit, .immediate = imm, \
      .wide = w, .bits = size * 8, .dst = (#to)[0], .src = SOURCE_##from, .feature = needs) \
    R(id##_m, .emit = emit_sse_host, .op = hex, .prefix = host_prefix, .map = host_map, .digit = host_digit, .immediate = imm, \
      .wide = w, .bits = size * 8, .dst = (#to)[0], .src = 'm', .feature = needs)

#define SSE_BOTH(id, ...) R(id##_r, .src = 'r', __VA_ARGS__) R(id##_m, .src = 'm', __VA_ARGS__)
#define SCALARS(name, opcode, zeros) \
    SSE_BOTH(sse_##name##sd_8, .emit = emit_sse_scalar, .op = opcode, .bits = 64, .condition = zeros) \
    SSE_BOTH(sse_##name##ss_4, .emit = emit_sse_scalar, .op = opcode, .bits = 32, .condition = zeros) \
    SSE_BOTH(sse_##name##ps_16, .emit = emit_sse_packed, .op = opcode, .bits = 128, .condition = zeros)
#define ORDERS(name, opcode, imm) \
    SSE_BOTH(sse_##name##sd_8, .emit = emit_sse_order, .op = opcode, .bits = 64, .immediate = imm) \
    SSE_BOTH(sse_##name##ss_4, .emit = emit_sse_order, .op = opcode, .bits = 32, .immediate = imm)
#define COMPARES(name) \
    SSE_BOTH(sse_##name##sd_8, .emit = emit_sse_compare, .bits = 64) SSE_BOTH(sse_##name##ss_4, .emit = emit_sse_compare, .bits = 32)
#define FROM_INTEGER(id, from, to) SSE_BOTH(sse_##id, .emit = emit_sse_from_integer, .op = 0x2a, .bits = from, .condition = to)
#define TO_INTEGER(id, opcode, from, to) SSE_BOTH(sse_##id, .emit = emit_sse_to_integer, .op = opcode, .bits = from, .condition = to)

/* --- AVX ------------------------------------------------------------------------------------- */

#define AVX_LANES(form, source, both, hex, host_prefix, host_digit, imm, to) \
    R(form, .emit = emit_avx_host, .op = hex, .prefix = host_prefix, .digit = host_digit, .immediate = imm, .wide = both, \
      .dst = (#to)[0], .src = source)
#define AVX_HOST(id, ...) \
    AVX_LANES(id##_r, 'r', false, __VA_ARGS__) AVX_LANES(id##_m, 'm', false, __VA_ARGS__) \
    AVX_LANES(id##_r2, 'r', true, __VA_ARGS__) AVX_LANES(id##_m2, 'm', true, __VA_ARGS__)

static const struct rule rules[FORM_COUNT] = {
#include "x86/avx_host.def"
    R(avx_mov_r_16, .emit = emit_avx_move, .op = 16) R(avx_mov_r_32, .emit = emit_avx_move, .op = 32)
    R(avx_movq_r, .emit = emit_avx_move, .op = 8)
    R(avx_load_4, .emit = emit_avx_load, .bits = 32) R(avx_load_8, .emit = emit_avx_load, .bits = 64)
    R(avx_load_16, .emit = emit_avx_load, .bits = 128) R(avx_load_16a, .emit = emit_avx_load, .bits = 128)
    R(avx_load_32, .emit = emit_avx_load) R(avx_load_32a, .emit = emit_avx_load) /* 256 bits: more than a byte counts */
    R(avx_store_32, .emit = emit_avx_store) R(avx_store_32a, .emit = emit_avx_store)
    R(avx_from_gpr_32, .emit = emit_avx_from_gpr, .bits = 32) R(avx_from_gpr_64, .emit = emit_avx_from_gpr, .bits = 64)
    R(avx_zero_upper, .emit = emit_avx_zero_upper) R(avx_byte_mask, .emit = emit_avx_byte_mask)
#include "x86/sse_host.def"
    SCALARS(add, 0x58, 0) SCALARS(sub, 0x5c, 0) SCALARS(mul, 0x59, 'e') SCALARS(div, 0x5e, 'a')
    SSE_BOTH(sse_sqrtsd_8, .emit = emit_sse_root, .op = 0x51, .bits = 64)
    SSE_BOTH(sse_sqrtss_4, .emit = emit_sse_root, .op = 0x51, .bits = 32)
    ORDERS(min, 0x5d, false) ORDERS(max, 0x5f, false) ORDERS(cmp, 0xc2, true) COMPARES(ucomi) COMPARES(comi)
    SSE_BOTH(sse_cvtss2sd_4, .emit = emit_sse_resize, .op = 0x5a, .bits = 32)
    SSE_BOTH(sse_cvtsd2ss_8, .emit = emit_sse_resize, .op = 0x5a, .bits = 64)
    FROM_INTEGER(cvtsi2sd_4g, 32, 64) FROM_INTEGER(cvtsi2ss_4g, 32, 32) FROM_INTEGER(cvtsq2sd_8g, 64, 64) FROM_INTEGER(cvtsq2ss_8g, 64, 32)
    TO_INTEGER(cvttsd2si_8, 0x2c, 64, 32) TO_INTEGER(cvttsd2sq_8, 0x2c, 64, 64) TO_INTEGER(cvttss2si_4, 0x2c, 32, 32)
    TO_INTEGER(cvttss2sq_4, 0x2c, 32, 64) TO_INTEGER(cvtsd2si_8, 0x2d, 64, 32) TO_INTEGER(cvtsd2sq_8, 0x2d, 64, 64)
    TO_INTEGER(cvtss2si_4, 0x2d, 32, 32) TO_INTEGER(cvtss2sq_4, 0x2d, 32, 64)
    ALU_OPS(LOUD) QUIET_ALU_OPS(QUIET) COMPARE_OPS(LOUD)
    SHIFTS(8) SHIFTS(16) SHIFTS(32) SHIFTS(64)
    NEGATE_OPS(UNARY_RULE) UNARY_OPS(UNARY_RULE)
    MULTIPLY_OPS(MULTIPLY_RULE) WIDE_RULE(32) WIDE_RULE(64)
    R(div1_32, .emit = emit_divide, .op = 6, .bits = 32) R(div1_64, .emit = emit_divide, .op = 6, .bits = 64)
    R(idiv1_32, .emit = emit_divide, .op = 7, .bits = 32) R(idiv1_64, .emit = emit_divide, .op = 7, .bits = 64)
    CARRY_OPS(CARRY_RULE)
    VARIABLE_RULES(32) VARIABLE_RULES(64) ROTATE_RULES(8) ROTATE_RULES(16) ROTATE_RULES(32) ROTATE_RULES(64)
    BIT_RULES(16) BIT_RULES(32) BIT_RULES(64)
    EXCHANGES(8) EXCHANGES(16) EXCHANGES(32) EXCHANGES(64)
    MOVE_OPS(MOVE_RULE) EXTEND_OPS(EXTEND_RULE) LEA_OPS(LEA_RULE) LOAD_OPS(LOAD_RULE)
    R(movabs, .emit = emit_movabs)
    R(cwd_16, .emit = emit_widen, .bits = 16) R(cwd_32, .emit = emit_widen, .bits = 32) R(cwd_64, .emit = emit_widen, .bits = 64)
    R(bswap_32, .emit = emit_swap, .bits = 32) R(bswap_64, .emit = emit_swap, .bits = 64)
    R(nop, .emit = emit_nop)
    R(ea_flat, .emit = emit_ea, .bits = 64) R(ea_flat32, .emit = emit_ea, .bits = 32)
    R(ea_seg, .emit = emit_ea, .op = 1, .bits = 64)
    R(push_r, .emit = emit_push, .bits = 64, .src = 'r') R(push_i, .emit = emit_push, .bits = 64, .src = 'i')
    R(pop_r, .emit = emit_pop) R(peek, .emit = emit_peek) R(leave, .emit = emit_leave)
    R(sse_mov_r, .emit = emit_sse_move, .op = 0) R(sse_movq_r, .emit = emit_sse_move, .op = 1)
    R(sse_merge_low4, .emit = emit_sse_move, .op = 2) R(sse_merge_low8, .emit = emit_sse_move, .op = 3)
    R(sse_merge_high_to_low, .emit = emit_sse_move, .op = 4) R(sse_merge_low_to_high, .emit = emit_sse_move, .op = 5)
    R(sse_from_gpr_32, .emit = emit_sse_move, .op = 6, .bits = 32) R(sse_from_gpr_64, .emit = emit_sse_move, .op = 6, .bits = 64)
    R(sse_to_gpr_32, .emit = emit_sse_move, .op = 7, .bits = 32) R(sse_to_gpr_64, .emit = emit_sse_move, .op = 7, .bits = 64)
    R(sse_load_4, .emit = emit_sse_load, .bits = 32) R(sse_load_8, .emit = emit_sse_load, .bits = 64)
    R(sse_load_16, .emit = emit_sse_load, .bits = 128) R(sse_load_16a, .emit = emit_sse_load, .bits = 128)
    R(sse_load_low, .emit = emit_sse_load, .op = 1, .bits = 64) R(sse_load_high, .emit = emit_sse_load, .op = 2, .bits = 64)
    R(sse_store_4, .emit = emit_sse_store, .bits = 32) R(sse_store_8, .emit = emit_sse_store, .bits = 64)
    R(sse_store_16, .emit = emit_sse_store, .bits = 128) R(sse_store_16a, .emit = emit_sse_store, .bits = 128)
    R(sse_store_high, .emit = emit_sse_store, .op = 1, .bits = 64)
    PRODUCERS(SET_RULE) PRODUCERS(CMOV16) PRODUCERS(CMOV32) PRODUCERS(CMOV64)
    PRODUCERS(JCC_RULE) FUSED_OPS(FUSED_RULE)
    R(jump, .emit = emit_jump, .ends = true) R(away, .emit = emit_away, .ends = true) R(go, .emit = emit_go, .ends = true)
    R(call, .emit = emit_call, .op = 0, .ends = true) R(call_away, .emit = emit_call, .op = 1, .ends = true)
    R(call_go, .emit = emit_call, .op = 2, .ends = true) R(ret, .emit = emit_ret, .ends = true)
};

const struct rule *jit_rule(unsigned form)
{
    return &rules[form];
}
