/* What fuzz targets of whole machines share: time passes, and what was saved loads to the same hash. */
#ifndef TESTS_FUZZ_FUZZ_MACHINE_H
#define TESTS_FUZZ_FUZZ_MACHINE_H

#include <stdint.h>
#include <stdlib.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"

/* Fires up to 'steps' events, each at its time. */
static inline void
fuzz_pass_time(struct machine *m, unsigned steps)
{
    while (steps-- && event_queue_next_due(m->events) != EVENT_NEVER) {
        m->now = event_queue_next_due(m->events);
        event_queue_run(m->events, m->now);
    }
}

/* Loads the state of 'm' into 'twin', which has the same configuration and parts; aborts when it is not the same then. */
static inline void
fuzz_load_into(struct machine *m, struct machine *twin)
{
    uint8_t *bytes;
    size_t size;
    struct state *s = state_new_save();
    machine_state(m, s);
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(twin, s);
    if (state_load_end(s) || machine_hash(m) != machine_hash(twin)) {
        abort();
    }
    free(bytes);
}

#endif
