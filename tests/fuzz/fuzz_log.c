/* Run logs: any bytes are read or named as damaged; a good header in front gets deeper. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

#include "sim/lab/run_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_one(const char *path)
{
    static struct run_log_record record;
    char error[512] = "";
    struct run_log_reader *r = run_log_open(path, error, sizeof error);
    enum run_log_next next = RUN_LOG_FINISHED;
    while (r && (next = run_log_read(r, &record, error, sizeof error)) == RUN_LOG_RECORD)
        if (record.size > RUN_LOG_PAYLOAD_MAX)
            abort();
    if ((!r || next == RUN_LOG_DAMAGED) && !error[0])
        abort(); /* refused without a word */
    run_log_reader_free(r);
}

/* A real log with the input's bytes laid over it. */
static void
read_mixed(const uint8_t *data, size_t size)
{
    char path[64], error[512];
    int fd = fuzz_file(data, 0, path);
    struct run_log *log = run_log_create(path, 42, error, sizeof error);
    for (uint64_t i = 0; i < 8; i++)
        run_log_hash(log, i, i * 0x1234567);
    run_log_end(log, 9, 9);
    run_log_close(log, error, sizeof error);
    if (size >= 2 && pwrite(fd, data + 2, size - 2, (data[0] | data[1] << 8) % 320) < 0)
        abort();
    read_one(path);
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int fd = fuzz_file(data, size, path);
    read_one(path);
    close(fd);
    read_mixed(data, size);
    return 0;
}
