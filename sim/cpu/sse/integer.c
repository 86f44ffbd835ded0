#include <stdlib.h>

#include "sim/cpu/sse/sse_priv.h"

/* --- add and subtract ------------------------------------------------------------------- */

SSE_EACH(paddb, u8, uint8_t, a + b)
SSE_EACH(paddw, u16, uint16_t, a + b)
SSE_EACH(paddd, u32, uint32_t, a + b)
SSE_EACH(paddq, u64, uint64_t, a + b)
SSE_EACH(psubb, u8, uint8_t, a - b)
SSE_EACH(psubw, u16, uint16_t, a - b)
SSE_EACH(psubd, u32, uint32_t, a - b)
SSE_EACH(psubq, u64, uint64_t, a - b)
SSE_EACH(paddsb, u8, int8_t, sse_clamp(a + b, INT8_MIN, INT8_MAX))
SSE_EACH(paddsw, u16, int16_t, sse_clamp(a + b, INT16_MIN, INT16_MAX))
SSE_EACH(paddusb, u8, uint8_t, sse_clamp(a + b, 0, UINT8_MAX))
SSE_EACH(paddusw, u16, uint16_t, sse_clamp(a + b, 0, UINT16_MAX))
SSE_EACH(psubsb, u8, int8_t, sse_clamp(a - b, INT8_MIN, INT8_MAX))
SSE_EACH(psubsw, u16, int16_t, sse_clamp(a - b, INT16_MIN, INT16_MAX))
SSE_EACH(psubusb, u8, uint8_t, sse_clamp(a - b, 0, UINT8_MAX))
SSE_EACH(psubusw, u16, uint16_t, sse_clamp(a - b, 0, UINT16_MAX))

/* --- multiply ------------------------------------------------------------------------------ */

SSE_EACH(pmullw, u16, int16_t, (int32_t)a * b)
SSE_EACH(pmulhw, u16, int16_t, ((int32_t)a * b) >> 16)
SSE_EACH(pmulhuw, u16, uint16_t, ((uint32_t)a * b) >> 16)
SSE_EACH(pmuludq, u64, uint32_t, (uint64_t)a * b)

SSE_DEFINE(pmaddwd)
{
    for (unsigned i = 0; i < 4; i++) {
        uint32_t sum = 0; /* wraps only for four times -32768 */
        for (unsigned k = 2 * i; k < 2 * i + 2; k++) {
            sum += (uint32_t)((int16_t)dst->u16[k] * (int16_t)src->u16[k]);
        }
        dst->u32[i] = sum;
    }
}

SSE_DEFINE(psadbw)
{
    for (unsigned half = 0; half < 2; half++) {
        unsigned sum = 0;
        for (unsigned i = 8 * half; i < 8 * half + 8; i++) {
            sum += (unsigned)abs(dst->u8[i] - src->u8[i]);
        }
        dst->u64[half] = sum;
    }
}

/* --- average, minimum, maximum, compare ------------------------------------------------------- */

SSE_EACH(pavgb, u8, uint8_t, (a + b + 1) >> 1)
SSE_EACH(pavgw, u16, uint16_t, (a + b + 1) >> 1)
SSE_EACH(pminub, u8, uint8_t, a < b ? a : b)
SSE_EACH(pmaxub, u8, uint8_t, a > b ? a : b)
SSE_EACH(pminsw, u16, int16_t, a < b ? a : b)
SSE_EACH(pmaxsw, u16, int16_t, a > b ? a : b)
SSE_EACH(pcmpeqb, u8, uint8_t, a == b ? -1 : 0)
SSE_EACH(pcmpeqw, u16, uint16_t, a == b ? -1 : 0)
SSE_EACH(pcmpeqd, u32, uint32_t, a == b ? -1 : 0)
SSE_EACH(pcmpgtb, u8, int8_t, a > b ? -1 : 0)
SSE_EACH(pcmpgtw, u16, int16_t, a > b ? -1 : 0)
SSE_EACH(pcmpgtd, u32, int32_t, a > b ? -1 : 0)

/* --- shifts: a count beyond the element gives zeros, or the sign ------------------------------- */

#define SHIFT_BY(name, element, type, operator, count, too_far)                              \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        const unsigned width = 8 * sizeof dst->element[0];                                   \
        const uint64_t by = count;                                                           \
        for (unsigned i = 0; i < sizeof(union xmm) / sizeof dst->element[0]; i++) {          \
            type a = (type)dst->element[i];                                                  \
            dst->element[i] = (__typeof__(dst->element[0]))(by < width ? a operator by : (too_far)); \
        }                                                                                    \
    }
#define SHIFT(name, element, type, operator, too_far)                                        \
    SHIFT_BY(name, element, type, operator, src->u64[0], too_far)                            \
    SHIFT_BY(name##_imm, element, type, operator, imm, too_far)

SHIFT(psllw, u16, uint16_t, <<, 0)
SHIFT(pslld, u32, uint32_t, <<, 0)
SHIFT(psllq, u64, uint64_t, <<, 0)
SHIFT(psrlw, u16, uint16_t, >>, 0)
SHIFT(psrld, u32, uint32_t, >>, 0)
SHIFT(psrlq, u64, uint64_t, >>, 0)
SHIFT(psraw, u16, int16_t, >>, a < 0 ? -1 : 0)
SHIFT(psrad, u32, int32_t, >>, a < 0 ? -1 : 0)

SSE_DEFINE(pslldq)
{
    for (unsigned i = 16; i-- > 0;) {
        dst->u8[i] = i >= imm ? dst->u8[i - imm] : 0;
    }
}

SSE_DEFINE(psrldq)
{
    for (unsigned i = 0; i < 16; i++) {
        dst->u8[i] = imm < 16 - i ? dst->u8[i + imm] : 0;
    }
}
