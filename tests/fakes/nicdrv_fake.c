#include "tests/fakes/nicdrv_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "services/netvsp.h"
#include "services/nicdrv.h"
#include "services/vswitch.h"
#include "vsp/nic/buffer.h"

enum { HEADROOM = 64, STRIDE = 12288, POSTED_MAX = 1024 };

struct buffer { uint8_t *bytes; struct buffer *next; };
struct pool {
    bool assigned, running;
    struct svc_packet posted[POSTED_MAX], sending[POSTED_MAX];
    unsigned posted_count, sending_count;
};

static struct {
    struct buffer *free;
    unsigned free_count;
    struct nicdrv_fake_frame *sent;
    unsigned sent_count;
    struct pool pool[SVC_CHILDREN_MAX];
    bool hold, steered[SVC_CHILDREN_MAX], multicast;
} card;

static void card_init(void) {}
const struct svc_class nicdrv_service = { .name = "nicdrv", .init = card_init };

void nicdrv_fake_start(unsigned buffers)
{
    free(card.sent);
    memset(&card, 0, sizeof card);
    card.sent = calloc(NICDRV_FAKE_FRAMES, sizeof *card.sent);
    assert(card.sent);
    for (unsigned i = 0; i < buffers; i++) {
        struct buffer *buffer = svc_alloc(sizeof *buffer, 16);
        buffer->bytes = svc_alloc(STRIDE, 4096);
        buffer->next = card.free;
        card.free = buffer;
        card.free_count++;
    }
}

bool nicdrv_fake_inject(const void *frame, uint32_t length)
{
    struct buffer *buffer = card.free;
    if (!buffer)
        return false;
    card.free = buffer->next;
    card.free_count--;
    memcpy(buffer->bytes + HEADROOM, frame, length);
    struct svc_packet packet = { .data = buffer->bytes + HEADROOM, .length = length,
                                 .flags = SVC_PACKET_CONTIGUOUS, .owner = buffer };
    packet.dma = svc_dma_address(packet.data);
    vsw_input(&packet, 1, VSW_PORT_UPLINK);
    return true;
}

unsigned nicdrv_fake_free_buffers(void) { return card.free_count; }
unsigned nicdrv_fake_sent(void) { return card.sent_count; }
const struct nicdrv_fake_frame *nicdrv_fake_sent_frame(unsigned i) { return &card.sent[i]; }
bool nicdrv_fake_pool_running(unsigned child) { return card.pool[child].running; }
unsigned nicdrv_fake_pool_posted(unsigned child) { return card.pool[child].posted_count; }
void nicdrv_fake_pool_hold(bool hold) { card.hold = hold; }
bool nicdrv_fake_steered(unsigned child) { return card.steered[child]; }
bool nicdrv_fake_wants_multicast(void) { return card.multicast; }

static void record(const struct svc_packet *packet)
{
    assert(card.sent_count < NICDRV_FAKE_FRAMES && packet->length <= NICDRV_FAKE_FRAME_MAX);
    card.sent[card.sent_count].length = packet->length;
    memcpy(card.sent[card.sent_count++].bytes, packet->data, packet->length);
}

void nicdrv_transmit(struct svc_packet *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        record(&batch[i]);
    vsw_output_done(batch, count);
}

void nicdrv_returned(struct svc_packet *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct buffer *buffer = batch[i].owner;
        buffer->next = card.free;
        card.free = buffer;
        card.free_count++;
    }
}

bool nicdrv_pool_assign(unsigned child, const uint8_t mac[6], bool lossless)
{
    (void)lossless;
    (void)mac;
    card.pool[child].assigned = true;
    return true;
}

void nicdrv_pool_run(unsigned child, bool run)
{
    struct pool *pool = &card.pool[child];
    pool->running = run;
    if (run)
        return;
    pool->posted_count = 0;
    nicdrv_fake_pool_release(child);
}

unsigned nicdrv_pool_post(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct pool *pool = &card.pool[child];
    unsigned taken = 0;
    for (; taken < count && pool->posted_count < POSTED_MAX; taken++) {
        assert(batch[taken].length >= NICDRV_BUFFER_MIN);
        pool->posted[pool->posted_count++] = batch[taken];
    }
    return taken;
}

bool nicdrv_fake_pool_inject(unsigned child, const void *frame, uint32_t length)
{
    struct pool *pool = &card.pool[child];
    if (!pool->running || pool->posted_count == 0)
        return false;
    struct svc_packet packet = pool->posted[0];
    memmove(pool->posted, pool->posted + 1, --pool->posted_count * sizeof packet);
    memcpy(packet.data, frame, length);
    packet.length = length;
    netvsp_pool_received(&packet, 1, child);
    return true;
}

unsigned nicdrv_pool_transmit(struct svc_packet *batch, unsigned count, unsigned child)
{
    struct pool *pool = &card.pool[child];
    if (!pool->running)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        record(&batch[i]);
        assert(pool->sending_count < POSTED_MAX);
        pool->sending[pool->sending_count++] = batch[i];
    }
    if (!card.hold)
        nicdrv_fake_pool_release(child);
    return count;
}

void nicdrv_fake_pool_release(unsigned child)
{
    struct pool *pool = &card.pool[child];
    unsigned count = pool->sending_count;
    pool->sending_count = 0;
    if (count > 0)
        netvsp_pool_sent(pool->sending, count, child);
}

void nicdrv_transmit_awaited(unsigned child) { (void)child; }

bool nicdrv_vf_assign(unsigned child, const uint8_t mac[6], bool lossless, struct svc_vf *vf)
{
    (void)lossless;
    (void)child;
    (void)mac;
    *vf = (struct svc_vf){ .bdf = 0x0180 };
    return true;
}

void nicdrv_vf_steer(unsigned child, bool to_vf) { card.steered[child] = to_vf; }
void nicdrv_switch_wants_multicast(bool wanted) { card.multicast = wanted; }
