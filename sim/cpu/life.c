/* A processor begins, is reset, saved and loaded, and ends. */
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core.h"
#include "sim/cpu/jit/jit.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/system/system.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"

static bool core_new(struct cpu *c)
{
    struct core *core = calloc(1, sizeof *core);

    c->core = core;
    c->jump = calloc(JUMP_ENTRIES, sizeof *c->jump);
    if (!core || !c->jump || !timing_cpu_new(c)) {
        return false;
    }
    if (!c->bucket_cycles) {
        c->bucket_cycles = core->own_buckets = calloc(BUCKET_MAX, sizeof *core->own_buckets);
    }
    core_forget_jumps(c);
    core->jit = code_cache_jit(c->machine->code);
    core->chain = true;
    core->bucket = BUCKET_OTHER;
    core->timed = c->machine->timing != NULL;
    return c->bucket_cycles != NULL;
}

struct cpu *cpu_new(struct machine *m, unsigned index)
{
    struct cpu *c = aligned_alloc(64, (sizeof *c + 63) & ~63ul);

    if (!c) {
        return NULL;
    }
    memset(c, 0, sizeof *c);
    c->machine = m;
    c->index = index;
    c->now = m->now;
    if (!code_cache_open(m) || !core_new(c) || !mmu_new(c) || !apic_new(c) || (m->vtx && !m->vtx->cpu_new(c))) {
        cpu_free(c);
        return NULL;
    }
    ieee_assert_host();
    cpu_reset(c, false);
    return c;
}

void cpu_free(struct cpu *c)
{
    if (!c) {
        return;
    }
    struct machine *m = c->machine;
    bool last = true;
    if (m->vtx && c->vmx) {
        m->vtx->cpu_free(c);
    }
    apic_free(c);
    mmu_free(c);
    if (c->core && c->core->own_buckets) {
        c->bucket_cycles = NULL;
        free(c->core->own_buckets);
    }
    timing_cpu_free(c);
    free(c->jump);
    free(c->core);
    c->core = NULL;
    for (unsigned i = 0; i < MACHINE_CPUS_MAX; i++) {
        if (m->cpu[i] == c) {
            m->cpu[i] = NULL;
        }
        last = last && !m->cpu[i];
    }
    if (last) {
        code_cache_free(m);
    }
    free(c);
}

void cpu_reset(struct cpu *c, bool init)
{
    apic_reset(c, init);
    cpu_system_reset(c, init);
    mmu_reset(c);
    if (c->machine->vtx) {
        c->machine->vtx->cpu_reset(c, init);
    }
}

void cpu_state(struct cpu *c, struct state *s)
{
    cpu_system_state(c, s);
    STATE_VISIT(s, c->core->fraction);
    if (state_mode(s) == STATE_SAVE) {
        core_forget_block(c);
    }
    uint32_t bucket = c->block && c->core->timed ? c->block->bucket : c->core->bucket;
    STATE_VISIT(s, bucket);
    apic_state(c, s);
    mmu_state(c, s);
    if (c->machine->vtx) {
        c->machine->vtx->cpu_state(c, s);
    }
    if (state_mode(s) != STATE_HASH) { /* the jump cache decides when code is translated again, */
        core_forget_jumps(c);               /* so it must be as empty behind a save as behind a load */
        c->core->middle.entry = NULL;
        c->core->stamp_epoch = 0;      /* and no stamp from before may be in use */
    }
    if (state_is_load(s)) {
        memset(c->transfer, 0, sizeof c->transfer);
        c->transfer_at = 0;
        c->block = NULL;
        c->core->bucket = bucket < BUCKET_MAX ? bucket : BUCKET_OTHER;
        c->core->fraction &= (1u << TIME_UNIT_SHIFT) - 1;
        code_cache_drop_all(c->machine);
    }
}
