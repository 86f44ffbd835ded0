/* What PC firmware leaves in the processors before it hands over to whoever is loaded.
 *
 * Boot processor: local APIC enabled, LINT0 = ExtINT (the 8259s, "virtual wire mode": MultiProcessor Specification
 * "Virtual Wire Mode"), LINT1 = NMI.  All: MTRRs that make RAM write-back and device windows uncacheable.
 * INIT keeps both but the boot processor's APIC, as silicon does.
 */
#ifndef SIM_PLATFORM_FIRMWARE_H
#define SIM_PLATFORM_FIRMWARE_H

#include <stdint.h>

struct machine;

void firmware_set_up_processors(struct machine *);

/* Wakes the machine from ACPI S3: resets and sets up the processors and enters the waking vector that the FACS names
 * (ACPI Specification "Firmware Waking Vector"), in real mode.  Without one the wake-up is a reset. */
void firmware_resume(struct machine *, uint64_t facs);

#endif
