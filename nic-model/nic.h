/* The network card: register-compatible with the Intel 82599 10 GbE controller.
 *
 * One physical function at 'bdf' (function 0 of a device), with VMDq pools and up to 63 virtual
 * functions through SR-IOV.  Software sees configuration space and BARs; the
 * laboratory sees the wire: frames in through nic_wire_receive, frames out
 * through the peer's callback.  The wire carries frames without FCS.
 */
#ifndef NIC_MODEL_NIC_H
#define NIC_MODEL_NIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct nic;
struct state;

/* Whoever is at the other end of the cable. */
struct nic_peer {
    /* A frame has completely left the port at 'now'. 'frame' is borrowed. */
    void (*transmitted)(void *ctx, const uint8_t *frame, size_t size, uint64_t now);
    /* 802.3x: the card asks the peer to stop (quanta > 0, 512 bit times each) or go on (0). */
    void (*pause)(void *ctx, uint16_t quanta, uint64_t now);
    void *ctx;
};

struct nic_config {
    uint16_t bdf;              /* of the physical function */
    uint8_t mac[6];            /* permanent address in the EEPROM */
    struct nic_peer peer;
};

/* Why the card did not deliver a received frame (one each; names in nic_drop_name). */
enum nic_drop {
    NIC_DROP_NONE,
    NIC_DROP_LINK_DOWN,        /* receiver disabled */
    NIC_DROP_FILTER_MAC,       /* no pool or filter wants the destination */
    NIC_DROP_FILTER_VLAN,
    NIC_DROP_OVERSIZE,         /* longer than MAXFRS allows */
    NIC_DROP_MAC_CONTROL,      /* 802.3x consumed by the port */
    NIC_DROP_NO_BUFFER,        /* packet buffer overflow (RXMPC) */
    NIC_DROP_NO_DESCRIPTOR,    /* queue with drop enabled had none (QPRDC) */
    NIC_DROP_DMA_FAULT,        /* VT-d refused the write */
    NIC_DROP_RESET,            /* in the packet buffer when the card was reset */
    NIC_DROP_UNDERSIZE,        /* shorter than 64 bytes with FCS */
    NIC_DROP_COUNT,
};
const char *nic_drop_name(enum nic_drop); /* e.g. "filter_mac" */

struct nic *nic_new(struct machine *, const struct nic_config *);
void nic_free(struct nic *);
void nic_state(struct nic *, struct state *);

/* A frame whose last bit arrives now.  'packet' numbers it for traces. */
void nic_wire_receive(struct nic *, const uint8_t *frame, size_t size, uint32_t packet);
/* Counts by reason since creation; wire-side view for results. */
uint64_t nic_dropped(const struct nic *, enum nic_drop);
uint64_t nic_received(const struct nic *);    /* frames given to at least one queue */
uint64_t nic_transmitted(const struct nic *); /* frames sent on the wire */
/* A descriptor ring as its registers have it, for views of the machine. */
struct nic_ring { uint32_t head, tail, size; }; /* [descriptors]; head to tail belong to the card */
bool nic_ring(const struct nic *, unsigned queue, bool transmit, struct nic_ring *); /* false: the queue is off */
bool nic_idle(const struct nic *);            /* nothing in packet buffers, rings being fetched, or on the wire */

#endif
