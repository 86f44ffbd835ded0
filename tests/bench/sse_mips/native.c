/* The workload as a program: sse_mips [rounds]. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/sse_mips/workload.h"

int
main(int argc, char **argv)
{
    printf("%016" PRIx64 "\n", workload_run(argc > 1 ? (unsigned)atoi(argv[1]) : 10));
    return 0;
}
