/* Who looks at a booted machine: event trace, -d, gdb, crosscheck.  None of them changes what it computes
 * (except what a person tells gdb to change). */
#ifndef SIM_CLI_WATCH_H
#define SIM_CLI_WATCH_H

#include <stdbool.h>

#include "sim/cli/boot_options.h"

struct watch {
    struct machine *machine;
    struct debug_log *log;
    struct gdb *gdb;
};

/* Starts what the options ask for; waits for gdb's first "continue".  EXIT_GOOD, or another status with a message printed. */
int watch_open(struct watch *, struct machine *, const struct boot_options *);
/* Between slices.  False: gdb wants the run to end. */
bool watch_poll(struct watch *);
/* The machine was reset: who keeps a copy of it begins anew.  EXIT_GOOD, or another status with a message printed. */
int watch_reset(struct watch *, const struct boot_options *);
/* The run ended so: tells whom it concerns, and shows a person what went wrong. */
void watch_end(struct watch *, enum machine_stop, int exit_status);
/* EXIT_GOOD, or another status with a message printed: a trace could not be written. */
int watch_close(struct watch *);

#endif
