/* What passes the ports of a testbed, as packet captures: one pcapng a port.
 *
 * The wire's frames come from the wire itself.  A child's port is where its
 * link layer gives frames to and takes them from its workload; they are seen
 * by watching the entries of the functions that spec/lab/trace_points.tbl
 * marks as the port's, so the software does nothing for it.
 */
#ifndef SIM_LAB_TESTBED_PORTS_H
#define SIM_LAB_TESTBED_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;
struct testbed_ports;

/* 'folder' NULL: nothing is written. NULL with a message on failure. */
struct testbed_ports *testbed_ports_new(const char *folder, unsigned children,
                                        char *error, size_t error_size);
bool testbed_ports_free(struct testbed_ports *, char *error, size_t error_size);

void testbed_ports_state(struct testbed_ports *, struct state *); /* how long the captures are */

/* A lab_wire_frame_fn with the ports as its context. */
void testbed_ports_wire_frame(void *ports, bool to_card, const uint8_t *frame, size_t size, uint64_t now);
/* A frame that a child's link layer received or sends. */
void testbed_ports_child_frame(struct testbed_ports *, unsigned child, bool received, const uint8_t *frame, size_t size,
                               uint64_t now);

#endif
