/* A PS/2 wheel mouse: commands and packets; see i8042.h. */
#include "sim/platform/i8042_priv.h"

enum {
    SCALE_1 = 0xE6, SCALE_2 = 0xE7, RESOLUTION = 0xE8, STATUS = 0xE9, STREAM = 0xEA, READ = 0xEB, LEAVE_WRAP = 0xEC,
    WRAP = 0xEE, REMOTE = 0xF0, IDENTIFY = 0xF2, RATE = 0xF3, ENABLE = 0xF4, DISABLE = 0xF5, DEFAULTS = 0xF6, RESET = 0xFF,
    MOVE_MAX = 255, WHEEL_MAX = 7, WHEEL_ID = 3,
};

static void
put(struct ps2_mouse *m, uint8_t byte)
{
    ps2_put(&m->queue, &byte, 1);
}

static void
defaults(struct ps2_mouse *m)
{
    m->rate = 100;
    m->resolution = 2;
    m->reporting = m->remote = m->wrap = m->doubled = false;
    m->dx = m->dy = m->dz = 0;
    m->changed = false;
}

void
ps2_mouse_reset(struct ps2_mouse *m)
{
    *m = (struct ps2_mouse){ .buttons = 0 };
    defaults(m);
}

/* --- packets -------------------------------------------------------------------------- */

static int32_t
clamp(int32_t value, int32_t max)
{
    return value > max ? max : value < -max ? -max : value;
}

/* What does not fit into one packet stays for the next. */
static void
packet(struct ps2_mouse *m)
{
    int32_t x = clamp(m->dx, MOVE_MAX), y = clamp(m->dy, MOVE_MAX), z = clamp(m->dz, WHEEL_MAX);
    const uint8_t bytes[4] = {
        (uint8_t)(8 | (m->buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)), (uint8_t)x, (uint8_t)y, (uint8_t)z,
    };
    if (ps2_put(&m->queue, bytes, m->wheel ? 4 : 3)) {
        m->dx -= x;
        m->dy -= y;
        m->dz = m->wheel ? m->dz - z : 0;
        m->changed = m->dx || m->dy || m->dz;
    }
}

void
ps2_mouse_report(struct ps2_mouse *m)
{
    if (m->changed && m->reporting && !m->remote && m->queue.count == 0) {
        packet(m);
    }
}

void
ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, uint8_t buttons)
{
    m->dx = clamp(m->dx + clamp(dx, PS2_FAR), PS2_FAR);
    m->dy = clamp(m->dy + clamp(dy, PS2_FAR), PS2_FAR);
    m->dz = clamp(m->dz + clamp(dz, PS2_FAR), PS2_FAR);
    m->buttons = buttons & 7;
    m->changed = true;
    ps2_mouse_report(m);
}

/* --- commands -------------------------------------------------------------------------- */

static void
knock(struct ps2_mouse *m, uint8_t rate)
{
    static const uint8_t rates[3] = { 200, 100, 80 };
    m->knock = rate == rates[m->knock] ? m->knock + 1 : rate == rates[0];
    if (m->knock == 3) {
        m->wheel = true;
        m->knock = 0;
    }
}

static void
parameter(struct ps2_mouse *m, uint8_t value)
{
    if (m->parameter_of == RATE) {
        m->rate = value;
        knock(m, value);
    } else {
        m->resolution = value & 3;
    }
    m->parameter_of = 0;
    put(m, PS2_ACK);
}

static void
status(struct ps2_mouse *m)
{
    const uint8_t bytes[4] = {
        PS2_ACK,
        (uint8_t)((m->remote ? 0x40 : 0) | (m->reporting ? 0x20 : 0) | (m->doubled ? 0x10 : 0) | (m->buttons & 1) << 2 |
                  (m->buttons & 4) >> 1 | (m->buttons & 2) >> 1),
        m->resolution, m->rate,
    };
    ps2_put(&m->queue, bytes, sizeof bytes);
}

static void
command(struct ps2_mouse *m, uint8_t byte)
{
    put(m, PS2_ACK);
    switch (byte) {
    case SCALE_1: case SCALE_2:
        m->doubled = byte == SCALE_2;
        break;
    case RESOLUTION: case RATE:
        m->parameter_of = byte;
        break;
    case STREAM: case REMOTE:
        m->remote = byte == REMOTE;
        break;
    case READ:
        packet(m);
        break;
    case LEAVE_WRAP: case WRAP:
        m->wrap = byte == WRAP;
        break;
    case IDENTIFY:
        put(m, m->wheel ? WHEEL_ID : 0);
        break;
    case ENABLE: case DISABLE:
        m->reporting = byte == ENABLE;
        break;
    default:
        defaults(m);
        break;
    }
}

static bool
is_known(uint8_t byte)
{
    return (byte >= SCALE_1 && byte <= LEAVE_WRAP) || byte == WRAP || byte == REMOTE || (byte >= IDENTIFY && byte <= DEFAULTS);
}

void
ps2_mouse_receive(struct ps2_mouse *m, uint8_t byte)
{
    if (m->parameter_of) {
        parameter(m, byte);
        return;
    }
    if (m->wrap && byte != LEAVE_WRAP && byte != RESET) {
        put(m, byte);
        return;
    }
    m->queue.count = 0; /* a command ends the answer, or the packet, before it */
    if (byte == RESET) {
        static const uint8_t hello[] = { PS2_ACK, PS2_TEST_GOOD, 0 };
        ps2_mouse_reset(m);
        ps2_put(&m->queue, hello, sizeof hello);
    } else if (byte == STATUS) {
        status(m);
    } else if (is_known(byte)) {
        command(m, byte);
    } else {
        put(m, PS2_RESEND);
    }
}
