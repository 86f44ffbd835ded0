/* The 8254 programmable interval timer at 40H-43H and the gates and bits of port 61H that belong to it.
 *
 * Intel 8254 datasheet.  Three counters, all six modes, binary and BCD, latch and read-back commands.  Counter 0's
 * output is interrupt line 0; counter 1 would refresh memory; counter 2's gate and output are at port 61H (the
 * speaker itself is not heard):
 *
 *   61H   7:6 parity and I/O check (0)   5 output of counter 2   4 refresh, toggles every 15 us
 *         3:2 their enables   1 speaker   0 gate of counter 2
 *
 * Nothing counts here.  Each counter remembers when its counting element was loaded, in ticks of 1.193182 MHz since
 * machine cycle 0, and computes count and output from the time when asked; counter 0 arms an event for its next
 * change of output.  As at power-on, no counter counts before it is programmed.
 */
#ifndef SIM_PLATFORM_PIT_H
#define SIM_PLATFORM_PIT_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct pit;
struct state;

/* 'output' is told the level of counter 0's output when it changes. */
struct pit *pit_new(struct machine *, void (*output)(void *ctx, bool high), void *ctx);
void pit_free(struct pit *);
void pit_state(struct pit *, struct state *);

uint64_t pit_read(void *pit, uint64_t offset, unsigned size);   /* offset 0-3 of port 40H */
void pit_write(void *pit, uint64_t offset, unsigned size, uint64_t value);
uint64_t pit_port61_read(void *pit, uint64_t offset, unsigned size);
void pit_port61_write(void *pit, uint64_t offset, unsigned size, uint64_t value);

#endif
