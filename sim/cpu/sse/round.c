/* ROUNDxx and the dot products of SSE4.1. */
#include "sim/cpu/sse/sse_priv.h"

/* SDM Vol 2 "ROUNDPD", "Rounding Modes and Encoding of Immediate Byte". */
enum { IMM_RC = 3, IMM_MXCSR_RC = 1 << 2, IMM_NO_PRECISION = 1 << 3 };

static enum rounding rounding(const struct ieee_env *env, unsigned imm)
{
    return (enum rounding)(imm & IMM_MXCSR_RC ? (env->mxcsr & MXCSR_RC) >> MXCSR_RC_SHIFT : imm & IMM_RC);
}

static uint32_t round32(struct ieee_env *env, uint32_t a, unsigned imm)
{
    return f32_round(env, a, rounding(env, imm), imm & IMM_NO_PRECISION);
}

static uint64_t round64(struct ieee_env *env, uint64_t a, unsigned imm)
{
    return f64_round(env, a, rounding(env, imm), imm & IMM_NO_PRECISION);
}

SSEF_DEFINE(roundps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = round32(&env, src->u32[i], imm);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(roundpd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 2; i++) {
        r.u64[i] = round64(&env, src->u64[i], imm);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(roundss)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u32[0] = round32(&env, src->u32[0], imm);
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(roundsd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u64[0] = round64(&env, src->u64[0], imm);
    return sse_end_with(cpu, &env, dst, &r);
}

/* --- dot products: imm[7:4] chooses products, imm[3:0] where the sum goes ------------------------- */

/* The flags of one step count before the next is begun: an unmasked exception ends it there. */
SSEF_DEFINE(dpps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = imm >> (4 + i) & 1 ? f32_mul(&env, dst->u32[i], src->u32[i]) : 0;
    }
    if (sse_end(cpu, &env) != EXEC_OK) {
        return EXEC_FAULT;
    }
    uint32_t low = f32_add(&env, r.u32[0], r.u32[1]), high = f32_add(&env, r.u32[2], r.u32[3]);
    if (sse_end(cpu, &env) != EXEC_OK) {
        return EXEC_FAULT;
    }
    uint32_t sum = f32_add(&env, low, high);
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = imm >> i & 1 ? sum : 0;
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(dppd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 2; i++) {
        r.u64[i] = imm >> (4 + i) & 1 ? f64_mul(&env, dst->u64[i], src->u64[i]) : 0;
    }
    if (sse_end(cpu, &env) != EXEC_OK) {
        return EXEC_FAULT;
    }
    uint64_t sum = f64_add(&env, r.u64[0], r.u64[1]);
    for (unsigned i = 0; i < 2; i++) {
        r.u64[i] = imm >> i & 1 ? sum : 0;
    }
    return sse_end_with(cpu, &env, dst, &r);
}
