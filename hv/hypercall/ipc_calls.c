/* Hypercalls about messages, events, ports and devices. */
#include "hv/hypercall/hypercall.h"
#include "hv/iommu/vtd.h"
#include "hv/partition/partition.h"

enum hv_status hypercall_HvCallPostMessage(struct call *c) { return ipc_post(c->vp, c->in); }

enum hv_status hypercall_HvCallSignalEvent(struct call *c)
{
    const struct hv_signal_event *in = c->in;
    if (in->reserved)
        return HV_STATUS_INVALID_PARAMETER;
    return ipc_signal(c->vp, in->connection_id, in->flag);
}

enum hv_status hypercall_HvCallCreatePort(struct call *c)
{
    const struct hv_create_port *in = c->in;
    struct partition *p = partition_find(c->caller, in->port_partition);
    if (!p || p != c->caller)
        return HV_STATUS_INVALID_PARTITION_ID;
    lock_take(&p->lock);
    enum hv_status status = ipc_create_port(p, in->port_id, &in->info);
    lock_release(&p->lock);
    return status;
}

enum hv_status hypercall_HvCallDeletePort(struct call *c)
{
    const struct hv_delete_port *in = c->in;
    struct partition *p = partition_find(c->caller, in->partition);
    if (!p || p != c->caller)
        return HV_STATUS_INVALID_PARTITION_ID;
    lock_take(&p->lock);
    enum hv_status status = ipc_delete_port(p, in->port_id);
    lock_release(&p->lock);
    return status;
}

enum hv_status hypercall_HvCallConnectPort(struct call *c)
{
    const struct hv_connect_port *in = c->in;
    struct partition *sender = partition_find_child(c->caller, in->connection_partition);
    struct partition *receiver = partition_find(c->caller, in->port_partition);
    if (!sender || receiver != c->caller)
        return HV_STATUS_INVALID_PARTITION_ID;
    lock_take(&receiver->lock); /* parent before child */
    lock_take(&sender->lock);
    enum hv_status status = ipc_connect(sender, in->connection_id, receiver, in->port_id, in->info.type);
    lock_release(&sender->lock);
    lock_release(&receiver->lock);
    return status;
}

enum hv_status hypercall_HvCallDisconnectPort(struct call *c)
{
    const struct hv_disconnect_port *in = c->in;
    struct partition *p = partition_find_child(c->caller, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    lock_take(&c->caller->lock);
    lock_take(&p->lock);
    enum hv_status status = ipc_disconnect(p, in->connection_id);
    lock_release(&p->lock);
    lock_release(&c->caller->lock);
    return status;
}

static enum hv_status child_vp(struct call *c, uint64_t partition, uint32_t index, unsigned sint, struct vp **vp)
{
    struct partition *p = partition_find_child(c->caller, partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    *vp = partition_vp(p, NULL, index);
    if (!*vp)
        return HV_STATUS_INVALID_VP_INDEX;
    return sint < HV_SINT_COUNT ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

enum hv_status hypercall_HvCallSignalEventDirect(struct call *c)
{
    const struct hv_signal_event_direct *in = c->in;
    struct vp *vp;
    bool newly = false;
    enum hv_status status = child_vp(c, in->partition, in->vp_index, in->sint, &vp);
    if (!status && in->flag >= HV_EVENT_FLAGS_PER_SINT)
        status = HV_STATUS_INVALID_PARAMETER;
    if (!status)
        status = synic_signal(vp, in->sint, in->flag, &newly);
    if (c->out)
        *(uint8_t *)c->out = newly;
    return status;
}

enum hv_status hypercall_HvCallPostMessageDirect(struct call *c)
{
    const struct hv_post_message_direct *in = c->in;
    struct hv_message message;
    struct vp *vp;
    enum hv_status status = child_vp(c, in->partition, in->vp_index, in->sint, &vp);
    memcpy(&message, in->message, sizeof(message));
    if (!status && (message.type == HV_MESSAGE_NONE || message.payload_size > HV_MESSAGE_PAYLOAD))
        status = HV_STATUS_INVALID_PARAMETER;
    return status ? status : synic_post(vp, in->sint, &message);
}

/* --- devices ------------------------------------------------------------------------- */

static bool device_bdf(uint64_t device_id, uint16_t *bdf)
{
    *bdf = (uint16_t)device_id;
    return device_id <= UINT16_MAX;
}

enum hv_status hypercall_HvCallAttachDevice(struct call *c)
{
    const struct hv_attach_device *in = c->in;
    uint16_t bdf;
    bool attached;
    if (!device_bdf(in->device_id, &bdf))
        return HV_STATUS_INVALID_DEVICE_ID;
    lock_take(&hv.partitions_lock);
    struct partition *p, *owner = vtd_owner(bdf, &attached);
    enum hv_status status = partition_find_active_child(c->caller, in->partition, &p);
    if (!status)
        status = attached && owner != c->caller ? HV_STATUS_OBJECT_IN_USE : vtd_attach(p, bdf);
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallDetachDevice(struct call *c)
{
    const struct hv_attach_device *in = c->in;
    uint16_t bdf;
    bool attached;
    if (!device_bdf(in->device_id, &bdf))
        return HV_STATUS_INVALID_DEVICE_ID;
    lock_take(&hv.partitions_lock);
    struct partition *p = partition_find_child(c->caller, in->partition);
    struct partition *owner = vtd_owner(bdf, &attached);
    enum hv_status status = !p ? HV_STATUS_INVALID_PARTITION_ID
        : !attached || owner != p ? HV_STATUS_INVALID_DEVICE_ID : vtd_detach(bdf);
    lock_release(&hv.partitions_lock);
    return status;
}

/* A partition maps interrupts of its own functions to its own VPs only. */
static bool owns(struct call *c, uint64_t partition, uint16_t bdf)
{
    bool attached;
    return partition_find(c->caller, partition) == c->caller && vtd_owner(bdf, &attached) == c->caller && attached;
}

enum hv_status hypercall_HvCallMapDeviceInterrupt(struct call *c)
{
    const struct hv_map_device_interrupt *in = c->in;
    struct hv_interrupt_entry *out = c->out;
    uint16_t bdf;
    if (!device_bdf(in->device_id, &bdf))
        return HV_STATUS_INVALID_DEVICE_ID;
    if (in->interrupt_type != HV_INTERRUPT_FIXED || in->trigger_mode || in->vector_count > 1 || in->target_flags
        || in->vector < 16 || in->vector > 255 || c->variable_count)
        return HV_STATUS_INVALID_PARAMETER;
    unsigned index = in->vp_mask ? (unsigned)__builtin_ctzll(in->vp_mask) : HV_VPS_PER_PARTITION;
    struct vp *vp = partition_vp(c->caller, NULL, index);
    if (!vp)
        return HV_STATUS_INVALID_VP_INDEX;
    lock_take(&hv.partitions_lock);
    enum hv_status status = HV_STATUS_INVALID_DEVICE_ID;
    if (owns(c, in->partition, bdf))
        status = vtd_map_interrupt(bdf, vp, in->vector, NULL, NULL, &out->msi);
    lock_release(&hv.partitions_lock);
    out->source = HV_INTERRUPT_SOURCE_MSI;
    return status;
}

enum hv_status hypercall_HvCallUnmapDeviceInterrupt(struct call *c)
{
    const struct hv_unmap_device_interrupt *in = c->in;
    uint16_t bdf;
    if (!device_bdf(in->device_id, &bdf))
        return HV_STATUS_INVALID_DEVICE_ID;
    lock_take(&hv.partitions_lock);
    enum hv_status status = HV_STATUS_INVALID_DEVICE_ID;
    if (owns(c, in->partition, bdf))
        status = vtd_unmap_interrupt(bdf, in->entry.msi);
    lock_release(&hv.partitions_lock);
    return status;
}
