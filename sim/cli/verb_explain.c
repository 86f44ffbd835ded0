/* `hvlab explain`: a packet's way through a traced run, a refused VM entry, a VM exit. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "nic-model/nic.h"
#include "sim/cli/cli.h"
#include "sim/cli/nearest.h"
#include "sim/debug/explain_vmx.h"
#include "sim/lab/tracker.h"
#include "sim/machine.h"
#include "traces/trace_ctf.h"

enum { PATH_SIZE = 4096, ERROR_SIZE = 1024 };

static void
print_help(void)
{
    printf("usage: hvlab explain packet N RUN_FOLDER\n"
           "       hvlab explain entry RULE | list\n"
           "       hvlab explain exit REASON [QUALIFICATION]\n\n"
           "packet: prints the hops of packet N (numbered from 0 over the whole replay, in order of time)\n"
           "with cycles: the wire, the card, every service function it passed, copies, the child.\n"
           "RUN_FOLDER is one run of a result, made with --set trace=true.\n"
           "entry: the rule behind a refused VM entry, by name or by the number in a trace: what\n"
           "it requires, the fields, the manual's section, what to do.\n"
           "exit: what a VM exit's reason (a number or a name) and qualification say.\n\n"
           "examples:\n"
           "  hvlab run experiments/first-light.yaml --set trace=true --out results/traced\n"
           "  hvlab explain packet 5 results/traced/microkernel-vmbus\n"
           "  hvlab explain entry HOST_CR3_WIDTH\n"
           "  hvlab explain exit 30 0x3f80008\n"
           "  hvlab explain exit EPT_VIOLATION 0x181\n");
}

struct story {
    uint32_t packet;                    /* [number in the replay] */
    unsigned hops;
    uint64_t first, last;               /* cycles of the first and the latest hop */
    uint64_t exits, interrupts, copied; /* since the latest hop; all told [bytes] */
};

static void
print_hop(struct story *s, uint64_t cycle, const char *where, const char *what, uint64_t detail, const char *unit)
{
    if (!s->hops++) {
        s->first = s->last = cycle;
        printf("packet %u\n%12s %10s  %-6s step\n", s->packet, "cycle", "+cycles", "where");
    }
    printf("%12" PRIu64 " %+10" PRId64, cycle - s->first, (int64_t)(cycle - s->last));
    printf("  %-6s %s", where, what);
    if (unit)
        printf(" (%" PRIu64 " %s)", detail, unit);
    if (s->exits || s->interrupts)
        printf("  [meanwhile %" PRIu64 " VM exits, %" PRIu64 " interrupts]", s->exits, s->interrupts);
    printf("\n");
    s->last = cycle;
    s->exits = s->interrupts = 0;
}

static void
service_hop(struct story *s, const struct trace_record *r)
{
    char where[16];
    if (r->arg[0] == UINT32_MAX)
        snprintf(where, sizeof where, "-");
    else
        snprintf(where, sizeof where, "LP %" PRIu64, r->arg[0]);
    print_hop(s, r->cycle, where, tracker_step_name((unsigned)r->arg[1]), r->arg[3], "bytes");
}

static const char *
queue_text(uint64_t queue, char *text, size_t size)
{
    snprintf(text, size, "card: written to memory, queue %" PRIu64, queue);
    return text;
}

static void
tell(void *ctx, const struct trace_record *r)
{
    struct story *s = ctx;
    char text[64];
    bool ours = r->arg[0] == s->packet;
    switch (r->event) {
    case TRACE_VM_EXIT: s->exits += s->hops != 0; break;
    case TRACE_INTERRUPT: s->interrupts += s->hops != 0; break;
    case TRACE_WIRE_RX:
        if (ours)
            print_hop(s, r->cycle, "-", "wire: the last bit arrives at the card", r->arg[1], "bytes");
        break;
    case TRACE_NIC_RX:
        if (ours)
            print_hop(s, r->cycle, "-", queue_text(r->arg[2], text, sizeof text), 0, NULL);
        break;
    case TRACE_NIC_DROP:
        if (ours)
            print_hop(s, r->cycle, "-", nic_drop_name((enum nic_drop)r->arg[1]), 0, NULL);
        break;
    case TRACE_SERVICE:
        if (r->arg[2] == s->packet)
            service_hop(s, r);
        break;
    default: break;
    }
}

static bool
holds_runs(const char *folder)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/results.json", folder);
    return access(path, F_OK) == 0;
}

static int
explain_packet(const char *number, const char *folder)
{
    char path[PATH_SIZE], error[ERROR_SIZE], *end;
    unsigned long packet = strtoul(number, &end, 10);
    if (end == number || *end || packet >= UINT32_MAX)
        return cli_unusable("explain packet %s: want a number", number);
    struct story s = { .packet = (uint32_t)packet };
    snprintf(path, sizeof path, "%s/trace", folder);
    if (holds_runs(folder))
        return cli_unusable("%s holds all runs of an experiment: name one of them, e.g. %s/microkernel-vmbus", folder, folder);
    if (!trace_ctf_read(path, tell, &s, error, sizeof error))
        return cli_unusable("%s", error);
    if (!s.hops)
        return cli_unusable("the trace in %s knows no packet %lu: packets are numbered from 0 over the whole replay, and those of "
                            "an experiment are counted in its results.json (packets_offered)", folder, packet);
    printf("%u hops in %" PRIu64 " cycles (%.3f us)\n", s.hops, s.last - s.first,
           (double)machine_cycles_to_ns(s.last - s.first) / 1e3);
    return EXIT_GOOD;
}

static bool
parse_number(const char *text, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    return end != text && !*end;
}

/* Text that is shown only if it turns out to say something. */
struct page {
    FILE *out;
    char *text;
    size_t size;
};

static FILE *
page_open(struct page *p)
{
    p->out = open_memstream(&p->text, &p->size);
    if (!p->out)
        abort();
    return p->out;
}

static void
page_close(struct page *p, bool show)
{
    fclose(p->out);
    if (show)
        fwrite(p->text, 1, p->size, stdout);
    free(p->text);
}

static int
explain_entry(const char *rule)
{
    uint64_t number;
    if (!strcmp(rule, "list")) {
        explain_entry_list(stdout);
        return EXIT_GOOD;
    }
    struct page page;
    FILE *out = page_open(&page);
    bool known = parse_number(rule, &number) ? explain_entry_rule(out, (unsigned)number, NULL)
                                             : explain_entry_name(out, rule, NULL);
    page_close(&page, known);
    return known ? EXIT_GOOD : cli_unusable("explain entry: no rule '%s'; `hvlab explain entry list` has them all", rule);
}

static const struct { uint32_t number; const char *name; } reasons[] = {
#define EXIT_REASON(number, NAME, text, qualification, information) { number, #NAME },
#include "spec/vmx/exit_reasons.def"
#undef EXIT_REASON
};
static const char *const reason_names[] = {
#define EXIT_REASON(number, NAME, text, qualification, information) #NAME,
#include "spec/vmx/exit_reasons.def"
#undef EXIT_REASON
    NULL
};

static bool
find_reason(const char *name, uint64_t *number)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (!strcasecmp(name, reasons[i].name)) {
            *number = reasons[i].number;
            return true;
        }
    return false;
}

static int
explain_exit_numbers(const char *reason, const char *qualification)
{
    struct explain_exit e = { 0 };
    uint64_t number;
    if (!parse_number(reason, &number) && !find_reason(reason, &number)) {
        char hint[128];
        return cli_unusable("explain exit: no reason '%s'%s", reason, nearest_hint(reason, reason_names, hint, sizeof hint));
    }
    if (qualification && !parse_number(qualification, &e.qualification))
        return cli_unusable("explain exit: the qualification is a number, e.g. `hvlab explain exit 30 0x3f80008`");
    e.reason = (uint32_t)number;
    struct page page;
    bool known = explain_exit(page_open(&page), &e);
    page_close(&page, known);
    return known ? EXIT_GOOD : cli_unusable("explain exit: the manual has no reason %s (spec/vmx/exit_reasons.def)", reason);
}

int
verb_explain(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        print_help();
        return argc < 2 ? EXIT_UNUSABLE : EXIT_GOOD;
    }
    if (!strcmp(argv[1], "packet")) {
        if (argc != 4)
            return cli_unusable("explain packet: want a number and a run's folder, e.g. "
                                "`hvlab explain packet 5 results/traced/microkernel-vmbus`");
        return explain_packet(argv[2], argv[3]);
    }
    if (!strcmp(argv[1], "entry") && argc == 3)
        return explain_entry(argv[2]);
    if (!strcmp(argv[1], "exit") && (argc == 3 || argc == 4))
        return explain_exit_numbers(argv[2], argc == 4 ? argv[3] : NULL);
    return cli_unusable("explain: want packet N FOLDER, entry RULE or exit REASON; `hvlab explain --help` has examples");
}
