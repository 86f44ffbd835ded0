/* x87 control: enough for code that initialises the unit and saves its control word.
 *
 * The register stack is not modelled; every other x87 form stops the machine
 * (rows with exec `stop`).  CR0.EM and TS give #NM as for all x87 forms.
 */
#include "sim/cpu/core.h"
#include "sim/cpu/decode/decoder.h"
#include "sim/cpu/x87/x87.h"

enum { CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3 };

static bool unavailable(const struct cpu *c)
{
    return c->cr0 & (CR0_EM | CR0_TS);
}

static enum exec_result store16(struct cpu *c, const struct sys_insn *s, uint16_t value)
{
    uint64_t linear;

    if (unavailable(c)) {
        return cpu_raise(c, X_NM);
    }
    enum exec_result result = cpu_linear(c, s->segment, s->ea, 2, ACCESS_WRITE, &linear);
    return result == EXEC_OK ? cpu_write(c, linear, &value, 2) : result;
}

enum exec_result x87_wait(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    return (c->cr0 & CR0_MP) && (c->cr0 & CR0_TS) ? cpu_raise(c, X_NM) : EXEC_OK;
}

enum exec_result x87_fldcw(struct cpu *c, const struct sys_insn *s)
{
    uint64_t linear;
    uint16_t value;

    if (unavailable(c)) {
        return cpu_raise(c, X_NM);
    }
    enum exec_result result = cpu_linear(c, s->segment, s->ea, 2, ACCESS_READ, &linear);
    if (result == EXEC_OK) {
        result = cpu_read(c, linear, &value, 2);
    }
    if (result == EXEC_OK) {
        x87_set_control(c, value);
    }
    return result;
}

enum exec_result x87_fnstcw(struct cpu *c, const struct sys_insn *s)
{
    return store16(c, s, c->x87.cw);
}

enum exec_result x87_fnstsw(struct cpu *c, const struct sys_insn *s)
{
    return store16(c, s, x87_status(c));
}

enum exec_result x87_fnstsw_ax(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    if (unavailable(c)) {
        return cpu_raise(c, X_NM);
    }
    c->gpr[RAX] = (c->gpr[RAX] & ~0xffffull) | x87_status(c);
    return EXEC_OK;
}

enum exec_result x87_fnclex(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    if (unavailable(c)) {
        return cpu_raise(c, X_NM);
    }
    c->x87.sw &= X87_C;
    return EXEC_OK;
}

enum exec_result x87_fninit(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    if (unavailable(c)) {
        return cpu_raise(c, X_NM);
    }
    x87_init(c);
    return EXEC_OK;
}
