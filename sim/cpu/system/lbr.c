/* Last branch records: SDM Vol 3B "Last Branch, Interrupt, and Exception Recording", the 16 pairs of MSRs that parts from
 * Nehalem to Broadwell have.  While IA32_DEBUGCTL.LBR is set the processor goes instruction by instruction. */
#include "sim/cpu/system/pmu.h"

#include "sim/cpu/exec/branch.h"
#include "sim/cpu/system/sys.h"
#include "sim/time/timing.h"

enum { SELECT_NO_SYSTEM = 1, SELECT_NO_USER = 2, SELECT_CALLSTACK = 1 << 9, TOP = PMU_LBR - 1 };
#define FROM_MISPREDICTED (1ull << 63)
#define ADDRESS ((1ull << 63) - 1)

static void push(struct pmu *p, uint64_t from, uint64_t to)
{
    p->lbr_tos = (p->lbr_tos + 1) & TOP;
    p->lbr_from[p->lbr_tos] = from;
    p->lbr_to[p->lbr_tos] = to;
}

void pmu_record(struct cpu *cpu, unsigned type, uint64_t from)
{
    struct pmu *p = &cpu->pmu;
    uint64_t mispredicts = time_event_count(cpu, TIME_MISPREDICTS), missed = mispredicts != p->lbr_mispredicts;

    p->lbr_mispredicts = mispredicts;
    if (p->lbr_select & (type | (cpu_cpl(cpu) ? SELECT_NO_USER : SELECT_NO_SYSTEM))) {
        return;
    }
    if (p->lbr_select & SELECT_CALLSTACK && type == BRANCH_NEAR_RETURN) {
        p->lbr_from[p->lbr_tos] = p->lbr_to[p->lbr_tos] = 0;
        p->lbr_tos = (p->lbr_tos - 1) & TOP;
        return;
    }
    push(p, (from & ADDRESS) | (missed ? FROM_MISPREDICTED : 0), cpu->rip);
}
