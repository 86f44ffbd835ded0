/* What the hypervisor needs of a processor, and how it says that it is missing. */
#ifndef HV_BOOT_REQUIRE_H
#define HV_BOOT_REQUIRE_H

#include "hv/arch/arch.h"

/* CPUID and MSR facts; MSRs are read only where CPUID says they exist. */
struct require_facts {
    uint32_t max_leaf, leaf1_ecx, leaf1_edx, ext1_edx;
    uint64_t feature_control;
};

void require_read(struct require_facts *);
/* NULL when nothing is missing, else what is, in words that follow "this machine lacks". */
const char *require_missing(const struct require_facts *);

#endif
