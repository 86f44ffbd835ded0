/* MONITOR and MWAIT. */
#include "fixture.h"

enum { SLICE = 5000, LINE_AT = FIX_DATA + 64 };

GUEST(wait_for_line,
      "lea 70(%rdi), %rax\n xor %ecx, %ecx\n xor %edx, %edx\n xor %ebx, %ebx\n monitor\n xor %eax, %eax\n mwait\n mov $1, %ebx");
GUEST(wait_after_store,
      "lea 64(%rdi), %rax\n xor %ecx, %ecx\n xor %edx, %edx\n monitor\n incb 127(%rdi)\n xor %eax, %eax\n mwait\n mov $1, %ebx");
GUEST(wait_unarmed, "xor %ecx, %ecx\n xor %eax, %eax\n mwait\n mov $1, %ebx");
GUEST(monitor_extension, "mov %rdi, %rax\n mov $1, %ecx\n monitor");
GUEST(mwait_extension, "mov $2, %ecx\n mwait");
GUEST(monitor_hole, "mov $0x300000, %eax\n xor %ecx, %ecx\n monitor");

static void run(struct fixture *f)
{
    cpu_monitor_look(f->cpu);
    cpu_run(f->cpu, f->cpu->now + SLICE);
}

static void a_store_to_the_line_ends_the_wait(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, wait_for_line);
    run(f);
    assert_int_equal(f->cpu->activity, HALTED);
    mem_write(f->machine.mem, LINE_AT - 1, "x", 1); /* the line before */
    mem_write(f->machine.mem, LINE_AT + 64, "x", 1);
    run(f);
    assert_int_equal(f->cpu->activity, HALTED);
    assert_int_equal(f->cpu->gpr[RBX], 0);
    mem_write(f->machine.mem, LINE_AT + 63, "x", 1);
    run(f);
    assert_int_equal(f->cpu->gpr[RBX], 1);
    fixture_free(f);
}

static void what_came_before_ends_it_at_once(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, wait_after_store);
    run(f);
    assert_int_equal(f->cpu->gpr[RBX], 1);
    f->cpu->rip = FIX_CODE;
    f->cpu->activity = ACTIVE;
    f->cpu->gpr[RBX] = 0;
    LOAD(f, wait_unarmed);
    run(f);
    assert_int_equal(f->cpu->gpr[RBX], 1);
    fixture_free(f);
}

static void extensions_and_pages_that_are_not_there_fault(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
#define EXPECT(name, vector)                                                                 \
    f->cpu->rip = FIX_CODE;                                                                  \
    f->cpu->activity = ACTIVE;                                                               \
    LOAD(f, name);                                                                           \
    fixture_run(f);                                                                          \
    assert_int_equal(fixture_vector(f), vector);
    EXPECT(monitor_extension, X_GP)
    EXPECT(mwait_extension, X_GP)
    EXPECT(monitor_hole, X_PF)
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_to_the_line_ends_the_wait), cmocka_unit_test(what_came_before_ends_it_at_once),
        cmocka_unit_test(extensions_and_pages_that_are_not_there_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
