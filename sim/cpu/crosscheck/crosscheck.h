/* Every Nth block once more on Unicorn: `--crosscheck N`.
 *
 * Before a chosen block runs, Unicorn runs the same instructions from the same
 * registers, reading memory through the processor's own translations
 * (cpu_peek), inside guests too.  When our core has left the block, registers,
 * flags and every page that Unicorn touched must agree.  A disagreement stops
 * the machine (STOP_DIVERGED) with both states and the disassembly.
 *
 * Complications.  First, a block may end early (fault, event): then Unicorn is
 * rewound and asked for just the instructions that were retired.  Second, some
 * instructions cannot be compared (system, I/O, approximations): such a block
 * is compared if the core stopped before them, and counted by reason if not.
 * Third, flags that the manual leaves undefined are masked by the table's
 * fu: column, until an instruction defines them again.  Fourth, our page
 * walker may set accessed and dirty bits meanwhile; a difference of only
 * these bits in a page is none.  MXCSR's exception flags are not compared:
 * Unicorn 2.0.1 does not maintain them (the host oracle checks ours).
 *
 * It only looks: a run with and without it computes the same.
 */
#ifndef SIM_CPU_CROSSCHECK_CROSSCHECK_H
#define SIM_CPU_CROSSCHECK_CROSSCHECK_H

#include <stdint.h>
#include <stdio.h>

struct crosscheck; /* owned by the creator; machine->crosscheck may point to it */
struct machine;

/* Hooks into all processors of the machine.  'every' >= 1.  NULL: no Unicorn. */
struct crosscheck *crosscheck_new(struct machine *, uint64_t every);
/* Unhooks.  The machine must still exist. */
void crosscheck_free(struct crosscheck *);
/* Counters: blocks seen, compared, skipped by reason. */
void crosscheck_report(const struct crosscheck *, FILE *);

struct crosscheck_counts { uint64_t blocks, compared, instructions, skipped, diverged; };
struct crosscheck_counts crosscheck_counts(const struct crosscheck *);

#endif
