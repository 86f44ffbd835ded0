/* The x87 unit and MMX in a running processor: errors that wait, unavailability, what memory sees, aliasing. */
#include "fixture.h"

#include "sim/cpu/x87/x87.h"

enum { CR0_EM = 4, CR0_TS = 8, CR0_NE = 0x20 };

/* 1 / 0 with ZE open; the error is seen by the FLD1 behind FNSTSW, which does not wait. */
GUEST(guest_error,
      "fninit\n movl $0x37b, (%rdi)\n fldcw (%rdi)\n fld1\n fldz\n fdivrp\n mov $7, %ebx\n fnstsw %ax\n mov $8, %ebx\n"
      ".global guest_error_at\n guest_error_at: fld1\n mov $9, %ebx");
extern const uint8_t guest_error_at[];

static void an_unmasked_error_faults_at_the_next_waiting_instruction(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_error);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), X_MF);
    assert_int_equal(fixture_pushed(f, 0), FIX_CODE + (guest_error_at - guest_error));
    assert_int_equal(f->cpu->gpr[RBX], 8);
    assert_int_equal(f->cpu->gpr[RAX] & 0xffff, X87_B | 6 << X87_TOP_SHIFT | X87_ES | X87_ZE);
    assert_int_equal(f->cpu->x87.op, 0x6f9); /* the assembler's FDIVRP is DE F9 */
    fixture_free(f);
}

static struct { unsigned raised, dropped; } board;

static void board_error(struct machine *m, bool high)
{
    (void)m;
    board.raised += high;
    board.dropped += !high;
}

static void without_ne_the_board_hears_of_errors_and_the_processor_waits(void **unused)
{
    struct fixture *f = fixture_new(false);
    struct cpu *c = f->cpu;
    (void)unused;
    LOAD(f, guest_error);
    c->cr0 &= ~(uint64_t)CR0_NE;
    f->machine.fpu_error = board_error;
    cpu_run(c, c->now + 5000); /* time passes before the FLD1 */
    assert_int_equal(board.raised, 1);
    assert_int_equal(c->activity, ACTIVE);
    assert_int_equal(c->rip, FIX_CODE + (guest_error_at - guest_error));
    x87_ignore_errors(c);
    fixture_go_on(f, 1000);
    assert_int_equal(fixture_vector(f), -1);
    assert_int_equal(c->gpr[RBX], 9);
    assert_int_equal(board.dropped, 0);
    x87_init(c);
    assert_int_equal(board.dropped, 1);
    assert_false(c->x87.ignne);
    fixture_free(f);
}

GUEST(guest_fld1, "fld1");
GUEST(guest_wait, "fwait");
GUEST(guest_paddb, "paddb %mm0, %mm1");
GUEST(guest_emms, "emms");

static void em_and_ts_make_them_unavailable(void **unused)
{
    static const struct { const uint8_t *code, *end; uint64_t cr0; int vector; } cases[] = {
        { guest_fld1, guest_fld1_end, CR0_TS, X_NM }, { guest_fld1, guest_fld1_end, CR0_EM, X_NM },
        { guest_wait, guest_wait_end, CR0_TS, X_NM }, { guest_wait, guest_wait_end, CR0_EM, -1 },
        { guest_paddb, guest_paddb_end, CR0_TS, X_NM }, { guest_paddb, guest_paddb_end, CR0_EM | CR0_TS, X_UD },
        { guest_emms, guest_emms_end, CR0_EM, X_UD }, { guest_emms, guest_emms_end, 0, -1 },
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_new(false);
        fixture_load(f, FIX_CODE, cases[i].code, (size_t)(cases[i].end - cases[i].code));
        f->cpu->cr0 |= cases[i].cr0;
        cpu_update_mode(f->cpu);
        fixture_run(f);
        assert_int_equal(fixture_vector(f), cases[i].vector);
        fixture_free(f);
    }
}

GUEST(guest_withheld,
      "fninit\n movw $0x377, (%rdi)\n movl $0x2000, 8(%rdi)\n mov $0xd0000000, %esi\n" /* OE open */
      "fldcw (%rdi)\n fildl 8(%rdi)\n fld1\n fscale\n fstps (%rsi)\n mov $1, %ebx");

static void a_store_that_overflows_unmasked_does_not_reach_a_device(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_withheld);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), -1);
    assert_int_equal(f->cpu->gpr[RBX], 1);
    assert_int_equal(f->writes, 0);
    assert_true(f->cpu->x87.sw & X87_OE);
    fixture_free(f);
    f = fixture_new(false);
    LOAD(f, guest_withheld);
    assert_true(mem_write(f->machine.mem, FIX_CODE + 5, "\x7f", 1)); /* 37FH: masked */
    fixture_run(f);
    assert_int_equal(f->writes, 1);
    assert_int_equal(f->last_value, 0x7f800000);
    fixture_free(f);
}

GUEST(guest_alias,
      "fninit\n fld1\n fld1\n mov $0x1122334455667788, %rax\n movq %rax, %mm3\n movq %mm3, (%rdi)\n fnstenv 16(%rdi)\n"
      "emms\n fnstenv 48(%rdi)\n fstpt 80(%rdi)");

static void mmx_registers_are_the_x87s_significands(void **unused)
{
    struct fixture *f = fixture_new(false);
    const struct x87 *x = &f->cpu->x87;
    (void)unused;
    LOAD(f, guest_alias);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), -1);
    assert_int_equal(x->reg[3].u64[0], 0x1122334455667788);
    assert_int_equal(x->reg[3].u16[4], 0xffff);
    uint16_t tags = 0, after = 0;
    assert_true(cpu_peek(f->cpu, FIX_DATA + 24, &tags, 2) && cpu_peek(f->cpu, FIX_DATA + 56, &after, 2));
    assert_int_equal(tags, 0x0595); /* R7, R6: 1.0; R3: special; the others hold +0 */
    assert_int_equal(after, 0xffff);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unmasked_error_faults_at_the_next_waiting_instruction),
        cmocka_unit_test(without_ne_the_board_hears_of_errors_and_the_processor_waits),
        cmocka_unit_test(em_and_ts_make_them_unavailable),
        cmocka_unit_test(a_store_that_overflows_unmasked_does_not_reach_a_device),
        cmocka_unit_test(mmx_registers_are_the_x87s_significands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
