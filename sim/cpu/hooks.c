/* What watches a processor from outside: hooks around blocks, debuggers, entry observers; and stops with words. */
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core.h"
#include "sim/debug/disasm.h"
#include "sim/machine.h"

/* --- loud stops --------------------------------------------------------------------------------------- */

void core_stop_unimplemented(struct cpu *c, uint64_t linear, const char *what)
{
    uint8_t bytes[15] = { 0 };
    unsigned have = 0;
    char text[256];

    while (have < 15 && cpu_peek(c, linear + have, bytes + have, 1)) {
        have++;
    }
    disasm_once(disasm_bits(c->mode), linear, bytes, have, text, sizeof text);
    machine_request_stop(c->machine, STOP_UNIMPLEMENTED, 0, "cpu%u at rip %#llx: %s: %s", c->index,
                         (unsigned long long)c->rip, what, text);
}

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

void core_debug_step(struct cpu *c, bool on)
{
    c->core->stepping = on;
    cpu_attend(c, 0);
}

void core_observe_entry(struct machine *m, uint64_t spa, core_observer_fn *fn, void *ctx)
{
    code_cache_observe(m, spa, fn, ctx);
}
