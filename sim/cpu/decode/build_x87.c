/* Builders: x87.  The function is the row's; the record carries it. */
#include "sim/cpu/decode/decoder.h"

static bool x87_off(struct decoder *d)
{
    if (d->q->mode & MODE_X87_OK) {
        return false;
    }
    d->ended = true;
    return emit(d, FORM_x87_check);
}

/* 'form': for a memory operand, that of two bytes; its siblings follow. */
static bool emit_x87(struct decoder *d, const struct x86_row *row, unsigned form)
{
    const struct sys_insn *s = &d->d.sys;

    if (x87_off(d)) {
        return true;
    }
    if (row->flags_written) {
        d->producer = ANY;
    }
    if (!is_register(d)) {
        bool flat = d->long64 || (d->q->mode & MODE_FLAT && s->segment != CS && s->segment < FS);
        if (!flat && form != FORM_x87_quiet_store) {
            emit(d, FORM_x87_wait);
        }
        operand_memory(d);
        d->fields.segment = s->segment & 7;
    }
    d->fields.imm = (int64_t)(uintptr_t)row->x87;
    return emit_to(d, form, s->modrm, s->opcode & 7);
}

static unsigned size_step(const struct x86_row *row)
{
    switch (row->operand[row->operand[0].kind == KIND_M ? 0 : 1].size) {
    case SIZE_w: return 0;
    case SIZE_d: return 1;
    case SIZE_q: return 2;
    default: return 3; /* SIZE_t */
    }
}

bool build_x87(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_r);
}

bool build_x87_load(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_load_2 + size_step(row));
}

bool build_x87_store(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_store_2 + size_step(row));
}

bool build_x87_quiet(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_quiet_r);
}

bool build_x87_quiet_load(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_quiet_load);
}

bool build_x87_quiet_store(struct decoder *d, const struct x86_row *row)
{
    return emit_x87(d, row, FORM_x87_quiet_store);
}
