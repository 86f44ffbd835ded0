/* Inside of sim/cpu/sse: beginning and ending a floating-point operation. */
#ifndef SIM_CPU_SSE_SSE_PRIV_H
#define SIM_CPU_SSE_SSE_PRIV_H

#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/sse/sse.h"

/* Definitions with the signatures of sse.h; most functions do not use all of it. */
#define SSE_PARAMETERS                                                                       \
    struct cpu *cpu __attribute__((unused)), union xmm *dst __attribute__((unused)),         \
        const union xmm *src __attribute__((unused)), unsigned imm __attribute__((unused))
#define SSE_DEFINE(name) void sse_##name(SSE_PARAMETERS)
#define SSEF_DEFINE(name) enum exec_result sse_##name(SSE_PARAMETERS)

static inline struct ieee_env sse_begin(const struct cpu *cpu)
{
    return (struct ieee_env){ .mxcsr = cpu->mxcsr };
}

/* Puts raised flags into MXCSR; EXEC_FAULT when one of them is unmasked. */
enum exec_result sse_commit_flags(struct cpu *, uint32_t flags);

static inline enum exec_result sse_end(struct cpu *cpu, const struct ieee_env *env)
{
    return env->flags ? sse_commit_flags(cpu, env->flags) : EXEC_OK;
}

/* The same, and then the result becomes visible. */
static inline enum exec_result sse_end_with(struct cpu *cpu, const struct ieee_env *env,
                                            union xmm *dst, const union xmm *result)
{
    enum exec_result done = sse_end(cpu, env);
    if (done == EXEC_OK) {
        *dst = *result;
    }
    return done;
}

/* dst[i] = expression of a = dst[i] and b = src[i], both of C type 'type'; the result is cut to the element. */
#define SSE_EACH(name, element, type, expression)                                            \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        for (unsigned i = 0; i < sizeof(union xmm) / sizeof dst->element[0]; i++) {          \
            type a = (type)dst->element[i], b = (type)src->element[i];                       \
            (void)a;                                                                         \
            dst->element[i] = (__typeof__(dst->element[0]))(expression);                     \
        }                                                                                    \
    }

static inline int32_t sse_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

#endif
