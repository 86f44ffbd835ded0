/* VGA's registers, as far as text mode 3 needs them.
 *
 * All registers can be written and read back: CRT controller (3D4H), sequencer (3C4H), graphics
 * controller (3CEH), attribute controller (3C0H), DAC (3C7H-3C9H), miscellaneous output.  What is shown
 * follows the CRT controller's start address and cursor, and the palette through attribute
 * controller and DAC.  Input status 1 (3DAH) tells retrace at 60 Hz of the machine's time.
 * The text is at B8000H, which is RAM.  Graphics modes, planes, other fonts and character
 * heights are not modelled: software may set them up, the text stays what is shown.
 */
#ifndef SIM_PLATFORM_VGA_H
#define SIM_PLATFORM_VGA_H

#include <stdbool.h>
#include <stdint.h>

struct machine;
struct vga;

struct vga *vga_new(struct machine *); /* in mode 3, screen cleared; NULL: no host memory */
void vga_free(struct vga *);           /* before machine_free */

/* What there is to draw. */
struct vga_text {
    uint32_t start;         /* of the first cell, in the 32 KiB at B8000H [bytes] */
    uint32_t cursor;        /* cell, counted from B8000H */
    bool cursor_on;
    uint8_t cursor_top, cursor_bottom; /* scan lines of the cell */
    uint32_t colour[16];    /* 0xRRGGBB of the 16 attributes */
    bool blink;             /* attribute bit 7 blinks instead of being a bright background */
};
void vga_text(const struct vga *, struct vga_text *);

#endif
