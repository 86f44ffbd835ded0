/* The XSAVE feature set: who may, which components where, what is refused. */
#include "tests/unit/cpu_system/fixture.h"

#include "sim/cpu/system/xsave.h"
#include "sim/cpu/x87/x87.h"

#define EXPECT_FAULT(f, call, number)                        \
    do {                                                     \
        assert_int_equal((call), EXEC_FAULT);                \
        assert_int_equal((f)->cpu->fault.vector, (number));  \
    } while (0)

enum { X87 = 1, SSE = 2, AVX = 4, PKRU = 1 << 9, ALL = X87 | SSE | AVX | PKRU };
#define COMPACTED (1ull << 63)

static const struct sys_insn at_data = { .modrm = 0x05, .segment = DS, .ea = AT_DATA, .rex = 0x48 };

/* A processor with everything, in ring 0, XSAVE enabled for 'xcr0'. */
static struct fixture *enabled(uint64_t xcr0)
{
    struct fixture *f = fixture_new(1);
    f->machine.model = NULL; /* no mask: every feature */
    fixture_long_mode(f, 0);
    f->cpu->cr4 |= CR4_OSXSAVE;
    f->cpu->xcr0 = xcr0;
    f->cpu->mxcsr = 0x1f80;
    x87_image_init(f->cpu);
    cpu_update_mode(f->cpu);
    return f;
}

static void ask(struct fixture *f, uint64_t bitmap)
{
    f->cpu->gpr[RAX] = (uint32_t)bitmap;
    f->cpu->gpr[RDX] = bitmap >> 32;
}

static void header(struct fixture *f, uint64_t xstate_bv, uint64_t xcomp_bv)
{
    for (unsigned i = 0; i < 64; i += 8) {
        fixture_store(f, AT_DATA + 512 + i, 8, i == 0 ? xstate_bv : i == 8 ? xcomp_bv : 0);
    }
}

static void checks_come_in_the_manuals_order(void **state)
{
    sys_fn *const all[] = { sys_xsave, sys_xsaveopt, sys_xsavec, sys_xsaves, sys_xrstor, sys_xrstors };
    (void)state;
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct fixture *f = enabled(ALL);
        struct sys_insn insn = at_data;
        insn.ea += 32; /* not aligned to 64 bytes */
        f->cpu->cr0 |= CR0_TS;
        f->cpu->cr4 &= ~CR4_OSXSAVE;
        EXPECT_FAULT(f, all[i](f->cpu, &insn), X_UD);
        f->cpu->cr4 |= CR4_OSXSAVE;
        EXPECT_FAULT(f, all[i](f->cpu, &insn), X_NM);
        f->cpu->cr0 &= ~CR0_TS;
        EXPECT_FAULT(f, all[i](f->cpu, &insn), X_GP);
        fixture_free(f);
    }
}

static void supervisor_forms_need_ring_0(void **state)
{
    struct fixture *f = enabled(ALL);
    (void)state;
    fixture_set_cpl(f, 3);
    EXPECT_FAULT(f, sys_xsaves(f->cpu, &at_data), X_GP);
    EXPECT_FAULT(f, sys_xrstors(f->cpu, &at_data), X_GP);
    EXPECT_FAULT(f, sys_xsetbv(f->cpu, &at_data), X_GP);
    fixture_free(f);
}

static void xcr0_takes_only_what_makes_sense(void **state)
{
    static const struct { uint64_t value; bool ok; } cases[] = {
        { X87, true }, { X87 | SSE, true }, { X87 | SSE | AVX, true }, { ALL, true }, { X87 | PKRU, true },
        { 0, false }, { SSE, false }, { X87 | AVX, false }, { X87 | 8, false }, { X87 | 1ull << 62, false },
        { X87 | SSE | 0xe0, false },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = enabled(X87);
        f->cpu->gpr[RCX] = 0;
        ask(f, cases[i].value);
        assert_int_equal(sys_xsetbv(f->cpu, &at_data), cases[i].ok ? EXEC_JUMP : EXEC_FAULT);
        assert_int_equal(f->cpu->xcr0, cases[i].ok ? cases[i].value : X87);
        assert_int_equal(!!(f->cpu->mode & MODE_AVX_OK), cases[i].ok && cases[i].value & AVX);
        fixture_free(f);
    }
    struct fixture *f = enabled(X87);
    f->cpu->gpr[RCX] = 1;
    ask(f, X87);
    EXPECT_FAULT(f, sys_xsetbv(f->cpu, &at_data), X_GP);
    fixture_free(f);
}

static void xgetbv_shows_what_is_enabled_and_what_is_in_use(void **state)
{
    struct fixture *f = enabled(X87 | SSE | AVX);
    (void)state;
    f->cpu->gpr[RCX] = 0;
    assert_int_equal(sys_xgetbv(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], 7);
    f->cpu->gpr[RCX] = 1;
    f->cpu->ymm_high[3].u64[1] = 1;
    f->cpu->pkru = 4; /* not enabled */
    assert_int_equal(sys_xgetbv(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(f->cpu->gpr[RAX], AVX);
    f->cpu->gpr[RCX] = 2;
    EXPECT_FAULT(f, sys_xgetbv(f->cpu, &at_data), X_GP);
    fixture_free(f);
}

static void compacted_components_follow_one_another(void **state)
{
    struct fixture *f = enabled(ALL);
    struct cpu *cpu = f->cpu;
    (void)state;
    cpu->ymm_high[0].u64[0] = 0x1234;
    cpu->pkru = 0x55;
    fixture_store(f, AT_DATA + 160, 8, 0xabcd);
    ask(f, AVX | PKRU | SSE);
    assert_int_equal(sys_xsavec(cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 512, 8), AVX | PKRU);
    assert_int_equal(fixture_load(f, AT_DATA + 520, 8), COMPACTED | AVX | PKRU | SSE);
    assert_int_equal(fixture_load(f, AT_DATA + 576, 8), 0x1234);
    assert_int_equal(fixture_load(f, AT_DATA + 832, 8), 0x55);
    assert_int_equal(fixture_load(f, AT_DATA + 160, 8), 0xabcd); /* initial: not written */
    ask(f, PKRU);
    assert_int_equal(sys_xsaves(cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 576, 8), 0x55);   /* PKRU comes first now */
    fixture_free(f);
}

static void mxcsr_alone_makes_sse_in_use_when_compacted(void **state)
{
    struct fixture *f = enabled(ALL);
    (void)state;
    f->cpu->mxcsr = 0x1fa0;
    ask(f, SSE);
    assert_int_equal(sys_xsavec(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 512, 8), SSE);
    assert_int_equal(fixture_load(f, AT_DATA + 24, 4), 0x1fa0);
    fixture_store(f, AT_DATA + 512, 8, 0);
    assert_int_equal(sys_xsave(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 512, 8), 0);
    fixture_free(f);
}

static void xsaveopt_leaves_initial_components_alone(void **state)
{
    struct fixture *f = enabled(ALL);
    (void)state;
    fixture_store(f, AT_DATA + 576, 8, 77);
    fixture_store(f, AT_DATA + 512, 8, X87 | AVX);
    ask(f, AVX | SSE);
    assert_int_equal(sys_xsaveopt(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 576, 8), 77);
    assert_int_equal(fixture_load(f, AT_DATA + 512, 8), X87); /* not asked for: kept */
    assert_int_equal(sys_xsave(f->cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 576, 8), 0);
    fixture_free(f);
}

static void restored_is_what_was_saved(void **state)
{
    sys_fn *const save[] = { sys_xsave, sys_xsaveopt, sys_xsavec, sys_xsaves };
    sys_fn *const restore[] = { sys_xrstor, sys_xrstor, sys_xrstor, sys_xrstors };
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fixture *f = enabled(ALL);
        struct cpu *cpu = f->cpu;
        header(f, 0, 0);
        cpu->xmm[9].u64[1] = 5;
        cpu->ymm_high[15].u64[1] = 6;
        cpu->pkru = 7;
        cpu->mxcsr = 0x1fbf;
        cpu->x87.cw = 0x27f;
        ask(f, ~0ull);
        assert_int_equal(save[i](cpu, &at_data), EXEC_OK);
        cpu->xmm[9].u64[1] = cpu->ymm_high[15].u64[1] = cpu->pkru = 0;
        cpu->xmm[2].u64[0] = 1;
        cpu->mxcsr = 0x1f80;
        cpu->x87.cw = 0x37f;
        assert_int_equal(restore[i](cpu, &at_data), EXEC_OK);
        assert_int_equal(cpu->xmm[9].u64[1], 5);
        assert_int_equal(cpu->xmm[2].u64[0], 0);
        assert_int_equal(cpu->ymm_high[15].u64[1], 6);
        assert_int_equal(cpu->pkru, 7);
        assert_int_equal(cpu->mxcsr, 0x1fbf);
        assert_int_equal(cpu->x87.cw, 0x27f);
        fixture_free(f);
    }
}

static void absent_components_become_initial(void **state)
{
    struct fixture *f = enabled(ALL);
    struct cpu *cpu = f->cpu;
    (void)state;
    header(f, 0, 0);
    fixture_store(f, AT_DATA + 24, 4, 0x1fa0);
    cpu->xmm[1].u64[0] = cpu->ymm_high[1].u64[0] = 1;
    cpu->x87.cw = 0x40;
    ask(f, X87 | AVX);
    assert_int_equal(sys_xrstor(cpu, &at_data), EXEC_OK);
    assert_int_equal(cpu->xmm[1].u64[0], 1);                /* not asked for */
    assert_int_equal(cpu->ymm_high[1].u64[0], 0);
    assert_int_equal(cpu->x87.cw, 0x37f);
    assert_int_equal(cpu->mxcsr, 0x1fa0);                   /* standard format: with AVX too */
    header(f, 0, COMPACTED);
    ask(f, SSE);
    assert_int_equal(sys_xrstor(cpu, &at_data), EXEC_OK);
    assert_int_equal(cpu->mxcsr, 0x1f80);                   /* compacted: part of SSE, initial */
    fixture_free(f);
}

static void malformed_headers_are_refused(void **state)
{
    static const struct { uint64_t xstate_bv, xcomp_bv, rest; bool user, supervisor; } cases[] = {
        { SSE, 0, 0, true, false }, { SSE, COMPACTED | SSE, 0, true, true }, { SSE, COMPACTED | ALL, 0, true, true },
        { 8, 0, 0, false, false }, { SSE, SSE, 0, false, false }, { SSE, 0, 1, false, false },
        { SSE | AVX, COMPACTED | SSE, 0, false, false }, { 0, COMPACTED | 8, 0, false, false },
        { SSE, COMPACTED | SSE, 1, false, false },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture *f = enabled(ALL);
        header(f, cases[i].xstate_bv, cases[i].xcomp_bv);
        fixture_store(f, AT_DATA + 528, 8, cases[i].rest);
        fixture_store(f, AT_DATA + 24, 4, 0x1f80);
        ask(f, SSE);
        assert_int_equal(sys_xrstor(f->cpu, &at_data), cases[i].user ? EXEC_OK : EXEC_FAULT);
        assert_int_equal(sys_xrstors(f->cpu, &at_data), cases[i].supervisor ? EXEC_OK : EXEC_FAULT);
        fixture_store(f, AT_DATA + 24, 4, 0x11f80); /* a reserved bit of MXCSR */
        EXPECT_FAULT(f, sys_xrstor(f->cpu, &at_data), X_GP);
        fixture_free(f);
    }
}

static void cpuid_leaf_0d_follows_xcr0(void **state)
{
    static const struct { uint64_t xcr0; uint32_t standard, compacted; } sizes[] = {
        { X87, 576, 576 }, { X87 | SSE, 576, 576 }, { X87 | SSE | AVX, 832, 832 }, { ALL, 2696, 840 }, { X87 | PKRU, 2696, 584 },
    };
    uint32_t out[4] = { 0 };
    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fixture *f = enabled(sizes[i].xcr0);
        xsave_cpuid(f->cpu, 0, out);
        assert_int_equal(out[0], ALL);
        assert_int_equal(out[1], sizes[i].standard);
        assert_int_equal(out[2], 2696);
        xsave_cpuid(f->cpu, 1, out);
        assert_int_equal(out[1], sizes[i].compacted);
        xsave_cpuid(f->cpu, 2, out);
        assert_int_equal(out[0], 256);
        assert_int_equal(out[1], 576);
        fixture_free(f);
    }
}

static void outside_64_bit_mode_there_are_eight_registers(void **state)
{
    struct fixture *f = enabled(X87 | SSE | AVX);
    struct cpu *cpu = f->cpu;
    (void)state;
    cpu->mode &= ~(uint32_t)MODE_LONG64;
    cpu->xmm[7].u64[0] = 7;
    cpu->xmm[8].u64[0] = 8;
    fixture_store(f, AT_DATA + 160 + 8 * 16, 8, 99);
    ask(f, SSE);
    assert_int_equal(sys_xsave(cpu, &at_data), EXEC_OK);
    assert_int_equal(fixture_load(f, AT_DATA + 160 + 7 * 16, 8), 7);
    assert_int_equal(fixture_load(f, AT_DATA + 160 + 8 * 16, 8), 99);
    header(f, 0, 0);
    assert_int_equal(sys_xrstor(cpu, &at_data), EXEC_OK);
    assert_int_equal(cpu->xmm[7].u64[0], 0);
    assert_int_equal(cpu->xmm[8].u64[0], 8);
    fixture_free(f);
}

static void xss_has_no_bits(void **state)
{
    struct fixture *f = enabled(ALL);
    uint64_t value = 1;
    (void)state;
    assert_int_equal(cpu_rdmsr(f->cpu, 0xda0, &value), EXEC_OK);
    assert_int_equal(value, 0);
    assert_int_equal(cpu_wrmsr(f->cpu, 0xda0, 0), EXEC_OK);
    EXPECT_FAULT(f, cpu_wrmsr(f->cpu, 0xda0, 1 << 8), X_GP);
    fixture_model(f, "e5", false);
    EXPECT_FAULT(f, cpu_rdmsr(f->cpu, 0xda0, &value), X_GP);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_come_in_the_manuals_order),
        cmocka_unit_test(supervisor_forms_need_ring_0),
        cmocka_unit_test(xcr0_takes_only_what_makes_sense),
        cmocka_unit_test(xgetbv_shows_what_is_enabled_and_what_is_in_use),
        cmocka_unit_test(compacted_components_follow_one_another),
        cmocka_unit_test(mxcsr_alone_makes_sse_in_use_when_compacted),
        cmocka_unit_test(xsaveopt_leaves_initial_components_alone),
        cmocka_unit_test(restored_is_what_was_saved),
        cmocka_unit_test(absent_components_become_initial),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(cpuid_leaf_0d_follows_xcr0),
        cmocka_unit_test(outside_64_bit_mode_there_are_eight_registers),
        cmocka_unit_test(xss_has_no_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
