/* Claims about fw_cfg and the devices of bare-metal test suites, through the
 * ports and addresses that software uses. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/board.h"
#include "sim/platform/fw_cfg.h"
#include "sim/platform/pci.h"
#include "spec/platform/fw_cfg.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)

static struct board *
board(struct machine *m)
{
    char error[128];
    const struct board_config config = { .edu = true };
    struct board *b = board_new(m, &config, error, sizeof error);
    assert_non_null(b);
    return b;
}

/* --- fw_cfg --------------------------------------------------------------------- */

static uint64_t
item(struct machine *m, uint16_t key, unsigned size)
{
    uint64_t value = 0;
    out(m, PORT_FW_CFG, 2, key);
    for (unsigned i = 0; i < size; i++) {
        value |= in(m, PORT_FW_CFG + 1, 1) << (8 * i);
    }
    return value;
}

static void
fw_cfg_tells_what_the_machine_is_made_of(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(3, 2 * MIB);
    struct board *b = board(m);
    static const struct { uint16_t key; unsigned size; uint64_t value; } rows[] = {
        { FW_CFG_SIGNATURE, 4, 0x554D4551 }, { FW_CFG_ID, 4, 3 }, { FW_CFG_RAM_SIZE, 8, 2 * MIB },
        { FW_CFG_NB_CPUS, 2, 3 }, { FW_CFG_MAX_CPUS, 2, 3 }, { 0x11, 8, 0 }, { 0x7777, 8, 0 },
        { FW_CFG_NB_CPUS, 8, 3 }, /* zeros behind the end */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(item(m, rows[i].key, rows[i].size), rows[i].value);
    }
    board_free(b);
    machine_free(m);
}

static void
fw_cfg_selector_takes_words_only_and_rewinds(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    assert_int_equal(item(m, FW_CFG_SIGNATURE, 2), 0x4551);
    assert_int_equal(item(m, FW_CFG_SIGNATURE, 2), 0x4551);
    out(m, PORT_FW_CFG, 1, FW_CFG_NB_CPUS);
    assert_int_equal(in(m, PORT_FW_CFG + 1, 1), 'M'); /* still the signature */
    board_free(b);
    machine_free(m);
}

static uint32_t
dma(struct machine *m, uint64_t at, uint32_t control, uint32_t length, uint64_t address)
{
    const uint32_t row[4] = { htobe32(control), htobe32(length), htobe32((uint32_t)(address >> 32)), htobe32((uint32_t)address) };
    mem_write(m->mem, at, row, sizeof row);
    out(m, PORT_FW_CFG_DMA, 4, htobe32((uint32_t)(at >> 32)));
    out(m, PORT_FW_CFG_DMA + 4, 4, htobe32((uint32_t)at));
    return be32toh(rd32(m, at));
}

static void
fw_cfg_dma_selects_skips_reads_and_refuses_writes(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    assert_int_equal(in(m, PORT_FW_CFG_DMA, 4), htobe32(0x51454D55));
    assert_int_equal(in(m, PORT_FW_CFG_DMA + 4, 4), htobe32(0x20434647));
    assert_int_equal(dma(m, 0x1000, FW_CFG_DMA_SELECT | FW_CFG_DMA_SKIP, 1, 0), 0);
    wr64(m, 0x2000, UINT64_MAX);
    assert_int_equal(dma(m, 0x1000, FW_CFG_DMA_READ, 4, 0x2000), 0);
    assert_int_equal(rd64(m, 0x2000), 0xFFFFFFFF00554D45); /* "EMU", one zero, no more */
    assert_int_equal(dma(m, 0x1000, FW_CFG_DMA_WRITE, 4, 0x2000), FW_CFG_DMA_ERROR);
    assert_int_equal(dma(m, 0x1000, FW_CFG_DMA_READ, 4, 0xF0000000), FW_CFG_DMA_ERROR);
    out(m, PORT_FW_CFG_DMA + 4, 4, htobe32(0xF0000000)); /* a descriptor nowhere: nothing happens */
    board_free(b);
    machine_free(m);
}

static void
fw_cfg_lists_files_in_its_directory(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct fw_cfg *f = fw_cfg_new(m);
    assert_true(fw_cfg_add_file(f, "opt/one", "1", 1));
    assert_true(fw_cfg_add_file(f, "opt/two", "two", 3));
    char longest[FW_CFG_FILE_NAME + 1];
    memset(longest, 'x', sizeof longest);
    longest[FW_CFG_FILE_NAME] = 0;
    assert_false(fw_cfg_add_file(f, longest, "", 0));
    assert_int_equal(item(m, FW_CFG_FILE_DIR, 4), htobe32(2));
    assert_int_equal(dma(m, 0x1000, (uint32_t)FW_CFG_FILE_DIR << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 132, 0x2000), 0);
    assert_int_equal(rd32(m, 0x2000 + 4 + 64), htobe32(3));
    uint16_t key = be16toh((uint16_t)rd32(m, 0x2000 + 4 + 64 + 4));
    char name[8];
    mem_read(m->mem, 0x2000 + 4 + 64 + 8, name, 8);
    assert_string_equal(name, "opt/two");
    assert_int_equal(item(m, key, 4), 0x6F7774);
    fw_cfg_free(f);
    machine_free(m);
}

/* --- test devices ---------------------------------------------------------------- */

static void
latch_has_four_byte_lanes_at_two_places(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    out(m, 0xE0, 4, 0x11223344);
    out(m, 0xE2, 1, 0x99);
    out(m, 0xE0, 2, 0x5566);
    assert_int_equal(in(m, 0xE0, 4), 0x11995566);
    assert_int_equal(in(m, 0xE1, 2), 0x9955);
    assert_int_equal(in(m, 0xE8, 4), 0x11995566);
    assert_int_equal(in(m, 0xE9, 1), 0xE9); /* the debug console is there */
    out(m, 0xE4, 4, 0x1000);
    assert_int_equal(in(m, 0xE0, 4), 0x11995566);
    board_free(b);
    machine_free(m);
}

static void
bytes_written_to_line_ports_drive_interrupt_lines(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    fake_reset();
    for (unsigned pin = 21; pin < 23; pin++) { /* fixed, edge, unmasked */
        wr32(m, IOAPIC_BASE, 0x10 + 2 * pin);
        wr32(m, IOAPIC_BASE + 0x10, 0x40 + pin);
    }
    out(m, 0x2000 + 21, 1, 1);
    assert_int_equal(fake.msi_count, 1);
    out(m, 0x2000 + 21, 1, 1);
    assert_int_equal(fake.msi_count, 1);
    out(m, 0x2000 + 20, 4, 0x00800000); /* lanes: 20 low, 21 low, 22 high, 23 low */
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(fake.msi_data[1] & 0xFF, 0x40 + 22);
    out(m, 0x2000 + 21, 1, 7);
    assert_int_equal(fake.msi_count, 3);
    board_free(b);
    machine_free(m);
}

static void
device_memory_keeps_any_width_and_ends_after_64_kib(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    wr64(m, TEST_MEMORY_BASE + 0xFFC, 0x1122334455667788);
    assert_int_equal(rd32(m, TEST_MEMORY_BASE + 0xFFE), 0x33445566);
    assert_int_equal(rd32(m, TEST_MEMORY_BASE + 0x10000), UINT32_MAX);
    board_free(b);
    machine_free(m);
}

static void
pci_testdev_counts_matching_writes_in_memory_and_ports(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    assert_int_equal(pci_config_read(m->pci, BDF_TEST_DEVICE, 0, 4), 0x00051B36);
    uint64_t memory = pci_config_read(m->pci, BDF_TEST_DEVICE, PCI_BAR0, 4);
    uint32_t port = pci_config_read(m->pci, BDF_TEST_DEVICE, PCI_BAR0 + 4, 4);
    out(m, 0xCF8, 4, 0x80002802); /* QEMU's software finds it so */
    assert_int_equal(in(m, 0xCFC, 2), 0x0005);
    assert_int_equal(in(m, 0xCF8, 4), 0x80002800);
    assert_int_equal(port & 3, 1);
    port &= 0xFFFC;
    mem_mmio_write(m->mem, memory, 1, 1);
    out(m, (uint16_t)port, 1, 2);
    for (unsigned i = 0; i < 3; i++) {
        mem_mmio_write(m->mem, memory + rd32(m, memory + 4), 1, rd32(m, memory + 8));
        out(m, (uint16_t)(port + in(m, (uint16_t)(port + 4), 4)), 1, in(m, (uint16_t)(port + 8), 1));
    }
    out(m, (uint16_t)(port + in(m, (uint16_t)(port + 4), 4)), 1, 0);
    assert_int_equal(rd32(m, memory + 12), 3);
    assert_int_equal(in(m, (uint16_t)(port + 12), 4), 3);
    assert_int_equal(in(m, (uint16_t)(port + 1), 1), 1);
    out(m, (uint16_t)port, 1, 3);
    assert_int_equal(in(m, (uint16_t)(port + 1), 1), 0); /* no such test */
    board_free(b);
    machine_free(m);
}

static void
edu_inverts_multiplies_moves_and_interrupts(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    fake_reset();
    uint64_t bar = pci_config_read(m->pci, BDF_EDU, PCI_BAR0, 4);
    assert_int_equal(pci_config_read(m->pci, BDF_EDU, PCI_INTERRUPT_LINE, 1), PCI_INTX_GSI + 6 % 4);
    pci_config_write(m->pci, BDF_EDU, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    wr32(m, bar + 4, 0x12345678);
    assert_int_equal(rd32(m, bar + 4), ~0x12345678u);
    wr32(m, bar + 8, 10);
    assert_int_equal(rd32(m, bar + 8), 3628800);
    wr32(m, bar + 8, 0xFFFFFFFF);
    assert_int_equal(rd32(m, bar + 8), 0);
    wr64(m, 0x3000, 0x1122334455667788);
    static const struct { uint64_t from, to, command; } moves[2] = { { 0x3000, 0x40010, 1 }, { 0x40010, 0x10004000, 7 } };
    for (unsigned i = 0; i < 2; i++) {
        wr64(m, bar + 0x80, moves[i].from);
        wr64(m, bar + 0x88, moves[i].to);
        wr64(m, bar + 0x90, 8);
        wr32(m, bar + 0x98, (uint32_t)moves[i].command);
        assert_int_equal(rd32(m, bar + 0x98) & 1, 1);
        m->now = event_queue_next_due(m->events);
        event_queue_run(m->events, m->now);
        assert_int_equal(rd32(m, bar + 0x98) & 1, 0);
    }
    assert_int_equal(rd64(m, 0x4000), 0x1122334455667788); /* bit 28 is beyond the device's 28 */
    assert_int_equal(rd32(m, bar + 0x24), 0x100);
    assert_true(pci_config_read(m->pci, BDF_EDU, PCI_STATUS, 2) & PCI_STATUS_INTX);
    wr32(m, bar + 0x64, 0x100);
    assert_false(pci_config_read(m->pci, BDF_EDU, PCI_STATUS, 2) & PCI_STATUS_INTX);
    unsigned cap = pci_config_read(m->pci, BDF_EDU, PCI_CAPABILITIES, 1);
    pci_config_write(m->pci, BDF_EDU, cap + 4, 4, 0xFEE00000);
    pci_config_write(m->pci, BDF_EDU, cap + 12, 2, 0x77);
    pci_config_write(m->pci, BDF_EDU, cap + 2, 2, 1);
    wr32(m, bar + 0x60, 4);
    assert_int_equal(fake.msi_count, 1);
    assert_int_equal(fake.msi_data[0], 0x77);
    board_free(b);
    machine_free(m);
}

static void
io_bars_move_and_follow_the_io_enable_bit(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, MIB);
    struct board *b = board(m);
    pci_config_write(m->pci, BDF_TEST_DEVICE, PCI_BAR0 + 4, 4, UINT32_MAX);
    assert_int_equal(pci_config_read(m->pci, BDF_TEST_DEVICE, PCI_BAR0 + 4, 4), 0xFFFFFF01);
    pci_config_write(m->pci, BDF_TEST_DEVICE, PCI_BAR0 + 4, 4, 0xD000);
    out(m, 0xD000, 1, 1);
    assert_int_equal(in(m, 0xD000, 1), 1);
    pci_config_write(m->pci, BDF_TEST_DEVICE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_int_equal(in(m, 0xD000, 1), 0xFF);
    board_free(b);
    machine_free(m);
}

static void
board_loads_to_the_hash_it_was_saved_with(void **unused)
{
    (void)unused;
    struct machine *a = fake_machine(1, MIB), *n = fake_machine(1, MIB);
    struct board *b = board(a), *c = board(n);
    item(a, FW_CFG_SIGNATURE, 2);
    out(a, 0xE0, 4, 0x12345678);
    wr64(a, TEST_MEMORY_BASE, 5);
    assert_true(machine_hash(a) != machine_hash(n));
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(n, s);
    assert_null(state_load_end(s));
    assert_true(machine_hash(a) == machine_hash(n));
    assert_int_equal(in(n, PORT_FW_CFG + 1, 1), 'M');
    free(bytes);
    board_free(b);
    board_free(c);
    machine_free(a);
    machine_free(n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fw_cfg_tells_what_the_machine_is_made_of),
        cmocka_unit_test(fw_cfg_selector_takes_words_only_and_rewinds),
        cmocka_unit_test(fw_cfg_dma_selects_skips_reads_and_refuses_writes),
        cmocka_unit_test(fw_cfg_lists_files_in_its_directory),
        cmocka_unit_test(latch_has_four_byte_lanes_at_two_places),
        cmocka_unit_test(bytes_written_to_line_ports_drive_interrupt_lines),
        cmocka_unit_test(device_memory_keeps_any_width_and_ends_after_64_kib),
        cmocka_unit_test(pci_testdev_counts_matching_writes_in_memory_and_ports),
        cmocka_unit_test(edu_inverts_multiplies_moves_and_interrupts),
        cmocka_unit_test(io_bars_move_and_follow_the_io_enable_bit),
        cmocka_unit_test(board_loads_to_the_hash_it_was_saved_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
