/* Cases in segments: 16- and 32-bit code, limits to the byte, expand-down, read-only, absent.
 *
 * The code segments start at ORACLE_CODE, the data segments in or before ORACLE_DATA.  Registers hold offsets
 * close to where something ends, so that about half of the accesses fault.
 */
#include <string.h>

#include "sim/cpu/decode/decode.h"
#include "tests/oracle/oracle.h"

enum { E_CODE32, E_CODE16, E_CODE32_PRIVATE, E_CODE16_WHOLE, E_DATA32, E_SMALL, E_DOWN32, E_DOWN16, E_READ_ONLY, E_STACK16,
       E_ABSENT, E_PAGE, E_ABSENT_CODE, E_ABSENT_CONFORMING, E_WHOLE };
enum { CODE = 2, CONFORMING = 3, DOWN = 1, CODE_LIMIT = 0x7fff };

const struct oracle_ldt_entry oracle_ldt[ORACLE_LDT_ENTRIES] = {
    [E_CODE32] = { .base = ORACLE_CODE, .limit = CODE_LIMIT, .big = true, .contents = CODE },
    [E_CODE16] = { .base = ORACLE_CODE, .limit = CODE_LIMIT, .contents = CODE },
    [E_CODE32_PRIVATE] = { .base = ORACLE_CODE, .limit = 7, .big = true, .pages = true, .contents = CODE, .read_exec_only = true },
    [E_CODE16_WHOLE] = { .base = ORACLE_CODE, .limit = 0xffff, .contents = CODE },
    [E_DATA32] = { .base = ORACLE_DATA, .limit = 0x17ff, .big = true },
    [E_SMALL] = { .base = ORACLE_DATA + 0xff0, .limit = 0x3f, .big = true },
    [E_DOWN32] = { .base = ORACLE_DATA, .limit = 0xfff, .big = true, .contents = DOWN },
    [E_DOWN16] = { .base = ORACLE_DATA - 0xe000, .limit = 0xe7ff, .contents = DOWN },
    [E_READ_ONLY] = { .base = ORACLE_DATA, .limit = 0x1fff, .big = true, .read_exec_only = true },
    [E_STACK16] = { .base = ORACLE_DATA, .limit = 0x1fff },
    [E_ABSENT] = { .base = ORACLE_DATA, .limit = 0x1fff, .big = true, .absent = true },
    [E_PAGE] = { .base = ORACLE_DATA + 0x1000, .limit = 0, .big = true, .pages = true },
    [E_ABSENT_CODE] = { .base = ORACLE_CODE, .limit = CODE_LIMIT, .big = true, .contents = CODE, .absent = true },
    [E_ABSENT_CONFORMING] = { .base = ORACLE_CODE, .limit = CODE_LIMIT, .contents = CONFORMING, .absent = true },
    [E_WHOLE] = { .base = ORACLE_DATA - 0xf000, .limit = 0xffff },
};

/* As Linux makes it: DPL 3, accessed. */
uint64_t oracle_ldt_descriptor(unsigned index)
{
    if (index >= ORACLE_LDT_ENTRIES) {
        return 0;
    }
    const struct oracle_ldt_entry *e = &oracle_ldt[index];
    uint64_t type = 1 | (e->read_exec_only ? 0u : 2u) | (uint64_t)e->contents << 2;
    uint64_t rights = type | 1 << 4 | 3 << 5 | (e->absent ? 0 : 1 << 7);
    return (e->limit & 0xffff) | (uint64_t)(e->base & 0xffffff) << 16 | rights << 40 | (uint64_t)(e->limit >> 16 & 0xf) << 48 |
           (uint64_t)e->big << 54 | (uint64_t)e->pages << 55 | (uint64_t)(e->base >> 24) << 56;
}

static uint16_t in_ldt(unsigned index)
{
    return (uint16_t)(index << 3 | 7);
}

static unsigned pick(uint64_t *seed, unsigned n)
{
    return (unsigned)(oracle_random(seed) % n);
}

/* --- instructions ------------------------------------------------------------------ */

enum { MEMORY = 1, REGISTER = 2, ANY = 3, IMM8 = 4, IMMZ = 8, IMM16 = 16, FAR = 32, MOFFS = 64, REPEAT = 128, RANGE8 = 256 };

/* Opcode bytes, the digit of ModRM or -1, and what follows. */
static const struct form { uint8_t size, byte[3]; int digit; unsigned what; } forms[] = {
    { 1, { 0x8a }, -1, MEMORY }, { 1, { 0x8b }, -1, MEMORY }, { 1, { 0x88 }, -1, MEMORY }, { 1, { 0x89 }, -1, MEMORY },
    { 1, { 0x01 }, -1, MEMORY }, { 1, { 0x13 }, -1, MEMORY }, { 1, { 0x39 }, -1, MEMORY }, { 1, { 0x84 }, -1, MEMORY },
    { 1, { 0x87 }, -1, MEMORY }, { 1, { 0xfe }, 0, MEMORY }, { 1, { 0xff }, 1, MEMORY }, { 1, { 0xf7 }, 3, MEMORY },
    { 1, { 0xc6 }, 0, MEMORY | IMM8 }, { 1, { 0xc7 }, 0, MEMORY | IMMZ }, { 1, { 0x83 }, 5, MEMORY | IMM8 },
    { 2, { 0x0f, 0xb6 }, -1, MEMORY }, { 2, { 0x0f, 0xbf }, -1, MEMORY }, { 2, { 0x0f, 0xaf }, -1, MEMORY },
    { 2, { 0x0f, 0xab }, -1, MEMORY }, { 2, { 0x0f, 0xba }, 7, MEMORY | IMM8 }, { 2, { 0x0f, 0xc7 }, 1, MEMORY },
    { 2, { 0x0f, 0x10 }, -1, MEMORY }, { 2, { 0x0f, 0x11 }, -1, MEMORY }, { 2, { 0x0f, 0xc1 }, -1, MEMORY },
    { 1, { 0x8d }, -1, MEMORY }, { 1, { 0xa0 }, -2, MOFFS }, { 1, { 0xa3 }, -2, MOFFS }, { 1, { 0xd7 }, -2, 0 },
    /* the stack */
    { 1, { 0x50 }, -2, RANGE8 }, { 1, { 0x58 }, -2, RANGE8 }, { 1, { 0x60 }, -2, 0 }, { 1, { 0x61 }, -2, 0 },
    { 1, { 0x68 }, -2, IMMZ }, { 1, { 0x6a }, -2, IMM8 }, { 1, { 0xff }, 6, ANY }, { 1, { 0x8f }, 0, ANY },
    { 1, { 0xc8 }, -2, IMM16 | IMM8 }, { 1, { 0xc9 }, -2, 0 },
    { 1, { 0x06 }, -2, 0 }, { 1, { 0x0e }, -2, 0 }, { 1, { 0x16 }, -2, 0 }, { 1, { 0x1e }, -2, 0 }, { 2, { 0x0f, 0xa8 }, -2, 0 },
    /* transfers */
    { 1, { 0xe8 }, -2, IMMZ }, { 1, { 0xe9 }, -2, IMMZ }, { 1, { 0xeb }, -2, IMM8 }, { 1, { 0x70 }, -2, RANGE8 | IMM8 },
    { 1, { 0x78 }, -2, RANGE8 | IMM8 }, { 2, { 0x0f, 0x80 }, -2, RANGE8 | IMMZ }, { 1, { 0xe0 }, -2, IMM8 },
    { 1, { 0xe1 }, -2, IMM8 }, { 1, { 0xe2 }, -2, IMM8 }, { 1, { 0xe3 }, -2, IMM8 }, { 1, { 0xff }, 2, ANY }, { 1, { 0xff }, 4, ANY },
    { 1, { 0xc3 }, -2, 0 }, { 1, { 0xc2 }, -2, IMM16 }, { 1, { 0x9a }, -2, FAR }, { 1, { 0xea }, -2, FAR },
    { 1, { 0xff }, 3, MEMORY }, { 1, { 0xff }, 5, MEMORY }, { 1, { 0xcb }, -2, 0 }, { 1, { 0xca }, -2, IMM16 },
    { 1, { 0x62 }, -1, MEMORY },
    /* strings */
    { 1, { 0xa4 }, -2, REPEAT }, { 1, { 0xa5 }, -2, REPEAT }, { 1, { 0xa6 }, -2, REPEAT }, { 1, { 0xa7 }, -2, REPEAT },
    { 1, { 0xaa }, -2, REPEAT }, { 1, { 0xab }, -2, REPEAT }, { 1, { 0xac }, -2, REPEAT }, { 1, { 0xad }, -2, REPEAT },
    { 1, { 0xae }, -2, REPEAT }, { 1, { 0xaf }, -2, REPEAT },
    /* segments */
    { 1, { 0x8e }, 0, ANY }, { 1, { 0x8e }, 3, ANY }, { 1, { 0x8e }, 5, ANY }, { 1, { 0x8e }, 1, REGISTER },
    { 1, { 0x8c }, 0, ANY }, { 1, { 0x8c }, 2, ANY }, { 1, { 0x07 }, -2, 0 }, { 1, { 0x1f }, -2, 0 }, { 2, { 0x0f, 0xa9 }, -2, 0 },
    { 1, { 0xc4 }, -1, MEMORY }, { 1, { 0xc5 }, -1, MEMORY }, { 2, { 0x0f, 0xb2 }, -1, MEMORY }, { 2, { 0x0f, 0xb5 }, -1, MEMORY },
    { 2, { 0x0f, 0x00 }, 4, ANY }, { 2, { 0x0f, 0x00 }, 5, ANY }, { 2, { 0x0f, 0x02 }, -1, ANY }, { 2, { 0x0f, 0x03 }, -1, ANY },
    { 1, { 0x63 }, -1, ANY },
};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* --- values --------------------------------------------------------------------------- */

/* Offsets where a segment, a page or a number ends. */
static uint32_t edge(uint64_t *seed)
{
    static const uint32_t at[] = { 0, 0x40, 0x800, 0xff0, 0x1000, 0x1800, 0x2000, 0x3000, 0x8000, 0xe800, 0xf000, 0x10000, 0x11000 };
    uint32_t value = at[pick(seed, sizeof at / sizeof at[0])] + pick(seed, 40) - 20;

    if (oracle_chance(seed, 15)) {
        value = pick(seed, 0x2000);
    }
    if ((value & 0xfffc) == 0x78) {
        value += 8; /* Linux's own selector for the processor number */
    }
    return oracle_chance(seed, 20) ? value | (uint32_t)oracle_random(seed) << 16 : value;
}

static uint16_t selector(uint64_t *seed)
{
    if (oracle_chance(seed, 12)) {
        static const uint16_t odd[] = { 0, 3, ORACLE_LDT_ENTRIES << 3 | 7, 0xffff, 0x1000 };
        return odd[pick(seed, sizeof odd / sizeof odd[0])];
    }
    return (uint16_t)(in_ldt(pick(seed, ORACLE_LDT_ENTRIES)) - (oracle_chance(seed, 20) ? pick(seed, 4) : 0));
}

static uint32_t code_offset(uint64_t *seed)
{
    static const uint32_t at[] = { 0, 0x1000, 0x4000, CODE_LIMIT + 1, 0x10000 };
    return at[pick(seed, 5)] + pick(seed, 32) - 16;
}

/* Pointers, so that what is popped or loaded from memory sometimes makes sense. */
static void plant(struct oracle_case *c, uint64_t *seed)
{
    while (c->patches < 16) {
        struct oracle_patch *p = &c->patch[c->patches++];
        bool wide = oracle_chance(seed, 50);
        uint32_t offset = code_offset(seed);
        uint16_t s = selector(seed);
        p->address = ORACLE_DATA + (edge(seed) & 0x1fff) % (ORACLE_DATA_RW - 8);
        p->size = wide ? 6 : 4;
        memcpy(p->bytes, &offset, 4);
        memcpy(p->bytes + (wide ? 4 : 2), &s, 2);
    }
}

/* --- one case --------------------------------------------------------------------------- */

static void put(struct oracle_case *c, uint64_t value, unsigned size)
{
    memcpy(c->code + c->length, &value, size);
    c->length += size;
}

static void put_modrm(struct oracle_case *c, const struct form *f, bool address16, uint64_t *seed)
{
    bool is_register = !(f->what & MEMORY) || (f->what & REGISTER && oracle_chance(seed, 30));
    unsigned mod = is_register ? 3 : pick(seed, 3), rm = pick(seed, 8);
    unsigned reg = f->digit < 0 ? pick(seed, 8) : (unsigned)f->digit;

    put(c, mod << 6 | reg << 3 | rm, 1);
    if (mod == 3) {
        return;
    }
    if (!address16 && rm == 4) {
        unsigned sib = pick(seed, 256);
        put(c, sib, 1);
        if ((sib & 7) == 5 && mod == 0) {
            put(c, edge(seed), 4);
        }
    }
    if (mod == 0 && rm == (address16 ? 6u : 5u)) {
        put(c, edge(seed), address16 ? 2 : 4);
    } else if (mod) {
        put(c, mod == 1 ? pick(seed, 16) - 8 : edge(seed) - 0x1000, mod == 1 ? 1 : address16 ? 2 : 4);
    }
}

static void put_immediates(struct oracle_case *c, const struct form *f, bool operand16, bool address16, uint64_t *seed)
{
    if (f->what & MOFFS) {
        put(c, edge(seed), address16 ? 2 : 4);
    }
    if (f->what & FAR) {
        put(c, code_offset(seed), operand16 ? 2 : 4);
        put(c, selector(seed), 2);
    }
    if (f->what & IMM16) {
        put(c, pick(seed, 64), 2);
    }
    if (f->what & IMMZ) {
        put(c, code_offset(seed) - (uint32_t)c->in.rip, operand16 ? 2 : 4);
    }
    if (f->what & IMM8) {
        put(c, oracle_random(seed), 1);
    }
}

static void put_instruction(struct oracle_case *c, bool code16, uint64_t *seed)
{
    static const uint8_t override[] = { 0x26, 0x2e, 0x36, 0x3e, 0x65 };
    const struct form *f = &forms[pick(seed, FORMS)];
    bool operand = oracle_chance(seed, 30), address = oracle_chance(seed, 30);

    if (operand) {
        put(c, 0x66, 1);
    }
    if (address) {
        put(c, 0x67, 1);
    }
    if (oracle_chance(seed, 30)) {
        put(c, override[pick(seed, 5)], 1);
    }
    if (f->what & REPEAT && oracle_chance(seed, 60)) {
        put(c, 0xf2 + pick(seed, 2), 1);
        c->in.gpr[RCX] = pick(seed, 100);
    }
    put(c, f->byte[0] | (f->byte[1] ? (unsigned)f->byte[1] << 8 : 0), f->size);
    if (f->what & RANGE8) {
        c->code[c->length - 1] |= (uint8_t)pick(seed, 8);
    }
    if (f->digit > -2) {
        put_modrm(c, f, code16 != address, seed);
    }
    put_immediates(c, f, code16 != operand, code16 != address, seed);
}

void oracle_generate_segmented(struct oracle_case *c, uint64_t *seed)
{
    static const uint8_t stacks[] = { E_DATA32, E_SMALL, E_DOWN32, E_DOWN16, E_STACK16, E_PAGE, E_WHOLE };
    static const uint8_t data[] = { E_DATA32, E_SMALL, E_DOWN32, E_DOWN16, E_STACK16, E_PAGE, E_WHOLE, E_READ_ONLY, E_CODE32 };
    static const uint8_t codes[] = { E_CODE32, E_CODE16, E_CODE32_PRIVATE, E_CODE16_WHOLE };
    unsigned code = codes[pick(seed, 4)];
    struct decoded d;

    *c = (struct oracle_case){ .mode32 = true, .segmented = true };
    memset(c->code, 0x90, sizeof c->code);
    for (unsigned i = 0; i < 8; i++) {
        c->in.gpr[i] = edge(seed);
    }
    c->in.gpr[RCX] = oracle_chance(seed, 70) ? pick(seed, 20) : c->in.gpr[RCX];
    c->in.gpr[RAX] = oracle_chance(seed, 50) ? selector(seed) : c->in.gpr[RAX];
    c->in.rflags = 0x202 | (oracle_random(seed) & (FLAG_STATUS | FLAG_DF));
    c->in.mxcsr = 0x1f80;
    oracle_x87_initial(c->in.x87);
    for (unsigned i = ES; i <= GS; i++) {
        c->selector[i] = oracle_chance(seed, 5) ? 0 : in_ldt(data[pick(seed, sizeof data)]);
    }
    c->selector[CS] = in_ldt(code);
    c->selector[SS] = in_ldt(stacks[pick(seed, sizeof stacks)]);
    c->selector[FS] = 0;
    c->in.rip = oracle_chance(seed, 50) ? 0x100 + pick(seed, 0x100) : (pick(seed, 2) ? 0x8000 : 0x2000) - pick(seed, 16) - 1;
    plant(c, seed);
    put_instruction(c, code == E_CODE16 || code == E_CODE16_WHOLE, seed);
    uint32_t mode = MODE_PROT | MODE_LMA | (code == E_CODE16 || code == E_CODE16_WHOLE ? 0 : MODE_CODE32) | MODE_SSE_OK | MODE_X87_OK;
    if (decode_insn(mode, c->code, c->length, &d) == DECODE_OK) {
        c->row = d.row;
        c->row_index = (unsigned)(d.row - x86_rows);
        c->opsize = d.sys.operand_size;
    }
}
