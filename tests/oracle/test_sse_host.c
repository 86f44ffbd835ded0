/* Every SSE/SSE2 semantic function against the host's own instruction: result
 * and MXCSR, over operands weighted to edges and all MXCSR controls.  The
 * decoder and core are not involved; test_host runs whole instructions. */
#if !defined(__x86_64__)
#include <stdio.h>
int main(void)
{
    puts("SKIP: the host is not x86-64");
    return 0;
}
#else
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cpu/sse/ieee.h"
#include "sim/cpu/sse/sse.h"

/* Faults and RFLAGS do not occur here: the processor around the functions is a shell. */
static uint64_t fake_flags;
enum exec_result cpu_raise(struct cpu *cpu, unsigned vector)
{
    cpu->fault.vector = (uint8_t)vector;
    return EXEC_FAULT;
}
void cpu_set_status_flags(struct cpu *cpu, uint64_t value) { (void)cpu; fake_flags = value; }

typedef void host_fn(union xmm *dst, const union xmm *src, uint64_t *rflags);

#define HOST(name, text)                                                                        \
    static void host_##name(union xmm *dst, const union xmm *src, uint64_t *rflags)             \
    {                                                                                           \
        __asm__ volatile("movups (%0), %%xmm0\n movups (%1), %%xmm1\n mov (%1), %%rcx\n"        \
                         "mov (%0), %%rax\n" text "\n pushfq\n popq (%2)\n"                     \
                         :: "r"(dst), "r"(src), "r"(rflags)                                     \
                         : "xmm0", "xmm1", "rax", "rcx", "memory", "cc");                       \
    }
#define XX(name) HOST(name, #name " %%xmm1, %%xmm0\n movups %%xmm0, (%0)")
#define XXI(name, imm) HOST(name##_##imm, #name " $" #imm ", %%xmm1, %%xmm0\n movups %%xmm0, (%0)")
#define SHI(name, imm) HOST(name##_##imm, #name " $" #imm ", %%xmm0\n movups %%xmm0, (%0)")
#define RX(name) HOST(name, #name " %%xmm1, %%eax\n mov %%rax, (%0)")
#define RXQ(name, text) HOST(name, text " %%xmm1, %%rax\n mov %%rax, (%0)")
#define XR(name, text) HOST(name, text ", %%xmm0\n movups %%xmm0, (%0)")

#define LIST_XX(_)                                                                              \
    _(addps) _(addpd) _(addss) _(addsd) _(subps) _(subpd) _(subss) _(subsd)                     \
    _(mulps) _(mulpd) _(mulss) _(mulsd) _(divps) _(divpd) _(divss) _(divsd)                     \
    _(minps) _(minpd) _(minss) _(minsd) _(maxps) _(maxpd) _(maxss) _(maxsd)                     \
    _(sqrtps) _(sqrtpd) _(sqrtss) _(sqrtsd)                                                     \
    _(ucomiss) _(ucomisd) _(comiss) _(comisd)                                                   \
    _(cvtps2pd) _(cvtpd2ps) _(cvtss2sd) _(cvtsd2ss) _(cvtdq2ps) _(cvtdq2pd) _(cvtps2dq)         \
    _(cvttps2dq) _(cvtpd2dq) _(cvttpd2dq)                                                       \
    _(pand) _(pandn) _(por) _(pxor) _(unpcklps) _(unpckhps) _(punpcklbw) _(punpcklwd)           \
    _(punpcklqdq) _(punpckhbw) _(punpckhwd) _(punpckhqdq) _(packsswb) _(packssdw) _(packuswb)   \
    _(paddb) _(paddw) _(paddd) _(paddq) _(psubb) _(psubw) _(psubd) _(psubq)                     \
    _(paddsb) _(paddsw) _(paddusb) _(paddusw) _(psubsb) _(psubsw) _(psubusb) _(psubusw)         \
    _(pmullw) _(pmulhw) _(pmulhuw) _(pmuludq) _(pmaddwd) _(psadbw) _(pavgb) _(pavgw)            \
    _(pminub) _(pmaxub) _(pminsw) _(pmaxsw) _(pcmpeqb) _(pcmpeqw) _(pcmpeqd)                    \
    _(pcmpgtb) _(pcmpgtw) _(pcmpgtd) _(psllw) _(pslld) _(psllq) _(psrlw) _(psrld) _(psrlq)      \
    _(psraw) _(psrad)
#define LIST_XXI(_)                                                                             \
    _(cmpps, 0) _(cmpps, 1) _(cmpps, 2) _(cmpps, 3) _(cmpps, 4) _(cmpps, 5) _(cmpps, 6) _(cmpps, 7) \
    _(cmppd, 0) _(cmppd, 1) _(cmppd, 2) _(cmppd, 3) _(cmppd, 4) _(cmppd, 5) _(cmppd, 6) _(cmppd, 7) \
    _(cmpss, 0) _(cmpss, 1) _(cmpss, 2) _(cmpss, 5) _(cmpsd, 3) _(cmpsd, 4) _(cmpsd, 6) _(cmpsd, 7) \
    _(shufps, 0x1b) _(shufps, 0xc6) _(shufpd, 0) _(shufpd, 1) _(shufpd, 2) _(shufpd, 3)         \
    _(pshufd, 0x1b) _(pshufd, 0xc6) _(pshufhw, 0x1b) _(pshuflw, 0xc6)
#define LIST_SHI(_)                                                                             \
    _(psllw, 3) _(psllw, 16) _(pslld, 31) _(pslld, 32) _(psllq, 33) _(psllq, 64) _(psrlw, 15)   \
    _(psrlw, 17) _(psrld, 1) _(psrld, 255) _(psrlq, 63) _(psrlq, 65) _(psraw, 4) _(psraw, 99)   \
    _(psrad, 31) _(psrad, 32)
#define LIST_SHB(_)                                                                             \
    _(pslldq, 0) _(pslldq, 5) _(pslldq, 16) _(pslldq, 200)                                      \
    _(psrldq, 0) _(psrldq, 9) _(psrldq, 15) _(psrldq, 16)
#define LIST_RX(_)                                                                              \
    _(cvtss2si) _(cvttss2si) _(cvtsd2si) _(cvttsd2si) _(movmskps) _(movmskpd) _(pmovmskb)
#define LIST_RXQ(_)                                                                             \
    _(cvtss2sq, "cvtss2si") _(cvttss2sq, "cvttss2si") _(cvtsd2sq, "cvtsd2si")                   \
    _(cvttsd2sq, "cvttsd2si") _(pextrw, "pextrw $5, ")
#define LIST_XR(_)                                                                              \
    _(cvtsi2ss, "cvtsi2ss %%ecx") _(cvtsi2sd, "cvtsi2sd %%ecx") _(cvtsq2ss, "cvtsi2ss %%rcx")   \
    _(cvtsq2sd, "cvtsi2sd %%rcx") _(pinsrw, "pinsrw $5, %%ecx")

LIST_XX(XX)
LIST_XXI(XXI)
LIST_SHI(SHI)
LIST_SHB(SHI)
LIST_RX(RX)
LIST_RXQ(RXQ)
LIST_XR(XR)

enum destination { TO_XMM, TO_GPR };
struct row {
    const char *name;
    sse_fn *ours;             /* one of these two */
    ssef_fn *ours_faulting;
    host_fn *host;
    unsigned imm;
    enum destination to;
};
#define OURS(f)                                                                                 \
    _Generic(&(f), sse_fn *: &(f), default: NULL), _Generic(&(f), ssef_fn *: &(f), default: NULL)
#define ROW_XX(n) { #n, OURS(sse_##n), host_##n, 0, TO_XMM },
#define ROW_XXI(n, i) { #n " " #i, OURS(sse_##n), host_##n##_##i, i, TO_XMM },
#define ROW_SHI(n, i) { #n " " #i, OURS(sse_##n##_imm), host_##n##_##i, i, TO_XMM },
#define ROW_SHB(n, i) { #n " " #i, OURS(sse_##n), host_##n##_##i, i, TO_XMM },
#define ROW_RX(n) { #n, OURS(sse_##n), host_##n, 0, TO_GPR },
#define ROW_RXQ(n, t) { #n, OURS(sse_##n), host_##n, 5, TO_GPR },
#define ROW_XR(n, t) { #n, OURS(sse_##n), host_##n, 5, TO_XMM },
static const struct row rows[] = {
    LIST_XX(ROW_XX) LIST_XXI(ROW_XXI) LIST_SHI(ROW_SHI) LIST_SHB(ROW_SHB) LIST_RX(ROW_RX) LIST_RXQ(ROW_RXQ)
    LIST_XR(ROW_XR)
};

static uint64_t next_random(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static uint32_t edge32(uint64_t *s)
{
    static const uint32_t edges[] = {
        0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000, 0xbf800000,
        0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa12345, 0x4f000000,
        0xcf000000, 0x4effffff, 0x3f000000, 0x3fc00000, 0x5f000000, 0x34000000, 0x33800000,
        0x7fffffff, 0xffffffff, 0x80808080, 0x7f0000ff, 0x00000007,
    };
    uint64_t r = next_random(s);
    switch (r >> 60) {
    case 0: case 1: case 2: case 3: case 4: return edges[(r & 0xffff) % (sizeof edges / 4)];
    case 5: return (uint32_t)(r & 0x807fffff);                          /* denormal */
    case 6: case 7: return (uint32_t)((r & 0x8fffffff) | 0x3c000000);   /* near one */
    case 8: return (uint32_t)(r & 63);
    default: return (uint32_t)(r >> 13);
    }
}

static uint64_t edge64(uint64_t *s)
{
    static const uint64_t edges[] = {
        0, 0x8000000000000000, 1, 0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001,
        0x3ff0000000000000, 0xbff0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff4000000012345,
        0x43e0000000000000, 0xc3e0000000000000, 0x41dfffffffc00000, 0xc1e0000000000000,
        0x41e0000000000000, 0xc1e0000000200000, 0x3fe0000000000000, 0x47efffffefffffff,
        0x380fffffffffffff, 0x3690000000000000, 0x36a0000000000000, 0x3810000000000000,
    };
    uint64_t r = next_random(s);
    switch (r >> 61) {
    case 0: case 1: case 2: return edges[(r & 0xffff) % (sizeof edges / 8)];
    case 3: return next_random(s) & 0x800fffffffffffff;
    case 4: return (next_random(s) & 0x80ffffffffffffff) | 0x3f00000000000000;
    case 5: return (next_random(s) & 0x83ffffffffffffff) | 0x3800000000000000; /* near f32's tiny */
    default: return next_random(s);
    }
}

static union xmm operand(uint64_t *s)
{
    union xmm v;
    if (next_random(s) & 1) {
        for (unsigned i = 0; i < 4; i++) {
            v.u32[i] = edge32(s);
        }
    } else {
        for (unsigned i = 0; i < 2; i++) {
            v.u64[i] = edge64(s);
        }
    }
    return v;
}

/* All exceptions masked: an unmasked one would end this process. */
static uint32_t random_mxcsr(uint64_t *s)
{
    uint32_t v = (uint32_t)next_random(s) & 0xffff;
    return next_random(s) % 4 == 0 ? 0x1f80 | (v & MXCSR_PE) : v | 0x1f80;
}

static bool agrees(const struct row *row, uint64_t *s)
{
    static struct cpu cpu;
    union xmm dst = operand(s), src = operand(s);
    uint32_t mxcsr = random_mxcsr(s), host_mxcsr, saved;
    union xmm ours = dst, host = dst;
    uint64_t host_rflags = 0;

    cpu.mxcsr = mxcsr;
    fake_flags = 0x8d7;
    enum exec_result result = EXEC_OK;
    if (row->ours) {
        row->ours(&cpu, &ours, &src, row->imm);
    } else {
        result = row->ours_faulting(&cpu, &ours, &src, row->imm);
    }

    __asm__ volatile("stmxcsr %0" : "=m"(saved));
    __asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
    row->host(&host, &src, &host_rflags);
    __asm__ volatile("stmxcsr %0" : "=m"(host_mxcsr));
    __asm__ volatile("ldmxcsr %0" :: "m"(saved));

    bool compares = strstr(row->name, "comis") != NULL;
    bool same = result == EXEC_OK && ours.u64[0] == host.u64[0] && cpu.mxcsr == host_mxcsr &&
                (row->to == TO_GPR || ours.u64[1] == host.u64[1]) &&
                (!compares || ((fake_flags ^ host_rflags) & 0x8d5) == 0);
    if (!same) {
        printf("%s: mxcsr %04x dst %016lx_%016lx src %016lx_%016lx\n"
               "  ours %016lx_%016lx mxcsr %04x flags %03lx\n"
               "  host %016lx_%016lx mxcsr %04x flags %03lx\n", row->name, mxcsr,
               dst.u64[1], dst.u64[0], src.u64[1], src.u64[0], ours.u64[1], ours.u64[0], cpu.mxcsr,
               fake_flags & 0x8d5, host.u64[1], host.u64[0], host_mxcsr, host_rflags & 0x8d5);
    }
    return same;
}

int main(void)
{
    enum { COMPLAINTS_MAX = 40 };
    unsigned per_row = getenv("HVLAB_LONG") ? 200000 : 8000, wrong = 0;
    unsigned long cases = 0;
    uint64_t s = 0x243f6a8885a308d3;

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        unsigned wrong_here = 0;
        for (unsigned i = 0; i < per_row && wrong_here < 3; i++, cases++) {
            wrong_here += !agrees(&rows[r], &s);
        }
        wrong += wrong_here;
        if (wrong > COMPLAINTS_MAX) {
            break;
        }
    }
    printf("SSE against the host: %zu functions, %lu cases, %u differ\n",
           sizeof rows / sizeof rows[0], cases, wrong);
    return wrong != 0;
}
#endif
