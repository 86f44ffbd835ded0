#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/base/trace.h"
#include "sim/cpu/core_hooks.h"

uint32_t fake_attended[MACHINE_CPUS_MAX];

/* --- fakes of the hot core, machine, timing, trace ------------------------------- */

uint64_t cpu_rflags(const struct cpu *cpu)
{
    return cpu->rflags_rest | RFLAGS_FIXED;
}

void cpu_set_rflags(struct cpu *cpu, uint64_t rflags)
{
    cpu->rflags_rest = rflags;
}

bool core_watch_in_page(const struct cpu *cpu, uint64_t linear)
{
    (void)cpu, (void)linear;
    return false;
}

void core_watch_access(struct cpu *cpu, uint64_t linear, unsigned size, bool read, bool write)
{
    (void)cpu, (void)linear, (void)size, (void)read, (void)write;
}

void cpu_wait(struct cpu *cpu, uint64_t cycles)
{
    cpu->now += cycles;
}

void cpu_attend(struct cpu *cpu, uint32_t attn)
{
    cpu->attention |= attn;
    fake_attended[cpu->index] |= attn;
}

void cpu_reset(struct cpu *cpu, bool init)
{
    cpu_system_reset(cpu, init);
    apic_reset(cpu, init);
    mmu_reset(cpu);
}

void machine_request_stop(struct machine *machine, enum machine_stop stop, uint32_t code, const char *format, ...)
{
    va_list args;

    machine->stop = stop;
    machine->stop_code = code;
    va_start(args, format);
    vsnprintf(machine->stop_text, sizeof(machine->stop_text), format, args);
    va_end(args);
}

void trace_write(struct trace *trace, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c,
                 uint64_t d)
{
    (void)trace, (void)now, (void)event, (void)a, (void)b, (void)c, (void)d;
}

void time_charge(struct cpu *cpu, enum charge_kind kind, unsigned n)
{
    (void)cpu, (void)kind, (void)n;
}

void time_data(struct cpu *cpu, uint64_t linear, uint64_t spa, unsigned size, bool write)
{
    (void)cpu, (void)linear, (void)spa, (void)size, (void)write;
}

void time_flush(struct cpu *cpu, bool all)
{
    (void)cpu, (void)all;
}

void time_flush_page(struct cpu *cpu, uint64_t linear)
{
    (void)cpu, (void)linear;
}

uint64_t time_event_count(const struct cpu *cpu, enum time_event event)
{
    (void)cpu, (void)event;
    return 0;
}

uint64_t time_fabric(const struct machine *machine, enum fabric_kind kind, uint64_t bytes)
{
    (void)machine, (void)bytes;
    return kind == FABRIC_IPI ? FIXTURE_IPI_CYCLES : 0;
}

/* --- life ------------------------------------------------------------------------- */

struct fixture *fixture_new(unsigned cpu_count)
{
    struct fixture *f = calloc(1, sizeof(*f));

    memset(fake_attended, 0, sizeof(fake_attended));
    f->machine.mem = mem_new(FIXTURE_RAM);
    f->machine.events = event_queue_new();
    f->machine.config.cpu_count = f->machine.cpu_count = cpu_count;
    fixture_model(f, "e5", false);
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *cpu = aligned_alloc(64, (sizeof(*cpu) + 63) & ~63ul);
        memset(cpu, 0, sizeof(*cpu));
        cpu->machine = &f->machine;
        cpu->index = i;
        f->machine.cpu[i] = cpu;
        assert_true(mmu_new(cpu));
        assert_true(apic_new(cpu));
        cpu_reset(cpu, false);
    }
    f->cpu = f->machine.cpu[0];
    f->tables_end = FIXTURE_RAM;
    return f;
}

void fixture_model(struct fixture *f, const char *model, bool vtx)
{
    char error[256];

    assert_true(cpu_model_apply(&f->machine, model, vtx, error, sizeof(error)));
    f->machine.config.vtx = cpu_features_has(&f->machine.features, CPU_VMX);
}

void fixture_free(struct fixture *f)
{
    for (unsigned i = 0; i < f->machine.cpu_count; i++) {
        apic_free(f->machine.cpu[i]);
        mmu_free(f->machine.cpu[i]);
        free(f->machine.cpu[i]);
    }
    event_queue_free(f->machine.events);
    mem_free(f->machine.mem);
    free(f);
}

/* --- memory ------------------------------------------------------------------------- */

uint64_t fixture_load(struct fixture *f, uint64_t spa, unsigned size)
{
    uint64_t value = 0;

    assert_true(mem_read(f->machine.mem, spa, &value, size));
    return value;
}

void fixture_store(struct fixture *f, uint64_t spa, unsigned size, uint64_t value)
{
    assert_true(mem_write(f->machine.mem, spa, &value, size));
}

uint64_t fixture_map(struct fixture *f, uint64_t linear, uint64_t spa, uint64_t flags)
{
    uint64_t table = f->cpu->cr3 & 0xffffffffff000ull;

    for (int shift = 39; shift > 12; shift -= 9) {
        uint64_t at = table + (linear >> shift & 511) * 8;
        uint64_t entry = fixture_load(f, at, 8);
        if (!(entry & PTE_P)) {
            f->tables_end -= 4096;
            entry = f->tables_end | PTE_P | PTE_W | PTE_U;
            fixture_store(f, at, 8, entry);
        }
        table = entry & 0xffffffffff000ull;
    }
    uint64_t at = table + (linear >> 12 & 511) * 8;
    fixture_store(f, at, 8, spa | flags);
    return at;
}

uint64_t fixture_descriptor(uint32_t base, uint32_t limit, uint32_t rights)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(rights & 0xf0ff) << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(base >> 24) << 56;
}

void fixture_gdt(struct fixture *f, uint16_t selector, uint64_t descriptor)
{
    fixture_store(f, AT_GDT + (selector & ~7u), 8, descriptor);
}

void fixture_gate(struct fixture *f, uint8_t vector, unsigned type, unsigned dpl, bool present, uint16_t selector,
                  uint64_t target, unsigned ist)
{
    uint64_t low = (target & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 | (uint64_t)type << 40 |
                   (uint64_t)dpl << 45 | (uint64_t)present << 47 | (target >> 16 & 0xffff) << 48;

    fixture_store(f, AT_IDT + vector * 16u, 8, low);
    fixture_store(f, AT_IDT + vector * 16u + 8, 8, target >> 32);
}

/* --- modes ---------------------------------------------------------------------------- */

enum {
    CODE64 = 0xa09b, DATA = 0xc093, CODE32 = 0xc09b, DPL3 = 3 << 5,
};

static void load_gdt(struct fixture *f)
{
    fixture_gdt(f, SEL_CODE0, fixture_descriptor(0, 0xfffff, CODE64));
    fixture_gdt(f, SEL_DATA0, fixture_descriptor(0, 0xfffff, DATA));
    fixture_gdt(f, SEL_CODE32_3, fixture_descriptor(0, 0xfffff, CODE32 | DPL3));
    fixture_gdt(f, SEL_DATA3, fixture_descriptor(0, 0xfffff, DATA | DPL3));
    fixture_gdt(f, SEL_CODE3, fixture_descriptor(0, 0xfffff, CODE64 | DPL3));
    fixture_gdt(f, SEL_TSS, fixture_descriptor(AT_TSS, 0x67, 0x8b));
    fixture_gdt(f, SEL_LDT, fixture_descriptor(AT_LDT, 0xff, 0x82));
    f->cpu->gdtr = (struct dtable){ .base = AT_GDT, .limit = 0xff };
    f->cpu->idtr = (struct dtable){ .base = AT_IDT, .limit = 0xfff };
    f->cpu->seg[TR] = (struct segment){ .selector = SEL_TSS, .base = AT_TSS, .limit = 0x67, .rights = 0x8b };
    f->cpu->seg[LDTR] = (struct segment){ .rights = SEG_UNUSABLE };
    fixture_store(f, AT_TSS + 4, 8, AT_RSP0);
    fixture_store(f, AT_TSS + 36, 8, AT_IST1);
}

static struct segment flat(uint16_t selector, uint32_t rights)
{
    return (struct segment){ .selector = selector, .limit = 0xffffffffu, .rights = rights };
}

void fixture_set_cpl(struct fixture *f, unsigned cpl)
{
    bool lma = f->cpu->efer & EFER_LMA;
    uint32_t dpl = cpl << 5;

    f->cpu->seg[CS] = flat((uint16_t)((cpl ? SEL_CODE3 : SEL_CODE0) | cpl), (lma ? CODE64 : CODE32) | dpl);
    for (unsigned i = ES; i <= GS; i++) {
        if (i != CS) {
            f->cpu->seg[i] = flat((uint16_t)((cpl ? SEL_DATA3 : SEL_DATA0) | cpl), DATA | dpl);
        }
    }
    cpu_update_mode(f->cpu);
    mmu_mode_changed(f->cpu);
}

void fixture_long_mode(struct fixture *f, unsigned cpl)
{
    struct cpu *cpu = f->cpu;

    f->tables_end -= 4096;
    cpu->cr3 = f->tables_end;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP | CR0_NE;
    cpu->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR;
    cpu->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    load_gdt(f);
    for (uint64_t page = 0; page < 0x60000; page += 4096) {
        fixture_map(f, page, page, PTE_P | PTE_W | PTE_U);
    }
    mmu_reset(cpu);
    fixture_set_cpl(f, cpl);
    cpu->rip = AT_CODE;
    cpu->gpr[RSP] = AT_STACK;
}

void fixture_protected_mode(struct fixture *f, unsigned cpl)
{
    f->cpu->cr0 = CR0_PE | CR0_ET;
    f->cpu->efer = 0;
    load_gdt(f);
    fixture_gdt(f, SEL_CODE0, fixture_descriptor(0, 0xfffff, CODE32));
    fixture_gdt(f, SEL_CODE3, fixture_descriptor(0, 0xfffff, CODE32 | DPL3));
    mmu_reset(f->cpu);
    fixture_set_cpl(f, cpl);
    f->cpu->rip = AT_CODE;
    f->cpu->gpr[RSP] = AT_STACK;
}
