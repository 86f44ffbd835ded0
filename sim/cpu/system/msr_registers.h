/* The registers behind RDMSR and WRMSR: rows of spec/x86/msrs.def and where each keeps its value.
 *
 * A row says what the manual says; its home is a field of struct cpu, a constant (the model's, if it has one), or a pair
 * of functions.  msr.c reads both; nothing else does.
 */
#ifndef SIM_CPU_SYSTEM_MSR_REGISTERS_H
#define SIM_CPU_SYSTEM_MSR_REGISTERS_H

#include "sim/cpu/cpu.h"

enum msr_access { MSR_RO = 1, MSR_WO = 2, MSR_RW = 3 };
enum msr_rule { MSR_PLAIN, MSR_CANONICAL, MSR_IGNORED, MSR_TYPES, MSR_MTRR, MSR_SPECIAL };
enum msr_vendor { MSR_ANY, MSR_INTEL, MSR_AMD };

struct msr_row {
    uint32_t index, count;
    uint8_t access;   /* [enum msr_access] */
    uint8_t rule;     /* [enum msr_rule] */
    uint8_t vendor;   /* [enum msr_vendor] */
    uint16_t feature; /* [enum cpu_feature] */
    uint64_t writable;
};

struct msr_home {
    size_t offset;      /* of the first register in struct cpu, or 0 */
    uint64_t constant;  /* read when there is neither field nor function, and the model has none */
    uint64_t (*read)(const struct cpu *, unsigned n);
    enum exec_result (*write)(struct cpu *, unsigned n, uint64_t value); /* rule SPECIAL */
    bool (*exists)(const struct cpu *, unsigned n); /* beyond vendor and feature; NULL: it does */
};

/* The row of a register that this processor has, and its home; NULL: it has no such register. */
const struct msr_row *msr_find(const struct cpu *, uint32_t index, const struct msr_home **home);

/* What RESET puts into the registers of a vendor. */
void msr_reset(struct cpu *);

bool msr_is_mtrr_type(uint64_t type);

#endif
