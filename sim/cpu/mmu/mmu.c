/* The refill of the soft TLB, and instruction fetch. */
#include "sim/cpu/mmu/mmu.h"

#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu_priv.h"
#include "sim/machine.h"
#include "sim/time/timing.h"

static uint8_t right_of(enum access_kind kind)
{
    return kind == ACCESS_READ ? PAGE_READ : kind == ACCESS_WRITE ? PAGE_WRITE : PAGE_EXEC;
}

/* Linear addresses are 32 bits wide outside 64-bit mode (compatibility mode included). */
static uint64_t linear_width(const struct cpu *cpu, uint64_t linear)
{
    return cpu->efer & EFER_LMA ? linear : (uint32_t)linear;
}

enum exec_result mmu_translate(struct cpu *cpu, struct mmu_context *c, uint64_t linear, enum access_kind kind,
                               uint64_t *spa)
{
    linear = linear_width(cpu, linear);
    const struct mmu_page *page = &c->page[mmu_slot(linear)];

    if (page->linear == (linear & MMU_PAGE_MASK) && mmu_page_rights(cpu, c, page) & right_of(kind)) {
        *spa = page->spa | (linear & ~MMU_PAGE_MASK);
        return EXEC_OK;
    }
    if (!cpu_canonical(cpu, linear)) {
        return cpu_raise_error(cpu, X_GP, 0);
    }
    struct walk w; /* big: what the walk sets is not cleared first */
    w.linear = linear;
    w.kind = kind;
    w.regime = c->key.regime;
    w.peek = w.no_linear = false;
    enum exec_result result = mmu_walk(cpu, &w);

    if (result == EXEC_FAULT) {
        /* A page fault drops the faulting translation: "Operations that Invalidate TLBs". */
        if (page->linear == (linear & MMU_PAGE_MASK)) {
            mmu_invlpg(cpu, linear);
        }
        return result;
    }
    if (result == EXEC_OK) {
        mmu_context_store(cpu, c, &w);
        *spa = w.spa;
    }
    return result;
}

enum exec_result mmu_fill(struct cpu *cpu, uint64_t linear, unsigned size, enum access_kind kind,
                          uint8_t **host, uint64_t *spa)
{
    struct mmu_context *c = cpu->mmu->current;

    if (c->key.regime & REGIME_ALIGN && kind != ACCESS_EXEC && size <= 8 && (size & (size - 1)) == 0 &&
        linear & (size - 1)) {
        return cpu_raise_error(cpu, X_AC, 0);
    }
    enum exec_result result = mmu_translate(cpu, c, linear, kind, spa);
    if (result != EXEC_OK) {
        return result;
    }
    /* Only who writes makes the page one that was written, and only such pages have write tags. */
    *host = kind == ACCESS_WRITE ? mem_ram_write(cpu->machine->mem, *spa) : (uint8_t *)(uintptr_t)mem_ram(cpu->machine->mem, *spa);
    if (kind != ACCESS_EXEC && cpu_breakpoint_data(cpu) && cpu_breakpoint_watches_page(cpu, linear)) {
        *host = NULL;
    } else if (*host && kind == ACCESS_WRITE && mem_code_map(cpu->machine->mem)[mem_page_index(*spa)]) {
        *host = NULL;
    } else if (*host) {
        mmu_context_publish(cpu, c, mmu_slot(linear)); /* the page may have stopped being code */
    }
    return EXEC_OK;
}

enum exec_result mmu_fetch(struct cpu *cpu, uint64_t linear, uint64_t *spa)
{
    return mmu_translate(cpu, cpu->mmu->current, linear, ACCESS_EXEC, spa);
}

uint64_t mmu_code_epoch(const struct cpu *cpu)
{
    return cpu->mmu->current->epoch;
}

bool cpu_translate_peek(struct cpu *cpu, uint64_t linear, uint64_t *spa)
{
    linear = linear_width(cpu, linear);
    return cpu_canonical(cpu, linear) && mmu_walk_peek(cpu, linear, spa);
}
