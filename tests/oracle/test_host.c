/* Every user-mode row of spec/x86/opcodes.tbl against the host's processor. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/oracle/oracle.h"

enum { BATCH = 512, COMPLAINTS_MAX = 25, COMPLAINTS_PER_ROW = 2 };

struct totals {
    unsigned long cases, odd, faults, known, different, killed;
    unsigned *of_row; /* cases compared, by row */
    bool *wanted;     /* rows that are not exempt */
};

static uint32_t ulps(uint32_t x, uint32_t y)
{
    return x > y ? x - y : y - x;
}

/* SDM Vol 2 "RCPPS": |relative error| <= 1.5 * 2^-12, so two of them differ by twice that. */
static bool close_enough(const struct oracle_outcome *a, const struct oracle_outcome *b)
{
    for (unsigned i = 0; i < 64; i++) {
        if (ulps(a->out.xmm[i / 4].u32[i % 4], b->out.xmm[i / 4].u32[i % 4]) > 3 << 12 ||
            ulps(a->out.ymm_high[i / 4].u32[i % 4], b->out.ymm_high[i / 4].u32[i % 4]) > 3 << 12) {
            return false;
        }
    }
    return a->out.rip == b->out.rip && a->out.mxcsr == b->out.mxcsr && a->vector == b->vector;
}

/* Alike but for the register that got a random number. */
static bool random_register(const struct oracle_case *c, const struct oracle_outcome *ours,
                            const struct oracle_outcome *host)
{
    struct oracle_outcome same = *ours;
    unsigned differ = 0;
    for (unsigned i = 0; i < 16; i++) {
        differ += ours->out.gpr[i] != host->out.gpr[i];
        same.out.gpr[i] = host->out.gpr[i];
    }
    return differ <= 1 && oracle_same(c, &same, host, "host", NULL);
}

static uint64_t word(const uint8_t *image, unsigned at, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, image + at, size);
    return value;
}

/* Signed distance of two 80-bit numbers of one sign [units in the last place], as far as it is small. */
static bool is_near(const uint8_t *a, const uint8_t *b)
{
    uint64_t x = word(a, 0, 8), y = word(b, 0, 8), ea = word(a, 8, 2), eb = word(b, 8, 2);
    if (ea == eb) {
        return x - y + 1 <= 2;
    }
    return (ea == eb + 1 && x == 1ull << 63 && y == ~0ull) || (eb == ea + 1 && y == 1ull << 63 && x == ~0ull);
}

/* x87: all is equal but the last bit of results, and C1, which tells how they were rounded. */
static bool last_place(const struct oracle_outcome *a, const struct oracle_outcome *b, bool exact)
{
    const uint8_t *x = a->out.x87, *y = b->out.x87;
    uint64_t free_bits = 1 << 9 | (exact ? 1 << 4 | 1 << 5 | 0x8080 : 0);

    for (unsigned i = 0; i < 8; i++) {
        if (!is_near(x + 32 + 16 * i, y + 32 + 16 * i)) {
            return false;
        }
    }
    return word(x, 0, 2) == word(y, 0, 2) && ((word(x, 2, 2) ^ word(y, 2, 2)) & ~free_bits) == 0 && x[4] == y[4] &&
           a->vector == b->vector && a->out.rip == b->out.rip && !memcmp(a->data, b->data, sizeof a->data) &&
           !memcmp(a->out.gpr, b->out.gpr, sizeof a->out.gpr) && a->out.rflags == b->out.rflags;
}

static const char *known_difference(const struct oracle_case *c, const struct oracle_outcome *ours,
                                    const struct oracle_outcome *host)
{
#define KNOWN(prefix, condition, why)                                                        \
    if (c->row && !strncmp(c->row->exec, prefix, sizeof(prefix) - 1) && (condition)) {       \
        return why;                                                                          \
    }
#include "tests/oracle/host_known.def"
    return NULL;
}

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Runs on the host, going on behind a case that kills the child. */
static void run_host(const struct oracle_case *cases, struct oracle_outcome *theirs, unsigned count,
                     struct totals *t)
{
    for (unsigned at = 0; at < count;) {
        at += oracle_host_run(cases + at, theirs + at, count - at);
        if (at < count) {
            printf("killed the host's child process:\n");
            oracle_print_case(&cases[at], stdout);
            theirs[at].vector = OUTCOME_SKIPPED;
            t->killed++;
            at++;
        }
    }
}

/* The second tier has only what runs as a block: the instruction and INT3. */
static bool run_as_block(struct oracle_ours *ours, const struct oracle_case *c, struct oracle_outcome *mine)
{
    static struct oracle_case block;
    if (!c->row || (strncmp(c->row->exec, "sse", 3) && strncmp(c->row->exec, "avx", 3) && strncmp(c->row->exec, "bits", 4)) ||
        c->length >= 15) {
        return false;
    }
    block = *c;
    block.sequence = true;
    block.code[block.length++] = 0xcc;
    oracle_ours_run(ours, &block, mine);
    if (mine->vector == X_BP) {
        mine->vector = OUTCOME_OK;
        mine->out.rip = c->in.rip + c->length;
    }
    return true;
}

static void compare_on(struct oracle_ours *ours, bool blocks, const struct oracle_case *cases,
                       const struct oracle_outcome *theirs, unsigned count, unsigned *complaints,
                       struct totals *t)
{
    static struct oracle_outcome mine;
    for (unsigned i = 0; i < count; i++) {
        if (theirs[i].vector == OUTCOME_SKIPPED) {
            continue;
        }
        if (!blocks) {
            oracle_ours_run(ours, &cases[i], &mine);
        } else if (!run_as_block(ours, &cases[i], &mine)) {
            continue;
        }
        t->cases++;
        t->of_row[cases[i].row_index]++;
        t->faults += theirs[i].vector >= 0;
        if (oracle_same(&cases[i], &mine, &theirs[i], "host", NULL)) {
            continue;
        }
        if (known_difference(&cases[i], &mine, &theirs[i])) {
            t->known++;
            continue;
        }
        t->different++;
        if (complaints[cases[i].row_index]++ < COMPLAINTS_PER_ROW && t->different < 20000) {
            oracle_print_case(&cases[i], stdout);
            oracle_same(&cases[i], &mine, &theirs[i], "host", stdout);
        }
    }
}

/* Both tiers. */
static void compare(struct oracle_ours *const ours[2], const struct oracle_case *cases, const struct oracle_outcome *theirs,
                    unsigned count, unsigned *complaints, struct totals *t)
{
    compare_on(ours[0], false, cases, theirs, count, complaints, t);
    compare_on(ours[1], true, cases, theirs, count, complaints, t);
}

/* Odd encodings reach odd addresses; the address sanitizer has memory at many of them. */
#if defined(__SANITIZE_ADDRESS__)
enum { ODD_ENCODINGS = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { ODD_ENCODINGS = 0 };
#else
enum { ODD_ENCODINGS = 1 };
#endif
#else
enum { ODD_ENCODINGS = 1 };
#endif

/* A row that can be run must have been: a generator that makes no case of it would pass unseen. */
static unsigned rows_without_cases(const struct totals *t)
{
    unsigned without = 0;
    for (unsigned r = 0; r < x86_row_count; r++) {
        if (t->wanted[r] && !t->of_row[r]) {
            printf("no case: %s (%s)\n", x86_rows[r].text, x86_rows[r].line);
            without++;
        }
    }
    return without;
}

static unsigned per_row(void)
{
    const char *given = getenv("HVLAB_ORACLE_CASES");
    return given ? (unsigned)atoi(given) : getenv("HVLAB_LONG") ? 6000 : 400;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL; /* a row's text must contain it */
    struct oracle_case *cases = shared(BATCH * sizeof *cases);
    struct oracle_outcome *theirs = shared(BATCH * sizeof *theirs);
    unsigned *complaints = calloc(x86_row_count, sizeof *complaints);
    struct oracle_ours *ours[2] = { oracle_ours_new(false), oracle_ours_new_compiled() };
    struct totals t = { .of_row = calloc(x86_row_count, sizeof(unsigned)), .wanted = calloc(x86_row_count, sizeof(bool)) };
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x13198a2e03707344;
    unsigned n = 0, rows = 0, exempt = 0;

    if (oracle_host_unavailable()) {
        printf("SKIP: %s\n", oracle_host_unavailable());
        return 0;
    }
    for (unsigned r = 0; r < x86_row_count; r++) {
        bool run = false;
        if (only && !strstr(x86_rows[r].text, only)) {
            continue;
        }
        for (unsigned mode32 = 0; mode32 < 2; mode32++) {
            if (oracle_row_exempt(&x86_rows[r], mode32)) {
                continue;
            }
            run = true;
            for (unsigned i = 0; i < (mode32 ? per_row() / 2 : per_row()); i++) {
                oracle_generate(&cases[n], r, mode32, &seed);
                bool odd = ODD_ENCODINGS && i % 8 == 7;
                if (odd && !oracle_mutate(&cases[n], &seed)) {
                    continue;
                }
                t.odd += odd;
                n++;
                if (n == BATCH) {
                    run_host(cases, theirs, n, &t);
                    compare(ours, cases, theirs, n, complaints, &t);
                    n = 0;
                }
            }
        }
        rows += run;
        t.wanted[r] = run;
        exempt += !run;
    }
    run_host(cases, theirs, n, &t);
    compare(ours, cases, theirs, n, complaints, &t);
    for (unsigned r = 0; r < x86_row_count; r++) {
        if (complaints[r]) {
            printf("%6u differ: %s (%s)\n", complaints[r], x86_rows[r].text, x86_rows[r].line);
        }
    }
    unsigned without = rows_without_cases(&t);
    printf("host oracle: %u rows, %u rows exempt, %lu cases, %lu of them odd encodings, %lu faulted, %lu known differences, %lu differ, %lu killed the child\n",
           rows, exempt, t.cases, t.odd, t.faults, t.known, t.different, t.killed);
    oracle_ours_free(ours[0]);
    oracle_ours_free(ours[1]);
    free(complaints);
    free(t.of_row);
    free(t.wanted);
    return t.different != 0 || t.killed != 0 || without != 0;
}
