/* `hvlab boot`: any image on the machine. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "sim/base/state.h"
#include "sim/cli/boot_images.h"
#include "sim/cli/boot_options.h"
#include "sim/cli/boot_recipe.h"
#include "sim/cli/cli.h"
#include "sim/cli/restart.h"
#include "sim/cli/session.h"
#include "sim/cli/watch.h"
#include "sim/cpu/cpu.h"
#include "sim/lab/snapshot.h"
#include "sim/machine.h"
#include "sim/platform/board.h"
#include "sim/platform/platform.h"
#include "traces/outfile.h"

enum { ERROR_MAX = 1024 };

struct console {
    FILE *out;
    struct session *session; /* hears it too, while it is open */
};

static void
console_byte(void *ctx, uint8_t byte)
{
    struct console *c = ctx;
    fputc(byte, c->out);
    if (byte == '\n')
        fflush(c->out);
    if (c->session)
        session_hear(c->session, byte);
}

static bool
save(struct machine *m, const struct boot_options *o, bool listen)
{
    char error[ERROR_MAX], path[PATH_MAX];
    snprintf(path, sizeof path, "%s/snapshot.zst", o->out);
    if (mkdir(o->out, 0777) && errno != EEXIST)
        snprintf(error, sizeof error, "cannot make %s: %s", o->out, strerror(errno));
    else if (boot_recipe_write(o->out, o, listen, error, sizeof error) &&
             snapshot_save(m, NULL, NULL, path, error, sizeof error))
        return true;
    cli_unusable("%s", error);
    return false;
}

/* What a reset does to the run: STOP_LIMIT, it goes on. */
static enum machine_stop
reset(struct watch *w, const struct board *board, const struct boot_options *o)
{
    struct machine *m = w->machine;
    char error[ERROR_MAX];
    if (o->reset_exits)
        return STOP_RESET;
    fprintf(stderr, "hvlab: %s after %.6f s: the machine starts again from its image\n", m->stop_text,
            (double)machine_cycles_to_ns(m->now) / 1e9);
    if (!restart(m, board, o, error, sizeof error)) {
        cli_unusable("%s", error);
        return STOP_RESET;
    }
    return watch_reset(w, o) == EXIT_GOOD ? STOP_LIMIT : STOP_RESET;
}

static enum machine_stop
run(struct watch *w, struct session *session, const struct board *board, const struct boot_options *o)
{
    struct machine *m = w->machine;
    uint64_t limit = o->limit_seconds > 0 ? (uint64_t)(o->limit_seconds * (double)MACHINE_TSC_HZ) : UINT64_MAX;
    uint64_t snapshot = o->snapshot_seconds > 0 ? (uint64_t)(o->snapshot_seconds * (double)MACHINE_TSC_HZ) : UINT64_MAX;
    enum machine_stop stop = STOP_LIMIT;
    while (stop == STOP_LIMIT && m->now < limit && !cli_interrupted()) {
        uint64_t next = session_limit(session);
        next = next < limit ? next : limit;
        stop = machine_run(m, next < snapshot ? next : snapshot);
        if (stop == STOP_RESET)
            stop = reset(w, board, o);
        if (stop == STOP_LIMIT && m->now >= snapshot) {
            if (!save(m, o, session->listens))
                return STOP_REQUESTED;
            snapshot = UINT64_MAX;
        }
        if (stop == STOP_LIMIT && (!session_step(session) || !watch_poll(w)))
            stop = STOP_REQUESTED;
    }
    return stop;
}

static int
exit_status(const struct machine *m, const struct boot_options *o, enum machine_stop stop)
{
    switch (stop) {
    case STOP_POWER_OFF: return EXIT_GOOD;
    case STOP_RESET: return o->reset_exits ? EXIT_GOOD : EXIT_UNUSABLE; /* it could not start again */
    case STOP_DEBUG_EXIT: return (int)((m->stop_code << 1 | 1) & 0xff);
    case STOP_LIMIT: return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_LIMIT;
    case STOP_TRIPLE_FAULT: return EXIT_TRIPLE_FAULT;
    case STOP_REQUESTED: return EXIT_INTERRUPTED;
    default: return EXIT_FAILED;
    }
}

static bool
write_results(const char *path, struct machine *m, int status, double host_seconds, char *error)
{
    struct outfile file;
    uint64_t instructions = 0;
    for (unsigned i = 0; i < m->cpu_count; i++)
        instructions += m->cpu[i]->instructions;
    json_t *o = json_pack("{s:I,s:I,s:f,s:o,s:i}", "instructions", (json_int_t)instructions, "virtual_ns",
                          (json_int_t)machine_cycles_to_ns(m->now), "host_seconds", host_seconds, "state_hash",
                          json_sprintf("%016" PRIx64, machine_hash(m)), "exit", status);
    char *text = json_dumps(o, JSON_INDENT(2));
    json_decref(o);
    bool good = text && outfile_open(&file, path);
    if (good) {
        outfile_write(&file, text, strlen(text));
        outfile_write(&file, "\n", 1);
        good = outfile_commit(&file, error, ERROR_MAX);
    } else
        snprintf(error, ERROR_MAX, "cannot write %s: %s", path, strerror(errno));
    free(text);
    return good;
}

static int
boot(struct watch *w, struct session *session, const struct board *board, const struct boot_options *o)
{
    char error[ERROR_MAX];
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    enum machine_stop stop = run(w, session, board, o);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int status = exit_status(w->machine, o, stop);
    watch_end(w, stop, status);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    if (o->results && !write_results(o->results, w->machine, status, seconds, error))
        return cli_unusable("%s", error);
    return status;
}

static bool
load(struct machine *m, struct boot_options *o, char *error)
{
    char path[PATH_MAX];
    if (!o->restore)
        return boot_images_load(m, o, &o->images, error, ERROR_MAX);
    snprintf(path, sizeof path, "%s/snapshot.zst", o->restore);
    return snapshot_load(m, NULL, NULL, path, error, ERROR_MAX);
}

static int
load_and_boot(struct machine *m, struct board *board, struct boot_options *o, struct console *console)
{
    char error[ERROR_MAX];
    struct watch watch;
    struct session session;
    if (!load(m, o, error))
        return cli_unusable("%s", error);
    int status = session_open(&session, m, board, o);
    if (status != EXIT_GOOD)
        return status;
    console->session = &session;
    status = watch_open(&watch, m, o);
    if (status == EXIT_GOOD)
        status = boot(&watch, &session, board, o);
    console->session = NULL;
    int closed = session_close(&session);
    if (closed != EXIT_GOOD || o->replay)
        status = closed; /* a replay is judged by its log */
    closed = watch_close(&watch);
    return closed == EXIT_GOOD ? status : closed;
}

static bool
names_file(const char *text)
{
    return text && !strncmp(text, "file:", 5);
}

/* What the two serial ports print: EXIT_GOOD, or EXIT_UNUSABLE with a message printed. */
static int
open_serial(const struct boot_options *o, struct console *first, struct console *second)
{
    *first = *second = (struct console){ .out = NULL };
    if (o->serial && !names_file(o->serial) && strcmp(o->serial, "stdio"))
        return cli_unusable("boot: --serial %s: want stdio or file:NAME", o->serial);
    if (o->serial2 && !names_file(o->serial2))
        return cli_unusable("boot: --serial2 %s: want file:NAME", o->serial2);
    if (!(first->out = names_file(o->serial) ? fopen(o->serial + 5, "wb") : stdout))
        return cli_unusable("cannot write %s: %s", o->serial + 5, strerror(errno));
    if (o->serial2 && !(second->out = fopen(o->serial2 + 5, "wb")))
        return cli_unusable("cannot write %s: %s", o->serial2 + 5, strerror(errno));
    return EXIT_GOOD;
}

static void
close_serial(struct console *c)
{
    if (c->out && c->out != stdout)
        fclose(c->out);
    else if (c->out)
        fflush(c->out);
}

static int
make_and_boot(struct boot_options *o, struct console *console, struct console *second)
{
    char error[ERROR_MAX];
    struct machine *m = machine_new(&o->machine, error, sizeof error);
    if (!m)
        return cli_unusable("%s", error);
    platform_set_console(m->platform, console_byte, console);
    if (second->out)
        platform_set_console2(m->platform, console_byte, second);
    struct board *board = board_new(m, &o->board, error, sizeof error);
    int status = board ? EXIT_GOOD : cli_unusable("%s", error);
    if (board)
        board_set_console(board, console_byte, console);
    if (status == EXIT_GOOD)
        status = load_and_boot(m, board, o, console);
    board_free(board);
    machine_free(m);
    return status;
}

static int
open_and_boot(struct boot_options *o)
{
    struct console first, second;
    int status = open_serial(o, &first, &second);
    if (status == EXIT_GOOD)
        status = make_and_boot(o, &first, &second);
    close_serial(&first);
    close_serial(&second);
    return status;
}

/* The recipe says what machine it is; the command line adds who looks. */
static int
restore(int argc, char **argv, const char *folder)
{
    struct boot_options o;
    char error[ERROR_MAX], where[PATH_MAX];
    struct boot_recipe recipe;
    if (!realpath(folder, where))
        return cli_unusable("%s: %s", folder, strerror(errno));
    char **whole = boot_recipe_extend(where, &argc, argv, &recipe, error, sizeof error);
    if (!whole)
        return cli_unusable("%s", error);
    int status = boot_options_parse(&o, argc, whole);
    if (status == EXIT_GOOD) {
        o.restore = where;
        o.listen = recipe.listen;
        o.images = recipe.images;
        status = open_and_boot(&o);
    }
    boot_recipe_free(whole);
    return status;
}

int
verb_boot(int argc, char **argv)
{
    struct boot_options o;
    int status = boot_options_parse(&o, argc, argv);
    if (status != EXIT_GOOD)
        return status;
    if (o.help) {
        boot_options_help();
        return EXIT_GOOD;
    }
    cli_catch_interrupt();
    return o.restore ? restore(argc, argv, o.restore) : open_and_boot(&o);
}

int
boot_replay(const char *folder, bool quiet)
{
    struct boot_options o;
    char error[ERROR_MAX], where[PATH_MAX];
    int argc;
    struct boot_recipe recipe;
    if (!realpath(folder, where))
        return cli_unusable("%s: %s", folder, strerror(errno));
    char **argv = boot_recipe_read(where, &argc, &recipe, error, sizeof error);
    if (!argv)
        return cli_unusable("%s", error);
    int status = boot_options_parse(&o, argc, argv);
    if (status == EXIT_GOOD) {
        o.replay = where;
        o.listen = recipe.listen;
        o.serial = quiet ? "file:/dev/null" : NULL;
        cli_catch_interrupt();
        status = open_and_boot(&o);
    }
    boot_recipe_free(argv);
    return status;
}
