/* The log notices every flipped byte and names the record. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/lab/run_log.h"

static const char path[] = "test_run.log";
enum { HASHES = 5 };

static void record_one(void)
{
    char error[512];
    struct run_log *log = run_log_create(path, 0x1234, error, sizeof error);
    assert_non_null(log);
    for (uint64_t i = 0; i < HASHES; i++)
        run_log_hash(log, 1000 * i, 0xf00d + i);
    run_log_end(log, 9999, 0xbeef);
    assert_true(run_log_close(log, error, sizeof error));
}

/* Number of good records; 'end' is how reading ended. */
static unsigned read_all(enum run_log_next *end, char *error, size_t size)
{
    static struct run_log_record record;
    unsigned count = 0;
    struct run_log_reader *r = run_log_open(path, error, size);
    *end = RUN_LOG_DAMAGED;
    if (!r)
        return 0;
    while ((*end = run_log_read(r, &record, error, size)) == RUN_LOG_RECORD)
        count++;
    run_log_reader_free(r);
    return count;
}

static void what_was_written_is_read(void **state)
{
    enum run_log_next end;
    char error[512];
    (void)state;
    record_one();
    assert_int_equal(read_all(&end, error, sizeof error), HASHES + 1);
    assert_int_equal(end, RUN_LOG_FINISHED);
}

static void every_flipped_byte_is_noticed(void **state)
{
    (void)state;
    record_one();
    FILE *in = fopen(path, "rb");
    fseek(in, 0, SEEK_END);
    long size = ftell(in);
    fclose(in);
    for (long at = 0; at < size; at++) {
        enum run_log_next end;
        char error[512] = "";
        record_one();
        FILE *f = fopen(path, "r+b");
        fseek(f, at, SEEK_SET);
        int byte = fgetc(f);
        fseek(f, at, SEEK_SET);
        fputc(byte ^ 0x10, f);
        fclose(f);
        unsigned good = read_all(&end, error, sizeof error);
        assert_int_equal(end, RUN_LOG_DAMAGED);
        assert_true(good < HASHES + 1);
        assert_true(strlen(error) > 10);
    }
}

static void a_log_cut_anywhere_but_between_records_is_damaged(void **state)
{
    enum run_log_next end;
    char error[512];
    (void)state;
    record_one();
    assert_int_equal(truncate(path, 32 + 32 + 5), 0);
    assert_int_equal(read_all(&end, error, sizeof error), 1);
    assert_int_equal(end, RUN_LOG_DAMAGED);
    assert_non_null(strstr(error, "record 2"));
    assert_non_null(strstr(error, "cut short"));
}

static void a_resumed_log_reads_as_if_never_interrupted(void **state)
{
    enum run_log_next end;
    char error[512];
    (void)state;
    record_one(); /* as if it had run on past the snapshot at cycle 2000 */
    struct run_log *log = run_log_resume(path, 0x1234, 2000, error, sizeof error);
    assert_non_null(log);
    run_log_hash(log, 3000, 1);
    run_log_end(log, 4000, 2);
    assert_true(run_log_close(log, error, sizeof error));
    assert_int_equal(read_all(&end, error, sizeof error), 5);
    assert_int_equal(end, RUN_LOG_FINISHED);
}

static void another_configuration_is_not_resumed(void **state)
{
    char error[512] = "";
    (void)state;
    record_one();
    assert_null(run_log_resume(path, 0x9999, 2000, error, sizeof error));
    assert_non_null(strstr(error, "another configuration"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(a_log_cut_anywhere_but_between_records_is_damaged),
        cmocka_unit_test(a_resumed_log_reads_as_if_never_interrupted),
        cmocka_unit_test(another_configuration_is_not_resumed),
    };
    return cmocka_run_group_tests_name("run_log", tests, NULL, NULL);
}
