/* Power, reset, exit and the ACPI fixed hardware.
 *
 *   PM1a event block 600H   status and enable: timer carry, power button, clock; an enabled one raises the SCI
 *   PM1a control     604H   SCI_EN is always 1; SLP_EN sleeps: S5 powers off, S3 suspends to RAM until a wake event
 *   PM timer         608H   32 bits at 3.579545 MHz (ACPI "Power Management Timer")
 *   reset control    CF9H   RST_CPU 0 -> 1 asks for a reset
 *   port 92H                bit 0 0 -> 1 asks for a reset; bit 1, A20, is on: turning it off stops the machine
 *   isa-debug-exit   F4H    any write stops the machine with the value written
 *   POST             80H    accepted and forgotten; software uses it to wait
 *
 * A reset stops the run (STOP_RESET) for whoever drives the machine to start it again (machine_reset).
 */
#ifndef SIM_PLATFORM_POWER_H
#define SIM_PLATFORM_POWER_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct power;
struct state;

struct power_wires {
    void *ctx;
    void (*sci)(void *ctx, bool high); /* level of the system control interrupt, when it changes */
    void (*suspend)(void *ctx);        /* S3 begins */
    void (*resume)(void *ctx);         /* and ends, between two rounds */
};
struct power *power_new(struct machine *, const struct power_wires *); /* maps its ports, CF9H excepted */
void power_free(struct power *);
void power_state(struct power *, struct state *);

/* Somebody presses the power button now. */
void power_button(struct power *);
/* The clock raises its interrupt line. */
void power_clock(struct power *);
/* Something on the board pulls the reset line; 'by' says what, for people. */
void power_reset(struct power *, const char *by);

/* Software turns A20 off: always-on is all there is, so the machine stops (STOP_UNIMPLEMENTED). */
void power_a20_off(struct power *, const char *by);

/* Port CF9H lies inside the PCI address register; pci.c hands byte accesses on. */
uint8_t power_reset_read(const struct power *);
void power_reset_write(struct power *, uint8_t value);

#endif
