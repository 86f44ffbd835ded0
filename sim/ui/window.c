#include "sim/ui/window.h"

#include <SDL2/SDL.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/cpu.h"
#include "sim/ui/view_priv.h"

static const char font_path[] = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf";

struct view *
view_open(const char *picture, char *error, size_t error_size)
{
    struct view *v = calloc(1, sizeof *v);
    const char *trouble = v ? NULL : "out of memory";
    if (!trouble && SDL_Init(SDL_INIT_VIDEO))
        trouble = SDL_GetError();
    if (!trouble && TTF_Init())
        trouble = TTF_GetError();
    if (!trouble && !(v->font = TTF_OpenFont(font_path, 13)))
        trouble = "font DejaVuSans.ttf is missing (package fonts-dejavu-core)";
    if (!trouble && !(v->window = SDL_CreateWindow("hvlab", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, VIEW_WIDTH,
                                                   VIEW_HEIGHT, 0)))
        trouble = SDL_GetError();
    if (!trouble && !(v->renderer = SDL_CreateRenderer(v->window, -1, SDL_RENDERER_SOFTWARE)))
        trouble = SDL_GetError();
    if (!trouble) {
        v->picture = picture;
        SDL_SetRenderDrawBlendMode(v->renderer, SDL_BLENDMODE_BLEND);
        return v;
    }
    snprintf(error, error_size, "cannot open a window: %s; without --window the run needs no display", trouble);
    view_close(v);
    return NULL;
}

/* What is on the screen now, as BMP. */
static void
save_picture(struct view *v)
{
    SDL_Surface *surface = SDL_CreateRGBSurfaceWithFormat(0, VIEW_WIDTH, VIEW_HEIGHT, 32, SDL_PIXELFORMAT_ARGB8888);
    if (!surface || SDL_RenderReadPixels(v->renderer, NULL, SDL_PIXELFORMAT_ARGB8888, surface->pixels, surface->pitch)
        || SDL_SaveBMP(surface, v->picture))
        fprintf(stderr, "hvlab: cannot save %s: %s\n", v->picture, SDL_GetError());
    SDL_FreeSurface(surface);
}

void
view_close(struct view *v)
{
    if (!v)
        return;
    if (v->picture && v->frames)
        save_picture(v);
    if (v->renderer)
        SDL_DestroyRenderer(v->renderer);
    if (v->window)
        SDL_DestroyWindow(v->window);
    if (v->font)
        TTF_CloseFont(v->font);
    if (TTF_WasInit())
        TTF_Quit();
    SDL_Quit();
    free(v);
}

void
view_begin(struct view *v, const char *title)
{
    snprintf(v->title, sizeof v->title, "%s", title);
    v->columns = 0;
    memset(v->charged, 0, sizeof v->charged);
    memset(v->events, 0, sizeof v->events);
    memset(v->queue_frames, 0, sizeof v->queue_frames);
    v->dot_count = 0;
}

/* --- what is heard ------------------------------------------------------------------ */

static void
add_dot(struct view *v, enum hop from, enum hop to)
{
    if (v->dot_count < DOTS_MAX)
        v->dot[v->dot_count++] = (struct dot){ from, to, 0 };
}

void
view_hear(void *ctx, const struct trace_record *r)
{
    struct view *v = ctx;
    v->events[r->event]++;
    switch (r->event) {
    case TRACE_WIRE_RX: add_dot(v, HOP_WIRE, HOP_CARD); break;
    case TRACE_NIC_RX:
        add_dot(v, HOP_CARD, HOP_SOFTWARE);
        if (r->arg[2] < QUEUES_MAX)
            v->queue_frames[r->arg[2]]++;
        break;
    case TRACE_NIC_TX: add_dot(v, HOP_SOFTWARE, HOP_CARD); break;
    case TRACE_WIRE_TX: add_dot(v, HOP_CARD, HOP_WIRE); break;
    default: break;
    }
}

/* --- between slices ------------------------------------------------------------------- */

/* Notes how each processor spent the time since the last frame. */
static void
take_column(struct view *v, struct testbed *t)
{
    struct machine *m = testbed_machine(t);
    struct column *c = &v->column[v->columns++ % COLUMNS_MAX];
    memset(c, 0, sizeof *c);
    for (unsigned i = 0; i < m->cpu_count && i < VIEW_CPUS_MAX; i++)
        for (unsigned b = 0; b < bucket_count(m); b++) {
            uint64_t now = bucket_charged(m->cpu[i], b);
            c->spent[i][b] = now - v->charged[i][b];
            v->charged[i][b] = now;
        }
}

static void
move_dots(struct view *v)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < v->dot_count; i++) {
        v->dot[i].progress += DOT_STEP;
        if (v->dot[i].progress < DOT_END)
            v->dot[kept++] = v->dot[i];
    }
    v->dot_count = kept;
}

static void
handle_key(struct view *v, SDL_Keycode key)
{
    switch (key) {
    case SDLK_SPACE: v->paused = !v->paused; break;
    case SDLK_RIGHT:
    case SDLK_s: v->step = true; break;
    case SDLK_q: v->quit = true; break;
    default: break;
    }
}

static void
handle_events(struct view *v)
{
    SDL_Event e;
    while (SDL_PollEvent(&e)) {
        if (e.type == SDL_QUIT)
            v->quit = true;
        if (e.type == SDL_KEYDOWN)
            handle_key(v, e.key.keysym.sym);
    }
}

bool
view_frame(struct view *v, struct testbed *t)
{
    take_column(v, t);
    do {
        handle_events(v);
        view_draw(v, t);
        if (v->paused && !v->step && !v->quit)
            SDL_Delay(20);
    } while (v->paused && !v->step && !v->quit);
    v->step = false;
    v->frames++;
    move_dots(v);
    return !v->quit;
}
