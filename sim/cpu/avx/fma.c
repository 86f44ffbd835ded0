/* VFMADD and its family: three orders of operands, four choices of sign, alternating signs. */
#include "sim/cpu/avx/avx_priv.h"

/* Which signs: of the product, of the addend, and of the addend in elements with an even or odd number. */
enum { ADD = 0, SUB = IEEE_NEGATE_ADDEND, NADD = IEEE_NEGATE_PRODUCT, NSUB = IEEE_NEGATE_PRODUCT | IEEE_NEGATE_ADDEND,
       ADDSUB = 4, SUBADD = 8 };

static unsigned signs_of(unsigned what, unsigned element)
{
    return what < ADDSUB ? what : (element & 1) == (what == SUBADD) ? SUB : ADD;
}

static enum exec_result fma32(struct cpu *cpu, struct avx_call *v, const union ymm *x, const union ymm *y, const union ymm *z,
                              unsigned count, unsigned what)
{
    struct ieee_env env = sse_begin(cpu);
    union ymm r = v->to;
    for (unsigned i = 0; i < count; i++) {
        r.u32[i] = f32_fma(&env, x->u32[i], y->u32[i], z->u32[i], signs_of(what, i));
    }
    v->to = r;
    return sse_end(cpu, &env);
}

static enum exec_result fma64(struct cpu *cpu, struct avx_call *v, const union ymm *x, const union ymm *y, const union ymm *z,
                              unsigned count, unsigned what)
{
    struct ieee_env env = sse_begin(cpu);
    union ymm r = v->to;
    for (unsigned i = 0; i < count; i++) {
        r.u64[i] = f64_fma(&env, x->u64[i], y->u64[i], z->u64[i], signs_of(what, i));
    }
    v->to = r;
    return sse_end(cpu, &env);
}

/* The digits say which operands are multiplicand, multiplier and addend: 1 the destination, 2 VEX.vvvv, 3 ModRM.rm. */
#define PACKED(name, what, order, x, y, z)                                                                                \
    AVX_WHOLE_FAULTING(name##order##ps) { return fma32(cpu, v, &v->x, &v->y, &v->z, 4 * v->lanes, what); }               \
    AVX_WHOLE_FAULTING(name##order##pd) { return fma64(cpu, v, &v->x, &v->y, &v->z, 2 * v->lanes, what); }
#define SCALAR(name, what, order, x, y, z)                                                                                \
    AVX_WHOLE_FAULTING(name##order##ss) { return fma32(cpu, v, &v->x, &v->y, &v->z, 1, what); }                          \
    AVX_WHOLE_FAULTING(name##order##sd) { return fma64(cpu, v, &v->x, &v->y, &v->z, 1, what); }
#define ORDERS(forms, name, what) \
    forms(name, what, 132, to, b, a) forms(name, what, 213, a, to, b) forms(name, what, 231, a, b, to)

ORDERS(PACKED, fmadd, ADD)
ORDERS(SCALAR, fmadd, ADD)
ORDERS(PACKED, fmsub, SUB)
ORDERS(SCALAR, fmsub, SUB)
ORDERS(PACKED, fnmadd, NADD)
ORDERS(SCALAR, fnmadd, NADD)
ORDERS(PACKED, fnmsub, NSUB)
ORDERS(SCALAR, fnmsub, NSUB)
ORDERS(PACKED, fmaddsub, ADDSUB)
ORDERS(PACKED, fmsubadd, SUBADD)
