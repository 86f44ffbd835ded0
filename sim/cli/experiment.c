#define _GNU_SOURCE
#include "sim/cli/experiment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "sim/cli/nearest.h"
#include "sim/machine.h"

enum kind { TEXT, BOOLEAN, NUMBER, SIZE, DURATION, REAL, CHOICE, CHOICES };

static const char *const placement_names[PLACEMENT_COUNT + 1] = { "microkernel", "monolithic", NULL };
static const char *const io_path_names[IO_PATH_COUNT + 1] = { "vmbus", "vmq", "sriov", NULL };
static const char *const timing_names[TIMING_COUNT + 1] = { "functional", "approx", NULL };
static const char *const tier_names[] = { [TIER_COMPILED] = "compiled", [TIER_INTERPRETER] = "interpreter", NULL };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;               /* in struct experiment */
    uint64_t low, high;          /* NUMBER, SIZE, DURATION: limits, inclusive */
    const char *const *choices;
    const char *fallback;        /* default, as one would write it */
    const char *help;
};
#define AT(member) offsetof(struct experiment, member)
#define MS 1000000ull
#define MIB (1ull << 20)
enum { MTU_LEAST = 68 }; /* RFC 791: what every internet module must be able to forward */

static const struct setting settings[] = {
    { "name", TEXT, AT(name), 0, 0, NULL, "experiment", "what the results are called" },
    { "capture", TEXT, AT(capture), 0, 0, NULL, "", "packet capture to replay: pcap or pcapng, Ethernet" },
    { "endpoint", TEXT, AT(endpoint), 0, 0, NULL, "auto",
      "MAC address of the child; auto: the capture's most frequent unicast destination" },
    { "placement", CHOICES, AT(placements), 0, 0, placement_names, "microkernel,monolithic", "where the services run" },
    { "io_path", CHOICES, AT(io_paths), 0, 0, io_path_names, "vmbus,vmq,sriov", "how frames reach the child" },
    { "timing", CHOICE, AT(timing), 0, 0, timing_names, "approx", "cost model of the processors" },
    { "tier", CHOICE, AT(tier), 0, 0, tier_names, "compiled", "how functional timing runs code; what is computed is the same" },
    { "speed", REAL, AT(speed), 0, 0, NULL, "1", "replay speed; 2 halves all times" },
    { "max_gap", DURATION, AT(max_gap_ns), 0, 3600000 * MS, NULL, "10ms", "longer pauses in the capture are shortened to this" },
    { "lossless", BOOLEAN, AT(lossless), 0, 1, NULL, "true",
      "flow control on the wire: nothing is dropped for want of space" },
    { "mtu", NUMBER, AT(mtu), MTU_LEAST, 9710, NULL, "auto",
      "of the child's network [bytes]; auto: the longest frame of the capture, at least 1500" },
    { "processors", NUMBER, AT(processors), 1, 64, NULL, "2", "logical processors of the machine" },
    { "memory", SIZE, AT(memory), 128 * MIB, 16384 * MIB, NULL, "512M", "RAM of the machine" },
    { "quantum", NUMBER, AT(quantum), 1, 1000000, NULL, "1000", "cycles that processors run in turn" },
    { "vtx", BOOLEAN, AT(vtx), 0, 1, NULL, "true", "the machine has VT-x" },
    { "children", NUMBER, AT(children), 1, EXPERIMENT_CHILDREN_MAX, NULL, "1", "child partitions" },
    { "child_memory", SIZE, AT(child_memory), 8 * MIB, 1024 * MIB, NULL, "16M", "RAM of each child" },
    { "workloads", TEXT, AT(workloads), 0, 0, NULL, "replayer",
      "per child: replayer first, then replayer, sink, echo, garbage:KIND; the last repeats" },
    { "root_lp", TEXT, AT(root_lp), 0, 0, NULL, "0", "processor of the parent partition, or any" },
    { "child_lps", TEXT, AT(child_lps), 0, 0, NULL, "1", "processor of each child, or any; the last repeats" },
    { "moderation_us", NUMBER, AT(moderation_us), 0, 1000, NULL, "10", "interrupt moderation of the card [us]" },
    { "switch_capture", BOOLEAN, AT(switch_capture), 0, 1, NULL, "false", "capture extension of the virtual switch" },
    { "switch_filter", TEXT, AT(switch_filter), 0, 0, NULL, "",
      "rules of the switch's filter extension, e.g. drop type=0x0806; allow (also src= dst= vlan= port=)" },
    { "trace", BOOLEAN, AT(trace), 0, 1, NULL, "false", "write a CTF event trace per run" },
    { "pcapng", BOOLEAN, AT(pcapng), 0, 1, NULL, "true", "write a packet capture per port" },
    { "hash_every_ms", NUMBER, AT(hash_every_ms), 0, 1000000, NULL, "auto",
      "virtual time between state hashes of the input log [ms]; auto: 10 at first, doubling as the run grows" },
    { "crosscheck", NUMBER, AT(crosscheck), 0, UINT32_MAX, NULL, "0", "execute every Nth block on Unicorn too; 0: off" },
    { "patience_ms", NUMBER, AT(patience_ms), 1, 1000000, NULL, "500",
      "virtual time without progress before a run is given up [ms]" },
};
enum { SETTING_COUNT = sizeof settings / sizeof *settings };

const char *placement_name(enum placement p) { return placement_names[p]; }
const char *io_path_name(enum io_path p) { return io_path_names[p]; }
const char *timing_mode_name(enum timing_mode t) { return timing_names[t]; }

/* --- values ------------------------------------------------------------------- */

struct unit { const char *suffix; uint64_t factor; };
static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit size_units[] = { { "", 1 }, { "K", 1 << 10 }, { "M", MIB }, { "G", 1 << 30 },
                                          { "KiB", 1 << 10 }, { "MiB", MIB }, { "GiB", 1 << 30 }, { NULL, 0 } };
static const struct unit time_units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", MS }, { "s", 1000 * MS }, { NULL, 0 } };

static const char *
unit_hint(enum kind kind)
{
    return kind == SIZE ? "a size such as 512M" : kind == DURATION ? "a duration such as 10ms" : "a whole number";
}

/* As one would write it: in the largest unit that divides it. */
static void
number_text(const struct setting *s, uint64_t value, char text[32])
{
    const struct unit *best = s->kind == DURATION ? &time_units[0] : &no_units[0];
    for (const struct unit *u = s->kind == SIZE ? size_units : s->kind == DURATION ? time_units : no_units; u->suffix; u++)
        if (value && value % u->factor == 0 && u->factor > best->factor)
            best = u;
    snprintf(text, 32, "%llu%s", (unsigned long long)(value / best->factor), best->suffix);
}

static bool
parse_number(const struct setting *s, const char *text, uint64_t *value, char *why, size_t why_size)
{
    const struct unit *unit = s->kind == SIZE ? size_units : s->kind == DURATION ? time_units : no_units;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool digits = end != text && *text >= '0' && *text <= '9' && errno == 0;
    while (unit->suffix && strcmp(unit->suffix, end))
        unit++;
    if (!digits || !unit->suffix || __builtin_mul_overflow((uint64_t)number, unit->factor, value)) {
        snprintf(why, why_size, "want %s", unit_hint(s->kind));
        return false;
    }
    if (*value < s->low || *value > s->high) {
        char low[32], high[32];
        number_text(s, s->low, low);
        number_text(s, s->high, high);
        snprintf(why, why_size, "want %s to %s%s", low, high, strcmp(s->fallback, "auto") ? "" : ", or auto");
        return false;
    }
    return true;
}

static bool
parse_choice(const struct setting *s, const char *word, unsigned *index, char *why, size_t why_size)
{
    for (*index = 0; s->choices[*index]; ++*index)
        if (!strcmp(s->choices[*index], word))
            return true;
    char hint[128];
    snprintf(why, why_size, "'%s' is none of its values%s", word, nearest_hint(word, s->choices, hint, sizeof hint));
    return false;
}

static bool
parse_choices(const struct setting *s, const char *text, uint64_t *mask, char *why, size_t why_size)
{
    char *copy = strdup(text), *rest = copy;
    bool good = copy != NULL;
    *mask = 0;
    for (char *word; good && (word = strsep(&rest, ",")) != NULL;) {
        unsigned index = 0;
        good = parse_choice(s, word, &index, why, why_size);
        *mask |= good ? 1ull << index : 0;
    }
    free(copy);
    return good;
}

static bool
parse_boolean(const char *text, uint64_t *value, char *why, size_t why_size)
{
    bool yes = !strcmp(text, "true") || !strcmp(text, "yes") || !strcmp(text, "1");
    bool no = !strcmp(text, "false") || !strcmp(text, "no") || !strcmp(text, "0");
    *value = yes;
    if (!yes && !no)
        snprintf(why, why_size, "want true or false");
    return yes || no;
}

static bool
parse_real(const char *text, double *value, char *why, size_t why_size)
{
    char *end;
    double got = strtod(text, &end);
    if (end == text || *end || !(got >= 0.001 && got <= 1e6)) {
        snprintf(why, why_size, "want a number from 0.001 to 1000000");
        return false;
    }
    *value = got;
    return true;
}

static bool
assign(struct experiment *e, const struct setting *s, const char *text, char *why, size_t why_size)
{
    void *member = (char *)e + s->offset;
    unsigned index;
    if (s->kind == NUMBER && !strcmp(text, "auto") && !strcmp(s->fallback, "auto")) {
        *(uint64_t *)member = 0;
        return true;
    }
    switch (s->kind) {
    case TEXT:
        if (strlen(text) >= EXPERIMENT_TEXT_MAX) {
            snprintf(why, why_size, "longer than %d characters", EXPERIMENT_TEXT_MAX - 1);
            return false;
        }
        strcpy(member, text);
        return true;
    case BOOLEAN: return parse_boolean(text, member, why, why_size);
    case REAL: return parse_real(text, member, why, why_size);
    case CHOICE:
        if (!parse_choice(s, text, &index, why, why_size))
            return false;
        *(uint64_t *)member = index;
        return true;
    case CHOICES: return parse_choices(s, text, member, why, why_size);
    default: return parse_number(s, text, member, why, why_size);
    }
}

static const struct setting *
find(const char *name)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!strcmp(settings[i].name, name))
            return &settings[i];
    return NULL;
}

static const char *
setting_hint(const char *name, char *text, size_t size)
{
    const char *names[SETTING_COUNT + 1] = { NULL };
    for (size_t i = 0; i < SETTING_COUNT; i++)
        names[i] = settings[i].name;
    return nearest_hint(name, names, text, size)[0] ? text : "; `hvlab list settings` has them all";
}

static bool
set(struct experiment *e, const char *name, const char *value, const char *where, char *error, size_t error_size)
{
    char why[256];
    const struct setting *s = find(name);
    if (!s) {
        snprintf(error, error_size, "%s: unknown key '%s'%s", where, name, setting_hint(name, why, sizeof why));
        return false;
    }
    if (assign(e, s, value, why, sizeof why))
        return true;
    snprintf(error, error_size, "%s: '%s' is no value for '%s': %s", where, value, name, why);
    return false;
}

/* --- files -------------------------------------------------------------------- */

struct reader {
    struct experiment *experiment;
    size_t line_of[SETTING_COUNT]; /* where each setting was made; 0: not yet */
    const char *path;
    yaml_parser_t parser;
    yaml_event_t event;
    char *error;
    size_t error_size;
};

static bool
complain(struct reader *r, size_t line, const char *what)
{
    snprintf(r->error, r->error_size, "%s:%zu: %s", r->path, line, what);
    return false;
}

static bool
next_event(struct reader *r)
{
    if (yaml_parser_parse(&r->parser, &r->event))
        return true;
    return complain(r, r->parser.problem_mark.line + 1, r->parser.problem ? r->parser.problem : "not YAML");
}

/* The value at hand: a scalar, or a list of scalars joined by commas. */
static bool
read_value(struct reader *r, char *text, size_t text_size)
{
    size_t line = r->event.start_mark.line + 1, used = 0;
    bool list = r->event.type == YAML_SEQUENCE_START_EVENT;
    text[0] = 0;
    if (list && (yaml_event_delete(&r->event), !next_event(r)))
        return false;
    while (r->event.type == YAML_SCALAR_EVENT) {
        int got = snprintf(text + used, text_size - used, "%s%s", used ? "," : "", (const char *)r->event.data.scalar.value);
        if (got < 0 || (used += (size_t)got) >= text_size)
            return complain(r, line, "value too long");
        if (!list)
            return true;
        yaml_event_delete(&r->event);
        if (!next_event(r))
            return false;
    }
    return (list && r->event.type == YAML_SEQUENCE_END_EVENT) || complain(r, line, "want a value or a list of values");
}

/* False: the file made this setting before. */
static bool
note_line(struct reader *r, const char *name, size_t line)
{
    const struct setting *s = find(name);
    char what[128];
    if (!s)
        return true; /* set() complains */
    size_t *before = &r->line_of[s - settings];
    if (*before) {
        snprintf(what, sizeof what, "'%.40s' has a value already, in line %zu; keep one of them", name, *before);
        return complain(r, line, what);
    }
    *before = line;
    return true;
}

static bool
read_pair(struct reader *r)
{
    char name[64], value[EXPERIMENT_TEXT_MAX], where[EXPERIMENT_TEXT_MAX + 32];
    size_t line = r->event.start_mark.line + 1;

    if (r->event.type != YAML_SCALAR_EVENT)
        return complain(r, line, "want 'key: value'");
    snprintf(name, sizeof name, "%s", (const char *)r->event.data.scalar.value);
    yaml_event_delete(&r->event);
    if (!next_event(r) || !read_value(r, value, sizeof value))
        return false;
    snprintf(where, sizeof where, "%s:%zu", r->path, line);
    if (!note_line(r, name, line))
        return false;
    if (!set(r->experiment, name, value, where, r->error, r->error_size))
        return false;
    yaml_event_delete(&r->event);
    return next_event(r);
}

static bool
read_document(struct reader *r)
{
    while (next_event(r) && r->event.type != YAML_MAPPING_START_EVENT) {
        if (r->event.type == YAML_STREAM_END_EVENT || r->event.type == YAML_SCALAR_EVENT
            || r->event.type == YAML_SEQUENCE_START_EVENT)
            return complain(r, r->event.start_mark.line + 1, "want a mapping of settings");
        yaml_event_delete(&r->event);
    }
    if (r->event.type != YAML_MAPPING_START_EVENT)
        return false;
    yaml_event_delete(&r->event);
    if (!next_event(r))
        return false;
    while (r->event.type != YAML_MAPPING_END_EVENT)
        if (!read_pair(r))
            return false;
    return true;
}

/* Paths written in a file are meant relative to it. */
static void
anchor(experiment_text path, const char *file)
{
    const char *slash = strrchr(file, '/');
    experiment_text full;
    if (path[0] == 0 || path[0] == '/' || !slash)
        return;
    if (snprintf(full, sizeof full, "%.*s/%s", (int)(slash - file), file, path) < (int)sizeof full)
        strcpy(path, full);
}

bool
experiment_read(struct experiment *e, const char *path, char *error, size_t error_size)
{
    struct reader r = { .experiment = e, .path = path, .error = error, .error_size = error_size };
    struct stat about;
    FILE *in = fopen(path, "rb");
    if (in && !fstat(fileno(in), &about) && S_ISDIR(about.st_mode)) {
        snprintf(error, error_size, "%s is a folder: an experiment is a YAML file, such as experiments/first-light.yaml", path);
        fclose(in);
        return false;
    }
    if (!in || !yaml_parser_initialize(&r.parser)) {
        snprintf(error, error_size, "cannot read experiment %s: %s", path, in ? "out of memory" : strerror(errno));
        if (in)
            fclose(in);
        return false;
    }
    yaml_parser_set_input_file(&r.parser, in);
    bool good = read_document(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    fclose(in);
    if (good)
        anchor(e->capture, path);
    return good;
}

bool
experiment_set(struct experiment *e, const char *assignment, char *error, size_t error_size)
{
    const char *equals = strchr(assignment, '=');
    char name[64], where[96];
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof name) {
        snprintf(error, error_size, "--set %s: want key=value", assignment);
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)(equals - assignment), assignment);
    snprintf(where, sizeof where, "--set %s", name);
    return set(e, name, equals + 1, where, error, error_size);
}

void
experiment_defaults(struct experiment *e)
{
    char why[256];
    memset(e, 0, sizeof *e);
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!assign(e, &settings[i], settings[i].fallback, why, sizeof why))
            abort(); /* the table contradicts itself */
}

bool
mac_parse(const char *text, uint8_t mac[6])
{
    unsigned byte[6];
    int used = 0;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5], &used) != 6
        || text[used])
        return false;
    for (int i = 0; i < 6; i++)
        mac[i] = (uint8_t)byte[i];
    return true;
}

/* The first item of a comma-separated list that 'good' does not accept, in 'bad'; false: none. */
static bool
find_bad_item(const struct experiment *e, const char *list, bool (*good)(const struct experiment *, const char *), experiment_text bad)
{
    experiment_text copy;
    char *rest = strcpy(copy, list), *word;
    while ((word = strsep(&rest, ",")) != NULL)
        if (!good(e, word)) {
            strcpy(bad, word);
            return true;
        }
    return false;
}

static bool
is_processor(const struct experiment *e, const char *word)
{
    char *end;
    unsigned long long number = strtoull(word, &end, 10);
    return !strcmp(word, "any") || (*word >= '0' && *word <= '9' && *end == 0 && number < e->processors);
}

static const char *const workload_names[] = { "replayer", "sink", "echo", "garbage", "bench", NULL };

static bool
is_workload(const struct experiment *e, const char *word)
{
    (void)e;
    for (unsigned i = 0; workload_names[i]; i++) {
        size_t length = strlen(workload_names[i]);
        if (!strncmp(word, workload_names[i], length) && (word[length] == 0 || word[length] == ':'))
            return true;
    }
    return false;
}

/* Settings that are lists of words. */
static bool
check_lists(const struct experiment *e, char *error, size_t error_size)
{
    experiment_text bad;
    char hint[128];
    const char *name = "root_lp";
    bool wrong = find_bad_item(e, e->root_lp, is_processor, bad);
    if (!wrong) {
        name = "child_lps";
        wrong = find_bad_item(e, e->child_lps, is_processor, bad);
    }
    if (wrong) {
        snprintf(error, error_size, "%s: '%s' is no processor of this machine: want any, or 0 to %llu ('processors' is %llu)", name, bad,
                 (unsigned long long)e->processors - 1, (unsigned long long)e->processors);
        return false;
    }
    if (find_bad_item(e, e->workloads, is_workload, bad)) {
        snprintf(error, error_size, "workloads: there is no '%s'%s", bad, nearest_hint(bad, workload_names, hint, sizeof hint));
        return false;
    }
    return true;
}

bool
experiment_check(const struct experiment *e, char *error, size_t error_size)
{
    uint8_t mac[6];
    if (!check_lists(e, error, error_size))
        return false;
    if (!e->capture[0])
        snprintf(error, error_size, "no capture: say which file to replay, e.g. --set capture=FILE.pcap");
    else if (!e->placements || !e->io_paths)
        snprintf(error, error_size, "no placement or no io_path left to run");
    else if (strncmp(e->workloads, "replayer", 8))
        snprintf(error, error_size, "workloads '%s': the first child replays the capture, so the list begins with replayer", e->workloads);
    else if (strcmp(e->endpoint, "auto") && (!mac_parse(e->endpoint, mac) || (mac[0] & 1)))
        snprintf(error, error_size, "endpoint '%s' is no unicast MAC address (such as 02:00:00:00:00:01) and not auto", e->endpoint);
    else if (e->children * e->child_memory + 96 * MIB > e->memory)
        snprintf(error, error_size, "%llu children of %llu MiB do not fit into memory: raise 'memory' above %llu MiB",
                 (unsigned long long)e->children, (unsigned long long)(e->child_memory / MIB),
                 (unsigned long long)((e->children * e->child_memory + 96 * MIB) / MIB));
    else
        return true;
    return false;
}

void
experiment_help(FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(out, "  %-15s %s [%s]\n", settings[i].name, settings[i].help, settings[i].fallback);
}

static void
write_value(const struct experiment *e, const struct setting *s, FILE *out)
{
    const void *member = (const char *)e + s->offset;
    uint64_t number;
    switch (s->kind) {
    case TEXT:
        fprintf(out, "\"");
        for (const char *c = member; *c; c++)
            fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
        fprintf(out, "\"\n");
        return;
    case REAL: fprintf(out, "%.9g\n", *(const double *)member); return;
    default: memcpy(&number, member, sizeof number);
    }
    if (s->kind == CHOICE)
        fprintf(out, "%s\n", s->choices[number]);
    else if (s->kind == CHOICES) {
        const char *separator = "[";
        for (unsigned i = 0; s->choices[i]; i++)
            if (number >> i & 1) {
                fprintf(out, "%s%s", separator, s->choices[i]);
                separator = ", ";
            }
        fprintf(out, "]\n");
    } else if (s->kind == BOOLEAN)
        fprintf(out, "%s\n", number ? "true" : "false");
    else if (number == 0 && !strcmp(s->fallback, "auto"))
        fprintf(out, "auto\n");
    else
        fprintf(out, "%llu%s\n", (unsigned long long)number, s->kind == DURATION ? "ns" : "");
}

void
experiment_write(const struct experiment *e, FILE *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        fprintf(out, "%s: ", settings[i].name);
        write_value(e, &settings[i], out);
    }
}
