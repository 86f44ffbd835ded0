/* The chipset's registers: whatever software writes, in whatever order and at whatever time, no device breaks, and a
 * machine saved in between goes on as if it had not been.
 *
 * Input, six bytes per step: what (bits 3:0 which register block, 5:4 size, 6 read or write, 7 let time pass), offset,
 * four bytes of value (or of time). */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz_machine.h"
#include "sim/platform/platform.h"
#include "spec/platform/memory_map.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 6, STEPS_MAX = 64, PASS_MAX = MACHINE_TSC_HZ / 10000 }; /* 100 us: a guest can ask for 10^8 interrupts a second */

static const struct { uint64_t base; unsigned size; bool port; } block[16] = {
    { PORT_PIC1, 2, true }, { PORT_PIC2, 2, true }, { PORT_ELCR, 2, true }, { PORT_PIT, 4, true }, { PORT_61, 1, true },
    { PORT_RTC_INDEX, 2, true }, { PORT_COM1, 8, true }, { PORT_COM2, 8, true }, { PORT_PM1A_EVT, 12, true },
    { IOAPIC_BASE, 0x44, false }, { HPET_BASE, 0x160, false }, { HPET_BASE + 0x100, 0x60, false }, { VTD_BASE, 0x200, false },
    { PORT_PIT, 4, true }, { IOAPIC_BASE + 0x10, 4, false }, { PORT_POST, 1, true },
};

static void
step(struct machine *m, const uint8_t *s)
{
    uint32_t value = s[2] | (uint32_t)s[3] << 8 | (uint32_t)s[4] << 16 | (uint32_t)s[5] << 24;
    unsigned which = s[0] & 15, width = 1u << (s[0] >> 4 & 3), offset = s[1] % block[which].size;
    if (s[0] & 0x80) {
        machine_run(m, m->now + value % PASS_MAX);
        platform_set_line(m->platform, s[1] % 24, s[1] & 0x80);
        if (s[1] & 0x40) {
            fake.board.acknowledge(fake.board.ctx);
            fake.board.eoi(fake.board.ctx, (uint8_t)value);
        }
        return;
    }
    uint64_t at = block[which].base + (offset & ~(width - 1));
    if (block[which].port) {
        width = width > 4 ? 4 : width;
        if (s[0] & 0x40) {
            in(m, (uint16_t)at, width);
        } else {
            out(m, (uint16_t)at, width, value);
        }
    } else if (s[0] & 0x40) {
        rd64(m, at & ~7ull);
    } else if (width == 8) {
        wr64(m, at & ~7ull, value | (uint64_t)value << 32);
    } else {
        wr32(m, at & ~3ull, value);
    }
}

/* A copy made through a snapshot. */
static struct machine *
copy(struct machine *m)
{
    struct machine *twin = fake_machine(1, 1u << 20);
    twin->config = m->config;
    fuzz_load_into(m, twin);
    return twin;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct machine *m = fake_machine(1, 1u << 20);
    m->config.quantum = MACHINE_TSC_HZ;
    size_t steps = size / STEP < STEPS_MAX ? size / STEP : STEPS_MAX;
    for (size_t i = 0; i < steps && m->stop <= STOP_LIMIT; i++) {
        step(m, data + i * STEP);
        if (i == steps / 2) {
            struct machine *twin = copy(m);
            machine_free(m);
            m = twin;
        }
    }
    machine_free(m);
    return 0;
}
