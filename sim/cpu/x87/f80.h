/* Arithmetic on the x87's 80-bit numbers, on bit patterns (SDM Vol 1 "Operating on NaNs", "x87 FPU
 * Floating-Point Exception Handling").
 *
 * Everything is computed from integers, so every host gives the same bits.  An operation takes
 * operands and an environment: the control word says how to round and which exceptions are masked
 * (their responses differ), 'flags' collects what was raised, 'up' tells whether the last rounding
 * made the magnitude larger (C1).  Nothing here touches a processor; what an exception that is not
 * masked means for the destination is the caller's business, with one exception: the result of an
 * unmasked overflow or underflow is scaled by 2^24576, as registers get it.
 *
 * Encodings that the 387 gave up (pseudo-NaN, pseudo-infinity, unnormal) are F80_UNSUPPORTED and
 * invalid everywhere; a pseudo-denormal is a denormal.
 *
 * Elementary functions (f80_elementary.c) are correctly rounded, by MPFR.  Silicon promises only to
 * be within one unit in the last place.
 */
#ifndef SIM_CPU_X87_F80_H
#define SIM_CPU_X87_F80_H

#include <stdbool.h>
#include <stdint.h>

struct f80 { uint64_t sig; uint16_t se; }; /* significand with its integer bit; sign and exponent */

struct f80_env {
    uint16_t cw;    /* control word */
    uint16_t flags; /* raised [X87_IE..X87_PE] */
    bool up;        /* C1 of a rounded result */
};

enum { F80_BIAS = 16383, F80_EXP_MAX = 0x7fff, F80_SIGN = 0x8000, F80_UNMASKED_BIAS = 24576 };
#define F80_INTEGER_BIT 0x8000000000000000ull
#define F80_QUIET_BIT 0x4000000000000000ull

enum f80_class { F80_ZERO, F80_NORMAL, F80_DENORMAL, F80_INFINITY, F80_QNAN, F80_SNAN, F80_UNSUPPORTED };
enum f80_order { F80_LESS, F80_EQUAL, F80_GREATER, F80_UNORDERED };
/* What is converted to an integer is rounded as the control word says, or always towards zero (FISTTP). */
enum f80_rounding { F80_NEAREST, F80_DOWN, F80_UP, F80_TRUNCATE }; /* RC */

static inline bool f80_sign(struct f80 a) { return a.se & F80_SIGN; }
static inline int f80_exp(struct f80 a) { return a.se & F80_EXP_MAX; }
static inline bool f80_is_plain(struct f80 a) /* a normal number */
{
    return a.sig >> 63 && (unsigned)(f80_exp(a) - 1) < F80_EXP_MAX - 1;
}
enum f80_class f80_classify(struct f80);

static inline struct f80 f80_make(bool sign, int exp, uint64_t sig)
{
    return (struct f80){ sig, (uint16_t)((sign ? F80_SIGN : 0) | exp) };
}
static inline struct f80 f80_zero(bool sign) { return f80_make(sign, 0, 0); }
static inline struct f80 f80_infinity(bool sign) { return f80_make(sign, F80_EXP_MAX, F80_INTEGER_BIT); }
static inline struct f80 f80_indefinite(void)
{
    return f80_make(true, F80_EXP_MAX, F80_INTEGER_BIT | F80_QUIET_BIT);
}

/* f80.c; rounded to the precision of the control word. */
struct f80 f80_add(struct f80_env *, struct f80 a, struct f80 b);
struct f80 f80_sub(struct f80_env *, struct f80 a, struct f80 b);
struct f80 f80_mul(struct f80_env *, struct f80 a, struct f80 b);
struct f80 f80_div(struct f80_env *, struct f80 a, struct f80 b);
struct f80 f80_sqrt(struct f80_env *, struct f80);

/* f80_compare.c.  'quiet': a quiet NaN is not invalid. */
enum f80_order f80_compare(struct f80_env *, struct f80 a, struct f80 b, bool quiet);

/* f80_convert.c; a signaling NaN of another format stays one */
struct f80 f80_from_f32(struct f80_env *, uint32_t);
struct f80 f80_from_f64(struct f80_env *, uint64_t);
uint32_t f80_to_f32(struct f80_env *, struct f80);
uint64_t f80_to_f64(struct f80_env *, struct f80);
struct f80 f80_from_int(int64_t);
/* 'bits' is 16, 32 or 64; what does not fit is invalid and gives the integer indefinite. */
int64_t f80_to_int(struct f80_env *, struct f80, unsigned bits, enum f80_rounding);
struct f80 f80_from_bcd(const uint8_t bcd[10]);
void f80_to_bcd(struct f80_env *, struct f80, uint8_t bcd[10]);
struct f80 f80_round_to_int(struct f80_env *, struct f80);

/* f80_scale.c */
struct f80 f80_scale(struct f80_env *, struct f80 a, struct f80 b); /* a * 2^trunc(b) */
/* '*exponent' as a number; the significand is the result. */
struct f80 f80_extract(struct f80_env *, struct f80, struct f80 *exponent);
/* FPREM (truncated quotient) or FPREM1 (nearest).  '*quotient': its low three bits.  '*partial':
 * the exponents are too far apart, the caller has to come again. */
struct f80 f80_remainder(struct f80_env *, struct f80 a, struct f80 b, bool nearest, unsigned *quotient, bool *partial);

/* f80_elementary.c */
struct f80 f80_2xm1(struct f80_env *, struct f80);
struct f80 f80_yl2x(struct f80_env *, struct f80 x, struct f80 y);
struct f80 f80_yl2xp1(struct f80_env *, struct f80 x, struct f80 y);
struct f80 f80_atan2(struct f80_env *, struct f80 y, struct f80 x);
/* '*far': the operand's magnitude is not below 2^63; the result is the operand. */
struct f80 f80_sin(struct f80_env *, struct f80, bool *far);
struct f80 f80_cos(struct f80_env *, struct f80, bool *far);
struct f80 f80_tan(struct f80_env *, struct f80, bool *far);

#endif
