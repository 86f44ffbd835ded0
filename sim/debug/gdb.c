#define _GNU_SOURCE
/* Commands and run control; see gdb.h. */
#include "sim/debug/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sim/cpu/cpu.h"
#include "sim/debug/gdb_priv.h"
#include "sim/debug/gdb_registers.h"
#include "sim/mem/mem.h"

enum { ALL_THREADS = -1, MONITOR_COMMAND_MAX = 256, OUTPUT_PIECE = GDB_PACKET_MAX / 2 - 1 };

/* --- stopping and going on ---------------------------------------------------------- */

static bool stands_at(const struct gdb_place *place, const struct cpu *c)
{
    return place->cpu == c->index && place->rip == c->rip && place->instructions == c->instructions;
}

bool gdb_just_left(const struct gdb *g, const struct cpu *c)
{
    return g->left.valid && stands_at(&g->left, c);
}

static void remember_leaving(struct gdb *g, const struct cpu *c)
{
    g->left = (struct gdb_place){ true, c->index, c->rip, c->instructions };
}

static void on_step(void *ctx, struct cpu *c)
{
    struct gdb *g = ctx;
    bool in_range = c->rip >= g->range_first && c->rip < g->range_end;

    if (g->connection.fd >= 0 && !stands_at(&g->step_from, c) && !in_range) {
        gdb_serve(g, c->index, GDB_SIGNAL_TRAP, "");
    }
}

static void arm(struct gdb *g)
{
    const struct core_debug debug = { .ctx = g, .before = on_step, .accessed = gdb_points_accessed,
                                      .translated = gdb_points_translated };
    bool wanted = g->connection.fd >= 0;

    for (unsigned i = 0; i < g->machine->cpu_count; i++) {
        core_debug_set(g->machine->cpu[i], wanted ? &debug : NULL);
    }
}

static void step_only(struct gdb *g, int cpu)
{
    g->range_first = g->range_end = 0;
    if (cpu >= 0) {
        const struct cpu *c = g->machine->cpu[cpu];
        g->step_from = (struct gdb_place){ true, c->index, c->rip, c->instructions };
    }
    if (g->step == cpu) {
        return;
    }
    if (g->step >= 0) {
        core_debug_step(g->machine->cpu[g->step], false);
    }
    g->step = cpu;
    if (cpu >= 0) {
        core_debug_step(g->machine->cpu[cpu], true);
    }
}

static void forget_debugger(struct gdb *g)
{
    gdb_points_forget(g);
    step_only(g, -1);
    arm(g);
}

/* --- registers and memory ------------------------------------------------------------------ */

static const char *read_registers(struct gdb *g)
{
    size_t n = 0;
    uint8_t value[16];

    for (unsigned i = 0; i < gdb_register_count; i++) {
        gdb_register_get(gdb_current(g), i, value);
        n += gdb_hex_to(g->reply + n, value, gdb_register_size(i));
    }
    return g->reply;
}

static const char *write_registers(struct gdb *g, const char *text)
{
    for (unsigned i = 0; i < gdb_register_count; i++) {
        unsigned size = gdb_register_size(i);
        uint8_t value[16] = { 0 };
        if (gdb_hex_from(value, size, text) != size) {
            break;
        }
        gdb_register_set(gdb_current(g), i, value);
        text += 2 * size;
    }
    cpu_attend(gdb_current(g), 0);
    return "OK";
}

static const char *read_register(struct gdb *g, const char *text)
{
    unsigned long number = strtoul(text, NULL, 16);
    uint8_t value[16];

    if (number >= gdb_register_count) {
        return "E01";
    }
    gdb_register_get(gdb_current(g), (unsigned)number, value);
    gdb_hex_to(g->reply, value, gdb_register_size((unsigned)number));
    return g->reply;
}

static const char *write_register(struct gdb *g, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 16);
    uint8_t value[16] = { 0 };

    if (number >= gdb_register_count || *end != '=' ||
        gdb_hex_from(value, gdb_register_size((unsigned)number), end + 1) != gdb_register_size((unsigned)number)) {
        return "E01";
    }
    if (!gdb_register_set(gdb_current(g), (unsigned)number, value)) {
        return "E0d"; /* EACCES: read-only here */
    }
    cpu_attend(gdb_current(g), 0);
    return "OK";
}

static const char *read_memory(struct gdb *g, const char *text)
{
    char *end;
    uint64_t linear = strtoull(text, &end, 16);
    uint64_t size = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    uint8_t bytes[GDB_PACKET_MAX / 2];
    size_t have = 0;

    if (size > sizeof bytes) {
        size = sizeof bytes;
    }
    while (have < size && cpu_peek(gdb_current(g), linear + have, bytes + have, 1)) {
        have++;
    }
    if (have == 0 && size) {
        return "E0e"; /* EFAULT */
    }
    gdb_hex_to(g->reply, bytes, have);
    return g->reply;
}

static bool poke(struct gdb *g, uint64_t linear, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint64_t spa;
        if (!cpu_translate_peek(gdb_current(g), linear + i, &spa) || !mem_write(g->machine->mem, spa, bytes + i, 1)) {
            return false;
        }
    }
    for (unsigned i = 0; i < g->machine->cpu_count; i++) { /* it may have been code */
        cpu_attend(g->machine->cpu[i], 0);
    }
    return true;
}

static const char *write_memory(struct gdb *g, const char *text)
{
    char *end;
    uint64_t linear = strtoull(text, &end, 16);
    uint64_t size = *end == ',' ? strtoull(end + 1, &end, 16) : 0;
    uint8_t bytes[GDB_PACKET_MAX / 2];

    if (*end != ':' || size > sizeof bytes || gdb_hex_from(bytes, size, end + 1) != size) {
        return "E16";
    }
    return poke(g, linear, bytes, size) ? "OK" : "E0e";
}

/* --- queries ----------------------------------------------------------------------------------- */

static const char *describe_target(struct gdb *g, const char *range)
{
    char *end;
    uint64_t offset = strtoull(range, &end, 16), length = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    size_t size = strlen(g->description);

    if (offset >= size) {
        return "l";
    }
    if (length > GDB_PACKET_MAX - 1) {
        length = GDB_PACKET_MAX - 1;
    }
    bool more = length < size - offset;
    snprintf(g->reply, sizeof g->reply, "%c%.*s", more ? 'm' : 'l', (int)(more ? length : size - offset), g->description + offset);
    return g->reply;
}

static const char *list_threads(struct gdb *g)
{
    size_t n = (size_t)snprintf(g->reply, sizeof g->reply, "m");

    for (unsigned i = 0; i < g->machine->cpu_count; i++) {
        n += (size_t)snprintf(g->reply + n, sizeof g->reply - n, "%s%x", i ? "," : "", i + 1);
    }
    return g->reply;
}

static const char *describe_thread(struct gdb *g, const char *text)
{
    static const char *const activity[] = { "running", "halted", "shut down", "waiting for SIPI" };
    unsigned long id = strtoul(text, NULL, 16);
    char line[128];

    if (id < 1 || id > g->machine->cpu_count) {
        return "E01";
    }
    const struct cpu *c = g->machine->cpu[id - 1];
    int n = snprintf(line, sizeof line, "cpu%u %s, ring %u%s", c->index, activity[c->activity & 3], cpu_cpl(c),
                     c->nonroot ? ", VMX non-root" : "");
    gdb_hex_to(g->reply, line, (size_t)n);
    return g->reply;
}

/* `monitor TEXT`: console output in pieces, then the answer. */
static const char *monitor(struct gdb *g, const char *hex)
{
    char command[MONITOR_COMMAND_MAX] = { 0 }, *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        return "E0c"; /* ENOMEM */
    }
    gdb_hex_from(command, sizeof command - 1, hex);
    gdb_monitor(g, command, out);
    fclose(out);
    for (size_t at = 0; at < size; at += OUTPUT_PIECE) {
        size_t piece = size - at < OUTPUT_PIECE ? size - at : OUTPUT_PIECE;
        g->reply[0] = 'O';
        gdb_hex_to(g->reply + 1, text + at, piece);
        gdb_send_text(&g->connection, g->reply);
    }
    free(text);
    return "OK";
}

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static const char *query(struct gdb *g, const char *text)
{
    if (begins(text, "qSupported")) {
        snprintf(g->reply, sizeof g->reply, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;hwbreak+;vContSupported+", GDB_PACKET_MAX);
        return g->reply;
    }
    if (begins(text, "qXfer:features:read:target.xml:")) {
        return describe_target(g, text + strlen("qXfer:features:read:target.xml:"));
    }
    if (begins(text, "qfThreadInfo")) {
        return list_threads(g);
    }
    if (begins(text, "qThreadExtraInfo,")) {
        return describe_thread(g, text + strlen("qThreadExtraInfo,"));
    }
    if (begins(text, "qRcmd,")) {
        return monitor(g, text + strlen("qRcmd,"));
    }
    if (!strcmp(text, "qC")) {
        snprintf(g->reply, sizeof g->reply, "QC%x", g->current + 1);
        return g->reply;
    }
    return !strcmp(text, "qsThreadInfo") ? "l" : !strcmp(text, "qAttached") ? "1" : "";
}

/* --- one stop ----------------------------------------------------------------------------------------- */

static const char *select_thread(struct gdb *g, const char *text)
{
    long id = strtol(text + 2, NULL, 16);

    if (text[1] == 'g' && id >= 1 && id <= (long)g->machine->cpu_count) {
        g->current = (unsigned)id - 1;
    }
    return id <= (long)g->machine->cpu_count ? "OK" : "E01";
}

/* vCont;ACTION[:THREAD]...: the first step found is done, all else goes on: time is one for all processors. */
static void continue_threads(struct gdb *g, const char *text)
{
    uint64_t first = 0, end = 0;
    int step = -1;

    for (const char *at = strchr(text, ';'); at && step < 0; at = strchr(at + 1, ';')) {
        char action = at[1], *rest = (char *)(uintptr_t)at + 1;
        if (action == 'r') { /* rFIRST,END */
            first = strtoull(at + 2, &rest, 16);
            end = *rest == ',' ? strtoull(rest + 1, &rest, 16) : 0;
        }
        if (action == 's' || action == 'S' || action == 'r') {
            const char *colon = strpbrk(rest, ":;");
            long id = colon && *colon == ':' ? strtol(colon + 1, NULL, 16) : ALL_THREADS;
            step = id >= 1 && id <= (long)g->machine->cpu_count ? (int)id - 1 : (int)g->current;
        }
    }
    step_only(g, step);
    g->range_first = first;
    g->range_end = end;
}

static void hang_up(struct gdb *g)
{
    if (g->connection.fd >= 0) {
        close(g->connection.fd);
    }
    g->connection.fd = -1;
}

/* The answer, or NULL: the machine goes on. */
const char *gdb_command(struct gdb *g, const char *text)
{
    switch (text[0]) {
    case 'g': return read_registers(g);
    case 'G': return write_registers(g, text + 1);
    case 'p': return read_register(g, text + 1);
    case 'P': return write_register(g, text + 1);
    case 'm': return read_memory(g, text + 1);
    case 'M': return write_memory(g, text + 1);
    case 'z': case 'Z': return gdb_points_command(g, text);
    case 'q': return query(g, text);
    case 'H': return select_thread(g, text);
    case 'T': return strtoul(text + 1, NULL, 16) - 1 < g->machine->cpu_count ? "OK" : "E01";
    case '?': snprintf(g->reply, sizeof g->reply, "T%02xthread:%x;", GDB_SIGNAL_TRAP, g->current + 1); return g->reply;
    case 'c': case 'C': step_only(g, -1); return NULL;
    case 's': case 'S': step_only(g, (int)g->current); return NULL;
    case 'D': gdb_send_text(&g->connection, "OK"); hang_up(g); return NULL;
    case 'k': g->killed = true; hang_up(g); return NULL;
    default: break;
    }
    if (!strcmp(text, "QStartNoAckMode")) {
        gdb_send_text(&g->connection, "OK");
        g->connection.acknowledge = false;
        return "";
    }
    if (!strcmp(text, "vCont?")) {
        return "vCont;c;C;s;S;r";
    }
    if (begins(text, "vCont;")) {
        continue_threads(g, text);
        return NULL;
    }
    return "";
}

static void answer(struct gdb *g, bool *go)
{
    bool silent = !strcmp(g->connection.packet, "QStartNoAckMode");
    const char *text = gdb_command(g, g->connection.packet);

    if (!text) {
        *go = true;
    } else if (!silent) {
        gdb_send_text(&g->connection, text);
    }
}

/* The machine stands still until the debugger lets it go. 'why': NULL before anybody asked. */
void gdb_serve(struct gdb *g, unsigned cpu, int signal_number, const char *why)
{
    bool go = false;

    g->current = cpu;
    if (why) {
        char stop[64];
        snprintf(stop, sizeof stop, "T%02xthread:%x;%s", signal_number, cpu + 1, why);
        gdb_send_text(&g->connection, stop);
    }
    while (!go) {
        enum gdb_input input = gdb_receive(&g->connection, -1);
        if (input == GDB_GONE) {
            break;
        }
        if (input == GDB_PACKET) {
            answer(g, &go);
        }
    }
    remember_leaving(g, g->machine->cpu[cpu]);
    if (g->connection.fd < 0) {
        forget_debugger(g);
    }
    if (g->killed) {
        machine_request_stop(g->machine, STOP_REQUESTED, 0, "the debugger ended the run");
    }
}

/* --- life -------------------------------------------------------------------------------------------------- */

struct gdb *gdb_new(struct machine *m)
{
    struct gdb *g = calloc(1, sizeof *g);

    if (!g) {
        return NULL;
    }
    g->machine = m;
    g->step = g->listener = g->connection.fd = -1;
    g->description = gdb_target_description();
    if (!g->description) {
        free(g);
        return NULL;
    }
    return g;
}

static bool open_listener(struct gdb *g, unsigned long port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int yes = 1;

    g->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return g->listener >= 0 && setsockopt(g->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
           bind(g->listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(g->listener, 1) == 0;
}

struct gdb *gdb_listen(struct machine *m, const char *where, char *error, size_t error_size)
{
    char *end;
    unsigned long port = where[0] == ':' ? strtoul(where + 1, &end, 10) : 65536;

    if (where[0] != ':' || end == where + 1 || *end || port > 65535) {
        snprintf(error, error_size, "--gdb %s: want :PORT, e.g. :1234", where);
        return NULL;
    }
    struct gdb *g = gdb_new(m);
    if (!g || !open_listener(g, port)) {
        snprintf(error, error_size, "--gdb %s: cannot listen: %s", where, strerror(errno));
        gdb_close(g, 0);
        return NULL;
    }
    return g;
}

unsigned gdb_port(const struct gdb *g)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    return getsockname(g->listener, (struct sockaddr *)&address, &size) < 0 ? 0 : ntohs(address.sin_port);
}

static bool take_connection(struct gdb *g, int milliseconds)
{
    struct pollfd p = { .fd = g->listener, .events = POLLIN };

    if (poll(&p, 1, milliseconds) <= 0) {
        return false;
    }
    g->connection.fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC);
    g->connection.acknowledge = true;
    g->connection.have = 0;
    return g->connection.fd >= 0;
}

bool gdb_wait(struct gdb *g, bool (*interrupted)(void))
{
    while (!take_connection(g, 100)) {
        if (interrupted()) {
            return false;
        }
    }
    arm(g);
    gdb_serve(g, 0, GDB_SIGNAL_TRAP, NULL);
    return !g->killed;
}

bool gdb_poll(struct gdb *g)
{
    if (g->connection.fd < 0 && take_connection(g, 0)) {
        arm(g);
        gdb_serve(g, 0, GDB_SIGNAL_TRAP, NULL);
    } else if (g->connection.fd >= 0) {
        switch (gdb_receive(&g->connection, 0)) {
        case GDB_BREAK: gdb_serve(g, g->current, GDB_SIGNAL_INT, ""); break;
        case GDB_GONE: forget_debugger(g); break;
        default: break; /* nothing is asked of a running machine */
        }
    }
    return !g->killed;
}

void gdb_close(struct gdb *g, int exit_status)
{
    char text[8];

    if (!g) {
        return;
    }
    if (g->connection.fd >= 0) {
        snprintf(text, sizeof text, "W%02x", exit_status & 0xff);
        gdb_send_text(&g->connection, text);
        if (g->connection.fd >= 0) {
            close(g->connection.fd);
        }
    }
    g->connection.fd = -1;
    forget_debugger(g);
    if (g->listener >= 0) {
        close(g->listener);
    }
    free(g->description);
    free(g);
}
