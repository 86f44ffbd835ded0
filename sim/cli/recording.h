/* One run, recorded or checked: drives a testbed, keeps its log, its progress
 * line and, when interrupted, its snapshot.
 *
 * A run's folder holds: log (state hashes), console.txt, wire.pcapng and
 * childN.pcapng, trace/ (CTF), and snapshot.zst while a run waits to be
 * resumed.
 */
#ifndef SIM_CLI_RECORDING_H
#define SIM_CLI_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cli/plan.h"

enum recording_mode {
    RECORDING_NEW,     /* write a new log */
    RECORDING_RESUME,  /* load the snapshot, continue the log */
    RECORDING_CHECK,   /* write nothing; compare with the log */
};

enum recording_end { RECORDING_FINISHED, RECORDING_INTERRUPTED, RECORDING_FAILED, RECORDING_DIFFERS, RECORDING_UNUSABLE };

struct recording {
    const struct plan *plan;
    const struct plan_run *run;
    const char *folder;          /* the run's own */
    enum recording_mode mode;
    bool quiet;                  /* no progress line */
    uint64_t pause_slice;        /* stop here as Ctrl-C would [slices since power-on]; 0 = never */
    unsigned index, count;       /* of this run among those planned, for the progress line */
    trace_listener_fn *listener; /* or NULL */
    void *listener_ctx;
    /* Called before the first slice and behind the last, with 'between_ctx'; may be NULL.  False with a message: no run. */
    bool (*begin)(void *ctx, struct testbed *, char *error, size_t error_size);
    void (*end)(void *ctx, enum recording_end);
    /* Called between slices with the testbed; false asks to stop as Ctrl-C would. May be NULL. */
    bool (*between)(void *ctx, struct testbed *);
    void *between_ctx;
    /* results */
    struct testbed_result result;
    char bucket_names[BUCKET_MAX][48]; /* result.bucket points here */
    uint64_t state_hash;         /* of the machine at the end */
    uint64_t hashes;             /* state hashes written or compared */
    double host_seconds;
    char message[5120];          /* why it failed, differs or is unusable */
};

enum recording_end recording_run(struct recording *);

#endif
