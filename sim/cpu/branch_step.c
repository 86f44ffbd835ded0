/* Did the instruction that was run alone branch?  For single-stepping on branches (SDM Vol 3B "Single-Stepping on Branches"):
 * where rip went says so, unless a branch goes to the instruction behind it.  Then the instruction itself has to be asked. */
#include "sim/cpu/core.h"
#include "sim/cpu/decode/decode.h"
#include "sim/cpu/exec/flags.h"
#include "spec/x86/system.h"

void core_branch_note(struct cpu *c)
{
    struct core *core = c->core;

    core->branch_size = 0;
    if (c->rflags_rest & RFLAGS_TF && c->msr.debugctl & DEBUGCTL_BTF) {
        core->branch_size = core_peek_code(c, core_fetch_linear(c), core->branch_code);
    }
}

/* RCX and flags are as the instruction left them; a conditional jump leaves flags alone. */
static bool is_taken(const struct cpu *c, const struct decoded *d)
{
    unsigned op = d->row->op, size = d->sys.address_size;
    uint64_t flags = flags_now(c), count = size == 8 ? c->gpr[RCX] : size == 4 ? (uint32_t)c->gpr[RCX] : (uint16_t)c->gpr[RCX];

    if (op >= OP_JO && op <= OP_JNLE) {
        return flags_hold(flags, (int)(op - OP_JO));
    }
    switch (op) {
    case OP_LOOP: return count != 0;
    case OP_LOOPE: return count != 0 && flags & FLAG_Z;
    case OP_LOOPNE: return count != 0 && !(flags & FLAG_Z);
    case OP_JCXZ: return count == 0;
    case OP_JMP: case OP_CALL: case OP_RET: case OP_JMP_FAR: case OP_CALL_FAR: case OP_RET_FAR: case OP_IRET: return true;
    default: return false;
    }
}

bool core_branched(const struct cpu *c)
{
    const struct core *core = c->core;
    struct decoded d;

    return c->rip != core->sequential ||
           (core->branch_size && decode_insn(c->mode, core->branch_code, core->branch_size, &d) == DECODE_OK && is_taken(c, &d));
}
