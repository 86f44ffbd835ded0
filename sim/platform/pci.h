/* PCI Express root complex as devices see it.
 *
 * A function registers with its configuration space template and callbacks;
 * the root complex decodes ECAM, moves BARs, and carries DMA and messages,
 * both through VT-d remapping with the function's requester id.  Functions
 * that appear later (virtual functions) register with pci_add when enabled.
 *
 *   bus 0   00:00.0 host bridge   00:1c.0 root port   00:1d.n root ports of slots (pci_slot_new)
 *   bus 1   behind the root port, the slot for a card (BDF_CARD) and its VFs
 *   bus 2.. behind a slot's port, one device each
 *
 * What firmware would have done is done at pci_add: BARs have addresses and
 * memory decoding is on; bus mastering is off.  The memory windows of ports are
 * as software sets them.  Bus numbers of the card's port are fixed (read-only), because
 * the card hands them to its virtual functions; those of slots are software's, and the
 * device behind follows: its bdf changes, or it is out of reach.
 *
 * Errors.  A BAR that cannot be decoded where software put it (on top of
 * something else, outside its bridge's windows) is not decoded, and DMA or a
 * message of a function whose bus mastering is off does not happen; the trace
 * notes a guest error.
 */
#ifndef SIM_PLATFORM_PCI_H
#define SIM_PLATFORM_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/mem/mem.h"

struct machine;
struct machine_config;
struct pci;
struct state;

typedef uint16_t pci_bdf; /* bus 15:8, device 7:3, function 2:0 */

enum { PCI_CONFIG_SIZE = 4096, PCI_BARS = 6, PCI_SLOTS_MAX = 8 };

/* Where the card goes: behind the root port. */
enum { BDF_HOST_BRIDGE = 0x0000, BDF_TEST_DEVICE = 0x0028, BDF_EDU = 0x0030, BDF_VIRTIO_CONSOLE = 0x0038, BDF_ROOT_PORT = 0x00E0,
       BDF_SLOT_PORT = 0x00E8, BDF_CARD = 0x0100 };

/* Configuration header (PCI Express Base Specification "Type 0 Configuration Space Header"). */
enum {
    PCI_VENDOR_ID = 0x00, PCI_DEVICE_ID = 0x02, PCI_COMMAND = 0x04, PCI_STATUS = 0x06,
    PCI_REVISION = 0x08, PCI_CLASS = 0x09, PCI_HEADER_TYPE = 0x0E, PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2C, PCI_SUBSYSTEM = 0x2E, PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3C, PCI_INTERRUPT_PIN = 0x3D, PCI_EXTENDED = 0x100,
    PCI_COMMAND_IO = 1 << 0, PCI_COMMAND_MEMORY = 1 << 1, PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_INTX_OFF = 1 << 10, PCI_STATUS_INTX = 1 << 3, PCI_STATUS_CAPABILITIES = 1 << 4,
    PCI_BAR_IO = 1 << 0, PCI_BAR_64 = 1 << 2, PCI_BAR_PREFETCH = 1 << 3,
    PCI_CAP_POWER = 0x01, PCI_CAP_MSI = 0x05, PCI_CAP_EXPRESS = 0x10, PCI_CAP_MSIX = 0x11,
    PCI_EXT_CAP_AER = 0x0001, PCI_EXT_CAP_SERIAL = 0x0003, PCI_EXT_CAP_ARI = 0x000E,
    PCI_EXT_CAP_ATS = 0x000F, PCI_EXT_CAP_SRIOV = 0x0010,
};

struct pci_function {
    pci_bdf bdf;                      /* now */
    const char *name;                 /* static storage */
    struct pci_function *port;        /* that it is behind, or NULL; pci.c only */
    pci_bdf home;                     /* bdf when it was added; pci.c only */
    bool hidden;                      /* its port's bus numbers lead nowhere; pci.c only */
    void *ctx;                        /* passed to the callbacks */
    uint8_t config[PCI_CONFIG_SIZE];  /* current contents */
    uint8_t writable[PCI_CONFIG_SIZE];/* mask of bits software may write */
    uint64_t bar_size[PCI_BARS];      /* [bytes], 0 = none; a 64-bit BAR uses one entry and leaves the next 0 */
    struct mem_region bar[PCI_BARS];  /* decoded while memory (or I/O) space is enabled */
    int bar_id[PCI_BARS];             /* mem_mmio_map or mem_port_map id, or -1; pci.c only */
    /* A virtual function's BARs are its physical function's business: they decode at
     * 'bar_base' [spa] from pci_add to pci_remove, whatever its own registers say. */
    bool is_virtual;
    uint64_t bar_base[PCI_BARS];      /* pci.c keeps the decoded address here otherwise */
    bool intx, intx_driven;           /* pin asserted by the device; reaches its line (pci_intx.c only) */
    /* End and last link of the two capability lists; pci_add_capability only. */
    uint16_t cap_end, cap_last, ext_end, ext_last;
    /* After a configuration write changed 'size' bytes at 'offset'; may be NULL. */
    void (*config_written)(void *ctx, unsigned offset, unsigned size);
};

/* Where the 64-bit BAR window begins in such a machine [spa]: MMIO64_BASE, or the next multiple of its size behind RAM. */
uint64_t pci_window64(const struct machine_config *);

struct pci *pci_new(struct machine *);
void pci_free(struct pci *);
void pci_add(struct pci *, struct pci_function *);    /* borrowed until removed */
void pci_remove(struct pci *, struct pci_function *);
struct pci_function *pci_find(struct pci *, pci_bdf); /* or NULL */
/* Another root port on bus 0 with an empty slot; the bdf for the device to put there. Up to PCI_SLOTS_MAX. */
pci_bdf pci_slot_new(struct pci *);
uint32_t pci_config_read(struct pci *, pci_bdf, unsigned offset, unsigned size);
void pci_config_write(struct pci *, pci_bdf, unsigned offset, unsigned size, uint32_t value);
/* Registered functions' configuration. Virtual functions are not in it: their physical
 * function's owner registers them again on load and visits what they keep. */
void pci_state(struct pci *, struct state *);

/* One function's configuration, for owners of virtual functions. */
void pci_function_state(struct pci *, struct pci_function *, struct state *);

/* Function-level reset: what software can write in the configuration space becomes 0 (BARs, command, device control). */
void pci_function_reset(struct pci *, struct pci_function *);

/* Address space for a BAR that is not in the header (SR-IOV VF BARs): what
 * firmware would assign. 'size' is a power of two [bytes]; 'wide': from the 64-bit window. */
uint64_t pci_mmio_alloc(struct pci *, uint64_t size, bool wide);

/* --- building a function's configuration space ------------------------------ */

/* Little-endian access to contents and to the mask of writable bits. */
uint32_t pci_get(const struct pci_function *, unsigned offset, unsigned size);
void pci_set(struct pci_function *, unsigned offset, unsigned size, uint32_t value);
void pci_set_writable(struct pci_function *, unsigned offset, unsigned size, uint32_t mask);
/* Ids, class, command register; 'class_code' is base, sub, interface (24 bits). */
void pci_header_init(struct pci_function *, uint16_t vendor, uint16_t device, uint32_t class_code,
                     uint8_t revision);
/* BAR 'index' of 'size' [bytes, power of two >= 16]; 'type' PCI_BAR_64 and PCI_BAR_PREFETCH, or
 * PCI_BAR_IO (up to 256 ports; bus 0 only, the root port forwards no ports). */
void pci_bar_init(struct pci_function *, unsigned index, uint64_t size, unsigned type,
                  const struct mem_region *);
/* Links a capability of 'size' [bytes, header included]; returns its offset. Contents are 0. */
unsigned pci_add_capability(struct pci_function *, uint8_t id, unsigned size);
unsigned pci_add_extended_capability(struct pci_function *, uint16_t id, unsigned version,
                                     unsigned size);

/* Bus-master memory access with remapping.  False: fault (VT-d recorded it and
 * the transfer did not happen). 'address' is what the device put on the bus. */
bool pci_dma_read(struct pci *, const struct pci_function *, uint64_t address, void *to, uint32_t size);
bool pci_dma_write(struct pci *, const struct pci_function *, uint64_t address, const void *from, uint32_t size);
/* Extra latency of the last pci_dma_* call: translations that missed the IOTLB. [cycles] */
uint64_t pci_dma_latency(const struct pci *);
/* Message-signalled interrupt; remapped when VT-d says so. */
void pci_msi(struct pci *, const struct pci_function *, uint64_t address, uint32_t data);
/* The function's interrupt pin (configuration register 3DH says which) is asserted or not. */
void pci_set_intx(struct pci *, struct pci_function *, bool asserted);

#endif
