#include "sim/lab/snapshot.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "traces/outfile.h"

enum { ZSTD_LEVEL = 3, SIZE_FACTOR = 4 /* of RAM: no state is bigger */ };

bool
snapshot_save(struct machine *m, snapshot_more_fn *more, void *ctx, const char *path, char *error, size_t error_size)
{
    struct state *s = state_new_save();
    struct outfile file;
    uint8_t *plain;
    size_t plain_size;
    machine_state(m, s);
    if (more)
        more(ctx, s);
    state_save_end(s, &plain, &plain_size);
    size_t bound = ZSTD_compressBound(plain_size);
    uint8_t *packed = malloc(bound);
    size_t size = packed ? ZSTD_compress(packed, bound, plain, plain_size, ZSTD_LEVEL) : 0;
    free(plain);
    bool good = packed && !ZSTD_isError(size) && outfile_open(&file, path);
    if (good) {
        outfile_write(&file, packed, size);
        good = outfile_commit(&file, error, error_size);
    } else
        snprintf(error, error_size, "cannot save %s: %s", path, strerror(errno));
    free(packed);
    return good;
}

static uint8_t *
read_whole(const char *path, size_t *size)
{
    FILE *in = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (in && !fseek(in, 0, SEEK_END) && (*size = (size_t)ftell(in)) && (bytes = malloc(*size))) {
        rewind(in);
        if (fread(bytes, 1, *size, in) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (in)
        fclose(in);
    return bytes;
}

/* malloc'ed, or NULL: damaged. */
static uint8_t *
unpack(const struct machine *m, const uint8_t *packed, size_t size, size_t *plain_size)
{
    unsigned long long told = ZSTD_getFrameContentSize(packed, size);
    bool sized = told != ZSTD_CONTENTSIZE_ERROR && told != ZSTD_CONTENTSIZE_UNKNOWN && told <= SIZE_FACTOR * m->config.ram_size;
    uint8_t *plain = sized ? malloc(told) : NULL;
    if (plain && ZSTD_isError(ZSTD_decompress(plain, told, packed, size))) {
        free(plain);
        plain = NULL;
    }
    *plain_size = told;
    return plain;
}

bool
snapshot_load(struct machine *m, snapshot_more_fn *more, void *ctx, const char *path, char *error, size_t error_size)
{
    size_t size = 0, plain_size = 0;
    uint8_t *packed = read_whole(path, &size);
    if (!packed) {
        snprintf(error, error_size, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    uint8_t *plain = unpack(m, packed, size, &plain_size);
    free(packed);
    if (!plain) {
        snprintf(error, error_size, "%s: the snapshot is damaged, or of a machine with more memory", path);
        return false;
    }
    struct state *s = state_new_load(plain, plain_size);
    machine_state(m, s);
    if (more)
        more(ctx, s);
    char *complaint = state_load_end(s);
    if (complaint)
        snprintf(error, error_size, "%s: the snapshot does not fit: %s", path, complaint);
    bool good = complaint == NULL;
    free(complaint);
    free(plain);
    return good;
}
