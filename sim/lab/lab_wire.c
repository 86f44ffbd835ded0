/* PAUSE: IEEE 802.3 Annex 31B "MAC Control PAUSE operation"; a quantum is 512 bit times. */
#include "sim/lab/lab_wire.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "spec/lab/lab.h"

enum { PAUSE_QUANTUM_BYTES = 64 };

struct lab_wire {
    struct machine *machine;
    struct nic *nic;
    const struct schedule *schedule;
    bool flow_control;
    lab_wire_frame_fn *observer;
    void *ctx;
    struct event arrival;      /* last bit of the frame in flight reaches the card */
    bool started;
    uint64_t start;            /* time 0 of the schedule [cycle] */
    uint32_t next;             /* frame in flight or waiting */
    uint64_t free_at;          /* the line to the card is idle from here on [cycle] */
    uint64_t paused_until;     /* [cycle] */
    uint64_t paused_cycles;
    uint64_t received, received_replay, received_hash;
};

static uint64_t
rotate_left(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t
hash_word(uint64_t h, uint64_t word)
{
    return rotate_left((h ^ word) * LAB_HASH_MULTIPLIER, 29);
}

static uint64_t
hash_frame(uint64_t h, const uint8_t *frame, size_t size)
{
    h = hash_word(h, size);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, frame + i, size - i < 8 ? size - i : 8);
        h = hash_word(h, word);
    }
    return h;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Plans the arrival of frame 'next': its time, a free line, no pause. */
static void
plan(struct lab_wire *w, uint64_t now)
{
    if (!w->started || w->next == w->schedule->wire_count)
        return;
    const struct schedule_frame *f = &w->schedule->wire[w->next];
    uint64_t wanted = later(w->start + machine_ns_to_cycles(f->at_ns), w->free_at);
    uint64_t begin = later(wanted, w->paused_until);
    uint64_t due = begin + time_wire_cycles(w->machine, f->length);
    event_arm(w->machine->events, &w->arrival, later(due, now));
}

static void
arrive(void *ctx, uint64_t now)
{
    struct lab_wire *w = ctx;
    const struct schedule_frame *f = &w->schedule->wire[w->next];
    uint64_t begin = now - time_wire_cycles(w->machine, f->length);

    if (w->paused_until > begin) { /* a pause came before its first bit left */
        plan(w, now);
        return;
    }
    w->next++;
    w->free_at = now;
    if (w->observer)
        w->observer(w->ctx, true, f->bytes, f->length, now);
    nic_wire_receive(w->nic, f->bytes, f->length, f->packet);
    plan(w, now);
}

static bool
is_from_replayer(const struct lab_wire *w, const uint8_t *frame, size_t size)
{
    for (unsigned k = 0; size >= 12 && k < w->schedule->replaying; k++)
        if (!memcmp(frame + 6, w->schedule->child[k].mac, 6))
            return true;
    return false;
}

static void
transmitted(void *ctx, const uint8_t *frame, size_t size, uint64_t now)
{
    struct lab_wire *w = ctx;
    w->received++;
    w->received_replay += is_from_replayer(w, frame, size);
    w->received_hash = hash_frame(w->received_hash, frame, size);
    if (w->observer)
        w->observer(w->ctx, false, frame, size, now);
}

static void
pause(void *ctx, uint16_t quanta, uint64_t now)
{
    struct lab_wire *w = ctx;
    if (!w->flow_control)
        return;
    /* Bytes on the wire last 8 bit times each; overhead is in the row already. */
    uint64_t length = time_wire_cycles(w->machine, (uint64_t)quanta * PAUSE_QUANTUM_BYTES)
                      - time_wire_cycles(w->machine, 0);
    uint64_t until = now + length;
    if (until > w->paused_until)
        w->paused_cycles += until - later(w->paused_until, now);
    else
        w->paused_cycles -= w->paused_until - until;
    w->paused_until = until;
    if (!event_is_armed(&w->arrival) || quanta == 0)
        plan(w, now);
}

struct lab_wire *
lab_wire_new(struct machine *m, const struct schedule *schedule, bool flow_control, lab_wire_frame_fn *observer, void *ctx)
{
    struct lab_wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->machine = m;
    w->schedule = schedule;
    w->flow_control = flow_control;
    w->observer = observer;
    w->ctx = ctx;
    w->received_hash = LAB_HASH_START;
    event_init(&w->arrival, arrive, w);
    return w;
}

void
lab_wire_free(struct lab_wire *w)
{
    if (!w)
        return;
    event_cancel(w->machine->events, &w->arrival);
    free(w);
}

struct nic_peer
lab_wire_peer(struct lab_wire *w)
{
    return (struct nic_peer){ transmitted, pause, w };
}

void
lab_wire_connect(struct lab_wire *w, struct nic *nic)
{
    w->nic = nic;
}

void
lab_wire_start(struct lab_wire *w, uint64_t cycle)
{
    w->started = true;
    w->start = cycle;
    w->free_at = cycle;
    plan(w, cycle);
}

void
lab_wire_state(struct lab_wire *w, struct state *s)
{
    state_part(s, "wire");
    STATE_VISIT(s, w->started);
    STATE_VISIT(s, w->start);
    STATE_VISIT(s, w->next);
    STATE_VISIT(s, w->free_at);
    STATE_VISIT(s, w->paused_until);
    STATE_VISIT(s, w->paused_cycles);
    STATE_VISIT(s, w->received);
    STATE_VISIT(s, w->received_replay);
    STATE_VISIT(s, w->received_hash);
    if (w->next > w->schedule->wire_count)
        state_fail(s, "frame %u of %u", w->next, w->schedule->wire_count);
    event_state(w->machine->events, &w->arrival, s);
}

uint32_t lab_wire_sent(const struct lab_wire *w) { return w->next; }
bool lab_wire_sent_all(const struct lab_wire *w) { return w->started && w->next == w->schedule->wire_count; }
uint64_t lab_wire_received(const struct lab_wire *w) { return w->received; }
uint64_t lab_wire_received_replay(const struct lab_wire *w) { return w->received_replay; }
uint64_t lab_wire_received_hash(const struct lab_wire *w) { return w->received_hash; }
uint64_t lab_wire_paused_cycles(const struct lab_wire *w) { return w->paused_cycles; }
