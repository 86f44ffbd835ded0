/* The workload as a program: workload_NAME [rounds]. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/workload/workload.h"

int
main(int argc, char **argv)
{
    printf("%016" PRIx64 "\n", workload_run(argc > 1 ? (unsigned)atoi(argv[1]) : 10));
    return 0;
}
