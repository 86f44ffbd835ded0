/* F16C: single precision from and to half. */
#include "sim/cpu/avx/avx_priv.h"
#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/system/sys.h"

enum { IMM_RC = 3, IMM_USE_MXCSR = 4 };

AVX_LANE_FAULTING(cvtph2ps)
{
    struct ieee_env env = sse_begin(cpu);
    union xmm r;
    for (unsigned i = 0; i < 4; i++) {
        r.u32[i] = f16_to_f32(&env, src->u16[i]);
    }
    return sse_end_with(cpu, &env, dst, &r);
}

AVX_WHOLE_FAULTING(cvtph2ps_256)
{
    union xmm upper = { .u64 = { v->b.u64[1], 0 } };
    enum exec_result result = avx_cvtph2ps(cpu, &v->to.lane[0], &v->b.lane[0], 0);
    return result == EXEC_OK ? avx_cvtph2ps(cpu, &v->to.lane[1], &upper, 0) : result;
}

/* The rounding mode is the immediate's, or MXCSR's. */
static union xmm narrow(struct ieee_env *env, const union ymm *from, unsigned count, unsigned imm)
{
    union xmm r = { .u64 = { 0, 0 } };
    if (!(imm & IMM_USE_MXCSR)) {
        env->mxcsr = (env->mxcsr & ~(uint32_t)MXCSR_RC) | (imm & IMM_RC) << MXCSR_RC_SHIFT;
    }
    for (unsigned i = 0; i < count; i++) {
        r.u16[i] = f32_to_f16(env, from->u32[i]);
    }
    return r;
}

AVX_WHOLE_FAULTING(cvtps2ph)
{
    struct ieee_env env = sse_begin(cpu);
    v->to = (union ymm){ .lane = { narrow(&env, &v->b, 4 * v->lanes, v->imm) } };
    return sse_end(cpu, &env);
}

/* To memory: a fault of the store comes first. */
enum exec_result sys_vcvtps2ph(struct cpu *cpu, const struct sys_insn *insn)
{
    union ymm from = { .lane = { cpu->xmm[insn->reg], cpu->ymm_high[insn->reg] } };
    struct ieee_env env = sse_begin(cpu);
    unsigned count = insn->vex256 ? 8 : 4;
    union xmm value = narrow(&env, &from, count, insn->imm & 0xff);

    uint64_t linear;

    TRY(cpu_linear(cpu, insn->segment, insn->ea, 2 * count, ACCESS_WRITE, &linear));
    TRY(avx_probe_write(cpu, linear, 2 * count));
    TRY(sse_end(cpu, &env));
    return cpu_write(cpu, linear, &value, 2 * count);
}
