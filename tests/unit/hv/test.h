/* cmocka and the world, for the tests of hv/. */
#ifndef TESTS_UNIT_HV_TEST_H
#define TESTS_UNIT_HV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "tests/fakes/arch_fake.h"

enum { PAGE = 4096 };
#define REPS(n) ((uint64_t)(n) << HV_CONTROL_REP_COUNT_SHIFT)
#define STATUS(result) ((result) & HV_RESULT_STATUS)
#define REPS_DONE(result) ((result) >> HV_RESULT_REPS_SHIFT)

/* A child of 64 pages on one LP, its VP and partition. */
struct child { struct vp *vp; struct partition *partition; uint64_t id, base; };
static inline struct child new_child(unsigned lps)
{
    struct child c;
    world_new(lps);
    c.vp = world_child(64, &c.id);
    c.partition = c.vp->partition;
    c.base = world_child_base();
    return c;
}

#endif
