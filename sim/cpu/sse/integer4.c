/* Integer arithmetic and compares that SSSE3, SSE4.1 and SSE4.2 added. */
#include <stdlib.h>

#include "sim/cpu/sse/sse_priv.h"

/* --- SSSE3 ------------------------------------------------------------------------- */

SSE_EACH(pabsb, u8, int8_t, b < 0 ? -b : b)
SSE_EACH(pabsw, u16, int16_t, b < 0 ? -b : b)
SSE_EACH(pabsd, u32, int64_t, (int32_t)b < 0 ? -b : b)
SSE_EACH(psignb, u8, int8_t, b < 0 ? -a : b == 0 ? 0 : a)
SSE_EACH(psignw, u16, int16_t, b < 0 ? -a : b == 0 ? 0 : a)
SSE_EACH(psignd, u32, uint32_t, (int32_t)b < 0 ? 0 - a : b == 0 ? 0 : a)
SSE_EACH(pmulhrsw, u16, int16_t, (((int32_t)a * b >> 14) + 1) >> 1)

/* Unsigned bytes of dst times signed bytes of src, neighbours added with saturation. */
SSE_DEFINE(pmaddubsw)
{
    for (unsigned i = 0; i < 8; i++) {
        int sum = 0;
        for (unsigned k = 2 * i; k < 2 * i + 2; k++) {
            sum += dst->u8[k] * (int8_t)src->u8[k];
        }
        dst->u16[i] = (uint16_t)sse_clamp(sum, INT16_MIN, INT16_MAX);
    }
}

/* --- SSE4.1 ------------------------------------------------------------------------- */

SSE_EACH(pminsb, u8, int8_t, a < b ? a : b)
SSE_EACH(pmaxsb, u8, int8_t, a > b ? a : b)
SSE_EACH(pminuw, u16, uint16_t, a < b ? a : b)
SSE_EACH(pmaxuw, u16, uint16_t, a > b ? a : b)
SSE_EACH(pminsd, u32, int32_t, a < b ? a : b)
SSE_EACH(pmaxsd, u32, int32_t, a > b ? a : b)
SSE_EACH(pminud, u32, uint32_t, a < b ? a : b)
SSE_EACH(pmaxud, u32, uint32_t, a > b ? a : b)
SSE_EACH(pmulld, u32, uint32_t, a * b)
SSE_EACH(pmuldq, u64, int32_t, (int64_t)a * b)
SSE_EACH(pcmpeqq, u64, uint64_t, a == b ? UINT64_MAX : 0)
SSE_EACH(pcmpgtq, u64, int64_t, a > b ? UINT64_MAX : 0) /* SSE4.2 */

/* Sums of absolute differences: four bytes of src, chosen by imm[1:0], against eleven of dst by imm[2]. */
SSE_DEFINE(mpsadbw)
{
    union xmm a = *dst, b = *src;
    const uint8_t *window = a.u8 + (imm & 4), *block = b.u8 + 4 * (imm & 3);
    for (unsigned i = 0; i < 8; i++) {
        unsigned sum = 0;
        for (unsigned k = 0; k < 4; k++) {
            sum += (unsigned)abs(window[i + k] - block[k]);
        }
        dst->u16[i] = (uint16_t)sum;
    }
}

SSE_DEFINE(phminposuw)
{
    unsigned least = 0;
    for (unsigned i = 1; i < 8; i++) {
        least = src->u16[i] < src->u16[least] ? i : least;
    }
    *dst = (union xmm){ .u64 = { src->u16[least] | least << 16, 0 } };
}

enum { CF = 1 << 0, ZF = 1 << 6 };

SSE_DEFINE(ptest)
{
    bool disjoint = !((dst->u64[0] & src->u64[0]) | (dst->u64[1] & src->u64[1]));
    bool covered = !((~dst->u64[0] & src->u64[0]) | (~dst->u64[1] & src->u64[1]));
    cpu_set_status_flags(cpu, (disjoint ? ZF : 0) | (covered ? CF : 0));
}
