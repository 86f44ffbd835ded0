/* The service runtime: all that a service may ask of the place where it runs.
 *
 * A service (NIC driver, switch, VMBus server, network VSP) is written once and run to
 * completion: init, then handlers that are called with an event and return;
 * they never block, sleep or spin.  The same object files are linked into the
 * parent partition's kernel (locus `root-kernel`, guests/root/svc_root*.c) or
 * into the hypervisor (locus `hv`, hv/svc/svc_hv*.c); the table in placements/
 * decides.  Handlers of one locus never run concurrently: the runtime
 * serializes them, whatever processor an event arrives on.
 *
 * A child partition is named by `child` = its number 0..SVC_CHILDREN_MAX-1.
 * Memory comes from a pool sized at boot; nothing is freed.  What a child
 * writes is hostile: map, copy once, then check.
 */
#ifndef VSP_RUNTIME_SVC_H
#define VSP_RUNTIME_SVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SVC_CHILDREN_MAX = 16, SVC_SINT_VMBUS = 2 };

/* --- start ------------------------------------------------------------------ */

/* Each locus calls, in order: the init of every service placed there (the list
 * is generated from the placement table), then child_created/child_deleted of
 * each as children come and go. */
struct svc_class {
    const char *name;
    void (*init)(void);                   /* once; may allocate */
    void (*child_created)(unsigned child); /* its memory is mapped and it has not run yet */
    void (*child_deleted)(unsigned child); /* stop using everything of it */
};
/* The services of this image, in order of their init, NULL at the end: generated
 * from the placement table (placements/); empty where a placement puts none here. */
extern const struct svc_class *const svc_placed[];

/* Zeroed, from the pool; only during init and child_created. Never NULL (exhaustion stops the boot with a message). */
void *svc_alloc(size_t size, size_t align);

/* Configuration ("config" module); NULL/fallback when the key is absent. The text is NUL-terminated and permanent. */
const char *svc_config(const char *key);
uint64_t svc_config_number(const char *key, uint64_t fallback); /* decimal or 0x */
bool svc_config_mac(const char *key, uint8_t mac[6]);

void svc_log(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %s %d %u %x %lx %llx %p %c */
_Noreturn void svc_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counters of spec/lab/lab.h, kept in this locus' report. */
void svc_count(unsigned counter, uint64_t n);

/* --- a child's memory --------------------------------------------------------- */

/* Maps 'count' guest pages contiguously, read-write; NULL if one does not
 * exist, is not RAM, or the window is full.  A mapping lives until svc_unmap. */
void *svc_map(unsigned child, const uint64_t *gpfn, unsigned count);
void svc_unmap(void *mapping, unsigned count);
/* Device address (for the PF's DMA) of a byte of service memory or of a mapping; contiguous within a page only. */
uint64_t svc_dma_address(const void *p);
/* Copy routines: attributed to the bucket `copy`. Use these for every packet copy, and only these. */
void svc_copy(void *to, const void *from, size_t size);

/* --- talking to a child --------------------------------------------------------- */

/* Sets event flag 'flag' of SINT 2 at a virtual processor and interrupts it if it was clear. */
void svc_child_signal(unsigned child, uint32_t vp, uint32_t flag);
/* Posts a VMBus message (type 1) to SINT 2; queued in order by the runtime (a bounded queue; false = full). */
bool svc_child_post(unsigned child, uint32_t vp, const void *payload, uint32_t size);
/* Messages that any child posts to connection 1 or 4, and signals to connection ids bound below. */
void svc_on_child_message(void (*handler)(unsigned child, uint32_t connection, const void *payload, uint32_t size));
void svc_bind_signal(unsigned child, uint32_t connection, void (*handler)(void *ctx), void *ctx);
void svc_unbind_signal(unsigned child, uint32_t connection);

/* --- deferred work and time ------------------------------------------------------ */

/* A deferred call in the same locus, after the current handler returns. Idempotent while pending. */
struct svc_work { void (*run)(void *ctx); void *ctx; struct svc_work *next; bool pending; };
void svc_work_queue(struct svc_work *);

uint64_t svc_now(void); /* reference time [100 ns] */
struct svc_timer { void (*fire)(void *ctx); void *ctx; uint64_t due; struct svc_timer *next; bool armed; };
void svc_timer_arm(struct svc_timer *, uint64_t due); /* one-shot, absolute [100 ns] */
void svc_timer_cancel(struct svc_timer *);

/* --- devices --------------------------------------------------------------------- */

uint32_t svc_pci_read(uint16_t bdf, unsigned offset);  /* 32-bit, aligned */
void svc_pci_write(uint16_t bdf, unsigned offset, uint32_t value);
volatile uint32_t *svc_mmio_map(uint64_t spa, uint64_t size); /* uncached */
/* Routes MSI-X entry 'entry' of a function to 'handler'. The runtime programs
 * the table entry (through interrupt remapping) and unmasks it. */
bool svc_interrupt_bind(uint16_t bdf, unsigned entry, void (*handler)(void *ctx), void *ctx);

/* Virtual functions. Gives VF 'bdf' to a child: its BARs appear in the child's
 * GPA space, its DMA is confined to the child's memory, its MSI-X entries can be
 * routed by the child with HvCallMapDeviceInterrupt(device id = bdf).  Called
 * by the switch during child_created, before the child runs. */
struct svc_vf { uint16_t bdf; uint64_t bar_spa[2]; uint64_t bar_size[2]; };
bool svc_vf_assign(unsigned child, const struct svc_vf *);
void svc_vf_revoke(unsigned child, uint16_t bdf);

/* --- packets between services ------------------------------------------------------ */

/* A frame in memory that both sides can see.  Batches are arrays of these; an
 * operation takes them over until the matching completion comes back. */
struct svc_packet {
    uint8_t *data;     /* first byte of the frame, in this locus' address space */
    uint64_t dma;      /* its device address; valid for 'length' bytes only if 'contiguous' */
    uint32_t length;   /* [bytes], without FCS */
    uint16_t port;     /* switch port it came from */
    uint16_t flags;    /* SVC_PACKET_* */
    void *owner;       /* the completing service's own */
};
enum { SVC_PACKET_CONTIGUOUS = 1, SVC_PACKET_CHECKSUM_OK = 2 };

#endif
