#define _GNU_SOURCE
#include "sim/cli/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/outfile.h"

enum { PATH_SIZE = 4096, COPY_BYTES = 1 << 16 };

static bool
make_folders(const char *folder, char *error, size_t error_size)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = 0;
        if (mkdir(path, 0777) && errno != EEXIST) {
            snprintf(error, error_size, "cannot create %s: %s", path, strerror(errno));
            return false;
        }
        if (!slash)
            return true;
        *slash = '/';
    }
}

static bool
copy_file(const char *from, const char *to, char *error, size_t error_size)
{
    struct outfile out;
    FILE *in = fopen(from, "rb");
    char *buffer = malloc(COPY_BYTES);
    bool good = in && buffer && outfile_open(&out, to);
    if (!good)
        snprintf(error, error_size, "cannot copy %s to %s: %s", from, to, strerror(errno));
    for (size_t got; good && (got = fread(buffer, 1, COPY_BYTES, in)) > 0;)
        outfile_write(&out, buffer, got);
    if (good)
        good = outfile_commit(&out, error, error_size);
    if (in)
        fclose(in);
    free(buffer);
    return good;
}

bool
folder_prepare(const char *folder, const struct experiment *e, char *error, size_t error_size)
{
    char path[PATH_SIZE];
    struct experiment copy = *e;
    struct outfile file;

    if (!make_folders(folder, error, error_size))
        return false;
    snprintf(path, sizeof path, "%s/capture", folder);
    if (!copy_file(e->capture, path, error, error_size))
        return false;
    strcpy(copy.capture, "capture");
    snprintf(path, sizeof path, "%s/experiment.yaml", folder);
    if (!outfile_open(&file, path)) {
        snprintf(error, error_size, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    experiment_write(&copy, file.stream);
    return outfile_commit(&file, error, error_size);
}
