/* The approximate model's private side: interval simulation of one core
 * generation (docs/timing-model.md tells the story, spec/timing the numbers).
 *
 * A block costs what its instructions need when nothing misses, prepared once
 * per decoded block (block_cost.c).  What does miss is charged as it happens:
 * caches (cache.c), TLBs and walks (tlb.c), branches (branch.c), micro-coded
 * operations (charge.c).  A charge takes from the running processor's budget,
 * which the core turns into time, and is booked to a bucket at once.
 *
 * Everything here is machine state: it decides when events happen, so it is
 * hashed and saved.
 */
#ifndef SIM_TIME_MODEL_H
#define SIM_TIME_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/cpu.h"
#include "sim/time/timing.h"

struct machine;

enum { LINE_SHIFT = 6, RECENT_LINES = 64, RECENT_CODE = 64, STREAM_SLOTS = 16 };
#define NO_LINE UINT64_MAX

/* A set-associative array of tags with exact LRU; way 0 of a set is the most recent. */
struct tags {
    uint64_t *tag;     /* sets x ways; NO_LINE = empty */
    uint32_t sets, ways;
};

bool tags_new(struct tags *, uint32_t sets, uint32_t ways);
void tags_free(struct tags *);
void tags_clear(struct tags *);
/* Looks 'key' up and makes it the most recent; a miss inserts it. The tag that
 * fell out is stored in '*evicted' (NO_LINE if none) when not NULL. */
bool tags_touch(struct tags *, uint64_t key, uint64_t *evicted);
bool tags_drop(struct tags *, uint64_t key);
bool tags_has(const struct tags *, uint64_t key);
void tags_state(struct tags *, struct state *);

enum { PREDICTOR_BITS = 14, PREDICTOR_ENTRIES = 1 << PREDICTOR_BITS, TARGET_ENTRIES = 2048, RETURN_ENTRIES = 16 };

struct predictor {
    uint8_t counter[PREDICTOR_ENTRIES];  /* 2-bit saturating */
    uint64_t target[TARGET_ENTRIES];     /* last target of a branch address and history */
    uint64_t history;
    uint64_t return_to[RETURN_ENTRIES];
    uint32_t return_top;
};

/* Lines are numbered by their place in RAM (offset / 64), so that the hot core
 * finds the number without knowing about the hole below 4 GiB.
 *
 * The hot core looks at 'recent' before it asks the caches: line numbers shifted
 * left by one, bit 0 set when the line may be written without asking. */
struct cpu_time {
    const uint8_t *ram;       /* host address of RAM's first byte; not state */
    uint64_t recent[RECENT_LINES];
    uint64_t recent_code[RECENT_CODE];
    struct tags l1d, l1i, l2;
    struct tags dtlb, itlb, stlb;
    uint64_t stream[STREAM_SLOTS]; /* last line of a page that missed; the next one is prefetched */
    uint64_t chased;          /* what the latest missing load read [8 bytes of memory] */
    uint64_t miss_at;         /* cpu->instructions at the latest long miss that was paid in full */
    uint64_t hidden;          /* of the latest store miss, what the store buffer hid [cycles] */
    uint64_t hidden_at;       /* cpu->instructions + 1 then */
    struct predictor predictor;
    uint64_t events[TIME_EVENT_COUNT];
};

/* Who may have a line dirty: line << 8 | processor + 1, or 0 when nobody; one
 * entry per residue, an older line's is forgotten. */
enum { OWNER_ENTRIES = 1 << 16, OWNER_SHIFT = 8 };

struct timing {
    struct tags l3;
    uint64_t owner[OWNER_ENTRIES];
};

/* Takes 'cost' [1/16 cycle] from the processor's budget and books it. */
void time_pay(struct cpu *, unsigned bucket, uint64_t cost);
unsigned time_bucket(const struct cpu *); /* of the running code */

struct miss { uint32_t latency, floor; }; /* beyond an L1 hit; least cost however much overlaps [cycles] */
struct miss cache_data(struct cpu *, uint64_t line, bool write); /* 'write' takes the line from other processors */
uint32_t cache_code(struct cpu *, uint64_t line); /* [cycles] */
void cache_device_wrote(struct machine *, uint64_t line);
/* Latency of finding a translation [cycles]. */
uint32_t tlb_data(struct cpu *, uint64_t linear);
uint32_t tlb_code(struct cpu *, uint64_t linear);

/* What the filters of hot.h do not answer. */
void time_touch_slow(struct cpu *, uint64_t linear, const void *host, unsigned size, bool write);
void time_code_slow(struct cpu *, uint64_t linear, uint64_t first_line, uint64_t last_line);

#endif
