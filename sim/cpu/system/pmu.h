/* Performance monitoring: SDM Vol 3B "Performance Monitoring" (architectural, version 3) and APM Vol 2 "Performance
 * Monitoring Counters".
 *
 * Nobody counts anything while the machine runs: instructions and cycles the core counts anyway, mispredictions and cache
 * misses the timing model.  A counter holds its value as of the latest settling and is brought up to date when somebody looks
 * (RDPMC, RDMSR), when a register is written, when it overflows, and when privilege changes, so that what passed belongs
 * to one side of the user/system filter.
 *
 * First, an overflow that interrupts is foreseen: pmu_boundary() says when it can happen at the earliest and the run
 * loop goes no further.  In functional timing that is the very instruction; in approximate timing an estimate that comes
 * closer from below.  Second, branches are nowhere counted: while a counter wants them (pmu_steps) the processor goes
 * instruction by instruction; so it does for last branch records.  Third, pmu_counts is false nearly always, and then
 * none of this costs anything.
 *
 * Not modelled: edge detection, counter masks and inversion (a counter with one of these counts nothing), PEBS, IBS,
 * AMD's record of the last branch.  In functional timing nothing is mispredicted and there are no caches: leaf 0AH says
 * that it does not count these.  An instruction that is being executed is not counted yet.
 */
#ifndef SIM_CPU_SYSTEM_PMU_H
#define SIM_CPU_SYSTEM_PMU_H

#include "sim/cpu/cpu.h"

void pmu_reset(struct cpu *);  /* RESET; INIT changes nothing */
void pmu_follow(struct cpu *); /* registers were loaded or written: works out what counts now */

void pmu_set_debugctl(struct cpu *, uint64_t); /* IA32_DEBUGCTL, which turns branch records on and off */

/* --- for the run loop, if cpu->pmu_counts ------------------------------------------ */

/* Raises what has overflowed; 'until' or an earlier cycle at which a counter may next. */
uint64_t pmu_boundary(struct cpu *, uint64_t until);
void pmu_look_privilege(struct cpu *); /* the mode may have changed */
/* If pmu_steps: a branch at 'from' [enum branch_type] was executed, if 'result' says so; lbr.c records it. */
void pmu_branch(struct cpu *, unsigned type, uint64_t from, enum exec_result result, bool taken);
void pmu_event_taken(struct cpu *, uint64_t from); /* an interrupt or exception at 'from' has been delivered */
void pmu_record(struct cpu *, unsigned type, uint64_t from);

/* --- what software sees ------------------------------------------------------------- */

/* RDPMC and RDPRU; false: no such counter. */
bool pmu_read_by_number(const struct cpu *, uint32_t number, uint64_t *value);
uint64_t pmu_read_unhalted(const struct cpu *, unsigned n); /* 0 MPERF, 1 APERF */

/* Registers, as msr_registers.h wants them. */
bool pmu_has_counter(const struct cpu *, unsigned n);
bool pmu_has_global(const struct cpu *, unsigned n);
uint64_t pmu_read_counter(const struct cpu *, unsigned n);
uint64_t pmu_read_fixed(const struct cpu *, unsigned n);
uint64_t pmu_read_select(const struct cpu *, unsigned n);
uint64_t pmu_read_core(const struct cpu *, unsigned n);
uint64_t pmu_read_global_status(const struct cpu *, unsigned n);
enum exec_result pmu_write_counter(struct cpu *, unsigned n, uint64_t value); /* sign-extends 32 bits */
enum exec_result pmu_write_full(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_fixed(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_select(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_core(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_fixed_ctrl(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_global_ctrl(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_global_ovf_ctrl(struct cpu *, unsigned n, uint64_t value);
enum exec_result pmu_write_unhalted(struct cpu *, unsigned n, uint64_t value);

/* --- between pmu.c and pmu_registers.c ------------------------------------------------ */

#define PMU_MASK ((1ull << 48) - 1) /* counters are 48 bits wide */

void pmu_settle(struct cpu *);                                /* counters are up to date */
uint64_t pmu_value(const struct cpu *, unsigned counter);     /* what it is now */
uint64_t pmu_overflowed(const struct cpu *);                  /* since the latest settling [as in global registers] */
unsigned pmu_general_count(const struct cpu *);
uint64_t pmu_global_bit(unsigned counter);                    /* in IA32_PERF_GLOBAL_CTRL and its neighbours */

#endif
