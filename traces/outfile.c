#define _GNU_SOURCE
#include "traces/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/base/state.h"

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
    f->size += size;
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

/* Begins the file anew with 'size' bytes of 'old'. False: it has fewer. */
static bool
begin_with(struct outfile *f, FILE *old, uint64_t size)
{
    uint8_t piece[65536];
    rewind(f->stream);
    if (ftruncate(fileno(f->stream), 0) && !f->error)
        f->error = errno;
    f->size = 0;
    while (f->size < size) {
        uint64_t left = size - f->size;
        size_t got = fread(piece, 1, left < sizeof piece ? left : sizeof piece, old);
        if (got == 0)
            return false;
        outfile_write(f, piece, got);
    }
    return true;
}

void
outfile_state(struct outfile *f, struct state *s)
{
    uint64_t size = f ? f->size : 0;
    STATE_VISIT(s, size);
    if (!state_is_load(s) || !f || !f->stream || size == 0)
        return;
    FILE *old = fopen(f->path, "rb");
    if (!old)
        state_fail(s, "cannot go on with %s: %s; without it, start the run anew", f->path, strerror(errno));
    else if (!begin_with(f, old, size))
        state_fail(s, "cannot go on with %s: it is shorter than it was; start the run anew", f->path);
    if (old)
        fclose(old);
}
