#include "sim/cli/session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim/cli/cli.h"
#include "sim/machine.h"
#include "sim/platform/board.h"
#include "sim/platform/input.h"
#include "sim/ui/screen.h"

enum { ERROR_MAX = 1024, SLICE_CYCLES = 2100000, EVENTS_MAX = 256, WAIT_MS_MAX = 20, LAG_MAX_NS = 100000000, FRAME_NS = 33000000 };

static int64_t
host_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* --- life ----------------------------------------------------------------------------------------- */

/* Typed bytes enter only when a person sits there or was announced: what happens to be on standard input of a script
 * must not change what a run computes. */
static bool
wants_terminal(const struct boot_options *o)
{
    bool stdio = !o->serial || !strcmp(o->serial, "stdio");
    return !o->replay && stdio && (o->serial || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)));
}

static int
open_log(struct session *s, const struct boot_options *o, bool listen)
{
    char error[ERROR_MAX];
    if (o->replay)
        s->log = boot_log_replay(o->replay, s->machine, s->input, error, sizeof error);
    else if (o->record)
        s->log = boot_log_record(o, s->machine, listen, error, sizeof error);
    else
        return EXIT_GOOD;
    return s->log ? EXIT_GOOD : cli_unusable("%s", error);
}

int
session_open(struct session *s, struct machine *m, struct board *board, const struct boot_options *o)
{
    char error[ERROR_MAX];
    *s = (struct session){ .machine = m, .input = board_input(board), .replaying = o->replay, .picture = o->picture };
    bool terminal = wants_terminal(o);
    bool listen = o->replay || o->restore ? o->listen : terminal || o->window || o->script;
    s->listens = listen;
    for (unsigned i = 0; i < o->drives.count && (o->record || o->snapshot_seconds > 0); i++)
        if (strstr(o->drives.item[i], ",write"))
            return cli_unusable("boot: --%s with a drive that is written through could not be %s: leave out ',write'",
                                o->record ? "record" : "snapshot-at", o->record ? "replayed" : "restored");
    if (o->pace && strcmp(o->pace, "realtime") && strcmp(o->pace, "fast"))
        return cli_unusable("boot: --pace %s: want realtime or fast", o->pace);
    if (listen && !o->restore) /* a restored machine has what listening does to it */
        input_listen(s->input);
    int status = open_log(s, o, listen);
    if (status != EXIT_GOOD)
        return status;
    if ((o->window || o->picture) && !(s->screen = screen_open(m, board_vga(board), o->window, error, sizeof error)))
        return cli_unusable("%s", error);
    if (o->script && !o->replay && !(s->script = script_open(o->script, error, sizeof error)))
        return cli_unusable("%s", error);
    if (terminal)
        terminal_open(&s->terminal);
    s->realtime = o->pace ? !strcmp(o->pace, "realtime") : s->terminal.raw || o->window;
    s->virtual_start = m->now;
    s->host_start = host_now();
    return EXIT_GOOD;
}

int
session_close(struct session *s)
{
    char text[ERROR_MAX];
    int status = EXIT_GOOD;
    terminal_close(&s->terminal);
    if (s->screen && s->picture && !screen_picture(s->screen, s->picture, text, sizeof text))
        status = cli_unusable("%s", text);
    screen_close(s->screen);
    if (s->script && script_line(s->script))
        fprintf(stderr, "hvlab: the script came as far as line %u\n", script_line(s->script));
    script_close(s->script);
    if (s->log) {
        if (!boot_log_end(s->log, text, sizeof text))
            status = s->replaying ? EXIT_FAILED : EXIT_UNUSABLE;
        if (s->replaying || status != EXIT_GOOD)
            fprintf(stderr, "hvlab: %s\n", text);
        s->log = NULL;
    }
    return status;
}

/* --- running ----------------------------------------------------------------------------------------- */

void
session_hear(struct session *s, uint8_t byte)
{
    if (s->script)
        script_hear(s->script, byte);
}

uint64_t
session_limit(const struct session *s)
{
    uint64_t now = s->machine->now, limit = now > UINT64_MAX - SLICE_CYCLES ? UINT64_MAX : now + SLICE_CYCLES;
    uint64_t log = s->log ? boot_log_limit(s->log) : UINT64_MAX;
    return log < limit ? log : limit;
}

static void
apply(struct session *s, const struct input_event *e)
{
    if (s->log)
        boot_log_input(s->log, e);
    input_apply(s->input, e);
}

/* False: the person ends the run. */
static bool
take_input(struct session *s)
{
    struct input_event e;
    enum terminal_result typed = TERMINAL_EVENT;
    enum screen_result seen = s->screen ? SCREEN_EVENT : SCREEN_NOTHING;
    enum script_result done = s->script ? SCRIPT_EVENT : SCRIPT_NOTHING;
    for (unsigned i = 0; i < EVENTS_MAX && done == SCRIPT_EVENT; i++)
        if ((done = script_poll(s->script, s->machine->now, &e)) == SCRIPT_EVENT)
            apply(s, &e);
    for (unsigned i = 0; i < EVENTS_MAX && typed == TERMINAL_EVENT; i++)
        if ((typed = terminal_poll(&s->terminal, &e)) == TERMINAL_EVENT)
            apply(s, &e);
    for (unsigned i = 0; i < EVENTS_MAX && seen == SCREEN_EVENT; i++)
        if ((seen = screen_poll(s->screen, &e)) == SCREEN_EVENT)
            apply(s, &e);
    return done != SCRIPT_QUIT && typed != TERMINAL_QUIT && seen != SCREEN_QUIT;
}

static void
show(struct session *s)
{
    int64_t now = host_now();
    if (s->screen && now >= s->next_frame) {
        screen_draw(s->screen);
        s->next_frame = now + FRAME_NS;
    }
}

/* Sleeps while virtual time is ahead, unless somebody does something; forgets about a large lag, so that a machine
 * that was slow for a while does not race afterwards. */
static void
keep_pace(struct session *s)
{
    int64_t ahead = (int64_t)machine_cycles_to_ns(s->machine->now - s->virtual_start) - (host_now() - s->host_start);
    if (ahead < -LAG_MAX_NS)
        s->host_start -= ahead;
    if (ahead >= 1000000)
        terminal_wait(&s->terminal, ahead / 1000000 < WAIT_MS_MAX ? (int)(ahead / 1000000) : WAIT_MS_MAX);
}

static bool
is_ahead(const struct session *s)
{
    return (int64_t)machine_cycles_to_ns(s->machine->now - s->virtual_start) - (host_now() - s->host_start) >= 1000000;
}

bool
session_step(struct session *s)
{
    if (s->log && !boot_log_step(s->log))
        return false;
    if (s->replaying)
        return true;
    do {
        if (!take_input(s))
            return false;
        show(s);
        if (s->realtime)
            keep_pace(s);
    } while (s->realtime && is_ahead(s) && !cli_interrupted());
    return true;
}
