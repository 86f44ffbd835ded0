/* Register rows and the rules behind them.
 *
 * spec/nic/registers.tbl says where a register is, how it may be accessed and
 * what it is after reset.  A row flagged r or w has a rule: a function in the
 * file of its noun, declared here and joined in regs.c.  A read rule returns
 * the value; a write rule gets the value with unwritable bits already as they
 * were, and stores it (or not).
 */
#ifndef NIC_MODEL_REGS_H
#define NIC_MODEL_REGS_H

#include "nic-model/nic_priv.h"

enum nic_row {
#define REGISTER(name, ...) NIC_ROW_##name,
#include "nic-model/registers_rows.inc"
    NIC_ROW_COUNT
};

typedef uint32_t nic_read_rule(struct nic *, unsigned index);
typedef void nic_write_rule(struct nic *, unsigned index, uint32_t value);

/* pf.c */
nic_write_rule pf_ctrl_write, pf_ctrl_ext_write;
nic_read_rule pf_status_read, pf_frtimer_read;
/* eeprom.c */
nic_read_rule eeprom_swsm_read;
nic_write_rule eeprom_eec_write, eeprom_eerd_write, eeprom_swsm_write;
/* link.c */
nic_read_rule link_esdp_read, link_i2cctl_read, link_links_read;
nic_write_rule link_esdp_write, link_i2cctl_write, link_msca_write, link_autoc_write;
/* interrupts.c */
nic_read_rule interrupts_eicr_read, interrupts_eics_read, interrupts_eims_read, interrupts_eiam_read,
    interrupts_eicr_ex_read, interrupts_eics_ex_read, interrupts_eims_ex_read, interrupts_eiam_ex_read,
    interrupts_eitr_read;
nic_write_rule interrupts_eicr_write, interrupts_eics_write, interrupts_eims_write, interrupts_eimc_write,
    interrupts_eiam_write, interrupts_eicr_ex_write, interrupts_eics_ex_write, interrupts_eims_ex_write,
    interrupts_eimc_ex_write, interrupts_eiam_ex_write, interrupts_eitr_write, interrupts_gpie_write,
    interrupts_pbacl_write;
/* mailbox.c */
nic_read_rule mailbox_pf_read;
nic_write_rule mailbox_pf_write, mailbox_vflrec_write;
/* rx.c */
nic_read_rule rx_qde_read;
nic_write_rule rx_rdh_write, rx_rdt_write, rx_rxdctl_write, rx_srrctl_write, rx_rxctrl_write, rx_qde_write;
/* tx.c */
nic_write_rule tx_tdh_write, tx_tdt_write, tx_txdctl_write, tx_dmatxctl_write, tx_mtqc_write, tx_vfte_write;
/* wire.c */
nic_write_rule wire_fcrtl_write, wire_fcrth_write, wire_fccfg_write;
/* unoffered.c */
nic_write_rule unoffered_tcptimer, unoffered_vlnctrl, unoffered_eewr, unoffered_etqf, unoffered_mrqc, unoffered_ftqf,
    unoffered_synqf, unoffered_fcrectl, unoffered_tsyncrx, unoffered_tsynctx, unoffered_fdirctrl, unoffered_fdircmd,
    unoffered_rttbcnrc, unoffered_mrctl;

#endif
