/* Moves and shuffles that are no lane of an SSE instruction. */
#include "sim/cpu/avx/avx_priv.h"

/* --- parts of the first source and of the second ----------------------------------------- */

AVX_LANE(movss) { dst->u32[0] = src->u32[0]; }
AVX_LANE(movsd) { dst->u64[0] = src->u64[0]; }
AVX_LANE(movhlps) { dst->u64[0] = src->u64[1]; }

/* --- sign masks ---------------------------------------------------------------------------- */

AVX_WHOLE(movmskps)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 4 * v->lanes; i++) {
        mask |= (uint64_t)(v->b.u32[i] >> 31) << i;
    }
    v->to.u64[0] = mask;
}

AVX_WHOLE(movmskpd)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 2 * v->lanes; i++) {
        mask |= v->b.u64[i] >> 63 << i;
    }
    v->to.u64[0] = mask;
}

AVX_WHOLE(pmovmskb)
{
    uint64_t mask = 0;
    for (unsigned i = 0; i < 32; i++) {
        mask |= (uint64_t)(v->b.u8[i] >> 7) << i;
    }
    v->to.u64[0] = mask;
}
