/* Dispatch of VM exits and the small ones (SDM Vol 3C "VM Exits", "Basic Exit Reasons"). */
#include "hv/exits/exits.h"

#include "hv/arch/lp_arch.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

enum { VECTOR_NMI = 2 };

void vp_skip_instruction(struct vp *vp)
{
    (void)vp;
    arch_vmwrite(VMCS_GUEST_RIP, arch_vmread(VMCS_GUEST_RIP) + arch_vmread(VMCS_EXIT_INSTRUCTION_LENGTH));
    uint64_t blocking = arch_vmread(VMCS_GUEST_INTERRUPTIBILITY);
    if (blocking & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS))
        arch_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(uint64_t)(VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS));
}

/* The exception bitmap is empty: only NMIs of the machine come here. */
static void exit_exception(struct vp *vp)
{
    uint32_t info = (uint32_t)arch_vmread(VMCS_EXIT_INTERRUPTION_INFO);
    if ((info & 0xFF) == VECTOR_NMI)
        hv_log("NMI on logical processor %u ignored", lp_self()->index);
    else
        vp_die(vp, "unexpected exception exit, information %x", info);
}

static void exit_external_interrupt(struct vp *vp)
{
    (void)vp;
    lp_interrupt((unsigned)arch_vmread(VMCS_EXIT_INTERRUPTION_INFO) & 0xFF);
}

static void exit_triple_fault(struct vp *vp) { vp_die(vp, "triple fault"); }

/* The requests are looked at before the next entry; that is all that is wanted. */
static void exit_look_again(struct vp *vp) { (void)vp; }

static void exit_nmi_window(struct vp *vp)
{
    vp->primary &= ~(uint32_t)VMX_PRIMARY_NMI_WINDOW;
    arch_vmwrite(VMCS_PRIMARY_CONTROLS, vp->primary);
}

static void exit_hlt(struct vp *vp)
{
    vp_skip_instruction(vp);
    vp->halted = true;
    vp->halt_takes_interrupts = arch_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF;
}

static void exit_skip(struct vp *vp) { vp_skip_instruction(vp); }

static void exit_undefined(struct vp *vp) { vp_inject_ud(vp); }

static void exit_entry_failure(struct vp *vp)
{
    vp_die(vp, "VM entry refused its state: reason %x, qualification %lx", vp->exit_reason,
           (unsigned long)arch_vmread(VMCS_EXIT_QUALIFICATION));
}

static void exit_misconfiguration(struct vp *vp)
{
    hv_panic("EPT misconfiguration at GPA %lx in partition %lx",
             (unsigned long)arch_vmread(VMCS_GUEST_PHYSICAL_ADDRESS), (unsigned long)vp->partition->id);
}

static void exit_task_switch(struct vp *vp) { vp_die(vp, "hardware task switches are not provided"); }

static void exit_unexpected(struct vp *vp)
{
    vp_die(vp, "VM exit of reason %u, which was not asked for; qualification %lx", vp->exit_reason,
           (unsigned long)arch_vmread(VMCS_EXIT_QUALIFICATION));
}

typedef void exit_fn(struct vp *);
static exit_fn *const handlers[VMX_EXIT_REASON_COUNT] = {
#define EXIT(NAME, handler) [VMX_EXIT_REASON_##NAME] = handler,
#include "hv/exits/exits.def"
#undef EXIT
};

void exit_handle(struct vp *vp)
{
    vp->exit_reason = (uint32_t)arch_vmread(VMCS_EXIT_REASON);
    unsigned basic = vp->exit_reason & 0xFFFF;
    if (vp->exit_reason & VMX_EXIT_ENTRY_FAILURE)
        exit_entry_failure(vp);
    else if (basic < VMX_EXIT_REASON_COUNT && handlers[basic])
        handlers[basic](vp);
    else
        exit_unexpected(vp);
}
