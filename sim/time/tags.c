/* Tag arrays: caches and TLBs without their contents. */
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/time/model.h"

bool
tags_new(struct tags *t, uint32_t sets, uint32_t ways)
{
    *t = (struct tags){ malloc(sizeof *t->tag * sets * ways), sets, ways };
    if (t->tag)
        tags_clear(t);
    return t->tag != NULL;
}

void
tags_free(struct tags *t)
{
    free(t->tag);
    t->tag = NULL;
}

void
tags_clear(struct tags *t)
{
    memset(t->tag, 0xff, sizeof *t->tag * t->sets * t->ways);
}

bool
tags_touch(struct tags *t, uint64_t key, uint64_t *evicted)
{
    uint64_t *set = t->tag + (key & (t->sets - 1)) * t->ways;
    uint32_t way = 0;
    if (set[0] == key)
        return true;
    while (way < t->ways - 1 && set[way] != key)
        way++;
    bool hit = set[way] == key;
    if (!hit && evicted)
        *evicted = set[way];
    memmove(set + 1, set, way * sizeof *set);
    set[0] = key;
    return hit;
}

bool
tags_drop(struct tags *t, uint64_t key)
{
    uint64_t *set = t->tag + (key & (t->sets - 1)) * t->ways;
    for (uint32_t way = 0; way < t->ways; way++)
        if (set[way] == key) {
            memmove(set + way, set + way + 1, (t->ways - 1 - way) * sizeof *set);
            set[t->ways - 1] = NO_LINE;
            return true;
        }
    return false;
}

bool
tags_has(const struct tags *t, uint64_t key)
{
    const uint64_t *set = t->tag + (key & (t->sets - 1)) * t->ways;
    for (uint32_t way = 0; way < t->ways; way++)
        if (set[way] == key)
            return true;
    return false;
}

void
tags_state(struct tags *t, struct state *s)
{
    state_bytes(s, t->tag, sizeof *t->tag * t->sets * t->ways);
}
