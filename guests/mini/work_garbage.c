/* Workload garbage: does everything wrong on purpose, for tests of isolation.
 *
 *   garbage:ring         noise into the rings and their headers
 *   garbage:packets      well-framed packets with random contents
 *   garbage:messages     random VMBus control messages
 *   garbage:hypercalls   random calls with random input
 *   garbage:descriptors  noise into the virtual function's rings and registers
 *   garbage:mailbox      random mailbox messages
 *   garbage              all of them, in turn
 *
 * The noise is a fixed pseudo-random sequence: the same in every run.
 */
#include "guests/mini/hyper.h"
#include "guests/mini/lab.h"
#include "guests/mini/mini.h"
#include "spec/nic/82599.h"
#include "spec/nic/82599_vf.h"
#include "spec/vmbus/nvsp.h"
#include "vmbus/bytes.h"

enum { INTERVAL = 500 /* [100 ns] */, ROUNDS = 2000, KINDS = 6 };

static struct {
    uint64_t random;
    unsigned rounds;
    int kind; /* -1 = all */
    uint8_t *page;
} garbage;

static uint64_t noise(void)
{
    garbage.random ^= garbage.random << 13;
    garbage.random ^= garbage.random >> 7;
    garbage.random ^= garbage.random << 17;
    return garbage.random;
}

static void fill(void *to, uint32_t size)
{
    uint8_t *t = to;
    for (uint32_t i = 0; i < size; i++)
        t[i] = (uint8_t)noise();
}

static void noise_ring(struct mini *m)
{
    struct vmbus_client_channel *channel = m->link.netvsc.channel;
    volatile uint32_t *header = (volatile uint32_t *)channel->out.header;
    volatile uint32_t *other = (volatile uint32_t *)channel->in.header;
    fill(channel->out.data + noise() % (channel->out.size - 64), 64);
    header[noise() % 4] = (uint32_t)noise();
    other[noise() % 4] = (uint32_t)noise() % 3 ? (uint32_t)noise() & 0x1FFF8 : (uint32_t)noise();
    hyper_signal_event(channel->connection_id);
}

static void noise_packets(struct mini *m)
{
    struct vmbus_client_channel *channel = m->link.netvsc.channel;
    static const uint32_t types[] = { NVSP_SEND_RNDIS, NVSP_INIT, NVSP_SEND_RECEIVE_BUFFER, NVSP_SEND_SEND_BUFFER,
                                      NVSP_SWITCH_DATA_PATH, NVSP_REVOKE_RECEIVE_BUFFER, NVSP_NDIS_CONFIG };
    struct { uint8_t descriptor[64]; struct nvsp_message message; } random;
    fill(&random, sizeof random);
    random.message.type = types[noise() % 7];
    struct vmbus_send send = {
        .type = (uint16_t)(6 + noise() % 6), .flags = 1, .transaction = noise() % 64,
        .descriptor = random.descriptor, .descriptor_size = (uint32_t)(noise() % 8 * 8),
        .payload = &random.message, .payload_size = sizeof random.message,
    };
    vmbus_ring_put(&channel->out, &send);
    vmbus_client_publish(channel);
}

static void noise_messages(struct mini *m)
{
    uint8_t message[240];
    fill(message, sizeof message);
    uint32_t type = (uint32_t)(noise() % 26), relid = (uint32_t)(noise() % 3);
    bytes_copy(message, &type, 4);
    bytes_copy(message + 8, &relid, 4);
    hyper_post_message(noise() % 2 ? 1 : 4, message, (uint32_t)(noise() % 241));
    (void)m;
}

static void noise_hypercalls(struct mini *m)
{
    (void)m;
    fill(garbage.page, 4096);
    uint64_t control = noise() % 0x100 | (noise() % 4 ? 0 : noise() << 16);
    uint64_t input = noise() % 2 ? (uint64_t)(uintptr_t)garbage.page : noise();
    if (noise() % 2)
        hyper_call_fast(control, noise(), noise());
    else
        hyper_call(control, (const void *)(uintptr_t)input, garbage.page + 2048);
}

static void noise_descriptors(struct mini *m)
{
    struct vf *vf = &m->link.vf;
    if (vf->state == VF_NONE || vf->state == VF_FAILED)
        return;
    fill(&vf->rx[noise() % vf->rx_size], sizeof *vf->rx);
    fill(&vf->tx[noise() % VF_TX_SIZE], sizeof *vf->tx);
    static const uint32_t registers[] = { I82599_VFRDT(0), I82599_VFTDT(0), I82599_VFRDLEN(0), I82599_VFTDLEN(0),
                                          I82599_VFRDBAL(0), I82599_VFTDBAL(0), I82599_VFRDBAH(0), I82599_VTEIMS };
    vf->regs[registers[noise() % 8] / 4] = (uint32_t)noise();
}

static void noise_mailbox(struct mini *m)
{
    struct vf *vf = &m->link.vf;
    if (vf->state == VF_NONE || vf->state == VF_FAILED)
        return;
    for (unsigned i = 0; i < I82599_MAILBOX_DWORDS; i++)
        vf->regs[I82599_VFMBMEM(i) / 4] = i == 0 ? (uint32_t)noise() % 0x14 | (uint32_t)(noise() & 0xFF0000) : (uint32_t)noise();
    vf->regs[I82599_VFMAILBOX / 4] = (uint32_t)noise() & 7;
}

static const struct { const char *name; void (*make)(struct mini *); } kinds[KINDS] = {
    { "ring", noise_ring }, { "packets", noise_packets }, { "messages", noise_messages },
    { "hypercalls", noise_hypercalls }, { "descriptors", noise_descriptors }, { "mailbox", noise_mailbox },
};

static void garbage_start(struct mini *m, const char *argument)
{
    garbage.random = 0x9E3779B97F4A7C15ull + m->number;
    garbage.kind = -1;
    garbage.page = mini_pages(m, 1);
    for (int i = 0; i < KINDS; i++)
        if (mini_equal(kinds[i].name, argument))
            garbage.kind = i;
    if (garbage.kind < 0 && *argument)
        lab_fail("garbage: there are ring, packets, messages, hypercalls, descriptors, mailbox");
}

static void garbage_begin(struct mini *m) { (void)m; }

static void garbage_receive(struct mini *m, struct svc_packet *batch, unsigned count)
{
    (void)m;
    (void)batch;
    lab_count(LAB_DELIVERED, count);
}

static void garbage_run(struct mini *m)
{
    if (garbage.rounds >= ROUNDS)
        return;
    garbage.rounds++;
    kinds[garbage.kind >= 0 ? (unsigned)garbage.kind : (unsigned)(noise() % KINDS)].make(m);
    if (garbage.rounds == ROUNDS)
        lab_event(LAB_EVENT_SENT_ALL, 0);
    else
        mini_wake_at(m, hyper_now() + INTERVAL);
}

const struct work work_garbage = {
    .name = "garbage", .start = garbage_start, .begin = garbage_begin, .receive = garbage_receive, .run = garbage_run,
    .needs_network = true, .takes_part = false,
};
