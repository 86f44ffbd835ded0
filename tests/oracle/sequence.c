/* Straight runs of instructions, with jumps over one of them, ended by INT3.
 *
 * Alone, an instruction shows what it computes.  In a run it also meets what
 * the hot core does between instructions: lazy flags and who reads them, flag
 * computations left out because nobody can see them, fused pairs, links, a
 * warm TLB.  Memory operands are reached without registers, so that whatever
 * the run computes, most of it gets to the end.
 */
#include <string.h>

#include "sim/cpu/decode/decode.h"
#include "tests/oracle/oracle.h"

enum { INSTRUCTIONS_MAX = 10 };

static bool starts(const struct x86_row *row, const char *prefix)
{
    return !strncmp(row->exec, prefix, strlen(prefix));
}

/* Percent of the choices of such a row that are kept. */
static unsigned keep(const struct x86_row *row)
{
    static const struct { const char *exec; unsigned percent; } weights[] = {
        { "string", 0 }, { "sys:", 0 }, { "ret", 0 }, { "call", 0 }, { "jmp", 0 }, { "loop", 0 }, { "enter", 0 },
        { "leave", 0 }, { "push_sreg", 0 }, { "legacy", 0 }, { "x87:x87_fcomi", 0 },
        { "x87:x87_fucomi", 0 }, { "x87:x87_fsin", 0 }, { "x87:x87_fcos", 0 }, { "x87:x87_fptan", 0 }, { "x87:x87_fpatan", 0 },
        { "x87:x87_f2xm1", 0 }, { "x87:x87_fyl2x", 0 }, { "x87", 12 }, { "mmx_sys", 0 }, { "mmx", 12 }, { "xlat", 0 }, { "sse:sse_rcp", 0 },
        { "sse:sse_rsqrt", 0 }, { "flag:std", 0 }, { "muldiv:div", 10 }, { "muldiv:idiv", 10 }, { "sse", 20 }, { "avx:sse_rcp", 0 },
        { "avx:sse_rsqrt", 0 }, { "avx_sys", 0 }, { "avx", 20 },
        { "decimal", 20 },
    };
    for (unsigned i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        if (starts(row, weights[i].exec)) {
            return weights[i].percent;
        }
    }
    return 100;
}

/* A stack pointer that was computed with may point into code, which is not part of a case. */
static bool computes_with_rsp(const struct oracle_case *one)
{
    struct decoded d;
    uint32_t mode = MODE_PROT | MODE_FLAT | MODE_SSE_OK | (one->mode32 ? MODE_CODE32 : MODE_LONG64 | MODE_LMA);
    if (starts(one->row, "sse") || decode_insn(mode, one->code, one->length, &d) != DECODE_OK) {
        return false;
    }
    bool in_modrm = one->row->has_modrm && ((one->row->digit < 0 && d.sys.reg == RSP) ||
                                            (d.sys.modrm >> 6 == 3 && d.sys.rm == RSP));
    return in_modrm || (one->row->operand[0].kind == KIND_Z && d.sys.rm == RSP && !starts(one->row, "push"));
}

/* Bit strings and 16-bit double shifts: far away, or undefined. */
static bool unsuitable(const struct oracle_case *one)
{
    bool bit_string = starts(one->row, "bit:") && one->has_target && one->row->operand[1].kind == KIND_G;
    bool narrow = one->opsize == 2 && (starts(one->row, "shift_double") || starts(one->row, "jcc"));
    return bit_string || narrow || computes_with_rsp(one) || (one->row->op == OP_MOVSXD && one->opsize == 2); /* see host_known.def */
}

static bool counts_with_cl(const struct x86_row *row)
{
    for (unsigned i = 0; i < 3; i++) {
        if (row->operand[i].kind == KIND_FIXED && row->operand[i].size == FIX_CL) {
            return true;
        }
    }
    return false;
}

/* Which flags are undefined behind 'one', given which were before. */
static uint64_t undefined_after(const struct oracle_case *one, uint64_t before, bool may_be_skipped)
{
    uint64_t fresh = one->row->flags_undefined, defined = one->row->flags_written;
    if (starts(one->row, "shift") && counts_with_cl(one->row)) { /* the count is not known here */
        fresh |= FLAG_CF;
        defined = 0;
    } else if (starts(one->row, "shift")) {
        fresh = oracle_undefined_flags(one);
        bool wide = one->opsize == 8 && one->row->operand[0].size != SIZE_b;
        bool nothing = one->row->operand[1].kind == KIND_I && (one->imm & (wide ? 63 : 31)) == 0;
        defined = nothing || starts(one->row, "shift_double") ? 0 : defined;
    }
    return (may_be_skipped ? before : before & ~defined) | fresh;
}

/* One more instruction; false: try another. */
static bool append(struct oracle_case *c, bool may_be_skipped, uint64_t *seed, struct oracle_case *one)
{
    unsigned row = (unsigned)(oracle_random(seed) % x86_row_count);
    if (oracle_row_exempt(&x86_rows[row], c->mode32) || !oracle_chance(seed, keep(&x86_rows[row]))) {
        return false;
    }
    oracle_generate_at(one, row, c->mode32, c->in.rip + c->length, seed);
    if (one->length > 15 || unsuitable(one) || (one->row->flags_read & c->undefined) ||
        c->patches + one->patches > ORACLE_PATCHES) {
        return false;
    }
    memcpy(c->code + c->length, one->code, one->length);
    c->length += one->length;
    for (unsigned i = 0; i < one->patches; i++) {
        c->patch[c->patches++] = one->patch[i];
    }
    c->undefined = undefined_after(one, c->undefined, may_be_skipped);
    c->undefined_within |= c->undefined;
    return true;
}

void oracle_generate_sequence(struct oracle_case *c, bool mode32, uint64_t *seed)
{
    struct oracle_case one;
    unsigned wanted = 2 + (unsigned)(oracle_random(seed) % (INSTRUCTIONS_MAX - 1));
    unsigned displacement = 0; /* of the jump just before: its size [bytes], or 0 */

    do { /* any row's state will do */
        oracle_generate(c, (unsigned)(oracle_random(seed) % x86_row_count), mode32, seed);
    } while (oracle_row_exempt(c->row, mode32));
    c->row = NULL;
    c->sequence = true;
    c->has_target = c->has_lock = false;
    c->length = c->patches = 0;
    memset(c->code, 0xcc, sizeof c->code);
    for (unsigned n = 0; n < wanted;) {
        if (!append(c, displacement != 0, seed, &one)) {
            continue;
        }
        if (displacement) { /* over this instruction, or to it */
            uint32_t over = oracle_chance(seed, 70) ? one.length : 0;
            memcpy(c->code + c->length - one.length - displacement, &over, displacement);
        }
        displacement = !starts(one.row, "jcc") ? 0 : one.row->operand[0].size == SIZE_b ? 1 : 4;
        if (displacement) {
            memset(c->code + c->length - displacement, 0, displacement);
        }
        n++;
    }
    c->length++; /* INT3 */
}

/* A jump leads over one INT3 to another, so that whether it was taken can be seen. */
bool oracle_generate_pair(struct oracle_case *c, unsigned first_row, unsigned second_row, bool mode32, uint64_t *seed)
{
    static struct oracle_case second;

    oracle_generate(c, first_row, mode32, seed);
    c->undefined = c->undefined_within = undefined_after(c, 0, false);
    oracle_generate_at(&second, second_row, mode32, c->in.rip + c->length, seed);
    if (c->length > 15 || second.length > 15 || computes_with_rsp(c) || unsuitable(&second) ||
        (second.row->flags_read & c->undefined) || c->patches + second.patches > ORACLE_PATCHES) {
        return false;
    }
    memset(c->code + c->length, 0xcc, sizeof c->code - c->length);
    memcpy(c->code + c->length, second.code, second.length);
    memcpy(c->patch + c->patches, second.patch, second.patches * sizeof *second.patch);
    c->patches += second.patches;
    c->length += second.length;
    if (starts(second.row, "jcc")) {
        unsigned size = second.row->operand[0].size == SIZE_b ? 1 : 4;
        memset(c->code + c->length - size, 0, size);
        c->code[c->length - size] = 1;
        c->length++;
    }
    c->length++; /* INT3 */
    c->undefined = undefined_after(&second, c->undefined, false);
    c->undefined_within |= c->undefined;
    c->row = NULL;
    c->sequence = true;
    c->has_target = c->has_lock = false;
    return true;
}
