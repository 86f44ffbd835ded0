/* Elementary functions, correctly rounded by MPFR.
 *
 * Three steps, the same for all: special operands by the tables of SDM Vol 2; the function in MPFR with
 * 64 bits, rounded as RC says (MPFR's own proof makes that exact); packing, where the exponent may
 * turn out too small.  When a result is tiny it is computed once more with many bits, so that
 * rounding happens once.
 *
 * Trigonometric operands are reduced by a pi of 66 bits, as SDM Vol 1 "Approximation of Pi" has it: the
 * result is the exact function of what the unit takes for the remainder.
 */
#include <mpfr.h>

#include "sim/cpu/x87/f80_priv.h"

enum { WIDE_BITS = 400, EXACT_BITS = 64 + 16384 * 2 + 128 };

static mpfr_rnd_t rounding(const struct f80_env *e)
{
    static const mpfr_rnd_t modes[] = { MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ };
    return modes[f80_rounding(e)];
}

/* v = a, exactly; v has at least 64 bits. */
static void set(mpfr_t v, struct f80 a)
{
    struct f80_num n = f80_unpack(a);

    _Static_assert(sizeof(unsigned long) == 8, "a significand is an unsigned long");
    mpfr_set_ui_2exp(v, n.sig, n.exp - F80_BIAS - 63, MPFR_RNDN);
    mpfr_setsign(v, v, n.sign, MPFR_RNDN);
}

/* The bits of v, which has 64; 'exact': so is it. */
static void get(const mpfr_t v, uint64_t *sig, int *exp)
{
    mpfr_t whole;

    mpfr_init2(whole, 64);
    mpfr_abs(whole, v, MPFR_RNDZ);
    *exp = (int)mpfr_get_exp(whole) - 1 + F80_BIAS;
    mpfr_set_exp(whole, 64);
    *sig = mpfr_get_ui(whole, MPFR_RNDZ);
    mpfr_clear(whole);
}

/* Packs v, which was computed with many bits and where 'ternary' tells whether (and where to) it
 * was rounded: 64 bits and a sticky rest. */
static struct f80 pack(struct f80_env *e, const mpfr_t v, int ternary, bool zero_sign)
{
    if (mpfr_zero_p(v)) {
        return f80_zero(zero_sign);
    }
    bool sign = mpfr_signbit(v);
    mpfr_t high, low;
    uint64_t sig, rest = 0;
    int exp;

    mpfr_init2(high, 64);
    mpfr_init2(low, mpfr_get_prec(v));
    mpfr_set(high, v, MPFR_RNDZ);
    get(high, &sig, &exp);
    mpfr_sub(low, v, high, MPFR_RNDZ); /* exact */
    if (!mpfr_zero_p(low)) {
        mpfr_abs(low, low, MPFR_RNDZ);
        mpfr_mul_2si(low, low, 64 + 63 - (exp - F80_BIAS), MPFR_RNDZ); /* one unit becomes 2^64 */
        bool whole = mpfr_integer_p(low);
        rest = mpfr_get_ui(low, MPFR_RNDZ);
        rest |= !whole || ternary != 0;
    } else if (ternary != 0) { /* v was rounded towards zero: something is missing below */
        rest = 1;
    }
    mpfr_clears(high, low, (mpfr_ptr)0);
    return f80_round_pack(e, sign, exp, sig, rest, 64);
}

typedef int function(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode);

/* MPFR rounds to 64 bits; where the exponent is too small for that, once more with all bits that matter. */
static struct f80 evaluate(struct f80_env *e, function *f, const mpfr_t a, const mpfr_t b, bool zero_sign)
{
    mpfr_t v;
    uint64_t sig;
    int exp;

    mpfr_init2(v, 64);
    int ternary = f(v, a, b, rounding(e));
    if (!mpfr_zero_p(v)) {
        get(v, &sig, &exp);
        if (exp > 0) {
            bool sign = mpfr_signbit(v);
            struct f80 r = f80_round_pack(e, sign, exp, sig, 0, 64);
            if (ternary && !(e->flags & X87_OE)) {
                e->flags |= X87_PE;
                e->up = sign ? ternary < 0 : ternary > 0;
            }
            mpfr_clear(v);
            return r;
        }
    }
    mpfr_set_prec(v, WIDE_BITS);
    ternary = f(v, a, b, MPFR_RNDZ);
    struct f80 r = pack(e, v, ternary, zero_sign);
    mpfr_clear(v);
    return r;
}

static struct f80 evaluate2(struct f80_env *e, function *f, struct f80 a, struct f80 b, bool zero_sign)
{
    mpfr_t x, y;

    mpfr_inits2(64, x, y, (mpfr_ptr)0);
    set(x, a);
    set(y, b);
    struct f80 r = evaluate(e, f, x, y, zero_sign);
    mpfr_clears(x, y, (mpfr_ptr)0);
    return r;
}

/* --- 2^x - 1 and logarithms ------------------------------------------------------------------- */

static int two_to_x_minus_1(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    (void)b;
    return mpfr_exp2m1(to, a, mode);
}

/* Beyond -1..1 the manual leaves the result open; silicon returns the operand, as inexact. */
struct f80 f80_2xm1(struct f80_env *e, struct f80 a)
{
    enum f80_class k = f80_classify(a);

    if (f80_is_nan(k)) {
        return f80_nan1(e, a);
    }
    f80_note_denormals(e, k, k);
    if (k == F80_ZERO || (k == F80_INFINITY && !f80_sign(a))) {
        return a;
    }
    if (k == F80_INFINITY) {
        return f80_make(true, F80_BIAS, F80_INTEGER_BIT);
    }
    if (f80_exp(a) > F80_BIAS || (f80_exp(a) == F80_BIAS && a.sig << 1)) {
        e->flags |= X87_PE;
        return a;
    }
    return evaluate2(e, two_to_x_minus_1, a, a, f80_sign(a));
}

/* b * log(a), rounded once: more bits until it is clear which way. */
static int times_log(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode,
                     int (*log)(mpfr_t, mpfr_srcptr, mpfr_rnd_t))
{
    mpfr_prec_t want = mpfr_get_prec(to), bits = want + 64;
    mpfr_t l, product;
    int ternary;

    mpfr_inits2(bits, l, product, (mpfr_ptr)0);
    for (;; bits *= 2) {
        mpfr_set_prec(l, bits);
        mpfr_set_prec(product, bits);
        bool exact = log(l, a, MPFR_RNDN) == 0;
        ternary = mpfr_mul(product, l, b, MPFR_RNDN);
        if ((exact && ternary == 0) || mpfr_can_round(product, bits - 3, MPFR_RNDN, mode, want + (mode == MPFR_RNDN))) {
            break;
        }
    }
    ternary = mpfr_set(to, product, mode);
    mpfr_clears(l, product, (mpfr_ptr)0);
    return ternary;
}

static int y_log2_x(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    return times_log(to, a, b, mode, mpfr_log2);
}

static int y_log2_x_plus_1(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    return times_log(to, a, b, mode, mpfr_log2p1);
}

/* The logarithm is infinite: with a zero factor that is invalid. */
static struct f80 times_infinity(struct f80_env *e, bool negative, struct f80 y, enum f80_class ky)
{
    return ky == F80_ZERO ? f80_invalid(e) : f80_infinity(negative != f80_sign(y));
}

/* The logarithm is finite and not zero: 'negative' or not. */
static struct f80 times_finite(struct f80_env *e, function *f, bool negative, struct f80 x, struct f80 y,
                               enum f80_class ky)
{
    bool sign = negative != f80_sign(y);

    if (ky == F80_INFINITY || ky == F80_ZERO) {
        return ky == F80_ZERO ? f80_zero(sign) : f80_infinity(sign);
    }
    return evaluate2(e, f, x, y, sign);
}

struct f80 f80_yl2x(struct f80_env *e, struct f80 x, struct f80 y)
{
    enum f80_class kx = f80_classify(x), ky = f80_classify(y);

    if (f80_is_nan(kx) || f80_is_nan(ky)) {
        return f80_nan(e, x, y);
    }
    if (kx != F80_ZERO && f80_sign(x)) {
        return f80_invalid(e);
    }
    if (kx == F80_ZERO && ky != F80_ZERO && ky != F80_INFINITY) {
        e->flags |= X87_ZE;
        return f80_infinity(!f80_sign(y));
    }
    if (kx != F80_ZERO || ky != F80_ZERO) {
        f80_note_denormals(e, kx, ky);
    }
    if (kx == F80_ZERO || kx == F80_INFINITY) {
        return times_infinity(e, kx == F80_ZERO, y, ky);
    }
    if (f80_exp(x) == F80_BIAS && x.sig == F80_INTEGER_BIT) {
        return ky == F80_INFINITY ? f80_invalid(e) : f80_zero(f80_sign(y));
    }
    return times_finite(e, y_log2_x, f80_exp(x) < F80_BIAS, x, y, ky);
}

/* For x of -1 and below the manual leaves the result open; silicon returns x, as inexact. */
struct f80 f80_yl2xp1(struct f80_env *e, struct f80 x, struct f80 y)
{
    enum f80_class kx = f80_classify(x), ky = f80_classify(y);

    if (f80_is_nan(kx) || f80_is_nan(ky)) {
        return f80_nan(e, x, y);
    }
    if (kx == F80_INFINITY && f80_sign(x)) {
        return f80_invalid(e);
    }
    f80_note_denormals(e, kx, ky);
    if (kx == F80_INFINITY) {
        return times_infinity(e, false, y, ky);
    }
    if (kx == F80_ZERO) {
        return ky == F80_INFINITY ? f80_invalid(e) : f80_zero(f80_sign(x) != f80_sign(y));
    }
    if (f80_sign(x) && f80_exp(x) >= F80_BIAS && ky != F80_ZERO && ky != F80_INFINITY) {
        e->flags |= X87_PE;
        return x;
    }
    return times_finite(e, y_log2_x_plus_1, f80_sign(x), x, y, ky);
}

/* --- angles -------------------------------------------------------------------------------------- */

static int arc_tangent(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    return mpfr_atan2(to, a, b, mode);
}

static void set_any(mpfr_t v, struct f80 a, enum f80_class k)
{
    if (k == F80_ZERO) {
        mpfr_set_zero(v, f80_sign(a) ? -1 : 1);
    } else if (k == F80_INFINITY) {
        mpfr_set_inf(v, f80_sign(a) ? -1 : 1);
    } else {
        set(v, a);
    }
}

/* SDM Vol 2 "FPATAN", table of results: as IEEE 754's atan2. */
struct f80 f80_atan2(struct f80_env *e, struct f80 y, struct f80 x)
{
    enum f80_class ky = f80_classify(y), kx = f80_classify(x);
    mpfr_t a, b;

    if (f80_is_nan(kx) || f80_is_nan(ky)) {
        return f80_nan(e, y, x);
    }
    f80_note_denormals(e, kx, ky);
    mpfr_inits2(64, a, b, (mpfr_ptr)0);
    set_any(a, y, ky);
    set_any(b, x, kx);
    struct f80 r = evaluate(e, arc_tangent, a, b, f80_sign(y));
    mpfr_clears(a, b, (mpfr_ptr)0);
    return r;
}

static int sine(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    (void)b;
    return mpfr_sin(to, a, mode);
}

static int cosine(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    (void)b;
    return mpfr_cos(to, a, mode);
}

static int minus_cosine(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    mpfr_rnd_t other = mode == MPFR_RNDU ? MPFR_RNDD : mode == MPFR_RNDD ? MPFR_RNDU : mode;
    int ternary = cosine(to, a, b, other);

    mpfr_neg(to, to, mode);
    return -ternary;
}

static int tangent(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    (void)b;
    return mpfr_tan(to, a, mode);
}

static int cotangent(mpfr_t to, const mpfr_t a, const mpfr_t b, mpfr_rnd_t mode)
{
    (void)b;
    return mpfr_cot(to, a, mode);
}

/* v = v - n * (pi66 / 2) with n the nearest integer; returns n modulo 4. */
static unsigned reduce_angle(mpfr_t v)
{
    mpfr_t half_pi, n, product;
    unsigned quadrant;

    mpfr_inits2(256, half_pi, n, product, (mpfr_ptr)0);
    mpfr_set_str(half_pi, "3243f6a8885a308d3@-16", 16, MPFR_RNDN); /* 66 bits of pi */
    mpfr_div_2ui(half_pi, half_pi, 1, MPFR_RNDN);
    mpfr_div(n, v, half_pi, MPFR_RNDN);
    mpfr_rint(n, n, MPFR_RNDN);
    mpfr_mul(product, n, half_pi, MPFR_RNDN); /* exact, as is the difference */
    mpfr_sub(v, v, product, MPFR_RNDN);
    quadrant = (unsigned)mpfr_get_si(n, MPFR_RNDN) & 3; /* below 2^63 */
    mpfr_clears(half_pi, n, product, (mpfr_ptr)0);
    return quadrant;
}

/* Operands for which there is nothing to compute; true: '*r' is the result. */
static bool angle_special(struct f80_env *e, struct f80 a, bool *far, struct f80 at_zero, struct f80 *r)
{
    enum f80_class k = f80_classify(a);

    *far = false;
    if (f80_is_nan(k) || k == F80_INFINITY) {
        *r = f80_is_nan(k) ? f80_nan1(e, a) : f80_invalid(e);
        return true;
    }
    if (f80_exp(a) >= F80_BIAS + 63) {
        *far = true;
        *r = a;
        return true;
    }
    f80_note_denormals(e, k, k);
    *r = at_zero;
    return k == F80_ZERO;
}

/* f(a) where f is one of two by the quadrant, with or without a minus before the reduced angle. */
static struct f80 angle(struct f80_env *e, struct f80 a, function *const f[4], const bool negate[4])
{
    mpfr_t v;

    mpfr_init2(v, 256);
    set(v, a);
    unsigned quadrant = reduce_angle(v);
    if (negate[quadrant]) {
        mpfr_neg(v, v, MPFR_RNDN);
    }
    struct f80 r = evaluate(e, f[quadrant], v, v, f80_sign(a));
    mpfr_clear(v);
    return r;
}

struct f80 f80_sin(struct f80_env *e, struct f80 a, bool *far)
{
    static function *const f[4] = { sine, cosine, sine, minus_cosine };
    static const bool negate[4] = { false, false, true, false };
    struct f80 r;

    return angle_special(e, a, far, a, &r) ? r : angle(e, a, f, negate);
}

struct f80 f80_cos(struct f80_env *e, struct f80 a, bool *far)
{
    static function *const f[4] = { cosine, sine, minus_cosine, sine };
    static const bool negate[4] = { false, true, false, false };
    struct f80 r;

    return angle_special(e, a, far, f80_make(false, F80_BIAS, F80_INTEGER_BIT), &r) ? r : angle(e, a, f, negate);
}

struct f80 f80_tan(struct f80_env *e, struct f80 a, bool *far)
{
    static function *const f[4] = { tangent, cotangent, tangent, cotangent };
    static const bool negate[4] = { false, true, false, true };
    struct f80 r;

    return angle_special(e, a, far, a, &r) ? r : angle(e, a, f, negate);
}
