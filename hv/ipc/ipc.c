/* Ports and connections; see ipc.h. */
#include "hv/ipc/ipc.h"

#include "hv/partition/partition.h"
#include "hv/svc/svc_hv.h"
#include "hv/vp/vp.h"

static struct port *find_port(struct partition *p, uint32_t id)
{
    for (unsigned i = 0; p->ports && i < PORTS_MAX; i++)
        if (p->ports->port[i].used && p->ports->port[i].id == id)
            return &p->ports->port[i];
    return NULL;
}

/* Open addressing over the id; a deleted entry is CONNECTION_NONE with the id kept, so that chains hold. */
static struct connection *find_connection(struct partition *p, uint32_t id)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections.connection[(id + i) % CONNECTIONS_MAX];
        if (c->kind == CONNECTION_NONE && c->id == 0)
            return NULL;
        if (c->kind != CONNECTION_NONE && c->id == id)
            return c;
    }
    return NULL;
}

static struct connection *new_connection(struct partition *p, uint32_t id)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections.connection[(id + i) % CONNECTIONS_MAX];
        if (c->kind == CONNECTION_NONE) {
            c->id = id;
            return c;
        }
    }
    return NULL;
}

static bool port_info_valid(const struct partition *p, const struct hv_port_info *info)
{
    if (info->type != HV_PORT_MESSAGE && info->type != HV_PORT_EVENT)
        return false;
    if (info->target_sint == 0 || info->target_sint >= HV_SINT_COUNT)
        return false;
    if (info->target_vp >= HV_VPS_PER_PARTITION || !p->vp[info->target_vp])
        return false;
    return info->type == HV_PORT_MESSAGE
        || (info->flag_count > 0 && info->base_flag + info->flag_count <= HV_EVENT_FLAGS_PER_SINT);
}

enum hv_status ipc_create_port(struct partition *p, uint32_t id, const struct hv_port_info *info)
{
    if (!p->ports)
        return HV_STATUS_ACCESS_DENIED;
    if (id & ~(uint32_t)HV_PORT_ID_MASK || find_port(p, id))
        return HV_STATUS_INVALID_PORT_ID;
    if (!port_info_valid(p, info))
        return HV_STATUS_INVALID_PARAMETER;
    for (unsigned i = 0; i < PORTS_MAX; i++) {
        struct port *port = &p->ports->port[i];
        if (!port->used) {
            *port = (struct port){ .used = true, .id = id, .info = *info };
            return HV_STATUS_SUCCESS;
        }
    }
    return HV_STATUS_NO_RESOURCES;
}

enum hv_status ipc_delete_port(struct partition *p, uint32_t id)
{
    struct port *port = find_port(p, id);
    if (!port)
        return HV_STATUS_INVALID_PORT_ID;
    if (port->connections)
        return HV_STATUS_OBJECT_IN_USE;
    port->used = false;
    return HV_STATUS_SUCCESS;
}

enum hv_status ipc_connect(struct partition *sender, uint32_t id, struct partition *receiver, uint32_t port_id,
                           uint32_t type)
{
    struct port *port = find_port(receiver, port_id);
    if (!port || port->info.type != type)
        return HV_STATUS_INVALID_PORT_ID;
    if (id == 0 || id & ~(uint32_t)HV_CONNECTION_ID_MASK || find_connection(sender, id))
        return HV_STATUS_INVALID_CONNECTION_ID;
    struct connection *c = new_connection(sender, id);
    if (!c)
        return HV_STATUS_NO_RESOURCES;
    c->port = port;
    c->kind = CONNECTION_PORT;
    port->connections++;
    return HV_STATUS_SUCCESS;
}

enum hv_status ipc_disconnect(struct partition *p, uint32_t id)
{
    struct connection *c = find_connection(p, id);
    if (!c)
        return HV_STATUS_INVALID_CONNECTION_ID;
    if (c->kind == CONNECTION_PORT)
        c->port->connections--;
    c->kind = CONNECTION_NONE;
    return HV_STATUS_SUCCESS;
}

void ipc_disconnect_all(struct partition *p)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &p->connections.connection[i];
        if (c->kind == CONNECTION_PORT)
            c->port->connections--;
        *c = (struct connection){ .kind = CONNECTION_NONE };
    }
}

bool ipc_bind_service(struct partition *p, uint32_t id, void (*handler)(void *ctx), void *ctx)
{
    if (id == 0 || find_connection(p, id))
        return false;
    struct connection *c = new_connection(p, id);
    if (!c)
        return false;
    c->handler = handler;
    c->ctx = ctx;
    c->kind = CONNECTION_SERVICE;
    return true;
}

bool ipc_find_service(struct partition *p, uint32_t id, void (**handler)(void *ctx), void **ctx)
{
    lock_take(&p->lock);
    const struct connection *c = find_connection(p, id);
    bool found = c && c->kind == CONNECTION_SERVICE;
    if (found) {
        *handler = c->handler;
        *ctx = c->ctx;
    }
    lock_release(&p->lock);
    return found;
}

enum hv_status ipc_post(struct vp *from, const struct hv_post_message *input)
{
    struct partition *p = from->partition;
    if (input->payload_size > HV_MESSAGE_PAYLOAD || input->reserved)
        return HV_STATUS_INVALID_PARAMETER;
    if (input->message_type == HV_MESSAGE_NONE || input->message_type >> 31)
        return HV_STATUS_INVALID_PARAMETER; /* the hypervisor's own types */
    if (svc_hv_takes_message(p, input->connection_id))
        return svc_hv_message(p, input->connection_id, input->message_type, input->payload, input->payload_size);

    lock_take(&p->lock);
    struct connection *c = find_connection(p, input->connection_id);
    struct vp *target = NULL;
    struct hv_message message = { .type = input->message_type, .payload_size = (uint8_t)input->payload_size };
    unsigned sint = 0;
    if (c && c->kind == CONNECTION_PORT && c->port->info.type == HV_PORT_MESSAGE) {
        target = hv.root->vp[c->port->info.target_vp];
        sint = c->port->info.target_sint;
        message.sender = c->port->id;
    }
    lock_release(&p->lock);
    if (!target)
        return HV_STATUS_INVALID_CONNECTION_ID;
    memcpy(message.payload, input->payload, input->payload_size);
    return synic_post(target, sint, &message);
}

enum hv_status ipc_signal(struct vp *from, uint32_t id, uint32_t flag)
{
    struct partition *p = from->partition;
    lock_take(&p->lock);
    struct connection *found = find_connection(p, id);
    struct connection c = found ? *found : (struct connection){ .kind = CONNECTION_NONE };
    struct hv_port_info info = c.kind == CONNECTION_PORT ? c.port->info : (struct hv_port_info){ 0 };
    lock_release(&p->lock);

    if (c.kind == CONNECTION_SERVICE)
        return svc_hv_signal(p, id);
    if (c.kind != CONNECTION_PORT || info.type != HV_PORT_EVENT)
        return HV_STATUS_INVALID_CONNECTION_ID;
    if (flag >= info.flag_count)
        return HV_STATUS_INVALID_PARAMETER;
    bool newly;
    return synic_signal(hv.root->vp[info.target_vp], info.target_sint, info.base_flag + flag, &newly);
}
