/* The integer workload of the speed measure: compression, hashing, sorting, matrix
 * multiplication, in plain C.  The same source runs natively and, linked at a fixed
 * address, as a bare-metal guest; both must return the same value. */
#ifndef TESTS_BENCH_CPU_MIPS_WORKLOAD_H
#define TESTS_BENCH_CPU_MIPS_WORKLOAD_H

#include <stdint.h>

enum { WORKLOAD_SCRATCH = 4 << 20 }; /* [bytes] of memory it needs */

/* 'rounds' scales the work.  Returns a checksum of everything computed. */
uint64_t workload_run(uint8_t *scratch, unsigned rounds);

#endif
