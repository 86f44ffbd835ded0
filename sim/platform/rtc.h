/* MC146818 real-time clock and CMOS memory, ports 70H/71H.
 *
 * The clock starts at machine_config.rtc_epoch (UTC) and follows the machine's
 * own time, never the host's.  Registers 0-9 and 32H (century) show it in BCD
 * or binary, 12 or 24 hours, as register B says; writing them sets the clock.
 *
 * Periodic, alarm and update-ended interrupts: register C collects their flags whether enabled or not; an enabled one
 * raises the line until C is read.  An event is armed for the next enabled flag only.  The divider (register A bits
 * 6:4) always runs.
 *
 * The memory holds what PC firmware leaves there: equipment and memory sizes, with their checksum.
 */
#ifndef SIM_PLATFORM_RTC_H
#define SIM_PLATFORM_RTC_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct rtc;
struct state;

/* 'line' is told the level of the interrupt line when it changes. */
struct rtc *rtc_new(struct machine *, void (*line)(void *ctx, bool high), void *ctx);
void rtc_free(struct rtc *);
void rtc_state(struct rtc *, struct state *);

/* Offset 0: index (write-only, reads all ones), 1: data. */
uint64_t rtc_read(void *rtc, uint64_t offset, unsigned size);
void rtc_write(void *rtc, uint64_t offset, unsigned size, uint64_t value);

#endif
