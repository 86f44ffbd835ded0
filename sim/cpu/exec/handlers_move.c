/* Moves, addresses, stack: the one source of every tier. */
#include "sim/cpu/exec/handler.h"

#define MOVE(name, d, s, mem, bits) OP(name##_##d##s##_##bits) { \
        void *to = PLACE_##d(write, bits);                       \
        put_##d(to, VALUE_##s(bits), bits);                      \
        NEXT; }
MOVE_OPS(MOVE)

#define UNSIGN_movz(value, bits) (value & (int64_t)(~0ull >> (64 - bits)))
#define UNSIGN_movs(value, bits) value
#define EXTEND(name, s, mem, from, to) OP(name##to##_##s##_##from) { \
        int64_t value = VALUE_##s(from);                              \
        put_r(REG(dst), UNSIGN_##name(value, from), to);              \
        NEXT; }
EXTEND_OPS(EXTEND)

#define LEA(s, bits) OP(lea_##s##_##bits) { put_r(REG(dst), (int64_t)ADDRESS_##s, bits); NEXT; }
LEA_OPS(LEA)

/* First part of a read-modify-write: temp = memory, and a store would succeed. */
#define LOAD_FOR_WRITE(name, p, mem, bits) OP(name##_##p##_##bits) { \
        c->temp = (uint64_t)get(HOST(write, ADDRESS_##p, bits / 8), bits); \
        NEXT; }
LOAD_OPS(LOAD_FOR_WRITE)

OP(movabs) { REG64(dst) = (uint64_t)FIELD(imm); NEXT; }
OP(cwd_16) { put_r(&c->gpr[RDX], get(&c->gpr[RAX], 16) >> 15, 16); NEXT; }
OP(cwd_32) { put_r(&c->gpr[RDX], get(&c->gpr[RAX], 32) >> 31, 32); NEXT; }
OP(cwd_64) { put_r(&c->gpr[RDX], get(&c->gpr[RAX], 64) >> 63, 64); NEXT; }
OP(bswap_32) { REG64(dst) = __builtin_bswap32((uint32_t)REG64(dst)); NEXT; }
OP(bswap_64) { REG64(dst) = __builtin_bswap64(REG64(dst)); NEXT; }

/* --- addresses into cpu->addr ---------------------------------------------------- */

OP(ea_flat) { c->addr = ADDRESS_x; NEXT; }
OP(ea_flat32) { c->addr = (uint32_t)ADDRESS_x; NEXT; }
OP(ea_seg) { c->addr = c->seg[r->segment].base + ADDRESS_x; NEXT; }
OP(ea_seg32) { c->addr = c->seg[r->segment].base + (uint32_t)ADDRESS_x; NEXT; }

/* Segments with limits: the next record knows size and kind of the access. */
OP(ea_check)
{
    uint64_t ea = FIELD(dst) == 2 ? (uint16_t)ADDRESS_x : (uint32_t)ADDRESS_x;
    if (core_segment(c, r, ea) != EXEC_OK)
        FAULT;
    NEXT;
}

/* A bit string reaches beyond its first operand: 'src' is the bit number. */
#define EA_BIT(bits, shift) OP(ea_bit_##bits) { \
        c->addr += (uint64_t)(get(REG(src), bits) >> shift) * (bits / 8); \
        NEXT; }
EA_BIT(16, 4) EA_BIT(32, 5) EA_BIT(64, 6)

/* --- the 64-bit stack --------------------------------------------------------------- */

OP(push_r)
{
    s64 *top = HOST(write, c->gpr[RSP] - 8, 8);
    *top = (int64_t)REG64(src);
    c->gpr[RSP] -= 8;
    NEXT;
}

OP(push_i)
{
    s64 *top = HOST(write, c->gpr[RSP] - 8, 8);
    *top = FIELD(imm);
    c->gpr[RSP] -= 8;
    NEXT;
}

OP(push16_r)
{
    s16 *top = HOST(write, c->gpr[RSP] - 2, 2);
    *top = (int16_t)REG64(src);
    c->gpr[RSP] -= 2;
    NEXT;
}

OP(push16_i)
{
    s16 *top = HOST(write, c->gpr[RSP] - 2, 2);
    *top = (int16_t)FIELD(imm);
    c->gpr[RSP] -= 2;
    NEXT;
}

OP(pop_r)
{
    s64 *top = HOST(read, c->gpr[RSP], 8);
    c->gpr[RSP] += 8;
    REG64(dst) = (uint64_t)*top;
    NEXT;
}

OP(pop16_r)
{
    s16 *top = HOST(read, c->gpr[RSP], 2);
    c->gpr[RSP] += 2;
    put_m(REG(dst), *top, 16);
    NEXT;
}

/* POP to memory: the value first, rsp last. */
OP(peek) { c->temp = (uint64_t)*(s64 *)HOST(read, c->gpr[RSP], 8); NEXT; }
OP(peek16) { c->temp = (uint64_t)*(s16 *)HOST(read, c->gpr[RSP], 2); NEXT; }

OP(leave)
{
    s64 *top = HOST(read, c->gpr[RBP], 8);
    c->gpr[RSP] = c->gpr[RBP] + 8;
    c->gpr[RBP] = (uint64_t)*top;
    NEXT;
}
