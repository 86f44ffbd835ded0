/* A decoded instruction: one or more records of 32 bytes, executed by tail calls.
 *
 * A record names its handler and its operands.  Registers are byte offsets
 * into struct cpu, so that AH, "no base", "rip" and the scratch slots are
 * ordinary operands.  An instruction of several records (`part` set on all
 * but the last) changes nothing architectural before the last record that can
 * fault; what passes between its records goes through cpu->temp, temp2, addr.
 *
 * A comparison and the conditional jump behind it may be fused: the comparison's
 * handler does both.  The jump's record stays, for when they are run one by one.
 *
 * A block is:   [enter] [records...] [jump] [exit of last] [exit of jump]
 * preceded by a stub that whoever comes from a block of another bucket enters by.
 * Blocks are shared by all processors and contain no linear address: rip is
 * cpu->code_page plus an offset.  Links never leave the page, so dropping a
 * page's code needs no unlinking.
 */
#ifndef SIM_CPU_DECODE_INSN_H
#define SIM_CPU_DECODE_INSN_H

#include "sim/cpu/cpu.h"

struct insn;
struct sys_site;
typedef void op_fn(struct cpu *c, struct insn *r);

struct insn {
    op_fn *fn;
    union {
        int64_t imm;            /* value; exit, away: target [bytes from code_page] */
        struct insn *link;      /* jump, jcc, call: the record to continue with */
        struct sys_site *site;  /* sys: what the function gets */
        const void *code;       /* the stub before a head: machine code of the block, its cost being paid (jit/jit.h) */
        struct {
            uint32_t cost;         /* enter: of the block [budget units] */
            uint16_t instructions; /* enter: of the block [count] */
            uint16_t records;      /* enter: up to 'jump', itself included [count] */
        };
    };
    union {
        int32_t disp;           /* address displacement [bytes] */
        uint32_t page;          /* enter, exit: RAM page index of the block */
    };
    union {
        struct { uint8_t dst, src, base, index; }; /* [byte offset in struct cpu] */
        uint32_t gate;          /* enter: cost again, or GATE_CLOSED; exit, away: GATE_CLOSED */
    };
    union {
        uint8_t scale;          /* of index [left shift 0-3] */
        uint8_t bucket;         /* enter: attribution */
    };
    uint8_t remaining;          /* not yet retired when this one starts [instructions of the block] */
    uint8_t length : 4;         /* of the guest instruction [bytes] */
    uint8_t part : 1;           /* the next record belongs to the same instruction */
    uint8_t segment : 3;        /* ea: segment [ES..GS] */
    uint8_t timing;             /* enter: unused; else [enum timing_class], 0 for all but the first part */
    uint16_t offset;            /* of the guest instruction [bytes from code_page] */
    uint16_t form;              /* [enum form] */
};
_Static_assert(sizeof(struct insn) == 32, "two records per cache line");

/* Whoever continues at a record compares its gate with the budget and, if it is
 * open, enters the block without calling the head's handler.  No budget is this big. */
#define GATE_CLOSED 0xffffffffu

/* What a `sys` record calls.  Lives beside the block's records. */
struct sys_site {
    sys_fn *fn;
    struct sys_insn insn;    /* ea and next_rip are filled in per execution */
};

enum {
    BLOCK_INSNS = 48,                    /* instructions per block */
    BLOCK_RECORDS = 6 * BLOCK_INSNS + 8, /* records they may need */
};

/* Operand slots. */
enum {
    SLOT_PAGE = offsetof(struct cpu, code_page), SLOT_ZERO = offsetof(struct cpu, zero),
    SLOT_TEMP = offsetof(struct cpu, temp), SLOT_TEMP2 = offsetof(struct cpu, temp2),
    SLOT_ADDR = offsetof(struct cpu, addr), SLOT_GPR = offsetof(struct cpu, gpr),
};
_Static_assert(SLOT_ADDR < 256 && SLOT_TEMP2 < 256, "slots are bytes");

static inline uint64_t *cpu_slot(struct cpu *c, unsigned slot)
{
    return (uint64_t *)((char *)c + slot);
}

#endif
