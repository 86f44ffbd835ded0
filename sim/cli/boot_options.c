#include "sim/cli/boot_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/nearest.h"
#include "sim/cpu/model/model.h"

enum { QUANTUM = 4000, QUANTUM_ALONE = 50000 }; /* [cycles]; nobody waits for one alone */

enum kind {
    FLAG,    /* bool; takes no value */
    TEXT,    /* const char * */
    LIST,    /* struct boot_list; may be given again */
    COUNT,   /* unsigned; 'low' to 'high' */
    NUMBER,  /* uint64_t; 'low' to 'high' */
    SIZE,    /* uint64_t [bytes]; a number with K, M or G */
    SECONDS, /* double, more than 0 */
    CHOICE,  /* bool: whether the value is the second of 'value' ("first|second") */
};

struct option_row {
    const char *name, *value; /* as --help shows them */
    enum kind kind;
    size_t field;             /* offset in struct boot_options */
    uint64_t low, high;
    const char *help;
    bool looks;               /* only looks at the machine, or says how the person sits before it: no part of what boots */
};

enum { BOOTS = false, LOOKS = true };
#define AT(member) offsetof(struct boot_options, member)
static const struct option_row rows[] = {
    { "--append", "TEXT", TEXT, AT(append), 0, 0, "command line", BOOTS },
    { "--module", "FILE", LIST, AT(modules), 0, 0, "a module; FILE=NAME gives its command line (repeatable)", BOOTS },
    { "--initrd", "FILE", TEXT, AT(initrd), 0, 0, "a Linux kernel's initial RAM disk", BOOTS },
    { "--bios", "", FLAG, AT(bios_first), 0, 0, "run the BIOS before a multiboot image (some kernels always do)", BOOTS },
    { "--drive", "FILE[,write]", LIST, AT(drives), 0, 0, "an NVMe disk; FILE is left alone unless ',write' (repeatable)", BOOTS },
    { "--memory", "SIZE", SIZE, AT(machine.ram_size), 0, 0, "RAM, e.g. 512M [512M]", BOOTS },
    { "--cpus", "N", COUNT, AT(machine.cpu_count), 1, MACHINE_CPUS_MAX, "processors [1]", BOOTS },
    { "--cpu", "MODEL", TEXT, AT(machine.model), 0, 0, "processor, see `hvlab list cpus`; MODEL,+FEATURE,-FEATURE [intel-v3]", BOOTS },
    { "--no-vtx", "", FLAG, AT(no_vtx), 0, 0, "a machine without VT-x", BOOTS },
    { "--edu", "", FLAG, AT(board.edu), 0, 0, "QEMU's educational PCI device, for tests of DMA", BOOTS },
    { "--console", "com1|virtio", CHOICE, AT(board.virtio_console), 0, 0, "where typed bytes go; virtio: plugs in hvc0 [com1]", BOOTS },
    { "--no-test-devices", "", FLAG, AT(board.no_test_devices), 0, 0, "without the ports and memory that test suites expect", BOOTS },
    { "--timing", "functional|approx", CHOICE, AT(machine.timing_approx), 0, 0, "how time is charged [functional]", BOOTS },
    { "--tier", "compiled|interpreter", CHOICE, AT(interpreter), 0, 0, "how functional timing runs code [compiled]", LOOKS },
    { "--quantum", "CYCLES", NUMBER, AT(machine.quantum), 1, 1000000000, "processors' turn [4000; 50000 for one alone]", BOOTS },
    { "--crosscheck", "N", NUMBER, AT(machine.crosscheck), 1, UINT64_MAX, "execute every Nth block on Unicorn too", LOOKS },
    { "--reset", "restart|exit", CHOICE, AT(reset_exits), 0, 0, "a reset starts the image again, or ends the run [restart]", BOOTS },
    { "--limit-time", "SECONDS", SECONDS, AT(limit_seconds), 0, 0, "stop after so much virtual time", LOOKS },
    { "--serial", "stdio|file:F", TEXT, AT(serial), 0, 0, "COM1; typed bytes enter from a terminal, or if said [stdio]", LOOKS },
    { "--serial2", "file:F", TEXT, AT(serial2), 0, 0, "what COM2 prints [dropped]", LOOKS },
    { "--display", "WxH|text", TEXT, AT(display), 0, 0, "a framebuffer, or VGA text [none; 1024x768 with --window or --picture]", BOOTS },
    { "--window", "", FLAG, AT(window), 0, 0, "show the display; its keys and mouse are the machine's", LOOKS },
    { "--picture", "FILE.png", TEXT, AT(picture), 0, 0, "what the display shows in the end", LOOKS },
    { "--pace", "realtime|fast", TEXT, AT(pace), 0, 0, "hold virtual time to the wall clock, or not [realtime before a terminal]", LOOKS },
    { "--script", "FILE", TEXT, AT(script), 0, 0, "type, press keys, wait for text: steps as in sim/cli/script.h", LOOKS },
    { "--record", "DIR", TEXT, AT(record), 0, 0, "log all input, so that `hvlab replay DIR` runs the same again", LOOKS },
    { "-d", "CATEGORIES", TEXT, AT(debug), 0, 0, "log what happens to standard error, e.g. int,unclaimed (`hvlab list debug`)", LOOKS },
    { "--gdb", ":PORT", TEXT, AT(gdb), 0, 0, "wait for gdb (`target remote 127.0.0.1:PORT`) before the first instruction", LOOKS },
    { "--trace", "DIR", TEXT, AT(trace), 0, 0, "write a CTF event trace", LOOKS },
    { "--snapshot-at", "SECONDS", SECONDS, AT(snapshot_seconds), 0, 0, "save the machine then into --out, and go on", LOOKS },
    { "--out", "DIR", TEXT, AT(out), 0, 0, "where --snapshot-at saves", LOOKS },
    { "--restore", "DIR", TEXT, AT(restore), 0, 0, "go on from a snapshot; no IMAGE, and only options that look", LOOKS },
    { "--results", "FILE", TEXT, AT(results), 0, 0, "write instructions, virtual_ns, host_seconds, state_hash, exit", LOOKS },
};
#undef AT
enum { ROWS = sizeof rows / sizeof *rows };

void
boot_options_help(void)
{
    printf("usage: hvlab boot IMAGE [OPTIONS]\n\n"
           "Boots a Linux bzImage, or an ELF image with a multiboot2 or multiboot header.\n\n");
    for (unsigned i = 0; i < ROWS; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value);
        printf("  %-29s %s\n", left, rows[i].help);
    }
    printf("\nexit status: power-off 0 (and a reset with --reset exit); isa-debug-exit value v gives (v << 1) | 1; time limit 124;\n"
           "triple fault 3; unusable image or options 2; Ctrl-C 130; anything else 1\n\n"
           "examples:\n"
           "  hvlab boot build/gcc-release/images/hv-microkernel.elf --no-vtx\n"
           "  hvlab boot kernel.elf --module initrd.img --memory 1G --cpus 4 --limit-time 10\n"
           "  hvlab boot vmlinuz --initrd initramfs.cpio.gz --append \"console=ttyS0 quiet\"\n");
}

/* --- values ------------------------------------------------------------------------- */

static bool
parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || text[0] == '-' || errno || (*end && (!shift || end[1])) || number > UINT64_MAX >> shift)
        return false;
    *bytes = number << shift;
    return true;
}

static bool
parse_number(const struct option_row *row, const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return end != text && !*end && text[0] != '-' && !errno && *number >= row->low && *number <= row->high;
}

static int
want_number(const struct option_row *row, const char *text)
{
    if (row->high == UINT64_MAX)
        return cli_unusable("boot: %s %s: want a whole number from %llu", row->name, text, (unsigned long long)row->low);
    return cli_unusable("boot: %s %s: want %llu to %llu", row->name, text, (unsigned long long)row->low,
                        (unsigned long long)row->high);
}

static int
take_choice(const struct option_row *row, const char *text, bool *second)
{
    const char *bar = strchr(row->value, '|');
    size_t first = (size_t)(bar - row->value);
    *second = !strcmp(text, bar + 1);
    if (*second || (strlen(text) == first && !strncmp(text, row->value, first)))
        return EXIT_GOOD;
    return cli_unusable("boot: %s %s: want %.*s or %s", row->name, text, (int)first, row->value, bar + 1);
}

static int
take(struct boot_options *o, const struct option_row *row, const char *text)
{
    void *field = (char *)o + row->field;
    struct boot_list *list = field;
    uint64_t number = 0;
    char *end;

    switch (row->kind) {
    case FLAG:
        *(bool *)field = true;
        return EXIT_GOOD;
    case TEXT:
        *(const char **)field = text;
        return EXIT_GOOD;
    case LIST:
        if (list->count == LOAD_MODULES_MAX)
            return cli_unusable("boot: %s more than %d times", row->name, LOAD_MODULES_MAX);
        list->item[list->count++] = text;
        return EXIT_GOOD;
    case COUNT:
    case NUMBER:
        if (!parse_number(row, text, &number))
            return want_number(row, text);
        if (row->kind == COUNT)
            *(unsigned *)field = (unsigned)number;
        else
            *(uint64_t *)field = number;
        return EXIT_GOOD;
    case SIZE:
        return parse_size(text, field) ? EXIT_GOOD : cli_unusable("boot: %s %s: want a size such as 512M", row->name, text);
    case SECONDS:
        *(double *)field = strtod(text, &end);
        if (end == text || *end || !(*(double *)field > 0 && *(double *)field < 1e6))
            return cli_unusable("boot: %s %s: want seconds of virtual time", row->name, text);
        return EXIT_GOOD;
    case CHOICE:
        return take_choice(row, text, field);
    }
    return EXIT_GOOD;
}

/* --- the command line ------------------------------------------------------------------ */

static const struct option_row *
find_row(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (!strcmp(name, rows[i].name))
            return &rows[i];
    return NULL;
}

static int
unknown(const char *name)
{
    const char *known[ROWS + 2] = { NULL };
    for (unsigned i = 0; i < ROWS; i++)
        known[i] = rows[i].name;
    known[ROWS] = "--help";
    return cli_unknown_option("boot", name, known);
}

static int
unknown_model(const char *name)
{
    const char *known[16] = { NULL };
    for (unsigned i = 0; i < 15 && cpu_model_at(i); i++)
        known[i] = cpu_model_at(i)->name;
    return cli_unusable("boot: --cpu %s: no such processor; did you mean '%s'? `hvlab list cpus` has them all", name,
                        nearest(name, known));
}

static int
parse_one(struct boot_options *o, int argc, char **argv, int *i)
{
    const char *a = argv[*i];
    if (a[0] != '-') {
        if (o->image)
            return cli_unusable("boot: one image at a time ('%s' and '%s')", o->image, a);
        o->image = a;
        return EXIT_GOOD;
    }
    const struct option_row *row = find_row(a);
    if (!row)
        return unknown(a);
    if (row->kind == FLAG)
        return take(o, row, NULL);
    if (*i + 1 == argc)
        return cli_unusable("boot: %s needs a value", a);
    return take(o, row, argv[++*i]);
}

static int
take_display(struct boot_options *o)
{
    char rest;
    if (!o->display && !o->window && !o->picture)
        return EXIT_GOOD;
    o->display_implied = !o->display;
    const char *text = o->display = o->display ? o->display : "1024x768";
    o->machine.display_text = !strcmp(text, "text");
    if (o->machine.display_text || sscanf(text, "%5ux%5u%c", &o->machine.display_width, &o->machine.display_height, &rest) == 2)
        return EXIT_GOOD;
    return cli_unusable("boot: --display %s: want text, or a size such as 1024x768", text);
}

bool
boot_options_looks(const char *name, bool *valued)
{
    const struct option_row *row = find_row(name);
    *valued = row && row->kind != FLAG;
    return row && row->looks;
}

int
boot_options_parse(struct boot_options *o, int argc, char **argv)
{
    *o = (struct boot_options){ .append = "", .machine = { .ram_size = 512u << 20, .cpu_count = 1,
                                                           .model = "intel-v3",
                                                           .rtc_epoch = 1300000000 } };
    o->argc = argc;
    o->argv = argv;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            o->help = true;
            return EXIT_GOOD;
        }
    for (int i = 1; i < argc; i++) {
        int status = parse_one(o, argc, argv, &i);
        if (status != EXIT_GOOD)
            return status;
    }
    if (o->snapshot_seconds > 0 && !o->out)
        return cli_unusable("boot: --snapshot-at needs --out DIR, where to save");
    o->machine.vtx = !o->no_vtx;
    if (take_display(o) != EXIT_GOOD)
        return EXIT_UNUSABLE;
    if (o->drives.count > BOARD_DRIVES_MAX)
        return cli_unusable("boot: --drive more than %d times", BOARD_DRIVES_MAX);
    for (unsigned i = 0; i < o->drives.count; i++)
        o->board.drive[o->board.drive_count++] = o->drives.item[i];
    if (!o->machine.quantum) {
        o->machine.quantum = o->machine.cpu_count == 1 && !o->machine.timing_approx ? QUANTUM_ALONE : QUANTUM;
    }
    o->machine.tier = o->interpreter ? TIER_INTERPRETER : TIER_COMPILED;
    if (!cpu_model_find(o->machine.model, strcspn(o->machine.model, ",")))
        return unknown_model(o->machine.model);
    return o->image || o->restore ? EXIT_GOOD : cli_unusable("boot: which image? `hvlab boot --help` has examples");
}
