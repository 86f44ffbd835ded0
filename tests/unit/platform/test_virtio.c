/* Claims about the virtio console, made by a small driver that talks to it as software does. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#include "fake_cpu.h"
#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "sim/platform/virtio.h"
#include "sim/platform/virtio_console.h"
#include "spec/platform/virtio.h"

#define MIB (1ull << 20)
enum { ENTRIES = 8, AREA = 0x10000, AREA_SIZE = 0x4000, DRIVER_AT = 0x1000, DEVICE_AT = 0x2000, BUFFER = 0x40000, NOTIFY = 0x3000, ISR = 0x1000 };
enum { READY = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK };

struct driver {
    struct machine *m;
    struct virtio_console *console;
    uint64_t bar;
    uint16_t available[2];
    char text[256];
    unsigned printed, last_z;
};

static void
hear(void *ctx, uint8_t byte)
{
    struct driver *d = ctx;
    if (d->printed < sizeof d->text - 1) {
        d->text[d->printed++] = (char)byte;
    }
}

static void
count(void *ctx, uint8_t byte)
{
    struct driver *d = ctx;
    d->printed++;
    d->last_z = byte == 'z' ? d->printed : d->last_z;
}

static void
common(struct driver *d, uint64_t offset, unsigned size, uint64_t value)
{
    mem_mmio_write(d->m->mem, d->bar + offset, size, value);
}

static uint64_t
common_is(struct driver *d, uint64_t offset, unsigned size)
{
    return mem_mmio_read(d->m->mem, d->bar + offset, size);
}

static uint64_t area(unsigned queue) { return AREA + queue * AREA_SIZE; }

static void
start(struct driver *d, uint32_t low_features)
{
    common(d, VIRTIO_DEVICE_STATUS, 1, 0);
    common(d, VIRTIO_DRIVER_FEATURE_SELECT, 4, 0);
    common(d, VIRTIO_DRIVER_FEATURE, 4, low_features);
    common(d, VIRTIO_DRIVER_FEATURE_SELECT, 4, 1);
    common(d, VIRTIO_DRIVER_FEATURE, 4, VIRTIO_F_VERSION_1 >> 32);
    common(d, VIRTIO_DEVICE_STATUS, 1, READY & ~VIRTIO_DRIVER_OK);
    for (unsigned q = 0; q < 2; q++) {
        common(d, VIRTIO_QUEUE_SELECT, 2, q);
        common(d, VIRTIO_QUEUE_SIZE, 2, ENTRIES);
        common(d, VIRTIO_QUEUE_DESC, 4, area(q));
        common(d, VIRTIO_QUEUE_DRIVER, 4, area(q) + DRIVER_AT);
        common(d, VIRTIO_QUEUE_DEVICE, 8, area(q) + DEVICE_AT);
        common(d, VIRTIO_QUEUE_ENABLE, 2, 1);
    }
    common(d, VIRTIO_DEVICE_STATUS, 1, READY);
}

static struct driver *
plug(void)
{
    struct driver *d = calloc(1, sizeof *d);
    d->m = fake_machine(1, MIB);
    d->console = virtio_console_new(d->m);
    virtio_console_set_output(d->console, hear, d);
    pci_config_write(d->m->pci, BDF_VIRTIO_CONSOLE, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    d->bar = pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, PCI_BAR0, 4) & ~15u;
    start(d, 0);
    return d;
}

static void
unplug(struct driver *d)
{
    virtio_console_free(d->console);
    machine_free(d->m);
    free(d);
}

static void
settle(struct driver *d)
{
    while (event_queue_next_due(d->m->events) != EVENT_NEVER) {
        d->m->now = event_queue_next_due(d->m->events);
        event_queue_run(d->m->events, d->m->now);
    }
}

static void
describe(struct driver *d, unsigned queue, unsigned index, uint64_t address, uint32_t size, uint16_t flags, uint16_t next)
{
    uint64_t at = area(queue) + index * VIRTQ_DESC_SIZE;
    wr64(d->m, at, address);
    wr64(d->m, at + 8, size | (uint64_t)flags << 32 | (uint64_t)next << 48);
}

static void
offer(struct driver *d, unsigned queue, uint16_t head)
{
    uint64_t ring = area(queue) + DRIVER_AT;
    mem_mmio_write(d->m->mem, ring + VIRTQ_AVAIL_RING + 2 * (d->available[queue] % ENTRIES), 2, head);
    mem_mmio_write(d->m->mem, ring + VIRTQ_AVAIL_IDX, 2, ++d->available[queue]);
    mem_mmio_write(d->m->mem, d->bar + NOTIFY + 4 * queue, 2, queue);
    settle(d);
}

static uint16_t
used(struct driver *d, unsigned queue)
{
    return (uint16_t)mem_mmio_read(d->m->mem, area(queue) + DEVICE_AT + VIRTQ_USED_IDX, 2);
}

static void
a_chain_is_printed_and_given_back(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    mem_write(d->m->mem, BUFFER, "hello world", 11);
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 3, BUFFER, 6, VIRTQ_DESC_NEXT, 1);
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 1, BUFFER + 6, 5, 0, 0);
    offer(d, VIRTIO_CONSOLE_TRANSMIT, 3);
    assert_string_equal(d->text, "hello world");
    assert_int_equal(used(d, VIRTIO_CONSOLE_TRANSMIT), 1);
    assert_int_equal(rd32(d->m, area(1) + DEVICE_AT + VIRTQ_USED_RING), 3);
    assert_int_equal(common_is(d, ISR, 1), VIRTIO_ISR_QUEUE);
    assert_int_equal(common_is(d, ISR, 1), 0); /* reading took it back */
    unplug(d);
}

static void
a_long_buffer_is_printed_whole(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 0, BUFFER, 0, VIRTQ_DESC_NEXT, 1); /* an empty one first */
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 1, BUFFER + 1, 600000, VIRTQ_DESC_NEXT, 2);
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 2, BUFFER, 3, 0, 0);
    mem_write(d->m->mem, BUFFER + 600000, "z", 1);
    virtio_console_set_output(d->console, count, d);
    offer(d, VIRTIO_CONSOLE_TRANSMIT, 0);
    assert_int_equal(d->printed, 600003);
    assert_int_equal(d->last_z, 600000);
    unplug(d);
}

static void
typed_bytes_wait_for_a_buffer_and_fill_it(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    for (const char *p = "abcdef"; *p; p++) {
        assert_true(virtio_console_input(d->console, (uint8_t)*p));
    }
    settle(d);
    assert_int_equal(used(d, VIRTIO_CONSOLE_RECEIVE), 0);
    describe(d, VIRTIO_CONSOLE_RECEIVE, 0, BUFFER, 4, VIRTQ_DESC_WRITE, 0);
    describe(d, VIRTIO_CONSOLE_RECEIVE, 1, BUFFER + 16, 64, VIRTQ_DESC_WRITE, 0);
    offer(d, VIRTIO_CONSOLE_RECEIVE, 0);
    assert_memory_equal(mem_ram(d->m->mem, BUFFER), "abcd\0", 5);
    assert_int_equal(rd32(d->m, area(0) + DEVICE_AT + VIRTQ_USED_RING + 4), 4);
    offer(d, VIRTIO_CONSOLE_RECEIVE, 1);
    assert_memory_equal(mem_ram(d->m->mem, BUFFER + 16), "ef\0", 3);
    assert_int_equal(used(d, VIRTIO_CONSOLE_RECEIVE), 2);
    unsigned room = 0;
    while (virtio_console_input(d->console, 'x')) {
        room++;
    }
    assert_int_equal(room, VIRTIO_CONSOLE_INPUT);
    unplug(d);
}

static void
a_driver_that_polls_is_not_interrupted(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    describe(d, VIRTIO_CONSOLE_TRANSMIT, 0, BUFFER, 1, 0, 0);
    mem_mmio_write(d->m->mem, area(1) + DRIVER_AT, 2, VIRTQ_AVAIL_NO_INTERRUPT);
    offer(d, VIRTIO_CONSOLE_TRANSMIT, 0);
    assert_int_equal(common_is(d, ISR, 1), 0);
    start(d, (uint32_t)VIRTIO_F_EVENT_IDX);
    d->available[1] = 0;
    uint64_t used_event = area(1) + DRIVER_AT + VIRTQ_AVAIL_RING + 2 * ENTRIES;
    static const struct { uint16_t seen; uint8_t isr; } row[] = { { 0, 1 }, { 2, 0 }, { 2, 1 }, { 9, 0 } };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        mem_mmio_write(d->m->mem, used_event, 2, row[i].seen);
        offer(d, VIRTIO_CONSOLE_TRANSMIT, 0);
        assert_int_equal(common_is(d, ISR, 1), row[i].isr);
        assert_int_equal(mem_mmio_read(d->m->mem, area(1) + DEVICE_AT + VIRTQ_USED_RING + 8 * ENTRIES, 2), i + 1); /* avail_event */
    }
    unplug(d);
}

static void
what_is_no_chain_breaks_the_device_until_it_is_reset(void **unused)
{
    (void)unused;
    static const struct { uint64_t address; uint32_t size; uint16_t flags, next, head; } row[] = {
        { BUFFER, 1, 0, 0, ENTRIES },                     /* head out of range */
        { BUFFER, 1, VIRTQ_DESC_NEXT, ENTRIES, 0 },       /* next out of range */
        { BUFFER, 1, VIRTQ_DESC_NEXT, 0, 0 },             /* a circle */
        { BUFFER, 1, VIRTQ_DESC_INDIRECT, 0, 0 },         /* not offered */
        { BUFFER, VIRTIO_CHAIN_BYTES_MAX + 1, 0, 0, 0 },  /* too long */
        { 0xFFFFFFFFFFFFFFF0, 64, 0, 0, 0 },              /* nowhere */
        { 64 * MIB, 64, 0, 0, 0 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        struct driver *d = plug();
        describe(d, VIRTIO_CONSOLE_TRANSMIT, 0, row[i].address, row[i].size, row[i].flags, row[i].next);
        offer(d, VIRTIO_CONSOLE_TRANSMIT, row[i].head);
        assert_int_equal(common_is(d, VIRTIO_DEVICE_STATUS, 1), READY | VIRTIO_NEEDS_RESET);
        assert_int_equal(used(d, VIRTIO_CONSOLE_TRANSMIT), 0);
        assert_int_equal(d->printed, 0);
        start(d, 0);
        assert_int_equal(common_is(d, VIRTIO_DEVICE_STATUS, 1), READY);
        unplug(d);
    }
}

static void
features_that_are_not_offered_or_lack_version_1_are_not_accepted(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    static const struct { uint32_t low, high; bool good; } row[] = { { 0, 1, true }, { 0, 3, true }, { 0, 0, false }, { 1, 1, false }, { 0, 5, false } };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        common(d, VIRTIO_DEVICE_STATUS, 1, 0);
        for (unsigned half = 0; half < 2; half++) {
            common(d, VIRTIO_DRIVER_FEATURE_SELECT, 4, half);
            common(d, VIRTIO_DRIVER_FEATURE, 4, half ? row[i].high : row[i].low);
        }
        common(d, VIRTIO_DEVICE_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
        assert_int_equal(!!(common_is(d, VIRTIO_DEVICE_STATUS, 1) & VIRTIO_FEATURES_OK), row[i].good);
    }
    unplug(d);
}

static void
capabilities_lead_to_the_registers(void **unused)
{
    (void)unused;
    struct driver *d = plug();
    unsigned found = 0;
    for (unsigned at = pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, PCI_CAPABILITIES, 1); at;
         at = pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, at + 1, 1)) {
        if (pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, at, 1) == VIRTIO_CAP) {
            found |= 1u << pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, at + VIRTIO_CAP_TYPE, 1);
        }
    }
    assert_int_equal(found, 1 << VIRTIO_CAP_COMMON | 1 << VIRTIO_CAP_NOTIFY | 1 << VIRTIO_CAP_ISR | 1 << VIRTIO_CAP_DEVICE);
    assert_int_equal(pci_config_read(d->m->pci, BDF_VIRTIO_CONSOLE, 0, 4), 0x10431AF4);
    unplug(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_printed_and_given_back),
        cmocka_unit_test(a_long_buffer_is_printed_whole),
        cmocka_unit_test(typed_bytes_wait_for_a_buffer_and_fill_it),
        cmocka_unit_test(a_driver_that_polls_is_not_interrupted),
        cmocka_unit_test(what_is_no_chain_breaks_the_device_until_it_is_reset),
        cmocka_unit_test(features_that_are_not_offered_or_lack_version_1_are_not_accepted),
        cmocka_unit_test(capabilities_lead_to_the_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
