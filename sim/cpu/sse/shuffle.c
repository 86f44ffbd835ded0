#include "sim/cpu/sse/sse_priv.h"

/* --- logic ---------------------------------------------------------------------------- */

#define LOGIC(name, expression)                                                              \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        for (unsigned i = 0; i < 2; i++) {                                                   \
            uint64_t a = dst->u64[i], b = src->u64[i];                                       \
            dst->u64[i] = expression;                                                        \
        }                                                                                    \
    }

LOGIC(pand, a & b)
LOGIC(pandn, ~a & b)
LOGIC(por, a | b)
LOGIC(pxor, a ^ b)

/* --- shuffles: two bits of 'imm' choose each element --------------------------------------- */

SSE_DEFINE(shufps)
{
    union xmm a = *dst, b = *src;
    dst->u32[0] = a.u32[imm & 3];
    dst->u32[1] = a.u32[imm >> 2 & 3];
    dst->u32[2] = b.u32[imm >> 4 & 3];
    dst->u32[3] = b.u32[imm >> 6 & 3];
}

SSE_DEFINE(shufpd)
{
    union xmm a = *dst, b = *src;
    dst->u64[0] = a.u64[imm & 1];
    dst->u64[1] = b.u64[imm >> 1 & 1];
}

SSE_DEFINE(pshufd)
{
    union xmm b = *src;
    for (unsigned i = 0; i < 4; i++) {
        dst->u32[i] = b.u32[imm >> 2 * i & 3];
    }
}

static void shuffle_words(union xmm *dst, const union xmm *src, unsigned first, unsigned imm)
{
    union xmm b = *src;
    *dst = b;
    for (unsigned i = 0; i < 4; i++) {
        dst->u16[first + i] = b.u16[first + (imm >> 2 * i & 3)];
    }
}

SSE_DEFINE(pshuflw)
{
    shuffle_words(dst, src, 0, imm);
}

SSE_DEFINE(pshufhw)
{
    shuffle_words(dst, src, 4, imm);
}

/* --- unpacks: one half of each operand, interleaved ------------------------------------------ */

#define UNPACK(name, element, count, first)                                                  \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        union xmm a = *dst, b = *src;                                                        \
        for (unsigned i = 0; i < (count) / 2; i++) {                                         \
            dst->element[2 * i] = a.element[(first) + i];                                    \
            dst->element[2 * i + 1] = b.element[(first) + i];                                \
        }                                                                                    \
    }

UNPACK(punpcklbw, u8, 16, 0)
UNPACK(punpcklwd, u16, 8, 0)
UNPACK(punpcklqdq, u64, 2, 0)
UNPACK(punpckhbw, u8, 16, 8)
UNPACK(punpckhwd, u16, 8, 4)
UNPACK(punpckhqdq, u64, 2, 1)
UNPACK(unpcklps, u32, 4, 0)
UNPACK(unpckhps, u32, 4, 2)

/* --- packs: both operands, narrowed with saturation -------------------------------------------- */

#define PACK(name, to, count, from, wide, low, high)                                         \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        union xmm a = *dst, b = *src;                                                        \
        for (unsigned i = 0; i < (count) / 2; i++) {                                         \
            dst->to[i] = (__typeof__(dst->to[0]))sse_clamp((wide)a.from[i], low, high);          \
            dst->to[(count) / 2 + i] = (__typeof__(dst->to[0]))sse_clamp((wide)b.from[i], low, high); \
        }                                                                                    \
    }

PACK(packsswb, u8, 16, u16, int16_t, INT8_MIN, INT8_MAX)
PACK(packuswb, u8, 16, u16, int16_t, 0, UINT8_MAX)
PACK(packssdw, u16, 8, u32, int32_t, INT16_MIN, INT16_MAX)
PACK(packusdw, u16, 8, u32, int32_t, 0, UINT16_MAX)

/* --- to and from general registers --------------------------------------------------------------- */

SSE_DEFINE(movmskps)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 4; i++) {
        mask |= (uint64_t)(src->u32[i] >> 31) << i;
    }
    dst->u64[0] = mask;
}

SSE_DEFINE(movmskpd)
{
    dst->u64[0] = src->u64[0] >> 63 | src->u64[1] >> 63 << 1;
}

SSE_DEFINE(pmovmskb)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 16; i++) {
        mask |= (uint64_t)(src->u8[i] >> 7) << i;
    }
    dst->u64[0] = mask;
}

SSE_DEFINE(pextrw)
{
    dst->u64[0] = src->u16[imm & 7];
}

SSE_DEFINE(pinsrw)
{
    dst->u16[imm & 7] = (uint16_t)src->u64[0];
}
