/* Debug registers at work: SDM Vol 3B "Debug Registers", "Debug Exceptions".
 *
 * Nobody looks at DR7 on the normal path.  When a register is written, cpu_breakpoints_changed() notes
 * which breakpoints are enabled, and from there three ways lead to a #DB:
 *
 *   Data: pages with a watched address get no tags in the soft TLB.  Every access to them takes the slow path, which
 *   runs its instruction alone and notes a hit; the trap comes behind the instruction.
 *   Code: with an execution breakpoint the dispatcher sees every page that is entered; in a page with one it goes
 *   instruction by instruction and asks before each.
 *   Ports (CR4.DE): the I/O instructions ask.
 *
 * A hit counts once its instruction has completed.  An instruction that faults will be executed again, so
 * its hits are forgotten.  The processor's own accesses by linear address (descriptor tables, TSS, frames that events
 * push) count like the program's: SDM has no exception for them, and operating systems keep breakpoints off there.
 */
#ifndef SIM_CPU_EVENT_BREAKPOINT_H
#define SIM_CPU_EVENT_BREAKPOINT_H

#include "sim/cpu/cpu.h"

/* DR0-DR3, DR7 or CR4.DE have changed. */
void cpu_breakpoints_changed(struct cpu *);

/* Some data breakpoint, or what somebody outside watches (core_hooks.h), lies in the page of 'linear'. */
static inline bool cpu_breakpoint_data(const struct cpu *cpu)
{
    return cpu->break_data || cpu->watched;
}
bool cpu_breakpoint_watches_page(const struct cpu *, uint64_t linear);
/* An instruction has accessed memory, or a port. */
void cpu_breakpoint_access(struct cpu *, uint64_t linear, unsigned size, bool read, bool write);
void cpu_breakpoint_port(struct cpu *, uint16_t port, unsigned size);
/* The instruction ended so: its hits become pending debug exceptions, or nothing. */
void cpu_breakpoint_settle(struct cpu *, enum exec_result);

/* Some execution breakpoint lies in the page of 'linear'. */
bool cpu_breakpoint_in_page(const struct cpu *, uint64_t linear);
/* EXEC_FAULT: the instruction at 'linear' must not start: #DB. */
enum exec_result cpu_breakpoint_fetch(struct cpu *, uint64_t linear);

#endif
