#include "sim/cpu/sse/sse_priv.h"

/* The predicates of VCMPPS, of which CMPPS knows the first eight: the orders that satisfy each, and whether a quiet NaN
 * is an invalid operand.  The second sixteen are the first with that reversed (SDM Vol 2 "CMPPD", "Comparison
 * Predicate for CMPPD and CMPPS Instructions"). */
enum {
    LT = 1 << IEEE_LESS, EQ = 1 << IEEE_EQUAL, GT = 1 << IEEE_GREATER, UN = 1 << IEEE_UNORDERED,
    SSE_PREDICATES = 7, AVX_PREDICATES = 31, REVERSED = 16,
};
static const struct predicate {
    uint8_t true_for; /* [1 << enum ieee_order] */
    bool quiet;
} predicates[16] = {
    { EQ, true },           { LT, false },           { LT | EQ, false },      { UN, true },
    { LT | GT | UN, true }, { EQ | GT | UN, false }, { GT | UN, false },      { LT | EQ | GT, true },
    { EQ | UN, true },      { LT | UN, false },      { LT | EQ | UN, false }, { 0, true },
    { LT | GT, true },      { EQ | GT, false },      { GT, false },           { LT | EQ | GT | UN, true },
};

static uint32_t mask32(struct ieee_env *env, uint32_t a, uint32_t b, unsigned which)
{
    const struct predicate *p = &predicates[which % REVERSED];
    bool quiet = p->quiet ^ (which >= REVERSED);
    return p->true_for >> f32_compare(env, a, b, quiet) & 1 ? UINT32_MAX : 0;
}

static uint64_t mask64(struct ieee_env *env, uint64_t a, uint64_t b, unsigned which)
{
    const struct predicate *p = &predicates[which % REVERSED];
    bool quiet = p->quiet ^ (which >= REVERSED);
    return p->true_for >> f64_compare(env, a, b, quiet) & 1 ? UINT64_MAX : 0;
}

/* The lowest 'count' elements. */
static enum exec_result compare32(struct cpu *cpu, union xmm *dst, const union xmm *src, unsigned which, unsigned count)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    for (unsigned i = 0; i < count; i++) {
        r.u32[i] = mask32(&env, dst->u32[i], src->u32[i], which);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

static enum exec_result compare64(struct cpu *cpu, union xmm *dst, const union xmm *src, unsigned which, unsigned count)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    for (unsigned i = 0; i < count; i++) {
        r.u64[i] = mask64(&env, dst->u64[i], src->u64[i], which);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cmpps) { return compare32(cpu, dst, src, imm & SSE_PREDICATES, 4); }
SSEF_DEFINE(cmppd) { return compare64(cpu, dst, src, imm & SSE_PREDICATES, 2); }
SSEF_DEFINE(cmpss) { return compare32(cpu, dst, src, imm & SSE_PREDICATES, 1); }
SSEF_DEFINE(cmpsd) { return compare64(cpu, dst, src, imm & SSE_PREDICATES, 1); }
SSEF_DEFINE(vcmpps) { return compare32(cpu, dst, src, imm & AVX_PREDICATES, 4); }
SSEF_DEFINE(vcmppd) { return compare64(cpu, dst, src, imm & AVX_PREDICATES, 2); }
SSEF_DEFINE(vcmpss) { return compare32(cpu, dst, src, imm & AVX_PREDICATES, 1); }
SSEF_DEFINE(vcmpsd) { return compare64(cpu, dst, src, imm & AVX_PREDICATES, 1); }

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
