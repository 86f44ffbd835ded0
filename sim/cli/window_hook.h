/* The live view, as `hvlab run --window` uses it: a listener of the trace and
 * a call between slices.  Implemented by sim/ui. */
#ifndef SIM_CLI_WINDOW_HOOK_H
#define SIM_CLI_WINDOW_HOOK_H

#include <stddef.h>

struct recording;
struct window;

struct window *window_open(char *error, size_t error_size);
/* Sets the recording's listener and between-slices call. */
void window_attach(struct window *, struct recording *);
void window_close(struct window *); /* NULL is fine */

#endif
