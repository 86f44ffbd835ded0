#define _GNU_SOURCE
#include "sim/cli/cli.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/nearest.h"
#include "sim/debug/gdb.h"

static volatile sig_atomic_t interrupted; /* set by the signal handler; a process has one keyboard */

int
cli_unusable(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("hvlab: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_UNUSABLE;
}

int
cli_unknown_option(const char *verb, const char *option, const char *const *known)
{
    char hint[128];
    return cli_unusable("%s: unknown option '%s'%s `hvlab %s --help` lists all", verb, option,
                        nearest_hint(option, known, hint, sizeof hint)[0] ? hint : ";", verb);
}

static void
on_interrupt(int signal_number)
{
    if (interrupted)
        _exit(EXIT_INTERRUPTED);
    interrupted = signal_number;
}

void
cli_catch_interrupt(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool
cli_interrupted(void)
{
    return interrupted != 0;
}

bool
cli_wait_for_gdb(struct gdb *gdb)
{
    fprintf(stderr, "hvlab: waiting for gdb: `target remote 127.0.0.1:%u`\n", gdb_port(gdb));
    return gdb_wait(gdb, cli_interrupted);
}

const char *
cli_images_folder(const char *option)
{
    static char folder[PATH_MAX + 32];
    const char *chosen = option ? option : getenv("HVLAB_IMAGES");
    if (chosen) {
        snprintf(folder, sizeof folder, "%s", chosen);
        return folder;
    }
    char self[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    self[size > 0 ? size : 0] = 0;
    for (int up = 0; up < 3; up++) { /* BUILD/sim/cli/hvlab */
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = 0;
    }
    snprintf(folder, sizeof folder, "%s/images", self);
    return folder;
}
