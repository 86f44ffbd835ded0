/* INT 1AH, AH = B1H: "PCI BIOS Specification" 2.1, with configuration mechanism #1. */
#include "firmware/bios/bios.h"
#include "spec/platform/memory_map.h"

enum { NOT_SUPPORTED = 0x81, BAD_REGISTER = 0x87, NOT_FOUND = 0x86, LAST_BUS = 0 };

static uint32_t read32(unsigned bdf, unsigned reg)
{
    out32(PORT_PCI_ADDRESS, 0x80000000u | bdf << 8 | (reg & 0xfc));
    return in32(PORT_PCI_DATA);
}

static void done(struct frame *f)
{
    set_high(&f->eax, 0);
    succeed(f);
}

/* The SI-th function whose register 'reg' is 'value' (shifted right by 'shift'). */
static void find(struct frame *f, unsigned reg, unsigned shift, uint32_t value)
{
    unsigned wanted = (uint16_t)f->esi;

    for (unsigned bdf = 0; bdf < (LAST_BUS + 1) << 8; bdf++) {
        if ((uint16_t)read32(bdf, 0) != 0xffff && read32(bdf, reg) >> shift == value && wanted-- == 0) {
            set16(&f->ebx, bdf);
            done(f);
            return;
        }
    }
    fail(f, NOT_FOUND);
}

static void access(struct frame *f, unsigned size, bool write)
{
    unsigned reg = (uint16_t)f->edi, bdf = BX(f);
    uint16_t port = (uint16_t)(PORT_PCI_DATA + (reg & 3));

    if (reg > 0xff || reg & (size - 1)) {
        fail(f, BAD_REGISTER);
        return;
    }
    out32(PORT_PCI_ADDRESS, 0x80000000u | bdf << 8 | (reg & 0xfc));
    if (write) {
        if (size == 1) out8(port, CL(f));
        if (size == 2) out16(port, CX(f));
        if (size == 4) out32(port, f->ecx);
    } else {
        if (size == 1) set_low(&f->ecx, in8(port));
        if (size == 2) set16(&f->ecx, in16(port));
        if (size == 4) f->ecx = in32(port);
    }
    done(f);
}

void pci_service(struct frame *f)
{
    switch (AL(f)) {
    case 0x01: /* present: mechanism 1, version 2.10, the last bus */
        f->edx = 0x20494350; /* "PCI " */
        set_low(&f->eax, 1);
        set16(&f->ebx, 0x0210);
        set_low(&f->ecx, LAST_BUS);
        done(f);
        break;
    case 0x02: find(f, 0, 0, (uint32_t)CX(f) << 16 | DX(f)); break;
    case 0x03: find(f, 8, 8, f->ecx & 0xffffff); break;
    case 0x08: access(f, 1, false); break;
    case 0x09: access(f, 2, false); break;
    case 0x0a: access(f, 4, false); break;
    case 0x0b: access(f, 1, true); break;
    case 0x0c: access(f, 2, true); break;
    case 0x0d: access(f, 4, true); break;
    default: fail(f, NOT_SUPPORTED); break;
    }
}
