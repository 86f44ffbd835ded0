/* What people do to the machine; see input.h. */
#include "sim/platform/input.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/platform/platform.h"
#include "sim/platform/virtio_console.h"

enum { BAUD = 115200, BITS = 10, HEARTBEAT_NS = 10000000 };

struct input {
    struct machine *machine;
    struct event wire, heartbeat;
    bool listens;              /* the heart beats; follows from the event */
    struct virtio_console *console; /* or NULL: COM1 */
    uint8_t bytes[INPUT_WIRE]; /* ring */
    uint32_t first, count;
};

/* --- the wire ----------------------------------------------------------------------- */

static void
wire_arm(struct input *in, uint64_t now)
{
    event_arm(in->machine->events, &in->wire, now + (uint64_t)MACHINE_TSC_HZ * BITS / BAUD);
}

/* False: there is no room yet. */
static bool
offer(struct input *in, uint8_t byte)
{
    if (in->console) {
        return virtio_console_input(in->console, byte);
    }
    return platform_console_ready(in->machine->platform) && platform_console_input(in->machine->platform, byte);
}

static void
wire_fire(void *ctx, uint64_t now)
{
    struct input *in = ctx;
    if (in->count && offer(in, in->bytes[in->first])) {
        in->first = (in->first + 1) % INPUT_WIRE;
        in->count--;
    }
    if (in->count) {
        wire_arm(in, now);
    }
}

static void
wire_put(struct input *in, uint8_t byte)
{
    if (in->count < INPUT_WIRE) {
        in->bytes[(in->first + in->count++) % INPUT_WIRE] = byte;
    }
    if (!event_is_armed(&in->wire)) {
        wire_arm(in, machine_now(in->machine));
    }
}

/* --- events --------------------------------------------------------------------------- */

void
input_apply(struct input *in, const struct input_event *e)
{
    struct platform *p = in->machine->platform;
    switch (e->kind) {
    case INPUT_SERIAL:
        wire_put(in, e->byte);
        break;
    case INPUT_KEY:
        platform_key(p, e->key, e->down);
        break;
    case INPUT_MOUSE:
        platform_mouse(p, e->dx, e->dy, e->wheel, e->buttons);
        break;
    case INPUT_POWER_BUTTON:
        platform_power_button(p);
        break;
    }
}

/* kind, byte or down or buttons, key or dx (16), dy (16), wheel, 0 */
void
input_event_pack(const struct input_event *e, uint8_t bytes[INPUT_EVENT_SIZE])
{
    memset(bytes, 0, INPUT_EVENT_SIZE);
    bytes[0] = (uint8_t)e->kind;
    bytes[1] = e->kind == INPUT_SERIAL ? e->byte : e->kind == INPUT_KEY ? e->down : e->buttons;
    memcpy(bytes + 2, e->kind == INPUT_KEY ? (const void *)&e->key : (const void *)&e->dx, 2);
    memcpy(bytes + 4, &e->dy, 2);
    bytes[6] = (uint8_t)e->wheel;
}

bool
input_event_unpack(struct input_event *e, const uint8_t bytes[INPUT_EVENT_SIZE])
{
    if (bytes[0] < INPUT_SERIAL || bytes[0] > INPUT_POWER_BUTTON) {
        return false;
    }
    *e = (struct input_event){ .kind = bytes[0], .byte = bytes[1], .down = bytes[1] & 1, .buttons = bytes[1] & 7,
                               .wheel = (int8_t)bytes[6] };
    memcpy(&e->key, bytes + 2, 2);
    memcpy(&e->dx, bytes + 2, 2);
    memcpy(&e->dy, bytes + 4, 2);
    return true;
}

/* --- life ------------------------------------------------------------------------------- */

static void
heartbeat_fire(void *ctx, uint64_t now)
{
    struct input *in = ctx;
    event_arm(in->machine->events, &in->heartbeat, now + machine_ns_to_cycles(HEARTBEAT_NS));
}

void
input_to(struct input *in, struct virtio_console *console)
{
    in->console = console;
}

void
input_listen(struct input *in)
{
    in->listens = true;
    heartbeat_fire(in, in->machine->now);
}

/* A reset does not reach the people: what they typed is on its way, and who listened listens. */
static void
keep(struct input *in, const struct input *before)
{
    memcpy(in->bytes, before->bytes, sizeof in->bytes);
    in->first = before->first;
    in->count = before->count;
    if (in->count) {
        wire_arm(in, in->machine->now);
    }
    if (before->listens) {
        input_listen(in);
    }
}

static void
input_state(void *ctx, struct state *s)
{
    struct input *in = ctx;
    const struct input before = *in;
    STATE_VISIT(s, in->bytes);
    STATE_VISIT(s, in->first);
    STATE_VISIT(s, in->count);
    event_state(in->machine->events, &in->wire, s);
    event_state(in->machine->events, &in->heartbeat, s);
    if (in->first >= INPUT_WIRE || in->count > INPUT_WIRE) {
        state_fail(s, "input out of range");
        in->first = in->count = 0;
    }
    in->listens = event_is_armed(&in->heartbeat);
    if (state_is_reset(s)) {
        keep(in, &before);
    }
}

struct input *
input_new(struct machine *m)
{
    struct input *in = calloc(1, sizeof *in);
    if (in) {
        in->machine = m;
        event_init(&in->wire, wire_fire, in);
        event_init(&in->heartbeat, heartbeat_fire, in);
        machine_add_part(m, "input", input_state, in);
    }
    return in;
}

void
input_free(struct input *in)
{
    free(in);
}
