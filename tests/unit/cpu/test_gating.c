/* What the processor model lacks is not decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/decode/decode.h"
#include "sim/cpu/model/model.h"

static const struct x86_row *row_of(const struct cpu_features *features, const char *bytes, unsigned size)
{
    struct decoded d;
    enum decode_status status = decode_insn_with(features, MODE_PROT | MODE_LMA | MODE_LONG64, (const uint8_t *)bytes, size, &d);

    return status == DECODE_OK ? d.row : NULL;
}

/* The same bytes mean another row, or none, on a model without the feature. */
static void what_a_model_lacks_is_not_decoded(void **state)
{
    struct machine m = { .model = NULL };
    char error[128];
    struct cpu_features none = { { 0 } }, all;

    (void)state;
    memset(&all, 0xff, sizeof all);
    unsigned gated = 0;
    for (unsigned i = 0; i < x86_row_count; i++) {
        gated += x86_rows[i].feature != 0;
    }
    assert_true(gated > 0);
    assert_int_equal(row_of(&all, "\xf3\x0f\xb8\xc1", 4)->op, OP_POPCNT);
    assert_null(row_of(&none, "\xf3\x0f\xb8\xc1", 4));
    assert_int_equal(row_of(&all, "\x0f\x01\xf9", 3)->op, OP_RDTSCP);
    assert_null(row_of(&none, "\x0f\x01\xf9", 3));
    assert_non_null(row_of(machine_features(&m), "\x0f\x01\xf9", 3));
    assert_true(cpu_model_apply(&m, "e5,-RDTSCP", false, error, sizeof error));
    assert_null(row_of(machine_features(&m), "\x0f\x01\xf9", 3));
}

static void lock_mov_cr0_is_cr8_for_amd(void **state)
{
    static const uint8_t code[] = { 0xf0, 0x0f, 0x20, 0xc1 };
    struct machine m = { .model = NULL };
    char error[128];
    struct decoded d;

    (void)state;
    assert_true(cpu_model_apply(&m, "amd-v3", false, error, sizeof error));
    assert_int_equal(decode_insn_with(&m.features, MODE_PROT, code, sizeof code, &d), DECODE_OK);
    assert_int_equal(d.sys.reg, 8);
    assert_true(cpu_model_apply(&m, "intel-v3", false, error, sizeof error));
    assert_int_equal(decode_insn_with(&m.features, MODE_PROT, code, sizeof code, &d), DECODE_UD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_model_lacks_is_not_decoded),
        cmocka_unit_test(lock_mov_cr0_is_cr8_for_amd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
