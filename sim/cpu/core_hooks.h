/* Watching the hot core: for the crosscheck, service tracing and tests.
 *
 * Block hooks see every `every`-th block: `before` with the state as it is
 * before the block's first instruction, `after` when it was left (finished,
 * or cut short by a fault, an event or the end of the budget).  While they
 * are on blocks are not chained, so all of them pass the dispatcher; what the
 * machine computes, and when, is the same.
 *
 * Entry observers fire before an instruction at a physical address executes,
 * each time; the block that starts there gets a special head, all others pay nothing.
 *
 * Hooks only look.  They must not change the machine.
 */
#ifndef SIM_CPU_CORE_HOOKS_H
#define SIM_CPU_CORE_HOOKS_H

#include "sim/cpu/cpu.h"

struct core_block_end {
    enum exec_result result; /* EXEC_OK: ran on; EXEC_FAULT: cpu->fault, nothing delivered yet; else as there */
    uint64_t instructions;   /* retired in the block [count] */
};

struct core_hooks {
    uint64_t every; /* 0 = off */
    void *ctx;
    void (*before)(void *ctx, struct cpu *);
    void (*after)(void *ctx, struct cpu *, const struct core_block_end *);
};

/* Copies the hooks; NULL turns them off.  Not from within a hook. */
void core_hooks_set(struct cpu *, const struct core_hooks *);

typedef void core_observer_fn(void *ctx, struct cpu *);
/* One observer per machine and address; a second call for an address replaces it, fn NULL removes it. */
void core_observe_entry(struct machine *, uint64_t spa, core_observer_fn *fn, void *ctx);

/* A debugger may also change the machine: registers, memory, rip.  'before' is called before every instruction of a
 * processor that steps (core_debug_step); 'translated' whenever code is looked up by a linear address whose page has
 * been translated anew.  Entry observers that changed something call cpu_attend(cpu, 0). */
struct core_debug {
    void *ctx;
    void (*before)(void *ctx, struct cpu *);
    void (*translated)(void *ctx, struct cpu *, uint64_t linear, uint64_t spa);
};
void core_debug_set(struct cpu *, const struct core_debug *); /* copies; NULL: none */
void core_debug_step(struct cpu *, bool on);

/* Linear address of cpu->rip. */
uint64_t core_fetch_linear(const struct cpu *);
/* The bytes of the instruction at a linear address, and what follows, as far as they are mapped; returns how many. */
enum { CORE_CODE_MAX = 15 };
unsigned core_peek_code(struct cpu *, uint64_t linear, uint8_t bytes[CORE_CODE_MAX]);

#endif
