/* A debugger in a run of an experiment: what recording.h calls for `hvlab run --gdb :PORT`. */
#ifndef SIM_CLI_RUN_GDB_H
#define SIM_CLI_RUN_GDB_H

#include "sim/cli/recording.h"

struct run_gdb {
    const char *where; /* ":PORT" */
    struct gdb *gdb;   /* while the run lasts */
};

bool run_gdb_begin(void *run_gdb, struct testbed *, char *error, size_t error_size);
bool run_gdb_between(void *run_gdb, struct testbed *);
void run_gdb_end(void *run_gdb, enum recording_end);

#endif
