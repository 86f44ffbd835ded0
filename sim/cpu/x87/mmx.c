/* What MMX forms do that is not the low half of what the SSE form of the same name does.
 *
 * Signatures are sse.h's: '*to' is a copy of the mm register with zeros above, of which the low 64 bits go back.
 * Forms that look at both operands' halves together become the SSE form on {to, from} as one operand. */
#include <string.h>

#include "sim/cpu/sse/sse.h"
#include "x86/sys_functions.h"
#include "sim/cpu/x87/x87.h"
#include "x86/mmx_functions.h"

#define MMX_DEFINE(name)                                                                             \
    void mmx_##name(struct cpu *c __attribute__((unused)), union xmm *to __attribute__((unused)),    \
                    const union xmm *from __attribute__((unused)), unsigned imm __attribute__((unused)))

/* Elements of both operands, side by side. */
#define TOGETHER(name)                                                  \
    MMX_DEFINE(name)                                                    \
    {                                                                   \
        union xmm both = { .u64 = { to->u64[0], from->u64[0] } };       \
        sse_##name(c, &both, &both, imm);                               \
        to->u64[0] = both.u64[0];                                       \
    }
TOGETHER(packsswb)
TOGETHER(packuswb)
TOGETHER(packssdw)
TOGETHER(phaddw)
TOGETHER(phaddd)
TOGETHER(phaddsw)
TOGETHER(phsubw)
TOGETHER(phsubd)
TOGETHER(phsubsw)

/* The high halves interleaved are the upper half of what SSE makes of the low ones. */
#define HIGH_HALF(name, sse_low)                                        \
    MMX_DEFINE(name)                                                    \
    {                                                                   \
        sse_low(c, to, from, imm);                                      \
        to->u64[0] = to->u64[1];                                        \
    }
HIGH_HALF(punpckhbw, sse_punpcklbw)
HIGH_HALF(punpckhwd, sse_punpcklwd)
HIGH_HALF(punpckhdq, sse_unpcklps)

MMX_DEFINE(pshufw)
{
    union xmm r = { .u64 = { 0, 0 } };
    for (unsigned i = 0; i < 4; i++) {
        r.u16[i] = from->u16[imm >> 2 * i & 3];
    }
    to->u64[0] = r.u64[0];
}

MMX_DEFINE(pshufb)
{
    union xmm index = { .u64 = { from->u64[0] & 0x8787878787878787, 0 } };
    sse_pshufb(c, to, &index, imm);
}

MMX_DEFINE(palignr)
{
    unsigned __int128 both = (unsigned __int128)to->u64[0] << 64 | from->u64[0];
    to->u64[0] = (imm & 0xff) < 16 ? (uint64_t)(both >> 8 * (imm & 0xff)) : 0;
}

MMX_DEFINE(pinsrw) { to->u16[imm & 3] = from->u16[0]; }
MMX_DEFINE(pextrw) { to->u64[0] = from->u16[imm & 3]; }
MMX_DEFINE(movq2dq) { *to = (union xmm){ .u64 = { from->u64[0], 0 } }; }
MMX_DEFINE(movdq2q) { to->u64[0] = from->u64[0]; }

/* The upper half of the xmm register stays. */
enum exec_result mmx_cvtpi2ps(struct cpu *c, union xmm *to, const union xmm *from, unsigned imm)
{
    union xmm low = { .u64 = { from->u64[0], 0 } };
    enum exec_result result = sse_cvtdq2ps(c, &low, &low, imm);

    if (result == EXEC_OK) {
        to->u64[0] = low.u64[0];
    }
    return result;
}

enum exec_result sys_maskmovq(struct cpu *c, const struct sys_insn *s)
{
    union xmm data = { .u64 = { c->x87.reg[s->reg & 7].u64[0], 0 } }, mask = { .u64 = { c->x87.reg[s->rm & 7].u64[0], 0 } };

    x87_enter_mmx(c); /* even when the store faults, as on silicon */
    return sse_masked_store(c, s, &data, &mask, 8);
}
