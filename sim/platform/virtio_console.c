/* The virtio console; see virtio_console.h. */
#include "sim/platform/virtio_console.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/platform/virtio.h"
#include "spec/platform/virtio.h"

enum { BATCH = 64 /* chains of one queue at a time */ };

struct virtio_console {
    struct virtio virtio;
    uint8_t input[VIRTIO_CONSOLE_INPUT]; /* oldest first */
    uint32_t input_count;
    uint8_t text[VIRTIO_CHAIN_BYTES_MAX]; /* of the chain being printed; not state */
    void (*output)(void *ctx, uint8_t byte);
    void *output_ctx;
};

static void
print(struct virtio_console *c, uint32_t size)
{
    for (uint32_t i = 0; i < size && c->output; i++) {
        c->output(c->output_ctx, c->text[i]);
    }
}

static void
transmit(struct virtio_console *c)
{
    struct virtio *v = &c->virtio;
    struct virtio_chain chain;
    unsigned done = 0;
    while (done < BATCH && virtio_take(v, VIRTIO_CONSOLE_TRANSMIT, &chain)) {
        if (!virtio_chain_read(v, &chain, c->text, chain.readable_bytes)) {
            return;
        }
        print(c, chain.readable_bytes);
        virtio_give(v, VIRTIO_CONSOLE_TRANSMIT, &chain, 0);
        done++;
    }
    if (done == BATCH) {
        virtio_kick(v);
    }
}

static void
receive(struct virtio_console *c)
{
    struct virtio *v = &c->virtio;
    struct virtio_chain chain;
    unsigned done = 0;
    while (c->input_count && done < BATCH && virtio_take(v, VIRTIO_CONSOLE_RECEIVE, &chain)) {
        uint32_t size = chain.writable_bytes < c->input_count ? chain.writable_bytes : c->input_count;
        if (!virtio_chain_write(v, &chain, c->input, size)) {
            return;
        }
        c->input_count -= size;
        memmove(c->input, c->input + size, c->input_count);
        memset(c->input + c->input_count, 0, size);
        virtio_give(v, VIRTIO_CONSOLE_RECEIVE, &chain, size);
        done++;
    }
    if (done == BATCH) {
        virtio_kick(v);
    }
}

static void
work(void *ctx)
{
    transmit(ctx);
    receive(ctx);
}

/* --- from outside ------------------------------------------------------------------------ */

bool
virtio_console_has_room(const struct virtio_console *c)
{
    return c->input_count < VIRTIO_CONSOLE_INPUT;
}

bool
virtio_console_input(struct virtio_console *c, uint8_t byte)
{
    if (!virtio_console_has_room(c)) {
        return false;
    }
    c->input[c->input_count++] = byte;
    if (virtio_ready(&c->virtio)) {
        virtio_kick(&c->virtio);
    }
    return true;
}

void
virtio_console_set_output(struct virtio_console *c, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    c->output = output;
    c->output_ctx = ctx;
}

/* --- life ---------------------------------------------------------------------------------- */

static void
state(void *ctx, struct state *s)
{
    struct virtio_console *c = ctx;
    virtio_state(&c->virtio, s);
    STATE_VISIT(s, c->input);
    STATE_VISIT(s, c->input_count);
    if (c->input_count > VIRTIO_CONSOLE_INPUT) {
        state_fail(s, "virtio console: input out of range");
        c->input_count = 0;
    }
}

struct virtio_console *
virtio_console_new(struct machine *m)
{
    static const struct virtio_kind kind = {
        .name = "virtio-console", .type = VIRTIO_CONSOLE, .class_code = 0x078000, .queue_count = 2, .work = work,
    };
    struct virtio_console *c = calloc(1, sizeof *c);
    if (c) {
        virtio_init(&c->virtio, m, BDF_VIRTIO_CONSOLE, &kind, c);
        machine_add_part(m, kind.name, state, c);
    }
    return c;
}

void
virtio_console_free(struct virtio_console *c)
{
    free(c);
}
