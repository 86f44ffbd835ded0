/* Synthetic timers; see stimer.h. */
#include "hv/stimer/stimer.h"

#include "hv/partition/partition.h"
#include "hv/synic/synic.h"
#include "hv/vp/vp.h"

/* Shorter periods are stretched: a guest must not keep its LP busy with its timer alone. */
enum { PERIOD_MIN = 500 }; /* [100 ns] */

static unsigned sint_of(const struct stimer *t) { return (unsigned)(t->config >> HV_STIMER_SINT_SHIFT) & 15; }

/* --- expiry: vp->lock held --------------------------------------------------------- */

static void post(struct vp *vp, unsigned index)
{
    struct stimer *t = &vp->stimer[index];
    struct hv_message message = { .type = HV_MESSAGE_TIMER_EXPIRED, .payload_size = sizeof(struct hv_timer_message) };
    struct hv_timer_message payload = {
        .timer_index = index,
        .expiration_time = t->expiry,
        .delivery_time = partition_reference_time(vp->partition),
    };
    memcpy(message.payload, &payload, sizeof(payload));
    bool posted = synic_post_locked(vp, sint_of(t), &message) == HV_STATUS_SUCCESS;
    if (t->message_due != !posted)
        vp->synic.waiting += posted ? -1u : 1u;
    t->message_due = !posted;
}

static void arm(struct vp *vp, struct stimer *t, uint64_t reference)
{
    t->expiry = reference;
    uint64_t tsc = hv_reference_to_tsc(reference + hv_tsc_to_reference(vp->partition->tsc_start));
    if (reference + hv_tsc_to_reference(vp->partition->tsc_start) < reference)
        tsc = UINT64_MAX;
    timer_arm(&t->timer, tsc);
}

static void expire(struct vp *vp, unsigned index)
{
    struct stimer *t = &vp->stimer[index];
    if (t->config & HV_STIMER_DIRECT)
        vapic_raise(vp, (unsigned)(t->config >> HV_STIMER_VECTOR_SHIFT) & 0xFF);
    else
        post(vp, index);
    if (!(t->config & HV_STIMER_PERIODIC)) {
        t->config &= ~HV_STIMER_ENABLE;
        return;
    }
    uint64_t period = rt_max(t->count, PERIOD_MIN);
    uint64_t now = partition_reference_time(vp->partition), missed = now > t->expiry ? (now - t->expiry) / period : 0;
    arm(vp, t, t->expiry + (missed + 1) * period); /* periods missed while stopped are skipped, the rhythm stays */
}

static void fired(void *ctx)
{
    struct stimer *t = ctx;
    struct vp *vp = t->vp;
    lock_take(&vp->lock);
    bool due = t->config & HV_STIMER_ENABLE && !t->timer.lp
        && partition_reference_time(vp->partition) >= t->expiry;
    if (due)
        expire(vp, (unsigned)(t - vp->stimer));
    lock_release(&vp->lock);
}

void stimer_retry(struct vp *vp)
{
    for (unsigned i = 0; i < HV_STIMER_COUNT; i++)
        if (vp->stimer[i].message_due)
            post(vp, i);
}

/* --- registers ---------------------------------------------------------------------- */

void stimer_reset(struct vp *vp)
{
    for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
        struct stimer *t = &vp->stimer[i];
        timer_cancel(&t->timer);
        *t = (struct stimer){ .vp = vp, .timer = { .fire = fired, .ctx = t } };
    }
}

/* Starts or stops according to config and count. */
static void apply(struct vp *vp, unsigned index)
{
    struct stimer *t = &vp->stimer[index];
    timer_cancel(&t->timer);
    if (!(t->config & HV_STIMER_ENABLE) || !t->count)
        return;
    uint64_t now = partition_reference_time(vp->partition);
    if (t->config & HV_STIMER_PERIODIC) {
        arm(vp, t, now + rt_max(t->count, PERIOD_MIN));
    } else if (t->count <= now) { /* past: at once */
        t->expiry = t->count;
        expire(vp, index);
    } else {
        arm(vp, t, t->count);
    }
}

void stimer_config_write(struct vp *vp, unsigned index, uint64_t value)
{
    struct stimer *t = &vp->stimer[index];
    lock_take(&vp->lock);
    if (!(value & HV_STIMER_DIRECT) && (value >> HV_STIMER_SINT_SHIFT & 15) == 0)
        value &= ~HV_STIMER_ENABLE;
    t->config = value;
    apply(vp, index);
    lock_release(&vp->lock);
}

void stimer_count_write(struct vp *vp, unsigned index, uint64_t value)
{
    struct stimer *t = &vp->stimer[index];
    lock_take(&vp->lock);
    t->count = value;
    if (!value)
        t->config &= ~HV_STIMER_ENABLE;
    else if (t->config & HV_STIMER_AUTO_ENABLE)
        t->config |= HV_STIMER_ENABLE;
    apply(vp, index);
    lock_release(&vp->lock);
}
