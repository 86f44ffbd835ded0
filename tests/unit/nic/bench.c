/* See bench.h.  VT-d, fabric times and the machine are stand-ins by link. */
#include "bench.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/platform/vtd.h"
#include "sim/time/timing.h"

enum { RAM_SIZE = 16 << 20, FIRST_PAGE = 1 << 20 };
const uint8_t bench_mac[6] = { 0x02, 0x00, 0x00, 0xAA, 0xBB, 0xCC };
const uint8_t bench_peer[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };

/* --- stand-ins --------------------------------------------------------------- */

struct vtd { struct bench *bench; };

bool
vtd_translate(struct vtd *vtd, uint16_t source, uint64_t address, bool write, uint64_t *spa, uint64_t *left)
{
    struct bench *b = vtd->bench;
    b->last_source[write] = source;
    if (address >= b->refused_from && address < b->refused_to && (b->refused_bdf < 0 || b->refused_bdf == source)) {
        b->refusals++;
        return false;
    }
    *spa = address;
    *left = MEM_PAGE_SIZE - address % MEM_PAGE_SIZE;
    return true;
}

void
vtd_interrupt(struct vtd *vtd, uint16_t source, uint64_t address, uint32_t data)
{
    struct bench *b = vtd->bench;
    assert_true(b->message_count < BENCH_MESSAGES);
    b->message[b->message_count++] = (struct bench_message){ source, address, data, b->machine.now };
}

uint64_t vtd_iotlb_misses(const struct vtd *vtd) { (void)vtd; return 0; }

/* Round numbers, so that tests can say when. */
void
time_dma_write(struct machine *m, uint64_t spa, uint64_t size)
{
    (void)m, (void)spa, (void)size;
}

uint64_t
time_fabric(const struct machine *m, enum fabric_kind kind, uint64_t bytes)
{
    (void)m;
    static const uint64_t latency[FABRIC_KIND_COUNT] = { [FABRIC_DMA_READ] = 1000, [FABRIC_DMA_WRITE] = 400, [FABRIC_MSI] = 200 };
    return latency[kind] + bytes / 4;
}

uint64_t
time_wire_cycles(const struct machine *m, uint64_t frame_bytes)
{
    (void)m;
    return (frame_bytes + 24) * 8 * 21 / 100;
}

uint64_t machine_now(const struct machine *m) { return m->now; }
void machine_slow_access(struct machine *m) { (void)m; }

void
machine_request_stop(struct machine *m, enum machine_stop stop, uint32_t code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    m->stop = stop;
    m->stop_code = code;
    vsnprintf(m->stop_text, sizeof m->stop_text, format, args);
    va_end(args);
}

void
trace_write(struct trace *trace, uint64_t now, enum trace_event event, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct bench *bench = (struct bench *)trace;
    (void)now;
    (void)d;
    if (event == TRACE_GUEST_ERROR && a == 0x82599) {
        bench->errors++;
        bench->last_error = b;
        bench->last_error_detail = c;
    }
}

/* --- cable ---------------------------------------------------------------------- */

static void
on_sent(void *ctx, const uint8_t *frame, size_t size, uint64_t now)
{
    struct bench *b = ctx;
    assert_true(b->sent_count < BENCH_FRAMES && size <= BENCH_FRAME_MAX);
    struct bench_frame *f = &b->sent[b->sent_count++];
    free(f->bytes); /* of a test that forgot earlier frames */
    f->bytes = malloc(size);
    memcpy(f->bytes, frame, size);
    f->size = size;
    f->now = now;
    if (b->is_echo) {
        bench_receive(b, frame, size);
    }
}

static void
on_pause(void *ctx, uint16_t quanta, uint64_t now)
{
    struct bench *b = ctx;
    assert_true(b->pause_count < BENCH_PAUSES);
    b->pause[b->pause_count++] = (struct bench_pause){ quanta, now };
}

/* --- life --------------------------------------------------------------------------- */

struct bench *
bench_new(void)
{
    /* Fuzzing makes thousands of benches: keep their memory instead of giving it back each time. */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
    struct bench *b = calloc(1, sizeof *b);
    b->refused_bdf = -1;
    b->next_page = FIRST_PAGE;
    b->machine.mem = mem_new(RAM_SIZE);
    b->machine.events = event_queue_new();
    b->machine.trace = (struct trace *)b;
    b->machine.vtd = calloc(1, sizeof(struct vtd));
    b->machine.vtd->bench = b;
    b->machine.pci = pci_new(&b->machine);
    struct nic_config config = { .bdf = BDF_CARD, .peer = { on_sent, on_pause, b } };
    memcpy(config.mac, bench_mac, 6);
    b->nic = nic_new(&b->machine, &config);
    assert_non_null(b->nic);
    pci_config_write(b->machine.pci, BDF_ROOT_PORT, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    pci_config_write(b->machine.pci, BDF_CARD, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    return b;
}

void
bench_free(struct bench *b)
{
    nic_free(b->nic);
    assert_true(event_queue_next_due(b->machine.events) == EVENT_NEVER);
    pci_free(b->machine.pci);
    event_queue_free(b->machine.events);
    mem_free(b->machine.mem);
    free(b->machine.vtd);
    for (unsigned i = 0; i < BENCH_FRAMES; i++) {
        free(b->sent[i].bytes);
    }
    free(b);
}

int
bench_teardown(void **state)
{
    bench_free(*state);
    return 0;
}

uint64_t
bench_alloc(struct bench *b, uint64_t size)
{
    uint64_t at = b->next_page;
    b->next_page = (at + size + 4095) & ~4095ull;
    assert_true(b->next_page <= RAM_SIZE);
    return at;
}

uint8_t *
bench_ram(struct bench *b, uint64_t spa)
{
    uint8_t *p = mem_ram_write(b->machine.mem, spa);
    assert_non_null(p);
    return p;
}

static bool
run_next(struct bench *b, uint64_t end)
{
    uint64_t due = event_queue_next_due(b->machine.events);
    if (due > end) {
        return false;
    }
    b->machine.now = due > b->machine.now ? due : b->machine.now;
    event_queue_run(b->machine.events, b->machine.now);
    return true;
}

void
bench_run(struct bench *b, uint64_t cycles)
{
    uint64_t end = b->machine.now + cycles;
    while (run_next(b, end)) {
    }
    b->machine.now = end;
}

void
bench_settle(struct bench *b)
{
    uint64_t end = b->machine.now + machine_ns_to_cycles(100000000);
    while (run_next(b, end)) {
    }
}

/* --- access ------------------------------------------------------------------------------ */

static uint64_t
bar_base(struct bench *b, uint16_t bdf, unsigned offset)
{
    uint64_t low = pci_config_read(b->machine.pci, bdf, offset, 4);
    uint64_t high = pci_config_read(b->machine.pci, bdf, offset + 4, 4);
    return (high << 32 | low) & ~0xFull;
}

static uint64_t
vf_base(struct bench *b, unsigned v, unsigned bar)
{
    return bar_base(b, BDF_CARD, I82599_CAP_SRIOV + bar) + (uint64_t)v * I82599_VF_BAR_SIZE;
}

uint32_t
pf_read(struct bench *b, uint32_t offset)
{
    return (uint32_t)mem_mmio_read(b->machine.mem, bar_base(b, BDF_CARD, PCI_BAR0) + offset, 4);
}

void
pf_write(struct bench *b, uint32_t offset, uint32_t value)
{
    mem_mmio_write(b->machine.mem, bar_base(b, BDF_CARD, PCI_BAR0) + offset, 4, value);
}

void
pf_set(struct bench *b, uint32_t offset, uint32_t bits)
{
    pf_write(b, offset, pf_read(b, offset) | bits);
}

uint32_t
vf_read(struct bench *b, unsigned v, uint32_t offset)
{
    return (uint32_t)mem_mmio_read(b->machine.mem, vf_base(b, v, I82599_SRIOV_BAR0) + offset, 4);
}

void
vf_write(struct bench *b, unsigned v, uint32_t offset, uint32_t value)
{
    mem_mmio_write(b->machine.mem, vf_base(b, v, I82599_SRIOV_BAR0) + offset, 4, value);
}

static uint16_t
vf_bdf(struct bench *b, unsigned v)
{
    return (uint16_t)(BDF_CARD + pci_config_read(b->machine.pci, BDF_CARD, I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2) + 2 * v);
}

void
msix_unmask(struct bench *b, int vf, unsigned vector, uint64_t address, uint32_t data)
{
    uint16_t bdf = vf < 0 ? BDF_CARD : vf_bdf(b, (unsigned)vf);
    uint64_t table = (vf < 0 ? bar_base(b, BDF_CARD, PCI_BAR0 + 16) : vf_base(b, (unsigned)vf, I82599_SRIOV_BAR3)) + 16 * vector;
    pci_config_write(b->machine.pci, bdf, I82599_CAP_MSIX + 2, 2, 0x8000);
    mem_mmio_write(b->machine.mem, table, 4, (uint32_t)address);
    mem_mmio_write(b->machine.mem, table + 4, 4, address >> 32);
    mem_mmio_write(b->machine.mem, table + 8, 4, data);
    mem_mmio_write(b->machine.mem, table + 12, 4, 0);
}

void
bench_receive(struct bench *b, const uint8_t *frame, size_t size)
{
    nic_wire_receive(b->nic, frame, size, b->next_packet++);
}

/* --- frames ---------------------------------------------------------------------------------- */

static void
put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

size_t
frame_make(uint8_t *to, const uint8_t *dst, const uint8_t *src, uint16_t type, size_t size)
{
    memcpy(to, dst, 6);
    memcpy(to + 6, src, 6);
    put16(to + 12, type);
    for (size_t i = 14; i < size; i++) {
        to[i] = (uint8_t)(i * 7 + size);
    }
    return size;
}

size_t
frame_tag(uint8_t *frame, size_t size, uint16_t tci)
{
    memmove(frame + 16, frame + 12, size - 12);
    put16(frame + 12, 0x8100);
    put16(frame + 14, tci);
    return size + 4;
}

/* Byte by byte, unlike the model's. */
uint16_t
reference_sum(const uint8_t *p, size_t size, uint32_t start)
{
    uint32_t sum = start;
    for (size_t i = 0; i < size; i++) {
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return (uint16_t)((sum & 0xFFFF) + (sum >> 16));
}

size_t
frame_ipv4(uint8_t *to, const uint8_t *dst, uint8_t protocol, uint16_t sport, uint16_t dport, size_t payload)
{
    static const uint8_t src[6] = { 0x02, 0x11, 0x22, 0x33, 0x44, 0x55 };
    size_t l4 = protocol == 6 ? 20 : 8, size = 14 + 20 + l4 + payload;
    frame_make(to, dst, src, 0x0800, size);
    uint8_t *ip = to + 14, *t = ip + 20;
    memset(ip, 0, 20 + l4);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(20 + l4 + payload));
    put16(ip + 4, 0x1234);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, (const uint8_t[]){ 10, 0, 0, 1, 10, 0, 0, 2 }, 8);
    put16(ip + 10, (uint16_t)~reference_sum(ip, 20, 0));
    put16(t, sport);
    put16(t + 2, dport);
    if (protocol == 6) {
        t[12] = 0x50;
        t[13] = 0x18;
    } else {
        put16(t + 4, (unsigned)(8 + payload));
    }
    uint16_t pseudo = reference_sum(ip + 12, 8, (uint32_t)(protocol + l4 + payload));
    put16(t + (protocol == 6 ? 16 : 6), (uint16_t)~reference_sum(t, l4 + payload, pseudo));
    return size;
}
