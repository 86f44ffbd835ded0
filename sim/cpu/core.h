/* The hot core's private side: what handlers, slow path, dispatcher and code cache share.
 *
 * Time inside a block.  A block's cost is paid at its head: cpu->budget falls
 * by the whole cost.  Whoever leaves early, or needs exact time, gives back
 * the share of the instructions not yet done (core_refund) and books the rest
 * into cpu->now (core_book).  The share of the last k of n instructions is
 * cost * k / n, so however a block is cut, its parts sum to its cost.
 *
 * Leaving.  Handlers leave a block by plain return, with cpu->rip set and
 * core->result saying why.  core->leave asks for that at the next instruction boundary:
 * attention was raised or code was written.
 */
#ifndef SIM_CPU_CORE_H
#define SIM_CPU_CORE_H

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/decode/insn.h"
#include "sim/time/timing.h"

enum { JUMP_ENTRIES = 16384, STAMP_WAYS = 16, CROSSINGS = 64, CROSSING_RECORDS = 24, STRETCH_RECORDS = 64 };

/* Jump cache: where an indirect or far transfer goes. */
struct jump {
    uint64_t key;       /* linear address ^ stamp; JUMP_NO_KEY when empty */
    struct insn *entry; /* head of the block that starts there */
};
#define JUMP_NO_KEY 0x0000deadbeef0001ull /* stamps are never 0 and addresses canonical: no such key */

/* An instruction that crosses pages or lies near the limit of CS is decoded for this processor alone and
 * found again as long as its bytes are the same. */
struct crossing {
    uint64_t linear;
    uint32_t mode, page;
    uint8_t bytes[15];
    unsigned size;                  /* of them [bytes]; 15 but near the limit of CS */
    struct insn stub;               /* directly before the head, as in the code cache */
    struct insn record[CROSSING_RECORDS];
    struct sys_site site;
};

/* Stamps of one bucket.  Which is replaced depends on history only, not on the epochs' values. */
struct stamp_set { uint64_t epoch[STAMP_WAYS]; uint32_t mode[STAMP_WAYS]; uint16_t value[STAMP_WAYS]; unsigned next; };

struct core {
    enum exec_result result; /* why the last block was left */
    bool leave;              /* leave the block at the next instruction boundary */
    bool attended;           /* ... because cpu_attend was called, which unlike a write to code is an event of the machine */
    bool fell;               /* run_one: the record went on to its successor */
    bool chain;              /* blocks may be linked and remembered; off for crosscheck */
    bool timed;
    bool withheld;           /* the running record stores nothing after all (x87: an exception that is not masked) */
    int64_t booked;          /* cpu->budget up to which time is in cpu->now */
    uint32_t fraction;       /* of cpu->now [1/16 cycle]; machine state */
    struct insn *asking;     /* its link should be set to the block found next, or NULL */
    bool near_page;          /* rip lies in the page just run; 'page' is its RAM page index: no translation needed */
    uint32_t page;
    struct insn *dead;       /* dropped head that should forward to the block found next, or NULL */
    struct middle {          /* where stepping left a block, so that nothing is decoded to go on there */
        struct insn *entry, *record; /* the block, its next record; NULL: nowhere */
        uint64_t linear, epoch;
        uint32_t mode;
        uint32_t kind;       /* of the lazy flags: the records behind were chosen for it */
    } middle;
    struct insn step[2];     /* scratch for running exactly one record, maybe within a stretch */
    struct insn stretch[STRETCH_RECORDS + 1]; /* scratch for running some records only */
    struct sys_insn sys;     /* scratch: what a system function gets */
    uint32_t bucket;         /* of the running code; functional mode: time since the last booking belongs to it */
    struct stamp_set stamp[BUCKET_MAX];
    uint16_t stamp_of_bucket[BUCKET_MAX]; /* under the current epoch and mode; 0 = look it up */
    uint16_t stamp_last;
    uint64_t stamp_now;      /* of the current epoch and mode; cpu->jump_stamp unless chaining is off */
    uint64_t stamp_epoch;
    uint32_t stamp_mode;
    uint64_t *own_buckets;   /* when sim/time gave none */
    struct jit *jit;         /* second tier, the machine's; NULL: records only */
    struct core_hooks hooks;
    struct core_debug debug;
    const struct core_watch *watch;
    unsigned watch_count;
    bool watch_met;          /* by the running instruction, at watch_hit */
    struct core_watch_hit watch_hit;
    bool alone;              /* the dispatcher runs exactly one instruction */
    bool step_next;          /* the next instruction must be run so */
    bool stamp_break;        /* stamp_now was picked with execution breakpoints: jumps go through the dispatcher */
    unsigned branch;         /* ... and what branch it is; while pmu_steps [enum branch_type] */
    uint64_t sequential;     /* rip behind the instruction that was run alone */
    uint8_t branch_code[CORE_CODE_MAX]; /* its bytes, when only branches trap; else none */
    unsigned branch_size;
    bool stepping;           /* debug.before wants every instruction */
    uint64_t blocks;         /* counted while hooks are on */
    struct crossing crossing[CROSSINGS];
};

/* --- called by handlers ------------------------------------------------------- */

void core_slow(struct cpu *c, struct insn *r);       /* the access is not a hit */
enum core_slow { CORE_SLOW_LEFT, CORE_SLOW_RETRY, CORE_SLOW_GO_ON }; /* the block was left; the record again; the next one */
enum core_slow core_slow_access(struct cpu *c, struct insn *r);
void core_fault(struct cpu *c, struct insn *r);      /* cpu_raise was called */
void core_sys(struct cpu *c, struct insn *r);
void core_enter_slow(struct cpu *c, struct insn *r); /* the budget ends inside this block */
void core_leave(struct cpu *c, struct insn *r, uint64_t linear);
enum exec_result core_segment(struct cpu *c, const struct insn *r, uint64_t ea); /* into cpu->addr */
void core_touch(struct cpu *c, uint64_t linear, const void *host, unsigned size, bool write);
void core_time_block(struct cpu *c, const struct insn *enter);
void core_x87_error(struct cpu *c, struct insn *r);  /* an x87 exception waits */
op_fn core_exit, core_stop, core_dead, core_forward, core_observed, core_stub;

static inline struct jump *core_jump_slot(struct cpu *c, uint64_t linear)
{
    return &c->jump[(linear ^ linear >> 12) & (JUMP_ENTRIES - 1)];
}

static inline void core_note_transfer(struct cpu *c, uint64_t linear)
{
    c->transfer[c->transfer_at++] = linear;
}

/* --- crossing.c: instructions decoded alone ----------------------------------------- */

/* Code that has a limit: blocks know nothing of it, so what is entered goes through the dispatcher. */
static inline bool core_is_limited(const struct cpu *c)
{
    return !(c->mode & (MODE_LONG64 | MODE_FLAT));
}
/* Does the limit of CS end in the rest of this page or right behind it? */
static inline bool core_limit_is_near(const struct cpu *c, uint64_t linear)
{
    uint64_t rest = 4096 - (linear & 4095) + 15;
    return core_is_limited(c) && c->rip + rest > c->seg[CS].limit;
}
/* The instruction at rip, whose first byte lies at 'spa', of 'size' bytes at most: 15, or fewer where the limit ends, and
 * then it is #GP if it needs more.  NULL with core->result. */
struct insn *core_find_crossing(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size);
struct insn *core_find_at_limit(struct cpu *c, uint64_t linear);
void core_stop_outside_ram(struct cpu *c, uint64_t linear, uint64_t spa);

/* --- branch_step.c ------------------------------------------------------------------------ */

void core_branch_note(struct cpu *c);         /* before an instruction that is run alone */
bool core_branched(const struct cpu *c);      /* behind it: it was a branch, and taken */

/* --- slow.c, run.c, hooks.c ---------------------------------------------------- */

void core_refund(struct cpu *c, unsigned remaining);
void core_charge(struct cpu *c, unsigned remaining);
void core_book(struct cpu *c);
/* hooks.c: the instruction or delivery ended so; tells the debugger if it met a watch. */
void core_watch_settle(struct cpu *c, enum exec_result result);
void core_forget_jumps(struct cpu *c);
void core_forget_block(struct cpu *c); /* its records go away; its bucket is kept */
void core_run_one(struct cpu *c, const struct insn *r);
/* The same for the next 'count' instructions (1 or more) or as many as there is room for; returns the record behind them. */
struct insn *core_run_stretch(struct cpu *c, struct insn *r, unsigned count);
/* Linear address as rip: relative to CS outside 64-bit mode. */
uint64_t core_rip(const struct cpu *c, uint64_t linear);

#endif
