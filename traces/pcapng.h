/* Packet captures out: pcapng 1.0 with nanosecond times, one interface a file.
 *
 * A file is written beside its final name ("NAME.part") and gets its name only
 * when pcapng_close succeeds, so a full disk or an interrupt never leaves half
 * a capture under a name that looks whole.  The first error sticks and is
 * reported by pcapng_close.
 */
#ifndef TRACES_PCAPNG_H
#define TRACES_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;
struct pcapng; /* owned by the caller until pcapng_close */

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 }; /* epb_flags bits 0-1 */

/* 'interface_name' appears in Wireshark, e.g. "wire" or "child0". NULL: 'error' says why. */
struct pcapng *pcapng_open(const char *path, const char *interface_name, char *error, size_t error_size);
void pcapng_write(struct pcapng *, uint64_t at_ns, enum pcapng_direction, const uint8_t *frame, size_t size);
/* The same for a frame of which only the first 'kept' of 'size' bytes are known. */
void pcapng_write_cut(struct pcapng *, uint64_t at_ns, enum pcapng_direction, const uint8_t *frame, size_t kept, size_t size);
/* A resumed run's capture goes on where it was interrupted (outfile.h). NULL: nothing is captured. */
void pcapng_state(struct pcapng *, struct state *);
/* Frees. False: nothing was left under the final name, 'error' says why. */
bool pcapng_close(struct pcapng *, char *error, size_t error_size);

#endif
