/* The physical function: configuration space, general control registers.
 *
 * Capabilities are where the 82599 has them ("PCIe Configuration Space"),
 * because drivers read some at fixed offsets.
 */
#include <string.h>

#include "nic-model/regs.h"

/* Relative to their capability. */
enum { PM_CAPS = 2, PM_CONTROL = 4, MSI_CONTROL = 2, EXP_CAPS = 2, EXP_DEVCAP = 4, EXP_DEVCTL = 8, EXP_DEVSTA = 0xA,
       EXP_LNKCAP = 0xC, EXP_LNKCTL = 0x10, EXP_LNKSTA = 0x12, EXP_DEVCAP2 = 0x24, EXP_DEVCTL2 = 0x28, EXP_LNKCTL2 = 0x30 };
enum { DEVCTL_FLR = 1 << 15, PM_STATE = 3 };
enum { CAP_SIZE_PM = 0x10, CAP_SIZE_MSI = 0x20, CAP_SIZE_EXP = 0x3C, EXT_SIZE_AER = 0x40, EXT_SIZE_DSN = 0x10,
       EXT_SIZE_ARI = 0x10, EXT_SIZE_SRIOV = 0x40 };
enum { VF_BAR_TYPE = PCI_BAR_64 | PCI_BAR_PREFETCH };

static unsigned
lan_id(const struct nic *nic)
{
    return nic->config.bdf & 7;
}

static uint64_t
bar_msix_read(void *ctx, uint64_t offset, unsigned size)
{
    struct nic *nic = ctx;
    return msix_owns(&nic->msix, offset) ? msix_read(&nic->msix, offset, size) : 0;
}

static void
bar_msix_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct nic *nic = ctx;
    if (msix_owns(&nic->msix, offset)) {
        msix_write(&nic->msix, offset, size, value);
    }
}

/* BAR0 is as large as with flash; only its first 128 KB are registers. */
static uint64_t
bar_csr_read(void *ctx, uint64_t offset, unsigned size)
{
    return offset < I82599_CSR_SIZE ? regs_read(ctx, offset, size) : UINT64_MAX;
}

static void
bar_csr_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    if (offset < I82599_CSR_SIZE) {
        regs_write(ctx, offset, size, value);
    }
}

static void
init_pm_and_msi(struct pci_function *f)
{
    unsigned pm = pci_add_capability(f, PCI_CAP_POWER, CAP_SIZE_PM);
    pci_set(f, pm + PM_CAPS, 2, 0x4823); /* version 3, DSI, PME from D0 and D3hot */
    pci_set_writable(f, pm + PM_CONTROL, 2, 0x1F03);
    unsigned msi = pci_add_capability(f, PCI_CAP_MSI, CAP_SIZE_MSI);
    pci_set(f, msi + MSI_CONTROL, 2, 0x0180); /* one vector, 64-bit, maskable */
    pci_set_writable(f, msi + MSI_CONTROL, 2, 0x0001);
    pci_set_writable(f, msi + 4, 4, 0xFFFFFFFC);
    pci_set_writable(f, msi + 8, 4, 0xFFFFFFFF);
    pci_set_writable(f, msi + 12, 2, 0xFFFF);
    pci_set_writable(f, msi + 16, 4, 0x00000001);
}

static void
init_express(struct pci_function *f)
{
    unsigned exp = pci_add_capability(f, PCI_CAP_EXPRESS, CAP_SIZE_EXP);
    pci_set(f, exp + EXP_CAPS, 2, 0x0002);           /* version 2, endpoint */
    pci_set(f, exp + EXP_DEVCAP, 4, 0x10008CC2);     /* 512 bytes, L0s/L1 latency, role-based errors, FLR */
    pci_set(f, exp + EXP_DEVCTL, 2, 0x2810);
    pci_set_writable(f, exp + EXP_DEVCTL, 2, 0xFFFF);
    pci_set(f, exp + EXP_LNKCAP, 4, 0x00027482);     /* 5 GT/s x8, ASPM L0s */
    pci_set_writable(f, exp + EXP_LNKCTL, 2, 0x00C3);
    pci_set(f, exp + EXP_LNKSTA, 2, 0x1082);         /* 5 GT/s x8 */
    pci_set(f, exp + EXP_DEVCAP2, 4, 0x0000001F);    /* completion timeout ranges and disable */
    pci_set_writable(f, exp + EXP_DEVCTL2, 2, 0x001F);
    pci_set(f, exp + EXP_LNKCTL2, 2, 0x0002);
}

static void
init_extended(struct nic *nic)
{
    struct pci_function *f = &nic->pf;
    const uint8_t *mac = nic->config.mac;
    unsigned aer = pci_add_extended_capability(f, PCI_EXT_CAP_AER, 1, EXT_SIZE_AER);
    pci_set(f, aer + 0x0C, 4, 0x00062030); /* uncorrectable severity */
    pci_set(f, aer + 0x14, 4, 0x00002000); /* correctable mask */
    unsigned dsn = pci_add_extended_capability(f, PCI_EXT_CAP_SERIAL, 1, EXT_SIZE_DSN);
    pci_set(f, dsn + 4, 4, 0xFF000000u | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5]);
    pci_set(f, dsn + 8, 4, (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | 0xFF);
    pci_add_extended_capability(f, PCI_EXT_CAP_ARI, 1, EXT_SIZE_ARI); /* no next function: one port */
}

static void
init_sriov(struct nic *nic)
{
    struct pci_function *f = &nic->pf;
    unsigned cap = pci_add_extended_capability(f, PCI_EXT_CAP_SRIOV, 1, EXT_SIZE_SRIOV);
    pci_set_writable(f, cap + I82599_SRIOV_CONTROL, 2, I82599_SRIOV_VFE | I82599_SRIOV_MSE | I82599_SRIOV_ARI);
    pci_set(f, cap + I82599_SRIOV_INITIAL_VFS, 4, I82599_VFS_MAX | I82599_VFS_MAX << 16);
    pci_set_writable(f, cap + I82599_SRIOV_NUM_VFS, 2, 0xFFFF);
    pci_set(f, cap + I82599_SRIOV_LINK, 1, lan_id(nic));
    pci_set(f, cap + I82599_SRIOV_OFFSET, 4, I82599_SRIOV_OFFSET_PLAIN | I82599_SRIOV_STRIDE_VALUE << 16);
    pci_set(f, cap + I82599_SRIOV_VF_DEVICE, 2, I82599_PCI_VF_DEVICE);
    pci_set(f, cap + I82599_SRIOV_PAGE_SIZES, 4, 0x553);
    pci_set(f, cap + I82599_SRIOV_PAGE_SIZE, 4, 1);
    pci_set_writable(f, cap + I82599_SRIOV_PAGE_SIZE, 4, 0x553);
    static const uint8_t bars[] = { I82599_SRIOV_BAR0, I82599_SRIOV_BAR3 };
    for (unsigned i = 0; i < 2; i++) {
        /* Firmware's part: room for all VFs at the smallest page size. */
        uint64_t base = pci_mmio_alloc(nic->machine->pci, (uint64_t)I82599_VF_BAR_SIZE * I82599_VFS_MAX, true);
        pci_set(f, cap + bars[i], 4, (uint32_t)base | VF_BAR_TYPE);
        pci_set(f, cap + bars[i] + 4u, 4, (uint32_t)(base >> 32));
        pci_set_writable(f, cap + bars[i], 4, ~(uint32_t)(I82599_VF_BAR_SIZE - 1));
        pci_set_writable(f, cap + bars[i] + 4u, 4, 0xFFFFFFFF);
    }
}

static bool
touches(unsigned offset, unsigned size, unsigned field, unsigned field_size)
{
    return offset < field + field_size && offset + size > field;
}

static void
sriov_written(struct nic *nic)
{
    struct pci_function *f = &nic->pf;
    uint32_t control = pci_get(f, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2);
    vf_set_enabled(nic);
    if (!(control & I82599_SRIOV_VFE)) { /* fixed while there are VFs */
        pci_set(f, I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2,
                control & I82599_SRIOV_ARI ? I82599_SRIOV_OFFSET_ARI : I82599_SRIOV_OFFSET_PLAIN);
    }
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct nic *nic = ctx;
    struct pci_function *f = &nic->pf;
    msix_config_written(&nic->msix, offset, size);
    if (touches(offset, size, I82599_CAP_PCIE + EXP_DEVCTL, 2) &&
        pci_get(f, I82599_CAP_PCIE + EXP_DEVCTL, 2) & DEVCTL_FLR) {
        pf_reset_config(nic);
        nic_reset(nic, true);
    } else if (touches(offset, size, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, EXT_SIZE_SRIOV - 8)) {
        sriov_written(nic);
    }
    nic_run(nic, nic_now(nic));
}

void
pf_init(struct nic *nic)
{
    struct pci_function *f = &nic->pf;
    const struct mem_region csr = { "nic", bar_csr_read, bar_csr_write, nic };
    const struct mem_region vectors = { "nic-msix", bar_msix_read, bar_msix_write, nic };
    f->bdf = nic->config.bdf;
    f->name = "82599";
    f->ctx = nic;
    f->config_written = config_written;
    pci_header_init(f, I82599_PCI_VENDOR, I82599_PCI_DEVICE, I82599_PCI_CLASS, I82599_PCI_REVISION);
    pci_set(f, PCI_SUBSYSTEM_VENDOR, 2, I82599_PCI_VENDOR);
    pci_set(f, PCI_SUBSYSTEM, 2, 0x000C);
    pci_bar_init(f, 0, I82599_BAR0_SIZE, PCI_BAR_64 | PCI_BAR_PREFETCH, &csr);
    pci_bar_init(f, 4, I82599_MSIX_BAR_SIZE, PCI_BAR_64 | PCI_BAR_PREFETCH, &vectors);
    init_pm_and_msi(f);
    msix_init(&nic->msix, nic->machine->pci, f, I82599_VECTORS, 4, 0, I82599_MSIX_PBA_OFFSET);
    f->cap_end = I82599_CAP_PCIE; /* the 82599 leaves a gap here */
    init_express(f);
    init_extended(nic);
    init_sriov(nic);
    pci_add(nic->machine->pci, f);
}

/* FLR: what software could write goes back; BARs keep the addresses that a driver restores. */
void
pf_reset_config(struct nic *nic)
{
    struct pci_function *f = &nic->pf;
    pci_set(f, PCI_COMMAND, 2, pci_get(f, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
    pci_set(f, I82599_CAP_PM + PM_CONTROL, 2, 0);
    pci_set(f, I82599_CAP_MSI + MSI_CONTROL, 2, 0x0180);
    pci_set(f, I82599_CAP_PCIE + EXP_DEVCTL, 2, 0x2810);
    pci_set(f, I82599_CAP_PCIE + EXP_DEVCTL2, 2, 0);
    pci_set(f, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2, 0);
    pci_set(f, I82599_CAP_SRIOV + I82599_SRIOV_NUM_VFS, 2, 0);
    msix_reset(&nic->msix);
    vf_set_enabled(nic);
    pci_set(f, I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2, I82599_SRIOV_OFFSET_PLAIN);
}

bool
pf_is_master(const struct nic *nic)
{
    return !(reg(nic, I82599_CTRL) & I82599_CTRL_GIO_DIS);
}

void
pf_ctrl_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_CTRL, value & ~(I82599_CTRL_RST | I82599_CTRL_LRST));
    if (value & (I82599_CTRL_RST | I82599_CTRL_LRST)) {
        nic_reset(nic, value & I82599_CTRL_LRST);
    }
}

uint32_t
pf_status_read(struct nic *nic, unsigned index)
{
    (void)index;
    uint32_t value = lan_id(nic) << I82599_STATUS_LAN_ID_SHIFT;
    value |= nic->vf_count << I82599_STATUS_NUM_VFS_SHIFT & I82599_STATUS_NUM_VFS_MASK;
    value |= nic->vf_count ? I82599_STATUS_IOV : 0;
    return value | (pf_is_master(nic) ? I82599_STATUS_GIO : 0);
}

void
pf_ctrl_ext_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_CTRL_EXT, value & ~I82599_CTRL_EXT_PFRSTD);
    if (value & I82599_CTRL_EXT_PFRSTD) {
        mailbox_pf_done(nic);
    }
    if (value & I82599_CTRL_EXT_EXT_VLAN) {
        nic_unoffered(nic, I82599_CTRL_EXT, "extended VLAN (CTRL_EXT.EXTENDED_VLAN)");
    }
}

/* Free running: counts microseconds here. */
uint32_t
pf_frtimer_read(struct nic *nic, unsigned index)
{
    (void)index;
    return (uint32_t)(machine_cycles_to_ns(nic_now(nic)) / 1000);
}
