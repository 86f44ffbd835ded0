/* Memory accesses of system code: linear, segment-relative, physical. */
#include <string.h>

#include "sim/cpu/apic/apic.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu_priv.h"
#include "sim/machine.h"
#include "sim/time/timing.h"

#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_X2APIC (1ull << 10)

/* --- physical -------------------------------------------------------------- */

static bool is_own_apic_page(const struct cpu *cpu, uint64_t spa)
{
    uint64_t base = cpu->msr.apic_base;

    return (spa & MMU_PAGE_MASK) == (base & ~0xfffull) &&
           (base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE;
}

/* Largest naturally aligned piece of an access at 'spa' that fits 'size'. */
static unsigned piece_at(uint64_t spa, unsigned size)
{
    unsigned piece = 8;

    while (piece > size || spa & (piece - 1)) {
        piece /= 2;
    }
    return piece;
}

static uint64_t mmio_read_piece(struct cpu *cpu, uint64_t spa, unsigned size)
{
    if (cpu->machine->timing) {
        time_charge(cpu, CHARGE_MMIO_READ, 1);
    }
    if (is_own_apic_page(cpu, spa)) {
        return apic_mmio_read(cpu, spa & 0xfff, size);
    }
    return mem_mmio_read(cpu->machine->mem, spa, size);
}

static void mmio_write_piece(struct cpu *cpu, uint64_t spa, unsigned size, uint64_t value)
{
    if (cpu->machine->timing) {
        time_charge(cpu, CHARGE_MMIO_WRITE, 1);
    }
    if (is_own_apic_page(cpu, spa)) {
        apic_mmio_write(cpu, spa & 0xfff, size, value);
        return;
    }
    mem_mmio_write(cpu->machine->mem, spa, size, value);
}

uint64_t cpu_mmio_read(struct cpu *cpu, uint64_t spa, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0, piece; done < size; done += piece) {
        piece = piece_at(spa + done, size - done);
        uint64_t part = mmio_read_piece(cpu, spa + done, piece);
        memcpy((uint8_t *)&value + done, &part, piece);
    }
    return value;
}

void cpu_mmio_write(struct cpu *cpu, uint64_t spa, unsigned size, uint64_t value)
{
    for (unsigned done = 0, piece; done < size; done += piece) {
        uint64_t part = 0;
        piece = piece_at(spa + done, size - done);
        memcpy(&part, (uint8_t *)&value + done, piece);
        mmio_write_piece(cpu, spa + done, piece, part);
    }
}

static void phys_copy_in(struct cpu *cpu, uint64_t spa, uint8_t *to, unsigned size)
{
    const uint8_t *host = mem_ram(cpu->machine->mem, spa);

    if (host) {
        memcpy(to, host, size);
        return;
    }
    for (unsigned done = 0, piece; done < size; done += piece) {
        piece = piece_at(spa + done, size - done);
        uint64_t part = cpu_mmio_read(cpu, spa + done, piece);
        memcpy(to + done, &part, piece);
    }
}

static void phys_copy_out(struct cpu *cpu, uint64_t spa, const uint8_t *from, unsigned size)
{
    struct mem *mem = cpu->machine->mem;
    uint8_t *host = mem_ram_write(mem, spa);

    if (host && !mem_code_map(mem)[mem_page_index(spa)]) {
        memcpy(host, from, size);
        return;
    }
    if (host) {
        mem_write(mem, spa, from, size);
        return;
    }
    for (unsigned done = 0, piece; done < size; done += piece) {
        uint64_t part = 0;
        piece = piece_at(spa + done, size - done);
        memcpy(&part, from + done, piece);
        cpu_mmio_write(cpu, spa + done, piece, part);
    }
}

uint64_t mmu_phys_read(struct cpu *cpu, uint64_t spa, unsigned size)
{
    uint64_t value = 0;

    phys_copy_in(cpu, spa, (uint8_t *)&value, size);
    return value;
}

void mmu_phys_write(struct cpu *cpu, uint64_t spa, unsigned size, uint64_t value)
{
    phys_copy_out(cpu, spa, (const uint8_t *)&value, size);
}

/* --- linear ---------------------------------------------------------------- */

/* An access split at its page boundary. */
struct pieces {
    unsigned count;
    uint64_t spa[2];
    unsigned size[2];
};

static enum exec_result translate_pieces(struct cpu *cpu, struct mmu_context *c, uint64_t linear, unsigned size,
                                         enum access_kind kind, struct pieces *p)
{
    unsigned first = 4096 - (unsigned)(linear & 0xfff);

    p->count = size > first ? 2 : 1;
    p->size[0] = size > first ? first : size;
    p->size[1] = size - p->size[0];
    if (c->key.regime & REGIME_ALIGN && size <= 8 && (size & (size - 1)) == 0 && linear & (size - 1)) {
        return cpu_raise_error(cpu, X_AC, 0);
    }
    enum exec_result result = mmu_translate(cpu, c, linear, kind, &p->spa[0]);
    if (result == EXEC_OK && p->count == 2) {
        result = mmu_translate(cpu, c, linear + first, kind, &p->spa[1]);
    }
    return result;
}

static enum exec_result access_linear(struct cpu *cpu, struct mmu_context *c, uint64_t linear, void *data,
                                      unsigned size, enum access_kind kind)
{
    struct pieces p;
    enum exec_result result = translate_pieces(cpu, c, linear, size, kind, &p);
    uint8_t *byte = data;

    for (unsigned i = 0; result == EXEC_OK && i < p.count; i++) {
        if (cpu->machine->timing) {
            time_data(cpu, linear + (i ? p.size[0] : 0), p.spa[i], p.size[i], kind == ACCESS_WRITE);
        }
        if (kind == ACCESS_WRITE) {
            phys_copy_out(cpu, p.spa[i], byte, p.size[i]);
        } else {
            phys_copy_in(cpu, p.spa[i], byte, p.size[i]);
        }
        byte += p.size[i];
    }
    if (result == EXEC_OK && cpu_breakpoint_data(cpu)) {
        cpu_breakpoint_access(cpu, linear, size, kind == ACCESS_READ, kind == ACCESS_WRITE);
    }
    return result;
}

/* Writes go through a const pointer; access_linear never stores through it then. */
static void *as_source(const void *from)
{
    return (void *)(uintptr_t)from;
}

enum exec_result cpu_read(struct cpu *cpu, uint64_t linear, void *to, unsigned size)
{
    return access_linear(cpu, cpu->mmu->current, linear, to, size, ACCESS_READ);
}

enum exec_result cpu_write(struct cpu *cpu, uint64_t linear, const void *from, unsigned size)
{
    return access_linear(cpu, cpu->mmu->current, linear, as_source(from), size, ACCESS_WRITE);
}

enum exec_result cpu_read_system(struct cpu *cpu, uint64_t linear, void *to, unsigned size)
{
    return access_linear(cpu, mmu_system_context(cpu), linear, to, size, ACCESS_READ);
}

enum exec_result cpu_write_system(struct cpu *cpu, uint64_t linear, const void *from, unsigned size)
{
    return access_linear(cpu, mmu_system_context(cpu), linear, as_source(from), size, ACCESS_WRITE);
}

static struct mmu_context *context_as(struct cpu *cpu, unsigned cpl)
{
    if ((cpl == 3) == (cpu_cpl(cpu) == 3)) {
        return cpu->mmu->current;
    }
    return mmu_context_find(cpu, mmu_regime(cpu, cpl == 3, false));
}

enum exec_result mmu_read_as(struct cpu *cpu, unsigned cpl, uint64_t linear, void *to, unsigned size)
{
    return access_linear(cpu, context_as(cpu, cpl), linear, to, size, ACCESS_READ);
}

enum exec_result mmu_write_as(struct cpu *cpu, unsigned cpl, uint64_t linear, const void *from, unsigned size)
{
    return access_linear(cpu, context_as(cpu, cpl), linear, as_source(from), size, ACCESS_WRITE);
}

enum exec_result mmu_probe_write(struct cpu *cpu, uint64_t linear, unsigned size, bool system)
{
    struct pieces p;

    return translate_pieces(cpu, system ? mmu_system_context(cpu) : cpu->mmu->current, linear, size,
                            ACCESS_WRITE, &p);
}

bool cpu_peek(struct cpu *cpu, uint64_t linear, void *to, unsigned size)
{
    uint8_t *byte = to;

    while (size) {
        unsigned piece = 4096 - (unsigned)(linear & 0xfff);
        uint64_t spa;
        piece = piece < size ? piece : size;
        if (!cpu_translate_peek(cpu, linear, &spa) || !mem_read(cpu->machine->mem, spa, byte, piece)) {
            return false;
        }
        byte += piece;
        linear += piece;
        size -= piece;
    }
    return true;
}

/* --- segment-relative ------------------------------------------------------ */

static enum exec_result segment_fault(struct cpu *cpu, unsigned segment)
{
    return cpu_raise_error(cpu, segment == SS ? X_SS : X_GP, 0);
}

/* SDM Vol 3A "Type Checking" and "Limit Checking". */
static bool segment_allows(const struct segment *s, uint64_t ea, unsigned size, enum access_kind kind,
                           bool protected_mode)
{
    unsigned type = s->rights & SEG_TYPE;
    uint64_t last = ea + size - 1;

    if (protected_mode) {
        if (s->rights & SEG_UNUSABLE) {
            return false;
        }
        if (type & TYPE_CODE) {
            if (kind == ACCESS_WRITE || (kind == ACCESS_READ && !(type & TYPE_READABLE))) {
                return false;
            }
        } else if (kind == ACCESS_WRITE && !(type & TYPE_WRITABLE)) {
            return false;
        }
    }
    if (!(type & TYPE_CODE) && type & TYPE_EXPAND_DOWN) {
        uint64_t top = s->rights & SEG_DB ? 0xffffffffull : 0xffffull;
        return ea > s->limit && last <= top;
    }
    return last <= s->limit;
}

enum exec_result cpu_linear(struct cpu *cpu, unsigned segment, uint64_t ea, unsigned size,
                            enum access_kind kind, uint64_t *linear)
{
    const struct segment *s = &cpu->seg[segment];

    if (cpu->mode & MODE_LONG64) {
        uint64_t base = segment == FS || segment == GS ? s->base : 0;
        *linear = base + ea;
        if (!cpu_canonical(cpu, *linear) || !cpu_canonical(cpu, *linear + size - 1)) {
            return segment_fault(cpu, segment);
        }
        return EXEC_OK;
    }
    bool protected_mode = cpu->cr0 & CR0_PE && !(cpu->rflags_rest & RFLAGS_VM);

    if (!segment_allows(s, (uint32_t)ea, size, kind, protected_mode)) {
        return segment_fault(cpu, segment);
    }
    *linear = (uint32_t)(s->base + (uint32_t)ea);
    return EXEC_OK;
}
