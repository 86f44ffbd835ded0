/* INT 10H: 80x25 text at B8000H, the cursor of the CRT controller, and COM1 beside it. */
#include "firmware/bios/bios.h"

enum { COLUMNS = 80, ROWS = 25, TEXT = 0xb800, ATTRIBUTE = 0x07, CRTC = 0x3d4, CURSOR_HIGH = 0x0e, CURSOR_LOW = 0x0f };
enum { BDA_MODE = 0x49, BDA_COLUMNS = 0x4a, BDA_PAGE_SIZE = 0x4c, BDA_CURSOR = 0x50, BDA_CURSOR_SHAPE = 0x60,
       BDA_PAGE = 0x62, BDA_CRTC = 0x63, BDA_ROWS = 0x84, BDA_CELL_HEIGHT = 0x85 };

static unsigned cursor_row(void) { return far_get8(BDA, BDA_CURSOR + 1); }
static unsigned cursor_column(void) { return far_get8(BDA, BDA_CURSOR); }

/* What AH = 09H wrote to a cell and COM1 has not got: many programs write a cell for its colour and then say it again by
 * AH = 0EH; those that do not, move the cursor, and then COM1 gets it. */
static struct { bool waits; uint8_t c; } cell_for_serial;

static void cursor_set(unsigned row, unsigned column)
{
    unsigned at = row * COLUMNS + column;

    far_put8(BDA, BDA_CURSOR, (uint8_t)column);
    far_put8(BDA, BDA_CURSOR + 1, (uint8_t)row);
    out8(CRTC, CURSOR_HIGH);
    out8(CRTC + 1, (uint8_t)(at >> 8));
    out8(CRTC, CURSOR_LOW);
    out8(CRTC + 1, (uint8_t)at);
}

static void cell_put(unsigned row, unsigned column, unsigned cell)
{
    if (row < ROWS && column < COLUMNS) {
        far_put16(TEXT, 2 * (row * COLUMNS + column), (uint16_t)cell);
    }
}

static unsigned cell_get(unsigned row, unsigned column)
{
    return far_get16(TEXT, 2 * (row * COLUMNS + column));
}

/* Rows top..bottom, columns left..right move up by 'lines' (0: all are cleared); down if 'down'. */
static void scroll(unsigned top, unsigned left, unsigned bottom, unsigned right, unsigned lines, unsigned attribute, bool down)
{
    bottom = bottom < ROWS ? bottom : ROWS - 1;
    right = right < COLUMNS ? right : COLUMNS - 1;
    if (top > bottom || left > right) {
        return;
    }
    unsigned height = bottom - top + 1;
    if (lines == 0 || lines > height) {
        lines = height;
    }
    for (unsigned n = 0; n < height; n++) {
        unsigned row = down ? bottom - n : top + n;
        for (unsigned column = left; column <= right; column++) {
            bool moved = n + lines < height;
            cell_put(row, column, moved ? cell_get(down ? row - lines : row + lines, column) : attribute << 8 | ' ');
        }
    }
}

static void new_line(void)
{
    if (cursor_row() + 1 < ROWS) {
        cursor_set(cursor_row() + 1, cursor_column());
    } else {
        scroll(0, 0, ROWS - 1, COLUMNS - 1, 1, ATTRIBUTE, false);
    }
}

/* A character on the screen alone; 'attribute' < 0 keeps what is there. */
static void type(char c, int attribute)
{
    switch (c) {
    case '\a': return;
    case '\b': cursor_set(cursor_row(), cursor_column() ? cursor_column() - 1 : 0); return;
    case '\n': new_line(); return;
    case '\r': cursor_set(cursor_row(), 0); return;
    default: break;
    }
    unsigned kept = attribute < 0 ? cell_get(cursor_row(), cursor_column()) >> 8 : (unsigned)attribute;
    cell_put(cursor_row(), cursor_column(), kept << 8 | (uint8_t)c);
    if (cursor_column() + 1 < COLUMNS) {
        cursor_set(cursor_row(), cursor_column() + 1);
    } else {
        cursor_set(cursor_row(), 0);
        new_line();
    }
}

static void serial_flush(void)
{
    if (cell_for_serial.waits) {
        cell_for_serial.waits = false;
        serial_put((char)cell_for_serial.c);
    }
}

static void teletype(char c, int attribute)
{
    if (cell_for_serial.waits && cell_for_serial.c != (uint8_t)c) {
        serial_flush();
    }
    cell_for_serial.waits = false;
    type(c, attribute);
    serial_put(c);
}

void screen_write(const char *text)
{
    while (*text) {
        teletype(*text++, ATTRIBUTE);
    }
}

void screen_init(void)
{
    far_put8(BDA, BDA_MODE, 3);
    far_put16(BDA, BDA_COLUMNS, COLUMNS);
    far_put16(BDA, BDA_PAGE_SIZE, 0x1000);
    far_put16(BDA, BDA_CURSOR_SHAPE, 0x0607);
    far_put8(BDA, BDA_PAGE, 0);
    far_put16(BDA, BDA_CRTC, CRTC);
    far_put8(BDA, BDA_ROWS, ROWS - 1);
    far_put16(BDA, BDA_CELL_HEIGHT, 16);
    scroll(0, 0, ROWS - 1, COLUMNS - 1, 0, ATTRIBUTE, false);
    cursor_set(0, 0);
}

/* AH = 09H (with attribute in BL), 0AH: CX times, the cursor stays. */
static void write_characters(const struct frame *f, bool with_attribute)
{
    unsigned row = cursor_row(), column = cursor_column();

    for (unsigned n = 0; n < CX(f) && row < ROWS; n++) {
        unsigned attribute = with_attribute ? BL(f) : cell_get(row, column) >> 8;
        cell_put(row, column, attribute << 8 | AL(f));
        if (++column == COLUMNS) {
            column = 0;
            row++;
        }
    }
    serial_flush();
    cell_for_serial.waits = CX(f) == 1; /* repeated characters are fill */
    cell_for_serial.c = AL(f);
}

/* AH = 13H. */
static void write_string(const struct frame *f)
{
    unsigned row = cursor_row(), column = cursor_column(), at = (uint16_t)f->ebp;

    cursor_set(DH(f), DL(f));
    for (unsigned n = 0; n < CX(f); n++) {
        char c = (char)far_get8(f->es, at++);
        teletype(c, AL(f) & 2 ? far_get8(f->es, at++) : BL(f));
    }
    if (!(AL(f) & 1)) {
        cursor_set(row, column);
    }
}

/* Outside the terminal's own order: tell it where to go (ECMA-48 "CUP"). */
static void serial_cursor(unsigned row, unsigned column)
{
    const unsigned part[2] = { row + 1, column + 1 };

    serial_put('\033');
    serial_put('[');
    for (unsigned i = 0; i < 2; i++) {
        if (part[i] >= 10) {
            serial_put((char)('0' + part[i] / 10 % 10));
        }
        serial_put((char)('0' + part[i] % 10));
        serial_put(i ? 'H' : ';');
    }
}

void screen_service(struct frame *f)
{
    switch (AH(f)) {
    case 0x00:
        if (!(AL(f) & 0x80)) {
            screen_init();
        }
        break;
    case 0x01: far_put16(BDA, BDA_CURSOR_SHAPE, CX(f)); break;
    case 0x02:
        serial_flush();
        cursor_set(DH(f) < ROWS ? DH(f) : ROWS - 1, DL(f) < COLUMNS ? DL(f) : COLUMNS - 1);
        serial_cursor(cursor_row(), cursor_column());
        break;
    case 0x03:
        set16(&f->ecx, far_get16(BDA, BDA_CURSOR_SHAPE));
        set16(&f->edx, far_get16(BDA, BDA_CURSOR));
        break;
    case 0x05: break; /* there is one page */
    case 0x06: case 0x07: scroll(f->ecx >> 8 & 0xff, CL(f), DH(f), DL(f), AL(f), BH(f), AH(f) == 7); break;
    case 0x08: set16(&f->eax, cell_get(cursor_row(), cursor_column())); break;
    case 0x09: write_characters(f, true); break;
    case 0x0a: write_characters(f, false); break;
    case 0x0e: teletype((char)AL(f), -1); break;
    case 0x0f:
        set16(&f->eax, COLUMNS << 8 | 3);
        set_high(&f->ebx, 0);
        break;
    case 0x13: write_string(f); break;
    case 0x1a:
        if (AL(f) == 0) {
            set16(&f->ebx, 0x0008); /* VGA, analog colour */
        }
        set_low(&f->eax, 0x1a);
        break;
    default: break; /* fonts, palettes, VESA: AL stays what it was, which says "not supported" */
    }
}
