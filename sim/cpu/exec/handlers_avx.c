/* AVX: moves, and the way to the operations of sim/cpu/avx; the one source of every tier.
 *
 * As in handlers_sse.c, 'dst' and 'src' of a vector operand are the register's number.  A ymm register is
 * xmm[n] and ymm_high[n].  What VEX writes less than 256 bits of, it clears the rest of. */
#include <string.h>

#include "sim/cpu/avx/avx.h"
#include "sim/cpu/exec/handler.h"
#include "sim/cpu/sse/quick.h"

#define LOW(f) (&c->xmm[FIELD(f)])
#define HIGH(f) (&c->ymm_high[FIELD(f)])
#define ZERO ((union xmm){ .u64 = { 0, 0 } })

OP(avx_mov_r_16) { *LOW(dst) = *LOW(src); *HIGH(dst) = ZERO; NEXT; }
OP(avx_mov_r_32) { *LOW(dst) = *LOW(src); *HIGH(dst) = *HIGH(src); NEXT; }
OP(avx_movq_r) { *LOW(dst) = (union xmm){ .u64 = { LOW(src)->u64[0], 0 } }; *HIGH(dst) = ZERO; NEXT; }

#define LOAD(name, host, size) OP(avx_load_##name) { \
        const void *from = host(read, ADDRESS_x, size); \
        union xmm v = ZERO;                           \
        memcpy(&v, from, size);                       \
        *LOW(dst) = v;                                \
        *HIGH(dst) = ZERO;                            \
        NEXT; }
LOAD(4, HOST, 4)
LOAD(8, HOST, 8)
LOAD(16, HOST, 16)
LOAD(16a, HOST_ALIGNED, 16)

#define LOAD_32(name, host) OP(avx_load_##name) {     \
        const char *from = host(read, ADDRESS_x, 32); \
        memcpy(LOW(dst), from, 16);                   \
        memcpy(HIGH(dst), from + 16, 16);             \
        NEXT; }
LOAD_32(32, HOST)
LOAD_32(32a, HOST_ALIGNED)

#define STORE_32(name, host) OP(avx_store_##name) {   \
        char *to = host(write, ADDRESS_x, 32);        \
        memcpy(to, LOW(dst), 16);                     \
        memcpy(to + 16, HIGH(dst), 16);               \
        NEXT; }
STORE_32(32, HOST)
STORE_32(32a, HOST_ALIGNED)

OP(avx_from_gpr_32) { *LOW(dst) = (union xmm){ .u64 = { (uint32_t)REG64(src), 0 } }; *HIGH(dst) = ZERO; NEXT; }
OP(avx_from_gpr_64) { *LOW(dst) = (union xmm){ .u64 = { REG64(src), 0 } }; *HIGH(dst) = ZERO; NEXT; }

/* 'imm' registers: eight outside 64-bit mode. */
OP(avx_zero_upper) { memset(c->ymm_high, 0, (size_t)FIELD(imm) * sizeof(union xmm)); NEXT; }
OP(avx_zero_all)
{
    memset(c->xmm, 0, (size_t)FIELD(imm) * sizeof(union xmm));
    memset(c->ymm_high, 0, (size_t)FIELD(imm) * sizeof(union xmm));
    NEXT;
}

/* 'dst' is a slot. */
OP(avx_byte_mask)
{
    uint64_t low, high;
    quick_sse_pmovmskb(c, (union xmm *)(void *)&low, LOW(src), 0);
    quick_sse_pmovmskb(c, (union xmm *)(void *)&high, HIGH(src), 0);
    REG64(dst) = low | high << 16;
    NEXT;
}

/* Broadcasts from memory.  'imm': which bits of the upper half are kept. */
#define SPREAD(size, low64, high64) OP(avx_spread_##size) {          \
        const void *from = HOST(read, ADDRESS_x, size);              \
        uint64_t v[2] = { 0, 0 };                                    \
        memcpy(v, from, size);                                       \
        union xmm lane = { .u64 = { low64, high64 } };               \
        *LOW(dst) = lane;                                            \
        lane.u64[0] &= (uint64_t)FIELD(imm);                         \
        lane.u64[1] &= (uint64_t)FIELD(imm);                         \
        *HIGH(dst) = lane;                                           \
        NEXT; }
SPREAD(1, v[0] * 0x0101010101010101, v[0] * 0x0101010101010101)
SPREAD(2, v[0] * 0x0001000100010001, v[0] * 0x0001000100010001)
SPREAD(4, v[0] * 0x0000000100000001, v[0] * 0x0000000100000001)
SPREAD(8, v[0], v[0])
SPREAD(16, v[0], v[1])

OP(avx_store_upper) { void *to = HOST(write, ADDRESS_x, 16); memcpy(to, HIGH(dst), 16); NEXT; }

/* --- operations ---------------------------------------------------------------------- */

/* 'imm' says which and with what (enum avx_field).  The last operand goes through struct cpu: see FROM_r_W in
 * handlers_sse.c. */
#define EXECUTE if (unlikely(avx_execute(c, FIELD(dst), (uint64_t)FIELD(imm)) != EXEC_OK)) FAULT

OP(avx_r) { c->avx_from[0] = *LOW(src); c->avx_from[1] = *HIGH(src); EXECUTE; NEXT; }
OP(avx_e) { c->avx_from[0] = (union xmm){ .u64 = { REG64(src), 0 } }; EXECUTE; NEXT; }

#define FROM_MEMORY(size) OP(avx_m_##size) {                     \
        const void *from = HOST(read, ADDRESS_x, size);          \
        if ((size) < 16)                                         \
            c->avx_from[0] = ZERO;                               \
        memcpy(c->avx_from, from, size);                         \
        EXECUTE;                                                 \
        NEXT; }
FROM_MEMORY(1)
FROM_MEMORY(2)
FROM_MEMORY(4)
FROM_MEMORY(8)
FROM_MEMORY(16)
FROM_MEMORY(32)

/* --- with the operation within the handler ------------------------------------------------- */

/* 'src' is the first source, 'base' the second when it is a register: a record of these forms has no address then. */
#define IMM8 ((unsigned)FIELD(imm) >> AVX_IMM & 0xff)
#define AT_r (&c->xmm[FIELD(base)])
#define AT_r_W(size) AT_r
#define AT_r_E(size) REG(base)
#define AT_m_W(size) HOST(read, ADDRESS_x, size)
#define AT_m_E(size) HOST(read, ADDRESS_x, size)

INLINE void copy_from(struct cpu *c, const void *at, unsigned size)
{
    c->avx_from[0] = ZERO;
    memcpy(c->avx_from, at, size);
}

#define QUICK_VECTOR(fn, at) ({                                      \
        union xmm v_ = *LOW(src);                                    \
        bool done_ = quick_##fn(c, &v_, at, IMM8);                   \
        if (likely(done_)) {                                         \
            *LOW(dst) = v_;                                          \
            *HIGH(dst) = ZERO;                                       \
        }                                                            \
        done_; })
#define QUICK_GENERAL(fn, at) quick_##fn(c, REG(dst), at, IMM8)
#define QUICK_FLAGS(fn, at) quick_##fn(c, LOW(dst), at, IMM8)

#define QUICK_OPERATION(id, fn, size, to, from, place)               \
    OP(id##_##place) {                                               \
        const union xmm *at = AT_##place##_##from(size);             \
        if (likely(QUICK_##to(fn, at)))                              \
            NEXT;                                                    \
        copy_from(c, at, size);                                      \
        EXECUTE;                                                     \
        NEXT; }
#define AVX_FORM_SCALAR(id, fn, size, to, from)                      \
    QUICK_OPERATION(id, fn, size, to, from, r)                       \
    QUICK_OPERATION(id, fn, size, to, from, m)

#define QUICK_BOTH(fn, low, high)                                    \
        union xmm a_ = *LOW(src), b_ = *HIGH(src);                   \
        if (likely(quick_##fn(c, &a_, low, IMM8) && quick_##fn(c, &b_, high, IMM8))) { \
            *LOW(dst) = a_;                                          \
            *HIGH(dst) = b_;                                         \
            NEXT;                                                    \
        }
#define AVX_FORM(id, fn)                                             \
    AVX_FORM_SCALAR(id, fn, 16, VECTOR, W)                           \
    OP(id##_r2) {                                                    \
        QUICK_BOTH(fn, AT_r, &c->ymm_high[FIELD(base)])              \
        c->avx_from[0] = *AT_r;                                      \
        c->avx_from[1] = c->ymm_high[FIELD(base)];                   \
        EXECUTE;                                                     \
        NEXT; }                                                      \
    OP(id##_m2) {                                                    \
        const union xmm *at = HOST(read, ADDRESS_x, 32);             \
        QUICK_BOTH(fn, at, at + 1)                                   \
        memcpy(c->avx_from, at, 32);                                 \
        EXECUTE;                                                     \
        NEXT; }
#include "x86/avx_forms.def"
