/* Fields of the VMCS: encodings, lookup, access by VMREAD and VMWRITE. */
#include "vtx_bench.h"

#include <string.h>

static void
encodings_agree_with_width_and_type(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < VMCS_SLOT_COUNT; slot++) {
        const struct vmcs_field_info *f = vmcs_field_info((enum vmcs_slot)slot);
        if ((f->encoding >> 13 & 3) != f->width || (f->encoding >> 10 & 3) != f->type || f->encoding & 0x9001) {
            fail_msg("%s: encoding %#x", f->name, f->encoding);
        }
    }
}

static void
each_encoding_finds_its_own_field_and_nothing_else_does(void **state)
{
    (void)state;
    unsigned found = 0, high = 0;
    for (uint64_t encoding = 0; encoding < 0x20000; encoding++) {
        enum vmcs_slot slot = vmcs_field_find(encoding);
        if (slot != SLOT_NONE) {
            const struct vmcs_field_info *f = vmcs_field_info(slot);
            assert_int_equal(f->encoding, encoding & ~1ull);
            assert_true(!(encoding & 1) || f->width == VMCS_W64);
            found++;
            high += encoding & 1;
        }
    }
    assert_int_equal(found - high, VMCS_SLOT_COUNT);
    assert_int_equal(vmcs_field_find(1ull << 32 | VMCS_GUEST_CR0), SLOT_NONE);
    assert_int_equal(vmcs_field_find(VMCS_GUEST_CR0 | 0x80), SLOT_NONE); /* index bit 7 */
    assert_int_equal(vmcs_field_find(VMCS_GUEST_CR0 | 1 << 12), SLOT_NONE);
}

/* { encoding, 64-bit mode, written, read back by a full access in 64-bit mode } on a slot of all ones */
static const struct { uint32_t encoding; bool full64; uint64_t value, expect; } writes[] = {
    { VMCS_GUEST_ES_SELECTOR, true, 0x123456789abcdef0, 0xdef0 },
    { VMCS_GUEST_ES_LIMIT, true, 0x123456789abcdef0, 0x9abcdef0 },
    { VMCS_GUEST_RIP, true, 0x123456789abcdef0, 0x123456789abcdef0 },
    { VMCS_LINK_POINTER, true, 0x123456789abcdef0, 0x123456789abcdef0 },
    { VMCS_LINK_POINTER | 1, true, 0x123456789abcdef0, 0x9abcdef0ffffffff },
    { VMCS_LINK_POINTER | 1, false, 0x123456789abcdef0, 0x9abcdef0ffffffff },
    { VMCS_LINK_POINTER, false, 0x123456789abcdef0, 0x9abcdef0 }, /* clears 63:32 */
    { VMCS_GUEST_RIP, false, 0x123456789abcdef0, 0x9abcdef0 },
};

static void
writes_truncate_to_width_and_high_access_keeps_the_low_half(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct vmcs v;
        memset(&v, 0xff, sizeof v);
        enum vmcs_slot slot = vmcs_field_find(writes[i].encoding);
        vmcs_write(&v, writes[i].encoding, slot, writes[i].value, writes[i].full64);
        assert_int_equal(v.slot[slot], writes[i].expect);
    }
}

static void
reads_zero_extend_and_outside_64bit_mode_truncate(void **state)
{
    (void)state;
    struct vmcs v = { .link_pointer = 0x123456789abcdef0 };
    enum vmcs_slot slot = SLOT_LINK_POINTER;
    assert_int_equal(vmcs_read(&v, VMCS_LINK_POINTER, slot, true), 0x123456789abcdef0);
    assert_int_equal(vmcs_read(&v, VMCS_LINK_POINTER, slot, false), 0x9abcdef0);
    assert_int_equal(vmcs_read(&v, VMCS_LINK_POINTER | 1, slot, true), 0x12345678);
    assert_int_equal(vmcs_read(&v, VMCS_LINK_POINTER | 1, slot, false), 0x12345678);
}

/* --- capability MSRs ------------------------------------------------------------------- */

static uint64_t
capability(uint32_t index)
{
    uint64_t value = 0;
    assert_int_equal(vmx_ops.rdmsr(&bench.cpu, index, &value), EXEC_OK);
    return value;
}

/* SDM "Algorithms for Determining VMX Capabilities". */
static void
plain_and_true_msrs_differ_only_in_default1_bits(void **state)
{
    (void)state;
    static const struct { uint32_t plain, true_; uint32_t default1; } pairs[] = {
        { MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS, VMX_DEFAULT1_PIN },
        { MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS, VMX_DEFAULT1_PRIMARY },
        { MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS, VMX_DEFAULT1_EXIT },
        { MSR_VMX_ENTRY_CTLS, MSR_VMX_TRUE_ENTRY_CTLS, VMX_DEFAULT1_ENTRY },
    };
    for (unsigned i = 0; i < 4; i++) {
        uint64_t plain = capability(pairs[i].plain), exact = capability(pairs[i].true_);
        assert_int_equal(plain >> 32, exact >> 32);
        assert_int_equal((uint32_t)plain, (uint32_t)exact | pairs[i].default1);
        assert_int_equal((uint32_t)plain & ~(plain >> 32), 0); /* what must be 1 may be 1 */
    }
}

static void
basic_and_misc_say_what_hypervisors_insist_on(void **state)
{
    (void)state;
    uint64_t basic = capability(MSR_VMX_BASIC), misc = capability(MSR_VMX_MISC);
    assert_int_equal(basic & 1u << 31, 0);
    assert_in_range(basic >> 32 & 0x1fff, 1, 4096);
    assert_int_equal(basic >> 48 & 3, 0);   /* not limited to 32 bits, no dual monitor */
    assert_int_equal(basic >> 50 & 0xf, 6); /* WB */
    assert_int_equal(basic >> 55, 1);       /* TRUE MSRs; no bit above */
    assert_int_equal(misc & 0x1f, 5);
    assert_int_equal(misc >> 5 & 1, 1);
    assert_int_equal(misc >> 6 & 7, 7);
    assert_int_equal(misc >> 16 & 0x1ff, 4);
    assert_int_equal(misc & 0x80007e00u, 0);
}

/* Every offered 64-bit-guest control that needs others brings them along. */
static void
offered_controls_are_consistent(void **state)
{
    (void)state;
    uint32_t pin = capability(MSR_VMX_PINBASED_CTLS) >> 32, primary = capability(MSR_VMX_PROCBASED_CTLS) >> 32;
    uint32_t secondary = capability(MSR_VMX_PROCBASED_CTLS2) >> 32;
    uint32_t exit = capability(MSR_VMX_EXIT_CTLS) >> 32, entry = capability(MSR_VMX_ENTRY_CTLS) >> 32;
    uint64_t ept = capability(MSR_VMX_EPT_VPID_CAP);
    assert_true((pin & 9) == 9 && (entry >> 9 & 1) && (exit >> 9 & 1) && (exit >> 15 & 1));
    assert_true(primary & VMX_PRIMARY_SECONDARY);
    assert_int_equal(entry >> 14 & 1, exit >> 19 & 1); /* PAT and EFER in pairs */
    assert_int_equal(entry >> 15 & 1, exit >> 21 & 1);
    assert_int_equal(entry >> 13 & 1, exit >> 12 & 1);
    assert_true(!(secondary & VMX_SECONDARY_UNRESTRICTED_GUEST) || (secondary & VMX_SECONDARY_EPT));
    assert_int_equal(ept & ~0x00000f0106734141ull, 0);
    assert_true((ept & EPT_CAP_4_LEVELS) && (ept & EPT_CAP_INVEPT) && (ept & EPT_CAP_WB));
}

static void
cr_fixed_msrs_follow_cpuid(void **state)
{
    (void)state;
    uint64_t fixed1 = capability(MSR_VMX_CR4_FIXED1);
    assert_int_equal(capability(MSR_VMX_CR0_FIXED0), 0x80000021);
    assert_int_equal(capability(MSR_VMX_CR0_FIXED1), 0xffffffff);
    assert_int_equal(capability(MSR_VMX_CR4_FIXED0), CR4_VMXE);
    assert_int_equal(fixed1, CR4_DE | CR4_PSE | CR4_TSD | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
                                 CR4_VMXE | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP | CR4_SMAP);
}

static void
vmcs_enum_is_the_highest_index_vmread_accepts(void **state)
{
    (void)state;
    unsigned highest = 0;
    for (uint64_t encoding = 0; encoding < 0x8000; encoding += 2) {
        uint64_t value;
        bench_vmread(encoding, &value);
        if (bench_succeeded() && (encoding >> 1 & 0x1ff) > highest) {
            highest = encoding >> 1 & 0x1ff;
        }
    }
    assert_int_equal(capability(MSR_VMX_VMCS_ENUM), highest << 1);
    assert_true(highest >= 0x2a / 2);
}

static void
fields_exist_exactly_with_their_control(void **state)
{
    (void)state;
    static const struct { uint32_t encoding; bool exists; } fields[] = {
        { VMCS_VPID, true }, { VMCS_EPT_POINTER, true }, { VMCS_GUEST_INTERRUPT_STATUS, true },
        { VMCS_PREEMPTION_TIMER, true }, { VMCS_CR3_TARGET3, true }, { VMCS_GUEST_PAT, true },
        { VMCS_APIC_ACCESS_ADDRESS, false }, { VMCS_POSTED_VECTOR, false }, { VMCS_PML_ADDRESS, false },
        { VMCS_TSC_MULTIPLIER, false }, { VMCS_GUEST_PERF_GLOBAL_CTRL, false }, { VMCS_EPTP_LIST, false },
        { VMCS_VMREAD_BITMAP, false }, { VMCS_GUEST_S_CET, false }, { VMCS_TERTIARY_CONTROLS, false },
    };
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t value;
        bench_vmread(fields[i].encoding, &value);
        assert_int_equal(bench_failed_valid(), fields[i].exists ? 0 : VMX_ERROR_UNSUPPORTED_FIELD);
    }
}

static void
msrs_outside_the_range_are_not_ours(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(vmx_ops.rdmsr(&bench.cpu, 0x47f, &value), EXEC_FAULT);
    assert_int_equal(vmx_ops.rdmsr(&bench.cpu, MSR_VMX_VMFUNC, &value), EXEC_FAULT);
    assert_int_equal(vmx_ops.rdmsr(&bench.cpu, 0x492, &value), EXEC_FAULT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_agree_with_width_and_type),
        cmocka_unit_test(each_encoding_finds_its_own_field_and_nothing_else_does),
        cmocka_unit_test(writes_truncate_to_width_and_high_access_keeps_the_low_half),
        cmocka_unit_test(reads_zero_extend_and_outside_64bit_mode_truncate),
        cmocka_unit_test_setup_teardown(plain_and_true_msrs_differ_only_in_default1_bits, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(basic_and_misc_say_what_hypervisors_insist_on, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(offered_controls_are_consistent, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(cr_fixed_msrs_follow_cpuid, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(vmcs_enum_is_the_highest_index_vmread_accepts, bench_setup_root, bench_teardown),
        cmocka_unit_test_setup_teardown(fields_exist_exactly_with_their_control, bench_setup_root, bench_teardown),
        cmocka_unit_test_setup_teardown(msrs_outside_the_range_are_not_ours, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests_name("vmcs", tests, NULL, NULL);
}
