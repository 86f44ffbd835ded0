/* A person and a booted machine: input from terminal and window, the log of it, and the pace of time.
 *
 * Between pieces of the run the session applies what came in, notes it in the log (or takes it from there when
 * replaying), and sleeps while virtual time is ahead of the wall clock, if it was asked to keep pace.  Sleeping never
 * changes what is computed: when input arrives decides, and that is what the log keeps.
 */
#ifndef SIM_CLI_SESSION_H
#define SIM_CLI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cli/boot_log.h"
#include "sim/cli/boot_options.h"
#include "sim/cli/script.h"
#include "sim/cli/terminal.h"

struct board;
struct screen;

struct session {
    struct machine *machine;
    struct input *input;
    struct boot_log *log;      /* or NULL */
    struct terminal terminal;
    struct script *script;     /* or NULL */
    struct screen *screen;     /* or NULL */
    const char *picture;       /* or NULL */
    int64_t next_frame;        /* [ns of the host] */
    bool replaying, realtime;
    bool listens;              /* typed bytes may enter; shapes the machine's rounds */
    uint64_t virtual_start;    /* [cycle] */
    int64_t host_start;        /* of the same moment, moved on when the machine cannot keep up [ns] */
};

/* The machine is loaded, or restored, and has not run since.  EXIT_GOOD, or another status with a message printed. */
int session_open(struct session *, struct machine *, struct board *, const struct boot_options *);
/* COM1 prints a byte. */
void session_hear(struct session *, uint8_t byte);
/* How far the machine may run before the next session_step [cycle]. */
uint64_t session_limit(const struct session *);
/* False: the person, or the log, ends the run. */
bool session_step(struct session *);
/* EXIT_GOOD, or another status with a message printed.  Call before machine_free. */
int session_close(struct session *);

#endif
