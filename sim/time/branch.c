/* Branch prediction: gshare, a table of targets, a return stack. */
#include "sim/time/model.h"
#include "spec_timing_core.h"

static bool
predict_direction(struct predictor *p, uint64_t rip, bool taken)
{
    uint8_t *counter = &p->counter[(rip ^ p->history << 2) & (PREDICTOR_ENTRIES - 1)];
    bool right = (*counter >= 2) == taken;
    if (taken && *counter < 3)
        ++*counter;
    if (!taken && *counter > 0)
        --*counter;
    p->history = p->history << 1 | taken;
    return right;
}

static bool
predict_target(struct predictor *p, uint64_t rip, uint64_t target)
{
    uint64_t *known = &p->target[(rip ^ rip >> 11 ^ p->history << 3) & (TARGET_ENTRIES - 1)];
    bool right = *known == target;
    *known = target;
    return right;
}

static bool
predict_return(struct predictor *p, uint64_t target)
{
    p->return_top = (p->return_top + RETURN_ENTRIES - 1) % RETURN_ENTRIES;
    return p->return_to[p->return_top] == target;
}

void
time_branch(struct cpu *c, uint64_t rip, uint64_t target, enum branch_kind kind, bool taken)
{
    struct predictor *p = &c->time->predictor;
    bool right = true;
    switch (kind) {
    case BRANCH_CONDITIONAL: right = predict_direction(p, rip, taken); break;
    case BRANCH_DIRECT: break;
    case BRANCH_INDIRECT: right = predict_target(p, rip, target); break;
    case BRANCH_RETURN: right = predict_return(p, target); break;
    }
    if (!right) {
        c->time->events[TIME_MISPREDICTS]++;
        time_pay(c, time_bucket(c), (uint64_t)CORE_MISPREDICT_CYCLES << TIME_UNIT_SHIFT);
    }
}

void
time_call(struct cpu *c, uint64_t return_to)
{
    struct predictor *p = &c->time->predictor;
    p->return_to[p->return_top] = return_to;
    p->return_top = (p->return_top + 1) % RETURN_ENTRIES;
}
