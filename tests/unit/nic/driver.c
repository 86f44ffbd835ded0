/* The test driver; see bench.h. */
#include "bench.h"

#include <string.h>

enum { RESET_WAIT_NS = 1000000, RX_HEADROOM = 0x6000 };

void
driver_init(struct bench *b)
{
    pf_write(b, I82599_EIMC, 0x7FFFFFFF);
    pf_set(b, I82599_CTRL, I82599_CTRL_RST);
    bench_run(b, machine_ns_to_cycles(RESET_WAIT_NS));
    assert_int_equal(pf_read(b, I82599_CTRL) & (I82599_CTRL_RST | I82599_CTRL_LRST), 0);
    pf_write(b, I82599_EIMC, 0x7FFFFFFF);
    (void)pf_read(b, I82599_EICR);
    assert_true(pf_read(b, I82599_EEC) & I82599_EEC_ARD);
    assert_true(pf_read(b, I82599_RDRXCTL) & I82599_RDRXCTL_DMAIDONE);
    pf_set(b, I82599_CTRL_EXT, I82599_CTRL_EXT_NS_DIS | I82599_CTRL_EXT_DRV_LOAD);
    pf_write(b, I82599_RXCTRL, 0);
    pf_write(b, I82599_RXPBSIZE(0), 0x80000);
    pf_set(b, I82599_HLREG0, I82599_HLREG0_RXCRCSTRP | I82599_HLREG0_TXPADEN | I82599_HLREG0_TXCRCEN);
    pf_write(b, I82599_RDRXCTL, I82599_RDRXCTL_CRCSTRIP);
    pf_write(b, I82599_FCTRL, I82599_FCTRL_BAM);
    pf_write(b, I82599_RXCSUM, I82599_RXCSUM_PCSD);
    pf_write(b, I82599_DTXMXSZRQ, 0xFFFF);
    pf_set(b, I82599_RTTDCS, I82599_RTTDCS_ARBDIS);
    pf_write(b, I82599_MTQC, 0);
    pf_write(b, I82599_RTTDCS, pf_read(b, I82599_RTTDCS) & ~I82599_RTTDCS_ARBDIS);
    pf_set(b, I82599_DMATXCTL, I82599_DMATXCTL_TE);
    pf_write(b, I82599_RXCTRL, I82599_RXCTRL_RXEN);
    assert_true(pf_read(b, I82599_LINKS) & I82599_LINKS_UP);
}

void
driver_vmdq(struct bench *b, unsigned pools)
{
    pf_set(b, I82599_RTTDCS, I82599_RTTDCS_ARBDIS);
    pf_write(b, I82599_MTQC, I82599_MTQC_VT_ENA | (pools == 64 ? 1u : 2u) << I82599_MTQC_NUM_TC_OR_Q_SHIFT);
    pf_write(b, I82599_RTTDCS, pf_read(b, I82599_RTTDCS) & ~I82599_RTTDCS_ARBDIS);
    pf_write(b, I82599_MRQC, pools == 64 ? 8 : 0xA);
    pf_write(b, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | I82599_VT_CTL_REPLEN);
    for (unsigned i = 0; i < 2; i++) {
        pf_write(b, I82599_VFRE(i), 0xFFFFFFFF);
        pf_write(b, I82599_VFTE(i), 0xFFFFFFFF);
    }
    for (unsigned p = 0; p < pools; p++) {
        pf_write(b, I82599_VMOLR(p), I82599_VMOLR_AUPE | I82599_VMOLR_BAM);
    }
    pf_write(b, I82599_GCR_EXT, pools == 64 ? 3 : 2);
}

static void
reg_write(struct bench *b, const struct ring *r, uint32_t pf_offset, uint32_t vf_offset, uint32_t value)
{
    if (r->vf < 0) {
        pf_write(b, pf_offset, value);
    } else {
        vf_write(b, (unsigned)r->vf, vf_offset, value);
    }
}

static uint32_t
reg_read(struct bench *b, const struct ring *r, uint32_t pf_offset, uint32_t vf_offset)
{
    return r->vf < 0 ? pf_read(b, pf_offset) : vf_read(b, (unsigned)r->vf, vf_offset);
}

static void
ring_alloc(struct bench *b, struct ring *r, int vf, unsigned queue, uint32_t size)
{
    *r = (struct ring){ .vf = vf, .queue = queue, .size = size };
    r->base = bench_alloc(b, (uint64_t)size * I82599_DESC_SIZE);
    r->buffers = bench_alloc(b, (uint64_t)size * BUFFER_SIZE);
}

void
driver_rx(struct bench *b, struct ring *r, int vf, unsigned q, uint32_t size, uint32_t srrctl)
{
    ring_alloc(b, r, vf, q, size);
    reg_write(b, r, I82599_RXDCTL(q), I82599_VFRXDCTL(q), 0);
    reg_write(b, r, I82599_RDBAL(q), I82599_VFRDBAL(q), (uint32_t)r->base);
    reg_write(b, r, I82599_RDBAH(q), I82599_VFRDBAH(q), (uint32_t)(r->base >> 32));
    reg_write(b, r, I82599_RDLEN(q), I82599_VFRDLEN(q), size * I82599_DESC_SIZE);
    reg_write(b, r, I82599_RDH(q), I82599_VFRDH(q), 0);
    reg_write(b, r, I82599_RDT(q), I82599_VFRDT(q), 0);
    reg_write(b, r, I82599_SRRCTL(q), I82599_VFSRRCTL(q), srrctl);
    reg_write(b, r, I82599_RXDCTL(q), I82599_VFRXDCTL(q), I82599_RXDCTL_EN);
    assert_true(reg_read(b, r, I82599_RXDCTL(q), I82599_VFRXDCTL(q)) & I82599_RXDCTL_EN);
    driver_rx_give(b, r, size - 1);
}

void
driver_rx_give(struct bench *b, struct ring *r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct i82599_desc d = { r->buffers + (uint64_t)r->tail * BUFFER_SIZE, 0 };
        memcpy(bench_ram(b, r->base + (uint64_t)r->tail * I82599_DESC_SIZE), &d, sizeof d);
        r->tail = (r->tail + 1) % r->size;
    }
    reg_write(b, r, I82599_RDT(r->queue), I82599_VFRDT(r->queue), r->tail);
}

void
driver_tx(struct bench *b, struct ring *r, int vf, unsigned q, uint32_t size)
{
    ring_alloc(b, r, vf, q, size);
    reg_write(b, r, I82599_TXDCTL(q), I82599_VFTXDCTL(q), 0);
    reg_write(b, r, I82599_TDBAL(q), I82599_VFTDBAL(q), (uint32_t)r->base);
    reg_write(b, r, I82599_TDBAH(q), I82599_VFTDBAH(q), (uint32_t)(r->base >> 32));
    reg_write(b, r, I82599_TDLEN(q), I82599_VFTDLEN(q), size * I82599_DESC_SIZE);
    reg_write(b, r, I82599_TDH(q), I82599_VFTDH(q), 0);
    reg_write(b, r, I82599_TDT(q), I82599_VFTDT(q), 0);
    reg_write(b, r, I82599_TXDCTL(q), I82599_VFTXDCTL(q), I82599_TXDCTL_EN | 32);
    assert_true(reg_read(b, r, I82599_TXDCTL(q), I82599_VFTXDCTL(q)) & I82599_TXDCTL_EN);
}

void
driver_post(struct bench *b, struct ring *r, uint64_t lo, uint64_t hi)
{
    struct i82599_desc d = { lo, hi };
    memcpy(bench_ram(b, r->base + (uint64_t)r->tail * I82599_DESC_SIZE), &d, sizeof d);
    r->tail = (r->tail + 1) % r->size;
}

void
driver_ring_bell(struct bench *b, struct ring *r)
{
    reg_write(b, r, I82599_TDT(r->queue), I82599_VFTDT(r->queue), r->tail);
}

/* One descriptor per BUFFER_SIZE; 'flags' go to every data descriptor. */
void
driver_send(struct bench *b, struct ring *r, const uint8_t *frame, size_t size, uint64_t flags)
{
    for (size_t done = 0; done < size;) {
        size_t n = size - done < BUFFER_SIZE ? size - done : BUFFER_SIZE;
        uint64_t at = r->buffers + (uint64_t)r->tail * BUFFER_SIZE;
        memcpy(bench_ram(b, at), frame + done, n);
        done += n;
        uint64_t hi = n | I82599_TXD_DTYP_DATA | I82599_TXD_DEXT | I82599_TXD_IFCS | flags;
        if (!(flags & I82599_TXD_TSE)) {
            hi |= (uint64_t)size << I82599_TXD_PAYLEN_SHIFT;
        }
        hi |= done == size ? I82599_TXD_EOP | I82599_TXD_RS : 0;
        driver_post(b, r, at, hi);
    }
    driver_ring_bell(b, r);
}

struct i82599_desc
driver_desc(struct bench *b, const struct ring *r, uint32_t index)
{
    struct i82599_desc d;
    memcpy(&d, bench_ram(b, r->base + (uint64_t)index * I82599_DESC_SIZE), sizeof d);
    return d;
}

size_t
driver_poll(struct bench *b, struct ring *r, uint8_t *to, struct i82599_desc *last)
{
    size_t size = 0;
    for (;;) {
        struct i82599_desc d = driver_desc(b, r, r->next);
        if (!(d.hi & I82599_RXD_DD)) {
            return 0;
        }
        size_t n = d.hi >> I82599_RXD_LENGTH_SHIFT & 0xFFFF;
        memcpy(to + size, bench_ram(b, r->buffers + (uint64_t)r->next * BUFFER_SIZE), n);
        size += n;
        memset(bench_ram(b, r->base + (uint64_t)r->next * I82599_DESC_SIZE), 0, I82599_DESC_SIZE);
        r->next = (r->next + 1) % r->size;
        if (d.hi & I82599_RXD_EOP) {
            if (last) {
                *last = d;
            }
            return size;
        }
    }
}

void
driver_set_rar(struct bench *b, unsigned n, const uint8_t *mac, uint64_t pools)
{
    pf_write(b, I82599_RAL(n), (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24);
    pf_write(b, I82599_RAH(n), (uint32_t)mac[4] | (uint32_t)mac[5] << 8 | I82599_RAH_AV);
    pf_write(b, I82599_MPSAR_LO(n), (uint32_t)pools);
    pf_write(b, I82599_MPSAR_HI(n), (uint32_t)(pools >> 32));
}

void
driver_sriov(struct bench *b, unsigned count)
{
    struct pci *pci = b->machine.pci;
    unsigned cap = I82599_CAP_SRIOV;
    pci_config_write(pci, BDF_CARD, cap + I82599_SRIOV_CONTROL, 2, I82599_SRIOV_ARI);
    pci_config_write(pci, BDF_CARD, cap + I82599_SRIOV_NUM_VFS, 2, count);
    pci_config_write(pci, BDF_CARD, cap + I82599_SRIOV_CONTROL, 2, I82599_SRIOV_ARI | I82599_SRIOV_VFE | I82599_SRIOV_MSE);
    driver_vmdq(b, 64);
    pf_write(b, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | I82599_VT_CTL_REPLEN | count << I82599_VT_CTL_DEF_PL_SHIFT);
    for (unsigned i = 0; i < 2; i++) {
        pf_write(b, I82599_VFRE(i), count / 32 == i ? 1u << count % 32 : 0);
        pf_write(b, I82599_VFTE(i), count / 32 == i ? 1u << count % 32 : 0);
    }
    pf_write(b, I82599_GPIE, I82599_GPIE_MSIX | I82599_GPIE_PBA | I82599_GPIE_EIAME | I82599_GPIE_OCD | 3u << 14);
    pf_write(b, I82599_IVAR_MISC, 0x8100); /* other causes: vector 1 */
    pf_write(b, I82599_EIMS, I82599_EICR_MAILBOX);
    pf_set(b, I82599_CTRL_EXT, I82599_CTRL_EXT_PFRSTD);
    driver_set_rar(b, 0, bench_mac, 1ull << count);
}

void
vf_mac(uint8_t *mac, unsigned v)
{
    memcpy(mac, (const uint8_t[]){ 0x02, 0, 0, 0, 1, 0 }, 6);
    mac[5] = (uint8_t)v;
}

void
driver_vf_enable(struct bench *b, unsigned v)
{
    uint8_t mac[6];
    vf_mac(mac, v);
    pci_config_write(b->machine.pci, (uint16_t)(BDF_CARD + I82599_SRIOV_OFFSET_ARI + 2 * v), PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    driver_set_rar(b, v + 1, mac, 1ull << v);
    pf_set(b, I82599_VFRE(v / 32), 1u << v % 32);
    pf_set(b, I82599_VFTE(v / 32), 1u << v % 32);
}

int
driver_setup(void **state)
{
    struct bench *b = bench_new();
    driver_init(b);
    *state = b;
    return 0;
}
