/* What PC firmware leaves in the processors before it hands over to whoever is loaded.
 *
 * Boot processor: local APIC enabled, LINT0 = ExtINT (the 8259s, "virtual wire mode": MultiProcessor Specification
 * "Virtual Wire Mode"), LINT1 = NMI.  All: MTRRs that make RAM write-back and device windows uncacheable.
 * INIT keeps both but the boot processor's APIC, as silicon does.
 */
#ifndef SIM_PLATFORM_FIRMWARE_H
#define SIM_PLATFORM_FIRMWARE_H

struct machine;

void firmware_set_up_processors(struct machine *);

#endif
