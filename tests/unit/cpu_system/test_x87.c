/* The four layouts of the x87 environment, and FXSAVE's image. */
#include "fixture.h"

#include "sim/cpu/x87/x87.h"

enum { AT = AT_DATA };

static void set_up(struct cpu *c)
{
    x87_image_init(c);
    c->x87.cw = 0x27f;
    c->x87.sw = X87_C3 | X87_PE;
    c->x87.top = 6;
    c->x87.full = 0xc0;
    c->x87.reg[6].u64[0] = 1ull << 63;
    c->x87.reg[6].u64[1] = 0x3fff; /* valid; R7 is zero */
    c->x87.op = 0x5ad;
    c->x87.cs = 0x1234;
    c->x87.ip = 0x56789;
    c->x87.ds = 0x4321;
    c->x87.dp = 0x98765;
}

/* Words or doublewords as stored: control, status, tags, then four of pointers. */
static void layouts_are_the_manuals(void **state)
{
    static const struct { bool real; unsigned size; uint32_t field[7]; } rows[] = {
        { false, 4, { 0xffff027f, 0xffff7020, 0xffff4fff, 0x56789, 0x5ad1234, 0x98765, 0xffff4321 } },
        { false, 2, { 0x27f, 0x7020, 0x4fff, 0x6789, 0x1234, 0x8765, 0x4321 } },
        { true, 4, { 0xffff027f, 0xffff7020, 0xffff4fff, 0x8ac9, 0x65ad, 0xb975, 0xd000 } },
        { true, 2, { 0x27f, 0x7020, 0x4fff, 0x8ac9, 0x65ad, 0xb975, 0xd000 } },
    };
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct fixture *f = fixture_new(1);
        struct sys_insn insn = { .modrm = 0x05, .segment = DS, .ea = AT, .operand_size = (uint8_t)rows[i].size };
        fixture_protected_mode(f, 0);
        f->cpu->mode &= rows[i].real ? ~(uint32_t)MODE_PROT : ~0u;
        set_up(f->cpu);
        assert_int_equal(sys_fnstenv(f->cpu, &insn), EXEC_OK);
        for (unsigned n = 0; n < 7; n++) {
            assert_int_equal(fixture_load(f, AT + n * rows[i].size, rows[i].size), rows[i].field[n]);
        }
        assert_int_equal(f->cpu->x87.cw, 0x27f);
        struct x87 before = f->cpu->x87;
        x87_init(f->cpu);
        assert_int_equal(sys_fldenv(f->cpu, &insn), EXEC_OK);
        assert_int_equal(x87_status(f->cpu), 0x7020);
        assert_int_equal(f->cpu->x87.full, before.full);
        if (!rows[i].real && rows[i].size == 4) {
            assert_memory_equal(&f->cpu->x87, &before, sizeof before);
        }
        fixture_free(f);
    }
}

static void fnsave_stores_registers_by_stack_and_initialises(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .modrm = 0x05, .segment = DS, .ea = AT, .operand_size = 4 };

    (void)state;
    fixture_protected_mode(f, 0);
    set_up(f->cpu);
    assert_int_equal(sys_fnsave(f->cpu, &insn), EXEC_OK);
    assert_int_equal(fixture_load(f, AT + 28, 8), 1ull << 63); /* ST = R6 */
    assert_int_equal(fixture_load(f, AT + 36, 2), 0x3fff);
    assert_int_equal(f->cpu->x87.cw, X87_CW_INIT);
    assert_int_equal(f->cpu->x87.full, 0);
    f->cpu->x87.reg[6].u64[0] = 5;
    assert_int_equal(sys_frstor(f->cpu, &insn), EXEC_OK);
    assert_int_equal(f->cpu->x87.reg[6].u64[0], 1ull << 63);
    assert_int_equal(f->cpu->x87.top, 6);
    fixture_free(f);
}

static void environments_wait_and_store_nothing_on_a_fault(void **state)
{
    struct fixture *f = fixture_new(1);
    struct sys_insn insn = { .modrm = 0x05, .segment = DS, .ea = AT, .operand_size = 4 };

    (void)state;
    fixture_protected_mode(f, 0);
    f->cpu->cr0 |= CR0_NE;
    set_up(f->cpu);
    f->cpu->x87.cw &= (uint16_t)~X87_PE; /* PE waits */
    assert_int_equal(sys_fldenv(f->cpu, &insn), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_MF);
    assert_int_equal(sys_fnstenv(f->cpu, &insn), EXEC_OK);
    assert_false(x87_is_pending(f->cpu)); /* it masks everything */
    f->cpu->cr0 |= CR0_TS;
    assert_int_equal(sys_fnstenv(f->cpu, &insn), EXEC_FAULT);
    assert_int_equal(f->cpu->fault.vector, X_NM);
    fixture_free(f);
}

static void images_of_fxsave_are_a_round_trip(void **state)
{
    struct fixture *f = fixture_new(1);
    uint8_t image[X87_IMAGE_SIZE] = { 0 };

    (void)state;
    set_up(f->cpu);
    struct x87 before = f->cpu->x87;
    x87_image_put(f->cpu, image, false);
    assert_int_equal(image[4], 0xc0);
    assert_int_equal(image[32 + 7], 0x80); /* ST first */
    x87_image_init(f->cpu);
    assert_true(x87_image_is_initial(f->cpu));
    x87_image_get(f->cpu, image, false);
    assert_memory_equal(&f->cpu->x87, &before, sizeof before);
    assert_false(x87_image_is_initial(f->cpu));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_are_the_manuals),
        cmocka_unit_test(fnsave_stores_registers_by_stack_and_initialises),
        cmocka_unit_test(environments_wait_and_store_nothing_on_a_fault),
        cmocka_unit_test(images_of_fxsave_are_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
