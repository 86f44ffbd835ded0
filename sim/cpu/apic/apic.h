/* The local APIC of one processor, in xAPIC (memory page) and x2APIC (MSR) mode.
 *
 * SDM Vol 3A "Advanced Programmable Interrupt Controller".  What is modelled: identification,
 * local vector table (timer, LINT0/1, error, thermal, performance, CMCI absent), IRR/ISR/TMR,
 * task and processor priority, EOI with its broadcast to the I/O APIC, interrupt commands with all
 * delivery modes and shorthands, self-IPI, error status, interrupt pins, and the timer in one-shot, periodic and
 * TSC-deadline mode.
 *
 * Complications.  First, there are two ways in (a page of 16-byte slots and MSRs 800H-8FFH) with
 * different rules: the page ignores what it does not understand (and notes an illegal register
 * address), MSRs fault.  Both end in one register file.  Second, an interrupt for another
 * processor arrives after time_fabric(FABRIC_IPI) cycles through the machine's event queue, never
 * at once, so that the order of processors inside a round cannot show.  Third, whoever changes
 * what is deliverable calls cpu_attend(ATTN_INTR); the core asks apic_pending() at its next look.
 *
 * Ownership: cpu->apic, created by apic_new.  Vectors are 0..255; times are machine cycles.
 * Errors of software are the architectural ones: ESR bits, #GP for MSRs.
 */
#ifndef SIM_CPU_APIC_APIC_H
#define SIM_CPU_APIC_APIC_H

#include <stdio.h>

#include "sim/cpu/cpu.h"

/* Delivery modes (ICR, MSI data, I/O APIC entries). */
enum apic_mode {
    APIC_FIXED = 0, APIC_LOWEST = 1, APIC_SMI = 2, APIC_NMI = 4, APIC_INIT = 5, APIC_STARTUP = 6, APIC_EXTINT = 7,
};

enum { APIC_BROADCAST_X = 0xff };            /* xAPIC: everybody */
#define APIC_BROADCAST_X2 0xffffffffu        /* x2APIC: everybody */

/* An interrupt message on its way to processors: from an ICR, an MSI or an I/O APIC pin. */
struct apic_message {
    uint32_t destination; /* APIC id, or logical mask */
    uint8_t vector;
    uint8_t mode;         /* [enum apic_mode] */
    bool logical;
    bool wide;            /* 32-bit destination (x2APIC ICR, remapped MSI); else 8 bits with 0xff = all */
    bool level;           /* trigger mode */
    bool deassert;        /* level de-assert: nothing to deliver but INIT level de-assert (ignored) */
};

/* --- for devices ------------------------------------------------------------ */

/* Delivers at once to every processor the message names.  False: nobody accepted it. */
bool apic_deliver(struct machine *, const struct apic_message *);

/* MSI as a device wrote it (compatibility format: SDM Vol 3A "Message Signalled Interrupts").
 * False: the address is not in FEExxxxxH or nobody accepted it. */
bool apic_deliver_msi(struct machine *, uint64_t address, uint32_t data);

/* What the APICs ask of the board. */
struct apic_board {
    void *ctx;
    void (*eoi)(void *ctx, uint8_t vector); /* EOI of a level-triggered vector: for the I/O APIC */
    uint8_t (*acknowledge)(void *ctx);      /* ExtINT: vector from the 8259 pair */
};
void apic_set_board(struct machine *, const struct apic_board *);

/* The level of an interrupt pin: 0 LINT0 (INTR while the APIC is disabled), 1 LINT1 (NMI). */
void apic_set_pin(struct cpu *, unsigned pin, bool high);

/* --- for the processor ------------------------------------------------------ */

bool apic_new(struct cpu *);
void apic_free(struct cpu *);
void apic_reset(struct cpu *, bool init); /* INIT keeps the APIC id and IA32_APIC_BASE */
void apic_state(struct cpu *, struct state *);

/* The xAPIC page: 'offset' within it, 'size' 1, 2, 4 or 8 [bytes]. */
uint64_t apic_mmio_read(struct cpu *, unsigned offset, unsigned size);
void apic_mmio_write(struct cpu *, unsigned offset, unsigned size, uint64_t value);

/* x2APIC registers, MSRs 800H-8FFH: #GP(0) outside x2APIC mode and by each register's rules. */
enum exec_result apic_rdmsr(struct cpu *, uint32_t index, uint64_t *value);
enum exec_result apic_wrmsr(struct cpu *, uint32_t index, uint64_t value);

/* WRMSR to IA32_APIC_BASE: mode transitions by the manual's diagram, else #GP(0). */
enum exec_result apic_base_write(struct cpu *, uint64_t value);

void apic_deadline_write(struct cpu *, uint64_t tsc); /* IA32_TSC_DEADLINE */
uint64_t apic_deadline_read(const struct cpu *);
void apic_tsc_changed(struct cpu *);                   /* TSC was written: re-arms a deadline */

uint8_t apic_tpr(const struct cpu *);
void apic_set_tpr(struct cpu *, uint8_t);              /* CR8 is TPR[7:4] */
uint32_t apic_id(const struct cpu *);                  /* 32-bit in x2APIC mode */

/* Highest-priority interrupt that the processor priority lets through, ExtINT before all others (its vector is only
 * known when it is acknowledged: 0 here).  False: none. */
bool apic_pending(const struct cpu *, uint8_t *vector);
/* Takes it: IRR to ISR, or the 8259s' acknowledge; returns its vector, or the spurious vector if it has gone. */
uint8_t apic_acknowledge(struct cpu *);

/* Raises a fixed, edge-triggered interrupt in this APIC (posted interrupts, tests). */
void apic_raise(struct cpu *, uint8_t vector, bool level);

/* For people: registers, the local vector table, what waits and what is served. */
void apic_describe(const struct cpu *, FILE *);

/* A performance counter has overflowed: its entry of the local vector table says what that is. */
void apic_perf_interrupt(struct cpu *);

/* EOI of this processor, as a write to the EOI register. */
void apic_eoi(struct cpu *);

#endif
