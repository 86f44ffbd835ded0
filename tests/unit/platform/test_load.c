/* Claims about ELF images and the multiboot loaders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_maker.h"
#include "fake_cpu.h"
#include "sim/mem/mem.h"
#include "sim/platform/elf_image.h"
#include "sim/platform/load.h"

#define MIB (1ull << 20)

static char error[512];

static struct image *
parse(const struct elf_maker *e, size_t size)
{
    error[0] = '\0';
    return image_parse("x.elf", e->bytes, size, error, sizeof error);
}

/* --- ELF ---------------------------------------------------------------------- */

static void
elf64_is_taken_apart(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    struct image *image = parse(&e, sizeof e.bytes);
    assert_non_null(image);
    assert_int_equal(image->segment_count, 2);
    assert_int_equal(image_spa(image, image->entry), 0x100040);
    assert_true(image_spa(image, 0x100040) == IMAGE_NOWHERE);
    uint64_t first, end;
    image_extent(image, &first, &end);
    assert_int_equal(first, 0x100000);
    assert_int_equal(end, 0x203000);
    const struct image_section *text = image_section_by_name(image, ".text");
    assert_int_equal(text->spa, 0x100000);
    assert_true(text->executable);
    image_free(image);
}

static void
symbols_are_found_by_name_and_by_address(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    struct image *image = parse(&e, sizeof e.bytes);
    assert_int_equal(image->symbol_count, 3);
    assert_int_equal(image_symbol_by_name(image, "start")->spa, 0x100040);
    assert_null(image_symbol_by_name(image, "star"));
    static const struct { uint64_t spa; const char *name; } row[] = {
        { 0x10003F, NULL }, { 0x100040, "start" }, { 0x10007F, "start" }, { 0x100080, "inner" },
        { 0x10008F, "inner" }, { 0x100090, "start" }, { 0x10013F, "start" }, { 0x100140, NULL },
        { 0x200010, "data_word" }, { 0x200018, NULL },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        const struct image_symbol *y = image_symbol_by_spa(image, row[i].spa);
        if (row[i].name) {
            assert_non_null(y);
            assert_string_equal(y->name, row[i].name);
        } else {
            assert_null(y);
        }
    }
    image_free(image);
}

static void
damaged_elf_files_are_refused_in_words(void **unused)
{
    (void)unused;
    enum { GOOD, MAGIC, CLASS, BIG_ENDIAN_, MACHINE, RELOCATABLE, NO_PHDR, PHDR_SIZE, PHOFF, SEGMENT_FILE,
           SEGMENT_MEM, OVERLAP, WRAP, SECTIONS, CASES };
    static const char *const expected[CASES] = {
        [MAGIC] = "not an ELF file", [CLASS] = "unknown ELF class 9", [BIG_ENDIAN_] = "big-endian",
        [MACHINE] = "machine type 40", [RELOCATABLE] = "type 1", [NO_PHDR] = "nothing to load",
        [PHDR_SIZE] = "damaged", [PHOFF] = "cut short", [SEGMENT_FILE] = "cut short: segment 1",
        [SEGMENT_MEM] = "segment 1 has", [OVERLAP] = "overlap", [WRAP] = "wraps",
        [SECTIONS] = "cut short: the section headers",
    };
    for (unsigned i = GOOD; i < CASES; i++) {
        static struct elf_maker e;
        elf_make_64(&e);
        switch (i) {
        case MAGIC: e.bytes[1] = 'X'; break;
        case CLASS: e.bytes[EI_CLASS] = 9; break;
        case BIG_ENDIAN_: e.bytes[EI_DATA] = ELFDATA2MSB; break;
        case MACHINE: e.ehdr->e_machine = EM_ARM; break;
        case RELOCATABLE: e.ehdr->e_type = ET_REL; break;
        case NO_PHDR: e.ehdr->e_phnum = 0; break;
        case PHDR_SIZE: e.ehdr->e_phentsize = 8; break;
        case PHOFF: e.ehdr->e_phoff = UINT64_MAX - 8; break;
        case SEGMENT_FILE: e.phdr[1].p_offset = ELF_MAKER_SIZE - 0xFF; break;
        case SEGMENT_MEM: e.phdr[1].p_memsz = 0xFF; break;
        case OVERLAP: e.phdr[1].p_paddr = 0x1007FF; break;
        case WRAP: e.phdr[1].p_paddr = UINT64_MAX - 0xFFF; break;
        case SECTIONS: e.ehdr->e_shoff = ELF_MAKER_SIZE - 8; break;
        default: break;
        }
        struct image *image = parse(&e, sizeof e.bytes);
        if (i == GOOD) {
            assert_non_null(image);
            image_free(image);
        } else {
            assert_null(image);
            assert_int_equal(strncmp(error, "x.elf: ", 7), 0);
            assert_non_null(strstr(error, expected[i]));
        }
    }
}

static void
no_cut_of_an_elf_file_is_read_beyond(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    for (size_t size = 0; size < sizeof e.bytes; size += size < 0x400 ? 1 : 0x37) {
        uint8_t *copy = malloc(size ? size : 1); /* so that a sanitizer sees the edge */
        memcpy(copy, e.bytes, size);
        struct image *image = image_parse("x.elf", copy, size, error, sizeof error);
        if (size < 0x3200 + 4 * sizeof(Elf64_Shdr)) {
            assert_null(image);
        }
        image_free(image);
        free(copy);
    }
}

/* --- loading ------------------------------------------------------------------- */

static bool
load(struct machine *m, const struct elf_maker *e, struct load_request r)
{
    r.name = "x.elf";
    r.bytes = e->bytes;
    r.size = sizeof e->bytes;
    error[0] = '\0';
    return load_image(m, &r, error, sizeof error);
}

static void
check_entry_state(const struct machine *m, uint32_t rip, uint32_t eax)
{
    const struct cpu *cpu = m->cpu[0];
    assert_int_equal(cpu->rip, rip);
    assert_int_equal(cpu->gpr[RAX], eax);
    assert_int_equal(cpu->cr0 & 0x80000001, 1);
    assert_int_equal(cpu->rflags_rest & (1 << 9 | 1 << 17), 0);
    for (unsigned i = ES; i <= GS; i++) {
        assert_int_equal(cpu->seg[i].base, 0);
        assert_int_equal(cpu->seg[i].limit, 0xFFFFFFFF);
        assert_int_equal(cpu->seg[i].rights, i == CS ? 0xC09B : 0xC093);
    }
}

static void
segments_land_at_their_physical_addresses(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    elf_put_multiboot2(&e, NULL, 0);
    struct machine *m = fake_machine(1, 16 * MIB);
    assert_true(load(m, &e, (struct load_request){ 0 }));
    check_entry_state(m, 0x100040, 0x36D76289);
    assert_memory_equal(mem_ram(m->mem, 0x100000), e.bytes + 0x1000, 0x800);
    assert_memory_equal(mem_ram(m->mem, 0x200000), e.bytes + 0x2000, 0x100);
    assert_int_equal(*mem_ram(m->mem, 0x200100), 0);
    machine_free(m);
}

/* The information structure as a kernel walks it. */
struct mb2_info {
    uint32_t count[32];
    const uint8_t *last[32];
    const uint8_t *module[8];
};

static void
walk_info(struct machine *m, struct mb2_info *info)
{
    memset(info, 0, sizeof *info);
    uint64_t base = m->cpu[0]->gpr[RBX];
    assert_int_equal(base % 8, 0);
    const uint8_t *start = mem_ram(m->mem, base);
    uint32_t total;
    memcpy(&total, start, 4);
    for (uint32_t at = 8; at < total;) {
        uint32_t tag[2];
        memcpy(tag, start + at, 8);
        assert_true(tag[0] < 32 && tag[1] >= 8 && at + tag[1] <= total);
        if (tag[0] == 3) {
            info->module[info->count[3]] = start + at;
        }
        info->count[tag[0]]++;
        info->last[tag[0]] = start + at;
        if (tag[0] == 0) {
            assert_int_equal(tag[1], 8);
            assert_int_equal(at + 8, total);
        }
        at += (tag[1] + 7) & ~7u;
    }
}

static uint32_t
get32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}

static uint64_t
get64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
}

static void
multiboot2_hands_over_what_the_specification_lists(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    elf_put_multiboot2(&e, NULL, 0);
    struct machine *m = fake_machine(1, 16 * MIB);
    const struct load_module module[2] = {
        { "one", (const uint8_t *)"first", 5, NULL },
        { "two", (const uint8_t *)"second module", 13, "two --flag" },
    };
    struct load_result result;
    assert_true(load(m, &e, (struct load_request){
        .cmdline = "console=ttyS0", .modules = module, .module_count = 2, .result = &result }));
    struct mb2_info info;
    walk_info(m, &info);
    static const uint32_t once[] = { 0, 1, 2, 4, 6, 14, 15 };
    for (unsigned i = 0; i < sizeof once / sizeof *once; i++) {
        assert_int_equal(info.count[once[i]], 1);
    }
    assert_string_equal((const char *)info.last[1] + 8, "console=ttyS0");
    assert_int_equal(info.count[3], 2);
    assert_int_equal(get32(info.module[0] + 8), 0x203000); /* next page behind the image */
    assert_int_equal(get32(info.module[0] + 12), 0x203005);
    assert_string_equal((const char *)info.module[0] + 16, "one");
    assert_int_equal(get32(info.module[1] + 8), 0x204000);
    assert_string_equal((const char *)info.module[1] + 16, "two --flag");
    assert_memory_equal(mem_ram(m->mem, 0x204000), "second module", 13);
    assert_int_equal(result.module_spa[1], 0x204000);
    assert_int_equal(get32(info.last[4] + 8), 640);
    assert_int_equal(get32(info.last[4] + 12), 15 * 1024);
    assert_memory_equal(info.last[15] + 8, "RSD PTR ", 8);
    assert_string_equal(image_symbol_by_spa(result.image, result.entry)->name, "start");
    image_free(result.image);
    machine_free(m);
}

static void
the_memory_map_is_sorted_and_covers_all_ram_once(void **unused)
{
    (void)unused;
    static const uint64_t sizes[] = { 16 * MIB, 3072 * MIB, 5120 * MIB };
    for (unsigned n = 0; n < 3; n++) {
        static struct elf_maker e;
        elf_make_64(&e);
        elf_put_multiboot2(&e, NULL, 0);
        struct machine *m = fake_machine(1, sizes[n]);
        assert_true(load(m, &e, (struct load_request){ 0 }));
        struct mb2_info info;
        walk_info(m, &info);
        const uint8_t *tag = info.last[6];
        assert_int_equal(get32(tag + 8), 24);
        uint64_t ram = 0, end = 0;
        for (uint32_t at = 16; at < get32(tag + 4); at += 24) {
            uint64_t base = get64(tag + at), size = get64(tag + at + 8);
            assert_true(base >= end && size > 0);
            end = base + size;
            if (mem_ram(m->mem, base)) {
                assert_non_null(mem_ram(m->mem, end - 1));
                ram += size;
            } else {
                assert_int_equal(get32(tag + at + 16), 2);
            }
        }
        assert_true(ram == sizes[n]);
        machine_free(m);
    }
}

static void
header_tags_are_obeyed_or_refused(void **unused)
{
    (void)unused;
    struct tag { uint16_t type, flags; uint32_t size; uint32_t body[4]; };
    static const struct { struct tag tag; const char *expected; } row[] = {
        { { 3, 0, 12, { 0x100080 } }, NULL },             /* entry address */
        { { 1, 0, 16, { 6, 15 } }, NULL },                /* wants what we give */
        { { 1, 0, 16, { 6, 7 } }, "information of type 7" },
        { { 1, 1, 16, { 6, 7 } }, NULL },                 /* optional */
        { { 5, 0, 20, { 0 } }, "feature 5" },
        { { 5, 1, 20, { 0 } }, NULL },
        { { 7, 0, 8, { 0 } }, "feature 7" },
        { { 99, 0, 8, { 0 } }, "feature 99" },
        { { 3, 0, 8, { 0 } }, "too short" },
        { { 4, 0, 4, { 0 } }, "impossible size" },
        { { 4, 0, 4000, { 0 } }, "impossible size" },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        static struct elf_maker e;
        elf_make_64(&e);
        elf_put_multiboot2(&e, &row[i].tag, sizeof row[i].tag);
        struct machine *m = fake_machine(1, 16 * MIB);
        bool ok = load(m, &e, (struct load_request){ 0 });
        if (row[i].expected) {
            assert_false(ok);
            assert_non_null(strstr(error, row[i].expected));
        } else {
            assert_true(ok);
            assert_int_equal(m->cpu[0]->rip, row[i].tag.type == 3 ? 0x100080 : 0x100040);
        }
        machine_free(m);
    }
}

static void
the_address_tag_overrides_the_elf_headers(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_64(&e);
    /* Header at file 0x1000 is to be at 0x301000; from the file's beginning, up to 0x302000. */
    const uint32_t tags[] = { 2, 24, 0x301000, 0x300000, 0x302000, 0x303000, 3, 12, 0x301040, 0 };
    elf_put_multiboot2(&e, tags, sizeof tags);
    struct machine *m = fake_machine(1, 16 * MIB);
    assert_true(load(m, &e, (struct load_request){ 0 }));
    assert_int_equal(m->cpu[0]->rip, 0x301040);
    assert_memory_equal(mem_ram(m->mem, 0x300000), e.bytes, 0x2000);
    assert_int_equal(*mem_ram(m->mem, 0x100000), 0);
    machine_free(m);
}

static void
multiboot1_hands_over_what_the_specification_lists(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_32(&e);
    elf_put_multiboot(&e, 3);
    struct machine *m = fake_machine(1, 16 * MIB);
    const struct load_module module = { "env", (const uint8_t *)"NR_CPUS=2\n", 10, NULL };
    assert_true(load(m, &e, (struct load_request){
        .cmdline = "a b", .modules = &module, .module_count = 1 }));
    check_entry_state(m, 0x100040, 0x2BADB002);
    const uint8_t *info = mem_ram(m->mem, m->cpu[0]->gpr[RBX]);
    assert_int_equal(get32(info), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    assert_int_equal(get32(info + 8), 15 * 1024);
    assert_string_equal((char *)mem_ram(m->mem, get32(info + 16)), "x.elf a b");
    assert_int_equal(get32(info + 20), 1);
    const uint8_t *row = mem_ram(m->mem, get32(info + 24));
    assert_memory_equal(mem_ram(m->mem, get32(row)), "NR_CPUS=2\n", 10);
    assert_int_equal(get32(row + 4) - get32(row), 10);
    assert_string_equal((char *)mem_ram(m->mem, get32(row + 8)), "env");
    uint32_t length = get32(info + 44), at = get32(info + 48), entries = 0;
    for (uint32_t end = at + length; at < end; at += get32(mem_ram(m->mem, at)) + 4) {
        entries++;
    }
    assert_int_equal(entries, 6);
    assert_true(m->cpu[0]->gpr[RSP] <= m->cpu[0]->gpr[RBX]);
    machine_free(m);
}

static void
what_does_not_fit_is_refused_in_words(void **unused)
{
    (void)unused;
    enum { NO_HEADER, BEYOND_RAM, ON_ACPI, ON_INFO, MODULE, ENTRY, VIDEO, CASES };
    static const char *const expected[CASES] = {
        [NO_HEADER] = "not a bootable image", [BEYOND_RAM] = "does not fit into the machine's 4 MiB",
        [ON_ACPI] = "ACPI tables", [ON_INFO] = "no room for the boot information",
        [MODULE] = "module big of 3145728 bytes does not fit", [ENTRY] = "is not in RAM",
        [VIDEO] = "features 0x4",
    };
    for (unsigned i = 0; i < CASES; i++) {
        static struct elf_maker e;
        static uint8_t big[3 * MIB];
        const struct load_module module = { "big", big, sizeof big, NULL };
        struct load_request r = { 0 };
        elf_make_32(&e);
        if (i != NO_HEADER) {
            elf_put_multiboot(&e, i == VIDEO ? 4 : 0);
        }
        switch (i) {
        case BEYOND_RAM: e.phdr32[1].p_memsz = 4 * MIB; break;
        case ON_ACPI: e.phdr32[1].p_paddr = 0xDFF00; break;
        case ON_INFO: e.phdr32[1].p_paddr = 0x9C000; break;
        case MODULE: r.modules = &module; r.module_count = 1; break;
        case ENTRY: e.ehdr32->e_entry = 0xD0000000; break;
        default: break;
        }
        struct machine *m = fake_machine(1, 4 * MIB);
        assert_false(load(m, &e, r));
        assert_non_null(strstr(error, expected[i]));
        machine_free(m);
    }
}

/* Xen takes the end of conventional memory from there and puts its trampoline below it. */
static void
the_bios_data_area_is_as_a_bios_leaves_it_unless_the_image_lies_there(void **unused)
{
    (void)unused;
    static const struct { uint32_t paddr; uint16_t com1, kib; } row[] = {
        { 0x200000, 0x3F8, 640 }, { 0x500, 0x3F8, 640 }, { 0x400, 0xDADA, 0xDADA }, /* its own bytes */
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        static struct elf_maker e;
        elf_make_64(&e);
        elf_put_multiboot2(&e, NULL, 0);
        e.phdr[1].p_paddr = row[i].paddr;
        struct machine *m = fake_machine(1, 16 * MIB);
        assert_true(load(m, &e, (struct load_request){ 0 }));
        const uint8_t *bda = mem_ram(m->mem, 0x400);
        assert_int_equal(get32(bda) & 0xFFFF, row[i].com1);
        assert_int_equal(get32(bda + 0x13) & 0xFFFF, row[i].kib);
        machine_free(m);
    }
}

static void
a_plain_elf_is_entered_only_on_request(void **unused)
{
    (void)unused;
    static struct elf_maker e;
    elf_make_32(&e);
    struct machine *m = fake_machine(1, 16 * MIB);
    assert_true(load(m, &e, (struct load_request){ .protocol = LOAD_ELF }));
    check_entry_state(m, 0x100040, 0);
    assert_int_equal(m->cpu[0]->gpr[RBX], 0);
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elf64_is_taken_apart),
        cmocka_unit_test(symbols_are_found_by_name_and_by_address),
        cmocka_unit_test(damaged_elf_files_are_refused_in_words),
        cmocka_unit_test(no_cut_of_an_elf_file_is_read_beyond),
        cmocka_unit_test(segments_land_at_their_physical_addresses),
        cmocka_unit_test(multiboot2_hands_over_what_the_specification_lists),
        cmocka_unit_test(the_memory_map_is_sorted_and_covers_all_ram_once),
        cmocka_unit_test(header_tags_are_obeyed_or_refused),
        cmocka_unit_test(the_address_tag_overrides_the_elf_headers),
        cmocka_unit_test(multiboot1_hands_over_what_the_specification_lists),
        cmocka_unit_test(what_does_not_fit_is_refused_in_words),
        cmocka_unit_test(the_bios_data_area_is_as_a_bios_leaves_it_unless_the_image_lies_there),
        cmocka_unit_test(a_plain_elf_is_entered_only_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
