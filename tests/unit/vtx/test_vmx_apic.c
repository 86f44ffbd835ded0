/* Virtual interrupts: TPR shadow, x2APIC virtualization, virtual-interrupt delivery. */
#include "vtx_bench.h"

static struct cpu *
cpu(void)
{
    return &bench.cpu;
}

static struct vmx_guest *
guest(void)
{
    return &bench.cpu.vmx->guest;
}

static void
apic(unsigned offset, uint32_t value)
{
    mem_write(bench.machine.mem, BENCH_VAPIC + offset, &value, sizeof value);
}

static uint32_t
apic_at(unsigned offset)
{
    uint32_t value = 0;
    mem_read(bench.machine.mem, BENCH_VAPIC + offset, &value, sizeof value);
    return value;
}

static bool
vector_bit(unsigned base, unsigned vector)
{
    return apic_at(base + vector / 32 * 16) >> vector % 32 & 1;
}

static void
enter(uint32_t secondary, uint16_t status)
{
    struct vmcs *v = bench.cpu.vmx->current;
    v->pin_controls |= VMX_PIN_EXTERNAL_INTERRUPT;
    v->primary_controls |= VMX_PRIMARY_TPR_SHADOW;
    v->secondary_controls |= secondary;
    v->guest_interrupt_status = status;
    bench_enter();
}

enum { VID = VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_VIRTUAL_INTERRUPTS };

static enum exec_result
wrmsr(uint32_t index, uint64_t value)
{
    return vmx_ops.virtual_apic_msr(cpu(), index, true, &value);
}

/* --- TPR ---------------------------------------------------------------------------------- */

static void
cr8_reads_and_writes_the_virtual_tpr(void **state)
{
    (void)state;
    apic(0x80, 0x70);
    enter(0, 0);
    struct sys_insn insn = bench_insn(0);
    struct vtx_event read = { .cause = VTX_CR_READ, .number = 8, .insn = &insn };
    assert_int_equal(vmx_ops.intercept(cpu(), &read), EXEC_OK);
    assert_int_equal(read.value, 7);
    struct vtx_event write = { .cause = VTX_CR_WRITE, .number = 8, .value = 0xb, .insn = &insn };
    assert_int_equal(vmx_ops.intercept(cpu(), &write), EXEC_JUMP);
    assert_int_equal(cpu()->rip, insn.next_rip);
    assert_int_equal(apic_at(0x80), 0xb0);
    write.value = 0x10;
    assert_int_equal(vmx_ops.intercept(cpu(), &write), EXEC_FAULT);
}

static void
lowering_tpr_below_the_threshold_traps_after_the_instruction(void **state)
{
    (void)state;
    apic(0x80, 0x70);
    bench.cpu.vmx->current->tpr_threshold = 5;
    enter(VMX_SECONDARY_X2APIC_MODE, 0);
    assert_int_equal(wrmsr(0x808, 0x50), EXEC_JUMP);
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_OK);
    assert_int_equal(wrmsr(0x808, 0x4f), EXEC_JUMP);
    assert_true(cpu()->attention & ATTN_VTX);
    cpu()->rip += 2; /* the core ends WRMSR */
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_VMEXIT);
    assert_int_equal(bench.cpu.vmx->current->exit_reason, VMX_EXIT_REASON_TPR_BELOW_THRESHOLD);
    assert_int_equal(bench.cpu.vmx->current->guest_rip, BENCH_GUEST_RIP + 2);
}

/* --- x2APIC MSRs ------------------------------------------------------------------------------ */

static const struct { uint32_t secondary, index; bool write; uint64_t value; enum exec_result result; } msrs[] = {
    { VMX_SECONDARY_X2APIC_MODE, 0x808, false, 0, EXEC_JUMP },
    { VMX_SECONDARY_X2APIC_MODE, 0x802, false, 0, EXEC_OK }, /* the physical x2APIC */
    { VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_APIC_REGISTERS, 0x802, false, 0, EXEC_JUMP },
    { VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_APIC_REGISTERS, 0x8ff, false, 0, EXEC_JUMP },
    { VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_APIC_REGISTERS, 0x900, false, 0, EXEC_OK },
    { 0, 0x808, false, 0, EXEC_OK },
    { VMX_SECONDARY_X2APIC_MODE, 0x808, true, 0x20, EXEC_JUMP },
    { VMX_SECONDARY_X2APIC_MODE, 0x808, true, 0x100, EXEC_FAULT },
    { VMX_SECONDARY_X2APIC_MODE, 0x80b, true, 0, EXEC_OK },
    { VMX_SECONDARY_X2APIC_MODE, 0x830, true, 0, EXEC_OK },
    { VID, 0x80b, true, 0, EXEC_JUMP },
    { VID, 0x80b, true, 1, EXEC_FAULT },
    { VID, 0x83f, true, 0x31, EXEC_JUMP },
    { VID, 0x83f, true, 0x131, EXEC_FAULT },
    { VID, 0x830, true, 0x31, EXEC_OK },
};

static void
x2apic_msrs_are_virtualized_by_their_controls(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof msrs / sizeof msrs[0]; i++) {
        bench_setup_root(NULL);
        apic((msrs[i].index & 0xff) << 4, 0xabcd);
        apic(((msrs[i].index & 0xff) << 4) + 4, 0x55);
        bench.cpu.vmx->current->tpr_threshold = 0;
        enter(msrs[i].secondary, 0);
        uint64_t value = msrs[i].value;
        enum exec_result result = vmx_ops.virtual_apic_msr(cpu(), msrs[i].index, msrs[i].write, &value);
        if (result != msrs[i].result) {
            fail_msg("row %u: %d", i, result);
        }
        if (!msrs[i].write && result == EXEC_JUMP) {
            assert_int_equal(value, 0x550000abcd);
        }
        bench_teardown(NULL);
    }
}

/* --- evaluation and delivery -------------------------------------------------------------------- */

static void
a_recognized_interrupt_is_delivered_when_if_allows(void **state)
{
    (void)state;
    apic(0x200 + 2 * 16, 1u << 1); /* VIRR: vector 41H */
    apic(0x200 + 1 * 16, 1u << 3); /* and 23H */
    enter(VID, 0x41);
    assert_true(guest()->virtual_interrupt);
    assert_true(cpu()->attention & ATTN_VTX);
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_OK);
    cpu()->rflags_rest |= RFLAGS_IF;
    cpu()->activity = HALTED;
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_JUMP);
    assert_int_equal(bench.last_event.vector, 0x41);
    assert_true(bench.last_external);
    assert_int_equal(cpu()->activity, ACTIVE);
    assert_true(vector_bit(0x100, 0x41) && !vector_bit(0x200, 0x41));
    assert_int_equal(apic_at(0xa0), 0x40);
    assert_int_equal(guest()->svi, 0x41);
    assert_int_equal(guest()->rvi, 0x23);
    assert_false(guest()->virtual_interrupt); /* 23H is below the priority in service */
}

static void
eoi_returns_to_the_next_interrupt(void **state)
{
    (void)state;
    apic(0x100 + 2 * 16, 1u << 1);
    apic(0x200 + 1 * 16, 1u << 3);
    enter(VID, 0x4123);
    assert_false(guest()->virtual_interrupt);
    assert_int_equal(wrmsr(0x80b, 0), EXEC_JUMP);
    assert_false(vector_bit(0x100, 0x41));
    assert_int_equal(guest()->svi, 0);
    assert_int_equal(apic_at(0xa0), 0);
    assert_true(guest()->virtual_interrupt);
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(bench.cpu.vmx->current->guest_interrupt_status, 0x0023);
}

static void
tpr_holds_interrupts_of_its_class_back(void **state)
{
    (void)state;
    apic(0x80, 0x40);
    apic(0x200 + 2 * 16, 1u << 1);
    enter(VID, 0x41);
    assert_false(guest()->virtual_interrupt);
    assert_int_equal(wrmsr(0x808, 0x3f), EXEC_JUMP);
    assert_true(guest()->virtual_interrupt);
}

static void
a_self_ipi_is_recognized(void **state)
{
    (void)state;
    enter(VID, 0);
    assert_int_equal(wrmsr(0x83f, 0x62), EXEC_JUMP);
    assert_true(vector_bit(0x200, 0x62));
    assert_int_equal(guest()->rvi, 0x62);
    assert_true(guest()->virtual_interrupt);
    assert_int_equal(apic_at(0x3f0), 0x62);
}

static void
interrupt_window_exiting_takes_the_place_of_delivery(void **state)
{
    (void)state;
    bench.cpu.vmx->current->primary_controls |= VMX_PRIMARY_INTERRUPT_WINDOW;
    apic(0x200 + 2 * 16, 2);
    enter(VID, 0x41);
    cpu()->rflags_rest |= RFLAGS_IF;
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_VMEXIT);
    assert_int_equal(bench.cpu.vmx->current->exit_reason, VMX_EXIT_REASON_INTERRUPT_WINDOW);
}

int
main(void)
{
#define ROOT(f) cmocka_unit_test_setup_teardown(f, bench_setup_root, bench_teardown)
    const struct CMUnitTest tests[] = {
        ROOT(cr8_reads_and_writes_the_virtual_tpr),
        ROOT(lowering_tpr_below_the_threshold_traps_after_the_instruction),
        cmocka_unit_test(x2apic_msrs_are_virtualized_by_their_controls),
        ROOT(a_recognized_interrupt_is_delivered_when_if_allows),
        ROOT(eoi_returns_to_the_next_interrupt),
        ROOT(tpr_holds_interrupts_of_its_class_back),
        ROOT(a_self_ipi_is_recognized),
        ROOT(interrupt_window_exiting_takes_the_place_of_delivery),
    };
    return cmocka_run_group_tests_name("vmx_apic", tests, NULL, NULL);
}
