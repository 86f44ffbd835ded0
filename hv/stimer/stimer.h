/* Synthetic timers (TLFS "Synthetic Timers"): four per VP, in reference time
 * of the partition.  Under vp->lock.  Expiry posts a message to a SINT or, in direct mode,
 * raises a vector.  A message that finds no room waits and is posted again at
 * the next EOM. */
#ifndef HV_STIMER_STIMER_H
#define HV_STIMER_STIMER_H

#include "hv/hv.h"

struct vp;

void stimer_reset(struct vp *);
void stimer_config_write(struct vp *, unsigned index, uint64_t value);
void stimer_count_write(struct vp *, unsigned index, uint64_t value);
void stimer_retry(struct vp *); /* vp->lock held: room may be there */

#endif
