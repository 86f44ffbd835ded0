/* PCI configuration space: any writes to any function, BARs on top of anything,
 * virtual functions coming and going.  Afterwards every register must still
 * read, and a saved machine must load to the same hash.
 *
 * Input: operations of 8 bytes: what, function, offset (16 bits), value (32 bits). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_machine.h"
#include "sim/mem/mem.h"
#include "sim/platform/msix.h"
#include "sim/platform/pci.h"
#include "spec/platform/memory_map.h"
#include "tests/unit/platform/fake_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct card {
    struct pci_function function[2];
    struct pci_function vf[4];
    bool vf_present[4];
    struct msix msix;
    uint64_t vf_space;
};

static uint64_t
card_read(void *ctx, uint64_t offset, unsigned size)
{
    return msix_read(&((struct card *)ctx)->msix, offset, size);
}

static void
card_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    msix_write(&((struct card *)ctx)->msix, offset, size, value);
}

static void
card_config(void *ctx, unsigned offset, unsigned size)
{
    msix_config_written(&((struct card *)ctx)->msix, offset, size);
}

static void
card_new(struct card *c, struct machine *m)
{
    memset(c, 0, sizeof *c);
    const struct mem_region region = { "card", card_read, card_write, c };
    for (unsigned i = 0; i < 2; i++) {
        struct pci_function *f = &c->function[i];
        f->bdf = (pci_bdf)(i ? 0x0018 : BDF_CARD);
        f->ctx = c;
        pci_header_init(f, 0x1234, 0x5678, 0x020000, 0);
        pci_bar_init(f, 0, 0x20000, PCI_BAR_64 | PCI_BAR_PREFETCH, &region);
        pci_bar_init(f, 3, 0x1000, 0, &region);
        if (i == 0) {
            msix_init(&c->msix, m->pci, f, 64, 3, 0, 0x800);
            f->config_written = card_config;
        }
        pci_add(m->pci, f);
    }
    c->vf_space = pci_mmio_alloc(m->pci, 0x10000, true);
    for (unsigned i = 0; i < 4; i++) {
        c->vf[i] = (struct pci_function){ .bdf = (pci_bdf)(0x180 + 2 * i), .is_virtual = true };
        c->vf[i].bar_size[0] = 0x4000;
        c->vf[i].bar[0] = region;
    }
}

static void
vf_toggle(struct card *c, struct machine *m, unsigned i, uint32_t value)
{
    if (c->vf_present[i]) {
        pci_remove(m->pci, &c->vf[i]);
    } else {
        c->vf[i].bar_base[0] = value & 1 ? c->vf_space + 0x4000 * i : (uint64_t)value << 14;
        pci_add(m->pci, &c->vf[i]);
    }
    c->vf_present[i] = !c->vf_present[i];
}

static void
operation(struct card *c, struct machine *m, const uint8_t op[8])
{
    static const pci_bdf known[8] = { 0, BDF_ROOT_PORT, BDF_CARD, 0x0018, 0x180, 0x182, 0x184, 0xFFFF };
    pci_bdf bdf = known[op[1] % 8];
    uint32_t value;
    memcpy(&value, op + 4, 4);
    unsigned offset = (op[2] | (unsigned)op[3] << 8) & 0xFFF;
    if (op[0] & 0x80) {
        offset &= 0x3F; /* the header, where decoding is decided */
    }
    unsigned size = 1u << (op[0] >> 4 & 3);
    switch (op[0] % 8) {
    case 0: case 1: case 2:
        mem_mmio_write(m->mem, ECAM_BASE + ((uint64_t)bdf << 12) + offset, size, value * 0x100000001ull);
        break;
    case 3:
        out(m, 0xCF8, 4, value);
        out(m, (uint16_t)(0xCFC + op[2] % 4), size > 4 ? 4 : size, value);
        break;
    case 4:
        mem_mmio_write(m->mem, (value & 1 ? MMIO64_BASE : MMIO32_BASE) + (value & ~7u), size, value);
        break;
    case 5:
        vf_toggle(c, m, op[1] % 4, value);
        break;
    case 6:
        pci_dma_write(m->pci, &c->function[op[1] & 1], (uint64_t)value << (op[2] & 15), op, op[3] % 8);
        break;
    default:
        msix_notify(&c->msix, op[1]);
        break;
    }
}

static void
check_save_and_load(struct card *a, struct machine *m)
{
    static struct card b;
    struct machine *n = fake_machine(1, 1u << 20);
    card_new(&b, n);
    for (unsigned i = 0; i < 4; i++) {
        if (a->vf_present[i]) {
            vf_toggle(a, m, i, 0);
        }
    }
    fuzz_load_into(m, n);
    machine_free(n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct card card;
    struct machine *m = fake_machine(1, 1u << 20);
    bool check = size && data[0] % 16 == 0; /* walking all of RAM takes long */
    card_new(&card, m);
    for (; size >= 8; data += 8, size -= 8) {
        operation(&card, m, data);
    }
    if (check) {
        check_save_and_load(&card, m);
    }
    machine_free(m);
    return 0;
}
