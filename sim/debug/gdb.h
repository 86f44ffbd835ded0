/* A debugger's view of the machine: gdb's remote serial protocol over TCP.
 *
 * Threads are processors (thread n = processor n-1).  A breakpoint, a single step or Ctrl-C freezes the whole machine
 * exactly where it is, in the middle of a round if need be, and gives it to the debugger; while nobody stops
 * it, the machine computes what it would compute without one (breakpoints are entry observers, core_hooks.h).
 * What the debugger changes (registers, memory) is of course a change.
 *
 *   frozen --c, s, vCont--> running --breakpoint, step done, Ctrl-C, end of run--> frozen
 *   frozen --D or connection lost--> running, nobody attached --connect, between slices--> frozen
 *   frozen --k--> the machine is asked to stop (STOP_REQUESTED)
 *
 * Watchpoints are at linear addresses too, in whatever address space; what they see is told in core_hooks.h.  The machine
 * stops behind the instruction that met one.  In approximate timing a stop inside a block cuts it in two, which the model
 * charges a little differently; in functional timing nothing shows.
 *
 * First, breakpoints are at linear addresses and code is found by physical ones: an address not mapped yet is
 * kept and looked up whenever the core translates a page anew, and it may be in several places, one per address space.
 * Second, all processors share the breakpoints, and all run while one steps.  Third, registers beyond gdb's own list are
 * offered in a target description (feature org.hvlab.system): control registers, EFER, descriptor-table and segment bases,
 * debug registers, MSRs.
 *
 * gdb(1): Appendix E "GDB Remote Serial Protocol", Appendix G "Target Descriptions".
 */
#ifndef SIM_DEBUG_GDB_H
#define SIM_DEBUG_GDB_H

#include <stdbool.h>
#include <stddef.h>

struct gdb; /* owned by the caller of gdb_listen until gdb_close */
struct machine;

/* Listens on 'where' (":PORT", on the loopback interface; ":0" picks a port).  NULL with a message in 'error'. */
struct gdb *gdb_listen(struct machine *, const char *where, char *error, size_t error_size);
unsigned gdb_port(const struct gdb *);
/* Waits for a debugger and serves it until it lets the machine run.  False: 'interrupted' became true, or it was told to kill. */
bool gdb_wait(struct gdb *, bool (*interrupted)(void));
/* Between slices of the run: a debugger that connects or presses Ctrl-C gets the machine. False: it was told to kill. */
bool gdb_poll(struct gdb *);
/* Tells the debugger how the run ended; frees. */
void gdb_close(struct gdb *, int exit_status);

#endif
