/* Claims about rounds, stops and the state of the whole machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"

#define MIB (1ull << 20)

struct run_log {
    unsigned count;
    unsigned cpu[64];
    uint64_t from[64], until[64];
};

static void
run_and_log(struct cpu *cpu, uint64_t until, void *ctx)
{
    struct run_log *log = ctx;
    if (log->count < 64) {
        log->cpu[log->count] = cpu->index;
        log->from[log->count] = cpu->now;
        log->until[log->count] = until;
    }
    log->count++;
    cpu->now = until;
}

struct tick {
    struct event event;
    struct machine *machine;
    uint64_t seen[8];
    unsigned count;
};

static void
tick_fire(void *ctx, uint64_t now)
{
    struct tick *t = ctx;
    if (t->count < 8) {
        t->seen[t->count] = now;
    }
    t->count++;
}

static void
rounds_end_at_multiples_of_the_quantum_in_processor_order(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(3, MIB);
    struct run_log log = { 0 };
    fake.run = run_and_log;
    fake.run_ctx = &log;
    assert_int_equal(machine_run(m, 2000), STOP_LIMIT);
    assert_int_equal(m->now, 2000);
    assert_int_equal(log.count, 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(log.cpu[i], i % 3);
        assert_int_equal(log.until[i], i < 3 ? 1000 : 2000);
    }
    machine_free(m);
}

static void
an_event_ends_the_round_at_its_due_cycle(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct run_log log = { 0 };
    struct tick t = { .machine = m };
    fake.run = run_and_log;
    fake.run_ctx = &log;
    event_init(&t.event, tick_fire, &t);
    event_arm(m->events, &t.event, 1300);
    machine_run(m, 2000);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.until[0], 1000);
    assert_int_equal(log.until[1], 1300);
    assert_int_equal(log.until[2], 2000);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.seen[0], 1300);
    machine_free(m);
}

/* Processor 1 arms an event for cycle 300 when it is at cycle 100. */
static void
arm_while_running(struct cpu *cpu, uint64_t until, void *ctx)
{
    struct tick *t = ctx;
    if (cpu->index == 1 && cpu->now < 100) {
        cpu->now = 100;
        event_arm(t->machine->events, &t->event, 300);
        if (cpu->attention & ATTN_STOP) {
            return; /* as cpu_run does */
        }
    }
    cpu->now = until;
}

static void
an_event_armed_in_a_round_moves_its_end(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(3, MIB);
    struct tick t = { .machine = m };
    event_init(&t.event, tick_fire, &t);
    fake.run = arm_while_running;
    fake.run_ctx = &t;
    machine_run(m, 1);
    assert_int_equal(m->now, 300);
    assert_int_equal(t.count, 1);
    assert_int_equal(m->cpu[0]->now, 1000); /* ran before: ahead */
    assert_int_equal(m->cpu[1]->now, 300);
    assert_int_equal(m->cpu[2]->now, 300);
    assert_int_equal(m->cpu[1]->attention, 0);
    machine_run(m, 301);
    assert_int_equal(m->now, 1000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(m->cpu[i]->now, 1000);
    }
    machine_free(m);
}

static void
halted_machines_jump_to_the_next_event(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(2, MIB);
    struct run_log log = { 0 };
    struct tick t = { .machine = m };
    m->cpu[0]->activity = HALTED;
    m->cpu[1]->activity = WAIT_SIPI;
    fake.run = run_and_log;
    fake.run_ctx = &log;
    event_init(&t.event, tick_fire, &t);
    event_arm(m->events, &t.event, 1000000007);
    assert_int_equal(machine_run(m, 5000), STOP_LIMIT);
    assert_int_equal(m->now, 1000000007);
    assert_int_equal(log.count, 2);
    assert_int_equal(t.count, 1);
    machine_free(m);
}

static void
a_masked_pending_interrupt_costs_one_look_not_many_rounds(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct run_log log = { 0 };
    struct tick t = { .machine = m };
    m->cpu[0]->activity = HALTED;
    m->cpu[0]->attention = ATTN_INTR; /* deliverable, but IF = 0: it stays halted */
    fake.run = run_and_log;
    fake.run_ctx = &log;
    event_init(&t.event, tick_fire, &t);
    event_arm(m->events, &t.event, 777777);
    machine_run(m, 777777);
    assert_int_equal(log.count, 2);
    assert_int_equal(log.until[0], 1);
    assert_int_equal(log.until[1], 777777);
    machine_free(m);
}

static void
wake_on_look(struct cpu *cpu, uint64_t until, void *ctx)
{
    (void)ctx;
    if (cpu->attention & ATTN_INTR) {
        cpu->attention = 0;
        cpu->activity = ACTIVE;
    }
    cpu->now = until;
}

static void
a_processor_ahead_of_the_round_still_wakes(void **unused)
{
    (void)unused;
    for (unsigned with_event = 0; with_event < 2; with_event++) {
        struct machine *m = fake_machine(2, MIB);
        struct tick t = { .machine = m };
        event_init(&t.event, tick_fire, &t);
        if (with_event) {
            event_arm(m->events, &t.event, 500);
        }
        m->now = m->cpu[1]->now = 300;
        m->cpu[0]->now = 1000;
        m->cpu[0]->activity = m->cpu[1]->activity = HALTED;
        m->cpu[0]->attention = ATTN_INTR;
        fake.run = wake_on_look;
        machine_run(m, 1500);
        assert_int_equal(m->stop, STOP_LIMIT);
        assert_int_equal(m->cpu[0]->activity, ACTIVE);
        assert_int_equal(t.count, with_event);
        if (with_event) {
            assert_int_equal(t.seen[0], 500);
        }
        machine_free(m);
    }
}

static void
nothing_pending_anywhere_is_a_deadlock(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(2, MIB);
    m->cpu[0]->activity = HALTED;
    m->cpu[0]->rip = 0x1234;
    m->cpu[1]->activity = WAIT_SIPI;
    assert_int_equal(machine_run(m, UINT64_MAX), STOP_DEADLOCK);
    assert_non_null(strstr(m->stop_text, "cpu0 halted at rip 0x1234, IF = 0"));
    assert_non_null(strstr(m->stop_text, "cpu1 waits for SIPI"));
    assert_int_equal(machine_run(m, UINT64_MAX), STOP_DEADLOCK); /* and stays one */
    machine_free(m);
}

static void
stop_in_second_round(struct cpu *cpu, uint64_t until, void *ctx)
{
    struct run_log *log = ctx;
    log->count++;
    if (log->count == 3) { /* processor 0, second round */
        machine_request_stop(cpu->machine, STOP_DEBUG_EXIT, 42, "exit");
        machine_request_stop(cpu->machine, STOP_POWER_OFF, 0, "later");
    }
    cpu->now = until;
}

static void
a_final_stop_ends_the_round_and_the_first_reason_wins(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(2, MIB);
    struct run_log log = { 0 };
    fake.run = stop_in_second_round;
    fake.run_ctx = &log;
    assert_int_equal(machine_run(m, 100000), STOP_DEBUG_EXIT);
    assert_int_equal(m->stop_code, 42);
    assert_string_equal(m->stop_text, "exit");
    assert_int_equal(log.count, 3); /* processor 1 did not run any more */
    assert_true(m->cpu[1]->attention & ATTN_STOP);
    machine_free(m);
}

static void
pause_each_round(struct cpu *cpu, uint64_t until, void *ctx)
{
    (void)ctx;
    cpu->now = until;
    machine_request_stop(cpu->machine, STOP_REQUESTED, 0, "pause");
}

static void
a_paused_machine_goes_on_where_it_was(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(2, MIB);
    fake.run = pause_each_round;
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(machine_run(m, 100000), STOP_REQUESTED);
        assert_int_equal(m->now, 1000 * i);
        assert_int_equal(m->cpu[1]->now, 1000 * i);
    }
    machine_free(m);
}

/* A periodic event whose period depends on its own count, to have some state. */
static void
wander_fire(void *ctx, uint64_t now)
{
    struct tick *t = ctx;
    t->count++;
    event_arm(t->machine->events, &t->event, now + 137 + t->count * 61 % 2000);
}

static void
wander_state(void *ctx, struct state *s)
{
    struct tick *t = ctx;
    STATE_VISIT(s, t->count);
    event_state(t->machine->events, &t->event, s);
}

static struct machine *
wander_machine(struct tick *t)
{
    struct machine *m = fake_machine(2, MIB);
    *t = (struct tick){ .machine = m };
    event_init(&t->event, wander_fire, t);
    event_arm(m->events, &t->event, 10);
    machine_add_part(m, "wander", wander_state, t);
    return m;
}

static void
where_a_run_is_interrupted_does_not_matter(void **unused)
{
    (void)unused;
    struct tick ta, tb;
    struct machine *a = wander_machine(&ta), *b = wander_machine(&tb);
    machine_run(a, 200000);
    uint64_t end = a->now;
    for (uint64_t limit = 1; b->now < end; limit += 313) {
        machine_run(b, limit < end ? limit : end);
    }
    assert_true(ta.count > 100);
    assert_true(machine_hash(a) == machine_hash(b));
    machine_run(b, b->now + 1);
    assert_true(machine_hash(a) != machine_hash(b));
    machine_free(a);
    machine_free(b);
}

static void
a_loaded_machine_continues_like_the_saved_one(void **unused)
{
    (void)unused;
    struct tick ta, tb;
    struct machine *a = wander_machine(&ta), *b = wander_machine(&tb);
    mem_ram_write(a->mem, 0x5000)[0] = 7;
    machine_run(a, 12345);
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(b, s);
    char *message = state_load_end(s);
    assert_null(message);
    assert_true(machine_hash(a) == machine_hash(b));
    machine_run(a, 100000);
    machine_run(b, 100000);
    assert_true(machine_hash(a) == machine_hash(b));
    free(bytes);
    machine_free(a);
    machine_free(b);
}

static void
a_state_of_another_machine_is_refused(void **unused)
{
    (void)unused;
    struct machine *a = fake_machine(2, MIB), *b = fake_machine(3, MIB);
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(b, s);
    char *message = state_load_end(s);
    assert_string_equal(message,
                        "machine: saved with number of processors 2, this machine has 3");
    free(message);
    free(bytes);
    machine_free(a);
    machine_free(b);
}

static void
impossible_configurations_are_refused_with_the_limits(void **unused)
{
    (void)unused;
    const struct machine_config good = { .ram_size = MIB, .cpu_count = 1, .quantum = 1 };
    struct machine_config bad[6] = { good, good, good, good, good, good };
    bad[0].ram_size = MIB + 1;
    bad[1].ram_size = (64ull << 30) + 4096;
    bad[2].cpu_count = 0;
    bad[3].cpu_count = MACHINE_CPUS_MAX + 1;
    bad[4].quantum = 0;
    bad[5].ram_size = 40ull << 30;
    bad[5].model = "intel-v3,phys-bits=36";
    for (unsigned i = 0; i < 6; i++) {
        char error[256] = "";
        assert_null(machine_new(&bad[i], error, sizeof error));
        assert_true(strlen(error) > 10);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_end_at_multiples_of_the_quantum_in_processor_order),
        cmocka_unit_test(an_event_ends_the_round_at_its_due_cycle),
        cmocka_unit_test(an_event_armed_in_a_round_moves_its_end),
        cmocka_unit_test(halted_machines_jump_to_the_next_event),
        cmocka_unit_test(a_masked_pending_interrupt_costs_one_look_not_many_rounds),
        cmocka_unit_test(a_processor_ahead_of_the_round_still_wakes),
        cmocka_unit_test(nothing_pending_anywhere_is_a_deadlock),
        cmocka_unit_test(a_final_stop_ends_the_round_and_the_first_reason_wins),
        cmocka_unit_test(a_paused_machine_goes_on_where_it_was),
        cmocka_unit_test(where_a_run_is_interrupted_does_not_matter),
        cmocka_unit_test(a_loaded_machine_continues_like_the_saved_one),
        cmocka_unit_test(a_state_of_another_machine_is_refused),
        cmocka_unit_test(impossible_configurations_are_refused_with_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
