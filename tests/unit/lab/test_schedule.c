/* Who sends which frame. */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "sim/lab/schedule.h"
#include "spec/lab/lab.h"

static const uint8_t child[6] = { 2, 0, 0, 0, 0, 1 }, peer[6] = { 2, 0, 0, 0, 0, 2 }, zero[6], all[6] = { 255, 255, 255, 255, 255, 255 };
static const uint8_t second[6] = { 2, 0, 0, 0, 0, 9 };

static void set_frame(struct capture *c, size_t i, const uint8_t *to, const uint8_t *from, uint32_t length, uint64_t at)
{
    c->frames[i] = (struct capture_frame){ at, length, calloc(1, length) };
    memcpy(c->frames[i].bytes, to, 6);
    memcpy(c->frames[i].bytes + 6, from, 6);
    c->longest = length > c->longest ? length : c->longest;
}

static struct capture *make_capture(size_t count)
{
    struct capture *c = calloc(1, sizeof *c);
    c->count = count;
    c->frames = calloc(count, sizeof *c->frames);
    return c;
}

static void only_frames_from_the_child_are_sent_by_it(void **state)
{
    static const struct { const uint8_t *to, *from; bool by_child; } cases[] = {
        { child, peer, false }, { peer, child, true }, { all, child, true }, { child, child, false },
        { zero, zero, false }, { peer, zero, false }, { all, peer, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture *c = make_capture(1);
        set_frame(c, 0, cases[i].to, cases[i].from, 100, 0);
        struct schedule *s = schedule_new(c, (const uint8_t(*)[6])child, 1, 1);
        assert_int_equal(s->child[0].count, cases[i].by_child);
        assert_int_equal(s->wire_count, !cases[i].by_child);
        assert_int_equal(s->offered, 1);
        schedule_free(s);
        capture_free(c);
    }
}

static void a_zero_endpoint_sends_nothing_itself(void **state)
{
    struct capture *c = make_capture(1);
    (void)state;
    set_frame(c, 0, zero, zero, 100, 0);
    struct schedule *s = schedule_new(c, (const uint8_t(*)[6])zero, 1, 1);
    assert_int_equal(s->wire_count, 1);
    assert_int_equal(s->child[0].count, 0);
    schedule_free(s);
    capture_free(c);
}

static void runts_are_padded_on_the_wire(void **state)
{
    struct capture *c = make_capture(1);
    (void)state;
    set_frame(c, 0, child, peer, 20, 5);
    struct schedule *s = schedule_new(c, (const uint8_t(*)[6])child, 1, 1);
    assert_int_equal(s->wire[0].length, 60);
    assert_int_equal(s->wire[0].at_ns, 5);
    schedule_free(s);
    capture_free(c);
}

static void the_module_holds_the_childs_frames(void **state)
{
    struct capture *c = make_capture(3);
    (void)state;
    set_frame(c, 0, peer, child, 64, 10);
    set_frame(c, 1, child, peer, 64, 20);
    set_frame(c, 2, peer, child, 99, 30);
    struct schedule *s = schedule_new(c, (const uint8_t(*)[6])child, 1, 1);
    struct lab_frames header;
    struct lab_frame rows[2];
    memcpy(&header, s->child[0].module, sizeof header);
    memcpy(rows, s->child[0].module + sizeof header, sizeof rows);
    assert_true(header.magic == LAB_FRAMES_MAGIC);
    assert_int_equal(header.count, 2);
    assert_int_equal(rows[1].at_ns, 30);
    assert_int_equal(rows[1].length, 99);
    assert_memory_equal(s->child[0].module + rows[1].offset, c->frames[2].bytes, 99);
    assert_int_equal(rows[1].offset + rows[1].length, s->child[0].module_size);
    schedule_free(s);
    capture_free(c);
}

static void children_that_do_not_replay_get_nothing(void **state)
{
    struct capture *c = make_capture(2);
    uint8_t mac[2][6];
    (void)state;
    memcpy(mac[0], child, 6);
    memcpy(mac[1], second, 6);
    set_frame(c, 0, child, peer, 64, 0);
    set_frame(c, 1, peer, child, 64, 0);
    struct schedule *s = schedule_new(c, (const uint8_t(*)[6])mac, 2, 1);
    assert_int_equal(s->wire_count, 1);
    assert_int_equal(s->child[0].count, 1);
    assert_int_equal(s->child[1].count, 0);
    assert_int_equal(s->child[1].module_size, sizeof(struct lab_frames));
    schedule_free(s);
    capture_free(c);
}

static void more_children_get_copies_with_their_own_address(void **state)
{
    struct capture *c = make_capture(2);
    uint8_t mac[2][6];
    (void)state;
    memcpy(mac[0], child, 6);
    memcpy(mac[1], second, 6);
    set_frame(c, 0, child, peer, 64, 0);
    set_frame(c, 1, all, peer, 64, 0);
    struct schedule *s = schedule_new(c, (const uint8_t(*)[6])mac, 2, 2);
    assert_int_equal(s->wire_count, 3); /* the broadcast frame once */
    assert_memory_equal(s->wire[0].bytes, child, 6);
    assert_memory_equal(s->wire[1].bytes, second, 6);
    assert_memory_equal(s->wire[2].bytes, all, 6);
    schedule_free(s);
    capture_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_frames_from_the_child_are_sent_by_it),
        cmocka_unit_test(a_zero_endpoint_sends_nothing_itself),
        cmocka_unit_test(runts_are_padded_on_the_wire),
        cmocka_unit_test(the_module_holds_the_childs_frames),
        cmocka_unit_test(children_that_do_not_replay_get_nothing),
        cmocka_unit_test(more_children_get_copies_with_their_own_address),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
