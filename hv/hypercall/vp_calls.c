/* Hypercalls about virtual processors. */
#include "hv/hypercall/hypercall.h"
#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "spec/x86/system.h"

enum hv_status hypercall_HvCallCreateVp(struct call *c)
{
    const struct hv_create_vp *in = c->in;
    struct partition *p;
    lock_take(&hv.partitions_lock);
    enum hv_status status = partition_find_active_child(c->caller, in->partition, &p);
    if (!status && (in->vp_index >= HV_VPS_PER_PARTITION || p->vp[in->vp_index]))
        status = HV_STATUS_INVALID_VP_INDEX;
    if (!status && !vp_create(p, in->vp_index))
        status = HV_STATUS_NO_RESOURCES;
    lock_release(&hv.partitions_lock);
    return status;
}

enum hv_status hypercall_HvCallDeleteVp(struct call *c)
{
    const struct hv_delete_vp *in = c->in;
    lock_take(&hv.partitions_lock);
    struct partition *p = partition_find_child(c->caller, in->partition);
    struct vp *vp = p ? partition_vp(p, NULL, in->vp_index) : NULL;
    enum hv_status status = !p ? HV_STATUS_INVALID_PARTITION_ID : !vp ? HV_STATUS_INVALID_VP_INDEX : HV_STATUS_SUCCESS;
    if (!status && !sched_is_stopped(vp))
        status = HV_STATUS_INVALID_VP_STATE;
    if (!status)
        vp_delete(vp);
    lock_release(&hv.partitions_lock);
    return status;
}

/* A VP whose registers the caller may see: a child's that is stopped, or the caller itself. */
static enum hv_status find_vp(struct call *c, uint64_t partition, uint32_t index, struct vp **vp)
{
    struct partition *p = partition_find(c->caller, partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    *vp = partition_vp(p, c->vp, index);
    return *vp ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}

/* Registers that may be read and written while the VP runs. */
static bool is_suspend_register(uint32_t name)
{
    return name == HV_REGISTER_EXPLICIT_SUSPEND || name == HV_REGISTER_INTERCEPT_SUSPEND;
}

static enum hv_status ready_for(struct call *c, struct vp *vp, uint32_t name)
{
    if (vp == c->vp || is_suspend_register(name) || sched_is_stopped(vp))
        return HV_STATUS_SUCCESS;
    if (!__atomic_load_n(&vp->suspend, __ATOMIC_ACQUIRE))
        return HV_STATUS_INVALID_VP_STATE;
    sched_wait_stopped(vp); /* suspended, but still on its way out */
    return HV_STATUS_SUCCESS;
}

enum hv_status hypercall_HvCallGetVpRegisters(struct call *c)
{
    const struct hv_vp_registers *in = c->in;
    const uint32_t *name = c->rep_in;
    union hv_register_value *value = c->rep_out;
    struct vp *vp;
    enum hv_status status = find_vp(c, in->partition, in->vp_index, &vp);
    for (unsigned end = call_rep_end(c); !status && c->rep_done < end; c->rep_done += !status) {
        status = ready_for(c, vp, name[c->rep_done]);
        if (!status)
            status = vp_register_get(vp, name[c->rep_done], &value[c->rep_done]);
    }
    return status;
}

enum hv_status hypercall_HvCallSetVpRegisters(struct call *c)
{
    const struct hv_vp_registers *in = c->in;
    const struct hv_register_assoc *element = c->rep_in;
    struct vp *vp;
    enum hv_status status = find_vp(c, in->partition, in->vp_index, &vp);
    for (unsigned end = call_rep_end(c); !status && c->rep_done < end; c->rep_done += !status) {
        const struct hv_register_assoc *e = &element[c->rep_done];
        status = ready_for(c, vp, e->name);
        if (!status)
            status = vp_register_set(vp, e->name, (const union hv_register_value *)&e->value);
    }
    return status;
}

enum hv_status hypercall_HvCallTranslateVirtualAddress(struct call *c)
{
    const struct hv_translate_address *in = c->in;
    struct hv_translate_result *out = c->out;
    struct vp *vp;
    enum hv_status status = find_vp(c, in->partition, in->vp_index, &vp);
    if (!status && vp != c->vp)
        status = HV_STATUS_INVALID_VP_STATE; /* hvlab: only of the caller itself */
    if (status)
        return status;
    uint64_t gpa = 0;
    out->result = vp_translate(vp, in->gva_page << 12, in->flags & HV_TRANSLATE_WRITE, in->flags & HV_TRANSLATE_EXECUTE,
                               false, &gpa);
    out->gpfn = gpa >> 12;
    return HV_STATUS_SUCCESS;
}

/* --- start-up ------------------------------------------------------------------------- */

static void set(struct vp *vp, uint32_t name, uint64_t value, enum hv_status *status)
{
    union hv_register_value v = { { value, 0 } };
    if (!*status)
        *status = vp_register_set(vp, name, &v);
}

static void set_segment(struct vp *vp, uint32_t name, const struct hv_initial_segment *s, enum hv_status *status)
{
    union hv_register_value v = { .segment = { s->base, s->limit, s->selector, s->attributes } };
    if (!*status)
        *status = vp_register_set(vp, name, &v);
}

static void set_table(struct vp *vp, uint32_t name, const struct hv_initial_table *t, enum hv_status *status)
{
    union hv_register_value v = { .table = { { 0 }, t->limit, t->base } };
    if (!*status)
        *status = vp_register_set(vp, name, &v);
}

static enum hv_status load_context(struct vp *vp, const struct hv_initial_context *i)
{
    enum hv_status status = HV_STATUS_SUCCESS;
    set(vp, HV_X64_REGISTER_RIP, i->rip, &status);
    set(vp, HV_X64_REGISTER_RSP, i->rsp, &status);
    set(vp, HV_X64_REGISTER_RFLAGS, i->rflags, &status);
    set_segment(vp, HV_X64_REGISTER_CS, &i->cs, &status);
    set_segment(vp, HV_X64_REGISTER_DS, &i->ds, &status);
    set_segment(vp, HV_X64_REGISTER_ES, &i->es, &status);
    set_segment(vp, HV_X64_REGISTER_FS, &i->fs, &status);
    set_segment(vp, HV_X64_REGISTER_GS, &i->gs, &status);
    set_segment(vp, HV_X64_REGISTER_SS, &i->ss, &status);
    set_segment(vp, HV_X64_REGISTER_TR, &i->tr, &status);
    set_segment(vp, HV_X64_REGISTER_LDTR, &i->ldtr, &status);
    set_table(vp, HV_X64_REGISTER_IDTR, &i->idtr, &status);
    set_table(vp, HV_X64_REGISTER_GDTR, &i->gdtr, &status);
    set(vp, HV_X64_REGISTER_EFER, i->efer, &status);
    set(vp, HV_X64_REGISTER_CR0, i->cr0, &status);
    set(vp, HV_X64_REGISTER_CR3, i->cr3, &status);
    set(vp, HV_X64_REGISTER_CR4, i->cr4, &status);
    set(vp, HV_X64_REGISTER_PAT, i->pat, &status);
    return status;
}

/* Two of the partition's VPs could start the same third one: the lock decides. */
enum hv_status hypercall_HvCallStartVirtualProcessor(struct call *c)
{
    const struct hv_start_vp *in = c->in;
    struct partition *p = partition_find(c->caller, in->partition);
    struct vp *vp = p ? partition_vp(p, NULL, in->vp_index) : NULL;
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    if (!vp || vp == c->vp)
        return HV_STATUS_INVALID_VP_INDEX;
    if (in->vtl)
        return HV_STATUS_INVALID_PARAMETER;
    lock_take(&p->lock);
    enum hv_status status = HV_STATUS_INVALID_VP_STATE;
    if (vp->suspend & SUSPEND_STARTUP && sched_is_stopped(vp))
        status = load_context(vp, &in->context);
    if (!status)
        sched_resume(vp, SUSPEND_STARTUP);
    lock_release(&p->lock);
    return status;
}

enum hv_status hypercall_HvCallGetVpIndexFromApicId(struct call *c)
{
    const struct hv_vp_index_from_apic_id *in = c->in;
    const uint32_t *apic_id = c->rep_in;
    uint32_t *index = c->rep_out;
    struct partition *p = partition_find(c->caller, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    for (unsigned end = call_rep_end(c); c->rep_done < end; c->rep_done++) {
        if (!partition_vp(p, NULL, apic_id[c->rep_done]))
            return HV_STATUS_INVALID_PARAMETER;
        index[c->rep_done] = apic_id[c->rep_done];
    }
    return HV_STATUS_SUCCESS;
}

/* Somebody else may have what the spinner waits for. */
enum hv_status hypercall_HvCallNotifyLongSpinWait(struct call *c)
{
    struct lp *lp = lp_self();
    if (lp->queue_length)
        lp->reschedule = 1;
    (void)c;
    return HV_STATUS_SUCCESS;
}

enum hv_status hypercall_HvCallAssertVirtualInterrupt(struct call *c)
{
    const struct hv_assert_interrupt *in = c->in;
    enum { LEVEL = 1, LOGICAL = 2, ICR_LOGICAL = 1 << 11 };
    struct partition *p = partition_find_child(c->caller, in->partition);
    if (!p)
        return HV_STATUS_INVALID_PARTITION_ID;
    bool known = in->type == HV_INTERRUPT_FIXED || in->type == HV_INTERRUPT_LOWEST || in->type == HV_INTERRUPT_NMI;
    if (!known || in->flags & LEVEL || in->vtl || in->vector > 255 || (in->type != HV_INTERRUPT_NMI && in->vector < 16))
        return HV_STATUS_INVALID_PARAMETER;
    uint64_t icr = in->destination << 32 | in->type << 8 | (in->flags & LOGICAL ? ICR_LOGICAL : 0) | in->vector;
    return vapic_send(p, NULL, icr) ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}
