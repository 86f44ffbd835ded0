/* Inside of the card, shared by the files of this folder only.
 *
 * Software's registers live in `csr`, one dword per offset, at the canonical
 * address of each register (regs.c resolves aliases).  What silicon keeps
 * beside its registers (packet buffers, descriptor caches, jobs in flight,
 * interrupt latches) has a struct per noun below, owned by the file named
 * above it: others read, only that file writes.
 *
 *   wire -> filter -> rx packet buffer -> rx jobs -> dma writes -> interrupt
 *   tail -> dma fetch -> tx jobs -> segment -> l2switch -> tx packet buffer -> wire
 *                                              '-> rx packet buffer (local pools)
 *
 * Rule of progress: an event or a register write changes state and then calls
 * nic_run(), which moves frames until nothing moves; nothing below calls up.
 */
#ifndef NIC_MODEL_NIC_PRIV_H
#define NIC_MODEL_NIC_PRIV_H

#include "nic-model/nic.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/machine.h"
#include "sim/platform/msix.h"
#include "sim/platform/pci.h"
#include "sim/time/timing.h"
#include "spec/nic/82599.h"
#include "spec/nic/82599_vf.h"
#include "spec/nic/descriptors.h"

enum { NIC_PF = -1 };                      /* where a VF number is expected */
enum { NIC_PACKET_NONE = 0xFFFFFFFFu };    /* packet number of frames that came from inside */

/* Component code and causes of TRACE_GUEST_ERROR: detail 0 is the cause, detail 1 its value. */
enum { NIC_COMPONENT = 0x82599 };
enum nic_guest_error {
    NIC_ERROR_UNKNOWN_REGISTER = 1, /* offset, bit 63 set for a write */
    NIC_ERROR_READ_ONLY,            /* offset */
    NIC_ERROR_PARTIAL,              /* offset << 8 | size */
    NIC_ERROR_TAIL,                 /* queue << 32 | tail: outside the ring */
    NIC_ERROR_RX_TYPE,              /* queue << 32 | SRRCTL: buffer scheme not offered */
    NIC_ERROR_RX_RING,              /* queue << 32 | descriptors a frame would need */
    NIC_ERROR_TX_DESCRIPTOR,        /* queue << 32 | DTYP */
    NIC_ERROR_TX_EOP,               /* queue: packet longer than the descriptor cache */
    NIC_ERROR_TX_LENGTH,            /* queue << 32 | bytes */
    NIC_ERROR_TX_CONTEXT,           /* queue << 32 | header bytes: offload does not fit the packet */
    NIC_ERROR_TX_SPOOF,             /* pool */
    NIC_ERROR_DMA,                  /* queue | is_tx << 16: refused */
    NIC_ERROR_UNOFFERED,            /* offset: feature the model lacks */
    NIC_ERROR_MTQC,                 /* written without RTTDCS.ARBDIS */
    NIC_ERROR_NO_MESSAGE,           /* interrupt cause with neither MSI nor MSI-X enabled */
    NIC_ERROR_BAD_QUEUE,            /* queue number beyond the last */
};

/* --- packet.c: what the headers of a frame say ---------------------------------- */

struct nic_packet {
    uint16_t ether_type;  /* after VLAN tags; 0 for an 802.3 length field */
    uint16_t tci;         /* of the outer tag */
    uint16_t l3;          /* offset of the network header */
    uint16_t l4;          /* offset of the transport header, 0 = none usable */
    uint16_t l4_size;     /* bytes of transport header and payload, by the IP header */
    uint8_t l4_protocol;
    uint8_t tagged;       /* has an 802.1Q tag */
    uint8_t fragment;
    uint8_t ipv4, ipv6;   /* header complete and sane */
    uint8_t ip_options;   /* IPv4 options or known IPv6 extensions */
    uint8_t unknown_extension;
};

/* --- fifo.c: a packet buffer ------------------------------------------------------- */

enum { NIC_FRAME_WIRE = 1, NIC_FRAME_LOCAL = 2, NIC_FRAME_LPBK = 4 }; /* where it came from */

struct nic_frame {
    uint32_t offset;      /* of its bytes in the store */
    uint32_t size;        /* [bytes] without FCS */
    uint32_t packet;
    uint32_t hash;        /* RSS */
    uint64_t pools;       /* not yet served */
    uint64_t status;      /* advanced write-back, high quadword: checksum and loopback bits */
    struct nic_packet info;
    uint16_t jobs;        /* in flight */
    uint8_t origin;
    uint8_t rss_type;
    uint8_t delivered;    /* to at least one queue */
    uint8_t reason;       /* first enum nic_drop */
    uint8_t etqf;         /* index + 1 of the EtherType filter that matched */
    uint8_t pad;
};

struct nic_fifo {
    uint8_t *store;            /* ring of bytes; each frame contiguous */
    struct nic_frame *frames;  /* ring */
    uint32_t store_size, frame_capacity;
    uint32_t head, count;      /* frames */
    uint32_t write;            /* next free byte of the store */
    uint32_t bytes;            /* charged against the packet buffer */
};

/* --- dma.c ---------------------------------------------------------------------------- */

enum nic_dma_kind { NIC_DMA_RX_FETCH, NIC_DMA_TX_FETCH, NIC_DMA_TX_DATA, NIC_DMA_RX_WRITE, NIC_DMA_TX_STATUS };
enum { NIC_DMA_OPS = 512 };

struct nic_dma_op {
    uint64_t due;
    uint32_t kind;
    uint32_t index;  /* queue or job */
};

struct nic_dma_channel {
    struct nic *nic;
    struct nic_dma_op op[NIC_DMA_OPS]; /* ring, by due time */
    uint32_t head, count;
    uint64_t busy_until;               /* payload of earlier transfers occupies the link */
    uint64_t last_due;
    struct event event;                /* armed for the oldest op */
};

/* --- ring.c: descriptors on their way from a ring in memory to the card ------------------- */

/* A ring's on-chip side; its owner (rx.c, tx.c) has the cache, itself a ring, and the registers.
 * DISABLED -> (RXDCTL.EN, TXDCTL.EN) RUNNING -> (refused DMA) FAULTED -> (EN = 0) DISABLED */
struct nic_fetcher {
    uint16_t cache_head, cached;  /* oldest cached descriptor, and how many */
    uint16_t fetch;               /* ring index of the next descriptor to fetch */
    uint16_t fetching;            /* descriptors in flight */
    uint16_t take;                /* ring index of the oldest cached descriptor */
    uint16_t generation;          /* bumped by disable; older jobs and fetches are void */
    uint16_t fetch_generation;
    uint8_t enabled, faulted;
};

/* Descriptors that software has given, up to 'tail', and the card has not fetched. 'size' of the ring, 0: there is none. */
uint32_t ring_unfetched(const struct nic_fetcher *, uint32_t size, uint32_t tail);
/* Begins to fetch what software has given up to 'tail', to the ring's end and 'most' at most; returns how many. */
uint32_t ring_fetch(struct nic_fetcher *, uint32_t size, uint32_t tail, uint32_t most);
/* The fetch ends: how many descriptors from ring index 'fetch' on are there to be read, or 0: it is void. */
uint32_t ring_arrive(struct nic_fetcher *, uint32_t size);
/* They were read: the cache has 'count' more. */
void ring_take_in(struct nic_fetcher *, uint32_t size, uint32_t count);
/* Disables; the next descriptor is at 'head'. */
void ring_stop(struct nic_fetcher *, uint32_t head);
/* Nothing but a next generation. */
void ring_reset(struct nic_fetcher *);
bool ring_state(struct nic_fetcher *, unsigned cache_size, struct state *); /* false: impossible */

/* --- rx.c ------------------------------------------------------------------------------- */

enum { NIC_RX_CACHE = 64, NIC_RX_FETCH_BELOW = 32, NIC_RX_JOBS = 32, NIC_RX_SPAN = 16, NIC_RX_FRAMES = 8192,
       NIC_RX_STORE = 1 << 20 };

struct nic_rx_queue {
    struct nic_fetcher ring;
    uint64_t cache[NIC_RX_CACHE]; /* buffer addresses */
};

struct nic_rx_job {
    uint64_t address[NIC_RX_SPAN];
    uint32_t frame;               /* ring slot in the packet buffer */
    uint16_t queue, pool;
    uint16_t first, count;        /* ring indices */
    uint16_t generation;
    uint16_t pad;
};

struct nic_rx {
    struct nic_fifo fifo;
    uint32_t issued;              /* frames from the head that have all their jobs */
    struct nic_rx_queue queue[I82599_QUEUES];
    struct nic_rx_job job[NIC_RX_JOBS]; /* ring */
    uint32_t job_head, job_count;
    uint64_t drop_enable[2];      /* QDE */
    uint8_t scratch[I82599_FRAME_MAX + 8];
};

/* --- tx.c ------------------------------------------------------------------------------- */

enum { NIC_TX_CACHE = 40, NIC_TX_JOBS = 16, NIC_TX_FRAMES = 4096, NIC_TX_STORE = 512 * 1024,
       NIC_TX_PAYLOAD_MAX = 256 * 1024 + 1024, NIC_TX_BUFFER_MAX = 15872 };

struct nic_tx_context { /* values of a context descriptor */
    uint64_t lo, hi;
};

struct nic_tx_queue {
    struct nic_fetcher ring;
    struct i82599_desc cache[NIC_TX_CACHE];
    struct nic_tx_context context[2];
};

enum nic_tx_job_state { NIC_TX_FREE, NIC_TX_READING, NIC_TX_READ };

struct nic_tx_job {
    struct i82599_desc desc[NIC_TX_CACHE]; /* as in the ring, contexts included */
    struct nic_tx_context context;         /* that applies to the packet */
    uint32_t total;                        /* [bytes] to read */
    uint16_t queue, generation;
    uint16_t first, count;                 /* ring indices */
    uint8_t state;
    uint8_t emitting;                      /* its payload is in the segmenter, or waits for it */
    uint8_t reporting;                     /* status write in flight */
    uint8_t bad;                           /* drop, but report as done */
};

struct nic_tx {
    struct nic_fifo fifo;
    struct nic_tx_queue queue[I82599_QUEUES];
    struct nic_tx_job job[NIC_TX_JOBS];
    uint8_t order[NIC_TX_JOBS];   /* ring of jobs whose data are being read or wait for the segmenter */
    uint32_t order_head, order_count;
    uint64_t pending[2];          /* queues that may have descriptors */
    uint32_t next_queue;          /* round robin */
    /* Segmenter: one packet at a time. */
    int32_t active;               /* job, or -1 */
    uint32_t payload_size, payload_done, segment;
    uint32_t frame_size;          /* a finished frame waits for room; 0 = none */
    uint8_t payload[NIC_TX_PAYLOAD_MAX];
    uint8_t frame[I82599_FRAME_MAX + 64];
    uint64_t bad_packets;         /* guest mistakes */
};

/* --- wire.c -------------------------------------------------------------------------------- */

struct nic_wire {
    struct event sent;        /* last bit of the frame at the head of tx.fifo */
    struct event resume;      /* end of a received pause */
    struct event pause;       /* a pause frame of ours leaves */
    struct event refresh;     /* repeat XOFF */
    uint64_t paused_until;    /* transmitter, by the peer's pause frames */
    uint64_t xoff_until;      /* the peer, by ours */
    uint32_t pause_quanta;    /* of the frame that 'pause' sends */
    uint8_t busy, xoff;
};

/* --- interrupts.c ----------------------------------------------------------------------------- */

struct nic_vector {
    struct nic *nic;
    int32_t vf;               /* or NIC_PF */
    uint32_t number;
    uint64_t allowed;         /* moderation: earliest time of the next message */
    uint8_t requested;
    struct event event;
};

enum { NIC_EICR_OTHER_BITS = 0x7FFF0000, NIC_EICR_GENERAL_BITS = 0x3FFF0000 }; /* with and without TCP_TIMER */

struct nic_interrupts {
    struct nic_vector vector[I82599_VECTORS];
    uint64_t cause, mask, automask;              /* by vector (MSI-X) or RTxQ bit (MSI) */
    uint32_t other, other_mask, other_automask;  /* EICR bits 31:16 */
};

/* --- vf.c, mailbox.c --------------------------------------------------------------------------- */

struct nic_vf {
    struct nic *nic;
    struct pci_function function;
    struct msix msix;
    uint32_t number;
    uint8_t added;                        /* registered with the root complex */
    uint8_t vfu, pfu, pfsts, pfack, rsti, rstd; /* mailbox bits */
    uint32_t cause, mask, autoclear, automask;  /* 2:0 */
    uint32_t ivar[4], ivar_misc;
    uint32_t eitr[I82599_VF_VECTORS];     /* used where no EITR of the PF backs it */
    uint32_t rscint[I82599_VF_VECTORS];
    struct nic_vector vector[I82599_VF_VECTORS];
};

/* --- link.c, sfp.c, eeprom.c ---------------------------------------------------------------------- */

enum { NIC_EEPROM_WORDS = 1024 };

struct nic_sfp { /* I2C slave of the module; see sfp.c */
    uint8_t clock, data;   /* lines as the host drives them */
    uint8_t pull;          /* the slave drives data low */
    uint8_t phase, expect, is_read, bits, shift, address;
};

struct nic_link {
    struct event up;
    uint8_t is_up;
    struct nic_sfp sfp;
};

/* --- the card --------------------------------------------------------------------------------------- */

enum { NIC_CSRS = I82599_CSR_SIZE / 4 };

struct nic {
    struct machine *machine;
    struct nic_config config;
    struct pci_function pf;
    struct msix msix;
    uint32_t csr[NIC_CSRS];
    uint16_t row_of[NIC_CSRS];     /* row + 1, or 0; rebuilt, not state */
    uint16_t element_of[NIC_CSRS]; /* index in the row */
    uint16_t canonical[NIC_CSRS];  /* dword where an alias is stored */
    uint16_t eeprom[NIC_EEPROM_WORDS];
    struct nic_link link;
    struct nic_interrupts irq;
    struct nic_dma_channel reads, writes;
    struct nic_rx rx;
    struct nic_tx tx;
    struct nic_wire wire;
    struct nic_vf vf[I82599_POOLS];
    uint32_t vf_count;             /* enabled */
    uint64_t dropped[NIC_DROP_COUNT];
    uint64_t received, transmitted;
    uint8_t running;               /* inside nic_run */
};

static inline uint32_t
reg(const struct nic *nic, uint32_t offset)
{
    return nic->csr[offset / 4];
}

static inline void
reg_set(struct nic *nic, uint32_t offset, uint32_t value)
{
    nic->csr[offset / 4] = value;
}

static inline bool
reg_bit(const uint32_t *words, unsigned n)
{
    return words[n / 32] >> (n % 32) & 1;
}

/* nic.c */
void nic_run(struct nic *, uint64_t now);           /* moves whatever can move */
uint64_t nic_now(const struct nic *);
void nic_guest_error(struct nic *, enum nic_guest_error, uint64_t detail);
/* Software asked for what the model lacks: stops the run with a clear message. */
void nic_unoffered(struct nic *, uint32_t offset, const char *what);
void nic_reset(struct nic *, bool is_link_reset);   /* CTRL.RST, CTRL.LRST, FLR */
void nic_drop(struct nic *, uint32_t packet, enum nic_drop);

/* regs.c */
void regs_init(struct nic *);
void regs_reset(struct nic *, bool is_power_good);
uint64_t regs_read(void *nic, uint64_t offset, unsigned size);
void regs_write(void *nic, uint64_t offset, unsigned size, uint64_t value);
uint32_t regs_read_dword(struct nic *, uint32_t offset);
void regs_write_dword(struct nic *, uint32_t offset, uint32_t value);
bool regs_known(const struct nic *, uint32_t offset);

/* pf.c */
void pf_init(struct nic *);
void pf_reset_config(struct nic *);
bool pf_is_master(const struct nic *);              /* may start DMA */

/* unoffered.c: see there */

/* vf.c */
void vf_init(struct nic *);
void vf_set_enabled(struct nic *);                  /* follows the SR-IOV capability */
void vf_reset(struct nic *, unsigned v);            /* VFLR or VFCTRL.RST: the VF's device state */
unsigned vf_queues(const struct nic *);             /* per pool, by GCR_EXT.VT_MODE */
int vf_of_queue(const struct nic *, unsigned queue);/* or NIC_PF */
struct pci_function *vf_function_of_queue(struct nic *, unsigned queue);
void vf_state(struct nic *, struct state *);
/* vf_regs.c */
uint64_t vf_regs_read(struct nic_vf *, uint32_t offset, unsigned size);
void vf_regs_write(struct nic_vf *, uint32_t offset, unsigned size, uint64_t value);

/* mailbox.c */
void mailbox_reset_pf(struct nic *);
void mailbox_pf_done(struct nic *);                 /* CTRL_EXT.PFRSTD */
void mailbox_vflr(struct nic *, unsigned v);
uint32_t mailbox_vf_read(struct nic *, unsigned v);
void mailbox_vf_write(struct nic *, unsigned v, uint32_t value);

/* packet.c */
void packet_parse(struct nic_packet *, const uint8_t *frame, size_t size);
bool packet_is_broadcast(const uint8_t *frame);
static inline bool packet_is_multicast(const uint8_t *frame) { return frame[0] & 1; }
static inline uint16_t packet_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline void packet_put_be16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)(v >> 8); p[1] = (uint8_t)v; }

/* offload.c */
uint64_t offload_rx_status(const struct nic_packet *, const uint8_t *frame, size_t size);
uint64_t offload_rx_ptype(const struct nic_packet *);
uint16_t offload_sum(const uint8_t *p, size_t size, uint32_t start); /* folded ones-complement sum */
uint32_t offload_crc32(const uint8_t *p, size_t size);               /* Ethernet FCS */
uint32_t offload_crc32c(const uint8_t *p, size_t size);              /* SCTP */

/* segment.c: from a packet in the segmenter to frames */
bool segment_check(struct nic *, const struct nic_tx_job *);
void segment_next(struct nic *, const struct nic_tx_job *); /* fills tx.frame, advances payload_done */

/* rss.c */
uint32_t rss_hash(const struct nic *, const struct nic_packet *, const uint8_t *frame, uint8_t *type);
unsigned rss_entry(const struct nic *, uint32_t hash);

/* filter.c */
enum nic_drop filter_l2(const struct nic *, const uint8_t *frame, const struct nic_packet *);
int filter_rar_match(const struct nic *, const uint8_t *mac); /* first entry, or -1 */
uint64_t filter_rar_pools(const struct nic *, const uint8_t *mac); /* union over matching entries */
bool filter_hash_hit(const struct nic *, uint32_t table, const uint8_t *mac);
uint64_t filter_vlan_pools(const struct nic *, uint16_t vid);
int filter_etqf(const struct nic *, const struct nic_packet *); /* index, or -1 */

/* vmq.c */
bool vmq_is_enabled(const struct nic *);
unsigned vmq_pool_count(const struct nic *);
uint64_t vmq_pools(const struct nic *, const uint8_t *frame, const struct nic_packet *, int source,
                   enum nic_drop *reason);
unsigned vmq_queue(const struct nic *, const struct nic_frame *, unsigned pool);
unsigned vmq_pool_of_tx(const struct nic *, unsigned queue);
unsigned vmq_pool_of_rx(const struct nic *, unsigned queue);
bool vmq_is_exact(const struct nic *, const uint8_t *frame, const struct nic_packet *);

/* l2switch.c */
struct nic_route {
    uint64_t pools;  /* local receivers */
    bool wire;
};
bool l2switch_admits(struct nic *, unsigned pool, const uint8_t *frame, size_t size); /* anti-spoof */
struct nic_route l2switch_route(struct nic *, unsigned pool, const uint8_t *frame, size_t size);

/* fifo.c */
bool fifo_init(struct nic_fifo *, uint32_t store_size, uint32_t frame_capacity);
void fifo_free(struct nic_fifo *);
uint32_t fifo_charge(uint32_t size);                /* bytes a frame occupies */
struct nic_frame *fifo_push(struct nic_fifo *, const uint8_t *bytes, uint32_t size); /* NULL: no room */
struct nic_frame *fifo_at(struct nic_fifo *, uint32_t index); /* 0 = oldest */
uint32_t fifo_slot(const struct nic_fifo *, uint32_t index);
const uint8_t *fifo_bytes(const struct nic_fifo *, const struct nic_frame *);
void fifo_pop(struct nic_fifo *);
void fifo_clear(struct nic_fifo *);
void fifo_state(struct nic_fifo *, struct state *);

/* dma.c */
void dma_init(struct nic *);
void dma_issue(struct nic *, enum nic_dma_kind, unsigned index, uint32_t bytes, uint64_t now);
/* Memory as the queue's function sees it; false: refused, nothing moved. */
bool dma_read(struct nic *, unsigned queue, uint64_t address, void *to, uint32_t size);
bool dma_write(struct nic *, unsigned queue, uint64_t address, const void *from, uint32_t size);
void dma_reset(struct nic *);
void dma_state(struct nic *, struct state *);
bool dma_idle(const struct nic *);

/* rx.c */
bool rx_init(struct nic *);
void rx_free(struct nic *);
void rx_reset(struct nic *);
bool rx_step(struct nic *, uint64_t now);           /* true: something moved */
uint32_t rx_free_bytes(const struct nic *);
/* A frame passed the filters; false: no room in the packet buffer. */
bool rx_accept(struct nic *, const uint8_t *frame, size_t size, const struct nic_frame *what, uint64_t now);
void rx_fetched(struct nic *, unsigned queue, uint64_t now);
void rx_write_done(struct nic *, uint64_t now);
void rx_stop_queue(struct nic *, unsigned queue);
void rx_state(struct nic *, struct state *);
/* rx_write.c: the memory side of one delivery; false: DMA refused. */
bool rx_write_job(struct nic *, const struct nic_rx_job *, struct nic_frame *);

/* tx.c */
bool tx_init(struct nic *);
void tx_free(struct nic *);
void tx_reset(struct nic *);
bool tx_step(struct nic *, uint64_t now);
bool tx_is_context(const struct i82599_desc *);
bool tx_is_current(const struct nic *, const struct nic_tx_job *); /* its queue was not stopped meanwhile */
void tx_release_if_done(struct nic_tx_job *);
void tx_fault(struct nic *, unsigned queue, enum nic_guest_error, uint64_t detail); /* stops the queue */
void tx_fetched(struct nic *, unsigned queue);
void tx_data_read(struct nic *, unsigned job, uint64_t now);
void tx_reported(struct nic *, unsigned job, uint64_t now);
void tx_stop_queue(struct nic *, unsigned queue);
void tx_kick_all(struct nic *);
void tx_state(struct nic *, struct state *);

/* tx_emit.c */
bool tx_begin_packet(struct nic *, uint64_t now);   /* oldest job with its data due -> segmenter */
bool tx_emit(struct nic *, uint64_t now);           /* frames of the packet in the segmenter -> buffers */

/* wire.c */
void wire_init(struct nic *);
void wire_reset(struct nic *);
bool wire_start(struct nic *, uint64_t now);        /* true: a frame began to leave */
void wire_pause_update(struct nic *, uint64_t now); /* packet buffer level against FCRTH, FCRTL */
bool wire_idle(const struct nic *);
void wire_state(struct nic *, struct state *);

/* interrupts.c */
void interrupts_init(struct nic *);
void interrupts_reset(struct nic *);
void interrupts_reset_vf(struct nic *, unsigned v);
/* Asks for messages for those of the given causes that are set and enabled. */
void interrupts_request(struct nic *, uint64_t vectors, uint32_t other, bool is_immediate, uint64_t now);
void interrupts_queue(struct nic *, unsigned queue, bool is_tx, uint64_t now);
void interrupts_other(struct nic *, uint32_t eicr_bits, uint64_t now);
void interrupts_vf_mailbox(struct nic *, unsigned v, uint64_t now);
void interrupts_vf_kick(struct nic *, unsigned v, uint32_t causes, bool is_immediate, uint64_t now);
uint32_t *interrupts_vf_eitr(struct nic *, unsigned v, unsigned n);
void interrupts_eitr_written(struct nic *, struct nic_vector *, uint32_t *storage, uint32_t value);
uint32_t interrupts_eitr_value(struct nic *, const struct nic_vector *, uint32_t stored);
void interrupts_state(struct nic *, struct state *);

/* link.c, sfp.c */
void link_init(struct nic *);
void link_restart(struct nic *);                    /* drops and comes back */
bool link_is_up(const struct nic *);
void link_state(struct nic *, struct state *);
void sfp_drive(struct nic_sfp *, bool clock, bool data);
bool sfp_data(const struct nic_sfp *);

/* eeprom.c */
void eeprom_init(struct nic *);

/* stats.c */
void stats_add(struct nic *, uint32_t offset, uint32_t n);
void stats_add64(struct nic *, uint32_t low, uint32_t high, uint64_t n); /* 36 bits */
void stats_wire_rx(struct nic *, const uint8_t *frame, size_t size);
void stats_wire_tx(struct nic *, const uint8_t *frame, size_t size);
void stats_queue_rx(struct nic *, unsigned queue, size_t size, bool is_multicast);
void stats_queue_tx(struct nic *, unsigned queue, size_t size);
void stats_queue_drop(struct nic *, unsigned queue);

#endif
