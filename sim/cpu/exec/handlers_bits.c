/* POPCNT, LZCNT, BMI1, BMI2, ADX, MOVBE, CRC32: the one source of every tier.
 *
 * Operands are slots: dst, src (the r/m operand, or temp), and in `index` the register that VEX.vvvv names. */
#include "sim/cpu/exec/handler.h"

#define VALUE(f, bits) zero_extend(get(REG(f), bits), bits)

/* --- counts ---------------------------------------------------------------------- */

#define POPCNT(name, bits) OP(name##_##bits) {                                \
        uint64_t v = VALUE(src, bits);                                        \
        put_r(REG(dst), __builtin_popcountll(v), bits);                       \
        flags_set_raw(c, v ? 0 : FLAG_Z);                                     \
        NEXT; }
WORDS(POPCNT, popcnt)

#define tzcnt_of(v, bits) ((v) ? __builtin_ctzll(v) : (bits))
#define lzcnt_of(v, bits) ((v) ? __builtin_clzll(v) - (64 - (bits)) : (bits))
#define COUNT_ZEROS(name, bits) OP(name##_##bits) {                           \
        uint64_t v = VALUE(src, bits);                                        \
        int n = name##_of(v, bits);                                           \
        put_r(REG(dst), n, bits);                                             \
        flags_set_raw(c, (v ? 0 : FLAG_C) | (n ? 0 : FLAG_Z));                \
        NEXT; }
WORDS(COUNT_ZEROS, tzcnt)
WORDS(COUNT_ZEROS, lzcnt)

/* --- what leaves the flags alone ----------------------------------------------------- */

INLINE int64_t reversed(int64_t v, int bits)
{
    return bits == 16 ? __builtin_bswap16((uint16_t)v) : bits == 32 ? (int32_t)__builtin_bswap32((uint32_t)v)
                                                                    : (int64_t)__builtin_bswap64((uint64_t)v);
}
#define MOVBE(name, bits) OP(name##_##bits) { put_r(REG(dst), reversed(get(REG(src), bits), bits), bits); NEXT; }
WORDS(MOVBE, movbe)

/* CRC-32C, reflected: what the polynomial 0x11EDC6F41 leaves of four bits. */
#define CRC_BIT(v) ((v) >> 1 ^ (0x82f63b78u & (0u - ((v) & 1u))))
#define CRC_4(v) CRC_BIT(CRC_BIT(CRC_BIT(CRC_BIT(v))))
static const uint32_t crc_table[16] = {
    CRC_4(0u), CRC_4(1u), CRC_4(2u), CRC_4(3u), CRC_4(4u), CRC_4(5u), CRC_4(6u), CRC_4(7u),
    CRC_4(8u), CRC_4(9u), CRC_4(10u), CRC_4(11u), CRC_4(12u), CRC_4(13u), CRC_4(14u), CRC_4(15u),
};
INLINE uint32_t crc32c(uint32_t crc, uint64_t data, int bits)
{
    uint64_t rest = data ^ crc; /* bits of 'crc' beyond a short operand stay for the end */
    for (int i = 0; i < bits; i += 4) {
        rest = rest >> 4 ^ crc_table[rest & 15];
    }
    return (uint32_t)rest;
}
#define CRC32(name, bits) OP(name##_##bits) {                                 \
        REG64(dst) = crc32c((uint32_t)REG64(dst), VALUE(src, bits), bits);    \
        NEXT; }
WIDTHS(CRC32, crc32)

/* The low half first: when both destinations are one register the high half stays. */
#define MULX(name, bits) OP(name##_##bits) {                                  \
        unsigned __int128 full = (unsigned __int128)zero_extend((int64_t)c->gpr[RDX], bits) * VALUE(src, bits); \
        put_r(REG(index), (int64_t)full, bits);                               \
        put_r(REG(dst), (int64_t)(full >> bits), bits);                       \
        NEXT; }
GENERAL(MULX, mulx)

INLINE uint64_t pdep_of(uint64_t v, uint64_t mask)
{
    uint64_t result = 0;
    for (; mask; mask &= mask - 1, v >>= 1) {
        result |= v & 1 ? mask & (0 - mask) : 0;
    }
    return result;
}
INLINE uint64_t pext_of(uint64_t v, uint64_t mask)
{
    uint64_t result = 0;
    for (unsigned i = 0; mask; mask &= mask - 1, i++) {
        result |= (uint64_t)((v & mask & (0 - mask)) != 0) << i;
    }
    return result;
}
#define SCATTER(name, bits) OP(name##_##bits) {                               \
        put_r(REG(dst), (int64_t)name##_of(VALUE(index, bits), VALUE(src, bits)), bits); \
        NEXT; }
GENERAL(SCATTER, pdep)
GENERAL(SCATTER, pext)

#define RORX(name, bits) OP(name##_##bits) {                                  \
        uint64_t v = VALUE(src, bits);                                        \
        unsigned by = (unsigned)FIELD(imm) & (bits - 1);                      \
        put_r(REG(dst), (int64_t)(by ? v >> by | v << (bits - by) : v), bits); \
        NEXT; }
GENERAL(RORX, rorx)

#define shlx_of(v, by, bits) (int64_t)((uint64_t)(v) << (by))
#define shrx_of(v, by, bits) (int64_t)(zero_extend(v, bits) >> (by))
#define sarx_of(v, by, bits) ((v) >> (by))
#define SHIFT_BY_REGISTER(name, bits) OP(name##_##bits) {                     \
        unsigned by = (unsigned)REG64(index) & (bits - 1);                    \
        put_r(REG(dst), name##_of(get(REG(src), bits), by, bits), bits);      \
        NEXT; }
GENERAL(SHIFT_BY_REGISTER, sarx)
GENERAL(SHIFT_BY_REGISTER, shlx)
GENERAL(SHIFT_BY_REGISTER, shrx)

/* --- what sets them ------------------------------------------------------------------- */

#define ANDN(name, bits) OP(name##_##bits) {                                  \
        int64_t result = ~get(REG(index), bits) & get(REG(src), bits);        \
        put_r(REG(dst), set_flags(c, CC_LOGIC, bits, result, 0), bits);       \
        NEXT; }
GENERAL(ANDN, andn)

/* The low bits 'count' of v; all of them when there are more. */
INLINE uint64_t low_bits(uint64_t v, unsigned count)
{
    return count < 64 ? v & ((1ull << count) - 1) : v;
}

#define BEXTR(name, bits) OP(name##_##bits) {                                 \
        uint64_t control = REG64(index);                                      \
        unsigned start = control & 0xff, length = control >> 8 & 0xff;        \
        uint64_t v = start < bits ? low_bits(VALUE(src, bits) >> start, length) : 0; \
        put_r(REG(dst), set_flags(c, CC_LOGIC, bits, sign_extend((int64_t)v, bits), 0), bits); \
        NEXT; }
GENERAL(BEXTR, bextr)

INLINE void set_result_flags(struct cpu *c, int64_t result, bool carry)
{
    flags_set_raw(c, (carry ? FLAG_C : 0) | (result == 0 ? FLAG_Z : 0) | (result < 0 ? FLAG_S : 0));
}

#define blsi_of(v) ((v) & (0 - (v)))
#define blsmsk_of(v) ((v) ^ ((v) - 1))
#define blsr_of(v) ((v) & ((v) - 1))
#define blsi_carry(v) ((v) != 0)
#define blsmsk_carry(v) ((v) == 0)
#define blsr_carry(v) ((v) == 0)
#define LOWEST_BIT(name, bits) OP(name##_##bits) {                            \
        uint64_t v = VALUE(src, bits);                                        \
        int64_t result = sign_extend((int64_t)name##_of(v), bits);            \
        put_r(REG(dst), result, bits);                                        \
        set_result_flags(c, result, name##_carry(v));                         \
        NEXT; }
GENERAL(LOWEST_BIT, blsi)
GENERAL(LOWEST_BIT, blsmsk)
GENERAL(LOWEST_BIT, blsr)

#define BZHI(name, bits) OP(name##_##bits) {                                  \
        unsigned from = REG64(index) & 0xff;                                  \
        int64_t result = sign_extend((int64_t)low_bits(VALUE(src, bits), from), bits); \
        put_r(REG(dst), result, bits);                                        \
        set_result_flags(c, result, from > bits - 1);                         \
        NEXT; }
GENERAL(BZHI, bzhi)

/* An addition with one flag as carry in and out; the others stay. */
#define ADD_WITH(name, flag, bits) OP(name##_##bits) {                        \
        uint64_t flags = flags_now(c);                                        \
        unsigned __int128 sum = (unsigned __int128)VALUE(dst, bits) + VALUE(src, bits) + ((flags & (flag)) != 0); \
        put_r(REG(dst), (int64_t)sum, bits);                                  \
        flags_set_raw(c, (flags & ~(uint64_t)(flag)) | (sum >> bits ? (flag) : 0)); \
        NEXT; }
ADD_WITH(adcx, FLAG_C, 32) ADD_WITH(adcx, FLAG_C, 64)
ADD_WITH(adox, FLAG_O, 32) ADD_WITH(adox, FLAG_O, 64)
