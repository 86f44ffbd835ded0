/* From an operation's number to its function, lane by lane or whole. */
#include <string.h>

#include "sim/cpu/avx/avx.h"
#include "sim/cpu/sse/sse_priv.h"
#include "x86/avx_functions.h"
#include "x86/sse_functions.h"

enum kind { LANE, LANE_FAULTING, WHOLE, WHOLE_FAULTING };
enum destination { VECTOR, GENERAL, FLAGS };

struct avx_op {
    uint8_t kind;      /* [enum kind] */
    uint8_t to;        /* [enum destination] */
    bool shared;       /* the last operand is one lane, for both */
    uint8_t imm_shift; /* of the immediate for the upper lane [bits] */
    union {
        sse_fn *lane;
        ssef_fn *lane_faulting;
        avx_fn *whole;
        avxf_fn *whole_faulting;
    };
};

#define MEMBER_LANE lane
#define MEMBER_LANE_FAULTING lane_faulting
#define MEMBER_WHOLE whole
#define MEMBER_WHOLE_FAULTING whole_faulting
#define AVX_OP(id, its_kind, fn, its_to, its_shared, its_shift) \
    [AVX_OP_##id] = { .kind = its_kind, .to = its_to, .shared = its_shared, .imm_shift = its_shift, .MEMBER_##its_kind = fn },
static const struct avx_op ops[AVX_OP_COUNT] = {
#include "x86/avx_ops.def"
};
#undef AVX_OP

struct operation {
    const struct avx_op *op;
    unsigned imm, first, third;
    bool wide;
};

static void write_vector(struct cpu *c, unsigned dst, const union ymm *value, bool wide)
{
    c->xmm[dst] = value->lane[0];
    c->ymm_high[dst] = wide ? value->lane[1] : (union xmm){ .u64 = { 0, 0 } };
}

/* Lanes that cannot fault. */
static void run_lanes(struct cpu *c, unsigned dst, const struct operation *o)
{
    union ymm to = { .lane = { c->xmm[o->first], c->ymm_high[o->first] } };

    o->op->lane(c, &to.lane[0], &c->avx_from[0], o->imm);
    if (o->wide) {
        o->op->lane(c, &to.lane[1], &c->avx_from[!o->op->shared], o->imm >> o->op->imm_shift);
    }
    write_vector(c, dst, &to, o->wide);
}

static enum exec_result commit(struct cpu *c)
{
    c->avx_collects = false;
    return c->avx_flags ? sse_commit_flags(c, c->avx_flags) : EXEC_OK;
}

static void collect(struct cpu *c)
{
    c->avx_collects = true;
    c->avx_flags = 0;
}

static enum exec_result run_faulting_lanes(struct cpu *c, unsigned dst, const struct operation *o)
{
    union ymm to = { .lane = { c->xmm[o->first], c->ymm_high[o->first] } };

    collect(c);
    o->op->lane_faulting(c, &to.lane[0], &c->avx_from[0], o->imm);
    if (o->wide) {
        o->op->lane_faulting(c, &to.lane[1], &c->avx_from[1], o->imm >> o->op->imm_shift);
    }
    enum exec_result result = commit(c);
    if (result == EXEC_OK) {
        write_vector(c, dst, &to, o->wide);
    }
    return result;
}

static enum exec_result run_whole(struct cpu *c, unsigned dst, const struct operation *o)
{
    struct avx_call call = {
        .a = { .lane = { c->xmm[o->first], c->ymm_high[o->first] } },
        .b = { .lane = { c->avx_from[0], c->avx_from[1] } },
        .third = { .lane = { c->xmm[o->third], c->ymm_high[o->third] } },
        .imm = o->imm, .lanes = o->wide ? 2 : 1,
    };
    enum exec_result result = EXEC_OK;

    if (o->op->to == VECTOR || o->op->to == FLAGS) {
        call.to = (union ymm){ .lane = { c->xmm[dst], c->ymm_high[dst] } };
    }
    if (o->op->kind == WHOLE) {
        o->op->whole(c, &call);
    } else {
        collect(c);
        o->op->whole_faulting(c, &call);
        result = commit(c);
    }
    if (result == EXEC_OK && o->op->to == VECTOR) {
        write_vector(c, dst, &call.to, o->wide);
    } else if (result == EXEC_OK && o->op->to == GENERAL) {
        memcpy((char *)c + dst, &call.to, 8);
    }
    return result;
}

/* Of scalars: to a general register, or compared to flags ('dst' is then read only). */
static enum exec_result run_scalar(struct cpu *c, unsigned dst, const struct operation *o)
{
    union xmm to = o->op->to == FLAGS ? c->xmm[dst] : (union xmm){ .u64 = { 0, 0 } };
    enum exec_result result = EXEC_OK;

    if (o->op->kind == LANE) {
        o->op->lane(c, &to, &c->avx_from[0], o->imm);
    } else {
        result = o->op->lane_faulting(c, &to, &c->avx_from[0], o->imm);
    }
    if (result == EXEC_OK && o->op->to == GENERAL) {
        memcpy((char *)c + dst, &to, 8);
    }
    return result;
}

enum exec_result avx_execute(struct cpu *c, unsigned dst, uint64_t operation)
{
    struct operation o = {
        .op = &ops[operation & 0xffff], .imm = operation >> AVX_IMM & 0xff, .first = operation >> AVX_FIRST & 15,
        .third = operation >> AVX_THIRD & 15, .wide = operation >> AVX_WIDE & 1,
    };
    if (o.op->kind >= WHOLE) {
        return run_whole(c, dst, &o);
    }
    if (o.op->to != VECTOR) {
        return run_scalar(c, dst, &o);
    }
    if (o.op->kind == LANE_FAULTING) {
        return run_faulting_lanes(c, dst, &o);
    }
    run_lanes(c, dst, &o);
    return EXEC_OK;
}
