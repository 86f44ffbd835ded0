/* What watches a processor from outside: hooks around blocks, debuggers, entry observers. */
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core.h"
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

void core_observe_entry(struct machine *m, uint64_t spa, core_observer_fn *fn, void *ctx)
{
    code_cache_observe(m, spa, fn, ctx);
}
