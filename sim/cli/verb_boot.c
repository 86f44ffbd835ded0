/* `hvlab boot`: any image on the machine. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/base/state.h"
#include "sim/cli/cli.h"
#include "sim/cpu/crosscheck/crosscheck.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/crosscheck/crosscheck.h"
#include "sim/machine.h"
#include "sim/platform/load.h"
#include "sim/platform/platform.h"
#include "traces/outfile.h"
#include "traces/trace_ctf.h"

enum { MODULES_MAX = LOAD_MODULES_MAX, ERROR_MAX = 1024, SLICE_CYCLES = 2100000 };

struct options {
    const char *image, *append, *results, *serial, *trace;
    const char *module[MODULES_MAX];
    unsigned module_count;
    struct machine_config machine;
    double limit_seconds; /* 0 = none */
};

static void
print_help(void)
{
    printf("usage: hvlab boot IMAGE [OPTIONS]\n\n"
           "Boots an ELF image with a multiboot2 or multiboot header (else plain ELF).\n\n"
           "  --append TEXT          command line\n"
           "  --module FILE          a module; FILE=NAME gives its command line (repeatable)\n"
           "  --memory SIZE          RAM, e.g. 512M [512M]\n"
           "  --cpus N               processors [1]\n"
           "  --no-vtx               a machine without VT-x\n"
           "  --timing MODE          functional or approx [functional]\n"
           "  --quantum CYCLES       processors' turn [1000]\n"
           "  --crosscheck N         execute every Nth block on Unicorn too\n"
           "  --limit-time SECONDS   stop after so much virtual time\n"
           "  --serial stdio|file:F  COM1 [stdio]\n"
           "  --trace DIR            write a CTF event trace\n"
           "  --results FILE         write instructions, virtual_ns, host_seconds, state_hash, exit\n\n"
           "exit status: power-off 0; isa-debug-exit value v gives (v << 1) | 1; time limit 124;\n"
           "triple fault 3; unusable image or options 2; Ctrl-C 130; anything else 1\n\n"
           "examples:\n"
           "  hvlab boot build/gcc-release/images/hv-microkernel.elf --no-vtx\n"
           "  hvlab boot kernel.elf --module initrd.img --memory 1G --cpus 4 --limit-time 10\n");
}

static bool
parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || text[0] == '-' || (*end && (!shift || end[1])) || number > UINT64_MAX >> shift)
        return false;
    *bytes = number << shift;
    return true;
}

static bool
parse_count(const char *text, uint64_t *count)
{
    char *end;
    errno = 0;
    *count = strtoull(text, &end, 10);
    return end != text && !*end && text[0] != '-' && !errno;
}

/* One option with a value. */
static int
take(struct options *o, const char *a, const char *value)
{
    uint64_t number = 0;
    bool numeric = !strcmp(a, "--cpus") || !strcmp(a, "--quantum") || !strcmp(a, "--crosscheck");
    if (numeric && !parse_count(value, &number))
        return cli_unusable("boot: %s %s: want a whole number", a, value);
    if (!strcmp(a, "--append")) o->append = value;
    else if (!strcmp(a, "--results")) o->results = value;
    else if (!strcmp(a, "--serial")) o->serial = value;
    else if (!strcmp(a, "--trace")) o->trace = value;
    else if (!strcmp(a, "--cpus")) {
        if (number < 1 || number > MACHINE_CPUS_MAX)
            return cli_unusable("boot: --cpus %s: want 1 to %d", value, MACHINE_CPUS_MAX);
        o->machine.cpu_count = (unsigned)number;
    } else if (!strcmp(a, "--quantum")) o->machine.quantum = number;
    else if (!strcmp(a, "--crosscheck")) o->machine.crosscheck = number;
    else if (!strcmp(a, "--memory")) {
        if (!parse_size(value, &o->machine.ram_size))
            return cli_unusable("boot: --memory %s: want a size such as 512M", value);
    } else if (!strcmp(a, "--module")) {
        if (o->module_count == MODULES_MAX)
            return cli_unusable("boot: more than %d modules", MODULES_MAX);
        o->module[o->module_count++] = value;
    } else if (!strcmp(a, "--timing")) {
        if (strcmp(value, "functional") && strcmp(value, "approx"))
            return cli_unusable("boot: --timing %s: want functional or approx", value);
        o->machine.timing_approx = value[0] == 'a';
    } else if (!strcmp(a, "--limit-time")) {
        char *end;
        o->limit_seconds = strtod(value, &end);
        if (end == value || *end || !(o->limit_seconds > 0 && o->limit_seconds < 1e6))
            return cli_unusable("boot: --limit-time %s: want seconds of virtual time", value);
    }
    return EXIT_GOOD;
}

static int
parse(struct options *o, int argc, char **argv)
{
    static const char *const known[] = { "--append", "--module", "--memory", "--cpus", "--timing", "--quantum", "--crosscheck",
                                         "--limit-time", "--serial", "--trace", "--results", "--no-vtx", "--help", NULL };
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        bool valued = false;
        for (unsigned k = 0; k < 11; k++)
            valued |= !strcmp(a, known[k]);
        if (valued && i + 1 == argc)
            return cli_unusable("boot: %s needs a value", a);
        if (valued) {
            int status = take(o, a, argv[++i]);
            if (status != EXIT_GOOD)
                return status;
        } else if (!strcmp(a, "--no-vtx"))
            o->machine.vtx = false;
        else if (a[0] == '-')
            return cli_unknown_option("boot", a, known);
        else if (o->image)
            return cli_unusable("boot: one image at a time ('%s' and '%s')", o->image, a);
        else
            o->image = a;
    }
    return o->image ? EXIT_GOOD : cli_unusable("boot: which image? `hvlab boot --help` has examples");
}

static void
console_byte(void *ctx, uint8_t byte)
{
    FILE *out = ctx;
    fputc(byte, out);
    if (byte == '\n')
        fflush(out);
}

/* FILE=NAME or FILE; modules keep their bytes until the image is loaded. */
static bool
load(struct machine *m, const struct options *o, char *error)
{
    struct load_module module[MODULES_MAX];
    char path[MODULES_MAX][512];
    unsigned count = 0;
    bool good = true;
    size_t size = 0;
    for (; good && count < o->module_count; count++) {
        const char *text = o->module[count], *equals = strchr(text, '=');
        snprintf(path[count], sizeof path[count], "%.*s", equals ? (int)(equals - text) : (int)strlen(text), text);
        module[count] = (struct load_module){ .name = path[count], .cmdline = equals ? equals + 1 : NULL };
        module[count].bytes = load_file(path[count], &module[count].size, error, ERROR_MAX);
        good = module[count].bytes != NULL;
    }
    uint8_t *bytes = good ? load_file(o->image, &size, error, ERROR_MAX) : NULL;
    struct load_request request = { .name = o->image, .bytes = bytes, .size = size, .cmdline = o->append,
                                    .modules = module, .module_count = count };
    good = bytes && load_image(m, &request, error, ERROR_MAX);
    for (unsigned i = 0; i < count; i++)
        free((void *)module[i].bytes);
    free(bytes);
    return good;
}

static enum machine_stop
run(struct machine *m, const struct options *o)
{
    uint64_t limit = o->limit_seconds > 0 ? (uint64_t)(o->limit_seconds * (double)MACHINE_TSC_HZ) : UINT64_MAX;
    enum machine_stop stop = STOP_LIMIT;
    while (stop == STOP_LIMIT && m->now < limit && !cli_interrupted()) {
        uint64_t next = m->now > UINT64_MAX - SLICE_CYCLES ? UINT64_MAX : m->now + SLICE_CYCLES;
        stop = machine_run(m, next < limit ? next : limit);
    }
    return stop;
}

static int
exit_status(const struct machine *m, enum machine_stop stop)
{
    switch (stop) {
    case STOP_POWER_OFF: return EXIT_GOOD;
    case STOP_DEBUG_EXIT: return (int)((m->stop_code << 1 | 1) & 0xff);
    case STOP_LIMIT: return cli_interrupted() ? EXIT_INTERRUPTED : EXIT_LIMIT;
    case STOP_TRIPLE_FAULT: return EXIT_TRIPLE_FAULT;
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
boot(struct machine *m, const struct options *o)
{
    char error[ERROR_MAX];
    struct timespec begin, end;
    if (!load(m, o, error))
        return cli_unusable("%s", error);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    enum machine_stop stop = run(m, o);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int status = exit_status(m, stop);
    if (m->stop_text[0])
        fprintf(stderr, "hvlab: %s\n", m->stop_text);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    if (o->results && !write_results(o->results, m, status, seconds, error))
        return cli_unusable("%s", error);
    return status;
}

static int
open_and_boot(const struct options *o)
{
    char error[ERROR_MAX];
    bool to_file = o->serial && !strncmp(o->serial, "file:", 5);
    if (o->serial && !to_file && strcmp(o->serial, "stdio"))
        return cli_unusable("boot: --serial %s: want stdio or file:NAME", o->serial);
    FILE *console = to_file ? fopen(o->serial + 5, "wb") : stdout;
    if (!console)
        return cli_unusable("cannot write %s: %s", o->serial + 5, strerror(errno));
    struct machine *m = machine_new(&o->machine, error, sizeof error);
    if (!m)
        return cli_unusable("%s", error);
    platform_set_console(m->platform, console_byte, console);
    int status = EXIT_GOOD;
    if (o->machine.crosscheck && !(m->crosscheck = crosscheck_new(m, o->machine.crosscheck)))
        status = cli_unusable("the second processor (Unicorn) does not start: boot without --crosscheck");
    if (status == EXIT_GOOD && o->trace && !(m->trace = trace_ctf_open(o->trace, NULL, NULL, error, sizeof error)))
        status = cli_unusable("%s", error);
    if (o->machine.crosscheck && !(m->crosscheck = crosscheck_new(m, o->machine.crosscheck)))
        status = cli_unusable("crosscheck: Unicorn cannot be started");
    if (status == EXIT_GOOD)
        status = boot(m, o);
    if (m->crosscheck) {
        crosscheck_report(m->crosscheck, stderr);
        crosscheck_free(m->crosscheck);
    }
    if (m->trace && !trace_ctf_close(m->trace, error, sizeof error))
        status = cli_unusable("%s", error);
    m->trace = NULL;
    if (m->crosscheck) {
        crosscheck_report(m->crosscheck, stderr);
        crosscheck_free(m->crosscheck);
    }
    machine_free(m);
    fflush(console);
    if (to_file)
        fclose(console);
    return status;
}

int
verb_boot(int argc, char **argv)
{
    struct options o = { .append = "", .machine = { .ram_size = 512u << 20, .cpu_count = 1, .quantum = 1000, .vtx = true,
                                                    .rtc_epoch = 1300000000 } };
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help();
            return EXIT_GOOD;
        }
    int status = parse(&o, argc, argv);
    if (status != EXIT_GOOD)
        return status;
    cli_catch_interrupt();
    return open_and_boot(&o);
}
