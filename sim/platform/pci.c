/* The root complex: functions, configuration space, BAR decoding; see pci.h. */
#include "sim/platform/pci.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/base/state.h"
#include "sim/base/trace.h"
#include "sim/machine.h"
#include "sim/platform/display.h"
#include "sim/platform/pci_priv.h"
#include "sim/platform/power.h"
#include "spec/platform/memory_map.h"

/* --- functions --------------------------------------------------------------- */

/* Functions are in the order of their first addresses, whatever became of those. */
static unsigned
function_index(const struct pci *pci, pci_bdf home)
{
    unsigned low = 0, high = pci->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (pci->function[middle]->home < home) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct pci_function *
pci_find(struct pci *pci, pci_bdf bdf)
{
    for (unsigned i = 0; i < pci->count; i++) {
        if (pci->function[i]->bdf == bdf && !pci->function[i]->hidden) {
            return pci->function[i];
        }
    }
    return NULL;
}

void
pci_guest_error(struct pci *pci, const struct pci_function *f, uint64_t detail)
{
    TRACE(pci->machine, machine_now(pci->machine), TRACE_GUEST_ERROR, COMPONENT_PCI, f->bdf, detail,
          0);
}

/* --- BAR decoding ------------------------------------------------------------ */

static uint64_t
bar_address(const struct pci_function *f, unsigned i)
{
    uint32_t low = pci_get(f, PCI_BAR0 + 4 * i, 4);
    uint64_t high = (low & (PCI_BAR_64 | PCI_BAR_IO)) == PCI_BAR_64 ? pci_get(f, PCI_BAR0 + 4 * i + 4, 4) : 0;
    return (high << 32 | low) & ~(f->bar_size[i] - 1);
}

static bool
bar_is_io(const struct pci_function *f, unsigned i)
{
    return !f->is_virtual && pci_get(f, PCI_BAR0 + 4 * i, 4) & PCI_BAR_IO;
}

static bool
inside(uint64_t base, uint64_t size, uint64_t window, uint64_t window_end)
{
    return base >= window && base < window_end && size <= window_end - base;
}

/* Does an access to [base, base + size) from the processors arrive at 'f'? */
static bool
is_routed(const struct pci *pci, const struct pci_function *f, uint64_t base, uint64_t size)
{
    if (!inside(base, size, MMIO32_BASE, MMIO32_BASE + MMIO32_SIZE) &&
        !inside(base, size, pci->window64, pci->window64 + MMIO64_SIZE)) {
        return false;
    }
    return !f->port || pci_port_forwards(f->port, base, size);
}

static bool
bar_wanted(const struct pci *pci, const struct pci_function *f, unsigned i, uint64_t *base)
{
    *base = f->is_virtual ? f->bar_base[i] : bar_address(f, i);
    if (bar_is_io(f, i)) {
        return f->bar_size[i] && *base && pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_IO &&
               !f->port && inside(*base, f->bar_size[i], 0, 0x10000);
    }
    bool enabled = f->is_virtual || pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
    return f->bar_size[i] && enabled && is_routed(pci, f, *base, f->bar_size[i]);
}

static void
bar_unmap(struct pci *pci, struct pci_function *f, unsigned i)
{
    if (f->bar_id[i] >= 0) {
        if (bar_is_io(f, i)) {
            mem_port_unmap(pci->machine->mem, f->bar_id[i]);
        } else {
            mem_mmio_unmap(pci->machine->mem, f->bar_id[i]);
        }
        f->bar_id[i] = -1;
    }
}

static void
bar_map(struct pci *pci, struct pci_function *f, unsigned i, uint64_t base)
{
    struct mem *mem = pci->machine->mem;
    f->bar_base[i] = base;
    f->bar_id[i] = bar_is_io(f, i)
        ? mem_port_map(mem, (uint16_t)base, (uint16_t)f->bar_size[i], &f->bar[i])
        : mem_mmio_map(mem, base, f->bar_size[i], &f->bar[i]);
    if (f->bar_id[i] < 0) {
        pci_guest_error(pci, f, base);
    }
}

/* Moves are in two steps for all BARs of a function, so that one may take the
 * place that another leaves. */
static void
bars_update(struct pci *pci, struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        uint64_t base;
        bool wanted = bar_wanted(pci, f, i, &base);
        if (f->bar_id[i] >= 0 && (!wanted || base != f->bar_base[i])) {
            bar_unmap(pci, f, i);
        }
    }
    for (unsigned i = 0; i < PCI_BARS; i++) {
        uint64_t base;
        if (f->bar_id[i] >= 0 || !bar_wanted(pci, f, i, &base)) {
            continue;
        }
        bar_map(pci, f, i, base);
    }
}

void
pci_port_changed(struct pci *pci)
{
    for (unsigned i = 0; i < pci->count; i++) {
        struct pci_function *f = pci->function[i];
        if (f->port) {
            unsigned bus = pci_port_bus(f->port);
            f->hidden = bus == 0;
            f->bdf = (pci_bdf)(bus << 8 | (f->home & 0xFF));
            bars_update(pci, f);
        }
    }
}

/* --- firmware's part --------------------------------------------------------- */

/* Takes 'size' bytes, naturally aligned, from a window. 0: none left. */
static uint64_t
window_take(struct pci_window *w, uint64_t size)
{
    uint64_t base = (w->next + size - 1) & ~(size - 1);
    if (base < w->next || base > w->end || size > w->end - base) {
        return 0;
    }
    w->next = base + size;
    return base;
}

/* The pair of windows that firmware gives to what is beside 'f'. */
static struct pci_window *
windows_of(struct pci *pci, const struct pci_function *f)
{
    for (unsigned i = 0; i < pci->slot_count; i++) {
        if (f->port == &pci->slot[i]->port) {
            return pci->slot[i]->window;
        }
    }
    return pci->window[f->port != NULL];
}

static uint64_t
mmio_alloc(struct pci_window window[2], uint64_t size, bool wide)
{
    uint64_t base = window_take(&window[wide], size);
    assert(base && "no address space left for a BAR: too many or too large functions");
    return base;
}

uint64_t
pci_mmio_alloc(struct pci *pci, uint64_t size, bool wide)
{
    return mmio_alloc(pci->window[true], size, wide);
}

static void
firmware_assign(struct pci *pci, struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        unsigned offset = PCI_BAR0 + 4 * i;
        if (!f->bar_size[i] || bar_address(f, i)) {
            continue;
        }
        uint32_t type = pci_get(f, offset, 4) & 0xF;
        if (type & PCI_BAR_IO) {
            uint64_t port = f->port ? 0 : window_take(&pci->ports, f->bar_size[i]);
            pci_set(f, offset, 4, (uint32_t)port | type);
            pci_set(f, PCI_COMMAND, 2, pci_get(f, PCI_COMMAND, 2) | PCI_COMMAND_IO);
            continue;
        }
        /* A bridge's 64-bit window is for prefetchable BARs only. */
        bool wide = type & PCI_BAR_64 && type & PCI_BAR_PREFETCH;
        uint64_t base = mmio_alloc(windows_of(pci, f), f->bar_size[i], wide);
        pci_set(f, offset, 4, (uint32_t)base | type);
        if (type & PCI_BAR_64) {
            pci_set(f, offset + 4, 4, (uint32_t)(base >> 32));
        }
        pci_set(f, PCI_COMMAND, 2, pci_get(f, PCI_COMMAND, 2) | PCI_COMMAND_MEMORY);
    }
}

static struct pci_function *
port_of_bus(struct pci *pci, unsigned bus)
{
    for (unsigned i = 0; bus && i < pci->slot_count; i++) {
        if (pci_port_bus(&pci->slot[i]->port) == bus) {
            return &pci->slot[i]->port;
        }
    }
    return bus ? &pci->root_port : NULL;
}

void
pci_add(struct pci *pci, struct pci_function *f)
{
    unsigned at = function_index(pci, f->bdf);
    assert(at == pci->count || pci->function[at]->home != f->bdf);
    f->home = f->bdf;
    f->hidden = false;
    f->port = port_of_bus(pci, f->bdf >> 8);
    if (pci->count == pci->capacity) {
        unsigned capacity = pci->capacity ? 2 * pci->capacity : 16;
        struct pci_function **function = realloc(pci->function, capacity * sizeof *function);
        if (!function) {
            fputs("hvlab: out of memory for PCI functions\n", stderr);
            abort();
        }
        pci->function = function;
        pci->capacity = capacity;
    }
    memmove(&pci->function[at + 1], &pci->function[at],
            (pci->count - at) * sizeof *pci->function);
    pci->function[at] = f;
    pci->count++;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        f->bar_id[i] = -1;
    }
    if (!f->is_virtual) {
        firmware_assign(pci, f);
        pci_intx_assign(f);
    }
    bars_update(pci, f);
}

void
pci_remove(struct pci *pci, struct pci_function *f)
{
    unsigned at = function_index(pci, f->home);
    assert(at < pci->count && pci->function[at] == f);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        bar_unmap(pci, f, i);
    }
    memmove(&pci->function[at], &pci->function[at + 1],
            (pci->count - at - 1) * sizeof *pci->function);
    pci->count--;
}

/* --- configuration space ----------------------------------------------------- */

uint32_t
pci_config_read(struct pci *pci, pci_bdf bdf, unsigned offset, unsigned size)
{
    const struct pci_function *f = pci_find(pci, bdf);
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        uint32_t byte = f && offset + i < PCI_CONFIG_SIZE ? f->config[offset + i] : 0xFF;
        value |= byte << (8 * i);
    }
    return value;
}

void
pci_config_write(struct pci *pci, pci_bdf bdf, unsigned offset, unsigned size, uint32_t value)
{
    struct pci_function *f = pci_find(pci, bdf);
    if (!f) {
        return;
    }
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_SIZE; i++) {
        uint8_t mask = f->writable[offset + i];
        f->config[offset + i] =
            (f->config[offset + i] & ~mask) | ((uint8_t)(value >> (8 * i)) & mask);
    }
    if (offset < PCI_BAR0 + 4 * PCI_BARS && offset + size > PCI_COMMAND) {
        bars_update(pci, f);
        pci_intx_update(pci, f);
    }
    if (f->config_written) {
        f->config_written(f->ctx, offset, size);
    }
}

void
pci_function_reset(struct pci *pci, struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
        f->config[i] &= (uint8_t)~f->writable[i];
    }
    bars_update(pci, f);
    pci_intx_update(pci, f);
}

/* ECAM (PCI Express Base Specification "PCI Express Enhanced Configuration
 * Access Mechanism"): bus 27:20, device 19:15, function 14:12, register 11:0. */
static uint64_t
ecam_read(void *ctx, uint64_t offset, unsigned size)
{
    struct pci *pci = ctx;
    unsigned low = size > 4 ? 4 : size;
    pci_bdf bdf = (pci_bdf)(offset >> 12);
    uint64_t value = pci_config_read(pci, bdf, offset & 0xFFF, low);
    if (size > 4) {
        value |= (uint64_t)pci_config_read(pci, bdf, (offset & 0xFFF) + 4, size - 4) << 32;
    }
    return value;
}

static void
ecam_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *pci = ctx;
    unsigned low = size > 4 ? 4 : size;
    pci_bdf bdf = (pci_bdf)(offset >> 12);
    pci_config_write(pci, bdf, offset & 0xFFF, low, (uint32_t)value);
    if (size > 4) {
        pci_config_write(pci, bdf, (offset & 0xFFF) + 4, size - 4, (uint32_t)(value >> 32));
    }
}

/* Configuration mechanism #1: an address register (dword accesses only; bytes
 * at CF9H are the chipset's reset control) and a data window of 4 bytes.  Address bits 1:0 read as 0, but
 * count like those of the data port: software written for QEMU reads words at CFCH with
 * the register's full number in the address. */
enum { CONFIG_ENABLE = 1u << 31 };

static uint64_t
address_read(void *ctx, uint64_t offset, unsigned size)
{
    struct pci *pci = ctx;
    if (size == 1 && offset == PORT_RESET - PORT_PCI_ADDRESS) {
        return pci->power ? power_reset_read(pci->power) : 0xFF;
    }
    return size == 4 ? pci->config_address & ~3u : UINT64_MAX;
}

static void
address_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *pci = ctx;
    if (size == 4) {
        pci->config_address = (uint32_t)value & 0x80FFFFFF;
    } else if (size == 1 && offset == PORT_RESET - PORT_PCI_ADDRESS && pci->power) {
        power_reset_write(pci->power, (uint8_t)value);
    }
}

static uint64_t
data_read(void *ctx, uint64_t offset, unsigned size)
{
    struct pci *pci = ctx;
    if (!(pci->config_address & CONFIG_ENABLE)) {
        return UINT64_MAX;
    }
    return pci_config_read(pci, (pci_bdf)(pci->config_address >> 8),
                           (pci->config_address & 0xFF) | (unsigned)offset, size);
}

static void
data_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct pci *pci = ctx;
    if (pci->config_address & CONFIG_ENABLE) {
        pci_config_write(pci, (pci_bdf)(pci->config_address >> 8),
                         (pci->config_address & 0xFF) | (unsigned)offset, size, (uint32_t)value);
    }
}

enum { SLOT_WINDOW = 4 << 20, SLOT_WINDOW_64 = 64 << 20 }; /* [bytes] */

/* --- life and state ---------------------------------------------------------- */

void
pci_set_power(struct pci *pci, struct power *power)
{
    pci->power = power;
}

uint64_t
pci_window64(const struct machine_config *c)
{
    uint64_t bytes = c->ram_size + display_memory(c);
    uint64_t end = bytes < MEM_HOLE_START ? MEM_HOLE_END : bytes + (MEM_HOLE_END - MEM_HOLE_START);
    uint64_t base = (end + MMIO64_SIZE - 1) & -MMIO64_SIZE;
    return base > MMIO64_BASE ? base : MMIO64_BASE;
}

struct pci *
pci_new(struct machine *m)
{
    struct pci *pci = calloc(1, sizeof *pci);
    if (!pci) {
        return NULL;
    }
    pci->machine = m;
    pci->window64 = pci_window64(&m->config);
    /* Halves of the two windows: the first behind the root port, the second on bus 0. */
    const uint64_t middle32 = MMIO32_BASE + MMIO32_SIZE / 2;
    const uint64_t middle64 = pci->window64 + MMIO64_SIZE / 2;
    pci->window[true][false] = (struct pci_window){ MMIO32_BASE, middle32 };
    pci->window[true][true] = (struct pci_window){ pci->window64, middle64 };
    pci->window[false][false] = (struct pci_window){ middle32, MMIO32_BASE + MMIO32_SIZE };
    pci->window[false][true] = (struct pci_window){ middle64, pci->window64 + MMIO64_SIZE };
    pci->ports = (struct pci_window){ PCI_PORTS_BASE, PCI_PORTS_BASE + PCI_PORTS_SIZE };
    const struct mem_region ecam = { "ecam", ecam_read, ecam_write, pci };
    const struct mem_region address = { "pci-address", address_read, address_write, pci };
    const struct mem_region data = { "pci-data", data_read, data_write, pci };
    mem_mmio_map(m->mem, ECAM_BASE, ECAM_SIZE, &ecam);
    mem_port_map(m->mem, PORT_PCI_ADDRESS, 4, &address);
    mem_port_map(m->mem, PORT_PCI_DATA, 4, &data);
    pci_host_bridge_init(&pci->host_bridge);
    pci_port_init(pci, &pci->root_port);
    pci_add(pci, &pci->host_bridge);
    pci_add(pci, &pci->root_port);
    return pci;
}

void
pci_free(struct pci *pci)
{
    if (pci) {
        for (unsigned i = 0; i < pci->slot_count; i++) {
            free(pci->slot[i]);
        }
        free(pci->function);
        free(pci);
    }
}

pci_bdf
pci_slot_new(struct pci *pci)
{
    assert(pci->slot_count < PCI_SLOTS_MAX);
    struct pci_slot *slot = calloc(1, sizeof *slot);
    if (!slot) {
        fputs("hvlab: out of memory for PCI ports\n", stderr);
        abort();
    }
    unsigned number = pci->slot_count, bus = (BDF_CARD >> 8) + 1 + number;
    const uint64_t size[2] = { SLOT_WINDOW, SLOT_WINDOW_64 };
    for (unsigned wide = 0; wide < 2; wide++) {
        uint64_t base = mmio_alloc(pci->window[false], size[wide], wide);
        slot->window[wide] = (struct pci_window){ base, base + size[wide] };
    }
    pci_slot_init(pci, slot, (pci_bdf)(BDF_SLOT_PORT + number), bus, number + 1);
    pci->slot[pci->slot_count++] = slot;
    pci_add(pci, &slot->port);
    return (pci_bdf)(bus << 8);
}

void
pci_function_state(struct pci *pci, struct pci_function *f, struct state *s)
{
    pci_bdf home = f->home;
    STATE_VISIT(s, home);
    if (home != f->home) {
        state_fail(s, "saved with a function at %#x, this machine has one at %#x", home, f->home);
        return;
    }
    state_bytes(s, f->config, sizeof f->config);
    STATE_VISIT(s, f->intx);
    STATE_VISIT(s, f->intx_driven);
    if (state_is_load(s)) {
        bars_update(pci, f);
    }
}

void
pci_state(struct pci *pci, struct state *s)
{
    STATE_VISIT(s, pci->config_address);
    uint32_t count = 0;
    for (unsigned i = 0; i < pci->count; i++) {
        count += !pci->function[i]->is_virtual;
    }
    uint32_t saved = count;
    STATE_VISIT(s, saved);
    if (saved != count) {
        state_fail(s, "saved with %u PCI functions, this machine has %u", saved, count);
        return;
    }
    for (unsigned i = 0; i < pci->count; i++) {
        if (!pci->function[i]->is_virtual) {
            pci_function_state(pci, pci->function[i], s);
        }
    }
    if (state_is_load(s)) {
        pci_intx_recount(pci);
        pci_port_changed(pci); /* the port's windows may have come before or after */
    }
}
