/* `hvlab replay`: run a recorded experiment again, compare every state hash. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/boot_recipe.h"
#include "sim/cli/cli.h"
#include "sim/cli/recording.h"

static void
print_help(void)
{
    printf("usage: hvlab replay DIR [--images DIR] [--quiet]\n\n"
           "Runs what `hvlab run --out DIR` or `hvlab boot --record DIR` recorded once more and compares every state hash\n"
           "of its logs.  Nothing in DIR is changed.  Exit status 0: identical; 1: it differs\n"
           "or a log is damaged (the message names the record).\n\n"
           "example:\n  hvlab replay results/first-light\n");
}

static int
replay_one(const struct plan *p, unsigned i, const char *folder, bool quiet)
{
    static struct recording r; /* large */
    char run_folder[PLAN_PATH_MAX];
    snprintf(run_folder, sizeof run_folder, "%s/%s", folder, p->run[i].name);
    r = (struct recording){ .plan = p, .run = &p->run[i], .folder = run_folder, .mode = RECORDING_CHECK, .quiet = quiet,
                            .index = i, .count = p->run_count };
    enum recording_end end = recording_run(&r);
    switch (end) {
    case RECORDING_FINISHED:
        printf("%s: identical, %llu state hashes, the last %016llx\n", p->run[i].name, (unsigned long long)r.hashes,
               (unsigned long long)r.state_hash);
        return EXIT_GOOD;
    case RECORDING_FAILED: /* the recorded run failed in the same way, hash for hash */
        printf("%s: identical, %llu state hashes; like the recording it did not finish: %s\n", p->run[i].name,
               (unsigned long long)r.hashes, r.message);
        return EXIT_GOOD;
    case RECORDING_INTERRUPTED:
        return EXIT_INTERRUPTED;
    case RECORDING_DIFFERS:
        fprintf(stderr, "hvlab: %s: %s\n", p->run[i].name, r.message);
        return EXIT_FAILED;
    default:
        fprintf(stderr, "hvlab: %s: %s\n", p->run[i].name, r.message);
        return EXIT_FAILED;
    }
}

int
verb_replay(int argc, char **argv)
{
    static const char *const known[] = { "--images", "--quiet", "--help", NULL };
    const char *folder = NULL, *images = NULL;
    bool quiet = false;
    struct experiment e;
    char path[PLAN_PATH_MAX], error[1024];

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help();
            return EXIT_GOOD;
        } else if (!strcmp(argv[i], "--quiet"))
            quiet = true;
        else if (!strcmp(argv[i], "--images") && i + 1 < argc)
            images = argv[++i];
        else if (argv[i][0] == '-')
            return cli_unknown_option("replay", argv[i], known);
        else
            folder = argv[i];
    }
    if (!folder)
        return cli_unusable("replay: which folder? e.g. `hvlab replay results/first-light`");
    if (boot_recipe_is_in(folder))
        return boot_replay(folder, quiet);
    snprintf(path, sizeof path, "%s/experiment.yaml", folder);
    if (access(path, R_OK))
        return cli_unusable("replay: %s is no folder that `hvlab run --out DIR` or `hvlab boot --record DIR` filled", folder);
    experiment_defaults(&e);
    if (!experiment_read(&e, path, error, sizeof error) || !experiment_check(&e, error, sizeof error))
        return cli_unusable("%s", error);
    struct plan *p = plan_new(&e, cli_images_folder(images), error, sizeof error);
    if (!p)
        return cli_unusable("%s", error);
    cli_catch_interrupt();
    int status = EXIT_GOOD;
    for (unsigned i = 0; i < p->run_count && status != EXIT_INTERRUPTED; i++) {
        int one = replay_one(p, i, folder, quiet);
        status = one > status ? one : status;
    }
    plan_free(p);
    return status;
}
