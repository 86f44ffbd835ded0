/* The NVMe controller against any driver: registers, doorbells, queue entries and
 * PRP lists with any contents, time passing in between.  Afterwards a saved
 * machine must load to the same hash.
 *
 * Input: operations of 8 bytes: what, where (24 bits), value (32 bits). */
#include <stdint.h>
#include <string.h>

#include "fuzz_machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/disk.h"
#include "sim/platform/nvme.h"
#include "sim/platform/pci.h"
#include "spec/platform/nvme.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BDF_NVME = 0x0040, RAM = 1 << 20, SECTORS = 2000, STEPS_MAX = 4096 };

struct rig {
    struct machine *m;
    struct disk *disk;
    struct nvme *nvme;
    uint64_t bar;
};

static struct rig
rig_new(void)
{
    struct rig r = { .m = fake_machine(1, RAM), .disk = disk_blank(SECTORS) };
    r.nvme = nvme_new(r.m, BDF_NVME, 0, r.disk);
    pci_config_write(r.m->pci, BDF_NVME, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    r.bar = pci_config_read(r.m->pci, BDF_NVME, PCI_BAR0, 4) & ~15u;
    return r;
}

static void
rig_free(struct rig *r)
{
    nvme_free(r->nvme);
    disk_close(r->disk);
    machine_free(r->m);
}

static void
enable(struct rig *r)
{
    wr32(r->m, r->bar + NVME_AQA, 15 << 16 | 15);
    wr64(r->m, r->bar + NVME_ASQ, 0x10000);
    wr64(r->m, r->bar + NVME_ACQ, 0x11000);
    wr32(r->m, r->bar + NVME_CC, NVME_CC_EN | 6 << 16 | 4 << 20);
}

/* Addresses mostly lead somewhere. */
static uint32_t
address(uint32_t value)
{
    return value & 1u << 31 ? value : value & (RAM - 1) & (value & 1u << 30 ? ~0u : ~0xFFFu);
}

/* A plausible command in slot 'where' of the admin queue or of a queue at 12000H. */
static void
command(struct rig *r, uint32_t where, uint32_t value)
{
    static const uint8_t opcode[2][12] = { { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 5, 1 }, { 0, 1, 2, 5, 8, 9, 1, 2, 1, 2, 5, 3 } };
    bool admin = where >> 8 & 1;
    uint32_t c[16] = { opcode[!admin][where % 12] | value << 16, where >> 9 & 1, [6] = address(value << 4), [8] = address(value << 9) };
    c[10] = admin ? (value & 0xF0) << 12 | (value & 3) : value % (SECTORS + 3);
    c[11] = admin ? (value >> 8 & 3) << 16 | (value >> 10 & 7) : 0;
    c[12] = value >> 5 & 0x7F;
    mem_write(r->m->mem, (admin ? 0x10000u : 0x12000u) + (where >> 12 & 15) * 64, c, sizeof c);
}

static void
operation(struct rig *r, const uint8_t op[8])
{
    uint32_t where = op[1] | (uint32_t)op[2] << 8 | (uint32_t)op[3] << 16, value;
    memcpy(&value, op + 4, 4);
    switch (op[0] % 8) {
    case 0:
        mem_mmio_write(r->m->mem, r->bar + where % 0x4000, 1u << (op[0] >> 6), value * 0x100000001ull);
        break;
    case 1:
        wr32(r->m, r->bar + NVME_DOORBELLS + 4 * (where % 10), value % 20);
        break;
    case 2: case 3:
        command(r, where, value);
        break;
    case 4:
        wr32(r->m, 0x10000 + (where & 0x3FFFC), value);
        break;
    case 5:
        pci_config_write(r->m->pci, BDF_NVME, where & 0xFC, 4, value);
        break;
    case 6:
        enable(r);
        break;
    default:
        fuzz_pass_time(r->m, where % 64);
        break;
    }
}

static void
check_save_and_load(struct rig *r)
{
    struct rig n = rig_new();
    fuzz_load_into(r->m, n.m);
    rig_free(&n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig r = rig_new();
    bool check = size && data[0] % 8 == 0;
    enable(&r);
    for (; size >= 8; data += 8, size -= 8) {
        operation(&r, data);
    }
    fuzz_pass_time(r.m, STEPS_MAX);
    if (check) {
        check_save_and_load(&r);
    }
    rig_free(&r);
    return 0;
}
