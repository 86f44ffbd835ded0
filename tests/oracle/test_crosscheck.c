/* The crosscheck itself: a loop of everyday code agrees block for block; a
 * processor that computes something else is caught and described. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/crosscheck/crosscheck.h"
#include "sim/machine.h"
#include "tests/oracle/oracle.h"

/* Runs forever: arithmetic, memory, strings, calls, SSE, bit scans, atomics. */
__asm__(".pushsection .rodata\n"
        "test_loop_begin:\n"
        "    mov $0x20000200, %rbx\n"
        "    mov $0x20001800, %rsp\n"
        "1:  add $0x12345679, %rax\n"
        "    imul %rax, %rcx\n"
        "    add $7, %rcx\n"
        "    mov %rcx, (%rbx)\n"
        "    xor %rax, 0xdf8(%rbx)\n"
        "    mov %rcx, %rdx\n"
        "    shl $3, %rdx\n"
        "    ror %cl, %rdx\n"
        "    bsf %rdx, %rsi\n"
        "    test $1, %cl\n"
        "    jz 2f\n"
        "    lock xadd %rdx, 8(%rbx)\n"
        "2:  call 3f\n"
        "    push %rax\n"
        "    pushq $-5\n"
        "    pop %r8\n"
        "    pop %r9\n"
        "    cvtsi2sd %rcx, %xmm0\n"
        "    addsd %xmm0, %xmm1\n"
        "    movups %xmm1, 0x33(%rbx)\n"
        "    jmp 1b\n"
        "3:  mov $0x20000f00, %rdi\n"
        "    mov $0x20000400, %rsi\n"
        "    mov %rcx, %r10\n"
        "    mov $37, %ecx\n"
        "    rep movsb\n"
        "    mov $5, %ecx\n"
        "    rep stosl\n"
        "    mov %r10, %rcx\n"
        "    cmp %rax, %rcx\n"
        "    setb %r11b\n"
        "    cmovs %rcx, %r12\n"
        "    ret\n"
        "test_loop_end:\n"
        ".popsection\n");
extern const uint8_t test_loop_begin[], test_loop_end[];

static struct oracle_ours *load(void)
{
    struct oracle_ours *o = oracle_ours_new(false);
    struct oracle_case start = { .in = { .rip = ORACLE_CODE + 0xfc0, .rflags = FLAG_IF | 2, .mxcsr = 0x1f80 } };
    oracle_ours_load(o, &start, test_loop_begin, (unsigned)(test_loop_end - test_loop_begin));
    return o;
}

static void everyday_code_agrees_block_for_block(void **state)
{
    (void)state;
    struct oracle_ours *o = load();
    struct machine *m = oracle_ours_machine(o);
    struct crosscheck *x = crosscheck_new(m, 1);
    assert_non_null(x);
    cpu_run(m->cpu[0], m->cpu[0]->now + 40000);
    struct crosscheck_counts counts = crosscheck_counts(x);
    crosscheck_report(x, stdout);
    if (m->stop != STOP_NONE) {
        print_error("%s\n", m->stop_text);
    }
    assert_int_equal(m->stop, STOP_NONE);
    assert_int_equal(counts.diverged, 0);
    assert_true(counts.compared > 1000);
    assert_true(counts.compared > 10 * counts.skipped);
    crosscheck_free(x);
    oracle_ours_free(o);
}

static void watching_changes_nothing(void **state)
{
    (void)state;
    struct oracle_ours *plain = load(), *watched = load();
    struct machine *a = oracle_ours_machine(plain), *b = oracle_ours_machine(watched);
    struct crosscheck *x = crosscheck_new(b, 3);
    cpu_run(a->cpu[0], a->cpu[0]->now + 5000);
    cpu_run(b->cpu[0], b->cpu[0]->now + 5000);
    assert_memory_equal(a->cpu[0]->gpr, b->cpu[0]->gpr, sizeof a->cpu[0]->gpr);
    assert_int_equal(a->cpu[0]->rip, b->cpu[0]->rip);
    assert_int_equal(a->cpu[0]->now, b->cpu[0]->now);
    crosscheck_free(x);
    oracle_ours_free(plain);
    oracle_ours_free(watched);
}

static void flip_a_bit(void *ctx, struct cpu *cpu)
{
    (void)ctx;
    cpu->gpr[R9] ^= 1ull << 40;
}

static void a_wrong_result_is_caught_and_described(void **state)
{
    (void)state;
    struct oracle_ours *o = load();
    struct machine *m = oracle_ours_machine(o);
    struct crosscheck *x = crosscheck_new(m, 1);
    core_observe_entry(m, oracle_ours_spa(ORACLE_CODE + 0xfc0), flip_a_bit, NULL);
    cpu_run(m->cpu[0], m->cpu[0]->now + 4000);
    assert_int_equal(m->stop, STOP_DIVERGED);
    assert_non_null(strstr(m->stop_text, "r9"));
    assert_non_null(strstr(m->stop_text, "unicorn"));
    assert_non_null(strstr(m->stop_text, "imul"));
    assert_int_equal(crosscheck_counts(x).diverged, 1);
    crosscheck_free(x);
    oracle_ours_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyday_code_agrees_block_for_block),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(a_wrong_result_is_caught_and_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
