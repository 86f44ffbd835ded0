/* Experiment files: any bytes are read or refused with a message. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

#include "sim/cli/experiment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_one(const uint8_t *data, size_t size)
{
    static struct experiment e;
    char path[64], error[1024] = "";
    int fd = fuzz_file(data, size, path);
    experiment_defaults(&e);
    if (!experiment_read(&e, path, error, sizeof error) && !error[0])
        abort(); /* refused without a word */
    close(fd);
}

/* Random bytes are rarely YAML: a second try puts them where a value stands. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = { "speed: ", "memory: ", "placement: [", "max_gap: ", "workloads: [a, ", "capture: " };
    uint8_t text[4200];
    read_one(data, size);
    if (size == 0 || size > 4096)
        return 0;
    const char *key = keys[data[0] % (sizeof keys / sizeof *keys)];
    size_t length = strlen(key);
    memcpy(text, key, length);
    memcpy(text + length, data, size);
    text[length + size] = data[0] & 1 ? ']' : '\n';
    read_one(text, length + size + 1);
    return 0;
}
