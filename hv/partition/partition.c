/* Partitions: life cycle, properties, what its VPs share. */
#include "hv/partition/partition.h"

#include "hv/iommu/vtd.h"
#include "hv/vp/vp.h"

enum { WEIGHT_DEFAULT = 100, WEIGHT_MAX = 10000, ID_GENERATION_SHIFT = 16 };

#define PRIVILEGES_ANY                                                                                       \
    (HV_PRIVILEGE_ACCESS_VP_RUNTIME_MSR | HV_PRIVILEGE_ACCESS_PARTITION_REFERENCE_COUNTER |                  \
     HV_PRIVILEGE_ACCESS_SYNIC_REGS | HV_PRIVILEGE_ACCESS_SYNTHETIC_TIMER_REGS |                             \
     HV_PRIVILEGE_ACCESS_INTR_CTRL_REGS | HV_PRIVILEGE_ACCESS_HYPERCALL_MSRS | HV_PRIVILEGE_ACCESS_VP_INDEX | \
     HV_PRIVILEGE_ACCESS_PARTITION_REFERENCE_TSC | HV_PRIVILEGE_ACCESS_GUEST_IDLE_MSR |                      \
     HV_PRIVILEGE_ACCESS_FREQUENCY_MSRS | HV_PRIVILEGE_ACCESS_TSC_INVARIANT_CONTROLS |                       \
     HV_PRIVILEGE_POST_MESSAGES | HV_PRIVILEGE_SIGNAL_EVENTS | HV_PRIVILEGE_START_VIRTUAL_PROCESSOR)
#define PRIVILEGES_ROOT                                                                                \
    (PRIVILEGES_ANY | HV_PRIVILEGE_CREATE_PARTITIONS | HV_PRIVILEGE_ACCESS_PARTITION_ID |              \
     HV_PRIVILEGE_ACCESS_MEMORY_POOL | HV_PRIVILEGE_CREATE_PORT | HV_PRIVILEGE_CONNECT_PORT |          \
     HV_PRIVILEGE_CPU_MANAGEMENT | HV_PRIVILEGE_ACCESS_VP_REGISTERS)

static void init_common(struct partition *p, unsigned index)
{
    uint32_t generation = p->generation + 1;
    *p = (struct partition){ .index = index, .generation = generation };
    p->id = (uint64_t)generation << ID_GENERATION_SHIFT | (index + 1);
    p->tsc_start = arch_tsc();
    p->weight = WEIGHT_DEFAULT;
    p->lab_channel = PARTITION_NO_CHANNEL;
    p->child_number = PARTITION_NO_CHANNEL;
    hv.partition[index] = p;
}

void partition_init_root(struct partition *p)
{
    init_common(p, 0);
    p->state = PARTITION_ACTIVE;
    p->privileges = PRIVILEGES_ROOT;
    p->parent = NULL;
    hv.root = p;
}

struct partition *partition_find(struct partition *caller, uint64_t id)
{
    if (id == HV_PARTITION_SELF)
        return caller;
    unsigned index = (unsigned)(id & 0xFFFF) - 1;
    if (index >= HV_PARTITIONS_MAX || !hv.partition[index] || hv.partition[index]->id != id)
        return NULL;
    struct partition *p = hv.partition[index];
    return p == caller || p->parent == caller ? p : NULL;
}

struct partition *partition_find_child(struct partition *caller, uint64_t id)
{
    struct partition *p = partition_find(caller, id);
    return p && p->parent == caller ? p : NULL;
}

enum hv_status partition_find_active_child(struct partition *caller, uint64_t id, struct partition **p)
{
    *p = partition_find_child(caller, id);
    return !*p ? HV_STATUS_INVALID_PARTITION_ID : (*p)->state != PARTITION_ACTIVE ? HV_STATUS_INVALID_PARTITION_STATE : HV_STATUS_SUCCESS;
}

struct vp *partition_vp(struct partition *p, struct vp *caller, uint32_t index)
{
    if (index == HV_VP_SELF)
        return caller && caller->partition == p ? caller : NULL;
    return index < HV_VPS_PER_PARTITION ? p->vp[index] : NULL;
}

enum hv_status partition_create(struct partition *parent, uint64_t *id)
{
    for (unsigned i = 1; i < HV_PARTITIONS_MAX; i++) {
        if (hv.partition[i])
            continue;
        struct partition *p = &hv.partition_store[i];
        init_common(p, i);
        p->parent = parent;
        p->privileges = PRIVILEGES_ANY;
        p->state = PARTITION_CREATED;
        *id = p->id;
        return HV_STATUS_SUCCESS;
    }
    return HV_STATUS_NO_RESOURCES;
}

/* Pages a partition needs before it can be active: top table, I/O and MSR bitmaps. */
enum { INITIAL_PAGES = 4 };

enum hv_status partition_initialize(struct partition *p)
{
    if (p->state != PARTITION_CREATED)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (p->pool.count < INITIAL_PAGES)
        return HV_STATUS_INSUFFICIENT_MEMORY;
    if (!gpa_create(p) || !intercepts_create(p))
        return HV_STATUS_INSUFFICIENT_MEMORY;
    p->state = PARTITION_ACTIVE;
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_finalize(struct partition *p)
{
    if (p->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    p->state = PARTITION_FINALIZED;
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++)
        if (p->vp[i])
            sched_suspend(p->vp[i], SUSPEND_PARTITION);
    vtd_detach_all(p);
    ipc_disconnect_all(p);
    return HV_STATUS_SUCCESS;
}

void partition_wait_stopped(struct partition *p)
{
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++)
        if (p->vp[i])
            sched_wait_stopped(p->vp[i]);
}

enum hv_status partition_delete(struct partition *p)
{
    if (p->state == PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++)
        if (p->vp[i])
            vp_delete(p->vp[i]);
    if (p->gpa.root) {
        gpa_flush(p);
        gpa_destroy(p);
    }
    intercepts_destroy(p);
    if (p->pool.count) /* the parent must withdraw what it deposited first */
        return HV_STATUS_OBJECT_IN_USE;
    hv.partition[p->index] = NULL;
    p->state = PARTITION_FREE;
    return HV_STATUS_SUCCESS;
}

/* A difference of scaled values, exactly what a guest computes from the reference TSC page. */
uint64_t partition_reference_time(const struct partition *p)
{
    return hv_tsc_to_reference(arch_tsc()) - hv_tsc_to_reference(p->tsc_start);
}

enum hv_status partition_property_get(struct partition *p, uint32_t code, uint64_t *value)
{
    switch (code) {
    case HV_PROPERTY_PRIVILEGE_FLAGS: *value = p->privileges; break;
    case HV_PROPERTY_SUSPEND: *value = p->suspended; break;
    case HV_PROPERTY_CPU_WEIGHT: *value = p->weight; break;
    case HV_PROPERTY_REFERENCE_TIME: *value = partition_reference_time(p); break;
    case HV_PROPERTY_UNIMPLEMENTED_MSR: *value = p->ignore_unknown_msrs; break;
    case HV_PROPERTY_GUEST_OS_ID: *value = p->guest_os_id; break;
    case HV_PROPERTY_LAB_CHANNEL: *value = p->lab_channel; break;
    case HV_PROPERTY_LP_MASK: *value = p->lp_mask; break;
    default: return HV_STATUS_UNKNOWN_PROPERTY;
    }
    return HV_STATUS_SUCCESS;
}

static enum hv_status set_suspended(struct partition *p, uint64_t value)
{
    if (value > 1)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    p->suspended = value;
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++) {
        if (p->vp[i] && value)
            sched_suspend(p->vp[i], SUSPEND_PARTITION);
        else if (p->vp[i])
            sched_resume(p->vp[i], SUSPEND_PARTITION);
    }
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_property_set(struct partition *p, uint32_t code, uint64_t value)
{
    switch (code) {
    case HV_PROPERTY_PRIVILEGE_FLAGS:
        if (p->state != PARTITION_CREATED)
            return HV_STATUS_INVALID_PARTITION_STATE;
        if (value & ~PRIVILEGES_ANY)
            return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
        p->privileges = value;
        return HV_STATUS_SUCCESS;
    case HV_PROPERTY_SUSPEND:
        return set_suspended(p, value);
    case HV_PROPERTY_CPU_WEIGHT:
        if (value == 0 || value > WEIGHT_MAX)
            return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
        p->weight = (uint32_t)value;
        return HV_STATUS_SUCCESS;
    case HV_PROPERTY_UNIMPLEMENTED_MSR:
        if (value > 1)
            return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
        p->ignore_unknown_msrs = value;
        return HV_STATUS_SUCCESS;
    case HV_PROPERTY_LAB_CHANNEL:
        return intercepts_set_lab_channel(p, value) ? HV_STATUS_SUCCESS : HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    case HV_PROPERTY_LP_MASK:
        if (hv.lp_count < 64 && value >> hv.lp_count)
            return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
        p->lp_mask = value;
        return HV_STATUS_SUCCESS;
    default:
        return HV_STATUS_UNKNOWN_PROPERTY;
    }
}

/* --- MSRs of the partition -------------------------------------------------------- */

/* scale and offset such that time = high64(tsc * scale) + offset is the
 * partition's reference time; its VPs see the TSC unchanged. */
void partition_reference_page_update(struct partition *p)
{
    if (!(p->reference_tsc_msr & HV_PAGE_MSR_ENABLE))
        return;
    struct hv_reference_tsc_page *page = gpa_pointer(p, p->reference_tsc_msr & HV_PAGE_MSR_GPA, true);
    if (!page)
        return;
    page->sequence = 0;
    arch_barrier();
    page->scale = hv.time_scale;
    page->offset = -(int64_t)hv_tsc_to_reference(p->tsc_start);
    arch_barrier();
    if (++p->tsc_sequence == 0)
        p->tsc_sequence = 1;
    page->sequence = p->tsc_sequence;
}

static bool hypercall_msr_write(struct partition *p, uint64_t value)
{
    if (p->hypercall_msr & HV_HYPERCALL_MSR_LOCKED)
        return true; /* ignored until reset */
    if (!p->guest_os_id)
        value &= ~HV_PAGE_MSR_ENABLE;
    if (p->hypercall_msr & HV_PAGE_MSR_ENABLE)
        gpa_overlay_clear(p, p->hypercall_msr & HV_PAGE_MSR_GPA);
    p->hypercall_msr &= ~HV_PAGE_MSR_ENABLE;
    if (value & HV_PAGE_MSR_ENABLE
        && gpa_overlay_set(p, value & HV_PAGE_MSR_GPA, hv.hypercall_page, GPA_READ | GPA_EXECUTE))
        return false;
    p->hypercall_msr = value;
    return true;
}

bool partition_msr_write(struct vp *vp, uint32_t msr, uint64_t value)
{
    struct partition *p = vp->partition;
    bool ok = true;
    lock_take(&p->lock);
    switch (msr) {
    case HV_MSR_GUEST_OS_ID:
        p->guest_os_id = value;
        if (!value)
            ok = hypercall_msr_write(p, p->hypercall_msr & ~HV_PAGE_MSR_ENABLE);
        break;
    case HV_MSR_HYPERCALL:
        ok = hypercall_msr_write(p, value);
        break;
    case HV_MSR_REFERENCE_TSC:
        p->reference_tsc_msr = value;
        partition_reference_page_update(p);
        break;
    default:
        ok = false;
    }
    lock_release(&p->lock);
    return ok;
}
