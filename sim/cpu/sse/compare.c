#include "sim/cpu/sse/sse_priv.h"

/* CMPPS's eight predicates: the orders that satisfy it, and whether a quiet
 * NaN is an invalid operand (SDM Vol 2 "CMPPS", "Comparison Predicate"). */
enum {
    LT = 1 << IEEE_LESS, EQ = 1 << IEEE_EQUAL, GT = 1 << IEEE_GREATER, UN = 1 << IEEE_UNORDERED,
};
static const struct predicate {
    uint8_t true_for; /* [1 << enum ieee_order] */
    bool quiet;
} predicates[8] = {
    { EQ, true },           { LT, false },          { LT | EQ, false },  { UN, true },
    { LT | GT | UN, true }, { EQ | GT | UN, false }, { GT | UN, false }, { LT | EQ | GT, true },
};

static uint32_t mask32(struct ieee_env *env, uint32_t a, uint32_t b, unsigned imm)
{
    const struct predicate *p = &predicates[imm & 7];
    return p->true_for >> f32_compare(env, a, b, p->quiet) & 1 ? UINT32_MAX : 0;
}

static uint64_t mask64(struct ieee_env *env, uint64_t a, uint64_t b, unsigned imm)
{
    const struct predicate *p = &predicates[imm & 7];
    return p->true_for >> f64_compare(env, a, b, p->quiet) & 1 ? UINT64_MAX : 0;
}

SSEF_DEFINE(cmpps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = mask32(&env, dst->u32[i], src->u32[i], imm);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cmppd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 2; i++) {
        r.u64[i] = mask64(&env, dst->u64[i], src->u64[i], imm);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cmpss)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u32[0] = mask32(&env, dst->u32[0], src->u32[0], imm);
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cmpsd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u64[0] = mask64(&env, dst->u64[0], src->u64[0], imm);
    return sse_end_with(cpu, &env, dst, &r);
}

/* --- into RFLAGS ---------------------------------------------------------------- */

enum { CF = 1 << 0, PF = 1 << 2, ZF = 1 << 6 };

static enum exec_result end_with_flags(struct cpu *cpu, const struct ieee_env *env,
                                       enum ieee_order order)
{
    static const uint8_t flags[] = {
        [IEEE_LESS] = CF, [IEEE_EQUAL] = ZF, [IEEE_GREATER] = 0, [IEEE_UNORDERED] = ZF | PF | CF,
    };
    enum exec_result done = sse_end(cpu, env);
    if (done == EXEC_OK) {
        cpu_set_status_flags(cpu, flags[order]);
    }
    return done;
}

#define COMPARE(name, format, element, quiet)                                                \
    SSEF_DEFINE(name)                                                                         \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        enum ieee_order order = format##_compare(&env, dst->element[0], src->element[0], quiet); \
        return end_with_flags(cpu, &env, order);                                             \
    }

COMPARE(ucomiss, f32, u32, true)
COMPARE(ucomisd, f64, u64, true)
COMPARE(comiss, f32, u32, false)
COMPARE(comisd, f64, u64, false)
