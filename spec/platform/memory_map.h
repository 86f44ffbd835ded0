/* Every fixed address of the machine, memory and ports.
 *
 *   0 ............ RAM, 640 KiB usable by whoever is loaded
 *   0x00010000     boot information of the multiboot loaders (up to 0x9F000)
 *   0x000A0000     plain RAM, reported as reserved; VGA's text if there is one
 *   0x000E0000     ACPI tables, RSDP first (128 KiB, reserved)
 *   0x000E8000     SMBIOS structures; their entry point is in the BIOS segment
 *   0x00100000     RAM up to the hole
 *   0xC0000000     32-bit BAR window (512 MiB)
 *   0xE0000000     PCI Express configuration space, ECAM (256 MiB: buses 0-255)
 *   0xFEC00000     I/O APIC
 *   0xFED00000     HPET
 *   0xFED90000     VT-d remapping hardware
 *   0xFEE00000     local APIC page; MSI addresses 0xFEExxxxx
 *   0xFF000000     memory-as-a-device for test suites (64 KiB)
 *   0x100000000    RAM that did not fit below the hole
 *   0x800000000    64-bit BAR window (32 GiB); behind RAM, on a multiple of its size, when RAM reaches so far
 *
 * Both worlds read this file; it holds facts only.
 */
#ifndef SPEC_PLATFORM_MEMORY_MAP_H
#define SPEC_PLATFORM_MEMORY_MAP_H

/* --- memory [spa], sizes in bytes --- */
#define BOOT_INFO_BASE 0x10000ull
#define BOOT_INFO_END 0x9F000ull
#define LOW_RAM_END 0xA0000ull /* conventional memory ends; reserved up to 1 MiB */
#define ACPI_TABLES_BASE 0xE0000ull
#define ACPI_TABLES_SIZE 0x8000ull
#define SMBIOS_BASE 0xE8000ull
#define SMBIOS_SIZE 0x8000ull
#define ACPI_TABLES_END 0x100000ull /* of all that is reserved there */
#define MMIO32_BASE 0xC0000000ull
#define MMIO32_SIZE 0x20000000ull
#define ECAM_BASE 0xE0000000ull
#define ECAM_SIZE 0x10000000ull
#define IOAPIC_BASE 0xFEC00000ull
#define IOAPIC_SIZE 0x1000ull
#define HPET_BASE 0xFED00000ull
#define HPET_SIZE 0x400ull
#define VTD_BASE 0xFED90000ull
#define VTD_SIZE 0x1000ull
#define LAPIC_BASE 0xFEE00000ull
#define LAPIC_SIZE 0x1000ull
#define MSI_BASE 0xFEE00000ull /* a device's write into this MiB is an interrupt message */
#define MSI_SIZE 0x100000ull
#define TEST_MEMORY_BASE 0xFF000000ull /* of test_devices, where a PC has its flash */
#define TEST_MEMORY_SIZE 0x10000ull
#define MMIO64_BASE 0x800000000ull /* at least: sim/platform/pci.h */
#define MMIO64_SIZE 0x800000000ull

/* --- I/O ports --- */
#define PORT_PIC1 0x20
#define PORT_PIT 0x40          /* 4 ports */
#define PORT_61 0x61           /* gates of the PIT, speaker, error bits */
#define PORT_RTC_INDEX 0x70
#define PORT_RTC_DATA 0x71
#define PORT_POST 0x80
#define PORT_92 0x92           /* A20 and fast reset */
#define PORT_PIC2 0xA0
#define PORT_DEBUG_EXIT 0xF4   /* isa-debug-exit, 4 ports */
#define PORT_COM2 0x2F8        /* 8 ports */
#define PORT_COM1 0x3F8        /* 8 ports */
#define PORT_FPU 0xF0          /* clear a numeric error (and reset, which does nothing), 2 ports */
#define PORT_ELCR 0x4D0        /* edge/level control, 2 ports */
#define PORT_PM1A_EVT 0x600    /* ACPI PM1 status and enable, 4 ports */
#define PORT_PM1A_CNT 0x604    /* ACPI PM1 control, 2 ports */
#define PORT_PM_TIMER 0x608    /* ACPI power-management timer, 4 ports */
#define PORT_PCI_ADDRESS 0xCF8 /* 4 ports */
#define PORT_RESET 0xCF9       /* byte accesses only; inside PORT_PCI_ADDRESS */
#define PORT_PCI_DATA 0xCFC    /* 4 ports */
#define PCI_PORTS_BASE 0xC000  /* where firmware puts I/O BARs */
#define PCI_PORTS_SIZE 0x4000

/* --- interrupt lines (ISA = GSI = I/O APIC input, but for the timer's) --- */
#define IRQ_TIMER 0        /* at I/O APIC input 2; input 0 has the 8259s' INTR */
#define GSI_TIMER 2
#define IRQ_KEYBOARD 1
#define IRQ_COM2 3
#define IRQ_COM1 4
#define IRQ_RTC 8
#define IRQ_SCI 9
#define IRQ_MOUSE 12
#define IRQ_FPU 13         /* FERR# of the processors, for CR0.NE = 0 */
#define IOAPIC_PINS 24
#define PCI_INTX_GSI 16 /* interrupt pins of PCI devices, shared */
#define PCI_INTX_LINES 4

/* --- clocks --- */
#define PIT_HZ 1193182
#define HPET_PERIOD_FS 10000000 /* 100 MHz */
#define HPET_GSIS 0x00F00000u   /* lines that HPET timers can be routed to: 20-23 */

/* --- ACPI facts --- */
#define PM_TIMER_HZ 3579545 /* ACPI Specification "Power Management Timer" */
#define ACPI_S3_SLP_TYP 1   /* what the DSDT's \_S3 and \_S5 packages say */
#define ACPI_S5_SLP_TYP 5
#define IOAPIC_ID 0
#define VTD_IOAPIC_BDF 0xF0F8 /* source id of the I/O APIC: bus 0xF0, device 31, function 0 */
#define VTD_HPET_BDF 0xF078   /* of the HPET's messages: device 15, function 0 */

#endif
