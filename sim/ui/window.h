/* The live view: the machine at work, in an SDL2 window.
 *
 * It shows what a run does while it does it: the wire, the card with its
 * queues, the places where software runs and the children, with frames moving
 * between them; per processor, how the last stretches of virtual time were
 * spent, one colour a bucket; counters and virtual time.  Space pauses, Right
 * or S steps one slice (100 us), Q or closing the window stops the run as
 * Ctrl-C does.
 *
 * The view only looks: it hears trace events and reads bucket totals between
 * slices.  A run with a window computes the same as one without.
 */
#ifndef SIM_UI_WINDOW_H
#define SIM_UI_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/lab/testbed.h"
#include "traces/trace_ctf.h"

struct view;

/* 'picture': where the last frame drawn is saved as BMP when the view closes, or NULL.
 * NULL with a message when there is no display or font. */
struct view *view_open(const char *picture, char *error, size_t error_size);
void view_close(struct view *);

/* A new run begins. 'title' is copied. */
void view_begin(struct view *, const char *title);
trace_listener_fn view_hear;                  /* context: the view */
/* Draws and handles keys; waits while paused. False: the person wants to stop. */
bool view_frame(struct view *, struct testbed *);

#endif
