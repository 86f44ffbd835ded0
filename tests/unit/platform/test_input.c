/* Claims about the door for input. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/platform/input.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)

static void
pass(struct machine *m, uint64_t cycles)
{
    uint64_t end = m->now + cycles;
    while (event_queue_next_due(m->events) <= end) {
        m->now = event_queue_next_due(m->events);
        event_queue_run(m->events, m->now);
    }
    m->now = end;
}

static void
type(struct input *in, const char *text)
{
    for (; *text; text++) {
        input_apply(in, &(struct input_event){ .kind = INPUT_SERIAL, .byte = (uint8_t)*text });
    }
}

static void
typed_bytes_take_a_wires_time_and_wait_for_room(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct input *in_door = input_new(m);
    type(in_door, "abc");
    assert_int_equal(in(m, PORT_COM1 + 5, 1) & 1, 0);
    pass(m, MACHINE_TSC_HZ / 11520 + 1);
    assert_int_equal(in(m, PORT_COM1, 1), 'a');
    assert_int_equal(in(m, PORT_COM1 + 5, 1) & 1, 0);
    pass(m, MACHINE_TSC_HZ / 100); /* no FIFO: only one fits, no overrun */
    assert_int_equal(in(m, PORT_COM1 + 5, 1) & 3, 1);
    assert_int_equal(in(m, PORT_COM1, 1), 'b');
    pass(m, MACHINE_TSC_HZ / 11520 + 1);
    assert_int_equal(in(m, PORT_COM1, 1), 'c');
    pass(m, MACHINE_TSC_HZ);
    assert_int_equal(in(m, PORT_COM1 + 5, 1) & 3, 0);
    input_free(in_door);
    machine_free(m);
}

static void
somebody_who_listens_makes_time_pass(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct input *in_door = input_new(m);
    input_listen(in_door);
    assert_int_equal(event_queue_next_due(m->events), MACHINE_TSC_HZ / 100);
    pass(m, MACHINE_TSC_HZ);
    assert_int_equal(event_queue_next_due(m->events), MACHINE_TSC_HZ + MACHINE_TSC_HZ / 100);
    input_free(in_door);
    machine_free(m);
}

static void
events_survive_packing(void **unused)
{
    (void)unused;
    static const struct input_event rows[] = {
        { .kind = INPUT_SERIAL, .byte = 0xFE }, { .kind = INPUT_KEY, .key = 0xE048, .down = true }, { .kind = INPUT_KEY, .key = 0x1E },
        { .kind = INPUT_MOUSE, .dx = -300, .dy = 32767, .wheel = -3, .buttons = 5 }, { .kind = INPUT_POWER_BUTTON },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t bytes[INPUT_EVENT_SIZE], again[INPUT_EVENT_SIZE];
        struct input_event e;
        input_event_pack(&rows[i], bytes);
        assert_true(input_event_unpack(&e, bytes));
        assert_int_equal(e.kind, rows[i].kind);
        input_event_pack(&e, again);
        assert_memory_equal(bytes, again, sizeof bytes);
    }
    const uint8_t bad[2][INPUT_EVENT_SIZE] = { { 0 }, { INPUT_POWER_BUTTON + 1 } };
    struct input_event e;
    assert_false(input_event_unpack(&e, bad[0]));
    assert_false(input_event_unpack(&e, bad[1]));
}

static void
keys_arrive_at_the_keyboard_controller(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct input *in_door = input_new(m);
    input_apply(in_door, &(struct input_event){ .kind = INPUT_KEY, .key = 0x1E, .down = true });
    assert_int_equal(in(m, 0x60, 1), 0x1E);
    input_free(in_door);
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_bytes_take_a_wires_time_and_wait_for_room),
        cmocka_unit_test(somebody_who_listens_makes_time_pass),
        cmocka_unit_test(events_survive_packing),
        cmocka_unit_test(keys_arrive_at_the_keyboard_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
