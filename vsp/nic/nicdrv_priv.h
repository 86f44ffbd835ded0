/* Inside the card's driver. */
#ifndef VSP_NIC_NICDRV_PRIV_H
#define VSP_NIC_NICDRV_PRIV_H

#include "spec/lab/lab.h"
#include "spec/nic/82599.h"
#include "spec/nic/descriptors.h"
#include "vmbus/bytes.h"
#include "vsp/nic/buffer.h"
#include "vsp/nic/mailbox.h"
#include "vsp/nic/nicdrv.h"

enum {
    NICDRV_BUDGET = 64,          /* frames of a queue in one go */
    NICDRV_RX_SIZE = 512,        /* descriptors of our queue */
    NICDRV_RX_SIZE_JUMBO = 256,
    NICDRV_POOL_RX_SIZE = 1024,  /* of a child's */
    NICDRV_TX_SIZE = 1024,
    NICDRV_TX_DESCRIPTORS = 5,   /* of one frame, at most: pages it touches */
    NICDRV_WAITING_MAX = 4096,   /* frames for which there was no descriptor */
    NICDRV_HEADROOM = 64,        /* in front of a frame in our buffers */
    NICDRV_FILL_STEP = 16,       /* descriptors for which it pays to write the tail */
    NICDRV_VECTOR_RX = 0,        /* MSI-X entries: our queues; other causes; then two per pool */
    NICDRV_VECTOR_OTHER = 1,
    NICDRV_VECTOR_TX = 2,
    NICDRV_VECTOR_POOL = 3,      /* + 2 * child: receive; the next one: transmit */
    NICDRV_QUEUES_PER_POOL = 2,  /* of 64 pools */
};

enum nicdrv_mode { NICDRV_PLAIN, NICDRV_VMDQ, NICDRV_SRIOV };

struct nicdrv_rxq {
    unsigned index;              /* of the card */
    bool on;
    bool lossless;               /* an empty queue holds the packet buffer instead of dropping */
    uint32_t size, clean, fill;  /* clean: next to be written back; fill: next to be given */
    uint32_t shown;              /* tail as the card knows it */
    struct i82599_desc *desc;
    struct svc_packet *slot;
};

struct nicdrv_txq {
    unsigned index, vector;
    bool on;
    bool awaited;                /* its interrupt is unmasked */
    uint32_t size, clean, fill;
    struct i82599_desc *desc;
    struct svc_packet *slot;     /* of a frame's last descriptor */
    uint8_t *mark;               /* NICDRV_MARK_* of each descriptor in use */
};
enum { NICDRV_MARK_LAST = 1, NICDRV_MARK_REPORT = 2 };

struct nicdrv_pool {             /* vmq: a child's */
    bool assigned, running;
    unsigned child, pool;
    uint8_t mac[6];
    struct nicdrv_rxq rx;
    struct nicdrv_txq tx;
    struct svc_work work;
};

struct nicdrv_buffer { uint8_t *data; uint64_t dma; };

struct nicdrv {
    bool present;
    uint16_t bdf;
    volatile uint32_t *regs;
    enum nicdrv_mode mode;
    unsigned our_pool;
    uint32_t mtu, buffer_size;
    bool lossless;
    bool multicast;              /* the switch wants it */
    bool link;
    unsigned vf_count;
    uint64_t vf_enabled_at;      /* [100 ns] */
    struct nicdrv_rxq rx;
    struct nicdrv_txq tx;
    struct svc_work work;
    struct svc_packet *waiting;  /* for a descriptor of our transmit queue */
    unsigned waiting_head, waiting_count;
    struct nicdrv_pool pool[SVC_CHILDREN_MAX];
    struct nicdrv_mailbox vf[SVC_CHILDREN_MAX];
};

/* The one mutable global of this service: its state, made by init (svc_class has no context). */
extern struct nicdrv *nicdrv_state;

/* regs.c; a test links its own. */
uint32_t nicdrv_read(const struct nicdrv *, uint32_t offset);
void nicdrv_write(const struct nicdrv *, uint32_t offset, uint32_t value);
static inline void nicdrv_change(const struct nicdrv *d, uint32_t offset, uint32_t clear, uint32_t set)
{
    nicdrv_write(d, offset, (nicdrv_read(d, offset) & ~clear) | set);
}

/* bring_up.c */
bool nicdrv_bring_up(struct nicdrv *);
/* Waits until (register & mask) == value, at most 'limit' [100 ns]. */
bool nicdrv_wait(const struct nicdrv *, uint32_t offset, uint32_t mask, uint32_t value, uint64_t limit);
void nicdrv_pools_update(struct nicdrv *); /* VMOLR of our pool, as `multicast` says */
void nicdrv_address_set(struct nicdrv *, unsigned entry, const uint8_t mac[6], uint64_t pools);
void nicdrv_address_clear(struct nicdrv *, unsigned entry);
void nicdrv_pool_enable(struct nicdrv *, unsigned pool, bool on); /* VFRE, VFTE */

/* rx.c */
void nicdrv_rxq_prepare(struct nicdrv_rxq *, unsigned index, uint32_t size);
void nicdrv_rxq_start(struct nicdrv *, struct nicdrv_rxq *);
void nicdrv_rxq_stop(struct nicdrv *, struct nicdrv_rxq *);
bool nicdrv_rxq_give(struct nicdrv_rxq *, const struct svc_packet *); /* false: full */
void nicdrv_rxq_show(struct nicdrv *, struct nicdrv_rxq *, bool now);
/* Takes up to NICDRV_BUDGET frames; gives them to 'child' (or to the switch: child < 0). True: caught up. */
bool nicdrv_rx_poll(struct nicdrv *, struct nicdrv_rxq *, int child);
void nicdrv_rx_buffers(struct nicdrv *);
/* Traced: frames that the card wrote, on their way to the switch or the provider. */
void nicdrv_rx(struct svc_packet *batch, unsigned count, int child);

/* tx.c */
void nicdrv_txq_prepare(struct nicdrv_txq *, unsigned index, unsigned vector, uint32_t size);
void nicdrv_txq_start(struct nicdrv *, struct nicdrv_txq *);
void nicdrv_txq_stop(struct nicdrv *, struct nicdrv_txq *, int child);
/* Traced: frames into descriptors. The number that found some. */
unsigned nicdrv_tx(struct svc_packet *batch, unsigned count, struct nicdrv_txq *);
void nicdrv_tx_poll(struct nicdrv *, struct nicdrv_txq *, int child);
void nicdrv_tx_waiting(struct nicdrv *);
/* Frames that are still out will come back with an interrupt. */
void nicdrv_tx_await(struct nicdrv *, struct nicdrv_txq *);

/* interrupt.c */
void nicdrv_interrupts_start(struct nicdrv *);
void nicdrv_vector_enable(struct nicdrv *, unsigned vector);
void nicdrv_vector_bind(struct nicdrv *, unsigned vector, void (*handler)(void *), void *ctx);
void nicdrv_queue_vectors(struct nicdrv *, unsigned queue, unsigned rx, unsigned tx);

/* vf.c */
void nicdrv_vfs_enable(struct nicdrv *);
void nicdrv_vfs_event(struct nicdrv *);
void nicdrv_vfs_ping(struct nicdrv *);

void *nicdrv_alloc_contiguous(size_t size);

#endif
