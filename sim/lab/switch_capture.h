/* What the switch's capture extension saw, as switch.pcapng.
 *
 * The extension keeps its last frames in a ring in memory (spec/lab/capture.h);
 * this reader takes what is new between slices.  Frames that the ring lost
 * before it was read are counted.
 */
#ifndef SIM_LAB_SWITCH_CAPTURE_H
#define SIM_LAB_SWITCH_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;
struct machine;
struct state;
struct switch_capture;

/* 'image' is the one that may hold the switch; NULL when it does not (no message) or on failure (with one). */
struct switch_capture *switch_capture_new(struct machine *, const struct image *, const char *folder, char *error,
                                          size_t error_size);
void switch_capture_poll(struct switch_capture *); /* NULL is fine */
/* How far it came. NULL: of no capture. */
void switch_capture_state(struct switch_capture *, struct state *);
uint64_t switch_capture_lost(const struct switch_capture *);
bool switch_capture_free(struct switch_capture *, char *error, size_t error_size);

#endif
