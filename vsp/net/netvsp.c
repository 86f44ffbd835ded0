#include "vsp/net/netvsp.h"

#include "vsp/net/netvsp_priv.h"

/* The one mutable global of this service: its state, made by init (svc_class has no context). */
static struct netvsp *devices[SVC_CHILDREN_MAX];

struct netvsp *netvsp_of(unsigned child)
{
    return child < SVC_CHILDREN_MAX ? devices[child] : NULL;
}

bool netvsp_direct(const struct netvsp *n)
{
    return n->info.io == VSW_IO_VMQ;
}

static void stop(struct netvsp *n)
{
    if (n->info.io == VSW_IO_VF)
        vsw_port_path(n->child, NVSP_PATH_SYNTHETIC);
    netvsp_receive_stop(n);
    netvsp_transmit_stop(n);
}

void netvsp_violation(struct netvsp *n, const char *what)
{
    svc_count(LAB_PROTOCOL_VIOLATIONS, 1);
    if (!n->complained)
        svc_log("netvsp: child %u: %s; its network device is stopped\n", n->child, what);
    n->complained = true;
    if (n->state == NETVSP_BROKEN || n->state == NETVSP_CLOSED)
        return;
    stop(n);
    n->state = NETVSP_BROKEN;
}

void netvsp_poll_later(struct netvsp *n)
{
    svc_work_queue(&n->poll_work);
}

/* --- packets of the child ---------------------------------------------------------------- */

static bool handle_packet(struct netvsp *n, uint32_t size)
{
    struct vmbus_packet packet;
    struct nvsp_message message;
    if (!vmbus_packet_parse(n->packet, size, &packet))
        return false;
    if (packet.type == VMBUS_PACKET_COMPLETION)
        return netvsp_receive_completed(n, packet.transaction);
    if (packet.type == VMBUS_PACKET_TRANSFER_PAGES || packet.payload_size < sizeof message.type)
        return false;
    bytes_zero(&message, sizeof message);
    bytes_copy(&message, packet.payload,
               packet.payload_size < sizeof message ? packet.payload_size : sizeof message);
    if (message.type == NVSP_SEND_RNDIS)
        return netvsp_transmit_message(n, &message, &packet);
    return netvsp_nvsp(n, &message, &packet);
}

/* Takes packets until there is none, no room for what they need, or enough for once. False: come back later. */
static bool take_packets(struct netvsp *n)
{
    for (unsigned i = 0; i < NETVSP_BUDGET; i++) {
        uint32_t size;
        if (!netvsp_transmit_ready(n))
            return true; /* the packet waits in the ring; whoever makes room polls */
        switch (vmbus_ring_get(&n->channel->in, n->packet, sizeof n->packet, &size)) {
        case VMBUS_RING_EMPTY:
            return true;
        case VMBUS_RING_BROKEN:
            netvsp_violation(n, "broken ring");
            return true;
        case VMBUS_RING_PACKET:
            if (!handle_packet(n, size))
                netvsp_violation(n, "malformed packet");
            if (n->state == NETVSP_BROKEN)
                return true;
        }
    }
    return false;
}

static void poll(void *ctx)
{
    struct netvsp *n = ctx;
    if (n->state == NETVSP_CLOSED || n->state == NETVSP_BROKEN)
        return;
    vmbus_ring_mask(&n->channel->in);
    netvsp_transmit_answer(n);
    bool caught_up = take_packets(n);
    netvsp_transmit_flush(n);
    if (n->state == NETVSP_CLOSED || n->state == NETVSP_BROKEN)
        return;
    netvsp_receive_go_on(n);
    vmbus_channel_release(n->channel);
    vmbus_channel_publish(n->channel);
    if (!caught_up)
        netvsp_poll_later(n);
    else if (vmbus_ring_unmask(&n->channel->in) && netvsp_transmit_ready(n))
        netvsp_poll_later(n);
}

static void signalled(void *ctx)
{
    svc_count(LAB_INTERRUPTS, 1);
    poll(ctx);
}

/* --- channel and device ------------------------------------------------------------------- */

static bool opened(void *ctx)
{
    struct netvsp *n = ctx;
    n->state = NETVSP_OPEN;
    n->version = 0;
    n->capabilities = 0;
    n->filter = 0;
    n->vf_announced = false;
    return true;
}

static void closed(void *ctx)
{
    struct netvsp *n = ctx;
    if (n->state != NETVSP_BROKEN)
        stop(n);
    n->rx.base = n->tx.base = NULL; /* the server unmaps them */
    n->state = NETVSP_CLOSED;
}

static const struct vmbus_provider provider = { .opened = opened, .closed = closed, .signalled = signalled };
static const struct vmbus_guid network_type = VMBUS_GUID_NETWORK;

static void netvsp_child_created(unsigned child)
{
    struct vsw_port_info info;
    vsw_port_describe(child, &info);
    if (info.mtu == 0)
        return; /* no port, no network */
    struct netvsp *n = devices[child];
    if (!n) {
        n = devices[child] = svc_alloc(sizeof *n, 64);
        n->child = child;
        n->info = info;
        n->rx.waiting = svc_alloc(NETVSP_WAITING_MAX * sizeof *n->rx.waiting, 64);
        netvsp_transmit_prepare(n);
    }
    n->info = info;
    n->state = NETVSP_CLOSED;
    n->poll_work.run = poll;
    n->poll_work.ctx = n;
    struct vmbus_guid instance = {{ 0x4c, 0x41, 0x42, 0x4e, 0x45, 0x54, 0, 0x40, 0x80, 0, 0, 0, 0, 0, 0,
                                    (uint8_t)child }};
    n->channel = vmbus_offer(child, &network_type, &instance, &provider, n);
    if (!n->channel)
        svc_panic("netvsp: child %u has no channel left\n", child);
}

static void netvsp_child_deleted(unsigned child)
{
    struct netvsp *n = devices[child];
    if (!n || !n->channel)
        return;
    vmbus_rescind(n->channel);
    n->channel = NULL;
}

static void netvsp_init(void)
{
    for (unsigned i = 0; i < SVC_CHILDREN_MAX; i++)
        devices[i] = NULL;
}

const struct svc_class netvsp_service = {
    .name = "netvsp",
    .init = netvsp_init,
    .child_created = netvsp_child_created,
    .child_deleted = netvsp_child_deleted,
};
