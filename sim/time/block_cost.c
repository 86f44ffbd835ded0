/* Prepared costs of blocks; see block_cost.h. */
#include "sim/time/block_cost.h"

#include <string.h>

#include "sim/cpu/exec/forms.h"
#include "sim/time/model.h"
#include "spec_timing_core.h"
#include "x86/opcodes.h"

enum port { PORT_NONE, PORT_ANY3, PORT_P0, PORT_P1, PORT_P05, PORT_P15, PORT_P5, PORT_MICRO, PORT_COUNT };

struct class_row { uint16_t latency, throughput; uint8_t uops, port; }; /* [1/16 cycle], [count], [enum port] */
static const struct class_row classes[TIMING_CLASS_COUNT] = {
#include "spec_timing_classes.h"
};

/* What a class does to the chain beside combining its operands into 'dst'. */
enum { OVERWRITES = 1, /* does not read its destination */
       READS_FLAGS = 2, WRITES_FLAGS = 4,
       MOVES = 8,      /* a load of it is a load and nothing else */
       VECTOR = 16,    /* operands are xmm numbers */
       WIDE = 32 };    /* rDX:rAX */
static const uint8_t traits[TIMING_CLASS_COUNT] = {
    [TIMING_ADC] = READS_FLAGS | WRITES_FLAGS, [TIMING_ALU] = WRITES_FLAGS, [TIMING_BIT] = WRITES_FLAGS,
    [TIMING_CMOV] = READS_FLAGS, [TIMING_CMPXCHG] = WRITES_FLAGS, [TIMING_LEA] = OVERWRITES,
    [TIMING_MOV] = OVERWRITES | MOVES, [TIMING_MOVX] = OVERWRITES | MOVES, [TIMING_MUL] = WRITES_FLAGS,
    [TIMING_MUL_WIDE] = WRITES_FLAGS | WIDE, [TIMING_POPCNT] = OVERWRITES | WRITES_FLAGS,
    [TIMING_ROTATE_CARRY] = READS_FLAGS | WRITES_FLAGS, [TIMING_SCAN] = OVERWRITES | WRITES_FLAGS,
    [TIMING_SETCC] = OVERWRITES | READS_FLAGS, [TIMING_SHIFT] = WRITES_FLAGS, [TIMING_SHIFT_CL] = WRITES_FLAGS,
    [TIMING_SHIFT_DOUBLE] = WRITES_FLAGS, [TIMING_XADD] = WRITES_FLAGS,
    [TIMING_VADD] = VECTOR, [TIMING_VCOMI] = VECTOR | WRITES_FLAGS, [TIMING_VCVT] = VECTOR | OVERWRITES,
    [TIMING_VDIV] = VECTOR, [TIMING_VIMUL] = VECTOR, [TIMING_VINT] = VECTOR, [TIMING_VLOGIC] = VECTOR,
    [TIMING_VMOV] = VECTOR | OVERWRITES | MOVES, [TIMING_VMOV_GPR] = VECTOR | OVERWRITES, [TIMING_VMUL] = VECTOR,
    [TIMING_VRCP] = VECTOR | OVERWRITES, [TIMING_VSHIFT] = VECTOR, [TIMING_VSHUFFLE] = VECTOR,
    [TIMING_VSQRT] = VECTOR | OVERWRITES, [TIMING_VFMA] = VECTOR, [TIMING_VLANES] = VECTOR | OVERWRITES,
    [TIMING_VHADD] = VECTOR, [TIMING_VHADDI] = VECTOR, [TIMING_VDOT] = VECTOR, [TIMING_VBLENDV] = VECTOR,
    [TIMING_VAES] = VECTOR, [TIMING_VCLMUL] = VECTOR,
};

enum { XMM_0 = 32, FLAGS = XMM_0 + 16, VALUES, UNIT = 1 << TIME_UNIT_SHIFT, TURNS = 3 };

struct bounds {
    uint32_t uops, port[PORT_COUNT], loads, stores; /* port: [1/16 cycle] of one such port */
    uint32_t ready[VALUES];                         /* when a value is there [1/16 cycle] */
    uint32_t chain, micro;
};

static uint32_t
largest(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Slots are byte offsets, AH and AL parts of one register; slot 0 is the code page, which nothing waits for. */
static unsigned
value_of(uint8_t slot, bool vector)
{
    return vector && slot < 16 ? XMM_0 + slot : slot / 8;
}

static bool
only_compares(unsigned form)
{
    return form >= FORM_cmp_rr_8 && form <= FORM_test_xi_64;
}

static bool
is_zero_idiom(const struct insn *r, unsigned form)
{
    return r->dst == r->src && ((form >= FORM_xor_rr_8 && form <= FORM_xor_rr_64) ||
                                (form >= FORM_sub_rr_8 && form <= FORM_sub_rr_64));
}

/* When the operands of 'r' are there. */
static uint32_t
operands_ready(const struct bounds *b, const struct insn *r, unsigned form, unsigned trait)
{
    unsigned memory = form_info[form].memory;
    bool vector = trait & VECTOR, loads = memory && !(memory & BLIND);
    bool three = form >= FORM_AVX && form < FORM_exit; /* 'src' and 'base' or memory; 'dst' is only written */
    uint32_t at = 0;
    if (loads)
        at = largest(b->ready[value_of(r->base, false)], b->ready[value_of(r->index, false)]) + CORE_L1D_LATENCY * UNIT;
    if (!vector || !memory || three)
        at = largest(at, b->ready[value_of(r->src, vector)]);
    if (three && !memory)
        at = largest(at, b->ready[value_of(r->base, true)]);
    if (!(trait & OVERWRITES) && !three && (!memory || !(memory & BLIND)))
        at = largest(at, b->ready[value_of(r->dst, vector)]);
    if (trait & READS_FLAGS)
        at = largest(at, b->ready[FLAGS]);
    if (trait & WIDE)
        at = largest(at, b->ready[value_of(SLOT_GPR + RAX * 8, false)]);
    return at;
}

static void
add_chain(struct bounds *b, const struct insn *r, unsigned form)
{
    unsigned memory = form_info[form].memory, trait = traits[r->timing];
    const struct class_row *row = &classes[r->timing];
    bool address_only = form >= FORM_lea_m_16 && form <= FORM_lea_x_64;
    uint32_t done = operands_ready(b, r, form, trait);

    if (address_only)
        done = largest(b->ready[value_of(r->base, false)], b->ready[value_of(r->index, false)]);
    if (address_only && r->disp && r->base != SLOT_ZERO && r->index != SLOT_ZERO)
        done += 2 * UNIT; /* base, index and displacement: LEA of three components */
    if (!(memory && trait & MOVES))
        done += row->latency;
    if (is_zero_idiom(r, form))
        done = 0;
    b->chain = largest(b->chain, done);
    if (trait & WRITES_FLAGS)
        b->ready[FLAGS] = done;
    if (trait & WIDE)
        b->ready[value_of(SLOT_GPR + RAX * 8, false)] = b->ready[value_of(SLOT_GPR + RDX * 8, false)] = done;
    else if (!only_compares(form) && !(memory & STORE) && (r->dst || trait & VECTOR))
        b->ready[value_of(r->dst, trait & VECTOR)] = done;
    b->ready[SLOT_ZERO / 8] = 0;
}

static bool
has_chain(unsigned form)
{
    return form < FORM_exit && !(form_info[form].memory & (PUSH | POP | FRAME)) &&
           (form < FORM_enter || form > FORM_ret);
}

static void
add_load(struct bounds *b, const struct insn *r, bool fused_before)
{
    const struct class_row *row = &classes[r->timing];
    unsigned memory = form_info[r->form].memory;

    b->loads += memory && !(memory & BLIND);
    b->stores += (memory & STORE) && !(memory & KEEP);
    if (r->timing == TIMING_NONE || fused_before)
        return; /* counted by the instruction's first record, or with the comparison */
    if (row->port == PORT_MICRO) {
        b->micro += row->throughput;
        return;
    }
    b->uops += row->uops + (memory & STORE && !(traits[r->timing] & MOVES));
    if (r->form >= FORM_FUSED)
        b->port[PORT_P5] += UNIT;
    else if (!(memory && traits[r->timing] & MOVES))
        b->port[row->port] += row->throughput;
}

/* A group of n ports serves what only it can take; ANY3 fills the rest. */
static uint32_t
port_bound(const struct bounds *b)
{
    uint32_t p0 = b->port[PORT_P0], p1 = b->port[PORT_P1], p5 = b->port[PORT_P5];
    uint32_t bound = largest(largest(p0, p1), p5);
    bound = largest(bound, (p0 + p5) / 2 + b->port[PORT_P05]);
    bound = largest(bound, (p1 + p5) / 2 + b->port[PORT_P15]);
    /* Rows state the throughput of their whole group: ANY3 0.33 is a third of a cycle on each of three ports. */
    return largest(bound, (p0 + p1 + p5) / 3 + (b->port[PORT_P05] + b->port[PORT_P15]) * 2 / 3 + b->port[PORT_ANY3]);
}

/* How much later every value is there after one more turn through the block. */
static uint32_t
carried_chain(const struct bounds *once, const struct insn *records, unsigned count)
{
    struct bounds b = *once;
    uint32_t before[VALUES], carried = 0;

    for (unsigned turn = 1; turn < TURNS; turn++) {
        memcpy(before, b.ready, sizeof before);
        for (unsigned i = 0; i < count; i++)
            if (has_chain(form_loud(records[i].form)))
                add_chain(&b, &records[i], form_loud(records[i].form));
    }
    for (unsigned v = 0; v < VALUES; v++)
        if (b.ready[v] > before[v])
            carried = largest(carried, b.ready[v] - before[v]);
    return carried;
}

static bool
follows_itself(const struct insn *records, unsigned count)
{
    const struct insn *last = &records[count - 1];
    bool jumps = last->form == FORM_jump || (last->form >= FORM_jcc_any_o && last->form <= FORM_jcc_logic_nle) ||
                 (last->form >= FORM_loop_32 && last->form <= FORM_jcxz_64);
    return jumps && last->link->form == FORM_exit && last->link->imm == records[0].offset;
}

uint32_t
time_block_cost(const struct insn *records, unsigned count)
{
    struct bounds b;
    memset(&b, 0, sizeof b);
    for (unsigned i = 0; i < count; i++) {
        unsigned form = form_loud(records[i].form);
        add_load(&b, &records[i], i && records[i - 1].form >= FORM_FUSED);
        if (has_chain(form))
            add_chain(&b, &records[i], form);
    }
    uint32_t cost = largest(b.uops * UNIT / CORE_ISSUE_WIDTH, port_bound(&b));
    cost = largest(cost, b.loads * UNIT / CORE_LOAD_PORTS);
    cost = largest(cost, b.stores * UNIT / CORE_STORE_PORTS);
    cost = largest(cost, carried_chain(&b, records, count));
    if (b.chain > cost && !follows_itself(records, count))
        cost += (b.chain - cost) * (100 - CORE_CHAIN_HIDDEN_PERCENT) / 100;
    return largest(cost + b.micro, 1);
}
