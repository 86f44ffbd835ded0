/* What happens to a frame that came in: check, extend, decide. */
#include "vswitch/vswitch_priv.h"

enum { KEEP = LAB_COUNTER_COUNT }; /* no reason to drop */

/* --- check ------------------------------------------------------------------------ */

static unsigned check(const struct vsw_port *port, unsigned number, struct svc_packet *packet,
                      struct vsw_frame *frame)
{
    if (!vsw_parse(packet->data, packet->length, frame))
        return LAB_DROP_MALFORMED;
    if (vsw_mac_reserved(frame->destination))
        return LAB_DROP_RESERVED_MULTICAST;
    if (number == VSW_PORT_UPLINK)
        return KEEP;
    if (frame->source != port->mac)
        return LAB_DROP_SWITCH_SPOOF;
    if (port->info.vlan == 0)
        return KEEP;
    if (frame->tagged)
        return LAB_DROP_SWITCH_VLAN;
    vsw_tag_insert(packet, port->info.vlan);
    frame->tagged = true;
    frame->vid = port->info.vlan;
    return KEEP;
}

static bool extend(struct vsw *vsw, const struct svc_packet *packet, const struct vsw_frame *frame,
                   unsigned number)
{
    for (unsigned i = 0; i < vsw->extension_count; i++)
        if (!vsw->extension[i]->look(vsw->extension_state[i], packet, frame, number))
            return false;
    return true;
}

/* --- decide ----------------------------------------------------------------------- */

static bool member(const struct vsw_port *port, const struct vsw_frame *frame)
{
    return port->info.vlan == 0 || (frame->tagged && port->info.vlan == frame->vid);
}

/* Puts one frame to one port: stripped if the port is an access port. False: it needs a copy and there is none. */
static bool put(struct vsw *vsw, unsigned number, struct svc_packet packet)
{
    if (vsw->port[number].info.vlan != 0) {
        if ((packet.flags & VSW_PACKET_SHARED) && !vsw_copy_make(vsw, &packet))
            return false;
        vsw_tag_strip(&packet);
    }
    vsw_port_put(vsw, number, &packet);
    return true;
}

static void forward_one(struct vsw *vsw, unsigned number, struct svc_packet *packet,
                        const struct vsw_frame *frame)
{
    const struct vsw_port *port = &vsw->port[number];
    uint32_t limit = port->info.mtu + VSW_ETHER_HEADER + (frame->tagged ? VSW_VLAN_TAG : 0);
    if (!member(port, frame))
        vsw_drop(vsw, packet, LAB_DROP_SWITCH_VLAN);
    else if (packet->length > limit)
        vsw_drop(vsw, packet, LAB_DROP_OVERSIZE);
    else
        put(vsw, number, *packet);
}

/* A group address: every other port of the network that is not served by the card itself. */
static void forward_group(struct vsw *vsw, unsigned from, struct svc_packet *packet,
                          const struct vsw_frame *frame)
{
    uint8_t wanted[VSW_PORTS_MAX];
    unsigned count = 0;
    bool elsewhere = false; /* the card gave it to direct ports */
    for (unsigned i = 0; i < VSW_PORTS_MAX; i++) {
        const struct vsw_port *port = &vsw->port[i];
        if (i == from || !port->used || port->info.network != vsw->port[from].info.network)
            continue;
        if (port->direct)
            elsewhere = true;
        else if (port->ready && member(port, frame))
            wanted[count++] = (uint8_t)i;
    }
    if (count == 1) {
        forward_one(vsw, wanted[0], packet, frame);
        return;
    }
    if (count == 0) {
        if (elsewhere)
            vsw_give_back(vsw, packet, 1);
        else
            vsw_drop(vsw, packet, LAB_DROP_SWITCH_UNKNOWN);
        return;
    }
    struct vsw_shared *shared = vsw_share(vsw, packet);
    if (!shared) {
        vsw_drop(vsw, packet, LAB_DROP_NO_RECEIVE_BUFFER);
        return;
    }
    struct svc_packet each = *packet;
    each.flags |= VSW_PACKET_SHARED;
    each.owner = shared;
    for (unsigned i = 0; i < count; i++) {
        shared->users++;
        if (!put(vsw, wanted[i], each)) {
            svc_count(LAB_DROP_NO_RECEIVE_BUFFER, 1);
            shared->users--;
        }
    }
    vsw_unshare(vsw, shared);
}

static void decide(struct vsw *vsw, unsigned from, struct svc_packet *packet,
                   const struct vsw_frame *frame, uint64_t now)
{
    const struct vsw_port *source = &vsw->port[from];
    struct vsw_fdb *fdb = &vsw->fdb[source->info.network];
    if (from == VSW_PORT_UPLINK && !(frame->source & VSW_MAC_GROUP))
        vsw_fdb_learn(fdb, frame->source, (uint16_t)from, now);
    if (frame->destination & VSW_MAC_GROUP) {
        forward_group(vsw, from, packet, frame);
        return;
    }
    unsigned to = vsw_fdb_find(fdb, frame->destination, now);
    bool external = source->info.network == VSW_EXTERNAL;
    if (to == VSW_FDB_NONE || (vsw->port[to].direct && from != VSW_PORT_UPLINK))
        to = external ? VSW_PORT_UPLINK : VSW_FDB_NONE;
    if (to == VSW_FDB_NONE || to == from || !vsw->port[to].used)
        vsw_drop(vsw, packet, LAB_DROP_SWITCH_UNKNOWN);
    else if (!vsw->port[to].ready)
        vsw_drop(vsw, packet, LAB_DROP_CHANNEL_CLOSED);
    else
        forward_one(vsw, to, packet, frame);
}

void vsw_input(struct svc_packet *batch, unsigned count, unsigned from)
{
    struct vsw *vsw = vsw_state;
    uint64_t now = svc_now();
    for (unsigned i = 0; i < count; i++) {
        struct vsw_frame frame;
        struct svc_packet *packet = &batch[i];
        packet->port = (uint16_t)from;
        unsigned reason = check(&vsw->port[from], from, packet, &frame);
        if (reason == KEEP && !extend(vsw, packet, &frame, from))
            reason = LAB_DROP_SWITCH_FILTER;
        if (reason == KEEP)
            decide(vsw, from, packet, &frame, now);
        else
            vsw_drop(vsw, packet, reason);
    }
    vsw_ports_flush(vsw);
}
