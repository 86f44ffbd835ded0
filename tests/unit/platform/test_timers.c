/* Claims about the timers of the board: 8254, HPET, the clock's interrupts, the PM timer's carry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/platform.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)
enum { VECTOR = 0x42 };

/* The first cycle of a tick of the 8254. */
static uint64_t
tick(uint64_t n)
{
    return (uint64_t)(((unsigned __int128)n * MACHINE_TSC_HZ + PIT_HZ - 1) / PIT_HZ);
}

/* Turns as long as a second: only events end a round. */
static struct machine *
patient_machine(void)
{
    struct machine *m = fake_machine(1, MIB);
    m->config.quantum = MACHINE_TSC_HZ;
    return m;
}

static void
pit_program(struct machine *m, unsigned counter, unsigned mode, unsigned count)
{
    out(m, 0x43, 1, counter << 6 | 0x30 | mode << 1);
    out(m, 0x40 + (uint16_t)counter, 1, count & 0xFF);
    out(m, 0x40 + (uint16_t)counter, 1, count >> 8);
}

static unsigned
pit_count(struct machine *m, unsigned counter)
{
    out(m, 0x43, 1, counter << 6); /* latch */
    unsigned low = (unsigned)in(m, 0x40 + (uint16_t)counter, 1);
    return low | (unsigned)in(m, 0x40 + (uint16_t)counter, 1) << 8;
}

static bool
pit_output2(struct machine *m)
{
    return in(m, 0x61, 1) & 0x20;
}

/* --- 8254 ---------------------------------------------------------------------------------- */

/* Count and output of counter 2, some ticks after a count of N was loaded (one tick after the write). */
static void
pit_counts_as_the_datasheet_says_in_every_mode(void **unused)
{
    (void)unused;
    static const struct { unsigned mode, count; uint64_t after; unsigned value; bool output; } row[] = {
        { 0, 10, 0, 10, false }, { 0, 10, 9, 1, false }, { 0, 10, 10, 0, true }, { 0, 10, 11, 0xFFFF, true },
        { 2, 10, 0, 10, true }, { 2, 10, 8, 2, true }, { 2, 10, 9, 1, false }, { 2, 10, 10, 10, true },
        { 3, 10, 0, 10, true }, { 3, 10, 4, 2, true }, { 3, 10, 5, 10, false }, { 3, 10, 9, 2, false },
        { 3, 10, 10, 10, true }, { 3, 5, 0, 4, true }, { 3, 5, 2, 0, true }, { 3, 5, 3, 4, false }, { 3, 5, 5, 4, true },
        { 4, 10, 9, 1, true }, { 4, 10, 10, 0, false }, { 4, 10, 11, 0xFFFF, true },
        { 6, 10, 9, 1, false }, { 7, 10, 5, 10, false }, /* modes 2 and 3 again */
        { 0, 0, 1, 0xFFFF, false }, { 0, 0, 65536, 0, true },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, MIB);
        out(m, 0x61, 1, 1);
        m->now = tick(1000);
        pit_program(m, 2, row[i].mode, row[i].count);
        m->now = tick(1001 + row[i].after);
        assert_int_equal(pit_count(m, 2), row[i].value);
        assert_int_equal(pit_output2(m), row[i].output);
        machine_free(m);
    }
}

static void
pit_modes_1_and_5_wait_for_their_gate(void **unused)
{
    (void)unused;
    for (unsigned mode = 1; mode <= 5; mode += 4) {
        struct machine *m = fake_machine(1, MIB);
        pit_program(m, 2, mode, 10);
        m->now = tick(100);
        assert_true(pit_output2(m));
        out(m, 0x61, 1, 1);
        m->now = tick(101 + 5);
        assert_int_equal(pit_output2(m), mode == 5);
        assert_int_equal(pit_count(m, 2), 5);
        out(m, 0x61, 1, 0);
        out(m, 0x61, 1, 1); /* again from the start */
        m->now = tick(107 + 10);
        assert_int_equal(pit_output2(m), mode == 1);
        m->now = tick(107 + 11);
        assert_true(pit_output2(m));
        machine_free(m);
    }
}

static void
pit_gate_holds_the_count_and_restarts_periods(void **unused)
{
    (void)unused;
    static const struct { unsigned mode, held; bool low_output; unsigned later; } row[] = {
        { 0, 7, false, 4 }, { 2, 7, true, 7 }, { 3, 4, true, 4 }, { 4, 7, true, 4 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, MIB);
        out(m, 0x61, 1, 1);
        pit_program(m, 2, row[i].mode, 10); /* loaded at tick 1 */
        m->now = tick(4);
        out(m, 0x61, 1, 0);
        m->now = tick(50);
        assert_int_equal(pit_count(m, 2), row[i].held);
        assert_int_equal(pit_output2(m), row[i].low_output);
        out(m, 0x61, 1, 1);
        m->now = tick(row[i].mode == 2 || row[i].mode == 3 ? 51 + 3 : 53);
        assert_int_equal(pit_count(m, 2), row[i].later);
        machine_free(m);
    }
}

static void
pit_takes_a_new_period_over_at_the_end_of_the_old(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    out(m, 0x61, 1, 1);
    pit_program(m, 2, 2, 10);
    m->now = tick(5);
    out(m, 0x42, 2, 100); /* a word is two ports: only its low byte reaches counter 2 */
    out(m, 0x42, 1, 0);
    m->now = tick(10);
    assert_int_equal(pit_count(m, 2), 1);
    m->now = tick(11);
    assert_int_equal(pit_count(m, 2), 100);
    pit_program(m, 2, 3, 10); /* loaded at 12 */
    m->now = tick(13);
    out(m, 0x42, 1, 60);
    out(m, 0x42, 1, 0);
    m->now = tick(17);        /* the half-cycle ended: 30 ticks low */
    assert_false(pit_output2(m));
    m->now = tick(46);
    assert_false(pit_output2(m));
    m->now = tick(47);
    assert_true(pit_output2(m));
    machine_free(m);
}

static void
pit_latches_and_reads_back(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    out(m, 0x61, 1, 1);
    out(m, 0x43, 1, 0xB1); /* counter 2, both bytes, mode 0, BCD */
    out(m, 0x42, 1, 0x00);
    out(m, 0x43, 1, 0xE8); /* status of counter 2 */
    assert_int_equal(in(m, 0x42, 1), 0x71); /* output low, count missing */
    out(m, 0x42, 1, 0x12);                  /* 1200 */
    m->now = tick(1);
    out(m, 0x43, 1, 0xC8); /* both of counter 2; a second latch is ignored */
    m->now = tick(300);
    out(m, 0x43, 1, 0x80);
    assert_int_equal(in(m, 0x42, 1), 0x31);
    assert_int_equal(in(m, 0x42, 1), 0x00);
    assert_int_equal(in(m, 0x42, 1), 0x12);
    assert_int_equal(in(m, 0x42, 1), 0x01); /* running: 1200 - 299 = 901 */
    assert_int_equal(in(m, 0x42, 1), 0x09);
    m->now = tick(1201 + 1);
    assert_int_equal(pit_count(m, 2), 0x9999);
    out(m, 0x43, 1, 0x90); /* low byte only */
    out(m, 0x42, 1, 7);
    m->now += tick(2);
    assert_int_equal(in(m, 0x42, 1), in(m, 0x42, 1));
    machine_free(m);
}

static void
port_61_toggles_with_refresh(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    unsigned toggles = 0;
    uint64_t last = in(m, 0x61, 1) & 0x10;
    for (unsigned us = 0; us < 1000; us++) {
        m->now = us * (MACHINE_TSC_HZ / 1000000);
        uint64_t bit = in(m, 0x61, 1) & 0x10;
        toggles += bit != last;
        last = bit;
    }
    assert_int_equal(toggles, 66); /* 15.085 us each */
    out(m, 0x61, 1, 0xFF);
    assert_int_equal(in(m, 0x61, 1) & 0xCF, 0x0F);
    machine_free(m);
}

static void
pit_counter_0_interrupts_at_its_frequency(void **unused)
{
    (void)unused;
    static const struct { unsigned mode, count, expected; } row[] = {
        { 2, 11932, 10 }, { 3, 11932, 10 }, { 0, 11932, 1 }, { 4, 11932, 1 }, { 2, 0, 1 }, { 1, 11932, 0 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = patient_machine();
        route(m, GSI_TIMER, VECTOR);
        pit_program(m, 0, row[i].mode, row[i].count); /* 100 Hz */
        machine_run(m, MACHINE_TSC_HZ / 1000 * 101);
        assert_int_equal(fake.msi_count, row[i].expected);
        machine_free(m);
    }
}

static void
an_idle_8254_keeps_no_event(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    assert_true(event_queue_next_due(m->events) == EVENT_NEVER);
    pit_program(m, 0, 0, 100);
    machine_run(m, tick(200));
    assert_true(event_queue_next_due(m->events) == EVENT_NEVER);
    machine_free(m);
}

/* --- HPET -------------------------------------------------------------------------------------- */

enum { TICK = 21 }; /* cycles per tick of 10 ns */
#define TIMER(n) (HPET_BASE + 0x100 + 0x20 * (n))

static void
hpet_describes_itself_and_counts_while_enabled(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    assert_true(rd64(m, HPET_BASE) == (10000000ull << 32 | 0x8086A201));
    assert_int_equal(rd32(m, HPET_BASE + 4), 10000000);
    m->now = 1000 * TICK;
    assert_int_equal(rd64(m, HPET_BASE + 0xF0), 0);
    wr32(m, HPET_BASE + 0x10, 1);
    m->now = 1500 * TICK;
    assert_int_equal(rd64(m, HPET_BASE + 0xF0), 500);
    wr32(m, HPET_BASE + 0x10, 0);
    m->now = 9000 * TICK;
    assert_int_equal(rd64(m, HPET_BASE + 0xF0), 500);
    wr64(m, HPET_BASE + 0xF0, 0x5FFFFFFFFull);
    assert_int_equal(rd32(m, HPET_BASE + 0xF4), 5);
    wr32(m, HPET_BASE + 0x10, 1);
    m->now += TICK;
    assert_true(rd64(m, HPET_BASE + 0xF0) == 0x600000000ull);
    wr64(m, TIMER(1), UINT64_MAX);
    assert_true(rd64(m, TIMER(1)) == ((uint64_t)HPET_GSIS << 32 | 0xE93E)); /* route 31 refused, VAL_SET reads 0 */
    machine_free(m);
}

static void
hpet_timers_interrupt_once_or_periodically_at_their_line(void **unused)
{
    (void)unused;
    static const struct { uint32_t config; unsigned expected; } row[] = {
        { 0x04 | 21 << 9, 1 },         /* edge, once */
        { 0x4C | 21 << 9, 10 },        /* edge, periodic, first at the value */
        { 0x14C | 21 << 9, 10 },       /* 32 bits */
        { 0x48 | 21 << 9, 0 },         /* not enabled */
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, MIB);
        route(m, 21, VECTOR);
        wr32(m, HPET_BASE + 0x10, 1);
        wr32(m, TIMER(2), row[i].config);
        wr64(m, TIMER(2) + 8, 1000);
        wr64(m, TIMER(2) + 8, 1000); /* the period */
        machine_run(m, 10500 * TICK);
        assert_int_equal(fake.msi_count, row[i].expected);
        machine_free(m);
    }
}

static void
hpet_level_interrupts_stay_until_their_status_is_cleared(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, 20, 0x8000 | VECTOR);
    wr32(m, HPET_BASE + 0x10, 1);
    wr32(m, TIMER(0), 0x06 | 20 << 9);
    wr64(m, TIMER(0) + 8, 100);
    machine_run(m, 200 * TICK);
    assert_int_equal(rd32(m, HPET_BASE + 0x20), 1);
    assert_int_equal(fake.msi_count, 1);
    fake.board.eoi(fake.board.ctx, VECTOR); /* still high */
    assert_int_equal(fake.msi_count, 2);
    wr32(m, HPET_BASE + 0x20, 1);
    fake.board.eoi(fake.board.ctx, VECTOR);
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(rd32(m, HPET_BASE + 0x20), 0);
    machine_free(m);
}

static void
hpet_sends_messages(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    wr32(m, HPET_BASE + 0x10, 1);
    wr32(m, TIMER(1) + 0x10, 0x4051);
    wr32(m, TIMER(1) + 0x14, 0xFEE01000);
    wr32(m, TIMER(1), 0x4004);
    wr64(m, TIMER(1) + 8, 100);
    machine_run(m, 200 * TICK);
    assert_int_equal(fake.msi_count, 1);
    assert_true(fake.msi_address[0] == 0xFEE01000);
    assert_int_equal(fake.msi_data[0], 0x4051);
    machine_free(m);
}

static void
hpet_replaces_pit_and_clock_on_lines_0_and_8(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, GSI_TIMER, VECTOR);
    route(m, IRQ_RTC, VECTOR + 1);
    pit_program(m, 0, 2, 1000);
    wr32(m, HPET_BASE + 0x10, 3);
    wr32(m, TIMER(0), 0x04);
    wr64(m, TIMER(0) + 8, 500000);
    wr32(m, TIMER(1), 0x04);
    wr64(m, TIMER(1) + 8, 600000);
    machine_run(m, 1000000 * TICK);
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(fake.msi_data[0], VECTOR);
    assert_int_equal(fake.msi_data[1], VECTOR + 1);
    wr32(m, HPET_BASE + 0x10, 1); /* the PIT is back */
    machine_run(m, 1400000 * TICK);
    assert_true(fake.msi_count > 3);
    machine_free(m);
}

static void
hpet_counters_of_32_bits_match_again_after_a_turn(void **unused)
{
    (void)unused;
    struct machine *m = patient_machine();
    route(m, 20, VECTOR);
    wr64(m, HPET_BASE + 0xF0, 0xFFFFF000u);
    wr32(m, TIMER(0), 0x104 | 20 << 9);
    wr32(m, TIMER(0) + 8, 0x10);
    wr32(m, HPET_BASE + 0x10, 1);
    assert_int_equal(event_queue_next_due(m->events), 0x1010 * TICK);
    machine_run(m, 0x1010 * TICK);
    assert_int_equal(fake.msi_count, 1);
    assert_true(event_queue_next_due(m->events) == 0x100001010ull * TICK);
    machine_free(m);
}

/* --- clock ---------------------------------------------------------------------------------------- */

static void
clock_flags_rise_without_interrupts(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    m->now = MACHINE_TSC_HZ / 1000;
    assert_int_equal(cmos(m, 0x0C), 0x40); /* 1024 Hz */
    assert_int_equal(cmos(m, 0x0C), 0);
    m->now = MACHINE_TSC_HZ;
    assert_int_equal(cmos(m, 0x0C), 0x50);
    assert_true(event_queue_next_due(m->events) == EVENT_NEVER);
    machine_free(m);
}

static void
clock_interrupts_and_waits_for_register_c(void **unused)
{
    (void)unused;
    static const struct { uint8_t enable, flag; unsigned count; } row[] = {
        { 0x40, 0x40, 5 * 1024 }, { 0x10, 0x10, 5 }, { 0x20, 0x20, 1 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = patient_machine(); /* 2001-09-09 01:46:40 */
        route(m, IRQ_RTC, VECTOR);
        cmos_set(m, 5, 0xFF);
        cmos_set(m, 3, 0x46);
        cmos_set(m, 1, 0x43);
        cmos_set(m, 0x0B, 0x02 | row[i].enable);
        unsigned seen = 0;
        for (uint64_t due; (due = event_queue_next_due(m->events)) <= 5 * MACHINE_TSC_HZ;) {
            fake.msi_count = 0;
            machine_run(m, due);
            if (fake.msi_count) {
                seen++;
                assert_int_equal(cmos(m, 0x0C) & (0x80 | row[i].flag), 0x80 | row[i].flag);
            }
        }
        assert_int_equal(seen, row[i].count);
        machine_free(m);
    }
}

static void
an_unread_clock_interrupt_comes_once(void **unused)
{
    (void)unused;
    struct machine *m = patient_machine();
    route(m, IRQ_RTC, VECTOR);
    cmos_set(m, 0x0B, 0x42);
    machine_run(m, MACHINE_TSC_HZ);
    assert_int_equal(fake.msi_count, 1);
    machine_free(m);
}

static void
cmos_holds_sizes_and_their_checksum(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(3, 128 * MIB);
    assert_int_equal(cmos(m, 0x15) | cmos(m, 0x16) << 8, 640);
    assert_int_equal(cmos(m, 0x30) | cmos(m, 0x31) << 8, 0xFFFF);
    assert_int_equal(cmos(m, 0x34) | cmos(m, 0x35) << 8, 112 * 16);
    assert_int_equal(cmos(m, 0x5F), 2);
    unsigned sum = 0;
    for (unsigned i = 0x10; i < 0x2E; i++) {
        sum += cmos(m, i);
    }
    assert_int_equal(cmos(m, 0x2E) << 8 | cmos(m, 0x2F), sum);
    machine_free(m);
}

/* --- ACPI fixed events -------------------------------------------------------------------------------- */

static void
power_button_and_timer_carry_raise_the_sci(void **unused)
{
    (void)unused;
    struct machine *m = patient_machine();
    route(m, IRQ_SCI, 0x8000 | VECTOR);
    platform_power_button(m->platform);
    assert_int_equal(in(m, 0x600, 2), 0x100);
    assert_int_equal(fake.msi_count, 0); /* not enabled */
    out(m, 0x602, 2, 0x101);
    assert_int_equal(fake.msi_count, 1);
    out(m, 0x600, 2, 0x100);
    fake.board.eoi(fake.board.ctx, VECTOR);
    assert_int_equal(fake.msi_count, 1);
    machine_run(m, 600 * MACHINE_TSC_HZ); /* bit 31 changes after 599.9 s */
    assert_int_equal(in(m, 0x600, 2), 0x001);
    assert_int_equal(fake.msi_count, 2);
    cmos_set(m, 0x0B, 0x12); /* the clock's line is an event too */
    machine_run(m, 602 * MACHINE_TSC_HZ);
    assert_int_equal(in(m, 0x600, 2), 0x401);
    machine_free(m);
}

static void
s3_lasts_until_an_enabled_wake_event(void **unused)
{
    (void)unused;
    struct machine *m = patient_machine();
    uint64_t rsdp = platform_rsdp(m->platform), xsdt = 0, fadt = 0, facs = 0;
    assert_true(mem_read(m->mem, rsdp + 24, &xsdt, 8) && mem_read(m->mem, xsdt + 36, &fadt, 8));
    assert_true(mem_read(m->mem, fadt + 36, &facs, 4));
    assert_true(mem_write(m->mem, facs + 12, &(uint32_t){ 0x12345 }, 4));
    out(m, 0x602, 2, 0x400);
    for (unsigned i = 1; i <= 5; i += 2) {
        cmos_set(m, i, 0xC0); /* every second */
    }
    cmos_set(m, 0x0B, 0x22);
    m->cpu[0]->activity = ACTIVE;
    out(m, 0x604, 2, 1 << 10 | 1 << 13);
    assert_int_equal(m->cpu[0]->activity, WAIT_SIPI);
    machine_run(m, MACHINE_TSC_HZ * 11 / 10);
    assert_int_equal(m->cpu[0]->activity, ACTIVE);
    assert_int_equal(m->cpu[0]->seg[CS].base + m->cpu[0]->rip, 0x12345);
    assert_int_equal(in(m, 0x600, 2), 0x8400);
    machine_free(m);
}

/* --- state ---------------------------------------------------------------------------------------------- */

static void
a_saved_machine_goes_on_ticking_alike(void **unused)
{
    (void)unused;
    struct machine *a = fake_machine(1, MIB), *b = fake_machine(1, MIB);
    pit_program(a, 0, 3, 5000);
    wr32(a, HPET_BASE + 0x10, 1);
    wr32(a, TIMER(2), 0x4C | 21 << 9);
    wr64(a, TIMER(2) + 8, 77777);
    cmos_set(a, 0x0B, 0x52);
    machine_run(a, 3000000);
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(b, s);
    assert_null(state_load_end(s));
    for (unsigned i = 0; i < 50; i++) {
        assert_true(machine_hash(a) == machine_hash(b));
        machine_run(a, a->now + 1234567);
        machine_run(b, b->now + 1234567);
    }
    free(bytes);
    machine_free(a);
    machine_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pit_counts_as_the_datasheet_says_in_every_mode),
        cmocka_unit_test(pit_modes_1_and_5_wait_for_their_gate),
        cmocka_unit_test(pit_gate_holds_the_count_and_restarts_periods),
        cmocka_unit_test(pit_takes_a_new_period_over_at_the_end_of_the_old),
        cmocka_unit_test(pit_latches_and_reads_back),
        cmocka_unit_test(port_61_toggles_with_refresh),
        cmocka_unit_test(pit_counter_0_interrupts_at_its_frequency),
        cmocka_unit_test(an_idle_8254_keeps_no_event),
        cmocka_unit_test(hpet_describes_itself_and_counts_while_enabled),
        cmocka_unit_test(hpet_timers_interrupt_once_or_periodically_at_their_line),
        cmocka_unit_test(hpet_level_interrupts_stay_until_their_status_is_cleared),
        cmocka_unit_test(hpet_sends_messages),
        cmocka_unit_test(hpet_replaces_pit_and_clock_on_lines_0_and_8),
        cmocka_unit_test(hpet_counters_of_32_bits_match_again_after_a_turn),
        cmocka_unit_test(clock_flags_rise_without_interrupts),
        cmocka_unit_test(clock_interrupts_and_waits_for_register_c),
        cmocka_unit_test(an_unread_clock_interrupt_comes_once),
        cmocka_unit_test(cmos_holds_sizes_and_their_checksum),
        cmocka_unit_test(power_button_and_timer_carry_raise_the_sci),
        cmocka_unit_test(s3_lasts_until_an_enabled_wake_event),
        cmocka_unit_test(a_saved_machine_goes_on_ticking_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
