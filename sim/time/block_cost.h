/* What a decoded block costs when nothing misses.
 *
 * The largest of four bounds: issue (micro-operations / width), each execution
 * port's load, memory ports, and what one turn through the block adds to the
 * dependency chains that go through it (registers and flags: the recurrence of
 * a loop, the pointer that is advanced, the sum that grows).  Micro-coded
 * instructions stand alone and add up.
 *
 * A chain within the block that is longer than these overlaps with the blocks
 * around it as far as the window reaches (row chain_hidden_percent), and
 * entirely when the block follows itself.
 */
#ifndef SIM_TIME_BLOCK_COST_H
#define SIM_TIME_BLOCK_COST_H

#include <stdint.h>

struct insn;

/* 'records': the block's records, head excluded. At least 1. [1/16 cycle] */
uint32_t time_block_cost(const struct insn *records, unsigned count);

#endif
