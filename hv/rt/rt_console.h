/* A kernel's words for people: the laboratory's console if there is one, else the serial port. */
#ifndef HV_RT_RT_CONSOLE_H
#define HV_RT_RT_CONSOLE_H

#include "hv/rt/rt.h"

struct rt_console {
    const char *name; /* begins every line */
    unsigned channel; /* of the laboratory device */
    bool lab;         /* the device is there */
};

void rt_serial_init(void); /* 115200 baud, 8 bits, no parity, one stop bit */
/* "NAME: TEXT" and a line feed. */
void rt_console_line(const struct rt_console *, const char *format, va_list);
/* "NAME: PANIC: TEXT"; tells the laboratory, and isa-debug-exit 'code' where there is one.  The caller goes no further. */
void rt_console_panic(const struct rt_console *, uint32_t code, const char *format, va_list);

#endif
