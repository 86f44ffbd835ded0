/* The root complex: bus-master accesses and interrupt messages; see pci.h. */
#include <assert.h>
#include <string.h>

#include "sim/base/trace.h"
#include "sim/machine.h"
#include "sim/platform/pci_priv.h"
#include "sim/platform/vtd.h"
#include "sim/time/timing.h"
#include "spec/platform/memory_map.h"

enum { DMA_PAGES_MAX = 17 }; /* 64 KiB at any alignment */

static bool
may_master(struct pci *pci, const struct pci_function *f, uint64_t address)
{
    bool enabled = pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MASTER &&
                   (!f->port || pci_get(f->port, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
    if (!enabled) {
        pci_guest_error(pci, f, address);
    }
    return enabled;
}

struct dma_piece {
    uint64_t spa;
    uint32_t size; /* [bytes] */
};

/* Translates the whole range before anything moves.  0: blocked. */
static unsigned
dma_translate(struct pci *pci, const struct pci_function *f, uint64_t address, uint32_t size,
              bool write, struct dma_piece piece[DMA_PAGES_MAX])
{
    assert(size <= (DMA_PAGES_MAX - 1) * MEM_PAGE_SIZE);
    unsigned count = 0;
    uint64_t misses = vtd_iotlb_misses(pci->machine->vtd);
    bool ok = may_master(pci, f, address);
    for (uint32_t done = 0; ok && done < size;) {
        uint64_t spa, left;
        ok = vtd_translate(pci->machine->vtd, f->bdf, address + done, write, &spa, &left);
        if (ok) {
            uint32_t in_page = (uint32_t)(MEM_PAGE_SIZE - (spa & (MEM_PAGE_SIZE - 1)));
            uint32_t n = size - done < in_page ? size - done : in_page;
            assert(left >= n && count < DMA_PAGES_MAX);
            piece[count++] = (struct dma_piece){ spa, n };
            done += n;
            if (!mem_ram(pci->machine->mem, spa)) { /* no peer-to-peer: aborted by the root */
                pci_guest_error(pci, f, address);
                ok = false;
            }
        }
    }
    misses = vtd_iotlb_misses(pci->machine->vtd) - misses;
    pci->dma_latency = misses ? misses * time_fabric(pci->machine, FABRIC_IOTLB_MISS, 0) : 0;
    return ok ? count : 0;
}

bool
pci_dma_read(struct pci *pci, const struct pci_function *f, uint64_t address, void *to,
             uint32_t size)
{
    struct dma_piece piece[DMA_PAGES_MAX];
    unsigned count = dma_translate(pci, f, address, size, false, piece);
    uint8_t *p = to;
    for (unsigned i = 0; i < count; i++) {
        mem_read(pci->machine->mem, piece[i].spa, p, piece[i].size);
        p += piece[i].size;
    }
    return count > 0 || size == 0;
}

static bool
is_message(uint64_t address, uint32_t size)
{
    return address >= MSI_BASE && address < MSI_BASE + MSI_SIZE && size == 4 && address % 4 == 0;
}

bool
pci_dma_write(struct pci *pci, const struct pci_function *f, uint64_t address, const void *from,
              uint32_t size)
{
    if (is_message(address, size)) {
        uint32_t data;
        memcpy(&data, from, 4);
        pci_msi(pci, f, address, data);
        return true;
    }
    struct dma_piece piece[DMA_PAGES_MAX];
    unsigned count = dma_translate(pci, f, address, size, true, piece);
    const uint8_t *p = from;
    for (unsigned i = 0; i < count; i++) {
        mem_write(pci->machine->mem, piece[i].spa, p, piece[i].size);
        time_dma_write(pci->machine, piece[i].spa, piece[i].size);
        p += piece[i].size;
    }
    return count > 0 || size == 0;
}

uint64_t
pci_dma_latency(const struct pci *pci)
{
    return pci->dma_latency;
}

void
pci_msi(struct pci *pci, const struct pci_function *f, uint64_t address, uint32_t data)
{
    if (!may_master(pci, f, address)) {
        return;
    }
    TRACE(pci->machine, machine_now(pci->machine), TRACE_MSI, f->bdf, address, data, 0);
    if (is_message(address, 4)) {
        vtd_interrupt(pci->machine->vtd, f->bdf, address, data);
    } else { /* software aimed it elsewhere: then it is an ordinary write */
        pci_dma_write(pci, f, address, &data, 4);
    }
}
