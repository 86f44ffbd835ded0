/* 16550 data sheet; spec/lab/lab.h. */
#include "hv/rt/rt_console.h"

#include "hv/arch/arch.h"
#include "spec/lab/lab.h"

enum { COM1 = 0x3F8, COM1_STATUS = COM1 + 5, COM1_EMPTY = 0x20, COM1_PATIENCE = 100000, DEBUG_EXIT = 0xF4 };
enum { LINE_MAX = 256 };

void rt_serial_init(void)
{
    enum { LINE_8N1 = 3, DIVISOR_LATCH = 0x80, FIFO_ON = 7, DTR_RTS = 3 };
    arch_out8(COM1 + 1, 0); /* no interrupts */
    arch_out8(COM1 + 3, DIVISOR_LATCH | LINE_8N1);
    arch_out8(COM1, 1);
    arch_out8(COM1 + 1, 0);
    arch_out8(COM1 + 3, LINE_8N1);
    arch_out8(COM1 + 2, FIFO_ON);
    arch_out8(COM1 + 4, DTR_RTS);
}

static void serial_put(char c)
{
    for (unsigned i = 0; i < COM1_PATIENCE && !(arch_in8(COM1_STATUS) & COM1_EMPTY); i++)
        arch_pause();
    arch_out8(COM1, (uint8_t)c);
}

static uint16_t lab_register(const struct rt_console *console, unsigned offset)
{
    return (uint16_t)(LAB_PORT_BASE + LAB_PORT_STRIDE * console->channel + offset);
}

static void put(const struct rt_console *console, const char *text)
{
    for (; *text; text++) {
        if (console->lab) {
            arch_out32(lab_register(console, LAB_REG_LOG), (uint8_t)*text);
            continue;
        }
        if (*text == '\n')
            serial_put('\r');
        serial_put(*text);
    }
}

static void put_line(const struct rt_console *console, const char *before, const char *format, va_list args)
{
    char line[LINE_MAX];
    rt_vformat(line, sizeof(line), format, args);
    put(console, console->name);
    put(console, before);
    put(console, line);
    put(console, "\n");
}

void rt_console_line(const struct rt_console *console, const char *format, va_list args)
{
    put_line(console, ": ", format, args);
}

void rt_console_panic(const struct rt_console *console, uint32_t code, const char *format, va_list args)
{
    put_line(console, ": PANIC: ", format, args);
    if (console->lab)
        arch_out32(lab_register(console, LAB_REG_EVENT), LAB_EVENT_FAILED | 1u << 8);
    arch_out32(DEBUG_EXIT, code);
}
