#include "sim/ui/screen.h"

#include <SDL2/SDL.h>
#include <SDL2/SDL_ttf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"
#include "sim/platform/vga.h"
#include "sim/ui/png.h"
#include "spec/platform/cp437.h"

static const char font_path[] = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf";
enum { FONT_POINTS = 13, GLYPHS = 256, CELL = TEXT_CELL_WIDTH * TEXT_CELL_HEIGHT };

struct screen {
    struct machine *machine;
    const struct vga *vga;          /* NULL: linear */
    uint32_t width, height;
    uint32_t *pixels;               /* what was drawn last, 0xRRGGBB */
    uint32_t *next;
    uint8_t (*glyph)[CELL];         /* coverage of each pixel */
    bool drawn, grabbed;
    uint8_t buttons;
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
};

/* --- font ------------------------------------------------------------------------------------------- */

static void
glyph_render(TTF_Font *font, uint16_t character, uint8_t cell[CELL])
{
    const SDL_Color white = { 255, 255, 255, 255 };
    int left = 0, advance = 0;
    SDL_Surface *surface = TTF_RenderGlyph_Shaded(font, character, white, (SDL_Color){ 0, 0, 0, 255 });
    TTF_GlyphMetrics(font, character, &left, NULL, NULL, NULL, &advance);
    if (!surface)
        return;
    for (int y = 0; y < TEXT_CELL_HEIGHT && y < surface->h; y++)
        for (int x = 0; x < TEXT_CELL_WIDTH && x < surface->w; x++)
            cell[y * TEXT_CELL_WIDTH + x] = ((const uint8_t *)surface->pixels)[y * surface->pitch + x];
    SDL_FreeSurface(surface);
}

static bool
font_load(struct screen *s, char *error, size_t error_size)
{
    static const uint16_t unicode[GLYPHS] = { CP437_UNICODE };
    TTF_Font *font = TTF_Init() ? NULL : TTF_OpenFont(font_path, FONT_POINTS);
    s->glyph = calloc(GLYPHS, sizeof *s->glyph);
    if (!font || !s->glyph) {
        snprintf(error, error_size, "the text display needs the font %s (package fonts-dejavu-core)", font_path);
        return false;
    }
    for (unsigned i = 0; i < GLYPHS; i++)
        glyph_render(font, unicode[i], s->glyph[i]);
    TTF_CloseFont(font);
    TTF_Quit();
    return true;
}

/* --- what the machine shows --------------------------------------------------------------------------- */

static uint32_t
mix(uint32_t back, uint32_t front, uint32_t coverage)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 24; shift += 8) {
        uint32_t b = back >> shift & 0xFF, f = front >> shift & 0xFF;
        value |= ((b * (255 - coverage) + f * coverage + 127) / 255) << shift;
    }
    return value;
}

static void
draw_cell(struct screen *s, const struct vga_text *t, unsigned column, unsigned row, const uint8_t cell[2], bool cursor)
{
    uint32_t front = t->colour[cell[1] & 15], back = t->colour[cell[1] >> 4 & (t->blink ? 7 : 15)];
    const uint8_t *glyph = s->glyph[cell[0]];
    for (unsigned y = 0; y < TEXT_CELL_HEIGHT; y++) {
        uint32_t *to = s->next + (size_t)(row * TEXT_CELL_HEIGHT + y) * s->width + column * TEXT_CELL_WIDTH;
        bool block = cursor && y >= t->cursor_top && y <= t->cursor_bottom;
        for (unsigned x = 0; x < TEXT_CELL_WIDTH; x++)
            to[x] = block ? front : mix(back, front, glyph[y * TEXT_CELL_WIDTH + x]);
    }
}

static void
draw_text(struct screen *s)
{
    struct vga_text t;
    const uint8_t *memory = mem_ram(s->machine->mem, TEXT_BASE);
    vga_text(s->vga, &t);
    for (unsigned i = 0; i < TEXT_COLUMNS * TEXT_ROWS; i++) {
        uint32_t at = (t.start + 2 * i) % (uint32_t)TEXT_SIZE;
        draw_cell(s, &t, i % TEXT_COLUMNS, i / TEXT_COLUMNS, memory + at, t.cursor_on && t.cursor == at / 2);
    }
}

static void
draw_linear(struct screen *s)
{
    const uint8_t *memory = mem_ram(s->machine->mem, display_base(&s->machine->config));
    memcpy(s->next, memory, (size_t)s->width * s->height * DISPLAY_PIXEL);
}

/* True: it differs from what was drawn before. */
static bool
look(struct screen *s)
{
    size_t size = (size_t)s->width * s->height * sizeof *s->pixels;
    if (s->vga)
        draw_text(s);
    else
        draw_linear(s);
    if (s->drawn && memcmp(s->pixels, s->next, size) == 0)
        return false;
    uint32_t *other = s->pixels;
    s->pixels = s->next;
    s->next = other;
    s->drawn = true;
    return true;
}

void
screen_draw(struct screen *s)
{
    if (!s->window || !look(s))
        return;
    SDL_UpdateTexture(s->texture, NULL, s->pixels, (int)(s->width * sizeof *s->pixels));
    SDL_RenderClear(s->renderer);
    SDL_RenderCopy(s->renderer, s->texture, NULL, NULL);
    SDL_RenderPresent(s->renderer);
}

bool
screen_picture(struct screen *s, const char *path, char *error, size_t error_size)
{
    look(s);
    if (png_write(path, s->pixels, s->width, s->height))
        return true;
    snprintf(error, error_size, "cannot write %s: %s", path, strerror(errno));
    return false;
}

/* --- what people do ------------------------------------------------------------------------------------- */

static uint16_t
key_of(SDL_Scancode code)
{
    static const struct { SDL_Scancode code; uint16_t key; } keys[] = {
#define KEY(name, make) { SDL_SCANCODE_##name, make },
#include "sim/ui/keys.def"
#undef KEY
    };
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].code == code)
            return keys[i].key;
    return 0;
}

static void
grab(struct screen *s, bool on)
{
    s->grabbed = on;
    SDL_SetRelativeMouseMode(on ? SDL_TRUE : SDL_FALSE);
    SDL_SetWindowTitle(s->window, on ? "hvlab (Ctrl+Alt gives the mouse back)" : "hvlab");
}

static bool
take_key(struct screen *s, const SDL_KeyboardEvent *k, struct input_event *e)
{
    uint16_t key = key_of(k->keysym.scancode);
    if (s->grabbed && k->keysym.mod & KMOD_CTRL && k->keysym.mod & KMOD_ALT)
        grab(s, false);
    *e = (struct input_event){ .kind = INPUT_KEY, .key = key, .down = k->state == SDL_PRESSED };
    return key != 0;
}

static int16_t
clamp16(int value)
{
    return (int16_t)(value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value);
}

static bool
take_button(struct screen *s, const SDL_MouseButtonEvent *b, struct input_event *e)
{
    uint8_t bit = b->button == SDL_BUTTON_LEFT ? 1 : b->button == SDL_BUTTON_RIGHT ? 2 : b->button == SDL_BUTTON_MIDDLE ? 4 : 0;
    if (!s->grabbed) {
        if (b->state == SDL_PRESSED)
            grab(s, true);
        return false;
    }
    s->buttons = b->state == SDL_PRESSED ? s->buttons | bit : s->buttons & (uint8_t)~bit;
    *e = (struct input_event){ .kind = INPUT_MOUSE, .buttons = s->buttons };
    return true;
}

static bool
take(struct screen *s, const SDL_Event *event, struct input_event *e)
{
    switch (event->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        return take_key(s, &event->key, e);
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        return take_button(s, &event->button, e);
    case SDL_MOUSEMOTION:
        *e = (struct input_event){ .kind = INPUT_MOUSE, .dx = clamp16(event->motion.xrel), .dy = clamp16(-event->motion.yrel),
                                   .buttons = s->buttons };
        return s->grabbed;
    case SDL_MOUSEWHEEL:
        *e = (struct input_event){ .kind = INPUT_MOUSE, .wheel = (int8_t)(event->wheel.y > 0 ? -1 : event->wheel.y < 0),
                                   .buttons = s->buttons };
        return s->grabbed;
    case SDL_WINDOWEVENT:
        s->drawn = false; /* uncovered, resized */
        return false;
    default:
        return false;
    }
}

enum screen_result
screen_poll(struct screen *s, struct input_event *e)
{
    SDL_Event event;
    while (s->window && SDL_PollEvent(&event)) {
        if (event.type == SDL_QUIT)
            return SCREEN_QUIT;
        if (take(s, &event, e))
            return SCREEN_EVENT;
    }
    return SCREEN_NOTHING;
}

/* --- life ---------------------------------------------------------------------------------------------------- */

static bool
window_open(struct screen *s, char *error, size_t error_size)
{
    if (SDL_Init(SDL_INIT_VIDEO) == 0 &&
        (s->window = SDL_CreateWindow("hvlab", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, (int)s->width, (int)s->height,
                                      SDL_WINDOW_RESIZABLE)) &&
        (s->renderer = SDL_CreateRenderer(s->window, -1, SDL_RENDERER_SOFTWARE)) &&
        (s->texture = SDL_CreateTexture(s->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, (int)s->width,
                                        (int)s->height))) {
        SDL_RenderSetLogicalSize(s->renderer, (int)s->width, (int)s->height);
        return true;
    }
    snprintf(error, error_size, "cannot open a window: %s; --picture needs none", SDL_GetError());
    return false;
}

struct screen *
screen_open(struct machine *m, const struct vga *vga, bool window, char *error, size_t error_size)
{
    struct screen *s = calloc(1, sizeof *s);
    snprintf(error, error_size, "not enough memory for the screen");
    if (!s)
        return NULL;
    s->machine = m;
    s->vga = vga;
    s->width = vga ? TEXT_COLUMNS * TEXT_CELL_WIDTH : m->config.display_width;
    s->height = vga ? TEXT_ROWS * TEXT_CELL_HEIGHT : m->config.display_height;
    s->pixels = calloc((size_t)s->width * s->height, sizeof *s->pixels);
    s->next = calloc((size_t)s->width * s->height, sizeof *s->next);
    if (s->pixels && s->next && (!vga || font_load(s, error, error_size)) && (!window || window_open(s, error, error_size)))
        return s;
    screen_close(s);
    return NULL;
}

void
screen_close(struct screen *s)
{
    if (!s)
        return;
    if (s->texture)
        SDL_DestroyTexture(s->texture);
    if (s->renderer)
        SDL_DestroyRenderer(s->renderer);
    if (s->window) {
        SDL_DestroyWindow(s->window);
        SDL_Quit();
    }
    free(s->pixels);
    free(s->next);
    free(s->glyph);
    free(s);
}
