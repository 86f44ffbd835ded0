/* What is plugged into the board, against any software: ports, memory and configuration space of fw_cfg, VGA, keyboard
 * controller, test devices and edu, with people's input and time in between.  Afterwards a saved machine must load to
 * the same hash.
 *
 * Input: operations of 8 bytes: what, where (24 bits), value (32 bits). */
#include <stdint.h>
#include <string.h>

#include "fuzz_machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/board.h"
#include "sim/platform/input.h"
#include "sim/platform/pci.h"
#include "sim/platform/vga.h"
#include "spec/platform/fw_cfg.h"
#include "spec/platform/memory_map.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct rig {
    struct machine *m;
    struct board *board;
};

static struct rig
rig_new(void)
{
    const struct machine_config config = { .ram_size = 1 << 20, .cpu_count = 1, .quantum = 1000, .display_text = true };
    const struct board_config board = { .edu = true };
    char error[256];
    struct rig r = { .m = machine_new(&config, error, sizeof error) };
    r.board = board_new(r.m, &board, error, sizeof error);
    return r;
}

static void
rig_free(struct rig *r)
{
    board_free(r->board);
    machine_free(r->m);
}

static void
port(struct rig *r, uint32_t where, uint32_t value, bool write, unsigned size)
{
    static const struct { uint16_t first, count; } ranges[] = {
        { 0x60, 1 }, { 0x64, 1 }, { 0xE0, 12 }, { 0x2000, 24 }, { 0x3C0, 32 }, { 0x3F8, 8 }, { PORT_FW_CFG, 12 },
        { PCI_PORTS_BASE, 256 },
    };
    unsigned i = where % (sizeof ranges / sizeof *ranges);
    uint16_t at = (uint16_t)(ranges[i].first + (where >> 8) % ranges[i].count);
    if (write) {
        out(r->m, at, size, value);
    } else {
        in(r->m, at, size);
    }
}

static void
memory(struct rig *r, uint32_t where, uint32_t value, unsigned size)
{
    uint64_t edu = pci_config_read(r->m->pci, BDF_EDU, PCI_BAR0, 4) & ~15u;
    uint64_t at = where & 1 ? TEST_MEMORY_BASE + where % TEST_MEMORY_SIZE : edu + (where >> 1) % 0xA0;
    if (where & 1u << 20) {
        mem_mmio_read(r->m->mem, at, size);
    } else {
        mem_mmio_write(r->m->mem, at, size, value % 0x50000);
    }
}

static void
operation(struct rig *r, const uint8_t op[8])
{
    uint32_t where = op[1] | (uint32_t)op[2] << 8 | (uint32_t)op[3] << 16, value;
    unsigned size = 1u << (op[0] >> 4 & 3);
    struct vga_text text;
    struct input_event e;
    memcpy(&value, op + 4, 4);
    switch (op[0] % 8) {
    case 0: case 1: case 2:
        port(r, where, value, op[0] % 8, size > 4 ? 4 : size);
        break;
    case 3:
        memory(r, where, value, size);
        break;
    case 4:
        pci_config_write(r->m->pci, where & 1 ? BDF_EDU : BDF_TEST_DEVICE, where >> 8 & 0xFF, size > 4 ? 4 : size, value);
        break;
    case 5:
        if (input_event_unpack(&e, op)) {
            input_apply(board_input(r->board), &e);
        }
        break;
    case 6:
        vga_text(board_vga(r->board), &text);
        break;
    default:
        wr32(r->m, 0x1000 + (where & 0x3C), value);
        fuzz_pass_time(r->m, where % 16);
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
    for (; size >= 8; data += 8, size -= 8) {
        operation(&r, data);
    }
    if (check) {
        check_save_and_load(&r);
    }
    rig_free(&r);
    return 0;
}
