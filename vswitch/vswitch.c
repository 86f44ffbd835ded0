#include "vswitch/vswitch.h"

#include "services/nicdrv.h"
#include "vswitch/vswitch_priv.h"

struct vsw *vsw_state;

enum { MTU_DEFAULT = 1500 };

/* --- configuration ------------------------------------------------------------------ */

/* "child<n>.<what>"; the result lives in 'key'. */
static const char *child_key(char key[32], unsigned child, const char *what)
{
    char *k = key;
    for (const char *s = "child"; *s; s++)
        *k++ = *s;
    if (child >= 10)
        *k++ = (char)('0' + child / 10);
    *k++ = (char)('0' + child % 10);
    *k++ = '.';
    while (*what)
        *k++ = *what++;
    *k = 0;
    return key;
}

static bool equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return *a == *b;
}

static enum vsw_network network_of(unsigned child)
{
    char key[32];
    const char *name = svc_config(child_key(key, child, "network"));
    if (!name || equal(name, "external"))
        return VSW_EXTERNAL;
    if (equal(name, "internal"))
        return VSW_INTERNAL;
    if (equal(name, "private"))
        return VSW_PRIVATE;
    svc_panic("child%u.network=%s: not external, internal or private\n", child, name);
}

/* --- ports ---------------------------------------------------------------------------- */

/* Multicast from the wire is wanted while some external child is not served by the card itself. */
static void update_multicast(struct vsw *vsw)
{
    bool wanted = false;
    for (unsigned i = VSW_PORT_CHILD; i < VSW_PORTS_MAX; i++) {
        const struct vsw_port *port = &vsw->port[i];
        if (port->used && port->info.network == VSW_EXTERNAL && !port->direct)
            wanted = true;
    }
    nicdrv_switch_wants_multicast(wanted);
}

static enum vsw_io assign(unsigned child, struct vsw_port *port)
{
    const char *path = svc_config("io_path");
    if (!path || equal(path, "vmbus") || port->info.network != VSW_EXTERNAL)
        return VSW_IO_SYNTHETIC;
    if (equal(path, "vmq")) {
        if (port->info.vlan == 0 && nicdrv_pool_assign(child, port->info.mac, port->info.lossless))
            return VSW_IO_VMQ;
        svc_log("vswitch: child %u gets no queue of the card, its frames go through the switch\n", child);
        return VSW_IO_SYNTHETIC;
    }
    if (equal(path, "sriov")) {
        struct svc_vf vf;
        if (port->info.vlan == 0 && nicdrv_vf_assign(child, port->info.mac, port->info.lossless, &vf) &&
            svc_vf_assign(child, &vf))
            return VSW_IO_VF;
        svc_log("vswitch: child %u gets no virtual function, its frames go through the switch\n", child);
        return VSW_IO_SYNTHETIC;
    }
    svc_panic("io_path=%s: not vmbus, vmq or sriov\n", path);
}

static void vswitch_child_created(unsigned child)
{
    struct vsw *vsw = vsw_state;
    struct vsw_port *port = &vsw->port[VSW_PORT_CHILD + child];
    char key[32];
    if (!svc_config_mac(child_key(key, child, "mac"), port->info.mac))
        return; /* no network for this child */
    port->used = true;
    port->ready = port->direct = false;
    port->mac = vsw_mac(port->info.mac);
    port->info.network = network_of(child);
    port->info.vlan = (uint16_t)svc_config_number(child_key(key, child, "vlan"), 0);
    port->info.mtu = vsw->mtu;
    port->info.lossless = svc_config_number(child_key(key, child, "lossless"), svc_config_number("lossless", 1)) != 0;
    port->info.vf_serial = child + 1;
    if (!vsw_fdb_add(&vsw->fdb[port->info.network], port->mac, (uint16_t)(VSW_PORT_CHILD + child)))
        svc_panic("child%u.mac: another child of the network has this address\n", child);
    port->info.io = assign(child, port);
    update_multicast(vsw);
}

static void vswitch_child_deleted(unsigned child)
{
    struct vsw *vsw = vsw_state;
    struct vsw_port *port = &vsw->port[VSW_PORT_CHILD + child];
    if (!port->used)
        return;
    vsw_port_path(child, 0);
    vsw_fdb_remove_port(&vsw->fdb[port->info.network], (uint16_t)(VSW_PORT_CHILD + child));
    port->used = port->ready = false;
    update_multicast(vsw);
}

void vsw_port_describe(unsigned child, struct vsw_port_info *info)
{
    *info = vsw_state->port[VSW_PORT_CHILD + child].info;
    if (!vsw_state->port[VSW_PORT_CHILD + child].used)
        info->mtu = 0;
}

void vsw_port_ready(unsigned child, bool ready)
{
    struct vsw_port *port = &vsw_state->port[VSW_PORT_CHILD + child];
    port->ready = ready;
    if (port->info.io == VSW_IO_VMQ) {
        port->direct = ready;
        update_multicast(vsw_state);
    }
}

bool vsw_port_path(unsigned child, unsigned path)
{
    struct vsw_port *port = &vsw_state->port[VSW_PORT_CHILD + child];
    if (port->info.io != VSW_IO_VF)
        return path == 0;
    port->direct = path != 0;
    nicdrv_vf_steer(child, port->direct);
    update_multicast(vsw_state);
    return true;
}

/* --- the service ------------------------------------------------------------------------ */

static void start_extensions(struct vsw *vsw)
{
    static const struct vsw_extension *const order[VSW_EXTENSIONS] = {
        &vsw_extension_capture, &vsw_extension_filter,
    };
    for (unsigned i = 0; i < VSW_EXTENSIONS; i++) {
        void *state = order[i]->start();
        if (!state)
            continue;
        vsw->extension[vsw->extension_count] = order[i];
        vsw->extension_state[vsw->extension_count++] = state;
    }
}

static void vswitch_init(void)
{
    struct vsw *vsw = svc_alloc(sizeof *vsw, 64);
    vsw_state = vsw;
    vsw->mtu = (uint32_t)svc_config_number("mtu", MTU_DEFAULT);
    vsw->port[VSW_PORT_UPLINK] = (struct vsw_port){
        .used = true, .ready = true, .info = { .network = VSW_EXTERNAL, .mtu = vsw->mtu },
    };
    struct vsw_shared *shared = svc_alloc(VSW_SHARED_MAX * sizeof *shared, 64);
    for (unsigned i = 0; i < VSW_SHARED_MAX; i++) {
        shared[i].next = vsw->shared_free;
        vsw->shared_free = &shared[i];
    }
    struct vsw_copy *copy = svc_alloc(VSW_COPIES_MAX * sizeof *copy, 64);
    for (unsigned i = 0; i < VSW_COPIES_MAX; i++) {
        copy[i].bytes = svc_alloc(VSW_COPY_SIZE, 4096);
        copy[i].next = vsw->copy_free;
        vsw->copy_free = &copy[i];
    }
    start_extensions(vsw);
}

const struct svc_class vswitch_service = {
    .name = "vswitch",
    .init = vswitch_init,
    .child_created = vswitch_child_created,
    .child_deleted = vswitch_child_deleted,
};
