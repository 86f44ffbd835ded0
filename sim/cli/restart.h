/* A reset of a booted machine: it starts again from its image, as the loader leaves it.
 *
 * Time goes on, and with it the input log: a recorded boot resets again when it is replayed.  The files are read again; the run
 * ends when one of them has changed meanwhile, also after --restore, because nobody could tell what such a run computes.
 */
#ifndef SIM_CLI_RESTART_H
#define SIM_CLI_RESTART_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/cli/boot_options.h"

struct board;
struct machine;

/* The machine stopped for STOP_RESET.  False with a sentence in 'error'. */
bool restart(struct machine *, const struct board *, const struct boot_options *, char *error, size_t error_size);

#endif
