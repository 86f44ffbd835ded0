/* Descriptors and segment-register loads. */
#include "sim/cpu/system/segment.h"

#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/system.h"

enum { DESCRIPTOR_RIGHTS = 0xf0ff };

/* False: the selector lies beyond its table. */
static bool descriptor_address(const struct cpu *cpu, uint16_t selector, unsigned size, uint64_t *address)
{
    uint32_t offset = selector & ~7u;

    if (!(selector & 4)) {
        *address = cpu->gdtr.base + offset;
        return offset + size - 1 <= cpu->gdtr.limit;
    }
    const struct segment *ldt = &cpu->seg[LDTR];
    *address = ldt->base + offset;
    return !(ldt->rights & SEG_UNUSABLE) && offset + size - 1 <= ldt->limit;
}

enum exec_result seg_read(struct cpu *cpu, uint16_t selector, unsigned vector, uint32_t ext,
                          struct descriptor *d)
{
    d->selector = selector;
    d->high = 0;
    if (!descriptor_address(cpu, selector, 8, &d->address)) {
        return cpu_raise_error(cpu, vector, (selector & ~3u) | ext);
    }
    return cpu_read_system(cpu, d->address, &d->bits, 8);
}

enum exec_result seg_read_high(struct cpu *cpu, unsigned vector, uint32_t ext, struct descriptor *d)
{
    uint64_t address;

    if (!descriptor_address(cpu, d->selector, 16, &address)) {
        return cpu_raise_error(cpu, vector, (d->selector & ~3u) | ext);
    }
    enum exec_result result = cpu_read_system(cpu, address + 8, &d->high, 8);
    if (result == EXEC_OK && d->high >> 40 & 0x1f) {
        /* "type field of the upper half must be 0" (SDM Vol 3A "Segment Descriptor Tables in IA-32e Mode"). */
        return cpu_raise_error(cpu, X_GP, (d->selector & ~3u) | ext);
    }
    return result;
}

bool seg_try_read(struct cpu *cpu, uint16_t selector, struct descriptor *d, enum exec_result *result)
{
    *result = EXEC_OK;
    d->selector = selector;
    d->high = 0;
    if (seg_null(selector) || !descriptor_address(cpu, selector, 8, &d->address)) {
        return false;
    }
    *result = cpu_read_system(cpu, d->address, &d->bits, 8);
    return *result == EXEC_OK;
}

struct segment seg_load(const struct descriptor *d)
{
    struct segment s = {
        .base = (d->bits >> 16 & 0xffffff) | (d->bits >> 56 & 0xff) << 24 | d->high << 32,
        .limit = (uint32_t)((d->bits & 0xffff) | (d->bits >> 32 & 0xf0000)),
        .rights = (uint32_t)(d->bits >> 40) & DESCRIPTOR_RIGHTS,
        .selector = d->selector,
    };
    if (s.rights & SEG_G) {
        s.limit = s.limit << 12 | 0xfff;
    }
    return s;
}

enum exec_result seg_set_accessed(struct cpu *cpu, struct descriptor *d)
{
    if (seg_type(d) & TYPE_ACCESSED) {
        return EXEC_OK;
    }
    d->bits |= (uint64_t)TYPE_ACCESSED << 40;
    uint8_t byte = (uint8_t)(d->bits >> 40);
    return cpu_write_system(cpu, d->address + 5, &byte, 1);
}

struct segment seg_null_ss(unsigned cpl)
{
    return (struct segment){
        .selector = (uint16_t)cpl, .rights = SEG_UNUSABLE | cpl << SEG_DPL_SHIFT, .limit = 0,
    };
}

/* SDM Vol 3C "Checks on Guest Segment Registers": what the hidden parts hold in virtual-8086 mode. */
struct segment seg_v86(uint16_t selector)
{
    return (struct segment){
        .selector = selector, .base = (uint64_t)selector << 4, .limit = 0xffff,
        .rights = SEG_P | 3u << SEG_DPL_SHIFT | SEG_S | TYPE_WRITABLE | TYPE_ACCESSED,
    };
}

struct segment seg_8086(const struct cpu *cpu, unsigned segment, uint16_t selector)
{
    struct segment s = cpu->seg[segment];

    if (cpu_is_v86(cpu)) {
        return seg_v86(selector);
    }
    s.selector = selector;
    s.base = (uint64_t)selector << 4;
    s.rights &= ~(uint32_t)SEG_UNUSABLE;
    return s;
}

enum exec_result seg_check_code(struct cpu *cpu, const struct descriptor *d, uint32_t ext)
{
    uint32_t error = (d->selector & ~3u) | ext;

    if (!seg_is_user_type(d) || !(seg_type(d) & TYPE_CODE)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (cpu->efer & EFER_LMA && seg_long(d) && seg_big(d)) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    return EXEC_OK;
}

enum exec_result seg_check_stack(struct cpu *cpu, const struct descriptor *d, unsigned cpl, unsigned vector,
                                 uint32_t ext)
{
    uint32_t error = (d->selector & ~3u) | ext;
    unsigned type = seg_type(d);

    if ((d->selector & 3u) != cpl || !seg_is_user_type(d) || type & TYPE_CODE || !(type & TYPE_WRITABLE) ||
        seg_dpl(d) != cpl) {
        return cpu_raise_error(cpu, vector, error);
    }
    return seg_present(d) ? EXEC_OK : cpu_raise_error(cpu, X_SS, error);
}

void seg_commit_code(struct cpu *cpu, const struct segment *cs, unsigned cpl, uint64_t rip)
{
    unsigned old = cpu_cpl(cpu);

    cpu->seg[CS] = *cs;
    cpu->seg[CS].selector = (uint16_t)((cs->selector & ~3u) | cpl);
    /* CPL is SS.DPL; callers that change privilege load SS as well, this keeps both in step until then. */
    cpu->seg[SS].rights = (cpu->seg[SS].rights & ~(3u << SEG_DPL_SHIFT)) | cpl << SEG_DPL_SHIFT;
    cpu->rip = rip;
    cpu_update_mode(cpu);
    if ((old == 3) != (cpl == 3)) {
        mmu_mode_changed(cpu);
    }
}

static enum exec_result load_stack(struct cpu *cpu, uint16_t selector)
{
    unsigned cpl = cpu_cpl(cpu);
    struct descriptor d;

    if (seg_null(selector)) {
        /* Allowed in 64-bit mode below ring 3, when RPL = CPL. */
        if (!(cpu->mode & MODE_LONG64) || cpl == 3 || (selector & 3u) != cpl) {
            return cpu_raise_error(cpu, X_GP, 0);
        }
        cpu->seg[SS] = seg_null_ss(cpl);
        return EXEC_OK;
    }
    enum exec_result result = seg_read(cpu, selector, X_GP, 0, &d);
    if (result == EXEC_OK) {
        result = seg_check_stack(cpu, &d, cpl, X_GP, 0);
    }
    if (result == EXEC_OK) {
        result = seg_set_accessed(cpu, &d);
    }
    if (result == EXEC_OK) {
        cpu->seg[SS] = seg_load(&d);
    }
    return result;
}

static enum exec_result load_data(struct cpu *cpu, unsigned segment, uint16_t selector)
{
    uint32_t error = selector & ~3u;
    struct descriptor d;

    if (seg_null(selector)) {
        /* The base of a null FS or GS survives on no processor that we model: it is cleared. */
        cpu->seg[segment] = (struct segment){ .selector = selector, .rights = SEG_UNUSABLE };
        return EXEC_OK;
    }
    enum exec_result result = seg_read(cpu, selector, X_GP, 0, &d);
    if (result != EXEC_OK) {
        return result;
    }
    unsigned type = seg_type(&d);
    bool code = type & TYPE_CODE;
    if (!seg_is_user_type(&d) || (code && !(type & TYPE_READABLE))) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    bool conforming = code && type & TYPE_CONFORMING;
    if (!conforming && ((selector & 3u) > seg_dpl(&d) || cpu_cpl(cpu) > seg_dpl(&d))) {
        return cpu_raise_error(cpu, X_GP, error);
    }
    if (!seg_present(&d)) {
        return cpu_raise_error(cpu, X_NP, error);
    }
    result = seg_set_accessed(cpu, &d);
    if (result == EXEC_OK) {
        cpu->seg[segment] = seg_load(&d);
    }
    return result;
}

enum exec_result seg_load_register(struct cpu *cpu, unsigned segment, uint16_t selector)
{
    enum exec_result result = EXEC_OK;

    if (!cpu_is_protected(cpu)) {
        cpu->seg[segment] = seg_8086(cpu, segment, selector);
    } else if (segment == SS) {
        result = load_stack(cpu, selector);
    } else {
        result = load_data(cpu, segment, selector);
    }
    if (result == EXEC_OK) {
        cpu_update_mode(cpu);
    }
    return result;
}
