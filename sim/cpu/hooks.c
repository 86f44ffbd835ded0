/* What watches a processor from outside: hooks around blocks, debuggers, entry observers. */
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/machine.h"

/* --- hooks ---------------------------------------------------------------------------------------------- */

void core_hooks_set(struct cpu *c, const struct core_hooks *hooks)
{
    struct core *core = c->core;

    core->hooks = hooks ? *hooks : (struct core_hooks){ 0 };
    core->chain = core->hooks.every == 0;
    core->blocks = 0;
    core->stamp_epoch = 0; /* pick the stamp again */
    code_cache_drop_all(c->machine);
}

void core_debug_set(struct cpu *c, const struct core_debug *debug)
{
    c->core->debug = debug ? *debug : (struct core_debug){ 0 };
    c->core->stepping = false;
    code_cache_drop_all(c->machine);
}

unsigned core_peek_code(struct cpu *c, uint64_t linear, uint8_t bytes[CORE_CODE_MAX])
{
    unsigned have = 0;

    while (have < CORE_CODE_MAX && cpu_peek(c, linear + have, bytes + have, 1)) {
        have++;
    }
    return have;
}

void core_debug_step(struct cpu *c, bool on)
{
    c->core->stepping = on;
    cpu_attend(c, 0);
}

/* --- watched memory ---------------------------------------------------------------------------------------- */

void core_debug_watch(struct cpu *c, const struct core_watch *watch, unsigned count)
{
    c->core->watch = watch;
    c->core->watch_count = count;
    c->watched = count != 0;
    mmu_watches_changed(c);
}

bool core_watch_in_page(const struct cpu *c, uint64_t linear)
{
    uint64_t first = linear & ~0xfffull, last = linear | 0xfff;

    for (unsigned i = 0; i < c->core->watch_count; i++) {
        if (c->core->watch[i].first <= last && first <= c->core->watch[i].last) {
            return true;
        }
    }
    return false;
}

void core_watch_access(struct cpu *c, uint64_t linear, unsigned size, bool read, bool write)
{
    struct core *core = c->core;
    uint64_t last = linear + size - 1;

    for (unsigned i = 0; i < core->watch_count && !core->watch_met; i++) {
        const struct core_watch *w = &core->watch[i];
        if (((read && w->on_read) || (write && w->on_write)) && linear <= w->last && w->first <= last) {
            core->watch_hit = (struct core_watch_hit){ linear > w->first ? linear : w->first, i, write };
            core->watch_met = core->leave = true; /* not an event of the machine: nothing pauses for it */
        }
    }
}

void core_watch_settle(struct cpu *c, enum exec_result result)
{
    struct core *core = c->core;
    bool met = core->watch_met;

    core->watch_met = false;
    if (met && core->debug.accessed && (result == EXEC_OK || result == EXEC_JUMP || result == EXEC_REPEAT)) {
        core->debug.accessed(core->debug.ctx, c, &core->watch_hit);
    }
}

void core_observe_entry(struct machine *m, uint64_t spa, core_observer_fn *fn, void *ctx)
{
    code_cache_observe(m, spa, fn, ctx);
}
