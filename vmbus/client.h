/* The VMBus client: the child's end of the control protocol, for guests/mini.
 *
 * It is driven by events: the guest calls vmbus_client_message for each VMBus
 * message and vmbus_client_flag for each event flag of SINT 2; everything else
 * happens in calls back to the drivers.
 *
 *   IDLE --connect--> CONTACTING --version ok--> CONNECTED (offers arrive)
 *                       |    ^
 *                       +----+ refused: the next lower version; none left: FAILED
 *
 *   channel:  OFFERED --open--> RING_GPADL --created--> OPENING --result 0--> OPEN
 *                ^                  |                      |                    |
 *                +----- refused ----+----------------------+        rescinded: GONE
 *
 * The guest owns the structure and gives it the few things it needs from the
 * place where it runs (struct vmbus_client_host).
 */
#ifndef VMBUS_CLIENT_H
#define VMBUS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "spec/vmbus/vmbus.h"
#include "vmbus/ring.h"

enum { VMBUS_CLIENT_CHANNELS_MAX = 8, VMBUS_CLIENT_FIRST_GPADL = 0xE1E10 };

struct vmbus_client_host {
    /* True: accepted. False: refused for good (no such connection); it retries by itself when the queue is full. */
    bool (*post_message)(void *ctx, uint32_t connection, const void *payload, uint32_t size);
    void (*signal_event)(void *ctx, uint32_t connection);
    void *(*pages)(void *ctx, uint32_t count); /* zeroed, page-aligned, never given back */
    uint64_t (*gpa)(void *ctx, const void *p);
};

enum vmbus_client_state { VMBUS_CLIENT_IDLE, VMBUS_CLIENT_CONTACTING, VMBUS_CLIENT_CONNECTED, VMBUS_CLIENT_FAILED };

enum vmbus_client_channel_state {
    VMBUS_CLIENT_CHANNEL_NONE,
    VMBUS_CLIENT_CHANNEL_OFFERED,
    VMBUS_CLIENT_CHANNEL_RING_GPADL,
    VMBUS_CLIENT_CHANNEL_OPENING,
    VMBUS_CLIENT_CHANNEL_OPEN,
    VMBUS_CLIENT_CHANNEL_GONE,
};

struct vmbus_client;
struct vmbus_client_channel;

struct vmbus_client_driver {
    struct vmbus_guid type;
    void (*offered)(void *ctx, struct vmbus_client_channel *);
    void (*opened)(void *ctx, bool ok);
    void (*gpadl_created)(void *ctx, uint32_t gpadl, bool ok);
    void (*signalled)(void *ctx);
    void (*rescinded)(void *ctx);
};

struct vmbus_client_channel {
    enum vmbus_client_channel_state state;
    struct vmbus_client *client;
    uint32_t relid;
    uint32_t connection_id;
    uint32_t ring_gpadl;
    uint32_t ring_pages; /* of each direction */
    struct vmbus_ring in, out;
    uint32_t signals_sent, signals_saved;
};

struct vmbus_client {
    const struct vmbus_client_host *host;
    void *host_ctx;
    const struct vmbus_client_driver *driver;
    void *driver_ctx;
    enum vmbus_client_state state;
    unsigned version_index;
    uint32_t version;
    uint32_t message_connection;
    uint32_t target_vp;
    uint32_t next_gpadl;
    uint32_t unknown_messages;
    bool unloaded; /* UNLOAD_RESPONSE arrived */
    struct vmbus_client_channel channel[VMBUS_CLIENT_CHANNELS_MAX];
};

void vmbus_client_init(struct vmbus_client *, const struct vmbus_client_host *, void *host_ctx,
                       const struct vmbus_client_driver *, void *driver_ctx);
void vmbus_client_connect(struct vmbus_client *, uint32_t target_vp);
void vmbus_client_unload(struct vmbus_client *);

/* From the guest's interrupt path. */
void vmbus_client_message(struct vmbus_client *, const void *payload, uint32_t size);
void vmbus_client_flag(struct vmbus_client *, uint32_t flag);

/* For drivers. */
void vmbus_client_open(struct vmbus_client_channel *, uint32_t ring_pages);
void vmbus_client_close(struct vmbus_client_channel *);
/* Lends pages to the parent; gpadl_created follows. */
uint32_t vmbus_client_gpadl(struct vmbus_client_channel *, const void *memory, uint32_t size);
void vmbus_client_gpadl_teardown(struct vmbus_client_channel *, uint32_t gpadl);
/* Shows the parent what was put into `out`, and signals it if it sleeps. */
void vmbus_client_publish(struct vmbus_client_channel *);
void vmbus_client_release(struct vmbus_client_channel *);

#endif
