/* VGA's registers; see vga.h. */
#include "sim/platform/vga.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/display.h"

/* Ports from 3C0H on. */
enum {
    BASE = 0x3C0, PORTS = 32, ATTRIBUTE = 0x00, ATTRIBUTE_READ = 0x01, MISC_WRITE = 0x02, SEQUENCER = 0x04, DAC_MASK = 0x06,
    DAC_READ = 0x07, DAC_WRITE = 0x08, DAC_DATA = 0x09, MISC_READ = 0x0C, GRAPHICS = 0x0E, CRTC = 0x14, STATUS_1 = 0x1A,
};
enum { CURSOR_START = 0x0A, CURSOR_END, START_HIGH, START_LOW, CURSOR_HIGH, CURSOR_LOW };
enum { ATTRIBUTE_MODE = 0x10, MODE_BLINK = 1 << 3, CURSOR_OFF = 1 << 5, PALETTE_ON = 1 << 5 };
enum { FRAME_HZ = 60, STATUS_BLANK = 1 << 0, STATUS_RETRACE = 1 << 3 };

struct bank {
    uint8_t index;
    uint8_t value[32];
};

struct vga {
    struct machine *machine;
    struct bank crtc, sequencer, graphics, attribute;
    bool attribute_data;     /* the next write to 3C0H is data */
    uint8_t misc, dac_mask;
    uint8_t dac[256][3];     /* 6 bits each */
    uint8_t dac_read, dac_write, dac_part;
};

/* --- registers ---------------------------------------------------------------------- */

static void
attribute_write(struct vga *v, uint8_t value)
{
    if (!v->attribute_data) {
        v->attribute.index = value & 0x3F;
    } else {
        v->attribute.value[v->attribute.index & 0x1F] = value;
    }
    v->attribute_data = !v->attribute_data;
}

static void
dac_next(struct vga *v, uint8_t *entry)
{
    if (++v->dac_part == 3) {
        v->dac_part = 0;
        ++*entry;
    }
}

static uint8_t
status(struct vga *v)
{
    uint64_t frame = MACHINE_TSC_HZ / FRAME_HZ, at = machine_now(v->machine) % frame;
    v->attribute_data = false;
    /* 449 lines: 400 shown, 2 of vertical retrace; a line's last fifth is blank. */
    uint64_t line = at * 449 / frame;
    bool blank = line >= 400 || at * 449 * 5 / frame % 5 == 4;
    return (uint8_t)((blank ? STATUS_BLANK : 0) | (line >= 412 && line < 414 ? STATUS_RETRACE : 0));
}

static uint8_t
read_port(struct vga *v, unsigned offset)
{
    uint8_t value;
    switch (offset) {
    case ATTRIBUTE: return v->attribute.index;
    case ATTRIBUTE_READ: return v->attribute.value[v->attribute.index & 0x1F];
    case SEQUENCER: return v->sequencer.index;
    case SEQUENCER + 1: return v->sequencer.value[v->sequencer.index];
    case DAC_MASK: return v->dac_mask;
    case DAC_READ: return 3;
    case DAC_WRITE: return v->dac_write;
    case DAC_DATA:
        value = v->dac[v->dac_read][v->dac_part];
        dac_next(v, &v->dac_read);
        return value;
    case MISC_READ: return v->misc;
    case GRAPHICS: return v->graphics.index;
    case GRAPHICS + 1: return v->graphics.value[v->graphics.index];
    case CRTC: return v->crtc.index;
    case CRTC + 1: return v->crtc.value[v->crtc.index];
    case STATUS_1: return status(v);
    default: return 0xFF;
    }
}

static void
write_port(struct vga *v, unsigned offset, uint8_t value)
{
    switch (offset) {
    case ATTRIBUTE: attribute_write(v, value); break;
    case MISC_WRITE: v->misc = value; break;
    case SEQUENCER: v->sequencer.index = value & 0x1F; break;
    case SEQUENCER + 1: v->sequencer.value[v->sequencer.index] = value; break;
    case DAC_MASK: v->dac_mask = value; break;
    case DAC_READ: v->dac_read = value; v->dac_part = 0; break;
    case DAC_WRITE: v->dac_write = value; v->dac_part = 0; break;
    case DAC_DATA:
        v->dac[v->dac_write][v->dac_part] = value & 0x3F;
        dac_next(v, &v->dac_write);
        break;
    case GRAPHICS: v->graphics.index = value & 0x1F; break;
    case GRAPHICS + 1: v->graphics.value[v->graphics.index] = value; break;
    case CRTC: v->crtc.index = value & 0x1F; break;
    case CRTC + 1: v->crtc.value[v->crtc.index] = value; break;
    default: break;
    }
}

static uint64_t
region_read(void *ctx, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)read_port(ctx, (unsigned)offset + i) << (8 * i);
    }
    return value;
}

static void
region_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++) {
        write_port(ctx, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    }
}

/* --- what is shown --------------------------------------------------------------------- */

static uint32_t
colour(const struct vga *v, unsigned attribute)
{
    const uint8_t *rgb = v->dac[v->attribute.value[attribute] & 0x3F & v->dac_mask];
    uint32_t value = 0;
    for (unsigned i = 0; i < 3; i++) {
        value = value << 8 | (uint32_t)(rgb[i] << 2 | rgb[i] >> 4);
    }
    return value;
}

void
vga_text(const struct vga *v, struct vga_text *t)
{
    const uint8_t *r = v->crtc.value;
    *t = (struct vga_text){
        .start = (uint32_t)(r[START_HIGH] << 8 | r[START_LOW]) * 2 % (uint32_t)TEXT_SIZE,
        .cursor = (uint32_t)(r[CURSOR_HIGH] << 8 | r[CURSOR_LOW]),
        .cursor_on = !(r[CURSOR_START] & CURSOR_OFF),
        .cursor_top = r[CURSOR_START] & 0x1F, .cursor_bottom = r[CURSOR_END] & 0x1F,
        .blink = v->attribute.value[ATTRIBUTE_MODE] & MODE_BLINK,
    };
    for (unsigned i = 0; i < 16; i++) {
        t->colour[i] = colour(v, i);
    }
}

/* --- life -------------------------------------------------------------------------------- */

static void
mode_3(struct vga *v)
{
    static const uint8_t crtc[25] = { 0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0,
                                      0, 0, 0, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF };
    static const uint8_t sequencer[5] = { 3, 0, 3, 0, 2 }, graphics[9] = { 0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF };
    static const uint8_t attribute[21] = { 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F,
                                           0x0C, 0, 0x0F, 8, 0 };
    memcpy(v->crtc.value, crtc, sizeof crtc);
    memcpy(v->sequencer.value, sequencer, sizeof sequencer);
    memcpy(v->graphics.value, graphics, sizeof graphics);
    memcpy(v->attribute.value, attribute, sizeof attribute);
    v->attribute.index = PALETTE_ON;
    v->misc = 0x67;
    v->dac_mask = 0xFF;
    /* The 64 colours of an EGA: two bits of red, green and blue each, bright ones below. */
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned c = 0; c < 3; c++) {
            unsigned shift = 2 - c;
            v->dac[i][c] = (uint8_t)((i >> shift & 1) * 0x2A + (i >> (shift + 3) & 1) * 0x15);
        }
    }
}

static void
bank_state(struct bank *b, struct state *s)
{
    STATE_VISIT(s, b->index);
    STATE_VISIT(s, b->value);
    if (b->index >= 0x40) {
        state_fail(s, "VGA index out of range");
        b->index = 0;
    }
}

static void
vga_state(void *ctx, struct state *s)
{
    struct vga *v = ctx;
    bank_state(&v->crtc, s);
    bank_state(&v->sequencer, s);
    bank_state(&v->graphics, s);
    bank_state(&v->attribute, s);
    STATE_VISIT(s, v->attribute_data);
    STATE_VISIT(s, v->misc);
    STATE_VISIT(s, v->dac_mask);
    STATE_VISIT(s, v->dac);
    STATE_VISIT(s, v->dac_read);
    STATE_VISIT(s, v->dac_write);
    STATE_VISIT(s, v->dac_part);
    v->crtc.index &= 0x1F;
    v->sequencer.index &= 0x1F;
    v->graphics.index &= 0x1F;
    if (v->dac_part > 2) {
        state_fail(s, "VGA colour index out of range");
        v->dac_part = 0;
    }
}

struct vga *
vga_new(struct machine *m)
{
    struct vga *v = calloc(1, sizeof *v);
    if (!v) {
        return NULL;
    }
    v->machine = m;
    mode_3(v);
    const struct mem_region region = { "vga", region_read, region_write, v };
    mem_port_map(m->mem, BASE, PORTS, &region);
    for (uint64_t at = 0; at < TEXT_SIZE; at += 2) {
        static const uint8_t blank[2] = { ' ', 0x07 };
        mem_write(m->mem, TEXT_BASE + at, blank, 2);
    }
    machine_add_part(m, "vga", vga_state, v);
    return v;
}

void
vga_free(struct vga *v)
{
    free(v);
}
