/* The virtual local APIC: priorities, interrupts, registers; see apic.h.
 * SDM Vol 3A "Advanced Programmable Interrupt Controller (APIC)". */
#include "hv/vp/apic.h"

#include "hv/partition/partition.h"
#include "hv/vmx/vmx.h"
#include "hv/vp/vp.h"

enum {
    VECTORS_RESERVED = 16, VERSION = 0x00060015, /* integrated, seven LVT entries */
    VAPIC_TPR = 0x80, SVR_RESET = 0xFF, SVR_ENABLE = 0x100, SVR_MASK = 0x1FF, BUS_DIVIDER_ONE = 7,
};
enum { ICR_SHORTHAND_SHIFT = 18, ICR_LOGICAL = 1 << 11, ICR_RESERVED_LOW = (int)0xFFF32000 };
enum { PERIODS_PER_SECOND_MAX = 20000 };
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };
enum { LVT_TIMER_MODES = LVT_TIMER_PERIODIC | LVT_TIMER_DEADLINE, LVT_VECTOR = 0xFF };

static uint32_t *tpr_word(struct vp *vp)
{
    return (uint32_t *)((char *)arch_spa_pointer(vp->virtual_apic) + VAPIC_TPR);
}

uint8_t vapic_tpr(struct vp *vp) { return (uint8_t)*tpr_word(vp); }
void vapic_set_tpr(struct vp *vp, uint8_t tpr) { *tpr_word(vp) = tpr; }

static int highest(const uint64_t bits[4])
{
    for (int i = 3; i >= 0; i--) {
        uint64_t word = __atomic_load_n(&bits[i], __ATOMIC_ACQUIRE);
        if (word)
            return i * 64 + 63 - __builtin_clzll(word);
    }
    return -1;
}

static void set_bit(uint64_t bits[4], unsigned n) { __atomic_fetch_or(&bits[n / 64], 1ull << n % 64, __ATOMIC_SEQ_CST); }
static void clear_bit(uint64_t bits[4], unsigned n) { __atomic_fetch_and(&bits[n / 64], ~(1ull << n % 64), __ATOMIC_SEQ_CST); }
static bool test_bit(const uint64_t bits[4], unsigned n) { return bits[n / 64] >> n % 64 & 1; }

/* SDM Vol 3A "Interrupt, Task, and Processor Priority". */
static unsigned processor_priority(struct vp *vp)
{
    unsigned tpr = vapic_tpr(vp);
    int in_service = highest(vp->apic.isr);
    unsigned isr_class = in_service < 0 ? 0 : (unsigned)in_service & 0xF0;
    return (tpr & 0xF0) >= isr_class ? tpr : isr_class;
}

bool vapic_any_request(const struct vp *vp)
{
    const uint64_t *irr = vp->apic.irr;
    return (irr[0] | irr[1] | irr[2] | irr[3]) != 0;
}

int vapic_highest_request(const struct vp *vp) { return highest(vp->apic.irr); }

int vapic_deliverable(struct vp *vp)
{
    int vector = highest(vp->apic.irr);
    if (vector < 0 || ((unsigned)vector & 0xF0) <= (processor_priority(vp) & 0xF0))
        return -1;
    return vector;
}

void vapic_raise(struct vp *vp, unsigned vector)
{
    if (vector < VECTORS_RESERVED || vector > 255)
        return;
    set_bit(vp->apic.irr, vector);
    vp_request(vp, REQUEST_EVENT);
}

/* The assist page's "no EOI required" (TLFS "Virtual Interrupt Controller: EOI Assist"). */
static struct hv_vp_assist_page *assist_page(struct vp *vp)
{
    if (!(vp->assist_msr & HV_PAGE_MSR_ENABLE))
        return NULL;
    return vp_gpa_pointer(vp, vp->assist_msr & HV_PAGE_MSR_GPA, true);
}

/* EOI is one of the points where waiting messages are looked at again. */
static void eoi_highest(struct vp *vp)
{
    int vector = highest(vp->apic.isr);
    if (vector >= 0)
        clear_bit(vp->apic.isr, (unsigned)vector);
    if (__atomic_load_n(&vp->synic.waiting, __ATOMIC_RELAXED))
        __atomic_fetch_or(&vp->request, REQUEST_SYNIC, __ATOMIC_SEQ_CST);
}

void vapic_accept(struct vp *vp, unsigned vector)
{
    clear_bit(vp->apic.irr, vector);
    if (test_bit(vp->apic.auto_eoi, vector))
        return; /* never in service */
    bool alone = highest(vp->apic.isr) < 0 && highest(vp->apic.irr) < 0;
    set_bit(vp->apic.isr, vector);
    struct hv_vp_assist_page *page = alone ? assist_page(vp) : NULL;
    if (page) {
        page->apic_assist |= HV_APIC_ASSIST_NO_EOI;
        vp->apic.lazy_eoi = true;
    }
}

void vapic_lazy_eoi_sync(struct vp *vp)
{
    struct hv_vp_assist_page *page = assist_page(vp);
    bool ended = !page || !(page->apic_assist & HV_APIC_ASSIST_NO_EOI);
    if (ended) {
        vp->apic.lazy_eoi = false;
        eoi_highest(vp);
        return;
    }
    if (highest(vp->apic.irr) >= 0) { /* somebody waits: a real EOI has to tell us */
        page->apic_assist &= ~HV_APIC_ASSIST_NO_EOI;
        vp->apic.lazy_eoi = false;
    }
}

void vapic_eoi(struct vp *vp)
{
    if (vp->apic.lazy_eoi) {
        struct hv_vp_assist_page *page = assist_page(vp);
        if (page)
            page->apic_assist &= ~HV_APIC_ASSIST_NO_EOI;
        vp->apic.lazy_eoi = false;
    }
    eoi_highest(vp);
}

/* --- timer -------------------------------------------------------------------------- */

static unsigned divide(const struct vapic *a)
{
    unsigned code = (a->divide & 3) | (a->divide >> 1 & 4);
    return code == BUS_DIVIDER_ONE ? 1 : 2u << code;
}

static uint64_t count_to_tsc(const struct vapic *a, uint64_t count)
{
    return arch_mul_div(count * divide(a), hv.tsc_hz, hv.apic_timer_hz);
}

static void timer_fired(void *ctx)
{
    struct vp *vp = ctx;
    struct vapic *a = &vp->apic;
    if (!(a->lvt_timer & LVT_MASKED))
        vapic_raise(vp, a->lvt_timer & LVT_VECTOR);
    if (a->lvt_timer & LVT_TIMER_DEADLINE) {
        a->deadline = 0;
    } else if (a->lvt_timer & LVT_TIMER_PERIODIC && a->initial_count) {
        /* Very short periods are stretched: a guest must not keep its LP busy with its timer alone. */
        uint64_t period = rt_max(count_to_tsc(a, a->initial_count), hv.tsc_hz / PERIODS_PER_SECOND_MAX);
        a->timer_start = rt_max(a->timer_start + period, arch_tsc());
        timer_arm(&a->timer, a->timer_start + period);
    }
}

static void start_count(struct vp *vp)
{
    struct vapic *a = &vp->apic;
    timer_cancel(&a->timer);
    if (!a->initial_count || a->lvt_timer & LVT_TIMER_DEADLINE)
        return;
    a->timer_start = arch_tsc();
    timer_arm(&a->timer, a->timer_start + count_to_tsc(a, a->initial_count));
}

void vapic_deadline_write(struct vp *vp, uint64_t value)
{
    struct vapic *a = &vp->apic;
    if (!(a->lvt_timer & LVT_TIMER_DEADLINE))
        return;
    a->deadline = value;
    timer_cancel(&a->timer);
    if (value)
        timer_arm(&a->timer, value);
}

static uint32_t current_count(const struct vapic *a)
{
    if (!a->timer.lp || a->lvt_timer & LVT_TIMER_DEADLINE)
        return 0;
    uint64_t now = arch_tsc();
    if (now >= a->timer.due)
        return 0;
    return (uint32_t)(arch_mul_div(a->timer.due - now, hv.apic_timer_hz, hv.tsc_hz) / divide(a));
}

void vapic_reset(struct vp *vp)
{
    struct vapic *a = &vp->apic;
    timer_cancel(&a->timer);
    memset(a, 0, sizeof(*a));
    a->svr = SVR_RESET;
    a->lvt_timer = LVT_MASKED;
    for (unsigned i = 0; i < 6; i++)
        a->lvt[i] = LVT_MASKED;
    a->timer.fire = timer_fired;
    a->timer.ctx = vp;
    vapic_set_tpr(vp, 0);
}

void vapic_stop(struct vp *vp)
{
    vp->apic.initial_count = 0;
    vp->apic.lvt_timer = LVT_MASKED;
    timer_cancel(&vp->apic.timer);
}

/* --- interprocessor interrupts -------------------------------------------------------- */

static void receive_init(struct vp *vp)
{
    sched_suspend(vp, SUSPEND_STARTUP);
    vp_request(vp, REQUEST_INIT);
}

/* A start-up IPI counts only while waiting for one; the reset asked for by INIT happens first. */
static void receive_sipi(struct vp *vp, uint8_t vector)
{
    if (!(__atomic_load_n(&vp->suspend, __ATOMIC_ACQUIRE) & SUSPEND_STARTUP))
        return;
    if (!vmx.has_unrestricted) {
        hv_log("VP %u: start-up IPI refused: this processor lacks unrestricted guest", vp->index);
        return;
    }
    vp->sipi_vector = vector;
    vp->sipi_pending = true;
    sched_resume(vp, SUSPEND_STARTUP);
}

static void receive(struct vp *vp, unsigned mode, uint8_t vector)
{
    switch (mode) {
    case HV_INTERRUPT_FIXED: case HV_INTERRUPT_LOWEST: vapic_raise(vp, vector); break;
    case HV_INTERRUPT_NMI: vp_request(vp, REQUEST_NMI); break;
    case HV_INTERRUPT_INIT: receive_init(vp); break;
    case HV_INTERRUPT_SIPI: receive_sipi(vp, vector); break;
    }
}

/* SDM Vol 3A "Determining IPI Destination": physical ids, or x2APIC clusters of sixteen. */
static bool is_destination(const struct vp *vp, uint32_t destination, bool logical)
{
    if (destination == UINT32_MAX)
        return true;
    if (!logical)
        return vp->index == destination;
    return vp->index >> 4 == destination >> 16 && destination >> (vp->index & 15) & 1;
}

bool vapic_send(struct partition *p, struct vp *from, uint64_t icr)
{
    uint32_t low = (uint32_t)icr, destination = (uint32_t)(icr >> 32);
    unsigned mode = low >> 8 & 7, shorthand = low >> ICR_SHORTHAND_SHIFT & 3;
    if (low & (uint32_t)ICR_RESERVED_LOW || mode == 2 || mode == 3 || mode == 7)
        return false;
    if (mode == HV_INTERRUPT_INIT && !(low & ICR_LEVEL_ASSERT))
        return true; /* INIT level de-assert does nothing on these processors */
    for (unsigned i = 0; i < HV_VPS_PER_PARTITION; i++) {
        struct vp *vp = p->vp[i];
        if (!vp || (shorthand == SHORTHAND_OTHERS && vp == from) || (shorthand == SHORTHAND_SELF && vp != from))
            continue;
        if (shorthand != SHORTHAND_NONE || is_destination(vp, destination, low & ICR_LOGICAL)) {
            receive(vp, mode, (uint8_t)low);
            if (mode == HV_INTERRUPT_LOWEST)
                break; /* one receiver: the lowest index */
        }
    }
    return true;
}

/* --- registers ----------------------------------------------------------------------------- */

static uint32_t vector_word(const uint64_t bits[4], unsigned n)
{
    return (uint32_t)(bits[n / 2] >> (n % 2 ? 32 : 0));
}

static uint32_t *lvt_register(struct vapic *a, unsigned reg)
{
    switch (reg) {
    case X2APIC_LVT_CMCI: return &a->lvt[0];
    case X2APIC_LVT_THERMAL: return &a->lvt[1];
    case X2APIC_LVT_PERF: return &a->lvt[2];
    case X2APIC_LVT_LINT0: return &a->lvt[3];
    case X2APIC_LVT_LINT1: return &a->lvt[4];
    case X2APIC_LVT_ERROR: return &a->lvt[5];
    default: return NULL;
    }
}

bool vapic_read(struct vp *vp, unsigned reg, uint64_t *value)
{
    struct vapic *a = &vp->apic;
    uint32_t *lvt = lvt_register(a, reg);
    if (lvt) {
        *value = *lvt;
        return true;
    }
    switch (reg) {
    case X2APIC_ID: *value = vp->index; return true;
    case X2APIC_VERSION: *value = VERSION; return true;
    case X2APIC_TPR: *value = vapic_tpr(vp); return true;
    case X2APIC_PPR: *value = processor_priority(vp); return true;
    case X2APIC_LDR: *value = (uint64_t)(vp->index >> 4) << 16 | 1u << (vp->index & 15); return true;
    case X2APIC_SVR: *value = a->svr; return true;
    case X2APIC_ESR: *value = 0; return true;
    case X2APIC_ICR: *value = a->icr; return true;
    case X2APIC_LVT_TIMER: *value = a->lvt_timer; return true;
    case X2APIC_INITIAL_COUNT: *value = a->initial_count; return true;
    case X2APIC_CURRENT_COUNT: *value = current_count(a); return true;
    case X2APIC_DIVIDE: *value = a->divide; return true;
    }
    if (reg >= X2APIC_ISR0 && reg < X2APIC_ISR0 + 8) {
        *value = vector_word(a->isr, reg - X2APIC_ISR0);
        return true;
    }
    if (reg >= X2APIC_TMR0 && reg < X2APIC_TMR0 + 8) {
        *value = 0; /* all interrupts are edge-triggered */
        return true;
    }
    if (reg >= X2APIC_IRR0 && reg < X2APIC_IRR0 + 8) {
        *value = vector_word(a->irr, reg - X2APIC_IRR0);
        return true;
    }
    return false;
}

static bool write_lvt_timer(struct vp *vp, uint64_t value)
{
    enum { ALLOWED = LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODES };
    struct vapic *a = &vp->apic;
    if (value & ~(uint64_t)ALLOWED || (value & LVT_TIMER_MODES) == LVT_TIMER_MODES)
        return false;
    bool mode_changed = (a->lvt_timer ^ value) & LVT_TIMER_DEADLINE;
    a->lvt_timer = (uint32_t)value;
    if (mode_changed) {
        timer_cancel(&a->timer);
        a->initial_count = 0;
        a->deadline = 0;
    }
    return true;
}

bool vapic_write(struct vp *vp, unsigned reg, uint64_t value)
{
    struct vapic *a = &vp->apic;
    uint32_t *lvt = lvt_register(a, reg);
    if (reg == X2APIC_ICR) {
        a->icr = value;
        return vapic_send(vp->partition, vp, value);
    }
    if (value >> 32)
        return false;
    if (lvt) {
        *lvt = (uint32_t)value;
        return true;
    }
    switch (reg) {
    case X2APIC_TPR:
        if (value > 0xFF)
            return false;
        vapic_set_tpr(vp, (uint8_t)value);
        return true;
    case X2APIC_EOI:
        if (value)
            return false;
        vapic_eoi(vp);
        return true;
    case X2APIC_SVR:
        a->svr = (uint32_t)value & SVR_MASK;
        return value <= SVR_MASK;
    case X2APIC_ESR: return value == 0;
    case X2APIC_LVT_TIMER: return write_lvt_timer(vp, value);
    case X2APIC_INITIAL_COUNT:
        a->initial_count = (uint32_t)value;
        start_count(vp);
        return true;
    case X2APIC_DIVIDE:
        a->divide = (uint32_t)value & 0xB;
        return true;
    case X2APIC_SELF_IPI:
        vapic_raise(vp, (unsigned)value & 0xFF);
        return value <= 0xFF;
    default:
        return false;
    }
}
