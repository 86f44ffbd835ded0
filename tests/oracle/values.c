#include <string.h>

#include "tests/oracle/oracle.h"

uint64_t oracle_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * 0x2545f4914f6cdd1d;
}

uint64_t oracle_integer(uint64_t *seed)
{
    static const uint64_t edges[] = {
        0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
        0xfffffffffffffffe, 0xffffffff80000000, 0xffffffff7fffffff, 0xffffffffffff8000,
        0xffffffffffffff80, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x0f0f0f0f0f0f0f0f, 31, 32, 63, 64,
    };
    uint64_t r = oracle_random(seed), v = oracle_random(seed);
    switch (r % 8) {
    case 0: case 1: return edges[v % (sizeof edges / sizeof edges[0])];
    case 2: return v % 72;
    case 3: return v >> (r >> 8) % 64;
    case 4: return (uint64_t)((int64_t)v >> (r >> 8) % 64);
    default: return v;
    }
}

static uint32_t single(uint64_t *seed)
{
    static const uint32_t edges[] = {
        0, 0x80000000, 1, 0x80000001, 0x007fffff, 0x00800000, 0x00800001, 0x3f800000, 0xbf800000,
        0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa12345, 0x4f000000,
        0xcf000000, 0x4effffff, 0x3f000000, 0x3fc00000, 0x5f000000, 0x34000000, 0x33800000,
    };
    uint64_t r = oracle_random(seed);
    switch (r >> 60) {
    case 0: case 1: case 2: case 3: return edges[(r & 0xffff) % (sizeof edges / sizeof edges[0])];
    case 4: return (uint32_t)(r & 0x807fffff);                        /* denormal */
    case 5: case 6: return (uint32_t)((r & 0x8fffffff) | 0x3c000000); /* near one */
    default: return (uint32_t)(r >> 13);
    }
}

static uint64_t double_(uint64_t *seed)
{
    static const uint64_t edges[] = {
        0, 0x8000000000000000, 1, 0x000fffffffffffff, 0x0010000000000000, 0x0010000000000001,
        0x3ff0000000000000, 0xbff0000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff4000000012345,
        0x43e0000000000000, 0xc3e0000000000000, 0x41dfffffffc00000, 0xc1e0000000000000,
        0x41e0000000000000, 0xc1e0000000200000, 0x3fe0000000000000, 0x47efffffefffffff,
        0x380fffffffffffff, 0x3690000000000000, 0x36a0000000000000, 0x3810000000000000,
    };
    uint64_t r = oracle_random(seed), v = oracle_random(seed);
    switch (r >> 61) {
    case 0: case 1: return edges[v % (sizeof edges / sizeof edges[0])];
    case 2: return v & 0x800fffffffffffff;
    case 3: return (v & 0x80ffffffffffffff) | 0x3f00000000000000;
    case 4: return (v & 0x83ffffffffffffff) | 0x3800000000000000; /* near a single's limits */
    default: return v;
    }
}

union xmm oracle_vector(uint64_t *seed)
{
    union xmm v;
    switch (oracle_random(seed) % 3) {
    case 0:
        for (unsigned i = 0; i < 4; i++) {
            v.u32[i] = single(seed);
        }
        break;
    case 1:
        for (unsigned i = 0; i < 2; i++) {
            v.u64[i] = double_(seed);
        }
        break;
    default:
        for (unsigned i = 0; i < 2; i++) {
            v.u64[i] = oracle_integer(seed);
        }
    }
    return v;
}

void oracle_f80(uint64_t *seed, uint8_t to[10])
{
    static const struct { uint64_t sig; uint16_t exp; } edges[] = {
        { 0, 0 }, { 1, 0 }, { 0x7fffffffffffffff, 0 }, { 0x8000000000000000, 0 }, { 0xffffffffffffffff, 0 },
        { 0x8000000000000000, 1 }, { 0x8000000000000001, 1 }, { 0xffffffffffffffff, 1 }, { 0x8000000000000000, 0x3fff },
        { 0xffffffffffffffff, 0x3ffe }, { 0x8000000000000001, 0x3fff }, { 0xc000000000000000, 0x3fff },
        { 0x8000000000000000, 0x4000 }, { 0xffffffffffffffff, 0x7ffe }, { 0x8000000000000000, 0x7ffe },
        { 0x8000000000000000, 0x7fff }, { 0xc000000000000000, 0x7fff }, { 0xe123456789abcdef, 0x7fff },
        { 0x8000000000000001, 0x7fff }, { 0xa000000000000000, 0x7fff }, { 0, 0x7fff }, { 0x4000000000000000, 0x7fff },
        { 0x7fffffffffffffff, 0x3fff }, { 0, 0x1234 }, { 0xc90fdaa22168c235, 0x4000 }, { 0xc90fdaa22168c235, 0x3fff },
        { 0x8000000000000000, 0x403e }, { 0xffffffffffffffff, 0x403d }, { 0x8000000000000000, 0x401e },
        { 0xfffffffe00000000, 0x401d }, { 0xffff000000000000, 0x400d }, { 0xde0b6b3a763fffff, 0x403a },
        { 0xde0b6b3a76400000, 0x403a }, { 0xffffff0000000000, 0x407e }, { 0xffffff8000000000, 0x407e },
        { 0x8000000000000000, 0x3f81 }, { 0x8000000000000000, 0x3f6a }, { 0xfffffffffffff800, 0x43fe },
        { 0xfffffffffffffc00, 0x43fe }, { 0x8000000000000000, 0x3c01 }, { 0x8000000000000000, 0x3bcd },
    };
    uint64_t r = oracle_random(seed), sig = oracle_random(seed) | 1ull << 63;
    uint16_t exp = 0x3fff;

    switch (r % 16) {
    case 0: case 1: case 2: case 3:
        sig = edges[(r >> 8) % (sizeof edges / sizeof edges[0])].sig;
        exp = edges[(r >> 8) % (sizeof edges / sizeof edges[0])].exp;
        break;
    case 4: exp = (uint16_t)(r >> 8 & 0x7fff); break;                   /* anywhere */
    case 5: exp = (uint16_t)(0x3fff + (r >> 8) % 70); break;            /* integers and parts */
    case 6: exp = (uint16_t)(0x3fff - (r >> 8) % 70); break;
    case 7: exp = (uint16_t)(0x3f60 + (r >> 8) % 48); break;            /* a single's small end */
    case 8: exp = (uint16_t)(0x407a + (r >> 8) % 8); break;             /* ... and large end */
    case 9: exp = (uint16_t)(0x3bc8 + (r >> 8) % 64); break;            /* a double's */
    case 10: exp = (uint16_t)(0x43fa + (r >> 8) % 8); break;
    case 11: exp = (uint16_t)((r >> 8) % 70); break;                    /* our own small end */
    case 12: exp = (uint16_t)(0x7ffe - (r >> 8) % 70); break;           /* and large end */
    default: exp = (uint16_t)(0x3ffc + (r >> 8) % 8); break;            /* near one */
    }
    if (r % 16 >= 4 && r >> 40 & 1) { /* few bits: exact results */
        sig &= ~0ull << (r >> 41) % 64;
        sig |= 1ull << 63;
    }
    exp |= (uint16_t)(r >> 63 << 15);
    memcpy(to, &sig, 8);
    memcpy(to + 8, &exp, 2);
}

void oracle_x87_initial(uint8_t image[ORACLE_X87_SIZE])
{
    memset(image, 0, ORACLE_X87_SIZE);
    memcpy(image, "\x7f\x03", 2);
}

void oracle_x87(uint64_t *seed, uint8_t image[ORACLE_X87_SIZE])
{
    uint64_t r = oracle_random(seed);
    uint16_t cw = (uint16_t)((r & 0xf00) | 0x7f), sw = (uint16_t)(r >> 16 & 0x7f00), full;

    if (oracle_chance(seed, 40)) { /* some masks open */
        cw = (uint16_t)((cw & ~0x3fu) | (r >> 32 & 0x3f));
    }
    if (oracle_chance(seed, 40)) { /* flags of old, masked ones */
        sw |= (uint16_t)(r >> 40 & cw & 0x3f) | (uint16_t)(r >> 48 & 0x40);
    }
    if (oracle_chance(seed, 4)) {  /* an error that waits */
        sw |= (uint16_t)(r >> 50 & 0x3f);
    }
    if (sw & ~cw & 0x3f) {
        sw |= 0x8080;
    }
    unsigned top = sw >> 11 & 7, st = (unsigned)oracle_random(seed) & 0x7f;
    st |= oracle_chance(seed, 93) ? 3 : 0;       /* operands are mostly there */
    st |= oracle_chance(seed, 60) ? 0x7c : 0;
    st |= oracle_chance(seed, 10) ? 0x80 : 0;    /* and room for one more */
    full = (uint16_t)(st << top);
    full = (uint16_t)((full | full >> 8) & 0xff);
    memset(image, 0, ORACLE_X87_SIZE);
    memcpy(image, &cw, 2);
    memcpy(image + 2, &sw, 2);
    image[4] = (uint8_t)full;
    for (unsigned i = 0; i < 8; i++) {
        oracle_f80(seed, image + 32 + 16 * i);
    }
}

void oracle_base_image(uint8_t image[ORACLE_DATA_SIZE])
{
    uint64_t seed = 0x452821e638d01377;
    for (unsigned i = 0; i < ORACLE_DATA_SIZE; i += 8) {
        uint64_t v = oracle_random(&seed);
        memcpy(image + i, &v, sizeof v);
    }
    /* POPF may reach into the read-only page: no AC or TF for it there. */
    memset(image + ORACLE_DATA_RW, 0, 16);
}

void oracle_apply_patches(const struct oracle_case *c, uint8_t image[ORACLE_DATA_RW])
{
    for (unsigned p = 0; p < c->patches; p++) {
        for (unsigned i = 0; i < c->patch[p].size; i++) {
            uint64_t offset = c->patch[p].address + i - ORACLE_DATA;
            if (offset < ORACLE_DATA_RW) {
                image[offset] = c->patch[p].bytes[i];
            }
        }
    }
}
