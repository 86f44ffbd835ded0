#include "tests/fakes/guest_fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakes/svc_fake.h"

static bool host_post(void *ctx, uint32_t connection, const void *payload, uint32_t size)
{
    struct guest *g = ctx;
    svc_fake_guest_post(g->child, connection, payload, size);
    return true;
}

static void host_signal(void *ctx, uint32_t connection)
{
    struct guest *g = ctx;
    svc_fake_guest_signal(g->child, connection);
}

static void *host_pages(void *ctx, uint32_t count)
{
    struct guest *g = ctx;
    uint8_t *p = (uint8_t *)svc_fake_memory(g->child) + g->used;
    g->used += (size_t)count * 4096;
    assert(g->used <= svc_fake_memory_size(g->child));
    memset(p, 0, (size_t)count * 4096);
    return p;
}

static uint64_t host_gpa(void *ctx, const void *p)
{
    struct guest *g = ctx;
    return (uint64_t)((const uint8_t *)p - (uint8_t *)svc_fake_memory(g->child));
}

static const struct vmbus_client_host host = { host_post, host_signal, host_pages, host_gpa };

static void on_ready(void *ctx) { ((struct guest *)ctx)->ready = true; }
static void on_vf(void *ctx, bool present) { ((struct guest *)ctx)->vf = present; }
static void on_path(void *ctx) { ((struct guest *)ctx)->path_switched = true; }

static void on_receive(void *ctx, struct svc_packet *batch, unsigned count)
{
    struct guest *g = ctx;
    for (unsigned i = 0; i < count; i++) {
        assert(g->received_count < GUEST_FRAMES_MAX);
        struct guest_frame *frame = &g->received[g->received_count++];
        frame->length = batch[i].length;
        frame->bytes = malloc(batch[i].length);
        memcpy(frame->bytes, batch[i].data, batch[i].length);
    }
}

static void push(struct guest *g)
{
    while (g->queue_count > 0) {
        unsigned taken = netvsc_send(&g->queue[g->queue_head], 1, &g->netvsc);
        if (taken == 0)
            return;
        g->queue_head = (g->queue_head + 1) % GUEST_FRAMES_MAX;
        g->queue_count--;
    }
}

static void on_room(void *ctx) { push(ctx); }
static const struct netvsc_handler handler = { on_ready, on_receive, on_room, on_vf, on_path };

static void on_message(void *ctx, const void *payload, uint32_t size)
{
    vmbus_client_message(&((struct guest *)ctx)->client, payload, size);
}

static void on_flag(void *ctx, uint32_t flag)
{
    struct guest *g = ctx;
    if (g->asleep)
        g->missed = true;
    else
        vmbus_client_flag(&g->client, flag);
}

struct guest *guest_fake_new(unsigned child, size_t memory, uint32_t mtu)
{
    struct guest *g = calloc(1, sizeof *g);
    assert(g);
    g->child = child;
    svc_fake_child(child, memory, &(struct svc_fake_guest){ on_message, on_flag, g });
    netvsc_init(&g->netvsc, mtu, &handler, g);
    vmbus_client_init(&g->client, &host, g, &netvsc_driver, &g->netvsc);
    return g;
}

void guest_fake_connect(struct guest *g)
{
    vmbus_client_connect(&g->client, 0);
    svc_fake_run();
}

void guest_fake_send(struct guest *g, const void *frame, uint32_t length)
{
    uint8_t *bytes = host_pages(g, (length + 4095) / 4096);
    memcpy(bytes, frame, length);
    assert(g->queue_count < GUEST_FRAMES_MAX);
    g->queue[(g->queue_head + g->queue_count++) % GUEST_FRAMES_MAX] =
        (struct svc_packet){ .data = bytes, .length = length };
    if (!g->asleep)
        push(g);
}

void guest_fake_sleep(struct guest *g, bool asleep)
{
    g->asleep = asleep;
    if (asleep || !g->missed)
        return;
    g->missed = false;
    netvsc_driver.signalled(&g->netvsc);
}

void guest_fake_forget(struct guest *g)
{
    for (unsigned i = 0; i < g->received_count; i++)
        free(g->received[i].bytes);
    g->received_count = 0;
}

void guest_fake_restart(struct guest *g)
{
    uint32_t mtu = g->netvsc.mtu;
    vmbus_client_unload(&g->client);
    svc_fake_run();
    g->used = 0;
    g->queue_count = 0;
    g->ready = g->vf = g->path_switched = g->asleep = g->missed = false;
    netvsc_init(&g->netvsc, mtu, &handler, g);
    vmbus_client_init(&g->client, &host, g, &netvsc_driver, &g->netvsc);
    guest_fake_connect(g);
}

void guest_fake_free(struct guest *g)
{
    if (!g)
        return;
    guest_fake_forget(g);
    free(g);
}
