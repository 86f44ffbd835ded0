/* Paging features a model may have: 57-bit linear addresses, protection keys, the physical width, 1-GiB pages, UMIP. */
#include "fixture.h"

#define LINEAR 0x400000ull
#define TARGET 0x50000ull

#define EXPECT_FAULT(f, call, number)                        \
    do {                                                     \
        assert_int_equal((call), EXEC_FAULT);                \
        assert_int_equal((f)->cpu->fault.vector, (number));  \
    } while (0)

static enum exec_result touch(struct fixture *f, uint64_t linear, enum access_kind kind, uint64_t *spa)
{
    uint8_t *host;

    return mmu_fill(f->cpu, linear, 1, kind, &host, spa);
}

static struct fixture *model_in_long_mode(const char *model, unsigned cpl)
{
    struct fixture *f = fixture_new(1);

    fixture_model(f, model, false);
    fixture_long_mode(f, cpl);
    return f;
}

/* --- protection keys ----------------------------------------------------------------- */

static enum exec_result write_pkru(struct fixture *f, uint32_t value)
{
    const struct sys_insn insn = { .length = 3 };

    f->cpu->gpr[RCX] = f->cpu->gpr[RDX] = 0;
    f->cpu->gpr[RAX] = value;
    return sys_wrpkru(f->cpu, &insn);
}

/* SDM Vol 3A "Protection Keys", every combination; the translation is cached once and obeys PKRU after that. */
static void pkru_decides_without_a_flush(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 64; n++) {
        bool user = n & 1, user_page = n & 2, wp = n & 4, ad = n & 8, wd = n & 16, other_key = n & 32;
        struct fixture *f = model_in_long_mode("max", user ? 3 : 0);
        uint64_t spa;
        if (user && !user_page) {
            fixture_free(f);
            continue;
        }
        assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_PKE), EXEC_OK);
        assert_int_equal(cpu_write_cr0(f->cpu, (f->cpu->cr0 & ~CR0_WP) | (wp ? CR0_WP : 0)), EXEC_OK);
        fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W | PTE_D | (user_page ? PTE_U : 0) | 5ull << PTE_KEY_SHIFT);
        assert_int_equal(touch(f, LINEAR, ACCESS_WRITE, &spa), EXEC_OK);
        assert_int_equal(write_pkru(f, (ad * 1u | wd * 2u) << (other_key ? 8 : 10)), EXEC_OK);
        bool obeys = user_page && !other_key;
        bool may_read = !(obeys && ad), may_write = may_read && !(obeys && wd && (user || wp));
        const struct tlb_entry *e = &f->cpu->tlb[LINEAR >> 12 & (TLB_ENTRIES - 1)];
        assert_int_equal(e->tag_read == LINEAR, may_read);
        assert_int_equal(e->tag_write == LINEAR, may_write);
        assert_int_equal(touch(f, LINEAR, ACCESS_EXEC, &spa), EXEC_OK);
        assert_int_equal(touch(f, LINEAR, ACCESS_READ, &spa), may_read ? EXEC_OK : EXEC_FAULT);
        if (!may_read) {
            assert_int_equal(f->cpu->fault.error, PF_P | PF_PK | (user ? PF_U : 0));
        }
        assert_int_equal(touch(f, LINEAR, ACCESS_WRITE, &spa), may_write ? EXEC_OK : EXEC_FAULT);
        if (!may_write) {
            assert_int_equal(f->cpu->fault.error, PF_P | PF_PK | PF_W | (user ? PF_U : 0));
        }
        assert_int_equal(write_pkru(f, 0), EXEC_OK);
        assert_int_equal(touch(f, LINEAR, ACCESS_WRITE, &spa), EXEC_OK);
        fixture_free(f);
    }
}

static void pkru_instructions_have_their_conditions(void **state)
{
    struct fixture *f = model_in_long_mode("max", 3);
    const struct sys_insn insn = { .length = 3 };

    (void)state;
    EXPECT_FAULT(f, write_pkru(f, 0), X_UD);
    f->cpu->cr4 |= CR4_PKE;
    assert_int_equal(write_pkru(f, 0x55555554), EXEC_OK);
    f->cpu->gpr[RCX] = 1;
    EXPECT_FAULT(f, sys_wrpkru(f->cpu, &insn), X_GP);
    EXPECT_FAULT(f, sys_rdpkru(f->cpu, &insn), X_GP);
    f->cpu->gpr[RCX] = 0;
    f->cpu->gpr[RDX] = 1;
    EXPECT_FAULT(f, sys_wrpkru(f->cpu, &insn), X_GP);
    assert_int_equal(sys_rdpkru(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], 0x55555554);
    assert_int_equal(f->cpu->gpr[RDX], 0);
    fixture_free(f);
}

/* --- 57 bits --------------------------------------------------------------------------- */

static void five_levels_translate_57_bits(void **state)
{
    struct fixture *f = model_in_long_mode("max", 0);
    const uint64_t high = 0x00aa000000000000ull | LINEAR;
    uint64_t spa, pml4 = f->cpu->cr3;

    (void)state;
    EXPECT_FAULT(f, cpu_write_cr4(f->cpu, f->cpu->cr4 | CR4_LA57), X_GP); /* not while long mode is active */
    uint64_t pml5 = f->tables_end -= 4096;
    for (unsigned i = 0; i < 512; i++) { /* every PML5E: the same PML4 */
        fixture_store(f, pml5 + i * 8, 8, pml4 | PTE_P | PTE_W | PTE_U);
    }
    fixture_map(f, LINEAR, TARGET, PTE_P | PTE_W);
    EXPECT_FAULT(f, touch(f, high, ACCESS_READ, &spa), X_GP);
    f->cpu->cr4 |= CR4_LA57;
    f->cpu->cr3 = pml5;
    cpu_update_mode(f->cpu);
    mmu_reset(f->cpu);
    assert_int_equal(touch(f, high + 9, ACCESS_READ, &spa), EXEC_OK);
    assert_int_equal(spa, TARGET + 9);
    EXPECT_FAULT(f, touch(f, high | 1ull << 56, ACCESS_READ, &spa), X_GP);
    uint64_t at = pml5 + (high >> 48 & 511) * 8, entry = fixture_load(f, at, 8);
    assert_true(entry & PTE_A);
    fixture_store(f, at, 8, entry | PTE_PS);
    mmu_flush_all(f->cpu);
    EXPECT_FAULT(f, touch(f, high, ACCESS_READ, &spa), X_PF);
    assert_int_equal(f->cpu->fault.error, PF_P | PF_RSVD);
    EXPECT_FAULT(f, cpu_write_cr4(f->cpu, f->cpu->cr4 & ~CR4_LA57), X_GP);
    fixture_free(f);
}

/* SDM Vol 1 "Canonicality Checking": MSRs and bases go by CPUID, accesses by CR4. */
static void bases_are_as_wide_as_cpuid_says(void **state)
{
    static const struct { const char *model; bool takes_57; } cases[] = { { "max", true }, { "max,-LA57", false }, { "e5", false } };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *f = model_in_long_mode(cases[i].model, 0);
        assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000100, 0x0000800000000000), cases[i].takes_57 ? EXEC_OK : EXEC_FAULT);
        assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000100, 0x0100000000000000), EXEC_FAULT);
        assert_int_equal(cpu_wrmsr(f->cpu, 0xc0000100, 0xff00000000000000), cases[i].takes_57 ? EXEC_OK : EXEC_FAULT);
        fixture_free(f);
    }
}

/* --- widths and large pages ---------------------------------------------------------------- */

static void the_physical_width_decides_what_is_reserved(void **state)
{
    static const struct { const char *model; unsigned width; } cases[] = {
        { "e5", 46 }, { "e5,phys-bits=36", 36 }, { "amd-v3", 48 }, { "intel-v2", 40 }, { "max,phys-bits=52", 52 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = model_in_long_mode(cases[i].model, 0);
        for (unsigned bit = 36; bit < 52; bit++) {
            uint64_t spa;
            fixture_map(f, LINEAR, TARGET, PTE_P | 1ull << bit);
            mmu_flush_all(f->cpu);
            bool faults = touch(f, LINEAR, ACCESS_READ, &spa) == EXEC_FAULT;
            assert_int_equal(faults, bit >= cases[i].width);
            assert_int_equal(cpu_write_cr3(f->cpu, f->cpu->cr3 | 1ull << bit), bit >= cases[i].width ? EXEC_FAULT : EXEC_OK);
            f->cpu->cr3 &= 0xfffffffff;
        }
        fixture_free(f);
    }
}

static void gigabyte_pages_are_a_feature(void **state)
{
    (void)state;
    for (unsigned has = 0; has < 2; has++) {
        struct fixture *f = model_in_long_mode(has ? "e5" : "e5,-PAGE1GB", 0);
        uint64_t spa, pdpt = fixture_load(f, f->cpu->cr3, 8) & 0xffffffffff000ull;
        fixture_store(f, pdpt + 8, 8, PTE_P | PTE_W | PTE_PS);
        assert_int_equal(touch(f, 0x40050123, ACCESS_READ, &spa), has ? EXEC_OK : EXEC_FAULT);
        assert_int_equal(has ? spa : f->cpu->fault.error, has ? 0x50123 : PF_P | PF_RSVD);
        fixture_free(f);
    }
}

/* --- CR4 and UMIP ------------------------------------------------------------------------- */

static void cr4_bits_without_their_feature_are_reserved(void **state)
{
    static const struct { uint64_t bit; const char *without; } cases[] = {
        { CR4_DE, "max,-DE" }, { CR4_PGE, "max,-PGE" }, { CR4_MCE, "max,-MCE" }, { CR4_SMEP, "max,-SMEP" }, { CR4_SMAP, "max,-SMAP" },
        { CR4_UMIP, "max,-UMIP" }, { CR4_PKE, "max,-PKU" }, { CR4_FSGSBASE, "max,-FSGSBASE" }, { CR4_PCIDE, "max,-PCID" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = model_in_long_mode("max", 0);
        assert_int_equal(cpu_write_cr4(f->cpu, f->cpu->cr4 ^ cases[i].bit), EXEC_OK);
        fixture_free(f);
        f = model_in_long_mode(cases[i].without, 0);
        f->cpu->cr4 &= ~cases[i].bit;
        EXPECT_FAULT(f, cpu_write_cr4(f->cpu, f->cpu->cr4 | cases[i].bit), X_GP);
        fixture_free(f);
    }
}

static void umip_keeps_users_from_system_registers(void **state)
{
    static sys_fn *const functions[] = { sys_sgdt, sys_sidt, sys_sldt, sys_str, sys_smsw };
    const struct sys_insn insn = { .length = 3, .operand_size = 8, .modrm = 0, .segment = DS, .ea = AT_DATA };

    (void)state;
    for (unsigned i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        for (unsigned n = 0; n < 4; n++) {
            struct fixture *f = model_in_long_mode("max", n & 1 ? 3 : 0);
            f->cpu->cr4 |= n & 2 ? CR4_UMIP : 0;
            enum exec_result result = functions[i](f->cpu, &insn);
            assert_int_equal(result, n == 3 ? EXEC_FAULT : EXEC_OK);
            if (n == 3) {
                assert_int_equal(f->cpu->fault.vector, X_GP);
            }
            fixture_free(f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkru_decides_without_a_flush),
        cmocka_unit_test(pkru_instructions_have_their_conditions),
        cmocka_unit_test(five_levels_translate_57_bits),
        cmocka_unit_test(bases_are_as_wide_as_cpuid_says),
        cmocka_unit_test(the_physical_width_decides_what_is_reserved),
        cmocka_unit_test(gigabyte_pages_are_a_feature),
        cmocka_unit_test(cr4_bits_without_their_feature_are_reserved),
        cmocka_unit_test(umip_keeps_users_from_system_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
