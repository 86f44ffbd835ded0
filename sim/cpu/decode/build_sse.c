/* Builders: SSE to SSE4.2.  An xmm operand is the register's number, a general one its slot. */
#include "sim/cpu/decode/decoder.h"

/* Forms that may run; else the fault is decided now, as the mode is part of the block's key. */
static bool sse_off(struct decoder *d)
{
    if (d->q->mode & MODE_SSE_OK) {
        return false;
    }
    d->ended = true;
    return emit(d, FORM_sse_check);
}

/* ADDRESS_x with index = zero serves both memory forms. */
static uint8_t reg_number(const struct decoder *d) { return d->d.sys.reg; }
static uint8_t rm_number(const struct decoder *d) { return d->d.sys.rm; }

static bool store_temp(struct decoder *d, const struct x86_row *row)
{
    static const uint8_t bytes[] = { [SIZE_b] = 1, [SIZE_w] = 2, [SIZE_d] = 4, [SIZE_q] = 8 };
    operand_memory(d);
    return operand_store(d, bytes[row->operand[0].size]);
}

/* xmm by reg to a general register or memory by rm (PEXTRB and its kind).  The address comes after the
 * operation: its record looks at the record behind it. */
static bool build_extract(struct decoder *d, const struct x86_row *row)
{
    d->fields.imm = (int64_t)(d->d.sys.imm & 0xff);
    emit_to(d, row->arg, is_register(d) ? slot_of(d, d->d.sys.rm, 8) : SLOT_TEMP, reg_number(d));
    return is_register(d) || store_temp(d, row);
}

bool build_sse(struct decoder *d, const struct x86_row *row)
{
    unsigned form = row->arg;
    bool immediate = has_operand(row, 1, KIND_I) || has_operand(row, 2, KIND_I);
    uint8_t dst, src;

    if (sse_off(d)) {
        return true;
    }
    if (row->flags_written) {
        d->producer = ANY;
    }
    if (has_operand(row, 0, KIND_R) || has_operand(row, 0, KIND_M)) {
        return build_extract(d, row);
    }
    operand_memory(d);
    if (has_operand(row, 0, KIND_U)) { /* shifts by an immediate */
        dst = src = rm_number(d);
    } else {
        dst = has_operand(row, 0, KIND_G) ? slot_of(d, d->d.sys.reg, 8) : reg_number(d);
        src = has_operand(row, 1, KIND_E) ? slot_of(d, d->d.sys.rm, 8) : rm_number(d);
    }
    bool wide = d->d.sys.rex & 8;
    if (row->operand[1].kind == KIND_E && row->operand[1].size == SIZE_y && wide) {
        form += 2; /* the 8-byte pair follows the 4-byte pair */
    }
    d->fields.imm = immediate ? (int64_t)(d->d.sys.imm & 0xff) : wide ? 8 : 4;
    return emit_to(d, form + !is_register(d), dst, src);
}

bool build_sse_load(struct decoder *d, const struct x86_row *row)
{
    bool aligned = row->arg == ARG_sse_load_16 && !(row->traits & TRAIT_UNALIGNED);

    if (sse_off(d)) {
        return true;
    }
    operand_memory(d);
    if (is_register(d)) {
        return emit_to(d, row->arg == ARG_sse_load_16 ? FORM_sse_mov_r : FORM_sse_movq_r, reg_number(d), rm_number(d));
    }
    unsigned form = row->arg == ARG_sse_load_4 ? FORM_sse_load_4 : row->arg == ARG_sse_load_8 ? FORM_sse_load_8
                    : aligned ? FORM_sse_load_16a : FORM_sse_load_16;
    return emit_to(d, form, reg_number(d), 0);
}

bool build_sse_store(struct decoder *d, const struct x86_row *row)
{
    bool aligned = row->arg == ARG_sse_store_16 && !(row->traits & TRAIT_UNALIGNED);

    if (sse_off(d)) {
        return true;
    }
    operand_memory(d);
    if (is_register(d)) {
        return emit_to(d, row->arg == ARG_sse_store_16 ? FORM_sse_mov_r : FORM_sse_movq_r, rm_number(d), reg_number(d));
    }
    unsigned form = row->arg == ARG_sse_store_4 ? FORM_sse_store_4 : row->arg == ARG_sse_store_8 ? FORM_sse_store_8
                    : aligned ? FORM_sse_store_16a : FORM_sse_store_16;
    return emit_to(d, form, reg_number(d), 0);
}

static bool memory_move(struct decoder *d, unsigned form)
{
    if (sse_off(d)) {
        return true;
    }
    operand_memory(d);
    return emit_to(d, form, reg_number(d), 0);
}

bool build_sse_load_half(struct decoder *d, const struct x86_row *row)
{
    return memory_move(d, row->arg == ARG_sse_load_half_low ? FORM_sse_load_low : FORM_sse_load_high);
}

bool build_sse_store_high(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return memory_move(d, FORM_sse_store_high);
}

bool build_sse_merge(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_sse_merge_low4] = FORM_sse_merge_low4, [ARG_sse_merge_low8] = FORM_sse_merge_low8,
        [ARG_sse_merge_high_to_low] = FORM_sse_merge_high_to_low,
        [ARG_sse_merge_low_to_high] = FORM_sse_merge_low_to_high,
    };
    bool reversed = has_operand(row, 0, KIND_U);

    if (sse_off(d)) {
        return true;
    }
    return emit_to(d, form[row->arg], reversed ? rm_number(d) : reg_number(d), reversed ? reg_number(d) : rm_number(d));
}

bool build_sse_from_gpr(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    bool wide = d->d.sys.rex & 8;

    if (sse_off(d)) {
        return true;
    }
    operand_memory(d);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_sse_load_8 : FORM_sse_load_4, reg_number(d), 0);
    }
    return emit_to(d, wide ? FORM_sse_from_gpr_64 : FORM_sse_from_gpr_32, reg_number(d), slot_of(d, d->d.sys.rm, 8));
}

bool build_sse_to_gpr(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    bool wide = d->d.sys.rex & 8;

    if (sse_off(d)) {
        return true;
    }
    operand_memory(d);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_sse_store_8 : FORM_sse_store_4, reg_number(d), 0);
    }
    return emit_to(d, wide ? FORM_sse_to_gpr_64 : FORM_sse_to_gpr_32, slot_of(d, d->d.sys.rm, 8), reg_number(d));
}
