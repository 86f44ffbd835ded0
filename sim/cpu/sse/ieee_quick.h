/* The short cut through the host's floating point: the same answer as ieee.c, or none.
 *
 * Each function returns false when it does not know; then nothing has happened and ieee.c says.  True:
 * '*r' is the result and no flag is to be raised that MXCSR does not have already.
 *
 * Why it may.  IEEE 754 leaves one result to round-to-nearest additions, multiplications, divisions, roots and
 * conversions, so with MXCSR.RC = nearest every conforming host agrees.  Operands that are denormal (DE, DAZ)
 * or NaN (which NaN) and results that are not normal (OE, UE, FTZ; the smallest exponent too, as tininess is
 * detected after rounding) are left to ieee.c, except zeros that are exact.  Then only PE is left: either it is set already
 * and masked, or the result is shown to be exact: sums by their error term, the others by doing them backwards where
 * that cannot round.
 *
 * The host's own environment is the default one: nearest, nothing flushed (ieee_assert_host).
 */
#ifndef SIM_CPU_SSE_IEEE_QUICK_H
#define SIM_CPU_SSE_IEEE_QUICK_H

#include <math.h>
#include <string.h>

#include "sim/cpu/sse/ieee.h"

#define IEEE_QUICK static inline __attribute__((always_inline))

IEEE_QUICK float ieee_f32(uint32_t bits) { float v; memcpy(&v, &bits, sizeof v); return v; }
IEEE_QUICK uint32_t ieee_f32_bits(float v) { uint32_t bits; memcpy(&bits, &v, sizeof bits); return bits; }
IEEE_QUICK double ieee_f64(uint64_t bits) { double v; memcpy(&v, &bits, sizeof v); return v; }
IEEE_QUICK uint64_t ieee_f64_bits(double v) { uint64_t bits; memcpy(&bits, &v, sizeof bits); return bits; }

/* Not denormal; not denormal and no NaN; normal with the smallest exponent kept out. */
IEEE_QUICK bool f32_plain(uint32_t v) { return (uint32_t)(v << 1) - 1 >= 0x00ffffff; }
IEEE_QUICK bool f64_plain(uint64_t v) { return (v << 1) - 1 >= 0x001fffffffffffff; }
IEEE_QUICK bool f32_number(uint32_t v) { return f32_plain(v) && v << 1 <= 0xff000000; }
IEEE_QUICK bool f64_number(uint64_t v) { return f64_plain(v) && v << 1 <= 0xffe0000000000000; }
IEEE_QUICK bool f32_safe(uint32_t v) { return (v >> 23 & 0xff) - 2 < 0xfd; }
IEEE_QUICK bool f64_safe(uint64_t v) { return (v >> 52 & 0x7ff) - 2 < 0x7fd; }
IEEE_QUICK bool f32_is_zero(uint32_t v) { return v << 1 == 0; }
IEEE_QUICK bool f64_is_zero(uint64_t v) { return v << 1 == 0; }

/* Round to nearest, and PE masked. */
IEEE_QUICK bool ieee_quick(uint32_t mxcsr) { return (mxcsr & (MXCSR_RC | MXCSR_PM)) == MXCSR_PM; }

/* Significant bits of a normal number. */
IEEE_QUICK int f64_width(uint64_t v) { return 53 - __builtin_ctzll(v | 1ull << 52); }

/* --- was it exact? ------------------------------------------------------------------- */

#define QUICK_SUM_IS_EXACT(type)                                                             \
    {                                                                                        \
        type b_part = s - a; /* Knuth's two-sum: what was lost */                            \
        return (a - (s - b_part)) + (b - b_part) == 0;                                       \
    }
IEEE_QUICK bool f32_sum_is_exact(float a, float b, float s) QUICK_SUM_IS_EXACT(float)
IEEE_QUICK bool f64_sum_is_exact(double a, double b, double s) QUICK_SUM_IS_EXACT(double)
#undef QUICK_SUM_IS_EXACT

/* a * b == p without rounding: singles in doubles; doubles only when their bits are few. */
IEEE_QUICK bool f32_product_is_exact(float a, float b, float p) { return (double)a * (double)b == (double)p; }
IEEE_QUICK bool f64_product_is_exact(double a, double b, double p)
{
    return f64_width(ieee_f64_bits(a)) + f64_width(ieee_f64_bits(b)) <= 53 && a * b == p;
}

#define QUICK_EXACT_add(f, a, b, r) f##_sum_is_exact(a, b, r)
#define QUICK_EXACT_sub(f, a, b, r) f##_sum_is_exact(a, -(b), r)
#define QUICK_EXACT_mul(f, a, b, r) f##_product_is_exact(a, b, r)
#define QUICK_EXACT_div(f, a, b, r) f##_product_is_exact(r, b, a)

/* A zero result without underflow. */
#define QUICK_ZERO_add(f, a, b) true
#define QUICK_ZERO_sub(f, a, b) true
#define QUICK_ZERO_mul(f, a, b) (f##_is_zero(a) || f##_is_zero(b))
#define QUICK_ZERO_div(f, a, b) f##_is_zero(a)

#define QUICK_ARITHMETIC(f, bits, name, operator)                                            \
    IEEE_QUICK bool f##_quick_##name(uint32_t mxcsr, bits a, bits b, bits *r)                \
    {                                                                                        \
        bits v = ieee_##f##_bits(ieee_##f(a) operator ieee_##f(b));                          \
        *r = v;                                                                              \
        if (!ieee_quick(mxcsr) || !f##_plain(a) || !f##_plain(b)) {                          \
            return false;                                                                    \
        }                                                                                    \
        if (!f##_safe(v)) {                                                                  \
            return f##_is_zero(v) && QUICK_ZERO_##name(f, a, b);                             \
        }                                                                                    \
        return mxcsr & MXCSR_PE || QUICK_EXACT_##name(f, ieee_##f(a), ieee_##f(b), ieee_##f(v)); \
    }
QUICK_ARITHMETIC(f32, uint32_t, add, +)
QUICK_ARITHMETIC(f32, uint32_t, sub, -)
QUICK_ARITHMETIC(f32, uint32_t, mul, *)
QUICK_ARITHMETIC(f32, uint32_t, div, /)
QUICK_ARITHMETIC(f64, uint64_t, add, +)
QUICK_ARITHMETIC(f64, uint64_t, sub, -)
QUICK_ARITHMETIC(f64, uint64_t, mul, *)
QUICK_ARITHMETIC(f64, uint64_t, div, /)

#define QUICK_ROOT(f, bits, root)                                                            \
    IEEE_QUICK bool f##_quick_sqrt(uint32_t mxcsr, bits a, bits *r)                          \
    {                                                                                        \
        if (f##_is_zero(a)) {                                                                \
            *r = a;                                                                          \
            return true;                                                                     \
        }                                                                                    \
        if (!ieee_quick(mxcsr) || !f##_safe(a) || a >> (8 * sizeof a - 1)) {                 \
            return false;                                                                    \
        }                                                                                    \
        *r = ieee_##f##_bits(root(ieee_##f(a)));                                             \
        return mxcsr & MXCSR_PE || f##_product_is_exact(ieee_##f(*r), ieee_##f(*r), ieee_##f(a)); \
    }
QUICK_ROOT(f32, uint32_t, sqrtf)
QUICK_ROOT(f64, uint64_t, sqrt)

/* --- order: raises nothing for numbers, whatever MXCSR says -------------------------------- */

#define QUICK_ORDER(f, bits)                                                                 \
    IEEE_QUICK bool f##_quick_compare(bits a, bits b, enum ieee_order *r)                    \
    {                                                                                        \
        *r = ieee_##f(a) < ieee_##f(b) ? IEEE_LESS : ieee_##f(a) == ieee_##f(b) ? IEEE_EQUAL : IEEE_GREATER; \
        return f##_number(a) && f##_number(b);                                               \
    }                                                                                        \
    IEEE_QUICK bool f##_quick_min(bits a, bits b, bits *r)                                   \
    {                                                                                        \
        *r = ieee_##f(a) < ieee_##f(b) ? a : b;                                              \
        return f##_number(a) && f##_number(b);                                               \
    }                                                                                        \
    IEEE_QUICK bool f##_quick_max(bits a, bits b, bits *r)                                   \
    {                                                                                        \
        *r = ieee_##f(a) > ieee_##f(b) ? a : b;                                              \
        return f##_number(a) && f##_number(b);                                               \
    }
QUICK_ORDER(f32, uint32_t)
QUICK_ORDER(f64, uint64_t)

/* --- conversions --------------------------------------------------------------------------------- */

IEEE_QUICK bool f32_quick_to_f64(uint32_t a, uint64_t *r)
{
    *r = ieee_f64_bits((double)ieee_f32(a));
    return f32_number(a);
}

IEEE_QUICK bool f64_quick_to_f32(uint32_t mxcsr, uint64_t a, uint32_t *r)
{
    *r = ieee_f32_bits((float)ieee_f64(a));
    if (!ieee_quick(mxcsr) || !f32_safe(*r)) {
        return f64_is_zero(a);
    }
    return mxcsr & MXCSR_PE || (double)ieee_f32(*r) == ieee_f64(a);
}

IEEE_QUICK bool f64_quick_from_int(uint32_t mxcsr, int64_t v, uint64_t *r)
{
    enum { EXACT_BITS = 53 };
    *r = ieee_f64_bits((double)v);
    return v >> EXACT_BITS == v >> 63 || (ieee_quick(mxcsr) && mxcsr & MXCSR_PE);
}

IEEE_QUICK bool f32_quick_from_int(uint32_t mxcsr, int64_t v, uint32_t *r)
{
    enum { EXACT_BITS = 24 };
    *r = ieee_f32_bits((float)v);
    return v >> EXACT_BITS == v >> 63 || (ieee_quick(mxcsr) && mxcsr & MXCSR_PE);
}

/* Truncation, for what surely fits into 'bits'; then there is only PE. */
IEEE_QUICK bool f64_quick_truncate(uint32_t mxcsr, uint64_t a, unsigned bits, uint64_t *r)
{
    double v = ieee_f64(a), limit = bits == 32 ? 0x1p31 : 0x1p63;
    if (!f64_plain(a) || !(v < limit) || !(v > -limit)) {
        return false;
    }
    int64_t whole = (int64_t)v;
    *r = bits == 32 ? (uint32_t)whole : (uint64_t)whole;
    return (double)whole == v || (mxcsr & (MXCSR_PE | MXCSR_PM)) == (MXCSR_PE | MXCSR_PM);
}

IEEE_QUICK bool f32_quick_truncate(uint32_t mxcsr, uint32_t a, unsigned bits, uint64_t *r)
{
    return f32_plain(a) && f64_quick_truncate(mxcsr, ieee_f64_bits((double)ieee_f32(a)), bits, r);
}

#endif
