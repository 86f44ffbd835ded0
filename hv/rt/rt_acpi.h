/* The few ACPI facts that the hypervisor and the parent partition need:
 * processors, PCI configuration space, the DMA remapping unit, the power-management timer.
 * Tables are checked for length and checksum; a bad table is as good as none. */
#ifndef HV_RT_RT_ACPI_H
#define HV_RT_RT_ACPI_H

#include "hv/rt/rt.h"

enum { ACPI_PROCESSORS_MAX = 64 };

struct acpi_facts {
    uint32_t apic_id[ACPI_PROCESSORS_MAX];
    unsigned processor_count;
    uint64_t ecam_base;  /* 0: no MCFG */
    uint64_t vtd_base;   /* 0: no DMAR */
    uint16_t pm_timer;   /* port; 0: none */
};

/* 'rsdp' 0: searched below 1 MiB.  'at' turns a physical address into a pointer. */
void acpi_read(uint64_t rsdp, const void *(*at)(uint64_t spa), struct acpi_facts *);

#endif
