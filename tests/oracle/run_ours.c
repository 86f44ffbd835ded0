/* Our core as an executor: a processor, RAM and page tables, nothing else.
 *
 * Physical layout of the little machine [spa]:
 *   0x1000 PML4   0x2000 PDPTs 0xb000   0x3000 0xc000 0xd000 PDs
 *   0x4000 PT of code   0x5000 PT of data   0xa000 PT of the kernel's pages
 *   0x6000 IDT    0x7000 GDT    0x8000 TSS  0x9000 kernel stack
 *   0x20000 code  0x40000 data
 *
 * Cases run at privilege level 3.  A fault goes through the IDT, whose gates
 * lead to distinct addresses; the outcome is read back from the stack frame,
 * so delivery is tested with every fault.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/cpu/mmu/mmu.h"
#include "sim/cpu/system/segment.h"
#include "sim/cpu/x87/x87.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"
#include "tests/oracle/oracle.h"

enum {
    SPA_PML4 = 0x1000, SPA_PDPT = 0x2000, SPA_PD_DATA = 0x3000, SPA_PT_CODE = 0x4000,
    SPA_PT_DATA = 0x5000, SPA_IDT = 0x6000, SPA_GDT = 0x7000, SPA_TSS = 0x8000,
    SPA_STACK = 0x9000, SPA_PT_KERNEL = 0xa000, SPA_LDT = 0xe000,
    SPA_PDPT_HIGH = 0xb000, SPA_PD_CODE = 0xc000, SPA_PD_KERNEL = 0xd000, SPA_CODE = 0x20000, SPA_DATA = 0x40000,
    RAM_SIZE = 1 << 20, STEPS_MAX = 300, SEQUENCE_CYCLES = 20000,
};
#define KERNEL 0xffffffff80000000ull         /* linear: the page at SPA 0 and on, supervisor only */
#define HANDLERS (KERNEL + 0x80000)          /* vector v is handled at HANDLERS + 16 v */
#define KERNEL_RSP (KERNEL + SPA_STACK + 0x1000)

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40 };
enum { SELECTOR_KERNEL_CODE = 0x10, SELECTOR_KERNEL_DATA = 0x18, SELECTOR_TSS = 0x40 };

struct oracle_ours {
    struct machine machine;
    struct cpu *cpu;
    uint8_t *ram;
    uint8_t image[ORACLE_DATA_SIZE];
};

static void put64(struct oracle_ours *o, uint64_t spa, uint64_t value)
{
    memcpy(o->ram + spa, &value, sizeof value);
}

/* The tables on the way to a region. */
struct path { uint64_t pdpt, pd, pt; };

static void map_pages(struct oracle_ours *o, const struct path *to, uint64_t linear, uint64_t spa, unsigned pages,
                      uint64_t bits)
{
    const uint64_t any = PTE_P | PTE_W | PTE_U | PTE_A;
    put64(o, SPA_PML4 + (linear >> 39 & 511) * 8, to->pdpt | any);
    put64(o, to->pdpt + (linear >> 30 & 511) * 8, to->pd | any);
    put64(o, to->pd + (linear >> 21 & 511) * 8, to->pt | any);
    for (unsigned i = 0; i < pages; i++) {
        put64(o, to->pt + ((linear >> 12 & 511) + i) * 8, (spa + i * ORACLE_PAGE) | bits | PTE_P | PTE_A | PTE_D);
    }
}

static void build_paging(struct oracle_ours *o)
{
    const struct path code = { SPA_PDPT, SPA_PD_CODE, SPA_PT_CODE };
    const struct path data = { SPA_PDPT, SPA_PD_DATA, SPA_PT_DATA };
    const struct path kernel = { SPA_PDPT_HIGH, SPA_PD_KERNEL, SPA_PT_KERNEL };
    map_pages(o, &code, ORACLE_CODE, SPA_CODE, ORACLE_CODE_SIZE / ORACLE_PAGE, PTE_W | PTE_U);
    map_pages(o, &data, ORACLE_DATA, SPA_DATA, ORACLE_DATA_RW / ORACLE_PAGE, PTE_W | PTE_U);
    map_pages(o, &data, ORACLE_DATA + ORACLE_DATA_RW, SPA_DATA + ORACLE_DATA_RW, 1, PTE_U);
    map_pages(o, &kernel, KERNEL, 0, 0xa0, PTE_W);
}

static void build_tables(struct oracle_ours *o)
{
    for (unsigned v = 0; v < 256; v++) { /* 64-bit interrupt gates */
        uint64_t at = HANDLERS + 16 * v, type = v == X_BP || v == X_OF ? 0xee : 0x8e; /* those from user mode */
        put64(o, SPA_IDT + 16 * v, (at & 0xffff) | (uint64_t)SELECTOR_KERNEL_CODE << 16 | type << 40 |
                                       (at >> 16 & 0xffff) << 48);
        put64(o, SPA_IDT + 16 * v + 8, at >> 32);
        o->ram[at - KERNEL] = 0xf4; /* HLT */
    }
    put64(o, SPA_GDT + SELECTOR_KERNEL_CODE, 0x00af9b000000ffff);
    put64(o, SPA_GDT + SELECTOR_KERNEL_DATA, 0x00cf93000000ffff);
    put64(o, SPA_GDT + (SELECTOR_CODE32 & ~7u), 0x00cffb000000ffff);
    put64(o, SPA_GDT + (SELECTOR_DATA & ~7u), 0x00cff3000000ffff);
    put64(o, SPA_GDT + (SELECTOR_CODE64 & ~7u), 0x00affb000000ffff);
    put64(o, SPA_TSS + 4, KERNEL_RSP); /* RSP0 */
}

static void build_processor(struct cpu *c)
{
    c->cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
    c->cr4 = 0x406a0;    /* OSXSAVE OSXMMEXCPT OSFXSR PGE PAE */
    c->xcr0 = 7;         /* AVX SSE x87 */
    c->cr3 = SPA_PML4;
    c->efer = 0xd01;     /* NXE LMA LME SCE */
    c->gdtr = (struct dtable){ .base = KERNEL + SPA_GDT, .limit = 0x4f };
    c->idtr = (struct dtable){ .base = KERNEL + SPA_IDT, .limit = 0xfff };
    c->seg[TR] = (struct segment){ .base = KERNEL + SPA_TSS, .limit = 0x67, .selector = SELECTOR_TSS,
                                   .rights = 0xb | SEG_P };
    c->seg[LDTR] = (struct segment){ .rights = SEG_UNUSABLE };
    x87_image_init(c);
    c->activity = ACTIVE;
    mmu_reset(c);
}

static struct oracle_ours *ours_new(bool timed, enum machine_tier tier)
{
    struct oracle_ours *o = calloc(1, sizeof *o);
    assert(o);
    o->machine.config = (struct machine_config){ .ram_size = RAM_SIZE, .cpu_count = 1, .quantum = 1000,
                                                   .tier = tier };
    o->machine.mem = mem_new(RAM_SIZE);
    o->machine.events = event_queue_new();
    o->machine.buckets = buckets_new();
    o->machine.config.timing_approx = timed;
    o->machine.timing = timed ? timing_new(&o->machine) : NULL;
    assert(!timed || o->machine.timing);
    o->cpu = o->machine.cpu[0] = cpu_new(&o->machine, 0);
    assert(o->machine.mem && o->machine.events && o->cpu);
    o->machine.cpu_count = 1;
    o->ram = mem_ram_write(o->machine.mem, 0); /* all of it: nobody hashes this machine */
    oracle_base_image(o->image);
    memcpy(o->ram + SPA_DATA, o->image, ORACLE_DATA_SIZE);
    build_paging(o);
    build_tables(o);
    cpu_reset(o->cpu, false);
    build_processor(o->cpu);
    return o;
}

struct oracle_ours *oracle_ours_new(bool timed)
{
    return ours_new(timed, TIER_INTERPRETER);
}

struct oracle_ours *oracle_ours_new_compiled(void)
{
    return ours_new(false, TIER_EAGER);
}

void oracle_ours_free(struct oracle_ours *o)
{
    cpu_free(o->cpu);
    timing_free(o->machine.timing);
    buckets_free(o->machine.buckets);
    event_queue_free(o->machine.events);
    mem_free(o->machine.mem);
    free(o);
}

static struct segment user_segment(uint16_t selector, bool mode32)
{
    struct segment s = { .limit = 0xffffffff, .selector = selector };
    s.rights = SEG_S | SEG_P | 3 << SEG_DPL_SHIFT | SEG_G;
    switch (selector) {
    case SELECTOR_CODE32: case SELECTOR_CODE64: s.rights |= 0xb | (mode32 ? SEG_DB : SEG_L); break;
    case SELECTOR_DATA: s.rights |= 0x3 | SEG_DB; break;
    default: s = (struct segment){ .rights = SEG_UNUSABLE };
    }
    return s;
}

static struct segment segment_of(uint16_t selector)
{
    struct descriptor d = { .selector = selector };
    if (seg_null(selector)) {
        return (struct segment){ .selector = selector, .rights = SEG_UNUSABLE };
    }
    d.bits = oracle_ldt_descriptor(selector >> 3);
    return seg_load(&d);
}

static void enter_segments(struct oracle_ours *o, const struct oracle_case *k)
{
    struct cpu *c = o->cpu;
    for (unsigned i = 0; i < ORACLE_LDT_ENTRIES; i++) {
        put64(o, SPA_LDT + i * 8, oracle_ldt_descriptor(i));
    }
    c->seg[LDTR] = (struct segment){ .base = KERNEL + SPA_LDT, .limit = ORACLE_LDT_ENTRIES * 8 - 1, .selector = 0x48,
                                     .rights = SEG_P | 2 };
    for (unsigned i = ES; i <= GS; i++) {
        c->seg[i] = segment_of(i == FS ? 0 : k->selector[i]);
    }
}

/* As Linux runs a process, with GS pointing into the data. */
static void enter_case(struct oracle_ours *o, const struct oracle_case *k)
{
    struct cpu *c = o->cpu;
    c->seg[CS] = user_segment(k->mode32 ? SELECTOR_CODE32 : SELECTOR_CODE64, k->mode32);
    c->seg[SS] = c->seg[DS] = c->seg[ES] = user_segment(SELECTOR_DATA, k->mode32);
    c->seg[FS] = c->seg[GS] = user_segment(0, k->mode32);
    c->seg[GS].base = k->mode32 ? 0 : ORACLE_DATA + ORACLE_GS_OFFSET;
    memcpy(c->gpr, k->in.gpr, sizeof c->gpr);
    memcpy(c->xmm, k->in.xmm, sizeof c->xmm);
    memcpy(c->ymm_high, k->in.ymm_high, sizeof c->ymm_high);
    c->mxcsr = k->in.mxcsr;
    x87_image_get(c, k->in.x87, true);
    if (k->segmented) {
        enter_segments(o, k);
    }
    c->rip = k->in.rip;
    cpu_set_rflags(c, k->in.rflags);
    c->cr2 = 0;
    c->activity = ACTIVE;
    c->attention = 0;
    c->pending_db = 0;
    c->shadow_sti = c->shadow_movss = false;
    cpu_update_mode(c);
    mmu_mode_changed(c);

    memcpy(o->ram + SPA_DATA, o->image, ORACLE_DATA_RW);
    oracle_apply_patches(k, o->ram + SPA_DATA);
    bool written = mem_write(o->machine.mem, SPA_CODE + (oracle_code_at(k) - ORACLE_CODE), k->code,
                             k->sequence ? ORACLE_CODE_ROOM : ORACLE_CODE_MAX);
    assert(written);
}

static bool has_error_code(unsigned vector)
{
    return vector == X_DF || (vector >= X_TS && vector <= X_PF) || vector == X_AC;
}

/* Takes the outcome out of the exception's stack frame. */
static void read_frame(struct oracle_ours *o, struct oracle_outcome *out)
{
    struct cpu *c = o->cpu;
    uint64_t frame[6], at = SPA_STACK + (c->gpr[RSP] - (KERNEL + SPA_STACK));
    out->vector = (int)((c->rip - HANDLERS) / 16); /* at the gate, or behind its HLT */
    out->cr2 = c->cr2;
    if (has_error_code((unsigned)out->vector)) {
        memcpy(&out->error, o->ram + at, 4);
        at += 8;
    }
    memcpy(frame, o->ram + at, 40);
    out->out.rip = frame[0];
    out->selector[CS] = (uint16_t)frame[1];
    out->selector[SS] = (uint16_t)frame[4];
    out->out.rflags = frame[2];
    out->out.gpr[RSP] = frame[3];
}

void oracle_ours_run(struct oracle_ours *o, const struct oracle_case *k, struct oracle_outcome *out)
{
    struct cpu *c = o->cpu;
    bool string = k->row && !strncmp(k->row->exec, "string", 6);
    enter_case(o, k);
    unsigned steps = 0;
    if (k->sequence) { /* at full speed, to the HLT behind its INT3 or its fault */
        cpu_run(c, c->now + (k->one_cycle ? 1 : SEQUENCE_CYCLES));
    } else {
        do {
            cpu_step(c);
        } while (string && c->rip == k->in.rip && cpu_cpl(c) == 3 && ++steps < STEPS_MAX);
    }

    out->vector = OUTCOME_OK;
    out->error = 0;
    memcpy(out->out.gpr, c->gpr, sizeof c->gpr);
    memcpy(out->out.xmm, c->xmm, sizeof c->xmm);
    memcpy(out->out.ymm_high, c->ymm_high, sizeof c->ymm_high);
    out->out.mxcsr = c->mxcsr;
    memset(out->out.x87, 0, sizeof out->out.x87);
    x87_image_put(c, out->out.x87, true);
    out->out.rip = c->rip;
    out->out.rflags = cpu_rflags(c);
    for (unsigned i = ES; i <= GS; i++) {
        out->selector[i] = c->seg[i].selector;
    }
    if (o->machine.stop != STOP_NONE) {
        fprintf(stderr, "stopped: %s\n", o->machine.stop_text);
        out->vector = OUTCOME_STOPPED;
        o->machine.stop = STOP_NONE;
        o->machine.stop_text[0] = 0;
    } else if (cpu_cpl(c) == 0) {
        read_frame(o, out);
    }
    memcpy(out->data, o->ram + SPA_DATA, ORACLE_DATA_RW);
    if (k->segmented) {
        static const uint8_t none[ORACLE_CODE_MAX];
        mem_write(o->machine.mem, SPA_CODE + (oracle_code_at(k) - ORACLE_CODE), none, sizeof none);
    }
}

struct machine *oracle_ours_machine(struct oracle_ours *o)
{
    return &o->machine;
}

void oracle_ours_load(struct oracle_ours *o, const struct oracle_case *state, const uint8_t *code, unsigned size)
{
    enter_case(o, state);
    bool written = mem_write(o->machine.mem, oracle_ours_spa(state->in.rip), code, size);
    assert(written);
}

uint64_t oracle_ours_spa(uint64_t linear)
{
    return linear >= ORACLE_CODE ? SPA_CODE + (linear - ORACLE_CODE) : SPA_DATA + (linear - ORACLE_DATA);
}

void oracle_ours_map_mmio(struct oracle_ours *o, const struct mem_region *region)
{
    const struct path data = { SPA_PDPT, SPA_PD_DATA, SPA_PT_DATA };
    int id = mem_mmio_map(o->machine.mem, MEM_HOLE_START, ORACLE_PAGE, region);
    assert(id >= 0);
    map_pages(o, &data, ORACLE_MMIO, MEM_HOLE_START, 1, PTE_W | PTE_U);
}
