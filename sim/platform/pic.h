/* The 8259A pair: master at 20H, slave at A0H behind the master's input 2.
 *
 * Intel 8259A datasheet: initialization (ICW1-4), masks (OCW1), specific and
 * non-specific EOI with rotation (OCW2), register reads, poll and special mask
 * mode (OCW3), plus the chipset's edge/level control at 4D0H.  Firmware leaves
 * both masked with vectors 08H and 70H.
 */
#ifndef SIM_PLATFORM_PIC_H
#define SIM_PLATFORM_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct pic;
struct state;

struct pic *pic_new(void);
void pic_free(struct pic *);
void pic_state(struct pic *, struct state *);

void pic_set_line(struct pic *, unsigned irq, bool high); /* irq 0-15; 2 is the cascade */
bool pic_pending(const struct pic *);                     /* the master's INT output */
/* Interrupt acknowledge: the vector, or the spurious vector (input 7) when the request has gone. */
uint8_t pic_acknowledge(struct pic *);

uint8_t pic_read(struct pic *, unsigned chip, unsigned a0); /* chip 0 master, 1 slave */
void pic_write(struct pic *, unsigned chip, unsigned a0, uint8_t value);
uint8_t pic_elcr_read(const struct pic *, unsigned chip);
void pic_elcr_write(struct pic *, unsigned chip, uint8_t value);

#endif
