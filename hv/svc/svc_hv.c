/* Service runtime for locus hv (vsp/runtime/svc.h): services inside the
 * hypervisor, run to completion under hv.service_lock on whatever LP an event
 * arrives: a hypercall of a child, a device's interrupt, a timer.
 *
 * The window's page tables are shared by all LPs.  A page that is taken away is
 * invalidated here at once and on another LP when it next enters a service. */
#include "hv/svc/svc_hv.h"

#include "hv/iommu/vtd.h"
#include "hv/partition/partition.h"
#include "hv/svc/svc_common.h"
#include "hv/vp/vp.h"

#define WINDOW_BASE 0x8000000000ull /* entry 1 of the top table */
enum { PAGE = 4096, TABLE_ENTRIES = 512, PRESENT_WRITE = 3, VF_BARS = (int)0xD0000000, VF_STEP = 0x100000 };
enum { LAB_HV = LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_HV };
enum { CONNECTION_LEGACY = 1, CONNECTION_VERSION_5 = 4, INTERRUPTS = 64, MAP_BATCH = 4096 };

extern uint64_t boot_pml4[TABLE_ENTRIES];

static struct {
    uint64_t *window_entries;
    uint64_t window_changes;
    struct hv_timer timer;
    void (*message)(unsigned child, uint32_t connection, const void *payload, uint32_t size);
    struct partition *child[SVC_CHILDREN_MAX];
    struct boot_device device[SVC_CHILDREN_MAX][BOOT_DEVICES_MAX]; /* functions that a child has */
    struct hv_notify_partition_output *output; /* of the child that is being created */
    struct { void (*run)(void *ctx); void *ctx; } interrupt[INTERRUPTS];
    unsigned interrupt_count;
    uint64_t map[MAP_BATCH];
} svc;

static struct lab_report report __attribute__((aligned(4096)));

bool svc_hv_present(void) { return true; }

/* --- in and out ------------------------------------------------------------------------ */

static void enter(void)
{
    struct lp *lp = lp_self();
    lock_take(&hv.service_lock);
    if (lp->window_seen != svc.window_changes) {
        arch_flush_tlb();
        lp->window_seen = svc.window_changes;
    }
}

static void leave(void)
{
    svc_common_run();
    lp_self()->window_seen = svc.window_changes; /* our own changes were invalidated one by one */
    lock_release(&hv.service_lock);
}

/* --- locus_* ---------------------------------------------------------------------------- */

void *locus_alloc(size_t size, size_t align) { return boot_alloc(size, align); }
const struct rt_config *locus_config(void) { return &hv.config; }
void locus_log(const char *text) { hv_log("%s", text); }
_Noreturn void locus_panic(const char *text) { hv_panic("%s", text); }
uint64_t locus_ecam_base(void) { return hv.ecam_base; }
uint64_t locus_dma_address(const void *p) { return arch_pointer_spa(p); }

void locus_window_map(uint64_t linear, uint64_t spa)
{
    svc.window_entries[(linear - WINDOW_BASE) / PAGE] = spa ? spa | PRESENT_WRITE : 0;
    arch_invalidate_page(linear);
    if (!spa)
        svc.window_changes++;
}

uint64_t locus_window_spa(uint64_t linear)
{
    return svc.window_entries[(linear - WINDOW_BASE) / PAGE] & ~(uint64_t)PRESENT_WRITE;
}

static void timer_fired(void *ctx)
{
    (void)ctx;
    enter();
    svc_common_timer();
    leave();
}

void locus_timer_set(uint64_t due)
{
    if (due == UINT64_MAX)
        timer_cancel(&svc.timer);
    else
        timer_arm(&svc.timer, hv_reference_to_tsc(due));
}

/* --- time and devices --------------------------------------------------------------------- */

uint64_t svc_now(void) { return hv_tsc_to_reference(arch_tsc()); }

volatile uint32_t *svc_mmio_map(uint64_t spa, uint64_t size)
{
    (void)size; /* all of it is mapped one to one */
    return arch_spa_pointer(spa);
}

static void interrupt_fired(void *ctx)
{
    unsigned n = (unsigned)(uintptr_t)ctx;
    enter();
    svc.interrupt[n].run(svc.interrupt[n].ctx);
    leave();
}

bool svc_interrupt_bind(uint16_t bdf, unsigned entry, void (*handler)(void *ctx), void *ctx)
{
    unsigned n = svc.interrupt_count;
    uint64_t msi;
    if (n == INTERRUPTS)
        return false;
    svc.interrupt[n].run = handler;
    svc.interrupt[n].ctx = ctx;
    lock_take(&hv.partitions_lock);
    enum hv_status status = vtd_map_interrupt(bdf, NULL, 0, interrupt_fired, (void *)(uintptr_t)n, &msi);
    lock_release(&hv.partitions_lock);
    if (status) {
        hv_log("interrupt of function %04x cannot be routed, status %x", bdf, status);
        return false;
    }
    svc.interrupt_count++;
    return svc_common_msix(bdf, entry, msi);
}

/* --- children's memory ----------------------------------------------------------------------- */

static struct partition *partition_of(unsigned child)
{
    RT_ASSERT(child < SVC_CHILDREN_MAX && svc.child[child]);
    return svc.child[child];
}

void *svc_map(unsigned child, const uint64_t *gpfn, unsigned count)
{
    struct partition *p = partition_of(child);
    bool ok = count > 0 && count <= MAP_BATCH;
    lock_take(&p->lock);
    for (unsigned i = 0; ok && i < count; i++) {
        struct gpa_mapping m;
        ok = gpfn[i] < 1ull << 36 && gpa_lookup(p, gpfn[i] * PAGE, &m) && m.access & GPA_WRITE
            && !(m.access & GPA_UNCACHED);
        svc.map[i] = ok ? m.spa : 0;
    }
    lock_release(&p->lock);
    return ok ? svc_common_map(svc.map, count, arch_spa_pointer(svc.map[0])) : NULL;
}

/* --- to and from children ------------------------------------------------------------------------ */

static struct vp *vp_of(unsigned child, uint32_t vp)
{
    return partition_vp(partition_of(child), NULL, vp);
}

void svc_child_signal(unsigned child, uint32_t vp, uint32_t flag)
{
    struct vp *target = vp_of(child, vp);
    bool newly;
    if (target && flag < HV_EVENT_FLAGS_PER_SINT)
        synic_signal(target, SVC_SINT_VMBUS, flag, &newly);
}

bool svc_child_post(unsigned child, uint32_t vp, const void *payload, uint32_t size)
{
    struct vp *target = vp_of(child, vp);
    struct hv_message message = { .type = HV_MESSAGE_VMBUS, .payload_size = (uint8_t)size };
    RT_ASSERT(size <= HV_MESSAGE_PAYLOAD);
    memcpy(message.payload, payload, size);
    return target && synic_post(target, SVC_SINT_VMBUS, &message) == HV_STATUS_SUCCESS;
}

void svc_on_child_message(void (*handler)(unsigned, uint32_t, const void *, uint32_t)) { svc.message = handler; }

void svc_bind_signal(unsigned child, uint32_t connection, void (*handler)(void *ctx), void *ctx)
{
    struct partition *p = partition_of(child);
    lock_take(&p->lock);
    bool ok = ipc_bind_service(p, connection, handler, ctx);
    lock_release(&p->lock);
    if (!ok)
        hv_panic("child %u: signal connection %x cannot be made", child, connection);
}

void svc_unbind_signal(unsigned child, uint32_t connection)
{
    struct partition *p = partition_of(child);
    lock_take(&p->lock);
    ipc_disconnect(p, connection);
    lock_release(&p->lock);
}

bool svc_hv_takes_message(const struct partition *p, uint32_t connection)
{
    return p->child_number < SVC_CHILDREN_MAX && svc.child[p->child_number] == p && svc.message
        && (connection == CONNECTION_LEGACY || connection == CONNECTION_VERSION_5);
}

enum hv_status svc_hv_message(struct partition *p, uint32_t connection, uint32_t type, const void *payload, uint32_t size)
{
    if (type != HV_MESSAGE_VMBUS)
        return HV_STATUS_INVALID_PARAMETER;
    enter();
    svc.message(p->child_number, connection, payload, size);
    leave();
    return HV_STATUS_SUCCESS;
}

/* Bound and unbound under the service lock: what is found inside it stays. */
enum hv_status svc_hv_signal(struct partition *p, uint32_t connection)
{
    void (*handler)(void *ctx);
    void *ctx;
    enter();
    bool found = ipc_find_service(p, connection, &handler, &ctx);
    if (found)
        handler(ctx);
    leave();
    return found ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_CONNECTION_ID;
}

/* --- virtual functions ----------------------------------------------------------------------------- */

static bool map_bar(struct partition *p, uint64_t gpa, uint64_t spa, uint64_t size)
{
    lock_take(&p->lock);
    enum hv_status status = gpa_map_range(p, gpa, spa, size, GPA_READ | GPA_WRITE | GPA_UNCACHED);
    lock_release(&p->lock);
    return status == HV_STATUS_SUCCESS;
}

bool svc_vf_assign(unsigned child, const struct svc_vf *vf)
{
    struct partition *p = partition_of(child);
    RT_ASSERT(svc.output); /* only while the child is created */
    if (svc.output->device_count == BOOT_DEVICES_MAX)
        return false;
    lock_take(&hv.partitions_lock);
    enum hv_status status = vtd_attach(p, vf->bdf);
    lock_release(&hv.partitions_lock);
    if (status) {
        hv_log("child %u: function %04x cannot be attached, status %x", child, vf->bdf, status);
        return false;
    }
    struct boot_device *device = &svc.output->device[svc.output->device_count];
    for (unsigned i = 0; i < 2; i++) {
        uint64_t gpa = (uint32_t)VF_BARS + (svc.output->device_count * 2 + i) * VF_STEP;
        uint64_t size = rt_align_up(vf->bar_size[i], PAGE);
        if (size > VF_STEP || !map_bar(p, gpa, vf->bar_spa[i], size))
            return false;
        device->bar_gpa[i] = gpa;
        device->bar_size[i] = vf->bar_size[i];
    }
    device->device_id = vf->bdf;
    svc.device[child][svc.output->device_count++] = *device;
    return true;
}

static void unmap_bar(struct partition *p, uint64_t gpa, uint64_t size)
{
    lock_take(&p->lock);
    for (uint64_t at = 0; at < size; at += PAGE)
        gpa_unmap(p, gpa + at, GPA_SHIFT_4K);
    gpa_flush(p);
    lock_release(&p->lock);
}

/* First its registers disappear from the child, then its DMA stops. */
void svc_vf_revoke(unsigned child, uint16_t bdf)
{
    for (unsigned i = 0; i < BOOT_DEVICES_MAX; i++) {
        struct boot_device *device = &svc.device[child][i];
        if (!device->bar_size[0] || device->device_id != bdf)
            continue;
        for (unsigned bar = 0; bar < 2; bar++)
            unmap_bar(partition_of(child), device->bar_gpa[bar], device->bar_size[bar]);
        device->bar_size[0] = 0;
    }
    lock_take(&hv.partitions_lock);
    vtd_detach(bdf);
    lock_release(&hv.partitions_lock);
}

/* --- life ------------------------------------------------------------------------------------------ */

enum hv_status svc_hv_child_created(struct partition *p, uint64_t child, struct hv_notify_partition_output *output)
{
    if (child >= SVC_CHILDREN_MAX || svc.child[child])
        return HV_STATUS_INVALID_PARAMETER;
    enter();
    svc.child[child] = p;
    p->child_number = (uint32_t)child;
    svc.output = output;
    for (unsigned i = 0; svc_placed[i]; i++)
        if (svc_placed[i]->child_created)
            svc_placed[i]->child_created((unsigned)child);
    svc_common_run();
    svc.output = NULL;
    leave();
    return HV_STATUS_SUCCESS;
}

void svc_hv_child_deleted(struct partition *p)
{
    unsigned child = p->child_number;
    enter();
    for (unsigned i = 0; svc_placed[i]; i++)
        if (svc_placed[i]->child_deleted)
            svc_placed[i]->child_deleted(child);
    svc_common_run();
    svc.child[child] = NULL;
    leave();
}

static void make_window(void)
{
    unsigned tables = SVC_WINDOW_PAGES / TABLE_ENTRIES;
    uint64_t *second = boot_alloc(PAGE, PAGE), *third = boot_alloc(PAGE, PAGE);
    svc.window_entries = boot_alloc((size_t)tables * PAGE, PAGE);
    boot_pml4[1] = arch_pointer_spa(second) | PRESENT_WRITE;
    second[0] = arch_pointer_spa(third) | PRESENT_WRITE;
    for (unsigned i = 0; i < tables; i++)
        third[i] = arch_pointer_spa(svc.window_entries + i * TABLE_ENTRIES) | PRESENT_WRITE;
}

static void announce_report(void)
{
    report.magic = LAB_REPORT_MAGIC;
    if (!hv.lab_present)
        return;
    arch_out32(LAB_HV + LAB_REG_REPORT_LOW, (uint32_t)(uint64_t)&report);
    arch_out32(LAB_HV + LAB_REG_REPORT_HIGH, (uint32_t)((uint64_t)&report >> 32));
}

void svc_hv_init(void)
{
    uint64_t nic = rt_config_number(&hv.config, "nic.bdf", UINT64_MAX);
    svc.timer = (struct hv_timer){ .fire = timer_fired };
    make_window();
    announce_report();
    svc_common_init(WINDOW_BASE, SVC_WINDOW_PAGES, &report);
    if (nic <= UINT16_MAX && vtd_present() && vtd_attach(NULL, (uint16_t)nic))
        hv_panic("nic.bdf=%lx: the card cannot be attached", (unsigned long)nic);
    enter();
    for (unsigned i = 0; svc_placed[i]; i++)
        svc_placed[i]->init();
    leave();
}
