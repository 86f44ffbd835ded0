/* The high precision event timer at FED00000H: a 64-bit counter of 100 MHz and three comparators.
 *
 * IA-PC HPET Specification 1.0a.  Every timer is 64 bits wide, can be periodic, edge- or level-triggered, and can send
 * its interrupt to an I/O APIC input, as a message ("FSB"), or, timers 0 and 1, in place of the PIT and the RTC
 * ("legacy replacement").
 *
 *   000 capabilities   010 configuration   020 interrupt status   0F0 counter
 *   100 + 20n timer n: configuration, 108 + 20n comparator, 110 + 20n message
 *
 * Nothing counts: the counter is computed from the machine's time, and an event fires at the next match.
 * An edge-triggered interrupt is the line falling and rising again; it stays high until the next.
 */
#ifndef SIM_PLATFORM_HPET_H
#define SIM_PLATFORM_HPET_H

#include <stdbool.h>
#include <stdint.h>

struct hpet;
struct machine;
struct state;

enum { HPET_TIMERS = 3 };
struct hpet_wires {
    void *ctx;
    void (*legacy)(void *ctx, unsigned irq, bool high);           /* irq 0 or 8, in legacy replacement */
    void (*legacy_changed)(void *ctx, bool on);                   /* who drives those */
    void (*gsi)(void *ctx, unsigned gsi, bool high);
    void (*message)(void *ctx, uint64_t address, uint32_t data);
};

struct hpet *hpet_new(struct machine *, const struct hpet_wires *);
void hpet_free(struct hpet *);
void hpet_state(struct hpet *, struct state *);

uint64_t hpet_read(void *hpet, uint64_t offset, unsigned size);
void hpet_write(void *hpet, uint64_t offset, unsigned size, uint64_t value);

#endif
