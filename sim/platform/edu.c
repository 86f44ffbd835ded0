/* The educational device; see edu.h. */
#include "sim/platform/edu.h"

#include <stdlib.h>
#include <string.h>

#include "sim/base/event.h"
#include "sim/base/state.h"
#include "sim/machine.h"
#include "sim/platform/pci.h"

enum {
    REG_ID = 0x00, REG_INVERT = 0x04, REG_FACTORIAL = 0x08, REG_STATUS = 0x20, REG_INTERRUPTS = 0x24, REG_RAISE = 0x60,
    REG_ACKNOWLEDGE = 0x64, REG_SOURCE = 0x80, REG_DESTINATION = 0x88, REG_COUNT = 0x90, REG_COMMAND = 0x98,
};
enum { IDENTITY = 0x010000ED, STATUS_INTERRUPT = 0x80, COMMAND_START = 1, COMMAND_TO_MEMORY = 2, COMMAND_INTERRUPT = 4 };
enum { INTERRUPT_FACTORIAL = 1, INTERRUPT_DMA = 0x100, BAR_SIZE = 1 << 20, BUFFER = 0x40000, BUFFER_SIZE = 4096, DMA_NS = 10000 };
#define DMA_MASK 0x0FFFFFFFull

/* "MSI Capability Structure", 64-bit address, one vector */
enum { MSI_SIZE = 14, MSI_CONTROL = 2, MSI_ADDRESS = 4, MSI_DATA = 12, MSI_ENABLE = 1, MSI_64BIT = 1 << 7 };

struct edu {
    struct machine *machine;
    struct pci_function function;
    unsigned msi;              /* offset of the capability */
    struct event done;         /* the transfer ends */
    uint32_t inverted, factorial, status, interrupts;
    uint64_t source, destination, count, command;
    uint8_t buffer[BUFFER_SIZE];
};

/* --- interrupts ---------------------------------------------------------------------- */

static bool
has_msi(const struct edu *e)
{
    return pci_get(&e->function, e->msi + MSI_CONTROL, 2) & MSI_ENABLE;
}

static void
raise(struct edu *e, uint32_t which)
{
    const struct pci_function *f = &e->function;
    e->interrupts |= which;
    if (!e->interrupts) {
        return;
    }
    if (has_msi(e)) {
        uint64_t address = (uint64_t)pci_get(f, e->msi + MSI_ADDRESS + 4, 4) << 32 | pci_get(f, e->msi + MSI_ADDRESS, 4);
        pci_msi(e->machine->pci, f, address, pci_get(f, e->msi + MSI_DATA, 2));
    } else {
        pci_set_intx(e->machine->pci, &e->function, true);
    }
}

static void
acknowledge(struct edu *e, uint32_t which)
{
    e->interrupts &= ~which;
    if (!e->interrupts && e->function.intx) {
        pci_set_intx(e->machine->pci, &e->function, false);
    }
}

/* --- DMA ------------------------------------------------------------------------------- */

static bool
in_buffer(uint64_t address, uint64_t count)
{
    return address >= BUFFER && address - BUFFER <= BUFFER_SIZE && count <= BUFFER_SIZE - (address - BUFFER);
}

/* A range outside the buffer moves nothing (there it ends the emulator). */
static void
transfer(void *ctx, uint64_t now)
{
    struct edu *e = ctx;
    struct pci *pci = e->machine->pci;
    bool to_memory = e->command & COMMAND_TO_MEMORY;
    uint64_t inside = to_memory ? e->source : e->destination, outside = to_memory ? e->destination : e->source;
    (void)now;
    if (in_buffer(inside, e->count) && e->count) {
        uint8_t *at = e->buffer + (inside - BUFFER);
        if (to_memory) {
            pci_dma_write(pci, &e->function, outside & DMA_MASK, at, (uint32_t)e->count);
        } else {
            pci_dma_read(pci, &e->function, outside & DMA_MASK, at, (uint32_t)e->count);
        }
    }
    e->command &= ~(uint64_t)COMMAND_START;
    if (e->command & COMMAND_INTERRUPT) {
        raise(e, INTERRUPT_DMA);
    }
}

/* --- registers -------------------------------------------------------------------------- */

static uint64_t
bar_read(void *ctx, uint64_t offset, unsigned size)
{
    const struct edu *e = ctx;
    if (size < 4 || (size == 8 && offset < REG_SOURCE)) {
        return UINT64_MAX;
    }
    switch (offset) {
    case REG_ID: return IDENTITY;
    case REG_INVERT: return e->inverted;
    case REG_FACTORIAL: return e->factorial;
    case REG_STATUS: return e->status;
    case REG_INTERRUPTS: return e->interrupts;
    case REG_SOURCE: return e->source;
    case REG_DESTINATION: return e->destination;
    case REG_COUNT: return e->count;
    case REG_COMMAND: return e->command;
    default: return UINT64_MAX;
    }
}

static void
factorial(struct edu *e, uint32_t n)
{
    uint32_t value = 1;
    for (uint32_t i = 2; i <= n && value; i++) { /* 34! is 0 modulo 2^32, and stays so */
        value *= i;
    }
    e->factorial = value;
    if (e->status & STATUS_INTERRUPT) {
        raise(e, INTERRUPT_FACTORIAL);
    }
}

/* DMA registers keep still while a transfer is under way. */
static void
dma_write(struct edu *e, uint64_t offset, uint64_t value)
{
    if (e->command & COMMAND_START) {
        return;
    }
    switch (offset) {
    case REG_SOURCE: e->source = value; break;
    case REG_DESTINATION: e->destination = value; break;
    case REG_COUNT: e->count = value; break;
    default:
        e->command = value;
        if (value & COMMAND_START) {
            event_arm(e->machine->events, &e->done, machine_now(e->machine) + machine_ns_to_cycles(DMA_NS));
        }
        break;
    }
}

static void
bar_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct edu *e = ctx;
    if (size < 4 || (size == 8 && offset < REG_SOURCE)) {
        return;
    }
    switch (offset) {
    case REG_INVERT: e->inverted = ~(uint32_t)value; break;
    case REG_FACTORIAL: factorial(e, (uint32_t)value); break;
    case REG_STATUS: e->status = (uint32_t)value & STATUS_INTERRUPT; break;
    case REG_RAISE: raise(e, (uint32_t)value); break;
    case REG_ACKNOWLEDGE: acknowledge(e, (uint32_t)value); break;
    case REG_SOURCE: case REG_DESTINATION: case REG_COUNT: case REG_COMMAND: dma_write(e, offset, value); break;
    default: break;
    }
}

/* --- life ---------------------------------------------------------------------------------- */

static void
edu_state(void *ctx, struct state *s)
{
    struct edu *e = ctx;
    STATE_VISIT(s, e->inverted);
    STATE_VISIT(s, e->factorial);
    STATE_VISIT(s, e->status);
    STATE_VISIT(s, e->interrupts);
    STATE_VISIT(s, e->source);
    STATE_VISIT(s, e->destination);
    STATE_VISIT(s, e->count);
    STATE_VISIT(s, e->command);
    STATE_VISIT(s, e->buffer);
    event_state(e->machine->events, &e->done, s);
}

struct edu *
edu_new(struct machine *m)
{
    struct edu *e = calloc(1, sizeof *e);
    if (!e) {
        return NULL;
    }
    struct pci_function *f = &e->function;
    e->machine = m;
    event_init(&e->done, transfer, e);
    *f = (struct pci_function){ .bdf = BDF_EDU, .name = "edu" };
    pci_header_init(f, 0x1234, 0x11E8, 0x00FF00, 0x10);
    pci_set(f, PCI_INTERRUPT_PIN, 1, 1);
    const struct mem_region bar = { "edu", bar_read, bar_write, e };
    pci_bar_init(f, 0, BAR_SIZE, 0, &bar);
    e->msi = pci_add_capability(f, PCI_CAP_MSI, MSI_SIZE);
    pci_set(f, e->msi + MSI_CONTROL, 2, MSI_64BIT);
    pci_set_writable(f, e->msi + MSI_CONTROL, 2, MSI_ENABLE);
    pci_set_writable(f, e->msi + MSI_ADDRESS, 4, ~3u);
    pci_set_writable(f, e->msi + MSI_ADDRESS + 4, 4, ~0u);
    pci_set_writable(f, e->msi + MSI_DATA, 2, 0xFFFF);
    pci_add(m->pci, f);
    machine_add_part(m, "edu", edu_state, e);
    return e;
}

void
edu_free(struct edu *e)
{
    free(e);
}
