#include "sim/lab/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/cpu/core_hooks.h"
#include "sim/cpu/cpu.h"
#include "sim/lab/testbed_ports.h"
#include "sim/machine.h"
#include "sim/platform/elf_image.h"
#include "spec/lab/lab.h"

struct point { const char *symbol, *label; int batch, count; };
static const struct point points[] = {
#include "spec_trace_points.h"
};
enum { POINTS = sizeof points / sizeof *points, PLACES = 1 << 16, BATCH_MAX = 256, SENT_MAX = 4096, COPY = -1,
       WATCHES_MAX = POINTS * (2 + SCHEDULE_CHILDREN_MAX), FRAME_MAX = 16 * 1024 };

struct place { uint64_t address; uint32_t domain, packet; };

struct watch {
    struct tracker *tracker;
    uint64_t spa;
    uint32_t point;
    int32_t child;           /* or -1: an image at system-physical addresses */
};

struct tracker {
    struct machine *machine;
    const struct schedule *schedule;
    struct testbed_ports *ports;
    struct watch watch[WATCHES_MAX];
    uint32_t watches;
    uint32_t sent[SCHEDULE_CHILDREN_MAX];  /* frames seen leaving each child */
    struct place place[PLACES];            /* where packets lie; open addressing by overwrite */
    uint32_t on_card[SENT_MAX];            /* packets the card read, in order, until they are on the wire */
    uint64_t card_head, card_tail;
};

const char *
tracker_step_name(unsigned step)
{
    if (step < POINTS)
        return points[step].label;
    return step == TRACKER_STEP_CARD_READ ? "card: reads the frame" : step == TRACKER_STEP_WIRE ? "wire: the last bit has left" : "?";
}

/* --- places ------------------------------------------------------------------------ */

static struct place *
slot(struct tracker *t, uint32_t domain, uint64_t address)
{
    return &t->place[(address ^ address >> 16 ^ (uint64_t)domain << 40) * 0x9E3779B97F4A7C15ull >> 48];
}

static void
put(struct tracker *t, uint32_t domain, uint64_t address, uint32_t packet)
{
    *slot(t, domain, address) = (struct place){ address, domain, packet };
}

static uint32_t
find(struct tracker *t, uint32_t domain, uint64_t address)
{
    const struct place *p = slot(t, domain, address);
    return p->address == address && p->domain == domain && address ? p->packet : TRACKER_UNKNOWN;
}

/* Packet whose bytes are at 'linear' as the running software sees it. */
static uint32_t
find_linear(struct tracker *t, struct cpu *c, int child, uint64_t linear)
{
    uint64_t spa;
    uint32_t packet = TRACKER_UNKNOWN;
    if (cpu_translate_peek(c, linear, &spa))
        packet = find(t, 0, spa);
    if (packet == TRACKER_UNKNOWN && child >= 0)
        packet = find(t, 1 + (uint32_t)child, linear);
    return packet;
}

static void
put_linear(struct tracker *t, struct cpu *c, int child, uint64_t linear, uint32_t packet)
{
    uint64_t spa;
    if (cpu_translate_peek(c, linear, &spa))
        put(t, 0, spa, packet);
    if (child >= 0)
        put(t, 1 + (uint32_t)child, linear, packet);
}

/* --- what functions are called with --------------------------------------------------- */

static uint64_t
argument(const struct cpu *c, int index)
{
    static const uint8_t order[] = { RDI, RSI, RDX, RCX, R8, R9 }; /* System V ABI */
    return c->gpr[order[index]];
}

static void
note(struct tracker *t, const struct cpu *c, unsigned step, uint32_t packet, uint64_t length)
{
    TRACE(t->machine, c->now, TRACE_SERVICE, c->index, step, packet, length);
}

static void
copied(struct tracker *t, struct cpu *c, const struct watch *w)
{
    uint64_t to = argument(c, 0), from = argument(c, 1), size = argument(c, points[w->point].count);
    uint32_t packet = find_linear(t, c, w->child, from);
    if (packet == TRACKER_UNKNOWN)
        return;
    put_linear(t, c, w->child, to, packet);
    note(t, c, w->point, packet, size);
}

static void
show_port(struct tracker *t, struct cpu *c, const struct watch *w, bool received, const struct lab_packet *p)
{
    static const uint8_t zeroes[FRAME_MAX];
    uint8_t frame[FRAME_MAX];
    uint32_t length = p->length <= FRAME_MAX ? p->length : FRAME_MAX;
    for (uint32_t at = 0; at < length; at += 4096)
        if (!cpu_peek(c, p->data + at, frame + at, length - at < 4096 ? length - at : 4096))
            memcpy(frame + at, zeroes, length - at < 4096 ? length - at : 4096);
    testbed_ports_child_frame(t->ports, (unsigned)w->child, received, frame, length, c->now);
}

/* A frame that a child sends is packet number 'sent' of its module. */
static uint32_t
identify_sent(struct tracker *t, struct cpu *c, const struct watch *w, const struct lab_packet *p)
{
    const struct schedule_child *child = &t->schedule->child[w->child];
    uint32_t index = t->sent[w->child]++;
    uint32_t packet = index < child->count ? child->packet[index] : TRACKER_UNKNOWN;
    put_linear(t, c, w->child, p->data, packet);
    return packet;
}

static void
take_packet(struct tracker *t, struct cpu *c, const struct watch *w, const struct lab_packet *p)
{
    const char *symbol = points[w->point].symbol;
    bool sends = !strcmp(symbol, "mini_link_send"), receives = !strcmp(symbol, "mini_link_receive");
    uint32_t packet = sends ? identify_sent(t, c, w, p) : find_linear(t, c, w->child, p->data);
    if (sends || receives)
        show_port(t, c, w, receives, p);
    note(t, c, w->point, packet, p->length);
}

static void
entered(void *ctx, struct cpu *c)
{
    const struct watch *w = ctx;
    struct tracker *t = w->tracker;
    const struct point *point = &points[w->point];
    if (point->batch == COPY) {
        copied(t, c, w);
        return;
    }
    uint64_t at = argument(c, point->batch), count = (uint32_t)argument(c, point->count);
    for (uint64_t i = 0; i < count && i < BATCH_MAX; i++) {
        struct lab_packet p;
        if (!cpu_peek(c, at + i * sizeof p, &p, sizeof p))
            return;
        take_packet(t, c, w, &p);
    }
}

/* --- the card -------------------------------------------------------------------------- */

void
tracker_hear(void *ctx, const struct trace_record *r)
{
    struct tracker *t = ctx;
    uint32_t packet;
    switch (r->event) {
    case TRACE_NIC_RX: /* packet, pool, queue, address: which domain it is in shows who looks for it there */
        put(t, 0, r->arg[3], (uint32_t)r->arg[0]);
        put(t, 1 + (uint32_t)r->arg[1], r->arg[3], (uint32_t)r->arg[0]);
        break;
    case TRACE_NIC_TX:
        packet = find(t, 0, r->arg[0]);
        for (unsigned k = 0; packet == TRACKER_UNKNOWN && k < t->schedule->children; k++)
            packet = find(t, 1 + k, r->arg[0]);
        t->on_card[t->card_head++ % SENT_MAX] = packet;
        TRACE(t->machine, r->cycle, TRACE_SERVICE, UINT32_MAX, TRACKER_STEP_CARD_READ, packet, r->arg[1]);
        break;
    case TRACE_WIRE_TX:
        if (t->card_tail < t->card_head)
            TRACE(t->machine, r->cycle, TRACE_SERVICE, UINT32_MAX, TRACKER_STEP_WIRE, t->on_card[t->card_tail++ % SENT_MAX], r->arg[1]);
        break;
    default:
        break;
    }
}

/* --- watching ---------------------------------------------------------------------------- */

static void
watch(struct tracker *t, unsigned point, int child, uint64_t spa)
{
    if (t->watches == WATCHES_MAX)
        return;
    struct watch *w = &t->watch[t->watches++];
    *w = (struct watch){ t, spa, point, child };
    core_observe_entry(t->machine, spa, entered, w);
}

void
tracker_watch_image(struct tracker *t, const struct image *image)
{
    for (unsigned i = 0; i < POINTS; i++) {
        const struct image_symbol *s = image_symbol_by_name(image, points[i].symbol);
        if (s && s->spa != IMAGE_NOWHERE)
            watch(t, i, -1, s->spa);
    }
}

void
tracker_watch_child(struct tracker *t, unsigned child, const struct image *image)
{
    struct cpu *c = t->machine->running;
    for (unsigned i = 0; c && i < POINTS; i++) {
        const struct image_symbol *s = image_symbol_by_name(image, points[i].symbol);
        uint64_t spa;
        if (s && cpu_translate_peek(c, s->vaddr, &spa))
            watch(t, i, (int)child, spa);
    }
}

/* Few of the slots are in use: each as (slot, place), then PLACES. */
static void
places_state(struct tracker *t, struct state *s)
{
    static const struct place empty;
    uint32_t at = 0;
    if (state_is_load(s))
        memset(t->place, 0, sizeof t->place);
    for (;; at++) {
        while (!state_is_load(s) && at < PLACES && !memcmp(&t->place[at], &empty, sizeof empty))
            at++;
        STATE_VISIT(s, at);
        if (at >= PLACES || state_failed(s))
            break;
        STATE_VISIT(s, t->place[at]);
    }
}

void
tracker_state(struct tracker *t, struct state *s)
{
    state_part(s, "tracker");
    STATE_VISIT(s, t->sent);
    places_state(t, s);
    STATE_VISIT(s, t->on_card);
    STATE_VISIT(s, t->card_head);
    STATE_VISIT(s, t->card_tail);
    STATE_VISIT(s, t->watches);
    if (t->watches > WATCHES_MAX) {
        state_fail(s, "%u watched functions", t->watches);
        t->watches = 0;
    }
    for (uint32_t i = 0; i < t->watches; i++) {
        struct watch *w = &t->watch[i];
        STATE_VISIT(s, w->spa);
        STATE_VISIT(s, w->point);
        STATE_VISIT(s, w->child);
        w->tracker = t;
        if (state_is_load(s) && w->point < POINTS && w->child < SCHEDULE_CHILDREN_MAX)
            core_observe_entry(t->machine, w->spa, entered, w);
    }
}

struct tracker *
tracker_new(struct machine *m, const struct schedule *schedule, struct testbed_ports *ports)
{
    struct tracker *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->machine = m;
    t->schedule = schedule;
    t->ports = ports;
    return t;
}

void
tracker_free(struct tracker *t)
{
    free(t);
}
