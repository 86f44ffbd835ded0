/* The files that `hvlab boot` loads: image, modules, initrd, and the BIOS for images that need one. */
#ifndef SIM_CLI_BOOT_IMAGES_H
#define SIM_CLI_BOOT_IMAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "sim/cli/boot_options.h"

/* Reads them and loads the machine.  False with a sentence in 'error'. */
bool boot_images_load(struct machine *, const struct boot_options *, char *error, size_t error_size);

#endif
