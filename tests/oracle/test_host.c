/* Every user-mode row of spec/x86/opcodes.tbl against the host's processor: instruction by instruction, or with
 * --compiled as blocks of the second tier, each of whose rules must make code for some case. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/cpu/cache/code_cache.h"
#include "sim/cpu/exec/forms.h"
#include "sim/cpu/jit/jit.h"
#include "sim/machine.h"
#include "tests/oracle/oracle.h"

enum { BATCH = 512, COMPLAINTS_MAX = 25, COMPLAINTS_PER_ROW = 2 };

struct totals {
    unsigned long cases, odd, pairs, faults, known, different, killed;
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

/* Where the host came to, when it came somewhere; else the code's end. */
static uint64_t end_of(const struct oracle_case *c, const struct oracle_outcome *host)
{
    return host->vector == OUTCOME_OK ? host->out.rip - c->in.rip : c->length;
}

static bool transfers(const struct oracle_case *c)
{
    static const char *const exec[] = { "jcc", "jmp", "call", "ret", "loop" };
    for (unsigned i = 0; i < sizeof exec / sizeof *exec; i++) {
        if (c->row && !strncmp(c->row->exec, exec[i], strlen(exec[i]))) {
            return true;
        }
    }
    return false;
}

/* The second tier has only what runs as a block: the instruction and INT3, or one that goes elsewhere, for one cycle. */
static void run_as_block(struct oracle_ours *ours, const struct oracle_case *c, const struct oracle_outcome *host,
                         struct oracle_outcome *mine)
{
    static struct oracle_case block;
    uint64_t end = end_of(c, host);

    block = *c;
    block.sequence = true;
    block.one_cycle = transfers(c) || end - 1 >= ORACLE_CODE_MAX;
    if (!block.one_cycle) {
        block.code[end] = 0xcc;
    }
    oracle_ours_run(ours, &block, mine);
    if (!block.one_cycle && mine->vector == X_BP && mine->out.rip == c->in.rip + end + 1) {
        mine->vector = OUTCOME_OK;
        mine->out.rip--;
    }
}

static void compare(struct oracle_ours *ours, bool compiled, const struct oracle_case *cases, const struct oracle_outcome *theirs,
                    unsigned count, unsigned *complaints, struct totals *t)
{
    static struct oracle_outcome mine;
    for (unsigned i = 0; i < count; i++) {
        if (theirs[i].vector == OUTCOME_SKIPPED) {
            continue;
        }
        if (compiled && !cases[i].sequence) {
            run_as_block(ours, &cases[i], &theirs[i], &mine);
        } else {
            oracle_ours_run(ours, &cases[i], &mine);
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

/* Cases on their way to both processors. */
struct run {
    struct oracle_case *cases;
    struct oracle_outcome *theirs;
    unsigned n, *complaints;
    struct oracle_ours *ours;
    bool compiled;
    struct totals t;
    uint64_t seed;
};

static void finish_batch(struct run *r)
{
    if (r->n) {
        run_host(r->cases, r->theirs, r->n, &r->t);
        compare(r->ours, r->compiled, r->cases, r->theirs, r->n, r->complaints, &r->t);
    }
    r->n = 0;
}

static void another(struct run *r)
{
    if (++r->n == BATCH) {
        finish_batch(r);
    }
}

static void run_row(struct run *r, unsigned row)
{
    for (unsigned mode32 = 0; mode32 < 2; mode32++) {
        if (oracle_row_exempt(&x86_rows[row], mode32)) {
            continue;
        }
        r->t.wanted[row] = true;
        for (unsigned i = 0; i < (mode32 ? per_row() / 2 : per_row()); i++) {
            oracle_generate(&r->cases[r->n], row, mode32, &r->seed);
            bool odd = ODD_ENCODINGS && i % 8 == 7;
            if (odd && !oracle_mutate(&r->cases[r->n], &r->seed)) {
                continue;
            }
            r->t.odd += odd;
            another(r);
        }
    }
}

/* What sets flags before what reads them, or before what sets them all again: fused, quiet and specialized forms. */
static void run_pairs(struct run *r, unsigned first)
{
    static const struct { const char *exec; unsigned count; bool registers; } second[] = {
        { "jcc", 16, false }, { "cmov", 8, false }, { "setcc", 4, false }, { "alu:cmp", 160, true }, { "alu:adc", 4, false }
    };
    static const char *const setters[] = { "alu", "unary", "shift:", "rotate" };
    bool sets = false;
    bool compares = !strncmp(x86_rows[first].exec, "alu:cmp", 7) || !strncmp(x86_rows[first].exec, "alu:test", 8);
    unsigned often = (compares ? 8 : 1) * (getenv("HVLAB_LONG") ? 6 : 1); /* most fused forms are those two's */

    for (unsigned i = 0; i < sizeof setters / sizeof *setters; i++) {
        sets |= !strncmp(x86_rows[first].exec, setters[i], strlen(setters[i]));
    }
    for (unsigned k = 0; sets && k < sizeof second / sizeof *second; k++) {
        for (unsigned row = 0; row < x86_row_count; row++) {
            if (strncmp(x86_rows[row].exec, second[k].exec, strlen(second[k].exec)) || (second[k].registers && x86_rows[row].has_modrm)) {
                continue;
            }
            for (unsigned i = 0; i < second[k].count * often; i++) {
                bool mode32 = i % 8 == 7;
                if (!oracle_row_exempt(&x86_rows[first], mode32) && !oracle_row_exempt(&x86_rows[row], mode32) &&
                    oracle_generate_pair(&r->cases[r->n], first, row, mode32, &r->seed)) {
                    r->t.pairs++;
                    another(r);
                }
            }
        }
    }
}

static const char *never_made(const char *form)
{
#define NEVER(pattern, why)                \
    if (fnmatch(pattern, form, 0) == 0) {  \
        return why;                        \
    }
#include "tests/oracle/never_made.def"
    return NULL;
}

/* A rule of the second tier that never made code was not tried. */
static unsigned forms_without_code(const struct run *r)
{
    const struct jit *jit = code_cache_jit(oracle_ours_machine(r->ours)->code);
    unsigned without = 0, known = 0;

    for (unsigned form = 0; jit && form < FORM_COUNT; form++) {
        const char *name = form_info[form].name;
        bool never = never_made(name);
        if (jit_knows_form(jit, form)) {
            known += !never;
            if (never == jit_used_form(jit, form)) {
                printf("%s: %s\n", never ? "became code all the same" : "never became code", name);
                without++;
            }
        }
    }
    printf("second tier: %u forms have a rule, %u of them not tried\n", known, without);
    return without;
}

int main(int argc, char **argv)
{
    bool compiled = argc > 1 && !strcmp(argv[1], "--compiled");
    argc -= compiled;
    argv += compiled;
    const char *only = argc > 1 ? argv[1] : NULL; /* a row's text must contain it */
    struct run r = {
        .cases = shared(BATCH * sizeof *r.cases), .theirs = shared(BATCH * sizeof *r.theirs), .compiled = compiled,
        .complaints = calloc(x86_row_count, sizeof *r.complaints), .ours = compiled ? oracle_ours_new_compiled() : oracle_ours_new(false),
        .t = { .of_row = calloc(x86_row_count, sizeof(unsigned)), .wanted = calloc(x86_row_count, sizeof(bool)) },
        .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x13198a2e03707344,
    };
    unsigned rows = 0;

    if (oracle_host_unavailable()) {
        printf("SKIP: %s\n", oracle_host_unavailable());
        return 0;
    }
    for (unsigned row = 0; row < x86_row_count; row++) {
        if (!only || strstr(x86_rows[row].text, only)) {
            run_row(&r, row);
            run_pairs(&r, row);
        }
        rows += r.t.wanted[row];
    }
    finish_batch(&r);
    for (unsigned row = 0; row < x86_row_count; row++) {
        if (r.complaints[row]) {
            printf("%6u differ: %s (%s)\n", r.complaints[row], x86_rows[row].text, x86_rows[row].line);
        }
    }
    unsigned without = rows_without_cases(&r.t) + (compiled && !only ? forms_without_code(&r) : 0);
    printf("host oracle, %s: %u rows, %u rows exempt, %lu cases, %lu of them odd encodings, %lu pairs, %lu faulted, %lu known differences, "
           "%lu differ, %lu killed the child\n", compiled ? "compiled" : "interpreted", rows, x86_row_count - rows, r.t.cases, r.t.odd,
           r.t.pairs, r.t.faults, r.t.known, r.t.different, r.t.killed);
    oracle_ours_free(r.ours);
    free(r.complaints);
    free(r.t.of_row);
    free(r.t.wanted);
    return r.t.different != 0 || r.t.killed != 0 || without != 0;
}
