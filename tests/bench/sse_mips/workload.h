/* The floating-point and SSE workload of the speed measure: planets, a matrix product, a fractal, byte scans and
 * copies, checksums and integer mixing.  The same source runs natively and as a bare-metal guest under hvlab and
 * QEMU; all must return the same value: every operation of IEEE 754 has one right answer. */
#ifndef TESTS_BENCH_SSE_MIPS_WORKLOAD_H
#define TESTS_BENCH_SSE_MIPS_WORKLOAD_H

#include <stdint.h>

/* 'rounds' scales the work.  Returns a checksum of everything computed. */
uint64_t workload_run(unsigned rounds);

#endif
