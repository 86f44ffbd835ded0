/* Who sends which frame of a capture, and when.
 *
 * A replay gives the capture two senders.  Frames whose source is a child's
 * address are sent by that child (they travel into it as the module
 * "frames<n>"); all others arrive from the wire.  A frame with equal source
 * and destination, or with an all-zero source, always arrives from the wire:
 * no station sends to itself, and a loopback capture has no other reading.
 *
 * With several children the capture is replayed once per child, its endpoint's
 * address replaced by theirs; broadcast and multicast frames and those for third
 * parties arrive once.
 */
#ifndef SIM_LAB_SCHEDULE_H
#define SIM_LAB_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/capture.h"

enum { SCHEDULE_CHILDREN_MAX = 16, WIRE_FRAME_MIN = 60 };

struct schedule_frame {
    uint64_t at_ns;   /* after the replay's start */
    uint32_t packet;  /* number in the replay, from 0, over all senders in order of time */
    uint32_t length;  /* [bytes], at least WIRE_FRAME_MIN */
    uint8_t *bytes;   /* owned by the schedule */
};

struct schedule_child {
    uint8_t mac[6];
    uint8_t *module;      /* the "frames<n>" module (spec/lab/lab.h); owned */
    size_t module_size;   /* [bytes] */
    uint32_t count;       /* frames this child sends */
    uint32_t *packet;     /* their numbers in the replay; owned */
};

struct schedule {
    struct schedule_frame *wire; /* in order of time */
    uint32_t wire_count;
    struct schedule_child child[SCHEDULE_CHILDREN_MAX];
    unsigned children, replaying;
    uint32_t offered;     /* all frames, wire and children's */
    uint32_t longest;     /* [bytes] */
    uint64_t last_ns;     /* time of the last frame */
};

/* 'mac' holds 'children' addresses; the first is the capture's endpoint.  Only
 * the first 'replaying' children take part in the replay, the others get an
 * empty module.  NULL when memory is short. */
struct schedule *schedule_new(const struct capture *, const uint8_t (*mac)[6], unsigned children, unsigned replaying);
void schedule_free(struct schedule *);

#endif
