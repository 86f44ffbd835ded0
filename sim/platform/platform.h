/* The chipset: everything on the board that is neither processor nor PCI.
 *
 * platform_new builds the devices below on the machine's memory and ports,
 * leaves the machine as firmware would (interrupt controllers masked, BARs
 * assigned, ACPI tables in memory, firmware.h) and joins interrupt lines to the I/O APIC
 * and the 8259 pair.
 *
 *   COM1, COM2 16550 (uart.h)   RTC/CMOS (rtc.h)   PIT and port 61H (pit.h)
 *   HPET (hpet.h)    8259 pair (pic.h)    I/O APIC (ioapic.h)
 *   power, reset, exit, PM timer (power.h)
 *   PCI host bridge (pci.h)     VT-d (vtd.h)       ACPI tables (acpi.h), SMBIOS (smbios.h)
 *
 * Interrupt lines have the ISA numbers.  Line n is input n of the I/O APIC and,
 * below 16, of the 8259 pair, with two exceptions: line 0 is input 2 of the
 * I/O APIC, whose input 0 has the 8259s' output, as has every LINT0.
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

/* Where COM1's and COM2's output goes; NULL drops it.  A pure observer. */
void platform_set_console(struct platform *, void (*output)(void *ctx, uint8_t byte), void *ctx);
void platform_set_console2(struct platform *, void (*output)(void *ctx, uint8_t byte), void *ctx);
/* A byte arrives on COM1's wire now. False: the receiver was full, the byte is lost (overrun). */
bool platform_console_input(struct platform *, uint8_t byte);
bool platform_console_ready(const struct platform *); /* COM1's receiver has room */

/* Drives interrupt line 'line' (0-23).  One driver per line. */
void platform_set_line(struct platform *, unsigned line, bool high);

/* Somebody uses keyboard or mouse now (i8042.h): input, from the machine's input log. */
void platform_key(struct platform *, uint16_t key, bool down);
void platform_mouse(struct platform *, int dx, int dy, int wheel, uint8_t buttons);
/* Somebody presses the power button now: input, from the machine's input log. */
void platform_power_button(struct platform *);
/* A device pulls the reset line; 'by' says which, for people. */
void platform_reset(struct platform *, const char *by);

/* Physical address of the ACPI root pointer [spa], for boot information. */
uint64_t platform_rsdp(const struct platform *);

#endif
