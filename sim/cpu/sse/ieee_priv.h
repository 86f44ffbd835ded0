/* Inside of ieee.c and ieee_convert.c: unpacked numbers and rounding. */
#ifndef SIM_CPU_SSE_IEEE_PRIV_H
#define SIM_CPU_SSE_IEEE_PRIV_H

#include "sim/cpu/sse/ieee.h"

typedef unsigned __int128 ieee_wide;

/* An IEEE 754 interchange format. */
struct ieee_format {
    unsigned fraction; /* [bits], without the hidden one */
    int emin, emax;    /* of normal numbers, unbiased; the bias is emax */
    unsigned sign;     /* its bit */
};

static const struct ieee_format binary32 = { 23, -126, 127, 31 };
static const struct ieee_format binary64 = { 52, -1022, 1023, 63 };

enum ieee_kind { IEEE_ZERO, IEEE_FINITE, IEEE_INFINITY, IEEE_QNAN, IEEE_SNAN };

/* FINITE: (sig / 2^63) * 2^exp with the top bit of sig set. */
struct ieee_num {
    enum ieee_kind kind;
    bool sign, denormal; /* 'denormal': was one, and DAZ did not make it zero */
    int exp;
    uint64_t sig;
    uint64_t bits;       /* as it came */
};

struct ieee_num ieee_unpack(const struct ieee_format *, const struct ieee_env *, uint64_t bits);

/* Rounds (sig / 2^63) * 2^exp, with 'sticky' for nonzero bits below, to the
 * format; raises OE, UE, PE.  'sig' has its top bit set. */
uint64_t ieee_round_pack(const struct ieee_format *, struct ieee_env *, bool sign, int exp,
                         uint64_t sig, bool sticky);

/* sig / 2^shift rounded to an integer; '*inexact' tells whether bits were lost. */
uint64_t ieee_round_shift(uint64_t sig, unsigned shift, bool sticky, bool sign, enum rounding,
                          bool *inexact);

/* Rounds v * 2^(exp - 127), v != 0. */
uint64_t ieee_pack_wide(const struct ieee_format *, struct ieee_env *, bool sign, int exp, ieee_wide v);
/* What is shifted out shows in the last bit. */
ieee_wide ieee_shift_right_jam(ieee_wide v, unsigned by);

uint64_t ieee_infinity(const struct ieee_format *, bool sign);
uint64_t ieee_zero(const struct ieee_format *, bool sign);
uint64_t ieee_invalid(const struct ieee_format *, struct ieee_env *); /* IE and the default NaN */
uint64_t ieee_quiet(const struct ieee_format *, uint64_t nan);
/* floor(sqrt(n)); '*exact' when nothing is left. */
uint64_t ieee_isqrt(ieee_wide n, bool *exact);

static inline enum rounding ieee_rounding(const struct ieee_env *env)
{
    return (enum rounding)((env->mxcsr & MXCSR_RC) >> MXCSR_RC_SHIFT);
}

static inline bool ieee_is_nan(const struct ieee_num *n)
{
    return n->kind >= IEEE_QNAN;
}

#endif
