/* Numbers of 80 bits: corners that the manuals name.  The oracles have the multitudes. */
#include "../test.h"

#include "sim/cpu/x87/f80.h"
#include "sim/cpu/x87/x87.h"

enum { NEAREST = 0, DOWN = 0x400, UP = 0x800, ZERO = 0xc00, DOUBLE = 0x27f, EXTENDED = 0x37f };
#define ONE f80_make(false, 0x3fff, F80_INTEGER_BIT)
#define SMALLEST f80_make(false, 1, F80_INTEGER_BIT)
#define LARGEST f80_make(false, 0x7ffe, ~0ull)

static void assert_f80(struct f80 value, int se, uint64_t sig)
{
    assert_int_equal(value.se, se);
    assert_int_equal(value.sig, sig);
}

static void sums_round_as_the_control_word_says(void **state)
{
    static const struct { uint16_t rc; uint64_t sig; bool up; } rows[] = {
        { NEAREST, F80_INTEGER_BIT, false }, { DOWN, F80_INTEGER_BIT, false },
        { UP, F80_INTEGER_BIT | 1, true }, { ZERO, F80_INTEGER_BIT, false },
    };
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct f80_env e = { .cw = EXTENDED | rows[i].rc };
        assert_f80(f80_add(&e, ONE, f80_make(false, 0x3fff - 64, F80_INTEGER_BIT)), 0x3fff, rows[i].sig);
        assert_int_equal(e.flags, X87_PE);
        assert_int_equal(e.up, rows[i].up);
    }
}

static void precision_control_shortens_significands_not_exponents(void **state)
{
    struct f80_env e = { .cw = DOUBLE };
    (void)state;
    assert_f80(f80_div(&e, ONE, f80_from_int(3)), 0x3ffd, 0xaaaaaaaaaaaaa800);
    assert_f80(f80_mul(&e, f80_make(false, 0x7000, F80_INTEGER_BIT), ONE), 0x7000, F80_INTEGER_BIT);
}

static void unmasked_overflow_and_underflow_scale_by_24576(void **state)
{
    struct f80_env e = { .cw = EXTENDED & ~(X87_OE | X87_UE) };
    (void)state;
    assert_f80(f80_mul(&e, LARGEST, f80_from_int(2)), 0x7fff - 24576, ~0ull);
    assert_int_equal(e.flags, X87_OE);
    e.flags = 0;
    assert_f80(f80_div(&e, SMALLEST, f80_from_int(2)), 24576, F80_INTEGER_BIT);
    assert_int_equal(e.flags, X87_UE); /* tiny, though exact */
    e = (struct f80_env){ .cw = EXTENDED };
    assert_f80(f80_div(&e, SMALLEST, f80_from_int(2)), 0, F80_INTEGER_BIT >> 1);
    assert_int_equal(e.flags, 0);
}

static void encodings_given_up_are_invalid(void **state)
{
    static const struct f80 rows[] = { { 0, 0x7fff }, { 1, 0x7fff }, { 1, 0x3fff }, { 0, 1 } };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct f80_env e = { .cw = EXTENDED };
        assert_int_equal(f80_classify(rows[i]), F80_UNSUPPORTED);
        assert_f80(f80_add(&e, rows[i], ONE), 0xffff, 0xc000000000000000);
        assert_int_equal(e.flags, X87_IE);
    }
    assert_int_equal(f80_classify((struct f80){ F80_INTEGER_BIT, 0 }), F80_DENORMAL); /* pseudo-denormal */
}

static void the_larger_significand_of_two_nans_wins(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    struct f80 a = f80_make(true, 0x7fff, 0xc000000000000001), b = f80_make(false, 0x7fff, 0xc000000000000002);
    (void)state;
    assert_f80(f80_add(&e, a, b), 0x7fff, 0xc000000000000002);
    assert_int_equal(e.flags, 0);
    b.sig &= ~F80_QUIET_BIT; /* signaling: the quiet one wins */
    assert_f80(f80_add(&e, b, a), 0xffff, 0xc000000000000001);
    assert_int_equal(e.flags, X87_IE);
}

static void integers_that_do_not_fit_are_indefinite(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    (void)state;
    assert_int_equal(f80_to_int(&e, f80_from_int(32767), 16, F80_NEAREST), 32767);
    assert_int_equal(e.flags, 0);
    assert_int_equal(f80_to_int(&e, f80_from_int(32768), 16, F80_NEAREST), -32768);
    assert_int_equal(e.flags, X87_IE);
    e.flags = 0;
    assert_int_equal(f80_to_int(&e, f80_from_int(INT64_MIN), 64, F80_NEAREST), INT64_MIN);
    assert_int_equal(e.flags, 0);
}

static void decimal_is_a_round_trip(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    uint8_t bcd[10];
    (void)state;
    f80_to_bcd(&e, f80_from_int(-123456789012345678), bcd);
    assert_int_equal(bcd[0], 0x78);
    assert_int_equal(bcd[8], 0x12);
    assert_int_equal(bcd[9], 0x80);
    struct f80 back = f80_from_bcd(bcd), want = f80_from_int(-123456789012345678);
    assert_f80(back, want.se, want.sig);
    f80_to_bcd(&e, f80_from_int(1000000000000000000), bcd);
    assert_int_equal(e.flags, X87_IE);
    assert_int_equal(bcd[7], 0xc0);
}

static void remainders_of_far_exponents_are_partial(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    unsigned quotient;
    bool partial;
    (void)state;
    assert_f80(f80_remainder(&e, f80_from_int(23), f80_from_int(5), false, &quotient, &partial), 0x4000, 0xc000000000000000);
    assert_int_equal(quotient, 4);
    assert_false(partial);
    assert_f80(f80_remainder(&e, f80_from_int(23), f80_from_int(5), true, &quotient, &partial), 0xc000, F80_INTEGER_BIT);
    assert_int_equal(quotient, 5);
    f80_remainder(&e, f80_make(false, 0x3fff + 70, F80_INTEGER_BIT), f80_from_int(3), false, &quotient, &partial);
    assert_true(partial);
}

static void angles_are_reduced_by_a_pi_of_66_bits(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    bool far;
    (void)state;
    /* FLDPI FSIN on silicon: minus the difference of that pi and the one of 64 bits */
    assert_f80(f80_sin(&e, f80_make(false, 0x4000, 0xc90fdaa22168c235), &far), 0xbfbf, F80_INTEGER_BIT);
    assert_false(far);
    f80_sin(&e, f80_make(false, 0x3fff + 63, F80_INTEGER_BIT), &far);
    assert_true(far);
}

static void logarithms_of_powers_of_two_are_exact(void **state)
{
    struct f80_env e = { .cw = EXTENDED };
    struct f80 want = f80_from_int(30);
    (void)state;
    assert_f80(f80_yl2x(&e, f80_from_int(1024), f80_from_int(3)), want.se, want.sig);
    assert_int_equal(e.flags, 0);
    f80_yl2x(&e, f80_zero(false), ONE);
    assert_int_equal(e.flags, X87_ZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_round_as_the_control_word_says),
        cmocka_unit_test(precision_control_shortens_significands_not_exponents),
        cmocka_unit_test(unmasked_overflow_and_underflow_scale_by_24576),
        cmocka_unit_test(encodings_given_up_are_invalid),
        cmocka_unit_test(the_larger_significand_of_two_nans_wins),
        cmocka_unit_test(integers_that_do_not_fit_are_indefinite),
        cmocka_unit_test(decimal_is_a_round_trip),
        cmocka_unit_test(remainders_of_far_exponents_are_partial),
        cmocka_unit_test(angles_are_reduced_by_a_pi_of_66_bits),
        cmocka_unit_test(logarithms_of_powers_of_two_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
