#include "sim/lab/schedule.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "spec/lab/lab.h"

static const uint8_t zero_mac[6];

static const uint8_t *source(const struct capture_frame *f) { return f->bytes + 6; }
static const uint8_t *destination(const struct capture_frame *f) { return f->bytes; }

static bool
same(const uint8_t *a, const uint8_t *b)
{
    return !memcmp(a, b, 6);
}

static bool
sent_by_endpoint(const struct capture_frame *f, const uint8_t *endpoint)
{
    return same(source(f), endpoint) && !same(source(f), destination(f)) && !same(source(f), zero_mac);
}

/* Frames that exist once for every child: those to or from the endpoint. */
static bool
is_personal(const struct capture_frame *f, const uint8_t *endpoint)
{
    return sent_by_endpoint(f, endpoint) || same(destination(f), endpoint);
}

static uint32_t
padded(uint32_t length)
{
    return length < WIRE_FRAME_MIN ? WIRE_FRAME_MIN : length;
}

static void
readdress(uint8_t *bytes, const uint8_t *from, const uint8_t *to)
{
    if (same(bytes, from))
        memcpy(bytes, to, 6);
    if (same(bytes + 6, from))
        memcpy(bytes + 6, to, 6);
}

static bool
add_wire(struct schedule *s, const struct capture_frame *f, const uint8_t *endpoint, const uint8_t *mac)
{
    struct schedule_frame *w = &s->wire[s->wire_count++];
    *w = (struct schedule_frame){ f->at_ns, s->offered++, padded(f->length), calloc(1, padded(f->length)) };
    if (!w->bytes)
        return false;
    memcpy(w->bytes, f->bytes, f->length);
    readdress(w->bytes, endpoint, mac);
    return true;
}

struct module_size { uint32_t count; size_t bytes; };

static struct module_size
measure_module(const struct capture *c, const uint8_t *endpoint)
{
    struct module_size size = { 0, sizeof(struct lab_frames) };
    for (size_t i = 0; i < c->count; i++)
        if (sent_by_endpoint(&c->frames[i], endpoint)) {
            size.count++;
            size.bytes += sizeof(struct lab_frame) + c->frames[i].length;
        }
    return size;
}

static bool
make_module(struct schedule_child *child, const struct capture *c, const uint8_t *endpoint, bool takes_part)
{
    static const struct module_size empty = { 0, sizeof(struct lab_frames) };
    struct module_size size = takes_part ? measure_module(c, endpoint) : empty;
    struct lab_frames header = { LAB_FRAMES_MAGIC, size.count, 0 };
    size_t entry = sizeof header, data = entry + size.count * sizeof(struct lab_frame);

    child->module = malloc(size.bytes);
    if (!child->module || size.bytes > UINT32_MAX)
        return false;
    child->module_size = size.bytes;
    memcpy(child->module, &header, sizeof header);
    for (size_t i = 0; i < c->count && takes_part; i++) {
        const struct capture_frame *f = &c->frames[i];
        if (!sent_by_endpoint(f, endpoint))
            continue;
        struct lab_frame row = { f->at_ns, (uint32_t)data, f->length };
        memcpy(child->module + entry, &row, sizeof row);
        memcpy(child->module + data, f->bytes, f->length);
        readdress(child->module + data, endpoint, child->mac);
        entry += sizeof row;
        data += f->length;
    }
    return true;
}

static bool
fill(struct schedule *s, const struct capture *c)
{
    const uint8_t *endpoint = s->child[0].mac;
    for (size_t i = 0; i < c->count; i++) {
        const struct capture_frame *f = &c->frames[i];
        unsigned copies = is_personal(f, endpoint) ? s->replaying : 1;
        s->last_ns = f->at_ns;
        if (padded(f->length) > s->longest)
            s->longest = padded(f->length);
        if (sent_by_endpoint(f, endpoint)) {
            for (unsigned k = 0; k < copies; k++)
                s->child[k].packet[s->child[k].count++] = s->offered++;
            continue;
        }
        for (unsigned k = 0; k < copies; k++)
            if (!add_wire(s, f, endpoint, s->child[k].mac))
                return false;
    }
    return true;
}

struct schedule *
schedule_new(const struct capture *c, const uint8_t (*mac)[6], unsigned children, unsigned replaying)
{
    struct schedule *s = calloc(1, sizeof *s);
    assert(replaying >= 1 && replaying <= children && children <= SCHEDULE_CHILDREN_MAX);
    if (!s)
        return NULL;
    s->children = children;
    s->replaying = replaying;
    s->wire = calloc(c->count * replaying, sizeof *s->wire);
    bool good = s->wire != NULL;
    for (unsigned k = 0; k < children; k++) {
        memcpy(s->child[k].mac, mac[k], 6);
        s->child[k].packet = calloc(c->count, sizeof *s->child[k].packet);
        good = good && s->child[k].packet;
    }
    good = good && fill(s, c);
    for (unsigned k = 0; good && k < children; k++)
        good = make_module(&s->child[k], c, mac[0], k < replaying);
    if (good)
        return s;
    schedule_free(s);
    return NULL;
}

void
schedule_free(struct schedule *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->wire && i < s->wire_count; i++)
        free(s->wire[i].bytes);
    for (unsigned k = 0; k < s->children; k++) {
        free(s->child[k].module);
        free(s->child[k].packet);
    }
    free(s->wire);
    free(s);
}
