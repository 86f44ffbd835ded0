/* What an instruction is: prefixes, row, operands, length. */
#include "sim/cpu/decode/decode.h"

#include <string.h>

struct reader {
    const uint8_t *bytes;
    unsigned size, at;   /* [bytes] */
    bool short_of;       /* asked beyond the end */
};

static uint64_t take(struct reader *in, unsigned bytes)
{
    uint64_t value = 0;

    if (in->at + bytes > in->size) {
        in->short_of = true;
        return 0;
    }
    memcpy(&value, in->bytes + in->at, bytes);
    in->at += bytes;
    return value;
}

static uint64_t take_signed(struct reader *in, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;
    return (uint64_t)((int64_t)(take(in, bytes) << shift) >> shift);
}

/* --- prefixes ----------------------------------------------------------------- */

struct prefixes {
    bool size, address, lock;
    uint8_t repeat;          /* F2, F3 or 0: the last one counts */
    int segment;             /* [ES..GS], or -1 */
    uint8_t rex;
    uint8_t vex;             /* [enum row_vex]: VEX_NONE, VEX_128 or VEX_256 */
    uint8_t vex_prefix;      /* VEX.pp [enum row_prefix] */
    uint8_t map, vvvv;       /* VEX.mmmmm; VEX.vvvv, 1s' complement undone */
};

static bool take_prefix(struct prefixes *p, uint8_t byte, bool long64)
{
    static const uint8_t segment_byte[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

    for (unsigned s = 0; s < 6; s++) {
        if (byte == segment_byte[s]) {
            if (!long64 || s >= FS) { /* the others are ignored in 64-bit mode */
                p->segment = (int)s;
            }
            return true;
        }
    }
    switch (byte) {
    case 0x66: p->size = true; return true;
    case 0x67: p->address = true; return true;
    case 0xf0: p->lock = true; return true;
    case 0xf2: case 0xf3: p->repeat = byte; return true;
    default: return false;
    }
}

static void take_prefixes(struct reader *in, struct prefixes *p, bool long64)
{
    p->segment = -1;
    while (in->at < in->size && in->at < 15) {
        uint8_t byte = in->bytes[in->at];
        if (take_prefix(p, byte, long64)) {
            p->rex = 0; /* REX counts only right before the opcode */
        } else if (long64 && (byte & 0xf0) == 0x40) {
            p->rex = byte;
        } else {
            return;
        }
        in->at++;
    }
}

/* C4 and C5 where they are no LES or LDS: SDM Vol 2 "The VEX Prefix". */
static bool is_vex(const struct reader *in, uint32_t mode)
{
    if (in->at >= in->size || (in->bytes[in->at] & 0xfe) != 0xc4 || mode & MODE_V86 || !(mode & MODE_PROT)) {
        return false;
    }
    return mode & MODE_LONG64 || (in->at + 1 < in->size && in->bytes[in->at + 1] >= 0xc0);
}

/* False: #UD. */
static bool take_vex(struct reader *in, struct prefixes *p, bool long64)
{
    static const uint8_t prefix[] = { PREFIX_NP, PREFIX_66, PREFIX_F3, PREFIX_F2 };

    if (p->rex || p->size || p->repeat || p->lock) {
        return false;
    }
    bool three = take(in, 1) == 0xc4;
    uint8_t first = (uint8_t)take(in, 1), last = three ? (uint8_t)take(in, 1) : first;
    p->map = three ? first & 31 : 1;
    p->rex = (uint8_t)(0x40 | (~first >> 5 & (three ? 7 : 4)) | (three ? last >> 4 & 8 : 0));
    p->vvvv = ~last >> 3 & 15;
    p->vex = last & 4 ? VEX_256 : VEX_128;
    p->vex_prefix = prefix[last & 3];
    if (!long64) { /* eight registers */
        p->rex &= 0x48;
    }
    return p->map >= 1 && p->map <= 3;
}

static uint8_t mandatory_prefix(const struct prefixes *p)
{
    if (p->vex) {
        return p->vex_prefix;
    }
    return p->repeat == 0xf3 ? PREFIX_F3 : p->repeat == 0xf2 ? PREFIX_F2 : p->size ? PREFIX_66 : PREFIX_NP;
}

/* --- the row --------------------------------------------------------------------- */

static bool has_kinds(const struct x86_row *row, uint32_t kinds)
{
    for (unsigned i = 0; i < 4; i++) {
        if (kinds >> row->operand[i].kind & 1) {
            return true;
        }
    }
    return false;
}

static bool takes_vvvv(const struct x86_row *row)
{
    return has_kinds(row, 1u << KIND_H | 1u << KIND_B);
}

/* Outside 64-bit mode VEX.W does not widen general registers. */
static bool row_is_wide(const struct x86_row *row, const struct prefixes *p, bool long64)
{
    bool general = p->vex && has_kinds(row, 1u << KIND_E | 1u << KIND_G | 1u << KIND_B | 1u << KIND_R);
    return p->rex & 8 && (long64 || !general);
}

static bool vex_fits(const struct x86_row *row, const struct prefixes *p)
{
    return (row->vex == VEX_ANY || row->vex == p->vex) && (takes_vvvv(row) || p->vvvv == 0);
}

/* What the row asks of the model.  A row it lacks does not exist, so that F3 0F BD is BSR without LZCNT. */
static bool is_offered(const struct x86_row *row, const struct cpu_features *features)
{
    return !features || cpu_features_has(features, (enum cpu_feature)row->feature);
}

static bool row_fits(const struct x86_row *row, const struct prefixes *p, bool long64, const uint8_t *modrm)
{
    unsigned traits = row->traits;

    if (p->vex && !vex_fits(row, p)) {
        return false;
    }
    if (row->op == OP_PAUSE && p->rex & 1) {
        return false; /* REX.B makes it XCHG with R8, F3 or not */
    }
    if ((row->prefix != PREFIX_ANY && row->prefix != mandatory_prefix(p)) ||
        (traits & TRAIT_O64 && !long64) || (traits & TRAIT_I64 && long64) ||
        (traits & TRAIT_W0 && row_is_wide(row, p, long64)) || (traits & TRAIT_W1 && !row_is_wide(row, p, long64))) {
        return false;
    }
    if (!row->has_modrm) {
        return true;
    }
    if (!modrm) {
        return true; /* the caller notices that a byte is missing */
    }
    bool is_register = *modrm >> 6 == 3;
    if (traits & TRAIT_VSIB && (*modrm & 7) != RSP) {
        return false;
    }
    return (row->digit < 0 || (*modrm >> 3 & 7) == row->digit) && (row->modrm < 0 || *modrm == row->modrm) &&
           (row->mod == MOD_ANY || (row->mod == MOD_REGISTER) == is_register);
}

static const struct x86_row *find_row(struct reader *in, const struct cpu_features *features, const struct prefixes *p, bool long64,
                                      uint8_t *opcode)
{
    unsigned map = p->vex ? p->map + X86_MAP_VEX : 0;

    *opcode = (uint8_t)take(in, 1);
    if (!p->vex && *opcode == 0x0f) {
        map = 1;
        *opcode = (uint8_t)take(in, 1);
        if (*opcode == 0x38 || *opcode == 0x3a) {
            map = *opcode == 0x38 ? 2 : 3;
            *opcode = (uint8_t)take(in, 1);
        }
    }
    if (in->short_of) {
        return NULL;
    }
    const uint8_t *modrm = in->at < in->size ? in->bytes + in->at : NULL;
    const struct x86_candidate_list *list = &x86_index[map][*opcode];
    for (unsigned i = 0; i < list->count; i++) {
        const struct x86_row *row = &x86_rows[x86_candidates[list->first + i]];
        if (is_offered(row, features) && row_fits(row, p, long64, modrm)) {
            return row;
        }
    }
    return NULL;
}

/* --- ModRM and SIB ---------------------------------------------------------------- */

/* 16-bit forms: "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_address16(struct reader *in, struct sys_insn *s, unsigned mod, unsigned low)
{
    static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
    static const uint8_t index[8] = { RSI, RDI, RSI, RDI, 0xff, 0xff, 0xff, 0xff };

    s->base = base[low];
    s->index = index[low];
    if (mod == 0 && low == 6) {
        s->base = 0xff;
        s->disp = (int16_t)take(in, 2);
    } else if (mod) {
        s->disp = mod == 1 ? (int32_t)take_signed(in, 1) : (int16_t)take(in, 2);
    }
}

static void take_address(struct reader *in, struct decoded *d, unsigned mod, unsigned low, bool long64)
{
    struct sys_insn *s = &d->sys;

    s->base = (uint8_t)(low | (s->rex & 1) << 3);
    if (low == RSP) {
        uint8_t sib = (uint8_t)take(in, 1);
        unsigned index = (sib >> 3 & 7u) | (s->rex & 2u) << 2;
        d->has_sib = true;
        s->scale = sib >> 6;
        s->index = index == RSP && !(d->row->traits & TRAIT_VSIB) ? 0xff : (uint8_t)index;
        s->base = (uint8_t)((sib & 7) | (s->rex & 1) << 3);
        if ((sib & 7) == RBP && mod == 0) {
            s->base = 0xff;
            s->disp = (int32_t)take(in, 4);
        }
    } else if (low == RBP && mod == 0) {
        s->base = 0xff;
        d->rip_relative = long64;
        s->disp = (int32_t)take(in, 4);
    }
    if (mod == 1 || mod == 2) {
        s->disp = (int32_t)take_signed(in, mod == 1 ? 1 : 4);
    }
}

static void take_modrm(struct reader *in, struct decoded *d, bool long64)
{
    struct sys_insn *s = &d->sys;

    s->modrm = (uint8_t)take(in, 1);
    if (d->row->operand[0].kind == KIND_C || d->row->operand[0].kind == KIND_D ||
        d->row->operand[1].kind == KIND_C || d->row->operand[1].kind == KIND_D) {
        s->modrm |= 0xc0; /* "MOV-Move to/from Control Registers": mod is ignored */
    }
    unsigned mod = s->modrm >> 6, low = s->modrm & 7;
    s->reg = (uint8_t)((s->modrm >> 3 & 7) | (s->rex & 4) << 1);
    s->rm = (uint8_t)(low | (s->rex & 1) << 3);
    if (mod == 3) {
        return;
    }
    if (s->address_size == 2) {
        take_address16(in, s, mod, low);
    } else {
        take_address(in, d, mod, low, long64);
    }
    if (!d->segment_override) {
        s->segment = s->base == RSP || s->base == RBP ? SS : DS;
    }
}

/* --- sizes and immediates ------------------------------------------------------------ */

static unsigned size_of_v(const struct x86_row *row, const struct prefixes *p, uint32_t mode)
{
    bool narrow = p->size && row->prefix != PREFIX_66;

    if (!(mode & MODE_LONG64)) {
        return (mode & MODE_CODE32 ? !narrow : narrow) ? 4 : 2;
    }
    if (row->traits & TRAIT_F64) {
        return 8;
    }
    if (p->rex & 8) {
        return 8;
    }
    return narrow ? 2 : row->traits & TRAIT_D64 ? 8 : 4;
}

/* Size of an operand [bytes] when 'v' means 'v'. */
static unsigned operand_bytes(unsigned kind, unsigned size, unsigned v, const struct prefixes *p, uint32_t mode)
{
    if (kind == KIND_I || kind == KIND_J) {
        return v; /* what is pushed or added to rIP, whatever is encoded */
    }
    if (kind == KIND_FIXED) {
        return size == FIX_AL || size == FIX_b || size == FIX_CL ? 1 : v;
    }
    if (kind == KIND_J || kind == KIND_I) { /* a short displacement or immediate does not shorten the operation */
        return v;
    }
    switch (size) {
    case SIZE_b: return 1;
    case SIZE_w: return 2;
    case SIZE_d: return 4;
    case SIZE_q: return 8;
    case SIZE_dq: return 16;
    case SIZE_qq: return 32;
    case SIZE_x: return p->vex == VEX_256 ? 32 : 16;
    case SIZE_y: return p->rex & 8 ? 8 : 4;
    case SIZE_r: return mode & MODE_LONG64 ? 8 : 4;
    default: return v;
    }
}

/* Of what goes through the port; there are no 8-byte ports. */
static unsigned io_bytes(const struct x86_row *row, unsigned v)
{
    for (unsigned i = 0; i < 2; i++) {
        if (row->operand[i].kind == KIND_FIXED && (row->operand[i].size == FIX_AL || row->operand[i].size == FIX_b)) {
            return 1;
        }
    }
    return v > 4 ? 4 : v;
}

static void take_immediate(struct reader *in, struct decoded *d, unsigned kind, unsigned size, unsigned v, bool first)
{
    struct sys_insn *s = &d->sys;
    unsigned z = v == 2 ? 2 : 4;

    if (kind == KIND_A) {
        uint64_t offset = take(in, z);
        s->imm = take(in, 2) << 32 | offset;
    } else if (kind == KIND_O) {
        s->imm = take(in, s->address_size);
    } else if (kind == KIND_L) {
        s->imm = take(in, 1);
    } else if (!first) {
        d->imm2 = take(in, 1);
    } else if (size == SIZE_w) {
        s->imm = take(in, 2);
    } else {
        s->imm = take_signed(in, size == SIZE_b ? 1 : size == SIZE_v ? v : z);
    }
}

static void take_immediates(struct reader *in, struct decoded *d, unsigned v)
{
    bool first = true;

    for (unsigned i = 0; i < 4; i++) {
        unsigned kind = d->row->operand[i].kind;
        if (kind == KIND_I || kind == KIND_J || kind == KIND_O || kind == KIND_A || kind == KIND_L) {
            take_immediate(in, d, kind, d->row->operand[i].size, v, first);
            first = false;
        }
    }
}

static bool lock_allowed(const struct decoded *d)
{
    return d->row->traits & TRAIT_LOCK && d->row->has_modrm && d->sys.modrm >> 6 != 3;
}

/* AMD's other name of CR8, for code that has no REX prefix: LOCK MOV CR0 (APM Vol 3 "MOV CRn"). */
static bool names_cr8(const struct cpu_features *features, struct decoded *d)
{
    bool moves_cr = d->row->operand[0].kind == KIND_C || d->row->operand[1].kind == KIND_C;

    if (!moves_cr || d->sys.reg != 0 || !features || !cpu_features_has(features, CPU_CR8_LEGACY)) {
        return false;
    }
    d->sys.reg = 8;
    return true;
}

static void describe(struct decoded *d, const struct prefixes *p, uint32_t mode, uint8_t opcode)
{
    bool wide = mode & (MODE_LONG64 | MODE_CODE32);

    d->prefix = mandatory_prefix(p);
    d->segment_override = p->segment >= 0;
    d->sys = (struct sys_insn){
        .op = d->row->op, .rex = p->rex, .opcode = opcode, .base = 0xff, .index = 0xff,
        .segment = (uint8_t)(p->segment >= 0 ? p->segment : DS),
        .vvvv = mode & MODE_LONG64 ? p->vvvv : p->vvvv & 7, .vex256 = p->vex == VEX_256,
        .rep = p->repeat == 0xf3, .repne = p->repeat == 0xf2, .lock = p->lock,
        .address_size = mode & MODE_LONG64 ? (p->address ? 4 : 8) : (wide ? !p->address : p->address) ? 4 : 2,
    };
    if (!d->row->has_modrm) { /* a register in the opcode */
        d->sys.rm = (uint8_t)((opcode & 7) | (p->rex & 1) << 3);
    }
}

/* More bytes would not help when there were fifteen. */
static enum decode_status incomplete(unsigned size)
{
    return size >= 15 ? DECODE_LONG : DECODE_MORE;
}

enum decode_status decode_insn(uint32_t mode, const uint8_t *bytes, unsigned size, struct decoded *d)
{
    return decode_insn_with(NULL, mode, bytes, size, d);
}

enum decode_status decode_insn_with(const struct cpu_features *features, uint32_t mode, const uint8_t *bytes, unsigned size,
                                    struct decoded *d)
{
    struct reader in = { .bytes = bytes, .size = size < 15 ? size : 15 };
    struct prefixes p = { 0 };
    bool long64 = mode & MODE_LONG64;
    uint8_t opcode;

    *d = (struct decoded){ 0 };
    take_prefixes(&in, &p, long64);
    if (is_vex(&in, mode) && !take_vex(&in, &p, long64)) {
        return in.short_of ? incomplete(size) : DECODE_UD;
    }
    d->row = find_row(&in, features, &p, long64, &opcode);
    if (!d->row && !in.short_of) {
        return DECODE_UD;
    }
    if (d->row) {
        if (p.vex && !row_is_wide(d->row, &p, long64)) {
            p.rex &= ~8;
        }
        unsigned v = size_of_v(d->row, &p, mode);
        describe(d, &p, mode, opcode);
        if (d->row->traits & TRAIT_VSIB && d->sys.address_size == 2) {
            return DECODE_UD;
        }
        if (d->row->has_modrm) {
            take_modrm(&in, d, long64);
        }
        take_immediates(&in, d, v);
        d->sys.operand_size = (uint8_t)operand_bytes(d->row->operand[0].kind, d->row->operand[0].size, v, &p, mode);
        if (d->row->timing == TIMING_IO) {
            d->sys.operand_size = (uint8_t)io_bytes(d->row, v);
        }
    }
    if (in.short_of) {
        return incomplete(size);
    }
    d->sys.length = (uint8_t)in.at;
    return p.lock && !lock_allowed(d) && !names_cr8(features, d) ? DECODE_UD : DECODE_OK;
}
