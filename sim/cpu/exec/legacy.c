/* Stack and near control flow outside 64-bit mode, and what no compiler emits: ENTER, PUSHA, decimal arithmetic.
 *
 * Slow but exact: the stack has a segment and its own address size, rip is
 * truncated to the operand size and checked against the limit of CS.
 */
#include <string.h>

#include "sim/cpu/core.h"
#include "sim/cpu/decode/decoder.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/machine.h"

/* --- operands ----------------------------------------------------------------------- */

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

static void put_gpr(struct cpu *c, unsigned reg, uint64_t value, unsigned size)
{
    c->gpr[reg] = size >= 4 ? value & size_mask(size) : (c->gpr[reg] & ~size_mask(size)) | (value & size_mask(size));
}

static bool is_memory(const struct sys_insn *s)
{
    return s->modrm >> 6 != 3;
}

static enum exec_result read_rm(struct cpu *c, const struct sys_insn *s, uint64_t *value)
{
    uint64_t linear;

    *value = 0;
    if (!is_memory(s)) {
        *value = c->gpr[s->rm] & size_mask(s->operand_size);
        return EXEC_OK;
    }
    enum exec_result result = cpu_linear(c, s->segment, s->ea, s->operand_size, ACCESS_READ, &linear);
    return result == EXEC_OK ? cpu_read(c, linear, value, s->operand_size) : result;
}

/* --- the stack -------------------------------------------------------------------------- */

static unsigned stack_size(const struct cpu *c)
{
    return c->mode & MODE_LONG64 ? 8 : c->seg[SS].rights & SEG_DB ? 4 : 2;
}

static uint64_t stack_at(const struct cpu *c, uint64_t pointer)
{
    return pointer & size_mask(stack_size(c));
}

static enum exec_result stack_write(struct cpu *c, uint64_t pointer, uint64_t value, unsigned size)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(c, SS, stack_at(c, pointer), size, ACCESS_WRITE, &linear);
    return result == EXEC_OK ? cpu_write(c, linear, &value, size) : result;
}

static enum exec_result stack_read(struct cpu *c, uint64_t pointer, uint64_t *value, unsigned size)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(c, SS, stack_at(c, pointer), size, ACCESS_READ, &linear);
    *value = 0;
    return result == EXEC_OK ? cpu_read(c, linear, value, size) : result;
}

static enum exec_result push(struct cpu *c, uint64_t value, unsigned size)
{
    enum exec_result result = stack_write(c, c->gpr[RSP] - size, value, size);
    if (result == EXEC_OK) {
        put_gpr(c, RSP, c->gpr[RSP] - size, stack_size(c));
    }
    return result;
}

enum exec_result legacy_push(struct cpu *c, const struct sys_insn *s)
{
    uint64_t value = s->imm;
    enum exec_result result = EXEC_OK;

    if (s->opcode >= 0x50 && s->opcode < 0x58) {
        value = c->gpr[s->rm];
    } else if (s->opcode == 0xff) {
        result = read_rm(c, s, &value);
    }
    return result == EXEC_OK ? push(c, value, s->operand_size) : result;
}

enum exec_result legacy_pop(struct cpu *c, const struct sys_insn *s)
{
    unsigned size = s->operand_size;
    uint64_t value, linear;
    enum exec_result result = stack_read(c, c->gpr[RSP], &value, size);

    if (result != EXEC_OK) {
        return result;
    }
    if (s->opcode == 0x8f && is_memory(s)) { /* its address is computed after rsp has moved */
        uint64_t ea = s->base == RSP ? (s->ea + size) & size_mask(s->address_size) : s->ea;
        result = cpu_linear(c, s->segment, ea, size, ACCESS_WRITE, &linear);
        if (result == EXEC_OK) {
            result = cpu_write(c, linear, &value, size);
        }
        if (result == EXEC_OK) {
            put_gpr(c, RSP, c->gpr[RSP] + size, stack_size(c));
        }
        return result;
    }
    put_gpr(c, RSP, c->gpr[RSP] + size, stack_size(c));
    put_gpr(c, s->rm, value, size);
    return EXEC_OK;
}

/* A segment selector is pushed zero-extended; s->reg is the segment. */
enum exec_result legacy_push_sreg(struct cpu *c, const struct sys_insn *s)
{
    return push(c, c->seg[s->reg].selector, s->operand_size);
}

enum exec_result legacy_pusha(struct cpu *c, const struct sys_insn *s)
{
    unsigned size = s->operand_size;
    uint64_t top = c->gpr[RSP];

    for (unsigned i = 0; i < 8; i++) { /* memory below the stack pointer may change before a fault */
        enum exec_result result = stack_write(c, top - (i + 1) * size, c->gpr[i], size);
        if (result != EXEC_OK) {
            return result;
        }
    }
    put_gpr(c, RSP, top - 8 * size, stack_size(c));
    return EXEC_OK;
}

enum exec_result legacy_popa(struct cpu *c, const struct sys_insn *s)
{
    unsigned size = s->operand_size;
    uint64_t value[8];

    for (unsigned i = 0; i < 8; i++) {
        enum exec_result result = stack_read(c, c->gpr[RSP] + i * size, &value[i], size);
        if (result != EXEC_OK) {
            return result;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (7 - i != RSP) {
            put_gpr(c, 7 - i, value[i], size);
        }
    }
    put_gpr(c, RSP, c->gpr[RSP] + 8 * size, stack_size(c));
    return EXEC_OK;
}

/* ENTER: imm = bytes of locals | nesting level << 16. */
enum exec_result legacy_enter(struct cpu *c, const struct sys_insn *s)
{
    unsigned size = s->operand_size, level = s->imm >> 16 & 31;
    uint64_t sp = c->gpr[RSP] - size, link = c->gpr[RBP];
    uint64_t frame = (c->gpr[RSP] & ~size_mask(stack_size(c))) | stack_at(c, sp); /* what rSP is after the push */
    enum exec_result result = stack_write(c, sp, c->gpr[RBP], size);

    for (unsigned i = 1; i < level && result == EXEC_OK; i++) {
        uint64_t value;
        link -= size;
        sp -= size;
        result = stack_read(c, link, &value, size);
        if (result == EXEC_OK) {
            result = stack_write(c, sp, value, size);
        }
    }
    if (level && result == EXEC_OK) {
        sp -= size;
        result = stack_write(c, sp, frame, size);
    }
    if (result != EXEC_OK) {
        return result;
    }
    uint64_t bottom = sp - (s->imm & 0xffff), linear;
    result = cpu_linear(c, SS, stack_at(c, bottom), size, ACCESS_WRITE, &linear);
    if (result == EXEC_OK) { /* "ENTER": faults if a write at the final stack pointer would */
        uint8_t *host;
        uint64_t spa;
        result = mmu_fill(c, linear, 1, ACCESS_WRITE, &host, &spa);
    }
    if (result != EXEC_OK) {
        return result;
    }
    put_gpr(c, RBP, frame, size);
    put_gpr(c, RSP, bottom, stack_size(c));
    return EXEC_OK;
}

enum exec_result legacy_leave(struct cpu *c, const struct sys_insn *s)
{
    uint64_t value;
    enum exec_result result = stack_read(c, c->gpr[RBP], &value, s->operand_size);

    if (result == EXEC_OK) {
        put_gpr(c, RSP, c->gpr[RBP] + s->operand_size, stack_size(c));
        put_gpr(c, RBP, value, s->operand_size);
    }
    return result;
}

/* --- near transfers ------------------------------------------------------------------------- */

static enum exec_result check_target(struct cpu *c, uint64_t rip)
{
    return rip > c->seg[CS].limit ? cpu_raise_error(c, X_GP, 0) : EXEC_OK;
}

static enum exec_result go_to(struct cpu *c, uint64_t rip)
{
    enum exec_result result = check_target(c, rip);
    if (result != EXEC_OK) {
        return result;
    }
    c->rip = rip;
    return EXEC_JUMP;
}

static uint64_t relative_target(const struct sys_insn *s)
{
    return (s->next_rip + s->imm) & size_mask(s->operand_size);
}

static enum exec_result call_to(struct cpu *c, const struct sys_insn *s, uint64_t rip)
{
    uint64_t linear;
    enum exec_result result = cpu_linear(c, SS, stack_at(c, c->gpr[RSP] - s->operand_size), s->operand_size, ACCESS_WRITE, &linear);
    if (result == EXEC_OK) { /* the stack comes first, as silicon has it */
        result = mmu_probe_write(c, linear, s->operand_size, false);
    }
    if (result == EXEC_OK) {
        result = check_target(c, rip);
    }
    if (result == EXEC_OK) {
        result = push(c, s->next_rip, s->operand_size);
    }
    if (result != EXEC_OK) {
        return result;
    }
    c->rip = rip;
    return EXEC_JUMP;
}

enum exec_result legacy_jmp(struct cpu *c, const struct sys_insn *s)
{
    return go_to(c, relative_target(s));
}

enum exec_result legacy_call(struct cpu *c, const struct sys_insn *s)
{
    return call_to(c, s, relative_target(s));
}

enum exec_result legacy_jmp_indirect(struct cpu *c, const struct sys_insn *s)
{
    uint64_t rip;
    enum exec_result result = read_rm(c, s, &rip);
    return result == EXEC_OK ? go_to(c, rip) : result;
}

enum exec_result legacy_call_indirect(struct cpu *c, const struct sys_insn *s)
{
    uint64_t rip;
    enum exec_result result = read_rm(c, s, &rip);
    return result == EXEC_OK ? call_to(c, s, rip) : result;
}

enum exec_result legacy_ret(struct cpu *c, const struct sys_insn *s)
{
    uint64_t rip;
    enum exec_result result = stack_read(c, c->gpr[RSP], &rip, s->operand_size);

    if (result == EXEC_OK) {
        result = check_target(c, rip);
    }
    if (result != EXEC_OK) {
        return result;
    }
    uint64_t drop = s->operand_size + (s->opcode == 0xc2 ? s->imm & 0xffff : 0);
    put_gpr(c, RSP, c->gpr[RSP] + drop, stack_size(c));
    c->rip = rip;
    return EXEC_JUMP;
}

enum exec_result legacy_jcc(struct cpu *c, const struct sys_insn *s)
{
    return flags_hold(flags_now(c), s->opcode & 15) ? go_to(c, relative_target(s)) : EXEC_OK;
}

enum exec_result legacy_loop(struct cpu *c, const struct sys_insn *s)
{
    uint64_t mask = size_mask(s->address_size), count = c->gpr[RCX] & mask;
    bool zero = flags_now(c) & FLAG_Z, taken = count == 0;

    if (s->opcode != 0xe3) {
        count = (count - 1) & mask;
        taken = count != 0 && (s->opcode == 0xe2 || (s->opcode == 0xe1) == zero);
    }
    if (taken && check_target(c, relative_target(s)) != EXEC_OK) {
        return EXEC_FAULT;
    }
    if (s->opcode != 0xe3) {
        put_gpr(c, RCX, count, s->address_size);
    }
    return taken ? go_to(c, relative_target(s)) : EXEC_OK;
}

/* --- decimal --------------------------------------------------------------------------------------- */

static uint64_t result_flags(uint8_t al)
{
    return (al == 0 ? FLAG_Z : 0) | (al & 0x80 ? FLAG_S : 0) | (__builtin_parity(al) ? 0 : FLAG_P);
}

static void put_al(struct cpu *c, uint8_t al, uint64_t flags)
{
    put_gpr(c, RAX, al, 1);
    flags_set_raw(c, flags | result_flags(al));
}

static void adjust_packed(struct cpu *c, bool subtract)
{
    uint8_t al = (uint8_t)c->gpr[RAX], old = al;
    uint64_t f = flags_now(c), out = 0;

    if ((al & 15) > 9 || f & FLAG_A) {
        bool over = subtract ? al < 6 : al > 0xf9;
        al = (uint8_t)(subtract ? al - 6 : al + 6);
        out = FLAG_A | (f & FLAG_C || over ? FLAG_C : 0);
    }
    if (old > 0x99 || f & FLAG_C) {
        al = (uint8_t)(subtract ? al - 0x60 : al + 0x60);
        out |= FLAG_C;
    } else if (!subtract) {
        out &= ~(uint64_t)FLAG_C;
    }
    put_al(c, al, out);
}

static void adjust_unpacked(struct cpu *c, bool subtract)
{
    uint16_t ax = (uint16_t)c->gpr[RAX];
    uint64_t out = 0;

    if ((ax & 15) > 9 || flags_now(c) & FLAG_A) {
        ax = (uint16_t)(subtract ? ax - 0x106 : ax + 0x106);
        out = FLAG_A | FLAG_C;
    }
    ax &= 0xff0f;
    put_gpr(c, RAX, ax, 2);
    flags_set_raw(c, out | result_flags((uint8_t)ax));
}

enum exec_result legacy_decimal(struct cpu *c, const struct sys_insn *s)
{
    uint8_t al = (uint8_t)c->gpr[RAX], ah = (uint8_t)(c->gpr[RAX] >> 8), base = (uint8_t)s->imm;

    switch (s->opcode) {
    case 0x27: adjust_packed(c, false); break;
    case 0x2f: adjust_packed(c, true); break;
    case 0x37: adjust_unpacked(c, false); break;
    case 0x3f: adjust_unpacked(c, true); break;
    case 0xd4: /* AAM */
        if (base == 0) {
            return cpu_raise(c, X_DE);
        }
        put_gpr(c, RAX, (uint64_t)(al / base) << 8 | al % base, 2);
        flags_set_raw(c, result_flags(al % base));
        break;
    default: /* AAD */
        al = (uint8_t)(al + ah * base);
        put_gpr(c, RAX, al, 2);
        flags_set_raw(c, result_flags(al));
    }
    return EXEC_OK;
}

/* --- what cannot be done ------------------------------------------------------------------------------ */

enum exec_result core_too_long(struct cpu *c, const struct sys_insn *s)
{
    (void)s;
    return cpu_raise_error(c, X_GP, 0);
}
