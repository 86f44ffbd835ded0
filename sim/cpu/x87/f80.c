/* Rounding, NaNs, and the five operations that obey precision control. */
#include "sim/cpu/x87/f80_priv.h"

#include <math.h>

enum f80_class f80_classify(struct f80 a)
{
    int exp = f80_exp(a);

    if (exp == 0) {
        return a.sig ? F80_DENORMAL : F80_ZERO;
    }
    if (!(a.sig >> 63)) {
        return F80_UNSUPPORTED;
    }
    if (exp != F80_EXP_MAX) {
        return F80_NORMAL;
    }
    return a.sig << 1 == 0 ? F80_INFINITY : a.sig & F80_QUIET_BIT ? F80_QNAN : F80_SNAN;
}

/* SDM Vol 1 "Rules for Generating QNaNs", the x87 column: of two NaNs of a kind the larger
 * significand wins, then the positive one; a quiet one wins over a signaling one. */
struct f80 f80_nan(struct f80_env *e, struct f80 a, struct f80 b)
{
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);

    e->flags = 0; /* a denormal beside a NaN is not noticed */
    if (ka == F80_UNSUPPORTED || kb == F80_UNSUPPORTED) {
        return f80_invalid(e);
    }
    if (ka == F80_SNAN || kb == F80_SNAN) {
        e->flags |= X87_IE;
    }
    a.sig |= F80_QUIET_BIT;
    b.sig |= F80_QUIET_BIT;
    if (!f80_is_nan(ka) || !f80_is_nan(kb)) {
        return f80_is_nan(ka) ? a : b;
    }
    if (ka != kb) {
        return ka == F80_QNAN ? a : b;
    }
    if (a.sig != b.sig) {
        return a.sig > b.sig ? a : b;
    }
    return f80_sign(a) ? b : a;
}

/* --- rounding ------------------------------------------------------------------- */

/* To 'precision' bits.  Returns true when the carry made it the next power of two: sig is then 2^63. */
static bool round_sig(const struct f80_env *e, bool sign, uint64_t *sig, uint64_t rest, unsigned precision,
                      bool *inexact, bool *up)
{
    uint64_t unit = 1ull << (64 - precision), kept = *sig;

    if (precision < 64) {
        rest = *sig << precision | (rest != 0);
        kept &= ~(unit - 1);
    }
    *inexact = rest != 0;
    *up = f80_rounds_up(f80_rounding(e), sign, kept & unit, rest);
    *sig = *up ? kept + unit : kept;
    if (*sig < kept) {
        *sig = F80_INTEGER_BIT;
        return true;
    }
    return false;
}

static struct f80 overflow(struct f80_env *e, bool sign, unsigned precision)
{
    enum f80_rounding mode = f80_rounding(e);

    e->flags |= X87_OE | X87_PE;
    e->up = mode == F80_NEAREST || mode == (sign ? F80_DOWN : F80_UP);
    return e->up ? f80_infinity(sign) : f80_make(sign, F80_EXP_MAX - 1, ~0ull << (64 - precision));
}

/* Tiny, and the exception is masked: a denormal. */
static struct f80 denormal(struct f80_env *e, bool sign, int exp, uint64_t sig, uint64_t rest, unsigned precision)
{
    f80_wide v = f80_shift_jam((f80_wide)sig << 64 | rest, (unsigned)(1 - exp));
    bool inexact;

    sig = (uint64_t)(v >> 64);
    round_sig(e, sign, &sig, (uint64_t)v, precision, &inexact, &e->up);
    if (inexact) {
        e->flags |= X87_UE | X87_PE;
    }
    return f80_make(sign, (int)(sig >> 63), sig);
}

/* Response to an overflow or underflow that is not masked, beyond what the scaled exponent can hold (FSCALE). */
static struct f80 beyond(bool sign, bool large)
{
    return large ? f80_infinity(sign) : f80_zero(sign);
}

static struct f80 __attribute__((noinline)) round_pack_edge(struct f80_env *e, bool sign, int exp, uint64_t sig, uint64_t rest,
                                                            unsigned precision)
{
    uint64_t rounded = sig;
    bool inexact, up, carry = round_sig(e, sign, &rounded, rest, precision, &inexact, &up);
    int after = exp + carry;

    if (after <= 0 && e->cw & X87_UE) {
        return denormal(e, sign, exp, sig, rest, precision);
    }
    if (exp <= 0 && after > 0 && e->cw & X87_UE) { /* not tiny after rounding, but rounded where denormals are */
        struct f80 r = denormal(e, sign, exp, sig, rest, precision);
        e->flags &= (uint16_t)~X87_UE;
        return r;
    }
    if (after >= F80_EXP_MAX && e->cw & X87_OE) {
        return overflow(e, sign, precision);
    }
    if (after <= 0 || after >= F80_EXP_MAX) {
        bool large = after > 0;
        e->flags |= large ? X87_OE : X87_UE;
        after += large ? -F80_UNMASKED_BIAS : F80_UNMASKED_BIAS;
        if (after <= 0 || after >= F80_EXP_MAX) {
            e->flags |= X87_PE;
            e->up = large;
            return beyond(sign, large);
        }
    }
    e->up = up;
    e->flags |= inexact ? X87_PE : 0;
    return f80_make(sign, after, rounded);
}

struct f80 f80_round_pack(struct f80_env *e, bool sign, int exp, uint64_t sig, uint64_t rest, unsigned precision)
{
    if ((unsigned)(exp - 1) >= F80_EXP_MAX - 2 || precision < 64) {
        return round_pack_edge(e, sign, exp, sig, rest, precision);
    }
    e->up = false;
    if (rest) {
        e->flags |= X87_PE;
        if (f80_rounds_up(f80_rounding(e), sign, sig & 1, rest)) {
            e->up = true;
            if (++sig == 0) {
                sig = F80_INTEGER_BIT;
                exp++;
            }
        }
    }
    return f80_make(sign, exp, sig);
}

/* --- sums ------------------------------------------------------------------------- */

static struct f80 add_magnitudes(struct f80_env *e, struct f80_num a, struct f80_num b)
{
    if (a.exp < b.exp) {
        struct f80_num t = a;
        a = b;
        b = t;
    }
    f80_wide low = f80_shift_jam((f80_wide)b.sig << 64, (unsigned)(a.exp - b.exp));
    uint64_t sum = a.sig + (uint64_t)(low >> 64), rest = (uint64_t)low;
    int exp = a.exp;

    if (sum < a.sig) {
        rest = sum << 63 | rest >> 1 | (rest & 1);
        sum = sum >> 1 | F80_INTEGER_BIT;
        exp++;
    }
    return f80_round_pack(e, a.sign, exp, sum, rest, f80_precision(e));
}

/* Signs differ: |a| - |b| with the sign of the larger. */
static struct f80 subtract_magnitudes(struct f80_env *e, struct f80_num a, struct f80_num b)
{
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct f80_num t = a;
        a = b;
        b = t;
    }
    f80_wide d = ((f80_wide)a.sig << 64) - f80_shift_jam((f80_wide)b.sig << 64, (unsigned)(a.exp - b.exp));
    if (d == 0) {
        return f80_zero(f80_rounding(e) == F80_DOWN);
    }
    uint64_t high = (uint64_t)(d >> 64);
    int shift = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)d);
    d <<= shift;
    return f80_round_pack(e, a.sign, a.exp - shift, (uint64_t)(d >> 64), (uint64_t)d, f80_precision(e));
}

static struct f80 add_special(struct f80_env *e, struct f80 a, struct f80 b)
{
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);

    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        return f80_nan(e, a, b);
    }
    if (ka == F80_INFINITY && kb == F80_INFINITY && f80_sign(a) != f80_sign(b)) {
        return f80_invalid(e);
    }
    f80_note_denormals(e, ka, kb);
    if (ka == F80_INFINITY || kb == F80_INFINITY) {
        return ka == F80_INFINITY ? a : b;
    }
    if (ka == F80_ZERO && kb == F80_ZERO) {
        return f80_zero(f80_sign(a) == f80_sign(b) ? f80_sign(a) : f80_rounding(e) == F80_DOWN);
    }
    if (ka == F80_ZERO || kb == F80_ZERO) {
        struct f80_num n = f80_unpack(ka == F80_ZERO ? b : a);
        return f80_round_pack(e, n.sign, n.exp, n.sig, 0, f80_precision(e));
    }
    struct f80_num na = f80_unpack(a), nb = f80_unpack(b);
    return na.sign == nb.sign ? add_magnitudes(e, na, nb) : subtract_magnitudes(e, na, nb);
}

struct f80 f80_add(struct f80_env *e, struct f80 a, struct f80 b)
{
    if (f80_is_plain(a) && f80_is_plain(b)) {
        struct f80_num na = f80_unpack(a), nb = f80_unpack(b);
        return na.sign == nb.sign ? add_magnitudes(e, na, nb) : subtract_magnitudes(e, na, nb);
    }
    return add_special(e, a, b);
}

struct f80 f80_sub(struct f80_env *e, struct f80 a, struct f80 b)
{
    if (f80_is_nan(f80_classify(b))) {
        return f80_nan(e, a, b); /* its sign stays */
    }
    b.se ^= F80_SIGN;
    return f80_add(e, a, b);
}

/* --- products ----------------------------------------------------------------------- */

static struct f80 multiply(struct f80_env *e, struct f80_num a, struct f80_num b)
{
    f80_wide p = (f80_wide)a.sig * b.sig;
    int exp = a.exp + b.exp - F80_BIAS + 1;

    if (!(p >> 127)) {
        p <<= 1;
        exp--;
    }
    return f80_round_pack(e, a.sign != b.sign, exp, (uint64_t)(p >> 64), (uint64_t)p, f80_precision(e));
}

struct f80 f80_mul(struct f80_env *e, struct f80 a, struct f80 b)
{
    if (f80_is_plain(a) && f80_is_plain(b)) {
        return multiply(e, f80_unpack(a), f80_unpack(b));
    }
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);
    bool sign = f80_sign(a) != f80_sign(b);

    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        return f80_nan(e, a, b);
    }
    if ((ka == F80_INFINITY && kb == F80_ZERO) || (ka == F80_ZERO && kb == F80_INFINITY)) {
        return f80_invalid(e);
    }
    f80_note_denormals(e, ka, kb);
    if (ka == F80_INFINITY || kb == F80_INFINITY) {
        return f80_infinity(sign);
    }
    if (ka == F80_ZERO || kb == F80_ZERO) {
        return f80_zero(sign);
    }
    return multiply(e, f80_unpack(a), f80_unpack(b));
}

/* What a remainder says about the bits below the last: less than, exactly or more than half. */
static uint64_t rest_of(uint64_t remainder, uint64_t divisor)
{
    if (remainder == 0) {
        return 0;
    }
    uint64_t other = divisor - remainder;
    return remainder < other ? 1 : remainder == other ? F80_INTEGER_BIT : F80_INTEGER_BIT | 1;
}

static struct f80 divide(struct f80_env *e, struct f80_num a, struct f80_num b)
{
    bool below = a.sig < b.sig;
    f80_wide n = (f80_wide)a.sig << (below ? 64 : 63);
    uint64_t q = (uint64_t)(n / b.sig), r = (uint64_t)(n % b.sig);

    return f80_round_pack(e, a.sign != b.sign, a.exp - b.exp + F80_BIAS - below, q, rest_of(r, b.sig), f80_precision(e));
}

struct f80 f80_div(struct f80_env *e, struct f80 a, struct f80 b)
{
    if (f80_is_plain(a) && f80_is_plain(b)) {
        return divide(e, f80_unpack(a), f80_unpack(b));
    }
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);
    bool sign = f80_sign(a) != f80_sign(b);

    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        return f80_nan(e, a, b);
    }
    if (ka == kb && (ka == F80_INFINITY || ka == F80_ZERO)) {
        return f80_invalid(e);
    }
    if (kb == F80_ZERO && ka != F80_INFINITY) {
        e->flags |= X87_ZE;
        return f80_infinity(sign);
    }
    f80_note_denormals(e, ka, kb);
    if (ka == F80_INFINITY) {
        return f80_infinity(sign);
    }
    if (ka == F80_ZERO || kb == F80_INFINITY) {
        return f80_zero(sign);
    }
    return divide(e, f80_unpack(a), f80_unpack(b));
}

/* floor(sqrt(n)) of 2^126 <= n < 2^128: an estimate, one step of Newton's, and the last unit by trying. */
static uint64_t root(f80_wide n)
{
    double estimate = sqrt((double)(uint64_t)(n >> 64)) * 4294967296.0;
    uint64_t r = estimate >= 18446744073709549568.0 ? ~0ull : (uint64_t)estimate;
    f80_wide next = ((f80_wide)r + n / r) / 2;

    r = next >> 64 ? ~0ull : (uint64_t)next;
    while ((f80_wide)r * r > n) {
        r--;
    }
    while (r != ~0ull && (f80_wide)(r + 1) * (r + 1) <= n) {
        r++;
    }
    return r;
}

struct f80 f80_sqrt(struct f80_env *e, struct f80 a)
{
    enum f80_class k = f80_classify(a);

    if (f80_is_nan(k)) {
        return f80_nan1(e, a);
    }
    if (k == F80_ZERO) {
        return a;
    }
    if (f80_sign(a)) {
        return f80_invalid(e);
    }
    f80_note_denormals(e, k, k);
    if (k == F80_INFINITY) {
        return a;
    }
    struct f80_num n = f80_unpack(a);
    bool odd = (n.exp - F80_BIAS) & 1;
    f80_wide v = (f80_wide)n.sig << (odd ? 64 : 63);
    uint64_t r = root(v);
    f80_wide left = v - (f80_wide)r * r; /* half a unit more is r + 1/4 */
    uint64_t rest = left == 0 ? 0 : left > r ? F80_INTEGER_BIT | 1 : 1;
    return f80_round_pack(e, false, (n.exp - F80_BIAS - odd) / 2 + F80_BIAS, r, rest, f80_precision(e));
}
