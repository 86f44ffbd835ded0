/* Virtual-8086 mode: the ways in and out, who owns IF, and what is forbidden. */
#include "fixture.h"

#include "sim/cpu/system/v86.h"

enum { HANDLER = 0x31000, AT_STUB = 0x50000, V86_SS = 0x2000, V86_SP = 0x100, MAP_BASE = 0x88 };

static enum exec_result run(struct fixture *f, sys_fn *fn, unsigned size, uint64_t imm)
{
    const struct sys_insn insn = {
        .operand_size = (uint8_t)size, .length = 2, .imm = imm, .next_rip = f->cpu->rip + 2, .modrm = 0xc0,
    };
    return fn(f->cpu, &insn);
}

/* In virtual-8086 mode at 3000:0010 with IOPL 'iopl'. */
static struct fixture *v86(unsigned iopl, uint64_t cr4, uint64_t flags)
{
    struct fixture *f = fixture_new(1);

    fixture_protected_mode(f, 0);
    fixture_gdt(f, SEL_TSS, fixture_descriptor(AT_TSS, 0xff, 0x8b));
    f->cpu->seg[TR].limit = 0xff;
    fixture_store(f, AT_TSS + 4, 4, AT_RSP0);
    fixture_store(f, AT_TSS + 8, 4, SEL_DATA0);
    fixture_store(f, AT_TSS + 102, 2, MAP_BASE);
    f->cpu->cr4 = cr4;
    f->cpu->rflags_rest = flags | RFLAGS_VM | (uint64_t)iopl << RFLAGS_IOPL_SHIFT;
    for (unsigned i = ES; i <= GS; i++) {
        f->cpu->seg[i] = seg_v86((uint16_t)(0x4000 + i));
    }
    f->cpu->seg[CS] = seg_v86(0x3000);
    f->cpu->seg[SS] = seg_v86(V86_SS);
    f->cpu->gpr[RSP] = V86_SP;
    f->cpu->rip = 0x10;
    cpu_update_mode(f->cpu);
    mmu_mode_changed(f->cpu);
    return f;
}

static void iretd_with_vm_enters(void **state)
{
    static const uint32_t frame[9] = {
        0x1234, 0x3000, RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL, 0xabcd1000, 0x2000, 0x11, 0x22, 0x33, 0x44,
    };
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_protected_mode(f, 0);
    mem_write(f->machine.mem, AT_STACK, frame, sizeof(frame));
    assert_int_equal(run(f, sys_iret, 4, 0), EXEC_JUMP);
    assert_true(f->cpu->mode & MODE_V86);
    assert_false(f->cpu->mode & (MODE_CODE32 | MODE_FLAT));
    assert_int_equal(cpu_cpl(f->cpu), 3);
    assert_int_equal(f->cpu->rip, 0x1234);
    assert_int_equal(f->cpu->gpr[RSP], 0xabcd1000);
    assert_int_equal(cpu_rflags(f->cpu), frame[2]);
    assert_int_equal(f->cpu->seg[CS].base, 0x30000);
    assert_int_equal(f->cpu->seg[GS].base, 0x440);
    assert_int_equal(f->cpu->seg[ES].rights, 0xf3);
    fixture_free(f);
}

static void events_leave_with_every_segment_saved(void **state)
{
    for (unsigned wide = 0; wide < 2; wide++) {
        struct fixture *f = v86(3, 0, RFLAGS_IF);
        unsigned width = wide ? 4 : 2, n = 0;
        uint64_t gate = HANDLER % 0x10000 | SEL_CODE0 << 16 | (uint64_t)(wide ? 0x8e : 0x86) << 40 | (uint64_t)(wide ? HANDLER >> 16 : 0) << 48;
        (void)state;
        fixture_store(f, AT_IDT + X_GP * 8, 8, gate);
        cpu_raise_error(f->cpu, X_GP, 0x55);
        assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
        assert_false(f->cpu->mode & MODE_V86);
        assert_int_equal(cpu_cpl(f->cpu), 0);
        assert_int_equal(f->cpu->gpr[RSP], AT_RSP0 - 10 * width);
        uint32_t expect[10] = {
            0x55, 0x10, 0x3000, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_RF, V86_SP, V86_SS,
            0x4000 + ES, 0x4000 + DS, 0x4000 + FS, 0x4000 + GS,
        };
        for (; n < 10; n++) {
            assert_int_equal(fixture_load(f, f->cpu->gpr[RSP] + n * width, width), wide ? expect[n] : (uint16_t)expect[n]);
        }
        for (unsigned i = ES; i <= GS; i++) {
            assert_true(i == CS || i == SS || (f->cpu->seg[i].rights == SEG_UNUSABLE && !f->cpu->seg[i].selector));
        }
        assert_false(cpu_rflags(f->cpu) & (RFLAGS_VM | RFLAGS_IF | RFLAGS_RF));
        fixture_free(f);
    }
}

static void handlers_must_be_ring_0(void **state)
{
    static const uint32_t rights[] = { 0xc0fb, 0xc09f, 0xc0bb }; /* DPL 3, conforming, DPL 1 */

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *f = v86(3, 0, 0);
        fixture_gdt(f, SEL_FREE, fixture_descriptor(0, 0xfffff, rights[i]));
        fixture_store(f, AT_IDT + 0x40 * 8, 8, SEL_FREE << 16 | 0xeeull << 40);
        cpu_raise_software(f->cpu, 0x40, INT_SOFTWARE, 2);
        assert_int_equal(cpu_event_through_idt32(f->cpu, &(struct fault){ .vector = 0x40, .software = true, .int_type = INT_SOFTWARE }, false, 0x12), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, X_GP);
        assert_int_equal(f->cpu->fault.error, SEL_FREE);
        fixture_free(f);
    }
}

/* The manual's tables of CLI, STI, PUSHF, POPF, IRET, INT n in virtual-8086 mode. */
static void sensitive_instructions_ask_for_iopl_3_or_vme(void **state)
{
    enum { GP = 1, IF_CHANGES = 2, VIF_CHANGES = 4, JUMPS = 8 };
    static const struct {
        const char *what;
        sys_fn *fn;
        unsigned size;
        unsigned own, plain, vme; /* IOPL 3; IOPL 0; IOPL 0 with VME */
    } cases[] = {
        { "CLI", sys_cli, 2, IF_CHANGES, GP, VIF_CHANGES },
        { "STI", sys_sti, 2, 0, GP, 0 },
        { "PUSHF", sys_pushf, 2, 0, GP, 0 },
        { "PUSHFD", sys_pushf, 4, 0, GP, GP },
        { "POPF", sys_popf, 2, IF_CHANGES, GP, VIF_CHANGES },
        { "POPFD", sys_popf, 4, IF_CHANGES, GP, GP },
        { "IRET", sys_iret, 2, IF_CHANGES, GP, VIF_CHANGES },
        { "IRETD", sys_iret, 4, IF_CHANGES, GP, GP },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const unsigned expect[3] = { cases[i].own, cases[i].plain, cases[i].vme };
        for (unsigned n = 0; n < 3; n++) {
            struct fixture *f = v86(n ? 0 : 3, n == 2 ? CR4_VME : 0, RFLAGS_IF | RFLAGS_VIF);
            enum exec_result result = run(f, cases[i].fn, cases[i].size, 0); /* every image is 0 */
            if ((result == EXEC_FAULT) != (expect[n] == GP) ||
                !(f->cpu->rflags_rest & RFLAGS_IF) != (expect[n] == IF_CHANGES) ||
                !(f->cpu->rflags_rest & RFLAGS_VIF) != (expect[n] == VIF_CHANGES) || !cpu_is_v86(f->cpu)) {
                fail_msg("%s, column %u: result %d flags %#llx", cases[i].what, n, result,
                         (unsigned long long)f->cpu->rflags_rest);
            }
            assert_int_equal(f->cpu->rflags_rest >> RFLAGS_IOPL_SHIFT & 3, n ? 0 : 3);
            fixture_free(f);
        }
    }
}

static void images_show_vif_as_if(void **state)
{
    (void)state;
    for (unsigned vif = 0; vif < 2; vif++) {
        struct fixture *f = v86(0, CR4_VME, vif ? RFLAGS_VIF : RFLAGS_IF);
        assert_int_equal(run(f, sys_pushf, 2, 0), EXEC_OK);
        uint16_t image = (uint16_t)fixture_load(f, V86_SS * 16 + V86_SP - 2, 2);
        assert_int_equal(image, RFLAGS_FIXED | RFLAGS_IOPL | (vif ? RFLAGS_IF : 0));
        fixture_free(f);
    }
}

static void a_pending_virtual_interrupt_faults_whoever_enables(void **state)
{
    static const struct { sys_fn *fn; uint16_t image; } cases[] = {
        { sys_sti, 0 }, { sys_popf, RFLAGS_IF }, { sys_iret, RFLAGS_IF }, { sys_popf, RFLAGS_TF }, { sys_iret, RFLAGS_TF },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = v86(0, CR4_VME, RFLAGS_VIP);
        fixture_store(f, V86_SS * 16 + V86_SP + (cases[i].fn == sys_iret ? 4 : 0), 2, cases[i].image);
        assert_int_equal(run(f, cases[i].fn, 2, 0), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, X_GP);
        assert_int_equal(f->cpu->gpr[RSP], V86_SP);
        fixture_free(f);
    }
}

static void protected_mode_virtual_interrupts_are_for_cli_and_sti(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_protected_mode(f, 3);
    f->cpu->cr4 = CR4_PVI;
    f->cpu->rflags_rest = RFLAGS_IF;
    assert_int_equal(run(f, sys_sti, 4, 0), EXEC_OK);
    assert_true(f->cpu->rflags_rest & RFLAGS_VIF);
    assert_int_equal(run(f, sys_cli, 4, 0), EXEC_OK);
    assert_int_equal(f->cpu->rflags_rest & (RFLAGS_IF | RFLAGS_VIF), RFLAGS_IF);
    f->cpu->rflags_rest |= RFLAGS_VIP;
    assert_int_equal(run(f, sys_sti, 4, 0), EXEC_FAULT);
    fixture_free(f);
}

static void int_n_follows_the_redirection_bitmap(void **state)
{
    enum { VECTOR = 0x21 };
    static const struct { unsigned iopl; bool vme, bit, redirected; enum exec_result result; unsigned vector; } cases[] = {
        { 3, false, false, false, EXEC_FAULT, VECTOR }, /* the software event itself */
        { 0, false, false, false, EXEC_FAULT, X_GP },
        { 3, true, false, true, EXEC_JUMP, 0 },
        { 0, true, false, true, EXEC_JUMP, 0 },
        { 3, true, true, false, EXEC_FAULT, VECTOR },
        { 0, true, true, false, EXEC_FAULT, X_GP },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = v86(cases[i].iopl, cases[i].vme ? CR4_VME : 0, RFLAGS_IF | RFLAGS_VIF);
        fixture_store(f, VECTOR * 4, 4, 0x5000u << 16 | 0x77);
        fixture_store(f, AT_TSS + MAP_BASE - 32 + VECTOR / 8, 1, cases[i].bit ? 1 << (VECTOR & 7) : 0);
        assert_int_equal(run(f, sys_int_n, 2, VECTOR), cases[i].result);
        if (cases[i].redirected) {
            assert_int_equal(f->cpu->seg[CS].base, 0x50000);
            assert_int_equal(f->cpu->rip, 0x77);
            assert_int_equal(fixture_load(f, V86_SS * 16 + V86_SP - 6, 2), 0x12);
            assert_int_equal(fixture_load(f, V86_SS * 16 + V86_SP - 4, 2), 0x3000);
            assert_int_equal(fixture_load(f, V86_SS * 16 + V86_SP - 2, 2), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_IOPL);
            assert_int_equal(f->cpu->rflags_rest & (RFLAGS_IF | RFLAGS_VIF), cases[i].iopl ? RFLAGS_VIF : RFLAGS_IF);
        } else {
            assert_int_equal(f->cpu->fault.vector, cases[i].vector);
        }
        fixture_free(f);
    }
}

static void ports_ask_the_bitmap_whatever_iopl(void **state)
{
    struct fixture *f = v86(3, 0, 0);

    (void)state;
    f->cpu->gpr[RDX] = 0x10;
    const struct sys_insn insn = { .opcode = 0xec, .operand_size = 1, .length = 1, .next_rip = 0x11 };
    assert_int_equal(sys_in(f->cpu, &insn), EXEC_OK);
    fixture_store(f, AT_TSS + MAP_BASE + 2, 1, 1);
    assert_int_equal(sys_in(f->cpu, &insn), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    fixture_free(f);
}

static void instructions_about_selectors_are_undefined(void **state)
{
    static sys_fn *const undefined[] = { sys_sldt, sys_str, sys_lldt, sys_ltr, sys_lar, sys_lsl, sys_verr, sys_verw, sys_arpl };
    static sys_fn *const privileged[] = { sys_hlt, sys_clts, sys_lmsw, sys_mov_to_cr, sys_mov_from_cr };

    (void)state;
    for (unsigned i = 0; i < sizeof(undefined) / sizeof(undefined[0]); i++) {
        struct fixture *f = v86(3, 0, 0);
        assert_int_equal(run(f, undefined[i], 2, 0), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, X_UD);
        fixture_free(f);
    }
    for (unsigned i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
        struct fixture *f = v86(3, 0, 0);
        assert_int_equal(run(f, privileged[i], 2, 0), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, X_GP);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iretd_with_vm_enters),
        cmocka_unit_test(events_leave_with_every_segment_saved),
        cmocka_unit_test(handlers_must_be_ring_0),
        cmocka_unit_test(sensitive_instructions_ask_for_iopl_3_or_vme),
        cmocka_unit_test(images_show_vif_as_if),
        cmocka_unit_test(a_pending_virtual_interrupt_faults_whoever_enables),
        cmocka_unit_test(protected_mode_virtual_interrupts_are_for_cli_and_sti),
        cmocka_unit_test(int_n_follows_the_redirection_bitmap),
        cmocka_unit_test(ports_ask_the_bitmap_whatever_iopl),
        cmocka_unit_test(instructions_about_selectors_are_undefined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
