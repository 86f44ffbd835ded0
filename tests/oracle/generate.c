/* From a row of the opcode table to an instruction and a state to run it in. */
#include <assert.h>
#include <string.h>

#include "tests/oracle/oracle.h"

/* Rows the oracles cannot run although the table lets them: reasons as data. */
static const struct { const char *exec, *reason; } exempt_rows[] = {
    { "ud", "always #UD" },
};

static bool has_kind(const struct x86_row *row, unsigned kind)
{
    for (unsigned i = 0; i < 4; i++) {
        if (row->operand[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* W1 does not exist outside 64-bit mode, unless it is VEX.W and widens no general register. */
static bool has_general(const struct x86_row *row)
{
    return !row->vex || has_kind(row, KIND_E) || has_kind(row, KIND_G) || has_kind(row, KIND_B);
}

const char *oracle_row_exempt(const struct x86_row *row, bool mode32)
{
    if (row->traits & TRAIT_PRIV) {
        return "privileged";
    }
    if (row->traits & TRAIT_NOHOST) {
        return "marked nohost in the table";
    }
    if (mode32 && (row->traits & TRAIT_O64 || (row->traits & TRAIT_W1 && has_general(row)))) {
        return "64-bit mode only";
    }
    if (!mode32 && (row->traits & TRAIT_I64)) {
        return "not in 64-bit mode";
    }
    for (unsigned i = 0; i < sizeof exempt_rows / sizeof exempt_rows[0]; i++) {
        if (!strcmp(row->exec, exempt_rows[i].exec)) {
            return exempt_rows[i].reason;
        }
    }
    return NULL;
}

/* --- reading a row ----------------------------------------------------------- */

static bool exec_is(const struct x86_row *row, const char *prefix)
{
    return !strncmp(row->exec, prefix, strlen(prefix));
}

/* FNSTENV, FLDENV, FNSAVE, FRSTOR. */
static bool is_x87_state(const struct x86_row *row)
{
    return row->op == OP_FNSTENV || row->op == OP_FLDENV || row->op == OP_FNSAVE || row->op == OP_FRSTOR;
}

static bool is_x87(const struct x86_row *row)
{
    return exec_is(row, "x87") || exec_is(row, "mmx") || is_x87_state(row) || exec_is(row, "sys:sys_wait") ||
           exec_is(row, "sys:sys_fx");
}

static bool is_string(const struct x86_row *row)
{
    return exec_is(row, "string:");
}

/* Does the operand-size prefix mean an operand size (and not another row, or nothing)? */
static bool takes_66(const struct oracle_case *c)
{
    const struct x86_row *row = c->row;
    bool sized = false;
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = row->operand[i].kind, size = row->operand[i].size;
        sized |= kind == KIND_FIXED ? size == FIX_rAX || size == FIX_v
                                    : kind != KIND_none && (size == SIZE_v || size == SIZE_z);
    }
    if ((row->traits & TRAIT_F64) && !c->mode32) {
        return false; /* near branches: vendors differ */
    }
    if (row->prefix == PREFIX_NP || row->prefix == PREFIX_66 || row->vex) {
        return false;
    }
    if (exec_is(row, "sse") || exec_is(row, "x87") || exec_is(row, "mmx") || exec_is(row, "bswap")) {
        return false; /* another row, or undefined */
    }
    return sized || row->map == 0;
}

static unsigned size_bytes(const struct oracle_case *c, unsigned size)
{
    switch (size) {
    case SIZE_b: return 1;
    case SIZE_w: return 2;
    case SIZE_d: return 4;
    case SIZE_q: return 8;
    case SIZE_y: return c->opsize == 8 ? 8 : 4;
    case SIZE_z: return c->opsize == 2 ? 2 : 4;
    case SIZE_v: return c->opsize;
    case SIZE_dq: return 16;
    case SIZE_qq: return 32;
    case SIZE_x: return c->vex256 ? 32 : 16;
    case SIZE_r: return c->mode32 ? 4 : 8;
    case SIZE_p: return c->opsize + 2;
    case SIZE_t: return 10;
    default: return 0;
    }
}

enum { XSAVE_SIZE = 832 /* x87, SSE, header, AVX [bytes] */ };

/* Size of the ModRM memory operand, 0 when it is not accessed. */
static unsigned memory_size(const struct oracle_case *c)
{
    if (exec_is(c->row, "sys:sys_fx")) {
        return 512;
    }
    if (exec_is(c->row, "sys:sys_xsave") || exec_is(c->row, "sys:sys_xrstor")) {
        return XSAVE_SIZE;
    }
    if (is_x87_state(c->row)) {
        return 7 * (c->opsize == 2 ? 2 : 4) + (c->row->op == OP_FNSAVE || c->row->op == OP_FRSTOR ? 80 : 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = c->row->operand[i].kind;
        if (kind == KIND_E || kind == KIND_M || kind == KIND_W || kind == KIND_Q) {
            return size_bytes(c, c->row->operand[i].size);
        }
    }
    return 0;
}

static bool needs_alignment(const struct x86_row *row, unsigned size)
{
    if (row->vex && !exec_is(row, "avx_load") && !exec_is(row, "avx_store")) {
        return false;
    }
    return (size == 16 || size == 32 || size == 512 || size == XSAVE_SIZE) && !(row->traits & TRAIT_UNALIGNED);
}

/* --- addresses ------------------------------------------------------------------- */

/* Mostly inside the writable pages; sometimes across their border, in the
 * read-only page, across the end, beyond it, or not canonical. */
static uint64_t choose_target(struct oracle_case *c, unsigned size, bool align, uint64_t *seed)
{
    uint64_t r = oracle_random(seed) % 100, at = oracle_random(seed);
    uint64_t target = ORACLE_DATA + 0x100 + at % (ORACLE_DATA_RW - 0x200);

    if (r < 12) {
        target = ORACLE_DATA + ORACLE_PAGE - at % (size + 1);
    } else if (r < 16) {
        target = ORACLE_DATA + ORACLE_DATA_RW + at % 0xf00;
    } else if (r < 19) {
        target = ORACLE_DATA + ORACLE_DATA_RW - at % (size + 1);
    } else if (r < 22) {
        target = ORACLE_DATA + ORACLE_DATA_SIZE - at % (size + 1);
    } else if (r < 24) {
        target = ORACLE_DATA + ORACLE_DATA_SIZE + at % 0x1000;
    } else if (r < 25 && !c->mode32) {
        return (at >> 8 & 0x7fffffffffff) | 0x1234ull << 48;
    }
    if (align && !oracle_chance(seed, 8)) {
        target &= ~(size == XSAVE_SIZE ? 63ull : size == 32 ? 31ull : 15ull);
    } else if (oracle_chance(seed, 40)) {
        target &= ~7ull;
    }
    return target;
}

static void add_patch(struct oracle_case *c, uint64_t address, const void *bytes, unsigned size)
{
    assert(c->patches < ORACLE_PATCHES && size <= ORACLE_PATCH_SIZE);
    struct oracle_patch *p = &c->patch[c->patches++];
    p->address = address;
    p->size = size;
    memcpy(p->bytes, bytes, size);
}

/* --- encoding ---------------------------------------------------------------------- */

struct encoding {
    uint8_t prefixes[5], rex, vvvv, opcode[3], modrm, sib, disp[4], imm[9];
    unsigned prefix_count, vex_bytes, opcode_count, disp_count, imm_count;
    bool has_rex, has_sib, rip_relative, address32;
    unsigned base, index; /* 16 = none */
    unsigned scale;
    int32_t displacement;
};

static void put_imm(struct encoding *e, uint64_t value, unsigned size)
{
    memcpy(e->imm + e->imm_count, &value, size);
    e->imm_count += size;
}

static void choose_prefixes(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    const struct x86_row *row = c->row;
    static const uint8_t mandatory[] = { [PREFIX_66] = 0x66, [PREFIX_F3] = 0xf3, [PREFIX_F2] = 0xf2 };
    bool in_64 = !c->mode32;
    bool defaults_64 = in_64 && (row->traits & (TRAIT_D64 | TRAIT_F64));

    c->opsize = defaults_64 ? 8 : 4;
    bool want_w = (in_64 || row->vex) && !(row->traits & TRAIT_W0) &&
                  ((row->traits & TRAIT_W1) || oracle_chance(seed, 30));
    if (takes_66(c) && oracle_chance(seed, 25)) {
        e->prefixes[e->prefix_count++] = 0x66;
        c->opsize = 2;
    }
    if (row->prefix >= PREFIX_66 && !row->vex) {
        e->prefixes[e->prefix_count++] = mandatory[row->prefix];
    }
    if (want_w) {
        e->rex |= 8;
        c->opsize = in_64 ? 8 : 4;
    }
    if (is_string(row) && oracle_chance(seed, 60)) {
        e->prefixes[e->prefix_count++] = oracle_chance(seed, 50) ? 0xf3 : 0xf2;
    }
    if (oracle_chance(seed, 6)) {
        static const uint8_t ignored[] = { 0x26, 0x2e, 0x36, 0x3e };
        e->prefixes[e->prefix_count++] = in_64 ? ignored[oracle_random(seed) % 4] : 0x3e;
    }
}

/* EDX:EAX says which components. */
static bool takes_bitmap(const struct x86_row *row)
{
    return exec_is(row, "sys:sys_xsave") || exec_is(row, "sys:sys_xrstor");
}

/* A gather's: base, displacement and a vector of mostly small indices. */
static void choose_vsib(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    unsigned registers = c->mode32 ? 8 : 16, reg = (e->modrm >> 3 & 7u) | (e->rex & 4u) << 1;
    e->has_sib = true;
    e->base = oracle_random(seed) % registers;
    do {
        e->index = oracle_random(seed) % registers;
    } while ((e->index == reg || e->index == e->vvvv) && !oracle_chance(seed, 10));
    e->scale = oracle_random(seed) % 4;
    e->displacement = oracle_chance(seed, 50) ? 0 : -0x1000;
    for (unsigned i = 0; i < 4; i++) {
        union xmm *half = i < 2 ? &c->in.xmm[e->index] : &c->in.ymm_high[e->index];
        uint64_t small = oracle_random(seed) % 64 - 32, other = oracle_random(seed) % 64 - 32;
        if (oracle_chance(seed, 90)) { /* odd opcodes take quadwords */
            half->u64[i % 2] = c->row->opcode & 1 ? small : (uint32_t)small | other << 32;
        }
    }
}

/* Picks base, index and displacement such that they reach c->target, and sets
 * the registers accordingly. */
static void choose_address(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    unsigned registers = c->mode32 ? 8 : 16;
    uint64_t form = oracle_random(seed) % 100;

    if (c->row->traits & TRAIT_VSIB) {
        choose_vsib(c, e, seed);
        return;
    }
    e->base = e->index = 16;
    if (form < 10 || (c->sequence && memory_size(c))) { /* no registers */
        bool relative = !c->mode32 && (c->sequence ? form < 60 : form < 6);
        e->rip_relative = relative;
        e->has_sib = !c->mode32 && !relative;
        return; /* the displacement follows when the length is known */
    }
    do {
        e->base = oracle_random(seed) % registers;
    } while (takes_bitmap(c->row) && (e->base == RAX || e->base == RDX));
    if (form < 40 || (e->base & 7) == RSP) {
        e->has_sib = true;
        if (form < 40 && oracle_chance(seed, 80)) {
            do {
                e->index = oracle_random(seed) % registers;
            } while (e->index == RSP || e->index == e->base || (takes_bitmap(c->row) && (e->index == RAX || e->index == RDX)));
        }
        e->scale = oracle_random(seed) % 4;
        if (form < 15 && e->index != 16) {
            e->base = 16;
        }
    }
    if (e->index != 16 && (e->index == RAX || e->index == RCX || c->mode32 || form < 25)) {
        c->in.gpr[e->index] = oracle_random(seed) % 256;
    }
    static const int32_t displacements[] = { 0, 0, 8, -128, 127, 128, -0x1000, 0x12345678, -0x7ffffff0 };
    e->displacement = displacements[oracle_random(seed) % 9];
}

/* Encodes what choose_address chose; 'tail' bytes follow the displacement. */
static void encode_address(struct oracle_case *c, struct encoding *e, unsigned before, unsigned tail)
{
    bool narrow = c->mode32 || e->address32;
    uint64_t segment_base = 0;
    for (unsigned i = 0; i < e->prefix_count; i++) {
        segment_base += e->prefixes[i] == 0x65 ? ORACLE_DATA + ORACLE_GS_OFFSET : 0;
    }
    uint64_t ea = c->target - segment_base;
    uint64_t indexed = e->index == 16 || c->row->traits & TRAIT_VSIB ? 0 : c->in.gpr[e->index] << e->scale;
    unsigned mod = 0, size = 4;

    e->sib = (uint8_t)(e->scale << 6 | (e->index == 16 ? 4 : e->index & 7) << 3 |
                       (e->base == 16 ? 5 : e->base & 7));
    e->rex |= (e->index != 16 && e->index >= 8 ? 2 : 0) | (e->base != 16 && e->base >= 8 ? 1 : 0);
    if (e->base == 16) {
        uint64_t disp = ea - indexed;
        if (e->rip_relative) {
            disp = ea - (c->in.rip + before + 4 + tail);
        }
        e->displacement = (int32_t)disp;
        if (!narrow && (uint64_t)(int64_t)e->displacement != disp) { /* out of reach: elsewhere then */
            if (e->index != 16) {
                c->in.gpr[e->index] = 0;
            }
            c->target = ORACLE_DATA + 0x340;
            disp = c->target - segment_base - (e->rip_relative ? c->in.rip + before + 4 + tail : 0);
            e->displacement = (int32_t)disp;
        }
    } else {
        size = e->displacement == 0 && (e->base & 7) != RBP ? 0
             : e->displacement >= -128 && e->displacement <= 127 ? 1 : 4;
        mod = size == 0 ? 0 : size == 1 ? 1 : 2;
        uint64_t base = ea - indexed - (uint64_t)(int64_t)e->displacement;
        c->in.gpr[e->base] = narrow && !c->mode32 ? (uint32_t)base | 0xabcd1234ull << 32 : base;
        if (c->mode32) {
            c->in.gpr[e->base] = (uint32_t)base;
        }
    }
    unsigned rm = e->has_sib ? 4 : e->base == 16 ? 5 : e->base & 7;
    e->modrm = (uint8_t)(mod << 6 | (e->modrm & 0x38) | rm);
    memcpy(e->disp, &e->displacement, 4);
    e->disp_count = size;
}

/* Selectors that mean the same in Linux's table and in run_ours.c's. */
static uint16_t choose_selector(uint64_t *seed)
{
    static const uint16_t selectors[] = {
        0, 3, 0x2b, 0x2b, 0x2b, 0x28, 0x23, 0x23, 0x23, 0x20, 0x33, 0x30, 0x10, 0x13, 0x18, 0x1b,
    };
    return selectors[oracle_random(seed) % (sizeof selectors / sizeof selectors[0])];
}

static void choose_immediates(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = c->row->operand[i].kind, size = size_bytes(c, c->row->operand[i].size);
        uint64_t value = oracle_integer(seed);
        if (kind == KIND_L) {
            put_imm(e, value, 1);
        } else if (kind == KIND_I) {
            c->imm = value;
            put_imm(e, value, size);
        } else if (kind == KIND_J) {
            if (c->row->operand[i].size != SIZE_b) {
                value = oracle_chance(seed, 30) ? value % 4096 - 2048 : value % 0x20000000 - 0x8000000; /* some in the same page */
            }
            put_imm(e, value, size);
        } else if (kind == KIND_A) {
            put_imm(e, value, c->opsize);
            put_imm(e, choose_selector(seed), 2);
        } else if (kind == KIND_O) {
            put_imm(e, c->target, c->mode32 || e->address32 ? 4 : 8);
        }
    }
}

static uint8_t *put_vex(uint8_t *to, const struct oracle_case *c, const struct encoding *e)
{
    static const uint8_t pp[] = { [PREFIX_NP] = 0, [PREFIX_66] = 1, [PREFIX_F3] = 2, [PREFIX_F2] = 3 };
    uint8_t last = (uint8_t)((~e->vvvv & 15) << 3 | (c->vex256 ? 4 : 0) | pp[c->row->prefix]);

    if (e->vex_bytes == 2) {
        *to++ = 0xc5;
        *to++ = (uint8_t)(last | (e->rex & 4 ? 0 : 0x80));
    } else {
        *to++ = 0xc4;
        *to++ = (uint8_t)((~e->rex & 7) << 5 | c->row->map);
        *to++ = (uint8_t)(last | (e->rex & 8) << 4);
    }
    return to;
}

static void assemble(struct oracle_case *c, const struct encoding *e)
{
    uint8_t *to = c->code;
    memcpy(to, e->prefixes, e->prefix_count);
    to += e->prefix_count;
    if (c->row->vex) {
        to = put_vex(to, c, e);
    } else if (e->has_rex) {
        *to++ = 0x40 | e->rex;
    }
    memcpy(to, e->opcode, e->opcode_count);
    to += e->opcode_count;
    if (c->row->has_modrm) {
        *to++ = e->modrm;
        if (e->modrm < 0xc0) {
            if (e->has_sib) {
                *to++ = e->sib;
            }
            memcpy(to, e->disp, e->disp_count);
            to += e->disp_count;
        }
    }
    memcpy(to, e->imm, e->imm_count);
    to += e->imm_count;
    c->length = (unsigned)(to - c->code);
    assert(c->length <= ORACLE_CODE_MAX);
}

static void choose_opcode(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    static const uint8_t escape[] = { 0, 0, 0x38, 0x3a };
    const struct x86_row *row = c->row;
    if (row->vex) {
        c->vex256 = row->vex == VEX_256 || (row->vex == VEX_ANY && oracle_chance(seed, 50));
        e->vvvv = has_kind(row, KIND_H) || has_kind(row, KIND_B) ? oracle_random(seed) % (c->mode32 ? 8 : 16) : 0;
    } else if (row->map != 0) {
        e->opcode[e->opcode_count++] = 0x0f;
    }
    if (!row->vex && row->map > 1) {
        e->opcode[e->opcode_count++] = escape[row->map];
    }
    uint8_t low = (uint8_t)(oracle_random(seed) % row->count);
    e->opcode[e->opcode_count++] = row->opcode + low;
    if (has_kind(row, KIND_Z) && !c->mode32 && oracle_chance(seed, 50)) {
        e->rex |= 1;
    }
}

/* Which register fields; a register operand or a memory one. */
static void choose_modrm(struct oracle_case *c, struct encoding *e, uint64_t *seed)
{
    const struct x86_row *row = c->row;
    unsigned reg = oracle_random(seed) % 8, rm = oracle_random(seed) % 8;
    if (!row->has_modrm) {
        return;
    }
    if (has_kind(row, KIND_S)) {
        reg %= 6;
    } else if (row->digit >= 0) {
        reg = (unsigned)row->digit;
    } else if (!c->mode32 && oracle_chance(seed, 50)) {
        e->rex |= 4;
    }
    if (row->modrm >= 0) {
        e->modrm = (uint8_t)row->modrm;
        return;
    }
    bool memory = row->mod == MOD_MEMORY || (row->mod == MOD_ANY && oracle_chance(seed, 55));
    e->modrm = (uint8_t)(reg << 3 | (memory ? 0 : 0xc0 | rm));
    if (!memory && !c->mode32 && oracle_chance(seed, 50)) {
        e->rex |= 1;
    }
}

static bool is_memory(const struct oracle_case *c, const struct encoding *e)
{
    return c->row->has_modrm && e->modrm < 0xc0;
}

/* --- states ------------------------------------------------------------------------------ */

static uint64_t stack_address(uint64_t *seed)
{
    uint64_t at = ORACLE_DATA + 0x200 + oracle_random(seed) % (ORACLE_DATA_RW - 0x400);
    if (oracle_chance(seed, 4)) {
        return ORACLE_DATA + ORACLE_DATA_RW + 8 - oracle_random(seed) % 24; /* runs into the read-only page */
    }
    if (oracle_chance(seed, 2)) {
        return ORACLE_DATA + oracle_random(seed) % 16; /* runs out at the bottom */
    }
    return oracle_chance(seed, 90) ? at & ~7ull : at;
}

static void random_state(struct oracle_case *c, uint64_t *seed)
{
    struct oracle_regs *in = &c->in;
    for (unsigned i = 0; i < 16; i++) {
        in->gpr[i] = oracle_integer(seed);
        in->xmm[i] = oracle_vector(seed);
        in->ymm_high[i] = oracle_vector(seed);
    }
    in->gpr[RSP] = stack_address(seed);
    in->rflags = (oracle_random(seed) & (FLAG_STATUS | FLAG_ID)) | FLAG_IF | 2;
    if (oracle_chance(seed, 15)) {
        in->rflags |= FLAG_DF;
    }
    oracle_x87_initial(in->x87);
    in->mxcsr = 0x1f80;
    if (oracle_chance(seed, 60)) { /* rounding, DAZ, FTZ, sticky flags; sometimes unmasked */
        in->mxcsr = (uint32_t)oracle_random(seed) & 0xffff;
        in->mxcsr |= oracle_chance(seed, 75) ? 0x1f80 : 0;
    }
    if (oracle_chance(seed, 30)) { /* what the short cuts of sim/cpu/sse ask for */
        in->mxcsr = (in->mxcsr & 0x805f) | 0x1fa0;
    }
    in->rip = ORACLE_CODE + 16 + oracle_random(seed) % (ORACLE_CODE_SIZE - 64 - ORACLE_CODE_ROOM);
}

static void set_register(struct oracle_case *c, unsigned reg, uint64_t value)
{
    c->in.gpr[reg] = value;
}

/* Implicit memory operands and interesting values of implicit registers. */
static void special_state(struct oracle_case *c, uint64_t *seed)
{
    const struct x86_row *row = c->row;
    if (is_x87(row)) {
        oracle_x87(seed, c->in.x87);
    }
    for (unsigned i = 0; i < 8 && exec_is(row, "mmx"); i++) {
        union xmm v = oracle_vector(seed);
        memcpy(c->in.x87 + 32 + 16 * i, &v, 8);
    }
    if (is_string(row) || exec_is(row, "sys:sys_maskmovdqu") || exec_is(row, "mmx_sys:sys_maskmovq")) {
        set_register(c, RSI, choose_target(c, 8, false, seed));
        set_register(c, RDI, choose_target(c, 16, false, seed));
        if (oracle_chance(seed, 20)) {
            set_register(c, RSI, c->in.gpr[RDI] + oracle_random(seed) % 17 - 8);
        }
        set_register(c, RCX, oracle_random(seed) % 40);
        c->in.rflags ^= oracle_chance(seed, 35) ? FLAG_DF : 0;
    }
    if (takes_bitmap(row)) { /* what both processors have, and nothing */
        set_register(c, RAX, (oracle_random(seed) & 0xd00c) | oracle_random(seed) % 8);
        set_register(c, RDX, oracle_random(seed) & 0x7fff0000);
    }
    if (exec_is(row, "xlat")) {
        set_register(c, RBX, choose_target(c, 1, false, seed) - (c->in.gpr[RAX] & 0xff));
    }
    if (exec_is(row, "leave") || exec_is(row, "enter")) {
        set_register(c, RBP, stack_address(seed));
    }
    if (exec_is(row, "shift") && oracle_chance(seed, 60)) {
        set_register(c, RCX, oracle_random(seed) % 36);
    }
    if (exec_is(row, "muldiv:div") && oracle_chance(seed, 70)) {
        set_register(c, RDX, oracle_random(seed) % 3);
    }
    if (exec_is(row, "muldiv:idiv") && oracle_chance(seed, 70)) {
        set_register(c, RDX, (uint64_t)((int64_t)c->in.gpr[RAX] >> 63));
        if (oracle_chance(seed, 50)) {
            set_register(c, RAX, (uint64_t)(int64_t)(int8_t)oracle_random(seed));
        }
    }
    if (exec_is(row, "loop") && oracle_chance(seed, 50)) {
        set_register(c, RCX, oracle_random(seed) % 3 | (oracle_chance(seed, 30) ? 1ull << 32 : 0));
    }
    if (exec_is(row, "bit:") && oracle_chance(seed, 80)) { /* bit strings stay near their target */
        for (unsigned i = 0; i < 16; i++) {
            if (i != RSP) {
                set_register(c, i, oracle_random(seed) % 3000 - 1500);
            }
        }
    }
}

/* Mostly valid ones, of both formats. */
static void patch_xsave_header(struct oracle_case *c, uint64_t *seed)
{
    uint64_t header[8] = { oracle_random(seed) % 8 };
    if (oracle_chance(seed, 40)) {
        header[1] = 1ull << 63 | (oracle_chance(seed, 80) ? header[0] | oracle_random(seed) % 8 : oracle_random(seed) % 8);
    }
    if (oracle_chance(seed, 15)) { /* a component that no host has, or one that ours has, too */
        unsigned bit = oracle_chance(seed, 40) ? oracle_random(seed) % 3 : 20 + oracle_random(seed) % 44;
        header[oracle_random(seed) % 8] ^= 1ull << bit;
    }
    if (c->target <= ORACLE_DATA + ORACLE_DATA_RW - XSAVE_SIZE) {
        add_patch(c, c->target + 512, header, 32);
        add_patch(c, c->target + 544, header + 4, 32);
    }
}

static void patch_x87_operand(const struct x86_row *row, unsigned size, uint64_t *seed, uint8_t *bytes)
{
    bool integer = size == 2 || strstr(row->exec, "_i");
    if (size == 10 && !oracle_chance(seed, 5)) {
        oracle_f80(seed, bytes);
    } else if (!integer && size < 10) { /* the other edges of single and double are the vectors' */
        union xmm v = oracle_vector(seed);
        memcpy(bytes, &v, 8);
    }
}

/* An image that FLDENV or FRSTOR finds: the words of a random state. */
static void patch_x87_state(struct oracle_case *c, unsigned size, uint64_t *seed)
{
    uint8_t image[ORACLE_X87_SIZE], bytes[7 * 4 + 80];
    unsigned field = c->opsize == 2 ? 2 : 4;

    for (unsigned i = 0; i < sizeof bytes; i += 4) {
        uint64_t r = oracle_random(seed);
        memcpy(bytes + i, &r, 4);
    }
    oracle_x87(seed, image);
    memcpy(bytes, image, 2);
    memcpy(bytes + field, image + 2, 2);
    for (unsigned i = 0; i < 8 && size > 28; i++) {
        memcpy(bytes + 7 * field + 10 * i, image + 32 + 16 * i, 10);
    }
    for (unsigned i = 0; i < size; i += ORACLE_PATCH_SIZE) {
        add_patch(c, c->target + i, bytes + i, size - i < ORACLE_PATCH_SIZE ? size - i : ORACLE_PATCH_SIZE);
    }
}

/* What lies in memory where the instruction will look. */
static void patch_operand(struct oracle_case *c, unsigned size, uint64_t *seed)
{
    const struct x86_row *row = c->row;
    uint8_t bytes[ORACLE_PATCH_SIZE];
    if (is_x87_state(row)) {
        patch_x87_state(c, size, seed);
        return;
    }
    const unsigned operand = size;
    if (size >= 16 || exec_is(row, "sse") || exec_is(row, "avx") || exec_is(row, "mmx")) {
        union xmm v[2] = { oracle_vector(seed), oracle_vector(seed) };
        size = size == 32 ? 32 : 16;
        memcpy(bytes, v, size);
    } else {
        uint64_t v = oracle_integer(seed);
        memcpy(bytes, &v, 8);
        size = 8;
    }
    if (exec_is(row, "cmpxchg_wide") && oracle_chance(seed, 60)) {
        unsigned half = c->opsize == 8 ? 8 : 4;
        memcpy(bytes, &c->in.gpr[RAX], half);
        memcpy(bytes + half, &c->in.gpr[RDX], half);
    } else if (exec_is(row, "cmpxchg") && oracle_chance(seed, 50)) {
        memcpy(bytes, &c->in.gpr[RAX], 8);
    } else if ((exec_is(row, "sys:sys_ldmxcsr") || exec_is(row, "avx_sys:sys_vldmxcsr"))) {
        uint32_t mxcsr = (uint32_t)oracle_random(seed) & (oracle_chance(seed, 80) ? 0xffff : 0x4ffff);
        memcpy(bytes, &mxcsr, 4);
    } else if (exec_is(row, "call_indirect") || exec_is(row, "jmp_indirect")) {
        uint64_t to = oracle_random(seed) & 0x7fffffff;
        memcpy(bytes, &to, 8);
    } else if (exec_is(row, "x87_load")) {
        patch_x87_operand(row, operand, seed, bytes);
        size = operand;
    } else if (exec_is(row, "sys:sys_load_far_pointer")) {
        uint16_t selector = choose_selector(seed);
        memcpy(bytes + c->opsize, &selector, 2);
    } else if (exec_is(row, "sys:sys_fxrstor") || exec_is(row, "sys:sys_xrstor")) {
        uint32_t mxcsr = (uint32_t)oracle_random(seed) & (oracle_chance(seed, 80) ? 0xffff : 0x4ffff);
        uint8_t image[ORACLE_X87_SIZE];
        oracle_x87(seed, image);
        memcpy(image + 24, &mxcsr, 4);
        for (unsigned i = 0; i < ORACLE_X87_SIZE; i += ORACLE_PATCH_SIZE) {
            add_patch(c, c->target + i, image + i, ORACLE_PATCH_SIZE);
        }
        if (exec_is(row, "sys:sys_xrstor")) {
            patch_xsave_header(c, seed);
        }
        return;
    }
    add_patch(c, c->target, bytes, size);
}

static void patch_stack(struct oracle_case *c, uint64_t *seed)
{
    uint64_t values[2] = { oracle_integer(seed), oracle_integer(seed) };
    if (exec_is(c->row, "ret")) {
        values[0] &= 0x7fffffff;
    } else if (exec_is(c->row, "sys:sys_popf")) {
        values[0] &= ~(uint64_t)(FLAG_AC | FLAG_TF); /* both would end in this process, not the case */
    } else {
        return;
    }
    add_patch(c, c->in.gpr[RSP], values, 16);
}

/* Indirect branches through a register need a place the host can name. */
static void fix_branch_register(struct oracle_case *c, const struct encoding *e, uint64_t *seed)
{
    bool branches = exec_is(c->row, "call_indirect") || exec_is(c->row, "jmp_indirect");
    unsigned rm = (e->modrm & 7u) + (e->rex & 1 ? 8 : 0);
    if (branches && !is_memory(c, e) && rm != RSP) {
        c->in.gpr[rm] = oracle_random(seed) & 0x7fffffff;
    }
}

static void narrow_state(struct oracle_case *c)
{
    for (unsigned i = 0; i < 16; i++) {
        c->in.gpr[i] = i < 8 ? (uint32_t)c->in.gpr[i] : 0;
        if (i >= 8) {
            c->in.xmm[i] = c->in.ymm_high[i] = (union xmm){ .u64 = { 0, 0 } };
        }
    }
}

static void generate(struct oracle_case *c, unsigned row_index, bool mode32, uint64_t *seed)
{
    struct encoding e = { .base = 16, .index = 16 };
    c->row_index = row_index;
    c->row = &x86_rows[row_index];
    c->mode32 = mode32;
    choose_prefixes(c, &e, seed);
    choose_opcode(c, &e, seed);
    choose_modrm(c, &e, seed);
    special_state(c, seed);

    bool memory = is_memory(c, &e), offset = has_kind(c->row, KIND_O);
    unsigned size = memory_size(c);
    if (memory || offset) {
        c->has_target = true;
        c->target = choose_target(c, size ? size : 8, needs_alignment(c->row, size), seed);
    }
    if (memory && (c->row->traits & TRAIT_LOCK) && oracle_chance(seed, 25)) {
        c->has_lock = true;
        e.prefixes[e.prefix_count++] = 0xf0;
    }
    if (memory && !mode32 && oracle_chance(seed, 8)) {
        e.prefixes[e.prefix_count++] = 0x65;
    }
    bool canonical = c->target >> 32 == 0;
    if (!mode32 && (memory || is_string(c->row)) && canonical && oracle_chance(seed, 8)) {
        e.prefixes[e.prefix_count++] = 0x67;
        e.address32 = true;
    }
    e.has_rex = !c->row->vex && (e.rex != 0 || (!mode32 && oracle_chance(seed, 15)));
    if (mode32) {
        narrow_state(c);
    }
    if (memory) {
        choose_address(c, &e, seed);
        if (e.base != 16 && e.base >= 8) {
            e.has_rex = true;
        }
        if (e.index != 16 && e.index >= 8) {
            e.has_rex = true;
        }
    }
    choose_immediates(c, &e, seed);
    if (c->row->vex) { /* two bytes where they suffice */
        bool low = (e.base < 8 || e.base == 16) && (e.index < 8 || e.index == 16) && !(e.rex & 0xb);
        e.vex_bytes = low && c->row->map == 1 && oracle_chance(seed, 60) ? 2 : 3;
    }
    if (memory) {
        unsigned before = e.prefix_count + (e.vex_bytes ? e.vex_bytes : e.has_rex) + e.opcode_count + 1 + e.has_sib;
        encode_address(c, &e, before, e.imm_count);
    }
    fix_branch_register(c, &e, seed);
    if (c->has_target) {
        patch_operand(c, size, seed);
    }
    patch_stack(c, seed);
    assemble(c, &e);
}

void oracle_generate(struct oracle_case *c, unsigned row_index, bool mode32, uint64_t *seed)
{
    memset(c, 0, sizeof *c);
    random_state(c, seed);
    generate(c, row_index, mode32, seed);
}

void oracle_generate_at(struct oracle_case *c, unsigned row_index, bool mode32, uint64_t at, uint64_t *seed)
{
    memset(c, 0, sizeof *c);
    random_state(c, seed);
    c->sequence = true;
    c->in.rip = at;
    generate(c, row_index, mode32, seed);
    c->sequence = false;
}
