/* SHA extensions (SDM Vol 2 "SHA1RNDS4" and its family; FIPS 180-4). */
#include "sim/cpu/sse/sse_priv.h"

static uint32_t left(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static uint32_t right(uint32_t v, unsigned by)
{
    return left(v, 32 - by);
}

static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (~x & z); }
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) ^ (x & z) ^ (y & z); }

/* --- SHA-1: A is the highest doubleword -------------------------------------------------- */

static uint32_t sha1_f(unsigned stage, uint32_t b, uint32_t c, uint32_t d)
{
    return stage == 0 ? choose(b, c, d) : stage == 2 ? majority(b, c, d) : b ^ c ^ d;
}

SSE_DEFINE(sha1rnds4)
{
    static const uint32_t constant[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
    unsigned stage = imm & 3;
    uint32_t a = dst->u32[3], b = dst->u32[2], c = dst->u32[1], d = dst->u32[0], e = 0;
    union xmm w = *src; /* the first has E added by SHA1NEXTE */

    for (unsigned i = 0; i < 4; i++) {
        uint32_t next = sha1_f(stage, b, c, d) + left(a, 5) + w.u32[3 - i] + e + constant[stage];
        e = d;
        d = c;
        c = left(b, 30);
        b = a;
        a = next;
    }
    *dst = (union xmm){ .u32 = { d, c, b, a } };
}

SSE_DEFINE(sha1nexte)
{
    uint32_t e = left(dst->u32[3], 30);
    *dst = *src;
    dst->u32[3] += e;
}

SSE_DEFINE(sha1msg1)
{
    union xmm a = *dst, b = *src;
    dst->u32[3] = a.u32[1] ^ a.u32[3];
    dst->u32[2] = a.u32[0] ^ a.u32[2];
    dst->u32[1] = b.u32[3] ^ a.u32[1];
    dst->u32[0] = b.u32[2] ^ a.u32[0];
}

SSE_DEFINE(sha1msg2)
{
    union xmm a = *dst, b = *src;
    dst->u32[3] = left(a.u32[3] ^ b.u32[2], 1);
    dst->u32[2] = left(a.u32[2] ^ b.u32[1], 1);
    dst->u32[1] = left(a.u32[1] ^ b.u32[0], 1);
    dst->u32[0] = left(a.u32[0] ^ dst->u32[3], 1);
}

/* --- SHA-256 --------------------------------------------------------------------------------- */

/* Two rounds: dst = C D G H, src = A B E F (highest first), and XMM0's low half has W + K. */
SSE_DEFINE(sha256rnds2)
{
    uint32_t a = src->u32[3], b = src->u32[2], e = src->u32[1], f = src->u32[0];
    uint32_t c = dst->u32[3], d = dst->u32[2], g = dst->u32[1], h = dst->u32[0];
    uint64_t wk = cpu->xmm[0].u64[0];

    for (unsigned i = 0; i < 2; i++, wk >>= 32) {
        uint32_t t = choose(e, f, g) + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + (uint32_t)wk + h;
        uint32_t next = t + majority(a, b, c) + (right(a, 2) ^ right(a, 13) ^ right(a, 22));
        h = g;
        g = f;
        f = e;
        e = t + d;
        d = c;
        c = b;
        b = a;
        a = next;
    }
    *dst = (union xmm){ .u32 = { f, e, b, a } };
}

static uint32_t sigma_0(uint32_t v) { return right(v, 7) ^ right(v, 18) ^ v >> 3; }
static uint32_t sigma_1(uint32_t v) { return right(v, 17) ^ right(v, 19) ^ v >> 10; }

SSE_DEFINE(sha256msg1)
{
    union xmm a = *dst;
    uint32_t w[5] = { a.u32[0], a.u32[1], a.u32[2], a.u32[3], src->u32[0] };
    for (unsigned i = 0; i < 4; i++) {
        dst->u32[i] = w[i] + sigma_0(w[i + 1]);
    }
}

SSE_DEFINE(sha256msg2)
{
    union xmm b = *src;
    dst->u32[0] += sigma_1(b.u32[2]);
    dst->u32[1] += sigma_1(b.u32[3]);
    dst->u32[2] += sigma_1(dst->u32[0]);
    dst->u32[3] += sigma_1(dst->u32[1]);
}
