/* Claims about the ACPI and SMBIOS tables: found as software finds them, sums right, and
 * iasl takes them apart without complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/mem/mem.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)

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

static uint8_t
sum(const uint8_t *p, uint32_t size)
{
    uint8_t total = 0;
    for (uint32_t i = 0; i < size; i++) {
        total += p[i];
    }
    return total;
}

/* As an operating system does: every 16 bytes of 0xE0000-0xFFFFF. */
static const uint8_t *
find_rsdp(struct machine *m)
{
    for (uint64_t spa = 0xE0000; spa < 0x100000; spa += 16) {
        const uint8_t *p = mem_ram(m->mem, spa);
        if (memcmp(p, "RSD PTR ", 8) == 0 && sum(p, 20) == 0 && sum(p, get32(p + 20)) == 0) {
            return p;
        }
    }
    return NULL;
}

static const uint8_t *
find_table(struct machine *m, const char *signature)
{
    const uint8_t *xsdt = mem_ram(m->mem, get64(find_rsdp(m) + 24));
    for (uint32_t at = 36; at < get32(xsdt + 4); at += 8) {
        const uint8_t *t = mem_ram(m->mem, get64(xsdt + at));
        if (memcmp(t, signature, 4) == 0) {
            return t;
        }
    }
    return NULL;
}

static const char *const signatures[] = { "FACP", "APIC", "HPET", "MCFG", "DMAR" };
enum { TABLES = sizeof signatures / sizeof *signatures };

static void
every_table_is_listed_twice_and_its_sum_is_zero(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(4, 16 * MIB);
    const uint8_t *rsdp = find_rsdp(m);
    assert_non_null(rsdp);
    const uint8_t *xsdt = mem_ram(m->mem, get64(rsdp + 24)), *rsdt = mem_ram(m->mem, get32(rsdp + 16));
    assert_int_equal(get32(xsdt + 4), 36 + 8 * TABLES);
    assert_int_equal(get32(rsdt + 4), 36 + 4 * TABLES);
    assert_int_equal(sum(xsdt, get32(xsdt + 4)), 0);
    assert_int_equal(sum(rsdt, get32(rsdt + 4)), 0);
    for (unsigned i = 0; i < TABLES; i++) {
        const uint8_t *t = find_table(m, signatures[i]);
        assert_non_null(t);
        assert_int_equal(sum(t, get32(t + 4)), 0);
        assert_true(get64(xsdt + 36 + 8 * i) == get32(rsdt + 36 + 4 * i));
    }
    const uint8_t *dsdt = mem_ram(m->mem, get64(find_table(m, "FACP") + 140));
    assert_memory_equal(dsdt, "DSDT", 4);
    assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
    assert_int_equal(get32(find_table(m, "FACP") + 36) % 64, 0); /* FACS alignment */
    machine_free(m);
}

static void
the_madt_lists_each_processor(void **unused)
{
    (void)unused;
    for (unsigned cpus = 1; cpus <= MACHINE_CPUS_MAX; cpus += 21) {
        struct machine *m = fake_machine(cpus, 16 * MIB);
        const uint8_t *madt = find_table(m, "APIC");
        unsigned found = 0, ioapics = 0;
        for (uint32_t at = 44; at < get32(madt + 4); at += madt[at + 1]) {
            if (madt[at] == 0) {
                assert_int_equal(madt[at + 3], found);
                found++;
            }
            ioapics += madt[at] == 1 && get32(madt + at + 4) == IOAPIC_BASE;
        }
        assert_int_equal(found, cpus);
        assert_int_equal(ioapics, 1);
        machine_free(m);
    }
}

static void
the_fixed_hardware_is_where_the_fadt_says(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 16 * MIB);
    const uint8_t *fadt = find_table(m, "FACP");
    m->now = MACHINE_TSC_HZ;
    assert_int_equal(in(m, (uint16_t)get32(fadt + 76), 4), 3579545);
    assert_int_equal(in(m, (uint16_t)get32(fadt + 64), 2) & 1, 1);
    out(m, (uint16_t)get64(fadt + 120), 1, fadt[128]);
    assert_int_equal(m->stop, STOP_RESET);
    machine_free(m);
}

static void
mcfg_and_dmar_name_the_real_places(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 16 * MIB);
    const uint8_t *mcfg = find_table(m, "MCFG"), *dmar = find_table(m, "DMAR");
    assert_true(rd32(m, get64(mcfg + 44)) == 0x29C08086); /* host bridge through ECAM */
    assert_int_equal(dmar[36], 45);
    assert_int_equal(dmar[37] & 1, 1);
    assert_int_equal(rd32(m, get64(dmar + 48 + 8)), 0x10); /* VT-d version register */
    assert_int_equal(dmar[48 + 16], 3);                    /* scope: the I/O APIC */
    assert_int_equal(dmar[48 + 21] << 8 | dmar[48 + 22] << 3 | dmar[48 + 23], VTD_IOAPIC_BDF);
    assert_int_equal(dmar[48 + 24], 4);                    /* scope: the HPET */
    const uint8_t *hpet = find_table(m, "HPET");
    assert_int_equal(get32(hpet + 36), rd32(m, get64(hpet + 44)));
    machine_free(m);
}

/* --- SMBIOS ------------------------------------------------------------------------- */

/* As an operating system does: every 16 bytes of 0xF0000-0xFFFFF. */
static const uint8_t *
find_smbios(struct machine *m)
{
    for (uint64_t spa = 0xF0000; spa < 0x100000; spa += 16) {
        const uint8_t *p = mem_ram(m->mem, spa);
        if (memcmp(p, "_SM3_", 5) == 0 && sum(p, p[6]) == 0) {
            return p;
        }
    }
    return NULL;
}

/* Behind a structure's strings. */
static uint32_t
smbios_next(const uint8_t *table, uint32_t at)
{
    at += table[at + 1];
    while (table[at] || table[at + 1]) {
        at++;
    }
    return at + 2;
}

/* Counts structures of a type; 'sum' adds a field of 4 bytes of each. */
static unsigned
smbios_count(struct machine *m, uint8_t type, uint32_t offset, uint64_t *total)
{
    const uint8_t *entry = find_smbios(m), *table = mem_ram(m->mem, get64(entry + 16));
    unsigned count = 0;
    for (uint32_t at = 0; at < get32(entry + 12); at = smbios_next(table, at)) {
        count += table[at] == type;
        *total += table[at] == type ? get32(table + at + offset) : 0;
    }
    return count;
}

static void
smbios_structures_have_the_lengths_of_the_specification(void **unused)
{
    (void)unused;
    static const struct { uint8_t type, length; } want[] = { /* DSP0134 3.2, each structure's "Length" */
        { 0, 0x1A }, { 1, 0x1B }, { 2, 0x0F }, { 3, 0x16 }, { 4, 0x30 }, { 16, 0x17 }, { 17, 0x28 }, { 19, 0x1F }, { 32, 0x0B }, { 127, 4 },
    };
    struct machine *m = fake_machine(4, 16 * MIB);
    const uint8_t *entry = find_smbios(m);
    assert_non_null(entry);
    const uint8_t *table = mem_ram(m->mem, get64(entry + 16));
    uint32_t at = 0;
    for (unsigned i = 0; i < sizeof want / sizeof *want; i++, at = smbios_next(table, at)) {
        assert_int_equal(table[at], want[i].type);
        assert_int_equal(table[at + 1], want[i].length);
    }
    assert_int_equal(at, get32(entry + 12));
    machine_free(m);
}

static void
smbios_tells_all_memory(void **unused)
{
    (void)unused;
    static const struct { uint64_t ram; unsigned modules, ranges; } row[] = {
        { 16 * MIB, 1, 1 }, { 3072 * MIB, 1, 1 }, { 4096 * MIB, 1, 2 }, { 20480 * MIB, 2, 2 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, row[i].ram);
        uint64_t sizes = 0, ends = 0;
        assert_int_equal(smbios_count(m, 17, 0x0C, &sizes), row[i].modules);
        assert_int_equal(smbios_count(m, 19, 0x08, &ends), row[i].ranges);
        machine_free(m);
    }
    struct machine *m = fake_machine(1, 16 * MIB);
    uint64_t size = 0, end = 0;
    smbios_count(m, 17, 0x0C, &size);
    smbios_count(m, 19, 0x08, &end);
    assert_int_equal(size & 0xFFFF, 16);
    assert_int_equal(end, 16 * 1024 - 1);
    machine_free(m);
}

/* A machine with more RAM than there is room below the usual window. */
static void
large_machines_have_their_window_behind_ram_and_say_so(void **unused)
{
    (void)unused;
    static const struct { uint64_t gib, base; } row[] = { { 1, 0x800000000 }, { 31, 0x800000000 }, { 32, 0x1000000000 }, { 64, 0x1800000000 } };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = fake_machine(1, row[i].gib << 30);
        const uint8_t *dsdt = mem_ram(m->mem, get64(find_table(m, "FACP") + 140)), *found = NULL;
        for (uint32_t at = 36; at + 46 <= get32(dsdt + 4); at++) {
            found = memcmp(dsdt + at, "\x8A\x2B\0\0", 4) == 0 ? dsdt + at : found;
        }
        assert_non_null(found);
        assert_true(get64(found + 14) == row[i].base && get64(found + 22) == row[i].base + MMIO64_SIZE - 1);
        assert_int_equal(sum(dsdt, get32(dsdt + 4)), 0);
        assert_null(mem_ram(m->mem, row[i].base));
        machine_free(m);
    }
}

static void
disassemble(const char *signature, const uint8_t *table)
{
    char path[128], command[512];
    snprintf(path, sizeof path, "acpi-%ld-%.4s", (long)getpid(), signature);
    char file[160];
    snprintf(file, sizeof file, "%s.dat", path);
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(table, 1, get32(table + 4), f), get32(table + 4));
    fclose(f);
    /* Any complaint of iasl has one of these words. */
    snprintf(command, sizeof command,
             "iasl -d %s >%s.log 2>&1 && ! grep -Eiq 'error|warning|invalid|incorrect|unknown' "
             "%s.log %s.dsl", file, path, path, path);
    int status = system(command);
    char name[4][170];
    static const char *const suffix[3] = { "dat", "log", "dsl" };
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name[i], sizeof name[i], "%s.%s", path, suffix[i]);
        if (status == 0) {
            unlink(name[i]);
        }
    }
    assert_int_equal(status, 0);
}

static void
iasl_takes_each_table_apart(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(3, 16 * MIB);
    for (unsigned i = 0; i < TABLES; i++) {
        disassemble(signatures[i], find_table(m, signatures[i]));
    }
    const uint8_t *fadt = find_table(m, "FACP");
    disassemble("DSDT", mem_ram(m->mem, get64(fadt + 140)));
    disassemble("XSDT", mem_ram(m->mem, get64(find_rsdp(m) + 24)));
    disassemble("RSDT", mem_ram(m->mem, get32(find_rsdp(m) + 16)));
    disassemble("FACS", mem_ram(m->mem, get32(fadt + 36)));
    machine_free(m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_listed_twice_and_its_sum_is_zero),
        cmocka_unit_test(the_madt_lists_each_processor),
        cmocka_unit_test(the_fixed_hardware_is_where_the_fadt_says),
        cmocka_unit_test(mcfg_and_dmar_name_the_real_places),
        cmocka_unit_test(smbios_structures_have_the_lengths_of_the_specification),
        cmocka_unit_test(smbios_tells_all_memory),
        cmocka_unit_test(large_machines_have_their_window_behind_ram_and_say_so),
        cmocka_unit_test(iasl_takes_each_table_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
