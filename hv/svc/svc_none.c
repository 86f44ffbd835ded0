/* No services in the hypervisor: placements that keep them elsewhere. */
#include "hv/svc/svc_hv.h"

#include "hv/partition/partition.h"

bool svc_hv_present(void) { return false; }
void svc_hv_init(void) {}

bool svc_hv_takes_message(const struct partition *p, uint32_t connection)
{
    (void)p, (void)connection;
    return false;
}

enum hv_status svc_hv_message(struct partition *p, uint32_t connection, uint32_t type, const void *payload, uint32_t size)
{
    (void)p, (void)connection, (void)type, (void)payload, (void)size;
    return HV_STATUS_INVALID_CONNECTION_ID;
}

enum hv_status svc_hv_signal(struct partition *p, uint32_t connection)
{
    (void)p, (void)connection;
    return HV_STATUS_INVALID_CONNECTION_ID;
}

enum hv_status svc_hv_child_created(struct partition *p, uint64_t child, struct hv_notify_partition_output *output)
{
    p->child_number = (uint32_t)child;
    output->device_count = 0;
    return HV_STATUS_SUCCESS;
}

void svc_hv_child_deleted(struct partition *p) { (void)p; }
