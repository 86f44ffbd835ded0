/* Claims about watched memory (core_hooks.h): who watches from outside is told behind the instruction, in both tiers, and
 * the machine does not notice. */
#include <string.h>

#include "fixture.h"
#include "sim/cpu/core_hooks.h"

enum { TOLD_MAX = 32 };

struct told { uint64_t at, linear; unsigned watch; bool write; };
struct watcher { struct told told[TOLD_MAX]; unsigned count; };

static void on_access(void *ctx, struct cpu *c, const struct core_watch_hit *hit)
{
    struct watcher *w = ctx;

    assert_true(w->count < TOLD_MAX);
    w->told[w->count++] = (struct told){ c->rip, hit->linear, hit->watch, hit->write };
}

static void watch(struct fixture *f, struct watcher *w, const struct core_watch *list, unsigned count)
{
    const struct core_debug debug = { .ctx = w, .accessed = on_access };

    core_debug_set(f->cpu, &debug);
    core_debug_watch(f->cpu, list, count);
}

static void expect(const struct watcher *w, unsigned n, uint64_t at, uint64_t linear, bool write)
{
    assert_true(n < w->count);
    assert_int_equal(w->told[n].at, at);
    assert_int_equal(w->told[n].linear, linear);
    assert_int_equal(w->told[n].write, write);
}

#define AT(code, label) (FIX_CODE + (uint64_t)((label) - (code)))
#define LABEL(name) ".global " #name "\n" #name ": "
static const enum machine_tier tiers[] = { TIER_INTERPRETER, TIER_EAGER };
enum { TIERS = sizeof tiers / sizeof *tiers };

/* --- which accesses --------------------------------------------------------------------- */

extern const uint8_t put_1[], put_2[], put_3[], put_4[], put_5[], put_6[], put_7[], put_8[], put_9[];
GUEST(stores,
      "mov $5, %eax\n mov 8(%rdi), %rdx\n"
      "mov %eax, 8(%rdi)\n" LABEL(put_1) "nop\n"
      "addl $1, 8(%rdi)\n" LABEL(put_2) "nop\n"
      "movb $1, 11(%rdi)\n" LABEL(put_3) "movb $1, 12(%rdi)\n movb $1, 7(%rdi)\n"
      "movups %xmm0, (%rdi)\n" LABEL(put_4) "xchg %rcx, 4(%rdi)\n" LABEL(put_5) "lea 16(%rdi), %rsp\n"
      "push %rax\n" LABEL(put_6) "lock btsl $3, 8(%rdi)\n" LABEL(put_7) "nop\n"
      "shll $1, 8(%rdi)\n" LABEL(put_8) "sgdt 3(%rdi)\n" LABEL(put_9) "mov $0x180000, %esp");

static void writes_are_told_behind_the_instruction(void **unused)
{
    static const struct { const uint8_t *label; uint64_t linear; } want[] = {
        { put_1, 8 }, { put_2, 8 }, { put_3, 11 }, { put_4, 8 }, { put_5, 8 }, { put_6, 8 }, { put_7, 8 }, { put_8, 8 }, { put_9, 8 },
    };
    static const struct core_watch list[] = { { FIX_DATA + 8, FIX_DATA + 11, false, true } };
    (void)unused;
    for (unsigned t = 0; t < TIERS; t++) {
        for (uint64_t slice = 1; slice < 100000; slice *= 17) {
            struct fixture *f = fixture_new_tier(false, tiers[t]);
            struct watcher w = { .count = 0 };
            LOAD(f, stores);
            watch(f, &w, list, 1);
            fixture_go_on(f, slice);
            assert_int_equal(fixture_vector(f), -1);
            assert_int_equal(w.count, 9);
            for (unsigned i = 0; i < 9; i++) {
                expect(&w, i, AT(stores, want[i].label), FIX_DATA + want[i].linear, true);
            }
            fixture_free(f);
        }
    }
}

extern const uint8_t kind_1[], kind_2[], kind_3[];
GUEST(kinds, "mov (%rdi), %rax\n" LABEL(kind_1) "mov %rax, (%rdi)\n" LABEL(kind_2) "incl 4(%rdi)\n" LABEL(kind_3) "nop");

static void reads_writes_and_both_are_told_apart(void **unused)
{
    static const struct { bool on_read, on_write; const uint8_t *told[3]; } row[] = {
        { true, false, { kind_1, kind_3 } }, { false, true, { kind_2, kind_3 } }, { true, true, { kind_1, kind_2, kind_3 } },
    };
    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        const struct core_watch list[] = { { FIX_DATA + 64, FIX_DATA + 64, true, true }, { FIX_DATA, FIX_DATA + 7, row[i].on_read, row[i].on_write } };
        struct fixture *f = fixture_new(false);
        struct watcher w = { .count = 0 };
        LOAD(f, kinds);
        watch(f, &w, list, 2);
        fixture_go_on(f, 1000);
        assert_int_equal(w.count, row[i].told[2] ? 3 : 2);
        for (unsigned n = 0; n < w.count; n++) {
            assert_int_equal(w.told[n].at, AT(kinds, row[i].told[n]));
            assert_int_equal(w.told[n].watch, 1);
        }
        fixture_free(f);
    }
}

extern const uint8_t cross_1[], cross_2[];
GUEST(crossings, "lea 0xffc(%rdi), %rsi\n mov %rax, (%rsi)\n" LABEL(cross_1) "movups -8(%rsi), %xmm1\n" LABEL(cross_2) "nop\n mov %eax, 8(%rsi)");

static void an_access_across_pages_is_seen_on_either_page(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        const struct core_watch list[] = { { FIX_DATA + 0xffe + i * 4, FIX_DATA + 0xffe + i * 4, true, true } };
        struct fixture *f = fixture_new(false);
        struct watcher w = { .count = 0 };
        LOAD(f, crossings);
        watch(f, &w, list, 1);
        fixture_go_on(f, 1000);
        assert_int_equal(w.count, 2);
        expect(&w, 0, AT(crossings, cross_1), list[0].first, true);
        expect(&w, 1, AT(crossings, cross_2), list[0].first, false);
        fixture_free(f);
    }
}

extern const uint8_t rep_1[];
GUEST(strings, "lea 0x2000(%rdi), %rsi\n mov $0x1800, %ecx\n rep movsb\n" LABEL(rep_1) "nop");

static void a_string_instruction_is_told_of_once_a_pause_or_end(void **unused)
{
    static const struct core_watch list[] = { { FIX_DATA + 0x1700, FIX_DATA + 0x1703, false, true } };
    struct fixture *f = fixture_new(false);
    struct watcher w = { .count = 0 };
    (void)unused;
    LOAD(f, strings);
    watch(f, &w, list, 1);
    fixture_go_on(f, 1000);
    assert_int_equal(w.count, 1);
    expect(&w, 0, AT(strings, rep_1), FIX_DATA + 0x1700, true);
    assert_int_equal(f->cpu->gpr[RDI], FIX_DATA + 0x1800);
    fixture_free(f);
}

GUEST(faults, "xor %edx, %edx\n mov $1, %eax\n divl (%rdi)\n nop");

static void an_instruction_that_faults_has_accessed_nothing_but_its_event_has(void **unused)
{
    struct fixture *f = fixture_new(false);
    struct watcher w = { .count = 0 };
    (void)unused;
    LOAD(f, faults);
    const struct core_watch list[] = {
        { FIX_DATA, FIX_DATA + 3, true, true }, { f->cpu->idtr.base, f->cpu->idtr.base, true, false }, { FIX_STACK - 40, FIX_STACK - 1, false, true },
    };
    watch(f, &w, list, 3);
    fixture_go_on(f, 1000);
    assert_int_equal(fixture_vector(f), X_DE);
    assert_int_equal(w.count, 1);
    expect(&w, 0, FIX_HANDLERS, f->cpu->idtr.base, false);
    fixture_free(f);
}

/* --- nobody notices --------------------------------------------------------------------------- */

GUEST(mix,
      "mov $2000, %ecx\n xor %eax, %eax\n"
      "1: add %ecx, %eax\n rol $3, %rax\n mov %rax, (%rdi,%rcx,8)\n test $1, %cl\n jz 2f\n"
      "push %rax\n call 3f\n pop %rdx\n"
      "2: adc %rdx, 64(%rdi)\n lock add %rax, 72(%rdi)\n dec %ecx\n jnz 1b\n"
      "lea 0x1000(%rdi), %rsi\n mov $300, %ecx\n rep movsb\n jmp 4f\n"
      "3: sub %eax, %edx\n inc %rbx\n ret\n 4: nop");

static unsigned told_in_mix;
static void count_access(void *ctx, struct cpu *c, const struct core_watch_hit *hit)
{
    (void)ctx, (void)c, (void)hit;
    told_in_mix++;
}

static void a_watched_run_computes_the_same(void **unused)
{
    static const struct core_watch list[][2] = {
        { { 0, 0, false, false } }, { { FIX_DATA + 64, FIX_DATA + 71, true, true }, { FIX_STACK - 16, FIX_STACK - 1, true, false } },
        { { FIX_DATA, FIX_DATA + 0x5fff, false, true }, { 0, 7, true, true } }, { { 0, UINT64_MAX, true, true }, { 0, 0, true, false } },
    };
    struct { uint64_t gpr[16], rip, rflags, instructions, data[4096]; } picture[2];
    (void)unused;
    for (unsigned t = 0; t < TIERS; t++) {
        for (unsigned i = 0; i < sizeof list / sizeof *list; i++) {
            const struct core_debug debug = { .accessed = count_access };
            struct fixture *f = fixture_new_tier(false, tiers[t]);
            struct cpu *c = f->cpu;
            unsigned k = t + i > 0;
            LOAD(f, mix);
            core_debug_set(c, &debug);
            core_debug_watch(c, list[i], i ? 2 : 0);
            told_in_mix = 0;
            fixture_go_on(f, i & 1 ? 1000000 : 77);
            assert_true(i ? told_in_mix > 100 : told_in_mix == 0);
            memset(&picture[k], 0, sizeof *picture);
            memcpy(picture[k].gpr, c->gpr, sizeof c->gpr);
            picture[k].rip = c->rip;
            picture[k].rflags = cpu_rflags(c);
            picture[k].instructions = c->instructions;
            mem_read(f->machine.mem, FIX_DATA, picture[k].data, sizeof picture[k].data);
            assert_memory_equal(&picture[k], &picture[0], sizeof picture[0]);
            fixture_free(f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_told_behind_the_instruction),
        cmocka_unit_test(reads_writes_and_both_are_told_apart),
        cmocka_unit_test(an_access_across_pages_is_seen_on_either_page),
        cmocka_unit_test(a_string_instruction_is_told_of_once_a_pause_or_end),
        cmocka_unit_test(an_instruction_that_faults_has_accessed_nothing_but_its_event_has),
        cmocka_unit_test(a_watched_run_computes_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
