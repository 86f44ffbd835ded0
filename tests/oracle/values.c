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
