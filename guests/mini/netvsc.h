/* The network consumer (VSC): NVSP and RNDIS on a VMBus channel, for guests/mini.
 *
 * Bring-up is a chain; each step starts when the answer to the one before arrives:
 *
 *   offer -> open -> NVSP INIT (newest version first) -> NDIS config, version
 *         -> receive buffer -> send buffer -> RNDIS INITIALIZE -> QUERY MTU
 *         -> QUERY address -> SET packet filter -> READY
 *
 * Receiving: a transfer-pages packet names ranges of the receive buffer, an RNDIS
 * message each; the frames of one packet are given to `receive` as one batch, in
 * place, and the packet is completed when it returns.
 * Sending: a frame that fits is copied, padded, into a section of the send buffer;
 * a longer one is sent from where it lies (GPA direct), and must stay there until
 * `sent` of the structure has passed it.
 *
 * A parent is trusted no more than a wire: what it writes is checked before use.
 */
#ifndef GUESTS_MINI_NETVSC_H
#define GUESTS_MINI_NETVSC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmbus/client.h"
#include "vsp/runtime/svc.h"

enum {
    NETVSC_RING_PAGES = 32,
    NETVSC_SECTIONS_MAX = 128,  /* of the send buffer */
    NETVSC_DIRECT_MAX = 16,     /* frames sent from where they lie */
    NETVSC_RANGES_MAX = 32,     /* in a packet to us */
    NETVSC_PACKET_MAX = 1024,
    NETVSC_FRAME_MIN = 60,
};

enum netvsc_state { NETVSC_DOWN, NETVSC_STARTING, NETVSC_READY, NETVSC_FAILED };

struct netvsc_handler {
    void (*ready)(void *ctx);
    void (*receive)(void *ctx, struct svc_packet *batch, unsigned count);
    void (*room)(void *ctx); /* netvsc_send may be tried again */
    void (*vf)(void *ctx, bool present); /* a virtual function belongs to this device */
    void (*path)(void *ctx); /* the data path was switched as asked */
};

struct netvsc {
    struct vmbus_client *client;
    struct vmbus_client_channel *channel;
    const struct netvsc_handler *handler;
    void *ctx;
    enum netvsc_state state;
    const char *failure; /* why FAILED */
    unsigned version_index;
    uint32_t mtu;        /* ours; what the parent allows is at least this */
    uint8_t mac[6];

    uint8_t *receive;
    uint32_t receive_size, receive_gpadl;
    uint8_t *send;
    uint32_t send_size, send_gpadl, section_size, section_count;
    uint16_t section_free[NETVSC_SECTIONS_MAX];
    uint8_t section_busy[NETVSC_SECTIONS_MAX], direct_busy[NETVSC_DIRECT_MAX]; /* not completed */
    unsigned section_free_count;
    uint8_t *direct_header; /* NETVSC_DIRECT_MAX RNDIS headers, 64 bytes apart */
    uint16_t direct_free[NETVSC_DIRECT_MAX];
    unsigned direct_free_count;
    bool wants_room;
    uint64_t sent; /* frames that the parent has completed */

    uint8_t *control; /* a page for requests */
    uint32_t request;
    uint64_t violations; /* what the parent sent and we did not understand */
    uint8_t packet[NETVSC_PACKET_MAX];
};

/* 'receive_size' etc. are taken from the client's host. The driver below goes to vmbus_client_init. */
void netvsc_init(struct netvsc *, uint32_t mtu, const struct netvsc_handler *, void *ctx);
extern const struct vmbus_client_driver netvsc_driver; /* its ctx is the struct netvsc */

/* Hands frames over, in order; the number taken. The rest: try again at `room`. */
unsigned netvsc_send(struct svc_packet *batch, unsigned count, struct netvsc *);
void netvsc_switch_path(struct netvsc *, bool to_vf);

#endif
