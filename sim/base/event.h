/* The machine's one event queue, ordered by (cycle, sequence number).
 *
 * A device embeds `struct event` and arms it for an absolute machine cycle.
 * Firing order is by due cycle, then by the order of arming, so it depends on
 * nothing but the simulation.  An event fires once; arming an armed event
 * moves it (and gives it a new sequence number).
 *
 * Saving: the owner visits its event with event_state(); the queue rebuilds
 * itself from armed events after a load.
 */
#ifndef SIM_BASE_EVENT_H
#define SIM_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct state;
struct event_queue; /* owned by struct machine */

#define EVENT_NEVER UINT64_MAX

struct event {
    void (*fire)(void *ctx, uint64_t now); /* called with the due cycle */
    void *ctx;                             /* passed to fire */
    uint64_t due;                          /* [cycle]; EVENT_NEVER = idle */
    uint64_t sequence;                     /* order among equal due cycles */
    uint32_t heap_index;                   /* place in the heap, 1-based */
};

void event_init(struct event *, void (*fire)(void *ctx, uint64_t now),
                void *ctx);
void event_arm(struct event_queue *, struct event *, uint64_t due);
void event_cancel(struct event_queue *, struct event *);
static inline bool event_is_armed(const struct event *e)
{
    return e->due != EVENT_NEVER;
}

struct event_queue *event_queue_new(void);
void event_queue_free(struct event_queue *);
uint64_t event_queue_next_due(const struct event_queue *); /* or EVENT_NEVER */
/* Fires everything due at or before 'now', in order, including what the fired
 * events arm for 'now'. */
void event_queue_run(struct event_queue *, uint64_t now);
/* Told of every arming, after it; the machine shortens its round with it. */
void event_queue_set_watch(struct event_queue *, void (*armed)(void *ctx, uint64_t due), void *ctx);
/* Visits an event; on load it is re-armed with its saved order. */
void event_state(struct event_queue *, struct event *, struct state *);
/* Visits the queue's own counter (call before the events). */
void event_queue_state(struct event_queue *, struct state *);

#endif
