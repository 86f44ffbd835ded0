/* Claims about the loader of Linux kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bzimage_maker.h"
#include "fake_cpu.h"
#include "sim/mem/mem.h"
#include "sim/platform/load.h"
#include "spec/platform/linux_boot.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)

static char error[512];
static uint8_t image[BZIMAGE_SIZE];

static bool
load(struct machine *m, struct load_request r, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); /* so that a sanitizer sees the edge */
    memcpy(copy, image, size);
    r.name = "vmlinuz";
    r.bytes = copy;
    r.size = size;
    error[0] = '\0';
    bool ok = load_image(m, &r, error, sizeof error);
    free(copy);
    return ok;
}

static uint64_t
param(const struct machine *m, uint32_t offset, unsigned size)
{
    uint64_t value = 0;
    assert_true(mem_read(m->mem, m->cpu[0]->gpr[RSI] + offset, &value, size));
    return value;
}

static void
boot_params_carry_header_command_line_memory_map_and_rsdp(void **unused)
{
    (void)unused;
    bzimage_make(image);
    struct machine *m = fake_machine(1, 16 * MIB);
    assert_true(load(m, (struct load_request){ .cmdline = "console=ttyS0" }, sizeof image));
    assert_int_equal(param(m, LINUX_HEADER_MAGIC, 4), LINUX_HEADER_MAGIC_VALUE);
    assert_int_equal(param(m, LINUX_INIT_SIZE, 4), 0x4000);
    assert_int_equal(param(m, LINUX_TYPE_OF_LOADER, 1), 0xFF);
    assert_int_equal(param(m, LINUX_RAMDISK_IMAGE, 8), 0);
    assert_int_equal(param(m, LINUX_SETUP_SECTS - 1, 1), 0); /* nothing of the boot sector before the header */
    char text[32];
    assert_true(mem_read(m->mem, param(m, LINUX_CMD_LINE_PTR, 4), text, 14));
    assert_string_equal(text, "console=ttyS0");
    char rsdp[8];
    assert_true(mem_read(m->mem, param(m, LINUX_ACPI_RSDP, 8), rsdp, 8));
    assert_memory_equal(rsdp, "RSD PTR ", 8);
    uint64_t available = 0, end = 0;
    for (unsigned i = 0; i < param(m, LINUX_E820_ENTRIES, 1); i++) {
        uint32_t at = LINUX_E820_TABLE + i * LINUX_E820_ENTRY_SIZE;
        assert_true(param(m, at, 8) >= end);
        end = param(m, at, 8) + param(m, at + 8, 8);
        available += param(m, at + 16, 4) == 1 ? param(m, at + 8, 8) : 0;
    }
    assert_int_equal(available, 15 * MIB + LOW_RAM_END);
    machine_free(m);
}

static void
the_64_bit_entry_is_in_long_mode_on_an_identity_map(void **unused)
{
    (void)unused;
    bzimage_make(image);
    struct machine *m = fake_machine(1, 16 * MIB);
    struct load_result result;
    assert_true(load(m, (struct load_request){ .result = &result }, sizeof image));
    const struct cpu *cpu = m->cpu[0];
    assert_int_equal(result.protocol, LOAD_LINUX_64);
    assert_int_equal(cpu->rip, 0x200200);
    assert_int_equal(cpu->cr0, 0x80000011);
    assert_int_equal(cpu->cr4, 0x20);
    assert_int_equal(cpu->efer, 0x500);
    assert_int_equal(cpu->seg[CS].selector, 0x10);
    assert_int_equal(cpu->seg[CS].rights, 0xA09B);
    assert_int_equal(cpu->seg[DS].selector, 0x18);
    assert_int_equal(cpu->rflags_rest & 1 << 9, 0);
    assert_memory_equal(mem_ram(m->mem, 0x200000), image + BZIMAGE_SETUP, BZIMAGE_CODE);
    static const uint64_t probe[] = { 0, 0x12345678, 0xFFFFFFFF };
    for (unsigned i = 0; i < 3; i++) {
        uint64_t entry = cpu->cr3;
        for (int shift = 39; shift >= 21; shift -= 9) {
            assert_true(mem_read(m->mem, (entry & ~0xFFFull) + (probe[i] >> shift & 511) * 8, &entry, 8));
            assert_int_equal(entry & 3, 3);
        }
        assert_int_equal((entry & ~0x1FFFFFull) + (probe[i] & 0x1FFFFF), probe[i]);
    }
    machine_free(m);
}

static void
the_32_bit_entry_is_taken_when_asked_for_or_alone(void **unused)
{
    (void)unused;
    for (unsigned asked = 0; asked < 2; asked++) {
        bzimage_make(image);
        if (!asked) {
            bzimage_set(image, LINUX_XLOADFLAGS, 0, 2);
        }
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_true(load(m, (struct load_request){ .protocol = asked ? LOAD_LINUX_32 : LOAD_AUTO }, sizeof image));
        assert_int_equal(m->cpu[0]->rip, 0x200000);
        assert_int_equal(m->cpu[0]->cr0, 0x11);
        assert_int_equal(m->cpu[0]->efer, 0);
        assert_int_equal(m->cpu[0]->seg[CS].rights, 0xC09B);
        assert_int_equal(m->cpu[0]->gpr[RBX] | m->cpu[0]->gpr[RBP] | m->cpu[0]->gpr[RDI], 0);
        machine_free(m);
    }
}

static void
a_kernel_goes_where_it_prefers_if_it_can(void **unused)
{
    (void)unused;
    static const struct { uint64_t preferred; uint8_t relocatable; uint16_t version; uint64_t place; } row[] = {
        { 0x200000, 1, 0x20C, 0x200000 }, { 0x200000, 0, 0x20C, 0x100000 },
        { 0x200000, 1, 0x205, 0x100000 }, { 0x8000, 1, 0x20C, 0x100000 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        bzimage_make(image);
        bzimage_set(image, LINUX_PREF_ADDRESS, row[i].preferred, 8);
        bzimage_set(image, LINUX_RELOCATABLE, row[i].relocatable, 1);
        bzimage_set(image, LINUX_VERSION, row[i].version, 2);
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_true(load(m, (struct load_request){ .protocol = LOAD_LINUX_32 }, sizeof image));
        assert_int_equal(m->cpu[0]->rip, row[i].place);
        machine_free(m);
    }
}

static void
an_initrd_goes_as_high_as_header_and_ram_allow(void **unused)
{
    (void)unused;
    static const struct { uint32_t max; uint64_t place; } row[] = {
        { 0x7FFFFFFF, 16 * MIB - 0x2000 }, { 0x7FFFFF, 8 * MIB - 0x2000 }, { 0x7FFFF0, 8 * MIB - 0x2000 },
    };
    static uint8_t bytes[0x1001];
    memset(bytes, 0xA5, sizeof bytes);
    const struct load_module initrd = { "initrd", bytes, sizeof bytes, NULL };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        bzimage_make(image);
        bzimage_set(image, LINUX_INITRD_ADDR_MAX, row[i].max, 4);
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_true(load(m, (struct load_request){ .initrd = &initrd }, sizeof image));
        assert_int_equal(param(m, LINUX_RAMDISK_IMAGE, 4), row[i].place);
        assert_int_equal(param(m, LINUX_RAMDISK_SIZE, 4), sizeof bytes);
        assert_memory_equal(mem_ram(m->mem, row[i].place), bytes, sizeof bytes > 4096 ? 4096 : sizeof bytes);
        machine_free(m);
    }
}

static void
unusable_kernels_are_refused_in_words(void **unused)
{
    (void)unused;
    static const struct { uint32_t offset; uint64_t value; unsigned size; const char *words; } row[] = {
        { LINUX_VERSION, 0x201, 2, "2.02 or later" }, { LINUX_LOADFLAGS, 0, 1, "zImage" },
        { LINUX_JUMP + 1, 0x10, 1, "header ends at" }, { LINUX_JUMP + 1, 0xF0, 1, "header ends at" },
        { LINUX_CODE32_START, 0, 4, "real mode" }, { LINUX_SYSSIZE, 0x1000, 4, "cut short" },
        { LINUX_SETUP_SECTS, 64, 1, "cut short" }, { LINUX_KERNEL_ALIGNMENT, 0x30000, 4, "power of two" },
        { LINUX_INIT_SIZE, 0xF0000000, 4, "give it more memory" }, { LINUX_PREF_ADDRESS, 64 * MIB, 8, "give it more memory" }, { LINUX_INITRD_ADDR_MAX, 0x200000, 4, "does not fit" },
        { LINUX_CMDLINE_SIZE, 3, 4, "command line of 7" },
    };
    const struct load_module initrd = { "initrd", image, sizeof image, NULL };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        bzimage_make(image);
        bzimage_set(image, row[i].offset, row[i].value, row[i].size);
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_false(load(m, (struct load_request){ .cmdline = "too lon", .initrd = &initrd }, sizeof image));
        assert_non_null(strstr(error, row[i].words));
        machine_free(m);
    }
    bzimage_make(image);
    bzimage_set(image, LINUX_XLOADFLAGS, 0, 2);
    struct machine *m = fake_machine(1, 16 * MIB);
    assert_false(load(m, (struct load_request){ .protocol = LOAD_LINUX_64 }, sizeof image));
    assert_non_null(strstr(error, "no 64-bit entry"));
    assert_false(load(m, (struct load_request){ .modules = &initrd, .module_count = 1 }, sizeof image));
    assert_non_null(strstr(error, "no modules"));
    machine_free(m);
}

static void
no_cut_of_a_kernel_is_read_beyond(void **unused)
{
    (void)unused;
    bzimage_make(image);
    for (size_t size = 0; size < sizeof image - 16; size += size < 0x400 ? 1 : 0x35) {
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_false(load(m, (struct load_request){ 0 }, size));
        assert_true(error[0] != '\0');
        machine_free(m);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_params_carry_header_command_line_memory_map_and_rsdp),
        cmocka_unit_test(the_64_bit_entry_is_in_long_mode_on_an_identity_map),
        cmocka_unit_test(the_32_bit_entry_is_taken_when_asked_for_or_alone),
        cmocka_unit_test(a_kernel_goes_where_it_prefers_if_it_can),
        cmocka_unit_test(an_initrd_goes_as_high_as_header_and_ram_allow),
        cmocka_unit_test(unusable_kernels_are_refused_in_words),
        cmocka_unit_test(no_cut_of_a_kernel_is_read_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
