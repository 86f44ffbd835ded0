#include "sim/cli/run_gdb.h"

#include <stdio.h>

#include "sim/cli/cli.h"
#include "sim/debug/gdb.h"

bool
run_gdb_begin(void *ctx, struct testbed *t, char *error, size_t error_size)
{
    struct run_gdb *r = ctx;
    r->gdb = gdb_listen(testbed_machine(t), r->where, error, error_size);
    if (!r->gdb)
        return false;
    if (cli_wait_for_gdb(r->gdb))
        return true;
    snprintf(error, error_size, "ended before it began");
    return false;
}

/* Killed in the middle of a slice, the machine has stopped and the run has failed: that is said by who ran it. */
bool
run_gdb_between(void *ctx, struct testbed *t)
{
    struct run_gdb *r = ctx;
    return gdb_poll(r->gdb) || testbed_phase(t) == TESTBED_FAILED;
}

void
run_gdb_end(void *ctx, enum recording_end end)
{
    struct run_gdb *r = ctx;
    gdb_close(r->gdb, end == RECORDING_FINISHED ? EXIT_GOOD : end == RECORDING_INTERRUPTED ? EXIT_INTERRUPTED : EXIT_FAILED);
    r->gdb = NULL;
}
