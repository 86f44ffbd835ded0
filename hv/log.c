/* Text for people, and the last words. */
#include "hv/hv.h"
#include "hv/rt/rt_console.h"
#include "spec/lab/lab.h"

enum { EXIT_PANIC = 0x10 };

static struct rt_console console(void)
{
    return (struct rt_console){ "hv", LAB_CHANNEL_HV, hv.lab_present };
}

void hv_log_init(void) { rt_serial_init(); }

void hv_log(const char *format, ...)
{
    struct rt_console c = console();
    va_list args;
    va_start(args, format);
    lock_take(&hv.log_lock);
    rt_console_line(&c, format, args);
    lock_release(&hv.log_lock);
    va_end(args);
}

_Noreturn void hv_panic(const char *format, ...)
{
    struct rt_console c = console();
    va_list args;
    va_start(args, format);
    rt_console_panic(&c, EXIT_PANIC, format, args); /* without the lock: its holder may be the one that fails */
    va_end(args);
    for (;;)
        arch_wait();
}

_Noreturn void rt_fail(const char *file, int line, const char *what)
{
    hv_panic("assertion failed: %s (%s:%d)", what, file, line);
}
