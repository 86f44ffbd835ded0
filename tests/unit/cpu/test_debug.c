/* Claims about the debug registers and single steps: which instruction traps, with what in DR6, and what a breakpoint
 * elsewhere changes, which is nothing. */
#include <string.h>

#include "fixture.h"
#include "sim/cpu/event/breakpoint.h"
#include "spec/x86/system.h"

enum { TRAPS_MAX = 16, EXECUTION = 0, WRITE = 1, PORT = 2, ACCESS = 3, LEN1 = 0, LEN2 = 1, LEN4 = 3, LEN8 = 2 };

struct trap { uint64_t at, dr6; bool rf; };
struct traps { struct trap trap[TRAPS_MAX]; unsigned count; int vector; };

static void arm(struct fixture *f, unsigned n, uint64_t linear, unsigned kind, unsigned length)
{
    struct cpu *c = f->cpu;

    c->dr[n] = linear;
    c->dr7 |= 1ull << (2 * n) | (uint64_t)kind << (16 + 4 * n) | (uint64_t)length << (18 + 4 * n);
    cpu_breakpoints_changed(c);
}

/* What a #DB handler would do: notes where and why, and returns with RF set. */
static void note_and_return(struct fixture *f, struct traps *t)
{
    struct cpu *c = f->cpu;
    uint64_t rflags = fixture_pushed(f, 2);

    t->trap[t->count++] = (struct trap){
        .at = fixture_pushed(f, 0) - FIX_CODE, .dr6 = c->dr6 & ~DR6_FIXED, .rf = rflags & RFLAGS_RF,
    };
    c->rip = fixture_pushed(f, 0);
    c->gpr[RSP] = fixture_pushed(f, 3);
    cpu_set_rflags(c, rflags | RFLAGS_RF);
    c->dr6 = DR6_FIXED;
    c->activity = ACTIVE;
}

static struct traps run(struct fixture *f, uint64_t slice)
{
    struct traps t = { .count = 0 };

    f->cpu->dr6 = DR6_FIXED;
    for (;;) {
        fixture_go_on(f, slice);
        t.vector = fixture_vector(f);
        if (t.vector != X_DB || t.count == TRAPS_MAX) {
            return t;
        }
        note_and_return(f, &t);
    }
}

static void expect(const struct traps *t, unsigned n, const uint8_t *code, const uint8_t *label, uint64_t dr6)
{
    assert_true(n < t->count);
    assert_int_equal(t->trap[n].at, label - code);
    assert_int_equal(t->trap[n].dr6, dr6);
}

/* --- data ------------------------------------------------------------------------- */

#define LABEL(name) ".global " #name "\n" #name ": "
extern const uint8_t data_1[], data_2[], data_3[], data_4[], data_5[], data_6[], data_7[], data_8[];
GUEST(data_forms,
      "mov $5, %eax\n mov 8(%rdi), %rdx\n"
      "mov %eax, 8(%rdi)\n" LABEL(data_1) "nop\n"
      "addl $1, 8(%rdi)\n" LABEL(data_2) "nop\n"
      "movb $1, 11(%rdi)\n" LABEL(data_3) "movb $1, 12(%rdi)\n movb $1, 7(%rdi)\n"
      "movups %xmm0, (%rdi)\n" LABEL(data_4) "xchg %rcx, 4(%rdi)\n" LABEL(data_5) "lea 16(%rdi), %rsp\n"
      "push %rax\n" LABEL(data_6) "lock btsl $3, 8(%rdi)\n" LABEL(data_7) "nop\n"
      "shll $1, 8(%rdi)\n" LABEL(data_8) "mov $0x180000, %esp");

static void writes_trap_behind_the_instruction(void **unused)
{
    static const uint8_t *const label[] = { data_1, data_2, data_3, data_4, data_5, data_6, data_7, data_8 };
    (void)unused;
    for (uint64_t slice = 1; slice < 100000; slice *= 17) {
        struct fixture *f = fixture_new(false);
        LOAD(f, data_forms);
        arm(f, 2, FIX_DATA + 8, WRITE, LEN4);
        struct traps t = run(f, slice);
        assert_int_equal(t.vector, -1);
        assert_int_equal(t.count, 8);
        for (unsigned i = 0; i < 8; i++) {
            expect(&t, i, data_forms, label[i], 4);
            assert_false(t.trap[i].rf);
        }
        fixture_free(f);
    }
}

extern const uint8_t read_1[], read_2[], read_3[];
GUEST(data_reads,
      "mov (%rdi), %rax\n" LABEL(read_1) "mov $3, %eax\n mov $0, %edx\n mulq 4(%rdi)\n" LABEL(read_2) "nop\n"
      "cmpb $1, 7(%rdi)\n" LABEL(read_3) "cmpb $1, 8(%rdi)");

static void accesses_trap_for_reads_too_and_a_write_breakpoint_does_not(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, data_reads);
    arm(f, 0, FIX_DATA + 1, WRITE, LEN8);
    arm(f, 3, FIX_DATA + 1, ACCESS, LEN8); /* low address bits are ignored */
    struct traps t = run(f, 1000);
    assert_int_equal(t.count, 3);
    expect(&t, 0, data_reads, read_1, 8);
    expect(&t, 1, data_reads, read_2, 8);
    expect(&t, 2, data_reads, read_3, 8);
    fixture_free(f);
}

extern const uint8_t string_1[], string_2[];
GUEST(data_string,
      "lea 0x100(%rdi), %rsi\n mov $40, %ecx\n" LABEL(string_1) "rep movsb\n" LABEL(string_2) "nop");

static void a_string_instruction_traps_between_iterations(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, data_string);
    arm(f, 0, FIX_DATA + 20, WRITE, LEN2);
    arm(f, 1, FIX_DATA + 39, WRITE, LEN1);
    struct traps t = run(f, 100000);
    assert_int_equal(t.count, 3);
    expect(&t, 0, data_string, string_1, 1);
    expect(&t, 1, data_string, string_1, 1);
    expect(&t, 2, data_string, string_2, 2);
    assert_true(t.trap[0].rf && t.trap[1].rf && !t.trap[2].rf);
    assert_int_equal(f->cpu->gpr[RDI], FIX_DATA + 40);
    fixture_free(f);
}

GUEST(data_fault, "xor %edx, %edx\n mov $1, %eax\n divl (%rdi)\n nop");

static void an_instruction_that_faults_has_hit_nothing(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, data_fault);
    arm(f, 0, FIX_DATA, ACCESS, LEN4);
    struct traps t = run(f, 1000);
    assert_int_equal(t.vector, X_DE);
    assert_int_equal(t.count, 0);
    assert_int_equal(f->cpu->pending_db, 0);
    fixture_free(f);
}

/* What the processor reads for itself counts: the descriptor of a segment, the gate and the frame of an interrupt. */
extern const uint8_t table_1[], table_2[];
GUEST(data_tables,
      "mov $16, %eax\n mov %eax, %ds\n" LABEL(table_1) "nop\n sgdt (%rdi)\n mov 2(%rdi), %rax\n orb $1, 21(%rax)\n" LABEL(table_2)
      "nop\n mov $16, %eax\n mov %eax, %es");

static void descriptor_tables_are_watched_too(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, data_tables);
    arm(f, 0, f->cpu->gdtr.base + 16, ACCESS, LEN8);
    arm(f, 1, f->cpu->gdtr.base + 21, WRITE, LEN1);
    struct traps t = run(f, 1000);
    assert_int_equal(t.vector, -1);
    assert_int_equal(t.count, 3);
    expect(&t, 0, data_tables, table_1, 1);
    expect(&t, 1, data_tables, table_2, 3);
    assert_int_equal(t.trap[2].dr6, 1);
    fixture_free(f);
}

GUEST(data_gate, "int $3\n nop");

static void an_event_that_reads_a_watched_gate_traps_before_its_handler(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        struct fixture *f = fixture_new(false);
        LOAD(f, data_gate);
        switch (i) {
        case 0: arm(f, 2, f->cpu->idtr.base + 3 * 16, ACCESS, LEN8); break;
        case 1: arm(f, 2, FIX_STACK - 40, WRITE, LEN8); break;
        default: arm(f, 2, f->cpu->idtr.base + 4 * 16, ACCESS, LEN8); break;
        }
        f->cpu->dr6 = DR6_FIXED;
        fixture_go_on(f, 1000);
        assert_int_equal(fixture_vector(f), i < 2 ? X_DB : X_BP);
        if (i < 2) {
            assert_int_equal(fixture_pushed(f, 0), FIX_HANDLERS + 3 * 16);
            assert_int_equal(f->cpu->dr6, DR6_FIXED | 4);
        }
        fixture_free(f);
    }
}

/* #DB whose own delivery is watched comes again and again, as on silicon; but time passes, so the host can stop it. */
static void a_trap_that_hits_itself_does_not_stop_time(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, data_gate);
    arm(f, 0, f->cpu->idtr.base + X_DB * 16, ACCESS, LEN8);
    f->cpu->pending_db = DR6_BS;
    cpu_attend(f->cpu, ATTN_DB);
    cpu_run(f->cpu, 1000);
    assert_true(f->cpu->now >= 1000);
    assert_int_equal(f->cpu->activity, ACTIVE);
    fixture_free(f);
}

/* --- execution ------------------------------------------------------------------------ */

extern const uint8_t code_loop[], code_call[], code_rep[];
GUEST(code_paths,
      "mov $3, %ebx\n xor %eax, %eax\n"
      "1: inc %eax\n" LABEL(code_loop) "add %eax, %edx\n dec %ebx\n jnz 1b\n"
      "call 2f\n jmp 3f\n 2: " LABEL(code_call) "ret\n 3: lea 0x10(%rdi), %rsi\n mov $9000, %ecx\n"
      LABEL(code_rep) "rep lodsb\n nop");

static void execution_traps_before_the_instruction_each_time_it_starts(void **unused)
{
    (void)unused;
    for (uint64_t slice = 1; slice < 100000; slice *= 17) {
        struct fixture *f = fixture_new(false);
        LOAD(f, code_paths);
        arm(f, 0, FIX_CODE + (uint64_t)(code_loop - code_paths), EXECUTION, LEN1);
        arm(f, 1, FIX_CODE + (uint64_t)(code_call - code_paths), EXECUTION, LEN1);
        arm(f, 2, FIX_CODE + (uint64_t)(code_rep - code_paths), EXECUTION, LEN1);
        struct traps t = run(f, slice);
        assert_int_equal(t.vector, -1);
        assert_int_equal(t.count, 5);
        for (unsigned i = 0; i < 3; i++) {
            expect(&t, i, code_paths, code_loop, 1);
        }
        expect(&t, 3, code_paths, code_call, 2);
        expect(&t, 4, code_paths, code_rep, 4); /* once, not again when it pauses */
        assert_int_equal(f->cpu->gpr[RAX] >> 8, 0);
        assert_int_equal(f->cpu->gpr[RSI], FIX_DATA + 0x10 + 9000);
        fixture_free(f);
    }
}

/* Armed by the code itself; the target was decoded and linked before. */
extern const uint8_t late_target[];
GUEST(code_late,
      "xor %esi, %esi\n xor %edx, %edx\n"
      "1: lea 2f(%rip), %rax\n nop\n 2: " LABEL(late_target) "inc %edx\n cmp $1, %esi\n je 3f\n inc %esi\n"
      "mov %rax, %dr3\n mov $0x440, %ecx\n mov %rcx, %dr7\n jmp 1b\n 3: nop");

static void a_breakpoint_counts_from_the_next_instruction_on(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, code_late);
    struct traps t = run(f, 100000);
    assert_int_equal(t.count, 1);
    expect(&t, 0, code_late, late_target, 8);
    assert_int_equal(f->cpu->gpr[RDX], 2);
    assert_false(f->cpu->rflags_rest & RFLAGS_RF); /* it held for one instruction */
    fixture_free(f);
}

/* --- ports ------------------------------------------------------------------------------ */

extern const uint8_t port_1[], port_2[];
GUEST(ports, "mov $0x82, %edx\n out %al, %dx\n" LABEL(port_1) "mov $0x80, %edx\n in %dx, %eax\n" LABEL(port_2) "in $0x84, %al");

static void ports_trap_with_debugging_extensions_only(void **unused)
{
    (void)unused;
    for (unsigned de = 0; de < 2; de++) {
        struct fixture *f = fixture_new(false);
        LOAD(f, ports);
        f->cpu->cr4 |= de ? CR4_DE : 0;
        arm(f, 1, 0x82, PORT, LEN2);
        struct traps t = run(f, 100);
        assert_int_equal(t.count, de ? 2 : 0);
        if (de) {
            expect(&t, 0, ports, port_1, 2);
            expect(&t, 1, ports, port_2, 2);
        }
        fixture_free(f);
    }
}

/* --- single steps ------------------------------------------------------------------------- */

extern const uint8_t step_1[], step_2[], step_3[], step_4[], step_5[];
GUEST(steps,
      "pushf\n orq $0x100, (%rsp)\n popf\n nop\n" LABEL(step_1) "mov %ss, %eax\n" LABEL(step_2) "mov %eax, %ss\n nop\n"
      LABEL(step_3) "mov $2, %ecx\n" LABEL(step_4) "rep stosb\n" LABEL(step_5) "pushf\n andq $~0x100, (%rsp)\n popf");

static void single_steps_trap_behind_every_instruction_and_iteration(void **unused)
{
    static const uint8_t *const label[] = { step_1, step_2, step_3, step_4, step_4, step_5 };
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, steps);
    struct traps t = run(f, 100000);
    assert_true(t.count > 6);
    for (unsigned i = 0; i < 6; i++) { /* MOV SS holds its trap back until the next instruction's */
        expect(&t, i, steps, label[i], DR6_BS);
        assert_int_equal(t.trap[i].rf, i == 4);
    }
    fixture_free(f);
}

extern const uint8_t branch_1[], branch_2[];
GUEST(branches,
      "pushf\n orq $0x100, (%rsp)\n popf\n nop\n cmp %eax, %eax\n jne 1f\n nop\n je 2f\n nop\n"
      "1: nop\n 2: " LABEL(branch_1) "nop\n nop");

static void branch_steps_trap_behind_taken_branches_and_clear_btf(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, branches);
    f->cpu->msr.debugctl = DEBUGCTL_BTF;
    fixture_go_on(f, 1000);
    assert_int_equal(fixture_vector(f), X_DB);
    assert_int_equal(fixture_pushed(f, 0) - FIX_CODE, branch_1 - branches);
    assert_int_equal(f->cpu->msr.debugctl, 0);
    fixture_free(f);
}

/* A branch to the instruction behind it is a branch, if it is taken. */
#define STEP_FROM(text) "pushf\n orq $0x100, (%rsp)\n popf\n nop\n mov $1, %ecx\n cmp %eax, %eax\n" text
extern const uint8_t next_jz[], next_jmp[], next_call[], next_jrcxz[], next_ret[];
GUEST(to_next_jz, STEP_FROM("jnz 1f\n 1: jz 2f\n 2:" LABEL(next_jz) "nop"));
GUEST(to_next_jmp, STEP_FROM("loop 1f\n 1: jmp 2f\n 2:" LABEL(next_jmp) "nop"));
GUEST(to_next_call, STEP_FROM("jrcxz 1f\n 1: call 2f\n 2:" LABEL(next_call) "nop"));
GUEST(to_next_jrcxz, STEP_FROM("dec %ecx\n jrcxz 2f\n 2:" LABEL(next_jrcxz) "nop"));
GUEST(to_next_ret, STEP_FROM("lea 2f(%rip), %rax\n push %rax\n ret\n 2:" LABEL(next_ret) "nop"));

static void a_taken_branch_to_the_next_instruction_traps(void **unused)
{
    const struct { const uint8_t *code, *end, *label; } row[] = {
        { to_next_jz, to_next_jz_end, next_jz }, { to_next_jmp, to_next_jmp_end, next_jmp }, { to_next_call, to_next_call_end, next_call },
        { to_next_jrcxz, to_next_jrcxz_end, next_jrcxz }, { to_next_ret, to_next_ret_end, next_ret },
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct fixture *f = fixture_new(false);
        fixture_load(f, FIX_CODE, row[i].code, (size_t)(row[i].end - row[i].code));
        f->cpu->msr.debugctl = DEBUGCTL_BTF;
        fixture_go_on(f, 1000);
        assert_int_equal(fixture_vector(f), X_DB);
        assert_int_equal(fixture_pushed(f, 0) - FIX_CODE, row[i].label - row[i].code);
        fixture_free(f);
    }
}

/* --- nothing else changes ------------------------------------------------------------------- */

GUEST(mix,
      "mov $2000, %ecx\n xor %eax, %eax\n"
      "1: add %ecx, %eax\n rol $3, %rax\n mov %rax, (%rdi,%rcx,8)\n test $1, %cl\n jz 2f\n"
      "push %rax\n call 3f\n pop %rdx\n"
      "2: adc %rdx, 64(%rdi)\n lock add %rax, 72(%rdi)\n dec %ecx\n jnz 1b\n"
      "lea 0x1000(%rdi), %rsi\n mov $300, %ecx\n rep movsb\n jmp 4f\n"
      "3: sub %eax, %edx\n inc %rbx\n ret\n 4: nop");

static void breakpoints_that_are_not_hit_change_nothing(void **unused)
{
    struct { uint64_t gpr[16], rip, rflags, instructions; } picture[5];
    (void)unused;
    for (unsigned i = 0; i < 5; i++) {
        struct fixture *f = fixture_new(false);
        struct cpu *c = f->cpu;
        LOAD(f, mix);
        switch (i) {
        case 1: arm(f, 0, FIX_DATA + 56, WRITE, LEN8); arm(f, 1, FIX_STACK + 8, ACCESS, LEN8); c->dr[0] += 0x8000; break;
        case 2: arm(f, 0, FIX_DATA + 0x5000, ACCESS, LEN8); break;
        case 3: arm(f, 0, FIX_CODE + 0xf00, EXECUTION, LEN1); break;
        case 4: arm(f, 0, FIX_CODE + 0x1000, EXECUTION, LEN1); arm(f, 1, FIX_DATA + 0xff8, PORT, LEN1); break;
        default: break;
        }
        cpu_breakpoints_changed(c);
        struct traps t = run(f, i & 1 ? 1000000 : 77);
        assert_int_equal(t.count, 0);
        memset(&picture[i], 0, sizeof picture[i]);
        memcpy(picture[i].gpr, c->gpr, sizeof c->gpr);
        picture[i].rip = c->rip;
        picture[i].rflags = cpu_rflags(c);
        picture[i].instructions = c->instructions;
        assert_memory_equal(&picture[i], &picture[0], sizeof picture[0]);
        fixture_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_trap_behind_the_instruction),
        cmocka_unit_test(accesses_trap_for_reads_too_and_a_write_breakpoint_does_not),
        cmocka_unit_test(a_string_instruction_traps_between_iterations),
        cmocka_unit_test(an_instruction_that_faults_has_hit_nothing),
        cmocka_unit_test(descriptor_tables_are_watched_too),
        cmocka_unit_test(an_event_that_reads_a_watched_gate_traps_before_its_handler),
        cmocka_unit_test(a_trap_that_hits_itself_does_not_stop_time),
        cmocka_unit_test(execution_traps_before_the_instruction_each_time_it_starts),
        cmocka_unit_test(a_breakpoint_counts_from_the_next_instruction_on),
        cmocka_unit_test(ports_trap_with_debugging_extensions_only),
        cmocka_unit_test(single_steps_trap_behind_every_instruction_and_iteration),
        cmocka_unit_test(branch_steps_trap_behind_taken_branches_and_clear_btf),
        cmocka_unit_test(a_taken_branch_to_the_next_instruction_traps),
        cmocka_unit_test(breakpoints_that_are_not_hit_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
