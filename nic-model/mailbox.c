/* PF/VF mailbox and the news of VF resets ("VF Mailbox", "Function Level Reset of a VF").
 *
 * One buffer of 16 dwords per VF and two ownership bits; a side can take the
 * buffer only while the other does not hold it.  REQ, ACK (from the VF) and
 * STS, ACK (from the PF) are signals: they interrupt, whoever holds the buffer.
 *
 *   VF writes REQ/ACK -> PFMBICR request/ack bit -> EICR.MAILBOX (by PFMBIMR)
 *   PF writes STS/ACK -> VFMAILBOX PFSTS/PFACK   -> VTEICR by VTIVAR_MISC
 */
#include "nic-model/regs.h"

uint32_t
mailbox_pf_read(struct nic *nic, unsigned v)
{
    const struct nic_vf *vf = &nic->vf[v];
    return (vf->vfu ? I82599_PFMAILBOX_VFU : 0) | (vf->pfu ? I82599_PFMAILBOX_PFU : 0);
}

void
mailbox_pf_write(struct nic *nic, unsigned v, uint32_t value)
{
    struct nic_vf *vf = &nic->vf[v];
    if (value & I82599_PFMAILBOX_RVFU) {
        vf->vfu = 0;
    }
    vf->pfu = value & I82599_PFMAILBOX_PFU && !vf->vfu;
    vf->pfsts |= (value & I82599_PFMAILBOX_STS) != 0;
    vf->pfack |= (value & I82599_PFMAILBOX_ACK) != 0;
    if (value & (I82599_PFMAILBOX_STS | I82599_PFMAILBOX_ACK)) {
        interrupts_vf_mailbox(nic, v, nic_now(nic));
    }
}

uint32_t
mailbox_vf_read(struct nic *nic, unsigned v)
{
    struct nic_vf *vf = &nic->vf[v];
    uint32_t value = (vf->vfu ? I82599_VFMAILBOX_VFU : 0) | (vf->pfu ? I82599_VFMAILBOX_PFU : 0) |
                     (vf->pfsts ? I82599_VFMAILBOX_PFSTS : 0) | (vf->pfack ? I82599_VFMAILBOX_PFACK : 0) |
                     (vf->rsti ? I82599_VFMAILBOX_RSTI : 0) | (vf->rstd ? I82599_VFMAILBOX_RSTD : 0);
    vf->pfsts = vf->pfack = vf->rstd = 0;
    return value;
}

void
mailbox_vf_write(struct nic *nic, unsigned v, uint32_t value)
{
    struct nic_vf *vf = &nic->vf[v];
    uint32_t causes = (value & I82599_VFMAILBOX_REQ ? 1u << v % 16 : 0) |
                      (value & I82599_VFMAILBOX_ACK ? 0x10000u << v % 16 : 0);
    vf->vfu = value & I82599_VFMAILBOX_VFU && !vf->pfu;
    if (causes) {
        reg_set(nic, I82599_PFMBICR(v / 16), reg(nic, I82599_PFMBICR(v / 16)) | causes);
        if (reg(nic, I82599_PFMBIMR(v / 32)) >> v % 32 & 1) {
            interrupts_other(nic, I82599_EICR_MAILBOX, nic_now(nic));
        }
    }
}

void
mailbox_vflr(struct nic *nic, unsigned v)
{
    reg_set(nic, I82599_VFLRE(v / 32), reg(nic, I82599_VFLRE(v / 32)) | 1u << v % 32);
    interrupts_other(nic, I82599_EICR_MAILBOX, nic_now(nic));
}

void
mailbox_vflrec_write(struct nic *nic, unsigned index, uint32_t value)
{
    reg_set(nic, I82599_VFLRE(index), reg(nic, I82599_VFLRE(index)) & ~value);
}

void
mailbox_reset_pf(struct nic *nic)
{
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        struct nic_vf *vf = &nic->vf[v];
        vf->vfu = vf->pfu = vf->pfsts = vf->pfack = vf->rstd = 0;
        vf->rsti = 1;
    }
}

void
mailbox_pf_done(struct nic *nic)
{
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        nic->vf[v].rsti = 0;
        nic->vf[v].rstd = 1;
    }
}
