#include "fixture.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/cpu/cache/code_cache.h"
#include "sim/time/timing.h"

enum { AT_PML4 = 0x1000, AT_PDPT = 0x2000, AT_PD = 0x3000, AT_PT = 0x10000, AT_MMIO_PD = 0x4000, AT_IDT = 0x6000, AT_GDT = 0x7000 };

static uint64_t mmio_read(void *ctx, uint64_t offset, unsigned size)
{
    struct fixture *f = ctx;
    (void)offset;
    f->reads++;
    f->last_size = size;
    f->seen_now = machine_now(&f->machine);
    return f->register_value;
}

static void mmio_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct fixture *f = ctx;
    (void)offset;
    f->writes++;
    f->last_size = size;
    f->last_value = f->register_value = value;
    f->seen_now = machine_now(&f->machine);
}

static void put(struct fixture *f, uint64_t at, uint64_t value)
{
    mem_write(f->machine.mem, at, &value, 8);
}

static void build_paging(struct fixture *f)
{
    put(f, AT_PML4, AT_PDPT | 3);
    put(f, AT_PDPT, AT_PD | 3);
    put(f, AT_PDPT + 3 * 8, AT_MMIO_PD | 3);
    put(f, AT_MMIO_PD + (FIX_MMIO >> 21 & 511) * 8, FIX_MMIO | 0x83);
    for (uint64_t page = 0; page < FIX_MAPPED >> 12; page++) {
        put(f, AT_PD + (page >> 9) * 8, (AT_PT + (page >> 9 << 12)) | 3);
        put(f, AT_PT + page * 8, page == FIX_HOLE >> 12 ? 0 : page << 12 | 3);
    }
}

static void build_handlers(struct fixture *f)
{
    put(f, AT_GDT + 8, 0x00af9b000000ffff);
    put(f, AT_GDT + 16, 0x00cf93000000ffff);
    for (uint64_t v = 0; v < 32; v++) {
        uint64_t at = FIX_HANDLERS + v * 16;
        put(f, AT_IDT + v * 16, at | 8 << 16 | 0x8e00ull << 32);
        mem_write(f->machine.mem, at, "\xf4", 1);
    }
}

static void start_processor(struct cpu *c)
{
    c->cr3 = AT_PML4;
    c->cr0 = 0x80050033;
    c->cr4 = 0x6a0;
    c->efer = 0xd01;
    c->gdtr = (struct dtable){ .base = AT_GDT, .limit = 0x17 };
    c->idtr = (struct dtable){ .base = AT_IDT, .limit = 0x1ff };
    for (unsigned s = 0; s <= GS; s++) {
        c->seg[s] = (struct segment){ .limit = 0xffffffff, .selector = 16, .rights = 3 | SEG_S | SEG_P | SEG_DB | SEG_G };
    }
    c->seg[CS] = (struct segment){ .limit = 0xffffffff, .selector = 8, .rights = 0xb | SEG_S | SEG_P | SEG_L | SEG_G };
    c->rip = FIX_CODE;
    c->gpr[RSP] = FIX_STACK;
    c->gpr[RDI] = FIX_DATA;
    c->activity = ACTIVE;
    cpu_update_mode(c);
    mmu_mode_changed(c);
}

struct fixture *fixture_new(bool timed)
{
    return fixture_new_tier(timed, TIER_COMPILED);
}

struct fixture *fixture_new_tier(bool timed, enum machine_tier tier)
{
    static const char name[] = "test device";
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    struct machine *m = &f->machine;
    m->config = (struct machine_config){ .ram_size = FIX_RAM, .cpu_count = 1, .quantum = 1000, .timing_approx = timed,
                                           .tier = tier };
    m->mem = mem_new(FIX_RAM);
    m->events = event_queue_new();
    m->buckets = buckets_new();
    if (timed) {
        m->timing = timing_new(m);
        assert_non_null(m->timing);
    }
    f->cpu = m->cpu[0] = cpu_new(m, 0);
    assert_non_null(f->cpu);
    m->cpu_count = 1;
    const struct mem_region region = { name, mmio_read, mmio_write, f };
    assert_true(mem_mmio_map(m->mem, FIX_MMIO, 4096, &region) >= 0);
    build_paging(f);
    build_handlers(f);
    start_processor(f->cpu);
    return f;
}

void fixture_free(struct fixture *f)
{
    struct machine *m = &f->machine;
    cpu_free(f->cpu);
    timing_free(m->timing);
    buckets_free(m->buckets);
    event_queue_free(m->events);
    mem_free(m->mem);
    free(f);
}

void fixture_load(struct fixture *f, uint64_t at, const uint8_t *code, size_t size)
{
    assert_true(mem_write(f->machine.mem, at, code, size));
}

void fixture_go_on(struct fixture *f, uint64_t slice)
{
    struct cpu *c = f->cpu;
    f->machine.running = c;
    for (unsigned n = 0; c->activity == ACTIVE && f->machine.stop == STOP_NONE; n++) {
        assert_true(n < FIX_STEPS);
        cpu_run(c, c->now + slice);
    }
    f->machine.running = NULL;
}

void fixture_run(struct fixture *f)
{
    f->cpu->rip = FIX_CODE;
    f->cpu->activity = ACTIVE;
    fixture_go_on(f, 1000000);
}

int fixture_vector(const struct fixture *f)
{
    uint64_t at = f->cpu->rip - FIX_HANDLERS;
    return f->cpu->activity == HALTED && at < 32 * 16 ? (int)(at / 16) : -1;
}

uint64_t fixture_pushed(const struct fixture *f, unsigned n)
{
    uint64_t value;
    assert_true(mem_read(f->machine.mem, f->cpu->gpr[RSP] + n * 8, &value, 8));
    return value;
}
