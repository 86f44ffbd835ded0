#include "guests/mini/netvsc.h"

#include "spec/vmbus/nvsp.h"
#include "spec/vmbus/rndis.h"
#include "vmbus/bytes.h"
#include "vmbus/packet.h"

enum {
    PAGE = 4096,
    SEND_SIZE = 128 * 6144,
    RECEIVE_SIZE = 2 << 20,
    RECEIVE_SIZE_JUMBO = 4 << 20,
    MTU_JUMBO = 1900,
    HEADER = sizeof(struct rndis_packet),
    HEADER_STRIDE = 64,
};

/* Transaction ids: what a completion is about. */
enum {
    ID_SECTION = 1,          /* + section of the send buffer */
    ID_DIRECT = 0x10000,     /* + slot */
    ID_NVSP = 0x20000,       /* requests of ours */
    ID_CONTROL = 0x20001,
    ID_PATH = 0x20002,
    ID_NONE = 0x20003,       /* no answer wanted */
};

static const uint32_t versions[] = {
    NVSP_VERSION_61, NVSP_VERSION_6, NVSP_VERSION_5, NVSP_VERSION_4, NVSP_VERSION_2, NVSP_VERSION_1,
};

void netvsc_init(struct netvsc *n, uint32_t mtu, const struct netvsc_handler *handler, void *ctx)
{
    bytes_zero(n, sizeof *n);
    n->mtu = mtu;
    n->handler = handler;
    n->ctx = ctx;
}

static void fail(struct netvsc *n, const char *why)
{
    n->state = NETVSC_FAILED;
    n->failure = why;
}

static uint64_t gpa(const struct netvsc *n, const void *p)
{
    const struct vmbus_client *client = n->channel->client;
    return client->host->gpa(client->host_ctx, p);
}

static void *pages(const struct netvsc *n, uint32_t size)
{
    const struct vmbus_client *client = n->channel->client;
    return client->host->pages(client->host_ctx, (size + PAGE - 1) / PAGE);
}

/* --- NVSP requests ------------------------------------------------------------------------ */

static void send_nvsp(struct netvsc *n, const struct nvsp_message *message, uint64_t id)
{
    struct vmbus_send send = {
        .type = VMBUS_PACKET_INBAND, .transaction = id, .payload = message, .payload_size = sizeof *message,
        .flags = id == ID_NONE ? 0 : VMBUS_PACKET_COMPLETION_REQUESTED,
    };
    if (!vmbus_ring_put(&n->channel->out, &send))
        fail(n, "no room for a control message");
    vmbus_client_publish(n->channel);
}

static void send_init(struct netvsc *n)
{
    if (n->version_index == sizeof versions / sizeof versions[0]) {
        fail(n, "no common NVSP version");
        return;
    }
    struct nvsp_message message = { .type = NVSP_INIT };
    message.init.min = message.init.max = versions[n->version_index];
    send_nvsp(n, &message, ID_NVSP);
}

static void send_configuration(struct netvsc *n)
{
    uint32_t version = versions[n->version_index];
    if (version >= NVSP_VERSION_2) {
        struct nvsp_message config = { .type = NVSP_NDIS_CONFIG };
        config.ndis_config.mtu = n->mtu + 14;
        config.ndis_config.capabilities_low =
            NVSP_CAPABILITY_8021Q | (version >= NVSP_VERSION_5 ? NVSP_CAPABILITY_SRIOV : 0);
        send_nvsp(n, &config, ID_NONE);
    }
    struct nvsp_message ndis = { .type = NVSP_NDIS_VERSION };
    ndis.ndis_version.major = 6;
    ndis.ndis_version.minor = version > NVSP_VERSION_4 ? 30 : 1;
    send_nvsp(n, &ndis, ID_NONE);
}

static void send_buffer(struct netvsc *n, uint32_t type, uint32_t gpadl, uint16_t id)
{
    struct nvsp_message message = { .type = type };
    message.buffer.gpadl = gpadl;
    message.buffer.id = id;
    send_nvsp(n, &message, ID_NVSP);
}

void netvsc_switch_path(struct netvsc *n, bool to_vf)
{
    struct nvsp_message message = { .type = NVSP_SWITCH_DATA_PATH };
    message.data_path.path = to_vf ? NVSP_PATH_VF : NVSP_PATH_SYNTHETIC;
    send_nvsp(n, &message, ID_PATH);
}

/* --- RNDIS requests -------------------------------------------------------------------------- */

/* An RNDIS message that lies at 'header', followed by 'frame' elsewhere (or none), in GPA-direct ranges. */
static bool send_direct(struct netvsc *n, uint32_t channel, const void *header, uint32_t header_size,
                        const uint8_t *frame, uint32_t frame_size, uint64_t id)
{
    struct {
        struct vmbus_gpa_direct_header head;
        uint64_t words[16];
    } descriptor = { .head = { .range_count = frame_size ? 2 : 1 } };
    unsigned used = 0;
    uint64_t at = gpa(n, header);
    descriptor.words[used++] = header_size | (at % PAGE) << 32;
    descriptor.words[used++] = at / PAGE;
    if (frame_size) {
        at = gpa(n, frame);
        descriptor.words[used++] = frame_size | (at % PAGE) << 32;
        for (uint64_t page = at / PAGE; page <= (at + frame_size - 1) / PAGE; page++)
            descriptor.words[used++] = page;
    }
    struct nvsp_message message = { .type = NVSP_SEND_RNDIS };
    message.rndis.channel = channel;
    message.rndis.section = (uint32_t)NVSP_SECTION_NONE;
    struct vmbus_send send = {
        .type = VMBUS_PACKET_GPA_DIRECT, .flags = VMBUS_PACKET_COMPLETION_REQUESTED, .transaction = id,
        .descriptor = &descriptor, .descriptor_size = (uint32_t)sizeof descriptor.head + used * 8,
        .payload = &message, .payload_size = sizeof message,
    };
    return vmbus_ring_put(&n->channel->out, &send);
}

static void send_control(struct netvsc *n, const void *request, uint32_t size)
{
    bytes_copy(n->control, request, size);
    if (!send_direct(n, NVSP_CHANNEL_CONTROL, n->control, size, NULL, 0, ID_CONTROL))
        fail(n, "no room for an RNDIS request");
    vmbus_client_publish(n->channel);
}

static void send_rndis_initialize(struct netvsc *n)
{
    struct rndis_initialize request = {
        .header = { RNDIS_INITIALIZE, sizeof request }, .request = ++n->request, .major = 1,
        .max_transfer_size = 0x4000,
    };
    send_control(n, &request, sizeof request);
}

static void send_query(struct netvsc *n, uint32_t oid)
{
    struct rndis_query request = {
        .header = { RNDIS_QUERY, sizeof request }, .request = ++n->request, .oid = oid,
        .info_offset = sizeof request - sizeof request.header,
    };
    send_control(n, &request, sizeof request);
}

static void send_filter(struct netvsc *n, uint32_t filter)
{
    struct { struct rndis_query set; uint32_t filter; } request = {
        .set = { .header = { RNDIS_SET, sizeof request }, .request = ++n->request,
                 .oid = RNDIS_OID_GEN_CURRENT_PACKET_FILTER, .info_length = sizeof filter,
                 .info_offset = sizeof request.set - sizeof request.set.header },
        .filter = filter,
    };
    send_control(n, &request, sizeof request);
}

/* --- the chain --------------------------------------------------------------------------------- */

static void offered(void *ctx, struct vmbus_client_channel *channel)
{
    struct netvsc *n = ctx;
    if (n->state != NETVSC_DOWN)
        return; /* one device is enough for this guest */
    n->channel = channel;
    n->client = channel->client;
    n->state = NETVSC_STARTING;
    vmbus_client_open(channel, NETVSC_RING_PAGES);
}

static void opened(void *ctx, bool ok)
{
    struct netvsc *n = ctx;
    if (!ok) {
        fail(n, "the channel was not opened");
        return;
    }
    n->control = pages(n, PAGE);
    send_init(n);
}

static void on_init_complete(struct netvsc *n, const struct nvsp_message *m)
{
    if (m->init_complete.status != NVSP_STATUS_SUCCESS) {
        n->version_index++;
        send_init(n);
        return;
    }
    send_configuration(n);
    n->receive_size = n->mtu > MTU_JUMBO ? RECEIVE_SIZE_JUMBO : RECEIVE_SIZE;
    n->receive = pages(n, n->receive_size);
    n->receive_gpadl = n->client->next_gpadl; /* the answer may come before we return */
    vmbus_client_gpadl(n->channel, n->receive, n->receive_size);
}

static void gpadl_created(void *ctx, uint32_t gpadl, bool ok)
{
    struct netvsc *n = ctx;
    if (!ok)
        fail(n, "a buffer was refused");
    else if (gpadl == n->receive_gpadl)
        send_buffer(n, NVSP_SEND_RECEIVE_BUFFER, gpadl, NVSP_RECEIVE_BUFFER_ID);
    else if (gpadl == n->send_gpadl)
        send_buffer(n, NVSP_SEND_SEND_BUFFER, gpadl, NVSP_SEND_BUFFER_ID);
}

static void on_receive_buffer_complete(struct netvsc *n, const struct nvsp_message *m)
{
    if (m->receive_buffer_complete.status != NVSP_STATUS_SUCCESS) {
        fail(n, "the receive buffer was refused");
        return;
    }
    n->send_size = SEND_SIZE;
    n->send = pages(n, n->send_size);
    n->send_gpadl = n->client->next_gpadl;
    vmbus_client_gpadl(n->channel, n->send, n->send_size);
}

static void on_send_buffer_complete(struct netvsc *n, const struct nvsp_message *m)
{
    uint32_t size = m->send_buffer_complete.section_size;
    if (m->send_buffer_complete.status != NVSP_STATUS_SUCCESS || size < HEADER + NETVSC_FRAME_MIN ||
        size > n->send_size) {
        fail(n, "the send buffer was refused");
        return;
    }
    n->section_size = size;
    n->section_count = n->send_size / size < NETVSC_SECTIONS_MAX ? n->send_size / size : NETVSC_SECTIONS_MAX;
    for (unsigned i = n->section_count; i > 0; i--)
        n->section_free[n->section_free_count++] = (uint16_t)(i - 1);
    n->direct_header = pages(n, PAGE);
    for (unsigned i = NETVSC_DIRECT_MAX; i > 0; i--)
        n->direct_free[n->direct_free_count++] = (uint16_t)(i - 1);
    send_rndis_initialize(n);
}

static void on_query_complete(struct netvsc *n, const uint8_t *bytes, uint32_t size)
{
    struct rndis_query_complete answer;
    if (size < sizeof answer)
        return;
    bytes_copy(&answer, bytes, sizeof answer);
    uint64_t at = (uint64_t)sizeof answer.header + answer.info_offset;
    if (answer.status != RNDIS_STATUS_SUCCESS || at + answer.info_length > size) {
        fail(n, "a query was refused");
        return;
    }
    if (answer.info_length == sizeof n->mtu) {
        if (load32(bytes + at) < n->mtu)
            n->mtu = load32(bytes + at);
        send_query(n, RNDIS_OID_802_3_PERMANENT_ADDRESS);
    } else if (answer.info_length == sizeof n->mac) {
        bytes_copy(n->mac, bytes + at, sizeof n->mac);
        send_filter(n, RNDIS_FILTER_DIRECTED | RNDIS_FILTER_ALL_MULTICAST | RNDIS_FILTER_BROADCAST);
    }
}

static void on_control(struct netvsc *n, const uint8_t *bytes, uint32_t size)
{
    struct rndis_status_complete answer;
    if (size < sizeof answer)
        return;
    bytes_copy(&answer, bytes, sizeof answer);
    if (answer.request != n->request || n->state != NETVSC_STARTING)
        return;
    switch (answer.header.type) {
    case RNDIS_INITIALIZE | RNDIS_COMPLETION:
        send_query(n, RNDIS_OID_GEN_MAXIMUM_FRAME_SIZE);
        break;
    case RNDIS_QUERY | RNDIS_COMPLETION:
        on_query_complete(n, bytes, size);
        break;
    case RNDIS_SET | RNDIS_COMPLETION:
        if (answer.status != RNDIS_STATUS_SUCCESS) {
            fail(n, "the packet filter was refused");
            break;
        }
        n->state = NETVSC_READY;
        n->handler->ready(n->ctx);
        break;
    }
}

/* --- receiving ----------------------------------------------------------------------------------- */

static void complete(struct netvsc *n, uint64_t transaction)
{
    struct nvsp_message done = { .type = NVSP_SEND_RNDIS_COMPLETE, .rndis_complete.status = NVSP_STATUS_SUCCESS };
    struct vmbus_send send = {
        .type = VMBUS_PACKET_COMPLETION, .transaction = transaction, .payload = &done, .payload_size = sizeof done,
    };
    if (!vmbus_ring_put(&n->channel->out, &send))
        n->violations++; /* the parent lets its ring fill up: cannot happen while it reads */
}

/* The frame in an RNDIS data message in the receive buffer. */
static bool frame_of(const struct netvsc *n, uint32_t offset, uint32_t size, struct svc_packet *packet)
{
    struct rndis_packet header;
    if (size < sizeof header)
        return false;
    bytes_copy(&header, n->receive + offset, sizeof header);
    uint64_t at = (uint64_t)sizeof header.header + header.data_offset;
    if (header.header.type != RNDIS_PACKET || at + header.data_length > size)
        return false;
    *packet = (struct svc_packet){ .data = n->receive + offset + at, .length = header.data_length };
    return true;
}

static void on_transfer(struct netvsc *n, const struct vmbus_packet *packet, bool control)
{
    struct svc_packet batch[NETVSC_RANGES_MAX];
    unsigned count = 0;
    for (uint32_t i = 0; i < packet->range_count; i++) {
        struct vmbus_transfer_range range = vmbus_packet_transfer_range(packet, i);
        if (range.byte_offset > n->receive_size || range.byte_count > n->receive_size - range.byte_offset)
            n->violations++;
        else if (control)
            on_control(n, n->receive + range.byte_offset, range.byte_count);
        else if (count == NETVSC_RANGES_MAX || !frame_of(n, range.byte_offset, range.byte_count, &batch[count]))
            n->violations++;
        else
            count++;
    }
    if (count > 0)
        n->handler->receive(n->ctx, batch, count);
    complete(n, packet->transaction);
}

/* --- completions ------------------------------------------------------------------------------------ */

static void on_nvsp_completion(struct netvsc *n, const struct nvsp_message *m)
{
    switch (m->type) {
    case NVSP_INIT_COMPLETE:
        on_init_complete(n, m);
        break;
    case NVSP_SEND_RECEIVE_BUFFER_COMPLETE:
        on_receive_buffer_complete(n, m);
        break;
    case NVSP_SEND_SEND_BUFFER_COMPLETE:
        on_send_buffer_complete(n, m);
        break;
    default:
        n->violations++;
        break;
    }
}

static void on_completion(struct netvsc *n, const struct vmbus_packet *packet, const struct nvsp_message *m)
{
    uint64_t id = packet->transaction;
    if (id >= ID_SECTION && id < ID_SECTION + n->section_count && n->section_busy[id - ID_SECTION]) {
        n->section_busy[id - ID_SECTION] = 0;
        n->section_free[n->section_free_count++] = (uint16_t)(id - ID_SECTION);
        n->sent++;
    } else if (id >= ID_DIRECT && id < ID_DIRECT + NETVSC_DIRECT_MAX && n->direct_busy[id - ID_DIRECT]) {
        n->direct_busy[id - ID_DIRECT] = 0;
        n->direct_free[n->direct_free_count++] = (uint16_t)(id - ID_DIRECT);
        n->sent++;
    } else if (id == ID_NVSP) {
        on_nvsp_completion(n, m);
    } else if (id == ID_PATH) {
        n->handler->path(n->ctx);
    } else if (id != ID_CONTROL) {
        n->violations++;
    }
}

static void on_packet(struct netvsc *n, uint32_t size)
{
    struct vmbus_packet packet;
    struct nvsp_message message;
    if (!vmbus_packet_parse(n->packet, size, &packet)) {
        n->violations++;
        return;
    }
    bytes_zero(&message, sizeof message);
    bytes_copy(&message, packet.payload,
               packet.payload_size < sizeof message ? packet.payload_size : sizeof message);
    if (packet.type == VMBUS_PACKET_COMPLETION)
        on_completion(n, &packet, &message);
    else if (packet.type == VMBUS_PACKET_TRANSFER_PAGES && message.type == NVSP_SEND_RNDIS)
        on_transfer(n, &packet, message.rndis.channel == NVSP_CHANNEL_CONTROL);
    else if (packet.type == VMBUS_PACKET_INBAND && message.type == NVSP_VF_ASSOCIATION)
        n->handler->vf(n->ctx, message.vf_association.allocated != 0);
    else
        n->violations++;
}

static void signalled(void *ctx)
{
    struct netvsc *n = ctx;
    uint32_t size;
    do {
        vmbus_ring_mask(&n->channel->in);
        enum vmbus_ring_result result;
        while ((result = vmbus_ring_get(&n->channel->in, n->packet, sizeof n->packet, &size)) == VMBUS_RING_PACKET)
            on_packet(n, size);
        if (result == VMBUS_RING_BROKEN) {
            fail(n, "the parent broke the ring");
            return;
        }
        vmbus_client_release(n->channel);
        vmbus_client_publish(n->channel);
    } while (vmbus_ring_unmask(&n->channel->in));
    if (n->wants_room && n->state == NETVSC_READY) {
        n->wants_room = false;
        n->handler->room(n->ctx);
    }
}

static void rescinded(void *ctx)
{
    fail(ctx, "the parent took the device away");
}

const struct vmbus_client_driver netvsc_driver = {
    .type = VMBUS_GUID_NETWORK,
    .offered = offered,
    .opened = opened,
    .gpadl_created = gpadl_created,
    .signalled = signalled,
    .rescinded = rescinded,
};

/* --- sending ------------------------------------------------------------------------------------------ */

static void fill_header(struct rndis_packet *header, uint32_t length)
{
    *header = (struct rndis_packet){
        .header = { RNDIS_PACKET, HEADER + length },
        .data_offset = HEADER - sizeof header->header,
        .data_length = length,
    };
}

static bool send_section(struct netvsc *n, const struct svc_packet *packet)
{
    uint32_t length = packet->length < NETVSC_FRAME_MIN ? NETVSC_FRAME_MIN : packet->length;
    if (n->section_free_count == 0)
        return false;
    uint32_t section = n->section_free[n->section_free_count - 1];
    struct rndis_packet header;
    struct nvsp_message message = { .type = NVSP_SEND_RNDIS };
    message.rndis.channel = NVSP_CHANNEL_DATA;
    message.rndis.section = section;
    message.rndis.section_size = HEADER + length;
    struct vmbus_send send = {
        .type = VMBUS_PACKET_INBAND, .flags = VMBUS_PACKET_COMPLETION_REQUESTED,
        .transaction = ID_SECTION + section, .payload = &message, .payload_size = sizeof message,
    };
    if (vmbus_ring_room(&n->channel->out) <= vmbus_ring_packet_size(0, sizeof message))
        return false;
    uint8_t *to = n->send + (size_t)section * n->section_size;
    fill_header(&header, length);
    bytes_copy(to, &header, sizeof header);
    svc_copy(to + HEADER, packet->data, packet->length);
    bytes_zero(to + HEADER + packet->length, length - packet->length);
    n->section_free_count--;
    n->section_busy[section] = 1;
    return vmbus_ring_put(&n->channel->out, &send);
}

static bool send_in_place(struct netvsc *n, const struct svc_packet *packet)
{
    if (n->direct_free_count == 0)
        return false;
    unsigned slot = n->direct_free[n->direct_free_count - 1];
    uint8_t *header = n->direct_header + slot * HEADER_STRIDE;
    fill_header((struct rndis_packet *)header, packet->length);
    if (!send_direct(n, NVSP_CHANNEL_DATA, header, HEADER, packet->data, packet->length, ID_DIRECT + slot))
        return false;
    n->direct_free_count--;
    n->direct_busy[slot] = 1;
    return true;
}

unsigned netvsc_send(struct svc_packet *batch, unsigned count, struct netvsc *n)
{
    unsigned taken = 0;
    for (; taken < count && n->state == NETVSC_READY; taken++) {
        const struct svc_packet *packet = &batch[taken];
        bool ok = packet->length + HEADER <= n->section_size ? send_section(n, packet) : send_in_place(n, packet);
        if (!ok) {
            n->wants_room = true;
            vmbus_ring_wait_for_room(&n->channel->out, vmbus_ring_packet_size(160, sizeof(struct nvsp_message)));
            break;
        }
    }
    vmbus_client_publish(n->channel);
    return taken;
}
