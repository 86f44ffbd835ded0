/* MMX: moves here, operations in sim/cpu/sse and sim/cpu/x87; the one source of every tier.
 *
 * 'dst' and 'src' of mm and xmm operands are the registers' numbers.  Every form waits for x87 errors; every
 * form but EMMS leaves TOP = 0 and all registers full, and those that write one leave ones above it
 * (SDM Vol 3A "Effect of the MMX, SSE... Instructions on the x87 FPU Tag Word"). */
#include <string.h>

#include "sim/cpu/exec/handler.h"
#include "sim/cpu/x87/x87.h"
#include "x86/mmx_functions.h"
#include "x86/sse_functions.h"

#define WAIT do { if (unlikely(x87_is_pending(c) && !x87_is_ignored(c))) TAIL(core_x87_error(c, r)); } while (0)
#define MM(f) (c->x87.reg[FIELD(f)].u64[0])
#define XMM(f) (&c->xmm[FIELD(f)])

INLINE void put_mm(struct cpu *c, unsigned n, uint64_t value)
{
    c->x87.reg[n].u64[0] = value;
    c->x87.reg[n].u64[1] = 0xffff;
    x87_enter_mmx(c);
}

OP(mmx_mov) { WAIT; put_mm(c, FIELD(dst), MM(src)); NEXT; }
OP(mmx_load_4) { WAIT; s32 *at = HOST(read, ADDRESS_x, 4); put_mm(c, FIELD(dst), (uint32_t)*at); NEXT; }
OP(mmx_load_8) { WAIT; s64 *at = HOST(read, ADDRESS_x, 8); put_mm(c, FIELD(dst), (uint64_t)*at); NEXT; }
OP(mmx_store_4) { WAIT; void *at = HOST(write, ADDRESS_x, 4); memcpy(at, &MM(dst), 4); x87_enter_mmx(c); NEXT; }
OP(mmx_store_8) { WAIT; void *at = HOST(write, ADDRESS_x, 8); memcpy(at, &MM(dst), 8); x87_enter_mmx(c); NEXT; }
OP(mmx_from_gpr_32) { WAIT; put_mm(c, FIELD(dst), (uint32_t)REG64(src)); NEXT; }
OP(mmx_from_gpr_64) { WAIT; put_mm(c, FIELD(dst), REG64(src)); NEXT; }
OP(mmx_to_gpr_32) { WAIT; REG64(dst) = (uint32_t)MM(src); x87_enter_mmx(c); NEXT; }
OP(mmx_to_gpr_64) { WAIT; REG64(dst) = MM(src); x87_enter_mmx(c); NEXT; }

OP(mmx_emms)
{
    WAIT;
    c->x87.top = 0;
    c->x87.full = 0;
    NEXT;
}

/* CR0.EM or CR0.TS. */
OP(mmx_check)
{
    cpu_raise(c, c->cr0 & 1u << 2 ? X_UD : X_NM);
    FAULT;
}

/* --- operations ------------------------------------------------------------------------ */

INLINE void take(struct cpu *c, const void *at, unsigned size)
{
    c->sse_from = (union xmm){ .u64 = { 0, 0 } };
    memcpy(&c->sse_from, at, size);
}

#define AT_r_Q &MM(src)
#define AT_r_W XMM(src)
#define AT_r_E REG(src)
#define AT_m_Q HOST(read, ADDRESS_x, size_)
#define AT_m_W (size_ == 16 ? HOST_ALIGNED(read, ADDRESS_x, size_) : HOST(read, ADDRESS_x, size_))
#define AT_m_E HOST(read, ADDRESS_x, size_)

#define CALL_0(fn, to) fn(c, to, &c->sse_from, (unsigned)FIELD(imm))
#define CALL_1(fn, to) if (unlikely(fn(c, to, &c->sse_from, (unsigned)FIELD(imm)) != EXEC_OK)) FAULT
#define TO_P(fn, faults) c->sse_to = (union xmm){ .u64 = { MM(dst), 0 } }; CALL_##faults(fn, &c->sse_to); \
    put_mm(c, FIELD(dst), c->sse_to.u64[0]);
#define TO_G(fn, faults) c->sse_to.u64[0] = 0; CALL_##faults(fn, &c->sse_to); REG64(dst) = c->sse_to.u64[0];
#define TO_V(fn, faults) CALL_##faults(fn, XMM(dst));
/* What a #XM finds has entered MMX already.  Into xmm registers from memory: no mm register takes part. */
#define ENTER_P_r x87_enter_mmx(c)
#define ENTER_P_m x87_enter_mmx(c)
#define ENTER_G_r x87_enter_mmx(c)
#define ENTER_G_m x87_enter_mmx(c)
#define ENTER_V_r x87_enter_mmx(c)
#define ENTER_V_m ((void)0)
#define WAIT_P_r WAIT
#define WAIT_P_m WAIT
#define WAIT_G_r WAIT
#define WAIT_G_m WAIT
#define WAIT_V_r WAIT
#define WAIT_V_m ((void)0)

#define OPERATION(id, fn, faults, size, to, place, kind)                       \
    OP(id##_##place) {                                                         \
        enum { size_ = size };                                                 \
        WAIT_##to##_##place;                                                   \
        const void *at = AT_##place##_##kind;                                  \
        take(c, at, size_);                                                    \
        ENTER_##to##_##place;                                                  \
        TO_##to(fn, faults)                                                    \
        NEXT; }
#define MMX_FORM(id, fn, faults, size, to, from)                               \
    OPERATION(id, fn, faults, size, to, r, from)                               \
    OPERATION(id, fn, faults, size, to, m, from)
#include "x86/mmx_forms.def"
