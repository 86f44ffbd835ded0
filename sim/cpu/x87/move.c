/* Loads, stores, constants, exchanges, conditional moves, and the stack itself. */
#include <string.h>

#include "sim/cpu/x87/unit.h"

/* --- loads ------------------------------------------------------------------------------- */

/* Pushes what was converted; a full stack gives the indefinite NaN. */
static bool load(struct cpu *c, const struct f80_env *e, struct f80 value)
{
    x87_begin(c);
    if (!x87_is_empty(c, 7)) {
        if (x87_stack_fault(c, true)) {
            x87_push(c, f80_indefinite());
        }
    } else if (x87_commit(c, e) || !(e->flags & X87_IE)) {
        x87_push(c, value);
    }
    return true;
}

static struct f80 quieted(struct f80_env *e, struct f80 value)
{
    if (f80_classify(value) == F80_SNAN) {
        e->flags |= X87_IE;
        value.sig |= F80_QUIET_BIT;
    }
    return value;
}

X87_DEFINE(fld_f32)
{
    struct f80_env e = x87_env(c);
    uint32_t v;
    memcpy(&v, memory, 4);
    return load(c, &e, quieted(&e, f80_from_f32(&e, v)));
}

X87_DEFINE(fld_f64)
{
    struct f80_env e = x87_env(c);
    uint64_t v;
    memcpy(&v, memory, 8);
    return load(c, &e, quieted(&e, f80_from_f64(&e, v)));
}

X87_DEFINE(fld_f80)
{
    struct f80_env e = x87_env(c);
    struct f80 v;
    memcpy(&v.sig, memory, 8);
    memcpy(&v.se, (const uint8_t *)memory + 8, 2);
    return load(c, &e, v);
}

#define LOAD_INTEGER(bits)                                       \
    X87_DEFINE(fild_i##bits)                                     \
    {                                                            \
        struct f80_env e = x87_env(c);                           \
        int##bits##_t v;                                         \
        memcpy(&v, memory, sizeof v);                            \
        return load(c, &e, f80_from_int(v));                     \
    }
LOAD_INTEGER(16)
LOAD_INTEGER(32)
LOAD_INTEGER(64)

X87_DEFINE(fbld)
{
    struct f80_env e = x87_env(c);
    return load(c, &e, f80_from_bcd(memory));
}

X87_DEFINE(fld_sti)
{
    struct f80_env e = x87_env(c);

    if (x87_is_empty(c, i)) {
        x87_begin(c);
        if (x87_stack_fault(c, false)) {
            x87_push(c, f80_indefinite());
        }
        return true;
    }
    return load(c, &e, x87_get(c, i));
}

/* SDM Vol 2 "FLD1/FLDL2T/...": the constant to more bits than there are, rounded by RC.  'below': the bits
 * after the significand are more than half a unit, so that to-nearest went up. */
static bool load_constant(struct cpu *c, int exp, uint64_t truncated, bool above_half, bool exact)
{
    struct f80_env e = x87_env(c);
    unsigned rc = c->x87.cw >> 10 & 3;
    bool up = !exact && (rc == F80_UP || (rc == F80_NEAREST && above_half));

    return load(c, &e, f80_make(false, exp, truncated + up));
}

X87_DEFINE(fld1) { return load_constant(c, 0x3fff, 0x8000000000000000, false, true); }
X87_DEFINE(fldz) { return load_constant(c, 0, 0, false, true); }
X87_DEFINE(fldl2t) { return load_constant(c, 0x4000, 0xd49a784bcd1b8afe, false, false); }
X87_DEFINE(fldl2e) { return load_constant(c, 0x3fff, 0xb8aa3b295c17f0bb, true, false); }
X87_DEFINE(fldpi) { return load_constant(c, 0x4000, 0xc90fdaa22168c234, true, false); }
X87_DEFINE(fldlg2) { return load_constant(c, 0x3ffd, 0x9a209a84fbcff798, true, false); }
X87_DEFINE(fldln2) { return load_constant(c, 0x3ffe, 0xb17217f7d1cf79ab, true, false); }

/* --- stores --------------------------------------------------------------------------------- */

/* Ends a store: true when something goes to memory (and is popped). */
static bool stored(struct cpu *c, bool done, bool pops)
{
    if (done && pops) {
        x87_pop(c);
    }
    return done;
}

static bool store_f32(struct cpu *c, void *memory, bool pops)
{
    struct f80_env e = x87_env(c);
    uint32_t v = 0xffc00000;
    bool done;

    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        done = x87_stack_fault(c, false);
    } else {
        v = f80_to_f32(&e, x87_get(c, 0));
        done = x87_commit_store(c, &e);
    }
    if (done) {
        memcpy(memory, &v, 4);
    }
    return stored(c, done, pops);
}

static bool store_f64(struct cpu *c, void *memory, bool pops)
{
    struct f80_env e = x87_env(c);
    uint64_t v = 0xfff8000000000000;
    bool done;

    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        done = x87_stack_fault(c, false);
    } else {
        v = f80_to_f64(&e, x87_get(c, 0));
        done = x87_commit_store(c, &e);
    }
    if (done) {
        memcpy(memory, &v, 8);
    }
    return stored(c, done, pops);
}

X87_DEFINE(fst_f32) { return store_f32(c, memory, false); }
X87_DEFINE(fstp_f32) { return store_f32(c, memory, true); }
X87_DEFINE(fst_f64) { return store_f64(c, memory, false); }
X87_DEFINE(fstp_f64) { return store_f64(c, memory, true); }

X87_DEFINE(fstp_f80)
{
    struct f80 v = f80_indefinite();
    bool done = true;

    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        done = x87_stack_fault(c, false);
    } else {
        v = x87_get(c, 0);
    }
    if (done) {
        memcpy(memory, &v.sig, 8);
        memcpy((uint8_t *)memory + 8, &v.se, 2);
    }
    return stored(c, done, true);
}

static bool store_integer(struct cpu *c, void *memory, unsigned bits, bool truncates, bool pops)
{
    struct f80_env e = x87_env(c);
    int64_t v = (int64_t)(0 - (1ull << (bits - 1)));
    bool done;

    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        done = x87_stack_fault(c, false);
    } else {
        enum f80_rounding mode = truncates ? F80_TRUNCATE : (enum f80_rounding)(c->x87.cw >> 10 & 3);
        v = f80_to_int(&e, x87_get(c, 0), bits, mode);
        done = x87_commit_store(c, &e);
    }
    if (done) {
        memcpy(memory, &v, bits / 8);
    }
    return stored(c, done, pops);
}

X87_DEFINE(fist_i16) { return store_integer(c, memory, 16, false, false); }
X87_DEFINE(fist_i32) { return store_integer(c, memory, 32, false, false); }
X87_DEFINE(fistp_i16) { return store_integer(c, memory, 16, false, true); }
X87_DEFINE(fistp_i32) { return store_integer(c, memory, 32, false, true); }
X87_DEFINE(fistp_i64) { return store_integer(c, memory, 64, false, true); }
X87_DEFINE(fisttp_i16) { return store_integer(c, memory, 16, true, true); }
X87_DEFINE(fisttp_i32) { return store_integer(c, memory, 32, true, true); }
X87_DEFINE(fisttp_i64) { return store_integer(c, memory, 64, true, true); }

X87_DEFINE(fbstp)
{
    static const uint8_t indefinite[10] = { 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff };
    struct f80_env e = x87_env(c);
    uint8_t v[10];
    bool done;

    memcpy(v, indefinite, sizeof v);
    x87_begin(c);
    if (x87_is_empty(c, 0)) {
        done = x87_stack_fault(c, false);
    } else {
        f80_to_bcd(&e, x87_get(c, 0), v);
        done = x87_commit_store(c, &e);
    }
    if (done) {
        memcpy(memory, v, sizeof v);
    }
    return stored(c, done, true);
}

static bool store_sti(struct cpu *c, unsigned i, bool pops)
{
    x87_begin(c);
    if (!x87_is_empty(c, 0)) {
        x87_put(c, i, x87_get(c, 0));
    } else if (x87_stack_fault(c, false)) {
        x87_put(c, i, f80_indefinite());
    } else {
        return true;
    }
    return stored(c, true, pops);
}

X87_DEFINE(fst_sti) { return store_sti(c, i, false); }
X87_DEFINE(fstp_sti) { return store_sti(c, i, true); }

/* D9 D8: pops without looking whether there is something. */
X87_DEFINE(fstpnce)
{
    x87_begin(c);
    if (!x87_is_empty(c, 0)) {
        x87_put(c, i, x87_get(c, 0));
    }
    x87_pop(c);
    return true;
}

/* --- among registers -------------------------------------------------------------------------- */

X87_DEFINE(fxch)
{
    x87_begin(c);
    bool empty0 = x87_is_empty(c, 0), emptyi = x87_is_empty(c, i);
    if ((empty0 || emptyi) && !x87_stack_fault(c, false)) {
        return true;
    }
    struct f80 a = empty0 ? f80_indefinite() : x87_get(c, 0), b = emptyi ? f80_indefinite() : x87_get(c, i);
    x87_put(c, 0, b);
    x87_put(c, i, a);
    return true;
}

static bool conditional_move(struct cpu *c, unsigned i, bool condition)
{
    if (x87_is_empty(c, 0) || x87_is_empty(c, i)) {
        x87_begin(c);
        if (x87_stack_fault(c, false)) {
            x87_put(c, 0, f80_indefinite());
        }
    } else if (condition) {
        x87_put(c, 0, x87_get(c, i));
    }
    return true;
}

static bool flag(const struct cpu *c, uint64_t mask)
{
    return cpu_rflags(c) & mask;
}

enum { CF = 1, PF = 4, ZF = 0x40 };
X87_DEFINE(fcmovb) { return conditional_move(c, i, flag(c, CF)); }
X87_DEFINE(fcmove) { return conditional_move(c, i, flag(c, ZF)); }
X87_DEFINE(fcmovbe) { return conditional_move(c, i, flag(c, CF | ZF)); }
X87_DEFINE(fcmovu) { return conditional_move(c, i, flag(c, PF)); }
X87_DEFINE(fcmovnb) { return conditional_move(c, i, !flag(c, CF)); }
X87_DEFINE(fcmovne) { return conditional_move(c, i, !flag(c, ZF)); }
X87_DEFINE(fcmovnbe) { return conditional_move(c, i, !flag(c, CF | ZF)); }
X87_DEFINE(fcmovnu) { return conditional_move(c, i, !flag(c, PF)); }

X87_DEFINE(fincstp)
{
    x87_begin(c);
    c->x87.top = (c->x87.top + 1) & 7;
    return true;
}

X87_DEFINE(fdecstp)
{
    x87_begin(c);
    c->x87.top = (c->x87.top - 1) & 7;
    return true;
}

X87_DEFINE(ffree)
{
    x87_begin(c);
    c->x87.full &= (uint8_t)~(1u << ((c->x87.top + i) & 7));
    return true;
}

X87_DEFINE(ffreep)
{
    x87_ffree(c, i, memory);
    x87_pop(c);
    return true;
}

X87_DEFINE(fnop) { return true; }
