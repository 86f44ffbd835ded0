/* Giving frames to ports, and back to where they came from. */
#include "vswitch/vswitch_priv.h"

#include "services/netvsp.h"
#include "services/nicdrv.h"

/* A step that traces show, so it is never inlined. */
__attribute__((noinline)) void vsw_forward(struct svc_packet *batch, unsigned count, unsigned port)
{
    if (port == VSW_PORT_UPLINK)
        nicdrv_transmit(batch, count);
    else
        netvsp_deliver(batch, count, port - VSW_PORT_CHILD);
}

void vsw_port_put(struct vsw *vsw, unsigned number, const struct svc_packet *packet)
{
    struct vsw_port *port = &vsw->port[number];
    if (port->out_count == VSW_BATCH) {
        vsw_forward(port->out, VSW_BATCH, number);
        port->out_count = 0;
    }
    port->out[port->out_count++] = *packet;
}

void vsw_ports_flush(struct vsw *vsw)
{
    for (unsigned i = 0; i < VSW_PORTS_MAX; i++) {
        struct vsw_port *port = &vsw->port[i];
        if (port->out_count > 0)
            vsw_forward(port->out, port->out_count, i);
        port->out_count = 0;
    }
}

static void return_run(struct svc_packet *batch, unsigned count, unsigned port)
{
    if (port == VSW_PORT_UPLINK)
        nicdrv_returned(batch, count);
    else
        netvsp_sent(batch, count, port - VSW_PORT_CHILD);
}

/* Runs of plain frames with one origin go back together; shared ones when the last user is done. */
void vsw_give_back(struct vsw *vsw, struct svc_packet *batch, unsigned count)
{
    for (unsigned i = 0; i < count;) {
        if (batch[i].flags & VSW_PACKET_COPY) {
            vsw_copy_done(vsw, &batch[i++]);
            continue;
        }
        if (batch[i].flags & VSW_PACKET_SHARED) {
            vsw_unshare(vsw, batch[i++].owner);
            continue;
        }
        unsigned start = i;
        do
            i++;
        while (i < count && batch[i].port == batch[start].port &&
               !(batch[i].flags & (VSW_PACKET_SHARED | VSW_PACKET_COPY)));
        return_run(batch + start, i - start, batch[start].port);
    }
}

void vsw_output_done(struct svc_packet *batch, unsigned count)
{
    vsw_give_back(vsw_state, batch, count);
}

void vsw_drop(struct vsw *vsw, struct svc_packet *packet, unsigned reason)
{
    svc_count(reason, 1);
    vsw_give_back(vsw, packet, 1);
}

struct vsw_shared *vsw_share(struct vsw *vsw, const struct svc_packet *packet)
{
    struct vsw_shared *shared = vsw->shared_free;
    if (!shared)
        return NULL;
    vsw->shared_free = shared->next;
    shared->original = *packet;
    shared->users = 1; /* the one who shares */
    return shared;
}

void vsw_unshare(struct vsw *vsw, struct vsw_shared *shared)
{
    if (--shared->users > 0)
        return;
    struct svc_packet original = shared->original;
    shared->next = vsw->shared_free;
    vsw->shared_free = shared;
    return_run(&original, 1, original.port);
}
