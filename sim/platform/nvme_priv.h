/* Inside of the NVMe controller: registers and queues (nvme.c, nvme_queue.c),
 * commands (nvme_admin.c, nvme_identify.c, nvme_io.c), data (nvme_prp.c).
 *
 *   doorbell -> fetch event -> slot (busy) -> work event -> command -> completion
 *                                                            queue full: slot waits (done)
 */
#ifndef SIM_PLATFORM_NVME_PRIV_H
#define SIM_PLATFORM_NVME_PRIV_H

#include "sim/base/event.h"
#include "sim/platform/disk.h"
#include "sim/platform/msix.h"
#include "sim/platform/nvme.h"
#include "spec/platform/nvme.h"

enum {
    NVME_QUEUE_COUNT = 65,       /* admin and 64 more */
    NVME_ENTRIES_MAX = 1024,
    NVME_ADMIN_ENTRIES_MAX = 4096,
    NVME_SLOTS = 128,
    NVME_PAGE = 4096,
    NVME_DATA_MAX = 128 * NVME_PAGE, /* MDTS */
    NVME_MDTS = 7,
    NVME_ASYNC_MAX = 4,
    NVME_ERRORS = 16,            /* entries of the error log */
    NVME_DSM_RANGES = 256,
};

struct nvme_sq {
    bool exists;
    uint16_t cq;         /* where completions go */
    uint16_t size;       /* entries */
    uint16_t head, tail;
    uint64_t base;
};

struct nvme_cq {
    bool exists, interrupts, phase;
    uint16_t vector, size, head, tail;
    uint64_t base;
};

struct nvme_slot {
    bool busy;
    bool done;           /* executed, waits for room in its completion queue */
    uint16_t sq;
    uint16_t status;     /* when done, or decided early */
    uint32_t result;     /* completion dword 0 */
    uint32_t command[16];
    uint64_t due;        /* [cycle] */
    uint64_t sequence;   /* order of fetching */
};

struct nvme_error {
    uint64_t count;      /* running number, from 1; 0: empty */
    uint16_t sq, cid, status;
    uint64_t lba;
};

struct nvme {
    uint16_t express;    /* offset of the PCI Express capability */
    struct machine *machine;
    unsigned index;
    struct disk *disk;
    struct pci_function function;
    struct msix msix;
    struct event fetch, work;
    uint8_t *data;               /* NVME_DATA_MAX bytes for the command being executed */
    char part_name[16];
    /* --- state --- */
    uint32_t cc, csts, aqa, interrupt_mask;
    uint64_t asq, acq;
    struct nvme_sq sq[NVME_QUEUE_COUNT];
    struct nvme_cq cq[NVME_QUEUE_COUNT];
    struct nvme_slot slot[NVME_SLOTS];
    uint64_t sequence;
    uint64_t medium_free;        /* when the medium has moved what it was given [cycle] */
    uint16_t next_sq;            /* round robin */
    uint32_t feature[NVME_FEATURES];
    uint16_t vector_feature[NVME_QUEUE_COUNT]; /* coalescing disable of each vector */
    uint16_t async_cid[NVME_ASYNC_MAX];
    uint8_t async_count;
    uint32_t async_pending;      /* events that wait: ASYNC_* */
    bool async_masked;           /* error events wait for the log to be read */
    uint64_t error_count;
    struct nvme_error error[NVME_ERRORS]; /* newest at error_count - 1, modulo */
    uint64_t reads, writes, sectors_read, sectors_written; /* for the health log */
};

enum { ASYNC_DOORBELL_QUEUE = 1 << 0, ASYNC_DOORBELL_VALUE = 1 << 1 };

/* What a command says in the end. */
struct nvme_answer {
    uint16_t status;
    uint32_t result;
};

static inline struct nvme_answer
nvme_status(uint16_t status)
{
    return (struct nvme_answer){ .status = status };
}

/* nvme.c */
void nvme_fail(struct nvme *);   /* controller fatal status: until reset nothing moves */
bool nvme_is_running(const struct nvme *);
void nvme_features_reset(struct nvme *);
/* The host's disk failed: stops the machine, gives 'status'. */
uint16_t nvme_host_failed(struct nvme *, uint16_t status);

/* nvme_queue.c */
void nvme_queue_doorbell(struct nvme *, unsigned queue, bool completion, uint32_t value);
void nvme_queue_fetch(void *nvme, uint64_t now);
void nvme_queue_work(void *nvme, uint64_t now);
void nvme_queue_interrupts(struct nvme *);   /* drives INTx as the queues say */
void nvme_queue_drop(struct nvme *, unsigned sq); /* its commands are aborted */
bool nvme_queue_abort(struct nvme *, unsigned sq, uint16_t cid);
/* A completion for a command that has no slot. False: no room now. */
bool nvme_queue_complete_async(struct nvme *, uint16_t cid, uint32_t result, uint16_t status);
void nvme_queue_reset(struct nvme *);

/* nvme_admin.c, nvme_identify.c, nvme_io.c */
struct nvme_answer nvme_admin(struct nvme *, const uint32_t command[16]);
struct nvme_answer nvme_identify(struct nvme *, const uint32_t command[16]);
struct nvme_answer nvme_io(struct nvme *, const uint32_t command[16]);
uint64_t nvme_io_bytes(const struct nvme *, const uint32_t command[16]); /* the medium will move */
void nvme_async_event(struct nvme *, uint32_t event); /* ASYNC_* has happened */
void nvme_async_deliver(struct nvme *);               /* pairs events and requests */

/* nvme_prp.c: the command's data between guest memory and 'bytes'. */
uint16_t nvme_data_out(struct nvme *, const uint32_t command[16], void *bytes, uint32_t size); /* from guest memory */
uint16_t nvme_data_in(struct nvme *, const uint32_t command[16], const void *bytes, uint32_t size); /* to guest memory */

static inline uint64_t
nvme_qword(const uint32_t command[16], unsigned dword)
{
    return (uint64_t)command[dword + 1] << 32 | command[dword];
}

#endif
