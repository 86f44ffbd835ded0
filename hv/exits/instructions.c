/* Control registers, debug registers, ports, and memory that is not there. */
#include "hv/exits/exits.h"

#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

/* --- control registers (SDM Vol 3C "Exit Qualification for Control-Register Accesses") --- */

enum { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

static uint64_t read_gpr(struct vp *vp, unsigned n)
{
    return n == GPR_RSP ? arch_vmread(VMCS_GUEST_RSP) : vp->context.gpr[n];
}

/* Paging switched on or off by a write that we carry out: long mode becomes active or
 * inactive with it (SDM Vol 3A "Initializing IA-32e Mode"). False: the write faults. */
static bool switch_paging(uint64_t old, uint64_t value)
{
    if (!((old ^ value) & CR0_PG))
        return true;
    uint64_t efer = arch_vmread(VMCS_GUEST_EFER), entry = arch_vmread(VMCS_ENTRY_CONTROLS);
    bool on = value & CR0_PG, is_long = efer & EFER_LME;
    if (on && is_long && !(arch_vmread(VMCS_GUEST_CR4) & CR4_PAE))
        return false;
    bool active = on && is_long;
    arch_vmwrite(VMCS_GUEST_EFER, active ? efer | EFER_LMA : efer & ~EFER_LMA);
    arch_vmwrite(VMCS_ENTRY_CONTROLS, active ? entry | VMX_ENTRY_GUEST_64 : entry & ~(uint64_t)VMX_ENTRY_GUEST_64);
    return true;
}

/* What the guest sees: NE, CD and NW as it wrote them; the processor has NE set and caching on. */
static void write_cr0(struct vp *vp, uint64_t value)
{
    if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD))
        || !switch_paging(arch_vmread(VMCS_GUEST_CR0), value)) {
        vp_inject_gp(vp);
        return;
    }
    arch_vmwrite(VMCS_CR0_SHADOW, value);
    arch_vmwrite(VMCS_GUEST_CR0, (value | CR0_NE | CR0_ET) & ~(CR0_CD | CR0_NW));
    vp_skip_instruction(vp);
}

/* Only a write that touches bits we keep comes here; those that we do not offer fault. */
static void write_cr4(struct vp *vp, uint64_t value)
{
    if (value & ~VP_CR4_GUEST_OWNED) {
        vp_inject_gp(vp);
        return;
    }
    arch_vmwrite(VMCS_CR4_SHADOW, value);
    arch_vmwrite(VMCS_GUEST_CR4, value | vmx.cr4_fixed0);
    vp_skip_instruction(vp);
}

void exit_cr_access(struct vp *vp)
{
    uint64_t qualification = arch_vmread(VMCS_EXIT_QUALIFICATION);
    unsigned cr = qualification & 15, kind = qualification >> 4 & 3;
    uint64_t value = read_gpr(vp, qualification >> 8 & 15);
    if (kind == CR_MOV_TO && cr == 0)
        write_cr0(vp, value);
    else if (kind == CR_MOV_TO && cr == 4)
        write_cr4(vp, value);
    else
        vp_die(vp, "control-register access that was not asked for, qualification %lx", (unsigned long)qualification);
}

/* Only reached by a guest that has not used debug registers: from now on they are switched with it. */
void exit_mov_dr(struct vp *vp)
{
    vp->uses_dr = true;
    vp->primary &= ~(uint32_t)VMX_PRIMARY_MOV_DR;
    arch_vmwrite(VMCS_PRIMARY_CONTROLS, vp->primary);
    arch_dr_load(vp->dr);
}

/* --- ports ------------------------------------------------------------------------------------ */

enum { IO_IN = 1 << 3, IO_STRING = 1 << 4 };

void exit_io(struct vp *vp)
{
    uint64_t qualification = arch_vmread(VMCS_EXIT_QUALIFICATION);
    unsigned size = (qualification & 7) + 1;
    bool in = qualification & IO_IN;
    if (intercept_wants_io(vp->partition, (uint16_t)(qualification >> 16), size, !in)) {
        intercept_io(vp, qualification);
        return;
    }
    if (qualification & IO_STRING) { /* nothing there to read a string from or write one to */
        vp_inject_gp(vp);
        return;
    }
    if (in) {
        uint64_t *rax = &vp->context.gpr[GPR_RAX];
        if (size == 4)
            *rax = UINT32_MAX;
        else
            *rax |= (1ull << 8 * size) - 1;
    }
    vp_skip_instruction(vp);
}

/* --- memory ----------------------------------------------------------------------------------- */

void exit_ept_violation(struct vp *vp)
{
    uint64_t qualification = arch_vmread(VMCS_EXIT_QUALIFICATION);
    uint64_t gpa = arch_vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
    bool vectoring = arch_vmread(VMCS_IDT_VECTORING_INFO) & VMX_EVENT_VALID;
    if (qualification & EPT_QUAL_NMI_UNBLOCKED && !vectoring) /* IRET's own fault: it is executed again */
        arch_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, arch_vmread(VMCS_GUEST_INTERRUPTIBILITY) | VMX_BLOCKED_NMI);
    if (vp->partition == hv.root) {
        vp_die(vp, "access to GPA %lx, which is not its (qualification %lx, linear address %lx)", (unsigned long)gpa,
               (unsigned long)qualification, (unsigned long)arch_vmread(VMCS_GUEST_LINEAR_ADDRESS));
        return;
    }
    intercept_memory(vp, gpa, qualification);
}
