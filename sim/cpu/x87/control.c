/* Control instructions: words, environments, whole states (SDM Vol 1 "x87 FPU Control Instructions"). */
#include <string.h>

#include "sim/cpu/system/sys.h"
#include "sim/cpu/x87/unit.h"

X87_DEFINE(fldcw)
{
    uint16_t cw;
    memcpy(&cw, memory, 2);
    x87_set_control(c, cw);
    return true;
}

X87_DEFINE(fnstcw)
{
    memcpy(memory, &c->x87.cw, 2);
    return true;
}

X87_DEFINE(fnstsw)
{
    uint16_t sw = x87_status(c);
    memcpy(memory, &sw, 2);
    return true;
}

X87_DEFINE(fnstsw_ax)
{
    c->gpr[RAX] = (c->gpr[RAX] & ~0xffffull) | x87_status(c);
    return true;
}

X87_DEFINE(fnclex)
{
    c->x87.sw &= X87_C;
    x87_errors_changed(c);
    return true;
}

X87_DEFINE(fninit)
{
    x87_init(c);
    return true;
}

/* --- system-shaped ones ------------------------------------------------------------ */

static enum exec_result check_available(struct cpu *c)
{
    return c->cr0 & (CR0_EM | CR0_TS) ? cpu_raise(c, X_NM) : EXEC_OK;
}

enum exec_result sys_wait(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    if (c->cr0 & CR0_MP && c->cr0 & CR0_TS) {
        return cpu_raise(c, X_NM);
    }
    return x87_wait_for_errors(c);
}

/* The environment: seven words or doublewords (SDM Vol 1 figures "Protected Mode x87 FPU State Image in Memory,
 * 32-Bit Format" and its three siblings). */
enum { ENV_MAX = 28, STATE_MAX = ENV_MAX + 80 };
struct environment { uint32_t field[7]; };
enum { ENV_CW, ENV_SW, ENV_TW, ENV_IP, ENV_CS, ENV_DP, ENV_DS };

static unsigned field_size(const struct sys_insn *s)
{
    return s->operand_size == 2 ? 2 : 4;
}

static bool is_real(const struct cpu *c)
{
    return !(c->mode & MODE_PROT) || c->mode & MODE_V86;
}

/* Real-address and virtual-8086 mode: linear pointers, 20 or 32 bits, whose upper bits lie above the opcode. */
static void put_real(const struct cpu *c, struct environment *e, bool wide)
{
    uint32_t ip = (uint32_t)(c->x87.ip + ((uint32_t)c->x87.cs << 4));
    uint32_t dp = (uint32_t)(c->x87.dp + ((uint32_t)c->x87.ds << 4));

    e->field[ENV_IP] = ip & 0xffff;
    e->field[ENV_DP] = dp & 0xffff;
    if (wide) {
        e->field[ENV_CS] = (ip >> 16) << 12 | c->x87.op;
        e->field[ENV_DS] = (dp >> 16) << 12;
    } else {
        e->field[ENV_CS] = (ip >> 4 & 0xf000) | c->x87.op;
        e->field[ENV_DS] = dp >> 4 & 0xf000;
    }
}

static void put_environment(const struct cpu *c, const struct sys_insn *s, uint8_t *to)
{
    bool wide = field_size(s) == 4;
    struct environment e = { .field = { c->x87.cw, x87_status(c), x87_tags(c), (uint32_t)c->x87.ip, c->x87.cs,
                                        (uint32_t)c->x87.dp, c->x87.ds } };
    if (is_real(c)) {
        put_real(c, &e, wide);
    } else if (wide) {
        e.field[ENV_CS] |= (uint32_t)c->x87.op << 16;
    }
    if (wide) { /* reserved upper halves read as ones */
        e.field[ENV_CW] |= 0xffff0000;
        e.field[ENV_SW] |= 0xffff0000;
        e.field[ENV_TW] |= 0xffff0000;
        e.field[ENV_DS] |= is_real(c) ? 0 : 0xffff0000;
    }
    for (unsigned i = 0; i < 7; i++) {
        memcpy(to + i * field_size(s), &e.field[i], field_size(s));
    }
}

static void take_pointers(struct cpu *c, const struct environment *e, bool wide)
{
    uint32_t cs = e->field[ENV_CS], ds = e->field[ENV_DS];

    c->x87.ip = e->field[ENV_IP];
    c->x87.dp = e->field[ENV_DP];
    if (is_real(c)) {
        c->x87.op = cs & 0x7ff;
        c->x87.cs = c->x87.ds = 0;
        c->x87.ip = (e->field[ENV_IP] & 0xffff) | (wide ? (cs >> 12 & 0xffff) << 16 : (cs & 0xf000) << 4);
        c->x87.dp = (e->field[ENV_DP] & 0xffff) | (wide ? (ds >> 12 & 0xffff) << 16 : (ds & 0xf000) << 4);
        return;
    }
    c->x87.cs = (uint16_t)cs;
    c->x87.ds = (uint16_t)ds;
    c->x87.op = wide ? cs >> 16 & 0x7ff : 0;
}

static void take_environment(struct cpu *c, const struct sys_insn *s, const uint8_t *from)
{
    struct environment e = { { 0 } };

    for (unsigned i = 0; i < 7; i++) {
        memcpy(&e.field[i], from + i * field_size(s), field_size(s));
    }
    x87_set_control(c, (uint16_t)e.field[ENV_CW]);
    x87_set_status(c, (uint16_t)e.field[ENV_SW]);
    x87_set_tags(c, (uint16_t)e.field[ENV_TW]);
    take_pointers(c, &e, field_size(s) == 4);
}

enum exec_result sys_fnstenv(struct cpu *c, const struct sys_insn *s)
{
    uint8_t image[ENV_MAX];

    TRY(check_available(c));
    put_environment(c, s, image);
    TRY(sys_memory_write(c, s, 0, image, 7 * field_size(s)));
    x87_set_control(c, c->x87.cw | X87_EXCEPTIONS);
    return EXEC_OK;
}

enum exec_result sys_fldenv(struct cpu *c, const struct sys_insn *s)
{
    uint8_t image[ENV_MAX];

    TRY(check_available(c));
    TRY(x87_wait_for_errors(c));
    TRY(sys_memory_read(c, s, 0, image, 7 * field_size(s)));
    take_environment(c, s, image);
    return EXEC_OK;
}

enum exec_result sys_fnsave(struct cpu *c, const struct sys_insn *s)
{
    uint8_t image[STATE_MAX];
    unsigned at = 7 * field_size(s);

    TRY(check_available(c));
    put_environment(c, s, image);
    for (unsigned i = 0; i < 8; i++) {
        memcpy(image + at + 10 * i, x87_st(c, i), 10);
    }
    TRY(sys_memory_write(c, s, 0, image, at + 80));
    x87_init(c);
    return EXEC_OK;
}

enum exec_result sys_frstor(struct cpu *c, const struct sys_insn *s)
{
    uint8_t image[STATE_MAX];
    unsigned at = 7 * field_size(s);

    TRY(check_available(c));
    TRY(x87_wait_for_errors(c));
    TRY(sys_memory_read(c, s, 0, image, at + 80));
    take_environment(c, s, image);
    for (unsigned i = 0; i < 8; i++) {
        union x87_register r = { { 0, 0 } };
        memcpy(&r, image + at + 10 * i, 10);
        *x87_st(c, i) = r;
    }
    return EXEC_OK;
}
