/* Delivery through the IDT, and what happens between instructions. */
#include "fixture.h"

enum { HANDLER = 0x31000, LENGTH = 2 };

static void gate(struct fixture *f, uint8_t vector)
{
    fixture_gate(f, vector, TYPE_INT_GATE, 0, true, SEL_CODE0, HANDLER, 0);
}

static enum exec_result raise_and_deliver(struct fixture *f, unsigned vector, bool has_error, uint32_t error)
{
    if (has_error) {
        cpu_raise_error(f->cpu, vector, error);
    } else {
        cpu_raise(f->cpu, vector);
    }
    return cpu_deliver(f->cpu);
}

static uint64_t frame(struct fixture *f, unsigned index)
{
    return fixture_load(f, f->cpu->gpr[RSP] + index * 8, 8);
}

static void a_fault_pushes_the_manuals_frame(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    gate(f, X_GP);
    f->cpu->gpr[RSP] = AT_STACK - 3; /* "aligned on a 16-byte boundary" first */
    f->cpu->rflags_rest = RFLAGS_IF | RFLAGS_ZF | RFLAGS_TF | RFLAGS_NT;
    assert_int_equal(raise_and_deliver(f, X_GP, true, 0x1234), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, HANDLER);
    assert_int_equal(f->cpu->gpr[RSP], AT_STACK - 0x10 - 48);
    assert_int_equal(frame(f, 0), 0x1234);
    assert_int_equal(frame(f, 1), AT_CODE);
    assert_int_equal(frame(f, 2), SEL_CODE0);
    assert_int_equal(frame(f, 3), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_ZF | RFLAGS_TF | RFLAGS_NT | RFLAGS_RF);
    assert_int_equal(frame(f, 4), AT_STACK - 3);
    assert_int_equal(frame(f, 5), SEL_DATA0);
    assert_int_equal(cpu_rflags(f->cpu), RFLAGS_FIXED | RFLAGS_ZF);
    fixture_free(f);
}

static void trap_gates_leave_if_alone_and_software_interrupts_return_behind(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    fixture_gate(f, 0x80, TYPE_TRAP_GATE, 3, true, SEL_CODE0, HANDLER, 0);
    f->cpu->rflags_rest = RFLAGS_IF;
    cpu_raise_software(f->cpu, 0x80, INT_SOFTWARE, LENGTH);
    assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
    assert_int_equal(frame(f, 0), AT_CODE + LENGTH);
    assert_int_equal(frame(f, 2), RFLAGS_FIXED | RFLAGS_IF); /* no RF for traps */
    assert_true(cpu_rflags(f->cpu) & RFLAGS_IF);
    fixture_free(f);
}

static void from_ring_3_the_stack_comes_from_the_tss(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 3);
    gate(f, X_PF);
    cpu_raise_pf(f->cpu, 0x7654321, PF_U | PF_W);
    assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->gpr[RSP], AT_RSP0 - 48);
    assert_int_equal(f->cpu->cr2, 0x7654321);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    assert_int_equal(f->cpu->seg[CS].selector, SEL_CODE0);
    assert_int_equal(f->cpu->seg[SS].selector, 0); /* NULL with RPL 0 */
    assert_int_equal(frame(f, 0), PF_U | PF_W);
    assert_int_equal(frame(f, 5), SEL_DATA3 | 3);
    fixture_free(f);
}

static void ist_applies_at_any_privilege(void **state)
{
    (void)state;
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, cpl);
        fixture_gate(f, X_DF, TYPE_INT_GATE, 0, true, SEL_CODE0, HANDLER, 1);
        assert_int_equal(raise_and_deliver(f, X_DF, true, 0), EXEC_JUMP);
        assert_int_equal(f->cpu->gpr[RSP], AT_IST1 - 48);
        fixture_free(f);
    }
}

/* Each way a gate or its target can be bad, and the error it gives.  The first event is a software interrupt
 * (EXT = 0) or an external one (EXT = 1). */
static void bad_gates_give_the_manuals_errors(void **state)
{
    enum { VECTOR = 0x40, IDT_ERROR = VECTOR * 8 + 2 };
    static const struct {
        const char *what;
        unsigned type, dpl;
        bool present;
        uint16_t selector;
        uint64_t target;
        uint32_t cs_rights; /* of SEL_FREE */
        unsigned vector;
        uint32_t error;
        bool only_software;
    } cases[] = {
        { "not a gate", 2, 3, true, SEL_CODE0, HANDLER, 0, X_GP, IDT_ERROR, false },
        { "16-bit gate", 6, 3, true, SEL_CODE0, HANDLER, 0, X_GP, IDT_ERROR, false },
        { "gate DPL", 14, 0, true, SEL_CODE0, HANDLER, 0, X_GP, IDT_ERROR, true },
        { "gate absent", 14, 3, false, SEL_CODE0, HANDLER, 0, X_NP, IDT_ERROR, false },
        { "DPL before presence", 14, 0, false, SEL_CODE0, HANDLER, 0, X_GP, IDT_ERROR, true },
        { "null target", 14, 3, true, 0, HANDLER, 0, X_GP, 0, false },
        { "beyond GDT", 14, 3, true, 0x100, HANDLER, 0, X_GP, 0x100, false },
        { "data segment", 14, 3, true, SEL_FREE, HANDLER, 0xa093, X_GP, SEL_FREE, false },
        { "absent code", 14, 3, true, SEL_FREE, HANDLER, 0xa01b, X_NP, SEL_FREE, false },
        { "32-bit code", 14, 3, true, SEL_FREE, HANDLER, 0xc09b, X_GP, SEL_FREE, false },
        { "L and D", 14, 3, true, SEL_FREE, HANDLER, 0xe09b, X_GP, SEL_FREE, false },
        { "target not canonical", 14, 3, true, SEL_CODE0, 0x800000000000, 0, X_GP, 0, false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned external = 0; external < 2; external++) {
            struct fixture *f = fixture_new(1);
            fixture_long_mode(f, 3);
            gate(f, X_GP);
            gate(f, X_NP);
            fixture_gdt(f, SEL_FREE, fixture_descriptor(0, 0xfffff, cases[i].cs_rights));
            fixture_gate(f, VECTOR, cases[i].type, cases[i].dpl, cases[i].present, cases[i].selector,
                         cases[i].target, 0);
            struct fault event = {
                .vector = VECTOR, .software = !external, .length = LENGTH,
                .int_type = external ? INT_EXTERNAL : INT_SOFTWARE,
            };
            enum exec_result result = cpu_deliver_event(f->cpu, &event, external);
            assert_int_equal(result, EXEC_JUMP);
            if (external && cases[i].only_software) {
                uint64_t expected = cases[i].present ? 0 : IDT_ERROR + ERROR_EXT;
                assert_int_equal(cases[i].present ? 0 : frame(f, 0), expected);
            } else {
                assert_int_equal(frame(f, 0), cases[i].error + (external ? ERROR_EXT : 0));
                assert_int_equal(frame(f, 1), AT_CODE); /* of the INT itself */
                assert_int_equal(f->machine.stop, STOP_NONE);
            }
            fixture_free(f);
        }
    }
}

static void conforming_handlers_keep_the_privilege(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 3);
    fixture_gdt(f, SEL_FREE, fixture_descriptor(0, 0xfffff, 0xa09f));
    fixture_gate(f, X_DE, TYPE_INT_GATE, 0, true, SEL_FREE, HANDLER, 0);
    assert_int_equal(raise_and_deliver(f, X_DE, false, 0), EXEC_JUMP);
    assert_int_equal(cpu_cpl(f->cpu), 3);
    assert_int_equal(f->cpu->seg[CS].selector, SEL_FREE | 3);
    assert_int_equal(f->cpu->gpr[RSP], AT_STACK - 40);
    fixture_free(f);
}

/* The table of "Conditions for Generating a Double Fault", by provoking the second fault in the first's gate. */
static void pairs_of_faults_follow_the_double_fault_table(void **state)
{
    static const struct {
        unsigned first, second;
        bool double_fault;
    } cases[] = {
        { X_DE, X_NP, true },  { X_GP, X_NP, true },  { X_TS, X_GP, true },  { X_SS, X_GP, true },
        { X_UD, X_NP, false }, { X_DB, X_GP, false }, { X_NM, X_NP, false }, { X_BR, X_GP, false },
        { X_PF, X_NP, true },  { X_PF, X_GP, true },  { X_AC, X_NP, false }, { X_GP, X_PF, false },
        { X_PF, X_PF, true },  { X_UD, X_PF, false },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, 0);
        for (unsigned v = 0; v < 20; v++) {
            gate(f, (uint8_t)v);
        }
        fixture_gate(f, X_DF, TYPE_INT_GATE, 0, true, SEL_CODE0, HANDLER + 8, 1);
        uint64_t bad_target = cases[i].second == X_GP ? 0x800000000000 : HANDLER;
        if (cases[i].second == X_PF) { /* the first handler's stack is missing */
            fixture_store(f, AT_TSS + 44, 8, 0x900000);
            fixture_gate(f, (uint8_t)cases[i].first, TYPE_INT_GATE, 0, true, SEL_CODE0, HANDLER, 2);
            if (cases[i].first != X_PF) {
                gate(f, X_PF);
            }
        } else {
            fixture_gate(f, (uint8_t)cases[i].first, TYPE_INT_GATE, 0, cases[i].second != X_NP, SEL_CODE0,
                         bad_target, 0);
        }
        bool has_error = cases[i].first >= X_DF && cases[i].first != X_MF;
        if (cases[i].first == X_GP && cases[i].second == X_GP) {
            continue;
        }
        assert_int_equal(raise_and_deliver(f, cases[i].first, has_error, 0), EXEC_JUMP);
        assert_int_equal(f->cpu->rip, cases[i].double_fault ? HANDLER + 8 : HANDLER);
        assert_int_equal(f->machine.stop, STOP_NONE);
        fixture_free(f);
    }
}

static void a_fault_in_the_double_fault_handlers_gate_is_shutdown(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->idtr.limit = 0; /* nothing can be delivered */
    assert_int_equal(raise_and_deliver(f, X_UD, false, 0), EXEC_STOP);
    assert_int_equal(f->machine.stop, STOP_TRIPLE_FAULT);
    assert_int_equal(f->cpu->activity, SHUTDOWN);
    assert_non_null(strstr(f->machine.stop_text, "rip"));
    fixture_free(f);
}

static void a_failed_delivery_changes_no_register(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 3);
    gate(f, X_UD);
    gate(f, X_PF);
    fixture_store(f, AT_TSS + 4, 8, 0x900000); /* RSP0 points nowhere */
    f->cpu->gpr[RAX] = 1;
    struct cpu before = *f->cpu;
    assert_int_equal(raise_and_deliver(f, X_UD, false, 0), EXEC_STOP); /* #UD, #PF, #DF: all on that stack */
    assert_memory_equal(f->cpu->gpr, before.gpr, sizeof(before.gpr));
    assert_memory_equal(f->cpu->seg, before.seg, sizeof(before.seg));
    assert_int_equal(f->cpu->rip, before.rip);
    fixture_free(f);
}

/* --- 32-bit protected and real mode -------------------------------------------------- */

static void gate32(struct fixture *f, uint8_t vector, unsigned type, unsigned dpl)
{
    fixture_store(f, AT_IDT + vector * 8u, 8,
                  (HANDLER & 0xffff) | (uint64_t)SEL_CODE0 << 16 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
                      (uint64_t)(HANDLER >> 16) << 48);
}

static void protected_mode_delivers_with_and_without_a_stack_change(void **state)
{
    (void)state;
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        struct fixture *f = fixture_new(1);
        fixture_protected_mode(f, cpl);
        gate32(f, X_GP, TYPE_INT_GATE, 0);
        fixture_store(f, AT_TSS + 4, 4, AT_RSP0);
        fixture_store(f, AT_TSS + 8, 4, SEL_DATA0);
        assert_int_equal(raise_and_deliver(f, X_GP, true, 0x77), EXEC_JUMP);
        uint32_t top = cpl ? AT_RSP0 : AT_STACK;
        assert_int_equal(f->cpu->gpr[RSP], top - (cpl ? 24 : 16));
        assert_int_equal(fixture_load(f, f->cpu->gpr[RSP], 4), 0x77);
        assert_int_equal(fixture_load(f, f->cpu->gpr[RSP] + 4, 4), AT_CODE);
        if (cpl) {
            assert_int_equal(fixture_load(f, AT_RSP0 - 8, 4), AT_STACK);
            assert_int_equal(fixture_load(f, AT_RSP0 - 4, 4), SEL_DATA3 | 3);
            assert_int_equal(f->cpu->seg[SS].selector, SEL_DATA0);
        }
        assert_int_equal(cpu_cpl(f->cpu), 0);
        assert_int_equal(f->cpu->rip, HANDLER);
        fixture_free(f);
    }
}

static void real_mode_uses_the_vector_table(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_store(f, 0x21 * 4, 4, 0x1234u << 16 | 0x5678);
    f->cpu->seg[SS].base = 0x20000;
    f->cpu->gpr[RSP] = 0x100;
    f->cpu->rip = 0x10;
    f->cpu->rflags_rest = RFLAGS_IF;
    cpu_raise_software(f->cpu, 0x21, INT_SOFTWARE, LENGTH);
    assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, 0x5678);
    assert_int_equal(f->cpu->seg[CS].base, 0x12340);
    assert_int_equal(f->cpu->gpr[RSP], 0xfa);
    assert_int_equal(fixture_load(f, 0x200fa, 2), 0x12);
    assert_int_equal(fixture_load(f, 0x200fc, 2), 0xf000);
    assert_int_equal(fixture_load(f, 0x200fe, 2), RFLAGS_IF | RFLAGS_FIXED);
    assert_false(cpu_rflags(f->cpu) & RFLAGS_IF);
    fixture_free(f);
}

/* --- between instructions --------------------------------------------------------------- */

static struct fixture *with_apic(void)
{
    struct fixture *f = fixture_new(1);

    fixture_long_mode(f, 0);
    for (unsigned v = 0; v < 256; v++) {
        gate(f, (uint8_t)v);
        fixture_gate(f, (uint8_t)v, TYPE_INT_GATE, 0, true, SEL_CODE0, HANDLER + v * 16, 0);
    }
    apic_mmio_write(f->cpu, 0xf0, 4, 0x1ff);
    return f;
}

static void interrupts_wait_for_if_and_shadows(void **state)
{
    struct fixture *f = with_apic();

    (void)state;
    apic_raise(f->cpu, 0x50, false);
    assert_int_equal(cpu_look(f->cpu), EXEC_OK);
    assert_int_equal(f->cpu->attention & ATTN_INTR, 0); /* asked once, not before every block */
    f->cpu->rflags_rest |= RFLAGS_IF;
    f->cpu->shadow_sti = true;
    cpu_event_recheck(f->cpu);
    assert_int_equal(cpu_look(f->cpu), EXEC_OK);
    assert_true(cpu_event_must_step(f->cpu));
    unsigned token = cpu_event_step_begin(f->cpu);
    cpu_event_step_end(f->cpu, token, EXEC_OK, false);
    assert_false(f->cpu->shadow_sti);
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, HANDLER + 0x50 * 16);
    fixture_free(f);
}

static void nmis_are_blocked_until_iret(void **state)
{
    struct fixture *f = with_apic();
    struct sys_insn iret = { .operand_size = 8, .length = 2 };

    (void)state;
    f->cpu->attention |= ATTN_NMI;
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, HANDLER + X_NMI * 16);
    assert_true(f->cpu->nmi_blocked);
    f->cpu->attention |= ATTN_NMI;
    assert_int_equal(cpu_look(f->cpu), EXEC_OK);
    assert_true(f->cpu->attention & ATTN_NMI);
    assert_int_equal(sys_iret(f->cpu, &iret), EXEC_JUMP);
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    fixture_free(f);
}

static void single_steps_come_after_the_instruction_and_before_interrupts(void **state)
{
    struct fixture *f = with_apic();

    (void)state;
    f->cpu->rflags_rest = RFLAGS_TF | RFLAGS_IF;
    apic_raise(f->cpu, 0x50, false);
    unsigned token = cpu_event_step_begin(f->cpu);
    cpu_event_step_end(f->cpu, token, EXEC_OK, false);
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, HANDLER + X_DB * 16);
    assert_true(f->cpu->dr6 & DR6_BS);
    assert_false(cpu_rflags(f->cpu) & RFLAGS_TF);
    fixture_free(f);
}

static void mov_ss_holds_back_debug_traps_and_nmis(void **state)
{
    struct fixture *f = with_apic();

    (void)state;
    f->cpu->shadow_movss = true;
    f->cpu->pending_db = DR6_BS;
    f->cpu->attention |= ATTN_DB | ATTN_NMI;
    assert_int_equal(cpu_look(f->cpu), EXEC_OK);
    cpu_event_step_end(f->cpu, cpu_event_step_begin(f->cpu), EXEC_OK, false);
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, HANDLER + X_DB * 16); /* the trap first */
    fixture_free(f);
}

static void a_fault_ends_the_shadow_before_its_handler(void **state)
{
    struct fixture *f = with_apic();

    (void)state;
    f->cpu->rflags_rest = RFLAGS_IF;
    f->cpu->shadow_sti = true;
    unsigned token = cpu_event_step_begin(f->cpu);
    cpu_raise(f->cpu, X_UD);
    cpu_event_step_end(f->cpu, token, EXEC_FAULT, false);
    assert_true(f->cpu->shadow_sti); /* a VM exit would still report it */
    assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
    assert_false(f->cpu->shadow_sti);
    fixture_free(f);
}

static void hlt_wakes_for_deliverable_events_only(void **state)
{
    struct fixture *f = with_apic();
    struct sys_insn hlt = { .length = 1, .next_rip = AT_CODE + 1 };

    (void)state;
    assert_int_equal(sys_hlt(f->cpu, &hlt), EXEC_JUMP);
    assert_int_equal(f->cpu->activity, HALTED);
    apic_raise(f->cpu, 0x50, false);
    assert_int_equal(cpu_look(f->cpu), EXEC_OK);
    assert_int_equal(f->cpu->activity, HALTED); /* IF is 0 */
    f->cpu->attention |= ATTN_NMI;
    assert_int_equal(cpu_look(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->activity, ACTIVE);
    assert_int_equal(frame(f, 0), AT_CODE + 1);
    fixture_free(f);
}

static void init_and_sipi_start_a_processor_at_its_vector(void **state)
{
    struct fixture *f = fixture_new(2);
    struct cpu *ap = f->machine.cpu[1];

    (void)state;
    assert_int_equal(ap->activity, WAIT_SIPI);
    ap->attention = ATTN_INIT | ATTN_SIPI;
    ap->sipi_vector = 0x9a;
    assert_int_equal(cpu_look(ap), EXEC_JUMP); /* INIT */
    assert_int_equal(ap->activity, WAIT_SIPI);
    assert_int_equal(cpu_look(ap), EXEC_JUMP);
    assert_int_equal(ap->activity, ACTIVE);
    assert_int_equal(ap->seg[CS].selector, 0x9a00);
    assert_int_equal(ap->seg[CS].base, 0x9a000);
    assert_int_equal(ap->rip, 0);
    ap->attention = ATTN_SIPI; /* ignored now */
    assert_int_equal(cpu_look(ap), EXEC_OK);
    assert_int_equal(ap->attention, 0);
    ap->vtx_on = true; /* INIT is held back in VMX root operation */
    ap->attention = ATTN_INIT;
    assert_int_equal(cpu_look(ap), EXEC_OK);
    assert_int_equal(ap->attention, ATTN_INIT);
    fixture_free(f);
}

static enum exec_result monitor_trap_exits(struct cpu *cpu, bool interrupt, bool nmi)
{
    (void)cpu, (void)interrupt, (void)nmi;
    return EXEC_VMEXIT;
}

static void a_guests_monitor_trap_comes_before_its_debug_trap(void **state)
{
    static const struct vtx_ops ops = { .pending = monitor_trap_exits };
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    f->machine.vtx = &ops;
    f->cpu->nonroot = true;
    f->cpu->pending_db = DR6_BS;
    f->cpu->attention = ATTN_DB;
    assert_int_equal(cpu_look(f->cpu), EXEC_VMEXIT);
    assert_int_equal(f->cpu->pending_db, DR6_BS);
    assert_int_equal(f->cpu->rip, AT_CODE);
    f->cpu->nonroot = false;
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guests_monitor_trap_comes_before_its_debug_trap),
        cmocka_unit_test(a_fault_pushes_the_manuals_frame),
        cmocka_unit_test(trap_gates_leave_if_alone_and_software_interrupts_return_behind),
        cmocka_unit_test(from_ring_3_the_stack_comes_from_the_tss),
        cmocka_unit_test(ist_applies_at_any_privilege),
        cmocka_unit_test(bad_gates_give_the_manuals_errors),
        cmocka_unit_test(conforming_handlers_keep_the_privilege),
        cmocka_unit_test(pairs_of_faults_follow_the_double_fault_table),
        cmocka_unit_test(a_fault_in_the_double_fault_handlers_gate_is_shutdown),
        cmocka_unit_test(a_failed_delivery_changes_no_register),
        cmocka_unit_test(protected_mode_delivers_with_and_without_a_stack_change),
        cmocka_unit_test(real_mode_uses_the_vector_table),
        cmocka_unit_test(interrupts_wait_for_if_and_shadows),
        cmocka_unit_test(nmis_are_blocked_until_iret),
        cmocka_unit_test(single_steps_come_after_the_instruction_and_before_interrupts),
        cmocka_unit_test(mov_ss_holds_back_debug_traps_and_nmis),
        cmocka_unit_test(a_fault_ends_the_shadow_before_its_handler),
        cmocka_unit_test(hlt_wakes_for_deliverable_events_only),
        cmocka_unit_test(init_and_sipi_start_a_processor_at_its_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
