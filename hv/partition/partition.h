/* A partition: an address space, virtual processors, and what it may do.
 *
 *   (free) --Create--> CREATED --Initialize--> ACTIVE --Finalize--> FINALIZED --Delete--> (free)
 *                                                  \__________________________/
 *
 *   CREATED    properties may be set; no memory, no VPs, no ports
 *   ACTIVE     everything
 *   FINALIZED  its VPs are stopped for good, memory unmapped; only Delete
 *
 * The root partition (index 0) exists from boot, is its own authority and
 * cannot be changed by these calls.  Partition ids are index + 1, with a generation
 * count above, so that a stale id does not name a newcomer.
 */
#ifndef HV_PARTITION_PARTITION_H
#define HV_PARTITION_PARTITION_H

#include "hv/gpa/gpa.h"
#include "hv/hv.h"
#include "hv/intercept/intercept.h"
#include "hv/ipc/ipc.h"
#include "spec/hv/tlfs.h"

enum partition_state { PARTITION_FREE, PARTITION_CREATED, PARTITION_ACTIVE, PARTITION_FINALIZED };

enum { PARTITION_NO_CHANNEL = 0xFFFFFFFF };

struct partition {
    uint64_t id;
    unsigned index;
    uint32_t generation;
    enum partition_state state;
    struct partition *parent;
    uint64_t privileges; /* HV_PRIVILEGE_* */
    struct lock lock;
    struct gpa_space gpa;
    struct page_pool pool; /* deposited */
    struct vp *vp[HV_VPS_PER_PARTITION];
    unsigned vp_count;
    uint64_t tsc_start;  /* reference time 0 [TSC] */
    uint64_t guest_os_id, hypercall_msr, reference_tsc_msr;
    uint32_t tsc_sequence;
    struct port_table *ports; /* the root's; NULL: none can be made */
    struct connection_table connections;
    struct intercepts intercepts;
    uint64_t lp_mask;
    uint32_t weight;
    uint32_t lab_channel;
    uint32_t child_number;
    bool suspended;
    bool ignore_unknown_msrs;
};

void partition_init_root(struct partition *);

/* NULL: no such partition (or not the caller's to see). HV_PARTITION_SELF is the caller. */
struct partition *partition_find(struct partition *caller, uint64_t id);
/* The same, and it must be a child of the caller. */
struct partition *partition_find_child(struct partition *caller, uint64_t id);
/* A child that runs, or the status that says why there is none. */
enum hv_status partition_find_active_child(struct partition *caller, uint64_t id, struct partition **);
struct vp *partition_vp(struct partition *, struct vp *caller, uint32_t index);

enum hv_status partition_create(struct partition *parent, uint64_t *id);
enum hv_status partition_initialize(struct partition *);
enum hv_status partition_finalize(struct partition *);
/* After finalize: waits until no VP runs. No locks held. */
void partition_wait_stopped(struct partition *);
enum hv_status partition_delete(struct partition *);
enum hv_status partition_property_get(struct partition *, uint32_t code, uint64_t *value);
enum hv_status partition_property_set(struct partition *, uint32_t code, uint64_t value);

/* Reference time of the partition [100 ns]. */
uint64_t partition_reference_time(const struct partition *);
/* Writes the reference TSC page that the MSR names. */
void partition_reference_page_update(struct partition *);

/* Synthetic MSRs that belong to the partition. */
bool partition_msr_write(struct vp *, uint32_t msr, uint64_t value);

#endif
