/* The slow path: every access that is not a hit in the soft TLB, faults, and functions.
 *
 * A handler comes here before it changed anything.  If the refill makes the
 * access a hit the handler runs again.  Everything odd - page crossing, MMIO,
 * a store to a page with code - is one record run against a bounce buffer:
 * the TLB entry points at private bytes while the record runs, then they are
 * written back piece by piece.  No handler knows.
 */
#include "sim/cpu/core.h"

#include <string.h>

#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/exec/forms.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/x87/x87.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/hot.h"
#include "sim/time/timing.h"

#define CPU_PAGE_MASK (~0xfffull)

static uint64_t rip_at(const struct cpu *c, const struct insn *r)
{
    return core_rip(c, c->code_page + r->offset);
}

/* Leaves before 'r': it and what follows are not done. */
static void leave_before(struct cpu *c, const struct insn *r, enum exec_result result)
{
    core_refund(c, r->remaining);
    c->rip = rip_at(c, r);
    c->core->result = result;
}

static void leave_after(struct cpu *c, const struct insn *r)
{
    core_refund(c, r->remaining - 1u);
    c->rip = core_rip(c, c->code_page + r->offset + r->length);
    c->core->result = EXEC_OK;
}

void core_fault(struct cpu *c, struct insn *r)
{
    leave_before(c, r, EXEC_FAULT);
}

/* --- addresses -------------------------------------------------------------------- */

static uint64_t slot_value(const struct cpu *c, unsigned slot)
{
    return *(const uint64_t *)((const char *)c + slot);
}

static uint64_t address_of(const struct cpu *c, const struct insn *r)
{
    unsigned memory = form_info[r->form].memory;

    if (memory & PUSH) {
        return c->gpr[RSP] - form_info[r->form].size;
    }
    if (memory & (POP | FRAME)) {
        return c->gpr[memory & POP ? RSP : RBP];
    }
    uint64_t index = memory & AT_X ? slot_value(c, r->index) << r->scale : 0;
    return slot_value(c, r->base) + index + (uint64_t)(int64_t)r->disp;
}

/* Non-canonical: #SS where the stack segment is used, else #GP. */
static enum exec_result check_canonical(struct cpu *c, const struct insn *r, uint64_t linear, unsigned size)
{
    if (!(c->mode & MODE_LONG64) || (cpu_canonical(c, linear) && cpu_canonical(c, linear + size - 1))) {
        return EXEC_OK;
    }
    bool stack = form_info[r->form].memory & (PUSH | POP | FRAME) || r->base == SLOT_GPR + RSP * 8 ||
                 r->base == SLOT_GPR + RBP * 8 || (r->base == SLOT_ADDR && r->segment == SS);
    return cpu_raise_error(c, stack ? X_SS : X_GP, 0);
}

/* The ea record of a segment that is not flat; the access is the next record's. */
enum exec_result core_segment(struct cpu *c, const struct insn *r, uint64_t ea)
{
    const struct form_info *info = &form_info[r[1].form];
    unsigned size = info->memory ? info->size : 1;
    enum access_kind kind = info->memory & STORE ? ACCESS_WRITE : ACCESS_READ;
    return cpu_linear(c, r->segment, ea, size, kind, &c->addr);
}

/* --- bounce buffers ------------------------------------------------------------------ */

/* An access cut at the page boundary into at most two pieces. */
struct piece { uint8_t *host; uint64_t spa; unsigned size; };
struct bounce {
    uint8_t bytes[32];       /* what the guest sees instead of memory */
    struct piece piece[2];
    unsigned count;
};

static enum exec_result bounce_translate(struct cpu *c, struct bounce *b, uint64_t linear, unsigned size,
                                         enum access_kind kind)
{
    unsigned first = (unsigned)(4096 - (linear & 4095));

    b->count = first < size ? 2 : 1;
    b->piece[0].size = first < size ? first : size;
    b->piece[1].size = size - b->piece[0].size;
    for (unsigned i = 0; i < b->count; i++) {
        struct piece *p = &b->piece[i];
        enum exec_result result = mmu_fill(c, linear, p->size, kind, &p->host, &p->spa);
        if (result != EXEC_OK) {
            return result;
        }
        if (!p->host) {
            struct mem *mem = c->machine->mem; /* a code page, or NULL: MMIO */
            p->host = mem_ram_write(mem, p->spa);
        }
        linear += p->size;
    }
    return EXEC_OK;
}

/* MMIO in naturally aligned units, so a device sees sizes 1, 2, 4 and 8. */
static unsigned mmio_unit(uint64_t spa, unsigned left)
{
    unsigned unit = 8;
    while (unit > left || spa & (unit - 1)) {
        unit /= 2;
    }
    return unit;
}

static void bounce_load(struct cpu *c, struct bounce *b, bool blind)
{
    uint8_t *to = b->bytes;

    for (unsigned i = 0; i < b->count; to += b->piece[i++].size) {
        struct piece *p = &b->piece[i];
        if (p->host) {
            memcpy(to, p->host, p->size);
        } else if (!blind) {
            for (unsigned done = 0, unit; done < p->size; done += unit) {
                unit = mmio_unit(p->spa + done, p->size - done);
                uint64_t value = cpu_mmio_read(c, p->spa + done, unit);
                memcpy(to + done, &value, unit);
            }
        }
    }
}

static void bounce_store(struct cpu *c, const struct bounce *b)
{
    const uint8_t *from = b->bytes;

    for (unsigned i = 0; i < b->count; from += b->piece[i++].size) {
        const struct piece *p = &b->piece[i];
        if (p->host) {
            memcpy(p->host, from, p->size);
            if (mem_code_map(c->machine->mem)[mem_page_index(p->spa)]) {
                code_cache_written(c->machine, p->spa, p->size);
            }
            continue;
        }
        for (unsigned done = 0, unit; done < p->size; done += unit) {
            uint64_t value = 0;
            unit = mmio_unit(p->spa + done, p->size - done);
            memcpy(&value, from + done, unit);
            cpu_mmio_write(c, p->spa + done, unit, value);
        }
    }
}

static bool is_mmio(const struct bounce *b)
{
    return !b->piece[0].host || (b->count == 2 && !b->piece[1].host);
}

/* Runs 'r' with its operand in 'b'. */
static void run_bounced(struct cpu *c, struct insn *r, uint64_t linear, unsigned size, struct bounce *b)
{
    struct tlb_entry *e = &c->tlb[linear >> 12 & (TLB_ENTRIES - 1)], saved = *e;
    uint64_t page = (linear + size - 1) & CPU_PAGE_MASK;

    *e = (struct tlb_entry){ page, page, (uint64_t)(uintptr_t)b->bytes - linear, 0 };
    core_run_one(c, r);
    *e = saved;
}

#define LEFT CORE_SLOW_LEFT
#define RETRY CORE_SLOW_RETRY
#define GO_ON CORE_SLOW_GO_ON

/* The block was left by a VM exit: the state is not the guest's any more. */
static enum core_slow left_by(struct cpu *c, const struct insn *r, enum exec_result result)
{
    if (result == EXEC_VMEXIT) {
        core_refund(c, r->remaining);
        c->core->result = result;
    } else {
        leave_before(c, r, result);
    }
    c->core->fell = false;
    return LEFT;
}

/* Devices see exact time and rip. */
static void exact_begin(struct cpu *c, const struct insn *r)
{
    core_refund(c, r->remaining);
    c->rip = rip_at(c, r);
    core_book(c);
}

static enum core_slow access_bounced(struct cpu *c, struct insn *r, uint64_t linear)
{
    const struct form_info *info = &form_info[r->form];
    bool store = info->memory & STORE;
    struct bounce b = { .count = 0 };
    struct core *core = c->core;
    enum exec_result result = bounce_translate(c, &b, linear, info->size, store ? ACCESS_WRITE : ACCESS_READ);

    if (result != EXEC_OK) {
        return left_by(c, r, result);
    }
    bool mmio = is_mmio(&b), transferred_rip_set;
    if (mmio) {
        exact_begin(c, r);
        bounce_load(c, &b, info->memory & BLIND);
        core_charge(c, r->remaining);
    } else {
        bounce_load(c, &b, info->memory & BLIND);
    }
    core->result = EXEC_OK;
    core->withheld = false;
    run_bounced(c, r, linear, info->size, &b);
    transferred_rip_set = !core->fell;
    if (core->result != EXEC_OK) { /* the record raised a fault of its own (#XM) and has left */
        return LEFT;
    }
    cpu_breakpoint_access(c, linear, info->size, !(info->memory & BLIND), store && !(info->memory & KEEP) && !core->withheld);
    if (store && !(info->memory & KEEP) && !core->withheld) {
        uint64_t rip = c->rip;
        if (mmio) {
            exact_begin(c, r);
        }
        bounce_store(c, &b);
        if (mmio) {
            core_charge(c, r->remaining);
        }
        c->rip = rip;
    }
    if (transferred_rip_set) { /* nothing of the block is left */
        return LEFT;
    }
    if (core->leave && !r->part) {
        leave_after(c, r);
        core->fell = false;
        return LEFT;
    }
    core->fell = false; /* of the stretch that this record is part of, which goes on */
    return GO_ON;
}

/* In a function of its own: core_slow has no locals, so that its calls are jumps and the host stack does not grow. */
enum core_slow __attribute__((noinline)) core_slow_access(struct cpu *c, struct insn *r)
{
    const struct form_info *info = &form_info[r->form];
    uint64_t linear = address_of(c, r);
    enum access_kind kind = info->memory & STORE ? ACCESS_WRITE : ACCESS_READ;
    uint8_t *host;
    uint64_t spa;

    if (check_canonical(c, r, linear, info->size) != EXEC_OK) {
        return left_by(c, r, EXEC_FAULT);
    }
    if (info->memory & ALIGN && linear & (info->size - 1u)) {
        return left_by(c, r, cpu_raise_error(c, X_GP, 0));
    }
    if ((linear & CPU_PAGE_MASK) == ((linear + info->size - 1) & CPU_PAGE_MASK)) {
        enum exec_result result = mmu_fill(c, linear, info->size, kind, &host, &spa);
        if (result != EXEC_OK) {
            return left_by(c, r, result);
        }
        const struct tlb_entry *e = &c->tlb[linear >> 12 & (TLB_ENTRIES - 1)];
        if ((kind == ACCESS_WRITE ? e->tag_write : e->tag_read) == (linear & CPU_PAGE_MASK)) {
            return RETRY;
        }
    }
    if (cpu_breakpoint_data(c) && !c->core->alone &&
        (cpu_breakpoint_watches_page(c, linear) || cpu_breakpoint_watches_page(c, linear + info->size - 1))) {
        c->core->step_next = c->core->leave = true; /* a hit must be seen at its end: it runs by itself */
        return left_by(c, r, EXEC_OK);
    }
    return access_bounced(c, r, linear);
}

void core_slow(struct cpu *c, struct insn *r)
{
    switch (core_slow_access(c, r)) {
    case RETRY: return r->fn(c, r);
    case GO_ON: return r[1].fn(c, r + 1);
    case LEFT: return;
    }
}

/* An x87 exception that is not masked comes before the instruction. */
static enum core_slow __attribute__((noinline)) x87_error(struct cpu *c, struct insn *r)
{
    exact_begin(c, r);
    c->core->result = x87_wait_for_errors(c);
    if (c->core->result != EXEC_FAULT) {
        core_charge(c, r->remaining);
    }
    if (c->core->result == EXEC_JUMP) { /* wait for the interrupt: the time of an instruction passes */
        core_refund(c, r->remaining - 1u);
    }
    return c->core->result == EXEC_OK ? RETRY : LEFT;
}

void core_x87_error(struct cpu *c, struct insn *r)
{
    if (x87_error(c, r) == RETRY) {
        return r->fn(c, r);
    }
}

/* --- what the timed tier tells the model ---------------------------------------------------- */

void core_touch(struct cpu *c, uint64_t linear, const void *host, unsigned size, bool write)
{
    time_touch(c, linear, host, size, write);
}

void core_time_block(struct cpu *c, const struct insn *enter)
{
    time_block(c, enter);
}

/* --- functions ------------------------------------------------------------------------------ */

static void fill_sys(struct cpu *c, const struct insn *r)
{
    const struct sys_site *site = r->site;
    struct sys_insn *s = &c->core->sys;
    uint64_t linear_next = c->code_page + r->offset + r->length;

    *s = site->insn;
    s->next_rip = core_rip(c, linear_next);
    s->ea = slot_value(c, r->base) + (slot_value(c, r->index) << r->scale) + (uint64_t)(int64_t)r->disp;
    if (r->base == SLOT_PAGE) {
        s->ea += r->offset + r->length;
    }
    if (s->address_size < 8) {
        s->ea &= s->address_size == 4 ? 0xffffffff : 0xffff;
    }
}

/* Calls the function with exact time; true: go on with the next record. */
static bool __attribute__((noinline)) call_sys(struct cpu *c, struct insn *r)
{
    struct core *core = c->core;
    unsigned remaining = r->remaining;

    fill_sys(c, r);
    core_refund(c, remaining);
    c->rip = rip_at(c, r);
    core_book(c);
    enum exec_result result = r->site->fn(c, &core->sys);
    core->result = result;
    switch (result) {
    case EXEC_OK:
        core_charge(c, remaining);
        if (!core->leave && c->budget >= 0) {
            return true;
        }
        core_refund(c, remaining - 1);
        c->rip = core->sys.next_rip;
        return false;
    case EXEC_JUMP: case EXEC_REPEAT:
        core_charge(c, remaining);
        core_refund(c, remaining - 1);
        if (result == EXEC_JUMP) {
            core_note_transfer(c, core_fetch_linear(c));
        }
        return false;
    default:
        return false;
    }
}

void core_sys(struct cpu *c, struct insn *r)
{
    if (call_sys(c, r)) {
        return r[1].fn(c, r + 1);
    }
}

/* --- one record alone -------------------------------------------------------------------------- */

void core_stop(struct cpu *c, struct insn *r)
{
    (void)r;
    c->core->fell = true;
}

/* 'count' records with all their flags, and the way back.  With no budget, any block they continue in stops at its head. */
static void run_records(struct cpu *c, struct insn *copy, const struct insn *r, unsigned count)
{
    struct core *core = c->core;

    for (unsigned i = 0; i < count; i++) {
        unsigned form = form_loud(r[i].form);
        copy[i] = r[i];
        copy[i].form = (uint16_t)form;
        copy[i].fn = core->timed ? form_info[form].timed : form_info[form].fn;
    }
    copy[count] = r[count];
    copy[count].fn = core_stop;
    core->asking = NULL;
    int64_t budget = c->budget;
    c->budget = 0;
    core->booked -= budget; /* a device may ask for the time meanwhile */
    copy->fn(c, copy);
    c->budget += budget;
    core->booked += budget;
    core->asking = NULL;
}

/* Without going on: core->fell tells whether the record would have. */
void core_run_one(struct cpu *c, const struct insn *r)
{
    struct core *core = c->core;
    unsigned form = form_loud(r->form);

    core->fell = false;
    if (form == FORM_sys) {
        core->fell = call_sys(c, (struct insn *)(uintptr_t)r);
        return;
    }
    run_records(c, core->step, r, 1);
}

struct insn *core_run_stretch(struct cpu *c, struct insn *r, unsigned count)
{
    const struct insn *whole = r, *end = r; /* whole: behind the last complete instruction that fits */

    while (count && end < r + STRETCH_RECORDS) {
        if (!end++->part) {
            whole = end;
            count--;
        }
    }
    c->core->fell = false;
    run_records(c, c->core->stretch, r, (unsigned)(whole - r));
    return r + (whole - r);
}
