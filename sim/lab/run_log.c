#include "sim/lab/run_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { VERSION = 1 };
static const char magic[8] = { 'H', 'V', 'L', 'A', 'B', 'L', 'O', 'G' };

struct header {
    char magic[8];
    uint32_t version, reserved;
    uint64_t identity;
    uint64_t checksum; /* of the fields above */
};

struct record_header { uint32_t kind, size; uint64_t cycle; };

struct run_log {
    FILE *out;
    char *path;
    uint64_t chain; /* checksum of the record before */
    int error;      /* first errno */
};

struct run_log_reader {
    FILE *in;
    char *path;
    uint64_t identity, chain;
    unsigned long number; /* of the next record, from 1 */
    bool ended;
};

static uint64_t
checksum(uint64_t chain, const struct record_header *h, const void *payload)
{
    uint64_t sum = XXH3_64bits_withSeed(h, sizeof *h, chain);
    return XXH3_64bits_withSeed(payload, h->size, sum);
}

static struct header
make_header(uint64_t identity)
{
    struct header h = { .version = VERSION, .identity = identity };
    memcpy(h.magic, magic, sizeof magic);
    h.checksum = XXH3_64bits(&h, offsetof(struct header, checksum));
    return h;
}

/* --- writing ------------------------------------------------------------------ */

static void
put(struct run_log *log, const void *bytes, size_t size)
{
    if (!log->error && fwrite(bytes, 1, size, log->out) != size)
        log->error = errno ? errno : EIO;
}

static void
append(struct run_log *log, enum run_log_kind kind, uint64_t cycle, const void *payload, uint32_t size)
{
    struct record_header h = { kind, size, cycle };
    log->chain = checksum(log->chain, &h, payload);
    put(log, &h, sizeof h);
    put(log, payload, size);
    put(log, &log->chain, sizeof log->chain);
}

static struct run_log *
open_writer(const char *path, const char *mode, char *error, size_t error_size)
{
    struct run_log *log = calloc(1, sizeof *log);
    if (log && (log->path = strdup(path)) && (log->out = fopen(path, mode)))
        return log;
    snprintf(error, error_size, "cannot write %s: %s", path, strerror(errno));
    if (log)
        free(log->path);
    free(log);
    return NULL;
}

struct run_log *
run_log_create(const char *path, uint64_t identity, char *error, size_t error_size)
{
    struct run_log *log = open_writer(path, "wb", error, error_size);
    struct header h = make_header(identity);
    if (log)
        put(log, &h, sizeof h);
    return log;
}

struct run_log *
run_log_resume(const char *path, uint64_t identity, uint64_t cycle, char *error, size_t error_size)
{
    struct run_log_reader *r = run_log_open(path, error, error_size);
    struct run_log_record *record = calloc(1, sizeof *record);
    enum run_log_next next = RUN_LOG_DAMAGED;
    long keep = r ? ftell(r->in) : 0;
    uint64_t chain = 0;

    if (r && record && r->identity != identity)
        snprintf(error, error_size, "%s belongs to another configuration", path);
    else if (r && record)
        while ((next = run_log_read(r, record, error, error_size)) == RUN_LOG_RECORD
               && record->kind != RUN_LOG_END && record->cycle <= cycle) {
            keep = ftell(r->in);
            chain = r->chain;
        }
    run_log_reader_free(r);
    free(record);
    if (next == RUN_LOG_DAMAGED)
        return NULL;
    if (truncate(path, keep)) {
        snprintf(error, error_size, "cannot shorten %s: %s", path, strerror(errno));
        return NULL;
    }
    struct run_log *log = open_writer(path, "ab", error, error_size);
    if (log)
        log->chain = chain;
    return log;
}

void
run_log_input(struct run_log *log, uint64_t cycle, const void *payload, uint32_t size)
{
    append(log, RUN_LOG_INPUT, cycle, payload, size);
}

void
run_log_hash(struct run_log *log, uint64_t cycle, uint64_t hash)
{
    append(log, RUN_LOG_HASH, cycle, &hash, sizeof hash);
}

void
run_log_end(struct run_log *log, uint64_t cycle, uint64_t hash)
{
    append(log, RUN_LOG_END, cycle, &hash, sizeof hash);
}

bool
run_log_close(struct run_log *log, char *error, size_t error_size)
{
    if (fclose(log->out) && !log->error)
        log->error = errno;
    bool good = log->error == 0;
    if (!good)
        snprintf(error, error_size, "cannot write %s: %s", log->path, strerror(log->error));
    free(log->path);
    free(log);
    return good;
}

/* --- reading ------------------------------------------------------------------ */

struct run_log_reader *
run_log_open(const char *path, char *error, size_t error_size)
{
    struct run_log_reader *r = calloc(1, sizeof *r);
    struct header h, expected;
    if (!r || !(r->path = strdup(path)) || !(r->in = fopen(path, "rb"))) {
        snprintf(error, error_size, "cannot read %s: %s", path, strerror(errno));
        run_log_reader_free(r);
        return NULL;
    }
    size_t got = fread(&h, 1, sizeof h, r->in);
    if (got == sizeof h)
        expected = make_header(h.identity);
    if (got != sizeof h || memcmp(h.magic, magic, sizeof magic))
        snprintf(error, error_size, "%s is no log of hvlab", path);
    else if (h.version != VERSION)
        snprintf(error, error_size, "%s has version %u of the log, this program reads version %d", path, h.version, VERSION);
    else if (memcmp(&h, &expected, sizeof h))
        snprintf(error, error_size, "%s: the header is damaged", path);
    else {
        r->identity = h.identity;
        r->number = 1;
        return r;
    }
    run_log_reader_free(r);
    return NULL;
}

uint64_t
run_log_identity(const struct run_log_reader *r)
{
    return r->identity;
}

static enum run_log_next
damaged(const struct run_log_reader *r, long at, const char *what, char *error, size_t error_size)
{
    snprintf(error, error_size, "%s: record %lu (at byte %ld) is damaged: %s", r->path, r->number, at, what);
    return RUN_LOG_DAMAGED;
}

enum run_log_next
run_log_read(struct run_log_reader *r, struct run_log_record *record, char *error, size_t error_size)
{
    struct record_header h;
    uint64_t sum;
    long at = ftell(r->in);
    size_t got = fread(&h, 1, sizeof h, r->in);

    if (got == 0 && feof(r->in))
        return RUN_LOG_FINISHED;
    if (r->ended)
        return damaged(r, at, "there is something after the end", error, error_size);
    if (got != sizeof h)
        return damaged(r, at, "it is cut short", error, error_size);
    if (h.kind < RUN_LOG_INPUT || h.kind > RUN_LOG_END || h.size > RUN_LOG_PAYLOAD_MAX)
        return damaged(r, at, "its kind or size makes no sense", error, error_size);
    if (fread(record->payload, 1, h.size, r->in) != h.size || fread(&sum, 1, sizeof sum, r->in) != sizeof sum)
        return damaged(r, at, "it is cut short", error, error_size);
    if (sum != checksum(r->chain, &h, record->payload))
        return damaged(r, at, "its checksum does not match its contents", error, error_size);
    if (h.kind != RUN_LOG_INPUT && h.size != sizeof(uint64_t))
        return damaged(r, at, "a state hash has 8 bytes", error, error_size);
    r->chain = sum;
    r->number++;
    r->ended = h.kind == RUN_LOG_END;
    record->kind = h.kind;
    record->cycle = h.cycle;
    record->size = h.size;
    return RUN_LOG_RECORD;
}

void
run_log_reader_free(struct run_log_reader *r)
{
    if (!r)
        return;
    if (r->in)
        fclose(r->in);
    free(r->path);
    free(r);
}
