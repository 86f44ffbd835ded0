/* Kinds of branches, as the filter of last branch records (SDM Vol 3B "Filtering of Last Branch Records") has them. */
#ifndef SIM_CPU_EXEC_BRANCH_H
#define SIM_CPU_EXEC_BRANCH_H

enum branch_type {
    BRANCH_NONE, BRANCH_CONDITIONAL_JUMP = 1 << 2, BRANCH_RELATIVE_CALL = 1 << 3, BRANCH_INDIRECT_CALL = 1 << 4,
    BRANCH_NEAR_RETURN = 1 << 5, BRANCH_INDIRECT_JUMP = 1 << 6, BRANCH_RELATIVE_JUMP = 1 << 7, BRANCH_FAR = 1 << 8,
};

#endif
