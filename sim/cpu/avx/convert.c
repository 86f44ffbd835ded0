/* Conversions that change the width of packed elements: what SSE does to half a register, over all of it. */
#include "sim/cpu/avx/avx_priv.h"

/* Each quadword of the source's lower lane becomes a lane. */
static enum exec_result widen(struct cpu *cpu, struct avx_call *v, ssef_fn *fn)
{
    for (unsigned i = 0; i < 2; i++) {
        union xmm half = { .u64 = { v->b.u64[i], 0 } };
        enum exec_result result = fn(cpu, &v->to.lane[i], &half, 0);
        if (result != EXEC_OK) {
            return result;
        }
    }
    return EXEC_OK;
}

/* Each lane becomes a quadword; the rest of the destination is zero. */
static enum exec_result narrow(struct cpu *cpu, struct avx_call *v, ssef_fn *fn)
{
    union ymm result = { .u64 = { 0 } };
    for (unsigned i = 0; i < v->lanes; i++) {
        union xmm half;
        enum exec_result done = fn(cpu, &half, &v->b.lane[i], 0);
        if (done != EXEC_OK) {
            return done;
        }
        result.u64[i] = half.u64[0];
    }
    v->to = result;
    return EXEC_OK;
}

AVX_WHOLE_FAULTING(cvtps2pd) { return widen(cpu, v, sse_cvtps2pd); }
AVX_WHOLE_FAULTING(cvtdq2pd) { return widen(cpu, v, sse_cvtdq2pd); }
AVX_WHOLE_FAULTING(cvtpd2ps) { return narrow(cpu, v, sse_cvtpd2ps); }
AVX_WHOLE_FAULTING(cvtpd2dq) { return narrow(cpu, v, sse_cvtpd2dq); }
AVX_WHOLE_FAULTING(cvttpd2dq) { return narrow(cpu, v, sse_cvttpd2dq); }
