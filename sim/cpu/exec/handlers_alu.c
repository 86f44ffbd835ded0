/* Integer arithmetic, logic, shifts, multiplication, bits: the one source of every tier. */
#include "sim/cpu/exec/handler.h"

/* --- results: flags set, result returned ---------------------------------- */

#define RESULT(name) INLINE int64_t do_##name(struct cpu *c, int64_t a, int64_t b, int bits)
#define WRAP(a, op, b) ((int64_t)((uint64_t)(a) op (uint64_t)(b)))

RESULT(add) { return set_flags(c, CC_ADD, bits, sign_extend(WRAP(a, +, b), bits), b); }
RESULT(or) { return set_flags(c, CC_LOGIC, bits, a | b, 0); }
RESULT(and) { return set_flags(c, CC_LOGIC, bits, a & b, 0); }
RESULT(xor) { return set_flags(c, CC_LOGIC, bits, a ^ b, 0); }
RESULT(sub) { set_flags(c, CC_SUB, bits, a, b); return WRAP(a, -, b); }
RESULT(cmp) { return set_flags(c, CC_SUB, bits, a, b); }
RESULT(test) { return set_flags(c, CC_LOGIC, bits, a & b, 0); }
RESULT(quiet_add) { (void)c, (void)bits; return WRAP(a, +, b); }
RESULT(quiet_or) { (void)c, (void)bits; return a | b; }
RESULT(quiet_and) { (void)c, (void)bits; return a & b; }
RESULT(quiet_xor) { (void)c, (void)bits; return a ^ b; }
RESULT(quiet_sub) { (void)c, (void)bits; return WRAP(a, -, b); }
/* Shifts get count - 1 and keep the value one step before the end: it holds the carry. */
RESULT(quiet_shl) { (void)c, (void)bits; return (int64_t)((uint64_t)a << b << 1); }
RESULT(quiet_shr) { (void)c; return (int64_t)(zero_extend(a, bits) >> b >> 1); }
RESULT(quiet_sar) { (void)c, (void)bits; return a >> b >> 1; }
RESULT(shl)
{
    a = sign_extend((int64_t)((uint64_t)a << b), bits);
    return set_flags(c, CC_SHL, bits, sign_extend(WRAP(a, *, 2), bits), a);
}
RESULT(sar)
{
    a >>= b;
    return set_flags(c, CC_SAR, bits, a >> 1, a);
}
RESULT(shr)
{
    uint64_t before = zero_extend(a, bits) >> b;
    return set_flags(c, CC_SHR, bits, sign_extend((int64_t)(before >> 1), bits), (int64_t)before);
}
RESULT(adc)
{
    bool carry = flags_carry(c);
    return set_flags(c, carry ? CC_ADC : CC_ADD, bits, sign_extend(WRAP(WRAP(a, +, b), +, carry), bits), b);
}
RESULT(sbb)
{
    bool borrow = flags_carry(c);
    set_flags(c, borrow ? CC_SBB : CC_SUB, bits, a, b);
    return WRAP(WRAP(a, -, b), -, borrow);
}
RESULT(inc) { (void)b; return set_flags(c, CC_INC, bits, sign_extend(WRAP(a, +, 1), bits), (int64_t)flags_carry(c)); }
RESULT(dec) { (void)b; return set_flags(c, CC_DEC, bits, sign_extend(WRAP(a, -, 1), bits), (int64_t)flags_carry(c)); }
RESULT(neg) { (void)b; set_flags(c, CC_SUB, bits, 0, a); return WRAP(0, -, a); }
RESULT(not) { (void)b; (void)c; (void)bits; return ~a; }
RESULT(imul)
{
    __int128 full = (__int128)a * b;
    int64_t low = sign_extend((int64_t)full, bits);
    return set_flags(c, CC_MUL, bits, low, WRAP(low, +, full != low));
}

/* --- binary forms ------------------------------------------------------------ */

#define ALU(name, d, s, mem, bits) OP(name##_##d##s##_##bits) { \
        void *to = PLACE_##d(write, bits);                      \
        int64_t b = VALUE_##s(bits);                            \
        put_##d(to, do_##name(c, get(to, bits), b, bits), bits); \
        NEXT; }
ALU_OPS(ALU)
QUIET_ALU_OPS(ALU)
CARRY_OPS(ALU)

#define COMPARE(name, d, s, mem, bits) OP(name##_##d##s##_##bits) { \
        void *to = PLACE_##d(read, bits);                           \
        int64_t b = VALUE_##s(bits);                                \
        do_##name(c, get(to, bits), b, bits);                       \
        NEXT; }
COMPARE_OPS(COMPARE)

#define FACTOR_2(bits) get(REG(dst), bits)
#define FACTOR_3(bits) FIELD(imm)
#define MULTIPLY(name, s, mem, bits, operands) OP(name##operands##_##s##_##bits) { \
        int64_t b = VALUE_##s(bits);                                               \
        put_r(REG(dst), do_imul(c, FACTOR_##operands(bits), b, bits), bits);       \
        NEXT; }
MULTIPLY_OPS(MULTIPLY)

/* --- unary and immediate-count forms ------------------------------------------ */

#define UNARY(name, bits) OP(name##_##bits) { \
        put_r(REG(dst), do_##name(c, get(REG(dst), bits), FIELD(imm), bits), bits); \
        NEXT; }
SHIFT_OPS(UNARY)
QUIET_SHIFT_OPS(UNARY)

#define PLACED(name, p, mem, bits) OP(name##_##p##_##bits) { \
        void *to = PLACE_##p(write, bits);                   \
        put_##p(to, do_##name(c, get(to, bits), 0, bits), bits); \
        NEXT; }
NEGATE_OPS(PLACED)
UNARY_OPS(PLACED)

/* Rotates change CF and OF alone.  OF: for a rotate left, MSB ^ CF of the
 * result; right, the two top bits of the result (any count; defined for 1). */
INLINE void set_carry_overflow(struct cpu *c, bool carry, bool over)
{
    flags_set_raw(c, (flags_now(c) & ~(uint64_t)(FLAG_C | FLAG_O)) | (carry ? FLAG_C : 0) | (over ? FLAG_O : 0));
}

INLINE int64_t rotate_left(struct cpu *c, int64_t a, unsigned count, int bits)
{
    uint64_t v = zero_extend(a, bits);
    unsigned n = count % (unsigned)bits;
    v = n ? v << n | v >> ((unsigned)bits - n) : v;
    set_carry_overflow(c, v & 1, (v >> (bits - 1) & 1) ^ (v & 1));
    return (int64_t)v;
}

INLINE int64_t rotate_right(struct cpu *c, int64_t a, unsigned count, int bits)
{
    uint64_t v = zero_extend(a, bits);
    unsigned n = count % (unsigned)bits;
    v = n ? v >> n | v << ((unsigned)bits - n) : v;
    bool top = v >> (bits - 1) & 1;
    set_carry_overflow(c, top, top ^ (v >> (bits - 2) & 1));
    return (int64_t)v;
}

/* --- counts in a register ------------------------------------------------------ */

/* Through carry: a (bits + 1)-bit rotate; n = 1 ... bits. */
INLINE int64_t rotate_carry_left(struct cpu *c, int64_t a, unsigned count, int bits)
{
    unsigned __int128 whole = (unsigned __int128)(flags_carry(c) & 1) << bits | zero_extend(a, bits);
    unsigned n = count % (unsigned)(bits + 1);
    if (n) {
        unsigned __int128 mask = ((unsigned __int128)1 << (bits + 1)) - 1;
        whole = (whole << n | whole >> ((unsigned)bits + 1 - n)) & mask;
    }
    bool carry = whole >> bits & 1;
    set_carry_overflow(c, carry, (bool)(whole >> (bits - 1) & 1) ^ carry);
    return (int64_t)(uint64_t)whole;
}

INLINE int64_t rotate_carry_right(struct cpu *c, int64_t a, unsigned count, int bits)
{
    unsigned __int128 whole = (unsigned __int128)(flags_carry(c) & 1) << bits | zero_extend(a, bits);
    unsigned n = count % (unsigned)(bits + 1);
    if (n) {
        unsigned __int128 mask = ((unsigned __int128)1 << (bits + 1)) - 1;
        whole = (whole >> n | whole << ((unsigned)bits + 1 - n)) & mask;
    }
    set_carry_overflow(c, whole >> bits & 1, (whole >> (bits - 1) & 1) ^ (whole >> (bits - 2) & 1));
    return (int64_t)(uint64_t)whole;
}

#define BY_ONE_LESS(name, a, n, bits) do_##name(c, a, (int64_t)(n) - 1, bits)
#define shl_by(a, n, bits) BY_ONE_LESS(shl, a, n, bits)
#define shr_by(a, n, bits) BY_ONE_LESS(shr, a, n, bits)
#define sar_by(a, n, bits) BY_ONE_LESS(sar, a, n, bits)
#define rol_by(a, n, bits) rotate_left(c, a, n, bits)
#define ror_by(a, n, bits) rotate_right(c, a, n, bits)
#define rcl_by(a, n, bits) rotate_carry_left(c, a, n, bits)
#define rcr_by(a, n, bits) rotate_carry_right(c, a, n, bits)

#define ROTATE(name, bits) OP(name##_##bits) { /* imm: count, not 0 */ \
        put_r(REG(dst), name##_by(get(REG(dst), bits), (unsigned)FIELD(imm), bits), bits); \
        NEXT; }
ROTATE_OPS(ROTATE)

/* A count of 0 changes no flag, but still writes the register (a 32-bit one loses its upper half). */
#define VARIABLE(name, bits) OP(name##_v_##bits) {                            \
        unsigned count = *(uint8_t *)REG(src) & (bits == 64 ? 63 : 31);       \
        int64_t a = get(REG(dst), bits);                                      \
        put_r(REG(dst), count ? name##_by(a, count, bits) : a, bits);         \
        NEXT; }
VARIABLE_OPS(VARIABLE)

/* Double shifts: 'index' is the slot of the count.  For 16 bits a count above
 * 16 is undefined; ours shifts in the pattern dst:src:dst. */
INLINE int64_t shift_double_left(struct cpu *c, int64_t a, int64_t b, unsigned n, int bits)
{
    unsigned __int128 whole = (unsigned __int128)zero_extend(a, bits) << bits | zero_extend(b, bits);
    if (bits == 16) {
        whole = whole << 16 | zero_extend(a, bits);
        unsigned __int128 before = whole << (n - 1);
        int64_t last = sign_extend((int64_t)(before >> 32), 16);
        return set_flags(c, CC_SHL, bits, sign_extend((int64_t)(before >> 31), 16), last);
    }
    int64_t last = sign_extend((int64_t)(whole << (n - 1) >> bits), bits);
    return set_flags(c, CC_SHL, bits, sign_extend((int64_t)(whole << (n - 1) >> (bits - 1)), bits), last);
}

/* The flags of a right double shift: CF the last bit out, OF a change of sign in the last step. */
INLINE int64_t shift_double_right(struct cpu *c, int64_t a, int64_t b, unsigned n, int bits)
{
    unsigned __int128 whole = (unsigned __int128)zero_extend(b, bits) << bits | zero_extend(a, bits);
    if (bits == 16)
        whole |= (unsigned __int128)zero_extend(a, bits) << 32;
    unsigned __int128 before = whole >> (n - 1);
    int64_t result = sign_extend((int64_t)(before >> 1), bits);
    set_flags(c, CC_LOGIC, bits, result, 0);
    bool carry = before & 1, over = (before >> (bits - 1) ^ before >> bits) & 1;
    flags_set_raw(c, flags_now(c) | (carry ? FLAG_C : 0) | (over ? FLAG_O : 0));
    return result;
}

#define shld_by shift_double_left
#define shrd_by shift_double_right
#define DOUBLE(name, bits) OP(name##_##bits) {                                \
        unsigned count = *(uint8_t *)REG(index) & (bits == 64 ? 63 : 31);     \
        int64_t a = get(REG(dst), bits);                                      \
        put_r(REG(dst), count ? name##_by(c, a, get(REG(src), bits), count, bits) : a, bits); \
        NEXT; }
DOUBLE_OPS(DOUBLE)

/* --- multiplication and division with rDX:rAX ----------------------------------- */

INLINE void put_wide(struct cpu *c, unsigned __int128 value, int bits)
{
    if (bits == 8) {
        put_r(&c->gpr[RAX], (int64_t)value, 16);
    } else {
        put_r(&c->gpr[RAX], (int64_t)value, bits);
        put_r(&c->gpr[RDX], (int64_t)(value >> bits), bits);
    }
}

INLINE unsigned __int128 get_wide(const struct cpu *c, int bits)
{
    if (bits == 8)
        return (uint16_t)c->gpr[RAX];
    return (unsigned __int128)zero_extend((int64_t)c->gpr[RDX], bits) << bits | zero_extend((int64_t)c->gpr[RAX], bits);
}

#define WIDE_MUL(bits) OP(mul1_##bits) {                                      \
        unsigned __int128 full = (unsigned __int128)zero_extend((int64_t)c->gpr[RAX], bits) * zero_extend(get(REG(src), bits), bits); \
        int64_t low = sign_extend((int64_t)full, bits);                       \
        set_flags(c, CC_MUL, bits, low, WRAP(low, +, (full >> bits) != 0));   \
        put_wide(c, full, bits);                                              \
        NEXT; }                                                               \
    OP(imul1_##bits) {                                                        \
        __int128 full = (__int128)get(&c->gpr[RAX], bits) * get(REG(src), bits); \
        int64_t low = sign_extend((int64_t)full, bits);                       \
        set_flags(c, CC_MUL, bits, low, WRAP(low, +, full != low));           \
        put_wide(c, (unsigned __int128)full, bits);                           \
        NEXT; }
WIDE_MUL(8) WIDE_MUL(16) WIDE_MUL(32) WIDE_MUL(64)

INLINE void put_division(struct cpu *c, int64_t quotient, int64_t remainder, int bits)
{
    if (bits == 8) {
        put_r(&c->gpr[RAX], (quotient & 0xff) | remainder << 8, 16);
    } else {
        put_r(&c->gpr[RAX], quotient, bits);
        put_r(&c->gpr[RDX], remainder, bits);
    }
}

/* Quotient and remainder; false: #DE.  64-bit arithmetic wherever it is enough. */
INLINE bool divide(struct cpu *c, uint64_t by, int bits, int64_t *quotient, int64_t *remainder)
{
    unsigned __int128 value = get_wide(c, bits);
    if (by == 0 || (value >> bits) >= by)
        return false;
    if (value >> 64 == 0) {
        *quotient = (int64_t)((uint64_t)value / by);
        *remainder = (int64_t)((uint64_t)value % by);
    } else {
        *quotient = (int64_t)(value / by);
        *remainder = (int64_t)(value % by);
    }
    return true;
}

INLINE bool divide_signed(struct cpu *c, int64_t by, int bits, int64_t *quotient, int64_t *remainder)
{
    __int128 value = (__int128)(get_wide(c, bits) << (128 - 2 * bits)) >> (128 - 2 * bits);
    __int128 least = (__int128)((unsigned __int128)1 << 127);
    if (by == 0 || (by == -1 && value == least))
        return false;
    bool narrow = value == (int64_t)value && value != INT64_MIN;
    __int128 q = narrow ? (__int128)((int64_t)value / by) : value / by;
    *quotient = (int64_t)q;
    *remainder = (int64_t)(value - q * by);
    return q == sign_extend((int64_t)q, bits);
}

#define WIDE_DIV(bits) OP(div1_##bits) {                                      \
        int64_t quotient, remainder;                                          \
        if (!divide(c, zero_extend(get(REG(src), bits), bits), bits, &quotient, &remainder)) { \
            cpu_raise(c, X_DE);                                               \
            FAULT;                                                            \
        }                                                                     \
        put_division(c, quotient, remainder, bits);                           \
        NEXT; }                                                               \
    OP(idiv1_##bits) {                                                        \
        int64_t quotient, remainder;                                          \
        if (!divide_signed(c, get(REG(src), bits), bits, &quotient, &remainder)) { \
            cpu_raise(c, X_DE);                                               \
            FAULT;                                                            \
        }                                                                     \
        put_division(c, quotient, remainder, bits);                           \
        NEXT; }
WIDE_DIV(8) WIDE_DIV(16) WIDE_DIV(32) WIDE_DIV(64)

/* --- bits ------------------------------------------------------------------------ */

/* CF = the bit; the other flags are unchanged (the manual: ZF unchanged, the rest undefined). */
#define bt_of(v, m) (v)
#define bts_of(v, m) ((v) | (m))
#define btr_of(v, m) ((v) & ~(m))
#define btc_of(v, m) ((v) ^ (m))
#define BIT(name, bits) OP(name##_##bits) {                                   \
        unsigned n = (unsigned)get(REG(src), bits) & (bits - 1);              \
        uint64_t v = zero_extend(get(REG(dst), bits), bits), mask = 1ull << n; \
        flags_set_raw(c, (flags_now(c) & ~(uint64_t)FLAG_C) | (v >> n & 1));  \
        put_r(REG(dst), (int64_t)name##_of(v, mask), bits);                   \
        NEXT; }
WORDS(BIT, bts)
WORDS(BIT, btr)
WORDS(BIT, btc)
#define BIT_TEST(name, bits) OP(name##_##bits) {                              \
        unsigned n = (unsigned)get(REG(src), bits) & (bits - 1);              \
        flags_set_raw(c, (flags_now(c) & ~(uint64_t)FLAG_C) | (zero_extend(get(REG(dst), bits), bits) >> n & 1)); \
        NEXT; }
WORDS(BIT_TEST, bt)

/* A zero source leaves the destination as it is (AMD documents it; Intel does it), even its upper half. */
#define bsf_of(v) __builtin_ctzll(v)
#define bsr_of(v) (63 - __builtin_clzll(v))
#define SCAN(name, bits) OP(name##_##bits) {                                  \
        uint64_t v = zero_extend(get(REG(src), bits), bits);                  \
        if (v) {                                                              \
            put_r(REG(dst), name##_of(v), bits);                              \
            flags_set_raw(c, flags_now(c) & ~(uint64_t)FLAG_Z);               \
        } else {                                                              \
            flags_set_raw(c, flags_now(c) | FLAG_Z);                          \
        }                                                                     \
        NEXT; }
WORDS(SCAN, bsf)
WORDS(SCAN, bsr)

/* --- exchanges on registers and temp ---------------------------------------------- */

#define EXCHANGE(name, bits) OP(name##_##bits) {                              \
        int64_t a = get(REG(dst), bits), b = get(REG(src), bits);             \
        put_r(REG(src), a, bits);                                             \
        put_r(REG(dst), b, bits);                                             \
        NEXT; }
WIDTHS(EXCHANGE, xchg)

#define EXCHANGE_ADD(name, bits) OP(name##_##bits) {                          \
        int64_t a = get(REG(dst), bits), sum = do_add(c, a, get(REG(src), bits), bits); \
        put_r(REG(src), a, bits);                                             \
        put_r(REG(dst), sum, bits);                                           \
        NEXT; }
WIDTHS(EXCHANGE_ADD, xadd)

/* When unequal the destination keeps its value (a register its upper half, too), and rAX takes it. */
#define EXCHANGE_COMPARE(name, bits) OP(name##_##bits) {                      \
        int64_t a = get(&c->gpr[RAX], bits), d = get(REG(dst), bits);         \
        set_flags(c, CC_SUB, bits, a, d);                                     \
        if (a == d) {                                                         \
            put_r(REG(dst), get(REG(src), bits), bits);                       \
        } else {                                                              \
            put_r(&c->gpr[RAX], d, bits);                                     \
        }                                                                     \
        NEXT; }
WIDTHS(EXCHANGE_COMPARE, cmpxchg)

INLINE void set_zero_flag(struct cpu *c, bool zero)
{
    flags_set_raw(c, (flags_now(c) & ~(uint64_t)FLAG_Z) | (zero ? FLAG_Z : 0));
}

OP(cmpxchg8b)
{
    s64 *at = HOST(write, ADDRESS_m, 8);
    uint64_t value = (uint64_t)*at, expected = c->gpr[RDX] << 32 | (uint32_t)c->gpr[RAX];
    set_zero_flag(c, value == expected);
    if (value == expected) {
        *at = (int64_t)(c->gpr[RCX] << 32 | (uint32_t)c->gpr[RBX]);
    } else {
        c->gpr[RAX] = (uint32_t)value;
        c->gpr[RDX] = value >> 32;
    }
    NEXT;
}

OP(cmpxchg16b)
{
    s64 *at = HOST_ALIGNED(write, ADDRESS_m, 16);
    bool equal = (uint64_t)at[0] == c->gpr[RAX] && (uint64_t)at[1] == c->gpr[RDX];
    set_zero_flag(c, equal);
    if (equal) {
        at[0] = (int64_t)c->gpr[RBX];
        at[1] = (int64_t)c->gpr[RCX];
    } else {
        c->gpr[RAX] = (uint64_t)at[0];
        c->gpr[RDX] = (uint64_t)at[1];
    }
    NEXT;
}

/* --- single flags ------------------------------------------------------------------ */

OP(cmc) { flags_set_raw(c, flags_now(c) ^ FLAG_C); NEXT; }
OP(clc) { flags_set_raw(c, flags_now(c) & ~(uint64_t)FLAG_C); NEXT; }
OP(stc) { flags_set_raw(c, flags_now(c) | FLAG_C); NEXT; }
OP(cld) { c->rflags_rest &= ~0x400ull; NEXT; }
OP(std) { c->rflags_rest |= 0x400; NEXT; }
OP(lahf) { put_m((char *)&c->gpr[RAX] + 1, (int64_t)((flags_now(c) & 0xd5) | 2), 8); NEXT; }
OP(sahf) { flags_set_raw(c, (flags_now(c) & FLAG_O) | (c->gpr[RAX] >> 8 & 0xd5)); NEXT; }
OP(salc) { put_m(&c->gpr[RAX], -(int64_t)(flags_now(c) & FLAG_C), 8); NEXT; }
