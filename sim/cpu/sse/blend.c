/* Byte shuffles, blends, inserts, extracts and widening moves of SSSE3 and SSE4.1. */
#include "sim/cpu/sse/sse_priv.h"

/* --- SSSE3 --------------------------------------------------------------------------- */

SSE_DEFINE(pshufb)
{
    union xmm a = *dst, b = *src;
    for (unsigned i = 0; i < 16; i++) {
        dst->u8[i] = b.u8[i] & 0x80 ? 0 : a.u8[b.u8[i] & 15];
    }
}

SSE_DEFINE(palignr)
{
    uint8_t both[32];
    for (unsigned i = 0; i < 16; i++) {
        both[i] = src->u8[i];
        both[16 + i] = dst->u8[i];
    }
    for (unsigned i = 0; i < 16; i++) {
        dst->u8[i] = imm + i < sizeof both ? both[imm + i] : 0;
    }
}

/* --- blends: by bits of imm, or by the top bits of elements ------------------------------- */

#define BLEND_IMMEDIATE(name, element, count)                                                \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        for (unsigned i = 0; i < (count); i++) {                                             \
            dst->element[i] = imm >> i & 1 ? src->element[i] : dst->element[i];              \
        }                                                                                    \
    }

BLEND_IMMEDIATE(blendps, u32, 4)
BLEND_IMMEDIATE(blendpd, u64, 2)
BLEND_IMMEDIATE(pblendw, u16, 8)

#define BLEND_VARIABLE(name, element, count, top)                                            \
    void sse_##name##_by(union xmm *dst, const union xmm *src, const union xmm *mask)        \
    {                                                                                        \
        union xmm by = *mask;                                                                \
        for (unsigned i = 0; i < (count); i++) {                                             \
            dst->element[i] = by.element[i] >> (top) ? src->element[i] : dst->element[i];    \
        }                                                                                    \
    }                                                                                        \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        sse_##name##_by(dst, src, &cpu->xmm[0]);                                             \
    }

BLEND_VARIABLE(pblendvb, u8, 16, 7)
BLEND_VARIABLE(blendvps, u32, 4, 31)
BLEND_VARIABLE(blendvpd, u64, 2, 63)

/* --- inserts and extracts --------------------------------------------------------------------- */

static void insert_single(union xmm *dst, uint32_t value, unsigned imm)
{
    dst->u32[imm >> 4 & 3] = value;
    for (unsigned i = 0; i < 4; i++) {
        dst->u32[i] = imm >> i & 1 ? 0 : dst->u32[i];
    }
}

SSE_DEFINE(insertps)
{
    insert_single(dst, src->u32[imm >> 6 & 3], imm);
}

SSE_DEFINE(insertps_m) /* from memory there is only one element to take */
{
    insert_single(dst, src->u32[0], imm);
}

SSE_DEFINE(pinsrb)
{
    dst->u8[imm & 15] = (uint8_t)src->u64[0];
}

SSE_DEFINE(pinsrd)
{
    dst->u32[imm & 3] = (uint32_t)src->u64[0];
}

SSE_DEFINE(pinsrq)
{
    dst->u64[imm & 1] = src->u64[0];
}

SSE_DEFINE(pextrb)
{
    dst->u64[0] = src->u8[imm & 15];
}

SSE_DEFINE(pextrd) /* and EXTRACTPS */
{
    dst->u64[0] = src->u32[imm & 3];
}

SSE_DEFINE(pextrq)
{
    dst->u64[0] = src->u64[imm & 1];
}

/* --- elements made wider ------------------------------------------------------------------------ */

#define WIDEN(name, to, count, from, type)                                                   \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        union xmm b = *src;                                                                  \
        for (unsigned i = 0; i < (count); i++) {                                             \
            dst->to[i] = (__typeof__(dst->to[0]))(type)b.from[i];                            \
        }                                                                                    \
    }

WIDEN(pmovsxbw, u16, 8, u8, int8_t)
WIDEN(pmovsxbd, u32, 4, u8, int8_t)
WIDEN(pmovsxbq, u64, 2, u8, int8_t)
WIDEN(pmovsxwd, u32, 4, u16, int16_t)
WIDEN(pmovsxwq, u64, 2, u16, int16_t)
WIDEN(pmovsxdq, u64, 2, u32, int32_t)
WIDEN(pmovzxbw, u16, 8, u8, uint8_t)
WIDEN(pmovzxbd, u32, 4, u8, uint8_t)
WIDEN(pmovzxbq, u64, 2, u8, uint8_t)
WIDEN(pmovzxwd, u32, 4, u16, uint16_t)
WIDEN(pmovzxwq, u64, 2, u16, uint16_t)
WIDEN(pmovzxdq, u64, 2, u32, uint32_t)
