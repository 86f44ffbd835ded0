#define _GNU_SOURCE
#include "sim/cli/recording.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim/cli/cli.h"
#include "sim/lab/run_log.h"

struct live_run {
    struct recording *r;
    struct testbed *testbed;
    struct run_log *log;            /* NEW, RESUME */
    struct run_log_reader *expected;/* CHECK */
    struct run_log_record record;
    FILE *console;
    double began, last_shown;       /* host time [s] */
};

/* Host time is for people only: progress and host_seconds. */
static double
host_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *
path_in(const struct recording *r, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", r->folder, name) < 0)
        abort();
    return path;
}

/* --- the progress line ---------------------------------------------------------- */

static void
show_progress(struct live_run *s, bool last)
{
    double now = host_seconds(), spent = now - s->began;
    if (s->r->quiet || !isatty(STDERR_FILENO) || (!last && now - s->last_shown < 0.2))
        return;
    s->last_shown = now;
    double done = testbed_progress(s->testbed);
    if (last)
        fprintf(stderr, "\r\033[K");
    else if (testbed_phase(s->testbed) == TESTBED_BOOTING)
        fprintf(stderr, "\r\033[K[%u/%u] %s: booting, %.1f s", s->r->index + 1, s->r->count, s->r->run->name, spent);
    else
        fprintf(stderr, "\r\033[K[%u/%u] %s: %3.0f %%, %.1f s, about %.0f s left", s->r->index + 1, s->r->count,
                s->r->run->name, 100 * done, spent, done > 0.02 ? spent / done * (1 - done) : 0.0);
}

/* --- the log ---------------------------------------------------------------------- */

/* Compares one expected record with what is now; false sets the message. */
static bool
compare(struct live_run *s, enum run_log_kind kind, uint64_t hash)
{
    struct recording *r = s->r;
    uint64_t expected, now = testbed_machine(s->testbed)->now;
    char why[512];
    enum run_log_next next = run_log_read(s->expected, &s->record, why, sizeof why);
    if (next == RUN_LOG_DAMAGED) {
        snprintf(r->message, sizeof r->message, "%s", why);
        return false;
    }
    memcpy(&expected, s->record.payload, sizeof expected);
    if (next == RUN_LOG_RECORD && s->record.kind == kind && s->record.cycle == now && expected == hash)
        return true;
    if (next == RUN_LOG_FINISHED)
        snprintf(r->message, sizeof r->message, "the log ends at %.6f ms, the run goes on", (double)machine_cycles_to_ns(now) / 1e6);
    else
        snprintf(r->message, sizeof r->message, "state hash %llu differs at %.6f ms: %016llx recorded, %016llx now",
                 (unsigned long long)r->hashes, (double)machine_cycles_to_ns(now) / 1e6, (unsigned long long)expected,
                 (unsigned long long)hash);
    return false;
}

static bool
note_hash(struct live_run *s, enum run_log_kind kind)
{
    struct recording *r = s->r;
    r->state_hash = testbed_hash(s->testbed);
    r->hashes++;
    if (s->expected)
        return compare(s, kind, r->state_hash);
    if (kind == RUN_LOG_END)
        run_log_end(s->log, testbed_machine(s->testbed)->now, r->state_hash);
    else
        run_log_hash(s->log, testbed_machine(s->testbed)->now, r->state_hash);
    return true;
}

static bool
open_log(struct live_run *s)
{
    struct recording *r = s->r;
    char *path = path_in(r, "log");
    uint64_t identity = testbed_identity(s->testbed), now = testbed_machine(s->testbed)->now;
    bool good;
    if (r->mode == RECORDING_CHECK) {
        s->expected = run_log_open(path, r->message, sizeof r->message);
        good = s->expected != NULL;
        if (good && run_log_identity(s->expected) != identity) {
            snprintf(r->message, sizeof r->message, "%s was recorded with other images, settings or capture", path);
            good = false;
        }
    } else {
        s->log = r->mode == RECORDING_RESUME ? run_log_resume(path, identity, now, r->message, sizeof r->message)
                                             : run_log_create(path, identity, r->message, sizeof r->message);
        good = s->log != NULL;
    }
    free(path);
    return good;
}

/* --- snapshots --------------------------------------------------------------------- */

static bool
save_snapshot(struct live_run *s)
{
    char *path = path_in(s->r, "snapshot.zst");
    bool good = testbed_save(s->testbed, path, s->r->message, sizeof s->r->message);
    free(path);
    return good;
}

static bool
load_snapshot(struct live_run *s)
{
    char *path = path_in(s->r, "snapshot.zst");
    bool good = testbed_load(s->testbed, path, s->r->message, sizeof s->r->message);
    free(path);
    return good;
}

/* --- the run ------------------------------------------------------------------------ */

static bool
open_run(struct live_run *s)
{
    struct recording *r = s->r;
    const struct experiment *e = &r->plan->experiment;
    struct testbed_config config = plan_testbed(r->plan, r->run);
    char *trace = path_in(r, "trace"), *console = path_in(r, "console.txt");
    bool writing = r->mode != RECORDING_CHECK;

    if (writing && mkdir(r->folder, 0777) && errno != EEXIST) {
        snprintf(r->message, sizeof r->message, "cannot create %s: %s", r->folder, strerror(errno));
        free(trace);
        free(console);
        return false;
    }
    s->console = writing ? fopen(console, r->mode == RECORDING_RESUME ? "ab" : "wb") : NULL;
    config.console = s->console;
    config.trace_folder = writing && e->trace ? trace : NULL;
    config.pcapng_folder = writing && e->pcapng ? r->folder : NULL;
    config.listener = r->listener;
    config.listener_ctx = r->listener_ctx;
    s->testbed = testbed_new(&config, r->message, sizeof r->message);
    free(trace);
    free(console);
    return s->testbed && (r->mode != RECORDING_RESUME || load_snapshot(s)) && open_log(s)
        && (!r->begin || r->begin(r->between_ctx, s->testbed, r->message, sizeof r->message));
}

/* --- when to hash -------------------------------------------------------------------- */

/* The slice of the next state hash: multiples of the period that was asked for,
 * or, for "auto", of a period that starts at 10 ms and doubles as the run grows
 * (a long one gets some 16 per doubling of its length): hashing RAM costs host time. */
static uint64_t
next_hash(const struct live_run *s, uint64_t slice)
{
    enum { SLICES_PER_MS = 1000000 / TESTBED_SLICE_NS, AUTO_MS = 10, PERIODS_BEFORE_DOUBLING = 32 };
    uint64_t period = s->r->plan->experiment.hash_every_ms * SLICES_PER_MS;
    if (period == 0)
        for (period = AUTO_MS * SLICES_PER_MS; slice >= PERIODS_BEFORE_DOUBLING * period;)
            period *= 2;
    return (slice / period + 1) * period;
}

/* Slices up to 'target', a few at a time so that people can interrupt. False: they did. */
static bool
advance_to(struct live_run *s, uint64_t target)
{
    enum { SLICES_AT_ONCE = 10 };
    struct recording *r = s->r;
    while (testbed_slices(s->testbed) < target && testbed_phase(s->testbed) < TESTBED_FINISHED) {
        uint64_t left = target - testbed_slices(s->testbed), most = r->between || r->pause_slice ? 1 : SLICES_AT_ONCE;
        testbed_advance(s->testbed, (unsigned)(left < most ? left : most));
        show_progress(s, false);
        bool pause = r->pause_slice && testbed_slices(s->testbed) == r->pause_slice;
        if (pause || cli_interrupted() || (r->between && !r->between(r->between_ctx, s->testbed)))
            return false;
    }
    return true;
}

static enum recording_end
interrupt(struct live_run *s)
{
    if (s->r->mode == RECORDING_CHECK)
        return RECORDING_INTERRUPTED;
    return save_snapshot(s) ? RECORDING_INTERRUPTED : RECORDING_UNUSABLE;
}

static enum recording_end
drive(struct live_run *s)
{
    struct recording *r = s->r;
    while (testbed_phase(s->testbed) < TESTBED_FINISHED) {
        uint64_t target = next_hash(s, testbed_slices(s->testbed));
        bool go_on = advance_to(s, target), there = testbed_slices(s->testbed) == target;
        if (there && testbed_phase(s->testbed) < TESTBED_FINISHED && !note_hash(s, RUN_LOG_HASH))
            return RECORDING_DIFFERS;
        if (!go_on)
            return interrupt(s);
    }
    if (!note_hash(s, RUN_LOG_END))
        return RECORDING_DIFFERS;
    if (testbed_phase(s->testbed) == TESTBED_FINISHED)
        return RECORDING_FINISHED;
    snprintf(r->message, sizeof r->message, "%s", testbed_failure(s->testbed));
    return RECORDING_FAILED;
}

static void
keep_results(struct live_run *s)
{
    struct recording *r = s->r;
    testbed_result(s->testbed, &r->result);
    for (unsigned b = 0; b < r->result.bucket_count; b++) {
        snprintf(r->bucket_names[b], sizeof r->bucket_names[b], "%s", r->result.bucket[b]);
        r->result.bucket[b] = r->bucket_names[b];
    }
}

static enum recording_end
close_run(struct live_run *s, enum recording_end end)
{
    struct recording *r = s->r;
    char why[512];
    if (s->testbed && r->end)
        r->end(r->between_ctx, end);
    if (s->log && !run_log_close(s->log, why, sizeof why) && end == RECORDING_FINISHED) {
        snprintf(r->message, sizeof r->message, "%s", why);
        end = RECORDING_UNUSABLE;
    }
    run_log_reader_free(s->expected);
    if (s->testbed && !testbed_free(s->testbed, why, sizeof why)) {
        snprintf(r->message, sizeof r->message, "%s", why);
        end = RECORDING_UNUSABLE;
    }
    if (s->console)
        fclose(s->console);
    return end;
}

enum recording_end
recording_run(struct recording *r)
{
    struct live_run *s = calloc(1, sizeof *s);
    enum recording_end end = RECORDING_UNUSABLE;
    if (!s)
        abort();
    s->r = r;
    s->began = host_seconds();
    r->hashes = 0;
    if (open_run(s)) {
        end = drive(s);
        keep_results(s);
        show_progress(s, true);
        testbed_report_crosscheck(s->testbed, stdout);
    }
    r->host_seconds = host_seconds() - s->began;
    end = close_run(s, end);
    if (end == RECORDING_FINISHED && r->mode == RECORDING_RESUME) {
        char *snapshot = path_in(r, "snapshot.zst");
        unlink(snapshot);
        free(snapshot);
    }
    free(s);
    return end;
}
