#include "vsp/nic/nicdrv.h"

#include "vsp/nic/nicdrv_priv.h"

struct nicdrv *nicdrv_state;

enum { PAGE = 4096, COMMAND = 0x04, COMMAND_MEMORY = 1 << 1, COMMAND_MASTER = 1 << 2, BAR0 = 0x10, MTU_DEFAULT = 1500,
       CHILDREN_DEFAULT = 1 };

void *nicdrv_alloc_contiguous(size_t size)
{
    uint8_t *memory = svc_alloc(size, PAGE);
    uint64_t dma = svc_dma_address(memory);
    for (size_t at = PAGE; at < size; at += PAGE)
        if (svc_dma_address(memory + at) != dma + at)
            svc_panic("nicdrv: %lu bytes of memory are not contiguous for the card\n", (unsigned long)size);
    return memory;
}

static bool equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++)
        ;
    return *a == *b;
}

static enum nicdrv_mode mode(void)
{
    const char *path = svc_config("io_path");
    if (path && equal(path, "vmq"))
        return NICDRV_VMDQ;
    return path && equal(path, "sriov") ? NICDRV_SRIOV : NICDRV_PLAIN;
}

static bool find_card(struct nicdrv *d)
{
    d->bdf = (uint16_t)svc_config_number("nic.bdf", 0);
    uint32_t id = svc_pci_read(d->bdf, 0);
    if (id != (I82599_PCI_VENDOR | (uint32_t)I82599_PCI_DEVICE << 16)) {
        svc_log("nicdrv: no 82599 at %x (there is %x): external networks have no wire\n", d->bdf, id);
        return false;
    }
    svc_pci_write(d->bdf, COMMAND, svc_pci_read(d->bdf, COMMAND) | COMMAND_MEMORY | COMMAND_MASTER);
    uint64_t base = (uint64_t)svc_pci_read(d->bdf, BAR0 + 4) << 32 | (svc_pci_read(d->bdf, BAR0) & ~0xFu);
    d->regs = svc_mmio_map(base, I82599_CSR_SIZE);
    return d->regs != NULL;
}

static void nicdrv_init(void)
{
    struct nicdrv *d = svc_alloc(sizeof *d, 64);
    nicdrv_state = d;
    d->waiting = svc_alloc(NICDRV_WAITING_MAX * sizeof *d->waiting, 64);
    if (!svc_config("nic.bdf") || !find_card(d))
        return;
    d->mode = mode();
    d->mtu = (uint32_t)svc_config_number("mtu", MTU_DEFAULT);
    d->buffer_size = nicdrv_buffer_size(d->mtu);
    d->lossless = svc_config_number("lossless", 1) != 0;
    d->multicast = true;
    if (d->mode == NICDRV_SRIOV) {
        d->vf_count = (unsigned)svc_config_number("children", CHILDREN_DEFAULT);
        if (d->vf_count > SVC_CHILDREN_MAX)
            d->vf_count = SVC_CHILDREN_MAX;
        d->our_pool = d->vf_count;
    }
    if (!nicdrv_bring_up(d)) {
        svc_log("nicdrv: the card does not come out of reset\n");
        return;
    }
    d->present = true;
    nicdrv_pools_update(d);
    nicdrv_vfs_enable(d);
    nicdrv_interrupts_start(d);
    nicdrv_change(d, I82599_RXCTRL, 0, I82599_RXCTRL_RXEN);
    d->link = nicdrv_read(d, I82599_LINKS) & I82599_LINKS_UP;
}

void nicdrv_switch_wants_multicast(bool wanted)
{
    struct nicdrv *d = nicdrv_state;
    d->multicast = wanted;
    nicdrv_pools_update(d);
}

static void nicdrv_child_created(unsigned child)
{
    (void)child; /* the switch assigns */
}

static void nicdrv_child_deleted(unsigned child)
{
    struct nicdrv *d = nicdrv_state;
    nicdrv_pool_run(child, false);
    d->pool[child].assigned = false;
    if (!d->vf[child].assigned)
        return;
    nicdrv_pool_enable(d, child, false);
    nicdrv_address_clear(d, 1 + child);
    d->vf[child].assigned = false;
}

const struct svc_class nicdrv_service = {
    .name = "nicdrv",
    .init = nicdrv_init,
    .child_created = nicdrv_child_created,
    .child_deleted = nicdrv_child_deleted,
};
