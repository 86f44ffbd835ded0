/* Claims about scripts: what a file means, step by step, and what is refused. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/test.h"

#include "sim/cli/script.h"
#include "sim/machine.h"

static struct script *
parse(const char *text)
{
    char error[256] = "";
    struct script *s = script_parse("test", text, error, sizeof error);
    assert_string_equal(error, "");
    return s;
}

/* Everything that happens at 'now', as text. */
static const char *
happens(struct script *s, uint64_t now)
{
    static char text[256];
    struct input_event e;
    enum script_result result;
    text[0] = 0;
    while ((result = script_poll(s, now, &e)) == SCRIPT_EVENT) {
        char one[32];
        if (e.kind == INPUT_SERIAL)
            snprintf(one, sizeof one, "%c", e.byte);
        else if (e.kind == INPUT_KEY)
            snprintf(one, sizeof one, "<%s%X>", e.down ? "" : "/", e.key);
        else if (e.kind == INPUT_MOUSE)
            snprintf(one, sizeof one, "<mouse %d %d %d>", e.dx, e.dy, e.buttons);
        else
            snprintf(one, sizeof one, "<power>");
        strcat(text, one);
    }
    if (result == SCRIPT_QUIT)
        strcat(text, "<quit>");
    return text;
}

static void
hear(struct script *s, const char *text)
{
    for (; *text; text++)
        script_hear(s, (uint8_t)*text);
}

static void
steps_happen_in_order_at_their_time(void **unused)
{
    (void)unused;
    struct script *s = parse("# a comment\n\n  type a\\x42\\\\\\n\npause 0.5\nkey LCTRL LALT delete\nmouse -3 4 1\npower\nquit\ntype never");
    assert_string_equal(happens(s, 100), "aB\\\n");
    assert_int_equal(script_line(s), 4);
    assert_string_equal(happens(s, 100 + MACHINE_TSC_HZ / 2 - 1), "");
    assert_string_equal(happens(s, 100 + MACHINE_TSC_HZ / 2), "<1D><38><E053></E053></38></1D><mouse -3 4 1><power><quit>");
    script_close(s);
}

static void
wait_finds_its_text_however_it_begins(void **unused)
{
    (void)unused;
    static const struct { const char *text, *heard; bool found; } rows[] = {
        { "login:", "Debian login: ", true }, { "login:", "logi", false }, { "aab", "aaab", true }, { "abab", "abaabab", true },
        { "aa", "a a", false }, { "\\n# ", "x\n# ", true },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        snprintf(text, sizeof text, "wait %s\ntype !", rows[i].text);
        struct script *s = parse(text);
        assert_string_equal(happens(s, 0), "");
        hear(s, rows[i].heard);
        assert_string_equal(happens(s, 1), rows[i].found ? "!" : "");
        script_close(s);
    }
}

static void
a_second_wait_goes_on_behind_what_the_first_found(void **unused)
{
    (void)unused;
    struct script *s = parse("wait $\ntype x\nwait $\ntype y");
    hear(s, "$ ");
    assert_string_equal(happens(s, 0), "x");
    hear(s, "$");
    assert_string_equal(happens(s, 0), "y");
    script_close(s);
    s = parse("wait $\ntype x\nwait $\ntype y");
    hear(s, "$ $");
    assert_string_equal(happens(s, 0), "xy");
    assert_int_equal(script_line(s), 0);
    script_close(s);
}

static void
what_is_no_step_is_refused_with_its_line(void **unused)
{
    (void)unused;
    static const char *const bad[] = { "say hello", "key", "key NOSUCH", "pause", "pause -1", "pause 1x", "mouse 3", "mouse 1 2 9", "type \\q",
                                       "wait", "key A B C D E F G H I" };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64], error[256] = "";
        snprintf(text, sizeof text, "type ok\n%s\n", bad[i]);
        assert_null(script_parse("test", text, error, sizeof error));
        assert_non_null(strstr(error, "test:2: "));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_happen_in_order_at_their_time),
        cmocka_unit_test(wait_finds_its_text_however_it_begins),
        cmocka_unit_test(a_second_wait_goes_on_behind_what_the_first_found),
        cmocka_unit_test(what_is_no_step_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
