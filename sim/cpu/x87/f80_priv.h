/* Inside of the f80 files: unpacked numbers, rounding, NaNs. */
#ifndef SIM_CPU_X87_F80_PRIV_H
#define SIM_CPU_X87_F80_PRIV_H

#include "sim/cpu/x87/f80.h"
#include "sim/cpu/x87/x87.h"

typedef unsigned __int128 f80_wide;

/* (sig / 2^63) * 2^(exp - bias), top bit of sig set. */
struct f80_num { uint64_t sig; int exp; bool sign; };

static inline enum f80_rounding f80_rounding(const struct f80_env *e)
{
    return (enum f80_rounding)(e->cw >> 10 & 3);
}

/* Significant bits of the control word's precision; 01b is reserved and means 64. */
static inline unsigned f80_precision(const struct f80_env *e)
{
    static const uint8_t bits[4] = { 24, 64, 53, 64 };
    return bits[e->cw >> 8 & 3];
}

/* A finite number but zero. */
static inline struct f80_num f80_unpack(struct f80 a)
{
    int exp = f80_exp(a);
    if (exp == 0) {
        int shift = __builtin_clzll(a.sig);
        return (struct f80_num){ a.sig << shift, 1 - shift, f80_sign(a) };
    }
    return (struct f80_num){ a.sig, exp, f80_sign(a) };
}

/* hi:lo shifted right, what falls out jammed into the lowest bit. */
static inline f80_wide f80_shift_jam(f80_wide v, unsigned by)
{
    if (by == 0) {
        return v;
    }
    if (by >= 128) {
        return v != 0;
    }
    return v >> by | ((v << (128 - by)) != 0);
}

/* Does the part below the last place round the magnitude up?  'rest' is a fraction of 2^64. */
static inline bool f80_rounds_up(enum f80_rounding mode, bool sign, bool odd, uint64_t rest)
{
    switch (mode) {
    case F80_NEAREST: return rest > F80_INTEGER_BIT || (rest == F80_INTEGER_BIT && odd);
    case F80_DOWN: return rest && sign;
    case F80_UP: return rest && !sign;
    default: return false;
    }
}

/* Rounds sig:rest (top bit of sig set) and packs; raises OE, UE, PE. */
struct f80 f80_round_pack(struct f80_env *, bool sign, int exp, uint64_t sig, uint64_t rest, unsigned precision);

/* One of the operands is a NaN or unsupported: IE as it should be, and which NaN comes out. */
struct f80 f80_nan(struct f80_env *, struct f80 a, struct f80 b);
static inline struct f80 f80_nan1(struct f80_env *e, struct f80 a) { return f80_nan(e, a, a); }
static inline bool f80_is_nan(enum f80_class c) { return c >= F80_QNAN; }

static inline struct f80 f80_invalid(struct f80_env *e)
{
    e->flags |= X87_IE;
    return f80_indefinite();
}

static inline void f80_note_denormals(struct f80_env *e, enum f80_class a, enum f80_class b)
{
    if (a == F80_DENORMAL || b == F80_DENORMAL) {
        e->flags |= X87_DE;
    }
}

#endif
