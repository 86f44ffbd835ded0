/* What the verbs of `hvlab` share: exit statuses, options, interrupts. */
#ifndef SIM_CLI_CLI_H
#define SIM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,       /* the run itself failed, or a replay differs */
    EXIT_UNUSABLE = 2,     /* bad options, files or images */
    EXIT_TRIPLE_FAULT = 3,
    EXIT_LIMIT = 124,
    EXIT_INTERRUPTED = 130,
};

typedef int verb_fn(int argc, char **argv); /* argv[0] is the verb */
verb_fn verb_run, verb_boot, verb_replay, verb_explain, verb_list;

/* `hvlab replay` of a folder that `hvlab boot --record` made (boot_log.h). */
int boot_replay(const char *folder, bool quiet);

/* Prints "hvlab: MESSAGE" on standard error and returns EXIT_UNUSABLE. */
int cli_unusable(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* For an option that no verb knows: names the nearest. */
int cli_unknown_option(const char *verb, const char *option, const char *const *known);

/* From the first call on, Ctrl-C only raises a flag; a second Ctrl-C kills. */
void cli_catch_interrupt(void);
bool cli_interrupted(void);

struct gdb;
/* Says where gdb may attach and waits for it; false: interrupted. */
bool cli_wait_for_gdb(struct gdb *);

/* Folder of the software images: --images, $HVLAB_IMAGES, or beside the build
 * that this program belongs to.  The text is static. */
const char *cli_images_folder(const char *option);

#endif
