#include "vmbus/client.h"

#include "vmbus/bytes.h"

/* Newest first, as Linux tries them. */
static const uint32_t versions[] = {
    VMBUS_VERSION_5_3, VMBUS_VERSION_5_2, VMBUS_VERSION_5_1, VMBUS_VERSION_5_0,
    VMBUS_VERSION_4_1, VMBUS_VERSION_4_0, VMBUS_VERSION_3_0, VMBUS_VERSION_2_4,
};
enum { VERSION_COUNT = sizeof versions / sizeof versions[0] };

void vmbus_client_init(struct vmbus_client *client, const struct vmbus_client_host *host,
                       void *host_ctx, const struct vmbus_client_driver *driver, void *driver_ctx)
{
    bytes_zero(client, sizeof *client);
    client->host = host;
    client->host_ctx = host_ctx;
    client->driver = driver;
    client->driver_ctx = driver_ctx;
    client->next_gpadl = VMBUS_CLIENT_FIRST_GPADL;
    client->message_connection = VMBUS_CONNECTION_MESSAGES;
}

static bool post(struct vmbus_client *client, const void *message, uint32_t size)
{
    return client->host->post_message(client->host_ctx, client->message_connection, message, size);
}

/* --- connecting ------------------------------------------------------------------ */

static void contact_next(struct vmbus_client *client)
{
    for (; client->version_index < VERSION_COUNT; client->version_index++) {
        client->version = versions[client->version_index];
        bool five = client->version >= VMBUS_VERSION_5_0;
        struct vmbus_msg_initiate_contact contact = {
            .header.type = VMBUS_MSG_INITIATE_CONTACT,
            .version = client->version,
            .target_vp = client->target_vp,
        };
        if (five)
            contact.five.sint = VMBUS_SINT;
        client->message_connection = five ? VMBUS_CONNECTION_MESSAGES_5 : VMBUS_CONNECTION_MESSAGES;
        client->state = VMBUS_CLIENT_CONTACTING;
        if (post(client, &contact, sizeof contact))
            return;
    }
    client->state = VMBUS_CLIENT_FAILED;
}

void vmbus_client_connect(struct vmbus_client *client, uint32_t target_vp)
{
    client->target_vp = target_vp;
    client->version_index = 0;
    contact_next(client);
}

void vmbus_client_unload(struct vmbus_client *client)
{
    struct vmbus_msg_header unload = { .type = VMBUS_MSG_UNLOAD };
    client->unloaded = false;
    post(client, &unload, sizeof unload);
}

static void on_version_response(struct vmbus_client *client, const void *message)
{
    struct vmbus_msg_version_response response;
    bytes_copy(&response, message, sizeof response);
    if (client->state != VMBUS_CLIENT_CONTACTING)
        return;
    if (!response.supported) {
        client->version_index++;
        contact_next(client);
        return;
    }
    client->state = VMBUS_CLIENT_CONNECTED;
    client->message_connection = client->version >= VMBUS_VERSION_5_0
                                     ? response.connection_id : VMBUS_CONNECTION_MESSAGES;
    struct vmbus_msg_header request = { .type = VMBUS_MSG_REQUEST_OFFERS };
    post(client, &request, sizeof request);
}

/* --- channels -------------------------------------------------------------------- */

static struct vmbus_client_channel *find(struct vmbus_client *client, uint32_t relid)
{
    for (unsigned i = 0; i < VMBUS_CLIENT_CHANNELS_MAX; i++)
        if (client->channel[i].state != VMBUS_CLIENT_CHANNEL_NONE && client->channel[i].relid == relid)
            return &client->channel[i];
    return NULL;
}

static void on_offer(struct vmbus_client *client, const void *message)
{
    struct vmbus_msg_offer offer;
    bytes_copy(&offer, message, sizeof offer);
    for (unsigned i = 0; i < sizeof offer.interface_type.bytes; i++)
        if (offer.interface_type.bytes[i] != client->driver->type.bytes[i])
            return;
    for (unsigned i = 0; i < VMBUS_CLIENT_CHANNELS_MAX; i++) {
        struct vmbus_client_channel *channel = &client->channel[i];
        if (channel->state != VMBUS_CLIENT_CHANNEL_NONE)
            continue;
        bytes_zero(channel, sizeof *channel);
        channel->state = VMBUS_CLIENT_CHANNEL_OFFERED;
        channel->client = client;
        channel->relid = offer.relid;
        channel->connection_id = offer.connection_id;
        client->driver->offered(client->driver_ctx, channel);
        return;
    }
}

static void on_rescind(struct vmbus_client *client, const void *message)
{
    struct vmbus_msg_relid rescind;
    bytes_copy(&rescind, message, sizeof rescind);
    struct vmbus_client_channel *channel = find(client, rescind.relid);
    if (!channel)
        return;
    channel->state = VMBUS_CLIENT_CHANNEL_GONE;
    client->driver->rescinded(client->driver_ctx);
    struct vmbus_msg_relid released = { .header.type = VMBUS_MSG_RELID_RELEASED, .relid = rescind.relid };
    post(client, &released, sizeof released);
    channel->state = VMBUS_CLIENT_CHANNEL_NONE;
}

uint32_t vmbus_client_gpadl(struct vmbus_client_channel *channel, const void *memory, uint32_t size)
{
    struct vmbus_client *client = channel->client;
    uint8_t message[VMBUS_MESSAGE_SIZE_MAX];
    uint32_t handle = client->next_gpadl++;
    uint32_t left = (size + VMBUS_PAGE_SIZE - 1) / VMBUS_PAGE_SIZE;
    struct vmbus_msg_gpadl_header header = {
        .header.type = VMBUS_MSG_GPADL_HEADER, .relid = channel->relid, .gpadl = handle,
        .range_buflen = (uint16_t)(8 + left * 8), .range_count = 1, .byte_count = size,
    };
    struct vmbus_msg_gpadl_body body = { .header.type = VMBUS_MSG_GPADL_BODY, .gpadl = handle };
    uint64_t page = client->host->gpa(client->host_ctx, memory) / VMBUS_PAGE_SIZE;
    uint32_t used = sizeof header, capacity = VMBUS_GPADL_HEADER_PAGES_MAX;
    bytes_copy(message, &header, sizeof header);
    while (left > 0) {
        uint32_t count = left < capacity ? left : capacity;
        for (uint32_t i = 0; i < count; i++, used += 8)
            store64(message + used, page++);
        post(client, message, used);
        left -= count;
        bytes_copy(message, &body, sizeof body);
        used = sizeof body;
        capacity = VMBUS_GPADL_BODY_PAGES_MAX;
    }
    return handle;
}

void vmbus_client_gpadl_teardown(struct vmbus_client_channel *channel, uint32_t gpadl)
{
    struct vmbus_msg_gpadl_teardown teardown = {
        .header.type = VMBUS_MSG_GPADL_TEARDOWN, .relid = channel->relid, .gpadl = gpadl,
    };
    post(channel->client, &teardown, sizeof teardown);
}

void vmbus_client_open(struct vmbus_client_channel *channel, uint32_t ring_pages)
{
    struct vmbus_client *client = channel->client;
    uint8_t *memory = client->host->pages(client->host_ctx, 2 * ring_pages);
    uint32_t bytes = ring_pages * VMBUS_PAGE_SIZE;
    channel->ring_pages = ring_pages;
    vmbus_ring_attach(&channel->out, memory, ring_pages);
    vmbus_ring_attach(&channel->in, memory + bytes, ring_pages);
    channel->out.header->feature_bits = VMBUS_RING_FEATURE_PENDING_SEND_SIZE;
    channel->in.header->feature_bits = VMBUS_RING_FEATURE_PENDING_SEND_SIZE;
    channel->state = VMBUS_CLIENT_CHANNEL_RING_GPADL;
    channel->ring_gpadl = client->next_gpadl; /* known before the answer can arrive */
    vmbus_client_gpadl(channel, memory, 2 * bytes);
}

void vmbus_client_close(struct vmbus_client_channel *channel)
{
    struct vmbus_msg_relid close = { .header.type = VMBUS_MSG_CLOSE_CHANNEL, .relid = channel->relid };
    post(channel->client, &close, sizeof close);
    channel->state = VMBUS_CLIENT_CHANNEL_OFFERED;
    vmbus_client_gpadl_teardown(channel, channel->ring_gpadl);
}

static void on_gpadl_created(struct vmbus_client *client, const void *message)
{
    struct vmbus_msg_gpadl_created created;
    bytes_copy(&created, message, sizeof created);
    struct vmbus_client_channel *channel = find(client, created.relid);
    if (!channel)
        return;
    bool ok = created.status == 0;
    if (channel->state != VMBUS_CLIENT_CHANNEL_RING_GPADL || created.gpadl != channel->ring_gpadl) {
        client->driver->gpadl_created(client->driver_ctx, created.gpadl, ok);
        return;
    }
    if (!ok) {
        channel->state = VMBUS_CLIENT_CHANNEL_OFFERED;
        client->driver->opened(client->driver_ctx, false);
        return;
    }
    channel->state = VMBUS_CLIENT_CHANNEL_OPENING;
    struct vmbus_msg_open open = {
        .header.type = VMBUS_MSG_OPEN_CHANNEL, .relid = channel->relid, .open_id = channel->relid,
        .ring_gpadl = channel->ring_gpadl, .target_vp = client->target_vp,
        .downstream_page = channel->ring_pages,
    };
    post(client, &open, sizeof open);
}

static void on_open_result(struct vmbus_client *client, const void *message)
{
    struct vmbus_msg_open_result result;
    bytes_copy(&result, message, sizeof result);
    struct vmbus_client_channel *channel = find(client, result.relid);
    if (!channel || channel->state != VMBUS_CLIENT_CHANNEL_OPENING)
        return;
    channel->state = result.status == 0 ? VMBUS_CLIENT_CHANNEL_OPEN : VMBUS_CLIENT_CHANNEL_OFFERED;
    client->driver->opened(client->driver_ctx, result.status == 0);
}

/* --- events ---------------------------------------------------------------------- */

static void on_unload_response(struct vmbus_client *client, const void *message)
{
    (void)message;
    client->unloaded = true;
    client->state = VMBUS_CLIENT_IDLE;
    for (unsigned i = 0; i < VMBUS_CLIENT_CHANNELS_MAX; i++)
        client->channel[i].state = VMBUS_CLIENT_CHANNEL_NONE;
}

static void ignore(struct vmbus_client *client, const void *message)
{
    (void)client;
    (void)message;
}

static const struct {
    uint32_t size_min;
    void (*handle)(struct vmbus_client *, const void *message);
} message_table[VMBUS_MSG_COUNT] = {
    [VMBUS_MSG_OFFER_CHANNEL] = { sizeof(struct vmbus_msg_offer), on_offer },
    [VMBUS_MSG_RESCIND_OFFER] = { sizeof(struct vmbus_msg_relid), on_rescind },
    [VMBUS_MSG_ALL_OFFERS_DELIVERED] = { sizeof(struct vmbus_msg_header), ignore },
    [VMBUS_MSG_OPEN_RESULT] = { sizeof(struct vmbus_msg_open_result), on_open_result },
    [VMBUS_MSG_GPADL_CREATED] = { sizeof(struct vmbus_msg_gpadl_created), on_gpadl_created },
    [VMBUS_MSG_GPADL_TORNDOWN] = { sizeof(struct vmbus_msg_gpadl_torndown), ignore },
    [VMBUS_MSG_VERSION_RESPONSE] = { sizeof(struct vmbus_msg_version_response), on_version_response },
    [VMBUS_MSG_UNLOAD_RESPONSE] = { sizeof(struct vmbus_msg_header), on_unload_response },
    [VMBUS_MSG_MODIFY_CHANNEL_RESPONSE] = { sizeof(struct vmbus_msg_modify_channel_response), ignore },
};

void vmbus_client_message(struct vmbus_client *client, const void *payload, uint32_t size)
{
    uint32_t type = size >= sizeof(struct vmbus_msg_header) ? load32(payload) : VMBUS_MSG_INVALID;
    if (type >= VMBUS_MSG_COUNT || !message_table[type].handle || size < message_table[type].size_min) {
        client->unknown_messages++;
        return;
    }
    message_table[type].handle(client, payload);
}

void vmbus_client_flag(struct vmbus_client *client, uint32_t flag)
{
    struct vmbus_client_channel *channel = find(client, flag);
    if (channel && channel->state == VMBUS_CLIENT_CHANNEL_OPEN)
        client->driver->signalled(client->driver_ctx);
}

void vmbus_client_publish(struct vmbus_client_channel *channel)
{
    if (channel->out.index == channel->out.shown)
        return;
    if (vmbus_ring_publish(&channel->out)) {
        channel->signals_sent++;
        channel->client->host->signal_event(channel->client->host_ctx, channel->connection_id);
    } else {
        channel->signals_saved++;
    }
}

void vmbus_client_release(struct vmbus_client_channel *channel)
{
    if (vmbus_ring_release(&channel->in)) {
        channel->signals_sent++;
        channel->client->host->signal_event(channel->client->host_ctx, channel->connection_id);
    }
}
