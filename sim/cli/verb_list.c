/* `hvlab list`: names that other verbs and files use. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/experiment.h"
#include "sim/cli/nearest.h"
#include "sim/debug/log.h"
#include "sim/cpu/model/model.h"
#include "traces/trace_ctf.h"

static void
list_placements(void)
{
    printf("microkernel  NIC driver, switch and VSPs in the parent partition's kernel (Hyper-V)\n"
           "monolithic   the same services inside the hypervisor (ESXi)\n");
}

static void
list_paths(void)
{
    printf("vmbus  synthetic: through the virtual switch, copied between card and child\n"
           "vmq    a queue of the card is the child's: no copy, no classification in the switch\n"
           "sriov  a virtual function is the child's: the switch is bypassed\n");
}

static void
list_events(void)
{
    for (unsigned i = 0; i < TRACE_EVENT_COUNT; i++)
        trace_event_print(stdout, i);
}

static void
list_cpus(void)
{
    for (unsigned i = 0; cpu_model_at(i); i++) {
        const struct cpu_model *model = cpu_model_at(i);
        printf("%-9s %-6s %s\n", model->name, cpu_model_vendor_name(model), model->text);
    }
}

static void
list_debug(void)
{
    debug_log_help(stdout);
}

static void
list_settings(void)
{
    experiment_help(stdout);
}

static const struct { const char *name; void (*list)(void); const char *help; } lists[] = {
    { "placements", list_placements, "where services can run" },
    { "paths", list_paths, "how frames reach a child" },
    { "cpus", list_cpus, "processor models of --cpu" },
    { "settings", list_settings, "of an experiment, with defaults" },
    { "events", list_events, "of the trace, with their fields (docs/traces.md says when)" },
    { "debug", list_debug, "categories of `hvlab boot -d`" },
};
enum { LISTS = sizeof lists / sizeof *lists };

int
verb_list(int argc, char **argv)
{
    const char *names[LISTS + 1] = { NULL };
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        printf("usage: hvlab list WHAT\n\n");
        for (unsigned i = 0; i < LISTS; i++)
            printf("  %-11s %s\n", lists[i].name, lists[i].help);
        printf("\nexample:\n  hvlab list placements\n");
        return argc < 2 ? EXIT_UNUSABLE : EXIT_GOOD;
    }
    for (unsigned i = 0; i < LISTS; i++) {
        names[i] = lists[i].name;
        if (!strcmp(argv[1], lists[i].name)) {
            lists[i].list();
            return EXIT_GOOD;
        }
    }
    char hint[128];
    return cli_unusable("list: nothing called '%s'%s", argv[1], nearest_hint(argv[1], names, hint, sizeof hint));
}
