/* The keyboard controller; see i8042.h. */
#include "sim/platform/i8042.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/i8042_priv.h"
#include "spec/platform/memory_map.h"

enum { RAM_SIZE = 32, RAM_CTR = 0, INPUT_PORT = 0xB0, OUTPUT_RESET = 1, OUTPUT_A20 = 2 };
enum source { FROM_NONE, FROM_CONTROLLER, FROM_KEYBOARD, FROM_MOUSE };

struct i8042 {
    struct i8042_board board;
    struct ps2_keyboard keyboard;
    struct ps2_mouse mouse;
    uint8_t ram[RAM_SIZE];       /* first byte: command byte */
    uint8_t output_port;
    uint8_t data;                /* what port 60H shows */
    uint8_t source;              /* of it; FROM_NONE: it has been read */
    uint8_t parameter_of;        /* controller command whose parameter comes next at 60H, or 0 */
    bool command_last;
    bool release;                /* the translator has seen F0H */
    bool irq_high[2];            /* lines 1 and 12 */
    uint8_t answer;              /* of the controller, waiting for the output buffer */
    bool answer_waits;
};

static const uint8_t translation[128] = { PS2_TRANSLATION };

/* --- output buffer ------------------------------------------------------------------ */

bool
ps2_put(struct ps2_queue *q, const uint8_t *bytes, unsigned count)
{
    if (count > (unsigned)PS2_QUEUE - q->count) {
        return false;
    }
    memcpy(q->bytes + q->count, bytes, count);
    q->count = (uint8_t)(q->count + count);
    return true;
}

static uint8_t
ps2_take(struct ps2_queue *q)
{
    uint8_t byte = q->bytes[0];
    q->count--;
    memmove(q->bytes, q->bytes + 1, q->count);
    q->bytes[q->count] = 0;
    return byte;
}

static void
lines_update(struct i8042 *c)
{
    static const uint8_t irq[2] = { IRQ_KEYBOARD, IRQ_MOUSE };
    uint8_t ctr = c->ram[RAM_CTR];
    const bool high[2] = {
        (c->source == FROM_KEYBOARD || c->source == FROM_CONTROLLER) && ctr & PS2_CTR_KEYBOARD_IRQ,
        c->source == FROM_MOUSE && ctr & PS2_CTR_MOUSE_IRQ,
    };
    for (unsigned i = 0; i < 2; i++) {
        if (c->irq_high[i] != high[i]) {
            c->irq_high[i] = high[i];
            c->board.line(c->board.ctx, irq[i], high[i]);
        }
    }
}

/* A set 2 byte in set 1; false: it only says something about the next. */
static bool
translate(struct i8042 *c, uint8_t *byte)
{
    if (*byte == 0xF0) {
        c->release = true;
        return false;
    }
    uint8_t code = *byte < 0x80 ? translation[*byte] : *byte == 0x83 ? 0x41 : *byte == 0x84 ? 0x54 : *byte;
    *byte = c->release ? code | 0x80 : code;
    c->release = false;
    return true;
}

/* The next byte for the output buffer, if any may come. */
static bool
next_byte(struct i8042 *c)
{
    uint8_t ctr = c->ram[RAM_CTR];
    if (c->answer_waits) {
        c->data = c->answer;
        c->source = FROM_CONTROLLER;
        c->answer_waits = false;
        return true;
    }
    while (!(ctr & PS2_CTR_KEYBOARD_OFF) && c->keyboard.queue.count) {
        c->data = ps2_take(&c->keyboard.queue);
        if (!(ctr & PS2_CTR_TRANSLATE) || translate(c, &c->data)) {
            c->source = FROM_KEYBOARD;
            return true;
        }
    }
    if (!(ctr & PS2_CTR_MOUSE_OFF)) {
        ps2_mouse_report(&c->mouse);
        if (c->mouse.queue.count) {
            c->data = ps2_take(&c->mouse.queue);
            c->source = FROM_MOUSE;
            return true;
        }
    }
    return false;
}

static void
refill(struct i8042 *c)
{
    if (c->source == FROM_NONE) {
        next_byte(c);
    }
    lines_update(c);
}

static void
answer(struct i8042 *c, uint8_t byte)
{
    c->answer = byte;
    c->answer_waits = true;
}

/* --- commands ------------------------------------------------------------------------- */

static void
output_port_write(struct i8042 *c, uint8_t value)
{
    c->output_port = value | OUTPUT_A20;
    if (!(value & OUTPUT_RESET)) {
        c->board.reset(c->board.ctx, "the keyboard controller's output port");
    } else if (!(value & OUTPUT_A20)) {
        c->board.a20_off(c->board.ctx, "the keyboard controller's output port");
    }
}

static void
self_test(struct i8042 *c)
{
    c->ram[RAM_CTR] = PS2_CTR_SYSTEM | PS2_CTR_KEYBOARD_OFF | PS2_CTR_MOUSE_OFF;
    c->source = FROM_NONE;
    answer(c, PS2_SELF_TEST_GOOD);
}

static uint8_t
output_port_read(const struct i8042 *c)
{
    return (uint8_t)(c->output_port | (c->irq_high[0] ? 0x10 : 0) | (c->irq_high[1] ? 0x20 : 0));
}

static void
command(struct i8042 *c, uint8_t byte)
{
    uint8_t *ctr = &c->ram[RAM_CTR];
    c->parameter_of = 0;
    if (byte >= PS2_READ_RAM && byte < PS2_READ_RAM + RAM_SIZE) {
        answer(c, c->ram[byte - PS2_READ_RAM]);
    } else if ((byte >= PS2_WRITE_RAM && byte < PS2_WRITE_RAM + RAM_SIZE) || (byte >= PS2_WRITE_OUTPUT && byte <= PS2_TO_MOUSE)) {
        c->parameter_of = byte;
    } else if (byte >= PS2_PULSE && !(byte & 1)) {
        c->board.reset(c->board.ctx, "the keyboard controller (port 0x64)");
    }
    switch (byte) {
    case PS2_MOUSE_DISABLE: *ctr |= PS2_CTR_MOUSE_OFF; break;
    case PS2_MOUSE_ENABLE: *ctr &= (uint8_t)~PS2_CTR_MOUSE_OFF; break;
    case PS2_KEYBOARD_DISABLE: *ctr |= PS2_CTR_KEYBOARD_OFF; break;
    case PS2_KEYBOARD_ENABLE: *ctr &= (uint8_t)~PS2_CTR_KEYBOARD_OFF; break;
    case PS2_A20_OFF: c->board.a20_off(c->board.ctx, "the keyboard controller"); break;
    case PS2_MOUSE_TEST: case PS2_KEYBOARD_TEST: answer(c, 0); break;
    case PS2_SELF_TEST: self_test(c); break;
    case PS2_READ_INPUT: answer(c, INPUT_PORT); break;
    case PS2_READ_OUTPUT: answer(c, output_port_read(c)); break;
    default: break; /* what else there is does nothing, as on most controllers */
    }
}

/* The byte after a command, or one for the keyboard. */
static void
data_write(struct i8042 *c, uint8_t byte)
{
    uint8_t of = c->parameter_of;
    c->parameter_of = 0;
    switch (of) {
    case 0:
        c->ram[RAM_CTR] &= (uint8_t)~PS2_CTR_KEYBOARD_OFF; /* writing to the keyboard turns it on */
        ps2_keyboard_receive(&c->keyboard, byte);
        break;
    case PS2_WRITE_OUTPUT:
        output_port_write(c, byte);
        break;
    case PS2_FROM_KEYBOARD: case PS2_FROM_MOUSE:
        c->data = byte;
        c->source = of == PS2_FROM_MOUSE ? FROM_MOUSE : FROM_KEYBOARD;
        break;
    case PS2_TO_MOUSE:
        c->ram[RAM_CTR] &= (uint8_t)~PS2_CTR_MOUSE_OFF;
        ps2_mouse_receive(&c->mouse, byte);
        break;
    default:
        c->ram[of - PS2_WRITE_RAM] = byte;
        break;
    }
}

/* --- ports ----------------------------------------------------------------------------- */

static uint64_t
data_read(void *ctx, uint64_t offset, unsigned size)
{
    struct i8042 *c = ctx;
    (void)offset, (void)size;
    uint8_t byte = c->data;
    c->source = FROM_NONE;
    lines_update(c); /* falls, so that the next byte is an edge */
    refill(c);
    return byte;
}

static void
data_port_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct i8042 *c = ctx;
    (void)offset, (void)size;
    c->command_last = false;
    data_write(c, (uint8_t)value);
    refill(c);
}

static uint64_t
status_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct i8042 *c = ctx;
    (void)offset, (void)size;
    return PS2_STATUS_UNLOCKED | (c->source != FROM_NONE ? PS2_STATUS_OUTPUT : 0) |
           (c->source == FROM_MOUSE ? PS2_STATUS_MOUSE : 0) | (c->ram[RAM_CTR] & PS2_CTR_SYSTEM) |
           (c->command_last ? PS2_STATUS_COMMAND : 0);
}

static void
command_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct i8042 *c = ctx;
    (void)offset, (void)size;
    c->command_last = true;
    command(c, (uint8_t)value);
    refill(c);
}

/* --- input ------------------------------------------------------------------------------ */

void
i8042_key(struct i8042 *c, uint16_t key, bool down)
{
    ps2_keyboard_key(&c->keyboard, key, down);
    refill(c);
}

void
i8042_mouse(struct i8042 *c, int dx, int dy, int wheel, uint8_t buttons)
{
    ps2_mouse_move(&c->mouse, dx, dy, wheel, buttons);
    refill(c);
}

/* --- life -------------------------------------------------------------------------------- */

struct i8042 *
i8042_new(struct machine *m, const struct i8042_board *board)
{
    struct i8042 *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    c->board = *board;
    c->output_port = 0xCC | OUTPUT_RESET | OUTPUT_A20;
    /* As firmware leaves it: the keyboard works, translated; the mouse is off. */
    c->ram[RAM_CTR] = PS2_CTR_KEYBOARD_IRQ | PS2_CTR_SYSTEM | PS2_CTR_MOUSE_OFF | PS2_CTR_TRANSLATE;
    ps2_keyboard_reset(&c->keyboard);
    ps2_mouse_reset(&c->mouse);
    const struct mem_region data = { "i8042-data", data_read, data_port_write, c };
    const struct mem_region command_port = { "i8042", status_read, command_write, c };
    mem_port_map(m->mem, PORT_PS2_DATA, 1, &data);
    mem_port_map(m->mem, PORT_PS2_COMMAND, 1, &command_port);
    return c;
}

void
i8042_free(struct i8042 *c)
{
    free(c);
}

static void
queue_state(struct ps2_queue *q, struct state *s)
{
    STATE_VISIT(s, q->bytes);
    STATE_VISIT(s, q->count);
    if (q->count > PS2_QUEUE) {
        state_fail(s, "PS/2 queue out of range");
        q->count = 0;
    }
}

static void
mouse_state(struct ps2_mouse *m, struct state *s)
{
    queue_state(&m->queue, s);
    STATE_VISIT(s, m->parameter_of);
    STATE_VISIT(s, m->rate);
    STATE_VISIT(s, m->resolution);
    STATE_VISIT(s, m->buttons);
    STATE_VISIT(s, m->knock);
    STATE_VISIT(s, m->wheel);
    STATE_VISIT(s, m->reporting);
    STATE_VISIT(s, m->remote);
    STATE_VISIT(s, m->wrap);
    STATE_VISIT(s, m->doubled);
    STATE_VISIT(s, m->dx);
    STATE_VISIT(s, m->dy);
    STATE_VISIT(s, m->dz);
    STATE_VISIT(s, m->changed);
    const int32_t moved[3] = { m->dx, m->dy, m->dz };
    bool good = m->knock <= 2;
    for (unsigned i = 0; i < 3; i++) {
        good &= moved[i] >= -PS2_FAR && moved[i] <= PS2_FAR;
    }
    if (!good) {
        state_fail(s, "PS/2 mouse out of range");
        ps2_mouse_reset(m);
    }
}

void
i8042_state(struct i8042 *c, struct state *s)
{
    queue_state(&c->keyboard.queue, s);
    STATE_VISIT(s, c->keyboard.parameter_of);
    STATE_VISIT(s, c->keyboard.set);
    STATE_VISIT(s, c->keyboard.leds);
    STATE_VISIT(s, c->keyboard.rate);
    STATE_VISIT(s, c->keyboard.scanning);
    mouse_state(&c->mouse, s);
    STATE_VISIT(s, c->ram);
    STATE_VISIT(s, c->output_port);
    STATE_VISIT(s, c->data);
    STATE_VISIT(s, c->source);
    STATE_VISIT(s, c->parameter_of);
    STATE_VISIT(s, c->command_last);
    STATE_VISIT(s, c->release);
    STATE_VISIT(s, c->irq_high);
    STATE_VISIT(s, c->answer);
    STATE_VISIT(s, c->answer_waits);
    bool ram_command = c->parameter_of >= PS2_WRITE_RAM && c->parameter_of < PS2_WRITE_RAM + RAM_SIZE;
    bool known = ram_command || c->parameter_of == 0 || (c->parameter_of >= PS2_WRITE_OUTPUT && c->parameter_of <= PS2_TO_MOUSE);
    if (!known || c->source > FROM_MOUSE) {
        state_fail(s, "keyboard controller out of range");
        c->parameter_of = 0;
    }
}
