/* The terminal as COM1's keyboard.  While open it is raw: every key goes to the machine, Ctrl-C too.
 *
 *   Ctrl-A x   end the run          Ctrl-A p   press the power button
 *   Ctrl-A a   send Ctrl-A          Ctrl-A h   tell about these
 *
 * Bytes that are not typed (a pipe, a file) are taken as they are.
 */
#ifndef SIM_CLI_TERMINAL_H
#define SIM_CLI_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

#include "sim/platform/input.h"

struct terminal {
    bool open, raw, prefix; /* 'prefix': Ctrl-A has been typed */
    struct termios before;
};

void terminal_open(struct terminal *);
void terminal_close(struct terminal *); /* gives the terminal back; does nothing when not open */

enum terminal_result { TERMINAL_NOTHING, TERMINAL_EVENT, TERMINAL_QUIT };
/* What has been typed, one event at a time; does not wait. */
enum terminal_result terminal_poll(struct terminal *, struct input_event *);
/* Waits up to 'ms' for something to be typed. */
void terminal_wait(const struct terminal *, int ms);

#endif
