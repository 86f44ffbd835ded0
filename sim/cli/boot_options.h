/* The options of `hvlab boot`, as a table: what --help prints is what is parsed.
 *
 * A row says how an option is spelled, what kind of value it takes, which field of struct boot_options gets it and
 * what people read about it.  Texts point into argv and live as long as it does.
 */
#ifndef SIM_CLI_BOOT_OPTIONS_H
#define SIM_CLI_BOOT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/machine.h"
#include "sim/platform/board.h"
#include "sim/platform/load.h"

struct boot_list { const char *item[LOAD_MODULES_MAX]; unsigned count; };

struct boot_options {
    const char *image;
    const char *append, *initrd, *results, *serial, *serial2, *trace, *gdb, *debug; /* NULL when not given */
    struct boot_list modules;
    struct boot_list drives;
    const char *record, *pace, *script, *display, *picture;
    const char *replay;    /* folder of a recorded boot to run again, or NULL; not an option */
    bool window, display_implied; /* 'display' was not given, but is needed */
    bool listen;           /* with 'replay': somebody listened for input */
    uint64_t images;       /* hash of the files that were loaded, or 0; not an option */
    int argc;              /* what was parsed */
    char **argv;
    struct machine_config machine;
    struct board_config board;
    const char *out, *restore;
    double snapshot_seconds; /* [virtual seconds]; 0 = none */
    double limit_seconds;  /* [virtual seconds]; 0 = none */
    bool no_vtx, interpreter, reset_exits, help;
    bool bios_first;
};

/* Fills 'o' with defaults and what the command line says.  EXIT_GOOD, or EXIT_UNUSABLE with a message printed.
 * 'help' set: --help was asked for and nothing else was looked at. */
int boot_options_parse(struct boot_options *o, int argc, char **argv);
void boot_options_help(void);
/* An option that only looks at the machine, or says how the person sits before it; 'valued': it has a value. */
bool boot_options_looks(const char *name, bool *valued);

#endif
