/* SSE and SSE2: moves here, operations in sim/cpu/sse; the one source of every tier.
 *
 * 'dst' of an xmm operand is the register's number, not a slot: xmm registers lie
 * beyond the first 256 bytes of struct cpu. */
#include <string.h>

#include "sim/cpu/exec/handler.h"
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

/* Where the second operand comes from: an xmm register or memory (W; X: at any address), or a slot (E).  It is
 * copied into struct cpu, not to the stack: a local whose address was passed on would keep
 * compilers from making the tail call a jump. */
#define FROM_r_W(size) c->sse_from = *XMM(src)
#define FROM_r_X(size) FROM_r_W(size)
#define FROM_r_E(size) c->sse_from = (union xmm){ .u64 = { zero_extend((int64_t)REG64(src), (size) * 8), 0 } }
#define FROM_m(size, at) do {                                                  \
        const void *at_ = at;                                                  \
        if ((size) < 16)                                                       \
            c->sse_from = (union xmm){ .u64 = { 0, 0 } };                      \
        memcpy(&c->sse_from, at_, size);                                       \
    } while (0)
#define FROM_m_W(size) FROM_m(size, (size) == 16 ? HOST_ALIGNED(read, ADDRESS_x, size) : HOST(read, ADDRESS_x, size))
#define FROM_m_X(size) FROM_m(size, HOST(read, ADDRESS_x, size))
#define FROM_m_E(size) FROM_m_X(size)

#define CALL_0(fn, to) fn(c, to, &c->sse_from, (unsigned)FIELD(imm))
#define CALL_1(fn, to) if (unlikely(fn(c, to, &c->sse_from, (unsigned)FIELD(imm)) != EXEC_OK)) FAULT

#define TO_V(fn, faults) CALL_##faults(fn, XMM(dst));
#define TO_G(fn, faults) c->sse_to.u64[0] = 0; CALL_##faults(fn, &c->sse_to); REG64(dst) = c->sse_to.u64[0];

#define SSE_FORM(id, fn, faults, size, to, from_kind)                          \
    OP(id##_r) { FROM_r_##from_kind(size); TO_##to(fn, faults) NEXT; }         \
    OP(id##_m) { FROM_m_##from_kind(size); TO_##to(fn, faults) NEXT; }
#include "x86/sse_forms.def"
