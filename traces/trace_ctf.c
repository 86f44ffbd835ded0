/* Layout: "Common Trace Format v1.8 Specification", sections "Event Packet
 * Header", "Event Packet Context", "Event Header".  One event is its id, its
 * cycle and its fields, all little-endian and byte-aligned; the writer and
 * the reader below and the metadata text must say the same. */
#define _GNU_SOURCE
#include "traces/trace_ctf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "traces/outfile.h"

enum { PACKET_BYTES = 64 * 1024, FIELDS_MAX = 4, EVENT_BYTES_MAX = 2 + 8 + 8 * FIELDS_MAX };
#define CTF_MAGIC 0xC1FC1FC1u

struct row {
    const char *name;
    unsigned field_count;
    struct { const char *name; bool hexadecimal; } field[FIELDS_MAX];
};
static const struct row rows[TRACE_EVENT_COUNT] = {
#include "spec_trace_events.h"
};

struct packet_header { /* CTF packet header and context */
    uint32_t magic, stream_id;
    uint64_t begin, end;             /* [cycle] */
    uint64_t content_bits, packet_bits;
};
_Static_assert(sizeof(struct packet_header) == 40, "as the metadata says");

struct trace {
    struct outfile events, metadata;
    bool to_disk;
    trace_listener_fn *listener;
    void *ctx;
    size_t used;                     /* bytes of 'packet' */
    uint64_t begin, end;
    uint8_t packet[PACKET_BYTES];
};

const char *
trace_event_name(enum trace_event event)
{
    return event < TRACE_EVENT_COUNT ? rows[event].name : "unknown";
}

void
trace_event_print(FILE *out, enum trace_event event)
{
    fprintf(out, "%-15s ", rows[event].name);
    for (unsigned i = 0; i < rows[event].field_count; i++)
        fprintf(out, " %s", rows[event].field[i].name);
    fprintf(out, "\n");
}

void
trace_record_text(const struct trace_record *r, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "%s", trace_event_name(r->event));
    unsigned fields = r->event < TRACE_EVENT_COUNT ? rows[r->event].field_count : 0;
    for (unsigned i = 0; i < fields && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, rows[r->event].field[i].hexadecimal ? " %s=%#llx" : " %s=%llu",
                              rows[r->event].field[i].name, (unsigned long long)r->arg[i]);
}

/* --- writing ------------------------------------------------------------------ */

static void
write_text(struct trace *t, const char *text)
{
    outfile_write(&t->metadata, text, strlen(text));
}

static void
write_event_declaration(struct trace *t, unsigned id)
{
    const struct row *row = &rows[id];
    char text[256];
    snprintf(text, sizeof text, "event {\n    name = \"%s\";\n    id = %u;\n    stream_id = 0;\n    fields := struct {\n",
             row->name, id);
    write_text(t, text);
    for (unsigned i = 0; i < row->field_count; i++) {
        snprintf(text, sizeof text, "        %s _%s;\n", row->field[i].hexadecimal ? "hex64" : "uint64",
                 row->field[i].name);
        write_text(t, text);
    }
    write_text(t, "    };\n};\n");
}

static void
write_metadata(struct trace *t)
{
    char text[512];
    write_text(t, "/* CTF 1.8 */\n"
        "typealias integer { size = 16; align = 8; signed = false; } := uint16;\n"
        "typealias integer { size = 32; align = 8; signed = false; } := uint32;\n"
        "typealias integer { size = 64; align = 8; signed = false; } := uint64;\n"
        "typealias integer { size = 32; align = 8; signed = false; base = 16; } := hex32;\n"
        "typealias integer { size = 64; align = 8; signed = false; base = 16; } := hex64;\n"
        "trace {\n    major = 1;\n    minor = 8;\n    byte_order = le;\n"
        "    packet.header := struct { hex32 magic; uint32 stream_id; };\n};\n"
        "env { domain = \"simulation\"; tracer_name = \"hvlab\"; tracer_major = 0; tracer_minor = 1; };\n");
    snprintf(text, sizeof text, "clock {\n    name = \"cycles\";\n    description = \"reference clock of the machine\";\n"
             "    freq = %llu;\n    offset = 0;\n};\n"
             "typealias integer { size = 64; align = 8; signed = false; map = clock.cycles.value; } := cycles;\n",
             (unsigned long long)MACHINE_TSC_HZ);
    write_text(t, text);
    write_text(t, "stream {\n    id = 0;\n    event.header := struct { uint16 id; cycles timestamp; };\n"
        "    packet.context := struct { cycles timestamp_begin; cycles timestamp_end; uint64 content_size; uint64 packet_size; };\n};\n");
    for (unsigned i = 0; i < TRACE_EVENT_COUNT; i++)
        write_event_declaration(t, i);
}

static void
flush_packet(struct trace *t)
{
    struct packet_header header = {
        .magic = CTF_MAGIC, .begin = t->begin, .end = t->end,
        .content_bits = 8 * t->used, .packet_bits = 8 * t->used,
    };
    if (t->used > sizeof header) {
        memcpy(t->packet, &header, sizeof header);
        outfile_write(&t->events, t->packet, t->used);
    }
    t->used = sizeof header;
}

static void
put(struct trace *t, const void *bytes, size_t size)
{
    memcpy(t->packet + t->used, bytes, size);
    t->used += size;
}

static void
store(struct trace *t, const struct trace_record *r)
{
    uint16_t id = (uint16_t)r->event;
    if (t->used + EVENT_BYTES_MAX > PACKET_BYTES)
        flush_packet(t);
    /* Processors of one round report in turn, each from the round's start; a
     * stream's times must not run back, so an event is never written as
     * earlier than the one before it. */
    if (t->used == sizeof(struct packet_header))
        t->begin = r->cycle > t->end ? r->cycle : t->end;
    t->end = r->cycle > t->end ? r->cycle : t->end;
    put(t, &id, sizeof id);
    put(t, &t->end, sizeof t->end);
    put(t, r->arg, sizeof r->arg[0] * rows[id].field_count);
}

void
trace_write(struct trace *t, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct trace_record record = { now, event, { a, b, c, d } };
    if (t->to_disk)
        store(t, &record);
    if (t->listener)
        t->listener(t->ctx, &record);
}

static bool
open_files(struct trace *t, const char *folder, char *error, size_t error_size)
{
    char path[4096];
    if (mkdir(folder, 0777) && errno != EEXIST) {
        snprintf(error, error_size, "cannot create %s: %s", folder, strerror(errno));
        return false;
    }
    snprintf(path, sizeof path, "%s/events", folder);
    bool good = outfile_open(&t->events, path);
    snprintf(path, sizeof path, "%s/metadata", folder);
    good = good && outfile_open(&t->metadata, path);
    if (!good)
        snprintf(error, error_size, "cannot create %s: %s", path, strerror(errno));
    return good;
}

struct trace *
trace_ctf_open(const char *folder, trace_listener_fn *listener, void *ctx, char *error, size_t error_size)
{
    struct trace *t = calloc(1, sizeof *t);
    if (!t) {
        snprintf(error, error_size, "out of memory");
        return NULL;
    }
    t->listener = listener;
    t->ctx = ctx;
    t->used = sizeof(struct packet_header);
    t->to_disk = folder != NULL;
    if (t->to_disk && !open_files(t, folder, error, error_size)) {
        outfile_discard(&t->events);
        outfile_discard(&t->metadata);
        free(t);
        return NULL;
    }
    if (t->to_disk)
        write_metadata(t);
    return t;
}

void
trace_ctf_state(struct trace *t, struct state *s)
{
    uint64_t end = t ? t->end : 0;
    if (t && state_is_load(s))
        t->used = sizeof(struct packet_header); /* what the machine's parts said while they were made was said before */
    else if (t)
        flush_packet(t);
    STATE_VISIT(s, end);
    outfile_state(t && t->to_disk ? &t->events : NULL, s);
    if (t)
        t->end = end;
}

bool
trace_ctf_close(struct trace *t, char *error, size_t error_size)
{
    bool good = true;
    if (t->to_disk) {
        flush_packet(t);
        good = outfile_commit(&t->events, error, error_size);
        good = outfile_commit(&t->metadata, error, error_size) && good;
    }
    free(t);
    return good;
}

/* --- reading ------------------------------------------------------------------ */

static bool
read_packet(const uint8_t *bytes, size_t size, trace_listener_fn *each, void *ctx)
{
    size_t at = sizeof(struct packet_header);
    while (at < size) {
        struct trace_record record = { 0 };
        uint16_t id;
        if (size - at < 2 + 8)
            return false;
        memcpy(&id, bytes + at, 2);
        memcpy(&record.cycle, bytes + at + 2, 8);
        at += 2 + 8;
        if (id >= TRACE_EVENT_COUNT || size - at < 8 * rows[id].field_count)
            return false;
        record.event = id;
        memcpy(record.arg, bytes + at, 8 * rows[id].field_count);
        at += 8 * rows[id].field_count;
        each(ctx, &record);
    }
    return true;
}

static bool
read_stream(FILE *in, trace_listener_fn *each, void *ctx)
{
    uint8_t *packet = malloc(PACKET_BYTES);
    struct packet_header header;
    bool good = packet != NULL;
    while (good && fread(&header, 1, sizeof header, in) == sizeof header) {
        size_t size = header.packet_bits / 8;
        good = header.magic == CTF_MAGIC && size >= sizeof header && size <= PACKET_BYTES;
        good = good && fread(packet + sizeof header, 1, size - sizeof header, in) == size - sizeof header;
        good = good && read_packet(packet, size, each, ctx);
    }
    free(packet);
    return good && feof(in);
}

bool
trace_ctf_read(const char *folder, trace_listener_fn *each, void *ctx, char *error, size_t error_size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/events", folder);
    FILE *in = fopen(path, "rb");
    if (!in) {
        snprintf(error, error_size, "cannot read %s: %s; was the run made with --set trace=true?", path, strerror(errno));
        return false;
    }
    bool good = read_stream(in, each, ctx);
    if (!good)
        snprintf(error, error_size, "%s is damaged", path);
    fclose(in);
    return good;
}
