/* Settings: every mistake is named with its place and the nearest good name. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/experiment.h"

static const char path[] = "test_experiment.yaml";

static bool read_text(struct experiment *e, const char *text, char *error)
{
    FILE *out = fopen(path, "wb");
    fputs(text, out);
    fclose(out);
    error[0] = 0;
    experiment_defaults(e);
    bool good = experiment_read(e, path, error, 1024);
    unlink(path);
    return good;
}

static void reads_scalars_and_lists(void **state)
{
    static struct experiment e;
    char error[1024];
    (void)state;
    assert_true(read_text(&e, "capture: a.pcap\nplacement: [monolithic]\nio_path: vmbus,sriov\nmemory: 1G\nmax_gap: 3us\n"
                              "speed: 2.5\nlossless: false\nmtu: 9000\n", error));
    assert_string_equal(e.capture, "a.pcap");
    assert_int_equal(e.placements, 1 << PLACEMENT_MONOLITHIC);
    assert_int_equal(e.io_paths, 1 << IO_PATH_VMBUS | 1 << IO_PATH_SRIOV);
    assert_int_equal(e.memory, 1 << 30);
    assert_int_equal(e.max_gap_ns, 3000);
    assert_true(e.speed > 2.4 && e.speed < 2.6);
    assert_int_equal(e.lossless, 0);
    assert_int_equal(e.mtu, 9000);
}

static void names_line_and_nearest_name(void **state)
{
    static struct experiment e;
    static const struct { const char *text, *first, *second; } cases[] = {
        { "name: x\nplacment: [microkernel]\n", "test_experiment.yaml:2: unknown key 'placment'", "'placement'" },
        { "placement: [microkernal]\n", ":1: ", "'microkernel'" },
        { "name: x\n\nmemory: 5X\n", ":3: ", "a size such as" },
        { "memory: 1M\n", ":1: ", "want 128M to 16G" },
        { "max_gap: 9999s\n", ":1: ", "want 0ns to 3600s" },
        { "memory: 1G\nname: x\nmemory: 2G\n", ":3: ", "a value already, in line 1" },
        { "mtu: 10\n", ":1: ", "want 68 to 9710, or auto" },
        { "placement: [hosted]\n", ":1: ", "there are microkernel and monolithic" },
        { "colour: red\n", ":1: ", "`hvlab list settings`" },
        { "timing: exact\n", ":1: ", "there are functional and approx" },
        { "speed: 0\n", ":1: ", "0.001" },
        { "- a\n- b\n", ":1: ", "mapping" },
        { "children: {a: 1}\n", ":1: ", "a value or a list" },
        { "name: [a\n", ":2: ", "" },
        { "children: 17\n", ":1: ", "1 to 16" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[1024];
        assert_false(read_text(&e, cases[i].text, error));
        if (!strstr(error, cases[i].first) || !strstr(error, cases[i].second))
            fail_msg("case %zu: %s", i, error);
    }
}

static void set_overrides_and_complains_alike(void **state)
{
    static struct experiment e;
    char error[1024];
    (void)state;
    experiment_defaults(&e);
    assert_true(experiment_set(&e, "io_path=vmq", error, sizeof error));
    assert_int_equal(e.io_paths, 1 << IO_PATH_VMQ);
    assert_false(experiment_set(&e, "io_paht=vmq", error, sizeof error));
    assert_non_null(strstr(error, "'io_path'"));
    assert_false(experiment_set(&e, "io_path", error, sizeof error));
    assert_non_null(strstr(error, "key=value"));
}

static void what_is_written_reads_back_the_same(void **state)
{
    static struct experiment e, back;
    char error[1024];
    (void)state;
    experiment_defaults(&e);
    assert_true(experiment_set(&e, "capture=/tmp/with \"quotes\" and: colon.pcap", error, sizeof error));
    assert_true(experiment_set(&e, "placement=monolithic", error, sizeof error));
    assert_true(experiment_set(&e, "speed=3.25", error, sizeof error));
    FILE *out = fopen(path, "wb");
    experiment_write(&e, out);
    fclose(out);
    experiment_defaults(&back);
    if (!experiment_read(&back, path, error, sizeof error))
        fail_msg("%s", error);
    unlink(path);
    assert_memory_equal(&e, &back, sizeof e);
}

static void checks_what_spans_settings(void **state)
{
    static struct experiment e;
    char error[1024];
    (void)state;
    experiment_defaults(&e);
    assert_false(experiment_check(&e, error, sizeof error)); /* no capture */
    assert_non_null(strstr(error, "--set capture="));
    strcpy(e.capture, "x");
    assert_true(experiment_check(&e, error, sizeof error));
    strcpy(e.endpoint, "01:00:00:00:00:01");
    assert_false(experiment_check(&e, error, sizeof error)); /* multicast */
    strcpy(e.endpoint, "auto");
    e.children = 16;
    e.child_memory = 64 << 20;
    assert_false(experiment_check(&e, error, sizeof error));
    assert_non_null(strstr(error, "raise 'memory'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_scalars_and_lists),
        cmocka_unit_test(names_line_and_nearest_name),
        cmocka_unit_test(set_overrides_and_complains_alike),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(checks_what_spans_settings),
    };
    return cmocka_run_group_tests_name("experiment", tests, NULL, NULL);
}
