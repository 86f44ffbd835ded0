/* Moves and shuffles that are no lane of an SSE instruction. */
#include <string.h>

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

/* --- shuffles within a lane ------------------------------------------------------------------- */

AVX_LANE(permilps)
{
    union xmm a = *dst;
    for (unsigned i = 0; i < 4; i++) {
        dst->u32[i] = a.u32[src->u32[i] & 3];
    }
}

AVX_LANE(permilpd)
{
    union xmm a = *dst;
    for (unsigned i = 0; i < 2; i++) {
        dst->u64[i] = a.u64[src->u64[i] >> 1 & 1];
    }
}

AVX_LANE(permilpd_imm)
{
    union xmm b = *src;
    for (unsigned i = 0; i < 2; i++) {
        dst->u64[i] = b.u64[imm >> i & 1];
    }
}

/* --- across lanes -------------------------------------------------------------------------------- */

/* Two bits of 'imm' choose a lane of a and b, the third clears. */
AVX_WHOLE(perm2x128)
{
    const union xmm lane[4] = { v->a.lane[0], v->a.lane[1], v->b.lane[0], v->b.lane[1] };
    for (unsigned i = 0; i < 2; i++) {
        unsigned control = v->imm >> 4 * i;
        v->to.lane[i] = control & 8 ? (union xmm){ .u64 = { 0, 0 } } : lane[control & 3];
    }
}

AVX_WHOLE(permd)
{
    for (unsigned i = 0; i < 8; i++) {
        v->to.u32[i] = v->b.u32[v->a.u32[i] & 7];
    }
}

AVX_WHOLE(permq)
{
    for (unsigned i = 0; i < 4; i++) {
        v->to.u64[i] = v->b.u64[v->imm >> 2 * i & 3];
    }
}

AVX_WHOLE(insert128)
{
    v->to = v->a;
    v->to.lane[v->imm & 1] = v->b.lane[0];
}

AVX_WHOLE(extract128)
{
    v->to = (union ymm){ .lane = { v->b.lane[v->imm & 1] } };
}

#define SPREAD(name, element)                                        \
    AVX_WHOLE(name)                                                  \
    {                                                                \
        for (unsigned i = 0; i < sizeof v->to / sizeof v->to.element[0]; i++) { \
            v->to.element[i] = v->b.element[0];                      \
        }                                                            \
    }
SPREAD(spread1, u8)
SPREAD(spread2, u16)
SPREAD(spread4, u32)
SPREAD(spread8, u64)

/* --- by the sign of the fourth operand ------------------------------------------------------------- */

#define BLEND(name, element, bits)                                   \
    AVX_WHOLE(name)                                                  \
    {                                                                \
        for (unsigned i = 0; i < sizeof v->to / sizeof v->to.element[0]; i++) { \
            v->to.element[i] = v->third.element[i] >> (bits - 1) ? v->b.element[i] : v->a.element[i]; \
        }                                                            \
    }
BLEND(blendvps, u32, 32)
BLEND(blendvpd, u64, 64)
BLEND(pblendvb, u8, 8)

/* --- wider elements ---------------------------------------------------------------------------------- */

/* Each lane is what SSE4.1 makes of 'step' bytes. */
static void extend(struct cpu *cpu, struct avx_call *v, unsigned step, sse_fn *fn)
{
    for (unsigned i = 0; i < 2; i++) {
        union xmm part = { .u64 = { 0, 0 } };
        memcpy(&part, v->b.u8 + i * step, step);
        fn(cpu, &v->to.lane[i], &part, 0);
    }
}

AVX_WHOLE(pmovsxbw) { extend(cpu, v, 8, sse_pmovsxbw); }
AVX_WHOLE(pmovsxbd) { extend(cpu, v, 4, sse_pmovsxbd); }
AVX_WHOLE(pmovsxbq) { extend(cpu, v, 2, sse_pmovsxbq); }
AVX_WHOLE(pmovsxwd) { extend(cpu, v, 8, sse_pmovsxwd); }
AVX_WHOLE(pmovsxwq) { extend(cpu, v, 4, sse_pmovsxwq); }
AVX_WHOLE(pmovsxdq) { extend(cpu, v, 8, sse_pmovsxdq); }
AVX_WHOLE(pmovzxbw) { extend(cpu, v, 8, sse_pmovzxbw); }
AVX_WHOLE(pmovzxbd) { extend(cpu, v, 4, sse_pmovzxbd); }
AVX_WHOLE(pmovzxbq) { extend(cpu, v, 2, sse_pmovzxbq); }
AVX_WHOLE(pmovzxwd) { extend(cpu, v, 8, sse_pmovzxwd); }
AVX_WHOLE(pmovzxwq) { extend(cpu, v, 4, sse_pmovzxwq); }
AVX_WHOLE(pmovzxdq) { extend(cpu, v, 8, sse_pmovzxdq); }
