/* The picture: boxes that frames move between, queues, strips of processor time, a legend. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nic-model/nic.h"
#include "sim/machine.h"
#include "sim/ui/view_priv.h"
#include "sim/ui/window.h"

enum { MARGIN = 16, TOP = 56, BOX_HEIGHT = 190, STRIP_LEFT = 90, STRIP_WIDTH = 780, LEGEND_LEFT = 890, LINE_HEIGHT = 18,
       RING_BAR = 42, PLACE_BAR = 130, DOT_SPREAD = 24 };

static const SDL_Color ink = { 226, 228, 233, 255 }, faint = { 128, 134, 146, 255 };

/* Fixed buckets have fixed colours; services take the rest in order. */
static SDL_Color
colour(unsigned bucket)
{
    static const SDL_Color palette[] = {
        { 86, 160, 211, 255 },  /* guest */
        { 44, 48, 58, 255 },    /* idle */
        { 224, 92, 80, 255 },   /* exit_entry */
        { 120, 120, 120, 255 }, /* other */
        { 240, 180, 60, 255 }, { 120, 190, 90, 255 }, { 176, 122, 204, 255 }, { 240, 140, 170, 255 }, { 70, 190, 180, 255 },
        { 200, 170, 120, 255 }, { 150, 150, 230, 255 }, { 210, 210, 90, 255 },
    };
    return palette[bucket % (sizeof palette / sizeof *palette)];
}

static void
fill(struct view *v, int x, int y, int w, int h, SDL_Color c)
{
    SDL_Rect r = { x, y, w, h };
    SDL_SetRenderDrawColor(v->renderer, c.r, c.g, c.b, c.a);
    SDL_RenderFillRect(v->renderer, &r);
}

static void
frame(struct view *v, int x, int y, int w, int h, SDL_Color c)
{
    SDL_Rect r = { x, y, w, h };
    SDL_SetRenderDrawColor(v->renderer, c.r, c.g, c.b, c.a);
    SDL_RenderDrawRect(v->renderer, &r);
}

static void __attribute__((format(printf, 5, 6)))
text(struct view *v, int x, int y, SDL_Color c, const char *format, ...)
{
    char line[160];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    SDL_Surface *surface = line[0] ? TTF_RenderUTF8_Blended(v->font, line, c) : NULL;
    SDL_Texture *texture = surface ? SDL_CreateTextureFromSurface(v->renderer, surface) : NULL;
    if (texture) {
        SDL_Rect to = { x, y, surface->w, surface->h };
        SDL_RenderCopy(v->renderer, texture, NULL, &to);
    }
    SDL_DestroyTexture(texture);
    SDL_FreeSurface(surface);
}

/* --- the frames' way ------------------------------------------------------------------ */

struct box { int x, width; const char *name; };
static const struct box boxes[HOP_COUNT] = { { MARGIN, 130, "wire" }, { 330, 200, "card" }, { 760, 320, "partitions, newest stretch" } };

/* A descriptor ring: how much of it the card holds. */
static void
draw_ring(struct view *v, const struct nic *nic, unsigned queue, bool transmit, int x, int y)
{
    struct nic_ring r;
    if (!nic_ring(nic, queue, transmit, &r))
        return;
    uint32_t held = (r.tail + r.size - r.head) % r.size;
    fill(v, x, y + 3, (int)(held * RING_BAR / r.size), 11, colour(BUCKET_GUEST));
    frame(v, x, y + 3, RING_BAR, 11, faint);
}

/* Queues that frames passed: what arrived, and their receive and transmit rings. */
static void
draw_queues(struct view *v, const struct nic *nic, int x, int y)
{
    int row = 1;
    text(v, x, y, faint, "queue   frames");
    text(v, x + 96, y, faint, "rx ring");
    text(v, x + 146, y, faint, "tx ring");
    for (unsigned q = 0; q < QUEUES_MAX && row < 7; q++) {
        if (!v->queue_frames[q])
            continue;
        text(v, x + 6, y + row * LINE_HEIGHT, ink, "%u", q);
        text(v, x + 44, y + row * LINE_HEIGHT, ink, "%llu", (unsigned long long)v->queue_frames[q]);
        draw_ring(v, nic, q, false, x + 96, y + row * LINE_HEIGHT);
        draw_ring(v, nic, q, true, x + 146, y + row * LINE_HEIGHT);
        row++;
    }
}

/* --- where software runs ------------------------------------------------------------- */

enum place { PLACE_HYPERVISOR, PLACE_PARENT, PLACE_CHILDREN, PLACE_COPY, PLACE_IDLE, PLACE_COUNT };
static const char *const place_names[PLACE_COUNT] = { "hypervisor", "parent partition", "children", "copying", "idle" };

static enum place
place_of(const char *bucket)
{
    const char *at = strchr(bucket, '@');
    if (!strcmp(bucket, "guest"))
        return PLACE_CHILDREN;
    if (!strcmp(bucket, "idle"))
        return PLACE_IDLE;
    if (!strcmp(bucket, "copy"))
        return PLACE_COPY;
    return !strcmp(bucket, "root") || (at && !strcmp(at, "@root-kernel")) ? PLACE_PARENT : PLACE_HYPERVISOR;
}

/* One bar: the share of the newest stretch that was spent at 'place', bucket by bucket. */
static void
draw_place(struct view *v, const struct machine *m, enum place place, const uint64_t *share, uint64_t total, int x, int y)
{
    uint64_t sum = 0;
    text(v, x, y, ink, "%s", place_names[place]);
    for (unsigned b = 0; b < bucket_count(m); b++) {
        if (place_of(bucket_name(m, b)) != place)
            continue;
        int from = (int)(sum * PLACE_BAR / total), to = (int)((sum + share[b]) * PLACE_BAR / total);
        fill(v, x + 120 + from, y + 2, to - from, 13, colour(b));
        sum += share[b];
    }
    frame(v, x + 120, y + 2, PLACE_BAR, 13, faint);
    text(v, x + 126 + PLACE_BAR, y, ink, "%3.0f %%", 100.0 * (double)sum / (double)total);
}

static void
draw_software(struct view *v, const struct machine *m, int x, int y)
{
    const struct column *c = &v->column[(v->columns - 1) % COLUMNS_MAX];
    uint64_t total = 1, share[BUCKET_MAX] = { 0 };
    for (unsigned b = 0; b < bucket_count(m); b++)
        for (unsigned i = 0; i < VIEW_CPUS_MAX; i++)
            share[b] += c->spent[i][b], total += c->spent[i][b];
    for (unsigned place = 0; place < PLACE_COUNT; place++)
        draw_place(v, m, place, share, total, x, y + (int)place * 26);
}

static void
draw_dots(struct view *v)
{
    static const SDL_Color moving = { 255, 214, 102, 255 };
    for (unsigned i = 0; i < v->dot_count; i++) {
        const struct dot *d = &v->dot[i];
        const struct box *from = &boxes[d->from], *to = &boxes[d->to];
        bool right = from->x < to->x;
        int begin = right ? from->x + from->width : from->x - DOT_SPREAD, end = right ? to->x - DOT_SPREAD : to->x + to->width;
        int x = begin + (end - begin) * d->progress / DOT_END + (int)(i % 7) * 3;
        int y = TOP + (right ? 70 : 120) + (int)(i % 5) * 7;
        fill(v, x, y, 6, 5, moving);
    }
}

static void
draw_boxes(struct view *v, struct testbed *t, const struct testbed_result *r)
{
    for (unsigned i = 0; i < HOP_COUNT; i++) {
        frame(v, boxes[i].x, TOP, boxes[i].width, BOX_HEIGHT, faint);
        text(v, boxes[i].x + 10, TOP + 6, faint, "%s", boxes[i].name);
    }
    text(v, boxes[HOP_WIRE].x + 10, TOP + 34, ink, "%llu in", (unsigned long long)v->events[TRACE_WIRE_RX]);
    text(v, boxes[HOP_WIRE].x + 10, TOP + 54, ink, "%llu out", (unsigned long long)v->events[TRACE_WIRE_TX]);
    text(v, boxes[HOP_WIRE].x + 10, TOP + 84, faint, "paused %.0f us", (double)r->paused_ns / 1e3);
    draw_queues(v, testbed_nic(t), boxes[HOP_CARD].x + 10, TOP + 30);
    text(v, boxes[HOP_CARD].x + 10, TOP + BOX_HEIGHT - 26, faint, "%llu messages (MSI)",
         (unsigned long long)v->events[TRACE_MSI]);
    draw_software(v, testbed_machine(t), boxes[HOP_SOFTWARE].x + 10, TOP + 34);
    draw_dots(v);
}

/* --- processors' time ------------------------------------------------------------------ */

static void
draw_strip(struct view *v, const struct machine *m, unsigned cpu, int y, int height)
{
    uint64_t count = v->columns < COLUMNS_MAX ? v->columns : COLUMNS_MAX;
    int width = STRIP_WIDTH / COLUMNS_MAX + 1;
    for (uint64_t k = 0; k < count; k++) {
        const uint64_t *spent = v->column[(v->columns - 1 - k) % COLUMNS_MAX].spent[cpu];
        uint64_t total = 0, below = 0;
        int x = STRIP_LEFT + STRIP_WIDTH - (int)((k + 1) * STRIP_WIDTH / COLUMNS_MAX);
        for (unsigned b = 0; b < bucket_count(m); b++)
            total += spent[b];
        for (unsigned b = 0; total && b < bucket_count(m); b++) {
            int from = (int)(below * (uint64_t)height / total), to = (int)((below + spent[b]) * (uint64_t)height / total);
            below += spent[b];
            if (to > from)
                fill(v, x, y + height - to, width, to - from, colour(b));
        }
    }
    frame(v, STRIP_LEFT, y, STRIP_WIDTH, height, faint);
    text(v, MARGIN, y + height / 2 - 8, ink, "LP %u", cpu);
}

static void
draw_legend(struct view *v, const struct machine *m, int y)
{
    for (unsigned b = 0; b < bucket_count(m) && b < 20; b++) {
        fill(v, LEGEND_LEFT, y + (int)b * LINE_HEIGHT + 3, 11, 11, colour(b));
        text(v, LEGEND_LEFT + 20, y + (int)b * LINE_HEIGHT, ink, "%s", bucket_name(m, b));
    }
}

static void
draw_header(struct view *v, struct testbed *t, const struct testbed_result *r)
{
    static const char *const phases[] = { "booting", "replaying", "finished", "gave up", "failed" };
    const struct machine *m = testbed_machine(t);
    text(v, MARGIN, 10, ink, "%s", v->title);
    text(v, 330, 10, ink, "%s%s", phases[testbed_phase(t)], v->paused ? " (paused)" : "");
    text(v, 480, 10, ink, "virtual time %.3f ms", (double)machine_cycles_to_ns(m->now) / 1e6);
    text(v, 720, 10, ink, "%llu of %llu frames delivered", (unsigned long long)r->delivered, (unsigned long long)r->offered);
    text(v, MARGIN, 30, faint, "space: pause   right: step 100 us   q: stop");
    text(v, 480, 30, faint, "%llu VM exits, %llu interrupts", (unsigned long long)v->events[TRACE_VM_EXIT],
         (unsigned long long)v->events[TRACE_INTERRUPT]);
}

void
view_draw(struct view *v, struct testbed *t)
{
    const struct machine *m = testbed_machine(t);
    unsigned cpus = m->cpu_count < VIEW_CPUS_MAX ? m->cpu_count : VIEW_CPUS_MAX;
    int top = TOP + BOX_HEIGHT + 44, height = (VIEW_HEIGHT - top - MARGIN) / (int)cpus - 10;
    struct testbed_result r;

    testbed_result(t, &r);
    SDL_SetRenderDrawColor(v->renderer, 24, 26, 32, 255);
    SDL_RenderClear(v->renderer);
    draw_header(v, t, &r);
    draw_boxes(v, t, &r);
    text(v, MARGIN, top - 26, faint, "how each processor spent its time, newest at the right, one column per slice");
    for (unsigned i = 0; i < cpus; i++)
        draw_strip(v, m, i, top + (int)i * (height + 10), height);
    draw_legend(v, m, top);
    SDL_RenderPresent(v->renderer);
}
