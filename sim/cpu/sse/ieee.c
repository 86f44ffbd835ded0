#include "sim/cpu/sse/ieee.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "sim/cpu/sse/ieee_priv.h"
#include "sim/cpu/sse/ieee_quick.h"

/* The short cut needs a host that rounds each operation to its own type. */
static_assert(FLT_EVAL_METHOD == 0, "floating point must not be evaluated in a wider type");

void ieee_assert_host(void)
{
    volatile double tiny = DBL_MIN, one = 1, ulp = DBL_EPSILON;
    assert(tiny / 2 > 0 && tiny / 2 * 2 == tiny);
    assert(one + ulp / 2 == one && one + ulp * 3 / 4 == one + ulp);
}

/* --- unpacking, rounding, packing ------------------------------------------ */

static uint64_t sign_bit(const struct ieee_format *f, bool sign)
{
    return (uint64_t)sign << f->sign;
}

static uint64_t exponent_ones(const struct ieee_format *f)
{
    return (2 * (uint64_t)f->emax + 1) << f->fraction;
}

uint64_t ieee_zero(const struct ieee_format *f, bool sign)
{
    return sign_bit(f, sign);
}

uint64_t ieee_infinity(const struct ieee_format *f, bool sign)
{
    return sign_bit(f, sign) | exponent_ones(f);
}

uint64_t ieee_quiet(const struct ieee_format *f, uint64_t nan)
{
    return nan | 1ull << (f->fraction - 1);
}

uint64_t ieee_invalid(const struct ieee_format *f, struct ieee_env *env)
{
    env->flags |= MXCSR_IE;
    return ieee_quiet(f, ieee_infinity(f, true)); /* the QNaN floating-point indefinite */
}

struct ieee_num ieee_unpack(const struct ieee_format *f, const struct ieee_env *env, uint64_t bits)
{
    uint64_t fraction = bits & ((1ull << f->fraction) - 1);
    unsigned biased = (unsigned)(bits >> f->fraction) & (2 * (unsigned)f->emax + 1);
    struct ieee_num n = { .sign = (bits & sign_bit(f, true)) != 0, .bits = bits };

    if (biased == 2 * (unsigned)f->emax + 1) {
        bool quiet = fraction >> (f->fraction - 1);
        n.kind = fraction == 0 ? IEEE_INFINITY : quiet ? IEEE_QNAN : IEEE_SNAN;
    } else if (biased != 0) {
        n.kind = IEEE_FINITE;
        n.exp = (int)biased - f->emax;
        n.sig = 1ull << 63 | fraction << (63 - f->fraction);
    } else if (fraction != 0 && !(env->mxcsr & MXCSR_DAZ)) {
        unsigned shift = (unsigned)__builtin_clzll(fraction);
        n.kind = IEEE_FINITE;
        n.denormal = true;
        n.sig = fraction << shift;
        n.exp = f->emin + 63 - (int)f->fraction - (int)shift;
    }
    return n;
}

uint64_t ieee_round_shift(uint64_t sig, unsigned shift, bool sticky, bool sign, enum rounding rc,
                          bool *inexact)
{
    const uint64_t half = 1ull << 63;
    uint64_t whole = shift < 64 ? sig >> shift : 0;
    uint64_t rest = 0; /* what is below the result's last bit [2^-64 of it] */

    if (shift > 64) {
        rest = sig != 0;
    } else if (shift != 0) {
        rest = shift == 64 ? sig : sig << (64 - shift);
    }
    rest |= sticky;
    *inexact = rest != 0;

    bool up = false;
    switch (rc) {
    case ROUND_NEAREST: up = rest > half || (rest == half && (whole & 1)); break;
    case ROUND_DOWN: up = sign && rest; break;
    case ROUND_UP: up = !sign && rest; break;
    case ROUND_ZERO: break;
    }
    return whole + up;
}

/* 'inexact': so would the result be if exponents had no limit.  That counts while
 * the exception is unmasked; the masked response is inexact by itself. */
static uint64_t pack_overflow(const struct ieee_format *f, struct ieee_env *env, bool sign, bool inexact)
{
    enum rounding rc = ieee_rounding(env);
    bool infinite = rc == ROUND_NEAREST || rc == (sign ? ROUND_DOWN : ROUND_UP);

    env->flags |= MXCSR_OE;
    if (inexact || (env->mxcsr & MXCSR_OM)) {
        env->flags |= MXCSR_PE;
    }
    return ieee_infinity(f, sign) - !infinite; /* the bit pattern below is the largest number */
}

/* Unmasked: the fault's flags are those of a result without exponent limits. */
static uint64_t unmasked_tiny(struct ieee_env *env, bool inexact)
{
    env->flags |= MXCSR_UE | (inexact ? MXCSR_PE : 0);
    return 0;
}

/* Tiny after rounding, masked (SDM Vol 1 "Numeric Underflow Exception"). */
static uint64_t pack_tiny(const struct ieee_format *f, struct ieee_env *env, bool sign, int exp,
                          uint64_t sig, bool sticky)
{
    bool inexact;
    unsigned shift = 63 - f->fraction + (unsigned)(f->emin - exp);
    uint64_t whole = ieee_round_shift(sig, shift, sticky, sign, ieee_rounding(env), &inexact);

    if (env->mxcsr & MXCSR_FTZ) {
        env->flags |= MXCSR_UE | MXCSR_PE;
        return ieee_zero(f, sign);
    }
    if (inexact) {
        env->flags |= MXCSR_UE | MXCSR_PE;
    }
    return sign_bit(f, sign) | whole; /* a carry gives the smallest normal number */
}

uint64_t ieee_round_pack(const struct ieee_format *f, struct ieee_env *env, bool sign, int exp,
                         uint64_t sig, bool sticky)
{
    bool inexact;
    int rounded_exp = exp;
    uint64_t whole = ieee_round_shift(sig, 63 - f->fraction, sticky, sign, ieee_rounding(env),
                                      &inexact);
    if (whole >> (f->fraction + 1)) {
        whole >>= 1;
        rounded_exp++;
    }
    if (rounded_exp > f->emax) {
        return pack_overflow(f, env, sign, inexact);
    }
    if (rounded_exp < f->emin) {
        return env->mxcsr & MXCSR_UM ? pack_tiny(f, env, sign, exp, sig, sticky) : unmasked_tiny(env, inexact);
    }
    if (inexact) {
        env->flags |= MXCSR_PE;
    }
    uint64_t fraction = whole & ((1ull << f->fraction) - 1);
    return sign_bit(f, sign) | (uint64_t)(rounded_exp + f->emax) << f->fraction | fraction;
}

/* --- NaNs and denormals of two operands ------------------------------------ */

/* True when the result is a NaN operand: the first if it is one, made quiet
 * (SDM Vol 1 "Rules for Handling NaNs"). */
static bool take_nan(const struct ieee_format *f, struct ieee_env *env, const struct ieee_num *a,
                     const struct ieee_num *b, uint64_t *result)
{
    if (!ieee_is_nan(a) && !ieee_is_nan(b)) {
        return false;
    }
    if (a->kind == IEEE_SNAN || b->kind == IEEE_SNAN) {
        env->flags |= MXCSR_IE;
    }
    *result = ieee_quiet(f, ieee_is_nan(a) ? a->bits : b->bits);
    return true;
}

static void note_denormal(struct ieee_env *env, const struct ieee_num *a, const struct ieee_num *b)
{
    if (a->denormal || b->denormal) {
        env->flags |= MXCSR_DE;
    }
}

/* --- add, multiply, divide, square root ------------------------------------- */

ieee_wide ieee_shift_right_jam(ieee_wide v, unsigned by)
{
    if (by == 0) {
        return v;
    }
    if (by > 127) {
        return v != 0;
    }
    return v >> by | ((v << (128 - by)) != 0);
}

static unsigned wide_clz(ieee_wide v)
{
    uint64_t high = (uint64_t)(v >> 64);
    return (unsigned)(high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)v));
}

uint64_t ieee_pack_wide(const struct ieee_format *f, struct ieee_env *env, bool sign, int exp, ieee_wide v)
{
    unsigned shift = wide_clz(v);
    v <<= shift;
    return ieee_round_pack(f, env, sign, exp - (int)shift, (uint64_t)(v >> 64), (uint64_t)v != 0);
}

static uint64_t add_finite(const struct ieee_format *f, struct ieee_env *env, struct ieee_num a,
                           struct ieee_num b)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct ieee_num larger = b;
        b = a;
        a = larger;
    }
    ieee_wide x = (ieee_wide)a.sig << 63;
    ieee_wide y = ieee_shift_right_jam((ieee_wide)b.sig << 63, (unsigned)(a.exp - b.exp));
    x = a.sign == b.sign ? x + y : x - y;
    if (x == 0) {
        return ieee_zero(f, ieee_rounding(env) == ROUND_DOWN);
    }
    return ieee_pack_wide(f, env, a.sign, a.exp + 1, x);
}

static uint64_t add(const struct ieee_format *f, struct ieee_env *env, uint64_t a_bits,
                    uint64_t b_bits, bool negate_b)
{
    struct ieee_num a = ieee_unpack(f, env, a_bits), b = ieee_unpack(f, env, b_bits);
    uint64_t result;

    if (take_nan(f, env, &a, &b, &result)) {
        return result;
    }
    b.sign ^= negate_b;
    if (a.kind == IEEE_INFINITY && b.kind == IEEE_INFINITY && a.sign != b.sign) {
        return ieee_invalid(f, env);
    }
    note_denormal(env, &a, &b);
    if (a.kind == IEEE_INFINITY || b.kind == IEEE_INFINITY) {
        return ieee_infinity(f, a.kind == IEEE_INFINITY ? a.sign : b.sign);
    }
    if (a.kind == IEEE_ZERO && b.kind == IEEE_ZERO) {
        return ieee_zero(f, a.sign == b.sign ? a.sign : ieee_rounding(env) == ROUND_DOWN);
    }
    if (a.kind == IEEE_ZERO || b.kind == IEEE_ZERO) {
        const struct ieee_num *n = a.kind == IEEE_ZERO ? &b : &a;
        return ieee_round_pack(f, env, n->sign, n->exp, n->sig, false);
    }
    return add_finite(f, env, a, b);
}

static uint64_t multiply(const struct ieee_format *f, struct ieee_env *env, uint64_t a_bits,
                         uint64_t b_bits)
{
    struct ieee_num a = ieee_unpack(f, env, a_bits), b = ieee_unpack(f, env, b_bits);
    bool sign = a.sign ^ b.sign;
    uint64_t result;

    if (take_nan(f, env, &a, &b, &result)) {
        return result;
    }
    bool infinite = a.kind == IEEE_INFINITY || b.kind == IEEE_INFINITY;
    bool zero = a.kind == IEEE_ZERO || b.kind == IEEE_ZERO;
    if (infinite && zero) {
        return ieee_invalid(f, env);
    }
    note_denormal(env, &a, &b);
    if (infinite || zero) {
        return infinite ? ieee_infinity(f, sign) : ieee_zero(f, sign);
    }
    return ieee_pack_wide(f, env, sign, a.exp + b.exp + 1, (ieee_wide)a.sig * b.sig);
}

static uint64_t divide_finite(const struct ieee_format *f, struct ieee_env *env, bool sign,
                              const struct ieee_num *a, const struct ieee_num *b)
{
    bool smaller = a->sig < b->sig;
    ieee_wide dividend = (ieee_wide)a->sig << (smaller ? 64 : 63);
    uint64_t quotient = (uint64_t)(dividend / b->sig);
    bool rest = dividend % b->sig != 0;
    return ieee_round_pack(f, env, sign, a->exp - b->exp - smaller, quotient, rest);
}

static uint64_t divide(const struct ieee_format *f, struct ieee_env *env, uint64_t a_bits,
                       uint64_t b_bits)
{
    struct ieee_num a = ieee_unpack(f, env, a_bits), b = ieee_unpack(f, env, b_bits);
    bool sign = a.sign ^ b.sign;
    uint64_t result;

    if (take_nan(f, env, &a, &b, &result)) {
        return result;
    }
    if (a.kind == b.kind && a.kind != IEEE_FINITE) {
        return ieee_invalid(f, env); /* 0/0, inf/inf */
    }
    if (b.kind == IEEE_ZERO && a.kind != IEEE_INFINITY) {
        env->flags |= MXCSR_ZE; /* of higher priority than a denormal dividend's DE */
        return ieee_infinity(f, sign);
    }
    note_denormal(env, &a, &b);
    if (a.kind == IEEE_INFINITY) {
        return ieee_infinity(f, sign);
    }
    if (a.kind == IEEE_ZERO || b.kind == IEEE_INFINITY) {
        return ieee_zero(f, sign);
    }
    return divide_finite(f, env, sign, &a, &b);
}

uint64_t ieee_isqrt(ieee_wide n, bool *exact)
{
    uint64_t root = 0;
    ieee_wide rest = n;
    for (int bit = 63; bit >= 0; bit--) {
        ieee_wide trial = ((ieee_wide)root << (bit + 1)) + ((ieee_wide)1 << (2 * bit));
        if (rest >= trial) {
            rest -= trial;
            root |= 1ull << bit;
        }
    }
    *exact = rest == 0;
    return root;
}

static uint64_t square_root(const struct ieee_format *f, struct ieee_env *env, uint64_t bits)
{
    struct ieee_num a = ieee_unpack(f, env, bits);
    uint64_t result;

    if (take_nan(f, env, &a, &a, &result)) {
        return result;
    }
    if (a.kind == IEEE_ZERO) {
        return ieee_zero(f, a.sign);
    }
    if (a.sign) {
        return ieee_invalid(f, env);
    }
    note_denormal(env, &a, &a);
    if (a.kind == IEEE_INFINITY) {
        return a.bits;
    }
    bool exact, odd = a.exp & 1;
    uint64_t root = ieee_isqrt((ieee_wide)a.sig << (odd ? 64 : 63), &exact);
    return ieee_round_pack(f, env, false, (a.exp - odd) / 2, root, !exact);
}

/* --- compare, minimum, maximum ----------------------------------------------- */

/* Order of two numbers that are no NaNs. */
static enum ieee_order order(const struct ieee_num *a, const struct ieee_num *b)
{
    if (a->kind == IEEE_ZERO && b->kind == IEEE_ZERO) {
        return IEEE_EQUAL;
    }
    if (a->sign != b->sign) {
        return a->sign ? IEEE_LESS : IEEE_GREATER; /* a zero is never alone on its side here */
    }
    bool above = a->kind != b->kind ? a->kind > b->kind
               : a->exp != b->exp   ? a->exp > b->exp
                                    : a->sig > b->sig;
    if (a->kind == b->kind && a->exp == b->exp && a->sig == b->sig) {
        return IEEE_EQUAL;
    }
    return above != a->sign ? IEEE_GREATER : IEEE_LESS;
}

static enum ieee_order compare(const struct ieee_format *f, struct ieee_env *env, uint64_t a_bits,
                               uint64_t b_bits, bool quiet)
{
    struct ieee_num a = ieee_unpack(f, env, a_bits), b = ieee_unpack(f, env, b_bits);
    if (ieee_is_nan(&a) || ieee_is_nan(&b)) {
        if (!quiet || a.kind == IEEE_SNAN || b.kind == IEEE_SNAN) {
            env->flags |= MXCSR_IE;
        }
        return IEEE_UNORDERED;
    }
    note_denormal(env, &a, &b);
    return order(&a, &b);
}

/* The second operand, unless the first is truly less (or greater): so zeros
 * and NaNs give the second (SDM Vol 2 "MINPS", "MAXPS"). */
static uint64_t choose(const struct ieee_format *f, struct ieee_env *env, uint64_t a, uint64_t b,
                       enum ieee_order wanted)
{
    uint64_t chosen = compare(f, env, a, b, false) == wanted ? a : b;
    struct ieee_num n = ieee_unpack(f, env, chosen);
    return n.kind == IEEE_ZERO ? ieee_zero(f, n.sign) : chosen; /* DAZ shows in the result */
}

/* --- the two formats ----------------------------------------------------------- */

#define ARITHMETIC(name, exact)                                                        \
    uint32_t f32_##name(struct ieee_env *env, uint32_t a, uint32_t b)                  \
    {                                                                                  \
        const struct ieee_format *f = &binary32;                                       \
        uint32_t quick;                                                                \
        return f32_quick_##name(env->mxcsr, a, b, &quick) ? quick : (uint32_t)exact;   \
    }                                                                                  \
    uint64_t f64_##name(struct ieee_env *env, uint64_t a, uint64_t b)                  \
    {                                                                                  \
        const struct ieee_format *f = &binary64;                                       \
        uint64_t quick;                                                                \
        return f64_quick_##name(env->mxcsr, a, b, &quick) ? quick : exact;             \
    }

ARITHMETIC(add, add(f, env, a, b, false))
ARITHMETIC(sub, add(f, env, a, b, true))
ARITHMETIC(mul, multiply(f, env, a, b))
ARITHMETIC(div, divide(f, env, a, b))

uint32_t f32_sqrt(struct ieee_env *env, uint32_t a)
{
    uint32_t quick;
    return f32_quick_sqrt(env->mxcsr, a, &quick) ? quick : (uint32_t)square_root(&binary32, env, a);
}

uint64_t f64_sqrt(struct ieee_env *env, uint64_t a)
{
    uint64_t quick;
    return f64_quick_sqrt(env->mxcsr, a, &quick) ? quick : square_root(&binary64, env, a);
}

uint32_t f32_min(struct ieee_env *env, uint32_t a, uint32_t b)
{
    uint32_t quick;
    return f32_quick_min(a, b, &quick) ? quick : (uint32_t)choose(&binary32, env, a, b, IEEE_LESS);
}
uint32_t f32_max(struct ieee_env *env, uint32_t a, uint32_t b)
{
    uint32_t quick;
    return f32_quick_max(a, b, &quick) ? quick : (uint32_t)choose(&binary32, env, a, b, IEEE_GREATER);
}
uint64_t f64_min(struct ieee_env *env, uint64_t a, uint64_t b)
{
    uint64_t quick;
    return f64_quick_min(a, b, &quick) ? quick : choose(&binary64, env, a, b, IEEE_LESS);
}
uint64_t f64_max(struct ieee_env *env, uint64_t a, uint64_t b)
{
    uint64_t quick;
    return f64_quick_max(a, b, &quick) ? quick : choose(&binary64, env, a, b, IEEE_GREATER);
}

enum ieee_order f32_compare(struct ieee_env *env, uint32_t a, uint32_t b, bool quiet)
{
    enum ieee_order quick;
    return f32_quick_compare(a, b, &quick) ? quick : compare(&binary32, env, a, b, quiet);
}
enum ieee_order f64_compare(struct ieee_env *env, uint64_t a, uint64_t b, bool quiet)
{
    enum ieee_order quick;
    return f64_quick_compare(a, b, &quick) ? quick : compare(&binary64, env, a, b, quiet);
}
