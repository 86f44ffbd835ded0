/* State of the x87 unit, which MMX shares.
 *
 * Registers are kept by physical number (R0-R7); ST(i) is register (top + i) & 7
 * and MMi is the low 64 bits of Ri.  An element is 80 bits as memory shows
 * them: u64[0] is the significand, u16[4] sign and exponent, the rest zero.
 *
 * Nothing that follows from something else is kept: TOP, ES and B of the status
 * word, and the tags other than empty, are made when someone looks (x87.h).
 */
#ifndef SIM_CPU_X87_STATE_H
#define SIM_CPU_X87_STATE_H

#include <stdbool.h>
#include <stdint.h>

union x87_register { uint64_t u64[2]; uint16_t u16[8]; uint8_t u8[16]; };

struct x87 {
    union x87_register reg[8] __attribute__((aligned(16)));
    uint16_t cw;        /* control word */
    uint16_t sw;        /* status word without TOP, ES, B: exception flags, SF, C0-C3 */
    uint8_t top;        /* [0-7] */
    uint8_t full;       /* registers that are not empty [bit per physical register] */
    uint16_t op;        /* last instruction: opcode [11 bits] */
    uint16_t cs, ds;    /* ... its code segment, its operand's segment [selectors] */
    bool ferr;          /* FERR#: with CR0.NE = 0 the board was told of an error */
    bool ignne;         /* IGNNE#: the board wants the error ignored while it lasts */
    uint16_t pad;       /* zero */
    uint64_t ip, dp;    /* ... and their offsets */
};

#endif
