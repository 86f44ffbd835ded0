/* What boot reads: requirements, VMX capabilities, multiboot information, ACPI, ELF, configuration, text. */
#include "tests/unit/hv/test.h"

#include "hv/boot/multiboot.h"
#include "hv/boot/require.h"
#include "hv/rt/rt_acpi.h"

/* --- requirements ----------------------------------------------------------------------- */

static const struct require_facts complete = {
    .max_leaf = 0x16, .leaf1_ecx = 1 << 5 | 1 << 21 | 1 << 24, .leaf1_edx = 1 << 24, .ext1_edx = 1 << 29 | 1 << 20,
    .feature_control = 5,
};

static void a_complete_processor_is_accepted(void **state)
{
    (void)state;
    assert_null(require_missing(&complete));
}

static void each_missing_feature_is_named(void **state)
{
    static const struct { size_t word; uint32_t bit; const char *text; } rows[] = {
        { offsetof(struct require_facts, ext1_edx), 1 << 29, "64-bit" },
        { offsetof(struct require_facts, ext1_edx), 1 << 20, "NX" },
        { offsetof(struct require_facts, leaf1_edx), 1 << 24, "FXSAVE" },
        { offsetof(struct require_facts, leaf1_ecx), 1 << 5, "VT-x" },
        { offsetof(struct require_facts, leaf1_ecx), 1 << 21, "x2APIC" },
        { offsetof(struct require_facts, leaf1_ecx), 1 << 24, "deadline" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct require_facts f = complete;
        *(uint32_t *)((char *)&f + rows[i].word) &= ~rows[i].bit;
        assert_non_null(require_missing(&f));
        assert_non_null(strstr(require_missing(&f), rows[i].text));
    }
    struct require_facts f = complete;
    f.feature_control = 1;
    assert_non_null(strstr(require_missing(&f), "firmware"));
    f.feature_control = 0; /* not locked: we may switch it on */
    assert_null(require_missing(&f));
}

static struct vmx_facts sandy_bridge(void)
{
    return (struct vmx_facts){
        .basic = 0x00DA040000000010, .pin = 0x0000007F00000016, .primary = 0xFFF9FFFE04006172,
        .secondary = 0x000004FF00000000, .exit = 0x007FFFFF00036DFB, .entry = 0x0000FFFF000011FB,
        .misc = 0x100401E5, .ept_vpid = 0x00000F0106134141, .cr0_fixed = { 0x80000021, 0xFFFFFFFF },
        .cr4_fixed = { 0x2000, 0x627FF },
    };
}

static void every_vmx_control_that_is_needed_is_asked_for(void **state)
{
    static const struct { size_t word; unsigned bit; } rows[] = {
        { offsetof(struct vmx_facts, pin), 32 + 0 }, { offsetof(struct vmx_facts, pin), 32 + 3 },
        { offsetof(struct vmx_facts, pin), 32 + 6 }, { offsetof(struct vmx_facts, primary), 32 + 2 },
        { offsetof(struct vmx_facts, primary), 32 + 7 }, { offsetof(struct vmx_facts, primary), 32 + 21 },
        { offsetof(struct vmx_facts, primary), 32 + 25 }, { offsetof(struct vmx_facts, primary), 32 + 28 },
        { offsetof(struct vmx_facts, primary), 32 + 31 }, { offsetof(struct vmx_facts, secondary), 32 + 1 },
        { offsetof(struct vmx_facts, exit), 32 + 9 }, { offsetof(struct vmx_facts, exit), 32 + 15 },
        { offsetof(struct vmx_facts, exit), 32 + 20 }, { offsetof(struct vmx_facts, exit), 32 + 21 },
        { offsetof(struct vmx_facts, entry), 32 + 15 }, { offsetof(struct vmx_facts, ept_vpid), 6 },
        { offsetof(struct vmx_facts, ept_vpid), 14 }, { offsetof(struct vmx_facts, ept_vpid), 16 },
        { offsetof(struct vmx_facts, ept_vpid), 20 }, { offsetof(struct vmx_facts, ept_vpid), 25 },
    };
    (void)state;
    struct vmx_controls controls;
    struct vmx_facts good = sandy_bridge();
    assert_null(vmx_choose(&good, &controls));
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vmx_facts f = sandy_bridge();
        *(uint64_t *)((char *)&f + rows[i].word) &= ~(1ull << rows[i].bit);
        assert_non_null(vmx_choose(&f, &controls));
    }
}

static void chosen_controls_keep_to_the_capabilities(void **state)
{
    (void)state;
    struct vmx_controls c;
    struct vmx_facts f = sandy_bridge();
    vmx_choose(&f, &c);
    const struct { uint32_t word; uint64_t capability; } words[] = {
        { c.pin, f.pin }, { c.primary, f.primary }, { c.secondary, f.secondary }, { c.exit, f.exit }, { c.entry, f.entry } };
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(words[i].word & (uint32_t)words[i].capability, (uint32_t)words[i].capability);
        assert_int_equal(words[i].word & ~(uint32_t)(words[i].capability >> 32), 0);
    }
    f.secondary &= ~(1ull << (32 + 5)); /* no VPID */
    assert_null(vmx_choose(&f, &c));
    assert_false(c.has_vpid);
}

/* --- multiboot ---------------------------------------------------------------------------- */

static uint64_t build_multiboot2(const char *line)
{
    uint8_t *at = world_memory(0x10000);
    uint32_t *word = (uint32_t *)at;
    size_t n = strlen(line) + 1, module = 16 + n, padded = (module + 7) & ~(size_t)7;
    memset(at, 0, 512);
    word[2] = 3; word[3] = (uint32_t)module; word[4] = 0x3000000; word[5] = 0x3001234;
    memcpy(word + 6, line, n);
    uint32_t *map = (uint32_t *)(at + 8 + padded);
    map[0] = 6; map[1] = 16 + 3 * 24; map[2] = 24; map[3] = 0;
    const uint64_t entries[3][3] = { { 0x100000, 0x5F00123, 1 }, { 0x800, 0x9F000, 1 }, { 0xFEC00000, 0x1000, 2 } };
    memcpy(map + 4, entries, sizeof(entries));
    uint32_t *end = map + 4 + 18;
    end[0] = 0; end[1] = 8;
    word[0] = (uint32_t)((uint8_t *)(end + 2) - at);
    return 0x10000;
}

static void multiboot2_gives_ram_and_modules(void **state)
{
    (void)state;
    world_new(1);
    hv.ram_count = hv.module_count = 0;
    assert_true(multiboot_read(MULTIBOOT2_LOADED, build_multiboot2("frames0 with more words")));
    assert_int_equal(hv.ram_count, 2); /* sorted, whole pages, available only */
    assert_int_equal(hv.ram[0].base, 0x1000);
    assert_int_equal(hv.ram[0].size, 0x9E000);
    assert_int_equal(hv.ram[1].base, 0x100000);
    assert_int_equal(hv.ram[1].size, 0x5F00000);
    assert_int_equal(hv.module_count, 1);
    assert_string_equal(hv.module[0].name, "frames0");
    assert_int_equal(hv.module[0].spa, 0x3000000);
    assert_int_equal(hv.module[0].size, 0x1234);
    assert_false(multiboot_read(0x12345678, 0x10000));
}

/* --- ACPI ----------------------------------------------------------------------------------- */

static const void *at(uint64_t spa) { return world_memory(spa); }

static void seal(uint8_t *table, uint32_t size)
{
    uint8_t sum = 0;
    memcpy(table + 4, &size, 4);
    table[9] = 0;
    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + table[i]);
    table[9] = (uint8_t)-sum;
}

static void acpi_tables_are_believed_when_their_sums_are_right(void **state)
{
    (void)state;
    world_new(1);
    uint8_t *rsdp = world_memory(0x20000), *xsdt = world_memory(0x21000), *madt = world_memory(0x22000),
            *mcfg = world_memory(0x23000);
    struct acpi_facts f;
    rsdp[15] = 2;
    *(uint64_t *)(rsdp + 24) = 0x21000;
    memcpy(xsdt, "XSDT", 4);
    memcpy(xsdt + 36, (const uint64_t[]){ 0x22000, 0x23000 }, 16);
    seal(xsdt, 52);
    memcpy(madt, "APIC", 4);
    static const uint8_t entries[] = { 0, 8, 0, 3, 1, 0, 0, 0,  0, 8, 1, 4, 0, 0, 0, 0,
                                       9, 16, 0, 0, 0x11, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 };
    memcpy(madt + 44, entries, sizeof(entries));
    seal(madt, 44 + sizeof(entries));
    memcpy(mcfg, "MCFG", 4);
    memcpy(mcfg + 44, &(const uint64_t){ 0xE0000000 }, 8);
    seal(mcfg, 60);
    acpi_read(0x20000, at, &f);
    assert_int_equal(f.processor_count, 2); /* the second is not enabled */
    assert_int_equal(f.apic_id[0], 3);
    assert_int_equal(f.apic_id[1], 0x111);
    assert_int_equal(f.ecam_base, 0xE0000000);
    mcfg[50]++;
    acpi_read(0x20000, at, &f);
    assert_int_equal(f.ecam_base, 0);
}

/* --- ELF --------------------------------------------------------------------------------------- */

static struct { uint8_t header[64], segment[56], text[64]; } image;

static void make_image(void)
{
    memset(&image, 0, sizeof(image));
    memcpy(image.header, "\177ELF\2\1\1", 7);
    *(uint16_t *)(image.header + 16) = 2;
    *(uint16_t *)(image.header + 18) = 62;
    *(uint64_t *)(image.header + 24) = 0x200010;
    *(uint64_t *)(image.header + 32) = 64;
    *(uint16_t *)(image.header + 54) = 56;
    *(uint16_t *)(image.header + 56) = 1;
    *(uint32_t *)image.segment = 1;
    *(uint64_t *)(image.segment + 8) = 120;
    *(uint64_t *)(image.segment + 24) = 0x200000;
    *(uint64_t *)(image.segment + 32) = 64;
    *(uint64_t *)(image.segment + 40) = 128;
    memset(image.text, 0xC3, sizeof(image.text));
}

static void an_elf_is_loaded_and_its_rest_zeroed(void **state)
{
    struct rt_elf elf;
    uint8_t memory[160];
    (void)state;
    make_image();
    assert_null(rt_elf_check(&image, sizeof(image), 0x200000, 0x300000, &elf));
    assert_int_equal(elf.entry, 0x200010);
    assert_int_equal(elf.low, 0x200000);
    assert_int_equal(elf.high, 0x200080);
    memset(memory, 0xEE, sizeof(memory));
    rt_elf_load(&image, memory, 0x200000);
    assert_int_equal(memory[63], 0xC3);
    assert_int_equal(memory[64], 0);
    assert_int_equal(memory[127], 0);
    assert_int_equal(memory[128], 0xEE);
}

static void damaged_elfs_are_refused(void **state)
{
    static const struct { unsigned offset; uint64_t value; unsigned size; } rows[] = {
        { 0, 0, 1 }, { 4, 1, 1 }, { 5, 2, 1 }, { 16, 3, 2 }, { 18, 3, 2 }, { 24, 0x100, 8 }, { 32, 1ull << 60, 8 },
        { 54, 8, 2 }, { 56, 0, 2 }, { 56, 0xFFFF, 2 }, { 64 + 8, 1ull << 62, 8 }, { 64 + 24, 0x1FFFFF, 8 },
        { 64 + 24, UINT64_MAX - 8, 8 }, { 64 + 32, 1000, 8 }, { 64 + 40, 10, 8 }, { 64 + 40, UINT64_MAX, 8 },
    };
    struct rt_elf elf;
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make_image();
        memcpy((uint8_t *)&image + rows[i].offset, &rows[i].value, rows[i].size);
        assert_non_null(rt_elf_check(&image, sizeof(image), 0x200000, 0x300000, &elf));
    }
    make_image();
    for (size_t size = 0; size < sizeof(image); size++)
        assert_non_null(rt_elf_check(&image, size, 0x200000, 0x300000, &elf));
}

/* --- configuration and text ------------------------------------------------------------------------ */

static void configuration_lines_are_found(void **state)
{
    static const char text[] = "# comment\nplacement=microkernel\n  nic.bdf = 0x0100 \r\nchild0.mac=02:00:5e:10:00:01\n"
                               "children=3\nchildren=4\nempty=\nbad=12x\nchild0.macx=1\n#children=9\nlast=1";
    struct rt_config c = { text, sizeof(text) - 1 };
    char value[32];
    uint8_t mac[6];
    (void)state;
    assert_int_equal(rt_config_get(&c, "placement", value, sizeof(value)), 11);
    assert_string_equal(value, "microkernel");
    assert_int_equal(rt_config_number(&c, "nic.bdf", 7), 0x100);
    assert_int_equal(rt_config_number(&c, "children", 7), 4);
    assert_int_equal(rt_config_number(&c, "last", 7), 1);
    assert_int_equal(rt_config_number(&c, "bad", 7), 7);
    assert_int_equal(rt_config_number(&c, "absent", 7), 7);
    assert_int_equal(rt_config_get(&c, "empty", value, sizeof(value)), 0);
    assert_int_equal(rt_config_get(&c, "child", value, sizeof(value)), -1);
    assert_int_equal(rt_config_get(&c, "placement", value, 11), -1); /* does not fit */
    assert_true(rt_config_mac(&c, "child0.mac", mac));
    assert_int_equal(mac[2], 0x5e);
    assert_false(rt_config_mac(&c, "placement", mac));
}

static void text_is_formatted_like_printf(void **state)
{
    char mine[128], theirs[128];
    (void)state;
#define SAME(...) do { int n_ = snprintf(theirs, sizeof(theirs), __VA_ARGS__); \
        assert_int_equal(rt_format(mine, sizeof(mine), __VA_ARGS__), n_); assert_string_equal(mine, theirs); } while (0)
    SAME("%s|%10s|%-6s|%c", "abc", "right", "left", 'x');
    SAME("%d %d %u %x", -1, 2147483647, 4294967295u, 0xDEADBEEFu);
    SAME("%ld %lu %lx %llx", -5000000000L, 18446744073709551615UL, 0x123456789ABCUL, 0xFFFFFFFFFFFFFFFFULL);
    SAME("%04x %08lx %5d%%", 0xAB, 0x1234UL, 42);
    assert_int_equal(rt_format(mine, 5, "%s", "too long"), 4);
    assert_string_equal(mine, "too ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_processor_is_accepted), cmocka_unit_test(each_missing_feature_is_named),
        cmocka_unit_test(every_vmx_control_that_is_needed_is_asked_for),
        cmocka_unit_test(chosen_controls_keep_to_the_capabilities), cmocka_unit_test(multiboot2_gives_ram_and_modules),
        cmocka_unit_test(acpi_tables_are_believed_when_their_sums_are_right),
        cmocka_unit_test(an_elf_is_loaded_and_its_rest_zeroed), cmocka_unit_test(damaged_elfs_are_refused),
        cmocka_unit_test(configuration_lines_are_found), cmocka_unit_test(text_is_formatted_like_printf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
