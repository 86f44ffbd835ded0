/* Builders: arithmetic, shifts, bits, moves. */
#include "sim/cpu/decode/decoder.h"

/* The four forms of a binary operation, from one of its rows' operand patterns. */
static bool build_binary(struct decoder *d, const struct x86_row *row, unsigned form_rr_8)
{
    enum { RR, RI = 4, RM = 8, RX = 12, MR = 16, XR = 20, MI = 24, XI = 28 }; /* order of FORMS */
    static const unsigned with_imm[] = { RI, MI, XI }, to_reg[] = { RR, RM, RX }, to_rm[] = { RR, MR, XR };
    unsigned form = sized(form_rr_8, d->v);

    if (row->operand[0].kind == KIND_FIXED) { /* accumulator and immediate */
        d->fields.imm = (int64_t)d->d.sys.imm;
        return emit_to(d, form + RI, slot_of(d, RAX, d->v), 0);
    }
    operand_memory(d);
    if (has_operand(row, 1, KIND_I)) {
        d->fields.imm = (int64_t)d->d.sys.imm;
        return emit_to(d, form + with_imm[d->from], slot_rm(d, d->v), 0);
    }
    if (has_operand(row, 0, KIND_G)) {
        return emit_to(d, form + to_reg[d->from], slot_g(d, d->v), slot_rm(d, d->v));
    }
    return emit_to(d, form + to_rm[d->from], slot_rm(d, d->v), slot_g(d, d->v));
}

bool build_alu(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_alu_add] = FORM_add_rr_8, [ARG_alu_or] = FORM_or_rr_8, [ARG_alu_adc] = FORM_adc_rr_8,
        [ARG_alu_sbb] = FORM_sbb_rr_8, [ARG_alu_and] = FORM_and_rr_8, [ARG_alu_sub] = FORM_sub_rr_8,
        [ARG_alu_xor] = FORM_xor_rr_8, [ARG_alu_cmp] = FORM_cmp_rr_8, [ARG_alu_test] = FORM_test_rr_8,
    };
    static const uint8_t producer[] = {
        [ARG_alu_add] = AFTER_RESULT, [ARG_alu_or] = AFTER_LOGIC, [ARG_alu_adc] = AFTER_RESULT, [ARG_alu_sbb] = ANY,
        [ARG_alu_and] = AFTER_LOGIC, [ARG_alu_sub] = AFTER_SUB, [ARG_alu_xor] = AFTER_LOGIC,
        [ARG_alu_cmp] = AFTER_SUB, [ARG_alu_test] = AFTER_LOGIC,
    };
    build_binary(d, row, form[row->arg]);
    d->producer = producer[row->arg];
    if (d->d.sys.lock) {
        emit_locked(d);
    }
    return true;
}

bool build_unary(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_unary_inc] = FORM_inc_r_8, [ARG_unary_dec] = FORM_dec_r_8, [ARG_unary_not] = FORM_not_r_8,
        [ARG_unary_neg] = FORM_neg_r_8,
    };
    if (has_operand(row, 0, KIND_Z)) {
        d->from = FROM_REG;
    } else {
        operand_memory(d);
    }
    emit_to(d, sized(form[row->arg], d->v) + d->from * 4, slot_rm(d, d->v), 0);
    if (row->arg != ARG_unary_not) {
        d->producer = row->arg == ARG_unary_neg ? AFTER_SUB : AFTER_RESULT;
    }
    if (d->d.sys.lock) {
        emit_locked(d);
    }
    return true;
}

bool build_muldiv(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_muldiv_mul] = FORM_mul1_8, [ARG_muldiv_imul] = FORM_imul1_8, [ARG_muldiv_div] = FORM_div1_8,
        [ARG_muldiv_idiv] = FORM_idiv1_8,
    };
    uint8_t src = operand_load(d, d->v);
    if (row->arg <= ARG_muldiv_imul) {
        d->producer = ANY;
    }
    return emit_to(d, sized(form[row->arg], d->v), 0, src);
}

bool build_imul(struct decoder *d, const struct x86_row *row)
{
    unsigned form = has_operand(row, 2, KIND_I) ? FORM_imul3_r_16 : FORM_imul2_r_16;

    operand_memory(d);
    d->producer = ANY;
    d->fields.imm = (int64_t)d->d.sys.imm;
    return emit_to(d, form + ((unsigned)__builtin_ctz(d->v) - 1) * 3 + d->from, slot_g(d, d->v), slot_rm(d, d->v));
}

/* --- shifts ---------------------------------------------------------------------- */

static bool shift_by_register(struct decoder *d, unsigned arg, uint8_t dst, uint8_t count)
{
    static const unsigned form[] = {
        [ARG_shift_rol] = FORM_rol_v_8, [ARG_shift_ror] = FORM_ror_v_8, [ARG_shift_rcl] = FORM_rcl_v_8,
        [ARG_shift_rcr] = FORM_rcr_v_8, [ARG_shift_shl] = FORM_shl_v_8, [ARG_shift_shr] = FORM_shr_v_8,
        [ARG_shift_sar] = FORM_sar_v_8,
    };
    d->producer = ANY;
    emit_to(d, sized(form[arg], d->v), dst, count);
    return operand_store(d, d->v);
}

bool build_shift(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_shift_rol] = FORM_rol_8, [ARG_shift_ror] = FORM_ror_8, [ARG_shift_shl] = FORM_shl_8,
        [ARG_shift_shr] = FORM_shr_8, [ARG_shift_sar] = FORM_sar_8,
    };
    uint8_t dst = operand_modify(d, d->v);

    if (row->operand[1].kind == KIND_FIXED && row->operand[1].size == FIX_CL) {
        return shift_by_register(d, row->arg, dst, SLOT_GPR + RCX * 8);
    }
    unsigned count = has_operand(row, 1, KIND_I) ? d->d.sys.imm & (d->v == 8 ? 63 : 31) : 1;
    if (count == 0) { /* no flags; a 32-bit register still loses its upper half */
        emit_to(d, sized(FORM_mov_rr_8, d->v), dst, dst);
        return operand_store(d, d->v);
    }
    if (row->arg == ARG_shift_rcl || row->arg == ARG_shift_rcr) {
        emit_value(d, SLOT_TEMP2, count);
        return shift_by_register(d, row->arg, dst, SLOT_TEMP2);
    }
    bool rotate = row->arg <= ARG_shift_ror;
    d->producer = rotate ? ANY : AFTER_RESULT;
    d->fields.imm = rotate ? count : count - 1;
    emit_to(d, sized(form[row->arg], d->v), dst, 0);
    return operand_store(d, d->v);
}

bool build_shift_double(struct decoder *d, const struct x86_row *row)
{
    uint8_t dst = operand_modify(d, d->v);
    uint8_t index = d->fields.index, count = SLOT_GPR + RCX * 8;

    if (has_operand(row, 2, KIND_I)) {
        count = SLOT_TEMP2;
        emit_value(d, count, (int64_t)(d->d.sys.imm & 0xff));
    }
    d->producer = ANY;
    d->fields.index = count;
    emit_to(d, worded(row->arg == ARG_shift_double_shld ? FORM_shld_16 : FORM_shrd_16, d->v), dst, slot_g(d, d->v));
    d->fields.index = index;
    return operand_store(d, d->v);
}

/* --- bits ------------------------------------------------------------------------- */

/* Into cpu->addr.  The bit number is part of the effective address, which is truncated to
 * the address size and checked as a whole. */
static void bit_address(struct decoder *d, uint8_t bit)
{
    if (d->long64 && d->d.sys.address_size == 8) {
        operand_address(d);
        emit_to(d, worded(FORM_ea_bit_16, d->v), 0, bit);
        return;
    }
    const struct decode_request *saved = d->q;
    struct decode_request request = *saved;
    uint8_t segment = d->d.sys.segment, address_size = d->d.sys.address_size;
    request.mode |= MODE_FLAT;
    d->q = &request;
    d->d.sys.segment = DS;
    d->d.sys.address_size = 4;
    operand_address(d);
    emit_to(d, worded(FORM_ea_bit_16, d->v), 0, bit);
    d->q = saved;
    d->d.sys.segment = segment;
    d->d.sys.address_size = address_size;
    operand_segment(d);
}

bool build_bit(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_bit_bt] = FORM_bt_16, [ARG_bit_bts] = FORM_bts_16, [ARG_bit_btr] = FORM_btr_16, [ARG_bit_btc] = FORM_btc_16,
    };
    bool changes = row->arg != ARG_bit_bt;
    uint8_t dst, bit = slot_g(d, d->v);

    if (has_operand(row, 1, KIND_I)) {
        dst = changes ? operand_modify(d, d->v) : operand_load(d, d->v);
        bit = SLOT_TEMP2;
        emit_value(d, bit, (int64_t)d->d.sys.imm);
    } else if (is_register(d)) {
        d->from = FROM_REG;
        dst = slot_rm(d, d->v);
    } else { /* a bit string: the register reaches beyond the operand */
        bit_address(d, bit);
        dst = SLOT_TEMP;
        emit_to(d, sized(changes ? FORM_lw_m_8 : FORM_mov_rm_8, d->v), dst, 0);
    }
    d->producer = ANY;
    emit_to(d, worded(form[row->arg], d->v), dst, bit);
    return !changes || operand_store(d, d->v);
}

bool build_scan(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_scan_popcnt] = FORM_popcnt_16, [ARG_scan_bsf] = FORM_bsf_16, [ARG_scan_bsr] = FORM_bsr_16,
        [ARG_scan_tzcnt] = FORM_tzcnt_16, [ARG_scan_lzcnt] = FORM_lzcnt_16,
    };
    uint8_t src = operand_load(d, d->v);
    d->producer = ANY;
    return emit_to(d, worded(form[row->arg], d->v), slot_g(d, d->v), src);
}

/* --- moves -------------------------------------------------------------------------- */

bool build_mov(struct decoder *d, const struct x86_row *row)
{
    if (d->v == 4 && has_operand(row, 1, KIND_I) && is_register(d)) { /* one store, no sign to lose */
        return emit_value(d, slot_rm(d, 4), (int64_t)(uint32_t)d->d.sys.imm);
    }
    return build_binary(d, row, FORM_mov_rr_8);
}

bool build_mov_offset(struct decoder *d, const struct x86_row *row)
{
    bool load = has_operand(row, 1, KIND_O);
    unsigned bytes = row->operand[load ? 1 : 0].size == SIZE_b ? 1 : d->v;

    d->d.sys.modrm = 0; /* memory */
    emit_value(d, SLOT_TEMP2, (int64_t)d->d.sys.imm);
    operand_memory(d); /* base 0xff: patched to temp2 unless a segment record took it */
    if (d->from == FROM_M && d->fields.base == SLOT_ADDR) {
        d->next[-1].base = SLOT_TEMP2;
    } else {
        d->fields.base = SLOT_TEMP2;
    }
    uint8_t rax = SLOT_GPR + RAX * 8;
    return emit_to(d, sized(load ? FORM_mov_rm_8 : FORM_mov_mr_8, bytes), rax, rax);
}

bool build_mov_imm(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    uint8_t dst = slot_rm(d, d->v);
    if (d->v >= 4) {
        return emit_value(d, dst, d->v == 4 ? (int64_t)(uint32_t)d->d.sys.imm : (int64_t)d->d.sys.imm);
    }
    d->fields.imm = (int64_t)d->d.sys.imm;
    return emit_to(d, sized(FORM_mov_ri_8, d->v), dst, 0);
}

bool build_lea(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    uint8_t dst = slot_g(d, d->v);
    unsigned address_size = d->d.sys.address_size;

    d->d.sys.segment = DS;
    if (address_size == 8) {
        operand_memory(d);
        return emit_to(d, worded(d->from == FROM_M ? FORM_lea_m_16 : FORM_lea_x_16, d->v), dst, 0);
    }
    uint32_t flat = d->long64 ? 0 : MODE_FLAT;
    struct decode_request request = *d->q; /* no segment, no limit: as if flat */
    const struct decode_request *saved = d->q;
    request.mode |= flat;
    d->d.sys.address_size = 4;
    d->q = &request;
    operand_address(d);
    d->q = saved;
    if (address_size == 2) {
        emit_to(d, FORM_movz64_r_16, SLOT_ADDR, SLOT_ADDR);
    }
    return emit_to(d, sized(FORM_mov_rr_8, d->v), dst, SLOT_ADDR);
}

bool build_extend(struct decoder *d, const struct x86_row *row)
{
    bool zero = row->arg == ARG_extend_zx;
    unsigned from = row->operand[1].size == SIZE_b ? 1 : row->operand[1].size == SIZE_w ? 2 : 4;
    unsigned form;

    operand_memory(d);
    uint8_t dst = slot_g(d, d->v), src = slot_rm(d, from);
    if (from >= d->v) { /* MOVZX r16,r/m16; MOVSXD without REX.W */
        static const unsigned plain[] = { FORM_mov_rr_8, FORM_mov_rm_8, FORM_mov_rx_8 };
        return emit_to(d, sized(plain[d->from], d->v), dst, src);
    }
    if (from == 1 && d->v == 2) {
        form = zero ? FORM_movz16_r_8 : FORM_movs16_r_8;
    } else if (zero) {
        form = from == 1 ? FORM_movz64_r_8 : FORM_movz64_r_16;
    } else if (d->v == 4) {
        form = from == 1 ? FORM_movs32_r_8 : FORM_movs32_r_16;
    } else {
        form = from == 1 ? FORM_movs64_r_8 : from == 2 ? FORM_movs64_r_16 : FORM_movs64_r_32;
    }
    return emit_to(d, form + d->from, dst, src);
}

bool build_widen(struct decoder *d, const struct x86_row *row)
{
    uint8_t rax = SLOT_GPR + RAX * 8;
    if (row->arg == ARG_widen_cwd) {
        return emit(d, worded(FORM_cwd_16, d->v));
    }
    return emit_to(d, d->v == 2 ? FORM_movs16_r_8 : d->v == 4 ? FORM_movs32_r_16 : FORM_movs64_r_32, rax, rax);
}

bool build_bswap(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return emit_to(d, d->v == 8 ? FORM_bswap_64 : FORM_bswap_32, slot_rm(d, 8), 0);
}

bool build_cmov(struct decoder *d, const struct x86_row *row)
{
    unsigned form = d->v == 2 ? FORM_cmov16_any_o : d->v == 4 ? FORM_cmov32_any_o : FORM_cmov64_any_o;
    uint8_t src = operand_load(d, d->v);
    return emit_to(d, conditional(d, form, row->arg), slot_g(d, d->v), src);
}

bool build_setcc(struct decoder *d, const struct x86_row *row)
{
    /* The address comes last: a checked one looks at the access behind it. */
    emit_to(d, conditional(d, FORM_set_any_o, row->arg), is_register(d) ? slot_rm(d, 1) : SLOT_TEMP, 0);
    operand_memory(d);
    return operand_store(d, 1);
}

/* --- exchanges ------------------------------------------------------------------------- */

/* 'changed' is written before the memory operand is: if the address uses it, it is computed once, first. */
static bool exchange(struct decoder *d, unsigned form_8, uint8_t changed, bool always_locked)
{
    uint8_t dst;
    unsigned slot = (changed - SLOT_GPR) / 8u; /* of AH: RAX */

    if (!is_register(d) && (d->d.sys.base == slot || d->d.sys.index == slot)) {
        operand_address(d);
        emit(d, sized(FORM_lw_m_8, d->v));
        dst = SLOT_TEMP;
    } else {
        dst = operand_modify(d, d->v);
    }
    d->d.sys.lock |= always_locked;
    emit_to(d, sized(form_8, d->v), dst, slot_g(d, d->v));
    return operand_store(d, d->v);
}

bool build_xchg(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return exchange(d, FORM_xchg_8, slot_g(d, d->v), true);
}

bool build_xchg_rax(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    if (d->d.sys.rm == RAX) {
        return emit(d, FORM_nop);
    }
    return emit_to(d, sized(FORM_xchg_8, d->v), slot_rm(d, d->v), SLOT_GPR + RAX * 8);
}

bool build_xadd(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    exchange(d, FORM_xadd_8, slot_g(d, d->v), false);
    d->producer = AFTER_RESULT;
    return true;
}

bool build_cmpxchg(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    exchange(d, FORM_cmpxchg_8, SLOT_GPR + RAX * 8, false);
    d->producer = AFTER_SUB;
    return true;
}

bool build_cmpxchg_wide(struct decoder *d, const struct x86_row *row)
{
    operand_memory_m(d);
    emit(d, row->op == OP_CMPXCHG16B ? FORM_cmpxchg16b : FORM_cmpxchg8b);
    d->producer = ANY;
    if (d->d.sys.lock) {
        emit_locked(d);
    }
    return true;
}

bool build_xlat(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    emit_to(d, FORM_movz64_r_8, SLOT_TEMP2, SLOT_GPR + RAX * 8);
    d->d.sys.modrm = 0;
    d->d.sys.base = RBX;
    d->d.sys.index = RAX; /* stands for AL: patched below */
    operand_memory(d);
    if (d->fields.base == SLOT_ADDR) {
        d->next[-1].index = SLOT_TEMP2;
    } else {
        d->fields.index = SLOT_TEMP2;
    }
    return emit_to(d, d->from == FROM_M ? FORM_mov_rm_8 : FORM_mov_rx_8, SLOT_GPR + RAX * 8, 0);
}

bool build_flag(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_flag_sahf] = FORM_sahf, [ARG_flag_lahf] = FORM_lahf, [ARG_flag_cmc] = FORM_cmc, [ARG_flag_clc] = FORM_clc,
        [ARG_flag_stc] = FORM_stc, [ARG_flag_cld] = FORM_cld, [ARG_flag_std] = FORM_std, [ARG_flag_salc] = FORM_salc,
    };
    bool changes = row->arg != ARG_flag_lahf && row->arg != ARG_flag_cld && row->arg != ARG_flag_std &&
                   row->arg != ARG_flag_salc;
    d->producer = changes ? ANY : d->producer;
    return emit(d, form[row->arg]);
}

bool build_nop(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return emit(d, FORM_nop);
}

bool build_ud(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->ended = true;
    return emit(d, FORM_ud);
}
