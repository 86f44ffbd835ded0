/* Claims about running: exact budgets, code that changes, odd accesses, faults, hooks. */
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core_hooks.h"
#include "sim/time/timing.h"

/* --- budgets ----------------------------------------------------------------------- */

GUEST(guest_mix,
      "mov $2000, %ecx\n xor %eax, %eax\n"
      "1: add %ecx, %eax\n rol $3, %rax\n mov %rax, (%rdi,%rcx,8)\n test $1, %cl\n jz 2f\n"
      "push %rax\n call 3f\n pop %rdx\n"
      "2: adc %rdx, 64(%rdi)\n add %rcx, 0xffd(%rdi)\n inc %r8\n dec %ecx\n jnz 1b\n"
      "lea 0x1000(%rdi), %rsi\n mov $300, %ecx\n rep movsb\n jmp 4f\n"
      "3: sub %eax, %edx\n inc %rbx\n ret\n 4: nop");

struct picture { uint64_t gpr[16], rip, rflags, instructions, now; };

static struct picture picture_of(const struct cpu *c)
{
    struct picture p = { .rip = c->rip, .rflags = cpu_rflags(c), .instructions = c->instructions, .now = c->now };
    memcpy(p.gpr, c->gpr, sizeof p.gpr);
    return p;
}

static void slices_do_not_change_what_happens(void **unused)
{
    static const uint64_t slices[] = { 1, 2, 7, 33, 1000, 1000000 };
    struct picture first = { .rip = 0 };
    (void)unused;
    for (unsigned i = 0; i < sizeof slices / sizeof *slices; i++) {
        struct fixture *f = fixture_new(false);
        LOAD(f, guest_mix);
        f->cpu->now = 0;
        fixture_go_on(f, slices[i]);
        struct picture p = picture_of(f->cpu);
        p.now = 0; /* the last slice ends as idle time */
        if (i == 0) {
            first = p;
            assert_true(p.instructions > 15000);
        }
        assert_memory_equal(&p, &first, sizeof p);
        fixture_free(f);
    }
}

GUEST(guest_compare_and_jump, "mov $1, %eax\n cmp $1, %eax\n jne 1f\n mov $2, %ebx\n jmp 2f\n 1: mov $3, %ebx\n 2: nop");

/* An interrupt between compare and jump: IRET brings the flags back as a value, not as a compare's operands. */
static void flags_restored_in_the_middle_of_a_block_are_read(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_compare_and_jump);
    cpu_run(f->cpu, f->cpu->now + 2);
    uint64_t flags = cpu_rflags(f->cpu);
    cpu_set_rflags(f->cpu, flags ^ 0x8d5);
    cpu_set_rflags(f->cpu, flags);
    fixture_go_on(f, 1000);
    assert_int_equal(f->cpu->gpr[RBX], 2);
    fixture_free(f);
}

static void a_functional_budget_is_exact_to_the_instruction(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_mix);
    for (uint64_t stride = 1; f->cpu->activity == ACTIVE && stride < 400; stride++) {
        uint64_t until = f->cpu->now + stride, before = f->cpu->instructions;
        cpu_run(f->cpu, until);
        assert_int_equal(f->cpu->now, until);
        assert_true(f->cpu->activity != ACTIVE || f->cpu->instructions == before + stride);
    }
    fixture_free(f);
}

/* As an interrupt's return does, between a comparison and its jump. */
GUEST(guest_flags_replaced, "mov $1, %eax\n cmp %eax, %eax\n mov %ecx, %edx\n jnz 1f\n inc %rbx\n 1: nop");

static void flags_replaced_where_a_block_was_left_count(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_flags_replaced);
    cpu_run(f->cpu, f->cpu->now + 3);
    assert_int_equal(f->cpu->instructions, 3);
    cpu_set_rflags(f->cpu, 2);
    fixture_go_on(f, 1000);
    assert_int_equal(f->cpu->gpr[RBX], 0);
    fixture_free(f);
}

static void steps_add_up_to_a_run(void **unused)
{
    struct fixture *a = fixture_new(false), *b = fixture_new(false);
    (void)unused;
    LOAD(a, guest_mix);
    LOAD(b, guest_mix);
    for (unsigned i = 0; i < 3000; i++) {
        cpu_step(a->cpu);
    }
    cpu_run(b->cpu, b->cpu->now + 3000);
    struct picture pa = picture_of(a->cpu), pb = picture_of(b->cpu);
    assert_memory_equal(&pa, &pb, sizeof pa);
    fixture_free(a);
    fixture_free(b);
}

static uint64_t buckets_of(const struct cpu *c)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < BUCKET_MAX; i++) {
        sum += c->bucket_cycles[i];
    }
    return sum;
}

static void every_cycle_has_a_bucket(void **unused)
{
    (void)unused;
    for (unsigned timed = 0; timed < 2; timed++) {
        struct fixture *f = fixture_new(timed);
        bucket_add_range(&f->machine, "loop", FIX_CODE, 20); /* cuts through the guest's blocks */
        LOAD(f, guest_mix);
        uint64_t begin = f->cpu->now, booked = buckets_of(f->cpu);
        for (unsigned n = 0; f->cpu->activity == ACTIVE; n++) {
            cpu_run(f->cpu, f->cpu->now + 1 + n % 97);
        }
        uint64_t units = (f->cpu->now - begin) << (timed ? TIME_UNIT_SHIFT : 0), sum = buckets_of(f->cpu) - booked;
        /* now is whole cycles; less than one is carried */
        assert_in_range(sum, units, units + (timed ? 15 : 0));
        assert_true(f->cpu->bucket_cycles[BUCKET_FIXED_COUNT] > 0);
        fixture_free(f);
    }
}

static void the_timing_model_only_observes(void **unused)
{
    struct fixture *a = fixture_new(false), *b = fixture_new(true);
    (void)unused;
    LOAD(a, guest_mix);
    LOAD(b, guest_mix);
    fixture_run(a);
    fixture_run(b);
    struct picture pa = picture_of(a->cpu), pb = picture_of(b->cpu);
    pa.now = pb.now = 0;
    assert_memory_equal(&pa, &pb, sizeof pa);
    assert_memory_equal(mem_ram(a->machine.mem, FIX_DATA), mem_ram(b->machine.mem, FIX_DATA), 1 << 16);
    fixture_free(a);
    fixture_free(b);
}

/* --- code that changes --------------------------------------------------------------- */

/* Writes the immediate of the very next instruction, 200 times. */
GUEST(guest_smc,
      "xor %eax, %eax\n mov $200, %ecx\n"
      "1: mov %ecx, 2f+1(%rip)\n 2: mov $0, %edx\n add %rdx, %rax\n dec %ecx\n jnz 1b");

static void a_store_changes_the_next_instruction(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_smc);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RAX], 200 * 201 / 2);
    fixture_free(f);
}

/* A counter that shares its page, but no line, with the loop. */
GUEST(guest_beside,
      "mov $5000, %ecx\n 1: incq 2f(%rip)\n dec %ecx\n jnz 1b\n mov 2f(%rip), %rax\n jmp 3f\n"
      ".balign 128\n 2: .quad 0\n .balign 128\n 3: nop");

static void data_beside_code_does_not_drop_it_again(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_beside);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RAX], 5000);
    assert_true(code_cache_stats(f->machine.code).dropped_blocks < 20);
    fixture_free(f);
}

/* Calls a function, patches it from mov $1 to mov $2, calls it again; twice over, so links must follow. */
GUEST(guest_patch,
      "xor %ebx, %ebx\n mov $50, %ecx\n"
      "1: call 2f\n lea (%rbx,%rax), %rbx\n xorb $3, 2f+1(%rip)\n dec %ecx\n jnz 1b\n jmp 3f\n"
      ".balign 256\n 2: mov $1, %eax\n ret\n .balign 256\n 3: nop");

static void calls_reach_patched_functions(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_patch);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RBX], 25 * 1 + 25 * 2);
    fixture_free(f);
}

static void devices_that_write_code_are_noticed(void **unused)
{
    static const uint8_t one[] = { 0xb8, 1, 0, 0, 0, 0xf4 }, two[] = { 0xb8, 2, 0, 0, 0, 0xf4 };
    struct fixture *f = fixture_new(false);
    (void)unused;
    for (unsigned i = 0; i < 10; i++) {
        fixture_load(f, FIX_CODE, i % 2 ? two : one, sizeof one);
        fixture_run(f);
        assert_int_equal(f->cpu->gpr[RAX], 1 + i % 2);
    }
    fixture_free(f);
}

/* The same bytes at two addresses of one page frame would share blocks; two frames at one address must not. */
static void changing_a_mapping_changes_the_code(void **unused)
{
    static const uint8_t one[] = { 0xb8, 1, 0, 0, 0, 0xf4 }, two[] = { 0xb8, 2, 0, 0, 0, 0xf4 };
    struct fixture *f = fixture_new(false);
    (void)unused;
    fixture_load(f, FIX_CODE, one, sizeof one);
    fixture_load(f, FIX_CODE + 0x1000, two, sizeof two);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RAX], 1);
    uint64_t entry = (FIX_CODE + 0x1000) | 3;
    mem_write(f->machine.mem, 0x10000 + (FIX_CODE >> 12) * 8, &entry, 8);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RAX], 1); /* not flushed yet: silicon may, and we do, use the old one */
    mmu_invlpg(f->cpu, FIX_CODE);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RAX], 2);
    fixture_free(f);
}

GUEST(guest_loop_at_edge, "mov $1000, %ecx\n 1: add $0x11223344, %eax\n dec %ecx\n jnz 1b");

static void instructions_cross_pages(void **unused)
{
    (void)unused;
    for (unsigned before = 1; before < 14; before++) {
        struct fixture *f = fixture_new(false);
        uint64_t at = FIX_CODE + 0x1000 - before;
        fixture_load(f, at, guest_loop_at_edge, (size_t)(guest_loop_at_edge_end - guest_loop_at_edge));
        f->cpu->rip = at;
        fixture_go_on(f, 100000);
        assert_int_equal(f->cpu->gpr[RAX], (uint32_t)(1000 * 0x11223344ull));
        assert_int_equal(f->cpu->instructions, 3002);
        fixture_free(f);
    }
}

static void an_instruction_into_a_missing_page_faults_there(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    f->cpu->rip = FIX_HOLE - 2;
    fixture_load(f, FIX_HOLE - 2, (const uint8_t *)"\xb8\x01", 2);
    fixture_go_on(f, 100);
    assert_int_equal(fixture_vector(f), X_PF);
    assert_int_equal(f->cpu->cr2, FIX_HOLE);
    assert_int_equal(fixture_pushed(f, 1), FIX_HOLE - 2);
    fixture_free(f);
}

/* --- odd accesses ------------------------------------------------------------------------ */

GUEST(guest_crossing,
      "lea 0xffd(%rdi), %rsi\n movabs $0x1122334455667788, %rax\n mov %rax, (%rsi)\n addq $1, (%rsi)\n"
      "mov (%rsi), %rbx\n movups (%rsi), %xmm0\n movups %xmm0, 0x2000(%rsi)\n mov 0x2000(%rsi), %rdx");

static void data_crosses_pages(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_crossing);
    fixture_run(f);
    assert_int_equal(f->cpu->gpr[RBX], 0x1122334455667789);
    assert_int_equal(f->cpu->gpr[RDX], 0x1122334455667789);
    fixture_free(f);
}

/* Half of the store's bytes are on a missing page: nothing may be written. */
GUEST(guest_half, "mov $0x2ffffc, %ebx\n mov $-1, %rax\n stc\n add %rax, (%rbx)");

static void a_store_is_all_or_nothing(void **unused)
{
    struct fixture *f = fixture_new(false);
    uint32_t low = 7;
    (void)unused;
    LOAD(f, guest_half);
    fixture_load(f, FIX_HOLE - 4, (const uint8_t *)&low, 4);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), X_PF);
    assert_int_equal(f->cpu->cr2, FIX_HOLE);
    assert_int_equal(fixture_pushed(f, 0), 2); /* a write to a page that is not present */
    assert_true(fixture_pushed(f, 3) & 1);     /* CF as before */
    mem_read(f->machine.mem, FIX_HOLE - 4, &low, 4);
    assert_int_equal(low, 7);
    fixture_free(f);
}

GUEST(guest_device,
      "mov $0xD0000000, %esi\n nop\n nop\n mov (%rsi), %eax\n movw %ax, 2(%rsi)\n orq $8, 8(%rsi)\n"
      "xchg %ebx, 16(%rsi)\n movb $3, (%rsi)");

static void devices_see_sizes_and_exact_time(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_device);
    f->register_value = 0x41;
    f->cpu->gpr[RBX] = 5;
    uint64_t begin = f->cpu->now;
    fixture_run(f);
    assert_int_equal(fixture_vector(f), -1);
    assert_int_equal(f->reads, 3);
    assert_int_equal(f->writes, 4);
    assert_int_equal(f->cpu->gpr[RAX], 0x41);
    assert_int_equal(f->cpu->gpr[RBX], 0x49);
    assert_int_equal(f->last_size, 1);
    assert_int_equal(f->last_value, 3);
    assert_int_equal(f->seen_now - begin, 7); /* seven instructions were done before the last store */
    fixture_free(f);
}

GUEST(guest_alignment, "movaps 8(%rdi), %xmm0");
GUEST(guest_noncanonical, "movabs $0x8000000000000000, %rax\n mov (%rax), %ecx");
GUEST(guest_stack_fault, "movabs $0x8000000000000000, %rbp\n mov (%rbp), %ecx");
GUEST(guest_bad_jump, "movabs $0x0000800000000000, %rax\n nop\n call *%rax");
GUEST(guest_bad_return, "movabs $0x0000800000000000, %rax\n push %rax\n ret");
GUEST(guest_divide, "xor %ecx, %ecx\n stc\n div %ecx");
GUEST(guest_undefined, "nop\n ud2");
GUEST(guest_lock, "nop\n .byte 0xf0, 0x01, 0xd8");

static void faults_are_precise(void **unused)
{
    static const struct { const uint8_t *code, *end; int vector; unsigned has_error, offset; } cases[] = {
        { guest_alignment, guest_alignment_end, X_GP, 1, 0 },
        { guest_noncanonical, guest_noncanonical_end, X_GP, 1, 10 },
        { guest_stack_fault, guest_stack_fault_end, X_SS, 1, 10 },
        { guest_bad_jump, guest_bad_jump_end, X_GP, 1, 11 },
        { guest_bad_return, guest_bad_return_end, X_GP, 1, 11 },
        { guest_divide, guest_divide_end, X_DE, 0, 3 },
        { guest_undefined, guest_undefined_end, X_UD, 0, 1 },
        { guest_lock, guest_lock_end, X_UD, 0, 1 },
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture *f = fixture_new(false);
        fixture_load(f, FIX_CODE, cases[i].code, (size_t)(cases[i].end - cases[i].code));
        fixture_run(f);
        assert_int_equal(fixture_vector(f), cases[i].vector);
        assert_int_equal(fixture_pushed(f, cases[i].has_error), FIX_CODE + cases[i].offset);
        uint64_t stack = cases[i].code == guest_bad_return ? FIX_STACK - 8 : FIX_STACK;
        assert_int_equal(fixture_pushed(f, cases[i].has_error + 3), stack);
        fixture_free(f);
    }
}

GUEST(guest_fetch_mmio, "mov $0xd0000000, %eax\n jmp *%rax");

static void what_we_lack_stops_loudly(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_fetch_mmio);
    fixture_run(f);
    assert_int_equal(f->machine.stop, STOP_UNIMPLEMENTED);
    assert_int_equal(f->cpu->rip, FIX_MMIO);
    assert_non_null(strstr(f->machine.stop_text, "0xd0000000"));
    fixture_free(f);
}

/* --- strings -------------------------------------------------------------------------------- */

GUEST(guest_overlap,
      "mov $0x5a, %al\n mov $100, %ecx\n rep stosb\n lea -100(%rdi), %rsi\n movb $1, (%rsi)\n lea 1(%rsi), %rdi\n"
      "mov $9000, %ecx\n rep movsb\n movzbl -1(%rdi), %eax\n"
      "std\n lea -1(%rdi), %rdi\n mov $9000, %ecx\n xor %edx, %edx\n inc %edx\n xchg %edx, %eax\n repe scasb\n cld");

static void strings_behave_element_by_element(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_overlap);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), -1);
    assert_int_equal(f->cpu->gpr[RDX], 1);                    /* copied all the way from the first byte */
    assert_int_equal(f->cpu->gpr[RCX], 0);
    assert_int_equal(f->cpu->gpr[RDI], FIX_DATA);             /* down from the last copied byte */
    fixture_free(f);
}

GUEST(guest_string_fault, "mov $0x2fff00, %edi\n mov $1000, %ecx\n rep stosb");

static void a_string_fault_keeps_what_was_done(void **unused)
{
    struct fixture *f = fixture_new(false);
    (void)unused;
    LOAD(f, guest_string_fault);
    fixture_run(f);
    assert_int_equal(fixture_vector(f), X_PF);
    assert_int_equal(f->cpu->gpr[RDI], FIX_HOLE);
    assert_int_equal(f->cpu->gpr[RCX], 1000 - 256);
    assert_int_equal(fixture_pushed(f, 1), FIX_CODE + 10);
    fixture_free(f);
}

/* --- hooks ------------------------------------------------------------------------------------ */

struct watch { unsigned before, after; uint64_t instructions; };

static void note_before(void *ctx, struct cpu *c)
{
    struct watch *w = ctx;
    (void)c;
    w->before++;
}

static void note_after(void *ctx, struct cpu *c, const struct core_block_end *end)
{
    struct watch *w = ctx;
    (void)c;
    w->after++;
    w->instructions += end->instructions;
}

static void hooks_see_every_block_and_change_nothing(void **unused)
{
    struct fixture *a = fixture_new(false), *b = fixture_new(false);
    struct watch w = { 0 };
    const struct core_hooks hooks = { .every = 1, .ctx = &w, .before = note_before, .after = note_after };
    (void)unused;
    LOAD(a, guest_mix);
    LOAD(b, guest_mix);
    core_hooks_set(b->cpu, &hooks);
    fixture_run(a);
    fixture_run(b);
    struct picture pa = picture_of(a->cpu), pb = picture_of(b->cpu);
    assert_memory_equal(&pa, &pb, sizeof pa);
    assert_int_equal(w.before, w.after);
    assert_int_equal(w.instructions, b->cpu->instructions);
    core_hooks_set(b->cpu, NULL);
    fixture_free(a);
    fixture_free(b);
}

static void note_entry(void *ctx, struct cpu *c)
{
    struct watch *w = ctx;
    w->before++;
    w->instructions = c->instructions;
}

static void entry_observers_fire_each_time(void **unused)
{
    struct fixture *f = fixture_new(false), *plain = fixture_new(false);
    struct watch w = { 0 };
    (void)unused;
    LOAD(f, guest_mix);
    LOAD(plain, guest_mix);
    uint64_t function = FIX_CODE; /* find "sub %eax, %edx; inc %rbx" */
    while (memcmp(mem_ram(f->machine.mem, function), "\x29\xc2\x48\xff\xc3", 5)) {
        function++;
    }
    core_observe_entry(&f->machine, function, note_entry, &w);
    fixture_go_on(f, 13); /* slices, so that some entries are stepped */
    fixture_go_on(plain, 13);
    assert_int_equal(w.before, 1000);
    assert_int_equal(f->cpu->gpr[RBX], 1000);
    assert_int_equal(f->cpu->instructions, plain->cpu->instructions);
    core_observe_entry(&f->machine, function, NULL, NULL);
    fixture_run(f);
    assert_int_equal(w.before, 1000);
    fixture_free(f);
    fixture_free(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_do_not_change_what_happens),
        cmocka_unit_test(flags_restored_in_the_middle_of_a_block_are_read),
        cmocka_unit_test(a_functional_budget_is_exact_to_the_instruction),
        cmocka_unit_test(flags_replaced_where_a_block_was_left_count),
        cmocka_unit_test(steps_add_up_to_a_run),
        cmocka_unit_test(every_cycle_has_a_bucket),
        cmocka_unit_test(the_timing_model_only_observes),
        cmocka_unit_test(a_store_changes_the_next_instruction),
        cmocka_unit_test(data_beside_code_does_not_drop_it_again),
        cmocka_unit_test(calls_reach_patched_functions),
        cmocka_unit_test(devices_that_write_code_are_noticed),
        cmocka_unit_test(changing_a_mapping_changes_the_code),
        cmocka_unit_test(instructions_cross_pages),
        cmocka_unit_test(an_instruction_into_a_missing_page_faults_there),
        cmocka_unit_test(data_crosses_pages),
        cmocka_unit_test(a_store_is_all_or_nothing),
        cmocka_unit_test(devices_see_sizes_and_exact_time),
        cmocka_unit_test(faults_are_precise),
        cmocka_unit_test(what_we_lack_stops_loudly),
        cmocka_unit_test(strings_behave_element_by_element),
        cmocka_unit_test(a_string_fault_keeps_what_was_done),
        cmocka_unit_test(hooks_see_every_block_and_change_nothing),
        cmocka_unit_test(entry_observers_fire_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
