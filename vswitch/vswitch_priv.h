/* Inside the switch: its state, shared by vswitch.c (ports, paths), pipeline.c and deliver.c. */
#ifndef VSWITCH_VSWITCH_PRIV_H
#define VSWITCH_VSWITCH_PRIV_H

#include "spec/lab/lab.h"
#include "vswitch/extension.h"
#include "vswitch/fdb.h"
#include "vswitch/parse.h"
#include "vswitch/port.h"
#include "vswitch/vswitch.h"

enum {
    VSW_NETWORKS = 3,
    VSW_EXTENSIONS = 2,
    VSW_BATCH = 32,
    VSW_SHARED_MAX = 4096, /* frames on their way to several ports */
    VSW_COPIES_MAX = 32,
    VSW_COPY_SIZE = 16384,
    VSW_PACKET_SHARED = 0x100, /* svc_packet.flags: owner is a struct vsw_shared */
    VSW_PACKET_COPY = 0x200,   /* owner is a struct vsw_copy */
};

struct vsw_shared {
    struct svc_packet original;
    unsigned users;
    struct vsw_shared *next; /* free list */
};

struct vsw_copy {
    struct svc_packet original; /* given back with the copy */
    uint8_t *bytes;
    struct vsw_copy *next;
};

struct vsw_port {
    bool used;
    bool ready;  /* takes frames */
    bool direct; /* the card serves it past this switch */
    uint64_t mac;
    struct vsw_port_info info;
    unsigned out_count;
    struct svc_packet out[VSW_BATCH]; /* decided, not yet forwarded */
};

struct vsw {
    struct vsw_port port[VSW_PORTS_MAX];
    struct vsw_fdb fdb[VSW_NETWORKS];
    const struct vsw_extension *extension[VSW_EXTENSIONS];
    void *extension_state[VSW_EXTENSIONS];
    unsigned extension_count;
    struct vsw_shared *shared_free;
    struct vsw_copy *copy_free;
    uint32_t mtu;
};

/* deliver.c */
void vsw_port_put(struct vsw *, unsigned port, const struct svc_packet *);
void vsw_ports_flush(struct vsw *);
void vsw_give_back(struct vsw *, struct svc_packet *batch, unsigned count);
void vsw_drop(struct vsw *, struct svc_packet *, unsigned reason);
struct vsw_shared *vsw_share(struct vsw *, const struct svc_packet *);
void vsw_unshare(struct vsw *, struct vsw_shared *);
void vsw_forward(struct svc_packet *batch, unsigned count, unsigned port);

/* vlan.c */
void vsw_tag_insert(struct svc_packet *, uint16_t vid);
void vsw_tag_strip(struct svc_packet *);
/* A private copy of a shared frame; false: none left. */
bool vsw_copy_make(struct vsw *, struct svc_packet *);
void vsw_copy_done(struct vsw *, const struct svc_packet *);

/* The one mutable global of this service: its state, made by init (svc_class has no context). */
extern struct vsw *vsw_state;

#endif
