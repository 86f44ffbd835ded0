/* One page walk, as SDM Vol 3A "Paging" describes it, over the second level where there is one. */
#include "sim/cpu/mmu/mmu_priv.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/vtx/vtx.h"

enum { LEVELS_MAX = WALK_ENTRIES_MAX };
#define FRAME_MASK 0x000ffffffffff000ull

/* A paging mode: linear-address bits that index each level, top first.  Facts of the table
 * headings in "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging". */
struct paging_form {
    uint8_t levels;
    uint8_t entry_size;           /* [bytes] */
    uint8_t shift[LEVELS_MAX];    /* lowest linear bit of the index */
    uint8_t bits[LEVELS_MAX];     /* width of the index */
    bool may_map[LEVELS_MAX];     /* entry with PS set maps a page */
    uint64_t reserved[LEVELS_MAX];/* in every entry of the level, NX and the physical width apart */
    uint64_t reserved_page[LEVELS_MAX]; /* further, in a large page's entry */
};

static const struct paging_form paging_forms[] = {
    [PAGING_32] = {
        .levels = 2, .entry_size = 4, .shift = { 22, 12 }, .bits = { 10, 10 }, .may_map = { true, false },
        .reserved_page = { 1ull << 21, 0 }, /* bits 20:13 are address bits 39:32 (PSE-36) */
    },
    [PAGING_PAE] = {
        .levels = 2, .entry_size = 8, .shift = { 21, 12 }, .bits = { 9, 9 }, .may_map = { true, false },
        .reserved = { 0x7ffull << 52, 0x7ffull << 52 },
        .reserved_page = { 0xffull << 13, 0 },
    },
    [PAGING_4LEVEL] = {
        .levels = 4, .entry_size = 8, .shift = { 39, 30, 21, 12 }, .bits = { 9, 9, 9, 9 },
        .may_map = { false, true, true, false }, .reserved = { PTE_PS, 0, 0, 0 },
        .reserved_page = { 0, 0x1ffffull << 13, 0xffull << 13, 0 },
    },
    [PAGING_5LEVEL] = {
        .levels = 5, .entry_size = 8, .shift = { 48, 39, 30, 21, 12 }, .bits = { 9, 9, 9, 9, 9 },
        .may_map = { false, false, true, true, false }, .reserved = { PTE_PS, PTE_PS, 0, 0, 0 },
        .reserved_page = { 0, 0, 0x1ffffull << 13, 0xffull << 13, 0 },
    },
};

/* What a walk gathers on its way down. */
struct gathered {
    bool user, writable, no_execute, global;
    bool dirty;                      /* leaf entry's D */
    uint8_t key;                     /* leaf entry's protection key */
    unsigned leaf;                   /* level that mapped the page */
    uint64_t entry_gpa[LEVELS_MAX];
    uint64_t entry_spa[LEVELS_MAX];
    uint64_t entry[LEVELS_MAX];
};

uint32_t mmu_regime(const struct cpu *cpu, bool user, bool implicit)
{
    if (!(cpu->cr0 & CR0_PG)) {
        return PAGING_NONE;
    }
    uint32_t regime = cpu->efer & EFER_LMA ? (cpu->cr4 & CR4_LA57 ? PAGING_5LEVEL : PAGING_4LEVEL)
                                           : cpu->cr4 & CR4_PAE ? PAGING_PAE : PAGING_32;
    bool ac = cpu->rflags_rest & RFLAGS_AC;

    regime |= user ? REGIME_USER : 0;
    regime |= cpu->cr4 & CR4_SMAP && !user && (implicit || !ac) ? REGIME_SMAP : 0;
    regime |= cpu->cr4 & CR4_SMEP ? REGIME_SMEP : 0;
    regime |= cpu->cr0 & CR0_WP ? REGIME_WP : 0;
    regime |= cpu->efer & EFER_NXE ? REGIME_NXE : 0;
    regime |= cpu->cr4 & CR4_PSE ? REGIME_PSE : 0;
    regime |= cpu->cr4 & CR4_PGE ? REGIME_PGE : 0;
    regime |= cpu->cr4 & CR4_PKE && cpu->efer & EFER_LMA ? REGIME_PKE : 0;
    regime |= user && ac && cpu->cr0 & CR0_AM ? REGIME_ALIGN : 0;
    return regime;
}

/* Where a guest paging-structure entry lies in system memory. */
static enum exec_result table_address(struct cpu *cpu, struct walk *w, uint64_t gpa, bool write,
                                      uint64_t *spa)
{
    const struct vtx_ops *vtx = cpu->machine->vtx;

    if (!cpu->nonroot || !vtx->second_level(cpu)) {
        *spa = gpa;
        return EXEC_OK;
    }
    if (w->peek) {
        return vtx->translate_peek && vtx->translate_peek(cpu, gpa, spa) ? EXEC_OK : EXEC_FAULT;
    }
    struct vtx_access access = {
        .gpa = gpa, .linear = w->linear, .has_linear = !w->no_linear, .is_table = true, .read = true, .write = write,
    };
    struct vtx_page page = { 0 };
    enum exec_result result = vtx->translate(cpu, &access, &page);

    if (result == EXEC_OK) {
        *spa = page.spa;
    }
    return result;
}

static enum exec_result page_fault(struct cpu *cpu, const struct walk *w, uint32_t error)
{
    if (w->peek) {
        return EXEC_FAULT;
    }
    unsigned paging = w->regime & REGIME_PAGING_MASK;
    bool no_execute = paging != PAGING_32 && w->regime & REGIME_NXE;

    error |= w->kind == ACCESS_WRITE ? PF_W : 0;
    error |= w->regime & REGIME_USER ? PF_U : 0;
    error |= w->kind == ACCESS_EXEC && (no_execute || w->regime & REGIME_SMEP) ? PF_I : 0;
    return cpu_raise_pf(cpu, w->linear, error);
}

/* SDM Vol 3A "Determination of Access Rights". */
static bool permitted(const struct walk *w, const struct gathered *g, enum access_kind kind)
{
    if (w->regime & REGIME_USER) {
        return g->user && (kind != ACCESS_WRITE || g->writable) && (kind != ACCESS_EXEC || !g->no_execute);
    }
    if (kind == ACCESS_EXEC) {
        return !g->no_execute && !(g->user && w->regime & REGIME_SMEP);
    }
    if (g->user && w->regime & REGIME_SMAP) {
        return false;
    }
    return kind == ACCESS_READ || g->writable || !(w->regime & REGIME_WP);
}

/* Does the page's protection key forbid a data access?  User pages have one, their supervisors obey it too. */
static bool key_forbids(const struct cpu *cpu, const struct walk *w, const struct gathered *g)
{
    unsigned right = w->kind == ACCESS_READ ? PAGE_READ : w->kind == ACCESS_WRITE ? PAGE_WRITE : 0;

    return w->regime & REGIME_PKE && g->user && mmu_key_denies(cpu, w->regime, g->key) & right;
}

/* Address bits beyond the processor's width. */
static uint64_t reserved_address(const struct cpu *cpu)
{
    return FRAME_MASK & ~((1ull << cpu_physical_bits(cpu)) - 1);
}

/* PSE-36 keeps address bits 39:32 in 20:13, as many as the processor has. */
static uint64_t reserved_pse36(const struct cpu *cpu)
{
    unsigned width = cpu_has(cpu, CPU_PSE36) ? cpu_physical_bits(cpu) : 32;

    return width >= 40 ? 0 : 0x1fe000ull & ~0ull << (width - 32 + 13);
}

static uint64_t entry_reserved(const struct cpu *cpu, const struct walk *w, const struct paging_form *form, unsigned level, bool page)
{
    uint64_t reserved = form->reserved[level] | (page ? form->reserved_page[level] : 0);

    if (form->entry_size == 4) {
        return reserved | (page ? reserved_pse36(cpu) : 0);
    }
    if (page && form->shift[level] == 30 && !cpu_has(cpu, CPU_PAGE1GB)) {
        reserved |= PTE_PS;
    }
    return reserved | reserved_address(cpu) | (w->regime & REGIME_NXE ? 0 : PTE_NX);
}

/* Physical base of the first table the walk indexes. */
static enum exec_result top_table(struct cpu *cpu, struct walk *w, uint64_t *table)
{
    switch (w->regime & REGIME_PAGING_MASK) {
    case PAGING_PAE: {
        uint64_t pdpte = cpu->pdpte[w->linear >> 30 & 3];
        if (!(pdpte & PTE_P)) {
            return page_fault(cpu, w, 0);
        }
        *table = pdpte & FRAME_MASK;
        return EXEC_OK;
    }
    case PAGING_32:
        *table = cpu->cr3 & 0xfffff000ull;
        return EXEC_OK;
    default:
        *table = cpu->cr3 & FRAME_MASK;
        return EXEC_OK;
    }
}

/* Follows the structures down to the entry that maps the page; changes nothing. */
static enum exec_result descend(struct cpu *cpu, struct walk *w, const struct paging_form *form,
                                struct gathered *g)
{
    uint64_t table = 0;
    enum exec_result result = top_table(cpu, w, &table);

    *g = (struct gathered){ .user = true, .writable = true };
    for (unsigned level = 0; result == EXEC_OK; level++) {
        uint64_t index = w->linear >> form->shift[level] & ((1u << form->bits[level]) - 1);
        g->entry_gpa[level] = table + index * form->entry_size;
        result = table_address(cpu, w, g->entry_gpa[level], false, &g->entry_spa[level]);
        if (result != EXEC_OK) {
            return result;
        }
        uint64_t entry = mmu_phys_read(cpu, g->entry_spa[level], form->entry_size);
        g->entry[level] = entry;
        if (!(entry & PTE_P)) {
            return page_fault(cpu, w, 0);
        }
        bool large = form->may_map[level] && entry & PTE_PS &&
                     (form->entry_size == 8 || w->regime & REGIME_PSE);
        if (entry & entry_reserved(cpu, w, form, level, large)) {
            return page_fault(cpu, w, PF_P | PF_RSVD);
        }
        g->user &= (entry & PTE_U) != 0;
        g->writable &= (entry & PTE_W) != 0;
        g->no_execute |= form->entry_size == 8 && entry & PTE_NX;
        if (large || level == form->levels - 1u) {
            g->leaf = level;
            g->dirty = entry & PTE_D;
            g->key = entry >> PTE_KEY_SHIFT & 15;
            g->global = entry & PTE_G && w->regime & REGIME_PGE;
            return EXEC_OK;
        }
        table = entry & FRAME_MASK;
    }
    return result;
}

/* Sets accessed flags, and the leaf's dirty flag for a write: SDM Vol 3A "Accessed and Dirty Flags".
 * Entries are re-read: a second-level exit in between changes nothing, the walk starts over. */
static enum exec_result set_flags(struct cpu *cpu, struct walk *w, const struct paging_form *form,
                                  struct gathered *g)
{
    for (unsigned level = 0; level <= g->leaf; level++) {
        uint64_t wanted = PTE_A;
        if (level == g->leaf && w->kind == ACCESS_WRITE) {
            wanted |= PTE_D;
        }
        if ((g->entry[level] & wanted) == wanted) {
            continue;
        }
        uint64_t spa;
        enum exec_result result = table_address(cpu, w, g->entry_gpa[level], true, &spa);
        if (result != EXEC_OK) {
            return result;
        }
        g->entry[level] = mmu_phys_read(cpu, spa, form->entry_size) | wanted;
        mmu_phys_write(cpu, spa, form->entry_size, g->entry[level]);
    }
    g->dirty = g->entry[g->leaf] & PTE_D;
    return EXEC_OK;
}

static uint64_t leaf_gpa(const struct walk *w, const struct paging_form *form, const struct gathered *g)
{
    uint64_t entry = g->entry[g->leaf];
    uint64_t offset = w->linear & ((1ull << form->shift[g->leaf]) - 1);
    uint64_t frame = entry & FRAME_MASK & ~((1ull << form->shift[g->leaf]) - 1);

    if (form->entry_size == 4) {
        frame &= 0xffffffffull;
        if (form->shift[g->leaf] == 22) {
            frame |= (entry >> 13 & 0xff) << 32;
        }
    }
    return frame | offset;
}

/* The final guest-physical address through the second level; narrows what may be cached. */
static enum exec_result final_address(struct cpu *cpu, struct walk *w, const struct gathered *g)
{
    const struct vtx_ops *vtx = cpu->machine->vtx;

    w->spa = w->gpa;
    if (!cpu->nonroot || !vtx->second_level(cpu)) {
        return EXEC_OK;
    }
    if (w->peek) {
        return vtx->translate_peek && vtx->translate_peek(cpu, w->gpa, &w->spa) ? EXEC_OK : EXEC_FAULT;
    }
    struct vtx_access access = {
        .gpa = w->gpa, .linear = w->linear, .has_linear = true,
        .read = w->kind == ACCESS_READ, .write = w->kind == ACCESS_WRITE, .exec = w->kind == ACCESS_EXEC,
        .user = g->user, .guest_writable = g->writable, .guest_nx = g->no_execute,
    };
    struct vtx_page page = { 0 };
    enum exec_result result = vtx->translate(cpu, &access, &page);

    if (result != EXEC_OK) {
        return result;
    }
    w->spa = page.spa;
    w->rights &= (page.readable ? PAGE_READ : 0) | (page.writable && page.dirty ? PAGE_WRITE : 0) |
                 (page.executable ? PAGE_EXEC : 0) | PAGE_GLOBAL | PAGE_KEYED;
    return EXEC_OK;
}

enum exec_result mmu_walk(struct cpu *cpu, struct walk *w)
{
    unsigned paging = w->regime & REGIME_PAGING_MASK;
    struct gathered g;

    w->shift = 12;
    w->key = 0;
    if (paging == PAGING_NONE) {
        g = (struct gathered){ .user = true, .writable = true, .dirty = true };
        w->gpa = w->linear;
        w->rights = PAGE_READ | PAGE_WRITE | PAGE_EXEC;
        return final_address(cpu, w, &g);
    }
    if (!w->peek && mmu_memo_find(cpu, w)) {
        return EXEC_OK;
    }
    const struct paging_form *form = &paging_forms[paging];
    enum exec_result result = descend(cpu, w, form, &g);
    if (result != EXEC_OK) {
        return result;
    }
    if (!w->peek) {
        bool forbidden = key_forbids(cpu, w, &g);
        if (!permitted(w, &g, w->kind) || forbidden) {
            return page_fault(cpu, w, PF_P | (forbidden ? PF_PK : 0));
        }
        result = set_flags(cpu, w, form, &g);
        if (result != EXEC_OK) {
            return result;
        }
    }
    w->gpa = leaf_gpa(w, form, &g);
    w->shift = form->shift[g.leaf];
    w->key = g.key;
    w->rights = (w->regime & REGIME_PKE && g.user ? PAGE_KEYED : 0) |
                (permitted(w, &g, ACCESS_READ) ? PAGE_READ : 0) |
                (g.dirty && permitted(w, &g, ACCESS_WRITE) ? PAGE_WRITE : 0) |
                (permitted(w, &g, ACCESS_EXEC) ? PAGE_EXEC : 0) | (g.global ? PAGE_GLOBAL : 0);
    result = final_address(cpu, w, &g);
    if (result == EXEC_OK) {
        mmu_memo_note(cpu, w, g.entry_spa, g.entry, g.leaf + 1);
    }
    return result;
}

bool mmu_walk_peek(struct cpu *cpu, uint64_t linear, uint64_t *spa)
{
    struct walk w = {
        .linear = linear, .kind = ACCESS_READ, .regime = mmu_regime(cpu, false, false), .peek = true,
    };
    if (mmu_walk(cpu, &w) != EXEC_OK) {
        return false;
    }
    *spa = w.spa;
    return true;
}

enum exec_result mmu_read_pdptes(struct cpu *cpu, uint64_t cr3, uint64_t pdpte[4])
{
    /* SDM Vol 3A "PDPTE Registers": bits 2:1, 8:5 and above the physical width are reserved. */
    const uint64_t reserved = 0x1e6ull | reserved_address(cpu) | 0xfffull << 52;
    struct walk w = { .kind = ACCESS_READ, .no_linear = true };

    for (unsigned i = 0; i < 4; i++) {
        uint64_t spa;
        enum exec_result result = table_address(cpu, &w, (cr3 & 0xffffffe0ull) + i * 8, false, &spa);
        if (result != EXEC_OK) {
            return result;
        }
        pdpte[i] = mmu_phys_read(cpu, spa, 8);
        if (pdpte[i] & PTE_P && pdpte[i] & reserved) {
            return cpu_raise_error(cpu, X_GP, 0);
        }
    }
    return EXEC_OK;
}
