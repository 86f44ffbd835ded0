/* Claims about the display: where its memory is, what software is told, VGA's registers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "fake_cpu.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/load_priv.h"
#include "sim/platform/vga.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct machine *
machine(uint64_t ram, uint32_t width, uint32_t height, bool text)
{
    const struct machine_config config = { .ram_size = ram, .cpu_count = 1, .quantum = 1000, .display_width = width,
                                           .display_height = height, .display_text = text };
    char error[128];
    return machine_new(&config, error, sizeof error);
}

static void
framebuffer_is_memory_behind_what_software_is_told_of(void **unused)
{
    (void)unused;
    static const struct { uint64_t ram, base; } rows[] = {
        { 16 * MIB, 16 * MIB }, { 3 * GIB, 4 * GIB }, { 4 * GIB, 5 * GIB }, { 3 * GIB - 4 * MIB, 3 * GIB - 4 * MIB },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct machine *m = machine(rows[i].ram, 1024, 768, false);
        assert_non_null(m);
        assert_int_equal(display_base(&m->config), rows[i].base);
        assert_non_null(mem_ram(m->mem, rows[i].base));
        assert_non_null(mem_ram(m->mem, rows[i].base + 1024 * 768 * 4 - 1));
        struct memory_range range[MEMORY_RANGES_MAX];
        unsigned count = load_memory_map(m, range), found = 0;
        for (unsigned k = 0; k < count; k++) {
            bool holds = range[k].base < rows[i].base + 3 * MIB && rows[i].base < range[k].base + range[k].size;
            found += holds && range[k].type == MEMORY_RESERVED && range[k].base == rows[i].base;
            assert_false(holds && range[k].type == MEMORY_AVAILABLE);
        }
        assert_int_equal(found, 1);
        machine_free(m);
    }
}

static void
impossible_displays_are_refused(void **unused)
{
    (void)unused;
    static const struct { uint64_t ram; uint32_t width, height; const char *why; } rows[] = {
        { 16 * MIB, 5000, 768, "5000 x 768" }, { 16 * MIB, 1024, 0, "1024 x 0" }, { 16 * MIB, 8, 8, "8 x 8" },
        { 3 * GIB - MIB, 1024, 768, "leaves no room" },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct machine_config c = { .ram_size = rows[i].ram, .display_width = rows[i].width, .display_height = rows[i].height };
        char error[256];
        assert_false(display_check(&c, error, sizeof error));
        assert_non_null(strstr(error, rows[i].why));
    }
}

static uint64_t
get(const uint8_t *p, unsigned offset, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, p + offset, size);
    return value;
}

static void
linux_is_told_as_its_screen_info_wants_it(void **unused)
{
    (void)unused;
    uint8_t info[64] = { 0 }, none[64] = { 0 };
    const struct machine_config linear = { .ram_size = 4 * GIB, .display_width = 800, .display_height = 600 };
    const struct machine_config text = { .ram_size = 4 * GIB, .display_text = true }, blind = { .ram_size = 4 * GIB };
    display_screen_info(&blind, info);
    assert_memory_equal(info, none, 64);
    display_screen_info(&linear, info);
    static const struct { unsigned at, size; uint64_t value; } rows[] = {
        { 0x0F, 1, 0x23 }, { 0x12, 2, 800 }, { 0x14, 2, 600 }, { 0x16, 2, 32 }, { 0x18, 4, 0x40000000 }, { 0x24, 2, 3200 },
        { 0x26, 8, 0x1808000808081008 }, { 0x36, 4, 2 }, { 0x3A, 4, 1 }, { 0x1C, 4, 30 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(get(info, rows[i].at, rows[i].size), rows[i].value);
    }
    memset(info, 0, sizeof info);
    display_screen_info(&text, info);
    assert_int_equal(info[0x0F], 0x22);
    assert_int_equal(info[7], 80);
    assert_int_equal(info[0x0E], 25);
}

static void
multiboot_fields_say_linear_or_text(void **unused)
{
    (void)unused;
    uint8_t f[30];
    const struct machine_config linear = { .ram_size = 16 * MIB, .display_width = 800, .display_height = 600 };
    const struct machine_config text = { .ram_size = 16 * MIB, .display_text = true }, blind = { .ram_size = 16 * MIB };
    assert_int_equal(display_multiboot(&blind, f), 0);
    assert_int_equal(display_multiboot(&linear, f), 30);
    assert_int_equal(get(f, 0, 8), 16 * MIB);
    assert_int_equal(get(f, 8, 4), 3200);
    assert_int_equal(get(f, 20, 2), 32 | 1 << 8);
    assert_int_equal(get(f, 24, 6), 0x080008080810);
    assert_int_equal(display_multiboot(&text, f), 22);
    assert_int_equal(get(f, 0, 8), 0xB8000);
    assert_int_equal(get(f, 12, 4), 80);
    assert_int_equal(get(f, 20, 2), 16 | 2 << 8);
}

/* --- VGA ------------------------------------------------------------------------------ */

static void
crtc(struct machine *m, uint8_t index, uint8_t value)
{
    out(m, 0x3D4, 2, (uint64_t)value << 8 | index); /* index and data in one write */
}

static void
text_follows_start_cursor_and_palette(void **unused)
{
    (void)unused;
    struct machine *m = machine(2 * MIB, 0, 0, true);
    struct vga *v = vga_new(m);
    struct vga_text t;
    vga_text(v, &t);
    assert_int_equal(t.start, 0);
    assert_true(t.cursor_on && t.blink);
    static const uint32_t ega[16] = { 0, 0xAA, 0xAA00, 0xAAAA, 0xAA0000, 0xAA00AA, 0xAA5500, 0xAAAAAA, 0x555555, 0x5555FF, 0x55FF55,
                                      0x55FFFF, 0xFF5555, 0xFF55FF, 0xFFFF55, 0xFFFFFF };
    assert_memory_equal(t.colour, ega, sizeof ega);
    assert_int_equal(*mem_ram(m->mem, 0xB8000), ' ');
    crtc(m, 0x0C, 0x01);
    crtc(m, 0x0D, 0x40);
    crtc(m, 0x0E, 0x07);
    crtc(m, 0x0F, 0xCF);
    crtc(m, 0x0A, 0x2D);
    out(m, 0x3D4, 1, 0x0F);
    assert_int_equal(in(m, 0x3D5, 1), 0xCF);
    in(m, 0x3DA, 1); /* the attribute controller expects an index */
    out(m, 0x3C0, 1, 0x10);
    out(m, 0x3C0, 1, 0x00);
    out(m, 0x3C0, 1, 0x01); /* attribute 1 shows colour 7 */
    out(m, 0x3C0, 1, 0x07);
    out(m, 0x3C8, 1, 7);
    out(m, 0x3C9, 1, 63);
    out(m, 0x3C9, 1, 0);
    out(m, 0x3C9, 1, 1);
    vga_text(v, &t);
    assert_int_equal(t.start, 0x280);
    assert_int_equal(t.cursor, 1999);
    assert_false(t.cursor_on);
    assert_false(t.blink);
    assert_int_equal(t.colour[1], 0xFF0004);
    out(m, 0x3C7, 1, 7);
    assert_int_equal(in(m, 0x3C9, 1), 63);
    vga_free(v);
    machine_free(m);
}

static void
retrace_comes_sixty_times_a_second(void **unused)
{
    (void)unused;
    struct machine *m = machine(2 * MIB, 0, 0, true);
    struct vga *v = vga_new(m);
    unsigned rises = 0;
    bool high = false;
    for (uint64_t step = 0; step < 100000; step++) {
        m->now = MACHINE_TSC_HZ / 100000 * step;
        bool now = in(m, 0x3DA, 1) & 8;
        rises += now && !high;
        high = now;
    }
    assert_int_equal(rises, 60);
    m->now = 0;
    vga_free(v);
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framebuffer_is_memory_behind_what_software_is_told_of),
        cmocka_unit_test(impossible_displays_are_refused),
        cmocka_unit_test(linux_is_told_as_its_screen_info_wants_it),
        cmocka_unit_test(multiboot_fields_say_linear_or_text),
        cmocka_unit_test(text_follows_start_cursor_and_palette),
        cmocka_unit_test(retrace_comes_sixty_times_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
