/* What a run leaves for people and programs: results.json and a table.
 *
 * The schema is described in docs/results.md; its number rises when a reader
 * of the old one could be misled.
 */
#ifndef SIM_CLI_RESULTS_H
#define SIM_CLI_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/cli/recording.h"

enum { RESULTS_SCHEMA = 1 };

struct results_run { const struct recording *recording; enum recording_end end; };

/* Writes DIR/results.json whole or not at all. */
bool results_write(const char *folder, const struct plan *, const struct results_run *, unsigned count,
                   char *error, size_t error_size);
/* The comparison, one line a run. */
void results_print(FILE *, const struct plan *, const struct results_run *, unsigned count);

#endif
