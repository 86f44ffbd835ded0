/* Records: emitting them, operands, and the shape of a block. */
#include "sim/cpu/decode/decoder.h"

#include <assert.h>

#include "sim/cpu/core.h"

bool emit(struct decoder *d, unsigned form)
{
    struct insn *r = d->next++;

    *r = d->fields;
    r->form = (uint16_t)form;
    r->fn = d->q->timed ? form_info[form].timed : form_info[form].fn;
    r->offset = (uint16_t)d->offset;
    return true;
}

bool emit_to(struct decoder *d, unsigned form, uint8_t dst, uint8_t src)
{
    d->fields.dst = dst;
    d->fields.src = src;
    return emit(d, form);
}

bool emit_value(struct decoder *d, uint8_t dst, int64_t value)
{
    int64_t imm = d->fields.imm;

    d->fields.imm = value;
    emit_to(d, FORM_movabs, dst, 0);
    d->fields.imm = imm;
    return true;
}

static bool always_jumps(const struct x86_row *row)
{
    switch (row->timing) {
    case TIMING_IRET: case TIMING_SYSCALL: case TIMING_BRANCH: case TIMING_CALL: case TIMING_RET:
        return true;
    case TIMING_FAR:
        return row->op != OP_MOV && row->op != OP_POP;
    default:
        return row->op == OP_HLT || row->op == OP_VMLAUNCH || row->op == OP_VMRESUME;
    }
}

bool emit_sys(struct decoder *d, sys_fn *fn)
{
    const struct sys_insn *s = &d->d.sys;
    struct sys_site *site = --d->sites;

    *site = (struct sys_site){ .fn = fn, .insn = *s };
    d->fields.base = s->base == 0xff ? SLOT_ZERO : slot_of(d, s->base, 8);
    d->fields.index = s->index == 0xff || (d->d.row && d->d.row->traits & TRAIT_VSIB) ? SLOT_ZERO : slot_of(d, s->index, 8);
    d->fields.scale = s->scale;
    d->fields.disp = s->disp;
    if (d->d.rip_relative) {
        d->fields.base = SLOT_PAGE;
        site->insn.disp = s->disp;
        d->fields.disp = s->disp; /* core_sys adds the rest: it may not fit */
    }
    d->fields.site = site;
    d->ended |= d->d.row && always_jumps(d->d.row);
    return emit(d, FORM_sys);
}

void emit_locked(struct decoder *d)
{
    if (d->q->timed && !is_register(d)) {
        emit(d, FORM_locked);
    }
}

/* --- operands ------------------------------------------------------------------- */

uint8_t slot_of(const struct decoder *d, unsigned reg, unsigned bytes)
{
    bool high_byte = bytes == 1 && !d->d.sys.rex && reg >= 4;
    return (uint8_t)(SLOT_GPR + (high_byte ? (reg - 4) * 8 + 1 : reg * 8));
}

/* base, index, scale, disp as they stand in the instruction. */
static void plain_address(struct decoder *d)
{
    const struct sys_insn *s = &d->d.sys;

    d->fields.base = s->base == 0xff ? SLOT_ZERO : (uint8_t)(SLOT_GPR + s->base * 8);
    d->fields.index = s->index == 0xff ? SLOT_ZERO : (uint8_t)(SLOT_GPR + s->index * 8);
    d->fields.scale = s->scale;
    d->fields.disp = s->disp;
    d->from = s->index == 0xff ? FROM_M : FROM_X;
    if (d->d.rip_relative) {
        int64_t disp = (int64_t)s->disp + d->offset + s->length;
        d->fields.base = SLOT_PAGE;
        d->fields.disp = (int32_t)disp;
        if (disp != (int32_t)disp) { /* does not fit: two steps */
            d->fields.disp = (int32_t)(disp - s->disp);
            emit_to(d, FORM_lea_m_64, SLOT_ADDR, 0);
            d->fields.base = SLOT_ADDR;
            d->fields.disp = s->disp;
        }
    }
}

static void in_addr(struct decoder *d)
{
    d->fields.base = SLOT_ADDR;
    d->fields.index = SLOT_ZERO;
    d->fields.scale = 0;
    d->fields.disp = 0;
    d->from = FROM_M;
}

/* The record that computes this address into cpu->addr. */
static unsigned address_form(const struct decoder *d)
{
    const struct sys_insn *s = &d->d.sys;

    if (!d->long64) {
        bool flat = d->q->mode & MODE_FLAT && s->address_size == 4 && s->segment != CS && s->segment < FS;
        return flat ? FORM_ea_flat32 : FORM_ea_check;
    }
    if (s->segment >= FS) {
        return s->address_size == 8 ? FORM_ea_seg : FORM_ea_seg32;
    }
    return s->address_size == 8 ? FORM_ea_flat : FORM_ea_flat32;
}

static void emit_address(struct decoder *d)
{
    uint8_t dst = d->fields.dst;

    d->fields.dst = d->d.sys.address_size;
    d->fields.segment = d->d.sys.segment;
    emit(d, address_form(d));
    d->fields.dst = dst; /* 'segment' stays: a fault of the access asks whether it is the stack's */
    in_addr(d);
}

void operand_memory(struct decoder *d)
{
    d->from = FROM_REG;
    if (is_register(d)) {
        return;
    }
    plain_address(d);
    if (address_form(d) != FORM_ea_flat) {
        emit_address(d);
    }
}

void operand_memory_m(struct decoder *d)
{
    operand_memory(d);
    if (d->from == FROM_X) {
        emit_address(d);
    }
}

void operand_segment(struct decoder *d)
{
    emit_address(d);
}

void operand_address(struct decoder *d)
{
    plain_address(d);
    emit_address(d);
}

uint8_t operand_load(struct decoder *d, unsigned bytes)
{
    operand_memory(d);
    if (d->from == FROM_REG) {
        return slot_rm(d, bytes);
    }
    emit_to(d, sized(d->from == FROM_M ? FORM_mov_rm_8 : FORM_mov_rx_8, bytes), SLOT_TEMP, 0);
    return SLOT_TEMP;
}

uint8_t operand_modify(struct decoder *d, unsigned bytes)
{
    operand_memory(d);
    if (d->from == FROM_REG) {
        return slot_rm(d, bytes);
    }
    emit(d, sized(d->from == FROM_M ? FORM_lw_m_8 : FORM_lw_x_8, bytes));
    return SLOT_TEMP;
}

bool operand_store(struct decoder *d, unsigned bytes)
{
    if (d->from != FROM_REG) {
        emit_to(d, sized(d->from == FROM_M ? FORM_mov_mr_8 : FORM_mov_xr_8, bytes), 0, SLOT_TEMP);
    }
    if (d->d.sys.lock) {
        emit_locked(d);
    }
    return true;
}

unsigned conditional(const struct decoder *d, unsigned form_any_o, unsigned condition)
{
    bool zero_or_sign = condition >> 1 == 2 || condition >> 1 == 4;
    unsigned producer = d->producer != AFTER_RESULT ? d->producer : zero_or_sign ? AFTER_LOGIC : ANY;
    return form_any_o + producer * 16 + condition;
}

bool has_operand(const struct x86_row *row, unsigned n, unsigned kind)
{
    return row->operand[n].kind == kind;
}

/* --- one instruction --------------------------------------------------------------- */

static void finish_insn(struct decoder *d, unsigned length)
{
    for (struct insn *r = d->first; r < d->next; r++) {
        r->length = length & 15;
        r->part = r + 1 < d->next;
        r->timing = r == d->first && d->d.row ? d->d.row->timing : 0;
    }
    d->offset += length;
}

/* False: the bytes end within the instruction; nothing was emitted. */
static bool decode_one(struct decoder *d, const uint8_t *bytes, unsigned size)
{
    d->first = d->next;
    d->fields = (struct insn){ .base = SLOT_ZERO, .index = SLOT_ZERO };
    enum decode_status status = decode_insn_with(d->q->features, d->q->mode, bytes, size, &d->d);
    if (status == DECODE_MORE) {
        return false;
    }
    d->v = d->d.sys.operand_size;
    if (status == DECODE_OK && d->d.row->build(d, d->d.row)) {
        finish_insn(d, d->d.sys.length);
        return true;
    }
    d->next = d->first;
    d->ended = true;
    if (status == DECODE_LONG) {
        d->d.row = NULL;
        emit_sys(d, core_too_long);
    } else {
        emit(d, FORM_ud);
    }
    finish_insn(d, d->d.sys.length ? d->d.sys.length : 1);
    return true;
}

/* --- the block ------------------------------------------------------------------------ */

static bool links(const struct insn *r)
{
    return r->form == FORM_call || r->form == FORM_jump || (r->form >= FORM_jcc_any_o && r->form <= FORM_jcc_logic_nle) ||
           (r->form >= FORM_loop_32 && r->form <= FORM_jcxz_64);
}

/* [jump][exit of last][exit of jump]; in-page exits become links. */
static void close_block(struct decoder *d)
{
    int64_t target[2] = { d->target, (int64_t)d->offset };
    struct insn *last = d->next - 1;

    d->fields = (struct insn){ .base = SLOT_ZERO, .index = SLOT_ZERO };
    emit(d, FORM_jump);
    for (int i = 0; i < 2; i++) {
        bool in_page = target[i] >= 0 && target[i] < 4096 && !d->q->alone;
        d->fields.imm = target[i];
        d->fields.page = d->q->page;
        d->fields.gate = GATE_CLOSED;
        emit(d, in_page ? FORM_exit : FORM_away);
    }
    if (links(last)) {
        last->link = last + 2;
    }
    last[1].link = last + 3;
}

/* Flags are dead if they are overwritten before anything can use them or leave the block. */
static bool flags_die(const struct insn *r, const struct insn *end)
{
    while (++r < end && form_info[r->form].memory == NONE) {
        if (form_sets_flags(r->form)) {
            return true;
        }
        if (!form_ignores_flags(r->form)) {
            return false;
        }
    }
    return false;
}

static void quieten(const struct decode_request *q, struct insn *r, const struct insn *end)
{
    for (; r < end; r++) {
        if (form_has_quiet(r->form) && flags_die(r, end)) {
            r->form = (uint16_t)form_quiet(r->form);
            r->fn = q->timed ? form_info[r->form].timed : form_info[r->form].fn;
        }
    }
}

/* 'end' is behind the block's last record. */
static void fuse(const struct decode_request *q, struct insn *end)
{
    struct insn *compare = end - 2, *jump = end - 1;

    if (compare <= q->entry || jump->form < FORM_jcc_any_o || jump->form > FORM_jcc_logic_nle) {
        return;
    }
    unsigned fused = form_fused(compare->form, (jump->form - FORM_jcc_any_o) % 16u);
    if (fused) {
        compare->form = (uint16_t)fused;
        compare->fn = q->timed ? form_info[fused].timed : form_info[fused].fn;
    }
}

struct decode_result decode_block(const struct decode_request *q)
{
    struct decoder d = { .q = q, .next = q->entry, .sites = q->sites, .offset = q->offset,
                         .long64 = q->mode & MODE_LONG64 };
    unsigned count = 0, done = 0;

    d.fields.page = q->page;
    emit(&d, FORM_enter);
    while (count < q->limit && !d.ended && done < q->size && (!q->stop_before || done < q->stop_before) &&
           decode_one(&d, q->bytes + done, q->size - done)) {
        count++;
        done = d.offset - q->offset;
        for (; d.first < d.next; d.first++) {
            d.first->remaining = (uint8_t)count;
        }
    }
    if (count == 0) {
        return (struct decode_result){ .end = NULL, .sites = q->sites };
    }
    assert(d.next + 3 <= q->entry + (q->alone ? CROSSING_RECORDS : BLOCK_RECORDS));
    quieten(q, q->entry + 1, d.next);
    struct insn *end = d.next;
    fuse(q, end);
    close_block(&d);
    for (struct insn *r = q->entry + 1; r < end; r++) {
        r->remaining = (uint8_t)(count + 1 - r->remaining);
    }
    q->entry->records = (uint16_t)(end - q->entry);
    q->entry->instructions = (uint16_t)count;
    q->entry->cost = q->entry->gate = count;
    return (struct decode_result){ .end = d.next, .sites = d.sites, .bytes = done, .count = count };
}
