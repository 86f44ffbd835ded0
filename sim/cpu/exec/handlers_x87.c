/* x87: the operand here, what is done with it in sim/cpu/x87; the one source of every tier.
 *
 * The record's 'imm' is the function.  'dst' is the ModRM byte, 'src' the low three bits of the opcode:
 * together the opcode that an error leaves behind, and the i of ST(i).
 *
 * Most forms wait: an error that is pending comes first.  They also leave their own address and their
 * operand's.  Control forms (quiet) do neither, but FLDCW waits. */
#include "sim/cpu/exec/handler.h"
#include "sim/cpu/x87/x87.h"

#define FUNCTION ((x87_fn *)(uintptr_t)FIELD(imm))
#define WAIT do { if (unlikely(x87_is_pending(c) && !x87_is_ignored(c))) TAIL(core_x87_error(c, r)); } while (0)

INLINE uint64_t offset_in(const struct cpu *c, unsigned segment, uint64_t linear)
{
    if (c->mode & MODE_LONG64) {
        return segment >= FS ? linear - c->seg[segment].base : linear;
    }
    return (uint32_t)(linear - c->seg[segment].base);
}

/* Where the last instruction and its operand were.  The opcode is kept only when there is an error
 * (SDM Vol 1 "Fopcode Compatibility Sub-mode"). */
#define LEAVE_ADDRESS do {                                                     \
        c->x87.ip = offset_in(c, CS, THIS_RIP);                                \
        c->x87.cs = c->seg[CS].selector;                                       \
        if (unlikely(x87_is_pending(c)))                                       \
            c->x87.op = (uint16_t)(FIELD(src) << 8 | FIELD(dst));              \
    } while (0)
#define LEAVE_OPERAND(linear) do {                                             \
        c->x87.dp = offset_in(c, FIELD(segment), linear);                      \
        c->x87.ds = c->seg[FIELD(segment)].selector;                           \
    } while (0)

OP(x87_r)
{
    WAIT;
    FUNCTION(c, FIELD(dst) & 7, NULL);
    LEAVE_ADDRESS;
    NEXT;
}

#define X87_LOAD(size) OP(x87_load_##size) {                                   \
        WAIT;                                                                  \
        uint64_t linear = ADDRESS_x;                                           \
        void *from = HOST(read, linear, size);                                 \
        FUNCTION(c, 0, from);                                                  \
        LEAVE_ADDRESS;                                                         \
        LEAVE_OPERAND(linear);                                                 \
        NEXT; }
X87_LOAD(2)
X87_LOAD(4)
X87_LOAD(8)
X87_LOAD(10)

#define X87_STORE(size) OP(x87_store_##size) {                                 \
        WAIT;                                                                  \
        uint64_t linear = ADDRESS_x;                                           \
        void *to = HOST(write, linear, size);                                  \
        c->core->withheld = !FUNCTION(c, 0, to);                               \
        LEAVE_ADDRESS;                                                         \
        LEAVE_OPERAND(linear);                                                 \
        NEXT; }
X87_STORE(2)
X87_STORE(4)
X87_STORE(8)
X87_STORE(10)

/* Before the address of an operand in a segment that must be checked: the error comes first. */
OP(x87_wait) { WAIT; NEXT; }

OP(x87_quiet_r) { FUNCTION(c, 0, NULL); NEXT; }
OP(x87_quiet_load) { WAIT; void *from = HOST(read, ADDRESS_x, 2); FUNCTION(c, 0, from); NEXT; }
OP(x87_quiet_store) { void *to = HOST(write, ADDRESS_x, 2); FUNCTION(c, 0, to); NEXT; }

/* CR0.EM or CR0.TS. */
OP(x87_check)
{
    cpu_raise(c, X_NM);
    FAULT;
}
