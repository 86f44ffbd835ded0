/* Hypercalls: the checks that all share, and the table of handlers.
 *
 * Dispatch copies the input block once into memory of the LP; handlers never see
 * guest memory, so what was checked is what is used.  A handler gets a `struct
 * call` and returns a status; output goes to the guest after it has returned.
 *
 * Rep calls: the handler works from rep_start towards rep_count and counts in
 * rep_done; it may stop early (CALL_REPS_MAX at a time), then the guest's
 * instruction is executed again from there ("Hypercall Continuation").
 */
#ifndef HV_HYPERCALL_HYPERCALL_H
#define HV_HYPERCALL_HYPERCALL_H

#include "hv/vp/vp.h"
#include "spec/hv/tlfs.h"

enum { CALL_REPS_MAX = 64 };

struct call {
    struct vp *vp;
    struct partition *caller;
    const void *in;         /* fixed header */
    const uint64_t *variable; /* variable header */
    unsigned variable_count;  /* [qwords] */
    const void *rep_in;
    void *out;              /* zeroed; NULL for fast calls */
    void *rep_out;
    unsigned rep_count, rep_start;
    unsigned rep_done;      /* from 0, cumulative */
    bool fast;
};

/* The whole instruction: checks, handler, results in RAX, RIP. */
void hypercall_execute(struct vp *);

/* One handler per row of spec/hv/hypercalls.def. */
#define HV_CALL(code, ident, name, form, in, rep_in, out, rep_out, privilege) \
    enum hv_status hypercall_##name(struct call *);
#include "spec/hv/hypercalls.def"
#undef HV_CALL

/* Reps of this execution: from rep_start up to this. */
static inline unsigned call_rep_end(const struct call *c)
{
    return (unsigned)rt_min(c->rep_count, c->rep_start + CALL_REPS_MAX);
}

#endif
