/* See fake_cpu.h. */
#include "fake_cpu.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/mem/mem.h"
#include "sim/time/timing.h"
#include "sim/vtx/vtx.h"
#include "spec/platform/memory_map.h"

struct fake_log fake;
const struct vtx_ops vmx_ops = { .name = "none" };

void
fake_reset(void)
{
    fake = (struct fake_log){ 0 };
}

struct machine *
fake_machine(unsigned cpus, uint64_t ram_size)
{
    fake_reset();
    const struct machine_config config = {
        .ram_size = ram_size, .cpu_count = cpus, .quantum = 1000, .rtc_epoch = 1000000000,
    };
    char error[256];
    return machine_new(&config, error, sizeof error);
}

uint64_t in(struct machine *m, uint16_t port, unsigned size) { return mem_port_read(m->mem, port, size); }
void out(struct machine *m, uint16_t port, unsigned size, uint64_t value) { mem_port_write(m->mem, port, size, value); }
uint32_t rd32(struct machine *m, uint64_t spa) { return (uint32_t)mem_mmio_read(m->mem, spa, 4); }
void wr32(struct machine *m, uint64_t spa, uint32_t value) { mem_mmio_write(m->mem, spa, 4, value); }
uint64_t rd64(struct machine *m, uint64_t spa) { return mem_mmio_read(m->mem, spa, 8); }
void wr64(struct machine *m, uint64_t spa, uint64_t value) { mem_mmio_write(m->mem, spa, 8, value); }

/* --- processors ------------------------------------------------------------- */

struct cpu *
cpu_new(struct machine *m, unsigned index)
{
    struct cpu *cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~63ul);
    memset(cpu, 0, sizeof *cpu);
    cpu->machine = m;
    cpu->index = index;
    return cpu;
}

void cpu_free(struct cpu *cpu) { free(cpu); }

void
cpu_state(struct cpu *cpu, struct state *s)
{
    STATE_VISIT(s, cpu->now);
    STATE_VISIT(s, cpu->instructions);
    STATE_VISIT(s, cpu->activity);
    STATE_VISIT(s, cpu->attention);
}

void
cpu_run(struct cpu *cpu, uint64_t until)
{
    if (fake.run) {
        fake.run(cpu, until, fake.run_ctx);
    } else {
        if (cpu->activity == ACTIVE) {
            cpu->instructions += until - cpu->now;
        }
        cpu->now = until;
    }
}

void cpu_reset(struct cpu *cpu, bool init) { (void)init; cpu->activity = cpu->index ? WAIT_SIPI : ACTIVE; }
void cpu_cpuid(const struct cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]) { (void)cpu, (void)leaf, (void)subleaf; memset(out, 0, 16); }
void cpu_wait(struct cpu *cpu, uint64_t cycles) { cpu->now += cycles; }
void cpu_attend(struct cpu *cpu, uint32_t attn) { cpu->attention |= attn; }
void cpu_monitor_look(struct cpu *cpu) { (void)cpu; }
uint64_t cpu_rflags(const struct cpu *cpu) { return cpu->rflags_rest; }
void cpu_set_rflags(struct cpu *cpu, uint64_t value) { cpu->rflags_rest = value; }
void cpu_update_mode(struct cpu *cpu) { (void)cpu; }
void mmu_mode_changed(struct cpu *cpu) { (void)cpu; }

/* --- local APICs -------------------------------------------------------------- */

bool
apic_deliver(struct machine *m, const struct apic_message *message)
{
    (void)m;
    if (fake.count < FAKE_MESSAGES) {
        fake.message[fake.count] = *message;
    }
    fake.count++;
    return true;
}

bool
apic_deliver_msi(struct machine *m, uint64_t address, uint32_t data)
{
    (void)m;
    if (fake.msi_count < FAKE_MESSAGES) {
        fake.msi_address[fake.msi_count] = address;
        fake.msi_data[fake.msi_count] = data;
    }
    fake.msi_count++;
    return true;
}

void
apic_set_board(struct machine *m, const struct apic_board *board)
{
    (void)m;
    fake.board = *board;
}

void
apic_set_pin(struct cpu *cpu, unsigned pin, bool high)
{
    (void)cpu;
    fake.pin[pin] = high;
}

uint64_t
apic_mmio_read(struct cpu *cpu, unsigned offset, unsigned size)
{
    (void)size;
    return offset == 0x20 ? (uint64_t)cpu->index << 24 : 0;
}

void
apic_mmio_write(struct cpu *cpu, unsigned offset, unsigned size, uint64_t value)
{
    (void)cpu, (void)offset, (void)size, (void)value;
}

/* --- time and trace ------------------------------------------------------------- */

struct buckets *buckets_new(void) { return calloc(1, 1); }
void buckets_free(struct buckets *b) { free(b); }
struct timing *timing_new(struct machine *m) { (void)m; return NULL; }
void timing_free(struct timing *t) { (void)t; }
void timing_state(struct machine *m, struct state *s) { (void)m, (void)s; }
void time_dma_write(struct machine *m, uint64_t spa, uint64_t size)
{
    (void)m, (void)spa, (void)size;
}

uint64_t time_fabric(const struct machine *m, enum fabric_kind kind, uint64_t bytes)
{
    (void)m, (void)kind, (void)bytes;
    return 100;
}
void
trace_write(struct trace *t, uint64_t now, enum trace_event e, uint64_t a, uint64_t b, uint64_t c,
            uint64_t d)
{
    (void)t, (void)now, (void)e, (void)a, (void)b, (void)c, (void)d;
}

void
ioapic_select(struct machine *m, unsigned index, uint32_t value)
{
    wr32(m, IOAPIC_BASE, index);
    wr32(m, IOAPIC_BASE + 0x10, value);
}

uint32_t
ioapic_get(struct machine *m, unsigned index)
{
    wr32(m, IOAPIC_BASE, index);
    return rd32(m, IOAPIC_BASE + 0x10);
}

void
route(struct machine *m, unsigned pin, uint64_t entry)
{
    ioapic_select(m, 0x11 + 2 * pin, (uint32_t)(entry >> 32));
    ioapic_select(m, 0x10 + 2 * pin, (uint32_t)entry);
}

uint8_t
cmos(struct machine *m, unsigned index)
{
    out(m, 0x70, 1, index);
    return (uint8_t)in(m, 0x71, 1);
}

void
cmos_set(struct machine *m, unsigned index, uint8_t value)
{
    out(m, 0x70, 1, index);
    out(m, 0x71, 1, value);
}
