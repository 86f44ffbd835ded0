/* Running a VP: what has to be settled before an entry, the entry, the exit.
 *
 * The order before an entry is the heart of it:
 *
 *   1. everything asked for (requests, flushes, events to inject) is settled
 *   2. lp->in_guest = 1, then one more look: nothing new?   (else back to 1)
 *   3. entry
 *
 * Whoever asks for something first makes it visible and then looks at
 * in_guest: if set, an interrupt to the LP brings it out.  Interrupts are off
 * here, so one that comes between 2 and 3 exits at once.
 */
#include "hv/arch/lp_arch.h"
#include "hv/exits/exits.h"
#include "hv/partition/partition.h"
#include "hv/stimer/stimer.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"
#include "spec/x86/system.h"

enum { VECTOR_NMI = 2, VECTOR_DF = 8 };

bool vp_has_reason_to_run(struct vp *vp)
{
    return !vp->halted || vp->nmi_pending || (vp->halt_takes_interrupts && vapic_deliverable(vp) >= 0);
}

/* --- events ------------------------------------------------------------------------ */

static void inject(uint32_t type, unsigned vector, bool has_error, uint32_t error)
{
    arch_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO,
                 VMX_EVENT_VALID | type << VMX_EVENT_TYPE_SHIFT | vector | (has_error ? VMX_EVENT_ERROR : 0));
    if (has_error)
        arch_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, error);
}

static bool contributory(unsigned vector)
{
    return vector == 0 || (vector >= 10 && vector <= 13);
}

/* An exception while another waits: the double-fault rules (SDM Vol 3A "Interrupt 8"). */
void vp_inject_exception(struct vp *vp, unsigned vector, bool has_error, uint32_t error)
{
    uint32_t before = vp->pending_event;
    unsigned first = before & 0xFF;
    bool was_exception = before && (before >> VMX_EVENT_TYPE_SHIFT & 7) == VMX_EVENT_HARDWARE;
    if (was_exception && first == VECTOR_DF) {
        vp_die(vp, "triple fault");
        return;
    }
    bool doubles = was_exception && ((contributory(first) && contributory(vector))
                                     || (first == 14 && (contributory(vector) || vector == 14)));
    if (doubles) {
        vector = VECTOR_DF;
        has_error = true;
        error = 0;
    }
    vp->pending_event = VMX_EVENT_VALID | VMX_EVENT_HARDWARE << VMX_EVENT_TYPE_SHIFT | vector
        | (has_error ? VMX_EVENT_ERROR : 0);
    vp->pending_error = error;
    vp->pending_length = 0;
}

/* An event whose delivery the exit interrupted has to be delivered again
 * (SDM Vol 3C "Information for VM Exits That Occur During Event Delivery"). */
static void collect_vectoring(struct vp *vp)
{
    uint32_t info = (uint32_t)arch_vmread(VMCS_IDT_VECTORING_INFO);
    if (!(info & VMX_EVENT_VALID))
        return;
    unsigned type = info >> VMX_EVENT_TYPE_SHIFT & 7;
    vp->pending_event = info & ~(uint32_t)VMX_EVENT_NMI_UNBLOCKED;
    vp->pending_error = info & VMX_EVENT_ERROR ? (uint32_t)arch_vmread(VMCS_IDT_VECTORING_ERROR) : 0;
    bool has_length = type == VMX_EVENT_SOFTWARE_INT || type == VMX_EVENT_PRIVILEGED || type == VMX_EVENT_SOFTWARE_EXC;
    vp->pending_length = has_length ? (uint32_t)arch_vmread(VMCS_EXIT_INSTRUCTION_LENGTH) : 0;
    if (type == VMX_EVENT_NMI) /* delivering it again sets the blocking again */
        arch_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, arch_vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)VMX_BLOCKED_NMI);
}

static void inject_again(struct vp *vp)
{
    arch_vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, vp->pending_event);
    if (vp->pending_event & VMX_EVENT_ERROR)
        arch_vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, vp->pending_error);
    if (vp->pending_length)
        arch_vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, vp->pending_length);
    vp->pending_event = 0;
}

/* The task priority below which the processor should tell us: a request waits behind it. */
static void set_tpr_threshold(struct vp *vp, int highest)
{
    unsigned threshold = 0;
    if (highest >= 0 && (unsigned)highest >> 4 <= (unsigned)vapic_tpr(vp) >> 4)
        threshold = (unsigned)highest >> 4;
    if (threshold != vp->apic.threshold) {
        vp->apic.threshold = threshold;
        arch_vmwrite(VMCS_TPR_THRESHOLD, threshold);
    }
}

static void inject_interrupt(struct vp *vp)
{
    bool window = false;
    if (!vapic_any_request(vp)) { /* the usual case */
        vmx_set_window(vp, false);
        set_tpr_threshold(vp, -1);
        return;
    }
    int vector = vapic_deliverable(vp);
    if (vector >= 0) {
        bool open = arch_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF
            && !(arch_vmread(VMCS_GUEST_INTERRUPTIBILITY) & (VMX_BLOCKED_STI | VMX_BLOCKED_MOV_SS));
        if (open && !vp->event_staged) {
            inject(VMX_EVENT_EXTERNAL, (unsigned)vector, false, 0);
            vp->event_staged = true;
            vapic_accept(vp, (unsigned)vector);
            window = vapic_deliverable(vp) >= 0;
        } else {
            window = true;
        }
    }
    vmx_set_window(vp, window);
    set_tpr_threshold(vp, vapic_highest_request(vp));
}

/* What the guest takes at this entry: something interrupted, an NMI, or an
 * interrupt.  Once staged in the VMCS it stays until an entry has happened. */
static void settle_events(struct vp *vp)
{
    if (vp->event_staged) {
        /* from an entry that was called off */
    } else if (vp->pending_event) {
        inject_again(vp);
        vp->event_staged = true;
    } else if (vp->nmi_pending) {
        uint64_t blocked = arch_vmread(VMCS_GUEST_INTERRUPTIBILITY);
        if (!(blocked & (VMX_BLOCKED_NMI | VMX_BLOCKED_MOV_SS | VMX_BLOCKED_STI))) {
            inject(VMX_EVENT_NMI, VECTOR_NMI, false, 0);
            vp->nmi_pending = false;
            vp->event_staged = true;
        } else if (vmx.pin & VMX_PIN_VIRTUAL_NMIS && !(vp->primary & VMX_PRIMARY_NMI_WINDOW)) {
            vp->primary |= VMX_PRIMARY_NMI_WINDOW;
            arch_vmwrite(VMCS_PRIMARY_CONTROLS, vp->primary);
        }
    }
    inject_interrupt(vp);
}

/* --- requests ---------------------------------------------------------------------------- */

static void start_by_sipi(struct vp *vp)
{
    vp->sipi_pending = false;
    arch_vmwrite(VMCS_GUEST_CS_SELECTOR, (uint64_t)vp->sipi_vector << 8);
    arch_vmwrite(VMCS_GUEST_CS_BASE, (uint64_t)vp->sipi_vector << 12);
    arch_vmwrite(VMCS_GUEST_RIP, 0);
}

static void carry_out(struct vp *vp, uint32_t request)
{
    if (request & REQUEST_NMI)
        vp->nmi_pending = true;
    if (request & REQUEST_SYNIC) {
        lock_take(&vp->lock);
        synic_rescan(vp);
        stimer_retry(vp);
        lock_release(&vp->lock);
    }
    if (request & REQUEST_INIT)
        vp_reset_registers(vp, false);
    if (request & REQUEST_FLUSH && vmx.has_vpid)
        arch_invvpid_context(vp->vpid);
}

static void settle_requests(struct vp *vp)
{
    if (vp->request)
        carry_out(vp, __atomic_exchange_n(&vp->request, 0, __ATOMIC_SEQ_CST));
    if (vp->sipi_pending)
        start_by_sipi(vp);
    uint64_t generation = __atomic_load_n(&vp->partition->gpa.generation, __ATOMIC_SEQ_CST);
    if (vp->ept_generation != generation) {
        arch_invept_context(vp->partition->gpa.eptp);
        vp->ept_generation = generation;
    }
}

static bool nothing_new(const struct vp *vp, const struct lp *lp)
{
    return !vp->request && !lp->reschedule && !lp->release && !vp->suspend
        && vp->ept_generation == __atomic_load_n(&vp->partition->gpa.generation, __ATOMIC_SEQ_CST);
}

/* --- slices -------------------------------------------------------------------------------- */

/* Measured only when somebody waits for the processor. False: it is over. */
static bool settle_slice(struct vp *vp, struct lp *lp)
{
    bool wanted = __atomic_load_n(&lp->queue_length, __ATOMIC_RELAXED) > 0;
    if (!wanted) {
        vp->slice_running = false;
        vmx_set_preemption_timer(vp, 0, false);
        return true;
    }
    uint64_t now = arch_tsc();
    if (!vp->slice_running) {
        vp->slice_running = true;
        vp->slice_end = now + sched_slice();
    }
    if (now >= vp->slice_end)
        return false;
    vmx_set_preemption_timer(vp, vp->slice_end - now, true);
    return true;
}

/* --- the loop ---------------------------------------------------------------------------------- */

static void enter(struct vp *vp, struct lp *lp)
{
    if (vp->cr2 != arch_read_cr2())
        arch_write_cr2(vp->cr2);
    bool failed = vmx_enter(&vp->context);
    vp->cr2 = arch_read_cr2();
    lp->in_guest = 0;
    lp->entries++;
    vp->exit_count++;
    if (failed)
        hv_panic("VM entry of VP %u in partition %lx failed: VM-instruction error %lu", vp->index,
                 (unsigned long)vp->partition->id, (unsigned long)arch_vmread(VMCS_INSTRUCTION_ERROR));
}

/* False: it has blocked and may be elsewhere by now. */
static bool halt(struct vp *vp)
{
    if (!vp->pinned)
        vp_unload(vp);
    if (sched_block(vp))
        return false;
    vp_load(vp);
    return true;
}

bool vp_run(struct vp *vp)
{
    struct lp *lp = lp_self();
    vp_load(vp);
    vp->slice_running = false;
    for (;;) {
        sched_release(lp);
        if (vp->suspend || lp->reschedule || !settle_slice(vp, lp))
            return true;
        settle_requests(vp);
        if (vp->apic.lazy_eoi)
            vapic_lazy_eoi_sync(vp);
        if (vp->halted && !vp_has_reason_to_run(vp)) {
            if (!halt(vp))
                return false;
            continue;
        }
        vp->halted = false;
        settle_events(vp);
        lp->in_guest = 1;
        arch_barrier();
        if (!nothing_new(vp, lp)) {
            lp->in_guest = 0;
            continue;
        }
        enter(vp, lp);
        vp->event_staged = false;
        collect_vectoring(vp);
        exit_handle(vp);
    }
}
