/* Services linked into the hypervisor (placement monolithic), as the rest of
 * the hypervisor sees them.
 *
 * svc_hv.c implements the service runtime (vsp/runtime/svc.h) for this locus;
 * svc_none.c is linked instead where no services live here.  Callers hold no
 * lock: every entry takes hv.service_lock, so handlers never run concurrently.
 */
#ifndef HV_SVC_SVC_HV_H
#define HV_SVC_SVC_HV_H

#include "hv/hv.h"
#include "spec/hv/hypercall.h"
#include "spec/hv/status.h"

struct partition;

bool svc_hv_present(void);
/* On the boot processor, before any VP runs. */
void svc_hv_init(void);

/* Do messages on this connection go to services here? */
bool svc_hv_takes_message(const struct partition *, uint32_t connection);
enum hv_status svc_hv_message(struct partition *, uint32_t connection, uint32_t type, const void *payload, uint32_t size);
enum hv_status svc_hv_signal(struct partition *, uint32_t connection);

enum hv_status svc_hv_child_created(struct partition *, uint64_t child, struct hv_notify_partition_output *);
void svc_hv_child_deleted(struct partition *);

#endif
