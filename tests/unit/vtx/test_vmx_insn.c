/* VMX instructions: order of checks, every VMfail number, the VMCS life cycle. */
#include "vtx_bench.h"

#include <string.h>

static struct cpu *
cpu(void)
{
    return &bench.cpu;
}

static void
expect_fault(enum exec_result result, unsigned vector)
{
    assert_int_equal(result, EXEC_FAULT);
    assert_int_equal(cpu()->fault.vector, vector);
}

/* --- #UD and #GP ------------------------------------------------------------------------ */

static const uint16_t all_ops[] = {
    OP_VMXON, OP_VMXOFF, OP_VMCLEAR, OP_VMPTRLD, OP_VMPTRST, OP_VMREAD, OP_VMWRITE, OP_VMLAUNCH, OP_VMRESUME,
    OP_VMCALL, OP_INVEPT, OP_INVVPID, OP_VMFUNC,
};
enum { OP_COUNT_ALL = sizeof all_ops / sizeof all_ops[0] };

static void
everything_but_vmxon_is_undefined_outside_vmx_operation(void **state)
{
    (void)state;
    for (unsigned i = 1; i < OP_COUNT_ALL; i++) {
        expect_fault(bench_memory(all_ops[i], BENCH_VMCS, 0), X_UD);
    }
    cpu()->cr4 &= ~CR4_VMXE;
    expect_fault(bench_memory(OP_VMXON, BENCH_VMXON, 0), X_UD);
}

static void compatibility_mode(void) { cpu()->seg[CS].rights &= ~(uint32_t)SEG_L; }
static void real_mode(void) { cpu()->cr0 &= ~CR0_PE; }
static void v86_mode(void) { cpu()->rflags_rest |= RFLAGS_VM; }

static void
everything_is_undefined_in_real_v86_and_compatibility_mode(void **state)
{
    (void)state;
    static void (*const modes[])(void) = { compatibility_mode, real_mode, v86_mode };
    for (unsigned mode = 0; mode < 3; mode++) {
        for (unsigned i = 0; i < OP_COUNT_ALL; i++) {
            bench_setup_root(NULL);
            modes[mode]();
            expect_fault(bench_memory(all_ops[i], BENCH_VMCS, 0), X_UD);
            bench_teardown(NULL);
        }
    }
}

static void
everything_but_vmfunc_needs_privilege_in_root_operation(void **state)
{
    (void)state;
    cpu()->seg[SS].rights |= 3 << SEG_DPL_SHIFT;
    for (unsigned i = 0; i < OP_COUNT_ALL; i++) {
        expect_fault(bench_memory(all_ops[i], BENCH_VMCS, 0), all_ops[i] == OP_VMFUNC ? X_UD : X_GP);
    }
}

static void
register_operands_are_undefined_where_memory_is_needed(void **state)
{
    (void)state;
    static const uint16_t ops[] = { OP_VMXON, OP_VMCLEAR, OP_VMPTRLD, OP_VMPTRST, OP_INVEPT, OP_INVVPID };
    for (unsigned i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        expect_fault(bench_plain(ops[i]), X_UD);
    }
}

/* --- VMXON ------------------------------------------------------------------------------ */

static void break_ne(void) { cpu()->cr0 &= ~CR0_NE; }
static void break_pg(void) { cpu()->cr0 &= ~CR0_PG; }
static void break_cr4(void) { cpu()->cr4 |= CR4_SMXE; }
static void break_lock(void) { cpu()->msr.feature_control = 4; }
static void break_enable(void) { cpu()->msr.feature_control = 1; }
static void break_cpl(void) { cpu()->seg[SS].rights |= 3 << SEG_DPL_SHIFT; }

static void
vmxon_faults_on_fixed_bits_feature_control_and_privilege(void **state)
{
    (void)state;
    static void (*const breaks[])(void) = { break_ne, break_pg, break_cr4, break_lock, break_enable, break_cpl };
    for (unsigned i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        bench_setup(NULL);
        breaks[i]();
        expect_fault(bench_memory(OP_VMXON, BENCH_VMXON, 0), X_GP);
        assert_false(cpu()->vtx_on);
        bench_teardown(NULL);
    }
}

static void
vmxon_fails_invalid_on_address_or_revision(void **state)
{
    (void)state;
    uint32_t shadow = VMCS_REVISION | 0x80000000u;
    mem_write(bench.machine.mem, 0x5000, &shadow, sizeof shadow);
    static const uint64_t bad[] = { BENCH_VMXON + 8, 1ull << 46, 0x3000 /* no revision */, 0x5000, 0xd0000000 };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(bench_memory(OP_VMXON, bad[i], 0), EXEC_OK);
        assert_true(bench_failed_invalid());
        assert_false(cpu()->vtx_on);
    }
    assert_int_equal(bench_memory(OP_VMXON, BENCH_VMXON, 0), EXEC_OK);
    assert_true(bench_succeeded() && cpu()->vtx_on);
}

static void
vmxoff_leaves_and_a_held_init_is_looked_at(void **state)
{
    (void)state;
    cpu()->attention = ATTN_INIT;
    bench_plain(OP_VMXOFF);
    assert_true(bench_succeeded());
    assert_false(cpu()->vtx_on);
    assert_true(cpu()->attention & ATTN_INIT);
    expect_fault(bench_plain(OP_VMXOFF), X_UD);
}

/* --- VMfail numbers ------------------------------------------------------------------------ */

static void f_vmcall(void) { bench_plain(OP_VMCALL); }
static void f_vmclear_address(void) { bench_memory(OP_VMCLEAR, BENCH_VMCS + 1, 0); }
static void f_vmclear_vmxon(void) { bench_memory(OP_VMCLEAR, BENCH_VMXON, 0); }
static void f_launch_twice(void)
{
    bench.cpu.vmx->current->launch_state = VMCS_LAUNCHED;
    bench_plain(OP_VMLAUNCH);
}
static void f_resume_clear(void) { bench_plain(OP_VMRESUME); }
static void f_resume_after_vmxoff(void)
{
    bench_enter();
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    bench_plain(OP_VMXOFF);
    bench_memory(OP_VMXON, BENCH_VMXON, 0);
    bench_memory(OP_VMPTRLD, BENCH_VMCS, 0);
    bench_plain(OP_VMRESUME);
}
static void f_controls(void) { bench.cpu.vmx->current->pin_controls = 0, bench_plain(OP_VMLAUNCH); }
static void f_host(void) { bench.cpu.vmx->current->host_cs_selector = 0, bench_plain(OP_VMLAUNCH); }
static void f_vmptrld_address(void) { bench_memory(OP_VMPTRLD, 1ull << 46, 0); }
static void f_vmptrld_vmxon(void) { bench_memory(OP_VMPTRLD, BENCH_VMXON, 0); }
static void f_vmptrld_revision(void) { bench_memory(OP_VMPTRLD, 0x3000, 0); }
static void f_unsupported(void) { bench_vmwrite(VMCS_PML_ADDRESS, 0); }
static void f_read_only(void) { bench_vmwrite(VMCS_EXIT_REASON, 0); }
static void f_vmxon_in_root(void) { bench_memory(OP_VMXON, BENCH_VMXON, 0); }
static void f_mov_ss(void) { cpu()->shadow_movss = true, bench_plain(OP_VMLAUNCH); }
static void f_invept(void) { cpu()->gpr[RAX] = 0, bench_memory(OP_INVEPT, 0, 0); }

static const struct { enum vmx_error error; void (*provoke)(void); } failures[] = {
    { VMX_ERROR_VMCALL_IN_ROOT, f_vmcall },
    { VMX_ERROR_VMCLEAR_ADDRESS, f_vmclear_address },
    { VMX_ERROR_VMCLEAR_VMXON, f_vmclear_vmxon },
    { VMX_ERROR_VMLAUNCH_NOT_CLEAR, f_launch_twice },
    { VMX_ERROR_VMRESUME_NOT_LAUNCHED, f_resume_clear },
    { VMX_ERROR_VMRESUME_AFTER_VMXOFF, f_resume_after_vmxoff },
    { VMX_ERROR_ENTRY_CONTROLS, f_controls },
    { VMX_ERROR_ENTRY_HOST_STATE, f_host },
    { VMX_ERROR_VMPTRLD_ADDRESS, f_vmptrld_address },
    { VMX_ERROR_VMPTRLD_VMXON, f_vmptrld_vmxon },
    { VMX_ERROR_VMPTRLD_REVISION, f_vmptrld_revision },
    { VMX_ERROR_UNSUPPORTED_FIELD, f_unsupported },
    { VMX_ERROR_VMWRITE_READ_ONLY, f_read_only },
    { VMX_ERROR_VMXON_IN_ROOT, f_vmxon_in_root },
    { VMX_ERROR_ENTRY_MOV_SS, f_mov_ss },
    { VMX_ERROR_INVALID_OPERAND, f_invept },
};
enum { FAILURE_COUNT = sizeof failures / sizeof failures[0] };

/* Only with the dual-monitor treatment of SMM, which is not offered. */
static const enum vmx_error smm_only[] = {
    VMX_ERROR_ENTRY_EXECUTIVE_POINTER, VMX_ERROR_ENTRY_EXECUTIVE_NOT_LAUNCHED, VMX_ERROR_ENTRY_EXECUTIVE_NOT_VMXON,
    VMX_ERROR_VMCALL_NOT_CLEAR, VMX_ERROR_VMCALL_EXIT_CONTROLS, VMX_ERROR_VMCALL_MSEG_REVISION,
    VMX_ERROR_VMXOFF_DUAL_MONITOR, VMX_ERROR_VMCALL_MONITOR_FEATURES, VMX_ERROR_ENTRY_EXECUTIVE_CONTROLS,
};

static void
every_error_number_is_provoked(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FAILURE_COUNT; i++) {
        bench_setup_root(NULL);
        failures[i].provoke();
        if (bench_failed_valid() != (unsigned)failures[i].error) {
            fail_msg("error %u instead of %d", bench_failed_valid(), failures[i].error);
        }
        bench_teardown(NULL);
    }
    static const enum vmx_error all[] = {
#define VMX_ERROR(number, NAME, text) VMX_ERROR_##NAME,
#include "spec/vmx/errors.def"
#undef VMX_ERROR
    };
    for (unsigned e = 0; e < sizeof all / sizeof all[0]; e++) {
        unsigned found = 0;
        for (unsigned i = 0; i < FAILURE_COUNT; i++) {
            found += failures[i].error == all[e];
        }
        for (unsigned i = 0; i < sizeof smm_only / sizeof smm_only[0]; i++) {
            found += smm_only[i] == all[e];
        }
        if (found != 1) {
            fail_msg("error %d has %u rows", all[e], found);
        }
    }
}

static void
without_a_current_vmcs_failures_are_invalid(void **state)
{
    (void)state;
    bench_memory(OP_VMCLEAR, BENCH_VMCS, 0);
    uint64_t value;
    bench_vmread(VMCS_GUEST_RIP, &value);
    assert_true(bench_failed_invalid());
    bench_vmwrite(VMCS_GUEST_RIP, 0);
    assert_true(bench_failed_invalid());
    bench_memory(OP_VMPTRLD, BENCH_VMXON, 0);
    assert_true(bench_failed_invalid());
    bench_plain(OP_VMCALL);
    assert_true(bench_failed_invalid());
    bench_plain(OP_VMRESUME);
    assert_true(bench_failed_invalid());
}

/* --- pointers and life cycle ------------------------------------------------------------------ */

static uint64_t
stored_pointer(void)
{
    uint64_t pointer = 0;
    bench_memory(OP_VMPTRST, 0, 0);
    assert_true(bench_succeeded());
    mem_read(bench.machine.mem, BENCH_OPERAND, &pointer, sizeof pointer);
    return pointer;
}

static void
vmptrst_shows_the_current_pointer_or_ones(void **state)
{
    (void)state;
    assert_int_equal(stored_pointer(), BENCH_VMCS);
    bench_memory(OP_VMPTRLD, BENCH_VMCS2, 0);
    assert_int_equal(stored_pointer(), BENCH_VMCS2);
    bench_memory(OP_VMCLEAR, BENCH_VMCS, 0); /* another one: the current stays */
    assert_int_equal(stored_pointer(), BENCH_VMCS2);
    bench_memory(OP_VMCLEAR, BENCH_VMCS2, 0);
    assert_int_equal(stored_pointer(), UINT64_MAX);
}

static void
failed_vmptrld_keeps_the_current_vmcs(void **state)
{
    (void)state;
    bench_memory(OP_VMPTRLD, 0x3000, 0);
    assert_int_equal(stored_pointer(), BENCH_VMCS);
}

static void
vmclear_does_not_look_at_the_revision(void **state)
{
    (void)state;
    uint32_t garbage = 0xdeadbeef;
    mem_write(bench.machine.mem, 0x3000, &garbage, sizeof garbage);
    bench_memory(OP_VMCLEAR, 0x3000, 0);
    assert_true(bench_succeeded());
    assert_int_equal(bench_region(0x3000)->revision, 0xdeadbeef);
}

/* Which of launch, resume, clear are possible in each state. */
static void
launch_state_follows_the_life_cycle(void **state)
{
    (void)state;
    bench_plain(OP_VMRESUME);
    assert_int_equal(bench_failed_valid(), 5);
    bench_enter();
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    bench_plain(OP_VMLAUNCH);
    assert_int_equal(bench_failed_valid(), 4);
    bench_memory(OP_VMPTRLD, BENCH_VMCS2, 0);
    bench_memory(OP_VMPTRLD, BENCH_VMCS, 0); /* launch state survives being not current */
    assert_int_equal(bench_plain(OP_VMRESUME), EXEC_JUMP);
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    bench_memory(OP_VMCLEAR, BENCH_VMCS, 0);
    bench_memory(OP_VMPTRLD, BENCH_VMCS, 0);
    bench_plain(OP_VMRESUME);
    assert_int_equal(bench_failed_valid(), 5);
    assert_int_equal(bench_plain(OP_VMLAUNCH), EXEC_JUMP);
}

static void
a_vmcs_launched_elsewhere_needs_vmclear(void **state)
{
    (void)state;
    bench_enter();
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    bench.cpu.vmx->current->launch_cpu = 7;
    bench_plain(OP_VMRESUME);
    assert_int_equal(bench_failed_valid(), 5);
}

static void
a_copied_region_is_a_copied_vmcs(void **state)
{
    (void)state;
    bench_vmwrite(VMCS_GUEST_RIP, 0x1234);
    memcpy(bench_region(BENCH_VMCS2), bench_region(BENCH_VMCS), 4096);
    bench_memory(OP_VMPTRLD, BENCH_VMCS2, 0);
    uint64_t value;
    bench_vmread(VMCS_GUEST_RIP, &value);
    assert_int_equal(value, 0x1234);
}

/* --- VMREAD and VMWRITE ------------------------------------------------------------------------- */

static void
memory_operands_move_eight_bytes_and_faults_leave_flags(void **state)
{
    (void)state;
    struct sys_insn insn = bench_insn(OP_VMREAD);
    insn.ea = BENCH_OPERAND;
    insn.reg = RCX;
    cpu()->gpr[RCX] = VMCS_GUEST_RIP;
    uint64_t value = 0;
    assert_int_equal(vmx_ops.execute(cpu(), &insn), EXEC_OK);
    mem_read(bench.machine.mem, BENCH_OPERAND, &value, sizeof value);
    assert_int_equal(value, BENCH_GUEST_RIP);
    cpu_set_status_flags(cpu(), RFLAGS_STATUS);
    bench.operand_faults = true;
    expect_fault(vmx_ops.execute(cpu(), &insn), X_GP);
    assert_int_equal(cpu_rflags(cpu()) & RFLAGS_STATUS, RFLAGS_STATUS);
}

/* VMREAD judges the field before it touches memory, VMWRITE after. */
static void
vmread_checks_the_field_first_and_vmwrite_the_operand(void **state)
{
    (void)state;
    struct sys_insn insn = bench_insn(OP_VMREAD);
    insn.reg = RCX;
    cpu()->gpr[RCX] = 0x2046;
    bench.operand_faults = true;
    assert_int_equal(vmx_ops.execute(cpu(), &insn), EXEC_OK);
    assert_int_equal(bench_failed_valid(), 12);
    insn.op = OP_VMWRITE;
    expect_fault(vmx_ops.execute(cpu(), &insn), X_GP);
}

static void
vmwrite_stores_what_entry_would_refuse(void **state)
{
    (void)state;
    uint64_t value;
    bench_vmwrite(VMCS_HOST_CR0, UINT64_MAX);
    assert_true(bench_succeeded());
    bench_vmread(VMCS_HOST_CR0, &value);
    assert_int_equal(value, UINT64_MAX);
}

/* --- INVEPT and INVVPID --------------------------------------------------------------------------- */

#define EPTP (BENCH_EPT | 0x1e)
static const struct { uint16_t op; uint64_t type, low, high; bool ok; } invalidations[] = {
    { OP_INVEPT, 0, EPTP, 0, false }, { OP_INVEPT, 1, EPTP, 0, true }, { OP_INVEPT, 2, 0xf00, 0, true },
    { OP_INVEPT, 3, EPTP, 0, false }, { OP_INVEPT, 1ull << 32 | 1, EPTP, 0, false },
    { OP_INVEPT, 1, BENCH_EPT | 0x19, 0, false }, { OP_INVEPT, 1, 1ull << 46 | 0x1e, 0, false },
    { OP_INVEPT, 1, EPTP, 1, true }, /* the upper half is not tested */
    { OP_INVVPID, 0, 1, 0x1000, true }, { OP_INVVPID, 0, 1, 1ull << 47, false }, { OP_INVVPID, 0, 0, 0x1000, false },
    { OP_INVVPID, 1, 5, 1ull << 47, true }, { OP_INVVPID, 1, 0, 0, false }, { OP_INVVPID, 1, 0x10005, 0, false },
    { OP_INVVPID, 2, 0, 0, true }, { OP_INVVPID, 2, 0x10000, 0, false },
    { OP_INVVPID, 3, 5, 0, true }, { OP_INVVPID, 3, 0, 0, false }, { OP_INVVPID, 4, 5, 0, false },
};

static void
invalidations_judge_their_operands_and_flush(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof invalidations / sizeof invalidations[0]; i++) {
        bench.flush_ept = bench.flush_vpid = 0;
        cpu()->gpr[RAX] = invalidations[i].type;
        bench_memory(invalidations[i].op, invalidations[i].low, invalidations[i].high);
        assert_int_equal(bench_failed_valid(), invalidations[i].ok ? 0 : VMX_ERROR_INVALID_OPERAND);
        unsigned flushes = bench.flush_ept + bench.flush_vpid;
        assert_int_equal(flushes, invalidations[i].ok ? 1 : 0);
        if (invalidations[i].ok) {
            assert_int_equal(bench.flush_all, invalidations[i].type == 2);
        }
    }
}

static void
a_bad_type_fails_before_the_descriptor_is_read(void **state)
{
    (void)state;
    bench.operand_faults = true;
    cpu()->gpr[RAX] = 9;
    bench_memory(OP_INVEPT, 0, 0);
    assert_int_equal(bench_failed_valid(), 28);
    bench_memory(OP_INVVPID, 0, 0);
    assert_int_equal(bench_failed_valid(), 28);
    cpu()->gpr[RAX] = 1;
    expect_fault(bench_memory(OP_INVEPT, 0, 0), X_GP);
}

static void
fixed_cr_bits_hold_in_vmx_operation_and_ug_frees_pe_and_pg(void **state)
{
    (void)state;
    assert_false(vmx_ops.cr_allowed(cpu(), 0, cpu()->cr0 & ~CR0_PG));
    assert_false(vmx_ops.cr_allowed(cpu(), 4, cpu()->cr4 & ~CR4_VMXE));
    assert_true(vmx_ops.cr_allowed(cpu(), 0, cpu()->cr0 ^ CR0_TS));
    bench.cpu.vmx->current->secondary_controls |= VMX_SECONDARY_UNRESTRICTED_GUEST;
    bench_enter();
    assert_true(vmx_ops.cr_allowed(cpu(), 0, 0x30));
    assert_false(vmx_ops.cr_allowed(cpu(), 0, 0x10));
}

int
main(void)
{
#define OUTSIDE(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)
#define ROOT(f) cmocka_unit_test_setup_teardown(f, bench_setup_root, bench_teardown)
    const struct CMUnitTest tests[] = {
        OUTSIDE(everything_but_vmxon_is_undefined_outside_vmx_operation),
        cmocka_unit_test(everything_is_undefined_in_real_v86_and_compatibility_mode),
        ROOT(everything_but_vmfunc_needs_privilege_in_root_operation),
        ROOT(register_operands_are_undefined_where_memory_is_needed),
        cmocka_unit_test(vmxon_faults_on_fixed_bits_feature_control_and_privilege),
        OUTSIDE(vmxon_fails_invalid_on_address_or_revision),
        ROOT(vmxoff_leaves_and_a_held_init_is_looked_at),
        cmocka_unit_test(every_error_number_is_provoked),
        ROOT(without_a_current_vmcs_failures_are_invalid),
        ROOT(vmptrst_shows_the_current_pointer_or_ones),
        ROOT(failed_vmptrld_keeps_the_current_vmcs),
        ROOT(vmclear_does_not_look_at_the_revision),
        ROOT(launch_state_follows_the_life_cycle),
        ROOT(a_vmcs_launched_elsewhere_needs_vmclear),
        ROOT(a_copied_region_is_a_copied_vmcs),
        ROOT(memory_operands_move_eight_bytes_and_faults_leave_flags),
        ROOT(vmread_checks_the_field_first_and_vmwrite_the_operand),
        ROOT(vmwrite_stores_what_entry_would_refuse),
        ROOT(invalidations_judge_their_operands_and_flush),
        ROOT(a_bad_type_fails_before_the_descriptor_is_read),
        ROOT(fixed_cr_bits_hold_in_vmx_operation_and_ug_frees_pe_and_pg),
    };
    return cmocka_run_group_tests_name("vmx_insn", tests, NULL, NULL);
}
