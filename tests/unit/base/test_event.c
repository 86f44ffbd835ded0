/* Claims about the event queue: order by (due, arming), exactly once each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/base/event.h"
#include "sim/base/state.h"

enum { EVENTS = 200, LOG_MAX = 4096 };

struct log {
    unsigned count;
    unsigned id[LOG_MAX];
    uint64_t when[LOG_MAX];
};

struct item {
    struct event event;
    struct log *log;
    unsigned id;
};

static void
item_fire(void *ctx, uint64_t now)
{
    struct item *x = ctx;
    if (x->log->count < LOG_MAX) {
        x->log->id[x->log->count] = x->id;
        x->log->when[x->log->count] = now;
    }
    x->log->count++;
}

static void
items_init(struct item *item, struct log *log)
{
    for (unsigned i = 0; i < EVENTS; i++) {
        item[i] = (struct item){ .log = log, .id = i };
        event_init(&item[i].event, item_fire, &item[i]);
    }
}

/* A small generator of our own: the test must not depend on the C library's. */
static uint32_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

/* The model: a plain array, searched for the smallest (due, order). */
struct model {
    uint64_t due[EVENTS];
    uint64_t order[EVENTS];
    uint64_t next_order;
};

static unsigned
model_first(const struct model *m)
{
    unsigned best = EVENTS;
    for (unsigned i = 0; i < EVENTS; i++) {
        if (m->due[i] != EVENT_NEVER &&
            (best == EVENTS || m->due[i] < m->due[best] ||
             (m->due[i] == m->due[best] && m->order[i] < m->order[best]))) {
            best = i;
        }
    }
    return best;
}

static void
check_run(struct event_queue *q, struct model *m, struct log *log, uint64_t now)
{
    log->count = 0;
    event_queue_run(q, now);
    for (unsigned n = 0; n < log->count; n++) {
        unsigned first = model_first(m);
        assert_true(first < EVENTS && m->due[first] <= now);
        assert_int_equal(log->id[n], first);
        assert_int_equal(log->when[n], m->due[first]);
        m->due[first] = EVENT_NEVER;
    }
    unsigned first = model_first(m);
    assert_true(first == EVENTS || m->due[first] > now);
    assert_true(event_queue_next_due(q) == (first == EVENTS ? EVENT_NEVER : m->due[first]));
}

static void
fires_in_the_order_of_due_then_arming(void **unused)
{
    (void)unused;
    static struct item item[EVENTS];
    static struct log log;
    static struct model model;
    struct event_queue *q = event_queue_new();
    items_init(item, &log);
    for (unsigned i = 0; i < EVENTS; i++) {
        model.due[i] = EVENT_NEVER;
    }
    uint64_t seed = 1, now = 0;
    for (unsigned step = 0; step < 50000; step++) {
        unsigned i = next_random(&seed) % EVENTS;
        switch (next_random(&seed) % 8) {
        case 0:
            event_cancel(q, &item[i].event);
            model.due[i] = EVENT_NEVER;
            break;
        case 1:
            now += next_random(&seed) % 20;
            check_run(q, &model, &log, now);
            break;
        default: /* few distinct cycles, so that ties are common */
            model.due[i] = now + next_random(&seed) % 30;
            model.order[i] = model.next_order++;
            event_arm(q, &item[i].event, model.due[i]);
            break;
        }
    }
    check_run(q, &model, &log, now + 100);
    event_queue_free(q);
}

struct chain {
    struct event event;
    struct event_queue *queue;
    unsigned left;
};

static void
chain_fire(void *ctx, uint64_t now)
{
    struct chain *c = ctx;
    if (c->left) {
        c->left--;
        event_arm(c->queue, &c->event, now);
    }
}

static void
what_a_fired_event_arms_for_now_fires_too(void **unused)
{
    (void)unused;
    struct chain c = { .queue = event_queue_new(), .left = 5 };
    event_init(&c.event, chain_fire, &c);
    event_arm(c.queue, &c.event, 10);
    event_queue_run(c.queue, 9);
    assert_int_equal(c.left, 5);
    event_queue_run(c.queue, 10);
    assert_int_equal(c.left, 0);
    assert_false(event_is_armed(&c.event));
    event_queue_free(c.queue);
}

static void
visit(struct event_queue *q, struct item *item, struct state *s)
{
    event_queue_state(q, s);
    for (unsigned i = 0; i < EVENTS; i++) {
        event_state(q, &item[i].event, s);
    }
}

static void
a_loaded_queue_fires_as_the_saved_one(void **unused)
{
    (void)unused;
    static struct item a[EVENTS], b[EVENTS];
    static struct log log_a, log_b;
    struct event_queue *qa = event_queue_new(), *qb = event_queue_new();
    items_init(a, &log_a);
    items_init(b, &log_b);
    uint64_t seed = 7;
    for (unsigned n = 0; n < 3 * EVENTS; n++) {
        event_arm(qa, &a[next_random(&seed) % EVENTS].event, next_random(&seed) % 40);
        event_arm(qb, &b[next_random(&seed) % EVENTS].event, next_random(&seed) % 40);
    }
    struct state *s = state_new_save();
    visit(qa, a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size); /* over a queue that holds something else */
    visit(qb, b, s);
    assert_null(state_load_end(s));
    event_queue_run(qa, 100);
    event_queue_run(qb, 100);
    assert_int_equal(log_a.count, log_b.count);
    assert_true(log_a.count > EVENTS / 2);
    for (unsigned i = 0; i < log_a.count; i++) {
        assert_int_equal(log_a.id[i], log_b.id[i]);
        assert_int_equal(log_a.when[i], log_b.when[i]);
    }
    event_queue_free(qa);
    event_queue_free(qb);
    free(bytes);
}

static void
a_loaded_event_from_the_future_is_refused(void **unused)
{
    (void)unused;
    uint64_t bad[3] = { 5 /* counter */, 100 /* due */, 5 /* sequence, never given out */ };
    struct item item = { 0 };
    event_init(&item.event, item_fire, &item);
    struct event_queue *q = event_queue_new();
    struct state *s = state_new_load((const uint8_t *)bad, sizeof bad);
    event_queue_state(q, s);
    event_state(q, &item.event, s);
    char *message = state_load_end(s);
    assert_non_null(message);
    assert_true(event_queue_next_due(q) == EVENT_NEVER);
    free(message);
    event_queue_free(q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_the_order_of_due_then_arming),
        cmocka_unit_test(what_a_fired_event_arms_for_now_fires_too),
        cmocka_unit_test(a_loaded_queue_fires_as_the_saved_one),
        cmocka_unit_test(a_loaded_event_from_the_future_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
