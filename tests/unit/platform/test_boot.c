/* Claims about the whole way from an image to its first words, on real processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_maker.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/load.h"
#include "sim/platform/platform.h"

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
boot(unsigned cpus, struct text *text)
{
    static struct elf_maker e;
    elf_make_64(&e);
    elf_put_multiboot2(&e, NULL, 0);
    memcpy(e.bytes + ELF_MAKER_DATA + 0x40, code, sizeof code);
    const struct machine_config config = {
        .ram_size = 16u << 20, .cpu_count = cpus, .quantum = 1000, .vtx = true,
    };
    char error[256] = "";
    struct machine *m = machine_new(&config, error, sizeof error);
    assert_non_null(m);
    platform_set_console(m->platform, text_add, text);
    const struct load_request request = { .name = "boot", .bytes = e.bytes, .size = sizeof e.bytes };
    assert_true(load_image(m, &request, error, sizeof error));
    return m;
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_speaks_and_finds_its_boot_information),
        cmocka_unit_test(two_machines_in_one_process_do_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
