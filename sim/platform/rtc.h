/* MC146818 real-time clock and CMOS memory, ports 70H/71H.
 *
 * The clock starts at machine_config.rtc_epoch (UTC) and follows the machine's
 * own time, never the host's.  Registers 0-9 and 32H (century) show it in BCD
 * or binary, 12 or 24 hours, as register B says; writing them sets the clock.
 * Register C shows the update-ended flag.  What is missing says so: enabling an RTC
 * interrupt (register B bits 6:4) stops the machine as unimplemented.
 */
#ifndef SIM_PLATFORM_RTC_H
#define SIM_PLATFORM_RTC_H

#include <stdint.h>

struct machine;
struct rtc;
struct state;

struct rtc *rtc_new(struct machine *);
void rtc_free(struct rtc *);
void rtc_state(struct rtc *, struct state *);

/* Offset 0: index (write-only, reads all ones), 1: data. */
uint64_t rtc_read(void *rtc, uint64_t offset, unsigned size);
void rtc_write(void *rtc, uint64_t offset, unsigned size, uint64_t value);

#endif
