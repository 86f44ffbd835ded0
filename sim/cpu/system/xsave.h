/* The XSAVE feature set (SDM Vol 1 "Managing State Using the XSAVE Feature Set").
 *
 * An XSAVE area is 512 bytes of legacy image, 64 of header, and components
 * where spec/x86/xstate.def or, compacted, the bits of XCOMP_BV put them.
 *
 * First, in use.  XINUSE is not tracked but seen: a component is in use when it differs from its initial
 * configuration.  The manual leaves a processor free to be less exact.  Second, the modified optimization of
 * XSAVEOPT and XSAVES, which skips what memory holds already, is not made: every
 * component counts as modified, which is always allowed.
 */
#ifndef SIM_CPU_SYSTEM_XSAVE_H
#define SIM_CPU_SYSTEM_XSAVE_H

#include "sim/cpu/cpu.h"

/* Bits of XCR0 that the processor's model supports. */
uint64_t xsave_supported(const struct cpu *);
/* CPUID leaf 0DH, without the feature bits of subleaf 1. */
void xsave_cpuid(const struct cpu *, uint32_t subleaf, uint32_t out[4]);

#endif
