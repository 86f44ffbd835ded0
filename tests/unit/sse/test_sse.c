/* SSE semantics worked by hand from the manual; the oracles add the millions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/sse/sse.h"

enum { MASKED = 0x1f80, OSXMMEXCPT = 1 << 10 };
enum { SNAN = 0x7f800001, QNAN = 0x7fc00005, DEFAULT_NAN = 0xffc00000, INF = 0x7f800000,
       ONE = 0x3f800000, TWO = 0x40000000, LARGEST = 0x7f7fffff, TINY = 0x00000001 };

static uint64_t status_flags;

enum exec_result cpu_raise(struct cpu *cpu, unsigned vector)
{
    cpu->fault.vector = (uint8_t)vector;
    return EXEC_FAULT;
}

void cpu_set_status_flags(struct cpu *cpu, uint64_t flags)
{
    (void)cpu;
    status_flags = flags;
}

/* Processor pieces that MASKMOVDQU would use; not called here. */
enum exec_result cpu_linear(struct cpu *c, unsigned s, uint64_t ea, unsigned n, enum access_kind k, uint64_t *l)
{
    (void)c, (void)s, (void)n, (void)k;
    *l = ea;
    return EXEC_OK;
}
static uint64_t refused_page; /* writes and probes of this page fault */
static uint8_t written[64];
static unsigned write_count;
enum exec_result mmu_fill(struct cpu *c, uint64_t linear, unsigned size, enum access_kind k, uint8_t **host, uint64_t *spa)
{
    (void)c, (void)k, (void)host, (void)spa;
    return (linear + size - 1) / 4096 == refused_page ? EXEC_FAULT : EXEC_OK;
}
enum exec_result cpu_write(struct cpu *c, uint64_t linear, const void *from, unsigned size)
{
    (void)c;
    memcpy(written + linear % 64, from, size);
    write_count++;
    return EXEC_OK;
}

struct row {
    const char *claim;
    ssef_fn *fn;
    uint32_t mxcsr, a, b, result, flags;
};

static const struct row rows[] = {
    { "first operand's NaN wins", sse_addss, MASKED, QNAN, QNAN + 1, QNAN, 0 },
    { "a signalling NaN is made quiet", sse_addss, MASKED, ONE, SNAN, SNAN | 0x400000, MXCSR_IE },
    { "a quiet first operand wins over a signalling second", sse_mulss, MASKED, QNAN, SNAN, QNAN, MXCSR_IE },
    { "inf - inf is the default NaN", sse_subss, MASKED, INF, INF, DEFAULT_NAN, MXCSR_IE },
    { "0 * inf is the default NaN", sse_mulss, MASKED, 0, INF, DEFAULT_NAN, MXCSR_IE },
    { "0 / 0 is the default NaN", sse_divss, MASKED, 0, 0, DEFAULT_NAN, MXCSR_IE },
    { "1 / 0 is infinity", sse_divss, MASKED, ONE, 0, INF, MXCSR_ZE },
    { "1 / -0 is minus infinity", sse_divss, MASKED, ONE, 0x80000000, INF | 0x80000000, MXCSR_ZE },
    { "NaN / 0 raises nothing", sse_divss, MASKED, QNAN, 0, QNAN, 0 },
    { "a denormal operand shows", sse_addss, MASKED, TINY, ONE, ONE, MXCSR_DE | MXCSR_PE },
    { "DAZ hides it", sse_addss, MASKED | MXCSR_DAZ, TINY, ONE, ONE, 0 },
    { "DAZ keeps the sign", sse_mulss, MASKED | MXCSR_DAZ, 0x80000001, ONE, 0x80000000, 0 },
    { "x - x is +0", sse_subss, MASKED, ONE, ONE, 0, 0 },
    { "x - x is -0 when rounding down", sse_subss, MASKED | ROUND_DOWN << 13, ONE, ONE, 0x80000000, 0 },
    { "overflow to infinity", sse_mulss, MASKED, LARGEST, TWO, INF, MXCSR_OE | MXCSR_PE },
    { "overflow to the largest towards zero", sse_mulss, MASKED | ROUND_ZERO << 13, LARGEST, TWO, LARGEST,
      MXCSR_OE | MXCSR_PE },
    { "negative overflow rounding up", sse_mulss, MASKED | ROUND_UP << 13, LARGEST | 0x80000000, TWO,
      LARGEST | 0x80000000, MXCSR_OE | MXCSR_PE },
    { "underflow to a denormal", sse_mulss, MASKED, 0x00800001, 0x3f000000, 0x00400000, MXCSR_UE | MXCSR_PE },
    { "an exact denormal is no underflow", sse_mulss, MASKED, 0x00800000, 0x3f000000, 0x00400000, 0 },
    { "FTZ flushes it", sse_mulss, MASKED | MXCSR_FTZ, 0x00800000, 0x3f000000, 0, MXCSR_UE | MXCSR_PE },
    { "tininess is seen after rounding", sse_mulss, MASKED, 0x00ffffff, 0x3f000000, 0x00800000,
      MXCSR_UE | MXCSR_PE },
    { "sqrt(-1) is the default NaN", sse_sqrtss, MASKED, 0, 0xbf800000, DEFAULT_NAN, MXCSR_IE },
    { "sqrt(-0) is -0", sse_sqrtss, MASKED, 0, 0x80000000, 0x80000000, 0 },
    { "sqrt(2) is inexact", sse_sqrtss, MASKED, 0, TWO, 0x3fb504f3, MXCSR_PE },
    { "min of zeros is the second", sse_minss, MASKED, 0, 0x80000000, 0x80000000, 0 },
    { "max of a NaN is the second", sse_maxss, MASKED, QNAN, ONE, ONE, MXCSR_IE },
    { "min with a NaN second is that NaN, unquieted", sse_minss, MASKED, ONE, SNAN, SNAN, MXCSR_IE },
    { "1/3 rounded up", sse_divss, MASKED | ROUND_UP << 13, ONE, 0x40400000, 0x3eaaaaab, MXCSR_PE },
    { "1/3 rounded down", sse_divss, MASKED | ROUND_DOWN << 13, ONE, 0x40400000, 0x3eaaaaaa, MXCSR_PE },
    { "an integer beyond 24 bits rounds to even", sse_cvtsi2ss, MASKED, 0, 0x1000001, 0x4b800000, MXCSR_PE },
};

static void results_and_flags_are_the_manuals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        /* with PE clear (the exact path) and set (where the short cut may be taken) */
        for (unsigned sticky = 0; sticky <= MXCSR_PE; sticky += MXCSR_PE) {
            struct cpu cpu = { .mxcsr = r->mxcsr | sticky };
            union xmm dst = { .u32 = { r->a, 7, 8, 9 } }, src = { .u32 = { r->b } };
            int done = r->fn(&cpu, &dst, &src, 0);
            if (done != EXEC_OK || dst.u32[0] != r->result || (cpu.mxcsr ^ r->mxcsr) != (r->flags | sticky)) {
                fail_msg("%s: result %08x (%08x), flags %02x (%02x)", r->claim, dst.u32[0], r->result,
                         cpu.mxcsr ^ r->mxcsr, r->flags | sticky);
            }
            assert_int_equal(dst.u32[1], 7);
            assert_int_equal(dst.u32[3], 9);
        }
    }
}

static void an_unmasked_exception_changes_only_mxcsr(void **state)
{
    (void)state;
    struct cpu cpu = { .mxcsr = MASKED & ~(MXCSR_ZE << MXCSR_MASK_SHIFT), .cr4 = OSXMMEXCPT };
    union xmm dst = { .u32 = { ONE, ONE, ONE, ONE } }, src = { .u32 = { 0x40400000, 0, TWO, TWO } };
    assert_int_equal(sse_divps(&cpu, &dst, &src, 0), EXEC_FAULT);
    assert_int_equal(cpu.fault.vector, X_XM);
    assert_int_equal(dst.u32[0], ONE);
    /* 1/3's inexactness in the other element comes after ZE and does not show */
    assert_int_equal(cpu.mxcsr & MXCSR_FLAGS, MXCSR_ZE);
}

static void inexact_is_reported_again_while_unmasked(void **state)
{
    (void)state;
    struct cpu cpu = { .mxcsr = (MASKED & ~MXCSR_PM) | MXCSR_PE, .cr4 = OSXMMEXCPT };
    union xmm dst = { .u32 = { ONE } }, src = { .u32 = { 0x40400000 } };
    assert_int_equal(sse_divss(&cpu, &dst, &src, 0), EXEC_FAULT);
    assert_int_equal(dst.u32[0], ONE);
}

static void without_osxmmexcpt_it_is_an_undefined_opcode(void **state)
{
    (void)state;
    struct cpu cpu = { .mxcsr = MASKED & ~(MXCSR_PE << MXCSR_MASK_SHIFT) };
    union xmm dst = { .u32 = { ONE } }, src = { .u32 = { 0x40400000 } };
    assert_int_equal(sse_divss(&cpu, &dst, &src, 0), EXEC_FAULT);
    assert_int_equal(cpu.fault.vector, X_UD);
}

static void compares_set_zf_pf_cf(void **state)
{
    static const struct { uint32_t a, b; uint64_t flags; } cases[] = {
        { ONE, TWO, 0x01 }, { TWO, ONE, 0x00 }, { ONE, ONE, 0x40 }, { 0, 0x80000000, 0x40 },
        { QNAN, ONE, 0x45 }, { ONE, QNAN, 0x45 }, { 0xbf800000, ONE, 0x01 }, { 0x80000000, TINY, 0x01 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cpu cpu = { .mxcsr = MASKED };
        union xmm dst = { .u32 = { cases[i].a } }, src = { .u32 = { cases[i].b } };
        assert_int_equal(sse_ucomiss(&cpu, &dst, &src, 0), EXEC_OK);
        assert_int_equal(status_flags, cases[i].flags);
        bool quiet_nan = cases[i].flags == 0x45;
        assert_int_equal(cpu.mxcsr & MXCSR_IE, 0);
        assert_int_equal(sse_comiss(&cpu, &dst, &src, 0), EXEC_OK);
        assert_int_equal(cpu.mxcsr & MXCSR_IE, quiet_nan ? MXCSR_IE : 0);
    }
}

static void conversions_out_of_range_are_indefinite(void **state)
{
    static const struct { uint64_t a, result; uint32_t flags; } cases[] = {
        { 0x41dfffffffc00000, 0x7fffffff, 0 },          /* 2147483647 */
        { 0x41e0000000000000, 0x80000000, MXCSR_IE },   /* 2147483648 */
        { 0xc1e0000000000000, 0x80000000, 0 },          /* -2147483648 */
        { 0xc1e0000000200000, 0x80000000, MXCSR_IE },   /* -2147483649 */
        { 0x7ff8000000000000, 0x80000000, MXCSR_IE },
        { 0x3fdfffffffffffff, 0, MXCSR_PE },            /* just below a half */
        { 0x3ff8000000000000, 2, MXCSR_PE },            /* 1.5 to even */
        { 0x4004000000000000, 2, MXCSR_PE },            /* 2.5 to even */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cpu cpu = { .mxcsr = MASKED };
        union xmm dst = { .u64 = { 0 } }, src = { .u64 = { cases[i].a } };
        assert_int_equal(sse_cvtsd2si(&cpu, &dst, &src, 0), EXEC_OK);
        assert_int_equal(dst.u64[0], cases[i].result);
        assert_int_equal(cpu.mxcsr & MXCSR_FLAGS, cases[i].flags);
    }
}

static float as_float(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* SDM Vol 2 "RCPPS", "RSQRTPS": |relative error| <= 1.5 * 2^-12. */
static void approximations_keep_the_manuals_bound(void **state)
{
    const double bound = 1.5 / 4096;
    (void)state;
    for (uint64_t bits = 0x00800000; bits < 0x7e800000; bits += 9973) {
        double x = as_float((uint32_t)bits);
        double rcp = as_float(f32_rcp((uint32_t)bits)) * x;
        double rsqrt = as_float(f32_rsqrt((uint32_t)bits)) * sqrt(x);
        assert_true(fabs(rcp - 1) <= bound);
        assert_true(fabs(rsqrt - 1) <= bound);
    }
    assert_int_equal(f32_rcp(0x80000000), INF | 0x80000000u);
    assert_int_equal(f32_rcp(TINY), INF);
    assert_int_equal(f32_rcp(LARGEST), 0);
    assert_int_equal(f32_rsqrt(0xbf800000), DEFAULT_NAN);
    assert_int_equal(f32_rsqrt(0x80000000), INF | 0x80000000u);
    assert_int_equal(f32_rcp(SNAN), SNAN | 0x400000);
}

static void shift_counts_beyond_the_element_clear_or_fill(void **state)
{
    (void)state;
    union xmm v = { .u64 = { 0x8000000180000001, 0x7fffffff00000001 } }, by = { .u64 = { 1ull << 32, 5 } };
    union xmm a = v;
    sse_psrld(NULL, &a, &by, 0);
    assert_true(a.u64[0] == 0 && a.u64[1] == 0);
    a = v;
    sse_psrad(NULL, &a, &by, 0);
    assert_true(a.u64[0] == UINT64_MAX && a.u64[1] == 0);
    a = v;
    sse_psrldq(NULL, &a, &v, 15);
    assert_true(a.u64[0] == 0x7f && a.u64[1] == 0);
    a = v;
    sse_pslldq(NULL, &a, &v, 16);
    assert_true(a.u64[0] == 0 && a.u64[1] == 0);
}

static void maskmovdqu_writes_selected_bytes_or_nothing(void **state)
{
    (void)state;
    struct cpu cpu = { .gpr[RDI] = 0x1ff8 };
    struct sys_insn insn = { .reg = 1, .rm = 2, .address_size = 8, .segment = DS };
    cpu.xmm[1] = (union xmm){ .u64 = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
    cpu.xmm[2] = (union xmm){ .u8 = { [0] = 0x80, [7] = 0xff, [8] = 0x7f } };
    refused_page = 3;
    assert_int_equal(sys_maskmovdqu(&cpu, &insn), EXEC_OK);
    assert_int_equal(write_count, 2);
    assert_int_equal(written[0x3f], 7);
    refused_page = 2; /* of bytes that are not selected */
    assert_int_equal(sys_maskmovdqu(&cpu, &insn), EXEC_FAULT);
    assert_int_equal(write_count, 2);
    cpu.xmm[2] = (union xmm){ .u64 = { 0, 0x7f } }; /* none selected */
    assert_int_equal(sys_maskmovdqu(&cpu, &insn), EXEC_FAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_and_flags_are_the_manuals),
        cmocka_unit_test(an_unmasked_exception_changes_only_mxcsr),
        cmocka_unit_test(inexact_is_reported_again_while_unmasked),
        cmocka_unit_test(without_osxmmexcpt_it_is_an_undefined_opcode),
        cmocka_unit_test(compares_set_zf_pf_cf),
        cmocka_unit_test(conversions_out_of_range_are_indefinite),
        cmocka_unit_test(approximations_keep_the_manuals_bound),
        cmocka_unit_test(shift_counts_beyond_the_element_clear_or_fill),
        cmocka_unit_test(maskmovdqu_writes_selected_bytes_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
