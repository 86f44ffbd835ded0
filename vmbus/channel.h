/* A channel as its provider sees it: two rings and a bell.
 *
 *            offer                  open (rings mapped)
 *   UNUSED ---------> OFFERED ---------------------------> OPEN
 *      ^                ^  |                                |
 *      |                |  | rescind       close, violation |
 *      | relid          +--|--------------------------------+
 *      | released          v                                |
 *      +------------- RESCINDED <---------------------------+ rescind
 *
 *   transition            function                     what holds afterwards
 *   offer                 vmbus_offer                  relid and connection are unique in the child
 *   open                  channel_open                 both rings attached to mapped pages, signal bound,
 *                                                      provider->opened was called
 *   close                 channel_close                provider->closed was called, nothing of the
 *                                                      child is mapped through this channel
 *   rescind               vmbus_rescind                closed first; the child was told
 *   relid released        channel_release              the slot can be offered again
 *
 * A child that breaks the protocol in a ring stays OPEN but deaf: the ring is
 * `broken`, and the provider stops using it until the child closes it.
 */
#ifndef VMBUS_CHANNEL_H
#define VMBUS_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/vmbus/vmbus.h"
#include "vmbus/ring.h"

enum vmbus_channel_state {
    VMBUS_CHANNEL_UNUSED,
    VMBUS_CHANNEL_OFFERED,
    VMBUS_CHANNEL_OPEN,
    VMBUS_CHANNEL_RESCINDED,
};

struct vmbus_gpadl;
struct vmbus_connection;

/* What a provider hears; all are called from the server's handlers. */
struct vmbus_provider {
    bool (*opened)(void *ctx); /* false refuses the open */
    void (*closed)(void *ctx); /* must forget every pointer into the child's pages */
    void (*signalled)(void *ctx);
};

struct vmbus_channel { /* the server's; providers use the rings and the functions below */
    enum vmbus_channel_state state;
    unsigned child;
    uint32_t relid;
    uint32_t connection_id;
    uint32_t target_vp;
    struct vmbus_ring in;  /* from the child: we consume */
    struct vmbus_ring out; /* to the child: we produce */
    struct vmbus_gpadl *ring_gpadl;
    struct vmbus_connection *connection;
    struct vmbus_guid type, instance;
    const struct vmbus_provider *provider;
    void *ctx;
};

/* Offers a device to a child. NULL: the child has no slot left. The offer is
 * sent when the child asks for offers (or now, if it has asked already). */
struct vmbus_channel *vmbus_offer(unsigned child, const struct vmbus_guid *type,
                                  const struct vmbus_guid *instance,
                                  const struct vmbus_provider *, void *ctx);
void vmbus_rescind(struct vmbus_channel *);

/* Shows the child what was put into `out`, and signals it if it sleeps. */
void vmbus_channel_publish(struct vmbus_channel *);
/* Gives consumed space of `in` back, and signals the child if it waits for it. */
void vmbus_channel_release(struct vmbus_channel *);

/* The child's buffer behind a GPADL handle of this channel; NULL if there is no
 * such thing. *size is its length in bytes. It stays mapped until unmap or close. */
void *vmbus_channel_map(struct vmbus_channel *, uint32_t gpadl, uint32_t *size);
void vmbus_channel_unmap(struct vmbus_channel *, uint32_t gpadl);

#endif
