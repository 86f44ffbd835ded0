/* Clocks of the reference machine, as CPUID leaves 15H and 16H report them.
 *
 * The TSC runs at the core crystal clock times a ratio: 100 MHz x 21 = 2100 MHz (Xeon E5-2450, whose
 * bus clock that is).  The APIC timer counts the crystal clock.
 */
#ifndef SPEC_X86_CLOCK_H
#define SPEC_X86_CLOCK_H

#define CLOCK_CRYSTAL_HZ 100000000u  /* [Hz] */
#define CLOCK_TSC_PER_CRYSTAL 21u    /* [TSC cycles per crystal cycle] */
#define CLOCK_BASE_MHZ 2100u         /* [MHz] */
#define CLOCK_BUS_MHZ 100u           /* [MHz] */

#endif
