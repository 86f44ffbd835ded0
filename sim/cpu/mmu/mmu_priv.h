/* Inside the MMU: contexts and the walk's request and result.  For mmu/ only. */
#ifndef SIM_CPU_MMU_MMU_PRIV_H
#define SIM_CPU_MMU_MMU_PRIV_H

#include "sim/cpu/mmu/mmu.h"
#include "sim/mem/mem.h"
#include "spec/x86/system.h"

#define MMU_PAGE_MASK (~0xfffull)

enum paging { PAGING_NONE, PAGING_32, PAGING_PAE, PAGING_4LEVEL, PAGING_5LEVEL };

/* Permission regime: everything but the address space that decides what a cached translation allows. */
enum {
    REGIME_PAGING_MASK = 7,   /* enum paging */
    REGIME_USER = 1 << 3,     /* user-mode access */
    REGIME_SMAP = 1 << 4,     /* supervisor data accesses to user pages fault */
    REGIME_SMEP = 1 << 5,
    REGIME_WP = 1 << 6,
    REGIME_NXE = 1 << 7,
    REGIME_PSE = 1 << 8,
    REGIME_PGE = 1 << 9,
    REGIME_PKE = 1 << 10,     /* protection keys of user pages; PKRU itself is no part of the regime */
    REGIME_ALIGN = 1 << 11,   /* #AC checks: data accesses always take the slow path */
};

struct mmu_key {
    uint32_t regime;  /* [REGIME_*] */
    uint16_t vpid;    /* 0 = host, or guest without VPID */
    uint16_t pcid;    /* 0 without CR4.PCIDE */
    uint64_t eptp;    /* 0 = no second level */
};

enum { PAGE_READ = 1, PAGE_WRITE = 2, PAGE_EXEC = 4, PAGE_GLOBAL = 8, PAGE_KEYED = 16 };
#define MMU_NO_PAGE 1ull

/* One cached translation.  PAGE_WRITE only once every dirty flag on the way is set.  PAGE_KEYED: the rights are further
 * narrowed by what PKRU says of the key, now. */
struct mmu_page {
    uint64_t linear; /* [page address], or MMU_NO_PAGE */
    uint64_t spa;    /* of the 4-KiB page */
    uint8_t rights;  /* [PAGE_*] */
    uint8_t shift;   /* of the guest's page: 12, 21, 22 or 30 */
    uint8_t key;     /* protection key, with PAGE_KEYED */
    uint8_t pad[5];
};

struct mmu_context {
    struct tlb_entry tlb[TLB_ENTRIES]; /* first: cpu->tlb points here */
    struct mmu_page page[TLB_ENTRIES];
    uint16_t filled[TLB_ENTRIES];      /* slots that hold a page (each once), so flushing costs what was filled */
    unsigned filled_count;
    bool has_large;                    /* some page comes from a large one: INVLPG must look at all */
    struct mmu_key key;
    uint64_t used;                     /* LRU stamp */
    uint64_t epoch;                    /* mmu_code_epoch */
    uint64_t displaced[TLB_ENTRIES / 64]; /* slots that lost a page of code to another page in this epoch [bit per slot] */
    bool has_displaced;
    uint32_t pkru;                     /* under which the tags were given */
    uint16_t keys;                     /* protection keys some page has or had [bit per key] */
};

enum { MMU_CONTEXTS = 24, WALK_MEMOS = 128, WALK_ENTRIES_MAX = 5 };

/* A walk that was done (memo.c); rights 0: none. */
struct walk_memo {
    uint64_t linear, cr3, spa;                /* pages; all of CR3 */
    uint32_t regime;
    uint8_t rights, shift, count;             /* as in struct walk; entries read */
    const uint8_t *host[WALK_ENTRIES_MAX];    /* where they lie */
    uint64_t entry[WALK_ENTRIES_MAX];
};

struct mmu {
    struct walk_memo memo[WALK_MEMOS];
    struct mmu_context *context[MMU_CONTEXTS]; /* allocated when first needed */
    unsigned context_count;
    struct mmu_context *current;   /* of explicit accesses */
    struct mmu_context *system;    /* of implicit supervisor accesses; NULL = look up when needed */
    uint64_t clock;                /* LRU */
    uint64_t epochs;               /* last epoch given out */
    uint8_t *write_tagged;         /* per RAM page: some context may hold a write tag for it */
};

struct walk {
    /* request */
    uint64_t linear;
    enum access_kind kind;
    uint32_t regime;
    bool peek;         /* no faults, no flags set, no permissions asked */
    bool no_linear;    /* not on behalf of a linear address (PDPTE loads) */
    /* result */
    uint64_t gpa, spa; /* of the byte */
    uint8_t rights;    /* [PAGE_*] what may be cached */
    uint8_t shift;
    uint8_t key;       /* protection key, with PAGE_KEYED */
};

/* walk.c */
uint32_t mmu_regime(const struct cpu *, bool user, bool implicit);
enum exec_result mmu_walk(struct cpu *, struct walk *);
/* memo.c: fills in the result, or false.  Only where the walk would succeed and write nothing. */
bool mmu_memo_find(struct cpu *, struct walk *);
void mmu_memo_note(struct cpu *, const struct walk *, const uint64_t *entry_spa, const uint64_t *entry, unsigned count);
bool mmu_walk_peek(struct cpu *, uint64_t linear, uint64_t *spa);

/* context.c */
struct mmu_context *mmu_context_find(struct cpu *, uint32_t regime);
void mmu_context_store(struct cpu *, struct mmu_context *, const struct walk *);
void mmu_context_drop(struct mmu *, struct mmu_context *, unsigned slot);
void mmu_context_clear(struct mmu *, struct mmu_context *, bool keep_global);
void mmu_context_publish(struct cpu *, struct mmu_context *, unsigned slot);
struct mmu_context *mmu_system_context(struct cpu *);

static inline unsigned mmu_slot(uint64_t linear)
{
    return (unsigned)(linear >> 12) & (TLB_ENTRIES - 1);
}

/* PKRU: two bits a key, access disable and write disable (SDM Vol 3A "Protection Keys"). */
static inline uint8_t mmu_key_denies(const struct cpu *cpu, uint32_t regime, unsigned key)
{
    unsigned bits = cpu->pkru >> 2 * key & 3;

    return bits & 1 ? PAGE_READ | PAGE_WRITE : bits & 2 && regime & (REGIME_USER | REGIME_WP) ? PAGE_WRITE : 0;
}

/* What may be done with a cached page under the PKRU of now. */
static inline uint8_t mmu_page_rights(const struct cpu *cpu, const struct mmu_context *c, const struct mmu_page *page)
{
    uint8_t denied = page->rights & PAGE_KEYED ? mmu_key_denies(cpu, c->key.regime, page->key) : 0;

    return page->rights & (uint8_t)~denied;
}

/* mmu.c: through the cache, else a walk. */
enum exec_result mmu_translate(struct cpu *, struct mmu_context *, uint64_t linear, enum access_kind,
                               uint64_t *spa);

#endif
