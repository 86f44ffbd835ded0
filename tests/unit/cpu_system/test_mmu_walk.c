/* The page walker against the manual's access-rights rules, over every combination of bits. */
#include "fixture.h"

#define LINEAR 0x400000ull /* its own PDE, not used by the fixture's tables */
#define TARGET 0x50000ull

struct knobs {
    bool user_page, writable, no_execute;     /* leaf and upper levels together */
    bool user_mode, wp, smep, smap, ac, nxe;
    enum access_kind kind;
};

/* SDM Vol 3A "Determination of Access Rights", row by row; deliberately not shaped like the walker. */
static bool manual_allows(const struct knobs *k)
{
    if (k->kind == ACCESS_EXEC) {
        if (k->nxe && k->no_execute) {
            return false;
        }
        return k->user_mode ? k->user_page : !(k->user_page && k->smep);
    }
    if (k->user_mode) {
        return k->user_page && (k->kind == ACCESS_READ || k->writable);
    }
    if (k->user_page && k->smap && !k->ac) {
        return false;
    }
    return k->kind == ACCESS_READ || k->writable || !k->wp;
}

static void apply(struct fixture *f, const struct knobs *k)
{
    struct cpu *cpu = f->cpu;

    cpu->cr0 = (cpu->cr0 & ~CR0_WP) | (k->wp ? CR0_WP : 0);
    cpu->cr4 = (cpu->cr4 & ~(CR4_SMEP | CR4_SMAP)) | (k->smep ? CR4_SMEP : 0) | (k->smap ? CR4_SMAP : 0);
    cpu->efer = (cpu->efer & ~EFER_NXE) | (k->nxe ? EFER_NXE : 0);
    cpu->rflags_rest = k->ac ? RFLAGS_AC : 0;
    fixture_set_cpl(f, k->user_mode ? 3 : 0);
    mmu_flush_all(cpu);
}

static enum exec_result touch(struct fixture *f, uint64_t linear, enum access_kind kind, uint64_t *spa)
{
    uint8_t *host;

    return mmu_fill(f->cpu, linear, 1, kind, &host, spa);
}

static uint32_t expected_error(const struct knobs *k)
{
    return PF_P | (k->kind == ACCESS_WRITE ? PF_W : 0) | (k->user_mode ? PF_U : 0) |
           (k->kind == ACCESS_EXEC && (k->nxe || k->smep) ? PF_I : 0);
}

static void check_one(struct fixture *f, const struct knobs *k, uint64_t entry_at, uint64_t *cases)
{
    uint64_t flags = PTE_P | (k->user_page ? PTE_U : 0) | (k->writable ? PTE_W : 0) |
                     (k->no_execute ? PTE_NX : 0);
    uint64_t spa = 0;

    apply(f, k);
    fixture_store(f, entry_at, 8, TARGET | flags);
    enum exec_result result = touch(f, LINEAR + 0x123, k->kind, &spa);
    if (k->no_execute && !k->nxe) { /* bit 63 is reserved then */
        assert_int_equal(result, EXEC_FAULT);
        assert_int_equal(f->cpu->fault.error & (PF_RSVD | PF_P), PF_RSVD | PF_P);
    } else if (manual_allows(k)) {
        assert_int_equal(result, EXEC_OK);
        assert_int_equal(spa, TARGET + 0x123);
        uint64_t wanted = flags | PTE_A | (k->kind == ACCESS_WRITE ? PTE_D : 0);
        assert_int_equal(fixture_load(f, entry_at, 8), TARGET | wanted);
    } else {
        assert_int_equal(result, EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, X_PF);
        assert_int_equal(f->cpu->fault.error, expected_error(k));
        assert_int_equal(f->cpu->fault.address, LINEAR + 0x123);
        assert_int_equal(fixture_load(f, entry_at, 8), TARGET | flags);
    }
    ++*cases;
}

static void every_combination_of_rights_is_the_manuals(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t cases = 0;

    (void)state;
    fixture_long_mode(f, 0);
    uint64_t entry_at = fixture_map(f, LINEAR, TARGET, PTE_P);
    for (unsigned bits = 0; bits < 512; bits++) {
        for (unsigned kind = 0; kind < 3; kind++) {
            struct knobs k = {
                .user_page = bits & 1, .writable = bits & 2, .no_execute = bits & 4, .user_mode = bits & 8,
                .wp = bits & 16, .smep = bits & 32, .smap = bits & 64, .ac = bits & 128, .nxe = bits & 256,
                .kind = (enum access_kind)kind,
            };
            check_one(f, &k, entry_at, &cases);
        }
    }
    assert_int_equal(cases, 512 * 3);
    fixture_free(f);
}

/* U, W and NX of an upper level narrow the leaf's. */
static void upper_levels_narrow_rights(void **state)
{
    static const uint64_t withheld[] = { PTE_U, PTE_W, PTE_NX };
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 3);
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W | PTE_U);
    uint64_t table = f->cpu->cr3;
    for (int shift = 39; shift >= 12; shift -= 9) {
        uint64_t at = table + (LINEAR >> shift & 511) * 8, entry = fixture_load(f, at, 8), spa;
        for (unsigned i = 0; i < 3; i++) {
            fixture_store(f, at, 8, entry ^ withheld[i]);
            mmu_flush_all(f->cpu);
            assert_int_equal(touch(f, LINEAR, ACCESS_READ, &spa), i == 0 ? EXEC_FAULT : EXEC_OK);
            assert_int_equal(touch(f, LINEAR, ACCESS_WRITE, &spa), i <= 1 ? EXEC_FAULT : EXEC_OK);
            assert_int_equal(touch(f, LINEAR, ACCESS_EXEC, &spa), i == 1 ? EXEC_OK : EXEC_FAULT);
            fixture_store(f, at, 8, entry);
        }
        table = entry & 0xffffffffff000ull;
    }
    fixture_free(f);
}

static void every_reserved_bit_faults_and_no_other(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t spa;

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W);
    uint64_t table = f->cpu->cr3;
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t at = table + (LINEAR >> (3 + 9 * level) & 511) * 8, entry = fixture_load(f, at, 8);
        for (unsigned bit = 0; bit < 64; bit++) {
            bool address = bit >= 12 && bit < CPU_PHYS_BITS;
            bool maps = bit == 7 && (level == 2 || level == 3); /* PS: another test */
            if (address || maps || bit == 0) {
                continue;
            }
            bool reserved = (bit >= CPU_PHYS_BITS && bit < 52) || (bit == 7 && level == 4);
            fixture_store(f, at, 8, entry | 1ull << bit);
            mmu_flush_all(f->cpu);
            enum exec_result result = touch(f, LINEAR, ACCESS_READ, &spa);
            assert_int_equal(result, reserved ? EXEC_FAULT : EXEC_OK);
            if (reserved) {
                assert_int_equal(f->cpu->fault.error, PF_P | PF_RSVD);
            }
        }
        fixture_store(f, at, 8, entry & ~PTE_P);
        mmu_flush_all(f->cpu);
        assert_int_equal(touch(f, LINEAR, ACCESS_READ, &spa), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.error, 0);
        fixture_store(f, at, 8, entry);
        table = entry & 0xffffffffff000ull;
    }
    fixture_free(f);
}

static void large_pages_map_and_check_their_reserved_bits(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t spa;

    (void)state;
    fixture_long_mode(f, 0);
    for (unsigned level = 2; level <= 3; level++) {
        uint64_t linear = (uint64_t)level << 39, size = 1ull << (3 + 9 * level);
        fixture_map(f, linear, 0, PTE_P);
        uint64_t table = f->cpu->cr3, at = 0;
        for (unsigned l = 4; l >= level; l--) {
            at = table + (linear >> (3 + 9 * l) & 511) * 8;
            table = fixture_load(f, at, 8) & 0xffffffffff000ull;
        }
        fixture_store(f, at, 8, size | PTE_P | PTE_W | PTE_PS);
        assert_int_equal(touch(f, linear + size - 5, ACCESS_WRITE, &spa), EXEC_OK);
        assert_int_equal(spa, 2 * size - 5);
        assert_int_equal(fixture_load(f, at, 8), size | PTE_P | PTE_W | PTE_PS | PTE_A | PTE_D);
        for (unsigned bit = 13; bit < 3 + 9 * level; bit++) {
            fixture_store(f, at, 8, size | PTE_P | PTE_W | PTE_PS | 1ull << bit);
            mmu_flush_all(f->cpu);
            assert_int_equal(touch(f, linear, ACCESS_READ, &spa), EXEC_FAULT);
            assert_int_equal(f->cpu->fault.error, PF_P | PF_RSVD);
        }
    }
    fixture_free(f);
}

static void legacy_32_bit_paging_maps_4k_4m_and_36_bit_pages(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t spa;

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->cr3 = 0x100000;
    fixture_store(f, 0x100000 + 4 * 1, 4, 0x101000 | PTE_P | PTE_W);      /* 4 MiB .. 8 MiB: table */
    fixture_store(f, 0x101000 + 4 * 3, 4, 0x55000 | PTE_P | PTE_W);
    fixture_store(f, 0x100000 + 4 * 2, 4, 0x00c00000 | PTE_P | PTE_W | PTE_PS);
    fixture_store(f, 0x100000 + 4 * 3, 4, 0x00c00000 | 5 << 13 | PTE_P | PTE_PS);
    f->cpu->cr4 = CR4_PSE;
    assert_int_equal(cpu_write_cr0(f->cpu, f->cpu->cr0 | CR0_PG), EXEC_OK);
    assert_int_equal(touch(f, 0x403123, ACCESS_WRITE, &spa), EXEC_OK);
    assert_int_equal(spa, 0x55123);
    assert_int_equal(fixture_load(f, 0x101000 + 12, 4), 0x55000 | PTE_P | PTE_W | PTE_A | PTE_D);
    assert_int_equal(touch(f, 0x8fffff, ACCESS_READ, &spa), EXEC_OK);
    assert_int_equal(spa, 0xcfffff);
    assert_int_equal(touch(f, 0xc00001, ACCESS_READ, &spa), EXEC_OK);
    assert_int_equal(spa, 5ull << 32 | 0xc00001);
    fixture_store(f, 0x100000 + 4 * 3, 4, 0x00c00000 | 1 << 21 | PTE_P | PTE_PS);
    mmu_flush_all(f->cpu);
    assert_int_equal(touch(f, 0xc00001, ACCESS_READ, &spa), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.error, PF_P | PF_RSVD);
    fixture_free(f);
}

static void pae_paging_loads_and_checks_pdptes(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t spa;

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->cr3 = 0x100020;
    f->cpu->cr4 = CR4_PAE;
    fixture_store(f, 0x100020, 8, 0x101000 | PTE_P);
    fixture_store(f, 0x101000 + 8 * 2, 8, 0x600000 | PTE_P | PTE_W | PTE_PS);
    fixture_store(f, 0x100028, 8, 0x102000 | PTE_P | PTE_W); /* bit 1 is reserved in a PDPTE */
    assert_int_equal(cpu_write_cr0(f->cpu, f->cpu->cr0 | CR0_PG), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    fixture_store(f, 0x100028, 8, 0);
    assert_int_equal(cpu_write_cr0(f->cpu, f->cpu->cr0 | CR0_PG), EXEC_OK);
    assert_int_equal(touch(f, 0x4abcde, ACCESS_WRITE, &spa), EXEC_OK);
    assert_int_equal(spa, 0x6abcde);
    assert_int_equal(touch(f, 0x40000000, ACCESS_READ, &spa), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.error, 0);
    fixture_store(f, 0x100028, 8, 0x101000 | PTE_P); /* registers are loaded by MOV CR3 only */
    assert_int_equal(touch(f, 0x404abcde, ACCESS_READ, &spa), EXEC_FAULT);
    assert_int_equal(cpu_write_cr3(f->cpu, 0x100020), EXEC_OK);
    assert_int_equal(touch(f, 0x404abcde, ACCESS_READ, &spa), EXEC_OK);
    fixture_free(f);
}

static void implicit_supervisor_accesses_ignore_cpl_and_ac(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value;

    (void)state;
    fixture_long_mode(f, 3);
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W);
    assert_int_equal(cpu_read(f->cpu, LINEAR, &value, 8), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.error, PF_P | PF_U);
    assert_int_equal(cpu_read_system(f->cpu, LINEAR, &value, 8), EXEC_OK);
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W | PTE_U);
    f->cpu->cr4 |= CR4_SMAP;
    f->cpu->rflags_rest = RFLAGS_AC;
    mmu_flush_all(f->cpu);
    mmu_mode_changed(f->cpu);
    assert_int_equal(cpu_read_system(f->cpu, LINEAR, &value, 8), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.error, PF_P);
    fixture_free(f);
}

static void page_crossing_writes_are_all_or_nothing(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value = 0x1122334455667788, back;

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W);
    assert_int_equal(cpu_write(f->cpu, LINEAR + 0xffc, &value, 8), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.address, LINEAR + 0x1000);
    assert_int_equal(fixture_load(f, TARGET + 0xffc, 4), 0);
    fixture_map(f, LINEAR + 0x1000, 0x42000, PTE_P | PTE_W);
    assert_int_equal(cpu_write(f->cpu, LINEAR + 0xffc, &value, 8), EXEC_OK);
    assert_int_equal(fixture_load(f, TARGET + 0xffc, 4), 0x55667788);
    assert_int_equal(fixture_load(f, 0x42000, 4), 0x11223344);
    assert_true(cpu_peek(f->cpu, LINEAR + 0xffc, &back, 8));
    assert_int_equal(back, value);
    assert_false(cpu_peek(f->cpu, LINEAR + 0x1ffc, &back, 8));
    fixture_free(f);
}

static void non_canonical_addresses_fault_by_segment(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t linear;

    (void)state;
    fixture_long_mode(f, 0);
    assert_int_equal(cpu_linear(f->cpu, DS, 0x0000800000000000, 1, ACCESS_READ, &linear), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    assert_int_equal(cpu_linear(f->cpu, SS, 0x00007ffffffffff9, 8, ACCESS_READ, &linear), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_SS);
    assert_int_equal(cpu_linear(f->cpu, DS, 0x00007ffffffffff8, 8, ACCESS_READ, &linear), EXEC_OK);
    f->cpu->seg[FS].base = 0x1000;
    assert_int_equal(cpu_linear(f->cpu, FS, 0x234, 8, ACCESS_READ, &linear), EXEC_OK);
    assert_int_equal(linear, 0x1234);
    fixture_free(f);
}

static void segment_limits_and_types_are_checked_outside_64_bit_mode(void **state)
{
    struct fixture *f = fixture_new(1);
    struct segment *ds = &f->cpu->seg[DS];
    uint64_t linear;
    static const struct {
        uint32_t rights, limit;
        uint64_t ea;
        unsigned size;
        enum access_kind kind;
        bool ok;
    } cases[] = {
        { 0xc093, 0xfff, 0xffc, 4, ACCESS_WRITE, true },
        { 0xc093, 0xfff, 0xffd, 4, ACCESS_WRITE, false },
        { 0xc091, 0xfff, 0, 4, ACCESS_WRITE, false },       /* read-only data */
        { 0xc091, 0xfff, 0, 4, ACCESS_READ, true },
        { 0xc097, 0xfff, 0xfff, 1, ACCESS_READ, false },    /* expand-down: above the limit only */
        { 0xc097, 0xfff, 0x1000, 4, ACCESS_WRITE, true },
        { 0xc097, 0xfff, 0xfffffffd, 4, ACCESS_WRITE, false },
        { 0x8097, 0xfff, 0xfffd, 4, ACCESS_WRITE, false },  /* 16-bit expand-down ends at FFFFH */
        { 0xc099, 0xffffffff, 0, 4, ACCESS_READ, false },   /* execute-only code */
        { 0xc09b, 0xffffffff, 0, 4, ACCESS_READ, true },
        { 0xc09b, 0xffffffff, 0, 4, ACCESS_WRITE, false },
        { 0x1c093, 0xffffffff, 0, 4, ACCESS_READ, false },  /* unusable */
    };

    (void)state;
    fixture_protected_mode(f, 0);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        *ds = (struct segment){ .base = 0x1000, .limit = cases[i].limit, .rights = cases[i].rights };
        enum exec_result result = cpu_linear(f->cpu, DS, cases[i].ea, cases[i].size, cases[i].kind, &linear);
        assert_int_equal(result, cases[i].ok ? EXEC_OK : EXEC_FAULT);
        if (cases[i].ok) {
            assert_int_equal(linear, (uint32_t)(cases[i].ea + 0x1000));
        }
    }
    fixture_free(f);
}

static void alignment_is_checked_for_users_only(void **state)
{
    struct fixture *f = fixture_new(1);
    uint64_t value = 0, spa;
    uint8_t *host;

    (void)state;
    fixture_long_mode(f, 3);
    f->cpu->cr0 |= CR0_AM;
    f->cpu->rflags_rest = RFLAGS_AC;
    mmu_mode_changed(f->cpu);
    assert_int_equal(cpu_read(f->cpu, AT_DATA + 1, &value, 4), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_AC);
    assert_int_equal(cpu_read(f->cpu, AT_DATA + 4, &value, 4), EXEC_OK);
    assert_int_equal(mmu_fill(f->cpu, AT_DATA, 8, ACCESS_READ, &host, &spa), EXEC_OK);
    assert_int_equal(f->cpu->tlb[AT_DATA >> 12].tag_read, TLB_NO_TAG); /* the hot core must ask every time */
    fixture_set_cpl(f, 0);
    assert_int_equal(cpu_read(f->cpu, AT_DATA + 1, &value, 4), EXEC_OK);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_of_rights_is_the_manuals),
        cmocka_unit_test(upper_levels_narrow_rights),
        cmocka_unit_test(every_reserved_bit_faults_and_no_other),
        cmocka_unit_test(large_pages_map_and_check_their_reserved_bits),
        cmocka_unit_test(legacy_32_bit_paging_maps_4k_4m_and_36_bit_pages),
        cmocka_unit_test(pae_paging_loads_and_checks_pdptes),
        cmocka_unit_test(implicit_supervisor_accesses_ignore_cpl_and_ac),
        cmocka_unit_test(page_crossing_writes_are_all_or_nothing),
        cmocka_unit_test(non_canonical_addresses_fault_by_segment),
        cmocka_unit_test(segment_limits_and_types_are_checked_outside_64_bit_mode),
        cmocka_unit_test(alignment_is_checked_for_users_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
