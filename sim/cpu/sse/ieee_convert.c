#include "sim/cpu/sse/ieee_priv.h"
#include "sim/cpu/sse/ieee_quick.h"

/* --- between formats ----------------------------------------------------------- */

static uint64_t convert(const struct ieee_format *from, const struct ieee_format *to,
                        struct ieee_env *env, uint64_t bits)
{
    struct ieee_num n = ieee_unpack(from, env, bits);
    switch (n.kind) {
    case IEEE_SNAN:
        env->flags |= MXCSR_IE;
        break;
    case IEEE_QNAN:
        break;
    case IEEE_INFINITY:
        return ieee_infinity(to, n.sign);
    case IEEE_ZERO:
        return ieee_zero(to, n.sign);
    case IEEE_FINITE:
        if (n.denormal) {
            env->flags |= MXCSR_DE;
        }
        return ieee_round_pack(to, env, n.sign, n.exp, n.sig, false);
    }
    /* A NaN keeps the top of its payload. */
    uint64_t fraction = bits << (64 - from->fraction) >> (64 - to->fraction);
    return ieee_quiet(to, ieee_infinity(to, n.sign) | fraction);
}

uint64_t f32_to_f64(struct ieee_env *env, uint32_t a)
{
    uint64_t quick;
    return f32_quick_to_f64(a, &quick) ? quick : convert(&binary32, &binary64, env, a);
}

uint32_t f64_to_f32(struct ieee_env *env, uint64_t a)
{
    uint32_t quick;
    return f64_quick_to_f32(env->mxcsr, a, &quick) ? quick : (uint32_t)convert(&binary64, &binary32, env, a);
}

static const struct ieee_format binary16 = { 10, -14, 15, 15 };

uint32_t f16_to_f32(struct ieee_env *env, uint16_t a)
{
    struct ieee_env quiet = { .mxcsr = env->mxcsr & ~(uint32_t)MXCSR_DAZ };
    uint32_t result = (uint32_t)convert(&binary16, &binary32, &quiet, a);
    env->flags |= quiet.flags & MXCSR_IE; /* a half is always a normal single */
    return result;
}

uint16_t f32_to_f16(struct ieee_env *env, uint32_t a)
{
    struct ieee_env unflushed = { .mxcsr = env->mxcsr & ~(uint32_t)MXCSR_FTZ };
    uint16_t result = (uint16_t)convert(&binary32, &binary16, &unflushed, a);
    env->flags |= unflushed.flags;
    return result;
}

/* --- from and to integers -------------------------------------------------------- */

static uint64_t from_int(const struct ieee_format *f, struct ieee_env *env, int64_t v)
{
    if (v == 0) {
        return 0;
    }
    uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    unsigned shift = (unsigned)__builtin_clzll(magnitude);
    return ieee_round_pack(f, env, v < 0, 63 - (int)shift, magnitude << shift, false);
}

uint32_t f32_from_int(struct ieee_env *env, int64_t v)
{
    uint32_t quick;
    return f32_quick_from_int(env->mxcsr, v, &quick) ? quick : (uint32_t)from_int(&binary32, env, v);
}

uint64_t f64_from_int(struct ieee_env *env, int64_t v)
{
    uint64_t quick;
    return f64_quick_from_int(env->mxcsr, v, &quick) ? quick : from_int(&binary64, env, v);
}

static uint64_t to_int(const struct ieee_format *f, struct ieee_env *env, uint64_t a,
                       unsigned bits, bool truncate)
{
    const uint64_t indefinite = 1ull << (bits - 1);
    struct ieee_num n = ieee_unpack(f, env, a);

    if (n.kind == IEEE_ZERO) {
        return 0;
    }
    if (n.kind != IEEE_FINITE || n.exp >= 63) {
        bool lowest = n.kind == IEEE_FINITE && n.sign && n.exp == 63 && n.sig == 1ull << 63;
        if (bits == 64 && lowest) {
            return indefinite; /* -2^63 fits */
        }
        env->flags |= MXCSR_IE;
        return indefinite;
    }
    bool inexact;
    enum rounding rc = truncate ? ROUND_ZERO : ieee_rounding(env);
    uint64_t whole = ieee_round_shift(n.sig, (unsigned)(63 - n.exp), false, n.sign, rc, &inexact);
    if (whole > indefinite - !n.sign) {
        env->flags |= MXCSR_IE;
        return indefinite;
    }
    if (inexact) {
        env->flags |= MXCSR_PE;
    }
    uint64_t result = n.sign ? 0 - whole : whole;
    return bits == 32 ? (uint32_t)result : result;
}

uint64_t f32_to_int(struct ieee_env *env, uint32_t a, unsigned bits, bool truncate)
{
    uint64_t quick;
    if (truncate && f32_quick_truncate(env->mxcsr, a, bits, &quick)) {
        return quick;
    }
    return to_int(&binary32, env, a, bits, truncate);
}

uint64_t f64_to_int(struct ieee_env *env, uint64_t a, unsigned bits, bool truncate)
{
    uint64_t quick;
    if (truncate && f64_quick_truncate(env->mxcsr, a, bits, &quick)) {
        return quick;
    }
    return to_int(&binary64, env, a, bits, truncate);
}

/* SDM Vol 2 "ROUNDPD": a denormal operand raises no DE. */
static uint64_t round_integral(const struct ieee_format *f, struct ieee_env *env, uint64_t a, enum rounding rc, bool quiet)
{
    struct ieee_num n = ieee_unpack(f, env, a);
    bool inexact;

    if (ieee_is_nan(&n)) {
        env->flags |= n.kind == IEEE_SNAN ? MXCSR_IE : 0;
        return ieee_quiet(f, a);
    }
    if (n.kind == IEEE_ZERO) {
        return ieee_zero(f, n.sign);
    }
    if (n.kind == IEEE_INFINITY || n.exp >= (int)f->fraction) {
        return a;
    }
    uint64_t whole = ieee_round_shift(n.sig, (unsigned)(63 - n.exp), false, n.sign, rc, &inexact);
    if (inexact && !quiet) {
        env->flags |= MXCSR_PE;
    }
    if (whole == 0) {
        return ieee_zero(f, n.sign);
    }
    unsigned shift = (unsigned)__builtin_clzll(whole);
    return ieee_round_pack(f, env, n.sign, 63 - (int)shift, whole << shift, false);
}

uint32_t f32_round(struct ieee_env *env, uint32_t a, enum rounding rc, bool quiet)
{
    return (uint32_t)round_integral(&binary32, env, a, rc, quiet);
}

uint64_t f64_round(struct ieee_env *env, uint64_t a, enum rounding rc, bool quiet)
{
    return round_integral(&binary64, env, a, rc, quiet);
}

/* --- approximations ------------------------------------------------------------------ */

enum { F32_FRACTION = 23, F32_BIAS = 127 };

/* 2^exp * significand / 2^23, its 24-bit significand rounded to 12 bits, half up. */
static uint32_t pack_12_bits(bool sign, int exp, uint64_t significand)
{
    uint64_t rounded = (significand + (1 << 11)) & ~0xfffull;
    if (rounded >> (F32_FRACTION + 1)) {
        rounded >>= 1;
        exp++;
    }
    if (exp < binary32.emin) {
        return (uint32_t)ieee_zero(&binary32, sign);
    }
    return (uint32_t)ieee_zero(&binary32, sign) | (uint32_t)(exp + F32_BIAS) << F32_FRACTION |
           ((uint32_t)rounded & ((1u << F32_FRACTION) - 1));
}

uint32_t f32_rcp(uint32_t a)
{
    const struct ieee_env env = { .mxcsr = MXCSR_DAZ };
    struct ieee_num n = ieee_unpack(&binary32, &env, a);
    if (ieee_is_nan(&n)) {
        return (uint32_t)ieee_quiet(&binary32, a);
    }
    if (n.kind == IEEE_ZERO) {
        return (uint32_t)ieee_infinity(&binary32, n.sign);
    }
    if (n.kind == IEEE_INFINITY) {
        return (uint32_t)ieee_zero(&binary32, n.sign);
    }
    uint64_t m = n.sig >> 40; /* [2^23, 2^24) */
    if (m == 1u << F32_FRACTION) {
        return pack_12_bits(n.sign, -n.exp, m);
    }
    return pack_12_bits(n.sign, -n.exp - 1, (1ull << 47) / m);
}

uint32_t f32_rsqrt(uint32_t a)
{
    const struct ieee_env env = { .mxcsr = MXCSR_DAZ };
    struct ieee_env ignored = { 0 };
    struct ieee_num n = ieee_unpack(&binary32, &env, a);
    if (ieee_is_nan(&n)) {
        return (uint32_t)ieee_quiet(&binary32, a);
    }
    if (n.kind == IEEE_ZERO) {
        return (uint32_t)ieee_infinity(&binary32, n.sign);
    }
    if (n.sign) {
        return (uint32_t)ieee_invalid(&binary32, &ignored);
    }
    if (n.kind == IEEE_INFINITY) {
        return 0;
    }
    bool exact, odd = n.exp & 1;
    uint64_t m = (n.sig >> 40) << odd; /* [2^23, 2^25) */
    if (m == 1u << F32_FRACTION) {
        return pack_12_bits(false, -n.exp / 2, m);
    }
    /* 1/sqrt(m) is in (1/2, 1). */
    uint64_t root = ieee_isqrt(((ieee_wide)1 << 71) / m, &exact);
    return pack_12_bits(false, -(n.exp - odd) / 2 - 1, root);
}
