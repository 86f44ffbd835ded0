/* Inside the network provider: the state of one child's device. */
#ifndef VSP_NET_NETVSP_PRIV_H
#define VSP_NET_NETVSP_PRIV_H

#include "services/nicdrv.h"
#include "services/vswitch.h"
#include "spec/lab/lab.h"
#include "spec/vmbus/nvsp.h"
#include "spec/vmbus/rndis.h"
#include "vmbus/bytes.h"
#include "vmbus/channel.h"
#include "vmbus/packet.h"
#include "vsp/net/netvsp.h"

enum {
    NETVSP_RANGES = 8,             /* frames in one packet to the child */
    NETVSP_SECTIONS_MAX = 2048,    /* of the receive buffer */
    NETVSP_SECTIONS_OURS = 64,     /* vmq: sections kept for control and switched frames */
    NETVSP_TRANSFERS_MAX = 512,    /* packets to the child that it has not completed */
    NETVSP_WAITING_MAX = 4096,     /* frames that wait for a section; above all that can come */
    NETVSP_WAITING_LOSSY = 512,    /* the same where losing is allowed */
    NETVSP_SEND_SECTION = 6144,
    NETVSP_BUFFERS = 128,          /* frames of the child on their way through the switch */
    NETVSP_HEADROOM = 64,
    NETVSP_REQUESTS_MAX = 128,     /* vmq: packets of the child not completed */
    NETVSP_DONE_MAX = 256,         /* at least twice the requests */
    NETVSP_IN_FLIGHT_MAX = 200,    /* vmq: frames of them; what nicdrv_pool_transmit always takes */
    NETVSP_FRAMES_PER_MESSAGE = 8, /* RNDIS messages in one packet of the child */
    NETVSP_BUDGET = 64,            /* packets of the child in one go */
    NETVSP_PACKET_MAX = 2048,
    NETVSP_CONTROL_MAX = 1024,     /* an RNDIS control message */
    NETVSP_RNDIS_HEADER = sizeof(struct rndis_packet),
};
#define NETVSP_STALL 10000000ull /* one second [100 ns] */

enum netvsp_state { NETVSP_CLOSED, NETVSP_OPEN, NETVSP_SPEAKING, NETVSP_READY, NETVSP_BROKEN };

struct netvsp_entry { /* a section that is filled and waits to be announced */
    uint16_t section;
    uint16_t control; /* an RNDIS control message, not a frame */
    uint32_t size;    /* of the RNDIS message */
};

struct netvsp_transfer { /* transaction id of the packet = index + 1 */
    uint16_t count;
    uint16_t section[NETVSP_RANGES];
};

struct netvsp_request { /* vmq: a packet of the child whose frames the card reads */
    uint64_t transaction;
    bool wants_completion;
    unsigned users;
    void *mapping;
    unsigned pages;
    struct netvsp_request *next;
};

struct netvsp_buffer { /* synthetic: a frame of the child, ours until the switch is done */
    uint8_t *bytes;
    struct netvsp_buffer *next;
};

struct netvsp {
    unsigned child;
    struct vmbus_channel *channel;
    struct vsw_port_info info;
    enum netvsp_state state;
    uint32_t version;
    uint32_t capabilities;
    uint32_t filter;
    bool vf_announced;
    bool complained;
    uint64_t completed_at; /* when the child last gave a section back */
    bool stalled;
    struct svc_timer stall_timer;
    struct svc_work poll_work;

    struct {
        uint8_t *base;
        uint32_t gpadl, size;
        uint32_t section_size, data_offset, count;
        uint32_t ours; /* sections below this are not posted to the card */
        uint16_t free[NETVSP_SECTIONS_MAX];
        unsigned free_count;
        uint8_t busy[NETVSP_SECTIONS_MAX]; /* ready, or at the child */
        struct netvsp_entry ready[NETVSP_SECTIONS_MAX];
        unsigned ready_head, ready_count;
        struct netvsp_transfer transfer[NETVSP_TRANSFERS_MAX];
        uint16_t transfer_free[NETVSP_TRANSFERS_MAX];
        unsigned transfer_free_count;
        struct svc_packet *waiting; /* frames that wait for a section */
        unsigned waiting_head, waiting_count;
    } rx;

    struct {
        uint8_t *base;
        uint32_t gpadl, size, count;
        struct netvsp_buffer *free;
        unsigned free_count;
        struct netvsp_request *request_free;
        unsigned request_free_count;
        unsigned in_flight;
        unsigned mapped; /* requests with pages of the child's own */
        uint64_t done[NETVSP_DONE_MAX]; /* transactions to be completed */
        unsigned done_head, done_count;
        struct svc_packet batch[NETVSP_BUDGET];
        unsigned batch_count;
    } tx;

    struct {
        uint8_t response[NETVSP_CONTROL_MAX];
        uint32_t response_size; /* 0 = none waits */
    } control;

    struct { uint64_t rx_frames, tx_frames, rx_dropped, tx_errors; } stats;
    uint8_t packet[NETVSP_PACKET_MAX]; /* the one being looked at, copied out of the ring */
};

struct netvsp *netvsp_of(unsigned child);

/* netvsp.c */
void netvsp_violation(struct netvsp *, const char *what);
void netvsp_poll_later(struct netvsp *);
bool netvsp_direct(const struct netvsp *); /* vmq */

/* nvsp.c: a message that is not RNDIS. False: violation. */
bool netvsp_nvsp(struct netvsp *, const struct nvsp_message *, const struct vmbus_packet *);
/* Completes the child's packet; there is room (netvsp_can_answer). */
void netvsp_complete(struct netvsp *, uint64_t transaction, const void *payload, uint32_t size);
bool netvsp_can_answer(struct netvsp *);
void netvsp_announce_vf(struct netvsp *);

/* rndis.c: the answer's size; 0 = no answer */
uint32_t netvsp_rndis_control(struct netvsp *, const uint8_t *request, uint32_t size, uint8_t *response);

/* receive.c: to the child */
bool netvsp_receive_buffer(struct netvsp *, uint32_t gpadl, struct nvsp_message *answer);
void netvsp_receive_buffer_revoke(struct netvsp *);
bool netvsp_receive_completed(struct netvsp *, uint64_t transaction);
void netvsp_receive_control(struct netvsp *);
void netvsp_receive_go_on(struct netvsp *); /* room may have appeared */
void netvsp_receive_stop(struct netvsp *);
void netvsp_receive_start(struct netvsp *);

/* transmit.c: from the child */
bool netvsp_send_buffer(struct netvsp *, uint32_t gpadl, struct nvsp_message *answer);
void netvsp_send_buffer_revoke(struct netvsp *);
bool netvsp_transmit_ready(struct netvsp *); /* enough of everything for one more packet */
bool netvsp_transmit_message(struct netvsp *, const struct nvsp_message *, const struct vmbus_packet *);
void netvsp_transmit_flush(struct netvsp *);
/* Traced: frames of a child on their way to the switch, or (vmq) to the card. */
void netvsp_transmit(struct svc_packet *batch, unsigned count, struct netvsp *);
void netvsp_transmit_answer(struct netvsp *); /* completions that waited for room */
void netvsp_transmit_stop(struct netvsp *);
void netvsp_transmit_prepare(struct netvsp *); /* once, when the child is created */

#endif
