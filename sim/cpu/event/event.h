/* Faults, interrupts and what precedes them, beyond the contract in sim/cpu/cpu.h.
 *
 * Delivery happens in one place.  A fault is recorded (cpu_raise), the dispatcher calls
 * cpu_deliver; an external event is noticed by cpu_look.  Both end in deliver.c, which asks the
 * virtualization layer first, reads the IDT, builds the stack frame and only then commits; a fault on
 * the way becomes the next event by the rules of "Interrupt 8-Double Fault Exception".
 *
 * While an event is being delivered nothing else may be recorded in cpu->fault but what went
 * wrong with it; the event itself travels by value.
 */
#ifndef SIM_CPU_EVENT_EVENT_H
#define SIM_CPU_EVENT_EVENT_H

#include "sim/cpu/cpu.h"

/* VMX interruption types, used to tell events apart everywhere (SDM Vol 3C "VM-Entry Controls for
 * Event Injection"). */
enum int_type {
    INT_EXTERNAL = 0, INT_NMI = 2, INT_HARDWARE = 3, INT_SOFTWARE = 4, INT_PRIVILEGED = 5,
    INT_SOFT_EXCEPTION = 6,
};

/* One attempt through the IDT (event/deliver64.c, deliver32.c, deliver16.c).  Pushes 'rip' as return
 * address.  EXEC_JUMP, EXEC_FAULT (recorded) or EXEC_VMEXIT. */
enum exec_result cpu_event_through_idt(struct cpu *, const struct fault *, bool external, uint64_t rip);

/* Text for people: registers and segments, as printed when the machine stops. */
void cpu_event_dump(const struct cpu *, char *text, size_t size);

/* After an instruction ended while RFLAGS.TF was set before it: pending #DB (BS). */
void cpu_event_single_step(struct cpu *);

#endif
