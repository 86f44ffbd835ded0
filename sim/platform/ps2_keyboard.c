/* A PS/2 keyboard: commands and scan codes; see i8042.h. */
#include "sim/platform/i8042_priv.h"

static const uint8_t set1_of_set2[128] = { PS2_TRANSLATION };

enum {
    SET_LEDS = 0xED, ECHO = 0xEE, SCAN_SET = 0xF0, IDENTIFY = 0xF2, SET_RATE = 0xF3, ENABLE = 0xF4,
    DISABLE = 0xF5, DEFAULTS = 0xF6, SET3_FIRST = 0xF7, SET3_LAST = 0xFD, RESET = 0xFF,
    F7_SET2 = 0x83, /* the one key outside the table */
};

static void
put(struct ps2_keyboard *k, uint8_t byte)
{
    ps2_put(&k->queue, &byte, 1);
}

static void
defaults(struct ps2_keyboard *k)
{
    k->set = 2;
    k->rate = 0x2B; /* 10.9 a second after 500 ms */
}

void
ps2_keyboard_reset(struct ps2_keyboard *k)
{
    *k = (struct ps2_keyboard){ .scanning = true };
    defaults(k);
}

/* --- commands --------------------------------------------------------------------- */

static void
parameter(struct ps2_keyboard *k, uint8_t value)
{
    uint8_t command = k->parameter_of;
    k->parameter_of = 0;
    if (command == SCAN_SET && value > 2) { /* set 3 is not offered */
        put(k, PS2_RESEND);
        return;
    }
    put(k, PS2_ACK);
    if (command == SET_LEDS) {
        k->leds = value & 7;
    } else if (command == SET_RATE) {
        k->rate = value;
    } else if (value) {
        k->set = value;
    } else {
        put(k, k->set);
    }
}

static void
command(struct ps2_keyboard *k, uint8_t byte)
{
    static const uint8_t identity[] = { PS2_ACK, 0xAB, 0x83 };
    switch (byte) {
    case SET_LEDS: case SCAN_SET: case SET_RATE:
        k->parameter_of = byte;
        put(k, PS2_ACK);
        break;
    case ECHO:
        put(k, ECHO);
        break;
    case IDENTIFY:
        ps2_put(&k->queue, identity, sizeof identity);
        break;
    case ENABLE:
        k->queue.count = 0;
        k->scanning = true;
        put(k, PS2_ACK);
        break;
    case DISABLE: case DEFAULTS:
        defaults(k);
        k->scanning = byte == DEFAULTS;
        put(k, PS2_ACK);
        break;
    case RESET:
        ps2_keyboard_reset(k);
        put(k, PS2_ACK);
        put(k, PS2_TEST_GOOD);
        break;
    default: /* modes of set 3 are accepted, as other keyboards do */
        put(k, byte >= SET3_FIRST && byte <= SET3_LAST ? PS2_ACK : PS2_RESEND);
        break;
    }
}

void
ps2_keyboard_receive(struct ps2_keyboard *k, uint8_t byte)
{
    if (k->parameter_of && byte < SET_LEDS) {
        parameter(k, byte);
    } else {
        k->parameter_of = 0;
        command(k, byte);
    }
}

/* --- keys --------------------------------------------------------------------------- */

static uint8_t
set2_code(uint8_t set1)
{
    if (set1 == 0x41) {
        return F7_SET2;
    }
    for (unsigned i = 0; i < sizeof set1_of_set2; i++) {
        if (set1_of_set2[i] == set1) {
            return (uint8_t)i;
        }
    }
    return 0; /* no such key */
}

static void
pause(struct ps2_keyboard *k)
{
    static const uint8_t set1[] = { 0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5 };
    static const uint8_t set2[] = { 0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77 };
    if (k->set == 1) {
        ps2_put(&k->queue, set1, sizeof set1);
    } else {
        ps2_put(&k->queue, set2, sizeof set2);
    }
}

/* Pause has a sequence of its own and no release. */
void
ps2_keyboard_key(struct ps2_keyboard *k, uint16_t key, bool down)
{
    uint8_t bytes[3], make = key & 0x7F, code = k->set == 1 ? make : set2_code(make);
    unsigned count = 0;
    if (!k->scanning || !code) {
        return;
    }
    if (key == PS2_KEY_PAUSE) {
        if (down) {
            pause(k);
        }
        return;
    }
    if (key >> 8 == PS2_KEY_E0 >> 8) {
        bytes[count++] = 0xE0;
    }
    if (!down && k->set == 2) {
        bytes[count++] = 0xF0;
    }
    bytes[count++] = (uint8_t)(code | (!down && k->set == 1 ? 0x80 : 0));
    ps2_put(&k->queue, bytes, count);
}
