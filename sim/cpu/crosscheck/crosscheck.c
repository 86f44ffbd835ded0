#include "sim/cpu/crosscheck/crosscheck.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/core_hooks.h"
#include "sim/cpu/crosscheck/second.h"
#include "sim/cpu/decode/decode.h"
#include "sim/debug/disasm.h"
#include "sim/cpu/model/model.h"
#include "sim/machine.h"

enum { INSNS_MAX = 64, REASONS_MAX = 40, INSN_BYTES_MAX = 15 };
enum {
    FLAG_CF = 1 << 0, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11,
    FLAGS_STATUS = 0x8d5,
};
enum { MXCSR_FLAGS = 0x3f, MXCSR_DAZ_FTZ = 0x8040 };
enum { PTE_ACCESSED_DIRTY = 0x60 };

struct planned { /* one instruction of the block */
    const struct x86_row *row;
    uint64_t rip;
    uint64_t imm;
    uint8_t length, opsize;
    uint8_t bytes[INSN_BYTES_MAX];
};

struct crosscheck {
    struct machine *machine;
    struct second *second;
    struct cpu *cpu;               /* of the block under way */
    struct second_regs before, theirs;
    struct planned plan[INSNS_MAX];
    unsigned planned;              /* instructions Unicorn was asked for */
    enum second_result result;
    const char *cannot;            /* why no more were planned, or NULL */
    struct crosscheck_counts counts;
    struct { const char *why; uint64_t count; } reason[REASONS_MAX];
};

/* --- what Unicorn sees ---------------------------------------------------------------- */

static bool peek_page(void *ctx, uint64_t linear, uint8_t bytes[SECOND_PAGE])
{
    struct crosscheck *x = ctx;
    return cpu_peek(x->cpu, linear, bytes, SECOND_PAGE);
}

static void take_registers(const struct cpu *cpu, struct second_regs *r)
{
    memset(r, 0, sizeof *r);
    memcpy(r->gpr, cpu->gpr, sizeof r->gpr);
    memcpy(r->xmm, cpu->xmm, sizeof r->xmm);
    r->rip = cpu->rip;
    r->rflags = cpu_rflags(cpu);
    r->mxcsr = cpu->mxcsr;
    r->fs_base = cpu->seg[FS].base;
    r->gs_base = cpu->seg[GS].base;
    r->bits = cpu->mode & MODE_LONG64 ? 64 : 32;
}

static void skip(struct crosscheck *x, const char *why)
{
    x->counts.skipped++;
    for (unsigned i = 0; i < REASONS_MAX; i++) {
        if (!x->reason[i].why || !strcmp(x->reason[i].why, why)) {
            x->reason[i].why = why;
            x->reason[i].count++;
            return;
        }
    }
}

/* --- before ------------------------------------------------------------------------------ */

static bool ends_block(const struct x86_row *row)
{
    static const char *const branches[] = { "jcc", "loop", "call", "jmp", "ret" };
    for (unsigned i = 0; i < sizeof branches / sizeof branches[0]; i++) {
        if (!strncmp(row->exec, branches[i], strlen(branches[i]))) {
            return true;
        }
    }
    return false;
}

/* The instructions from rip on, up to a branch or to one that cannot be compared. */
static void make_plan(struct crosscheck *x)
{
    uint64_t rip = x->before.rip;
    x->planned = 0;
    x->cannot = "longer than any block";
    while (x->planned < INSNS_MAX) {
        struct planned *p = &x->plan[x->planned];
        struct decoded d;
        unsigned have = INSN_BYTES_MAX, to_page_end = SECOND_PAGE - (unsigned)(rip % SECOND_PAGE);
        if (!cpu_peek(x->cpu, rip, p->bytes, have)) { /* the next page may be missing */
            have = to_page_end < have ? to_page_end : have;
            if (!cpu_peek(x->cpu, rip, p->bytes, have)) {
                x->cannot = "code is not in memory";
                return;
            }
        }
        if (decode_insn_with(machine_features(x->cpu->machine), x->cpu->mode, p->bytes, have, &d) != DECODE_OK) {
            x->cannot = "not an instruction";
            return;
        }
        x->cannot = d.sys.lock && !strncmp(d.row->exec, "unary:neg", 9) ? "LOCK NEG (Unicorn's flags are wrong)"
                  : !strncmp(d.row->exec, "ssef", 4) && (x->before.mxcsr & MXCSR_DAZ_FTZ)
                      ? "arithmetic with denormals-are-zero or flush-to-zero"
                      : second_cannot(d.row);
        if (x->cannot) {
            return;
        }
        p->row = d.row;
        p->rip = rip;
        p->imm = d.sys.imm;
        p->length = d.sys.length;
        p->opsize = d.sys.operand_size;
        x->planned++;
        rip += p->length;
        if (ends_block(p->row)) {
            x->cannot = "goes on behind a branch";
            return;
        }
    }
}

static const char *unsuitable_mode(const struct cpu *cpu)
{
    if (cpu->mode & MODE_LONG64) {
        return NULL;
    }
    if (!(cpu->mode & MODE_CODE32)) {
        return "16-bit code";
    }
    bool flat = (cpu->mode & MODE_FLAT) && cpu->seg[FS].base == 0 && cpu->seg[GS].base == 0;
    return flat ? NULL : "segmented code";
}

static void before(void *ctx, struct cpu *cpu)
{
    struct crosscheck *x = ctx;
    x->counts.blocks++;
    x->cpu = cpu;
    x->planned = 0;
    x->cannot = unsuitable_mode(cpu);
    if (x->cannot) {
        return;
    }
    take_registers(cpu, &x->before);
    make_plan(x);
    if (x->planned != 0) {
        x->result = second_run(x->second, &x->before, x->planned, &x->theirs);
    }
}

/* --- after: what may differ -------------------------------------------------------------------- */

static uint64_t undefined_flags(const struct crosscheck *x, unsigned count)
{
    uint64_t undefined = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct x86_row *row = x->plan[i].row;
        bool maybe_nothing = !strncmp(row->exec, "shift", 5) || !strncmp(row->exec, "string", 6);
        if (!maybe_nothing) { /* a count of 0 leaves the flags as they were */
            undefined &= ~(uint64_t)row->flags_written;
        }
        undefined |= row->flags_undefined;
        if (!strncmp(row->exec, "shift", 5) && (x->plan[i].opsize < 4 || row->operand[0].size == SIZE_b)) {
            undefined |= FLAG_CF; /* counts from the operand's width on */
        }
    }
    return undefined;
}

static bool both_nan(uint64_t a, uint64_t b)
{
    bool wide = (a << 1) > 0xffe0000000000000 && (b << 1) > 0xffe0000000000000;
    bool low = ((uint32_t)a << 1) > 0xff000000 && ((uint32_t)b << 1) > 0xff000000;
    bool high = ((uint32_t)(a >> 32) << 1) > 0xff000000 && ((uint32_t)(b >> 32) << 1) > 0xff000000;
    bool low_same = (uint32_t)a == (uint32_t)b, high_same = a >> 32 == b >> 32;
    return wide || ((low || low_same) && (high || high_same));
}

static bool computes_floats(const struct crosscheck *x, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!strncmp(x->plan[i].row->exec, "ssef", 4)) {
            return true;
        }
    }
    return false;
}

/* --- after: the comparison ------------------------------------------------------------------------ */

struct text { char *to; size_t room; };

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->to, t->room, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n < t->room ? (size_t)n : t->room - 1;
    t->to += used;
    t->room -= used;
}

static const char *const names[] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static unsigned compare_value(struct text *t, const char *name, uint64_t ours, uint64_t theirs)
{
    if (ours == theirs) {
        return 0;
    }
    say(t, "  %-8s ours %016" PRIx64 "  unicorn %016" PRIx64 "\n", name, ours, theirs);
    return 1;
}

static unsigned compare_registers(const struct crosscheck *x, const struct second_regs *ours,
                                  unsigned count, struct text *t)
{
    const struct second_regs *theirs = &x->theirs;
    uint64_t flags = (FLAGS_STATUS | FLAG_DF) & ~undefined_flags(x, count);
    bool floats = computes_floats(x, count);
    unsigned wrong = 0, registers = ours->bits == 64 ? 16 : 8;

    for (unsigned i = 0; i < registers; i++) {
        wrong += compare_value(t, names[i], ours->gpr[i], theirs->gpr[i]);
        for (unsigned half = 0; half < 2; half++) {
            uint64_t a = ours->xmm[i].u64[half], b = theirs->xmm[i].u64[half];
            char name[10];
            snprintf(name, sizeof name, "xmm%u%c", i, half ? 'h' : 'l');
            if (!(floats && both_nan(a, b))) {
                wrong += compare_value(t, name, a, b);
            }
        }
    }
    wrong += compare_value(t, "rip", ours->rip, theirs->rip);
    wrong += compare_value(t, "rflags", ours->rflags & flags, theirs->rflags & flags);
    wrong += compare_value(t, "mxcsr", ours->mxcsr & ~(unsigned)MXCSR_FLAGS,
                           theirs->mxcsr & ~(unsigned)MXCSR_FLAGS);
    return wrong;
}

static unsigned compare_page(struct text *t, uint64_t linear, const uint8_t *ours, const uint8_t *theirs)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < SECOND_PAGE; i += 8) {
        uint64_t a, b;
        memcpy(&a, ours + i, 8);
        memcpy(&b, theirs + i, 8);
        bool walker = (a | PTE_ACCESSED_DIRTY) == (b | PTE_ACCESSED_DIRTY) && (a & b) == b;
        if (a != b && !walker) {
            char name[24];
            snprintf(name, sizeof name, "[%" PRIx64 "]", linear + i);
            wrong += compare_value(t, name, a, b);
        }
    }
    return wrong;
}

static unsigned compare_memory(struct crosscheck *x, struct text *t)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < second_page_count(x->second); i++) {
        uint8_t ours[SECOND_PAGE];
        uint64_t linear;
        const uint8_t *theirs = second_page(x->second, i, &linear);
        if (!peek_page(x, linear, ours)) {
            say(t, "  page %" PRIx64 " is gone\n", linear);
            wrong++;
        } else if (memcmp(ours, theirs, SECOND_PAGE) != 0) {
            wrong += compare_page(t, linear, ours, theirs);
        }
    }
    return wrong;
}

/* The second processor has a page of its own for each linear page: what is written through one mapping of
 * a physical page does not show in the other. */
static bool has_aliases(const struct crosscheck *x)
{
    for (unsigned i = 0; i < second_page_count(x->second); i++) {
        for (unsigned n = 0; n < i; n++) {
            uint64_t a, b, spa_a, spa_b;
            second_page(x->second, i, &a);
            second_page(x->second, n, &b);
            if (cpu_translate_peek(x->cpu, a, &spa_a) && cpu_translate_peek(x->cpu, b, &spa_b) && spa_a == spa_b) {
                return true;
            }
        }
    }
    return false;
}

static void describe_block(const struct crosscheck *x, unsigned count, struct text *t)
{
    say(t, "the block, from this state (processor %u%s):\n", x->cpu->index,
        x->cpu->nonroot ? ", in a guest" : "");
    for (unsigned i = 0; i < 16; i++) {
        say(t, "  %-3s %016" PRIx64 "%s", names[i], x->before.gpr[i], i % 4 == 3 ? "\n" : "");
    }
    say(t, "  rflags %06" PRIx64 "  mxcsr %04x\n", x->before.rflags, x->before.mxcsr);
    for (unsigned i = 0; i < count; i++) {
        char line[DISASM_TEXT_SIZE + 64];
        disasm_once(x->before.bits, x->plan[i].rip, x->plan[i].bytes, x->plan[i].length, line,
                    sizeof line);
        say(t, "  %016" PRIx64 "  %s\n", x->plan[i].rip, line);
    }
}

static void compare(struct crosscheck *x, unsigned count)
{
    char report[sizeof x->machine->stop_text - 64];
    struct text t = { report, sizeof report };
    struct second_regs ours;

    take_registers(x->cpu, &ours);
    unsigned wrong = compare_registers(x, &ours, count, &t) + compare_memory(x, &t);
    if (wrong != 0 && has_aliases(x)) {
        skip(x, "memory mapped at two addresses");
        return;
    }
    x->counts.compared++;
    x->counts.instructions += count;
    if (wrong != 0) {
        x->counts.diverged++;
        describe_block(x, count, &t);
        machine_request_stop(x->machine, STOP_DIVERGED, 0, "crosscheck: %u differences\n%s", wrong, report);
    }
}

static const char *second_failed(const struct crosscheck *x)
{
    switch (x->result) {
    case SECOND_OK: return NULL;
    case SECOND_NO_PAGE: return "touched memory that is not RAM, or not there";
    case SECOND_FAULT: return "Unicorn raised an exception, we did not";
    case SECOND_FULL: return "touched too many pages";
    case SECOND_ERROR: break;
    }
    return "Unicorn failed";
}

static void after(void *ctx, struct cpu *cpu, const struct core_block_end *end)
{
    struct crosscheck *x = ctx;
    unsigned count = end->instructions > INSNS_MAX ? INSNS_MAX + 1 : (unsigned)end->instructions;
    if (cpu != x->cpu) {
        return;
    }
    if (count == 0) {
        skip(x, "left before its first instruction was done");
    } else if (end->result == EXEC_REPEAT) {
        skip(x, "a repeated string instruction paused");
    } else if (end->result == EXEC_VMEXIT) {
        skip(x, "VM exit");
    } else if (end->result == EXEC_STOP) {
        skip(x, "the machine stopped");
    } else if (count > x->planned) {
        skip(x, x->cannot);
    } else {
        if (count < x->planned) {
            second_rewind(x->second);
            x->result = second_run_again(x->second, &x->before, count, &x->theirs);
        }
        const char *failed = second_failed(x);
        if (failed) {
            skip(x, failed);
        } else {
            compare(x, count);
        }
    }
    x->cpu = NULL;
}

/* --- life -------------------------------------------------------------------------------------------- */

struct crosscheck *crosscheck_new(struct machine *m, uint64_t every)
{
    struct crosscheck *x = calloc(1, sizeof *x);
    if (!x) {
        return NULL;
    }
    x->machine = m;
    x->second = second_new(peek_page, x);
    if (!x->second) {
        free(x);
        return NULL;
    }
    const struct core_hooks hooks = { .every = every, .ctx = x, .before = before, .after = after };
    for (unsigned i = 0; i < m->cpu_count; i++) {
        core_hooks_set(m->cpu[i], &hooks);
    }
    return x;
}

void crosscheck_free(struct crosscheck *x)
{
    if (!x) {
        return;
    }
    for (unsigned i = 0; i < x->machine->cpu_count; i++) {
        core_hooks_set(x->machine->cpu[i], NULL);
    }
    second_free(x->second);
    free(x);
}

void crosscheck_report(const struct crosscheck *x, FILE *to)
{
    fprintf(to, "crosscheck: %" PRIu64 " blocks, %" PRIu64 " compared (%" PRIu64 " instructions), %" PRIu64
                " diverged, %" PRIu64 " skipped\n",
            x->counts.blocks, x->counts.compared, x->counts.instructions, x->counts.diverged,
            x->counts.skipped);
    for (unsigned i = 0; i < REASONS_MAX && x->reason[i].why; i++) {
        fprintf(to, "  %10" PRIu64 "  %s\n", x->reason[i].count, x->reason[i].why);
    }
}

struct crosscheck_counts crosscheck_counts(const struct crosscheck *x)
{
    return x->counts;
}
