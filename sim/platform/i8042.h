/* The keyboard controller, with a keyboard and a wheel mouse behind it.
 *
 *   port 60H   data            port 64H   status (read), command (write)
 *   interrupt lines 1 (keyboard) and 12 (mouse), a pulse for every byte
 *   output port: bit 0 low resets the machine; bit 1 is A20, which is always on here: turning it off stops the machine
 *
 * The keyboard speaks scan code sets 1 and 2 (2 after reset), the controller
 * translates 2 to 1 when told to.  The mouse speaks the 3-byte packets of PS/2 and,
 * after the usual knock (rates 200, 100, 80), the 4-byte ones with a wheel.  Bytes
 * appear as soon as the one before was read: wires of infinite speed.  Key repeat is
 * whoever's that presses the keys.
 */
#ifndef SIM_PLATFORM_I8042_H
#define SIM_PLATFORM_I8042_H

#include <stdbool.h>
#include <stdint.h>

struct i8042;
struct machine;
struct state;

/* Maps its ports. 'line' drives an interrupt line, 'reset' the board's reset line; 'a20_off': software wants that. */
struct i8042_board {
    void (*line)(void *ctx, unsigned irq, bool high);
    void (*reset)(void *ctx, const char *by);
    void (*a20_off)(void *ctx, const char *by);
    void *ctx;
};
struct i8042 *i8042_new(struct machine *, const struct i8042_board *); /* NULL: no host memory */
void i8042_free(struct i8042 *);
void i8042_state(struct i8042 *, struct state *);

/* Input, from the machine's input log.  What nobody listens to, or does not fit, is lost, as on a PC. */
void i8042_key(struct i8042 *, uint16_t key, bool down); /* spec/platform/ps2.h: PS2_KEY_* */
/* Movement right and up, wheel towards the user; buttons: left 1, right 2, middle 4. */
void i8042_mouse(struct i8042 *, int dx, int dy, int wheel, uint8_t buttons);

#endif
