/* MC146818 real-time clock; see rtc.h. */
#include "sim/platform/rtc.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sim/base/state.h"
#include "sim/machine.h"

enum {
    REG_SECONDS = 0x00, REG_MINUTES = 0x02, REG_HOURS = 0x04, REG_WEEKDAY = 0x06,
    REG_DAY = 0x07, REG_MONTH = 0x08, REG_YEAR = 0x09,
    REG_A = 0x0A, REG_B = 0x0B, REG_C = 0x0C, REG_D = 0x0D, REG_CENTURY = 0x32,
    A_UIP = 1 << 7, A_DEFAULT = 0x26, /* 32.768 kHz time base, 1024 Hz rate */
    B_SET = 1 << 7, B_INTERRUPTS = 7 << 4, B_BINARY = 1 << 2, B_24H = 1 << 1,
    C_UPDATE = 1 << 4,
    D_VALID = 1 << 7,
};
enum { UIP_NS = 244000 }; /* UIP rises this long before the update */

struct rtc {
    struct machine *machine;
    uint8_t index;
    uint8_t cmos[128];       /* registers B, alarm and plain memory; time is computed */
    int64_t base;            /* clock at machine cycle 0 [seconds since 1970] */
    uint64_t flags_second;   /* machine second in which register C was last read */
    bool halted;             /* register B.SET: 'frozen' is being edited */
    struct civil {
        int32_t year, month, day, hour, minute, second; /* month and day from 1 */
    } frozen;
};

/* --- calendar --------------------------------------------------------------- */

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in
 * March so that the leap day is the last. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static struct civil
civil_of(int64_t seconds)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t month_from_march = (5 * doy + 2) / 153;
    struct civil c = {
        .day = (int32_t)(doy - (153 * month_from_march + 2) / 5 + 1),
        .month = (int32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9),
        .hour = (int32_t)(rest / 3600), .minute = (int32_t)(rest / 60 % 60),
        .second = (int32_t)(rest % 60),
    };
    c.year = (int32_t)(yoe + era * 400 + (c.month <= 2));
    return c;
}

static int64_t
seconds_of(const struct civil *c)
{
    return days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
}

static uint64_t
machine_second(const struct rtc *r)
{
    return machine_now(r->machine) / MACHINE_TSC_HZ;
}

static struct civil
clock_now(const struct rtc *r)
{
    return r->halted ? r->frozen : civil_of(r->base + (int64_t)machine_second(r));
}

/* --- register form ---------------------------------------------------------- */

static uint8_t
encode(const struct rtc *r, int32_t value)
{
    return (uint8_t)(r->cmos[REG_B] & B_BINARY ? value : value / 10 * 16 + value % 10);
}

static int32_t
decode(const struct rtc *r, uint8_t value)
{
    return r->cmos[REG_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
}

static uint8_t
encode_hour(const struct rtc *r, int32_t hour)
{
    if (r->cmos[REG_B] & B_24H) {
        return encode(r, hour);
    }
    return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0);
}

static int32_t
decode_hour(const struct rtc *r, uint8_t value)
{
    if (r->cmos[REG_B] & B_24H) {
        return decode(r, value);
    }
    return decode(r, value & 0x7F) % 12 + (value & 0x80 ? 12 : 0);
}

static bool
is_time(unsigned index)
{
    return index == REG_SECONDS || index == REG_MINUTES || index == REG_HOURS ||
           (index >= REG_WEEKDAY && index <= REG_YEAR) || index == REG_CENTURY;
}

static uint8_t
time_read(const struct rtc *r, unsigned index)
{
    struct civil c = clock_now(r);
    switch (index) {
    case REG_SECONDS: return encode(r, c.second);
    case REG_MINUTES: return encode(r, c.minute);
    case REG_HOURS: return encode_hour(r, c.hour);
    case REG_WEEKDAY: /* Sunday is 1; 1970-01-01 was a Thursday */
        return encode(r, (int32_t)(((days_of(c.year, c.month, c.day) + 4) % 7 + 7) % 7 + 1));
    case REG_DAY: return encode(r, c.day);
    case REG_MONTH: return encode(r, c.month);
    case REG_YEAR: return encode(r, c.year % 100);
    default: return encode(r, c.year / 100);
    }
}

static void
time_write(struct rtc *r, unsigned index, uint8_t value)
{
    struct civil c = clock_now(r);
    switch (index) {
    case REG_SECONDS: c.second = decode(r, value); break;
    case REG_MINUTES: c.minute = decode(r, value); break;
    case REG_HOURS: c.hour = decode_hour(r, value); break;
    case REG_DAY: c.day = decode(r, value); break;
    case REG_MONTH: c.month = decode(r, value); break;
    case REG_YEAR: c.year = c.year / 100 * 100 + decode(r, value); break;
    case REG_CENTURY: c.year = decode(r, value) * 100 + c.year % 100; break;
    default: break; /* the weekday follows from the date */
    }
    if (r->halted) {
        r->frozen = c; /* a date may be impossible until all of it is written */
    } else if (c.month >= 1 && c.month <= 12) {
        r->base = seconds_of(&c) - (int64_t)machine_second(r);
    }
}

/* --- access ----------------------------------------------------------------- */

static bool
update_in_progress(const struct rtc *r)
{
    uint64_t in_second = machine_now(r->machine) % MACHINE_TSC_HZ;
    return !r->halted && in_second >= MACHINE_TSC_HZ - machine_ns_to_cycles(UIP_NS);
}

static uint8_t
data_read(struct rtc *r)
{
    unsigned index = r->index;
    if (is_time(index)) {
        return time_read(r, index);
    }
    switch (index) {
    case REG_A:
        return (r->cmos[REG_A] & 0x7F) | (update_in_progress(r) ? A_UIP : 0);
    case REG_C: {
        uint64_t second = machine_second(r);
        uint8_t flags = !r->halted && second != r->flags_second ? C_UPDATE : 0;
        r->flags_second = second;
        return flags;
    }
    case REG_D:
        return D_VALID;
    default:
        return r->cmos[index];
    }
}

static void
write_b(struct rtc *r, uint8_t value)
{
    if (value & B_INTERRUPTS) {
        machine_request_stop(r->machine, STOP_UNIMPLEMENTED, value,
                             "the RTC's interrupts are not modelled (register B = %#x)", value);
    }
    if (value & B_SET && !r->halted) {
        r->frozen = clock_now(r);
        r->halted = true;
    } else if (!(value & B_SET) && r->halted) {
        r->halted = false;
        if (r->frozen.month >= 1 && r->frozen.month <= 12) {
            r->base = seconds_of(&r->frozen) - (int64_t)machine_second(r);
        }
    }
    r->cmos[REG_B] = value;
}

static void
data_write(struct rtc *r, uint8_t value)
{
    unsigned index = r->index;
    if (is_time(index)) {
        time_write(r, index, value);
    } else if (index == REG_B) {
        write_b(r, value);
    } else if (index != REG_C && index != REG_D) {
        r->cmos[index] = value;
    }
}

uint64_t
rtc_read(void *rtc, uint64_t offset, unsigned size)
{
    struct rtc *r = rtc;
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)(offset + i == 1 ? data_read(r) : 0xFF) << (8 * i);
    }
    return value;
}

void
rtc_write(void *rtc, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtc *r = rtc;
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        if (offset + i == 0) {
            r->index = byte & 0x7F; /* bit 7 masks NMIs of the board, of which there are none */
        } else {
            data_write(r, byte);
        }
    }
}

/* --- life ------------------------------------------------------------------- */

struct rtc *
rtc_new(struct machine *m)
{
    struct rtc *r = calloc(1, sizeof *r);
    if (r) {
        r->machine = m;
        r->base = (int64_t)m->config.rtc_epoch;
        r->cmos[REG_A] = A_DEFAULT;
        r->cmos[REG_B] = B_24H;
    }
    return r;
}

void
rtc_free(struct rtc *r)
{
    free(r);
}

void
rtc_state(struct rtc *r, struct state *s)
{
    STATE_VISIT(s, r->index);
    STATE_VISIT(s, r->cmos);
    STATE_VISIT(s, r->base);
    STATE_VISIT(s, r->flags_second);
    STATE_VISIT(s, r->halted);
    STATE_VISIT(s, r->frozen);
    r->index &= 0x7F;
}
