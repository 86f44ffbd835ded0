/* The screen of a booted machine: its framebuffer or its text, in a window, in a picture, or both.
 *
 * The screen only looks at memory and VGA registers.  What people do in the window comes out of screen_poll as input
 * events, which the caller applies and logs.  Clicking into the window gives the mouse to the machine, Ctrl+Alt
 * together give it back; closing the window ends the run.
 */
#ifndef SIM_UI_SCREEN_H
#define SIM_UI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/platform/input.h"

struct machine;
struct screen;
struct vga;

/* 'vga' with a text display, else NULL.  Without 'window' only pictures can be made, and no display of the host is
 * needed.  NULL with a message. */
struct screen *screen_open(struct machine *, const struct vga *, bool window, char *error, size_t error_size);
void screen_close(struct screen *);

enum screen_result { SCREEN_NOTHING, SCREEN_EVENT, SCREEN_QUIT };
enum screen_result screen_poll(struct screen *, struct input_event *); /* does not wait */
void screen_draw(struct screen *); /* the window's contents, if something has changed */
/* What is shown now, as PNG. False with a message. */
bool screen_picture(struct screen *, const char *path, char *error, size_t error_size);

#endif
