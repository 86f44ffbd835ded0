/* Inside of the VT-d unit: registers and caches shared by its four files.
 *
 *   vtd.c            registers, faults, events      vtd_walk.c       DMA translation
 *   vtd_interrupt.c  interrupt remapping            vtd_invalidate.c invalidation
 */
#ifndef SIM_PLATFORM_VTD_PRIV_H
#define SIM_PLATFORM_VTD_PRIV_H

#include "sim/platform/vtd.h"
#include "spec/platform/vtd.h"

enum {
    VTD_REGISTER_BYTES = 0x300,
    VTD_IRO = 0x100,           /* IVA and IOTLB registers */
    VTD_FRO = 0x200,           /* fault recording registers */
    VTD_FAULT_RECORDS = 8,
    VTD_HOST_BITS = 46,        /* physical address width; as the processors' */
    VTD_GUEST_BITS = 48,       /* MGAW */
    VTD_CONTEXTS = 256, VTD_IOTLB_SETS = 64, VTD_IOTLB_WAYS = 8, VTD_IEC_ENTRIES = 256,
};

/* A context entry that passed its checks. */
struct vtd_context {
    uint64_t table;      /* second-level root [spa] */
    uint16_t source_id;
    uint16_t domain;
    uint8_t levels;      /* 3 or 4; 0: pass-through */
    bool valid;
    bool quiet;          /* FPD: faults of this device are not recorded */
    uint8_t pad;         /* zero */
};

struct vtd_iotlb_entry {
    uint64_t page;       /* address >> shift */
    uint64_t spa;        /* of the page's first byte */
    uint16_t domain;
    uint8_t shift;       /* 12, 21, 30; 0: empty */
    uint8_t rights;      /* VTD_PTE_R | VTD_PTE_W */
    uint32_t pad;        /* zero */
};

struct vtd_irte {
    uint64_t low, high;
    uint32_t index;
    uint32_t valid;
};

struct vtd {
    struct machine *machine;
    uint32_t reg[VTD_REGISTER_BYTES / 4];
    uint64_t root;       /* latched by SRTP [spa] */
    uint64_t irta;       /* latched by SIRTP, flags included */
    uint32_t next_fault; /* fault recording register to use next */
    struct vtd_context context[VTD_CONTEXTS];   /* by source id bits 7:0 */
    struct vtd_iotlb_entry iotlb[VTD_IOTLB_SETS][VTD_IOTLB_WAYS];
    uint8_t iotlb_next[VTD_IOTLB_SETS];         /* way to replace: round robin */
    struct vtd_irte irte[VTD_IEC_ENTRIES];      /* by index modulo the size */
    uint64_t misses;
};

static inline uint32_t
vtd_get(const struct vtd *v, unsigned offset)
{
    return v->reg[offset / 4];
}

static inline uint64_t
vtd_get64(const struct vtd *v, unsigned offset)
{
    return (uint64_t)v->reg[offset / 4 + 1] << 32 | v->reg[offset / 4];
}

static inline void
vtd_set64(struct vtd *v, unsigned offset, uint64_t value)
{
    v->reg[offset / 4] = (uint32_t)value;
    v->reg[offset / 4 + 1] = (uint32_t)(value >> 32);
}

/* Records a blocked request. 'info': page address, or interrupt index << 48. */
void vtd_fault(struct vtd *, uint16_t source_id, unsigned reason, uint64_t info, bool read);
/* FSTS or ICS has a new reason to interrupt: sends the event or marks it pending. */
void vtd_event(struct vtd *, unsigned control_offset);

/* Invalidation of caches; granularities are VTD_GRANULE_*. */
void vtd_context_invalidate(struct vtd *, unsigned granule, uint16_t domain, uint16_t source_id,
                            unsigned function_mask);
void vtd_iotlb_invalidate(struct vtd *, unsigned granule, uint16_t domain, uint64_t address,
                          unsigned address_mask);
void vtd_irte_invalidate(struct vtd *, bool all, uint32_t index, unsigned index_mask);

/* Works through the invalidation queue. */
void vtd_queue_run(struct vtd *);

#endif
