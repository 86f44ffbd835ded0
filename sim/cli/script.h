/* A script that sits before a booted machine instead of a person: `hvlab boot --script FILE`.
 *
 * One step a line, done one after the other; '#' begins a comment:
 *
 *   wait TEXT          until COM1 has printed TEXT, behind what an earlier wait found
 *   pause SECONDS      of virtual time
 *   type TEXT          on COM1's wire; \n, \t, \e, \\ and \xHH as in C
 *   key NAME...        pressed in this order, released in reverse; names of sim/ui/keys.def
 *   mouse DX DY [B]    moves right and up; buttons B: left 1, right 2, middle 4
 *   power              the power button
 *   quit               ends the run
 *
 * Steps happen between pieces of the run whose length is fixed, so the same script gives the same run.
 */
#ifndef SIM_CLI_SCRIPT_H
#define SIM_CLI_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/platform/input.h"

struct script;

/* NULL with a message that names the line. */
struct script *script_open(const char *path, char *error, size_t error_size);
struct script *script_parse(const char *name, const char *text, char *error, size_t error_size);
void script_close(struct script *);

/* What COM1 prints. */
void script_hear(struct script *, uint8_t byte);

enum script_result { SCRIPT_NOTHING, SCRIPT_EVENT, SCRIPT_QUIT };
/* What happens at 'now' [cycle]; call until NOTHING. */
enum script_result script_poll(struct script *, uint64_t now, struct input_event *);
/* The line it waits at, for people; 0: it is at its end. */
unsigned script_line(const struct script *);

#endif
