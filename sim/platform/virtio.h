/* A virtio device on the PCI bus: registers, feature negotiation, split virtqueues, interrupts.
 *
 * "Modern" devices only (VIRTIO_F_VERSION_1); a device model embeds `struct virtio`, says what it is in a
 * `struct virtio_kind`, takes chains of buffers from its queues and gives them back.
 *
 *   BAR 0   0000H common configuration   1000H ISR status   2000H device configuration (none so far)
 *           3000H notifications, 4 bytes a queue   3800H MSI-X table   3C00H pending bits
 *
 * What the driver puts into memory is believed nowhere: a chain that is longer than its queue or CHAIN_BYTES_MAX, has an
 * index out of range, leads to what is not memory, wants an indirect table, or has a readable buffer behind a writable one,
 * makes the device broken, as the specification wants it: DEVICE_NEEDS_RESET in the status, a configuration interrupt,
 * nothing more until the driver resets it.  So does a queue whose index jumps by more than its size.
 *
 * Work is done 2 us after a notification; interrupts wait 5 us more, and with VIRTIO_F_EVENT_IDX a driver that has seen by
 * then what was given back (it polls) gets none: Linux takes a line that interrupts for nothing to be broken.
 *
 * Left out: VIRTIO_PCI_CAP_PCI_CFG, the window to these registers in configuration space, for software that cannot reach a
 * BAR; packed rings and indirect descriptors (not offered).
 */
#ifndef SIM_PLATFORM_VIRTIO_H
#define SIM_PLATFORM_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/base/event.h"
#include "sim/platform/msix.h"
#include "sim/platform/pci.h"

struct machine;
struct state;

enum { VIRTIO_QUEUES_MAX = 2, VIRTIO_QUEUE_MAX = 128 /* entries */, VIRTIO_CHAIN_BYTES_MAX = 1 << 20 };

struct virtio_kind {
    const char *name;       /* static storage; of the part, too */
    uint16_t type;          /* VIRTIO_CONSOLE ... */
    uint32_t class_code;    /* 24 bits */
    unsigned queue_count;
    uint64_t features;      /* beyond the reserved ones */
    void (*work)(void *ctx);  /* there may be something in the queues */
    void (*reset)(void *ctx);
};

struct virtio_queue {
    uint64_t desc, driver, device; /* areas [spa, or I/O virtual] */
    uint16_t size, vector;
    uint16_t next;          /* of the available ring, to be taken */
    uint16_t used;          /* index of the used ring */
    uint16_t told;          /* the same, as of the last interrupt that was sent or found needless */
    bool enabled;
};

struct virtio {
    struct machine *machine;
    const struct virtio_kind *kind;
    void *ctx;
    struct pci_function function;
    struct msix msix;
    struct virtio_queue queue[VIRTIO_QUEUES_MAX];
    uint64_t features;      /* accepted by the driver */
    uint32_t device_select, driver_select;
    uint16_t config_vector, queue_select;
    uint8_t status, isr;
    struct event work, tell;
};

/* A chain of buffers, readable ones first. */
struct virtio_chain {
    uint16_t head, count, readable; /* buffers; of them readable by the device */
    uint32_t readable_bytes, writable_bytes;
    struct { uint64_t address; uint32_t size; } buffer[VIRTIO_QUEUE_MAX];
};

void virtio_init(struct virtio *, struct machine *, pci_bdf, const struct virtio_kind *, void *ctx); /* on bus 0 */
void virtio_state(struct virtio *, struct state *);

/* Has the driver said that it is ready (and not broken anything since)? */
bool virtio_ready(const struct virtio *);
/* Looks at the queues soon, as after a notification. */
void virtio_kick(struct virtio *);
/* The next chain; false: none, or the device is broken now. */
bool virtio_take(struct virtio *, unsigned queue, struct virtio_chain *);
/* Copies the first 'size' bytes of the readable, or to the writable, part. False: it does not lie in memory; broken now. */
bool virtio_chain_read(struct virtio *, const struct virtio_chain *, void *to, uint32_t size);
bool virtio_chain_write(struct virtio *, const struct virtio_chain *, const void *from, uint32_t size);
/* Gives a chain back with 'written' bytes in its writable part; the driver is told a little later. */
void virtio_give(struct virtio *, unsigned queue, const struct virtio_chain *, uint32_t written);

#endif
