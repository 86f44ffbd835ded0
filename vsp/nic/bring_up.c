/* From reset to running: the order of "Initialization and Reset Operation". */
#include "vsp/nic/nicdrv_priv.h"

enum {
    MS = 10000, /* [100 ns] */
    RX_BUFFER = 512 * 1024,
    TX_BUFFER = 160 * 1024,
    TX_THRESHOLD_KB = 0x96,
    HIGH_WATER = RX_BUFFER - 24 * 1024, /* room for what is on its way when the pause frame leaves */
    LOW_WATER = RX_BUFFER / 2,
    MRQC_VMDQ_64 = 8,
    MTQC_64_POOLS = 1,
    VT_MODE_64 = 3,
    LMS_10G_SERIAL = 3,
    PMA_SFI = 2,
    ADDRESSES = 128,
    CRC = 4,
};

bool nicdrv_wait(const struct nicdrv *d, uint32_t offset, uint32_t mask, uint32_t value, uint64_t limit)
{
    uint64_t until = svc_now() + limit;
    do
        if ((nicdrv_read(d, offset) & mask) == value)
            return true;
    while (svc_now() < until);
    return false;
}

static void pause_for(const struct nicdrv *d, uint64_t time)
{
    nicdrv_wait(d, I82599_STATUS, 0, 1, time); /* never true */
}

static bool reset(struct nicdrv *d)
{
    nicdrv_write(d, I82599_EIMC, 0x7FFFFFFF);
    nicdrv_change(d, I82599_CTRL, 0, I82599_CTRL_RST | I82599_CTRL_LRST);
    pause_for(d, 1 * MS);
    if (!nicdrv_wait(d, I82599_CTRL, I82599_CTRL_RST | I82599_CTRL_LRST, 0, 10 * MS))
        return false;
    pause_for(d, 10 * MS);
    nicdrv_write(d, I82599_EIMC, 0x7FFFFFFF);
    (void)nicdrv_read(d, I82599_EICR);
    return nicdrv_wait(d, I82599_EEC, I82599_EEC_ARD, I82599_EEC_ARD, 1000 * MS) &&
           nicdrv_wait(d, I82599_RDRXCTL, I82599_RDRXCTL_DMAIDONE, I82599_RDRXCTL_DMAIDONE, 1000 * MS);
}

/* Tables whose contents are undefined after a reset. */
static void clear_tables(struct nicdrv *d)
{
    for (unsigned i = 0; i < 128; i++) {
        nicdrv_write(d, I82599_MTA(i), 0);
        nicdrv_write(d, I82599_UTA(i), 0);
        nicdrv_write(d, I82599_VFTA(i), 0);
        nicdrv_write(d, I82599_FTQF(i), 0);
        nicdrv_write(d, I82599_VLVFB(i), 0);
        nicdrv_write(d, I82599_MPSAR_LO(i), 0);
        nicdrv_write(d, I82599_MPSAR_HI(i), 0);
    }
    for (unsigned i = 0; i < 64; i++)
        nicdrv_write(d, I82599_VLVF(i), 0);
    for (unsigned i = 1; i < ADDRESSES; i++)
        nicdrv_address_clear(d, i);
}

static void link_up(struct nicdrv *d)
{
    uint32_t autoc = nicdrv_read(d, I82599_AUTOC);
    if ((autoc & I82599_AUTOC_LMS_MASK) != LMS_10G_SERIAL << I82599_AUTOC_LMS_SHIFT) {
        nicdrv_change(d, I82599_AUTOC2, I82599_AUTOC2_PMA_10G_SERIAL_MASK,
                      PMA_SFI << I82599_AUTOC2_PMA_10G_SERIAL_SHIFT);
        nicdrv_write(d, I82599_AUTOC, (autoc & ~I82599_AUTOC_LMS_MASK) |
                                          LMS_10G_SERIAL << I82599_AUTOC_LMS_SHIFT | I82599_AUTOC_AN_RESTART);
    }
    nicdrv_change(d, I82599_ESDP, I82599_ESDP_SDP3, I82599_ESDP_SDP3 << 8); /* laser on: pin 3 is an output, low */
    nicdrv_change(d, I82599_CTRL_EXT, 0, I82599_CTRL_EXT_NS_DIS | I82599_CTRL_EXT_DRV_LOAD);
}

/* "Flow Control": pause frames above the high-water mark, obeyed when received. */
static void flow_control(struct nicdrv *d)
{
    for (unsigned i = 0; i < 4; i++)
        nicdrv_write(d, I82599_FCTTV(i), 0xFFFFFFFF);
    nicdrv_write(d, I82599_FCRTV, 0x7FFF);
    nicdrv_write(d, I82599_FCRTL(0), d->lossless ? LOW_WATER | I82599_FCRTL_XONE : 0);
    nicdrv_write(d, I82599_FCRTH(0), HIGH_WATER | (d->lossless ? I82599_FCRTH_FCEN : 0));
    nicdrv_change(d, I82599_MFLCN, 0, d->lossless ? I82599_MFLCN_RFCE | I82599_MFLCN_DPF : 0);
    nicdrv_write(d, I82599_FCCFG, d->lossless ? I82599_FCCFG_TFCE_8023X : 0);
}

/* The switch is behind us: every address, every group. */
static void filters(struct nicdrv *d)
{
    nicdrv_change(d, I82599_FCTRL, I82599_FCTRL_SBP,
                  I82599_FCTRL_BAM | I82599_FCTRL_MPE | I82599_FCTRL_UPE);
    nicdrv_change(d, I82599_VLNCTRL, I82599_VLNCTRL_VFE, 0);
    nicdrv_write(d, I82599_MCSTCTRL, 0);
}

static void receive_unit(struct nicdrv *d)
{
    nicdrv_change(d, I82599_RXCTRL, I82599_RXCTRL_RXEN, 0);
    nicdrv_write(d, I82599_RXPBSIZE(0), RX_BUFFER);
    for (unsigned i = 1; i < 8; i++)
        nicdrv_write(d, I82599_RXPBSIZE(i), 0);
    bool jumbo = d->mtu > 1500;
    nicdrv_change(d, I82599_HLREG0, 0,
                  I82599_HLREG0_RXCRCSTRP | I82599_HLREG0_TXCRCEN | I82599_HLREG0_TXPADEN |
                      (jumbo ? I82599_HLREG0_JUMBOEN : 0));
    nicdrv_write(d, I82599_MAXFRS, (d->mtu + 14 + CRC) << I82599_MAXFRS_MFS_SHIFT);
    nicdrv_change(d, I82599_RDRXCTL, I82599_RDRXCTL_RSCFRSTSIZE_MASK, I82599_RDRXCTL_CRCSTRIP);
    filters(d);
    flow_control(d);
    nicdrv_write(d, I82599_MRQC, d->mode == NICDRV_PLAIN ? 0 : MRQC_VMDQ_64);
}

static void transmit_unit(struct nicdrv *d)
{
    nicdrv_write(d, I82599_DTXMXSZRQ, 0xFFF);
    nicdrv_change(d, I82599_RTTDCS, 0, I82599_RTTDCS_ARBDIS); /* MTQC is written only while the arbiter rests */
    nicdrv_write(d, I82599_MTQC, d->mode == NICDRV_PLAIN
                                     ? 0 : I82599_MTQC_VT_ENA | MTQC_64_POOLS << I82599_MTQC_NUM_TC_OR_Q_SHIFT);
    nicdrv_change(d, I82599_RTTDCS, I82599_RTTDCS_ARBDIS, 0);
    nicdrv_write(d, I82599_TXPBSIZE(0), TX_BUFFER);
    nicdrv_write(d, I82599_TXPBTHRESH(0), TX_THRESHOLD_KB);
    for (unsigned i = 1; i < 8; i++) {
        nicdrv_write(d, I82599_TXPBSIZE(i), 0);
        nicdrv_write(d, I82599_TXPBTHRESH(i), 0);
    }
    nicdrv_change(d, I82599_DMATXCTL, 0, I82599_DMATXCTL_TE);
}

/* "Virtualization": pools, our pool as the default one, the card's own switch. */
static void virtualization(struct nicdrv *d)
{
    if (d->mode == NICDRV_PLAIN)
        return;
    if (d->mode == NICDRV_SRIOV)
        nicdrv_change(d, I82599_GCR_EXT, I82599_GCR_EXT_VT_MODE_MASK, VT_MODE_64);
    nicdrv_write(d, I82599_VT_CTL, I82599_VT_CTL_VT_ENA | I82599_VT_CTL_REPLEN |
                                       d->our_pool << I82599_VT_CTL_DEF_PL_SHIFT);
    nicdrv_write(d, I82599_VFRE(0), 0);
    nicdrv_write(d, I82599_VFRE(1), 0);
    nicdrv_write(d, I82599_VFTE(0), 0);
    nicdrv_write(d, I82599_VFTE(1), 0);
    nicdrv_pool_enable(d, d->our_pool, true);
    for (unsigned i = 0; i < I82599_POOLS; i++)
        nicdrv_write(d, I82599_VMOLR(i), 0);
    for (unsigned i = 0; i < 8; i++) /* a child's pool sends with the child's address only */
        nicdrv_write(d, I82599_PFVFSPOOF(i), 0xFF);
    nicdrv_change(d, I82599_PFVFSPOOF(d->our_pool / 8), 1u << d->our_pool % 8, 0);
    nicdrv_write(d, I82599_PFDTXGSWC, I82599_PFDTXGSWC_LBE);
    nicdrv_pools_update(d);
}

void nicdrv_pools_update(struct nicdrv *d)
{
    if (d->present && d->mode != NICDRV_PLAIN)
        nicdrv_write(d, I82599_VMOLR(d->our_pool),
                     I82599_VMOLR_AUPE | (d->multicast ? I82599_VMOLR_BAM | I82599_VMOLR_MPE : 0));
}

void nicdrv_address_set(struct nicdrv *d, unsigned entry, const uint8_t mac[6], uint64_t pools)
{
    nicdrv_write(d, I82599_MPSAR_LO(entry), (uint32_t)pools);
    nicdrv_write(d, I82599_MPSAR_HI(entry), (uint32_t)(pools >> 32));
    nicdrv_write(d, I82599_RAL(entry), load32(mac));
    nicdrv_write(d, I82599_RAH(entry), I82599_RAH_AV | mac[4] | (uint32_t)mac[5] << 8);
}

void nicdrv_address_clear(struct nicdrv *d, unsigned entry)
{
    nicdrv_write(d, I82599_RAH(entry), 0);
    nicdrv_write(d, I82599_RAL(entry), 0);
    nicdrv_write(d, I82599_MPSAR_LO(entry), 0);
    nicdrv_write(d, I82599_MPSAR_HI(entry), 0);
}

void nicdrv_pool_enable(struct nicdrv *d, unsigned pool, bool on)
{
    uint32_t bit = 1u << pool % 32;
    nicdrv_change(d, I82599_VFRE(pool / 32), bit, on ? bit : 0);
    nicdrv_change(d, I82599_VFTE(pool / 32), bit, on ? bit : 0);
}

bool nicdrv_bring_up(struct nicdrv *d)
{
    if (!reset(d))
        return false;
    clear_tables(d);
    link_up(d);
    receive_unit(d);
    transmit_unit(d);
    virtualization(d);
    unsigned queue = d->our_pool * NICDRV_QUEUES_PER_POOL;
    nicdrv_rxq_prepare(&d->rx, queue, d->mtu > 1500 ? NICDRV_RX_SIZE_JUMBO : NICDRV_RX_SIZE);
    nicdrv_txq_prepare(&d->tx, queue, NICDRV_VECTOR_TX, NICDRV_TX_SIZE);
    d->rx.lossless = d->lossless;
    nicdrv_rxq_start(d, &d->rx);
    nicdrv_txq_start(d, &d->tx);
    nicdrv_rx_buffers(d);
    return true;
}
