/* The host bridge and root ports; see pci.h.
 *
 * A port is a PCI Express root port with one link and no hot plug.  Bus numbers of the
 * card's port are firmware's and read-only: the card computes requester ids of its
 * virtual functions from them.
 */
#include "sim/platform/pci_priv.h"

#include "spec/platform/memory_map.h"

/* PCI-to-PCI Bridge Architecture Specification "Type 1 Configuration Space Header" */
enum {
    PORT_BUSES = 0x18,          /* primary, secondary, subordinate */
    PORT_IO = 0x1C, PORT_MEMORY_BASE = 0x20, PORT_MEMORY_LIMIT = 0x22,
    PORT_PREFETCH_BASE = 0x24, PORT_PREFETCH_LIMIT = 0x26,
    PORT_PREFETCH_BASE_HIGH = 0x28, PORT_PREFETCH_LIMIT_HIGH = 0x2C,
    PORT_BRIDGE_CONTROL = 0x3E,
    WINDOW_64 = 1,              /* low bits of a prefetchable base: 64-bit addresses */
};

/* PCI Express Base Specification "PCI Express Capability Structure" */
enum {
    EXPRESS_SIZE = 0x3C,
    EXPRESS_FLAGS = 0x02, EXPRESS_DEVICE_CAP = 0x04, EXPRESS_DEVICE_CONTROL = 0x08,
    EXPRESS_LINK_CAP = 0x0C, EXPRESS_LINK_CONTROL = 0x10, EXPRESS_LINK_STATUS = 0x12,
    EXPRESS_ROOT_CONTROL = 0x1C, EXPRESS_DEVICE_CAP2 = 0x24, EXPRESS_DEVICE_CONTROL2 = 0x28,
    VERSION_2 = 2, TYPE_ROOT_PORT = 4 << 4,
    LINK_5GT_X8 = 2 | 8 << 4,   /* as the card's slot would be */
    PCI_MULTI_FUNCTION = 0x80, DEVICE_CAP2_ARI = 1 << 5, DEVICE_CAP_RBER = 1 << 15,
};

void
pci_host_bridge_init(struct pci_function *f)
{
    *f = (struct pci_function){ .bdf = BDF_HOST_BRIDGE, .name = "host-bridge" };
    pci_header_init(f, 0x8086, 0x29C0, 0x060000, 0);
}

/* A window register pair holds address bits 31:20 in bits 15:4. */
static void
window_set(struct pci_function *f, unsigned offset, uint64_t base, uint64_t end, unsigned type)
{
    pci_set(f, offset, 2, (uint32_t)(base >> 16 & 0xFFF0) | type);
    pci_set(f, offset + 2, 2, (uint32_t)((end - 1) >> 16 & 0xFFF0) | type);
    pci_set_writable(f, offset, 2, 0xFFF0);
    pci_set_writable(f, offset + 2, 2, 0xFFF0);
}

static void
express_init(struct pci_function *f)
{
    unsigned cap = pci_add_capability(f, PCI_CAP_EXPRESS, EXPRESS_SIZE);
    pci_set(f, cap + EXPRESS_FLAGS, 2, VERSION_2 | TYPE_ROOT_PORT);
    pci_set(f, cap + EXPRESS_DEVICE_CAP, 4, DEVICE_CAP_RBER | 1); /* 256-byte payloads */
    pci_set_writable(f, cap + EXPRESS_DEVICE_CONTROL, 2, 0x78FF);
    pci_set(f, cap + EXPRESS_LINK_CAP, 4, LINK_5GT_X8);
    pci_set_writable(f, cap + EXPRESS_LINK_CONTROL, 2, 0x00FB);
    pci_set(f, cap + EXPRESS_LINK_STATUS, 2, LINK_5GT_X8);
    pci_set_writable(f, cap + EXPRESS_ROOT_CONTROL, 2, 0x001F);
    pci_set(f, cap + EXPRESS_DEVICE_CAP2, 4, DEVICE_CAP2_ARI);
    pci_set_writable(f, cap + EXPRESS_DEVICE_CONTROL2, 2, DEVICE_CAP2_ARI);
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct pci *pci = ctx;
    (void)size;
    if (offset < PCI_CAPABILITIES) {
        pci_port_changed(pci);
    }
}

/* Header, windows and capability; bus numbers are read-only. */
static void
port_init(struct pci_function *f, unsigned device, unsigned bus, const struct pci_window *low, const struct pci_window *high)
{
    pci_header_init(f, 0x8086, (uint16_t)device, 0x060400, 0);
    pci_set(f, PORT_BUSES, 4, bus << 8 | bus << 16);
    pci_set(f, PORT_IO, 2, 0x00F0); /* base above limit: no I/O window */
    window_set(f, PORT_MEMORY_BASE, low->next, low->end, 0);
    window_set(f, PORT_PREFETCH_BASE, high->next, high->end, WINDOW_64);
    pci_set(f, PORT_PREFETCH_BASE_HIGH, 4, (uint32_t)(high->next >> 32));
    pci_set(f, PORT_PREFETCH_LIMIT_HIGH, 4, (uint32_t)((high->end - 1) >> 32));
    pci_set_writable(f, PORT_PREFETCH_BASE_HIGH, 4, UINT32_MAX);
    pci_set_writable(f, PORT_PREFETCH_LIMIT_HIGH, 4, UINT32_MAX);
    pci_set_writable(f, PORT_BRIDGE_CONTROL, 2, 0x0003);
    express_init(f);
    /* Firmware opens the way for the slot, both directions. */
    pci_set(f, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

void
pci_port_init(struct pci *pci, struct pci_function *f)
{
    *f = (struct pci_function){
        .bdf = BDF_ROOT_PORT, .name = "root-port", .ctx = pci, .config_written = config_written,
    };
    port_init(f, 0x3420, BDF_CARD >> 8, &pci->window[true][false], &pci->window[true][true]);
    pci_set(f, PCI_HEADER_TYPE, 1, 1);
}

void
pci_slot_init(struct pci *pci, struct pci_slot *slot, pci_bdf bdf, unsigned bus, unsigned number)
{
    struct pci_function *f = &slot->port;
    *f = (struct pci_function){ .bdf = bdf, .name = "slot-port", .ctx = pci, .config_written = config_written };
    port_init(f, 0x3421 + number, bus, &slot->window[false], &slot->window[true]);
    pci_set(f, PCI_HEADER_TYPE, 1, 1 | PCI_MULTI_FUNCTION);
    pci_set_writable(f, PORT_BUSES, 4, 0x00FFFFFF);
}

unsigned
pci_port_bus(const struct pci_function *f)
{
    unsigned secondary = pci_get(f, PORT_BUSES + 1, 1), subordinate = pci_get(f, PORT_BUSES + 2, 1);
    return secondary <= subordinate ? secondary : 0;
}

static bool
window_holds(uint64_t base, uint64_t size, uint64_t first, uint64_t last)
{
    return first <= last && base >= first && base <= last && size - 1 <= last - base;
}

static uint64_t
window_edge(const struct pci_function *f, unsigned offset, unsigned high_offset)
{
    uint64_t high = high_offset ? pci_get(f, high_offset, 4) : 0;
    return high << 32 | (uint64_t)(pci_get(f, offset, 2) & 0xFFF0) << 16;
}

bool
pci_port_forwards(const struct pci_function *f, uint64_t base, uint64_t size)
{
    if (!(pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY)) {
        return false;
    }
    return window_holds(base, size, window_edge(f, PORT_MEMORY_BASE, 0),
                        window_edge(f, PORT_MEMORY_LIMIT, 0) | 0xFFFFF) ||
           window_holds(base, size,
                        window_edge(f, PORT_PREFETCH_BASE, PORT_PREFETCH_BASE_HIGH),
                        window_edge(f, PORT_PREFETCH_LIMIT, PORT_PREFETCH_LIMIT_HIGH) | 0xFFFFF);
}
