/* Builders: MOVBE, CRC32, ADX, BMI1 and BMI2. */
#include "sim/cpu/decode/decoder.h"

bool build_movbe(struct decoder *d, const struct x86_row *row)
{
    unsigned form = worded(FORM_movbe_16, d->v);

    if (has_operand(row, 0, KIND_G)) {
        uint8_t src = operand_load(d, d->v);
        return emit_to(d, form, slot_g(d, d->v), src);
    }
    emit_to(d, form, SLOT_TEMP, slot_g(d, d->v)); /* first: the store's address record looks at the record behind it */
    operand_memory(d);
    return operand_store(d, d->v);
}

/* The size is the source's; the destination's upper half is zero in any case. */
bool build_crc32(struct decoder *d, const struct x86_row *row)
{
    unsigned size = row->operand[1].size == SIZE_b ? 1 : d->v;
    uint8_t src = operand_load(d, size);
    return emit_to(d, sized(FORM_crc32_8, size), slot_g(d, 4), src);
}

bool build_bits(struct decoder *d, const struct x86_row *row)
{
    static const struct { uint16_t form; uint8_t producer; bool flags; } of[] = {
        [ARG_bits_andn] = { FORM_andn_32, AFTER_LOGIC, true }, [ARG_bits_bextr] = { FORM_bextr_32, AFTER_LOGIC, true },
        [ARG_bits_blsi] = { FORM_blsi_32, ANY, true }, [ARG_bits_blsmsk] = { FORM_blsmsk_32, ANY, true },
        [ARG_bits_blsr] = { FORM_blsr_32, ANY, true }, [ARG_bits_bzhi] = { FORM_bzhi_32, ANY, true },
        [ARG_bits_adcx] = { FORM_adcx_32, ANY, true }, [ARG_bits_adox] = { FORM_adox_32, ANY, true },
        [ARG_bits_mulx] = { FORM_mulx_32, ANY, false }, [ARG_bits_pdep] = { FORM_pdep_32, ANY, false },
        [ARG_bits_pext] = { FORM_pext_32, ANY, false }, [ARG_bits_rorx] = { FORM_rorx_32, ANY, false },
        [ARG_bits_sarx] = { FORM_sarx_32, ANY, false }, [ARG_bits_shlx] = { FORM_shlx_32, ANY, false },
        [ARG_bits_shrx] = { FORM_shrx_32, ANY, false },
    };
    uint8_t src = operand_load(d, d->v);

    if (of[row->arg].flags) {
        d->producer = of[row->arg].producer;
    }
    d->fields.imm = (int64_t)d->d.sys.imm;
    d->fields.index = slot_of(d, d->d.sys.vvvv, 8);
    return emit_to(d, of[row->arg].form + (d->v == 8), has_operand(row, 0, KIND_B) ? d->fields.index : slot_g(d, d->v), src);
}
