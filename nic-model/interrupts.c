/* Interrupts: from causes to messages ("Interrupts", "Interrupt Moderation").
 *
 *   queue event --IVAR--> vector's cause bit --EIMS--> request --EITR--> message
 *   other event --> EICR 30:16 --EIMS--> vector of IVAR_MISC ... likewise
 *
 * In MSI-X mode (GPIE.MSIX) IVAR names one of 64 vectors.  Otherwise it names
 * one of 16 EICR bits and everything shares one message and EITR(0).  A cause
 * that arises while masked stays and fires when unmasked; a message that finds
 * its cause gone or masked again is not sent.  A VF has three vectors with the
 * same rules and its own mask, fed by its queues and its mailbox.  Registers
 * are in interrupt_regs.c.
 */
#include <assert.h>

#include "nic-model/regs.h"

enum { OTHER_BITS = NIC_EICR_OTHER_BITS, GENERAL_BITS = NIC_EICR_GENERAL_BITS, RTXQ_BITS = I82599_EICR_RTXQ_MASK };
enum { IVAR_VECTOR = 0x3F, IVAR_VALID = 0x80, VF_IVAR_VECTOR = 3, MSI_ENABLE = 1, MISC_TCP = 0, MISC_OTHER = 1 };
enum { EITR_UNIT_NS = 2048, EITR_STORED = 0x001F8FF8 };
enum { MSI_MESSAGE_SIZE = 4 };

static bool
is_msix(const struct nic *nic)
{
    return reg(nic, I82599_GPIE) & I82599_GPIE_MSIX;
}

/* --- moderation ---------------------------------------------------------------- */

static uint64_t
units_to_cycles(uint32_t units)
{
    return machine_ns_to_cycles((uint64_t)units * EITR_UNIT_NS);
}

uint32_t *
interrupts_vf_eitr(struct nic *nic, unsigned v, unsigned n)
{
    /* VF 0 uses EITR 128 and 127, VF 1 126 and 125, ...; above VF 31 only
     * where EITRSEL gives the register to the VF. */
    bool is_shared = n < 2 && (v < 32 || reg(nic, I82599_EITRSEL) >> (v - 32) & 1);
    return is_shared ? &nic->csr[I82599_EITR(128 - 2 * v - n) / 4] : &nic->vf[v].eitr[n];
}

static uint32_t
interval(struct nic *nic, const struct nic_vector *vector)
{
    uint32_t eitr = vector->vf == NIC_PF ? reg(nic, I82599_EITR(vector->number))
                                         : *interrupts_vf_eitr(nic, (unsigned)vector->vf, vector->number);
    return (eitr & I82599_EITR_INTERVAL_MASK) >> I82599_EITR_INTERVAL_SHIFT;
}

uint32_t
interrupts_eitr_value(struct nic *nic, const struct nic_vector *vector, uint32_t stored)
{
    uint64_t now = nic_now(nic), unit = units_to_cycles(1);
    uint64_t left = vector->allowed > now ? (vector->allowed - now + unit - 1) / unit : 0;
    uint32_t counter = left / 4 > 0x7F ? 0x7F : (uint32_t)(left / 4); /* the counter shows its 7 high bits of 9 */
    return (stored & ~I82599_EITR_COUNTER_MASK) | counter << I82599_EITR_COUNTER_SHIFT;
}

static void
arm(struct nic *nic, struct nic_vector *vector, uint64_t now)
{
    uint64_t send = vector->allowed > now ? vector->allowed : now;
    event_arm(nic->machine->events, &vector->event, send + time_fabric(nic->machine, FABRIC_MSI, MSI_MESSAGE_SIZE));
}

/* A written counter counts down from there; CNT_WDIS leaves it alone. */
void
interrupts_eitr_written(struct nic *nic, struct nic_vector *vector, uint32_t *storage, uint32_t value)
{
    uint64_t now = nic_now(nic);
    *storage = value & EITR_STORED & ~I82599_EITR_COUNTER_MASK;
    if (value & I82599_EITR_CNT_WDIS) {
        return;
    }
    uint32_t counter = (value & I82599_EITR_COUNTER_MASK) >> I82599_EITR_COUNTER_SHIFT;
    vector->allowed = now + units_to_cycles(4 * counter);
    if (vector->requested) {
        arm(nic, vector, now);
    }
}

static void
request(struct nic *nic, struct nic_vector *vector, bool is_immediate, uint64_t now)
{
    if (is_immediate) {
        vector->allowed = now;
    }
    if (!vector->requested || is_immediate) {
        vector->requested = 1;
        arm(nic, vector, now);
    }
}

/* --- the PF's vectors -------------------------------------------------------------- */

static int
misc_vector(const struct nic *nic, unsigned byte)
{
    uint32_t entry = reg(nic, I82599_IVAR_MISC) >> (8 * byte);
    return entry & IVAR_VALID ? (int)(entry & IVAR_VECTOR) : -1;
}

/* Other causes that are enabled and routed to 'vector'. */
static uint32_t
other_of_vector(const struct nic *nic, unsigned vector)
{
    uint32_t active = nic->irq.other & nic->irq.other_mask, causes = 0;
    causes |= misc_vector(nic, MISC_OTHER) == (int)vector ? active & GENERAL_BITS : 0;
    causes |= misc_vector(nic, MISC_TCP) == (int)vector ? active & I82599_EICR_TCP_TIMER : 0;
    return causes;
}

void
interrupts_request(struct nic *nic, uint64_t vectors, uint32_t other, bool is_immediate, uint64_t now)
{
    struct nic_interrupts *irq = &nic->irq;
    vectors &= irq->cause & irq->mask;
    other &= irq->other & irq->other_mask;
    if (!is_msix(nic)) {
        if (vectors & RTXQ_BITS || other & OTHER_BITS) {
            request(nic, &irq->vector[0], is_immediate, now);
        }
        return;
    }
    int general = misc_vector(nic, MISC_OTHER), tcp = misc_vector(nic, MISC_TCP);
    vectors |= other & GENERAL_BITS && general >= 0 ? 1ull << general : 0;
    vectors |= other & I82599_EICR_TCP_TIMER && tcp >= 0 ? 1ull << tcp : 0;
    for (; vectors; vectors &= vectors - 1) {
        request(nic, &irq->vector[__builtin_ctzll(vectors)], is_immediate, now);
    }
}

static void
send_msi(struct nic *nic)
{
    const struct pci_function *f = &nic->pf;
    unsigned cap = I82599_CAP_MSI;
    if (!(pci_get(f, cap + 2, 2) & MSI_ENABLE)) {
        nic_guest_error(nic, NIC_ERROR_NO_MESSAGE, nic->irq.other | nic->irq.cause); /* INTx is not modelled */
    } else if (!(pci_get(f, cap + 16, 4) & 1)) {
        uint64_t address = (uint64_t)pci_get(f, cap + 8, 4) << 32 | pci_get(f, cap + 4, 4);
        pci_msi(nic->machine->pci, f, address, pci_get(f, cap + 12, 2));
    }
}

/* What the message itself clears: EIAC bits (always above vector 15), and the mask with GPIE.EIAME. */
static void
acknowledge(struct nic *nic, unsigned vector, uint32_t other)
{
    struct nic_interrupts *irq = &nic->irq;
    uint64_t bit = 1ull << vector;
    uint32_t eiac = reg(nic, I82599_EIAC);
    if (reg(nic, I82599_GPIE) & I82599_GPIE_EIAME) {
        irq->mask &= ~(bit & irq->automask & irq->cause);
        irq->other_mask &= ~(other & irq->other_automask);
    }
    if (vector >= 16 || eiac >> vector & 1) {
        irq->cause &= ~bit;
    }
    irq->other &= ~(other & eiac & I82599_EICR_TCP_TIMER);
}

/* True: a message left (or its table entry is masked and it is pending there). */
static bool
fire_pf(struct nic *nic, struct nic_vector *vector)
{
    struct nic_interrupts *irq = &nic->irq;
    if (!is_msix(nic)) {
        bool is_active = irq->cause & irq->mask & RTXQ_BITS || irq->other & irq->other_mask & OTHER_BITS;
        if (is_active) {
            send_msi(nic);
        }
        return is_active;
    }
    uint32_t other = other_of_vector(nic, vector->number);
    if (!(irq->cause & irq->mask & 1ull << vector->number) && !other) {
        return false;
    }
    /* Acknowledge first: software may run with the message and find the state as sent. */
    acknowledge(nic, vector->number, other);
    if (!msix_notify(&nic->msix, vector->number)) {
        nic_guest_error(nic, NIC_ERROR_NO_MESSAGE, vector->number);
    }
    return true;
}

static bool
fire_vf(struct nic *nic, struct nic_vector *vector)
{
    struct nic_vf *vf = &nic->vf[vector->vf];
    uint32_t bit = 1u << vector->number;
    if (!(vf->cause & vf->mask & bit) || !vf->added) {
        return false;
    }
    vf->cause &= ~bit; /* always auto-cleared */
    if (reg(nic, I82599_GPIE) & I82599_GPIE_EIAME) {
        vf->mask &= ~(bit & vf->automask);
    }
    if (!msix_notify(&vf->msix, vector->number)) {
        nic_guest_error(nic, NIC_ERROR_NO_MESSAGE, (uint64_t)vector->vf << 32 | vector->number);
    }
    return true;
}

static void
vector_fire(void *ctx, uint64_t now)
{
    struct nic_vector *vector = ctx;
    struct nic *nic = vector->nic;
    vector->requested = 0;
    bool is_sent = vector->vf == NIC_PF ? fire_pf(nic, vector) : fire_vf(nic, vector);
    if (is_sent) {
        vector->allowed = now + units_to_cycles(interval(nic, vector));
    }
}

/* --- events of the card --------------------------------------------------------------- */

void
interrupts_other(struct nic *nic, uint32_t eicr_bits, uint64_t now)
{
    nic->irq.other |= eicr_bits & OTHER_BITS;
    interrupts_request(nic, 0, eicr_bits, false, now);
}

void
interrupts_vf_kick(struct nic *nic, unsigned v, uint32_t causes, bool is_immediate, uint64_t now)
{
    struct nic_vf *vf = &nic->vf[v];
    for (unsigned n = 0; n < I82599_VF_VECTORS; n++) {
        if (causes & vf->cause & vf->mask & 1u << n) {
            request(nic, &vf->vector[n], is_immediate, now);
        }
    }
}

static void
vf_cause(struct nic *nic, unsigned v, uint32_t ivar_entry, uint64_t now)
{
    if (ivar_entry & IVAR_VALID && (ivar_entry & VF_IVAR_VECTOR) < I82599_VF_VECTORS) {
        uint32_t bit = 1u << (ivar_entry & VF_IVAR_VECTOR);
        nic->vf[v].cause |= bit;
        interrupts_vf_kick(nic, v, bit, false, now);
    }
}

void
interrupts_vf_mailbox(struct nic *nic, unsigned v, uint64_t now)
{
    vf_cause(nic, v, nic->vf[v].ivar_misc, now);
}

/* IVAR(n): bytes Rx 2n, Tx 2n, Rx 2n+1, Tx 2n+1. */
void
interrupts_queue(struct nic *nic, unsigned queue, bool is_tx, uint64_t now)
{
    int v = vf_of_queue(nic, queue);
    if (v != NIC_PF) {
        unsigned n = queue % vf_queues(nic);
        vf_cause(nic, (unsigned)v, nic->vf[v].ivar[n / 2] >> (16 * (n % 2) + 8 * is_tx), now);
        return;
    }
    uint32_t entry = reg(nic, I82599_IVAR(queue / 2)) >> (16 * (queue % 2) + 8 * is_tx);
    if (entry & IVAR_VALID) {
        unsigned number = entry & (is_msix(nic) ? IVAR_VECTOR : 0xF);
        nic->irq.cause |= 1ull << number;
        interrupts_request(nic, 1ull << number, 0, false, now);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void
vector_init(struct nic *nic, struct nic_vector *vector, int vf, unsigned number)
{
    vector->nic = nic;
    vector->vf = vf;
    vector->number = number;
    event_init(&vector->event, vector_fire, vector);
}

void
interrupts_init(struct nic *nic)
{
    for (unsigned n = 0; n < I82599_VECTORS; n++) {
        vector_init(nic, &nic->irq.vector[n], NIC_PF, n);
    }
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        for (unsigned n = 0; n < I82599_VF_VECTORS; n++) {
            vector_init(nic, &nic->vf[v].vector[n], (int)v, n);
        }
    }
}

static void
vector_reset(struct nic *nic, struct nic_vector *vector)
{
    vector->requested = 0;
    vector->allowed = 0;
    event_cancel(nic->machine->events, &vector->event);
}

void
interrupts_reset_vf(struct nic *nic, unsigned v)
{
    struct nic_vf *vf = &nic->vf[v];
    vf->cause = vf->mask = vf->autoclear = vf->automask = vf->ivar_misc = 0;
    for (unsigned n = 0; n < 4; n++) {
        vf->ivar[n] = 0;
    }
    for (unsigned n = 0; n < I82599_VF_VECTORS; n++) {
        vf->eitr[n] = 0;
        vf->rscint[n] = 1;
        vector_reset(nic, &vf->vector[n]);
    }
}

void
interrupts_reset(struct nic *nic)
{
    struct nic_interrupts *irq = &nic->irq;
    irq->cause = irq->mask = irq->automask = 0;
    irq->other = irq->other_mask = irq->other_automask = 0;
    for (unsigned n = 0; n < I82599_VECTORS; n++) {
        vector_reset(nic, &irq->vector[n]);
    }
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        interrupts_reset_vf(nic, v);
    }
}

static void
vector_state(struct nic *nic, struct nic_vector *vector, struct state *s)
{
    STATE_VISIT(s, vector->allowed);
    STATE_VISIT(s, vector->requested);
    event_state(nic->machine->events, &vector->event, s);
}

void
interrupts_state(struct nic *nic, struct state *s)
{
    struct nic_interrupts *irq = &nic->irq;
    STATE_VISIT(s, irq->cause);
    STATE_VISIT(s, irq->mask);
    STATE_VISIT(s, irq->automask);
    STATE_VISIT(s, irq->other);
    STATE_VISIT(s, irq->other_mask);
    STATE_VISIT(s, irq->other_automask);
    for (unsigned n = 0; n < I82599_VECTORS; n++) {
        vector_state(nic, &irq->vector[n], s);
    }
    for (unsigned v = 0; v < I82599_POOLS; v++) {
        for (unsigned n = 0; n < I82599_VF_VECTORS; n++) {
            vector_state(nic, &nic->vf[v].vector[n], s);
        }
    }
}
