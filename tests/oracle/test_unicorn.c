/* Every user-mode row that Unicorn can do, against Unicorn.  It checks no
 * alignment and no canonical addresses, so only cases without a fault are
 * compared here; the host oracle has the faults. */
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/crosscheck/second.h"
#include "sim/cpu/decode/decode.h"
#include "tests/oracle/oracle.h"

enum { COMPLAINTS_PER_ROW = 2 };

struct totals { unsigned long cases, faults, known, different; };

static bool rip_relative(const struct oracle_case *c)
{
    struct decoded d;
    return !c->mode32 && decode_insn(MODE_PROT | MODE_LMA | MODE_LONG64 | MODE_FLAT | MODE_SSE_OK, c->code, c->length, &d) == DECODE_OK &&
           d.rip_relative;
}

static const char *known_defect(const struct oracle_case *c)
{
#define KNOWN(prefix, condition, why)                                                        \
    if (!strncmp(c->row->exec, prefix, sizeof(prefix) - 1) && (condition)) {                 \
        return why;                                                                          \
    }
#include "tests/oracle/unicorn_known.def"
    return NULL;
}

static bool is_nan32(uint32_t v) { return v << 1 > 0xff000000; }
static bool is_nan64(uint64_t v) { return v << 1 > 0xffe0000000000000; }

/* Which NaN comes out of two, and MXCSR's flags: Unicorn has the x87's rules and none. */
static void forgive_floats(struct oracle_outcome *ours, struct oracle_outcome *theirs)
{
    theirs->out.mxcsr = ours->out.mxcsr;
    for (unsigned r = 0; r < 16; r++) {
        union xmm *a = &ours->out.xmm[r], *b = &theirs->out.xmm[r];
        for (unsigned i = 0; i < 2; i++) {
            if (is_nan64(a->u64[i]) && is_nan64(b->u64[i])) {
                b->u64[i] = a->u64[i];
            }
        }
        for (unsigned i = 0; i < 4; i++) {
            if (is_nan32(a->u32[i]) && is_nan32(b->u32[i])) {
                b->u32[i] = a->u32[i];
            }
        }
    }
}

static void check(struct oracle_ours *ours, struct oracle_unicorn *unicorn, const struct oracle_case *c,
                  unsigned *complaints, struct totals *t)
{
    static struct oracle_outcome mine, theirs;
    oracle_ours_run(ours, c, &mine);
    if (mine.vector >= 0) {
        t->faults++;
        return;
    }
    oracle_unicorn_run(unicorn, c, &theirs);
    t->cases++;
    if (!strncmp(c->row->exec, "ssef", 4)) {
        forgive_floats(&mine, &theirs);
    }
    if (oracle_same(c, &mine, &theirs, "unicorn", NULL)) {
        return;
    }
    if (known_defect(c)) {
        t->known++;
        return;
    }
    t->different++;
    if (complaints[c->row_index]++ < COMPLAINTS_PER_ROW && t->different < 20000) {
        oracle_print_case(c, stdout);
        oracle_same(c, &mine, &theirs, "unicorn", stdout);
    }
}

static unsigned per_row(void)
{
    const char *given = getenv("HVLAB_ORACLE_CASES");
    return given ? (unsigned)atoi(given) : getenv("HVLAB_LONG") ? 1000 : 60;
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : NULL; /* a row's text must contain it */
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x082efa98ec4e6c89;
    struct oracle_ours *ours = oracle_ours_new(false);
    struct oracle_unicorn *unicorn = oracle_unicorn_new();
    unsigned *complaints = calloc(x86_row_count, sizeof *complaints), rows = 0, exempt = 0;
    struct totals t = { 0 };
    struct oracle_case c;

    for (unsigned r = 0; r < x86_row_count; r++) {
        bool run = false;
        if (only && !strstr(x86_rows[r].text, only)) {
            continue;
        }
        for (unsigned mode32 = 0; mode32 < 2; mode32++) {
            if (oracle_row_exempt(&x86_rows[r], mode32) || second_cannot(&x86_rows[r])) {
                continue;
            }
            run = true;
            for (unsigned i = 0; i < (mode32 ? per_row() / 2 : per_row()); i++) {
                oracle_generate(&c, r, mode32, &seed);
                check(ours, unicorn, &c, complaints, &t);
            }
        }
        rows += run;
        exempt += !run;
    }
    for (unsigned r = 0; r < x86_row_count; r++) {
        if (complaints[r]) {
            printf("%6u differ: %s (%s)\n", complaints[r], x86_rows[r].text, x86_rows[r].line);
        }
    }
    printf("Unicorn oracle: %u rows, %u rows it cannot do, %lu cases, %lu more that fault, "
           "%lu known defects, %lu differ\n", rows, exempt, t.cases, t.faults, t.known, t.different);
    oracle_unicorn_free(unicorn);
    oracle_ours_free(ours);
    free(complaints);
    return t.different != 0;
}
