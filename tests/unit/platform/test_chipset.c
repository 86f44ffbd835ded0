/* Claims about UART, RTC, power, PM timer, exit port, 8259s and I/O APIC, all
 * through the ports and addresses that software uses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/pic.h"
#include "sim/platform/platform.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)
enum { COM = PORT_COM1 };

/* --- UART ---------------------------------------------------------------------- */

struct text { char bytes[64]; unsigned count; };

static void
text_add(void *ctx, uint8_t byte)
{
    struct text *t = ctx;
    t->bytes[t->count++ % 64] = (char)byte;
}

static void
uart_prints_what_is_written(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct text t = { .count = 0 };
    platform_set_console(m->platform, text_add, &t);
    for (const char *p = "hello"; *p; p++) {
        assert_true(in(m, COM + 5, 1) & 0x20);
        out(m, COM, 1, (uint8_t)*p);
    }
    assert_int_equal(t.count, 5);
    assert_memory_equal(t.bytes, "hello", 5);
    machine_free(m);
}

static void
uart_divisor_hides_behind_dlab(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct text t = { .count = 0 };
    platform_set_console(m->platform, text_add, &t);
    out(m, COM + 3, 1, 0x83);
    out(m, COM, 2, 0x0C01); /* a word touches both halves */
    assert_int_equal(in(m, COM, 1), 0x01);
    assert_int_equal(in(m, COM + 1, 1), 0x0C);
    out(m, COM + 3, 1, 0x03);
    assert_int_equal(in(m, COM + 1, 1), 0);
    assert_int_equal(t.count, 0);
    out(m, COM + 7, 1, 0xA5);
    assert_int_equal(in(m, COM + 7, 1), 0xA5);
    machine_free(m);
}

static void
uart_receives_in_order_and_says_when_it_overran(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    out(m, COM + 2, 1, 0x01); /* FIFOs on */
    for (unsigned i = 0; i < 16; i++) {
        assert_true(platform_console_input(m->platform, (uint8_t)(i + 'a')));
    }
    assert_false(platform_console_input(m->platform, 'z'));
    assert_int_equal(in(m, COM + 5, 1) & 3, 3); /* overrun, data ready */
    assert_int_equal(in(m, COM + 5, 1) & 3, 1); /* overrun clears on reading */
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(in(m, COM, 1), i + 'a');
    }
    assert_int_equal(in(m, COM + 5, 1) & 1, 0);
    machine_free(m);
}

static void
uart_interrupts_through_the_io_apic(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, IRQ_COM1, 0x34);
    out(m, COM + 4, 1, 0x08); /* OUT2 opens the gate */
    out(m, COM + 1, 1, 0x01); /* received data */
    assert_int_equal(in(m, COM + 2, 1) & 0x0F, 1);
    platform_console_input(m->platform, 'x');
    assert_int_equal(fake.msi_count, 1);
    assert_int_equal(fake.msi_data[0], 0x34);
    assert_int_equal(in(m, COM + 2, 1) & 0x0F, 4);
    in(m, COM, 1);
    assert_int_equal(in(m, COM + 2, 1) & 0x0F, 1);
    platform_console_input(m->platform, 'y'); /* a new edge */
    assert_int_equal(fake.msi_count, 2);
    in(m, COM, 1);
    out(m, COM + 1, 1, 0x02); /* transmitter empty: at once, gone by reading IIR */
    assert_int_equal(fake.msi_count, 3);
    assert_int_equal(in(m, COM + 2, 1) & 0x0F, 2);
    assert_int_equal(in(m, COM + 2, 1) & 0x0F, 1);
    machine_free(m);
}

static void
uart_loops_back(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct text t = { .count = 0 };
    platform_set_console(m->platform, text_add, &t);
    out(m, COM + 4, 1, 0x1B); /* loop, OUT2, RTS, DTR */
    out(m, COM, 1, 0xAE);
    assert_int_equal(in(m, COM, 1), 0xAE);
    assert_int_equal(in(m, COM + 6, 1) & 0xF0, 0xB0); /* DCD, DSR, CTS follow */
    assert_int_equal(t.count, 0);
    machine_free(m);
}

/* --- RTC -------------------------------------------------------------------------- */

static void
check_time(struct machine *m, const uint8_t expected[7])
{
    static const uint8_t index[7] = { 0x32, 9, 8, 7, 4, 2, 0 };
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(cmos(m, index[i]), expected[i]);
    }
}

static void
rtc_shows_the_epoch_and_follows_machine_time(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB); /* epoch 10^9 = 2001-09-09 01:46:40, a Sunday */
    check_time(m, (const uint8_t[]){ 0x20, 0x01, 0x09, 0x09, 0x01, 0x46, 0x40 });
    assert_int_equal(cmos(m, 6), 1);
    m->now = 86400 * MACHINE_TSC_HZ + 21 * MACHINE_TSC_HZ;
    check_time(m, (const uint8_t[]){ 0x20, 0x01, 0x09, 0x10, 0x01, 0x47, 0x01 });
    assert_int_equal(cmos(m, 6), 2);
    machine_free(m);
}

static void
rtc_knows_the_calendar(void **unused)
{
    (void)unused;
    static const struct { uint64_t epoch; uint8_t date[7]; } row[] = {
        { 0, { 0x19, 0x70, 0x01, 0x01, 0x00, 0x00, 0x00 } },
        { 951782399, { 0x20, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59 } },
        { 951782400, { 0x20, 0x00, 0x02, 0x29, 0x00, 0x00, 0x00 } },
        { 4107542399, { 0x21, 0x00, 0x02, 0x28, 0x23, 0x59, 0x59 } },
        { 4107542400, { 0x21, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00 } },
        { 1735689599, { 0x20, 0x24, 0x12, 0x31, 0x23, 0x59, 0x59 } },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        const struct machine_config config = {
            .ram_size = MIB, .cpu_count = 1, .quantum = 1000, .rtc_epoch = row[i].epoch };
        char error[64];
        struct machine *m = machine_new(&config, error, sizeof error);
        check_time(m, row[i].date);
        machine_free(m);
    }
}

static void
rtc_speaks_binary_and_twelve_hours(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    m->now = 14 * 3600 * MACHINE_TSC_HZ; /* 15:46:40 */
    cmos_set(m, 0x0B, 0x04 | 0x02);
    assert_int_equal(cmos(m, 4), 15);
    assert_int_equal(cmos(m, 0), 40);
    cmos_set(m, 0x0B, 0x04);
    assert_int_equal(cmos(m, 4), 0x83);
    cmos_set(m, 0x0B, 0x00);
    assert_int_equal(cmos(m, 4), 0x83);
    machine_free(m);
}

static void
rtc_can_be_set(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    cmos_set(m, 0x0B, 0x82); /* SET: freeze */
    static const uint8_t index[7] = { 0x32, 9, 8, 7, 4, 2, 0 };
    static const uint8_t value[7] = { 0x20, 0x30, 0x02, 0x28, 0x23, 0x59, 0x58 };
    for (unsigned i = 0; i < 7; i++) {
        cmos_set(m, index[i], value[i]);
    }
    m->now = 50 * MACHINE_TSC_HZ;
    check_time(m, value);
    cmos_set(m, 0x0B, 0x02);
    m->now += 2 * MACHINE_TSC_HZ;
    check_time(m, (const uint8_t[]){ 0x20, 0x30, 0x03, 0x01, 0x00, 0x00, 0x00 });
    machine_free(m);
}

static void
rtc_announces_updates(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    assert_int_equal(cmos(m, 0x0A) & 0x80, 0);
    m->now = MACHINE_TSC_HZ - 100;
    assert_int_equal(cmos(m, 0x0A) & 0x80, 0x80);
    m->now = MACHINE_TSC_HZ;
    assert_int_equal(cmos(m, 0x0A) & 0x80, 0);
    assert_int_equal(cmos(m, 0x0C) & 0x10, 0x10);
    assert_int_equal(cmos(m, 0x0C), 0);
    assert_int_equal(cmos(m, 0x0D), 0x80);
    cmos_set(m, 0x40, 0x99); /* plain memory */
    assert_int_equal(cmos(m, 0x40), 0x99);
    machine_free(m);
}

/* --- power ------------------------------------------------------------------------- */

static void
writes_that_stop_the_machine(void **unused)
{
    (void)unused;
    static const struct { uint16_t port; unsigned size; uint32_t value; enum machine_stop stop; uint32_t code; } row[] = {
        { 0xF4, 4, 0x10, STOP_DEBUG_EXIT, 0x10 },
        { 0xF4, 1, 0x7F, STOP_DEBUG_EXIT, 0x7F },
        { 0x604, 2, 5 << 10 | 1 << 13, STOP_POWER_OFF, 0 },
        { 0x604, 2, 5 << 10, STOP_NONE, 0 },
        { 0x604, 2, 2 << 10 | 1 << 13, STOP_UNIMPLEMENTED, 2 },
        { 0xCF9, 1, 0x06, STOP_RESET, 6 },
        { 0xCF9, 1, 0x02, STOP_NONE, 0 },
        { 0xCF8, 4, 0x80000600, STOP_NONE, 0 }, /* a configuration address, not a reset */
        { 0x80, 1, 0, STOP_NONE, 0 },
        { 0x92, 1, 0x03, STOP_RESET, 0 },
        { 0x92, 1, 0x02, STOP_NONE, 0 },
        { 0x92, 1, 0x00, STOP_UNIMPLEMENTED, 0 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, MIB);
        out(m, row[i].port, row[i].size, row[i].value);
        assert_int_equal(m->stop, row[i].stop);
        assert_int_equal(m->stop_code, row[i].code);
        assert_int_equal(mem_unclaimed(m->mem), 0);
        machine_free(m);
    }
}

static void
pm_timer_runs_at_its_frequency_and_wraps(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    m->now = MACHINE_TSC_HZ;
    assert_int_equal(in(m, 0x608, 4), 3579545);
    assert_int_equal(in(m, 0x609, 1), 3579545 >> 8 & 0xFF);
    m->now = 1200 * MACHINE_TSC_HZ;
    assert_int_equal(in(m, 0x608, 4), (uint32_t)(1200ull * 3579545));
    machine_free(m);
}

static void
pm1_is_always_in_acpi_mode(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    assert_int_equal(in(m, 0x604, 2) & 1, 1);
    out(m, 0x604, 2, 0);
    assert_int_equal(in(m, 0x604, 2), 1);
    out(m, 0x602, 2, 0x0121);
    assert_int_equal(in(m, 0x602, 2), 0x0121);
    out(m, 0x600, 2, 0xFFFF);
    assert_int_equal(in(m, 0x600, 4), 0x01210000);
    machine_free(m);
}

/* --- 8259 ---------------------------------------------------------------------------- */

static struct pic *
pic_ready(void)
{
    struct pic *p = pic_new();
    for (unsigned chip = 0; chip < 2; chip++) {
        pic_write(p, chip, 0, 0x11);
        pic_write(p, chip, 1, chip ? 0x28 : 0x20);
        pic_write(p, chip, 1, chip ? 2 : 4);
        pic_write(p, chip, 1, 1);
        pic_write(p, chip, 1, 0); /* unmask */
    }
    return p;
}

static void
pic_delivers_by_priority_and_nests(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    pic_set_line(p, 5, true);
    pic_set_line(p, 3, true);
    assert_true(pic_pending(p));
    assert_int_equal(pic_acknowledge(p), 0x23);
    assert_false(pic_pending(p)); /* 5 waits behind 3 */
    pic_set_line(p, 1, true);
    assert_true(pic_pending(p));  /* 1 goes before */
    assert_int_equal(pic_acknowledge(p), 0x21);
    pic_write(p, 0, 0, 0x20);     /* EOI 1 */
    pic_write(p, 0, 0, 0x20);     /* EOI 3 */
    assert_int_equal(pic_acknowledge(p), 0x25);
    pic_write(p, 0, 0, 0x0B);
    assert_int_equal(pic_read(p, 0, 0), 0x20); /* ISR */
    pic_free(p);
}

static void
pic_cascades_the_slave(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    pic_set_line(p, 12, true);
    assert_int_equal(pic_acknowledge(p), 0x2C);
    pic_set_line(p, 8, true);
    assert_false(pic_pending(p)); /* master's input 2 is in service */
    pic_write(p, 1, 0, 0x20);
    pic_write(p, 0, 0, 0x20);
    assert_int_equal(pic_acknowledge(p), 0x28);
    pic_free(p);
}

static void
pic_masks_and_gives_the_spurious_vector(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    pic_write(p, 0, 1, 0xFF);
    pic_set_line(p, 4, true);
    assert_false(pic_pending(p));
    assert_int_equal(pic_acknowledge(p), 0x27);
    pic_write(p, 0, 1, 0);
    assert_true(pic_pending(p));
    pic_set_line(p, 4, false); /* the request goes with its line */
    assert_int_equal(pic_acknowledge(p), 0x27);
    pic_free(p);
}

static void
pic_level_inputs_ask_again(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    pic_elcr_write(p, 1, 0xFF);
    assert_int_equal(pic_elcr_read(p, 1), 0xDE);
    pic_set_line(p, 11, true);
    assert_int_equal(pic_acknowledge(p), 0x2B);
    pic_write(p, 1, 0, 0x20);
    pic_write(p, 0, 0, 0x20);
    assert_int_equal(pic_acknowledge(p), 0x2B);
    pic_set_line(p, 11, false);
    pic_write(p, 1, 0, 0x20);
    pic_write(p, 0, 0, 0x20);
    assert_false(pic_pending(p));
    pic_free(p);
}

static void
pic_rotates_and_polls(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    pic_write(p, 0, 0, 0xC0 | 3); /* 3 becomes the lowest, 4 the highest */
    pic_set_line(p, 4, true);
    pic_set_line(p, 1, true);
    assert_int_equal(pic_acknowledge(p), 0x24);
    pic_write(p, 0, 0, 0xA0); /* EOI with rotation */
    pic_write(p, 0, 0, 0x0C); /* poll */
    assert_int_equal(pic_read(p, 0, 0), 0x81);
    pic_free(p);
}

static void
pic_nests_slaves_in_special_fully_nested_mode(void **unused)
{
    (void)unused;
    for (unsigned nested = 0; nested < 2; nested++) {
        struct pic *p = pic_ready();
        pic_write(p, 0, 0, 0x11);
        pic_write(p, 0, 1, 0x20);
        pic_write(p, 0, 1, 4);
        pic_write(p, 0, 1, nested ? 0x11 : 0x01);
        pic_set_line(p, 12, true);
        assert_int_equal(pic_acknowledge(p), 0x2C);
        pic_set_line(p, 8, true);
        assert_int_equal(pic_pending(p), nested);
        pic_free(p);
    }
}

static void
pic_slave_with_automatic_eoi_asks_once_per_request(void **unused)
{
    (void)unused;
    struct pic *p = pic_ready();
    for (unsigned chip = 0; chip < 2; chip++) {
        pic_write(p, chip, 0, 0x11);
        pic_write(p, chip, 1, chip ? 0x28 : 0x20);
        pic_write(p, chip, 1, chip ? 2 : 4);
        pic_write(p, chip, 1, 3);
    }
    pic_set_line(p, 8, true);
    pic_set_line(p, 12, true);
    assert_int_equal(pic_acknowledge(p), 0x28);
    assert_true(pic_pending(p));
    assert_int_equal(pic_acknowledge(p), 0x2C);
    assert_false(pic_pending(p));
    pic_free(p);
}

static void
the_8259s_drive_lint0_and_input_0_of_the_io_apic(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, 0, 0x700);       /* ExtINT */
    route(m, 4, 0x44);
    out(m, 0x21, 1, 0xFF);
    platform_set_line(m->platform, 4, true);
    assert_false(fake.pin[0]);
    assert_int_equal(fake.msi_count, 1);
    out(m, 0x21, 1, 0xEF);
    assert_true(fake.pin[0]);
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(fake.msi_data[1], 0x700);
    assert_int_equal(fake.board.acknowledge(fake.board.ctx), 0x0C);
    assert_false(fake.pin[0]);
    platform_set_line(m->platform, 0, true); /* line 0 is input 2 */
    route(m, 2, 0x42);
    platform_set_line(m->platform, 0, false);
    platform_set_line(m->platform, 0, true);
    assert_int_equal(fake.msi_count, 3);
    assert_int_equal(fake.msi_data[2], 0x42);
    machine_free(m);
}

/* --- I/O APIC ------------------------------------------------------------------------- */

static void
ioapic_identifies_itself(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    assert_int_equal(ioapic_get(m, 1), 0x00170020);
    ioapic_select(m, 1, 0);
    assert_int_equal(ioapic_get(m, 1), 0x00170020);
    ioapic_select(m, 0, UINT32_MAX);
    assert_int_equal(ioapic_get(m, 0), 0x0F000000);
    assert_int_equal(ioapic_get(m, 2), 0x0F000000);
    assert_int_equal(ioapic_get(m, 0x10), 0x10000); /* masked after reset */
    assert_int_equal(ioapic_get(m, 0x40), 0);       /* no 25th pin */
    machine_free(m);
}

static void
an_edge_delivers_once_and_a_masked_edge_is_lost(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, 10, 0x0300000000000941ull); /* destination 3, logical, lowest priority, vector 41H */
    platform_set_line(m->platform, 10, true);
    platform_set_line(m->platform, 10, true);
    assert_int_equal(fake.msi_count, 1);
    assert_true(fake.msi_address[0] == 0xFEE03004);
    assert_int_equal(fake.msi_data[0], 0x141);
    platform_set_line(m->platform, 10, false);
    route(m, 10, 0x10041);
    platform_set_line(m->platform, 10, true);
    route(m, 10, 0x41);
    assert_int_equal(fake.msi_count, 1);
    machine_free(m);
}

static void
a_level_waits_for_its_eoi_and_asks_again(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, 20, 0x8055); /* level */
    platform_set_line(m->platform, 20, true);
    assert_int_equal(fake.msi_count, 1);
    assert_int_equal(fake.msi_data[0], 0xC055);
    assert_true(ioapic_get(m, 0x10 + 40) & 1 << 14); /* remote IRR */
    platform_set_line(m->platform, 20, false);
    platform_set_line(m->platform, 20, true);
    assert_int_equal(fake.msi_count, 1);
    fake.board.eoi(fake.board.ctx, 0x54);
    assert_int_equal(fake.msi_count, 1);
    fake.board.eoi(fake.board.ctx, 0x55); /* still high */
    assert_int_equal(fake.msi_count, 2);
    platform_set_line(m->platform, 20, false);
    wr32(m, IOAPIC_BASE + 0x40, 0x55); /* the EOI register does the same */
    assert_int_equal(fake.msi_count, 2);
    assert_false(ioapic_get(m, 0x10 + 40) & 1 << 14);
    machine_free(m);
}

static void
a_masked_level_is_kept(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    route(m, 20, 0x18055);
    platform_set_line(m->platform, 20, true);
    assert_int_equal(fake.msi_count, 0);
    route(m, 20, 0x8055);
    assert_int_equal(fake.msi_count, 1);
    machine_free(m);
}

static void
remapping_fields_pass_into_the_message(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    /* Handle 0x8123 in remappable format: 63:49 = 0x123, 48 = 1, 11 = handle bit 15. */
    route(m, 6, 0x123ull << 49 | 1ull << 48 | 1 << 11 | 0x66);
    platform_set_line(m->platform, 6, true);
    assert_true(fake.msi_address[0] == (0xFEE00000 | 0x123 << 5 | 1 << 4 | 1 << 2));
    machine_free(m);
}

static void
chipset_state_survives_a_save(void **unused)
{
    (void)unused;
    struct machine *a = fake_machine(1, MIB), *b = fake_machine(1, MIB);
    out(a, COM + 7, 1, 0x42);
    platform_console_input(a->platform, 'q');
    route(a, 3, 0x1234);
    out(a, 0x21, 1, 0xFB);
    cmos_set(a, 0x50, 0x77);
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    assert_true(machine_hash(a) != machine_hash(b));
    s = state_new_load(bytes, size);
    machine_state(b, s);
    assert_null(state_load_end(s));
    assert_true(machine_hash(a) == machine_hash(b));
    assert_int_equal(in(b, COM, 1), 'q');
    assert_int_equal(cmos(b, 0x50), 0x77);
    free(bytes);
    machine_free(a);
    machine_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uart_prints_what_is_written),
        cmocka_unit_test(uart_divisor_hides_behind_dlab),
        cmocka_unit_test(uart_receives_in_order_and_says_when_it_overran),
        cmocka_unit_test(uart_interrupts_through_the_io_apic),
        cmocka_unit_test(uart_loops_back),
        cmocka_unit_test(rtc_shows_the_epoch_and_follows_machine_time),
        cmocka_unit_test(rtc_knows_the_calendar),
        cmocka_unit_test(rtc_speaks_binary_and_twelve_hours),
        cmocka_unit_test(rtc_can_be_set),
        cmocka_unit_test(rtc_announces_updates),
        cmocka_unit_test(writes_that_stop_the_machine),
        cmocka_unit_test(pm_timer_runs_at_its_frequency_and_wraps),
        cmocka_unit_test(pm1_is_always_in_acpi_mode),
        cmocka_unit_test(pic_delivers_by_priority_and_nests),
        cmocka_unit_test(pic_cascades_the_slave),
        cmocka_unit_test(pic_masks_and_gives_the_spurious_vector),
        cmocka_unit_test(pic_level_inputs_ask_again),
        cmocka_unit_test(pic_rotates_and_polls),
        cmocka_unit_test(pic_nests_slaves_in_special_fully_nested_mode),
        cmocka_unit_test(pic_slave_with_automatic_eoi_asks_once_per_request),
        cmocka_unit_test(the_8259s_drive_lint0_and_input_0_of_the_io_apic),
        cmocka_unit_test(ioapic_identifies_itself),
        cmocka_unit_test(an_edge_delivers_once_and_a_masked_edge_is_lost),
        cmocka_unit_test(a_level_waits_for_its_eoi_and_asks_again),
        cmocka_unit_test(a_masked_level_is_kept),
        cmocka_unit_test(remapping_fields_pass_into_the_message),
        cmocka_unit_test(chipset_state_survives_a_save),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
