#include "guests/mini/lab.h"

#include <stdarg.h>

#include "guests/mini/arch.h"

static struct lab_report report __attribute__((aligned(4096)));
static struct { uint16_t port; bool present; } lab;

void lab_init(uint32_t channel)
{
    lab.port = (uint16_t)(LAB_PORT_BASE + LAB_PORT_STRIDE * channel);
    report.magic = LAB_REPORT_MAGIC;
    report.payload_hash = LAB_HASH_START;
    lab.present = arch_in32(lab.port + LAB_REG_ID) == LAB_ID;
    if (!lab.present)
        return;
    uint64_t address = (uint64_t)(uintptr_t)&report;
    arch_out32(lab.port + LAB_REG_REPORT_LOW, (uint32_t)address);
    arch_out32(lab.port + LAB_REG_REPORT_HIGH, (uint32_t)(address >> 32));
}

void lab_count(unsigned counter, uint64_t n) { report.counters[counter] += n; }
void lab_set(unsigned counter, uint64_t value) { report.counters[counter] = value; }

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * LAB_HASH_MULTIPLIER;
    return h << 29 | h >> 35;
}

void lab_hash(const uint8_t *bytes, uint32_t length)
{
    uint64_t h = mix(report.payload_hash, length), word;
    for (; length >= 8; length -= 8, bytes += 8) {
        __builtin_memcpy(&word, bytes, 8);
        h = mix(h, word);
    }
    if (length > 0) {
        word = 0;
        for (uint32_t i = 0; i < length; i++)
            word |= (uint64_t)bytes[i] << (8 * i);
        h = mix(h, word);
    }
    report.payload_hash = h;
}

void lab_event(unsigned event, uint32_t detail)
{
    if (lab.present)
        arch_out32(lab.port + LAB_REG_EVENT, event | detail << 8);
}

uint32_t lab_start_delay(void)
{
    return lab.present ? arch_in32(lab.port + LAB_REG_START_DELAY) : 0;
}

static void put(char c)
{
    if (lab.present)
        arch_out32(lab.port + LAB_REG_LOG, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[24];
    unsigned count = 0;
    do
        digits[count++] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    while (count > 0)
        put(digits[--count]);
}

static void put_argument(char kind, bool wide, va_list *list)
{
    if (kind == 's') {
        for (const char *s = va_arg(*list, const char *); *s; s++)
            put(*s);
        return;
    }
    uint64_t value = wide ? va_arg(*list, unsigned long) : va_arg(*list, unsigned);
    if (kind == 'd' && !wide && (int32_t)value < 0) {
        put('-');
        value = (uint32_t)-(int32_t)value;
    }
    put_number(value, kind == 'x' ? 16 : 10);
}

void lab_log(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        bool wide = *++format == 'l';
        format += wide;
        put_argument(*format, wide, &list);
    }
    va_end(list);
}

void lab_fail(const char *why)
{
    lab_log("mini: stopped: %s\n", why);
    lab_event(LAB_EVENT_FAILED, 1);
    for (;;)
        __asm__ volatile("cli; hlt");
}
