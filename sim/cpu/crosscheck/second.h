/* A second processor for second opinions: Unicorn behind a small window.
 *
 * It runs N instructions from given registers.  Memory it sees is flat and
 * linear: what our paging makes of an address is looked up page by page, the
 * first time Unicorn touches it, through a callback that copies the page.  So
 * it can follow any guest without knowing about paging, nesting or devices;
 * a page the callback does not have (MMIO, not present) ends the run.
 *
 * Complications.  First, opening Unicorn costs milliseconds and mapping a
 * page 16 microseconds, so one instance lives long and keeps its pages; they
 * are compared with the machine's memory and refreshed before every run.
 * Second, Unicorn caches translated code and does not see that we changed a
 * page behind its back: changed pages are dropped from its cache.  Third, a
 * repeated string instruction is one instruction, although Unicorn reports
 * each iteration.  Fourth, a fault stops it with registers that mean nothing.
 *
 * What it cannot do, or does wrong, are rows of defects.def.
 */
#ifndef SIM_CPU_CROSSCHECK_SECOND_H
#define SIM_CPU_CROSSCHECK_SECOND_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/cpu/cpu.h"

enum { SECOND_PAGE = 4096 };

struct second; /* owned by its creator */

struct second_regs {
    uint64_t gpr[16];
    uint64_t rip, rflags, fs_base, gs_base;
    union xmm xmm[16];
    uint32_t mxcsr;
    unsigned bits; /* code width: 32 or 64 */
};

/* Copies the page at 'linear' (a multiple of SECOND_PAGE); false: there is none. */
typedef bool second_page_fn(void *ctx, uint64_t linear, uint8_t bytes[SECOND_PAGE]);

enum second_result {
    SECOND_OK,
    SECOND_NO_PAGE,  /* touched a page the callback does not have */
    SECOND_FAULT,    /* raised an exception; see second_vector() */
    SECOND_FULL,     /* touched too many pages */
    SECOND_ERROR,    /* Unicorn failed in another way */
};

struct second *second_new(second_page_fn *, void *ctx); /* NULL: no Unicorn */
void second_free(struct second *);

enum second_result second_run(struct second *, const struct second_regs *in, unsigned instructions,
                              struct second_regs *out);
unsigned second_vector(const struct second *); /* after SECOND_FAULT */

/* Puts memory back to what it was before the last run.  A run right after it
 * (second_run_again) does not refresh pages: the machine may have moved on. */
void second_rewind(struct second *);
enum second_result second_run_again(struct second *, const struct second_regs *in,
                                    unsigned instructions, struct second_regs *out);

/* NULL when the row's instructions can be compared, else why not (defects.def). */
struct x86_row;
const char *second_cannot(const struct x86_row *);

/* The pages it has, with contents after the run. */
unsigned second_page_count(const struct second *);
const uint8_t *second_page(const struct second *, unsigned index, uint64_t *linear);

#endif
