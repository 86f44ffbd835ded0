/* Conditions, jumps, calls, block heads, and the way out to functions: the one source of every tier. */
#include "sim/cpu/exec/handler.h"
#include "sim/cpu/exec/conditions.h"

#if TIMED
#define JCC(cond, n, producer) OP(jcc_##producer##_##cond) { \
        bool taken = test_##producer(c, n);                  \
        BRANCH(0, BRANCH_CONDITIONAL, taken); \
        if (taken) CONTINUE(r->link);                                     \
        CONTINUE(r[1].link); }
#else
#define JCC(cond, n, producer) OP(jcc_##producer##_##cond) { \
        if (test_##producer(c, n)) CONTINUE(r->link);        \
        CONTINUE(r[1].link); }
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
        BRANCH(0, BRANCH_CONDITIONAL, taken); \
        if (taken) CONTINUE(r->link);                                     \
        CONTINUE(r[1].link); }
LOOP_OPS(LOOP)

/* --- heads of blocks and transfers ------------------------------------------------ */

/* Head of every block: pay for all of it, or let the slow path count singly. */
OP(enter)
{
    if (unlikely(c->budget < (int64_t)r->gate)) TAIL(core_enter_slow(c, r));
    CONTINUE(r);
}

OP(jump) { CONTINUE(r->link); }

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
    CONTINUE(r->link);
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
    if (unlikely(!cpu_canonical(c, to))) { /* before anything is pushed */
        cpu_raise_error(c, X_GP, 0);
        FAULT;
    }
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

/* AVX without CR4.OSXSAVE and XCR0[2:1], or with CR0.TS. */
OP(avx_check)
{
    cpu_raise(c, !(c->cr4 & 1u << 18) || (c->xcr0 & 6) != 6 ? X_UD : X_NM);
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
