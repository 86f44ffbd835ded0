/* The event queue: a binary heap of borrowed events; see event.h. */
#include "sim/base/event.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/base/state.h"

struct event_queue {
    struct event **heap;    /* heap[1..count]; heap[i] knows its i */
    uint32_t count;
    uint32_t capacity;      /* entries allocated, index 0 included */
    uint64_t next_sequence; /* given to the next arming */
    void (*armed)(void *ctx, uint64_t due); /* or NULL */
    void *armed_ctx;
};

void
event_init(struct event *e, void (*fire)(void *ctx, uint64_t now), void *ctx)
{
    *e = (struct event){ .fire = fire, .ctx = ctx, .due = EVENT_NEVER };
}

struct event_queue *
event_queue_new(void)
{
    return calloc(1, sizeof(struct event_queue));
}

void
event_queue_free(struct event_queue *q)
{
    if (q) {
        free(q->heap);
        free(q);
    }
}

static bool
before(const struct event *a, const struct event *b)
{
    return a->due != b->due ? a->due < b->due : a->sequence < b->sequence;
}

static void
place(struct event_queue *q, uint32_t index, struct event *e)
{
    q->heap[index] = e;
    e->heap_index = index;
}

static void
sift_up(struct event_queue *q, struct event *e, uint32_t index)
{
    while (index > 1 && before(e, q->heap[index / 2])) {
        place(q, index, q->heap[index / 2]);
        index /= 2;
    }
    place(q, index, e);
}

static void
sift_down(struct event_queue *q, struct event *e, uint32_t index)
{
    for (;;) {
        uint32_t child = 2 * index;
        if (child > q->count) {
            break;
        }
        if (child < q->count && before(q->heap[child + 1], q->heap[child])) {
            child++;
        }
        if (!before(q->heap[child], e)) {
            break;
        }
        place(q, index, q->heap[child]);
        index = child;
    }
    place(q, index, e);
}

static void
heap_insert(struct event_queue *q, struct event *e)
{
    if (q->count + 1 >= q->capacity) {
        uint32_t capacity = q->capacity ? 2 * q->capacity : 64;
        struct event **heap = realloc(q->heap, capacity * sizeof *heap);
        if (!heap) {
            fputs("hvlab: out of memory for the event queue\n", stderr);
            abort();
        }
        q->heap = heap;
        q->capacity = capacity;
    }
    q->count++;
    sift_up(q, e, q->count);
}

static void
heap_remove(struct event_queue *q, struct event *e)
{
    uint32_t index = e->heap_index;
    assert(index >= 1 && index <= q->count && q->heap[index] == e);
    struct event *last = q->heap[q->count--];
    e->heap_index = 0;
    if (last == e) {
        return;
    }
    if (index > 1 && before(last, q->heap[index / 2])) {
        sift_up(q, last, index);
    } else {
        sift_down(q, last, index);
    }
}

void
event_arm(struct event_queue *q, struct event *e, uint64_t due)
{
    assert(e->fire && due != EVENT_NEVER);
    event_cancel(q, e);
    e->due = due;
    e->sequence = q->next_sequence++;
    heap_insert(q, e);
    if (q->armed) {
        q->armed(q->armed_ctx, due);
    }
}

void
event_queue_set_watch(struct event_queue *q, void (*armed)(void *ctx, uint64_t due), void *ctx)
{
    q->armed = armed;
    q->armed_ctx = ctx;
}

void
event_cancel(struct event_queue *q, struct event *e)
{
    if (event_is_armed(e)) {
        heap_remove(q, e);
        e->due = EVENT_NEVER;
        e->sequence = 0;
    }
}

uint64_t
event_queue_next_due(const struct event_queue *q)
{
    return q->count ? q->heap[1]->due : EVENT_NEVER;
}

void
event_queue_run(struct event_queue *q, uint64_t now)
{
    while (q->count && q->heap[1]->due <= now) {
        struct event *e = q->heap[1];
        uint64_t due = e->due;
        event_cancel(q, e);
        e->fire(e->ctx, due);
    }
}

/* --- state ------------------------------------------------------------------ */

void
event_queue_state(struct event_queue *q, struct state *s)
{
    if (state_is_load(s)) { /* every owner re-arms what was saved as armed */
        while (q->count) {
            event_cancel(q, q->heap[q->count]);
        }
    }
    STATE_VISIT(s, q->next_sequence);
}

void
event_state(struct event_queue *q, struct event *e, struct state *s)
{
    uint64_t due = e->due;
    uint64_t sequence = e->sequence;
    STATE_VISIT(s, due);
    STATE_VISIT(s, sequence);
    if (!state_is_load(s) || state_failed(s)) {
        return;
    }
    if (due != EVENT_NEVER && sequence >= q->next_sequence) {
        state_fail(s, "an event's order %llu is beyond the queue's counter",
                   (unsigned long long)sequence);
        return;
    }
    event_cancel(q, e);
    if (due != EVENT_NEVER) {
        e->due = due;
        e->sequence = sequence;
        heap_insert(q, e);
    }
}
