/* Words for refused entries and for exits: nothing left out, nothing unexplained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/debug/explain_vmx.h"
#include "sim/vtx/vmx/vmx_priv.h"

static char text[65536];

static FILE *
begin(void)
{
    memset(text, 0, sizeof text);
    return fmemopen(text, sizeof text - 1, "w");
}

static void
expect(const char *words)
{
    if (!strstr(text, words)) {
        fail_msg("'%s' is missing in:\n%s", words, text);
    }
}

static void
every_rule_is_explained_with_requirement_section_and_advice(void **state)
{
    (void)state;
    for (unsigned rule = 1; rule < VMX_RULE_COUNT; rule++) {
        const struct vmx_rule_info *info = vmx_rule_info((enum vmx_rule)rule);
        FILE *out = begin();
        assert_true(explain_entry_rule(out, rule, NULL));
        fclose(out);
        expect(info->id);
        expect(info->text);
        expect(info->title);
        expect("  do      ");
        assert_null(strstr(text, "see the section\n")); /* the advice of last resort */
    }
}

static void
fields_are_shown_with_their_values_and_controls_bit_by_bit(void **state)
{
    (void)state;
    struct vmcs v = { .host_cr3 = 1ull << 46, .primary_controls = 1u << 7 };
    struct vmx vmx = { .last_failed_rule = VMX_RULE_HOST_CR3_WIDTH, .current = &v };
    struct cpu cpu = { .index = 3, .vmx = &vmx };
    FILE *out = begin();
    assert_true(explain_entry_failure(out, &cpu));
    fclose(out);
    expect("cpu3: VM entry refused: HOST_CR3_WIDTH");
    expect("HOST_CR3 (6C02H) = 0x400000000000");
    expect("error 8");
    vmx.last_failed_rule = VMX_RULE_ENTRY_CTL_PRI_MUST0;
    out = begin();
    assert_true(explain_entry_failure(out, &cpu));
    fclose(out);
    expect("not offered: [7 HLT exiting]"); /* nothing is offered by the empty capabilities */
}

static void
rules_are_found_by_name_and_unknown_ones_refused(void **state)
{
    (void)state;
    FILE *out = begin();
    assert_true(explain_entry_name(out, "guest_link_current", NULL));
    fclose(out);
    expect("GUEST_LINK_CURRENT");
    out = begin();
    assert_false(explain_entry_name(out, "GUEST_NONSENSE", NULL));
    assert_false(explain_entry_rule(out, VMX_RULE_COUNT, NULL));
    assert_false(explain_entry_rule(out, 0, NULL));
    fclose(out);
    expect("no rule 'GUEST_NONSENSE'");
}

static const struct { struct explain_exit x; const char *words; } exits[] = {
    { { .reason = 28, .qualification = 3 | 12 << 8 }, "MOV to CR3, R12" },
    { { .reason = 28, .qualification = 8 | 1 << 4 }, "MOV from CR8, RAX" },
    { { .reason = 30, .qualification = 3 | 1 << 3 | 1 << 4 | 1 << 5 | 0x3f8 << 16 }, "REP INS, port 0x3f8, 4 bytes" },
    { { .reason = 30, .qualification = 1 << 6 | 0x80 << 16 }, "OUT, port 0x80, 1 byte, immediate port" },
    { { .reason = 48, .qualification = 0x18a, .physical = 0xfee00000, .linear = 0x1000 },
      "write access; EPT allows r--; of the final address" },
    { { .reason = 48, .physical = 0xfee00000 }, "guest-physical 0xfee00000" },
    { { .reason = 0, .event = 0x80000b0e, .event_error = 2, .qualification = 0x1234 }, "hardware exception, vector 14, error code 0x2" },
    { { .reason = 0, .event = 0x80000b0d, .vectoring = 0x80000480 }, "during  software interrupt, vector 128" },
    { { .reason = 0x80000021, .qualification = 4 }, "VMCS link pointer" },
    { { .reason = 0x80000022, .qualification = 7 }, "entry 7 of the VM-entry MSR-load area" },
    { { .reason = 46, .information = 3 | 2 << 7 | 3 << 15 | 1 << 18, .qualification = 0x20 }, "DS:[RAX+RCX*8+displacement]" },
    { { .reason = 25, .information = 1 << 10 | 7 << 3 | 10u << 28 }, "RDI, and R10" },
};

static void
qualifications_are_decoded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        FILE *out = begin();
        assert_true(explain_exit(out, &exits[i].x));
        fclose(out);
        expect(exits[i].words);
    }
}

static void
every_reason_has_words(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < VMX_EXIT_REASON_COUNT; reason++) {
        FILE *out = begin();
        assert_true(explain_exit(out, &(struct explain_exit){ .reason = reason, .qualification = UINT64_MAX }));
        fclose(out);
        assert_null(strstr(text, "(null)"));
    }
    FILE *out = begin();
    assert_false(explain_exit(out, &(struct explain_exit){ .reason = VMX_EXIT_REASON_COUNT }));
    fclose(out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_is_explained_with_requirement_section_and_advice),
        cmocka_unit_test(fields_are_shown_with_their_values_and_controls_bit_by_bit),
        cmocka_unit_test(rules_are_found_by_name_and_unknown_ones_refused),
        cmocka_unit_test(qualifications_are_decoded),
        cmocka_unit_test(every_reason_has_words),
    };
    return cmocka_run_group_tests_name("explain_vmx", tests, NULL, NULL);
}
