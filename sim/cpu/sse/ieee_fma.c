/* Fused multiply-add: one rounding of an exact product and sum. */
#include <math.h>

#include "sim/cpu/sse/ieee_priv.h"
#include "sim/cpu/sse/ieee_quick.h"

/* The product's sign and the addend as they count; NaNs keep theirs. */
struct fused { struct ieee_num a, b, c; bool sign; };

/* SDM Vol 1 "Fused-Multiply-ADD (FMA) Numeric Behavior": of several NaNs the first in the order multiplicand, multiplier,
 * addend; infinity times zero is invalid unless there is one. */
static bool special_nan(const struct ieee_format *f, struct ieee_env *env, const struct fused *x, uint64_t *result)
{
    const struct ieee_num *nan = ieee_is_nan(&x->a) ? &x->a : ieee_is_nan(&x->b) ? &x->b : ieee_is_nan(&x->c) ? &x->c : NULL;

    if (!nan) {
        return false;
    }
    if (x->a.kind == IEEE_SNAN || x->b.kind == IEEE_SNAN || x->c.kind == IEEE_SNAN) {
        env->flags |= MXCSR_IE;
    }
    *result = ieee_quiet(f, nan->bits);
    return true;
}

static bool special(const struct ieee_format *f, struct ieee_env *env, const struct fused *x, uint64_t *result)
{
    bool infinite = x->a.kind == IEEE_INFINITY || x->b.kind == IEEE_INFINITY;
    bool zero = x->a.kind == IEEE_ZERO || x->b.kind == IEEE_ZERO;

    if (special_nan(f, env, x, result)) {
        return true;
    }
    if ((infinite && zero) || (infinite && x->c.kind == IEEE_INFINITY && x->c.sign != x->sign)) {
        *result = ieee_invalid(f, env);
        return true;
    }
    if (x->a.denormal || x->b.denormal || x->c.denormal) {
        env->flags |= MXCSR_DE;
    }
    if (infinite || x->c.kind == IEEE_INFINITY) {
        *result = ieee_infinity(f, infinite ? x->sign : x->c.sign);
        return true;
    }
    if (!zero) {
        return false;
    }
    if (x->c.kind == IEEE_ZERO) {
        *result = ieee_zero(f, x->sign == x->c.sign ? x->sign : ieee_rounding(env) == ROUND_DOWN);
    } else {
        *result = ieee_round_pack(f, env, x->c.sign, x->c.exp, x->c.sig, false);
    }
    return true;
}

/* Both numbers are v * 2^(exp - 127) with room for a carry.  Whatever is shifted out jams into the last bit: it is more
 * than the rounding looks at, as cancellation beyond one bit needs exponents so near that nothing is shifted out. */
static uint64_t add_up(const struct ieee_format *f, struct ieee_env *env, const struct fused *x)
{
    ieee_wide product = (ieee_wide)x->a.sig * x->b.sig >> 1; /* its low bits are zero */
    ieee_wide addend = (ieee_wide)x->c.sig << 63;
    int exp = x->a.exp + x->b.exp + 2, addend_exp = x->c.exp + 1;

    if (x->c.kind == IEEE_ZERO) {
        return ieee_pack_wide(f, env, x->sign, exp, product);
    }
    if (exp > addend_exp) {
        addend = ieee_shift_right_jam(addend, (unsigned)(exp - addend_exp));
    } else {
        product = ieee_shift_right_jam(product, (unsigned)(addend_exp - exp));
        exp = addend_exp;
    }
    if (x->sign == x->c.sign) {
        return ieee_pack_wide(f, env, x->sign, exp, product + addend);
    }
    if (product == addend) {
        return ieee_zero(f, ieee_rounding(env) == ROUND_DOWN);
    }
    bool larger = product > addend;
    return ieee_pack_wide(f, env, larger ? x->sign : x->c.sign, exp, larger ? product - addend : addend - product);
}

static uint64_t fused_multiply_add(const struct ieee_format *f, struct ieee_env *env, uint64_t a, uint64_t b, uint64_t c,
                                   unsigned negate)
{
    struct fused x = { ieee_unpack(f, env, a), ieee_unpack(f, env, b), ieee_unpack(f, env, c), false };
    uint64_t result;

    x.sign = x.a.sign ^ x.b.sign ^ !!(negate & IEEE_NEGATE_PRODUCT);
    x.c.sign ^= !!(negate & IEEE_NEGATE_ADDEND);
    return special(f, env, &x, &result) ? result : add_up(f, env, &x);
}

/* Inexact is known already, so the host's own fused operation can add no flag (ieee_quick.h). */
static bool may_be_quick(const struct ieee_env *env)
{
    return ieee_quick(env->mxcsr) && env->mxcsr & MXCSR_PE;
}

uint32_t f32_fma(struct ieee_env *env, uint32_t a, uint32_t b, uint32_t c, unsigned negate)
{
    if (may_be_quick(env) && f32_number(a) && f32_number(b) && f32_number(c)) {
        uint32_t x = negate & IEEE_NEGATE_PRODUCT ? a ^ 1u << 31 : a, z = negate & IEEE_NEGATE_ADDEND ? c ^ 1u << 31 : c;
        uint32_t quick = ieee_f32_bits(fmaf(ieee_f32(x), ieee_f32(b), ieee_f32(z)));
        if (f32_safe(quick)) {
            return quick;
        }
    }
    return (uint32_t)fused_multiply_add(&binary32, env, a, b, c, negate);
}

uint64_t f64_fma(struct ieee_env *env, uint64_t a, uint64_t b, uint64_t c, unsigned negate)
{
    if (may_be_quick(env) && f64_number(a) && f64_number(b) && f64_number(c)) {
        uint64_t x = negate & IEEE_NEGATE_PRODUCT ? a ^ 1ull << 63 : a, z = negate & IEEE_NEGATE_ADDEND ? c ^ 1ull << 63 : c;
        uint64_t quick = ieee_f64_bits(fma(ieee_f64(x), ieee_f64(b), ieee_f64(z)));
        if (f64_safe(quick)) {
            return quick;
        }
    }
    return fused_multiply_add(&binary64, env, a, b, c, negate);
}
