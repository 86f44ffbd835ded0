/* The PF's interrupt registers: views and edits of causes and masks that
 * interrupts.c turns into messages ("Interrupt Registers"). */
#include "nic-model/regs.h"

enum { OTHER_BITS = NIC_EICR_OTHER_BITS, GENERAL_BITS = NIC_EICR_GENERAL_BITS, RTXQ_BITS = I82599_EICR_RTXQ_MASK };

static uint32_t
eicr(const struct nic *nic)
{
    const struct nic_interrupts *irq = &nic->irq;
    bool has_other = irq->other & irq->other_mask & GENERAL_BITS;
    return (uint32_t)(irq->cause & RTXQ_BITS) | (irq->other & OTHER_BITS) | (has_other ? I82599_EICR_OTHER : 0);
}

static void
clear_causes(struct nic *nic, uint64_t vectors, uint32_t other)
{
    struct nic_interrupts *irq = &nic->irq;
    irq->mask &= ~(vectors & irq->cause & irq->automask);
    irq->other_mask &= ~(other & irq->other & irq->other_automask);
    irq->cause &= ~vectors;
    irq->other &= ~other;
}

static void
set_causes(struct nic *nic, uint64_t vectors, uint32_t other)
{
    struct nic_interrupts *irq = &nic->irq;
    bool is_immediate = reg(nic, I82599_GPIE) & I82599_GPIE_EIMEN;
    other &= OTHER_BITS;
    irq->cause |= vectors;
    irq->other |= other;
    irq->mask |= vectors & irq->automask;
    irq->other_mask |= other & irq->other_automask;
    interrupts_request(nic, vectors, other, is_immediate, nic_now(nic));
}

static void
set_mask(struct nic *nic, uint64_t vectors, uint32_t other)
{
    nic->irq.mask |= vectors;
    nic->irq.other_mask |= other;
    interrupts_request(nic, vectors, other, false, nic_now(nic));
}

uint32_t
interrupts_eicr_read(struct nic *nic, unsigned index)
{
    (void)index;
    uint32_t value = eicr(nic);
    bool keeps_queues = reg(nic, I82599_GPIE) & I82599_GPIE_OCD;
    clear_causes(nic, keeps_queues ? 0 : RTXQ_BITS, OTHER_BITS);
    return value;
}

uint32_t
interrupts_eics_read(struct nic *nic, unsigned index)
{
    (void)index;
    return eicr(nic);
}

uint32_t
interrupts_eims_read(struct nic *nic, unsigned index)
{
    (void)index;
    return (uint32_t)(nic->irq.mask & RTXQ_BITS) | nic->irq.other_mask;
}

uint32_t
interrupts_eiam_read(struct nic *nic, unsigned index)
{
    (void)index;
    return (uint32_t)(nic->irq.automask & RTXQ_BITS) | nic->irq.other_automask;
}

void
interrupts_eicr_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    clear_causes(nic, value & RTXQ_BITS, value & OTHER_BITS);
}

void
interrupts_eics_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    set_causes(nic, value & RTXQ_BITS, value);
}

void
interrupts_eims_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    set_mask(nic, value & RTXQ_BITS, value & ~(uint32_t)RTXQ_BITS);
}

void
interrupts_eimc_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    nic->irq.mask &= ~(uint64_t)(value & RTXQ_BITS);
    nic->irq.other_mask &= ~value;
}

void
interrupts_eiam_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    nic->irq.automask = (nic->irq.automask & ~(uint64_t)RTXQ_BITS) | (value & RTXQ_BITS);
    nic->irq.other_automask = value & OTHER_BITS;
}

/* Half 'index' of a 64-bit word, as the _EX registers show it. */
static uint64_t
half(unsigned index, uint32_t value)
{
    return (uint64_t)value << (32 * index);
}

uint32_t
interrupts_eicr_ex_read(struct nic *nic, unsigned index)
{
    uint32_t value = (uint32_t)(nic->irq.cause >> (32 * index));
    clear_causes(nic, half(index, value), 0);
    return value;
}

uint32_t
interrupts_eics_ex_read(struct nic *nic, unsigned index)
{
    return (uint32_t)(nic->irq.cause >> (32 * index));
}

uint32_t
interrupts_eims_ex_read(struct nic *nic, unsigned index)
{
    return (uint32_t)(nic->irq.mask >> (32 * index));
}

uint32_t
interrupts_eiam_ex_read(struct nic *nic, unsigned index)
{
    return (uint32_t)(nic->irq.automask >> (32 * index));
}

void
interrupts_eicr_ex_write(struct nic *nic, unsigned index, uint32_t value)
{
    clear_causes(nic, half(index, value), 0);
}

void
interrupts_eics_ex_write(struct nic *nic, unsigned index, uint32_t value)
{
    set_causes(nic, half(index, value), 0);
}

void
interrupts_eims_ex_write(struct nic *nic, unsigned index, uint32_t value)
{
    set_mask(nic, half(index, value), 0);
}

void
interrupts_eimc_ex_write(struct nic *nic, unsigned index, uint32_t value)
{
    nic->irq.mask &= ~half(index, value);
}

void
interrupts_eiam_ex_write(struct nic *nic, unsigned index, uint32_t value)
{
    nic->irq.automask = (nic->irq.automask & ~half(index, 0xFFFFFFFF)) | half(index, value);
}

/* EITR 65..128 belong to VFs; so do 1..64 where EITRSEL says so, and those are
 * still readable here. */
static struct nic_vector *
vector_of_eitr(struct nic *nic, unsigned index)
{
    unsigned v = (128 - index) / 2;
    bool is_vf = index >= 64 || (index > 0 && reg(nic, I82599_EITRSEL) >> (v - 32) & 1);
    return is_vf ? &nic->vf[v].vector[(128 - index) % 2] : &nic->irq.vector[index];
}

uint32_t
interrupts_eitr_read(struct nic *nic, unsigned index)
{
    return interrupts_eitr_value(nic, vector_of_eitr(nic, index), reg(nic, I82599_EITR(index)));
}

void
interrupts_eitr_write(struct nic *nic, unsigned index, uint32_t value)
{
    interrupts_eitr_written(nic, vector_of_eitr(nic, index), &nic->csr[I82599_EITR(index) / 4], value);
}

void
interrupts_gpie_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_GPIE, value);
    interrupts_request(nic, UINT64_MAX, OTHER_BITS, false, nic_now(nic)); /* causes may have another vector now */
}

void
interrupts_pbacl_write(struct nic *nic, unsigned index, uint32_t value)
{
    if (index < I82599_VECTORS / 32) {
        nic->msix.pending[0] &= ~half(index, value);
    }
}
