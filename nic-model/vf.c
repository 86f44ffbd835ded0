/* Virtual functions: they exist while VF Enable is set in the SR-IOV
 * capability, each with its configuration space, registers (vf_regs.c) and
 * MSI-X table ("Virtualization", "VF Device Registers").
 *
 *   VF n of the card: pool n, queues n*q .. n*q+q-1 (q by GCR_EXT.VT_MODE),
 *   requester id = RID of the PF + First VF Offset + n * VF Stride
 */
#include <string.h>

#include "nic-model/nic_priv.h"

enum { EXP_CAPS = 2, EXP_DEVCAP = 4, EXP_DEVCTL = 8, DEVCTL_FLR = 1 << 15, CAP_SIZE_EXP = 0x3C, EXT_SIZE_AER = 0x40,
       EXT_SIZE_ARI = 0x10 };
enum { SMALLEST_PAGE_SHIFT = 12 };

unsigned
vf_queues(const struct nic *nic)
{
    static const uint8_t queues[] = { 2, 8, 4, 2 }; /* 64, 16, 32, 64 VFs */
    return queues[reg(nic, I82599_GCR_EXT) & I82599_GCR_EXT_VT_MODE_MASK];
}

int
vf_of_queue(const struct nic *nic, unsigned queue)
{
    unsigned v = queue / vf_queues(nic);
    return v < nic->vf_count ? (int)v : NIC_PF;
}

struct pci_function *
vf_function_of_queue(struct nic *nic, unsigned queue)
{
    int v = vf_of_queue(nic, queue);
    return v == NIC_PF ? &nic->pf : &nic->vf[v].function;
}

static uint64_t
csr_read(void *ctx, uint64_t offset, unsigned size)
{
    return vf_regs_read(ctx, (uint32_t)offset, size);
}

static void
csr_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct nic_vf *vf = ctx;
    vf_regs_write(vf, (uint32_t)offset, size, value);
    nic_run(vf->nic, nic_now(vf->nic));
}

static uint64_t
vectors_read(void *ctx, uint64_t offset, unsigned size)
{
    struct nic_vf *vf = ctx;
    return msix_owns(&vf->msix, offset) ? msix_read(&vf->msix, offset, size) : 0;
}

static void
vectors_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct nic_vf *vf = ctx;
    if (msix_owns(&vf->msix, offset)) {
        msix_write(&vf->msix, offset, size, value);
    }
}

static void
reset_config(struct nic_vf *vf)
{
    struct pci_function *f = &vf->function;
    pci_set(f, PCI_COMMAND, 2, 0);
    pci_set(f, I82599_CAP_PCIE + EXP_DEVCTL, 2, 0);
    msix_reset(&vf->msix);
}

static void
config_written(void *ctx, unsigned offset, unsigned size)
{
    struct nic_vf *vf = ctx;
    msix_config_written(&vf->msix, offset, size);
    if (pci_get(&vf->function, I82599_CAP_PCIE + EXP_DEVCTL, 2) & DEVCTL_FLR) {
        reset_config(vf);
        vf_reset(vf->nic, vf->number);
        mailbox_vflr(vf->nic, vf->number);
    }
    nic_run(vf->nic, nic_now(vf->nic));
}

/* Ids read all ones (the SR-IOV capability has them); only bus master, FLR and
 * MSI-X are the VF's own to write. */
static void
init_config(struct nic_vf *vf)
{
    struct pci_function *f = &vf->function;
    pci_header_init(f, 0xFFFF, 0xFFFF, I82599_PCI_CLASS, I82599_PCI_REVISION);
    pci_set_writable(f, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    pci_set_writable(f, PCI_INTERRUPT_LINE, 1, 0);
    pci_set(f, PCI_SUBSYSTEM_VENDOR, 2, I82599_PCI_VENDOR);
    pci_set(f, PCI_SUBSYSTEM, 2, 0x000C);
    f->cap_end = I82599_CAP_MSIX;
    msix_init(&vf->msix, vf->nic->machine->pci, f, I82599_VF_VECTORS, 3, 0, I82599_MSIX_PBA_OFFSET);
    f->cap_end = I82599_CAP_PCIE;
    unsigned exp = pci_add_capability(f, PCI_CAP_EXPRESS, CAP_SIZE_EXP);
    pci_set(f, exp + EXP_CAPS, 2, 0x0002);
    pci_set(f, exp + EXP_DEVCAP, 4, 0x10008CC2);
    pci_set_writable(f, exp + EXP_DEVCTL, 2, DEVCTL_FLR);
    pci_add_extended_capability(f, PCI_EXT_CAP_AER, 1, EXT_SIZE_AER);
    f->ext_end = I82599_CAP_ARI;
    pci_add_extended_capability(f, PCI_EXT_CAP_ARI, 1, EXT_SIZE_ARI);
}

static uint64_t
vf_bar_base(const struct nic *nic, unsigned bar_offset)
{
    unsigned at = I82599_CAP_SRIOV + bar_offset;
    return ((uint64_t)pci_get(&nic->pf, at + 4, 4) << 32 | pci_get(&nic->pf, at, 4)) & ~(uint64_t)0xF;
}

/* Distance between VFs' BARs: a VF has whole system pages. */
static uint64_t
vf_bar_stride(const struct nic *nic)
{
    uint64_t page = (uint64_t)pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_PAGE_SIZE, 4) << SMALLEST_PAGE_SHIFT;
    return page > I82599_VF_BAR_SIZE ? page : I82599_VF_BAR_SIZE;
}

static void
add_function(struct nic *nic, unsigned v)
{
    struct nic_vf *vf = &nic->vf[v];
    struct pci_function *f = &vf->function;
    const struct mem_region csr = { "nic-vf", csr_read, csr_write, vf };
    const struct mem_region vectors = { "nic-vf-msix", vectors_read, vectors_write, vf };
    bool has_memory = pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2) & I82599_SRIOV_MSE;
    unsigned offset = pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_OFFSET, 2);

    memset(f, 0, sizeof *f);
    f->bdf = (pci_bdf)(nic->config.bdf + offset + I82599_SRIOV_STRIDE_VALUE * v);
    f->name = "82599 VF";
    f->ctx = vf;
    f->config_written = config_written;
    f->is_virtual = true;
    init_config(vf);
    f->bar[0] = csr;
    f->bar[3] = vectors;
    f->bar_size[0] = f->bar_size[3] = has_memory ? I82599_VF_BAR_SIZE : 0;
    f->bar_base[0] = vf_bar_base(nic, I82599_SRIOV_BAR0) + v * vf_bar_stride(nic);
    f->bar_base[3] = vf_bar_base(nic, I82599_SRIOV_BAR3) + v * vf_bar_stride(nic);
    pci_add(nic->machine->pci, f);
    vf->added = 1;
}

static void
remove_function(struct nic *nic, unsigned v)
{
    if (nic->vf[v].added) {
        pci_remove(nic->machine->pci, &nic->vf[v].function);
        nic->vf[v].added = 0;
    }
}

static uint32_t
wanted_count(const struct nic *nic)
{
    uint32_t count = pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_NUM_VFS, 2);
    bool is_enabled = pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2) & I82599_SRIOV_VFE;
    return !is_enabled ? 0 : count > I82599_VFS_MAX ? I82599_VFS_MAX : count;
}

/* Keeps what a VF has configured when only its memory decoding changes. */
static void
update_memory(struct nic *nic, unsigned v)
{
    struct nic_vf *vf = &nic->vf[v];
    bool has_memory = pci_get(&nic->pf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL, 2) & I82599_SRIOV_MSE;
    uint64_t size = has_memory ? I82599_VF_BAR_SIZE : 0;
    uint64_t base = vf_bar_base(nic, I82599_SRIOV_BAR0) + v * vf_bar_stride(nic);
    uint64_t vectors = vf_bar_base(nic, I82599_SRIOV_BAR3) + v * vf_bar_stride(nic);
    struct pci_function *f = &vf->function;
    if (f->bar_size[0] == size && f->bar_base[0] == base && f->bar_base[3] == vectors) {
        return;
    }
    pci_remove(nic->machine->pci, f);
    f->bar_size[0] = f->bar_size[3] = size;
    f->bar_base[0] = base;
    f->bar_base[3] = vectors;
    pci_add(nic->machine->pci, f);
}

void
vf_set_enabled(struct nic *nic)
{
    uint32_t count = wanted_count(nic);
    if (count && nic->vf_count) {
        count = nic->vf_count; /* NumVFs must not change while VFs are enabled */
    }
    for (unsigned v = count; v < nic->vf_count; v++) {
        vf_reset(nic, v);
        remove_function(nic, v);
    }
    for (unsigned v = 0; v < count; v++) {
        if (nic->vf[v].added) {
            update_memory(nic, v);
        } else {
            vf_reset(nic, v);
            add_function(nic, v);
        }
    }
    nic->vf_count = count;
}

/* What VFLR and VFCTRL.RST clear; rings keep their set-up registers. */
void
vf_reset(struct nic *nic, unsigned v)
{
    struct nic_vf *vf = &nic->vf[v];
    unsigned q = vf_queues(nic);
    for (unsigned n = 0; n < q; n++) {
        unsigned queue = v * q + n;
        if (queue < I82599_QUEUES) {
            reg_set(nic, I82599_RXDCTL(queue), reg(nic, I82599_RXDCTL(queue)) & ~I82599_RXDCTL_EN);
            reg_set(nic, I82599_TXDCTL(queue), reg(nic, I82599_TXDCTL(queue)) & ~I82599_TXDCTL_EN);
            rx_stop_queue(nic, queue);
            tx_stop_queue(nic, queue);
        }
    }
    reg_set(nic, I82599_VFRE(v / 32), reg(nic, I82599_VFRE(v / 32)) & ~(1u << v % 32));
    reg_set(nic, I82599_VFTE(v / 32), reg(nic, I82599_VFTE(v / 32)) & ~(1u << v % 32));
    vf->vfu = vf->pfu = vf->pfsts = vf->pfack = 0; /* RSTI stays: it is the PF's */
    interrupts_reset_vf(nic, v);
}

void
vf_init(struct nic *nic)
{
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        nic->vf[v].nic = nic;
        nic->vf[v].number = v;
        nic->vf[v].rsti = 1;
    }
}

static void
visit(struct nic_vf *vf, struct state *s)
{
    STATE_VISIT(s, vf->vfu);
    STATE_VISIT(s, vf->pfu);
    STATE_VISIT(s, vf->pfsts);
    STATE_VISIT(s, vf->pfack);
    STATE_VISIT(s, vf->rsti);
    STATE_VISIT(s, vf->rstd);
    STATE_VISIT(s, vf->cause);
    STATE_VISIT(s, vf->mask);
    STATE_VISIT(s, vf->autoclear);
    STATE_VISIT(s, vf->automask);
    STATE_VISIT(s, vf->ivar);
    STATE_VISIT(s, vf->ivar_misc);
    STATE_VISIT(s, vf->eitr);
    STATE_VISIT(s, vf->rscint);
    if (vf->added) {
        msix_state(&vf->msix, s);
        pci_function_state(vf->nic->machine->pci, &vf->function, s);
    }
}

/* The PF's configuration space is visited before the card, so on a load it
 * already says which VFs there are. */
void
vf_state(struct nic *nic, struct state *s)
{
    uint32_t count = nic->vf_count;
    STATE_VISIT(s, count);
    if (state_is_load(s)) {
        for (unsigned v = 0; v < nic->vf_count; v++) {
            remove_function(nic, v);
        }
        nic->vf_count = count <= I82599_VFS_MAX ? count : 0;
        for (unsigned v = 0; v < nic->vf_count; v++) {
            add_function(nic, v);
        }
    }
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        visit(&nic->vf[v], s);
    }
}
