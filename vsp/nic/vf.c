/* Virtual functions: SR-IOV capability, assignment, mailbox. */
#include "vsp/nic/nicdrv_priv.h"

enum {
    VF_SETTLE = 1000000,    /* [100 ns]: a VF is ready 100 ms after VF Enable at the latest ("SR-IOV", VF Enable) */
    CAPABILITY_MSIX = 0x11,
    COMMAND = 0x04, COMMAND_MASTER = 1 << 2,
    MSIX_ENABLE = 1u << 31, MSIX_MASK_ALL = 1 << 30,
    VFS_PER_CAUSE = 16,
    HEADER_TYPE = 0x0C, TYPE_BRIDGE = 1, BUS_NUMBERS = 0x18, CAPABILITIES = 0x34, CAPABILITY_EXPRESS = 0x10,
    DEVICE_CAPABILITIES_2 = 0x24, DEVICE_CONTROL_2 = 0x28, ARI_FORWARDING = 1 << 5, FUNCTIONS_OF_BUS = 256,
};

static uint32_t sriov_read(const struct nicdrv *d, unsigned offset)
{
    return svc_pci_read(d->bdf, I82599_CAP_SRIOV + offset);
}

static uint64_t bar(const struct nicdrv *d, unsigned offset)
{
    return (uint64_t)sriov_read(d, offset + 4) << 32 | (sriov_read(d, offset) & ~0xFu);
}

/* The PCI Express capability of the port above the card; 0 = there is none on bus 0. */
static unsigned port_capability(const struct nicdrv *d, uint16_t *port)
{
    for (unsigned f = 0; f < FUNCTIONS_OF_BUS; f++) {
        *port = (uint16_t)f;
        if ((svc_pci_read(*port, HEADER_TYPE) >> 16 & 0x7F) != TYPE_BRIDGE ||
            (svc_pci_read(*port, BUS_NUMBERS) >> 8 & 0xFF) != d->bdf >> 8u)
            continue;
        unsigned at = svc_pci_read(*port, CAPABILITIES) & 0xFC;
        for (unsigned steps = 0; at != 0 && steps < 48; steps++) {
            uint32_t head = svc_pci_read(*port, at);
            if ((head & 0xFF) == CAPABILITY_EXPRESS)
                return at;
            at = head >> 8 & 0xFC;
        }
    }
    return 0;
}

/* VFs share the card's bus only if the port above forwards to all 256 functions ("Alternative
 * Routing-ID Interpretation"); otherwise they take the next bus numbers. */
static bool ari_enable(const struct nicdrv *d)
{
    uint16_t port;
    unsigned at = port_capability(d, &port);
    if (at == 0 || !(svc_pci_read(port, at + DEVICE_CAPABILITIES_2) & ARI_FORWARDING))
        return false;
    svc_pci_write(port, at + DEVICE_CONTROL_2, svc_pci_read(port, at + DEVICE_CONTROL_2) | ARI_FORWARDING);
    return true;
}

void nicdrv_vfs_enable(struct nicdrv *d)
{
    if (d->mode != NICDRV_SRIOV)
        return;
    if (ari_enable(d)) /* before VF Enable: it decides where the VFs are */
        svc_pci_write(d->bdf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL,
                      sriov_read(d, I82599_SRIOV_CONTROL) | I82599_SRIOV_ARI);
    uint32_t numbers = sriov_read(d, I82599_SRIOV_NUM_VFS);
    svc_pci_write(d->bdf, I82599_CAP_SRIOV + I82599_SRIOV_NUM_VFS, (numbers & ~0xFFFFu) | d->vf_count);
    svc_pci_write(d->bdf, I82599_CAP_SRIOV + I82599_SRIOV_PAGE_SIZE, 1);
    uint32_t control = sriov_read(d, I82599_SRIOV_CONTROL);
    svc_pci_write(d->bdf, I82599_CAP_SRIOV + I82599_SRIOV_CONTROL,
                  control | I82599_SRIOV_VFE | I82599_SRIOV_MSE);
    d->vf_enabled_at = svc_now();
    nicdrv_write(d, I82599_PFMBIMR(0), 0xFFFFFFFF);
    nicdrv_write(d, I82599_PFMBIMR(1), 0xFFFFFFFF);
    nicdrv_change(d, I82599_CTRL_EXT, 0, I82599_CTRL_EXT_PFRSTD); /* releases the VFs from reset */
}

/* Until then its configuration space reads as all ones (a completion with retry status that the
 * root complex gives up on). */
static bool vf_ready(const struct nicdrv *d, uint16_t bdf)
{
    uint64_t until = d->vf_enabled_at + VF_SETTLE;
    do
        if ((svc_pci_read(bdf, I82599_CAP_MSIX) & 0xFF) == CAPABILITY_MSIX)
            return true;
    while (svc_now() < until);
    return false;
}

/* "Queue Drop Enable Register": a VF that gives no buffers must not hold the
 * packet buffer of everybody, unless the experiment trusts it with that. */
static void drop_when_empty(struct nicdrv *d, unsigned pool, bool drop)
{
    for (unsigned i = 0; i < NICDRV_QUEUES_PER_POOL; i++)
        nicdrv_write(d, I82599_QDE, I82599_QDE_WE | (pool * NICDRV_QUEUES_PER_POOL + i) << I82599_QDE_INDEX_SHIFT |
                     (drop ? I82599_QDE_ENABLE : 0));
}

bool nicdrv_vf_assign(unsigned child, const uint8_t mac[6], bool lossless, struct svc_vf *vf)
{
    struct nicdrv *d = nicdrv_state;
    if (!d->present || d->mode != NICDRV_SRIOV || child >= d->vf_count)
        return false;
    uint64_t registers = bar(d, I82599_SRIOV_BAR0), msix = bar(d, I82599_SRIOV_BAR3);
    if (registers == 0 || msix == 0) {
        svc_log("nicdrv: the firmware gave the virtual functions no addresses\n");
        return false;
    }
    uint32_t place = sriov_read(d, I82599_SRIOV_OFFSET);
    *vf = (struct svc_vf){
        .bdf = (uint16_t)(d->bdf + (place & 0xFFFF) + child * (place >> 16)),
        .bar_spa = { registers + (uint64_t)child * I82599_VF_BAR_SIZE, msix + (uint64_t)child * I82599_VF_BAR_SIZE },
        .bar_size = { I82599_VF_BAR_SIZE, I82599_VF_BAR_SIZE },
    };
    if (!vf_ready(d, vf->bdf)) {
        svc_log("nicdrv: virtual function %x does not answer\n", vf->bdf);
        return false;
    }
    d->vf[child] = (struct nicdrv_mailbox){
        .assigned = true, .link = d->link, .frame_max = d->mtu + NICDRV_FRAME_OVERHEAD,
    };
    bytes_copy(d->vf[child].mac, mac, sizeof d->vf[child].mac);
    nicdrv_address_set(d, 1 + child, mac, 1ull << d->our_pool);
    drop_when_empty(d, child, !lossless);
    /* The child has no configuration space: bus mastering and MSI-X are switched on for it. */
    svc_pci_write(vf->bdf, COMMAND, svc_pci_read(vf->bdf, COMMAND) | COMMAND_MASTER);
    uint32_t capability = svc_pci_read(vf->bdf, I82599_CAP_MSIX);
    svc_pci_write(vf->bdf, I82599_CAP_MSIX, (capability & ~(uint32_t)MSIX_MASK_ALL) | MSIX_ENABLE);
    return true;
}

void nicdrv_vf_steer(unsigned child, bool to_vf)
{
    struct nicdrv *d = nicdrv_state;
    struct nicdrv_mailbox *vf = &d->vf[child];
    if (!vf->assigned)
        return;
    nicdrv_write(d, I82599_VMOLR(child),
                 to_vf ? I82599_VMOLR_AUPE | I82599_VMOLR_BAM | I82599_VMOLR_MPE : 0);
    nicdrv_address_set(d, 1 + child, vf->mac, 1ull << (to_vf ? child : d->our_pool));
}

/* --- mailbox -------------------------------------------------------------------------------- */

static void send(struct nicdrv *d, unsigned vf, const uint32_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        nicdrv_write(d, I82599_PFMBMEM(vf * I82599_MAILBOX_DWORDS + i), words[i]);
    nicdrv_write(d, I82599_PFMAILBOX(vf), I82599_PFMAILBOX_STS);
}

static bool own(struct nicdrv *d, unsigned vf)
{
    nicdrv_write(d, I82599_PFMAILBOX(vf), I82599_PFMAILBOX_PFU);
    return nicdrv_read(d, I82599_PFMAILBOX(vf)) & I82599_PFMAILBOX_PFU;
}

static void request(struct nicdrv *d, unsigned vf)
{
    uint32_t message[I82599_MAILBOX_DWORDS];
    unsigned words;
    for (unsigned i = 0; i < I82599_MAILBOX_DWORDS; i++)
        message[i] = nicdrv_read(d, I82599_PFMBMEM(vf * I82599_MAILBOX_DWORDS + i));
    nicdrv_write(d, I82599_PFMAILBOX(vf), I82599_PFMAILBOX_ACK);
    if (nicdrv_mailbox_answer(&d->vf[vf], message, &words) == NICDRV_MAILBOX_ENABLE)
        nicdrv_pool_enable(d, vf, true);
    if (words == 0)
        return;
    if (!own(d, vf)) /* a VF that holds the buffer for ever only loses its own answers */
        nicdrv_write(d, I82599_PFMAILBOX(vf), I82599_PFMAILBOX_RVFU);
    send(d, vf, message, words);
}

/* A VF that was reset is silent until it asks again; what it asked before is gone. */
static void reset_of(struct nicdrv *d, unsigned vf, bool asked_since)
{
    nicdrv_pool_enable(d, vf, false);
    d->vf[vf].clear_to_send = false;
    for (unsigned i = 0; i < I82599_MAILBOX_DWORDS && !asked_since; i++)
        nicdrv_write(d, I82599_PFMBMEM(vf * I82599_MAILBOX_DWORDS + i), 0);
}

void nicdrv_vfs_event(struct nicdrv *d)
{
    for (unsigned vf = 0; vf < d->vf_count; vf++) {
        unsigned n = vf / VFS_PER_CAUSE, bit = vf % VFS_PER_CAUSE;
        uint32_t cause = nicdrv_read(d, I82599_PFMBICR(n)) & (0x10001u << bit);
        if (nicdrv_read(d, I82599_VFLRE(vf / 32)) & 1u << vf % 32) {
            nicdrv_write(d, I82599_VFLREC(vf / 32), 1u << vf % 32);
            reset_of(d, vf, cause & 1u << bit);
        }
        if (cause == 0)
            continue;
        nicdrv_write(d, I82599_PFMBICR(n), cause);
        if (cause & 1u << bit)
            request(d, vf);
    }
}

/* Tells running VFs that something changed: they look at the link. */
void nicdrv_vfs_ping(struct nicdrv *d)
{
    for (unsigned vf = 0; vf < d->vf_count; vf++) {
        uint32_t ping = I82599_MBX_PF_CONTROL | I82599_MBX_CTS;
        d->vf[vf].link = d->link;
        if (d->vf[vf].assigned && d->vf[vf].clear_to_send && own(d, vf))
            send(d, vf, &ping, 1);
    }
}
