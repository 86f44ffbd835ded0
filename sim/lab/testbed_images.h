/* The software of a testbed: images into memory, names out of their symbols.
 *
 * The hypervisor is loaded by multiboot2 with its modules; this file also
 * reads the section tables of the hypervisor's and the parent's images and
 * declares which code belongs to which bucket: `.text.svc.NAME` is
 * "NAME@hv" or "NAME@root-kernel", `.text.copy` is "copy", the rest is "hv" or
 * "root".  Children's code is "guest".
 */
#ifndef SIM_LAB_TESTBED_IMAGES_H
#define SIM_LAB_TESTBED_IMAGES_H

#include <stddef.h>
#include <stdint.h>

struct machine;
struct testbed_config;
struct image;
struct testbed_images;
struct tracker;

/* NULL with a message on failure. */
struct testbed_images *testbed_images_load(struct machine *, const struct testbed_config *, char *error,
                                           size_t error_size);
/* Watches the functions of the images at system-physical addresses. */
void testbed_images_watch(const struct testbed_images *, struct tracker *);
const struct image *testbed_images_child(const struct testbed_images *);
/* The image that holds the named symbol at a system-physical address, or NULL. */
const struct image *testbed_images_with(const struct testbed_images *, const char *symbol);
void testbed_images_free(struct testbed_images *);
uint64_t testbed_images_hash(const struct testbed_images *); /* of all bytes loaded */

#endif
