/* Inside of sim/cpu/avx: definitions with the signatures of avx.h and sse.h. */
#ifndef SIM_CPU_AVX_AVX_PRIV_H
#define SIM_CPU_AVX_AVX_PRIV_H

#include "sim/cpu/avx/avx.h"
#include "sim/cpu/sse/sse_priv.h"
#include "x86/avx_functions.h"
#include "x86/sse_functions.h"

#define AVX_LANE(name) void avx_##name(SSE_PARAMETERS)
#define AVX_LANE_FAULTING(name) enum exec_result avx_##name(SSE_PARAMETERS)
#define AVX_PARAMETERS struct cpu *cpu __attribute__((unused)), struct avx_call *v
#define AVX_WHOLE(name) void avx_##name(AVX_PARAMETERS)
#define AVX_WHOLE_FAULTING(name) enum exec_result avx_##name(AVX_PARAMETERS)

/* What a write would fault with, before anything is written. */
enum exec_result avx_probe_write(struct cpu *, uint64_t linear, unsigned size);

#endif
