/* Segment registers, LDTR, TR, descriptor tables, and the instructions that only look at descriptors. */
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"
#include "sim/machine.h"

/* --- loads of ES..GS ------------------------------------------------------------- */

/* The next instruction boundary is not interrupted after MOV SS and POP SS. */
static enum exec_result loaded(struct cpu *cpu, const struct sys_insn *insn, unsigned segment, uint32_t old_mode)
{
    if (segment == SS) {
        cpu->shadow_movss = true;
        cpu_attend(cpu, ATTN_SHADOW);
        return sys_leave_block(cpu, insn);
    }
    return cpu->mode != old_mode ? sys_leave_block(cpu, insn) : EXEC_OK;
}

enum exec_result sys_mov_sreg_load(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t mode = cpu->mode;
    uint64_t selector;

    if (insn->reg == CS || (insn->reg & 7) > GS) {
        return cpu_raise(cpu, X_UD);
    }
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    TRY(seg_load_register(cpu, insn->reg & 7, (uint16_t)selector));
    return loaded(cpu, insn, insn->reg & 7, mode);
}

enum exec_result sys_mov_from_sreg(struct cpu *cpu, const struct sys_insn *insn)
{
    if ((insn->reg & 7) > GS) {
        return cpu_raise(cpu, X_UD);
    }
    return sys_operand_write(cpu, insn, sys_is_register(insn) ? insn->operand_size : 2,
                             cpu->seg[insn->reg & 7].selector);
}

static unsigned segment_of_opcode(uint8_t opcode)
{
    switch (opcode) {
    case 0x07: case 0xc4: return ES;
    case 0x17: case 0xb2: return SS;
    case 0x1f: case 0xc5: return DS;
    case 0xa1: case 0xb4: return FS;
    default: return GS; /* A9, B5 */
    }
}

enum exec_result sys_pop_sreg(struct cpu *cpu, const struct sys_insn *insn)
{
    unsigned segment = segment_of_opcode(insn->opcode);
    uint32_t mode = cpu->mode;
    uint64_t mask = seg_stack_mask(cpu, &cpu->seg[SS]);
    uint64_t rsp = cpu->gpr[RSP];
    uint64_t selector = 0;

    TRY(sys_stack_read(cpu, 0, &selector, insn->operand_size));
    TRY(seg_load_register(cpu, segment, (uint16_t)selector));
    cpu->gpr[RSP] = (rsp & ~mask) | ((rsp + insn->operand_size) & mask); /* by the old SS */
    return loaded(cpu, insn, segment, mode);
}

/* LES, LDS, LSS, LFS, LGS. */
enum exec_result sys_load_far_pointer(struct cpu *cpu, const struct sys_insn *insn)
{
    uint32_t mode = cpu->mode;
    uint64_t offset = 0;
    uint16_t selector;

    TRY(sys_memory_read(cpu, insn, 0, &offset, insn->operand_size));
    TRY(sys_memory_read(cpu, insn, insn->operand_size, &selector, 2));
    TRY(seg_load_register(cpu, segment_of_opcode(insn->opcode), selector));
    sys_gpr_write(cpu, insn->reg, insn->operand_size, offset);
    return cpu->mode != mode ? sys_leave_block(cpu, insn) : EXEC_OK;
}

/* --- LDTR and TR ------------------------------------------------------------------- */

static enum exec_result require_protected(struct cpu *cpu)
{
    return cpu_is_protected(cpu) ? EXEC_OK : cpu_raise(cpu, X_UD);
}

static enum exec_result store_selector(struct cpu *cpu, const struct sys_insn *insn, unsigned segment)
{
    TRY(require_protected(cpu));
    TRY(sys_check_umip(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_LDTR_TR));
    return sys_operand_write(cpu, insn, sys_is_register(insn) ? insn->operand_size : 2,
                             cpu->seg[segment].selector);
}

enum exec_result sys_sldt(struct cpu *cpu, const struct sys_insn *insn)
{
    return store_selector(cpu, insn, LDTR);
}

enum exec_result sys_str(struct cpu *cpu, const struct sys_insn *insn)
{
    return store_selector(cpu, insn, TR);
}

/* Descriptor of an LDT or TSS in the GDT, with its upper half in IA-32e mode. */
static enum exec_result read_system_descriptor(struct cpu *cpu, uint16_t selector, struct descriptor *d)
{
    uint32_t error = selector & ~3u;

    if (selector & 4) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    TRY(seg_read(cpu, selector, X_GP, 0, d));
    if (cpu->efer & EFER_LMA) {
        TRY(seg_read_high(cpu, X_GP, 0, d));
        if (!cpu_canonical_base(cpu, seg_load(d).base)) {
            return cpu_raise_error(cpu, X_GP, error);
        }
    }
    return EXEC_OK;
}

enum exec_result sys_lldt(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t selector;
    struct descriptor d;

    TRY(require_protected(cpu));
    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_LDTR_TR));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    if (seg_null((uint16_t)selector)) {
        cpu->seg[LDTR] = (struct segment){ .selector = (uint16_t)selector, .rights = SEG_UNUSABLE };
        return EXEC_OK;
    }
    TRY(read_system_descriptor(cpu, (uint16_t)selector, &d));
    if (seg_is_user_type(&d) || seg_type(&d) != TYPE_LDT) {
        return cpu_raise_error(cpu, X_GP, selector & ~3u);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, selector & ~3u);
    }
    cpu->seg[LDTR] = seg_load(&d);
    return EXEC_OK;
}

enum exec_result sys_ltr(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t selector;
    struct descriptor d;

    TRY(require_protected(cpu));
    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_LDTR_TR));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    if (seg_null((uint16_t)selector)) {
        return sys_gp(cpu);
    }
    TRY(read_system_descriptor(cpu, (uint16_t)selector, &d));
    bool available = seg_type(&d) == TYPE_TSS || (seg_type(&d) == TYPE_TSS16 && !(cpu->efer & EFER_LMA));
    if (seg_is_user_type(&d) || !available) {
        return cpu_raise_error(cpu, X_GP, selector & ~3u);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, selector & ~3u);
    }
    d.bits |= 2ull << 40; /* busy */
    uint8_t byte = (uint8_t)(d.bits >> 40);
    TRY(cpu_write_system(cpu, d.address + 5, &byte, 1));
    cpu->seg[TR] = seg_load(&d);
    return EXEC_OK;
}

/* --- GDTR and IDTR ------------------------------------------------------------------- */

static enum exec_result store_table(struct cpu *cpu, const struct sys_insn *insn, const struct dtable *table)
{
    uint8_t image[10];
    unsigned size = sys_is_long64(cpu) ? 8 : 4;
    uint16_t limit = (uint16_t)table->limit;

    TRY(sys_check_umip(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_GDTR_IDTR));
    __builtin_memcpy(image, &limit, 2);
    __builtin_memcpy(image + 2, &table->base, size);
    return sys_memory_write(cpu, insn, 0, image, 2 + size);
}

enum exec_result sys_sgdt(struct cpu *cpu, const struct sys_insn *insn)
{
    return store_table(cpu, insn, &cpu->gdtr);
}

enum exec_result sys_sidt(struct cpu *cpu, const struct sys_insn *insn)
{
    return store_table(cpu, insn, &cpu->idtr);
}

static enum exec_result load_table(struct cpu *cpu, const struct sys_insn *insn, struct dtable *table)
{
    uint8_t image[10];
    unsigned size = sys_is_long64(cpu) ? 8 : 4;
    uint64_t base = 0;
    uint16_t limit;

    TRY(sys_require_cpl0(cpu));
    TRY(sys_intercept_plain(cpu, insn, VTX_GDTR_IDTR));
    TRY(sys_memory_read(cpu, insn, 0, image, 2 + size));
    __builtin_memcpy(&limit, image, 2);
    __builtin_memcpy(&base, image + 2, size);
    if (size == 8 && !cpu_canonical_base(cpu, base)) {
        return sys_gp(cpu);
    }
    if (size == 4 && insn->operand_size == 2) {
        base &= 0xffffff;
    }
    table->base = base;
    table->limit = limit;
    return EXEC_OK;
}

enum exec_result sys_lgdt(struct cpu *cpu, const struct sys_insn *insn)
{
    return load_table(cpu, insn, &cpu->gdtr);
}

enum exec_result sys_lidt(struct cpu *cpu, const struct sys_insn *insn)
{
    return load_table(cpu, insn, &cpu->idtr);
}

/* --- LAR, LSL, VERR, VERW, ARPL ---------------------------------------------------------- */

/* Visible at this privilege?  Conforming code always is. */
static bool visible(const struct cpu *cpu, const struct descriptor *d)
{
    if (seg_is_user_type(d) && (seg_type(d) & (TYPE_CODE | TYPE_CONFORMING)) == (TYPE_CODE | TYPE_CONFORMING)) {
        return true;
    }
    return seg_dpl(d) >= cpu_cpl(cpu) && seg_dpl(d) >= (d->selector & 3u);
}

/* System types each instruction accepts, as masks over the type field: the tables in "LAR" and "LSL". */
enum {
    LAR_LEGACY = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9 | 1 << 11 | 1 << 12,
    LAR_LONG = 1 << 2 | 1 << 9 | 1 << 11 | 1 << 12,
    LSL_LEGACY = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 9 | 1 << 11,
    LSL_LONG = 1 << 2 | 1 << 9 | 1 << 11,
};

static bool acceptable(const struct cpu *cpu, const struct descriptor *d, unsigned legacy, unsigned lng)
{
    unsigned system_types = cpu->efer & EFER_LMA ? lng : legacy;

    return (seg_is_user_type(d) || system_types >> seg_type(d) & 1) && visible(cpu, d);
}

enum exec_result sys_lar(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t selector;
    struct descriptor d;
    enum exec_result result;

    TRY(require_protected(cpu));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    bool ok = seg_try_read(cpu, (uint16_t)selector, &d, &result) && acceptable(cpu, &d, LAR_LEGACY, LAR_LONG);
    if (result != EXEC_OK) {
        return result;
    }
    if (ok) {
        uint32_t rights = (uint32_t)(d.bits >> 32) & 0x00ffff00;
        sys_gpr_write(cpu, insn->reg, insn->operand_size, insn->operand_size == 2 ? rights & 0xff00 : rights);
    }
    sys_set_zf(cpu, ok);
    return EXEC_OK;
}

enum exec_result sys_lsl(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t selector;
    struct descriptor d;
    enum exec_result result;

    TRY(require_protected(cpu));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    bool ok = seg_try_read(cpu, (uint16_t)selector, &d, &result) && acceptable(cpu, &d, LSL_LEGACY, LSL_LONG);
    if (result != EXEC_OK) {
        return result;
    }
    if (ok) {
        sys_gpr_write(cpu, insn->reg, insn->operand_size, seg_load(&d).limit);
    }
    sys_set_zf(cpu, ok);
    return EXEC_OK;
}

static enum exec_result verify(struct cpu *cpu, const struct sys_insn *insn, bool write)
{
    uint64_t selector;
    struct descriptor d;
    enum exec_result result;

    TRY(require_protected(cpu));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    bool ok = seg_try_read(cpu, (uint16_t)selector, &d, &result) && seg_is_user_type(&d) && visible(cpu, &d);
    if (result != EXEC_OK) {
        return result;
    }
    if (ok) {
        bool code = seg_type(&d) & TYPE_CODE;
        ok = write ? !code && seg_type(&d) & TYPE_WRITABLE : !code || seg_type(&d) & TYPE_READABLE;
    }
    sys_set_zf(cpu, ok);
    return EXEC_OK;
}

enum exec_result sys_verr(struct cpu *cpu, const struct sys_insn *insn)
{
    return verify(cpu, insn, false);
}

enum exec_result sys_verw(struct cpu *cpu, const struct sys_insn *insn)
{
    return verify(cpu, insn, true);
}

enum exec_result sys_arpl(struct cpu *cpu, const struct sys_insn *insn)
{
    uint64_t selector;
    unsigned rpl = cpu->gpr[insn->reg] & 3;

    TRY(require_protected(cpu));
    TRY(sys_operand_read(cpu, insn, 2, &selector));
    bool adjust = (selector & 3) < rpl;
    if (adjust) {
        TRY(sys_operand_write(cpu, insn, 2, (selector & ~3ull) | rpl));
    }
    sys_set_zf(cpu, adjust);
    return EXEC_OK;
}
