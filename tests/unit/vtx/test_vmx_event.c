/* Injection, exceptions, windows, NMIs, timer, monitor trap: what happens around instructions. */
#include "vtx_bench.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"

static struct cpu *
cpu(void)
{
    return &bench.cpu;
}

static struct vmcs *
vmcs(void)
{
    return bench.cpu.vmx->current;
}

static enum exec_result
pending(bool interrupt, bool nmi)
{
    cpu()->attention &= ~(uint32_t)ATTN_VTX;
    return vmx_ops.pending(cpu(), interrupt, nmi);
}

static void
expect_exit(enum exec_result result, enum vmx_exit_reason reason)
{
    assert_int_equal(result, EXEC_VMEXIT);
    assert_int_equal(vmcs()->exit_reason, (unsigned)reason);
}

#define EVENT(type, vector) (VMX_EVENT_VALID | (uint32_t)(type) << 8 | (vector))

/* --- injection ------------------------------------------------------------------------ */

static const struct {
    uint32_t info, error, length;
    bool external, software;
} injections[] = {
    { EVENT(VMX_EVENT_EXTERNAL, 0x31), 0, 0, true, false },
    { EVENT(VMX_EVENT_NMI, 2), 0, 0, true, false },
    { EVENT(VMX_EVENT_HARDWARE, 6), 0, 0, false, false },
    { EVENT(VMX_EVENT_HARDWARE, 13) | VMX_EVENT_ERROR, 0x28, 0, false, false },
    { EVENT(VMX_EVENT_SOFTWARE_INT, 0x80), 0, 2, false, true },
    { EVENT(VMX_EVENT_PRIVILEGED, 1), 0, 1, false, true },
    { EVENT(VMX_EVENT_SOFTWARE_EXC, 3), 0, 1, false, true },
};

static void
every_event_type_is_delivered_as_described(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof injections / sizeof injections[0]; i++) {
        bench_setup_root(NULL);
        vmcs()->guest_rflags |= RFLAGS_IF;
        vmcs()->exception_bitmap = 0xffffffff; /* the injected event is never intercepted */
        vmcs()->entry_interruption_info = injections[i].info;
        vmcs()->entry_exception_error = injections[i].error;
        vmcs()->entry_instruction_length = injections[i].length;
        bench_enter();
        const struct fault *f = &bench.last_event;
        assert_int_equal(bench.delivered, 1);
        assert_int_equal(f->vector, injections[i].info & 0xff);
        assert_int_equal(f->int_type, injections[i].info >> 8 & 7);
        assert_int_equal(f->has_error, injections[i].info >> 11 & 1);
        assert_int_equal(f->error, injections[i].error);
        assert_int_equal(f->length, injections[i].length);
        assert_int_equal(f->software, injections[i].software);
        assert_int_equal(bench.last_external, injections[i].external);
        bench_teardown(NULL);
    }
}

static void
an_exit_while_an_injected_event_is_delivered_reports_it(void **state)
{
    (void)state;
    vmcs()->entry_interruption_info = EVENT(VMX_EVENT_SOFTWARE_INT, 0x80);
    vmcs()->entry_instruction_length = 2;
    bench.deliver_result = EXEC_OK; /* the fake stops in the middle of the delivery */
    bench_plain(OP_VMLAUNCH);
    struct vtx_access a = { .gpa = 0x9000, .linear = 0x9000, .has_linear = true, .write = true };
    struct vtx_page page;
    expect_exit(vmx_ops.translate(cpu(), &a, &page), VMX_EXIT_REASON_EPT_VIOLATION);
    assert_int_equal(vmcs()->idt_vectoring_info, EVENT(VMX_EVENT_SOFTWARE_INT, 0x80));
    assert_int_equal(vmcs()->exit_instruction_length, 2);
    assert_int_equal(vmcs()->guest_rip, BENCH_GUEST_RIP);
    assert_int_equal(vmcs()->entry_interruption_info & VMX_EVENT_VALID, 0);
}

static void
injected_db_and_pf_leave_dr7_and_cr2_to_software(void **state)
{
    (void)state;
    cpu()->cr2 = 0x1234000;
    cpu()->dr6 = 0xffff0ff2;
    vmcs()->entry_interruption_info = EVENT(VMX_EVENT_HARDWARE, 14) | VMX_EVENT_ERROR;
    bench_enter();
    assert_int_equal(bench.last_event.address, 0x1234000);
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    vmcs()->entry_interruption_info = EVENT(VMX_EVENT_HARDWARE, 1);
    bench_plain(OP_VMRESUME);
    assert_int_equal(bench.last_event.address, 2);
    assert_int_equal(cpu()->dr7, 0x400);
}

static void
injecting_an_nmi_blocks_nmis_virtually_or_physically(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS;
    vmcs()->entry_interruption_info = EVENT(VMX_EVENT_NMI, 2);
    bench_enter();
    assert_true(cpu()->nmi_blocked);
    /* A physical NMI is not held back by virtual blocking. */
    expect_exit(pending(false, true), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->guest_interruptibility, VMX_BLOCKED_NMI);
    assert_int_equal(vmcs()->exit_interruption_info, EVENT(VMX_EVENT_NMI, 2));
    assert_true(cpu()->nmi_blocked); /* by the NMI that exited */
}

/* --- exceptions --------------------------------------------------------------------------- */

static const struct { uint32_t bitmap, mask, match, error; bool exits; } page_faults[] = {
    { 0, 0, 0, 2, false }, { 1 << 14, 0, 0, 2, true }, { 1 << 14, 1, 1, 2, false }, { 1 << 14, 1, 1, 3, true },
    { 0, 1, 1, 2, true }, { 0, 1, 1, 3, false }, { 1 << 14, 0, 1, 0, false }, { 0, 0, 1, 0, true },
};

static void
page_faults_exit_by_bitmap_mask_and_match(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof page_faults / sizeof page_faults[0]; i++) {
        bench_setup_root(NULL);
        vmcs()->exception_bitmap = page_faults[i].bitmap;
        vmcs()->pf_error_mask = page_faults[i].mask;
        vmcs()->pf_error_match = page_faults[i].match;
        bench_enter();
        struct fault f = { .vector = X_PF, .has_error = true, .error = page_faults[i].error, .int_type = 3,
                           .address = 0xabc123 };
        cpu()->cr2 = 7;
        assert_int_equal(vmx_ops.exception(cpu(), &f, NULL), page_faults[i].exits ? EXEC_VMEXIT : EXEC_OK);
        if (page_faults[i].exits) {
            assert_int_equal(vmcs()->exit_qualification, 0xabc123);
            assert_int_equal(vmcs()->exit_interruption_info, EVENT(3, 14) | VMX_EVENT_ERROR);
            assert_int_equal(vmcs()->exit_interruption_error, page_faults[i].error);
            assert_true(vmcs()->guest_rflags & RFLAGS_RF);
            assert_int_equal(cpu()->cr2, 7);
        }
        bench_teardown(NULL);
    }
}

static void
breakpoints_report_type_6_and_their_length(void **state)
{
    (void)state;
    vmcs()->exception_bitmap = 1 << X_BP;
    bench_enter();
    struct fault f = { .vector = X_BP, .software = true, .int_type = VMX_EVENT_SOFTWARE_EXC, .length = 1 };
    expect_exit(vmx_ops.exception(cpu(), &f, NULL), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->exit_interruption_info, EVENT(6, 3));
    assert_int_equal(vmcs()->exit_instruction_length, 1);
    assert_int_equal(vmcs()->guest_rip, BENCH_GUEST_RIP);
    assert_false(vmcs()->guest_rflags & RFLAGS_RF);
}

static void
a_fault_during_delivery_reports_both(void **state)
{
    (void)state;
    vmcs()->exception_bitmap = 1 << X_GP;
    bench_enter();
    struct fault first = { .vector = 0x80, .software = true, .int_type = VMX_EVENT_SOFTWARE_INT, .length = 2 };
    struct fault second = { .vector = X_GP, .has_error = true, .error = 0x402, .int_type = 3 };
    vmx_ops.vectoring(cpu(), &first, false, true);
    vmx_ops.vectoring(cpu(), &first, false, false);
    expect_exit(vmx_ops.exception(cpu(), &second, &first), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->idt_vectoring_info, EVENT(4, 0x80));
    assert_int_equal(vmcs()->exit_instruction_length, 2);
    assert_int_equal(vmcs()->exit_interruption_error, 0x402);
}

static void
a_direct_exit_has_no_vectoring_information(void **state)
{
    (void)state;
    vmcs()->exception_bitmap = 1 << X_DF;
    bench_enter();
    struct fault df = { .vector = X_DF, .has_error = true, .int_type = 3 };
    expect_exit(vmx_ops.exception(cpu(), &df, NULL), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->idt_vectoring_info, 0);
}

static void
a_debug_exit_reports_conditions_and_clears_pending_debug(void **state)
{
    (void)state;
    vmcs()->exception_bitmap = 1 << X_DB;
    bench_enter();
    cpu()->shadow_movss = true;
    cpu()->pending_db = 1;
    struct fault db = { .vector = X_DB, .int_type = 3, .address = DR6_BS | 1 };
    cpu()->dr6 = 0xffff0ff0;
    expect_exit(vmx_ops.exception(cpu(), &db, NULL), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->exit_qualification, DR6_BS | 1);
    assert_int_equal(vmcs()->guest_pending_debug, 0);
    assert_int_equal(cpu()->dr6, 0xffff0ff0);
}

static void
an_exit_under_mov_ss_blocking_keeps_pending_debug(void **state)
{
    (void)state;
    bench_enter();
    cpu()->shadow_movss = true;
    cpu()->pending_db = 2;
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(vmcs()->guest_pending_debug, 2 | VMX_PENDING_ENABLED);
    assert_int_equal(vmcs()->guest_interruptibility, VMX_BLOCKED_MOV_SS);
    assert_false(cpu()->shadow_movss);
}

/* --- interrupts, NMIs, windows --------------------------------------------------------------- */

static void
interrupts_exit_without_regard_to_if_and_are_acknowledged_on_request(void **state)
{
    (void)state;
    for (unsigned acknowledge = 0; acknowledge < 2; acknowledge++) {
        bench_setup_root(NULL);
        vmcs()->pin_controls |= VMX_PIN_EXTERNAL_INTERRUPT;
        vmcs()->exit_controls |= acknowledge ? VMX_EXIT_ACK_INTERRUPT : 0;
        bench_enter();
        assert_int_equal(pending(false, false), EXEC_OK);
        expect_exit(pending(true, false), VMX_EXIT_REASON_EXTERNAL_INTERRUPT);
        assert_int_equal(vmcs()->exit_interruption_info, acknowledge ? EVENT(0, 0x51) : 0);
        bench_teardown(NULL);
    }
}

static void
interrupts_wait_for_the_end_of_a_shadow(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_EXTERNAL_INTERRUPT;
    bench_enter();
    cpu()->shadow_sti = true;
    assert_int_equal(pending(true, false), EXEC_OK);
    cpu()->shadow_sti = false;
    expect_exit(pending(true, false), VMX_EXIT_REASON_EXTERNAL_INTERRUPT);
}

static void
interrupts_that_do_not_exit_are_left_to_the_guest(void **state)
{
    (void)state;
    bench_enter();
    assert_int_equal(pending(true, true), EXEC_OK);
    assert_true(cpu()->nonroot);
}

static void
nmi_exiting_without_virtual_nmis_obeys_blocking_that_iret_cannot_lift(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_NMI;
    vmcs()->guest_interruptibility = VMX_BLOCKED_NMI;
    bench_enter();
    cpu()->nmi_blocked = false; /* what IRET does */
    cpu()->attention |= ATTN_NMI;
    assert_int_equal(pending(false, true), EXEC_OK);
    assert_true(cpu()->attention & ATTN_NMI);
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(vmcs()->guest_interruptibility, VMX_BLOCKED_NMI);
    assert_true(cpu()->nmi_blocked); /* unchanged by the exit */
    vmcs()->guest_interruptibility = 0;
    bench_plain(OP_VMRESUME);
    cpu()->attention |= ATTN_NMI;
    expect_exit(pending(false, true), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_false(cpu()->attention & ATTN_NMI);
}

static void
the_interrupt_window_opens_with_if_and_no_shadow(void **state)
{
    (void)state;
    vmcs()->primary_controls |= VMX_PRIMARY_INTERRUPT_WINDOW;
    bench_enter();
    assert_true(cpu()->attention & ATTN_VTX);
    assert_int_equal(pending(false, false), EXEC_OK);
    assert_true(cpu()->attention & ATTN_VTX); /* keeps watching */
    cpu()->rflags_rest |= RFLAGS_IF;
    cpu()->shadow_sti = true;
    assert_int_equal(pending(false, false), EXEC_OK);
    cpu()->shadow_sti = false;
    expect_exit(pending(false, false), VMX_EXIT_REASON_INTERRUPT_WINDOW);
}

static void
the_nmi_window_opens_when_virtual_blocking_ends(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS;
    vmcs()->primary_controls |= VMX_PRIMARY_NMI_WINDOW;
    vmcs()->guest_interruptibility = VMX_BLOCKED_NMI;
    bench_enter();
    assert_int_equal(pending(false, false), EXEC_OK);
    cpu()->nmi_blocked = false; /* IRET */
    expect_exit(pending(false, false), VMX_EXIT_REASON_NMI_WINDOW);
}

/* SDM "Special Features of VM Entry": each cause beats those below it. */
static void
events_come_in_the_manuals_order(void **state)
{
    (void)state;
    static const enum vmx_exit_reason order[] = {
        VMX_EXIT_REASON_TPR_BELOW_THRESHOLD, VMX_EXIT_REASON_MONITOR_TRAP_FLAG, VMX_EXIT_REASON_PREEMPTION_TIMER,
        VMX_EXIT_REASON_NMI_WINDOW, VMX_EXIT_REASON_EXCEPTION_NMI, VMX_EXIT_REASON_INTERRUPT_WINDOW,
        VMX_EXIT_REASON_EXTERNAL_INTERRUPT,
    };
    for (unsigned first = 0; first < sizeof order / sizeof order[0]; first++) {
        bench_setup_root(NULL);
        struct vmcs *v = vmcs();
        v->guest_rflags |= RFLAGS_IF;
        v->pin_controls |= VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS;
        v->primary_controls |= VMX_PRIMARY_TPR_SHADOW;
        v->entry_interruption_info = first <= 1 ? EVENT(VMX_EVENT_OTHER, 0) : 0;
        v->pin_controls |= first <= 2 ? VMX_PIN_PREEMPTION_TIMER : 0;
        v->primary_controls |= first <= 3 ? VMX_PRIMARY_NMI_WINDOW : 0;
        v->primary_controls |= first <= 5 ? VMX_PRIMARY_INTERRUPT_WINDOW : 0;
        bench_enter();
        if (first == 0) {
            v->tpr_threshold = 1;
            bench_intercept((struct vtx_event){ .cause = VTX_CR_WRITE, .number = 8, .value = 0 });
        }
        expect_exit(pending(true, first <= 4), order[first]);
        bench_teardown(NULL);
    }
}

/* --- activity states ------------------------------------------------------------------------- */

static void
shutdown_and_wait_for_sipi_listen_to_little(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI;
    vmcs()->guest_activity = VMX_ACTIVITY_SHUTDOWN;
    vmcs()->guest_rflags |= RFLAGS_IF;
    bench_enter();
    assert_int_equal(cpu()->activity, SHUTDOWN);
    assert_int_equal(pending(true, false), EXEC_OK);
    expect_exit(pending(true, true), VMX_EXIT_REASON_EXCEPTION_NMI);
    assert_int_equal(vmcs()->guest_activity, VMX_ACTIVITY_SHUTDOWN);
    vmcs()->guest_activity = VMX_ACTIVITY_WAIT_SIPI;
    bench_plain(OP_VMRESUME);
    assert_int_equal(pending(true, true), EXEC_OK);
    expect_exit(bench_intercept((struct vtx_event){ .cause = VTX_SIPI, .number = 8 }), VMX_EXIT_REASON_SIPI);
    assert_int_equal(vmcs()->guest_activity, VMX_ACTIVITY_WAIT_SIPI);
}

static void
a_halted_guest_stays_halted_unless_an_event_is_injected(void **state)
{
    (void)state;
    vmcs()->guest_activity = VMX_ACTIVITY_HLT;
    bench_enter();
    assert_int_equal(cpu()->activity, HALTED);
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_EXTERNAL_INTERRUPT, NULL, 0);
    assert_int_equal(vmcs()->guest_activity, VMX_ACTIVITY_HLT);
    vmcs()->guest_rflags |= RFLAGS_IF;
    vmcs()->entry_interruption_info = EVENT(VMX_EVENT_EXTERNAL, 0x40);
    bench_plain(OP_VMRESUME);
    assert_int_equal(cpu()->activity, ACTIVE);
}

/* --- pending debug exceptions at entry ------------------------------------------------------------ */

static const struct { uint64_t field; uint32_t event, blocking; uint8_t activity; uint64_t expect; } debugs[] = {
    { 0x4000, 0, 0, 0, 0x4000 },
    { 0x1003, 0, 0, 0, 3 },
    { 0x0003, 0, 0, 0, 0 },                                /* B bits without bit 12 deliver nothing */
    { 0x4000, EVENT(2, 2), 0, 0, 0 },                      /* dropped by injection */
    { 0x1001, EVENT(4, 0x80), 0, 0, 0 },
    { 0x1001, EVENT(4, 0x80), VMX_BLOCKED_MOV_SS, 0, 1 },  /* kept: software event under MOV SS */
    { 0x1001, EVENT(7, 0), 0, 0, 1 },
    { 0x1001, 0, 0, 2, 0 },                                /* shutdown */
    { 0x1001, 0, 0, 3, 0 },                                /* wait-for-SIPI */
};

static void
pending_debug_exceptions_are_kept_or_dropped(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof debugs / sizeof debugs[0]; i++) {
        bench_setup_root(NULL);
        vmcs()->guest_pending_debug = debugs[i].field;
        vmcs()->entry_interruption_info = debugs[i].event;
        vmcs()->entry_instruction_length = 2;
        vmcs()->guest_interruptibility = debugs[i].blocking;
        vmcs()->guest_activity = debugs[i].activity;
        bench_enter();
        assert_int_equal(cpu()->pending_db, debugs[i].expect);
        assert_int_equal(!!(cpu()->attention & ATTN_DB), debugs[i].expect != 0);
        bench_teardown(NULL);
    }
}

/* --- monitor trap flag ------------------------------------------------------------------------------ */

static void
the_monitor_trap_follows_one_instruction(void **state)
{
    (void)state;
    vmcs()->primary_controls |= VMX_PRIMARY_MONITOR_TRAP_FLAG;
    bench_enter();
    cpu()->instructions++; /* VM entry itself retires */
    assert_int_equal(pending(false, false), EXEC_OK); /* before the first instruction */
    assert_true(cpu()->attention & ATTN_VTX);
    cpu()->instructions++;
    cpu()->pending_db = DR6_BS;
    expect_exit(pending(false, false), VMX_EXIT_REASON_MONITOR_TRAP_FLAG);
    assert_int_equal(vmcs()->guest_pending_debug, VMX_PENDING_BS);
}

static void
a_delivered_event_counts_as_the_instruction(void **state)
{
    (void)state;
    vmcs()->primary_controls |= VMX_PRIMARY_MONITOR_TRAP_FLAG;
    vmcs()->entry_interruption_info = EVENT(3, 6);
    bench_enter();
    expect_exit(pending(false, false), VMX_EXIT_REASON_MONITOR_TRAP_FLAG);
}

static void
a_pending_mtf_can_be_injected_without_the_control(void **state)
{
    (void)state;
    vmcs()->entry_interruption_info = EVENT(7, 0);
    bench_enter();
    assert_int_equal(bench.delivered, 0);
    expect_exit(pending(false, false), VMX_EXIT_REASON_MONITOR_TRAP_FLAG);
}

/* --- preemption timer --------------------------------------------------------------------------------- */

static void
the_timer_counts_tsc_shifted_by_five(void **state)
{
    (void)state;
    cpu()->now = 100; /* 3 * 32 + 4 */
    vmcs()->pin_controls |= VMX_PIN_PREEMPTION_TIMER;
    vmcs()->exit_controls |= VMX_EXIT_SAVE_PREEMPTION_TIMER;
    vmcs()->preemption_timer = 10;
    bench_enter();
    assert_int_equal(vmx_ops.next_due(cpu()), 13 * 32);
    cpu()->now = 13 * 32 - 1;
    assert_int_equal(pending(false, false), EXEC_OK);
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(vmcs()->preemption_timer, 1);
    assert_int_equal(vmx_ops.next_due(cpu()), EVENT_NEVER);
    bench_plain(OP_VMRESUME);
    cpu()->now = 13 * 32;
    expect_exit(pending(false, false), VMX_EXIT_REASON_PREEMPTION_TIMER);
    assert_int_equal(vmcs()->preemption_timer, 0);
}

static void
a_timer_of_zero_exits_before_the_first_instruction(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_PREEMPTION_TIMER;
    bench_enter();
    assert_true(cpu()->attention & ATTN_VTX);
    expect_exit(pending(false, false), VMX_EXIT_REASON_PREEMPTION_TIMER);
    assert_int_equal(vmcs()->guest_rip, BENCH_GUEST_RIP);
}

static void
the_timer_value_is_kept_without_its_save_control_and_follows_the_written_tsc(void **state)
{
    (void)state;
    cpu()->msr.tsc_offset = 32 * 7;
    vmcs()->pin_controls |= VMX_PIN_PREEMPTION_TIMER;
    vmcs()->preemption_timer = 10;
    bench_enter();
    cpu()->msr.tsc_offset = 1u << 30; /* the guest writes the TSC: the timer does not care */
    assert_int_equal(vmx_ops.next_due(cpu()), 320);
    cpu()->now = 320;
    expect_exit(pending(false, false), VMX_EXIT_REASON_PREEMPTION_TIMER);
    assert_int_equal(vmcs()->preemption_timer, 10);
}

/* --- entry loads ------------------------------------------------------------------------------------------ */

static void
efer_without_its_control_takes_lma_and_keeps_the_rest(void **state)
{
    (void)state;
    cpu()->efer |= EFER_NXE | EFER_SCE;
    vmcs()->guest_efer = 0;
    bench_enter();
    assert_int_equal(cpu()->efer, EFER_NXE | EFER_SCE | EFER_LMA | EFER_LME);
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    struct vmcs *v = vmcs();
    v->entry_controls &= ~(uint64_t)VMX_ENTRY_GUEST_64;
    v->secondary_controls |= VMX_SECONDARY_UNRESTRICTED_GUEST;
    v->guest_cr0 = 0x30;
    v->guest_cs_rights = 0xc09b;
    bench_plain(OP_VMRESUME);
    assert_int_equal(cpu()->efer, EFER_NXE | EFER_SCE | EFER_LME); /* CR0.PG = 0: LME stays the host's */
}

static void
reserved_cr0_bits_keep_the_hosts_value(void **state)
{
    (void)state;
    cpu()->cr0 |= CR0_CD;
    vmcs()->guest_cr0 = 0x80000021 | CR0_NW | 0x1000; /* NW and reserved bits are not loaded */
    bench_enter();
    assert_int_equal(cpu()->cr0, 0x80000021 | CR0_CD | CR0_ET);
}

/* --- snapshots -------------------------------------------------------------------------------------------- */

static void
state_survives_saving_and_loading_in_the_middle_of_a_guest(void **state)
{
    (void)state;
    vmcs()->pin_controls |= VMX_PIN_PREEMPTION_TIMER;
    vmcs()->preemption_timer = 50;
    bench_enter();
    uint8_t *bytes;
    size_t size;
    struct state *s = state_new_save();
    vmx_ops.cpu_state(cpu(), s);
    state_save_end(s, &bytes, &size);
    s = state_new_hash();
    vmx_ops.cpu_state(cpu(), s);
    uint64_t hash = state_hash_end(s);
    uint64_t due = vmx_ops.next_due(cpu());
    vmx_ops.cpu_reset(cpu(), false);
    cpu()->nonroot = cpu()->vtx_on = true; /* struct cpu is saved by others */
    s = state_new_load(bytes, size);
    vmx_ops.cpu_state(cpu(), s);
    assert_null(state_load_end(s));
    s = state_new_hash();
    vmx_ops.cpu_state(cpu(), s);
    assert_int_equal(state_hash_end(s), hash);
    assert_ptr_equal(cpu()->vmx->current, bench_region(BENCH_VMCS));
    assert_int_equal(vmx_ops.next_due(cpu()), due);
    assert_int_equal(vmx_ops.vpid(cpu()), 1);
    free(bytes);
}

int
main(void)
{
#define ROOT(f) cmocka_unit_test_setup_teardown(f, bench_setup_root, bench_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_type_is_delivered_as_described),
        ROOT(an_exit_while_an_injected_event_is_delivered_reports_it),
        ROOT(injected_db_and_pf_leave_dr7_and_cr2_to_software),
        ROOT(injecting_an_nmi_blocks_nmis_virtually_or_physically),
        cmocka_unit_test(page_faults_exit_by_bitmap_mask_and_match),
        ROOT(breakpoints_report_type_6_and_their_length),
        ROOT(a_fault_during_delivery_reports_both),
        ROOT(a_direct_exit_has_no_vectoring_information),
        ROOT(a_debug_exit_reports_conditions_and_clears_pending_debug),
        ROOT(an_exit_under_mov_ss_blocking_keeps_pending_debug),
        cmocka_unit_test(interrupts_exit_without_regard_to_if_and_are_acknowledged_on_request),
        ROOT(interrupts_wait_for_the_end_of_a_shadow),
        ROOT(interrupts_that_do_not_exit_are_left_to_the_guest),
        ROOT(nmi_exiting_without_virtual_nmis_obeys_blocking_that_iret_cannot_lift),
        ROOT(the_interrupt_window_opens_with_if_and_no_shadow),
        ROOT(the_nmi_window_opens_when_virtual_blocking_ends),
        cmocka_unit_test(events_come_in_the_manuals_order),
        ROOT(shutdown_and_wait_for_sipi_listen_to_little),
        ROOT(a_halted_guest_stays_halted_unless_an_event_is_injected),
        cmocka_unit_test(pending_debug_exceptions_are_kept_or_dropped),
        ROOT(the_monitor_trap_follows_one_instruction),
        ROOT(a_delivered_event_counts_as_the_instruction),
        ROOT(a_pending_mtf_can_be_injected_without_the_control),
        ROOT(the_timer_counts_tsc_shifted_by_five),
        ROOT(a_timer_of_zero_exits_before_the_first_instruction),
        ROOT(the_timer_value_is_kept_without_its_save_control_and_follows_the_written_tsc),
        ROOT(efer_without_its_control_takes_lma_and_keeps_the_rest),
        ROOT(reserved_cr0_bits_keep_the_hosts_value),
        ROOT(state_survives_saving_and_loading_in_the_middle_of_a_guest),
    };
    return cmocka_run_group_tests_name("vmx_event", tests, NULL, NULL);
}
