/* A virtio console (hvc0 to Linux): what a serial port is, but a buffer at a time.
 *
 * One port, without size and multiport features.  What the driver transmits is printed at once; received bytes wait here,
 * up to CONSOLE_INPUT of them, until the driver gives a buffer.
 */
#ifndef SIM_PLATFORM_VIRTIO_CONSOLE_H
#define SIM_PLATFORM_VIRTIO_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct virtio_console;

enum { VIRTIO_CONSOLE_INPUT = 256 };

struct virtio_console *virtio_console_new(struct machine *); /* a part of the machine; NULL: no host memory */
void virtio_console_free(struct virtio_console *);           /* before machine_free */

/* Where it prints; NULL drops it.  A pure observer. */
void virtio_console_set_output(struct virtio_console *, void (*output)(void *ctx, uint8_t byte), void *ctx);
/* A byte for the driver, from the machine's input log.  False: no room. */
bool virtio_console_input(struct virtio_console *, uint8_t byte);
bool virtio_console_has_room(const struct virtio_console *);

#endif
