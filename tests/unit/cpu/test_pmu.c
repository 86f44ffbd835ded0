/* Performance counters on the running core. */
#include <string.h>

#include "fixture.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/model/model.h"
#include "sim/cpu/system/pmu.h"

enum { MSR_PMC0 = 0xc1, MSR_SELECT0 = 0x186, MSR_LBR_TOS = 0x1c9, MSR_DEBUGCTL = 0x1d9, MSR_FIXED0 = 0x309, MSR_FIXED_CTRL = 0x38d,
       MSR_STATUS = 0x38e, MSR_GLOBAL = 0x38f, MSR_OVF_CTRL = 0x390, MSR_A_PMC0 = 0x4c1, MSR_LBR_FROM = 0x680, MSR_LBR_TO = 0x6c0,
       MSR_AMD_CTL0 = 0xc0010200, MSR_AMD_CTR0 = 0xc0010201, MSR_AMD_OLD_CTR0 = 0xc0010004 };
enum { EN = 1 << 22, INT = 1 << 20, OS = 1 << 17, USR = 1 << 16, INSTRUCTIONS = 0xc0, BRANCHES = 0xc4, MISPREDICTS = 0xc5, CYCLES = 0x3c };
enum { STOP_OFFSET = 5 };

/* 3 + 100 * 4 instructions and HLT; 100 branches, 99 of them taken. */
GUEST(loop, "mov $100, %ecx\n nop\n nop\n 1: nop\n nop\n dec %ecx\n jnz 1b");
GUEST(jumps, "call 1f\n 1: pop %rax\n jmp 2f\n nop\n 2: nop");

static struct fixture *bench(const char *model, bool timed)
{
    struct fixture *f = fixture_new(timed);
    char error[200];

    assert_true(cpu_model_apply(&f->machine, model, false, error, sizeof error));
    pmu_reset(f->cpu);
    return f;
}

static void wr(struct fixture *f, uint32_t msr, uint64_t value)
{
    if (cpu_wrmsr(f->cpu, msr, value) != EXEC_OK) {
        fail_msg("WRMSR %x faults", msr);
    }
}

static uint64_t rd(struct fixture *f, uint32_t msr)
{
    uint64_t value = 0;
    assert_int_equal(cpu_rdmsr(f->cpu, msr, &value), EXEC_OK);
    return value;
}

static void count(struct fixture *f, unsigned n, unsigned event, uint64_t flags, uint64_t from)
{
    wr(f, MSR_A_PMC0 + n, from & PMU_MASK);
    wr(f, MSR_SELECT0 + n, event | flags | EN);
}

static void instructions_and_branches_are_exact(void **state)
{
    (void)state;
    for (unsigned timed = 0; timed < 2; timed++) {
        struct fixture *f = bench("intel-v3", timed);
        LOAD(f, loop);
        count(f, 0, INSTRUCTIONS, OS, 0);
        count(f, 1, BRANCHES, OS, 0);
        count(f, 2, BRANCHES, USR, 0);
        count(f, 3, CYCLES, OS, 0);
        wr(f, MSR_FIXED_CTRL, 1);
        wr(f, MSR_GLOBAL, 0xf | 1ull << 32);
        uint64_t before = f->cpu->now;
        fixture_run(f);
        assert_int_equal(rd(f, MSR_PMC0), 404);
        assert_int_equal(rd(f, MSR_FIXED0), 404);
        assert_int_equal(rd(f, MSR_PMC0 + 1), 100);
        assert_int_equal(rd(f, MSR_PMC0 + 2), 0);
        assert_int_equal(rd(f, MSR_PMC0 + 3), f->cpu->now - before - f->cpu->halted);
        fixture_free(f);
    }
}

static void functional_timing_mispredicts_nothing(void **state)
{
    (void)state;
    uint32_t out[4];
    for (unsigned timed = 0; timed < 2; timed++) {
        struct fixture *f = bench("intel-v3", timed);
        LOAD(f, loop);
        cpu_cpuid(f->cpu, 0xa, 0, out);
        assert_int_equal(out[1], 0); /* every architectural event is available */
        count(f, 0, MISPREDICTS, OS, 0);
        wr(f, MSR_GLOBAL, 1);
        fixture_run(f);
        assert_int_equal(rd(f, MSR_PMC0) > 0, timed);
        fixture_free(f);
    }
}

static void an_overflow_stops_at_the_very_instruction(void **state)
{
    (void)state;
    struct fixture *f = bench("intel-v3", false);
    LOAD(f, loop);
    count(f, 0, INSTRUCTIONS, OS | INT, 0ull - 203); /* 3, and 50 rounds */
    wr(f, MSR_GLOBAL, 1);
    f->cpu->gpr[RCX] = 0;
    uint64_t from = f->cpu->now;
    cpu_run(f->cpu, from + 203);
    assert_int_equal(f->cpu->gpr[RCX], 50);
    assert_int_equal(rd(f, MSR_STATUS), 1);
    assert_int_equal(rd(f, MSR_PMC0), 0);
    wr(f, MSR_OVF_CTRL, 1);
    assert_int_equal(rd(f, MSR_STATUS), 0);
    fixture_free(f);
}

static void freezing_on_pmi_stops_counters_and_records(void **state)
{
    (void)state;
    struct fixture *f = bench("intel-v3", false);
    LOAD(f, loop);
    wr(f, MSR_DEBUGCTL, 0x1801);
    count(f, 0, INSTRUCTIONS, OS | INT, 0ull - 100);
    count(f, 1, INSTRUCTIONS, OS, 0);
    wr(f, MSR_GLOBAL, 3);
    fixture_run(f);
    assert_int_equal(rd(f, MSR_GLOBAL), 0);
    assert_int_equal(rd(f, MSR_DEBUGCTL), 0x1800);
    assert_int_equal(rd(f, MSR_PMC0 + 1), 100);
    fixture_free(f);
}

static void records_are_the_latest_taken_branches(void **state)
{
    (void)state;
    struct fixture *f = bench("intel-v3", false);
    LOAD(f, jumps);
    wr(f, MSR_DEBUGCTL, 1);
    fixture_run(f);
    uint64_t tos = rd(f, MSR_LBR_TOS);
    assert_int_equal(tos, 2);
    assert_int_equal(rd(f, MSR_LBR_FROM + 1), FIX_CODE);
    assert_int_equal(rd(f, MSR_LBR_TO + 1), FIX_CODE + STOP_OFFSET);
    assert_int_equal(rd(f, MSR_LBR_FROM + 2), FIX_CODE + STOP_OFFSET + 1);
    assert_int_equal(rd(f, MSR_LBR_TO + 2), FIX_CODE + STOP_OFFSET + 4);
    fixture_free(f);
}

static void amds_counters_are_six_of_which_four_have_an_old_place(void **state)
{
    (void)state;
    struct fixture *f = bench("amd-v3", false);
    uint64_t value;
    LOAD(f, loop);
    wr(f, MSR_AMD_CTL0, INSTRUCTIONS | OS | EN);
    wr(f, MSR_AMD_CTL0 + 2, 0xc4 | OS | EN); /* taken branches */
    fixture_run(f);
    assert_int_equal(rd(f, MSR_AMD_CTR0), 404);
    assert_int_equal(rd(f, MSR_AMD_OLD_CTR0), 404);
    assert_int_equal(rd(f, MSR_AMD_CTR0 + 2), 99);
    assert_true(pmu_read_by_number(f->cpu, 5, &value));
    assert_false(pmu_read_by_number(f->cpu, 6, &value));
    assert_int_equal(cpu_rdmsr(f->cpu, MSR_GLOBAL, &value), EXEC_FAULT);
    fixture_free(f);
}

static void registers_refuse_what_is_reserved(void **state)
{
    static const struct { uint32_t msr; uint64_t value; } bad[] = {
        { MSR_A_PMC0, 1ull << 48 }, { MSR_FIXED0, 1ull << 48 }, { MSR_GLOBAL, 0x10 }, { MSR_GLOBAL, 1ull << 35 }, { MSR_FIXED_CTRL, 0x1000 },
        { MSR_SELECT0, 1ull << 32 }, { MSR_SELECT0 + 4, 0 }, { MSR_PMC0 + 4, 0 }, { MSR_STATUS, 0 }, { MSR_OVF_CTRL, 0x10 },
    };
    (void)state;
    struct fixture *f = bench("intel-v3", false);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (cpu_wrmsr(f->cpu, bad[i].msr, bad[i].value) != EXEC_FAULT) {
            fail_msg("MSR %x takes %llx", bad[i].msr, (unsigned long long)bad[i].value);
        }
    }
    wr(f, MSR_PMC0, 0x1280000000);
    assert_int_equal(rd(f, MSR_A_PMC0), 0xffff80000000);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instructions_and_branches_are_exact), cmocka_unit_test(functional_timing_mispredicts_nothing),
        cmocka_unit_test(an_overflow_stops_at_the_very_instruction), cmocka_unit_test(freezing_on_pmi_stops_counters_and_records),
        cmocka_unit_test(records_are_the_latest_taken_branches), cmocka_unit_test(amds_counters_are_six_of_which_four_have_an_old_place),
        cmocka_unit_test(registers_refuse_what_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
