/* The one door through which people reach a booted machine: typed bytes, keys,
 * mouse, power button.
 *
 * The caller applies events between rounds (machine_run returned), at a cycle
 * that it notes in the input log; applying the same events at the same cycles
 * gives the same machine.  Typed bytes wait in a wire of 115200 baud and enter
 * COM1, or a virtio console, when it has room, so that pasting loses nothing (up to
 * INPUT_WIRE bytes).
 *
 * Somebody who listens for input keeps the machine alive: with input_listen an
 * event every 10 ms makes time pass even when all processors wait and nothing else
 * is due.  It is part of the configuration, because it shapes the rounds.
 */
#ifndef SIM_PLATFORM_INPUT_H
#define SIM_PLATFORM_INPUT_H

#include <stdbool.h>
#include <stdint.h>

struct input;
struct machine;
struct virtio_console;

enum { INPUT_WIRE = 4096, INPUT_EVENT_SIZE = 8 };

enum input_kind { INPUT_SERIAL = 1, INPUT_KEY, INPUT_MOUSE, INPUT_POWER_BUTTON };

struct input_event {
    enum input_kind kind;
    uint8_t byte;      /* SERIAL */
    uint16_t key;      /* KEY: spec/platform/ps2.h */
    bool down;         /* KEY */
    int16_t dx, dy;    /* MOUSE: right and up */
    int8_t wheel;      /* MOUSE: towards the user */
    uint8_t buttons;   /* MOUSE: left 1, right 2, middle 4 */
};

struct input *input_new(struct machine *); /* NULL: no host memory */
void input_free(struct input *);           /* before machine_free */
void input_to(struct input *, struct virtio_console *); /* typed bytes go there, not to COM1 */
void input_listen(struct input *);         /* before the machine runs */
void input_apply(struct input *, const struct input_event *);

/* An event as the log keeps it.  False: not one. */
void input_event_pack(const struct input_event *, uint8_t bytes[INPUT_EVENT_SIZE]);
bool input_event_unpack(struct input_event *, const uint8_t bytes[INPUT_EVENT_SIZE]);

#endif
