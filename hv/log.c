/* Text for people: the laboratory's console of channel 0, or the serial port. */
#include "hv/hv.h"
#include "spec/lab/lab.h"

enum { COM1 = 0x3F8, COM1_STATUS = COM1 + 5, COM1_EMPTY = 0x20, COM1_PATIENCE = 100000, DEBUG_EXIT = 0xF4 };
enum { LAB_HV = LAB_PORT_BASE + LAB_PORT_STRIDE * LAB_CHANNEL_HV };

/* 115200 baud, 8 bits, no parity, one stop bit; no interrupts (16550 data sheet). */
void hv_log_init(void)
{
    enum { LINE_8N1 = 3, DIVISOR_LATCH = 0x80, FIFO_ON = 7, DTR_RTS = 3 };
    arch_out8(COM1 + 1, 0);
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

/* To the laboratory's console if there is one, else to the serial port. */
static void put_text(const char *text)
{
    for (; *text; text++) {
        if (hv.lab_present) {
            arch_out32(LAB_HV + LAB_REG_LOG, (uint8_t)*text);
            continue;
        }
        if (*text == '\n')
            serial_put('\r');
        serial_put(*text);
    }
}

void hv_log(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    size_t n = rt_vformat(line, sizeof(line) - 1, format, args);
    va_end(args);
    line[n] = '\n';
    line[n + 1] = '\0';
    lock_take(&hv.log_lock);
    put_text("hv: ");
    put_text(line);
    lock_release(&hv.log_lock);
}

_Noreturn void hv_panic(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    rt_vformat(line, sizeof(line), format, args);
    va_end(args);
    put_text("hv: PANIC: "); /* without the lock: its holder may be the one that fails */
    put_text(line);
    put_text("\n");
    if (hv.lab_present)
        arch_out32(LAB_HV + LAB_REG_EVENT, LAB_EVENT_FAILED | 1u << 8);
    arch_out32(DEBUG_EXIT, 0x10);
    for (;;)
        arch_wait();
}

_Noreturn void rt_fail(const char *file, int line, const char *what)
{
    hv_panic("assertion failed: %s (%s:%d)", what, file, line);
}
