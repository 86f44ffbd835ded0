/* Writes a picture as PNG (ISO/IEC 15948), uncompressed: 8 bits each of red, green and blue. */
#ifndef SIM_UI_PNG_H
#define SIM_UI_PNG_H

#include <stdbool.h>
#include <stdint.h>

/* 'pixels' are 0xRRGGBB, row by row.  False: errno says why. */
bool png_write(const char *path, const uint32_t *pixels, uint32_t width, uint32_t height);

#endif
