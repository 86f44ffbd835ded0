/* Claims about VT-d: translation, faults, interrupt remapping, invalidation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_cpu.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "sim/platform/vtd.h"
#include "spec/platform/memory_map.h"
#include "spec/platform/vtd.h"

#define MIB (1ull << 20)

/* Where the tests keep their tables. */
enum {
    ROOT = 0x10000, CONTEXT = 0x11000, L4 = 0x12000, L3 = 0x13000, L2 = 0x14000, L1 = 0x15000,
    QUEUE = 0x16000, IRT = 0x18000, STATUS = 0x1F000,
    SID = 0x0110, DOMAIN = 0x1234,
};

static void
put64(struct machine *m, uint64_t spa, uint64_t value)
{
    assert_true(mem_write(m->mem, spa, &value, 8));
}

static uint32_t
reg(struct machine *m, unsigned offset)
{
    return rd32(m, VTD_BASE + offset);
}

static void
set_reg(struct machine *m, unsigned offset, uint32_t value)
{
    wr32(m, VTD_BASE + offset, value);
}

static void
command(struct machine *m, uint32_t bit)
{
    set_reg(m, VTD_GCMD, (reg(m, VTD_GSTS) & ~(VTD_GCMD_SRTP | VTD_GCMD_SIRTP)) | bit);
    assert_true(reg(m, VTD_GSTS) & bit);
}

/* Function SID in domain DOMAIN: 4 levels, 0x40000000 -> 0x500000 (4 KiB, RW),
 * 0x40001000 read-only, 0x40002000 write-only, 0x40200000 -> 2 MiB page at
 * 0x800000, 0x80000000 -> 1 GiB page at 0. */
static struct machine *
machine_with_tables(void)
{
    struct machine *m = fake_machine(1, 16 * MIB);
    put64(m, ROOT + 16 * (SID >> 8), CONTEXT | VTD_PRESENT);
    put64(m, CONTEXT + 16 * (SID & 0xFF), L4 | VTD_PRESENT);
    put64(m, CONTEXT + 16 * (SID & 0xFF) + 8, (uint64_t)DOMAIN << 8 | VTD_CONTEXT_AW_4_LEVEL);
    put64(m, L4, L3 | 3);
    put64(m, L3 + 8 * 1, L2 | 3);
    put64(m, L3 + 8 * 2, 0 | VTD_PTE_PS | 3);
    put64(m, L2 + 8 * 0, L1 | 3);
    put64(m, L2 + 8 * 1, 0x800000 | VTD_PTE_PS | 3);
    put64(m, L1 + 8 * 0, 0x500000 | 3);
    put64(m, L1 + 8 * 1, 0x501000 | VTD_PTE_R);
    put64(m, L1 + 8 * 2, 0x502000 | VTD_PTE_W);
    wr64(m, VTD_BASE + VTD_RTADDR, ROOT);
    command(m, VTD_GCMD_SRTP);
    command(m, VTD_GCMD_TE);
    return m;
}

static bool
translate(struct machine *m, uint64_t address, bool write, uint64_t *spa)
{
    uint64_t left;
    return vtd_translate(m->vtd, SID, address, write, spa, &left);
}

struct record { bool fault; unsigned reason; uint16_t sid; uint64_t info; bool read; };

static struct record
fault_record(struct machine *m, unsigned index)
{
    uint64_t fro = VTD_CAP_FRO(rd64(m, VTD_BASE + VTD_CAP));
    uint64_t low = rd64(m, VTD_BASE + fro + 16 * index), high = rd64(m, VTD_BASE + fro + 16 * index + 8);
    return (struct record){ high >> 63, high >> 32 & 0xFF, (uint16_t)high, low, high >> 62 & 1 };
}

static void
clear_faults(struct machine *m)
{
    uint64_t cap = rd64(m, VTD_BASE + VTD_CAP);
    for (unsigned i = 0; i < VTD_CAP_NFR(cap); i++) {
        set_reg(m, (unsigned)VTD_CAP_FRO(cap) + 16 * i + 12, 1u << 31);
    }
    set_reg(m, VTD_FSTS, VTD_FSTS_PFO);
}

/* --- translation --------------------------------------------------------------------- */

static void
nothing_is_translated_until_enabled(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 16 * MIB);
    uint64_t spa, left;
    assert_true(vtd_translate(m->vtd, SID, 0x123456, true, &spa, &left));
    assert_true(spa == 0x123456 && left == 0x1000 - 0x456);
    machine_free(m);
}

static void
pages_of_three_sizes_translate(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    static const struct { uint64_t from, to, left; } row[] = {
        { 0x40000000, 0x500000, 0x1000 },
        { 0x40000FFF, 0x500FFF, 1 },
        { 0x40234567, 0x834567, 0x200000 - 0x34567 },
        { 0x80654321, 0x654321, 0x40000000 - 0x654321 },
    };
    for (unsigned pass = 0; pass < 2; pass++) { /* walked, then from the IOTLB */
        for (unsigned i = 0; i < 4; i++) {
            uint64_t spa, left;
            assert_true(vtd_translate(m->vtd, SID, row[i].from, true, &spa, &left));
            assert_true(spa == row[i].to && left == row[i].left);
        }
    }
    assert_int_equal(reg(m, VTD_FSTS), 0);
    machine_free(m);
}

static void
each_broken_table_gives_its_fault_reason(void **unused)
{
    (void)unused;
    const uint64_t context = CONTEXT + 16 * (SID & 0xFF), root = ROOT + 16 * (SID >> 8);
    const struct { uint64_t at, value, address; bool write; unsigned reason; } row[] = {
        { root, 0, 0x40000000, true, VTD_FAULT_ROOT_NOT_PRESENT },
        { root, CONTEXT | 3, 0x40000000, true, VTD_FAULT_ROOT_RESERVED },
        { root + 8, 1, 0x40000000, true, VTD_FAULT_ROOT_RESERVED },
        { root, 0x3FFFFFF000 | 1, 0x40000000, true, VTD_FAULT_CONTEXT_ACCESS },
        { context, 0, 0x40000000, true, VTD_FAULT_CONTEXT_NOT_PRESENT },
        { context, L4 | 1 | 1 << 5, 0x40000000, true, VTD_FAULT_CONTEXT_RESERVED },
        { context + 8, 1ull << 40 | VTD_CONTEXT_AW_4_LEVEL, 0x40000000, true, VTD_FAULT_CONTEXT_RESERVED },
        { context + 8, 3, 0x40000000, true, VTD_FAULT_CONTEXT_INVALID },
        { context, L4 | 1 | 1 << 2, 0x40000000, true, VTD_FAULT_CONTEXT_INVALID }, /* device TLB type */
        { context, 0x3FFFFFF000 | 1, 0x40000000, true, VTD_FAULT_TABLE_ACCESS },
        { 0, 0, 1ull << 48, true, VTD_FAULT_ADDRESS_WIDTH },
        { 0, 0, 0x40001000, true, VTD_FAULT_WRITE },
        { 0, 0, 0x40002000, false, VTD_FAULT_READ },
        { 0, 0, 0x40003000, true, VTD_FAULT_WRITE },   /* not present */
        { 0, 0, 0x40003000, false, VTD_FAULT_READ },
        { L3 + 8, L2 | VTD_PTE_R, 0x40000000, true, VTD_FAULT_WRITE }, /* rights of all levels */
        { L4, L3 | 3 | VTD_PTE_PS, 0x40000000, true, VTD_FAULT_PTE_RESERVED },
        { L1, 0x500000 | 3 | 1ull << 46, 0x40000000, true, VTD_FAULT_PTE_RESERVED },
        { L2 + 8, 0x801000 | VTD_PTE_PS | 3, 0x40200000, true, VTD_FAULT_PTE_RESERVED },
        { L1, 0x500000 | 3 | VTD_PTE_TM, 0x40000000, true, VTD_FAULT_PTE_RESERVED },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = machine_with_tables();
        if (row[i].at) {
            put64(m, row[i].at, row[i].value);
        }
        uint64_t spa;
        assert_false(translate(m, row[i].address, row[i].write, &spa));
        struct record r = fault_record(m, 0);
        assert_true(r.fault);
        assert_int_equal(r.reason, row[i].reason);
        assert_int_equal(r.sid, SID);
        assert_true(r.info == (row[i].address & ~0xFFFull));
        assert_int_equal(r.read, !row[i].write);
        assert_true(reg(m, VTD_FSTS) & VTD_FSTS_PPF);
        machine_free(m);
    }
}

static void
pass_through_keeps_addresses(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    put64(m, CONTEXT + 16 * (SID & 0xFF), L4 | VTD_PRESENT | VTD_TT_PASS_THROUGH << 2);
    uint64_t spa;
    assert_true(translate(m, 0x7654321, true, &spa));
    assert_true(spa == 0x7654321);
    assert_false(translate(m, 1ull << 48, true, &spa));
    machine_free(m);
}

static void
three_levels_reach_39_bits(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    put64(m, CONTEXT + 16 * (SID & 0xFF), L3 | VTD_PRESENT);
    put64(m, CONTEXT + 16 * (SID & 0xFF) + 8, (uint64_t)DOMAIN << 8 | VTD_CONTEXT_AW_3_LEVEL);
    uint64_t spa;
    assert_true(translate(m, 0x40000123, true, &spa));
    assert_true(spa == 0x500123);
    assert_false(translate(m, 1ull << 39, true, &spa));
    assert_int_equal(fault_record(m, 0).reason, VTD_FAULT_ADDRESS_WIDTH);
    machine_free(m);
}

static void
a_quiet_context_records_nothing(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    put64(m, CONTEXT + 16 * (SID & 0xFF), L4 | VTD_PRESENT | VTD_FPD);
    uint64_t spa;
    assert_false(translate(m, 0x40003000, true, &spa));
    assert_false(fault_record(m, 0).fault);
    assert_int_equal(reg(m, VTD_FSTS), 0);
    machine_free(m);
}

static void
blocked_dma_moves_no_byte(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    static struct pci_function f;
    memset(&f, 0, sizeof f);
    f.bdf = SID;
    pci_header_init(&f, 1, 2, 0x020000, 0);
    pci_add(m->pci, &f);
    pci_config_write(m->pci, SID, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    uint8_t block[0x2000];
    memset(block, 0x77, sizeof block);
    assert_true(pci_dma_write(m->pci, &f, 0x40000000, block, 0x1000));
    assert_int_equal(*mem_ram(m->mem, 0x500000), 0x77);
    assert_true(pci_dma_latency(m->pci) > 0);
    memset(block, 0x99, sizeof block);
    assert_false(pci_dma_write(m->pci, &f, 0x40000000, block, 0x2000)); /* second page is read-only */
    assert_int_equal(*mem_ram(m->mem, 0x500000), 0x77);
    assert_true(pci_dma_read(m->pci, &f, 0x40000000, block, 0x2000));
    assert_int_equal(block[0], 0x77);
    assert_false(pci_dma_write(m->pci, &f, 0x500000, block, 4)); /* physical addresses mean nothing */
    machine_free(m);
}

/* --- faults ----------------------------------------------------------------------------- */

static void
fault_records_fill_up_then_overflow(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    unsigned count = VTD_CAP_NFR(rd64(m, VTD_BASE + VTD_CAP));
    uint64_t spa;
    for (unsigned i = 0; i < count; i++) {
        translate(m, 0x50000000 + i * 0x1000, true, &spa);
        assert_int_equal(reg(m, VTD_FSTS) & VTD_FSTS_PFO, 0);
    }
    translate(m, 0x60000000, true, &spa);
    assert_true(reg(m, VTD_FSTS) & VTD_FSTS_PFO);
    for (unsigned i = 0; i < count; i++) {
        assert_true(fault_record(m, i).info == 0x50000000 + i * 0x1000);
    }
    clear_faults(m);
    assert_int_equal(reg(m, VTD_FSTS) & (VTD_FSTS_PFO | VTD_FSTS_PPF), 0);
    translate(m, 0x60000000, true, &spa);
    assert_true(fault_record(m, 0).info == 0x60000000);
    machine_free(m);
}

static void
the_fault_event_is_sent_once_until_cleared(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    uint64_t spa;
    set_reg(m, VTD_FEDATA, 0x41);
    set_reg(m, VTD_FEADDR, 0xFEE03000);
    translate(m, 0x50000000, true, &spa);
    assert_int_equal(fake.count, 0);
    assert_true(reg(m, VTD_FECTL) & VTD_EVENT_IP); /* masked after reset */
    set_reg(m, VTD_FECTL, 0);
    assert_int_equal(fake.count, 1);
    assert_int_equal(fake.message[0].vector, 0x41);
    assert_int_equal(fake.message[0].destination, 3);
    translate(m, 0x50000000, true, &spa);
    assert_int_equal(fake.count, 1);
    clear_faults(m);
    translate(m, 0x50000000, true, &spa);
    assert_int_equal(fake.count, 2);
    machine_free(m);
}

/* --- caching and invalidation -------------------------------------------------------------- */

static void
queue(struct machine *m, uint64_t low, uint64_t high)
{
    if (!(reg(m, VTD_GSTS) & VTD_GCMD_QIE)) {
        wr64(m, VTD_BASE + VTD_IQA, QUEUE);
        command(m, VTD_GCMD_QIE);
    }
    uint32_t tail = reg(m, VTD_IQT);
    put64(m, QUEUE + tail, low);
    put64(m, QUEUE + tail + 8, high);
    wr64(m, VTD_BASE + VTD_IQT, (tail + 16) % 4096);
}

static uint64_t
iotlb_descriptor(unsigned granule, unsigned domain)
{
    return VTD_QI_IOTLB | granule << 4 | (uint64_t)domain << 16;
}

static void
translations_stay_until_invalidated(void **unused)
{
    (void)unused;
    enum { GLOBAL, DOMAIN_, PAGE, BIG_PAGE_MASK, OTHER_DOMAIN, OTHER_PAGE, CONTEXT_ONLY, REGISTER, CASES };
    for (unsigned i = 0; i < CASES; i++) {
        struct machine *m = machine_with_tables();
        uint64_t spa;
        assert_true(translate(m, 0x40000000, true, &spa));
        put64(m, L1, 0x600000 | 3);
        assert_true(translate(m, 0x40000000, true, &spa));
        assert_true(spa == 0x500000); /* the old answer, as on silicon */
        switch (i) {
        case GLOBAL: queue(m, iotlb_descriptor(VTD_GRANULE_GLOBAL, 0), 0); break;
        case DOMAIN_: queue(m, iotlb_descriptor(VTD_GRANULE_DOMAIN, DOMAIN), 0); break;
        case PAGE: queue(m, iotlb_descriptor(VTD_GRANULE_PAGE, DOMAIN), 0x40000000); break;
        case BIG_PAGE_MASK: queue(m, iotlb_descriptor(VTD_GRANULE_PAGE, DOMAIN), 0x40007000 | 3); break;
        case OTHER_DOMAIN: queue(m, iotlb_descriptor(VTD_GRANULE_DOMAIN, DOMAIN + 1), 0); break;
        case OTHER_PAGE: queue(m, iotlb_descriptor(VTD_GRANULE_PAGE, DOMAIN), 0x40001000); break;
        case CONTEXT_ONLY: queue(m, VTD_QI_CONTEXT | VTD_GRANULE_GLOBAL << 4, 0); break;
        case REGISTER: {
            unsigned iro = VTD_ECAP_IRO(rd64(m, VTD_BASE + VTD_ECAP));
            wr64(m, VTD_BASE + iro + 8, VTD_IOTLB_IVT | (uint64_t)VTD_GRANULE_GLOBAL << VTD_IOTLB_IIRG_SHIFT);
            uint64_t back = rd64(m, VTD_BASE + iro + 8);
            assert_false(back & VTD_IOTLB_IVT);
            assert_int_equal(back >> VTD_IOTLB_IAIG_SHIFT & 3, VTD_GRANULE_GLOBAL);
            break;
        }
        }
        bool stale = i == OTHER_DOMAIN || i == OTHER_PAGE || i == CONTEXT_ONLY;
        assert_true(translate(m, 0x40000000, true, &spa));
        assert_true(spa == (stale ? 0x500000 : 0x600000));
        machine_free(m);
    }
}

static void
contexts_stay_until_invalidated(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    uint64_t spa;
    assert_true(translate(m, 0x40000000, true, &spa));
    put64(m, CONTEXT + 16 * (SID & 0xFF), 0);
    assert_true(translate(m, 0x40000000, true, &spa));
    queue(m, VTD_QI_CONTEXT | VTD_GRANULE_DEVICE << 4 | (uint64_t)DOMAIN << 16 | (uint64_t)(SID + 1) << 32, 0);
    assert_true(translate(m, 0x40000000, true, &spa));
    queue(m, VTD_QI_CONTEXT | VTD_GRANULE_DEVICE << 4 | (uint64_t)DOMAIN << 16 | (uint64_t)SID << 32, 0);
    assert_false(translate(m, 0x40000000, true, &spa));
    machine_free(m);
}

static void
what_is_not_present_is_not_cached(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    uint64_t spa;
    assert_false(translate(m, 0x40003000, true, &spa));
    put64(m, L1 + 8 * 3, 0x503000 | 3);
    assert_true(translate(m, 0x40003000, true, &spa));
    machine_free(m);
}

static void
a_wait_descriptor_writes_its_status_and_interrupts(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    set_reg(m, VTD_IEDATA, 0x55);
    set_reg(m, VTD_IEADDR, 0xFEE00000);
    set_reg(m, VTD_IECTL, 0);
    queue(m, VTD_QI_WAIT | VTD_QI_WAIT_SW | VTD_QI_WAIT_IF | 0xCAFEull << 32, STATUS);
    uint32_t status;
    mem_read(m->mem, STATUS, &status, 4);
    assert_int_equal(status, 0xCAFE);
    assert_int_equal(reg(m, VTD_ICS), VTD_ICS_IWC);
    assert_int_equal(fake.count, 1);
    assert_int_equal(fake.message[0].vector, 0x55);
    assert_int_equal(reg(m, VTD_IQH), reg(m, VTD_IQT));
    set_reg(m, VTD_ICS, VTD_ICS_IWC);
    assert_int_equal(reg(m, VTD_ICS), 0);
    machine_free(m);
}

static void
the_queue_wraps(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_tables();
    for (unsigned i = 0; i < 600; i++) {
        queue(m, VTD_QI_WAIT | VTD_QI_WAIT_SW | (uint64_t)i << 32, STATUS);
        uint32_t status;
        mem_read(m->mem, STATUS, &status, 4);
        assert_int_equal(status, i);
    }
    machine_free(m);
}

static void
a_bad_descriptor_stops_the_queue_until_cleared(void **unused)
{
    (void)unused;
    static const uint64_t bad[][2] = {
        { 0, 0 }, { 3, 0 }, { 6, 0 }, { 15, 0 }, { VTD_QI_CONTEXT, 0 }, { VTD_QI_IOTLB, 0 },
        { VTD_QI_WAIT | 1 << 20, 0 }, { VTD_QI_WAIT, 1 }, { VTD_QI_CONTEXT | 1 << 4, 1 },
        { VTD_QI_INTERRUPT | 1 << 8, 0 },
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct machine *m = machine_with_tables();
        queue(m, bad[i][0], bad[i][1]);
        assert_true(reg(m, VTD_FSTS) & VTD_FSTS_IQE);
        assert_int_equal(reg(m, VTD_IQH), 0);
        queue(m, VTD_QI_WAIT | VTD_QI_WAIT_SW | 5ull << 32, STATUS);
        assert_int_equal(*mem_ram(m->mem, STATUS), 0);
        put64(m, QUEUE, VTD_QI_WAIT); /* software mends the descriptor, then clears the error */
        put64(m, QUEUE + 8, 0);
        set_reg(m, VTD_FSTS, VTD_FSTS_IQE);
        assert_int_equal(*mem_ram(m->mem, STATUS), 5);
        machine_free(m);
    }
}

/* --- interrupt remapping --------------------------------------------------------------------- */

static struct machine *
machine_with_remapping(uint64_t flags)
{
    struct machine *m = fake_machine(1, 16 * MIB);
    wr64(m, VTD_BASE + VTD_IRTA, IRT | flags | 3); /* 16 entries */
    command(m, VTD_GCMD_SIRTP);
    command(m, VTD_GCMD_IRE);
    return m;
}

static uint64_t
remappable(unsigned index, bool shv)
{
    return 0xFEE00000u | (index & 0x7FFF) << 5 | 1 << 4 | (shv ? 1 << 3 : 0) | (index >> 15) << 2;
}

static uint64_t
irte(uint8_t vector, uint32_t destination, bool wide)
{
    return VTD_PRESENT | (uint64_t)vector << 16 | (uint64_t)destination << (wide ? 32 : 40);
}

static void
without_remapping_messages_pass(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 16 * MIB);
    vtd_interrupt(m->vtd, SID, 0xFEE02000, 0x31);
    assert_int_equal(fake.msi_count, 1);
    assert_true(fake.msi_address[0] == 0xFEE02000);
    machine_free(m);
}

static void
an_entry_makes_the_message(void **unused)
{
    (void)unused;
    for (unsigned wide = 0; wide < 2; wide++) {
        struct machine *m = machine_with_remapping(wide ? VTD_IRTA_EIME : 0);
        put64(m, IRT + 16 * 5, irte(0x77, wide ? 0x12345 : 0x42, wide) | VTD_IRTE_LOGICAL |
                                   VTD_IRTE_LEVEL | 1 << VTD_IRTE_DLM_SHIFT);
        vtd_interrupt(m->vtd, SID, remappable(5, false), 0);
        vtd_interrupt(m->vtd, SID, remappable(2, true), 3); /* handle + subhandle */
        assert_int_equal(fake.count, 2);
        for (unsigned i = 0; i < 2; i++) {
            const struct apic_message *x = &fake.message[i];
            assert_int_equal(x->vector, 0x77);
            assert_int_equal(x->destination, wide ? 0x12345 : 0x42);
            assert_int_equal(x->wide, wide);
            assert_true(x->logical && x->level);
            assert_int_equal(x->mode, APIC_LOWEST);
        }
        machine_free(m);
    }
}

static void
each_bad_request_gives_its_fault_reason(void **unused)
{
    (void)unused;
    const uint64_t good = irte(0x50, 1, false);
    const struct { uint64_t address; uint32_t data; uint64_t low, high; unsigned reason; } row[] = {
        { remappable(1, false), 0, good, 0, 0 },
        { remappable(16, false), 0, good, 0, VTD_FAULT_IR_INDEX },
        { remappable(15, true), 1, good, 0, VTD_FAULT_IR_INDEX },
        { remappable(0x8001, false), 0, good, 0, VTD_FAULT_IR_INDEX },
        { remappable(1, true), 0x10000, good, 0, VTD_FAULT_IR_REQUEST_RESERVED },
        { remappable(1, false), 0, good & ~1ull, 0, VTD_FAULT_IR_NOT_PRESENT },
        { remappable(1, false), 0, good | 1 << 12, 0, VTD_FAULT_IR_RESERVED },
        { remappable(1, false), 0, good | VTD_IRTE_POSTED, 0, VTD_FAULT_IR_RESERVED },
        { remappable(1, false), 0, good | 1ull << 32, 0, VTD_FAULT_IR_RESERVED },
        { remappable(1, false), 0, good, 3 << 18, VTD_FAULT_IR_RESERVED },
        { remappable(1, false), 0, good, 1 << 20, VTD_FAULT_IR_RESERVED },
        { 0xFEE01000, 0x31, good, 0, VTD_FAULT_IR_COMPATIBILITY },
        /* source-id verification: exact, function bits ignored, bus range */
        { remappable(1, false), 0, good, 1 << 18 | SID, 0 },
        { remappable(1, false), 0, good, 1 << 18 | (SID + 1), VTD_FAULT_IR_SOURCE },
        { remappable(1, false), 0, good, 1 << 18 | 3 << 16 | (SID + 1), 0 },
        { remappable(1, false), 0, good, 1 << 18 | 1 << 16 | (SID + 4), 0 },
        { remappable(1, false), 0, good, 1 << 18 | 1 << 16 | (SID + 2), VTD_FAULT_IR_SOURCE },
        { remappable(1, false), 0, good, 2 << 18 | 0x0102, 0 },
        { remappable(1, false), 0, good, 2 << 18 | 0x0203, VTD_FAULT_IR_SOURCE },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct machine *m = machine_with_remapping(0);
        put64(m, IRT + 16, row[i].low);
        put64(m, IRT + 24, row[i].high);
        vtd_interrupt(m->vtd, SID, row[i].address, row[i].data);
        struct record r = fault_record(m, 0);
        assert_int_equal(fake.count, row[i].reason == 0);
        assert_int_equal(fake.msi_count, 0);
        assert_int_equal(r.fault, row[i].reason != 0);
        assert_int_equal(r.reason, row[i].reason);
        if (row[i].reason) {
            assert_int_equal(r.sid, SID);
        }
        machine_free(m);
    }
}

static void
compatibility_messages_pass_only_when_allowed(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_remapping(0);
    command(m, VTD_GCMD_CFI);
    vtd_interrupt(m->vtd, SID, 0xFEE01000, 0x31);
    assert_int_equal(fake.msi_count, 1);
    machine_free(m);
    m = machine_with_remapping(VTD_IRTA_EIME); /* never in x2APIC mode */
    command(m, VTD_GCMD_CFI);
    vtd_interrupt(m->vtd, SID, 0xFEE01000, 0x31);
    assert_int_equal(fake.msi_count, 0);
    machine_free(m);
}

static void
interrupt_entries_stay_until_invalidated(void **unused)
{
    (void)unused;
    struct machine *m = machine_with_remapping(0);
    put64(m, IRT + 16 * 5, irte(0x50, 1, false));
    vtd_interrupt(m->vtd, SID, remappable(5, false), 0);
    put64(m, IRT + 16 * 5, irte(0x60, 1, false));
    vtd_interrupt(m->vtd, SID, remappable(5, false), 0);
    assert_int_equal(fake.message[1].vector, 0x50);
    queue(m, VTD_QI_INTERRUPT | 1 << 4 | 4ull << 32, 0); /* another index */
    vtd_interrupt(m->vtd, SID, remappable(5, false), 0);
    assert_int_equal(fake.message[2].vector, 0x50);
    queue(m, VTD_QI_INTERRUPT | 1 << 4 | 1 << 27 | 4ull << 32, 0); /* 4 and 5 */
    vtd_interrupt(m->vtd, SID, remappable(5, false), 0);
    assert_int_equal(fake.message[3].vector, 0x60);
    machine_free(m);
}

/* --- registers and state ------------------------------------------------------------------------ */

static void
capabilities_tell_what_the_tests_above_show(void **unused)
{
    (void)unused;
    struct machine *m = fake_machine(1, 16 * MIB);
    uint64_t cap = rd64(m, VTD_BASE + VTD_CAP), ecap = rd64(m, VTD_BASE + VTD_ECAP);
    assert_int_equal(VTD_CAP_ND(cap), 6);
    assert_int_equal(VTD_CAP_SAGAW(cap), 6);
    assert_int_equal(VTD_CAP_MGAW(cap), 48);
    assert_int_equal(VTD_CAP_SLLPS(cap), 3);
    assert_true(ecap & VTD_ECAP_QI && ecap & VTD_ECAP_IR && ecap & VTD_ECAP_EIM && ecap & VTD_ECAP_PT);
    wr64(m, VTD_BASE + VTD_CAP, 0);
    assert_true(rd64(m, VTD_BASE + VTD_CAP) == cap);
    assert_int_equal(reg(m, VTD_VER), 0x10);
    machine_free(m);
}

static void
a_loaded_unit_remembers_what_it_had_cached(void **unused)
{
    (void)unused;
    struct machine *a = machine_with_tables(), *b = fake_machine(1, 16 * MIB);
    uint64_t spa;
    translate(a, 0x40000000, true, &spa);
    put64(a, L1, 0x600000 | 3);
    struct state *s = state_new_save();
    machine_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    s = state_new_load(bytes, size);
    machine_state(b, s);
    assert_null(state_load_end(s));
    assert_true(machine_hash(a) == machine_hash(b));
    assert_true(translate(b, 0x40000000, true, &spa));
    assert_true(spa == 0x500000);
    free(bytes);
    machine_free(a);
    machine_free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_translated_until_enabled),
        cmocka_unit_test(pages_of_three_sizes_translate),
        cmocka_unit_test(each_broken_table_gives_its_fault_reason),
        cmocka_unit_test(pass_through_keeps_addresses),
        cmocka_unit_test(three_levels_reach_39_bits),
        cmocka_unit_test(a_quiet_context_records_nothing),
        cmocka_unit_test(blocked_dma_moves_no_byte),
        cmocka_unit_test(fault_records_fill_up_then_overflow),
        cmocka_unit_test(the_fault_event_is_sent_once_until_cleared),
        cmocka_unit_test(translations_stay_until_invalidated),
        cmocka_unit_test(contexts_stay_until_invalidated),
        cmocka_unit_test(what_is_not_present_is_not_cached),
        cmocka_unit_test(a_wait_descriptor_writes_its_status_and_interrupts),
        cmocka_unit_test(the_queue_wraps),
        cmocka_unit_test(a_bad_descriptor_stops_the_queue_until_cleared),
        cmocka_unit_test(without_remapping_messages_pass),
        cmocka_unit_test(an_entry_makes_the_message),
        cmocka_unit_test(each_bad_request_gives_its_fault_reason),
        cmocka_unit_test(compatibility_messages_pass_only_when_allowed),
        cmocka_unit_test(interrupt_entries_stay_until_invalidated),
        cmocka_unit_test(capabilities_tell_what_the_tests_above_show),
        cmocka_unit_test(a_loaded_unit_remembers_what_it_had_cached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
