/* ACPI tables: what firmware says about the machine.
 *
 *   RSDP -> XSDT -> FADT -> DSDT (spec/platform/dsdt.asl), FACS
 *                   MADT (processors, I/O APIC)   HPET   MCFG (ECAM)   DMAR (VT-d)
 *
 * Written once, at machine_new, into RAM at ACPI_TABLES_BASE.  Numbers come
 * from spec/platform/memory_map.h and the machine's configuration.
 */
#ifndef SIM_PLATFORM_ACPI_H
#define SIM_PLATFORM_ACPI_H

#include <stdint.h>

struct machine;

struct acpi_places { uint64_t rsdp, facs; }; /* [spa] */
struct acpi_places acpi_tables_write(struct machine *);

#endif
