/* The workloads of the speed measures.  The same source runs natively and as a bare-metal guest under hvlab and its
 * peers; all must return the same value.
 *
 * integer.c: compression, hashing, sorting, matrix multiplication in plain C.
 * floating.c: planets, a matrix product, a fractal, byte scans and copies, checksums and integer mixing: floating point
 * and SSE.  Every operation of IEEE 754 has one right answer.
 */
#ifndef TESTS_BENCH_WORKLOAD_WORKLOAD_H
#define TESTS_BENCH_WORKLOAD_WORKLOAD_H

#include <stdint.h>

/* 'rounds' scales the work.  Returns a checksum of everything computed. */
uint64_t workload_run(unsigned rounds);

#endif
