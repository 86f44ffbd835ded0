/* Lazy flags: an instruction notes what it did (cc_kind, cc_a, cc_b); whoever
 * reads a flag computes it.  Operands are kept sign-extended, so one 64-bit
 * compare serves every operand size, signed and unsigned.
 *
 * What the manual leaves undefined is what this file computes, always:
 *   AF after logic and shifts: 0;
 *   OF after shifts by more than one: as for the last single shift;
 *   SF ZF AF PF after multiplication: from the low half of the result;
 *   all flags after division, and all but CF/ZF after BTx/BSx: unchanged.
 * The rows of spec/x86/opcodes.tbl (fu:) tell tests what not to compare.
 */
#ifndef SIM_CPU_EXEC_FLAGS_H
#define SIM_CPU_EXEC_FLAGS_H

#include "sim/cpu/cpu.h"

enum { FLAG_C = 1, FLAG_P = 4, FLAG_A = 16, FLAG_Z = 64, FLAG_S = 128, FLAG_O = 2048, FLAGS_STATUS = 2261 };

/* What cc_a and cc_b hold:
 *   RAW flags, -        ADD sum, addend      ADC sum, addend (carry was 1)   SUB a, b    SBB a, b (borrow was 1)
 *   LOGIC result, -     INC/DEC result, CF   SHL/SHR/SAR result, value one shift before
 *   MUL low result, differs from a when the product did not fit */
enum { CC_RAW, CC_ADD, CC_SUB, CC_LOGIC, CC_INC, CC_DEC, CC_SHL, CC_SHR, CC_SAR, CC_MUL, CC_ADC, CC_SBB };
#define CC_KIND(producer, bits) (uint32_t)((producer) << 2 | __builtin_ctz((bits) / 8))

/* The six status flags as RFLAGS bits. */
uint64_t flags_now(const struct cpu *c) __attribute__((pure));

/* Does condition 0-15 of Jcc (SDM Vol 2 "Condition Test Field") hold with these flags? */
static inline __attribute__((always_inline)) bool flags_hold(uint64_t f, int cond)
{
    bool s = f / FLAG_S & 1, o = f / FLAG_O & 1, answer = false;
    switch (cond >> 1) {
    case 0: answer = o; break;
    case 1: answer = f & FLAG_C; break;
    case 2: answer = f & FLAG_Z; break;
    case 3: answer = f & (FLAG_C | FLAG_Z); break;
    case 4: answer = s; break;
    case 5: answer = f & FLAG_P; break;
    case 6: answer = s != o; break;
    case 7: answer = (f & FLAG_Z) || s != o; break;
    }
    return answer ^ (cond & 1);
}

static inline int64_t sign_extend(int64_t value, int bits)
{
    return (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits);
}

static inline void flags_set_raw(struct cpu *c, uint64_t flags)
{
    c->cc_kind = CC_KIND(CC_RAW, 64);
    c->cc_a = (int64_t)(flags & FLAGS_STATUS);
    c->cc_b = 0;
}

/* CF alone, without a call for the common producers. */
static inline uint64_t flags_carry(const struct cpu *c)
{
    switch (c->cc_kind >> 2) {
    case CC_RAW: return (uint64_t)c->cc_a & FLAG_C;
    case CC_ADD: case CC_SUB: return (uint64_t)c->cc_a < (uint64_t)c->cc_b;
    case CC_LOGIC: return 0;
    default: return flags_now(c) & FLAG_C;
    }
}

#endif
