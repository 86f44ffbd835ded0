/* A virtio device against any driver: registers, rings and descriptors with any contents, time passing and bytes typed in
 * between.  Afterwards a saved machine must load to the same hash.
 *
 * Input: operations of 8 bytes: what, where (24 bits), value (32 bits). */
#include <stdint.h>
#include <string.h>

#include "fuzz_machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "sim/platform/virtio_console.h"
#include "spec/platform/virtio.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM = 1 << 20, AREA = 0x10000, AREA_SIZE = 0x4000, DRIVER_AT = 0x1000, DEVICE_AT = 0x2000, ENTRIES = 8, STEPS_MAX = 4096 };

struct rig {
    struct machine *m;
    struct virtio_console *console;
    uint64_t bar;
};

static struct rig
rig_new(void)
{
    struct rig r = { .m = fake_machine(1, RAM) };
    r.console = virtio_console_new(r.m);
    pci_config_write(r.m->pci, BDF_VIRTIO_CONSOLE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    r.bar = pci_config_read(r.m->pci, BDF_VIRTIO_CONSOLE, PCI_BAR0, 4) & ~15u;
    return r;
}

static void
rig_free(struct rig *r)
{
    virtio_console_free(r->console);
    machine_free(r->m);
}

static void
reg(struct rig *r, uint64_t offset, unsigned size, uint64_t value)
{
    mem_mmio_write(r->m->mem, r->bar + offset, size, value);
}

static void
start(struct rig *r, uint32_t features)
{
    enum { READY = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK };
    reg(r, VIRTIO_DEVICE_STATUS, 1, 0);
    reg(r, VIRTIO_DRIVER_FEATURE_SELECT, 4, 0);
    reg(r, VIRTIO_DRIVER_FEATURE, 4, features & (uint32_t)VIRTIO_F_EVENT_IDX);
    reg(r, VIRTIO_DRIVER_FEATURE_SELECT, 4, 1);
    reg(r, VIRTIO_DRIVER_FEATURE, 4, VIRTIO_F_VERSION_1 >> 32);
    for (unsigned q = 0; q < 2; q++) {
        reg(r, VIRTIO_QUEUE_SELECT, 2, q);
        reg(r, VIRTIO_QUEUE_SIZE, 2, ENTRIES);
        reg(r, VIRTIO_QUEUE_DESC, 8, AREA + q * AREA_SIZE);
        reg(r, VIRTIO_QUEUE_DRIVER, 8, AREA + q * AREA_SIZE + DRIVER_AT);
        reg(r, VIRTIO_QUEUE_DEVICE, 8, AREA + q * AREA_SIZE + DEVICE_AT);
        reg(r, VIRTIO_QUEUE_ENABLE, 2, 1);
    }
    reg(r, VIRTIO_DEVICE_STATUS, 1, READY);
}

/* A descriptor that may be one: addresses mostly lead somewhere. */
static void
describe(struct rig *r, uint32_t where, uint32_t value)
{
    const struct { uint64_t address; uint32_t size; uint16_t flags, next; } d = {
        value & 1u << 31 ? (uint64_t)value << 20 : value & (RAM - 1), where & 1 ? value >> 8 : value >> 24,
        (uint16_t)(where >> 1 & 7), (uint16_t)(where >> 4 & 15) };
    mem_write(r->m->mem, AREA + (where >> 23 & 1) * AREA_SIZE + (where >> 8 & 7) * VIRTQ_DESC_SIZE, &d, sizeof d);
}

/* Some entries of an available ring, and its index. */
static void
offer(struct rig *r, uint32_t where, uint32_t value)
{
    uint64_t ring = AREA + (where & 1) * AREA_SIZE + DRIVER_AT;
    uint16_t index = 0;
    mem_read(r->m->mem, ring + VIRTQ_AVAIL_IDX, &index, 2);
    mem_mmio_write(r->m->mem, ring + VIRTQ_AVAIL_RING + 2 * (index % ENTRIES), 2, value % (ENTRIES + 1));
    index = (uint16_t)(index + (where & 0x100 ? where >> 9 : 1));
    mem_write(r->m->mem, ring + VIRTQ_AVAIL_IDX, &index, 2);
    reg(r, 0x3000 + 4 * (where & 3), 2, where & 3);
}

static void
operation(struct rig *r, const uint8_t op[8])
{
    uint32_t where = op[1] | (uint32_t)op[2] << 8 | (uint32_t)op[3] << 16, value;
    memcpy(&value, op + 4, 4);
    switch (op[0] % 8) {
    case 0: reg(r, where % 0x4000, 1u << (op[0] >> 6), value * 0x100000001ull); break;
    case 1: reg(r, where % (VIRTIO_COMMON_SIZE + 8), 1u << (op[0] >> 6), value); break;
    case 2: describe(r, where, value); break;
    case 3: offer(r, where, value); break;
    case 4: wr32(r->m, AREA + (where % (2 * AREA_SIZE) & ~3u), value); break;
    case 5: pci_config_write(r->m->pci, BDF_VIRTIO_CONSOLE, where & 0xFC, 4, value); break;
    case 6: start(r, value); break;
    default:
        virtio_console_input(r->console, (uint8_t)value);
        fuzz_pass_time(r->m, where % 64);
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig r = rig_new();
    bool check = size && data[0] % 8 == 0;
    start(&r, UINT32_MAX);
    for (; size >= 8; data += 8, size -= 8) {
        operation(&r, data);
    }
    fuzz_pass_time(r.m, STEPS_MAX);
    if (check) {
        struct rig n = rig_new();
        fuzz_load_into(r.m, n.m);
        rig_free(&n);
    }
    rig_free(&r);
    return 0;
}
