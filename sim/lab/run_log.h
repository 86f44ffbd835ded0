/* The input log of a run: what came from outside, and proofs of what it led to.
 *
 * A log is a file of records after a header that names what ran (hashes of
 * images, configuration and capture).  INPUT records hold what entered the
 * machine from outside and at which cycle; HASH records hold the machine's
 * state hash at a cycle; END closes the log.  Each record carries a checksum
 * over itself and the record before, so damage is noticed and named by record
 * and byte.
 *
 *   magic "HVLABLOG", version      bump the version when a record's layout or meaning changes
 *   header   u64 identity          hash of everything that was configured
 *   record   u32 kind, u32 size, u64 cycle, payload (size bytes), u64 checksum
 *
 * Writer and reader are in one file so that they cannot drift apart.
 */
#ifndef SIM_LAB_RUN_LOG_H
#define SIM_LAB_RUN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum run_log_kind { RUN_LOG_INPUT = 1, RUN_LOG_HASH = 2, RUN_LOG_END = 3 };
enum { RUN_LOG_PAYLOAD_MAX = 4096 };

struct run_log_record {
    enum run_log_kind kind;
    uint64_t cycle;
    uint32_t size;                        /* of payload [bytes] */
    uint8_t payload[RUN_LOG_PAYLOAD_MAX]; /* HASH: u64 state hash */
};

struct run_log; /* writer; owned by the caller until run_log_close */
struct run_log *run_log_create(const char *path, uint64_t identity, char *error, size_t error_size);
/* Continues a log cut by an interrupt: keeps its good records (up to 'cycle') and appends. */
struct run_log *run_log_resume(const char *path, uint64_t identity, uint64_t cycle, char *error, size_t error_size);
/* 'size' up to RUN_LOG_PAYLOAD_MAX [bytes]. */
void run_log_input(struct run_log *, uint64_t cycle, const void *payload, uint32_t size);
void run_log_hash(struct run_log *, uint64_t cycle, uint64_t hash);
void run_log_end(struct run_log *, uint64_t cycle, uint64_t hash);
/* Frees. A log without END is one of an interrupted run. */
bool run_log_close(struct run_log *, char *error, size_t error_size);

struct run_log_reader; /* owned by the caller until run_log_reader_free */
struct run_log_reader *run_log_open(const char *path, char *error, size_t error_size);
uint64_t run_log_identity(const struct run_log_reader *);
enum run_log_next { RUN_LOG_RECORD, RUN_LOG_FINISHED, RUN_LOG_DAMAGED };
/* DAMAGED: 'error' names the record and where it is. */
enum run_log_next run_log_read(struct run_log_reader *, struct run_log_record *, char *error, size_t error_size);
void run_log_reader_free(struct run_log_reader *);

#endif
