/* Conditions, jumps, calls, block heads, and the way out to functions: the one source of every tier. */
#include "sim/cpu/exec/handler.h"

INLINE bool holds(uint64_t f, int cond)
{
    bool s = f / FLAG_S & 1, o = f / FLAG_O & 1, answer = false;
    switch (cond >> 1) {
    case 0: answer = o; break;
    case 1: answer = f & FLAG_C; break;
    case 2: answer = f & FLAG_Z; break;
    case 3: answer = f & (FLAG_C | FLAG_Z); break;
    case 4: answer = s; break;
    case 5: answer = f & FLAG_P; break;
    case 6: answer = s != o; break;
    case 7: answer = (f & FLAG_Z) || s != o; break;
    }
    return answer ^ (cond & 1);
}

INLINE bool test_any(struct cpu *c, int cond)
{
    return holds(flags_now(c), cond);
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

#if TIMED
#define JCC(cond, n, producer) OP(jcc_##producer##_##cond) { \
        bool taken = test_##producer(c, n);                  \
        BRANCH(c->code_page + (uint64_t)core_link_offset(r), BRANCH_CONDITIONAL, taken); \
        if (taken) LINK;                                     \
        NEXT; }
#else
#define JCC(cond, n, producer) OP(jcc_##producer##_##cond) { if (test_##producer(c, n)) LINK; NEXT; }
#endif
PRODUCERS(JCC)

#define SET(cond, n, producer) OP(set_##producer##_##cond) { *(s8 *)REG(dst) = test_##producer(c, n); NEXT; }
PRODUCERS(SET)

#define CMOV(cond, n, producer, bits) OP(cmov##bits##_##producer##_##cond) { \
        put_r(REG(dst), test_##producer(c, n) ? get(REG(src), bits) : get(REG(dst), bits), bits); \
        NEXT; }
#define CMOV16(cond, n, producer) CMOV(cond, n, producer, 16)
#define CMOV32(cond, n, producer) CMOV(cond, n, producer, 32)
#define CMOV64(cond, n, producer) CMOV(cond, n, producer, 64)
PRODUCERS(CMOV16)
PRODUCERS(CMOV32)
PRODUCERS(CMOV64)

/* LOOPcc and JrCXZ; 'bits' is the address size. */
#define COUNT_DOWN(bits) put_r(&c->gpr[RCX], get(&c->gpr[RCX], bits) - 1, bits)
#define loop_taken(bits) (COUNT_DOWN(bits), get(&c->gpr[RCX], bits) != 0)
#define loope_taken(bits) (COUNT_DOWN(bits), get(&c->gpr[RCX], bits) != 0 && (flags_now(c) & FLAG_Z))
#define loopne_taken(bits) (COUNT_DOWN(bits), get(&c->gpr[RCX], bits) != 0 && !(flags_now(c) & FLAG_Z))
#define jcxz_taken(bits) (get(&c->gpr[RCX], bits) == 0)
#define LOOP(name, bits) OP(name##_##bits) {                              \
        bool taken = name##_taken(bits);                                  \
        BRANCH(c->code_page + (uint64_t)core_link_offset(r), BRANCH_CONDITIONAL, taken); \
        if (taken) LINK;                                                  \
        NEXT; }
LOOP_OPS(LOOP)

/* --- heads of blocks and transfers ------------------------------------------------ */

/* Continue at any address: only code_page and the jump cache know where that is. */
#define GO(address) do {                                                       \
        uint64_t to_ = (address);                                              \
        struct jump *j_ = core_jump_slot(c, to_);                              \
        if (unlikely(j_->key != (to_ ^ c->jump_stamp))) TAIL(core_leave(c, r, to_)); \
        c->code_page = to_ & CPU_PAGE_MASK;                                    \
        TAIL(j_->entry->fn(c, j_->entry)); } while (0)

/* Head of every block: pay for all of it, or let the slow path count singly. */
OP(enter)
{
    int64_t left = c->budget - (int64_t)r->cost;
    if (unlikely(left < 0)) TAIL(core_enter_slow(c, r));
    c->budget = left;
    c->block = r;
#if TIMED
    c->instructions += r->instructions;
    core_time_block(c, r);
#endif
    c->bucket_cycles[r->bucket] += r->cost;
    NEXT;
}

OP(jump) { LINK; }

OP(away)
{
    GO(c->code_page + (uint64_t)FIELD(imm));
}

OP(go)
{
    uint64_t to = REG64(src);
    BRANCH(to, BRANCH_INDIRECT, true);
    GO(to);
}

OP(nop) { NEXT; }

OP(call)
{
    s64 *top = HOST(write, c->gpr[RSP] - 8, 8);
    CALLED;
    *top = (int64_t)NEXT_RIP;
    c->gpr[RSP] -= 8;
    LINK;
}

/* Out of the page. */
OP(call_away)
{
    s64 *top = HOST(write, c->gpr[RSP] - 8, 8);
    uint64_t to = c->code_page + (uint64_t)FIELD(imm);
    CALLED;
    *top = (int64_t)NEXT_RIP;
    c->gpr[RSP] -= 8;
    GO(to);
}

OP(call_go)
{
    s64 *top = HOST(write, c->gpr[RSP] - 8, 8);
    uint64_t to = REG64(src);
    BRANCH(to, BRANCH_INDIRECT, true);
    CALLED;
    *top = (int64_t)NEXT_RIP;
    c->gpr[RSP] -= 8;
    GO(to);
}

OP(ret)
{
    s64 *top = HOST(read, c->gpr[RSP], 8);
    uint64_t to = (uint64_t)*top;
    BRANCH(to, BRANCH_RETURN, true);
    c->gpr[RSP] += 8 + (uint64_t)FIELD(imm);
    GO(to);
}

/* --- out to functions ------------------------------------------------------------- */

OP(sys) { TAIL(core_sys(c, r)); }

OP(ud)
{
    cpu_raise(c, X_UD);
    FAULT;
}

/* SSE without CR4.OSFXSR, or with CR0.EM or CR0.TS. */
OP(sse_check)
{
    cpu_raise(c, c->cr0 & (1u << 2) || !(c->cr4 & (1u << 9)) ? X_UD : X_NM);
    FAULT;
}

/* A LOCK prefix costs something; it orders nothing among processors that take turns. */
OP(locked)
{
#if TIMED
    time_charge(c, CHARGE_LOCKED, 1);
#endif
    NEXT;
}
