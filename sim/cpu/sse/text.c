/* SSE4.2's string compares: PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM (SDM Vol 2 "Imm8 Control Byte
 * Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM").
 *
 * 'dst' is the set, the ranges or the needle, 'src' the text.  One bit per element of the text comes out. */
#include "sim/cpu/sse/sse_priv.h"

enum { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };
enum { IMM_WORDS = 1 << 0, IMM_SIGNED = 1 << 1, IMM_NEGATIVE = 1 << 4, IMM_MASKED = 1 << 5, IMM_LAST = 1 << 6 };
enum { CF = 1 << 0, ZF = 1 << 6, SF = 1 << 7, OF = 1 << 11 };

struct text {
    const union xmm *bytes;
    unsigned imm;
    unsigned length; /* valid elements */
};

static unsigned elements(unsigned imm)
{
    return imm & IMM_WORDS ? 8 : 16;
}

static int element(const struct text *t, unsigned i)
{
    if (t->imm & IMM_WORDS) {
        return t->imm & IMM_SIGNED ? (int16_t)t->bytes->u16[i] : t->bytes->u16[i];
    }
    return t->imm & IMM_SIGNED ? (int8_t)t->bytes->u8[i] : t->bytes->u8[i];
}

static unsigned length_implicit(const union xmm *v, unsigned imm)
{
    const struct text t = { v, imm, 0 };
    unsigned n = 0;
    while (n < elements(imm) && element(&t, n) != 0) {
        n++;
    }
    return n;
}

/* The register's absolute value, at most what there is. */
static unsigned length_explicit(int64_t given, unsigned imm)
{
    uint64_t size = given < 0 ? 0 - (uint64_t)given : (uint64_t)given;
    return size < elements(imm) ? (unsigned)size : elements(imm);
}

/* What "equal ordered" says at position 'at': the needle is there, or its beginning is where the text's room ends. */
static bool found_at(const struct text *needle, const struct text *text, unsigned at)
{
    for (unsigned i = 0; i < needle->length && at + i < elements(text->imm); i++) {
        if (at + i >= text->length || element(needle, i) != element(text, at + i)) {
            return false;
        }
    }
    return true;
}

static bool is_any(const struct text *set, int value)
{
    for (unsigned i = 0; i < set->length; i++) {
        if (element(set, i) == value) {
            return true;
        }
    }
    return false;
}

static bool in_ranges(const struct text *ranges, int value)
{
    for (unsigned i = 0; i + 1 < ranges->length; i += 2) {
        if (element(ranges, i) <= value && value <= element(ranges, i + 1)) {
            return true;
        }
    }
    return false;
}

static bool same_at(const struct text *a, const struct text *b, unsigned i)
{
    if (i >= a->length || i >= b->length) {
        return i >= a->length && i >= b->length;
    }
    return element(a, i) == element(b, i);
}

static bool matches(const struct text *a, const struct text *b, unsigned i)
{
    switch (a->imm >> 2 & 3) {
    case EQUAL_ANY: return i < b->length && is_any(a, element(b, i));
    case RANGES: return i < b->length && in_ranges(a, element(b, i));
    case EQUAL_EACH: return same_at(a, b, i);
    default: return found_at(a, b, i);
    }
}

/* IntRes2, and the flags. */
static unsigned compare(struct cpu *cpu, const struct text *a, const struct text *b)
{
    unsigned imm = a->imm, count = elements(imm), result = 0;
    for (unsigned i = 0; i < count; i++) {
        bool negate = imm & IMM_NEGATIVE && (!(imm & IMM_MASKED) || i < b->length);
        result |= (unsigned)(matches(a, b, i) ^ negate) << i;
    }
    cpu_set_status_flags(cpu, (result ? CF : 0) | (b->length < count ? ZF : 0) | (a->length < count ? SF : 0) |
                              (result & 1 ? OF : 0));
    return result;
}

static void give_index(struct cpu *cpu, unsigned result, unsigned imm)
{
    unsigned last = 31 - (unsigned)__builtin_clz(result | 1), first = (unsigned)__builtin_ctz(result | 1u << 31);
    cpu->gpr[RCX] = result == 0 ? elements(imm) : imm & IMM_LAST ? last : first;
}

static void give_mask(struct cpu *cpu, unsigned result, unsigned imm)
{
    union xmm r = { .u64 = { 0, 0 } };
    if (!(imm & IMM_LAST)) { /* "bit mask" */
        r.u64[0] = result;
    } else {
        for (unsigned i = 0; i < 16; i++) {
            r.u8[i] = result >> (imm & IMM_WORDS ? i / 2 : i) & 1 ? 0xff : 0;
        }
    }
    cpu->xmm[0] = r;
}

#define STRING_COMPARE(name, length_a, length_b, give)                                       \
    SSE_DEFINE(name)                                                                         \
    {                                                                                        \
        const struct text a = { dst, imm, length_a }, b = { src, imm, length_b };            \
        give(cpu, compare(cpu, &a, &b), imm);                                                \
    }

STRING_COMPARE(pcmpistri, length_implicit(dst, imm), length_implicit(src, imm), give_index)
STRING_COMPARE(pcmpistrm, length_implicit(dst, imm), length_implicit(src, imm), give_mask)
STRING_COMPARE(pcmpestri, length_explicit((int32_t)cpu->gpr[RAX], imm), length_explicit((int32_t)cpu->gpr[RDX], imm), give_index)
STRING_COMPARE(pcmpestrm, length_explicit((int32_t)cpu->gpr[RAX], imm), length_explicit((int32_t)cpu->gpr[RDX], imm), give_mask)
/* With REX.W the lengths are 64-bit numbers. */
STRING_COMPARE(pcmpestri_w, length_explicit((int64_t)cpu->gpr[RAX], imm), length_explicit((int64_t)cpu->gpr[RDX], imm), give_index)
STRING_COMPARE(pcmpestrm_w, length_explicit((int64_t)cpu->gpr[RAX], imm), length_explicit((int64_t)cpu->gpr[RDX], imm), give_mask)
