/* Status and tag words, reset, and the image of FXSAVE (SDM Vol 2 "FXSAVE", table of the 512-byte area). */
#include "sim/cpu/x87/x87.h"

#include <string.h>

#include "sim/machine.h"

uint16_t x87_status(const struct cpu *c)
{
    unsigned sw = c->x87.sw | (unsigned)c->x87.top << X87_TOP_SHIFT;
    return (uint16_t)(x87_is_pending(c) ? sw | X87_ES | X87_B : sw);
}

void x87_set_status(struct cpu *c, uint16_t sw)
{
    c->x87.sw = sw & X87_SW_KEPT;
    c->x87.top = sw >> X87_TOP_SHIFT & 7;
    x87_errors_changed(c);
}

void x87_set_control(struct cpu *c, uint16_t cw)
{
    c->x87.cw = (cw & X87_CW_DEFINED) | X87_CW_ONE;
    x87_errors_changed(c);
}

void x87_errors_changed(struct cpu *c)
{
    if (c->x87.ferr && !x87_is_pending(c)) {
        c->x87.ferr = c->x87.ignne = false;
        if (c->machine->fpu_error) {
            c->machine->fpu_error(c->machine, false);
        }
    }
}

/* SDM Vol 1 "x87 FPU Tag Word". */
static unsigned tag_of(const union x87_register *r)
{
    unsigned exponent = r->u16[4] & 0x7fff;

    if (exponent == 0 && r->u64[0] == 0) {
        return 1;
    }
    return exponent == 0 || exponent == 0x7fff || !(r->u64[0] >> 63) ? 2 : 0;
}

uint16_t x87_tags(const struct cpu *c)
{
    unsigned tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned tag = c->x87.full >> i & 1 ? tag_of(&c->x87.reg[i]) : 3;
        tags |= tag << 2 * i;
    }
    return (uint16_t)tags;
}

void x87_set_tags(struct cpu *c, uint16_t tags)
{
    c->x87.full = 0;
    for (unsigned i = 0; i < 8; i++) {
        c->x87.full |= (uint8_t)((tags >> 2 * i & 3) != 3) << i;
    }
}

void x87_init(struct cpu *c)
{
    c->x87.cw = X87_CW_INIT;
    c->x87.sw = c->x87.op = c->x87.cs = c->x87.ds = 0;
    c->x87.top = c->x87.full = 0;
    c->x87.ip = c->x87.dp = 0;
    x87_errors_changed(c);
}

void x87_reset(struct cpu *c)
{
    x87_image_init(c);
    c->x87.cw = X87_CW_RESET;
    c->x87.full = 0xff; /* all registers hold +0.0 */
}

/* --- images -------------------------------------------------------------------- */

enum { AT_CW = 0, AT_SW = 2, AT_TAGS = 4, AT_OP = 6, AT_IP = 8, AT_CS = 12, AT_DP = 16, AT_DS = 20, AT_ST = 32 };

void x87_image_put(const struct cpu *c, uint8_t image[X87_IMAGE_SIZE], bool wide)
{
    uint16_t sw = x87_status(c);

    memset(image, 0, 24);
    memcpy(image + AT_CW, &c->x87.cw, 2);
    memcpy(image + AT_SW, &sw, 2);
    image[AT_TAGS] = c->x87.full;
    memcpy(image + AT_OP, &c->x87.op, 2);
    memcpy(image + AT_IP, &c->x87.ip, wide ? 8 : 4);
    memcpy(image + AT_DP, &c->x87.dp, wide ? 8 : 4);
    if (!wide) {
        memcpy(image + AT_CS, &c->x87.cs, 2);
        memcpy(image + AT_DS, &c->x87.ds, 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + AT_ST + 16 * i, &c->x87.reg[(c->x87.top + i) & 7], 16);
    }
}

void x87_image_get(struct cpu *c, const uint8_t image[X87_IMAGE_SIZE], bool wide)
{
    uint16_t cw, sw, op;

    x87_image_init(c);
    memcpy(&cw, image + AT_CW, 2);
    memcpy(&sw, image + AT_SW, 2);
    memcpy(&op, image + AT_OP, 2);
    x87_set_control(c, cw);
    x87_set_status(c, sw);
    c->x87.full = image[AT_TAGS];
    c->x87.op = op & 0x7ff;
    memcpy(&c->x87.ip, image + AT_IP, wide ? 8 : 4);
    memcpy(&c->x87.dp, image + AT_DP, wide ? 8 : 4);
    if (!wide) {
        memcpy(&c->x87.cs, image + AT_CS, 2);
        memcpy(&c->x87.ds, image + AT_DS, 2);
    }
    for (unsigned i = 0; i < 8; i++) {
        memcpy(&c->x87.reg[(c->x87.top + i) & 7], image + AT_ST + 16 * i, 10);
    }
}

void x87_image_init(struct cpu *c)
{
    memset(c->x87.reg, 0, sizeof c->x87.reg);
    x87_init(c);
}

bool x87_image_is_initial(const struct cpu *c)
{
    struct x87 initial = { .cw = X87_CW_INIT, .ferr = c->x87.ferr, .ignne = c->x87.ignne };
    return !memcmp(&c->x87, &initial, sizeof initial);
}
