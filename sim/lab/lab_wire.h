/* The other end of the card's cable: sends the schedule, receives and hashes.
 *
 * The wire carries one frame at a time in each direction, at 10 Gb/s with
 * preamble, FCS and inter-frame gap; a frame whose time has come waits for the
 * one before it.  802.3x PAUSE from the card is honoured when flow control is on
 * ("lossless"): the next frame waits until the card says go or the pause
 * expires.  The wire waits for lab_wire_start.
 */
#ifndef SIM_LAB_LAB_WIRE_H
#define SIM_LAB_LAB_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "nic-model/nic.h"
#include "sim/lab/schedule.h"

struct machine;
struct state;
struct lab_wire;

typedef void lab_wire_frame_fn(void *ctx, bool to_card, const uint8_t *frame, size_t size, uint64_t now);

/* 'schedule' is borrowed. 'observer' (may be NULL) sees every frame in both directions. */
struct lab_wire *lab_wire_new(struct machine *, const struct schedule *, bool flow_control,
                      lab_wire_frame_fn *observer, void *ctx);
void lab_wire_free(struct lab_wire *);
struct nic_peer lab_wire_peer(struct lab_wire *);        /* for nic_config */
void lab_wire_connect(struct lab_wire *, struct nic *);  /* once, after nic_new */
void lab_wire_start(struct lab_wire *, uint64_t cycle);  /* time 0 of the schedule [cycle] */
void lab_wire_state(struct lab_wire *, struct state *);

uint32_t lab_wire_sent(const struct lab_wire *);         /* frames handed to the card */
bool lab_wire_sent_all(const struct lab_wire *);
uint64_t lab_wire_received(const struct lab_wire *);     /* frames that came from the card */
uint64_t lab_wire_received_replay(const struct lab_wire *); /* of these, from children that replay */
uint64_t lab_wire_received_hash(const struct lab_wire *);/* payload hash of spec/lab/lab.h */
uint64_t lab_wire_paused_cycles(const struct lab_wire *);/* time the schedule was held by PAUSE [cycle] */

#endif
