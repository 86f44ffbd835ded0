/* A file that appears under its final name only when it is whole.
 *
 * Bytes go to "PATH.part"; outfile_commit flushes, syncs errors and renames;
 * outfile_discard removes it.  The first error sticks.
 *
 * A run that is interrupted commits its files and goes on with them later: the
 * snapshot knows how long each was, and outfile_state takes up that much of it.
 */
#ifndef TRACES_OUTFILE_H
#define TRACES_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct state;

struct outfile {
    FILE *stream;    /* NULL after a failed open */
    char *path;      /* final name; owned */
    uint64_t size;   /* written so far [bytes] */
    int error;       /* first errno, 0 = none */
};

/* False (and 'error' set) when the file cannot be created. */
bool outfile_open(struct outfile *, const char *path);
void outfile_write(struct outfile *, const void *bytes, size_t size);
/* Closes and renames. False: removed again; 'message' says what happened and what helps. */
bool outfile_commit(struct outfile *, char *message, size_t message_size);
void outfile_discard(struct outfile *);
/* Saves how long the file is.  Loads: what is written begins with that much of the file of
 * the final name.  NULL: nothing is written here; its length is 0 or passed over. */
void outfile_state(struct outfile *, struct state *);

#endif
