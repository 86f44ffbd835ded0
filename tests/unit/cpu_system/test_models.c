/* Processor models: what CPUID shows is what their tables say. */
#include "fixture.h"

static const struct { uint32_t leaf; uint8_t subleaf, reg, bit; bool live; } places[CPU_FEATURE_COUNT] = {
#define FEATURE(name, leaf, subleaf, reg, bit, state) [CPU_##name] = { leaf, subleaf, reg, bit, state },
#define HAVE false
#define LACK false
#define LIVE true
#include "spec/x86/features.def"
#undef FEATURE
#undef HAVE
#undef LACK
#undef LIVE
};

static bool wants(const struct cpu_model *model, unsigned feature)
{
    for (unsigned n = 0; n < model->feature_count; n++) {
        if (model->features[n] == feature) {
            return true;
        }
    }
    return false;
}

/* What cpuid.c shows of a leaf's row whatever the machine is. */
static bool keeps_row(const struct cpu *cpu, const struct cpu_leaf *row)
{
    uint32_t out[4];

    cpu_cpuid(cpu, row->leaf, row->subleaf, out);
    return (out[0] & row->out[0]) == row->out[0] && (out[1] & row->out[1]) == row->out[1] &&
           (out[2] & row->out[2]) == row->out[2] && (out[3] & row->out[3]) == row->out[3];
}

static void cpuid_is_the_models_table(void **state)
{
    (void)state;
    for (unsigned i = 0; cpu_model_at(i); i++) {
        const struct cpu_model *model = cpu_model_at(i);
        struct fixture *f = fixture_new(1);
        uint32_t out[4];
        fixture_model(f, model->name, true);
        for (unsigned n = 1; n < CPU_FEATURE_COUNT; n++) {
            bool offered = wants(model, n) && cpu_feature_is_implemented((enum cpu_feature)n);
            cpu_cpuid(f->cpu, places[n].leaf, places[n].subleaf, out);
            bool beyond = places[n].leaf > (places[n].leaf >> 31 ? model->extended_max : model->basic_max);
            if (!places[n].live && !beyond && n != CPU_HTT && n != CPU_CMP_LEGACY &&
                offered != (out[places[n].reg] >> places[n].bit & 1)) {
                fail_msg("%s: %s is %s", model->name, cpu_feature_name((enum cpu_feature)n), offered ? "missing" : "shown");
            }
            assert_false(beyond && offered);
            assert_false(places[n].live && wants(model, n));
        }
        for (unsigned n = 0; n < model->leaf_count; n++) {
            assert_true(keeps_row(f->cpu, &model->leaves[n]));
        }
        cpu_cpuid(f->cpu, 0, 0, out);
        assert_int_equal(out[0], model->basic_max);
        cpu_cpuid(f->cpu, 1, 0, out);
        assert_int_equal(out[0], model->signature);
        cpu_cpuid(f->cpu, 0x80000000, 0, out);
        assert_int_equal(out[0], model->extended_max);
        cpu_cpuid(f->cpu, 0x80000008, 0, out);
        assert_int_equal(out[0] & 0xff, model->physical_bits);
        fixture_free(f);
    }
}

static void nothing_a_model_wants_is_masked(void **state)
{
    (void)state;
    for (unsigned i = 0; cpu_model_at(i); i++) {
        const struct cpu_model *model = cpu_model_at(i);
        struct fixture *f = fixture_new(1);
        fixture_model(f, model->name, true);
        for (unsigned n = 0; n < model->feature_count; n++) {
            if (!cpu_has(f->cpu, (enum cpu_feature)model->features[n])) {
                fail_msg("%s lacks %s", model->name, cpu_feature_name((enum cpu_feature)model->features[n]));
            }
        }
        fixture_free(f);
    }
}

static void no_hypervisor_is_claimed(void **state)
{
    (void)state;
    for (unsigned i = 0; cpu_model_at(i); i++) {
        struct fixture *f = fixture_new(1);
        uint32_t out[4], top[4];
        fixture_model(f, cpu_model_at(i)->name, true);
        cpu_cpuid(f->cpu, 1, 0, out);
        assert_false(out[2] >> 31);
        memset(top, 0, sizeof top);
        if (!cpu_is_amd(f->cpu)) {
            cpu_cpuid(f->cpu, cpu_model_at(i)->basic_max, 0, top);
        }
        cpu_cpuid(f->cpu, 0x40000000, 0, out);
        assert_memory_equal(out, top, sizeof out);
        fixture_free(f);
    }
}

static void the_command_line_changes_a_model(void **state)
{
    struct fixture *f = fixture_new(1);
    char error[256];
    uint32_t out[4];

    (void)state;
    fixture_model(f, "e5,-pcid,-Smap,phys-bits=36", true);
    assert_false(cpu_has(f->cpu, CPU_PCID) || cpu_has(f->cpu, CPU_SMAP));
    assert_true(cpu_has(f->cpu, CPU_SMEP) && cpu_has(f->cpu, CPU_VMX));
    cpu_cpuid(f->cpu, 1, 0, out);
    assert_false(out[2] >> 17 & 1);
    cpu_cpuid(f->cpu, 0x80000008, 0, out);
    assert_int_equal(out[0] & 0xff, 36);
    fixture_model(f, "e5", false);
    assert_false(cpu_has(f->cpu, CPU_VMX));
    static const char *const bad[] = { "", "e", "e55", "e5,", "e5,smap", "e5,-", "e5,+nonsense", "e5,+OSXSAVE", "e5,phys-bits=64",
                                       "e5,phys-bits=", "e5,phys-bits=35" };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(cpu_model_apply(&f->machine, bad[i], true, error, sizeof error));
    }
    fixture_free(f);
}

/* SYSCALL from compatibility mode: AMD goes to CSTAR, Intel has no such instruction there; SYSENTER the other way round. */
static void vendors_differ_in_fast_system_calls(void **state)
{
    (void)state;
    for (unsigned amd = 0; amd < 2; amd++) {
        struct fixture *f = fixture_new(1);
        const struct sys_insn insn = { .length = 2, .operand_size = 4, .next_rip = 0x1002 };
        fixture_model(f, amd ? "amd-v3" : "intel-v3", false);
        fixture_long_mode(f, 3);
        f->cpu->efer |= EFER_SCE;
        f->cpu->seg[CS].rights = (f->cpu->seg[CS].rights & ~(uint32_t)SEG_L) | SEG_DB;
        cpu_update_mode(f->cpu);
        f->cpu->msr.star = (uint64_t)SEL_CODE0 << 32;
        f->cpu->msr.cstar = 0x123456789000;
        f->cpu->msr.sysenter_cs = SEL_CODE0;
        assert_int_equal(sys_syscall(f->cpu, &insn), amd ? EXEC_JUMP : EXEC_FAULT);
        if (amd) {
            assert_int_equal(f->cpu->rip, 0x123456789000);
            assert_int_equal(f->cpu->gpr[RCX], 0x1002);
            assert_true(f->cpu->mode & MODE_LONG64 && cpu_cpl(f->cpu) == 0);
        } else {
            assert_int_equal(f->cpu->fault.vector, X_UD);
        }
        assert_int_equal(sys_sysenter(f->cpu, &insn), amd ? EXEC_FAULT : EXEC_JUMP);
        fixture_free(f);
    }
}

/* Outside long mode AMD's SYSCALL takes EIP from STAR and clears IF; SYSRET sets it. */
static void amd_has_syscall_in_legacy_mode(void **state)
{
    struct fixture *f = fixture_new(1);
    const struct sys_insn insn = { .length = 2, .operand_size = 4, .next_rip = 0x1002 };

    (void)state;
    fixture_model(f, "amd-v2", false);
    fixture_protected_mode(f, 3);
    assert_int_equal(sys_syscall(f->cpu, &insn), EXEC_FAULT); /* EFER.SCE is clear */
    f->cpu->efer |= EFER_SCE;
    f->cpu->msr.star = 0x89abcdef | (uint64_t)SEL_CODE0 << 32 | (uint64_t)SEL_CODE3 << 48;
    f->cpu->rflags_rest |= RFLAGS_IF;
    assert_int_equal(sys_syscall(f->cpu, &insn), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, 0x89abcdef);
    assert_false(f->cpu->rflags_rest & RFLAGS_IF);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    assert_int_equal(sys_sysret(f->cpu, &insn), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, 0x1002);
    assert_true(f->cpu->rflags_rest & RFLAGS_IF && cpu_cpl(f->cpu) == 3);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpuid_is_the_models_table),
        cmocka_unit_test(nothing_a_model_wants_is_masked),
        cmocka_unit_test(no_hypervisor_is_claimed),
        cmocka_unit_test(the_command_line_changes_a_model),
        cmocka_unit_test(vendors_differ_in_fast_system_calls),
        cmocka_unit_test(amd_has_syscall_in_legacy_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
