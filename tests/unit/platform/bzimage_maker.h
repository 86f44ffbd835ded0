/* A small, well-formed Linux bzImage for tests of the loader: protocol 2.12 with both entries, 3 sectors of
 * set-up, BZIMAGE_CODE bytes of code that count up, an alignment of 1 MiB and a preferred address of 2 MiB. */
#ifndef TESTS_UNIT_PLATFORM_BZIMAGE_MAKER_H
#define TESTS_UNIT_PLATFORM_BZIMAGE_MAKER_H

#include <stdint.h>

enum { BZIMAGE_SETUP = 4 * 512, BZIMAGE_CODE = 0x800, BZIMAGE_SIZE = BZIMAGE_SETUP + BZIMAGE_CODE };

void bzimage_make(uint8_t image[BZIMAGE_SIZE]);
void bzimage_set(uint8_t *image, uint32_t offset, uint64_t value, unsigned size);

#endif
