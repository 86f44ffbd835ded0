/* IEEE 754 arithmetic on bit patterns, with x86's rules where IEEE leaves a
 * choice: which NaN results, tininess after rounding, denormals-are-zero,
 * flush-to-zero (SDM Vol 1 "Floating-Point Unit" and "SSE and SSE2
 * Exceptions"; Vol 1 "NaNs").
 *
 * Everything is computed from integers: an operand is unpacked to sign,
 * exponent and a 64-bit significand, the operation keeps a sticky bit for
 * what it drops, and one function rounds and packs.  So no host rounding
 * mode, no compiler's view of fenv and no host NaN reaches the machine.
 *
 * The short cut.  Where IEEE 754 leaves one answer and no new flag, the host computes it
 * (ieee_quick.h); every function here asks there first.
 *
 * Flags collect in env->flags; nothing here touches a processor.
 */
#ifndef SIM_CPU_SSE_IEEE_H
#define SIM_CPU_SSE_IEEE_H

#include <stdbool.h>
#include <stdint.h>

/* MXCSR bits (SDM Vol 1 "MXCSR Control and Status Register"). */
enum {
    MXCSR_IE = 1 << 0, MXCSR_DE = 1 << 1, MXCSR_ZE = 1 << 2,
    MXCSR_OE = 1 << 3, MXCSR_UE = 1 << 4, MXCSR_PE = 1 << 5,
    MXCSR_FLAGS = 0x3f, MXCSR_DAZ = 1 << 6,
    MXCSR_MASK_SHIFT = 7, MXCSR_OM = 1 << 10, MXCSR_UM = 1 << 11, MXCSR_PM = 1 << 12,
    MXCSR_RC_SHIFT = 13, MXCSR_RC = 3 << MXCSR_RC_SHIFT, MXCSR_FTZ = 1 << 15,
};

enum rounding { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO }; /* MXCSR.RC */

struct ieee_env {
    uint32_t mxcsr; /* controls and sticky flags on entry */
    uint32_t flags; /* raised so far [MXCSR_IE..MXCSR_PE] */
};

enum ieee_order { IEEE_LESS, IEEE_EQUAL, IEEE_GREATER, IEEE_UNORDERED };

/* That the host rounds to nearest and flushes nothing: asked once, when a processor is made. */
void ieee_assert_host(void);

uint32_t f32_add(struct ieee_env *, uint32_t, uint32_t);
uint32_t f32_sub(struct ieee_env *, uint32_t, uint32_t);
uint32_t f32_mul(struct ieee_env *, uint32_t, uint32_t);
uint32_t f32_div(struct ieee_env *, uint32_t, uint32_t);
uint32_t f32_sqrt(struct ieee_env *, uint32_t);
uint32_t f32_min(struct ieee_env *, uint32_t, uint32_t);
uint32_t f32_max(struct ieee_env *, uint32_t, uint32_t);
enum ieee_order f32_compare(struct ieee_env *, uint32_t, uint32_t, bool quiet);

uint64_t f64_add(struct ieee_env *, uint64_t, uint64_t);
uint64_t f64_sub(struct ieee_env *, uint64_t, uint64_t);
uint64_t f64_mul(struct ieee_env *, uint64_t, uint64_t);
uint64_t f64_div(struct ieee_env *, uint64_t, uint64_t);
uint64_t f64_sqrt(struct ieee_env *, uint64_t);
uint64_t f64_min(struct ieee_env *, uint64_t, uint64_t);
uint64_t f64_max(struct ieee_env *, uint64_t, uint64_t);
enum ieee_order f64_compare(struct ieee_env *, uint64_t, uint64_t, bool quiet);

/* a * b + c, rounded once; 'negate' the product, the addend, or both. */
enum { IEEE_NEGATE_PRODUCT = 1, IEEE_NEGATE_ADDEND = 2 };
uint32_t f32_fma(struct ieee_env *, uint32_t a, uint32_t b, uint32_t c, unsigned negate);
uint64_t f64_fma(struct ieee_env *, uint64_t a, uint64_t b, uint64_t c, unsigned negate);

uint64_t f32_to_f64(struct ieee_env *, uint32_t);
uint32_t f64_to_f32(struct ieee_env *, uint64_t);
/* Half precision: neither DAZ nor DE on the way up, no flush-to-zero on the way down (SDM Vol 1 "Half-Precision
 * Floating-Point Conversion"). */
uint32_t f16_to_f32(struct ieee_env *, uint16_t);
uint16_t f32_to_f16(struct ieee_env *, uint32_t);
uint32_t f32_from_int(struct ieee_env *, int64_t);
uint64_t f64_from_int(struct ieee_env *, int64_t);
/* 'bits' is 32 or 64; out of range and NaN give the integer indefinite. */
uint64_t f32_to_int(struct ieee_env *, uint32_t, unsigned bits, bool truncate);
uint64_t f64_to_int(struct ieee_env *, uint64_t, unsigned bits, bool truncate);

/* To an integral value of the same format; 'quiet': without PE. */
uint32_t f32_round(struct ieee_env *, uint32_t, enum rounding, bool quiet);
uint64_t f64_round(struct ieee_env *, uint64_t, enum rounding, bool quiet);

/* RCPSS and RSQRTSS: 12 significant bits, no flags, denormals are zeros. */
uint32_t f32_rcp(uint32_t);
uint32_t f32_rsqrt(uint32_t);

#endif
