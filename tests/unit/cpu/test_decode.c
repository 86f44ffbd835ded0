/* Claims about what bytes mean: lengths, rows, operand sizes, prefixes, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/cpu/decode/decode.h"

enum { M64 = MODE_LONG64 | MODE_LMA | MODE_PROT | MODE_FLAT | MODE_SSE_OK, M32 = MODE_CODE32 | MODE_PROT | MODE_FLAT, M16 = 0 };

struct form {
    const char *bytes;  /* hexadecimal */
    uint32_t mode;
    enum decode_status status;
    unsigned op, length, operand_size, address_size;
};

static unsigned from_hex(const char *text, uint8_t *bytes)
{
    unsigned count = 0, used = 0;
    int length;

    while (sscanf(text + used, "%2hhx%n", &bytes[count], &length) == 1) {
        used += (unsigned)length;
        count++;
        while (text[used] == ' ') {
            used++;
        }
    }
    return count;
}

static void check_forms(const struct form *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++, f++) {
        uint8_t bytes[32];
        unsigned size = from_hex(f->bytes, bytes);
        struct decoded d;
        enum decode_status status = decode_insn(f->mode, bytes, size, &d);
        if (status != f->status ||
            (status == DECODE_OK && (d.sys.op != f->op || d.sys.length != f->length ||
                                     d.sys.operand_size != f->operand_size || d.sys.address_size != f->address_size))) {
            fail_msg("%s: status %d, %s length %u operand %u address %u", f->bytes, status, x86_op_name(d.sys.op),
                     d.sys.length, d.sys.operand_size, d.sys.address_size);
        }
    }
}
#define CHECK(forms) check_forms(forms, sizeof(forms) / sizeof *(forms))

static void vex_needs_protected_mode_and_no_other_prefix(void **unused)
{
    static const struct form forms[] = {
        { "c5 f8 77", M64, DECODE_OK, OP_VZEROUPPER, 3, 4, 8 },
        { "c5 fc 77", M64, DECODE_OK, OP_VZEROALL, 3, 4, 8 },
        { "c4 e1 78 77", M64, DECODE_OK, OP_VZEROUPPER, 4, 4, 8 },
        { "c5 f8 77", M32, DECODE_OK, OP_VZEROUPPER, 3, 4, 4 },
        { "c5 f8 77", M16 | MODE_PROT, DECODE_OK, OP_VZEROUPPER, 3, 2, 2 },
        { "c5 f8 77", M16, DECODE_UD, 0, 0, 0, 0 },                       /* real mode: LDS of a register */
        { "c5 f8 77", M16 | MODE_PROT | MODE_V86, DECODE_UD, 0, 0, 0, 0 },
        { "40 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "48 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "48 2e c5 f8 77", M64, DECODE_OK, OP_VZEROUPPER, 5, 4, 8 },     /* that REX does not count */
        { "66 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "f2 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "f3 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "f0 c5 f8 77", M64, DECODE_UD, 0, 0, 0, 0 },
        { "67 65 c5 f8 77", M64, DECODE_OK, OP_VZEROUPPER, 5, 4, 4 },
        { "c5 f9 77", M64, DECODE_UD, 0, 0, 0, 0 },                       /* pp */
        { "c5 f0 77", M64, DECODE_UD, 0, 0, 0, 0 },                       /* vvvv unused: 1111b */
        { "c4 e1 38 77", M32, DECODE_UD, 0, 0, 0, 0 },                    /* all four bits of it */
        { "c4 e0 78 77", M64, DECODE_UD, 0, 0, 0, 0 },                    /* mmmmm 0 */
        { "c4 e4 78 77", M64, DECODE_UD, 0, 0, 0, 0 },                    /* mmmmm 4 */
        { "62 f1 7c 08 10 c0", M64, DECODE_UD, 0, 0, 0, 0 },              /* EVEX */
        { "c5 18", M32, DECODE_OK, OP_LDS, 2, 4, 4 },
        { "c4 18", M32, DECODE_OK, OP_LES, 2, 4, 4 },
        { "c5", M32, DECODE_MORE, 0, 0, 0, 0 },
        { "c4 e1", M64, DECODE_MORE, 0, 0, 0, 0 },
        { "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e c4 e1 78 10 c0", M64, DECODE_LONG, 0, 0, 0, 0 },
    };
    (void)unused;
    CHECK(forms);
}

static void vex_length_and_width_choose_the_row(void **unused)
{
    static const struct form forms[] = {
        { "c5 fc 10 00", M64, DECODE_OK, OP_VMOVUPS, 4, 32, 8 },
        { "c5 f8 10 00", M64, DECODE_OK, OP_VMOVUPS, 4, 16, 8 },
        { "c4 e2 7d 1a 00", M64, DECODE_OK, OP_VBROADCASTF128, 5, 32, 8 },
        { "c4 e2 79 1a 00", M64, DECODE_UD, 0, 0, 0, 0 },                 /* 256 bits only */
        { "c4 e2 fd 1a 00", M64, DECODE_UD, 0, 0, 0, 0 },                 /* W0 only */
        { "c4 e2 7d 1a c0", M64, DECODE_UD, 0, 0, 0, 0 },                 /* memory only */
        { "c4 e1 f9 7e c0", M64, DECODE_OK, OP_VMOVD, 5, 8, 8 },          /* VMOVQ r64 */
        { "c4 e1 f9 7e c0", M32, DECODE_OK, OP_VMOVD, 5, 4, 4 },          /* W is ignored */
        { "c5 fd 7e c0", M64, DECODE_UD, 0, 0, 0, 0 },                    /* L0 only */
    };
    (void)unused;
    CHECK(forms);
}

static void sizes_follow_mode_and_prefixes(void **unused)
{
    static const struct form forms[] = {
        { "01 d8", M64, DECODE_OK, OP_ADD, 2, 4, 8 },
        { "66 01 d8", M64, DECODE_OK, OP_ADD, 3, 2, 8 },
        { "48 01 d8", M64, DECODE_OK, OP_ADD, 3, 8, 8 },
        { "66 48 01 d8", M64, DECODE_OK, OP_ADD, 4, 8, 8 },
        { "48 66 01 d8", M64, DECODE_OK, OP_ADD, 4, 2, 8 }, /* REX not right before the opcode is nothing */
        { "67 8b 00", M64, DECODE_OK, OP_MOV, 3, 4, 4 },
        { "01 d8", M32, DECODE_OK, OP_ADD, 2, 4, 4 },
        { "66 01 d8", M32, DECODE_OK, OP_ADD, 3, 2, 4 },
        { "01 d8", M16, DECODE_OK, OP_ADD, 2, 2, 2 },
        { "66 67 01 d8", M16, DECODE_OK, OP_ADD, 4, 4, 4 },
        { "50", M64, DECODE_OK, OP_PUSH, 1, 8, 8 },
        { "66 50", M64, DECODE_OK, OP_PUSH, 2, 2, 8 },
        { "66 e8 00 00 00 00", M64, DECODE_OK, OP_CALL, 6, 8, 8 }, /* near branches ignore 66 */
        { "0f 20 c0", M64, DECODE_OK, OP_MOV, 3, 8, 8 },
        { "48 b8 00 00 00 00 00 00 00 00", M64, DECODE_OK, OP_MOV, 10, 8, 8 },
        { "a1 00 00 00 00 00 00 00 00", M64, DECODE_OK, OP_MOV, 9, 4, 8 },
        { "8b 06 34 12", M16, DECODE_OK, OP_MOV, 4, 2, 2 },
        { "40", M32, DECODE_OK, OP_INC, 1, 4, 4 },
    };
    (void)unused;
    CHECK(forms);
}

static void ports_are_at_most_four_bytes(void **unused)
{
    static const struct form forms[] = {
        { "e7 f4", M64, DECODE_OK, OP_OUT, 2, 4, 8 }, { "e7 f4", M32, DECODE_OK, OP_OUT, 2, 4, 4 },
        { "48 e7 f4", M64, DECODE_OK, OP_OUT, 3, 4, 8 }, { "66 e7 f4", M64, DECODE_OK, OP_OUT, 3, 2, 8 },
        { "e6 f4", M64, DECODE_OK, OP_OUT, 2, 1, 8 }, { "e4 f4", M64, DECODE_OK, OP_IN, 2, 1, 8 },
        { "e5 f4", M64, DECODE_OK, OP_IN, 2, 4, 8 }, { "ec", M64, DECODE_OK, OP_IN, 1, 1, 8 },
        { "ed", M64, DECODE_OK, OP_IN, 1, 4, 8 }, { "66 ed", M64, DECODE_OK, OP_IN, 2, 2, 8 },
        { "ee", M64, DECODE_OK, OP_OUT, 1, 1, 8 }, { "ef", M64, DECODE_OK, OP_OUT, 1, 4, 8 },
        { "6c", M64, DECODE_OK, OP_INS, 1, 1, 8 }, { "48 6d", M64, DECODE_OK, OP_INS, 2, 4, 8 },
        { "6f", M64, DECODE_OK, OP_OUTS, 1, 4, 8 },
    };
    (void)unused;
    CHECK(forms);
}

static void what_is_no_instruction_is_refused(void **unused)
{
    static const struct form forms[] = {
        { "06", M64, DECODE_UD, 0, 0, 0, 0 },                  /* PUSH ES */
        { "c4 e2 79 c8 00", M64, DECODE_UD, 0, 0, 0, 0 },      /* no such VEX row */
        { "0f 38 0c c0", M64, DECODE_UD, 0, 0, 0, 0 },         /* exists with VEX only */
        { "f0 01 d8", M64, DECODE_UD, 0, 0, 0, 0 },            /* LOCK on a register */
        { "f0 03 00", M64, DECODE_UD, 0, 0, 0, 0 },            /* LOCK without a memory destination */
        { "f0 39 00", M64, DECODE_UD, 0, 0, 0, 0 },            /* LOCK CMP */
        { "8d c0", M64, DECODE_UD, 0, 0, 0, 0 },               /* LEA of a register */
        { "66 0f c7 30", M64, DECODE_OK, OP_VMCLEAR, 4, 8, 8 },
        { "f2 0f c7 f8", M64, DECODE_OK, OP_UD, 4, 4, 8 },      /* RDSEED with F2 */
        { "ff f8", M64, DECODE_UD, 0, 0, 0, 0 },               /* FF /7 */
        { "f0 01 18", M64, DECODE_OK, OP_ADD, 3, 4, 8 },
        { "f3 90", M64, DECODE_OK, OP_PAUSE, 2, 4, 8 },
        { "90", M64, DECODE_OK, OP_XCHG, 1, 4, 8 },
        { "f3 0f 1e fa", M64, DECODE_OK, OP_NOP, 4, 4, 8 },
    };
    (void)unused;
    CHECK(forms);
}

static void an_instruction_has_at_most_fifteen_bytes(void **unused)
{
    static const struct form forms[] = {
        { "66 66 66 66 66 66 66 66 66 66 66 66 66 01 d8", M64, DECODE_OK, OP_ADD, 15, 2, 8 },
        { "66 66 66 66 66 66 66 66 66 66 66 66 66 66 01 d8", M64, DECODE_LONG, 0, 0, 0, 0 },
        { "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", M64, DECODE_LONG, 0, 0, 0, 0 },
    };
    (void)unused;
    CHECK(forms);
}

/* Every proper prefix of an instruction asks for more; nothing is read beyond the given bytes. */
static void cut_instructions_ask_for_more(void **unused)
{
    static const char *const whole[] = {
        "48 81 84 98 78 56 34 12 01 02 03 04", "66 0f 3a 0f c1 05", "48 b8 01 02 03 04 05 06 07 08", "c8 01 02 03",
        "f3 48 0f b8 04 25 01 02 03 04", "0f ae 38", "e8 01 02 03 04", "66 67 8b 07",
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof whole / sizeof *whole; i++) {
        uint8_t bytes[32];
        unsigned size = from_hex(whole[i], bytes);
        struct decoded d;
        if (decode_insn(M64, bytes, size, &d) == DECODE_UD) {
            continue; /* not offered: known as soon as its opcode is complete */
        }
        for (unsigned cut = 0; cut < size; cut++) {
            uint8_t exact[32];
            memset(exact, 0xee, sizeof exact);
            memcpy(exact, bytes, cut);
            assert_int_equal(decode_insn(M64, exact, cut, &d), DECODE_MORE);
        }
    }
}

static void addresses_default_to_their_segments(void **unused)
{
    static const struct { const char *bytes; uint32_t mode; unsigned segment; } forms[] = {
        { "8b 00", M64, DS }, { "8b 45 00", M64, SS }, { "8b 04 24", M64, SS }, { "41 8b 45 00", M64, DS },
        { "64 8b 00", M64, FS }, { "65 8b 45 00", M64, GS }, { "2e 8b 45 00", M64, SS }, { "2e 8b 45 00", M32, CS },
        { "8b 46 00", M16, SS }, { "8b 07", M16, DS }, { "8b 02", M16, SS }, { "26 8b 02", M16, ES },
        { "8b 04 2b", M64, DS }, { "8b 05 00 00 00 00", M64, DS },
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint8_t bytes[32];
        unsigned size = from_hex(forms[i].bytes, bytes);
        struct decoded d;
        assert_int_equal(decode_insn(forms[i].mode, bytes, size, &d), DECODE_OK);
        if (d.sys.segment != forms[i].segment) {
            fail_msg("%s: segment %u", forms[i].bytes, d.sys.segment);
        }
    }
}

/* Random bytes: never a crash, never a length beyond 15 or beyond what was given; every row has a builder. */
static void any_bytes_decode_or_are_refused(void **unused)
{
    static const uint32_t modes[] = { M64, M32, M16 };
    uint64_t seed = 88172645463325252ull;
    (void)unused;
    for (unsigned n = 0; n < 300000; n++) {
        uint8_t bytes[16];
        for (unsigned i = 0; i < sizeof bytes; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes[i] = (uint8_t)(seed >> 11);
        }
        struct decoded d;
        unsigned size = 1 + n % 16;
        if (decode_insn(modes[n % 3], bytes, size, &d) == DECODE_OK) {
            assert_true(d.sys.length >= 1 && d.sys.length <= 15 && d.sys.length <= size);
            assert_non_null(d.row->build);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vex_needs_protected_mode_and_no_other_prefix),
        cmocka_unit_test(vex_length_and_width_choose_the_row),
        cmocka_unit_test(sizes_follow_mode_and_prefixes),
        cmocka_unit_test(ports_are_at_most_four_bytes),
        cmocka_unit_test(what_is_no_instruction_is_refused),
        cmocka_unit_test(an_instruction_has_at_most_fifteen_bytes),
        cmocka_unit_test(cut_instructions_ask_for_more),
        cmocka_unit_test(addresses_default_to_their_segments),
        cmocka_unit_test(any_bytes_decode_or_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
