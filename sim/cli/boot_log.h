/* The log of an interactive boot: `hvlab boot --record DIR` writes it, `hvlab replay DIR` runs it again.
 *
 * DIR holds boot.json (boot_recipe.h) and log (sim/lab/run_log.h): every event that came from outside with its cycle, the machine's
 * hash after 1, 2, 4, 8.. virtual seconds, and the end.  The log's identity is the machine's hash before its first
 * instruction, so another image, disk or option is noticed before anything runs.
 */
#ifndef SIM_CLI_BOOT_LOG_H
#define SIM_CLI_BOOT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_log;
struct boot_options;
struct input;
struct machine;

/* Begin, with the machine loaded and not yet run.  NULL with a message. */
struct boot_log *boot_log_record(const struct boot_options *, struct machine *, bool listen, char *error, size_t error_size);
struct boot_log *boot_log_replay(const char *folder, struct machine *, struct input *, char *error, size_t error_size);

/* Recording: what is applied now. */
struct input_event;
void boot_log_input(struct boot_log *, const struct input_event *);
/* How far the machine may run in one go [cycle]; UINT64_MAX: as it likes. */
uint64_t boot_log_limit(const struct boot_log *);
/* After a piece of the run: notes or compares a hash if it is time, applies recorded input.  False: the replay is over,
 * or differs. */
bool boot_log_step(struct boot_log *);
/* Closes and frees.  False with a message: the log could not be written, or the replay differs.  A replay that agrees
 * leaves in 'error' what to tell people. */
bool boot_log_end(struct boot_log *, char *error, size_t error_size);

#endif
