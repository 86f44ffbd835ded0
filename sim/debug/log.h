/* `-d CATEGORIES`: what happens in the machine as lines of text, while it happens.
 *
 * A category is a set of trace events (spec/trace/events.tbl), or one of three that the core feeds:
 *   exec      every instruction, disassembled, before it executes
 *   block     every block of straight code, before it executes
 *   branches  nothing is printed, but the last blocks of each processor are kept for debug_log_branches()
 * A pure observer: the machine computes the same; exec and block take their time.
 */
#ifndef SIM_DEBUG_LOG_H
#define SIM_DEBUG_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/base/trace.h"

struct debug_log; /* owned by the caller of debug_log_open until debug_log_close */
struct machine;

/* 'categories': names separated by commas. NULL with a message that names what there is. 'out' is borrowed. */
struct debug_log *debug_log_open(struct machine *, const char *categories, FILE *out, char *error, size_t error_size);
/* Some category is made of trace events: the caller feeds them (they have the arguments of trace_write). */
bool debug_log_wants_events(const struct debug_log *);
/* Some category is fed by the core's hooks, which the crosscheck and gdb also want. */
bool debug_log_wants_core(const struct debug_log *);
void debug_log_event(struct debug_log *, uint64_t cycle, enum trace_event, const char *text);
/* The last blocks of every processor, newest last; nothing unless 'branches' is on. */
void debug_log_branches(struct debug_log *, FILE *);
void debug_log_close(struct debug_log *);
/* One line per category. */
void debug_log_help(FILE *);

#endif
