/* Builders: AVX.  A vector operand is the register's number, a general one its slot. */
#include "sim/cpu/avx/avx.h"
#include "sim/cpu/decode/decoder.h"

/* As with SSE: the mode decides now what the instruction will do. */
static bool avx_off(struct decoder *d)
{
    if (d->q->mode & MODE_AVX_OK) {
        return false;
    }
    d->ended = true;
    return emit(d, FORM_avx_check);
}

static uint8_t reg_number(const struct decoder *d) { return d->d.sys.reg; }
static uint8_t rm_number(const struct decoder *d) { return d->d.sys.rm; }

static bool must_align(const struct x86_row *row)
{
    return !(row->traits & TRAIT_UNALIGNED);
}

/* Between registers, whichever of them ModRM.rm names. */
static bool move_registers(struct decoder *d, bool quadword, uint8_t dst, uint8_t src)
{
    return emit_to(d, quadword ? FORM_avx_movq_r : d->d.sys.vex256 ? FORM_avx_mov_r_32 : FORM_avx_mov_r_16, dst, src);
}

bool build_avx_load(struct decoder *d, const struct x86_row *row)
{
    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    if (is_register(d)) {
        return move_registers(d, row->arg == ARG_avx_load_q, reg_number(d), rm_number(d));
    }
    unsigned form = row->arg == ARG_avx_load_d ? FORM_avx_load_4 : row->arg == ARG_avx_load_q ? FORM_avx_load_8
                    : d->d.sys.vex256 ? FORM_avx_load_32 + must_align(row) : FORM_avx_load_16 + must_align(row);
    return emit_to(d, form, reg_number(d), 0);
}

bool build_avx_store(struct decoder *d, const struct x86_row *row)
{
    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    if (is_register(d)) {
        return move_registers(d, row->arg == ARG_avx_store_q, rm_number(d), reg_number(d));
    }
    unsigned form = row->arg == ARG_avx_store_d ? FORM_sse_store_4 : row->arg == ARG_avx_store_q ? FORM_sse_store_8
                    : d->d.sys.vex256 ? FORM_avx_store_32 + must_align(row) : FORM_sse_store_16 + must_align(row);
    return emit_to(d, form, reg_number(d), 0);
}

bool build_avx_store_high(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    return emit_to(d, FORM_sse_store_high, reg_number(d), 0);
}

/* VEXTRACTF128 to memory. */
bool build_avx_store_lane(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    return emit_to(d, d->d.sys.imm & 1 ? FORM_avx_store_upper : FORM_sse_store_16, reg_number(d), 0);
}

bool build_avx_from_gpr(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    bool wide = d->d.sys.rex & 8;

    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_avx_load_8 : FORM_avx_load_4, reg_number(d), 0);
    }
    return emit_to(d, wide ? FORM_avx_from_gpr_64 : FORM_avx_from_gpr_32, reg_number(d), slot_of(d, d->d.sys.rm, 8));
}

bool build_avx_to_gpr(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    bool wide = d->d.sys.rex & 8;

    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_sse_store_8 : FORM_sse_store_4, reg_number(d), 0);
    }
    return emit_to(d, wide ? FORM_sse_to_gpr_64 : FORM_sse_to_gpr_32, slot_of(d, d->d.sys.rm, 8), reg_number(d));
}

/* VPMOVMSKB of a ymm register. */
bool build_avx_byte_mask(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return avx_off(d) || emit_to(d, FORM_avx_byte_mask, slot_of(d, d->d.sys.reg, 8), rm_number(d));
}

bool build_avx_zero(struct decoder *d, const struct x86_row *row)
{
    if (avx_off(d)) {
        return true;
    }
    d->fields.imm = d->long64 ? 16 : 8;
    return emit(d, row->arg == ARG_avx_zero_upper ? FORM_avx_zero_upper : FORM_avx_zero_all);
}

bool build_avx_spread(struct decoder *d, const struct x86_row *row)
{
    if (avx_off(d)) {
        return true;
    }
    operand_memory(d);
    d->fields.imm = d->d.sys.vex256 ? -1 : 0;
    return emit_to(d, sized(FORM_avx_spread_1, row->arg), reg_number(d), 0);
}

/* --- operations ---------------------------------------------------------------------- */

static bool any_operand(const struct x86_row *row, unsigned kind)
{
    for (unsigned i = 0; i < 4; i++) {
        if (row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static unsigned vector_bytes(const struct decoder *d, unsigned size)
{
    switch (size) {
    case SIZE_b: return 1;
    case SIZE_w: return 2;
    case SIZE_d: return 4;
    case SIZE_q: return 8;
    case SIZE_y: return d->d.sys.rex & 8 ? 8 : 4;
    case SIZE_x: return d->d.sys.vex256 ? 32 : 16;
    case SIZE_qq: return 32;
    default: return 16;
    }
}

/* Of the operand in ModRM.rm. */
static unsigned rm_bytes(const struct decoder *d, const struct x86_row *row)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = row->operand[i].kind;
        if (kind == KIND_W || kind == KIND_U || kind == KIND_E) {
            return vector_bytes(d, row->operand[i].size);
        }
    }
    return 16;
}

static bool is_256(const struct decoder *d, const struct x86_row *row)
{
    bool sized = false;
    for (unsigned i = 0; i < 4; i++) {
        sized |= row->operand[i].size == SIZE_x || row->operand[i].size == SIZE_qq;
    }
    return sized && d->d.sys.vex256;
}

static uint64_t operation(const struct decoder *d, const struct x86_row *row)
{
    bool shifts = has_operand(row, 0, KIND_H); /* by an immediate: VEX.vvvv is the destination */
    uint64_t first = shifts ? d->d.sys.rm : d->d.sys.vvvv, third = d->d.sys.imm >> 4 & (d->long64 ? 15 : 7);
    uint64_t imm = any_operand(row, KIND_I) ? d->d.sys.imm & 0xff : 0;

    return row->arg | imm << AVX_IMM | first << AVX_FIRST | third << AVX_THIRD | (uint64_t)is_256(d, row) << AVX_WIDE;
}

/* VPEXTRB and its kind: to a general register or, through temp, to memory.  The address comes after the operation, as its
 * record looks at the record behind it. */
static bool build_extract(struct decoder *d, const struct x86_row *row)
{
    emit_to(d, FORM_avx_r, is_register(d) ? slot_of(d, d->d.sys.rm, 8) : SLOT_TEMP, reg_number(d));
    if (is_register(d)) {
        return true;
    }
    operand_memory(d);
    return operand_store(d, vector_bytes(d, row->operand[0].size));
}

/* A record form that has the operation within it: 'src' is the first source; without memory 'base' is the second. */
static bool build_quick(struct decoder *d, const struct x86_row *row, uint8_t dst)
{
    unsigned form = row->quick + !is_register(d) + (is_256(d, row) ? 2 : 0);
    uint8_t first = has_operand(row, 0, KIND_H) ? rm_number(d) : d->d.sys.vvvv;

    if (is_register(d)) {
        d->fields.base = any_operand(row, KIND_E) ? slot_of(d, d->d.sys.rm, 8) : rm_number(d);
    }
    return emit_to(d, form, dst, first);
}

bool build_avx(struct decoder *d, const struct x86_row *row)
{
    static const unsigned memory[] = { FORM_avx_m_1, FORM_avx_m_2, FORM_avx_m_4, FORM_avx_m_8, FORM_avx_m_16, FORM_avx_m_32 };
    uint8_t dst = reg_number(d);

    if (avx_off(d)) {
        return true;
    }
    if (row->flags_written) {
        d->producer = ANY;
    }
    if (has_operand(row, 0, KIND_G)) {
        dst = slot_of(d, d->d.sys.reg, 8);
    } else if (has_operand(row, 0, KIND_H)) {
        dst = d->d.sys.vvvv;
    }
    d->fields.imm = (int64_t)operation(d, row);
    if (has_operand(row, 0, KIND_E)) {
        return build_extract(d, row);
    }
    operand_memory(d);
    if (has_operand(row, 0, KIND_U)) { /* a register to ModRM.rm */
        return emit_to(d, FORM_avx_r, rm_number(d), reg_number(d));
    }
    if (row->quick) {
        return build_quick(d, row, dst);
    }
    if (!is_register(d)) {
        return emit_to(d, memory[__builtin_ctz(rm_bytes(d, row))], dst, 0);
    }
    bool general = any_operand(row, KIND_E);
    return emit_to(d, general ? FORM_avx_e : FORM_avx_r, dst, general ? slot_of(d, d->d.sys.rm, 8) : rm_number(d));
}

bool build_avx_sys(struct decoder *d, const struct x86_row *row)
{
    return avx_off(d) || emit_sys(d, row->sys);
}
