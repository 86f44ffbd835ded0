/* Attribution: which code belongs to which bucket, and exact sums. */
#include "sim/time/timing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/machine.h"

enum { RANGES_MAX = 256, NAME_MAX_BYTES = 48 };

struct range {
    uint64_t spa, end; /* [spa, end) */
    unsigned bucket;
};

struct buckets {
    char name[BUCKET_MAX][NAME_MAX_BYTES];
    unsigned count;
    struct range range[RANGES_MAX]; /* in order of declaration; the last match wins */
    unsigned range_count;
};

struct buckets *
buckets_new(void)
{
    static const char *const fixed[BUCKET_FIXED_COUNT] = {
        [BUCKET_GUEST] = "guest", [BUCKET_IDLE] = "idle",
        [BUCKET_EXIT_ENTRY] = "exit_entry", [BUCKET_OTHER] = "other",
    };
    struct buckets *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    for (unsigned i = 0; i < BUCKET_FIXED_COUNT; i++)
        strcpy(b->name[i], fixed[i]);
    b->count = BUCKET_FIXED_COUNT;
    return b;
}

void
buckets_free(struct buckets *b)
{
    free(b);
}

static unsigned
find_or_add(struct buckets *b, const char *name)
{
    for (unsigned i = 0; i < b->count; i++)
        if (!strcmp(b->name[i], name))
            return i;
    assert(b->count < BUCKET_MAX && strlen(name) < NAME_MAX_BYTES);
    strcpy(b->name[b->count], name);
    return b->count++;
}

unsigned
bucket_add_range(struct machine *m, const char *name, uint64_t spa, uint64_t size)
{
    struct buckets *b = m->buckets;
    unsigned bucket = find_or_add(b, name);
    assert(b->range_count < RANGES_MAX);
    b->range[b->range_count++] = (struct range){ spa, spa + size, bucket };
    return bucket;
}

unsigned
bucket_of_code(const struct machine *m, uint64_t spa, bool nonroot)
{
    const struct buckets *b = m->buckets;
    for (unsigned i = b->range_count; i-- > 0;)
        if (b->range[i].spa <= spa && spa < b->range[i].end)
            return b->range[i].bucket;
    return nonroot ? BUCKET_GUEST : BUCKET_OTHER;
}

unsigned
bucket_count(const struct machine *m)
{
    return m->buckets->count;
}

const char *
bucket_name(const struct machine *m, unsigned index)
{
    assert(index < m->buckets->count);
    return m->buckets->name[index];
}

uint64_t
bucket_charged(const struct cpu *c, unsigned index)
{
    uint64_t charged = c->bucket_cycles[index];
    return c->machine->timing ? charged : charged << TIME_UNIT_SHIFT;
}

void
bucket_round(const uint64_t *sixteenths, uint64_t *cycles, unsigned count,
             uint64_t total)
{
    uint64_t sum = 0;
    bool taken[BUCKET_MAX] = { false };

    assert(count <= BUCKET_MAX);
    for (unsigned i = 0; i < count; i++)
        sum += cycles[i] = sixteenths[i] >> TIME_UNIT_SHIFT;
    for (; sum < total; sum++) {
        unsigned best = count;
        for (unsigned i = 0; i < count; i++)
            if (!taken[i] && (best == count || (sixteenths[i] & 15) > (sixteenths[best] & 15)))
                best = i;
        assert(best < count); /* the parts are within one cycle each of the total */
        taken[best] = true;
        cycles[best]++;
    }
    assert(sum == total);
}
