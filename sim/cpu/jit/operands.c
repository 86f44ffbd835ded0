/* Slots, addresses and guest accesses in machine code. */
#include "sim/cpu/jit/jit_priv.h"

#include <assert.h>

int host_register(unsigned slot)
{
    static const int8_t host[16] = { 0, 1, 2, 3, GUEST_SP, 5, 6, 7, 8, 9, -1, -1, 12, 13, -1, -1 };
    unsigned at = slot - SLOT_GPR;

    return at < 16 * 8 && at % 8 == 0 ? host[at / 8] : NO_REGISTER;
}

bool is_high_byte(unsigned slot)
{
    return slot - SLOT_GPR < 4 * 8 && (slot - SLOT_GPR) % 8 == 1;
}

void load_slot(struct translation *t, int reg, unsigned slot, int bits, bool extend)
{
    int host = host_register(slot);

    if (is_high_byte(slot)) {
        asm_mov(&t->a, 64, reg, host_register(slot - 1));
        asm_shift(&t->a, SHIFT_SHL, 64, reg, 48);
        asm_shift(&t->a, SHIFT_SAR, 64, reg, 56);
    } else if (extend && bits < 64) {
        if (host == NO_REGISTER) {
            asm_extend_load(&t->a, true, bits, 64, reg, slot_place(slot));
        } else {
            asm_extend(&t->a, true, bits, 64, reg, host);
        }
    } else if (host == NO_REGISTER) {
        asm_load(&t->a, bits < 64 ? 32 : 64, reg, slot_place(slot)); /* slots are 8 bytes wide */
    } else {
        asm_mov(&t->a, bits < 64 ? 32 : 64, reg, host);
    }
}

void store_slot(struct translation *t, unsigned slot, int reg, int bits)
{
    int host = host_register(slot);

    if (is_high_byte(slot)) {
        host = host_register(slot - 1);
        asm_shift(&t->a, SHIFT_ROR, 64, host, 8);
        asm_mov(&t->a, 8, host, reg);
        asm_shift(&t->a, SHIFT_ROL, 64, host, 8);
    } else if (host != NO_REGISTER) {
        asm_mov(&t->a, bits, host, reg);
    } else {
        if (bits == 32) {
            asm_mov(&t->a, 32, reg, reg);
        }
        asm_store(&t->a, bits == 32 ? 64 : bits, slot_place(slot), reg);
    }
}

/* Register for the index or base of an address: its own, or SCRATCH2 or SCRATCH after a load. */
static int address_register(struct translation *t, unsigned slot, int scratch)
{
    int host = host_register(slot);

    if (slot == SLOT_ZERO || host != NO_REGISTER) {
        return host;
    }
    asm_load(&t->a, 64, scratch, slot_place(slot));
    return scratch;
}

static struct place address_place(struct translation *t, const struct insn *r, char form)
{
    struct place p = { .base = address_register(t, r->base, SCRATCH), .index = NO_REGISTER, .disp = r->disp };

    if (form == 'x') {
        p.index = address_register(t, r->index, SCRATCH2);
        p.scale = r->scale;
    }
    if (p.base == NO_REGISTER && p.index != NO_REGISTER && p.scale == 0) { /* shorter */
        p.base = p.index;
        p.index = NO_REGISTER;
    }
    return p;
}

void emit_address(struct translation *t, const struct insn *r, char form)
{
    struct place p = address_place(t, r, form);

    if (p.base == NO_REGISTER && p.index == NO_REGISTER) {
        asm_immediate(&t->a, SCRATCH, p.disp);
    } else if (p.index == NO_REGISTER && p.disp == 0) {
        if (p.base != SCRATCH) {
            asm_mov(&t->a, 64, SCRATCH, p.base);
        }
    } else {
        asm_lea(&t->a, 64, SCRATCH, p);
    }
}

void pend(struct translation *t, int kind, uint8_t *field, struct insn *record)
{
    assert(t->pending_count < sizeof t->pending / sizeof *t->pending);
    t->pending[t->pending_count].kind = kind;
    t->pending[t->pending_count].field = field;
    t->pending[t->pending_count].retry = t->start;
    t->pending[t->pending_count++].record = record;
}

/* The tag is a page address or matches no address of its entry (tlb_no_tag), so the difference of
 * address and tag is an offset in the page exactly on a hit; bound to 4096 - size it leaves out
 * accesses that cross. */
void emit_check(struct translation *t, struct insn *r, bool write, unsigned size)
{
    struct assembler *a = &t->a;

    _Static_assert(sizeof(struct tlb_entry) == 32, "shift by 12 - 5");
    asm_mov(a, 32, SCRATCH2, SCRATCH);
    asm_shift(a, SHIFT_SHR, 32, SCRATCH2, 7);
    asm_alu_immediate(a, ALU_AND, 32, SCRATCH2, (TLB_ENTRIES - 1) * 32);
    asm_alu_load(a, ALU_ADD, 64, SCRATCH2, FIELD_OF_CPU(tlb));
    asm_alu_load(a, ALU_XOR, 64, SCRATCH,
                 at_base(SCRATCH2, write ? (int32_t)offsetof(struct tlb_entry, tag_write) : (int32_t)offsetof(struct tlb_entry, tag_read)));
    asm_alu_immediate(a, ALU_CMP, 64, SCRATCH, 4096 - (int)size);
    pend(t, PENDING_SLOW, asm_jcc(a, CC_NBE), r);
    asm_alu_load(a, ALU_ADD, 64, SCRATCH, at_base(SCRATCH2, (int32_t)offsetof(struct tlb_entry, page)));
}

void emit_access(struct translation *t, struct insn *r, char form, bool write, unsigned size)
{
    emit_address(t, r, form);
    if (form_info[r->form].memory & ALIGN) {
        asm_test_immediate(&t->a, 8, SCRATCH, (int64_t)size - 1);
        pend(t, PENDING_SLOW, asm_jcc(&t->a, CC_NZ), r);
    }
    emit_check(t, r, write, size);
}

bool flags_dead(const struct translation *t, const struct insn *r)
{
    const struct insn *end = t->entry + t->entry->records;

    while (++r < end && form_info[r->form].memory == NONE) {
        unsigned form = r->form >= FORM_FUSED ? form_unfused[r->form - FORM_FUSED] : r->form;
        if (form_sets_flags(form)) {
            return true;
        }
        if (!form_ignores_flags(form)) {
            return false;
        }
    }
    return false;
}

void emit_kind(struct translation *t, unsigned kind, int bits)
{
    t->kind = CC_KIND(kind, bits);
    asm_store_immediate(&t->a, 32, FIELD_OF_CPU(cc_kind), (int64_t)CC_KIND(kind, bits));
}
