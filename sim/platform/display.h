/* What a machine with a display shows, and where it is in memory.
 *
 * Linear: a framebuffer of 32 bits a pixel (blue in the low byte) in memory of its own,
 * which is plain RAM behind what software is told of (integrated graphics call it
 * stolen memory): stores to it cost nothing extra, and whoever draws compares.
 * Text: 80 x 25 characters at B8000H in VGA's mode 3, cursor by the CRT controller (vga.h).
 *
 * Loaders tell their images: Linux' screen_info, multiboot's framebuffer fields, multiboot2's tag.
 */
#ifndef SIM_PLATFORM_DISPLAY_H
#define SIM_PLATFORM_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/machine.h"

enum {
    DISPLAY_SIDE_MIN = 64, DISPLAY_SIDE_MAX = 4096, DISPLAY_PIXEL = 4,
    TEXT_COLUMNS = 80, TEXT_ROWS = 25, TEXT_CELL_WIDTH = 9, TEXT_CELL_HEIGHT = 16,
};
#define TEXT_BASE 0xB8000ull
#define TEXT_SIZE 0x8000ull /* [bytes] */

/* Bytes of memory the framebuffer takes behind 'ram_size'; 0: none. */
static inline uint64_t
display_memory(const struct machine_config *c)
{
    uint64_t bytes = (uint64_t)c->display_width * c->display_height * DISPLAY_PIXEL;
    return (bytes + 0xFFFF) & ~0xFFFFull;
}

static inline uint32_t
display_pitch(const struct machine_config *c)
{
    return c->display_width * DISPLAY_PIXEL;
}

uint64_t display_base(const struct machine_config *); /* [spa]; only with a linear display */
/* Can the machine have this display?  Else a sentence in 'error'. */
bool display_check(const struct machine_config *, char *error, unsigned error_size);

/* Fills the 64 bytes of Linux' struct screen_info (but not EXT_MEM_K); nothing without a display. */
void display_screen_info(const struct machine_config *, uint8_t info[64]);
/* Fills multiboot2's framebuffer fields from the address on: 30 bytes, used 30 (linear) or 22 (text). 0: no display. */
unsigned display_multiboot(const struct machine_config *, uint8_t fields[30]);

#endif
