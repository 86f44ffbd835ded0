/* Lazy flags made real: the only place that knows what each CC_* means. */
#include "sim/cpu/exec/flags.h"

static uint64_t pack(bool carry, bool adjust, bool over, int64_t result)
{
    uint64_t parity = !__builtin_parity((uint8_t)result);
    return (carry ? FLAG_C : 0) | parity * FLAG_P | (adjust ? FLAG_A : 0) | (result == 0 ? FLAG_Z : 0) |
           (result < 0 ? FLAG_S : 0) | (over ? FLAG_O : 0);
}

static uint64_t after_add(int64_t sum, int64_t b, uint64_t carry_in, int bits)
{
    int64_t a = sign_extend((int64_t)((uint64_t)sum - (uint64_t)b - carry_in), bits);
    bool carry = carry_in ? (uint64_t)sum <= (uint64_t)b : (uint64_t)sum < (uint64_t)b;
    return pack(carry, (a ^ b ^ sum) & 16, ((a ^ sum) & (b ^ sum)) < 0, sum);
}

static uint64_t after_sub(int64_t a, int64_t b, uint64_t borrow_in, int bits)
{
    int64_t difference = sign_extend((int64_t)((uint64_t)a - (uint64_t)b - borrow_in), bits);
    bool carry = borrow_in ? (uint64_t)a <= (uint64_t)b : (uint64_t)a < (uint64_t)b;
    return pack(carry, (a ^ b ^ difference) & 16, ((a ^ b) & (a ^ difference)) < 0, difference);
}

uint64_t flags_now(const struct cpu *c)
{
    int bits = 8 << (c->cc_kind & 3);
    int64_t a = c->cc_a, b = c->cc_b, lowest = sign_extend((int64_t)(1ull << (bits - 1)), bits);

    switch (c->cc_kind >> 2) {
    case CC_ADD: return after_add(a, b, 0, bits);
    case CC_ADC: return after_add(a, b, 1, bits);
    case CC_SUB: return after_sub(a, b, 0, bits);
    case CC_SBB: return after_sub(a, b, 1, bits);
    case CC_LOGIC: return pack(false, false, false, a);
    case CC_INC: return pack(b, (a & 15) == 0, a == lowest, a);
    case CC_DEC: return pack(b, (a & 15) == 15, a == ~lowest, a);
    case CC_SHL: return pack(b < 0, false, (a ^ b) < 0, a);
    case CC_SHR: return pack(b & 1, false, b >> (bits - 1) & 1, a);
    case CC_SAR: return pack(b & 1, false, false, a);
    case CC_MUL: return pack(a != b, false, a != b, a);
    default: return (uint64_t)a & FLAGS_STATUS;
    }
}

uint64_t cpu_rflags(const struct cpu *c)
{
    return (c->rflags_rest & ~(uint64_t)FLAGS_STATUS) | 2 | flags_now(c);
}

void cpu_set_status_flags(struct cpu *c, uint64_t flags)
{
    flags_set_raw(c, flags);
}

void cpu_set_rflags(struct cpu *c, uint64_t rflags)
{
    c->rflags_rest = (rflags & ~(uint64_t)FLAGS_STATUS) | 2;
    flags_set_raw(c, rflags);
}
