/* I/O APIC with 24 inputs at FEC00000H (Intel 82093AA manner, version 20H).
 *
 * A pin turns its line into interrupt messages as its redirection entry says:
 *
 *   63:56 destination (or 63:49 handle 14:0, 48 = 1 in remappable format)
 *   16 mask   15 level   14 remote IRR   13 polarity   12 delivery status
 *   11 logical (or handle bit 15)   10:8 delivery mode   7:0 vector
 *
 * Messages leave with the I/O APIC's own requester id, through interrupt
 * remapping.  A level-triggered pin that has delivered waits (remote IRR) for
 * the EOI of its vector, from a local APIC's broadcast or the EOI register; if the line is
 * then still active it delivers again.  A masked edge is lost, a masked level is not.
 */
#ifndef SIM_PLATFORM_IOAPIC_H
#define SIM_PLATFORM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

struct ioapic;
struct state;

/* 'send' carries an interrupt message (MSI address and data) away. */
struct ioapic *ioapic_new(void (*send)(void *ctx, uint64_t address, uint32_t data), void *ctx);
void ioapic_free(struct ioapic *);
void ioapic_state(struct ioapic *, struct state *);

void ioapic_set_line(struct ioapic *, unsigned pin, bool high);
void ioapic_eoi(struct ioapic *, uint8_t vector);

uint64_t ioapic_read(void *ioapic, uint64_t offset, unsigned size);
void ioapic_write(void *ioapic, uint64_t offset, unsigned size, uint64_t value);

#endif
