/* boot.json: how a boot was configured, so that a recording or a snapshot can be taken up again.
 *
 *   { "arguments": ["boot", "vmlinuz", "--cpus", "2"], "folder": "/where/it/ran", "listen": false, "images": "0123.." }
 *
 * The arguments are the command line without the options that only look (boot_options.h).
 */
#ifndef SIM_CLI_BOOT_RECIPE_H
#define SIM_CLI_BOOT_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boot_options;

/* What else a recipe says. */
struct boot_recipe {
    bool listen;     /* somebody listened for input */
    uint64_t images; /* boot_options.h */
};

/* Is there a recipe in 'folder'? */
bool boot_recipe_is_in(const char *folder);
/* 'listen': somebody listened for input. False with a message. */
bool boot_recipe_write(const char *folder, const struct boot_options *, bool listen, char *error, size_t error_size);
/* argv for boot_options_parse, malloc'ed (boot_recipe_free) with a NULL at the end; also changes to the folder the boot ran in.
 * NULL with a message. */
char **boot_recipe_read(const char *folder, int *argc, struct boot_recipe *, char *error, size_t error_size);
/* The recipe in 'folder' followed by the looking options of a command line; relative names in those are made absolute first,
 * because reading a recipe changes the folder.  NULL with a message, also when an option is none that looks. */
char **boot_recipe_extend(const char *folder, int *argc, char **argv, struct boot_recipe *, char *error, size_t error_size);
void boot_recipe_free(char **argv);

#endif
