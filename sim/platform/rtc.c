/* MC146818 real-time clock; see rtc.h. */
#include "sim/platform/rtc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"

enum {
    REG_SECONDS = 0x00, REG_MINUTES = 0x02, REG_HOURS = 0x04, REG_WEEKDAY = 0x06,
    REG_ALARM_SECONDS = 0x01, REG_ALARM_MINUTES = 0x03, REG_ALARM_HOURS = 0x05,
    REG_DAY = 0x07, REG_MONTH = 0x08, REG_YEAR = 0x09,
    REG_A = 0x0A, REG_B = 0x0B, REG_C = 0x0C, REG_D = 0x0D, REG_CENTURY = 0x32,
    A_UIP = 1 << 7, A_DEFAULT = 0x26, /* 32.768 kHz time base, 1024 Hz rate */
    B_SET = 1 << 7, B_BINARY = 1 << 2, B_24H = 1 << 1,
    C_REQUEST = 1 << 7, C_PERIODIC = 1 << 6, C_ALARM = 1 << 5, C_UPDATE = 1 << 4, /* enables: same bits of B */
    D_VALID = 1 << 7,
};
enum { UIP_NS = 244000 }; /* UIP rises this long before the update */
enum { BASE_HZ = 32768, ALARM_ANY = 0xC0, DAY = 86400 };
#define NEVER UINT64_MAX

struct rtc {
    struct machine *machine;
    uint8_t index;
    uint8_t cmos[128];       /* registers A, B, alarm and plain memory; time is computed */
    int64_t base;            /* clock at machine cycle 0 [seconds since 1970] */
    uint8_t flags;           /* register C without C_REQUEST */
    uint64_t seen;           /* what happened up to here is in 'flags' [cycle] */
    bool line_high;          /* as told last */
    struct event event;      /* the next thing that interrupts */
    void (*line)(void *ctx, bool high);
    void *line_ctx;
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

/* --- interrupts ---------------------------------------------------------------- */

/* Cycles of the 32.768 kHz time base per periodic interrupt; 0: none ("Periodic Interrupt Rate"). */
static uint32_t
periodic_ticks(const struct rtc *r)
{
    unsigned rate = r->cmos[REG_A] & 15;
    return rate == 0 ? 0 : rate < 3 ? 1u << (rate + 6) : 1u << (rate - 1);
}

static uint64_t
periodic_count(const struct rtc *r, uint64_t cycle)
{
    return (uint64_t)((unsigned __int128)cycle * BASE_HZ / MACHINE_TSC_HZ) / periodic_ticks(r);
}

static bool
alarm_field_matches(const struct rtc *r, unsigned index, int32_t value)
{
    uint8_t alarm = r->cmos[index];
    return alarm >= ALARM_ANY || (index == REG_ALARM_HOURS ? decode_hour(r, alarm) : decode(r, alarm)) == value;
}

/* The first machine second behind 'second' at whose beginning the alarm's time of day comes; NEVER: it does not exist. */
static uint64_t
alarm_next(const struct rtc *r, uint64_t second)
{
    int64_t clock = r->base + (int64_t)second, of_day = (clock % DAY + DAY) % DAY;
    for (int64_t t = of_day + 1; t <= of_day + DAY;) {
        if (!alarm_field_matches(r, REG_ALARM_HOURS, (int32_t)(t / 3600 % 24))) {
            t = (t / 3600 + 1) * 3600;
        } else if (!alarm_field_matches(r, REG_ALARM_MINUTES, (int32_t)(t / 60 % 60))) {
            t = (t / 60 + 1) * 60;
        } else if (!alarm_field_matches(r, REG_ALARM_SECONDS, (int32_t)(t % 60))) {
            t++;
        } else {
            return second + (uint64_t)(t - of_day);
        }
    }
    return NEVER;
}

/* Flags are raised whether or not they interrupt; nobody looks before now. */
static void
catch_up(struct rtc *r)
{
    uint64_t now = machine_now(r->machine), before = r->seen / MACHINE_TSC_HZ, second = now / MACHINE_TSC_HZ;
    if (periodic_ticks(r) && periodic_count(r, now) != periodic_count(r, r->seen)) {
        r->flags |= C_PERIODIC;
    }
    if (!r->halted && second != before) {
        r->flags |= C_UPDATE | (alarm_next(r, before) <= second ? C_ALARM : 0);
    }
    r->seen = now;
}

/* The first cycle in which 'count' of 'hz' have gone by. */
static uint64_t
cycle_of(uint64_t count, uint64_t hz)
{
    return (uint64_t)(((unsigned __int128)count * MACHINE_TSC_HZ + hz - 1) / hz);
}

/* Drives the line, and arms the event for the earliest enabled flag that is not raised yet. */
static void
line_update(struct rtc *r)
{
    uint8_t enabled = r->cmos[REG_B] & (C_PERIODIC | C_ALARM | C_UPDATE), wanted = enabled & (uint8_t)~r->flags;
    uint64_t due = NEVER, second = r->seen / MACHINE_TSC_HZ;
    if (wanted & C_PERIODIC && periodic_ticks(r)) {
        due = cycle_of((periodic_count(r, r->seen) + 1) * periodic_ticks(r), BASE_HZ);
    }
    if (!r->halted && wanted & (C_UPDATE | C_ALARM)) {
        uint64_t next = wanted & C_UPDATE ? second + 1 : alarm_next(r, second);
        due = next < due / MACHINE_TSC_HZ ? next * MACHINE_TSC_HZ : due;
    }
    if (due == NEVER) {
        event_cancel(r->machine->events, &r->event);
    } else {
        event_arm(r->machine->events, &r->event, due);
    }
    bool high = enabled & r->flags;
    if (high != r->line_high) {
        r->line_high = high;
        r->line(r->line_ctx, high);
    }
}

static void
fire(void *ctx, uint64_t now)
{
    (void)now;
    catch_up(ctx);
    line_update(ctx);
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
        catch_up(r);
        uint8_t flags = r->flags | (r->cmos[REG_B] & r->flags ? C_REQUEST : 0);
        r->flags = 0;
        line_update(r);
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
    if (value & B_SET && !r->halted) {
        r->frozen = clock_now(r);
        r->halted = true;
    } else if (!(value & B_SET) && r->halted) {
        r->halted = false;
        if (r->frozen.month >= 1 && r->frozen.month <= 12) {
            r->base = seconds_of(&r->frozen) - (int64_t)machine_second(r);
        }
    }
    r->cmos[REG_B] = value & B_SET ? value & (uint8_t)~C_UPDATE : value; /* "SET to 1 clears UIE" */
}

static void
data_write(struct rtc *r, uint8_t value)
{
    unsigned index = r->index;
    catch_up(r);
    if (is_time(index)) {
        time_write(r, index, value);
    } else if (index == REG_B) {
        write_b(r, value);
    } else if (index != REG_C && index != REG_D) {
        r->cmos[index] = value;
    }
    line_update(r);
}

uint64_t
rtc_read(void *rtc, uint64_t offset, unsigned size)
{
    struct rtc *r = rtc;
    uint64_t value = 0;
    machine_slow_access(r->machine);
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)(offset + i == 1 ? data_read(r) : 0xFF) << (8 * i);
    }
    return value;
}

void
rtc_write(void *rtc, uint64_t offset, unsigned size, uint64_t value)
{
    struct rtc *r = rtc;
    machine_slow_access(r->machine);
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

/* What PC firmware leaves in the memory: "CMOS RAM" of the PC/AT, and the sizes that later firmware added. */
static void
firmware_write(struct rtc *r)
{
    enum { EQUIPMENT = 0x14, BASE_KIB = 0x15, EXTENDED_KIB = 0x17, EXTENDED_KIB_2 = 0x30, CHECKSUM = 0x2E, CHECKED = 0x10,
           ABOVE_16_MIB = 0x34, ABOVE_4_GIB = 0x5B, OTHER_CPUS = 0x5F };
    uint64_t ram = r->machine->config.ram_size, low = ram < MEM_HOLE_START ? ram : MEM_HOLE_START;
    uint64_t extended = (low >> 10) - 1024, above_16 = low > 16u << 20 ? (low - (16u << 20)) >> 16 : 0;
    uint64_t above_4 = (ram - low) >> 16;
    const struct { uint8_t at; unsigned size; uint64_t value; } row[] = {
        { EQUIPMENT, 1, 0x02 },                /* a numeric processor; no floppy, no display adapter with a ROM */
        { BASE_KIB, 2, 640 },
        { EXTENDED_KIB, 2, extended < 0xFFFF ? extended : 0xFFFF },
        { EXTENDED_KIB_2, 2, extended < 0xFFFF ? extended : 0xFFFF },
        { ABOVE_16_MIB, 2, above_16 },         /* [64 KiB] */
        { ABOVE_4_GIB, 3, above_4 },           /* [64 KiB] */
        { OTHER_CPUS, 1, r->machine->config.cpu_count - 1 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        for (unsigned b = 0; b < row[i].size; b++) {
            r->cmos[row[i].at + b] = (uint8_t)(row[i].value >> (8 * b));
        }
    }
    uint16_t sum = 0;
    for (unsigned i = CHECKED; i < CHECKSUM; i++) {
        sum = (uint16_t)(sum + r->cmos[i]);
    }
    r->cmos[CHECKSUM] = (uint8_t)(sum >> 8);
    r->cmos[CHECKSUM + 1] = (uint8_t)sum;
}

struct rtc *
rtc_new(struct machine *m, void (*line)(void *ctx, bool high), void *ctx)
{
    struct rtc *r = calloc(1, sizeof *r);
    if (r) {
        r->machine = m;
        r->line = line;
        r->line_ctx = ctx;
        event_init(&r->event, fire, r);
        r->base = (int64_t)m->config.rtc_epoch;
        r->seen = m->now;
        r->cmos[REG_A] = A_DEFAULT;
        r->cmos[REG_B] = B_24H;
        firmware_write(r);
    }
    return r;
}

void
rtc_free(struct rtc *r)
{
    if (r) {
        event_cancel(r->machine->events, &r->event);
    }
    free(r);
}

/* A reset leaves the clock and the memory alone, but turns interrupts off (MC146818A "RESET"); firmware then writes its sizes again. */
static void
keep(struct rtc *r, const struct rtc *before)
{
    enum { B_INTERRUPTS = 0x78 }; /* PIE, AIE, UIE, SQWE */
    memcpy(r->cmos, before->cmos, sizeof r->cmos);
    r->cmos[REG_B] &= (uint8_t)~B_INTERRUPTS;
    r->base = before->base;
    r->halted = before->halted;
    r->frozen = before->frozen;
    r->seen = r->machine->now;
    firmware_write(r);
}

void
rtc_state(struct rtc *r, struct state *s)
{
    const struct rtc before = *r;
    STATE_VISIT(s, r->index);
    STATE_VISIT(s, r->cmos);
    STATE_VISIT(s, r->base);
    STATE_VISIT(s, r->flags);
    STATE_VISIT(s, r->seen);
    STATE_VISIT(s, r->line_high);
    STATE_VISIT(s, r->halted);
    STATE_VISIT(s, r->frozen);
    event_state(r->machine->events, &r->event, s);
    r->index &= 0x7F;
    if (state_is_reset(s)) {
        keep(r, &before);
    }
}
