/* Workload replayer: sends the frames of its module at their times, receives and hashes everything.
 * Workload sink: only receives. */
#include "guests/mini/hyper.h"
#include "guests/mini/lab.h"
#include "guests/mini/mini.h"

enum { BATCH = 32 };

static struct {
    const struct lab_frame *frame;
    const uint8_t *base;
    uint32_t count, next;
    uint64_t size;
    bool told; /* that all are sent */
} replay;

static const char *module_name(const struct mini *m, char name[16])
{
    char *n = name;
    for (const char *s = "frames"; *s; s++)
        *n++ = *s;
    if (m->number >= 10)
        *n++ = (char)('0' + m->number / 10);
    *n++ = (char)('0' + m->number % 10);
    *n = 0;
    return name;
}

static void replayer_start(struct mini *m, const char *argument)
{
    char name[16];
    (void)argument;
    const struct boot_module *module = mini_module(m, module_name(m, name));
    if (!module)
        return; /* nothing to send */
    const struct lab_frames *frames = (const void *)(uintptr_t)module->gpa;
    if (module->size < sizeof *frames || frames->magic != LAB_FRAMES_MAGIC ||
        frames->count > (module->size - sizeof *frames) / sizeof *replay.frame)
        lab_fail("the module of frames is damaged");
    replay.base = (const uint8_t *)frames;
    replay.size = module->size;
    replay.frame = (const struct lab_frame *)(frames + 1);
    replay.count = frames->count;
}

static void replayer_begin(struct mini *m)
{
    (void)m;
}

static void replayer_receive(struct mini *m, struct svc_packet *batch, unsigned count)
{
    (void)m;
    for (unsigned i = 0; i < count; i++) {
        lab_hash(batch[i].data, batch[i].length);
        lab_count(LAB_DELIVERED_BYTES, batch[i].length);
    }
    lab_count(LAB_DELIVERED, count);
}

/* The frames that are due, up to a batch. */
static unsigned collect(uint64_t elapsed_ns, struct svc_packet *batch)
{
    unsigned count = 0;
    while (count < BATCH && replay.next + count < replay.count) {
        const struct lab_frame *frame = &replay.frame[replay.next + count];
        if (frame->at_ns > elapsed_ns)
            break;
        if (frame->offset > replay.size || frame->length > replay.size - frame->offset || frame->length < 14)
            lab_fail("a frame lies outside its module");
        batch[count++] = (struct svc_packet){
            .data = (uint8_t *)(uintptr_t)(replay.base + frame->offset), .length = frame->length,
            .flags = SVC_PACKET_CONTIGUOUS,
        };
    }
    return count;
}

static void replayer_run(struct mini *m)
{
    struct svc_packet batch[BATCH];
    for (;;) {
        uint64_t elapsed = (hyper_now() - m->start) * 100;
        unsigned count = collect(elapsed, batch);
        unsigned taken = mini_link_send(batch, count, &m->link);
        replay.next += taken;
        if (taken < count)
            return; /* the link calls us when there is room */
        if (count < BATCH)
            break;
    }
    if (replay.next < replay.count) {
        mini_wake_at(m, m->start + (replay.frame[replay.next].at_ns + 99) / 100);
    } else if (!replay.told) {
        replay.told = true;
        lab_event(LAB_EVENT_SENT_ALL, 0);
    }
}

static void sink_start(struct mini *m, const char *argument)
{
    (void)m;
    (void)argument;
}

const struct work work_replayer = {
    .name = "replayer", .start = replayer_start, .begin = replayer_begin, .receive = replayer_receive,
    .run = replayer_run, .needs_network = true, .takes_part = true,
};
const struct work work_sink = {
    .name = "sink", .start = sink_start, .begin = replayer_begin, .receive = replayer_receive,
    .run = replayer_run, .needs_network = true, .takes_part = true,
};
