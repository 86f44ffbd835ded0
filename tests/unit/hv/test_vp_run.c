/* Running a VP: events, windows, exits, suspension; with a guest that is a function. */
#include "tests/unit/hv/test.h"

#include "hv/exits/exits.h"
#include "spec/x86/system.h"

enum { STEPS_MAX = 32 };

/* What the guest does at each entry, in order; afterwards it suspends itself, so that vp_run returns. */
static struct { void (*step[STEPS_MAX])(struct vp *); unsigned count, at; uint32_t injected[STEPS_MAX]; bool window[STEPS_MAX]; } script;

static void run_script(struct vp *vp)
{
    script.injected[script.at] = (uint32_t)arch_vmread(VMCS_ENTRY_INTERRUPTION_INFO);
    script.window[script.at] = arch_vmread(VMCS_PRIMARY_CONTROLS) & VMX_PRIMARY_INTERRUPT_WINDOW;
    if (script.at < script.count) {
        script.step[script.at++](vp);
        return;
    }
    sched_suspend(vp, SUSPEND_EXPLICIT);
    fake_set_exit(VMX_EXIT_REASON_EXTERNAL_INTERRUPT, 0);
}

static void run(struct vp *vp, unsigned count, void (*const *steps)(struct vp *))
{
    memset(&script, 0, sizeof(script));
    memcpy(script.step, steps, count * sizeof(*steps));
    script.count = count;
    fake.guest = run_script;
    vp->suspend = 0;
    vp->state = VP_RUNNING;
    vp->lp = lp_self();
    lp_self()->running = vp;
    lp_self()->reschedule = 0;
    vp_run(vp);
    vp_load(vp);
}

static void nothing(struct vp *vp) { (void)vp; fake_set_exit(VMX_EXIT_REASON_PREEMPTION_TIMER, 0); }
static void interrupts_on(struct vp *vp) { arch_vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF); nothing(vp); }
static void interrupts_off(struct vp *vp) { arch_vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED); nothing(vp); }
static void halt(struct vp *vp) { (void)vp; fake_set_exit(VMX_EXIT_REASON_HLT, 0); }
static void triple_fault(struct vp *vp) { (void)vp; fake_set_exit(VMX_EXIT_REASON_TRIPLE_FAULT, 0); }

static uint32_t external(unsigned vector) { return VMX_EVENT_VALID | vector; }
static uint32_t exception(unsigned vector, bool error)
{
    return VMX_EVENT_VALID | VMX_EVENT_HARDWARE << VMX_EVENT_TYPE_SHIFT | vector | (error ? VMX_EVENT_ERROR : 0);
}

static void an_interrupt_is_injected_when_the_guest_can_take_it(void **state)
{
    (void)state;
    struct child c = new_child(1);
    vapic_raise(c.vp, 0x55);
    void (*const steps[])(struct vp *) = { interrupts_off, nothing, interrupts_on, nothing };
    run(c.vp, 4, steps);
    assert_int_equal(script.injected[0], 0);
    assert_true(script.window[0]); /* IF = 0: the window tells us */
    assert_int_equal(script.injected[2], 0);
    assert_int_equal(script.injected[3], external(0x55));
    assert_false(script.window[3]);
}

static void a_blocked_guest_is_left_alone_for_one_instruction(void **state)
{
    (void)state;
    struct child c = new_child(1);
    arch_vmptrld(c.vp->vmcs);
    arch_vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    arch_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, VMX_BLOCKED_STI);
    arch_vmclear(c.vp->vmcs);
    lp_self()->loaded = NULL;
    vapic_raise(c.vp, 0x55);
    void (*const steps[])(struct vp *) = { nothing };
    run(c.vp, 1, steps);
    assert_int_equal(script.injected[0], 0);
    assert_true(script.window[0]);
}

static void two_interrupts_follow_each_other_by_priority(void **state)
{
    (void)state;
    struct child c = new_child(1);
    vapic_raise(c.vp, 0x50);
    vapic_raise(c.vp, 0x90);
    void (*const steps[])(struct vp *) = { interrupts_on, nothing, nothing };
    run(c.vp, 3, steps);
    assert_int_equal(script.injected[1], external(0x90));
    assert_int_equal(script.injected[2], 0); /* 0x90 is in service */
    vapic_eoi(c.vp);
    void (*const more[])(struct vp *) = { nothing };
    run(c.vp, 1, more);
    assert_int_equal(script.injected[0], external(0x50));
}

static void a_high_task_priority_sets_the_threshold(void **state)
{
    (void)state;
    struct child c = new_child(1);
    vapic_set_tpr(c.vp, 0x80);
    vapic_raise(c.vp, 0x55);
    void (*const steps[])(struct vp *) = { interrupts_on, nothing };
    run(c.vp, 2, steps);
    assert_int_equal(script.injected[1], 0);
    assert_false(script.window[1]);
    assert_int_equal(arch_vmread(VMCS_TPR_THRESHOLD), 5);
}

static unsigned called_off;
static void reschedule_once(struct vp *vp) /* an exit during which the entry after it is called off */
{
    vapic_raise(vp, 0x55);
    called_off++;
    nothing(vp);
}

static void an_event_survives_an_entry_that_was_called_off(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { interrupts_on, reschedule_once, nothing, nothing };
    run(c.vp, 4, steps);
    unsigned delivered = 0;
    for (unsigned i = 0; i < 5; i++)
        delivered += script.injected[i] == external(0x55);
    assert_int_equal(delivered, 1);
}

static void interrupted_delivery(struct vp *vp)
{
    (void)vp;
    fake_set_exit(VMX_EXIT_REASON_PREEMPTION_TIMER, 0);
    arch_vmwrite(VMCS_IDT_VECTORING_INFO, external(0x66));
}

static void an_interrupted_delivery_is_repeated_first(void **state)
{
    (void)state;
    struct child c = new_child(1);
    vapic_raise(c.vp, 0x90);
    void (*const steps[])(struct vp *) = { interrupts_off, interrupted_delivery, nothing };
    run(c.vp, 3, steps);
    assert_int_equal(script.injected[2], external(0x66));
}

static void faults_once(struct vp *vp) { vp_inject_gp(vp); nothing(vp); }
static void faults_twice(struct vp *vp) { vp_inject_gp(vp); vp_inject_gp(vp); nothing(vp); }
static void faults_thrice(struct vp *vp) { vp_inject_gp(vp); vp_inject_gp(vp); vp_inject_gp(vp); nothing(vp); }

static void exceptions_double_and_triple(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const one[])(struct vp *) = { faults_once, nothing };
    run(c.vp, 2, one);
    assert_int_equal(script.injected[1], exception(13, true));
    void (*const two[])(struct vp *) = { faults_twice, nothing };
    run(c.vp, 2, two);
    assert_int_equal(script.injected[1], exception(8, true));
    void (*const three[])(struct vp *) = { faults_thrice, nothing };
    run(c.vp, 2, three);
    assert_int_equal(script.at, 1); /* it never came back */
    assert_true(c.vp->suspend & SUSPEND_DEAD);
}

static void a_triple_fault_stops_only_that_child(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { triple_fault };
    run(c.vp, 1, steps);
    assert_true(c.vp->suspend & SUSPEND_DEAD);
    assert_non_null(strstr(fake.log, "triple fault"));
    assert_int_equal(world_root->suspend, 0);
}

static void halting_blocks_until_an_interrupt_that_can_be_taken(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { interrupts_on, halt };
    run(c.vp, 2, steps);
    assert_int_equal(c.vp->state, VP_BLOCKED);
    vapic_set_tpr(c.vp, 0xF0);
    vapic_raise(c.vp, 0x55);
    assert_false(vp_has_reason_to_run(c.vp)); /* masked by priority */
    vapic_set_tpr(c.vp, 0);
    assert_true(vp_has_reason_to_run(c.vp));
    assert_int_equal(c.vp->state, VP_READY);
}

static void halting_with_interrupts_off_ignores_them(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { interrupts_off, halt };
    run(c.vp, 2, steps);
    vapic_raise(c.vp, 0x55);
    assert_false(vp_has_reason_to_run(c.vp));
    vp_request(c.vp, REQUEST_NMI);
    assert_int_equal(c.vp->state, VP_READY);
}

static void reads_port(struct vp *vp)
{
    vp->context.gpr[GPR_RAX] = 0x1122334455667788;
    fake_set_exit(VMX_EXIT_REASON_IO, 0x60ull << 16 | 1 << 3 | 1); /* IN AX, 0x60 */
}

static void a_port_that_nobody_wants_reads_as_ones(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { reads_port };
    run(c.vp, 1, steps);
    assert_int_equal(c.vp->context.gpr[GPR_RAX], 0x112233445566FFFF);
}

static void enable_synic(struct vp *vp)
{
    bool known;
    assert_true(guest_msr_write(vp, HV_MSR_SIMP, 0x2300000 | 1, &known));
    assert_true(guest_msr_write(vp, HV_MSR_SINT0, 0x30, &known));
    assert_true(guest_msr_write(vp, HV_MSR_SCONTROL, 1, &known));
}

static void an_intercepted_port_goes_to_the_parent(void **state)
{
    (void)state;
    struct child c = new_child(1);
    enable_synic(world_root);
    assert_int_equal(intercept_install(c.partition, HV_INTERCEPT_IO_PORT, HV_INTERCEPT_READ, 0x60), HV_STATUS_SUCCESS);
    void (*const steps[])(struct vp *) = { reads_port };
    run(c.vp, 1, steps);
    const struct hv_message *m = world_memory(0x2300000);
    struct hv_intercept_io r;
    memcpy(&r, m->payload, sizeof(r));
    assert_int_equal(m->type, HV_MESSAGE_IO_INTERCEPT);
    assert_int_equal(m->sender, c.id);
    assert_int_equal(r.port, 0x60);
    assert_int_equal(r.access_info & 7, 2);
    assert_true(c.vp->suspend & SUSPEND_INTERCEPT);
}

static void strays(struct vp *vp)
{
    (void)vp;
    fake_set_exit(VMX_EXIT_REASON_EPT_VIOLATION, EPT_QUAL_WRITE | EPT_QUAL_LINEAR | EPT_QUAL_FINAL);
    arch_vmwrite(VMCS_GUEST_PHYSICAL_ADDRESS, 0x5000000);
}

static void memory_outside_goes_to_the_parent_or_kills(void **state)
{
    (void)state;
    struct child c = new_child(1);
    void (*const steps[])(struct vp *) = { strays };
    run(c.vp, 1, steps); /* the parent listens to nothing */
    assert_true(c.vp->suspend & SUSPEND_DEAD);

    c = new_child(1);
    enable_synic(world_root);
    run(c.vp, 1, steps);
    const struct hv_message *m = world_memory(0x2300000);
    struct hv_intercept_memory r;
    memcpy(&r, m->payload, sizeof(r));
    assert_int_equal(m->type, HV_MESSAGE_UNMAPPED_GPA);
    assert_int_equal(r.gpa, 0x5000000);
    assert_int_equal(r.header.access, 1);
    assert_int_equal(c.vp->suspend, SUSPEND_INTERCEPT | (script.at < script.count ? SUSPEND_EXPLICIT : 0));
}

/* Every exit reason has a row; what was not asked for stops the child, never the hypervisor. */
static uint32_t reason;
static void exits(struct vp *vp) { (void)vp; fake_set_exit(reason, 0); }

static void no_exit_reason_harms_the_hypervisor(void **state)
{
    (void)state;
    void (*const steps[])(struct vp *) = { exits };
    for (reason = 0; reason < 100; reason++) {
        if (reason == VMX_EXIT_REASON_EPT_MISCONFIGURATION) /* our own mistake */
            continue;
        struct child c = new_child(1);
        run(c.vp, 1, steps);
        assert_int_equal(world_root->suspend, 0);
    }
}

static void an_entry_failure_stops_the_child_with_its_reason(void **state)
{
    (void)state;
    struct child c = new_child(1);
    reason = VMX_EXIT_ENTRY_FAILURE | VMX_EXIT_REASON_FAIL_GUEST_STATE;
    void (*const steps[])(struct vp *) = { exits };
    run(c.vp, 1, steps);
    assert_true(c.vp->suspend & SUSPEND_DEAD);
    assert_non_null(strstr(fake.log, "80000021"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupt_is_injected_when_the_guest_can_take_it),
        cmocka_unit_test(a_blocked_guest_is_left_alone_for_one_instruction),
        cmocka_unit_test(two_interrupts_follow_each_other_by_priority),
        cmocka_unit_test(a_high_task_priority_sets_the_threshold),
        cmocka_unit_test(an_event_survives_an_entry_that_was_called_off),
        cmocka_unit_test(an_interrupted_delivery_is_repeated_first), cmocka_unit_test(exceptions_double_and_triple),
        cmocka_unit_test(a_triple_fault_stops_only_that_child),
        cmocka_unit_test(halting_blocks_until_an_interrupt_that_can_be_taken),
        cmocka_unit_test(halting_with_interrupts_off_ignores_them),
        cmocka_unit_test(a_port_that_nobody_wants_reads_as_ones),
        cmocka_unit_test(an_intercepted_port_goes_to_the_parent),
        cmocka_unit_test(memory_outside_goes_to_the_parent_or_kills),
        cmocka_unit_test(no_exit_reason_harms_the_hypervisor),
        cmocka_unit_test(an_entry_failure_stops_the_child_with_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
