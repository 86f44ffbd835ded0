/* AVX, AVX2, FMA and F16C: what the VEX-encoded instructions compute.
 *
 * Most are what their SSE sisters are, once per 128-bit lane: their rows name
 * the functions of sim/cpu/sse (avx:, avxf:).  Here are those that look at all lanes
 * together or have no sister (avxw:, avxwf:); they get every operand in a
 * struct avx_call.
 *
 * First, operands.  The last one (ModRM.rm: register, memory or general register)
 * is in cpu->avx_from when avx_execute() is called, zero-extended from its
 * size; the rest are registers.  Everything is a copy, so operands may be the same register.
 *
 * Second, faults.  Exception flags of all lanes count together (SDM Vol 1
 * "SIMD Floating-Point Exceptions"): they are collected while the lanes are computed, then
 * committed, and only without an unmasked one does the destination change.
 *
 * Masked moves and gathers (memory.c) and VCVTPS2PH to memory (half.c) are system-shaped rows: memory is theirs.
 */
#ifndef SIM_CPU_AVX_AVX_H
#define SIM_CPU_AVX_AVX_H

#include "sim/cpu/cpu.h"

union ymm {
    union xmm lane[2];
    uint64_t u64[4];
    uint32_t u32[8];
    uint16_t u16[16];
    uint8_t u8[32];
};

struct avx_call {
    union ymm to;    /* the first operand: what it was; what it becomes */
    union ymm a;     /* VEX.vvvv */
    union ymm b;     /* ModRM.rm */
    union ymm third; /* imm8[7:4] */
    unsigned imm;    /* the immediate byte, or 0 */
    unsigned lanes;  /* 1 or 2; with one, the upper lane of 'to' is cleared afterwards */
};
typedef void avx_fn(struct cpu *, struct avx_call *);
typedef enum exec_result avxf_fn(struct cpu *, struct avx_call *);

/* Every row's operation; the numbers are in x86_row.arg. */
#define AVX_OP(id, kind, fn, to, shared, imm_shift) AVX_OP_##id,
enum avx_op_number {
#include "x86/avx_ops.def"
    AVX_OP_COUNT
};
#undef AVX_OP

/* Bits of 'operation': the number in 15:0, then these. */
enum avx_field { AVX_IMM = 16, AVX_FIRST = 24 /* register */, AVX_THIRD = 32 /* register */, AVX_WIDE = 40 /* both lanes */ };

/* 'dst' is a vector register's number or a general register's slot, as the row says.  EXEC_FAULT: #XM or #UD,
 * nothing but MXCSR's flags has changed. */
enum exec_result avx_execute(struct cpu *, unsigned dst, uint64_t operation);

#endif
