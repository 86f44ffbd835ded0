/* Rows of spec/x86/opcodes.tbl as the program sees them.
 *
 * A row is one instruction form: how it is encoded, what its operands are,
 * which builder makes its records, and what other readers want to know about
 * it (flags for the crosscheck, timing class, oracle traits).  The table's own
 * comment is the grammar.  Rows are constant and shared by everything.
 */
#ifndef SIM_CPU_DECODE_ROW_H
#define SIM_CPU_DECODE_ROW_H

#include "sim/cpu/cpu.h"
#include "sim/cpu/features.h"
#include "x86/opcodes.h"

enum operand_kind {
    KIND_none, KIND_FIXED,
    KIND_E, KIND_G, KIND_M, KIND_R, KIND_Z, KIND_I, KIND_J, KIND_O, KIND_A,
    KIND_S, KIND_C, KIND_D, KIND_V, KIND_W, KIND_U, KIND_H, KIND_B, KIND_L,
    KIND_P, KIND_Q, KIND_N,
};

/* Operand sizes as letters of the manual; SIZE_r is 4 or 8 by mode (64-bit: 8). */
enum operand_size {
    SIZE_none, SIZE_b, SIZE_w, SIZE_d, SIZE_q, SIZE_v, SIZE_y, SIZE_z, SIZE_p, SIZE_dq, SIZE_s, SIZE_r,
    SIZE_x, SIZE_qq, SIZE_t,
};
enum operand_fixed {
    FIX_none, FIX_AL, FIX_rAX, FIX_CL, FIX_DX, FIX_AX, FIX_1,
    FIX_ST, FIX_STi, FIX_ES, FIX_CS, FIX_SS, FIX_DS, FIX_FS, FIX_GS, FIX_b, FIX_v,
};

enum {
    TRAIT_O64 = 1 << 0, TRAIT_I64 = 1 << 1, TRAIT_W0 = 1 << 2, TRAIT_W1 = 1 << 3, TRAIT_D64 = 1 << 4,
    TRAIT_F64 = 1 << 5, TRAIT_LOCK = 1 << 6, TRAIT_UNALIGNED = 1 << 7, TRAIT_PRIV = 1 << 8, TRAIT_NOHOST = 1 << 9,
    TRAIT_VSIB = 1 << 10, TRAIT_QUICK = 1 << 11, TRAIT_SOFT = 1 << 12,
};

enum row_prefix { PREFIX_ANY, PREFIX_NP, PREFIX_66, PREFIX_F3, PREFIX_F2 };
enum row_vex { VEX_NONE, VEX_128, VEX_256, VEX_ANY }; /* ANY: either length */
enum row_mod { MOD_ANY, MOD_MEMORY, MOD_REGISTER };

struct decoder;
struct x86_row;
/* Makes the records of one instruction. False: #UD. */
typedef bool build_fn(struct decoder *, const struct x86_row *);

struct x86_row {
    uint16_t op;             /* [enum op] */
    uint8_t map;             /* 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A */
    uint8_t vex;             /* [enum row_vex] */
    uint8_t opcode, count;   /* first opcode byte and how many */
    uint8_t prefix;          /* [enum row_prefix] */
    uint8_t mod;             /* [enum row_mod] */
    bool has_modrm;
    int8_t digit;            /* ModRM.reg, or -1 */
    int16_t modrm;           /* the whole byte, or -1 */
    uint16_t arg;            /* to the builder */
    uint8_t timing;          /* [enum timing_class] */
    uint16_t traits;         /* [TRAIT_*] */
    uint16_t flags_read, flags_written, flags_undefined; /* [RFLAGS bits] */
    struct { uint8_t kind, size; } operand[4]; /* [enum operand_kind], [enum operand_size or operand_fixed] */
    build_fn *build;
    sys_fn *sys;
    x87_fn *x87;             /* what rows of the x87 builders do */
    const char *text;        /* "ADD Eb,Gb = 00 /r" */
    const char *exec;        /* the table's fourth column */
    const char *line;        /* "integer.tbl:12" */
    uint16_t quick;          /* AVX: first record form with the operation within it, or 0 [enum form] */
    uint16_t feature;        /* [enum cpu_feature] the model must have; 0 = every model */
};

extern const struct x86_row x86_rows[];
extern const unsigned x86_row_count;

/* Rows to try for an opcode, in order: indices into x86_rows.  By map; VEX-encoded ones at map + X86_MAP_VEX. */
enum { X86_MAP_VEX = 3, X86_MAP_COUNT = 7 };
struct x86_candidate_list { uint16_t first, count; };
extern const uint16_t x86_candidates[];
extern const struct x86_candidate_list x86_index[X86_MAP_COUNT][256];

const char *x86_op_name(unsigned op); /* "add"; "?" when out of range */
const char *x86_timing_name(unsigned timing_class);

#endif
