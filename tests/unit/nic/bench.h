/* A test bench for the card: RAM, root complex, event queue, a recording cable
 * and a scripted VT-d, and nothing else.
 *
 * The driver part (driver.c) is written from the bring-up checklists of the
 * datasheet digest; it knows registers from spec/nic only.
 */
#ifndef TESTS_UNIT_NIC_BENCH_H
#define TESTS_UNIT_NIC_BENCH_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "nic-model/nic.h"
#include "sim/base/event.h"
#include "sim/machine.h"
#include "sim/platform/pci.h"
#include "spec/nic/82599.h"
#include "spec/nic/82599_vf.h"
#include "spec/nic/descriptors.h"

enum { BENCH_FRAMES = 4096, BENCH_MESSAGES = 1024, BENCH_FRAME_MAX = 16384, BENCH_PAUSES = 256 };

struct bench_frame { uint8_t *bytes; size_t size; uint64_t now; };
struct bench_message { uint16_t bdf; uint64_t address; uint32_t data; uint64_t now; };
struct bench_pause { uint16_t quanta; uint64_t now; };

struct bench {
    struct machine machine;
    struct nic *nic;
    struct bench_frame sent[BENCH_FRAMES]; /* by the card, on the wire */
    unsigned sent_count;
    struct bench_message message[BENCH_MESSAGES];
    unsigned message_count;
    struct bench_pause pause[BENCH_PAUSES];
    unsigned pause_count;
    uint64_t refused_from, refused_to; /* DMA addresses VT-d refuses ... */
    int refused_bdf;                   /* ... for this requester, -1 = all */
    unsigned refusals;
    uint16_t last_source[2];           /* requester of the last read, write */
    uint64_t next_page;                /* RAM allocator */
    uint64_t errors;                   /* guest errors traced */
    uint64_t last_error, last_error_detail;
    uint32_t next_packet;
    bool is_echo;                      /* the peer sends every frame back */
};

struct bench *bench_new(void);
void bench_free(struct bench *);
int bench_teardown(void **state); /* cmocka's: frees *state */
extern const uint8_t bench_mac[6], bench_peer[6]; /* the card, who talks to it */
/* 2-KiB buffers, one-buffer advanced descriptors; the same, dropping what finds none. */
enum { SRRCTL_ADVANCED = 2 | 1u << 25, SRRCTL_DROP = SRRCTL_ADVANCED | I82599_SRRCTL_DROP_EN };

uint64_t bench_alloc(struct bench *, uint64_t size); /* RAM, page-aligned */
uint8_t *bench_ram(struct bench *, uint64_t spa);
void bench_run(struct bench *, uint64_t cycles);     /* lets time pass */
void bench_settle(struct bench *);                   /* until the card is idle or 100 ms passed */

uint32_t pf_read(struct bench *, uint32_t offset);
void pf_write(struct bench *, uint32_t offset, uint32_t value);
void pf_set(struct bench *, uint32_t offset, uint32_t bits);
uint32_t vf_read(struct bench *, unsigned v, uint32_t offset);
void vf_write(struct bench *, unsigned v, uint32_t offset, uint32_t value);
void msix_unmask(struct bench *, int vf, unsigned vector, uint64_t address, uint32_t data);
void bench_receive(struct bench *, const uint8_t *frame, size_t size);

/* --- frames ------------------------------------------------------------------ */

/* dst, src, type, then bytes counting up. Returns size. */
size_t frame_make(uint8_t *to, const uint8_t *dst, const uint8_t *src, uint16_t type, size_t size);
size_t frame_tag(uint8_t *frame, size_t size, uint16_t tci);
/* IPv4/UDP or TCP with correct checksums when 'protocol' is 17 or 6. */
size_t frame_ipv4(uint8_t *to, const uint8_t *dst, uint8_t protocol, uint16_t sport, uint16_t dport, size_t payload);
uint16_t reference_sum(const uint8_t *p, size_t size, uint32_t start);

/* --- driver -------------------------------------------------------------------- */

enum { RING_MAX = 512, BUFFER_SIZE = 2048 };

struct ring {
    int vf;             /* or -1: the PF's registers */
    unsigned queue;     /* within the function */
    uint32_t size, next; /* entries; next to clean */
    uint32_t tail;
    uint64_t base, buffers; /* spa */
};

void driver_init(struct bench *);   /* reset, link, buffers, RXEN, TE: 12.1 */
int driver_setup(void **state);     /* cmocka's: *state is a new bench with that done */
void driver_vmdq(struct bench *, unsigned pools); /* 12.2: 64 or 32 pools, replication, VLAN filter off */
void driver_rx(struct bench *, struct ring *, int vf, unsigned queue, uint32_t size, uint32_t srrctl);
void driver_rx_give(struct bench *, struct ring *, uint32_t count);
void driver_tx(struct bench *, struct ring *, int vf, unsigned queue, uint32_t size);
void driver_post(struct bench *, struct ring *, uint64_t lo, uint64_t hi); /* one descriptor, tail not written */
void driver_send(struct bench *, struct ring *, const uint8_t *frame, size_t size, uint64_t flags);
void driver_ring_bell(struct bench *, struct ring *);
/* Next received frame (its parts joined); 0 = none. 'last' gets the last write-back. */
size_t driver_poll(struct bench *, struct ring *, uint8_t *to, struct i82599_desc *last);
struct i82599_desc driver_desc(struct bench *, const struct ring *, uint32_t index);
void driver_set_rar(struct bench *, unsigned n, const uint8_t *mac, uint64_t pools);
void driver_sriov(struct bench *, unsigned count); /* 12.3: VFs exist, VMDq 64, PF pool = count, mailbox on */
void driver_vf_enable(struct bench *, unsigned v); /* bus master, VFRE/VFTE, MAC 02:..:v in RAR v+1 */
void vf_mac(uint8_t *mac, unsigned v);

#endif
