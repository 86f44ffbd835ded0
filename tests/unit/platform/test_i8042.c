/* Claims about keyboard controller, keyboard and mouse, through ports 60H and 64H. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/i8042.h"
#include "spec/platform/ps2.h"

#define MIB (1ull << 20)

struct rig {
    struct machine *m;
    struct i8042 *c;
    unsigned edges[16]; /* rises of each line */
    bool high[16];
    unsigned resets, a20_offs;
};

static uint64_t
in(struct machine *m, uint16_t port, unsigned size)
{
    return mem_port_read(m->mem, port, size);
}

static void
out(struct machine *m, uint16_t port, unsigned size, uint64_t value)
{
    mem_port_write(m->mem, port, size, value);
}

static void
line(void *ctx, unsigned irq, bool high)
{
    struct rig *r = ctx;
    r->edges[irq] += high && !r->high[irq];
    r->high[irq] = high;
}

static void
reset(void *ctx, const char *by)
{
    struct rig *r = ctx;
    (void)by;
    r->resets++;
}

static void
a20_off(void *ctx, const char *by)
{
    struct rig *r = ctx;
    (void)by;
    r->a20_offs++;
}

/* A machine of ports only. */
static void
rig_new(struct rig *r)
{
    *r = (struct rig){ .m = calloc(1, sizeof *r->m) };
    r->m->mem = mem_new(MIB);
    const struct i8042_board board = { line, reset, a20_off, r };
    r->c = i8042_new(r->m, &board);
}

static void
rig_free(struct rig *r)
{
    i8042_free(r->c);
    mem_free(r->m->mem);
    free(r->m);
}

/* Everything that comes, as hexadecimal text; 'm' before bytes of the mouse. */
static const char *
drain(struct rig *r)
{
    static char text[256];
    text[0] = 0;
    for (uint64_t status; (status = in(r->m, PORT_PS2_COMMAND, 1)) & PS2_STATUS_OUTPUT && strlen(text) < 240;) {
        char one[8];
        unsigned value = (unsigned)in(r->m, PORT_PS2_DATA, 1);
        snprintf(one, sizeof one, "%s%s%02X", text[0] ? " " : "", status & PS2_STATUS_MOUSE ? "m" : "", value);
        strcat(text, one);
    }
    return text;
}

static void
controller(struct rig *r, uint8_t command, int parameter)
{
    out(r->m, PORT_PS2_COMMAND, 1, command);
    if (parameter >= 0) {
        out(r->m, PORT_PS2_DATA, 1, (uint64_t)parameter);
    }
}

static void
mouse(struct rig *r, uint8_t byte)
{
    controller(r, PS2_TO_MOUSE, byte);
}

static void
controller_answers_its_commands(void **unused)
{
    (void)unused;
    static const struct { uint8_t command; int parameter; uint8_t then; const char *answer; } rows[] = {
        { PS2_SELF_TEST, -1, 0, "55" },        { PS2_KEYBOARD_TEST, -1, 0, "00" }, { PS2_MOUSE_TEST, -1, 0, "00" },
        { PS2_WRITE_RAM, 0x74, PS2_READ_RAM, "74" }, { PS2_WRITE_RAM + 5, 0x99, PS2_READ_RAM + 5, "99" },
        { PS2_FROM_MOUSE, 0x42, 0, "m42" },    { PS2_FROM_KEYBOARD, 0x42, 0, "42" },
        { PS2_KEYBOARD_DISABLE, -1, PS2_READ_RAM, "75" }, { PS2_MOUSE_ENABLE, -1, PS2_READ_RAM, "45" },
        { PS2_READ_INPUT, -1, 0, "B0" },       { PS2_WRITE_OUTPUT, 0xC1, PS2_READ_OUTPUT, "C3" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        rig_new(&r);
        controller(&r, rows[i].command, rows[i].parameter);
        if (rows[i].then) {
            controller(&r, rows[i].then, -1);
        }
        assert_string_equal(drain(&r), rows[i].answer);
        rig_free(&r);
    }
}

static void
keys_come_translated_or_not_in_either_set(void **unused)
{
    (void)unused;
    static const struct { uint8_t ctr; int set; uint16_t key; const char *down, *up; } rows[] = {
        { 0x45, 2, 0x1E, "1E", "9E" },                         /* A */
        { 0x05, 2, 0x1E, "1C", "F0 1C" },
        { 0x45, 2, 0xE048, "E0 48", "E0 C8" },                 /* up */
        { 0x05, 2, 0xE048, "E0 75", "E0 F0 75" },
        { 0x05, 1, 0xE048, "E0 48", "E0 C8" },
        { 0x45, 2, 0x41, "41", "C1" },                         /* F7 */
        { 0x05, 2, 0x41, "83", "F0 83" },
        { 0x45, 2, PS2_KEY_PAUSE, "E1 1D 45 E1 9D C5", "" },
        { 0x05, 1, PS2_KEY_PAUSE, "E1 1D 45 E1 9D C5", "" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig r;
        rig_new(&r);
        out(r.m, PORT_PS2_DATA, 1, 0xF0);
        out(r.m, PORT_PS2_DATA, 1, (uint64_t)rows[i].set);
        drain(&r);
        controller(&r, PS2_WRITE_RAM, rows[i].ctr);
        i8042_key(r.c, rows[i].key, true);
        assert_string_equal(drain(&r), rows[i].down);
        i8042_key(r.c, rows[i].key, false);
        assert_string_equal(drain(&r), rows[i].up);
        rig_free(&r);
    }
}

/* Every key of set 1 must survive the way through set 2 and back. */
static void
every_key_survives_translation(void **unused)
{
    (void)unused;
    for (unsigned key = 1; key <= 0x58; key++) {
        if (key == 0x54) {
            continue; /* Alt+SysRq: no key of its own */
        }
        struct rig r;
        char want[8];
        rig_new(&r);
        i8042_key(r.c, (uint16_t)key, true);
        snprintf(want, sizeof want, "%02X", key);
        if (key != 0x55) { /* no key there */
            assert_string_equal(drain(&r), want);
        }
        rig_free(&r);
    }
}

static void
keyboard_answers_its_commands(void **unused)
{
    (void)unused;
    static const struct { uint8_t command; int parameter; const char *answer; } rows[] = {
        { 0xFF, -1, "FA AA" }, { 0xF2, -1, "FA AB 83" }, { 0xED, 7, "FA FA" }, { 0xEE, -1, "EE" }, { 0xF0, 0, "FA FA 02" },
        { 0xF0, 3, "FA FE" },  { 0xF3, 0x20, "FA FA" },  { 0xF4, -1, "FA" },   { 0xF5, -1, "FA" }, { 0x12, -1, "FE" },
    };
    struct rig r;
    rig_new(&r);
    controller(&r, PS2_WRITE_RAM, 0x05);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        out(r.m, PORT_PS2_DATA, 1, rows[i].command);
        if (rows[i].parameter >= 0) {
            out(r.m, PORT_PS2_DATA, 1, (uint64_t)rows[i].parameter);
        }
        assert_string_equal(drain(&r), rows[i].answer);
    }
    out(r.m, PORT_PS2_DATA, 1, 0xF5);
    drain(&r);
    i8042_key(r.c, 0x1E, true);
    assert_string_equal(drain(&r), ""); /* told not to scan */
    rig_free(&r);
}

static void
mouse_speaks_three_bytes_and_four_after_the_knock(void **unused)
{
    (void)unused;
    struct rig r;
    rig_new(&r);
    controller(&r, PS2_MOUSE_ENABLE, -1);
    i8042_mouse(r.c, 1, 1, 0, 0);
    assert_string_equal(drain(&r), ""); /* does not report until told to */
    mouse(&r, 0xFF);
    assert_string_equal(drain(&r), "mFA mAA m00");
    mouse(&r, 0xF4);
    assert_string_equal(drain(&r), "mFA");
    i8042_mouse(r.c, 5, -3, 1, 1);
    assert_string_equal(drain(&r), "m29 m05 mFD");
    i8042_mouse(r.c, -600, 0, 0, 0);
    assert_string_equal(drain(&r), "m18 m01 m00 m18 m01 m00 m18 mA6 m00");
    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t knock[3] = { 200, 100, 80 };
        mouse(&r, 0xF3);
        mouse(&r, knock[i]);
    }
    drain(&r);
    mouse(&r, 0xF2);
    assert_string_equal(drain(&r), "mFA m03");
    i8042_mouse(r.c, 0, 0, -1, 4);
    assert_string_equal(drain(&r), "m0C m00 m00 mFF");
    mouse(&r, 0xE9);
    assert_string_equal(drain(&r), "mFA m22 m02 m50");
    rig_free(&r);
}

static void
every_byte_is_an_edge_on_its_line_if_enabled(void **unused)
{
    (void)unused;
    struct rig r;
    rig_new(&r);
    i8042_key(r.c, 0xE048, true);
    drain(&r);
    assert_int_equal(r.edges[1], 2);
    controller(&r, PS2_WRITE_RAM, 0x46); /* mouse only */
    i8042_key(r.c, 0xE048, true);
    drain(&r);
    assert_int_equal(r.edges[1], 2);
    mouse(&r, 0xF2);
    drain(&r);
    assert_int_equal(r.edges[12], 2);
    assert_false(r.high[12]);
    rig_free(&r);
}

static void
disabled_devices_keep_their_bytes(void **unused)
{
    (void)unused;
    struct rig r;
    rig_new(&r);
    controller(&r, PS2_KEYBOARD_DISABLE, -1);
    i8042_key(r.c, 0x1E, true);
    assert_string_equal(drain(&r), "");
    controller(&r, PS2_KEYBOARD_ENABLE, -1);
    assert_string_equal(drain(&r), "1E");
    rig_free(&r);
}

static void
pulse_and_output_port_reset_the_machine_or_turn_a20_off(void **unused)
{
    (void)unused;
    struct rig r;
    rig_new(&r);
    controller(&r, 0xFF, -1);
    assert_int_equal(r.resets, 0); /* pulses nothing */
    controller(&r, 0xFE, -1);
    assert_int_equal(r.resets, 1);
    controller(&r, PS2_WRITE_OUTPUT, 0xDE);
    assert_int_equal(r.resets, 2);
    controller(&r, PS2_WRITE_OUTPUT, 0xDF);
    assert_int_equal(r.resets, 2);
    assert_int_equal(r.a20_offs, 0);
    controller(&r, PS2_WRITE_OUTPUT, 0xDD);
    controller(&r, 0xDD, -1);
    assert_int_equal(r.a20_offs, 2);
    assert_int_equal(r.resets, 2);
    rig_free(&r);
}

static void
too_many_keys_are_lost_whole(void **unused)
{
    (void)unused;
    struct rig r;
    rig_new(&r);
    for (unsigned i = 0; i < 40; i++) {
        i8042_key(r.c, 0xE048, true);
    }
    const char *text = drain(&r);
    assert_true(strlen(text) >= 15 * 6);
    assert_string_equal(text + strlen(text) - 5, "E0 48");
    rig_free(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controller_answers_its_commands),
        cmocka_unit_test(keys_come_translated_or_not_in_either_set),
        cmocka_unit_test(every_key_survives_translation),
        cmocka_unit_test(keyboard_answers_its_commands),
        cmocka_unit_test(mouse_speaks_three_bytes_and_four_after_the_knock),
        cmocka_unit_test(every_byte_is_an_edge_on_its_line_if_enabled),
        cmocka_unit_test(disabled_devices_keep_their_bytes),
        cmocka_unit_test(pulse_and_output_port_reset_the_machine_or_turn_a20_off),
        cmocka_unit_test(too_many_keys_are_lost_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
