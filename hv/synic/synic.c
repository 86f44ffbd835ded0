/* Messages and event flags; see synic.h. */
#include "hv/synic/synic.h"

#include "hv/partition/partition.h"
#include "hv/stimer/stimer.h"
#include "hv/vp/vp.h"

#define SINT_RESET HV_SINT_MASKED
enum { SINT_VECTOR_MIN = 16 };

void synic_reset(struct vp *vp)
{
    struct synic *s = &vp->synic;
    struct synic_message *store = s->store;
    memset(s, 0, sizeof(*s));
    s->store = store;
    for (unsigned i = 0; i < SYNIC_QUEUE; i++) {
        store[i].next = s->free;
        s->free = &store[i];
    }
    for (unsigned i = 0; i < HV_SINT_COUNT; i++)
        s->sint[i] = SINT_RESET;
}

static struct hv_message *slot(struct vp *vp, unsigned sint)
{
    struct hv_message_page *page = NULL;
    if (vp->synic.simp & HV_PAGE_MSR_ENABLE)
        page = vp_gpa_pointer(vp, vp->synic.simp & HV_PAGE_MSR_GPA, true);
    return page ? &page->slot[sint] : NULL;
}

static void raise(struct vp *vp, unsigned sint)
{
    uint64_t config = vp->synic.sint[sint];
    if (!(config & (HV_SINT_MASKED | HV_SINT_POLLING)))
        vapic_raise(vp, (unsigned)(config & HV_SINT_VECTOR));
}

/* The type is what makes the slot full, so it comes last. */
static void fill(struct hv_message *to, const struct hv_message *from, bool more)
{
    to->payload_size = from->payload_size;
    to->flags = more ? HV_MESSAGE_FLAG_PENDING : 0;
    to->reserved = 0;
    to->sender = from->sender;
    memcpy(to->payload, from->payload, from->payload_size);
    __atomic_store_n(&to->type, from->type, __ATOMIC_RELEASE);
}

static bool is_free(const struct hv_message *m) { return __atomic_load_n(&m->type, __ATOMIC_ACQUIRE) == HV_MESSAGE_NONE; }

static enum hv_status enqueue(struct vp *vp, unsigned sint, const struct hv_message *message)
{
    struct synic *s = &vp->synic;
    struct synic_message *m = s->free;
    if (!m)
        return HV_STATUS_INSUFFICIENT_BUFFERS;
    s->free = m->next;
    m->message = *message;
    m->next = NULL;
    if (s->first[sint])
        s->last[sint]->next = m;
    else
        s->first[sint] = m;
    s->last[sint] = m;
    s->waiting++;
    return HV_STATUS_SUCCESS;
}

/* Moves the first waiting message of a SINT to its slot if that is free; else
 * asks for an EOM.  The flag is set before the second look, so that either we see the
 * slot empty or the guest sees the flag. */
static void drain(struct vp *vp, unsigned sint)
{
    struct synic *s = &vp->synic;
    struct hv_message *to = slot(vp, sint);
    struct synic_message *m = s->first[sint];
    if (!to || !m || !(s->control & HV_SCONTROL_ENABLE))
        return;
    if (!is_free(to)) {
        to->flags |= HV_MESSAGE_FLAG_PENDING;
        arch_barrier();
        if (!is_free(to))
            return;
    }
    s->first[sint] = m->next;
    fill(to, &m->message, m->next != NULL);
    m->next = s->free;
    s->free = m;
    s->waiting--;
    raise(vp, sint);
}

static enum hv_status post_locked(struct vp *vp, unsigned sint, const struct hv_message *message)
{
    struct synic *s = &vp->synic;
    if (!(s->control & HV_SCONTROL_ENABLE) || !slot(vp, sint))
        return HV_STATUS_INVALID_SYNIC_STATE;
    enum hv_status status = enqueue(vp, sint, message);
    drain(vp, sint);
    return status;
}

enum hv_status synic_post(struct vp *vp, unsigned sint, const struct hv_message *message)
{
    lock_take(&vp->lock);
    enum hv_status status = post_locked(vp, sint, message);
    lock_release(&vp->lock);
    return status;
}

enum hv_status synic_post_locked(struct vp *vp, unsigned sint, const struct hv_message *message)
{
    return post_locked(vp, sint, message);
}

enum hv_status synic_signal(struct vp *vp, unsigned sint, unsigned flag, bool *newly)
{
    enum hv_status status = HV_STATUS_INVALID_SYNIC_STATE;
    struct hv_event_flags_page *page = NULL;
    *newly = false;
    lock_take(&vp->lock);
    if (vp->synic.control & HV_SCONTROL_ENABLE && vp->synic.siefp & HV_PAGE_MSR_ENABLE)
        page = vp_gpa_pointer(vp, vp->synic.siefp & HV_PAGE_MSR_GPA, true);
    if (page) {
        uint8_t bit = (uint8_t)(1u << flag % 8);
        *newly = !(__atomic_fetch_or(&page->flags[sint][flag / 8], bit, __ATOMIC_SEQ_CST) & bit);
        if (*newly)
            raise(vp, sint);
        status = HV_STATUS_SUCCESS;
    }
    lock_release(&vp->lock);
    return status;
}

void synic_rescan(struct vp *vp)
{
    for (unsigned i = 0; i < HV_SINT_COUNT; i++)
        if (vp->synic.first[i])
            drain(vp, i);
}

/* --- MSRs -------------------------------------------------------------------------- */

bool synic_read(struct vp *vp, uint32_t msr, uint64_t *value)
{
    struct synic *s = &vp->synic;
    switch (msr) {
    case HV_MSR_SCONTROL: *value = s->control; return true;
    case HV_MSR_SVERSION: *value = 1; return true;
    case HV_MSR_SIEFP: *value = s->siefp; return true;
    case HV_MSR_SIMP: *value = s->simp; return true;
    case HV_MSR_EOM: *value = 0; return true;
    }
    if (msr < HV_MSR_SINT0 || msr > HV_MSR_SINT15)
        return false;
    *value = s->sint[msr - HV_MSR_SINT0];
    return true;
}

/* Which vectors end themselves is a property of all SINTs together. */
static void update_auto_eoi(struct vp *vp)
{
    uint64_t bits[4] = { 0 };
    for (unsigned i = 0; i < HV_SINT_COUNT; i++) {
        uint64_t c = vp->synic.sint[i];
        unsigned vector = (unsigned)(c & HV_SINT_VECTOR);
        if (c & HV_SINT_AUTO_EOI && !(c & HV_SINT_MASKED))
            bits[vector / 64] |= 1ull << vector % 64;
    }
    memcpy(vp->apic.auto_eoi, bits, sizeof(bits));
}

static bool write_sint(struct vp *vp, unsigned sint, uint64_t value)
{
    if (!(value & HV_SINT_MASKED) && (value & HV_SINT_VECTOR) < SINT_VECTOR_MIN)
        return false;
    vp->synic.sint[sint] = value;
    update_auto_eoi(vp);
    return true;
}

/* A page is cleared when it is enabled, as an overlay page would start. */
static bool write_page(struct vp *vp, uint64_t *msr, uint64_t value)
{
    bool enables = value & HV_PAGE_MSR_ENABLE && (*msr & ~2ull) != (value & ~2ull);
    if (enables) {
        void *page = vp_gpa_pointer(vp, value & HV_PAGE_MSR_GPA, true);
        if (!page)
            return false;
        memset(page, 0, 4096);
    }
    *msr = value;
    return true;
}

bool synic_write(struct vp *vp, uint32_t msr, uint64_t value)
{
    struct synic *s = &vp->synic;
    bool ok = true;
    lock_take(&vp->lock);
    switch (msr) {
    case HV_MSR_SCONTROL: s->control = value; break;
    case HV_MSR_SIEFP: ok = write_page(vp, &s->siefp, value); break;
    case HV_MSR_SIMP: ok = write_page(vp, &s->simp, value); break;
    case HV_MSR_EOM: break;
    default:
        ok = msr >= HV_MSR_SINT0 && msr <= HV_MSR_SINT15 && write_sint(vp, msr - HV_MSR_SINT0, value);
    }
    if (ok) {
        synic_rescan(vp);
        stimer_retry(vp);
    }
    lock_release(&vp->lock);
    return ok;
}
