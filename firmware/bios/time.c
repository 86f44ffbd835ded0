/* INT 1AH and IRQ 0: 18.2 ticks a second since midnight at 0040:006C, and the real-time clock. */
#include "firmware/bios/bios.h"
#include "spec/platform/memory_map.h"

enum { BDA_TICKS = 0x6c, BDA_MIDNIGHT = 0x70, TICKS_PER_DAY = 0x1800b0 };
enum { RTC_SECONDS = 0, RTC_MINUTES = 2, RTC_HOURS = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9, RTC_A = 0x0a, RTC_CENTURY = 0x32 };

static uint8_t rtc(unsigned index)
{
    out8(PORT_RTC_INDEX, (uint8_t)index);
    return in8(PORT_RTC_DATA);
}

static unsigned from_bcd(uint8_t v)
{
    return v / 16u * 10 + v % 16;
}

static void rtc_settle(void)
{
    for (unsigned tries = 0; tries < 100000 && rtc(RTC_A) & 0x80; tries++) {
    }
}

void time_init(void)
{
    out8(0x43, 0x36); /* channel 0: mode 3, 65536 clocks a tick */
    out8(0x40, 0);
    out8(0x40, 0);
    rtc_settle();
    uint32_t seconds = from_bcd(rtc(RTC_HOURS)) * 3600 + from_bcd(rtc(RTC_MINUTES)) * 60 + from_bcd(rtc(RTC_SECONDS));
    far_put32(BDA, BDA_TICKS, seconds * 18 + seconds / 5); /* 18.2065 */
}

void time_interrupt(void)
{
    uint32_t ticks = far_get32(BDA, BDA_TICKS) + 1;

    if (ticks >= TICKS_PER_DAY) {
        ticks = 0;
        far_put8(BDA, BDA_MIDNIGHT, 1);
    }
    far_put32(BDA, BDA_TICKS, ticks);
}

void time_service(struct frame *f)
{
    uint32_t ticks = far_get32(BDA, BDA_TICKS);

    succeed(f);
    switch (AH(f)) {
    case 0:
        set_low(&f->eax, far_get8(BDA, BDA_MIDNIGHT));
        far_put8(BDA, BDA_MIDNIGHT, 0);
        set16(&f->ecx, ticks >> 16);
        set16(&f->edx, ticks);
        break;
    case 1: far_put32(BDA, BDA_TICKS, (uint32_t)CX(f) << 16 | DX(f)); break;
    case 2:
        rtc_settle();
        set16(&f->ecx, (unsigned)rtc(RTC_HOURS) << 8 | rtc(RTC_MINUTES));
        set16(&f->edx, (unsigned)rtc(RTC_SECONDS) << 8);
        break;
    case 4:
        rtc_settle();
        set16(&f->ecx, (unsigned)rtc(RTC_CENTURY) << 8 | rtc(RTC_YEAR));
        set16(&f->edx, (unsigned)rtc(RTC_MONTH) << 8 | rtc(RTC_DAY));
        break;
    default: fail(f, AH(f)); break;
    }
}
