/* Claims about the NVMe controller, made by a small driver that talks to it as
 * software does: registers, queues in memory, doorbells. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/disk.h"
#include "sim/platform/nvme.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"
#include "spec/platform/nvme.h"

#define MIB (1ull << 20)
enum { BDF_NVME = 0x0040 }; /* on bus 0 */
enum { ENTRIES = 8, ASQ = 0x10000, ACQ = 0x11000, SQ = 0x12000, CQ = 0x13000, PAGE = 0x20000, LIST = 0x40000, SECTORS = 4096 };

struct driver {
    struct machine *m;
    struct disk *disk;
    struct nvme *nvme;
    uint64_t bar;
    unsigned tail[3], head[3];
    bool phase[3];
    uint16_t cid;
};

struct answer {
    bool came;
    uint32_t result;
    uint16_t status, sq_head, sq, cid;
};

static struct driver
plug(void)
{
    struct driver d = { .m = fake_machine(1, MIB), .disk = disk_blank(SECTORS) };
    fake_reset();
    d.nvme = nvme_new(d.m, BDF_NVME, 0, d.disk);
    assert_non_null(d.nvme);
    pci_config_write(d.m->pci, BDF_NVME, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    d.bar = pci_config_read(d.m->pci, BDF_NVME, PCI_BAR0, 4) & ~15u;
    return d;
}

static void
unplug(struct driver *d)
{
    nvme_free(d->nvme);
    disk_close(d->disk);
    machine_free(d->m);
}

/* Time passes until nothing is left to do. */
static void
settle(struct driver *d)
{
    while (event_queue_next_due(d->m->events) != EVENT_NEVER) {
        d->m->now = event_queue_next_due(d->m->events);
        event_queue_run(d->m->events, d->m->now);
    }
}

static void
enable(struct driver *d)
{
    wr32(d->m, d->bar + NVME_AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
    wr64(d->m, d->bar + NVME_ASQ, ASQ);
    wr64(d->m, d->bar + NVME_ACQ, ACQ);
    wr32(d->m, d->bar + NVME_CC, NVME_CC_EN | 6 << 16 | 4 << 20);
    for (unsigned i = 0; i < 3; i++) {
        d->tail[i] = d->head[i] = 0;
        d->phase[i] = true;
    }
}

static void
submit(struct driver *d, unsigned queue, const uint32_t command[16])
{
    uint32_t entry[16];
    memcpy(entry, command, sizeof entry);
    entry[0] |= (uint32_t)++d->cid << 16;
    mem_write(d->m->mem, (queue ? SQ : ASQ) + d->tail[queue] * 64, entry, sizeof entry);
    d->tail[queue] = (d->tail[queue] + 1) % ENTRIES;
    wr32(d->m, d->bar + NVME_DOORBELLS + 8 * queue, d->tail[queue]);
}

static struct answer
reap(struct driver *d, unsigned queue)
{
    uint32_t e[4];
    mem_read(d->m->mem, (queue ? CQ : ACQ) + d->head[queue] * 16, e, sizeof e);
    if ((e[3] >> 16 & 1) != d->phase[queue]) {
        return (struct answer){ .came = false };
    }
    d->head[queue] = (d->head[queue] + 1) % ENTRIES;
    d->phase[queue] ^= d->head[queue] == 0;
    wr32(d->m, d->bar + NVME_DOORBELLS + 8 * queue + 4, d->head[queue]);
    return (struct answer){ true, e[0], (uint16_t)(e[3] >> 17), (uint16_t)e[2], (uint16_t)(e[2] >> 16), (uint16_t)e[3] };
}

static struct answer
run(struct driver *d, unsigned queue, const uint32_t command[16])
{
    submit(d, queue, command);
    settle(d);
    struct answer a = reap(d, queue);
    assert_true(a.came);
    assert_int_equal(a.sq, queue);
    assert_int_equal(a.cid, d->cid);
    return a;
}

#define COMMAND(...) ((const uint32_t[16]){ __VA_ARGS__ })

static void
create_queues(struct driver *d, bool interrupts)
{
    assert_int_equal(run(d, 0, COMMAND(NVME_ADMIN_CREATE_CQ, [6] = CQ, [10] = (ENTRIES - 1) << 16 | 1,
                                       [11] = 1 | interrupts << 1)).status, 0);
    assert_int_equal(run(d, 0, COMMAND(NVME_ADMIN_CREATE_SQ, [6] = SQ, [10] = (ENTRIES - 1) << 16 | 1,
                                       [11] = 1 | 1 << 16)).status, 0);
}

static struct driver
ready(void)
{
    struct driver d = plug();
    enable(&d);
    create_queues(&d, false);
    return d;
}

/* --- registers, identify, queues ---------------------------------------------------- */

static void
controller_is_ready_when_enabled_and_forgets_when_disabled(void **unused)
{
    (void)unused;
    struct driver d = plug();
    assert_int_equal(rd64(d.m, d.bar + NVME_CAP) & 0xFFFF, 1023);
    assert_int_equal(rd32(d.m, d.bar + NVME_VS), 0x00010400);
    assert_int_equal(rd32(d.m, d.bar + NVME_CSTS), 0);
    enable(&d);
    assert_int_equal(rd32(d.m, d.bar + NVME_CSTS), NVME_CSTS_RDY);
    create_queues(&d, false);
    wr32(d.m, d.bar + NVME_CC, 0);
    assert_int_equal(rd32(d.m, d.bar + NVME_CSTS), 0);
    memset(mem_ram_write(d.m->mem, ACQ), 0, 4096);
    enable(&d);
    create_queues(&d, false); /* their numbers are free again */
    wr32(d.m, d.bar + NVME_CC, NVME_CC_EN | 1 << 14 | 6 << 16 | 4 << 20);
    assert_int_equal(rd32(d.m, d.bar + NVME_CSTS) & NVME_CSTS_SHST, NVME_CSTS_SHST_DONE);
    unplug(&d);
}

static void
identify_tells_size_and_limits(void **unused)
{
    (void)unused;
    struct driver d = plug();
    enable(&d);
    assert_int_equal(run(&d, 0, COMMAND(NVME_ADMIN_IDENTIFY, [6] = PAGE, [10] = NVME_CNS_CONTROLLER)).status, 0);
    assert_memory_equal(mem_ram(d.m->mem, PAGE + 24), "hvlab NVMe disk ", 16);
    assert_int_equal(*mem_ram(d.m->mem, PAGE + 77), 7);
    assert_int_equal(run(&d, 0, COMMAND(NVME_ADMIN_IDENTIFY, 1, [6] = PAGE)).status, 0);
    assert_int_equal(rd64(d.m, PAGE), SECTORS);
    assert_int_equal(rd32(d.m, PAGE + 128), 9 << 16);
    assert_int_equal(run(&d, 0, COMMAND(NVME_ADMIN_IDENTIFY, [6] = PAGE, [10] = NVME_CNS_ACTIVE_LIST)).status, 0);
    assert_int_equal(rd64(d.m, PAGE), 1);
    unplug(&d);
}

static void
refuses_what_the_specification_says_is_refused(void **unused)
{
    (void)unused;
    static const struct { const char *why; uint16_t status; unsigned queue; uint32_t command[16]; } rows[] = {
        { "unknown admin opcode", NVME_INVALID_OPCODE, 0, { 0x7F } },
        { "unknown I/O opcode", NVME_INVALID_OPCODE, 1, { 0x7F, 1 } },
        { "SGL", NVME_INVALID_FIELD, 1, { NVME_IO_READ | 1 << 14, 1, [6] = PAGE } },
        { "fused", NVME_INVALID_FIELD, 1, { NVME_IO_READ | 1 << 8, 1, [6] = PAGE } },
        { "namespace", NVME_INVALID_NAMESPACE, 1, { NVME_IO_READ, 2, [6] = PAGE } },
        { "namespace 0", NVME_INVALID_NAMESPACE, 1, { NVME_IO_WRITE, 0, [6] = PAGE } },
        { "identify namespace 2", NVME_INVALID_NAMESPACE, 0, { NVME_ADMIN_IDENTIFY, 2, [6] = PAGE } },
        { "identify what", NVME_INVALID_FIELD, 0, { NVME_ADMIN_IDENTIFY, 1, [6] = PAGE, [10] = 0x42 } },
        { "past the end", NVME_LBA_OUT_OF_RANGE, 1, { NVME_IO_READ, 1, [6] = PAGE, [10] = SECTORS } },
        { "across the end", NVME_LBA_OUT_OF_RANGE, 1, { NVME_IO_WRITE, 1, [6] = PAGE, [10] = SECTORS - 1, [12] = 1 } },
        { "far past the end", NVME_LBA_OUT_OF_RANGE, 1, { NVME_IO_READ, 1, [6] = PAGE, [10] = ~0u, [11] = ~0u } },
        { "more than MDTS", NVME_INVALID_FIELD, 1, { NVME_IO_READ, 1, [6] = PAGE, [12] = 1024 } },
        { "PRP1 at an odd byte", NVME_PRP_OFFSET_INVALID, 1, { NVME_IO_READ, 1, [6] = PAGE + 1 } },
        { "PRP2 inside a page", NVME_PRP_OFFSET_INVALID, 1, { NVME_IO_READ, 1, [6] = PAGE, [8] = PAGE + 8, [12] = 15 } },
        { "list inside a quadword", NVME_PRP_OFFSET_INVALID, 1, { NVME_IO_READ, 1, [6] = PAGE, [8] = LIST + 4, [12] = 23 } },
        { "data not in memory", NVME_DATA_TRANSFER_ERROR, 1, { NVME_IO_WRITE, 1, [6] = 0xF0000000 } },
        { "queue 0", NVME_QUEUE_ID_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 7 << 16, [11] = 1 } },
        { "queue that exists", NVME_QUEUE_ID_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 7 << 16 | 1, [11] = 1 } },
        { "queue 65", NVME_QUEUE_ID_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 7 << 16 | 65, [11] = 1 } },
        { "one entry", NVME_QUEUE_SIZE_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 2, [11] = 1 } },
        { "1025 entries", NVME_QUEUE_SIZE_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 1024 << 16 | 2, [11] = 1 } },
        { "not contiguous", NVME_INVALID_FIELD, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 7 << 16 | 2 } },
        { "queue inside a page", NVME_PRP_OFFSET_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE + 64, [10] = 7 << 16 | 2, [11] = 1 } },
        { "vector without MSI-X", NVME_VECTOR_INVALID, 0, { NVME_ADMIN_CREATE_CQ, [6] = PAGE, [10] = 7 << 16 | 2, [11] = 3 | 1 << 16 } },
        { "no completion queue", NVME_CQ_INVALID, 0, { NVME_ADMIN_CREATE_SQ, [6] = PAGE, [10] = 7 << 16 | 2, [11] = 1 | 9 << 16 } },
        { "deleting the admin queue", NVME_QUEUE_ID_INVALID, 0, { NVME_ADMIN_DELETE_SQ } },
        { "completion queue in use", NVME_QUEUE_DELETION_INVALID, 0, { NVME_ADMIN_DELETE_CQ, [10] = 1 } },
        { "saving a feature", NVME_FEATURE_NOT_SAVEABLE, 0, { NVME_ADMIN_SET_FEATURES, [10] = 1u << 31 | 6 } },
        { "unknown feature", NVME_INVALID_FIELD, 0, { NVME_ADMIN_GET_FEATURES, [10] = 0x7F } },
        { "unknown log page", NVME_LOG_PAGE_INVALID, 0, { NVME_ADMIN_GET_LOG_PAGE, [6] = PAGE, [10] = 0x7F } },
        { "deallocating past the end", NVME_LBA_OUT_OF_RANGE, 1, { NVME_IO_DATASET, 1, [6] = LIST, [11] = 4 } },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct driver d = ready();
        wr32(d.m, LIST + 4, SECTORS + 1);
        struct answer a = run(&d, rows[i].queue, rows[i].command);
        if ((a.status & 0x7FF) != rows[i].status) {
            fail_msg("%s: status %#x", rows[i].why, a.status);
        }
        assert_int_equal(disk_changed(d.disk), 0);
        unplug(&d);
    }
}

/* --- data ----------------------------------------------------------------------------- */

static void
what_was_written_is_read_back_by_one_page_two_pages_and_lists(void **unused)
{
    (void)unused;
    static const struct { uint32_t offset, sectors; } rows[] = {
        { 0, 1 }, { 0, 8 }, { 512, 8 }, { 4092, 1 }, { 0, 16 }, { 8, 16 }, { 0, 64 }, { 3072, 100 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct driver d = ready();
        uint32_t size = rows[i].sectors * 512;
        for (unsigned k = 0; k < 16; k++) { /* a list at the end of a page goes on in another: pages in reverse */
            uint64_t page = 0x80000 + (16 - k) * 0x1000;
            wr64(d.m, k < 3 ? LIST + 0xFE8 - 8 + 8 * k : LIST + 0x1000 + 8 * (k - 3), page);
        }
        wr64(d.m, LIST + 0xFF8, LIST + 0x1000);
        bool two = rows[i].offset + size <= 0x2000;
        uint32_t prp2 = two ? 0x90000 : LIST + 0xFE0;
        uint8_t *first = mem_ram_write(d.m->mem, PAGE + rows[i].offset);
        for (unsigned k = 0; k < 4096 - rows[i].offset; k++) {
            first[k] = (uint8_t)(k * 7 + i);
        }
        for (unsigned k = 0; k < 0x11000; k++) {
            *mem_ram_write(d.m->mem, 0x80000 + k) = (uint8_t)(k * 13 >> 4);
        }
        static uint8_t before[0x11000], head[4096];
        static const uint8_t zeros[sizeof before];
        memcpy(head, mem_ram(d.m->mem, PAGE), 4096);
        memcpy(before, mem_ram(d.m->mem, 0x80000), sizeof before);
        const uint32_t at[16] = { 0, 1, [6] = PAGE + rows[i].offset, [8] = prp2, [10] = 5, [12] = rows[i].sectors - 1 };
        uint32_t command[16];
        memcpy(command, at, sizeof at);
        command[0] = NVME_IO_WRITE;
        assert_int_equal(run(&d, 1, command).status, 0);
        command[0] = NVME_IO_COMPARE;
        assert_int_equal(run(&d, 1, command).status, 0);
        memset(mem_ram_write(d.m->mem, PAGE + rows[i].offset), 0, 4096 - rows[i].offset);
        mem_write(d.m->mem, 0x80000, zeros, sizeof zeros);
        command[0] = NVME_IO_READ;
        assert_int_equal(run(&d, 1, command).status, 0);
        uint32_t in_first = size < 4096 - rows[i].offset ? size : 4096 - rows[i].offset;
        assert_memory_equal(mem_ram(d.m->mem, PAGE), head, rows[i].offset + in_first);
        for (uint32_t done = in_first, page = 0; done < size; done += 4096, page++) {
            uint64_t spa = two ? 0x90000 : 0x80000 + (16 - page) * 0x1000;
            uint32_t n = size - done < 4096 ? size - done : 4096;
            assert_memory_equal(mem_ram(d.m->mem, spa), before + (spa - 0x80000), n);
        }
        first[0] ^= 1;
        command[0] = NVME_IO_COMPARE;
        assert_int_equal(run(&d, 1, command).status & 0x7FF, NVME_COMPARE_FAILURE);
        unplug(&d);
    }
}

static void
zeroed_and_deallocated_sectors_read_as_zeros(void **unused)
{
    (void)unused;
    struct driver d = ready();
    memset(mem_ram_write(d.m->mem, PAGE), 0xAA, 4096);
    for (uint32_t sector = 0; sector < 64; sector += 8) {
        assert_int_equal(run(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE, [10] = sector, [12] = 7)).status, 0);
    }
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_WRITE_ZEROES, 1, [10] = 4, [12] = 15)).status, 0);
    const uint32_t ranges[8] = { 0, 3, 30, 0, 0, 9, 40, 0 };
    mem_write(d.m->mem, LIST, ranges, sizeof ranges);
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_DATASET, 1, [6] = LIST, [10] = 1)).status, 0); /* a hint: changes nothing */
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_DATASET, 1, [6] = LIST, [10] = 1, [11] = 4)).status, 0);
    for (uint32_t sector = 0; sector < 64; sector++) {
        bool zero = (sector >= 4 && sector < 20) || (sector >= 30 && sector < 33) || (sector >= 40 && sector < 49);
        assert_int_equal(run(&d, 1, COMMAND(NVME_IO_READ, 1, [6] = PAGE, [10] = sector)).status, 0);
        assert_int_equal(*mem_ram(d.m->mem, PAGE + 511), zero ? 0 : 0xAA);
    }
    unplug(&d);
}

static void
answers_take_the_mediums_time_and_bandwidth(void **unused)
{
    (void)unused;
    struct driver d = ready();
    uint64_t begin = d.m->now;
    run(&d, 1, COMMAND(NVME_IO_FLUSH, 1));
    uint64_t flush = d.m->now - begin;
    begin = d.m->now;
    run(&d, 1, COMMAND(NVME_IO_READ, 1, [6] = PAGE, [12] = 7));
    assert_true(d.m->now - begin > flush);
    assert_int_equal(disk_changed(d.disk), 0);
    unplug(&d);
}

/* --- interrupts ------------------------------------------------------------------------- */

static void
pin_is_asserted_until_completions_are_consumed(void **unused)
{
    (void)unused;
    struct driver d = plug();
    enable(&d);
    unsigned pin = PCI_INTX_GSI + (BDF_NVME >> 3 & 3);
    wr32(d.m, IOAPIC_BASE, 0x10 + 2 * pin);
    wr32(d.m, IOAPIC_BASE + 0x10, 0x8051); /* level, vector 51H */
    submit(&d, 0, COMMAND(NVME_ADMIN_GET_FEATURES, [10] = 7));
    submit(&d, 0, COMMAND(NVME_ADMIN_GET_FEATURES, [10] = 7));
    settle(&d);
    assert_int_equal(fake.msi_count, 1);
    assert_int_equal(fake.msi_data[0] & 0xFF, 0x51);
    assert_true(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    assert_int_equal(reap(&d, 0).result, 63 << 16 | 63);
    assert_true(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    wr32(d.m, d.bar + NVME_INTMS, 1);
    assert_false(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    wr32(d.m, d.bar + NVME_INTMC, 1);
    assert_true(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    reap(&d, 0);
    assert_false(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    unplug(&d);
}

static void
messages_carry_the_vector_of_their_queue(void **unused)
{
    (void)unused;
    struct driver d = plug();
    unsigned cap = pci_config_read(d.m->pci, BDF_NVME, PCI_CAPABILITIES, 1);
    pci_config_write(d.m->pci, BDF_NVME, cap + 2, 2, 1 << 15);
    for (unsigned v = 0; v < 2; v++) {
        wr32(d.m, d.bar + 0x2000 + 16 * v, 0xFEE00000);
        wr32(d.m, d.bar + 0x2000 + 16 * v + 8, 0x60 + v);
        wr32(d.m, d.bar + 0x2000 + 16 * v + 12, 0);
    }
    enable(&d);
    run(&d, 0, COMMAND(NVME_ADMIN_CREATE_CQ, [6] = CQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 3 | 1 << 16));
    run(&d, 0, COMMAND(NVME_ADMIN_CREATE_SQ, [6] = SQ, [10] = (ENTRIES - 1) << 16 | 1, [11] = 1 | 1 << 16));
    assert_int_equal(fake.msi_count, 2);
    assert_int_equal(fake.msi_data[1], 0x60);
    run(&d, 1, COMMAND(NVME_IO_FLUSH, 1));
    assert_int_equal(fake.msi_count, 3);
    assert_int_equal(fake.msi_data[2], 0x61);
    assert_false(pci_config_read(d.m->pci, BDF_NVME, PCI_STATUS, 2) & PCI_STATUS_INTX);
    unplug(&d);
}

/* --- queues that fill, events, aborts ----------------------------------------------------- */

static void
completions_wait_for_room_in_their_queue(void **unused)
{
    (void)unused;
    struct driver d = ready();
    for (unsigned i = 0; i < ENTRIES - 1; i++) {
        submit(&d, 1, COMMAND(NVME_IO_FLUSH, 1));
    }
    settle(&d);
    submit(&d, 1, COMMAND(NVME_IO_FLUSH, 1));
    settle(&d); /* the eighth has no room */
    unsigned count = 0;
    for (struct answer a; (a = reap(&d, 1)).came; count++) {
        settle(&d);
    }
    assert_int_equal(count, ENTRIES);
    unplug(&d);
}

static void
bad_doorbells_are_events_told_once_until_the_log_is_read(void **unused)
{
    (void)unused;
    struct driver d = ready();
    submit(&d, 0, COMMAND(NVME_ADMIN_ASYNC_EVENT));
    submit(&d, 0, COMMAND(NVME_ADMIN_ASYNC_EVENT));
    settle(&d);
    assert_false(reap(&d, 0).came);
    wr32(d.m, d.bar + NVME_DOORBELLS + 8 * 5, 1); /* no queue 5 */
    settle(&d);
    assert_int_equal(reap(&d, 0).result, NVME_EVENT_DOORBELL_QUEUE);
    wr32(d.m, d.bar + NVME_DOORBELLS + 8, ENTRIES); /* no such entry */
    settle(&d);
    assert_false(reap(&d, 0).came);
    submit(&d, 0, COMMAND(NVME_ADMIN_GET_LOG_PAGE, [6] = PAGE, [10] = 15 << 16 | NVME_LOG_ERROR));
    settle(&d);
    assert_int_equal(reap(&d, 0).status, 0);
    assert_int_equal(reap(&d, 0).result, NVME_EVENT_DOORBELL_VALUE);
    unplug(&d);
}

static void
a_command_can_be_aborted_before_its_medium_answers(void **unused)
{
    (void)unused;
    struct driver d = ready();
    memset(mem_ram_write(d.m->mem, PAGE), 1, 512);
    submit(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE));
    uint32_t victim = d.cid;
    submit(&d, 0, COMMAND(NVME_ADMIN_ABORT, [10] = victim << 16 | 1));
    settle(&d);
    assert_int_equal(reap(&d, 0).result, 0);
    assert_int_equal(reap(&d, 1).status, NVME_ABORT_REQUESTED);
    assert_int_equal(disk_changed(d.disk), 0);
    submit(&d, 0, COMMAND(NVME_ADMIN_ABORT, [10] = victim << 16 | 1));
    settle(&d);
    assert_int_equal(reap(&d, 0).result, 1); /* nothing left to abort */
    unplug(&d);
}

static void
deleting_a_queue_aborts_what_it_holds(void **unused)
{
    (void)unused;
    struct driver d = ready();
    submit(&d, 1, COMMAND(NVME_IO_READ, 1, [6] = PAGE));
    submit(&d, 0, COMMAND(NVME_ADMIN_DELETE_SQ, [10] = 1));
    settle(&d);
    assert_int_equal(reap(&d, 0).status, 0);
    assert_int_equal(reap(&d, 1).status, NVME_ABORTED_SQ_DELETION);
    assert_int_equal(run(&d, 0, COMMAND(NVME_ADMIN_DELETE_CQ, [10] = 1)).status, 0);
    unplug(&d);
}

static void
queues_that_cannot_be_reached_are_fatal_until_reset(void **unused)
{
    (void)unused;
    struct driver d = plug();
    enable(&d);
    pci_config_write(d.m->pci, BDF_NVME, PCI_COMMAND, 2, PCI_COMMAND_MEMORY); /* no bus mastering */
    submit(&d, 0, COMMAND(NVME_ADMIN_GET_FEATURES, [10] = 7));
    settle(&d);
    assert_true(rd32(d.m, d.bar + NVME_CSTS) & NVME_CSTS_CFS);
    wr32(d.m, d.bar + NVME_CC, 0);
    pci_config_write(d.m->pci, BDF_NVME, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    memset(mem_ram_write(d.m->mem, ACQ), 0, 4096);
    enable(&d);
    assert_int_equal(run(&d, 0, COMMAND(NVME_ADMIN_GET_FEATURES, [10] = 7)).result, 63 << 16 | 63);
    unplug(&d);
}

/* --- state ---------------------------------------------------------------------------------- */

static void
a_saved_controller_goes_on_with_commands_in_flight(void **unused)
{
    (void)unused;
    struct driver d = ready();
    uint8_t pattern[8192];
    memset(pattern, 0x5A, sizeof pattern);
    mem_write(d.m->mem, PAGE, pattern, sizeof pattern);
    run(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE, [10] = 100, [12] = 7));
    submit(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE, [10] = 200, [12] = 7)); /* on its way */
    struct state *s = state_new_save();
    machine_state(d.m, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    struct driver e = plug();
    e.bar = d.bar;
    s = state_new_load(bytes, size);
    machine_state(e.m, s);
    assert_null(state_load_end(s));
    assert_true(machine_hash(d.m) == machine_hash(e.m));
    settle(&d);
    settle(&e);
    assert_true(machine_hash(d.m) == machine_hash(e.m));
    memcpy(e.head, d.head, sizeof d.head);
    memcpy(e.phase, d.phase, sizeof d.phase);
    assert_int_equal(reap(&e, 1).status, 0);
    uint8_t sector[512];
    assert_true(disk_read(e.disk, 100, 1, sector) && sector[7] == 0x5A);
    assert_true(disk_read(e.disk, 207, 1, sector) && sector[7] == 0x5A);
    assert_true(disk_read(e.disk, 208, 1, sector) && sector[7] == 0);
    free(bytes);
    unplug(&e);
    unplug(&d);
}

static unsigned
capability(struct driver *d, uint8_t id)
{
    unsigned at = pci_config_read(d->m->pci, BDF_NVME, PCI_CAPABILITIES, 1);
    while (at && pci_config_read(d->m->pci, BDF_NVME, at, 1) != id) {
        at = pci_config_read(d->m->pci, BDF_NVME, at + 1, 1);
    }
    return at;
}

static void
a_function_level_reset_leaves_the_disk_and_nothing_else(void **unused)
{
    (void)unused;
    struct driver d = ready();
    enum { DEVICE_CAP = 4, DEVICE_CONTROL = 8, FLR = 1 << 28, INITIATE = 1 << 15, MSIX_ON = 1 << 15 };
    unsigned express = capability(&d, PCI_CAP_EXPRESS), msix = capability(&d, PCI_CAP_MSIX);
    uint32_t bar = pci_config_read(d.m->pci, BDF_NVME, PCI_BAR0, 4);
    assert_true(pci_config_read(d.m->pci, BDF_NVME, express + DEVICE_CAP, 4) & FLR);
    uint8_t sector[512];
    memset(sector, 0x5A, sizeof sector);
    mem_write(d.m->mem, PAGE, sector, sizeof sector);
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE, [10] = 7)).status, 0);
    submit(&d, 1, COMMAND(NVME_IO_WRITE, 1, [6] = PAGE, [10] = 9)); /* is lost */
    pci_config_write(d.m->pci, BDF_NVME, msix + 2, 2, MSIX_ON);
    pci_config_write(d.m->pci, BDF_NVME, express + DEVICE_CONTROL, 2, INITIATE);
    assert_int_equal(pci_config_read(d.m->pci, BDF_NVME, express + DEVICE_CONTROL, 2), 0);
    assert_int_equal(pci_config_read(d.m->pci, BDF_NVME, PCI_COMMAND, 2) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER), 0);
    assert_int_equal(pci_config_read(d.m->pci, BDF_NVME, msix + 2, 2) & MSIX_ON, 0);
    settle(&d);
    pci_config_write(d.m->pci, BDF_NVME, PCI_BAR0, 4, bar);
    pci_config_write(d.m->pci, BDF_NVME, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    assert_int_equal(rd32(d.m, d.bar + NVME_CC), 0);
    assert_int_equal(rd32(d.m, d.bar + NVME_CSTS), 0);
    assert_true(rd64(d.m, d.bar + NVME_ASQ) == 0);
    enable(&d);
    create_queues(&d, false);
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_READ, 1, [6] = PAGE + 4096, [10] = 7)).status, 0);
    assert_memory_equal(mem_ram(d.m->mem, PAGE + 4096), mem_ram(d.m->mem, PAGE), 512);
    assert_int_equal(run(&d, 1, COMMAND(NVME_IO_READ, 1, [6] = PAGE + 4096, [10] = 9)).status, 0);
    assert_int_equal(*mem_ram(d.m->mem, PAGE + 4096), 0);
    unplug(&d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controller_is_ready_when_enabled_and_forgets_when_disabled),
        cmocka_unit_test(identify_tells_size_and_limits),
        cmocka_unit_test(refuses_what_the_specification_says_is_refused),
        cmocka_unit_test(what_was_written_is_read_back_by_one_page_two_pages_and_lists),
        cmocka_unit_test(zeroed_and_deallocated_sectors_read_as_zeros),
        cmocka_unit_test(answers_take_the_mediums_time_and_bandwidth),
        cmocka_unit_test(pin_is_asserted_until_completions_are_consumed),
        cmocka_unit_test(messages_carry_the_vector_of_their_queue),
        cmocka_unit_test(completions_wait_for_room_in_their_queue),
        cmocka_unit_test(bad_doorbells_are_events_told_once_until_the_log_is_read),
        cmocka_unit_test(a_command_can_be_aborted_before_its_medium_answers),
        cmocka_unit_test(deleting_a_queue_aborts_what_it_holds),
        cmocka_unit_test(queues_that_cannot_be_reached_are_fatal_until_reset),
        cmocka_unit_test(a_function_level_reset_leaves_the_disk_and_nothing_else),
        cmocka_unit_test(a_saved_controller_goes_on_with_commands_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
