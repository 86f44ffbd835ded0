/* Builders: MMX.  An mm or xmm operand is the register's number, a general one its slot. */
#include "sim/cpu/decode/decoder.h"

/* Forms that may run.  Those with an xmm register also need what SSE needs. */
static bool mmx_off(struct decoder *d, const struct x86_row *row)
{
    bool sse = has_operand(row, 0, KIND_V) || has_operand(row, 1, KIND_W) || has_operand(row, 1, KIND_U);

    if (d->q->mode & (sse ? MODE_SSE_OK : MODE_X87_OK)) {
        return false;
    }
    d->ended = true;
    emit(d, sse ? FORM_sse_check : FORM_mmx_check);
    return true;
}

/* The address of a memory operand; behind x87 errors, which come before what a segment has to say. */
static void address(struct decoder *d, const struct x86_row *row)
{
    const struct sys_insn *s = &d->d.sys;
    bool flat = d->long64 || (d->q->mode & MODE_FLAT && s->segment != CS && s->segment < FS);

    if (!is_register(d) && !flat && row->operand[0].kind != KIND_V) {
        emit(d, FORM_x87_wait);
    }
    operand_memory(d);
}

static uint8_t mm_reg(const struct decoder *d) { return d->d.sys.reg & 7; }
static uint8_t mm_rm(const struct decoder *d) { return d->d.sys.rm & 7; }

static uint8_t operand_of(const struct decoder *d, unsigned kind)
{
    switch (kind) {
    case KIND_P: return mm_reg(d);
    case KIND_Q: case KIND_N: return mm_rm(d);
    case KIND_V: return d->d.sys.reg;
    case KIND_G: return slot_of(d, d->d.sys.reg, 8);
    case KIND_E: return slot_of(d, d->d.sys.rm, 8);
    default: return d->d.sys.rm; /* W, U */
    }
}

bool build_mmx(struct decoder *d, const struct x86_row *row)
{
    bool shift = row->operand[1].kind == KIND_I;
    uint8_t dst = operand_of(d, row->operand[0].kind);

    if (mmx_off(d, row)) {
        return true;
    }
    address(d, row);
    d->fields.imm = (int64_t)(d->d.sys.imm & 0xff);
    return emit_to(d, row->arg + !is_register(d), dst, shift ? dst : operand_of(d, row->operand[1].kind));
}

bool build_mmx_load(struct decoder *d, const struct x86_row *row)
{
    if (mmx_off(d, row)) {
        return true;
    }
    address(d, row);
    return emit_to(d, is_register(d) ? FORM_mmx_mov : FORM_mmx_load_8, mm_reg(d), mm_rm(d));
}

bool build_mmx_store(struct decoder *d, const struct x86_row *row)
{
    if (mmx_off(d, row)) {
        return true;
    }
    address(d, row);
    return is_register(d) ? emit_to(d, FORM_mmx_mov, mm_rm(d), mm_reg(d)) : emit_to(d, FORM_mmx_store_8, mm_reg(d), 0);
}

bool build_mmx_from_gpr(struct decoder *d, const struct x86_row *row)
{
    bool wide = d->d.sys.rex & 8;

    if (mmx_off(d, row)) {
        return true;
    }
    address(d, row);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_mmx_load_8 : FORM_mmx_load_4, mm_reg(d), 0);
    }
    return emit_to(d, wide ? FORM_mmx_from_gpr_64 : FORM_mmx_from_gpr_32, mm_reg(d), slot_of(d, d->d.sys.rm, 8));
}

bool build_mmx_to_gpr(struct decoder *d, const struct x86_row *row)
{
    bool wide = d->d.sys.rex & 8;

    if (mmx_off(d, row)) {
        return true;
    }
    address(d, row);
    if (!is_register(d)) {
        return emit_to(d, wide ? FORM_mmx_store_8 : FORM_mmx_store_4, mm_reg(d), 0);
    }
    return emit_to(d, wide ? FORM_mmx_to_gpr_64 : FORM_mmx_to_gpr_32, slot_of(d, d->d.sys.rm, 8), mm_reg(d));
}

bool build_mmx_emms(struct decoder *d, const struct x86_row *row)
{
    return mmx_off(d, row) || emit(d, FORM_mmx_emms);
}

bool build_mmx_sys(struct decoder *d, const struct x86_row *row)
{
    if (mmx_off(d, row)) {
        return true;
    }
    emit(d, FORM_x87_wait);
    return emit_sys(d, row->sys);
}
