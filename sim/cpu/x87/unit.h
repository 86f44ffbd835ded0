/* What the instruction files share: operands on the stack, what exceptions do to them, results.
 *
 * An instruction has four steps.  x87_begin() clears C1.  Empty (or, for a push, full) registers are a
 * stack fault: x87_stack_fault() records it and tells whether it is masked; if so the instruction goes on
 * with the indefinite NaN.  The operation runs in an environment.  x87_commit() puts what it raised into the
 * status word and tells whether a register may be written.
 *
 * An exception that is not masked does not fault: it stays in the status word until the next waiting
 * instruction looks (x87_is_pending).
 */
#ifndef SIM_CPU_X87_UNIT_H
#define SIM_CPU_X87_UNIT_H

#include "sim/cpu/x87/f80.h"
#include "sim/cpu/x87/x87.h"
#include "x86/x87_functions.h"

/* Definitions with the signature of x87_fn; 'i' of ST(i), 'memory' the operand.  False: a store stores nothing. */
#define X87_DEFINE(name)                                                                            \
    bool x87_##name(struct cpu *c __attribute__((unused)), unsigned i __attribute__((unused)),      \
                    void *memory __attribute__((unused)))

static inline struct f80 x87_get(struct cpu *c, unsigned i)
{
    const union x87_register *r = x87_st(c, i);
    return (struct f80){ r->u64[0], r->u16[4] };
}

/* Writes ST(i) and marks it full. */
static inline void x87_put(struct cpu *c, unsigned i, struct f80 value)
{
    unsigned n = (c->x87.top + i) & 7;
    c->x87.reg[n].u64[0] = value.sig;
    c->x87.reg[n].u64[1] = value.se;
    c->x87.full |= (uint8_t)(1u << n);
}

static inline bool x87_is_empty(const struct cpu *c, unsigned i)
{
    return !(c->x87.full >> ((c->x87.top + i) & 7) & 1);
}

static inline void x87_pop(struct cpu *c)
{
    c->x87.full &= (uint8_t)~(1u << c->x87.top);
    c->x87.top = (c->x87.top + 1) & 7;
}

static inline void x87_push(struct cpu *c, struct f80 value)
{
    c->x87.top = (c->x87.top - 1) & 7;
    x87_put(c, 0, value);
}

static inline void x87_begin(struct cpu *c)
{
    c->x87.sw &= (uint16_t)~X87_C1;
}

static inline struct f80_env x87_env(const struct cpu *c)
{
    return (struct f80_env){ .cw = c->x87.cw };
}

static inline void x87_set_condition(struct cpu *c, unsigned bits) /* C0, C2, C3 */
{
    c->x87.sw = (uint16_t)((c->x87.sw & ~(X87_C0 | X87_C2 | X87_C3)) | bits);
}

/* True: masked, go on with the indefinite NaN.  'overflow': of a push, else something was empty. */
bool x87_stack_fault(struct cpu *, bool overflow);

bool x87_commit_raised(struct cpu *, const struct f80_env *);
/* True: the result may be written to a register. */
static inline bool x87_commit(struct cpu *c, const struct f80_env *e)
{
    return e->flags ? x87_commit_raised(c, e) : true;
}
/* The same for results that go to memory, where an unmasked overflow or underflow stores nothing. */
bool x87_commit_store(struct cpu *, const struct f80_env *);

#endif
