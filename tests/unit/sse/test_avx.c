/* AVX, FMA and F16C worked by hand from the manual; the oracles add the millions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/avx/avx.h"
#include "sim/cpu/sse/ieee.h"
#include "x86/sys_functions.h"

enum { MASKED = 0x1f80, OSXMMEXCPT = 1 << 10 };
enum { SNAN = 0x7f800001, QNAN = 0x7fc00005, DEFAULT_NAN = 0xffc00000, INF = 0x7f800000, MINUS = 1u << 31,
       ONE = 0x3f800000, TWO = 0x40000000, LARGEST = 0x7f7fffff, TINY = 0x00000001, SMALLEST = 0x00800000 };

/* --- what the functions need of a processor -------------------------------------------- */

static uint64_t status_flags;
static uint8_t memory[4096];
static bool read_only;

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
enum exec_result cpu_linear(struct cpu *c, unsigned s, uint64_t ea, unsigned n, enum access_kind k, uint64_t *l)
{
    (void)s, (void)k;
    *l = ea;
    return ea + n <= sizeof memory ? EXEC_OK : cpu_raise(c, X_GP);
}
enum exec_result mmu_fill(struct cpu *c, uint64_t linear, unsigned size, enum access_kind k, uint8_t **host, uint64_t *spa)
{
    (void)linear, (void)size, (void)host, (void)spa;
    return k == ACCESS_WRITE && read_only ? cpu_raise(c, X_PF) : EXEC_OK;
}
enum exec_result cpu_read(struct cpu *c, uint64_t linear, void *to, unsigned size)
{
    (void)c;
    memcpy(to, memory + linear, size);
    return EXEC_OK;
}
enum exec_result cpu_write(struct cpu *c, uint64_t linear, const void *from, unsigned size)
{
    (void)c;
    memcpy(memory + linear, from, size);
    return EXEC_OK;
}

/* --- fused multiply-add ------------------------------------------------------------------- */

static void fma_rounds_once_and_follows_the_manuals_tables(void **state)
{
    static const struct { const char *claim; uint32_t mxcsr, a, b, c; unsigned negate; uint32_t result, flags; } rows[] = {
        { "nothing is lost before the sum", MASKED, 0x3f800800, 0x3f800800, 0x3f801000, IEEE_NEGATE_ADDEND, 0x33800000, 0 },
        { "the product alone would overflow", MASKED, LARGEST, TWO, LARGEST, IEEE_NEGATE_ADDEND, LARGEST, 0 },
        { "inexact sums show", MASKED, ONE, ONE, TINY, 0, ONE, MXCSR_DE | MXCSR_PE },
        { "a far addend decides a directed rounding", MASKED | ROUND_UP << 13, ONE, ONE, SMALLEST, 0, ONE + 1, MXCSR_PE },
        { "a far product too", MASKED | ROUND_DOWN << 13, SMALLEST, MINUS | ONE, ONE, 0, ONE - 1, MXCSR_PE },
        { "x - x is +0", MASKED, ONE, ONE, ONE, IEEE_NEGATE_ADDEND, 0, 0 },
        { "x - x is -0 when rounding down", MASKED | ROUND_DOWN << 13, ONE, ONE, ONE, IEEE_NEGATE_ADDEND, MINUS, 0 },
        { "-0 + -0 is -0", MASKED, 0, MINUS | ONE, MINUS, 0, MINUS, 0 },
        { "0 * x + c is c", MASKED, 0, ONE, TWO, 0, TWO, 0 },
        { "inf * 0 is invalid", MASKED, INF, 0, ONE, 0, DEFAULT_NAN, MXCSR_IE },
        { "inf * 0 + NaN is the NaN", MASKED, INF, 0, QNAN, 0, QNAN, 0 },
        { "inf - inf is invalid", MASKED, INF, ONE, INF, IEEE_NEGATE_ADDEND, DEFAULT_NAN, MXCSR_IE },
        { "inf + inf is not", MASKED, INF, ONE, INF, 0, INF, 0 },
        { "the multiplicand's NaN comes first", MASKED, QNAN, QNAN + 1, QNAN + 2, 0, QNAN, 0 },
        { "then the multiplier's", MASKED, ONE, QNAN + 1, QNAN + 2, 0, QNAN + 1, 0 },
        { "then the addend's", MASKED, ONE, ONE, SNAN, 0, SNAN | 0x400000, MXCSR_IE },
        { "negation leaves NaNs alone", MASKED, QNAN, ONE, ONE, IEEE_NEGATE_PRODUCT | IEEE_NEGATE_ADDEND, QNAN, 0 },
        { "-(a * b) - c", MASKED, ONE, TWO, ONE, IEEE_NEGATE_PRODUCT | IEEE_NEGATE_ADDEND, MINUS | 0x40400000, 0 },
        { "tiny results underflow", MASKED, SMALLEST, 0x3f000001, 0, 0, 0x00400000, MXCSR_UE | MXCSR_PE },
        { "DAZ reads denormals as zeros", MASKED | MXCSR_DAZ, TINY, ONE, ONE, 0, ONE, 0 },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ieee_env env = { .mxcsr = rows[i].mxcsr };
        uint32_t result = f32_fma(&env, rows[i].a, rows[i].b, rows[i].c, rows[i].negate);
        if (result != rows[i].result || env.flags != rows[i].flags) {
            fail_msg("%s: %08x flags %02x", rows[i].claim, result, env.flags);
        }
    }
}

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * 0x2545f4914f6cdd1d;
}

/* With PE set the host may do it; without, our own arithmetic does. */
static void the_hosts_fma_is_taken_only_where_it_agrees(void **state)
{
    uint64_t s = 0x9e3779b97f4a7c15;
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        struct ieee_env exact = { .mxcsr = MASKED }, quick = { .mxcsr = MASKED | MXCSR_PE };
        uint64_t a = (next(&s) & 0x83ffffffffffffff) | 0x3c00000000000000, b = (next(&s) & 0x83ffffffffffffff) | 0x3c00000000000000;
        uint64_t c = (next(&s) & 0x83ffffffffffffff) | 0x3c00000000000000;
        unsigned negate = next(&s) & 3;
        if (f64_fma(&exact, a, b, c, negate) != f64_fma(&quick, a, b, c, negate)) {
            fail_msg("%016lx * %016lx + %016lx (%u)", (unsigned long)a, (unsigned long)b, (unsigned long)c, negate);
        }
    }
}

/* --- half precision ------------------------------------------------------------------------------ */

static void halves_become_singles_exactly(void **state)
{
    static const struct { uint16_t half; uint32_t single, flags; } rows[] = {
        { 0x3c00, ONE, 0 }, { 0x8000, MINUS, 0 }, { 0x0001, 0x33800000, 0 }, { 0x03ff, 0x387fc000, 0 }, { 0x7bff, 0x477fe000, 0 },
        { 0xfc00, MINUS | INF, 0 }, { 0x7e01, 0x7fc02000, 0 }, { 0x7c01, 0x7fc02000, MXCSR_IE },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ieee_env env = { .mxcsr = MASKED | MXCSR_DAZ }; /* DAZ is for singles */
        assert_int_equal(f16_to_f32(&env, rows[i].half), rows[i].single);
        assert_int_equal(env.flags, rows[i].flags);
    }
}

static void singles_are_rounded_to_halves(void **state)
{
    static const struct { uint32_t mxcsr, single; uint16_t half; uint32_t flags; } rows[] = {
        { 0, ONE, 0x3c00, 0 }, { 0, 0x3f801000, 0x3c00, MXCSR_PE }, { 0, 0x3f803000, 0x3c02, MXCSR_PE },
        { ROUND_UP << 13, 0x3f800001, 0x3c01, MXCSR_PE }, { 0, 0x477fefff, 0x7bff, MXCSR_PE },
        { 0, 0x477ff000, 0x7c00, MXCSR_OE | MXCSR_PE }, { ROUND_ZERO << 13, 0x47800000, 0x7bff, MXCSR_OE | MXCSR_PE },
        { MXCSR_FTZ, 0x33800000, 0x0001, 0 }, { 0, 0x33000000, 0x0000, MXCSR_UE | MXCSR_PE },
        { 0, TINY, 0x0000, MXCSR_DE | MXCSR_UE | MXCSR_PE }, { MXCSR_DAZ, TINY, 0x0000, 0 }, { 0, SNAN, 0x7e00, MXCSR_IE },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ieee_env env = { .mxcsr = MASKED | rows[i].mxcsr };
        assert_int_equal(f32_to_f16(&env, rows[i].single), rows[i].half);
        assert_int_equal(env.flags, rows[i].flags);
    }
}

/* --- lanes ------------------------------------------------------------------------------------------ */

static struct cpu *processor(void)
{
    static struct cpu cpu;
    cpu = (struct cpu){ .mxcsr = MASKED, .cr4 = OSXMMEXCPT };
    for (unsigned i = 0; i < 16; i++) {
        cpu.xmm[i].u64[0] = cpu.xmm[i].u64[1] = i;
        cpu.ymm_high[i].u64[0] = cpu.ymm_high[i].u64[1] = 0x100 + i;
    }
    cpu.avx_from[0].u64[0] = 0x10;
    cpu.avx_from[1].u64[0] = 0x20;
    return &cpu;
}

static uint64_t operation(unsigned op, unsigned first, unsigned imm, bool wide)
{
    return op | (uint64_t)imm << AVX_IMM | (uint64_t)first << AVX_FIRST | (uint64_t)wide << AVX_WIDE;
}

static void one_lane_clears_the_other(void **state)
{
    struct cpu *c = processor();
    (void)state;
    assert_int_equal(avx_execute(c, 3, operation(AVX_OP_sse_paddq_vector, 5, 0, false)), EXEC_OK);
    assert_int_equal(c->xmm[3].u64[0], 0x15);
    assert_int_equal(c->xmm[3].u64[1], 5);
    assert_int_equal(c->ymm_high[3].u64[0] | c->ymm_high[3].u64[1], 0);
    assert_int_equal(avx_execute(c, 5, operation(AVX_OP_sse_paddq_vector, 5, 0, true)), EXEC_OK);
    assert_int_equal(c->xmm[5].u64[0], 0x15);
    assert_int_equal(c->ymm_high[5].u64[0], 0x125);
}

static void one_count_shifts_both_lanes(void **state)
{
    struct cpu *c = processor();
    (void)state;
    assert_int_equal(avx_execute(c, 1, operation(AVX_OP_sse_psllq_vector_shared, 2, 0, true)), EXEC_OK);
    assert_int_equal(c->xmm[1].u64[1], 2 << 0x10);
    assert_int_equal(c->ymm_high[1].u64[1], 0x102 << 0x10);
}

static void the_upper_lane_has_its_own_bits_of_the_immediate(void **state)
{
    struct cpu *c = processor();
    (void)state;
    c->avx_from[1].u64[1] = 0x21;
    assert_int_equal(avx_execute(c, 1, operation(AVX_OP_sse_shufpd_vector_2, 2, 8, true)), EXEC_OK); /* bit 3: last element */
    assert_int_equal(c->xmm[1].u64[1], 0x10);
    assert_int_equal(c->ymm_high[1].u64[1], 0x21);
}

static void an_exception_in_one_lane_stops_both(void **state)
{
    struct cpu *c = processor();
    (void)state;
    c->mxcsr = MASKED & ~(1u << 9); /* division by zero unmasked */
    for (unsigned i = 0; i < 4; i++) {
        c->xmm[2].u32[i] = c->ymm_high[2].u32[i] = ONE;
        c->avx_from[0].u32[i] = 0x40400000; /* 3: inexact */
        c->avx_from[1].u32[i] = 0;
    }
    assert_int_equal(avx_execute(c, 1, operation(AVX_OP_sse_divps_vector, 2, 0, true)), EXEC_FAULT);
    assert_int_equal(c->fault.vector, X_XM);
    assert_int_equal(c->xmm[1].u64[0], 1);
    assert_int_equal(c->mxcsr & MXCSR_FLAGS, MXCSR_ZE); /* found before the computation: PE does not show */
    c->cr4 = 0;
    assert_int_equal(avx_execute(c, 1, operation(AVX_OP_sse_divps_vector, 2, 0, true)), EXEC_FAULT);
    assert_int_equal(c->fault.vector, X_UD);
}

static void tests_look_at_all_lanes(void **state)
{
    struct cpu *c = processor();
    (void)state;
    memset(c->avx_from, 0, sizeof c->avx_from);
    c->avx_from[1].u64[1] = 0x107;
    avx_execute(c, 7, operation(AVX_OP_avx_ptest_flags, 0, 0, true));
    assert_int_equal(status_flags, 1); /* covered, not disjoint */
    avx_execute(c, 7, operation(AVX_OP_avx_ptest_flags, 0, 0, false));
    assert_int_equal(status_flags, 0x41);
    assert_int_equal(c->ymm_high[7].u64[1], 0x107);
}

/* --- memory ------------------------------------------------------------------------------------------ */



static void masked_moves_access_only_what_is_selected(void **state)
{
    struct cpu *c = processor();
    struct sys_insn insn = { .reg = 1, .vvvv = 2, .vex256 = true, .address_size = 8, .ea = sizeof memory - 8 };
    (void)state;
    memset(memory, 0x5a, sizeof memory);
    c->xmm[2] = (union xmm){ .u32 = { MINUS, 0, 0, 0 } };
    c->ymm_high[2] = (union xmm){ .u64 = { 0, 0 } };
    assert_int_equal(sys_vmaskmov_load_4(c, &insn), EXEC_OK); /* most of it lies beyond the end */
    assert_int_equal(c->xmm[1].u64[0], 0x5a5a5a5a);
    assert_int_equal(c->ymm_high[1].u64[0], 0);
    c->ymm_high[2].u32[3] = MINUS;
    assert_int_equal(sys_vmaskmov_load_4(c, &insn), EXEC_FAULT);
    insn.ea = 64;
    c->ymm_high[1].u64[1] = 77;
    read_only = true;
    assert_int_equal(sys_vmaskmov_store_8(c, &insn), EXEC_FAULT);
    read_only = false;
    assert_int_equal(sys_vmaskmov_store_8(c, &insn), EXEC_OK);
    assert_int_equal(memory[64 + 24], 77);
    assert_int_equal(memory[64], 0x5a);
}

static void a_gather_that_faults_keeps_what_it_has(void **state)
{
    struct cpu *c = processor();
    struct sys_insn insn = { .reg = 1, .vvvv = 2, .index = 3, .scale = 2, .address_size = 8 };
    (void)state;
    memset(memory, 0x33, sizeof memory);
    c->xmm[2] = (union xmm){ .u32 = { MINUS, 0, MINUS, MINUS } };
    c->xmm[3] = (union xmm){ .u32 = { 5, 0, sizeof memory, 6 } };
    assert_int_equal(sys_vgather_d4(c, &insn), EXEC_FAULT);
    assert_int_equal(c->xmm[1].u32[0], 0x33333333);
    assert_int_equal(c->xmm[2].u32[0], 0);
    assert_int_equal(c->xmm[2].u32[2], MINUS);
    c->xmm[3].u32[2] = 7;
    assert_int_equal(sys_vgather_d4(c, &insn), EXEC_OK);
    assert_int_equal(c->xmm[1].u32[3], 0x33333333);
    assert_int_equal(c->xmm[2].u64[0] | c->xmm[2].u64[1], 0);
    insn.index = 1;
    assert_int_equal(sys_vgather_d4(c, &insn), EXEC_FAULT);
    assert_int_equal(c->fault.vector, X_UD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fma_rounds_once_and_follows_the_manuals_tables),
        cmocka_unit_test(the_hosts_fma_is_taken_only_where_it_agrees),
        cmocka_unit_test(halves_become_singles_exactly),
        cmocka_unit_test(singles_are_rounded_to_halves),
        cmocka_unit_test(one_lane_clears_the_other),
        cmocka_unit_test(one_count_shifts_both_lanes),
        cmocka_unit_test(the_upper_lane_has_its_own_bits_of_the_immediate),
        cmocka_unit_test(an_exception_in_one_lane_stops_both),
        cmocka_unit_test(tests_look_at_all_lanes),
        cmocka_unit_test(masked_moves_access_only_what_is_selected),
        cmocka_unit_test(a_gather_that_faults_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
