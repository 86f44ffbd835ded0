/* What a decoded block costs when nothing misses.
 *
 * The largest of: issue (micro-operations / width), each execution port's
 * load, and the longest dependency chain through registers and flags; micro-coded
 * instructions stand alone and add up.  A block that branches to its own head
 * overlaps with itself, which the port and issue bounds see and the chain
 * bound does not exceed.
 */
#ifndef SIM_TIME_BLOCK_COST_H
#define SIM_TIME_BLOCK_COST_H

#include <stdint.h>

struct insn;

/* 'records': the block's records, head excluded. At least 1. [1/16 cycle] */
uint32_t time_block_cost(const struct insn *records, unsigned count);

#endif
