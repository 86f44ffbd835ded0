/* The devices of bare-metal test suites; see test_devices.h. */
#include "sim/platform/test_devices.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/pci.h"
#include "sim/platform/platform.h"
#include "spec/platform/memory_map.h"

enum { LATCH_A = 0xE0, FLUSH = 0xE4, LATCH_B = 0xE8, DEBUG_CONSOLE = 0xE9, LINES = 0x2000, LINE_COUNT = 24 };

/* pci-testdev: a header of 16 bytes and a name at the start of each BAR. */
enum {
    TEST_SELECT = 0, TEST_WIDTH = 1, TEST_OFFSET = 4, TEST_DATA = 8, TEST_COUNT = 12, TEST_NAME = 16,
    TEST_HEADER = 0x30, TESTS = 3, TEST_DOOR = 0x40, TEST_BYTE = 0xFA,
};

struct test_bar {
    bool is_io;
    uint8_t selected;
    uint32_t count;    /* matching writes since the test was selected */
};

struct test_devices {
    struct machine *machine;
    uint32_t latch;
    uint8_t *memory;
    struct pci_function function;
    struct test_bar bar[2];
    void (*output)(void *ctx, uint8_t byte);
    void *output_ctx;
};

/* --- ports ---------------------------------------------------------------------- */

static uint64_t
latch_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct test_devices *t = ctx;
    (void)size; /* the caller cuts to size */
    return (uint64_t)t->latch >> (8 * offset);
}

static void
latch_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct test_devices *t = ctx;
    memcpy((uint8_t *)&t->latch + offset, &value, size);
}

/* E8H-EBH with the debug console on top of the second byte lane. */
static uint64_t
latch_b_read(void *ctx, uint64_t offset, unsigned size)
{
    return offset == DEBUG_CONSOLE - LATCH_B && size == 1 ? DEBUG_CONSOLE : latch_read(ctx, offset, size);
}

static void
latch_b_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct test_devices *t = ctx;
    if (offset == DEBUG_CONSOLE - LATCH_B && size == 1) {
        if (t->output) {
            t->output(t->output_ctx, (uint8_t)value);
        }
        return;
    }
    latch_write(ctx, offset, size, value);
}

static uint64_t
zero_read(void *ctx, uint64_t offset, unsigned size)
{
    (void)ctx, (void)offset, (void)size;
    return 0;
}

static void
flush_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    (void)ctx, (void)offset, (void)size, (void)value;
}

/* The device takes bytes only: wider accesses arrive as one write for each byte. */
static void
lines_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct test_devices *t = ctx;
    for (unsigned i = 0; i < size; i++) {
        platform_set_line(t->machine->platform, (unsigned)offset + i, value >> (8 * i) & 0xFF);
    }
}

/* --- memory as a device ----------------------------------------------------------- */

static uint64_t
memory_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct test_devices *t = ctx;
    uint64_t value = 0;
    memcpy(&value, t->memory + offset, size);
    return value;
}

static void
memory_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct test_devices *t = ctx;
    memcpy(t->memory + offset, &value, size);
}

/* --- pci-testdev ------------------------------------------------------------------- */

static const char *const test_name[2][TESTS] = {
    { "mmio-no-eventfd", "mmio-wildcard-eventfd", "mmio-datamatch-eventfd" },
    { "portio-no-eventfd", "portio-wildcard-eventfd", "portio-datamatch-eventfd" },
};

static uint64_t
test_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct test_bar *b = ctx;
    uint8_t header[TEST_HEADER + 8] = { 0 };
    header[TEST_SELECT] = b->selected;
    if (b->selected < TESTS) {
        const char *name = test_name[b->is_io][b->selected];
        uint32_t at = TEST_DOOR, data = TEST_BYTE;
        header[TEST_WIDTH] = 1;
        memcpy(header + TEST_OFFSET, &at, 4);
        memcpy(header + TEST_DATA, &data, 4);
        memcpy(header + TEST_COUNT, &b->count, 4);
        memcpy(header + TEST_NAME, name, strlen(name));
    }
    uint64_t value = 0;
    if (offset < TEST_HEADER) {
        memcpy(&value, header + offset, size);
    }
    return value;
}

static void
test_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct test_bar *b = ctx;
    if (offset == TEST_SELECT) {
        b->selected = (uint8_t)value;
        b->count = 0;
    } else if (offset == TEST_DOOR && size == 1 && b->selected < TESTS && value == TEST_BYTE) {
        b->count++;
    }
}

static void
pci_test_init(struct test_devices *t)
{
    struct pci_function *f = &t->function;
    *f = (struct pci_function){ .bdf = BDF_TEST_DEVICE, .name = "pci-testdev" };
    pci_header_init(f, 0x1B36, 0x0005, 0xFF0000, 0);
    t->bar[1].is_io = true;
    const struct mem_region memory = { "pci-testdev", test_read, test_write, &t->bar[0] };
    const struct mem_region port = { "pci-testdev-io", test_read, test_write, &t->bar[1] };
    pci_bar_init(f, 0, 4096, 0, &memory);
    pci_bar_init(f, 1, 256, PCI_BAR_IO, &port);
    pci_add(t->machine->pci, f);
}

/* --- life -------------------------------------------------------------------------- */

static void
test_devices_state(void *ctx, struct state *s)
{
    struct test_devices *t = ctx;
    STATE_VISIT(s, t->latch);
    state_bytes(s, t->memory, TEST_MEMORY_SIZE);
    for (unsigned i = 0; i < 2; i++) {
        STATE_VISIT(s, t->bar[i].selected);
        STATE_VISIT(s, t->bar[i].count);
    }
}

struct test_devices *
test_devices_new(struct machine *m)
{
    struct test_devices *t = calloc(1, sizeof *t);
    if (!t || !(t->memory = calloc(1, TEST_MEMORY_SIZE))) {
        free(t);
        return NULL;
    }
    t->machine = m;
    const struct { uint16_t port, count; struct mem_region region; } row[] = {
        { LATCH_A, 4, { "test-latch", latch_read, latch_write, t } },
        { FLUSH, 4, { "test-flush", zero_read, flush_write, t } },
        { LATCH_B, 4, { "test-latch-bytes", latch_b_read, latch_b_write, t } },
        { LINES, LINE_COUNT, { "test-lines", zero_read, lines_write, t } },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        mem_port_map(m->mem, row[i].port, row[i].count, &row[i].region);
    }
    const struct mem_region memory = { "test-memory", memory_read, memory_write, t };
    mem_mmio_map(m->mem, TEST_MEMORY_BASE, TEST_MEMORY_SIZE, &memory);
    pci_test_init(t);
    machine_add_part(m, "test-devices", test_devices_state, t);
    return t;
}

void
test_devices_free(struct test_devices *t)
{
    if (t) {
        free(t->memory);
        free(t);
    }
}

void
test_devices_set_console(struct test_devices *t, void (*output)(void *ctx, uint8_t byte), void *ctx)
{
    t->output = output;
    t->output_ctx = ctx;
}
