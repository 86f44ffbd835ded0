/* Hypercalls about partitions: life cycle, properties, notification. */
#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"
#include "hv/svc/svc_hv.h"

static uint64_t first_word(const struct call *c) { return *(const uint64_t *)c->in; }

/* A child named by the caller, with hv.partitions_lock taken when found. */
static struct partition *take_child(struct call *c, uint64_t id)
{
    lock_take(&hv.partitions_lock);
    struct partition *p = partition_find_child(c->caller, id);
    if (!p)
        lock_release(&hv.partitions_lock);
    return p;
}

enum hv_status hypercall_HvCallCreatePartition(struct call *c)
{
    uint64_t id = 0;
    lock_take(&hv.partitions_lock);
    enum hv_status status = partition_create(c->caller, &id);
    lock_release(&hv.partitions_lock);
    *(uint64_t *)c->out = id;
    return status;
}

enum hv_status hypercall_HvCallInitializePartition(struct call *c)
{
    struct partition *p = take_child(c, first_word(c));
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    enum hv_status status = partition_initialize(p);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallFinalizePartition(struct call *c)
{
    struct partition *p = take_child(c, first_word(c));
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    enum hv_status status = partition_finalize(p);
    lock_release(&hv.partitions_lock);
    if (status == HV_STATUS_SUCCESS)
        partition_wait_stopped(p);
    return status;
}

enum hv_status hypercall_HvCallDeletePartition(struct call *c)
{
    struct partition *p = take_child(c, first_word(c));
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    enum hv_status status = partition_delete(p);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallGetPartitionProperty(struct call *c)
{
    const struct hv_get_property *in = c->in;
    struct partition *p = partition_find(c->caller, in->partition);
    return p ? partition_property_get(p, in->code, c->out) : HV_STATUS_INVALID_PARTITION_ID;
}

enum hv_status hypercall_HvCallSetPartitionProperty(struct call *c)
{
    const struct hv_set_property *in = c->in;
    struct partition *p = take_child(c, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    enum hv_status status = partition_property_set(p, in->code, in->value);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallGetPartitionId(struct call *c)
{
    *(uint64_t *)c->out = c->caller->id;
    return HV_STATUS_SUCCESS;
}

enum hv_status hypercall_HvCallInstallIntercept(struct call *c)
{
    const struct hv_install_intercept *in = c->in;
    struct partition *p = take_child(c, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    enum hv_status status = HV_STATUS_INVALID_PARTITION_STATE;
    if (p->state == PARTITION_ACTIVE)
        status = intercept_install(p, in->type, in->access, in->parameter);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallNotifyPartitionEvent(struct call *c)
{
    const struct hv_notify_partition_event *in = c->in;
    struct partition *p = partition_find_child(c->caller, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    switch (in->event) {
    case HV_PARTITION_EVENT_CREATED:
        if (p->state != PARTITION_ACTIVE || p->child_number != PARTITION_NO_CHANNEL)
            return HV_STATUS_INVALID_PARTITION_STATE;
        return svc_hv_child_created(p, in->data, c->out);
    case HV_PARTITION_EVENT_DELETED:
        if (p->child_number == PARTITION_NO_CHANNEL)
            return HV_STATUS_INVALID_PARTITION_STATE;
        svc_hv_child_deleted(p);
        return HV_STATUS_SUCCESS;
    default:
        return HV_STATUS_INVALID_PARAMETER;
    }
}
