/* PCLMULQDQ: a product without carries (SDM Vol 2 "PCLMULQDQ"). */
#include "sim/cpu/sse/sse_priv.h"

SSE_DEFINE(pclmulqdq)
{
    uint64_t a = dst->u64[imm & 1], b = src->u64[imm >> 4 & 1];
    unsigned __int128 multiple[16] = { 0, a }, product = 0; /* a times each polynomial of degree 3 */

    for (unsigned i = 2; i < 16; i++) {
        multiple[i] = multiple[i / 2] << 1 ^ multiple[i & 1];
    }
    for (unsigned shift = 64; shift > 0; shift -= 4) {
        product = product << 4 ^ multiple[b >> (shift - 4) & 15];
    }
    *dst = (union xmm){ .u64 = { (uint64_t)product, (uint64_t)(product >> 64) } };
}
