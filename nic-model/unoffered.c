/* Features of the 82599 that the model does not have.
 *
 * Registers hold what is written, so probing and dumps work; turning such a
 * feature on stops the run with a message, because silence would be a wrong
 * result.  Switching it off, or filling its tables, is fine.
 */
#include "nic-model/regs.h"

static void
store_or_stop(struct nic *nic, uint32_t offset, uint32_t value, bool wanted, const char *what)
{
    reg_set(nic, offset, value);
    if (wanted) {
        nic_unoffered(nic, offset, what);
    }
}

void
unoffered_tcptimer(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_TCPTIMER, value, value & 1u << 8, "TCP timer (TCPTIMER.KickStart)");
}

void
unoffered_eewr(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_EEWR, value, value & 1, "writing the EEPROM");
}

void
unoffered_vlnctrl(struct nic *nic, unsigned index, uint32_t value)
{
    enum { VET_8021Q = 0x8100 };
    (void)index;
    uint32_t vet = value & I82599_VLNCTRL_VET_MASK;
    store_or_stop(nic, I82599_VLNCTRL, value, value & I82599_VLNCTRL_VFE && vet != VET_8021Q,
                  "VLAN filter with a tag type other than 0x8100 (VLNCTRL.VET)");
}

void
unoffered_etqf(struct nic *nic, unsigned index, uint32_t value)
{
    bool is_special = value & I82599_ETQF_EN && value & (I82599_ETQF_FCOE | I82599_ETQF_TS1588);
    store_or_stop(nic, I82599_ETQF(index), value, is_special, "FCoE or 1588 EtherType filter");
}

void
unoffered_mrqc(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    unsigned mode = value & I82599_MRQC_MRQE_MASK;
    bool is_offered = mode == 0 || mode == 1 || mode == 8 || mode == 0xA || mode == 0xB;
    store_or_stop(nic, I82599_MRQC, value, !is_offered, "DCB receive queue mode (MRQC.MRQE)");
}

void
unoffered_ftqf(struct nic *nic, unsigned index, uint32_t value)
{
    store_or_stop(nic, I82599_FTQF(index), value, value & I82599_FTQF_EN, "5-tuple filter");
}

void
unoffered_synqf(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_SYNQF, value, value & I82599_SYNQF_EN, "SYN filter");
}

void
unoffered_fcrectl(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_FCRECTL, value, value & 1, "FCoE redirection");
}

void
unoffered_tsyncrx(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_TSYNCRXCTL, value, value & 1u << 4, "1588 receive time stamps");
}

void
unoffered_tsynctx(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_TSYNCTXCTL, value, value & 1u << 4, "1588 transmit time stamps");
}

/* A signature filter that never matches is legal (flows fall back to RSS), so
 * only perfect filters stop the run. */
void
unoffered_fdirctrl(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_FDIRCTRL, value | I82599_FDIRCTRL_INIT_DONE, value & I82599_FDIRCTRL_PERFECT,
                  "Flow Director perfect filters");
}

void
unoffered_fdircmd(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_FDIRCMD, value & ~3u); /* the command completes at once */
}

void
unoffered_rttbcnrc(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    store_or_stop(nic, I82599_RTTBCNRC, value, value & I82599_RTTBCNRC_RS_ENA, "transmit rate limiter");
}

void
unoffered_mrctl(struct nic *nic, unsigned index, uint32_t value)
{
    store_or_stop(nic, I82599_MRCTL(index), value, value & 0xF, "mirror rule");
}
