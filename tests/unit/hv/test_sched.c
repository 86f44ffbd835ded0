/* The scheduler: states, queues, fairness, preemption, migration, timers. */
#include "tests/unit/hv/test.h"

enum { CHILDREN = 3 };

/* 'n' children whose VPs run nowhere yet; the root is blocked, so that LP 0 is free. */
static void children(unsigned lps, unsigned n, struct vp **vp)
{
    world_new(lps);
    for (unsigned i = 0; i < n; i++) {
        uint64_t id;
        vp[i] = world_child(8, &id);
    }
    sched_suspend(world_root, SUSPEND_EXPLICIT);
    lp_self()->running = NULL;
    world_root->state = VP_SUSPENDED;
}

/* One turn of the scheduler's loop by hand, as sched_loop does it: who is next, and for how long. */
static struct vp *turn(struct lp *lp, uint64_t ticks)
{
    struct vp *vp = sched_take(lp);
    if (vp) {
        fake.tsc += ticks;
        sched_put_back(lp, vp);
    }
    return vp;
}

static void equal_weights_share_equally(void **state)
{
    struct vp *vp[CHILDREN];
    uint64_t turns[CHILDREN] = { 0 };
    (void)state;
    children(1, CHILDREN, vp);
    for (unsigned i = 0; i < CHILDREN; i++)
        sched_resume(vp[i], SUSPEND_EXPLICIT);
    for (unsigned t = 0; t < 300; t++) {
        struct vp *ran = turn(hv.lp[0], sched_slice());
        for (unsigned i = 0; i < CHILDREN; i++)
            turns[i] += ran == vp[i];
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        assert_in_range(turns[i], 98, 102);
}

static void weights_divide_the_time(void **state)
{
    struct vp *vp[2];
    uint64_t heavy = 0;
    (void)state;
    children(1, 2, vp);
    vp[1]->partition->weight = 300;
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    sched_resume(vp[1], SUSPEND_EXPLICIT);
    for (unsigned t = 0; t < 400; t++)
        heavy += turn(hv.lp[0], sched_slice()) == vp[1];
    assert_in_range(heavy, 295, 305);
}

static void sleeping_earns_no_credit_beyond_a_slice(void **state)
{
    struct vp *vp[2];
    unsigned first = 0;
    (void)state;
    children(1, 2, vp);
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    for (unsigned t = 0; t < 100; t++) /* vp 0 alone for a long time */
        turn(hv.lp[0], sched_slice());
    sched_resume(vp[1], SUSPEND_EXPLICIT);
    while (turn(hv.lp[0], sched_slice()) == vp[1])
        first++;
    assert_in_range(first, 0, 2);
}

static void a_long_runner_makes_room_for_who_wakes(void **state)
{
    struct vp *vp[2];
    (void)state;
    children(1, 2, vp);
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    assert_ptr_equal(sched_take(hv.lp[0]), vp[0]);
    fake.tsc += 4 * sched_slice();
    sched_resume(vp[1], SUSPEND_EXPLICIT);
    assert_int_equal(hv.lp[0]->reschedule, 1);
}

static void a_wake_up_brings_an_idle_processor_back(void **state)
{
    struct vp *vp[2];
    (void)state;
    children(2, 2, vp);
    vp[0]->lp = hv.lp[1];
    hv.lp[1]->idle = true;
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    assert_false(hv.lp[1]->idle);
    assert_int_equal(fake.kicks[1], 1);
    assert_ptr_equal(hv.lp[1]->queue, vp[0]);
}

static void an_unpinned_vp_moves_to_an_idle_processor(void **state)
{
    struct vp *vp[2];
    (void)state;
    children(2, 2, vp);
    vp[0]->lp = vp[1]->lp = hv.lp[0];
    vp[0]->pinned = vp[1]->pinned = false;
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    hv.lp[0]->idle = false;
    assert_ptr_equal(sched_take(hv.lp[0]), vp[0]);
    hv.lp[1]->idle = true;
    sched_resume(vp[1], SUSPEND_EXPLICIT);
    assert_ptr_equal(vp[1]->lp, hv.lp[1]);
}

static void a_pinned_vp_stays(void **state)
{
    struct vp *vp[2];
    (void)state;
    children(2, 2, vp);
    for (unsigned i = 0; i < 2; i++) {
        sched_init_vp(vp[i], 1);
        assert_true(vp[i]->pinned);
        sched_resume(vp[i], SUSPEND_EXPLICIT);
        assert_ptr_equal(vp[i]->lp, hv.lp[0]);
    }
}

static void vps_of_a_mask_are_spread_over_it(void **state)
{
    struct vp *vp[1];
    (void)state;
    children(4, 1, vp);
    static const struct { uint64_t mask; uint32_t index; unsigned lp; } rows[] = {
        { 0xA, 0, 1 }, { 0xA, 1, 3 }, { 0xA, 2, 1 }, { 0xF, 3, 3 }, { 0x8, 7, 3 },
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        vp[0]->index = rows[i].index;
        sched_init_vp(vp[0], rows[i].mask);
        assert_int_equal(vp[0]->lp->index, rows[i].lp);
    }
}

static void suspending_takes_a_vp_from_its_queue(void **state)
{
    struct vp *vp[2];
    (void)state;
    children(1, 2, vp);
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    sched_resume(vp[1], SUSPEND_EXPLICIT);
    sched_suspend(vp[0], SUSPEND_EXPLICIT);
    assert_int_equal(vp[0]->state, VP_SUSPENDED);
    assert_int_equal(hv.lp[0]->queue_length, 1);
    assert_ptr_equal(sched_take(hv.lp[0]), vp[1]);
}

static void every_reason_to_suspend_has_to_go(void **state)
{
    struct vp *vp[1];
    (void)state;
    children(1, 1, vp);
    sched_suspend(vp[0], SUSPEND_PARTITION | SUSPEND_INTERCEPT);
    sched_resume(vp[0], SUSPEND_EXPLICIT);
    sched_resume(vp[0], SUSPEND_INTERCEPT);
    assert_int_equal(vp[0]->state, VP_SUSPENDED);
    sched_resume(vp[0], SUSPEND_PARTITION);
    assert_int_equal(vp[0]->state, VP_READY);
}

/* --- timers ------------------------------------------------------------------------------- */

static unsigned order[8], fired;
static void note(void *ctx) { order[fired++] = (unsigned)(uintptr_t)ctx; }

static void timers_fire_in_order_and_only_when_due(void **state)
{
    static const unsigned due[] = { 5, 1, 3, 2, 4 };
    struct hv_timer timer[5];
    (void)state;
    world_new(1);
    memset(timer, 0, sizeof(timer));
    uint64_t start = fake.tsc;
    for (unsigned i = 0; i < 5; i++) {
        timer[i].fire = note;
        timer[i].ctx = (void *)(uintptr_t)due[i];
        timer_arm(&timer[i], start + due[i] * 1000000);
    }
    assert_int_equal(hv.lp[0]->deadline, start + 1000000);
    timer_cancel(&timer[2]);
    fired = 0;
    fake.tsc = start + 4500000;
    timer_expire(hv.lp[0]);
    assert_int_equal(fired, 3);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 4);
    assert_int_equal(hv.lp[0]->deadline, start + 5000000);
    timer_cancel(&timer[0]);
    timer_expire(hv.lp[0]);
    assert_int_equal(hv.lp[0]->deadline, 0);
}

static void time_converts_there_and_back(void **state)
{
    static const uint64_t references[] = { 0, 1, 7, 10000000, 123456789012, 1ull << 50 };
    (void)state;
    world_new(1);
    for (unsigned i = 0; i < 6; i++) {
        uint64_t tsc = hv_reference_to_tsc(references[i]);
        assert_true(hv_tsc_to_reference(tsc) >= references[i]); /* never early */
        assert_in_range(hv_tsc_to_reference(tsc) - references[i], 0, 1);
    }
    assert_int_equal(hv_reference_to_tsc(UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_weights_share_equally), cmocka_unit_test(weights_divide_the_time),
        cmocka_unit_test(sleeping_earns_no_credit_beyond_a_slice),
        cmocka_unit_test(a_long_runner_makes_room_for_who_wakes),
        cmocka_unit_test(a_wake_up_brings_an_idle_processor_back),
        cmocka_unit_test(an_unpinned_vp_moves_to_an_idle_processor), cmocka_unit_test(a_pinned_vp_stays),
        cmocka_unit_test(vps_of_a_mask_are_spread_over_it), cmocka_unit_test(suspending_takes_a_vp_from_its_queue),
        cmocka_unit_test(every_reason_to_suspend_has_to_go), cmocka_unit_test(timers_fire_in_order_and_only_when_due),
        cmocka_unit_test(time_converts_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
