/* Service runtime for locus root-kernel: what its two halves share. */
#ifndef GUESTS_ROOT_SVC_ROOT_H
#define GUESTS_ROOT_SVC_ROOT_H

#include "guests/root/root.h"
#include "hv/svc/svc_common.h"

/* svc_root_child.c: talking to children. */
void svc_root_child_init(void);
bool svc_root_messages(void); /* true: there were some */
bool svc_root_events(void);

#endif
