/* Claims about the whole way from an image to its first words, on real processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_maker.h"
#include "sim/cpu/cpu.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/load.h"
#include "sim/platform/platform.h"
#include "sim/time/timing.h"

/* Checks EAX, prints "ok" on COM1, exits with the size of the boot information. */
static const uint8_t code[] = {
    0x3D, 0x89, 0x62, 0xD7, 0x36,       /* cmp $0x36D76289, %eax */
    0x0F, 0x85, 0x0F, 0x00, 0x00, 0x00, /* jne bad */
    0x66, 0xBA, 0xF8, 0x03,             /* mov $0x3F8, %dx */
    0xB0, 'o', 0xEE,                    /* mov $'o', %al; out %al, (%dx) */
    0xB0, 'k', 0xEE,                    /* mov $'k', %al; out %al, (%dx) */
    0x8B, 0x03,                         /* mov (%ebx), %eax */
    0xE7, 0xF4,                         /* out %eax, $0xF4 */
    0xF4,                               /* hlt */
    0x31, 0xC0, 0xE7, 0xF4, 0xF4,       /* bad: xor %eax, %eax; out %eax, $0xF4; hlt */
};

struct text { char bytes[16]; unsigned count; };

static void
text_add(void *ctx, uint8_t byte)
{
    struct text *t = ctx;
    if (t->count < sizeof t->bytes - 1) {
        t->bytes[t->count++] = (char)byte;
    }
}

static struct machine *
boot_code(unsigned cpus, struct text *text, const uint8_t *bytes, size_t size, uint64_t start)
{
    static struct elf_maker e;
    elf_make_64(&e);
    elf_put_multiboot2(&e, NULL, 0);
    memcpy(e.bytes + ELF_MAKER_DATA + 0x40, bytes, size);
    const struct machine_config config = {
        .ram_size = 16u << 20, .cpu_count = cpus, .quantum = 1000, .vtx = true, .start = start,
    };
    char error[256] = "";
    struct machine *m = machine_new(&config, error, sizeof error);
    assert_non_null(m);
    platform_set_console(m->platform, text_add, text);
    const struct load_request request = { .name = "boot", .bytes = e.bytes, .size = sizeof e.bytes };
    assert_true(load_image(m, &request, error, sizeof error));
    return m;
}

static struct machine *
boot(unsigned cpus, struct text *text)
{
    return boot_code(cpus, text, code, sizeof code, 0);
}

static void
an_image_speaks_and_finds_its_boot_information(void **unused)
{
    (void)unused;
    struct text text = { .count = 0 };
    struct machine *m = boot(2, &text);
    assert_int_equal(machine_run(m, 1000000), STOP_DEBUG_EXIT);
    assert_string_equal(text.bytes, "ok");
    uint32_t size;
    memcpy(&size, mem_ram(m->mem, 0x9E000), 4); /* a page below the end of its place */
    assert_int_equal(m->stop_code, size);
    assert_true(size > 200);
    machine_free(m);
}

static void
two_machines_in_one_process_do_the_same(void **unused)
{
    (void)unused;
    struct text a = { .count = 0 }, b = { .count = 0 };
    struct machine *ma = boot(3, &a), *mb = boot(3, &b);
    assert_true(machine_hash(ma) == machine_hash(mb));
    machine_run(ma, 1000000);
    machine_run(mb, 1000000);
    assert_true(machine_hash(ma) == machine_hash(mb));
    machine_free(ma);
    machine_free(mb);
}

/* --- reset -------------------------------------------------------------------------- */

/* The first time: leaves traces in memory and in CMOS, resets. The second: exits with what is left of them. */
static const uint8_t twice[] = {
    0xB0, 0x50, 0xE6, 0x70,                   /* mov $0x50, %al; out %al, $0x70 */
    0xE4, 0x71,                               /* in $0x71, %al */
    0x84, 0xC0, 0x75, 0x16,                   /* test %al, %al; jnz second */
    0xB0, 0x2A, 0xE6, 0x71,                   /* mov $42, %al; out %al, $0x71 */
    0xC7, 0x05, 0x00, 0x00, 0x80, 0x00, 0x07, 0x00, 0x00, 0x00, /* movl $7, 0x800000 */
    0x66, 0xBA, 0xF9, 0x0C,                   /* mov $0xCF9, %dx */
    0xB0, 0x06, 0xEE, 0xF4,                   /* mov $6, %al; out %al, (%dx); hlt */
    0x0F, 0xB6, 0xC0,                         /* second: movzx %al, %eax */
    0x03, 0x05, 0x00, 0x00, 0x80, 0x00,       /* add 0x800000, %eax */
    0xE7, 0xF4, 0xF4,                         /* out %eax, $0xF4; hlt */
};

static struct machine *
run_to_reset(struct text *text)
{
    struct machine *m = boot_code(2, text, twice, sizeof twice, 0);
    assert_int_equal(machine_run(m, 1000000), STOP_RESET);
    return m;
}

static void
reset_now(struct machine *m)
{
    struct text text = { .count = 0 };
    char error[256] = "";
    struct machine *fresh = boot_code(2, &text, twice, sizeof twice, m->now);
    if (!machine_reset(m, fresh, error, sizeof error)) {
        fail_msg("%s", error);
    }
    machine_free(fresh);
}

static void
a_reset_machine_starts_again_and_remembers_its_cmos_but_not_its_memory(void **unused)
{
    (void)unused;
    struct text text = { .count = 0 };
    struct machine *m = run_to_reset(&text);
    uint64_t before = m->now, instructions = m->cpu[0]->instructions;
    reset_now(m);
    assert_true(m->now == before);
    assert_true(cpu_tsc(m->cpu[0]) == 0);
    assert_int_equal(machine_run(m, 2000000), STOP_DEBUG_EXIT);
    assert_int_equal(m->stop_code, 42);
    assert_true(m->cpu[0]->instructions > instructions);
    machine_free(m);
}

/* Somebody has used every device. */
static void
disturb(struct machine *m)
{
    static const struct { uint16_t port; uint8_t value; } out[] = {
        { 0x43, 0x34 }, { 0x40, 0x10 }, { 0x40, 0x20 }, { 0x61, 0x03 }, { 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 0x04 }, { 0x21, 0x01 },
        { 0x4D0, 0x20 }, { 0x3F9, 0x0F }, { 0x3FB, 0x83 }, { 0x3FC, 0x0B }, { 0x2FF, 0x55 }, { 0x64, 0x60 }, { 0x60, 0x47 },
        { 0x60, 0xF2 }, { 0x70, 0x0B }, { 0x602, 0x21 }, { 0x603, 0x01 }, { 0xCF8, 0x04 },
    };
    static const struct { uint64_t spa; uint32_t value; } store[] = {
        { 0xFEC00000, 0x10 }, { 0xFEC00010, 0x31 }, { 0xFED00010, 3 }, { 0xFED00100, 0x4C }, { 0xFED00108, 1000 },
        { 0xE0008004, 0x7 }, { 0xE0008018, 0x00050100 }, { 0xFED90038, 0 },
    };
    for (unsigned i = 0; i < sizeof out / sizeof *out; i++) {
        mem_port_write(m->mem, out[i].port, 1, out[i].value);
    }
    for (unsigned i = 0; i < sizeof store / sizeof *store; i++) {
        mem_mmio_write(m->mem, store[i].spa, 4, store[i].value);
    }
    platform_key(m->platform, 30, true);
    platform_power_button(m->platform);
}

static void
a_reset_machine_is_a_new_one_but_for_what_survives(void **unused)
{
    (void)unused;
    struct text text = { .count = 0 };
    struct machine *m = run_to_reset(&text);
    uint64_t undisturbed = machine_hash(m);
    disturb(m);
    assert_true(machine_hash(m) != undisturbed);
    reset_now(m);
    struct machine *fresh = boot_code(2, &text, twice, sizeof twice, m->now);
    mem_port_write(fresh->mem, 0x70, 1, 0x50); /* what survives: a byte in CMOS, counts, attribution of time */
    mem_port_write(fresh->mem, 0x71, 1, 42);
    mem_port_write(fresh->mem, 0x70, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(m->cpu[i]->instructions == 0 || i == 0);
        fresh->cpu[i]->instructions = m->cpu[i]->instructions;
        memcpy(fresh->cpu[i]->bucket_cycles, m->cpu[i]->bucket_cycles, BUCKET_MAX * sizeof *fresh->cpu[i]->bucket_cycles);
    }
    assert_true(machine_hash(m) == machine_hash(fresh));
    machine_free(fresh);
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_speaks_and_finds_its_boot_information),
        cmocka_unit_test(a_reset_machine_starts_again_and_remembers_its_cmos_but_not_its_memory),
        cmocka_unit_test(a_reset_machine_is_a_new_one_but_for_what_survives),
        cmocka_unit_test(two_machines_in_one_process_do_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
