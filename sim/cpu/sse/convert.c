#include "sim/cpu/sse/sse_priv.h"

/* --- between the formats ---------------------------------------------------------- */

SSEF_DEFINE(cvtps2pd)
{
    struct ieee_env env = sse_begin(cpu);
    uint64_t low = f32_to_f64(&env, src->u32[0]);
    uint64_t high = f32_to_f64(&env, src->u32[1]);
    union xmm r = { .u64 = { low, high } };
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cvtpd2ps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = { .u64 = { 0, 0 } };
    for (unsigned i = 0; i < 2; i++) {
        r.u32[i] = f64_to_f32(&env, src->u64[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cvtss2sd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u64[0] = f32_to_f64(&env, src->u32[0]);
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cvtsd2ss)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r = *dst;
    r.u32[0] = f64_to_f32(&env, src->u64[0]);
    return sse_end_with(cpu, &env, dst, &r);
}

/* --- packed integers ---------------------------------------------------------------- */

SSEF_DEFINE(cvtdq2ps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = f32_from_int(&env, (int32_t)src->u32[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

SSEF_DEFINE(cvtdq2pd)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 2; i-- > 0;) {
        r.u64[i] = f64_from_int(&env, (int32_t)src->u32[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

#define PS_TO_DQ(name, truncate)                                                             \
    SSEF_DEFINE(name)                                                                         \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r;                                                                         \
        for (unsigned i = 0; i < 4; i++) {                                                   \
            r.u32[i] = (uint32_t)f32_to_int(&env, src->u32[i], 32, truncate);                \
        }                                                                                    \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }

#define PD_TO_DQ(name, truncate)                                                             \
    SSEF_DEFINE(name)                                                                         \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r = { .u64 = { 0, 0 } };                                                   \
        for (unsigned i = 0; i < 2; i++) {                                                   \
            r.u32[i] = (uint32_t)f64_to_int(&env, src->u64[i], 32, truncate);                \
        }                                                                                    \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }

PS_TO_DQ(cvtps2dq, false)
PS_TO_DQ(cvttps2dq, true)
PD_TO_DQ(cvtpd2dq, false)
PD_TO_DQ(cvttpd2dq, true)

/* --- general registers ----------------------------------------------------------------- */

#define FROM_REGISTER(name, format, element, integer)                                        \
    SSEF_DEFINE(name)                                                                         \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        union xmm r = *dst;                                                                  \
        r.element[0] = format##_from_int(&env, (integer)src->u64[0]);                        \
        return sse_end_with(cpu, &env, dst, &r);                                             \
    }

FROM_REGISTER(cvtsi2ss, f32, u32, int32_t)
FROM_REGISTER(cvtsi2sd, f64, u64, int32_t)
FROM_REGISTER(cvtsq2ss, f32, u32, int64_t)
FROM_REGISTER(cvtsq2sd, f64, u64, int64_t)

#define TO_REGISTER(name, format, element, bits, truncate)                                   \
    SSEF_DEFINE(name)                                                                         \
    {                                                                                        \
        struct ieee_env env = sse_begin(cpu);                                                \
        uint64_t value = format##_to_int(&env, src->element[0], bits, truncate);             \
        enum exec_result done = sse_end(cpu, &env);                                          \
        if (done == EXEC_OK) {                                                               \
            dst->u64[0] = value;                                                             \
        }                                                                                    \
        return done;                                                                         \
    }

TO_REGISTER(cvtss2si, f32, u32, 32, false)
TO_REGISTER(cvtss2sq, f32, u32, 64, false)
TO_REGISTER(cvttss2si, f32, u32, 32, true)
TO_REGISTER(cvttss2sq, f32, u32, 64, true)
TO_REGISTER(cvtsd2si, f64, u64, 32, false)
TO_REGISTER(cvtsd2sq, f64, u64, 64, false)
TO_REGISTER(cvttsd2si, f64, u64, 32, true)
TO_REGISTER(cvttsd2sq, f64, u64, 64, true)
