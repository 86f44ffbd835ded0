/* BAR0: decoding of register accesses; see regs.h. */
#include "nic-model/regs.h"

#include <assert.h>
#include <string.h>

enum access { RW, RO, WO, RC, W1C };

struct row {
    const char *name;
    uint8_t access, has_read, has_write, kept;
    uint32_t reset, mask;
    int reset_index; /* only this element has 'reset'; -1: all */
    unsigned count;
};

static const struct row rows[NIC_ROW_COUNT] = {
#define REGISTER(name, access, r, w, k, reset, index, mask, count)                                                   \
    [NIC_ROW_##name] = { #name, access, r, w, k, reset, mask, index, count },
#include "nic-model/registers_rows.inc"
};

static const struct range {
    uint16_t row;
    uint32_t base, stride;
    uint16_t first, last;
    bool is_alias;
} ranges[] = {
#define RANGE(name, base, stride, first, last, alias) { NIC_ROW_##name, base, stride, first, last, alias },
#include "nic-model/registers_rows.inc"
};

static const struct rule {
    nic_read_rule *read;
    nic_write_rule *write;
} rules[NIC_ROW_COUNT] = {
    [NIC_ROW_CTRL] = { NULL, pf_ctrl_write },
    [NIC_ROW_STATUS] = { pf_status_read, NULL },
    [NIC_ROW_CTRL_EXT] = { NULL, pf_ctrl_ext_write },
    [NIC_ROW_ESDP] = { link_esdp_read, link_esdp_write },
    [NIC_ROW_I2CCTL] = { link_i2cctl_read, link_i2cctl_write },
    [NIC_ROW_FRTIMER] = { pf_frtimer_read, NULL },
    [NIC_ROW_TCPTIMER] = { NULL, unoffered_tcptimer },
    [NIC_ROW_EEC] = { NULL, eeprom_eec_write },
    [NIC_ROW_EERD] = { NULL, eeprom_eerd_write },
    [NIC_ROW_EEWR] = { NULL, unoffered_eewr },
    [NIC_ROW_SWSM] = { eeprom_swsm_read, eeprom_swsm_write },
    [NIC_ROW_PBACL] = { NULL, interrupts_pbacl_write },
    [NIC_ROW_EICR] = { interrupts_eicr_read, interrupts_eicr_write },
    [NIC_ROW_EICS] = { interrupts_eics_read, interrupts_eics_write },
    [NIC_ROW_EIMS] = { interrupts_eims_read, interrupts_eims_write },
    [NIC_ROW_EIMC] = { interrupts_eims_read, interrupts_eimc_write },
    [NIC_ROW_EIAM] = { interrupts_eiam_read, interrupts_eiam_write },
    [NIC_ROW_EICR_EX] = { interrupts_eicr_ex_read, interrupts_eicr_ex_write },
    [NIC_ROW_EICS_EX] = { interrupts_eics_ex_read, interrupts_eics_ex_write },
    [NIC_ROW_EIMS_EX] = { interrupts_eims_ex_read, interrupts_eims_ex_write },
    [NIC_ROW_EIMC_EX] = { interrupts_eims_ex_read, interrupts_eimc_ex_write },
    [NIC_ROW_EIAM_EX] = { interrupts_eiam_ex_read, interrupts_eiam_ex_write },
    [NIC_ROW_EITR] = { interrupts_eitr_read, interrupts_eitr_write },
    [NIC_ROW_GPIE] = { NULL, interrupts_gpie_write },
    [NIC_ROW_VFLREC] = { NULL, mailbox_vflrec_write },
    [NIC_ROW_PFMAILBOX] = { mailbox_pf_read, mailbox_pf_write },
    [NIC_ROW_MSCA] = { NULL, link_msca_write },
    [NIC_ROW_AUTOC] = { NULL, link_autoc_write },
    [NIC_ROW_LINKS] = { link_links_read, NULL },
    [NIC_ROW_FCRTL] = { NULL, wire_fcrtl_write },
    [NIC_ROW_FCRTH] = { NULL, wire_fcrth_write },
    [NIC_ROW_FCCFG] = { NULL, wire_fccfg_write },
    [NIC_ROW_RDH] = { NULL, rx_rdh_write },
    [NIC_ROW_SRRCTL] = { NULL, rx_srrctl_write },
    [NIC_ROW_RDT] = { NULL, rx_rdt_write },
    [NIC_ROW_RXDCTL] = { NULL, rx_rxdctl_write },
    [NIC_ROW_QDE] = { rx_qde_read, rx_qde_write },
    [NIC_ROW_RXCTRL] = { NULL, rx_rxctrl_write },
    [NIC_ROW_VLNCTRL] = { NULL, unoffered_vlnctrl },
    [NIC_ROW_ETQF] = { NULL, unoffered_etqf },
    [NIC_ROW_MRQC] = { NULL, unoffered_mrqc },
    [NIC_ROW_FTQF] = { NULL, unoffered_ftqf },
    [NIC_ROW_SYNQF] = { NULL, unoffered_synqf },
    [NIC_ROW_FCRECTL] = { NULL, unoffered_fcrectl },
    [NIC_ROW_TSYNCRXCTL] = { NULL, unoffered_tsyncrx },
    [NIC_ROW_TSYNCTXCTL] = { NULL, unoffered_tsynctx },
    [NIC_ROW_FDIRCTRL] = { NULL, unoffered_fdirctrl },
    [NIC_ROW_FDIRCMD] = { NULL, unoffered_fdircmd },
    [NIC_ROW_TDH] = { NULL, tx_tdh_write },
    [NIC_ROW_TDT] = { NULL, tx_tdt_write },
    [NIC_ROW_TXDCTL] = { NULL, tx_txdctl_write },
    [NIC_ROW_DMATXCTL] = { NULL, tx_dmatxctl_write },
    [NIC_ROW_MTQC] = { NULL, tx_mtqc_write },
    [NIC_ROW_VFTE] = { NULL, tx_vfte_write },
    [NIC_ROW_RTTBCNRC] = { NULL, unoffered_rttbcnrc },
    [NIC_ROW_MRCTL] = { NULL, unoffered_mrctl },
};

static uint32_t
range_offset(const struct range *r, unsigned index)
{
    return r->base + r->stride * (index - r->first);
}

static uint32_t
canonical_offset(unsigned row, unsigned index)
{
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *r = &ranges[i];
        if (r->row == row && !r->is_alias && index >= r->first && index <= r->last) {
            return range_offset(r, index);
        }
    }
    assert(!"an alias names an element that exists");
    return 0;
}

void
regs_init(struct nic *nic)
{
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        for (unsigned n = ranges[i].first; n <= ranges[i].last; n++) {
            uint32_t dword = range_offset(&ranges[i], n) / 4;
            nic->row_of[dword] = (uint16_t)(ranges[i].row + 1);
            nic->element_of[dword] = (uint16_t)n;
            nic->canonical[dword] =
                (uint16_t)(ranges[i].is_alias ? canonical_offset(ranges[i].row, n) / 4 : dword);
        }
    }
    for (unsigned i = 0; i < NIC_ROW_COUNT; i++) {
        assert((rules[i].read != NULL) == rows[i].has_read);
        assert((rules[i].write != NULL) == rows[i].has_write);
    }
}

void
regs_reset(struct nic *nic, bool is_power_good)
{
    for (uint32_t dword = 0; dword < NIC_CSRS; dword++) {
        if (!nic->row_of[dword] || nic->canonical[dword] != dword) {
            continue;
        }
        const struct row *row = &rows[nic->row_of[dword] - 1];
        if (row->kept && !is_power_good) {
            continue;
        }
        bool has_value = row->reset_index < 0 || row->reset_index == nic->element_of[dword];
        nic->csr[dword] = has_value ? row->reset : 0;
    }
}

bool
regs_known(const struct nic *nic, uint32_t offset)
{
    return offset < I82599_CSR_SIZE && nic->row_of[offset / 4] != 0;
}

uint32_t
regs_read_dword(struct nic *nic, uint32_t offset)
{
    if (!regs_known(nic, offset)) {
        nic_guest_error(nic, NIC_ERROR_UNKNOWN_REGISTER, offset);
        return 0;
    }
    unsigned row = nic->row_of[offset / 4] - 1u;
    uint32_t *storage = &nic->csr[nic->canonical[offset / 4]];
    if (rules[row].read) {
        return rules[row].read(nic, nic->element_of[offset / 4]);
    }
    uint32_t value = rows[row].access == WO ? 0 : *storage;
    if (rows[row].access == RC) {
        *storage = 0;
    }
    return value;
}

void
regs_write_dword(struct nic *nic, uint32_t offset, uint32_t value)
{
    if (!regs_known(nic, offset)) {
        nic_guest_error(nic, NIC_ERROR_UNKNOWN_REGISTER, 1ull << 63 | offset);
        return;
    }
    unsigned row = nic->row_of[offset / 4] - 1u;
    uint32_t *storage = &nic->csr[nic->canonical[offset / 4]];
    if (rows[row].access == RO || rows[row].access == RC) {
        nic_guest_error(nic, NIC_ERROR_READ_ONLY, offset);
        return;
    }
    if (rows[row].access == RW) {
        value = (*storage & ~rows[row].mask) | (value & rows[row].mask);
    }
    if (rules[row].write) {
        rules[row].write(nic, nic->element_of[offset / 4], value);
    } else if (rows[row].access == W1C) {
        *storage &= ~value;
    } else if (rows[row].access == RW) {
        *storage = value;
    }
}

/* Registers are dwords.  A quadword access is two of them in address order
 * (Flow Director commands rely on it); narrower ones are not defined: a read
 * returns the part, a write does nothing, both are traced. */
uint64_t
regs_read(void *ctx, uint64_t offset, unsigned size)
{
    struct nic *nic = ctx;
    uint32_t aligned = (uint32_t)offset & ~3u;
    if (size == 8) {
        uint64_t low = regs_read_dword(nic, aligned);
        return low | (uint64_t)regs_read_dword(nic, aligned + 4) << 32;
    }
    uint32_t value = regs_read_dword(nic, aligned);
    if (size == 4 && aligned == offset) {
        return value;
    }
    nic_guest_error(nic, NIC_ERROR_PARTIAL, offset << 8 | size);
    return (value >> (8 * (offset & 3))) & (size == 1 ? 0xFF : 0xFFFF);
}

void
regs_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
    struct nic *nic = ctx;
    if (offset & 3 || size < 4) {
        nic_guest_error(nic, NIC_ERROR_PARTIAL, offset << 8 | size);
        return;
    }
    regs_write_dword(nic, (uint32_t)offset, (uint32_t)value);
    if (size == 8) {
        regs_write_dword(nic, (uint32_t)offset + 4, (uint32_t)(value >> 32));
    }
    nic_run(nic, nic_now(nic));
}
