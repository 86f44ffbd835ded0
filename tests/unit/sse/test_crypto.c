/* AES from its definition in FIPS 197, carry-less products from theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/sse/sse.h"

void cpu_set_status_flags(struct cpu *cpu, uint64_t flags) { (void)cpu, (void)flags; }
enum exec_result cpu_raise(struct cpu *cpu, unsigned vector) { (void)cpu, (void)vector; return EXEC_FAULT; }
enum exec_result cpu_linear(struct cpu *c, unsigned s, uint64_t ea, unsigned n, enum access_kind k, uint64_t *l)
{
    (void)c, (void)s, (void)ea, (void)n, (void)k, (void)l;
    return EXEC_FAULT;
}
enum exec_result mmu_fill(struct cpu *c, uint64_t linear, unsigned size, enum access_kind k, uint8_t **host, uint64_t *spa)
{
    (void)c, (void)linear, (void)size, (void)k, (void)host, (void)spa;
    return EXEC_FAULT;
}
enum exec_result cpu_write(struct cpu *c, uint64_t linear, const void *from, unsigned size)
{
    (void)c, (void)linear, (void)from, (void)size;
    return EXEC_FAULT;
}

static uint8_t
times(unsigned a, unsigned b)
{
    unsigned product = 0;
    for (; b; b >>= 1, a = a << 1 ^ (a & 0x80 ? 0x11b : 0)) {
        product ^= b & 1 ? a : 0;
    }
    return (uint8_t)product;
}

/* FIPS 197 "SubBytes() Transformation": the inverse in GF(2^8), then an affine map. */
static uint8_t
s_box_by_definition(unsigned v)
{
    unsigned inverse = 0;
    while (v && times(v, inverse) != 1) {
        inverse++;
    }
    unsigned r = 0x63;
    for (unsigned i = 0; i < 5; i++) {
        r ^= (inverse << i | inverse >> (8 - i)) & 0xff;
    }
    return (uint8_t)r;
}

static void
substitution_is_the_standards(void **unused)
{
    const union xmm no_key = { .u64 = { 0, 0 } };
    (void)unused;
    for (unsigned v = 0; v < 256; v++) {
        union xmm state;
        memset(&state, (int)v, sizeof state); /* all bytes alike: rows may shift */
        sse_aesenclast(NULL, &state, &no_key, 0);
        assert_int_equal(state.u8[0], s_box_by_definition(v));
        sse_aesdeclast(NULL, &state, &no_key, 0);
        assert_int_equal(state.u8[15], v);
    }
}

/* FIPS 197 appendix B: round 1. */
static void
a_round_is_the_standards(void **unused)
{
    static const uint8_t start[16] = { 0x19, 0x3d, 0xe3, 0xbe, 0xa0, 0xf4, 0xe2, 0x2b, 0x9a, 0xc6, 0x8d, 0x2a, 0xe9, 0xf8, 0x48, 0x08 };
    static const uint8_t key[16] = { 0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1, 0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05 };
    static const uint8_t end[16] = { 0xa4, 0x9c, 0x7f, 0xf2, 0x68, 0x9f, 0x35, 0x2b, 0x6b, 0x5b, 0xea, 0x43, 0x02, 0x6a, 0x50, 0x49 };
    union xmm state, round_key;
    (void)unused;
    memcpy(&state, start, 16);
    memcpy(&round_key, key, 16);
    sse_aesenc(NULL, &state, &round_key, 0);
    assert_memory_equal(&state, end, 16);
}

static void
products_have_no_carries(void **unused)
{
    uint64_t a = 0x123456789abcdef1, b = 0xfedcba9876543211;
    (void)unused;
    for (unsigned i = 0; i < 1000; i++, a = a * 6364136223846793005 + 1, b ^= a << 7) {
        unsigned __int128 product = 0;
        for (unsigned k = 0; k < 64; k++) {
            product ^= b >> k & 1 ? (unsigned __int128)a << k : 0;
        }
        union xmm x = { .u64 = { 5, a } }, y = { .u64 = { b, 7 } };
        sse_pclmulqdq(NULL, &x, &y, 0x01);
        assert_int_equal(x.u64[0], (uint64_t)product);
        assert_int_equal(x.u64[1], (uint64_t)(product >> 64));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(substitution_is_the_standards), cmocka_unit_test(a_round_is_the_standards),
        cmocka_unit_test(products_have_no_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
