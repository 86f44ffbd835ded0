/* Claims about state visits: one description saves, loads and hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/base/state.h"

struct sample {
    uint64_t a;
    uint32_t b;
    uint8_t c[5];
};

static void
sample_state(struct sample *x, struct state *s)
{
    state_part(s, "sample");
    STATE_VISIT(s, x->a);
    STATE_VISIT(s, x->b);
    state_bytes(s, x->c, sizeof x->c);
}

static const struct sample example = { 0x1122334455667788, 0xAABBCCDD, { 1, 2, 3, 4, 5 } };

static uint64_t
sample_hash(struct sample x)
{
    struct state *s = state_new_hash();
    sample_state(&x, s);
    return state_hash_end(s);
}

static void
sample_save(struct sample x, uint8_t **bytes, size_t *size)
{
    struct state *s = state_new_save();
    sample_state(&x, s);
    state_save_end(s, bytes, size);
}

static char *
sample_load(struct sample *x, const uint8_t *bytes, size_t size)
{
    struct state *s = state_new_load(bytes, size);
    sample_state(x, s);
    return state_load_end(s);
}

static void
load_gives_back_what_was_saved(void **unused)
{
    (void)unused;
    uint8_t *bytes;
    size_t size;
    sample_save(example, &bytes, &size);
    assert_int_equal(size, 4 + strlen("sample") + 8 + 4 + 5);
    struct sample back = { 0 };
    assert_null(sample_load(&back, bytes, size));
    assert_int_equal(back.a, example.a);
    assert_int_equal(back.b, example.b);
    assert_memory_equal(back.c, example.c, sizeof back.c);
    free(bytes);
}

static void
hash_changes_with_every_byte(void **unused)
{
    (void)unused;
    uint64_t base = sample_hash(example);
    assert_true(base == sample_hash(example));
    for (unsigned i = 0; i < 8; i++) {
        struct sample x = example;
        x.a ^= 1ull << (8 * i);
        assert_true(base != sample_hash(x));
    }
    struct sample x = example;
    x.c[4] ^= 0x80;
    assert_true(base != sample_hash(x));
}

/* Published in xxHash's own documentation of the format: XXH3-64 of nothing, seed 0. */
static void
hash_is_xxh3_64(void **unused)
{
    (void)unused;
    assert_true(state_hash_end(state_new_hash()) == 0x2D06800538D394C2ull);
}

static void
every_cut_is_noticed(void **unused)
{
    (void)unused;
    uint8_t *bytes;
    size_t size;
    sample_save(example, &bytes, &size);
    for (size_t cut = 0; cut < size; cut++) {
        struct sample back = { 0 };
        char *message = sample_load(&back, bytes, cut);
        assert_non_null(message);
        free(message);
    }
    free(bytes);
}

static void
surplus_bytes_are_noticed(void **unused)
{
    (void)unused;
    uint8_t *bytes;
    size_t size;
    sample_save(example, &bytes, &size);
    uint8_t longer[128] = { 0 };
    memcpy(longer, bytes, size);
    struct sample back;
    char *message = sample_load(&back, longer, size + 1);
    assert_non_null(message);
    assert_non_null(strstr(message, "follow"));
    free(message);
    free(bytes);
}

static void
another_parts_name_is_refused(void **unused)
{
    (void)unused;
    uint8_t *bytes;
    size_t size;
    sample_save(example, &bytes, &size);
    struct state *s = state_new_load(bytes, size);
    state_part(s, "simple");
    uint64_t untouched = 7;
    STATE_VISIT(s, untouched);
    assert_true(state_failed(s));
    assert_int_equal(untouched, 7);
    char *message = state_load_end(s);
    assert_string_equal(message, "part 'simple' expected, found 'sample'");
    free(message);
    free(bytes);
}

static void
a_failed_save_gives_no_bytes(void **unused)
{
    (void)unused;
    struct state *s = state_new_save();
    struct sample x = example;
    sample_state(&x, s);
    state_fail(s, "first %d", 1);
    state_fail(s, "second");
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    assert_null(bytes);
    assert_int_equal(size, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_gives_back_what_was_saved),
        cmocka_unit_test(hash_changes_with_every_byte),
        cmocka_unit_test(hash_is_xxh3_64),
        cmocka_unit_test(every_cut_is_noticed),
        cmocka_unit_test(surplus_bytes_are_noticed),
        cmocka_unit_test(another_parts_name_is_refused),
        cmocka_unit_test(a_failed_save_gives_no_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
