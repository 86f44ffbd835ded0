/* The synthetic interrupt controller of a VP: messages and event flags on
 * sixteen SINTs (TLFS "Synthetic Interrupt Controller").
 *
 * A message goes into the slot of its SINT if the slot is empty, otherwise into
 * a bounded queue of the VP, in order; the slot's pending flag then asks the
 * guest to write EOM, which is when the queue is looked at again (so do EOI and
 * changes of a SINT).  An event flag is set in the guest's page; the SINT
 * is raised if it was clear.
 *
 * Everything here is under vp->lock.  Pages are the guest's own memory: types
 * and flags in them are hints by the guest, nothing is trusted.
 */
#ifndef HV_SYNIC_SYNIC_H
#define HV_SYNIC_SYNIC_H

#include "hv/hv.h"
#include "spec/hv/status.h"
#include "spec/hv/synic.h"

struct vp;

enum { SYNIC_QUEUE = 48 }; /* messages that wait, per VP */

struct synic_message { struct hv_message message; struct synic_message *next; };

struct synic {
    uint64_t control, siefp, simp;
    uint64_t sint[HV_SINT_COUNT];
    struct synic_message *first[HV_SINT_COUNT], *last[HV_SINT_COUNT];
    unsigned waiting; /* messages in the queues, and timers whose message found no room */
    struct synic_message *free;
    struct synic_message *store; /* SYNIC_QUEUE of them */
};

void synic_reset(struct vp *);

/* Delivers or queues. SUCCESS, INVALID_SYNIC_STATE (controller or page off), INSUFFICIENT_BUFFERS. */
enum hv_status synic_post(struct vp *, unsigned sint, const struct hv_message *);
/* The same with vp->lock held. */
enum hv_status synic_post_locked(struct vp *, unsigned sint, const struct hv_message *);
/* Sets an event flag; '*newly' tells whether it was clear. */
enum hv_status synic_signal(struct vp *, unsigned sint, unsigned flag, bool *newly);
/* A slot may be free: moves what waits. */
void synic_rescan(struct vp *);

/* MSRs 0x40000080..0x4000009F. False: #GP. */
bool synic_read(struct vp *, uint32_t msr, uint64_t *value);
bool synic_write(struct vp *, uint32_t msr, uint64_t value);

#endif
