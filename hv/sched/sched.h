/* Logical processors and who runs on them.
 *
 * Each logical processor (LP) has a run queue of virtual processors (VPs) in
 * the order of their virtual run-time: the time a VP has run, divided by its
 * partition's weight.  The VP with the least runs next, for a slice or until
 * it blocks; a VP that wakes up gets at least the queue's minimum, so sleeping
 * earns no credit beyond one slice, and takes the processor at once if it is
 * behind the one that runs by more than half a slice.  The slice is measured by the
 * VMX-preemption timer and only when somebody else waits.
 *
 *              sched_wake                    sched_next
 *   BLOCKED ---------------> READY ------------------------> RUNNING
 *      ^                      ^  \__________________________/  |
 *      |                      |       slice over, preempted    |
 *      +----------------------|--------------------------------+ HLT, nothing pending
 *                             |                                |
 *   SUSPENDED ----------------+  <-----------------------------+ suspend register set
 *              sched_resume
 *
 *   SUSPENDED  any bit of vp->suspend is set; no LP holds its VMCS
 *   BLOCKED    suspend == 0, halted; nothing deliverable was pending when it stopped
 *   READY      in the run queue of vp->lp
 *   RUNNING    lp->running == vp; only that LP touches its VMCS
 *
 * All transitions happen under hv.sched_lock.  A waker first makes the reason
 * visible (vp->request, IRR), then calls sched_wake; a VP that wants to block
 * looks for reasons under the lock.  So no wake-up is lost.
 *
 * A VP is pinned to an LP (configuration) or not; one that is not pinned may move to
 * an idle LP when it wakes.  Its VMCS is cleared (VMCLEAR) when it leaves an LP.
 */
#ifndef HV_SCHED_SCHED_H
#define HV_SCHED_SCHED_H

#include "hv/hv.h"

enum vp_run_state { VP_SUSPENDED, VP_BLOCKED, VP_READY, VP_RUNNING };

/* A one-shot timer on some LP.  The owner of the object serializes arm and cancel;
 * 'fire' runs on the LP with no lock held. */
struct hv_timer {
    uint64_t due; /* [TSC] */
    void (*fire)(void *ctx);
    void *ctx;
    struct hv_timer *next;
    struct lp *lp; /* where it is armed; NULL = not armed */
};

struct lp {
    struct lp *self; /* first: read through GS */
    unsigned index;
    uint32_t apic_id;
    uint64_t vmxon_region; /* [spa] */
    struct vp *loaded;     /* whose VMCS is current here, or NULL */
    struct vp *registers;  /* whose FPU and MSRs are in the processor, or NULL */
    struct vp *running;    /* under hv.sched_lock */
    struct vp *queue;      /* READY VPs by virtual run-time; under hv.sched_lock */
    unsigned queue_length;
    uint64_t vruntime_min;
    bool idle;             /* halted or about to; under hv.sched_lock */
    struct vp *release;    /* another LP waits for this one to VMCLEAR it */
    volatile uint32_t reschedule; /* the running VP should make room */
    volatile uint32_t in_guest;   /* between the last look at requests and the exit */
    volatile uint64_t entries;    /* VM entries so far */
    struct lock timer_lock;
    struct hv_timer *timers; /* sorted by due */
    uint64_t deadline;       /* what TSC_DEADLINE holds; 0 = disarmed */
    uint64_t window_seen;    /* services' window: changes this LP's TLB knows of */
    bool started;            /* set by the processor itself */
    void *arch;              /* descriptor tables (hv/arch/lp_arch.c) */
    uint64_t input[512];     /* a hypercall's input block, copied once */
    uint64_t output[512];
};

static inline struct lp *lp_self(void) { return arch_lp_self(); }

void sched_init_vp(struct vp *, uint64_t lp_mask);
uint64_t sched_slice(void); /* [TSC ticks] */
/* Never returns: picks, runs, idles. */
_Noreturn void sched_loop(struct lp *);

/* The two halves of a turn: takes the next VP off the queue (NULL: none; the LP is marked idle),
 * and puts one back that has to leave but could go on. */
struct vp *sched_take(struct lp *);
void sched_put_back(struct lp *, struct vp *);

/* A reason to run has been made visible. Safe from anywhere that holds no later lock. */
void sched_wake(struct vp *);
/* Sets or clears bits of vp->suspend.  A running VP stops when its LP looks at it
 * next: at once on another LP, after this exit on the caller's own. */
void sched_suspend(struct vp *, uint32_t bits);
/* Waits until a suspended VP has left its LP.  No locks held, and not the caller's own VP. */
void sched_wait_stopped(struct vp *);
void sched_resume(struct vp *, uint32_t bits);
bool sched_is_stopped(struct vp *);
/* Called by the running VP's LP. True: it blocked and has to leave; false: a reason to run is there. */
bool sched_block(struct vp *);

/* Gives up the VMCS that another LP asks for; between VM exits and entries. */
void sched_release(struct lp *);

/* Timers. */
void timer_arm(struct hv_timer *, uint64_t due_tsc);
void timer_cancel(struct hv_timer *);
void timer_expire(struct lp *); /* by the LP itself */

#endif
