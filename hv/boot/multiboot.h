/* What the boot loader tells: memory map, modules, ACPI root pointer.
 * Multiboot 2 (GNU "Multiboot2 Specification version 2.0") and Multiboot 1. */
#ifndef HV_BOOT_MULTIBOOT_H
#define HV_BOOT_MULTIBOOT_H

#include "hv/hv.h"

enum { MULTIBOOT1_LOADED = 0x2BADB002, MULTIBOOT2_LOADED = 0x36D76289 };

/* Fills hv.ram (page-aligned, sorted, at or above 1 MiB is not required), hv.module, hv.acpi_rsdp.
 * False: not one of the two protocols, or no memory map. */
bool multiboot_read(uint32_t magic, uint64_t information);
/* End of the information structure itself [spa]. */
uint64_t multiboot_end(uint32_t magic, uint64_t information);

#endif
