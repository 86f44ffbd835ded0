/* What the TLB keeps and what it must forget. */
#include "fixture.h"

#include <stdlib.h>

#define A 0x400000ull       /* two pages of one linear region */
#define B 0x401000ull
#define LARGE 0x600000ull   /* a 2-MiB page */
#define SPA_1 0x50000ull
#define SPA_2 0x51000ull

static uint64_t where(struct fixture *f, uint64_t linear)
{
    uint8_t *host;
    uint64_t spa = 0;

    return mmu_fill(f->cpu, linear, 1, ACCESS_READ, &host, &spa) == EXEC_OK ? spa : ~0ull;
}

static struct tlb_entry *tags(struct fixture *f, uint64_t linear)
{
    return &f->cpu->tlb[linear >> 12 & (TLB_ENTRIES - 1)];
}

/* Maps A to SPA_1, uses it, then changes the table entry behind the TLB's back to SPA_2. */
static void make_stale(struct fixture *f, uint64_t flags)
{
    fixture_map(f, A, SPA_1, flags | PTE_P | PTE_W);
    mmu_flush_all(f->cpu);
    assert_int_equal(where(f, A), SPA_1);
    fixture_map(f, A, SPA_2, flags | PTE_P | PTE_W);
    assert_int_equal(where(f, A), SPA_1); /* still the cached one */
}

static void writes_get_a_tag_only_with_the_dirty_flag_set(void **state)
{
    struct fixture *f = fixture_new(1);
    uint8_t *host;
    uint64_t spa, entry_at;

    (void)state;
    fixture_long_mode(f, 0);
    entry_at = fixture_map(f, A, SPA_1, PTE_P | PTE_W);
    assert_int_equal(where(f, A + 5), SPA_1 + 5);
    assert_int_equal(tags(f, A)->tag_read, A);
    assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG);
    assert_int_equal(fixture_load(f, entry_at, 8) & PTE_D, 0);
    assert_int_equal(mmu_fill(f->cpu, A + 5, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_int_equal(tags(f, A)->tag_write, A);
    assert_ptr_equal(host, mem_ram(f->machine.mem, SPA_1 + 5));
    assert_int_equal(tags(f, A)->add + A + 5, (uintptr_t)host);
    assert_true(fixture_load(f, entry_at, 8) & PTE_D);
    fixture_free(f);
}

static uint64_t hash_of(struct fixture *f)
{
    struct state *s = state_new_hash();

    mem_state(f->machine.mem, s);
    mmu_state(f->cpu, s);
    return state_hash_end(s);
}

static void behind_a_hash_the_first_write_of_a_page_is_seen(void **state)
{
    struct fixture *f = fixture_new(1);
    uint8_t *host;
    uint64_t spa;

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, A, SPA_1, PTE_P | PTE_W);
    assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    *host = 1;
    uint64_t hash = hash_of(f);
    assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG);
    assert_int_equal(tags(f, A)->tag_read, A);
    assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_READ, &host, &spa), EXEC_OK);
    assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG); /* who reads gets none */
    assert_true(hash_of(f) == hash);
    assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_int_equal(tags(f, A)->tag_write, A);
    *host = 2;
    assert_true(hash_of(f) != hash);
    fixture_free(f);
}

static void code_pages_have_no_write_tag_in_any_context_of_any_processor(void **state)
{
    struct fixture *f = fixture_new(2);
    uint8_t *host;
    uint64_t spa;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        f->cpu = f->machine.cpu[i];
        fixture_long_mode(f, 0);
        fixture_map(f, A, SPA_1, PTE_P | PTE_W | PTE_U);
        assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
        fixture_set_cpl(f, 3);
        assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
        assert_int_equal(tags(f, A)->tag_write, A);
    }
    mem_code_map(f->machine.mem)[mem_page_index(SPA_1)] = 1;
    mmu_protect_code(&f->machine, SPA_1);
    for (unsigned i = 0; i < 2; i++) {
        f->cpu = f->machine.cpu[i];
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            fixture_set_cpl(f, cpl);
            assert_int_equal(tags(f, A)->tag_read, A);
            assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG);
            assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
            assert_null(host);
            assert_int_equal(spa, SPA_1);
        }
    }
    mem_code_map(f->machine.mem)[mem_page_index(SPA_1)] = 0;
    assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_int_equal(tags(f, A)->tag_write, A);
    fixture_free(f);
}

static void mmio_pages_are_translated_but_never_tagged(void **state)
{
    struct fixture *f = fixture_new(1);
    uint8_t *host = (uint8_t *)f;
    uint64_t spa;

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, A, 0xd0000000, PTE_P | PTE_W);
    assert_int_equal(mmu_fill(f->cpu, A + 8, 4, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_null(host);
    assert_int_equal(spa, 0xd0000008);
    assert_int_equal(tags(f, A)->tag_read, TLB_NO_TAG);
    assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG);
    fixture_free(f);
}

static void mov_cr3_drops_all_but_global_pages(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    make_stale(f, PTE_G);
    assert_int_equal(cpu_write_cr3(f->cpu, f->cpu->cr3), EXEC_OK);
    assert_int_equal(where(f, A), SPA_1);
    mmu_flush_all(f->cpu);
    assert_int_equal(where(f, A), SPA_2);
    make_stale(f, 0);
    assert_int_equal(cpu_write_cr3(f->cpu, f->cpu->cr3), EXEC_OK);
    assert_int_equal(where(f, A), SPA_2);
    fixture_free(f);
}

static void without_pge_no_page_is_global(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 & ~CR4_PGE), EXEC_OK);
    make_stale(f, PTE_G);
    assert_int_equal(cpu_write_cr3(f->cpu, f->cpu->cr3), EXEC_OK);
    assert_int_equal(where(f, A), SPA_2);
    fixture_free(f);
}

static void toggling_pge_drops_global_pages(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    make_stale(f, PTE_G);
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 & ~CR4_PGE), EXEC_OK);
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_PGE), EXEC_OK);
    assert_int_equal(where(f, A), SPA_2);
    fixture_free(f);
}

static void privilege_changes_forget_nothing(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    make_stale(f, PTE_U);
    fixture_set_cpl(f, 3);
    assert_int_equal(where(f, A), SPA_2); /* the user context has its own */
    fixture_set_cpl(f, 0);
    assert_int_equal(where(f, A), SPA_1);
    fixture_free(f);
}

static void pcids_keep_address_spaces_apart(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    uint64_t space = f->cpu->cr3;
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_PCIDE), EXEC_OK);
    assert_int_equal(cpu_write_cr3(f->cpu, space | 1), EXEC_OK);
    make_stale(f, 0);
    assert_int_equal(cpu_write_cr3(f->cpu, space | 2), EXEC_OK);
    assert_int_equal(where(f, A), SPA_2);
    assert_int_equal(cpu_write_cr3(f->cpu, space | 1 | CR3_KEEP), EXEC_OK);
    assert_int_equal(f->cpu->cr3, space | 1); /* bit 63 is not stored */
    assert_int_equal(where(f, A), SPA_1);
    assert_int_equal(cpu_write_cr3(f->cpu, space | 1), EXEC_OK);
    assert_int_equal(where(f, A), SPA_2);
    fixture_free(f);
}

static void invlpg_drops_the_page_in_all_privileges_and_nothing_else(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    make_stale(f, PTE_U | PTE_G);
    fixture_map(f, B, SPA_1, PTE_P);
    assert_int_equal(where(f, B), SPA_1);
    fixture_map(f, B, SPA_2, PTE_P);
    fixture_set_cpl(f, 3);
    mmu_invlpg(f->cpu, A + 77);
    fixture_set_cpl(f, 0);
    assert_int_equal(where(f, A), SPA_2);
    assert_int_equal(where(f, B), SPA_1);
    fixture_free(f);
}

static void invlpg_drops_the_whole_large_page(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, LARGE, 0, 0);
    uint64_t table = f->cpu->cr3, at = 0;
    for (int shift = 39; shift >= 21; shift -= 9) {
        at = table + (LARGE >> shift & 511) * 8;
        table = fixture_load(f, at, 8) & 0xffffffffff000ull;
    }
    fixture_store(f, at, 8, 0x200000 | PTE_P | PTE_PS);
    assert_int_equal(where(f, LARGE + 0x3000), 0x203000);
    assert_int_equal(where(f, LARGE + 0x1ff000), 0x3ff000);
    fixture_store(f, at, 8, 0x400000 | PTE_P | PTE_PS);
    mmu_invlpg(f->cpu, LARGE + 0x80000);
    assert_int_equal(where(f, LARGE + 0x3000), 0x403000);
    assert_int_equal(where(f, LARGE + 0x1ff000), 0x5ff000);
    fixture_free(f);
}

static void invpcid_types_drop_what_the_manual_says(void **state)
{
    /* Columns: is the translation of PCID 1 still the stale one after type t with PCID 1? */
    static const struct {
        enum mmu_invpcid_type type;
        uint16_t pcid;
        bool keeps_plain, keeps_global;
    } cases[] = {
        { INVPCID_ADDRESS, 1, false, false }, { INVPCID_ADDRESS, 2, true, false },
        { INVPCID_CONTEXT, 1, false, true },  { INVPCID_CONTEXT, 2, true, true },
        { INVPCID_ALL_GLOBAL, 0, false, false }, { INVPCID_ALL, 0, false, true },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned global = 0; global < 2; global++) {
            struct fixture *f = fixture_new(1);
            fixture_long_mode(f, 0);
            assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_PCIDE), EXEC_OK);
            assert_int_equal(cpu_write_cr3(f->cpu, f->cpu->cr3 | 1), EXEC_OK);
            make_stale(f, global ? PTE_G : 0);
            mmu_invpcid(f->cpu, cases[i].type, cases[i].pcid, A);
            bool keeps = global ? cases[i].keeps_global : cases[i].keeps_plain;
            assert_int_equal(where(f, A), keeps ? SPA_1 : SPA_2);
            fixture_free(f);
        }
    }
}

static void code_epoch_changes_when_translations_go_and_returns_with_the_context(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    uint64_t supervisor = mmu_code_epoch(f->cpu);
    fixture_set_cpl(f, 3);
    assert_int_not_equal(mmu_code_epoch(f->cpu), supervisor);
    fixture_set_cpl(f, 0);
    assert_int_equal(mmu_code_epoch(f->cpu), supervisor);
    make_stale(f, 0);
    supervisor = mmu_code_epoch(f->cpu);
    assert_int_equal(where(f, B), ~0ull); /* a fault drops nothing that was not there */
    assert_int_equal(mmu_code_epoch(f->cpu), supervisor);
    mmu_invlpg(f->cpu, A);
    assert_int_not_equal(mmu_code_epoch(f->cpu), supervisor);
    fixture_free(f);
}

/* A page of code that another page pushed out is still in somebody's memory of jumps: INVLPG must end that. */
static void invlpg_of_a_displaced_page_of_code_changes_the_epoch(void **state)
{
    struct fixture *f = fixture_new(1);
    const uint64_t code = 0x400000, other = code + TLB_ENTRIES * 4096ull, apart = 0x401000;
    uint64_t spa;

    (void)state;
    fixture_long_mode(f, 0);
    fixture_map(f, code, 0x50000, PTE_P | PTE_W);
    fixture_map(f, other, 0x51000, PTE_P | PTE_W);
    assert_int_equal(mmu_fetch(f->cpu, code, &spa), EXEC_OK);
    assert_int_equal(cpu_read(f->cpu, other, &spa, 8), EXEC_OK); /* the same slot */
    uint64_t epoch = mmu_code_epoch(f->cpu);
    mmu_invlpg(f->cpu, apart);
    assert_int_equal(mmu_code_epoch(f->cpu), epoch);
    mmu_invlpg(f->cpu, code);
    assert_int_not_equal(mmu_code_epoch(f->cpu), epoch);
    epoch = mmu_code_epoch(f->cpu);
    mmu_invlpg(f->cpu, code);
    assert_int_equal(mmu_code_epoch(f->cpu), epoch);
    fixture_free(f);
}

static void more_address_spaces_than_contexts_stay_correct(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    uint64_t space = f->cpu->cr3;
    fixture_map(f, A, SPA_1, PTE_P);
    assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_PCIDE), EXEC_OK);
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t pcid = 1; pcid < 100; pcid++) {
            assert_int_equal(cpu_write_cr3(f->cpu, space | pcid | CR3_KEEP), EXEC_OK);
            assert_int_equal(where(f, A), SPA_1);
            uint64_t value;
            assert_int_equal(cpu_read_system(f->cpu, A, &value, 8), EXEC_OK);
        }
    }
    fixture_free(f);
}

/* A translation that memory no longer backs survives a snapshot: the TLB is state. */
static void snapshots_carry_stale_translations(void **state)
{
    struct fixture *f = fixture_new(1), *g = fixture_new(1);
    uint8_t *bytes;
    size_t size;

    (void)state;
    fixture_long_mode(f, 0);
    make_stale(f, 0);
    struct state *save = state_new_save();
    cpu_system_state(f->cpu, save);
    mmu_state(f->cpu, save);
    mem_state(f->machine.mem, save);
    state_save_end(save, &bytes, &size);
    struct state *load = state_new_load(bytes, size);
    cpu_system_state(g->cpu, load);
    mmu_state(g->cpu, load);
    mem_state(g->machine.mem, load);
    assert_null(state_load_end(load));
    assert_int_equal(where(g, A), SPA_1);
    assert_int_equal(tags(g, A)->tag_read, A);
    assert_int_equal(where(f, A), SPA_1);

    struct state *hash_f = state_new_hash(), *hash_g = state_new_hash();
    cpu_system_state(f->cpu, hash_f);
    mmu_state(f->cpu, hash_f);
    cpu_system_state(g->cpu, hash_g);
    mmu_state(g->cpu, hash_g);
    assert_int_equal(state_hash_end(hash_f), state_hash_end(hash_g));
    free(bytes);
    fixture_free(f);
    fixture_free(g);
}

/* --- second level ---------------------------------------------------------------- */

/* A second level that adds a constant and can refuse. */
enum { SHIFT_BY = 0x200000 };
static struct {
    unsigned tables, finals, table_writes;
    bool refuse_final, read_only;
} second;

static bool second_on(const struct cpu *cpu)
{
    (void)cpu;
    return true;
}

static enum exec_result second_translate(struct cpu *cpu, const struct vtx_access *a, struct vtx_page *page)
{
    (void)cpu;
    second.tables += a->is_table;
    second.table_writes += a->is_table && a->write;
    second.finals += !a->is_table;
    if (!a->is_table && second.refuse_final) {
        return EXEC_VMEXIT;
    }
    *page = (struct vtx_page){
        .spa = a->gpa + SHIFT_BY, .page_shift = 12, .readable = true, .writable = !second.read_only,
        .executable = true, .dirty = true,
    };
    return EXEC_OK;
}

static uint16_t vpid_of(const struct cpu *cpu)
{
    (void)cpu;
    return 7;
}

static uint64_t eptp_of(const struct cpu *cpu)
{
    (void)cpu;
    return 0x1234006;
}

static const struct vtx_ops second_ops = {
    .second_level = second_on, .translate = second_translate, .vpid = vpid_of, .eptp = eptp_of,
};

static void guest_tables_and_pages_go_through_the_second_level(void **state)
{
    struct fixture *f = fixture_new(1);
    uint8_t *host;
    uint64_t spa;

    (void)state;
    memset(&second, 0, sizeof(second));
    fixture_long_mode(f, 0);
    fixture_map(f, A, SPA_1, PTE_P | PTE_W);
    uint64_t mapped = f->cpu->cr3;
    f->machine.vtx = &second_ops;
    f->machine.timing = (struct timing *)f; /* only tested for being there */
    f->cpu->nonroot = true;
    f->cpu->cr3 = mapped - SHIFT_BY;
    /* Guest-physical addresses in the tables lie SHIFT_BY below where they are. */
    uint64_t table = mapped;
    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t at = table + (A >> shift & 511) * 8, entry = fixture_load(f, at, 8);
        table = entry & 0xffffffffff000ull;
        fixture_store(f, at, 8, entry - SHIFT_BY);
    }
    mmu_vtx_switched(f->cpu);
    assert_int_equal(mmu_fill(f->cpu, A, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_int_equal(spa, SPA_1 + SHIFT_BY);
    assert_int_equal(second.tables, 8); /* four entries read, four accessed flags set */
    assert_int_equal(second.table_writes, 4);
    assert_int_equal(second.finals, 1);
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    assert_int_equal(second.tables + second.finals, 9); /* no second walk */
    second.refuse_final = true;
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    mmu_flush_ept(f->cpu, 0x1234006, false);
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_WRITE, &host, &spa), EXEC_VMEXIT);
    second.refuse_final = false;
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    second.read_only = true;
    mmu_flush_vpid(f->cpu, 8, false); /* another's */
    second.refuse_final = true;
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_WRITE, &host, &spa), EXEC_OK);
    mmu_flush_vpid(f->cpu, 7, false);
    second.refuse_final = false;
    assert_int_equal(mmu_fill(f->cpu, A + 8, 1, ACCESS_READ, &host, &spa), EXEC_OK);
    assert_int_equal(tags(f, A)->tag_write, TLB_NO_TAG);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_get_a_tag_only_with_the_dirty_flag_set),
        cmocka_unit_test(behind_a_hash_the_first_write_of_a_page_is_seen),
        cmocka_unit_test(code_pages_have_no_write_tag_in_any_context_of_any_processor),
        cmocka_unit_test(mmio_pages_are_translated_but_never_tagged),
        cmocka_unit_test(mov_cr3_drops_all_but_global_pages),
        cmocka_unit_test(without_pge_no_page_is_global),
        cmocka_unit_test(toggling_pge_drops_global_pages),
        cmocka_unit_test(privilege_changes_forget_nothing),
        cmocka_unit_test(pcids_keep_address_spaces_apart),
        cmocka_unit_test(invlpg_drops_the_page_in_all_privileges_and_nothing_else),
        cmocka_unit_test(invlpg_drops_the_whole_large_page),
        cmocka_unit_test(invpcid_types_drop_what_the_manual_says),
        cmocka_unit_test(code_epoch_changes_when_translations_go_and_returns_with_the_context),
        cmocka_unit_test(invlpg_of_a_displaced_page_of_code_changes_the_epoch),
        cmocka_unit_test(more_address_spaces_than_contexts_stay_correct),
        cmocka_unit_test(snapshots_carry_stale_translations),
        cmocka_unit_test(guest_tables_and_pages_go_through_the_second_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
