/* Hardware task switches: what is saved, loaded, linked and checked, and on which side of the commit point. */
#include "fixture.h"

#include "sim/cpu/system/task.h"

enum {
    AT_TSS_B = 0x14000, SEL_B = 0x60, SEL_X = 0x68, SEL_GATE = 0x70, RIGHTS_TSS = 0x89, RIGHTS_TSS16 = 0x81,
    OFF_LINK = 0, OFF_CR3 = 0x1c, OFF_EIP = 0x20, OFF_FLAGS = 0x24, OFF_GPR = 0x28, OFF_SEG = 0x48, OFF_LDT = 0x60,
    OFF_T = 0x64, NEW_EIP = 0x32000, NEW_ESP = 0x21000,
};

/* Task A runs at ring 0; the TSS of task B describes ring-0 code with recognizable registers. */
static struct fixture *two_tasks(uint32_t rights_b)
{
    static const uint16_t seg[6] = { SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0, SEL_DATA3 | 3 };
    struct fixture *f = fixture_new(1);

    fixture_protected_mode(f, 0);
    fixture_gdt(f, SEL_B, fixture_descriptor(AT_TSS_B, 0x67, rights_b));
    fixture_store(f, AT_TSS_B + OFF_EIP, 4, NEW_EIP);
    fixture_store(f, AT_TSS_B + OFF_FLAGS, 4, RFLAGS_FIXED | RFLAGS_ZF);
    for (unsigned i = 0; i < 8; i++) {
        fixture_store(f, AT_TSS_B + OFF_GPR + i * 4, 4, i == RSP ? (uint32_t)NEW_ESP : 0xb0000000 + i);
    }
    for (unsigned i = 0; i < 6; i++) {
        fixture_store(f, AT_TSS_B + OFF_SEG + i * 4, 4, seg[i]);
    }
    for (unsigned i = 0; i < 8; i++) {
        f->cpu->gpr[i] = i == RSP ? (uint32_t)AT_STACK : 0xa0000000 + i;
    }
    f->cpu->rflags_rest = RFLAGS_IF;
    return f;
}

static uint8_t busy(struct fixture *f, uint16_t selector)
{
    return fixture_load(f, AT_GDT + selector + 5, 1) & 2;
}

static enum exec_result far(struct fixture *f, sys_fn *fn, uint16_t selector)
{
    const struct sys_insn insn = {
        .opcode = 0xea, .length = 7, .operand_size = 4, .imm = (uint64_t)selector << 32, .next_rip = AT_CODE + 7,
    };
    return fn(f->cpu, &insn);
}

static enum exec_result iret(struct fixture *f)
{
    const struct sys_insn insn = { .opcode = 0xcf, .length = 1, .operand_size = 4, .next_rip = NEW_EIP + 1 };
    return sys_iret(f->cpu, &insn);
}

static void a_jump_saves_one_task_and_loads_the_other(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    assert_int_equal(far(f, sys_far_jmp, SEL_B), EXEC_JUMP);
    assert_int_equal(fixture_load(f, AT_TSS + OFF_EIP, 4), AT_CODE + 7);
    assert_int_equal(fixture_load(f, AT_TSS + OFF_FLAGS, 4), RFLAGS_FIXED | RFLAGS_IF);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(fixture_load(f, AT_TSS + OFF_GPR + i * 4, 4), i == RSP ? (uint32_t)AT_STACK : 0xa0000000 + i);
        assert_int_equal(f->cpu->gpr[i], i == RSP ? (uint32_t)NEW_ESP : 0xb0000000 + i);
    }
    assert_int_equal(fixture_load(f, AT_TSS + OFF_SEG + CS * 4, 2), SEL_CODE0);
    assert_int_equal(f->cpu->rip, NEW_EIP);
    assert_int_equal(cpu_rflags(f->cpu), RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(f->cpu->seg[TR].selector, SEL_B);
    assert_int_equal(f->cpu->seg[TR].rights & SEG_TYPE, TYPE_TSS_BUSY);
    assert_true(f->cpu->seg[FS].rights & SEG_UNUSABLE);
    assert_int_equal(f->cpu->seg[GS].selector, SEL_DATA3 | 3);
    assert_true(f->cpu->cr0 & CR0_TS);
    assert_false(busy(f, SEL_TSS));
    assert_true(busy(f, SEL_B));
    assert_int_equal(fixture_load(f, AT_TSS_B + OFF_LINK, 2), 0);
    fixture_free(f);
}

static void a_call_nests_and_iret_goes_back(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    f->cpu->dr7 = DR7_FIXED | 0x3ff;
    assert_int_equal(far(f, sys_far_call, SEL_B), EXEC_JUMP);
    assert_int_equal(fixture_load(f, AT_TSS_B + OFF_LINK, 2), SEL_TSS);
    assert_true(busy(f, SEL_TSS) && busy(f, SEL_B));
    assert_true(f->cpu->rflags_rest & RFLAGS_NT);
    assert_int_equal(f->cpu->dr7, DR7_FIXED | 0x2aa); /* local enables gone */
    f->cpu->nmi_blocked = true;
    assert_int_equal(iret(f), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, AT_CODE + 7);
    assert_int_equal(f->cpu->seg[TR].selector, SEL_TSS);
    assert_true(busy(f, SEL_TSS));
    assert_false(busy(f, SEL_B));
    assert_false(f->cpu->nmi_blocked);
    assert_false(fixture_load(f, AT_TSS_B + OFF_FLAGS, 4) & RFLAGS_NT); /* cleared in the image */
    assert_int_equal(fixture_load(f, AT_TSS_B + OFF_EIP, 4), NEW_EIP + 1);
    fixture_free(f);
}

static void sixteen_bit_tasks_have_their_own_format(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS16);
    static const uint16_t image[22] = {
        0, 0, 0, 0, 0, 0, 0, 0x2000, RFLAGS_FIXED | RFLAGS_CF, 1, 2, 3, 4, 0x1000, 6, 7, 8,
        SEL_DATA0, SEL_CODE0, SEL_DATA0, SEL_DATA0, 0,
    };

    (void)state;
    fixture_gdt(f, SEL_B, fixture_descriptor(AT_TSS_B, 0x2b, RIGHTS_TSS16));
    mem_write(f->machine.mem, AT_TSS_B, image, sizeof(image));
    assert_int_equal(far(f, sys_far_call, SEL_B), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, 0x2000);
    assert_int_equal(f->cpu->gpr[RAX], 0xffff0001);
    assert_int_equal(f->cpu->gpr[RDI], 0xffff0008);
    assert_true(f->cpu->rflags_rest & RFLAGS_NT);
    assert_true(f->cpu->seg[FS].rights & f->cpu->seg[GS].rights & SEG_UNUSABLE);
    assert_int_equal(f->cpu->seg[TR].rights & SEG_TYPE, TYPE_TSS16_BUSY);
    assert_int_equal(far(f, sys_far_jmp, SEL_X), EXEC_FAULT);
    fixture_free(f);
}

/* Before the commit point: a fault of the old task, and nothing has changed. */
static void bad_descriptors_fault_in_the_old_task(void **state)
{
    static const struct {
        const char *what;
        uint16_t selector;
        uint64_t descriptor; /* of SEL_X */
        unsigned cpl, vector;
        uint32_t error;
    } cases[] = {
#define TSS(limit, rights) ((limit) | 0x4000ull << 16 | 1ull << 32 | (uint64_t)(rights) << 40)
#define GATE(selector, rights) ((uint64_t)(selector) << 16 | (uint64_t)(rights) << 40)
        { "busy", SEL_TSS, 0, 0, X_GP, SEL_TSS },
        { "busy 16-bit", SEL_X, TSS(0x67, 0x83), 0, X_GP, SEL_X },
        { "privilege", SEL_X | 3, TSS(0x67, 0x89), 3, X_GP, SEL_X },
        { "RPL", SEL_X | 1, TSS(0x67, 0x89), 0, X_GP, SEL_X },
        { "absent", SEL_X, TSS(0x67, 0x09), 0, X_NP, SEL_X },
        { "too small", SEL_X, TSS(0x66, 0x89), 0, X_TS, SEL_X },
        { "too small, 16-bit", SEL_X, TSS(0x2a, 0x81), 0, X_TS, SEL_X },
        { "in the LDT", SEL_X | 4, 0, 0, X_GP, SEL_X | 4 },
        { "beyond the GDT", 0x100, 0, 0, X_GP, 0x100 },
        { "gate absent", SEL_X, GATE(SEL_B, 0x05), 0, X_NP, SEL_X },
        { "gate privilege", SEL_X | 3, GATE(SEL_B, 0x85), 3, X_GP, SEL_X },
        { "gate to the LDT", SEL_X, GATE(SEL_B | 4, 0x85), 0, X_GP, SEL_B | 4 },
        { "gate to nothing", SEL_X, GATE(0, 0x85), 0, X_GP, 0 },
        { "gate to code", SEL_X, GATE(SEL_CODE0, 0x85), 0, X_GP, SEL_CODE0 },
        { "gate to a busy task", SEL_X, GATE(SEL_TSS, 0x85), 0, X_GP, SEL_TSS },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned call = 0; call < 2; call++) {
            struct fixture *f = two_tasks(RIGHTS_TSS);
            fixture_gdt(f, SEL_X, cases[i].descriptor);
            fixture_set_cpl(f, cases[i].cpl);
            enum exec_result result = far(f, call ? sys_far_call : sys_far_jmp, cases[i].selector);
            if (result != EXEC_FAULT || f->cpu->fault.vector != cases[i].vector || f->cpu->fault.error != cases[i].error) {
                fail_msg("%s: result %d vector %u error %#x", cases[i].what, result, f->cpu->fault.vector, f->cpu->fault.error);
            }
            assert_int_equal(f->cpu->rip, AT_CODE);
            assert_int_equal(f->cpu->seg[TR].selector, SEL_TSS);
            assert_int_equal(f->cpu->gpr[RAX], 0xa0000000);
            assert_true(busy(f, SEL_TSS));
            fixture_free(f);
        }
    }
}

static void gates_lead_to_tasks_whatever_their_tss_dpl(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    fixture_gdt(f, SEL_X, GATE(SEL_B, 0xe5));
    fixture_set_cpl(f, 3);
    assert_int_equal(far(f, sys_far_call, SEL_X | 3), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, NEW_EIP);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    fixture_free(f);
}

/* Behind it: a fault of the new task, whose registers are loaded. */
static void bad_segments_fault_in_the_new_task(void **state)
{
    static const struct {
        const char *what;
        unsigned offset;
        uint32_t value;
        uint32_t rights; /* of SEL_X */
        unsigned vector;
        uint32_t error;
    } cases[] = {
        { "LDT in the LDT", OFF_LDT, SEL_LDT | 4, 0, X_TS, SEL_LDT | 4 },
        { "LDT is no LDT", OFF_LDT, SEL_CODE0, 0, X_TS, SEL_CODE0 },
        { "LDT absent", OFF_LDT, SEL_X, 0x0002, X_TS, SEL_X },
        { "null SS", OFF_SEG + SS * 4, 0, 0, X_TS, 0 },
        { "SS code", OFF_SEG + SS * 4, SEL_X, 0xc09b, X_TS, SEL_X },
        { "SS DPL", OFF_SEG + SS * 4, SEL_X, 0xc0f3, X_TS, SEL_X },
        { "SS RPL", OFF_SEG + SS * 4, SEL_X | 3, 0xc093, X_TS, SEL_X },
        { "SS absent", OFF_SEG + SS * 4, SEL_X, 0xc013, X_SS, SEL_X },
        { "null CS", OFF_SEG + CS * 4, 0, 0, X_TS, 0 },
        { "CS data", OFF_SEG + CS * 4, SEL_X, 0xc093, X_TS, SEL_X },
        { "CS DPL", OFF_SEG + CS * 4, SEL_X, 0xc0fb, X_TS, SEL_X },
        { "CS absent", OFF_SEG + CS * 4, SEL_X, 0xc01b, X_NP, SEL_X },
        { "DS execute-only", OFF_SEG + DS * 4, SEL_X, 0xc099, X_TS, SEL_X },
        { "ES absent", OFF_SEG + ES * 4, SEL_X, 0xc013, X_NP, SEL_X },
        { "FS RPL", OFF_SEG + FS * 4, SEL_X | 3, 0xc093, X_TS, SEL_X },
        { "GS beyond the GDT", OFF_SEG + GS * 4, 0x100, 0, X_TS, 0x100 },
        { "EIP beyond CS", OFF_SEG + CS * 4, SEL_X, 0x409b, X_GP, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = two_tasks(RIGHTS_TSS);
        fixture_gdt(f, SEL_X, fixture_descriptor(0, 0xfff, cases[i].rights));
        fixture_store(f, AT_TSS_B + cases[i].offset, 2, cases[i].value);
        enum exec_result result = far(f, sys_far_jmp, SEL_B);
        if (result != EXEC_FAULT || f->cpu->fault.vector != cases[i].vector || f->cpu->fault.error != cases[i].error) {
            fail_msg("%s: result %d vector %u error %#x", cases[i].what, result, f->cpu->fault.vector, f->cpu->fault.error);
        }
        assert_int_equal(f->cpu->rip, NEW_EIP);
        assert_int_equal(f->cpu->seg[TR].selector, SEL_B);
        assert_int_equal(f->cpu->gpr[RAX], 0xb0000000);
        assert_int_equal(cpu_cpl(f->cpu), 0);
        fixture_free(f);
    }
}

static void iret_refuses_links_with_ts(void **state)
{
    static const struct { const char *what; uint16_t link; uint32_t rights; unsigned vector; } cases[] = {
        { "available", SEL_X, 0x89, X_TS }, { "absent", SEL_X, 0x0b, X_NP },
        { "code", SEL_CODE0, 0x89, X_TS }, { "LDT", SEL_X | 4, 0x8b, X_TS }, { "beyond", 0x100, 0x8b, X_TS },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = two_tasks(RIGHTS_TSS);
        fixture_gdt(f, SEL_X, fixture_descriptor(AT_TSS_B, 0x67, cases[i].rights));
        fixture_store(f, AT_TSS + OFF_LINK, 2, cases[i].link);
        f->cpu->rflags_rest |= RFLAGS_NT;
        assert_int_equal(iret(f), EXEC_FAULT);
        assert_int_equal(f->cpu->fault.vector, cases[i].vector);
        assert_int_equal(f->cpu->fault.error, cases[i].link & ~3u);
        assert_int_equal(f->cpu->seg[TR].selector, SEL_TSS);
        fixture_free(f);
    }
}

static void a_fault_through_a_task_gate_brings_its_error_code(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    fixture_store(f, AT_IDT + X_GP * 8, 8, GATE(SEL_B, 0x85));
    cpu_raise_error(f->cpu, X_GP, 0x1234);
    assert_int_equal(cpu_deliver(f->cpu), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, NEW_EIP);
    assert_int_equal(f->cpu->gpr[RSP], NEW_ESP - 4);
    assert_int_equal(fixture_load(f, NEW_ESP - 4, 4), 0x1234);
    assert_int_equal(fixture_load(f, AT_TSS + OFF_EIP, 4), AT_CODE);
    assert_true(fixture_load(f, AT_TSS + OFF_FLAGS, 4) & RFLAGS_RF); /* a fault's image */
    assert_true(f->cpu->rflags_rest & RFLAGS_NT);
    fixture_free(f);
}

static void a_task_may_be_virtual_8086(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    fixture_store(f, AT_TSS_B + OFF_FLAGS, 4, RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IOPL);
    fixture_store(f, AT_TSS_B + OFF_EIP, 4, 0x20);
    for (unsigned i = 0; i < 6; i++) {
        fixture_store(f, AT_TSS_B + OFF_SEG + i * 4, 2, 0x3000 + i);
    }
    assert_int_equal(far(f, sys_far_jmp, SEL_B), EXEC_JUMP);
    assert_true(f->cpu->mode & MODE_V86);
    assert_int_equal(cpu_cpl(f->cpu), 3);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(f->cpu->seg[i].base, 0x30000 + i * 16);
        assert_int_equal(f->cpu->seg[i].limit, 0xffff);
    }
    fixture_free(f);
}

static void the_t_flag_traps_before_the_first_instruction(void **state)
{
    struct fixture *f = two_tasks(RIGHTS_TSS);

    (void)state;
    fixture_store(f, AT_TSS_B + OFF_T, 1, 1);
    assert_int_equal(far(f, sys_far_jmp, SEL_B), EXEC_JUMP);
    assert_int_equal(f->cpu->pending_db, DR6_BT);
    assert_true(f->cpu->attention & ATTN_DB);
    fixture_free(f);
}

static void there_are_no_tasks_in_ia32e_mode(void **state)
{
    struct fixture *f = fixture_new(1);
    const struct sys_insn insn = { .opcode = 0xff, .operand_size = 4, .segment = DS, .ea = AT_DATA, .next_rip = AT_CODE + 3 };

    (void)state;
    fixture_long_mode(f, 0);
    fixture_gdt(f, SEL_B, fixture_descriptor(AT_TSS_B, 0x67, RIGHTS_TSS));
    fixture_store(f, AT_DATA + 4, 2, SEL_B);
    assert_int_equal(sys_far_jmp(f->cpu, &insn), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    assert_int_equal(f->cpu->fault.error, SEL_B);
    f->cpu->rflags_rest |= RFLAGS_NT;
    assert_int_equal(iret(f), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jump_saves_one_task_and_loads_the_other),
        cmocka_unit_test(a_call_nests_and_iret_goes_back),
        cmocka_unit_test(sixteen_bit_tasks_have_their_own_format),
        cmocka_unit_test(bad_descriptors_fault_in_the_old_task),
        cmocka_unit_test(gates_lead_to_tasks_whatever_their_tss_dpl),
        cmocka_unit_test(bad_segments_fault_in_the_new_task),
        cmocka_unit_test(iret_refuses_links_with_ts),
        cmocka_unit_test(a_fault_through_a_task_gate_brings_its_error_code),
        cmocka_unit_test(a_task_may_be_virtual_8086),
        cmocka_unit_test(the_t_flag_traps_before_the_first_instruction),
        cmocka_unit_test(there_are_no_tasks_in_ia32e_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
