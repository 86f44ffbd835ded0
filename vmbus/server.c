#include "vmbus/server.h"

#include "spec/lab/lab.h"
#include "vmbus/bytes.h"
#include "vmbus/channel.h"
#include "vmbus/gpadl.h"
#include "vsp/runtime/svc.h"

enum {
    CHANNELS_MAX = 8,             /* of a child */
    FIRST_CONNECTION_ID = 0x10,   /* of channel signals: this plus the relid */
    STATUS_SUCCESS = 0,
    STATUS_FAILURE = 1,
};

struct vmbus_connection {
    unsigned child;
    bool exists;
    bool connected;
    bool offers_requested;
    bool complained; /* about messages it does not read */
    uint32_t version;
    uint32_t target_vp;
    struct vmbus_channel channel[CHANNELS_MAX]; /* relid = index + 1 */
    struct vmbus_gpadl_table *gpadls;
};

/* The one mutable global of this service: its state, made by init (svc_class has no context). */
static struct vmbus_connection *connections;

/* --- answers ------------------------------------------------------------------ */

static void post(struct vmbus_connection *c, const void *message, uint32_t size)
{
    if (svc_child_post(c->child, c->target_vp, message, size))
        return;
    svc_count(LAB_PROTOCOL_VIOLATIONS, 1);
    if (!c->complained)
        svc_log("vmbus: child %u does not read its messages, one of type %u is lost\n", c->child,
                load32(message));
    c->complained = true;
}

static void post_version_response(struct vmbus_connection *c, bool supported)
{
    struct vmbus_msg_version_response response = {
        .header.type = VMBUS_MSG_VERSION_RESPONSE,
        .supported = supported,
        .connection_id = supported && c->version >= VMBUS_VERSION_5_0 ? VMBUS_CONNECTION_MESSAGES : 0,
    };
    post(c, &response, sizeof response);
}

static void post_gpadl_created(struct vmbus_connection *c, const void *message, uint32_t status)
{
    struct vmbus_msg_gpadl_teardown ids; /* relid and handle are at the same place in the header */
    bytes_copy(&ids, message, sizeof ids);
    struct vmbus_msg_gpadl_created created = {
        .header.type = VMBUS_MSG_GPADL_CREATED, .relid = ids.relid, .gpadl = ids.gpadl, .status = status,
    };
    post(c, &created, sizeof created);
}

static void post_offer(struct vmbus_connection *c, const struct vmbus_channel *channel)
{
    struct vmbus_msg_offer offer = {
        .header.type = VMBUS_MSG_OFFER_CHANNEL,
        .interface_type = channel->type,
        .interface_instance = channel->instance,
        .relid = channel->relid,
        .monitor_id = 0xFF,
        .is_dedicated = 1,
        .connection_id = channel->connection_id,
    };
    post(c, &offer, sizeof offer);
}

/* --- channel life (diagram in channel.h) ---------------------------------------- */

static struct vmbus_channel *channel_find(struct vmbus_connection *c, uint32_t relid)
{
    if (relid == 0 || relid > CHANNELS_MAX || c->channel[relid - 1].state == VMBUS_CHANNEL_UNUSED)
        return NULL;
    return &c->channel[relid - 1];
}

static void channel_signalled(void *ctx)
{
    struct vmbus_channel *channel = ctx;
    if (channel->state == VMBUS_CHANNEL_OPEN)
        channel->provider->signalled(channel->ctx);
}

static bool channel_attach(struct vmbus_channel *channel, const struct vmbus_msg_open *open)
{
    struct vmbus_gpadl_table *gpadls = channel->connection->gpadls;
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(gpadls, open->ring_gpadl);
    if (!gpadl || gpadl->relid != channel->relid || gpadl->byte_offset != 0 || gpadl->mapping ||
        open->downstream_page >= gpadl->page_count)
        return false;
    uint8_t *memory = vmbus_gpadl_map(gpadls, gpadl);
    if (!memory)
        return false;
    channel->ring_gpadl = gpadl;
    uint32_t first = open->downstream_page;
    if (vmbus_ring_attach(&channel->in, memory, first) &&
        vmbus_ring_attach(&channel->out, memory + (size_t)first * VMBUS_PAGE_SIZE,
                          gpadl->page_count - first))
        return true;
    vmbus_gpadl_unmap(gpadl);
    return false;
}

static uint32_t channel_open(struct vmbus_channel *channel, const struct vmbus_msg_open *open)
{
    if (channel->state != VMBUS_CHANNEL_OFFERED || !channel_attach(channel, open))
        return STATUS_FAILURE;
    channel->target_vp = open->target_vp;
    channel->state = VMBUS_CHANNEL_OPEN;
    svc_bind_signal(channel->child, channel->connection_id, channel_signalled, channel);
    if (channel->provider->opened(channel->ctx))
        return STATUS_SUCCESS;
    svc_unbind_signal(channel->child, channel->connection_id);
    vmbus_gpadl_unmap(channel->ring_gpadl);
    channel->state = VMBUS_CHANNEL_OFFERED;
    return STATUS_FAILURE;
}

static void channel_close(struct vmbus_channel *channel)
{
    if (channel->state != VMBUS_CHANNEL_OPEN)
        return;
    svc_unbind_signal(channel->child, channel->connection_id);
    channel->provider->closed(channel->ctx);
    struct vmbus_gpadl_table *gpadls = channel->connection->gpadls;
    for (unsigned i = 0; i < VMBUS_GPADLS_MAX; i++)
        if (gpadls->gpadl[i].handle != 0 && gpadls->gpadl[i].relid == channel->relid)
            vmbus_gpadl_unmap(&gpadls->gpadl[i]);
    channel->ring_gpadl = NULL;
    channel->state = VMBUS_CHANNEL_OFFERED;
}

static void channel_release(struct vmbus_channel *channel)
{
    if (channel->state == VMBUS_CHANNEL_RESCINDED)
        channel->state = VMBUS_CHANNEL_UNUSED;
}

struct vmbus_channel *vmbus_offer(unsigned child, const struct vmbus_guid *type,
                                  const struct vmbus_guid *instance,
                                  const struct vmbus_provider *provider, void *ctx)
{
    struct vmbus_connection *c = &connections[child];
    for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
        struct vmbus_channel *channel = &c->channel[i];
        if (channel->state != VMBUS_CHANNEL_UNUSED)
            continue;
        bytes_zero(channel, sizeof *channel);
        channel->state = VMBUS_CHANNEL_OFFERED;
        channel->child = child;
        channel->relid = i + 1;
        channel->connection_id = FIRST_CONNECTION_ID + channel->relid;
        channel->connection = c;
        channel->type = *type;
        channel->instance = *instance;
        channel->provider = provider;
        channel->ctx = ctx;
        if (c->offers_requested)
            post_offer(c, channel);
        return channel;
    }
    return NULL;
}

void vmbus_rescind(struct vmbus_channel *channel)
{
    struct vmbus_connection *c = channel->connection;
    if (channel->state == VMBUS_CHANNEL_UNUSED || channel->state == VMBUS_CHANNEL_RESCINDED)
        return;
    channel_close(channel);
    channel->state = c->offers_requested ? VMBUS_CHANNEL_RESCINDED : VMBUS_CHANNEL_UNUSED;
    if (!c->offers_requested)
        return;
    struct vmbus_msg_relid rescind = {
        .header.type = VMBUS_MSG_RESCIND_OFFER, .relid = channel->relid,
    };
    post(c, &rescind, sizeof rescind);
}

/* --- what providers use -------------------------------------------------------- */

void vmbus_channel_publish(struct vmbus_channel *channel)
{
    if (channel->out.index == channel->out.shown)
        return;
    if (vmbus_ring_publish(&channel->out)) {
        svc_count(LAB_SIGNALS_SENT, 1);
        svc_child_signal(channel->child, channel->target_vp, channel->relid);
    } else {
        svc_count(LAB_SIGNALS_SAVED, 1);
    }
}

void vmbus_channel_release(struct vmbus_channel *channel)
{
    if (vmbus_ring_release(&channel->in)) {
        svc_count(LAB_SIGNALS_SENT, 1);
        svc_child_signal(channel->child, channel->target_vp, channel->relid);
    }
}

void *vmbus_channel_map(struct vmbus_channel *channel, uint32_t handle, uint32_t *size)
{
    struct vmbus_gpadl_table *gpadls = channel->connection->gpadls;
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(gpadls, handle);
    if (!gpadl || gpadl->relid != channel->relid || gpadl == channel->ring_gpadl ||
        gpadl->byte_offset != 0 || gpadl->mapping)
        return NULL;
    *size = gpadl->byte_count;
    return vmbus_gpadl_map(gpadls, gpadl);
}

void vmbus_channel_unmap(struct vmbus_channel *channel, uint32_t handle)
{
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(channel->connection->gpadls, handle);
    if (gpadl && gpadl != channel->ring_gpadl && gpadl->relid == channel->relid)
        vmbus_gpadl_unmap(gpadl);
}

/* --- messages of a child -------------------------------------------------------- */

static void connection_reset(struct vmbus_connection *c)
{
    for (unsigned i = 0; i < CHANNELS_MAX; i++) {
        channel_close(&c->channel[i]);
        channel_release(&c->channel[i]);
    }
    vmbus_gpadl_remove_all(c->gpadls);
    c->connected = false;
    c->offers_requested = false;
}

static bool version_known(uint32_t version)
{
    switch (version) {
    case VMBUS_VERSION_2_4:
    case VMBUS_VERSION_3_0:
    case VMBUS_VERSION_4_0:
    case VMBUS_VERSION_4_1:
    case VMBUS_VERSION_5_0:
    case VMBUS_VERSION_5_1:
    case VMBUS_VERSION_5_2:
    case VMBUS_VERSION_5_3:
        return true;
    default:
        return false;
    }
}

static bool on_initiate_contact(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_initiate_contact contact;
    bytes_copy(&contact, message, sizeof contact);
    connection_reset(c);
    c->version = contact.version;
    c->target_vp = contact.target_vp;
    c->connected = version_known(contact.version) &&
                   (contact.version < VMBUS_VERSION_5_0 || contact.five.sint == VMBUS_SINT);
    post_version_response(c, c->connected);
    return true;
}

static bool on_request_offers(struct vmbus_connection *c, const void *message)
{
    (void)message;
    c->offers_requested = true;
    for (unsigned i = 0; i < CHANNELS_MAX; i++)
        if (c->channel[i].state == VMBUS_CHANNEL_OFFERED)
            post_offer(c, &c->channel[i]);
    struct vmbus_msg_header done = { .type = VMBUS_MSG_ALL_OFFERS_DELIVERED };
    post(c, &done, sizeof done);
    return true;
}

static bool on_open(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_open open;
    bytes_copy(&open, message, sizeof open);
    struct vmbus_channel *channel = channel_find(c, open.relid);
    struct vmbus_msg_open_result result = {
        .header.type = VMBUS_MSG_OPEN_RESULT,
        .relid = open.relid,
        .open_id = open.open_id,
        .status = channel ? channel_open(channel, &open) : STATUS_FAILURE,
    };
    post(c, &result, sizeof result);
    return result.status == STATUS_SUCCESS;
}

static bool on_close(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_relid close;
    bytes_copy(&close, message, sizeof close);
    struct vmbus_channel *channel = channel_find(c, close.relid);
    if (!channel)
        return false;
    channel_close(channel);
    return true;
}

static bool on_relid_released(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_relid released;
    bytes_copy(&released, message, sizeof released);
    struct vmbus_channel *channel = channel_find(c, released.relid);
    if (!channel)
        return false;
    channel_release(channel);
    return true;
}

static bool gpadl_answer(struct vmbus_connection *c, const void *message,
                         enum vmbus_gpadl_result result, const struct vmbus_gpadl *gpadl)
{
    struct vmbus_msg_gpadl_teardown ids = { .gpadl = gpadl ? gpadl->handle : 0,
                                            .relid = gpadl ? gpadl->relid : 0 };
    if (result == VMBUS_GPADL_CREATED)
        post_gpadl_created(c, &ids, STATUS_SUCCESS);
    if (result == VMBUS_GPADL_REFUSED)
        post_gpadl_created(c, message, STATUS_FAILURE);
    return result == VMBUS_GPADL_CREATED || result == VMBUS_GPADL_MORE;
}

static bool on_gpadl_teardown(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_gpadl_teardown teardown;
    bytes_copy(&teardown, message, sizeof teardown);
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(c->gpadls, teardown.gpadl);
    if (gpadl) {
        /* A buffer in use is taken away with the channel that uses it. */
        struct vmbus_channel *channel = channel_find(c, gpadl->relid);
        if (gpadl->mapping && channel)
            channel_close(channel);
        vmbus_gpadl_remove(gpadl);
    }
    struct vmbus_msg_gpadl_torndown torndown = {
        .header.type = VMBUS_MSG_GPADL_TORNDOWN, .gpadl = teardown.gpadl,
    };
    post(c, &torndown, sizeof torndown);
    return gpadl != NULL;
}

static bool on_unload(struct vmbus_connection *c, const void *message)
{
    (void)message;
    connection_reset(c);
    struct vmbus_msg_header done = { .type = VMBUS_MSG_UNLOAD_RESPONSE };
    post(c, &done, sizeof done);
    return true;
}

static bool on_modify_channel(struct vmbus_connection *c, const void *message)
{
    struct vmbus_msg_modify_channel modify;
    bytes_copy(&modify, message, sizeof modify);
    struct vmbus_channel *channel = channel_find(c, modify.relid);
    if (channel)
        channel->target_vp = modify.target_vp;
    if (c->version >= VMBUS_VERSION_5_3) {
        struct vmbus_msg_modify_channel_response response = {
            .header.type = VMBUS_MSG_MODIFY_CHANNEL_RESPONSE,
            .relid = modify.relid,
            .status = channel ? STATUS_SUCCESS : STATUS_FAILURE,
        };
        post(c, &response, sizeof response);
    }
    return channel != NULL;
}

/* Every type has a row; one without a handler is not for the parent to receive. */
static const struct {
    uint32_t size_min;
    bool (*handle)(struct vmbus_connection *, const void *message);
} message_table[VMBUS_MSG_COUNT] = {
    [VMBUS_MSG_REQUEST_OFFERS] = { sizeof(struct vmbus_msg_header), on_request_offers },
    [VMBUS_MSG_OPEN_CHANNEL] = { sizeof(struct vmbus_msg_open), on_open },
    [VMBUS_MSG_CLOSE_CHANNEL] = { sizeof(struct vmbus_msg_relid), on_close },
    [VMBUS_MSG_GPADL_TEARDOWN] = { sizeof(struct vmbus_msg_gpadl_teardown), on_gpadl_teardown },
    [VMBUS_MSG_RELID_RELEASED] = { sizeof(struct vmbus_msg_relid), on_relid_released },
    [VMBUS_MSG_INITIATE_CONTACT] = { sizeof(struct vmbus_msg_initiate_contact), on_initiate_contact },
    [VMBUS_MSG_UNLOAD] = { sizeof(struct vmbus_msg_header), on_unload },
    [VMBUS_MSG_MODIFY_CHANNEL] = { sizeof(struct vmbus_msg_modify_channel), on_modify_channel },
};

static bool message_handle(struct vmbus_connection *c, const void *message, uint32_t size)
{
    if (size < sizeof(struct vmbus_msg_header))
        return false;
    uint32_t type = load32(message);
    if (type >= VMBUS_MSG_COUNT || (!c->connected && type != VMBUS_MSG_INITIATE_CONTACT))
        return false;
    struct vmbus_gpadl *gpadl;
    if (type == VMBUS_MSG_GPADL_HEADER) { /* of variable size */
        if (size < sizeof(struct vmbus_msg_gpadl_teardown))
            return false;
        enum vmbus_gpadl_result result = vmbus_gpadl_header(c->gpadls, message, size, &gpadl);
        return gpadl_answer(c, message, result, gpadl);
    }
    if (type == VMBUS_MSG_GPADL_BODY) {
        enum vmbus_gpadl_result result = vmbus_gpadl_body(c->gpadls, message, size, &gpadl);
        return gpadl_answer(c, message, result, gpadl);
    }
    return message_table[type].handle && size >= message_table[type].size_min &&
           message_table[type].handle(c, message);
}

/* --- the service ---------------------------------------------------------------- */

static void on_child_message(unsigned child, uint32_t connection, const void *payload, uint32_t size)
{
    (void)connection; /* 1 and 4 are the same door; 4 is there since VMBus 5.0 */
    if (child >= SVC_CHILDREN_MAX || !connections[child].exists)
        return;
    if (!message_handle(&connections[child], payload, size))
        svc_count(LAB_PROTOCOL_VIOLATIONS, 1);
}

static void server_init(void)
{
    connections = svc_alloc(SVC_CHILDREN_MAX * sizeof *connections, 64);
    svc_on_child_message(on_child_message);
}

static void server_child_created(unsigned child)
{
    struct vmbus_connection *c = &connections[child];
    c->child = child;
    c->exists = true;
    if (!c->gpadls)
        c->gpadls = svc_alloc(sizeof *c->gpadls, 64);
    c->gpadls->child = child;
}

static void server_child_deleted(unsigned child)
{
    struct vmbus_connection *c = &connections[child];
    connection_reset(c);
    for (unsigned i = 0; i < CHANNELS_MAX; i++)
        c->channel[i].state = VMBUS_CHANNEL_UNUSED;
    c->exists = false;
}

const struct svc_class vmbus_service = {
    .name = "vmbus",
    .init = server_init,
    .child_created = server_child_created,
    .child_deleted = server_child_deleted,
};
