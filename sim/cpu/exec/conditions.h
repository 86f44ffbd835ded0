/* Conditions, and how a handler continues in another block.  Part of handler.h for the handlers that jump. */
#ifndef SIM_CPU_EXEC_CONDITIONS_H
#define SIM_CPU_EXEC_CONDITIONS_H

INLINE bool test_any(struct cpu *c, int cond)
{
    return flags_hold(flags_now(c), cond);
}

INLINE bool test_sub(struct cpu *c, int cond)
{
    uint64_t a = (uint64_t)c->cc_a, b = (uint64_t)c->cc_b;
    bool invert = cond & 1;
    switch (cond >> 1) {
    case 1: return (a < b) ^ invert;
    case 2: return (a == b) ^ invert;
    case 3: return (a <= b) ^ invert;
    case 6: return ((int64_t)a < (int64_t)b) ^ invert;
    case 7: return ((int64_t)a <= (int64_t)b) ^ invert;
    default: return test_any(c, cond);
    }
}

INLINE bool test_logic(struct cpu *c, int cond)
{
    bool invert = cond & 1;
    switch (cond >> 1) {
    case 0: case 1: return invert;
    case 2: case 3: return (c->cc_a == 0) ^ invert;
    case 4: case 6: return (c->cc_a < 0) ^ invert;
    case 7: return (c->cc_a <= 0) ^ invert;
    default: return test_any(c, cond);
    }
}

/* Continue at the head 'next': pay for the whole block, or let the head's
 * handler see to it (not enough budget, not a plain head).  The budget is all
 * that functional mode keeps per block: time, instructions and attribution follow from it. */
#if TIMED
#define PAID(e) (c->block = (e), c->bucket_cycles[(e)->bucket] += (e)->cost, \
                 c->instructions += (e)->instructions, time_block(c, (e)))
#else
#define PAID(e) ((void)0)
#endif
#define CONTINUE(next) do {                                                    \
        struct insn *e_ = (next);                                              \
        int64_t left_ = c->budget - (int64_t)e_->gate;                         \
        if (unlikely(left_ < 0)) TAIL(e_->fn(c, e_));                          \
        c->budget = left_;                                                     \
        PAID(e_);                                                              \
        TAIL(e_[1].fn(c, e_ + 1)); } while (0)

/* Continue at any address: only code_page and the jump cache know where that is. */
#define GO(address) do {                                                       \
        uint64_t to_ = (address);                                              \
        core_note_transfer(c, to_);                                            \
        struct jump *j_ = core_jump_slot(c, to_);                              \
        if (unlikely(j_->key != (to_ ^ c->jump_stamp))) return core_leave(c, r, to_); \
        c->code_page = to_ & CPU_PAGE_MASK;                                    \
        CONTINUE(j_->entry); } while (0)

#endif
