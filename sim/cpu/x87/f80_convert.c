/* Comparing, and conversions from and to the other formats. */
#include <string.h>

#include "sim/cpu/x87/f80_priv.h"

enum f80_order f80_compare(struct f80_env *e, struct f80 a, struct f80 b, bool quiet)
{
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);

    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        bool invalid = !quiet || ka > F80_QNAN || kb > F80_QNAN;
        e->flags = invalid ? X87_IE : 0;
        return F80_UNORDERED;
    }
    f80_note_denormals(e, ka, kb);
    if (ka == F80_ZERO && kb == F80_ZERO) {
        return F80_EQUAL;
    }
    bool sa = f80_sign(a), sb = f80_sign(b);
    if (sa != sb) {
        return sa ? F80_LESS : F80_GREATER;
    }
    /* A pseudo-denormal has the exponent of the smallest normal numbers. */
    int ea = ka == F80_DENORMAL ? 1 : f80_exp(a), eb = kb == F80_DENORMAL ? 1 : f80_exp(b);
    if (ea == eb && a.sig == b.sig) {
        return F80_EQUAL;
    }
    bool smaller = ea != eb ? ea < eb : a.sig < b.sig;
    return smaller != sa ? F80_LESS : F80_GREATER;
}

/* --- single and double ----------------------------------------------------------------- */

/* An interchange format. */
struct format { unsigned fraction; int exp_max; }; /* [bits]; all ones; the bias is exp_max / 2 */
static const struct format single = { 23, 255 }, twice = { 52, 2047 };

static struct f80 widen(struct f80_env *e, const struct format *f, bool sign, int exp, uint64_t fraction)
{
    uint64_t sig = fraction << (63 - f->fraction);

    if (exp == f->exp_max) {
        return f80_make(sign, F80_EXP_MAX, sig | F80_INTEGER_BIT);
    }
    int bias = F80_BIAS - f->exp_max / 2;
    if (exp) {
        return f80_make(sign, exp + bias, sig | F80_INTEGER_BIT);
    }
    if (fraction == 0) {
        return f80_zero(sign);
    }
    e->flags |= X87_DE;
    int shift = __builtin_clzll(sig);
    return f80_make(sign, bias + 1 - shift, sig << shift);
}

struct f80 f80_from_f32(struct f80_env *e, uint32_t a)
{
    return widen(e, &single, a >> 31, (int)(a >> 23 & 0xff), a & 0x7fffff);
}

struct f80 f80_from_f64(struct f80_env *e, uint64_t a)
{
    return widen(e, &twice, a >> 63, (int)(a >> 52 & 0x7ff), a & 0xfffffffffffff);
}

static uint64_t narrow_bits(const struct format *f, bool sign, int exp, uint64_t fraction)
{
    unsigned exp_bits = f == &single ? 8 : 11;
    return (uint64_t)sign << (f->fraction + exp_bits) | (uint64_t)exp << f->fraction | fraction;
}

/* sig shifted right by 'shift' (1-64) and rounded. */
static uint64_t round_off(struct f80_env *e, bool sign, uint64_t sig, unsigned shift, bool *inexact)
{
    f80_wide v = f80_shift_jam((f80_wide)sig << 64, shift);
    uint64_t kept = (uint64_t)(v >> 64), rest = (uint64_t)v;

    *inexact = rest != 0;
    e->up = f80_rounds_up(f80_rounding(e), sign, kept & 1, rest);
    return kept + e->up;
}

static uint64_t narrow_overflow(struct f80_env *e, const struct format *f, bool sign)
{
    enum f80_rounding mode = f80_rounding(e);

    e->flags |= X87_OE | X87_PE;
    e->up = mode == F80_NEAREST || mode == (sign ? F80_DOWN : F80_UP);
    return e->up ? narrow_bits(f, sign, f->exp_max, 0)
                 : narrow_bits(f, sign, f->exp_max - 1, (1ull << f->fraction) - 1);
}

static uint64_t narrow_finite(struct f80_env *e, const struct format *f, struct f80_num n)
{
    unsigned shift = 63 - f->fraction;
    int exp = n.exp - F80_BIAS + f->exp_max / 2;
    bool inexact;
    uint64_t rounded = round_off(e, n.sign, n.sig, shift, &inexact);
    bool carry = rounded >> (f->fraction + 1);

    if (exp + carry <= 0) { /* tiny after rounding */
        unsigned more = (unsigned)(1 - exp);
        rounded = round_off(e, n.sign, n.sig, more > 100 ? 120 : shift + more, &inexact);
        e->flags |= inexact ? X87_UE | X87_PE : e->cw & X87_UE ? 0 : X87_UE;
        return narrow_bits(f, n.sign, 0, 0) | rounded;
    }
    if (exp <= 0) { /* not tiny, but rounded as a denormal */
        rounded = round_off(e, n.sign, n.sig, shift + 1, &inexact);
        e->flags |= inexact ? X87_PE : 0;
        return narrow_bits(f, n.sign, 0, 0) | rounded;
    }
    if (exp + carry >= f->exp_max) {
        return narrow_overflow(e, f, n.sign);
    }
    e->flags |= inexact ? X87_PE : 0;
    return narrow_bits(f, n.sign, exp - 1, 0) + rounded; /* the hidden bit adds one, a carry another */
}

static uint64_t narrow(struct f80_env *e, const struct format *f, struct f80 a)
{
    enum f80_class k = f80_classify(a);

    if (f80_is_nan(k)) {
        a = f80_nan1(e, a);
        return narrow_bits(f, f80_sign(a), f->exp_max, a.sig << 1 >> (64 - f->fraction));
    }
    if (k == F80_INFINITY || k == F80_ZERO) {
        return narrow_bits(f, f80_sign(a), k == F80_ZERO ? 0 : f->exp_max, 0);
    }
    return narrow_finite(e, f, f80_unpack(a));
}

uint32_t f80_to_f32(struct f80_env *e, struct f80 a)
{
    return (uint32_t)narrow(e, &single, a);
}

uint64_t f80_to_f64(struct f80_env *e, struct f80 a)
{
    return narrow(e, &twice, a);
}

/* --- integers -------------------------------------------------------------------------- */

static struct f80 from_magnitude(bool sign, uint64_t magnitude)
{
    if (magnitude == 0) {
        return f80_zero(sign);
    }
    int shift = __builtin_clzll(magnitude);
    return f80_make(sign, F80_BIAS + 63 - shift, magnitude << shift);
}

struct f80 f80_from_int(int64_t value)
{
    return from_magnitude(value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* Magnitude as an integer; false: 2^64 or more. */
static bool integer_of(struct f80_env *e, struct f80 a, enum f80_rounding mode, uint64_t *value, bool *inexact)
{
    enum f80_class k = f80_classify(a);

    *value = 0;
    *inexact = false;
    if (k == F80_ZERO) {
        return true;
    }
    if (k != F80_NORMAL && k != F80_DENORMAL) {
        return false;
    }
    struct f80_num n = f80_unpack(a);
    int shift = F80_BIAS + 63 - n.exp;
    if (shift < 0) {
        return false;
    }
    f80_wide v = f80_shift_jam((f80_wide)n.sig << 64, shift > 127 ? 127 : (unsigned)shift);
    *inexact = (uint64_t)v != 0;
    e->up = f80_rounds_up(mode, n.sign, v >> 64 & 1, (uint64_t)v);
    *value = (uint64_t)(v >> 64) + e->up;
    return *value >= (uint64_t)e->up;
}

int64_t f80_to_int(struct f80_env *e, struct f80 a, unsigned bits, enum f80_rounding mode)
{
    uint64_t value, limit = 1ull << (bits - 1);
    bool inexact, sign = f80_sign(a), fits = integer_of(e, a, mode, &value, &inexact);

    if (!fits || value > limit - !sign) {
        e->up = false;
        e->flags |= X87_IE;
        return (int64_t)(0 - limit);
    }
    e->flags |= inexact ? X87_PE : 0;
    return (int64_t)(sign ? 0 - value : value);
}

struct f80 f80_round_to_int(struct f80_env *e, struct f80 a)
{
    enum f80_class k = f80_classify(a);
    uint64_t value;
    bool inexact;

    if (f80_is_nan(k)) {
        return f80_nan1(e, a);
    }
    f80_note_denormals(e, k, k);
    if (k == F80_INFINITY || k == F80_ZERO || f80_exp(a) >= F80_BIAS + 63) {
        return a;
    }
    integer_of(e, a, f80_rounding(e), &value, &inexact);
    e->flags |= inexact ? X87_PE : 0;
    return from_magnitude(f80_sign(a), value);
}

/* --- packed decimal: 18 digits, two a byte, and a byte with the sign ---------------------- */

struct f80 f80_from_bcd(const uint8_t bcd[10])
{
    uint64_t value = 0;

    for (unsigned i = 9; i-- > 0;) {
        value = value * 100 + (bcd[i] >> 4) * 10u + (bcd[i] & 15u);
    }
    return from_magnitude(bcd[9] & 0x80, value);
}

void f80_to_bcd(struct f80_env *e, struct f80 a, uint8_t bcd[10])
{
    static const uint8_t indefinite[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };
    uint64_t value;
    bool inexact;

    if (!integer_of(e, a, f80_rounding(e), &value, &inexact) || value > 999999999999999999) {
        e->up = false;
        e->flags |= X87_IE;
        memcpy(bcd, indefinite, sizeof indefinite);
        return;
    }
    e->flags |= inexact ? X87_PE : 0;
    for (unsigned i = 0; i < 9; i++, value /= 100) {
        bcd[i] = (uint8_t)(value % 100 / 10 << 4 | value % 10);
    }
    bcd[9] = f80_sign(a) ? 0x80 : 0;
}
