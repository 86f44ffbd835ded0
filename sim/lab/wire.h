/* The other end of the card's cable: sends the schedule, receives and hashes.
 *
 * The wire carries one frame at a time in each direction, at 10 Gb/s with
 * preamble, FCS and inter-frame gap; a frame whose time has come waits for the
 * one before it.  802.3x PAUSE from the card is honoured when flow control is on
 * ("lossless"): the next frame waits until the card says go or the pause
 * expires.  The wire waits for wire_start.
 */
#ifndef SIM_LAB_WIRE_H
#define SIM_LAB_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "nic-model/nic.h"
#include "sim/lab/schedule.h"

struct machine;
struct state;
struct wire;

typedef void wire_frame_fn(void *ctx, bool to_card, const uint8_t *frame, size_t size, uint64_t now);

/* 'schedule' is borrowed. 'observer' (may be NULL) sees every frame in both directions. */
struct wire *wire_new(struct machine *, const struct schedule *, bool flow_control,
                      wire_frame_fn *observer, void *ctx);
void wire_free(struct wire *);
struct nic_peer wire_peer(struct wire *);        /* for nic_config */
void wire_connect(struct wire *, struct nic *);  /* once, after nic_new */
void wire_start(struct wire *, uint64_t cycle);  /* time 0 of the schedule [cycle] */
void wire_state(struct wire *, struct state *);

uint32_t wire_sent(const struct wire *);         /* frames handed to the card */
bool wire_sent_all(const struct wire *);
uint64_t wire_received(const struct wire *);     /* frames that came from the card */
uint64_t wire_received_bytes(const struct wire *);
uint64_t wire_received_hash(const struct wire *);/* payload hash of spec/lab/lab.h */
uint64_t wire_paused_cycles(const struct wire *);/* time the schedule was held by PAUSE [cycle] */

#endif
