/* Life and state of the approximate model. */
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"

struct timing *
timing_new(struct machine *m)
{
    struct timing *t = calloc(1, sizeof *t);
    (void)m;
    if (t && tags_new(&t->l3, CORE_L3_SETS, CORE_L3_WAYS))
        return t;
    free(t);
    return NULL;
}

void
timing_free(struct timing *t)
{
    if (t)
        tags_free(&t->l3);
    free(t);
}

static bool
new_tags(struct cpu_time *t)
{
    return tags_new(&t->l1d, CORE_L1D_SETS, CORE_L1D_WAYS) && tags_new(&t->l1i, CORE_L1I_SETS, CORE_L1I_WAYS)
        && tags_new(&t->l2, CORE_L2_SETS, CORE_L2_WAYS) && tags_new(&t->dtlb, CORE_DTLB_SETS, CORE_DTLB_WAYS)
        && tags_new(&t->itlb, CORE_ITLB_SETS, CORE_ITLB_WAYS) && tags_new(&t->stlb, CORE_STLB_SETS, CORE_STLB_WAYS);
}

bool
timing_cpu_new(struct cpu *c)
{
    c->bucket_cycles = calloc(BUCKET_MAX, sizeof *c->bucket_cycles);
    if (!c->bucket_cycles)
        return false;
    if (!c->machine->timing)
        return true;
    c->time = calloc(1, sizeof *c->time);
    if (!c->time || !new_tags(c->time))
        return false;
    c->time->ram = mem_ram_base(c->machine->mem);
    memset(c->time->recent, 0xff, sizeof c->time->recent);
    memset(c->time->stream, 0xff, sizeof c->time->stream);
    memset(c->time->recent_code, 0xff, sizeof c->time->recent_code);
    return true;
}

void
timing_cpu_free(struct cpu *c)
{
    if (c->time) {
        struct cpu_time *t = c->time;
        struct tags *all[] = { &t->l1d, &t->l1i, &t->l2, &t->dtlb, &t->itlb, &t->stlb };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            tags_free(all[i]);
    }
    free(c->time);
    free(c->bucket_cycles);
    c->time = NULL;
    c->bucket_cycles = NULL;
}

uint64_t
time_event_count(const struct cpu *c, enum time_event event)
{
    return c->time ? c->time->events[event] : 0;
}

static void
cpu_time_state(struct cpu_time *t, struct state *s)
{
    struct tags *all[] = { &t->l1d, &t->l1i, &t->l2, &t->dtlb, &t->itlb, &t->stlb };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tags_state(all[i], s);
    STATE_VISIT(s, t->recent);
    STATE_VISIT(s, t->recent_code);
    STATE_VISIT(s, t->stream);
    STATE_VISIT(s, t->chased);
    STATE_VISIT(s, t->miss_at);
    STATE_VISIT(s, t->hidden);
    STATE_VISIT(s, t->hidden_at);
    STATE_VISIT(s, t->predictor.counter);
    STATE_VISIT(s, t->predictor.target);
    STATE_VISIT(s, t->predictor.history);
    STATE_VISIT(s, t->predictor.return_to);
    STATE_VISIT(s, t->predictor.return_top);
    STATE_VISIT(s, t->events);
}

/* Attribution goes on over a reset. */
static void
visit_buckets(uint64_t *cycles, struct state *s)
{
    uint64_t copy[BUCKET_MAX];
    memcpy(copy, cycles, sizeof copy);
    state_bytes(s, copy, sizeof copy);
    if (!state_is_reset(s))
        memcpy(cycles, copy, sizeof copy);
}

void
timing_state(struct machine *m, struct state *s)
{
    state_part(s, "timing");
    for (unsigned i = 0; i < m->cpu_count; i++) {
        visit_buckets(m->cpu[i]->bucket_cycles, s);
        if (m->cpu[i]->time)
            cpu_time_state(m->cpu[i]->time, s);
    }
    if (m->timing) {
        tags_state(&m->timing->l3, s);
        STATE_VISIT(s, m->timing->owner);
    }
}
