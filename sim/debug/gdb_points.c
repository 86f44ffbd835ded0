/* Breakpoints and watchpoints: Z and z packets; see gdb.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/debug/gdb_priv.h"
#include "sim/mem/mem.h"

/* Room for one more; false: no host memory. */
static bool grow(void **list, unsigned count, size_t size)
{
    void *more = count & (count - 1) ? *list : realloc(*list, (count ? 2 * (size_t)count : 1) * size);

    *list = more ? more : *list;
    return more != NULL;
}

/* --- breakpoints ------------------------------------------------------------------------ */

static void on_breakpoint(void *ctx, struct cpu *c)
{
    struct gdb *g = ctx;
    uint64_t here = core_fetch_linear(c);

    if (g->connection.fd < 0 || gdb_just_left(g, c)) {
        return;
    }
    for (unsigned i = 0; i < g->breakpoint_count; i++) {
        if (g->breakpoint[i].linear == here) {
            gdb_serve(g, c->index, GDB_SIGNAL_TRAP, "hwbreak:;");
            return;
        }
    }
}

/* One linear address may be several places in memory, in several address spaces: each gets an entry when it is seen. */
static struct gdb_breakpoint *find_breakpoint(struct gdb *g, uint64_t linear, bool mapped, uint64_t spa)
{
    for (unsigned i = 0; i < g->breakpoint_count; i++) {
        struct gdb_breakpoint *b = &g->breakpoint[i];
        if (b->linear == linear && b->mapped == mapped && (!mapped || b->spa == spa)) {
            return b;
        }
    }
    return NULL;
}

static struct gdb_breakpoint *add_breakpoint(struct gdb *g, uint64_t linear)
{
    void *list = g->breakpoint;
    bool room = grow(&list, g->breakpoint_count, sizeof *g->breakpoint);

    g->breakpoint = list;
    if (!room) {
        return NULL;
    }
    struct gdb_breakpoint *b = &g->breakpoint[g->breakpoint_count++];
    *b = (struct gdb_breakpoint){ .linear = linear };
    return b;
}

static void map_breakpoint(struct gdb *g, struct gdb_breakpoint *b, uint64_t spa)
{
    b->mapped = true;
    b->spa = spa;
    core_observe_entry(g->machine, spa, on_breakpoint, g);
}

static bool observed_elsewhere(const struct gdb *g, const struct gdb_breakpoint *but)
{
    for (unsigned i = 0; i < g->breakpoint_count; i++) {
        const struct gdb_breakpoint *b = &g->breakpoint[i];
        if (b != but && b->mapped && b->spa == but->spa) {
            return true;
        }
    }
    return false;
}

static void unmap_breakpoint(struct gdb *g, struct gdb_breakpoint *b)
{
    if (b->mapped && !observed_elsewhere(g, b)) {
        core_observe_entry(g->machine, b->spa, NULL, NULL);
    }
    b->mapped = false;
}

/* A page of code was translated anew: breakpoints in it may be somewhere else, too. */
void gdb_points_translated(void *ctx, struct cpu *c, uint64_t linear, uint64_t spa)
{
    struct gdb *g = ctx;

    (void)c;
    for (unsigned i = 0, count = g->breakpoint_count; i < count; i++) {
        uint64_t at = g->breakpoint[i].linear, here = (spa & ~0xfffull) | (at & 0xfff);
        if ((at ^ linear) >> 12 || find_breakpoint(g, at, true, here)) {
            continue;
        }
        struct gdb_breakpoint *b = find_breakpoint(g, at, false, 0);
        b = b ? b : add_breakpoint(g, at);
        if (b) {
            map_breakpoint(g, b, here);
        }
    }
}

static void remove_breakpoint(struct gdb *g, uint64_t linear)
{
    for (unsigned i = g->breakpoint_count; i-- > 0;) {
        if (g->breakpoint[i].linear == linear) {
            unmap_breakpoint(g, &g->breakpoint[i]);
            g->breakpoint[i] = g->breakpoint[--g->breakpoint_count];
        }
    }
}

static bool insert_breakpoint(struct gdb *g, uint64_t linear)
{
    uint64_t spa;

    remove_breakpoint(g, linear);
    struct gdb_breakpoint *b = add_breakpoint(g, linear);
    if (b && cpu_translate_peek(gdb_current(g), linear, &spa) && mem_ram(g->machine->mem, spa)) {
        map_breakpoint(g, b, spa);
    }
    return b != NULL;
}

/* --- watchpoints ------------------------------------------------------------------------- */

static void watches_changed(struct gdb *g)
{
    for (unsigned i = 0; i < g->machine->cpu_count; i++) {
        core_debug_watch(g->machine->cpu[i], g->watch, g->watch_count);
    }
}

void gdb_points_accessed(void *ctx, struct cpu *c, const struct core_watch_hit *hit)
{
    struct gdb *g = ctx;
    const struct core_watch *w = &g->watch[hit->watch];
    char why[64];

    if (g->connection.fd >= 0) {
        snprintf(why, sizeof why, "%s:%" PRIx64 ";", !w->on_read ? "watch" : w->on_write ? "awatch" : "rwatch", hit->linear);
        gdb_serve(g, c->index, GDB_SIGNAL_TRAP, why);
    }
}

static bool watch_equal(const struct core_watch *a, const struct core_watch *b)
{
    return a->first == b->first && a->last == b->last && a->on_read == b->on_read && a->on_write == b->on_write;
}

static const char *watch_command(struct gdb *g, bool insert, const struct core_watch *watch)
{
    unsigned i = 0;

    while (i < g->watch_count && !watch_equal(&g->watch[i], watch)) {
        i++;
    }
    if (insert && i == g->watch_count) {
        void *list = g->watch;
        bool room = grow(&list, g->watch_count, sizeof *g->watch);
        g->watch = list;
        if (!room) {
            return "E0c"; /* ENOMEM */
        }
        g->watch[g->watch_count++] = *watch;
    } else if (!insert && i < g->watch_count) {
        g->watch[i] = g->watch[--g->watch_count];
    }
    watches_changed(g);
    return "OK";
}

/* --- packets ------------------------------------------------------------------------------ */

/* Z0,addr,kind and Z1: the same here.  Z2 write, Z3 read, Z4 access: addr,bytes. */
const char *gdb_points_command(struct gdb *g, const char *text)
{
    char type = text[1], *end;
    bool insert = text[0] == 'Z';

    if (type < '0' || type > '4' || text[2] != ',') {
        return "";
    }
    uint64_t linear = strtoull(text + 3, &end, 16), size = *end == ',' ? strtoull(end + 1, NULL, 16) : 0;
    if (end == text + 3) {
        return "E16"; /* EINVAL */
    }
    if (type >= '2') {
        if (size == 0 || size - 1 > UINT64_MAX - linear) {
            return "E16";
        }
        return watch_command(g, insert, &(struct core_watch){ linear, linear + size - 1, type != '2', type != '3' });
    }
    if (insert) {
        return insert_breakpoint(g, linear) ? "OK" : "E0c";
    }
    remove_breakpoint(g, linear);
    return "OK";
}

void gdb_points_forget(struct gdb *g)
{
    while (g->breakpoint_count) {
        unmap_breakpoint(g, &g->breakpoint[--g->breakpoint_count]);
    }
    g->watch_count = 0;
    watches_changed(g);
    free(g->breakpoint);
    free(g->watch);
    g->breakpoint = NULL;
    g->watch = NULL;
}
