/* Far transfers of control: what CALL, JMP, RET and IRET share.  For system/ only. */
#ifndef SIM_CPU_SYSTEM_TRANSFER_H
#define SIM_CPU_SYSTEM_TRANSFER_H

#include "sim/cpu/system/segment.h"
#include "sim/cpu/system/sys.h"

/* Where a transfer goes, fully checked. */
struct transfer {
    struct segment cs;
    unsigned cpl;
    uint64_t rip;
};

/* Offsets must lie in the new code segment: limit, or canonical in 64-bit code. */
enum exec_result transfer_check_offset(struct cpu *, const struct transfer *);
static inline bool transfer_is_64bit(const struct cpu *cpu, const struct segment *cs)
{
    return cpu->efer & EFER_LMA && cs->rights & SEG_L;
}

/* Return to an outer (or, with 'same', the same) ring: code and stack segments of RET and IRET. */
enum exec_result transfer_check_return_code(struct cpu *, uint16_t selector, uint64_t rip, struct transfer *);
enum exec_result transfer_check_return_stack(struct cpu *, uint16_t selector, const struct transfer *,
                                             struct segment *ss);
/* SS and the stack pointer of the code that is returned to: a 16-bit stack loads SP only. */
void transfer_load_stack(struct cpu *, const struct transfer *, const struct segment *ss, uint64_t rsp);
/* Data segments too privileged for the new ring become null, and null selectors 1 to 3 become 0: silicon does, and
 * Linux counts on it (no manual says so).  A base that FS or GS has stays. */
void transfer_drop_data_segments(struct cpu *, unsigned cpl);

#endif
