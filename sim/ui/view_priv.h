/* The view's inside, shared by window.c (events, time) and draw.c (pixels). */
#ifndef SIM_UI_VIEW_PRIV_H
#define SIM_UI_VIEW_PRIV_H

#include <SDL2/SDL.h>
#include <SDL2/SDL_ttf.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim/lab/testbed.h"

enum { VIEW_WIDTH = 1100, VIEW_HEIGHT = 660, VIEW_CPUS_MAX = 8, COLUMNS_MAX = 520, QUEUES_MAX = 128, DOTS_MAX = 400,
       DOT_STEP = 25, DOT_END = 100 };

/* Places that frames move between. */
enum hop { HOP_WIRE, HOP_CARD, HOP_SOFTWARE, HOP_COUNT };

struct dot { uint8_t from, to; uint8_t progress; }; /* progress 0..DOT_END */
struct column { uint64_t spent[VIEW_CPUS_MAX][BUCKET_MAX]; }; /* [1/16 cycle] */

struct view {
    SDL_Window *window;
    SDL_Renderer *renderer;
    TTF_Font *font;
    const char *picture;
    char title[96];
    bool paused, step, quit;
    uint64_t frames, columns;
    uint64_t charged[VIEW_CPUS_MAX][BUCKET_MAX]; /* at the last frame [1/16 cycle] */
    struct column column[COLUMNS_MAX];           /* ring; newest is (columns - 1) % COLUMNS_MAX */
    uint64_t events[TRACE_EVENT_COUNT];
    uint64_t queue_frames[QUEUES_MAX];
    struct dot dot[DOTS_MAX];
    unsigned dot_count;
};

void view_draw(struct view *, struct testbed *);

#endif
