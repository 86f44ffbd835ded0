/* What performance monitoring keeps in struct cpu; pmu.h has the story. */
#ifndef SIM_CPU_SYSTEM_PMU_STATE_H
#define SIM_CPU_SYSTEM_PMU_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum { PMU_GENERAL = 8, PMU_FIXED = 3, PMU_COUNTERS = PMU_GENERAL + PMU_FIXED, /* fixed ones behind the others */
       PMU_LBR = 16 /* last branch records */ };

enum pmu_event {
    PMU_NOTHING, PMU_CYCLES, PMU_INSTRUCTIONS, PMU_BRANCHES, PMU_TAKEN_BRANCHES, PMU_MISPREDICTS, PMU_LLC_REFERENCES, PMU_LLC_MISSES,
    PMU_EVENT_COUNT
};

/* Machine state, all quadwords. */
struct pmu {
    uint64_t select[PMU_GENERAL];       /* event select registers */
    uint64_t counter[PMU_COUNTERS];     /* as of the latest settling */
    uint64_t fixed_ctrl, global_ctrl, global_status;
    uint64_t settled[PMU_EVENT_COUNT];  /* each event's total then */
    uint64_t user;                      /* privilege since then: 1 above ring 0 */
    uint64_t branches, taken_branches;  /* seen so far; nobody looks unless a counter wants them */
    uint64_t lbr_from[PMU_LBR], lbr_to[PMU_LBR], lbr_tos, lbr_select;
    uint64_t lbr_mispredicts;           /* up to the latest branch */
    uint64_t mperf_offset, aperf_offset; /* what WRMSR added */
};

/* What a counter does; follows from the registers. */
struct pmu_use { uint8_t event; bool user, system, interrupt; };

#endif
