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

enum { FLAGS_SLOT = 0, SLOT_COUNT = 256, UNIT = 1 << TIME_UNIT_SHIFT };

struct bounds {
    uint32_t uops, port[PORT_COUNT], loads, stores; /* port: [1/16 cycle] of one such port */
    uint32_t ready[SLOT_COUNT];                     /* when a slot's value is there [1/16 cycle] */
    uint32_t chain, micro;
};

static uint32_t
largest(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Operand slots are byte offsets; AH and AL are parts of one register. */
static uint8_t
whole(uint8_t slot)
{
    return slot & 0xf8;
}

static void
add_chain(struct bounds *b, const struct insn *r, const struct class_row *row, unsigned memory)
{
    uint32_t address = largest(b->ready[whole(r->base)], b->ready[whole(r->index)]);
    bool loads = memory && !(memory & BLIND);
    uint32_t start = largest(loads ? address + CORE_L1D_LATENCY * UNIT : 0, b->ready[whole(r->src)]);
    bool reads_destination = !memory || (memory & STORE);
    if (reads_destination)
        start = largest(start, b->ready[whole(r->dst)]);
    uint32_t done = start + row->latency;
    b->chain = largest(b->chain, done);
    if (!(memory & STORE))
        b->ready[whole(r->dst)] = done;
}

static void
add_record(struct bounds *b, const struct insn *r)
{
    const struct class_row *row = &classes[r->timing];
    unsigned memory = form_info[r->form].memory;
    bool first = r->timing != TIMING_NONE;

    b->loads += memory && !(memory & BLIND);
    b->stores += (memory & STORE) && !(memory & KEEP);
    if (!first)
        return; /* counted by the instruction's first record */
    b->uops += row->uops + (memory != 0);
    if (row->port == PORT_MICRO) {
        b->micro += row->throughput;
        return;
    }
    b->port[row->port] += row->throughput;
    if (r->form < FORM_exit && memory != PUSH && memory != POP)
        add_chain(b, r, row, memory);
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

uint32_t
time_block_cost(const struct insn *records, unsigned count)
{
    struct bounds b;
    memset(&b, 0, sizeof b);
    for (unsigned i = 0; i < count; i++)
        add_record(&b, &records[i]);
    uint32_t cost = largest(b.uops * UNIT / CORE_ISSUE_WIDTH, port_bound(&b));
    cost = largest(cost, b.loads * UNIT / CORE_LOAD_PORTS);
    cost = largest(cost, b.stores * UNIT / CORE_STORE_PORTS);
    /* The window overlaps a block with its neighbours: half of a chain longer
     * than the throughput bounds is hidden behind independent work. */
    if (b.chain > cost)
        cost += (b.chain - cost) / 2;
    return largest(cost + b.micro, 1);
}
