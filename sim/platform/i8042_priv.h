/* Inside of the keyboard controller: i8042.c, ps2_keyboard.c and ps2_mouse.c. */
#ifndef SIM_PLATFORM_I8042_PRIV_H
#define SIM_PLATFORM_I8042_PRIV_H

#include "sim/platform/i8042.h"
#include "spec/platform/ps2.h"

enum { PS2_QUEUE = 32, PS2_FAR = 1 << 16 /* movement that can wait to be reported */ };

/* Bytes on their way from a device, oldest first. */
struct ps2_queue {
    uint8_t bytes[PS2_QUEUE];
    uint8_t count;
};

struct ps2_keyboard {
    struct ps2_queue queue;
    uint8_t parameter_of;  /* command whose parameter comes next, or 0 */
    uint8_t set;           /* scan code set: 1 or 2 */
    uint8_t leds, rate;
    bool scanning;
};

struct ps2_mouse {
    struct ps2_queue queue;
    uint8_t parameter_of;
    uint8_t rate, resolution, buttons;
    uint8_t knock;         /* how much of 200, 100, 80 has been heard: 0-2 */
    bool wheel;            /* 4-byte packets */
    bool reporting, remote, wrap, doubled;
    int32_t dx, dy, dz;    /* not yet reported */
    bool changed;
};

/* False: no room, nothing was added. */
bool ps2_put(struct ps2_queue *, const uint8_t *bytes, unsigned count);

void ps2_keyboard_reset(struct ps2_keyboard *);
void ps2_keyboard_receive(struct ps2_keyboard *, uint8_t byte);
void ps2_keyboard_key(struct ps2_keyboard *, uint16_t key, bool down);

void ps2_mouse_reset(struct ps2_mouse *);
void ps2_mouse_receive(struct ps2_mouse *, uint8_t byte);
void ps2_mouse_move(struct ps2_mouse *, int dx, int dy, int dz, uint8_t buttons);
void ps2_mouse_report(struct ps2_mouse *); /* queues a packet if there is something to say and room */

#endif
