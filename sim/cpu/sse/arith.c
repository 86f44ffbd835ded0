#include "sim/cpu/sse/sse_priv.h"

enum { CR4_OSXMMEXCPT = 1 << 10 };

/* SDM Vol 1 "Handling Unmasked Exceptions": an unmasked exception that is
 * found before the computation keeps later ones from showing. */
enum exec_result sse_commit_flags(struct cpu *cpu, uint32_t flags)
{
    const uint32_t before = MXCSR_IE | MXCSR_DE | MXCSR_ZE;
    uint32_t unmasked = flags & ~(cpu->mxcsr >> MXCSR_MASK_SHIFT);

    if (cpu->avx_collects) {
        cpu->avx_flags |= flags;
        return EXEC_OK;
    }
    if (unmasked & before) {
        flags &= before;
    }
    cpu->mxcsr |= flags;
    if (unmasked) {
        return cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? X_XM : X_UD);
    }
    return EXEC_OK;
}

/* The four forms of an operation on two numbers. */
#define BINARY(name)                                                                         \
    SSEF_DEFINE(name##ps)                                                                     \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r;                                                                         \
        for (unsigned i = 0; i < 4; i++) {                                                   \
            r.u32[i] = f32_##name(&env, dst->u32[i], src->u32[i]);                           \
        }                                                                                    \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }                                                                                        \
    SSEF_DEFINE(name##pd)                                                                     \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r;                                                                         \
        for (unsigned i = 0; i < 2; i++) {                                                   \
            r.u64[i] = f64_##name(&env, dst->u64[i], src->u64[i]);                           \
        }                                                                                    \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }                                                                                        \
    SSEF_DEFINE(name##ss)                                                                     \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r = *dst;                                                                  \
        r.u32[0] = f32_##name(&env, dst->u32[0], src->u32[0]);                               \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }                                                                                        \
    SSEF_DEFINE(name##sd)                                                                     \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r = *dst;                                                                  \
        r.u64[0] = f64_##name(&env, dst->u64[0], src->u64[0]);                               \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(min)
BINARY(max)

SSEF_DEFINE(sqrtps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = f32_sqrt(&env, src->u32[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(sqrtpd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 2; i++) {
        r.u64[i] = f64_sqrt(&env, src->u64[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(sqrtss)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u32[0] = f32_sqrt(&env, src->u32[0]);
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(sqrtsd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u64[0] = f64_sqrt(&env, src->u64[0]);
    return sse_end_with(cpu, &env, dst, &r);
}

/* The approximations raise nothing. */
#define APPROXIMATION(name)                                                                  \
    SSE_DEFINE(name##ps)                                                                     \
    {                                                                                        \
        for (unsigned i = 0; i < 4; i++) {                                                   \
            dst->u32[i] = f32_##name(src->u32[i]);                                           \
        }                                                                                    \
    }                                                                                        \
    SSE_DEFINE(name##ss)                                                                     \
    {                                                                                        \
        dst->u32[0] = f32_##name(src->u32[0]);                                               \
    }

APPROXIMATION(rcp)
APPROXIMATION(rsqrt)
