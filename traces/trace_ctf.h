/* The event trace on disk: Common Trace Format 1.8, writer and reader.
 *
 * A trace is a folder with `metadata` (TSDL text, made from
 * spec/trace/events.tbl) and `events` (one binary stream of packets).  Times
 * are machine cycles; the clock's frequency in the metadata is the reference
 * clock, so tools show virtual time.  babeltrace2 and Trace Compass open the
 * folder; trace_ctf_read is our own reader for `hvlab explain`.
 *
 * A trace observes: it is written as the run goes and has no influence on it.
 * An optional listener sees the same events (the live window uses it).
 */
#ifndef TRACES_TRACE_CTF_H
#define TRACES_TRACE_CTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/base/trace.h"

struct state;

struct trace_record {
    uint64_t cycle;
    enum trace_event event;
    uint64_t arg[4];
};
typedef void trace_listener_fn(void *ctx, const struct trace_record *);

/* 'folder' NULL: nothing is written, only 'listener' (may be NULL) hears.
 * NULL on failure with a message. */
struct trace *trace_ctf_open(const char *folder, trace_listener_fn *listener, void *ctx,
                             char *error, size_t error_size);
/* A resumed run's trace goes on where it was interrupted (outfile.h). NULL: nothing is traced. */
void trace_ctf_state(struct trace *, struct state *);
/* Frees. False when the disk refused something; then 'error' says what. */
bool trace_ctf_close(struct trace *, char *error, size_t error_size);

/* Calls 'each' for every event of the trace in 'folder', in order. False with
 * a message when it is missing or damaged. */
bool trace_ctf_read(const char *folder, trace_listener_fn *each, void *ctx, char *error, size_t error_size);

const char *trace_event_name(enum trace_event);
void trace_event_print(FILE *, enum trace_event); /* its name and fields, as a line */
/* "exception cpu=0 vector=14 error=0x2 address=0x1000". */
void trace_record_text(const struct trace_record *, char *text, size_t size);

#endif
