/* Builders: stack, control flow, and everything that is a function call. */
#include "sim/cpu/decode/decoder.h"
#include "x86/sys_functions.h"

/* Outside 64-bit mode the stack has a segment and sizes of its own: functions do it. */
bool build_push(struct decoder *d, const struct x86_row *row)
{
    if (!d->long64) {
        return emit_sys(d, legacy_push);
    }
    if (has_operand(row, 0, KIND_I)) {
        d->fields.imm = (int64_t)d->d.sys.imm;
        return emit(d, d->v == 2 ? FORM_push16_i : FORM_push_i);
    }
    uint8_t src = has_operand(row, 0, KIND_Z) ? slot_rm(d, d->v) : operand_load(d, d->v);
    return emit_to(d, d->v == 2 ? FORM_push16_r : FORM_push_r, 0, src);
}

bool build_pop(struct decoder *d, const struct x86_row *row)
{
    if (!d->long64) {
        return emit_sys(d, legacy_pop);
    }
    if (has_operand(row, 0, KIND_Z) || is_register(d)) {
        return emit_to(d, d->v == 2 ? FORM_pop16_r : FORM_pop_r, slot_rm(d, d->v), 0);
    }
    emit(d, d->v == 2 ? FORM_peek16 : FORM_peek);
    if (d->d.sys.base == RSP) { /* the address is computed after rsp was moved */
        d->d.sys.disp += (int32_t)d->v;
    }
    operand_memory(d);
    operand_store(d, d->v);
    d->fields.base = SLOT_GPR + RSP * 8;
    d->fields.disp = (int32_t)d->v;
    return emit_to(d, FORM_lea_m_64, SLOT_GPR + RSP * 8, 0);
}

bool build_push_sreg(struct decoder *d, const struct x86_row *row)
{
    d->d.sys.reg = row->operand[0].size == FIX_FS ? FS : GS;
    return emit_sys(d, legacy_push_sreg);
}

bool build_enter(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->d.sys.imm = d->d.sys.imm | d->d.imm2 << 16;
    return emit_sys(d, legacy_enter);
}

bool build_leave(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    return d->long64 && d->v == 8 ? emit(d, FORM_leave) : emit_sys(d, legacy_leave);
}

/* --- jumps -------------------------------------------------------------------------- */

/* Links and in-page offsets need rip = linear address and no truncation. */
static bool flow_legacy(const struct decoder *d)
{
    return !d->long64 && !(d->q->mode & MODE_FLAT && d->v == 4);
}

/* The direct target; false: it leaves the page. */
static bool set_target(struct decoder *d)
{
    d->target = (int64_t)d->offset + d->d.sys.length + (int64_t)d->d.sys.imm;
    return d->target >= 0 && d->target < 4096 && !d->q->alone;
}

bool build_jcc(struct decoder *d, const struct x86_row *row)
{
    d->ended = true;
    if (flow_legacy(d)) {
        return emit_sys(d, legacy_jcc);
    }
    set_target(d);
    return emit(d, conditional(d, FORM_jcc_any_o, row->arg));
}

bool build_loop(struct decoder *d, const struct x86_row *row)
{
    static const unsigned form[] = {
        [ARG_loop_loop] = FORM_loop_32, [ARG_loop_loope] = FORM_loope_32, [ARG_loop_loopne] = FORM_loopne_32,
        [ARG_loop_jcxz] = FORM_jcxz_32,
    };
    d->ended = true;
    if (flow_legacy(d) || d->d.sys.address_size == 2) {
        return emit_sys(d, legacy_loop);
    }
    set_target(d);
    return emit(d, form[row->arg] + (d->d.sys.address_size == 8));
}

bool build_jmp(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->ended = true;
    if (flow_legacy(d)) {
        return emit_sys(d, legacy_jmp);
    }
    if (set_target(d)) {
        return emit(d, FORM_jump);
    }
    d->fields.imm = d->target;
    return emit(d, FORM_away);
}

bool build_call(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->ended = true;
    if (!d->long64) {
        return emit_sys(d, legacy_call);
    }
    if (set_target(d)) {
        return emit(d, FORM_call);
    }
    d->fields.imm = d->target;
    return emit(d, FORM_call_away);
}

bool build_call_indirect(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->ended = true;
    if (!d->long64) {
        return emit_sys(d, legacy_call_indirect);
    }
    uint8_t src = operand_load(d, 8);
    return emit_to(d, FORM_call_go, 0, src);
}

bool build_jmp_indirect(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->ended = true;
    if (!d->long64) {
        return emit_sys(d, legacy_jmp_indirect);
    }
    uint8_t src = operand_load(d, 8);
    return emit_to(d, FORM_go, 0, src);
}

bool build_ret(struct decoder *d, const struct x86_row *row)
{
    d->ended = true;
    if (!d->long64) {
        return emit_sys(d, legacy_ret);
    }
    d->fields.imm = has_operand(row, 0, KIND_I) ? (int64_t)d->d.sys.imm : 0;
    return emit(d, FORM_ret);
}

/* --- functions -------------------------------------------------------------------------- */

bool build_sys(struct decoder *d, const struct x86_row *row)
{
    if (row->flags_written | row->flags_undefined) {
        d->producer = ANY;
    }
    if (row->op == OP_MASKMOVDQU && !(d->q->mode & MODE_SSE_OK)) {
        d->ended = true;
        return emit(d, FORM_sse_check);
    }
    bool waits = row->sys == sys_fence || (row->sys == sys_pause && !(d->q->mode & MODE_NONROOT)); /* nobody intercepts */
    return waits ? emit(d, FORM_nop) : emit_sys(d, row->sys);
}

bool build_string(struct decoder *d, const struct x86_row *row)
{
    static sys_fn *const fn[] = {
        [ARG_string_movs] = string_movs, [ARG_string_cmps] = string_cmps, [ARG_string_stos] = string_stos,
        [ARG_string_lods] = string_lods, [ARG_string_scas] = string_scas,
    };
    if (row->flags_written) {
        d->producer = ANY;
    }
    return emit_sys(d, fn[row->arg]);
}

bool build_decimal(struct decoder *d, const struct x86_row *row)
{
    (void)row;
    d->producer = ANY;
    return emit_sys(d, legacy_decimal);
}

bool build_legacy(struct decoder *d, const struct x86_row *row)
{
    static sys_fn *const fn[] = {
        [ARG_legacy_pusha] = legacy_pusha, [ARG_legacy_popa] = legacy_popa, [ARG_legacy_push_sreg] = legacy_push_sreg,
    };
    if (row->arg == ARG_legacy_push_sreg) {
        d->d.sys.reg = d->d.sys.opcode >> 3 & 3;
    }
    return emit_sys(d, fn[row->arg]);
}
