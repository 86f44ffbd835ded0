/* MSI-X for device models: capability, vector table, pending bits, delivery.
 *
 * PCI Express Base Specification "MSI-X Capability and Table Structure".  A
 * device embeds `struct msix`, forwards BAR accesses that msix_owns() and its
 * config_written callback, and calls msix_notify() when a vector fires.
 *
 *   table entry (16 bytes): address 63:0, data 31:0, control bit 0 = masked
 *   pending array: one bit per vector
 *
 * A vector that fires while masked (its own bit, or the function's) is
 * remembered in the pending array and leaves when unmasked.  Delivery is
 * immediate; a device that models the fabric delays its call by time_fabric(FABRIC_MSI).
 */
#ifndef SIM_PLATFORM_MSIX_H
#define SIM_PLATFORM_MSIX_H

#include <stdbool.h>
#include <stdint.h>

struct pci;
struct pci_function;
struct state;

enum { MSIX_VECTORS_MAX = 128, MSIX_ENTRY_SIZE = 16 };

struct msix {
    struct pci *pci;
    struct pci_function *function;
    uint16_t count;                   /* vectors */
    uint16_t cap;                     /* offset of the capability */
    uint32_t table_offset;            /* in the BAR [bytes] */
    uint32_t pba_offset;              /* in the BAR [bytes] */
    uint32_t table[MSIX_VECTORS_MAX][4];
    uint64_t pending[MSIX_VECTORS_MAX / 64];
};

/* Adds the capability to 'f' (not yet in pci_add) and resets. Offsets are multiples of 8. */
void msix_init(struct msix *, struct pci *, struct pci_function *f, unsigned count, unsigned bar,
               uint32_t table_offset, uint32_t pba_offset);
void msix_reset(struct msix *); /* all vectors masked, nothing pending, MSI-X off */
void msix_state(struct msix *, struct state *);

/* Is byte 'offset' of the BAR in the table or the pending array? */
bool msix_owns(const struct msix *, uint64_t offset);
uint64_t msix_read(const struct msix *, uint64_t offset, unsigned size);
void msix_write(struct msix *, uint64_t offset, unsigned size, uint64_t value);
/* Call from the function's config_written: unmasking releases what is pending. */
void msix_config_written(struct msix *, unsigned offset, unsigned size);

bool msix_enabled(const struct msix *);
/* Vector fires. False: MSI-X is off and nothing happened. */
bool msix_notify(struct msix *, unsigned vector);

#endif
