/* Inside the debugger's door: gdb.c (protocol, run control), gdb_points.c (break- and watchpoints), gdb_monitor.c. */
#ifndef SIM_DEBUG_GDB_PRIV_H
#define SIM_DEBUG_GDB_PRIV_H

#include <stdio.h>

#include "sim/cpu/core_hooks.h"
#include "sim/debug/gdb.h"
#include "sim/debug/gdb_packet.h"
#include "sim/machine.h"

struct gdb_breakpoint {
    uint64_t linear;
    uint64_t spa;   /* valid when mapped */
    bool mapped;
};

struct gdb_place { bool valid; unsigned cpu; uint64_t rip, instructions; };

struct gdb {
    struct machine *machine;
    int listener;
    struct gdb_connection connection;
    struct gdb_breakpoint *breakpoint;
    unsigned breakpoint_count;
    struct core_watch *watch;    /* the core looks at it */
    unsigned watch_count;
    unsigned current;            /* processor that g, m and the like mean (Hg) */
    int step;                    /* processor to stop after one instruction, or -1 */
    uint64_t range_first, range_end; /* vCont;r: the step goes on while rip is in there; empty: one instruction */
    bool killed;
    /* Where the machine was let go, by the processor that had stopped it and by the one that steps: that instruction
     * does not stop it again. */
    struct gdb_place left, step_from;
    char *description;
    char reply[GDB_PACKET_MAX + 1];
};

enum { GDB_SIGNAL_INT = 2, GDB_SIGNAL_TRAP = 5 };

static inline struct cpu *gdb_current(const struct gdb *g)
{
    return g->machine->cpu[g->current];
}

/* gdb.c.  gdb_new and gdb_command without a connection are for the fuzzer: a command changes 'g' and the machine, and
 * answers; NULL: it lets the machine go on. */
struct gdb *gdb_new(struct machine *); /* NULL: no memory */
const char *gdb_command(struct gdb *, const char *text);
void gdb_serve(struct gdb *, unsigned cpu, int signal_number, const char *why);
bool gdb_just_left(const struct gdb *, const struct cpu *);

/* gdb_points.c: Z and z packets; the core's callbacks; all away. */
const char *gdb_points_command(struct gdb *, const char *text);
void gdb_points_accessed(void *gdb, struct cpu *, const struct core_watch_hit *);
void gdb_points_translated(void *gdb, struct cpu *, uint64_t linear, uint64_t spa);
void gdb_points_forget(struct gdb *);

/* gdb_monitor.c: what `monitor COMMAND` prints. */
void gdb_monitor(struct gdb *, const char *command, FILE *out);

#endif
