/* Walks that need not be done again: the entries they read are as they were.
 *
 * Software that flushes often (CR3 without PCID, CR4.PGE) walks to the same pages all the time.  A memo
 * holds where the entries lie, what they were, and what came out.  It is nothing architectural: it is compared
 * with memory before it is believed, so it outlives every flush, is not saved, and nothing shows whether it
 * was there.  Left out: second levels, the timing model (which charges for what a walk reads), protection
 * keys, tables outside RAM.
 */
#include "sim/cpu/mmu/mmu_priv.h"
#include "sim/machine.h"

#include <string.h>

static struct walk_memo *memo_of(struct cpu *cpu, const struct walk *w)
{
    return &cpu->mmu->memo[(w->linear >> 12 ^ w->linear >> 21 ^ w->regime >> 3) & (WALK_MEMOS - 1)];
}

bool mmu_memo_find(struct cpu *cpu, struct walk *w)
{
    const struct walk_memo *memo = memo_of(cpu, w);
    uint8_t right = w->kind == ACCESS_READ ? PAGE_READ : w->kind == ACCESS_WRITE ? PAGE_WRITE : PAGE_EXEC;

    if (memo->linear != (w->linear & MMU_PAGE_MASK) || memo->cr3 != cpu->cr3 || memo->regime != w->regime ||
        cpu->nonroot || !(memo->rights & right)) {
        return false;
    }
    for (unsigned i = 0; i < memo->count; i++) {
        uint64_t entry;
        memcpy(&entry, memo->host[i], sizeof entry);
        if (entry != memo->entry[i]) {
            return false;
        }
    }
    w->gpa = w->spa = memo->spa | (w->linear & ~MMU_PAGE_MASK);
    w->rights = memo->rights;
    w->shift = memo->shift;
    w->key = 0;
    return true;
}

void mmu_memo_note(struct cpu *cpu, const struct walk *w, const uint64_t *entry_spa, const uint64_t *entry, unsigned count)
{
    unsigned paging = w->regime & REGIME_PAGING_MASK;

    if ((paging != PAGING_4LEVEL && paging != PAGING_5LEVEL) || cpu->nonroot || cpu->machine->timing || w->peek ||
        w->rights & PAGE_KEYED) {
        return;
    }
    struct walk_memo *memo = memo_of(cpu, w);
    *memo = (struct walk_memo){
        .linear = w->linear & MMU_PAGE_MASK, .cr3 = cpu->cr3, .spa = w->spa & MMU_PAGE_MASK, .regime = w->regime,
        .rights = w->rights, .shift = w->shift, .count = (uint8_t)count,
    };
    for (unsigned i = 0; i < count; i++) {
        memo->host[i] = mem_ram(cpu->machine->mem, entry_spa[i]);
        memo->entry[i] = entry[i];
        if (!memo->host[i]) {
            memo->rights = 0;
            return;
        }
    }
}
