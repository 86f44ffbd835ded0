/* The program `hvlab`: verbs and nothing else. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/nearest.h"

struct verb { const char *name; verb_fn *run; const char *help; };

static const struct verb verbs[] = {
    { "run", verb_run, "run an experiment: placements and I/O paths compared on a packet capture" },
    { "boot", verb_boot, "boot an image on the machine" },
    { "replay", verb_replay, "run a recorded run again and prove it identical" },
    { "explain", verb_explain, "explain a packet, a VM entry or a VM exit" },
    { "list", verb_list, "list placements, I/O paths, processors, settings, trace events" },
};
enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void
print_help(FILE *out)
{
    fprintf(out, "hvlab: a machine with VT-x, a hypervisor on it, and a laboratory around both\n\n"
                 "usage: hvlab VERB [OPTIONS]\n\n");
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].help);
    fprintf(out, "\n`hvlab VERB --help` has the options and examples.\n\nexamples:\n"
                 "  hvlab run experiments/first-light.yaml\n"
                 "  hvlab run experiments/first-light.yaml --set capture=my.pcap --set io_path=sriov --out results/mine\n"
                 "  hvlab replay results/mine\n"
                 "  hvlab explain packet 17 results/mine/microkernel-vmbus\n");
}

int
main(int argc, char **argv)
{
    const char *names[VERB_COUNT + 1] = { NULL };
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_UNUSABLE : EXIT_GOOD;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        names[i] = verbs[i].name;
        if (!strcmp(argv[1], verbs[i].name))
            return verbs[i].run(argc - 1, argv + 1);
    }
    char hint[128];
    return cli_unusable("unknown verb '%s'%s", argv[1], nearest_hint(argv[1], names, hint, sizeof hint));
}
