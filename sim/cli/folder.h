/* The folder of results: made so that it says by itself how it came to be.
 *
 * It holds experiment.yaml (every setting), the capture (copied, so that a
 * replay does not depend on the original) and what the runs write.
 */
#ifndef SIM_CLI_FOLDER_H
#define SIM_CLI_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/cli/experiment.h"

/* Creates 'folder' with its parents and fills it. False with a message. */
bool folder_prepare(const char *folder, const struct experiment *, char *error, size_t error_size);

#endif
