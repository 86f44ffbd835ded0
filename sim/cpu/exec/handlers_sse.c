/* SSE to SSE4.2: moves here, operations in sim/cpu/sse; the one source of every tier.
 *
 * 'dst' of an xmm operand is the register's number, not a slot: xmm registers lie
 * beyond the first 256 bytes of struct cpu. */
#include <string.h>

#include "sim/cpu/exec/handler.h"
#include "sim/cpu/sse/quick.h"
#include "x86/sse_functions.h"

#define XMM(f) (&c->xmm[FIELD(f)])

OP(sse_mov_r) { *XMM(dst) = *XMM(src); NEXT; }
OP(sse_movq_r) { *XMM(dst) = (union xmm){ .u64 = { XMM(src)->u64[0], 0 } }; NEXT; }

#define LOAD(name, host, size) OP(sse_load_##name) { \
        const void *from = host(read, ADDRESS_x, size); \
        union xmm v = { .u64 = { 0, 0 } };            \
        memcpy(&v, from, size);                       \
        *XMM(dst) = v;                                \
        NEXT; }
LOAD(4, HOST, 4)
LOAD(8, HOST, 8)
LOAD(16, HOST, 16)
LOAD(16a, HOST_ALIGNED, 16)

OP(sse_load_low) { const void *from = HOST(read, ADDRESS_x, 8); memcpy(&XMM(dst)->u64[0], from, 8); NEXT; }
OP(sse_load_high) { const void *from = HOST(read, ADDRESS_x, 8); memcpy(&XMM(dst)->u64[1], from, 8); NEXT; }

#define STORE_XMM(name, host, size, half) OP(sse_store_##name) { \
        void *to = host(write, ADDRESS_x, size);               \
        memcpy(to, &XMM(dst)->u64[half], size);                \
        NEXT; }
STORE_XMM(4, HOST, 4, 0)
STORE_XMM(8, HOST, 8, 0)
STORE_XMM(16, HOST, 16, 0)
STORE_XMM(16a, HOST_ALIGNED, 16, 0)
STORE_XMM(high, HOST, 8, 1)

OP(sse_merge_low4) { XMM(dst)->u32[0] = XMM(src)->u32[0]; NEXT; }
OP(sse_merge_low8) { XMM(dst)->u64[0] = XMM(src)->u64[0]; NEXT; }
OP(sse_merge_high_to_low) { XMM(dst)->u64[0] = XMM(src)->u64[1]; NEXT; }
OP(sse_merge_low_to_high) { XMM(dst)->u64[1] = XMM(src)->u64[0]; NEXT; }

/* 'src' (from) and 'dst' (to) are slots here, the other side a number. */
OP(sse_from_gpr_32) { *XMM(dst) = (union xmm){ .u64 = { (uint32_t)REG64(src), 0 } }; NEXT; }
OP(sse_from_gpr_64) { *XMM(dst) = (union xmm){ .u64 = { REG64(src), 0 } }; NEXT; }
OP(sse_to_gpr_32) { REG64(dst) = XMM(src)->u32[0]; NEXT; }
OP(sse_to_gpr_64) { REG64(dst) = XMM(src)->u64[0]; NEXT; }

/* --- operations -------------------------------------------------------------------- */

/* Where the second operand comes from: an xmm register or memory (W; X: at any address), or a slot (E).  A register is
 * used in place, the functions allow for that; other operands are copied into struct cpu, extended, not to the stack: a
 * local whose address was passed on would keep compilers from making the tail call a jump. */
#define AT_r_W(size) XMM(src)
#define AT_r_X(size) XMM(src)
#define AT_r_E(size) REG(src)
#define AT_m_W(size) ((size) == 16 ? HOST_ALIGNED(read, ADDRESS_x, size) : HOST(read, ADDRESS_x, size))
#define AT_m_X(size) HOST(read, ADDRESS_x, size)
#define AT_m_E(size) HOST(read, ADDRESS_x, size)

#define WHOLE_r_W(at, size) at
#define WHOLE_r_X(at, size) at
#define WHOLE_r_E(at, size) copied(c, at, size)
#define WHOLE_m_W(at, size) copied(c, at, size)
#define WHOLE_m_X(at, size) copied(c, at, size)
#define WHOLE_m_E(at, size) copied(c, at, size)
INLINE const union xmm *copied(struct cpu *c, const union xmm *at, unsigned size)
{
    union xmm v = { .u64 = { 0, 0 } };
    memcpy(&v, at, size);
    c->sse_from = v;
    return &c->sse_from;
}

#define CALL_0(fn, to, from) fn(c, to, from, (unsigned)FIELD(imm))
#define CALL_1(fn, to, from) if (unlikely(fn(c, to, from, (unsigned)FIELD(imm)) != EXEC_OK)) FAULT
#define TO_V(fn, faults, from) CALL_##faults(fn, XMM(dst), from);
#define TO_G(fn, faults, from) c->sse_to.u64[0] = 0; CALL_##faults(fn, &c->sse_to, from); REG64(dst) = c->sse_to.u64[0];

#define QUICK_V XMM(dst)
#define QUICK_G REG(dst)
#define TRY_0(fn, to, at) false
#define TRY_1(fn, to, at) quick_##fn(c, QUICK_##to, at, (unsigned)FIELD(imm))

#define OPERATION(id, fn, faults, quick, size, to, place, kind)                \
    OP(id##_##place) {                                                         \
        const union xmm *at = AT_##place##_##kind(size);                       \
        if (likely(TRY_##quick(fn, to, at)))                                   \
            NEXT;                                                              \
        TO_##to(fn, faults, WHOLE_##place##_##kind(at, size))                  \
        NEXT; }
#define SSE_FORM(id, fn, faults, quick, size, to, from_kind)                   \
    OPERATION(id, fn, faults, quick, size, to, r, from_kind)                   \
    OPERATION(id, fn, faults, quick, size, to, m, from_kind)
#include "x86/sse_forms.def"
