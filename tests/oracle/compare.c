#include <inttypes.h>
#include <string.h>

#include "sim/debug/disasm.h"
#include "tests/oracle/oracle.h"

static bool exec_is(const struct oracle_case *c, const char *prefix)
{
    return c->row && !strncmp(c->row->exec, prefix, strlen(prefix));
}

/* Count of a shift or rotate, as the processor masks it. */
static unsigned shift_count(const struct oracle_case *c)
{
    uint64_t count = 1;
    for (unsigned i = 0; i < 3; i++) {
        if (c->row->operand[i].kind == KIND_I) {
            count = c->imm;
        } else if (c->row->operand[i].kind == KIND_FIXED && c->row->operand[i].size == FIX_CL) {
            count = c->in.gpr[RCX];
        }
    }
    bool byte = c->row->operand[0].size == SIZE_b;
    return (unsigned)count & (c->opsize == 8 && !byte ? 63 : 31);
}

static unsigned shift_width(const struct oracle_case *c)
{
    return c->row->operand[0].size == SIZE_b ? 8 : 8 * c->opsize;
}

uint64_t oracle_undefined_flags(const struct oracle_case *c)
{
    uint64_t undefined = c->sequence ? c->undefined : c->row ? c->row->flags_undefined : 0;
    if (!exec_is(c, "shift")) {
        return undefined;
    }
    unsigned count = shift_count(c);
    if (count == 0) {
        return 0; /* nothing changes */
    }
    if (count == 1) {
        undefined &= ~(uint64_t)FLAG_OF;
    }
    bool left_or_right = exec_is(c, "shift:shl") || exec_is(c, "shift:shr");
    if (left_or_right && count >= shift_width(c)) {
        undefined |= FLAG_CF;
    }
    return undefined;
}

bool oracle_undefined_result(const struct oracle_case *c)
{
    return exec_is(c, "shift_double") && shift_count(c) > shift_width(c);
}

/* --- differences --------------------------------------------------------------------- */

struct differences { FILE *report; const char *name; unsigned count; };

static void differ(struct differences *d, const char *what, uint64_t ours, uint64_t theirs)
{
    if (ours == theirs) {
        return;
    }
    if (d->report && d->count < 12) {
        fprintf(d->report, "    %-10s ours %016" PRIx64 "  %s %016" PRIx64 "\n", what, ours, d->name,
                theirs);
    }
    d->count++;
}

static const char *const gpr_names[16] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static void differ_registers(struct differences *d, const struct oracle_case *c,
                             const struct oracle_outcome *a, const struct oracle_outcome *b)
{
    uint64_t flags = FLAG_STATUS | FLAG_DF | FLAG_ID | FLAG_IF;
    if (c->sequence) {
        flags &= ~(a->vector == X_BP ? c->undefined : c->undefined_within);
    } else if (a->vector == OUTCOME_OK) {
        flags &= ~oracle_undefined_flags(c);
    }
    for (unsigned i = 0; i < (c->mode32 ? 8 : 16); i++) {
        char name[8];
        differ(d, gpr_names[i], a->out.gpr[i], b->out.gpr[i]);
        snprintf(name, sizeof name, "xmm%u.l", i);
        differ(d, name, a->out.xmm[i].u64[0], b->out.xmm[i].u64[0]);
        name[strlen(name) - 1] = 'h';
        differ(d, name, a->out.xmm[i].u64[1], b->out.xmm[i].u64[1]);
        snprintf(name, sizeof name, "ymm%u.l", i);
        differ(d, name, a->out.ymm_high[i].u64[0], b->out.ymm_high[i].u64[0]);
        name[strlen(name) - 1] = 'h';
        differ(d, name, a->out.ymm_high[i].u64[1], b->out.ymm_high[i].u64[1]);
    }
    for (unsigned i = ES; c->segmented && i < FS; i++) {
        static const char *const name[] = { "es", "cs", "ss", "ds" };
        bool null = (a->selector[i] | b->selector[i]) < 4; /* Linux's IRET clears the RPL of a null selector */
        differ(d, name[i], null ? 0 : a->selector[i], null ? 0 : b->selector[i]);
    }
    differ(d, "rip", a->out.rip, b->out.rip);
    differ(d, "rflags", a->out.rflags & flags, b->out.rflags & flags);
    differ(d, "mxcsr", a->out.mxcsr, b->out.mxcsr);
}

static uint64_t field(const uint8_t *image, unsigned at, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, image + at, size);
    return value;
}

/* Condition codes that a row leaves undefined, and C1 where it tells how a result that need not be
 * the nearest was rounded. */
static uint64_t undefined_conditions(const struct oracle_case *c)
{
    enum { C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14 };
#define CONDITIONS(prefix, bits, why) if (exec_is(c, prefix)) return (bits);
#include "tests/oracle/x87_undefined.def"
    return 0;
}

/* Processors of AMD keep and show the last instruction's address only while an error waits. */
static bool shows_address(const struct oracle_case *c, const uint8_t *image)
{
    return (exec_is(c, "x87:") || exec_is(c, "x87_load") || exec_is(c, "x87_store")) && field(image, 2, 2) & 0x80 &&
           !(field(c->in.x87, 2, 2) & 0x80);
}

static void differ_x87(struct differences *d, const struct oracle_case *c, const struct oracle_outcome *a,
                       const struct oracle_outcome *b)
{
    const uint8_t *x = a->out.x87, *y = b->out.x87;
    uint64_t conditions = ~undefined_conditions(c);

    differ(d, "fcw", field(x, 0, 2), field(y, 0, 2));
    differ(d, "fsw", field(x, 2, 2) & conditions, field(y, 2, 2) & conditions);
    differ(d, "ftw", field(x, 4, 1), field(y, 4, 1));
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "st%u.s", i);
        differ(d, name, field(x, 32 + 16 * i, 8), field(y, 32 + 16 * i, 8));
        name[4] = 'e';
        differ(d, name, field(x, 40 + 16 * i, 2), field(y, 40 + 16 * i, 2));
    }
    if (shows_address(c, y)) {
        differ(d, "fop", field(x, 6, 2), field(y, 6, 2));
        differ(d, "fip", field(x, 8, 8), field(y, 8, 8));
        if (c->has_target) {
            differ(d, "fdp", field(x, 16, 8), field(y, 16, 8));
        }
    }
}

static void differ_memory(struct differences *d, const struct oracle_outcome *a,
                          const struct oracle_outcome *b)
{
    if (!memcmp(a->data, b->data, sizeof a->data)) {
        return;
    }
    for (unsigned i = 0; i < sizeof a->data; i++) {
        char name[16];
        snprintf(name, sizeof name, "[+%04x]", i);
        differ(d, name, a->data[i], b->data[i]);
    }
}

/* FXSAVE's image without what belongs to x87 and to the processor model. */
static void forgive_fxsave(const struct oracle_case *c, const struct oracle_outcome *ours,
                           struct oracle_outcome *theirs)
{
    for (unsigned i = 0; i < 512; i++) {
        bool model = (i >= 6 && i < 24) || (i >= 28 && i < 32);
        uint64_t at = c->target + i - ORACLE_DATA;
        if (model && at < ORACLE_DATA_RW) {
            theirs->data[at] = ours->data[at];
        }
    }
}

/* XSAVE's the same, and whether x87 counts as in use while it is initial. */
static void forgive_xsave(const struct oracle_case *c, const struct oracle_outcome *ours, struct oracle_outcome *theirs)
{
    uint64_t xstate_bv = c->target + 512 - ORACLE_DATA, legacy = c->target - ORACLE_DATA;
    if (legacy < ORACLE_DATA_RW - 5 && strcmp(c->row->exec, "sys:sys_xsave")) {
        memcpy(theirs->data + legacy, ours->data + legacy, 5);
    }
    if (xstate_bv < ORACLE_DATA_RW) {
        theirs->data[xstate_bv] = (uint8_t)((theirs->data[xstate_bv] & ~1) | (ours->data[xstate_bv] & 1));
    }
}

/* The addresses in FNSTENV's and FNSAVE's image; see shows_address. */
static void forgive_environment(const struct oracle_case *c, const struct oracle_outcome *ours, struct oracle_outcome *theirs)
{
    unsigned size = c->opsize == 2 ? 2 : 4;

    for (unsigned i = 3 * size; i < 7 * size; i++) {
        uint64_t at = c->target + i - ORACLE_DATA;
        if (at < ORACLE_DATA_RW) {
            theirs->data[at] = ours->data[at];
        }
    }
}

bool oracle_same(const struct oracle_case *c, const struct oracle_outcome *ours,
                 const struct oracle_outcome *given, const char *their_name, FILE *report)
{
    struct differences d = { report, their_name, 0 };
    struct oracle_outcome copy = *given, *theirs = &copy;
    if (exec_is(c, "sys:sys_fxsave") || exec_is(c, "sys:sys_xsave")) {
        forgive_fxsave(c, ours, theirs);
    }
    if (exec_is(c, "sys:sys_xsave")) {
        forgive_xsave(c, ours, theirs);
    }
    if (exec_is(c, "sys:sys_fnstenv") || exec_is(c, "sys:sys_fnsave")) {
        forgive_environment(c, ours, theirs);
    }
    if (oracle_undefined_result(c) && ours->vector == theirs->vector) {
        return true;
    }
    if (ours->vector != theirs->vector && report) {
        fprintf(report, "    vector     ours %d  %s %d   (-1: none, -2: stopped)\n", ours->vector,
                their_name, theirs->vector);
    }
    d.count += ours->vector != theirs->vector;
    if (ours->vector >= 0 && theirs->vector >= 0) {
        /* Linux tells user mode that every page of its own half is present. */
        uint32_t hidden = theirs->vector == X_PF && theirs->cr2 >> 47 ? 1 : 0;
        differ(&d, "error", ours->error | hidden, theirs->error | hidden);
    }
    if (ours->vector == X_PF && theirs->vector == X_PF) {
        differ(&d, "cr2", ours->cr2, theirs->cr2);
    }
    differ_registers(&d, c, ours, theirs);
    differ_x87(&d, c, ours, theirs);
    differ_memory(&d, ours, theirs);
    return d.count == 0;
}

static void print_code(const struct oracle_case *c, FILE *to)
{
    char text[256];
    for (unsigned at = 0, length; at < c->length; at += length) {
        length = disasm_once(c->mode32 ? 32 : 64, c->in.rip + at, c->code + at, c->length - at, text, sizeof text);
        fprintf(to, "%s", text);
        if (length == 0 || !c->sequence) {
            break;
        }
        fputc('\n', to);
    }
}

void oracle_print_case(const struct oracle_case *c, FILE *to)
{
    print_code(c, to);
    fprintf(to, "  (%u-bit; row %s)\n", c->mode32 ? 32 : 64, c->row ? c->row->text : "-");
    for (unsigned i = 0; i < 16; i++) {
        fprintf(to, "  %-3s %016" PRIx64 "%s", gpr_names[i], c->in.gpr[i], i % 4 == 3 ? "\n" : "");
    }
    fprintf(to, "  rip %016" PRIx64 "  rflags %06" PRIx64 "  mxcsr %04x  opsize %u", c->in.rip,
            c->in.rflags, c->in.mxcsr, c->opsize);
    if (c->has_target) {
        fprintf(to, "  operand at %" PRIx64, c->target);
    }
    fputc('\n', to);
    for (unsigned p = 0; p < c->patches; p++) {
        fprintf(to, "  [%" PRIx64 "]", c->patch[p].address);
        for (unsigned i = 0; i < c->patch[p].size; i++) {
            fprintf(to, " %02x", c->patch[p].bytes[i]);
        }
        fputc('\n', to);
    }
    if (field(c->in.x87, 32, 8) || field(c->in.x87, 40, 2)) {
        fprintf(to, "  fcw %04" PRIx64 "  fsw %04" PRIx64 "  ftw %02" PRIx64 "\n", field(c->in.x87, 0, 2), field(c->in.x87, 2, 2),
                field(c->in.x87, 4, 1));
        for (unsigned i = 0; i < 8; i++) {
            fprintf(to, "  st%u %04" PRIx64 "_%016" PRIx64 "%s", i, field(c->in.x87, 40 + 16 * i, 2),
                    field(c->in.x87, 32 + 16 * i, 8), i % 4 == 3 ? "\n" : "");
        }
    }
    if (c->sequence || (c->row && (!strncmp(c->row->exec, "sse", 3) || !strncmp(c->row->exec, "avx", 3)))) {
        for (unsigned i = 0; i < 16; i++) {
            fprintf(to, "  xmm%-2u %016" PRIx64 "_%016" PRIx64 "%s", i, c->in.xmm[i].u64[1],
                    c->in.xmm[i].u64[0], i % 2 ? "\n" : "");
        }
        for (unsigned i = 0; i < 16; i++) {
            fprintf(to, "  ymm%-2u %016" PRIx64 "_%016" PRIx64 "%s", i, c->in.ymm_high[i].u64[1],
                    c->in.ymm_high[i].u64[0], i % 2 ? "\n" : "");
        }
    }
}
