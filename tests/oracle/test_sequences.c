/* Random runs of instructions at full speed, on both tiers and timed, against the host. */
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/oracle/oracle.h"

enum { BATCH = 512, COMPLAINTS_MAX = 12 };

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct totals { unsigned long cases, complete, different; };

static void compare(struct oracle_ours *ours, const char *tier, const struct oracle_case *c,
                    const struct oracle_outcome *host, struct totals *t)
{
    static struct oracle_outcome mine;
    oracle_ours_run(ours, c, &mine);
    t->cases++;
    t->complete += host->vector == X_BP;
    if (oracle_same(c, &mine, host, "host", NULL)) {
        return;
    }
    if (t->different++ < COMPLAINTS_MAX) {
        printf("--- %s\n", tier);
        oracle_print_case(c, stdout);
        oracle_same(c, &mine, host, "host", stdout);
    }
}

int main(int argc, char **argv)
{
    struct oracle_case *cases = shared(BATCH * sizeof *cases);
    struct oracle_outcome *theirs = shared(BATCH * sizeof *theirs);
    struct oracle_ours *functional = oracle_ours_new(false), *timed = oracle_ours_new(true);
    struct oracle_ours *compiled = oracle_ours_new_compiled();
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0xc0ac29b7c97c50dd;
    const char *given = getenv("HVLAB_ORACLE_CASES");
    unsigned batches = given ? (unsigned)atoi(given) / BATCH : getenv("HVLAB_LONG") ? 2000 : 100;
    struct totals t = { 0 };
    unsigned long killed = 0;

    if (oracle_host_unavailable()) {
        printf("SKIP: %s\n", oracle_host_unavailable());
        return 0;
    }
    for (unsigned b = 0; b < batches; b++) {
        for (unsigned i = 0; i < BATCH; i++) {
            oracle_generate_sequence(&cases[i], i % 4 == 3, &seed);
        }
        unsigned done = oracle_host_run(cases, theirs, BATCH);
        if (done < BATCH) {
            printf("killed the host's child process:\n");
            oracle_print_case(&cases[done], stdout);
            killed++;
        }
        for (unsigned i = 0; i < done; i++) {
            compare(functional, "functional", &cases[i], &theirs[i], &t);
            compare(timed, "timed", &cases[i], &theirs[i], &t);
            compare(compiled, "compiled", &cases[i], &theirs[i], &t);
        }
    }
    printf("sequences: %lu cases, %lu to the end, the rest to a fault, %lu differ, %lu killed the child\n", t.cases,
           t.complete, t.different, killed);
    oracle_ours_free(functional);
    oracle_ours_free(timed);
    oracle_ours_free(compiled);
    return t.different != 0 || killed != 0;
}
