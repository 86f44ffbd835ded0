/* Where cycles come from and where they are booked.
 *
 * Execution computes; this module only charges.  In functional mode (no model)
 * every instruction costs one cycle and nothing else does.  In approximate
 * mode the hot core charges each block's static cost, and the functions below
 * charge what happens dynamically.  All charges are in 1/16 cycle; all
 * constants are rows of spec/timing/ with unit and source.
 *
 * Attribution: every cycle of every processor goes to exactly one bucket.  A
 * decoded block carries its bucket, found once from the physical address and
 * mode of its code (bucket_of_code).  VM transitions are charged to
 * BUCKET_EXIT_ENTRY, halted time to BUCKET_IDLE.
 */
#ifndef SIM_TIME_TIMING_H
#define SIM_TIME_TIMING_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct machine;
struct state;
struct timing;

enum {
    BUCKET_GUEST, BUCKET_IDLE, BUCKET_EXIT_ENTRY,
    BUCKET_OTHER, /* root mode code of no known image */
    BUCKET_FIXED_COUNT, BUCKET_MAX = 64
};
enum { TIME_UNIT_SHIFT = 4 }; /* 1/16 cycle */

/* --- attribution (both modes) ---------------------------------------------- */

struct buckets; /* name table and code ranges of one machine; machine->buckets */
struct buckets *buckets_new(void);
void buckets_free(struct buckets *);
/* Declares that code in [spa, spa + size) belongs to bucket 'name' (e.g.
 * "vswitch@root-kernel", "copy@hv", "hv"); returns its index. */
unsigned bucket_add_range(struct machine *, const char *name, uint64_t spa, uint64_t size);
/* Bucket of code at 'spa'; unknown code is GUEST in non-root mode, else OTHER. */
unsigned bucket_of_code(const struct machine *, uint64_t spa, bool nonroot);
unsigned bucket_count(const struct machine *);
const char *bucket_name(const struct machine *, unsigned index);
/* What one processor has been charged so far, in 1/16 cycle in both modes. */
uint64_t bucket_charged(const struct cpu *, unsigned index);
/* Rounds 'count' values in 1/16 cycle to whole cycles whose sum is exactly
 * 'total' [cycles], by largest remainder (ties: lower index). */
void bucket_round(const uint64_t *sixteenths, uint64_t *cycles, unsigned count, uint64_t total);

/* --- charges (approximate mode; no-ops in functional mode) ------------------- */

enum charge_kind { CHARGE_VM_ENTRY, CHARGE_VM_EXIT, CHARGE_VM_MSR, CHARGE_VMREAD, CHARGE_VMWRITE, CHARGE_CPUID, CHARGE_MOV_CR, CHARGE_WRMSR,
                   CHARGE_RDMSR, CHARGE_INVLPG, CHARGE_IRET, CHARGE_SYSCALL, CHARGE_FAR, CHARGE_INTERRUPT, CHARGE_LOCKED,
                   CHARGE_MMIO_READ, CHARGE_MMIO_WRITE, CHARGE_PORT_IN, CHARGE_PORT_OUT, CHARGE_WAKE, CHARGE_INVEPT,
                   CHARGE_KIND_COUNT };
/* Charges one micro-coded operation; 'n' scales it (fields saved, MSRs in an area). */
void time_charge(struct cpu *, enum charge_kind, unsigned n);
/* Memory references, seen by the cache model. 'spa' is physical. */
void time_data(struct cpu *, uint64_t linear, uint64_t spa, unsigned size, bool write);
/* Walks are charged where the model's own TLBs miss (tlb.c); what the soft TLB misses is the host's affair.
 * A translation of the running context was flushed, or all of them ('all': of every context). */
void time_flush(struct cpu *, bool all);
void time_flush_page(struct cpu *, uint64_t linear);
enum branch_kind { BRANCH_DIRECT, BRANCH_CONDITIONAL, BRANCH_INDIRECT, BRANCH_RETURN };
void time_branch(struct cpu *, uint64_t rip, uint64_t target, enum branch_kind, bool taken);
void time_call(struct cpu *, uint64_t return_to); /* any CALL: what the return stack remembers */
/* What happened to a processor so far [count]; 0 in functional mode, where none of it happens. */
enum time_event { TIME_MISPREDICTS, TIME_LLC_REFERENCES, TIME_LLC_MISSES, TIME_EVENT_COUNT };
uint64_t time_event_count(const struct cpu *, enum time_event);
/* A device wrote memory: the lines are in the L3 now and in no private cache. */
void time_dma_write(struct machine *, uint64_t spa, uint64_t size);
void time_string(struct cpu *, uint64_t bytes);

/* Latency of the fabric, for devices [cycles]. In functional mode constant rows too (devices need times). */
enum fabric_kind { FABRIC_DMA_READ, FABRIC_DMA_WRITE, FABRIC_MSI, FABRIC_IPI, FABRIC_IOTLB_MISS,
                   FABRIC_LPC,          /* a port of the slow bus (clock, PIT, PM timer) answers */
                   FABRIC_DISK_COMMAND, /* a command is fetched, or an administrative one done */
                   FABRIC_DISK,         /* the medium answers */
                   FABRIC_DISK_BUSY,    /* moving 'bytes' occupies the medium */
                   FABRIC_KIND_COUNT };
uint64_t time_fabric(const struct machine *, enum fabric_kind, uint64_t bytes);
uint64_t time_wire_cycles(const struct machine *, uint64_t frame_bytes); /* 10 GbE: frame + FCS(4) + preamble 8 + IFG 12 */

struct timing *timing_new(struct machine *);
void timing_free(struct timing *);
void timing_state(struct machine *, struct state *);
bool timing_cpu_new(struct cpu *);
void timing_cpu_free(struct cpu *);

#endif
