/* The run loop: finds blocks, runs them, looks at events between them, keeps time.
 *
 * One round of the loop: look at what needs attention; if halted, let time
 * pass; else give the blocks a budget up to the next boundary and run until it is used up or
 * something happens.  When the next block does not fit into the budget it is
 * run record by record up to that very instruction.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/cpu/apic/apic.h"
#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/core.h"
#include "sim/cpu/decode/decode.h"
#include "sim/cpu/event/breakpoint.h"
#include "sim/cpu/event/event.h"
#include "sim/cpu/jit/jit.h"
#include "sim/cpu/exec/forms.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/system/pmu.h"
#include "sim/cpu/system/system.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/hot.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"

#define CPU_PAGE_MASK (~0xfffull)
enum { BUDGET_MAX = GATE_CLOSED >> (TIME_UNIT_SHIFT + 1) }; /* [cycles]: stays below a closed gate */
enum { STAMP_LAST = 0xfffe }; /* 0 never matches anything, 0xffff could match an empty entry */

/* --- addresses ------------------------------------------------------------------------ */

uint64_t core_rip(const struct cpu *c, uint64_t linear)
{
    return c->mode & MODE_LONG64 ? linear : (uint32_t)(linear - c->seg[CS].base);
}

uint64_t core_fetch_linear(const struct cpu *c)
{
    return c->mode & MODE_LONG64 ? c->rip : (uint32_t)(c->seg[CS].base + c->rip);
}

/* --- time ------------------------------------------------------------------------------- */

/* Functional mode: an instruction is a cycle, so time, count and attribution
 * all follow from the budget and are booked together.  Approximate mode: the
 * model books what it charges itself, so blocks book theirs when they are paid. */

/* Cost of the running block's last 'remaining' instructions [budget units]. */
static int64_t share(const struct cpu *c, unsigned remaining)
{
    const struct insn *b = c->block;
    return c->core->timed ? (int64_t)((uint64_t)b->cost * remaining / b->instructions) : remaining;
}

void core_refund(struct cpu *c, unsigned remaining)
{
    int64_t cost = share(c, remaining);

    c->budget += cost;
    if (c->core->timed) {
        c->bucket_cycles[c->block->bucket] -= (uint64_t)cost;
        c->instructions -= remaining;
    }
}

void core_charge(struct cpu *c, unsigned remaining)
{
    int64_t cost = share(c, remaining);

    c->budget -= cost;
    if (c->core->timed) {
        c->bucket_cycles[c->block->bucket] += (uint64_t)cost;
        c->instructions += remaining;
    }
}

void core_book(struct cpu *c)
{
    struct core *core = c->core;
    uint64_t spent = (uint64_t)(core->booked - c->budget);

    core->booked = c->budget;
    if (!core->timed) {
        c->now += spent;
        c->instructions += spent;
        c->bucket_cycles[core->bucket] += spent;
        return;
    }
    spent += core->fraction;
    c->now += spent >> TIME_UNIT_SHIFT;
    core->fraction = spent & ((1u << TIME_UNIT_SHIFT) - 1);
}

void core_forget_block(struct cpu *c)
{
    if (c->block && c->core->timed) {
        c->core->bucket = c->block->bucket;
    }
    c->block = NULL;
}

/* Budget up to 'until', everything so far being booked. */
static void budget_set(struct cpu *c, uint64_t until)
{
    uint64_t cycles = until > c->now ? until - c->now : 0;
    struct core *core = c->core;

    if (cycles > BUDGET_MAX) {
        cycles = BUDGET_MAX;
    }
    c->budget = core->timed ? (int64_t)(cycles << TIME_UNIT_SHIFT) - core->fraction : (int64_t)cycles;
    core->booked = c->budget;
}

static void bucket_switch(struct cpu *c, const struct insn *entry);

/* --- leaving blocks ------------------------------------------------------------------------ */

/* A transfer whose target is not in the jump cache.  A near transfer to a
 * non-canonical address faults itself: "CALL", "JMP", "RET" in SDM Vol 2. */
void core_leave(struct cpu *c, struct insn *r, uint64_t linear)
{
    if (c->mode & MODE_LONG64 && !cpu_canonical(c, linear) &&
        (r->form == FORM_ret || r->form == FORM_go)) {
        if (r->form == FORM_ret) {
            c->gpr[RSP] -= 8 + (uint64_t)r->imm;
        }
        cpu_raise_error(c, X_GP, 0);
        core_fault(c, r);
        return;
    }
    c->rip = core_rip(c, linear);
}

/* The end of a link that nobody resolved yet; its owner is two records back. */
void core_exit(struct cpu *c, struct insn *r)
{
    struct core *core = c->core;

    core->asking = core->chain ? r - 2 : NULL;
    core->near_page = true;
    core->page = r->page;
    c->rip = core_rip(c, c->code_page + (uint64_t)r->imm);
}

static void leave_at_head(struct cpu *c, const struct insn *r)
{
    c->core->near_page = true;
    c->core->page = r->page;
    c->rip = core_rip(c, c->code_page + r->offset);
}

/* The dispatcher knows the block, then; but those of one instruction may be replaced (crossing_find). */
void core_enter_slow(struct cpu *c, struct insn *r)
{
    struct core *core = c->core;

    leave_at_head(c, r);
    if (r->instructions > 1) {
        core->middle = (struct middle){ r, r + 1, core_fetch_linear(c), core->stamp_epoch, c->mode, c->cc_kind };
    }
}

/* Head of a dropped block: the dispatcher finds its successor and leaves a forward. */
void core_dead(struct cpu *c, struct insn *r)
{
    leave_at_head(c, r);
    c->core->dead = r;
}

void core_forward(struct cpu *c, struct insn *r)
{
    while (r->link->fn == core_forward) {
        r->link = r->link->link; /* shorten the path */
    }
    return r->link->fn(c, r->link);
}

/* The stub before a head, used by whoever comes from another bucket. */
void core_stub(struct cpu *c, struct insn *r)
{
    bucket_switch(c, r + 1);
    return r[1].fn(c, r + 1);
}

/* Calls the block's entry observer; true: it changed something, so look at everything again. */
static bool observer_changed(struct cpu *c, const struct insn *enter)
{
    struct core *core = c->core;
    bool leave = core->leave;

    core->leave = false;
    code_cache_call_observer(c->machine->code, c, enter->page, enter->offset);
    bool changed = core->leave;
    core->leave |= leave;
    return changed;
}

/* Head of a block with an entry observer. */
void core_observed(struct cpu *c, struct insn *r)
{
    struct core *core = c->core;

    if (c->budget < (int64_t)r->cost) { /* the dispatcher does it */
        leave_at_head(c, r);
        return;
    }
    c->rip = core_rip(c, c->code_page + r->offset);
    core_book(c);
    if (observer_changed(c, r)) {
        return;
    }
    c->block = r;
    core_charge(c, r->instructions);
    if (core->timed) {
        core_time_block(c, r);
    }
    return r[1].fn(c, r + 1);
}

/* --- finding blocks --------------------------------------------------------------------------- */

void core_forget_jumps(struct cpu *c)
{
    struct core *core = c->core;

    memset(core->stamp, 0, sizeof core->stamp);
    memset(core->stamp_of_bucket, 0, sizeof core->stamp_of_bucket);
    core->stamp_last = 0;
    for (unsigned i = 0; i < JUMP_ENTRIES; i++) {
        c->jump[i].key = JUMP_NO_KEY;
    }
}

/* The jump cache serves many address spaces, modes and buckets at once: each triple of
 * (translation epoch, mode, bucket) has a stamp in the keys' high bits. */
static void stamp_find(struct cpu *c)
{
    struct core *core = c->core;
    struct stamp_set *set = &core->stamp[core->bucket];
    unsigned way = 0;

    while (way < STAMP_WAYS && (set->epoch[way] != core->stamp_epoch || set->mode[way] != core->stamp_mode)) {
        way++;
    }
    if (way == STAMP_WAYS) {
        if (core->stamp_last == STAMP_LAST) {
            core_forget_jumps(c);
        }
        way = set->next++ % STAMP_WAYS;
        set->epoch[way] = core->stamp_epoch;
        set->mode[way] = core->stamp_mode;
        set->value[way] = ++core->stamp_last;
    }
    core->stamp_of_bucket[core->bucket] = set->value[way];
}

static void stamp_use(struct cpu *c)
{
    struct core *core = c->core;

    if (!core->stamp_of_bucket[core->bucket]) {
        stamp_find(c);
    }
    core->stamp_now = (uint64_t)core->stamp_of_bucket[core->bucket] << 48;
    c->jump_stamp = core->chain && !c->break_code && !core_is_limited(c) ? core->stamp_now : 0;
}

static void stamp_pick(struct cpu *c)
{
    struct core *core = c->core;
    uint64_t epoch = mmu_code_epoch(c);

    if (core->stamp_epoch != epoch || core->stamp_mode != c->mode || core->stamp_break != (c->break_code != 0)) {
        core->stamp_break = c->break_code != 0;
        core->stamp_epoch = epoch;
        core->stamp_mode = c->mode;
        memset(core->stamp_of_bucket, 0, sizeof core->stamp_of_bucket);
        stamp_use(c);
    }
}

/* From here on time belongs to the bucket of 'entry'. */
static void bucket_switch(struct cpu *c, const struct insn *entry)
{
    core_book(c);
    c->core->bucket = entry->bucket;
    stamp_use(c);
}

/* How code of the current bucket gets to 'entry'. */
static struct insn *way_to(const struct core *core, struct insn *entry)
{
    return core->timed || entry->bucket == core->bucket ? entry : entry - 1;
}

static void fill_link(struct core *core, struct insn *entry)
{
    if (core->asking) {
        core->asking->link = way_to(core, entry);
    }
    if (core->dead) {
        core->dead->link = entry;
        core->dead->fn = core_forward;
    }
    core->asking = core->dead = NULL;
}

/* Block at cpu->rip, or NULL with core->result. */
static struct insn *find_block(struct cpu *c)
{
    struct core *core = c->core;
    struct machine *m = c->machine;
    uint64_t linear = core_fetch_linear(c), spa;
    struct jump *j = core_jump_slot(c, linear);
    bool near_page = core->near_page;
    uint32_t page = core->page;

    core->near_page = false;
    c->code_page = linear & CPU_PAGE_MASK;
    if (core_limit_is_near(c, linear)) {
        return core_find_at_limit(c, linear);
    }
    if (!near_page) {
        core->asking = core->dead = NULL;
        if (j->key == (linear ^ core->stamp_now)) {
            return j->entry->fn == core_stub ? j->entry + 1 : j->entry;
        }
        core->result = mmu_fetch(c, linear, &spa);
        if (core->result != EXEC_OK) {
            return NULL;
        }
        if (!mem_ram(m->mem, spa)) {
            core_stop_outside_ram(c, linear, spa);
            return NULL;
        }
        page = (uint32_t)mem_page_index(spa);
        if (core->debug.translated) {
            core->debug.translated(core->debug.ctx, c, linear, spa);
        }
    }
    unsigned offset = (unsigned)(linear & 4095);
    struct insn *entry = code_cache_find(m->code, page, offset, c->mode);
    if (!entry) {
        entry = code_cache_make(m, c, page, offset, c->mode);
    }
    if (!entry) {
        core->asking = core->dead = NULL;
        core->result = mmu_fetch(c, linear, &spa);
        return core->result == EXEC_OK ? core_find_crossing(c, linear, spa, 15) : NULL;
    }
    if (near_page) {
        fill_link(core, entry);
    } else {
        *j = (struct jump){ linear ^ core->stamp_now, way_to(core, entry) };
    }
    return entry;
}

/* --- running -------------------------------------------------------------------------------------- */

static void middle_note(struct cpu *c, struct insn *record)
{
    struct core *core = c->core;

    core->middle = (struct middle){ c->block, record, core_fetch_linear(c), core->stamp_epoch, c->mode, c->cc_kind };
}

/* The record at rip in a block that was left there, or NULL.  The timing model has the rest of a block
 * start as a block of its own. */
static struct insn *middle_find(const struct cpu *c)
{
    const struct core *core = c->core;
    const struct middle *middle = &core->middle;

    if (!middle->entry || core->timed || core->hooks.every || middle->epoch != core->stamp_epoch ||
        middle->mode != c->mode || middle->kind != c->cc_kind ||
        middle->linear != core_fetch_linear(c) || middle->entry->bucket != core->bucket ||
        middle->entry->fn == core_dead || middle->entry->fn == core_forward) {
        return NULL;
    }
    return middle->record;
}

/* Instructions that the budget reaches for, when the running block's last 'remaining' are paid. */
static unsigned within_budget(const struct cpu *c, unsigned remaining)
{
    int64_t left = c->budget + remaining;
    return c->core->timed || left < 1 ? 1 : left < remaining ? (unsigned)left : remaining;
}

/* From 'r' on while the budget lasts, or exactly one instruction; what is left of the block is paid. */
static void step_from(struct cpu *c, struct insn *r, bool one)
{
    struct core *core = c->core;

    for (;;) {
        core->result = EXEC_OK;
        core->branch = c->pmu_steps ? form_branch_type(r) : BRANCH_NONE;
        r = core_run_stretch(c, r, one ? 1 : within_budget(c, r->remaining));
        core->sequential = core_rip(c, c->code_page + r[-1].offset + r[-1].length);
        if (!core->fell) { /* left: rip and costs are settled */
            return;
        }
        unsigned remaining = r[-1].remaining - 1u;
        if (remaining == 0 || one || core->leave || c->budget + share(c, remaining) <= 0) {
            core_refund(c, remaining);
            c->rip = core_rip(c, c->code_page + r[-1].offset + r[-1].length);
            if (remaining) {
                middle_note(c, r);
            }
            return;
        }
    }
}

/* The same from a block's head, whatever that is. */
static void step_block(struct cpu *c, struct insn *entry, bool one)
{
    struct core *core = c->core;

    while (entry->fn == core_forward) { /* found through a stale jump-cache entry */
        entry = entry->link;
    }
    if (entry->fn == core_dead) {
        core_dead(c, entry);
        return;
    }
    if (entry->fn == core_observed) {
        if (observer_changed(c, entry)) {
            return;
        }
    }
    c->block = entry;
    core_charge(c, entry->instructions);
    if (core->timed) {
        core_time_block(c, entry);
    }
    step_from(c, entry + 1, one);
}

static void call(struct cpu *c, struct insn *r)
{
    if (c->core->jit) {
        jit_call(c->core->jit, c, r, r->fn);
    } else {
        r->fn(c, r);
    }
}

static void run_middle(struct cpu *c, struct insn *r, bool one)
{
    c->code_page = core_fetch_linear(c) & CPU_PAGE_MASK;
    c->block = c->core->middle.entry;
    core_charge(c, r->remaining);
    if (one || c->budget < 0) {
        step_from(c, r, one);
    } else {
        call(c, r);
    }
}

static void run_block(struct cpu *c, struct insn *entry, bool one)
{
    if (entry->bucket != c->core->bucket && !c->core->timed) {
        bucket_switch(c, entry);
    }
    if (one || (int64_t)entry->cost > c->budget || entry->fn == core_dead || entry->fn == core_forward) {
        step_block(c, entry, one);
    } else {
        call(c, entry);
    }
}

static void run_hooked(struct cpu *c, struct insn *entry, bool one)
{
    struct core *core = c->core;
    bool chosen = ++core->blocks % core->hooks.every == 0;

    core_book(c);
    uint64_t before = c->instructions;
    if (chosen && core->hooks.before) {
        core->hooks.before(core->hooks.ctx, c);
    }
    run_block(c, entry, one);
    core_book(c);
    if (chosen && core->hooks.after) {
        struct core_block_end end = { .result = core->result, .instructions = c->instructions - before };
        core->hooks.after(core->hooks.ctx, c, &end);
    }
}

/* The jump cache may still name a dropped block; its successor then, so that a step is a step. */
static struct insn *find_live_block(struct cpu *c)
{
    struct insn *entry = find_block(c);

    while (entry && entry->fn == core_forward) {
        entry = entry->link;
    }
    if (entry && entry->fn == core_dead) {
        core_dead(c, entry);
        entry = find_block(c);
    }
    return entry;
}

/* Blocks until the budget is used up or something happens; core->result says what. */
static void run_blocks(struct cpu *c, bool one)
{
    struct core *core = c->core;

    core->leave = core->attended = false;
    core->alone = one;
    core->near_page = false;
    do {
        core->result = EXEC_OK;
        stamp_pick(c);
        struct insn *entry = middle_find(c);
        if (entry) {
            core->near_page = false;
            core->asking = core->dead = NULL;
            run_middle(c, entry, one);
            continue;
        }
        entry = find_live_block(c);
        if (!entry) {
            break;
        }
        if (core->hooks.every) {
            run_hooked(c, entry, one);
        } else {
            run_block(c, entry, one);
        }
    } while (!one && core->result == EXEC_OK && c->budget > 0 && !core->leave && !c->break_code);
    core_book(c);
}

/* One instruction with what is in force for it: shadows, TF, breakpoints. */
static void run_alone(struct cpu *c)
{
    struct core *core = c->core;

    if (c->break_code && cpu_breakpoint_fetch(c, core_fetch_linear(c)) != EXEC_OK) {
        core->result = EXEC_FAULT;
        return;
    }
    unsigned token = cpu_event_step_begin(c);
    core->sequential = c->rip;
    core->branch = BRANCH_NONE;
    core_branch_note(c);
    uint64_t from = c->rip;
    run_blocks(c, true);
    if (core->branch) {
        pmu_branch(c, core->branch, from, core->result, c->rip != core->sequential);
    }
    cpu_event_step_end(c, token, core->result, core_branched(c));
}

static bool must_run_alone(struct cpu *c)
{
    return c->core->stepping || c->core->step_next || c->pmu_steps || cpu_event_must_step(c) ||
           (c->break_code && cpu_breakpoint_in_page(c, core_fetch_linear(c)));
}

static void idle_until(struct cpu *c, uint64_t until)
{
    struct core *core = c->core;
    uint64_t cycles = until > c->now ? until - c->now : 0;

    if (core->timed) {
        c->bucket_cycles[BUCKET_IDLE] += (cycles << TIME_UNIT_SHIFT) - (cycles ? core->fraction : 0);
        core->fraction = cycles ? 0 : core->fraction;
    } else {
        c->bucket_cycles[BUCKET_IDLE] += cycles;
    }
    c->now += cycles;
    c->halted += cycles;
}

/* What the look-up charges (a wake-up, a VM exit) becomes time. */
static enum exec_result look(struct cpu *c)
{
    uint64_t from = c->rip;
    enum exec_result result = cpu_look(c);
    if (c->pmu_steps && result == EXEC_JUMP) {
        pmu_event_taken(c, from);
    }
    core_book(c);
    if (c->rip != from) {
        core_note_transfer(c, core_fetch_linear(c));
    }
    return result;
}

static uint64_t next_boundary(struct cpu *c, uint64_t until)
{
    const struct vtx_ops *vtx = c->machine->vtx;

    if (c->pmu_counts && c->activity == ACTIVE) {
        until = pmu_boundary(c, until);
    }
    if (!c->nonroot || !vtx) {
        return until;
    }
    uint64_t due = vtx->next_due(c);
    if (due <= c->now) {
        c->attention |= ATTN_VTX;
        return c->now + 1 < until ? c->now + 1 : until;
    }
    return due < until ? due : until;
}

/* One look and one stretch of blocks, or one instruction. False: the machine stops. */
static bool run_once(struct cpu *c, uint64_t until, bool one)
{
    struct core *core = c->core;
    uint64_t boundary = next_boundary(c, until);

    budget_set(c, boundary);
    if (c->attention) {
        if (c->attention & ATTN_STOP) {
            return false;
        }
        enum exec_result result = look(c);
        if (result == EXEC_STOP) {
            return false;
        }
        if (core->watch_met) {
            core_watch_settle(c, result);
        }
        if (result != EXEC_OK) {
            return !one;
        }
    }
    if (c->activity != ACTIVE) {
        idle_until(c, boundary);
        return !one;
    }
    if (c->now >= until && !one) {
        return true;
    }
    if (core->stepping && core->debug.before) {
        core->debug.before(core->debug.ctx, c);
    }
    if (one || must_run_alone(c)) {
        core->step_next = false;
        run_alone(c);
    } else {
        run_blocks(c, false);
    }
    c->in_string = core->result == EXEC_REPEAT;
    if (c->break_hits) {
        cpu_breakpoint_settle(c, core->result);
    }
    if (core->watch_met) {
        core_watch_settle(c, core->result);
    }
    if (core->result == EXEC_FAULT) {
        uint64_t from = c->rip;
        core->result = cpu_deliver(c);
        if (c->pmu_steps && core->result == EXEC_JUMP) {
            pmu_event_taken(c, from);
        }
        core_book(c);
        if (core->result == EXEC_OK || core->result == EXEC_JUMP) {
            core_note_transfer(c, core_fetch_linear(c));
        }
        if (core->watch_met) {
            core_watch_settle(c, core->result);
        }
    }
    return core->result != EXEC_STOP;
}

void cpu_run(struct cpu *c, uint64_t until)
{
    while (c->now < until && run_once(c, until, false)) {
    }
}

void cpu_step(struct cpu *c)
{
    run_once(c, UINT64_MAX >> 1, true);
}

void cpu_attend(struct cpu *c, uint32_t attention)
{
    c->attention |= attention;
    if (c->core) {
        c->core->leave = c->core->attended = true;
    }
}

void cpu_wait(struct cpu *c, uint64_t cycles)
{
    struct core *core = c->core;

    core_book(c);
    c->now += cycles;
    c->bucket_cycles[core->bucket] += cycles;
    c->budget -= (int64_t)cycles;
    core->booked = c->budget;
    core->leave = true; /* what is left of the block may not fit any more */
}
