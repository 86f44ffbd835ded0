/* Segment loads, far transfers, interrupt returns, fast system calls. */
#include "fixture.h"

enum { TARGET = 0x31000 };

static uint64_t make(uint32_t rights)
{
    return fixture_descriptor(0x1000, 0xfffff, rights);
}

struct expect {
    enum exec_result result;
    unsigned vector;
    uint32_t error;
};
#define LOADS { EXEC_OK, 0, 0 }
#define FAULT(vector, error) { EXEC_FAULT, vector, error }

static void check(struct fixture *f, enum exec_result result, const struct expect *e)
{
    assert_int_equal(result, e->result);
    if (e->result == EXEC_FAULT) {
        assert_int_equal(f->cpu->fault.vector, e->vector);
        assert_int_equal(f->cpu->fault.error, e->error);
    }
}

/* --- MOV to segment registers ------------------------------------------------------ */

static void loads_check_what_the_manual_checks(void **state)
{
    enum { S = SEL_FREE };
    static const struct {
        const char *what;
        unsigned segment, cpl;
        uint16_t selector;
        uint32_t rights; /* of SEL_FREE */
        struct expect expect;
    } cases[] = {
        { "data", DS, 0, S, 0xc093, LOADS },
        { "null DS", DS, 3, 3, 0, LOADS },
        { "beyond the limit", ES, 0, 0x100, 0, FAULT(X_GP, 0x100) },
        { "no LDT", ES, 0, 0x0c, 0, FAULT(X_GP, 0x0c) },
        { "system descriptor", DS, 0, S, 0x0089, FAULT(X_GP, S) },
        { "execute-only code", DS, 0, S, 0xc099, FAULT(X_GP, S) },
        { "readable code", DS, 0, S, 0xc09b, LOADS },
        { "too privileged", DS, 3, S | 3, 0xc093, FAULT(X_GP, S) },
        { "RPL above DPL", DS, 0, S | 3, 0xc093, FAULT(X_GP, S) },
        { "conforming code at any ring", DS, 3, S | 3, 0xc09f, LOADS },
        { "absent", FS, 0, S, 0xc013, FAULT(X_NP, S) },
        { "type before presence", FS, 0, S, 0x0009, FAULT(X_GP, S) },
        { "stack", SS, 0, S, 0xc093, LOADS },
        { "stack of ring 3", SS, 3, S | 3, 0xc0f3, LOADS },
        { "stack RPL", SS, 3, S | 2, 0xc0f3, FAULT(X_GP, S) },
        { "stack DPL", SS, 0, S, 0xc0f3, FAULT(X_GP, S) },
        { "stack read-only", SS, 0, S, 0xc091, FAULT(X_GP, S) },
        { "stack code", SS, 0, S, 0xc09b, FAULT(X_GP, S) },
        { "stack absent", SS, 0, S, 0xc013, FAULT(X_SS, S) },
        { "null SS in ring 0", SS, 0, 0, 0, LOADS },
        { "null SS, wrong RPL", SS, 0, 1, 0, FAULT(X_GP, 0) },
        { "null SS in ring 3", SS, 3, 3, 0, FAULT(X_GP, 0) },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, cases[i].cpl);
        fixture_gdt(f, SEL_FREE, make(cases[i].rights));
        struct segment before = f->cpu->seg[cases[i].segment];
        enum exec_result result = seg_load_register(f->cpu, cases[i].segment, cases[i].selector);
        check(f, result, &cases[i].expect);
        if (result == EXEC_OK) {
            assert_int_equal(f->cpu->seg[cases[i].segment].selector, cases[i].selector);
        } else {
            assert_memory_equal(&f->cpu->seg[cases[i].segment], &before, sizeof(before));
        }
        fixture_free(f);
    }
}

static void a_load_sets_the_accessed_flag_and_the_hidden_part(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_long_mode(f, 0);
    fixture_gdt(f, SEL_FREE, fixture_descriptor(0x89abcdef, 0x12345, 0xc092));
    assert_int_equal(seg_load_register(f->cpu, ES, SEL_FREE), EXEC_OK);
    assert_int_equal(f->cpu->seg[ES].base, 0x89abcdef);
    assert_int_equal(f->cpu->seg[ES].limit, 0x12345fff);
    assert_int_equal(f->cpu->seg[ES].rights, 0xc093);
    assert_int_equal(fixture_load(f, AT_GDT + SEL_FREE + 5, 1), 0x93);
    fixture_free(f);
}

static void flat_32_bit_mode_is_noticed(void **state)
{
    struct fixture *f = fixture_new(1);

    (void)state;
    fixture_protected_mode(f, 0);
    assert_true(f->cpu->mode & MODE_FLAT);
    fixture_gdt(f, SEL_FREE, make(0xc093)); /* base 1000H */
    assert_int_equal(seg_load_register(f->cpu, DS, SEL_FREE), EXEC_OK);
    assert_false(f->cpu->mode & MODE_FLAT);
    assert_int_equal(seg_load_register(f->cpu, DS, SEL_DATA0), EXEC_OK);
    assert_true(f->cpu->mode & MODE_FLAT);
    fixture_free(f);
}

static void mov_and_pop_ss_begin_a_shadow(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn mov = { .modrm = 0xd0, .reg = SS, .rm = RAX, .operand_size = 4, .next_rip = 77 };
    struct sys_insn bad = { .modrm = 0xc8, .reg = CS, .rm = RAX, .operand_size = 4 };

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->gpr[RAX] = SEL_DATA0;
    assert_int_equal(sys_mov_sreg_load(f->cpu, &mov), EXEC_JUMP);
    assert_true(f->cpu->shadow_movss);
    assert_int_equal(f->cpu->rip, 77);
    assert_int_equal(sys_mov_sreg_load(f->cpu, &bad), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_UD);
    fixture_free(f);
}

/* --- LLDT, LTR ------------------------------------------------------------------------- */

static void ltr_marks_the_tss_busy_and_refuses_it_then(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn ltr = { .modrm = 0xd8, .rm = RAX, .operand_size = 2 };

    (void)state;
    fixture_long_mode(f, 0);
    fixture_gdt(f, SEL_FREE, fixture_descriptor(0x5000, 0x67, 0x89));
    fixture_store(f, AT_GDT + SEL_FREE + 8, 8, 0xffff8000);
    f->cpu->gpr[RAX] = SEL_FREE;
    assert_int_equal(sys_ltr(f->cpu, &ltr), EXEC_OK);
    assert_int_equal(f->cpu->seg[TR].base, 0xffff800000005000);
    assert_int_equal(f->cpu->seg[TR].rights, 0x8b);
    assert_int_equal(fixture_load(f, AT_GDT + SEL_FREE + 5, 1), 0x8b);
    check(f, sys_ltr(f->cpu, &ltr), &(struct expect)FAULT(X_GP, SEL_FREE));
    f->cpu->gpr[RAX] = 0;
    check(f, sys_ltr(f->cpu, &ltr), &(struct expect)FAULT(X_GP, 0));
    fixture_free(f);
}

static void lldt_loads_null_and_checks_the_type(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn lldt = { .modrm = 0xd0, .rm = RAX, .operand_size = 2 };

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->gpr[RAX] = SEL_LDT;
    assert_int_equal(sys_lldt(f->cpu, &lldt), EXEC_OK);
    assert_int_equal(f->cpu->seg[LDTR].base, AT_LDT);
    fixture_store(f, AT_LDT + 8, 8, fixture_descriptor(0, 0xfffff, 0xc093));
    assert_int_equal(seg_load_register(f->cpu, ES, 0x0c), EXEC_OK);
    f->cpu->gpr[RAX] = SEL_DATA0;
    check(f, sys_lldt(f->cpu, &lldt), &(struct expect)FAULT(X_GP, SEL_DATA0));
    f->cpu->gpr[RAX] = SEL_LDT | 4;
    check(f, sys_lldt(f->cpu, &lldt), &(struct expect)FAULT(X_GP, SEL_LDT | 4));
    f->cpu->gpr[RAX] = 0;
    assert_int_equal(sys_lldt(f->cpu, &lldt), EXEC_OK);
    assert_true(f->cpu->seg[LDTR].rights & SEG_UNUSABLE);
    fixture_set_cpl(f, 3);
    check(f, sys_lldt(f->cpu, &lldt), &(struct expect)FAULT(X_GP, 0));
    fixture_free(f);
}

/* --- far transfers ------------------------------------------------------------------------ */

static enum exec_result far_jump(struct fixture *f, uint16_t selector, uint64_t offset)
{
    struct sys_insn jmp = { .opcode = 0xff, .modrm = 0x2d, .operand_size = 8, .segment = DS, .ea = AT_DATA };

    fixture_store(f, AT_DATA, 8, offset);
    fixture_store(f, AT_DATA + 8, 2, selector);
    return sys_far_jmp(f->cpu, &jmp);
}

static void far_jumps_check_the_target(void **state)
{
    enum { S = SEL_FREE };
    static const struct {
        unsigned cpl;
        uint16_t selector;
        uint32_t rights;
        uint64_t offset;
        struct expect expect;
    } cases[] = {
        { 0, S, 0xa09b, TARGET, { EXEC_JUMP, 0, 0 } },
        { 0, S, 0xc09b, TARGET, { EXEC_JUMP, 0, 0 } },          /* to compatibility mode */
        { 0, 0, 0, TARGET, FAULT(X_GP, 0) },
        { 0, S, 0xc093, TARGET, FAULT(X_GP, S) },               /* data */
        { 0, S, 0xe09b, TARGET, FAULT(X_GP, S) },               /* L and D */
        { 0, S, 0xa0fb, TARGET, FAULT(X_GP, S) },               /* less privileged */
        { 3, S | 3, 0xa09b, TARGET, FAULT(X_GP, S) },           /* more privileged */
        { 3, S | 3, 0xa09f, TARGET, { EXEC_JUMP, 0, 0 } },      /* conforming */
        { 0, S | 3, 0xa09b, TARGET, FAULT(X_GP, S) },           /* RPL */
        { 0, S, 0xa01b, TARGET, FAULT(X_NP, S) },
        { 0, S, 0xa09b, 0x800000000000, FAULT(X_GP, 0) },
        { 0, S, 0x0089, TARGET, FAULT(X_GP, S) },               /* a TSS, in IA-32e mode */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, cases[i].cpl);
        fixture_gdt(f, SEL_FREE, fixture_descriptor(0, 0xfffff, cases[i].rights));
        check(f, far_jump(f, cases[i].selector, cases[i].offset), &cases[i].expect);
        if (cases[i].expect.result == EXEC_JUMP) {
            assert_int_equal(f->cpu->rip, cases[i].offset);
            assert_int_equal(cpu_cpl(f->cpu), cases[i].cpl);
            assert_int_equal(f->cpu->seg[CS].selector, (cases[i].selector & ~3) | cases[i].cpl);
            assert_int_equal(!!(f->cpu->mode & MODE_LONG64), cases[i].rights >> 13 & 1);
        } else {
            assert_int_equal(f->cpu->rip, AT_CODE);
        }
        fixture_free(f);
    }
}

static void a_call_gate_leads_inward_and_ret_leads_back(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn call = {
        .opcode = 0xff, .modrm = 0x1d, .operand_size = 8, .segment = DS, .ea = AT_DATA, .next_rip = AT_CODE + 6,
    };
    struct sys_insn ret = { .opcode = 0xcb, .operand_size = 8 };

    (void)state;
    fixture_long_mode(f, 3);
    fixture_gdt(f, SEL_FREE, (TARGET & 0xffff) | SEL_CODE0 << 16 | 0xecull << 40 | (uint64_t)(TARGET >> 16) << 48);
    fixture_gdt(f, SEL_FREE + 8, 0);
    fixture_store(f, AT_DATA, 8, 0x9999);
    fixture_store(f, AT_DATA + 8, 2, SEL_FREE | 3);
    assert_int_equal(sys_far_call(f->cpu, &call), EXEC_JUMP);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    assert_int_equal(f->cpu->rip, TARGET);
    assert_int_equal(f->cpu->gpr[RSP], AT_RSP0 - 32);
    assert_int_equal(fixture_load(f, AT_RSP0 - 32, 8), AT_CODE + 6);
    assert_int_equal(fixture_load(f, AT_RSP0 - 24, 8), SEL_CODE3 | 3);
    assert_int_equal(fixture_load(f, AT_RSP0 - 16, 8), AT_STACK);
    assert_int_equal(fixture_load(f, AT_RSP0 - 8, 8), SEL_DATA3 | 3);
    assert_int_equal(seg_load_register(f->cpu, ES, SEL_DATA0), EXEC_OK);
    assert_int_equal(sys_far_ret(f->cpu, &ret), EXEC_JUMP);
    assert_int_equal(cpu_cpl(f->cpu), 3);
    assert_int_equal(f->cpu->rip, AT_CODE + 6);
    assert_int_equal(f->cpu->gpr[RSP], AT_STACK);
    assert_int_equal(f->cpu->seg[ES].selector, 0); /* too privileged for ring 3 */
    assert_int_equal(f->cpu->seg[DS].selector, SEL_DATA3 | 3);
    fixture_free(f);
}

/* --- IRET --------------------------------------------------------------------------------- */

static void push_iret(struct fixture *f, uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss)
{
    const uint64_t frame[5] = { rip, cs, rflags, rsp, ss };

    f->cpu->gpr[RSP] = AT_STACK - sizeof(frame);
    for (unsigned i = 0; i < 5; i++) {
        fixture_store(f, AT_STACK - sizeof(frame) + i * 8, 8, frame[i]);
    }
}

static void iretq_returns_to_every_ring(void **state)
{
    struct sys_insn iret = { .operand_size = 8, .length = 2 };
    static const struct {
        unsigned cpl;
        uint16_t cs, ss;
        uint64_t rip;
        struct expect expect;
    } cases[] = {
        { 0, SEL_CODE0, SEL_DATA0, TARGET, { EXEC_JUMP, 0, 0 } },
        { 0, SEL_CODE0, 0, TARGET, { EXEC_JUMP, 0, 0 } },              /* null SS to ring 0 */
        { 0, SEL_CODE3 | 3, SEL_DATA3 | 3, TARGET, { EXEC_JUMP, 0, 0 } },
        { 0, SEL_CODE32_3 | 3, SEL_DATA3 | 3, TARGET, { EXEC_JUMP, 0, 0 } },
        { 0, SEL_CODE3 | 3, 3, TARGET, FAULT(X_GP, 0) },               /* null SS to ring 3 */
        { 0, SEL_CODE0, SEL_DATA3, TARGET, FAULT(X_GP, SEL_DATA3) },   /* SS.DPL */
        { 0, 0, SEL_DATA0, TARGET, FAULT(X_GP, 0) },
        { 0, SEL_DATA0, SEL_DATA0, TARGET, FAULT(X_GP, SEL_DATA0) },
        { 0, SEL_CODE0 | 3, SEL_DATA3 | 3, TARGET, FAULT(X_GP, SEL_CODE0) }, /* DPL is not RPL */
        { 3, SEL_CODE0, SEL_DATA0, TARGET, FAULT(X_GP, SEL_CODE0) },   /* inward */
        { 3, SEL_CODE3 | 3, SEL_DATA3 | 3, TARGET, { EXEC_JUMP, 0, 0 } },
        { 0, SEL_CODE0, SEL_DATA0, 0x800000000000, FAULT(X_GP, 0) },
        { 0, 0x100, SEL_DATA0, TARGET, FAULT(X_GP, 0x100) },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        fixture_long_mode(f, cases[i].cpl);
        f->cpu->nmi_blocked = true;
        push_iret(f, cases[i].rip, cases[i].cs, RFLAGS_IF | RFLAGS_CF, AT_DATA + 8, cases[i].ss);
        uint64_t rsp = f->cpu->gpr[RSP];
        check(f, sys_iret(f->cpu, &iret), &cases[i].expect);
        if (cases[i].expect.result == EXEC_JUMP) {
            assert_int_equal(f->cpu->rip, cases[i].rip);
            assert_int_equal(f->cpu->gpr[RSP], AT_DATA + 8);
            assert_int_equal(cpu_cpl(f->cpu), cases[i].cs & 3);
            assert_int_equal(f->cpu->seg[SS].selector, cases[i].ss);
            assert_int_equal(cpu_rflags(f->cpu),
                             RFLAGS_FIXED | RFLAGS_CF | (cases[i].cpl == 0 ? RFLAGS_IF : 0));
            assert_false(f->cpu->nmi_blocked);
        } else {
            assert_int_equal(f->cpu->gpr[RSP], rsp);
            assert_int_equal(f->cpu->rip, AT_CODE);
        }
        fixture_free(f);
    }
}

static void going_outward_zeroes_null_selectors_and_staying_does_not(void **state)
{
    static const uint8_t data[] = { ES, DS, FS, GS };
    struct sys_insn iret = { .operand_size = 8, .length = 2 };

    (void)state;
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        for (unsigned selector = 0; selector <= 3; selector++) {
            struct fixture *f = fixture_new(1);
            fixture_long_mode(f, 0);
            for (unsigned i = 0; i < sizeof(data); i++) {
                assert_int_equal(seg_load_register(f->cpu, data[i], (uint16_t)selector), EXEC_OK);
            }
            f->cpu->seg[FS].base = 0x12345678;
            push_iret(f, TARGET, ring ? SEL_CODE3 | 3 : SEL_CODE0, RFLAGS_IF, AT_DATA, ring ? SEL_DATA3 | 3 : SEL_DATA0);
            assert_int_equal(sys_iret(f->cpu, &iret), EXEC_JUMP);
            for (unsigned i = 0; i < sizeof(data); i++) {
                assert_int_equal(f->cpu->seg[data[i]].selector, ring ? 0 : selector);
            }
            assert_int_equal(f->cpu->seg[FS].base, 0x12345678);
            fixture_free(f);
        }
    }
}

static void nested_task_in_ia_32e_mode_is_gp(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn iret = { .operand_size = 8, .length = 2 };

    (void)state;
    fixture_long_mode(f, 0);
    f->cpu->rflags_rest = RFLAGS_NT;
    check(f, sys_iret(f->cpu, &iret), &(struct expect)FAULT(X_GP, 0));
    fixture_free(f);
}

static void protected_mode_iret_stays_or_goes_outward(void **state)
{
    struct sys_insn iret = { .operand_size = 4, .length = 1 };

    (void)state;
    for (unsigned ring = 0; ring <= 3; ring += 3) {
        struct fixture *f = fixture_new(1);
        uint32_t frame[5] = { TARGET, ring ? SEL_CODE3 | 3 : SEL_CODE0, RFLAGS_IF, AT_DATA, SEL_DATA3 | 3 };
        fixture_protected_mode(f, 0);
        f->cpu->gpr[RSP] = AT_STACK - sizeof(frame);
        for (unsigned i = 0; i < 5; i++) {
            fixture_store(f, AT_STACK - sizeof(frame) + i * 4, 4, frame[i]);
        }
        assert_int_equal(sys_iret(f->cpu, &iret), EXEC_JUMP);
        assert_int_equal(f->cpu->gpr[RSP], ring ? AT_DATA : AT_STACK - 8);
        assert_int_equal(cpu_cpl(f->cpu), ring);
        assert_int_equal(f->cpu->seg[DS].selector, ring ? 0 : SEL_DATA0);
        fixture_free(f);
    }
}

/* --- fast system calls ----------------------------------------------------------------------- */

static void syscall_and_sysret_are_a_round_trip(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn syscall = { .length = 2, .next_rip = AT_CODE + 2 };
    struct sys_insn sysret = { .operand_size = 8, .length = 3 };

    (void)state;
    fixture_long_mode(f, 3);
    f->cpu->msr.star = (uint64_t)SEL_CODE0 << 32 | (uint64_t)(SEL_CODE32_3 | 3) << 48;
    f->cpu->msr.lstar = TARGET;
    f->cpu->msr.fmask = RFLAGS_IF | RFLAGS_TF;
    f->cpu->rflags_rest = RFLAGS_IF | RFLAGS_ZF;
    assert_int_equal(sys_syscall(f->cpu, &syscall), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, TARGET);
    assert_int_equal(f->cpu->gpr[RCX], AT_CODE + 2);
    assert_int_equal(f->cpu->gpr[R11], RFLAGS_FIXED | RFLAGS_IF | RFLAGS_ZF);
    assert_int_equal(cpu_rflags(f->cpu), RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(f->cpu->seg[CS].selector, SEL_CODE0);
    assert_int_equal(f->cpu->seg[SS].selector, SEL_CODE0 + 8);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    assert_int_equal(f->cpu->gpr[RSP], AT_STACK);
    assert_int_equal(sys_sysret(f->cpu, &sysret), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, AT_CODE + 2);
    assert_int_equal(f->cpu->seg[CS].selector, SEL_CODE3 | 3);
    assert_int_equal(f->cpu->seg[SS].selector, SEL_DATA3 | 3);
    assert_int_equal(cpu_rflags(f->cpu), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_ZF);
    assert_true(f->cpu->mode & MODE_LONG64);
    assert_int_equal(sys_syscall(f->cpu, &syscall), EXEC_JUMP);
    f->cpu->gpr[RCX] = 0x800000000000;
    check(f, sys_sysret(f->cpu, &sysret), &(struct expect)FAULT(X_GP, 0));
    sysret.operand_size = 4;
    f->cpu->gpr[RCX] = 0x12345678;
    assert_int_equal(sys_sysret(f->cpu, &sysret), EXEC_JUMP);
    assert_int_equal(f->cpu->seg[CS].selector, SEL_CODE32_3 | 3);
    assert_true(f->cpu->mode & MODE_CODE32);
    f->cpu->efer &= ~EFER_SCE;
    check(f, sys_syscall(f->cpu, &syscall), &(struct expect)FAULT(X_UD, 0));
    fixture_free(f);
}

static void sysenter_and_sysexit_use_their_msrs(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn enter = { .length = 2 }, leave = { .operand_size = 8, .length = 3 };

    (void)state;
    fixture_long_mode(f, 3);
    check(f, sys_sysenter(f->cpu, &enter), &(struct expect)FAULT(X_GP, 0));
    f->cpu->msr.sysenter_cs = SEL_CODE0;
    f->cpu->msr.sysenter_eip = TARGET;
    f->cpu->msr.sysenter_esp = AT_RSP0;
    check(f, sys_sysexit(f->cpu, &leave), &(struct expect)FAULT(X_GP, 0)); /* ring 3 */
    assert_int_equal(sys_sysenter(f->cpu, &enter), EXEC_JUMP);
    assert_int_equal(f->cpu->rip, TARGET);
    assert_int_equal(f->cpu->gpr[RSP], AT_RSP0);
    assert_int_equal(cpu_cpl(f->cpu), 0);
    f->cpu->gpr[RDX] = AT_CODE;
    f->cpu->gpr[RCX] = AT_STACK;
    assert_int_equal(sys_sysexit(f->cpu, &leave), EXEC_JUMP);
    assert_int_equal(f->cpu->seg[CS].selector, (SEL_CODE0 + 32) | 3);
    assert_int_equal(f->cpu->gpr[RSP], AT_STACK);
    assert_int_equal(cpu_cpl(f->cpu), 3);
    fixture_free(f);
}

static void lar_lsl_verr_verw_answer_by_zf(void **state)
{
    static const struct {
        unsigned cpl;
        uint16_t selector;
        bool lar, lsl, verr, verw;
    } cases[] = {
        { 0, SEL_DATA0, true, true, true, true },   { 0, SEL_CODE0, true, true, true, false },
        { 3, SEL_DATA0, false, false, false, false }, { 3, SEL_DATA3, true, true, true, true },
        { 0, SEL_TSS, true, true, false, false },   { 0, SEL_LDT, true, true, false, false },
        { 0, 0, false, false, false, false },       { 0, 0x100, false, false, false, false },
        { 0, SEL_DATA0 | 3, false, false, false, false },
    };
    static sys_fn *const fns[] = { sys_lar, sys_lsl, sys_verr, sys_verw };
    struct sys_insn insn = { .modrm = 0xc0, .rm = RAX, .reg = RBX, .operand_size = 4 };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture *f = fixture_new(1);
        const bool zf[] = { cases[i].lar, cases[i].lsl, cases[i].verr, cases[i].verw };
        fixture_long_mode(f, cases[i].cpl);
        for (unsigned n = 0; n < 4; n++) {
            f->cpu->gpr[RAX] = cases[i].selector;
            assert_int_equal(fns[n](f->cpu, &insn), EXEC_OK);
            assert_int_equal(!!(cpu_rflags(f->cpu) & RFLAGS_ZF), zf[n]);
        }
        fixture_free(f);
    }
}

/* Offset and selector of a pointer wrap within the address size, each by itself. */
static void far_pointers_wrap_within_the_address_size(void **state)
{
    struct fixture *f = fixture_new(1);
    const struct sys_insn les = {
        .opcode = 0xc4, .operand_size = 4, .address_size = 2, .segment = DS, .ea = 0xfffc, .reg = RAX, .next_rip = 4,
    };

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->seg[DS].limit = 0xffff;
    fixture_store(f, 0xfffc, 4, 0x12345678);
    fixture_store(f, 0, 2, SEL_DATA0);
    assert_int_equal(sys_load_far_pointer(f->cpu, &les), EXEC_JUMP); /* the segments are not flat any more */
    assert_int_equal(f->cpu->gpr[RAX], 0x12345678);
    assert_int_equal(f->cpu->seg[ES].selector, SEL_DATA0);
    fixture_free(f);
}

static void iret_lifts_nmi_blocking_even_if_it_faults(void **state)
{
    struct fixture *f = fixture_new(1);
    const struct sys_insn insn = { .opcode = 0xcf, .operand_size = 4, .next_rip = 4 };

    (void)state;
    fixture_protected_mode(f, 0);
    fixture_store(f, AT_STACK, 4, TARGET);
    fixture_store(f, AT_STACK + 4, 4, 0);
    f->cpu->nmi_blocked = true;
    assert_int_equal(sys_iret(f->cpu, &insn), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_GP);
    assert_false(f->cpu->nmi_blocked);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(far_pointers_wrap_within_the_address_size),
        cmocka_unit_test(iret_lifts_nmi_blocking_even_if_it_faults),
        cmocka_unit_test(loads_check_what_the_manual_checks),
        cmocka_unit_test(a_load_sets_the_accessed_flag_and_the_hidden_part),
        cmocka_unit_test(flat_32_bit_mode_is_noticed),
        cmocka_unit_test(mov_and_pop_ss_begin_a_shadow),
        cmocka_unit_test(ltr_marks_the_tss_busy_and_refuses_it_then),
        cmocka_unit_test(lldt_loads_null_and_checks_the_type),
        cmocka_unit_test(far_jumps_check_the_target),
        cmocka_unit_test(a_call_gate_leads_inward_and_ret_leads_back),
        cmocka_unit_test(iretq_returns_to_every_ring),
        cmocka_unit_test(going_outward_zeroes_null_selectors_and_staying_does_not),
        cmocka_unit_test(nested_task_in_ia_32e_mode_is_gp),
        cmocka_unit_test(protected_mode_iret_stays_or_goes_outward),
        cmocka_unit_test(syscall_and_sysret_are_a_round_trip),
        cmocka_unit_test(sysenter_and_sysexit_use_their_msrs),
        cmocka_unit_test(lar_lsl_verr_verw_answer_by_zf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
