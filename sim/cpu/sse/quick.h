/* Hot instructions for handlers to have within them: rows that say "quick".
 *
 *   bool quick_sse_addsd(cpu, to, from, imm)
 *
 * has the meaning of sse_addsd(); false: not done, call that.  Integer forms always do it.  'from' may be
 * unaligned and only as long as the operand; 'to' of general registers is the register.  Both may be one object.
 */
#ifndef SIM_CPU_SSE_QUICK_H
#define SIM_CPU_SSE_QUICK_H

#include "sim/cpu/exec/flags.h"
#include "sim/cpu/sse/ieee_quick.h"
#include "sim/cpu/sse/sse.h"

#define QUICK(name)                                                                          \
    static inline __attribute__((always_inline, unused)) bool quick_sse_##name(struct cpu *cpu __attribute__((unused)), \
        union xmm *to __attribute__((unused)), const union xmm *from __attribute__((unused)), unsigned imm __attribute__((unused)))

#define QUICK_VECTOR(type) typedef type quick_##type __attribute__((vector_size(16), aligned(1), may_alias))
QUICK_VECTOR(uint8_t);
QUICK_VECTOR(uint16_t);
QUICK_VECTOR(uint32_t);
QUICK_VECTOR(uint64_t);
QUICK_VECTOR(int8_t);
QUICK_VECTOR(int16_t);
QUICK_VECTOR(int32_t);
QUICK_VECTOR(float);
QUICK_VECTOR(double);
#undef QUICK_VECTOR

static inline __attribute__((always_inline)) uint32_t quick_u32(const union xmm *v) { uint32_t r; memcpy(&r, v, sizeof r); return r; }
static inline __attribute__((always_inline)) uint64_t quick_u64(const union xmm *v) { uint64_t r; memcpy(&r, v, sizeof r); return r; }

/* --- packed integers ------------------------------------------------------------------- */

#define QUICK_EACH(name, type, expression)                                                   \
    QUICK(name)                                                                              \
    {                                                                                        \
        quick_##type a = *(quick_##type *)to, b = *(const quick_##type *)from;               \
        (void)a;                                                                             \
        *(quick_##type *)to = (quick_##type)(expression);                                    \
        return true;                                                                         \
    }
QUICK_EACH(pand, uint64_t, a & b)
QUICK_EACH(pandn, uint64_t, ~a & b)
QUICK_EACH(por, uint64_t, a | b)
QUICK_EACH(pxor, uint64_t, a ^ b)
QUICK_EACH(paddb, uint8_t, a + b)
QUICK_EACH(paddw, uint16_t, a + b)
QUICK_EACH(paddd, uint32_t, a + b)
QUICK_EACH(paddq, uint64_t, a + b)
QUICK_EACH(psubb, uint8_t, a - b)
QUICK_EACH(psubw, uint16_t, a - b)
QUICK_EACH(psubd, uint32_t, a - b)
QUICK_EACH(psubq, uint64_t, a - b)
QUICK_EACH(pmullw, uint16_t, a * b)
QUICK_EACH(pcmpeqb, uint8_t, a == b)
QUICK_EACH(pcmpeqw, uint16_t, a == b)
QUICK_EACH(pcmpeqd, uint32_t, a == b)
QUICK_EACH(pcmpgtb, int8_t, a > b)
QUICK_EACH(pcmpgtw, int16_t, a > b)
QUICK_EACH(pcmpgtd, int32_t, a > b)
QUICK_EACH(pminub, uint8_t, (a & (quick_uint8_t)(a < b)) | (b & ~(quick_uint8_t)(a < b)))
QUICK_EACH(pmaxub, uint8_t, (a & (quick_uint8_t)(a > b)) | (b & ~(quick_uint8_t)(a > b)))
#undef QUICK_EACH

#define QUICK_SHIFT(name, type, operator, bits)                                              \
    QUICK(name##_imm)                                                                        \
    {                                                                                        \
        quick_##type a = *(quick_##type *)to;                                                \
        *(quick_##type *)to = imm < (bits) ? a operator (type)imm : (quick_##type){ 0 };     \
        return true;                                                                         \
    }
QUICK_SHIFT(psllw, uint16_t, <<, 16)
QUICK_SHIFT(pslld, uint32_t, <<, 32)
QUICK_SHIFT(psllq, uint64_t, <<, 64)
QUICK_SHIFT(psrlw, uint16_t, >>, 16)
QUICK_SHIFT(psrld, uint32_t, >>, 32)
QUICK_SHIFT(psrlq, uint64_t, >>, 64)
#undef QUICK_SHIFT

#define QUICK_SHIFT_SIGNED(name, type, bits)                                                 \
    QUICK(name##_imm)                                                                        \
    {                                                                                        \
        quick_##type a = *(quick_##type *)to;                                                \
        *(quick_##type *)to = a >> (type)(imm < (bits) ? imm : (bits) - 1);                  \
        return true;                                                                         \
    }
QUICK_SHIFT_SIGNED(psraw, int16_t, 16)
QUICK_SHIFT_SIGNED(psrad, int32_t, 32)
#undef QUICK_SHIFT_SIGNED

#define QUICK_SHIFT_BYTES(name, operator)                                                    \
    QUICK(name)                                                                              \
    {                                                                                        \
        unsigned __int128 v;                                                                 \
        memcpy(&v, to, sizeof v);                                                            \
        v = imm < 16 ? v operator 8 * imm : 0;                                               \
        memcpy(to, &v, sizeof v);                                                            \
        return true;                                                                         \
    }
QUICK_SHIFT_BYTES(pslldq, <<)
QUICK_SHIFT_BYTES(psrldq, >>)
#undef QUICK_SHIFT_BYTES

/* --- moves of elements -------------------------------------------------------------------- */

static inline __attribute__((always_inline)) uint32_t quick_element(const union xmm *v, unsigned i)
{
    uint32_t r;
    memcpy(&r, (const char *)v + 4 * (i & 3), sizeof r);
    return r;
}

QUICK(pshufd)
{
    *(quick_uint32_t *)to = (quick_uint32_t){ quick_element(from, imm), quick_element(from, imm >> 2),
                                              quick_element(from, imm >> 4), quick_element(from, imm >> 6) };
    return true;
}

QUICK(shufps)
{
    *(quick_uint32_t *)to = (quick_uint32_t){ quick_element(to, imm), quick_element(to, imm >> 2),
                                              quick_element(from, imm >> 4), quick_element(from, imm >> 6) };
    return true;
}

#define QUICK_UNPACK(name, type, ...)                                                        \
    QUICK(name)                                                                              \
    {                                                                                        \
        quick_##type a = *(quick_##type *)to, b = *(const quick_##type *)from;               \
        *(quick_##type *)to = (quick_##type){ __VA_ARGS__ };                                 \
        return true;                                                                         \
    }
QUICK_UNPACK(unpcklps, uint32_t, a[0], b[0], a[1], b[1])
QUICK_UNPACK(unpckhps, uint32_t, a[2], b[2], a[3], b[3])
QUICK_UNPACK(punpcklbw, uint8_t, a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3], a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
QUICK_UNPACK(punpckhbw, uint8_t, a[8], b[8], a[9], b[9], a[10], b[10], a[11], b[11], a[12], b[12], a[13], b[13], a[14], b[14], a[15], b[15])
QUICK_UNPACK(punpcklwd, uint16_t, a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
QUICK_UNPACK(punpckhwd, uint16_t, a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
QUICK_UNPACK(punpcklqdq, uint64_t, a[0], b[0])
QUICK_UNPACK(punpckhqdq, uint64_t, a[1], b[1])
#undef QUICK_UNPACK

/* The top bits of eight bytes, in order: each product puts one where no other lands. */
static inline __attribute__((always_inline)) uint64_t quick_top_bits(uint64_t v)
{
    return (v >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56;
}

QUICK(pmovmskb)
{
    to->u64[0] = quick_top_bits(from->u64[0]) | quick_top_bits(from->u64[1]) << 8;
    return true;
}

QUICK(movmskpd)
{
    to->u64[0] = from->u64[0] >> 63 | from->u64[1] >> 63 << 1;
    return true;
}

/* --- scalar floating point -------------------------------------------------------------------- */

#define QUICK_SCALAR(name)                                                                   \
    QUICK(name##sd)                                                                          \
    {                                                                                        \
        uint64_t r;                                                                          \
        bool done = f64_quick_##name(cpu->mxcsr, to->u64[0], quick_u64(from), &r);           \
        to->u64[0] = done ? r : to->u64[0];                                                  \
        return done;                                                                         \
    }                                                                                        \
    QUICK(name##ss)                                                                          \
    {                                                                                        \
        uint32_t r;                                                                          \
        bool done = f32_quick_##name(cpu->mxcsr, to->u32[0], quick_u32(from), &r);           \
        to->u32[0] = done ? r : to->u32[0];                                                  \
        return done;                                                                         \
    }
QUICK_SCALAR(add)
QUICK_SCALAR(sub)
QUICK_SCALAR(mul)
QUICK_SCALAR(div)
#undef QUICK_SCALAR

#define QUICK_UNARY(name, call, element)                                                     \
    QUICK(name)                                                                              \
    {                                                                                        \
        __typeof__(to->element[0]) r;                                                        \
        bool done = call;                                                                    \
        to->element[0] = done ? r : to->element[0];                                          \
        return done;                                                                         \
    }
QUICK_UNARY(sqrtsd, f64_quick_sqrt(cpu->mxcsr, quick_u64(from), &r), u64)
QUICK_UNARY(sqrtss, f32_quick_sqrt(cpu->mxcsr, quick_u32(from), &r), u32)
QUICK_UNARY(minsd, f64_quick_min(to->u64[0], quick_u64(from), &r), u64)
QUICK_UNARY(maxsd, f64_quick_max(to->u64[0], quick_u64(from), &r), u64)
QUICK_UNARY(minss, f32_quick_min(to->u32[0], quick_u32(from), &r), u32)
QUICK_UNARY(maxss, f32_quick_max(to->u32[0], quick_u32(from), &r), u32)
QUICK_UNARY(cvtss2sd, f32_quick_to_f64(quick_u32(from), &r), u64)
QUICK_UNARY(cvtsd2ss, f64_quick_to_f32(cpu->mxcsr, quick_u64(from), &r), u32)
QUICK_UNARY(cvtsi2sd, f64_quick_from_int(cpu->mxcsr, (int32_t)quick_u32(from), &r), u64)
QUICK_UNARY(cvtsq2sd, f64_quick_from_int(cpu->mxcsr, (int64_t)quick_u64(from), &r), u64)
QUICK_UNARY(cvtsi2ss, f32_quick_from_int(cpu->mxcsr, (int32_t)quick_u32(from), &r), u32)
QUICK_UNARY(cvtsq2ss, f32_quick_from_int(cpu->mxcsr, (int64_t)quick_u64(from), &r), u32)
QUICK_UNARY(cvttsd2si, f64_quick_truncate(cpu->mxcsr, quick_u64(from), 32, &r), u64)
QUICK_UNARY(cvttsd2sq, f64_quick_truncate(cpu->mxcsr, quick_u64(from), 64, &r), u64)
QUICK_UNARY(cvttss2si, f32_quick_truncate(cpu->mxcsr, quick_u32(from), 32, &r), u64)
QUICK_UNARY(cvttss2sq, f32_quick_truncate(cpu->mxcsr, quick_u32(from), 64, &r), u64)
#undef QUICK_UNARY

#define QUICK_COMPARE(name, f, value)                                                        \
    QUICK(name)                                                                              \
    {                                                                                        \
        enum ieee_order order;                                                               \
        if (!f##_quick_compare(value(to), value(from), &order)) {                            \
            return false;                                                                    \
        }                                                                                    \
        flags_set_raw(cpu, order == IEEE_LESS ? FLAG_C : order == IEEE_EQUAL ? FLAG_Z : 0);  \
        return true;                                                                         \
    }
QUICK_COMPARE(ucomisd, f64, quick_u64)
QUICK_COMPARE(comisd, f64, quick_u64)
QUICK_COMPARE(ucomiss, f32, quick_u32)
QUICK_COMPARE(comiss, f32, quick_u32)
#undef QUICK_COMPARE

/* --- packed floating point: all lanes or none --------------------------------------------------- */

#define QUICK_PACKED_DOUBLE(name)                                                            \
    QUICK(name##pd)                                                                          \
    {                                                                                        \
        uint64_t b[2], r[2];                                                                 \
        memcpy(b, from, sizeof b);                                                           \
        bool low = f64_quick_##name(cpu->mxcsr, to->u64[0], b[0], &r[0]);                    \
        if (!low || !f64_quick_##name(cpu->mxcsr, to->u64[1], b[1], &r[1])) {                \
            return false;                                                                    \
        }                                                                                    \
        memcpy(to, r, sizeof r);                                                             \
        return true;                                                                         \
    }
QUICK_PACKED_DOUBLE(add)
QUICK_PACKED_DOUBLE(sub)
QUICK_PACKED_DOUBLE(mul)
QUICK_PACKED_DOUBLE(div)
#undef QUICK_PACKED_DOUBLE

/* Unsigned compares as signed ones: both sides moved by 2^31. */
static inline __attribute__((always_inline)) quick_int32_t quick_denormal_lanes(quick_uint32_t v)
{
    return (quick_int32_t)((v & 0x7fffffff) + 0x7fffffff) < (int32_t)(0x007fffff ^ 0x80000000);
}
static inline __attribute__((always_inline)) quick_int32_t quick_safe_lanes(quick_uint32_t v)
{
    return (quick_int32_t)((v & 0x7fffffff) + (0x80000000 - 0x01000000)) < (int32_t)((0x7f800000 - 0x01000000) ^ 0x80000000);
}
static inline __attribute__((always_inline)) quick_int32_t quick_zero_lanes(quick_uint32_t v)
{
    return (quick_int32_t)(v << 1) == 0;
}

#define QUICK_LANES_add(a, b) zero
#define QUICK_LANES_sub(a, b) zero
#define QUICK_LANES_mul(a, b) (zero & (quick_zero_lanes(a) | quick_zero_lanes(b)))
#define QUICK_LANES_div(a, b) (zero & quick_zero_lanes(a))

/* Whether it is exact is not looked at: PE must be set. */
#define QUICK_PACKED_SINGLE(name, operator)                                                  \
    QUICK(name##ps)                                                                          \
    {                                                                                        \
        quick_float x = *(quick_float *)to, y = *(const quick_float *)from, r = x operator y; \
        quick_uint32_t a = (quick_uint32_t)x, b = (quick_uint32_t)y;                         \
        quick_int32_t zero = quick_zero_lanes((quick_uint32_t)r);                            \
        quick_uint64_t good = (quick_uint64_t)((quick_safe_lanes((quick_uint32_t)r) | QUICK_LANES_##name(a, b)) & \
                                               ~quick_denormal_lanes(a) & ~quick_denormal_lanes(b)); \
        if (!ieee_quick(cpu->mxcsr) || !(cpu->mxcsr & MXCSR_PE) || (good[0] & good[1]) != UINT64_MAX) { \
            return false;                                                                    \
        }                                                                                    \
        *(quick_float *)to = r;                                                              \
        return true;                                                                         \
    }
QUICK_PACKED_SINGLE(add, +)
QUICK_PACKED_SINGLE(sub, -)
QUICK_PACKED_SINGLE(mul, *)
QUICK_PACKED_SINGLE(div, /)
#undef QUICK_PACKED_SINGLE

#undef QUICK
#endif
