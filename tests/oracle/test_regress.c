/* Small programs with known answers, one per bug that an oracle found.  They
 * need neither the host's processor nor Unicorn, so they guard every build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/core_hooks.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "tests/oracle/oracle.h"

#define AT (ORACLE_DATA + 0x200) /* an operand in the writable data */

struct regression {
    const char *claim;
    bool mode32;
    const char *code;
    unsigned length;
    uint64_t rax, rcx, rdx, rbx, rsp, memory; /* before; memory: 8 bytes at AT */
    uint32_t rflags;                          /* status flags before */
    int vector;
    unsigned reg;                             /* looked at afterwards */
    uint64_t value, memory_after;
    uint32_t rflags_after;                    /* status flags */
};

#define CODE(bytes) bytes, sizeof(bytes) - 1
static const struct regression rows[] = {
    { "xchg [rdx], rdx stores where rdx pointed before", false, CODE("\x48\x87\x12"), .rdx = AT, .memory = 77,
      .vector = OUTCOME_OK, .reg = RDX, .value = 77, .memory_after = AT },
    { "xadd [rdx], rdx stores where rdx pointed before", false, CODE("\x48\x0f\xc1\x12"), .rdx = AT, .memory = 1,
      .vector = OUTCOME_OK, .reg = RDX, .value = 1, .memory_after = AT + 1, .rflags_after = 0 },
    { "cmpxchg [rax], rcx that fails keeps memory", false, CODE("\x48\x0f\xb1\x08"), .rax = AT, .rcx = 5, .memory = 3,
      .vector = OUTCOME_OK, .reg = RAX, .value = 3, .memory_after = 3, .rflags_after = FLAG_AF },
    { "cmpxchg edx, ecx that fails leaves the upper half of rdx", false, CODE("\x0f\xb1\xca"), .rax = 1,
      .rdx = 0x8000000000000000, .vector = OUTCOME_OK, .reg = RDX, .value = 0x8000000000000000, .rflags_after = 0 },
    { "pop [rbx] changes no flags", false, CODE("\x8f\x03"), .rbx = AT + 8, .rsp = AT, .memory = 9, .rflags = FLAG_CF,
      .vector = OUTCOME_OK, .reg = RSP, .value = AT + 8, .memory_after = 9, .rflags_after = FLAG_CF },
    { "a 66 push of an imm8 pushes two bytes", false, CODE("\x66\x6a\xbb"), .rsp = AT + 2, .memory = 0x1111111111111111,
      .vector = OUTCOME_OK, .reg = RSP, .value = AT, .memory_after = 0x111111111111ffbb },
    { "call of a non-canonical address pushes nothing", false, CODE("\xff\xd0"), .rax = 1ull << 60, .rsp = AT + 8,
      .memory = 42, .vector = X_GP, .reg = RSP, .value = AT + 8, .memory_after = 42 },
    { "enter faults when the final stack pointer cannot be written", false, CODE("\xc8\xff\xff\x00"), .rsp = AT + 8,
      .vector = X_PF, .reg = RSP, .value = AT + 8 },
    { "bt [rsp], r of a non-canonical address is a stack fault", false, CODE("\x48\x0f\xa3\x04\x24"), .rsp = 1ull << 60,
      .vector = X_SS, .reg = RSP, .value = 1ull << 60 },
    { "bt with 32-bit addresses wraps the bit string at 4 GiB", false, CODE("\x67\x48\x0f\xa3\x02"),
      .rdx = AT + 8, .rax = (uint64_t)-64, .memory = 1, .vector = OUTCOME_OK, .reg = RDX, .value = AT + 8,
      .memory_after = 1, .rflags_after = FLAG_CF },
    { "a store through CS is refused", true, CODE("\x2e\x89\x02"), .rdx = AT, .memory = 6, .vector = X_GP, .reg = RDX,
      .value = AT, .memory_after = 6 },
    { "setcc through CS is refused", true, CODE("\x2e\x0f\x92\x02"), .rdx = AT, .memory = 6, .vector = X_GP, .reg = RDX,
      .value = AT, .memory_after = 6 },
    { "ret imm16 returns to all of its 32 bits", true, CODE("\xc2\x04\x00"), .rsp = AT, .memory = 0x12345678,
      .vector = OUTCOME_OK, .reg = RSP, .value = AT + 8, .memory_after = 0x12345678 },
    { "f3 rex.b 90 is xchg r8, rax and no pause", false, CODE("\xf3\x41\x90"), .rax = 4, .vector = OUTCOME_OK,
      .reg = RAX, .value = 0 },
};

static void set_up(struct oracle_case *c, const struct regression *r)
{
    *c = (struct oracle_case){ .mode32 = r->mode32, .length = r->length, .patches = 1 };
    memcpy(c->code, r->code, r->length);
    c->in = (struct oracle_regs){ .rip = ORACLE_CODE + 0x100, .mxcsr = 0x1f80, .rflags = FLAG_IF | 2 | r->rflags };
    c->in.gpr[RAX] = r->rax;
    c->in.gpr[RCX] = r->rcx;
    c->in.gpr[RDX] = r->rdx;
    c->in.gpr[RBX] = r->rbx;
    c->in.gpr[RSP] = r->rsp;
    c->patch[0] = (struct oracle_patch){ .address = AT, .size = 8 };
    memcpy(c->patch[0].bytes, &r->memory, 8);
}

static void bugs_stay_fixed(void **state)
{
    (void)state;
    struct oracle_ours *ours = oracle_ours_new(false);
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct regression *r = &rows[i];
        static struct oracle_outcome out;
        struct oracle_case c;
        uint64_t memory;
        set_up(&c, r);
        oracle_ours_run(ours, &c, &out);
        memcpy(&memory, out.data + (AT - ORACLE_DATA), 8);
        bool good = out.vector == r->vector && out.out.gpr[r->reg] == r->value && memory == r->memory_after &&
                    (r->vector != OUTCOME_OK || (out.out.rflags & FLAG_STATUS & ~FLAG_PF) == r->rflags_after);
        if (!good) {
            print_error("%s: vector %d, register %lx, memory %lx, flags %lx\n", r->claim, out.vector,
                        (unsigned long)out.out.gpr[r->reg], (unsigned long)memory, (unsigned long)out.out.rflags);
            wrong++;
        }
    }
    oracle_ours_free(ours);
    assert_int_equal(wrong, 0);
}

/* The flags that an AVX operation's exception shows must not have been left out because the next instruction sets them. */
static void flags_before_an_avx_exception_are_exact(void **state)
{
    static const char code[] = "\x0f\xae\x12"     /* ldmxcsr [rdx]: invalid operation unmasked */
                               "\x48\x01\xc0"     /* add rax, rax: the flags asked for */
                               "\xc5\xf8\x5e\xc0" /* vdivps xmm0, xmm0, xmm0: 0/0 */
                               "\x48\x83\xc8\x01" /* or rax, 1 */
                               "\xcc";
    struct oracle_ours *ours = oracle_ours_new(false);
    static struct oracle_outcome out;
    struct oracle_case c = { .sequence = true, .length = sizeof code, .patches = 1 };
    uint32_t mxcsr = 0x1f00;
    (void)state;
    memcpy(c.code, code, sizeof code);
    c.in = (struct oracle_regs){ .rip = ORACLE_CODE + 0x100, .mxcsr = 0x1f80, .rflags = FLAG_IF | 2 };
    c.in.gpr[RDX] = AT;
    c.in.gpr[RAX] = 1ull << 63;
    c.patch[0] = (struct oracle_patch){ .address = AT, .size = 4 };
    memcpy(c.patch[0].bytes, &mxcsr, 4);
    oracle_ours_run(ours, &c, &out);
    oracle_ours_free(ours);
    assert_int_equal(out.vector, X_XM);
    assert_int_equal(out.out.rflags & FLAG_STATUS, FLAG_CF | FLAG_OF | FLAG_ZF | FLAG_PF);
    assert_int_equal(out.out.mxcsr, 0x1f01);
}

/* A stale jump-cache entry must not make a step do nothing. */
static void a_step_executes_code_that_was_just_rewritten(void **state)
{
    (void)state;
    struct oracle_ours *ours = oracle_ours_new(false);
    static struct oracle_outcome out;
    for (unsigned i = 0; i < 200; i++) {
        struct oracle_case c = { .length = 2, .in = { .rip = ORACLE_CODE + 0x40, .rflags = FLAG_IF | 2, .mxcsr = 0x1f80 } };
        c.code[0] = 0xb0; /* mov al, i */
        c.code[1] = (uint8_t)i;
        oracle_ours_run(ours, &c, &out);
        assert_int_equal(out.out.gpr[RAX], (uint8_t)i);
        assert_int_equal(out.out.rip, ORACLE_CODE + 0x42);
    }
    oracle_ours_free(ours);
}

/* --- devices see exact time however a run is cut ------------------------------------------ */

enum { READS_MAX = 64 };
struct clock_device { struct cpu *cpu; uint64_t seen[READS_MAX]; unsigned reads; };

static uint64_t read_clock(void *ctx, uint64_t offset, unsigned size)
{
    struct clock_device *d = ctx;
    (void)offset, (void)size;
    if (d->reads < READS_MAX) {
        d->seen[d->reads++] = d->cpu->now;
    }
    return 0;
}

static void ignore_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)offset, (void)size, (void)value;
}

static void record_times(struct clock_device *d, bool timed, bool hooked, uint64_t slice)
{
    /* 1: inc rax; inc rbx; mov eax, [rcx]; inc rdx; inc rsi; jmp 1b */
    static const uint8_t code[] = { 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc3, 0x8b, 0x01, 0x48, 0xff, 0xc2, 0x48,
                                    0xff, 0xc6, 0xeb, 0xf0 };
    struct oracle_case start = { .in = { .rip = ORACLE_CODE + 0x80, .rflags = FLAG_IF | 2, .mxcsr = 0x1f80 } };
    struct oracle_ours *o = oracle_ours_new(timed);
    const struct mem_region region = { "clock", read_clock, ignore_write, d };
    *d = (struct clock_device){ .cpu = oracle_ours_machine(o)->cpu[0] };
    start.in.gpr[RCX] = ORACLE_MMIO;
    oracle_ours_map_mmio(o, &region);
    oracle_ours_load(o, &start, code, sizeof code);
    const struct core_hooks hooks = { .every = 3 };
    core_hooks_set(d->cpu, hooked ? &hooks : NULL);
    while (d->reads < READS_MAX) {
        cpu_run(d->cpu, d->cpu->now + slice);
    }
    oracle_ours_free(o);
}

static void assert_same_times(const struct clock_device *a, const struct clock_device *b, const char *what, uint64_t slice)
{
    for (unsigned i = 0; i < READS_MAX; i++) {
        if (a->seen[i] != b->seen[i]) {
            fail_msg("%s, slices of %lu cycles: read %u at %lu, not %lu", what, (unsigned long)slice, i,
                     (unsigned long)b->seen[i], (unsigned long)a->seen[i]);
        }
    }
}

static void devices_see_the_same_time_however_a_run_is_sliced(void **state)
{
    static struct clock_device whole, sliced;
    (void)state;
    record_times(&whole, false, false, 1000000);
    for (uint64_t slice = 1; slice < 12; slice++) {
        record_times(&sliced, false, false, slice);
        assert_same_times(&whole, &sliced, "functional", slice);
    }
}

/* Timed runs may charge a cut block differently; but hooks, which keep blocks apart, may not show. */
static void devices_see_the_same_time_with_hooks_on(void **state)
{
    static struct clock_device plain, hooked;
    (void)state;
    for (unsigned timed = 0; timed < 2; timed++) {
        for (uint64_t slice = 1; slice < 3000; slice += 1 + slice / 3) {
            record_times(&plain, timed, false, slice);
            record_times(&hooked, timed, true, slice);
            assert_same_times(&plain, &hooked, timed ? "timed" : "functional", slice);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bugs_stay_fixed),
        cmocka_unit_test(flags_before_an_avx_exception_are_exact),
        cmocka_unit_test(devices_see_the_same_time_however_a_run_is_sliced),
        cmocka_unit_test(devices_see_the_same_time_with_hooks_on),
        cmocka_unit_test(a_step_executes_code_that_was_just_rewritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
