/* Operations on exponents: scale, extract, remainders. */
#include "sim/cpu/x87/f80_priv.h"

/* Infinite or zero operands of FSCALE (SDM Vol 2 "FSCALE", table of results). */
static struct f80 scale_special(struct f80_env *e, struct f80 a, enum f80_class ka, struct f80 b, enum f80_class kb)
{
    if (kb == F80_INFINITY) {
        bool up = !f80_sign(b);
        if ((ka == F80_INFINITY && !up) || (ka == F80_ZERO && up)) {
            return f80_invalid(e);
        }
        f80_note_denormals(e, ka, kb);
        return up ? f80_infinity(f80_sign(a)) : f80_zero(f80_sign(a));
    }
    f80_note_denormals(e, ka, kb);
    return a;
}

struct f80 f80_scale(struct f80_env *e, struct f80 a, struct f80 b)
{
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);
    struct f80_env quiet = { .cw = e->cw };

    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        return f80_nan(e, a, b);
    }
    if (kb == F80_INFINITY || ka == F80_INFINITY || ka == F80_ZERO) {
        return scale_special(e, a, ka, b, kb);
    }
    f80_note_denormals(e, ka, kb);
    if (kb == F80_ZERO) {
        b = f80_zero(false);
    }
    int by = f80_exp(b) >= F80_BIAS + 20 ? (f80_sign(b) ? -(1 << 20) : 1 << 20)
                                         : (int)f80_to_int(&quiet, b, 64, F80_TRUNCATE);
    struct f80_num n = f80_unpack(a);
    return f80_round_pack(e, n.sign, n.exp + by, n.sig, 0, 64);
}

struct f80 f80_extract(struct f80_env *e, struct f80 a, struct f80 *exponent)
{
    enum f80_class k = f80_classify(a);

    if (f80_is_nan(k)) {
        return *exponent = f80_nan1(e, a);
    }
    if (k == F80_INFINITY) {
        *exponent = f80_infinity(false);
        return a;
    }
    if (k == F80_ZERO) {
        e->flags |= X87_ZE;
        *exponent = f80_infinity(true);
        return a;
    }
    f80_note_denormals(e, k, k);
    struct f80_num n = f80_unpack(a);
    *exponent = f80_from_int(n.exp - F80_BIAS);
    return f80_make(n.sign, F80_BIAS, n.sig);
}

/* a - q * b for a.exp - b.exp = 'apart' (0-63), with q the truncated quotient. */
static f80_wide reduce(uint64_t a, uint64_t b, unsigned apart, uint64_t *q)
{
    f80_wide n = (f80_wide)a << apart;
    *q = (uint64_t)(n / b);
    return n % b;
}

/* r / 2^63 * 2^exp, exactly (or as a denormal: exponents below those of 'b' do not occur). */
static struct f80 pack_exact(struct f80_env *e, bool sign, int exp, uint64_t r)
{
    if (r == 0) {
        return f80_zero(sign);
    }
    int shift = __builtin_clzll(r);
    return f80_round_pack(e, sign, exp - shift, r << shift, 0, 64);
}

/* Is the remainder r of divisor b (same scale) beyond half of it, or half with an odd quotient? */
static bool beyond_half(uint64_t r, uint64_t b, uint64_t q)
{
    uint64_t other = b - r;
    return r > other || (r == other && q & 1);
}

static struct f80 remainder_finite(struct f80_env *e, struct f80_num a, struct f80_num b, bool nearest,
                                   unsigned *quotient, bool *partial)
{
    int apart = a.exp - b.exp;
    uint64_t q = 0, r = a.sig;
    int exp = b.exp;
    bool sign = a.sign;

    if (apart > 63) { /* SDM Vol 2 "FPREM": by a number of bits between 32 and 63 */
        unsigned by = ((unsigned)apart & 31) | 32;
        *partial = true;
        r = (uint64_t)reduce(a.sig, b.sig, by, &q);
        return pack_exact(e, sign, a.exp - (int)by, r);
    }
    if (apart < -1 || (apart < 0 && !nearest)) {
        return f80_round_pack(e, sign, a.exp, a.sig, 0, 64);
    }
    if (apart < 0) { /* |a| < |b|, perhaps beyond half of it */
        f80_wide twice = (f80_wide)b.sig << 1; /* on a's scale */
        if (a.sig > twice - a.sig) {
            *quotient = 1;
            return pack_exact(e, !sign, a.exp, (uint64_t)(twice - a.sig));
        }
        return f80_round_pack(e, sign, a.exp, a.sig, 0, 64);
    }
    r = (uint64_t)reduce(a.sig, b.sig, (unsigned)apart, &q);
    if (nearest && beyond_half(r, b.sig, q)) {
        r = b.sig - r;
        sign = !sign;
        q++;
    }
    *quotient = q & 7;
    struct f80 result = pack_exact(e, sign, exp, r);
    if (r == 0) {
        result = f80_zero(a.sign);
    }
    return result;
}

struct f80 f80_remainder(struct f80_env *e, struct f80 a, struct f80 b, bool nearest, unsigned *quotient, bool *partial)
{
    enum f80_class ka = f80_classify(a), kb = f80_classify(b);

    *quotient = 0;
    *partial = false;
    if (f80_is_nan(ka) || f80_is_nan(kb)) {
        return f80_nan(e, a, b);
    }
    if (ka == F80_INFINITY || kb == F80_ZERO) {
        return f80_invalid(e);
    }
    f80_note_denormals(e, ka, kb);
    if (ka == F80_ZERO) {
        return a;
    }
    if (kb == F80_INFINITY) {
        struct f80_num n = f80_unpack(a);
        return f80_round_pack(e, n.sign, n.exp, n.sig, 0, 64);
    }
    return remainder_finite(e, f80_unpack(a), f80_unpack(b), nearest, quotient, partial);
}
