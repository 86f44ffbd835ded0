/* `hvlab run`: all pairs of an experiment, recorded. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/cli/cli.h"
#include "sim/cli/folder.h"
#include "sim/cli/recording.h"
#include "sim/cli/results.h"
#include "sim/cli/run_gdb.h"
#include "sim/ui/window.h"

enum { SETS_MAX = 64 };

struct options {
    const char *file, *out, *images, *resume, *picture, *gdb;
    const char *set[SETS_MAX];
    unsigned set_count;
    uint64_t pause_ms;
    bool window, quiet;
};

static void
print_help(void)
{
    printf("usage: hvlab run EXPERIMENT.yaml [--set key=value]... [--out DIR] [OPTIONS]\n"
           "       hvlab run --resume DIR\n\n"
           "Replays a packet capture through every placement and I/O path of the experiment\n"
           "and compares what each costs, cycle by cycle.\n\n"
           "  --set key=value   override a setting of the file (list below)\n"
           "  --out DIR         where results go [results/NAME]\n"
           "  --crosscheck N    the same as --set crosscheck=N\n"
           "  --window          show the machine at work; closing the window stops the run\n"
           "  --picture FILE    save the window's last frame as BMP\n"
           "  --quiet           no progress line\n"
           "  --images DIR      software images [beside the program, or $HVLAB_IMAGES]\n"
           "  --resume DIR      go on with a run that Ctrl-C or --pause-at stopped\n"
           "  --gdb :PORT       wait for gdb; a run with one placement and one I/O path only\n"
           "  --pause-at MS     stop at this virtual time, keeping a snapshot, as Ctrl-C does\n\n"
           "examples:\n"
           "  hvlab run experiments/first-light.yaml\n"
           "  hvlab run experiments/first-light.yaml --set capture=dump.pcapng --set io_path=vmbus,sriov\n"
           "  hvlab run experiments/first-light.yaml --set trace=true --out results/traced\n\n"
           "DIR gets results.json, and a folder per run with its log, captures and trace.\n"
           "Ctrl-C keeps what was measured and a snapshot; --resume goes on from there.\n\n"
           "settings [default]:\n");
    experiment_help(stdout);
}

static int
parse(struct options *o, int argc, char **argv)
{
    static const char *const known[] = { "--set", "--out", "--crosscheck", "--window", "--quiet", "--images", "--resume",
                                         "--picture", "--pause-at", "--gdb", "--help", NULL };
    static char crosscheck[64];
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool valued = !strcmp(a, "--set") || !strcmp(a, "--out") || !strcmp(a, "--crosscheck") || !strcmp(a, "--images")
            || !strcmp(a, "--resume") || !strcmp(a, "--picture") || !strcmp(a, "--pause-at") || !strcmp(a, "--gdb");
        if (valued && !value)
            return cli_unusable("run: %s needs a value", a);
        i += valued;
        if (!strcmp(a, "--set") || !strcmp(a, "--crosscheck")) {
            if (o->set_count == SETS_MAX)
                return cli_unusable("run: more than %d --set", SETS_MAX);
            if (a[2] == 'c')
                snprintf(crosscheck, sizeof crosscheck, "crosscheck=%s", value);
            o->set[o->set_count++] = a[2] == 'c' ? crosscheck : value;
        } else if (!strcmp(a, "--out"))
            o->out = value;
        else if (!strcmp(a, "--images"))
            o->images = value;
        else if (!strcmp(a, "--resume"))
            o->resume = value;
        else if (!strcmp(a, "--gdb"))
            o->gdb = value;
        else if (!strcmp(a, "--pause-at")) {
            char *end;
            o->pause_ms = strtoull(value, &end, 10);
            if (end == value || *end || !o->pause_ms || o->pause_ms > 1000000000)
                return cli_unusable("run: --pause-at %s: want milliseconds of virtual time", value);
        } else if (!strcmp(a, "--picture"))
            o->picture = value;
        else if (!strcmp(a, "--window"))
            o->window = true;
        else if (!strcmp(a, "--quiet"))
            o->quiet = true;
        else if (a[0] == '-')
            return cli_unknown_option("run", a, known);
        else if (o->file)
            return cli_unusable("run: one experiment at a time ('%s' and '%s')", o->file, a);
        else
            o->file = a;
    }
    if (!o->file && !o->resume)
        return cli_unusable("run: which experiment? e.g. `hvlab run experiments/first-light.yaml`");
    if (o->gdb && o->window)
        return cli_unusable("run: --gdb or --window, not both: a debugger stops the machine that the window shows");
    return EXIT_GOOD;
}

struct batch {
    const struct options *options;
    const struct plan *plan;
    const char *folder;
    struct recording recording[PLAN_RUNS_MAX];
    struct results_run results[PLAN_RUNS_MAX];
    unsigned done;
    struct view *view;
    struct run_gdb gdb;
};

static bool
has_file(const char *folder, const char *name)
{
    char path[PLAN_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, R_OK) == 0;
}

static bool
show_frame(void *ctx, struct testbed *t)
{
    return view_frame(ctx, t);
}

static enum recording_end
run_one(struct batch *b, unsigned i)
{
    struct recording *r = &b->recording[i];
    char folder[PLAN_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/%s", b->folder, b->plan->run[i].name);
    *r = (struct recording){ .plan = b->plan, .run = &b->plan->run[i], .folder = folder, .quiet = b->options->quiet,
                             .pause_slice = b->options->pause_ms * 1000000 / TESTBED_SLICE_NS,
                             .index = i, .count = b->plan->run_count };
    if (b->options->resume && has_file(folder, "snapshot.zst"))
        r->mode = RECORDING_RESUME;
    if (b->view) {
        view_begin(b->view, b->plan->run[i].name);
        r->listener = view_hear;
        r->between = show_frame;
        r->listener_ctx = r->between_ctx = b->view;
    }
    if (b->options->gdb) {
        b->gdb = (struct run_gdb){ .where = b->options->gdb };
        r->begin = run_gdb_begin;
        r->between = run_gdb_between;
        r->end = run_gdb_end;
        r->between_ctx = &b->gdb;
    }
    enum recording_end end = recording_run(r);
    r->folder = NULL; /* was ours */
    b->results[i] = (struct results_run){ r, end };
    b->done = i + 1;
    return end;
}

/* The last line that the software said, where a run failed. */
static void
show_last_words(const struct batch *b, unsigned i)
{
    char path[PLAN_PATH_MAX], line[512], last[512] = "";
    snprintf(path, sizeof path, "%s/%s/console.txt", b->folder, b->plan->run[i].name);
    FILE *in = fopen(path, "rb");
    while (in && fgets(line, sizeof line, in))
        if (line[strspn(line, "\r\n ")])
            snprintf(last, sizeof last, "%.*s", (int)strcspn(line, "\r\n"), line);
    if (in)
        fclose(in);
    if (last[0])
        fprintf(stderr, "  %s ends: %s\n", path, last);
}

static int
run_all(struct batch *b)
{
    int status = EXIT_GOOD;
    for (unsigned i = 0; i < b->plan->run_count && !cli_interrupted(); i++) {
        enum recording_end end = run_one(b, i);
        if (end == RECORDING_UNUSABLE)
            return cli_unusable("%s: %s", b->plan->run[i].name, b->recording[i].message);
        if (end == RECORDING_INTERRUPTED) {
            status = EXIT_INTERRUPTED;
            break;
        }
        if (end == RECORDING_FAILED) {
            fprintf(stderr, "hvlab: %s: %s\n", b->plan->run[i].name, b->recording[i].message);
            show_last_words(b, i);
            status = EXIT_FAILED;
        }
    }
    return status;
}

static int
run_plan(const struct options *o, const struct plan *p, const char *folder)
{
    static struct batch b; /* large; one per process run */
    char error[1024];
    b = (struct batch){ .options = o, .plan = p, .folder = folder };
    if (o->gdb && p->run_count != 1)
        return cli_unusable("run: --gdb debugs one run and this experiment has %u: choose with "
                            "`--set placement=microkernel --set io_path=vmbus` or the like", p->run_count);
    if (o->window && !(b.view = view_open(o->picture, error, sizeof error)))
        return cli_unusable("%s", error);
    int status = run_all(&b);
    view_close(b.view);
    if (status == EXIT_UNUSABLE)
        return status;
    results_print(stdout, p, b.results, b.done);
    if (!results_write(folder, p, b.results, b.done, error, sizeof error))
        return cli_unusable("%s", error);
    printf("%s/results.json\n", folder);
    if (status == EXIT_INTERRUPTED)
        fprintf(stderr, "hvlab: stopped; go on with `hvlab run --resume %s`\n", folder);
    return status;
}

static int
load_experiment(const struct options *o, struct experiment *e, char *folder, size_t folder_size)
{
    char error[1024], resumed[PLAN_PATH_MAX];
    const char *file = o->file;
    if (o->resume) {
        if (!has_file(o->resume, "experiment.yaml"))
            return cli_unusable("run: --resume %s: this is no folder that `hvlab run --out DIR` filled", o->resume);
        snprintf(resumed, sizeof resumed, "%s/experiment.yaml", o->resume);
        file = resumed;
    }
    experiment_defaults(e);
    if (!experiment_read(e, file, error, sizeof error))
        return cli_unusable("%s", error);
    for (unsigned i = 0; i < o->set_count; i++)
        if (!experiment_set(e, o->set[i], error, sizeof error))
            return cli_unusable("%s", error);
    if (!experiment_check(e, error, sizeof error))
        return cli_unusable("%s", error);
    if (o->resume || o->out)
        snprintf(folder, folder_size, "%s", o->resume ? o->resume : o->out);
    else
        snprintf(folder, folder_size, "results/%s", e->name);
    return EXIT_GOOD;
}

int
verb_run(int argc, char **argv)
{
    struct options o = { 0 };
    struct experiment e;
    char folder[PLAN_PATH_MAX], error[1024];

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help();
            return EXIT_GOOD;
        }
    int status = parse(&o, argc, argv);
    if (status == EXIT_GOOD)
        status = load_experiment(&o, &e, folder, sizeof folder);
    if (status != EXIT_GOOD)
        return status;
    struct plan *p = plan_new(&e, cli_images_folder(o.images), error, sizeof error);
    if (!p)
        return cli_unusable("%s", error);
    if (!o.resume && !folder_prepare(folder, &p->experiment, error, sizeof error))
        status = cli_unusable("%s", error);
    cli_catch_interrupt();
    if (status == EXIT_GOOD)
        status = run_plan(&o, p, folder);
    plan_free(p);
    return status;
}
