/* Run queues and run states; the diagram is in sched.h. */
#include "hv/sched/sched.h"

#include "hv/arch/lp_arch.h"
#include "hv/partition/partition.h"
#include "hv/vp/vp.h"

enum { SLICE_US = 1000, WEIGHT_UNIT = 100, US_PER_SECOND = 1000000 };

uint64_t sched_slice(void) { return hv.tsc_hz / US_PER_SECOND * SLICE_US; }

/* --- queue: under hv.sched_lock ------------------------------------------------------ */

static void enqueue(struct vp *vp)
{
    struct lp *lp = vp->lp;
    struct vp **at = &lp->queue;
    vp->vruntime = rt_max(vp->vruntime, lp->vruntime_min > sched_slice() ? lp->vruntime_min - sched_slice() : 0);
    while (*at && (*at)->vruntime <= vp->vruntime)
        at = &(*at)->queue_next;
    vp->queue_next = *at;
    *at = vp;
    vp->state = VP_READY;
    lp->queue_length++;
}

static void dequeue(struct vp *vp)
{
    struct vp **at = &vp->lp->queue;
    while (*at != vp)
        at = &(*at)->queue_next;
    *at = vp->queue_next;
    vp->queue_next = NULL;
    vp->lp->queue_length--;
}

static bool may_run_on(const struct vp *vp, const struct lp *lp)
{
    return !vp->lp_mask || vp->lp_mask >> lp->index & 1;
}

static unsigned load(const struct lp *lp) { return lp->queue_length + (lp->running != NULL); }

static struct lp *least_loaded(const struct vp *vp)
{
    struct lp *best = NULL;
    for (unsigned i = 0; i < hv.lp_count; i++) {
        struct lp *lp = hv.lp[i];
        if (may_run_on(vp, lp) && (!best || load(lp) < load(best)))
            best = lp;
    }
    return best;
}

/* How many VPs call 'lp' home, for placing new ones. */
static unsigned residents(const struct lp *lp)
{
    unsigned n = 0;
    for (unsigned i = 0; i < HV_VPS_MAX; i++)
        n += hv.vp_store[i].exists && hv.vp_store[i].lp == lp;
    return n;
}

void sched_init_vp(struct vp *vp, uint64_t partition_mask)
{
    /* VP n of a partition takes the n-th processor of its mask, so that pinning one
     * partition to several processors spreads its VPs. */
    unsigned bits = rt_popcount(partition_mask);
    vp->lp_mask = 0;
    if (bits) {
        uint64_t rest = partition_mask;
        for (unsigned i = vp->index % bits; i > 0; i--)
            rest &= rest - 1;
        vp->lp_mask = rest & -rest;
    }
    vp->pinned = bits > 0 || hv.lp_count == 1;
    vp->state = VP_SUSPENDED;
    vp->lp = NULL;
    for (unsigned i = 0; i < hv.lp_count; i++)
        if (may_run_on(vp, hv.lp[i]) && (!vp->lp || residents(hv.lp[i]) < residents(vp->lp)))
            vp->lp = hv.lp[i];
    RT_ASSERT(vp->lp);
}

/* --- run time ------------------------------------------------------------------------- */

static void account(struct vp *vp)
{
    uint64_t now = arch_tsc(), ran = now - vp->started_at;
    vp->runtime += ran;
    vp->vruntime += ran * WEIGHT_UNIT / vp->partition->weight;
    vp->started_at = now;
}

/* Should 'vp', which has just become ready, push out what runs on its LP? */
static bool preempts(const struct vp *vp)
{
    const struct vp *current = vp->lp->running;
    uint64_t ran = (arch_tsc() - current->started_at) * WEIGHT_UNIT / current->partition->weight;
    return vp->vruntime + sched_slice() / 2 < current->vruntime + ran;
}

/* Interrupts are sent after the lock is released: their receiver wants it at once. */
static void kick_outside(struct lp *lp)
{
    if (lp && lp != lp_self())
        lp_kick(lp);
}

static struct lp *if_in_guest(struct lp *lp)
{
    arch_barrier();
    return lp->in_guest ? lp : NULL;
}

/* The LP has work: it must wake up or look again. Lock held; returns whom to kick. */
static struct lp *poke(struct lp *lp, struct vp *vp)
{
    if (lp->idle) {
        lp->idle = false;
        return lp;
    }
    if (!lp->running)
        return NULL;
    if (preempts(vp))
        lp->reschedule = 1;
    /* Also without preemption: its slice has to be measured from now on. */
    return if_in_guest(lp);
}

static struct lp *make_ready(struct vp *vp)
{
    if (!vp->pinned && !vp->lp->idle && vp->lp->running) {
        struct lp *other = least_loaded(vp);
        if (load(other) == 0)
            vp->lp = other;
    }
    enqueue(vp);
    return poke(vp->lp, vp);
}

void sched_wake(struct vp *vp)
{
    arch_barrier(); /* the reason is visible before the state is looked at */
    if (vp->state == VP_RUNNING && vp->lp == lp_self())
        return; /* it looks before it enters */
    struct lp *kick = NULL;
    lock_take(&hv.sched_lock);
    if (vp->state == VP_BLOCKED)
        kick = make_ready(vp);
    else if (vp->state == VP_RUNNING)
        kick = if_in_guest(vp->lp);
    lock_release(&hv.sched_lock);
    kick_outside(kick);
}

/* --- suspension ------------------------------------------------------------------------ */

void sched_suspend(struct vp *vp, uint32_t bits)
{
    lock_take(&hv.sched_lock);
    vp->suspend |= bits;
    if (vp->state == VP_READY)
        dequeue(vp);
    if (vp->state == VP_READY || vp->state == VP_BLOCKED)
        vp->state = VP_SUSPENDED;
    bool running = vp->state == VP_RUNNING;
    struct lp *lp = vp->lp, *kick = NULL;
    if (running) {
        lp->reschedule = 1;
        kick = if_in_guest(lp);
    }
    /* A VP that sleeps on another LP leaves its VMCS active there; that LP gives it up when told. */
    struct lp *holder = vp->vmcs_lp;
    bool elsewhere = !running && holder && holder != lp_self();
    if (elsewhere) {
        holder->release = vp;
        holder->idle = false;
        kick = holder;
    }
    lock_release(&hv.sched_lock);
    kick_outside(kick);

    if (!running && holder == lp_self())
        vp_unload(vp);
}

void sched_wait_stopped(struct vp *vp)
{
    while (!sched_is_stopped(vp)) {
        sched_release(lp_self()); /* the other LP may be waiting for us the same way */
        arch_pause();
    }
}

/* Gives up the VMCS that another LP asks for. */
void sched_release(struct lp *lp)
{
    struct vp *vp = __atomic_load_n(&lp->release, __ATOMIC_ACQUIRE);
    if (!vp)
        return;
    lp->release = NULL;
    if (vp->vmcs_lp == lp && vp->state != VP_RUNNING)
        vp_unload(vp);
}

void sched_resume(struct vp *vp, uint32_t bits)
{
    lock_take(&hv.sched_lock);
    struct lp *kick = NULL;
    vp->suspend &= ~bits;
    if (vp->state == VP_SUSPENDED && !vp->suspend)
        kick = make_ready(vp);
    lock_release(&hv.sched_lock);
    kick_outside(kick);
}

bool sched_is_stopped(struct vp *vp)
{
    return __atomic_load_n(&vp->state, __ATOMIC_ACQUIRE) == VP_SUSPENDED
        && !__atomic_load_n(&vp->vmcs_lp, __ATOMIC_ACQUIRE);
}

bool sched_block(struct vp *vp)
{
    lock_take(&hv.sched_lock);
    bool block = !vp->request && !vp->suspend && !vp_has_reason_to_run(vp);
    if (block) {
        account(vp);
        vp->state = VP_BLOCKED;
        vp->lp->running = NULL;
    }
    lock_release(&hv.sched_lock);
    return block;
}

/* --- the loop ------------------------------------------------------------------------------ */

/* Takes the next VP off the queue; marks the LP idle if there is none. */
struct vp *sched_take(struct lp *lp)
{
    lock_take(&hv.sched_lock);
    struct vp *vp = lp->queue;
    lp->reschedule = 0;
    if (vp) {
        dequeue(vp);
        vp->state = VP_RUNNING;
        lp->running = vp;
        lp->vruntime_min = rt_max(lp->vruntime_min, vp->vruntime);
        vp->started_at = arch_tsc();
    }
    lp->idle = vp == NULL;
    lock_release(&hv.sched_lock);
    return vp;
}

/* The VP has to leave but could go on: preempted, slice over or suspended. */
void sched_put_back(struct lp *lp, struct vp *vp)
{
    if (vp->suspend || !vp->pinned)
        vp_unload(vp);
    lock_take(&hv.sched_lock);
    account(vp);
    lp->running = NULL;
    if (!vp->suspend) {
        enqueue(vp);
        lock_release(&hv.sched_lock);
        return;
    }
    bool unloaded = !vp->vmcs_lp;
    vp->state = VP_SUSPENDED;
    lock_release(&hv.sched_lock);
    if (!unloaded) /* suspended after the look above */
        vp_unload(vp);
}

_Noreturn void sched_loop(struct lp *lp)
{
    for (;;) {
        timer_expire(lp);
        sched_release(lp);
        struct vp *vp = sched_take(lp);
        if (vp) {
            if (vp_run(vp))
                sched_put_back(lp, vp);
        } else if (__atomic_load_n(&lp->idle, __ATOMIC_ACQUIRE)) {
            arch_wait();
        }
    }
}

/* --- timers --------------------------------------------------------------------------------- */

/* The queue's lock is its LP's; an armed timer stays there until it fires. */
void timer_cancel(struct hv_timer *t)
{
    struct lp *lp = __atomic_load_n(&t->lp, __ATOMIC_ACQUIRE);
    if (!lp)
        return;
    lock_take(&lp->timer_lock);
    if (t->lp == lp) {
        struct hv_timer **at = &lp->timers;
        while (*at != t)
            at = &(*at)->next;
        *at = t->next;
        t->lp = NULL;
    }
    lock_release(&lp->timer_lock);
}

void timer_arm(struct hv_timer *t, uint64_t due)
{
    timer_cancel(t);
    struct lp *lp = lp_self();
    lock_take(&lp->timer_lock);
    t->due = due;
    struct hv_timer **at = &lp->timers;
    while (*at && (*at)->due <= due)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    __atomic_store_n(&t->lp, lp, __ATOMIC_RELEASE);
    bool first = lp->timers == t;
    lock_release(&lp->timer_lock);
    if (first)
        lp_set_deadline(lp, due);
}

void timer_expire(struct lp *lp)
{
    for (;;) {
        lock_take(&lp->timer_lock);
        struct hv_timer *t = lp->timers;
        bool due = t && t->due <= arch_tsc();
        uint64_t deadline = t ? t->due : 0;
        void (*fire)(void *) = NULL;
        void *ctx = NULL;
        if (due) {
            lp->timers = t->next;
            fire = t->fire;
            ctx = t->ctx;
            __atomic_store_n(&t->lp, NULL, __ATOMIC_RELEASE);
        }
        lock_release(&lp->timer_lock);
        if (!due) {
            lp_set_deadline(lp, deadline);
            return;
        }
        fire(ctx);
    }
}
