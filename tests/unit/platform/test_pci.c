/* Claims about configuration space, BAR decoding, DMA and MSI-X. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/base/state.h"
#include "sim/platform/msix.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"

#define MIB (1ull << 20)

/* A card: BAR0 64-bit prefetchable, BAR2 32-bit with the MSI-X table at 0x2000. */
struct card {
    struct pci_function function;
    struct msix msix;
    struct machine *machine;
    uint64_t last_offset, last_value;
    unsigned writes, config_writes;
};

static uint64_t
bar0_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)size;
    return 0xB0000000 + offset;
}

static void
bar0_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct card *c = ctx;
    (void)size;
    c->last_offset = offset;
    c->last_value = value;
    c->writes++;
}

static uint64_t
bar2_read(void *ctx, uint64_t offset, unsigned size)
{
    struct card *c = ctx;
    return msix_owns(&c->msix, offset) ? msix_read(&c->msix, offset, size) : 0x22222222;
}

static void
bar2_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct card *c = ctx;
    msix_write(&c->msix, offset, size, value);
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct card *c = ctx;
    c->config_writes++;
    msix_config_written(&c->msix, offset, size);
}

static void
card_init(struct card *c, struct machine *m, pci_bdf bdf)
{
    *c = (struct card){ .machine = m };
    struct pci_function *f = &c->function;
    f->bdf = bdf;
    f->name = "card";
    f->ctx = c;
    f->config_written = config_written;
    const struct mem_region bar0 = { "bar0", bar0_read, bar0_write, c };
    const struct mem_region bar2 = { "bar2", bar2_read, bar2_write, c };
    pci_header_init(f, 0x1234, 0x5678, 0x020000, 1);
    pci_bar_init(f, 0, 0x20000, PCI_BAR_64 | PCI_BAR_PREFETCH, &bar0);
    pci_bar_init(f, 2, 0x4000, 0, &bar2);
    msix_init(&c->msix, m->pci, f, 70, 2, 0x2000, 0x3000);
    pci_add(m->pci, f);
}

static struct machine *
machine_with(struct card *c)
{
    struct machine *m = fake_machine(1, 16 * MIB);
    card_init(c, m, BDF_CARD);
    return m;
}

static uint64_t
ecam(pci_bdf bdf, unsigned offset)
{
    return ECAM_BASE + ((uint64_t)bdf << 12) + offset;
}

static void
set_command(struct machine *m, struct card *c, uint16_t value)
{
    pci_config_write(m->pci, c->function.bdf, PCI_COMMAND, 2, value);
}

/* --- configuration ---------------------------------------------------------------- */

static void
both_mechanisms_reach_the_same_registers(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0)), 0x56781234);
    out(m, 0xCF8, 4, 0x80000000 | BDF_CARD << 8 | 0x3C);
    assert_int_equal(in(m, 0xCF8, 4), 0x8001003C);
    out(m, 0xCFC, 1, 0x5A);
    assert_int_equal(mem_mmio_read(m->mem, ecam(BDF_CARD, 0x3C), 1), 0x5A);
    out(m, 0xCF8, 4, 0x80000000 | BDF_CARD << 8);
    assert_int_equal(in(m, 0xCFE, 2), 0x5678); /* the middle of the window */
    out(m, 0xCF8, 4, BDF_CARD << 8);           /* enable bit off: nobody there */
    assert_int_equal(in(m, 0xCFC, 4), 0xFFFFFFFF);
    machine_free(m);
}

static void
absent_functions_read_as_ones(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    assert_int_equal(rd32(m, ecam(BDF_CARD + 1, 0)), 0xFFFFFFFF);
    assert_int_equal(rd32(m, ecam(0xFFFF, 0xFFC)), 0xFFFFFFFF);
    wr32(m, ecam(0xFF00, 4), 7); /* goes nowhere */
    unsigned present = 0;
    for (unsigned bdf = 0; bdf < 0x10000; bdf++) {
        present += rd32(m, ecam((pci_bdf)bdf, 0)) != 0xFFFFFFFF;
    }
    assert_int_equal(present, 3); /* host bridge, root port, card */
    machine_free(m);
}

static void
only_writable_bits_change(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    wr32(m, ecam(BDF_CARD, 0), 0);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0)), 0x56781234);
    set_command(m, &c, 0xFFFF);
    assert_int_equal(pci_config_read(m->pci, BDF_CARD, PCI_COMMAND, 2), 0x0546);
    assert_true(c.config_writes >= 2);
    machine_free(m);
}

static void
capabilities_form_a_list_that_ends(void **unused)
{
    (void)unused;
    static struct pci_function f;
    memset(&f, 0, sizeof f);
    assert_int_equal(pci_add_capability(&f, PCI_CAP_POWER, 8), 0x40);
    assert_int_equal(pci_add_capability(&f, PCI_CAP_MSIX, 12), 0x48);
    assert_int_equal(pci_add_capability(&f, PCI_CAP_EXPRESS, 0x3C), 0x54);
    assert_int_equal(pci_get(&f, PCI_CAPABILITIES, 1), 0x40);
    assert_int_equal(pci_get(&f, 0x40, 2), 0x4801);
    assert_int_equal(pci_get(&f, 0x48, 2), 0x5411);
    assert_int_equal(pci_get(&f, 0x54, 2), 0x0010);
    assert_true(pci_get(&f, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES);
    assert_int_equal(pci_add_extended_capability(&f, PCI_EXT_CAP_ARI, 1, 8), 0x100);
    assert_int_equal(pci_add_extended_capability(&f, PCI_EXT_CAP_SRIOV, 1, 0x40), 0x108);
    assert_int_equal(pci_get(&f, 0x100, 4), 0x1081000E);
    assert_int_equal(pci_get(&f, 0x108, 4), 0x00010010);
}

/* --- BARs -------------------------------------------------------------------------- */

static uint64_t
bar0_address(struct machine *m)
{
    return (rd64(m, ecam(BDF_CARD, PCI_BAR0)) & ~0xFull);
}

static void
firmware_has_assigned_and_opened_the_bars(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint64_t bar0 = bar0_address(m);
    uint32_t bar2 = rd32(m, ecam(BDF_CARD, 0x18));
    assert_true(bar0 >= MMIO64_BASE && bar0 % 0x20000 == 0);
    assert_true(bar2 >= MMIO32_BASE && bar2 < ECAM_BASE && bar2 % 0x4000 == 0);
    assert_int_equal(rd32(m, bar0 + 0x1234), 0xB0001234);
    assert_int_equal(rd32(m, bar2), 0x22222222);
    assert_int_equal(pci_config_read(m->pci, BDF_CARD, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
    machine_free(m);
}

static void
sizing_shows_size_and_type(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    set_command(m, &c, 0);
    wr32(m, ecam(BDF_CARD, 0x10), UINT32_MAX);
    wr32(m, ecam(BDF_CARD, 0x14), UINT32_MAX);
    wr32(m, ecam(BDF_CARD, 0x18), UINT32_MAX);
    wr32(m, ecam(BDF_CARD, 0x1C), UINT32_MAX);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0x10)), 0xFFFE000C);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0x14)), 0xFFFFFFFF);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0x18)), 0xFFFFC000);
    assert_int_equal(rd32(m, ecam(BDF_CARD, 0x1C)), 0);
    machine_free(m);
}

static void
a_moved_bar_decodes_at_its_new_place_only(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint64_t before = bar0_address(m), after = MMIO64_BASE + 0x40000000;
    wr32(m, ecam(BDF_CARD, 0x10), (uint32_t)after);
    wr32(m, ecam(BDF_CARD, 0x14), (uint32_t)(after >> 32));
    assert_true(rd64(m, before) == UINT64_MAX);
    assert_int_equal(rd32(m, after + 4), 0xB0000004);
    wr32(m, after + 0x10, 99);
    assert_int_equal(c.last_offset, 0x10);
    assert_int_equal(c.last_value, 99);
    set_command(m, &c, 0);
    assert_int_equal(rd32(m, after + 4), 0xFFFFFFFF);
    set_command(m, &c, PCI_COMMAND_MEMORY);
    assert_int_equal(rd32(m, after + 4), 0xB0000004);
    machine_free(m);
}

static void
a_bar_on_top_of_another_or_of_ram_is_not_decoded(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint32_t bar2 = rd32(m, ecam(BDF_CARD, 0x18));
    static const uint64_t bad[] = { 0, 0xFEC00000, ECAM_BASE, 0x7F00000000, 0x100000000 };
    for (unsigned i = 0; i <= 5; i++) {
        uint64_t at = i < 5 ? bad[i] : bar2 & ~0x1FFFFull;
        wr32(m, ecam(BDF_CARD, 0x10), (uint32_t)at);
        wr32(m, ecam(BDF_CARD, 0x14), (uint32_t)(at >> 32));
        assert_true(rd32(m, at + 8) != 0xB0000008);
    }
    assert_int_equal(rd32(m, bar2), 0x22222222); /* the first comer keeps its place */
    machine_free(m);
}

static void
the_root_ports_windows_gate_what_is_behind_it(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint64_t bar0 = bar0_address(m);
    uint32_t old_limit = rd32(m, ecam(BDF_ROOT_PORT, 0x2C));
    uint32_t bases = rd32(m, ecam(BDF_ROOT_PORT, 0x24));
    wr32(m, ecam(BDF_ROOT_PORT, 0x2C), 0); /* limit below base: closed */
    assert_int_equal(rd32(m, bar0), 0xFFFFFFFF);
    wr32(m, ecam(BDF_ROOT_PORT, 0x2C), old_limit);
    assert_int_equal(rd32(m, bar0), 0xB0000000);
    assert_int_equal(rd32(m, ecam(BDF_ROOT_PORT, 0x24)), bases);
    pci_config_write(m->pci, BDF_ROOT_PORT, PCI_COMMAND, 2, 0);
    assert_int_equal(rd32(m, bar0), 0xFFFFFFFF);
    assert_int_equal(rd32(m, ecam(BDF_ROOT_PORT, 0x18)), 0x00010100); /* buses 0, 1, 1 */
    wr32(m, ecam(BDF_ROOT_PORT, 0x18), 0x00050500);
    assert_int_equal(rd32(m, ecam(BDF_ROOT_PORT, 0x18)), 0x00010100);
    machine_free(m);
}

static void
a_device_in_a_slot_follows_its_ports_bus_numbers(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 2 * MIB), *n = fake_machine(1, 2 * MIB);
    struct card a, b, other;
    const struct { pci_bdf port, at; } first = { BDF_SLOT_PORT, 0x200 }, second = { BDF_SLOT_PORT + 1, 0x300 };
    assert_int_equal(pci_slot_new(m->pci), first.at);
    assert_int_equal(pci_slot_new(m->pci), second.at);
    pci_slot_new(n->pci);
    pci_slot_new(n->pci);
    card_init(&a, m, first.at);
    card_init(&b, m, second.at);
    assert_int_equal(rd32(m, ecam(first.port, 0x18)), 0x00020200);
    uint64_t bar0 = rd32(m, ecam(first.at, 0x10)) & ~15u;
    bar0 |= (uint64_t)rd32(m, ecam(first.at, 0x14)) << 32;
    assert_int_equal(rd32(m, bar0), 0xB0000000);

    wr32(m, ecam(first.port, 0x18), 0x00090700); /* from 7 on */
    assert_int_equal(rd32(m, ecam(first.at, 0)), UINT32_MAX);
    assert_int_equal(rd32(m, ecam(0x700, 0)) & 0xFFFF, pci_get(&a.function, 0, 2));
    assert_int_equal(a.function.bdf, 0x700); /* its requester id, too */
    assert_int_equal(rd32(m, ecam(second.at, 0)) & 0xFFFF, pci_get(&b.function, 0, 2));
    assert_int_equal(rd32(m, bar0), 0xB0000000);

    struct state *s = state_new_save();
    machine_state(m, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    card_init(&a, n, first.at);
    card_init(&other, n, second.at);
    s = state_new_load(bytes, size);
    machine_state(n, s);
    assert_null(state_load_end(s));
    assert_int_equal(rd32(n, ecam(0x700, 0)) & 0xFFFF, pci_get(&a.function, 0, 2));
    free(bytes);

    wr32(n, ecam(first.port, 0x18), 0); /* unconfigured: out of reach */
    assert_int_equal(rd32(n, ecam(0x700, 0)), UINT32_MAX);
    assert_int_equal(rd32(n, ecam(0, 0)) & 0xFFFF, 0x8086); /* and not in the way of bus 0 */
    wr32(n, ecam(first.port, 0x18), 0x00020200);
    assert_int_equal(rd32(n, ecam(first.at, 0)) & 0xFFFF, pci_get(&a.function, 0, 2));
    machine_free(m);
    machine_free(n);
}

static void
virtual_functions_decode_where_their_owner_says(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    static struct pci_function vf;
    memset(&vf, 0, sizeof vf);
    uint64_t space = pci_mmio_alloc(m->pci, 0x100000, true);
    vf.bdf = 0x0180;
    vf.is_virtual = true;
    vf.bar_size[0] = 0x4000;
    vf.bar_base[0] = space + 0x8000;
    vf.bar[0] = (struct mem_region){ "vf", bar0_read, bar0_write, &c };
    pci_add(m->pci, &vf);
    assert_int_equal(rd32(m, space + 0x8010), 0xB0000010);
    assert_ptr_equal(pci_find(m->pci, 0x0180), &vf);
    pci_remove(m->pci, &vf);
    assert_int_equal(rd32(m, space + 0x8010), 0xFFFFFFFF);
    assert_null(pci_find(m->pci, 0x0180));
    machine_free(m);
}

/* --- DMA ---------------------------------------------------------------------------- */

static void
dma_needs_bus_mastering_of_function_and_port(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint32_t word = 0x11223344, back = 0;
    assert_false(pci_dma_write(m->pci, &c.function, 0x5000, &word, 4));
    assert_int_equal(*mem_ram(m->mem, 0x5000), 0);
    set_command(m, &c, PCI_COMMAND_MASTER);
    assert_true(pci_dma_write(m->pci, &c.function, 0x5000, &word, 4));
    assert_true(pci_dma_read(m->pci, &c.function, 0x5000, &back, 4));
    assert_int_equal(back, 0x11223344);
    pci_config_write(m->pci, BDF_ROOT_PORT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    assert_false(pci_dma_read(m->pci, &c.function, 0x5000, &back, 4));
    machine_free(m);
}

static void
dma_across_the_end_of_ram_transfers_nothing(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    set_command(m, &c, PCI_COMMAND_MASTER);
    static uint8_t block[65536];
    memset(block, 0xEE, sizeof block);
    assert_false(pci_dma_write(m->pci, &c.function, 16 * MIB - 32768, block, sizeof block));
    assert_int_equal(*mem_ram(m->mem, 16 * MIB - 32768), 0);
    assert_true(pci_dma_write(m->pci, &c.function, 16 * MIB - 65536, block, sizeof block));
    assert_true(pci_dma_write(m->pci, &c.function, 0x10FFF, block, sizeof block)); /* 17 pages */
    assert_int_equal(*mem_ram(m->mem, 0x10FFF + 65535), 0xEE);
    assert_int_equal(*mem_ram(m->mem, 0x10FFF + 65536), 0);
    machine_free(m);
}

static void
a_dword_written_to_fee_is_a_message(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    set_command(m, &c, PCI_COMMAND_MASTER);
    uint32_t data = 0x4031;
    assert_true(pci_dma_write(m->pci, &c.function, 0xFEE01000, &data, 4));
    assert_int_equal(fake.msi_count, 1);
    assert_true(fake.msi_address[0] == 0xFEE01000);
    assert_int_equal(fake.msi_data[0], 0x4031);
    machine_free(m);
}

/* --- MSI-X --------------------------------------------------------------------------- */

static uint64_t
table_entry(struct machine *m, unsigned vector)
{
    return rd32(m, ecam(BDF_CARD, 0x18)) + 0x2000 + 16 * vector;
}

static void
vector_set(struct machine *m, unsigned vector, uint32_t data, bool masked)
{
    wr64(m, table_entry(m, vector), 0xFEE00000 + (vector << 12));
    wr32(m, table_entry(m, vector) + 8, data);
    wr32(m, table_entry(m, vector) + 12, masked);
}

static void
msix_control(struct machine *m, struct card *c, uint16_t value)
{
    pci_config_write(m->pci, BDF_CARD, c->msix.cap + 2u, 2, value);
}

static uint64_t
pending(struct machine *m, unsigned quadword)
{
    return rd64(m, rd32(m, ecam(BDF_CARD, 0x18)) + 0x3000 + 8 * quadword);
}

static void
msix_describes_itself(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    uint32_t cap = rd32(m, ecam(BDF_CARD, PCI_CAPABILITIES)) & 0xFF;
    assert_int_equal(rd32(m, ecam(BDF_CARD, cap)), 69u << 16 | 0x11);
    assert_int_equal(rd32(m, ecam(BDF_CARD, cap + 4)), 0x2002);
    assert_int_equal(rd32(m, ecam(BDF_CARD, cap + 8)), 0x3002);
    assert_int_equal(rd32(m, table_entry(m, 69) + 12), 1); /* masked after reset */
    machine_free(m);
}

static void
msix_sends_holds_and_releases(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    set_command(m, &c, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    vector_set(m, 3, 0x33, false);
    vector_set(m, 65, 0x65, true);
    assert_false(msix_notify(&c.msix, 3)); /* off */
    msix_control(m, &c, 0x8000);
    assert_true(msix_notify(&c.msix, 3));
    assert_int_equal(fake.msi_count, 1);
    assert_true(fake.msi_address[0] == 0xFEE03000 && fake.msi_data[0] == 0x33);
    msix_notify(&c.msix, 65);
    msix_notify(&c.msix, 65);
    assert_int_equal(fake.msi_count, 1);
    assert_true(pending(m, 1) == 2);
    wr32(m, table_entry(m, 65) + 12, 0); /* unmask: leaves once */
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(fake.msi_data[1], 0x65);
    assert_true(pending(m, 1) == 0);
    msix_control(m, &c, 0xC000); /* function mask */
    msix_notify(&c.msix, 3);
    assert_true(pending(m, 0) == 8);
    msix_control(m, &c, 0x8000);
    assert_int_equal(fake.msi_count, 3);
    machine_free(m);
}

static void
the_pending_array_is_read_only(void **unused)
{
    (void)unused;
    struct card c;
    struct machine *m = machine_with(&c);
    wr64(m, rd32(m, ecam(BDF_CARD, 0x18)) + 0x3000, UINT64_MAX);
    assert_true(pending(m, 0) == 0);
    machine_free(m);
}

/* --- state --------------------------------------------------------------------------- */

static void
a_loaded_machine_has_its_bars_where_they_were_saved(void **unused)
{
    (void)unused;
    struct card a, b;
    struct machine *ma = machine_with(&a), *mb = machine_with(&b);
    uint64_t before = bar0_address(mb), after = MMIO64_BASE + 0x40000000;
    wr32(ma, ecam(BDF_CARD, 0x10), (uint32_t)after);
    struct state *s = state_new_save();
    machine_state(ma, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(mb, s);
    assert_null(state_load_end(s));
    assert_int_equal(rd32(mb, before), 0xFFFFFFFF);
    assert_int_equal(rd32(mb, after), 0xB0000000);
    assert_true(machine_hash(ma) == machine_hash(mb));
    free(bytes);
    machine_free(ma);
    machine_free(mb);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_mechanisms_reach_the_same_registers),
        cmocka_unit_test(absent_functions_read_as_ones),
        cmocka_unit_test(only_writable_bits_change),
        cmocka_unit_test(capabilities_form_a_list_that_ends),
        cmocka_unit_test(firmware_has_assigned_and_opened_the_bars),
        cmocka_unit_test(sizing_shows_size_and_type),
        cmocka_unit_test(a_moved_bar_decodes_at_its_new_place_only),
        cmocka_unit_test(a_bar_on_top_of_another_or_of_ram_is_not_decoded),
        cmocka_unit_test(the_root_ports_windows_gate_what_is_behind_it),
        cmocka_unit_test(a_device_in_a_slot_follows_its_ports_bus_numbers),
        cmocka_unit_test(virtual_functions_decode_where_their_owner_says),
        cmocka_unit_test(dma_needs_bus_mastering_of_function_and_port),
        cmocka_unit_test(dma_across_the_end_of_ram_transfers_nothing),
        cmocka_unit_test(a_dword_written_to_fee_is_a_message),
        cmocka_unit_test(msix_describes_itself),
        cmocka_unit_test(msix_sends_holds_and_releases),
        cmocka_unit_test(the_pending_array_is_read_only),
        cmocka_unit_test(a_loaded_machine_has_its_bars_where_they_were_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
