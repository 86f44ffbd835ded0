#include "sim/cli/terminal.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { CTRL_A = 1 };

void
terminal_open(struct terminal *t)
{
    *t = (struct terminal){ .open = true };
    if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &t->before) == 0) {
        struct termios raw = t->before;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST; /* our own messages end in plain line feeds */
        t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
        fputs("hvlab: the keyboard is the machine's; Ctrl-A h tells how to get it back\n", stderr);
    }
}

void
terminal_close(struct terminal *t)
{
    if (t->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
    *t = (struct terminal){ .open = false };
}

void
terminal_wait(const struct terminal *t, int ms)
{
    struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
    poll(&fd, t->open ? 1 : 0, ms);
}

static bool
has_byte(void)
{
    struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
    return poll(&fd, 1, 0) == 1;
}

/* The key after Ctrl-A. */
static enum terminal_result
command(uint8_t byte, struct input_event *e)
{
    switch (byte) {
    case 'x':
        return TERMINAL_QUIT;
    case 'p':
        *e = (struct input_event){ .kind = INPUT_POWER_BUTTON };
        return TERMINAL_EVENT;
    case 'a': case CTRL_A:
        *e = (struct input_event){ .kind = INPUT_SERIAL, .byte = CTRL_A };
        return TERMINAL_EVENT;
    default:
        fputs("\nhvlab: Ctrl-A x ends the run, Ctrl-A p presses the power button, Ctrl-A a sends Ctrl-A\n", stderr);
        return TERMINAL_NOTHING;
    }
}

enum terminal_result
terminal_poll(struct terminal *t, struct input_event *e)
{
    uint8_t byte;
    while (t->open && has_byte()) {
        if (read(STDIN_FILENO, &byte, 1) != 1) { /* the end of a file or pipe */
            terminal_close(t);
            return TERMINAL_NOTHING;
        }
        if (t->prefix) {
            t->prefix = false;
            enum terminal_result result = command(byte, e);
            if (result != TERMINAL_NOTHING)
                return result;
        } else if (t->raw && byte == CTRL_A) {
            t->prefix = true;
        } else {
            *e = (struct input_event){ .kind = INPUT_SERIAL, .byte = byte };
            return TERMINAL_EVENT;
        }
    }
    return TERMINAL_NOTHING;
}
