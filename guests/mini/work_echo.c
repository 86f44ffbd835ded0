/* Workload echo: sends every frame back to where it came from. */
#include "guests/mini/lab.h"
#include "guests/mini/mini.h"
#include "vmbus/bytes.h"

enum { FRAMES = 256, PAGE = 4096, ADDRESS = 6 };

static struct {
    uint8_t *memory;
    uint32_t stride;
    uint32_t length[FRAMES];
    uint32_t head, count;  /* filled and not yet taken by the link */
    uint64_t filled;       /* since the start */
} echo;

static void echo_start(struct mini *m, const char *argument)
{
    (void)argument;
    echo.stride = (m->link.mtu + 18 + PAGE - 1) / PAGE * PAGE;
    echo.memory = mini_pages(m, (uint64_t)echo.stride * FRAMES / PAGE);
}

static void echo_begin(struct mini *m) { (void)m; }

static void echo_run(struct mini *m)
{
    while (echo.count > 0) {
        struct svc_packet packet = {
            .data = echo.memory + (size_t)echo.head * echo.stride, .length = echo.length[echo.head],
        };
        if (mini_link_send(&packet, 1, &m->link) == 0)
            return;
        lab_count(LAB_ECHOED, 1);
        echo.head = (echo.head + 1) % FRAMES;
        echo.count--;
    }
}

static void echo_receive(struct mini *m, struct svc_packet *batch, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        lab_hash(batch[i].data, batch[i].length);
        lab_count(LAB_DELIVERED, 1);
        lab_count(LAB_DELIVERED_BYTES, batch[i].length);
        /* A slot is free once the device is done with the frame that was in it. */
        if (echo.count == FRAMES || echo.filled - link_sent(&m->link) >= FRAMES || batch[i].length > echo.stride)
            continue;
        uint32_t slot = (echo.head + echo.count) % FRAMES;
        uint8_t *to = echo.memory + (size_t)slot * echo.stride;
        svc_copy(to, batch[i].data, batch[i].length);
        bytes_copy(to, batch[i].data + ADDRESS, ADDRESS);
        bytes_copy(to + ADDRESS, m->link.netvsc.mac, ADDRESS);
        echo.length[slot] = batch[i].length;
        echo.count++;
        echo.filled++;
    }
    echo_run(m);
}

const struct work work_echo = {
    .name = "echo", .start = echo_start, .begin = echo_begin, .receive = echo_receive, .run = echo_run,
    .needs_network = true, .takes_part = false,
};
