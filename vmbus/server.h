/* The VMBus server: the parent's end of the control protocol, a service.
 *
 * One connection per child.  Messages of a child arrive through the runtime;
 * answers go to the processor that the child named in INITIATE_CONTACT.  The
 * child may start over at any time with a new INITIATE_CONTACT or UNLOAD:
 * every channel closes and every GPADL goes, then life begins again.
 *
 *                       INITIATE_CONTACT (accepted)
 *   DISCONNECTED ---------------------------------------> CONNECTED
 *        ^                                                   |
 *        +--------------- UNLOAD, INITIATE_CONTACT ----------+
 *
 * Wrong messages of a child (short, unknown, out of place) are counted as
 * malformed and otherwise ignored; where the protocol has a status, it is sent.
 */
#ifndef VMBUS_SERVER_H
#define VMBUS_SERVER_H

struct svc_class;
extern const struct svc_class vmbus_service;

#endif
