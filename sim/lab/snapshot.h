/* A machine's state in a file: saved whole, compressed, loaded into a machine of the same configuration.
 *
 * The file is one zstd frame of what machine_state visits, and of what 'more' adds behind it (the testbed's own bookkeeping).
 * It is written under a temporary name and renamed, so a file under its final name is complete; its contents are
 * checked when loaded, part by part (sim/base/state.h).
 */
#ifndef SIM_LAB_SNAPSHOT_H
#define SIM_LAB_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

struct machine;
struct state;

typedef void snapshot_more_fn(void *ctx, struct state *);

/* 'more' may be NULL. False with a sentence in 'error'. */
bool snapshot_save(struct machine *, snapshot_more_fn *more, void *ctx, const char *path, char *error, size_t error_size);
bool snapshot_load(struct machine *, snapshot_more_fn *more, void *ctx, const char *path, char *error, size_t error_size);

#endif
