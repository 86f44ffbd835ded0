/* Legacy interrupt pins; see pci.h.
 *
 * PCI-to-PCI Bridge Architecture Specification "Interrupt Routing": a pin behind
 * a bridge arrives as pin (device + pin) mod 4 of the bridge.  The board does the
 * same once more on bus 0 and wires the four results to GSIs 16-19, as the
 * DSDT's _PRT says.  Pins share lines: a line is high while any of its pins is.
 */
#include "sim/platform/pci_priv.h"

#include <assert.h>

#include "spec/platform/memory_map.h"

static unsigned
swizzle(pci_bdf bdf, unsigned pin)
{
    return ((bdf >> 3 & 0x1F) + pin) % PCI_INTX_LINES;
}

static unsigned
line_of(const struct pci_function *f)
{
    unsigned pin = pci_get(f, PCI_INTERRUPT_PIN, 1) - 1;
    pin = swizzle(f->bdf, pin);
    return f->port ? swizzle(f->port->bdf, pin) : pin;
}

void
pci_intx_update(struct pci *pci, struct pci_function *f)
{
    bool drive = f->intx && !(pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_INTX_OFF);
    if (drive == f->intx_driven) {
        return;
    }
    unsigned line = line_of(f);
    f->intx_driven = drive;
    pci->intx_count[line] += drive ? 1 : -1;
    if (pci->set_line) {
        pci->set_line(pci->set_line_ctx, PCI_INTX_GSI + line, pci->intx_count[line] > 0);
    }
}

void
pci_set_intx(struct pci *pci, struct pci_function *f, bool asserted)
{
    assert(pci_get(f, PCI_INTERRUPT_PIN, 1));
    uint32_t status = pci_get(f, PCI_STATUS, 2) & ~(uint32_t)PCI_STATUS_INTX;
    f->intx = asserted;
    pci_set(f, PCI_STATUS, 2, status | (asserted ? PCI_STATUS_INTX : 0));
    pci_intx_update(pci, f);
}

/* Software without ACPI reads its GSI from the interrupt line register. */
void
pci_intx_assign(struct pci_function *f)
{
    if (pci_get(f, PCI_INTERRUPT_PIN, 1)) {
        pci_set(f, PCI_INTERRUPT_LINE, 1, PCI_INTX_GSI + line_of(f));
    }
}

/* The lines themselves are the I/O APIC's state; only who drives them is ours. */
void
pci_intx_recount(struct pci *pci)
{
    for (unsigned i = 0; i < PCI_INTX_LINES; i++) {
        pci->intx_count[i] = 0;
    }
    for (unsigned i = 0; i < pci->count; i++) {
        if (pci->function[i]->intx_driven) {
            pci->intx_count[line_of(pci->function[i])]++;
        }
    }
}

void
pci_set_line_hook(struct pci *pci, void (*set_line)(void *ctx, unsigned gsi, bool high), void *ctx)
{
    pci->set_line = set_line;
    pci->set_line_ctx = ctx;
}
