/* Instructions that are decoded by themselves: across two pages, or near the limit of CS. */
#include <string.h>

#include "sim/cpu/core.h"
#include "sim/cpu/decode/decode.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"

void core_stop_outside_ram(struct cpu *c, uint64_t linear, uint64_t spa)
{
    machine_request_stop(c->machine, STOP_UNIMPLEMENTED, 0,
                         "cpu%u fetches an instruction at %#llx from physical %#llx, which is not RAM", c->index,
                         (unsigned long long)linear, (unsigned long long)spa);
    c->core->result = EXEC_STOP;
}

/* 'size' bytes of code from 'linear', which lies at 'spa'; they may go on in the next page. */
static bool fetch_bytes(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size, uint8_t *bytes)
{
    struct core *core = c->core;
    unsigned head = (unsigned)(4096 - (linear & 4095));
    uint64_t second;

    head = head < size ? head : size;
    memcpy(bytes, mem_ram(c->machine->mem, spa), head);
    if (head == size) {
        return true;
    }
    core->result = mmu_fetch(c, c->mode & MODE_LONG64 ? linear + head : (uint32_t)(linear + head), &second);
    if (core->result != EXEC_OK) {
        return false;
    }
    const uint8_t *high = mem_ram(c->machine->mem, second);
    if (!high) {
        core_stop_outside_ram(c, linear + head, second);
        return false;
    }
    memcpy(bytes + head, high, size - head);
    return true;
}

struct insn *core_find_crossing(struct cpu *c, uint64_t linear, uint64_t spa, unsigned size)
{
    struct core *core = c->core;
    struct machine *m = c->machine;
    struct crossing *x = &core->crossing[(linear >> 12 ^ linear) % CROSSINGS];
    uint32_t page = (uint32_t)mem_page_index(spa);
    uint8_t bytes[15];

    if (!fetch_bytes(c, linear, spa, size, bytes)) {
        return NULL;
    }
    if (x->linear == linear && x->mode == c->mode && x->page == page && x->size == size && !memcmp(x->bytes, bytes, size)) {
        return x->record;
    }
    *x = (struct crossing){ .linear = linear, .mode = c->mode, .page = page, .size = size };
    x->stub.fn = core_stub;
    x->stub.gate = GATE_CLOSED;
    memcpy(x->bytes, bytes, size);
    const struct decode_request request = {
        .bytes = x->bytes, .size = size, .offset = (unsigned)(linear & 4095), .features = machine_features(m), .mode = c->mode,
        .page = page, .limit = 1,
        .alone = true, .timed = core->timed, .sites = &x->site + 1, .entry = x->record,
    };
    if (!decode_block(&request).end) {
        x->size = 0;
        core->result = cpu_raise_error(c, X_GP, 0);
        return NULL;
    }
    x->record->cost = x->record->gate = core->timed ? 1u << TIME_UNIT_SHIFT : 1;
    x->record->bucket = (uint8_t)bucket_of_code(m, spa, c->mode & MODE_NONROOT);
    return x->record;
}

struct insn *core_find_at_limit(struct cpu *c, uint64_t linear)
{
    struct core *core = c->core;
    uint64_t spa, limit = c->seg[CS].limit;

    core->asking = core->dead = NULL;
    if (c->rip > limit) {
        core->result = cpu_raise_error(c, X_GP, 0);
        return NULL;
    }
    core->result = mmu_fetch(c, linear, &spa);
    if (core->result != EXEC_OK) {
        return NULL;
    }
    if (!mem_ram(c->machine->mem, spa)) {
        core_stop_outside_ram(c, linear, spa);
        return NULL;
    }
    return core_find_crossing(c, linear, spa, limit - c->rip < 15 ? (unsigned)(limit - c->rip) + 1 : 15);
}
