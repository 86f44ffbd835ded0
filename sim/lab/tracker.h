/* Follows packets through software that knows nothing of it.
 *
 * The functions of spec/lab/trace_points.tbl are watched at their entries (a
 * watched entry costs the machine nothing and is watched in every run, so
 * that tracing changes nothing).  A packet is recognized by where its bytes
 * lie: the card's DMA says where packet N went, each copy moves it, and a
 * batch's data pointers tell which packets a function was called with.  Every
 * sighting becomes a TRACE_SERVICE event (processor, step, packet, length).
 *
 * Complications.  A virtual function's DMA address is the child's
 * guest-physical one, so places have a domain: 0 for system-physical
 * addresses, 1 + child for that child's.  The child's functions are found
 * once its image is in memory and runs: when it announces its report.
 *
 * The children's ports are watched here too: their link layers' entries give
 * the frames for childN.pcapng.
 */
#ifndef SIM_LAB_TRACKER_H
#define SIM_LAB_TRACKER_H

#include <stdint.h>

#include "sim/lab/schedule.h"
#include "traces/trace_ctf.h"

struct image;
struct machine;
struct state;
struct testbed_ports;
struct tracker;

#define TRACKER_UNKNOWN UINT32_MAX /* packet number of what could not be recognized */

/* Steps beside the table's rows, numbered from TRACKER_STEP_CARD. */
enum { TRACKER_STEP_CARD_READ = 200, TRACKER_STEP_WIRE };

struct tracker *tracker_new(struct machine *, const struct schedule *, struct testbed_ports *);
void tracker_free(struct tracker *);
/* Watches the table's functions that this image has, at their load addresses. */
void tracker_watch_image(struct tracker *, const struct image *);
/* The running processor executes 'child', whose image this is: watches its functions where they are now. */
void tracker_watch_child(struct tracker *, unsigned child, const struct image *);
/* What is watched where, and how far each child is; a load watches it again. */
void tracker_state(struct tracker *, struct state *);
trace_listener_fn tracker_hear; /* context: the tracker; what the card does */

const char *tracker_step_name(unsigned step); /* label of a TRACE_SERVICE event's step */

#endif
