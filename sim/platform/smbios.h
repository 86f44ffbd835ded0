/* SMBIOS: what Linux prints as its DMI line and `dmidecode` lists.
 *
 * Structures lie behind the ACPI tables, the entry point (64-bit, "_SM3_") where software looks for it: on a paragraph between
 * F0000H and FFFFFH.  A BIOS leaves that paragraph free (spec/platform/bios.h).  What they say is spec/platform/smbios.def,
 * filled in from the machine's configuration: the same configuration gives the same bytes.
 */
#ifndef SIM_PLATFORM_SMBIOS_H
#define SIM_PLATFORM_SMBIOS_H

#include <stdint.h>

struct machine;

/* Writes the structures from 'at' [spa] on, below 'end', and the entry point. */
void smbios_write(struct machine *, uint64_t at, uint64_t end);

#endif
