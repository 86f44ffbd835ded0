/* The short cut through the host's floating point against the arithmetic on integers: same bits, and no flag
 * that MXCSR has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cpu/sse/ieee_quick.h"

enum { CASES = 1500000, LEAST_TAKEN = CASES / 20 };

static uint64_t
next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * 0x2545f4914f6cdd1d;
}

/* Edges, whole numbers, few bits, near one another, anything. */
static uint64_t
operand(uint64_t *s, uint64_t other)
{
    static const uint64_t edges[] = {
        0, 1, 0x000fffffffffffff, 0x0010000000000000, 0x001fffffffffffff, 0x0020000000000000, 0x0020000000000001,
        0x3ff0000000000000, 0x7fefffffffffffff, 0x7fe0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
        0x3680000000000000, 0x3810000000000000, 0x47efffffe0000000, 0x47effffff0000000, 0x41e0000000000000,
    };
    uint64_t r = next_random(s), v = next_random(s), sign = r << 63;
    switch (r >> 60) {
    case 0: return edges[v % (sizeof edges / sizeof edges[0])] | sign;
    case 1: case 2: case 3: return ieee_f64_bits((double)(int32_t)v);
    case 4: case 5: return ieee_f64_bits((double)(int)(v % 2001) - 1000.0);
    case 6: return (v & 0x000ff00000000000) | 0x3f00000000000000 | (v & 0xff) << 52 | sign;
    case 7: return other ^ (v & 3) ^ sign;
    case 8: return (other & 0xfff0000000000000) | (v & 0x000fffffffffffff);
    case 9: return (v & 0x8fffffffffffffff) | 0x3000000000000000;
    default: return v;
    }
}

static uint32_t
narrow(uint64_t *s, uint64_t v)
{
    uint64_t r = next_random(s);
    return r & 1 ? ieee_f32_bits((float)ieee_f64(v)) : r & 2 ? (uint32_t)v : (uint32_t)(v >> 32);
}

struct tally { unsigned taken, taken_without_pe; };

static void
compare(struct tally *t, const char *what, bool quick, uint32_t mxcsr, uint64_t a, uint64_t b, uint64_t ours, uint64_t theirs, uint32_t flags)
{
    if (!quick) {
        return;
    }
    t->taken++;
    t->taken_without_pe += !(mxcsr & MXCSR_PE);
    if (ours != theirs || flags & ~mxcsr) {
        fail_msg("%s %#llx %#llx, mxcsr %04x: short cut %#llx, exactly %#llx with flags %02x", what, (unsigned long long)a,
                 (unsigned long long)b, mxcsr, (unsigned long long)ours, (unsigned long long)theirs, flags);
    }
}

/* Masking PE is what the short cut asks for; the exact way does not look at it. */
#define EXACTLY(call) struct ieee_env env = { .mxcsr = mxcsr & ~(uint32_t)MXCSR_PM }; uint64_t exact = call
#define BINARY(name)                                                                         \
    {                                                                                        \
        uint64_t r = 0;                                                                      \
        bool quick = f64_quick_##name(mxcsr, a, b, &r);                                      \
        EXACTLY(f64_##name(&env, a, b));                                                     \
        compare(&tally[0], "f64 " #name, quick, mxcsr, a, b, r, exact, env.flags);           \
    }                                                                                        \
    {                                                                                        \
        uint32_t r = 0;                                                                      \
        bool quick = f32_quick_##name(mxcsr, x, y, &r);                                      \
        EXACTLY(f32_##name(&env, x, y));                                                     \
        compare(&tally[1], "f32 " #name, quick, mxcsr, x, y, r, exact, env.flags);           \
    }

#define TEST(name, body, kinds)                                                              \
    static void name(void **unused)                                                          \
    {                                                                                        \
        struct tally tally[2] = { { 0, 0 }, { 0, 0 } };                                      \
        uint64_t seed = 0x9e3779b97f4a7c15;                                                  \
        (void)unused;                                                                        \
        for (unsigned i = 0; i < CASES; i++) {                                               \
            uint64_t a = operand(&seed, i), b = operand(&seed, a);                           \
            uint32_t x = narrow(&seed, a), y = narrow(&seed, b), random = (uint32_t)next_random(&seed); \
            uint32_t mxcsr = random & 0x10000 ? (random & 0xffff) : 0x1f80 | (random & 0x8060); \
            (void)b, (void)x, (void)y;                                                       \
            body                                                                             \
        }                                                                                    \
        for (unsigned k = 0; k < (kinds); k++) {                                             \
            assert_true(tally[k].taken > LEAST_TAKEN);                                       \
            assert_true(tally[k].taken_without_pe > LEAST_TAKEN / 5);                        \
        }                                                                                    \
    }

TEST(sums_are_the_exact_ones, BINARY(add), 2)
TEST(differences_are_the_exact_ones, BINARY(sub), 2)
TEST(products_are_the_exact_ones, BINARY(mul), 2)
#define QUOTIENTS                                                                            \
    if (i % 2) { /* that come out even */                                                    \
        a = ieee_f64_bits(ieee_f64(b) * (double)(i % 1000));                                 \
        x = ieee_f32_bits(ieee_f32(y) * (float)(i % 1000));                                  \
    }                                                                                        \
    BINARY(div)
TEST(quotients_are_the_exact_ones, QUOTIENTS, 2)

#define ROOTS                                                                                \
    if (i % 2) { /* squares have roots */                                                    \
        double root = (double)(uint32_t)(a >> 38);                                           \
        a = ieee_f64_bits(root * root);                                                      \
        x = ieee_f32_bits((float)((uint32_t)(a >> 40) % 4000 * (uint64_t)((uint32_t)(a >> 40) % 4000))); \
    }                                                                                        \
    {                                                                                        \
        uint64_t r = 0;                                                                      \
        bool quick = f64_quick_sqrt(mxcsr, a, &r);                                           \
        EXACTLY(f64_sqrt(&env, a));                                                          \
        compare(&tally[0], "f64 sqrt", quick, mxcsr, a, 0, r, exact, env.flags);             \
    }                                                                                        \
    {                                                                                        \
        uint32_t r = 0;                                                                      \
        bool quick = f32_quick_sqrt(mxcsr, x, &r);                                           \
        EXACTLY(f32_sqrt(&env, x));                                                          \
        compare(&tally[1], "f32 sqrt", quick, mxcsr, x, 0, r, exact, env.flags);             \
    }
TEST(roots_are_the_exact_ones, ROOTS, 2)

#define NARROWING                                                                            \
    {                                                                                        \
        uint32_t r = 0;                                                                      \
        bool quick = f64_quick_to_f32(mxcsr, a, &r);                                         \
        EXACTLY(f64_to_f32(&env, a));                                                        \
        compare(&tally[0], "f64 to f32", quick, mxcsr, a, 0, r, exact, env.flags);           \
    }
TEST(narrowed_numbers_are_the_exact_ones, NARROWING, 1)

static void
the_hosts_environment_is_the_default_one(void **unused)
{
    (void)unused;
    ieee_assert_host();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_the_exact_ones), cmocka_unit_test(differences_are_the_exact_ones),
        cmocka_unit_test(products_are_the_exact_ones), cmocka_unit_test(quotients_are_the_exact_ones),
        cmocka_unit_test(roots_are_the_exact_ones), cmocka_unit_test(narrowed_numbers_are_the_exact_ones),
        cmocka_unit_test(the_hosts_environment_is_the_default_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
