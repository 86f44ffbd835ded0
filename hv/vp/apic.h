/* The virtual local APIC of a VP, in x2APIC mode.
 *
 * Everybody may add to 'irr' (atomically); everything else belongs to the LP
 * that runs the VP.  The task priority lives in the virtual-APIC page, where
 * the processor reads and writes it without exits ("TPR Virtualization").
 * Interrupts are injected at VM entry, when the guest can take them; if it
 * cannot yet, interrupt-window exiting or the TPR threshold tells us when.
 *
 * hvlab: a VP's APIC is always enabled in x2APIC mode; its id is the VP index.
 * All interrupts are edge-triggered: there is no virtual I/O APIC.
 */
#ifndef HV_VP_APIC_H
#define HV_VP_APIC_H

#include "hv/sched/sched.h"

struct vp;
struct partition;

struct vapic {
    uint64_t irr[4];      /* written by anybody, atomically */
    uint64_t isr[4];
    uint64_t auto_eoi[4]; /* vectors whose EOI is implied by delivery (SINT with AutoEOI) */
    uint32_t svr, lvt_timer, lvt[6], divide;
    uint64_t icr;
    uint32_t initial_count;
    uint64_t deadline;    /* [guest TSC], TSC-deadline mode */
    uint64_t timer_start; /* [TSC] of the current period */
    struct hv_timer timer;
    unsigned threshold;   /* TPR threshold as the VMCS has it */
    bool lazy_eoi;        /* the guest may end the interrupt in service through its assist page */
};

void vapic_reset(struct vp *);
void vapic_stop(struct vp *); /* no timer fires any more */
/* Adds an interrupt and wakes the VP. Vectors below 16 are dropped, as by the silicon. */
void vapic_raise(struct vp *, unsigned vector);
/* Highest vector that may be delivered now given TPR and ISR, or -1. */
int vapic_deliverable(struct vp *);
bool vapic_any_request(const struct vp *);
/* Highest requested vector, or -1. */
int vapic_highest_request(const struct vp *);
/* Moves a vector from IRR to ISR: it is being injected. */
void vapic_accept(struct vp *, unsigned vector);
void vapic_eoi(struct vp *);
/* The guest may have ended an interrupt through its assist page; takes note and withdraws the offer when needed. */
void vapic_lazy_eoi_sync(struct vp *);

/* x2APIC registers by MSR index - 0x800. False: #GP. */
bool vapic_read(struct vp *, unsigned reg, uint64_t *value);
bool vapic_write(struct vp *, unsigned reg, uint64_t value);
void vapic_deadline_write(struct vp *, uint64_t value);
/* ICR semantics for any sender: the partition's VPs, or the parent. False: reserved bits. */
bool vapic_send(struct partition *, struct vp *from, uint64_t icr);
uint8_t vapic_tpr(struct vp *);
void vapic_set_tpr(struct vp *, uint8_t);

#endif
