#define _GNU_SOURCE
#include "traces/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *
part_name(const char *path)
{
    char *name = NULL;
    return asprintf(&name, "%s.part", path) < 0 ? NULL : name;
}

bool
outfile_open(struct outfile *f, const char *path)
{
    char *part = part_name(path);
    *f = (struct outfile){ .path = strdup(path) };
    if (part && f->path)
        f->stream = fopen(part, "wb");
    if (!f->stream)
        f->error = errno ? errno : ENOMEM;
    free(part);
    return f->stream != NULL;
}

void
outfile_write(struct outfile *f, const void *bytes, size_t size)
{
    if (f->stream && !f->error && fwrite(bytes, 1, size, f->stream) != size)
        f->error = errno ? errno : EIO;
}

static void
finish(struct outfile *f)
{
    free(f->path);
    *f = (struct outfile){ 0 };
}

bool
outfile_commit(struct outfile *f, char *message, size_t message_size)
{
    char *part = part_name(f->path);
    if (f->stream && fflush(f->stream) && !f->error)
        f->error = errno;
    if (f->stream && fclose(f->stream) && !f->error)
        f->error = errno;
    f->stream = NULL;
    if (!f->error && (!part || rename(part, f->path)))
        f->error = errno;
    bool good = f->error == 0;
    if (!good) {
        snprintf(message, message_size, "cannot write %s: %s%s", f->path, strerror(f->error),
                 f->error == ENOSPC ? "; free some space or choose another --out" : "");
        if (part)
            unlink(part);
    }
    free(part);
    finish(f);
    return good;
}

void
outfile_discard(struct outfile *f)
{
    char *part = f->path ? part_name(f->path) : NULL;
    if (f->stream)
        fclose(f->stream);
    if (part)
        unlink(part);
    free(part);
    finish(f);
}
