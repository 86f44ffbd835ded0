/* Faults, interrupts and what precedes them, beyond the contract in sim/cpu/cpu.h.
 *
 * Delivery happens in one place.  A fault is recorded (cpu_raise), the dispatcher calls
 * cpu_deliver; an external event is noticed by cpu_look.  Both end in deliver.c, which asks the
 * virtualization layer first, reads the IDT, builds the stack frame and only then commits; a fault on
 * the way becomes the next event by the rules of "Interrupt 8-Double Fault Exception".
 *
 * How the run loop works with this, at every instruction boundary with cpu->attention or RFLAGS.TF set:
 *
 *     result = cpu_look(cpu);                        deliver, exit or wake; EXEC_OK: nothing happened
 *     if (result == EXEC_OK && cpu->activity == ACTIVE && cpu_event_must_step(cpu)) {
 *         unsigned token = cpu_event_step_begin(cpu);   TF and shadows in force for this instruction
 *         ... run exactly one instruction ...
 *         cpu_event_step_end(cpu, token, result, branched);   shadows end, single-step trap becomes pending
 *     }
 *
 * ATTN_INTR means "look once": cpu_look clears it when the interrupt cannot be taken now (IF = 0,
 * priority), and whoever changes that (STI, POPF, IRET, CR8, EOI, VM entry and exit) sets it again with
 * cpu_event_recheck().  ATTN_NMI, ATTN_INIT and ATTN_SIPI are latches: they stay until taken.
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

/* Records a software event (INT n, INT3, INTO, INT1) of an instruction 'length' bytes long. */
enum exec_result cpu_raise_software(struct cpu *, unsigned vector, enum int_type, unsigned length);

/* See the essay.  The token is opaque. */
bool cpu_event_must_step(const struct cpu *);
unsigned cpu_event_step_begin(struct cpu *);
void cpu_event_step_end(struct cpu *, unsigned token, enum exec_result, bool branched);

/* Something may have become deliverable (IF, TPR, shadow, world). */
void cpu_event_recheck(struct cpu *);

/* Shutdown after a triple fault: VM exit, or the machine stops with a dump. */
enum exec_result cpu_event_triple_fault(struct cpu *, const struct fault *last);

/* Text for people: registers and segments, as printed when the machine stops. */
void cpu_event_dump(const struct cpu *, char *text, size_t size);

/* --- inside event/ ---------------------------------------------------------- */

/* One attempt through the IDT with 'rip' as return address.  EXEC_JUMP, EXEC_FAULT (recorded),
 * EXEC_VMEXIT or EXEC_STOP. */
enum exec_result cpu_event_through_idt64(struct cpu *, const struct fault *, bool external, uint64_t rip);
enum exec_result cpu_event_through_idt32(struct cpu *, const struct fault *, bool external, uint64_t rip);
enum exec_result cpu_event_through_ivt(struct cpu *, const struct fault *, bool external, uint64_t rip);
/* RFLAGS as pushed for this event: RF is set for faults. */
uint64_t cpu_event_pushed_rflags(const struct cpu *, const struct fault *, bool external);
/* EXT bit of error codes of faults met while delivering it. */
uint32_t cpu_event_ext(const struct fault *, bool external);
static inline bool cpu_event_is_software(const struct fault *f)
{
    return f->int_type == INT_SOFTWARE || f->int_type == INT_SOFT_EXCEPTION;
}

#endif
