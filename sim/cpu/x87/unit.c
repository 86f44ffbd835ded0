/* What exceptions do (SDM Vol 1 "x87 FPU Exception Conditions", "Handling x87 FPU Exceptions in Software"). */
#include "sim/cpu/x87/unit.h"

#include "sim/machine.h"

bool x87_stack_fault(struct cpu *c, bool overflow)
{
    c->x87.sw |= X87_IE | X87_SF | (overflow ? X87_C1 : 0);
    return c->x87.cw & X87_IE;
}

/* Invalid operands and divisors of zero, and denormals that are not masked, are found before there is a result:
 * nothing else is raised then. */
static uint16_t raised_first(const struct f80_env *e)
{
    if (e->flags & (X87_IE | X87_ZE)) {
        return e->flags & (X87_IE | X87_ZE);
    }
    return e->flags & ~e->cw & X87_DE ? X87_DE : 0;
}

bool x87_commit_raised(struct cpu *c, const struct f80_env *e)
{
    uint16_t first = raised_first(e);

    if (first) {
        c->x87.sw |= first;
        return !(first & ~e->cw);
    }
    c->x87.sw |= e->flags | (e->up ? X87_C1 : 0);
    return true;
}

bool x87_commit_store(struct cpu *c, const struct f80_env *e)
{
    uint16_t range = e->flags & ~e->cw & (X87_OE | X87_UE);

    if (!raised_first(e) && range) {
        c->x87.sw |= range | (e->flags & X87_DE);
        return false;
    }
    return x87_commit(c, e);
}

enum { CR0_NE = 1 << 5 };

enum exec_result x87_wait_for_errors(struct cpu *c)
{
    if (!x87_is_pending(c) || x87_is_ignored(c)) {
        return EXEC_OK;
    }
    if (c->cr0 & CR0_NE) {
        return cpu_raise(c, X_MF);
    }
    if (!c->machine->fpu_error) { /* FERR# leads nowhere */
        c->x87.ferr = c->x87.ignne = true;
        return EXEC_OK;
    }
    if (!c->x87.ferr) {
        c->x87.ferr = true;
        c->machine->fpu_error(c->machine, true);
    }
    return EXEC_JUMP;
}
