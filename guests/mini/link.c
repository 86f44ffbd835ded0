#include "guests/mini/link.h"

#include "guests/mini/cpu.h"
#include "guests/mini/hyper.h"
#include "guests/mini/lab.h"
#include "guests/mini/mini.h"
#include "vmbus/bytes.h"

enum { BATCH = 64, VF_GIVE_UP = 20000000 /* two seconds [100 ns] */, VF_POLL = 200 /* [100 ns] */ };
#define MAC_MASK 0xFFFFFFFFFFFFull
#define MAC_GROUP 1ull /* bit 0 of the first byte */

/* --- filters --------------------------------------------------------------------------- */

static uint64_t destination(const struct svc_packet *packet)
{
    return load64(packet->data) & MAC_MASK; /* a frame has at least 14 bytes */
}

/* 01:80:C2:00:00:00..2F, bytes in memory order. */
static bool reserved(uint64_t mac)
{
    return (mac & 0xFFFFFFFFFFull) == 0x0000C28001ull && mac >> 40 <= 0x2F;
}

void mini_link_receive(struct svc_packet *batch, unsigned count, struct link *link)
{
    struct svc_packet ours[BATCH];
    unsigned kept = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t to = batch[i].length >= 14 ? destination(&batch[i]) : 0;
        if (batch[i].length < 14)
            lab_count(LAB_DROP_MALFORMED, 1);
        else if (reserved(to))
            lab_count(LAB_DROP_RESERVED_MULTICAST, 1);
        else if (!(to & MAC_GROUP) && to != link->mac)
            lab_count(LAB_DROP_NOT_FOR_ME, 1);
        else
            ours[kept++] = batch[i];
        if (kept == BATCH || (i + 1 == count && kept > 0)) {
            link->mini->work->receive(link->mini, ours, kept);
            kept = 0;
        }
    }
}

/* --- sending ------------------------------------------------------------------------------ */

static unsigned device_send(struct link *link, struct svc_packet *batch, unsigned count)
{
    if (count == 0)
        return 0;
    unsigned taken = link->path == LINK_VF ? vf_send(batch, count, &link->vf) : netvsc_send(batch, count, &link->netvsc);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < taken; i++)
        bytes += batch[i].length;
    lab_count(LAB_SENT, taken);
    lab_count(LAB_SENT_BYTES, bytes);
    return taken;
}

/* The MTU bounds what follows the Ethernet header; a VLAN tag does not count. */
static bool too_long(const struct link *link, const struct svc_packet *packet)
{
    enum { HEADER = 14, TAG = 4, TYPE = 12 };
    bool tagged = packet->length >= HEADER + TAG && packet->data[TYPE] == 0x81 && packet->data[TYPE + 1] == 0x00;
    return packet->length > link->mtu + HEADER + (tagged ? TAG : 0);
}

/* Frames that are not sent on any path, and why; 0 = send it. */
static unsigned refused(const struct link *link, const struct svc_packet *packet)
{
    return reserved(destination(packet)) ? LAB_DROP_RESERVED_MULTICAST : too_long(link, packet) ? LAB_DROP_OVERSIZE : 0;
}

unsigned mini_link_send(struct svc_packet *batch, unsigned count, struct link *link)
{
    unsigned done = 0;
    while (done < count && link->up) {
        unsigned run = 0;
        while (done + run < count && !refused(link, &batch[done + run]))
            run++;
        unsigned taken = device_send(link, batch + done, run);
        done += taken;
        if (taken < run)
            break;
        if (done < count) {
            lab_count(refused(link, &batch[done]), 1);
            done++;
        }
    }
    return done;
}

uint64_t link_sent(const struct link *link)
{
    return link->netvsc.sent + link->vf.sent;
}

/* --- devices -------------------------------------------------------------------------------- */

static void on_receive(void *ctx, struct svc_packet *batch, unsigned count)
{
    mini_link_receive(batch, count, ctx);
}

static void on_room(void *ctx)
{
    struct link *link = ctx;
    if (link->mini->begun)
        link->mini->work->run(link->mini);
}

static const struct vf_handler vf_handler = { on_receive, on_room };

/* Once the parent has associated it, and our address is known. */
static void start_vf(struct link *link)
{
    const struct boot_info *info = link->mini->info;
    if (link->vf_associated && link->netvsc.state == NETVSC_READY && info->device_count > 0 &&
        link->vf.state == VF_NONE)
        vf_start(&link->vf, link->mini, &info->device[0], link->netvsc.mac, link->mtu, &vf_handler, link);
}

static void on_ready(void *ctx)
{
    struct link *link = ctx;
    link->mac = 0;
    bytes_copy(&link->mac, link->netvsc.mac, sizeof link->netvsc.mac);
    if (link->netvsc.mtu < link->mtu)
        link->mtu = link->netvsc.mtu;
    if (link->mini->info->device_count == 0)
        link->up = true;
    else
        link->give_up = hyper_now() + VF_GIVE_UP;
    start_vf(link);
}

/* NVSP's VF association: the function that was in the boot information is for this device. */
static void on_vf(void *ctx, bool present)
{
    struct link *link = ctx;
    link->vf_associated = present;
    if (!present && link->path != LINK_SYNTHETIC) {
        link->path = LINK_SYNTHETIC;
        link->vf.state = VF_NONE;
        netvsc_switch_path(&link->netvsc, false);
    }
    start_vf(link);
}

static void on_path(void *ctx)
{
    struct link *link = ctx;
    if (link->path == LINK_SWITCHING)
        link->path = LINK_VF;
    link->up = true;
}

static const struct netvsc_handler netvsc_handler = { on_ready, on_receive, on_room, on_vf, on_path };

void link_init(struct link *link, struct mini *mini, uint32_t mtu)
{
    bytes_zero(link, sizeof *link);
    link->mini = mini;
    link->mtu = mtu;
    netvsc_init(&link->netvsc, mtu, &netvsc_handler, link);
}

static void fall_back(struct link *link, const char *why)
{
    lab_log("mini: child %u stays on the synthetic path: %s\n", link->mini->number, why);
    if (link->path != LINK_SYNTHETIC)
        netvsc_switch_path(&link->netvsc, false);
    link->path = LINK_SYNTHETIC;
    link->vf.state = VF_NONE;
    link->give_up = 0;
    link->up = true;
}

void link_run(struct link *link)
{
    uint64_t now = hyper_now();
    if (link->netvsc.state == NETVSC_FAILED)
        lab_fail(link->netvsc.failure);
    if (link->vf.state == VF_RUNNING && link->path == LINK_SYNTHETIC) {
        link->path = LINK_SWITCHING;
        netvsc_switch_path(&link->netvsc, true);
    } else if (link->vf.state == VF_FAILED) {
        fall_back(link, link->vf.failure);
    } else if (!link->up && link->give_up != 0 && now > link->give_up) {
        fall_back(link, "no virtual function in time");
    }
    if (link->vf.state == VF_NONE)
        return;
    bool fired = cpu_fired(CPU_VECTOR_VF) | cpu_fired(CPU_VECTOR_VF + 1) | cpu_fired(CPU_VECTOR_VF + 2);
    if (link->vf.state != VF_RUNNING || fired)
        vf_run(&link->vf, now);
    if (link->vf.state != VF_RUNNING || link->path != LINK_VF)
        mini_wake_at(link->mini, now + VF_POLL);
}
