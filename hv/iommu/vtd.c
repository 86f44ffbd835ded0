/* Driver of the remapping unit (VT-d specification "DMA Remapping", "Interrupt
 * Remapping", "Queued Invalidation Interface", register descriptions). */
#include "hv/iommu/vtd.h"

#include "hv/arch/lp_arch.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"

/* Register offsets. */
enum { R_CAP = 0x08, R_ECAP = 0x10, R_GCMD = 0x18, R_GSTS = 0x1C, R_RTADDR = 0x20, R_FSTS = 0x34, R_FECTL = 0x38,
       R_IQT = 0x88, R_IQA = 0x90, R_IRTA = 0xB8 };
#define GCMD_TE (1u << 31)
#define GCMD_SRTP (1u << 30)
#define GCMD_QIE (1u << 26)
#define GCMD_IRE (1u << 25)
#define GCMD_SIRTP (1u << 24)
#define ECAP_QI (1u << 1)
#define ECAP_IR (1u << 3)
#define ECAP_EIM (1u << 4)
#define ECAP_PT (1u << 6)
#define CAP_SAGAW_4 (1u << 10)
#define CAP_2M (1ull << 34)
#define CAP_1G (1ull << 35)
#define IRTA_EIME (1u << 11)

enum { PAGE = 4096, QUEUE_ENTRIES = 256, TABLE_ENTRIES = 256, TABLE_SIZE_CODE = 7, CONTEXT_TABLES = 8, PATIENCE = 10000000 };
enum { TT_TABLES = 0, TT_PASS_THROUGH = 2, WIDTH_4_LEVELS = 2, DOMAIN_HV = HV_PARTITIONS_MAX + 1 };
/* Invalidation descriptors. */
enum { INV_CONTEXT = 1, INV_IOTLB = 2, INV_INTERRUPT = 4, INV_WAIT = 5, GRANULARITY_GLOBAL = 1 << 4,
       GRANULARITY_DOMAIN = 2 << 4, GRANULARITY_DEVICE = 3 << 4, WAIT_STATUS = 1 << 5 };

struct entry128 { uint64_t low, high; };

struct interrupt {
    bool used;
    uint16_t bdf;
    struct vp *vp;              /* or */
    void (*handler)(void *ctx); /* in the hypervisor */
    void *ctx;
    uint8_t vector;             /* of the VP */
};

struct vtd_unit {
    uint8_t *registers; /* NULL: none */
    unsigned page_shift;
    bool pass_through;
    struct entry128 *root, *queue, *table; /* root table, invalidation queue, interrupt table */
    struct entry128 *contexts[CONTEXT_TABLES];
    uint8_t context_bus[CONTEXT_TABLES];
    unsigned context_count;
    uint64_t hv_tables;         /* [spa] identity tables of the hypervisor's domain, without pass-through */
    uint32_t command;           /* what GCMD holds */
    unsigned tail;
    struct lock lock;           /* the queue */
    volatile uint32_t *status;  /* where a wait descriptor reports */
    uint32_t sequence;
    struct { uint16_t bdf; bool used; struct partition *owner; } function[VTD_FUNCTIONS_MAX];
    struct interrupt interrupt[VTD_INTERRUPTS_MAX];
};

static struct vtd_unit unit; /* hv/state.c's exception for one device: filled at boot */

static uint32_t read32(unsigned r) { return *(volatile uint32_t *)(unit.registers + r); }
static uint64_t read64(unsigned r) { return *(volatile uint64_t *)(unit.registers + r); }
static void write32(unsigned r, uint32_t v) { *(volatile uint32_t *)(unit.registers + r) = v; }
static void write64(unsigned r, uint64_t v) { *(volatile uint64_t *)(unit.registers + r) = v; }

bool vtd_present(void) { return unit.registers != NULL; }
unsigned vtd_page_shift_max(void)
{
    unsigned ept = vmx.has_1g_ept ? GPA_SHIFT_1G : GPA_SHIFT_2M;
    return unit.registers && unit.page_shift < ept ? unit.page_shift : ept;
}

/* Sets a command bit and waits for its status. One-shot commands are not remembered. */
static void command(uint32_t bit, bool remembered)
{
    write32(R_GCMD, unit.command | bit);
    for (unsigned i = 0; !(read32(R_GSTS) & bit); i++) {
        if (i == PATIENCE)
            hv_panic("the DMA remapping unit does not answer command %x", bit);
        arch_pause();
    }
    if (remembered)
        unit.command |= bit;
}

/* --- invalidation --------------------------------------------------------------------- */

static void queue(uint64_t low, uint64_t high)
{
    unit.queue[unit.tail] = (struct entry128){ low, high };
    unit.tail = (unit.tail + 1) % QUEUE_ENTRIES;
}

/* Hands over what was queued and waits until it is done. */
static void settle(void)
{
    uint32_t sequence = ++unit.sequence;
    queue(INV_WAIT | WAIT_STATUS | (uint64_t)sequence << 32, arch_pointer_spa((const void *)unit.status));
    arch_barrier();
    write64(R_IQT, (uint64_t)unit.tail << 4);
    for (unsigned i = 0; *unit.status != sequence; i++) {
        if (i == PATIENCE)
            hv_panic("the DMA remapping unit does not answer invalidations (fault status %x)", read32(R_FSTS));
        arch_pause();
    }
}

static uint64_t domain_of(const struct partition *owner) { return owner ? owner->index + 1u : DOMAIN_HV; }

void vtd_flush(struct partition *p)
{
    if (!unit.registers)
        return;
    lock_take(&unit.lock);
    queue(INV_IOTLB | GRANULARITY_DOMAIN | domain_of(p) << 16, 0);
    settle();
    lock_release(&unit.lock);
}

static void forget_function(uint16_t bdf, uint64_t domain)
{
    lock_take(&unit.lock);
    queue(INV_CONTEXT | GRANULARITY_DEVICE | domain << 16 | (uint64_t)bdf << 32, 0);
    queue(INV_IOTLB | GRANULARITY_DOMAIN | domain << 16, 0);
    settle();
    lock_release(&unit.lock);
}

static void forget_interrupt(unsigned index)
{
    lock_take(&unit.lock);
    queue(INV_INTERRUPT | 1u << 4 | (uint64_t)index << 32, 0);
    settle();
    lock_release(&unit.lock);
}

/* --- start ------------------------------------------------------------------------------ */

/* Identity tables for DMA of the hypervisor's own functions: 2 MiB pages. */
static void make_identity(void)
{
    enum { READ_WRITE = 3, LARGE = 1 << 7, GIB_SHIFT = 30, ENTRIES = 512 };
    uint64_t gibs = rt_align_up(hv.ram_end, 1ull << GIB_SHIFT) >> GIB_SHIFT;
    uint64_t *top = boot_alloc(PAGE, PAGE), *second = boot_alloc(PAGE, PAGE);
    top[0] = arch_pointer_spa(second) | READ_WRITE;
    for (uint64_t g = 0; g < gibs && g < ENTRIES; g++) {
        uint64_t *third = boot_alloc(PAGE, PAGE);
        second[g] = arch_pointer_spa(third) | READ_WRITE;
        for (uint64_t i = 0; i < ENTRIES; i++)
            third[i] = (g << GIB_SHIFT | i << GPA_SHIFT_2M) | READ_WRITE | LARGE;
    }
    unit.hv_tables = arch_pointer_spa(top);
}

static bool usable(uint64_t cap, uint64_t ecap)
{
    const char *missing = !(ecap & ECAP_QI) ? "queued invalidation"
        : !(ecap & ECAP_IR) || !(ecap & ECAP_EIM) ? "interrupt remapping for x2APIC"
        : !(cap & CAP_SAGAW_4) ? "4-level tables"
        : !(cap & CAP_2M) ? "2 MiB pages" : NULL;
    if (missing)
        hv_log("the DMA remapping unit lacks %s: not used, no device assignment", missing);
    return !missing;
}

void vtd_init(void)
{
    memset(&unit, 0, sizeof(unit));
    if (!hv.vtd_base) {
        hv_log("no DMA remapping unit: devices cannot be given to partitions");
        return;
    }
    unit.registers = arch_spa_pointer(hv.vtd_base);
    uint64_t cap = read64(R_CAP), ecap = read64(R_ECAP);
    if (!usable(cap, ecap)) {
        unit.registers = NULL;
        return;
    }
    unit.page_shift = cap & CAP_1G ? GPA_SHIFT_1G : GPA_SHIFT_2M;
    unit.pass_through = ecap & ECAP_PT;
    unit.root = boot_alloc(PAGE, PAGE);
    unit.queue = boot_alloc(QUEUE_ENTRIES * sizeof(struct entry128), PAGE);
    unit.table = boot_alloc(TABLE_ENTRIES * sizeof(struct entry128), PAGE);
    unit.status = boot_alloc(sizeof(uint32_t), 64);
    for (unsigned i = 0; i < CONTEXT_TABLES; i++)
        unit.contexts[i] = boot_alloc(PAGE, PAGE);
    if (!unit.pass_through)
        make_identity();
    write64(R_IQT, 0);
    write64(R_IQA, arch_pointer_spa(unit.queue));
    command(GCMD_QIE, true);
    write64(R_RTADDR, arch_pointer_spa(unit.root));
    command(GCMD_SRTP, false);
    write64(R_IRTA, arch_pointer_spa(unit.table) | IRTA_EIME | TABLE_SIZE_CODE);
    command(GCMD_SIRTP, false);
    queue(INV_CONTEXT | GRANULARITY_GLOBAL, 0);
    queue(INV_IOTLB | GRANULARITY_GLOBAL, 0);
    queue(INV_INTERRUPT, 0);
    settle();
    command(GCMD_TE, true);
    command(GCMD_IRE, true); /* compatibility-format messages stay blocked */
    hv_log("DMA and interrupt remapping on (unit at %lx)", (unsigned long)hv.vtd_base);
}

/* --- functions ------------------------------------------------------------------------------ */

static struct entry128 *context_entry(uint16_t bdf, bool make)
{
    uint8_t bus = (uint8_t)(bdf >> 8);
    unsigned i = 0;
    while (i < unit.context_count && unit.context_bus[i] != bus)
        i++;
    if (i == unit.context_count) {
        if (!make || i == CONTEXT_TABLES)
            return NULL;
        unit.context_bus[i] = bus;
        unit.context_count++;
        unit.root[bus] = (struct entry128){ arch_pointer_spa(unit.contexts[i]) | 1, 0 };
    }
    return &unit.contexts[i][bdf & 0xFF];
}

static int find_function(uint16_t bdf)
{
    for (int i = 0; i < VTD_FUNCTIONS_MAX; i++)
        if (unit.function[i].used && unit.function[i].bdf == bdf)
            return i;
    return -1;
}

struct partition *vtd_owner(uint16_t bdf, bool *attached)
{
    int i = find_function(bdf);
    *attached = i >= 0;
    return i >= 0 ? unit.function[i].owner : NULL;
}

static struct entry128 context_for(const struct partition *owner)
{
    uint64_t high = WIDTH_4_LEVELS | domain_of(owner) << 8;
    if (owner)
        return (struct entry128){ owner->gpa.root | TT_TABLES << 2 | 1, high };
    if (unit.pass_through)
        return (struct entry128){ TT_PASS_THROUGH << 2 | 1, high };
    return (struct entry128){ unit.hv_tables | TT_TABLES << 2 | 1, high };
}

enum hv_status vtd_attach(struct partition *owner, uint16_t bdf)
{
    if (!unit.registers)
        return HV_STATUS_INVALID_DEVICE_ID;
    int i = find_function(bdf);
    if (i >= 0)
        vtd_detach(bdf);
    for (i = 0; i < VTD_FUNCTIONS_MAX && unit.function[i].used; i++) {
    }
    struct entry128 *entry = context_entry(bdf, true);
    if (i == VTD_FUNCTIONS_MAX || !entry)
        return HV_STATUS_NO_RESOURCES;
    unit.function[i].bdf = bdf;
    unit.function[i].owner = owner;
    unit.function[i].used = true;
    struct entry128 value = context_for(owner);
    entry->high = value.high;
    __atomic_store_n(&entry->low, value.low, __ATOMIC_RELEASE);
    if (owner)
        owner->gpa.has_devices = true;
    forget_function(bdf, domain_of(owner));
    return HV_STATUS_SUCCESS;
}

enum hv_status vtd_detach(uint16_t bdf)
{
    int i = find_function(bdf);
    if (i < 0)
        return HV_STATUS_INVALID_DEVICE_ID;
    for (unsigned n = 0; n < VTD_INTERRUPTS_MAX; n++) {
        if (unit.interrupt[n].used && unit.interrupt[n].bdf == bdf) {
            unit.table[n].low = 0;
            unit.interrupt[n].used = false;
            forget_interrupt(n);
        }
    }
    context_entry(bdf, true)->low = 0;
    forget_function(bdf, domain_of(unit.function[i].owner));
    unit.function[i].used = false;
    return HV_STATUS_SUCCESS;
}

void vtd_detach_all(struct partition *p)
{
    for (unsigned i = 0; i < VTD_FUNCTIONS_MAX; i++)
        if (unit.function[i].used && unit.function[i].owner == p)
            vtd_detach(unit.function[i].bdf);
}

/* --- interrupts ------------------------------------------------------------------------------- */

enum { MSI_ADDRESS = (int)0xFEE00010, MSI_HANDLE_SHIFT = 5, MSI_HANDLE_MASK = 0x7FFF };

enum hv_status vtd_map_interrupt(uint16_t bdf, struct vp *vp, unsigned vector, void (*handler)(void *), void *ctx,
                                 uint64_t *msi)
{
    enum { PRESENT = 1, VERIFY_SID = 1 << 18 };
    if (!unit.registers)
        return HV_STATUS_INVALID_DEVICE_ID;
    unsigned n = 0;
    while (n < VTD_INTERRUPTS_MAX && unit.interrupt[n].used)
        n++;
    if (n == VTD_INTERRUPTS_MAX)
        return HV_STATUS_NO_RESOURCES;
    struct lp *lp = vp ? vp->lp : lp_self();
    unit.interrupt[n] = (struct interrupt){ true, bdf, vp, handler, ctx, (uint8_t)vector };
    unit.table[n].high = bdf | VERIFY_SID;
    __atomic_store_n(&unit.table[n].low, PRESENT | (uint64_t)(VTD_VECTOR_FIRST + n) << 16 | (uint64_t)lp->apic_id << 32,
                     __ATOMIC_RELEASE);
    forget_interrupt(n);
    *msi = (uint32_t)MSI_ADDRESS | n << MSI_HANDLE_SHIFT; /* data, in 63:32, is 0: no sub-handle */
    return HV_STATUS_SUCCESS;
}

enum hv_status vtd_unmap_interrupt(uint16_t bdf, uint64_t msi)
{
    unsigned n = (unsigned)msi >> MSI_HANDLE_SHIFT & MSI_HANDLE_MASK;
    if (n >= VTD_INTERRUPTS_MAX || !unit.interrupt[n].used || unit.interrupt[n].bdf != bdf)
        return HV_STATUS_INVALID_PARAMETER;
    unit.table[n].low = 0;
    forget_interrupt(n);
    unit.interrupt[n].used = false;
    return HV_STATUS_SUCCESS;
}

bool vtd_interrupt(unsigned vector)
{
    unsigned n = vector - VTD_VECTOR_FIRST;
    if (n >= VTD_INTERRUPTS_MAX || !unit.interrupt[n].used)
        return false;
    struct interrupt *i = &unit.interrupt[n];
    if (i->vp)
        vapic_raise(i->vp, i->vector);
    else
        i->handler(i->ctx);
    return true;
}
