/* SSE3 and SSSE3 between neighbours: horizontal sums, alternating sums, duplicates. */
#include "sim/cpu/sse/sse_priv.h"

/* --- floating point --------------------------------------------------------------- */

#define HORIZONTAL(name)                                                                     \
    SSEF_DEFINE(h##name##ps)                                                                 \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r;                                                                         \
        for (unsigned i = 0; i < 2; i++) {                                                   \
            r.u32[i] = f32_##name(&env, dst->u32[2 * i], dst->u32[2 * i + 1]);               \
            r.u32[2 + i] = f32_##name(&env, src->u32[2 * i], src->u32[2 * i + 1]);           \
        }                                                                                    \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }                                                                                        \
    SSEF_DEFINE(h##name##pd)                                                                 \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r;                                                                         \
        r.u64[0] = f64_##name(&env, dst->u64[0], dst->u64[1]);                               \
        r.u64[1] = f64_##name(&env, src->u64[0], src->u64[1]);                               \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }

HORIZONTAL(add)
HORIZONTAL(sub)

SSEF_DEFINE(addsubps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i += 2) {
        r.u32[i] = f32_sub(&env, dst->u32[i], src->u32[i]);
        r.u32[i + 1] = f32_add(&env, dst->u32[i + 1], src->u32[i + 1]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(addsubpd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    r.u64[0] = f64_sub(&env, dst->u64[0], src->u64[0]);
    r.u64[1] = f64_add(&env, dst->u64[1], src->u64[1]);
    return sse_end_with(cpu, &env, dst, &r);
}

SSE_DEFINE(movddup)
{
    dst->u64[0] = dst->u64[1] = src->u64[0];
}

SSE_DEFINE(movsldup)
{
    union xmm b = *src;
    dst->u32[0] = dst->u32[1] = b.u32[0];
    dst->u32[2] = dst->u32[3] = b.u32[2];
}

SSE_DEFINE(movshdup)
{
    union xmm b = *src;
    dst->u32[0] = dst->u32[1] = b.u32[1];
    dst->u32[2] = dst->u32[3] = b.u32[3];
}

/* --- integers --------------------------------------------------------------------------- */

/* The low half of the result from pairs of dst, the high half from pairs of src. */
#define HORIZONTAL_INTEGER(name, element, count, type, expression)                           \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        union xmm x = *dst, y = *src;                                                        \
        for (unsigned i = 0; i < (count) / 2; i++) {                                         \
            type a = (type)x.element[2 * i], b = (type)x.element[2 * i + 1];                 \
            dst->element[i] = (__typeof__(dst->element[0]))(expression);                     \
            a = (type)y.element[2 * i];                                                      \
            b = (type)y.element[2 * i + 1];                                                  \
            dst->element[(count) / 2 + i] = (__typeof__(dst->element[0]))(expression);       \
        }                                                                                    \
    }

HORIZONTAL_INTEGER(phaddw, u16, 8, uint16_t, a + b)
HORIZONTAL_INTEGER(phaddd, u32, 4, uint32_t, a + b)
HORIZONTAL_INTEGER(phaddsw, u16, 8, int16_t, sse_clamp(a + b, INT16_MIN, INT16_MAX))
HORIZONTAL_INTEGER(phsubw, u16, 8, uint16_t, a - b)
HORIZONTAL_INTEGER(phsubd, u32, 4, uint32_t, a - b)
HORIZONTAL_INTEGER(phsubsw, u16, 8, int16_t, sse_clamp(a - b, INT16_MIN, INT16_MAX))
