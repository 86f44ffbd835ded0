/* A VF's BAR0: windows on state that the PF's registers show too.
 *
 * Queue registers are the PF's queue v*q + n; a bank beyond the VF's q queues
 * reads zero and ignores writes, as does anything outside the table. */
#include "nic-model/nic_priv.h"

enum vf_row {
#define REGISTER(name, ...) VF_ROW_##name,
#include "nic-model/vf_registers_rows.inc"
    VF_ROW_COUNT
};

static const struct vf_range {
    uint16_t row;
    uint32_t base, stride;
    uint16_t first, last;
} ranges[] = {
#define RANGE(name, base, stride, first, last, alias) { VF_ROW_##name, base, stride, first, last },
#include "nic-model/vf_registers_rows.inc"
};

enum { RX_BANK = 0x1000, TX_BANK = 0x2000, BANK_STRIDE = 0x40 };

static bool
find_row(uint32_t offset, enum vf_row *row, unsigned *index)
{
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct vf_range *r = &ranges[i];
        uint32_t n = (offset - r->base) / r->stride;
        if (offset >= r->base && (offset - r->base) % r->stride == 0 && n <= (unsigned)(r->last - r->first)) {
            *row = r->row;
            *index = r->first + n;
            return true;
        }
    }
    return false;
}

/* The PF's offset of a queue register, or 0 when the queue is not this VF's. */
static uint32_t
queue_offset(const struct nic_vf *vf, uint32_t offset, unsigned index)
{
    unsigned q = vf_queues(vf->nic), queue = vf->number * q + index;
    uint32_t in_bank = offset % BANK_STRIDE;
    if (index >= q || queue >= I82599_QUEUES) {
        return 0;
    }
    return in_bank + (offset >= TX_BANK ? I82599_TDBAL(queue) : I82599_RDBAL(queue));
}

static uint32_t
queue_read(struct nic_vf *vf, uint32_t offset, unsigned index)
{
    uint32_t pf = queue_offset(vf, offset, index);
    return pf ? regs_read_dword(vf->nic, pf) : 0;
}

static void
queue_write(struct nic_vf *vf, uint32_t offset, unsigned index, uint32_t value)
{
    uint32_t pf = queue_offset(vf, offset, index);
    if (pf) {
        regs_write_dword(vf->nic, pf, value);
    } else {
        nic_guest_error(vf->nic, NIC_ERROR_BAD_QUEUE, offset);
    }
}

static uint32_t
take_causes(struct nic_vf *vf, uint32_t causes)
{
    uint32_t old = vf->cause;
    vf->cause &= ~causes;
    vf->mask &= ~(old & causes & vf->automask);
    return old;
}

static uint32_t
status(const struct nic_vf *vf)
{
    uint32_t value = (uint32_t)(vf->nic->config.bdf & 7) << I82599_VFSTATUS_LAN_ID_SHIFT;
    return value | (pf_is_master(vf->nic) ? I82599_VFSTATUS_GIO : 0);
}

static uint32_t
row_read(struct nic_vf *vf, enum vf_row row, unsigned index, uint32_t offset)
{
    struct nic *nic = vf->nic;
    unsigned v = vf->number;
    switch (row) {
    case VF_ROW_VFCTRL: return 0;
    case VF_ROW_VFSTATUS: return status(vf);
    case VF_ROW_VFLINKS: return regs_read_dword(nic, I82599_LINKS);
    case VF_ROW_VFFRTIMER: return regs_read_dword(nic, I82599_FRTIMER);
    case VF_ROW_VTEICR: return take_causes(vf, 7);
    case VF_ROW_VTEICS: return vf->cause;
    case VF_ROW_VTEIMS: return vf->mask;
    case VF_ROW_VTEIMC: return vf->mask;
    case VF_ROW_VTEIAC: return vf->autoclear;
    case VF_ROW_VTEIAM: return vf->automask;
    case VF_ROW_VTIVAR: return vf->ivar[index];
    case VF_ROW_VTIVAR_MISC: return vf->ivar_misc;
    case VF_ROW_VFPBACL: return 0;
    case VF_ROW_VTRSCINT: return vf->rscint[index];
    case VF_ROW_VFMBMEM: return reg(nic, I82599_PFMBMEM(v * I82599_MAILBOX_DWORDS + index));
    case VF_ROW_VFMAILBOX: return mailbox_vf_read(nic, v);
    case VF_ROW_VFPSRTYPE: return reg(nic, I82599_PSRTYPE(v));
    case VF_ROW_VTEITR: return interrupts_eitr_value(nic, &vf->vector[index], *interrupts_vf_eitr(nic, v, index));
    case VF_ROW_VFGPRC: return reg(nic, I82599_PVFGPRC(v));
    case VF_ROW_VFGORC_LSB: return reg(nic, I82599_PVFGORC_LSB(v));
    case VF_ROW_VFGORC_MSB: return reg(nic, I82599_PVFGORC_MSB(v));
    case VF_ROW_VFMPRC: return reg(nic, I82599_PVFMPRC(v));
    case VF_ROW_VFGPTC: return reg(nic, I82599_PVFGPTC(v));
    case VF_ROW_VFGOTC_LSB: return reg(nic, I82599_PVFGOTC_LSB(v));
    case VF_ROW_VFGOTC_MSB: return reg(nic, I82599_PVFGOTC_MSB(v));
    case VF_ROW_VFRXMEMWRAP: return 0;
    case VF_ROW_VFRDBAL: case VF_ROW_VFRDBAH: case VF_ROW_VFRDLEN: case VF_ROW_VFDCA_RXCTRL: case VF_ROW_VFRDH:
    case VF_ROW_VFSRRCTL: case VF_ROW_VFRDT: case VF_ROW_VFRXDCTL: case VF_ROW_VFRSCCTL: case VF_ROW_VFTDBAL:
    case VF_ROW_VFTDBAH: case VF_ROW_VFTDLEN: case VF_ROW_VFDCA_TXCTRL: case VF_ROW_VFTDH: case VF_ROW_VFTDT:
    case VF_ROW_VFTXDCTL: case VF_ROW_VFTDWBAL: case VF_ROW_VFTDWBAH: return queue_read(vf, offset, index);
    case VF_ROW_COUNT: break;
    }
    return 0;
}

static void
unmask(struct nic_vf *vf, uint32_t causes)
{
    vf->mask |= causes;
    interrupts_vf_kick(vf->nic, vf->number, vf->cause & causes, false, nic_now(vf->nic));
}

static void
force_causes(struct nic_vf *vf, uint32_t causes)
{
    bool is_immediate = reg(vf->nic, I82599_GPIE) & I82599_GPIE_EIMEN;
    vf->cause |= causes;
    vf->mask |= causes & vf->automask;
    interrupts_vf_kick(vf->nic, vf->number, causes, is_immediate, nic_now(vf->nic));
}

static void
row_write(struct nic_vf *vf, enum vf_row row, unsigned index, uint32_t offset, uint32_t value)
{
    struct nic *nic = vf->nic;
    unsigned v = vf->number;
    switch (row) {
    case VF_ROW_VFCTRL:
        if (value & I82599_VFCTRL_RST) {
            vf_reset(nic, v); /* not reported in VFLRE: the VF says so by mailbox */
        }
        break;
    case VF_ROW_VTEICR: (void)take_causes(vf, value & 7); break;
    case VF_ROW_VTEICS: force_causes(vf, value & 7); break;
    case VF_ROW_VTEIMS: unmask(vf, value & 7); break;
    case VF_ROW_VTEIMC: vf->mask &= ~value; break;
    case VF_ROW_VTEIAC: vf->autoclear = value & 7; break;
    case VF_ROW_VTEIAM: vf->automask = value & 7; break;
    case VF_ROW_VTIVAR: vf->ivar[index] = value & 0x83838383; break;
    case VF_ROW_VTIVAR_MISC: vf->ivar_misc = value & 0x83; break;
    case VF_ROW_VFPBACL:
        vf->msix.pending[0] &= ~(uint64_t)(value & 7);
        break;
    case VF_ROW_VTRSCINT: vf->rscint[index] = value; break;
    case VF_ROW_VFMBMEM: reg_set(nic, I82599_PFMBMEM(v * I82599_MAILBOX_DWORDS + index), value); break;
    case VF_ROW_VFMAILBOX: mailbox_vf_write(nic, v, value); break;
    case VF_ROW_VFPSRTYPE: reg_set(nic, I82599_PSRTYPE(v), value); break;
    case VF_ROW_VTEITR:
        interrupts_eitr_written(nic, &vf->vector[index], interrupts_vf_eitr(nic, v, index), value);
        break;
    case VF_ROW_VFSTATUS: case VF_ROW_VFLINKS: case VF_ROW_VFFRTIMER: case VF_ROW_VFGPRC: case VF_ROW_VFGORC_LSB:
    case VF_ROW_VFGORC_MSB: case VF_ROW_VFMPRC: case VF_ROW_VFGPTC: case VF_ROW_VFGOTC_LSB: case VF_ROW_VFGOTC_MSB:
    case VF_ROW_VFRXMEMWRAP:
        nic_guest_error(nic, NIC_ERROR_READ_ONLY, offset);
        break;
    case VF_ROW_VFRDBAL: case VF_ROW_VFRDBAH: case VF_ROW_VFRDLEN: case VF_ROW_VFDCA_RXCTRL: case VF_ROW_VFRDH:
    case VF_ROW_VFSRRCTL: case VF_ROW_VFRDT: case VF_ROW_VFRXDCTL: case VF_ROW_VFRSCCTL: case VF_ROW_VFTDBAL:
    case VF_ROW_VFTDBAH: case VF_ROW_VFTDLEN: case VF_ROW_VFDCA_TXCTRL: case VF_ROW_VFTDH: case VF_ROW_VFTDT:
    case VF_ROW_VFTXDCTL: case VF_ROW_VFTDWBAL: case VF_ROW_VFTDWBAH:
        queue_write(vf, offset, index, value);
        break;
    case VF_ROW_COUNT: break;
    }
}

static uint32_t
read_dword(struct nic_vf *vf, uint32_t offset)
{
    enum vf_row row;
    unsigned index;
    if (!find_row(offset, &row, &index)) {
        nic_guest_error(vf->nic, NIC_ERROR_UNKNOWN_REGISTER, offset);
        return 0;
    }
    return row_read(vf, row, index, offset);
}

static void
write_dword(struct nic_vf *vf, uint32_t offset, uint32_t value)
{
    enum vf_row row;
    unsigned index;
    if (!find_row(offset, &row, &index)) {
        nic_guest_error(vf->nic, NIC_ERROR_UNKNOWN_REGISTER, 1ull << 63 | offset);
        return;
    }
    row_write(vf, row, index, offset, value);
}

uint64_t
vf_regs_read(struct nic_vf *vf, uint32_t offset, unsigned size)
{
    uint32_t aligned = offset & ~3u;
    uint64_t value = read_dword(vf, aligned);
    if (size == 8) {
        return value | (uint64_t)read_dword(vf, aligned + 4) << 32;
    }
    if (size != 4 || aligned != offset) {
        nic_guest_error(vf->nic, NIC_ERROR_PARTIAL, (uint64_t)offset << 8 | size);
        value = value >> (8 * (offset & 3)) & (size == 1 ? 0xFF : 0xFFFF);
    }
    return value;
}

void
vf_regs_write(struct nic_vf *vf, uint32_t offset, unsigned size, uint64_t value)
{
    if (offset & 3 || size < 4) {
        nic_guest_error(vf->nic, NIC_ERROR_PARTIAL, (uint64_t)offset << 8 | size);
        return;
    }
    write_dword(vf, offset, (uint32_t)value);
    if (size == 8) {
        write_dword(vf, offset + 4, (uint32_t)(value >> 32));
    }
}
