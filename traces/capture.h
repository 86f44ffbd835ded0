/* Packet captures in: pcap and pcapng, micro- or nanosecond, Ethernet.
 *
 * A capture is read completely into memory (libpcap does the parsing) and
 * turned into what a replay needs: frames in file order with a time that never
 * runs backwards.  Three things are repaired, each counted:
 *
 *   First, a timestamp that jumps back counts as "at the same time as the
 *   frame before".  Second, a gap longer than 'max_gap' is shortened to it
 *   (recordings hold pauses of minutes, clocks are set by years).  Third, a
 *   frame that was cut when recorded (snap length) is filled with zeroes up to
 *   its original length, so that sizes on the wire are those recorded.
 *
 * Ownership: capture_read returns a capture that capture_free releases.
 */
#ifndef TRACES_CAPTURE_H
#define TRACES_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ETHERNET_HEADER_SIZE = 14, ETHERNET_ADDRESS_SIZE = 6, CAPTURE_FRAME_MAX = 256 * 1024 };

struct capture_frame {
    uint64_t at_ns;   /* after the first frame [ns], repaired and scaled */
    uint32_t length;  /* [bytes], as it was on the wire, without FCS */
    uint8_t *bytes;   /* owned by the capture */
};

struct capture {
    struct capture_frame *frames;
    size_t count;
    uint32_t longest;      /* [bytes] */
    size_t backwards;      /* timestamps that ran back */
    size_t gaps_shortened;
    size_t filled;         /* frames cut by the snap length */
    size_t runts;          /* shorter than an Ethernet header: not replayable, left out of 'frames' */
};

/* Reads 'path'.  'max_gap_ns' as above; times are divided by 'speed' after gaps are
 * shortened.  NULL on error, with one sentence that says what is wrong and
 * what would help in 'error'. */
struct capture *capture_read(const char *path, uint64_t max_gap_ns, double speed,
                             char *error, size_t error_size);
void capture_free(struct capture *);

/* The most frequent unicast destination; of equals the numerically smallest.
 * False when the capture has no unicast frame. */
bool capture_endpoint(const struct capture *, uint8_t mac[6]);

#endif
