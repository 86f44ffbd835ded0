/* Segmented code against the host's processor: limits, types and sizes of every segment, transfers between them. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/oracle/oracle.h"

enum { BATCH = 2048, COMPLAINTS_MAX = 12 };

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct totals { unsigned long cases, faults, known, different, killed; };

static const char *known_difference(const struct oracle_case *c, const struct oracle_outcome *ours,
                                    const struct oracle_outcome *host)
{
    (void)c, (void)ours, (void)host;
#define KNOWN(prefix, condition, why)                                                        \
    if (c->row && !strncmp(c->row->exec, prefix, sizeof(prefix) - 1) && (condition)) {       \
        return why;                                                                          \
    }
#include "tests/oracle/segments_known.def"
    return NULL;
}

static void compare(struct oracle_ours *ours, const struct oracle_case *c, const struct oracle_outcome *host, struct totals *t)
{
    static struct oracle_outcome mine;

    oracle_ours_run(ours, c, &mine);
    t->cases++;
    t->faults += host->vector >= 0;
    if (oracle_same(c, &mine, host, "host", NULL)) {
        return;
    }
    if (known_difference(c, &mine, host)) {
        t->known++;
    } else if (t->different++ < COMPLAINTS_MAX) {
        oracle_print_case(c, stdout);
        printf("    es %04x cs %04x ss %04x ds %04x gs %04x\n", c->selector[ES], c->selector[CS], c->selector[SS],
               c->selector[DS], c->selector[GS]);
        oracle_same(c, &mine, host, "host", stdout);
    }
}

int main(int argc, char **argv)
{
    struct oracle_case *cases = shared(BATCH * sizeof *cases);
    struct oracle_outcome *theirs = shared(BATCH * sizeof *theirs);
    struct oracle_ours *ours[2] = { oracle_ours_new(false), oracle_ours_new_compiled() };
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 0x9b05688c2b3e6c1f;
    const char *given = getenv("HVLAB_ORACLE_CASES");
    unsigned batches = given ? (unsigned)atoi(given) / BATCH : getenv("HVLAB_LONG") ? 500 : 25;
    struct totals t = { 0 };

    if (oracle_host_unavailable()) {
        printf("SKIP: %s\n", oracle_host_unavailable());
        return 0;
    }
    for (unsigned b = 0; b < batches; b++) {
        for (unsigned i = 0; i < BATCH; i++) {
            oracle_generate_segmented(&cases[i], &seed);
        }
        unsigned done = oracle_host_run(cases, theirs, BATCH);
        if (done < BATCH) {
            printf("killed the host's child process:\n");
            oracle_print_case(&cases[done], stdout);
            t.killed++;
        }
        for (unsigned i = 0; i < done; i++) {
            compare(ours[i & 1], &cases[i], &theirs[i], &t);
        }
    }
    printf("segments: %lu cases, %lu fault, %lu differ as known, %lu differ, %lu killed the child\n", t.cases, t.faults, t.known,
           t.different, t.killed);
    oracle_ours_free(ours[0]);
    oracle_ours_free(ours[1]);
    return t.different != 0 || t.killed != 0;
}
