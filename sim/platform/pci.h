/* PCI Express root complex as devices see it.
 *
 * A function registers with its configuration space template and callbacks;
 * the root complex decodes ECAM, moves BARs, and carries DMA and messages,
 * both through VT-d remapping with the function's requester id.  Functions
 * that appear later (virtual functions) register with pci_add when enabled.
 */
#ifndef SIM_PLATFORM_PCI_H
#define SIM_PLATFORM_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/mem/mem.h"

struct machine;
struct pci;
struct state;

typedef uint16_t pci_bdf; /* bus 15:8, device 7:3, function 2:0 */

enum { PCI_CONFIG_SIZE = 4096, PCI_BARS = 6 };

struct pci_function {
    pci_bdf bdf;
    const char *name;                 /* static storage */
    void *ctx;                        /* passed to the callbacks */
    uint8_t config[PCI_CONFIG_SIZE];  /* current contents */
    uint8_t writable[PCI_CONFIG_SIZE];/* mask of bits software may write */
    uint64_t bar_size[PCI_BARS];      /* [bytes], 0 = none; a 64-bit BAR uses one entry and leaves the next 0 */
    struct mem_region bar[PCI_BARS];  /* decoded while memory space is enabled */
    int bar_id[PCI_BARS];             /* mem_mmio_map id, or -1; pci.c only */
    /* After a configuration write changed 'size' bytes at 'offset'; may be NULL. */
    void (*config_written)(void *ctx, unsigned offset, unsigned size);
};

struct pci *pci_new(struct machine *);
void pci_free(struct pci *);
void pci_add(struct pci *, struct pci_function *);    /* borrowed until removed */
void pci_remove(struct pci *, struct pci_function *);
uint32_t pci_config_read(struct pci *, pci_bdf, unsigned offset, unsigned size);
void pci_config_write(struct pci *, pci_bdf, unsigned offset, unsigned size, uint32_t value);
void pci_state(struct pci *, struct state *); /* registered functions' configuration */

/* Bus-master memory access with remapping.  False: fault (VT-d recorded it and
 * the transfer did not happen). 'address' is what the device put on the bus. */
bool pci_dma_read(struct pci *, const struct pci_function *, uint64_t address, void *to, uint32_t size);
bool pci_dma_write(struct pci *, const struct pci_function *, uint64_t address, const void *from, uint32_t size);
/* Message-signalled interrupt; remapped when VT-d says so. */
void pci_msi(struct pci *, const struct pci_function *, uint64_t address, uint32_t data);

#endif
