/* Captures: any bytes are read or refused; a good header in front gets deeper. */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

#include "traces/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_one(const uint8_t *data, size_t size)
{
    char path[64], error[512];
    uint8_t mac[6];
    int fd = fuzz_file(data, size, path);
    struct capture *c = capture_read(path, 1000000, 2.0, error, sizeof error);
    if (c) {
        for (size_t i = 1; i < c->count; i++)
            if (c->frames[i].at_ns < c->frames[i - 1].at_ns)
                abort(); /* time runs backwards */
        capture_endpoint(c, mac);
    }
    capture_free(c);
    close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t header[6] = { 0xA1B23C4D, 2 | 4 << 16, 0, 0, 65535, 1 };
    uint8_t with_header[8192];
    read_one(data, size);
    if (size > sizeof with_header - sizeof header)
        return 0;
    memcpy(with_header, header, sizeof header);
    memcpy(with_header + sizeof header, data, size);
    read_one(with_header, sizeof header + size);
    return 0;
}
