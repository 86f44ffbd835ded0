/* The display as software is told of it; see display.h. */
#include "sim/platform/display.h"

#include <stdio.h>
#include <string.h>

#include "sim/mem/mem.h"
#include "spec/platform/linux_boot.h"

uint64_t
display_base(const struct machine_config *c)
{
    return c->ram_size < MEM_HOLE_START ? c->ram_size : c->ram_size + (MEM_HOLE_END - MEM_HOLE_START);
}

bool
display_check(const struct machine_config *c, char *error, unsigned error_size)
{
    uint64_t size = display_memory(c);
    bool none = !c->display_width && !c->display_height;
    bool side = c->display_width >= DISPLAY_SIDE_MIN && c->display_width <= DISPLAY_SIDE_MAX &&
                c->display_height >= DISPLAY_SIDE_MIN && c->display_height <= DISPLAY_SIDE_MAX;
    if (!none && !side) {
        snprintf(error, error_size, "a display of %u x %u: from %d to %d each way", c->display_width, c->display_height,
                 DISPLAY_SIDE_MIN, DISPLAY_SIDE_MAX);
        return false;
    }
    if (c->ram_size < MEM_HOLE_START && size > MEM_HOLE_START - c->ram_size) {
        snprintf(error, error_size, "memory of %llu MiB leaves no room for the display below 3 GiB: less, or at least 3072 MiB",
                 (unsigned long long)(c->ram_size >> 20));
        return false;
    }
    return true;
}

static void
put(uint8_t *to, unsigned offset, uint64_t value, unsigned size)
{
    memcpy(to + offset, &value, size);
}

/* Linux include/uapi/linux/screen_info.h; "Zero Page". */
static void
linear_info(const struct machine_config *c, uint8_t *info)
{
    put(info, 0x0F, LINUX_VIDEO_LINEAR, 1);
    put(info, 0x12, c->display_width, 2);
    put(info, 0x14, c->display_height, 2);
    put(info, 0x16, 8 * DISPLAY_PIXEL, 2);
    put(info, 0x18, display_base(c), 4);
    put(info, 0x1C, display_memory(c) >> 16, 4);
    put(info, 0x24, display_pitch(c), 2);
    static const uint8_t colours[8] = { 8, 16, 8, 8, 8, 0, 8, 24 }; /* size and position of red, green, blue, unused */
    memcpy(info + 0x26, colours, sizeof colours);
    put(info, 0x32, 1, 2);                         /* pages */
    put(info, 0x36, display_base(c) >> 32 ? LINUX_VIDEO_64BIT_BASE : 0, 4);
    put(info, 0x3A, display_base(c) >> 32, 4);
}

void
display_screen_info(const struct machine_config *c, uint8_t info[64])
{
    if (c->display_width) {
        linear_info(c, info);
    } else if (c->display_text) {
        put(info, 0x06, 3, 1); /* mode */
        put(info, 0x07, TEXT_COLUMNS, 1);
        put(info, 0x0E, TEXT_ROWS, 1);
        put(info, 0x0F, LINUX_VIDEO_VGA, 1);
        put(info, 0x10, TEXT_CELL_HEIGHT, 2);
    }
}

unsigned
display_multiboot(const struct machine_config *c, uint8_t fields[30])
{
    enum { TYPE_RGB = 1, TYPE_TEXT = 2 };
    memset(fields, 0, 30);
    bool linear = c->display_width;
    if (!linear && !c->display_text) {
        return 0;
    }
    put(fields, 0, linear ? display_base(c) : TEXT_BASE, 8);
    put(fields, 8, linear ? display_pitch(c) : 2 * TEXT_COLUMNS, 4);
    put(fields, 12, linear ? c->display_width : TEXT_COLUMNS, 4);
    put(fields, 16, linear ? c->display_height : TEXT_ROWS, 4);
    put(fields, 20, linear ? 8 * DISPLAY_PIXEL : 16, 1);
    put(fields, 21, linear ? TYPE_RGB : TYPE_TEXT, 1);
    if (!linear) {
        return 22;
    }
    static const uint8_t colours[6] = { 16, 8, 8, 8, 0, 8 }; /* position and size of red, green, blue */
    memcpy(fields + 24, colours, sizeof colours);
    return 30;
}
