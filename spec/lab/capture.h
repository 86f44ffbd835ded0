/* The capture extension's memory: the last frames that the switch saw.
 *
 * A ring in the memory of the image that holds the switch, at the address in
 * its symbol `vsw_capture_ring` (NULL = no capture).  Slot i of frame n is
 * n % slots; `count` grows after the slot is complete.
 */
#ifndef SPEC_LAB_CAPTURE_H
#define SPEC_LAB_CAPTURE_H

#include <stdint.h>

#define VSW_CAPTURE_MAGIC 0x50414357535648ull /* "HVSWCAP" */
enum { VSW_CAPTURE_SLOTS = 256, VSW_CAPTURE_SNAP = 232 };

struct vsw_capture_slot {
    uint64_t time;   /* reference time [100 ns] */
    uint32_t port;   /* that the frame came in at */
    uint32_t length; /* of the frame [bytes] */
    uint32_t kept;   /* of them, here */
    uint32_t reserved;
    uint8_t bytes[VSW_CAPTURE_SNAP];
};
_Static_assert(sizeof(struct vsw_capture_slot) == 256, "slots are aligned");

struct vsw_capture_ring {
    uint64_t magic;
    uint64_t count; /* frames since the start */
    uint32_t slots, slot_size;
    struct vsw_capture_slot slot[VSW_CAPTURE_SLOTS];
};

#endif
