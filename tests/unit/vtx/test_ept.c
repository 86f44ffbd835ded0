/* The EPT walk: permissions, misconfigurations, flags, sizes, and the exits it takes. */
#include "vtx_bench.h"

#include <string.h>

#include "sim/vtx/vmx/ept.h"

enum { PML4 = BENCH_EPT, PDPT = BENCH_EPT + 0x1000, PD = BENCH_EPT + 0x2000, PT = BENCH_EPT + 0x3000 };
#define GPA 0x0000008040603456ull /* index 1, 1, 3, 3, offset 456H */
#define RWX 7ull
#define EPTP_PLAIN (PML4 | 0x1eull)

static struct cpu *
cpu(void)
{
    return &bench.cpu;
}

static void
put(uint64_t table, unsigned index, uint64_t entry)
{
    mem_write(bench.machine.mem, table + index * 8, &entry, sizeof entry);
}

static uint64_t
get(uint64_t table, unsigned index)
{
    uint64_t entry = 0;
    mem_read(bench.machine.mem, table + index * 8, &entry, sizeof entry);
    return entry;
}

/* Entries for GPA with the given low bits; shift 12, 21 or 30 says where the leaf is. */
static void
map(unsigned shift, uint64_t top, uint64_t middle, uint64_t low, uint64_t leaf)
{
    uint64_t large = shift > 12 ? EPT_LARGE : 0;
    put(PML4, 1, PDPT | top);
    put(PDPT, 1, shift == 30 ? 0x40000000 | large | leaf : PD | middle);
    if (shift <= 21) {
        put(PD, 3, shift == 21 ? 0x200000 | large | leaf : PT | low);
    }
    if (shift == 12) {
        put(PT, 3, 0x123000 | leaf);
    }
}

static struct ept_walk
walk(void)
{
    return ept_walk(bench.machine.mem, EPTP_PLAIN, GPA, 46);
}

static void
three_page_sizes_translate(void **state)
{
    (void)state;
    static const struct { unsigned shift; uint64_t spa; uint8_t levels; } rows[] = {
        { 12, 0x123456, 4 }, { 21, 0x203456, 3 }, { 30, 0x40603456, 2 },
    };
    for (unsigned i = 0; i < 3; i++) {
        map(rows[i].shift, RWX, RWX, RWX, RWX | 6 << 3);
        struct ept_walk w = walk();
        assert_int_equal(w.outcome, EPT_MAPPED);
        assert_int_equal(w.spa, rows[i].spa);
        assert_int_equal(w.page_shift, rows[i].shift);
        assert_int_equal(w.levels, rows[i].levels);
        assert_int_equal(w.memory_type, 6);
        assert_int_equal(w.rights, 7);
        assert_int_equal(w.entry_spa[0], PML4 + 8);
    }
}

/* All 8^4 combinations of RWX at four levels against the rules written down again, naively. */
static void
permission_matrix(void **state)
{
    (void)state;
    unsigned mapped = 0;
    for (unsigned bits = 0; bits < 4096; bits++) {
        unsigned level[4] = { bits & 7, bits >> 3 & 7, bits >> 6 & 7, bits >> 9 & 7 };
        map(12, level[0], level[1], level[2], level[3] | 6 << 3);
        enum ept_outcome expect = EPT_MAPPED;
        unsigned rights = 7;
        for (unsigned i = 0; i < 4 && expect == EPT_MAPPED; i++) {
            if (level[i] == 0) {
                expect = EPT_NOT_PRESENT;
            } else if (level[i] == 2 || level[i] == 6) {
                expect = EPT_MISCONFIGURED; /* W without R */
            }
            rights &= level[i];
        }
        struct ept_walk w = walk();
        assert_int_equal(w.outcome, expect);
        assert_int_equal(w.rights, expect == EPT_MAPPED ? rights : 0);
        mapped += expect == EPT_MAPPED;
    }
    assert_int_equal(mapped, 5 * 5 * 5 * 5);
}

static const struct { unsigned shift; unsigned level; uint64_t bits; bool bad; } reserved[] = {
    { 12, 0, 1 << 3, true }, { 12, 0, 1 << 6, true }, { 12, 0, 1 << 7, true }, { 12, 0, 1ull << 46, true },
    { 12, 0, 1 << 9, false }, { 12, 0, 1 << 11, false }, { 12, 0, 1ull << 52, false }, { 12, 0, 1ull << 63, false },
    { 12, 1, 1 << 4, true }, { 12, 1, 1 << 6, true }, { 12, 1, 1ull << 51, true }, { 12, 1, 1 << 10, false },
    { 12, 2, 1 << 5, true }, { 12, 2, 1 << 6, true }, { 12, 2, 1ull << 47, true },
    { 12, 3, 1 << 7, false }, { 12, 3, 1ull << 46, true }, { 12, 3, 1 << 6, false }, { 12, 3, 1ull << 57, false },
    { 12, 3, 2 << 3, true }, { 12, 3, 3 << 3, true }, { 12, 3, 7 << 3, true },
    { 12, 3, 1 << 3, false }, { 12, 3, 4 << 3, false }, { 12, 3, 5 << 3, false }, { 12, 3, 6 << 3, false },
    { 21, 2, 1 << 12, true }, { 21, 2, 1 << 20, true }, { 21, 2, 1 << 21, false }, { 21, 2, 2 << 3, true },
    { 30, 1, 1 << 12, true }, { 30, 1, 1 << 29, true }, { 30, 1, 1ull << 30, false }, { 30, 1, 7 << 3, true },
};

static void
reserved_bits_and_types_misconfigure(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        static const uint64_t tables[4] = { PML4, PDPT, PD, PT };
        static const unsigned index[4] = { 1, 1, 3, 3 };
        map(reserved[i].shift, RWX, RWX, RWX, RWX);
        uint64_t entry = get(tables[reserved[i].level], index[reserved[i].level]);
        put(tables[reserved[i].level], index[reserved[i].level], entry | reserved[i].bits);
        enum ept_outcome outcome = walk().outcome;
        if (outcome != (reserved[i].bad ? EPT_MISCONFIGURED : EPT_MAPPED)) {
            fail_msg("leaf at bit %u, level %u, bits %#llx: outcome %d", reserved[i].shift, reserved[i].level,
                     (unsigned long long)reserved[i].bits, outcome);
        }
    }
}

static void
tables_outside_ram_and_addresses_beyond_48_bits_do_not_map(void **state)
{
    (void)state;
    put(PML4, 1, 0xd0000000 | RWX);
    assert_int_equal(walk().outcome, EPT_MISCONFIGURED); /* reads as ones */
    assert_int_equal(ept_walk(bench.machine.mem, EPTP_PLAIN, 1ull << 48 | GPA, 46).outcome, EPT_NOT_PRESENT);
}

/* --- through the contract ------------------------------------------------------------------ */

static struct vmcs *
enter(uint64_t eptp)
{
    struct vmcs *v = bench.cpu.vmx->current;
    v->ept_pointer = eptp;
    bench_enter();
    return v;
}

static struct vtx_access
data(bool read, bool write, bool exec)
{
    return (struct vtx_access){ .gpa = GPA, .linear = 0x7777, .has_linear = true, .read = read, .write = write, .exec = exec };
}

static const struct { uint64_t leaf; bool read, write, exec; bool ok; uint64_t qualification; } accesses[] = {
    { 1, true, false, false, true, 0 }, { 1, false, true, false, false, 0x18a }, { 1, false, false, true, false, 0x18c },
    { 3, true, true, false, true, 0 }, { 3, false, false, true, false, 0x19c }, { 4, false, false, true, true, 0 },
    { 4, true, false, false, false, 0x1a1 }, { 5, true, false, false, true, 0 }, { 5, false, true, false, false, 0x1aa },
    { 0, true, false, false, false, 0x181 }, { 7, true, true, false, true, 0 },
};

static void
accesses_are_allowed_or_exit_with_their_qualification(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof accesses / sizeof accesses[0]; i++) {
        bench_setup_root(NULL);
        map(12, RWX, RWX, RWX, accesses[i].leaf | 6 << 3);
        struct vmcs *v = enter(EPTP_PLAIN);
        struct vtx_access a = data(accesses[i].read, accesses[i].write, accesses[i].exec);
        struct vtx_page page;
        enum exec_result result = vmx_ops.translate(cpu(), &a, &page);
        assert_int_equal(result, accesses[i].ok ? EXEC_OK : EXEC_VMEXIT);
        if (!accesses[i].ok) {
            assert_int_equal(v->exit_reason, VMX_EXIT_REASON_EPT_VIOLATION);
            assert_int_equal(v->exit_qualification, accesses[i].qualification);
            assert_int_equal(v->guest_physical_address, GPA);
            assert_int_equal(v->guest_linear_address, 0x7777);
            assert_true(v->guest_rflags & RFLAGS_RF);
        }
        bench_teardown(NULL);
    }
}

static void
pages_report_what_may_be_cached(void **state)
{
    (void)state;
    map(21, RWX, RWX, RWX, 3 | 6 << 3);
    enter(EPTP_PLAIN);
    struct vtx_access a = data(true, false, false);
    struct vtx_page page;
    assert_int_equal(vmx_ops.translate(cpu(), &a, &page), EXEC_OK);
    assert_true(page.readable && page.writable && !page.executable && page.dirty);
    assert_int_equal(page.page_shift, 21);
    assert_int_equal(page.memory_type, 6);
    uint64_t spa;
    assert_true(vmx_ops.translate_peek(cpu(), GPA, &spa));
    assert_int_equal(spa, 0x203456);
    assert_int_equal(get(PD, 3) & (EPT_ACCESSED | EPT_DIRTY), 0); /* flags are off */
}

static void
accessed_and_dirty_flags_follow_eptp_bit_6(void **state)
{
    (void)state;
    map(12, RWX, RWX, RWX, RWX | 6 << 3);
    enter(EPTP_PLAIN | EPTP_AD);
    struct vtx_page page;
    uint64_t spa;
    vmx_ops.translate_peek(cpu(), GPA, &spa);
    assert_int_equal(get(PT, 3) & EPT_ACCESSED, 0);
    struct vtx_access read = data(true, false, false);
    assert_int_equal(vmx_ops.translate(cpu(), &read, &page), EXEC_OK);
    assert_false(page.dirty);
    assert_int_equal(get(PML4, 1) & get(PDPT, 1) & get(PD, 3) & get(PT, 3) & EPT_ACCESSED, EPT_ACCESSED);
    assert_int_equal(get(PT, 3) & EPT_DIRTY, 0);
    struct vtx_access write = data(false, true, false);
    assert_int_equal(vmx_ops.translate(cpu(), &write, &page), EXEC_OK);
    assert_true(page.dirty);
    assert_int_equal(get(PT, 3) & EPT_DIRTY, EPT_DIRTY);
    assert_int_equal(get(PD, 3) & EPT_DIRTY, 0); /* the leaf only */
}

static void
a_refused_access_sets_no_flags(void **state)
{
    (void)state;
    map(12, RWX, RWX, RWX, 1 | 6 << 3);
    enter(EPTP_PLAIN | EPTP_AD);
    struct vtx_access write = data(false, true, false);
    struct vtx_page page;
    assert_int_equal(vmx_ops.translate(cpu(), &write, &page), EXEC_VMEXIT);
    assert_int_equal(get(PT, 3) & (EPT_ACCESSED | EPT_DIRTY), 0);
}

/* With flags on every access to a guest paging structure counts as a write. */
static void
paging_structure_accesses_are_writes_with_flags_on(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 2; flags++) {
        bench_setup_root(NULL);
        map(12, RWX, RWX, RWX, 1 | 6 << 3); /* read-only */
        struct vmcs *v = enter(EPTP_PLAIN | (flags ? EPTP_AD : 0));
        struct vtx_access a = data(true, false, false);
        struct vtx_page page;
        a.is_table = true;
        assert_int_equal(vmx_ops.translate(cpu(), &a, &page), flags ? EXEC_VMEXIT : EXEC_OK);
        if (flags) {
            assert_int_equal(v->exit_qualification, 0x8b); /* read and write; not the final address */
        }
        bench_teardown(NULL);
    }
}

static void
a_misconfiguration_beats_missing_permission_and_reports_the_address(void **state)
{
    (void)state;
    map(12, 1, RWX, RWX, 2);
    struct vmcs *v = enter(EPTP_PLAIN);
    struct vtx_access a = data(false, true, false);
    struct vtx_page page;
    assert_int_equal(vmx_ops.translate(cpu(), &a, &page), EXEC_VMEXIT);
    assert_int_equal(v->exit_reason, VMX_EXIT_REASON_EPT_MISCONFIGURATION);
    assert_int_equal(v->guest_physical_address, GPA);
}

static void
an_access_without_linear_address_says_so(void **state)
{
    (void)state;
    struct vmcs *v = enter(EPTP_PLAIN);
    struct vtx_access a = { .gpa = GPA, .is_table = true, .read = true };
    struct vtx_page page;
    assert_int_equal(vmx_ops.translate(cpu(), &a, &page), EXEC_VMEXIT);
    assert_int_equal(v->exit_qualification, 1);
    assert_int_equal(v->guest_linear_address, 0);
}

static void
tags_are_those_of_the_running_guest(void **state)
{
    (void)state;
    assert_false(vmx_ops.second_level(cpu()));
    assert_int_equal(vmx_ops.vpid(cpu()), 0);
    assert_int_equal(vmx_ops.eptp(cpu()), 0);
    enter(EPTP_PLAIN);
    assert_true(vmx_ops.second_level(cpu()));
    assert_int_equal(vmx_ops.vpid(cpu()), 1);
    assert_int_equal(vmx_ops.eptp(cpu()), EPTP_PLAIN);
}

int
main(void)
{
#define ROOT(f) cmocka_unit_test_setup_teardown(f, bench_setup_root, bench_teardown)
    const struct CMUnitTest tests[] = {
        ROOT(three_page_sizes_translate),
        ROOT(permission_matrix),
        ROOT(reserved_bits_and_types_misconfigure),
        ROOT(tables_outside_ram_and_addresses_beyond_48_bits_do_not_map),
        cmocka_unit_test(accesses_are_allowed_or_exit_with_their_qualification),
        ROOT(pages_report_what_may_be_cached),
        ROOT(accessed_and_dirty_flags_follow_eptp_bit_6),
        ROOT(a_refused_access_sets_no_flags),
        cmocka_unit_test(paging_structure_accesses_are_writes_with_flags_on),
        ROOT(a_misconfiguration_beats_missing_permission_and_reports_the_address),
        ROOT(an_access_without_linear_address_says_so),
        ROOT(tags_are_those_of_the_running_guest),
    };
    return cmocka_run_group_tests_name("ept", tests, NULL, NULL);
}
