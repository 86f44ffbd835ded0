/* Boot: pieces that boot.c and root.c share. */
#ifndef HV_BOOT_BOOT_H
#define HV_BOOT_BOOT_H

#include "hv/hv.h"

struct hv_module *boot_module(const char *name); /* NULL: not loaded */

/* Checks module "root"; returns the end of what its start needs [spa]. Panics without one. */
uint64_t root_image_end(void);
/* Makes the root partition, loads its image, starts its VPs. */
void root_create(void);

#endif
