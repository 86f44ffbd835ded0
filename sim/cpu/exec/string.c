/* MOVS, STOS, LODS, SCAS, CMPS, with their repeat prefixes, in every mode.
 *
 * Elements are done in chunks over host memory, as long as neither operand
 * leaves its page; what is odd (page crossing, MMIO, a store to a page with code)
 * is done one element at a time through the slow access functions.  Registers move with
 * every element done, so a fault in the middle leaves the architectural
 * picture.  After about a page the instruction pauses (EXEC_REPEAT): where it
 * does depends on its registers only, so runs are reproducible.
 */
#include <string.h>

#include "sim/cpu/core.h"
#include "sim/cpu/decode/decoder.h"
#include "sim/cpu/exec/flags.h"
#include "sim/machine.h"
#include "sim/time/timing.h"
#include "spec/x86/system.h"

enum { PAUSE_BYTES = 4096 };
enum { USES_SRC = 1, USES_DST = 2, WRITES_DST = 4, COMPARES = 8 };

struct operand {
    uint64_t linear;
    uint8_t *host;     /* NULL: one element through the slow functions */
    uint64_t available; /* elements up to the end of page, segment or address width */
};

struct run {
    struct cpu *c;
    const struct sys_insn *s;
    unsigned size;     /* of an element [bytes] */
    uint64_t mask;     /* of addresses and count */
    bool down;         /* RFLAGS.DF */
    unsigned uses;     /* [USES_SRC ...] */
};

static uint64_t masked(const struct run *t, unsigned reg)
{
    return t->c->gpr[reg] & t->mask;
}

/* Register arithmetic at address size: a 32-bit result clears the upper half. */
static void advance(const struct run *t, unsigned reg, uint64_t by)
{
    uint64_t *g = &t->c->gpr[reg], value = (*g + by) & t->mask;
    *g = t->mask == 0xffff ? (*g & ~0xffffull) | value : value;
}

static enum exec_result locate(const struct run *t, unsigned segment, unsigned reg, enum access_kind kind,
                               struct operand *o)
{
    struct cpu *c = t->c;
    uint64_t ea = masked(t, reg), spa;
    enum exec_result result = cpu_linear(c, segment, ea, t->size, kind, &o->linear);

    o->host = NULL;
    o->available = 1;
    if (result != EXEC_OK) {
        return result;
    }
    uint64_t room = 4096 - (o->linear & 4095);
    if (room < t->size) { /* crosses a page: its faults come now, in order of the operands */
        uint8_t *host;
        result = mmu_fill(c, o->linear, (unsigned)room, kind, &host, &spa);
        return result == EXEC_OK ? mmu_fill(c, o->linear + room, t->size - (unsigned)room, kind, &host, &spa) : result;
    }
    result = mmu_fill(c, o->linear, t->size, kind, &o->host, &spa);
    if (result == EXEC_OK && o->host && c->mode & (MODE_LONG64 | MODE_FLAT) && !t->down) {
        uint64_t wrap = t->mask - ea; /* bytes before the address register wraps, less one */
        o->available = (room < wrap ? room : wrap) / t->size;
        o->available += o->available == 0;
    }
    return result;
}

static int64_t load(const uint8_t *p, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, p, size);
    return sign_extend((int64_t)value, (int)size * 8);
}

static void note_compare(const struct run *t, int64_t a, int64_t b)
{
    t->c->cc_kind = CC_KIND(CC_SUB, t->size * 8);
    t->c->cc_a = a;
    t->c->cc_b = b;
}

/* REPE stops at a difference, REPNE at equality. */
static bool comparing_on(const struct run *t, int64_t a, int64_t b)
{
    return t->s->repne ? a != b : t->s->rep ? a == b : false;
}

/* As the processor does it, element by element, though in bigger pieces where that is the same. */
static void copy(uint8_t *to, const uint8_t *from, uint64_t bytes, unsigned size)
{
    if (to > from && to < from + bytes) {
        for (uint64_t i = 0; i < bytes; i += size) {
            memmove(to + i, from + i, size);
        }
    } else {
        memmove(to, from, bytes);
    }
}

static void fill(uint8_t *to, uint64_t value, uint64_t count, unsigned size)
{
    if (size == 1) {
        memset(to, (int)value, count);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        memcpy(to + i * size, &value, size);
    }
}

static void put_accumulator(struct cpu *c, int64_t value, unsigned size)
{
    if (size == 4) {
        c->gpr[RAX] = (uint32_t)value;
    } else {
        memcpy(&c->gpr[RAX], &value, size);
    }
}

/* Up to 'count' elements in host memory; returns how many were done. */
static uint64_t do_chunk(const struct run *t, const uint8_t *src, uint8_t *dst, uint64_t count, bool *ended)
{
    unsigned size = t->size;
    int64_t rax = load((const uint8_t *)&t->c->gpr[RAX], size), a = 0, b = 0;
    uint64_t i = 0;

    if (!(t->uses & COMPARES)) {
        if (t->uses == (USES_SRC | USES_DST | WRITES_DST)) {
            copy(dst, src, count * size, size);
        } else if (t->uses & WRITES_DST) {
            fill(dst, (uint64_t)rax, count, size);
        } else {
            put_accumulator(t->c, load(src + (count - 1) * size, size), size);
        }
        return count;
    }
    do {
        a = t->uses & USES_SRC ? load(src + i * size, size) : rax;
        b = load(dst + i * size, size);
    } while (++i < count && comparing_on(t, a, b));
    note_compare(t, a, b);
    *ended = !comparing_on(t, a, b);
    return i;
}

/* One element whose operands are not both plain host memory. */
static enum exec_result do_slow(const struct run *t, const struct operand *src, const struct operand *dst, bool *ended)
{
    uint8_t from[8], to[8];
    enum exec_result result = EXEC_OK;

    if (t->uses & USES_SRC) {
        result = cpu_read(t->c, src->linear, from, t->size);
    }
    if (result == EXEC_OK && t->uses & COMPARES) {
        result = cpu_read(t->c, dst->linear, to, t->size);
    }
    if (result != EXEC_OK) {
        return result;
    }
    if (t->uses == (USES_SRC | USES_DST | WRITES_DST)) {
        return cpu_write(t->c, dst->linear, from, t->size);
    }
    if (t->uses & WRITES_DST) {
        return cpu_write(t->c, dst->linear, &t->c->gpr[RAX], t->size);
    }
    do_chunk(t, from, to, 1, ended);
    return EXEC_OK;
}

static void touch(const struct run *t, const struct operand *o, uint64_t bytes, bool write)
{
    for (uint64_t at = 0; o->host && at < bytes; at += 64) {
        core_touch(t->c, o->linear + at, o->host + at, t->size, write);
    }
}

static enum exec_result do_some(const struct run *t, uint64_t count, uint64_t *done, bool *ended)
{
    struct operand src = { .available = 1 }, dst = { .available = 1 };
    enum exec_result result = EXEC_OK;

    if (t->uses & USES_SRC) {
        result = locate(t, t->s->segment, RSI, ACCESS_READ, &src);
    }
    if (result == EXEC_OK && t->uses & USES_DST) {
        result = locate(t, ES, RDI, t->uses & WRITES_DST ? ACCESS_WRITE : ACCESS_READ, &dst);
    }
    if (result != EXEC_OK) {
        return result;
    }
    if ((t->uses & USES_SRC && !src.host) || (t->uses & USES_DST && !dst.host)) {
        *done = 1;
        return do_slow(t, &src, &dst, ended);
    }
    if (t->uses & USES_SRC && src.available < count) {
        count = src.available;
    }
    if (t->uses & USES_DST && dst.available < count) {
        count = dst.available;
    }
    *done = do_chunk(t, src.host, dst.host, count, ended);
    if (t->c->core->timed) {
        touch(t, &src, t->uses & USES_SRC ? *done * t->size : 0, false);
        touch(t, &dst, t->uses & USES_DST ? *done * t->size : 0, t->uses & WRITES_DST);
        if (t->s->rep || t->s->repne) { /* one iteration alone is its timing class's */
            time_string(t->c, *done * t->size);
        }
    }
    return EXEC_OK;
}

static enum exec_result string_run(struct cpu *c, const struct sys_insn *s, unsigned uses)
{
    const struct run t = {
        .c = c, .s = s, .size = s->operand_size, .down = c->rflags_rest & RFLAGS_DF, .uses = uses,
        .mask = s->address_size == 8 ? ~0ull : s->address_size == 4 ? 0xffffffff : 0xffff,
    };
    bool repeats = s->rep || s->repne, stepped = c->rflags_rest & RFLAGS_TF || c->single_step, ended = false;

    for (uint64_t bytes = 0;;) {
        uint64_t count = repeats ? masked(&t, RCX) : 1, done = 0;
        if (count && stepped) {
            count = 1; /* every iteration traps */
        }
        if (count > (PAUSE_BYTES - bytes) / t.size) {
            count = (PAUSE_BYTES - bytes) / t.size; /* the pause is at one place, however memory is reached */
        }
        if (count == 0) {
            return EXEC_OK;
        }
        enum exec_result result = do_some(&t, count, &done, &ended);
        if (result != EXEC_OK) {
            return result;
        }
        uint64_t moved = t.down ? -(done * t.size) : done * t.size;
        if (uses & USES_SRC) {
            advance(&t, RSI, moved);
        }
        if (uses & USES_DST) {
            advance(&t, RDI, moved);
        }
        if (repeats) {
            advance(&t, RCX, -done);
        }
        if (!repeats || ended || masked(&t, RCX) == 0) {
            return EXEC_OK;
        }
        bytes += done * t.size;
        if (bytes >= PAUSE_BYTES || c->core->attended || stepped) {
            return EXEC_REPEAT;
        }
    }
}

enum exec_result string_movs(struct cpu *c, const struct sys_insn *s)
{
    return string_run(c, s, USES_SRC | USES_DST | WRITES_DST);
}

enum exec_result string_stos(struct cpu *c, const struct sys_insn *s)
{
    return string_run(c, s, USES_DST | WRITES_DST);
}

enum exec_result string_lods(struct cpu *c, const struct sys_insn *s)
{
    return string_run(c, s, USES_SRC);
}

enum exec_result string_scas(struct cpu *c, const struct sys_insn *s)
{
    return string_run(c, s, USES_DST | COMPARES);
}

enum exec_result string_cmps(struct cpu *c, const struct sys_insn *s)
{
    return string_run(c, s, USES_SRC | USES_DST | COMPARES);
}
