#include "sim/cli/watch.h"

#include <stdio.h>

#include "sim/cli/cli.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/crosscheck/crosscheck.h"
#include "sim/debug/dump.h"
#include "sim/debug/gdb.h"
#include "sim/debug/log.h"
#include "traces/trace_ctf.h"

enum { ERROR_MAX = 1024 };

static void
log_event(void *ctx, const struct trace_record *record)
{
    char text[256];
    trace_record_text(record, text, sizeof text);
    debug_log_event(ctx, record->cycle, record->event, text);
}

static int
open_log(struct watch *w, const struct boot_options *o)
{
    char error[ERROR_MAX];
    w->log = debug_log_open(w->machine, o->debug, stderr, error, sizeof error);
    if (!w->log)
        return cli_unusable("%s", error);
    if (debug_log_wants_core(w->log) && (o->gdb || o->machine.crosscheck))
        return cli_unusable("boot: -d exec, block and branches want the core for themselves: leave out --gdb and --crosscheck");
    return EXIT_GOOD;
}

static int
open_trace(struct watch *w, const struct boot_options *o)
{
    char error[ERROR_MAX];
    bool listen = w->log && debug_log_wants_events(w->log);
    if (!o->trace && !listen)
        return EXIT_GOOD;
    w->machine->trace = trace_ctf_open(o->trace, listen ? log_event : NULL, w->log, error, sizeof error);
    return w->machine->trace ? EXIT_GOOD : cli_unusable("%s", error);
}

static int
open_gdb(struct watch *w, const struct boot_options *o)
{
    char error[ERROR_MAX];
    w->gdb = gdb_listen(w->machine, o->gdb, error, sizeof error);
    if (!w->gdb)
        return cli_unusable("%s", error);
    return cli_wait_for_gdb(w->gdb) ? EXIT_GOOD : EXIT_INTERRUPTED;
}

static int
open_crosscheck(struct machine *m, const struct boot_options *o)
{
    if (!o->machine.crosscheck || (m->crosscheck = crosscheck_new(m, o->machine.crosscheck)))
        return EXIT_GOOD;
    return cli_unusable("the second processor (Unicorn) does not start: boot without --crosscheck");
}

static void
close_crosscheck(struct machine *m)
{
    if (m->crosscheck) {
        crosscheck_report(m->crosscheck, stderr);
        crosscheck_free(m->crosscheck);
        m->crosscheck = NULL;
    }
}

int
watch_reset(struct watch *w, const struct boot_options *o)
{
    close_crosscheck(w->machine);
    return open_crosscheck(w->machine, o);
}

int
watch_open(struct watch *w, struct machine *m, const struct boot_options *o)
{
    *w = (struct watch){ .machine = m };
    int status = o->debug ? open_log(w, o) : EXIT_GOOD;
    if (status == EXIT_GOOD)
        status = open_crosscheck(m, o);
    if (status == EXIT_GOOD)
        status = open_trace(w, o);
    if (status == EXIT_GOOD && o->gdb)
        status = open_gdb(w, o);
    return status;
}

bool
watch_poll(struct watch *w)
{
    return !w->gdb || gdb_poll(w->gdb);
}

static void
explain_end(struct watch *w, enum machine_stop stop)
{
    struct machine *m = w->machine;
    bool bad = stop == STOP_TRIPLE_FAULT || stop == STOP_UNIMPLEMENTED || stop == STOP_DEADLOCK;
    if (m->stop_text[0])
        fprintf(stderr, "hvlab: %s\n", m->stop_text);
    if (!bad)
        return;
    for (unsigned i = 0; i < m->cpu_count; i++)
        if (m->stop_cpu < 0 ? m->cpu[i]->activity != WAIT_SIPI : i == (unsigned)m->stop_cpu)
            debug_dump_cpu(stderr, m->cpu[i]);
    if (w->log)
        debug_log_branches(w->log, stderr);
    fprintf(stderr, "hvlab: the run is repeatable: `-d int,branches` shows what led here, `--gdb :1234` stops before it\n");
}

void
watch_end(struct watch *w, enum machine_stop stop, int exit_status)
{
    gdb_close(w->gdb, exit_status);
    w->gdb = NULL;
    explain_end(w, stop);
}

int
watch_close(struct watch *w)
{
    char error[ERROR_MAX];
    struct machine *m = w->machine;
    int status = EXIT_GOOD;
    gdb_close(w->gdb, EXIT_FAILED);
    close_crosscheck(m);
    if (m->trace && !trace_ctf_close(m->trace, error, sizeof error))
        status = cli_unusable("%s", error);
    m->trace = NULL;
    debug_log_close(w->log);
    return status;
}
