/* Arithmetic, compares, and other operations on what is on the stack. */
#include <string.h>

#include "sim/cpu/x87/unit.h"

/* --- sources in memory ------------------------------------------------------------- */

static struct f80 from_f32(struct f80_env *e, const void *memory)
{
    uint32_t v;
    memcpy(&v, memory, 4);
    return f80_from_f32(e, v);
}

static struct f80 from_f64(struct f80_env *e, const void *memory)
{
    uint64_t v;
    memcpy(&v, memory, 8);
    return f80_from_f64(e, v);
}

static struct f80 from_i16(struct f80_env *e, const void *memory)
{
    int16_t v;
    (void)e;
    memcpy(&v, memory, 2);
    return f80_from_int(v);
}

static struct f80 from_i32(struct f80_env *e, const void *memory)
{
    int32_t v;
    (void)e;
    memcpy(&v, memory, 4);
    return f80_from_int(v);
}

/* --- add, subtract, multiply, divide --------------------------------------------------- */

typedef struct f80 operation(struct f80_env *, struct f80, struct f80);
typedef struct f80 source(struct f80_env *, const void *memory);

static struct f80 reverse_sub(struct f80_env *e, struct f80 a, struct f80 b) { return f80_sub(e, b, a); }
static struct f80 reverse_div(struct f80_env *e, struct f80 a, struct f80 b) { return f80_div(e, b, a); }

/* ST(to) = ST(to) op ST(other). */
static inline bool binary(struct cpu *c, operation *op, unsigned to, unsigned other)
{
    x87_begin(c);
    if (x87_is_empty(c, to) || x87_is_empty(c, other)) {
        bool masked = x87_stack_fault(c, false);
        if (masked) {
            x87_put(c, to, f80_indefinite());
        }
        return masked;
    }
    struct f80_env e = x87_env(c);
    struct f80 r = op(&e, x87_get(c, to), x87_get(c, other));
    bool done = x87_commit(c, &e);
    if (done) {
        x87_put(c, to, r);
    }
    return done;
}

/* ST = ST op memory. */
static inline bool binary_memory(struct cpu *c, operation *op, source *from, const void *memory)
{
    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        if (x87_stack_fault(c, false)) {
            x87_put(c, 0, f80_indefinite());
        }
        return true;
    }
    struct f80_env e = x87_env(c);
    struct f80 b = from(&e, memory), r = op(&e, x87_get(c, 0), b);
    if (x87_commit(c, &e)) {
        x87_put(c, 0, r);
    }
    return true;
}

#define ARITHMETIC(name, op)                                                                  \
    X87_DEFINE(name##_st0) { binary(c, op, 0, i); return true; }                              \
    X87_DEFINE(name##_sti) { binary(c, op, i, 0); return true; }                              \
    X87_DEFINE(name##_pop) { if (binary(c, op, i, 0)) x87_pop(c); return true; }              \
    X87_DEFINE(name##_f32) { return binary_memory(c, op, from_f32, memory); }                 \
    X87_DEFINE(name##_f64) { return binary_memory(c, op, from_f64, memory); }                 \
    X87_DEFINE(name##_i16) { return binary_memory(c, op, from_i16, memory); }                 \
    X87_DEFINE(name##_i32) { return binary_memory(c, op, from_i32, memory); }

ARITHMETIC(fadd, f80_add)
ARITHMETIC(fmul, f80_mul)
ARITHMETIC(fsub, f80_sub)
ARITHMETIC(fsubr, reverse_sub)
ARITHMETIC(fdiv, f80_div)
ARITHMETIC(fdivr, reverse_div)

/* --- one operand ------------------------------------------------------------------------- */

/* Checks ST; false: it was empty and that has been dealt with. */
static bool has_st(struct cpu *c)
{
    x87_begin(c);
    if (!x87_is_empty(c, 0)) {
        return true;
    }
    if (x87_stack_fault(c, false)) {
        x87_put(c, 0, f80_indefinite());
    }
    return false;
}

X87_DEFINE(fabs)
{
    if (has_st(c)) {
        x87_st(c, 0)->u16[4] &= 0x7fff;
    }
    return true;
}

X87_DEFINE(fchs)
{
    if (has_st(c)) {
        x87_st(c, 0)->u16[4] ^= F80_SIGN;
    }
    return true;
}

static bool unary(struct cpu *c, struct f80 (*op)(struct f80_env *, struct f80))
{
    if (has_st(c)) {
        struct f80_env e = x87_env(c);
        struct f80 r = op(&e, x87_get(c, 0));
        if (x87_commit(c, &e)) {
            x87_put(c, 0, r);
        }
    }
    return true;
}

X87_DEFINE(fsqrt) { return unary(c, f80_sqrt); }
X87_DEFINE(frndint) { return unary(c, f80_round_to_int); }
X87_DEFINE(f2xm1) { return unary(c, f80_2xm1); }
X87_DEFINE(fscale) { binary(c, f80_scale, 0, 1); return true; }

/* ST(1) = f, and pop. */
static bool two_to_one(struct cpu *c, operation *op)
{
    if (binary(c, op, 1, 0)) {
        x87_pop(c);
    }
    return true;
}

static struct f80 yl2x(struct f80_env *e, struct f80 y, struct f80 x) { return f80_yl2x(e, x, y); }
static struct f80 yl2xp1(struct f80_env *e, struct f80 y, struct f80 x) { return f80_yl2xp1(e, x, y); }

X87_DEFINE(fyl2x) { return two_to_one(c, yl2x); }
X87_DEFINE(fyl2xp1) { return two_to_one(c, yl2xp1); }
X87_DEFINE(fpatan) { return two_to_one(c, f80_atan2); }

/* --- remainders --------------------------------------------------------------------------- */

/* C2: not finished; else C0 C3 C1 are the quotient's bits 2, 1, 0. */
static void set_quotient(struct cpu *c, unsigned quotient, bool partial)
{
    x87_set_condition(c, partial ? X87_C2 : (quotient & 4 ? X87_C0 : 0) | (quotient & 2 ? X87_C3 : 0));
    if (!partial && quotient & 1) {
        c->x87.sw |= X87_C1;
    }
}

static bool remainder_of(struct cpu *c, bool nearest)
{
    struct f80_env e = x87_env(c);
    unsigned quotient;
    bool partial;

    x87_begin(c);
    c->x87.sw &= (uint16_t)~X87_C2;
    if (x87_is_empty(c, 0) || x87_is_empty(c, 1)) {
        if (x87_stack_fault(c, false)) {
            x87_put(c, 0, f80_indefinite());
        }
        return true;
    }
    struct f80 r = f80_remainder(&e, x87_get(c, 0), x87_get(c, 1), nearest, &quotient, &partial);
    e.up = false;
    if (x87_commit(c, &e)) {
        if (f80_exp(r) != F80_EXP_MAX) { /* else it is a NaN */
            set_quotient(c, quotient, partial);
        }
        x87_put(c, 0, r);
    }
    return true;
}

X87_DEFINE(fprem) { return remainder_of(c, false); }
X87_DEFINE(fprem1) { return remainder_of(c, true); }

/* --- two results ---------------------------------------------------------------------------- */

/* Both registers become indefinite when there is no operand or no room; false: dealt with. */
static bool can_split(struct cpu *c)
{
    x87_begin(c);
    if (!x87_is_empty(c, 0) && x87_is_empty(c, 7)) {
        return true;
    }
    if (x87_stack_fault(c, !x87_is_empty(c, 0))) { /* no operand counts before no room */
        x87_put(c, 0, f80_indefinite());
        x87_push(c, f80_indefinite());
    }
    return false;
}

X87_DEFINE(fxtract)
{
    struct f80_env e = x87_env(c);
    struct f80 exponent;

    if (can_split(c)) {
        struct f80 significand = f80_extract(&e, x87_get(c, 0), &exponent);
        if (x87_commit(c, &e)) {
            x87_put(c, 0, exponent);
            x87_push(c, significand);
        }
    }
    return true;
}

static bool sine_or_cosine(struct cpu *c, struct f80 (*f)(struct f80_env *, struct f80, bool *))
{
    struct f80_env e = x87_env(c);
    bool far;

    c->x87.sw &= (uint16_t)~X87_C2;
    if (!has_st(c)) {
        return true;
    }
    struct f80 r = f(&e, x87_get(c, 0), &far);
    if (far) {
        c->x87.sw |= X87_C2;
    } else if (x87_commit(c, &e)) {
        x87_put(c, 0, r);
    }
    return true;
}

X87_DEFINE(fsin) { return sine_or_cosine(c, f80_sin); }
X87_DEFINE(fcos) { return sine_or_cosine(c, f80_cos); }

/* FSINCOS and FPTAN: 'first' replaces ST, 'second' is pushed. */
static bool angle_pair(struct cpu *c, bool tangent)
{
    struct f80_env e = x87_env(c);
    struct f80 first, second;
    bool far;

    c->x87.sw &= (uint16_t)~X87_C2;
    if (!can_split(c)) {
        return true;
    }
    struct f80 a = x87_get(c, 0);
    first = tangent ? f80_tan(&e, a, &far) : f80_sin(&e, a, &far);
    if (tangent) {
        second = f80_classify(a) >= F80_INFINITY ? first : f80_make(false, F80_BIAS, F80_INTEGER_BIT);
    } else {
        second = f80_cos(&e, a, &far);
    }
    if (far) {
        c->x87.sw |= X87_C2;
        return true;
    }
    if (x87_commit(c, &e)) {
        x87_put(c, 0, first);
        x87_push(c, second);
    }
    return true;
}

X87_DEFINE(fsincos) { return angle_pair(c, false); }
X87_DEFINE(fptan) { return angle_pair(c, true); }

/* --- compares ------------------------------------------------------------------------------ */

static unsigned condition_of(enum f80_order order)
{
    static const uint16_t bits[] = { [F80_LESS] = X87_C0, [F80_EQUAL] = X87_C3, [F80_GREATER] = 0,
                                     [F80_UNORDERED] = X87_C0 | X87_C2 | X87_C3 };
    return bits[order];
}

/* Compares; true: what is popped may be. */
static bool compare(struct cpu *c, struct f80_env *e, struct f80 b, bool quiet)
{
    x87_set_condition(c, condition_of(f80_compare(e, x87_get(c, 0), b, quiet)));
    return x87_commit(c, e);
}

static bool compare_empty(struct cpu *c)
{
    x87_set_condition(c, condition_of(F80_UNORDERED));
    return x87_stack_fault(c, false);
}

static void compare_st(struct cpu *c, unsigned i, bool quiet, unsigned pops)
{
    struct f80_env e = x87_env(c);

    x87_begin(c);
    bool empty = x87_is_empty(c, 0) || x87_is_empty(c, i);
    if (empty ? compare_empty(c) : compare(c, &e, x87_get(c, i), quiet)) {
        while (pops--) {
            x87_pop(c);
        }
    }
}

static bool compare_memory(struct cpu *c, source *from, const void *memory, bool pops)
{
    struct f80_env e = x87_env(c);

    x87_begin(c);
    bool empty = x87_is_empty(c, 0), done;
    if (empty) {
        done = compare_empty(c);
    } else {
        done = compare(c, &e, from(&e, memory), false);
    }
    if (done && pops) {
        x87_pop(c);
    }
    return true;
}

#define COMPARE_MEMORY(suffix)                                                                 \
    X87_DEFINE(fcom_##suffix) { return compare_memory(c, from_##suffix, memory, false); }       \
    X87_DEFINE(fcomp_##suffix) { return compare_memory(c, from_##suffix, memory, true); }
COMPARE_MEMORY(f32)
COMPARE_MEMORY(f64)
COMPARE_MEMORY(i16)
COMPARE_MEMORY(i32)

X87_DEFINE(fcom) { compare_st(c, i, false, 0); return true; }
X87_DEFINE(fcomp) { compare_st(c, i, false, 1); return true; }
X87_DEFINE(fcompp) { compare_st(c, 1, false, 2); return true; }
X87_DEFINE(fucom) { compare_st(c, i, true, 0); return true; }
X87_DEFINE(fucomp) { compare_st(c, i, true, 1); return true; }
X87_DEFINE(fucompp) { compare_st(c, 1, true, 2); return true; }

X87_DEFINE(ftst)
{
    struct f80_env e = x87_env(c);

    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        compare_empty(c);
    } else {
        compare(c, &e, f80_zero(false), false);
    }
    return true;
}

/* To ZF PF CF; OF SF AF become 0. */
static void compare_flags(struct cpu *c, unsigned i, bool quiet, bool pops)
{
    enum { CF = 1, PF = 4, ZF = 0x40 };
    static const uint8_t flags[] = { [F80_LESS] = CF, [F80_EQUAL] = ZF, [F80_GREATER] = 0, [F80_UNORDERED] = ZF | PF | CF };
    struct f80_env e = x87_env(c);
    enum f80_order order = F80_UNORDERED;
    bool done;

    x87_begin(c);
    if (x87_is_empty(c, 0) || x87_is_empty(c, i)) {
        done = x87_stack_fault(c, false);
    } else {
        order = f80_compare(&e, x87_get(c, 0), x87_get(c, i), quiet);
        done = x87_commit(c, &e);
    }
    cpu_set_status_flags(c, flags[order]);
    if (done && pops) {
        x87_pop(c);
    }
}

X87_DEFINE(fcomi) { compare_flags(c, i, false, false); return true; }
X87_DEFINE(fcomip) { compare_flags(c, i, false, true); return true; }
X87_DEFINE(fucomi) { compare_flags(c, i, true, false); return true; }
X87_DEFINE(fucomip) { compare_flags(c, i, true, true); return true; }

X87_DEFINE(fxam)
{
    static const uint16_t bits[] = {
        [F80_ZERO] = X87_C3, [F80_NORMAL] = X87_C2, [F80_DENORMAL] = X87_C3 | X87_C2, [F80_INFINITY] = X87_C2 | X87_C0,
        [F80_QNAN] = X87_C0, [F80_SNAN] = X87_C0, [F80_UNSUPPORTED] = 0,
    };
    struct f80 a = x87_get(c, 0);

    x87_begin(c);
    c->x87.sw |= f80_sign(a) ? X87_C1 : 0;
    x87_set_condition(c, x87_is_empty(c, 0) ? X87_C3 | X87_C0 : bits[f80_classify(a)]);
    return true;
}
