/* The files that `hvlab boot` loads: image, modules, initrd, and the BIOS for images that need one. */
#ifndef SIM_CLI_BOOT_IMAGES_H
#define SIM_CLI_BOOT_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/cli/boot_options.h"

/* Reads them and loads the machine.  'identity' is a hash of them: what is not 0 must fit, else they have changed.
 * False with a sentence in 'error'. */
bool boot_images_load(struct machine *, const struct boot_options *, uint64_t *identity, char *error, size_t error_size);

#endif
