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
 * processor that steps (core_debug_step); 'accessed' behind one that met a watch (below); 'translated' whenever code is
 * looked up by a linear address whose page has been translated anew.  Entry observers that changed something call cpu_attend(cpu, 0). */
struct core_watch_hit;
struct core_debug {
    void *ctx;
    void (*before)(void *ctx, struct cpu *);
    void (*accessed)(void *ctx, struct cpu *, const struct core_watch_hit *);
    void (*translated)(void *ctx, struct cpu *, uint64_t linear, uint64_t spa);
};
void core_debug_set(struct cpu *, const struct core_debug *); /* copies; NULL: none */
void core_debug_step(struct cpu *, bool on);

/* Watched memory, by linear address in whatever address space.  Seen are the program's accesses and the processor's own
 * by linear address (descriptor tables, TSS, frames that events push), not page walks and not what devices do.  Pages with
 * a watch get no tags in the soft TLB, as with DR0-DR3 (event/breakpoint.h).  'accessed' is called behind the instruction,
 * or the event's delivery, that completed; with the first of its accesses that a watch wanted.  A repeated string
 * instruction is told of when it ends or pauses. */
struct core_watch {
    uint64_t first, last; /* linear addresses of its bytes */
    bool on_read, on_write;
};
struct core_watch_hit {
    uint64_t linear; /* first watched byte that was accessed */
    unsigned watch;  /* index */
    bool write;
};
/* 'count' watches of the caller's, who keeps them until the next call; 0: none. */
void core_debug_watch(struct cpu *, const struct core_watch *, unsigned count);
/* For event/breakpoint.c, with cpu->watched: is there a watch in the page of 'linear'; and what was accessed. */
bool core_watch_in_page(const struct cpu *, uint64_t linear);
void core_watch_access(struct cpu *, uint64_t linear, unsigned size, bool read, bool write);

/* Linear address of cpu->rip. */
uint64_t core_fetch_linear(const struct cpu *);
/* The bytes of the instruction at a linear address, and what follows, as far as they are mapped; returns how many. */
enum { CORE_CODE_MAX = 15 };
unsigned core_peek_code(struct cpu *, uint64_t linear, uint8_t bytes[CORE_CODE_MAX]);

#endif
