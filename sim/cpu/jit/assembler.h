/* x86-64 machine code, written byte by byte: the few encodings that the second tier needs.
 *
 * Registers are numbers as the manual has them (0 = rAX ... 15 = R15), sizes are in bits.  An
 * opcode above 0xff has the escape byte 0F in front.  Code is written through one mapping and run
 * through another, `shift` bytes away; all addresses here are those of the writable one, and since
 * both mappings move together, relative distances are the same in both.
 */
#ifndef SIM_CPU_JIT_ASSEMBLER_H
#define SIM_CPU_JIT_ASSEMBLER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NO_REGISTER = -1 };

/* [base + (index << scale) + disp] */
struct place {
    int base, index; /* NO_REGISTER: none */
    uint8_t scale;
    int32_t disp;
};

struct assembler { uint8_t *at; };

/* Condition codes as the manual numbers them. */
enum { CC_O, CC_NO, CC_B, CC_NB, CC_Z, CC_NZ, CC_BE, CC_NBE, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_NL, CC_LE, CC_NLE };

static inline void put8(struct assembler *a, unsigned value) { *a->at++ = (uint8_t)value; }
static inline void put32(struct assembler *a, uint32_t value) { memcpy(a->at, &value, 4); a->at += 4; }
static inline void put64(struct assembler *a, uint64_t value) { memcpy(a->at, &value, 8); a->at += 8; }

static inline struct place at_base(int base, int32_t disp)
{
    return (struct place){ .base = base, .index = NO_REGISTER, .disp = disp };
}

/* Prefixes and opcode.  'byte_rm': the r/m register is one of eight bits, and SPL ... DIL need a REX. */
static inline void asm_opcode(struct assembler *a, unsigned opcode, int bits, int reg, int index, int base, bool force_rex)
{
    unsigned rex = (bits == 64 ? 8u : 0) | (reg > 7 ? 4u : 0) | (index > 7 ? 2u : 0) | (base > 7 ? 1u : 0);

    if (bits == 16) {
        put8(a, 0x66);
    }
    if (rex || force_rex) {
        put8(a, 0x40 | rex);
    }
    if (opcode > 0xff) {
        put8(a, 0x0f);
    }
    put8(a, opcode & 0xff);
}

/* 'reg' is an opcode extension for some. */
static inline void asm_rr(struct assembler *a, unsigned opcode, int bits, int reg, int rm)
{
    asm_opcode(a, opcode, bits, reg, 0, rm, bits == 8 && ((reg > 3 && reg < 8) || (rm > 3 && rm < 8)));
    put8(a, 0xc0u | (unsigned)(reg & 7) << 3 | (unsigned)(rm & 7));
}

static inline void asm_modrm(struct assembler *a, int reg, struct place p)
{
    unsigned field = (unsigned)(reg & 7) << 3;
    bool sib = p.index != NO_REGISTER || (p.base & 7) == 4;

    if (p.base == NO_REGISTER) { /* [index << scale + disp32] or [disp32] */
        unsigned index = p.index == NO_REGISTER ? 4 : (unsigned)(p.index & 7);
        put8(a, field | 4);
        put8(a, (unsigned)p.scale << 6 | index << 3 | 5);
        put32(a, (uint32_t)p.disp);
        return;
    }
    unsigned mod = p.disp == 0 && (p.base & 7) != 5 ? 0 : p.disp == (int8_t)p.disp ? 0x40 : 0x80;
    put8(a, mod | field | (sib ? 4 : (unsigned)(p.base & 7)));
    if (sib) {
        unsigned index = p.index == NO_REGISTER ? 4 : (unsigned)(p.index & 7);
        put8(a, (unsigned)p.scale << 6 | index << 3 | (unsigned)(p.base & 7));
    }
    if (mod == 0x40) {
        put8(a, (uint8_t)p.disp);
    } else if (mod == 0x80) {
        put32(a, (uint32_t)p.disp);
    }
}

static inline void asm_rm(struct assembler *a, unsigned opcode, int bits, int reg, struct place p)
{
    asm_opcode(a, opcode, bits, reg, p.index, p.base, bits == 8 && reg > 3 && reg < 8);
    asm_modrm(a, reg, p);
}

/* An SSE form: mandatory prefix (0 = none) before REX. */
static inline void asm_sse(struct assembler *a, unsigned prefix, unsigned opcode, int reg, struct place p)
{
    if (prefix) {
        put8(a, prefix);
    }
    asm_rm(a, opcode, 32, reg, p);
}

/* --- moves ---------------------------------------------------------------------- */

static inline void asm_mov(struct assembler *a, int bits, int to, int from) { asm_rr(a, bits == 8 ? 0x8a : 0x8b, bits, to, from); }
static inline void asm_load(struct assembler *a, int bits, int to, struct place p) { asm_rm(a, bits == 8 ? 0x8a : 0x8b, bits, to, p); }
static inline void asm_store(struct assembler *a, int bits, struct place p, int from) { asm_rm(a, bits == 8 ? 0x88 : 0x89, bits, from, p); }
static inline void asm_lea(struct assembler *a, int bits, int to, struct place p) { asm_rm(a, 0x8d, bits, to, p); }

/* Opcode of MOVSX or MOVZX from so many bits; a 32-bit MOVZX is a MOV. */
static inline unsigned extend_opcode(int from_bits, bool is_signed)
{
    return from_bits == 8 ? (is_signed ? 0x1be : 0x1b6) : from_bits == 16 ? (is_signed ? 0x1bf : 0x1b7) : is_signed ? 0x63 : 0x8b;
}

static inline void asm_extend(struct assembler *a, bool is_signed, int from_bits, int to_bits, int to, int from)
{
    unsigned opcode = extend_opcode(from_bits, is_signed);
    int bits = from_bits == 32 && !is_signed ? 32 : to_bits;
    asm_opcode(a, opcode, bits, to, 0, from, from_bits == 8 && from > 3 && from < 8);
    put8(a, 0xc0u | (unsigned)(to & 7) << 3 | (unsigned)(from & 7));
}

static inline void asm_extend_load(struct assembler *a, bool is_signed, int from_bits, int to_bits, int to, struct place p)
{
    asm_rm(a, extend_opcode(from_bits, is_signed), from_bits == 32 && !is_signed ? 32 : to_bits, to, p);
}

static inline void asm_immediate(struct assembler *a, int to, int64_t value)
{
    if (value == 0) {
        asm_rr(a, 0x31, 32, to, to);
    } else if (value == (int64_t)(uint32_t)value) {
        asm_opcode(a, 0xb8 | (unsigned)(to & 7), 32, 0, 0, to, false);
        put32(a, (uint32_t)value);
    } else if (value == (int32_t)value) {
        asm_rr(a, 0xc7, 64, 0, to);
        put32(a, (uint32_t)value);
    } else {
        asm_opcode(a, 0xb8 | (unsigned)(to & 7), 64, 0, 0, to, false);
        put64(a, (uint64_t)value);
    }
}

static inline void put_immediate(struct assembler *a, int bits, int64_t value)
{
    for (int i = 0; i < (bits == 64 ? 4 : bits / 8); i++) {
        put8(a, (uint8_t)(value >> 8 * i));
    }
}

static inline void asm_store_immediate(struct assembler *a, int bits, struct place p, int64_t value)
{
    asm_rm(a, bits == 8 ? 0xc6 : 0xc7, bits, 0, p);
    put_immediate(a, bits, value);
}

/* --- arithmetic ------------------------------------------------------------------- */

/* Numbers of the eight operations, as in the opcodes 00 ... 3F and the digits of 80, 81, 83. */
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST /* no such opcode */ };
/* Digits of C1 and D3. */
enum { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAR = 7 };

static inline void asm_alu(struct assembler *a, int op, int bits, int to, int from)
{
    asm_rr(a, (unsigned)op << 3 | (bits == 8 ? 2 : 3), bits, to, from);
}

static inline void asm_alu_load(struct assembler *a, int op, int bits, int to, struct place p)
{
    asm_rm(a, (unsigned)op << 3 | (bits == 8 ? 2 : 3), bits, to, p);
}

static inline void asm_alu_store(struct assembler *a, int op, int bits, struct place p, int from)
{
    asm_rm(a, (unsigned)op << 3 | (bits == 8 ? 0 : 1), bits, from, p);
}

static inline bool is_short(int bits, int64_t value) { return bits == 8 || value == (int8_t)value; }

static inline void asm_alu_immediate(struct assembler *a, int op, int bits, int to, int64_t value)
{
    bool narrow = is_short(bits, value);
    asm_rr(a, bits == 8 ? 0x80 : narrow ? 0x83 : 0x81, bits, op, to);
    put_immediate(a, narrow ? 8 : bits, value);
}

static inline void asm_alu_place_immediate(struct assembler *a, int op, int bits, struct place p, int64_t value)
{
    bool narrow = is_short(bits, value);
    asm_rm(a, bits == 8 ? 0x80 : narrow ? 0x83 : 0x81, bits, op, p);
    put_immediate(a, narrow ? 8 : bits, value);
}

static inline void asm_test(struct assembler *a, int bits, int x, int y) { asm_rr(a, bits == 8 ? 0x84 : 0x85, bits, y, x); }

static inline void asm_test_immediate(struct assembler *a, int bits, int x, int64_t value)
{
    asm_rr(a, bits == 8 ? 0xf6 : 0xf7, bits, 0, x);
    put_immediate(a, bits, value);
}

static inline void asm_shift(struct assembler *a, int digit, int bits, int to, unsigned count)
{
    if (count == 1) {
        asm_rr(a, bits == 8 ? 0xd0 : 0xd1, bits, digit, to);
    } else if (count) {
        asm_rr(a, bits == 8 ? 0xc0 : 0xc1, bits, digit, to);
        put8(a, count);
    }
}

/* --- jumps -------------------------------------------------------------------------- */

/* Jumps return their 32-bit field, to be pointed somewhere later. */
static inline uint8_t *asm_jump(struct assembler *a) { put8(a, 0xe9); put32(a, 0); return a->at - 4; }
static inline uint8_t *asm_call(struct assembler *a) { put8(a, 0xe8); put32(a, 0); return a->at - 4; }
static inline uint8_t *asm_jcc(struct assembler *a, int cc) { put8(a, 0x0f); put8(a, 0x80u | (unsigned)cc); put32(a, 0); return a->at - 4; }

static inline void asm_point(uint8_t *field, const uint8_t *target)
{
    int32_t distance = (int32_t)(target - (field + 4));
    memcpy(field, &distance, 4);
}

/* The same within 127 bytes. */
static inline uint8_t *asm_jcc_short(struct assembler *a, int cc) { put8(a, 0x70u | (unsigned)cc); put8(a, 0); return a->at - 1; }
static inline uint8_t *asm_jump_short(struct assembler *a) { put8(a, 0xeb); put8(a, 0); return a->at - 1; }
static inline void asm_point_short(const struct assembler *a, uint8_t *field) { *field = (uint8_t)(a->at - (field + 1)); }

#endif
