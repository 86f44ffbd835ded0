#define _GNU_SOURCE
#include "sim/cli/boot_log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/cli/boot_options.h"
#include "sim/cli/boot_recipe.h"
#include "sim/lab/run_log.h"
#include "sim/machine.h"
#include "sim/platform/input.h"

struct boot_log {
    struct machine *machine;
    struct input *input;              /* replaying */
    struct run_log *writer;           /* recording */
    struct run_log_reader *reader;    /* replaying */
    struct run_log_record record;     /* the next to come */
    bool finished;                    /* no record is left, or it differs */
    uint64_t next_hash;               /* [cycle] */
    uint64_t inputs, hashes;          /* so far */
    bool differs;
    char message[1024];
};

/* --- beginning ---------------------------------------------------------------------------------- */

static struct boot_log *
log_new(struct machine *m)
{
    struct boot_log *log = calloc(1, sizeof *log);
    if (log) {
        log->machine = m;
        log->next_hash = MACHINE_TSC_HZ;
    }
    return log;
}

struct boot_log *
boot_log_record(const struct boot_options *o, struct machine *m, bool listen, char *error, size_t error_size)
{
    const char *folder = o->record;
    char path[PATH_MAX];
    struct boot_log *log = log_new(m);
    if (mkdir(folder, 0777) && errno != EEXIST)
        snprintf(error, error_size, "cannot make %s: %s", folder, strerror(errno));
    else if (log && boot_recipe_write(folder, o, listen, error, error_size)) {
        snprintf(path, sizeof path, "%s/log", folder);
        log->writer = run_log_create(path, machine_hash(m), error, error_size);
        if (log->writer)
            return log;
    }
    free(log);
    return NULL;
}

static void
read_next(struct boot_log *log)
{
    enum run_log_next next = run_log_read(log->reader, &log->record, log->message, sizeof log->message);
    if (next == RUN_LOG_RECORD)
        return;
    log->finished = log->differs = true; /* an END record comes before the end of the file */
    if (next == RUN_LOG_FINISHED)
        snprintf(log->message, sizeof log->message, "the log has no end: its run was killed; so far it is identical");
}

struct boot_log *
boot_log_replay(const char *folder, struct machine *m, struct input *input, char *error, size_t error_size)
{
    char path[PATH_MAX];
    struct boot_log *log = log_new(m);
    snprintf(path, sizeof path, "%s/log", folder);
    if (!log || !(log->reader = run_log_open(path, error, error_size))) {
        free(log);
        return NULL;
    }
    if (run_log_identity(log->reader) != machine_hash(m)) {
        snprintf(error, error_size, "%s: the machine begins differently: an image, a disk or this program has changed", folder);
        run_log_reader_free(log->reader);
        free(log);
        return NULL;
    }
    log->input = input;
    read_next(log);
    return log;
}

/* --- running --------------------------------------------------------------------------------------- */

void
boot_log_input(struct boot_log *log, const struct input_event *e)
{
    uint8_t bytes[INPUT_EVENT_SIZE];
    input_event_pack(e, bytes);
    run_log_input(log->writer, log->machine->now, bytes, sizeof bytes);
    log->inputs++;
}

uint64_t
boot_log_limit(const struct boot_log *log)
{
    if (log->writer)
        return log->next_hash;
    return log->finished ? UINT64_MAX : log->record.cycle;
}

static void
differ(struct boot_log *log, const char *what)
{
    log->finished = log->differs = true;
    snprintf(log->message, sizeof log->message, "differs at cycle %" PRIu64 " (%.6f s): %s", log->machine->now,
             (double)machine_cycles_to_ns(log->machine->now) / 1e9, what);
}

/* A record whose time has come. */
static void
replay_record(struct boot_log *log)
{
    struct input_event e;
    uint64_t want;
    if (log->machine->now != log->record.cycle) {
        differ(log, "a round ends where it did not when it was recorded");
        return;
    }
    if (log->record.kind == RUN_LOG_INPUT) {
        if (log->record.size != INPUT_EVENT_SIZE || !input_event_unpack(&e, log->record.payload)) {
            differ(log, "the log has an input that this program does not know");
            return;
        }
        input_apply(log->input, &e);
        log->inputs++;
        read_next(log);
        return;
    }
    memcpy(&want, log->record.payload, sizeof want);
    if (machine_hash(log->machine) != want) {
        differ(log, "another state hash than recorded");
        return;
    }
    log->hashes++;
    if (log->record.kind == RUN_LOG_END)
        log->finished = true;
    else
        read_next(log);
}

bool
boot_log_step(struct boot_log *log)
{
    if (log->writer) {
        if (log->machine->now >= log->next_hash) {
            run_log_hash(log->writer, log->machine->now, machine_hash(log->machine));
            log->next_hash = 2 * log->machine->now;
            log->hashes++;
        }
        return true;
    }
    while (!log->finished && log->machine->now >= log->record.cycle)
        replay_record(log);
    return !log->finished;
}

bool
boot_log_end(struct boot_log *log, char *error, size_t error_size)
{
    bool good = true;
    if (log->writer) {
        run_log_end(log->writer, log->machine->now, machine_hash(log->machine));
        good = run_log_close(log->writer, error, error_size);
    } else {
        boot_log_step(log); /* the machine may have stopped by itself, exactly at the end */
        if (!log->finished)
            differ(log, "the machine stops earlier than recorded");
        good = !log->differs;
        if (good)
            snprintf(error, error_size, "identical: %" PRIu64 " inputs, %" PRIu64 " state hashes, the last %016" PRIx64, log->inputs,
                     log->hashes, machine_hash(log->machine));
        else
            snprintf(error, error_size, "%s", log->message);
        run_log_reader_free(log->reader);
    }
    free(log);
    return good;
}
