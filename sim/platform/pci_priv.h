/* Inside of the root complex, shared by pci.c, pci_dma.c and pci_port.c. */
#ifndef SIM_PLATFORM_PCI_PRIV_H
#define SIM_PLATFORM_PCI_PRIV_H

#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"

struct power;

/* Address space that firmware hands out, upward. */
struct pci_window {
    uint64_t next, end; /* [spa] */
};

/* A root port with address space for the device behind it. */
struct pci_slot {
    struct pci_function port;
    struct pci_window window[2];      /* [64-bit prefetchable] */
};

struct pci {
    struct machine *machine;
    struct pci_function **function;   /* sorted by bdf; borrowed */
    unsigned count, capacity;
    uint32_t config_address;          /* port CF8H */
    uint64_t dma_latency;             /* of the last transfer [cycles] */
    void (*set_line)(void *ctx, unsigned gsi, bool high); /* the board's interrupt lines, or NULL */
    void *set_line_ctx;
    uint8_t intx_count[PCI_INTX_LINES]; /* asserted pins on each line */
    struct power *power;              /* for port CF9H; NULL until the platform says */
    struct pci_window window[2][2];   /* [behind the root port][64-bit prefetchable] */
    uint64_t window64;                /* where the 64-bit window begins [spa] */
    struct pci_window ports;          /* for I/O BARs, on bus 0 only */
    struct pci_function host_bridge;
    struct pci_function root_port;
    struct pci_slot *slot[PCI_SLOTS_MAX];
    unsigned slot_count;
};

/* Software did what cannot work: noted in the trace. */
void pci_guest_error(struct pci *, const struct pci_function *, uint64_t detail);

void pci_intx_update(struct pci *, struct pci_function *); /* pin or command register changed */
void pci_intx_assign(struct pci_function *);               /* firmware's part: the line register */
void pci_intx_recount(struct pci *);                       /* after a load */
void pci_set_line_hook(struct pci *, void (*set_line)(void *ctx, unsigned gsi, bool high), void *ctx);
void pci_set_power(struct pci *, struct power *);

void pci_host_bridge_init(struct pci_function *);
void pci_port_init(struct pci *, struct pci_function *);
void pci_slot_init(struct pci *, struct pci_slot *, pci_bdf, unsigned bus, unsigned number);
unsigned pci_port_bus(const struct pci_function *port); /* secondary; 0: not configured */
/* Do the port's windows pass a processor's access to [base, base + size) down? */
bool pci_port_forwards(const struct pci_function *port, uint64_t base, uint64_t size);
/* The port's windows or command changed: what is behind it decodes anew. */
void pci_port_changed(struct pci *);

#endif
