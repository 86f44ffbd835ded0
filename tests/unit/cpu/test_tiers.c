/* Claims about the second tier: nobody can tell it from the interpreter, at any instruction. */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/jit/jit.h"

/* Loops, calls, stack, flags of every producer read later, bytes of both kinds, memory forms. */
GUEST(tiers_mix,
      "mov $700, %ecx\n xor %eax, %eax\n"
      "1: add %ecx, %eax\n adc %rax, 64(%rdi)\n rol $3, %rax\n mov %rax, (%rdi,%rcx,8)\n test $1, %cl\n jz 2f\n"
      "push %rax\n call 3f\n pop %rdx\n sub $7, %ah\n setb %bl\n cmovl %ecx, %esi\n add %dh, %al\n"
      "2: mov %r11, %r10\n lea 5(%r10,%rcx,2), %r11\n imul $77, %r11d, %r14d\n imul %rcx, %r15\n neg %r14w\n not %r15b\n"
      "cmpb $0x40, 3(%rdi,%rcx,8)\n ja 4f\n incw 128(%rdi)\n decl 130(%rdi)\n negq 136(%rdi)\n"
      "4: shl $3, %r14\n sar $1, %sil\n shr $5, %bx\n setp %r9b\n jo 5f\n bts %ecx, %r8d\n"
      "5: xchg %rax, %r10\n xadd %eax, 72(%rdi)\n lock cmpxchg %ecx, 80(%rdi)\n bswap %r11\n cqo\n movsbl %ch, %ebp\n movzwl %r15w, %r9d\n"
      "mov %rsp, %r12\n push %rsp\n pop %r13\n pushq $-3\n popq 88(%rdi)\n mul %r11\n"
      "dec %ecx\n jnz 1b\n jmp 6f\n"
      "3: sub %eax, %edx\n inc %rbx\n ret\n 6: nop");

/* Writes into its own loop, ahead and behind, at bytes that become an immediate. */
GUEST(tiers_patch,
      "lea 2f(%rip), %rsi\n lea 1f(%rip), %rbx\n mov $300, %ecx\n"
      "1: mov $0x11223344, %eax\n add %eax, %edx\n mov %cl, 1(%rbx)\n mov %cl, 1(%rsi)\n"
      "2: mov $0x55667788, %eax\n xor %eax, %edx\n dec %ecx\n jnz 1b");

/* Operands across pages, a device, and a fault at the end. */
GUEST(tiers_odd,
      "mov $0xd0000000, %r12d\n mov $200, %ecx\n lea 0xfff(%rdi), %rbx\n"
      "1: mov %rcx, -3(%rbx)\n add -5(%rbx), %rax\n xor %eax, 0x1000(%rbx)\n mov %eax, (%r12)\n add (%r12), %edx\n"
      "movups %xmm0, -9(%rbx)\n movups -7(%rbx), %xmm1\n cmpl %ecx, -2(%rbx)\n je 2f\n sub %edx, -1(%rbx)\n"
      "2: dec %ecx\n jnz 1b\n mov $0x300000, %ebx\n add %rcx, (%rbx)");

/* From page to page: calls, returns, jumps by register and by memory. */
GUEST(tiers_far,
      "lea 2f(%rip), %rbx\n mov $400, %ecx\n mov %rbx, 8(%rdi)\n"
      "1: call *%rbx\n call 2f\n call *8(%rdi)\n lea 3f(%rip), %rsi\n jmp *%rsi\n .skip 4096, 0x90\n"
      "2: add %ecx, %eax\n ret\n .skip 4096, 0x90\n"
      "3: dec %ecx\n jnz 1b");

static void expect_same(const struct cpu *a, const struct cpu *b, const char *name)
{
    char text[160];
    for (unsigned i = 0; i < 16; i++) {
        if (a->gpr[i] != b->gpr[i]) {
            snprintf(text, sizeof text, "%s: after %llu instructions at %#llx: register %u is %#llx and %#llx", name,
                     (unsigned long long)a->instructions, (unsigned long long)a->rip, i, (unsigned long long)a->gpr[i],
                     (unsigned long long)b->gpr[i]);
            fail_msg("%s", text);
        }
    }
    assert_int_equal(a->rip, b->rip);
    assert_int_equal(cpu_rflags(a), cpu_rflags(b));
    assert_int_equal(a->now, b->now);
    assert_int_equal(a->instructions, b->instructions);
    assert_int_equal(a->cr2, b->cr2);
    assert_memory_equal(a->xmm, b->xmm, sizeof a->xmm);
}

static void run_both(const char *name, const uint8_t *code, size_t size, unsigned mean)
{
    struct fixture *a = fixture_new_tier(false, TIER_INTERPRETER), *b = fixture_new_tier(false, TIER_EAGER);
    uint32_t seed = mean;

    fixture_load(a, FIX_CODE, code, size);
    fixture_load(b, FIX_CODE, code, size);
    a->machine.running = a->cpu;
    b->machine.running = b->cpu;
    for (unsigned n = 0; a->cpu->activity == ACTIVE; n++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t until = a->cpu->now + 1 + (seed >> 8) % (2 * mean);
        cpu_run(a->cpu, until);
        cpu_run(b->cpu, until);
        expect_same(a->cpu, b->cpu, name);
        assert_int_equal(a->seen_now, b->seen_now);
        if (n % 64 == 0) {
            assert_memory_equal(mem_ram_base(a->machine.mem), mem_ram_base(b->machine.mem), FIX_RAM);
        }
    }
    assert_memory_equal(mem_ram_base(a->machine.mem), mem_ram_base(b->machine.mem), FIX_RAM);
    assert_int_equal(fixture_vector(a), fixture_vector(b));
    assert_int_equal(a->reads, b->reads);
    assert_int_equal(a->writes, b->writes);
    if (code_cache_jit(b->machine.code)) {
        struct jit_stats s = jit_stats(code_cache_jit(b->machine.code));
        assert_true(s.translated > 0 && s.native > 0);
    }
    fixture_free(a);
    fixture_free(b);
}

#define RUN(name) run_both(#name, name, (size_t)(name##_end - name), mean)

static void both_tiers_agree_wherever_they_are_stopped(void **unused)
{
    static const unsigned means[] = { 1, 2, 5, 40, 1000, 100000 };
    (void)unused;
    for (unsigned i = 0; i < sizeof means / sizeof *means; i++) {
        unsigned mean = means[i];
        RUN(tiers_mix);
        RUN(tiers_patch);
        RUN(tiers_odd);
        RUN(tiers_far);
    }
}

/* A processor changes what another one has translated. */
GUEST(tiers_count, "1: add $1, %rax\n dec %rcx\n jnz 1b\n mov $1, %ecx\n jmp 1b");

static void code_changed_from_outside_is_seen_at_once(void **unused)
{
    struct fixture *f = fixture_new_tier(false, TIER_EAGER);
    static const uint8_t two = 2;
    (void)unused;
    LOAD(f, tiers_count);
    f->cpu->gpr[RCX] = 1u << 30;
    f->machine.running = f->cpu;
    cpu_run(f->cpu, 3000);
    assert_int_equal(f->cpu->gpr[RAX], 1000);
    fixture_load(f, FIX_CODE + 3, &two, 1);
    cpu_run(f->cpu, 6000);
    assert_int_equal(f->cpu->gpr[RAX], 3000);
    fixture_free(f);
}

static void a_full_arena_starts_again(void **unused)
{
    struct fixture *f = fixture_new_tier(false, TIER_EAGER);
    struct jit *j = code_cache_jit(f->machine.code);
    (void)unused;
    if (j) { /* one byte changes, so the loop is translated again and again */
        LOAD(f, tiers_patch);
        uint64_t before = 0;
        for (unsigned n = 0; n < 4000 && jit_stats(j).flushes == 0; n++) {
            fixture_run(f);
            assert_true(jit_stats(j).translated > before);
            before = jit_stats(j).translated;
        }
        assert_int_equal(jit_stats(j).flushes, 1);
        uint64_t edx = f->cpu->gpr[RDX];
        f->cpu->gpr[RDX] = 0;
        fixture_run(f);
        uint64_t first = f->cpu->gpr[RDX];
        f->cpu->gpr[RDX] = 0;
        fixture_run(f);
        assert_int_equal(f->cpu->gpr[RDX], first);
        (void)edx;
    }
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_tiers_agree_wherever_they_are_stopped),
        cmocka_unit_test(code_changed_from_outside_is_seen_at_once),
        cmocka_unit_test(a_full_arena_starts_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
