/* The chipset: everything on the board that is neither processor nor PCI.
 *
 * platform_new builds the devices below on the machine's memory and ports,
 * leaves the machine as firmware would (interrupt controllers masked, BARs
 * assigned, ACPI tables in memory) and joins interrupt lines to the I/O APIC
 * and the 8259 pair.
 *
 *   COM1 16550 (uart.h)      RTC/CMOS (rtc.h)         8259 pair (pic.h)
 *   I/O APIC (ioapic.h)      power, reset, exit, PM timer (power.h)
 *   PCI host bridge (pci.h)  VT-d (vtd.h)             ACPI tables (acpi.h)
 *
 * Devices ask machine_now() what time it is.  Everything from outside the
 * simulation (console input) must come from the machine's input log: the
 * caller of platform_console_input is responsible for when.
 */
#ifndef SIM_PLATFORM_PLATFORM_H
#define SIM_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct platform; /* owned by struct machine */
struct state;

struct platform *platform_new(struct machine *); /* NULL: no host memory */
void platform_free(struct platform *);
void platform_state(struct platform *, struct state *);

/* Where COM1's output goes; NULL drops it.  A pure observer. */
void platform_set_console(struct platform *, void (*output)(void *ctx, uint8_t byte), void *ctx);
/* A byte arrives on COM1's wire now. False: the receiver was full, the byte is lost (overrun). */
bool platform_console_input(struct platform *, uint8_t byte);

/* Drives interrupt line 'gsi' (0-23): reaches the I/O APIC and, below 16, the 8259s. */
void platform_set_line(struct platform *, unsigned gsi, bool high);
/* EOI broadcast of a local APIC, for level-triggered I/O APIC pins. */
void platform_eoi(struct platform *, uint8_t vector);
/* The 8259 pair's interrupt acknowledge, for LINT0 in virtual-wire mode. */
bool platform_pic_pending(const struct platform *);
uint8_t platform_pic_acknowledge(struct platform *);

/* Physical address of the ACPI root pointer [spa], for boot information. */
uint64_t platform_rsdp(const struct platform *);

#endif
