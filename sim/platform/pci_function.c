/* Building and accessing one function's configuration space; see pci.h. */
#include "sim/platform/pci.h"

#include <assert.h>
#include <string.h>

uint32_t
pci_get(const struct pci_function *f, unsigned offset, unsigned size)
{
    assert(offset + size <= PCI_CONFIG_SIZE && size <= 4);
    uint32_t value = 0;
    memcpy(&value, f->config + offset, size);
    return value;
}

void
pci_set(struct pci_function *f, unsigned offset, unsigned size, uint32_t value)
{
    assert(offset + size <= PCI_CONFIG_SIZE && size <= 4);
    memcpy(f->config + offset, &value, size);
}

void
pci_set_writable(struct pci_function *f, unsigned offset, unsigned size, uint32_t mask)
{
    assert(offset + size <= PCI_CONFIG_SIZE && size <= 4);
    memcpy(f->writable + offset, &mask, size);
}

void
pci_header_init(struct pci_function *f, uint16_t vendor, uint16_t device, uint32_t class_code,
                uint8_t revision)
{
    pci_set(f, PCI_VENDOR_ID, 2, vendor);
    pci_set(f, PCI_DEVICE_ID, 2, device);
    pci_set(f, PCI_REVISION, 1, revision);
    pci_set(f, PCI_CLASS, 2, class_code & 0xFFFF);
    pci_set(f, PCI_CLASS + 2, 1, class_code >> 16);
    pci_set_writable(f, PCI_COMMAND, 2,
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF | 1 << 8 | 1 << 6);
    pci_set_writable(f, PCI_REVISION + 4, 1, 0xFF); /* cache line size: kept, means nothing */
    pci_set_writable(f, PCI_INTERRUPT_LINE, 1, 0xFF);
}

void
pci_bar_init(struct pci_function *f, unsigned index, uint64_t size, unsigned type,
             const struct mem_region *region)
{
    assert(index < PCI_BARS && size >= 16 && (size & (size - 1)) == 0);
    assert(!(type & PCI_BAR_64) || index + 1 < PCI_BARS);
    assert(!(type & PCI_BAR_IO) || size <= 256);
    f->bar_size[index] = size;
    f->bar[index] = *region;
    unsigned offset = PCI_BAR0 + 4 * index;
    uint64_t mask = ~(size - 1);
    pci_set(f, offset, 4, type);
    pci_set_writable(f, offset, 4, (uint32_t)mask);
    if (type & PCI_BAR_IO) {
        uint32_t command = 0;
        memcpy(&command, f->writable + PCI_COMMAND, 2);
        pci_set_writable(f, PCI_COMMAND, 2, (command | PCI_COMMAND_IO) & 0xFFFF);
    }
    if (type & PCI_BAR_64) {
        pci_set(f, offset + 4, 4, 0);
        pci_set_writable(f, offset + 4, 4, (uint32_t)(mask >> 32));
    }
}

unsigned
pci_add_capability(struct pci_function *f, uint8_t id, unsigned size)
{
    unsigned offset = f->cap_end ? f->cap_end : 0x40;
    unsigned end = (offset + size + 3) & ~3u;
    assert(size >= 2 && end <= PCI_EXTENDED);
    pci_set(f, offset, 1, id);
    pci_set(f, f->cap_last ? f->cap_last + 1u : PCI_CAPABILITIES, 1, offset);
    pci_set(f, PCI_STATUS, 2, pci_get(f, PCI_STATUS, 2) | PCI_STATUS_CAPABILITIES);
    f->cap_last = (uint16_t)offset;
    f->cap_end = (uint16_t)end;
    return offset;
}

/* Extended header: id 15:0, version 19:16, next 31:20. */
unsigned
pci_add_extended_capability(struct pci_function *f, uint16_t id, unsigned version, unsigned size)
{
    unsigned offset = f->ext_end ? f->ext_end : PCI_EXTENDED;
    unsigned end = (offset + size + 3) & ~3u;
    assert(size >= 4 && end <= PCI_CONFIG_SIZE);
    pci_set(f, offset, 4, id | version << 16);
    if (f->ext_last) {
        pci_set(f, f->ext_last, 4, pci_get(f, f->ext_last, 4) | offset << 20);
    }
    f->ext_last = (uint16_t)offset;
    f->ext_end = (uint16_t)end;
    return offset;
}
