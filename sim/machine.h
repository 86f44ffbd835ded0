/* One simulated computer: everything hangs off `struct machine`.
 *
 * The machine advances in rounds.  In a round every processor, in order of
 * its index, runs up to the round's end: the next multiple of the quantum, or
 * the next event if that is earlier (but always at least one instruction).
 * An event that a processor arms during the round for an earlier cycle moves
 * the round's end there: the processor and those after it stop at it, those
 * before it are ahead and sit out what they have already run.
 * Then events due fire, in (cycle, sequence) order.  When all processors are
 * halted, time jumps to the next event.  Nothing else orders anything, so a
 * run depends only on image, configuration and the input log.
 *
 * Time is counted in cycles of the reference clock (machine_tsc_hz), which is
 * also the TSC.  Each processor keeps its own `now`; it never lags the round.
 *
 * Ownership: machine_new creates and owns memory, queue, processors and
 * platform devices; machine_free releases all.  Two machines may live in one
 * process.  Not thread-safe: one host thread drives a machine.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/features.h"

struct cpu;
struct cpu_model;
struct event_queue;
struct machine;
struct mem;
struct pci;
struct state;
struct timing;
struct trace;
struct vtd;
struct vtx_ops;

enum { MACHINE_CPUS_MAX = 64 };
#define MACHINE_TSC_HZ 2100000000ull /* reference core: Xeon E5-2450, 2.1 GHz */

enum machine_stop {
    STOP_NONE,         /* still running */
    STOP_LIMIT,        /* reached the requested cycle */
    STOP_REQUESTED,    /* machine_request_stop (Ctrl-C, lab device, window) */
    STOP_DEBUG_EXIT,   /* isa-debug-exit; see stop_code */
    STOP_POWER_OFF,    /* ACPI S5 */
    STOP_TRIPLE_FAULT, /* processor shutdown outside VMX non-root operation */
    STOP_UNIMPLEMENTED,/* an instruction form we do not have: stop_text says which */
    STOP_DIVERGED,     /* crosscheck disagreed: stop_text has both states */
    STOP_DEADLOCK,     /* all halted with nothing pending */
    STOP_RESET,        /* software asked the board for a reset; see machine_reset */
};

enum machine_tier {
    TIER_COMPILED,    /* blocks that run often become machine code, where the host allows it */
    TIER_INTERPRETER, /* records only */
    TIER_EAGER,       /* every block becomes machine code at its first run: for tests */
};

struct machine_config {
    uint64_t ram_size;       /* [bytes] */
    unsigned cpu_count;      /* 1..MACHINE_CPUS_MAX */
    uint64_t quantum;        /* [cycles] */
    bool timing_approx;      /* false: functional, one cycle per instruction */
    enum machine_tier tier;  /* of functional timing; the machine computes the same on all */
    const char *model;       /* of the processors, as sim/cpu/model/model.h reads it; NULL: "e5" */
    bool vtx;                /* VMX offered in CPUID, if the model has it */
    uint64_t crosscheck;     /* every Nth block on Unicorn; 0 = off */
    uint64_t rtc_epoch;      /* RTC start time [seconds since 1970-01-01] */
    uint64_t start;          /* what the time is when the machine begins, for machine_reset [cycle] */
    /* sim/platform/display.h: a framebuffer, or text, or neither */
    uint32_t display_width, display_height; /* [pixels] */
    bool display_text;
};

struct machine {
    struct machine_config config;
    struct mem *mem;
    struct event_queue *events;
    struct cpu *cpu[MACHINE_CPUS_MAX];
    unsigned cpu_count;
    const struct cpu_model *model;  /* of all processors; sim/cpu/model/model.h */
    struct cpu_features features;   /* what it offers here */
    uint8_t physical_bits;          /* width of physical addresses; 0 without a model */
    char model_text[128];           /* as config.model said it */
    uint64_t now;               /* start of the current round [cycle] */
    uint64_t tsc_shown;         /* latest time RDTSC showed to any processor [cycle]; 0 with a single one */
    struct pci *pci;            /* root complex; sim/platform/pci.h */
    struct vtd *vtd;            /* sim/platform/vtd.h */
    const struct vtx_ops *vtx;  /* VT-x/AMD-V implementation, or NULL; sim/vtx/vtx.h */
    struct timing *timing;      /* cost model, or NULL in functional mode; sim/time/timing.h */
    struct buckets *buckets;    /* attribution of cycles; never NULL; sim/time/timing.h */
    struct trace *trace;        /* event trace, or NULL; sim/base/trace.h */
    void (*fpu_error)(struct machine *, bool high); /* FERR# of a processor, or NULL; platform sets it */
    struct platform *platform;  /* chipset devices; sim/platform/platform.h */
    struct code_cache *code;    /* decoded blocks, shared by processors; sim/cpu/cache */
    struct crosscheck *crosscheck; /* or NULL; sim/cpu/crosscheck */
    struct cpu *running;        /* processor that runs right now, or NULL between processors */
    uint64_t round_until;       /* end of the round being run [cycle] */
    struct machine_part *parts; /* optional parts, in order of machine_add_part */
    enum machine_stop stop;
    uint32_t stop_code;         /* value written to isa-debug-exit */
    char stop_text[4096];       /* for people; empty when there is nothing to say */
    int stop_cpu;               /* processor whose doing it was, or -1: nobody's; for people, not state */
};

/* NULL on failure with a message in 'error' (up to 'error_size' bytes). */
struct machine *machine_new(const struct machine_config *, char *error,
                            unsigned error_size);
void machine_free(struct machine *);

/* Runs until 'limit' [cycle] or another reason; returns m->stop. Rounds are
 * never cut, so where a run is interrupted does not change what it computes;
 * but those of one processor in functional timing, which it does not matter to. */
enum machine_stop machine_run(struct machine *, uint64_t limit);

/* Asks for a stop at the end of the current round.  First reason wins. */
void machine_request_stop(struct machine *, enum machine_stop, uint32_t code,
                          const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What time it is for a device: the running processor's own time during its
 * part of the round, else 'now'.  [cycle] */
uint64_t machine_now(const struct machine *);

/* A device on the slow bus (LPC) is accessed: the running processor waits for it.  Loops that poll such a device
 * cost few instructions that way, as on silicon. */
void machine_slow_access(struct machine *);

/* Announces a part that a machine may or may not have (card, lab device, wire
 * peer): 'visit' becomes part of machine_state, after the fixed parts, in the
 * order of announcement.  'name' is static storage and unique. */
void machine_add_part(struct machine *, const char *name,
                      void (*visit)(void *ctx, struct state *), void *ctx);
void machine_remove_part(struct machine *, const char *name);

/* The reset that a machine stopped for (STOP_RESET): it becomes what 'fresh' is, a machine of the same configuration and
 * parts whose time starts where this one's has come to ('start' = m->now), that is loaded and has not run.  Nothing but
 * what a reset leaves alone differs afterwards: disks, the clock and its memory, input under way, counts of instructions.
 * False with a message in 'error'; the machine is then good for nothing. */
bool machine_reset(struct machine *, struct machine *fresh, char *error, unsigned error_size);

/* Visits everything: memory, processors, devices, queue. A load expects a
 * machine of the same configuration with the same parts announced. */
void machine_state(struct machine *, struct state *);
uint64_t machine_hash(struct machine *);

static inline uint64_t machine_ns_to_cycles(uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * MACHINE_TSC_HZ / 1000000000u);
}
static inline uint64_t machine_cycles_to_ns(uint64_t cycles)
{
    return (uint64_t)((unsigned __int128)cycles * 1000000000u / MACHINE_TSC_HZ);
}

#endif
