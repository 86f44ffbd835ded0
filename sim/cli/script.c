#define _GNU_SOURCE
#include "sim/cli/script.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/machine.h"

enum { HEARD_MAX = 1 << 16 };
enum step_kind { STEP_WAIT, STEP_PAUSE, STEP_EVENT, STEP_QUIT };

struct step {
    enum step_kind kind;
    unsigned line;
    char *text;                 /* WAIT; owned */
    size_t matched;             /* WAIT: how much of it has been printed just now */
    uint64_t cycles;            /* PAUSE */
    struct input_event event;   /* EVENT */
};

struct script {
    struct step *step;
    unsigned count, capacity, at;
    bool pausing;
    uint64_t until;             /* the pause's end [cycle] */
    uint8_t heard[HEARD_MAX];   /* printed, and not yet looked at by a wait */
    size_t heard_count;
};

static const struct { const char *name; uint16_t key; } keys[] = {
#define KEY(name, make) { #name, make },
#include "sim/ui/keys.def"
#undef KEY
};

/* --- reading ----------------------------------------------------------------------------------------- */

struct reading {
    struct script *script;
    const char *name;
    unsigned line;
    char *error;
    size_t error_size;
};

static bool
fail(struct reading *r, const char *what)
{
    snprintf(r->error, r->error_size, "%s:%u: %s", r->name, r->line, what);
    return false;
}

static bool
add(struct reading *r, struct step step)
{
    struct script *s = r->script;
    if (s->count == s->capacity) {
        unsigned capacity = s->capacity ? 2 * s->capacity : 64;
        struct step *grown = realloc(s->step, capacity * sizeof *grown);
        if (!grown)
            return fail(r, "not enough memory");
        s->step = grown;
        s->capacity = capacity;
    }
    step.line = r->line;
    s->step[s->count++] = step;
    return true;
}

/* Replaces escapes in place; the length, or SIZE_MAX. */
static size_t
unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        static const char escapes[][2] = { { 'n', '\n' }, { 't', '\t' }, { 'e', '\033' }, { 'r', '\r' }, { '\\', '\\' } };
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        if (*from == 'x' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
            const char digits[3] = { from[1], from[2], 0 };
            *to++ = (char)strtoul(digits, NULL, 16);
            from += 3;
            continue;
        }
        unsigned i = 0;
        while (i < sizeof escapes / sizeof *escapes && escapes[i][0] != *from)
            i++;
        if (i == sizeof escapes / sizeof *escapes)
            return SIZE_MAX;
        *to++ = escapes[i][1];
        from++;
    }
    return (size_t)(to - text);
}

static bool
read_type(struct reading *r, char *text)
{
    size_t size = unescape(text);
    if (size == SIZE_MAX)
        return fail(r, "an escape other than \\n \\r \\t \\e \\\\ \\xHH");
    for (size_t i = 0; i < size; i++)
        if (!add(r, (struct step){ .kind = STEP_EVENT, .event = { .kind = INPUT_SERIAL, .byte = (uint8_t)text[i] } }))
            return false;
    return true;
}

static bool
read_wait(struct reading *r, char *text)
{
    size_t size = unescape(text);
    if (size == SIZE_MAX || size == 0)
        return fail(r, "wait for which text?");
    text[size] = 0;
    char *copy = strdup(text);
    return copy ? add(r, (struct step){ .kind = STEP_WAIT, .text = copy }) : fail(r, "not enough memory");
}

static bool
read_pause(struct reading *r, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end || !(seconds >= 0 && seconds < 1e6))
        return fail(r, "pause for how many seconds?");
    return add(r, (struct step){ .kind = STEP_PAUSE, .cycles = (uint64_t)(seconds * (double)MACHINE_TSC_HZ) });
}

static bool
read_keys(struct reading *r, char *text)
{
    enum { KEYS_MAX = 8 };
    uint16_t pressed[KEYS_MAX];
    unsigned count = 0;
    char *rest;
    for (char *name = strtok_r(text, " \t", &rest); name; name = strtok_r(NULL, " \t", &rest)) {
        unsigned i = 0;
        while (i < sizeof keys / sizeof *keys && strcasecmp(keys[i].name, name))
            i++;
        if (i == sizeof keys / sizeof *keys || count == KEYS_MAX)
            return fail(r, "keys are named as in sim/ui/keys.def, up to eight together");
        pressed[count++] = keys[i].key;
        if (!add(r, (struct step){ .kind = STEP_EVENT, .event = { .kind = INPUT_KEY, .key = keys[i].key, .down = true } }))
            return false;
    }
    if (!count)
        return fail(r, "which key?");
    while (count--)
        if (!add(r, (struct step){ .kind = STEP_EVENT, .event = { .kind = INPUT_KEY, .key = pressed[count] } }))
            return false;
    return true;
}

static bool
read_mouse(struct reading *r, const char *text)
{
    int dx, dy, buttons = 0;
    int got = sscanf(text, "%d %d %d", &dx, &dy, &buttons);
    if (got < 2 || dx < -30000 || dx > 30000 || dy < -30000 || dy > 30000 || buttons < 0 || buttons > 7)
        return fail(r, "mouse: want DX DY and perhaps buttons from 0 to 7");
    return add(r, (struct step){ .kind = STEP_EVENT, .event = { .kind = INPUT_MOUSE, .dx = (int16_t)dx, .dy = (int16_t)dy,
                                                                .buttons = (uint8_t)buttons } });
}

static bool
read_line(struct reading *r, char *line)
{
    char *word = line + strspn(line, " \t"), *rest = word + strcspn(word, " \t");
    if (!*word || *word == '#')
        return true;
    if (*rest)
        *rest++ = 0;
    if (!strcmp(word, "type"))
        return read_type(r, rest);
    if (!strcmp(word, "wait"))
        return read_wait(r, rest);
    if (!strcmp(word, "pause"))
        return read_pause(r, rest);
    if (!strcmp(word, "key"))
        return read_keys(r, rest);
    if (!strcmp(word, "mouse"))
        return read_mouse(r, rest);
    if (!strcmp(word, "power"))
        return add(r, (struct step){ .kind = STEP_EVENT, .event = { .kind = INPUT_POWER_BUTTON } });
    if (!strcmp(word, "quit"))
        return add(r, (struct step){ .kind = STEP_QUIT });
    return fail(r, "want wait, pause, type, key, mouse, power or quit");
}

struct script *
script_parse(const char *name, const char *text, char *error, size_t error_size)
{
    struct reading r = { .script = calloc(1, sizeof *r.script), .name = name, .error = error, .error_size = error_size };
    char *copy = strdup(text), *line = copy;
    bool good = r.script && copy;
    if (!good)
        fail(&r, "not enough memory");
    while (good && line) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        r.line++;
        good = read_line(&r, line);
        line = end;
    }
    free(copy);
    if (good)
        return r.script;
    script_close(r.script);
    return NULL;
}

struct script *
script_open(const char *path, char *error, size_t error_size)
{
    FILE *in = fopen(path, "rb");
    char *text = NULL;
    size_t capacity = 0;
    if (!in || (getdelim(&text, &capacity, 0, in) < 0 && ferror(in))) {
        snprintf(error, error_size, "cannot read %s: %s", path, strerror(errno));
        if (in)
            fclose(in);
        free(text);
        return NULL;
    }
    fclose(in);
    struct script *s = script_parse(path, text ? text : "", error, error_size);
    free(text);
    return s;
}

void
script_close(struct script *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < s->count; i++)
        free(s->step[i].text);
    free(s->step);
    free(s);
}

/* --- doing -------------------------------------------------------------------------------------------- */

/* What nobody waits for is forgotten, the oldest first. */
void
script_hear(struct script *s, uint8_t byte)
{
    if (s->heard_count == HEARD_MAX) {
        s->heard_count /= 2;
        memmove(s->heard, s->heard + HEARD_MAX / 2, s->heard_count);
    }
    s->heard[s->heard_count++] = byte;
}

/* 'matched' becomes the longest part of the text that what was printed last ends with. */
static void
match(struct step *step, uint8_t byte)
{
    while (step->matched && step->text[step->matched] != (char)byte) {
        size_t shorter = step->matched - 1;
        while (shorter && memcmp(step->text, step->text + step->matched - shorter, shorter))
            shorter--;
        step->matched = shorter;
    }
    step->matched += step->text[step->matched] == (char)byte;
}

/* Takes what was heard up to the end of the text. */
static bool
is_found(struct script *s, struct step *step)
{
    size_t used = 0;
    while (used < s->heard_count && step->text[step->matched])
        match(step, s->heard[used++]);
    s->heard_count -= used;
    memmove(s->heard, s->heard + used, s->heard_count);
    return !step->text[step->matched];
}

/* Is the step that only takes time over? */
static bool
is_over(struct script *s, struct step *step, uint64_t now)
{
    if (step->kind == STEP_WAIT)
        return is_found(s, step);
    if (!s->pausing) {
        s->pausing = true;
        s->until = now + step->cycles;
    }
    if (now < s->until)
        return false;
    s->pausing = false;
    return true;
}

enum script_result
script_poll(struct script *s, uint64_t now, struct input_event *e)
{
    while (s->at < s->count) {
        struct step *step = &s->step[s->at];
        if (step->kind == STEP_QUIT)
            return SCRIPT_QUIT;
        if (step->kind != STEP_EVENT && !is_over(s, step, now))
            return SCRIPT_NOTHING;
        s->at++;
        if (step->kind == STEP_EVENT) {
            *e = step->event;
            return SCRIPT_EVENT;
        }
    }
    return SCRIPT_NOTHING;
}

unsigned
script_line(const struct script *s)
{
    return s->at < s->count ? s->step[s->at].line : 0;
}
