/* TLB contexts: finding, filling, dropping. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/mmu/mmu_priv.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"

#define EP4TA_MASK 0x000ffffffffff000ull /* of an EPTP: what INVEPT compares */

static void clear_slot(struct mmu_context *c, unsigned slot)
{
    c->tlb[slot] = (struct tlb_entry){ tlb_no_tag(slot), tlb_no_tag(slot), 0, 0 };
    c->page[slot] = (struct mmu_page){ .linear = MMU_NO_PAGE };
}

static void new_epoch(struct mmu *m, struct mmu_context *c)
{
    c->epoch = ++m->epochs;
    if (c->has_displaced) {
        memset(c->displaced, 0, sizeof(c->displaced));
        c->has_displaced = false;
    }
}

/* Who remembers code by its linear address may still know a page that made room for another one: dropping that
 * address later has to end the epoch although nothing is there to drop. */
static void note_displaced(struct mmu_context *c, unsigned slot, uint64_t linear)
{
    const struct mmu_page *old = &c->page[slot];

    if (old->rights & PAGE_EXEC && old->linear != (linear & MMU_PAGE_MASK)) {
        c->displaced[slot / 64] |= 1ull << slot % 64;
        c->has_displaced = true;
    }
}

static bool may_be_displaced(const struct mmu_context *c, unsigned slot)
{
    return c->has_displaced && (c->has_large || c->displaced[slot / 64] >> slot % 64 & 1);
}

static struct mmu_context *context_new(struct mmu *m)
{
    struct mmu_context *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);

    if (!c) {
        return NULL;
    }
    memset(c, 0, sizeof(*c));
    for (unsigned slot = 0; slot < TLB_ENTRIES; slot++) {
        clear_slot(c, slot);
    }
    new_epoch(m, c);
    return c;
}

void mmu_context_clear(struct mmu *m, struct mmu_context *c, bool keep_global)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < c->filled_count; i++) {
        unsigned slot = c->filled[i];
        if (keep_global && c->page[slot].rights & PAGE_GLOBAL) {
            c->filled[kept++] = (uint16_t)slot;
        } else {
            clear_slot(c, slot);
        }
    }
    c->filled_count = kept;
    c->has_large = c->has_large && kept;
    c->keys = kept ? c->keys : 0;
    new_epoch(m, c);
}

/* Drops every page for which 'linear' lies in the guest's page it came from. */
static void context_drop_address(struct mmu *m, struct mmu_context *c, uint64_t linear, bool global_only)
{
    unsigned kept = 0;
    unsigned only = mmu_slot(linear);

    if (!c->has_large) {
        struct mmu_page *page = &c->page[only];
        if (page->linear != (linear & MMU_PAGE_MASK) || (global_only && !(page->rights & PAGE_GLOBAL))) {
            if (may_be_displaced(c, only)) {
                new_epoch(m, c);
            }
            return;
        }
    }
    for (unsigned i = 0; i < c->filled_count; i++) {
        unsigned slot = c->filled[i];
        const struct mmu_page *page = &c->page[slot];
        if ((page->linear ^ linear) >> page->shift == 0 && (!global_only || page->rights & PAGE_GLOBAL)) {
            clear_slot(c, slot);
        } else {
            c->filled[kept++] = (uint16_t)slot;
        }
    }
    if (kept != c->filled_count || may_be_displaced(c, only)) {
        c->filled_count = kept;
        new_epoch(m, c);
    }
}

static struct mmu_key key_now(const struct cpu *cpu, uint32_t regime)
{
    struct mmu_key key = { .regime = regime };

    if (cpu->cr4 & CR4_PCIDE) {
        key.pcid = cpu->cr3 & CR3_PCID_MASK;
    }
    if (cpu->nonroot) {
        key.vpid = cpu->machine->vtx->vpid(cpu);
        key.eptp = cpu->machine->vtx->eptp(cpu);
    }
    return key;
}

static bool key_equal(const struct mmu_key *a, const struct mmu_key *b)
{
    return a->regime == b->regime && a->vpid == b->vpid && a->pcid == b->pcid && a->eptp == b->eptp;
}

/* A context for a new key: a fresh one, or the least recently used one that is not in use. */
static struct mmu_context *context_take(struct mmu *m)
{
    struct mmu_context *oldest = NULL;

    if (m->context_count < MMU_CONTEXTS) {
        struct mmu_context *c = context_new(m);
        if (c) {
            m->context[m->context_count++] = c;
            return c;
        }
    }
    for (unsigned i = 0; i < m->context_count; i++) {
        struct mmu_context *c = m->context[i];
        if (c != m->current && (!oldest || c->used < oldest->used)) {
            oldest = c;
        }
    }
    assert(oldest && "a processor starts with two contexts");
    if (oldest == m->system) {
        m->system = NULL;
    }
    mmu_context_clear(m, oldest, false);
    return oldest;
}

/* Gives new tags to the pages whose key means something else since PKRU was written. */
static void follow_pkru(struct cpu *cpu, struct mmu_context *c)
{
    uint32_t changed = c->pkru ^ cpu->pkru;
    unsigned keys = 0;

    c->pkru = cpu->pkru;
    for (unsigned key = 0; key < 16; key++) {
        keys |= changed >> 2 * key & 3 ? 1u << key : 0;
    }
    if (!(keys & c->keys)) {
        return;
    }
    for (unsigned i = 0; i < c->filled_count; i++) {
        const struct mmu_page *page = &c->page[c->filled[i]];
        if (page->rights & PAGE_KEYED && keys >> page->key & 1) {
            mmu_context_publish(cpu, c, c->filled[i]);
        }
    }
}

static struct mmu_context *context_use(struct cpu *cpu, struct mmu_context *c)
{
    c->used = ++cpu->mmu->clock;
    if (c->pkru != cpu->pkru) {
        follow_pkru(cpu, c);
    }
    return c;
}

void mmu_pkru_written(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    m->system = NULL; /* looked up when needed, and follows then */
    if (m->current->pkru != cpu->pkru) {
        follow_pkru(cpu, m->current);
    }
}

struct mmu_context *mmu_context_find(struct cpu *cpu, uint32_t regime)
{
    struct mmu *m = cpu->mmu;
    struct mmu_key key = key_now(cpu, regime);

    for (unsigned i = 0; i < m->context_count; i++) {
        if (key_equal(&m->context[i]->key, &key)) {
            return context_use(cpu, m->context[i]);
        }
    }
    struct mmu_context *c = context_take(m);
    c->key = key;
    return context_use(cpu, c);
}

struct mmu_context *mmu_system_context(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    if (!m->system) {
        m->system = mmu_context_find(cpu, mmu_regime(cpu, false, true));
    }
    return m->system;
}

/* Gives the hot core the tags this page may have: none for MMIO, no write tag for decoded code
 * or for a page that nobody wrote since the last hash (mem.h), no data tags while alignment is
 * checked or where a data breakpoint watches. */
void mmu_context_publish(struct cpu *cpu, struct mmu_context *c, unsigned slot)
{
    const struct mmu_page *page = &c->page[slot];
    struct tlb_entry *e = &c->tlb[slot];
    struct mem *mem = cpu->machine->mem;
    const uint8_t *host = mem_ram(mem, page->spa);

    if (!host) {
        *e = (struct tlb_entry){ tlb_no_tag(slot), tlb_no_tag(slot), 0, 0 };
        return;
    }
    uint64_t index = mem_page_index(page->spa);
    uint8_t rights = mmu_page_rights(cpu, c, page);
    bool data = !(c->key.regime & REGIME_ALIGN) && !(cpu_breakpoint_data(cpu) && cpu_breakpoint_watches_page(cpu, page->linear));
    bool write = data && rights & PAGE_WRITE && !mem_code_map(mem)[index] && mem_page_written(mem, index);

    e->add = (uint64_t)(uintptr_t)host - page->linear;
    e->page = (uint64_t)(uintptr_t)host;
    e->tag_read = data && rights & PAGE_READ ? page->linear : tlb_no_tag(slot);
    e->tag_write = write ? page->linear : tlb_no_tag(slot);
    if (write) {
        cpu->mmu->write_tagged[index] = 1;
    }
}

void mmu_watches_changed(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    for (unsigned k = 0; k < m->context_count; k++) {
        struct mmu_context *c = m->context[k];
        for (unsigned i = 0; i < c->filled_count; i++) {
            mmu_context_publish(cpu, c, c->filled[i]);
        }
    }
}

void mmu_context_store(struct cpu *cpu, struct mmu_context *c, const struct walk *w)
{
    unsigned slot = mmu_slot(w->linear);

    if (c->page[slot].linear == MMU_NO_PAGE) {
        c->filled[c->filled_count++] = (uint16_t)slot;
    }
    note_displaced(c, slot, w->linear);
    c->page[slot] = (struct mmu_page){
        .linear = w->linear & MMU_PAGE_MASK, .spa = w->spa & MMU_PAGE_MASK,
        .rights = w->rights, .shift = w->shift, .key = w->key,
    };
    c->has_large |= w->shift > 12;
    c->keys |= w->rights & PAGE_KEYED ? (uint16_t)(1u << w->key) : 0;
    mmu_context_publish(cpu, c, slot);
}

void mmu_protect_code(struct machine *machine, uint64_t spa_page)
{
    uint64_t page_spa = spa_page & MMU_PAGE_MASK;
    uint64_t index = mem_page_index(page_spa);

    for (unsigned n = 0; n < machine->cpu_count; n++) {
        struct mmu *m = machine->cpu[n] ? machine->cpu[n]->mmu : NULL;
        if (!m || !m->write_tagged[index]) {
            continue;
        }
        for (unsigned k = 0; k < m->context_count; k++) {
            struct mmu_context *c = m->context[k];
            for (unsigned i = 0; i < c->filled_count; i++) {
                if (c->page[c->filled[i]].spa == page_spa) {
                    c->tlb[c->filled[i]].tag_write = tlb_no_tag(c->filled[i]);
                }
            }
        }
        m->write_tagged[index] = 0;
    }
}

/* The memory's hash, which came before in the same visit, starts to look for writes anew. */
static void drop_write_tags(struct mmu *m)
{
    for (unsigned k = 0; k < m->context_count; k++) {
        struct mmu_context *c = m->context[k];
        for (unsigned i = 0; i < c->filled_count; i++) {
            c->tlb[c->filled[i]].tag_write = tlb_no_tag(c->filled[i]);
        }
    }
}

/* --- what invalidates ------------------------------------------------------ */

void mmu_cr3_written(struct cpu *cpu, bool keep_pcid)
{
    struct mmu *m = cpu->mmu;
    struct mmu_key key = key_now(cpu, 0);

    if (!keep_pcid) {
        time_flush(cpu, false);
    }
    for (unsigned i = 0; !keep_pcid && i < m->context_count; i++) {
        struct mmu_context *c = m->context[i];
        if (c->key.vpid == key.vpid && c->key.eptp == key.eptp && c->key.pcid == key.pcid) {
            mmu_context_clear(m, c, true);
        }
    }
    mmu_mode_changed(cpu);
}

void mmu_mode_changed(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    m->system = NULL;
    m->current = mmu_context_find(cpu, mmu_regime(cpu, cpu_cpl(cpu) == 3, false));
    cpu->tlb = m->current->tlb;
}

/* INVLPG also drops global translations of the other PCIDs; for INVPCID that is allowed. */
void mmu_invlpg(struct cpu *cpu, uint64_t linear)
{
    mmu_invpcid(cpu, INVPCID_ADDRESS, cpu->cr4 & CR4_PCIDE ? cpu->cr3 & CR3_PCID_MASK : 0, linear);
}

/* SDM Vol 3A "Operations that Invalidate TLBs and Paging-Structure Caches". */
void mmu_invpcid(struct cpu *cpu, enum mmu_invpcid_type type, uint16_t pcid, uint64_t linear)
{
    struct mmu *m = cpu->mmu;
    struct mmu_key key = key_now(cpu, 0);

    if (type == INVPCID_ADDRESS) {
        time_flush_page(cpu, linear);
    } else {
        time_flush(cpu, type != INVPCID_CONTEXT);
    }
    for (unsigned i = 0; i < m->context_count; i++) {
        struct mmu_context *c = m->context[i];
        if (c->key.vpid != key.vpid || c->key.eptp != key.eptp) {
            continue;
        }
        switch (type) {
        case INVPCID_ADDRESS:
            context_drop_address(m, c, linear, c->key.pcid != pcid);
            break;
        case INVPCID_CONTEXT:
            if (c->key.pcid == pcid) {
                mmu_context_clear(m, c, true);
            }
            break;
        case INVPCID_ALL_GLOBAL:
        case INVPCID_ALL:
            mmu_context_clear(m, c, type == INVPCID_ALL);
            break;
        }
    }
}

void mmu_flush_all(struct cpu *cpu)
{
    mmu_invpcid(cpu, INVPCID_ALL_GLOBAL, 0, 0);
}

void mmu_flush_vpid(struct cpu *cpu, uint16_t vpid, bool all)
{
    struct mmu *m = cpu->mmu;

    time_flush(cpu, true);
    for (unsigned i = 0; i < m->context_count; i++) {
        struct mmu_context *c = m->context[i];
        if (all ? c->key.vpid != 0 : c->key.vpid == vpid) {
            mmu_context_clear(m, c, false);
        }
    }
}

void mmu_flush_ept(struct cpu *cpu, uint64_t eptp, bool all)
{
    struct mmu *m = cpu->mmu;

    time_flush(cpu, true);
    for (unsigned i = 0; i < m->context_count; i++) {
        struct mmu_context *c = m->context[i];
        bool match = all || ((c->key.eptp ^ eptp) & EP4TA_MASK) == 0;
        if (c->key.eptp && match) {
            mmu_context_clear(m, c, false);
        }
    }
}

void mmu_vtx_switched(struct cpu *cpu)
{
    mmu_mode_changed(cpu);
}

/* --- life ------------------------------------------------------------------ */

bool mmu_new(struct cpu *cpu)
{
    struct mmu *m = calloc(1, sizeof(*m));

    if (!m) {
        return false;
    }
    cpu->mmu = m;
    m->write_tagged = calloc(1, mem_ram_size(cpu->machine->mem) / MEM_PAGE_SIZE + 1);
    for (unsigned i = 0; m->write_tagged && i < 2; i++) {
        m->context[i] = context_new(m);
        m->context_count += m->context[i] != NULL;
    }
    if (m->context_count < 2) {
        mmu_free(cpu);
        return false;
    }
    m->current = m->context[0];
    cpu->tlb = m->current->tlb;
    return true;
}

void mmu_free(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    for (unsigned i = 0; m && i < MMU_CONTEXTS; i++) {
        free(m->context[i]);
    }
    if (m) {
        free(m->write_tagged);
    }
    free(m);
    cpu->mmu = NULL;
    cpu->tlb = NULL;
}

void mmu_reset(struct cpu *cpu)
{
    struct mmu *m = cpu->mmu;

    for (unsigned i = 0; i < m->context_count; i++) {
        mmu_context_clear(m, m->context[i], false);
    }
    mmu_mode_changed(cpu);
}

static void context_state(struct cpu *cpu, struct mmu_context *c, struct state *state)
{
    uint32_t count = c->filled_count;

    STATE_VISIT(state, c->key);
    STATE_VISIT(state, c->used);
    STATE_VISIT(state, count);
    if (state_is_load(state) && count > TLB_ENTRIES) {
        state_fail(state, "TLB context with %u entries", count);
        return;
    }
    if (state_is_load(state)) {
        mmu_context_clear(cpu->mmu, c, false);
        c->has_large = false;
        c->pkru = cpu->pkru;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct mmu_page page = c->page[c->filled[i]]; /* a load overwrites whatever this is */
        STATE_VISIT(state, page);
        if (!state_is_load(state)) {
            continue;
        }
        unsigned slot = mmu_slot(page.linear);
        if (state_failed(state) || page.linear & 0xfff || c->page[slot].linear != MMU_NO_PAGE ||
            page.shift > 30 || page.key > 15) {
            state_fail(state, "bad TLB entry");
            return;
        }
        c->page[slot] = page;
        c->filled[c->filled_count++] = (uint16_t)slot;
        c->has_large |= page.shift > 12;
        c->keys |= page.rights & PAGE_KEYED ? (uint16_t)(1u << page.key) : 0;
        mmu_context_publish(cpu, c, slot);
    }
}

void mmu_state(struct cpu *cpu, struct state *state)
{
    struct mmu *m = cpu->mmu;
    uint32_t count = m->context_count;

    uint32_t current = 0;

    if (state_mode(state) == STATE_HASH) {
        drop_write_tags(m);
        return; /* see mmu.h: saved, but not part of what two runs must agree on */
    }
    while (m->context[current] != m->current) {
        current++;
    }
    STATE_VISIT(state, count);
    STATE_VISIT(state, current);
    STATE_VISIT(state, m->clock);
    if (state_is_load(state)) {
        if (count < 2 || count > MMU_CONTEXTS || current >= count) {
            state_fail(state, "%u TLB contexts", count);
            return;
        }
        memset(m->write_tagged, 0, mem_ram_size(cpu->machine->mem) / MEM_PAGE_SIZE + 1);
        while (m->context_count < count) {
            struct mmu_context *c = context_new(m);
            if (!c) {
                state_fail(state, "no memory for TLB contexts");
                return;
            }
            m->context[m->context_count++] = c;
        }
        while (m->context_count > count) {
            free(m->context[--m->context_count]);
            m->context[m->context_count] = NULL;
        }
    }
    for (uint32_t i = 0; i < count && !state_failed(state); i++) {
        context_state(cpu, m->context[i], state);
    }
    if (state_is_load(state)) {
        m->system = NULL;
        m->current = m->context[current];
        cpu->tlb = m->current->tlb;
    }
}
