/* The few ACPI facts the hypervisor needs: processors, PCI configuration space,
 * the DMA remapping unit, the power-management timer.  Tables are checked for
 * length and checksum; a bad table is as good as none. */
#ifndef HV_BOOT_ACPI_H
#define HV_BOOT_ACPI_H

#include "hv/hv.h"

struct acpi_facts {
    uint32_t apic_id[HV_LPS_MAX];
    unsigned processor_count;
    uint64_t ecam_base;  /* 0: no MCFG */
    uint64_t vtd_base;   /* 0: no DMAR */
    uint16_t pm_timer;   /* port; 0: none */
};

/* 'rsdp' 0: searched below 1 MiB. */
void acpi_read(uint64_t rsdp, struct acpi_facts *);

#endif
