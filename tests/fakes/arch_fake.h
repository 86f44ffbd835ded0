/* A processor made of plain data, for host tests of hv/: implements
 * hv/arch/arch.h and hv/arch/lp_arch.h.
 *
 * Memory is an array; a VMCS is a table beside it, found by its address; the TSC
 * advances by itself at every read; "the guest" is a function of the test.
 * Anything that would wait for ever fails the test with a message.
 */
#ifndef TESTS_FAKES_ARCH_FAKE_H
#define TESTS_FAKES_ARCH_FAKE_H

#include <setjmp.h>

#include "hv/sched/sched.h"
#include "hv/vp/vp.h"

enum { FAKE_MEMORY = 96 << 20, FAKE_LPS = 4, FAKE_TSC_STEP = 50 };
#define FAKE_TSC_HZ 2000000000ull

struct fake {
    unsigned lp;               /* on which LP the test "runs" */
    uint64_t tsc;
    unsigned kicks[FAKE_LPS];  /* interrupts sent to each LP */
    unsigned inveptions;       /* INVEPT executed */
    unsigned pauses;           /* since the last progress */
    void (*pause)(void);       /* what other processors do meanwhile, or NULL */
    /* Runs instead of a guest: sets up the next VM exit. */
    void (*guest)(struct vp *);
    char log[4096];            /* what hv_log wrote */
    unsigned log_length;
    jmp_buf *panic;            /* where hv_panic ends, or NULL: the test fails */
    uint32_t edx_ext1;
};
extern struct fake fake;

/* Everything as after boot with 'lps' processors: hv filled, root partition with one VP. */
void world_new(unsigned lps);
extern struct vp *world_root; /* the root's VP */

/* Executes a hypercall of 'vp'; continuations included. Returns RAX. */
uint64_t world_call(struct vp *vp, uint64_t control, uint64_t rdx, uint64_t r8);
/* The same with an input block copied to the root's input page; output at world_output(). */
uint64_t world_call_block(uint64_t control, const void *input, size_t size);
void *world_output(void);
void *world_memory(uint64_t spa);

/* A child with 'pages' pages of RAM at GPA 0, backed by consecutive pages of the root; one VP, resumed. */
struct vp *world_child(unsigned pages, uint64_t *partition);
uint64_t world_child_base(void); /* SPA of the newest child's memory */

void fake_set_exit(uint32_t reason, uint64_t qualification);

#endif
