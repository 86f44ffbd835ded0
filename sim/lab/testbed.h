/* One run of an experiment: a machine with its card, wire and laboratory, from
 * power-on to the last frame.
 *
 * Life:  BOOTING -> REPLAYING (all children ready; the measured interval
 * begins at the schedule's time 0) -> FINISHED (every frame is accounted for)
 * or GAVE_UP (no progress for 'patience'), FAILED (the machine stopped).
 * testbed_advance moves by whole slices of TESTBED_SLICE_NS, so where a caller
 * pauses, draws or saves does not change what is computed.
 *
 * Accounting: every (frame, addressee) pair offered is delivered or dropped
 * for a named reason; what is still missing when a run is given up is "lost".
 */
#ifndef SIM_LAB_TESTBED_H
#define SIM_LAB_TESTBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/base/trace.h"
#include "sim/lab/schedule.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "spec/lab/lab.h"
#include "traces/trace_ctf.h"

enum { TESTBED_SLICE_NS = 100000, TESTBED_DROPS_MAX = 40 };

struct nic;
struct testbed;

struct testbed_config {
    struct machine_config machine;
    const char *hv_image, *root_image, *child_image; /* paths of ELF files */
    const char *config_text;           /* the "config" module */
    const struct schedule *schedule;   /* borrowed */
    unsigned accounted;                /* children [0, accounted) whose deliveries count */
    bool reserved_per_child;           /* reserved multicast reaches every child (vmq, sriov), not only the switch */
    bool lossless;
    bool switch_capture;               /* write what the switch's capture extension sees */
    uint64_t patience_ns;              /* virtual time without progress */
    const char *trace_folder;          /* CTF, or NULL */
    const char *pcapng_folder;         /* captures per port, or NULL */
    FILE *console;                     /* COM1 and lab consoles, or NULL */
    trace_listener_fn *listener;       /* sees trace events, or NULL */
    void *listener_ctx;
};

enum testbed_phase { TESTBED_BOOTING, TESTBED_REPLAYING, TESTBED_FINISHED, TESTBED_GAVE_UP, TESTBED_FAILED };

struct testbed_drop { const char *reason; uint64_t count; };

struct testbed_child_result {
    uint64_t delivered, delivered_bytes, sent, payload_hash;
};

/* What a run has measured so far; complete once the phase is FINISHED. */
struct testbed_result {
    uint64_t offered, delivered;
    uint64_t others;                  /* of the offered: frames of children that do not replay */
    struct testbed_drop drop[TESTBED_DROPS_MAX]; /* only reasons with a count */
    unsigned drop_count;
    uint64_t payload_hash, wire_hash, wire_received;
    struct testbed_child_result child[SCHEDULE_CHILDREN_MAX];
    unsigned children;
    const char *bucket[BUCKET_MAX];   /* names, owned by the testbed */
    uint64_t cycles[BUCKET_MAX];      /* of the measured interval, all processors */
    unsigned bucket_count;
    uint64_t cycles_total;            /* exactly the sum of 'cycles' */
    uint64_t virtual_ns;              /* length of the measured interval */
    uint64_t boot_ns;                 /* before it */
    uint64_t instructions;            /* retired in the measured interval */
    uint64_t signals_sent, signals_saved, interrupts; /* by everybody */
    uint64_t switch_capture_lost;     /* frames that are missing in switch.pcapng */
    uint64_t paused_ns;               /* the wire was held by PAUSE */
};

struct testbed *testbed_new(const struct testbed_config *, char *error, size_t error_size);
/* Frees; writes out captures and trace. False when a file could not be written. */
bool testbed_free(struct testbed *, char *error, size_t error_size);

/* Runs up to 'slices' slices; returns early at the end of the run. */
enum testbed_phase testbed_advance(struct testbed *, unsigned slices);
enum testbed_phase testbed_phase(const struct testbed *);
uint64_t testbed_slices(const struct testbed *); /* done since power-on */
const char *testbed_failure(const struct testbed *); /* one paragraph; valid in GAVE_UP and FAILED */
struct machine *testbed_machine(struct testbed *);
const struct nic *testbed_nic(const struct testbed *);
void testbed_result(struct testbed *, struct testbed_result *);
/* What the crosscheck compared and skipped; nothing when it is off. */
void testbed_report_crosscheck(const struct testbed *, FILE *);
/* Share of the replay done, 0..1, by frames accounted for. */
double testbed_progress(struct testbed *);

/* Hash of everything that was configured: images, config text, schedule, machine. */
uint64_t testbed_identity(const struct testbed *);
uint64_t testbed_hash(struct testbed *);
/* Snapshots: files (snapshot.h). */
bool testbed_save(struct testbed *, const char *path, char *error, size_t error_size);
bool testbed_load(struct testbed *, const char *path, char *error, size_t error_size);

#endif
