/* Inside the second tier: registers, one translation, the shared pieces of code.
 *
 * Where guest state lives while code runs.  Twelve guest registers have a host register each, most
 * under the same number, so that instructions keep their shape; the other four, the lazy flags, the
 * scratch slots and everything else stay in struct cpu, which R15 points into (its first 256 bytes
 * within a byte's displacement).  R10 and R11 are scratch; host flags mean nothing between records.
 *
 *   guest  rAX rCX rDX rBX rSP rBP rSI rDI  R8  R9 R10 R11 R12 R13 R14 R15
 *   host   rAX rCX rDX rBX R14 rBP rSI rDI  R8  R9  -   -  R12 R13  -   -
 *
 * A guest access leaves its host address in R10.  Code that cannot go on (a miss in the soft TLB, a
 * closed gate, a link nobody resolved) jumps to a piece in the cold part of the arena, which calls
 * one of the thunks with what they need to know behind the call.
 */
#ifndef SIM_CPU_JIT_JIT_PRIV_H
#define SIM_CPU_JIT_JIT_PRIV_H

#include "sim/cpu/core.h"
#include "sim/cpu/features.h"
#include "sim/cpu/exec/flags.h"
#include "sim/cpu/exec/forms.h"
#include "sim/cpu/jit/assembler.h"
#include "sim/cpu/jit/jit.h"

enum { HOST_SP = 4, SCRATCH = 10, SCRATCH2 = 11, GUEST_SP = 14, CPU_REGISTER = 15, CPU_BIAS = 128 };

enum thunk {
    THUNK_CALL,      /* C's way in: (cpu, record, function) */
    THUNK_RESUME,    /* record stubs: takes the registers up, goes on at R11 */
    THUNK_RECORD,    /* to the handler of the record in R11 */
    THUNK_CLOSED,    /* to the handler of the head in R11, whose cost in R10 was taken and comes back */
    THUNK_COLD_CODE, /* entry[-1].code of blocks without code: R11 is the head, its cost is paid */
    THUNK_SLOW,      /* behind the call: struct slow_site */
    THUNK_FOLLOW,    /* behind the call: struct link_site */
    THUNK_LEAVE,     /* core_leave for the address in R10; behind the call: the record */
    THUNK_HANDLER,   /* the handler of R11's form, whatever the record's fn is */
    THUNK_FLAGS,     /* flags_now into R10; keeps everything but R11 */
    THUNK_CARRY,     /* the guest's CF into the host's; R10 and R11 are lost */
    THUNK_COUNT,
};

/* Where a record's access failed, and where to go on; offsets from the arena's start, 0 = by the record. */
struct slow_site { struct insn *record; uint32_t retry, next; };
/* A jump to r->link that ends here until the block there has code. */
struct link_site { struct insn *record; uint32_t field; };

struct jit {
    uint8_t *code;            /* the arena, writable */
    int64_t shift;            /* from there to where it runs [bytes] */
    uint8_t *hot, *cold;      /* next free byte of each part */
    uint8_t *hot_start, *cold_start, *end;
    uint8_t *thunk[THUNK_COUNT];
    struct insn **block;      /* the translated ones */
    unsigned block_count;
    unsigned heat, bytes;
    struct cpu_features host; /* SSE extensions of the host */
    struct translation *work;
    struct jit_stats stats;
    bool used[FORM_COUNT];    /* forms that became code */
};

enum { JIT_BLOCKS_MAX = 1 << 17, BLOCK_HOT_MAX = 160 * BLOCK_RECORDS, BLOCK_COLD_MAX = 96 * BLOCK_RECORDS, HEAD_BYTES = 11 };

/* Vectors at the arena's start: four times the same value. */
enum jit_constant { CONSTANT_MAGNITUDE, CONSTANT_DENORMAL, CONSTANT_SAFE_BIAS, CONSTANT_SAFE, CONSTANT_ONES, CONSTANT_COUNT };
enum { CONSTANT_BYTES = CONSTANT_COUNT * 16 };

/* What code may assume here (emit_sse.c); a bit per xmm register. */
struct sse_known {
    bool mxcsr;               /* rounds to nearest; PE is set and masked */
    uint16_t low64, low32;    /* the low double, the low single is no denormal */
    uint16_t pd, ps;          /* no double, no single is */
};

#define KIND_UNKNOWN (~0u)

/* One block being translated. */
struct translation {
    struct assembler a;       /* the hot part */
    struct jit *jit;
    struct insn *entry;
    uint8_t *head;            /* where its cost is paid */
    uint8_t *start;           /* of the record being translated */
    uint32_t kind;            /* CC_KIND of the lazy flags here, or KIND_UNKNOWN */
    struct pending {
        enum { PENDING_SLOW, PENDING_LINK, PENDING_LEAVE, PENDING_HANDLER, PENDING_HEAD, PENDING_RESUME } kind;
        uint8_t *field;       /* the jump to the piece */
        uint8_t *retry;       /* PENDING_SLOW: the record's start */
        struct insn *record;
    } pending[4 * BLOCK_RECORDS];
    unsigned pending_count;
    struct sse_known known;
    uint8_t *code_of[BLOCK_RECORDS + 4]; /* of each record, or NULL */
};

/* What the translator does for a form: a row of rules.c. */
struct rule {
    void (*emit)(struct translation *, struct insn *, const struct rule *); /* NULL: left to its handler */
    uint8_t op, bits;         /* meaning of 'op' belongs to emit */
    char dst, src;            /* kinds of operand: r i m x, as in forms.h; 0 = none */
    uint8_t condition;        /* of fused forms and jumps; producers in 'op' */
    uint8_t producer;
    bool loud;                /* sets the lazy flags */
    bool ends;                /* never goes on to the next record */
    /* SSE operations that are the host's: 'op' is the opcode; dst V U G R, src r m e */
    uint8_t prefix, map;
    int8_t digit;             /* of a shift by an immediate */
    bool immediate, wide;
    uint16_t feature;         /* [enum cpu_feature] the host must have, 0 = none */
};
extern const struct rule *jit_rule(unsigned form); /* never NULL */

/* --- operands (operands.c) ---------------------------------------------------------- */

#define FIELD_OF_CPU(field) at_base(CPU_REGISTER, (int32_t)offsetof(struct cpu, field) - CPU_BIAS)
static inline struct place slot_place(unsigned slot) { return at_base(CPU_REGISTER, (int32_t)slot - CPU_BIAS); }

/* Host register that holds a slot, or NO_REGISTER: memory, or AH ... BH. */
int host_register(unsigned slot);
bool is_high_byte(unsigned slot);
/* Value of a slot in 'reg'; the upper bits are its sign or anything. */
void load_slot(struct translation *, int reg, unsigned slot, int bits, bool extend);
/* As the handlers' put_r: a 32-bit value clears the upper half.  Changes 'reg' for AH ... BH or memory. */
void store_slot(struct translation *, unsigned slot, int reg, int bits);
/* Linear address of an m or x form in SCRATCH. */
void emit_address(struct translation *, const struct insn *, char form);
/* Of an m or x form: host address in SCRATCH, SCRATCH2 lost. */
void emit_access(struct translation *, struct insn *, char form, bool write, unsigned size);
/* The same for the linear address in SCRATCH. */
void emit_check(struct translation *, struct insn *, bool write, unsigned size);
/* Nobody can see the flags that this record leaves (as the decoder's quiet forms). */
bool flags_dead(const struct translation *, const struct insn *);
void emit_kind(struct translation *, unsigned kind, int bits);
void pend(struct translation *, int kind, uint8_t *field, struct insn *record);

/* --- by family ------------------------------------------------------------------------- */

typedef void emit_fn(struct translation *, struct insn *, const struct rule *);
emit_fn emit_binary, emit_move, emit_extend, emit_lea, emit_shift, emit_unary, emit_multiply, emit_movabs, emit_widen,
    emit_swap, emit_nop, emit_load_for_write, emit_ea, emit_push, emit_pop, emit_peek, emit_leave, emit_jump,
    emit_away, emit_go, emit_call, emit_ret, emit_jcc, emit_fused, emit_set, emit_cmov, emit_exchange, emit_exchange_add,
    emit_cmpxchg, emit_sse_load, emit_sse_store, emit_sse_move, emit_wide_multiply, emit_bit_test, emit_sse_host,
    emit_sse_scalar, emit_sse_root, emit_sse_order, emit_sse_compare, emit_sse_resize, emit_sse_from_integer,
    emit_sse_to_integer, emit_sse_packed, emit_carry_binary, emit_variable_shift,
    emit_rotate, emit_divide, emit_avx_load, emit_avx_store, emit_avx_move, emit_avx_from_gpr, emit_avx_zero_upper, emit_avx_host,
    emit_avx_byte_mask;

/* Nothing is known; an xmm register was written. */
void sse_forget(struct translation *);
void sse_written(struct translation *, unsigned xmm);
void jit_make_constants(struct jit *);

/* Compares what a condition needs; returns the host condition that holds when it does, or -1 (never), 16 (always). */
int emit_condition(struct translation *, unsigned producer, unsigned condition);
/* The last jumps of a block. */
void emit_link(struct translation *, struct insn *record, int cc); /* cc -1: always */

void jit_make_thunks(struct jit *);
uint8_t *jit_run_address(const struct jit *, const uint8_t *);
bool jit_has_code(const struct jit *, const struct insn *entry);
uint8_t *jit_head(const struct jit *, const struct insn *entry); /* writable address */
bool jit_translate(struct jit *, struct insn *entry);
/* Continues at site->record->link and lets the jump go there directly when it may. */
void jit_follow(struct cpu *, const struct link_site *);

#endif
