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

enum { LINE_SHIFT = 6, RECENT_LINES = 64, RECENT_CODE = 64, RECENT_PAGES = 16 };
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
void tags_state(struct tags *, struct state *);

enum { PREDICTOR_BITS = 14, PREDICTOR_ENTRIES = 1 << PREDICTOR_BITS, TARGET_ENTRIES = 2048, RETURN_ENTRIES = 16 };

struct predictor {
    uint8_t counter[PREDICTOR_ENTRIES];  /* 2-bit saturating */
    uint64_t target[TARGET_ENTRIES];     /* last target of a branch address and history */
    uint64_t history;
    uint64_t return_to[RETURN_ENTRIES];
    uint32_t return_top;
};

/* The hot core looks at 'recent' before it calls time_data: line numbers shifted
 * left by one, bit 0 set when the line may be written without asking. */
struct cpu_time {
    const uint8_t *ram;       /* host address of RAM's first byte; not state */
    uint64_t recent[RECENT_LINES];
    uint64_t recent_code[RECENT_CODE];
    struct tags l1d, l1i, l2;
    struct tags dtlb, itlb, stlb;
    uint64_t stream_line;     /* last line that missed; the next one is prefetched */
    struct predictor predictor;
};

struct timing { struct tags l3; };

/* Takes 'cost' [1/16 cycle] from the processor's budget and books it. */
void time_pay(struct cpu *, unsigned bucket, uint64_t cost);
unsigned time_bucket(const struct cpu *); /* of the running code */

/* Latency beyond L1 of a line [1/16 cycle]; 'write' takes it from other processors. */
uint64_t cache_data(struct cpu *, uint64_t line, bool write);
uint64_t cache_code(struct cpu *, uint64_t line);
/* Cost of finding a translation [1/16 cycle]. */
uint64_t tlb_data(struct cpu *, uint64_t linear);
uint64_t tlb_code(struct cpu *, uint64_t linear);

#endif
