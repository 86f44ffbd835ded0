/* VM exits: every reason we offer is provoked, with its qualification and information; what is
 * saved, what the host gets. */
#include "vtx_bench.h"

#include <string.h>

static struct cpu *
cpu(void)
{
    return &bench.cpu;
}

static struct vmcs *
vmcs(void)
{
    return bench.cpu.vmx->current;
}

/* --- provoking ------------------------------------------------------------------------- */

/* Controls that a case needs besides those of bench_valid_vmcs. */
struct need { uint32_t pin, primary, secondary, exit, exception_bitmap; };

static enum exec_result
memory_insn(uint16_t op)
{
    struct sys_insn insn = bench_insn(op);
    insn.modrm = 0x43; /* [rbx + 0x10] */
    insn.base = RBX;
    insn.disp = 0x10;
    insn.reg = RDX;
    insn.segment = DS;
    return vmx_ops.execute(cpu(), &insn);
}

static enum exec_result
translate_at(uint64_t gpa, bool write)
{
    struct vtx_access a = { .gpa = gpa, .linear = 0x1234, .has_linear = true, .read = !write, .write = write };
    struct vtx_page page;
    return vmx_ops.translate(cpu(), &a, &page);
}

static enum exec_result p_exception(void)
{
    struct fault f = { .vector = X_GP, .has_error = true, .error = 0x18, .int_type = 3 };
    return vmx_ops.exception(cpu(), &f, NULL);
}
static enum exec_result p_interrupt(void) { return vmx_ops.pending(cpu(), true, false); }
static enum exec_result p_triple(void) { return bench_intercept((struct vtx_event){ .cause = VTX_TRIPLE_FAULT }); }
static enum exec_result p_init(void) { return bench_intercept((struct vtx_event){ .cause = VTX_INIT }); }
static enum exec_result p_sipi(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_SIPI, .number = 0x9a });
}
static enum exec_result p_interrupt_window(void)
{
    cpu()->rflags_rest |= RFLAGS_IF;
    return vmx_ops.pending(cpu(), false, false);
}
static enum exec_result p_nmi_window(void) { return vmx_ops.pending(cpu(), false, false); }
static enum exec_result p_task(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_TASK_SWITCH, .number = 0x28, .value = 3 });
}
static enum exec_result plain(enum vtx_cause cause) { return bench_intercept((struct vtx_event){ .cause = cause }); }
static enum exec_result p_cpuid(void) { return plain(VTX_CPUID); }
static enum exec_result p_hlt(void) { return plain(VTX_HLT); }
static enum exec_result p_invd(void) { return plain(VTX_INVD); }
static enum exec_result p_rdpmc(void) { return plain(VTX_RDPMC); }
static enum exec_result p_rdtsc(void) { return plain(VTX_RDTSC); }
static enum exec_result p_rdtscp(void) { return plain(VTX_RDTSCP); }
static enum exec_result p_wbinvd(void) { return plain(VTX_WBINVD); }
static enum exec_result p_xsetbv(void) { return plain(VTX_XSETBV); }
static enum exec_result p_monitor(void) { return plain(VTX_MONITOR); }
static enum exec_result p_pause(void) { return plain(VTX_PAUSE); }
static enum exec_result p_mwait(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_MWAIT, .value = 1 });
}
static enum exec_result p_invlpg(void)
{
    struct sys_insn insn = bench_insn(0);
    insn.ea = 0x77000;
    insn.segment = GS;
    cpu()->seg[GS].base = 0x100;
    return bench_intercept((struct vtx_event){ .cause = VTX_INVLPG, .insn = &insn });
}
static enum exec_result p_invpcid(void)
{
    struct sys_insn insn = bench_insn(OP_INVPCID);
    insn.reg = R9;
    insn.base = RSI;
    insn.disp = -8;
    return bench_intercept((struct vtx_event){ .cause = VTX_INVPCID, .insn = &insn });
}
static enum exec_result p_vmcall(void) { return bench_plain(OP_VMCALL); }
static enum exec_result p_vmclear(void) { return memory_insn(OP_VMCLEAR); }
static enum exec_result p_vmlaunch(void) { return bench_plain(OP_VMLAUNCH); }
static enum exec_result p_vmptrld(void) { return memory_insn(OP_VMPTRLD); }
static enum exec_result p_vmptrst(void) { return memory_insn(OP_VMPTRST); }
static enum exec_result p_vmread(void) { return memory_insn(OP_VMREAD); }
static enum exec_result p_vmresume(void) { return bench_plain(OP_VMRESUME); }
static enum exec_result p_vmwrite(void)
{
    struct sys_insn insn = bench_insn(OP_VMWRITE);
    insn.modrm = 0xc0;
    insn.reg = R10;
    insn.rm = RDI;
    return vmx_ops.execute(cpu(), &insn);
}
static enum exec_result p_vmxoff(void) { return bench_plain(OP_VMXOFF); }
static enum exec_result p_vmxon(void) { return memory_insn(OP_VMXON); }
static enum exec_result p_invept(void) { return memory_insn(OP_INVEPT); }
static enum exec_result p_invvpid(void) { return memory_insn(OP_INVVPID); }
static enum exec_result p_cr(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_CR_WRITE, .number = 3, .gpr = R12, .value = 0x5000 });
}
static enum exec_result p_dr(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_DR, .number = 7, .gpr = RBP });
}
static enum exec_result p_io(void)
{
    struct sys_insn insn = bench_insn(0);
    insn.segment = ES;
    return bench_intercept((struct vtx_event){ .cause = VTX_IO, .insn = &insn, .number = 0x3f8, .size = 4,
                                               .string = true, .rep = true, .value = 0xabc000 });
}
static enum exec_result p_rdmsr(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_RDMSR, .number = 0x40000000 });
}
static enum exec_result p_wrmsr(void)
{
    return bench_intercept((struct vtx_event){ .cause = VTX_WRMSR, .number = 0x2000 });
}
static enum exec_result p_fail_guest(void)
{
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    vmcs()->guest_rflags = 0;
    return bench_plain(OP_VMRESUME);
}
static enum exec_result p_fail_msr(void)
{
    vmx_exit_insn(cpu(), VMX_EXIT_REASON_HLT, NULL, 0);
    vmcs()->entry_msr_load_count = 1;
    vmcs()->entry_msr_load_address = 0xd0000000; /* not RAM: reads as ones */
    return bench_plain(OP_VMRESUME);
}
static enum exec_result p_mtf(void)
{
    cpu()->instructions++; /* VM entry itself */
    assert_int_equal(vmx_ops.pending(cpu(), false, false), EXEC_OK);
    cpu()->instructions++;
    return vmx_ops.pending(cpu(), false, false);
}
static enum exec_result p_tpr(void)
{
    vmcs()->tpr_threshold = 5; /* after entry: its check would refuse */
    enum exec_result result = bench_intercept((struct vtx_event){ .cause = VTX_CR_WRITE, .number = 8, .value = 4 });
    assert_int_equal(result, EXEC_JUMP);
    return vmx_ops.pending(cpu(), false, false);
}
static enum exec_result p_eoi(void)
{
    uint64_t zero = 0;
    cpu()->vmx->guest.svi = 0x41;
    vmcs()->eoi_exit_bitmap1 = 2;
    assert_int_equal(vmx_ops.virtual_apic_msr(cpu(), 0x80b, true, &zero), EXEC_JUMP);
    return vmx_ops.pending(cpu(), false, false);
}
static enum exec_result p_apic_write(void)
{
    uint64_t vector = 0x0f;
    assert_int_equal(vmx_ops.virtual_apic_msr(cpu(), 0x83f, true, &vector), EXEC_JUMP);
    return vmx_ops.pending(cpu(), false, false);
}
static enum exec_result p_gdtr(void)
{
    struct sys_insn insn = bench_insn(OP_LGDT);
    insn.base = RAX;
    insn.index = RCX;
    insn.scale = 3;
    insn.disp = 0x20;
    return bench_intercept((struct vtx_event){ .cause = VTX_GDTR_IDTR, .insn = &insn });
}
static enum exec_result p_ldtr(void)
{
    struct sys_insn insn = bench_insn(OP_STR);
    insn.modrm = 0xc8;
    insn.rm = R11;
    return bench_intercept((struct vtx_event){ .cause = VTX_LDTR_TR, .insn = &insn });
}
static enum exec_result p_violation(void) { return translate_at(0x5123, true); }
static enum exec_result p_misconfiguration(void)
{
    uint64_t entry = EPT_WRITE;
    mem_write(bench.machine.mem, BENCH_EPT, &entry, sizeof entry);
    return translate_at(0x5123, false);
}
static enum exec_result p_timer(void)
{
    cpu()->now += 32 * 1000;
    return vmx_ops.pending(cpu(), false, false);
}

#define DISPLACED 0x10
#define INFO_RBX (2u << 7 | (uint32_t)DS << 15 | 1u << 22 | (uint32_t)RBX << 23)
static const struct reason_row {
    enum vmx_exit_reason reason;
    enum exec_result (*provoke)(void);
    uint64_t qualification;
    uint32_t information;
    bool has_length;
    struct need need;
} reasons[] = {
    { VMX_EXIT_REASON_EXCEPTION_NMI, p_exception, 0, 0, false, { .exception_bitmap = 1 << X_GP } },
    { VMX_EXIT_REASON_EXTERNAL_INTERRUPT, p_interrupt, 0, 0, false, { .pin = 1 } },
    { VMX_EXIT_REASON_TRIPLE_FAULT, p_triple, 0, 0, false, { 0 } },
    { VMX_EXIT_REASON_INIT, p_init, 0, 0, false, { 0 } },
    { VMX_EXIT_REASON_SIPI, p_sipi, 0x9a, 0, false, { 0 } },
    { VMX_EXIT_REASON_INTERRUPT_WINDOW, p_interrupt_window, 0, 0, false, { .primary = VMX_PRIMARY_INTERRUPT_WINDOW } },
    { VMX_EXIT_REASON_NMI_WINDOW, p_nmi_window, 0, 0, false,
      { .pin = VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS, .primary = VMX_PRIMARY_NMI_WINDOW } },
    { VMX_EXIT_REASON_TASK_SWITCH, p_task, 0xc0000028, 0, true, { 0 } },
    { VMX_EXIT_REASON_CPUID, p_cpuid, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_HLT, p_hlt, 0, 0, true, { .primary = VMX_PRIMARY_HLT } },
    { VMX_EXIT_REASON_INVD, p_invd, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_INVLPG, p_invlpg, 0x77100, 0, true, { .primary = VMX_PRIMARY_INVLPG } },
    { VMX_EXIT_REASON_RDPMC, p_rdpmc, 0, 0, true, { .primary = VMX_PRIMARY_RDPMC } },
    { VMX_EXIT_REASON_RDTSC, p_rdtsc, 0, 0, true, { .primary = VMX_PRIMARY_RDTSC } },
    { VMX_EXIT_REASON_VMCALL, p_vmcall, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_VMCLEAR, p_vmclear, DISPLACED, INFO_RBX, true, { 0 } },
    { VMX_EXIT_REASON_VMLAUNCH, p_vmlaunch, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_VMPTRLD, p_vmptrld, DISPLACED, INFO_RBX, true, { 0 } },
    { VMX_EXIT_REASON_VMPTRST, p_vmptrst, DISPLACED, INFO_RBX, true, { 0 } },
    { VMX_EXIT_REASON_VMREAD, p_vmread, DISPLACED, INFO_RBX | (uint32_t)RDX << 28, true, { 0 } },
    { VMX_EXIT_REASON_VMRESUME, p_vmresume, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_VMWRITE, p_vmwrite, 0, 1u << 10 | (uint32_t)RDI << 3 | (uint32_t)R10 << 28, true, { 0 } },
    { VMX_EXIT_REASON_VMXOFF, p_vmxoff, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_VMXON, p_vmxon, DISPLACED, INFO_RBX, true, { 0 } },
    { VMX_EXIT_REASON_CR_ACCESS, p_cr, 3 | (uint64_t)R12 << 8, 0, true, { .primary = VMX_PRIMARY_CR3_LOAD } },
    { VMX_EXIT_REASON_MOV_DR, p_dr, 7 | 1 << 4 | (uint64_t)RBP << 8, 0, true, { .primary = VMX_PRIMARY_MOV_DR } },
    { VMX_EXIT_REASON_IO, p_io, 3 | 1 << 3 | 1 << 4 | 1 << 5 | 0x3f8u << 16, 2u << 7 | (uint32_t)ES << 15, true,
      { .primary = VMX_PRIMARY_UNCONDITIONAL_IO } },
    { VMX_EXIT_REASON_RDMSR, p_rdmsr, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_WRMSR, p_wrmsr, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_FAIL_GUEST_STATE, p_fail_guest, 0, 0, false, { 0 } },
    { VMX_EXIT_REASON_FAIL_MSR_LOADING, p_fail_msr, 1, 0, false, { 0 } },
    { VMX_EXIT_REASON_MWAIT, p_mwait, 1, 0, true, { .primary = VMX_PRIMARY_MWAIT } },
    { VMX_EXIT_REASON_MONITOR_TRAP_FLAG, p_mtf, 0, 0, false, { .primary = VMX_PRIMARY_MONITOR_TRAP_FLAG } },
    { VMX_EXIT_REASON_MONITOR, p_monitor, 0, 0, true, { .primary = VMX_PRIMARY_MONITOR } },
    { VMX_EXIT_REASON_PAUSE, p_pause, 0, 0, true, { .primary = VMX_PRIMARY_PAUSE } },
    { VMX_EXIT_REASON_TPR_BELOW_THRESHOLD, p_tpr, 0, 0, false, { .primary = VMX_PRIMARY_TPR_SHADOW } },
    { VMX_EXIT_REASON_VIRTUALIZED_EOI, p_eoi, 0x41, 0, false,
      { .pin = 1, .primary = VMX_PRIMARY_TPR_SHADOW,
        .secondary = VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_VIRTUAL_INTERRUPTS } },
    { VMX_EXIT_REASON_GDTR_IDTR, p_gdtr, 0x20, 3u | 2u << 7 | (uint32_t)DS << 15 | (uint32_t)RCX << 18 | 2u << 28, true,
      { .secondary = VMX_SECONDARY_DESCRIPTOR_TABLE } },
    { VMX_EXIT_REASON_LDTR_TR, p_ldtr, 0, 1u << 10 | (uint32_t)R11 << 3 | 1u << 28, true,
      { .secondary = VMX_SECONDARY_DESCRIPTOR_TABLE } },
    { VMX_EXIT_REASON_EPT_VIOLATION, p_violation, 0x182, 0, false, { 0 } },
    { VMX_EXIT_REASON_EPT_MISCONFIGURATION, p_misconfiguration, 0, 0, false, { 0 } },
    { VMX_EXIT_REASON_INVEPT, p_invept, DISPLACED, INFO_RBX | (uint32_t)RDX << 28, true, { 0 } },
    { VMX_EXIT_REASON_RDTSCP, p_rdtscp, 0, 0, true,
      { .primary = VMX_PRIMARY_RDTSC, .secondary = VMX_SECONDARY_RDTSCP } },
    { VMX_EXIT_REASON_PREEMPTION_TIMER, p_timer, 0, 0, false, { .pin = VMX_PIN_PREEMPTION_TIMER } },
    { VMX_EXIT_REASON_INVVPID, p_invvpid, DISPLACED, INFO_RBX | (uint32_t)RDX << 28, true, { 0 } },
    { VMX_EXIT_REASON_WBINVD, p_wbinvd, 0, 0, true, { .secondary = VMX_SECONDARY_WBINVD } },
    { VMX_EXIT_REASON_XSETBV, p_xsetbv, 0, 0, true, { 0 } },
    { VMX_EXIT_REASON_APIC_WRITE, p_apic_write, 0x3f0, 0, false,
      { .pin = 1, .primary = VMX_PRIMARY_TPR_SHADOW,
        .secondary = VMX_SECONDARY_X2APIC_MODE | VMX_SECONDARY_VIRTUAL_INTERRUPTS } },
    { VMX_EXIT_REASON_INVPCID, p_invpcid, (uint64_t)-8,
      2u << 7 | (uint32_t)DS << 15 | 1u << 22 | (uint32_t)RSI << 23 | (uint32_t)R9 << 28, true,
      { .primary = VMX_PRIMARY_INVLPG, .secondary = VMX_SECONDARY_INVPCID } },
};
enum { REASON_ROWS = sizeof reasons / sizeof reasons[0] };

/* What this processor cannot do: reserved numbers, SMM, and features whose control is not offered. */
static const uint8_t impossible[] = {
    5, 6, 11 /* GETSEC: no SMX */, 17, 35, 38, 41 /* no machine checks */, 42, 44 /* virtualize APIC accesses */,
    57, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85,
};

static void
enter_with(const struct need *n)
{
    struct vmcs *v = vmcs();
    v->pin_controls |= n->pin;
    v->primary_controls |= n->primary;
    v->secondary_controls |= n->secondary;
    v->exit_controls |= n->exit;
    v->exception_bitmap = n->exception_bitmap;
    bench_enter();
}

static void
every_offered_reason_is_provoked_with_its_information(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_ROWS; i++) {
        const struct reason_row *r = &reasons[i];
        bench_setup_root(NULL);
        enter_with(&r->need);
        enum exec_result result = r->provoke();
        if (result != EXEC_VMEXIT || (vmcs()->exit_reason & 0xffff) != (unsigned)r->reason) {
            fail_msg("reason %d: result %d, reason %#x", r->reason, result, (unsigned)vmcs()->exit_reason);
        }
        if (vmcs()->exit_qualification != r->qualification || vmcs()->exit_instruction_info != r->information) {
            fail_msg("reason %d: qualification %#llx, information %#x", r->reason,
                     (unsigned long long)vmcs()->exit_qualification, (unsigned)vmcs()->exit_instruction_info);
        }
        assert_true(!r->has_length || vmcs()->exit_instruction_length == 3);
        assert_false(cpu()->nonroot);
        assert_int_equal(cpu()->rip, BENCH_HOST_RIP);
        bench_teardown(NULL);
    }
}

static void
every_reason_number_is_provoked_or_impossible(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < VMX_EXIT_REASON_COUNT; reason++) {
        unsigned found = 0;
        for (unsigned i = 0; i < REASON_ROWS; i++) {
            found += (unsigned)reasons[i].reason == reason;
        }
        for (unsigned i = 0; i < sizeof impossible; i++) {
            found += impossible[i] == reason;
        }
        if (found != 1) {
            fail_msg("exit reason %u has %u rows", reason, found);
        }
    }
}

/* Without its control the cause does not exit.  Unconditional ones are not listed. */
static void
causes_do_not_exit_without_their_control(void **state)
{
    (void)state;
    for (unsigned i = 0; i < REASON_ROWS; i++) {
        const struct reason_row *r = &reasons[i];
        bool tpr = r->need.primary & VMX_PRIMARY_TPR_SHADOW;
        if ((!r->need.pin && !r->need.primary && !r->need.secondary && !r->need.exception_bitmap) || tpr) {
            continue;
        }
        bench_setup_root(NULL);
        vmcs()->primary_controls &= ~(uint64_t)VMX_PRIMARY_CR3_LOAD;
        enter_with(&(struct need){ 0 });
        enum exec_result result = r->provoke();
        if (result == EXEC_VMEXIT || !cpu()->nonroot) {
            fail_msg("reason %d exits without its control", r->reason);
        }
        bench_teardown(NULL);
    }
}

/* --- state saved ------------------------------------------------------------------------- */

static void
exits_save_the_guest_and_nothing_of_it_reaches_the_host(void **state)
{
    (void)state;
    enter_with(&(struct need){ .exit = VMX_EXIT_SAVE_DEBUG | VMX_EXIT_SAVE_PAT | VMX_EXIT_SAVE_EFER });
    struct cpu *c = cpu();
    c->cr3 = 0x9000;
    c->gpr[RSP] = 0x1234;
    c->gpr[RAX] = 0x5678;
    c->rip = 0x400100;
    c->msr.sysenter_eip = 0x77;
    c->msr.pat = 0x0606;
    c->dr7 = 0x401;
    c->efer |= EFER_NXE;
    c->seg[FS] = (struct segment){ .selector = 0x33, .base = 0xabcd, .limit = 0xfffff, .rights = 0xfffff0f3 };
    c->gdtr = (struct dtable){ .base = 0x11, .limit = 0x22 };
    c->activity = HALTED;
    c->nmi_blocked = true;
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    const struct vmcs *v = vmcs();
    assert_int_equal(v->guest_cr3, 0x9000);
    assert_int_equal(v->guest_rsp, 0x1234);
    assert_int_equal(v->guest_rip, 0x400100);
    assert_int_equal(v->guest_sysenter_eip, 0x77);
    assert_int_equal(v->guest_pat, 0x0606);
    assert_int_equal(v->guest_dr7, 0x401);
    assert_int_equal(v->guest_efer, EFER_NXE | EFER_LME | EFER_LMA);
    assert_int_equal(v->guest_fs_rights, 0x1f0f3); /* reserved bits are saved as 0 */
    assert_int_equal(v->guest_fs_base, 0xabcd);
    assert_int_equal(v->guest_gdtr_limit, 0x22);
    assert_int_equal(v->guest_activity, 1);
    assert_int_equal(v->guest_interruptibility, VMX_BLOCKED_NMI);
    assert_int_equal(c->gpr[RAX], 0x5678); /* general registers are software's */
}

static void
optional_state_is_saved_only_with_its_control(void **state)
{
    (void)state;
    vmcs()->guest_efer = vmcs()->guest_pat = 0x55;
    vmcs()->guest_dr7 = 0x77;
    enter_with(&(struct need){ 0 });
    cpu()->dr7 = 0x400;
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(vmcs()->guest_efer, 0x55);
    assert_int_equal(vmcs()->guest_pat, 0x55);
    assert_int_equal(vmcs()->guest_dr7, 0x77);
}

static void
the_host_state_is_what_the_manual_fixes(void **state)
{
    (void)state;
    vmcs()->host_ds_selector = 0x10;
    vmcs()->host_gdtr_base = 0x123000;
    enter_with(&(struct need){ 0 });
    cpu()->pending_db = 1u << 14;
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    const struct cpu *c = cpu();
    assert_int_equal(c->seg[CS].rights, 0xa09b);
    assert_int_equal(c->seg[CS].limit, 0xffffffff);
    assert_int_equal(c->seg[DS].rights, 0xc093);
    assert_true(c->seg[SS].rights & SEG_UNUSABLE); /* null selector */
    assert_int_equal(c->seg[FS].base, 0x1111);     /* loaded even if unusable */
    assert_int_equal(c->seg[TR].limit, 0x67);
    assert_int_equal(c->seg[TR].rights, 0x8b);
    assert_true(c->seg[LDTR].rights & SEG_UNUSABLE);
    assert_int_equal(c->gdtr.limit, 0xffff);
    assert_int_equal(c->gdtr.base, 0x123000);
    assert_int_equal(c->dr7, 0x400);
    assert_int_equal(cpu_rflags(c), 2);
    assert_int_equal(c->pending_db, 0);
    assert_int_equal(c->activity, ACTIVE);
    assert_int_equal(c->cr3, 0x1000);
}

static void
exits_clear_the_event_valid_bit_and_store_lma(void **state)
{
    (void)state;
    vmcs()->entry_interruption_info = VMX_EVENT_VALID | VMX_EVENT_NMI << 8 | 2;
    enter_with(&(struct need){ 0 });
    cpu()->efer &= ~(EFER_LMA | EFER_LME); /* the guest left long mode */
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(vmcs()->entry_interruption_info, VMX_EVENT_NMI << 8 | 2);
    assert_false(vmcs()->entry_controls & VMX_ENTRY_GUEST_64);
    assert_int_equal(cpu()->efer, EFER_LMA | EFER_LME);
}

static void
transitions_flush_only_without_vpid(void **state)
{
    (void)state;
    enter_with(&(struct need){ 0 });
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(bench.flush_vpid, 0);
    assert_int_equal(bench.switched, 2);
    vmcs()->secondary_controls &= ~(uint64_t)VMX_SECONDARY_VPID;
    bench_plain(OP_VMRESUME);
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(bench.flush_vpid, 2);
    assert_int_equal(bench.flushed_vpid, 0);
}

static void
a_pae_guest_keeps_its_pdptes_in_the_vmcs(void **state)
{
    (void)state;
    struct vmcs *v = vmcs();
    v->entry_controls &= ~(uint64_t)VMX_ENTRY_GUEST_64;
    v->guest_cs_rights = 0xc09b;
    v->guest_pdpte1 = 0x5001;
    enter_with(&(struct need){ 0 });
    assert_int_equal(cpu()->pdpte[1], 0x5001);
    cpu()->pdpte[1] = 0x6001;
    bench_intercept((struct vtx_event){ .cause = VTX_CPUID });
    assert_int_equal(v->guest_pdpte1, 0x6001);
}

/* --- CR masks, bitmaps, loops ------------------------------------------------------------------ */

static const struct { uint64_t mask, shadow, real, source, read; bool exits; uint64_t written; } masks[] = {
    { 0, 0, 0x31, 0x3f, 0x31, false, 0x3f },                       /* owned by the guest */
    { 0x8, 0, 0x31, 0x31, 0x31, false, 0x31 },                     /* TS owned by the host, same value */
    { 0x8, 0, 0x31, 0x39, 0x31, true, 0 },                         /* differs from the shadow */
    { 0x8, 0x8, 0x31, 0x39, 0x39, false, 0x31 },                   /* reads shadow, keeps the real bit */
    { 0x8, 0x8, 0x31, 0x3d, 0x39, false, 0x35 },                   /* other bits are the guest's */
    { ~0ull, 0x80000031, 0x80010031, 0x80010031, 0x80000031, true, 0 },
};

static void
cr0_and_cr4_go_through_mask_and_shadow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        for (unsigned number = 0; number <= 4; number += 4) {
            bench_setup_root(NULL);
            vmcs()->cr0_mask = vmcs()->cr4_mask = masks[i].mask;
            vmcs()->cr0_shadow = vmcs()->cr4_shadow = masks[i].shadow;
            bench_enter();
            cpu()->cr0 = cpu()->cr4 = masks[i].real;
            struct sys_insn insn = bench_insn(0);
            struct vtx_event read = { .cause = VTX_CR_READ, .number = number, .value = masks[i].real, .insn = &insn };
            assert_int_equal(vmx_ops.intercept(cpu(), &read), EXEC_OK);
            assert_int_equal(read.value, masks[i].read);
            struct vtx_event write = { .cause = VTX_CR_WRITE, .number = number, .value = masks[i].source, .insn = &insn };
            enum exec_result result = vmx_ops.intercept(cpu(), &write);
            assert_int_equal(result, masks[i].exits ? EXEC_VMEXIT : EXEC_OK);
            if (!masks[i].exits) {
                assert_int_equal(write.value, masks[i].written);
            }
            bench_teardown(NULL);
        }
    }
}

static void
clts_exits_is_ignored_or_acts_by_mask_and_shadow(void **state)
{
    (void)state;
    static const struct { uint64_t mask, shadow; enum exec_result result; } rows[] = {
        { 0, 8, EXEC_OK }, { 8, 0, EXEC_JUMP }, { 8, 8, EXEC_VMEXIT },
    };
    for (unsigned i = 0; i < 3; i++) {
        bench_setup_root(NULL);
        vmcs()->cr0_mask = rows[i].mask;
        vmcs()->cr0_shadow = rows[i].shadow;
        bench_enter();
        assert_int_equal(bench_intercept((struct vtx_event){ .cause = VTX_CLTS }), rows[i].result);
        if (rows[i].result == EXEC_VMEXIT) {
            assert_int_equal(vmcs()->exit_qualification, 2u << 4);
        }
        bench_teardown(NULL);
    }
}

static void
lmsw_exits_when_owned_bits_would_change(void **state)
{
    (void)state;
    static const struct { uint64_t mask, shadow, source; bool exits; } rows[] = {
        { 0, 0, 0xf, false }, { 1, 0, 1, true }, { 1, 1, 1, false }, { 1, 1, 0, false }, { 8, 0, 8, true },
        { 8, 8, 0, true }, { 8, 8, 9, false }, { 0x10, 0, 0xffff, false },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_setup_root(NULL);
        vmcs()->cr0_mask = rows[i].mask;
        vmcs()->cr0_shadow = rows[i].shadow;
        bench_enter();
        struct sys_insn insn = bench_insn(0);
        insn.modrm = 0x30; /* memory */
        insn.ea = 0x888;
        struct vtx_event ev = { .cause = VTX_LMSW, .value = rows[i].source, .insn = &insn };
        assert_int_equal(vmx_ops.intercept(cpu(), &ev), rows[i].exits ? EXEC_VMEXIT : EXEC_OK);
        if (rows[i].exits) {
            assert_int_equal(vmcs()->exit_qualification, 3u << 4 | 1u << 6 | rows[i].source << 16);
            assert_int_equal(vmcs()->guest_linear_address, 0x888);
        }
        bench_teardown(NULL);
    }
}

static void
cr3_targets_do_not_exit(void **state)
{
    (void)state;
    vmcs()->cr3_target_count = 2;
    vmcs()->cr3_target1 = 0x5000;
    vmcs()->cr3_target2 = 0x6000;
    enter_with(&(struct need){ .primary = VMX_PRIMARY_CR3_LOAD });
    assert_int_equal(p_cr(), EXEC_OK);
    struct vtx_event other = { .cause = VTX_CR_WRITE, .number = 3, .value = 0x6000 };
    assert_int_equal(bench_intercept(other), EXEC_VMEXIT);
}

static void
set_bit(uint64_t bitmap, unsigned bit)
{
    mem_ram_write(bench.machine.mem, bitmap)[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static void
msr_bitmaps_are_four_quarters_of_a_page(void **state)
{
    (void)state;
    static const struct { uint32_t index; bool write; unsigned bit; } rows[] = {
        { 0x174, false, 0x174 }, { 0x1fff, false, 0x1fff }, { 0xc0000082, false, 0x2082 },
        { 0x174, true, 0x4174 }, { 0xc0001fff, true, 0x7fff },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_setup_root(NULL);
        bench_enter();
        struct vtx_event ev = { .cause = rows[i].write ? VTX_WRMSR : VTX_RDMSR, .number = rows[i].index };
        assert_int_equal(bench_intercept(ev), EXEC_OK);
        set_bit(BENCH_MSR_BITMAP, rows[i].bit);
        struct vtx_event other = { .cause = rows[i].write ? VTX_RDMSR : VTX_WRMSR, .number = rows[i].index };
        assert_int_equal(bench_intercept(other), EXEC_OK);
        assert_int_equal(bench_intercept(ev), EXEC_VMEXIT);
        bench_teardown(NULL);
    }
}

static void
io_bitmaps_look_at_every_port_and_wrapping_exits(void **state)
{
    (void)state;
    static const struct { unsigned port, size, bit; bool exits; } rows[] = {
        { 0x3f8, 1, 0x3f8, true }, { 0x3f5, 4, 0x3f8, true }, { 0x3f4, 4, 0x3f8, false }, { 0x3f9, 1, 0x3f8, false },
        { 0x7fff, 2, 0x8000, true }, { 0x8001, 1, 0x8000, false }, { 0xffff, 2, 0x10, true }, { 0xfffe, 2, 0x10, false },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench_setup_root(NULL);
        /* With bitmaps in use "unconditional I/O exiting" does not count. */
        vmcs()->primary_controls |= VMX_PRIMARY_IO_BITMAPS | VMX_PRIMARY_UNCONDITIONAL_IO;
        bench_enter();
        set_bit(rows[i].bit < 0x8000 ? BENCH_IO_A : BENCH_IO_B, rows[i].bit & 0x7fff);
        struct vtx_event ev = { .cause = VTX_IO, .number = rows[i].port, .size = (uint8_t)rows[i].size, .write = true };
        assert_int_equal(bench_intercept(ev), rows[i].exits ? EXEC_VMEXIT : EXEC_OK);
        bench_teardown(NULL);
    }
}

static void
pause_loops_exit_after_the_window_and_only_in_ring_0(void **state)
{
    (void)state;
    vmcs()->ple_gap = 100;
    vmcs()->ple_window = 1000;
    enter_with(&(struct need){ .secondary = VMX_SECONDARY_PAUSE_LOOP });
    unsigned pauses = 0;
    while (p_pause() == EXEC_OK && pauses < 100) {
        cpu()->now += 50;
        pauses++;
    }
    assert_int_equal(pauses, 21); /* 1000 / 50 is not above the window, the next one is */
    bench_plain(OP_VMRESUME);
    for (unsigned i = 0; i < 50; i++) { /* gaps too wide: always a first PAUSE */
        assert_int_equal(p_pause(), EXEC_OK);
        cpu()->now += 101;
    }
    cpu()->seg[SS].rights |= 3 << SEG_DPL_SHIFT;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(p_pause(), EXEC_OK);
        cpu()->now += 50;
    }
}

static void
instructions_that_need_a_control_are_undefined_without(void **state)
{
    (void)state;
    bench_enter();
    assert_int_equal(p_invpcid(), EXEC_FAULT);
    assert_int_equal(cpu()->fault.vector, X_UD);
    assert_int_equal(p_rdtscp(), EXEC_FAULT);
    assert_int_equal(cpu()->fault.vector, X_UD);
}

static void
rip_relative_operands_report_the_address(void **state)
{
    (void)state;
    bench_enter();
    struct sys_insn insn = bench_insn(OP_VMPTRLD);
    insn.modrm = 0x35;
    insn.disp = -0x20;
    insn.next_rip = 0x402000;
    vmx_ops.execute(cpu(), &insn);
    assert_int_equal(vmcs()->exit_qualification, 0x401fe0);
}

/* --- MSR areas and aborts ------------------------------------------------------------------------- */

static void
put_msr(unsigned n, uint32_t index, uint64_t value)
{
    struct { uint32_t index, zero; uint64_t value; } e = { index, 0, value };
    mem_write(bench.machine.mem, BENCH_MSR_AREA + n * sizeof e, &e, sizeof e);
}

static uint64_t
get_msr(unsigned n)
{
    uint64_t value = 0;
    mem_read(bench.machine.mem, BENCH_MSR_AREA + n * 16 + 8, &value, sizeof value);
    return value;
}

static void
exit_areas_store_and_load_in_order(void **state)
{
    (void)state;
    put_msr(0, 0xc0000081, 0);
    put_msr(1, 0x10, 0); /* the TSC, without offset */
    put_msr(2, 0x174, 0x99);
    vmcs()->exit_msr_store_address = BENCH_MSR_AREA;
    vmcs()->exit_msr_store_count = 2;
    vmcs()->exit_msr_load_address = BENCH_MSR_AREA + 32;
    vmcs()->exit_msr_load_count = 1;
    vmcs()->tsc_offset = 1000;
    enter_with(&(struct need){ .primary = VMX_PRIMARY_TSC_OFFSETTING });
    assert_int_equal(cpu()->vtx_tsc_offset, 1000);
    p_cpuid();
    assert_int_equal(get_msr(0), 3);
    assert_int_equal(get_msr(1), 4);
    assert_int_equal(bench.written_count, 1);
    assert_int_equal(bench.written[0].value, 0x99);
    assert_int_equal(cpu()->vtx_tsc_offset, 0);
}

static void
entry_area_takes_effect_up_to_the_bad_entry(void **state)
{
    (void)state;
    put_msr(0, 0x174, 5);
    put_msr(1, 0xc0000081, 6);
    put_msr(2, 0x808, 7);
    vmcs()->entry_msr_load_address = BENCH_MSR_AREA;
    vmcs()->entry_msr_load_count = 3;
    assert_int_equal(bench_plain(OP_VMLAUNCH), EXEC_VMEXIT);
    assert_int_equal(vmcs()->exit_reason, 0x80000022);
    assert_int_equal(vmcs()->exit_qualification, 3);
    assert_int_equal(bench.written_count, 2);
    assert_false(cpu()->nonroot);
}

static void
bad_exit_areas_and_host_pdptes_are_vmx_aborts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        static const uint32_t codes[] = { 1, 4, 2 };
        bench_setup_root(NULL);
        put_msr(0, 0x808, 0);
        vmcs()->exit_msr_store_address = vmcs()->exit_msr_load_address = BENCH_MSR_AREA;
        vmcs()->exit_msr_store_count = i == 0;
        vmcs()->exit_msr_load_count = i == 1;
        if (i == 2) { /* 32-bit host with PAE */
            bench.cpu.efer = 0;
            vmcs()->exit_controls &= ~(uint64_t)VMX_EXIT_HOST_64;
            vmcs()->entry_controls &= ~(uint64_t)VMX_ENTRY_GUEST_64;
            vmcs()->host_rip = 0x1000;
            vmcs()->host_ss_selector = 0x10;
            vmcs()->guest_cs_rights = 0xc09b;
            bench.pdptes_bad = true;
        }
        bench_enter();
        assert_int_equal(p_cpuid(), EXEC_VMEXIT);
        assert_int_equal(vmcs()->abort, codes[i]);
        assert_int_equal(cpu()->activity, SHUTDOWN);
        assert_int_equal(bench.machine.stop, STOP_TRIPLE_FAULT);
        bench_teardown(NULL);
    }
}

int
main(void)
{
#define ROOT(f) cmocka_unit_test_setup_teardown(f, bench_setup_root, bench_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_offered_reason_is_provoked_with_its_information),
        cmocka_unit_test(every_reason_number_is_provoked_or_impossible),
        cmocka_unit_test(causes_do_not_exit_without_their_control),
        ROOT(exits_save_the_guest_and_nothing_of_it_reaches_the_host),
        ROOT(optional_state_is_saved_only_with_its_control),
        ROOT(the_host_state_is_what_the_manual_fixes),
        ROOT(exits_clear_the_event_valid_bit_and_store_lma),
        ROOT(transitions_flush_only_without_vpid),
        ROOT(a_pae_guest_keeps_its_pdptes_in_the_vmcs),
        cmocka_unit_test(cr0_and_cr4_go_through_mask_and_shadow),
        cmocka_unit_test(clts_exits_is_ignored_or_acts_by_mask_and_shadow),
        cmocka_unit_test(lmsw_exits_when_owned_bits_would_change),
        ROOT(cr3_targets_do_not_exit),
        cmocka_unit_test(msr_bitmaps_are_four_quarters_of_a_page),
        cmocka_unit_test(io_bitmaps_look_at_every_port_and_wrapping_exits),
        ROOT(pause_loops_exit_after_the_window_and_only_in_ring_0),
        ROOT(instructions_that_need_a_control_are_undefined_without),
        ROOT(rip_relative_operands_report_the_address),
        ROOT(exit_areas_store_and_load_in_order),
        ROOT(entry_area_takes_effect_up_to_the_bad_entry),
        cmocka_unit_test(bad_exit_areas_and_host_pdptes_are_vmx_aborts),
    };
    return cmocka_run_group_tests_name("vmx_exit", tests, NULL, NULL);
}
