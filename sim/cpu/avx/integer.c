/* Variable shifts, tests to flags, string compares. */
#include "sim/cpu/avx/avx_priv.h"

/* --- shifts by each element's own count ------------------------------------------------------ */

#define SHIFT(name, element, type, operator, too_far)                                        \
    AVX_LANE(name)                                                                           \
    {                                                                                        \
        for (unsigned i = 0; i < sizeof(union xmm) / sizeof dst->element[0]; i++) {          \
            type a = (type)dst->element[i];                                                  \
            bool near = src->element[i] < 8 * sizeof a;                                      \
            dst->element[i] = (__typeof__(dst->element[0]))(near ? a operator src->element[i] : (too_far)); \
        }                                                                                    \
    }
SHIFT(psllvd, u32, uint32_t, <<, 0)
SHIFT(psllvq, u64, uint64_t, <<, 0)
SHIFT(psrlvd, u32, uint32_t, >>, 0)
SHIFT(psrlvq, u64, uint64_t, >>, 0)
SHIFT(psravd, u32, int32_t, >>, a < 0 ? -1 : 0)

/* --- to flags: ZF when the operands have nothing in common, CF when the first covers the second ---- */

enum { CF = 1 << 0, ZF = 1 << 6 };

static void test(struct cpu *cpu, const struct avx_call *v, uint64_t mask)
{
    uint64_t common = 0, uncovered = 0;
    for (unsigned i = 0; i < 2 * v->lanes; i++) {
        common |= v->to.u64[i] & v->b.u64[i] & mask;
        uncovered |= ~v->to.u64[i] & v->b.u64[i] & mask;
    }
    cpu_set_status_flags(cpu, (common ? 0 : ZF) | (uncovered ? 0 : CF));
}

AVX_WHOLE(ptest) { test(cpu, v, ~0ull); }
AVX_WHOLE(testps) { test(cpu, v, 0x8000000080000000); }
AVX_WHOLE(testpd) { test(cpu, v, 0x8000000000000000); }

/* --- strings: the mask goes to all of YMM0 ------------------------------------------------------------ */

#define INDEX(name) \
    AVX_WHOLE(name) { sse_##name(cpu, &v->to.lane[0], &v->b.lane[0], v->imm); }
#define MASK(name) \
    AVX_WHOLE(name) { sse_##name(cpu, &v->to.lane[0], &v->b.lane[0], v->imm); cpu->ymm_high[0] = (union xmm){ .u64 = { 0, 0 } }; }
INDEX(pcmpistri)
INDEX(pcmpestri)
INDEX(pcmpestri_w)
MASK(pcmpistrm)
MASK(pcmpestrm)
MASK(pcmpestrm_w)
