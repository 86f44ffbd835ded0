#include "traces/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ull

struct reading {
    struct capture *capture;
    size_t room;           /* allocated frames */
    uint64_t max_gap_ns;
    double speed;
    bool any;
    uint64_t last_raw_ns;  /* timestamp of the frame before, as recorded */
    uint64_t unscaled_ns;  /* repaired time of the frame before */
};

static bool
append(struct reading *r, const struct capture_frame *frame)
{
    struct capture *c = r->capture;
    if (c->count == r->room) {
        size_t room = r->room ? 2 * r->room : 1024;
        struct capture_frame *frames = realloc(c->frames, room * sizeof *frames);
        if (!frames)
            return false;
        c->frames = frames;
        r->room = room;
    }
    c->frames[c->count++] = *frame;
    if (frame->length > c->longest)
        c->longest = frame->length;
    return true;
}

static uint64_t
repaired_time(struct reading *r, uint64_t raw_ns)
{
    uint64_t gap = 0;
    if (r->any && raw_ns < r->last_raw_ns)
        r->capture->backwards++;
    else if (r->any)
        gap = raw_ns - r->last_raw_ns;
    if (gap > r->max_gap_ns) {
        r->capture->gaps_shortened++;
        gap = r->max_gap_ns;
    }
    r->any = true;
    r->last_raw_ns = raw_ns;
    r->unscaled_ns += gap;
    return (uint64_t)((double)r->unscaled_ns / r->speed);
}

static bool
take_frame(struct reading *r, const struct pcap_pkthdr *h, const u_char *bytes)
{
    uint64_t raw_ns = (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec;
    struct capture_frame frame = { .at_ns = repaired_time(r, raw_ns) };

    frame.length = h->len > h->caplen ? h->len : h->caplen;
    if (frame.length > CAPTURE_FRAME_MAX)
        frame.length = h->caplen;
    if (h->caplen < ETHERNET_HEADER_SIZE) {
        r->capture->runts++;
        return true;
    }
    r->capture->filled += frame.length > h->caplen;
    frame.bytes = calloc(1, frame.length);
    if (!frame.bytes)
        return false;
    memcpy(frame.bytes, bytes, h->caplen);
    if (append(r, &frame))
        return true;
    free(frame.bytes);
    return false;
}

static const char *
read_frames(struct reading *r, pcap_t *in)
{
    for (;;) {
        struct pcap_pkthdr *header;
        const u_char *bytes;
        int got = pcap_next_ex(in, &header, &bytes);
        if (got == PCAP_ERROR_BREAK)
            return NULL;
        if (got != 1)
            return pcap_geterr(in);
        if (!take_frame(r, header, bytes))
            return "out of memory";
    }
}

static const char *
read_open(struct reading *r, pcap_t *in, char *text, size_t text_size)
{
    int link = pcap_datalink(in);
    if (link != DLT_EN10MB) {
        const char *name = pcap_datalink_val_to_name(link);
        snprintf(text, text_size, "its link type is %s, and a network card replays Ethernet (EN10MB) only",
                 name ? name : "unknown");
        return text;
    }
    const char *complaint = read_frames(r, in);
    if (complaint) {
        snprintf(text, text_size, "it is damaged or cut short after frame %zu (%s); "
                 "`editcap` can save the readable part", r->capture->count + r->capture->runts, complaint);
        return text;
    }
    if (r->capture->count == 0)
        return "it holds no Ethernet frame";
    return NULL;
}

struct capture *
capture_read(const char *path, uint64_t max_gap_ns, double speed, char *error,
             size_t error_size)
{
    char pcap_error[PCAP_ERRBUF_SIZE], text[512];
    struct reading r = { .capture = calloc(1, sizeof *r.capture), .max_gap_ns = max_gap_ns, .speed = speed };
    FILE *file = fopen(path, "rb");
    pcap_t *in = NULL;
    const char *complaint = NULL;

    if (!r.capture)
        complaint = "out of memory";
    else if (!file)
        complaint = strerror(errno);
    else if (!(in = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, pcap_error))) {
        snprintf(text, sizeof text, "it is no pcap or pcapng file (%s)", pcap_error);
        complaint = text;
    } else
        complaint = read_open(&r, in, text, sizeof text);
    if (in)
        pcap_close(in); /* closes the file too */
    else if (file)
        fclose(file);
    if (!complaint)
        return r.capture;
    snprintf(error, error_size, "cannot replay %s: %s", path, complaint);
    capture_free(r.capture);
    return NULL;
}

void
capture_free(struct capture *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->frames[i].bytes);
    free(c->frames);
    free(c);
}

static int
by_address(const void *a, const void *b)
{
    return memcmp(a, b, ETHERNET_ADDRESS_SIZE);
}

bool
capture_endpoint(const struct capture *c, uint8_t mac[6])
{
    uint8_t (*all)[6] = calloc(c->count, sizeof *all);
    size_t count = 0, best = 0;

    for (size_t i = 0; all && i < c->count; i++)
        if (!(c->frames[i].bytes[0] & 1))
            memcpy(all[count++], c->frames[i].bytes, 6);
    if (count)
        qsort(all, count, sizeof *all, by_address);
    for (size_t i = 0, run = 0; i < count; i++) {
        run = i && !memcmp(all[i], all[i - 1], 6) ? run + 1 : 1;
        if (run > best) {
            best = run;
            memcpy(mac, all[i], 6);
        }
    }
    free(all);
    return count != 0;
}
