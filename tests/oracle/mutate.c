/* Odd but possible encodings: one more prefix, other REX bits, a cut-off or
 * repeated byte.  What the bytes then mean is for the decoder to say; whether
 * it is right, for the host. */
#include <string.h>

#include "sim/cpu/decode/decode.h"
#include "sim/debug/disasm.h"
#include "tests/oracle/oracle.h"

static void insert_byte(struct oracle_case *c, unsigned at, uint8_t byte)
{
    memmove(c->code + at + 1, c->code + at, ORACLE_CODE_MAX - at - 1);
    c->code[at] = byte;
    c->length += c->length < ORACLE_CODE_MAX;
}

static bool is_prefix(const struct oracle_case *c, uint8_t b)
{
    return strchr("\xf0\xf2\xf3\x66\x67\x2e\x36\x3e\x26\x64\x65", b) || (!c->mode32 && (b & 0xf0) == 0x40);
}

static bool has_prefix(const struct oracle_case *c, uint8_t wanted)
{
    for (unsigned i = 0; i < c->length && c->code[i] && is_prefix(c, c->code[i]); i++) {
        if (c->code[i] == wanted) {
            return true;
        }
    }
    return false;
}

static void change(struct oracle_case *c, uint64_t *seed)
{
    static const uint8_t prefixes[] = { 0xf0, 0xf2, 0xf3, 0x66, 0x67, 0x2e, 0x3e, 0x65, 0x26, 0x36 };
    unsigned at = 0;
    while (at < c->length && c->code[at] && is_prefix(c, c->code[at])) {
        at++;
    }
    if (c->row && c->row->vex && oracle_chance(seed, 40)) {
        unsigned from = at + 1, count = c->code[at] == 0xc4 ? 3 : 2; /* the rest of VEX, and the opcode */
        c->code[from + oracle_random(seed) % count] ^= (uint8_t)(1 << oracle_random(seed) % 8);
        return;
    }
    switch (oracle_random(seed) % 4) {
    case 0:
        if (!c->mode32) { /* REX, perhaps not the last prefix */
            insert_byte(c, oracle_random(seed) % (at + 1), 0x40 | (oracle_random(seed) & 15));
            break;
        } /* fall through */
    default:
        insert_byte(c, oracle_random(seed) % (at + 1), prefixes[oracle_random(seed) % sizeof prefixes]);
    }
}

/* Opmasks, VNNI, GFNI and the 256-bit forms of AES and PCLMULQDQ: this Capstone does not know them all.  VPERMQ and
 * VPERMPD: AMD's processors ignore their VEX.W. */
static const struct { uint8_t map, first, last; } vex_only[] = {
    { 1, 0x41, 0x4b }, { 1, 0x90, 0x99 }, { 2, 0x50, 0x53 }, { 2, 0xcf, 0xcf }, { 2, 0xdc, 0xdf },
    { 3, 0x00, 0x01 }, { 3, 0x30, 0x33 }, { 3, 0x44, 0x44 }, { 3, 0xce, 0xcf },
};

static bool in_range(uint8_t value, uint8_t first, uint8_t last)
{
    return value >= first && value <= last;
}

/* Extensions that the host has and our processor does not: nothing to compare. */
static bool host_knows_more(const struct oracle_case *c, const struct decoded *d, bool ours)
{
    char text[256];
    if (ours) {
        bool counts_zeros = d->row->op == OP_BSF || d->row->op == OP_BSR;
        return counts_zeros && has_prefix(c, 0xf3);
    }
    const uint8_t *vex = memchr(c->code, 0xc4, c->length), *vex2 = memchr(c->code, 0xc5, c->length);
    for (unsigned i = 0; i < sizeof vex_only / sizeof vex_only[0]; i++) {
        bool same3 = vex && (vex[1] & 31) == vex_only[i].map && in_range(vex[3], vex_only[i].first, vex_only[i].last);
        bool same2 = vex2 && vex_only[i].map == 1 && in_range(vex2[2], vex_only[i].first, vex_only[i].last);
        if (same2 || same3) {
            return true;
        }
    }
    /* What Capstone can name and we cannot may well run there. */
    return disasm_once(c->mode32 ? 32 : 64, 0, c->code, 15, text, sizeof text) != 0 && !has_prefix(c, 0xf0);
}

bool oracle_mutate(struct oracle_case *c, uint64_t *seed)
{
    struct decoded d;
    uint32_t mode = MODE_PROT | MODE_FLAT | MODE_SSE_OK | (c->mode32 ? MODE_CODE32 : MODE_LONG64 | MODE_LMA);

    if (c->row && (!strncmp(c->row->exec, "sys:sys_fx", 10) || !strncmp(c->row->exec, "sys:sys_x", 9))) {
        return false; /* its image is compared where the case says */
    }
    change(c, seed);
    enum decode_status status = decode_insn(mode, c->code, c->length, &d);
    if (status == DECODE_MORE) {
        return false;
    }
    bool ours = status == DECODE_OK;
    if (host_knows_more(c, &d, ours)) {
        return false;
    }
    if (!ours) {
        c->row = NULL;
        return status == DECODE_UD;
    }
    if (oracle_row_exempt(d.row, c->mode32) || (d.row != c->row && !strncmp(d.row->exec, "sys", 3)) ||
        (!c->mode32 && (d.row->traits & TRAIT_F64) && has_prefix(c, 0x66)) ||
        (d.row->op == OP_BSWAP && has_prefix(c, 0x66)) ||
        ((d.row->op == OP_LOOPE || d.row->op == OP_LOOPNE) && (has_prefix(c, 0xf2) || has_prefix(c, 0xf3)))) {
        /* reserved combinations: 66 with near branches and BSWAP, F2 and F3 with LOOPE */
        return false;
    }
    c->row = d.row;
    c->row_index = (unsigned)(d.row - x86_rows);
    c->imm = d.sys.imm;
    c->length = d.sys.length;
    if (d.row->operand[0].size != SIZE_b) {
        c->opsize = d.sys.operand_size;
    }
    return true;
}
