/* What the hypervisor knows about the machine and itself; its few services to
 * all parts: logging, stopping, time.
 *
 * There is one `struct hv` per machine (hv/state.c).  It is filled at boot by
 * one processor and constant afterwards, except where a member says who may
 * change it and under which lock.
 *
 * Locks, outermost first; none is ever held while a guest runs:
 *   hv.service_lock    services linked into the hypervisor (hv/svc)
 *   hv.partitions_lock creation and deletion of partitions, VPs, device assignment
 *   partition.lock     GPA space, ports, connections, intercepts
 *   vp.lock            SynIC queues and synthetic timers of one VP
 *   lp.timer_lock      timers of one logical processor
 *   hv.sched_lock      VP run states and run queues
 *   hv.log_lock
 */
#ifndef HV_HV_H
#define HV_HV_H

#include "hv/arch/arch.h"
#include "hv/rt/rt.h"
#include "spec/hv/boot.h"

enum {
    HV_LPS_MAX = 64,
    HV_PARTITIONS_MAX = 17, /* the root and 16 children */
    HV_VPS_PER_PARTITION = 16,
    HV_VPS_MAX = 64,
    HV_MODULES_MAX = BOOT_MODULES_MAX,
    HV_RANGES_MAX = 32,
};

struct partition;
struct vp;
struct lp;

struct hv_range { uint64_t base, size; }; /* [spa, bytes] */
struct hv_module { uint64_t spa, size; char name[64]; };

struct page_pool { struct lock lock; uint64_t first; uint64_t count; uint64_t taken; };

struct hv {
    /* the machine */
    struct lp *lp[HV_LPS_MAX];
    unsigned lp_count;
    struct hv_range ram[HV_RANGES_MAX]; /* usable RAM of the boot loader's map, sorted */
    unsigned ram_count;
    uint64_t ram_end;                   /* one past the last byte of RAM */
    uint64_t acpi_rsdp;
    uint64_t ecam_base;                 /* of segment 0, bus 0; 0 = none */
    uint64_t vtd_base;                  /* first DMA remapping unit; 0 = none */
    unsigned physical_bits;
    uint64_t tsc_hz;
    uint64_t time_scale;                /* reference time = tsc * scale >> 64 [100 ns] */
    uint64_t apic_timer_hz;             /* what guests' local APIC timers count */
    bool lab_present;

    /* modules */
    struct hv_module module[HV_MODULES_MAX];
    unsigned module_count;
    struct rt_config config;

    /* memory of the hypervisor */
    struct page_pool pool;
    uint64_t boot_next, boot_end; /* what the boot allocator has left [spa] */
    uint64_t hypercall_page;      /* [spa] VMCALL; RET */

    /* partitions */
    struct lock partitions_lock;
    struct partition *root;
    struct partition *partition[HV_PARTITIONS_MAX]; /* NULL = free; index 0 is the root */
    struct partition *partition_store;              /* HV_PARTITIONS_MAX of them */
    struct vp *vp_store;                            /* HV_VPS_MAX of them */
    uint64_t vp_store_used;                         /* bit map */

    struct lock service_lock;
    struct lock sched_lock;
    struct lock log_lock;
};

extern struct hv hv; /* hv/state.c */

void hv_log_init(void); /* sets up the serial port */
void hv_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints, reports failure to the laboratory and stops the machine (isa-debug-exit, then halt). */
_Noreturn void hv_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Reference time since the TSC's zero [100 ns], and back [TSC ticks]. Values too far away saturate. */
uint64_t hv_tsc_to_reference(uint64_t tsc);
uint64_t hv_reference_to_tsc(uint64_t reference);

/* Page pools: 4 KiB pages, zeroed when taken; 0 when empty. */
uint64_t page_pool_take(struct page_pool *);
void page_pool_put(struct page_pool *, uint64_t spa);

/* Boot only: zeroed, page- or finer-aligned memory of the hypervisor; stops the boot when exhausted. */
void *boot_alloc(size_t size, size_t align);

static inline void *hv_zero_page(uint64_t spa) { return memset(arch_spa_pointer(spa), 0, 4096); }

#endif
